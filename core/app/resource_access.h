/* Facts and decision for resources other than Binary. Private to core/app. */
#ifndef FHIR_APP_RESOURCE_ACCESS_H
#define FHIR_APP_RESOURCE_ACCESS_H

#include "../meta/resources.h"
#include "exchange.h"

/* Authenticates, loads membership and resource (one round trip) and decides. `id` NULL: membership only (CREATE,
 * SEARCH). READ and DELETE of an unknown id are NOT_FOUND here; UPDATE leaves facts->current NULL. */
fhir_error_t *fhir_resource_access(fhir_resource_facts_t *facts, fhir_exchange_t *exchange,
                                   fhir_interaction_t interaction, const char *id,
                                   const char *version_id) FHIR_MUST_CHECK;
/* Who asks, when no resource is concerned: an active membership, whatever the scopes say. */
fhir_error_t *fhir_member(const fhir_membership_t **membership, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* The decision alone, for a resource type that a Bundle entry or an include names. */
fhir_error_t *fhir_resource_decide(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                   fhir_interaction_t interaction, const char *type, const char *id) FHIR_MUST_CHECK;
/* May an answer to this write show the resource? What the client sent itself, always; what a patch changed or a
 * conditional create found was there before, and is for those who may read it. */
int fhir_may_see_written(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                         const fhir_resource_t *resource, int status);
/* May the principal read this Binary? Decided as every read of a Binary is. */
int fhir_may_read_binary(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                         const fhir_binary_t *binary);

fhir_error_t *fhir_resource_not_found(const char *type, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_deleted(const char *type, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
