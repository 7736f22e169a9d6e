/* The security context that a write names. Private to core/app. */
#ifndef FHIR_APP_SECURITY_CONTEXT_H
#define FHIR_APP_SECURITY_CONTEXT_H

#include "../fhir/binary_form.h"
#include "exchange.h"

/* Of X-Security-Context, as it is stored: relative to our FHIR base. INVALID: no reference. UNPROCESSABLE: it can't
 * name a resource of this server (another host, urn:, #x, a Binary). */
fhir_error_t *fhir_context_of_header(const char **context, const char *sent,
                                     const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* The same of Binary.securityContext; *normal is `resource` or a copy whose reference and elements were changed. */
fhir_error_t *fhir_context_of_element(const fhir_binary_resource_t **normal, const fhir_binary_resource_t *resource,
                                      const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* FhirBinaryRequireSecurityContext: UNPROCESSABLE if the write leaves the Binary without one. */
fhir_error_t *fhir_context_required(const fhir_exchange_t *exchange, const char *context) FHIR_MUST_CHECK;

/* Said in answers to writes that leave a Binary without a security context. */
#define FHIR_CONTEXT_WARNING_HEADER "X-Security-Context-Warning"
/* The header, if the Binary that was written has none. */
void fhir_warn_without_context(fhir_response_t *response, const fhir_binary_t *binary);
/* Once for each write: if the Binary has none it is counted and logged. */
void fhir_count_without_context(const fhir_exchange_t *exchange, const fhir_binary_t *binary);

#endif
