/* Rebuilds one copy from the other. Nothing is removed before the other copy was read to its end and found whole. */
#include "mirror.h"

#define STEP_TIMEOUT apr_time_from_sec(60)
#define BUFFER_SIZE ((apr_size_t)64 * 1024)

typedef struct rebuild_t {
    fhir_store_t *store;
    int half; /* that needs it */
    const char *object_key;
    fhir_store_call_t call;
    char *buffer;
    apr_off_t length;
    fhir_writer_t *writer; /* in `half`; NULL: not open */
} rebuild_t;

static fhir_store_call_t *step(rebuild_t *rebuild)
{
    rebuild->call.deadline = apr_time_now() + STEP_TIMEOUT;
    return &rebuild->call;
}

typedef fhir_error_t *(*take_fn)(rebuild_t *rebuild, fhir_sealer_t *sealer, apr_size_t length);

static fhir_error_t *drop(rebuild_t *rebuild, fhir_sealer_t *sealer, apr_size_t length)
{
    (void)rebuild;
    (void)sealer;
    (void)length;
    return NULL;
}

static fhir_error_t *copy(rebuild_t *rebuild, fhir_sealer_t *sealer, apr_size_t length)
{
    return fhir_sealer_write(sealer, rebuild->buffer, length, step(rebuild));
}

static fhir_error_t *read_to_end(rebuild_t *rebuild, fhir_sealed_reader_t *reader, take_fn take, fhir_sealer_t *sealer)
{
    for (;;) {
        apr_size_t length = BUFFER_SIZE;
        FHIR_TRY(fhir_sealed_reader_read(reader, rebuild->buffer, &length, step(rebuild)));
        if (length == 0) {
            return NULL;
        }
        FHIR_TRY(take(rebuild, sealer, length));
        apr_pool_clear(rebuild->call.scratch_pool);
    }
}

/* Every chunk of the copy in `half`. */
static fhir_error_t *read_half(rebuild_t *rebuild, int half, take_fn take, fhir_sealer_t *sealer)
{
    fhir_sealed_reader_t *reader =
        fhir_sealed_reader_create(&rebuild->store->halves[half].sealed, rebuild->call.result_pool);
    fhir_object_info_t info = {0};
    const char *locator;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    FHIR_TRY(mirror_locate_half(&locator, rebuild->store, half, rebuild->object_key, step(rebuild)));
    FHIR_TRY(fhir_sealed_reader_open(reader, &info, locator, 0, -1, step(rebuild))); /* reads the header, too */
    rebuild->length = info.length;
    error = read_to_end(rebuild, reader, take, sealer);
    fhir_sealed_reader_close(reader);
    return error;
}

/* ---- writing anew ---- */

static fhir_error_t *write_half(void *baton, const void *bytes, apr_size_t length, const fhir_store_call_t *call)
{
    const rebuild_t *rebuild = baton;
    return rebuild->store->halves[rebuild->half].sealed.plugin->writer_write(rebuild->writer, bytes, length, call);
}

static fhir_error_t *begin(rebuild_t *rebuild)
{
    const fhir_sealed_store_t *sealed = &rebuild->store->halves[rebuild->half].sealed;
    fhir_write_request_t request = {0};
    request.struct_size = sizeof(request);
    request.object_key = rebuild->object_key;
    request.expected_length = fhir_sealed_stored_length(rebuild->length);
    request.content_type = "application/octet-stream";
    FHIR_TRY(mirror_locate_half(&request.locator, rebuild->store, rebuild->half, rebuild->object_key, step(rebuild)));
    return sealed->plugin->writer_begin(&rebuild->writer, sealed->store, &request, step(rebuild));
}

static fhir_error_t *write_and_commit(rebuild_t *rebuild, fhir_sealer_t *sealer)
{
    const fhir_sealed_store_t *sealed = &rebuild->store->halves[rebuild->half].sealed;
    fhir_object_info_t info = {0};
    apr_off_t length;
    info.struct_size = sizeof(info);
    FHIR_TRY(read_half(rebuild, 1 - rebuild->half, copy, sealer));
    FHIR_TRY(fhir_sealer_finish(&length, sealer, step(rebuild)));
    return sealed->plugin->writer_commit(&info, rebuild->writer, step(rebuild));
}

static fhir_error_t *write_anew(rebuild_t *rebuild)
{
    const fhir_sealed_store_t *sealed = &rebuild->store->halves[rebuild->half].sealed;
    fhir_sealed_header_t header;
    fhir_sealer_t *sealer;
    fhir_error_t *error;
    FHIR_TRY(begin(rebuild));
    fhir_sealed_header_make(&header, FHIR_SEALED_SHA_256, rebuild->object_key, rebuild->length);
    error = fhir_sealer_create(&sealer, &header, NULL, write_half, rebuild, rebuild->call.result_pool);
    if (!error) {
        error = write_and_commit(rebuild, sealer);
        fhir_sealer_destroy(sealer);
    }
    if (error) {
        fhir_store_call_t cleaning = mirror_cleaning_call(step(rebuild));
        sealed->plugin->writer_abort(rebuild->writer, &cleaning);
    }
    return error;
}

/* Somebody may have removed the object while we copied it: then our copy must not bring it back. */
static fhir_error_t *check_source(int *gone, rebuild_t *rebuild)
{
    const fhir_sealed_store_t *source = &rebuild->store->halves[1 - rebuild->half].sealed;
    fhir_object_info_t info = {0};
    const char *locator;
    fhir_error_t *error;
    int existed = 0;
    info.struct_size = sizeof(info);
    FHIR_TRY(mirror_locate_half(&locator, rebuild->store, 1 - rebuild->half, rebuild->object_key, step(rebuild)));
    error = source->plugin->stat(&info, source->store, locator, step(rebuild));
    *gone = error && error->code == FHIR_ERROR_NOT_FOUND;
    if (*gone) {
        return mirror_remove_half(&existed, rebuild->store, rebuild->half, rebuild->object_key, step(rebuild));
    }
    return NULL;
}

static const char *text_of(const rebuild_t *rebuild, const char *what, const fhir_error_t *error)
{
    return apr_psprintf(rebuild->call.result_pool, "object %s in %s: %s: %s (%s)", rebuild->object_key,
                        rebuild->store->halves[rebuild->half].name, what, error->public_text,
                        error->detail ? error->detail : "no detail");
}

/* What read_half says of this half's copy decides. *report is NULL while nothing was done. */
static fhir_error_t *replace(const char **report, rebuild_t *rebuild, const fhir_error_t *damage)
{
    int existed = 0;
    int gone = 0;
    if (damage->code != FHIR_ERROR_NOT_FOUND) {
        FHIR_TRY(mirror_remove_half(&existed, rebuild->store, rebuild->half, rebuild->object_key, step(rebuild)));
    }
    FHIR_TRY(write_anew(rebuild));
    FHIR_TRY(check_source(&gone, rebuild));
    *report = gone ? NULL : text_of(rebuild, "repaired from the other copy; it was", damage);
    return NULL;
}

static fhir_error_t *run(const char **report, int *done, rebuild_t *rebuild)
{
    apr_off_t length;
    fhir_error_t *damage;
    fhir_error_t *error = read_half(rebuild, 1 - rebuild->half, drop, NULL);
    if (error) {
        /* No copy at all: the object was removed. No good copy: nothing that we could do. */
        *done = mirror_is_damage(error);
        *report = error->code == FHIR_ERROR_NOT_FOUND || error->code == FHIR_ERROR_CANCELLED
                      ? NULL
                      : text_of(rebuild, "can't be repaired, the other copy is not readable", error);
        return NULL;
    }
    length = rebuild->length;
    damage = read_half(rebuild, rebuild->half, drop, NULL);
    if (!damage && rebuild->length == length) {
        *done = 1;
        return NULL;
    }
    if (!damage) {
        *report = apr_psprintf(rebuild->call.result_pool, "object %s: both copies are whole, but of different lengths",
                               rebuild->object_key);
        *done = 1;
        return NULL;
    }
    if (!mirror_is_damage(damage)) {
        return damage;
    }
    rebuild->length = length;
    FHIR_TRY(replace(report, rebuild, damage));
    *done = 1;
    return NULL;
}

void mirror_rebuild(const char **report, int *done, fhir_store_t *store, int half, const char *object_key,
                    const fhir_store_call_t *call)
{
    rebuild_t rebuild = {.store = store, .half = half, .object_key = object_key, .call = *call};
    fhir_error_t *error;
    *report = NULL;
    *done = 0;
    rebuild.buffer = apr_palloc(call->result_pool, BUFFER_SIZE);
    error = run(report, done, &rebuild);
    if (error && error->code == FHIR_ERROR_EXISTS) {
        *done = 1; /* another process repairs it, too */
    } else if (error && error->code != FHIR_ERROR_CANCELLED) {
        *report = text_of(&rebuild, "not repaired yet", error);
    }
}
