"""Issue section 7: $presigned-url, reading and uploading."""
import concurrent.futures
import json
import time
import urllib.parse

import pytest
from harness import checks, content, signing
from harness.client import Client
from test_150_token import nudge


@pytest.fixture(scope="module")
def stored(alice):
    return alice.upload(b"shared bytes", "text/plain", query="?_filename=shared.txt")


def waiting(client, content_type="text/plain"):
    """A Binary that waits for its content; gives its id."""
    answer = client.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON},
                         json.dumps({"resourceType": "Binary", "contentType": content_type}).encode())
    return checks.created(answer, client.server.fhir_base)[0]


def put(client, target, body, content_type="text/plain", **headers):
    return client.server.request("PUT", target, {"Content-Type": content_type, **headers}, body)


# ---- the operation ----

def test_get_and_post(alice, stored):
    for method in ("GET", "POST"):
        target = alice.signed(stored[0], method=method)
        assert alice.server.request("GET", target).body == b"shared bytes"
    answer = alice.call("POST", f"Binary/{stored[0]}/$presigned-url", {"Content-Type": checks.FHIR_JSON},
                        b'{"resourceType":"Parameters","parameter":[]}')
    assert answer.status == 200, answer
    answer = alice.get(f"Binary/{stored[0]}/$presigned-url", {"Accept": checks.FHIR_XML})
    assert b"<Parameters" in answer.body and b"valueUri" in answer.body, answer


def test_post_parameters_upload(alice):
    identity = waiting(alice)
    answer = alice.call("POST", f"Binary/{identity}/$presigned-url", {"Content-Type": checks.FHIR_JSON}, json.dumps(
        {"resourceType": "Parameters", "parameter": [{"name": "upload", "valueBoolean": True}]}).encode())
    assert answer.status == 200, answer
    target = answer.json()["parameter"][0]["valueUri"][len(alice.server.base) - 1:]
    assert put(alice, target, b"by parameters").status in (200, 201, 204)
    assert alice.get(f"Binary/{identity}").body == b"by parameters"


def test_url_has_the_documented_form(alice, stored):
    binary, version, pairs = signing.url_parts(alice.signed(stored[0]))
    assert (binary, version) == stored
    assert [name for name, _ in pairs] == ["Expires", "Key-Pair-Id", "Membership", "Signature"], pairs
    expires = int(dict(pairs)["Expires"])
    assert expires % 300 == 0 and 3590 <= expires - time.time() <= 3600 + 300, expires


def test_equal_asks_give_equal_urls(alice, stored):
    one, other = alice.signed(stored[0]), alice.signed(stored[0])
    if one != other:  # a window ended in between
        other = alice.signed(stored[0])
        one = alice.signed(stored[0])
    assert one == other


def test_upload_by_parameters_needs_update_scope_alone(server, alice, stored):
    for scope, status in (("system/Binary.u", 200), ("system/Binary.r", 403)):
        answer = server.request("POST", f"/fhir/R4/Binary/{stored[0]}/$presigned-url",
                                {"Authorization": "Bearer " + alice.new_token(scope),
                                 "Content-Type": "application/fhir+json"},
                                b'{"resourceType":"Parameters","parameter":[{"name":"upload","valueBoolean":true}]}')
        assert answer.status == status, answer


def test_bad_upload_parameter(alice, stored):
    for value in ("maybe", "1", "", "true&upload=false"):
        checks.outcome(alice.get(f"Binary/{stored[0]}/$presigned-url?upload={value}"), 400)
    assert "/storage/" in alice.signed(stored[0])
    answer = alice.get(f"Binary/{stored[0]}/$presigned-url?upload=false")
    assert answer.status == 200, answer


def test_unknown_binary(alice):
    checks.outcome(alice.get("Binary/never-seen/$presigned-url"), 404)
    for method in ("PUT", "DELETE"):
        answer = alice.call(method, "Binary/never-seen/$presigned-url", {"Content-Type": "text/plain"}, b"")
        checks.outcome(answer, 405)


# ---- reading ----

def test_read(alice, stored):
    answer = alice.server.request("GET", alice.signed(stored[0]))
    assert answer.status == 200 and answer.body == b"shared bytes", answer
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["ETag"] == f'"{stored[1]}"' and "Last-Modified" in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "shared.txt" in answer.headers["Content-Disposition"]
    assert "Repr-Digest" in answer.headers
    cache = answer.headers["Cache-Control"]
    age = int(cache.split("max-age=")[1].split(",")[0])
    assert "private" in cache and 3000 < age <= 3900, answer  # browsers may keep it until it expires


def test_read_ignores_accept(alice, stored):
    answer = alice.server.request("GET", alice.signed(stored[0]), {"Accept": checks.FHIR_JSON})
    assert answer.body == b"shared bytes", answer


def test_read_with_foreign_credentials(alice, stored):
    """Browsers send what they have; the URL alone decides."""
    for value in ("Bearer nonsense", "Basic eDp5"):
        answer = alice.server.request("GET", alice.signed(stored[0]), {"Authorization": value})
        assert answer.status == 200, answer


def test_read_conditional_and_range(alice, stored):
    target = alice.signed(stored[0])
    answer = alice.server.request("GET", target, {"If-None-Match": f'"{stored[1]}"'})
    assert answer.status == 304
    answer = alice.server.request("GET", target, {"Range": "bytes=0-5"})
    assert answer.status == 206 and answer.body == b"shared"


def test_an_old_url_serves_its_own_version(alice):
    identity, _ = alice.upload(b"old", "text/plain")
    target = alice.signed(identity)
    alice.replace(identity, b"new", "image/gif")
    answer = alice.server.request("GET", target)
    assert answer.body == b"old" and answer.headers["Content-Type"] == "text/plain"
    assert alice.server.request("GET", alice.signed(identity)).body == b"new"


def test_deleted_binary_is_gone(alice):
    identity, _ = alice.upload(b"old", "text/plain")
    target = alice.signed(identity)
    alice.call("DELETE", f"Binary/{identity}")
    checks.outcome(alice.server.request("GET", target), 410)


def test_read_url_of_a_binary_without_content(alice):
    issue = checks.outcome(alice.get(f"Binary/{waiting(alice)}/$presigned-url"), 404)
    assert "no content" in issue["diagnostics"].lower(), issue


def test_independent_of_host(alice, stored):
    target = alice.signed(stored[0])
    for fields in ({"Host": "evil.example.org"}, {"Host": "127.0.0.1", "X-Forwarded-Host": "a.example.org",
                                                  "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"}):
        assert alice.server.request("GET", target, fields).body == b"shared bytes"
    answer = alice.get(f"Binary/{stored[0]}/$presigned-url", {"Host": "evil.example.org",
                                                             "X-Forwarded-Host": "evil.example.org"})
    assert answer.json()["parameter"][0]["valueUri"].startswith(alice.server.storage_base)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "PUT"])
def test_read_url_only_reads(alice, stored, method):
    answer = alice.server.request(method, alice.signed(stored[0]), {"Content-Type": "text/plain"}, b"x")
    assert answer.status in (403, 405), answer
    checks.outcome(answer, answer.status)
    assert alice.get(f"Binary/{stored[0]}").body == b"shared bytes"


# ---- signatures ----

def rebuilt(target, change):
    """The URL with its list of parameters changed by `change`."""
    path, _, query = target.partition("?")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    changed = change(list(pairs))
    return path + "?" + urllib.parse.urlencode(changed)


def with_value(name, edit):
    return lambda pairs: [(key, edit(value) if key == name else value) for key, value in pairs]


def flip(value):
    return ("A" if value[0] != "A" else "B") + value[1:]


TAMPERED = {
    "expires later": with_value("Expires", lambda v: str(int(v) + 1)),
    "expires zero-padded": with_value("Expires", lambda v: "0" + v),
    "expires with plus": with_value("Expires", lambda v: "+" + v),
    "expires empty": with_value("Expires", lambda v: ""),
    "expires huge": with_value("Expires", lambda v: "9" * 30),
    "expires negative": with_value("Expires", lambda v: "-1"),
    "expires text": with_value("Expires", lambda v: "never"),
    "key id": with_value("Key-Pair-Id", flip),
    "key id empty": with_value("Key-Pair-Id", lambda v: ""),
    "key id odd": with_value("Key-Pair-Id", lambda v: "' OR 1=1 --"),
    "membership": with_value("Membership", lambda v: "3e6b9c2a-0000-4000-8000-000000000000"),
    "membership no uuid": with_value("Membership", lambda v: "x"),
    "signature flipped": with_value("Signature", flip),
    "signature truncated": with_value("Signature", lambda v: v[:-1]),
    "signature much truncated": with_value("Signature", lambda v: v[:5]),
    "signature longer": with_value("Signature", lambda v: v + "A"),
    "signature padded": with_value("Signature", lambda v: v + "="),
    "signature empty": with_value("Signature", lambda v: ""),
    "signature odd": with_value("Signature", lambda v: "!" * 43),
    "signature of zeros": with_value("Signature", lambda v: "A" * 43),
    "no expires": lambda pairs: [p for p in pairs if p[0] != "Expires"],
    "no key": lambda pairs: [p for p in pairs if p[0] != "Key-Pair-Id"],
    "no membership": lambda pairs: [p for p in pairs if p[0] != "Membership"],
    "doubled expires": lambda pairs: pairs + [pairs[0]],
    "doubled signature": lambda pairs: pairs + [pairs[-1]],
    "other expires first": lambda pairs: [("Expires", "9999999999")] + pairs,
    "extra": lambda pairs: pairs + [("x", "y")],
    "extra without value": lambda pairs: pairs + [("download", "")],
    "lower case": lambda pairs: [(key.lower() if key == "Expires" else key, value) for key, value in pairs],
}


@pytest.mark.parametrize("name", list(TAMPERED))
def test_tampered(alice, stored, name):
    target = rebuilt(alice.signed(stored[0]), TAMPERED[name])
    answer = alice.server.request("GET", target)
    issue = checks.outcome(answer, answer.status)
    assert answer.status == 403 or name == "signature empty" and answer.status == 401, answer
    assert "Signature=" not in issue["diagnostics"]


def test_no_signature_is_401(alice, stored):
    path = alice.signed(stored[0]).partition("?")[0]
    checks.outcome(alice.server.request("GET", path), 401)
    checks.outcome(alice.server.request("GET", path + "?Expires=9999999999"), 401)


def test_reordered_parameters_are_still_signed(alice, stored):
    """Order carries no meaning: the same four values are the same URL."""
    target = rebuilt(alice.signed(stored[0]), lambda pairs: pairs[::-1])
    answer = alice.server.request("GET", target)
    assert answer.status in (200, 403), answer
    assert answer.status == 200 and answer.body == b"shared bytes" or checks.outcome(answer, 403)


def test_ids_are_signed(alice, stored):
    other, version = alice.upload(b"other", "text/plain")
    target = alice.signed(stored[0])
    for old, new in ((stored[0], other), (stored[1], version), (f"{stored[0]}/{stored[1]}", f"{other}/{version}")):
        checks.outcome(alice.server.request("GET", target.replace(old, new)), 403)


def test_method_is_signed(alice):
    identity = waiting(alice)
    upload = alice.signed(identity, upload=True)
    checks.outcome(alice.server.request("GET", upload), 403)


@pytest.fixture(scope="module")
def key(server, alice, stored):
    """(id, bytes) of the URL key in use, from the database."""
    alice.signed(stored[0])
    [[identity, material]] = server.sql(
        "SELECT id, material FROM fhir_binary.signing_key WHERE purpose = 2 AND retired_at IS NULL")
    return identity, bytes.fromhex(material)


def membership_of(client):
    [[identity]] = client.server.sql(f"SELECT id FROM fhir_binary.membership WHERE client_id = '{client.id}'")
    return identity


def signed_by_hand(client, key, binary, version, expires, method="GET"):
    return signing.sign_url(method, binary, version, expires, key[0], membership_of(client), key[1])


def test_canonical_string_is_as_documented(alice, stored, key):
    target = alice.signed(stored[0])
    expires = int(dict(signing.url_parts(target)[2])["Expires"])
    assert signed_by_hand(alice, key, *stored, expires) == target


def test_expired(alice, stored, key):
    for before in (1, 60, 10_000_000):
        target = signed_by_hand(alice, key, *stored, int(time.time()) - before)
        checks.outcome(alice.server.request("GET", target), 410, "expired")
    soon = signed_by_hand(alice, key, *stored, int(time.time()) + 2)
    assert alice.server.request("GET", soon).status == 200
    time.sleep(3)
    checks.outcome(alice.server.request("GET", soon), 410, "expired")


def test_expired_is_only_told_with_a_good_signature(alice, stored, key):
    target = signed_by_hand(alice, key, *stored, int(time.time()) - 5)
    checks.outcome(alice.server.request("GET", target[:-2] + "AA"), 403)


def test_signed_but_unknown(alice, key):
    expires = int(time.time()) + 60
    answer = alice.server.request("GET", signed_by_hand(
        alice, key, "never-seen", "3e6b9c2a-0000-4000-8000-000000000001", expires))
    checks.outcome(answer, 404)
    identity, _ = alice.upload(b"x")
    answer = alice.server.request("GET", signed_by_hand(
        alice, key, identity, "3e6b9c2a-0000-4000-8000-000000000001", expires))
    checks.outcome(answer, 404)


def test_membership_of_another_project_opens_nothing(alice, bob, stored, key):
    answer = alice.server.request("GET", signed_by_hand(bob, key, *stored, int(time.time()) + 60))
    checks.outcome(answer, 404)


# ---- uploading ----

def test_upload(alice):
    identity = waiting(alice, "image/png")
    target = alice.signed(identity, upload=True)
    answer = put(alice, target, content.png(), "image/png")
    assert answer.status in (200, 201, 204), answer
    version = signing.url_parts(target)[1]
    assert version in answer.headers["ETag"], answer
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == content.png() and raw.headers["ETag"] == f'"{version}"', raw
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 2


def test_upload_to_a_binary_with_content(alice):
    identity, first = alice.upload(b"one", "text/plain", {"X-Security-Context": "Patient/1"}, "?_filename=n.txt")
    target = alice.signed(identity, upload=True)
    assert put(alice, target, b"two").status in (200, 201, 204)
    raw = alice.get(f"Binary/{identity}")
    assert raw.body == b"two" and raw.headers["X-Security-Context"] == "Patient/1", raw
    assert "n.txt" in raw.headers["Content-Disposition"]
    assert alice.get(f"Binary/{identity}/_history/{first}").body == b"one"


def test_two_upload_urls_are_two_versions(alice):
    identity = waiting(alice)
    one, other = alice.signed(identity, upload=True), alice.signed(identity, upload=True)
    assert signing.url_parts(one)[1] != signing.url_parts(other)[1]
    assert put(alice, one, b"one").status < 300 and put(alice, other, b"other").status < 300
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 3


@pytest.mark.parametrize("content_type", ["image/png", "text/html", "application/octet-stream", None, "text/plain2"])
def test_upload_with_another_type(alice, content_type):
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    answer = put(alice, target, b"x", content_type)
    checks.outcome(answer, 415 if content_type else answer.status)
    assert answer.status in (415, 400), answer
    assert alice.get(f"Binary/{identity}").status == 404
    assert put(alice, target, b"right").status < 300  # the URL is not used up by a refusal


def test_upload_type_parameters(alice):
    identity = waiting(alice, "text/plain; charset=utf-8")
    target = alice.signed(identity, upload=True)
    assert put(alice, target, b"x", "text/plain;charset=UTF-8").status < 300


def test_retry_with_the_same_bytes(alice):
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    first = put(alice, target, b"the same")
    again = put(alice, target, b"the same")
    assert first.status < 300 and again.status < 300, (first, again)
    assert first.headers["ETag"] == again.headers["ETag"]
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 2


def test_other_bytes_after_completion(alice):
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    assert put(alice, target, b"the first").status < 300
    checks.outcome(put(alice, target, b"the other"), 409)
    checks.outcome(put(alice, target, b""), 409)
    assert alice.get(f"Binary/{identity}").body == b"the first"
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 2


def test_concurrent_uploads_of_the_same_bytes(alice):
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    body = content.noise(400_000)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: put(alice, target, body), range(12)))
    assert all(answer.status < 300 for answer in answers), [answer.status for answer in answers]
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 2
    assert alice.get(f"Binary/{identity}").body == body


def test_concurrent_uploads_of_other_bytes(alice):
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    bodies = [b"%d" % number * 50_000 for number in range(10)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda body: put(alice, target, body), bodies))
    winners = [body for body, answer in zip(bodies, answers) if answer.status < 300]
    assert len(winners) == 1, [answer.status for answer in answers]
    assert sorted({answer.status for answer in answers if answer.status >= 300}) == [409]
    assert alice.get(f"Binary/{identity}").body == winners[0]
    assert alice.json(f"Binary/{identity}/_history").json()["total"] == 2


def test_aborted_upload_leaves_nothing(alice):
    from harness import wire
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    with alice.server.connect() as wired:
        wired.send(wire.head("PUT", target, [("Host", "x"), ("Content-Type", "text/plain"),
                                             ("Content-Length", "1000000")]) + b"x" * 5000)
    alice.server.wait_idle()
    assert alice.get(f"Binary/{identity}").status == 404
    assert put(alice, target, b"whole").status < 300
    assert alice.get(f"Binary/{identity}").body == b"whole"


def test_upload_url_expires(alice, key):
    identity = waiting(alice)
    version = "3e6b9c2a-1111-4000-8000-%012x" % int(time.time())
    target = signed_by_hand(alice, key, identity, version, int(time.time()) - 1, "PUT")
    checks.outcome(put(alice, target, b"late"), 410, "expired")
    target = signed_by_hand(alice, key, identity, version, int(time.time()) + 60, "PUT")
    assert put(alice, target, b"in time").status < 300


def test_upload_to_a_deleted_binary(alice):
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    alice.call("DELETE", f"Binary/{identity}")
    answer = put(alice, target, b"x")
    assert answer.status in (404, 409, 410), answer
    checks.outcome(answer, answer.status)


def test_upload_with_digest_and_gzip(alice):
    import base64
    import gzip
    import hashlib
    identity = waiting(alice)
    target = alice.signed(identity, upload=True)
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    checks.outcome(put(alice, target, b"x", **{"Content-MD5": wrong}), 400)
    assert put(alice, target, gzip.compress(b"packed"), **{"Content-Encoding": "gzip"}).status < 300
    assert alice.get(f"Binary/{identity}").body == b"packed"


def test_bad_upload_signature_is_refused_before_the_body(alice):
    from harness import wire
    target = rebuilt(alice.signed(waiting(alice), upload=True), with_value("Signature", flip))
    with alice.server.connect() as wired:
        wired.send(wire.head("PUT", target, [("Host", "x"), ("Content-Type", "text/plain"),
                                             ("Content-Length", "1000000"), ("Expect", "100-continue")]))
        answer = wired.response()
    assert answer.interim == []
    checks.outcome(answer, 403)


# ---- keys ----

def test_rotation_and_revocation(start):
    server = start(processes=1)
    who = server.project("keys")
    identity, _ = who.upload(b"x")
    old = who.signed(identity)
    server.cli.run("key", "rotate", "--signing")

    def key_of(target):
        return dict(signing.url_parts(target)[2])["Key-Pair-Id"]

    nudge(server)
    new = who.signed(identity)
    assert key_of(new) != key_of(old)
    for target in (old, new):
        for _ in range(4):
            assert server.request("GET", target).status == 200
    server.cli.run("key", "revoke", key_of(old))
    end = time.monotonic() + 30
    while time.monotonic() < end and any(server.request("GET", old).status == 200 for _ in range(6)):
        time.sleep(0.5)
    checks.outcome(server.request("GET", old), 403)
    assert server.request("GET", new).status == 200


def test_disabled_membership_ends_its_urls(start):
    server = start(processes=1)
    project = server.cli.project_create("people")
    one = Client(server, project, server.cli.client_create(project, "one"))
    other = Client(server, project, server.cli.client_create(project, "other"))
    identity, _ = one.upload(b"x")
    [ones, others] = one.signed(identity), other.signed(identity)
    server.cli.run("membership", "disable", dict(signing.url_parts(ones)[2])["Membership"])
    answer = server.request("GET", ones)
    assert answer.status in (401, 403), answer
    checks.outcome(answer, answer.status)
    assert server.request("GET", others).status == 200


# ---- logs ----

def test_signatures_stay_out_of_the_logs(alice, stored):
    """With the shipped LogFormat and at the error log's level of info."""
    target = alice.signed(stored[0])
    assert alice.server.request("GET", target).status == 200
    checks.outcome(alice.server.request("GET", target[:-3] + "abc"), 403)
    alice.server.request("PUT", target, {"Content-Type": "x"}, b"x")
    signature = dict(signing.url_parts(target)[2])["Signature"]
    for log in (alice.server.error_log, alice.server.access_log):
        text = log.read_text(errors="replace")
        assert signature[:20] not in text and "Signature=" not in text
        assert alice.token.split(".")[2][:20] not in text and alice.secret not in text
