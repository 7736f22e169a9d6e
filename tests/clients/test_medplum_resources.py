"""@medplum/core in node, the resource side. The checks are in medplum_resources.mjs."""
import programs
import pytest


@pytest.mark.parametrize("name", programs.checks_of("medplum_resources.mjs"))
def test_medplum_resources(run, name):
    run("medplum_resources.mjs", name)
