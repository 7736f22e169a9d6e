"""What a refusal, a total, an included file or the answer to a write could tell a member of what is not his; and what decisions cost."""
import json
import time
import uuid

import pytest
from access.wiring import FHIR, bundle_of, entry
from access.world import SHARED, World, binary_body, identifier, member, observation, patient
from harness import checks

RAW = {"Content-Type": "text/plain"}
PATCH = {"Content-Type": "application/json-patch+json"}
XML = {**FHIR, "Accept": "application/fhir+xml"}


@pytest.fixture(scope="module")
def world(postgres):
    with World(postgres) as made:
        yield made


def told(answer, *asked):
    """Status, text and headers, without what was asked for."""
    text = answer.text
    for word in asked:
        text = text.replace(word, "<>")
    headers = [(name, value) for name, value in answer.headers.pairs if name.lower() not in ("date", "x-request-id", "keep-alive", "content-length")]
    return answer.status, text, headers


def document(subject, *urls, **more):
    return {"resourceType": "DocumentReference", "status": "current", "subject": {"reference": subject},
            "content": [{"attachment": {"url": url}} for url in urls], **more}


# ---- refusals ----

@pytest.mark.parametrize("interactions", [["create", "read", "search"], ["create"], ["update", "read"], ["create", "update"], ["read"]])
def test_rights_by_interaction_tell_no_ids(world, interactions):
    """Who may create but not update is refused the same for what is another's and for what is not there."""
    client = member(world.server, world.admin, [{"resourceType": "Observation", "criteria": "Observation?_compartment=%patient",
                                                 "interaction": interactions}], "some", patient=world.own)
    theirs = world.make(observation(world.other))["id"]
    for method, headers in ("PUT", FHIR), ("PATCH", PATCH), ("DELETE", None), ("GET", None), ("PUT", XML):
        answers = []
        for place in theirs, str(uuid.uuid4()):
            body = json.dumps(observation(world.own, id=place)) if method == "PUT" else "[]" if method == "PATCH" else None
            answer = client.call(method, f"Observation/{place}", headers, body and body.encode())
            checks.outcome(answer, answer.status)
            answers.append(told(answer, place))
        assert answers[0] == answers[1], (method, answers)
        answers = []
        for place in theirs, str(uuid.uuid4()):
            body = observation(world.own, id=place) if method == "PUT" else binary_body(b"[]", contentType=PATCH["Content-Type"])
            made = entry(method, f"Observation/{place}", body if method in ("PUT", "PATCH") else None)
            answers += [told(client.call("POST", "/fhir/R4", FHIR, bundle_of(kind, made)), place) for kind in ("batch", "transaction")]
        assert answers[:2] == answers[2:], (method, answers)


def test_binaries_created_by_read_rights_tell_no_ids(start):
    """The same for Binaries where the right to read a context is enough to create under it."""
    server = start(processes=1, directives={"FhirBinaryCreateUnderContext": "read"})
    admin = server.project("clinic")
    own, other = (admin.call("POST", "Patient", FHIR, json.dumps(patient()).encode()).json()["id"] for _ in range(2))
    client = member(server, admin, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "readonly": True}],
                    "reader", patient=f"Patient/{own}")
    theirs, _ = admin.upload(b"x", "text/plain", {"X-Security-Context": f"Patient/{other}"})
    answers = []
    for place in theirs, str(uuid.uuid4()):
        answers.append([told(client.call("PUT", f"Binary/{place}", RAW, b"x"), place), told(client.get(f"Binary/{place}/$presigned-url?upload=true"), place)])
    assert answers[0] == answers[1], answers


@pytest.mark.parametrize("headers, query", [({"Accept": "application/fhir+xml"}, ""), ({}, "?_format=xml"), ({"Accept": "image/png"}, ""), ({}, "?_format=none")])
def test_answers_that_no_form_fits_tell_nothing(world, headers, query):
    """What form the client takes is asked after whether there is something for him."""
    theirs = world.make(observation(world.other))["id"]
    answers = [told(world.call("patient", "PUT", f"Observation/{place}{query}", {**FHIR, **headers}, json.dumps(observation(world.own, id=place)).encode()), place)
               for place in (theirs, str(uuid.uuid4()))]
    assert answers[0] == answers[1], answers
    moved = world.make(observation(world.other))
    file, version = world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.other})
    assert world.admin.call("PUT", f"Observation/{moved['id']}", FHIR, json.dumps(observation(world.own, id=moved["id"])).encode()).status == 200
    assert world.admin.call("PUT", f"Binary/{file}", {**RAW, "X-Security-Context": world.own}, b"y").status == 200
    for place, hidden in (f"Observation/{moved['id']}", moved["meta"]["versionId"]), (f"Binary/{file}", version):
        assert world.call("patient", "GET", place).status == 200
        answers = [told(world.call("patient", "GET", f"{place}/_history/{one}{query}", headers), one) for one in (hidden, str(uuid.uuid4()))]
        assert answers[0] == answers[1], answers


# ---- totals, includes ----

def test_totals_of_histories_count_what_is_shown(world):
    """Two of three versions are his: no page says that there are three."""
    file, _ = world.admin.upload(b"1", "text/plain", {"X-Security-Context": world.other})
    report = world.make(observation(world.other))["id"]
    for content in b"2", b"3":
        assert world.admin.call("PUT", f"Binary/{file}", {**RAW, "X-Security-Context": world.own}, content).status == 200
        body = observation(world.own, id=report, note=[{"text": content.decode()}])
        assert world.admin.call("PUT", f"Observation/{report}", FHIR, json.dumps(body).encode()).status == 200
    for place in f"Binary/{file}", f"Observation/{report}":
        for query in "", "?_count=1", "?_count=2", "?_count=0":
            answer = world.call("patient", "GET", f"{place}/_history{query}", {"Accept": checks.FHIR_JSON})
            assert answer.status == 200 and answer.json().get("total", 0) <= 2, answer
        assert world.call("admin", "GET", f"{place}/_history?_count=1", {"Accept": checks.FHIR_JSON}).json()["total"] == 3


def test_files_that_are_reached_through_what_is_hidden(world):
    """His own file, named by a document that he may not see: that this one names it is not told."""
    file, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.own})
    hidden = world.make(document(world.other, f"Binary/{file}"))["id"]
    shown = world.make(document(world.own, f"Binary/{file}"))["id"]
    queries = {}
    for name, target in ("hidden", hidden), ("shown", shown):
        start = world.make(document(world.own, "https://elsewhere.example/x", relatesTo=[{"code": "appends", "target": {"reference": f"DocumentReference/{target}"}}]))
        queries[name] = f"DocumentReference?_id={start['id']}&_include=DocumentReference:relatesto&_include:iterate=DocumentReference:content"
    both = queries["hidden"].replace("_id=", "_id=" + queries["shown"].split("_id=")[1].split("&")[0] + ",")
    for query, expected in (queries["hidden"], False), (queries["shown"], True), (both, True):
        answer = world.call("patient", "GET", query)
        shown_ids = [one["resource"]["id"] for one in answer.json()["entry"]]
        assert answer.status == 200 and hidden not in shown_ids, answer
        assert (file in shown_ids) == expected, (query, answer)
        assert file in world.call("full", "GET", query).text


# ---- elements ----

def test_old_versions_hide_what_the_current_one_hides(world):
    """A label that showed everything was taken away: what it showed is not shown by the versions that had it."""
    client = member(world.server, world.admin, [{"resourceType": "Patient", "criteria": "Patient?_tag=urn:test|shared"},
                                                {"resourceType": "Patient", "hiddenFields": ["telecom"]}], "labels")
    made = world.make(patient(meta=SHARED, telecom=[{"system": "phone", "value": "0815-4711"}]))
    place, body = f"Patient/{made['id']}", {name: value for name, value in made.items() if name != "meta"}
    old = f"{place}/_history/{made['meta']['versionId']}"
    assert "0815-4711" in client.get(old).text
    assert world.admin.call("PUT", place, FHIR, json.dumps(body).encode()).status == 200
    for target in place, old, f"{place}/_history", f"Patient?_id={made['id']}":
        answer = client.get(target)
        assert answer.status == 200 and made["identifier"][0]["value"] in answer.text, answer
        assert "0815-4711" not in answer.text, answer
    assert world.admin.call("PUT", place, FHIR, json.dumps({**body, "meta": SHARED}).encode()).status == 200
    assert client.get(f"{place}/_history").text.count("0815-4711") == 2, "the version between had no label"


@pytest.mark.parametrize("prefer", ["return=representation", "respond-async"])
def test_what_a_write_kept_is_not_shown_without_the_right_to_read(world, prefer):
    client = member(world.server, world.admin, [{"resourceType": "Observation", "interaction": ["create", "update", "search"],
                                                 "criteria": "Observation?_compartment=%patient", "readonlyFields": ["note"]}], "blind", patient=world.own)
    mark = identifier()
    one = world.make(observation(world.own, note=[{"text": "secret finding"}], identifier=mark))
    body = observation(world.own, id=one["id"], identifier=mark)
    headers = {**FHIR, "Prefer": prefer}
    for target in f"Observation/{one['id']}", f"Observation?identifier=urn:test|{mark[0]['value']}":
        answer = client.call("PUT", target, headers, json.dumps(body).encode())
        assert answer.status == 200 and "secret finding" not in answer.text, answer
        for kind in "batch", "transaction":
            answer = client.call("POST", "/fhir/R4", headers, bundle_of(kind, entry("PUT", target, body)))
            assert answer.status == 200 and answer.json()["entry"][0]["response"]["status"].startswith("200"), answer
            assert "secret finding" not in answer.text, answer
    assert world.call("admin", "GET", f"Observation/{one['id']}").json()["note"][0]["text"] == "secret finding"


# ---- costs ----

def test_a_context_is_looked_at_once_for_all_files_under_it(world):
    """Criteria that need the context's text: thousands of links to files under a large one cost no more than one."""
    client = member(world.server, world.admin, [{"resourceType": "Patient", "criteria": "Patient?_tag=urn:test|shared"},
                                                {"resourceType": "DocumentReference"}], "costs")
    large = world.make(patient(meta=SHARED, contact=[{"name": {"family": "x" * 20, "given": [str(number)]}} for number in range(4000)]))
    file, _ = world.admin.upload(b"x", "text/plain", {"X-Security-Context": f"Patient/{large['id']}"})
    times = []
    for count in 1, 3000:
        made = world.make(document(world.own, *[f"Binary/{file}"] * count))
        client.get(f"DocumentReference/{made['id']}?_summary=true")
        begun = time.perf_counter()
        answer = client.get(f"DocumentReference/{made['id']}")
        times.append(time.perf_counter() - begun)
        assert answer.status == 200 and answer.text.count("Signature=") == count, answer.status
    assert times[1] < times[0] * 20 + 1, times


def peak(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_transactions_do_not_hold_what_was_looked_at(world, method):
    """A hundred Binaries under one large context: each is decided by the context's text, which is not held a hundred times."""
    client = member(world.server, world.admin, [{"resourceType": "Patient", "criteria": "Patient?_tag=urn:test|shared"}], "costs")
    large = world.make(patient(meta=SHARED, contact=[{"name": {"family": "x" * 20, "given": [str(number)]}} for number in range(10000)]))
    context, ids = f"Patient/{large['id']}", [None] * 100
    if method != "POST":
        made = world.batch("admin", [entry("POST", "Binary", binary_body(b"x", context))] * 100)
        ids = [one["response"]["location"].split("Binary/")[1].split("/")[0] for one in made]
    client.get(f"Binary/{world.admin.upload(b'x', 'text/plain', {'X-Security-Context': context})[0]}")
    [pid] = world.server.children()
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as refs:
        refs.write("5")
    before = peak(pid)
    body = {"POST": lambda one: binary_body(b"x", context), "PUT": lambda one: binary_body(b"y", context, id=one), "DELETE": lambda one: None}[method]
    answer = world.call(None, "POST", "/fhir/R4", {**client.bearer, **FHIR}, bundle_of("transaction", *(
        entry(method, f"Binary/{one}" if one else "Binary", body(one)) for one in ids)))
    assert answer.status == (200 if method == "POST" else 413), answer
    assert peak(pid) - before < 250, (before, peak(pid))


# ---- the trail ----

@pytest.mark.parametrize("kind", ["Observation", "Binary"])
def test_what_a_transaction_did_not_delete_is_not_noted_as_deleted(world, kind):
    """The answer does not tell whether it was there; the trail does."""
    theirs = world.make(observation(world.other))["id"] if kind == "Observation" else world.admin.upload(b"x", "text/plain", {"X-Security-Context": world.other})[0]
    answer = world.bundle("patient", "transaction", entry("DELETE", f"{kind}/{theirs}"))
    assert answer.status == 200 and answer.json()["entry"][0]["response"]["status"] == "204", answer
    until = time.monotonic() + 10
    events = []
    while not events and time.monotonic() < until:
        found = world.call("admin", "GET", f"AuditEvent?entity={kind}/{theirs}&action=D").json()
        events = [one["resource"] for one in found.get("entry", [])]
        time.sleep(0.1)
    assert [one["outcome"] for one in events] == ["4"] and "no " + kind in events[0]["outcomeDesc"], events
