"""Resources: create, read, vread, update, delete, history, and the headers around them."""
import base64
import concurrent.futures
import gzip
import hashlib
import json
import re
import zlib

import pytest
from harness import checks, httpd, wire
from harness.resources import create, etag, post, put, read, shown, text_of, update

PATIENT = {"resourceType": "Patient", "active": True, "name": [{"family": "Simpson", "given": ["Homer"]}]}


@pytest.fixture(scope="module")
def open_server(postgres):
    """Ids are chosen by clients here."""
    with httpd.Server(postgres, directives={"FhirBinaryUpdateCreate": "On", "FhirBinaryMaxBundleSize": "64K"},
                      processes=1) as running:
        yield running


@pytest.fixture(scope="module")
def homer(open_server):
    return open_server.project("ids of clients")


# ---- create ----

def test_create(alice):
    answer = post(alice, PATIENT)
    made = shown(answer, 201)
    assert re.fullmatch(checks.UUID, made["id"])
    where = f"{alice.server.fhir_base}Patient/{made['id']}/_history/{made['meta']['versionId']}"
    assert answer.headers["Location"] == where
    assert answer.headers["Cache-Control"] == "no-store"
    assert {name: made[name] for name in PATIENT} == PATIENT
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["meta"]["lastUpdated"])
    again = alice.get(f"Patient/{made['id']}")
    assert shown(again) == made
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert again.headers["X-Content-Type-Options"] == "nosniff"
    assert again.headers["Last-Modified"] == answer.headers["Last-Modified"]


def test_the_server_gives_id_and_version(alice):
    sent = {**PATIENT, "id": "mine", "meta": {"versionId": "7", "lastUpdated": "1999-01-01T00:00:00Z",
                                              "tag": [{"code": "kept"}], "profile": ["http://example.com/p"]}}
    made = create(alice, sent)
    assert made["id"] != "mine" and made["meta"]["versionId"] != "7"
    assert made["meta"]["lastUpdated"] > "2020" and made["meta"]["tag"] == [{"code": "kept"}]
    assert made["meta"]["profile"] == ["http://example.com/p"]
    assert read(alice, f"Patient/{made['id']}") == made


@pytest.mark.parametrize("kind", ["application/fhir+json", "application/json", "application/fhir+json; charset=utf-8",
                                  "application/fhir+json;fhirVersion=4.0", "APPLICATION/FHIR+JSON"])
def test_content_types_that_are_json(alice, kind):
    assert alice.call("POST", "Patient", {"Content-Type": kind}, text_of(PATIENT)).status == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/fhir+xml", "application/octet-stream", None,
                                  "application/json-patch+json", "application/x-www-form-urlencoded"])
def test_other_content_types_are_415(alice, kind):
    made = create(alice, PATIENT)
    checks.outcome(alice.call("POST", "Patient", {"Content-Type": kind}, text_of(PATIENT)), 415)
    checks.outcome(alice.call("PUT", f"Patient/{made['id']}", {"Content-Type": kind}, text_of(made)), 415)
    assert read(alice, f"Patient/{made['id']}") == made


@pytest.mark.parametrize("kind", ["not a type", "/", "application/fhir+json;charset"])
def test_malformed_content_types(alice, kind):
    assert alice.call("POST", "Patient", {"Content-Type": kind}, text_of(PATIENT)).status in (400, 415)


@pytest.mark.parametrize("accept, status", [
    ("application/fhir+json", 200), ("application/json", 200), ("*/*", 200), (None, 200),
    ("application/fhir+json, */*; q=0.1", 200), ("text/html, */*;q=0.8", 200), ("application/*", 200),
    ("text/html", 200), ("application/fhir+xml", 406), ("application/xml", 406),
    ("application/fhir+json;q=0, application/fhir+xml", 406)])
def test_accept(alice, accept, status):
    made = create(alice, PATIENT)
    for target in f"Patient/{made['id']}", "Patient?_count=1", f"Patient/{made['id']}/_history":
        answer = alice.get(target, {"Accept": accept})
        if status == 200:
            assert answer.status == 200 and checks.media_type(answer) == checks.FHIR_JSON, answer
        else:
            assert answer.status == 406, answer
    count = alice.json("Patient?_summary=count").json()["total"]
    answer = post(alice, PATIENT, {"Accept": accept})
    assert answer.status == (201 if status == 200 else 406), answer
    assert alice.json("Patient?_summary=count").json()["total"] == count + (status == 200)


def test_format_overrides_accept(alice):
    made = create(alice, PATIENT)
    assert alice.get(f"Patient/{made['id']}?_format=json", {"Accept": "text/html"}).status == 200
    checks.outcome(alice.get(f"Patient/{made['id']}?_format=xml"), 406)


# ---- Prefer ----

def test_prefer_minimal(alice):
    answer = post(alice, PATIENT, {"Prefer": "return=minimal"})
    assert answer.status == 201 and answer.body == b"", answer
    assert "Location" in answer.headers and "ETag" in answer.headers and "Last-Modified" in answer.headers
    made = read(alice, answer.headers["Location"][len(alice.server.fhir_base):].split("/_history")[0])
    answer = put(alice, made, {"Prefer": "return=minimal"})
    assert answer.status == 200 and answer.body == b"", answer


def test_prefer_outcome(alice):
    answer = post(alice, PATIENT, {"Prefer": "return=OperationOutcome"})
    assert answer.status == 201 and answer.json()["resourceType"] == "OperationOutcome", answer
    assert answer.json()["issue"][0]["severity"] == "information"
    assert answer.headers["Location"].startswith(alice.server.fhir_base + "Patient/")


@pytest.mark.parametrize("prefer", ["return=representation", "handling=strict", "return=nonsense", "respond-async", ""])
def test_other_preferences_show_the_resource(alice, prefer):
    assert shown(post(alice, PATIENT, {"Prefer": prefer}), 201)["active"] is True


# ---- read ----

def test_head_is_get_without_body(alice):
    made = create(alice, PATIENT)
    for target in (f"Patient/{made['id']}", f"Patient/{made['id']}/_history/{made['meta']['versionId']}",
                   f"Patient/{made['id']}/_history", "Patient?_count=1"):
        get, head = alice.get(target), alice.call("HEAD", target)
        assert head.status == 200 and head.body == b"", head
        assert head.headers["Content-Length"] == str(len(get.body)), head
        assert head.headers.get("ETag") == get.headers.get("ETag")


def test_not_modified(alice):
    made = create(alice, PATIENT)
    target = f"Patient/{made['id']}"
    when = alice.get(target).headers["Last-Modified"]
    for fields in ({"If-None-Match": etag(made)}, {"If-None-Match": etag(made)[2:]}, {"If-None-Match": "*"},
                   {"If-None-Match": f'"other", {etag(made)}'}, {"If-Modified-Since": when}):
        answer = alice.get(target, fields)
        assert answer.status == 304 and answer.body == b"", answer
        assert answer.headers["ETag"] == etag(made)
    for fields in ({"If-None-Match": 'W/"other"'}, {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
                   {"If-Modified-Since": "nonsense"}, {"If-None-Match": 'W/"other"', "If-Modified-Since": when}):
        assert alice.get(target, fields).status == 200, fields


def test_vread(alice):
    first = create(alice, PATIENT)
    second = update(alice, {**first, "active": False})
    place = f"Patient/{first['id']}/_history/"
    assert read(alice, place + first["meta"]["versionId"]) == first
    assert read(alice, place + second["meta"]["versionId"]) == second
    for version in ("1", "0", "x" * 65, "00000000-0000-4000-8000-000000000000", "a_b"):
        checks.outcome(alice.get(place + version), 404)
    other = create(alice, PATIENT)
    checks.outcome(alice.get(place + other["meta"]["versionId"]), 404)


@pytest.mark.parametrize("identity", ["never", "a_b", "x" * 65, "a%20b", "%C3%BC", "$x", "00000000-0000-4000-8000-0"])
def test_unknown_and_malformed_ids(alice, bob, identity):
    """And what belongs to others: one and the same text."""
    foreign = create(bob, PATIENT)["id"]
    for suffix in "", "/_history", "/_history/00000000-0000-4000-8000-000000000000":
        one = checks.outcome(alice.get(f"Patient/{identity}{suffix}"), 404)
        other = checks.outcome(alice.get(f"Patient/{foreign}{suffix}"), 404)
        assert one == other
    for method in "DELETE", "PATCH":
        kind = {"Content-Type": "application/json-patch+json"}
        one = checks.outcome(alice.call(method, f"Patient/{identity}", kind, b"[]"), 404)
        other = checks.outcome(alice.call(method, f"Patient/{foreign}", kind, b"[]"), 404)
        assert one == other
    assert read(bob, f"Patient/{foreign}")["active"] is True


def test_another_type_has_other_ids(alice):
    made = create(alice, PATIENT)
    checks.outcome(alice.get(f"Practitioner/{made['id']}"), 404)


@pytest.mark.parametrize("target", ["Patiens", "patient", "Patient/1/2", "Patient/1/_history/2/3", "Patient/1/$everything",
                                    "Patient/$validate/x", "Element", "Resource", "DomainResource"])
def test_addresses_that_are_none(alice, target):
    checks.outcome(alice.get(target), 404)


@pytest.mark.parametrize("method, target", [
    ("POST", "Patient/1"), ("PUT", "Patient/1/_history"),
    ("POST", "Patient/1/_history/2"), ("PUT", "Patient/_search"), ("DELETE", "Patient/_search"), ("PUT", "metadata")])
def test_methods_that_are_none(alice, method, target):
    answer = alice.call(method, target, {"Content-Type": checks.FHIR_JSON}, b"{}")
    checks.outcome(answer, 405)
    allowed = answer.headers["Allow"].split(", ")
    assert method not in allowed and "GET" in allowed or "PUT" in allowed


def test_options(alice):
    answer = alice.call("OPTIONS", "Patient/1")
    assert answer.status == 204, answer
    assert {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} == set(answer.headers["Allow"].split(", "))


def test_every_request_needs_credentials(server):
    for method, target in (("GET", "Patient"), ("POST", "Patient"), ("GET", "Patient/1"), ("PUT", "Patient/1"),
                           ("PATCH", "Patient/1"), ("DELETE", "Patient/1"), ("GET", "Patient/1/_history"),
                           ("POST", "Patient/_search"), ("PUT", "Patient?identifier=1")):
        answer = server.request(method, "/fhir/R4/" + target, {"Content-Type": checks.FHIR_JSON}, b"{}")
        checks.outcome(answer, 401)
    checks.outcome(server.request("GET", "/auth/me"), 401)


# ---- update ----

def test_update(alice):
    first = create(alice, PATIENT)
    answer = put(alice, {**first, "active": False, "gender": "male"})
    second = shown(answer, 200)
    assert second["id"] == first["id"] and second["meta"]["versionId"] != first["meta"]["versionId"]
    assert second["gender"] == "male" and second["active"] is False
    assert second["meta"]["lastUpdated"] >= first["meta"]["lastUpdated"]
    assert answer.headers["Location"].endswith(f"/{first['id']}/_history/{second['meta']['versionId']}")
    assert read(alice, f"Patient/{first['id']}") == second


def test_update_replaces_the_whole(alice):
    first = create(alice, {**PATIENT, "meta": {"tag": [{"code": "old"}]}})
    second = update(alice, {"resourceType": "Patient", "id": first["id"], "birthDate": "1956-05-12"})
    assert set(second) == {"resourceType", "id", "meta", "birthDate"} and set(second["meta"]) == {"versionId", "lastUpdated"}


@pytest.mark.parametrize("change, place", [({"id": "other"}, "Patient.id"), ({"id": None}, "Patient.id"),
                                           ({"id": 5}, "Patient.id"), ({"id": "a_b"}, "Patient.id"),
                                           ({"resourceType": "Person"}, ".resourceType")])
def test_update_with_a_wrong_id_or_type(alice, change, place):
    first = create(alice, PATIENT)
    body = {name: value for name, value in {**first, **change}.items() if value is not None}
    issue = checks.outcome(put(alice, body, target=f"Patient/{first['id']}"), 400)
    assert issue["expression"][0].endswith(place), issue
    assert read(alice, f"Patient/{first['id']}") == first


def test_if_match(alice):
    first = create(alice, PATIENT)
    second = update(alice, {**first, "active": False}, {"If-Match": etag(first)})
    issue = checks.outcome(put(alice, first, {"If-Match": etag(first)}), 412)
    assert "Binary" not in issue["diagnostics"], issue
    third = update(alice, second, {"If-Match": f'"nonsense", {etag(second)[2:]}'})
    update(alice, third, {"If-Match": "*"})
    for bad in ('W/"', '"a" "b"', 'a"', ","):
        checks.outcome(put(alice, first, {"If-Match": bad}), 400)
    checks.outcome(put(alice, first, {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}), 412)
    assert read(alice, f"Patient/{first['id']}")["active"] is False


def test_updates_with_one_version_race(alice):
    """Of many that saw the same version exactly one wins."""
    first = create(alice, PATIENT)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: put(alice, {**first, "multipleBirthInteger": n}, {"If-Match": etag(first)}),
                                range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 9
    bundle = alice.json(f"Patient/{first['id']}/_history").json()
    assert bundle["total"] == 2


def test_update_of_an_unknown_id_is_405(alice):
    checks.outcome(put(alice, {**PATIENT, "id": "never-seen"}), 405)
    checks.outcome(alice.get("Patient/never-seen"), 404)


def test_update_as_create(homer, open_server):
    first = shown(put(homer, {**PATIENT, "id": "homer-simpson"}), 201)
    assert first["id"] == "homer-simpson"
    assert shown(put(homer, {**first, "active": False}), 200)["active"] is False
    other = open_server.project("another with the same id")
    checks.outcome(other.get("Patient/homer-simpson"), 404)
    assert shown(put(other, {**PATIENT, "id": "homer-simpson"}), 201)["active"] is True
    assert read(homer, "Patient/homer-simpson")["active"] is False
    assert shown(put(homer, {"resourceType": "Person", "id": "homer-simpson", "active": True}), 201)["active"] is True
    for bad in ("a_b", "x" * 65):
        checks.outcome(put(homer, {**PATIENT, "id": bad}), 400)
    assert shown(put(homer, {**PATIENT, "id": "y" * 64}), 201)


def test_create_only_if_it_is_not_there(homer):
    made = shown(put(homer, {**PATIENT, "id": "once"}, {"If-None-Match": "*"}), 201)
    checks.outcome(put(homer, {**made, "active": False}, {"If-None-Match": "*"}), 412)
    assert read(homer, "Patient/once") == made
    checks.outcome(put(homer, {**PATIENT, "id": "not-yet"}, {"If-Match": 'W/"1"'}), 412)
    checks.outcome(homer.get("Patient/not-yet"), 404)


def test_many_make_the_same_id(homer):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: put(homer, {**PATIENT, "id": "raced"}, {"If-None-Match": "*"}), range(12)))
    assert sorted(answer.status for answer in answers) == [201] + [412] * 11, answers
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: put(homer, {**PATIENT, "id": "raced-freely"}), range(12)))
    assert sorted(answer.status for answer in answers) == [200] * 11 + [201], answers


# ---- delete ----

def test_delete_and_bring_back(alice):
    first = create(alice, PATIENT)
    target = f"Patient/{first['id']}"
    answer = alice.call("DELETE", target)
    assert answer.status == 204 and answer.body == b"" and answer.headers["ETag"].startswith('W/"'), answer
    tombstone = answer.headers["ETag"][3:-1]
    for method in "GET", "PATCH":
        gone = alice.call(method, target, {"Content-Type": "application/json-patch+json"}, b"[]")
        checks.outcome(gone, 410)
    assert alice.call("HEAD", target).status == 410
    checks.outcome(alice.get(f"{target}/_history/{tombstone}"), 410)
    assert read(alice, f"{target}/_history/{first['meta']['versionId']}") == first
    assert alice.call("DELETE", target).status == 204
    back = shown(put(alice, first), 201)
    assert read(alice, target) == back
    history = alice.json(target + "/_history").json()
    methods = [entry["request"]["method"] for entry in history["entry"]]
    assert methods[0] == "PUT" and methods[-1] == "POST" and "DELETE" in methods
    assert "resource" not in history["entry"][methods.index("DELETE")]


def test_delete_with_if_match(alice):
    first = create(alice, PATIENT)
    second = update(alice, first)
    checks.outcome(alice.call("DELETE", f"Patient/{first['id']}", {"If-Match": etag(first)}), 412)
    assert alice.call("DELETE", f"Patient/{first['id']}", {"If-Match": etag(second)}).status == 204


# ---- history ----

def test_history_pages(alice):
    versions = [create(alice, PATIENT)]
    for number in range(6):
        versions.append(update(alice, {**versions[-1], "multipleBirthInteger": number}))
    target, seen = f"Patient/{versions[0]['id']}/_history?_count=3", []
    while target:
        bundle = alice.json(target).json()
        assert bundle["type"] == "history" and bundle["total"] == 7 + (len(seen) > 0)
        seen += bundle["entry"]
        if len(seen) == 3:  # newer ones do not move the pages
            update(alice, versions[-1])
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        target = links["next"][len(alice.server.fhir_base):] if "next" in links else None
    assert [entry["resource"] for entry in seen] == versions[::-1]
    for entry, version in zip(seen, versions[::-1]):
        assert entry["response"]["etag"] == etag(version)
        assert entry["response"]["lastModified"] == version["meta"]["lastUpdated"]
        assert entry["fullUrl"] == f"{alice.server.fhir_base}Patient/{version['id']}"
    assert seen[0]["request"] == {"method": "PUT", "url": f"Patient/{versions[0]['id']}"}
    assert seen[-1]["request"] == {"method": "POST", "url": "Patient"}
    assert seen[-1]["response"]["status"].startswith("201")


@pytest.mark.parametrize("query", ["_count=x", "_count=-1", "_before=x", "_count="])
def test_history_with_bad_numbers(alice, query):
    made = create(alice, PATIENT)
    checks.outcome(alice.get(f"Patient/{made['id']}/_history?{query}"), 400)


# ---- bodies ----

def test_chunked(alice):
    text = text_of(PATIENT)
    answer = alice.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON},
                        chunks=[text[i:i + 7] for i in range(0, len(text), 7)])
    assert shown(answer, 201)["active"] is True


@pytest.mark.parametrize("coding, pack", [("gzip", gzip.compress), ("deflate", zlib.compress), ("x-gzip", gzip.compress)])
def test_codings(alice, coding, pack):
    fields = {"Content-Type": checks.FHIR_JSON, "Content-Encoding": coding}
    assert shown(alice.call("POST", "Patient", fields, pack(text_of(PATIENT))), 201)["active"] is True
    checks.outcome(alice.call("POST", "Patient", fields, pack(text_of(PATIENT))[:-5]), 400)
    checks.outcome(alice.call("POST", "Patient", fields, text_of(PATIENT)), 400)


def test_unknown_coding(alice):
    fields = {"Content-Type": checks.FHIR_JSON, "Content-Encoding": "br"}
    assert alice.call("POST", "Patient", fields, text_of(PATIENT)).status in (400, 415)


@pytest.mark.parametrize("name, digest", [
    ("Content-MD5", lambda data: base64.b64encode(hashlib.md5(data).digest()).decode()),
    ("Digest", lambda data: "sha-256=" + base64.b64encode(hashlib.sha256(data).digest()).decode()),
    ("Content-Digest", lambda data: "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":")])
def test_checksums_of_the_client(alice, name, digest):
    text = text_of(PATIENT)
    assert post(alice, PATIENT, {name: digest(text)}).status == 201
    before = alice.json("Patient?_summary=count").json()["total"]
    checks.outcome(post(alice, PATIENT, {name: digest(b"other")}), 400)
    assert alice.json("Patient?_summary=count").json()["total"] == before


def test_too_large(homer, open_server):
    text = json.dumps({**PATIENT, "language": "x" * 70000}).encode()
    checks.outcome(homer.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON}, text), 413)
    chunks = [text[i:i + 4096] for i in range(0, len(text), 4096)]
    checks.outcome(homer.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON}, chunks=chunks), 413)
    packed = {"Content-Type": checks.FHIR_JSON, "Content-Encoding": "gzip"}
    checks.outcome(homer.call("POST", "Patient", packed, gzip.compress(text)), 413)
    fits = json.dumps({**PATIENT, "language": "x" * 60000}).encode()
    assert homer.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON}, fits).status == 201


@pytest.mark.parametrize("method, target, fields, status", [
    ("POST", "Patient", {"Content-Length": "100000000"}, 413),
    ("POST", "Patient", {"Content-Type": "text/plain"}, 415),
    ("POST", "Patient", {"Content-Encoding": "br"}, (400, 415)),
    ("POST", "Patient", {"Content-MD5": "nonsense"}, 400),
    ("POST", "Patient", {"If-None-Exist": "nonsense=1"}, 400),
    ("POST", "Patient", {"Accept": "application/xml"}, 406),
    ("POST", "Patient", {"Authorization": "Bearer x"}, 401),
    ("PUT", "Patient/a_b", {}, 400)])
def test_refused_before_the_body(homer, open_server, method, target, fields, status):
    """The client waits for 100 Continue; it is not told to go on."""
    head = {"Authorization": homer.bearer["Authorization"], "Content-Type": checks.FHIR_JSON, "Content-Length": "1000",
            "Expect": "100-continue", "Host": "127.0.0.1", **fields}
    with open_server.connect(timeout=10) as connection:
        connection.send(wire.head(method, "/fhir/R4/" + target, head.items()))
        answer = connection.response()
    assert answer.interim == [], answer
    wanted = status if isinstance(status, tuple) else (status,)
    checks.outcome(answer, answer.status if answer.status in wanted else wanted[0])


def test_goes_on_when_nothing_is_wrong(homer, open_server):
    text = text_of(PATIENT)
    head = {"Authorization": homer.bearer["Authorization"], "Content-Type": checks.FHIR_JSON, "Host": "127.0.0.1",
            "Content-Length": str(len(text)), "Expect": "100-continue"}
    with open_server.connect(timeout=10) as connection:
        connection.send(wire.head("POST", "/fhir/R4/Patient", head.items()))
        assert connection.file.readline().startswith(b"HTTP/1.1 100")
        assert connection.file.readline() == b"\r\n"
        connection.send(text)
        assert connection.response().status == 201
