/* Smaller header fields and query parameters. Pure. */
#ifndef FHIR_HTTP_FIELDS_H
#define FHIR_HTTP_FIELDS_H

#include "../base/digest.h"
#include "request.h"

/* --- Prefer (RFC 7240; FHIR R4 http.html#return) --- */
typedef enum fhir_prefer_return_t {
    FHIR_PREFER_DEFAULT = 0,
    FHIR_PREFER_MINIMAL,
    FHIR_PREFER_REPRESENTATION,
    FHIR_PREFER_OUTCOME
} fhir_prefer_return_t;
/* Unknown preferences are ignored. */
fhir_prefer_return_t fhir_prefer_return(const char *prefer);
/* 1 if handling=strict, or =lenient. */
int fhir_prefer_strict(const char *prefer);
int fhir_prefer_lenient(const char *prefer);

/* --- Content-Disposition (RFC 6266, RFC 8187) --- */
/* The file name of a request's Content-Disposition: filename* wins. NULL if there is none; path parts, control
 * characters and surrounding dots and blanks are removed; at most 255 bytes of UTF-8. */
const char *fhir_disposition_filename(const char *content_disposition, apr_pool_t *pool);
/* The same cleaning for a name from a query parameter. NULL if nothing is left. */
const char *fhir_filename_clean(const char *filename, apr_pool_t *pool);
/* `attachment; filename="ascii.pdf"; filename*=UTF-8''...` or `inline; ...`; filename may be NULL. */
const char *fhir_disposition_format(int is_inline, const char *filename, apr_pool_t *pool);

/* --- Content-MD5, Digest, Content-Digest, Repr-Digest (RFC 1864, 3230, 9530) --- */
typedef struct fhir_expected_digest_t {
    fhir_digest_kind_t kind;
    const char *field; /* the header's name, for the error text */
    apr_size_t length;
    const unsigned char *value;
} fhir_expected_digest_t;
#define FHIR_EXPECTED_DIGEST_MAX 8
/* What the client says its body hashes to; unknown algorithms are ignored, malformed values INVALID. */
fhir_error_t *fhir_expected_digests(fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX], int *count,
                                    const fhir_request_t *request) FHIR_MUST_CHECK;
/* Wraps *body so that what is read is digested as the fields ask for: over the representation as sent, content coding
 * included (RFC 9530). *digest is NULL, and *body as it was, if they ask for nothing. */
fhir_error_t *fhir_body_expecting(fhir_body_t **body, fhir_digest_t **digest, const fhir_expected_digest_t *expected,
                                  int count, apr_pool_t *pool) FHIR_MUST_CHECK;
/* INVALID, naming the field, at the first that differs. `digest` is finished. */
fhir_error_t *fhir_check_digests(const fhir_expected_digest_t *expected, int count, const fhir_digest_t *digest,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* `sha-256=:base64:` for Repr-Digest. */
const char *fhir_repr_digest(const unsigned char sha256[FHIR_SHA256_LENGTH], apr_pool_t *pool);

/* --- query --- */
typedef struct fhir_parameter_t {
    const char *name;  /* decoded */
    const char *value; /* decoded, "" if absent */
} fhir_parameter_t;
/* Array of fhir_parameter_t in order. INVALID for bad escapes, NUL, bad UTF-8 or over 200 parameters. */
fhir_error_t *fhir_query_parse(apr_array_header_t **parameters, const char *query, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The first value with that name, or NULL. */
const char *fhir_query_get(const apr_array_header_t *parameters, const char *name);
/* How many have that name. */
int fhir_query_count(const apr_array_header_t *parameters, const char *name);
/* RFC 3986 percent-encoding of everything but unreserved characters. */
const char *fhir_url_encode(const char *text, apr_pool_t *pool);

/* --- Content-Encoding of uploads --- */
/* Wraps `body` so that it yields decoded bytes. `coding`: NULL, "identity", "gzip", "x-gzip", "deflate" (zlib or raw);
 * others are INVALID. Corrupt data and trailing garbage are
 * INVALID; more than `limit` bytes out, or more than 1000 bytes out for each byte in beyond the first MiB, is
 * TOO_LARGE. */
fhir_error_t *fhir_body_decode(fhir_body_t **decoded, fhir_body_t *body, const char *coding, apr_off_t limit,
                               apr_pool_t *pool) FHIR_MUST_CHECK;
/* Wraps `body` so that every byte read also goes into `digest`. */
fhir_body_t *fhir_body_digested(fhir_body_t *body, fhir_digest_t *digest, apr_pool_t *pool);

#endif
