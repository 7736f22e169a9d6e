/* Our own keys, loaded from the database and shared by the threads of a process: token keys sign and verify access
 * tokens, URL keys sign signed URLs. Reloaded when they changed, every minute, and at once (at most once a second) for
 * an unknown id.
 * Whether a URL key is revoked is not answered here: the database says so with each request. */
#ifndef FHIR_APP_KEY_RING_H
#define FHIR_APP_KEY_RING_H

#include "../auth/auth.h"
#include "../meta/meta.h"

typedef struct fhir_key_ring_t fhir_key_ring_t;

/* `token_lifetime`: how long a retired token key is still published and accepted. */
fhir_error_t *fhir_key_ring_create(fhir_key_ring_t **ring, fhir_meta_t *meta, apr_interval_time_t token_lifetime,
                                   apr_pool_t *pool) FHIR_MUST_CHECK;

/* Keys were added, retired or revoked: they are loaded again before the next use. */
void fhir_key_ring_mark_stale(fhir_key_ring_t *ring);

/* The keys that verify our tokens; valid as long as call->pool. */
fhir_error_t *fhir_key_ring_token_set(const fhir_jwk_set_t **set, fhir_key_ring_t *ring, const char *key_id,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;
/* The private key that signs new tokens, copied into call->pool. */
fhir_error_t *fhir_key_ring_token_signer(const char **private_jwk, fhir_key_ring_t *ring,
                                         const fhir_call_t *call) FHIR_MUST_CHECK;
/* The public JWK set, copied. */
fhir_error_t *fhir_key_ring_public_set(const char **json, fhir_key_ring_t *ring,
                                       const fhir_call_t *call) FHIR_MUST_CHECK;

#define FHIR_URL_KEY_LENGTH 32
typedef struct fhir_url_key_t {
    const char *id;
    unsigned char bytes[FHIR_URL_KEY_LENGTH];
} fhir_url_key_t;
/* key_id NULL: the one that signs new URLs. FORBIDDEN if there is no such key. */
fhir_error_t *fhir_key_ring_url_key(fhir_url_key_t *key, fhir_key_ring_t *ring, const char *key_id,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
