/* PATCH: a JSON Patch on the stored text (FHIR R4 http.html#patch, RFC 6902). */
#include "../fhir/json_patch.h"

#include "preconditions.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"
#include "resource_steps.h"
#include "rights.h"

#include <string.h>

/* Without If-Match a patch is applied to whatever is there: it is tried again when somebody else was faster. */
#define ATTEMPTS 5

/* `test` tells what a resource holds: for those who may read it. */
static fhir_error_t *refuse_questions(const fhir_resource_facts_t *facts, const fhir_json_document_t *patch,
                                      const fhir_exchange_t *exchange)
{
    int operation = patch->nodes[0].kind == FHIR_JSON_ARRAY ? fhir_json_first(patch, 0) : -1;
    while (operation >= 0 && !fhir_json_equals(patch, fhir_json_member(patch, operation, "op"), "test")) {
        operation = patch->nodes[operation].next;
    }
    if (operation < 0 || fhir_may_read_resource(exchange, facts->membership, facts->current)) {
        return NULL;
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                             "You may change this %s but not read it, so a patch must not test it.",
                             facts->current->type);
}

/* The resource as the patch sees it: our id and meta, attachments as they are stored, without what is hidden. */
fhir_error_t *fhir_patch_apply(fhir_sent_resource_t *sent, const fhir_resource_facts_t *facts,
                               const fhir_json_document_t *patch, const fhir_exchange_t *exchange)
{
    const fhir_resource_t *current;
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    const fhir_json_document_t *patched;
    const char *text;
    apr_size_t length;
    fhir_text_t json;
    FHIR_TRY(refuse_questions(facts, patch, exchange));
    FHIR_TRY(fhir_visible_resource(&current, exchange, facts->membership, facts->current));
    fhir_text_init(&json, exchange->pool);
    fhir_resource_render(&json, current, NULL, &whole);
    FHIR_TRY(fhir_json_patch(&text, &length, json.text, json.length, patch,
                             (apr_size_t)exchange->settings->max_bundle_size, exchange->pool));
    FHIR_TRY(fhir_json_parse(&patched, text, length, &fhir_json_resource_limits, exchange->pool));
    FHIR_TRY(fhir_resource_check(sent, patched, 0, current->type, exchange->pool));
    if (!sent->id || strcmp(sent->id, current->id) != 0) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_UNPROCESSABLE, "A patch can't change the id.");
    }
    return NULL;
}

fhir_error_t *fhir_patch_begin(fhir_resource_facts_t *facts, const char **expected, fhir_exchange_t *exchange)
{
    FHIR_TRY(fhir_resource_access(facts, exchange, FHIR_INTERACTION_UPDATE, exchange->route.id, NULL));
    if (!facts->current) {
        return fhir_resource_not_found(exchange->route.type, exchange->pool);
    }
    if (facts->current->change == FHIR_CHANGE_DELETE) {
        return fhir_resource_deleted(exchange->route.type, exchange->pool);
    }
    return fhir_check_if_match(expected, exchange, facts->current->version_id, facts->current->last_updated);
}

fhir_error_t *fhir_patch_once(fhir_resource_write_t *write, const fhir_resource_facts_t *facts,
                              const fhir_json_document_t *patch, const fhir_exchange_t *exchange)
{
    memset(write, 0, sizeof(*write));
    write->kind = FHIR_CHANGE_UPDATE;
    write->type = exchange->route.type;
    write->id = exchange->route.id;
    write->expected_version = facts->current->version_id;
    fhir_write_stands_on(write, facts);
    FHIR_TRY(fhir_patch_apply(&write->sent, facts, patch, exchange));
    FHIR_TRY(fhir_write_prepare(write, exchange, facts->membership, NULL));
    return fhir_write_commit(write, exchange);
}

fhir_error_t *fhir_resource_patch(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_json_document_t *patch;
    fhir_resource_write_t write;
    fhir_resource_facts_t facts;
    const char *expected;
    fhir_error_t *error;
    int attempt = 0;
    FHIR_TRY(fhir_patch_begin(&facts, &expected, exchange));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_PATCH));
    FHIR_TRY(fhir_body_document(&patch, exchange));
    if (fhir_decision_is_stale(exchange, facts.membership)) {
        FHIR_TRY(fhir_patch_begin(&facts, &expected, exchange));
    }
    while ((error = fhir_patch_once(&write, &facts, patch, exchange)) != NULL) {
        if (error->code != FHIR_ERROR_PRECONDITION_FAILED || expected || ++attempt == ATTEMPTS) {
            return error;
        }
        FHIR_TRY(fhir_patch_begin(&facts, &expected, exchange));
    }
    fhir_exchange_note_written(exchange, write.result->id, write.result->version_id, NULL);
    return fhir_resource_answer_written(response, exchange, facts.membership, write.result, 200);
}
