"""Everything stays true for every storage plugin: the core of REST on `memory`, and a store that fails."""
import contextlib
import os
import time

import pytest
from harness import checks, content, httpd, wire


def plugins(*names):
    return [f"{name} {httpd.BUILD}/fhir_storage_{name}.so" for name in names]


@pytest.fixture(scope="module")
def memory(postgres):
    """One child: what is in memory belongs to one process."""
    with httpd.Server(postgres, mpm="event", processes=1, directives={
            "FhirBinaryStoragePlugin": plugins("memory"), "FhirBinaryStore": "main memory"}) as running:
        yield running.project("memory")


@pytest.mark.parametrize("size", [0, 1, 5000, 3_000_000])
def test_memory_round_trip(memory, size):
    data = content.noise(size)
    identity, version = memory.upload(data, "image/png", {"X-Security-Context": "Patient/1"})
    answer = memory.get(f"Binary/{identity}")
    assert answer.body == data and answer.headers["Content-Length"] == str(size)
    head = memory.call("HEAD", f"Binary/{identity}")
    assert head.headers.get("Content-Length", "0") == str(size)  # httpd itself leaves out a 0 on HEAD
    if size:
        import base64
        assert base64.b64decode(checks.binary(memory.json(f"Binary/{identity}"))["data"]) == data
        part = memory.get(f"Binary/{identity}", {"Range": "bytes=-1"})
        assert part.status == 206 and part.body == data[-1:]
    if size > 100:
        parts = memory.get(f"Binary/{identity}", {"Range": "bytes=0-9,50-59"})
        assert parts.status == 206 and data[:10] in parts.body and data[50:60] in parts.body
        assert int(parts.headers["Content-Length"]) == len(parts.body)
    assert memory.server.request("GET", memory.signed(identity)).body == data
    memory.replace(identity, b"new", "image/png")
    assert memory.get(f"Binary/{identity}/_history/{version}").body == data
    assert memory.call("DELETE", f"Binary/{identity}").status == 204


def test_memory_too_large_keeps_nothing(start):
    server = start(mpm="event", processes=1, directives={
        "FhirBinaryStoragePlugin": plugins("memory"), "FhirBinaryStore": "main memory",
        "FhirBinaryMaxObjectSize": "64K"})
    who = server.project("memory")
    checks.outcome(who.call("POST", "Binary", {"Content-Type": "a/b"}, chunks=[b"x" * 10_000] * 8), 413)
    assert server.sql("SELECT count(*) FROM fhir_binary.object") == [["0"]]


# ---- a store that fails ----

FAULTS = [("writer_write", "no_space", 507), ("writer_write", "unavailable", 503), ("writer_write", "timeout", 503),
          ("writer_write", "throttled", 503), ("writer_write", "denied", 500), ("writer_begin", "unavailable", 503),
          ("writer_begin", "no_space", 507), ("writer_begin", "internal", 500), ("writer_commit", "no_space", 507),
          ("writer_commit", "unavailable", 503), ("writer_commit", "internal", 500), ("locate", "internal", 500)]


@contextlib.contextmanager
def faulty(postgres, *rules):
    """A server whose store fails by rules such as fail=writer_write:*:no_space."""
    made = httpd.Server(postgres, mpm="event", processes=1)
    made.directives["FhirBinaryStoragePlugin"] = plugins("filesystem", "faulty")
    made.directives["FhirBinaryStore"] = [f"under filesystem path={made.stores}/under",
                                          "main faulty inner=under " + " ".join(rules)]
    made.directives["FhirBinaryDefaultStore"] = "main"
    with made as server:
        server.who = server.project("faults")
        server.expect_log("fhir_binary")
        yield server
        server.check_log()


def leftovers(server):
    """(Binaries, pending rows, files in the store)."""
    server.wait_idle()
    [[binaries, pending]] = server.sql("SELECT (SELECT count(*) FROM fhir_binary.binary), "
                                       "(SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL)")
    return int(binaries), int(pending), sum(len(names) for _, _, names in os.walk(server.stores))


@pytest.mark.parametrize("operation, fault, status", FAULTS)
def test_failing_upload(postgres, operation, fault, status):
    """The right status, no visible version, nothing left over; and later uploads work."""
    with faulty(postgres, f"fail={operation}:1:{fault}") as server:
        answer = server.who.call("POST", "Binary", {"Content-Type": "text/plain"}, b"x" * 300_000)
        checks.outcome(answer, status, checks.CODES[status] | {"throttled", "timeout", "no-store"})
        assert status != 503 or int(answer.headers["Retry-After"]) > 0, answer
        # A store that was out of reach at the commit may still make an object of it: its row stays until it is cleared.
        assert leftovers(server) == (0, 1 if (operation, fault) == ("writer_commit", "unavailable") else 0, 0)
        server.cli.run("store", "orphans", "--remove", "--older-than", "0s", check=False)
        assert leftovers(server) == (0, 0, 0)
        identity, _ = server.who.upload(b"later")
        assert server.who.get(f"Binary/{identity}").body == b"later"


def test_failing_update_and_signed_upload(postgres):
    with faulty(postgres, "fail=writer_write:2:no_space") as server:
        identity, version = server.who.upload(b"kept", "text/plain")
        checks.outcome(server.who.call("PUT", f"Binary/{identity}", {"Content-Type": "text/plain"}, b"lost"), 507)
        assert server.who.get(f"Binary/{identity}").headers["ETag"] == f'"{version}"'
        assert server.who.json(f"Binary/{identity}/_history").json()["total"] == 1
        assert leftovers(server) == (1, 0, 1)
    with faulty(postgres, "fail=writer_commit:2:unavailable") as server:
        identity, version = server.who.upload(b"kept", "text/plain")
        target = server.who.signed(identity, upload=True)
        checks.outcome(server.request("PUT", target, {"Content-Type": "text/plain"}, b"lost"), 503)
        assert server.who.get(f"Binary/{identity}").body == b"kept"
        assert server.request("PUT", target, {"Content-Type": "text/plain"}, b"retried").status < 300
        assert server.who.get(f"Binary/{identity}").body == b"retried"


def test_commit_whose_answer_is_lost(postgres):
    """The store has the object but could not say so: an error, no version, and no object that no row knows."""
    with faulty(postgres, "lose=writer_commit:1:unavailable") as server:
        answer = server.who.call("POST", "Binary", {"Content-Type": "text/plain"}, b"x" * 1000)
        checks.outcome(answer, 503)
        binaries, pending, files = leftovers(server)
        assert binaries == 0 and files <= pending, (pending, files)


@pytest.mark.parametrize("rule, status", [("fail=reader_open:1:unavailable", 503), ("fail=reader_open:1:not_found", 500),
                                          ("fail=reader_open:1:internal", 500), ("fail=reader_open:1:corrupt", 500),
                                          ("fail=reader_open:1:denied", 500), ("fail=reader_open:1:timeout", 503)])
def test_failing_read(postgres, rule, status):
    """Bytes that the store has lost are our failure, never the client's 404."""
    with faulty(postgres, rule) as server:
        identity, _ = server.who.upload(b"x" * 1000)
        answer = server.who.get(f"Binary/{identity}")
        checks.outcome(answer, status, checks.CODES[status] | {"timeout", "incomplete"})
        assert server.who.get(f"Binary/{identity}").body == b"x" * 1000


@pytest.mark.parametrize("rule", ["fail=reader_read:3:unavailable", "short_read=3"])
def test_read_that_breaks_off_is_never_taken_for_whole(postgres, rule):
    with faulty(postgres, rule) as server:
        data = content.noise(3_000_000)
        identity, _ = server.who.upload(data)
        for headers in ({}, {"Accept": checks.FHIR_JSON}):
            try:
                answer = server.who.get(f"Binary/{identity}", headers)
            except wire.WireError:
                break
            assert answer.status >= 500 or len(answer.body) >= len(data), answer.status
        server.wait_idle()


def test_slow_store_is_waited_for(postgres):
    with faulty(postgres, "delay=reader_open:1:1000") as server:
        identity, _ = server.who.upload(b"x")
        started = time.monotonic()
        assert server.who.get(f"Binary/{identity}").status == 200
        assert 0.9 < time.monotonic() - started < 5
