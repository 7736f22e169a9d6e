/* POST oauth2/token: client credentials -> access token (RFC 6749 section 4.4). Errors have OAuth's own form. */
#include "../base/text.h"
#include "exchange.h"
#include "outcome_map.h"

#include <apr_strings.h>
#include <string.h>

#define FORM_MAX 65536
#define DEFAULT_SCOPE "openid"

typedef struct token_form_t {
    const char *grant_type;
    const char *client_id;
    const char *client_secret;
    const char *scope;
    int by_header;
} token_form_t;

static void add_json(fhir_response_t *response, const char *json)
{
    fhir_response_header(response, "Content-Type", "application/json");
    fhir_response_header(response, "Cache-Control", "no-store");
    fhir_response_header(response, "Pragma", "no-cache");
    fhir_response_bytes(response, json, (apr_off_t)strlen(json));
}

/* RFC 6749 section 5.2. */
static fhir_response_t *oauth_error(fhir_exchange_t *exchange, int status, const char *code, const char *description)
{
    fhir_response_t *response = fhir_response_create(status, exchange->pool);
    fhir_text_t json;
    exchange->audit.outcome = description;
    fhir_text_init(&json, exchange->pool);
    fhir_text_addf(&json, "{\"error\":\"%s\",\"error_description\":", code);
    fhir_text_add_json_string(&json, description);
    fhir_text_add(&json, "}");
    add_json(response, json.text);
    if (status == 401) {
        fhir_response_header(response, "WWW-Authenticate", "Basic realm=\"FHIR\"");
    }
    return response;
}

static fhir_error_t *read_form(const char **form, const fhir_exchange_t *exchange)
{
    fhir_body_t *body = exchange->request->body;
    fhir_text_t text;
    const char *data;
    apr_size_t length;
    fhir_text_init(&text, exchange->pool);
    do {
        FHIR_TRY(body->read(body, &data, &length));
        if (length > FORM_MAX - text.length) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_TOO_LARGE, "The form is too large.");
        }
        fhir_text_add_bytes(&text, data, length);
    } while (length > 0);
    if (memchr(text.text, '\0', text.length)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "The form holds a NUL byte.");
    }
    *form = text.text;
    return NULL;
}

static fhir_error_t *once(const char **value, const apr_array_header_t *parameters, const char *name, apr_pool_t *pool)
{
    *value = fhir_query_get(parameters, name);
    if (fhir_query_count(parameters, name) > 1) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "The parameter %s was sent twice.", name);
    }
    return NULL;
}

static fhir_error_t *parse_form(token_form_t *form, const fhir_exchange_t *exchange)
{
    apr_array_header_t *parameters;
    fhir_credentials_t credentials;
    const char *text = NULL;
    FHIR_TRY(read_form(&text, exchange));
    FHIR_TRY(fhir_query_parse(&parameters, text, exchange->pool));
    FHIR_TRY(once(&form->grant_type, parameters, "grant_type", exchange->pool));
    FHIR_TRY(once(&form->client_id, parameters, "client_id", exchange->pool));
    FHIR_TRY(once(&form->client_secret, parameters, "client_secret", exchange->pool));
    FHIR_TRY(once(&form->scope, parameters, "scope", exchange->pool));
    FHIR_TRY(
        fhir_credentials_parse(&credentials, fhir_request_header(exchange->request, "Authorization"), exchange->pool));
    if (credentials.kind == FHIR_CREDENTIALS_BASIC) {
        form->by_header = 1;
        form->client_id = credentials.user;
        form->client_secret = credentials.password;
    }
    return NULL;
}

/* scope-token of RFC 6749 section 3.3, separated by single blanks. */
static int scope_valid(const char *scope)
{
    const char *at;
    if (strlen(scope) > 4096) {
        return 0;
    }
    for (at = scope; *at; at++) {
        if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\') {
            return 0;
        }
    }
    return 1;
}

static fhir_error_t *sign_token(const char **token, const fhir_exchange_t *exchange, const fhir_client_t *client,
                                const char *scope)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    fhir_token_request_t request = {0};
    const char *private_jwk;
    request.issuer = exchange->settings->base_url;
    request.audience = exchange->settings->fhir_base;
    request.client_id = client->id;
    request.scope = scope;
    request.profile = client->membership.profile;
    request.now = exchange->request->received;
    request.lifetime = exchange->settings->token_lifetime;
    FHIR_TRY(fhir_random_uuid(&request.token_id, exchange->pool));
    FHIR_TRY(fhir_key_ring_token_signer(&private_jwk, exchange->app->keys, &call));
    return fhir_jws_sign(token, fhir_token_payload(&request, exchange->pool), private_jwk, exchange->pool);
}

static fhir_error_t *grant(fhir_response_t **response, const fhir_exchange_t *exchange, const fhir_client_t *client,
                           const char *scope)
{
    const char *token;
    fhir_text_t json;
    FHIR_TRY(sign_token(&token, exchange, client, scope));
    fhir_text_init(&json, exchange->pool);
    fhir_text_addf(&json, "{\"token_type\":\"Bearer\",\"expires_in\":%" APR_INT64_T_FMT ",\"scope\":",
                   (apr_int64_t)apr_time_sec(exchange->settings->token_lifetime));
    fhir_text_add_json_string(&json, scope);
    fhir_text_addf(&json, ",\"access_token\":\"%s\",\"project\":{\"reference\":\"Project/%s\"}", token,
                   client->project_id);
    fhir_text_add(&json, ",\"profile\":{\"reference\":");
    fhir_text_add_json_string(&json, client->membership.profile);
    fhir_text_add(&json, "}}");
    *response = fhir_response_create(200, exchange->pool);
    add_json(*response, json.text);
    return NULL;
}

static fhir_error_t *refuse(fhir_response_t **response, fhir_exchange_t *exchange, const char *code,
                            const char *description)
{
    *response = oauth_error(exchange, 400, code, description);
    return NULL;
}

/* For the audit trail: who wants to be let in. What is no client id may be a secret in the wrong place. */
static void note_client(fhir_exchange_t *exchange, const char *client_id)
{
    if (fhir_is_uuid(client_id)) {
        exchange->principal.key.kind = FHIR_PRINCIPAL_CLIENT;
        exchange->principal.key.issuer = "";
        exchange->principal.key.subject = client_id;
    }
}

static fhir_error_t *grant_to_client(fhir_response_t **response, fhir_exchange_t *exchange, const token_form_t *form)
{
    fhir_client_t client;
    fhir_error_t *error;
    const char *scope = form->scope && *form->scope ? form->scope : DEFAULT_SCOPE;
    if (!form->grant_type) {
        return refuse(response, exchange, "invalid_request", "The parameter grant_type is required.");
    }
    if (strcmp(form->grant_type, "client_credentials") != 0) {
        return refuse(response, exchange, "unsupported_grant_type", "This server grants client_credentials only.");
    }
    if (!form->client_id || !form->client_secret) {
        return refuse(response, exchange, "invalid_request",
                      "Send client_id and client_secret in the form, or as Basic credentials.");
    }
    if (!scope_valid(scope)) {
        return refuse(response, exchange, "invalid_scope", "The scope holds characters that are not allowed.");
    }
    note_client(exchange, form->client_id);
    error = fhir_authenticate_client(&client, exchange, form->client_id, form->client_secret);
    if (error && error->code == FHIR_ERROR_UNAUTHENTICATED) {
        *response = oauth_error(exchange, form->by_header ? 401 : 400, "invalid_client", error->public_text);
        return NULL;
    }
    FHIR_TRY(error);
    exchange->audit.membership = apr_pmemdup(exchange->pool, &client.membership, sizeof(client.membership));
    if (!client.membership.profile) {
        /* The SDK keeps logins apart by their profile: a client without one is its own, as auth/me says too. */
        client.membership.profile = apr_pstrcat(exchange->pool, "ClientApplication/", client.id, NULL);
    }
    return grant(response, exchange, &client, scope);
}

fhir_error_t *fhir_oauth_token(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const char *sent = fhir_request_header(exchange->request, "Content-Type");
    token_form_t form = {0};
    fhir_media_type_t media_type;
    fhir_error_t *error;
    if (!sent || fhir_media_type_parse(&media_type, sent, exchange->pool) ||
        strcmp(media_type.type, "application/x-www-form-urlencoded") != 0) {
        FHIR_TRY(refuse(response, exchange, "invalid_request",
                        "Send the parameters form-encoded: Content-Type "
                        "application/x-www-form-urlencoded."));
        fhir_exchange_leave_body(exchange, *response);
        return NULL;
    }
    error = parse_form(&form, exchange);
    if (error && fhir_error_http_status(error) == 400) {
        return refuse(response, exchange, "invalid_request", error->public_text);
    }
    if (error && error->code == FHIR_ERROR_UNAUTHENTICATED) {
        *response = oauth_error(exchange, 401, "invalid_client", error->public_text);
        return NULL;
    }
    FHIR_TRY(error);
    return grant_to_client(response, exchange, &form);
}
