/* Background work of a child: one thread for each application and each kind of work that it has. Of all the children of
 * a host only a few work at a time: they hold places, which are record locks of one file that lives in memory, so that
 * the system gives back the place of a child that was killed. */
#include "worker_thread.h"

#include "../core/app/direct_upload_worker.h"
#include "../core/app/external_fetch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACES 4                         /* at work at a time for one kind of work of one application on this host */
#define LONG_PAUSE apr_time_from_sec(10) /* without a place, or after an error */

typedef struct kind_t {
    int (*is_on)(const fhir_settings_t *settings);
    fhir_error_t *(*run)(int *worked, fhir_app_t *app, int (*stopping)(void *baton), void *baton, apr_pool_t *pool);
    apr_interval_time_t pause; /* between two looks at an empty queue */
    const char *doing;
} kind_t;

static const kind_t kinds[] = {
    {fhir_external_fetch_on, fhir_external_fetch_run, apr_time_from_sec(1), "fetch attachments of other servers"},
    {fhir_direct_upload_on, fhir_direct_upload_run, apr_time_from_sec(2), "complete uploads to object stores"},
};
#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

typedef struct worker_t {
    const kind_t *kind;
    fhir_app_t *app;
    const fhir_log_t *log;
    int first_place; /* in the file of places */
    int failing;     /* has said so */
    fhir_worker_thread_t *thread;
} worker_t;

/* Opened before there are children, who inherit it. -1: there is no such work. */
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

static int has_work(const fhir_settings_t *settings)
{
    int i;
    for (i = 0; i < KINDS; i++) {
        if (kinds[i].is_on(settings)) {
            return 1;
        }
    }
    return 0;
}

int fhir_httpd_background_prepare(apr_pool_t *pconf, server_rec *s)
{
    server_rec *at;
    for (at = s; at; at = at->next) {
        const fhir_server_t *server = fhir_httpd_server(at);
        if (server->slot >= 0 && has_work(server->settings)) {
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

/* How long to wait until the next look. */
static apr_interval_time_t work_once(worker_t *worker, fhir_worker_thread_t *thread, apr_pool_t *parent)
{
    apr_pool_t *pool;
    fhir_error_t *error;
    apr_interval_time_t wait = worker->kind->pause;
    int worked = 0;
    if (apr_pool_create(&pool, parent) != APR_SUCCESS) {
        return LONG_PAUSE;
    }
    error = worker->kind->run(&worked, worker->app, fhir_worker_thread_is_stopping, thread, pool);
    if (error && !fhir_worker_thread_is_stopping(thread)) {
        fhir_log_error(worker->log, worker->failing ? FHIR_LOG_DEBUG : FHIR_LOG_WARNING, error,
                       apr_pstrcat(pool, "looking for work, to ", worker->kind->doing, "; trying on", NULL));
        wait = LONG_PAUSE;
    } else if (worked) {
        wait = 0;
    }
    worker->failing = error != NULL;
    apr_pool_destroy(pool);
    return wait;
}

static void work(fhir_worker_thread_t *thread, void *baton, apr_pool_t *pool)
{
    worker_t *worker = baton;
    int has_place = 0;
    while (!fhir_worker_thread_is_stopping(thread)) {
        apr_interval_time_t wait = LONG_PAUSE;
        has_place = has_place || take_place(worker);
        if (has_place) {
            wait = work_once(worker, thread, pool);
        }
        if (wait > 0) {
            fhir_worker_thread_pause_for(thread, wait);
        }
    }
}

/* ---- the child ---- */

static void start(apr_pool_t *pchild, server_rec *s, int slot, int kind, fhir_app_t *app, const fhir_log_t *log)
{
    worker_t *worker = apr_pcalloc(pchild, sizeof(*worker));
    apr_status_t status;
    worker->kind = &kinds[kind];
    worker->app = app;
    worker->log = log;
    worker->first_place = (slot * KINDS + kind) * PLACES;
    status = fhir_worker_thread_start(&worker->thread, work, worker, pchild);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "fhir_binary: no thread in this child to %s",
                     worker->kind->doing);
        return;
    }
    if (!workers) {
        workers = apr_array_make(pchild, 1, sizeof(worker_t *));
    }
    APR_ARRAY_PUSH(workers, worker_t *) = worker;
}

void fhir_httpd_background_start(apr_pool_t *pchild, server_rec *s, const fhir_server_t *server, fhir_app_t *app,
                                 const fhir_log_t *log)
{
    int i;
    for (i = 0; i < KINDS && places_file >= 0; i++) {
        if (kinds[i].is_on(server->settings)) {
            start(pchild, s, server->slot, i, app, log);
        }
    }
}

/* Old children may go on with long transfers for hours: what the new configuration says holds for the new ones. */
void fhir_httpd_background_stop(apr_pool_t *pchild, int graceful)
{
    int i;
    (void)pchild;
    (void)graceful;
    for (i = 0; workers && i < workers->nelts; i++) {
        fhir_worker_thread_tell_to_stop(APR_ARRAY_IDX(workers, i, worker_t *)->thread);
    }
}
