/* The queue of copies to repair, and the thread that works on it. Readers never wait for a repair. */
#include "mirror.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX 256
#define ATTEMPTS_MAX 10 /* with pauses of 1, 2, 4 ... seconds: a good quarter of an hour */
#define REPORTS_MAX 16
#define REPORT_LENGTH 512

typedef struct job_t {
    char object_key[FHIR_STORAGE_KEY_LENGTH + 1];
    int half;
    int attempts;
    apr_time_t not_before;
} job_t;

struct mirror_repairs_t {
    fhir_store_t *store;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    int started;
    atomic_int stopping;
    job_t jobs[JOBS_MAX];
    int job_count;
    char reports[REPORTS_MAX][REPORT_LENGTH];
    int report_count;
    atomic_int has_reports;
};

mirror_repairs_t *mirror_repairs_create(fhir_store_t *store)
{
    mirror_repairs_t *repairs = calloc(1, sizeof(*repairs));
    pthread_condattr_t clock;
    if (!repairs) {
        return NULL;
    }
    repairs->store = store;
    pthread_mutex_init(&repairs->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&repairs->changed, &clock);
    pthread_condattr_destroy(&clock);
    return repairs;
}

void mirror_repairs_destroy(mirror_repairs_t *repairs)
{
    if (!repairs) {
        return;
    }
    pthread_mutex_lock(&repairs->mutex);
    atomic_store(&repairs->stopping, 1);
    pthread_cond_broadcast(&repairs->changed);
    pthread_mutex_unlock(&repairs->mutex);
    if (repairs->started) {
        pthread_join(repairs->thread, NULL);
    }
    pthread_cond_destroy(&repairs->changed);
    pthread_mutex_destroy(&repairs->mutex);
    free(repairs);
}

/* ---- reports: the thread has no log of its own ---- */

static void add_report(mirror_repairs_t *repairs, const char *text)
{
    pthread_mutex_lock(&repairs->mutex);
    if (repairs->report_count < REPORTS_MAX) {
        apr_cpystrn(repairs->reports[repairs->report_count++], text, REPORT_LENGTH);
        atomic_store(&repairs->has_reports, 1);
    }
    pthread_mutex_unlock(&repairs->mutex);
}

void mirror_tell_repairs(fhir_store_t *store, const fhir_store_call_t *call)
{
    mirror_repairs_t *repairs = store->repairs;
    char reports[REPORTS_MAX][REPORT_LENGTH];
    int count;
    int i;
    if (!repairs || !atomic_load(&repairs->has_reports)) {
        return;
    }
    pthread_mutex_lock(&repairs->mutex);
    count = repairs->report_count;
    memcpy(reports, repairs->reports, (size_t)count * REPORT_LENGTH);
    repairs->report_count = 0;
    atomic_store(&repairs->has_reports, 0);
    pthread_mutex_unlock(&repairs->mutex);
    for (i = 0; i < count; i++) {
        mirror_log(call, FHIR_STORE_LOG_WARNING, "%s", reports[i]);
    }
}

/* ---- the thread ---- */

static int is_stopping(void *baton)
{
    mirror_repairs_t *repairs = baton;
    return atomic_load(&repairs->stopping);
}

static void work_on(mirror_repairs_t *repairs, job_t *job, int *done)
{
    fhir_store_call_t call = {0};
    apr_allocator_t *allocator;
    const char *report = NULL;
    apr_pool_t *pool;
    *done = 0;
    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return;
    }
    if (apr_pool_create_unmanaged_ex(&pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return;
    }
    apr_allocator_owner_set(allocator, pool);
    call.result_pool = pool;
    apr_pool_create(&call.scratch_pool, pool);
    call.cancelled = is_stopping;
    call.cancelled_baton = repairs;
    mirror_rebuild(&report, done, repairs->store, job->half, job->object_key, &call);
    if (report) {
        add_report(repairs, report);
    }
    apr_pool_destroy(pool);
}

/* The next job that is due, -1 if none; *wait: until then, -1 if there is no job at all. */
static int due_job(apr_interval_time_t *wait, const mirror_repairs_t *repairs)
{
    apr_time_t now = apr_time_now();
    int earliest = -1;
    int i;
    for (i = 0; i < repairs->job_count; i++) {
        if (earliest < 0 || repairs->jobs[i].not_before < repairs->jobs[earliest].not_before) {
            earliest = i;
        }
    }
    *wait = earliest < 0 ? -1 : repairs->jobs[earliest].not_before - now;
    return earliest >= 0 && *wait <= 0 ? earliest : -1;
}

/* With the mutex held. */
static void wait_for_change(mirror_repairs_t *repairs, apr_interval_time_t wait)
{
    struct timespec until;
    if (wait < 0) {
        pthread_cond_wait(&repairs->changed, &repairs->mutex);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)apr_time_sec(wait) + 1; /* a second later is early enough */
    pthread_cond_timedwait(&repairs->changed, &repairs->mutex, &until);
}

/* With the mutex held. A job that failed comes again later, a last time after half of a quarter of an hour. */
static void finish_job(mirror_repairs_t *repairs, const job_t *job, int done)
{
    int i;
    for (i = 0; i < repairs->job_count; i++) {
        job_t *at = &repairs->jobs[i];
        if (at->half == job->half && !strcmp(at->object_key, job->object_key)) {
            at->attempts++;
            at->not_before = apr_time_now() + apr_time_from_sec(1) * ((apr_time_t)1 << (at->attempts - 1));
            if (done || at->attempts >= ATTEMPTS_MAX) {
                *at = repairs->jobs[--repairs->job_count];
            }
            return;
        }
    }
}

static void *run_repairs(void *data)
{
    mirror_repairs_t *repairs = data;
    pthread_mutex_lock(&repairs->mutex);
    while (!atomic_load(&repairs->stopping)) {
        apr_interval_time_t wait;
        int number = due_job(&wait, repairs);
        if (number < 0) {
            wait_for_change(repairs, wait);
        } else {
            job_t job = repairs->jobs[number];
            int done;
            pthread_mutex_unlock(&repairs->mutex);
            work_on(repairs, &job, &done);
            pthread_mutex_lock(&repairs->mutex);
            finish_job(repairs, &job, done);
        }
    }
    pthread_mutex_unlock(&repairs->mutex);
    return NULL;
}

/* Signals are for the threads that expect them. */
static int start_thread(mirror_repairs_t *repairs)
{
    sigset_t all;
    sigset_t before;
    int failed;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&repairs->thread, NULL, run_repairs, repairs);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

/* ---- the queue ---- */

static int is_queued(const mirror_repairs_t *repairs, int half, const char *object_key)
{
    int i;
    for (i = 0; i < repairs->job_count; i++) {
        if (repairs->jobs[i].half == half && !strcmp(repairs->jobs[i].object_key, object_key)) {
            return 1;
        }
    }
    return 0;
}

void mirror_repair_later(fhir_store_t *store, int half, const char *object_key)
{
    mirror_repairs_t *repairs = store->repairs;
    if (!repairs) {
        return;
    }
    pthread_mutex_lock(&repairs->mutex);
    if (repairs->job_count < JOBS_MAX && !is_queued(repairs, half, object_key)) {
        job_t *job = &repairs->jobs[repairs->job_count++];
        memset(job, 0, sizeof(*job));
        apr_cpystrn(job->object_key, object_key, sizeof(job->object_key));
        job->half = half;
        repairs->started = repairs->started || start_thread(repairs);
        pthread_cond_signal(&repairs->changed);
    }
    pthread_mutex_unlock(&repairs->mutex);
}
