#!/bin/sh
# Runs test programs one after the other. Usage: tests/programs.sh LABEL "WRAPPER" PROGRAM...
# Of a program that succeeds only the count is shown. Each prints "...: N passed, N failed" itself; one that dies, hangs or is silent gets a line here.
set -u
label=$1
wrapper=$2
shift 2
status=0
if [ $# -eq 0 ]; then
    echo "$label: 0 passed, 1 failed"
    echo "no test program found" >&2
    exit 1
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
for program; do
    # shellcheck disable=SC2086
    timeout "${FHIR_TEST_TIMEOUT:-300}" $wrapper "$program" >"$output" 2>&1
    result=$?
    if [ "$result" -eq 0 ]; then
        grep ': [0-9]* passed, [0-9]* failed$' "$output"
    else
        cat "$output"
        status=1
    fi
    if ! grep -q ': [0-9]* passed, [0-9]* failed$' "$output"; then
        echo "$label $(basename "$program"): 0 passed, 1 failed"
        echo "  (exit status $result and no count)"
        status=1
    elif [ "$result" -ne 0 ] && grep -q ': [0-9]* passed, 0 failed$' "$output"; then
        echo "$label $(basename "$program") ended with status $result: 0 passed, 1 failed"
    fi
done
exit $status
