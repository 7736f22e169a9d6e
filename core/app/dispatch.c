/* Request -> response: route, method, interaction, errors, CORS, counters. */
#include "cors.h"
#include "exchange.h"
#include "outcome_map.h"

#include <apr_strings.h>
#include <string.h>

/* Which interaction a method means on a route. */
typedef struct rule_t {
    fhir_route_kind_t route;
    fhir_method_t method;
    fhir_interaction_fn interact;
} rule_t;

static const rule_t rules[] = {
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_GET, fhir_binary_read},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_HEAD, fhir_binary_read},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_PUT, fhir_binary_update},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_DELETE, fhir_binary_delete},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_GET, fhir_signed_read},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_HEAD, fhir_signed_read},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_PUT, fhir_signed_upload},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_POST, fhir_signed_complete},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_GET, fhir_binary_search},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_HEAD, fhir_binary_search},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_POST, fhir_binary_create},
    {FHIR_ROUTE_SEARCH, FHIR_METHOD_POST, fhir_binary_search},
    {FHIR_ROUTE_SEARCH, FHIR_METHOD_GET, fhir_binary_search},
    {FHIR_ROUTE_SEARCH, FHIR_METHOD_HEAD, fhir_binary_search},
    {FHIR_ROUTE_VERSION, FHIR_METHOD_GET, fhir_binary_vread},
    {FHIR_ROUTE_VERSION, FHIR_METHOD_HEAD, fhir_binary_vread},
    {FHIR_ROUTE_HISTORY, FHIR_METHOD_GET, fhir_binary_history},
    {FHIR_ROUTE_HISTORY, FHIR_METHOD_HEAD, fhir_binary_history},
    {FHIR_ROUTE_PRESIGNED_URL, FHIR_METHOD_GET, fhir_presigned_url},
    {FHIR_ROUTE_PRESIGNED_URL, FHIR_METHOD_HEAD, fhir_presigned_url},
    {FHIR_ROUTE_PRESIGNED_URL, FHIR_METHOD_POST, fhir_presigned_url},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_GET, fhir_resource_read},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_HEAD, fhir_resource_read},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_PUT, fhir_resource_update},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_PATCH, fhir_resource_patch},
    {FHIR_ROUTE_RESOURCE_INSTANCE, FHIR_METHOD_DELETE, fhir_resource_delete},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_GET, fhir_resource_search},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_HEAD, fhir_resource_search},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_POST, fhir_resource_create},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_PUT, fhir_resource_conditional_update},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_PATCH, fhir_resource_conditional_patch},
    {FHIR_ROUTE_RESOURCE_TYPE, FHIR_METHOD_DELETE, fhir_resource_conditional_delete},
    {FHIR_ROUTE_RESOURCE_SEARCH, FHIR_METHOD_POST, fhir_resource_search},
    {FHIR_ROUTE_RESOURCE_SEARCH, FHIR_METHOD_GET, fhir_resource_search},
    {FHIR_ROUTE_RESOURCE_SEARCH, FHIR_METHOD_HEAD, fhir_resource_search},
    {FHIR_ROUTE_RESOURCE_VERSION, FHIR_METHOD_GET, fhir_resource_vread},
    {FHIR_ROUTE_RESOURCE_VERSION, FHIR_METHOD_HEAD, fhir_resource_vread},
    {FHIR_ROUTE_RESOURCE_HISTORY, FHIR_METHOD_GET, fhir_resource_history},
    {FHIR_ROUTE_RESOURCE_HISTORY, FHIR_METHOD_HEAD, fhir_resource_history},
    {FHIR_ROUTE_AUDIT_TYPE, FHIR_METHOD_GET, fhir_audit_event_search},
    {FHIR_ROUTE_AUDIT_TYPE, FHIR_METHOD_HEAD, fhir_audit_event_search},
    {FHIR_ROUTE_AUDIT_SEARCH, FHIR_METHOD_POST, fhir_audit_event_search},
    {FHIR_ROUTE_AUDIT_SEARCH, FHIR_METHOD_GET, fhir_audit_event_search},
    {FHIR_ROUTE_AUDIT_SEARCH, FHIR_METHOD_HEAD, fhir_audit_event_search},
    {FHIR_ROUTE_AUDIT_INSTANCE, FHIR_METHOD_GET, fhir_audit_event_read},
    {FHIR_ROUTE_AUDIT_INSTANCE, FHIR_METHOD_HEAD, fhir_audit_event_read},
    {FHIR_ROUTE_BASE, FHIR_METHOD_POST, fhir_bundle},
    {FHIR_ROUTE_AUTH_ME, FHIR_METHOD_GET, fhir_auth_me},
    {FHIR_ROUTE_METADATA, FHIR_METHOD_GET, fhir_metadata},
    {FHIR_ROUTE_METADATA, FHIR_METHOD_HEAD, fhir_metadata},
    {FHIR_ROUTE_TOKEN, FHIR_METHOD_POST, fhir_oauth_token},
    {FHIR_ROUTE_JWKS, FHIR_METHOD_GET, fhir_jwks},
    {FHIR_ROUTE_JWKS, FHIR_METHOD_HEAD, fhir_jwks},
    {FHIR_ROUTE_SMART_CONFIGURATION, FHIR_METHOD_GET, fhir_smart_configuration},
    {FHIR_ROUTE_SMART_CONFIGURATION, FHIR_METHOD_HEAD, fhir_smart_configuration},
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static const char *const method_names[] = {"", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

static const char *allowed_methods(fhir_route_kind_t route, apr_pool_t *pool)
{
    const char *allow = "OPTIONS";
    size_t i;
    for (i = 0; i < RULE_COUNT; i++) {
        if (rules[i].route == route) {
            allow = apr_pstrcat(pool, allow, ", ", method_names[rules[i].method], NULL);
        }
    }
    return allow;
}

static fhir_interaction_fn find_interaction(const fhir_exchange_t *exchange)
{
    size_t i;
    for (i = 0; i < RULE_COUNT; i++) {
        if (rules[i].route == exchange->route.kind && rules[i].method == exchange->request->method) {
            return rules[i].interact;
        }
    }
    return NULL;
}

/* What FHIR knows under Binary and this server does not do: people look for it, so they are told the way round. */
static const char *way_round(const fhir_exchange_t *exchange)
{
    fhir_method_t method = exchange->request->method;
    if (exchange->route.kind == FHIR_ROUTE_AUDIT_TYPE || exchange->route.kind == FHIR_ROUTE_AUDIT_INSTANCE) {
        return " The audit trail is written by the server alone.";
    }
    if (exchange->route.kind == FHIR_ROUTE_BASE) {
        return " Search within a type, such as Patient?name=Simpson; POST takes batch and transaction Bundles.";
    }
    if (exchange->route.kind != FHIR_ROUTE_TYPE && exchange->route.kind != FHIR_ROUTE_INSTANCE) {
        return "";
    }
    if (!exchange->route.id) {
        return " Conditional update and delete do not exist for Binary: write Binary/[id] with If-Match.";
    }
    return method == FHIR_METHOD_PATCH ? " Change metadata by PUT of the Binary resource without data." : "";
}

static fhir_error_t *method_not_allowed(fhir_exchange_t *exchange)
{
    /* Whether there is something to allow is told to nobody who is not known. */
    if (exchange->route.kind >= FHIR_ROUTE_TYPE && exchange->route.kind != FHIR_ROUTE_SIGNED) {
        FHIR_TRY(fhir_authenticate(exchange));
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_METHOD_NOT_ALLOWED, "%s is not supported here. Use %s.%s",
                             exchange->request->method ? exchange->request->method_name : "This method",
                             allowed_methods(exchange->route.kind, exchange->pool), way_round(exchange));
}

static fhir_error_t *options(fhir_response_t **response, const fhir_exchange_t *exchange)
{
    *response = fhir_response_create(204, exchange->pool);
    (*response)->content_length = -1;
    fhir_response_header(*response, "Allow", allowed_methods(exchange->route.kind, exchange->pool));
    return NULL;
}

static fhir_error_t *interact(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_request_t *request = exchange->request;
    fhir_interaction_fn interaction;
    if (exchange->route.kind == FHIR_ROUTE_UNKNOWN) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_NOT_FOUND,
                                 "There is nothing at this address. See the CapabilityStatement at %smetadata.",
                                 exchange->settings->fhir_base);
    }
    FHIR_TRY(fhir_query_parse(&exchange->query, request->query, exchange->pool));
    if (request->method == FHIR_METHOD_OPTIONS) {
        return options(response, exchange);
    }
    interaction = find_interaction(exchange);
    return interaction ? interaction(response, exchange) : method_not_allowed(exchange);
}

/* Errors come in the format of the request, as far as that can be found out. */
static fhir_format_t error_format(const fhir_settings_t *settings, const fhir_request_t *request,
                                  const apr_array_header_t *query)
{
    fhir_format_t format = FHIR_FORMAT_JSON;
    (void)settings;
    if (fhir_negotiate_resource(&format, fhir_request_header(request, "Accept"),
                                query ? fhir_query_get(query, "_format") : NULL, request->pool)) {
        return FHIR_FORMAT_JSON;
    }
    return format == FHIR_FORMAT_XML ? FHIR_FORMAT_XML : FHIR_FORMAT_JSON;
}

static fhir_response_t *failure(fhir_exchange_t *exchange, const fhir_error_t *error)
{
    fhir_request_t *request = exchange->request;
    fhir_response_t *response =
        fhir_error_response(error, error_format(exchange->settings, request, exchange->query), exchange->pool);
    if (response->status == 405) {
        fhir_response_header(response, "Allow", allowed_methods(exchange->route.kind, exchange->pool));
    }
    fhir_exchange_leave_body(exchange, response);
    return response;
}

static void count(fhir_app_t *app, int status)
{
    atomic_fetch_add_explicit(&app->requests, 1, memory_order_relaxed);
    if (status >= 500) {
        atomic_fetch_add_explicit(&app->failed, 1, memory_order_relaxed);
    } else if (status >= 400) {
        atomic_fetch_add_explicit(&app->refused, 1, memory_order_relaxed);
    }
}

static fhir_response_t *respond(fhir_exchange_t *exchange)
{
    fhir_response_t *response = NULL;
    fhir_error_t *error;
    if (fhir_cors_preflight(exchange->request)) {
        return fhir_cors_preflight_response(exchange->settings, exchange->request);
    }
    error = interact(&response, exchange);
    if (error) {
        response = failure(exchange, error);
    }
    fhir_cors_headers(response, exchange->settings, exchange->request);
    return response;
}

/* What a Bundle may ask for: nothing that issues tokens, and no Bundle in a Bundle. */
static int entry_allowed(fhir_route_kind_t route)
{
    return route == FHIR_ROUTE_METADATA || route == FHIR_ROUTE_UNKNOWN ||
           (route >= FHIR_ROUTE_TYPE && route != FHIR_ROUTE_SIGNED && route != FHIR_ROUTE_AUTH_ME &&
            route != FHIR_ROUTE_BASE);
}

fhir_response_t *fhir_answer_entry(const fhir_exchange_t *outer, fhir_request_t *request)
{
    fhir_exchange_t exchange = {0};
    fhir_response_t *response = NULL;
    fhir_error_t *error;
    fhir_exchange_for_entry(&exchange, outer, request);
    if (!entry_allowed(exchange.route.kind)) {
        return failure(&exchange, fhir_error_public(request->pool, FHIR_ERROR_INVALID,
                                                    "A Bundle entry can't ask for this address."));
    }
    error = interact(&response, &exchange);
    if (error) {
        response = failure(&exchange, error);
    }
    fhir_audit_entry(&exchange, response->status, response->error);
    return response;
}

/* FHIR R4 http.html#custom: the id is ours, because logs go by it; the client's own comes back beside it. */
static void add_request_ids(fhir_response_t *response, const fhir_request_t *request)
{
    static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~:/+=@";
    const char *sent = fhir_request_header(request, "X-Request-Id");
    if (request->request_id) {
        fhir_response_header(response, "X-Request-Id", request->request_id);
    }
    if (sent && *sent && strlen(sent) <= 128 && strspn(sent, plain) == strlen(sent)) {
        fhir_response_header(response, "X-Correlation-Id", sent);
    }
}

fhir_response_t *fhir_app_handle(fhir_app_t *app, fhir_request_t *request)
{
    fhir_exchange_t exchange = {0};
    const char *medplum = fhir_request_header(request, "X-Medplum");
    fhir_response_t *response;
    exchange.app = app;
    exchange.settings = app->settings;
    exchange.request = request;
    exchange.pool = request->pool;
    exchange.medplum = medplum && strcmp(medplum, "extended") == 0;
    exchange.query = apr_array_make(request->pool, 0, sizeof(fhir_parameter_t));
    exchange.audit.signed_urls = apr_pcalloc(request->pool, sizeof(int));
    fhir_route(&exchange.route, app->settings, request->path, request->pool);
    response = respond(&exchange);
    add_request_ids(response, request);
    fhir_audit_answered(response, &exchange);
    count(app, response->status);
    return response;
}

fhir_response_t *fhir_app_server_error(const fhir_settings_t *settings, const fhir_request_t *request, int status)
{
    fhir_response_t *response = fhir_status_response(status, error_format(settings, request, NULL), request->pool);
    fhir_cors_headers(response, settings, request);
    return response;
}
