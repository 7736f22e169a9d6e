/* The content handler: request in, application, response out. */
#include "glue.h"

#define RETRY_AFTER "10"

/* This child could not open its stores: say so to every client. */
static fhir_response_t *unavailable(const fhir_settings_t *settings, const fhir_request_t *request)
{
    fhir_response_t *response = fhir_app_server_error(settings, request, HTTP_SERVICE_UNAVAILABLE);
    apr_table_setn(response->headers, "Retry-After", RETRY_AFTER);
    return response;
}

int fhir_httpd_handler(request_rec *r)
{
    const fhir_settings_t *settings;
    fhir_app_t *app;
    fhir_request_t *request;
    fhir_response_t *response;
    if (!fhir_httpd_record(r) || !r->handler || strcmp(r->handler, FHIR_HANDLER_NAME)) {
        return DECLINED;
    }
    settings = fhir_httpd_server(r->server)->settings;
    app = fhir_httpd_app(r->server);
    request = fhir_httpd_request(r, settings);
    response = app ? fhir_app_handle(app, request) : unavailable(settings, request);
    fhir_httpd_audit_begin(r, app, response);
    return fhir_httpd_respond(r, request, response);
}
