/* Reading an object: checks that the store has what the database says, and never lets a short body pass for a whole. */
#include "store_private.h"

struct fhir_object_reader_t {
    fhir_open_store_t *store;
    fhir_reader_t *reader; /* NULL: closed */
    fhir_store_bridge_t bridge;
    apr_pool_t *pool;
    apr_off_t remaining;
};

static void close_reader(fhir_object_reader_t *reader)
{
    if (reader->reader) {
        reader->store->plugin->reader_close(reader->reader);
        reader->reader = NULL;
        fhir_store_bridge_done(&reader->bridge);
    }
}

static apr_status_t close_cleanup(void *data)
{
    close_reader(data);
    return APR_SUCCESS;
}

void fhir_object_close(fhir_object_reader_t *reader)
{
    close_reader(reader);
}

static fhir_error_t *corrupt(const fhir_open_store_t *store, apr_pool_t *pool, const char *detail)
{
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_SUCCESS,
                             "The stored content is damaged or missing. Tell the operator of this server.",
                             "store %s: %s", store->name, detail);
}

static int inside(apr_off_t offset, apr_off_t length, apr_off_t size)
{
    return offset >= 0 && offset <= size && (length < 0 || length <= size - offset);
}

/* The database has promised this object with this size: that it is absent or shorter is damage, not a wrong request. */
static fhir_error_t *explain_open(fhir_error_t *error, const fhir_object_reader_t *reader, apr_off_t offset,
                                  apr_off_t length, apr_off_t expected_size)
{
    if (error->code == FHIR_ERROR_NOT_FOUND) {
        return corrupt(reader->store, reader->pool, "the object that a row names is not there");
    }
    if (error->code == FHIR_ERROR_RANGE && expected_size >= 0 && inside(offset, length, expected_size)) {
        return corrupt(reader->store, reader->pool, "the object is shorter than its row says");
    }
    return fhir_store_explain(error, reader->store, "reader_open", reader->pool);
}

static fhir_error_t *open_reader(fhir_object_reader_t *reader, fhir_object_info_t *info, const char *locator,
                                 apr_off_t offset, apr_off_t length)
{
    FHIR_TRY(fhir_store_check_call(&reader->bridge.call));
    return reader->store->plugin->reader_open(&reader->reader, info, reader->store->store, locator, offset, length,
                                              &reader->bridge.call);
}

fhir_error_t *fhir_object_open(fhir_object_reader_t **reader, fhir_open_store_t *store, const char *locator,
                               apr_off_t offset, apr_off_t length, apr_off_t expected_size, const fhir_call_t *call)
{
    fhir_object_reader_t *made = apr_pcalloc(call->pool, sizeof(*made));
    fhir_object_info_t info = {0};
    fhir_error_t *error;
    *reader = NULL;
    info.struct_size = sizeof(info);
    made->store = store;
    made->pool = call->pool;
    fhir_store_bridge_init(&made->bridge, store, call);
    error = open_reader(made, &info, locator, offset, length);
    if (error) {
        made->reader = NULL;
        fhir_store_bridge_done(&made->bridge);
        return explain_open(error, made, offset, length, expected_size);
    }
    if ((expected_size >= 0 && info.length != expected_size) || !inside(offset, length, info.length)) {
        close_reader(made);
        return corrupt(store, call->pool,
                       apr_psprintf(call->pool, "the object has %" APR_OFF_T_FMT " bytes, its row says %" APR_OFF_T_FMT,
                                    info.length, expected_size));
    }
    made->remaining = length < 0 ? info.length - offset : length;
    apr_pool_pre_cleanup_register(call->pool, made, close_cleanup);
    *reader = made;
    return NULL;
}

static fhir_error_t *check_open(const fhir_object_reader_t *reader)
{
    if (!reader->reader) {
        return fhir_error_create(reader->pool, FHIR_ERROR_INTERNAL, APR_EINVAL, "The download has ended already.",
                                 "read after close");
    }
    return NULL;
}

fhir_error_t *fhir_object_file(apr_file_t **file, apr_off_t *offset, fhir_object_reader_t *reader)
{
    const fhir_storage_plugin_t *plugin = reader->store->plugin;
    *file = NULL;
    *offset = 0;
    FHIR_TRY(check_open(reader));
    if (!(plugin->capabilities & FHIR_STORAGE_CAN_FILE)) {
        return NULL;
    }
    return fhir_store_explain(plugin->reader_file(file, offset, reader->reader), reader->store, "reader_file",
                              reader->pool);
}

static fhir_error_t *read_bytes(fhir_object_reader_t *reader, char *buffer, apr_size_t *length)
{
    fhir_store_call_t *call = &reader->bridge.call;
    fhir_error_t *error;
    call->deadline = apr_time_now() + FHIR_STORE_STEP_TIMEOUT;
    error = fhir_store_check_call(call);
    if (!error) {
        error = reader->store->plugin->reader_read(reader->reader, buffer, length, call);
    }
    if (error) {
        return fhir_store_explain(error, reader->store, "reader_read", reader->pool);
    }
    apr_pool_clear(call->scratch_pool);
    return NULL;
}

fhir_error_t *fhir_object_read(void *baton, char *buffer, apr_size_t *length)
{
    fhir_object_reader_t *reader = baton;
    apr_size_t room = *length;
    FHIR_TRY(check_open(reader));
    if (reader->remaining == 0) {
        *length = 0;
        return NULL;
    }
    if ((apr_uint64_t)room > (apr_uint64_t)reader->remaining) {
        room = (apr_size_t)reader->remaining;
    }
    *length = room;
    FHIR_TRY(read_bytes(reader, buffer, length));
    if (*length == 0 || *length > room) {
        return corrupt(reader->store, reader->pool,
                       apr_psprintf(reader->pool,
                                    "a read of %" APR_SIZE_T_FMT " bytes gave %" APR_SIZE_T_FMT ", %" APR_OFF_T_FMT
                                    " are still to come",
                                    room, *length, reader->remaining));
    }
    reader->remaining -= (apr_off_t)*length;
    return NULL;
}
