/* The JWK sets of the trusted outside issuers, read from a file or fetched over https, kept per process and shared by
 * all threads. A set in use stays alive until the request's pool is cleared, whatever is refreshed meanwhile. */
#ifndef FHIR_APP_ISSUER_KEYS_H
#define FHIR_APP_ISSUER_KEYS_H

#include "../auth/auth.h"
#include "../base/log.h"
#include "../config/settings.h"

typedef struct fhir_issuer_keys_t fhir_issuer_keys_t;

/* `issuers` (of fhir_trusted_issuer_t, may be NULL) and `log` must outlive the cache. Reads nothing yet. */
fhir_error_t *fhir_issuer_keys_create(fhir_issuer_keys_t **cache, const apr_array_header_t *issuers,
                                      const fhir_log_t *log, apr_pool_t *pool) FHIR_MUST_CHECK;

/* The issuer's keys, valid as long as request_pool. A file is read again when it has changed (looked at once a second
 * at most); an URL every 10 minutes, and at most once a minute for a key_id that the set lacks. When that fails the
 * old set serves for 24 hours. UNAUTHENTICATED: no such issuer. UNAVAILABLE: its keys can't be had now. */
fhir_error_t *fhir_issuer_keys_get(const fhir_jwk_set_t **set, fhir_issuer_keys_t *cache, const char *issuer,
                                   const char *key_id, apr_time_t now, apr_pool_t *request_pool) FHIR_MUST_CHECK;

#endif
