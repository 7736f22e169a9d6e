#!/bin/sh
# needs: servers
# The conformance suite on object stores under AddressSanitizer and UndefinedBehaviorSanitizer.
asan=$BUILD/sanitize-address-undefined
$MAKE -s SANITIZE=address,undefined BUILD="$asan" conformance-programs || exit 1
# What is freed is kept by the sanitizer for a while: a little of it, or the tests of constant memory could not hold.
ASAN_OPTIONS=abort_on_error=0:exitcode=99:quarantine_size_mb=1:thread_local_quarantine_size_kb=64
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS UBSAN_OPTIONS
SANITIZE=address,undefined BUILD=$asan FHIR_TEST_STORES="${FHIR_TEST_STORES:-s3-tls azure-tls libs3 encrypted-s3 mirror-s3}" \
    FHIR_TEST_LABEL=asan- sh tests/suites/31-object-stores.sh
