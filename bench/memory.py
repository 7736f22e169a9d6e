#!/usr/bin/python3
"""make memory: does the memory of httpd stay flat while large files move?

Ten 1 GiB raw uploads, ten 1 GiB downloads and four 1 GiB uploads as FHIR JSON (base64; FHIR_MEMORY_FORMS: as many) run at
the same time, with the store that FHIR_TEST_STORE names. The sum of the children's proportional set sizes (smaps_rollup,
Pss) is sampled; the peak must stay below idle + 16 MiB. Every upload is read back and compared by hash. FHIR_MEMORY_SIZE
(bytes) makes the files smaller for a quick look. Object stores keep it all below TMPDIR, radosgw with
FHIR_TEST_S3_OBJECTSTORE=bluestore only.
"""
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "live"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import httpd, stores  # noqa: E402
from compare import DurablePostgres, make_file  # noqa: E402

SIZE = int(os.environ.get("FHIR_MEMORY_SIZE", str(1 << 30)))
LIMIT = 16 << 20
UPLOADS, DOWNLOADS, FORMS = 10, 10, int(os.environ.get("FHIR_MEMORY_FORMS", "4"))


def proportional(pid):
    try:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Sampler(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.peak, self.ending = server, 0, threading.Event()

    def total(self):
        return sum(proportional(pid) for pid in self.server.children())

    def run(self):
        while not self.ending.wait(0.1):
            self.peak = max(self.peak, self.total())


def curl(server, client, arguments, feed=None):
    command = ["curl", "-sS", "-f", "-H", "Expect:", "-H", "Authorization: " + client.bearer["Authorization"]]
    return subprocess.Popen(command + arguments, stdout=subprocess.PIPE, stdin=feed)


def encode_form(path, sink):
    """Writes the resource form of the file, in constant memory."""
    sink.write(b'{"resourceType":"Binary","contentType":"application/octet-stream","data":"')
    with open(path, "rb") as source:
        while piece := source.read(3 << 20):
            sink.write(base64.b64encode(piece))
    sink.write(b'"}')
    sink.close()


def upload(server, client, path):
    return curl(server, client, ["-X", "POST", "-T", str(path), "-H", "Content-Type: application/octet-stream",
                                 server.fhir_base + "Binary"])


def upload_form(server, client, path):
    process = curl(server, client, ["-X", "POST", "-T", "-", "-H", "Content-Type: application/fhir+json",
                                    server.fhir_base + "Binary"], subprocess.PIPE)
    threading.Thread(target=encode_form, args=(path, process.stdin), daemon=True).start()
    return process


def download(server, client, identity):
    return curl(server, client, ["-o", "/dev/null", f"{server.fhir_base}Binary/{identity}"])


def identity_of(process):
    text = process.stdout.read()  # not communicate(): it would close the input that encode_form still fills
    assert process.wait() == 0, f"curl ended with {process.returncode}"
    return json.loads(text)["id"]


def digest_of(server, client, identity):
    process = curl(server, client, [f"{server.fhir_base}Binary/{identity}"])
    digest = hashlib.sha256()
    while piece := process.stdout.read(1 << 20):
        digest.update(piece)
    assert process.wait() == 0
    return digest.hexdigest()


def measure(server, client, path):
    first = identity_of(upload(server, client, path))
    download(server, client, first).wait()
    time.sleep(1)
    sampler = Sampler(server)
    idle = sampler.total()
    sampler.start()
    began = time.monotonic()
    writers = [upload(server, client, path) for _ in range(UPLOADS)]
    writers += [upload_form(server, client, path) for _ in range(FORMS)]
    readers = [download(server, client, first) for _ in range(DOWNLOADS)]
    identities = [identity_of(process) for process in writers]
    assert all(process.wait() == 0 for process in readers)
    sampler.ending.set()
    sampler.join()
    growth = sampler.peak - idle
    print(f"{stores.KIND}: {UPLOADS} uploads, {DOWNLOADS} downloads and {FORMS} JSON uploads of {SIZE >> 20} MiB in "
          f"{time.monotonic() - began:.0f} s: idle {idle / 2**20:.1f} MiB, peak {sampler.peak / 2**20:.1f} MiB, "
          f"growth {growth / 2**20:.1f} MiB (limit {LIMIT >> 20} MiB)", flush=True)
    return growth, identities


def check_content(server, client, path, identities):
    with open(path, "rb") as source:
        wanted = hashlib.file_digest(source, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else None
    for identity in identities:
        assert digest_of(server, client, identity) == wanted, f"Binary/{identity} has other bytes"
    print(f"{len(identities)} uploads read back with the right SHA-256", flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and files go
    directory = Path(tempfile.mkdtemp(prefix="fhm.", dir=os.environ.get("FHIR_BENCH_DIR")))
    database = DurablePostgres().start()
    extra = "EnableSendfile On\nLimitRequestBody 0\n"
    directives = {"FhirBinaryMaxResourceSize": "2G"}
    try:
        path = make_file(directory / "file", SIZE)
        with httpd.Server(database, directives=directives, extra=extra, processes=2, threads=32) as server:
            client = server.project("memory")
            growth, identities = measure(server, client, path)
            check_content(server, client, path, identities)
    finally:
        database.discard()
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if growth < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
