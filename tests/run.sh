#!/bin/sh
# Runs test suites and counts. Usage: tests/run.sh all | fast | NAME...
#
# A suite is a script tests/suites/NN-NAME.sh. The numbers give the order. Its second line says what it needs:
#     # needs: nothing      part of `make check-fast`
#     # needs: servers      starts httpd or PostgreSQL, or takes long; only in `make check`
# It runs in the root of the repository with BUILD, CC and PYTHON set, builds what it needs with $MAKE, and prints at
# least one line that ends in ": N passed, N failed". No such line, or an exit status other than 0 without a failed
# test, counts as one failure. The output is kept in $BUILD/check/NAME.log.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${BUILD:=build}" "${CC:=gcc}" "${PYTHON:=/usr/bin/python3}" "${MAKE:=make}"
export BUILD CC PYTHON MAKE
MAKEFLAGS="${FHIR_JOBS:--j2} --no-print-directory"
export MAKEFLAGS
# The guards ask git for the files, also when root tests a clone that another user made.
GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$(pwd -P)
export GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
logs=$BUILD/check
mkdir -p "$logs" || exit 1

chosen() {
    case " $wanted " in
    *" all "*) return 0 ;;
    *" fast "*) sed -n 2p "$1" | grep -q 'needs: nothing' && return 0 ;;
    esac
    case " $wanted " in *" $2 "*) return 0 ;; esac
    return 1
}

# Adds up the count lines of a log: "PASSED FAILED LINES".
count() {
    sed -n 's/^.*: \([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p' "$1" |
        awk '{ passed += $1; failed += $2 } END { printf "%d %d %d\n", passed, failed, NR }'
}

wanted=$*
[ -n "$wanted" ] || wanted=all
passed=0
failed=0
ran=0
bad=
for script in tests/suites/[0-9]*-*.sh; do
    name=$(basename "$script" .sh | sed 's/^[0-9]*-//')
    chosen "$script" "$name" || continue
    ran=$((ran + 1))
    log=$logs/$name.log
    started=$(date +%s)
    printf '== %s\n' "$name"
    { sh "$script" 2>&1; echo $? >"$log.status"; } | tee "$log"
    status=$(cat "$log.status")
    rm -f "$log.status"
    # shellcheck disable=SC2046
    set -- $(count "$log")
    suite_failed=$2
    if [ "$3" -eq 0 ]; then
        printf 'suite %s printed no count (exit status %s): counted as a failure\n' "$name" "$status"
        suite_failed=1
    elif [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        printf 'suite %s ended with status %s though no test failed: counted as a failure\n' "$name" "$status"
        suite_failed=1
    fi
    passed=$((passed + $1))
    failed=$((failed + suite_failed))
    [ "$suite_failed" -eq 0 ] || bad="$bad $name"
    printf -- '-- %s: %s passed, %s failed in %s s\n' "$name" "$1" "$suite_failed" "$(($(date +%s) - started))"
done
if [ "$ran" -eq 0 ]; then
    printf 'tests/run.sh: no suite is called "%s"; there are:\n' "$wanted" >&2
    ls tests/suites >&2
    failed=1
fi
# What failed is said again at the end: of a long log, often only the end is kept.
for name in $bad; do
    printf '\n== %s failed; from %s/%s.log:\n' "$name" "$logs" "$name"
    grep -nE 'FAIL|[Ee]rror|^ +[0-9]+\. ' "$logs/$name.log" | grep -v ', 0 failed' | tail -n 30
    tail -n 15 "$logs/$name.log"
done
[ -z "$bad" ] || printf 'failed:%s (output in %s/NAME.log)\n' "$bad" "$logs"
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
