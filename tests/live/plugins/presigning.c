/* For tests of redirect mode without an object store: wraps another store and gives URLs for it, which
 * tests/live/harness/direct_store.py serves. `broken` names a file; while it is there, no URL is to be had. */
#include "fhir_storage.h"

#include <apr_strings.h>
#include <string.h>
#include <unistd.h>

struct fhir_store_config_t {
    const char *inner;
    const char *url;
    const char *secret;
    const char *broken;
};

struct fhir_store_t {
    const fhir_store_config_t *config;
    const fhir_storage_plugin_t *plugin;
    fhir_store_t *inner;
};

/* Writers and readers are the wrapped store's, behind one pointer to it. */
struct fhir_writer_t {
    const fhir_storage_plugin_t *plugin;
    fhir_writer_t *inner;
};
struct fhir_reader_t {
    const fhir_storage_plugin_t *plugin;
    fhir_reader_t *inner;
};

static fhir_error_t *configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                               apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    int i;
    for (i = 0; i < option_count; i++) {
        const char **place = strcmp(options[i].key, "inner") == 0    ? &made->inner
                             : strcmp(options[i].key, "url") == 0    ? &made->url
                             : strcmp(options[i].key, "secret") == 0 ? &made->secret
                             : strcmp(options[i].key, "broken") == 0 ? &made->broken
                                                                     : NULL;
        if (!place) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID, "unknown option %s", options[i].key);
        }
        *place = apr_pstrdup(pool, options[i].value);
    }
    *config = made;
    return made->inner && made->url && made->secret && made->broken
               ? NULL
               : fhir_error_public(pool, FHIR_ERROR_INVALID, "inner, url, secret and broken are needed");
}

static fhir_error_t *open_store(fhir_store_t **store, const fhir_store_config_t *config,
                                const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    made->config = config;
    *store = made;
    return host->resolve(&made->plugin, &made->inner, host->baton, config->inner, pool);
}

static void close_store(fhir_store_t *store)
{
    store->inner = NULL;
}

static fhir_error_t *health(fhir_store_t *store, const fhir_store_call_t *call)
{
    return store->plugin->health(store->inner, call);
}

static fhir_error_t *locate(const char **locator, fhir_store_t *store, const char *object_key,
                            const fhir_store_call_t *call)
{
    return store->plugin->locate(locator, store->inner, object_key, call);
}

static fhir_error_t *writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                  const fhir_store_call_t *call)
{
    fhir_writer_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    made->plugin = store->plugin;
    *writer = made;
    return store->plugin->writer_begin(&made->inner, store->inner, request, call);
}

static fhir_error_t *writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                  const fhir_store_call_t *call)
{
    return writer->plugin->writer_write(writer->inner, data, length, call);
}

static fhir_error_t *writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    return writer->plugin->writer_commit(info, writer->inner, call);
}

static void writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    writer->plugin->writer_abort(writer->inner, call);
}

static fhir_error_t *reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                 const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    made->plugin = store->plugin;
    *reader = made;
    return store->plugin->reader_open(&made->inner, info, store->inner, locator, offset, length, call);
}

static fhir_error_t *reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    return reader->plugin->reader_read(reader->inner, buffer, length, call);
}

static void reader_close(fhir_reader_t *reader)
{
    reader->plugin->reader_close(reader->inner);
}

static fhir_error_t *stat_object(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                                 const fhir_store_call_t *call)
{
    if (access(store->config->broken, F_OK) == 0) {
        return fhir_error_public(call->result_pool, FHIR_ERROR_UNAVAILABLE, "The store is broken.");
    }
    return store->plugin->stat(info, store->inner, locator, call);
}

static fhir_error_t *remove_object(int *existed, fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call)
{
    return store->plugin->remove(existed, store->inner, locator, call);
}

static fhir_error_t *list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                          fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    return store->plugin->list(next, store->inner, cursor, limit, entry, entry_baton, call);
}

/* FNV-1a: enough against mistakes, which is all that tests make. */
static const char *sign(const char *secret, const char *text, apr_pool_t *pool)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    const char *all = apr_pstrcat(pool, secret, text, NULL);
    for (; *all; all++) {
        sum = (sum ^ (unsigned char)*all) * UINT64_C(1099511628211);
    }
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT, sum);
}

static const char *escaped(const char *value, apr_pool_t *pool)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    char *made = apr_palloc(pool, value ? strlen(value) * 3 + 1 : 1);
    char *at = made;
    for (; value && *value; value++) {
        if (strchr(plain, *value)) {
            *at++ = *value;
        } else {
            at += apr_snprintf(at, 4, "%%%02X", (unsigned char)*value);
        }
    }
    *at = '\0';
    return made;
}

static fhir_error_t *presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                             const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    fhir_store_option_t *headers = apr_pcalloc(pool, 2 * sizeof(*headers));
    const char *text;
    if (access(store->config->broken, F_OK) == 0) {
        return fhir_error_public(pool, FHIR_ERROR_UNAVAILABLE, "The store is broken.");
    }
    text = apr_psprintf(pool, "%s?method=%s&expires=%" APR_TIME_T_FMT "&type=%s&disposition=%s&cache=%s",
                        request->locator, request->write ? "PUT" : "GET", apr_time_sec(request->expires),
                        escaped(request->content_type, pool), escaped(request->content_disposition, pool),
                        escaped(request->cache_control, pool));
    presigned->url =
        apr_pstrcat(pool, store->config->url, text, "&signature=", sign(store->config->secret, text, pool), NULL);
    headers[0].key = "If-None-Match";
    headers[0].value = "*";
    headers[1].key = "Content-Type";
    headers[1].value = request->content_type;
    presigned->headers = headers;
    presigned->header_count = request->write ? 2 : 0;
    return NULL;
}

static const fhir_storage_plugin_t plugin = {.magic = FHIR_STORAGE_MAGIC,
                                             .abi_major = FHIR_STORAGE_ABI_MAJOR,
                                             .abi_minor = FHIR_STORAGE_ABI_MINOR,
                                             .struct_size = sizeof(plugin),
                                             .name = "presigning",
                                             .version = "0",
                                             .capabilities = FHIR_STORAGE_CAN_PRESIGN | FHIR_STORAGE_PERSISTENT,
                                             .configure = configure,
                                             .open = open_store,
                                             .close = close_store,
                                             .health = health,
                                             .locate = locate,
                                             .writer_begin = writer_begin,
                                             .writer_write = writer_write,
                                             .writer_commit = writer_commit,
                                             .writer_abort = writer_abort,
                                             .reader_open = reader_open,
                                             .reader_read = reader_read,
                                             .reader_close = reader_close,
                                             .stat = stat_object,
                                             .remove = remove_object,
                                             .list = list,
                                             .presign = presign};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &plugin;
}
