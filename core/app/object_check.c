/* Work on many stored objects outside of requests: its calls, its pace, and reading an object to compare it. */
#include "object_check.h"

#include <string.h>

#define STEP apr_time_from_msec(100)
/* The clock and the sleep are not finer than this. */
#define PACE_SLACK apr_time_from_msec(20)

void fhir_object_job_init(fhir_object_job_t *job, apr_pool_t *pool)
{
    memset(job, 0, sizeof(*job));
    job->buffer = apr_palloc(pool, FHIR_OBJECT_JOB_BUFFER);
}

fhir_call_t fhir_object_job_last_call(const fhir_object_job_t *job, apr_pool_t *pool)
{
    fhir_call_t call = {0};
    call.pool = pool;
    call.deadline = apr_time_now() + job->timeout;
    call.request_id = "fhirbinctl";
    call.log = job->log;
    return call;
}

fhir_call_t fhir_object_job_call(const fhir_object_job_t *job, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    call.cancelled = job->stopping;
    call.cancelled_baton = job->baton;
    return call;
}

int fhir_object_job_wait(const fhir_object_job_t *job, apr_interval_time_t time)
{
    apr_time_t end = apr_time_now() + time;
    apr_interval_time_t left = time;
    while (left > 0) {
        if (job->stopping && job->stopping(job->baton)) {
            return 0;
        }
        apr_sleep(left < STEP ? left : STEP);
        left = end - apr_time_now();
    }
    return !job->stopping || !job->stopping(job->baton);
}

void fhir_object_job_pace(fhir_object_job_t *job, apr_size_t bytes)
{
    apr_time_t now = apr_time_now();
    if (job->rate <= 0) {
        return;
    }
    /* What was not used before is not made up for. */
    job->next_read = job->next_read > now - PACE_SLACK ? job->next_read : now - PACE_SLACK;
    job->next_read += (apr_interval_time_t)((double)bytes * APR_USEC_PER_SEC / (double)job->rate);
    if (job->next_read > now) {
        (void)fhir_object_job_wait(job, job->next_read - now);
    }
}

static fhir_error_t *hash_object(fhir_digest_t *digest, fhir_object_job_t *job, fhir_open_store_t *store,
                                 const char *locator, const fhir_content_t *content, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_call(job, pool);
    fhir_object_reader_t *reader;
    apr_size_t length = 1;
    FHIR_TRY(fhir_object_open(&reader, store, locator, 0, -1, content->size, &call));
    while (length > 0) {
        length = FHIR_OBJECT_JOB_BUFFER;
        FHIR_TRY(fhir_object_read(reader, job->buffer, &length));
        fhir_digest_update(digest, job->buffer, length);
        fhir_object_job_pace(job, length);
    }
    fhir_object_close(reader);
    return NULL;
}

static int same_hash(fhir_digest_t *digest, const fhir_content_t *content)
{
    const unsigned char *value;
    apr_size_t length = 0;
    fhir_digest_finish(digest);
    value = fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length);
    return value && length == sizeof(content->sha256) && memcmp(value, content->sha256, length) == 0;
}

fhir_object_state_t fhir_object_state_of(const fhir_error_t *error, const fhir_object_job_t *job,
                                         fhir_open_store_t *store, const char *locator, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    fhir_object_info_t info;
    const fhir_error_t *said;
    if (error->code != FHIR_ERROR_CORRUPT) {
        return FHIR_OBJECT_UNREADABLE;
    }
    said = fhir_object_stat(&info, store, locator, &call);
    return said && said->code == FHIR_ERROR_NOT_FOUND ? FHIR_OBJECT_MISSING : FHIR_OBJECT_ALTERED;
}

fhir_object_state_t fhir_object_check(fhir_error_t **error, fhir_object_job_t *job, fhir_open_store_t *store,
                                      const char *locator, const fhir_content_t *content, apr_pool_t *pool)
{
    fhir_digest_t *digest;
    *error = fhir_digest_create(&digest, FHIR_DIGEST_SHA256, pool);
    if (!*error) {
        *error = hash_object(digest, job, store, locator, content, pool);
    }
    if (*error) {
        return fhir_object_state_of(*error, job, store, locator, pool);
    }
    return same_hash(digest, content) ? FHIR_OBJECT_GOOD : FHIR_OBJECT_ALTERED;
}

const char *fhir_object_state_text(fhir_object_state_t state)
{
    static const char *const texts[] = {"good", "missing", "altered", "unreadable"};
    return texts[state];
}
