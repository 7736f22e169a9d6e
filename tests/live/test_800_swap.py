"""Issue section 6: the default store is changed under load, what was stored is moved, the old store is emptied, and every
read is right throughout. To a second directory, or to s3 where tests/servers/with.sh runs one."""
import base64
import concurrent.futures
import contextlib
import os
import random
import shutil
import threading
import time

import pytest
from harness import checks, content, httpd, stores, wire

BINARIES = int(os.environ.get("FHIR_TEST_SWAPPED", "1000"))


def plugins(*names):
    return [f"{name} {httpd.BUILD}/fhir_storage_{name}.so" for name in names]


# ---- reads of an object that is just being moved ----

@pytest.fixture
def moving(postgres):
    """Gives a server whose store `slow` fails or waits by rules: time to move an object away to `other`."""
    with contextlib.ExitStack() as stack:
        def launch(rules):
            made = httpd.Server(postgres, processes=1)
            made.directives["FhirBinaryStoragePlugin"] = plugins("filesystem", "faulty")
            made.directives["FhirBinaryStore"] = [f"under filesystem path={made.stores}/under",
                                                  f"slow faulty inner=under {rules}",
                                                  f"other filesystem path={made.stores}/other"]
            made.directives["FhirBinaryDefaultStore"] = "slow"
            made.keeps_objects = False
            return stack.enter_context(made)

        yield launch


def move_away(server, identity):
    """As store migrate does it: the bytes are at the new place, the row says so, the old place is empty."""
    [[locator]] = server.sql("SELECT o.locator FROM fhir_binary.object o JOIN fhir_binary.binary_version v "
                             f"USING (object_key) WHERE v.binary_id = '{identity}'")
    old, new = (server.stores / name / "objects" / locator for name in ("under", "other"))
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(old, new)
    for path in [new, *new.parents]:
        if path == server.stores:
            break
        shutil.chown(path, httpd.USER)
    server.sql(f"UPDATE fhir_binary.object SET store = 'other' WHERE locator = '{locator}'")
    old.unlink()


def while_moved(server, who, reads, data):
    """All of `reads` have loaded the row and wait for the old store when the object is moved."""
    identity, _ = who.upload(data)
    signed = who.signed(identity)
    with concurrent.futures.ThreadPoolExecutor(len(reads)) as pool:
        answers = [pool.submit(read, server, who, identity, signed) for read in reads]
        time.sleep(0.7)
        move_away(server, identity)
        return [answer.result() for answer in answers]


def test_every_kind_of_read_finds_what_was_moved(moving):
    server = moving("delay=reader_open:*:1500")
    server.expect_log("slow|moved")
    who, data = server.project("moving"), content.noise(200_000)
    raw, signed, resource, part, parts, version = while_moved(server, who, [
        lambda server, who, identity, signed: who.get(f"Binary/{identity}"),
        lambda server, who, identity, signed: server.request("GET", signed),
        lambda server, who, identity, signed: who.json(f"Binary/{identity}"),
        lambda server, who, identity, signed: who.get(f"Binary/{identity}", {"Range": "bytes=1000-1999"}),
        lambda server, who, identity, signed: who.get(f"Binary/{identity}", {"Range": "bytes=0-9,100000-100009"}),
        lambda server, who, identity, signed: who.get(
            f"Binary/{identity}/_history/" + who.call("HEAD", f"Binary/{identity}").headers["ETag"].strip('"')),
    ], data)
    assert raw.status == 200 and raw.body == data
    assert signed.status == 200 and signed.body == data
    assert base64.b64decode(resource.json()["data"]) == data
    assert part.status == 206 and part.body == data[1000:2000]
    assert parts.status == 206 and data[:10] in parts.body and data[100_000:100_010] in parts.body
    assert version.status == 200 and version.body == data


@pytest.mark.parametrize("headers", [{}, {"Accept": checks.FHIR_JSON}])
def test_a_stream_goes_on_where_the_object_is(moving, headers):
    """The old place fails in the middle of the body; the client gets every byte."""
    server = moving("delay=reader_read:2:1500 fail=reader_read:3:unavailable")
    server.expect_log("slow|moved")
    who, data = server.project("streaming"), content.noise(900_000)
    [answer] = while_moved(server, who, [
        lambda server, who, identity, signed: who.get(f"Binary/{identity}", headers)], data)
    assert answer.status == 200
    assert (base64.b64decode(answer.json()["data"]) if headers else answer.body) == data


def test_what_is_nowhere_is_still_an_error(moving):
    server = moving("")
    server.expect_log("slow")
    who = server.project("nowhere")
    identity, _ = who.upload(b"x" * 1000)
    for path in (server.stores / "under" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    checks.outcome(who.get(f"Binary/{identity}"), 500, checks.CODES[500] | {"incomplete"})


def test_a_store_that_rows_need_is_missed(start):
    """Whoever takes a store away hears of it: in the log, from fhirbinctl, and with each read."""
    server = start()
    who = server.project("missing store")
    identity, _ = who.upload(b"kept", "text/plain")
    server.expect_log("objects are in the store 'main', which this configuration does not have")
    server.expect_log("store main is not configured")
    kept = {name: server.directives[name] for name in ("FhirBinaryStoragePlugin", "FhirBinaryStore")}
    server.keeps_objects = False
    server.directives["FhirBinaryStoragePlugin"] = plugins("filesystem")
    server.directives["FhirBinaryStore"] = [f"another filesystem path={server.stores}/another"]
    server.directives["FhirBinaryDefaultStore"] = "another"
    server.write_configuration()
    server.graceful()
    server.wait_log("objects are in the store 'main'")
    checks.outcome(who.get(f"Binary/{identity}"), 503)
    other, _ = who.upload(b"new", "text/plain")
    assert who.get(f"Binary/{other}").body == b"new"
    for words in (("store", "stat"), ("store", "verify"), ("config", "check")):
        text = server.cli.run(*words, check=False)
        assert server.cli.code == 3 and "main" in text, words
    server.directives.update(kept)
    server.directives["FhirBinaryStore"] = kept["FhirBinaryStore"] + [f"another filesystem path={server.stores}/another"]
    server.directives["FhirBinaryStoragePlugin"] = sorted(set(kept["FhirBinaryStoragePlugin"]) | set(plugins("filesystem")))
    server.directives["FhirBinaryDefaultStore"] = "main"
    server.write_configuration()
    server.graceful()
    assert who.get(f"Binary/{identity}").body == b"kept"
    assert who.get(f"Binary/{other}").body == b"new"


# ---- the swap ----

class Load:
    """Reads and writes that go on until they are told to stop; every answer is checked."""

    def __init__(self, server, who, hashes):
        self.server, self.who, self.hashes = server, who, hashes
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.reads, self.written, self.wrong = 0, {}, []
        self.threads = [threading.Thread(target=self.read, args=(seed,)) for seed in range(3)]
        self.threads += [threading.Thread(target=self.write, args=(seed,)) for seed in range(2)]
        assert who.token

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def read(self, seed):
        noise, kinds = random.Random(seed), ({}, {"Accept": checks.FHIR_JSON}, {"Range": "bytes=0-"})
        while not self.stopping.is_set():
            with self.lock:
                identity, digest = noise.choice(list((self.hashes | self.written).items()))
            headers = noise.choice(kinds)
            try:
                answer = self.who.get(f"Binary/{identity}", headers)
                body = base64.b64decode(answer.json()["data"]) if "Accept" in headers else answer.body
                right = answer.status in (200, 206) and content.sha256(body) == digest
            except (OSError, wire.WireError, ValueError, KeyError) as problem:
                answer, right = problem, False
            with self.lock:
                self.reads += 1
                if not right:
                    self.wrong.append((identity, headers, answer))

    def write(self, seed):
        noise = random.Random(1000 + seed)
        while not self.stopping.is_set():
            data = noise.randbytes(noise.choice([10, 5_000, 80_000]))
            try:
                identity, _ = self.who.upload(data)
                with self.lock:
                    self.written[identity] = content.sha256(data)
            except (OSError, wire.WireError, AssertionError) as problem:
                with self.lock:
                    self.wrong.append(("upload", problem))
            time.sleep(0.02)


def targets():
    return ["filesystem"] + (["s3"] if os.environ.get("FHIR_TEST_S3_ENDPOINT") else [])


def configure(server, target, default):
    line = (f"new filesystem path={server.stores}/new" if target == "filesystem"
            else stores.s3_line("new", server.store.prefix + "swap/"))
    server.directives["FhirBinaryStoragePlugin"] = plugins(*sorted({"filesystem", target}))
    server.directives["FhirBinaryStore"] = [f"old filesystem path={server.stores}/old", line]
    server.directives["FhirBinaryDefaultStore"] = default
    server.write_configuration()


def in_store(server, name):
    return int(server.sql(f"SELECT count(*) FROM fhir_binary.object WHERE store = '{name}'")[0][0])


@pytest.mark.parametrize("target", targets())
def test_swap(postgres, target):
    server = httpd.Server(postgres)
    configure(server, target, "old")
    server.keeps_objects = False
    with server:
        who, noise, hashes = server.project("swap"), random.Random(5), {}
        assert who.token
        datas = [noise.randbytes(noise.choice([1, 2_000, 60_000])) for _ in range(BINARIES)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for data, (identity, _) in zip(datas, pool.map(who.upload, datas)):
                hashes[identity] = content.sha256(data)
        assert in_store(server, "old") == BINARIES
        with Load(server, who, hashes) as load:
            time.sleep(1)
            # The swap: a line of the configuration and a graceful reload. What was stored is read where it is.
            configure(server, target, "new")
            server.graceful()
            time.sleep(1)
            # Uploads that the old children had begun are in the old store; they are moved as well.
            server.cli.run("store", "migrate", "--from", "old", "--to", "new", "--grace", "2s")
            assert "could not be removed" not in server.cli.error
            end = time.monotonic() + 30
            while in_store(server, "old") and time.monotonic() < end:
                server.cli.run("store", "migrate", "--from", "old", "--to", "new", "--grace", "1s")
            assert in_store(server, "old") == 0
            left = [path for path in (server.stores / "old").rglob("*") if path.is_file()]
            assert left == []
            shutil.rmtree(server.stores / "old" / "objects")
            time.sleep(2)
        assert load.wrong == [], load.wrong[:3]
        assert load.reads > 100 and len(load.written) > 20, (load.reads, len(load.written))
        for identity, digest in (hashes | load.written).items():
            assert who.get(f"Binary/{identity}").sha256 == digest
        assert in_store(server, "new") == BINARIES + len(load.written)
        # The old store can go: nobody needs it.
        (server.stores / "old" / "objects").mkdir(mode=0o700)
        shutil.chown(server.stores / "old" / "objects", httpd.USER)
        assert "Nothing is to be moved" in server.cli.run("store", "migrate", "--from", "old", "--to", "new")
        assert server.cli.run("store", "verify") == ""
        assert server.cli.run("store", "orphans", "--older-than", "0s") == ""
        server.directives["FhirBinaryStore"] = server.directives["FhirBinaryStore"][1:]
        server.write_configuration()
        server.graceful()
        for identity in random.sample(list(hashes), 20):
            assert who.get(f"Binary/{identity}").sha256 == hashes[identity]
        print(f"{BINARIES} moved under {load.reads} reads and {len(load.written)} uploads")
