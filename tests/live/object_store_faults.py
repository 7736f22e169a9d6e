"""The cases of test_830 and test_831. An object store that is killed, stalls, answers nonsense or breaks off, in the middle of
uploads and reads. The client sees a failed transfer, never a complete-looking wrong body; nothing half-written is
visible, nothing is left behind, and service resumes by itself."""
import threading
import time

import pytest
from harness import checks, content, httpd, stores, wire
from harness.proxy import Proxy, message

MIB = 1 << 20
LARGE = 24 * MIB  # several parts
OPTIONS = {"s3": "connect_timeout=1s stall_timeout=1s part_size=5M",
           "azure": "connect_timeout=1s stall_timeout=1s put_blob_size=5M block_size=5M"}


class Faulty:
    """A server whose store lies behind a proxy that misbehaves."""

    def __init__(self, kind, postgres):
        self.kind = kind
        target = stores.needed("FHIR_TEST_S3_ENDPOINT" if kind == "s3" else "FHIR_TEST_AZURE_ENDPOINT")
        self.path = "" if kind == "s3" else "/" + stores.needed("FHIR_TEST_AZURE_ACCOUNT")
        self.proxy = Proxy(target.removesuffix(self.path))
        self.server = httpd.Server(postgres, mpm="event", processes=1, directives={"FhirBinaryRequestTimeout": "4s"})

    def start(self):
        self.proxy.open()
        line = stores.s3_line if self.kind == "s3" else stores.azure_line
        self.server.directives["FhirBinaryStoragePlugin"] = [f"{self.kind} {httpd.BUILD}/fhir_storage_{self.kind}.so"]
        self.server.directives["FhirBinaryStore"] = [
            line("main", self.server.store.prefix, self.proxy.endpoint + self.path, OPTIONS[self.kind])]
        self.server.directives.pop("FhirBinaryDefaultStore", None)
        self.server.keeps_objects = False  # the proxy may be in the way when the server ends; each test looks itself
        self.server.start()
        self.who = self.server.project("faults")
        return self

    def stop(self):
        self.proxy.clear()
        try:
            self.server.stop()
            self.server.check_log()
        finally:
            self.server.discard()
            self.proxy.shut()


@pytest.fixture(scope="module")
def faulty(request, postgres):
    made = Faulty(request.module.KIND, postgres).start()
    yield made
    made.stop()


NOISE = "store main|timed out|fhir_binary"


@pytest.fixture
def store(faulty):
    """After each test the store works again, and nothing is left of what failed but what is known as pending."""
    faulty.server.expect_log(NOISE)
    yield faulty
    faulty.proxy.clear()
    time.sleep(0.3)  # connections that stood still end now; whoever took one of them in that moment would fail
    works(faulty)
    faulty.server.wait_idle(30)
    faulty.server.cli.run("store", "orphans", "--remove", "--unknown", "--older-than", "0s",
                           check=False)
    assert faulty.server.cli.orphans() == ""
    assert counts(faulty.server)[1] == 0
    faulty.server.cli.run("store", "verify")
    faulty.server.expect_log(NOISE)


def refused(answer):
    """An error that says to try again or to ask the operator, and nothing of the store."""
    checks.outcome(answer, answer.status, {"transient", "timeout", "throttled", "exception"})
    assert answer.status in (500, 502, 503, 504)


def counts(server):
    [[binaries, pending]] = server.sql("SELECT (SELECT count(*) FROM fhir_binary.binary), "
                                       "(SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL)")
    return int(binaries), int(pending)


def works(store):
    data = content.noise(100_000)
    identity, _ = store.who.upload(data)
    assert store.who.get(f"Binary/{identity}").body == data


def upload(store, size, announced=True):
    data = content.noise(size)
    how = {"body": data} if announced else {"chunks": [data[at:at + 65536] for at in range(0, size, 65536)]}
    return data, store.who.call("POST", "Binary", {"Content-Type": "application/octet-stream"}, timeout=60, **how)


def target_of(store):
    return store.server.store.prefix


BROKEN_UPLOADS = [{"answer": message(500, "InternalError")}, {"answer": message(503, "SlowDown", "Retry-After: 1\r\n")},
                  {"answer": message(403, "AccessDenied")}, {"answer": message(400, "RequestTimeout")},
                  {"answer": b"HTTP/1.1 200 OK\r\nContent-Le"}, {"answer": b"rubbish\r\n\r\n"},
                  {"request_cut": 0}, {"request_cut": 70_000}, {"request_stop": 70_000}]


@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [20_000, LARGE])
@pytest.mark.parametrize("fault", range(len(BROKEN_UPLOADS)))
def test_upload_fails(store, fault, size, announced):
    """The store answers so again and again: the client gets an error, and nothing is visible or left."""
    what = BROKEN_UPLOADS[fault]
    if size < 70_000 and 70_000 in what.values():
        what = {name: 10_000 for name in what}
    before = counts(store.server)[0]
    store.proxy.rule("PUT", target_of(store), times=1000, **what)
    _, answer = upload(store, size, announced)
    refused(answer)
    assert counts(store.server)[0] == before


@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunked"])
def test_a_part_fails_late(store, announced):
    """The third part of several."""
    before = counts(store.server)[0]
    store.proxy.rule("PUT", r"partNumber=3|blockid=", times=1000, request_cut=MIB)
    if store.kind == "azure":
        store.proxy.rules[-1].left = 0
        store.proxy.clear()
        store.proxy.rule("PUT", r"comp=blocklist", times=1000, answer=message(500, "InternalError"))
    _, answer = upload(store, LARGE, announced)
    refused(answer)
    assert counts(store.server)[0] == before


@pytest.mark.parametrize("size", [20_000, LARGE])
def test_the_answer_to_a_commit_is_lost(store, size):
    """The store has it, nobody heard so, again and again: either it is found there and has the right bytes, or the upload
    fails, and what the store has is taken away or told as left over."""
    before = counts(store.server)[0]
    last = {"s3": ("POST", r"uploadId="), "azure": ("PUT", r"comp=blocklist")}[store.kind]
    method, target = last if size == LARGE else ("PUT", target_of(store))
    store.proxy.rule(method, target, times=1000, lost=True)
    data, answer = upload(store, size)
    store.proxy.clear()
    if answer.status == 201:
        assert store.who.get(f"Binary/{answer.json()['id']}").body == data
    else:
        refused(answer)
        assert counts(store.server)[0] == before


def test_a_commit_that_fails_once_is_tried_again_or_refused(store):
    last = {"s3": ("POST", r"uploadId="), "azure": ("PUT", r"comp=blocklist")}[store.kind]
    rule = store.proxy.rule(*last, times=1, answer=message(500, "InternalError"))
    data, answer = upload(store, LARGE)
    assert rule.used == 1
    if answer.status == 201:
        assert store.who.get(f"Binary/{answer.json()['id']}").body == data
    else:
        refused(answer)


BROKEN_READS = [{"answer": message(500, "InternalError")}, {"answer": message(503, "SlowDown")},
                {"answer": message(404, "NoSuchKey")}, {"answer": message(403, "AccessDenied")}, {"body_cut": 0},
                {"body_cut": 50_000}, {"body_reset": 50_000}, {"body_stop": 50_000}, {"length": -1000},
                {"length": 1000}, {"lost": True}]


def read(store, identity):
    """(status, body); (None, None) if the connection broke."""
    try:
        answer = store.who.get(f"Binary/{identity}", timeout=60)
        return answer.status, answer.body
    except (wire.WireError, OSError):
        return None, None


@pytest.mark.parametrize("size", [100_000, LARGE])
@pytest.mark.parametrize("fault", range(len(BROKEN_READS)))
def test_read_fails(store, fault, size):
    """Never a complete-looking wrong body: an error before the first byte, or a broken connection."""
    data = content.noise(size)
    identity, _ = store.who.upload(data)
    # A store that stands still after a little each time is asked many times for what is large.
    times = 3 if (size, "body_stop" in BROKEN_READS[fault]) == (LARGE, True) else 1000
    store.proxy.rule("GET", target_of(store), times=times, **BROKEN_READS[fault])
    status, body = read(store, identity)
    if status == 200:
        assert body == data
    else:
        assert status is None or status >= 500
    store.proxy.clear()
    assert store.who.get(f"Binary/{identity}").body == data
    assert store.who.call("GET", f"Binary/{identity}", {"Range": "bytes=50000-59999"}).body == data[50000:60000]


@pytest.mark.parametrize("fault", [4, 5, 6, 10])
def test_a_read_goes_on_where_it_broke_off(store, fault):
    """One broken connection is mended without the client's notice."""
    data = content.noise(LARGE)
    identity, _ = store.who.upload(data)
    rule = store.proxy.rule("GET", target_of(store), times=1, **BROKEN_READS[fault])
    assert store.who.get(f"Binary/{identity}").body == data
    assert rule.used == 1


def test_killed_in_the_middle(store):
    """The store dies while eight clients send and eight read; it comes back, and so does service."""
    data = content.noise(LARGE)
    identity, _ = store.who.upload(data)
    before = counts(store.server)[0]
    results = []

    def sender():
        try:
            results.append(("sent", store.who.call("POST", "Binary", {"Content-Type": "video/mp4"}, data, timeout=60).status))
        except (wire.WireError, OSError):
            results.append(("sent", None))

    def reader():
        status, body = read(store, identity)
        assert status is None or status >= 500 or body == data
        results.append(("read", status))

    threads = [threading.Thread(target=work) for work in [sender, reader] * 8]
    for thread in threads:
        thread.start()
    time.sleep(0.15)
    store.proxy.shut()
    time.sleep(1)
    refused(store.who.call("POST", "Binary", {"Content-Type": "video/mp4"}, data[:1000]))
    for thread in threads:
        thread.join(60)
    store.proxy.open()
    assert len(results) == 16
    created = sum(1 for kind, status in results if (kind, status) == ("sent", 201))
    assert counts(store.server)[0] == before + created
    works(store)


def test_reads_and_uploads_wait_for_a_slow_store_no_longer_than_they_may(store):
    """A store that takes connections and says nothing."""
    data = content.noise(20_000)
    identity, _ = store.who.upload(data)
    store.proxy.rule(None, target_of(store), times=1000, request_stop=0)
    store.proxy.rule("GET", target_of(store), times=1000, body_stop=0)
    began = time.monotonic()
    assert upload(store, 20_000)[1].status in (503, 504)
    assert time.monotonic() - began < 25
    store.proxy.clear()
    assert store.who.get(f"Binary/{identity}").body == data


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_credentials_that_are_refused(store, code):
    """Nothing of what the store said reaches the client; once it takes the keys again, all is well."""
    data = content.noise(20_000)
    identity, _ = store.who.upload(data)
    store.proxy.rule(None, target_of(store), times=1000, answer=message(403, code))
    for answer in (store.who.get(f"Binary/{identity}"), upload(store, 20_000)[1], upload(store, LARGE)[1]):
        refused(answer)
        assert code not in answer.text
    store.proxy.clear()
    assert store.who.get(f"Binary/{identity}").body == data
