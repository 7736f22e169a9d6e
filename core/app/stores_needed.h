/* Does this configuration have every store that objects are in? */
#ifndef FHIR_APP_STORES_NEEDED_H
#define FHIR_APP_STORES_NEEDED_H

#include "app.h"

/* Asks the database, unless `stopping` says yes; a warning in the log for each store that is lacking. */
fhir_error_t *fhir_app_check_stores(fhir_app_t *app, int (*stopping)(void *baton), void *baton,
                                    apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
