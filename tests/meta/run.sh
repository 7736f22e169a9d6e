#!/bin/sh
# Runs the tests of core/meta on a private PostgreSQL: run.sh PROGRAM... (FHIR_TEST_WRAPPER: "valgrind ..." for one).
# Each program prints "meta NAME: N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d /tmp/fhir-meta.XXXXXX)
trap '"$root/dev/postgres.sh" stop "$work" >/dev/null 2>&1; rm -rf "$work"' EXIT
trap 'exit 129' HUP INT TERM
chmod 0711 "$work"
FHIR_TEST_CLUSTER=$work
FHIR_TEST_POSTGRES=$root/dev/postgres.sh
FHIR_TEST_CONNINFO=$("$root/dev/postgres.sh" start "$work") || exit 1
export FHIR_TEST_CLUSTER FHIR_TEST_POSTGRES FHIR_TEST_CONNINFO
status=0
for program in "$@"; do
    ${FHIR_TEST_WRAPPER:-} "$program" || {
        status=1
        echo "server log:" >&2
        tail -n 5 "$work/postgres.log" >&2
    }
done
exit $status
