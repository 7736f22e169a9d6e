"""Issue sections 6 and 8: limits, stalled bodies, slow clients, a full disk."""
import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import time

import pytest
from harness import checks, content, httpd, wire
from test_200_create import versions


@pytest.fixture(scope="module")
def small(postgres):
    """A server with small limits and short patience."""
    limits = {"FhirBinaryMaxObjectSize": "1M", "FhirBinaryMaxResourceSize": "256K", "FhirBinaryBodyTimeout": "2s"}
    with httpd.Server(postgres, directives=limits, processes=1) as running:
        running.who = running.project("limits")
        running.who.upload(b"warm")
        yield running


def unchanged(server, before):
    server.wait_idle()
    assert versions(server.who) == before


def test_exactly_the_limit(small):
    data = content.noise(1 << 20)
    identity, _ = small.who.upload(data)
    assert small.who.get(f"Binary/{identity}").body == data


def test_announced_too_large_is_refused_before_reading(small):
    before = versions(small.who)
    for method, target in (("POST", "/fhir/R4/Binary"),):
        with small.connect() as wired:
            wired.send(wire.head(method, target, [
                ("Host", "x"), ("Content-Type", "video/mp4"), ("Content-Length", str((1 << 20) + 1)),
                ("Expect", "100-continue")] + list(small.who.bearer.items())))
            started = time.monotonic()
            answer = wired.response()
        assert answer.interim == [] and time.monotonic() - started < 1.5, answer
        checks.outcome(answer, 413)
    unchanged(small, before)


def test_announced_too_large_without_expect_does_not_drain(small):
    """The answer comes at once although 5 GB were announced, and the connection ends."""
    with small.connect() as wired:
        wired.send(wire.head("POST", "/fhir/R4/Binary", [
            ("Host", "x"), ("Content-Type", "video/mp4"), ("Content-Length", "5000000000")]
            + list(small.who.bearer.items())) + b"x" * 10_000)
        checks.outcome(wired.response(), 413)
        assert wired.closed_by_server(within=6)


def test_unannounced_too_large_keeps_nothing(small):
    before = versions(small.who)
    answer = small.who.call("POST", "Binary", {"Content-Type": "video/mp4"}, chunks=[b"x" * 65536] * 17)
    checks.outcome(answer, 413)
    unchanged(small, before)


def test_update_too_large(small):
    identity, version = small.who.upload(b"kept")
    before = versions(small.who)
    answer = small.who.call("PUT", f"Binary/{identity}", {"Content-Type": "video/mp4"}, chunks=[b"x" * 65536] * 17)
    checks.outcome(answer, 413)
    target = small.who.signed(identity, upload=True)
    answer = small.request("PUT", target, {"Content-Type": "application/octet-stream"}, chunks=[b"x" * 65536] * 17)
    checks.outcome(answer, 413)
    unchanged(small, before)
    assert small.who.get(f"Binary/{identity}").headers["ETag"] == f'"{version}"'


def test_resource_over_the_resource_limit(small):
    import base64
    import json
    before = versions(small.who)
    body = json.dumps({"resourceType": "Binary", "contentType": "video/mp4",
                       "data": base64.b64encode(b"x" * 300_000).decode()}).encode()
    checks.outcome(small.who.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, body), 413)
    checks.outcome(small.who.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON},
                                  chunks=[body[:100_000], body[100_000:]]), 413)
    unchanged(small, before)
    # a JSON file that is no Binary is content, not a resource: only the object limit counts
    other = json.dumps({"resourceType": "Bundle", "x": "y" * 300_000}).encode()
    answer = small.who.call("POST", "Binary", {"Content-Type": checks.FHIR_JSON}, other)
    identity, _ = checks.created(answer, small.fhir_base)
    assert small.who.get(f"Binary/{identity}").body == other


def test_gzip_counts_decoded_bytes(small):
    import gzip
    before = versions(small.who)
    answer = small.who.call("POST", "Binary", {"Content-Type": "text/plain", "Content-Encoding": "gzip"},
                            gzip.compress(b"abcdefgh" * 200_000))
    checks.outcome(answer, 413)
    unchanged(small, before)


def stall(server, target, fields, body):
    with server.connect() as wired:
        wired.send(wire.head("POST", target, [("Host", "x")] + fields) + body)
        started = time.monotonic()
        answer = wired.response()
        return answer, time.monotonic() - started


@pytest.mark.parametrize("fields, body", [
    ([("Content-Length", "100000")], b""),
    ([("Content-Length", "100000")], b"x" * 50_000),
    ([("Transfer-Encoding", "chunked")], b"5\r\nhello\r\n"),
    ([("Transfer-Encoding", "chunked")], b"ff\r\nhello"),
], ids=["nothing", "half", "between-chunks", "inside-a-chunk"])
def test_stalled_body_is_408(small, fields, body):
    before = versions(small.who)
    answer, took = stall(small, "/fhir/R4/Binary",
                         [("Content-Type", "text/plain")] + list(small.who.bearer.items()) + fields, body)
    checks.outcome(answer, 408)
    assert 1.5 < took < 8, took
    unchanged(small, before)


def test_stalled_json_body(small):
    before = versions(small.who)
    answer, _ = stall(small, "/fhir/R4/Binary", [("Content-Type", checks.FHIR_JSON), ("Content-Length", "1000")]
                      + list(small.who.bearer.items()), b'{"resourceType":"Binary",')
    checks.outcome(answer, 408)
    unchanged(small, before)


def test_stalled_token_request(small):
    answer, _ = stall(small, "/oauth2/token", [("Content-Type", "application/x-www-form-urlencoded"),
                                               ("Content-Length", "1000")], b"grant_type=client_credentials&")
    assert answer.status in (400, 408), answer


def test_slow_but_steady_upload_is_taken(small):
    """The timeout counts pauses, not the whole."""
    def pieces():
        for number in range(6):
            time.sleep(0.6)
            yield b"%d" % number * 1000
    answer = small.who.call("POST", "Binary", {"Content-Type": "text/plain"}, pieces(), length=6000)
    checks.created(answer, small.fhir_base)


def test_slow_clients_beside_a_fast_one(start):
    """200 uploads that trickle do not hold up anybody: neither a database connection nor a lock is theirs."""
    prefork = httpd.MPM == "prefork"
    count = 50 if prefork else 200
    server = start(processes=2, threads=128, directives={"FhirBinaryDatabasePoolSize": "4"})
    server.expect_log("AH00161")  # httpd's own word about full houses
    who = server.project("slow")
    identity, _ = who.upload(b"quick")
    slow = []
    try:
        for _ in range(count):
            wired = server.connect()
            wired.send(wire.head("POST", "/fhir/R4/Binary", [("Host", "x"), ("Content-Type", "text/plain"),
                                                             ("Content-Length", "1000")] + list(who.bearer.items()))
                       + b"x" * 10)
            slow.append(wired)
        time.sleep(1)
        for wired in slow:
            wired.send(b"x")
        times = []
        for _ in range(30):
            started = time.monotonic()
            assert who.get(f"Binary/{identity}").body == b"quick"
            who.upload(b"also quick")
            times.append(time.monotonic() - started)
        assert sorted(times)[len(times) // 2] < 0.5, times
        for wired in slow:
            wired.send(b"x" * 989)
        done = [wired.response() for wired in slow]
    finally:
        for wired in slow:
            wired.close()
    assert [answer.status for answer in done] == [201] * count


def test_slow_readers_beside_a_fast_one(start):
    server = start(processes=2, threads=64, directives={"FhirBinaryDatabasePoolSize": "4"})
    server.expect_log("AH00161")
    who = server.project("slow readers")
    large, _ = who.upload(content.noise(30 << 20))
    slow = []
    try:
        for _ in range(40):
            wired = server.connect()
            wired.send(wire.head("GET", f"/fhir/R4/Binary/{large}", [("Host", "x")] + list(who.bearer.items())))
            slow.append(wired)
        time.sleep(0.5)
        started = time.monotonic()
        for _ in range(10):
            who.upload(b"quick")
        # A store on this machine takes the processors' time, too.
        assert time.monotonic() - started < (5 if server.store.in_files else 20)
    finally:
        for wired in slow:
            wired.close()


# ---- a full disk ----

def mount_tmpfs(place):
    return os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", place], stderr=subprocess.PIPE).returncode == 0


@pytest.fixture
def tiny_disk(postgres):
    """A server whose store is a file system of 8 MiB. Without the right to mount, the `faulty` store plays it: it
    refuses every write of more than a few bytes."""
    place = tempfile.mkdtemp(prefix="fhd.")
    os.chmod(place, 0o755)
    mounted = mount_tmpfs(place)
    store = os.path.join(place, "store")
    os.mkdir(store, 0o700)
    shutil.chown(store, httpd.USER)
    made = httpd.Server(postgres, processes=1)
    made.directives["FhirBinaryStoragePlugin"] = [f"filesystem {httpd.BUILD}/fhir_storage_filesystem.so"]
    made.directives["FhirBinaryStore"] = [f"main filesystem path={store}"]
    if not mounted:
        made.directives["FhirBinaryStoragePlugin"] += [f"faulty {httpd.BUILD}/fhir_storage_faulty.so"]
        made.directives["FhirBinaryStore"] = [f"under filesystem path={store}",
                                              "main faulty inner=under fail=writer_write:2:no_space"]
        made.directives["FhirBinaryDefaultStore"] = "main"
    made.place = place
    try:
        with made as running:
            running.who = running.project("tiny")
            yield running
    finally:
        if mounted:
            subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(place, ignore_errors=True)


def used(server):
    return sum(len(names) for _, _, names in os.walk(server.place))


def test_disk_full_is_507(tiny_disk):
    server = tiny_disk
    server.expect_log("No space left|no space|507|full")
    identity, version = server.who.upload(b"fits")
    files = used(server)
    for headers, how in (({"Content-Type": "video/mp4"}, {"body": content.Stream(20 << 20), "length": 20 << 20}),
                         ({"Content-Type": "video/mp4"}, {"chunks": [b"x" * 1048576] * 20})):
        for method, target in (("POST", "Binary"), ("PUT", f"Binary/{identity}")):
            answer = server.who.call(method, target, headers, how.get("body"), length=how.get("length"),
                                     chunks=how.get("chunks"))
            checks.outcome(answer, 507)
    server.wait_idle()
    assert used(server) == files
    assert server.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL") == [["0"]]
    assert server.who.get(f"Binary/{identity}").headers["ETag"] == f'"{version}"'
    server.who.upload(b"x" * 100_000)  # there is room again


def test_many_at_once_on_a_full_disk(tiny_disk):
    server = tiny_disk
    server.expect_log("No space left|no space|507|full")
    server.who.upload(b"warm")
    files = used(server)

    def post(number):
        return server.who.call("POST", "Binary", {"Content-Type": "video/mp4"}, content.Stream(1 << 20, number + 1),
                               length=1 << 20).status

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        done = list(pool.map(post, range(24)))
    assert set(done) <= {201, 507} and 507 in done and 201 in done, done
    server.wait_idle()
    assert used(server) == files + done.count(201)
