# The PostgreSQL layer and fhirbinctl on a private cluster.
# needs: servers
$MAKE -s all meta-programs || exit 1
BUILD=$(cd "$BUILD" && pwd)
export BUILD
# shellcheck disable=SC2046
sh tests/meta/run.sh $(for source in tests/meta/test_*.c; do echo "$BUILD/tests/meta/$(basename "$source" .c)"; done) \
    tests/meta/smoke_fhirbinctl.sh
