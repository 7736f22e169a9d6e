"""@medplum/core in node. The checks are in medplum.mjs."""
import programs
import pytest


@pytest.mark.parametrize("name", programs.checks_of("medplum.mjs"))
def test_medplum(run, name):
    run("medplum.mjs", name)
