/* Digests, HMAC and random values on OpenSSL's EVP interface (which uses SHA-NI where the processor has it). */
#include "digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KIND_COUNT 4

typedef struct digest_part_t {
    EVP_MD_CTX *context; /* NULL: not in the set */
    unsigned char value[FHIR_DIGEST_MAX];
    unsigned length; /* 0: no value, because it isn't finished or OpenSSL failed */
    int failed;
} digest_part_t;

struct fhir_digest_t {
    digest_part_t parts[KIND_COUNT];
    int finished;
};

static const fhir_digest_kind_t all_kinds[KIND_COUNT] = {FHIR_DIGEST_SHA256, FHIR_DIGEST_SHA1, FHIR_DIGEST_MD5,
                                                         FHIR_DIGEST_SHA512};

static const EVP_MD *algorithm_of(fhir_digest_kind_t kind)
{
    switch (kind) {
    case FHIR_DIGEST_SHA256:
        return EVP_sha256();
    case FHIR_DIGEST_SHA1:
        return EVP_sha1();
    case FHIR_DIGEST_MD5:
        return EVP_md5();
    case FHIR_DIGEST_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

static void free_contexts(fhir_digest_t *digest)
{
    int i;
    for (i = 0; i < KIND_COUNT; i++) {
        EVP_MD_CTX_free(digest->parts[i].context);
        digest->parts[i].context = NULL;
    }
}

static apr_status_t digest_cleanup(void *data)
{
    free_contexts(data);
    return APR_SUCCESS;
}

static fhir_error_t *start_part(digest_part_t *part, fhir_digest_kind_t kind, apr_pool_t *pool)
{
    part->context = EVP_MD_CTX_new();
    if (!part->context || EVP_DigestInit_ex(part->context, algorithm_of(kind), NULL) != 1) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not compute a checksum.",
                                 "OpenSSL does not offer digest kind %d (is a FIPS provider in use?)", (int)kind);
    }
    return NULL;
}

fhir_error_t *fhir_digest_create(fhir_digest_t **digest, unsigned kinds, apr_pool_t *pool)
{
    fhir_digest_t *made = apr_pcalloc(pool, sizeof(*made));
    int i;
    *digest = NULL;
    apr_pool_cleanup_register(pool, made, digest_cleanup, apr_pool_cleanup_null);
    for (i = 0; i < KIND_COUNT; i++) {
        if (kinds & (unsigned)all_kinds[i]) {
            FHIR_TRY(start_part(&made->parts[i], all_kinds[i], pool));
        }
    }
    *digest = made;
    return NULL;
}

/* A digest that failed once has no value at the end; nobody takes a wrong one for a right one. */
void fhir_digest_update(fhir_digest_t *digest, const void *data, apr_size_t length)
{
    int i;
    if (digest->finished || length == 0) {
        return;
    }
    for (i = 0; i < KIND_COUNT; i++) {
        digest_part_t *part = &digest->parts[i];
        if (part->context && EVP_DigestUpdate(part->context, data, length) != 1) {
            part->failed = 1;
        }
    }
}

void fhir_digest_finish(fhir_digest_t *digest)
{
    int i;
    if (digest->finished) {
        return;
    }
    digest->finished = 1;
    for (i = 0; i < KIND_COUNT; i++) {
        digest_part_t *part = &digest->parts[i];
        if (part->context && (part->failed || EVP_DigestFinal_ex(part->context, part->value, &part->length) != 1)) {
            part->length = 0;
        }
    }
    free_contexts(digest);
}

const unsigned char *fhir_digest_value(const fhir_digest_t *digest, fhir_digest_kind_t kind, apr_size_t *length)
{
    int i;
    for (i = 0; i < KIND_COUNT; i++) {
        if (all_kinds[i] == kind && digest->finished && digest->parts[i].length > 0) {
            *length = digest->parts[i].length;
            return digest->parts[i].value;
        }
    }
    *length = 0;
    return NULL;
}

/* 0 when the system has no random bytes for us. */
static int fill_random(void *buffer, apr_size_t length)
{
    unsigned char *next = buffer;
    while (length > 0) {
        ssize_t got = getrandom(next, length, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return 0;
        }
        next += got;
        length -= (apr_size_t)got;
    }
    return 1;
}

/* There is no way to report a failure, and a guessable result would let signatures be forged: so a failure gives
 * random bytes, which no signature matches, and without these the process must not go on. */
void fhir_hmac_sha256(unsigned char mac[FHIR_SHA256_LENGTH], const void *key, apr_size_t key_length, const void *data,
                      apr_size_t length)
{
    unsigned written = 0;
    const void *key_bytes = key_length > 0 ? key : "";
    const void *data_bytes = length > 0 ? data : "";
    if (key_length <= INT32_MAX && HMAC(EVP_sha256(), key_bytes, (int)key_length, data_bytes, length, mac, &written) &&
        written == FHIR_SHA256_LENGTH) {
        return;
    }
    if (!fill_random(mac, FHIR_SHA256_LENGTH)) {
        abort();
    }
}

int fhir_equal_constant_time(const void *one, const void *other, apr_size_t length)
{
    return CRYPTO_memcmp(one, other, length) == 0;
}

fhir_error_t *fhir_random_bytes(void *buffer, apr_size_t length, apr_pool_t *pool)
{
    if (!fill_random(buffer, length)) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_FROM_OS_ERROR(errno),
                                 "The server could not make a random value; try again.", "getrandom failed");
    }
    return NULL;
}

/* Not fhir_hex_encode: this file stands alone, and the loop is shorter than the dependency. */
static char *to_hex(char *out, const unsigned char *bytes, apr_size_t length)
{
    static const char digits[] = "0123456789abcdef";
    apr_size_t i;
    for (i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 0x0f];
    }
    return out;
}

fhir_error_t *fhir_random_uuid(const char **uuid, apr_pool_t *pool)
{
    static const apr_size_t groups[] = {4, 2, 2, 2, 6};
    unsigned char bytes[16];
    const unsigned char *from = bytes;
    char *text = apr_palloc(pool, 37);
    char *out = text;
    apr_size_t i;
    *uuid = NULL;
    FHIR_TRY(fhir_random_bytes(bytes, sizeof(bytes), pool));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* RFC 4122 variant */
    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (i > 0) {
            *out++ = '-';
        }
        out = to_hex(out, from, groups[i]);
        from += groups[i];
    }
    *out = '\0';
    *uuid = text;
    return NULL;
}

fhir_error_t *fhir_random_hex(const char **hex, apr_size_t length, apr_pool_t *pool)
{
    unsigned char *bytes = apr_palloc(pool, length + 1);
    char *text = apr_palloc(pool, 2 * length + 1);
    *hex = NULL;
    FHIR_TRY(fhir_random_bytes(bytes, length, pool));
    *to_hex(text, bytes, length) = '\0';
    *hex = text;
    return NULL;
}
