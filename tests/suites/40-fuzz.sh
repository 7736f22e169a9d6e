# The fuzzing corpora and fixed mutations of them, under AddressSanitizer and UndefinedBehaviorSanitizer.
# needs: nothing
asan=$BUILD/sanitize-address-undefined
$MAKE -s SANITIZE=address,undefined BUILD="$asan" fuzz-programs || exit 1
ASAN_OPTIONS=abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS UBSAN_OPTIONS
found=0
status=0
for source in tests/fuzz/fuzz_*.c; do
    [ -f "$source" ] || continue
    found=1
    name=$(basename "$source" .c)
    # 2000 mutations or one second each: the same ones every time, as far as the time reaches.
    if ! timeout 60 "$asan/tests/fuzz/$name" "tests/fuzz/corpus/${name#fuzz_}" 2000 1; then
        echo "$name died: 0 passed, 1 failed"
        status=1
    fi
done
[ "$found" -eq 1 ] || echo "no fuzz target found: 0 passed, 1 failed"
exit $status
