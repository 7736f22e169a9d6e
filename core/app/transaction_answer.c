/* What a transaction answers once it is committed. From here on nothing may say that it failed. */
#include "attachment_urls.h"
#include "bundle_answer.h"
#include "outcome_map.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_steps.h"
#include "transaction.h"

#include <apr_strings.h>
#include <string.h>

static fhir_prefer_return_t wanted(const fhir_transact_t *transact)
{
    return fhir_prefer_return(fhir_request_header(transact->exchange.request, "Prefer"));
}

static int is_shown(const fhir_part_t *part)
{
    return part->kind == FHIR_PART_WRITE && part->write.kind != FHIR_CHANGE_DELETE;
}

/* What was written, as the principal may see it. */
typedef struct shown_t {
    apr_array_header_t *resources;   /* of const fhir_resource_t * */
    const apr_array_header_t *edits; /* as long; NULL: no resource is shown */
} shown_t;

/* The attachments of all resources at once. NULL: they can't be looked up now. */
static const apr_array_header_t *load_edits(apr_array_header_t *results, const fhir_transact_t *transact)
{
    apr_array_header_t *edits;
    fhir_error_t *error;
    int i;
    for (i = 0; i < transact->count; i++) {
        if (is_shown(&transact->parts[i])) {
            APR_ARRAY_PUSH(results, const fhir_resource_t *) = transact->parts[i].write.result;
        }
    }
    error = fhir_attachment_edits(&edits, &transact->exchange, transact->bundle->membership, results);
    if (!error) {
        error = fhir_hide_elements(results, edits, &transact->exchange, transact->bundle->membership, NULL);
    }
    if (error) {
        fhir_log_error(transact->exchange.app->log, FHIR_LOG_WARNING, error, "showing what a transaction stored");
        return NULL;
    }
    return edits;
}

static int status_of(const fhir_part_t *part)
{
    const fhir_resource_write_t *write = &part->write;
    if (write->kind == FHIR_CHANGE_DELETE) {
        return 204;
    }
    if (part->entry.method == FHIR_METHOD_POST) {
        return write->has_change ? 201 : 200;
    }
    if (part->entry.method == FHIR_METHOD_PUT && !part->exchange.route.id) {
        return write->existing ? 200 : 201;
    }
    return part->entry.method == FHIR_METHOD_PUT ? fhir_update_status(write, &part->facts) : 200;
}

static const char *information(const char *type, apr_pool_t *pool)
{
    fhir_response_t *response = fhir_response_create(200, pool);
    fhir_response_information(response, FHIR_FORMAT_JSON, apr_psprintf(pool, "The %s was stored.", type));
    return APR_ARRAY_IDX(response->segments, 0, fhir_segment_t).bytes;
}

static void describe(fhir_entry_answer_t *answer, const fhir_part_t *part, const fhir_transact_t *transact,
                     apr_pool_t *pool)
{
    const fhir_resource_t *result = part->write.result;
    memset(answer, 0, sizeof(*answer));
    answer->status = status_of(part);
    answer->etag = apr_psprintf(pool, "W/\"%s\"", result->version_id);
    if (is_shown(part)) {
        answer->full_url =
            apr_pstrcat(pool, transact->exchange.settings->fhir_base, result->type, "/", result->id, NULL);
        answer->location = apr_pstrcat(pool, answer->full_url, "/_history/", result->version_id, NULL);
        answer->last_modified = result->last_updated;
    }
}

/* `visible` NULL: the resource is left out. */
static void add_write(fhir_bundle_text_t *text, const fhir_part_t *part, const fhir_transact_t *transact,
                      const fhir_resource_t *visible, const apr_array_header_t *edits, apr_pool_t *pool)
{
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    fhir_prefer_return_t prefer = wanted(transact);
    fhir_entry_answer_t answer;
    fhir_text_t json;
    describe(&answer, part, transact, pool);
    if (is_shown(part) && prefer == FHIR_PREFER_OUTCOME) {
        answer.outcome = information(part->write.type, pool);
    } else if (is_shown(part) && visible && prefer != FHIR_PREFER_MINIMAL &&
               fhir_may_see_written(&part->exchange, transact->bundle->membership, part->write.result, answer.status)) {
        fhir_text_init(&json, pool);
        fhir_resource_render(&json, visible, edits, &whole);
        answer.resource = json.text;
        answer.resource_length = json.length;
    }
    fhir_entry_answer_add(text, &answer, 1, pool);
}

static int binary_status(const fhir_part_t *part)
{
    return part->binary_change == FHIR_CHANGE_DELETE ? 204 : part->binary_change == FHIR_CHANGE_CREATE ? 201 : 200;
}

static void add_binary(fhir_bundle_text_t *text, const fhir_part_t *part, const fhir_transact_t *transact,
                       apr_pool_t *pool)
{
    const fhir_binary_t *binary = part->binary_part.result;
    fhir_entry_answer_t answer = {0};
    fhir_response_t *response;
    fhir_error_t *error = fhir_binary_write_answer(&response, part->binary, binary);
    if (!error) {
        fhir_entry_answer_response(&answer, response, part->exchange.request, &transact->exchange);
    }
    if (error || response->error || answer.status >= 400) {
        memset(&answer, 0, sizeof(answer));
        answer.status = binary_status(part);
        answer.full_url = apr_pstrcat(pool, transact->exchange.settings->fhir_base, "Binary/", binary->id, NULL);
    }
    answer.etag = apr_psprintf(pool, "W/\"%s\"", binary->version_id);
    answer.last_modified = part->binary_change == FHIR_CHANGE_DELETE ? 0 : binary->last_updated;
    fhir_entry_answer_add(text, &answer, 1, pool);
}

static void add_nothing(fhir_bundle_text_t *text, apr_pool_t *pool)
{
    fhir_entry_answer_t answer = {0};
    answer.status = 204;
    fhir_entry_answer_add(text, &answer, 1, pool);
}

/* Reads are answered like requests of their own, and noted there. */
static void note(const fhir_part_t *part, const fhir_transact_t *transact, int status, const char *version_id,
                 apr_pool_t *pool)
{
    fhir_exchange_t exchange = part->exchange;
    exchange.pool = pool;
    exchange.audit.membership = transact->bundle->membership;
    exchange.audit.version_id = version_id;
    if (part->kind == FHIR_PART_WRITE) {
        exchange.audit.id = part->write.result->id;
    } else if (part->kind == FHIR_PART_BINARY) {
        exchange.audit.id = part->binary_part.result->id;
        exchange.audit.context = part->binary_part.result->security_context;
    }
    fhir_audit_entry(&exchange, status, NULL);
}

/* The answer does not tell whether it was somebody else's. The trail does not say that it was deleted. */
static void note_refusal(const fhir_part_t *part, const fhir_transact_t *transact, apr_pool_t *pool)
{
    fhir_exchange_t exchange = part->exchange;
    exchange.pool = pool;
    exchange.audit.membership = transact->bundle->membership;
    fhir_audit_entry(&exchange, fhir_error_http_status(part->refusal), part->refusal);
}

static void add_part(fhir_bundle_text_t *text, const fhir_part_t *part, const fhir_transact_t *transact,
                     const shown_t *shown, int *next, apr_pool_t *pool)
{
    int is_there = shown->edits && is_shown(part);
    switch (part->kind) {
    case FHIR_PART_READ:
        fhir_entry_answer_request(text, &part->entry, transact->bundle->document, transact->bundle->exchange, pool);
        break;
    case FHIR_PART_BINARY:
        add_binary(text, part, transact, pool);
        note(part, transact, binary_status(part), part->binary_part.result->version_id, pool);
        break;
    case FHIR_PART_WRITE:
        add_write(text, part, transact,
                  is_there ? APR_ARRAY_IDX(shown->resources, *next, const fhir_resource_t *) : NULL,
                  is_there ? APR_ARRAY_IDX(shown->edits, *next, const apr_array_header_t *) : NULL, pool);
        *next += is_shown(part);
        note(part, transact, status_of(part), part->write.result->version_id, pool);
        break;
    case FHIR_PART_NOTHING:
    default:
        add_nothing(text, pool);
        note_refusal(part, transact, pool);
        break;
    }
}

void fhir_transact_answer(fhir_response_t **response, const fhir_transact_t *transact)
{
    const fhir_exchange_t *exchange = transact->bundle->exchange;
    int shows = wanted(transact) != FHIR_PREFER_MINIMAL && wanted(transact) != FHIR_PREFER_OUTCOME;
    shown_t shown;
    fhir_bundle_text_t text;
    apr_pool_t *pool;
    int next = 0;
    int i;
    shown.resources = apr_array_make(transact->pool, transact->count, sizeof(const fhir_resource_t *));
    shown.edits = shows ? load_edits(shown.resources, transact) : NULL;
    fhir_bundle_begin(&text, "transaction-response", -1, exchange->pool);
    text.tells_outcomes = exchange->medplum;
    apr_pool_create(&pool, exchange->pool);
    for (i = 0; i < transact->count; i++) {
        add_part(&text, &transact->parts[i], transact, &shown, &next, pool);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    fhir_bundle_end(&text);
    *response = fhir_json_answer(exchange, 200, &text.json);
}
