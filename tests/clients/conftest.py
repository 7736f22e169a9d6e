"""Fixtures: one httpd and one PostgreSQL for all client programs, from the harness of the live tests."""
import importlib.util
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LIVE = HERE.parent / "live"
sys.path[:0] = [str(HERE), str(LIVE)]
sys.dont_write_bytecode = True

from harness import httpd  # noqa: E402

import programs  # noqa: E402

_specification = importlib.util.spec_from_file_location("live_conftest", LIVE / "conftest.py")
_live = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_live)
postgres, watched_logs, pytest_runtest_makereport = _live.postgres, _live.watched_logs, _live.pytest_runtest_makereport

# A page of the server's own origin, for what browsers only do within one origin.
SAME_ORIGIN = """
Alias /app {root}/app
<Directory {root}/app>
  Require all granted
</Directory>
"""


@pytest.fixture(scope="session")
def server(postgres):
    """As `make run` serves: ids may be chosen by clients. Scripts of the test page's origin are let in."""
    page_port = httpd.free_port()
    made = httpd.Server(postgres, extra=SAME_ORIGIN, directives={
        "FhirBinaryUpdateCreate": "on", "FhirBinaryCORSOrigins": f"http://127.0.0.1:{page_port}"})
    made.page_port = page_port
    (made.root / "app").mkdir(mode=0o755)
    with made as running:
        yield running
        _live.orphans(running)


@pytest.fixture(scope="session")
def environment(server):
    """What every program is told."""
    project, other = server.cli.project_create("Clients"), server.project("Another hospital")
    profile = "Practitioner/dr-alice-smith"
    identity, secret = server.cli.client_create(project, "Clients' application", "--profile", profile)
    screenshots = httpd.BUILD / "clients"
    screenshots.mkdir(parents=True, exist_ok=True)
    return {
        "FHIR_BASE_URL": server.base, "FHIR_CLIENT_ID": identity, "FHIR_CLIENT_SECRET": secret, "FHIR_PROFILE": profile,
        "FHIR_OTHER_CLIENT_ID": other.id, "FHIR_OTHER_CLIENT_SECRET": other.secret,
        "FHIR_PAGE_PORT": str(server.page_port), "FHIR_APP_DIRECTORY": str(server.root / "app"),
        "FHIR_ACCESS_LOG": str(server.access_log), "FHIR_OUTPUT": str(screenshots),
    }


@pytest.fixture(scope="session")
def run(environment):
    """run(program, check): starts the program if it does not run yet, and has it do the check."""
    running = {}

    def check(program, name):
        if program not in running:
            running[program] = programs.Program(program, environment)
        running[program].check(name)

    yield check
    for program in running.values():
        program.stop()
