/* Resources other than Binary as answers. Private to core/app. */
#ifndef FHIR_APP_RESOURCE_ANSWER_H
#define FHIR_APP_RESOURCE_ANSWER_H

#include "../meta/resources.h"
#include "exchange.h"

/* Refuses clients that take no JSON. */
fhir_error_t *fhir_resource_negotiate(const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* _summary and _elements of the query. */
fhir_error_t *fhir_view_of_query(fhir_view_t *view, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;

/* ETag and Last-Modified of a resource. */
void fhir_resource_validators(fhir_response_t *response, const fhir_resource_t *resource);
/* A JSON answer. The text lives as long as the exchange's pool. */
fhir_response_t *fhir_json_answer(const fhir_exchange_t *exchange, int status, const fhir_text_t *json);

/* What a read answers; 304 where the client has it. `current`: what policies look at, see fhir_hide_elements. */
fhir_error_t *fhir_resource_answer_read(fhir_response_t **response, const fhir_exchange_t *exchange,
                                        const fhir_membership_t *membership, const fhir_resource_t *resource,
                                        const fhir_subject_t *current) FHIR_MUST_CHECK;
/* What a write answers, by the Prefer header. Never fails once the resource is stored: at worst without a body. */
fhir_error_t *fhir_resource_answer_written(fhir_response_t **response, const fhir_exchange_t *exchange,
                                           const fhir_membership_t *membership, const fhir_resource_t *resource,
                                           int status) FHIR_MUST_CHECK;

#endif
