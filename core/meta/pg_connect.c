/* Opening and closing a connection: asynchronously, with a deadline, never blocking on a silent server. */
#include "pg.h"

#include <poll.h>
#include <string.h>

/* Every statement of ours is a handful of index lookups: the planner shall not think of anything else because a table
 * is new and has no statistics yet. */
#define SESSION_SETTINGS                                                                                               \
    "SET search_path = pg_catalog; SET client_min_messages = error; SET jit = off; "                                   \
    "SET default_transaction_isolation = 'read committed'; SET plan_cache_mode = force_generic_plan; "                 \
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; "   \
    "SET max_parallel_workers_per_gather = 0; "                                                                        \
    "SET statement_timeout = %" APR_INT64_T_FMT                                                                        \
    "; " /* An answered upload is durable: off is the one setting that breaks this promise. */                         \
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', false) "                                                 \
    "WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"

static void ignore_notice(void *baton, const PGresult *result)
{
    (void)baton;
    (void)result;
}

/* What stands before `dbname` may be overridden by the administrator's conninfo, what follows may not. */
static PGconn *start(const fhir_meta_config_t *config, apr_pool_t *pool)
{
    const char *milliseconds =
        apr_psprintf(pool, "%" APR_INT64_T_FMT, apr_time_as_msec(config->connect_timeout) + 5000);
    const char *const names[] = {"fallback_application_name",
                                 "keepalives",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "dbname",
                                 "client_encoding",
                                 NULL};
    const char *const values[] = {"mod_fhir_binary", "1",    "30", "10", "3", milliseconds,
                                  config->conninfo,  "UTF8", NULL};
    return PQconnectStartParams(names, values, 1);
}

static fhir_error_t *finish_connecting(PGconn *handle, apr_time_t deadline, const fhir_call_t *call)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (PQstatus(handle) != CONNECTION_BAD) {
        if (step == PGRES_POLLING_OK) {
            return NULL;
        }
        if (step == PGRES_POLLING_FAILED) {
            break;
        }
        FHIR_TRY(fhir_pg_wait(PQsocket(handle), step == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, call));
        step = PQconnectPoll(handle);
    }
    return fhir_pg_unavailable(fhir_pg_last_words(handle, call->pool), call->pool);
}

static fhir_error_t *prepare_session(fhir_pg_connection_t *connection, const fhir_meta_config_t *config,
                                     apr_time_t deadline, const fhir_call_t *call)
{
    PGresult *result;
    const char *settings = apr_psprintf(call->pool, SESSION_SETTINGS, apr_time_as_msec(config->statement_timeout));
    FHIR_TRY(fhir_pg_text_query(&result, connection, settings, deadline, call));
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_pg_connect(fhir_pg_connection_t *connection, const fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_error_t *error;
    apr_time_t deadline = apr_time_now() + meta->config.connect_timeout;
    if (call->deadline && call->deadline < deadline) {
        deadline = call->deadline;
    }
    memset(connection, 0, sizeof(*connection));
    connection->handle = start(&meta->config, call->pool);
    if (!connection->handle) {
        return fhir_pg_unavailable("out of memory", call->pool);
    }
    PQsetNoticeReceiver(connection->handle, ignore_notice, NULL);
    error = finish_connecting(connection->handle, deadline, call);
    if (!error && PQsetnonblocking(connection->handle, 1) != 0) {
        error = fhir_pg_unavailable(fhir_pg_last_words(connection->handle, call->pool), call->pool);
    }
    if (!error) {
        error = prepare_session(connection, &meta->config, deadline, call);
    }
    if (error) {
        fhir_pg_disconnect(connection);
        /* A server that does not take a connection in time is as good as none. */
        if (error->code == FHIR_ERROR_TIMEOUT) {
            return fhir_pg_unavailable("no connection within the connect timeout", call->pool);
        }
    }
    return error;
}

void fhir_pg_disconnect(fhir_pg_connection_t *connection)
{
    PQfinish(connection->handle);
    memset(connection, 0, sizeof(*connection));
}

int fhir_pg_closed_meanwhile(const fhir_pg_connection_t *connection)
{
    struct pollfd ready = {.fd = PQsocket(connection->handle), .events = POLLIN};
    return ready.fd < 0 || poll(&ready, 1, 0) != 0;
}
