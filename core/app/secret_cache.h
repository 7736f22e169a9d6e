/* Remembers for a minute which client secrets were right, so that bcrypt does not run for every Basic request. Holds
 * only keyed digests, of bounded number; shared by the threads of a process. */
#ifndef FHIR_APP_SECRET_CACHE_H
#define FHIR_APP_SECRET_CACHE_H

#include "../base/digest.h"

typedef struct fhir_secret_cache_t fhir_secret_cache_t;

fhir_error_t *fhir_secret_cache_create(fhir_secret_cache_t **cache, apr_pool_t *pool) FHIR_MUST_CHECK;

/* As fhir_secret_matches (auth.h), but answers at once if this client proved this secret against this hash within the
 * last 60 seconds. Wrong secrets are never remembered: they always cost a bcrypt. */
int fhir_secret_cache_matches(fhir_secret_cache_t *cache, const char *client_id, const char *secret, const char *hash,
                              apr_time_t now, apr_pool_t *scratch_pool);

#endif
