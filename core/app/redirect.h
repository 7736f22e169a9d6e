/* Redirect mode: who holds a signed read URL is sent to the store itself. Private to core/app. */
#ifndef FHIR_APP_REDIRECT_H
#define FHIR_APP_REDIRECT_H

#include "exchange.h"

/* The longest that a store's own URL lives: what S3 allows. */
#define FHIR_REDIRECT_LIFETIME_MAX apr_time_from_sec(7 * 24 * 3600)

/* 307 to a URL of the store that ends no later than `expires`, after everything was asked that a read asks. NULL: the
 * content comes from here, because the site wants it so, the store can't do it as safely, or it gives no URL now. */
fhir_response_t *fhir_redirect_read(fhir_exchange_t *exchange, const fhir_binary_t *version, apr_time_t expires);

/* A URL of the store, asked for without waiting long. */
fhir_error_t *fhir_redirect_presign(fhir_store_presigned_t *presigned, const fhir_exchange_t *exchange,
                                    fhir_open_store_t *store,
                                    const fhir_store_presign_request_t *request) FHIR_MUST_CHECK;
/* No URL is no failure: somebody else does it. Known reasons are not worth a warning. */
void fhir_redirect_log(const fhir_exchange_t *exchange, const fhir_error_t *error);

#endif
