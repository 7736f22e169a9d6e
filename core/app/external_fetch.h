/* Attachments of other servers: wanted when a resource is written, fetched in the background, stored as a Binary whose
 * securityContext is the resource, and put into the resource if it still has the URL. */
#ifndef FHIR_APP_EXTERNAL_FETCH_H
#define FHIR_APP_EXTERNAL_FETCH_H

#include "app.h"

/* Does this server fetch? If so somebody must call fhir_external_fetch_run again and again. */
int fhir_external_fetch_on(const fhir_settings_t *settings);

/* Does the job that is due, if there is one; *worked tells. Blocks for as long as a download takes. `stopping` is asked
 * about once a second, from this thread: then the job is given back. Errors are those of the database: a job that fails
 * is recorded and logged. `pool` is the caller's for one call. */
fhir_error_t *fhir_external_fetch_run(int *worked, fhir_app_t *app, int (*stopping)(void *baton), void *baton,
                                      apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
