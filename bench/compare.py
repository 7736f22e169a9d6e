#!/usr/bin/python3
"""make bench: this module beside plain httpd (reads) and mod_dav (uploads), same machine, same run, same httpd.

Each measurement alternates peer and ours, round by round, and prints the median of the round-by-round ratios: above 1.0
we are faster. Both serve the same bytes from the same disk through the same event MPM over loopback. mod_dav neither
hashes nor syncs; ours does both. FHIR_BENCH_ROUNDS and FHIR_BENCH_SECONDS change the effort; words on the command line
choose measurements by substring (`bench/compare.py "GET 1 KiB"`).

The price of a policy is measured against ourselves: the same Binary with a security context, read by a member whose
policy decides (ours) and by an administrator (peer). At 0.77 a read under a policy costs 1.3 times as much.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "live"))
from access import world  # noqa: E402
from harness import httpd, postgres  # noqa: E402

ROUNDS = int(os.environ.get("FHIR_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("FHIR_BENCH_SECONDS", "3"))
CONNECTIONS = 16
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZES = {"1 KiB": KIB, "100 KiB": 100 * KIB, "10 MiB": 10 * MIB, "1 GiB": GIB}
FLOORS = {"GET 1 KiB bearer": 0.25, "GET 1 KiB signed": 0.25, "GET 10 MiB bearer": 0.9, "GET 10 MiB signed": 0.9,
          "upload 100 MiB": 1.0, "policy by compartment": 1 / 1.3, "policy by content": 1 / 1.3}


class DurablePostgres(postgres.Postgres):
    """The tests turn fsync off; a benchmark must not."""

    def start(self):
        self.conninfo = self.script("start").splitlines()[-1]
        return self


def make_file(path, size):
    with open("/dev/urandom", "rb") as source, open(path, "wb") as target:
        left = size
        while left:
            left -= target.write(source.read(min(left, 4 * MIB)))
    path.chmod(0o644)
    return path


class Bench:
    def __init__(self, directory):
        self.directory = directory
        self.files, self.dav = directory / "files", directory / "dav"
        for folder in (self.files, self.dav):
            folder.mkdir()
            folder.chmod(0o755)
            shutil.chown(folder, httpd.USER)
        self.results = []

    def configuration(self):
        modules = httpd.MODULES
        return f"""
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
DavLockDB {self.dav}/.lock
EnableSendfile On
LimitRequestBody 0
MaxKeepAliveRequests 0
Alias /plain {self.files}
Alias /dav {self.dav}
<Directory {self.files}>
  Require all granted
</Directory>
<Directory {self.dav}>
  Dav On
  Require all granted
</Directory>
"""

    # -- load --
    def wrk(self, target, headers, script=None):
        """Requests per second."""
        command = ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--timeout", "30s"]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        if script:
            command += ["-s", str(script)]
        done = subprocess.run(command + [self.server.base.rstrip("/") + target], stdout=subprocess.PIPE, check=True)
        text = done.stdout.decode()
        assert "Non-2xx" not in text and "Socket errors" not in text, text
        return float(text.split("Requests/sec:")[1].split()[0])

    def curl(self, target, headers, method="GET", file=None):
        """Transfers per second of one big transfer. What earlier ones left behind is removed or written first: mod_dav
        leaves all of it to be written later, and whoever comes next would pay for that and for the memory."""
        self.empty(self.dav)
        self.forget_uploads()
        os.sync()
        command = ["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{time_total}", "-X", method]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        if file:
            command += ["-T", str(file), "-H", "Expect:"]
        done = subprocess.run(command + [self.server.base.rstrip("/") + target], stdout=subprocess.PIPE, check=True)
        return 1 / float(done.stdout)

    def upload_script(self, method, prefix, size, headers):
        """A wrk script that sends `size` bytes, to a new name each time if `prefix` is given."""
        path = self.directory / f"{method}-{size}-{len(prefix)}.lua"
        fields = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers.items())
        naming = f"""
local thread_count = 0
function setup(thread) thread:set("id", thread_count); thread_count = thread_count + 1 end
function request()
  counter = (counter or 0) + 1
  return wrk.format(nil, "{prefix}" .. id .. "-" .. counter .. "-" .. stamp)
end
function init() stamp = tostring(os.time()) .. tostring({{}}):sub(8) end
""" if prefix else ""
        path.write_text(f'wrk.method = "{method}"\n{fields}local f = io.open("{self.files}/{size}", "rb")\n'
                        f'wrk.body = f:read("*a")\nf:close()\n{naming}')
        return path

    def pair(self, name, ours, peer, wanted):
        if wanted and not any(word in name for word in wanted):
            return
        ratios, rates, peers = [], [], []
        peer(), ours()
        for _ in range(ROUNDS):
            peers.append(peer())
            rates.append(ours())
            ratios.append(rates[-1] / peers[-1])
        ratio = statistics.median(ratios)
        floor = FLOORS.get(name)
        verdict = "" if floor is None else f"  floor {floor:.2f}: {'met' if ratio >= floor else 'MISSED'}"
        print(f"{name:26} {statistics.median(rates):10.1f}/s  peer {statistics.median(peers):10.1f}/s  "
              f"ratio {ratio:5.2f} ({min(ratios):.2f}-{max(ratios):.2f}){verdict}", flush=True)
        self.results.append((name, ratio, floor))

    # -- measurements --
    def reads(self, client, wanted):
        for label, size in SIZES.items():
            path = make_file(self.files / str(size), size)
            identity = self.put_file(client, path)
            self.kept = set((self.server.stores / "main" / "objects").glob("*/*/*"))
            signed = client.signed(identity)
            plain = f"/plain/{size}"
            binary = f"/fhir/R4/Binary/{identity}"
            run = self.curl if size >= GIB else self.wrk
            self.pair(f"GET {label} bearer", lambda: run(binary, client.bearer), lambda: run(plain, {}), wanted)
            self.pair(f"GET {label} signed", lambda: run(signed, {}), lambda: run(plain, {}), wanted)

    def put_file(self, client, path):
        command = ["curl", "-sS", "-f", "-X", "POST", "-T", str(path), "-H", "Content-Type: application/octet-stream",
                   "-H", "Authorization: " + client.bearer["Authorization"], self.server.fhir_base + "Binary"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["id"]

    def uploads(self, client, wanted):
        octets = {"Content-Type": "application/octet-stream"}
        create = {**octets, **client.bearer, "Prefer": "return=minimal"}
        for label, size in {**SIZES, "100 MiB": 100 * MIB}.items():
            path = self.files / str(size)
            if not path.exists():
                make_file(path, size)
            if size >= 100 * MIB:
                self.pair(f"upload {label}",
                          lambda: self.curl("/fhir/R4/Binary", create, "POST", path),
                          lambda: self.curl(f"/dav/big-{time.time_ns()}", octets, "PUT", path), wanted)
            else:
                ours = self.upload_script("POST", "", size, create)
                peer = self.upload_script("PUT", "/dav/", size, octets)
                self.pair(f"upload {label}",
                          lambda: self.wrk("/fhir/R4/Binary", {}, ours),
                          lambda: self.wrk("/dav/", {}, peer), wanted)
            self.empty(self.dav)

    # -- resources: the peer serves, or takes, the same JSON as a file --
    def resources(self, client, wanted):
        pages = not wanted or any(word in "resource search page" for word in wanted)
        patient = {"resourceType": "Patient", "active": True, "birthDate": "1955-05-12",
                   "name": [{"family": "Simpson", "given": ["Homer", "Jay"]}],
                   "identifier": [{"system": "urn:bench", "value": "1"}]}
        made = self.send(client, "POST", "Patient", patient)
        read = "/fhir/R4/Patient/" + json.loads(made)["id"]
        self.pair("resource read", *self.same_as_file(read, client, made), wanted)
        body = self.files / "patient.json"
        body.write_bytes(json.dumps(patient).encode())
        headers = {"Content-Type": "application/fhir+json"}
        ours = self.upload_script("POST", "", "patient.json", {**headers, **client.bearer, "Prefer": "return=minimal"})
        peer = self.upload_script("PUT", "/dav/", "patient.json", headers)
        self.pair("resource create", lambda: self.wrk("/fhir/R4/Patient", {}, ours),
                  lambda: self.wrk("/dav/", {}, peer), wanted)
        self.empty(self.dav)
        if pages:
            self.pair("resource search page", *self.same_as_file(self.make_page(client), client, None), wanted)

    # -- access: the peer is an administrator --
    def policies(self, admin, wanted):
        patient = json.loads(self.send(admin, "POST", "Patient", {"resourceType": "Patient", "gender": "female"}))["id"]
        context = {"X-Security-Context": f"Patient/{patient}"}
        target = "/fhir/R4/Binary/" + admin.upload(os.urandom(KIB), headers=context)[0]
        for label, criteria in {"compartment": "Patient?_compartment=%patient", "content": "Patient?gender=female"}.items():
            member = world.member(self.server, admin, [{"resourceType": "Patient", "criteria": criteria}],
                                  patient=f"Patient/{patient}")
            self.pair(f"policy by {label}", lambda: self.wrk(target, member.bearer),
                      lambda: self.wrk(target, admin.bearer), wanted)

    def send(self, client, method, path, resource):
        done = subprocess.run(["curl", "-sS", "-f", "-X", method, "--data-binary", "@-", "-H",
                               "Content-Type: application/fhir+json", "-H",
                               "Authorization: " + client.bearer["Authorization"], self.server.fhir_base + path],
                              input=json.dumps(resource).encode(), stdout=subprocess.PIPE, check=True)
        return done.stdout

    def same_as_file(self, target, client, content):
        if content is None:
            content = subprocess.run(["curl", "-sS", "-f", "-H", "Authorization: " + client.bearer["Authorization"],
                                      self.server.base.rstrip("/") + target], stdout=subprocess.PIPE, check=True).stdout
        name = f"answer-{len(content)}.json"
        (self.files / name).write_bytes(content)
        (self.files / name).chmod(0o644)
        return lambda: self.wrk(target, client.bearer), lambda: self.wrk(f"/plain/{name}", {})

    def make_page(self, client):
        """100 DocumentReferences with 100 attachments each; the page that shows them all."""
        binaries = [json.loads(self.send(client, "POST", "Binary", {"resourceType": "Binary", "data": "aGVsbG8=",
                                                                    "contentType": "text/plain"}))["id"]
                    for _ in range(100)]
        for number in range(100):
            self.send(client, "POST", "DocumentReference", {
                "resourceType": "DocumentReference", "status": "current", "description": f"page {number}",
                "content": [{"attachment": {"url": f"Binary/{binary}"}} for binary in binaries]})
        return "/fhir/R4/DocumentReference?_count=100"

    def forget_uploads(self):
        """Bytes uploaded since the reads were prepared; their rows stay, nobody reads them."""
        for path in (self.server.stores / "main" / "objects").glob("*/*/*"):
            if path not in self.kept:
                path.unlink()

    @staticmethod
    def empty(folder):
        for entry in folder.iterdir():
            if entry.is_file():
                entry.unlink()

    def run(self, wanted):
        database = DurablePostgres().start()
        try:
            with httpd.Server(database, extra=self.configuration(), processes=1, threads=64) as self.server:
                self.server.keeps_objects = False
                client = self.server.project("bench")
                self.reads(client, wanted)
                self.policies(client, wanted)
                self.uploads(client, wanted)
                self.resources(client, wanted)
                self.server.position = self.server.error_log.stat().st_size
        finally:
            database.discard()
        missed = [name for name, ratio, floor in self.results if floor and ratio < floor]
        print("all floors met" if not missed else "below the floor: " + ", ".join(missed))
        return 1 if missed else 0


def main():
    directory = Path(tempfile.mkdtemp(prefix="fhb.", dir=os.environ.get("FHIR_BENCH_DIR")))
    directory.chmod(0o755)
    try:
        return Bench(directory).run(sys.argv[1:])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
