"""Attachments of other servers: fetched in the background, stored, put into the resource; or left alone."""
import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from harness import checks, content

HERE, ELSEWHERE = "127.0.0.2", "127.0.0.3"  # the one address may be fetched from, the other not
PICTURE = content.noise(5000)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802
        self.server.seen.append((self.path, dict(self.headers)))
        path = self.path.split("?")[0]
        answer = self.server.answers.get(path)
        if callable(answer):
            answer(self)
        elif isinstance(answer, str):
            self.say(302, b"moved", {"Location": answer})
        elif answer is None:
            self.say(404, b"no such thing")
        else:
            self.say(200, answer[1], {"Content-Type": answer[0]})

    def say(self, status, body, fields=None):
        self.send_response(status)
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Https(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, port, context):
        super().__init__((address, port), Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.seen, self.answers = [], {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def url(self, path, host=None):
        return f"https://{host or self.server_address[0]}:{self.server_address[1]}{path}"


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def certificates():
    """A certification authority in a folder that httpd's children can read."""
    folder = Path(tempfile.mkdtemp(prefix="fhx."))
    folder.chmod(0o755)
    names = f"subjectAltName=DNS:localhost,IP:{HERE},IP:{ELSEWHERE},IP:127.0.0.1"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *key, "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(folder, "req", *key, "-subj", "/CN=files", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text(names)
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
            "2", "-extfile", "names", "-out", "server.pem")
    openssl(folder, "req", "-x509", *key, "-days", "2", "-subj", "/CN=files", "-addext", names, "-keyout", "other.key",
            "-out", "other.pem")
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def https(certificates, address, port=0, name="server"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    made = Https(address, port, context)
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


@pytest.fixture
def files(certificates):
    with https(certificates, HERE) as made:
        made.answers["/picture.png"] = ("image/png", PICTURE)
        yield made


@pytest.fixture
def fetching(start, certificates, files):
    """fetching(directives={...}) starts a server that fetches from `files`."""

    def launch(hosts="", **how):
        directives = {"FhirBinaryFetchExternal": "on",
                      "FhirBinaryFetchHosts": f"{HERE}:{files.server_address[1]} {hosts}",
                      "FhirBinaryFetchAddresses": HERE,
                      "FhirBinaryFetchCAFile": str(certificates / "ca.pem"),
                      **how.pop("directives", {})}
        return start(directives=directives, **how)

    return launch


# -- a resource and what becomes of it --

def create(who, *urls, **members):
    patient = {"resourceType": "Patient", "photo": [{"url": url} for url in urls], **members}
    answer = who.call("POST", "Patient", {"Content-Type": checks.FHIR_JSON}, json.dumps(patient).encode())
    assert answer.status == 201, answer
    return answer.json()["id"]


def read(who, identity):
    answer = who.json(f"Patient/{identity}")
    assert answer.status == 200, answer
    return answer.json()


def photos(who, identity):
    return [photo["url"] for photo in read(who, identity)["photo"]]


def until(condition, what, within=20):
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not happen in {within} s: {what}")


def jobs(server):
    """[state, attempts, error, binary] of every job: 1 waiting, 2 done, 3 failed."""
    return server.sql("SELECT state, attempts, error, binary_id FROM fhir_binary.external_fetch ORDER BY created_at")


def finished(server, state="2", within=20):
    until(lambda: jobs(server) and all(job[0] == state for job in jobs(server)), f"state {state} of all jobs", within)
    return jobs(server)


def tried(server, attempts=1, within=20):
    """The only job was tried so often, and waits."""
    def waits():
        found = server.sql("SELECT error FROM fhir_binary.external_fetch WHERE state = 1 AND lease IS NULL "
                           f"AND attempts = {attempts}")
        return found and found[0]
    return until(waits, f"attempt {attempts}", within)[0]


def due_now(server):
    server.sql("UPDATE fhir_binary.external_fetch SET next_attempt = now() WHERE state = 1")


def nothing_left(server):
    assert pending(server) == 0


def pending(server):
    return int(server.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL")[0][0])


def binaries(server):
    return int(server.sql("SELECT count(*) FROM fhir_binary.binary")[0][0])


def failure(server, who, url, reason, requests=None):
    """The URL can't be fetched, is not tried again, and stays."""
    server.expect_log("fetching an attachment of Patient/")
    identity = create(who, url)
    [job] = finished(server, "3")
    assert re.search(reason, job[2]), job
    assert "127.0" not in job[2], "the reason is for people outside too"
    assert photos(who, identity) == [url]
    assert binaries(server) == 0
    nothing_left(server)
    if requests is not None:
        assert len(requests) == 0, requests
    listed = server.cli.run("fetch", "list", "--failed")
    assert url in listed and f"Patient/{identity}" in listed and job[2] in listed, listed
    return job


# -- fetched --

def test_fetched_and_rewritten(fetching, files):
    server = fetching()
    who = server.project("fetch")
    url = files.url("/picture.png?size=large")
    identity = create(who, url, name=[{"family": "Simpson"}], multipleBirthInteger=2)
    first = read(who, identity)["meta"]["versionId"]
    [job] = finished(server)
    patient = read(who, identity)
    assert patient["name"] == [{"family": "Simpson"}] and patient["multipleBirthInteger"] == 2
    assert patient["meta"]["versionId"] != first
    [photo] = patient["photo"]
    assert photo["url"].startswith(server.storage_base), photo
    assert photo["contentType"] == "image/png" and photo["size"] == len(PICTURE)
    assert photo["hash"] == base64.b64encode(hashlib.sha1(PICTURE).digest()).decode()
    assert photo["title"] == "picture.png"
    answer = server.request("GET", photo["url"][len(server.base) - 1:])
    assert answer.status == 200 and answer.body == PICTURE
    assert answer.headers["Content-Type"] == "image/png"
    binary = who.json(f"Binary/{job[3]}").json()
    assert binary["securityContext"]["reference"] == f"Patient/{identity}"
    history = who.json(f"Patient/{identity}/_history").json()
    assert [entry["resource"]["photo"][0]["url"] for entry in history["entry"]][1] == url
    assert len(files.seen) == 1
    path, fields = files.seen[0]
    assert path == "/picture.png?size=large"
    assert not {"Authorization", "Cookie", "Accept-Encoding"} & set(fields), fields
    nothing_left(server)


def test_the_text_of_the_resource_stays(fetching, files):
    """Digits, escapes and unknown members are as the client wrote them."""
    server = fetching()
    who = server.project("text")
    url = files.url("/picture.png")
    body = ('{"resourceType":"Observation","status":"final","code":{"text":"\\u00e4\\/b"},'
            '"valueQuantity":{"value":0.10},"extension":[{"url":"%s","valueUrl":"%s"},'
            '{"url":"http://x.example/a","valueAttachment":{"url":"%s"}}],"unknown":{"n":12345678901234567890}}'
            % (url, url, url.replace("/", "\\/")))
    answer = who.call("POST", "Observation", {"Content-Type": checks.FHIR_JSON}, body.encode())
    assert answer.status == 201, answer
    [job] = finished(server)
    text = who.json(f"Observation/{answer.json()['id']}").text
    assert '"code":{"text":"\\u00e4\\/b"}' in text and '"value":0.10' in text and "12345678901234567890" in text
    assert f'{{"url":"{url}","valueUrl":"{url}"}}' in text, text
    assert server.storage_base + job[3] in text, text


def test_one_url_in_two_places_is_fetched_once(fetching, files):
    server = fetching()
    who = server.project("twice")
    url = files.url("/picture.png")
    identity = create(who, url, url, "https://not-listed.example.org/x.png")
    finished(server)
    one, two, other = photos(who, identity)
    assert one == two and one.startswith(server.storage_base)
    assert other == "https://not-listed.example.org/x.png"
    assert len(files.seen) == 1 and binaries(server) == 1


def test_empty_content_without_type(fetching, files):
    server = fetching()
    who = server.project("empty")
    files.answers["/"] = lambda handler: handler.say(200, b"")
    create(who, files.url("/"))
    [job] = finished(server)
    answer = who.get(f"Binary/{job[3]}")
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Type"] == "application/octet-stream"


def test_redirects_are_followed(fetching, files):
    server = fetching()
    who = server.project("redirect")
    files.answers.update({"/a": "/b", "/b": files.url("/c"), "/c": "picture.png"})
    identity = create(who, files.url("/a"))
    finished(server)
    assert photos(who, identity)[0].startswith(server.storage_base)
    assert len(files.seen) == 4


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_other_mpms(fetching, files, mpm):
    server = fetching(mpm=mpm, processes=4, threads=4)
    who = server.project(mpm)
    identities = [create(who, files.url("/picture.png")) for _ in range(8)]
    finished(server)
    assert all(photos(who, identity)[0].startswith(server.storage_base) for identity in identities)
    assert len(files.seen) == 8


def test_transactions_are_fetched_too(fetching, files):
    server = fetching()
    who = server.project("transaction")
    patient = {"resourceType": "Patient", "photo": [{"url": files.url("/picture.png")}]}
    bundle = {"resourceType": "Bundle", "type": "transaction",
              "entry": [{"resource": patient, "request": {"method": "POST", "url": "Patient"}}] * 2}
    answer = who.call("POST", "", {"Content-Type": checks.FHIR_JSON}, json.dumps(bundle).encode())
    assert answer.status == 200, answer
    assert len(finished(server)) == 2


# -- left alone --

def test_off_keeps_the_url(server, alice, files):
    url = files.url("/picture.png")
    identity = create(alice, url)
    time.sleep(3)
    assert photos(alice, identity) == [url]
    assert jobs(server) == [] and files.seen == []


def test_hosts_that_are_not_listed(fetching, files):
    server = fetching()
    who = server.project("not listed")
    urls = [files.url("/picture.png", "localhost"), files.url("/picture.png").replace("https", "http"),
            files.url("/picture.png").replace("https://", "https://user@"), f"https://{HERE}/picture.png"]
    identity = create(who, *urls)
    assert jobs(server) == []
    assert photos(who, identity) == urls and files.seen == []


def test_on_without_hosts_is_refused(postgres):
    from harness import httpd
    made = httpd.Server(postgres, directives={"FhirBinaryFetchExternal": "on"})
    try:
        code, said = made.configtest()
        assert code != 0 and "FhirBinaryFetchHosts" in said, said
    finally:
        made.discard()


# -- refused --

def test_redirect_to_a_private_address_is_not_followed(fetching, files, certificates):
    with https(certificates, ELSEWHERE, files.server_address[1]) as other:
        other.answers["/secret"] = ("text/plain", b"secret")
        server = fetching(hosts=f"{ELSEWHERE}:{files.server_address[1]}")
        files.answers["/go"] = other.url("/secret")
        failure(server, server.project("private"), files.url("/go"), "address that this server does not connect to",
                other.seen)


def test_name_of_a_private_address(fetching, files, certificates):
    """localhost is listed, its address is not."""
    with https(certificates, "127.0.0.1", files.server_address[1]) as other:
        server = fetching(hosts=f"localhost:{files.server_address[1]}")
        failure(server, server.project("name"), other.url("/picture.png", "localhost"), "does not connect to", other.seen)


@pytest.mark.parametrize("target,reason", [
    ("http://{host}/picture.png", "Only https"), ("https://evil.example/x", "does not fetch from the host"),
    ("https://169.254.169.254/latest/meta-data", "does not fetch from the host"), ("file:///etc/passwd", "https"),
    ("https://user:secret@{host}/picture.png", "user name"), ("/go", "redirects more than 3 times")])
def test_redirects_elsewhere(fetching, files, target, reason):
    server = fetching()
    files.answers["/go"] = target.format(host=f"{HERE}:{files.server_address[1]}")
    failure(server, server.project("elsewhere"), files.url("/go"), reason)
    assert {path for path, _ in files.seen} == {"/go"}


def drip(handler):
    """A body of unknown length, without end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def test_too_large(fetching, files):
    server = fetching(directives={"FhirBinaryFetchMaxSize": "10K"})
    who = server.project("large")
    files.answers["/fits"] = ("image/png", b"x" * 10240)
    files.answers["/large"] = ("image/png", b"x" * 10241)
    files.answers["/endless"] = drip
    create(who, files.url("/fits"))
    finished(server)
    server.sql("DELETE FROM fhir_binary.external_fetch")
    server.expect_log("fetching an attachment of Patient/")
    for path in ("/large", "/endless"):
        create(who, files.url(path))
    for job in finished(server, "3"):
        assert job[2] == "The content is larger than this server fetches."
    assert binaries(server) == 1
    nothing_left(server)


def test_what_uploads_may_not_be_is_not_fetched(fetching, files):
    server = fetching()
    who = server.project("refused")
    files.answers["/script"] = ("application/x-sh; x=y", b"rm -rf /")
    files.answers["/a.exe"] = ("image/png", PICTURE)
    server.expect_log("fetching an attachment of Patient/")
    create(who, files.url("/script"))
    create(who, files.url("/a%2eexe"))
    reasons = " ".join(job[2] for job in finished(server, "3"))
    assert "application/x-sh" in reasons and "*.exe" in reasons
    assert [path for path, _ in files.seen] == ["/script"]
    assert binaries(server) == 0
    nothing_left(server)


# -- three tries --

def test_three_tries_then_a_record(fetching, files):
    server = fetching()
    who = server.project("tries")
    url = files.url("/missing.png")
    identity = create(who, url)
    assert tried(server, 1) == "The other server answered with status 404."
    due_now(server)
    tried(server, 2)
    server.expect_log(f"fetching an attachment of Patient/{identity}.*the last one")
    due_now(server)
    [job] = finished(server, "3")
    assert job[1] == "3"
    assert photos(who, identity) == [url]
    assert len(files.seen) == 3
    # The administrator has had it repaired.
    files.answers["/missing.png"] = ("image/png", PICTURE)
    [[number]] = server.sql("SELECT id FROM fhir_binary.external_fetch")
    server.cli.run("fetch", "retry", number)
    finished(server)
    assert photos(who, identity)[0].startswith(server.storage_base)


def test_slow(fetching, files):
    server = fetching(directives={"FhirBinaryFetchTimeout": "1s"})
    who = server.project("slow")
    gone = threading.Event()
    files.answers["/slow"] = lambda handler: gone.wait(20)
    began = time.monotonic()
    create(who, files.url("/slow"))
    assert tried(server) == "The other server took too long."
    assert time.monotonic() - began < 10
    gone.set()
    nothing_left(server)


def test_wrong_certificate(fetching, files, certificates):
    with https(certificates, HERE, name="other") as other:
        server = fetching(hosts=f"{HERE}:{other.server_address[1]}")
        other.answers["/picture.png"] = ("image/png", PICTURE)
        create(server.project("certificate"), other.url("/picture.png"))
        assert tried(server) == "The other server's certificate could not be verified."
        assert other.seen == []


def test_cut_off(fetching, files):
    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b"x" * 4000)
        handler.close_connection = True
    server = fetching()
    files.answers["/cut"] = cut
    create(server.project("cut"), files.url("/cut"))
    assert "ended too early" in tried(server)
    nothing_left(server)
    assert binaries(server) == 0


# -- while it is fetched --

class Held:
    """An answer that begins and waits until it is let go."""

    def __init__(self):
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.send_header("Content-Length", str(len(PICTURE)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(PICTURE[:100])
            handler.wfile.flush()
            self.begun.set()
            self.free.wait(60)
            handler.wfile.write(PICTURE[100:])


@pytest.fixture
def held(files):
    made = Held()
    files.answers["/held"] = made
    yield made
    made.free.set()


def under_way(server, held):
    """The first bytes are in the store."""
    assert held.begun.wait(20)
    until(lambda: pending(server) == 1, "a pending object")


def put(who, patient):
    answer = who.call("PUT", f"Patient/{patient['id']}", {"Content-Type": checks.FHIR_JSON}, json.dumps(patient).encode())
    assert answer.status == 200, answer


def test_changes_made_meanwhile_stay(fetching, files, held):
    server = fetching()
    who = server.project("meanwhile")
    identity = create(who, files.url("/held"))
    under_way(server, held)
    put(who, {**read(who, identity), "gender": "other"})
    held.free.set()
    finished(server)
    patient = read(who, identity)
    assert patient["gender"] == "other" and patient["photo"][0]["url"].startswith(server.storage_base)


@pytest.mark.parametrize("how", ["changed", "deleted"])
def test_url_that_is_gone_meanwhile(fetching, files, held, how):
    server = fetching()
    who = server.project("gone")
    identity = create(who, files.url("/held"))
    under_way(server, held)
    if how == "changed":
        put(who, {"resourceType": "Patient", "id": identity, "photo": [{"url": "https://x.example.org/other"}]})
    else:
        assert who.call("DELETE", f"Patient/{identity}").status in (200, 204)
    held.free.set()
    [job] = finished(server)
    assert job[3] == ""
    assert binaries(server) == 0
    nothing_left(server)


def holder(server):
    """The child that is connected to the other server."""
    for pid in server.children():
        found = subprocess.run(["ss", "-tnpH", "dst", HERE], stdout=subprocess.PIPE).stdout.decode()
        if f"pid={pid}," in found:
            return pid
    return None


def test_killed_worker(fetching, files, held):
    """The lease ends, somebody else does it."""
    server = fetching()
    who = server.project("killed")
    identity = create(who, files.url("/held"))
    under_way(server, held)
    server.expect_log("exit signal Killed")
    os.kill(until(lambda: holder(server), "a child that downloads"), signal.SIGKILL)
    files.answers["/held"] = ("image/png", PICTURE)
    time.sleep(1)
    assert [job[0] for job in jobs(server)] == ["1"], "it is leased still"
    due_now(server)
    [job] = finished(server)
    assert job[1] == "2"
    assert photos(who, identity)[0].startswith(server.storage_base)
    assert binaries(server) == 1
    # What the killed one had begun is known as pending.
    assert pending(server) == 1


def test_graceful_restart(fetching, files, held):
    """Old children give back what they have; the new ones begin anew."""
    server = fetching()
    who = server.project("graceful")
    identity = create(who, files.url("/held"))
    under_way(server, held)
    files.answers["/held"] = ("image/png", PICTURE)
    server.graceful()
    [job] = finished(server)
    assert job[1] == "1", "given back is not failed"
    assert photos(who, identity)[0].startswith(server.storage_base)
    nothing_left(server)


def test_stop_does_not_wait(fetching, files, held):
    server = fetching()
    create(server.project("stop"), files.url("/held"))
    under_way(server, held)
    began = time.monotonic()
    server.stop(check=False)
    assert time.monotonic() - began < 5
    assert server.sql("SELECT state, attempts, lease IS NULL FROM fhir_binary.external_fetch") == [["1", "0", "t"]]
    nothing_left(server)
