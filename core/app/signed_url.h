/* Signed URLs in use: what reading, uploading and completing an upload have in common. Private to core/app. */
#ifndef FHIR_APP_SIGNED_URL_H
#define FHIR_APP_SIGNED_URL_H

#include "exchange.h"

/* A URL that was verified, and what it leads to. */
typedef struct fhir_signed_t {
    fhir_presign_t presign;
    fhir_signed_facts_t facts;
    const char *content_type; /* of the version to be; NULL: the Binary's */
} fhir_signed_t;

/* Signature and expiry of the request's address, for this method. */
fhir_error_t *fhir_signed_verify(fhir_signed_t *url, const fhir_exchange_t *exchange,
                                 const char *method) FHIR_MUST_CHECK;
/* Everything that may have changed since a URL that writes was issued: key, membership, the Binary, the issuer's rights
 * to it. FORBIDDEN, GONE, NOT_FOUND. */
fhir_error_t *fhir_signed_load_upload(fhir_signed_t *url, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* These bytes become the version that the URL names, if nothing has changed since fhir_signed_load_upload; else that is
 * asked again. EXISTS: the version is there already. */
fhir_error_t *fhir_signed_commit(const fhir_binary_t **binary, fhir_exchange_t *exchange, fhir_signed_t *url,
                                 const fhir_content_t *content) FHIR_MUST_CHECK;
/* That version was surely not made, and its bytes may go. */
int fhir_signed_surely_refused(const fhir_error_t *error);
/* The answer: 200, or 200 without a body if the client prefers. */
fhir_error_t *fhir_signed_written(fhir_response_t **response, const fhir_exchange_t *exchange,
                                  const fhir_binary_t *binary) FHIR_MUST_CHECK;

#endif
