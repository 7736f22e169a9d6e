/* Signed chunks of a streamed body: each signature holds the one before it. */
#include "sigv4_private.h"

#include <stdio.h>
#include <string.h>

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CHUNK_ALGORITHM "AWS4-HMAC-SHA256-PAYLOAD"
#define FRAME_OVERHEAD (sizeof(";chunk-signature=") - 1 + S3_SHA256_HEX_LENGTH + 4) /* and the digits of the size */

fhir_error_t *s3_chunk_signer_init(s3_chunk_signer_t *chunks, const s3_signer_t *signer, const char *seed_signature,
                                   apr_pool_t *pool)
{
    char date[S3_DATE_LENGTH + 1];
    FHIR_TRY(s3_check_signer(signer, pool));
    s3_date(date, signer->now);
    chunks->date = apr_pstrdup(pool, date);
    chunks->scope = s3_scope(signer, date, pool);
    apr_cpystrn(chunks->previous, seed_signature, sizeof(chunks->previous));
    return s3_signing_key(chunks->key, signer, date, pool) ? NULL : s3_crypto_failed(pool);
}

apr_size_t s3_chunk_header(char *header, s3_chunk_signer_t *chunks, const void *data, apr_size_t length)
{
    char text[sizeof(CHUNK_ALGORITHM) + S3_DATE_LENGTH + 3 * S3_SHA256_HEX_LENGTH + 256];
    char hash[S3_SHA256_HEX_LENGTH + 1];
    unsigned char mac[32] = {0};
    int written;
    s3_sha256_hex(hash, data, length);
    /* The scope was checked: 8 + 64 + 64 characters and some. */
    written = snprintf(text, sizeof(text), CHUNK_ALGORITHM "\n%s\n%s\n%s\n" EMPTY_SHA256 "\n%s", chunks->date,
                       chunks->scope, chunks->previous, hash);
    if (!s3_hmac(mac, chunks->key, sizeof(chunks->key), text, (apr_size_t)written)) {
        memset(mac, 0, sizeof(mac)); /* the server refuses it */
    }
    s3_hex(chunks->previous, mac, sizeof(mac));
    return (apr_size_t)snprintf(header, S3_CHUNK_HEADER_MAX, "%llx;chunk-signature=%s\r\n", (unsigned long long)length,
                                chunks->previous);
}

static apr_off_t frame_overhead(apr_size_t size)
{
    apr_off_t digits = 1;
    while (size >>= 4) {
        digits++;
    }
    return digits + (apr_off_t)FRAME_OVERHEAD;
}

apr_off_t s3_chunked_length(apr_off_t length, apr_size_t chunk_size)
{
    apr_off_t whole = length / (apr_off_t)chunk_size;
    apr_off_t rest = length % (apr_off_t)chunk_size;
    apr_off_t total = length + whole * frame_overhead(chunk_size) + frame_overhead(0);
    return rest ? total + frame_overhead((apr_size_t)rest) : total;
}
