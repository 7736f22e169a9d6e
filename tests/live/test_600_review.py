"""What a review with the specification in hand found: HTTP preconditions on every method, contexts that must not be
lost, and answers that say what to do next."""
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
