"""Resources: JSON Patch."""
import concurrent.futures

import pytest
from harness import checks
from harness.resources import create, etag, member, of_client, patch, post, put, read, shown, tree

HOMER = {"resourceType": "Patient", "active": True, "gender": "male", "birthDate": "1956-05-12",
         "name": [{"family": "Simpson", "given": ["Homer", "Jay"]}],
         "telecom": [{"system": "phone", "value": "555"}]}


@pytest.fixture
def homer(alice):
    return create(alice, HOMER)


@pytest.mark.parametrize("operations, change", [
    ([{"op": "add", "path": "/maritalStatus", "value": {"text": "M"}}], {"maritalStatus": {"text": "M"}}),
    ([{"op": "add", "path": "/name/0/given/1", "value": "J."}], {"name": [{"family": "Simpson", "given": ["Homer", "J.", "Jay"]}]}),
    ([{"op": "add", "path": "/name/0/given/-", "value": "X"}], {"name": [{"family": "Simpson", "given": ["Homer", "Jay", "X"]}]}),
    ([{"op": "replace", "path": "/gender", "value": "other"}], {"gender": "other"}),
    ([{"op": "remove", "path": "/gender"}], {"gender": None}),
    ([{"op": "remove", "path": "/name/0/given/0"}], {"name": [{"family": "Simpson", "given": ["Jay"]}]}),
    ([{"op": "move", "from": "/name/0/given/0", "path": "/name/0/given/1"}],
     {"name": [{"family": "Simpson", "given": ["Jay", "Homer"]}]}),
    ([{"op": "copy", "from": "/name/0", "path": "/name/-"}], {"name": HOMER["name"] * 2}),
    ([{"op": "test", "path": "/active", "value": True}, {"op": "replace", "path": "/active", "value": False}],
     {"active": False}),
    ([{"op": "add", "path": "/a~1b~0c", "value": 1}, {"op": "move", "from": "/a~1b~0c", "path": "/x"}], {"x": 1}),
    ([], {})])
def test_operations(alice, homer, operations, change):
    answer = patch(alice, f"Patient/{homer['id']}", operations)
    patched = shown(answer, 200)
    wanted = {name: value for name, value in {**HOMER, **change}.items() if value is not None}
    assert {name: value for name, value in patched.items() if name not in ("id", "meta")} == wanted
    assert patched["id"] == homer["id"] and patched["meta"]["versionId"] != homer["meta"]["versionId"]
    assert answer.headers["Location"].endswith(f"{homer['id']}/_history/{patched['meta']['versionId']}")
    assert read(alice, f"Patient/{homer['id']}") == patched


@pytest.mark.parametrize("operations, status, says", [
    ([{"op": "test", "path": "/gender", "value": "female"}], 422, "1"),
    ([{"op": "replace", "path": "/gender", "value": "x"}, {"op": "test", "path": "/active", "value": 1}], 422, "2"),
    ([{"op": "remove", "path": "/nothing"}], 422, "1"),
    ([{"op": "replace", "path": "/name/1", "value": {}}], 422, "1"),
    ([{"op": "add", "path": "/name/5", "value": {}}], 422, "1"),
    ([{"op": "add", "path": "/name/01", "value": {}}], None, "1"),
    ([{"op": "add", "path": "/nothing/here", "value": 1}], 422, "1"),
    ([{"op": "move", "from": "/name", "path": "/name/0"}], None, "1"),
    ([{"op": "append", "path": "/gender", "value": "x"}], 400, "1"),
    ([{"op": "add", "path": "gender", "value": "x"}], 400, "1"),
    ([{"op": "add", "path": "/gender"}], 400, "1"),
    ([{"op": "add", "value": "x"}], 400, "1"),
    ([{"path": "/gender", "value": "x"}], 400, "1"),
    ([{"op": "copy", "path": "/gender"}], 400, "1"),
    ([{"op": "add", "path": "/a~2", "value": 1}], 400, "1"),
    ({"op": "add", "path": "/gender", "value": "x"}, 400, ""), ("x", 400, ""), ([1], 400, "1"), (None, 400, ""),
    ([{"op": "remove", "path": "/resourceType"}], (400, 422), ""),
    ([{"op": "replace", "path": "/resourceType", "value": "Person"}], (400, 422), ""),
    ([{"op": "replace", "path": "/id", "value": "other"}], 422, "id"),
    ([{"op": "remove", "path": "/id"}], 422, "id"),
    ([{"op": "replace", "path": "", "value": {"resourceType": "Patient"}}], 422, "id"),
    ([{"op": "replace", "path": "", "value": 5}], (400, 422), ""),
    ([{"op": "remove", "path": ""}], (400, 422), ""),
    ([{"op": "replace", "path": "/photo", "value": 1}], (400, 422), ""),
    ([{"op": "add", "path": "/managingOrganization", "value": {"reference": 5}}], (400, 422), ""),
    ([{"op": "add", "path": "/gender", "value": None}], (400, 422), ""),
    ([{"op": "remove", "path": "/name/0/given/0"}] * 2, (400, 422), "")])
def test_refusals_change_nothing(alice, homer, operations, status, says):
    answer = patch(alice, f"Patient/{homer['id']}", operations)
    wanted = (400, 422) if status is None else status if isinstance(status, tuple) else (status,)
    issue = checks.outcome(answer, answer.status if answer.status in wanted else wanted[0])
    assert says in issue["diagnostics"], issue
    assert read(alice, f"Patient/{homer['id']}") == homer


def test_the_server_gives_meta_still(alice, homer):
    patched = shown(patch(alice, f"Patient/{homer['id']}", [
        {"op": "replace", "path": "/meta/versionId", "value": "7"},
        {"op": "replace", "path": "/meta/lastUpdated", "value": "1999-01-01T00:00:00Z"},
        {"op": "add", "path": "/meta/tag", "value": [{"code": "x"}]}]))
    assert patched["meta"]["versionId"] != "7" and patched["meta"]["lastUpdated"] > "2020"
    assert patched["meta"]["tag"] == [{"code": "x"}]
    subsetted = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    answer = patch(alice, f"Patient/{homer['id']}", [{"op": "add", "path": "/meta/tag/-", "value": subsetted}])
    assert answer.status in (400, 422), answer


def test_if_match(alice, homer):
    target, change = f"Patient/{homer['id']}", [{"op": "replace", "path": "/gender", "value": "other"}]
    second = shown(patch(alice, target, change, {"If-Match": etag(homer)}))
    checks.outcome(patch(alice, target, change, {"If-Match": etag(homer)}), 412)
    shown(patch(alice, target, change, {"If-Match": etag(second)}))
    assert alice.json(target + "/_history").json()["total"] == 3


@pytest.mark.parametrize("kind", ["application/json", "application/fhir+json", "text/plain",
                                  "application/merge-patch+json", None])
def test_other_kinds_of_patches(alice, homer, kind):
    checks.outcome(alice.call("PATCH", f"Patient/{homer['id']}", {"Content-Type": kind}, b"[]"), 415)


def test_unknown_and_deleted(alice, homer):
    checks.outcome(patch(alice, "Patient/never", []), 404)
    alice.call("DELETE", f"Patient/{homer['id']}")
    checks.outcome(patch(alice, f"Patient/{homer['id']}", []), 410)


def test_prefer_minimal(alice, homer):
    answer = patch(alice, f"Patient/{homer['id']}", [], {"Prefer": "return=minimal"})
    assert answer.status == 200 and not answer.body and "ETag" in answer.headers, answer


def test_what_is_not_touched_stays_as_it_is(alice):
    text = (b'{"resourceType":"Observation","status" : "final" ,"x":{"a":0.10,"b":[1E400,-0, 1.0e-5,12345678901234567890]},'
            b'"s":"\\u00e9\\/\\ud83d\\ude00\\t","valueQuantity":{"value":1.50}, "last": 10.00 }')
    made = shown(alice.call("POST", "Observation", {"Content-Type": checks.FHIR_JSON}, text), 201)
    target = f"Observation/{made['id']}"
    answer = alice.call("PATCH", target, {"Content-Type": "application/json-patch+json"},
                        b'[{"op":"replace","path":"/status","value":"amended"},{"op":"add","path":"/n","value": 7.70}]')
    assert answer.status == 200, answer
    kind, _, members = of_client(tree(answer.body))
    before = of_client(tree(text))[2]
    changed = [(name, '"amended"' if name == '"status"' else value) for name, value in before]
    assert kind == '"Observation"' and members == changed + [('"n"', "7.70")]
    assert of_client(tree(alice.get(target).body))[2] == members


def test_numbers_are_compared_by_value(alice):
    made = create(alice, {"resourceType": "Observation", "status": "final"})
    answer = alice.call("PATCH", f"Observation/{made['id']}", {"Content-Type": "application/json-patch+json"},
                        b'[{"op":"add","path":"/x","value":1.50},{"op":"test","path":"/x","value":15e-1}]')
    assert answer.status == 200 and member(tree(answer.body), "x") == "1.50", answer


def test_concurrent_patches_all_land(alice):
    made = create(alice, {"resourceType": "Basic", "extension": [{"url": "http://example.com/0", "valueInteger": 0}]})
    target = f"Basic/{made['id']}"

    def run(number):
        operation = {"op": "add", "path": "/extension/-", "value": {"url": f"http://example.com/{number}", "valueInteger": number}}
        for _ in range(10):
            answer = patch(alice, target, [operation])
            if answer.status == 200:
                return answer
            checks.outcome(answer, 412 if answer.status == 412 else 409)
        return answer

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(run, range(1, 17)))
    assert [answer.status for answer in answers] == [200] * 16
    assert sorted(one["valueInteger"] for one in read(alice, target)["extension"]) == list(range(17))
    assert alice.json(target + "/_history").json()["total"] == 17


# ---- attachments ----

def test_patches_see_the_stored_form_of_attachments(alice):
    binary, _ = alice.upload(b"face", "image/png")
    made = create(alice, {"resourceType": "Patient", "photo": [{"url": f"Binary/{binary}", "title": "face"}]})
    target = f"Patient/{made['id']}"
    patched = shown(patch(alice, target, [{"op": "test", "path": "/photo/0", "value": {"url": f"Binary/{binary}", "title": "face"}},
                                          {"op": "add", "path": "/photo/0/language", "value": "en"}]))
    assert patched["photo"][0]["url"].startswith(alice.server.storage_base)
    assert alice.server.request("GET", "/" + patched["photo"][0]["url"][len(alice.server.base):]).body == b"face"
    other, _ = alice.upload(b"other face", "image/png")
    patched = shown(patch(alice, target, [
        {"op": "add", "path": "/photo/-", "value": {"url": f"{alice.server.fhir_base}Binary/{other}"}},
        {"op": "move", "from": "/photo/0", "path": "/photo/1"},
        {"op": "replace", "path": "/photo/1/url", "value": made["photo"][0]["url"]}]))
    assert [one["url"].split("/")[-2] for one in patched["photo"]] == [other, binary]
    shown(patch(alice, target, [{"op": "test", "path": "/photo/0/url", "value": f"Binary/{other}"},
                                {"op": "test", "path": "/photo/1/url", "value": f"Binary/{binary}"}]))


def test_pins_survive_a_patch(alice):
    binary, first = alice.upload(b"old", "text/plain")
    alice.replace(binary, b"new", "text/plain")
    pinned = f"Binary/{binary}/_history/{first}"
    made = create(alice, {"resourceType": "Patient", "photo": [{"url": pinned}]})
    patched = shown(patch(alice, f"Patient/{made['id']}", [{"op": "test", "path": "/photo/0/url", "value": pinned},
                                                           {"op": "add", "path": "/active", "value": True}]))
    assert alice.server.request("GET", "/" + patched["photo"][0]["url"][len(alice.server.base):]).body == b"old"


def test_too_many_operations(alice, homer):
    operation = {"op": "test", "path": "/active", "value": True}
    shown(patch(alice, f"Patient/{homer['id']}", [operation] * 1000))
    checks.outcome(patch(alice, f"Patient/{homer['id']}", [operation] * 1001), 400)


def test_a_patch_that_multiplies(alice):
    """Each copy doubles it: refused long before memory is gone."""
    made = create(alice, {"resourceType": "Basic", "x": ["y" * 1000]})
    doubling = [{"op": "copy", "from": "/x", "path": "/x/-"}] * 40
    answer = patch(alice, f"Basic/{made['id']}", doubling)
    assert answer.status in (413, 422), answer
    checks.outcome(answer, answer.status)
    assert post(alice, HOMER).status == 201 and put(alice, made).status == 200
