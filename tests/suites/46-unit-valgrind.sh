# Unit tests under valgrind: no invalid access, no uninitialised value, no definite leak.
# needs: servers
$MAKE -s unit-programs || exit 1
export FHIR_TEST_VALGRIND=1
# shellcheck disable=SC2046
sh tests/programs.sh unit-valgrind \
    "valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite" \
    $(for source in tests/unit/test_${UNIT:-*}.c; do
        [ -f "$source" ] && echo "$BUILD/tests/unit/$(basename "$source" .c)"
    done)
