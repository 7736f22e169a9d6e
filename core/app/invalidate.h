/* What this process remembers and others may change: keys and verified tokens are forgotten when the database says that
 * something changed, whichever node changed it. Rights themselves are loaded with each request. */
#ifndef FHIR_APP_INVALIDATE_H
#define FHIR_APP_INVALIDATE_H

#include "app.h"

/* Listens until `stopping` says yes (then NULL) or the connection can't be had or is lost: call it again soon.
 * `stop_descriptor` becomes readable when it is time to stop, -1: there is none. `pool` is the caller's for one call.
 */
fhir_error_t *fhir_app_listen(fhir_app_t *app, int (*stopping)(void *baton), void *baton, int stop_descriptor,
                              apr_pool_t *pool) FHIR_MUST_CHECK;

/* Before anything that is remembered is used. While nobody listens, everything is forgotten twice a second. */
void fhir_app_forget_unheard(fhir_app_t *app);

#endif
