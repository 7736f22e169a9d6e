/* Uploads that go to the store directly: a URL of the store for one PUT, and how what lies there becomes a version.
 *
 * Order: the pending object and the upload are registered, then the URL is given out. What a client put at the store is
 * seen by nobody until it is completed: by the client's POST to the `complete` URL, or by the background worker. Both
 * hold the upload by its lease; the row of the object decides in the end (core/meta/direct_upload.h). Private to
 * core/app. */
#ifndef FHIR_APP_DIRECT_UPLOAD_H
#define FHIR_APP_DIRECT_UPLOAD_H

#include "../meta/direct_upload.h"
#include "signed_url.h"

/* A PUT that began before its URL ended may take as long. Then nobody can send any more. */
#define FHIR_DIRECT_GRACE apr_time_from_sec(3600)

/* ---- issuing ---- */
typedef struct fhir_direct_url_t {
    const char *url; /* the store's, for PUT */
    const fhir_store_option_t *headers;
    int header_count;
    apr_time_t expires;
    const char *complete; /* ours, for POST; lives longer by FHIR_DIRECT_GRACE */
} fhir_direct_url_t;
/* Registers the upload of one new version. *direct NULL: new content does not go to the store directly here, or not
 * now; an ordinary upload URL will do. The caller has decided that the member may update the Binary. */
fhir_error_t *fhir_direct_upload_issue(const fhir_direct_url_t **direct, const fhir_exchange_t *exchange,
                                       const fhir_binary_facts_t *facts) FHIR_MUST_CHECK;

/* ---- completing ---- */
typedef enum fhir_direct_outcome_t {
    FHIR_DIRECT_DONE = 1,  /* it is a version */
    FHIR_DIRECT_NOT_THERE, /* nothing was sent yet */
    FHIR_DIRECT_REFUSED,   /* it can't become a version; `error` says why */
    FHIR_DIRECT_FAILED     /* another time; `error` says why */
} fhir_direct_outcome_t;
typedef struct fhir_direct_result_t {
    fhir_direct_outcome_t outcome;
    const fhir_binary_t *binary; /* DONE */
    int made;                    /* DONE: just now */
    fhir_error_t *error;
} fhir_direct_result_t;
/* From the bytes at the store to the version, rights and limits asked on the way. The upload is held by the caller; its
 * lease is renewed meanwhile. */
void fhir_direct_complete(fhir_direct_result_t *result, fhir_exchange_t *exchange, fhir_signed_t *url,
                          const fhir_direct_upload_t *upload);
/* Ends the turn as the result says. What was refused loses its rows and its bytes. Failures are logged: the row stays
 * and is looked at again. `is_call`: of the client, whose failures are not counted. */
void fhir_direct_settle(const fhir_direct_result_t *result, const fhir_exchange_t *exchange,
                        const fhir_direct_upload_t *upload, int is_call);
/* Of an upload that was given up: its bytes go, and once more when nobody can send any; then its row. */
fhir_error_t *fhir_direct_clear(const fhir_exchange_t *exchange, const fhir_direct_upload_t *upload) FHIR_MUST_CHECK;

#endif
