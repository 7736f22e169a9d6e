/* The last step of a fetch: Binary and resource change together or not at all. Private to core/app. */
#ifndef FHIR_APP_EXTERNAL_FETCH_ATTACH_H
#define FHIR_APP_EXTERNAL_FETCH_ATTACH_H

#include "../meta/external_fetch.h"
#include "exchange.h"

typedef enum fhir_attach_outcome_t {
    FHIR_ATTACH_NOTHING = 0, /* nothing was written, surely */
    FHIR_ATTACH_UNKNOWN,     /* the database went away over it: the object must stay */
    FHIR_ATTACH_DONE
} fhir_attach_outcome_t;

typedef struct fhir_attach_t {
    fhir_app_t *app;
    const fhir_fetch_job_t *job;
    const fhir_content_t *content; /* complete in the store, still pending */
    const char *content_type;
    const char *filename; /* may be NULL */

    const char *binary_id; /* of the new Binary */
    fhir_attach_outcome_t outcome;
} fhir_attach_t;

/* Does the resource still have the URL? */
fhir_error_t *fhir_attach_wanted(int *wanted, const fhir_attach_t *attach, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Makes the Binary, with the resource as its security context, and the resource's next version, in which every
 * Attachment with the URL names the Binary. NOTHING without an error: the resource is gone or has no such URL. Tried
 * again when somebody else changes the resource meanwhile. */
fhir_error_t *fhir_attach(fhir_attach_t *attach, const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
