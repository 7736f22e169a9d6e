#!/bin/sh
# needs: servers
# Binary REST and signed URLs with each other store as the default one, on real object stores.
set -u
if [ -z "${FHIR_TEST_S3_ENDPOINT:-}" ] || [ -z "${FHIR_TEST_AZURE_ENDPOINT:-}" ]; then
    exec sh tests/servers/with.sh radosgw azurite -- sh "$0"
fi
$MAKE -s all || exit 1
tests="tests/live/test_200_create.py tests/live/test_210_read.py tests/live/test_230_update.py
    tests/live/test_300_presigned.py tests/live/test_400_bad_input.py tests/live/test_410_limits.py
    tests/live/test_420_hostile.py tests/live/test_600_review.py tests/live/test_720_bundle.py
    tests/live/test_730_attachments.py"
status=0
for store in ${FHIR_TEST_STORES:-s3 azure libs3 encrypted mirror}; do
    # shellcheck disable=SC2086
    FHIR_TEST_STORE=$store sh tests/pytest.sh "live-$store" -n 6 --dist loadfile $tests ${PYTEST:-} || status=1
done
# What only object stores have: redirects, faults, several nodes on one of them, moving there.
# shellcheck disable=SC2086
sh tests/pytest.sh live-object-store -n 4 --dist load -m object_store tests/live ${PYTEST:-} || status=1
exit $status
