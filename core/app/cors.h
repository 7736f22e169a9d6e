/* Cross-origin requests of browsers (Fetch Standard, section 3.2). Private to core/app. */
#ifndef FHIR_APP_CORS_H
#define FHIR_APP_CORS_H

#include "../config/settings.h"
#include "../http/request.h"
#include "../http/response.h"

/* 1 if this is a preflight: OPTIONS with Origin and Access-Control-Request-Method. */
int fhir_cors_preflight(const fhir_request_t *request);
/* The preflight's answer; without allowing headers if the origin is not listed. */
fhir_response_t *fhir_cors_preflight_response(const fhir_settings_t *settings, const fhir_request_t *request);
/* Adds what lets a listed origin read the answer. */
void fhir_cors_headers(fhir_response_t *response, const fhir_settings_t *settings, const fhir_request_t *request);

#endif
