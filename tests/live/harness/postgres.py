"""A private PostgreSQL cluster, made and stopped by dev/postgres.sh; one database for each httpd."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import libpq

REPOSITORY = Path(__file__).resolve().parents[3]
# In memory where that is possible: these tests make and drop many databases.
PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
SCRIPT = REPOSITORY / "dev" / "postgres.sh"


class Postgres:
    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="fhp.", dir=PLACE))
        self.directory.chmod(0o755)
        self.count = 0
        self.conninfo = None

    def script(self, action):
        done = subprocess.run([SCRIPT, action, self.directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120)
        assert done.returncode == 0, f"dev/postgres.sh {action}: {done.stdout.decode()}"
        return done.stdout.decode().strip()

    def start(self):
        self.conninfo = self.script("start").splitlines()[-1]
        # Tests care for the order of commits, not for the disk: fsync off keeps the suite fast.
        self.admin("ALTER SYSTEM SET fsync = off")
        self.admin("ALTER SYSTEM SET max_connections = 300")
        return self

    def restart(self):
        self.stop()
        self.conninfo = self.script("start").splitlines()[-1]

    def stop(self):
        self.script("stop")

    def discard(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def signal(self, number):
        """To the postmaster and everything below it."""
        postmaster = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], stdout=subprocess.PIPE)
        for pid in [postmaster] + [int(word) for word in done.stdout.split()]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return postmaster

    def silence(self):
        """It takes connections, says nothing, and closes none: a host that hangs."""
        self.signal(signal.SIGSTOP)

    def wake(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        postmaster = self.signal(signal.SIGKILL)
        end = time.monotonic() + 10
        while time.monotonic() < end and Path(f"/proc/{postmaster}").exists():
            time.sleep(0.02)

    def database_of(self, conninfo):
        return re.search(r"dbname=(\S+)", conninfo).group(1)

    def create_database(self):
        self.count += 1
        name = f"live{self.count}"
        self.admin(f"CREATE DATABASE {name} OWNER fhir")
        return re.sub(r"dbname=\S+", f"dbname={name}", self.conninfo)

    def drop_database(self, conninfo):
        self.admin(f"DROP DATABASE IF EXISTS {self.database_of(conninfo)} WITH (FORCE)")

    def admin(self, statement):
        return self.query(re.sub(r"user=\S+", "user=postgres", self.conninfo), statement)

    def query(self, conninfo, statement):
        """Rows as lists of text."""
        return libpq.query(conninfo, statement)
