/* From a notification of the database to the caches of this process. */
#include "invalidate.h"

#include "../meta/listen.h"
#include "exchange.h"

/* The keys first: a token that is verified after this is verified with the new ones. */
static void forget(void *baton, int changes)
{
    fhir_app_t *app = baton;
    if (changes & FHIR_META_KEYS_CHANGED) {
        fhir_key_ring_mark_stale(app->keys);
    }
    if (changes & FHIR_META_ACCESS_CHANGED) {
        fhir_secret_cache_clear(app->secrets);
    }
    fhir_token_cache_clear(app->tokens);
}

static void changed(void *baton, int changes)
{
    fhir_app_t *app = baton;
    atomic_store(&app->listening, 1);
    forget(app, changes);
}

fhir_error_t *fhir_app_listen(fhir_app_t *app, int (*stopping)(void *baton), void *baton, int stop_descriptor,
                              apr_pool_t *pool)
{
    fhir_call_t call = {.pool = pool, .log = app->log, .cancelled = stopping, .cancelled_baton = baton};
    fhir_meta_listener_t listener = {changed, app, stop_descriptor};
    fhir_error_t *error = fhir_meta_listen(app->meta, &listener, &call);
    atomic_store(&app->listening, 0);
    if (error) {
        forget(app, FHIR_META_ALL_CHANGED);
    }
    return error;
}
