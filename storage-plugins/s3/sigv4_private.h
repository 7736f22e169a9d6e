/* Between the files of the signer. */
#ifndef FHIR_S3_SIGV4_PRIVATE_H
#define FHIR_S3_SIGV4_PRIVATE_H

#include "sigv4.h"

#define S3_ALGORITHM "AWS4-HMAC-SHA256"
#define S3_DATE_LENGTH 16 /* 20261121T120000Z */

/* What is signed of a request, in its canonical form. Made once for each signature. */
typedef struct s3_canonical_t {
    const char *path;
    const char *query;
    const char *headers; /* "name:value" lines, each with its line end */
    const char *signed_names;
} s3_canonical_t;

/* Unreserved characters of RFC 3986 stay; '/' too if `keep_slash`; every other byte is %XX with upper-case digits. */
const char *s3_escape(const char *text, int keep_slash, apr_pool_t *pool);
void s3_canonicalize(s3_canonical_t *canonical, const s3_request_t *request, apr_pool_t *pool);
const char *s3_canonical_text(const s3_canonical_t *canonical, const s3_request_t *request, apr_pool_t *pool);

/* INVALID unless everything that is signed can be sent as it was signed, and is within its limits. */
fhir_error_t *s3_check_request(const s3_request_t *request, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *s3_check_signer(const s3_signer_t *signer, apr_pool_t *pool) FHIR_MUST_CHECK;

void s3_date(char date[S3_DATE_LENGTH + 1], apr_time_t time);
const char *s3_scope(const s3_signer_t *signer, const char *date, apr_pool_t *pool);
void s3_hex(char *hex, const unsigned char *bytes, apr_size_t length);
/* 0 if OpenSSL failed. */
int s3_hmac(unsigned char mac[32], const void *key, apr_size_t key_length, const char *text, apr_size_t length);
int s3_signing_key(unsigned char key[32], const s3_signer_t *signer, const char *date, apr_pool_t *pool);
fhir_error_t *s3_crypto_failed(apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
