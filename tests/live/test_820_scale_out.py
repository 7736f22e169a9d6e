"""Issue section 6, scale-out: two httpd nodes with configurations of their own on one PostgreSQL and one object store.
What one issued or stored, the other serves at once; a node that dies loses nothing that it acknowledged."""
import os
import signal
import threading
import time

import pytest
from harness import content, httpd, stores, wire
from harness.client import Client

pytestmark = pytest.mark.object_store


class Nodes:
    """The public address is that of a load balancer, whose part the tests play."""

    def __init__(self, postgres):
        self.first = httpd.Server(postgres, mpm="event", name="first")
        self.second = httpd.Server(postgres, mpm="event", name="second", database=self.first.conninfo)
        line = stores.s3_line("main", self.first.store.prefix)
        for node in (self.first, self.second):
            node.directives["FhirBinaryStoragePlugin"] = [f"s3 {httpd.BUILD}/fhir_storage_s3.so"]
            node.directives["FhirBinaryStore"] = [line]
            node.directives["FhirBinaryBaseURL"] = self.first.base
            node.directives.pop("FhirBinaryDefaultStore", None)
        # Each has a directory, a port, limits and defaults of its own.
        self.second.directives["FhirBinaryTokenLifetime"] = "5m"
        for name in ("base", "fhir_base", "storage_base"):
            setattr(self.second, name, getattr(self.first, name))

    def there(self, client):
        """The same client with the same token at the other node."""
        twin = Client(self.second, client.project_id, (client.id, client.secret))
        twin._token = client.token
        return twin


@pytest.fixture(scope="module")
def nodes(postgres):
    made = Nodes(postgres)
    with made.first, made.second:
        yield made


@pytest.fixture(scope="module")
def here(nodes):
    return nodes.first.project("scale out")


def test_a_token_of_one_works_on_the_other(nodes, here):
    there = nodes.there(here)
    identity, _ = here.upload(b"seen by both")
    assert there.get(f"Binary/{identity}").body == b"seen by both"


@pytest.mark.parametrize("size", [0, 1000, 300_000, 20 << 20])
def test_an_upload_on_one_is_read_at_once_on_the_other(nodes, here, size):
    data = content.noise(size) if size else b""
    there = nodes.there(here)
    identity, version = here.upload(data)
    answer = there.get(f"Binary/{identity}")
    assert (answer.body, answer.headers["ETag"]) == (data, f'"{version}"')
    there.replace(identity, b"second")
    assert here.get(f"Binary/{identity}").body == b"second"


def test_a_signed_url_of_one_works_on_the_other(nodes, here):
    data = content.noise(100_000)
    identity, _ = here.upload(data)
    url = here.signed(identity)
    assert nodes.second.request("GET", url).body == data
    assert nodes.second.request("GET", url, {"Range": "bytes=10-19"}).body == data[10:20]
    upload = here.signed(identity, upload=True)
    sent = nodes.second.request("PUT", upload, {"Content-Type": "application/octet-stream"}, b"by the other")
    assert sent.status == 200, sent
    assert here.get(f"Binary/{identity}").body == b"by the other"


class Load:
    """Clients that upload through both nodes, and remember what was acknowledged."""

    def __init__(self, nodes, client):
        self.clients = [client, nodes.there(client)]
        self.acknowledged, self.failed, self.lock, self.ending = {}, 0, threading.Lock(), threading.Event()

    def work(self, number):
        turn = 0
        while not self.ending.is_set():
            turn += 1
            data = content.noise(1000 * (1 + (turn * 37 + number) % 400), seed=1000 * number + turn)
            try:
                answer = self.clients[number % 2].call("POST", "Binary", {"Content-Type": "application/octet-stream"}, data,
                                                       timeout=20)
            except (wire.WireError, OSError):
                answer = None
            with self.lock:
                if answer is not None and answer.status == 201:
                    self.acknowledged[answer.json()["id"]] = content.sha256(data)
                else:
                    self.failed += 1
            if answer is None:
                time.sleep(0.1)

    def run(self, trouble, threads=8):
        working = [threading.Thread(target=self.work, args=(number,)) for number in range(threads)]
        for thread in working:
            thread.start()
        trouble()
        self.ending.set()
        for thread in working:
            thread.join(60)


def kill(server):
    """The parent first, so that nobody makes new children: like a machine that loses its power."""
    children = server.children()
    server.process.kill()
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.process.wait(10)


def test_a_node_that_dies_under_load_loses_nothing(postgres):
    nodes = Nodes(postgres)
    nodes.first.start()
    second = nodes.second.start()
    try:
        here = nodes.first.project("load")
        load = Load(nodes, here)

        def trouble():
            time.sleep(2)
            kill(second)
            time.sleep(2)

        load.run(trouble)
        assert len(load.acknowledged) > 20 and load.failed > 0
        for identity, wanted in load.acknowledged.items():
            answer = here.get(f"Binary/{identity}")
            assert answer.status == 200 and content.sha256(answer.body) == wanted, answer
        # What the dead node was about to store is known as pending, and can be taken away.
        nodes.first.wait_idle()
        nodes.first.cli.run("store", "orphans", "--remove", "--older-than", "0s", check=False)
        assert nodes.first.cli.orphans() == ""
        nodes.first.check_store()
    finally:
        nodes.second.process = None
        httpd.SERVERS.remove(nodes.second) if nodes.second in httpd.SERVERS else None
        nodes.second.discard()
        nodes.first.stop()
        nodes.first.discard()
