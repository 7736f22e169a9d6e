/* The way from a principal to a resource's facts and the decision. */
#include "resource_access.h"

#include "access.h"

fhir_error_t *fhir_resource_not_found(const char *type, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no %s with this id.", type);
}

fhir_error_t *fhir_resource_deleted(const char *type, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_GONE, "This %s was deleted. A PUT brings it back.", type);
}

fhir_error_t *fhir_resource_decide(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                   fhir_interaction_t interaction, const char *type, const char *id)
{
    fhir_resource_decision_t input = {0};
    input.interaction = interaction;
    input.membership = membership;
    input.scopes = exchange->principal.scopes;
    input.patient = exchange->principal.patient;
    input.type = type;
    input.id = id;
    return fhir_decide_resource(&input, exchange->pool);
}

fhir_error_t *fhir_resource_access(fhir_resource_facts_t *facts, fhir_exchange_t *exchange,
                                   fhir_interaction_t interaction, const char *id, const char *version_id)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    const char *type = exchange->route.type;
    int known = id && fhir_id_valid(id);
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(fhir_meta_load_resource(facts, exchange->app->meta, &exchange->principal.key, known ? type : NULL,
                                     known ? id : NULL, version_id, &call));
    FHIR_TRY(fhir_resource_decide(exchange, facts->membership, interaction, type, id));
    if (id && !facts->current && interaction != FHIR_INTERACTION_UPDATE) {
        return fhir_resource_not_found(type, exchange->pool);
    }
    return NULL;
}

fhir_error_t *fhir_member(const fhir_membership_t **membership, fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    fhir_resource_decision_t input = {0};
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(fhir_meta_load_membership(membership, exchange->app->meta, &exchange->principal.key, &call));
    input.interaction = FHIR_INTERACTION_READ;
    input.membership = *membership;
    return fhir_decide_resource(&input, exchange->pool);
}

int fhir_may_see_written(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                         const fhir_resource_t *resource, int status)
{
    fhir_method_t method = exchange->request->method;
    int was_there = method == FHIR_METHOD_PATCH || (method == FHIR_METHOD_POST && status == 200);
    return !was_there ||
           !fhir_resource_decide(exchange, membership, FHIR_INTERACTION_READ, resource->type, resource->id);
}
