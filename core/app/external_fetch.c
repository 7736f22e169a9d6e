/* The background worker for attachments of other servers: one job from claim to the resource's new version. */
#include "external_fetch.h"

#include "../fetch/download.h"
#include "external_fetch_attach.h"
#include "intake.h"

#include <apr_escape.h>
#include <string.h>

#define LEASE apr_time_from_sec(60)
#define RENEW_AFTER apr_time_from_sec(15)
#define DEFAULT_CONTENT_TYPE "application/octet-stream"

/* One job on its way. */
typedef struct work_t {
    fhir_exchange_t exchange; /* without a request: what the functions of writes need */
    const fhir_fetch_job_t *job;
    int (*stopping)(void *baton);
    void *stopping_baton;
    apr_time_t renewed;
    int lost; /* somebody else has the job */
    const char *content_type;
    const char *filename;
    fhir_open_store_t *store;
    fhir_object_writer_t *writer;
    fhir_content_t *content; /* NULL: nothing is registered */
    int unanswered;          /* the commit: the store may still be at it */
} work_t;

static int is_stopping(void *baton)
{
    const work_t *work = baton;
    return work->lost || work->stopping(work->stopping_baton);
}

static fhir_call_t call_of(work_t *work)
{
    fhir_call_t call = {0};
    call.pool = work->exchange.pool;
    call.deadline = apr_time_now() + work->exchange.settings->request_timeout;
    call.request_id = work->job ? work->job->id : NULL;
    call.log = work->exchange.app->log;
    call.cancelled = is_stopping;
    call.cancelled_baton = work;
    return call;
}

/* For what must be written down even if we stop. */
static fhir_call_t last_call_of(work_t *work)
{
    fhir_call_t call = call_of(work);
    call.cancelled = NULL;
    return call;
}

/* ---- the lease ---- */

/* An error is no loss yet: the lease holds a while, and the next try may succeed. */
static void renew(work_t *work)
{
    fhir_call_t call = call_of(work);
    apr_pool_t *scratch;
    fhir_error_t *error;
    int held = 1;
    apr_pool_create(&scratch, work->exchange.pool);
    call.pool = scratch;
    call.cancelled = NULL;
    error = fhir_meta_fetch_renew(&held, work->exchange.app->meta, work->job, LEASE, &call);
    if (error) {
        fhir_log_error(call.log, FHIR_LOG_INFO, error, "renewing the lease of a fetch");
    }
    work->lost = !error && !held;
    work->renewed = apr_time_now();
    apr_pool_destroy(scratch);
}

/* Asked by the download, about once a second. */
static int is_stopping_or_renew(void *baton)
{
    work_t *work = baton;
    if (!is_stopping(work) && apr_time_now() - work->renewed > RENEW_AFTER) {
        renew(work);
    }
    return is_stopping(work);
}

/* ---- the object ---- */

/* The last part of the URL's path, decoded. */
static const char *file_name(const char *url, apr_pool_t *pool)
{
    const char *path = strchr(url + strlen("https://"), '/');
    apr_size_t length = path ? strcspn(path, "?#") : 0;
    const char *last;
    const char *decoded;
    if (length == 0) {
        return NULL;
    }
    path = apr_pstrmemdup(pool, path, length);
    last = strrchr(path, '/') + 1;
    decoded = apr_punescape_url(pool, last, NULL, NULL, 0);
    return decoded && *decoded ? fhir_filename_clean(decoded, pool) : NULL;
}

/* A type that can't be understood is nobody's promise. */
static const char *content_type_of(const char *sent, apr_pool_t *pool)
{
    fhir_media_type_t media_type;
    fhir_error_t *error = sent ? fhir_media_type_parse(&media_type, sent, pool) : NULL;
    return sent && !error ? media_type.text : DEFAULT_CONTENT_TYPE;
}

static apr_off_t size_limit(const fhir_settings_t *settings)
{
    return settings->fetch_max_size < settings->max_object_size ? settings->fetch_max_size : settings->max_object_size;
}

/* Registered before the first byte is stored, as for every upload. */
static fhir_error_t *open_object(work_t *work, apr_off_t expected_length)
{
    const fhir_settings_t *settings = work->exchange.settings;
    fhir_content_t *content = apr_pcalloc(work->exchange.pool, sizeof(*content));
    fhir_call_t call = call_of(work);
    FHIR_TRY(fhir_store_get(&work->store, settings->catalog, settings->default_store, call.pool));
    FHIR_TRY(fhir_store_new_object(&content->object_key, &content->locator, work->store, &call));
    content->store = fhir_store_name(work->store);
    FHIR_TRY(fhir_meta_object_register(work->exchange.app->meta, work->job->project_id, content->object_key,
                                       content->store, content->locator, &call));
    work->content = content;
    return fhir_object_begin(&work->writer, work->store, content->object_key, content->locator, expected_length,
                             work->content_type, size_limit(settings), &call);
}

static fhir_error_t *take_head(void *baton, const fhir_download_head_t *head)
{
    work_t *work = baton;
    work->content_type = content_type_of(head->content_type, work->exchange.pool);
    FHIR_TRY(fhir_check_refused(&work->exchange, work->content_type, work->filename));
    return open_object(work, head->length);
}

static fhir_error_t *take_data(void *baton, const char *bytes, apr_size_t length)
{
    work_t *work = baton;
    return fhir_object_write(work->writer, bytes, length);
}

static fhir_error_t *download(work_t *work)
{
    const fhir_settings_t *settings = work->exchange.settings;
    const fhir_download_sink_t sink = {take_head, take_data, work};
    fhir_download_options_t options = {0};
    fhir_call_t call = call_of(work);
    options.hosts = settings->fetch_hosts;
    options.networks = settings->fetch_addresses;
    options.ca_file = settings->fetch_ca_file;
    options.max_size = size_limit(settings);
    options.total_timeout = settings->fetch_timeout;
    call.deadline = 0;
    call.cancelled = is_stopping_or_renew;
    return fhir_download(work->job->url, &options, &sink, &call);
}

static fhir_error_t *commit_object(work_t *work)
{
    fhir_written_t written;
    fhir_error_t *error = fhir_object_commit(&written, work->writer, work->exchange.settings->request_timeout);
    work->unanswered = fhir_commit_unanswered(error);
    FHIR_TRY(error);
    work->content->size = written.size;
    memcpy(work->content->sha256, written.sha256, sizeof(written.sha256));
    memcpy(work->content->sha1, written.sha1, sizeof(written.sha1));
    return NULL;
}

/* Failures here lose nothing: the pending row stays and `fhirbinctl store orphans` shows it. */
static void discard_object(work_t *work)
{
    fhir_call_t call = last_call_of(work);
    fhir_error_t *error = NULL;
    int existed;
    if (!work->content) {
        return;
    }
    if (work->writer) {
        fhir_object_abort(work->writer);
        error = fhir_object_remove(&existed, work->store, work->content->locator, &call);
    }
    if (!error && !work->unanswered) {
        error = fhir_meta_object_forget(work->exchange.app->meta, work->content->object_key, &call);
    }
    if (error) {
        fhir_log_error(call.log, FHIR_LOG_WARNING, error, "removing what was fetched in vain");
    }
    work->content = NULL;
}

/* ---- the job ---- */

static void count(fhir_app_t *app, const fhir_content_t *content)
{
    atomic_fetch_add_explicit(&app->uploads, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&app->uploaded, (uint_least64_t)content->size, memory_order_relaxed);
}

/* Up to the resource's new version. *binary_id stays NULL if the resource has no such URL any more. */
static fhir_error_t *fetch(const char **binary_id, work_t *work)
{
    fhir_call_t call = call_of(work);
    fhir_attach_t attach = {0};
    int wanted;
    fhir_error_t *error;
    *binary_id = NULL;
    attach.app = work->exchange.app;
    attach.job = work->job;
    FHIR_TRY(fhir_attach_wanted(&wanted, &attach, &call));
    if (!wanted) {
        return NULL;
    }
    work->filename = file_name(work->job->url, call.pool);
    FHIR_TRY(fhir_check_refused(&work->exchange, NULL, work->filename));
    FHIR_TRY(download(work));
    FHIR_TRY(commit_object(work));
    renew(work);
    attach.content = work->content;
    attach.content_type = work->content_type;
    attach.filename = work->filename;
    call = call_of(work);
    error = fhir_attach(&attach, &call);
    if (attach.outcome != FHIR_ATTACH_NOTHING) {
        work->content = NULL; /* the database has it, or may have it */
    }
    if (attach.outcome == FHIR_ATTACH_DONE) {
        *binary_id = attach.binary_id;
        count(work->exchange.app, attach.content);
    }
    return error;
}

static int is_final(const fhir_error_t *error)
{
    switch (error->code) {
    case FHIR_ERROR_INVALID:
    case FHIR_ERROR_TOO_LARGE:
    case FHIR_ERROR_UNSUPPORTED:
        return error->retry == FHIR_RETRY_NO;
    default:
        return 0;
    }
}

/* The record of the failure: a row for `fhirbinctl fetch list`, a line in the log. */
static fhir_error_t *record_failure(work_t *work, const fhir_error_t *error)
{
    const fhir_fetch_job_t *job = work->job;
    fhir_call_t call = last_call_of(work);
    int final = is_final(error) || job->attempts >= FHIR_FETCH_ATTEMPTS_MAX;
    fhir_log_error(call.log, final ? FHIR_LOG_WARNING : FHIR_LOG_INFO, error,
                   apr_psprintf(call.pool, "fetching an attachment of %s/%s (fetch %s, attempt %d%s)", job->type,
                                job->resource_id, job->id, job->attempts, final ? ", the last one" : ""));
    return fhir_meta_fetch_fail(work->exchange.app->meta, job, error->public_text, final, &call);
}

static fhir_error_t *do_job(work_t *work)
{
    fhir_app_t *app = work->exchange.app;
    const char *binary_id;
    fhir_error_t *error = fetch(&binary_id, work);
    fhir_call_t call = last_call_of(work);
    discard_object(work);
    if (work->lost) {
        return NULL;
    }
    if (error && work->stopping(work->stopping_baton)) {
        return fhir_meta_fetch_release(app->meta, work->job, &call);
    }
    if (error) {
        return record_failure(work, error);
    }
    return fhir_meta_fetch_finish(app->meta, work->job, binary_id, &call);
}

fhir_error_t *fhir_external_fetch_run(int *worked, fhir_app_t *app, int (*stopping)(void *baton), void *baton,
                                      apr_pool_t *pool)
{
    work_t work = {0};
    fhir_call_t call;
    work.exchange.app = app;
    work.exchange.settings = app->settings;
    work.exchange.pool = pool;
    work.stopping = stopping;
    work.stopping_baton = baton;
    *worked = 0;
    call = call_of(&work);
    FHIR_TRY(fhir_meta_fetch_claim(&work.job, app->meta, LEASE, &call));
    if (!work.job) {
        return NULL;
    }
    *worked = 1;
    work.renewed = apr_time_now();
    return do_job(&work);
}
