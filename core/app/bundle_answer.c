/* Answers to entries -> Bundle.entry. */
#include "bundle_answer.h"

#include "../fhir/answers.h"
#include "../http/conditional.h"
#include "outcome_map.h"

#include <apr_strings.h>
#include <string.h>

void fhir_entry_answer_error(fhir_entry_answer_t *answer, const fhir_error_t *error, apr_pool_t *pool)
{
    const fhir_response_t *response = fhir_error_response(error, FHIR_FORMAT_JSON, pool);
    memset(answer, 0, sizeof(*answer));
    answer->status = response->status;
    answer->outcome = APR_ARRAY_IDX(response->segments, 0, fhir_segment_t).bytes;
}

static int is_json(const fhir_response_t *response)
{
    const char *type = apr_table_get(response->headers, "Content-Type");
    return type && strncmp(type, "application/fhir+json", 21) == 0;
}

/* The whole body; 0 if it is no JSON in memory. */
static int take_body(fhir_entry_answer_t *answer, const fhir_response_t *response, apr_pool_t *pool)
{
    fhir_text_t text;
    int i;
    if (response->segments->nelts == 0) {
        return 1;
    }
    fhir_text_init(&text, pool);
    for (i = 0; i < response->segments->nelts; i++) {
        const fhir_segment_t *segment = &APR_ARRAY_IDX(response->segments, i, fhir_segment_t);
        if (segment->kind != FHIR_SEGMENT_BYTES) {
            return 0;
        }
        if (response->segments->nelts == 1) {
            answer->resource = segment->bytes;
            answer->resource_length = (apr_size_t)segment->length;
            return is_json(response);
        }
        fhir_text_add_bytes(&text, segment->bytes, (apr_size_t)segment->length);
    }
    answer->resource = text.text;
    answer->resource_length = text.length;
    return is_json(response);
}

/* `[base]/Patient/1` of a Location with a version, or of the address that was read. */
static const char *full_url_of(const fhir_entry_answer_t *answer, const fhir_request_t *request,
                               const fhir_exchange_t *outer)
{
    fhir_route_t route;
    if (answer->location) {
        const char *version = strstr(answer->location, "/_history/");
        return version ? apr_pstrmemdup(request->pool, answer->location, (apr_size_t)(version - answer->location))
                       : answer->location;
    }
    fhir_route(&route, outer->settings, request->path, request->pool);
    if (!answer->resource || request->method == FHIR_METHOD_POST ||
        (route.kind != FHIR_ROUTE_INSTANCE && route.kind != FHIR_ROUTE_RESOURCE_INSTANCE)) {
        return NULL;
    }
    return apr_pstrcat(request->pool, outer->settings->fhir_base, route.type, "/", route.id, NULL);
}

/* Writes say how they went instead, if Prefer asks for that. */
static void sort_out_outcome(fhir_entry_answer_t *answer, const fhir_request_t *request)
{
    static const char beginning[] = "{\"resourceType\":\"OperationOutcome\"";
    if (answer->resource && request->method != FHIR_METHOD_GET &&
        fhir_prefer_return(fhir_request_header(request, "Prefer")) == FHIR_PREFER_OUTCOME &&
        strncmp(answer->resource, beginning, sizeof(beginning) - 1) == 0) {
        answer->outcome = apr_pstrmemdup(request->pool, answer->resource, answer->resource_length);
        answer->resource = NULL;
    }
}

void fhir_entry_answer_response(fhir_entry_answer_t *answer, const fhir_response_t *response,
                                const fhir_request_t *request, const fhir_exchange_t *outer)
{
    const char *modified = apr_table_get(response->headers, "Last-Modified");
    memset(answer, 0, sizeof(*answer));
    if (response->error) {
        fhir_entry_answer_error(answer, response->error, request->pool);
        return;
    }
    if (!take_body(answer, response, request->pool)) {
        answer->resource = NULL;
    }
    if (!answer->resource && response->segments->nelts > 0 && request->method == FHIR_METHOD_GET) {
        fhir_entry_answer_error(answer,
                                fhir_error_public(request->pool, FHIR_ERROR_UNSUPPORTED,
                                                  "This answer can't be part of a Bundle. Ask for it by itself."),
                                request->pool);
        return;
    }
    answer->status = response->status;
    answer->location = apr_table_get(response->headers, "Location");
    answer->etag = apr_table_get(response->headers, "ETag");
    answer->last_modified = modified ? fhir_http_date_parse(modified) : 0;
    answer->full_url = full_url_of(answer, request, outer);
    sort_out_outcome(answer, request);
}

/* ---- text ---- */

static void add_string(fhir_text_t *json, const char *name, const char *value)
{
    if (value) {
        fhir_text_addf(json, ",\"%s\":", name);
        fhir_text_add_json_string(json, value);
    }
}

/* Users of the Medplum SDK look at each entry's outcome, those that went well included. */
static const char *outcome_of(const fhir_bundle_text_t *bundle, const fhir_entry_answer_t *answer, apr_pool_t *pool)
{
    if (answer->outcome || !bundle->tells_outcomes || answer->status >= 300) {
        return answer->outcome;
    }
    return fhir_outcome(FHIR_FORMAT_JSON, answer->status == 201 ? "created" : "ok", "information", "informational",
                        NULL, NULL, pool);
}

static void add_response(fhir_bundle_text_t *bundle, const fhir_entry_answer_t *answer, apr_pool_t *pool)
{
    fhir_text_t *json = &bundle->json;
    const char *outcome = outcome_of(bundle, answer, pool);
    fhir_bundle_member(bundle, "response");
    fhir_text_addf(json, "{\"status\":\"%d\"", outcome && answer->status == 204 ? 200 : answer->status);
    add_string(json, "location", answer->location);
    add_string(json, "etag", answer->etag);
    if (answer->last_modified > 0) {
        add_string(json, "lastModified", fhir_instant(answer->last_modified, pool));
    }
    if (outcome) {
        fhir_text_add(json, ",\"outcome\":");
        fhir_text_add(json, outcome);
    }
    fhir_text_add(json, "}");
}

void fhir_entry_answer_add(fhir_bundle_text_t *bundle, const fhir_entry_answer_t *answer, int written, apr_pool_t *pool)
{
    fhir_entry_answer_t shown = *answer;
    if (shown.resource && (shown.resource_length > FHIR_BUNDLE_ANSWER_MAX ||
                           bundle->json.length > FHIR_BUNDLE_ANSWER_MAX - shown.resource_length)) {
        shown.resource = NULL;
        if (!written) {
            fhir_entry_answer_error(&shown,
                                    fhir_error_public(pool, FHIR_ERROR_TOO_LARGE,
                                                      "The answer to this Bundle became too large for this entry. Ask "
                                                      "for it in a Bundle of its own."),
                                    pool);
        }
    }
    fhir_bundle_entry(bundle, shown.full_url);
    if (shown.resource) {
        fhir_bundle_member(bundle, "resource");
        fhir_text_add_bytes(&bundle->json, shown.resource, shown.resource_length);
    }
    add_response(bundle, &shown, pool);
    fhir_bundle_entry_end(bundle);
}

/* ---- one entry by itself ---- */

static void ask(fhir_entry_answer_t *answer, const fhir_bundle_entry_t *entry, const fhir_json_document_t *document,
                const fhir_exchange_t *outer, apr_pool_t *pool)
{
    fhir_request_t *request;
    const fhir_response_t *response;
    fhir_error_t *error = fhir_bundle_entry_request(&request, entry, document, outer, pool);
    if (error) {
        fhir_entry_answer_error(answer, error, pool);
        return;
    }
    response = fhir_answer_entry(outer, request);
    if (response->error && response->status >= 500) {
        fhir_log_error(outer->app->log, FHIR_LOG_ERROR, response->error,
                       apr_psprintf(pool, "answering %s", entry->place));
    }
    fhir_entry_answer_response(answer, response, request, outer);
}

void fhir_entry_answer_request(fhir_bundle_text_t *bundle, const fhir_bundle_entry_t *entry,
                               const fhir_json_document_t *document, const fhir_exchange_t *outer, apr_pool_t *scratch)
{
    fhir_entry_answer_t answer;
    int written = entry->method != FHIR_METHOD_GET;
    ask(&answer, entry, document, outer, scratch);
    fhir_entry_answer_add(bundle, &answer, written, scratch);
}
