/* Entity tags and conditional requests (RFC 9110 section 13; FHIR R4 http.html#concurrency). Pure.
 * FHIR's weak `W/"3"` and our strong `"3"` name the same version: If-Match and If-None-Match compare weakly. */
#ifndef FHIR_HTTP_CONDITIONAL_H
#define FHIR_HTTP_CONDITIONAL_H

#include "fhir_error.h"

typedef struct fhir_etag_list_t {
    int any; /* "*" */
    int count;
    const char *const *values; /* opaque tags without quotes and W/; a "-gzip" suffix is cut off */
} fhir_etag_list_t;

/* INVALID if malformed. A bare token (version id without quotes) is accepted, as some FHIR clients send it. */
fhir_error_t *fhir_etag_list_parse(fhir_etag_list_t *list, const char *text, apr_pool_t *pool) FHIR_MUST_CHECK;
int fhir_etag_list_has(const fhir_etag_list_t *list, const char *version_id);

/* If-Match and If-Unmodified-Since, either may be NULL: PRECONDITION_FAILED unless the version is the one that the
 * client means. `version_id` NULL: there is none. An unparsable date and a date beside If-Match are ignored (RFC 9110
 * section 13.1.4), an unparsable If-Match is INVALID. */
fhir_error_t *fhir_precondition(const char *if_match, const char *if_unmodified_since, const char *version_id,
                                apr_time_t last_modified, apr_pool_t *pool) FHIR_MUST_CHECK;
/* 1: answer 304. `if_none_match` wins over `if_modified_since`; either may be NULL. An unparsable If-None-Match is
 * INVALID, an unparsable date is ignored (RFC 9110 section 13.1.3). */
fhir_error_t *fhir_not_modified(int *not_modified, const char *if_none_match, const char *if_modified_since,
                                const char *version_id, apr_time_t last_modified, apr_pool_t *pool) FHIR_MUST_CHECK;
/* IMF-fixdate, RFC 850 and asctime forms. 0 if unparsable. */
apr_time_t fhir_http_date_parse(const char *text);
const char *fhir_http_date(apr_time_t time, apr_pool_t *pool);

#endif
