"""fhir-kit-client in node. The checks are in fhir_kit_client.mjs."""
import programs
import pytest


@pytest.mark.parametrize("name", programs.checks_of("fhir_kit_client.mjs"))
def test_fhir_kit_client(run, name):
    run("fhir_kit_client.mjs", name)
