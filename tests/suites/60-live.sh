# The product as its users meet it: a real httpd, a real PostgreSQL. PYTEST="-k range -x" chooses.
# needs: servers
$MAKE -s all || exit 1
# Six files at a time: most tests wait for something.
# shellcheck disable=SC2086
sh tests/pytest.sh live -n 6 --dist loadfile tests/live ${PYTEST:-}
