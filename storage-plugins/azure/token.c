/* Tokens of Microsoft Entra: for an application with a secret, and for the managed identity of this machine or service.
 * Source: "OAuth 2.0 client credentials flow", "How to use managed identities ... to acquire an access token". */
#include "azure.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX ((apr_size_t)16 << 10)
#define EARLY apr_time_from_sec(300)
#define LIFETIME_MAX 172800
#define SCOPE "https://storage.azure.com/.default"
#define RESOURCE "https://storage.azure.com/"

static fhir_error_t *no_token(fhir_error_code_t code, const char *why, const char *said, apr_pool_t *pool)
{
    fhir_error_t *error = fhir_error_create(pool, code, APR_EGENERAL,
                                            "The store's credentials can't be renewed. Tell the operator of this "
                                            "server.",
                                            "token endpoint: %s%s%.200s", why, said ? ": " : "", said ? said : "");
    error->retry = code == FHIR_ERROR_UNAVAILABLE ? FHIR_RETRY_YES : FHIR_RETRY_NO;
    return error;
}

/* A number, or digits in a string; -1: none. */
static apr_int64_t seconds_of(const json_t *value)
{
    if (json_is_integer(value)) {
        return (apr_int64_t)json_integer_value(value);
    }
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        return *text && strlen(text) <= 15 && strspn(text, "0123456789") == strlen(text) ? apr_atoi64(text) : -1;
    }
    return -1;
}

/* Visible ASCII only: it becomes part of a header. */
static int is_token(const char *text)
{
    const char *at;
    for (at = text; *at; at++) {
        if (*at <= ' ' || *at > '~') {
            return 0;
        }
    }
    return at > text && (apr_size_t)(at - text) <= TOKEN_MAX;
}

static apr_int64_t lifetime_of(const json_t *answer)
{
    apr_int64_t in = seconds_of(json_object_get(answer, "expires_in"));
    apr_int64_t on = seconds_of(json_object_get(answer, "expires_on"));
    apr_int64_t lifetime = in > 0 ? in : on > 0 ? on - apr_time_sec(apr_time_now()) : -1;
    return lifetime > LIFETIME_MAX ? LIFETIME_MAX : lifetime;
}

static fhir_error_t *parse_token(const char **token, apr_time_t *expires, const fhir_http_response_t *response,
                                 apr_time_t asked, apr_pool_t *pool)
{
    json_t *answer = json_loadb(response->body, response->body_length, 0, NULL);
    const char *text = json_string_value(json_object_get(answer, "access_token"));
    apr_int64_t lifetime = lifetime_of(answer);
    fhir_error_t *error = NULL;
    if (!text || !is_token(text) || lifetime <= 0) {
        error = no_token(FHIR_ERROR_UNAVAILABLE, "its answer has no token that is valid for some time", NULL, pool);
    } else {
        *token = apr_pstrdup(pool, text);
        *expires = asked + apr_time_from_sec(lifetime);
    }
    json_decref(answer);
    return error;
}

/* Entra's `error` (invalid_client) is a word; its description may hold ids, so it is left out. */
static fhir_error_t *refused(const fhir_http_response_t *response, apr_pool_t *pool)
{
    json_t *answer = json_loadb(response->body, response->body_length, 0, NULL);
    const char *word = json_string_value(json_object_get(answer, "error"));
    int transient = response->status >= 500 || response->status == 429 || response->status == 408 ||
                    response->status == 404 || response->status == 410; /* the instance's, while it starts */
    fhir_error_t *error = no_token(transient ? FHIR_ERROR_UNAVAILABLE : FHIR_ERROR_DENIED,
                                   apr_psprintf(pool, "status %d", response->status), word, pool);
    json_decref(answer);
    return error;
}

static fhir_error_t *ask(const char **token, apr_time_t *expires, fhir_store_t *store, int once,
                         const fhir_http_request_t *request, const fhir_store_call_t *call)
{
    int attempt = 0;
    for (;;) {
        fhir_store_call_t bounded = azure_bounded(store, call);
        fhir_http_response_t response = {0};
        apr_time_t asked = apr_time_now();
        fhir_error_t *error = fhir_http_call(&response, store->token_client, request, AZURE_ANSWER_MAX, &bounded);
        if (!error && response.status == 200) {
            return parse_token(token, expires, &response, asked, call->result_pool);
        }
        error = error ? error : refused(&response, call->result_pool);
        if (once || !fhir_http_try_again(&attempt, error, call)) {
            return error;
        }
    }
}

static void add(apr_array_header_t *headers, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(headers);
    header->name = name;
    header->value = value;
}

static fhir_error_t *client_secret_token(const char **token, apr_time_t *expires, void *baton, int once,
                                         const fhir_store_call_t *call)
{
    fhir_store_t *store = baton;
    const fhir_store_config_t *config = store->config;
    apr_pool_t *pool = call->result_pool;
    apr_array_header_t *headers = apr_array_make(pool, 2, sizeof(fhir_http_header_t));
    fhir_http_request_t request = {.method = "POST", .headers = headers};
    const char *body = apr_pstrcat(
        pool, "grant_type=client_credentials&client_id=", azure_escape(config->client_id, pool),
        "&client_secret=", azure_escape(config->client_secret, pool), "&scope=", azure_escape(SCOPE, pool), NULL);
    request.url = apr_pstrcat(pool, config->authority, "/", config->tenant_id, "/oauth2/v2.0/token", NULL);
    request.body = body;
    request.body_length = strlen(body);
    add(headers, "Content-Type", "application/x-www-form-urlencoded");
    add(headers, "Accept", "application/json");
    return ask(token, expires, store, once, &request, call);
}

static fhir_error_t *managed_identity_token(const char **token, apr_time_t *expires, void *baton, int once,
                                            const fhir_store_call_t *call)
{
    fhir_store_t *store = baton;
    const fhir_store_config_t *config = store->config;
    apr_pool_t *pool = call->result_pool;
    apr_array_header_t *headers = apr_array_make(pool, 2, sizeof(fhir_http_header_t));
    fhir_http_request_t request = {.method = "GET", .headers = headers};
    const char *version = config->identity_header ? "2019-08-01" : "2018-02-01";
    request.url =
        apr_pstrcat(pool, config->identity_endpoint, "?api-version=", version,
                    "&resource=", azure_escape(RESOURCE, pool), config->identity_client_id ? "&client_id=" : "",
                    config->identity_client_id ? config->identity_client_id : "", NULL);
    if (config->identity_header) {
        add(headers, "X-IDENTITY-HEADER", config->identity_header);
    } else {
        add(headers, "Metadata", "true");
    }
    return ask(token, expires, store, once, &request, call);
}

fhir_error_t *azure_token_open(fhir_store_t *store, apr_pool_t *pool)
{
    return azure_renewed_create(
        &store->token, store->config->credentials == AZURE_CLIENT_SECRET ? client_secret_token : managed_identity_token,
        store, EARLY, pool);
}
