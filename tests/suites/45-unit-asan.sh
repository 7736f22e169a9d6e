# Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer.
# needs: servers
asan=$BUILD/sanitize-address-undefined
$MAKE -s SANITIZE=address,undefined BUILD="$asan" unit-programs || exit 1
ASAN_OPTIONS=abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS UBSAN_OPTIONS
# shellcheck disable=SC2046
BUILD=$asan sh tests/programs.sh unit-asan "" $(for source in tests/unit/test_${UNIT:-*}.c; do
    [ -f "$source" ] && echo "$asan/tests/unit/$(basename "$source" .c)"
done)
