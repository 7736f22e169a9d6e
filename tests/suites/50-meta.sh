# The PostgreSQL layer on a private cluster.
# needs: servers
$MAKE -s all meta-programs || exit 1
# shellcheck disable=SC2046
sh tests/meta/run.sh $(for source in tests/meta/test_*.c; do echo "$BUILD/tests/meta/$(basename "$source" .c)"; done)
