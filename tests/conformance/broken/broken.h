/* A complete plugin that works as little as possible. Each file beside this one breaks one thing of it, for the test
 * of the loader. */
#ifndef FHIR_TESTS_BROKEN_H
#define FHIR_TESTS_BROKEN_H

#include "fhir_storage.h"

static fhir_error_t *no_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                                  apr_pool_t *pool)
{
    (void)options;
    (void)option_count;
    *config = apr_pcalloc(pool, 1);
    return NULL;
}

static fhir_error_t *no_open(fhir_store_t **store, const fhir_store_config_t *config, const fhir_storage_host_t *host,
                             apr_pool_t *pool)
{
    (void)config;
    (void)host;
    *store = apr_pcalloc(pool, 1);
    return NULL;
}

static void no_close(fhir_store_t *store)
{
    (void)store;
}

static fhir_error_t *no_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    (void)store;
    (void)call;
    return NULL;
}

static fhir_error_t *no_locate(const char **locator, fhir_store_t *store, const char *object_key,
                               const fhir_store_call_t *call)
{
    (void)store;
    (void)object_key;
    (void)call;
    *locator = "";
    return NULL;
}

static fhir_error_t *no_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                              const fhir_store_call_t *call)
{
    (void)store;
    (void)request;
    *writer = NULL;
    return fhir_error_create(call->result_pool, FHIR_ERROR_UNSUPPORTED, 0, "no", NULL);
}

static fhir_error_t *no_write(fhir_writer_t *writer, const void *data, apr_size_t length, const fhir_store_call_t *call)
{
    (void)writer;
    (void)data;
    (void)length;
    (void)call;
    return NULL;
}

static fhir_error_t *no_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    (void)info;
    (void)writer;
    (void)call;
    return NULL;
}

static void no_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    (void)writer;
    (void)call;
}

static fhir_error_t *no_reader(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                               const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    (void)info;
    (void)store;
    (void)locator;
    (void)offset;
    (void)length;
    *reader = NULL;
    return fhir_error_create(call->result_pool, FHIR_ERROR_NOT_FOUND, 0, "no", NULL);
}

static fhir_error_t *no_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    (void)reader;
    (void)buffer;
    (void)call;
    *length = 0;
    return NULL;
}

static void no_reader_close(fhir_reader_t *reader)
{
    (void)reader;
}

static fhir_error_t *no_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                             const fhir_store_call_t *call)
{
    (void)info;
    (void)store;
    (void)locator;
    (void)call;
    return NULL;
}

static fhir_error_t *no_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    (void)store;
    (void)locator;
    (void)call;
    *existed = 0;
    return NULL;
}

static fhir_error_t *no_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                             fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    (void)store;
    (void)cursor;
    (void)limit;
    (void)entry;
    (void)entry_baton;
    (void)call;
    *next = NULL;
    return NULL;
}

#define WHOLE_PLUGIN(its_name)                                                                                         \
    {                                                                                                                  \
        FHIR_STORAGE_MAGIC, FHIR_STORAGE_ABI_MAJOR, FHIR_STORAGE_ABI_MINOR, sizeof(fhir_storage_plugin_t), its_name,   \
            "0", 0, no_configure, no_open, no_close, no_health, no_locate, no_begin, no_write, no_commit, no_abort,    \
            no_reader, no_read, NULL, no_reader_close, no_stat, no_remove, no_list, NULL, NULL, NULL, NULL             \
    }

#endif
