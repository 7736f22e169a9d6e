/* Incremental digests (OpenSSL EVP). A set computes several digests in one pass over the bytes. */
#ifndef FHIR_BASE_DIGEST_H
#define FHIR_BASE_DIGEST_H

#include "fhir_error.h"

typedef enum fhir_digest_kind_t {
    FHIR_DIGEST_SHA256 = 1,
    FHIR_DIGEST_SHA1 = 2,
    FHIR_DIGEST_MD5 = 4,
    FHIR_DIGEST_SHA512 = 8
} fhir_digest_kind_t;

#define FHIR_SHA256_LENGTH 32
#define FHIR_SHA1_LENGTH 20
#define FHIR_DIGEST_MAX 64

typedef struct fhir_digest_t fhir_digest_t;

/* `kinds` is a set of fhir_digest_kind_t bits. Freed with the pool. */
fhir_error_t *fhir_digest_create(fhir_digest_t **digest, unsigned kinds, apr_pool_t *pool) FHIR_MUST_CHECK;
void fhir_digest_update(fhir_digest_t *digest, const void *data, apr_size_t length);
/* Ends all digests of the set; later updates are ignored. May be called again. */
void fhir_digest_finish(fhir_digest_t *digest);
/* NULL if `kind` is not in the set or finish was not called. *length in bytes. Owned by the digest. */
const unsigned char *fhir_digest_value(const fhir_digest_t *digest, fhir_digest_kind_t kind, apr_size_t *length);

/* HMAC-SHA256 in one call. */
void fhir_hmac_sha256(unsigned char mac[FHIR_SHA256_LENGTH], const void *key, apr_size_t key_length, const void *data,
                      apr_size_t length);
/* 1 if equal; the time does not depend on the content. */
int fhir_equal_constant_time(const void *one, const void *other, apr_size_t length);
/* `length` bytes from the system's random source. */
fhir_error_t *fhir_random_bytes(void *buffer, apr_size_t length, apr_pool_t *pool) FHIR_MUST_CHECK;
/* A random (version 4) UUID in lower case. */
fhir_error_t *fhir_random_uuid(const char **uuid, apr_pool_t *pool) FHIR_MUST_CHECK;
/* `length` random bytes as lower-case hex. */
fhir_error_t *fhir_random_hex(const char **hex, apr_size_t length, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
