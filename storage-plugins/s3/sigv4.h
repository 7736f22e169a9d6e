/* AWS Signature Version 4 for S3: header, query string, and signed chunks of a streamed body. Pure: no I/O, no clock.
 * Source: AWS General Reference "Signing AWS API requests", S3 API "Authenticating Requests (AWS Signature Version 4)".
 */
#ifndef FHIR_S3_SIGV4_H
#define FHIR_S3_SIGV4_H

#include "credentials.h"

#define S3_SHA256_HEX_LENGTH 64
/* x-amz-content-sha256 of bodies whose hash is not known beforehand. */
#define S3_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define S3_STREAMING_PAYLOAD "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

typedef struct s3_parameter_t {
    const char *name; /* not escaped */
    const char *value;
} s3_parameter_t;

/* What is signed. */
typedef struct s3_request_t {
    const char *method;
    const char *scheme;             /* "https" */
    const char *host;               /* with the port unless it is the scheme's own: exactly what Host will be */
    const char *path;               /* not escaped, begins with '/'; for S3 it is escaped once and not normalised */
    apr_array_header_t *parameters; /* of s3_parameter_t, any order */
    apr_array_header_t *headers;    /* of fhir_http_header_t: all of them are signed */
    const char *payload_sha256;     /* 64 hex digits, or one of the words above */
} s3_request_t;

typedef struct s3_signer_t {
    s3_credentials_t credentials;
    const char *region;
    const char *service; /* "s3" */
    apr_time_t now;
} s3_signer_t;

/* The URL of the request, path and query escaped (RFC 3986, upper-case hex) and sorted as they are signed. */
const char *s3_request_url(const s3_request_t *request, apr_pool_t *pool);
/* The canonical request and the string to sign, for tests. */
const char *s3_canonical_request(const s3_request_t *request, apr_pool_t *pool);
const char *s3_string_to_sign(const s3_request_t *request, const s3_signer_t *signer, apr_pool_t *pool);
/* Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and Authorization to request->headers (host is signed too
 * but is not added). *signature: lower-case hex, the seed of signed chunks; may be NULL. */
fhir_error_t *s3_sign_headers(const char **signature, s3_request_t *request, const s3_signer_t *signer,
                              apr_pool_t *pool) FHIR_MUST_CHECK;
/* The URL with its signature. request->headers must then be sent as they are; payload_sha256 is UNSIGNED-PAYLOAD.
 * `seconds`: 1 to 604800. */
fhir_error_t *s3_presign_url(const char **url, const s3_request_t *request, const s3_signer_t *signer,
                             apr_int64_t seconds, apr_pool_t *pool) FHIR_MUST_CHECK;

/* Chunks of STREAMING-AWS4-HMAC-SHA256-PAYLOAD: each is framed by "<hex size>;chunk-signature=<64 hex>\r\n" ... "\r\n",
 * the last one is empty. All chunks but the last two have `chunk_size` bytes. */
typedef struct s3_chunk_signer_t {
    unsigned char key[32]; /* the derived signing key */
    const char *date;      /* 20261121T120000Z */
    const char *scope;     /* 20261121/us-east-1/s3/aws4_request */
    char previous[S3_SHA256_HEX_LENGTH + 1];
} s3_chunk_signer_t;
fhir_error_t *s3_chunk_signer_init(s3_chunk_signer_t *chunks, const s3_signer_t *signer, const char *seed_signature,
                                   apr_pool_t *pool) FHIR_MUST_CHECK;
#define S3_CHUNK_HEADER_MAX 112
/* Writes the frame's first line into `header` (room S3_CHUNK_HEADER_MAX); returns its length. No allocation. */
apr_size_t s3_chunk_header(char *header, s3_chunk_signer_t *chunks, const void *data, apr_size_t length);
/* Content-Length of a body of `length` bytes framed so. */
apr_off_t s3_chunked_length(apr_off_t length, apr_size_t chunk_size);

/* Lower-case hex of SHA-256. */
void s3_sha256_hex(char hex[S3_SHA256_HEX_LENGTH + 1], const void *data, apr_size_t length);

#endif
