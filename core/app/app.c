/* Opening and closing the application in a process. */
#include "audit_writer.h"
#include "exchange.h"

#include <apr_strings.h>
#include <errno.h>
#include <unistd.h>

static fhir_error_t *open_meta(fhir_app_t *app)
{
    const fhir_settings_t *settings = app->settings;
    fhir_meta_config_t config = {0};
    config.conninfo = settings->database;
    config.pool_size = settings->database_pool_size;
    config.connect_timeout = settings->database_connect_timeout;
    config.acquire_timeout = settings->database_acquire_timeout;
    config.statement_timeout = settings->database_statement_timeout;
    config.log = app->log;
    return fhir_meta_open(&app->meta, &config, app->pool);
}

static apr_status_t destroy_slots(void *data)
{
    sem_destroy(data);
    return APR_SUCCESS;
}

/* Half of the processors, so that reads go on while clients sign in. */
static fhir_error_t *open_secret_slots(fhir_app_t *app)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (sem_init(&app->secret_slots, 0, processors > 2 ? (unsigned)processors / 2 : 1) != 0) {
        return fhir_error_create(app->pool, FHIR_ERROR_INTERNAL, APR_FROM_OS_ERROR(errno),
                                 "The server could not start.", "sem_init");
    }
    apr_pool_cleanup_register(app->pool, &app->secret_slots, destroy_slots, apr_pool_cleanup_null);
    return NULL;
}

fhir_error_t *fhir_app_open(fhir_app_t **app, const fhir_settings_t *settings, const fhir_log_t *log, apr_pool_t *pool)
{
    fhir_app_t *made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    made->settings = settings;
    made->log = log;
    FHIR_TRY(fhir_store_open_all(settings->catalog, pool));
    FHIR_TRY(open_meta(made));
    FHIR_TRY(fhir_key_ring_create(&made->keys, made->meta, settings->token_lifetime, pool));
    FHIR_TRY(fhir_issuer_keys_create(&made->issuer_keys, settings->trusted_issuers, log, pool));
    FHIR_TRY(fhir_secret_cache_create(&made->secrets, pool));
    FHIR_TRY(fhir_token_cache_create(&made->tokens, pool));
    made->addresses.fhir_base = settings->fhir_base;
    made->addresses.storage_base_url = settings->storage_base_url;
    FHIR_TRY(fhir_policy_cache_create(&made->policies, made->meta, &made->addresses, pool));
    FHIR_TRY(fhir_audit_writer_create(&made->audit, made->meta, settings, log, pool));
    FHIR_TRY(open_secret_slots(made));
    *app = made;
    return NULL;
}

static apr_uint64_t load(atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void fhir_app_status(fhir_app_t *app, fhir_app_status_t *status)
{
    status->requests = load(&app->requests);
    status->refused = load(&app->refused);
    status->failed = load(&app->failed);
    status->uploads = load(&app->uploads);
    status->uploaded = load(&app->uploaded);
    status->reads = load(&app->reads);
    fhir_meta_usage(app->meta, &status->connections_open, &status->connections_busy);
    status->listening = atomic_load(&app->listening);
}

apr_uint64_t fhir_app_take_without_context(fhir_app_t *app)
{
    return atomic_exchange_explicit(&app->without_context, 0, memory_order_relaxed);
}
