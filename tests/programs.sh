#!/bin/sh
# Runs test programs, two at a time. Usage: tests/programs.sh LABEL "WRAPPER" PROGRAM...
# Each prints "...: N passed, N failed" itself; one that dies, hangs or is silent gets a line here. Of a program that
# succeeds only the count is shown.
set -u
# The system's certificate authorities, which no test needs: valgrind takes a second to read them for each store.
export SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/nonexistent
one() { # label, wrapper, program
    output=$(mktemp)
    trap 'rm -f "$output"' EXIT
    started=$(date +%s)
    # shellcheck disable=SC2086
    timeout "${FHIR_TEST_TIMEOUT:-300}" $2 "$3" >"$output" 2>&1
    result=$?
    seconds=$(($(date +%s) - started))
    [ "$seconds" -lt 10 ] || echo "($(basename "$3"): $seconds s)"
    if [ "$result" -eq 0 ]; then
        grep ': [0-9]* passed, [0-9]* failed$' "$output"
    else
        cat "$output"
    fi
    if ! grep -q ': [0-9]* passed, [0-9]* failed$' "$output"; then
        echo "(exit status $result and no count)"
        echo "$1 $(basename "$3"): 0 passed, 1 failed"
        return 1
    fi
    if [ "$result" -ne 0 ] && grep -q ': [0-9]* passed, 0 failed$' "$output"; then
        echo "$1 $(basename "$3") ended with status $result: 0 passed, 1 failed"
    fi
    return "$((result != 0))"
}
if [ "$1" = --one ]; then
    one "$2" "$3" "$4"
    exit
fi
label=$1
wrapper=$2
shift 2
if [ $# -eq 0 ]; then
    echo "no test program found"
    echo "$label: 0 passed, 1 failed"
    exit 1
fi
printf '%s\0' "$@" | xargs -0 -n 1 -P "${FHIR_TEST_PARALLEL:-2}" sh "$0" --one "$label" "$wrapper"
