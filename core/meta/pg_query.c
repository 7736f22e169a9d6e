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
