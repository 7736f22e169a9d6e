"""A private httpd: its own ServerRoot, port, stores and database; watches its error log."""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import cli, client, content, stores, wire

REPOSITORY = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else REPOSITORY / BUILD
MPM = os.environ.get("FHIR_TEST_MPM", "event")
APACHE2 = shutil.which("apache2") or shutil.which("httpd") or "/usr/sbin/apache2"
MODULES = Path(os.environ.get("FHIR_TEST_MODULES", "/usr/lib/apache2/modules"))
USER = "www-data" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

# What an ordinary installation has loaded, so that its modules' habits are tested with ours.
LOADED = """authn_core authn_file authz_core authz_host authz_user auth_basic alias autoindex deflate dir env filter
headers mime negotiation reqtimeout rewrite setenvif status""".split()

LINE = re.compile(r"^\[[^\]]*\] \[(?:(?P<module>[\w.-]*):)?(?P<level>emerg|alert|crit|error|warn)\]")
DEATH = re.compile(r"exit signal|AddressSanitizer|LeakSanitizer|runtime error:|seg fault|Segmentation|stack smashing"
                   r"|double free|corrupted|caught SIG(?!TERM|USR1|WINCH|HUP)|possible deadlock")
SERVERS = []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def directive_text(directives):
    lines = []
    for name, values in directives.items():
        if values is None:
            continue
        for value in values if isinstance(values, (list, tuple)) else [values]:
            lines.append(f"{name} {value}")
    return "\n".join(lines)


class Server:
    """Start one with `with Server(postgres, ...) as server`. `directives` add to or (with None) take away from ours."""

    def __init__(self, postgres, directives=None, mpm=None, extra="", processes=2, threads=32, name="live",
                 database=None):
        self.postgres, self.mpm, self.extra, self.name = postgres, mpm or MPM, extra, name
        self.processes, self.threads = processes, threads
        self.port = free_port()
        self.root = Path(tempfile.mkdtemp(prefix="fhl."))
        self.root.chmod(0o755)
        self.stores = self.root / "stores"
        self.stores.mkdir(mode=0o700)
        shutil.chown(self.stores, USER)
        self.store = stores.Store(self.stores)
        self.base = f"http://127.0.0.1:{self.port}/"
        self.fhir_base = self.base + "fhir/R4/"
        self.storage_base = self.base + "storage/"
        self.conninfo = database or postgres.create_database()
        self.owns_database = not database
        self.directives = self._defaults()
        self.directives.update(directives or {})
        self.configuration = self.root / "httpd.conf"
        self.error_log, self.access_log = self.root / "error.log", self.root / "access.log"
        self.process, self.position, self.expected = None, 0, []
        self.baseline = None
        self.cli = cli.Cli(self)
        self.declared_orphans = 0
        self.keeps_objects = True  # False: the benchmark removes bytes behind the server's back

    def _defaults(self):
        return {
            "FhirBinaryBaseURL": self.base,
            "FhirBinaryDatabase": f'"{self.conninfo}"',
            **self.store.directives(BUILD),
        }

    # -- configuration --
    def text(self):
        load = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        children = (f"StartServers {self.processes}\nServerLimit {self.processes}\nThreadLimit {self.threads}\n"
                    f"ThreadsPerChild {self.threads}\nMaxRequestWorkers {self.processes * self.threads}\n"
                    f"MinSpareThreads 1\nMaxSpareThreads {self.processes * self.threads}\n")
        if self.mpm == "prefork":
            count = min(self.processes * self.threads, 60)
            children = (f"StartServers {count if self.threads > 32 else 8}\nServerLimit {count}\nMaxRequestWorkers {count}\n"
                        f"MinSpareServers 1\nMaxSpareServers {count}\n")
        user = f"User {USER}\nGroup {USER}\n" if os.geteuid() == 0 else ""
        return f"""# made by tests/live/harness/httpd.py
ServerRoot {self.root}
ServerName 127.0.0.1
Listen 127.0.0.1:{self.port}
PidFile {self.root}/httpd.pid
Mutex file:{self.root} default
DefaultRuntimeDir {self.root}
{user}LoadModule mpm_{self.mpm}_module {MODULES}/mod_mpm_{self.mpm}.so
{load}
{children}
ErrorLog {self.error_log}
LogLevel info fhir_binary:info
LogFormat "%h %t \\"%m %U %H\\" %>s %O" private
CustomLog {self.access_log} private
TypesConfig /etc/mime.types
DocumentRoot {self.root}
ExtendedStatus On
TraceEnable Off
KeepAliveTimeout 5
Timeout 20
LimitRequestBody 0
GracefulShutdownTimeout 20
LimitRequestBody 0
<Directory {self.root}>
  Require all denied
</Directory>
<Location /server-status>
  SetHandler server-status
  Require all granted
</Location>
LoadModule fhir_binary_module {BUILD}/mod_fhir_binary.so
{directive_text(self.directives)}
{self.extra.replace("{root}", str(self.root))}
"""

    def write_configuration(self):
        self.configuration.write_text(self.text())

    def environment(self):
        keep = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
        if os.environ.get("FHIR_TEST_PRELOAD"):
            keep["LD_PRELOAD"] = os.environ["FHIR_TEST_PRELOAD"]
            keep["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1:handle_abort=0")
            keep["UBSAN_OPTIONS"] = os.environ.get("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=0")
        return keep

    def configtest(self):
        """`apache2 -t`; gives (exit code, what it said)."""
        self.write_configuration()
        done = subprocess.run([APACHE2, "-d", self.root, "-f", self.configuration, "-t"], env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    # -- life --
    def start(self):
        self.write_configuration()
        self.cli.run("db", "upgrade")
        self.process = subprocess.Popen([APACHE2, "-d", self.root, "-f", self.configuration, "-D", "FOREGROUND"],
                                        env=self.environment(), stdin=subprocess.DEVNULL,
                                        start_new_session=True,  # some MPMs end their whole process group
                                        stdout=open(self.root / "stdout.log", "ab"), stderr=subprocess.STDOUT)
        SERVERS.append(self)
        self._wait_until_up()
        return self

    def _wait_until_up(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"httpd ended: {(self.root / 'stdout.log').read_text()}\n{self.log_text()}")
            try:
                wire.request("127.0.0.1", self.port, "GET", "/server-status?auto", timeout=5)
                return
            except (OSError, wire.WireError):
                time.sleep(0.05)
        raise AssertionError("httpd does not answer:\n" + self.log_text())

    def stop(self, check=True):
        if not self.process:
            return
        try:
            if check and self.process.poll() is None:
                self.check_descriptors()
                self.check_store()
        finally:
            self._end()

    def _end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("httpd did not stop within 30 s")
        if self in SERVERS:
            SERVERS.remove(self)
        self.process = None

    def discard(self):
        if not os.environ.get("FHIR_TEST_KEEP"):
            if self.owns_database:
                self.postgres.drop_database(self.conninfo)
            shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.stop(check=kind is None)
            if kind is None:
                self.check_log()
        finally:
            self.discard()

    def graceful(self, wait=True):
        """A graceful restart; waits until the new generation is at work."""
        before = self.log_text().count("resuming normal operations")
        self.process.send_signal(signal.SIGUSR1)
        if wait:
            self.wait_log("resuming normal operations", count=before + 1)

    # -- children --
    def children(self):
        done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], stdout=subprocess.PIPE)
        return [int(word) for word in done.stdout.split()]

    def descriptors(self):
        """What every child has open, pipes and sockets apart: {pid: sorted names}."""
        found = {}
        for pid in self.children():
            names = []
            try:
                for entry in os.listdir(f"/proc/{pid}/fd"):
                    try:
                        names.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
                    except FileNotFoundError:
                        continue
            except (FileNotFoundError, PermissionError):
                continue
            found[pid] = sorted(names)
        return found

    def busy(self):
        text = wire.request("127.0.0.1", self.port, "GET", "/server-status?auto").text
        board = re.search(r"^Scoreboard: (.*)$", text, re.M).group(1)
        return sum(1 for mark in board if mark in "RWDL") - 1  # the asking one apart

    def wait_idle(self, within=15):
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.busy() <= 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"workers are still busy:\n{self.log_text()[-3000:]}")

    def check_descriptors(self):
        """No file of a store open, and no more sockets than listeners, pools and idle keep-alives explain."""
        self.wait_idle()
        end = time.monotonic() + 3
        while True:
            problems = self._descriptor_problems()
            if not problems or time.monotonic() > end:
                break
            time.sleep(0.1)
        assert not problems, problems

    def _descriptor_problems(self):
        problems = []
        for pid, names in self.descriptors().items():
            # A store may keep its directories open, never a file.
            held = [name for name in names if "(deleted)" in name and not name.startswith("/memfd:fhir_binary")
                    and "/mpm-accept-" not in name  # the accept mutex of prefork and worker
                    or str(self.stores) in name and os.path.isfile(name)]
            sockets = sum(1 for name in names if name.startswith("socket:"))
            if held:
                problems.append(f"child {pid} still has open: {held}")
            if sockets > 30 + self.store.idle_sockets:
                problems.append(f"child {pid} has {sockets} sockets")
        return problems

    def stored(self):
        """What the store holds and nobody committed tells: two equal answers say that nothing was left in between."""
        return self.store.files() if self.store.in_files else self.cli.orphans()

    def check_store(self, hashes=True):
        """Every object that a committed row names is there, whole and with the recorded hash."""
        place = self.stores / "main" / "objects"
        if self.store.kind != "filesystem" and self.keeps_objects:
            self.cli.run("store", "verify")
        if not place.exists() or not self.keeps_objects:
            return
        bad = []
        for locator, size, digest in self.sql("SELECT locator, size, encode(sha256, 'hex') FROM fhir_binary.object "
                                              "WHERE committed_at IS NOT NULL"):
            file = place / locator
            if not file.exists():
                bad.append(f"{locator} is missing")
            elif file.stat().st_size != int(size):
                bad.append(f"{locator} has {file.stat().st_size} bytes, not {size}")
            elif hashes and content.sha256_of_file(file) != digest:
                bad.append(f"{locator} has other bytes")
        assert not bad, f"{len(bad)} stored objects are damaged: {bad[:5]}"

    # -- error log --
    def log_text(self):
        return self.error_log.read_text(errors="replace") if self.error_log.exists() else ""

    def new_log(self):
        """Lines since the last look."""
        with open(self.error_log, "rb") as log:
            log.seek(self.position)
            data = log.read()
        end = data.rfind(b"\n") + 1
        self.position += end
        return data[:end].decode("utf-8", "replace").splitlines()

    def expect_log(self, pattern):
        """This test may leave lines like that at warn or above."""
        self.expected.append(re.compile(pattern))

    def wait_log(self, pattern, within=20, count=1):
        end = time.monotonic() + within
        while time.monotonic() < end:
            if len(re.findall(pattern, self.log_text())) >= count:
                return
            time.sleep(0.05)
        raise AssertionError(f"the error log never said {pattern!r}:\n{self.log_text()[-3000:]}")

    def check_log(self):
        """Raises for every line at warn or above that was not expected, and for every death of a child."""
        bad = []
        for line in self.new_log():
            allowed = any(pattern.search(line) for pattern in self.expected)
            if (LINE.match(line) or DEATH.search(line)) and not allowed:
                bad.append(line)
        self.expected = []
        assert not bad, "unexpected lines in the error log:\n" + "\n".join(bad[:30])

    # -- talking --
    def request(self, method, target, headers=None, body=None, **how):
        return wire.request("127.0.0.1", self.port, method, target, headers, body, **how)

    def connect(self, timeout=30):
        return wire.Connection("127.0.0.1", self.port, timeout)

    def project(self, name):
        """A new project with one client; gives the client's side."""
        project = self.cli.project_create(name)
        identity = self.cli.client_create(project, f"{name} application")
        return client.Client(self, project, identity)

    def sql(self, statement):
        return self.postgres.query(self.conninfo, statement)
