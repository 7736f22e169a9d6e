#!/bin/sh
# Runs pytest and prints "NAME: N passed, N failed". Usage: tests/pytest.sh NAME PYTEST-ARGUMENTS...
# Errors outside a test (collection, fixtures) count as failures, and so does a run without any test.
set -u
name=$1
shift
: "${PYTHON:=/usr/bin/python3}"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
"$PYTHON" -m pytest -q -p no:cacheprovider --junitxml="$report" "$@"
status=$?
"$PYTHON" - "$name" "$report" "$status" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree

name, report, status = sys.argv[1], sys.argv[2], int(sys.argv[3])
total = failed = skipped = 0
try:
    for suite in tree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
except (OSError, tree.ParseError):
    pass
if total == 0 or (status != 0 and failed == 0):
    failed += 1
if skipped:
    print(f"{name}: {skipped} skipped")
print(f"{name}: {max(total - failed - skipped, 0)} passed, {failed} failed")
PYTHON
exit $status
