# Unit tests. UNIT=range runs only tests/unit/test_range.c.
# needs: nothing
$MAKE -s unit-programs || exit 1
# shellcheck disable=SC2046
sh tests/programs.sh unit "" $(for source in tests/unit/test_${UNIT:-*}.c; do
    [ -f "$source" ] && echo "$BUILD/tests/unit/$(basename "$source" .c)"
done)
