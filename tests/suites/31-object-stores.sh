#!/bin/sh
# needs: servers
# The one conformance suite on object stores (real servers: Ceph's S3 gateway, Azurite), alone and wrapped.
# FHIR_TEST_STORES="s3-http azure-tls" chooses, FHIR_TEST_WRAPPER runs each program by another one (valgrind).
set -u
if [ -z "${FHIR_TEST_S3_ENDPOINT:-}" ] || [ -z "${FHIR_TEST_AZURE_ENDPOINT:-}" ]; then
    # Built before the servers run: a broken build needs none.
    $MAKE conformance-programs || exit 1
    exec sh tests/servers/with.sh radosgw azurite -- sh "$0"
fi
programs=$BUILD/tests/conformance
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM
status=0
bucket=conformance-$$
"$PYTHON" tests/servers/stores.py bucket "$bucket" || exit 1
"$PYTHON" tests/servers/stores.py container "$bucket" || exit 1
umask 077
{ printf 'first ' && openssl rand -base64 32; } >"$scratch/keys"

wanted() {
    case " ${FHIR_TEST_STORES:-all} " in *" all "* | *" $1 "*) return 0 ;; esac
    return 1
}

run() { # LABEL, arguments of tests/conformance/run
    label=$1
    shift
    wanted "$label" || return 0
    # shellcheck disable=SC2086
    ${FHIR_TEST_WRAPPER:-} "$programs/run" --label "${FHIR_TEST_LABEL:-}$label" "$@" || status=1
}

plugin() { # NAME: the arguments that load it
    printf -- '--plugin %s --name %s' "$BUILD/fhir_storage_$1.so" "$1"
}

s3() { # LABEL, ENDPOINT, further options
    label=$1
    endpoint=$2
    shift 2
    # shellcheck disable=SC2046
    run "$label" $(plugin s3) --option "endpoint=$endpoint" --option "bucket=$bucket" --option "prefix=$label/" \
        --option "credentials_file=$FHIR_TEST_S3_CREDENTIALS_FILE" --option "ca_file=$FHIR_TEST_CA_FILE" "$@"
}

azure() { # LABEL, ENDPOINT, further options
    label=$1
    endpoint=$2
    shift 2
    # shellcheck disable=SC2046
    run "$label" $(plugin azure) --option "endpoint=$endpoint" --option "container=$bucket" --option "prefix=$label/" \
        --option "account=$FHIR_TEST_AZURE_ACCOUNT" --option "account_key_file=$FHIR_TEST_AZURE_KEY_FILE" \
        --option "ca_file=$FHIR_TEST_CA_FILE" "$@"
}

on_radosgw() {
    s3 s3-http "$FHIR_TEST_S3_ENDPOINT"
    s3 s3-tls "$FHIR_TEST_S3_TLS_ENDPOINT"
    s3 s3-signed-tls "$FHIR_TEST_S3_TLS_ENDPOINT" --option payload=signed --option part_size=5M --option parallel_parts=1
    s3 s3-virtual "http://localhost:${FHIR_TEST_S3_ENDPOINT##*:}" --option addressing=virtual --option payload=unsigned \
        --option part_size=5M --option parallel_parts=8
    s3 s3-sse-kms "$FHIR_TEST_S3_ENDPOINT" --option encryption=sse-kms --option "kms_key_id=$FHIR_TEST_S3_KMS_KEY"
    openssl rand -hex 32 >"$scratch/sse_c_key"
    s3 s3-sse-c "$FHIR_TEST_S3_TLS_ENDPOINT" --option encryption=sse-c --option "sse_c_key_file=$scratch/sse_c_key" \
        --presign no
}

wrapped() {
    # shellcheck disable=SC2046
    run libs3 $(plugin libs3) --option "endpoint=$FHIR_TEST_S3_ENDPOINT" --option "bucket=$bucket" --option prefix=libs3/ \
        --option "credentials_file=$FHIR_TEST_S3_CREDENTIALS_FILE" --option "spool_directory=$scratch"
    # shellcheck disable=SC2046
    run encrypted-s3 $(plugin s3) --option "endpoint=$FHIR_TEST_S3_ENDPOINT" --option "bucket=$bucket" \
        --option prefix=sealed/ --option "credentials_file=$FHIR_TEST_S3_CREDENTIALS_FILE" $(plugin encrypted) \
        --option inner=s3 --option "key_file=$scratch/keys"
    # shellcheck disable=SC2046
    run mirror-s3 $(plugin filesystem) --store near --option "path=$scratch/near" $(plugin s3) --store far \
        --option "endpoint=$FHIR_TEST_S3_ENDPOINT" --option "bucket=$bucket" --option prefix=mirror/ \
        --option "credentials_file=$FHIR_TEST_S3_CREDENTIALS_FILE" $(plugin mirror) --option first=near --option second=far
}

on_azurite() {
    azure azure-http "$FHIR_TEST_AZURE_ENDPOINT"
    azure azure-tls "$FHIR_TEST_AZURE_TLS_ENDPOINT"
    azure azure-blocks "$FHIR_TEST_AZURE_ENDPOINT" --option put_blob_size=64K --option block_size=1M --option parallel_blocks=4
    if wanted azure_live; then
        # shellcheck disable=SC2086
        FHIR_TEST_AZURE_CONTAINER=$bucket ${FHIR_TEST_WRAPPER:-} "$programs/azure_live" || status=1
    fi
}

signatures() {
    if wanted s3_requests; then
        # shellcheck disable=SC2086
        ${FHIR_TEST_WRAPPER:-} "$programs/s3_requests" || status=1
    fi
}

# Two at a time: each waits for its server.
{ on_radosgw; signatures; echo "$status" >"$scratch/status"; } >"$scratch/log" 2>&1 &
on_azurite || status=1
wrapped || status=1
wait
cat "$scratch/log"
[ "$(cat "$scratch/status")" -eq 0 ] || status=1
exit $status
