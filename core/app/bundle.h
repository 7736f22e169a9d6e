/* Bundles that are sent to the FHIR base (FHIR R4 http.html#transaction). Private to core/app. */
#ifndef FHIR_APP_BUNDLE_H
#define FHIR_APP_BUNDLE_H

#include "../fhir/json_document.h"
#include "exchange.h"

/* So many times the time of one request may all entries take together. */
#define FHIR_BUNDLE_REQUESTS 10

typedef struct fhir_bundle_t {
    fhir_exchange_t *exchange;
    const fhir_membership_t *membership;
    const fhir_json_document_t *document;
    int entries; /* its node, -1: there are none */
    int count;
} fhir_bundle_t;

/* bundle_batch.c: each entry by itself. */
fhir_error_t *fhir_bundle_batch(fhir_response_t **response, const fhir_bundle_t *bundle) FHIR_MUST_CHECK;
/* bundle_transaction.c: all or nothing. */
fhir_error_t *fhir_bundle_transaction(fhir_response_t **response, const fhir_bundle_t *bundle) FHIR_MUST_CHECK;

#endif
