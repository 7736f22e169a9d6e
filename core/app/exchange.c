/* What every interaction needs: deadlines, the unread body, the format of resource answers. */
#include "exchange.h"

#include <string.h>

/* An unread rest of at most so many bytes is drained by the server: cheaper than a new connection. */
#define DRAIN_AT_MOST 65536

static fhir_call_t call_until(const fhir_exchange_t *exchange, apr_time_t deadline)
{
    fhir_call_t call = {0};
    call.pool = exchange->pool;
    call.deadline = deadline;
    call.request_id = exchange->request->request_id;
    call.log = exchange->app->log;
    call.cancelled = exchange->request->cancelled;
    call.cancelled_baton = exchange->request->cancelled_baton;
    return call;
}

fhir_call_t fhir_exchange_call(const fhir_exchange_t *exchange)
{
    return call_until(exchange, exchange->request->deadline);
}

fhir_call_t fhir_exchange_call_after_body(const fhir_exchange_t *exchange)
{
    return call_until(exchange, apr_time_now() + exchange->settings->request_timeout);
}

void fhir_exchange_for_entry(fhir_exchange_t *exchange, const fhir_exchange_t *outer, fhir_request_t *request)
{
    memset(exchange, 0, sizeof(*exchange));
    exchange->app = outer->app;
    exchange->settings = outer->settings;
    exchange->request = request;
    exchange->pool = request->pool;
    exchange->principal = outer->principal;
    exchange->medplum = outer->medplum;
    exchange->in_bundle = 1;
    exchange->query = apr_array_make(request->pool, 0, sizeof(fhir_parameter_t));
    exchange->audit.signed_urls = apr_pcalloc(request->pool, sizeof(int));
    fhir_route(&exchange->route, outer->settings, request->path, request->pool);
}

void fhir_exchange_leave_body(const fhir_exchange_t *exchange, fhir_response_t *response)
{
    apr_off_t length = exchange->request->body->length;
    if (length < 0 || length > DRAIN_AT_MOST) {
        response->close_connection = 1;
    }
}

fhir_addresses_t fhir_exchange_addresses(const fhir_exchange_t *exchange)
{
    fhir_addresses_t addresses;
    addresses.fhir_base = exchange->settings->fhir_base;
    addresses.storage_base_url = exchange->settings->storage_base_url;
    return addresses;
}

fhir_error_t *fhir_exchange_resource_format(fhir_format_t *format, const fhir_exchange_t *exchange)
{
    if (exchange->in_bundle) {
        *format = FHIR_FORMAT_JSON; /* as the Bundle around it, whatever the entry's url says */
        return NULL;
    }
    return fhir_negotiate_resource(format, fhir_request_header(exchange->request, "Accept"),
                                   fhir_query_get(exchange->query, "_format"), exchange->pool);
}

void fhir_exchange_note_written(fhir_exchange_t *exchange, const char *id, const char *version_id, const char *context)
{
    exchange->audit.id = id;
    exchange->audit.version_id = version_id;
    exchange->audit.context = context;
}
