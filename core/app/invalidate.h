/* What this process remembers and others may change: keys, verified tokens and secrets are forgotten when the database
 * says that something changed, whichever node changed it. Rights themselves are loaded with each request. */
#ifndef FHIR_APP_INVALIDATE_H
#define FHIR_APP_INVALIDATE_H

#include "app.h"

/* Listens until `stopping` says yes (then NULL) or the connection can't be had or is lost (an error; call it again
 * soon: until it listens again, each call and each failure forgets everything). `stop_descriptor` becomes readable when
 * it is time to stop, -1: there is none. `pool` is the caller's for one call. */
fhir_error_t *fhir_app_listen(fhir_app_t *app, int (*stopping)(void *baton), void *baton, int stop_descriptor,
                              apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
