"""What applications written against other FHIR servers depend on: shapes, names and status codes, written down here."""
import json
import uuid

import pytest
from harness import checks
from harness.resources import create, find, ids, patch, post, put, read, shown

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


# ---- who am I ----

def test_a_client_without_a_profile_is_its_own(alice, server):
    itself = f"ClientApplication/{alice.id}"
    assert alice.token_request().json()["profile"] == {"reference": itself}
    me = server.request("GET", "/auth/me", alice.bearer).json()
    assert me["membership"]["profile"] == {"reference": itself}
    assert f"{me['profile']['resourceType']}/{me['profile']['id']}" == itself
