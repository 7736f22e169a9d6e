/* Reading from one half and going on in the other when it fails, at the same byte. */
#include "mirror.h"

/* How often one reader changes sides. Two copies with so many damaged places need a person. */
#define CHANGES_MAX 8

struct fhir_reader_t {
    fhir_store_t *store;
    const char *object_key;
    fhir_sealed_reader_t *sealed[MIRROR_HALVES];
    int half;           /* where we read */
    int changes;        /* of sides */
    apr_off_t position; /* in the content */
    apr_off_t end;
};

static fhir_error_t *open_half(fhir_reader_t *reader, fhir_object_info_t *info, int half, apr_off_t offset,
                               apr_off_t length, const fhir_store_call_t *call)
{
    const char *locator;
    FHIR_TRY(mirror_locate_half(&locator, reader->store, half, reader->object_key, call));
    if (!reader->sealed[half]) {
        reader->sealed[half] = fhir_sealed_reader_create(&reader->store->halves[half].sealed, call->result_pool);
    }
    FHIR_TRY(mirror_of_half(fhir_sealed_reader_open(reader->sealed[half], info, locator, offset, length, call),
                            reader->store, half, call->result_pool));
    reader->half = half;
    return NULL;
}

static int half_to_start_with(fhir_store_t *store)
{
    return mirror_is_avoided(store, 0) && !mirror_is_avoided(store, 1);
}

/* The other half has served: what is wrong with this one? */
static void note(fhir_reader_t *reader, int half, const fhir_error_t *error, const fhir_store_call_t *call)
{
    mirror_note_failure(reader->store, half, error, reader->object_key, call);
    if (mirror_is_damage(error)) {
        mirror_repair_later(reader->store, half, reader->object_key);
    }
}

static fhir_error_t *open_either(fhir_reader_t *reader, fhir_object_info_t *info, apr_off_t offset, apr_off_t length,
                                 const fhir_store_call_t *call)
{
    fhir_store_call_t half_call = mirror_half_call(call);
    int half = half_to_start_with(reader->store);
    fhir_error_t *error = open_half(reader, info, half, offset, length, &half_call);
    fhir_error_t *other;
    if (!error || mirror_is_over(error, call)) {
        return error;
    }
    other = open_half(reader, info, 1 - half, offset, length, call);
    if (other) {
        return mirror_is_over(other, call) ? other : mirror_worse(error, other, call->result_pool);
    }
    note(reader, half, error, call);
    return NULL;
}

fhir_error_t *mirror_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                 const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    *reader = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    mirror_tell_repairs(store, call);
    made->store = store;
    made->object_key = apr_pstrdup(call->result_pool, locator);
    FHIR_TRY(open_either(made, info, offset, length, call));
    made->position = offset;
    made->end = length < 0 ? info->length : offset + length;
    *reader = made;
    return NULL;
}

/* After a failure at `position`: the rest from the other half. */
static fhir_error_t *change_sides(fhir_reader_t *reader, fhir_error_t *error, const fhir_store_call_t *call)
{
    fhir_object_info_t info = {0};
    fhir_error_t *other;
    int half = reader->half;
    info.struct_size = sizeof(info);
    if (reader->changes++ >= CHANGES_MAX) {
        return error;
    }
    fhir_sealed_reader_close(reader->sealed[half]);
    other = open_half(reader, &info, 1 - half, reader->position, reader->end - reader->position, call);
    if (other) {
        return mirror_is_over(other, call) ? other : mirror_worse(error, other, call->result_pool);
    }
    note(reader, half, error, call);
    return NULL;
}

static fhir_error_t *read_here(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    return mirror_of_half(fhir_sealed_reader_read(reader->sealed[reader->half], buffer, length, call), reader->store,
                          reader->half, call->result_pool);
}

fhir_error_t *mirror_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    fhir_store_call_t half_call = mirror_half_call(call);
    apr_size_t room = *length;
    fhir_error_t *error;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->position == reader->end) {
        return NULL;
    }
    *length = room;
    error = read_here(reader, buffer, length, &half_call);
    if (error && !mirror_is_over(error, call)) {
        FHIR_TRY(change_sides(reader, error, call));
        *length = room;
        error = read_here(reader, buffer, length, call);
    }
    FHIR_TRY(error);
    if (*length == 0 && room > 0) {
        return fhir_plugin_short_object(call->result_pool, reader->end - reader->position);
    }
    reader->position += (apr_off_t)*length;
    return NULL;
}

void mirror_reader_close(fhir_reader_t *reader)
{
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (reader->sealed[half]) {
            fhir_sealed_reader_close(reader->sealed[half]);
        }
    }
}
