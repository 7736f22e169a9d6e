# kill -9 of httpd children and of PostgreSQL in the middle of concurrent uploads.
# needs: servers
$MAKE -s all || exit 1
# Several at a time: moves wait for leases and grace times.
sh tests/pytest.sh fault -n 3 tests/fault
