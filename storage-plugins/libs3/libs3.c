/* The libs3 store: Debian's libs3 2.0 for S3 servers of an intranet that know Signature Version 2 only. Descriptor,
 * open, close, locate, stat, remove. libs3 is GPL-3: whoever loads this shared object combines it with his httpd. */
#include "libs3_store.h"

static fhir_error_t *open_store(fhir_store_t **store, const fhir_store_config_t *config,
                                const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    (void)host;
    *store = NULL;
    made->config = config;
    if (pthread_mutex_init(&made->mutex, NULL)) {
        return fhir_plugin_system_error(pool, APR_ENOMEM, "make a mutex");
    }
    *store = made;
    return NULL;
}

static void close_store(fhir_store_t *store)
{
    libs3_close_idle(store);
    pthread_mutex_destroy(&store->mutex);
}

static fhir_error_t *locate(const char **locator, fhir_store_t *store, const char *object_key,
                            const fhir_store_call_t *call)
{
    char *made;
    (void)store;
    *locator = NULL;
    if (!fhir_plugin_is_key(object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    made = apr_palloc(call->result_pool, FHIR_PLUGIN_LOCATOR_LENGTH + 1);
    fhir_plugin_locator_of(made, object_key);
    *locator = made;
    return NULL;
}

static fhir_error_t *stat_object(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                                 const fhir_store_call_t *call)
{
    libs3_request_t request;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    FHIR_TRY(libs3_head(&request, store, locator, call));
    libs3_fill_info(info, &request, call->result_pool);
    return NULL;
}

static fhir_error_t *remove_object(int *existed, fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call)
{
    libs3_request_t request;
    fhir_error_t *error;
    *existed = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    error = libs3_head(&request, store, locator, call);
    if (error && error->code == FHIR_ERROR_NOT_FOUND) {
        return NULL;
    }
    FHIR_TRY(error);
    FHIR_TRY(libs3_delete(store, locator, call));
    *existed = 1;
    return NULL;
}

static const fhir_storage_plugin_t libs3_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 0,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "libs3",
    .version = "1.0",
    .capabilities = FHIR_STORAGE_PERSISTENT,
    .configure = libs3_configure,
    .open = open_store,
    .close = close_store,
    .health = libs3_health,
    .locate = locate,
    .writer_begin = libs3_writer_begin,
    .writer_write = libs3_writer_write,
    .writer_commit = libs3_writer_commit,
    .writer_abort = libs3_writer_abort,
    .reader_open = libs3_reader_open,
    .reader_read = libs3_reader_read,
    .reader_close = libs3_reader_close,
    .stat = stat_object,
    .remove = remove_object,
    .list = libs3_list,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &libs3_plugin;
}
