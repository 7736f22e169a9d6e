# The same with the module, the plugins and fhirbinctl under AddressSanitizer and UndefinedBehaviorSanitizer.
# needs: servers
asan=$BUILD/sanitize-address-undefined
$MAKE -s CC=gcc SANITIZE=address,undefined BUILD="$asan" all || exit 1
# httpd is not sanitized, so the runtime comes before everything else. Pools are freed as a whole: no leak search.
FHIR_TEST_PRELOAD=$(readlink -f "$(gcc -print-file-name=libasan.so)"):$(readlink -f "$(gcc -print-file-name=libubsan.so)")
ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:handle_abort=0
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:abort_on_error=1
BUILD=$asan
export BUILD FHIR_TEST_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS
# Six files at a time: most tests wait for something. What asks the same code again with other policies is left to `live`.
# shellcheck disable=SC2086
sh tests/pytest.sh live-asan -n 6 --dist loadfile --ignore-glob="*/test_775_*" --ignore-glob="*/test_785_*" \
    --ignore-glob="*/test_790_*" tests/live ${PYTEST:-}
