/* Remembers for a minute which access tokens were verified and what they claim, so that a signature is not checked
 * for every request. Bounded in entries and bytes; shared by the threads of a process. */
#ifndef FHIR_APP_TOKEN_CACHE_H
#define FHIR_APP_TOKEN_CACHE_H

#include "../auth/auth.h"

typedef struct fhir_token_cache_t fhir_token_cache_t;

fhir_error_t *fhir_token_cache_create(fhir_token_cache_t **cache, apr_pool_t *pool) FHIR_MUST_CHECK;

/* 1: this very token was verified within the last 60 seconds and is valid at `now`; *claims is a copy in `pool`. The
 * minute bounds how long a revoked key still counts. */
int fhir_token_cache_get(fhir_claims_t *claims, fhir_token_cache_t *cache, const char *token, apr_time_t now,
                         apr_pool_t *pool);

/* Only after signature and claims were checked. Claims of unusual size are not remembered. */
void fhir_token_cache_put(fhir_token_cache_t *cache, const char *token, const fhir_claims_t *claims, apr_time_t now);

#endif
