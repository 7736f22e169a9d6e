"""What a review with the specification in hand found: HTTP preconditions on every method, contexts that must not be
lost, and answers that say what to do next."""
import json

import pytest
from harness import checks

YEAR_2000 = "Sat, 01 Jan 2000 00:00:00 GMT"


def signed(client, identity):
    return client.server.request("GET", client.signed(identity))


# ---- If-Match and If-Unmodified-Since (RFC 9110 section 13.2.2) ----
@pytest.mark.parametrize("name,value", [("If-Match", '"another"'), ("If-Match", 'W/"another"'),
                                        ("If-Unmodified-Since", YEAR_2000)])
def test_reads_keep_preconditions(alice, name, value):
    """A client that fetches ranges with If-Match must never put parts of two versions together."""
    identity, version = alice.upload(b"0123456789")
    url = alice.signed(identity)
    for target in (f"Binary/{identity}", f"Binary/{identity}/_history/{version}", url):
        for more in ({}, {"Range": "bytes=0-3"}, {"Accept": checks.FHIR_JSON}, {"If-None-Match": f'"{version}"'}):
            checks.outcome(alice.get(target, {name: value, **more}), 412)
        assert alice.call("HEAD", target, {name: value}).status == 412


def test_met_preconditions_change_nothing(alice):
    identity, version = alice.upload(b"0123456789")
    modified = alice.get(f"Binary/{identity}").headers["Last-Modified"]
    for fields in ({"If-Match": f'"{version}"'}, {"If-Match": f'W/"{version}"'}, {"If-Match": "*"},
                   {"If-Unmodified-Since": modified}, {"If-Unmodified-Since": "yesterday"},
                   {"If-Match": f'"{version}"', "If-Unmodified-Since": YEAR_2000}):
        answer = alice.get(f"Binary/{identity}", {"Range": "bytes=0-3", **fields})
        assert answer.status == 206 and answer.body == b"0123", answer
    assert alice.get(f"Binary/{identity}", {"If-Match": "*", "If-None-Match": f'"{version}"'}).status == 304


def test_writes_keep_if_unmodified_since(alice):
    identity, _ = alice.upload(b"one", "text/plain")
    stale = {"Content-Type": "text/plain", "If-Unmodified-Since": YEAR_2000}
    checks.outcome(alice.call("PUT", f"Binary/{identity}", stale, b"two"), 412)
    checks.outcome(alice.call("DELETE", f"Binary/{identity}", stale), 412)
    assert alice.get(f"Binary/{identity}").body == b"one"
    fresh = {**stale, "If-Unmodified-Since": alice.get(f"Binary/{identity}").headers["Last-Modified"]}
    assert alice.call("PUT", f"Binary/{identity}", fresh, b"two").status == 200
    assert alice.call("PUT", f"Binary/{identity}", {**stale, "If-Unmodified-Since": "soon"}, b"three").status == 200


# ---- X-Security-Context beside a Binary resource ----
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_security_context_header_is_not_lost(alice, method):
    """SDKs send the header with whatever they upload, a file that is a Binary resource included."""
    def write(resource, context):
        target, resource = "Binary", {"resourceType": "Binary", "contentType": "text/plain", **resource}
        if method == "PUT":
            identity, _ = alice.upload(b"x")
            target, resource = f"Binary/{identity}", {**resource, "id": identity}
        return alice.call(method, target, {"Content-Type": checks.FHIR_JSON, "X-Security-Context": context,
                                           "Prefer": "return=representation"}, json.dumps(resource).encode())

    for sent in ({}, {"securityContext": {"reference": "Patient/1"}}):
        answer = write({**sent, "data": "aGVsbG8="}, "Patient/1")
        assert answer.status in (200, 201) and answer.json()["securityContext"] == {"reference": "Patient/1"}, answer
        raw = alice.get(f"Binary/{answer.json()['id']}")
        assert raw.headers["X-Security-Context"] == "Patient/1" and raw.body == b"hello", raw
    issue = checks.outcome(write({"securityContext": {"reference": "Patient/2"}}, "Patient/1"), 400)
    assert issue["expression"] == ["Binary.securityContext.reference"], issue


# ---- $presigned-url ----
def test_head_of_presigned_url(alice):
    """FHIR R4 http.html: HEAD wherever GET is."""
    identity, _ = alice.upload(b"x")
    for query in ("", "?upload=true"):
        get = alice.get(f"Binary/{identity}/$presigned-url{query}")
        head = alice.call("HEAD", f"Binary/{identity}/$presigned-url{query}")
        assert (head.status, head.body) == (200, b""), head
        for name in ("Content-Type", "Content-Length", "Cache-Control"):
            assert head.headers[name] == get.headers[name], (name, head, get)
    assert alice.call("HEAD", "Binary/never-seen/$presigned-url").status == 404


def test_parameters_in_another_form(alice):
    identity, _ = alice.upload(b"x")
    xml = b'<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="upload"/><valueBoolean value="true"/>' \
          b"</parameter></Parameters>"
    for content_type, body, status in ((checks.FHIR_XML, xml, 415), ("text/plain", b"upload", 415),
                                       (checks.FHIR_JSON, b"upload", 400), ("application/json", xml, 400)):
        answer = alice.call("POST", f"Binary/{identity}/$presigned-url", {"Content-Type": content_type}, body)
        issue = checks.outcome(answer, status)
        assert status == 400 or "?upload=true" in issue["diagnostics"], answer


# ---- what is not there says what to do instead ----
@pytest.mark.parametrize("method,target,word", [
    ("PUT", "Binary/_search", "POST"), ("PUT", "Binary?_id=1", "Conditional"), ("DELETE", "Binary?_id=1", "Conditional"), ("PATCH", "Binary/1", "PUT of")])
def test_way_round(alice, method, target, word):
    answer = alice.call(method, target, {"Content-Type": "text/plain"}, None if method == "GET" else b"")
    assert word in checks.outcome(answer, 405)["diagnostics"], answer
    assert answer.headers["Allow"], answer


def test_history_of_update_as_create(start):
    server = start(directives={"FhirBinaryUpdateCreate": "On"}, processes=1)
    who = server.project("ids")
    for status in (201, 200):
        assert who.call("PUT", "Binary/mine", {"Content-Type": "text/plain"}, b"x").status == status
    entries = who.get("Binary/mine/_history").json()["entry"]
    assert [(entry["request"]["method"], entry["response"]["status"]) for entry in entries] == [
        ("PUT", "200"), ("PUT", "201")]


def test_metadata_tells_of_cors(server, start):
    def told(running):
        return running.request("GET", "/fhir/R4/metadata").json()["rest"][0]["security"]["cors"]

    assert told(server) is False
    assert told(start(directives={"FhirBinaryCORSOrigins": "https://app.example.org"}, processes=1)) is True


# ---- X-Request-Id (FHIR R4 http.html, custom headers) ----
@pytest.mark.parametrize("sent,returned", [("abc-123", True), ("4f/1+a=", True), ("a b", False), ('"<x>', False),
                                           ("x" * 128, True), ("x" * 129, False), ("", False)])
def test_correlation_id(alice, sent, returned):
    for target in ("metadata", "Binary/never-seen"):
        answer = alice.get(target, {"X-Request-Id": sent})
        assert answer.headers["X-Request-Id"] not in ("", sent), answer
        assert answer.headers.get("X-Correlation-Id") == (sent if returned else None), answer
