#!/usr/bin/python3
"""make bench-stores: content through this module beside the same object store asked directly, in the same run.

Peer and ours alternate, round by round; printed is the median of the round-by-round ratios: above 1.0 we are faster. The
peer is the store's own signed URL, for the same object (GET) or for one of the same size (PUT). 100 KiB and 10 MiB go
over FHIR_BENCH_CONNECTIONS keep-alive connections at once, 1 GiB over one; `alone` is one connection with 10 MiB after 10
MiB, where what we do before and after a transfer is seen best. `redirect` is our signed URL, which answers 307 and is followed to the store. Below each line stands what one
transfer cost: the processor time of httpd, of the store's processes and of the client. Presigned URLs of S3 leave the
body out of the signature, so ours does, too (`payload=unsigned`, the default over TLS); `s3-signed` shows what signing
each chunk costs, which is the default without TLS.

An object store has machines of its own, so here it gets half of the processors; httpd, PostgreSQL and client get the
other half, for ours and for the peer. With FHIR_BENCH_APART=0 all share all: then what httpd uses is taken from the store, and
the ratio tells how many processors there are. Words on the command line choose measurements by substring
(`bench/stores.py "s3 PUT 10 MiB"`). Run it below tests/servers/with.sh radosgw azurite.
"""
import base64
import datetime
import hashlib
import hmac
import itertools
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "live"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import httpd, stores  # noqa: E402
from compare import DurablePostgres, GIB, KIB, MIB, make_file  # noqa: E402

ROUNDS = int(os.environ.get("FHIR_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("FHIR_BENCH_SECONDS", "3"))
CONNECTIONS = int(os.environ.get("FHIR_BENCH_CONNECTIONS", "4"))
APART = os.environ.get("FHIR_BENCH_APART") != "0" and len(os.sched_getaffinity(0)) > 1
SIZES = {"100 KiB": 100 * KIB, "10 MiB": 10 * MIB, "1 GiB": GIB}
FLOOR, REDIRECT_FLOOR = 0.85, 0.95
PREFIX = "bench/"
CPUS = sorted(os.sched_getaffinity(0))
# Seconds for one step: who waits longer waits for ever.
LONGEST = 300
# So many objects take the peer's small uploads in turn: all at once into one would wait for each other.
NAMES = 64


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def keyed(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3:
    """radosgw, asked directly: presigned URLs by Signature Version 4."""
    headers = {}

    def __init__(self, options):
        self.bucket = stores.bucket()
        self.line = stores.s3_line("main", PREFIX, more=options)

    def url(self, method, name):
        base = urllib.parse.urlsplit(os.environ["FHIR_TEST_S3_ENDPOINT"])
        path = f"/{self.bucket}/{name}"
        date = now().strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/us-east-1/s3/aws4_request"
        query = urllib.parse.urlencode(sorted({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{os.environ['FHIR_TEST_S3_ACCESS_KEY']}/{scope}",
            "X-Amz-Date": date, "X-Amz-Expires": "86400", "X-Amz-SignedHeaders": "host"}.items()),
            quote_via=urllib.parse.quote, safe="-_.~")
        canonical = "\n".join([method, path, query, f"host:{base.netloc}", "", "host", "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + os.environ["FHIR_TEST_S3_SECRET_KEY"]).encode()
        for part in scope.split("/"):
            key = keyed(key, part)
        return f"{base.scheme}://{base.netloc}{path}?{query}&X-Amz-Signature={keyed(key, text).hex()}"

    def names(self):
        return stores.servers().objects(self.bucket)

    def remove(self, name):
        stores.servers().s3("DELETE", f"/{self.bucket}/{name}")

    def clean_up(self):
        """What was removed or replaced goes after a minute, and would go while we measure."""
        configuration = Path(os.environ["FHIR_TEST_S3_DIR"]) / "ceph.conf"
        subprocess.run(["radosgw-admin", "gc", "process", "--include-all"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=LONGEST, env=os.environ | {"CEPH_CONF": str(configuration)})

    def processes(self):
        return sorted((Path(os.environ["FHIR_TEST_S3_DIR"]) / "run").glob("*.pid"))


class Azure:
    """Azurite, asked directly: service SAS for one blob."""
    headers = {"x-ms-blob-type": "BlockBlob"}

    def __init__(self, options):
        self.container = stores.container()
        self.line = stores.azure_line("main", PREFIX, more=options)

    def url(self, method, name):
        account = os.environ["FHIR_TEST_AZURE_ACCOUNT"]
        key = base64.b64decode(Path(os.environ["FHIR_TEST_AZURE_KEY_FILE"]).read_text())
        end = (now() + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        rights, version = "r" if method == "GET" else "cw", "2023-11-03"
        place = f"/{self.container}/{name}"
        fields = [rights, "", end, f"/blob/{account}{place}", "", "", "", version, "b", "", "", "", "", "", "", ""]
        query = urllib.parse.urlencode({"sv": version, "sr": "b", "sp": rights, "se": end,
                                        "sig": base64.b64encode(keyed(key, "\n".join(fields))).decode()})
        return f"{os.environ['FHIR_TEST_AZURE_ENDPOINT']}{place}?{query}"

    def names(self):
        return stores.servers().blobs(self.container)

    def remove(self, name):
        stores.servers().azure("DELETE", f"/{self.container}/{name}")

    def clean_up(self):
        """Azurite does that every ten minutes, and has no way to ask for it."""

    def processes(self):
        return [Path(os.environ["FHIR_TEST_AZURE_PID_FILE"])]


# What is measured: the store's plugin, its peer, our options, and the measurements (all if there are none).
STORES = {"s3": ("s3", S3, "payload=unsigned", ""), "s3-signed": ("s3", S3, "payload=signed", "PUT 10 MiB"),
          "azure": ("azure", Azure, "", "")}


class Processors:
    """Processor seconds that httpd, store and client have used."""

    def __init__(self, server, peer):
        self.server = server
        self.store = [int(path.read_text()) for path in peer.processes()]

    @staticmethod
    def seconds(pids):
        ticks = 0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def read(self):
        client = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (self.seconds(self.server.children()), self.seconds(self.store), client.ru_utime + client.ru_stime)

    def keep_apart(self):
        """All that this process starts is on the other half, see main."""
        for pid in self.store:
            subprocess.run(["taskset", "-a", "-c", "-p", ",".join(map(str, CPUS[len(CPUS) // 2:])), str(pid)],
                           check=True, stdout=subprocess.DEVNULL)


class Bench:
    def __init__(self, directory, name, wanted):
        self.directory, self.name, self.wanted, self.results = directory, name, wanted, []
        self.plugin, peer, options, self.only = STORES[name]
        self.peer = peer(options)
        self.kept = set()

    # -- load: each gives the transfers per second, their number, and what they cost --
    def measured(self, commands):
        """Runs them at once: what they say, seconds, and the processor's seconds."""
        before, start = self.processors.read(), time.monotonic()
        running = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
        text = "".join(process.communicate(timeout=LONGEST)[0].decode() for process in running)
        seconds = time.monotonic() - start
        assert not any(process.returncode for process in running), text
        return text, seconds, [after - earlier for after, earlier in zip(self.processors.read(), before)]

    def wrk(self, url, headers, script=None):
        command = ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--timeout", "30s"]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        text, _, cost = self.measured([command + (["-s", str(script)] if script else []) + [url]])
        assert "Non-2xx" not in text and "Socket errors" not in text, text
        count = int(text.split(" requests in ")[0].split()[-1])
        return float(text.split("Requests/sec:")[1].split()[0]), count, cost

    def curl(self, size, urls, headers, method="GET", connections=1):
        """One after the other on each connection; uploads go to these URLs in turn. Redirects are followed."""
        count = 1 if size >= GIB else 40 if method == "GET" else 10
        command = ["curl", "-sS", "-f", "-L", "-X", method, "-H", "Expect:"]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        body = ["-T", str(self.directory / str(size))] if method != "GET" else []
        turn = itertools.cycle(urls)
        commands = [command + [word for _ in range(count) for word in (*body, "-o", "/dev/null", next(turn))]
                    for _ in range(connections)]
        _, seconds, cost = self.measured(commands)
        if method != "GET":
            self.forget_uploads()
        return count * connections / seconds, count * connections, cost

    def upload_script(self, size, method, headers, urls):
        """For wrk: the body, sent to these URLs in turn."""
        path = self.directory / f"{self.name}-{method}-{size}.lua"
        fields = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers.items())
        targets = ", ".join(f'"{url[url.index("/", 8):]}"' for url in urls)
        path.write_text(f"""wrk.method = "{method}"
{fields}local f = io.open("{self.directory}/{size}", "rb")
wrk.body = f:read("*a")
f:close()
local targets, turn, threads = {{ {targets} }}, 0, 0
function setup(thread) thread:set("first", threads); threads = threads + 1 end
function request()
  turn = turn + 1
  return wrk.format(nil, targets[(2 * turn + first) % #targets + 1])
end
""")
        return path

    @staticmethod
    def costs(runs):
        """Milliseconds of processor time for one transfer: httpd, store, client."""
        count = sum(count for _, count, _ in runs)
        return [1000 * sum(cost[who] for _, _, cost in runs) / count for who in range(3)]

    def is_wanted(self, name):
        return self.only in name and (not self.wanted or any(word in f"{self.name} {name}" for word in self.wanted))

    def any_wanted(self, *names):
        return any(self.is_wanted(name + more) for name in names for more in ("", " alone", " redirect"))

    def pair(self, name, floor, ours, peer):
        if not self.is_wanted(name):
            return
        floor = None if self.only else floor
        name = f"{self.name} {name}"
        peer(), ours()
        peers, runs = [], []
        for _ in range(ROUNDS):
            peers.append(peer())
            runs.append(ours())
        ratios = [run[0] / other[0] for run, other in zip(runs, peers)]
        ratio = statistics.median(ratios)
        verdict = "" if floor is None else f"  floor {floor:.2f}: {'met' if ratio >= floor else 'MISSED'}"
        rate, other = (statistics.median(run[0] for run in some) for some in (runs, peers))
        print(f"{name:26} {rate:10.2f}/s  peer {other:10.2f}/s  "
              f"ratio {ratio:5.2f} ({min(ratios):.2f}-{max(ratios):.2f}){verdict}")
        (server, store, client), (_, direct_store, direct_client) = self.costs(runs), self.costs(peers)
        print(f"{'':26} processor ms: httpd {server:.1f}, store {store:.1f}, client {client:.1f}; "
              f"peer: store {direct_store:.1f}, client {direct_client:.1f}", flush=True)
        self.results.append((name, ratio, floor))

    # -- measurements --
    def puts(self, label, size):
        octets = {"Content-Type": "application/octet-stream"}
        ours = self.client.bearer | octets | {"Prefer": "return=minimal"}
        direct = self.peer.headers | octets
        binary = self.server.fhir_base + "Binary"
        urls = [self.peer.url("PUT", f"direct-{size}-{number}") for number in range(NAMES)]
        if size < MIB:
            posting = self.upload_script(size, "POST", ours, [binary])
            putting = self.upload_script(size, "PUT", direct, urls)
            self.pair(f"PUT {label}", None, lambda: self.wrk(binary, {}, posting), lambda: self.wrk(urls[0], {}, putting))
            self.forget_uploads()
            return
        for name, floor, connections in self.ways(label, size):
            self.pair(f"PUT {name}", floor, lambda: self.curl(size, [binary], ours, "POST", connections),
                      lambda: self.curl(size, urls, direct, "PUT", connections))

    @staticmethod
    def at_once(size):
        return CONNECTIONS if size < GIB else 1

    def ways(self, label, size):
        """Name, floor and connections of each measurement."""
        alone = [(label + " alone", None, 1)] if size < GIB else []
        return [(label, FLOOR, self.at_once(size)), *alone]

    def gets(self, label, size):
        identity = self.put_file(self.directory / str(size))
        binary = self.server.fhir_base + f"Binary/{identity}"
        signed = self.server.base.rstrip("/") + self.client.signed(identity)
        [[locator]] = self.server.sql("SELECT o.locator FROM fhir_binary.object o JOIN fhir_binary.binary_version v "
                                      f"USING (object_key) WHERE v.binary_id = '{identity}'")
        self.kept.add(PREFIX + locator)
        there = self.peer.url("GET", PREFIX + locator)
        if size < MIB:
            self.pair(f"GET {label}", None, lambda: self.wrk(binary, self.client.bearer), lambda: self.wrk(there, {}))
            return
        for name, floor, connections in self.ways(label, size):
            self.pair(f"GET {name}", floor, lambda: self.curl(size, [binary], self.client.bearer, "GET", connections),
                      lambda: self.curl(size, [there], {}, "GET", connections))
        connections = self.at_once(size)
        self.pair(f"GET {label} redirect", REDIRECT_FLOOR, lambda: self.curl(size, [signed], {}, "GET", connections),
                  lambda: self.curl(size, [there], {}, "GET", connections))

    def put_file(self, path):
        command = ["curl", "-sS", "-f", "-X", "POST", "-T", str(path), "-H", "Content-Type: application/octet-stream",
                   "-H", "Authorization: " + self.client.bearer["Authorization"], self.server.fhir_base + "Binary"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=LONGEST).stdout)["id"]

    def forget_uploads(self):
        """The test servers have little room. Rows stay, nobody reads them."""
        for name in self.peer.names():
            if name not in self.kept:
                self.peer.remove(name)
        self.peer.clean_up()

    def run(self, database):
        directives = {"FhirBinaryStoragePlugin": [f"{self.plugin} {httpd.BUILD}/fhir_storage_{self.plugin}.so"],
                      "FhirBinaryStore": [self.peer.line], "FhirBinaryStoreRedirect": "main all"}
        extra = "LimitRequestBody 0\nMaxKeepAliveRequests 0\n"
        with httpd.Server(database, directives, extra=extra, processes=1, threads=64) as self.server:
            self.server.keeps_objects = False
            self.server.store.kind = self.plugin
            self.processors = Processors(self.server, self.peer)
            if APART:
                self.processors.keep_apart()
            self.client = self.server.project("bench")
            for label, size in SIZES.items():
                put, get = self.any_wanted(f"PUT {label}"), self.any_wanted(f"GET {label}")
                path = self.directory / str(size)
                if (put or get) and not path.exists():
                    make_file(path, size)
                if put:
                    self.puts(label, size)
                if get:
                    self.gets(label, size)
            self.server.position = self.server.error_log.stat().st_size
        return self.results


def main():
    if APART:
        os.sched_setaffinity(0, CPUS[:len(CPUS) // 2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and files go
    directory = Path(tempfile.mkdtemp(prefix="fhb.", dir=os.environ.get("FHIR_BENCH_DIR")))
    database = DurablePostgres().start()
    results = []
    try:
        for name in STORES:
            bench = Bench(directory, name, sys.argv[1:])
            wanted = bench.any_wanted(*(f"{verb} {label}" for verb in ("PUT", "GET") for label in SIZES))
            results += bench.run(database) if wanted else []
    finally:
        database.discard()
        shutil.rmtree(directory, ignore_errors=True)
    unknown = [word for word in sys.argv[1:] if not any(word in name for name, _, _ in results)]
    if unknown:
        print(f"no measurement is called {', '.join(unknown)}: a name is '{'|'.join(STORES)} PUT|GET {'|'.join(SIZES)}', "
              "and for some 'alone' or 'redirect' after it")
        return 2
    missed = [name for name, ratio, floor in results if floor and ratio < floor]
    print("all floors met" if not missed else "below the floor: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
