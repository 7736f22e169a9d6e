"""fhirclient, the SMART JavaScript client, in node. The checks are in fhirclient.mjs."""
import programs
import pytest


@pytest.mark.parametrize("name", programs.checks_of("fhirclient.mjs"))
def test_fhirclient(run, name):
    run("fhirclient.mjs", name)
