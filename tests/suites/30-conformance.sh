#!/bin/sh
# needs: nothing
# Storage plugins against their contract: each one, every operation failing once, every broken plugin refused.
set -u
$MAKE conformance-programs || exit 1
programs=$BUILD/tests/conformance
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT INT TERM
status=0
"$programs/run" --plugin "$BUILD/fhir_storage_memory.so" --name memory || status=1
"$programs/run" --plugin "$BUILD/fhir_storage_filesystem.so" --name filesystem --option "path=$scratch/objects" ||
    status=1
"$programs/run" --plugin "$BUILD/fhir_storage_memory.so" --name memory \
    --plugin "$BUILD/fhir_storage_faulty.so" --name faulty --option inner=memory || status=1
"$programs/torture" "$BUILD" "$scratch/torture" || status=1
"$programs/loader" "$programs/broken" || status=1
"$programs/filesystem" "$BUILD/fhir_storage_filesystem.so" "$scratch" || status=1
exit $status
