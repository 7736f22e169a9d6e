/* Threads of a child beside those that serve requests. An event descriptor wakes them, so that a thread can wait for
 * its own things and for the end of the child at once. */
#include "worker_thread.h"

#include <apr_thread_proc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LONGEST_PAUSE APR_TIME_C(600000) /* milliseconds */

struct fhir_worker_thread_t {
    fhir_worker_thread_fn work;
    void *baton;
    apr_pool_t *pool;
    apr_thread_t *thread;
    atomic_int stopping;
    int event;
};

int fhir_worker_thread_is_stopping(void *thread)
{
    fhir_worker_thread_t *worker = thread;
    return atomic_load(&worker->stopping);
}

void fhir_worker_thread_wake(fhir_worker_thread_t *thread)
{
    /* Fails only if the counter is full: then it is readable anyway. */
    (void)eventfd_write(thread->event, 1);
}

void fhir_worker_thread_pause_for(fhir_worker_thread_t *thread, apr_interval_time_t time)
{
    struct pollfd ready = {.fd = thread->event, .events = POLLIN};
    apr_time_t milliseconds = time / 1000 + 1;
    eventfd_t ignored;
    if (fhir_worker_thread_is_stopping(thread)) {
        return;
    }
    if (poll(&ready, 1, (int)(milliseconds < LONGEST_PAUSE ? milliseconds : LONGEST_PAUSE)) > 0) {
        (void)eventfd_read(thread->event, &ignored);
    }
}

void fhir_worker_thread_tell_to_stop(fhir_worker_thread_t *thread)
{
    atomic_store(&thread->stopping, 1);
    fhir_worker_thread_wake(thread);
}

int fhir_worker_thread_descriptor(const fhir_worker_thread_t *thread)
{
    return thread->event;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    fhir_worker_thread_t *worker = baton;
    (void)thread;
    worker->work(worker, worker->baton, worker->pool);
    return NULL;
}

/* Before the pools of the applications go. */
static apr_status_t stop(void *data)
{
    fhir_worker_thread_t *worker = data;
    apr_status_t status;
    fhir_worker_thread_tell_to_stop(worker);
    apr_thread_join(&status, worker->thread);
    close(worker->event);
    return APR_SUCCESS;
}

/* httpd's signals are for its own threads. */
static apr_status_t start_without_signals(fhir_worker_thread_t *worker)
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

apr_status_t fhir_worker_thread_start(fhir_worker_thread_t **thread, fhir_worker_thread_fn work, void *baton,
                                      apr_pool_t *pchild)
{
    fhir_worker_thread_t *worker = apr_pcalloc(pchild, sizeof(*worker));
    apr_status_t status;
    worker->work = work;
    worker->baton = baton;
    worker->pool = fhir_httpd_child_pool(pchild);
    if (!worker->pool) {
        return APR_ENOMEM;
    }
    worker->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->event < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    status = start_without_signals(worker);
    if (status != APR_SUCCESS) {
        close(worker->event);
        return status;
    }
    *thread = worker;
    apr_pool_pre_cleanup_register(pchild, worker, stop);
    return APR_SUCCESS;
}
