/* Facts and decision in one step: every interaction with a Binary starts here. Private to core/app. */
#ifndef FHIR_APP_ACCESS_H
#define FHIR_APP_ACCESS_H

#include "exchange.h"

/* Loads membership, Binary and the resources of its security contexts (one round trip) and decides. `version_id` may be
 * NULL. On success facts->membership is set. READ and DELETE of an unknown id are NOT_FOUND here; UPDATE leaves
 * facts->current NULL. A CREATE or UPDATE is decided again with fhir_decide_write when its context is known. */
fhir_error_t *fhir_access(fhir_binary_facts_t *facts, fhir_exchange_t *exchange, fhir_interaction_t interaction,
                          const char *version_id) FHIR_MUST_CHECK;
/* May the principal leave the Binary with this context? `interaction` is CREATE or UPDATE; an UPDATE may lack a current
 * version. One round trip if the context is another one than the current version's. */
fhir_error_t *fhir_decide_write(const fhir_exchange_t *exchange, fhir_interaction_t interaction,
                                const fhir_binary_facts_t *facts, const char *new_security_context) FHIR_MUST_CHECK;
/* Which of these may the principal read? readable[i] answers for binaries[i], which may be NULL (0). One round trip
 * however many, none for administrators. */
fhir_error_t *fhir_may_read_binaries(int *readable, const fhir_exchange_t *exchange,
                                     const fhir_membership_t *membership, const fhir_binary_t *const *binaries,
                                     int count) FHIR_MUST_CHECK;

/* May the member who issued an upload URL still update the Binary? His scopes of then are not asked, nor from where the
 * upload comes. FORBIDDEN. */
fhir_error_t *fhir_may_still_update(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                    const fhir_binary_t *current) FHIR_MUST_CHECK;

/* The answer for ids that are unknown, malformed or another project's: always the same. */
fhir_error_t *fhir_binary_not_found(apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_deleted(apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_no_content_yet(apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
