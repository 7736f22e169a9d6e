/* What a Bundle answers for one of its entries (FHIR R4 bundle.html#batch-response). Private to core/app. */
#ifndef FHIR_APP_BUNDLE_ANSWER_H
#define FHIR_APP_BUNDLE_ANSWER_H

#include "bundle_entry.h"
#include "bundle_text.h"

/* More text than this is not given: entries then have an outcome, or no resource. */
#define FHIR_BUNDLE_ANSWER_MAX ((apr_size_t)64 * 1024 * 1024)

typedef struct fhir_entry_answer_t {
    int status;
    const char *full_url;     /* NULL: none */
    const char *location;     /* NULL: none */
    const char *etag;         /* NULL: none */
    apr_time_t last_modified; /* 0: none */
    const char *resource;     /* JSON, NULL: none */
    apr_size_t resource_length;
    const char *outcome; /* an OperationOutcome, NULL: none */
} fhir_entry_answer_t;

/* From the answer to the entry's request. What can't stand in a Bundle becomes an error. */
void fhir_entry_answer_response(fhir_entry_answer_t *answer, const fhir_response_t *response,
                                const fhir_request_t *request, const fhir_exchange_t *outer);
void fhir_entry_answer_error(fhir_entry_answer_t *answer, const fhir_error_t *error, apr_pool_t *pool);
/* An answer that would be too long loses its resource: a write is told to be done, a read to be too large. */
void fhir_entry_answer_add(fhir_bundle_text_t *bundle, const fhir_entry_answer_t *answer, int written,
                           apr_pool_t *pool);

/* Asks for the entry as a request of its own and adds its answer; everything else of it is forgotten. */
void fhir_entry_answer_request(fhir_bundle_text_t *bundle, const fhir_bundle_entry_t *entry,
                               const fhir_json_document_t *document, const fhir_exchange_t *outer, apr_pool_t *scratch);

#endif
