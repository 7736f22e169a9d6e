/* Requests to Azure: authorization, one request with its answer, repetition. */
#include "azure.h"

#include <string.h>

#define CLEANUP_TIME apr_time_from_sec(5)

fhir_store_call_t azure_bounded(const fhir_store_t *store, const fhir_store_call_t *call)
{
    fhir_store_call_t bounded = *call;
    apr_time_t limit = apr_time_now() + store->config->request_timeout;
    if (!call->deadline || call->deadline > limit) {
        bounded.deadline = limit;
    }
    return bounded;
}

fhir_store_call_t azure_cleanup_call(const fhir_store_t *store, const fhir_store_call_t *call)
{
    fhir_store_call_t cleanup = azure_bounded(store, call);
    apr_time_t least = apr_time_now() + CLEANUP_TIME;
    cleanup.cancelled = NULL;
    cleanup.deadline = cleanup.deadline < least ? least : cleanup.deadline;
    return cleanup;
}

fhir_error_t *azure_copy_error(const fhir_error_t *error, apr_pool_t *pool)
{
    fhir_error_t *copy = fhir_error_create(pool, error->code, error->status, error->public_text,
                                           error->detail ? "%s" : NULL, error->detail);
    copy->retry = error->retry;
    copy->retry_after = error->retry_after;
    return copy;
}

fhir_http_client_t *azure_client_of(const fhir_store_t *store, const azure_request_t *request)
{
    return strcmp(request->method, "GET") ? store->client : store->read_client;
}

void azure_add_read_headers(azure_request_t *request, const fhir_store_config_t *config)
{
    if (config->customer_key) {
        azure_add_header(request, "x-ms-encryption-key", config->customer_key);
        azure_add_header(request, "x-ms-encryption-key-sha256", config->customer_key_sha256);
        azure_add_header(request, "x-ms-encryption-algorithm", "AES256");
    }
}

void azure_add_write_headers(azure_request_t *request, const fhir_store_config_t *config)
{
    azure_add_read_headers(request, config);
    if (config->encryption_scope) {
        azure_add_header(request, "x-ms-encryption-scope", config->encryption_scope);
    }
}

fhir_error_t *azure_authorize(fhir_http_request_t *http, const char **token, fhir_store_t *store,
                              const azure_request_t *request, const fhir_store_call_t *call)
{
    const fhir_store_config_t *config = store->config;
    apr_pool_t *pool = call->result_pool;
    azure_request_t signed_request = *request;
    const char *text;
    signed_request.headers = apr_array_copy(pool, request->headers);
    azure_add_header(&signed_request, "x-ms-date", azure_http_date(apr_time_now(), pool));
    azure_add_header(&signed_request, "x-ms-version", AZURE_VERSION);
    if (call->request_id && strlen(call->request_id) <= 64 &&
        strspn(call->request_id, "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == strlen(call->request_id)) {
        azure_add_header(&signed_request, "x-ms-client-request-id", call->request_id);
    }
    *token = NULL;
    if (store->token) {
        FHIR_TRY(azure_renewed_get(token, NULL, store->token, call));
        text = apr_pstrcat(pool, "Bearer ", *token, NULL);
    } else {
        text = azure_string_to_sign(&signed_request, config->account, azure_path_of(config->endpoint), pool);
        text = apr_pstrcat(pool, "SharedKey ", config->account, ":", azure_signature(&config->account_key, text, pool),
                           NULL);
    }
    azure_add_header(&signed_request, "Authorization", text);
    memset(http, 0, sizeof(*http));
    http->method = request->method;
    http->url = apr_pstrcat(pool, config->endpoint, request->path, azure_query(request, pool), NULL);
    http->headers = signed_request.headers;
    http->body = request->body;
    http->body_length = request->body ? (apr_size_t)request->length : 0;
    return NULL;
}

fhir_error_t *azure_check_created(const fhir_http_response_t *response, const azure_request_t *request,
                                  apr_pool_t *pool)
{
    return response->status == 201
               ? NULL
               : fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                                   "The store is overloaded or unreachable; try again.",
                                   "%s: status %d is not how Azure answers: look at endpoint=, and at what is between "
                                   "this host and the store",
                                   request->operation, response->status);
}

/* One attempt. 401 with a token says that nothing was done: once more with another one. *sent: 0 if the token could not
 * be had; that was tried often enough. */
static fhir_error_t *attempt_call(fhir_http_response_t *response, int *sent, fhir_store_t *store,
                                  const azure_request_t *request, apr_size_t limit, const fhir_store_call_t *call)
{
    int renewed;
    for (renewed = 0;; renewed = 1) {
        fhir_store_call_t bounded = azure_bounded(store, call);
        fhir_http_request_t http;
        const char *token;
        memset(response, 0, sizeof(*response));
        *sent = 0;
        FHIR_TRY(azure_authorize(&http, &token, store, request, &bounded));
        *sent = 1;
        FHIR_TRY(fhir_http_call(response, azure_client_of(store, request), &http, limit, &bounded));
        if (response->status != 401 || !token || renewed) {
            return azure_status_error(response, request, call->result_pool);
        }
        azure_renewed_forget(store->token, token);
    }
}

fhir_error_t *azure_call(fhir_http_response_t *response, fhir_store_t *store, const azure_request_t *request,
                         apr_size_t limit, int repeatable, const fhir_store_call_t *call)
{
    int attempt = 0;
    for (;;) {
        fhir_error_t *error;
        int sent;
        FHIR_TRY(fhir_plugin_check_call(call));
        error = attempt_call(response, &sent, store, request, limit, call);
        if (!error || !repeatable || !sent) {
            return error;
        }
        if (error->code == FHIR_ERROR_TIMEOUT && error->retry == FHIR_RETRY_NO) {
            error->retry = FHIR_RETRY_YES; /* of this attempt: try_again looks at the deadline of the whole */
        }
        if (!fhir_http_try_again(&attempt, error, call)) {
            return error;
        }
    }
}
