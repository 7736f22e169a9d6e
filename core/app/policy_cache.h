/* Compiled access policies of a process. An entry is found by everything that it was made from (access, profile, and
 * the version ids of the policies, all loaded with each request), so a changed right is another entry and there is
 * nothing to invalidate. Private to core/app. */
#ifndef FHIR_APP_POLICY_CACHE_H
#define FHIR_APP_POLICY_CACHE_H

#include "../auth/policy.h"
#include "../meta/resources.h"

typedef struct fhir_policy_cache_t fhir_policy_cache_t; /* used by all threads */

/* `addresses` must live as long as the cache. */
fhir_error_t *fhir_policy_cache_create(fhir_policy_cache_t **cache, fhir_meta_t *meta,
                                       const fhir_addresses_t *addresses, apr_pool_t *pool) FHIR_MUST_CHECK;
/* What the membership may do, valid as long as call->pool. One round trip if it is not known yet. */
fhir_error_t *fhir_policy_cache_get(const fhir_policy_t **policy, fhir_policy_cache_t *cache,
                                    const fhir_membership_t *membership, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Forgets all entries; those in use live on until their requests end. */
void fhir_policy_cache_clear(fhir_policy_cache_t *cache);

/* Did the last decision about this principal and a Binary (or, of_binary 0, another resource) need the text of
 * resources? A guess that saves a round trip, no more. */
int fhir_policy_cache_hint(fhir_policy_cache_t *cache, const fhir_principal_key_t *key, int of_binary);
void fhir_policy_cache_set_hint(fhir_policy_cache_t *cache, const fhir_principal_key_t *key, int of_binary,
                                int needs_content);

#endif
