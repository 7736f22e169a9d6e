"""Issue section 9: kill -9 of httpd children and of PostgreSQL in the middle of 500 concurrent uploads.

Every 201 is readable with the right hash afterwards, nothing else is visible, and what is left over is listed by
`fhirbinctl store orphans`."""
import concurrent.futures
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from harness import content, httpd, wire  # noqa: E402
from harness.postgres import Postgres  # noqa: E402

UPLOADS = int(os.environ.get("FHIR_TEST_UPLOADS", "500"))
AT_ONCE = int(os.environ.get("FHIR_TEST_AT_ONCE", "500"))


@pytest.fixture(scope="module")
def postgres():
    cluster = Postgres()
    try:
        cluster.start()
        cluster.admin("ALTER SYSTEM SET fsync = on")
        cluster.restart()
        yield cluster
    finally:
        cluster.discard()


@pytest.fixture
def server(postgres):
    # More workers than uploads, so that all of them are under way at the same time.
    made = httpd.Server(postgres, mpm="event", processes=6, threads=100,
                        directives={"FhirBinaryDatabasePoolSize": "16", "FhirBinaryRequestTimeout": "20s",
                                    "FhirBinaryDatabaseAcquireTimeout": "10s"})
    made.start()
    yield made
    made.stop(check=False)
    made.discard()


class Trial:
    """UPLOADS uploads at once, each known by its hash; remembers what was acknowledged."""

    def __init__(self, who):
        self.who, self.acknowledged, self.failed = who, {}, 0
        self.lock = threading.Lock()
        self.sent = set()

    def one(self, number):
        noise = random.Random(number)
        size = noise.choice([1000, 50_000, 300_000, 2_000_000])
        data = noise.randbytes(min(size, 4096)) * (size // min(size, 4096))
        digest = content.sha256(data)
        with self.lock:
            self.sent.add(digest)

        def pieces():
            step = max(len(data) // 10, 1)
            for at in range(0, len(data), step):
                yield data[at:at + step]
                time.sleep(noise.random() * 0.6)

        try:
            answer = self.who.call("POST", "Binary", {"Content-Type": "application/octet-stream"}, pieces(),
                                   length=len(data), timeout=60)
        except (OSError, wire.WireError):
            answer = None
        with self.lock:
            if answer is not None and answer.status == 201:
                self.acknowledged[answer.json()["id"]] = digest
            else:
                self.failed += 1

    def run(self, meanwhile):
        assert self.who.token
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            done = [pool.submit(self.one, number) for number in range(UPLOADS)]
            meanwhile()
            for item in done:
                item.result()


def read(trial, identity):
    """Each child finds out for itself that the database is back: a refusal is remembered for a moment."""
    end = time.monotonic() + 30
    while True:
        try:
            answer = trial.who.get(f"Binary/{identity}")
            if answer.status != 503 or time.monotonic() > end:
                return answer
        except (OSError, wire.WireError):
            assert time.monotonic() < end
        time.sleep(0.2)


def verify(server, trial):
    for identity, digest in trial.acknowledged.items():
        answer = read(trial, identity)
        assert answer.status == 200 and answer.sha256 == digest, answer
    # Nothing else is visible but whole uploads whose answer got lost: each readable, each with a hash that was sent.
    for [identity] in server.sql("SELECT id FROM fhir_binary.binary"):
        answer = read(trial, identity)
        assert answer.status == 200 and answer.sha256 in trial.sent, answer
    server.check_store()
    # No object without a row; what is pending is listed.
    on_disk = [name for _, _, names in os.walk(server.stores) for name in names]
    committed = int(server.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NOT NULL")[0][0])
    pending = int(server.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL")[0][0])
    assert len(on_disk) <= committed + pending, (len(on_disk), committed, pending)
    listed = server.cli.orphans()
    keys = [key.replace("-", "") for [key] in server.sql(
        "SELECT object_key FROM fhir_binary.object WHERE committed_at IS NULL")]
    missing = [key for key in keys if key not in listed.replace("-", "")]
    assert not missing, f"{len(missing)} of {pending} pending objects are not listed: {listed[:2000]}"
    print(f"{len(trial.acknowledged)} acknowledged, {trial.failed} failed, {pending} left over and listed")
    return pending


def test_kill_children(server):
    who = server.project("killed children")
    trial = Trial(who)

    def kill():
        for _ in range(4):
            time.sleep(1)
            for pid in random.sample(server.children(), 2):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    trial.run(kill)
    assert trial.acknowledged and trial.failed, (len(trial.acknowledged), trial.failed)
    verify(server, trial)


def test_kill_postgres(server, postgres):
    who = server.project("killed database")
    trial = Trial(who)

    def kill():
        time.sleep(2.5)
        postgres.kill()
        time.sleep(0.5)
        postgres.script("start")

    trial.run(kill)
    assert trial.acknowledged and trial.failed, (len(trial.acknowledged), trial.failed)
    verify(server, trial)


def test_kill_the_whole_server(server):
    """Power loss of the node: parent and children at once, then a new start."""
    who = server.project("killed node")
    trial = Trial(who)

    def kill():
        time.sleep(3)
        pids = [server.process.pid] + server.children()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        server.process.wait()

    trial.run(kill)
    assert trial.acknowledged and trial.failed, (len(trial.acknowledged), trial.failed)
    httpd.SERVERS.remove(server)
    server.start()
    verify(server, trial)
