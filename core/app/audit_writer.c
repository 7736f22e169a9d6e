/* Writing audit events: in batches by one thread, or one by one where there is none. An event that can't be written is
 * a line of the error log: then at least that is left of it. */
#include "audit_writer.h"

#include "../meta/audit.h"
#include "audit_queue.h"
#include "audit_stream.h"
#include "exchange.h"

#include <apr_network_io.h>
#include <stdlib.h>

#define CAPACITY 10000
#define GATHER APR_TIME_C(200000) /* how long events wait for more */
#define PAUSE_AFTER_ERROR APR_TIME_C(1000000)
#define DRAIN_TIME apr_time_from_sec(5) /* the parent kills a child that takes longer to end */
#define BATCH_TIME apr_time_from_sec(30)
#define PRUNE_INTERVAL apr_time_from_sec(3600)
#define ATTEMPTS 3 /* at an event that the database refuses */

struct fhir_audit_writer_t {
    fhir_meta_t *meta;
    const fhir_settings_t *settings;
    const fhir_log_t *log;
    apr_pool_t *pool;
    fhir_audit_queue_t *queue;
    fhir_audit_stream_t stream;
    atomic_int stream_failing; /* has said so */
    fhir_audit_thread_t thread;
    char source[APRMAXHOSTLEN + 1];
};

/* The thread's own state. */
typedef struct run_t {
    fhir_audit_writer_t *writer;
    fhir_audit_event_t *events[FHIR_AUDIT_BATCH_MAX];
    fhir_audit_batch_t batch;
    int refused;      /* attempts at this batch that the database refused, other than by being away */
    int failing;      /* has said so */
    int tried;        /* events of the attempt before, for one that may have been committed */
    apr_time_t until; /* everything must be done by then; 0: no end in sight */
    apr_time_t prune; /* when next */
    apr_pool_t *pool; /* of this batch */
} run_t;

fhir_error_t *fhir_audit_writer_create(fhir_audit_writer_t **writer, fhir_meta_t *meta, const fhir_settings_t *settings,
                                       const fhir_log_t *log, apr_pool_t *pool)
{
    fhir_audit_writer_t *made = apr_pcalloc(pool, sizeof(*made));
    made->meta = meta;
    made->settings = settings;
    made->log = log;
    made->pool = pool;
    made->stream.descriptor = -1;
    if (apr_gethostname(made->source, sizeof(made->source), pool) != APR_SUCCESS) {
        apr_cpystrn(made->source, "unknown", sizeof(made->source));
    }
    FHIR_TRY(fhir_audit_queue_create(&made->queue, CAPACITY, pool));
    *writer = made;
    return NULL;
}

const char *fhir_audit_source(const fhir_audit_writer_t *writer)
{
    return writer->source;
}

void fhir_audit_set_stream(fhir_app_t *app, const fhir_audit_stream_t *stream)
{
    app->audit->stream = *stream;
}

static fhir_call_t call_until(const fhir_audit_writer_t *writer, apr_time_t deadline, apr_pool_t *pool)
{
    fhir_call_t call = {0};
    call.pool = pool;
    call.deadline = deadline;
    call.log = writer->log;
    return call;
}

static void lose(const fhir_audit_writer_t *writer, const fhir_audit_event_t *event, apr_pool_t *pool)
{
    fhir_text_t line;
    fhir_audit_event_t unwritten = *event;
    unwritten.sequence = 0;
    fhir_text_init(&line, pool);
    fhir_audit_event_line(&line, &unwritten);
    fhir_log(writer->log, FHIR_LOG_ERROR, APR_SUCCESS, "audit event lost: %.*s", (int)(line.length - 1), line.text);
}

static void stream(fhir_audit_writer_t *writer, const fhir_audit_event_t *event, apr_pool_t *pool)
{
    fhir_text_t line;
    if (!fhir_audit_streams(&writer->stream)) {
        return;
    }
    fhir_text_init(&line, pool);
    fhir_audit_event_line(&line, event);
    fhir_audit_stream_line(&writer->stream, &writer->stream_failing, line.text, line.length, writer->log);
}

/* ---- one by one ---- */

static fhir_error_t *write_now(fhir_audit_writer_t *writer, fhir_audit_event_t *event, apr_time_t until,
                               apr_pool_t *pool)
{
    fhir_audit_batch_t batch = {&event, 1, 0};
    fhir_call_t call = call_until(writer, until, pool);
    FHIR_TRY(fhir_meta_audit_write(writer->meta, &batch, &call));
    stream(writer, event, pool);
    return NULL;
}

static void write_alone(fhir_audit_writer_t *writer, fhir_audit_event_t *event, apr_time_t until)
{
    apr_pool_t *pool;
    fhir_error_t *error;
    apr_pool_create(&pool, writer->pool);
    error = write_now(writer, event, until, pool);
    if (error) {
        fhir_log_error(writer->log, FHIR_LOG_ERROR, error, "writing an audit event");
        lose(writer, event, pool);
    }
    apr_pool_destroy(pool);
    free(event);
}

static fhir_audit_event_t *make_copy(const fhir_audit_event_t *event, apr_pool_t *pool)
{
    fhir_audit_event_t made = *event;
    fhir_error_t *error = fhir_audit_event_id(&made.id, made.recorded, pool);
    if (error) {
        return NULL;
    }
    fhir_audit_event_clean(&made, pool);
    return fhir_audit_event_copy(&made);
}

void fhir_audit_add(fhir_audit_writer_t *writer, const fhir_audit_event_t *event, apr_time_t until, apr_pool_t *pool)
{
    fhir_audit_event_t *copy = make_copy(event, pool);
    if (!copy) {
        fhir_log(writer->log, FHIR_LOG_ERROR, APR_ENOMEM, "audit event lost: no memory for it");
        return;
    }
    if (!fhir_audit_queue_put(writer->queue, copy, until)) {
        write_alone(writer, copy, apr_time_now() + writer->settings->request_timeout);
    }
}

/* ---- the thread ---- */

void fhir_audit_expect_thread(fhir_app_t *app, const fhir_audit_thread_t *thread)
{
    fhir_audit_writer_t *writer = app->audit;
    writer->thread = *thread;
    fhir_audit_queue_open(writer->queue, FHIR_AUDIT_BATCH_MAX, thread->wake, thread->baton);
}

static int is_stopping(const run_t *run)
{
    return run->writer->thread.stopping(run->writer->thread.baton);
}

/* What is under way when the end comes has the time that the end has. */
static int is_out_of_time(void *baton)
{
    run_t *run = baton;
    if (!run->until && is_stopping(run)) {
        run->until = apr_time_now() + DRAIN_TIME;
    }
    return run->until && apr_time_now() >= run->until;
}

static fhir_call_t call_of(run_t *run)
{
    fhir_call_t call = call_until(run->writer, run->until ? run->until : apr_time_now() + BATCH_TIME, run->pool);
    call.cancelled = is_out_of_time;
    call.cancelled_baton = run;
    return call;
}

static void wait_for(const run_t *run, apr_interval_time_t time)
{
    run->writer->thread.pause(run->writer->thread.baton, time);
}

static void take(run_t *run)
{
    run->batch.events = run->events;
    run->batch.count = fhir_audit_queue_take(run->events, FHIR_AUDIT_BATCH_MAX, run->writer->queue);
    run->batch.uncertain = 0;
    run->refused = 0;
}

/* So many of the batch are done, or lost; the rest moves up. */
static void drop(run_t *run, int done)
{
    int i;
    for (i = 0; i < done; i++) {
        free(run->events[i]);
    }
    run->batch.count -= done;
    for (i = 0; i < run->batch.count; i++) {
        run->events[i] = run->events[i + done];
    }
    run->refused = 0;
}

static fhir_error_t *write_some(run_t *run, int count)
{
    fhir_audit_writer_t *writer = run->writer;
    fhir_audit_batch_t part = run->batch;
    fhir_call_t call = call_of(run);
    fhir_error_t *error;
    int i;
    part.count = run->tried = count;
    error = fhir_meta_audit_write(writer->meta, &part, &call);
    run->batch.uncertain = part.uncertain;
    if (!error) {
        for (i = 0; i < count; i++) {
            stream(writer, part.events[i], run->pool);
        }
        drop(run, count);
    }
    return error;
}

static int is_away(const fhir_error_t *error)
{
    return error->code == FHIR_ERROR_UNAVAILABLE || error->code == FHIR_ERROR_TIMEOUT ||
           error->code == FHIR_ERROR_CANCELLED;
}

static void report(run_t *run, const fhir_error_t *error)
{
    fhir_log_error(run->writer->log, run->failing ? FHIR_LOG_DEBUG : FHIR_LOG_WARNING, error,
                   "writing audit events; they are kept, trying on");
    run->failing = 1;
}

static void pause_after(const run_t *run, const fhir_error_t *error)
{
    if (run->until) {
        apr_sleep(PAUSE_AFTER_ERROR / 10); /* pauses are over for a thread that is to stop */
    } else {
        wait_for(run, is_away(error) ? PAUSE_AFTER_ERROR : PAUSE_AFTER_ERROR / 10);
    }
}

/* An event that the database refuses whenever it is asked must not hold up all others: it is found one by one. What may
 * have been committed is asked about as it was. */
static void write_batch(run_t *run)
{
    int alone = run->refused > 0;
    fhir_error_t *error = write_some(run, run->batch.uncertain ? run->tried : alone ? 1 : run->batch.count);
    if (!error) {
        run->refused = alone;
        run->failing = 0;
        return;
    }
    report(run, error);
    if (!is_away(error) && !run->batch.uncertain && ++run->refused > ATTEMPTS) {
        lose(run->writer, run->events[0], run->pool);
        drop(run, 1);
        run->refused = 1;
    }
    pause_after(run, error);
}

static int work_left(run_t *run)
{
    if (run->batch.count == 0) {
        take(run);
    }
    return run->batch.count > 0;
}

static void with_pool(run_t *run, void (*work)(run_t *run), apr_pool_t *parent)
{
    apr_pool_t *pool;
    apr_pool_create(&pool, parent);
    run->pool = pool;
    work(run);
    apr_pool_destroy(pool);
}

/* ---- retention ---- */

/* One step: events that wait are written between two of them. */
static void prune(run_t *run)
{
    fhir_audit_writer_t *writer = run->writer;
    apr_time_t before = apr_time_now() - writer->settings->audit_retention;
    apr_off_t pruned = 0;
    fhir_call_t call = call_of(run);
    fhir_error_t *error = fhir_meta_audit_prune(&pruned, writer->meta, before, &call);
    if (error) {
        fhir_log_error(writer->log, FHIR_LOG_WARNING, error, "removing old audit events; trying again later");
    }
    if (pruned == 0) {
        run->prune = apr_time_now() + PRUNE_INTERVAL;
    }
}

static int prune_is_due(const run_t *run)
{
    return run->writer->settings->audit_retention > 0 && apr_time_now() >= run->prune &&
           fhir_audit_queue_length(run->writer->queue) < CAPACITY / 2;
}

/* ---- */

static void drain(run_t *run, apr_pool_t *pool)
{
    (void)is_out_of_time(run);
    while (work_left(run) && apr_time_now() < run->until) {
        with_pool(run, write_batch, pool);
    }
    fhir_audit_queue_close(run->writer->queue);
    while (work_left(run)) {
        if (apr_time_now() < run->until) {
            with_pool(run, write_batch, pool);
        } else {
            lose(run->writer, run->events[0], pool);
            drop(run, 1);
        }
    }
}

void fhir_audit_run(fhir_app_t *app, apr_pool_t *pool)
{
    run_t *run = apr_pcalloc(pool, sizeof(*run));
    run->writer = app->audit;
    while (!is_stopping(run)) {
        int waiting = run->batch.count + fhir_audit_queue_length(run->writer->queue);
        if (prune_is_due(run)) {
            with_pool(run, prune, pool);
        }
        if (waiting == 0) {
            wait_for(run, prune_is_due(run) ? 0 : PRUNE_INTERVAL);
            continue;
        }
        if (run->batch.count == 0 && waiting < FHIR_AUDIT_BATCH_MAX) {
            wait_for(run, GATHER);
        }
        if (work_left(run)) {
            with_pool(run, write_batch, pool);
        }
    }
    drain(run, pool);
}
