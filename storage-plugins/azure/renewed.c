/* Values that are renewed before they end. */
#include "renewed.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A value that ends so soon would end on its way. */
#define MARGIN apr_time_from_sec(10)
#define WAIT apr_time_from_msec(200)
#define PAUSE_AFTER_FAILURE apr_time_from_sec(30)
/* While the old value is good: the request has no part in the renewal. */
#define RENEW_TIME apr_time_from_sec(2)

struct azure_renewed_t {
    azure_renew_fn renew;
    void *baton;
    apr_interval_time_t early;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *changed;
    char *value; /* malloc'ed */
    apr_time_t expires;
    apr_time_t renew_at;
    int renewing;
    unsigned failures;
    fhir_error_code_t failed_with;
};

fhir_error_t *azure_renewed_create(azure_renewed_t **renewed, azure_renew_fn renew, void *baton,
                                   apr_interval_time_t early, apr_pool_t *pool)
{
    azure_renewed_t *made = apr_pcalloc(pool, sizeof(*made));
    made->renew = renew;
    made->baton = baton;
    made->early = early;
    *renewed = made;
    if (apr_thread_mutex_create(&made->lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&made->changed, pool) != APR_SUCCESS) {
        return fhir_plugin_system_error(pool, ENOMEM, "create a lock");
    }
    return NULL;
}

static void drop_value(azure_renewed_t *renewed)
{
    if (renewed->value) {
        memset(renewed->value, 0, strlen(renewed->value));
        free(renewed->value);
    }
    renewed->value = NULL;
}

void azure_renewed_close(azure_renewed_t *renewed)
{
    if (renewed) {
        drop_value(renewed);
    }
}

void azure_renewed_forget(azure_renewed_t *renewed, const char *value)
{
    apr_thread_mutex_lock(renewed->lock);
    if (renewed->value && value && !strcmp(renewed->value, value)) {
        drop_value(renewed);
    }
    apr_thread_mutex_unlock(renewed->lock);
}

static int usable(const azure_renewed_t *renewed, apr_time_t now)
{
    return renewed->value && now < renewed->expires - MARGIN;
}

static void keep(azure_renewed_t *renewed, const char *value, apr_time_t expires)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t half = (expires - now) / 2;
    drop_value(renewed);
    renewed->value = strdup(value); /* NULL: there is none yet */
    renewed->expires = expires;
    renewed->renew_at = expires - (renewed->early < half ? renewed->early : half);
}

/* Who has a good value must not wait long for another: an endpoint that hangs would take all the time of his request.
 */
static fhir_store_call_t hurried(const fhir_store_call_t *call)
{
    fhir_store_call_t hurry = *call;
    apr_time_t now = apr_time_now();
    apr_interval_time_t half = call->deadline ? (call->deadline - now) / 2 : RENEW_TIME;
    hurry.deadline = now + (half < RENEW_TIME ? half : RENEW_TIME);
    return hurry;
}

/* Called and returns with the lock held; asks without it. */
static fhir_error_t *renew(azure_renewed_t *renewed, const fhir_store_call_t *call)
{
    const char *value = NULL;
    apr_time_t expires = 0;
    int once = usable(renewed, apr_time_now());
    fhir_store_call_t limited = once ? hurried(call) : *call;
    fhir_error_t *error;
    renewed->renewing = 1;
    apr_thread_mutex_unlock(renewed->lock);
    error = renewed->renew(&value, &expires, renewed->baton, once, &limited);
    apr_thread_mutex_lock(renewed->lock);
    renewed->renewing = 0;
    if (error && (error->code == FHIR_ERROR_CANCELLED || (error->code == FHIR_ERROR_TIMEOUT && !once))) {
        renewed->renew_at = 0; /* that was about one request: the next one tries */
    } else if (error) {
        renewed->failures++;
        renewed->failed_with = error->code;
        renewed->renew_at = apr_time_now() + PAUSE_AFTER_FAILURE;
    } else {
        keep(renewed, value, expires);
    }
    apr_thread_cond_broadcast(renewed->changed);
    return error;
}

static fhir_error_t *others_failed(const azure_renewed_t *renewed, const fhir_store_call_t *call)
{
    fhir_error_t *error = fhir_error_create(call->result_pool, renewed->failed_with, APR_EGENERAL,
                                            "The store's credentials can't be renewed. Tell the operator of this "
                                            "server.",
                                            "another request's attempt to renew them failed");
    error->retry = renewed->failed_with == FHIR_ERROR_UNAVAILABLE ? FHIR_RETRY_YES : FHIR_RETRY_NO;
    return error;
}

/* With the lock held, until there is a value. */
static fhir_error_t *obtain(azure_renewed_t *renewed, const fhir_store_call_t *call)
{
    unsigned failures = renewed->failures;
    for (;;) {
        apr_time_t now = apr_time_now();
        int good = usable(renewed, now);
        if (good && (now < renewed->renew_at || renewed->renewing)) {
            return NULL;
        }
        if (!renewed->renewing) {
            fhir_error_t *error = renew(renewed, call);
            if (!error && !usable(renewed, apr_time_now())) {
                return fhir_error_create(call->result_pool, FHIR_ERROR_DENIED, APR_EGENERAL,
                                         "The store's credentials have expired. Tell the operator of this server.",
                                         "what was just given has ended already: compare this host's clock");
            }
            return usable(renewed, apr_time_now()) ? NULL : error;
        }
        FHIR_TRY(fhir_plugin_check_call(call));
        apr_thread_cond_timedwait(renewed->changed, renewed->lock, WAIT);
        if (renewed->failures != failures && !usable(renewed, apr_time_now())) {
            return others_failed(renewed, call);
        }
    }
}

fhir_error_t *azure_renewed_get(const char **value, apr_time_t *expires, azure_renewed_t *renewed,
                                const fhir_store_call_t *call)
{
    fhir_error_t *error;
    *value = NULL;
    apr_thread_mutex_lock(renewed->lock);
    error = obtain(renewed, call);
    if (!error) {
        *value = apr_pstrdup(call->result_pool, renewed->value);
        if (expires) {
            *expires = renewed->expires;
        }
    }
    apr_thread_mutex_unlock(renewed->lock);
    return error;
}
