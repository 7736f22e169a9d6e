/* Uploads that went to an object store directly, and whose sender never told that they are there. */
#ifndef FHIR_APP_DIRECT_UPLOAD_WORKER_H
#define FHIR_APP_DIRECT_UPLOAD_WORKER_H

#include "app.h"

/* Can there be such uploads in stores of this configuration? If so somebody must call fhir_direct_upload_run again and
 * again. */
int fhir_direct_upload_on(const fhir_settings_t *settings);

/* Completes or gives up the upload that is due, if there is one; *worked tells. Blocks for as long as reading it takes.
 * `stopping` is asked about once a second, from this thread. Errors are those of the database when it looks for work;
 * others are recorded and logged. `pool` is the caller's for one call. */
fhir_error_t *fhir_direct_upload_run(int *worked, fhir_app_t *app, int (*stopping)(void *baton), void *baton,
                                     apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
