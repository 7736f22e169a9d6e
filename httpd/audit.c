/* The audit trail in httpd: the streams that the parent opens, the thread of each application that writes, and the
 * events of answers that are over. Those still on their way when a child ends are events too. */
#include "worker_thread.h"

#include <apr_portable.h>
#include <apr_thread_mutex.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

/* Of this child. */
typedef struct audit_child_t {
    int threaded;
    apr_thread_mutex_t *mutex; /* guards what follows */
    fhir_exchange_record_t *first;
} audit_child_t;

/* Set in child_init, before there are threads; NULL again when there are no more. */
static audit_child_t *child;

/* ---- the parent ---- */

static int open_pipe(apr_pool_t *pconf, server_rec *s, fhir_server_t *server)
{
    const char *program = server->settings->audit_log + 1;
    int by_shell = *program == '$';
    piped_log *log;
    apr_os_file_t descriptor;
    program += by_shell || *program == '|';
    log = ap_open_piped_log_ex(pconf, program, by_shell ? APR_SHELLCMD_ENV : APR_PROGRAM_ENV);
    if (!log || apr_os_file_get(&descriptor, ap_piped_log_write_fd(log)) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "fhir_binary: FhirBinaryAuditLog: can't start %s", program);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    /* A program that stands still must not hold up the trail. */
    (void)fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    server->audit_stream.descriptor = descriptor;
    return OK;
}

static int open_stream(apr_pool_t *pconf, server_rec *s, fhir_server_t *server)
{
    fhir_error_t *error = fhir_audit_open_stream(&server->audit_stream, server->settings, pconf);
    if (error) {
        fhir_log_error(fhir_httpd_server_log(s, pconf), FHIR_LOG_ERROR, error, "opening the audit log");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return server->settings->audit_log && *server->settings->audit_log == '|' ? open_pipe(pconf, s, server) : OK;
}

int fhir_httpd_audit_prepare(apr_pool_t *pconf, server_rec *s)
{
    server_rec *at;
    for (at = s; at; at = at->next) {
        fhir_server_t *server = fhir_httpd_server(at);
        if (server->slot >= 0 && (at == s || server != fhir_httpd_server(s)) && open_stream(pconf, at, server) != OK) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

/* ---- the thread ---- */

static void wake(void *baton)
{
    fhir_worker_thread_wake(baton);
}

static void pause_for(void *baton, apr_interval_time_t time)
{
    fhir_worker_thread_pause_for(baton, time);
}

static void work(fhir_worker_thread_t *thread, void *baton, apr_pool_t *pool)
{
    fhir_app_t *app = baton;
    const fhir_audit_thread_t how = {thread, wake, pause_for, fhir_worker_thread_is_stopping};
    fhir_audit_expect_thread(app, &how);
    fhir_audit_run(app, pool);
}

/* ---- answers on their way ---- */

/* Without threads a signal ends the child wherever it is: not while it holds a lock that the end needs. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;
    if (!child->threaded) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, before);
    }
}

static void release_signals(const sigset_t *before)
{
    if (!child->threaded) {
        pthread_sigmask(SIG_SETMASK, before, NULL);
    }
}

static void link_record(fhir_exchange_record_t *record)
{
    apr_thread_mutex_lock(child->mutex);
    record->next = child->first;
    record->before = NULL;
    if (record->next) {
        record->next->before = record;
    }
    child->first = record;
    apr_thread_mutex_unlock(child->mutex);
}

static void unlink_record(audit_child_t *from, fhir_exchange_record_t *record)
{
    apr_thread_mutex_lock(from->mutex);
    if (record->before) {
        record->before->next = record->next;
    } else {
        from->first = record->next;
    }
    if (record->next) {
        record->next->before = record->before;
    }
    apr_thread_mutex_unlock(from->mutex);
}

void fhir_httpd_audit_begin(request_rec *r, fhir_app_t *app, const fhir_response_t *response)
{
    fhir_exchange_record_t *record = fhir_httpd_record(r);
    sigset_t before;
    if (!child || !response->audit) {
        return;
    }
    record->r = r;
    record->app = app;
    record->response = response;
    hold_signals(&before);
    link_record(record);
    release_signals(&before);
}

static void finish(fhir_exchange_record_t *record)
{
    fhir_delivery_t delivery = fhir_httpd_delivery(record->r, record);
    fhir_app_finished(record->app, record->response, &delivery);
    record->response = NULL;
}

int fhir_httpd_audit_end(request_rec *r)
{
    fhir_exchange_record_t *record = fhir_httpd_record(r);
    sigset_t before;
    if (!child || !record || !record->response) {
        return DECLINED;
    }
    hold_signals(&before);
    unlink_record(child, record);
    finish(record);
    release_signals(&before);
    return DECLINED;
}

/* The threads of requests have ended; the writers go on until they have written what comes now. */
static apr_status_t give_up_all(void *data)
{
    audit_child_t *ending = data;
    while (ending->first) {
        fhir_exchange_record_t *record = ending->first;
        unlink_record(ending, record);
        record->failed = 1;
        finish(record);
    }
    child = NULL;
    return APR_SUCCESS;
}

/* ---- the child ---- */

static audit_child_t *create_child(apr_pool_t *pchild)
{
    audit_child_t *made = apr_pcalloc(pchild, sizeof(*made));
    ap_mpm_query(AP_MPMQ_IS_THREADED, &made->threaded);
    return apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pchild) == APR_SUCCESS ? made : NULL;
}

void fhir_httpd_audit_start(apr_pool_t *pchild, server_rec *s, const fhir_server_t *server, fhir_app_t *app)
{
    fhir_worker_thread_t *thread;
    apr_status_t status;
    fhir_audit_set_stream(app, &server->audit_stream);
    status = fhir_worker_thread_start(&thread, work, app, pchild);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s,
                     "fhir_binary: no thread in this child to write audit events; requests write them themselves");
    }
}

void fhir_httpd_audit_watch(apr_pool_t *pchild, server_rec *s)
{
    child = create_child(pchild);
    if (!child) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, APR_ENOMEM, s, "fhir_binary: no lock for the audit trail of this child");
        return;
    }
    apr_pool_pre_cleanup_register(pchild, child, give_up_all);
}
