/* From a notification of the database to the caches of this process. */
#include "invalidate.h"

#include "../meta/listen.h"
#include "exchange.h"

#define UNHEARD_FOR (500 * APR_TIME_C(1000))

/* The keys first: a token that is verified after this is verified with the new ones. Secrets stay: they are remembered
 * with the hash that they fit, which is loaded each time; to forget them would let every change of a membership cost
 * other clients a bcrypt. */
static void forget(fhir_app_t *app, int changes)
{
    if (changes & FHIR_META_KEYS_CHANGED) {
        fhir_key_ring_mark_stale(app->keys);
    }
    fhir_token_cache_clear(app->tokens);
}

static void changed(void *baton, int changes)
{
    fhir_app_t *app = baton;
    forget(app, changes);
    atomic_store(&app->listening, 1);
}

fhir_error_t *fhir_app_listen(fhir_app_t *app, int (*stopping)(void *baton), void *baton, int stop_descriptor,
                              apr_pool_t *pool)
{
    fhir_call_t call = {.pool = pool, .log = app->log, .cancelled = stopping, .cancelled_baton = baton};
    fhir_meta_listener_t listener = {changed, app, stop_descriptor};
    fhir_error_t *error = fhir_meta_listen(app->meta, &listener, &call);
    atomic_store(&app->listening, 0);
    return error;
}

void fhir_app_forget_unheard(fhir_app_t *app)
{
    apr_time_t now;
    int_least64_t last;
    if (atomic_load(&app->listening)) {
        return;
    }
    now = apr_time_now();
    last = atomic_load(&app->forgotten);
    /* The clock may have been set back. One of the threads does it. */
    if ((now - last >= UNHEARD_FOR || last - now >= UNHEARD_FOR) &&
        atomic_compare_exchange_strong(&app->forgotten, &last, now)) {
        forget(app, FHIR_META_ALL_CHANGED);
    }
}
