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
umask 077
{ printf 'first ' && openssl rand -base64 32; } >"$scratch/keys"
"$programs/run" --plugin "$BUILD/fhir_storage_filesystem.so" --name filesystem --option "path=$scratch/sealed" \
    --plugin "$BUILD/fhir_storage_encrypted.so" --name encrypted --option inner=filesystem \
    --option "key_file=$scratch/keys" || status=1
"$programs/run" --plugin "$BUILD/fhir_storage_filesystem.so" --name filesystem --store left \
    --option "path=$scratch/left" --plugin "$BUILD/fhir_storage_filesystem.so" --name filesystem --store right \
    --option "path=$scratch/right" --plugin "$BUILD/fhir_storage_mirror.so" --name mirror --option first=left \
    --option second=right || status=1
"$programs/torture" "$BUILD" "$scratch/torture" || status=1
"$programs/loader" "$programs/broken" || status=1
for program in encrypted mirror mirror_copies; do
    mkdir "$scratch/$program"
    "$programs/$program" "$BUILD" "$scratch/$program" || status=1
done
"$programs/filesystem" "$BUILD/fhir_storage_filesystem.so" "$scratch" || status=1
exit $status
