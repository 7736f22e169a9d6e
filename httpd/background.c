/* Background work of a child: one thread for each application that fetches attachments of other servers. Of all the
 * children of a host only a few work at a time: they hold places, which are record locks of one file that lives in
 * memory, so that the system gives back the place of a child that was killed. */
#include "glue.h"

#include "../core/app/external_fetch.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACES 4                         /* at work at a time for one application on this host */
#define PAUSE apr_time_from_sec(1)       /* between two looks at an empty queue */
#define LONG_PAUSE apr_time_from_sec(10) /* without a place, or after an error */

typedef struct worker_t {
    fhir_app_t *app;
    const fhir_log_t *log;
    int first_place; /* in the file of places */
    int failing;     /* has said so */
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_thread_mutex_t *mutex; /* guards what follows */
    apr_thread_cond_t *woken;
    int stopping;
} worker_t;

/* Opened before there are children, who inherit it. -1: nobody fetches. */
static int places_file = -1;
/* The workers of this process. Written once, in child_init. */
static apr_array_header_t *workers;

/* ---- the parent ---- */

static apr_status_t close_places(void *data)
{
    (void)data;
    close(places_file);
    places_file = -1;
    return APR_SUCCESS;
}

int fhir_httpd_background_prepare(apr_pool_t *pconf, server_rec *s)
{
    server_rec *at;
    for (at = s; at; at = at->next) {
        const fhir_server_t *server = fhir_httpd_server(at);
        if (server->slot >= 0 && fhir_external_fetch_on(server->settings)) {
            break;
        }
    }
    if (!at || places_file >= 0) {
        return OK;
    }
    places_file = memfd_create("fhir_binary places", MFD_CLOEXEC);
    if (places_file < 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, s, "fhir_binary: no file in memory for background work");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_pool_cleanup_register(pconf, NULL, close_places, apr_pool_cleanup_null);
    return OK;
}

/* ---- the thread ---- */

static int lock_place(int place)
{
    struct flock lock = {0};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = place;
    lock.l_len = 1;
    return fcntl(places_file, F_SETLK, &lock) == 0;
}

static int take_place(const worker_t *worker)
{
    int i;
    for (i = 0; i < PLACES; i++) {
        if (lock_place(worker->first_place + i)) {
            return 1;
        }
    }
    return 0;
}

static int is_stopping(void *baton)
{
    worker_t *worker = baton;
    int stopping;
    apr_thread_mutex_lock(worker->mutex);
    stopping = worker->stopping;
    apr_thread_mutex_unlock(worker->mutex);
    return stopping;
}

static void pause_for(worker_t *worker, apr_interval_time_t time)
{
    apr_thread_mutex_lock(worker->mutex);
    if (!worker->stopping) {
        apr_thread_cond_timedwait(worker->woken, worker->mutex, time);
    }
    apr_thread_mutex_unlock(worker->mutex);
}

/* How long to wait until the next look. */
static apr_interval_time_t work_once(worker_t *worker)
{
    apr_pool_t *pool;
    fhir_error_t *error;
    apr_interval_time_t wait = PAUSE;
    int worked = 0;
    if (apr_pool_create(&pool, worker->pool) != APR_SUCCESS) {
        return LONG_PAUSE;
    }
    error = fhir_external_fetch_run(&worked, worker->app, is_stopping, worker, pool);
    if (error && !is_stopping(worker)) {
        fhir_log_error(worker->log, worker->failing ? FHIR_LOG_DEBUG : FHIR_LOG_WARNING, error,
                       "looking for attachments to fetch; trying on");
        wait = LONG_PAUSE;
    } else if (worked) {
        wait = 0;
    }
    worker->failing = error != NULL;
    apr_pool_destroy(pool);
    return wait;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    worker_t *worker = baton;
    int has_place = 0;
    (void)thread;
    while (!is_stopping(worker)) {
        apr_interval_time_t wait = LONG_PAUSE;
        has_place = has_place || take_place(worker);
        if (has_place) {
            wait = work_once(worker);
        }
        if (wait > 0) {
            pause_for(worker, wait);
        }
    }
    return NULL;
}

/* ---- the child ---- */

static void tell_to_stop(worker_t *worker)
{
    apr_thread_mutex_lock(worker->mutex);
    worker->stopping = 1;
    apr_thread_cond_signal(worker->woken);
    apr_thread_mutex_unlock(worker->mutex);
}

/* Before the pools of the applications go. */
static apr_status_t stop_worker(void *data)
{
    worker_t *worker = data;
    apr_status_t status;
    tell_to_stop(worker);
    apr_thread_join(&status, worker->thread);
    return APR_SUCCESS;
}

/* httpd's signals are for its own threads. */
static apr_status_t start_thread(worker_t *worker)
{
    sigset_t all;
    sigset_t before;
    apr_status_t status;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = apr_thread_create(&worker->thread, NULL, run, worker, worker->pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static apr_status_t start_worker(worker_t *worker)
{
    apr_status_t status;
    if (!worker->pool) {
        return APR_ENOMEM;
    }
    status = apr_thread_mutex_create(&worker->mutex, APR_THREAD_MUTEX_DEFAULT, worker->pool);
    if (status == APR_SUCCESS) {
        status = apr_thread_cond_create(&worker->woken, worker->pool);
    }
    return status == APR_SUCCESS ? start_thread(worker) : status;
}

void fhir_httpd_background_start(apr_pool_t *pchild, server_rec *s, const fhir_server_t *server, fhir_app_t *app,
                                 const fhir_log_t *log)
{
    worker_t *worker;
    apr_status_t status;
    if (places_file < 0 || !fhir_external_fetch_on(server->settings)) {
        return;
    }
    worker = apr_pcalloc(pchild, sizeof(*worker));
    worker->app = app;
    worker->log = log;
    worker->first_place = server->slot * PLACES;
    worker->pool = fhir_httpd_child_pool(pchild);
    status = start_worker(worker);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s,
                     "fhir_binary: no thread in this child to fetch attachments of other servers");
        return;
    }
    apr_pool_pre_cleanup_register(pchild, worker, stop_worker);
    if (!workers) {
        workers = apr_array_make(pchild, 1, sizeof(worker_t *));
    }
    APR_ARRAY_PUSH(workers, worker_t *) = worker;
}

/* Old children may go on with long transfers for hours: what the new configuration says holds for the new ones. */
void fhir_httpd_background_stop(apr_pool_t *pchild, int graceful)
{
    int i;
    (void)pchild;
    (void)graceful;
    for (i = 0; workers && i < workers->nelts; i++) {
        tell_to_stop(APR_ARRAY_IDX(workers, i, worker_t *));
    }
}
