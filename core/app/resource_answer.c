/* Headers and text of single resources. */
#include "resource_answer.h"

#include "../http/conditional.h"
#include "attachment_urls.h"
#include "outcome_map.h"
#include "resource_access.h"

#include <apr_strings.h>
#include <string.h>

fhir_error_t *fhir_resource_negotiate(const fhir_exchange_t *exchange)
{
    return fhir_negotiate_json(fhir_request_header(exchange->request, "Accept"),
                               fhir_query_get(exchange->query, "_format"), exchange->pool);
}

fhir_error_t *fhir_view_of_query(fhir_view_t *view, const fhir_exchange_t *exchange)
{
    static const char *const names[] = {"false", "true", "text", "data", "count"};
    const char *summary = fhir_query_get(exchange->query, "_summary");
    const char *elements = fhir_query_get(exchange->query, "_elements");
    int i;
    view->summary = FHIR_SUMMARY_FALSE;
    view->elements = elements && *elements ? elements : NULL;
    if (!summary) {
        return NULL;
    }
    for (i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
        if (strcmp(summary, names[i]) == 0) {
            view->summary = (fhir_summary_t)i;
            return NULL;
        }
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "_summary must be true, text, data, count or false.");
}

void fhir_resource_validators(fhir_response_t *response, const fhir_resource_t *resource)
{
    fhir_response_header(response, "ETag", apr_psprintf(response->pool, "W/\"%s\"", resource->version_id));
    fhir_response_header(response, "Last-Modified", fhir_http_date(resource->last_updated, response->pool));
}

static void add_json(fhir_response_t *response, const fhir_text_t *json)
{
    fhir_response_header(response, "Content-Type", fhir_format_media_type(FHIR_FORMAT_JSON));
    fhir_response_header(response, "X-Content-Type-Options", "nosniff");
    fhir_response_bytes(response, json->text, (apr_off_t)json->length);
}

fhir_response_t *fhir_json_answer(const fhir_exchange_t *exchange, int status, const fhir_text_t *json)
{
    fhir_response_t *response = fhir_response_create(status, exchange->pool);
    add_json(response, json);
    fhir_response_header(response, "Cache-Control", "private, no-cache");
    return response;
}

static fhir_error_t *render(fhir_text_t *json, const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                            const fhir_resource_t *resource, const fhir_subject_t *current, const fhir_view_t *view)
{
    apr_array_header_t *one = apr_array_make(exchange->pool, 1, sizeof(const fhir_resource_t *));
    apr_array_header_t *edits;
    APR_ARRAY_PUSH(one, const fhir_resource_t *) = resource;
    FHIR_TRY(fhir_attachment_edits(&edits, exchange, membership, one));
    FHIR_TRY(fhir_hide_elements(one, edits, exchange, membership, current));
    fhir_text_init(json, exchange->pool);
    fhir_resource_render(json, APR_ARRAY_IDX(one, 0, const fhir_resource_t *),
                         APR_ARRAY_IDX(edits, 0, const apr_array_header_t *), view);
    return NULL;
}

/* ---- read ---- */

/* A resource with attachments is never "not modified": the signed URLs that the client has would expire with it. */
static fhir_error_t *not_modified(fhir_response_t **response, const fhir_exchange_t *exchange,
                                  const fhir_resource_t *resource)
{
    const fhir_request_t *request = exchange->request;
    int same = 0;
    *response = NULL;
    FHIR_TRY(fhir_precondition(fhir_request_header(request, "If-Match"),
                               fhir_request_header(request, "If-Unmodified-Since"), resource->version_id,
                               resource->last_updated, exchange->pool));
    FHIR_TRY(fhir_not_modified(&same, fhir_request_header(request, "If-None-Match"),
                               fhir_request_header(request, "If-Modified-Since"), resource->version_id,
                               resource->last_updated, exchange->pool));
    if (same && resource->attachment_count == 0) {
        *response = fhir_response_create(304, exchange->pool);
        (*response)->content_length = -1;
        fhir_resource_validators(*response, resource);
    }
    return NULL;
}

fhir_error_t *fhir_resource_answer_read(fhir_response_t **response, const fhir_exchange_t *exchange,
                                        const fhir_membership_t *membership, const fhir_resource_t *resource,
                                        const fhir_subject_t *current)
{
    fhir_text_t json;
    fhir_view_t view;
    FHIR_TRY(fhir_view_of_query(&view, exchange));
    FHIR_TRY(not_modified(response, exchange, resource));
    if (!*response) {
        FHIR_TRY(render(&json, exchange, membership, resource, current, &view));
        *response = fhir_json_answer(exchange, 200, &json);
        fhir_resource_validators(*response, resource);
    }
    return NULL;
}

/* ---- written ---- */

static fhir_response_t *written(const fhir_exchange_t *exchange, const fhir_resource_t *resource, int status)
{
    fhir_response_t *response = fhir_response_create(status, exchange->pool);
    fhir_response_header(response, "Location",
                         apr_psprintf(exchange->pool, "%s%s/%s/_history/%s", exchange->settings->fhir_base,
                                      resource->type, resource->id, resource->version_id));
    fhir_response_header(response, "Cache-Control", "no-store");
    fhir_resource_validators(response, resource);
    return response;
}

fhir_error_t *fhir_resource_answer_written(fhir_response_t **response, const fhir_exchange_t *exchange,
                                           const fhir_membership_t *membership, const fhir_resource_t *resource,
                                           int status)
{
    fhir_prefer_return_t prefer = fhir_prefer_return(fhir_request_header(exchange->request, "Prefer"));
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    fhir_text_t json;
    fhir_error_t *error;
    *response = written(exchange, resource, status);
    if (prefer == FHIR_PREFER_MINIMAL || !fhir_may_see_written(exchange, membership, resource, status)) {
        return NULL;
    }
    if (prefer == FHIR_PREFER_OUTCOME) {
        fhir_response_information(*response, FHIR_FORMAT_JSON,
                                  apr_psprintf(exchange->pool, "The %s was stored.", resource->type));
        return NULL;
    }
    error = render(&json, exchange, membership, resource, NULL, &whole);
    if (error) {
        /* To say that it failed would be wrong: it is stored. */
        fhir_log_error(exchange->app->log, FHIR_LOG_WARNING, error, "showing what was stored");
        return NULL;
    }
    add_json(*response, &json);
    return NULL;
}
