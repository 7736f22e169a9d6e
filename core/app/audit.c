/* From an exchange to an audit event. */
#include "audit.h"

#include "audit_writer.h"
#include "exchange.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

/* How long a thread waits whose event finds no room. */
#define WAIT_MOST apr_time_from_sec(5)

/* restful-interaction codes. Routes that are not here tell nothing about anybody's data: metadata, keys, addresses that
 * do not exist. */
static const struct {
    fhir_route_kind_t route;
    fhir_method_t method; /* OTHER: any that is not named before */
    const char *code;
    const char *action;
} codes[] = {
    {FHIR_ROUTE_TYPE, FHIR_METHOD_POST, "create", "C"},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_PUT, "update", "U"},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_PATCH, "patch", "U"},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_DELETE, "delete", "D"},
    {FHIR_ROUTE_TYPE, FHIR_METHOD_OTHER, "search-type", "E"},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_PUT, "update", "U"},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_PATCH, "patch", "U"},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_DELETE, "delete", "D"},
    {FHIR_ROUTE_INSTANCE, FHIR_METHOD_OTHER, "read", "R"},
    {FHIR_ROUTE_VERSION, FHIR_METHOD_OTHER, "vread", "R"},
    {FHIR_ROUTE_HISTORY, FHIR_METHOD_OTHER, "history-instance", "R"},
    {FHIR_ROUTE_PRESIGNED_URL, FHIR_METHOD_OTHER, "operation", "E"},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_PUT, "update", "U"},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_POST, "update", "U"},
    {FHIR_ROUTE_SIGNED, FHIR_METHOD_OTHER, "read", "R"},
    {FHIR_ROUTE_RESOURCE_SEARCH, FHIR_METHOD_OTHER, "search-type", "E"},
    {FHIR_ROUTE_BASE, FHIR_METHOD_OTHER, "batch", "E"},
    {FHIR_ROUTE_AUTH_ME, FHIR_METHOD_OTHER, "operation", "E"},
    {FHIR_ROUTE_TOKEN, FHIR_METHOD_POST, "login", "E"},
};

/* Other resources' routes mean what Binary's mean; so do those of the trail itself. */
static fhir_route_kind_t like_binary(fhir_route_kind_t route)
{
    switch (route) {
    case FHIR_ROUTE_RESOURCE_TYPE:
    case FHIR_ROUTE_AUDIT_TYPE:
        return FHIR_ROUTE_TYPE;
    case FHIR_ROUTE_RESOURCE_INSTANCE:
    case FHIR_ROUTE_AUDIT_INSTANCE:
        return FHIR_ROUTE_INSTANCE;
    case FHIR_ROUTE_RESOURCE_HISTORY:
        return FHIR_ROUTE_HISTORY;
    case FHIR_ROUTE_RESOURCE_VERSION:
        return FHIR_ROUTE_VERSION;
    case FHIR_ROUTE_SEARCH:
    case FHIR_ROUTE_AUDIT_SEARCH:
        return FHIR_ROUTE_RESOURCE_SEARCH;
    default:
        return route;
    }
}

/* 0: no event. */
static int take_interaction(fhir_audit_event_t *event, const fhir_exchange_t *exchange)
{
    fhir_route_kind_t route = like_binary(exchange->route.kind);
    fhir_method_t method = exchange->request->method;
    size_t i;
    if (method == FHIR_METHOD_OPTIONS) {
        return 0;
    }
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].route == route && (codes[i].method == method || codes[i].method == FHIR_METHOD_OTHER)) {
            event->interaction = exchange->audit.code ? exchange->audit.code : codes[i].code;
            event->action = codes[i].action;
            return 1;
        }
    }
    return 0;
}

static void take_agent(fhir_audit_event_t *event, const fhir_exchange_t *exchange)
{
    const fhir_membership_t *membership = exchange->audit.membership;
    const fhir_principal_key_t *key = &exchange->principal.key;
    event->agent_kind = (apr_int64_t)key->kind;
    event->agent_issuer = key->issuer && *key->issuer ? key->issuer : NULL;
    event->agent_subject = key->subject;
    if (exchange->request->operator_project) {
        event->agent_subject = exchange->request->operator_name;
    }
    if (membership) {
        event->project_id = membership->project_id;
        event->membership_id = membership->id;
        event->agent_profile = membership->profile;
    }
    event->address = exchange->request->peer_address;
}

/* Ids are kept only if they are some: others name nothing. */
static void take_entity(fhir_audit_event_t *event, const fhir_exchange_t *exchange)
{
    const fhir_route_t *route = &exchange->route;
    const fhir_audit_note_t *note = &exchange->audit;
    const char *id = note->id ? note->id : route->id;
    const char *version = note->version_id ? note->version_id : route->version_id;
    event->entity_type = route->kind == FHIR_ROUTE_SIGNED ? "Binary" : route->type;
    event->entity_id = id && fhir_id_valid(id) ? id : NULL;
    event->entity_version = event->entity_id && version && fhir_id_valid(version) ? version : NULL;
    event->context = note->context;
    event->detail = note->detail;
    if (note->signed_urls && *note->signed_urls > 0) {
        event->detail =
            apr_psprintf(exchange->pool, "%d signed URL%s issued%s%s", *note->signed_urls,
                         *note->signed_urls > 1 ? "s" : "", note->detail ? "; " : "", note->detail ? note->detail : "");
    }
}

static int is_secret(const char *part, apr_size_t length)
{
    static const char *const words[] = {"signature", "token", "secret", "password"};
    apr_size_t i;
    apr_size_t j;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (j = 0; j + strlen(words[i]) <= length; j++) {
            if (strncasecmp(part + j, words[i], strlen(words[i])) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* Somebody may search for a signed URL, or send a token where it does not belong. */
static const char *without_secrets(const char *query, apr_pool_t *pool)
{
    const char *clean = "";
    const char *at;
    if (!is_secret(query, strlen(query))) {
        return query;
    }
    for (at = query; *at; at += *at == '&') {
        apr_size_t length = strcspn(at, "&");
        apr_size_t name = strcspn(at, "&=");
        int hides = is_secret(at, length);
        clean = apr_psprintf(pool, "%s%s%.*s%s", clean, *clean ? "&" : "", (int)(hides ? name : length), at,
                             hides ? "=-" : "");
        at += length;
    }
    return clean;
}

/* Of searches, and of writes that say which resource they mean. */
static void take_query(fhir_audit_event_t *event, const fhir_exchange_t *exchange)
{
    const char *query = exchange->audit.query ? exchange->audit.query : exchange->request->query;
    if (exchange->route.type && !exchange->route.id && strcmp(event->interaction, "create") != 0) {
        event->query = query ? without_secrets(query, exchange->pool) : "";
    }
}

static apr_int64_t outcome_of(int status)
{
    return status < 400 ? 0 : status < 500 ? 4 : status == 503 ? 12 : 8;
}

/* 0: no event. Texts live as long as the exchange's. */
static int make_event(fhir_audit_event_t *event, const fhir_exchange_t *exchange, int status, const fhir_error_t *error)
{
    memset(event, 0, sizeof(*event));
    if (!take_interaction(event, exchange)) {
        return 0;
    }
    take_agent(event, exchange);
    take_entity(event, exchange);
    take_query(event, exchange);
    event->source = fhir_audit_source(exchange->app->audit);
    event->request_id = exchange->request->request_id;
    event->status = status;
    event->outcome = outcome_of(status);
    event->outcome_text = error ? error->public_text : exchange->audit.outcome;
    event->flags = exchange->route.kind == FHIR_ROUTE_SIGNED ? FHIR_AUDIT_SIGNED_URL : 0;
    return 1;
}

void fhir_audit_answered(fhir_response_t *response, const fhir_exchange_t *exchange)
{
    fhir_audit_event_t *event = apr_palloc(exchange->pool, sizeof(*event));
    if (make_event(event, exchange, response->status, response->error)) {
        response->audit = event;
    }
}

void fhir_audit_entry(const fhir_exchange_t *exchange, int status, const fhir_error_t *error)
{
    fhir_audit_event_t event;
    if (make_event(&event, exchange, status, error)) {
        event.flags |= FHIR_AUDIT_ENTRY;
        event.recorded = apr_time_now();
        fhir_audit_add(exchange->app->audit, &event, event.recorded + WAIT_MOST, exchange->pool);
    }
}

void fhir_app_finished(fhir_app_t *app, const fhir_response_t *response, const fhir_delivery_t *delivery)
{
    fhir_audit_event_t event;
    if (!response->audit) {
        return;
    }
    event = *response->audit;
    event.recorded = apr_time_now();
    event.bytes_sent = delivery->bytes_sent;
    if (delivery->status && delivery->status != event.status) {
        event.status = delivery->status;
        event.outcome = outcome_of(delivery->status);
    }
    if (!delivery->complete) {
        event.flags |= FHIR_AUDIT_ABORTED;
        event.outcome = event.outcome ? event.outcome : 4;
        event.outcome_text = event.outcome_text ? event.outcome_text : "The transfer was not completed.";
    }
    fhir_audit_add(app->audit, &event, event.recorded + WAIT_MOST, response->pool);
}
