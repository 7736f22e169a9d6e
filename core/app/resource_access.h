/* Facts and decision for resources other than Binary. Private to core/app. */
#ifndef FHIR_APP_RESOURCE_ACCESS_H
#define FHIR_APP_RESOURCE_ACCESS_H

#include "../meta/resources.h"
#include "exchange.h"

/* Authenticates, loads membership and resource (one round trip) and decides. `id` NULL: membership only (CREATE,
 * SEARCH). READ and DELETE of an unknown id are NOT_FOUND here; UPDATE leaves facts->current NULL. What a write leaves
 * is decided by fhir_resource_decide_write. */
fhir_error_t *fhir_resource_access(fhir_resource_facts_t *facts, fhir_exchange_t *exchange,
                                   fhir_interaction_t interaction, const char *id,
                                   const char *version_id) FHIR_MUST_CHECK;
/* Who asks, when no resource is concerned: an active membership, whatever the scopes say. */
fhir_error_t *fhir_member(const fhir_membership_t **membership, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* Could the principal do that with some resource of the type? */
fhir_error_t *fhir_resource_decide_type(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                        fhir_interaction_t interaction, const char *type) FHIR_MUST_CHECK;
/* May he do it with this version of a resource (with text), and, for CREATE and UPDATE, leave it with these values?
 * before and after may be NULL. */
fhir_error_t *fhir_resource_decide_write(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                         fhir_interaction_t interaction, const char *type, const fhir_subject_t *before,
                                         const fhir_subject_t *after) FHIR_MUST_CHECK;
int fhir_may_read_resource(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                           const fhir_resource_t *resource);
/* A resource with its text as decisions see it. Its values are found out when they are needed. */
fhir_subject_t *fhir_subject_of_resource(const fhir_resource_t *resource, apr_pool_t *pool);

/* Narrows a search to what the principal may find, and refuses criteria and sort keys that look at elements which are
 * hidden from him. */
fhir_error_t *fhir_search_permit(fhir_search_t *search, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership) FHIR_MUST_CHECK;

/* May an answer to this write show the resource? What the client sent itself, always; what a patch changed, a
 * conditional create found or a policy kept from a PUT was there before, and is for those who may read it. */
int fhir_may_see_written(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                         const fhir_resource_t *resource, int status);

/* ---- elements that a policy hides (hiddenFields, readonlyFields) ---- */

/* Each resource (array of fhir_resource_t *) as the principal may see it, with its edits (array as long, of
 * apr_array_header_t *, moved with the text): both arrays are changed in place. `current`: these may be old
 * versions of that one, and what is hidden of it is hidden of them too; NULL: each by itself. */
fhir_error_t *fhir_hide_elements(apr_array_header_t *resources, apr_array_header_t *edits,
                                 const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                 const fhir_subject_t *current) FHIR_MUST_CHECK;
/* The resource as a patch of the principal may look at it. */
fhir_error_t *fhir_visible_resource(const fhir_resource_t **visible, const fhir_exchange_t *exchange,
                                    const fhir_membership_t *membership,
                                    const fhir_resource_t *resource) FHIR_MUST_CHECK;
/* Elements that the write must not change, hidden ones included: names (const char *), NULL: none. */
const apr_array_header_t *fhir_kept_elements(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                             fhir_interaction_t interaction, const fhir_subject_t *subject);

fhir_error_t *fhir_resource_not_found(const char *type, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_deleted(const char *type, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
