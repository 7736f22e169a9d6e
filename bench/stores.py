#!/usr/bin/python3
"""make bench-stores: content through this module beside the same object store asked directly, in the same run.

Peer and ours alternate, round by round; printed is the median of the round-by-round ratios: above 1.0 we are faster. The
peer is the store's own signed URL for the same bytes (GET), or for an object of the same size (PUT). 100 KiB goes over
FHIR_BENCH_CONNECTIONS keep-alive connections for FHIR_BENCH_SECONDS; larger ones are single transfers by curl. `redirect`
is our signed URL answered by 307 and followed to the store. Words on the command line choose measurements by substring.
Run it below tests/servers/with.sh radosgw azurite.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "live"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import httpd, stores  # noqa: E402
from compare import DurablePostgres, GIB, KIB, MIB, make_file  # noqa: E402

ROUNDS = int(os.environ.get("FHIR_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("FHIR_BENCH_SECONDS", "3"))
CONNECTIONS = os.environ.get("FHIR_BENCH_CONNECTIONS", "4")
SIZES = {"100 KiB": 100 * KIB, "10 MiB": 10 * MIB, "1 GiB": GIB}
FLOOR, REDIRECT_FLOOR = 0.85, 0.95


def s3_url(method, path, seconds=86400):
    """The store's own presigned URL, by Signature Version 4."""
    base = urllib.parse.urlsplit(os.environ["FHIR_TEST_S3_ENDPOINT"])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    query = urllib.parse.urlencode(sorted({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{os.environ['FHIR_TEST_S3_ACCESS_KEY']}/{scope}",
        "X-Amz-Date": now, "X-Amz-Expires": str(seconds), "X-Amz-SignedHeaders": "host"}.items()),
        quote_via=urllib.parse.quote, safe="-_.~")
    canonical = "\n".join([method, path, query, f"host:{base.netloc}", "", "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["FHIR_TEST_S3_SECRET_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{base.scheme}://{base.netloc}{path}?{query}&X-Amz-Signature={signature}"


def azure_url(method, path):
    """The store's own service SAS of one blob."""
    account = os.environ["FHIR_TEST_AZURE_ACCOUNT"]
    key = base64.b64decode(Path(os.environ["FHIR_TEST_AZURE_KEY_FILE"]).read_text())
    end = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rights = "r" if method == "GET" else "cw"
    version = "2023-11-03"
    fields = [rights, "", end, f"/blob/{account}{path}", "", "", "", version, "b", "", "", "", "", "", "", ""]
    signature = base64.b64encode(hmac.new(key, "\n".join(fields).encode(), hashlib.sha256).digest()).decode()
    query = urllib.parse.urlencode({"sv": version, "sr": "b", "sp": rights, "se": end, "sig": signature})
    return f"{os.environ['FHIR_TEST_AZURE_ENDPOINT']}{path}?{query}"


class Peer:
    """One object store: its line for our configuration, and its own URLs."""

    def __init__(self, kind, prefix):
        self.kind = kind
        self.place = f"/{stores.bucket() if kind == 's3' else stores.container()}"
        self.line = (stores.s3_line if kind == "s3" else stores.azure_line)("main", prefix)
        self.headers = {} if kind == "s3" else {"x-ms-blob-type": "BlockBlob"}

    def url(self, method, name):
        return (s3_url if self.kind == "s3" else azure_url)(method, f"{self.place}/{name}")

    def names(self):
        there = stores.servers()
        return there.objects(self.place[1:]) if self.kind == "s3" else there.blobs(self.place[1:])

    def remove(self, name):
        there = stores.servers()
        (there.s3 if self.kind == "s3" else there.azure)("DELETE", f"{self.place}/{name}")


class Bench:
    def __init__(self, directory, kind):
        self.directory, self.kind, self.results = directory, kind, []
        self.prefix = "bench/"
        self.peer = Peer(kind, self.prefix)

    # -- load --
    def wrk(self, url, headers, script=None):
        """Requests per second."""
        command = ["wrk", "-t", "2", "-c", CONNECTIONS, "-d", f"{SECONDS}s", "--timeout", "30s"]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        if script:
            command += ["-s", str(script)]
        text = subprocess.run(command + [url], stdout=subprocess.PIPE, check=True).stdout.decode()
        assert "Non-2xx" not in text and "Socket errors" not in text, text
        return float(text.split("Requests/sec:")[1].split()[0])

    def curl(self, size, url, headers, method="GET", follow=False):
        """Transfers per second, one after the other on one connection."""
        count = 1 if size >= GIB else 10
        command = ["curl", "-sS", "-f", "-w", "%{time_total}\n", "-X", method, "-H", "Expect:"] + ["-L"] * follow
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        for _ in range(count):
            command += (["-T", str(self.directory / str(size))] if method != "GET" else []) + ["-o", "/dev/null", url]
        try:
            lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()
        finally:
            self.forget_uploads()
        return count / sum(float(line) for line in lines)

    def script(self, size, method, headers):
        path = self.directory / f"{self.kind}-{method}-{size}.lua"
        fields = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers.items())
        path.write_text(f'wrk.method = "{method}"\n{fields}local f = io.open("{self.directory}/{size}", "rb")\n'
                        'wrk.body = f:read("*a")\nf:close()\n')
        return path

    def pair(self, name, floor, ours, peer, wanted):
        name = f"{self.kind} {name}"
        if wanted and not any(word in name for word in wanted):
            return
        ratios, rates, peers = [], [], []
        peer(), ours()
        for _ in range(ROUNDS):
            peers.append(peer())
            rates.append(ours())
            ratios.append(rates[-1] / peers[-1])
        ratio = statistics.median(ratios)
        verdict = "" if floor is None else f"  floor {floor:.2f}: {'met' if ratio >= floor else 'MISSED'}"
        print(f"{name:26} {statistics.median(rates):10.2f}/s  peer {statistics.median(peers):10.2f}/s  "
              f"ratio {ratio:5.2f} ({min(ratios):.2f}-{max(ratios):.2f}){verdict}", flush=True)
        self.results.append((name, ratio, floor))

    # -- measurements --
    def puts(self, label, size, wanted):
        ours = self.client.bearer | {"Content-Type": "application/octet-stream", "Prefer": "return=minimal"}
        direct = self.peer.headers | {"Content-Type": "application/octet-stream"}
        binary, there = self.server.fhir_base + "Binary", self.peer.url("PUT", f"direct-{size}")
        if size < MIB:
            self.pair(f"PUT {label}", None, lambda: self.wrk(binary, {}, self.script(size, "POST", ours)),
                      lambda: self.wrk(there, {}, self.script(size, "PUT", direct)), wanted)
            self.forget_uploads()
        else:
            self.pair(f"PUT {label}", FLOOR, lambda: self.curl(size, binary, ours, "POST"),
                      lambda: self.curl(size, there, direct, "PUT"), wanted)

    def gets(self, label, size, wanted):
        identity = self.put_file(self.directory / str(size))
        binary = self.server.fhir_base + f"Binary/{identity}"
        signed = self.server.base.rstrip("/") + self.client.signed(identity)
        [[locator]] = self.server.sql("SELECT o.locator FROM fhir_binary.object o JOIN fhir_binary.binary_version v "
                                      f"USING (object_key) WHERE v.binary_id = '{identity}'")
        self.kept.add(self.prefix + locator)
        there = self.peer.url("GET", self.prefix + locator)
        run = self.wrk if size < MIB else lambda *how, **more: self.curl(size, *how, **more)
        self.pair(f"GET {label}", None if size < MIB else FLOOR, lambda: run(binary, self.client.bearer),
                  lambda: run(there, {}), wanted)
        if size >= MIB:
            self.pair(f"GET {label} redirect", REDIRECT_FLOOR, lambda: self.curl(size, signed, {}, follow=True),
                      lambda: run(there, {}), wanted)

    def put_file(self, path):
        command = ["curl", "-sS", "-f", "-X", "POST", "-T", str(path), "-H", "Content-Type: application/octet-stream",
                   "-H", "Authorization: " + self.client.bearer["Authorization"], self.server.fhir_base + "Binary"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["id"]

    def forget_uploads(self):
        """The test servers keep everything in memory. Rows stay, nobody reads them."""
        for name in self.peer.names():
            if name.startswith(self.prefix) and name not in self.kept:
                self.peer.remove(name)

    def run(self, database, wanted):
        directives = {"FhirBinaryStoragePlugin": [f"{self.kind} {httpd.BUILD}/fhir_storage_{self.kind}.so"],
                      "FhirBinaryStore": [self.peer.line], "FhirBinaryStoreRedirect": "main all"}
        self.kept = set()
        extra = "LimitRequestBody 0\nMaxKeepAliveRequests 0\n"
        with httpd.Server(database, directives, extra=extra, processes=1, threads=64) as self.server:
            self.server.keeps_objects = False
            self.client = self.server.project("bench")
            for label, size in SIZES.items():
                path = self.directory / str(size)
                if not path.exists():
                    make_file(path, size)
                self.puts(label, size, wanted)
                self.gets(label, size, wanted)
            self.server.position = self.server.error_log.stat().st_size
        return self.results


def main():
    directory = Path(tempfile.mkdtemp(prefix="fhb.", dir=os.environ.get("FHIR_BENCH_DIR")))
    database = DurablePostgres().start()
    results = []
    try:
        for kind in ("s3", "azure"):
            results += Bench(directory, kind).run(database, sys.argv[1:])
    finally:
        database.discard()
        shutil.rmtree(directory, ignore_errors=True)
    missed = [name for name, ratio, floor in results if floor and ratio < floor]
    print("all floors met" if not missed else "below the floor: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
