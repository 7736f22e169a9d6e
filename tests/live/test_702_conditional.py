"""Resources: conditional create and update."""
import concurrent.futures
import threading
import uuid

import pytest
from harness import checks, httpd
from harness.resources import create, entries, etag, find, ids, post, put, read, shown

SYSTEM = "https://hospital.example/patients"


def patient(value, **more):
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def condition(value):
    return f"identifier={SYSTEM}|{value}"


@pytest.fixture
def value():
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def homer(postgres):
    with httpd.Server(postgres, directives={"FhirBinaryUpdateCreate": "On"}, processes=1) as running:
        yield running.project("ids of clients")


# ---- If-None-Exist ----

def test_none_matches_then_one_does(alice, value):
    answer = post(alice, patient(value), {"If-None-Exist": condition(value)})
    made = shown(answer, 201)
    again = post(alice, patient(value, active=False), {"If-None-Exist": condition(value)})
    assert shown(again, 200) == made
    assert again.headers["Location"] == answer.headers["Location"]
    assert alice.json(f"Patient/{made['id']}/_history").json()["total"] == 1
    assert ids(find(alice, "Patient?" + condition(value))) == [made["id"]]


@pytest.mark.parametrize("form", ["{}", "?{}", "Patient?{}"])
def test_forms_of_the_condition(alice, value, form):
    made = create(alice, patient(value))
    for text in condition(value), f"identifier=https%3A%2F%2Fhospital.example%2Fpatients%7C{value}":
        assert shown(post(alice, patient(value), {"If-None-Exist": form.format(text)}), 200) == made


def test_several_match(alice, value):
    create(alice, patient(value)), create(alice, patient(value))
    checks.outcome(post(alice, patient(value), {"If-None-Exist": condition(value)}), 412)
    checks.outcome(put(alice, patient(value), target=f"Patient?{condition(value)}"), 412)
    assert len(ids(find(alice, "Patient?" + condition(value)))) == 2


@pytest.mark.parametrize("text", ["", "?", "nonsense=1", "identifier", "_count=1", "_include=Patient:organization",
                                  "birthdate=x", "name:nonsense=x", "identifier=|"])
def test_conditions_that_are_none(alice, value, text):
    """What is ignored in a search would find, and overwrite, anything here."""
    before = find(alice, "Patient?_summary=count")["total"]
    checks.outcome(post(alice, patient(value), {"If-None-Exist": text}), 400)
    checks.outcome(put(alice, patient(value), target=f"Patient?{text}"), 400)
    assert find(alice, "Patient?_summary=count")["total"] == before


def test_put_without_condition(alice, value):
    checks.outcome(put(alice, patient(value), target="Patient"), 400)


def test_deleted_and_foreign_ones_do_not_count(alice, bob, value):
    create(bob, patient(value))
    first = create(alice, patient(value))
    assert alice.call("DELETE", f"Patient/{first['id']}").status == 204
    second = shown(post(alice, patient(value), {"If-None-Exist": condition(value)}), 201)
    assert second["id"] != first["id"]


def test_twenty_clients_race(alice, value):
    start = threading.Barrier(20)

    def run(number):
        start.wait()
        return post(alice, patient(value, multipleBirthInteger=number), {"If-None-Exist": condition(value)})

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(run, range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201], answers
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(ids(find(alice, "Patient?" + condition(value)))) == 1


def test_a_create_by_status_text(alice, value):
    """Any search will do as the condition, :missing and dates too."""
    made = create(alice, patient(value, birthDate="1956-05-12"))
    for text in f"{condition(value)}&birthdate=1956", f"{condition(value)}&gender:missing=true", f"_id={made['id']}":
        assert shown(post(alice, patient(value), {"If-None-Exist": text}), 200) == made
    assert shown(post(alice, patient(value), {"If-None-Exist": f"{condition(value)}&birthdate=1957"}), 201)


# ---- conditional update ----

def test_update_by_condition(alice, value):
    first = shown(put(alice, patient(value), target=f"Patient?{condition(value)}"), 201)
    second = shown(put(alice, patient(value, active=True), target=f"Patient?{condition(value)}"), 200)
    assert second["id"] == first["id"] and second["active"] is True
    assert second["meta"]["versionId"] != first["meta"]["versionId"]
    third = shown(put(alice, {**second, "active": False}, target=f"Patient?{condition(value)}"), 200)
    assert third["id"] == first["id"] and read(alice, f"Patient/{first['id']}") == third


def test_with_another_id_in_the_body(alice, value):
    first = create(alice, patient(value))
    issue = checks.outcome(put(alice, patient(value, id="other"), target=f"Patient?{condition(value)}"), 400)
    assert "id" in issue["diagnostics"]
    assert read(alice, f"Patient/{first['id']}") == first


def test_an_id_that_nobody_has(alice, homer, value):
    """The server gives ids itself, unless update as create is on."""
    chosen = "chosen-" + value[:8]
    body = patient(value, id=chosen)
    assert shown(put(alice, body, target=f"Patient?{condition(value)}"), 201)["id"] != chosen
    assert shown(put(homer, body, target=f"Patient?{condition(value)}"), 201)["id"] == chosen
    assert shown(put(homer, body, target=f"Patient?{condition(value)}"), 200)["id"] == chosen


def test_prefer_minimal(alice, value):
    answer = put(alice, patient(value), {"Prefer": "return=minimal"}, target=f"Patient?{condition(value)}")
    assert answer.status == 201 and not answer.body and "Location" in answer.headers, answer


def test_updates_by_condition_race(alice, value):
    """None of them makes a second one, and each that was told so made a version."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: put(alice, patient(value, multipleBirthInteger=number),
                                                   target=f"Patient?{condition(value)}"), range(10)))
    good = [answer for answer in answers if answer.status in (200, 201)]
    for answer in answers:
        if answer not in good:
            assert answer.status in (409, 412), answer
    assert [answer.status for answer in answers].count(201) == 1
    [found] = entries(find(alice, "Patient?" + condition(value)))
    history = alice.json(f"Patient/{found['id']}/_history?_count=100").json()
    assert history["total"] == len(good)
    written = {answer.json()["meta"]["versionId"] for answer in good}
    assert written == {entry["resource"]["meta"]["versionId"] for entry in history["entry"]}
    assert etag(found) in {answer.headers["ETag"] for answer in good}
