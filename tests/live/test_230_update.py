"""Issue section 6: update, delete, undelete, versions, history, security context."""
import base64
import concurrent.futures
import json
import re

import pytest
from harness import checks, content


def put_json(client, identity, resource, headers=None):
    return client.call("PUT", f"Binary/{identity}", {"Content-Type": checks.FHIR_JSON, **(headers or {})},
                       json.dumps(resource).encode())


# ---- update ----

def test_raw_update_makes_a_version(alice):
    identity, first = alice.upload(b"one", "text/plain")
    answer = alice.call("PUT", f"Binary/{identity}", {"Content-Type": "image/png"}, content.png())
    _, second = checks.created(answer, alice.server.fhir_base, 200)
    made = checks.binary(answer)
    assert made["contentType"] == "image/png" and "data" not in made
    assert second != first
    assert alice.get(f"Binary/{identity}").body == content.png()
    old = alice.get(f"Binary/{identity}/_history/{first}")
    assert old.body == b"one" and old.headers["Content-Type"] == "text/plain", old


def test_same_bytes_again_make_a_version_too(alice):
    identity, first = alice.upload(b"same", "text/plain")
    _, second = alice.replace(identity, b"same", "text/plain")
    assert first != second
    assert alice.get(f"Binary/{identity}/_history/{first}").body == b"same"


def test_resource_update(alice):
    identity, _ = alice.upload(b"one", "text/plain")
    answer = put_json(alice, identity, {"resourceType": "Binary", "id": identity, "contentType": "text/css",
                                        "data": base64.b64encode(b"two").decode()})
    assert answer.status == 200, answer
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == b"two" and raw.headers["Content-Type"] == "text/css", raw


def test_resource_update_without_data_keeps_the_bytes(alice):
    identity, first = alice.upload(b"kept", "text/plain")
    answer = put_json(alice, identity, {"resourceType": "Binary", "id": identity, "contentType": "text/markdown",
                                        "securityContext": {"reference": "Patient/2"}})
    assert answer.status == 200, answer
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == b"kept" and raw.headers["Content-Type"] == "text/markdown", raw
    assert raw.headers["X-Security-Context"] == "Patient/2", raw
    assert alice.get(f"Binary/{identity}/_history/{first}").headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("change", [{"id": "other"}, {"id": None}, {"id": ""}, {"id": 5}])
def test_resource_update_with_a_wrong_id(alice, change):
    identity, _ = alice.upload(b"x", "text/plain")
    body = {"resourceType": "Binary", "id": identity, "contentType": "text/plain", **change}
    checks.outcome(put_json(alice, identity, {k: v for k, v in body.items() if v is not None}), 400)


def test_unknown_id_is_405(alice):
    answer = alice.call("PUT", "Binary/never-seen", {"Content-Type": "text/plain"}, b"x")
    checks.outcome(answer, 405)
    assert alice.get("Binary/never-seen").status == 404


@pytest.mark.parametrize("identity", ["a_b", "x" * 65, "a%20b", "%C3%BC", "a%00b", "$x"])
def test_malformed_id_is_400_on_put_and_404_on_get(alice, identity):
    answer = alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"x")
    checks.outcome(answer, 404 if "%00" in identity and answer.status == 404 else 400)
    answer = alice.get(f"Binary/{identity}")
    checks.outcome(answer, 400 if "%00" in identity and answer.status == 400 else 404)


def test_update_as_create(start):
    server = start(directives={"FhirBinaryUpdateCreate": "On"}, processes=1)
    who, other = server.project("ids"), server.project("other ids")
    answer = who.call("PUT", "Binary/client-id.1", {"Content-Type": "text/plain"}, b"mine")
    identity, _ = checks.created(answer, server.fhir_base)
    assert identity == "client-id.1" and who.get("Binary/client-id.1").body == b"mine"
    answer = who.call("PUT", "Binary/client-id.1", {"Content-Type": "text/plain"}, b"again")
    assert answer.status == 200, answer
    answer = other.call("PUT", "Binary/client-id.1", {"Content-Type": "text/plain"}, b"theirs")
    assert answer.status == 201, answer  # ids belong to their project
    assert who.get("Binary/client-id.1").body == b"again"
    answer = put_json(who, "res.1", {"resourceType": "Binary", "id": "res.1", "contentType": "text/plain"})
    assert answer.status == 201, answer
    # If-Match of something that does not exist
    answer = who.call("PUT", "Binary/fresh", {"Content-Type": "text/plain", "If-Match": 'W/"1"'}, b"x")
    assert answer.status in (404, 412), answer
    scope = who.new_token("system/Binary.u")
    answer = server.request("PUT", "/fhir/R4/Binary/fresh2", {"Authorization": f"Bearer {scope}",
                                                             "Content-Type": "text/plain"}, b"x")
    assert answer.status == 201, answer  # SMART: u covers update-as-create
    capability = who.json("metadata").json()
    [rest] = capability["rest"]
    [binary] = [entry for entry in rest["resource"] if entry["type"] == "Binary"]
    assert binary["updateCreate"] is True


# ---- If-Match ----

def test_if_match(alice):
    identity, first = alice.upload(b"one", "text/plain")
    text = {"Content-Type": "text/plain"}
    for tag in ('W/"other"', '"other"'):
        checks.outcome(alice.call("PUT", f"Binary/{identity}", {**text, "If-Match": tag}, b"no"), 412)
        checks.outcome(alice.call("DELETE", f"Binary/{identity}", {"If-Match": tag}), 412)
    answer = alice.call("PUT", f"Binary/{identity}", {**text, "If-Match": f'W/"{first}"'}, b"two")
    assert answer.status == 200, answer
    _, second = checks.created(answer, alice.server.fhir_base, 200)
    checks.outcome(alice.call("PUT", f"Binary/{identity}", {**text, "If-Match": f'W/"{first}"'}, b"late"), 412)
    answer = alice.call("PUT", f"Binary/{identity}", {**text, "If-Match": f'"{second}"'}, b"three")
    assert answer.status == 200, answer
    _, third = checks.created(answer, alice.server.fhir_base, 200)
    assert alice.call("PUT", f"Binary/{identity}", {**text, "If-Match": "*"}, b"four").status == 200
    checks.outcome(alice.call("DELETE", f"Binary/{identity}", {"If-Match": f'"{third}"'}), 412)
    fourth = alice.get(f"Binary/{identity}").headers["ETag"]
    assert alice.call("DELETE", f"Binary/{identity}", {"If-Match": fourth}).status == 204


@pytest.mark.parametrize("tag", ['"unclosed', "W/", '"a" "b"', "", "a b"])
def test_malformed_if_match(alice, tag):
    identity, _ = alice.upload(b"one", "text/plain")
    answer = alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain", "If-Match": tag}, b"x")
    checks.outcome(answer, 400)
    checks.outcome(alice.call("DELETE", f"Binary/{identity}", {"If-Match": tag}), 400)
    assert alice.get(f"Binary/{identity}").body == b"one"


def test_if_match_is_refused_before_the_body(alice, server):
    """412 comes before 100 Continue."""
    from harness import wire
    identity, _ = alice.upload(b"one", "text/plain")
    with server.connect() as wired:
        wired.send(wire.head("PUT", f"/fhir/R4/Binary/{identity}", [
            ("Host", "x"), ("Content-Type", "text/plain"), ("Content-Length", "1000000"), ("If-Match", '"other"'),
            ("Expect", "100-continue"), ("Authorization", "Bearer " + alice.token)]))
        answer = wired.response()
    assert answer.interim == []
    checks.outcome(answer, 412)


def test_one_of_many_version_aware_updates_wins(alice):
    identity, first = alice.upload(b"start", "text/plain")

    def put(number):
        return alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain", "If-Match": f'W/"{first}"'},
                          b"%d" % number)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(put, range(24)))
    winners = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winners) == 1, [answer.status for answer in answers]
    assert all(answer.status == 412 for number, answer in enumerate(answers) if number not in winners)
    assert alice.get(f"Binary/{identity}").body == b"%d" % winners[0]


def test_concurrent_updates_make_one_version_each(alice):
    identity, _ = alice.upload(b"start", "text/plain")
    bodies = [b"%d" % number * 1000 for number in range(20)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda body: alice.replace(identity, body, "text/plain")[1], bodies))
    assert len(set(made)) == 20
    for version, body in zip(made, bodies):
        assert alice.get(f"Binary/{identity}/_history/{version}").body == body
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 21


# ---- delete ----

def test_delete_and_undelete(alice):
    identity, first = alice.upload(b"one", "text/plain", {"X-Security-Context": "Patient/1"})
    answer = alice.call("DELETE", f"Binary/{identity}")
    assert answer.status == 204 and answer.body == b"", answer
    for headers in ({}, {"Accept": checks.FHIR_JSON}):
        checks.outcome(alice.get(f"Binary/{identity}", headers), 410, "deleted")
    assert alice.call("DELETE", f"Binary/{identity}").status == 204
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 2  # the second delete changes nothing
    assert alice.get(f"Binary/{identity}/_history/{first}").body == b"one"
    checks.outcome(alice.get(f"Binary/{identity}/$presigned-url"), 410)

    answer = alice.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"back")
    assert answer.status in (200, 201), answer
    assert alice.get(f"Binary/{identity}").body == b"back"
    history = alice.json(f"Binary/{identity}/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["PUT", "DELETE", "POST"]


def test_deleted_version_is_410(alice):
    identity, _ = alice.upload(b"one")
    alice.call("DELETE", f"Binary/{identity}")
    tombstone = alice.json(f"Binary/{identity}/_history").json()["entry"][0]
    version = re.search(r'"?([\w-]{36})"?$', tombstone["response"]["etag"].strip('"')).group(1)
    checks.outcome(alice.get(f"Binary/{identity}/_history/{version}"), 410)


def test_delete_of_the_unknown(alice):
    checks.outcome(alice.call("DELETE", "Binary/never-seen"), 404)
    checks.outcome(alice.call("DELETE", "Binary/a_b"), 404)


def test_undelete_in_resource_form(alice):
    identity, _ = alice.upload(b"one")
    alice.call("DELETE", f"Binary/{identity}")
    answer = put_json(alice, identity, {"resourceType": "Binary", "id": identity, "contentType": "text/plain"})
    assert answer.status in (200, 201), answer
    assert "no content" in checks.outcome(alice.get(f"Binary/{identity}"), 404)["diagnostics"].lower()


# ---- versions and history ----

def test_vread_of_the_unknown(alice):
    identity, _ = alice.upload(b"one")
    other, version = alice.upload(b"two")
    for vid in ("unknown", "3e6b9c2a-0000-4000-8000-000000000001", version, "x" * 70, "%00"):
        answer = alice.get(f"Binary/{identity}/_history/{vid}")
        assert answer.status in ((404, 400) if vid == "%00" else (404,)), answer
        checks.outcome(answer, answer.status)


def test_history_bundle(alice):
    identity, first = alice.upload(b"one", "text/plain")
    _, second = alice.replace(identity, b"two", "image/gif")
    alice.call("DELETE", f"Binary/{identity}")
    answer = alice.get(f"Binary/{identity}/_history")
    assert answer.status == 200 and checks.media_type(answer) == checks.FHIR_JSON, answer
    bundle = answer.json()
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == "history" and bundle["total"] == 3
    assert any(link["relation"] == "self" for link in bundle["link"])
    deleted, updated, made = bundle["entry"]
    for entry in bundle["entry"]:
        assert entry["fullUrl"] == f"{alice.server.fhir_base}Binary/{identity}", entry
        assert entry["response"]["status"] and entry["response"]["lastModified"] and entry["response"]["etag"], entry
    assert "resource" not in deleted and deleted["request"] == {"method": "DELETE", "url": f"Binary/{identity}"}
    assert updated["request"]["method"] == "PUT" and made["request"]["method"] == "POST"
    assert updated["resource"]["meta"]["versionId"] == second and made["resource"]["meta"]["versionId"] == first
    assert updated["resource"]["contentType"] == "image/gif"
    assert "data" not in updated["resource"]
    xml = alice.get(f"Binary/{identity}/_history", {"Accept": checks.FHIR_XML})
    assert checks.media_type(xml) == checks.FHIR_XML and b"<Bundle" in xml.body


def test_history_paging(alice):
    identity, first = alice.upload(b"0", "text/plain")
    versions = [first] + [alice.replace(identity, b"%d" % n, "text/plain")[1] for n in range(1, 8)]
    target, seen, pages = f"Binary/{identity}/_history?_count=3", [], 0
    while target:
        bundle = alice.json(target).json()
        assert bundle["total"] == 8 and len(bundle["entry"]) <= 3, bundle
        seen += [entry["resource"]["meta"]["versionId"] for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        target = links["next"][len(alice.server.fhir_base):] if "next" in links else None
        pages += 1
        assert pages < 9
    assert seen == versions[::-1] and pages == 3
    empty = alice.json(f"Binary/{identity}/_history?_count=0").json()
    assert empty["total"] == 8 and not empty.get("entry"), empty
    for count in ("-1", "x", "99999999999999999999", "1.5"):
        answer = alice.get(f"Binary/{identity}/_history?_count={count}")
        checks.outcome(answer, 400)
    assert len(alice.json(f"Binary/{identity}/_history?_count=5000").json()["entry"]) == 8
    checks.outcome(alice.get("Binary/never-seen/_history"), 404)


# ---- security context ----

@pytest.mark.parametrize("reference", ["Patient/1", "DocumentReference/abc-1.x", "Patient/1/_history/2"])
def test_security_context_of_raw_writes(alice, reference):
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "X-Security-Context": reference}, b"x")
    identity, version = checks.created(answer, alice.server.fhir_base)
    assert answer.json()["securityContext"] == {"reference": reference}
    assert alice.get(f"Binary/{identity}").headers["X-Security-Context"] == reference
    assert checks.binary(alice.json(f"Binary/{identity}"))["securityContext"]["reference"] == reference
    # a raw PUT without the header keeps it, one with the header replaces it; old versions stay as they were
    alice.replace(identity, b"y", "text/plain")
    assert alice.get(f"Binary/{identity}").headers["X-Security-Context"] == reference
    alice.replace(identity, b"z", "text/plain", {"X-Security-Context": "Patient/99"})
    assert alice.get(f"Binary/{identity}").headers["X-Security-Context"] == "Patient/99"
    assert alice.get(f"Binary/{identity}/_history/{version}").headers["X-Security-Context"] == reference


@pytest.mark.parametrize("reference", ["", "Patient", "Patient/", "/1", "Nonsense/1", "patient/1", "Patient/a_b",
                                       "javascript:alert(1)", "Patient/1/2", "Patient/" + "x" * 65, "Patient/1 Patient/2",
                                       "Patient/1, Patient/2", "Patient?name=x"])
def test_malformed_security_context(alice, reference):
    answer = alice.call("POST", "Binary", {"Content-Type": "text/plain", "X-Security-Context": reference}, b"x")
    checks.outcome(answer, 400)
    if reference:
        answer = alice.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, json.dumps(
            {"resourceType": "Binary", "contentType": "text/plain",
             "securityContext": {"reference": reference}}).encode())
        checks.outcome(answer, 400)


def test_two_security_contexts(alice):
    answer = alice.call("POST", "Binary", [("Content-Type", "text/plain"), ("X-Security-Context", "Patient/1"),
                                           ("X-Security-Context", "Patient/2")], b"x")
    checks.outcome(answer, 400)


def test_resource_update_says_all(alice):
    """A resource PUT is the whole truth: without securityContext there is none afterwards."""
    identity, _ = alice.upload(b"x", "text/plain", {"X-Security-Context": "Patient/1"})
    answer = put_json(alice, identity, {"resourceType": "Binary", "id": identity, "contentType": "text/plain"})
    assert answer.status == 200, answer
    assert "X-Security-Context" not in alice.get(f"Binary/{identity}").headers


def test_require_security_context(start):
    server = start(directives={"FhirBinaryRequireSecurityContext": "On"}, processes=1)
    who = server.project("strict")
    answer = who.call("POST", "Binary", {"Content-Type": "text/plain"}, b"x")
    checks.outcome(answer, 422)
    identity, _ = who.upload(b"x", "text/plain", {"X-Security-Context": "Patient/1"})
    who.replace(identity, b"y", "text/plain")
    answer = put_json(who, identity, {"resourceType": "Binary", "id": identity, "contentType": "text/plain"})
    checks.outcome(answer, 422)
