"""What applications written against other FHIR servers depend on: shapes, names and status codes, written down here."""
import json
import uuid

import pytest
from harness import checks
from harness.resources import create, entries, find, ids, link, patch, post, put, read, relative, shown

SDK = {"X-Medplum": "extended"}
SYSTEM = "https://hospital.example/patients"


@pytest.fixture
def value():
    return uuid.uuid4().hex


def patient(value, **more):
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def told(answer, status, identity, text):
    """An OperationOutcome with the id that SDK helpers look at, and details.text for those that show nothing else."""
    assert answer.status == status, answer
    body = answer.json()
    assert (body["resourceType"], body.get("id")) == ("OperationOutcome", identity), answer
    assert body["issue"][0]["details"] == {"text": text}, answer
    return body["issue"][0]


# ---- errors ----

def test_outcomes_have_an_id_and_a_text(alice, server):
    made = create(alice, {"resourceType": "Patient"})
    told(alice.get(f"Patient/{uuid.uuid4()}"), 404, "not-found", "Not found")
    told(alice.get(f"Binary/{uuid.uuid4()}"), 404, "not-found", "Not found")
    told(server.request("GET", "/fhir/R4/Patient"), 401, "unauthorized", "Unauthorized")
    told(put(alice, made, {"If-Match": f'W/"{uuid.uuid4()}"'}), 412, "precondition-failed", "Precondition Failed")
    told(post(alice, {"resourceType": "Patient", "name": []}), 400, None, "Invalid content")
    assert alice.call("DELETE", f"Patient/{made['id']}").status == 204
    told(alice.get(f"Patient/{made['id']}"), 410, "gone", "Gone")


def test_outcomes_of_batch_entries(alice):
    bundle = {"resourceType": "Bundle", "type": "batch",
              "entry": [{"request": {"method": "GET", "url": f"Patient/{uuid.uuid4()}"}}]}
    answer = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON, **SDK}, json.dumps(bundle).encode())
    response = answer.json()["entry"][0]["response"]
    assert (response["status"], response["outcome"]["id"]) == ("404", "not-found"), answer
    assert response["outcome"]["issue"][0]["details"]["text"] == "Not found"


def test_each_entry_tells_the_sdk_how_it_went(alice, value):
    """isOk(entry.response.outcome) of every entry."""
    made = create(alice, patient(value))
    for kind in "batch", "transaction":
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [
            {"request": {"method": "GET", "url": "metadata"}},
            {"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}},
            {"request": {"method": "DELETE", "url": f"Patient/{made['id']}"}}]}
        answer = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON, **SDK}, json.dumps(bundle).encode())
        told_so = [(entry["response"]["status"], entry["response"]["outcome"]["id"]) for entry in answer.json()["entry"]]
        assert told_so == [("200", "ok"), ("201", "created"), ("200", "ok")], answer
        plain = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(bundle).encode())
        assert not any("outcome" in entry["response"] for entry in plain.json()["entry"]), plain


# ---- history ----

@pytest.mark.parametrize("kind", ["Patient", "Binary"])
def test_history_by_offset(alice, kind):
    """readHistory(..., { count, offset }); without a count the SDK's users expect up to 100 versions."""
    resource = {"resourceType": "Patient"} if kind == "Patient" else {"resourceType": "Binary", "contentType": "text/plain"}
    made = post(alice, resource).json()
    for number in range(24):
        resource = {**resource, "id": made["id"], "language": f"x-{number}"}
        assert put(alice, resource).status == 200
    target = f"{kind}/{made['id']}/_history"

    def versions(query, headers=None):
        bundle = alice.json(target + query, headers).json()
        assert bundle["total"] == 25, bundle
        return [entry["resource"]["meta"]["versionId"] for entry in bundle.get("entry", [])]
    whole = versions("", SDK)
    assert len(whole) == 25 and len(set(whole)) == 25
    assert versions("") == whole[:20]
    assert versions("?_count=5&_offset=7") == whole[7:12]
    assert versions("?_offset=24") == whole[24:]
    assert versions("?_count=3&_offset=0") == whole[:3]
    assert versions("?_offset=25") == versions("?_offset=26") == versions("?_offset=99999") == []
    checks.outcome(alice.get(target + "?_offset=x"), 400)


# ---- delete ----

@pytest.mark.parametrize("what", [{"resourceType": "Patient"}, {"resourceType": "Binary", "contentType": "text/plain"}])
def test_the_sdk_is_told_what_a_delete_did(alice, what):
    """isOk(await medplum.deleteResource(...)) needs an OperationOutcome with id ok."""
    kind = what["resourceType"]
    identity = post(alice, what).json()["id"]
    issue = told(alice.call("DELETE", f"{kind}/{identity}", SDK), 200, "ok", "All OK")
    assert (issue["severity"], issue["code"]) == ("information", "informational")
    told(alice.call("DELETE", f"{kind}/{identity}", SDK), 200, "ok", "All OK")
    told(alice.call("DELETE", f"{kind}/{identity}", {"Prefer": "return=OperationOutcome"}), 200, "ok", "All OK")
    for headers in {}, {**SDK, "Prefer": "return=minimal"}:
        answer = alice.call("DELETE", f"{kind}/{identity}", headers)
        assert answer.status == 204 and answer.body == b"", answer
    told(alice.call("DELETE", f"{kind}/{uuid.uuid4()}", SDK), 404, "not-found", "Not found")


# ---- conditional delete and patch ----

def test_delete_by_condition(alice, bob, value):
    mine, his = create(alice, patient(value)), create(bob, patient(value))
    target = f"Patient?identifier={SYSTEM}|{value}"
    told(alice.call("DELETE", target, SDK), 200, "ok", "All OK")
    checks.outcome(alice.get(f"Patient/{mine['id']}"), 410)
    assert read(bob, f"Patient/{his['id']}") == his
    # Nothing matches any more: that is what was asked for.
    assert alice.call("DELETE", target).status == 204
    told(alice.call("DELETE", target, SDK), 200, "ok", "All OK")


def test_delete_never_guesses(alice, value):
    made = [create(alice, patient(value)) for _ in range(2)]
    checks.outcome(alice.call("DELETE", f"Patient?identifier={SYSTEM}|{value}"), 412)
    for query in "", "?", "?nonsense=1", f"?identifier={SYSTEM}|{value}&nonsense=1", "?_count=1", "?identifier=":
        checks.outcome(alice.call("DELETE", "Patient" + query), 400)
    assert sorted(ids(find(alice, f"Patient?identifier={SYSTEM}|{value}"))) == sorted(one["id"] for one in made)
    checks.outcome(alice.call("DELETE", f"Patient?_id={made[0]['id']}", {"If-Match": 'W/"1"'}), 412)
    assert read(alice, f"Patient/{made[0]['id']}") == made[0]


def test_patch_by_condition(alice, value):
    made = create(alice, patient(value))
    target = f"Patient?identifier={SYSTEM}|{value}"
    change = [{"op": "add", "path": "/gender", "value": "male"}]
    patched = shown(patch(alice, target, change))
    assert patched["id"] == made["id"] and patched["gender"] == "male"
    assert patched["meta"]["versionId"] != made["meta"]["versionId"]
    told(patch(alice, f"Patient?identifier={SYSTEM}|{value}x", change), 404, "not-found", "Not found")
    checks.outcome(patch(alice, "Patient", change), 400)
    create(alice, patient(value))
    checks.outcome(patch(alice, target, change), 412)
    assert read(alice, f"Patient/{made['id']}") == patched


def test_conditions_in_a_batch(alice, value):
    made = create(alice, patient(value))
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "DELETE", "url": f"Patient?identifier={SYSTEM}|{value}"}},
        {"request": {"method": "DELETE", "url": f"Patient?identifier={SYSTEM}|{value}"}}]}
    answer = alice.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(bundle).encode())
    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["204", "204"], answer
    checks.outcome(alice.get(f"Patient/{made['id']}"), 410)


# ---- search ----

def test_the_sdk_gets_matches_alone(alice, value):
    """searchResources gives every entry to the application, searchOne the first: no OperationOutcome may be there."""
    made = create(alice, patient(value))
    mine = f"identifier={SYSTEM}|{value}"
    bundle = find(alice, f"Patient?{mine}&_sort=nonsense&name=", SDK)
    assert [entry["resource"] for entry in bundle["entry"]] == [made]
    bundle = find(alice, f"Patient?{mine}x&_sort=nonsense", SDK)
    assert "entry" not in bundle
    for query in f"{mine}&nonsense=1", f"{mine}&_has:Observation:patient:code=1", f"{mine}&_include=Patient:nonsense":
        issue = checks.outcome(alice.get("Patient?" + query, SDK), 400)
        assert "nsense" in issue["diagnostics"] or "_has" in issue["diagnostics"], issue
        lenient = find(alice, "Patient?" + query, {**SDK, "Prefer": "handling=lenient"})
        assert [entry["search"]["mode"] for entry in lenient["entry"]] == ["match", "outcome"]
        assert [entry["search"]["mode"] for entry in find(alice, "Patient?" + query)["entry"]] == ["match", "outcome"]


# ---- sort ----

@pytest.fixture(scope="module")
def sorted_ones(server):
    """(client, names by id): two have the same family name, one neither name nor birth date."""
    client = server.project("sorted")
    people = {"anna": ("Zeta", "1980-01-01", "female"), "ben": ("alpha", "1975-05", "male"),
              "cora": ("Zeta", "1990-12-31", "female"), "dan": ("Mu", "1975-06-01", None), "eve": (None, None, "other")}
    names = {}
    for name, (family, born, gender) in people.items():
        resource = {"resourceType": "Patient", "active": True, "identifier": [{"value": name}]}
        resource |= {"name": [{"family": family, "given": [name]}]} if family else {}
        resource |= {"birthDate": born} if born else {}
        resource |= {"gender": gender} if gender else {}
        names[create(client, resource)["id"]] = name
    return client, names


@pytest.mark.parametrize("sort, expected", [
    ("family", "ben dan cora anna eve"), ("-family", "cora anna dan ben eve"), ("family,birthdate", "ben dan anna cora eve"),
    ("birthdate", "ben dan anna cora eve"), ("-birthdate", "cora anna dan ben eve"), ("gender,-given", "cora anna ben eve dan"),
    ("name", "ben anna cora dan eve"), ("_lastUpdated,name", "anna ben cora dan eve"), ("-_lastUpdated", "eve dan cora ben anna"),
    ("identifier", "anna ben cora dan eve"), ("-identifier", "eve dan cora ben anna")])
@pytest.mark.parametrize("narrowed", ["", "identifier=anna,ben,cora,dan,eve&", "active=true&"])
def test_sort(sorted_ones, sort, expected, narrowed):
    """Applications show lists in the order that they ask for."""
    client, names = sorted_ones
    found = find(client, f"Patient?{narrowed}_sort={sort}")
    assert " ".join(names[identity] for identity in ids(found)) == expected
    assert not entries(found, "outcome") and found["total"] == 5


def test_sorted_by_id(sorted_ones):
    client, names = sorted_ones
    assert ids(find(client, "Patient?_sort=_id")) == sorted(names)
    assert ids(find(client, "Patient?_sort=-_id")) == sorted(names, reverse=True)


@pytest.mark.parametrize("sort", ["family", "-birthdate", "gender,family"])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_pages_of_a_sorted_search(sorted_ones, sort, count):
    client, _ = sorted_ones
    whole = ids(find(client, f"Patient?_sort={sort}"))
    page, seen = find(client, f"Patient?active=true&_sort={sort}&_count={count}&_total=accurate"), []
    while page:
        assert page["total"] == 5 and len(ids(page)) <= count
        seen += ids(page)
        following = link(page, "next")
        page = find(client, relative(client, following)) if following else None
    assert seen == whole
    assert ids(find(client, f"Patient?_sort={sort}&_count=2&_offset=2")) == whole[2:4]
    checks.outcome(client.get(f"Patient?_sort={sort}&_cursor=nonsense"), 400)
    checks.outcome(client.get(f"Patient?_sort={sort}&_cursor=-1"), 400)


# ---- who am I ----

def test_a_client_without_a_profile_is_its_own(alice, server):
    itself = f"ClientApplication/{alice.id}"
    assert alice.token_request().json()["profile"] == {"reference": itself}
    me = server.request("GET", "/auth/me", alice.bearer).json()
    assert me["membership"]["profile"] == {"reference": itself}
    assert f"{me['profile']['resourceType']}/{me['profile']['id']}" == itself
