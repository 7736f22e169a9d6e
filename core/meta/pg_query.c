/* Statements whose text depends on what is asked: searches. Values are always parameters. */
#include "pg.h"

#include <string.h>

/* Sent around the query in one pipeline: its plan is made for its values and not kept; the session's setting (see
 * pg_connect.c) holds again after it, in a transaction too. */
#define PLAN_FOR_VALUES "SELECT pg_catalog.set_config('plan_cache_mode', 'force_custom_plan', true)"
#define PLAN_AS_BEFORE "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)"
enum { PIPELINED = 3, THE_QUERY = 1 };

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

static fhir_error_t *send_pipeline(fhir_pg_connection_t *connection, const fhir_pg_query_t *query,
                                   const fhir_call_t *call)
{
    PGconn *handle = connection->handle;
    if (!PQenterPipelineMode(handle) || !PQsendQueryParams(handle, PLAN_FOR_VALUES, 0, NULL, NULL, NULL, NULL, 1) ||
        !PQsendQueryParams(handle, query->sql.text, query->values->nelts, NULL,
                           (const char *const *)query->values->elts, NULL, NULL, 1) ||
        !PQsendQueryParams(handle, PLAN_AS_BEFORE, 0, NULL, NULL, NULL, NULL, 1) || !PQpipelineSync(handle)) {
        return fhir_pg_lost(connection, call);
    }
    return NULL;
}

/* The query's own answer, or the first error. Each statement's results end with a NULL, the pipeline with its own. */
static fhir_error_t *collect(PGresult **result, fhir_pg_connection_t *connection, apr_time_t deadline,
                             const fhir_call_t *call)
{
    int statement = 0;
    FHIR_TRY(fhir_pg_flush(connection, deadline, call));
    for (;;) {
        PGresult *next;
        ExecStatusType status;
        FHIR_TRY(fhir_pg_await(connection, deadline, call));
        next = PQgetResult(connection->handle);
        status = next ? PQresultStatus(next) : PGRES_EMPTY_QUERY;
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(next);
            return PQexitPipelineMode(connection->handle) ? NULL : fhir_pg_lost(connection, call);
        }
        if (!next && (++statement > PIPELINED || PQstatus(connection->handle) != CONNECTION_OK)) {
            return fhir_pg_lost(connection, call);
        }
        if (next && !*result && (statement == THE_QUERY || status == PGRES_FATAL_ERROR)) {
            *result = next;
        } else {
            PQclear(next);
        }
    }
}

fhir_error_t *fhir_pg_query_execute(PGresult **result, fhir_pg_connection_t *connection, const fhir_pg_query_t *query,
                                    apr_time_t deadline, const fhir_call_t *call)
{
    fhir_error_t *error;
    *result = NULL;
    if (query->too_many) {
        return fhir_error_public(call->pool, FHIR_ERROR_TOO_LARGE,
                                 "The search has too many values: ask for fewer of them at a time.");
    }
    error = send_pipeline(connection, query, call);
    if (!error) {
        error = collect(result, connection, deadline, call);
    }
    if (error) {
        /* What the server said last tells more than that it has gone. */
        if (!(*result && connection->broken && fhir_pg_refused(&error, *result, connection, call))) {
            PQclear(*result);
        }
        if (!connection->broken) {
            fhir_pg_give_up(connection);
        }
        return error;
    }
    if (!*result) {
        return fhir_pg_lost(connection, call);
    }
    return fhir_pg_refused(&error, *result, connection, call) ? error : NULL;
}

fhir_error_t *fhir_pg_query_run(PGresult **result, fhir_meta_t *meta, const fhir_pg_query_t *query,
                                const fhir_call_t *call)
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
