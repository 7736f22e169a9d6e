/* Remembers for a minute which client secrets were right, so that bcrypt does not run for every Basic request. Holds
 * only keyed digests, of bounded number; shared by the threads of a process. */
#ifndef FHIR_APP_SECRET_CACHE_H
#define FHIR_APP_SECRET_CACHE_H

#include "../base/digest.h"

typedef struct fhir_secret_cache_t fhir_secret_cache_t;

fhir_error_t *fhir_secret_cache_create(fhir_secret_cache_t **cache, apr_pool_t *pool) FHIR_MUST_CHECK;

/* 1: this client proved this secret against this very hash within the last 60 seconds. */
int fhir_secret_cache_has(fhir_secret_cache_t *cache, const char *client_id, const char *hash, const char *secret,
                          apr_time_t now);
/* Only after fhir_secret_matches said so: wrong secrets are never remembered. */
void fhir_secret_cache_add(fhir_secret_cache_t *cache, const char *client_id, const char *hash, const char *secret,
                           apr_time_t now);

#endif
