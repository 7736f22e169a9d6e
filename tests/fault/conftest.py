"""Fixtures: one PostgreSQL for a file, one site without httpd for a test."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
sys.dont_write_bytecode = True

from harness.postgres import Postgres  # noqa: E402
from move_site import Site  # noqa: E402


@pytest.fixture(scope="module")
def postgres():
    cluster = Postgres()
    try:
        cluster.start()
        cluster.restart()
        yield cluster
    finally:
        cluster.discard()


@pytest.fixture
def site(postgres, tmp_path):
    made = Site(postgres, tmp_path)
    yield made
    postgres.drop_database(made.conninfo)
