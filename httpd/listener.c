/* One thread for each application of a child that listens to what other nodes and fhirbinctl change. Without it, and
 * while it has no connection, next to nothing is remembered (fhir_app_forget_unheard). */
#include "worker_thread.h"

#include "../core/app/invalidate.h"
#include "../core/app/stores_needed.h"

#include <ap_mpm.h>

#define FIRST_PAUSE apr_time_from_msec(100)
#define LONGEST_PAUSE apr_time_from_msec(1600)
#define FAILURES_TO_WARN 12 /* some fifteen seconds: not just a restart of the database */

typedef struct listener_t {
    fhir_app_t *app;
    const fhir_log_t *log;
    fhir_worker_thread_t *thread;
} listener_t;

static void tell(const listener_t *listener, const fhir_error_t *error, int failures)
{
    if (failures == 1) {
        fhir_log_error(listener->log, FHIR_LOG_INFO, error, "listening to changed keys and rights; trying on");
    } else if (failures == FAILURES_TO_WARN) {
        fhir_log_error(
            listener->log, FHIR_LOG_WARNING, error,
            "still not listening to changed keys and rights; what is known of them is loaded anew twice a second");
    }
}

static apr_interval_time_t pause_after(int failures)
{
    return failures > 4 ? LONGEST_PAUSE : FIRST_PAUSE << (failures - 1);
}

/* Once in each child, if the database is there. */
static void check_stores(const listener_t *listener, fhir_worker_thread_t *thread, apr_pool_t *pool)
{
    apr_pool_t *own;
    fhir_error_t *error;
    if (apr_pool_create(&own, pool) != APR_SUCCESS) {
        return;
    }
    error = fhir_app_check_stores(listener->app, fhir_worker_thread_is_stopping, thread, own);
    if (error) {
        fhir_log_error(listener->log, FHIR_LOG_INFO, error, "asking which stores are needed");
    }
    apr_pool_destroy(own);
}

static void work(fhir_worker_thread_t *thread, void *baton, apr_pool_t *pool)
{
    const listener_t *listener = baton;
    int failures = 0;
    check_stores(listener, thread, pool);
    while (!fhir_worker_thread_is_stopping(thread)) {
        apr_pool_t *own;
        apr_time_t began = apr_time_now();
        fhir_error_t *error;
        if (apr_pool_create(&own, pool) != APR_SUCCESS) {
            fhir_worker_thread_pause_for(thread, LONGEST_PAUSE);
            continue;
        }
        error = fhir_app_listen(listener->app, fhir_worker_thread_is_stopping, thread,
                                fhir_worker_thread_descriptor(thread), own);
        if (error) {
            /* After a connection that held for a while the next failure is the first of its own. */
            failures = apr_time_now() - began > apr_time_from_sec(30) ? 1 : failures + 1;
            tell(listener, error, failures);
            fhir_worker_thread_pause_for(thread, pause_after(failures));
        }
        apr_pool_destroy(own);
    }
}

/* With prefork a child serves one request at a time: a connection more for each would be as many again. */
static int serves_alone(void)
{
    int threaded = 0;
    return ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS && threaded == AP_MPMQ_NOT_SUPPORTED;
}

void fhir_httpd_listener_start(apr_pool_t *pchild, server_rec *s, fhir_app_t *app, const fhir_log_t *log)
{
    listener_t *listener = apr_pcalloc(pchild, sizeof(*listener));
    apr_status_t status;
    if (serves_alone()) {
        return;
    }
    listener->app = app;
    listener->log = log;
    status = fhir_worker_thread_start(&listener->thread, work, listener, pchild);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s,
                     "fhir_binary: no thread in this child to listen to changed keys and rights; what is known of them "
                     "is loaded anew twice a second");
    }
}
