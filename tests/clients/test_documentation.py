"""The programs of Medplum's public documentation of Binary, as written but for base URL and credentials. The checks are in documentation.mjs."""
import programs
import pytest


@pytest.mark.parametrize("name", programs.checks_of("documentation.mjs"))
def test_documentation(run, name):
    run("documentation.mjs", name)
