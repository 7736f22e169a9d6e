/* Membership, compiled policy and scopes of the principal, as decisions take them. */
#include "rights.h"

#include "resource_access.h"

#include <string.h>

fhir_error_t *fhir_rights(const fhir_membership_t **membership, const fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_membership_t *own;
    if (!*membership || (*membership)->policy) {
        return NULL;
    }
    own = apr_pmemdup(exchange->pool, *membership, sizeof(*own));
    FHIR_TRY(fhir_policy_cache_get(&own->policy, exchange->app->policies, own, &call));
    *membership = own;
    return NULL;
}

fhir_decision_t fhir_decision_of(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                 fhir_interaction_t interaction, const char *type)
{
    fhir_decision_t decision = {0};
    decision.interaction = interaction;
    decision.type = type;
    decision.membership = membership;
    decision.policy = membership ? membership->policy : NULL;
    decision.scopes = exchange->principal.scopes;
    decision.patient = exchange->principal.patient;
    decision.peer_address = exchange->request->peer_address;
    decision.create_needs_read = exchange->settings->create_needs_read;
    decision.explanation = exchange->explanation;
    return decision;
}

const fhir_subject_t *fhir_completed(const fhir_exchange_t *exchange, const fhir_subject_t *subject)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(exchange);
    fhir_subject_t *own;
    if (!subject || subject->complete || !subject->there || !subject->resource || !subject->resource->body) {
        return subject;
    }
    own = apr_pmemdup(exchange->pool, subject, sizeof(*own));
    fhir_subject_complete(own, &addresses, exchange->pool);
    return own;
}

fhir_error_t *fhir_decide_now(const fhir_exchange_t *exchange, fhir_decision_t *decision)
{
    if (decision->membership && fhir_decision_needs_content(decision)) {
        decision->before = fhir_completed(exchange, decision->before);
        decision->version = fhir_completed(exchange, decision->version);
        decision->after = fhir_completed(exchange, decision->after);
    }
    return fhir_decide(decision, exchange->pool);
}

fhir_error_t *fhir_version_not_found(const char *type, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "This %s has no version with this id.", type);
}

fhir_error_t *fhir_as_unknown_version(const fhir_exchange_t *exchange, fhir_decision_t *decision, fhir_error_t *error)
{
    if (!error || error->code != FHIR_ERROR_NOT_FOUND || !decision->version) {
        return error;
    }
    decision->version = NULL;
    return fhir_decide_now(exchange, decision) ? error : fhir_version_not_found(decision->type, exchange->pool);
}

#define STALE_AFTER apr_time_from_msec(5)

int fhir_decision_is_stale(const fhir_exchange_t *exchange, const fhir_membership_t *membership)
{
    return !membership->admin || apr_time_now() - exchange->decided > STALE_AFTER;
}

static int is_binary(const char *type)
{
    return strcmp(type, "Binary") == 0;
}

int fhir_expect_content(const fhir_exchange_t *exchange, const char *type)
{
    const fhir_principal_t *principal = &exchange->principal;
    return (principal->scopes && fhir_scopes_need_content(principal->scopes, type)) ||
           fhir_policy_cache_hint(exchange->app->policies, &principal->key, is_binary(type));
}

void fhir_remember_content(const fhir_exchange_t *exchange, const char *type, int needed)
{
    fhir_policy_cache_set_hint(exchange->app->policies, &exchange->principal.key, is_binary(type), needed);
}

int fhir_lacks_content(const fhir_decision_t *decision, const fhir_subject_t *subject)
{
    return subject && subject->there && !subject->complete && (!subject->resource || !subject->resource->body) &&
           decision->membership && fhir_decision_needs_content(decision);
}

int fhir_looks_at_subject(const fhir_exchange_t *exchange, const fhir_membership_t *membership, const char *type)
{
    const fhir_scopes_t *scopes = exchange->principal.scopes;
    return !membership->admin || (scopes && fhir_scopes_look_at_subject(scopes, type));
}

fhir_error_t *fhir_administrator(const fhir_membership_t **membership, fhir_exchange_t *exchange)
{
    fhir_decision_t decision;
    FHIR_TRY(fhir_member(membership, exchange));
    decision = fhir_decision_of(exchange, *membership, FHIR_INTERACTION_SEARCH, exchange->route.type);
    if (!fhir_is_administrator(&decision)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                                 "Only administrators of the project may do this.");
    }
    return NULL;
}
