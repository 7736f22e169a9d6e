"""An object store that fails at random while clients upload and read and httpd is restarted: what was acknowledged is
there, what was read as a whole is right, no child dies, and nothing is left behind."""
import base64
import os
import random
import secrets
import threading
import time

import pytest
from harness import content, httpd, stores, wire
from harness.proxy import message
from object_store_faults import MIB, NOISE, OPTIONS, Faulty, counts

pytestmark = pytest.mark.object_store

SECONDS = int(os.environ.get("FHIR_TEST_SOAK", "20"))
BROKEN = (OSError, wire.WireError)
FAULTS = [
    lambda noise: {"answer": message(503, "SlowDown")},
    lambda noise: {"answer": message(500, "InternalError")},
    lambda noise: {"answer": b"HTTP/1.1 200 OK\r\nContent-Le"},
    lambda noise: {"request_cut": noise.randrange(MIB)},
    lambda noise: {"body_cut": noise.randrange(MIB)},
    lambda noise: {"body_reset": noise.randrange(MIB)},
    lambda noise: {"length": noise.choice([-1, 1])},
    lambda noise: {"lost": True},
]


class Wrapped(Faulty):
    """Encrypted, in two copies, of which one is behind the proxy: repairs run all the time."""

    def start(self):
        self.proxy.open()
        keys = self.server.store._file("content.keys", f"first {base64.b64encode(secrets.token_bytes(32)).decode()}\n")
        prefix, directory = self.server.store.prefix, self.server.store.directory
        plugins = ("s3", "filesystem", "encrypted", "mirror")
        self.server.directives["FhirBinaryStoragePlugin"] = [f"{name} {httpd.BUILD}/fhir_storage_{name}.so" for name in plugins]
        self.server.directives["FhirBinaryStore"] = [
            stores.s3_line("remote", prefix, self.proxy.endpoint, OPTIONS["s3"]), f"local filesystem path={directory}/local",
            "both mirror first=remote second=local", f"main encrypted inner=both key_file={keys}"]
        self.server.directives["FhirBinaryDefaultStore"] = "main"
        self.server.keeps_objects = False
        self.server.start()
        self.who = self.server.project("faults")
        return self


@pytest.fixture(params=["s3", "azure", "wrapped"])
def store(request, postgres):
    made = Wrapped("s3", postgres) if request.param == "wrapped" else Faulty(request.param, postgres)
    made.server.processes = 2
    made.start()
    yield made
    made.stop()


class Clients:
    def __init__(self, store):
        self.store, self.stop, self.kept, self.wrong = store, threading.Event(), {}, []
        self.uploads = self.reads = self.refused = 0

    def upload(self, noise):
        data = content.noise(noise.choice([0, 1, 60_000, 70_000, 400_000, 6 * MIB, 11 * MIB]), seed=noise.random())
        how = {"body": data} if noise.random() < 0.5 else {"chunks": [data[at:at + 65536] for at in range(0, len(data), 65536)]}
        answer = self.store.who.call("POST", "Binary", {"Content-Type": "application/octet-stream"}, timeout=60, **how)
        if answer.status == 201:
            self.kept[answer.json()["id"]] = data
            self.uploads += 1
        else:
            self.refused += 1

    def read(self, noise):
        identity, data = noise.choice(list(self.kept.items()))
        first = noise.randrange(len(data) + 1) if noise.random() < 0.5 else 0
        headers = {"Accept": "application/octet-stream"}
        if 0 < first < len(data):
            headers["Range"] = f"bytes={first}-"
        answer = self.store.who.call("GET", f"Binary/{identity}", headers, timeout=60)
        if answer.status == 200 and answer.body != data or answer.status == 206 and answer.body != data[first:]:
            self.wrong.append((identity, len(data), first, len(answer.body)))
        self.reads += answer.status < 300

    def run(self, seed):
        noise = random.Random(seed)
        while not self.stop.is_set():
            try:
                self.read(noise) if self.kept and noise.random() < 0.5 else self.upload(noise)
            except BROKEN:
                self.refused += 1

    def faults(self, seed):
        noise = random.Random(seed)
        while not self.stop.wait(0.05):
            self.store.proxy.rule(noise.choice([None, "GET", "PUT", "POST", "HEAD", "DELETE"]), None,
                                  times=noise.randrange(1, 4), **noise.choice(FAULTS)(noise))


def test_random_faults_and_restarts(store):
    store.server.expect_log(NOISE + "|scoreboard is full")
    clients = Clients(store)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    threads = [threading.Thread(target=clients.run, args=(seed + number,)) for number in range(6)]
    threads.append(threading.Thread(target=clients.faults, args=(seed,)))
    [thread.start() for thread in threads]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(2)
        store.server.graceful()
    clients.stop.set()
    [thread.join(90) for thread in threads]
    store.proxy.clear()
    time.sleep(1)
    print(clients.uploads, "uploads", clients.reads, "reads", clients.refused, "refused or broken off")
    assert not clients.wrong and clients.uploads and clients.reads
    assert "exit signal" not in store.server.log_text()
    store.server.wait_idle(30)
    for identity, data in clients.kept.items():
        assert store.who.get(f"Binary/{identity}").body == data
    store.server.cli.run("store", "orphans", "--remove", "--unknown", "--older-than", "0s", check=False)
    assert store.server.cli.orphans() == ""
    assert counts(store.server)[1] == 0
    store.server.cli.run("store", "verify")
    store.server.check_descriptors()
    store.server.expect_log(NOISE + "|scoreboard is full")


def test_many_ranges_take_one_connection(store):
    """A client that asks for many ranges and reads slowly holds one connection to the store, not one for each."""
    data = content.noise(24 * MIB)
    identity, _ = store.who.upload(data)
    ranges = [(at * MIB, at * MIB + MIB // 2) for at in range(16)]
    how = {"Accept": "application/octet-stream", "Range": "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)}
    connections, most = len(store.proxy.connections), 0
    done = threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.005):
            most = max(most, len(store.proxy.connections))

    watching = threading.Thread(target=watch)
    watching.start()
    answer = store.who.call("GET", f"Binary/{identity}", how, timeout=60)
    done.set()
    watching.join()
    assert answer.status == 206
    parts = answer.body.split(answer.headers["Content-Type"].split("boundary=")[1].encode())[1:-1]
    assert [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n--") for part in parts] == [
        data[first:last + 1] for first, last in ranges]
    assert most <= connections + 3


GATEWAY = (b"HTTP/1.1 504 Gateway Time-out\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("store", ["s3", "azure"], indirect=True)
@pytest.mark.parametrize("how, size", [({"late": 11}, 20_000), ({"late": 3, "answer": GATEWAY}, 300_000),
                                       ({"late": 3, "answer": b""}, 20_000)], ids=["silence", "gateway", "closed"])
def test_an_upload_that_arrives_late(store, how, size):
    """The store works on it for longer than anybody waits, or a gateway in between does: the upload fails, and what the
    store makes in the end is known."""
    store.server.expect_log(NOISE)
    store.proxy.rule("PUT", store.server.store.prefix, times=1, **how)
    if "answer" in how:
        store.proxy.rule("PUT", store.server.store.prefix, times=1000, answer=GATEWAY)
    else:
        store.proxy.rules[-1].left = 1000
    answer = store.who.call("POST", "Binary", {"Content-Type": "text/plain"}, content.noise(size), timeout=60)
    assert answer.status in (503, 504)
    store.proxy.clear()
    time.sleep(how["late"] + 2)
    assert "pending" in store.server.cli.orphans() and "unknown" not in store.server.cli.orphans()
    store.server.cli.run("store", "orphans", "--remove", "--older-than", "0s", check=False)
    assert store.server.cli.orphans() == ""
