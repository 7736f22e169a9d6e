"""Issue section 4: a member who wants what is another's. He is bound to Patient/own; the victim is Patient/other."""
import base64
import json
import statistics
import time
import uuid

import pytest
from access.wiring import FHIR, bundle_of, entry
from access.world import (SHARED, World, binary_body, identifier, media, member, membership_id, observation, patient, set_membership,
                          write_policy)
from harness import checks, signing, wire
from harness.client import Client

RAW = {"Content-Type": "text/plain"}
PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture(scope="module")
def world(postgres):
    with World(postgres) as made:
        yield made


class Victim:
    """What the patient must not get at: a Binary of the other, a report that names it, an Observation."""

    def __init__(self, world):
        self.world, self.secret = world, f"secret {uuid.uuid4()}".encode()
        self.context = world.contexts["other"]
        self.id, self.version = world.admin.upload(self.secret, "text/plain", {"X-Security-Context": self.context}, "?_filename=hidden.txt")
        self.media = world.make(media(world.other, f"Binary/{self.id}"))
        self.observation = world.make(observation(world.other, note=[{"text": "secret finding"}]))

    @property
    def words(self):
        return [self.secret.decode(), base64.b64encode(self.secret).decode(), self.version, self.media["id"], self.observation["id"],
                "secret finding", "hidden.txt", self.context.split("/")[1]]

    def unseen_in(self, answer, *asked):
        shown = answer.text + repr(answer.headers)
        for word in self.words:
            assert word in asked or word not in shown, (word, answer)

    def untouched(self):
        answer = self.world.call("admin", "GET", f"Binary/{self.id}")
        assert answer.status == 200 and answer.body == self.secret and answer.headers["X-Security-Context"] == self.context, answer
        assert answer.headers["ETag"] == f'"{self.version}"', answer
        for made in self.media, self.observation:
            now = self.world.call("admin", "GET", f"{made['resourceType']}/{made['id']}").json()
            assert now["meta"]["versionId"] == made["meta"]["versionId"], now


@pytest.fixture(scope="module")
def victim(world):
    return Victim(world)


@pytest.fixture(autouse=True)
def nothing_happened(victim):
    yield
    victim.untouched()


def by_patient(world, method, target, headers=None, body=None):
    return world.call("patient", method, target, headers, body if body is None or isinstance(body, bytes) else json.dumps(body).encode())


def own_binary(world, content=b"own", context=None):
    answer = by_patient(world, "POST", "Binary", {**RAW, "X-Security-Context": context or world.own}, content)
    return checks.created(answer, world.server.fhir_base)


# ---- Bundles ----

def test_ids_among_ones_own_in_a_batch(world, victim):
    own, version = own_binary(world)
    asked = [f"Binary/{own}", f"Binary/{victim.id}", f"Binary/{victim.id}/_history", f"Binary/{victim.id}/_history/{victim.version}",
             f"Binary/{victim.id}/$presigned-url", f"Media/{victim.media['id']}", f"Observation/{victim.observation['id']}",
             f"Observation?_id={victim.observation['id']}", f"Binary/{own}/_history/{victim.version}", f"Binary/{victim.id}/_history/{version}"]
    answer = world.bundle("patient", "batch", *[entry("GET", url) for url in asked])
    statuses = [one["response"]["status"] for one in answer.json()["entry"]]
    assert statuses == ["200"] + ["404"] * 6 + ["200", "404", "404"], statuses
    assert "entry" not in answer.json()["entry"][7]["resource"] and not answer.json()["entry"][7]["resource"].get("total")
    victim.unseen_in(answer, victim.observation["id"])  # in the self link of the search


def json_patch(operations):
    return {"resourceType": "Binary", "contentType": PATCH["Content-Type"], "data": base64.b64encode(json.dumps(operations).encode()).decode()}


ATTACKS = {  # what is asked, and the status of the same with an id that nobody used
    "replace the Binary": (lambda world, victim: entry("PUT", f"Binary/{victim.id}", binary_body(b"mine", world.own, id=victim.id)), 405),
    "delete the Binary": (lambda world, victim: entry("DELETE", f"Binary/{victim.id}"), 404),
    "take the report": (lambda world, victim: entry("PUT", f"Media/{victim.media['id']}", media(world.own, id=victim.media["id"])), 405),
    "patch the report": (lambda world, victim: entry("PATCH", f"Media/{victim.media['id']}", json_patch([{"op": "remove", "path": "/subject"}])), 404),
    "delete the report": (lambda world, victim: entry("DELETE", f"Media/{victim.media['id']}"), 404),
    "upload into it": (lambda world, victim: entry("POST", "Binary", binary_body(b"x", victim.context)), 403),
    "upload into the report": (lambda world, victim: entry("POST", "Binary", binary_body(b"x", f"Media/{victim.media['id']}")), 403),
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_writes_in_bundles(world, victim, attack):
    make, status = ATTACKS[attack]
    answer = world.bundle("patient", "batch", make(world, victim))
    made = answer.json()["entry"][0]["response"]
    assert made["status"].startswith(str(status)), answer
    victim.unseen_in(answer)
    mark = identifier()
    answer = world.bundle("patient", "transaction", entry("POST", "Observation", observation(world.own, identifier=mark)), make(world, victim))
    if make(world, victim)["request"]["method"] == "DELETE":  # of nothing: done
        assert answer.status == 200 or checks.outcome(answer, status)
    else:
        checks.outcome(answer, status)
        assert found(world, "admin", f"Observation?identifier=urn:test|{mark[0]['value']}") == [], "a refused transaction does nothing"
    victim.unseen_in(answer)


def found(world, who, query, kinds=("match", "include")):
    answer = world.call(who, "GET", query)
    assert answer.status == 200, answer
    return [one["resource"]["id"] for one in answer.json().get("entry", []) if one["search"]["mode"] in kinds]


# ---- contexts that are made in the same transaction ----

def urn():
    return f"urn:uuid:{uuid.uuid4()}"


def transaction(world, who, *entries):
    return world.bundle(who, "transaction", *entries)


def location(answer, place):
    return answer.json()["entry"][place]["response"]["location"].split("/R4/")[1].split("/_history")[0]


@pytest.mark.parametrize("first", ["context", "Binary"])
def test_context_of_the_same_transaction(world, victim, first):
    report, file = urn(), urn()
    entries = [entry("POST", "Media", media(world.own, file), report), entry("POST", "Binary", binary_body(b"scan", report), file)]
    entries = entries if first == "context" else entries[::-1]
    answer = transaction(world, "patient", *entries)
    assert answer.status == 200, answer
    places = [location(answer, 0), location(answer, 1)]
    binary, context = sorted(places)  # Binary < Media
    read = world.call("patient", "GET", binary)
    assert read.status == 200 and read.headers["X-Security-Context"] == context, read
    assert world.call("launch", "GET", binary).status == 200
    checks.outcome(world.call("shared", "GET", binary), 404)
    checks.outcome(world.call("elsewhere", "GET", binary), 404)
    checks.outcome(world.call("nobody", "GET", binary), 403)


@pytest.mark.parametrize("context", ["other's Media", "loose Media", "a Patient", "found by If-None-Exist", "itself", "another Binary",
                                     "unknown urn", "conditional", "conditional, nothing", "tagged"])
def test_contexts_of_a_transaction_let_nobody_in(world, victim, context):
    name, file = urn(), urn()
    before = world.server.sql("SELECT count(*) FROM fhir_binary.binary")[0][0]
    mark, used = identifier(), name
    others = {
        "other's Media": [entry("POST", "Media", media(world.other), name)],
        "loose Media": [entry("POST", "Media", media(), name)],
        "a Patient": [entry("POST", "Patient", patient(), name)],
        "tagged": [entry("POST", "Media", media(meta=SHARED), name)],
        "another Binary": [entry("POST", "Binary", binary_body(b"x", world.own), name)],
        "found by If-None-Exist": []}.get(context, [])
    if context == "itself":
        used = file
    elif context.startswith("conditional"):
        value = victim.media["identifier"][0]["value"] if context == "conditional" else mark[0]["value"]
        used = f"Media?identifier=urn:test|{value}"
    elif context == "found by If-None-Exist":
        others = [entry("POST", "Media", media(world.own), name, ifNoneExist=f"identifier=urn:test|{victim.media['identifier'][0]['value']}")]
    answer = transaction(world, "patient", *others, entry("POST", "Binary", binary_body(b"x", used), file))
    if context == "found by If-None-Exist":  # nothing is found, so a new one is made
        assert answer.status == 200, answer
        assert location(answer, 0) != f"Media/{victim.media['id']}"
        assert world.call("patient", "GET", location(answer, 1)).headers["X-Security-Context"] == location(answer, 0)
    else:
        assert answer.status in (400, 403, 404, 412, 422), answer
        checks.outcome(answer, answer.status)
        assert world.server.sql("SELECT count(*) FROM fhir_binary.binary")[0][0] == before
    victim.unseen_in(answer)


def test_conditional_contexts_tell_nothing(world, victim):
    """A conditional reference to what is another's is answered as one to nothing."""
    answers = []
    for value in victim.media["identifier"][0]["value"], str(uuid.uuid4()):
        answer = transaction(world, "patient", entry("POST", "Binary", binary_body(b"x", f"Media?identifier=urn:test|{value}")))
        answers.append((answer.status, answer.text.replace(value, "<>")))
    assert answers[0] == answers[1], answers


def test_a_context_that_is_deleted_or_moved_in_the_same_transaction(world, victim):
    for change in "DELETE", "PUT":
        report = world.make(media(world.own))
        place = f"Media/{report['id']}"
        step = entry("DELETE", place) if change == "DELETE" else entry("PUT", place, media(world.other, id=report["id"]))
        answer = transaction(world, "patient", step, entry("POST", "Binary", binary_body(b"x", place)))
        if change == "PUT":
            checks.outcome(answer, 403)
        elif answer.status == 200:  # then it is as under any deleted context
            checks.outcome(world.call("patient", "GET", location(answer, 1)), 404)
            checks.outcome(world.call("full", "GET", location(answer, 1)), 404)


def test_a_context_that_becomes_ones_own_within_a_transaction_is_judged_as_it_was(world, victim):
    """full may move anything; in one transaction with it the patient may not. Each entry is judged for who sends it."""
    answer = transaction(world, "patient", entry("PUT", f"Media/{victim.media['id']}", media(world.own, id=victim.media["id"])),
                         entry("POST", "Binary", binary_body(b"x", f"Media/{victim.media['id']}")))
    assert answer.status >= 400, answer
    checks.outcome(answer, answer.status)
    victim.unseen_in(answer, victim.media["id"])


# ---- contexts that are written oddly ----

ODD = ["Patient/{id}/_history/1", "{base}Patient/{id}", "{base}Patient/{id}/_history/1", "{base}/Patient/{id}", "http://127.0.0.1:1/fhir/R4/Patient/{id}",
       "HTTP{rest}Patient/{id}", "{base}Patient/{id}/", "{base}Patient/{id}?x=y", "{base}Patient/{id}#x", "Patient/{id}#x", "Patient/{id}?_format=json",
       "/Patient/{id}", "./Patient/{id}", "../R4/Patient/{id}", "Patient//{id}", "Patient/./{id}", "Patient/x/../{id}", "patient/{id}", "Patient/{id} ",
       "Patient%2F{id}", "#contained", "#Patient/{id}", "urn:uuid:{id}", "urn:oid:1.2.3", "Patient?_id={id}", "Patient/{id}|1", "Patient/{id},Patient/{own}",
       "Patient/{own},Patient/{id}", "{base}Patient/{own}/Patient/{id}", "http://{host}@elsewhere.example/fhir/R4/Patient/{id}", "AccessPolicy/{id}",
       "ProjectMembership/{id}", "Binary/{id}"]


@pytest.mark.parametrize("form", ODD)
def test_odd_contexts(world, victim, form):
    """What is stored with such a context by an administrator is no more accessible than the patient that it seems to name; and nobody
    stores under another's by writing it differently."""
    base = world.server.fhir_base
    names = {"base": base, "rest": base[4:], "host": base.split("/")[2], "own": world.own.split("/")[1], "id": world.other.split("/")[1]}
    others, own = form.format(**names), form.format(**{**names, "id": names["own"]})
    answers = [by_patient(world, "POST", "Binary", {**RAW, "X-Security-Context": others}, b"x"),
               by_patient(world, "POST", "Binary", FHIR, binary_body(b"x", others))]
    for answer in answers:
        assert answer.status in (400, 403, 422), answer
        checks.outcome(answer, answer.status)
    mine = by_patient(world, "POST", "Binary", {**RAW, "X-Security-Context": own}, b"mine")
    assert mine.status in (201, 400, 403, 422), mine
    if mine.status == 201:
        assert world.call("patient", "GET", "Binary/" + mine.json()["id"]).status == 200
    stored = world.call("admin", "POST", "Binary", {**RAW, "X-Security-Context": others}, b"theirs")
    if stored.status == 201:
        for method in "GET", "HEAD", "DELETE":
            answer = by_patient(world, method, "Binary/" + stored.json()["id"])
            assert answer.status == 404, answer
    else:
        assert stored.status in (400, 422), stored


def test_contexts_of_administration(world, victim):
    """A Binary under an AccessPolicy or a ProjectMembership is for administrators: "*" does not reach those."""
    policy = write_policy(world.admin, [{"resourceType": "Basic"}])
    for context in policy, f"ProjectMembership/{membership_id(world.server, world.clients['full'])}":
        stored = world.call("admin", "POST", "Binary", {**RAW, "X-Security-Context": context}, b"x")
        if stored.status == 201:
            assert world.call("admin", "GET", "Binary/" + stored.json()["id"]).status == 200
            checks.outcome(world.call("full", "GET", "Binary/" + stored.json()["id"]), 404)
        checks.outcome(world.call("full", "POST", "Binary", {**RAW, "X-Security-Context": context}, b"x"), 403)


# ---- raw form, JSON form, both ----

def test_header_and_body_disagree(world, victim):
    own, _ = own_binary(world)
    for method, place in ("POST", "Binary"), ("PUT", f"Binary/{own}"):
        for first, second in (world.own, victim.context), (victim.context, world.own), (victim.context, None), (None, victim.context):
            body = binary_body(b"x", second, **({"id": own} if method == "PUT" else {}))
            answer = by_patient(world, method, place, {**FHIR, **({"X-Security-Context": first} if first else {})}, body)
            assert answer.status in (400, 403, 422), (first, second, answer)
            checks.outcome(answer, answer.status)
    assert world.call("admin", "GET", f"Binary/{own}").headers["X-Security-Context"] == world.own


def test_forms_of_the_same_theft(world, victim):
    """Replacing, by every content type that might be taken for a resource or for a file."""
    body = json.dumps(binary_body(b"mine", world.own, id=victim.id)).encode()
    xml = (f'<Binary xmlns="http://hl7.org/fhir"><id value="{victim.id}"/><contentType value="text/plain"/><securityContext><reference '
           f'value="{world.own}"/></securityContext><data value="bWluZQ=="/></Binary>').encode()
    for kind, text in (("application/fhir+json", body), ("application/json", body), ("application/fhir+xml", xml), ("text/plain", b"mine"),
                       ("application/octet-stream", body), ("application/fhir+json", b"{"), ("application/fhir+json", b"")):
        for more in {}, {"X-Security-Context": world.own}, {"If-Match": f'W/"{victim.version}"'}, {"If-None-Match": "*"}, {"If-Match": '"x"'}:
            answer = by_patient(world, "PUT", f"Binary/{victim.id}", {"Content-Type": kind, **more}, text)
            unknown = by_patient(world, "PUT", f"Binary/{uuid.uuid4()}", {"Content-Type": kind, **more}, text)
            assert answer.status >= 400 and (answer.status, message(answer)) == (unknown.status, message(unknown)), (kind, more, answer, unknown)
            victim.unseen_in(answer)


def message(answer):
    return [one["diagnostics"] for one in answer.json()["issue"]]


@pytest.mark.parametrize("target", ["Binary/{id}", "Binary/{own}"])
def test_patch_of_a_binary(world, victim, target):
    own, version = own_binary(world)
    operations = [{"op": "replace", "path": "/securityContext/reference", "value": world.own if "{id}" in target else victim.context}]
    place = target.format(id=victim.id, own=own)
    answers = [by_patient(world, "PATCH", place, PATCH, operations)]
    for kind in "batch", "transaction":
        answers.append(world.bundle("patient", kind, entry("PATCH", place, json_patch(operations))))
    for answer in answers:
        status = int(answer.json()["entry"][0]["response"]["status"][:3]) if answer.status == 200 else answer.status
        assert status >= 400, answer
        victim.unseen_in(answer)
    assert version in world.call("admin", "GET", f"Binary/{own}").headers["ETag"]


# ---- searches ----

@pytest.mark.parametrize("query", [
    "Observation", "Observation?_count=1000", "Observation?_id={observation}", "Observation?_id={observation},x", "Observation?subject={other}",
    "Observation?patient={other}", "Observation?subject:Patient={id}", "Observation?code:not=nothing", "Observation?subject:missing=false",
    "Observation?_lastUpdated=ge2000", "Observation?_compartment={other}", "Observation?_compartment={own},{other}", "Observation?_sort=date",
    "Observation?_sort=-_lastUpdated&_total=accurate", "Observation?_summary=count", "Observation?_count=0", "Observation?identifier={value}",
    "Observation?identifier:not=urn:test|x&_total=accurate", "Observation?subject.name=x", "Observation?_elements=note",
    "Observation?status=final&_offset=0&_count=500", "Media?_id={media}&_include=Media:content", "Patient", "Patient?_id={id}",
    "Patient?_revinclude=Observation:subject", "Patient?_revinclude=Media:subject&_include:iterate=Media:content",
    "Patient?_id={id}&_revinclude=Observation:subject", "Patient?_has:Observation:subject:status=final"])
def test_searches_show_what_is_ones_own(world, victim, query):
    names = {"observation": victim.observation["id"], "other": world.other, "own": world.own, "id": world.other.split("/")[1],
             "media": victim.media["id"], "value": "urn:test|" + victim.observation["identifier"][0]["value"]}
    asked = query.format(**names)
    answer = world.call("patient", "GET", asked)
    assert answer.status in (200, 400), answer
    victim.unseen_in(answer, *[word for word in victim.words if word in asked])
    if answer.status == 200 and "total" in answer.json():
        all_own = found(world, "patient", asked.replace("_summary=count", "").replace("_count=0", "_count=1000"), ("match",))
        assert answer.json()["total"] == len(all_own), answer


def test_pages_of_others(world, victim):
    """The cursor of an administrator is no key; pages of the patient hold only what is his."""
    for _ in range(3):
        world.make(observation(world.own))
        world.make(observation(world.other, note=[{"text": "secret finding"}]))
    page = world.call("admin", "GET", "Observation?_count=2").json()
    following = [one["url"] for one in page["link"] if one["relation"] == "next"][0][len(world.server.fhir_base):]
    answer = world.call("patient", "GET", following)
    victim.unseen_in(answer)
    assert "secret finding" not in answer.text
    seen, target = [], "Observation?_count=1"
    while target:
        page = world.call("patient", "GET", target)
        assert page.status == 200 and "secret finding" not in page.text, page
        seen += [one["resource"]["id"] for one in page.json().get("entry", [])]
        following = [one["url"] for one in page.json()["link"] if one["relation"] == "next"]
        target = following[0][len(world.server.fhir_base):] if following else None
    assert len(seen) == len(set(seen)) >= 3


def test_includes_do_not_go_through_what_is_hidden(world, victim):
    """own -> other's -> own: neither is the middle shown, nor what is found through it alone."""
    hidden = world.make(observation(world.other, note=[{"text": "secret finding"}], identifier=identifier()))
    start = world.make(observation(world.own, derivedFrom=[{"reference": f"Observation/{hidden['id']}"}]))
    end = world.make(observation(world.own, derivedFrom=[{"reference": f"Observation/{hidden['id']}"}]))
    reached = world.make(observation(world.own))
    bridge = world.make(observation(world.other, derivedFrom=[{"reference": f"Observation/{reached['id']}"}]))
    near = world.make(observation(world.own, derivedFrom=[{"reference": f"Observation/{bridge['id']}"}]))
    query = f"Observation?_id={near['id']}&_include=Observation:derived-from&_include:iterate=Observation:derived-from"
    assert set(found(world, "full", query)) == {near["id"], bridge["id"], reached["id"]}
    assert found(world, "patient", query) == [near["id"]], "what the hidden one refers to tells what stands in it"
    for query in (f"Observation?_id={start['id']}&_include=Observation:derived-from&_include=Observation:subject",
                  f"Observation?_id={start['id']}&_include=Observation:derived-from&_include:iterate=Observation:subject",
                  f"Observation?_id={start['id']}&_include=*", f"Observation?_id={start['id']}&_include=Observation:derived-from&_revinclude:iterate=Observation:derived-from"):
        answer = world.call("patient", "GET", query)
        assert answer.status == 200, answer
        shown = [one["resource"]["id"] for one in answer.json()["entry"]]
        assert hidden["id"] not in shown and end["id"] not in shown and world.other.split("/")[1] not in shown, query
        assert "secret finding" not in answer.text
    assert found(world, "patient", f"Observation?_id={hidden['id']}&_revinclude=Observation:derived-from") == []
    shown = found(world, "full", f"Observation?_id={start['id']}&_include=Observation:derived-from&_revinclude:iterate=Observation:derived-from")
    assert {start["id"], hidden["id"], end["id"]} <= set(shown)


# ---- conditions ----

def test_the_same_identifier_at_both(world, victim):
    """What is the other's does not exist in conditions: neither does it match, nor does it make a match ambiguous."""
    mark = identifier()
    query = f"identifier=urn:test|{mark[0]['value']}"
    other = world.make(observation(world.other, identifier=mark))
    made = by_patient(world, "POST", "Observation", {**FHIR, "If-None-Exist": query}, observation(world.own, identifier=mark))
    assert made.status == 201, made
    identity = made.json()["id"]
    again = by_patient(world, "POST", "Observation", {**FHIR, "If-None-Exist": query}, observation(world.own, identifier=mark))
    assert again.status == 200 and again.json()["id"] == identity, again
    body = observation(world.own, identifier=mark, language="tlh")
    answer = by_patient(world, "PUT", f"Observation?{query}", FHIR, body)
    assert answer.status == 200 and answer.json()["id"] == identity, answer
    answer = by_patient(world, "PATCH", f"Observation?{query}", PATCH, [{"op": "remove", "path": "/language"}])
    assert answer.status == 200 and answer.json()["id"] == identity, answer
    assert by_patient(world, "DELETE", f"Observation?{query}").status in (200, 204)
    checks.outcome(world.call("admin", "GET", f"Observation/{identity}"), 410)
    left = world.call("admin", "GET", f"Observation/{other['id']}").json()
    assert left["meta"]["versionId"] == other["meta"]["versionId"]
    for answer in (by_patient(world, "DELETE", f"Observation?{query}"), by_patient(world, "PATCH", f"Observation?{query}", PATCH, [])):
        assert answer.status in (204, 404, 412, 200), answer
    assert world.call("admin", "GET", f"Observation/{other['id']}").status == 200


def test_references_in_transactions_do_not_probe(world, victim):
    """Conditional references of a transaction find only what the sender may find."""
    answers = []
    for value in victim.media["identifier"][0]["value"], str(uuid.uuid4()):
        answer = transaction(world, "patient", entry("POST", "Observation", observation(
            world.own, derivedFrom=[{"reference": f"Media?identifier=urn:test|{value}"}])))
        answers.append((answer.status, answer.text.replace(value, "<>")))
        victim.unseen_in(answer)
    assert answers[0][0] >= 400 and answers[0] == answers[1], answers


# ---- time ----

@pytest.mark.parametrize("method, kind, suffix", [
    ("HEAD", "Binary", ""), ("GET", "Binary", ""), ("GET", "Binary", "/_history"), ("GET", "Binary", "/$presigned-url"), ("PUT", "Binary", ""),
    ("DELETE", "Binary", ""), ("GET", "Observation", ""), ("HEAD", "Observation", ""), ("DELETE", "Observation", "")])
def test_not_there_and_not_yours_take_the_same_time(world, victim, method, kind, suffix):
    """Medians of many interleaved requests; the bound is generous, as tests run on busy machines."""
    body = b"x" if method == "PUT" else None
    known, unknown = [], []
    for _ in range(150):
        for place, times in (victim.id if kind == "Binary" else victim.observation["id"], known), (str(uuid.uuid4()), unknown):
            begun = time.perf_counter()
            answer = world.call("patient", method, f"{kind}/{place}{suffix}", RAW if body else None, body)
            times.append(time.perf_counter() - begun)
            assert answer.status in (404, 405), answer
    first, second = statistics.median(known), statistics.median(unknown)
    assert abs(first - second) < 0.5 * min(first, second) + 0.0005, (first, second)


def test_the_same_text(world, victim):
    known = world.call("patient", "GET", f"Binary/{victim.id}")
    unknown = world.call("patient", "GET", f"Binary/{uuid.uuid4()}")
    assert message(known) == message(unknown) == ["There is no Binary with this id."]


# ---- attachments ----

@pytest.mark.parametrize("form", ["Binary/{id}", "Binary/{id}/_history/{version}", "{base}fhir/R4/Binary/{id}", "{base}storage/{id}/{version}",
                                  "{base}storage/{id}/{version}?Expires=1&Key-Pair-Id=x&Membership=x&Signature=x"])
def test_a_report_that_names_anothers_file(world, victim, form):
    url = form.format(id=victim.id, version=victim.version, base=world.server.base)
    answer = by_patient(world, "POST", "Media", {**FHIR, "Prefer": "return=representation"}, media(world.own, url))
    assert answer.status in (201, 400, 403), answer
    assert "Signature=" not in answer.text.replace("Signature=x", "") and "size" not in answer.text and "text/plain" not in answer.text, answer
    if answer.status != 201:
        return
    place = f"Media/{answer.json()['id']}"
    for seen in (world.call("patient", "GET", place), world.call("patient", "GET", f"Media?_id={answer.json()['id']}&_include=Media:content"),
                 world.call("patient", "GET", place + "/_history"), world.call("launch", "GET", place),
                 by_patient(world, "PATCH", place, PATCH, [{"op": "add", "path": "/language", "value": "en"}])):
        assert seen.status == 200 and "Signature=" not in seen.text.replace("Signature=x", ""), seen
        assert '"size"' not in seen.text and '"contentType"' not in seen.text and '"title"' not in seen.text and '"hash"' not in seen.text, seen
        assert victim.secret.decode() not in seen.text and '"resourceType":"Binary"' not in seen.text.replace(" ", "")
    for who in "patient", "launch":
        checks.outcome(world.call(who, "GET", f"Binary/{victim.id}"), 404)
    shown = world.call("admin", "GET", place).json()
    if shown["content"]["url"].startswith(world.server.storage_base):
        assert world.call(None, "GET", shown["content"]["url"][len(world.server.base) - 1:]).status == 200


def test_a_filled_in_attachment_is_not_stored(world, victim):
    """What an administrator reads and writes back does not show the file's particulars to the patient."""
    report = world.make(media(world.own, f"Binary/{victim.id}"))
    shown = world.call("admin", "GET", f"Media/{report['id']}").json()
    assert shown["content"]["url"].startswith(world.server.storage_base)
    seen = world.call("patient", "GET", f"Media/{report['id']}").json()
    assert seen["content"] == {"url": f"Binary/{victim.id}"}, seen


# ---- signed URLs ----

def leaver(world, **more):
    return member(world.server, world.admin, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient"}], "leaver",
                  patient=world.own, **more)


def signed(client, identity, upload=False):
    return client.signed(identity, upload)


def use(server, url, upload=False):
    if upload:
        return server.request("PUT", url, RAW, b"own")
    return server.request("GET", url)


ENDS = {"client disabled": lambda world, client, identity: world.server.cli.run("client", "disable", client.id),
        "membership disabled": lambda world, client, identity: world.server.cli.run("membership", "disable", membership_id(world.server, client)),
        "membership inactive": lambda world, client, identity: set_membership(world.admin, membership_id(world.server, client), active=False),
        "membership deleted": lambda world, client, identity: world.remove(f"ProjectMembership/{membership_id(world.server, client)}"),
        "Binary deleted": lambda world, client, identity: world.remove(f"Binary/{identity}"),
        "key revoked": lambda world, client, identity: None}


@pytest.mark.parametrize("end", list(ENDS))
def test_signed_urls_end(world, victim, end):
    client = leaver(world)
    identity, _ = own_binary(world)
    urls = [(signed(client, identity), False), (signed(client, identity, True), True)]
    assert use(world.server, urls[0][0]).status == 200
    if end == "key revoked":
        world.server.cli.run("key", "revoke", dict(signing.url_parts(urls[0][0])[2])["Key-Pair-Id"])
    else:
        ENDS[end](world, client, identity)
    for url, upload in urls:
        answer = use(world.server, url, upload)
        assert answer.status in (401, 403, 404, 409, 410, 412), (end, answer)
        checks.outcome(answer, answer.status)
    assert world.server.request("HEAD", urls[0][0]).status >= 400
    if "Binary" not in end:
        assert world.call("admin", "GET", f"Binary/{identity}").body == b"own"


def test_signed_urls_outlive_the_membership_by_the_switch(start):
    server = start(processes=1, directives={"FhirBinarySignedURLsEndWithMembership": "off"})
    one = server.project("on leave")
    other = Client(server, one.project_id, server.cli.client_create(one.project_id, "stays"))
    identity, _ = one.upload(b"x", "text/plain")
    url = one.signed(identity)
    server.cli.run("client", "disable", one.id)
    assert server.request("GET", url).body == b"x"
    checks.outcome(server.request("GET", url[:-4] + "AAAA"), 403)
    assert other.call("DELETE", f"Binary/{identity}").status == 204
    assert server.request("GET", url).status in (404, 410)
    second, _ = other.upload(b"y", "text/plain")
    signed_by_other = other.signed(second)
    server.cli.run("key", "revoke", dict(signing.url_parts(signed_by_other)[2])["Key-Pair-Id"])
    checks.outcome(server.request("GET", signed_by_other), 403)


def test_a_signed_url_is_for_one_binary_and_method(world, victim):
    own, _ = own_binary(world)
    url = signed(world.clients["patient"], own)
    identity, version, pairs = signing.url_parts(url)
    for changed in (url.replace(identity, victim.id), url.replace(version, victim.version),
                    url.replace(identity, victim.id).replace(version, victim.version)):
        checks.outcome(world.server.request("GET", changed), 403)
    checks.outcome(world.server.request("PUT", url, RAW, b"x"), 403)
    upload = signed(world.clients["patient"], own, True)
    checks.outcome(world.server.request("GET", upload), 403)
    answer = world.server.request("PUT", upload, {**RAW, "X-Security-Context": victim.context}, b"moved")
    assert answer.status >= 400 or world.call("admin", "GET", f"Binary/{own}").headers["X-Security-Context"] == world.own, answer


def test_the_store_is_no_way_in(world, victim):
    """Storage URLs need a signature, whoever asks."""
    for who in "patient", "full", "admin", None:
        answer = world.call(who, "GET", f"/storage/{victim.id}/{victim.version}")
        checks.outcome(answer, 401)
        victim.unseen_in(answer)


@pytest.mark.parametrize("form", ["Binary/{id}/", "Binary//{id}", "Binary/./{id}", "Binary/x/../{id}", "Binary/%2e/{id}", "Binary/{id}%00", "Binary/{id}%20", "binary/{id}",
                                  "Binary/{id}?_format=json", "Binary/{id}?_summary=true", "Binary/{id}?_elements=securityContext", "Binary/{id}?_format=text/plain",
                                  "Binary/{id}?Signature=x", "Binary/{id}/_history/{version}/", "Binary/{id}/_history?_count=0", "Binary/{id}/_history?_since=2000",
                                  "Binary/_history/{version}", "Binary/{id}/$everything", "Binary/{id}/$presigned-url?upload=1", "/fhir/R4//Binary/{id}",
                                  "/fhir/R4/Binary/{id};x", "Binary/{upper}", "Patient/{id}", "Media/{id}"])
def test_other_ways_to_write_the_address(world, victim, form):
    asked = form.format(id=victim.id, version=victim.version, upper=victim.id.upper())
    for method in "GET", "HEAD", "POST":
        answer = world.call("patient", method, asked)
        assert answer.status in (400, 403, 404, 405, 415), answer
        victim.unseen_in(answer, victim.id)


def test_refused_uploads_are_not_read(world, victim):
    """No `100 Continue` for what will be refused."""
    for method, place, context in (("PUT", f"Binary/{victim.id}", world.own), ("PUT", f"Binary/{victim.id}", None), ("POST", "Binary", victim.context),
                                   ("POST", "Binary", world.contexts["missing"]), ("POST", "Binary", None)):
        fields = {**world.headers["patient"], "Host": "x", "Content-Type": "text/plain", "Content-Length": "100000000", "Expect": "100-continue"}
        if context:
            fields["X-Security-Context"] = context
        with world.server.connect() as wired:
            wired.send(wire.head(method, f"/fhir/R4/{place}", list(fields.items())))
            answer = wired.response()
        assert answer.interim == [] and answer.status in (403, 405), answer
        victim.unseen_in(answer, victim.context.split("/")[1])


CHANGES = {"the Binary is moved": lambda world, client, identity, report: world.call(
               "admin", "PUT", f"Binary/{identity}", {**RAW, "X-Security-Context": world.other}, b"moved"),
           "the report is moved": lambda world, client, identity, report: world.call(
               "admin", "PUT", f"Media/{report['id']}", FHIR, json.dumps(media(world.other, id=report["id"])).encode()),
           "the report is deleted": lambda world, client, identity, report: world.call("admin", "DELETE", f"Media/{report['id']}"),
           "the policy is withdrawn": lambda world, client, identity, report: set_membership(
               world.admin, membership_id(world.server, client), access=None),
           "the client is disabled": lambda world, client, identity, report: world.server.cli.run("client", "disable", client.id)}


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("change", list(CHANGES))
def test_rights_that_end_while_an_upload_runs(world, victim, change, method):
    """What is stored in the end is what its sender may store then: an upload may take hours."""
    client = member(world.server, world.admin, [{"resourceType": "Media", "criteria": "Media?_compartment=%patient"}], "slow", patient=world.own)
    report = world.make(media(world.own))
    identity, _ = world.admin.upload(b"first", "text/plain", {"X-Security-Context": f"Media/{report['id']}"})
    before = world.server.sql("SELECT count(*) FROM fhir_binary.binary")
    fields = {**client.bearer, "Host": "x", "Content-Type": "text/plain", "Content-Length": "4", "Expect": "100-continue"}
    if method == "POST":
        fields["X-Security-Context"] = f"Media/{report['id']}"
    with world.server.connect() as wired:
        wired.send(wire.head(method, f"/fhir/R4/Binary/{identity}" if method == "PUT" else "/fhir/R4/Binary", list(fields.items())))
        wired.socket.settimeout(20)
        assert wired.file.readline().startswith(b"HTTP/1.1 100")
        assert wired.file.readline() == b"\r\n"
        CHANGES[change](world, client, identity, report)
        wired.send(b"late")
        answer = wired.response()
    if method == "POST" and change == "the Binary is moved":
        assert answer.status == 201, "that was another one"
        return
    assert answer.status >= 400, answer
    checks.outcome(answer, answer.status)
    assert world.call("admin", "GET", f"Binary/{identity}").body in (b"first", b"moved")
    assert world.server.sql("SELECT count(*) FROM fhir_binary.binary") == before


# ---- switches ----

def small_world(server):
    """(administrator, own Patient, other Patient, client that may read Patient/own only)"""
    admin = server.project("small")
    own, other = ("Patient/" + admin.call("POST", "Patient", FHIR, json.dumps(patient()).encode()).json()["id"] for _ in range(2))
    reader = member(server, admin, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "readonly": True}], "reader", patient=own)
    return admin, own, other, reader


def test_creating_under_a_context_that_may_be_read(start):
    for value, status in ("read", 201), ("update", 403):
        server = start(processes=1, directives={"FhirBinaryCreateUnderContext": value})
        admin, own, other, reader = small_world(server)
        answers = [reader.call("POST", "Binary", {**RAW, "X-Security-Context": own}, b"x"),
                   reader.call("POST", "Binary", FHIR, json.dumps(binary_body(b"x", own)).encode())]
        bundle = reader.call("POST", "/fhir/R4", FHIR, bundle_of("transaction", entry("POST", "Binary", binary_body(b"x", own))))
        assert [answer.status for answer in answers] == [status] * 2, answers
        assert bundle.status == (200 if status == 201 else 403), bundle
        for context in other, f"Patient/{uuid.uuid4()}", None:
            answer = reader.call("POST", "Binary", {**RAW, **({"X-Security-Context": context} if context else {})}, b"x")
            checks.outcome(answer, 403)
        if status == 201:
            identity = answers[0].json()["id"]
            assert reader.get(f"Binary/{identity}").body == b"x"
            for answer in (reader.call("PUT", f"Binary/{identity}", RAW, b"y"), reader.call("DELETE", f"Binary/{identity}"),
                           reader.get(f"Binary/{identity}/$presigned-url?upload=true")):
                checks.outcome(answer, 403)
            assert admin.get(f"Binary/{identity}").body == b"x"


def test_chosen_ids(start):
    """Update-as-create: a taken id is not to be had, whoever asks, and nothing is told of what is there."""
    server = start(processes=1, directives={"FhirBinaryUpdateCreate": "on"})
    admin, own, other, _ = small_world(server)
    writer = member(server, admin, [{"resourceType": kind, "criteria": f"{kind}?_compartment=%patient"} for kind in ("Patient", "Observation")],
                    "writer", patient=own)
    for identity, context in ("theirs", other), ("nothings", None):
        headers = {**RAW, **({"X-Security-Context": context} if context else {})}
        assert admin.call("PUT", f"Binary/{identity}", headers, b"secret").status == 201
    assert admin.call("PUT", "Observation/theirs", FHIR, json.dumps(observation(other, id="theirs")).encode()).status == 201
    assert writer.call("PUT", "Binary/new", {**RAW, "X-Security-Context": own}, b"x").status == 201
    assert writer.get("Binary/new").body == b"x"
    checks.outcome(writer.call("PUT", "Binary/newer", RAW, b"x"), 403 if writer.call("PUT", "Binary/newer", RAW, b"x").status == 403 else 404)
    for identity in "theirs", "nothings":
        for headers, body in (({**RAW, "X-Security-Context": own}, b"x"), (RAW, b"x"), ({**RAW, "X-Security-Context": other}, b"x"),
                              (FHIR, json.dumps(binary_body(b"x", own, id=identity)).encode()), ({**RAW, "If-None-Match": "*"}, b"x")):
            answer = writer.call("PUT", f"Binary/{identity}", headers, body)
            assert answer.status in (403, 404, 409, 412), answer
            checks.outcome(answer, answer.status)
            assert "ETag" not in answer.headers and other not in answer.text
        answer = writer.call("POST", "/fhir/R4", FHIR, bundle_of("transaction", entry("PUT", f"Binary/{identity}", binary_body(b"x", own, id=identity))))
        assert answer.status in (403, 404, 409), answer
        assert admin.get(f"Binary/{identity}").body == b"secret"
    answer = writer.call("PUT", "Observation/theirs", FHIR, json.dumps(observation(own, id="theirs")).encode())
    assert answer.status in (403, 404, 409), answer
    assert writer.call("PUT", "Observation/fresh", FHIR, json.dumps(observation(own, id="fresh")).encode()).status == 201
    answer = writer.call("PUT", "Observation/fresher", FHIR, json.dumps(observation(other, id="fresher")).encode())
    assert answer.status in (403, 404) and admin.get("Observation/fresher").status == 404, answer
    # A deleted context is not revived by whoever comes first.
    assert admin.call("PUT", "Observation/gone", FHIR, json.dumps(observation(other, id="gone")).encode()).status == 201
    assert admin.call("PUT", "Binary/under-gone", {**RAW, "X-Security-Context": "Observation/gone"}, b"secret").status == 201
    assert admin.call("DELETE", "Observation/gone").status == 204
    answer = writer.call("PUT", "Observation/gone", FHIR, json.dumps(observation(own, id="gone")).encode())
    assert answer.status in (403, 404, 405, 409), answer
    checks.outcome(writer.get("Binary/under-gone"), 404)


def test_no_binary_without_a_context(start):
    server = start(processes=1, directives={"FhirBinaryRequireSecurityContext": "on"})
    admin, own, _, _ = small_world(server)
    writer = member(server, admin, [{"resourceType": "*"}], "writer")
    for client in admin, writer:
        answers = [client.call("POST", "Binary", RAW, b"x"), client.call("POST", "Binary", FHIR, json.dumps(binary_body(b"x")).encode()),
                   client.call("POST", "/fhir/R4", FHIR, bundle_of("transaction", entry("POST", "Binary", binary_body(b"x"))))]
        identity, _ = client.upload(b"x", "text/plain", {"X-Security-Context": own})
        answers.append(client.call("PUT", f"Binary/{identity}", FHIR, json.dumps(binary_body(b"x", id=identity)).encode()))
        for answer in answers:
            issue = checks.outcome(answer, 422)
            assert "X-Security-Context" in issue["diagnostics"], issue
        assert client.call("PUT", f"Binary/{identity}", RAW, b"y").status == 200


# ---- what is listed ----

def test_binaries_without_a_context_are_listed_for_administrators(world, victim):
    bare, _ = world.admin.upload(b"bare", "text/plain")
    answer = world.call("admin", "GET", "Binary?security-context:missing=true&_count=1000")
    assert answer.status == 200, answer
    listed = [one["resource"]["id"] for one in answer.json()["entry"]]
    assert bare in listed and victim.id not in listed
    for who in "full", "patient", "readonly", "nobody", "disabled", "launch", "binary-r":
        refusal = world.call(who, "GET", "Binary?security-context:missing=true")
        checks.outcome(refusal, 403)
        assert bare not in refusal.text
    other = world.call("elsewhere", "GET", "Binary?security-context:missing=true")
    assert other.status == 200 and bare not in other.text


@pytest.mark.parametrize("kind", ["AccessPolicy", "ProjectMembership", "AuditEvent"])
def test_administration_is_for_administrators(world, victim, kind):
    """No entry for "*", and none for the type either, lets a member at them: not to read, to find, to write."""
    named = member(world.server, world.admin, [{"resourceType": "*"}, {"resourceType": "Patient"}], "greedy")
    policy = write_policy(world.admin, [{"resourceType": "Basic"}])
    identity = {"AccessPolicy": policy.split("/")[1], "ProjectMembership": membership_id(world.server, named), "AuditEvent": str(uuid.uuid4())}[kind]
    body = json.dumps({"resourceType": kind, "id": identity, "name": "x"}).encode()
    world.headers["greedy"] = named.bearer
    for who in "greedy", "full", "patient", "readonly", "nobody", "launch-w":
        answers = [world.call(who, "GET", f"{kind}/{identity}"), world.call(who, "HEAD", f"{kind}/{identity}"), world.call(who, "GET", kind),
                   world.call(who, "GET", f"{kind}?_id={identity}"), world.call(who, "GET", f"{kind}/{identity}/_history")]
        if kind != "AuditEvent":
            answers += [world.call(who, "POST", kind, FHIR, body), world.call(who, "PUT", f"{kind}/{identity}", FHIR, body),
                        world.call(who, "PATCH", f"{kind}/{identity}", PATCH, b"[]"), world.call(who, "DELETE", f"{kind}/{identity}"),
                        world.call(who, "PUT", f"{kind}?_id={identity}", FHIR, body), world.call(who, "DELETE", f"{kind}?_id={identity}"),
                        world.call(who, "POST", kind + "/_search", {"Content-Type": "application/x-www-form-urlencoded"}, b"")]
        for answer in answers:
            assert answer.status in (403, 404), (who, answer)
            if answer.request.split()[0] != "HEAD":
                checks.outcome(answer, answer.status)
                assert identity not in answer.text
        for method in ("GET", "DELETE", "PUT"):
            made = entry(method, f"{kind}/{identity}", json.loads(body) if method == "PUT" else None)
            answer = world.bundle(who, "batch", made)
            assert answer.status == 403 or answer.json()["entry"][0]["response"]["status"][:3] in ("403", "404", "405"), answer
    assert world.call("admin", "GET", f"{kind}?_count=1").status == 200
    if kind != "AuditEvent":
        assert world.call("admin", "GET", f"{kind}/{identity}").status == 200
        assert identity not in world.call("elsewhere", "GET", kind).text
        checks.outcome(world.call("elsewhere", "GET", f"{kind}/{identity}"), 404)
        assert world.call("elsewhere", "DELETE", f"{kind}/{identity}").status in (204, 404)
        assert world.call("admin", "GET", f"{kind}/{identity}").status == 200


def test_the_audit_trail_is_not_written_over_rest(world, victim):
    event = json.dumps({"resourceType": "AuditEvent", "id": "x"}).encode()
    for method, place in ("POST", "AuditEvent"), ("PUT", "AuditEvent/x"), ("DELETE", "AuditEvent/x"), ("PATCH", "AuditEvent/x"):
        headers = PATCH if method == "PATCH" else FHIR
        checks.outcome(world.call("admin", method, place, headers, b"[]" if method == "PATCH" else None if method == "DELETE" else event), 405)
    answer = world.bundle("admin", "batch", entry("POST", "AuditEvent", {"resourceType": "AuditEvent"}))
    assert answer.json()["entry"][0]["response"]["status"].startswith("405"), answer
    answer = world.bundle("admin", "transaction", entry("POST", "AuditEvent", {"resourceType": "AuditEvent"}))
    assert answer.status in (400, 405), answer


def test_a_member_without_policy_may_read_metadata_alone(world, victim):
    assert world.call("nobody", "GET", "metadata").status == 200
    for method, place in ("GET", "Patient"), ("GET", "Binary/x"), ("GET", world.own), ("POST", "Binary"), ("GET", "Binary/x/$presigned-url"):
        checks.outcome(world.call("nobody", method, place, RAW if method == "POST" else None, b"x" if method == "POST" else None), 403)
    answer = world.bundle("nobody", "batch", entry("GET", world.own), entry("POST", "Basic", {"resourceType": "Basic", "code": {"text": "x"}}))
    assert answer.status == 403 or [one["response"]["status"][:3] for one in answer.json()["entry"]] == ["403", "403"], answer
