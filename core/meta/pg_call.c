/* One call on a connection: send, wait with deadline and cancel check, collect. A call that has to be given up is
 * cancelled on the server and its connection is dropped: nobody else shall get its late answer. */
#include "pg.h"

#include <errno.h>
#include <poll.h>

#define CANCEL_CHECK (500 * APR_INT64_C(1000))
/* The server's own statement_timeout shall come first: then the connection survives. */
#define GRACE (500 * APR_INT64_C(1000))

static int slice(apr_time_t deadline, apr_time_t now)
{
    apr_interval_time_t left = deadline ? deadline - now : CANCEL_CHECK;
    return (int)((left < CANCEL_CHECK ? left : CANCEL_CHECK) / 1000) + 1;
}

fhir_error_t *fhir_pg_wait(int socket, short events, apr_time_t deadline, const fhir_call_t *call)
{
    struct pollfd ready = {.fd = socket, .events = events};
    for (;;) {
        apr_time_t now = apr_time_now();
        int count;
        if (deadline && now >= deadline) {
            return fhir_pg_timeout("the deadline passed while waiting for the database", call->pool);
        }
        count = poll(&ready, 1, slice(deadline, now));
        if (count > 0) {
            return NULL;
        }
        if (count < 0 && errno != EINTR) {
            return fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, APR_FROM_OS_ERROR(errno),
                                     "The server could not wait for its database.", "poll failed");
        }
        if (call->cancelled && call->cancelled(call->cancelled_baton)) {
            return fhir_error_create(call->pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "The request was cancelled.",
                                     "cancelled while waiting for the database");
        }
    }
}

fhir_error_t *fhir_pg_lost(fhir_pg_connection_t *connection, const fhir_call_t *call)
{
    connection->broken = 1;
    return fhir_pg_unavailable(fhir_pg_last_words(connection->handle, call->pool), call->pool);
}

/* Until all is sent; input is taken meanwhile, else both sides could wait for each other. */
static fhir_error_t *flush(fhir_pg_connection_t *connection, apr_time_t deadline, const fhir_call_t *call)
{
    int unsent;
    while ((unsent = PQflush(connection->handle)) == 1) {
        FHIR_TRY(fhir_pg_wait(PQsocket(connection->handle), POLLIN | POLLOUT, deadline, call));
        if (!PQconsumeInput(connection->handle)) {
            return fhir_pg_lost(connection, call);
        }
    }
    return unsent == 0 ? NULL : fhir_pg_lost(connection, call);
}

static fhir_error_t *await_answer(fhir_pg_connection_t *connection, apr_time_t deadline, const fhir_call_t *call)
{
    while (PQisBusy(connection->handle)) {
        FHIR_TRY(fhir_pg_wait(PQsocket(connection->handle), POLLIN, deadline, call));
        /* On failure libpq still has what the server said last: PQgetResult gives it. */
        if (!PQconsumeInput(connection->handle)) {
            connection->broken = 1;
            return NULL;
        }
    }
    return NULL;
}

static int is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

fhir_error_t *fhir_pg_collect(PGresult **result, fhir_pg_connection_t *connection, apr_time_t deadline,
                              const fhir_call_t *call)
{
    PGresult *kept = NULL;
    fhir_error_t *error = flush(connection, deadline, call);
    while (!error && !(error = await_answer(connection, deadline, call))) {
        PGresult *next = PQgetResult(connection->handle);
        if (!next) {
            break;
        }
        if (kept && is_error(kept)) {
            PQclear(next);
        } else {
            PQclear(kept);
            kept = next;
        }
    }
    if (error) {
        PQclear(kept);
        if (!connection->broken) {
            fhir_pg_cancel(connection);
            connection->broken = 1;
        }
        return error;
    }
    if (PQstatus(connection->handle) != CONNECTION_OK) {
        connection->broken = 1;
    }
    if (!kept) {
        return fhir_pg_lost(connection, call);
    }
    *result = kept;
    return NULL;
}

int fhir_pg_refused(fhir_error_t **error, PGresult *result, fhir_pg_connection_t *connection, const fhir_call_t *call)
{
    const char *state;
    if (!is_error(result)) {
        return 0;
    }
    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    /* Without SQLSTATE it is libpq itself that speaks: the connection broke. */
    if (!state) {
        *error = fhir_pg_lost(connection, call);
    } else {
        *error = fhir_pg_result_error(result, call->pool);
        /* A standby after a switch-over: another connection may lead to the new primary. */
        connection->broken |= (*error)->code == FHIR_ERROR_UNAVAILABLE;
    }
    PQclear(result);
    return 1;
}

fhir_error_t *fhir_pg_text_query(PGresult **result, fhir_pg_connection_t *connection, const char *sql,
                                 apr_time_t deadline, const fhir_call_t *call)
{
    fhir_error_t *error;
    if (call->deadline && (!deadline || call->deadline < deadline)) {
        deadline = call->deadline;
    }
    if (!PQsendQuery(connection->handle, sql)) {
        return fhir_pg_lost(connection, call);
    }
    FHIR_TRY(fhir_pg_collect(result, connection, deadline, call));
    return fhir_pg_refused(&error, *result, connection, call) ? error : NULL;
}

static fhir_error_t *prepare(fhir_pg_connection_t *connection, const char *name, const fhir_pg_statement_t *statement,
                             apr_time_t deadline, const fhir_call_t *call)
{
    PGresult *result;
    fhir_error_t *error;
    if (!PQsendPrepare(connection->handle, name, statement->sql, 0, NULL)) {
        return fhir_pg_lost(connection, call);
    }
    FHIR_TRY(fhir_pg_collect(&result, connection, deadline, call));
    if (fhir_pg_refused(&error, result, connection, call)) {
        return error;
    }
    PQclear(result);
    connection->prepared[statement->id] = 1;
    return NULL;
}

fhir_error_t *fhir_pg_execute(PGresult **result, int *executed, fhir_pg_connection_t *connection,
                              const fhir_pg_statement_t *statement, const fhir_pg_parameters_t *parameters,
                              apr_time_t deadline, const fhir_call_t *call)
{
    fhir_error_t *error;
    char name[16];
    apr_snprintf(name, sizeof(name), "fhir_%d", (int)statement->id);
    if (!connection->prepared[statement->id]) {
        FHIR_TRY(prepare(connection, name, statement, deadline, call));
    }
    if (!PQsendQueryPrepared(connection->handle, name, parameters->count, parameters->values, parameters->lengths,
                             parameters->formats, 1)) {
        return fhir_pg_lost(connection, call);
    }
    *executed = 1;
    FHIR_TRY(fhir_pg_collect(result, connection, deadline, call));
    if (fhir_pg_session_lost(*result)) {
        PQclear(*result);
        connection->broken = 1;
        *executed = 0;
        return fhir_pg_unavailable("the prepared statement is no longer valid", call->pool);
    }
    return fhir_pg_refused(&error, *result, connection, call) ? error : NULL;
}

apr_time_t fhir_pg_deadline(const fhir_meta_t *meta, const fhir_call_t *call)
{
    apr_time_t deadline = apr_time_now() + meta->config.statement_timeout + GRACE;
    return call->deadline && call->deadline < deadline ? call->deadline : deadline;
}

fhir_error_t *fhir_pg_run(PGresult **result, fhir_meta_t *meta, const fhir_pg_statement_t *statement,
                          const fhir_pg_parameters_t *parameters, const fhir_call_t *call)
{
    for (int attempt = 1;; attempt++) {
        fhir_pg_connection_t *connection;
        fhir_error_t *error;
        int executed = 0;
        int broken;
        FHIR_TRY(fhir_pg_acquire(&connection, meta, 1, call));
        error =
            fhir_pg_execute(result, &executed, connection, statement, parameters, fhir_pg_deadline(meta, call), call);
        broken = connection->broken;
        fhir_pg_release(meta, connection);
        if (!error || !broken || error->code != FHIR_ERROR_UNAVAILABLE || attempt == 2 ||
            (executed && !statement->read_only)) {
            return error;
        }
        fhir_log_error(call->log, FHIR_LOG_DEBUG, error, "database connection lost, trying once more");
    }
}

fhir_error_t *fhir_pg_change(apr_off_t *changed, fhir_meta_t *meta, const fhir_pg_statement_t *statement,
                             const fhir_pg_parameters_t *parameters, const fhir_call_t *call)
{
    PGresult *result;
    FHIR_TRY(fhir_pg_run(&result, meta, statement, parameters, call));
    if (changed) {
        *changed = apr_atoi64(PQcmdTuples(result));
    }
    PQclear(result);
    return NULL;
}
