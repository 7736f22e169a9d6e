/* The one table from error codes to HTTP statuses and OperationOutcome issue types. */
#ifndef FHIR_APP_OUTCOME_MAP_H
#define FHIR_APP_OUTCOME_MAP_H

#include "../http/media_type.h"
#include "../http/response.h"

int fhir_error_http_status(const fhir_error_t *error);
/* Code of FHIR R4 value set issue-type. */
const char *fhir_error_issue_type(const fhir_error_t *error);
/* The whole answer: OperationOutcome, WWW-Authenticate, Retry-After. */
fhir_response_t *fhir_error_response(const fhir_error_t *error, fhir_format_t format, apr_pool_t *pool);
/* The same for a status that the server raised by itself. */
fhir_response_t *fhir_status_response(int status, fhir_format_t format, apr_pool_t *pool);
/* An informational OperationOutcome as a success body. */
void fhir_response_information(fhir_response_t *response, fhir_format_t format, const char *text);

#endif
