# The PostgreSQL layer and fhirbinctl, each on a private cluster.
# needs: servers
$MAKE -s all meta-programs || exit 1
BUILD=$(cd "$BUILD" && pwd)
export BUILD
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
sh tests/meta/run.sh tests/meta/smoke_fhirbinctl.sh >"$log" 2>&1 &
# shellcheck disable=SC2046
sh tests/meta/run.sh $(for source in tests/meta/test_*.c; do echo "$BUILD/tests/meta/$(basename "$source" .c)"; done)
status=$?
wait $! || status=1
cat "$log"
exit $status
