/* A Binary in its resource form as an answer; the base64 text is streamed. */
#ifndef FHIR_APP_FORM_RESPONSE_H
#define FHIR_APP_FORM_RESPONSE_H

#include "exchange.h"

/* What a read answers: data unless it is too large, unwanted (_summary, _elements) or the caller is the Medplum SDK. */
fhir_error_t *fhir_form_read(fhir_response_t **response, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                             fhir_format_t format) FHIR_MUST_CHECK;
/* What a write answers, by the Prefer header; `url` is added for Medplum callers. */
fhir_error_t *fhir_form_written(fhir_response_t **response, const fhir_exchange_t *exchange,
                                const fhir_binary_t *binary, const fhir_membership_t *membership,
                                int status) FHIR_MUST_CHECK;
/* What a delete answers: 204, or 200 with an OperationOutcome to callers that ask for one and to the Medplum SDK, whose
 * users look at it. version_id NULL: nothing was there to delete. */
fhir_response_t *fhir_deleted(const fhir_exchange_t *exchange, const char *version_id);

#endif
