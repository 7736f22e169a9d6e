"""Fixtures: one PostgreSQL for the session, one ordinary httpd for most tests, and the watch over every error log."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from harness import httpd  # noqa: E402
from harness.postgres import Postgres  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "large: gigabytes; only with FHIR_TEST_LARGE=1")
    config.addinivalue_line("markers", "object_store: only below tests/servers/with.sh radosgw azurite")


# Tests with this mark need this variable. Without it they are another suite's.
WANTED = {"large": "FHIR_TEST_LARGE", "object_store": "FHIR_TEST_S3_ENDPOINT"}


def pytest_collection_modifyitems(config, items):
    left = {mark for mark, variable in WANTED.items() if not os.environ.get(variable)}
    others = [item for item in items if any(item.get_closest_marker(mark) for mark in left)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """What is skipped was not tested: it fails, unless FHIR_TEST_MAY_SKIP says why."""
    report = (yield).get_result()
    if report.skipped and not os.environ.get("FHIR_TEST_MAY_SKIP"):
        report.outcome = "failed"


@pytest.fixture(scope="session")
def postgres():
    cluster = Postgres()
    try:
        cluster.start()
        cluster.restart()
        yield cluster
    finally:
        cluster.discard()


@pytest.fixture(scope="session")
def server(postgres):
    """The ordinary server: default settings."""
    with httpd.Server(postgres) as running:
        yield running
        orphans(running)


def orphans(running):
    """Uploads that failed leave nothing: neither a pending row nor an object that no row knows."""
    running.wait_idle()
    left = running.sql("SELECT count(*) FROM fhir_binary.object WHERE committed_at IS NULL")[0][0]
    assert int(left) <= running.declared_orphans, f"{left} objects are pending"


@pytest.fixture(scope="session")
def alice(server):
    """A client of the first project."""
    return server.project("Alice's hospital")


@pytest.fixture(scope="session")
def bob(server):
    """A client of another project."""
    return server.project("Bob's practice")


@pytest.fixture
def start(postgres):
    """Starts servers of one's own that end with the test: start(directives={...})."""
    running = []

    def launch(**how):
        made = httpd.Server(how.pop("postgres", postgres), **how)
        running.append(made)
        return made.start()

    yield launch
    for made in running:
        try:
            made.stop(check=made.process is not None and made.process.poll() is None)
            made.check_log()
        finally:
            made.discard()


@pytest.fixture(autouse=True)
def watched_logs(request):
    """After every test: no error-log line at warn or above that the test did not declare, and no dead child."""
    yield
    for running in list(httpd.SERVERS):
        running.check_log()
        if os.environ.get("FHIR_TEST_PARANOID"):
            running.check_store(hashes=False)
