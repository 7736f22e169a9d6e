/* Small text helpers that the whole core uses: growable text, hex, base64, JSON escaping, FHIR instants, unit values.
 */
#ifndef FHIR_BASE_TEXT_H
#define FHIR_BASE_TEXT_H

#include "fhir_error.h"

/* Text that grows in a pool. `text` is always NUL-terminated. */
typedef struct fhir_text_t {
    apr_pool_t *pool;
    char *text;
    apr_size_t length;
    apr_size_t room;
} fhir_text_t;

void fhir_text_init(fhir_text_t *text, apr_pool_t *pool);
void fhir_text_add(fhir_text_t *text, const char *string);
void fhir_text_add_bytes(fhir_text_t *text, const char *bytes, apr_size_t length);
void fhir_text_addf(fhir_text_t *text, const char *format, ...) FHIR_PRINTF(2, 3);
/* A JSON string with its quotes; `string` is UTF-8. */
void fhir_text_add_json_string(fhir_text_t *text, const char *string);
/* XML attribute content: & < > " and control characters escaped. */
void fhir_text_add_xml(fhir_text_t *text, const char *string);

const char *fhir_hex_encode(const void *bytes, apr_size_t length, apr_pool_t *pool);
/* 0 if `hex` is not exactly 2 * length hex digits. */
int fhir_hex_decode(void *bytes, apr_size_t length, const char *hex);
const char *fhir_base64_encode(const void *bytes, apr_size_t length, apr_pool_t *pool);
const char *fhir_base64url_encode(const void *bytes, apr_size_t length, apr_pool_t *pool);
/* NULL if malformed; strict: padding required (base64) or refused (base64url), no white space. */
const unsigned char *fhir_base64_decode(apr_size_t *length, const char *text, apr_pool_t *pool);
const unsigned char *fhir_base64url_decode(apr_size_t *length, const char *text, apr_pool_t *pool);

/* 1 if the bytes are well-formed UTF-8 without NUL. */
int fhir_utf8_valid(const char *bytes, apr_size_t length);

/* FHIR instant with milliseconds in UTC: 2026-11-21T03:15:00.123Z */
const char *fhir_instant(apr_time_t time, apr_pool_t *pool);
/* "60m" "30s" "2h" "1d" "250ms"; a bare number is refused. Result in microseconds. */
fhir_error_t *fhir_parse_duration(apr_interval_time_t *duration, const char *text, apr_pool_t *pool) FHIR_MUST_CHECK;
/* "5G" "16M" "64K" "512" (bytes); powers of 1024. */
fhir_error_t *fhir_parse_size(apr_off_t *size, const char *text, apr_pool_t *pool) FHIR_MUST_CHECK;
/* A UUID in its 36-character form. */
int fhir_is_uuid(const char *text);

#endif
