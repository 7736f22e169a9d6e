/* Request bodies that are JSON documents, read into memory within the limits. Private to core/app. */
#ifndef FHIR_APP_RESOURCE_BODY_H
#define FHIR_APP_RESOURCE_BODY_H

#include "../fhir/json_document.h"
#include "exchange.h"

typedef enum fhir_body_kind_t {
    FHIR_BODY_RESOURCE = 1, /* application/fhir+json, application/json */
    FHIR_BODY_PATCH,        /* application/json-patch+json */
    FHIR_BODY_FORM          /* application/x-www-form-urlencoded */
} fhir_body_kind_t;

/* What can be refused without the body: UNSUPPORTED_MEDIA_TYPE, TOO_LARGE, INVALID (Content-Encoding, digests). */
fhir_error_t *fhir_body_check(const fhir_exchange_t *exchange, fhir_body_kind_t kind) FHIR_MUST_CHECK;
/* The body's text, content codings decoded, digests of the client verified. At most max_bundle_size bytes. */
fhir_error_t *fhir_body_text(const char **text, apr_size_t *length, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* fhir_body_text, parsed. */
fhir_error_t *fhir_body_document(const fhir_json_document_t **document,
                                 const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* Of POST _search: adds what the form says to `parameters` (of fhir_parameter_t). */
fhir_error_t *fhir_form_parameters(apr_array_header_t *parameters, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;

#endif
