/* For tests of what is done with a store that keeps copies, without one that knows how to: each object is in `first`
 * and in `second`, two stores with the same locators. A copy that begins with ALTERED is altered. It reads from
 * `first`, else from `second`, and mends nothing by itself. */
#include "fhir_storage.h"

#include <apr_strings.h>
#include <string.h>

#define ALTERED "ALTERED"

struct fhir_store_config_t {
    const char *names[2];
};

struct fhir_store_t {
    const fhir_store_config_t *config;
    const fhir_storage_plugin_t *plugins[2];
    fhir_store_t *halves[2];
};

struct fhir_writer_t {
    fhir_store_t *store;
    fhir_writer_t *halves[2];
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
        made->names[strcmp(options[i].key, "second") == 0] = apr_pstrdup(pool, options[i].value);
    }
    *config = made;
    return NULL;
}

static fhir_error_t *open_store(fhir_store_t **store, const fhir_store_config_t *config,
                                const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    int i;
    made->config = config;
    for (i = 0; i < 2; i++) {
        FHIR_TRY(host->resolve(&made->plugins[i], &made->halves[i], host->baton, config->names[i], pool));
    }
    *store = made;
    return NULL;
}

static void close_store(fhir_store_t *store)
{
    store->config = NULL;
}

static fhir_error_t *health(fhir_store_t *store, const fhir_store_call_t *call)
{
    return store->plugins[0]->health(store->halves[0], call);
}

static fhir_error_t *locate(const char **locator, fhir_store_t *store, const char *object_key,
                            const fhir_store_call_t *call)
{
    return store->plugins[0]->locate(locator, store->halves[0], object_key, call);
}

static fhir_error_t *writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                  const fhir_store_call_t *call)
{
    fhir_writer_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    int i;
    made->store = store;
    *writer = made;
    for (i = 0; i < 2; i++) {
        FHIR_TRY(store->plugins[i]->writer_begin(&made->halves[i], store->halves[i], request, call));
    }
    return NULL;
}

static fhir_error_t *writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                  const fhir_store_call_t *call)
{
    FHIR_TRY(writer->store->plugins[0]->writer_write(writer->halves[0], data, length, call));
    return writer->store->plugins[1]->writer_write(writer->halves[1], data, length, call);
}

static fhir_error_t *writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    FHIR_TRY(writer->store->plugins[1]->writer_commit(info, writer->halves[1], call));
    return writer->store->plugins[0]->writer_commit(info, writer->halves[0], call);
}

static void writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    int i;
    for (i = 0; i < 2; i++) {
        if (writer->halves[i]) {
            writer->store->plugins[i]->writer_abort(writer->halves[i], call);
        }
    }
}

static fhir_error_t *reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                 const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    int half = store->plugins[0]->stat(info, store->halves[0], locator, call) != NULL;
    made->plugin = store->plugins[half];
    *reader = made;
    return made->plugin->reader_open(&made->inner, info, store->halves[half], locator, offset, length, call);
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
    return store->plugins[0]->stat(info, store->halves[0], locator, call)
               ? store->plugins[1]->stat(info, store->halves[1], locator, call)
               : NULL;
}

static fhir_error_t *remove_object(int *existed, fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call)
{
    FHIR_TRY(store->plugins[1]->remove(existed, store->halves[1], locator, call));
    return store->plugins[0]->remove(existed, store->halves[0], locator, call);
}

static fhir_error_t *list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                          fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    return store->plugins[0]->list(next, store->halves[0], cursor, limit, entry, entry_baton, call);
}

static fhir_error_t *read_copy(char **bytes, apr_size_t *size, fhir_store_t *store, int half, const char *locator,
                               const fhir_store_call_t *call)
{
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_reader_t *reader;
    apr_size_t length = 1;
    FHIR_TRY(store->plugins[half]->reader_open(&reader, &info, store->halves[half], locator, 0, -1, call));
    *bytes = apr_palloc(call->result_pool, (apr_size_t)info.length + 1);
    for (*size = 0; length > 0; *size += length) {
        length = (apr_size_t)info.length + 1 - *size;
        FHIR_TRY(store->plugins[half]->reader_read(reader, *bytes + *size, &length, call));
    }
    store->plugins[half]->reader_close(reader);
    return NULL;
}

static fhir_store_copy_t state_of(const fhir_error_t *error, const char *bytes, apr_size_t size)
{
    if (error) {
        return error->code == FHIR_ERROR_NOT_FOUND ? FHIR_STORE_COPY_MISSING : FHIR_STORE_COPY_UNREADABLE;
    }
    return size >= strlen(ALTERED) && memcmp(bytes, ALTERED, strlen(ALTERED)) == 0 ? FHIR_STORE_COPY_ALTERED
                                                                                   : FHIR_STORE_COPY_GOOD;
}

static fhir_error_t *write_copy(fhir_store_t *store, int half, const char *locator, const char *bytes, apr_size_t size,
                                const fhir_store_call_t *call)
{
    const fhir_storage_plugin_t *plugin = store->plugins[half];
    fhir_write_request_t request = {.struct_size = sizeof(request), .locator = locator};
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_writer_t *writer;
    int existed;
    request.object_key = strrchr(locator, '/') + 1;
    request.expected_length = (apr_off_t)size;
    FHIR_TRY(plugin->remove(&existed, store->halves[half], locator, call));
    FHIR_TRY(plugin->writer_begin(&writer, store->halves[half], &request, call));
    FHIR_TRY(plugin->writer_write(writer, bytes, size, call));
    return plugin->writer_commit(&info, writer, call);
}

static fhir_error_t *check_copies(fhir_store_t *store, const char *locator, int repair, fhir_store_copy_fn copy,
                                  void *copy_baton, const fhir_store_call_t *call)
{
    fhir_store_copy_t states[2];
    apr_size_t sizes[2];
    char *bytes[2];
    int half;
    for (half = 0; half < 2; half++) {
        fhir_error_t *error = read_copy(&bytes[half], &sizes[half], store, half, locator, call);
        states[half] = state_of(error, bytes[half], sizes[half]);
    }
    for (half = 0; half < 2; half++) {
        int is_bad = states[half] == FHIR_STORE_COPY_MISSING || states[half] == FHIR_STORE_COPY_ALTERED;
        int repaired = repair && is_bad && states[1 - half] == FHIR_STORE_COPY_GOOD &&
                       !write_copy(store, half, locator, bytes[1 - half], sizes[1 - half], call);
        copy(copy_baton, store->config->names[half], states[half], repaired);
    }
    if (states[0] != FHIR_STORE_COPY_GOOD && states[1] != FHIR_STORE_COPY_GOOD) {
        return fhir_error_public(call->result_pool, FHIR_ERROR_CORRUPT, "No copy is good.");
    }
    return NULL;
}

static const char *wraps(const fhir_store_config_t *config, int index)
{
    return index >= 0 && index < 2 ? config->names[index] : NULL;
}

static const fhir_storage_plugin_t plugin = {.magic = FHIR_STORAGE_MAGIC,
                                             .abi_major = FHIR_STORAGE_ABI_MAJOR,
                                             .abi_minor = FHIR_STORAGE_ABI_MINOR,
                                             .struct_size = sizeof(plugin),
                                             .name = "keeping",
                                             .version = "0",
                                             .capabilities = FHIR_STORAGE_PERSISTENT,
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
                                             .wraps = wraps,
                                             .check_copies = check_copies};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &plugin;
}
