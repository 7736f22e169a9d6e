# kill -9 of httpd children and of PostgreSQL in the middle of concurrent uploads.
# needs: servers
$MAKE -s all || exit 1
sh tests/pytest.sh fault tests/fault
