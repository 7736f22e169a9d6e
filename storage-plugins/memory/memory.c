/* The memory store: the shortest complete plugin, to read before writing another one. Objects live in one process and
 * die with it, which the missing capability PERSISTENT says; it is for tests. */
#include "../common/plugin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOCATOR_PREFIX "mem:"
#define LOCATOR_LENGTH (sizeof(LOCATOR_PREFIX) - 1 + FHIR_STORAGE_KEY_LENGTH)

struct fhir_store_config_t {
    int nothing; /* there is no option */
};

/* One object. `holders` counts the table, the writer and the readers; the last one frees it. */
typedef struct object_t {
    char locator[LOCATOR_LENGTH + 1];
    unsigned char *bytes;
    apr_size_t length;
    apr_size_t room;
    apr_time_t modified;
    int committed;
    int listed; /* is in the table */
    int holders;
} object_t;

struct fhir_store_t {
    pthread_mutex_t mutex; /* guards the table and every object's committed, listed and holders */
    object_t **objects;    /* sorted by locator */
    apr_size_t count;
    apr_size_t room;
};

struct fhir_writer_t {
    fhir_store_t *store;
    object_t *object; /* NULL: ended */
    apr_off_t expected_length;
};

struct fhir_reader_t {
    fhir_store_t *store;
    object_t *object;
    apr_off_t offset;
    apr_off_t remaining;
};

/* ---- the table; the mutex is held ---- */

/* Where `locator` is, or where it belongs. */
static apr_size_t position_of(const fhir_store_t *store, const char *locator)
{
    apr_size_t low = 0;
    apr_size_t high = store->count;
    while (low < high) {
        apr_size_t middle = low + (high - low) / 2;
        if (strcmp(store->objects[middle]->locator, locator) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static object_t *find(const fhir_store_t *store, const char *locator)
{
    apr_size_t position = position_of(store, locator);
    if (position < store->count && !strcmp(store->objects[position]->locator, locator)) {
        return store->objects[position];
    }
    return NULL;
}

static void let_go(object_t *object)
{
    if (--object->holders == 0) {
        free(object->bytes);
        free(object);
    }
}

static int insert(fhir_store_t *store, object_t *object)
{
    apr_size_t position = position_of(store, object->locator);
    if (store->count == store->room) {
        apr_size_t room = store->room ? 2 * store->room : 64;
        object_t **grown = realloc(store->objects, room * sizeof(*grown));
        if (!grown) {
            return 0;
        }
        store->objects = grown;
        store->room = room;
    }
    memmove(store->objects + position + 1, store->objects + position,
            (store->count - position) * sizeof(*store->objects));
    store->objects[position] = object;
    store->count++;
    object->listed = 1;
    object->holders++;
    return 1;
}

static void take_out(fhir_store_t *store, object_t *object)
{
    apr_size_t position = position_of(store, object->locator);
    if (!object->listed) {
        return;
    }
    store->count--;
    memmove(store->objects + position, store->objects + position + 1,
            (store->count - position) * sizeof(*store->objects));
    object->listed = 0;
    let_go(object);
}

/* ---- the store ---- */

static fhir_error_t *memory_configure(fhir_store_config_t **config, const fhir_store_option_t *options,
                                      int option_count, apr_pool_t *pool)
{
    const fhir_plugin_option_t known[] = {{NULL, NULL}};
    *config = apr_pcalloc(pool, sizeof(**config));
    return fhir_plugin_options(known, options, option_count, "memory", pool);
}

static fhir_error_t *memory_open(fhir_store_t **store, const fhir_store_config_t *config,
                                 const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    int failed = pthread_mutex_init(&made->mutex, NULL);
    (void)config;
    (void)host;
    *store = failed ? NULL : made;
    return failed ? fhir_plugin_system_error(pool, failed, "make a mutex") : NULL;
}

static void memory_close(fhir_store_t *store)
{
    while (store->count > 0) {
        take_out(store, store->objects[store->count - 1]);
    }
    free(store->objects);
    pthread_mutex_destroy(&store->mutex);
}

static fhir_error_t *memory_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    (void)store;
    return fhir_plugin_check_call(call);
}

static fhir_error_t *memory_locate(const char **locator, fhir_store_t *store, const char *object_key,
                                   const fhir_store_call_t *call)
{
    (void)store;
    *locator = NULL;
    if (!fhir_plugin_is_key(object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    *locator = apr_pstrcat(call->result_pool, LOCATOR_PREFIX, object_key, NULL);
    return NULL;
}

static int is_locator(const char *text)
{
    apr_size_t prefix = sizeof(LOCATOR_PREFIX) - 1;
    return !strncmp(text, LOCATOR_PREFIX, prefix) && fhir_plugin_is_key(text + prefix);
}

/* ---- writing ---- */

static fhir_error_t *out_of_memory(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_NO_SPACE, APR_ENOMEM, "The store is full.", "out of memory");
}

/* The object takes its place in the table at once, uncommitted: so a second writer of the key is refused. */
static fhir_error_t *reserve(object_t **object, fhir_store_t *store, const char *locator, apr_pool_t *pool)
{
    fhir_error_t *error = NULL;
    object_t *made = calloc(1, sizeof(*made));
    *object = NULL;
    if (!made) {
        return out_of_memory(pool);
    }
    memcpy(made->locator, locator, LOCATOR_LENGTH + 1);
    made->modified = apr_time_now();
    made->holders = 1;
    pthread_mutex_lock(&store->mutex);
    if (find(store, locator)) {
        error = fhir_plugin_exists(pool);
    } else if (!insert(store, made)) {
        error = out_of_memory(pool);
    }
    if (error) {
        let_go(made);
    } else {
        *object = made;
    }
    pthread_mutex_unlock(&store->mutex);
    return error;
}

static fhir_error_t *memory_writer_begin(fhir_writer_t **writer, fhir_store_t *store,
                                         const fhir_write_request_t *request, const fhir_store_call_t *call)
{
    fhir_writer_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    if (!is_locator(request->locator) || strcmp(request->locator + sizeof(LOCATOR_PREFIX) - 1, request->object_key)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    FHIR_TRY(reserve(&made->object, store, request->locator, call->result_pool));
    made->store = store;
    made->expected_length = request->expected_length;
    *writer = made;
    return NULL;
}

static int make_room(object_t *object, apr_size_t more)
{
    apr_size_t room = object->room ? object->room : 4096;
    unsigned char *grown;
    if (more <= object->room - object->length) {
        return 1;
    }
    while (room - object->length < more) {
        if (room > SIZE_MAX / 2) {
            return 0;
        }
        room *= 2;
    }
    grown = realloc(object->bytes, room);
    if (!grown) {
        return 0;
    }
    object->bytes = grown;
    object->room = room;
    return 1;
}

static fhir_error_t *memory_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                         const fhir_store_call_t *call)
{
    object_t *object = writer->object;
    apr_off_t total;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!object) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    total = (apr_off_t)(object->length + length);
    if (writer->expected_length >= 0 && total > writer->expected_length) {
        return fhir_plugin_wrong_length(call->result_pool, total, writer->expected_length);
    }
    if (!make_room(object, length)) {
        return out_of_memory(call->result_pool);
    }
    memcpy(object->bytes + object->length, data, length);
    object->length += length;
    return NULL;
}

static fhir_error_t *make_visible(object_t *object, fhir_store_t *store, apr_pool_t *pool)
{
    int listed;
    pthread_mutex_lock(&store->mutex);
    listed = object->listed;
    object->committed = listed;
    object->modified = apr_time_now();
    pthread_mutex_unlock(&store->mutex);
    if (!listed) {
        return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_ENOENT, "The upload was interrupted; send it again.",
                                 "removed while it was written");
    }
    return NULL;
}

static void end_writer(fhir_writer_t *writer)
{
    pthread_mutex_lock(&writer->store->mutex);
    let_go(writer->object);
    writer->object = NULL;
    pthread_mutex_unlock(&writer->store->mutex);
}

static fhir_error_t *memory_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer,
                                          const fhir_store_call_t *call)
{
    object_t *object = writer->object;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!object) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    if (writer->expected_length >= 0 && (apr_off_t)object->length != writer->expected_length) {
        return fhir_plugin_wrong_length(call->result_pool, (apr_off_t)object->length, writer->expected_length);
    }
    FHIR_TRY(make_visible(object, writer->store, call->result_pool));
    info->length = (apr_off_t)object->length;
    info->modified = object->modified;
    info->checksum = NULL;
    end_writer(writer);
    return NULL;
}

static void memory_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    (void)call;
    if (!writer->object) {
        return;
    }
    pthread_mutex_lock(&writer->store->mutex);
    take_out(writer->store, writer->object);
    pthread_mutex_unlock(&writer->store->mutex);
    end_writer(writer);
}

/* ---- reading ---- */

/* The visible object with one more holder; NULL if there is none. */
static object_t *hold(fhir_store_t *store, const char *locator)
{
    object_t *object;
    pthread_mutex_lock(&store->mutex);
    object = find(store, locator);
    if (object && object->committed) {
        object->holders++;
    } else {
        object = NULL;
    }
    pthread_mutex_unlock(&store->mutex);
    return object;
}

static void release(fhir_store_t *store, object_t *object)
{
    pthread_mutex_lock(&store->mutex);
    let_go(object);
    pthread_mutex_unlock(&store->mutex);
}

static fhir_error_t *memory_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                        const char *locator, apr_off_t offset, apr_off_t length,
                                        const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_error_t *error;
    *reader = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!is_locator(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    made->object = hold(store, locator);
    if (!made->object) {
        return fhir_plugin_not_found(call->result_pool);
    }
    error = fhir_plugin_range(&made->remaining, offset, length, (apr_off_t)made->object->length, call->result_pool);
    if (error) {
        release(store, made->object);
        return error;
    }
    info->length = (apr_off_t)made->object->length;
    info->modified = made->object->modified;
    info->checksum = NULL;
    made->store = store;
    made->offset = offset;
    *reader = made;
    return NULL;
}

/* Without the mutex: a committed object's bytes never change, and the reader holds it. */
static fhir_error_t *memory_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length,
                                        const fhir_store_call_t *call)
{
    apr_size_t count = *length;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->remaining == 0) {
        return NULL;
    }
    if ((apr_uint64_t)count > (apr_uint64_t)reader->remaining) {
        count = (apr_size_t)reader->remaining;
    }
    memcpy(buffer, reader->object->bytes + reader->offset, count);
    reader->offset += (apr_off_t)count;
    reader->remaining -= (apr_off_t)count;
    *length = count;
    return NULL;
}

static void memory_reader_close(fhir_reader_t *reader)
{
    if (reader->object) {
        release(reader->store, reader->object);
        reader->object = NULL;
    }
}

/* ---- housekeeping ---- */

static fhir_error_t *memory_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                                 const fhir_store_call_t *call)
{
    object_t *object;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!is_locator(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    object = hold(store, locator);
    if (!object) {
        return fhir_plugin_not_found(call->result_pool);
    }
    info->length = (apr_off_t)object->length;
    info->modified = object->modified;
    info->checksum = NULL;
    release(store, object);
    return NULL;
}

static fhir_error_t *memory_remove(int *existed, fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call)
{
    object_t *object;
    *existed = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!is_locator(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    pthread_mutex_lock(&store->mutex);
    object = find(store, locator);
    if (object) {
        *existed = 1;
        take_out(store, object);
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* Copies the next entry, so that the caller's function runs without the mutex. 0 at the end. */
static int next_entry(fhir_list_entry_t *entry, char locator[LOCATOR_LENGTH + 1], fhir_store_t *store)
{
    apr_size_t position;
    int found;
    pthread_mutex_lock(&store->mutex);
    position = position_of(store, locator);
    if (position < store->count && !strcmp(store->objects[position]->locator, locator)) {
        position++;
    }
    found = position < store->count;
    if (found) {
        const object_t *object = store->objects[position];
        memcpy(locator, object->locator, LOCATOR_LENGTH + 1);
        /* A writer's length grows without the mutex; it means nothing before the commit. */
        entry->length = object->committed ? (apr_off_t)object->length : 0;
        entry->modified = object->modified;
        entry->committed = object->committed;
    }
    pthread_mutex_unlock(&store->mutex);
    return found;
}

static fhir_error_t *memory_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                                 fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    char locator[LOCATOR_LENGTH + 1] = "";
    fhir_list_entry_t found = {0};
    int given;
    *next = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (cursor && !is_locator(cursor)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    if (cursor) {
        memcpy(locator, cursor, LOCATOR_LENGTH + 1);
    }
    found.struct_size = sizeof(found);
    found.locator = locator;
    for (given = 0; given < limit; given++) {
        if (!next_entry(&found, locator, store)) {
            return NULL;
        }
        FHIR_TRY(entry(entry_baton, &found, call->scratch_pool));
    }
    *next = apr_pstrdup(call->result_pool, locator);
    return NULL;
}

static const fhir_storage_plugin_t memory_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 0,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "memory",
    .version = "1.0",
    .capabilities = 0,
    .configure = memory_configure,
    .open = memory_open,
    .close = memory_close,
    .health = memory_health,
    .locate = memory_locate,
    .writer_begin = memory_writer_begin,
    .writer_write = memory_writer_write,
    .writer_commit = memory_writer_commit,
    .writer_abort = memory_writer_abort,
    .reader_open = memory_reader_open,
    .reader_read = memory_reader_read,
    .reader_close = memory_reader_close,
    .stat = memory_stat,
    .remove = memory_remove,
    .list = memory_list,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &memory_plugin;
}
