/* The Accept field as a sequence of media ranges. Private. */
#ifndef FHIR_HTTP_ACCEPT_H
#define FHIR_HTTP_ACCEPT_H

#include "media_type.h"

typedef struct fhir_media_range_t {
    const char *type; /* "type/subtype" in lower case; subtype or both may be a star */
    int quality;      /* 0 to 1000 */
} fhir_media_range_t;

/* Reads the range at *at and moves *at behind it and its comma; range->type is NULL at the end. INVALID if malformed.
 */
fhir_error_t *fhir_accept_next(fhir_media_range_t *range, const char **at, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
