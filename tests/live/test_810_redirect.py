"""Redirect mode: signed reads are answered by the store itself, and uploads go there directly. On a store that is ours
(tests/live/plugins), and on a real S3 server where there is one."""
import concurrent.futures
import datetime
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path

import pytest
from access.world import member, patient
from harness import checks, httpd, signing, stores, wire
from harness.direct_store import DirectStore
from test_150_token import nudge

FHIR = {"Content-Type": checks.FHIR_JSON}
BACKENDS = ["ours", pytest.param("s3-http", marks=pytest.mark.object_store), pytest.param("azure", marks=pytest.mark.object_store)]
OURS = pytest.mark.parametrize("place", ["ours"], indirect=True)  # the others can't be broken like that
REFUSED = (400, 403)


class Place:
    """A server whose default store redirects, and the store's own side."""

    def __init__(self, kind):
        self.kind = kind
        self.directory = Path(tempfile.mkdtemp(prefix="fhd."))
        self.directory.chmod(0o755)
        self.store = DirectStore(self.directory, httpd.USER) if kind == "ours" else None
        self.servers = []

    def start(self, postgres, directives=None, **how):
        server = httpd.Server(postgres, **how)
        if self.store:
            server.directives.update(self.store.directives(httpd.BUILD, server.stores))
        else:
            server.store = stores.Store(server.stores, self.kind)
            server.directives.update({**server.store.directives(httpd.BUILD), "FhirBinaryStoreRedirect": "main all"})
        server.directives.update(directives or {})
        self.servers.append(server)
        return server.start()

    def end(self):
        try:
            for server in self.servers:
                server.stop()
                server.check_log()
        finally:
            for server in self.servers:
                server.discard()
            if self.store:
                self.store.shutdown()
                self.store.server_close()
            shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module", params=BACKENDS)
def place(request, postgres):
    made = Place(request.param)
    made.server = made.start(postgres, {"FhirBinaryInlineContentTypes": "image/* text/plain application/pdf"})
    made.alice = made.server.project("Direct hospital")
    yield made
    made.end()


@pytest.fixture
def another(request, postgres, place):
    """A server of one's own on the same kind of store: another(directives)."""
    made = Place(place.kind)
    yield lambda directives=None, **how: made.start(postgres, directives, **how)
    made.end()


@pytest.fixture
def server(place):
    return place.server


@pytest.fixture
def alice(place):
    return place.alice


class Answer:
    def __init__(self, got):
        self.status, self.headers, self.body = got.status, got.headers, got.read()

    def __repr__(self):
        return f"{self.status}\n{self.headers}\n{self.body[:500]!r}"


def fetch(method, url, headers=None, body=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request(method, parts.path + "?" + parts.query, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def redirected(server, target, headers=None):
    """Where the signed URL leads to."""
    answer = server.request("GET", target, headers)
    assert answer.status == 307, answer
    return answer.headers["Location"]


def png(client, data=b"\x89PNG picture", content_type="image/png", name="a.png"):
    return client.upload(data, content_type, query=f"?_filename={name}")


# ---- reads ----

def test_a_signed_read_is_sent_to_the_store(server, alice):
    data = os.urandom(100_000)
    identity, _ = png(alice, data)
    answer = server.request("GET", alice.signed(identity))
    assert answer.status == 307 and answer.body == b"", answer
    cache = answer.headers["Cache-Control"]
    assert cache.startswith("private, max-age=") and 0 < int(cache.split("=")[1]) <= 300, answer
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    # A cache that asks again must not be told that a Location is still good.
    assert "ETag" not in answer.headers and "Last-Modified" not in answer.headers, answer
    got = fetch("GET", answer.headers["Location"])
    assert got.status == 200 and got.body == data, got
    assert got.headers["Content-Type"] == "image/png"
    assert got.headers["Content-Disposition"].startswith("inline") and "a.png" in got.headers["Content-Disposition"]
    assert "private" in got.headers["Cache-Control"] and "immutable" in got.headers["Cache-Control"]


def test_clients_that_follow_get_the_bytes_and_ranges(server, alice):
    data = bytes(range(256)) * 400
    identity, _ = png(alice, data, "video/mp4", "v.mp4")
    url = server.base + alice.signed(identity)[1:]
    run = subprocess.run(["curl", "-sSfL", url], stdout=subprocess.PIPE, check=True)
    assert run.stdout == data
    run = subprocess.run(["curl", "-sSfL", "-r", "1000-1999", "-D", "-", "-o", "/dev/null", url], stdout=subprocess.PIPE, check=True)
    assert b"206" in run.stdout and f"bytes 1000-1999/{len(data)}".encode() in run.stdout
    location = redirected(server, alice.signed(identity))
    got = fetch("GET", location, {"Range": "bytes=5-9"})
    assert got.status == 206 and got.body == data[5:10], got


def test_what_may_not_be_shown_is_saved(server, alice):
    for content_type in "application/zip", "text/html", "application/octet-stream", "text/html; charset=utf-8":
        identity, _ = png(alice, b"<script>alert(1)</script>", content_type, "x.bin")
        got = fetch("GET", redirected(server, alice.signed(identity)))
        assert got.headers["Content-Disposition"].startswith("attachment"), (content_type, got)


@pytest.mark.parametrize("content_type", ["image/svg+xml", "text/plain", "IMAGE/SVG+XML"])
def test_what_may_run_something_comes_from_us_with_its_sandbox(server, alice, content_type):
    identity, _ = png(alice, b"<svg/>", content_type, "x.svg")
    answer = server.request("GET", alice.signed(identity))
    assert answer.status == 200 and answer.body == b"<svg/>", answer
    assert "sandbox" in answer.headers["Content-Security-Policy"] and answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pdf_is_shown(server, alice):
    identity, _ = png(alice, b"%PDF-1.4", "application/pdf", "x.pdf")
    assert fetch("GET", redirected(server, alice.signed(identity))).headers["Content-Disposition"].startswith("inline")


def test_what_the_store_can_not_answer_comes_from_us(server, alice):
    identity, version = png(alice, b"0123456789")
    target = alice.signed(identity)
    head = server.request("HEAD", target)
    assert head.status == 200 and head.headers["Content-Length"] == "10" and head.headers["ETag"] == f'"{version}"', head
    assert "Repr-Digest" in head.headers
    same = server.request("GET", target, {"If-None-Match": f'"{version}"'})
    assert same.status == 304, same
    assert server.request("GET", target, {"If-None-Match": '"other"'}).status == 307
    for headers in ({"If-Match": f'"{version}"'}, {"If-Unmodified-Since": head.headers["Last-Modified"]},
                    {"Authorization": "Bearer x"}, alice.bearer):
        answer = server.request("GET", target, headers)
        assert answer.status == 200 and answer.body == b"0123456789", answer
    checks.outcome(server.request("GET", target, {"If-Match": '"other"'}), 412)
    rest = server.request("GET", target, {"Range": "bytes=7-", "If-Range": f'"{version}"'})  # begun at ours, goes on at ours
    assert rest.status == 206 and rest.body == b"789", rest
    assert server.request("GET", target, {"Range": "bytes=7-", "If-Range": '"the store\'s"'}).status == 307
    parts = server.request("GET", target, {"Range": "bytes=0-1,4-5"})
    assert parts.status == 206 and "multipart/byteranges" in parts.headers["Content-Type"], parts


def test_reads_with_a_token_never_leave(server, alice):
    identity, version = png(alice, b"bearer")
    for target in f"Binary/{identity}", f"Binary/{identity}/_history/{version}":
        answer = alice.get(target)
        assert answer.status == 200 and answer.body == b"bearer", answer


def signed_until(server, target, expires):
    """The same URL with another end, signed as the server would."""
    binary, version, pairs = signing.url_parts(target)
    fields = dict(pairs)
    [[material]] = server.sql(f"SELECT material FROM fhir_binary.signing_key WHERE id = '{fields['Key-Pair-Id']}'")
    return signing.sign_url("GET", binary, version, expires, fields["Key-Pair-Id"], fields["Membership"], bytes.fromhex(material))


def test_the_stores_url_ends_no_later_than_ours(server, alice):
    identity, _ = png(alice, b"short")
    expires = int(time.time()) + 4
    target = signed_until(server, alice.signed(identity), expires)
    answer = server.request("GET", target)
    assert answer.status == 307 and int(answer.headers["Cache-Control"].split("=")[1]) <= 4, answer
    location = answer.headers["Location"]
    assert fetch("GET", location).body == b"short"
    time.sleep(max(0, expires + 1.5 - time.time()))
    checks.outcome(server.request("GET", target), 410)
    assert fetch("GET", location).status in REFUSED


def test_the_stores_url_lives_as_long_as_one_of_ours(server, alice):
    """However long a URL of ours lives that was issued before the site changed its mind."""
    identity, _ = png(alice)
    location = redirected(server, signed_until(server, alice.signed(identity), int(time.time()) + 30 * 24 * 3600))
    fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    if "se" in fields:
        rest = datetime.datetime.fromisoformat(fields["se"].replace("Z", "+00:00")).timestamp() - time.time()
    else:
        rest = int(fields["X-Amz-Expires"]) if "X-Amz-Expires" in fields else int(fields["expires"]) - time.time()
    assert 3500 < rest <= 3601, fields


def test_tampering(server, alice):
    identity, _ = png(alice, b"mine")
    target = alice.signed(identity)
    other, _ = png(alice, b"other")
    checks.outcome(server.request("GET", target.replace(identity, other)), 403)
    checks.outcome(server.request("GET", target[:-4] + "AAAA"), 403)
    location = redirected(server, target)
    theirs = redirected(server, alice.signed(other))
    swapped = urllib.parse.urlsplit(theirs).path + "?" + urllib.parse.urlsplit(location).query
    parts = urllib.parse.urlsplit(location)
    assert fetch("GET", f"{parts.scheme}://{parts.netloc}{swapped}").status in REFUSED
    assert fetch("PUT", location, {"Content-Type": "image/png"}, b"x").status in REFUSED
    assert fetch("DELETE", location).status in (*REFUSED, 501)


def test_nobody_is_sent_who_may_not_read(server, place):
    project = server.cli.project_create("people")
    one = httpd.client.Client(server, project, server.cli.client_create(project, "one"))
    identity, _ = png(one)
    target = one.signed(identity)
    assert server.request("GET", target).status == 307
    server.cli.run("membership", "disable", dict(signing.url_parts(target)[2])["Membership"])
    checks.outcome(server.request("GET", target), 403)


def test_without_the_directive_nothing_is_sent(another):
    server = another({"FhirBinaryStoreRedirect": "main off"}, processes=1)
    alice = server.project("off")
    identity, _ = png(alice, b"ours")
    assert server.request("GET", alice.signed(identity)).body == b"ours"
    answer = ask(alice, waiting(alice))
    assert [part["name"] for part in answer["parameter"]] == ["url"], answer
    assert answer["parameter"][0]["valueUri"].startswith(server.storage_base)


def test_scripts_of_other_origins(another):
    server = another({"FhirBinaryCORSOrigins": "https://app.example.org"}, processes=1)
    alice = server.project("cors")
    identity, _ = png(alice)
    answer = server.request("GET", alice.signed(identity), {"Origin": "https://app.example.org"})
    assert answer.status == 307 and answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org", answer


@OURS
def test_a_store_without_urls_now(another):
    """What the store can't sign goes through us."""
    server = another(processes=1)
    broken = server_store(server).broken
    alice = server.project("broken")
    identity, _ = png(alice, b"still here")
    broken.touch()
    server.expect_log("asking the store for a URL")
    try:
        answer = server.request("GET", alice.signed(identity))
        assert answer.status == 200 and answer.body == b"still here", answer
        waits = waiting(alice)
        answer = ask(alice, waits)
        assert [part["name"] for part in answer["parameter"]] == ["url"], answer
        assert server.sql("SELECT count(*) FROM fhir_binary.direct_upload")[0][0] == "0"
    finally:
        broken.unlink()
    assert server.request("GET", alice.signed(identity)).status == 307


def server_store(server):
    line = next(line for line in server.directives["FhirBinaryStore"] if line.startswith("main "))
    broken = next(word for word in line.split() if word.startswith("broken="))

    class Side:
        pass
    side = Side()
    side.broken = Path(broken.split("=", 1)[1])
    return side


# ---- direct uploads ----

def waiting(client, content_type="image/png", context=None):
    body = {"resourceType": "Binary", "contentType": content_type}
    if context:
        body["securityContext"] = {"reference": context}
    return checks.created(client.call("POST", "Binary", FHIR, json.dumps(body).encode()), client.server.fhir_base)[0]


def ask(client, identity, query="?upload=true&direct=true"):
    answer = client.get(f"Binary/{identity}/$presigned-url{query}")
    assert answer.status == 200, answer
    return answer.json()


class Upload:
    """What the operation answered."""

    def __init__(self, client, identity):
        self.server = client.server
        self.client, self.id = client, identity
        parameters = ask(client, identity)["parameter"]
        self.headers, found = {}, {}
        for parameter in parameters:
            if parameter["name"] == "header":
                name, value = parameter["part"]
                assert (name["name"], value["name"]) == ("name", "value"), parameters
                self.headers[name["valueString"]] = value["valueString"]
            else:
                found[parameter["name"]] = next(value for key, value in parameter.items() if key != "name")
        assert set(found) == {"url", "method", "expires", "complete"} and found["method"] == "PUT", parameters
        self.url, self.expires, self.complete_url = found["url"], found["expires"], found["complete"]
        assert not self.url.startswith(self.server.base) and self.complete_url.startswith(self.server.storage_base)
        self.target = self.complete_url[len(self.server.base) - 1:]
        self.version = signing.url_parts(self.target)[1]

    def put(self, data, headers=None):
        return fetch("PUT", self.url, self.headers if headers is None else headers, data)

    def sent(self, data):
        answer = self.put(data)
        assert answer.status in (200, 201), answer
        return self

    def complete(self, method="POST", headers=None):
        return self.server.request(method, self.target, headers)

    def completed(self):
        answer = self.complete()
        assert answer.status == 200 and answer.headers["ETag"] == f'W/"{self.version}"', answer
        assert answer.headers["Location"] == f"{self.server.fhir_base}Binary/{self.id}/_history/{self.version}", answer
        return answer

    def row(self):
        """state of the upload; with a + while somebody has a turn at it; None: forgotten."""
        rows = self.server.sql("SELECT state || CASE WHEN lease IS NULL THEN '' ELSE '+' END FROM fhir_binary.direct_upload "
                               f"WHERE version_id = '{self.version}'")
        return rows[0][0] if rows else None

    def due(self, expired=False):
        """Time passes: the worker looks now."""
        more = ", expires_at = clock_timestamp() - interval '2 hours'" if expired else ""
        self.server.sql("UPDATE fhir_binary.direct_upload SET due_at = clock_timestamp() - interval '1 second'"
                        f"{more} WHERE version_id = '{self.version}'")

    def until(self, state, within=30):
        """... and no turn: with state 2, what was sent is removed by then."""
        end = time.monotonic() + within
        while self.row() != state:
            assert time.monotonic() < end, (self.row(), self.server.log_text()[-2000:])
            time.sleep(0.1)

    def is_there(self):
        """At the store: a second PUT is refused while something is there."""
        return self.put(b"probe").status not in (200, 201)


def upload(client, content_type="image/png", context=None):
    return Upload(client, waiting(client, content_type, context))


def unseen(up):
    checks.outcome(up.client.get(f"Binary/{up.id}"), 404)
    assert up.server.sql(f"SELECT count(*) FROM fhir_binary.binary_version WHERE version_id = '{up.version}'")[0][0] == "0"


def test_a_direct_upload(server, alice):
    data = os.urandom(300_000)
    up = upload(alice)
    unseen(up)
    up.sent(data)
    unseen(up)
    answer = up.completed()
    got = alice.get(f"Binary/{up.id}")
    assert got.body == data and got.headers["Content-Type"] == "image/png", got
    [row] = server.sql("SELECT o.size, encode(o.sha256, 'hex'), encode(o.sha1, 'hex') FROM fhir_binary.object o JOIN "
                       f"fhir_binary.binary_version v USING (object_key) WHERE v.version_id = '{up.version}'")
    assert list(row) == [str(len(data)), hashlib.sha256(data).hexdigest(), hashlib.sha1(data).hexdigest()]
    assert up.row() is None
    again = up.complete()
    assert again.status == 200 and again.headers["ETag"] == answer.headers["ETag"], again
    assert server.sql(f"SELECT count(*) FROM fhir_binary.binary_version WHERE binary_id = '{up.id}'")[0][0] == "2"
    assert server.request("GET", alice.signed(up.id)).status == 307


def test_an_old_version_stays_until_then(server, alice):
    identity, version = png(alice, b"old")
    up = Upload(alice, identity).sent(b"new")
    got = alice.get(f"Binary/{identity}")
    assert got.body == b"old" and got.headers["ETag"] == f'"{version}"', got
    checks.outcome(alice.get(f"Binary/{identity}/_history/{up.version}"), 404)
    up.completed()
    assert alice.get(f"Binary/{identity}").body == b"new"
    assert alice.get(f"Binary/{identity}/_history/{version}").body == b"old"


def test_empty_content(alice):
    up = upload(alice).sent(b"")
    up.completed()
    got = alice.get(f"Binary/{up.id}")
    assert got.status == 200 and got.body == b"", got


def test_what_is_there_is_not_replaced(alice):
    up = upload(alice).sent(b"first")
    assert up.put(b"second").status in (403, 409, 412)
    up.completed()
    assert up.put(b"third").status in (403, 409, 412)
    assert alice.get(f"Binary/{up.id}").body == b"first"


def test_headers_must_be_sent(place, alice):
    up = upload(alice)
    assert up.headers, "the store's headers are told"
    named = next(name for name in up.headers if name.lower() == "content-type")
    # Azure signs no headers. What type the content has is ours to say, and its permission `c` lets nothing be replaced.
    needed = [name for name in up.headers if place.kind != "azure" or name.lower() == "x-ms-blob-type"]
    assert needed
    for left_out in needed:
        answer = up.put(b"x", {name: value for name, value in up.headers.items() if name != left_out})
        assert answer.status in REFUSED, (left_out, answer)
    if named in needed:
        assert up.put(b"x", {**up.headers, named: "text/html"}).status in REFUSED
    up.sent(b"x").completed()
    assert alice.get(f"Binary/{up.id}").headers["Content-Type"] == "image/png"


def test_complete_before_the_content_is_there(alice):
    up = upload(alice)
    for _ in range(3):
        assert "PUT" in checks.outcome(up.complete(), 409)["diagnostics"]
    up.sent(b"late").completed()
    assert alice.get(f"Binary/{up.id}").body == b"late"


def test_complete_by_another_method_or_url(server, alice):
    up = upload(alice).sent(b"x")
    for method in "GET", "HEAD", "PUT":
        answer = up.complete(method, {"Content-Type": "image/png"} if method == "PUT" else None)
        assert answer.status == 403, answer
    ordinary = alice.signed(up.id, upload=True)
    checks.outcome(server.request("POST", ordinary), 403)
    checks.outcome(server.request("POST", alice.signed(waiting_with_content(alice))), 403)
    checks.outcome(server.request("POST", up.target[:-4] + "AAAA"), 403)
    checks.outcome(server.request("POST", up.target.replace(up.version, str(uuid.uuid4()))), 403)
    other = upload(alice)
    checks.outcome(server.request("POST", other.target.replace(other.id, up.id)), 403)
    unseen(up)
    up.completed()


def waiting_with_content(client):
    return png(client)[0]


def test_complete_by_another_key(another):
    server = another(processes=1)
    alice = server.project("keys")
    up = upload(alice).sent(b"x")
    server.cli.run("key", "rotate", "--signing")
    nudge(server)
    new = upload(alice)
    key = dict(signing.url_parts(up.target)[2])["Key-Pair-Id"]
    assert dict(signing.url_parts(new.target)[2])["Key-Pair-Id"] != key
    checks.outcome(server.request("POST", up.target.replace(key, dict(signing.url_parts(new.target)[2])["Key-Pair-Id"])), 403)
    up.completed()
    revoked = new.sent(b"y")
    server.cli.run("key", "revoke", dict(signing.url_parts(new.target)[2])["Key-Pair-Id"])
    end = time.monotonic() + 20
    while new.complete().status != 403 and time.monotonic() < end:
        time.sleep(0.2)
    checks.outcome(new.complete(), 403)
    revoked.due()
    revoked.until("2")
    unseen(revoked)


def test_many_calls_at_once(server, alice):
    up = upload(alice).sent(os.urandom(2_000_000))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: up.complete(), range(8)))
    assert [answer.status for answer in answers] == [200] * 8, answers
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert server.sql(f"SELECT count(*) FROM fhir_binary.binary_version WHERE binary_id = '{up.id}'")[0][0] == "2"


def test_the_worker_completes(server, alice):
    up = upload(alice).sent(b"nobody called")
    up.due()
    up.until(None)
    assert alice.get(f"Binary/{up.id}").body == b"nobody called"
    up.completed()


def test_the_worker_and_the_client_at_once(alice):
    uploads = [upload(alice).sent(os.urandom(500_000)) for _ in range(6)]
    for up in uploads:
        up.due()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(Upload.complete, uploads))
    assert [answer.status for answer in answers] == [200] * 6, answers


def test_the_worker_forgets_what_never_came(server, alice):
    up = upload(alice)
    up.due()
    end = time.monotonic() + 20
    while server.sql(f"SELECT due_at > clock_timestamp() + interval '30 seconds' FROM fhir_binary.direct_upload WHERE version_id = '{up.version}'") != [["t"]]:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert up.row() == "1"  # there is time
    up.due(expired=True)
    up.until(None)
    unseen(up)
    assert server.sql("SELECT count(*) FROM fhir_binary.object o WHERE committed_at IS NULL AND NOT EXISTS "
                      "(SELECT FROM fhir_binary.direct_upload d WHERE d.object_key = o.object_key)")[0][0] == "0"
    checks.outcome(up.complete(), 410)


def test_too_large(another):
    server = another({"FhirBinaryMaxObjectSize": "1000"}, processes=1)
    alice = server.project("small")
    fits = upload(alice).sent(b"x" * 1000)
    fits.completed()
    up = upload(alice).sent(b"x" * 1001)
    checks.outcome(up.complete(), 413)
    assert up.row() == "2"
    checks.outcome(up.complete(), 410)
    unseen(up)
    assert not up.is_there()  # ... so that this probe was stored, which nobody knows but the row
    up.due(expired=True)
    up.until(None)
    other = upload(alice).sent(b"x" * 1001)
    other.due()
    other.until("2")
    unseen(other)


def test_the_membership_ends_in_between(server):
    project = server.cli.project_create("leavers")
    one = httpd.client.Client(server, project, server.cli.client_create(project, "one"))
    up, later = upload(one).sent(b"x"), upload(one).sent(b"y")
    server.cli.run("membership", "disable", dict(signing.url_parts(up.target)[2])["Membership"])
    checks.outcome(up.complete(), 403)
    for each in up, later:
        each.due()
        each.until("2")
        assert server.sql(f"SELECT count(*) FROM fhir_binary.binary_version WHERE version_id = '{each.version}'")[0][0] == "0"
    assert not up.is_there()


def test_the_binary_goes_to_somebody_else_in_between(server, alice):
    own, other = (f"Patient/{alice.call('POST', 'Patient', FHIR, json.dumps(patient()).encode()).json()['id']}" for _ in range(2))
    client = member(server, alice, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient"}], "narrow", patient=own)
    up = upload(client, context=own).sent(b"secret")
    second = upload(client, context=own).sent(b"fine")
    moved = {"resourceType": "Binary", "id": up.id, "contentType": "image/png", "securityContext": {"reference": other}}
    answer = alice.call("PUT", f"Binary/{up.id}", FHIR, json.dumps(moved).encode())
    assert answer.status == 200, answer
    checks.outcome(up.complete(), 403)
    up.due()
    up.until("2")
    assert server.sql(f"SELECT count(*) FROM fhir_binary.binary_version WHERE version_id = '{up.version}'")[0][0] == "0"
    second.completed()
    assert client.get(f"Binary/{second.id}").body == b"fine"


def test_who_may_not_update_gets_no_url(server, alice):
    own = f"Patient/{alice.call('POST', 'Patient', FHIR, json.dumps(patient()).encode()).json()['id']}"
    reader = member(server, alice, [{"resourceType": "Patient", "criteria": "Patient?_compartment=%patient", "readonly": True}], "reader", patient=own)
    identity = waiting(alice, context=own)
    before = server.sql("SELECT count(*) FROM fhir_binary.direct_upload")
    checks.outcome(reader.get(f"Binary/{identity}/$presigned-url?upload=true&direct=true"), 403)
    assert server.sql("SELECT count(*) FROM fhir_binary.direct_upload") == before


def test_the_binary_is_deleted_in_between(alice):
    up = upload(alice).sent(b"x")
    assert alice.call("DELETE", f"Binary/{up.id}").status == 204
    checks.outcome(up.complete(), 410)
    up.due()
    up.until("2")
    assert not up.is_there()


def test_another_version_comes_in_between(alice):
    up = upload(alice).sent(b"direct")
    alice.replace(up.id, b"by put", "image/png")
    up.completed()
    assert alice.get(f"Binary/{up.id}").body == b"direct"


def test_the_type_is_what_it_was_when_the_url_was_issued(alice):
    up = upload(alice).sent(b"direct")
    alice.replace(up.id, b"text", "text/plain")
    up.completed()
    assert alice.get(f"Binary/{up.id}").headers["Content-Type"] == "image/png"


def test_httpd_is_killed_in_between(another):
    server = another(processes=1)
    alice = server.project("killed")
    called, left = upload(alice).sent(b"called"), upload(alice).sent(b"left")
    server.expect_log("exit signal|AH")
    for child in server.children():
        os.kill(child, signal.SIGKILL)
    server.wait_log("resuming normal operations")
    end = time.monotonic() + 20
    while True:
        try:
            called.completed()
            break
        except (OSError, wire.WireError):
            assert time.monotonic() < end
            time.sleep(0.2)
    left.due()
    left.until(None)
    assert alice.get(f"Binary/{left.id}").body == b"left" and alice.get(f"Binary/{called.id}").body == b"called"


def test_the_one_who_completed_it_died_before_saying_so(server, alice):
    """The version is there, the row of the upload too."""
    up = upload(alice).sent(b"bytes")
    [row] = server.sql("SELECT project_id, membership_id, key_id, object_key, store, locator FROM fhir_binary.direct_upload "
                       f"WHERE version_id = '{up.version}'")
    up.completed()
    server.sql("INSERT INTO fhir_binary.direct_upload (version_id, project_id, membership_id, key_id, binary_id, content_type, object_key, store, "
               f"locator, expires_at, due_at) VALUES ('{up.version}', '{row[0]}', '{row[1]}', '{row[2]}', '{up.id}', 'image/png', '{row[3]}', "
               f"'{row[4]}', '{row[5]}', now() - interval '1 day', now())")
    up.until(None)
    assert alice.get(f"Binary/{up.id}").body == b"bytes"


@OURS
def test_a_store_that_is_down_meanwhile(another):
    server = another(processes=1)
    broken = server_store(server).broken
    alice = server.project("down")
    up = upload(alice).sent(b"patient")
    broken.touch()
    try:
        server.expect_log("answered 503")
        checks.outcome(up.complete(), 503)
        up.due()
        failed = f"SELECT count(*) FROM fhir_binary.direct_upload WHERE version_id = '{up.version}' AND lease IS NULL AND attempts = 1"
        end = time.monotonic() + 20
        while server.sql(failed) != [["1"]]:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert up.row() == "1"
    finally:
        broken.unlink()
    up.due()
    up.until(None)
    assert alice.get(f"Binary/{up.id}").body == b"patient"


# ---- the operation ----

def test_by_parameters_and_as_xml(server, alice):
    identity = waiting(alice)
    body = {"resourceType": "Parameters", "parameter": [{"name": "upload", "valueBoolean": True}, {"name": "direct", "valueBoolean": True}]}
    answer = alice.call("POST", f"Binary/{identity}/$presigned-url", FHIR, json.dumps(body).encode())
    assert {part["name"] for part in answer.json()["parameter"]} == {"url", "method", "header", "expires", "complete"}, answer
    answer = alice.get(f"Binary/{identity}/$presigned-url?upload=true&direct=true", {"Accept": checks.FHIR_XML})
    assert b'<name value="complete"/><valueUri value="' in answer.body and b"<part><name value=\"name\"/>" in answer.body, answer
    for bad in "direct=1", "direct=true&direct=true", "direct=":
        checks.outcome(alice.get(f"Binary/{identity}/$presigned-url?upload=true&{bad}"), 400)
    body["parameter"][1] = {"name": "direct", "valueString": "true"}
    checks.outcome(alice.call("POST", f"Binary/{identity}/$presigned-url", FHIR, json.dumps(body).encode()), 400)


def test_who_only_looks_registers_nothing(server, alice):
    identity, _ = png(alice)
    before = server.sql("SELECT count(*) FROM fhir_binary.direct_upload")
    assert alice.call("HEAD", f"Binary/{identity}/$presigned-url?upload=true&direct=true").status == 200
    for query in "?upload=true", "?upload=false&direct=true", "?direct=true", "?upload=true&direct=false":
        answer = ask(alice, identity, query)
        assert [part["name"] for part in answer["parameter"]] == ["url"], answer
    assert server.sql("SELECT count(*) FROM fhir_binary.direct_upload") == before


def test_the_operation_is_described(server):
    text = server.request("GET", "/fhir/R4/metadata").text
    assert "direct=true" in text and "complete" in text


# ---- the trail and the logs ----

def events(server, up, where="true"):
    return server.sql("SELECT interaction, action, status, bytes_sent, coalesce(detail, ''), entity_version FROM fhir_binary.audit_event "
                      f"WHERE entity_id = '{up.id}' AND {where} ORDER BY sequence")


def wait_events(server, up, where, count):
    end = time.monotonic() + 10
    while len(events(server, up, where)) < count and time.monotonic() < end:
        time.sleep(0.1)
    found = [list(row) for row in events(server, up, where)]
    assert len(found) == count, found
    return found


def test_events(server, alice):
    up = upload(alice)
    [asked] = wait_events(server, up, "interaction = 'operation'", 1)
    assert asked[4] == "1 signed URL issued; for upload to the store directly", asked
    checks.outcome(up.complete(), 409)
    up.sent(b"x" * 500).completed()
    # Another child may write its events a moment later.
    assert {event[2] for event in wait_events(server, up, "interaction = 'update' AND flags & 1 = 1", 2)} == {"409", "200"}
    target = alice.signed(up.id)
    server.request("GET", target)
    [read] = wait_events(server, up, "interaction = 'read'", 1)
    assert read == ["read", "R", "307", "0", "sent to the store", up.version], read


def test_events_of_the_worker(server, alice):
    up = upload(alice).sent(b"x")
    up.due()
    up.until(None)
    [made] = wait_events(server, up, "interaction = 'update' AND flags & 1 = 1", 1)
    assert made[2] == "200" and made[5] == up.version and "its sender did not call" in made[4], made
    gone = upload(alice).sent(b"x")
    assert alice.call("DELETE", f"Binary/{gone.id}").status == 204
    gone.due()
    gone.until("2")
    [refused] = wait_events(server, gone, "interaction = 'update' AND flags & 1 = 1", 1)
    assert refused[2] == "410", refused


def test_signatures_stay_out_of_the_logs(server, alice):
    up = upload(alice).sent(b"x")
    up.completed()
    location = redirected(server, alice.signed(up.id))
    for log in server.error_log, server.access_log:
        text = log.read_text(errors="replace")
        for url in up.url, location, up.complete_url:
            signature = next(value for key, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query) if key.lower().endswith(("signature", "sig")))
            assert signature not in text
        assert "ignature=" not in text and "&sig=" not in text
