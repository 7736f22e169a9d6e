# The product as its users meet it: a real httpd, a real PostgreSQL. PYTEST="-k range -x" chooses.
# needs: servers
$MAKE -s all || exit 1
# shellcheck disable=SC2086
sh tests/pytest.sh live tests/live ${PYTEST:-}
