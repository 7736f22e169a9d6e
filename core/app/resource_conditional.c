/* delete and patch of the one resource that a search finds (FHIR R4 http.html#cdelete, http.html#patch). */
#include "form_response.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"
#include "resource_steps.h"
#include "rights.h"

#include <string.h>

/* A resource that changed after it was found may match no more: it is looked for again. */
#define ATTEMPTS 5

/* Whoever may not do `interaction` at all is told so before anything is looked for. */
static fhir_error_t *begin(const fhir_search_t **condition, fhir_resource_facts_t *facts, fhir_exchange_t *exchange,
                           fhir_interaction_t interaction)
{
    const char *query = exchange->request->query;
    FHIR_TRY(fhir_resource_access(facts, exchange, FHIR_INTERACTION_SEARCH, NULL, NULL));
    FHIR_TRY(fhir_resource_decide_type(exchange, facts->membership, interaction, exchange->route.type));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    return fhir_condition_parse(condition, exchange, facts->membership, exchange->route.type, query ? query : "");
}

/* From here on the request is about this one; NULL: there is none. */
static fhir_error_t *find_target(const fhir_resource_t **found, fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership, const fhir_search_t *condition)
{
    fhir_resource_write_t write = {0};
    write.kind = FHIR_CHANGE_UPDATE;
    write.type = exchange->route.type;
    write.condition = condition;
    FHIR_TRY(fhir_write_resolve(&write, exchange, membership));
    *found = write.existing;
    exchange->route.id = write.existing ? write.existing->id : NULL;
    return NULL;
}

static int is_found(const fhir_resource_facts_t *facts, const fhir_resource_t *found)
{
    return facts->current && strcmp(facts->current->version_id, found->version_id) == 0;
}

static fhir_error_t *changed(const fhir_exchange_t *exchange)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_PRECONDITION_FAILED,
                             "The %s changed while it was looked for. Send the request again.", exchange->route.type);
}

static fhir_error_t *delete_found(fhir_resource_write_t *write, fhir_exchange_t *exchange, const fhir_resource_t *found)
{
    fhir_resource_facts_t facts;
    memset(write, 0, sizeof(*write));
    FHIR_TRY(fhir_delete_begin(write, &facts, exchange));
    if (!is_found(&facts, found)) {
        return changed(exchange);
    }
    write->expected_version = found->version_id;
    FHIR_TRY(fhir_write_prepare(write, exchange, facts.membership, NULL));
    return fhir_write_commit(write, exchange);
}

fhir_error_t *fhir_resource_conditional_delete(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_search_t *condition;
    const fhir_resource_t *found;
    fhir_resource_write_t write;
    fhir_resource_facts_t facts;
    fhir_error_t *error = NULL;
    int attempt;
    FHIR_TRY(begin(&condition, &facts, exchange, FHIR_INTERACTION_DELETE));
    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        FHIR_TRY(find_target(&found, exchange, facts.membership, condition));
        error = found ? delete_found(&write, exchange, found) : NULL;
        if (!error || error->code != FHIR_ERROR_PRECONDITION_FAILED) {
            break;
        }
    }
    FHIR_TRY(error);
    *response = fhir_deleted(exchange, found ? write.result->version_id : NULL);
    return NULL;
}

static fhir_error_t *patch_found(fhir_resource_write_t *write, fhir_exchange_t *exchange, const fhir_resource_t *found,
                                 const fhir_json_document_t *patch)
{
    fhir_resource_facts_t facts;
    const char *expected;
    FHIR_TRY(fhir_patch_begin(&facts, &expected, exchange));
    if (!is_found(&facts, found)) {
        return changed(exchange);
    }
    return fhir_patch_once(write, &facts, patch, exchange);
}

fhir_error_t *fhir_resource_conditional_patch(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_json_document_t *patch;
    const fhir_search_t *condition;
    const fhir_resource_t *found;
    fhir_resource_write_t write;
    fhir_resource_facts_t facts;
    fhir_error_t *error = NULL;
    int attempt;
    FHIR_TRY(begin(&condition, &facts, exchange, FHIR_INTERACTION_UPDATE));
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_PATCH));
    FHIR_TRY(fhir_body_document(&patch, exchange));
    if (fhir_decision_is_stale(exchange, facts.membership)) {
        FHIR_TRY(begin(&condition, &facts, exchange, FHIR_INTERACTION_UPDATE));
    }
    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        FHIR_TRY(find_target(&found, exchange, facts.membership, condition));
        if (!found) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_NOT_FOUND, "No %s matches the condition.",
                                     exchange->route.type);
        }
        error = patch_found(&write, exchange, found, patch);
        if (!error || error->code != FHIR_ERROR_PRECONDITION_FAILED) {
            break;
        }
    }
    FHIR_TRY(error);
    fhir_exchange_note_written(exchange, write.result->id, write.result->version_id, NULL);
    return fhir_resource_answer_written(response, exchange, facts.membership, write.result, 200);
}
