/* Where the text of an issuer's JWK set comes from: a file or an URL. Private to core/app. */
#ifndef FHIR_APP_ISSUER_SOURCE_H
#define FHIR_APP_ISSUER_SOURCE_H

#include "fhir_error.h"

/* What a file looked like when it was read; all 0 for an URL and before the first time. */
typedef struct fhir_issuer_source_t {
    apr_time_t modified;
    apr_off_t size;
    apr_uint64_t inode;
} fhir_issuer_source_t;

/* *text is NULL if the file looks as it did in *known; else its text, and *known is renewed. `jwks` is an absolute path
 * or an URL. */
fhir_error_t *fhir_issuer_source_read(const char **text, fhir_issuer_source_t *known, const char *jwks,
                                      apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
