/* The queue of attachments that are to be fetched from other servers. All times are the database's own. */
#include "external_fetch.h"
#include "pg.h"

#include <assert.h>

#define JOB_COLUMNS                                                                                                    \
    "f.id, f.project_id, f.type, f.resource_id, f.path, f.url, f.author_id, f.state, f.attempts, f.next_attempt, "     \
    "f.lease, f.error, f.binary_id, f.created_at, f.finished_at"
#define AFTER(parameter) "clock_timestamp() + " parameter "::bigint * interval '1 microsecond'"
#define HELD "id = $1::uuid AND lease = $2::uuid AND state = 1"

static const fhir_pg_statement_t fetch_enqueue = {
    FHIR_PG_FETCH_ENQUEUE, 0,
    "INSERT INTO fhir_binary.external_fetch AS f (project_id, author_id, type, resource_id, path, url) "
    "SELECT $1::uuid, $2::uuid, $3, $4, u.path, u.url FROM unnest($5::text[], $6::text[]) u (path, url) "
    "ON CONFLICT (project_id, type, resource_id, url) DO UPDATE SET path = EXCLUDED.path, "
    "author_id = EXCLUDED.author_id, state = 1, attempts = 0, next_attempt = clock_timestamp(), lease = NULL, "
    "error = NULL, binary_id = NULL, created_at = clock_timestamp(), finished_at = NULL "
    "WHERE f.state = 2 OR (f.state = 3 AND f.finished_at < clock_timestamp() - interval '1 hour')"};

static const fhir_pg_statement_t fetch_claim = {
    FHIR_PG_FETCH_CLAIM, 0,
    "WITH lost AS (UPDATE fhir_binary.external_fetch SET state = 3, lease = NULL, finished_at = clock_timestamp(), "
    "error = coalesce(error, 'This server stopped each time while it fetched.') "
    "WHERE state = 1 AND attempts >= $3::int AND next_attempt <= clock_timestamp()), "
    "due AS (SELECT id FROM fhir_binary.external_fetch w WHERE state = 1 AND attempts < $3::int "
    "AND next_attempt <= clock_timestamp() "
    "AND EXISTS (SELECT FROM fhir_binary.membership m WHERE m.id = w.author_id AND m.active) ORDER BY "
    "next_attempt LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "UPDATE fhir_binary.external_fetch f SET attempts = f.attempts + 1, lease = $1::uuid, "
    "next_attempt = " AFTER("$2") " FROM due WHERE f.id = due.id RETURNING " JOB_COLUMNS};

static const fhir_pg_statement_t fetch_renew = {
    FHIR_PG_FETCH_RENEW, 0, "UPDATE fhir_binary.external_fetch SET next_attempt = " AFTER("$3") " WHERE " HELD};

static const fhir_pg_statement_t fetch_finish = {
    FHIR_PG_FETCH_FINISH, 0,
    "WITH old AS (DELETE FROM fhir_binary.external_fetch WHERE state = 2 "
    "AND finished_at < clock_timestamp() - interval '30 days') "
    "UPDATE fhir_binary.external_fetch SET state = 2, lease = NULL, error = NULL, binary_id = $3, "
    "finished_at = clock_timestamp() WHERE " HELD};

static const fhir_pg_statement_t fetch_fail = {
    FHIR_PG_FETCH_FAIL, 0,
    "UPDATE fhir_binary.external_fetch SET lease = NULL, error = $3, "
    "state = CASE WHEN $4::boolean OR attempts >= $5::int THEN 3 ELSE 1 END, "
    "finished_at = CASE WHEN $4::boolean OR attempts >= $5::int THEN clock_timestamp() END, "
    "next_attempt = clock_timestamp() + CASE WHEN attempts <= 1 THEN interval '1 minute' ELSE interval '5 minutes' END "
    "WHERE " HELD};

static const fhir_pg_statement_t fetch_release = {
    FHIR_PG_FETCH_RELEASE, 0,
    "UPDATE fhir_binary.external_fetch SET lease = NULL, attempts = attempts - 1, next_attempt = clock_timestamp() "
    "WHERE " HELD};

static const fhir_pg_statement_t fetch_list = {
    FHIR_PG_FETCH_LIST, 1,
    "SELECT " JOB_COLUMNS " FROM fhir_binary.external_fetch f WHERE ($1::uuid IS NULL OR f.project_id = $1::uuid) "
    "AND (NOT $2::boolean OR f.state = 3) ORDER BY f.created_at DESC, f.id LIMIT 1000"};

static const fhir_pg_statement_t fetch_retry = {
    FHIR_PG_FETCH_RETRY, 0,
    "UPDATE fhir_binary.external_fetch SET state = 1, attempts = 0, next_attempt = clock_timestamp(), lease = NULL, "
    "finished_at = NULL WHERE id = $1::uuid AND state <> 2"};

static void read_job(fhir_fetch_job_t *job, const PGresult *result, int row, apr_pool_t *pool)
{
    job->id = fhir_pg_uuid(result, row, 0, pool);
    job->project_id = fhir_pg_uuid(result, row, 1, pool);
    job->type = fhir_pg_text(result, row, 2, pool);
    job->resource_id = fhir_pg_text(result, row, 3, pool);
    job->path = fhir_pg_text(result, row, 4, pool);
    job->url = fhir_pg_text(result, row, 5, pool);
    job->membership_id = fhir_pg_uuid(result, row, 6, pool);
    job->state = (fhir_fetch_state_t)fhir_pg_number(result, row, 7);
    job->attempts = (int)fhir_pg_number(result, row, 8);
    job->next_attempt = fhir_pg_time(result, row, 9);
    job->lease = fhir_pg_uuid(result, row, 10, pool);
    job->error = fhir_pg_text(result, row, 11, pool);
    job->binary_id = fhir_pg_text(result, row, 12, pool);
    job->created = fhir_pg_time(result, row, 13);
    job->finished = fhir_pg_time(result, row, 14);
}

fhir_error_t *fhir_meta_fetch_enqueue(fhir_meta_t *meta, const char *project_id, const char *membership_id,
                                      const char *type, const char *resource_id, const apr_array_header_t *urls,
                                      const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_array_t paths;
    fhir_pg_array_t texts;
    if (urls->nelts == 0) {
        return NULL;
    }
    fhir_pg_array_init(&paths, call->pool);
    fhir_pg_array_init(&texts, call->pool);
    for (int i = 0; i < urls->nelts; i++) {
        const fhir_fetch_url_t *url = &APR_ARRAY_IDX(urls, i, fhir_fetch_url_t);
        fhir_pg_array_add_text(&paths, url->path);
        fhir_pg_array_add_text(&texts, url->url);
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, membership_id);
    fhir_pg_add_text(&parameters, type);
    fhir_pg_add_text(&parameters, resource_id);
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&paths));
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&texts));
    return fhir_pg_change(NULL, meta, &fetch_enqueue, &parameters, call);
}

fhir_error_t *fhir_meta_fetch_claim(const fhir_fetch_job_t **job, fhir_meta_t *meta, apr_interval_time_t lease,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const char *turn;
    PGresult *result;
    *job = NULL;
    FHIR_TRY(fhir_random_uuid(&turn, call->pool));
    fhir_pg_add_text(&parameters, turn);
    fhir_pg_add_number(&parameters, lease);
    fhir_pg_add_number(&parameters, FHIR_FETCH_ATTEMPTS_MAX);
    FHIR_TRY(fhir_pg_run(&result, meta, &fetch_claim, &parameters, call));
    if (PQntuples(result) == 1) {
        fhir_fetch_job_t *claimed = apr_pcalloc(call->pool, sizeof(*claimed));
        read_job(claimed, result, 0, call->pool);
        *job = claimed;
    }
    PQclear(result);
    return NULL;
}

/* The first two parameters of what only the holder may do. */
static void add_held(fhir_pg_parameters_t *parameters, const fhir_fetch_job_t *job)
{
    assert(job->lease);
    fhir_pg_add_text(parameters, job->id);
    fhir_pg_add_text(parameters, job->lease);
}

fhir_error_t *fhir_meta_fetch_renew(int *held, fhir_meta_t *meta, const fhir_fetch_job_t *job,
                                    apr_interval_time_t lease, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    *held = 0;
    add_held(&parameters, job);
    fhir_pg_add_number(&parameters, lease);
    FHIR_TRY(fhir_pg_change(&changed, meta, &fetch_renew, &parameters, call));
    *held = changed == 1;
    return NULL;
}

fhir_error_t *fhir_meta_fetch_finish(fhir_meta_t *meta, const fhir_fetch_job_t *job, const char *binary_id,
                                     const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    add_held(&parameters, job);
    fhir_pg_add_text(&parameters, binary_id);
    return fhir_pg_change(NULL, meta, &fetch_finish, &parameters, call);
}

fhir_error_t *fhir_meta_fetch_fail(fhir_meta_t *meta, const fhir_fetch_job_t *job, const char *reason, int final,
                                   const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    add_held(&parameters, job);
    fhir_pg_add_text(&parameters, reason);
    fhir_pg_add_boolean(&parameters, final);
    fhir_pg_add_number(&parameters, FHIR_FETCH_ATTEMPTS_MAX);
    return fhir_pg_change(NULL, meta, &fetch_fail, &parameters, call);
}

fhir_error_t *fhir_meta_fetch_release(fhir_meta_t *meta, const fhir_fetch_job_t *job, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    add_held(&parameters, job);
    return fhir_pg_change(NULL, meta, &fetch_release, &parameters, call);
}

fhir_error_t *fhir_meta_fetch_list(apr_array_header_t **jobs, fhir_meta_t *meta, const char *project_id,
                                   int failed_only, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *jobs = apr_array_make(call->pool, 16, sizeof(fhir_fetch_job_t));
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_boolean(&parameters, failed_only);
    FHIR_TRY(fhir_pg_run(&result, meta, &fetch_list, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        read_job(apr_array_push(*jobs), result, row, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_fetch_retry(fhir_meta_t *meta, const char *id, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed = 0;
    if (fhir_pg_is_uuid(id)) {
        fhir_pg_add_text(&parameters, id);
        FHIR_TRY(fhir_pg_change(&changed, meta, &fetch_retry, &parameters, call));
    }
    return changed ? NULL
                   : fhir_error_public(call->pool, FHIR_ERROR_NOT_FOUND,
                                       "There is no fetch with this id that is waiting or failed.");
}
