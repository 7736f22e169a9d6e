/* Elements that an access policy keeps from its member: hidden in answers, kept as they are in writes. */
#include "../fhir/resource_members.h"

#include "resource_access.h"
#include "rights.h"

#include <string.h>

static int hides_any(const fhir_membership_t *membership, const char *type, apr_pool_t *pool)
{
    return !membership->admin && membership->policy &&
           fhir_policy_hidden_in_search(membership->policy, type, pool) != NULL;
}

/* Where no entry lets him read the resource (he wrote it, or only finds it), all that any entry hides is hidden. */
static const apr_array_header_t *hidden_of(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                           const fhir_subject_t *subject)
{
    const fhir_subject_t *own = fhir_completed(exchange, subject);
    fhir_policy_fields_t fields = {NULL, NULL};
    if (!fhir_policy_permits(membership->policy, FHIR_INTERACTION_READ, own)) {
        return fhir_policy_hidden_in_search(membership->policy, subject->type, exchange->pool);
    }
    fhir_policy_fields(&fields, membership->policy, FHIR_INTERACTION_READ, own, exchange->pool);
    return fields.hidden;
}

static int is_current(const fhir_resource_t *resource, const fhir_subject_t *current)
{
    return current && current->resource && strcmp(current->resource->version_id, resource->version_id) == 0;
}

/* An old version shows no more than the current one, nor more than it would show if it were current. */
fhir_error_t *fhir_hide_elements(apr_array_header_t *resources, apr_array_header_t *edits,
                                 const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                 const fhir_subject_t *current)
{
    const apr_array_header_t *of_current = current && hides_any(membership, current->type, exchange->pool)
                                               ? hidden_of(exchange, membership, current)
                                               : NULL;
    int i;
    for (i = 0; i < resources->nelts; i++) {
        const fhir_resource_t **resource = &APR_ARRAY_IDX(resources, i, const fhir_resource_t *);
        apr_array_header_t **own_edits = &APR_ARRAY_IDX(edits, i, apr_array_header_t *);
        if (!(*resource)->body || !hides_any(membership, (*resource)->type, exchange->pool)) {
            continue;
        }
        if (!is_current(*resource, current)) {
            const fhir_subject_t *own = fhir_subject_of_resource(*resource, exchange->pool);
            const apr_array_header_t *elements = hidden_of(exchange, membership, own);
            FHIR_TRY(fhir_resource_hide(resource, own_edits, *resource, elements, exchange->pool));
        }
        FHIR_TRY(fhir_resource_hide(resource, own_edits, *resource, of_current, exchange->pool));
    }
    return NULL;
}

fhir_error_t *fhir_visible_resource(const fhir_resource_t **visible, const fhir_exchange_t *exchange,
                                    const fhir_membership_t *membership, const fhir_resource_t *resource)
{
    apr_array_header_t *edits = NULL;
    const fhir_subject_t *subject;
    *visible = resource;
    if (!hides_any(membership, resource->type, exchange->pool)) {
        return NULL;
    }
    subject = fhir_subject_of_resource(resource, exchange->pool);
    return fhir_resource_hide(visible, &edits, resource, hidden_of(exchange, membership, subject), exchange->pool);
}

static void add_all(apr_array_header_t *names, const apr_array_header_t *more)
{
    if (more) {
        apr_array_cat(names, more);
    }
}

const apr_array_header_t *fhir_kept_elements(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                             fhir_interaction_t interaction, const fhir_subject_t *subject)
{
    apr_array_header_t *names;
    fhir_policy_fields_t fields = {NULL, NULL};
    const fhir_subject_t *own;
    if (membership->admin || !membership->policy || !subject) {
        return NULL;
    }
    own = fhir_completed(exchange, subject);
    fhir_policy_fields(&fields, membership->policy, interaction, own, exchange->pool);
    names = apr_array_make(exchange->pool, 4, sizeof(const char *));
    add_all(names, fields.readonly);
    add_all(names, fields.hidden);
    if (interaction == FHIR_INTERACTION_UPDATE) { /* what he can't see he can't send back */
        add_all(names, hidden_of(exchange, membership, own));
    }
    return names->nelts > 0 ? names : NULL;
}
