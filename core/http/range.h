/* Range requests (RFC 9110 section 14). Pure. */
#ifndef FHIR_HTTP_RANGE_H
#define FHIR_HTTP_RANGE_H

#include "fhir_error.h"

#define FHIR_RANGE_MAX 16 /* more ranges than that in one request: the whole is sent */

typedef struct fhir_range_t {
    apr_off_t offset;
    apr_off_t length;
} fhir_range_t;

typedef enum fhir_range_result_t {
    FHIR_RANGE_WHOLE = 0,    /* no, ignorable or unparsable Range: 200 */
    FHIR_RANGE_PARTIAL,      /* 206 with the ranges given */
    FHIR_RANGE_UNSATISFIABLE /* 416 */
} fhir_range_result_t;

/* `range` and `if_range` may be NULL. If-Range needs our strong tag `"version_id"` or the exact Last-Modified.
 * Overlapping and adjacent ranges are joined, the order of the first mention kept. */
fhir_range_result_t fhir_range_select(fhir_range_t ranges[FHIR_RANGE_MAX], int *count, const char *range,
                                      const char *if_range, const char *version_id, apr_time_t last_modified,
                                      apr_off_t size, apr_pool_t *pool);
/* "bytes 0-9/100" */
const char *fhir_content_range(const fhir_range_t *range, apr_off_t size, apr_pool_t *pool);

#endif
