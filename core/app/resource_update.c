/* create, update and delete of resources other than Binary, with their conditional forms (FHIR R4 http.html). */
#include "form_response.h"
#include "preconditions.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"
#include "resource_steps.h"
#include "rights.h"

#include <apr_strings.h>
#include <string.h>

/* A condition that changed between looking and locking is looked up again. */
#define ATTEMPTS 10

static fhir_error_t *read_resource(fhir_sent_resource_t *sent, const fhir_exchange_t *exchange)
{
    const fhir_json_document_t *document;
    FHIR_TRY(fhir_body_document(&document, exchange));
    return fhir_resource_check(sent, document, 0, exchange->route.type, exchange->pool);
}

fhir_error_t *fhir_write_decide_found(const fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                      const fhir_membership_t *membership)
{
    if (write->existing && write->kind == FHIR_CHANGE_UPDATE) {
        return fhir_resource_decide_write(exchange, membership, FHIR_INTERACTION_UPDATE, write->type, write->before,
                                          NULL);
    }
    return fhir_resource_decide_type(exchange, membership, FHIR_INTERACTION_CREATE, write->type);
}

static fhir_error_t *run_conditional(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                     const fhir_membership_t *membership)
{
    const fhir_resource_write_t original = *write;
    apr_array_header_t *one = apr_array_make(exchange->pool, 1, sizeof(fhir_resource_write_t *));
    fhir_error_t *error = NULL;
    int unknown;
    int attempt;
    APR_ARRAY_PUSH(one, fhir_resource_write_t *) = write;
    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        *write = original;
        FHIR_TRY(fhir_write_resolve(write, exchange, membership));
        FHIR_TRY(fhir_write_decide_found(write, exchange, membership));
        FHIR_TRY(fhir_write_prepare(write, exchange, membership, NULL));
        if (!write->has_change) {
            return NULL;
        }
        error = fhir_writes_commit(&unknown, one, NULL, exchange, membership);
        if (!error || (error->code != FHIR_ERROR_CONFLICT &&
                       (error->code != FHIR_ERROR_PRECONDITION_FAILED || original.expected_version))) {
            return error;
        }
    }
    return error;
}

/* By the rights of now. `query` NULL: no condition. */
static fhir_error_t *take_condition(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                    const fhir_resource_facts_t *facts, const char *query)
{
    return query ? fhir_condition_parse(&write->condition, exchange, facts->membership, write->type, query) : NULL;
}

fhir_error_t *fhir_resource_create(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const char *if_none_exist = fhir_request_header(exchange->request, "If-None-Exist");
    fhir_resource_write_t write = {0};
    fhir_resource_facts_t facts;
    FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_CREATE, NULL, NULL));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_RESOURCE));
    write.kind = FHIR_CHANGE_CREATE;
    write.type = exchange->route.type;
    FHIR_TRY(take_condition(&write, exchange, &facts, if_none_exist));
    FHIR_TRY(read_resource(&write.sent, exchange));
    if (fhir_decision_is_stale(exchange, facts.membership)) {
        FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_CREATE, NULL, NULL));
        FHIR_TRY(take_condition(&write, exchange, &facts, if_none_exist));
    }
    if (write.condition) {
        FHIR_TRY(run_conditional(&write, exchange, facts.membership));
    } else {
        FHIR_TRY(fhir_random_uuid(&write.id, exchange->pool));
        FHIR_TRY(fhir_write_prepare(&write, exchange, facts.membership, NULL));
        FHIR_TRY(fhir_write_commit(&write, exchange));
    }
    fhir_exchange_note_written(exchange, write.result->id, write.result->version_id, NULL);
    return fhir_resource_answer_written(response, exchange, facts.membership, write.result,
                                        write.has_change ? 201 : 200);
}

fhir_error_t *fhir_update_check_id(const fhir_resource_write_t *write, apr_pool_t *pool)
{
    return fhir_check_update_id(write->type, write->id, write->sent.id, pool);
}

static int is_there(const fhir_resource_t *current)
{
    return current && current->change != FHIR_CHANGE_DELETE;
}

fhir_error_t *fhir_update_begin(fhir_resource_write_t *write, fhir_resource_facts_t *facts, fhir_exchange_t *exchange)
{
    const fhir_resource_t *current;
    FHIR_TRY(fhir_resource_access(facts, exchange, FHIR_INTERACTION_UPDATE, exchange->route.id, NULL));
    current = facts->current;
    FHIR_TRY(fhir_check_update_target(exchange, current != NULL)); /* as what is not to be seen is refused */
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_RESOURCE));
    FHIR_TRY(fhir_check_if_match(&write->expected_version, exchange, current ? current->version_id : NULL,
                                 current ? current->last_updated : 0));
    FHIR_TRY(fhir_check_if_none_match(exchange, is_there(current) ? current->version_id : NULL));
    write->kind = FHIR_CHANGE_UPDATE;
    write->type = exchange->route.type;
    write->id = exchange->route.id;
    fhir_write_stands_on(write, facts);
    return NULL;
}

void fhir_update_keep_promise(fhir_resource_write_t *write, const fhir_resource_facts_t *facts,
                              const fhir_exchange_t *exchange)
{
    if (fhir_request_header(exchange->request, "If-None-Match") && !write->change.expected_version) {
        write->change.expected_version = facts->current ? facts->current->version_id : write->change.version_id;
    }
}

int fhir_update_status(const fhir_resource_write_t *write, const fhir_resource_facts_t *facts)
{
    return write->created || (facts->current && !is_there(facts->current)) ? 201 : 200;
}

static fhir_error_t *update_once(fhir_resource_write_t *write, const fhir_resource_facts_t *facts,
                                 const fhir_exchange_t *exchange)
{
    FHIR_TRY(fhir_write_prepare(write, exchange, facts->membership, NULL));
    fhir_update_keep_promise(write, facts, exchange);
    return fhir_write_commit(write, exchange);
}

/* Another version came between, and the client did not ask for a certain one: it is decided again. */
static int was_overtaken(const fhir_error_t *error, const fhir_resource_write_t *write, const fhir_exchange_t *exchange)
{
    return error->code == FHIR_ERROR_PRECONDITION_FAILED && !write->expected_version &&
           !fhir_request_header(exchange->request, "If-None-Match");
}

fhir_error_t *fhir_resource_update(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_resource_write_t write = {0};
    fhir_resource_facts_t facts;
    fhir_sent_resource_t sent;
    fhir_error_t *error;
    int attempt = 0;
    FHIR_TRY(fhir_update_begin(&write, &facts, exchange));
    FHIR_TRY(read_resource(&write.sent, exchange));
    FHIR_TRY(fhir_update_check_id(&write, exchange->pool));
    sent = write.sent;
    if (fhir_decision_is_stale(exchange, facts.membership)) {
        memset(&write, 0, sizeof(write));
        FHIR_TRY(fhir_update_begin(&write, &facts, exchange));
        write.sent = sent;
    }
    while ((error = update_once(&write, &facts, exchange)) != NULL) {
        if (!was_overtaken(error, &write, exchange) || ++attempt == ATTEMPTS) {
            return error;
        }
        memset(&write, 0, sizeof(write));
        FHIR_TRY(fhir_update_begin(&write, &facts, exchange));
        write.sent = sent;
    }
    fhir_exchange_note_written(exchange, write.result->id, write.result->version_id, NULL);
    return fhir_resource_answer_written(response, exchange, facts.membership, write.result,
                                        fhir_update_status(&write, &facts));
}

fhir_error_t *fhir_resource_conditional_update(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const char *query = exchange->request->query ? exchange->request->query : "";
    fhir_resource_write_t write = {0};
    fhir_resource_facts_t facts;
    write.kind = FHIR_CHANGE_UPDATE;
    write.type = exchange->route.type;
    FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_SEARCH, NULL, NULL));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_RESOURCE));
    FHIR_TRY(take_condition(&write, exchange, &facts, query));
    FHIR_TRY(read_resource(&write.sent, exchange));
    if (fhir_decision_is_stale(exchange, facts.membership)) {
        FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_SEARCH, NULL, NULL));
        FHIR_TRY(take_condition(&write, exchange, &facts, query));
    }
    FHIR_TRY(run_conditional(&write, exchange, facts.membership));
    fhir_exchange_note_written(exchange, write.result->id, write.result->version_id, NULL);
    return fhir_resource_answer_written(response, exchange, facts.membership, write.result, write.existing ? 200 : 201);
}

fhir_error_t *fhir_delete_begin(fhir_resource_write_t *write, fhir_resource_facts_t *facts, fhir_exchange_t *exchange)
{
    FHIR_TRY(fhir_resource_access(facts, exchange, FHIR_INTERACTION_DELETE, exchange->route.id, NULL));
    write->kind = FHIR_CHANGE_DELETE;
    write->type = exchange->route.type;
    write->id = exchange->route.id;
    fhir_write_stands_on(write, facts);
    return fhir_check_if_match(&write->expected_version, exchange, facts->current->version_id,
                               facts->current->last_updated);
}

fhir_error_t *fhir_resource_delete(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_resource_write_t write;
    fhir_resource_facts_t facts;
    fhir_error_t *error;
    int attempt = 0;
    do {
        memset(&write, 0, sizeof(write));
        FHIR_TRY(fhir_delete_begin(&write, &facts, exchange));
        FHIR_TRY(fhir_write_prepare(&write, exchange, facts.membership, NULL));
        error = fhir_write_commit(&write, exchange);
    } while (error && was_overtaken(error, &write, exchange) && ++attempt < ATTEMPTS);
    FHIR_TRY(error);
    fhir_exchange_note_written(exchange, write.id, write.result->version_id, NULL);
    *response = fhir_deleted(exchange, write.result->version_id);
    return NULL;
}
