/* fhirbinctl's requests: made here, answered by the same code as those that come over HTTP. */
#include "operate.h"

#include "../fhir/json_document.h"
#include "audit.h"
#include "exchange.h"

#include <apr_strings.h>
#include <string.h>

static const char *const method_names[] = {"", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

/* The decoded path of what lies under the FHIR base. */
static const char *absolute_path(const fhir_settings_t *settings, const char *path, apr_pool_t *pool)
{
    return apr_pstrcat(pool, settings->base_path, settings->fhir_base + strlen(settings->base_url), path, NULL);
}

static const apr_table_t *headers_of(const fhir_operation_t *operation, apr_pool_t *pool)
{
    apr_table_t *headers = apr_table_make(pool, 4);
    apr_table_setn(headers, "Accept", "application/fhir+json");
    if (operation->body) {
        apr_table_setn(headers, "Content-Type",
                       operation->content_type ? operation->content_type : "application/fhir+json");
    }
    if (operation->if_match) {
        apr_table_setn(headers, "If-Match", apr_pstrcat(pool, "W/\"", operation->if_match, "\"", NULL));
    }
    return headers;
}

static fhir_error_t *make_request(fhir_request_t **request, const fhir_app_t *app, const fhir_operation_t *operation,
                                  apr_pool_t *pool)
{
    fhir_request_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *body = operation->body ? operation->body : "";
    made->pool = pool;
    made->method = operation->method;
    made->method_name = method_names[operation->method];
    made->path = absolute_path(app->settings, operation->path, pool);
    made->query = operation->query;
    made->headers = headers_of(operation, pool);
    made->body = fhir_body_memory(body, strlen(body), 0, pool);
    made->operator_project = operation->project_id;
    made->operator_name = operation->operator_name;
    made->received = apr_time_now();
    made->deadline = made->received + app->settings->request_timeout;
    *request = made;
    return fhir_random_hex(&made->request_id, 12, pool);
}

/* Resources and outcomes are bytes in memory; only the content of a Binary is not. */
static fhir_error_t *collect(const char **text, const fhir_response_t *response, apr_pool_t *pool)
{
    fhir_text_t all;
    int i;
    fhir_text_init(&all, pool);
    for (i = 0; i < response->segments->nelts; i++) {
        const fhir_segment_t *segment = &APR_ARRAY_IDX(response->segments, i, fhir_segment_t);
        if (segment->kind != FHIR_SEGMENT_BYTES) {
            return fhir_error_public(pool, FHIR_ERROR_UNSUPPORTED, "The answer is a file, not a resource.");
        }
        fhir_text_add_bytes(&all, segment->bytes, (apr_size_t)segment->length);
    }
    *text = all.text;
    return NULL;
}

fhir_error_t *fhir_operate(int *status, const char **text, fhir_app_t *app, const fhir_operation_t *operation,
                           apr_pool_t *pool)
{
    fhir_request_t *request;
    fhir_response_t *response;
    const fhir_delivery_t delivery = {0, 0, 1};
    FHIR_TRY(make_request(&request, app, operation, pool));
    response = fhir_app_handle(app, request);
    if (response->status >= 500 && response->error) {
        fhir_log_error(app->log, FHIR_LOG_WARNING, response->error, operation->path);
    }
    *status = response->status;
    fhir_app_finished(app, response, &delivery);
    return collect(text, response, pool);
}

/* ---- answers that are failures ---- */

static const struct {
    int status;
    fhir_error_code_t code;
} codes[] = {{400, FHIR_ERROR_INVALID},       {401, FHIR_ERROR_UNAUTHENTICATED},
             {403, FHIR_ERROR_FORBIDDEN},     {404, FHIR_ERROR_NOT_FOUND},
             {409, FHIR_ERROR_CONFLICT},      {410, FHIR_ERROR_GONE},
             {413, FHIR_ERROR_TOO_LARGE},     {412, FHIR_ERROR_PRECONDITION_FAILED},
             {422, FHIR_ERROR_UNPROCESSABLE}, {405, FHIR_ERROR_METHOD_NOT_ALLOWED},
             {503, FHIR_ERROR_UNAVAILABLE},   {507, FHIR_ERROR_NO_SPACE}};

static fhir_error_code_t code_of(int status)
{
    size_t i;
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].status == status) {
            return codes[i].code;
        }
    }
    return status >= 500 ? FHIR_ERROR_INTERNAL : FHIR_ERROR_INVALID;
}

fhir_error_t *fhir_operation_failed(int status, const char *text, apr_pool_t *pool)
{
    const fhir_json_document_t *outcome;
    const char *sentence = NULL;
    const char *expression = NULL;
    fhir_error_t *error = fhir_json_parse(&outcome, text, strlen(text), &fhir_json_resource_limits, pool);
    if (!error) {
        int issues = fhir_json_member(outcome, 0, "issue");
        int issue = issues < 0 ? -1 : fhir_json_first(outcome, issues);
        int expressions = fhir_json_member(outcome, issue, "expression");
        sentence = fhir_json_string(outcome, fhir_json_member(outcome, issue, "diagnostics"), pool);
        expression = expressions < 0 ? NULL : fhir_json_string(outcome, fhir_json_first(outcome, expressions), pool);
    }
    error = fhir_error_public(pool, code_of(status), "%s", sentence ? sentence : "The request failed.");
    error->expression = expression;
    return error;
}
