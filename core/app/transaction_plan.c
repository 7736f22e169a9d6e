/* Entries of a transaction -> writes: the checks of the single interactions, before anything is written. */
#include "../fhir/json_patch.h"

#include "preconditions.h"
#include "resource_access.h"
#include "resource_body.h"
#include "resource_steps.h"
#include "transaction.h"

#include <string.h>

static fhir_error_t *check_resource(fhir_part_t *part, const fhir_transact_t *transact)
{
    return fhir_resource_check(&part->write.sent, transact->bundle->document, part->entry.resource,
                               part->exchange.route.type, transact->pool);
}

static fhir_error_t *decide(fhir_part_t *part, const fhir_transact_t *transact, fhir_interaction_t interaction)
{
    return fhir_resource_decide_type(&part->exchange, transact->bundle->membership, interaction,
                                     part->exchange.route.type);
}

static fhir_error_t *take_condition(fhir_part_t *part, const fhir_transact_t *transact, const char *query)
{
    return fhir_condition_parse(&part->write.condition, &part->exchange, transact->bundle->membership, part->write.type,
                                query);
}

static fhir_error_t *plan_create(fhir_part_t *part, const fhir_transact_t *transact)
{
    FHIR_TRY(decide(part, transact, FHIR_INTERACTION_CREATE));
    FHIR_TRY(check_resource(part, transact));
    part->write.kind = FHIR_CHANGE_CREATE;
    if (part->entry.if_none_exist) {
        return take_condition(part, transact, part->entry.if_none_exist);
    }
    return fhir_random_uuid(&part->write.id, transact->pool);
}

static fhir_error_t *plan_update(fhir_part_t *part, const fhir_transact_t *transact)
{
    FHIR_TRY(fhir_update_begin(&part->write, &part->facts, &part->exchange));
    FHIR_TRY(check_resource(part, transact));
    return fhir_update_check_id(&part->write, transact->pool);
}

static fhir_error_t *plan_conditional_update(fhir_part_t *part, const fhir_transact_t *transact)
{
    FHIR_TRY(check_resource(part, transact));
    part->write.kind = FHIR_CHANGE_UPDATE;
    return take_condition(part, transact, part->entry.query ? part->entry.query : "");
}

static fhir_error_t *plan_patch(fhir_part_t *part, const fhir_transact_t *transact)
{
    const fhir_json_document_t *patch;
    const char *expected;
    (void)transact;
    FHIR_TRY(fhir_patch_begin(&part->facts, &expected, &part->exchange));
    FHIR_TRY(fhir_body_check(&part->exchange, FHIR_BODY_PATCH));
    FHIR_TRY(fhir_body_document(&patch, &part->exchange));
    part->write.kind = FHIR_CHANGE_UPDATE;
    part->write.id = part->exchange.route.id;
    part->write.expected_version = part->facts.current->version_id;
    fhir_write_stands_on(&part->write, &part->facts);
    return fhir_patch_apply(&part->write.sent, &part->facts, patch, &part->exchange);
}

static fhir_error_t *plan_delete(fhir_part_t *part, const fhir_transact_t *transact)
{
    fhir_error_t *error = fhir_delete_begin(&part->write, &part->facts, &part->exchange);
    (void)transact;
    if (error && error->code == FHIR_ERROR_NOT_FOUND) {
        part->kind = FHIR_PART_NOTHING;
        part->refusal = error;
        return NULL;
    }
    return error;
}

static fhir_error_t *not_here(const fhir_part_t *part, const fhir_transact_t *transact)
{
    if (part->exchange.route.kind == FHIR_ROUTE_UNKNOWN) {
        return fhir_error_public(transact->pool, FHIR_ERROR_NOT_FOUND,
                                 "There is nothing at this address, so nothing of the transaction was done.");
    }
    return fhir_error_public(transact->pool, FHIR_ERROR_INVALID,
                             "%s of this address can't be part of a transaction, so nothing of it was done.",
                             part->entry.method_name);
}

/* What can be refused before the commit is: afterwards nothing can be taken back. */
static fhir_error_t *plan_read(fhir_part_t *part, const fhir_transact_t *transact)
{
    part->kind = FHIR_PART_READ;
    switch (part->exchange.route.kind) {
    case FHIR_ROUTE_METADATA:
    case FHIR_ROUTE_INSTANCE:
    case FHIR_ROUTE_HISTORY:
    case FHIR_ROUTE_VERSION:
    case FHIR_ROUTE_PRESIGNED_URL:
        return NULL;
    case FHIR_ROUTE_RESOURCE_TYPE:
    case FHIR_ROUTE_RESOURCE_SEARCH:
        return decide(part, transact, FHIR_INTERACTION_SEARCH);
    case FHIR_ROUTE_RESOURCE_INSTANCE:
    case FHIR_ROUTE_RESOURCE_HISTORY:
    case FHIR_ROUTE_RESOURCE_VERSION:
        return decide(part, transact, FHIR_INTERACTION_READ);
    default:
        return not_here(part, transact);
    }
}

typedef struct plan_t {
    fhir_route_kind_t route;
    fhir_method_t method;
    fhir_change_kind_t binary_change; /* 0: no Binary */
    fhir_error_t *(*plan)(fhir_part_t *part, const fhir_transact_t *transact);
} plan_t;

static const plan_t plans[] = {
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_POST, 0, plan_create},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_PUT, 0, plan_conditional_update},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_PUT, 0, plan_update},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_PATCH, 0, plan_patch},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_DELETE, 0, plan_delete},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_POST, FHIR_CHANGE_CREATE, NULL},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_PUT, FHIR_CHANGE_UPDATE, NULL},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_DELETE, FHIR_CHANGE_DELETE, NULL},
};

static const plan_t *find_plan(const fhir_part_t *part)
{
    size_t i;
    for (i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        if (plans[i].route == part->exchange.route.kind && plans[i].method == part->entry.method) {
            return &plans[i];
        }
    }
    return NULL;
}

fhir_error_t *fhir_part_plan(fhir_part_t *part, const fhir_transact_t *transact)
{
    fhir_request_t *request;
    const plan_t *found;
    FHIR_TRY(fhir_bundle_entry_request(&request, &part->entry, transact->bundle->document, &transact->exchange,
                                       transact->pool));
    fhir_exchange_for_entry(&part->exchange, &transact->exchange, request);
    FHIR_TRY(fhir_query_parse(&part->exchange.query, request->query, transact->pool));
    if (part->entry.method == FHIR_METHOD_GET || part->exchange.route.kind == FHIR_ROUTE_PRESIGNED_URL) {
        return plan_read(part, transact);
    }
    found = find_plan(part);
    if (!found) {
        return not_here(part, transact);
    }
    part->kind = found->binary_change ? FHIR_PART_BINARY : FHIR_PART_WRITE;
    part->binary_change = found->binary_change;
    part->write.type = part->exchange.route.type;
    part->write.place = part->entry.place;
    return found->plan ? found->plan(part, transact) : NULL;
}

/* ---- conditions ---- */

/* A conditional update may have If-Match and If-None-Match too: about what it found. */
static fhir_error_t *check_found(fhir_part_t *part)
{
    const fhir_resource_t *existing = part->write.existing;
    FHIR_TRY(fhir_check_if_match(&part->write.expected_version, &part->exchange, existing ? existing->version_id : NULL,
                                 existing ? existing->last_updated : 0));
    return fhir_check_if_none_match(&part->exchange, existing ? existing->version_id : NULL);
}

fhir_error_t *fhir_part_resolve(fhir_part_t *part, const fhir_transact_t *transact)
{
    if (part->kind != FHIR_PART_WRITE || !part->write.condition) {
        return NULL;
    }
    FHIR_TRY(fhir_write_resolve(&part->write, &part->exchange, transact->bundle->membership));
    FHIR_TRY(fhir_write_decide_found(&part->write, &part->exchange, transact->bundle->membership));
    return part->entry.method == FHIR_METHOD_PUT ? check_found(part) : NULL;
}
