"""fhirbinctl, as an administrator calls it."""
import os
import re
import subprocess

from . import httpd


class CliError(AssertionError):
    def __init__(self, code, text):
        super().__init__(f"fhirbinctl ended with {code}: {text}")
        self.code, self.text = code, text


class Cli:
    def __init__(self, server):
        self.server = server

    def run(self, *words, check=True):
        """Gives standard output; raises CliError unless it ends with 0."""
        command = [str(httpd.BUILD / "fhirbinctl"), "-c", str(self.server.configuration), *map(str, words)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              env={**self.server.environment(), "HOME": os.environ.get("HOME", "/")})
        out, err = done.stdout.decode(), done.stderr.decode()
        if check and done.returncode:
            raise CliError(done.returncode, f"{' '.join(map(str, words))}: {out}{err}")
        self.code, self.error = done.returncode, err
        return out

    def orphans(self):
        """What `store orphans` lists, whatever its age; exit status 3 says that there is something."""
        text = self.run("store", "orphans", "--older-than", "0s", check=False)
        if self.code not in (0, 3):
            raise CliError(self.code, self.error)
        return text if self.code == 3 else ""

    def field(self, text, name):
        match = re.search(rf"(?im)^\s*{name}\s*[:=]?\s+(\S+)", text) or re.search(rf"(?i){name}\s*[:=]\s*(\S+)", text)
        assert match, f"no {name} in {text!r}"
        return match.group(1)

    def project_create(self, name):
        return self.field(self.run("project", "create", name), "project")

    def client_create(self, project, name, *more, admin=True):
        """Gives (id, secret). Administrators, unless the test is about access: others may do nothing without policy."""
        text = self.run("client", "create", "--project", project, "--name", name, *more, *["--admin"] * admin)
        return self.field(text, "client"), self.field(text, "secret")

    def membership_create(self, project, *more, admin=True):
        """Gives its id."""
        return self.field(self.run("membership", "create", "--project", project, *more, *["--admin"] * admin), "membership")
