/* Stored bytes as an answer: whole or in ranges, with the headers that make them safe in a browser. */
#ifndef FHIR_APP_CONTENT_RESPONSE_H
#define FHIR_APP_CONTENT_RESPONSE_H

#include "exchange.h"

/* The raw form of a version that has content. GET and HEAD; Range and If-Range of the request are honoured on GET.
 * Cache-Control is left to the caller. */
fhir_error_t *fhir_content_response(fhir_response_t **response, const fhir_exchange_t *exchange,
                                    const fhir_binary_t *binary) FHIR_MUST_CHECK;
/* 304 with the validators or the error for 412, if the request's conditions say so; else *response stays NULL. */
fhir_error_t *fhir_not_modified_response(fhir_response_t **response, const fhir_exchange_t *exchange,
                                         const fhir_binary_t *binary, int strong) FHIR_MUST_CHECK;
/* Does the site let browsers show this type, instead of saving it? */
int fhir_displayed_inline(const fhir_exchange_t *exchange, const char *content_type);
/* ETag (strong or weak) and Last-Modified. */
void fhir_validators(fhir_response_t *response, const fhir_binary_t *binary, int strong);

#endif
