/* Issuing signed URLs. Private to core/app. */
#ifndef FHIR_APP_PRESIGN_H
#define FHIR_APP_PRESIGN_H

#include "exchange.h"

/* Signs many read URLs with one key and one expiry. */
typedef struct fhir_presigner_t {
    const fhir_exchange_t *exchange;
    const char *membership_id;
    apr_time_t expires;
    fhir_url_key_t key;
} fhir_presigner_t;
fhir_error_t *fhir_presigner_init(fhir_presigner_t *presigner, const fhir_exchange_t *exchange,
                                  const char *membership_id) FHIR_MUST_CHECK;
const char *fhir_presigner_read_url(const fhir_presigner_t *presigner, const fhir_binary_t *binary);

/* For POST: completes the upload of that version, which went to the store directly. */
const char *fhir_presigner_complete_url(const fhir_presigner_t *presigner, const char *binary_id,
                                        const char *version_id);

/* A URL that reads this version's bytes; equal within the rounding window. */
fhir_error_t *fhir_presign_read_url(const char **url, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                                    const char *membership_id) FHIR_MUST_CHECK;
/* A URL that makes one new version, whose id it already names. */
fhir_error_t *fhir_presign_upload_url(const char **url, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                                      const char *membership_id) FHIR_MUST_CHECK;

#endif
