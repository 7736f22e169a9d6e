/* Remembers for a minute which access tokens were verified and what they claim, so that a signature is not checked
 * for every request. Bounded in entries and bytes; shared by the threads of a process. */
#ifndef FHIR_APP_TOKEN_CACHE_H
#define FHIR_APP_TOKEN_CACHE_H

#include "../auth/auth.h"

typedef struct fhir_token_cache_t fhir_token_cache_t;

fhir_error_t *fhir_token_cache_create(fhir_token_cache_t **cache, apr_pool_t *pool) FHIR_MUST_CHECK;

/* 1: this very token was verified within the last 60 seconds and is valid at `now`; *claims is a copy in `pool`. */
int fhir_token_cache_get(fhir_claims_t *claims, fhir_token_cache_t *cache, const char *token, apr_time_t now,
                         apr_pool_t *pool);

/* To be asked before a token is verified, and given to fhir_token_cache_put: what was verified with keys from before a
 * fhir_token_cache_clear is not remembered. */
unsigned fhir_token_cache_generation(fhir_token_cache_t *cache);
/* Only after signature and claims were checked. Claims of unusual size are not remembered. */
void fhir_token_cache_put(fhir_token_cache_t *cache, const char *token, const fhir_claims_t *claims,
                          unsigned generation, apr_time_t now);
/* Forgets all tokens. */
void fhir_token_cache_clear(fhir_token_cache_t *cache);

#endif
