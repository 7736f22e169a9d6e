/* Does this configuration have every store that objects are in? Each read of such an object is a 503 of its own; this
 * tells it before anybody reads. */
#include "stores_needed.h"

#include "../meta/object_copy.h"
#include "exchange.h"

fhir_error_t *fhir_app_check_stores(fhir_app_t *app, int (*stopping)(void *baton), void *baton, apr_pool_t *pool)
{
    fhir_call_t call = {.pool = pool, .log = app->log, .cancelled = stopping, .cancelled_baton = baton};
    apr_array_header_t *needed;
    int i;
    call.deadline = apr_time_now() + app->settings->request_timeout;
    FHIR_TRY(fhir_meta_stores_needed(&needed, app->meta, &call));
    for (i = 0; i < needed->nelts; i++) {
        const char *name = APR_ARRAY_IDX(needed, i, const char *);
        if (!fhir_store_defined(app->settings->catalog, name)) {
            fhir_log(app->log, FHIR_LOG_WARNING, APR_SUCCESS,
                     "objects are in the store '%s', which this configuration does not have: reading them is answered "
                     "503. Define it, or move them first; `fhirbinctl store stat` counts them",
                     name);
        }
    }
    return NULL;
}
