/* Statements whose text depends on what is asked: searches. Values are always parameters. */
#include "pg.h"

void fhir_pg_query_init(fhir_pg_query_t *query, apr_pool_t *pool)
{
    fhir_text_init(&query->sql, pool);
    query->values = apr_array_make(pool, 16, sizeof(const char *));
    query->too_many = 0;
}

void fhir_pg_query_text(fhir_pg_query_t *query, const char *value)
{
    if (query->values->nelts == FHIR_PG_QUERY_PARAMETERS_MAX) {
        query->too_many = 1;
        return;
    }
    APR_ARRAY_PUSH(query->values, const char *) = value && fhir_pg_is_valid(value) ? value : NULL;
    fhir_text_addf(&query->sql, "$%d", query->values->nelts);
}

void fhir_pg_query_number(fhir_pg_query_t *query, apr_int64_t number)
{
    fhir_pg_query_text(query, apr_psprintf(query->values->pool, "%" APR_INT64_T_FMT, number));
}

fhir_error_t *fhir_pg_query_execute(PGresult **result, fhir_pg_connection_t *connection, const fhir_pg_query_t *query,
                                    apr_time_t deadline, const fhir_call_t *call)
{
    fhir_error_t *error;
    if (query->too_many) {
        return fhir_error_public(call->pool, FHIR_ERROR_TOO_LARGE,
                                 "The search has too many values: ask for fewer of them at a time.");
    }
    if (!PQsendQueryParams(connection->handle, query->sql.text, query->values->nelts, NULL,
                           (const char *const *)query->values->elts, NULL, NULL, 1)) {
        return fhir_pg_lost(connection, call);
    }
    FHIR_TRY(fhir_pg_collect(result, connection, deadline, call));
    return fhir_pg_refused(&error, *result, connection, call) ? error : NULL;
}

/* ---- turns ----
 * A search may take as long as a statement may. A quarter of the connections is for what is quick, so that those who
 * read and write need not wait for those who search. */

#define TURN_CHECK apr_time_from_msec(20)

static int take_turn(fhir_meta_t *meta)
{
    int most = meta->config.pool_size - meta->config.pool_size / 4;
    int taken;
    apr_thread_mutex_lock(meta->mutex);
    taken = meta->searches < most;
    meta->searches += taken;
    apr_thread_mutex_unlock(meta->mutex);
    return taken;
}

static void end_turn(fhir_meta_t *meta)
{
    apr_thread_mutex_lock(meta->mutex);
    meta->searches--;
    apr_thread_mutex_unlock(meta->mutex);
}

static fhir_error_t *wait_for_turn(fhir_meta_t *meta, const fhir_call_t *call)
{
    apr_time_t deadline = apr_time_now() + meta->config.acquire_timeout;
    if (call->deadline && call->deadline < deadline) {
        deadline = call->deadline;
    }
    while (!take_turn(meta)) {
        if (call->cancelled && call->cancelled(call->cancelled_baton)) {
            return fhir_error_create(call->pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "The request was cancelled.",
                                     "cancelled while waiting for other searches");
        }
        if (apr_time_now() >= deadline) {
            return fhir_pg_timeout("too many searches at once", call->pool);
        }
        apr_sleep(TURN_CHECK);
    }
    return NULL;
}

static fhir_error_t *run(PGresult **result, fhir_meta_t *meta, const fhir_pg_query_t *query, const fhir_call_t *call)
{
    for (int attempt = 1;; attempt++) {
        fhir_pg_connection_t *connection;
        fhir_error_t *error;
        int broken;
        FHIR_TRY(fhir_pg_acquire(&connection, meta, 1, call));
        error = fhir_pg_query_execute(result, connection, query, fhir_pg_deadline(meta, call), call);
        broken = connection->broken;
        fhir_pg_release(meta, connection);
        if (!error || !broken || error->code != FHIR_ERROR_UNAVAILABLE || attempt == 2) {
            return error;
        }
        fhir_log_error(call->log, FHIR_LOG_DEBUG, error, "database connection lost, trying once more");
    }
}

fhir_error_t *fhir_pg_query_run(PGresult **result, fhir_meta_t *meta, const fhir_pg_query_t *query,
                                const fhir_call_t *call)
{
    fhir_error_t *error;
    FHIR_TRY(wait_for_turn(meta, call));
    error = run(result, meta, query, call);
    end_turn(meta);
    return error;
}
