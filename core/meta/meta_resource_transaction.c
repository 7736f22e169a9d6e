/* Several writes at once, on one connection that is held from begin to commit or rollback. */
#include "pg_resource.h"

#include <string.h>

/* A process that hangs in the middle must not hold its locks for ever. */
#define BEGIN "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '60s'"
#define ROLLBACK_TIME apr_time_from_sec(2)

static const fhir_pg_statement_t transaction_lock = {FHIR_PG_TRANSACTION_LOCK, 0,
                                                     "SELECT pg_catalog.pg_advisory_xact_lock($1::bigint)"};

static const fhir_pg_statement_t transaction_load = {
    FHIR_PG_TRANSACTION_LOAD, 0,
    "SELECT " FHIR_PG_RESOURCE_COLUMNS("v") " FROM fhir_binary.resource r "
                                            "JOIN fhir_binary.resource_version v ON v.version_id = r.version_id "
                                            "WHERE r.project_id = $1::uuid AND r.type = $2 AND r.id = $3"};

struct fhir_transaction_t {
    fhir_meta_t *meta;
    const fhir_call_t *call;
    apr_pool_t *pool;
    fhir_pg_connection_t *connection; /* NULL: it has ended */
};

static void release(fhir_transaction_t *transaction)
{
    fhir_pg_release(transaction->meta, transaction->connection);
    transaction->connection = NULL;
}

/* Needs no pool of the caller, which may be the one that is being destroyed. What can't be rolled back is disconnected:
 * then the server does it. */
static void roll_back(fhir_transaction_t *transaction)
{
    fhir_pg_connection_t *connection = transaction->connection;
    fhir_call_t own = {.deadline = apr_time_now() + ROLLBACK_TIME};
    fhir_error_t *error;
    PGresult *result;
    if (!connection->broken) {
        apr_pool_create(&own.pool, NULL);
        error = fhir_pg_text_query(&result, connection, "ROLLBACK", 0, &own);
        if (error) {
            connection->broken = 1;
        } else {
            PQclear(result);
        }
        apr_pool_destroy(own.pool);
    }
    release(transaction);
}

static apr_status_t end_with_pool(void *data)
{
    fhir_transaction_t *transaction = data;
    if (transaction->connection) {
        roll_back(transaction);
    }
    return APR_SUCCESS;
}

static fhir_error_t *execute(fhir_pg_connection_t *connection, const char *sql, const char *expected_tag,
                             apr_time_t deadline, const fhir_call_t *call)
{
    PGresult *result;
    fhir_error_t *error = NULL;
    FHIR_TRY(fhir_pg_text_query(&result, connection, sql, deadline, call));
    /* COMMIT of a transaction that has failed is no error to PostgreSQL: it says ROLLBACK. */
    if (expected_tag && strcmp(PQcmdStatus(result), expected_tag) != 0) {
        error = fhir_pg_internal("the transaction had failed before its commit", call->pool);
    }
    PQclear(result);
    return error;
}

/* Nothing has been done yet, so a connection that proves dead is replaced once. */
static fhir_error_t *begin(fhir_pg_connection_t **connection, fhir_meta_t *meta, const fhir_call_t *call)
{
    for (int attempt = 1;; attempt++) {
        fhir_error_t *error;
        int broken;
        FHIR_TRY(fhir_pg_acquire(connection, meta, 1, call));
        error = execute(*connection, BEGIN, NULL, fhir_pg_deadline(meta, call), call);
        if (!error) {
            return NULL;
        }
        broken = (*connection)->broken;
        (*connection)->broken = 1;
        fhir_pg_release(meta, *connection);
        if (!broken || error->code != FHIR_ERROR_UNAVAILABLE || attempt == 2) {
            return error;
        }
        fhir_log_error(call->log, FHIR_LOG_DEBUG, error, "database connection lost, trying once more");
    }
}

fhir_error_t *fhir_meta_begin(fhir_transaction_t **transaction, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_transaction_t *made = apr_pcalloc(call->pool, sizeof(*made));
    fhir_call_t *own = apr_pmemdup(call->pool, call, sizeof(*call));
    *transaction = NULL;
    made->meta = meta;
    made->call = own;
    made->pool = call->pool;
    FHIR_TRY(begin(&made->connection, meta, call));
    /* Before the pool's children and cleanups of the connections themselves: a pool's own cleanups come later. */
    apr_pool_pre_cleanup_register(call->pool, made, end_with_pool);
    *transaction = made;
    return NULL;
}

static fhir_error_t *check_open(const fhir_transaction_t *transaction)
{
    return transaction->connection ? NULL : fhir_pg_internal("the transaction has ended", transaction->pool);
}

fhir_error_t *fhir_pg_run_in(PGresult **result, fhir_transaction_t *transaction, const fhir_pg_statement_t *statement,
                             const fhir_pg_parameters_t *parameters)
{
    int executed = 0;
    FHIR_TRY(check_open(transaction));
    return fhir_pg_execute(result, &executed, transaction->connection, statement, parameters,
                           fhir_pg_deadline(transaction->meta, transaction->call), transaction->call);
}

fhir_error_t *fhir_transaction_lock(fhir_transaction_t *transaction, const char *project_id, const char *type,
                                    const char *canonical)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_pg_add_number(&parameters, fhir_search_term(project_id, type, "", canonical, transaction->pool));
    FHIR_TRY(fhir_pg_run_in(&result, transaction, &transaction_lock, &parameters));
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_transaction_search(apr_array_header_t **matches, fhir_transaction_t *transaction,
                                      const char *project_id, const fhir_search_t *search, int limit)
{
    const fhir_call_t *call = transaction->call;
    fhir_pg_page_t page = {.limit = limit > 0 ? limit : 1};
    fhir_search_t first = *search;
    fhir_search_page_t rows;
    fhir_pg_found_t found;
    fhir_pg_query_t query;
    PGresult *result;
    FHIR_TRY(check_open(transaction));
    first.offset = 0;
    first.cursor = NULL;
    FHIR_TRY(fhir_pg_search_sql(&query, project_id, &first, &page, call->pool));
    FHIR_TRY(fhir_pg_query_execute(&result, transaction->connection, &query, fhir_pg_deadline(transaction->meta, call),
                                   call));
    fhir_pg_read_page(&rows, &found, result, project_id, &first, call->pool);
    PQclear(result);
    *matches = rows.matches;
    return NULL;
}

fhir_error_t *fhir_transaction_load(const fhir_resource_t **current, fhir_transaction_t *transaction,
                                    const char *project_id, const char *type, const char *id)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_pool_t *pool = transaction->pool;
    PGresult *result;
    *current = NULL;
    if (!fhir_pg_is_valid(type) || !fhir_pg_is_valid(id)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, type);
    fhir_pg_add_text(&parameters, id);
    FHIR_TRY(fhir_pg_run_in(&result, transaction, &transaction_load, &parameters));
    if (PQntuples(result)) {
        *current = fhir_pg_resource(result, 0, 0, apr_pstrdup(pool, project_id), apr_pstrdup(pool, type),
                                    apr_pstrdup(pool, id), pool);
    }
    PQclear(result);
    return NULL;
}

/* What is derived at commit may refuse: asked now, so that the commit itself fails only with the connection. */
static fhir_error_t *derive_now(const fhir_transaction_t *transaction)
{
    return execute(transaction->connection,
                   "SET CONSTRAINTS fhir_binary.project_membership IMMEDIATE; "
                   "SET CONSTRAINTS fhir_binary.project_membership DEFERRED",
                   NULL, fhir_pg_deadline(transaction->meta, transaction->call), transaction->call);
}

fhir_error_t *fhir_transaction_write(const fhir_resource_t **resource, fhir_transaction_t *transaction,
                                     const fhir_resource_change_t *change)
{
    FHIR_TRY(fhir_pg_write_resource(resource, transaction->meta, transaction, change, transaction->call));
    return strcmp(change->type, "ProjectMembership") == 0 ? derive_now(transaction) : NULL;
}

fhir_error_t *fhir_transaction_write_binary(const fhir_binary_t **binary, fhir_transaction_t *transaction,
                                            const fhir_version_change_t *change)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_error_t *error;
    *binary = NULL;
    fhir_pg_add_version_change(&parameters, change);
    error = fhir_pg_explain(fhir_pg_run_in(&result, transaction, &fhir_pg_commit_version, &parameters),
                            FHIR_ERROR_EXISTS, "This version exists already.");
    FHIR_TRY(error);
    error = fhir_pg_version_made(binary, result, change, transaction->pool);
    PQclear(result);
    return error;
}

fhir_error_t *fhir_transaction_commit(fhir_transaction_t *transaction)
{
    fhir_error_t *error;
    FHIR_TRY(check_open(transaction));
    error = execute(transaction->connection, "COMMIT", "COMMIT", fhir_pg_deadline(transaction->meta, transaction->call),
                    transaction->call);
    transaction->connection->broken |= error != NULL;
    release(transaction);
    apr_pool_cleanup_kill(transaction->pool, transaction, end_with_pool);
    return error;
}

void fhir_transaction_rollback(fhir_transaction_t *transaction)
{
    if (transaction->connection) {
        roll_back(transaction);
        apr_pool_cleanup_kill(transaction->pool, transaction, end_with_pool);
    }
}
