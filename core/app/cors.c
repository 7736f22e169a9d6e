/* Cross-origin requests of browsers: origins come from the configuration, nothing is allowed by default. */
#include "cors.h"

#include <string.h>

#define ALLOW_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#define ALLOW_HEADERS                                                                                                  \
    "Authorization, Content-Type, Accept, Cache-Control, Content-Disposition, Content-Encoding, Content-MD5, Digest, " \
    "Repr-Digest, X-Medplum, X-Security-Context, If-None-Exist, If-Match, If-None-Match, If-Modified-Since, "          \
    "If-Unmodified-Since, If-Range, "                                                                                  \
    "Prefer, Range, X-Request-Id"
#define EXPOSE_HEADERS                                                                                                 \
    "Location, Content-Location, ETag, Last-Modified, Content-Length, Content-Range, Accept-Ranges, "                  \
    "Content-Disposition, Repr-Digest, X-Security-Context, X-Security-Context-Warning, Retry-After, "                  \
    "WWW-Authenticate, "                                                                                               \
    "X-Request-Id, "                                                                                                   \
    "X-Correlation-Id"
#define MAX_AGE "600"

/* The origin to name, "*" for any, NULL if not allowed. */
static const char *allowed_origin(const fhir_settings_t *settings, const char *origin)
{
    int i;
    for (i = 0; i < settings->cors_origins->nelts; i++) {
        const char *listed = APR_ARRAY_IDX(settings->cors_origins, i, const char *);
        if (strcmp(listed, "*") == 0 || strcmp(listed, origin) == 0) {
            return listed;
        }
    }
    return NULL;
}

/* 1 if the origin is allowed. "*" never goes with credentials: ambient ones (Kerberos) must not leak to any site. */
static int add_origin(fhir_response_t *response, const fhir_settings_t *settings, const fhir_request_t *request)
{
    const char *origin = fhir_request_header(request, "Origin");
    const char *allowed = origin ? allowed_origin(settings, origin) : NULL;
    if (settings->cors_origins->nelts > 0) {
        apr_table_mergen(response->headers, "Vary", "Origin");
    }
    if (!allowed) {
        return 0;
    }
    fhir_response_header(response, "Access-Control-Allow-Origin", allowed);
    if (strcmp(allowed, "*") != 0) {
        fhir_response_header(response, "Access-Control-Allow-Credentials", "true");
    }
    return 1;
}

int fhir_cors_preflight(const fhir_request_t *request)
{
    return request->method == FHIR_METHOD_OPTIONS && fhir_request_header(request, "Origin") &&
           fhir_request_header(request, "Access-Control-Request-Method");
}

fhir_response_t *fhir_cors_preflight_response(const fhir_settings_t *settings, const fhir_request_t *request)
{
    fhir_response_t *response = fhir_response_create(204, request->pool);
    response->content_length = -1;
    if (add_origin(response, settings, request)) {
        fhir_response_header(response, "Access-Control-Allow-Methods", ALLOW_METHODS);
        fhir_response_header(response, "Access-Control-Allow-Headers", ALLOW_HEADERS);
        fhir_response_header(response, "Access-Control-Max-Age", MAX_AGE);
    }
    return response;
}

void fhir_cors_headers(fhir_response_t *response, const fhir_settings_t *settings, const fhir_request_t *request)
{
    if (add_origin(response, settings, request)) {
        fhir_response_header(response, "Access-Control-Expose-Headers", EXPOSE_HEADERS);
    }
}
