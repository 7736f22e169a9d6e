/* The connections of one process. Slots are handed out under a mutex; connecting happens outside of it, so that a slow
 * connect holds up nobody else. */
#include "pg.h"

#include <string.h>

/* So long after a failed connect others are told at once, without trying themselves. */
#define REFUSAL_REMEMBERED (250 * APR_INT64_C(1000))
#define CANCEL_CHECK (500 * APR_INT64_C(1000))

static apr_status_t close_connections(void *data)
{
    fhir_meta_t *meta = data;
    for (int i = 0; i < meta->config.pool_size; i++) {
        if (meta->connections[i].handle) {
            fhir_pg_disconnect(&meta->connections[i]);
        }
    }
    meta->open = 0;
    return APR_SUCCESS;
}

static fhir_error_t *check_config(const fhir_meta_config_t *config, apr_pool_t *pool)
{
    PQconninfoOption *options;
    if (config->pool_size < 1 || config->connect_timeout <= 0 || config->acquire_timeout <= 0 ||
        config->statement_timeout <= 0) {
        return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                                 "The database pool size and timeouts must be greater than zero.", NULL);
    }
    /* libpq's own message would quote parts of the text, passwords included. */
    options = config->conninfo ? PQconninfoParse(config->conninfo, NULL) : NULL;
    if (!options) {
        return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                                 "The database connection text is malformed: write keyword=value pairs as in "
                                 "\"host=/run/postgresql dbname=fhir user=fhir\" or a postgresql:// URI.",
                                 NULL);
    }
    PQconninfoFree(options);
    return NULL;
}

fhir_error_t *fhir_meta_open(fhir_meta_t **meta, const fhir_meta_config_t *config, apr_pool_t *pool)
{
    fhir_meta_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status;
    FHIR_TRY(check_config(config, pool));
    made->config = *config;
    made->config.conninfo = apr_pstrdup(pool, config->conninfo);
    made->connections = apr_pcalloc(pool, (apr_size_t)config->pool_size * sizeof(*made->connections));
    made->free = apr_pcalloc(pool, (apr_size_t)config->pool_size * sizeof(fhir_pg_connection_t *));
    for (int i = 0; i < config->pool_size; i++) {
        made->free[made->free_count++] = &made->connections[i];
    }
    status = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS) {
        status = apr_thread_cond_create(&made->released, pool);
    }
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.",
                                 "can't create the database pool's lock");
    }
    apr_pool_cleanup_register(pool, made, close_connections, apr_pool_cleanup_null);
    *meta = made;
    return NULL;
}

void fhir_meta_usage(fhir_meta_t *meta, int *open, int *busy)
{
    apr_thread_mutex_lock(meta->mutex);
    *open = meta->open;
    *busy = meta->config.pool_size - meta->free_count;
    apr_thread_mutex_unlock(meta->mutex);
}

/* With the mutex held, a slot or NULL when the time is over or the caller has gone. */
static fhir_pg_connection_t *wait_for_slot(fhir_meta_t *meta, apr_time_t deadline, const fhir_call_t *call,
                                           int *cancelled)
{
    while (!meta->free_count) {
        apr_interval_time_t left = deadline - apr_time_now();
        if (left <= 0) {
            return NULL;
        }
        apr_thread_cond_timedwait(meta->released, meta->mutex, left < CANCEL_CHECK ? left : CANCEL_CHECK);
        if (!meta->free_count && call->cancelled) {
            /* The caller's check is not ours to run under the lock. */
            apr_thread_mutex_unlock(meta->mutex);
            *cancelled = call->cancelled(call->cancelled_baton);
            apr_thread_mutex_lock(meta->mutex);
            if (*cancelled) {
                return NULL;
            }
        }
    }
    return meta->free[--meta->free_count];
}

static fhir_error_t *take_slot(fhir_pg_connection_t **connection, fhir_meta_t *meta, const fhir_call_t *call)
{
    apr_time_t deadline = apr_time_now() + meta->config.acquire_timeout;
    int cancelled = 0;
    if (call->deadline && call->deadline < deadline) {
        deadline = call->deadline;
    }
    apr_thread_mutex_lock(meta->mutex);
    *connection = wait_for_slot(meta, deadline, call, &cancelled);
    /* A wake-up that we did not need may be somebody else's. */
    if (!*connection && meta->free_count) {
        apr_thread_cond_signal(meta->released);
    }
    apr_thread_mutex_unlock(meta->mutex);
    if (*connection) {
        return NULL;
    }
    if (cancelled) {
        return fhir_error_create(call->pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "The request was cancelled.",
                                 "cancelled while waiting for a database connection");
    }
    return fhir_pg_timeout("no free database connection within the acquire timeout", call->pool);
}

void fhir_pg_release(fhir_meta_t *meta, fhir_pg_connection_t *connection)
{
    int closed = connection->handle && connection->broken;
    if (closed) {
        fhir_pg_disconnect(connection);
    }
    apr_thread_mutex_lock(meta->mutex);
    meta->open -= closed;
    if (connection->handle) {
        meta->free[meta->free_count++] = connection;
    } else {
        memmove(meta->free + 1, meta->free, (apr_size_t)meta->free_count * sizeof(fhir_pg_connection_t *));
        meta->free[0] = connection;
        meta->free_count++;
    }
    apr_thread_cond_signal(meta->released);
    apr_thread_mutex_unlock(meta->mutex);
}

static fhir_error_t *recently_refused(fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_error_t *error = NULL;
    apr_thread_mutex_lock(meta->mutex);
    if (meta->refused_until && apr_time_now() < meta->refused_until) {
        error = fhir_pg_unavailable(meta->refused_detail, call->pool);
    }
    apr_thread_mutex_unlock(meta->mutex);
    return error;
}

static void remember_refusal(fhir_meta_t *meta, const fhir_error_t *error)
{
    apr_thread_mutex_lock(meta->mutex);
    meta->refused_until = error ? apr_time_now() + REFUSAL_REMEMBERED : 0;
    if (error) {
        apr_cpystrn(meta->refused_detail, error->detail ? error->detail : "", sizeof(meta->refused_detail));
    } else {
        meta->open++;
    }
    apr_thread_mutex_unlock(meta->mutex);
}

static fhir_error_t *connect_slot(fhir_pg_connection_t *connection, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_error_t *error;
    apr_time_t start = apr_time_now();
    int own_deadline = call->deadline && call->deadline < start + meta->config.connect_timeout;
    FHIR_TRY(recently_refused(meta, call));
    error = fhir_pg_connect(connection, meta, call);
    /* A caller who had no time or has gone away says nothing about the server. */
    if (!error || (error->code != FHIR_ERROR_CANCELLED && !(own_deadline && apr_time_now() >= call->deadline))) {
        remember_refusal(meta, error);
    }
    return error;
}

fhir_error_t *fhir_pg_acquire(fhir_pg_connection_t **connection, fhir_meta_t *meta, int check_schema,
                              const fhir_call_t *call)
{
    fhir_error_t *error = NULL;
    fhir_pg_connection_t *slot;
    FHIR_TRY(take_slot(&slot, meta, call));
    if (slot->handle && fhir_pg_closed_meanwhile(slot)) {
        fhir_pg_disconnect(slot);
        apr_thread_mutex_lock(meta->mutex);
        meta->open--;
        apr_thread_mutex_unlock(meta->mutex);
    }
    if (!slot->handle) {
        error = connect_slot(slot, meta, call);
    }
    if (!error && check_schema && !slot->schema_checked) {
        error = fhir_pg_check_schema(slot, apr_time_now() + meta->config.connect_timeout, call);
    }
    if (error) {
        fhir_pg_release(meta, slot);
        return error;
    }
    *connection = slot;
    return NULL;
}
