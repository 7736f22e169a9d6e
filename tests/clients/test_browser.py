"""Chromium: media elements, downloads, CORS, the cache, and @medplum/react's upload components. The checks are in browser.mjs."""
import programs
import pytest


@pytest.mark.parametrize("name", programs.checks_of("browser.mjs"))
def test_browser(run, name):
    run("browser.mjs", name)
