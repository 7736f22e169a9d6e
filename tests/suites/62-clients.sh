# Real clients on a real httpd: SDKs from npm, run by node; Chromium, with pages of @medplum/react. PYTEST="-k video -x" chooses.
# needs: servers
$MAKE -s all || exit 1
sh tests/npm.sh tests/clients || exit 1
# shellcheck disable=SC2086
sh tests/pytest.sh clients tests/clients ${PYTEST:-}
