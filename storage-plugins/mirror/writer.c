/* Writing to both halves, chunk by chunk. With write=any a half that fails is left out, if the other one goes on. */
#include "mirror.h"

#include <string.h>

typedef enum writer_state_t { WRITER_OPEN = 1, WRITER_FAILED, WRITER_DONE } writer_state_t;

/* Of one half. */
typedef enum part_t { PART_NONE, PART_OPEN, PART_COMMITTED, PART_UNSURE } part_t;

struct fhir_writer_t {
    fhir_store_t *store;
    const char *object_key;
    fhir_sealer_t *sealer;
    fhir_writer_t *inner[MIRROR_HALVES]; /* NULL: it never began; else it is aborted at the end, whatever came */
    part_t parts[MIRROR_HALVES];
    int left_out[MIRROR_HALVES];
    writer_state_t state;
};

static const fhir_storage_plugin_t *plugin_of(const fhir_writer_t *writer, int half)
{
    return writer->store->halves[half].sealed.plugin;
}

/* The call for this half: with write=any a half that hangs must leave time for the other. */
static fhir_store_call_t call_for(const fhir_writer_t *writer, const fhir_store_call_t *call)
{
    return writer->store->config->write_any ? mirror_half_call(call) : *call;
}

/* What this half answered, with its name; one that does not answer is noted. */
static fhir_error_t *answer_of(fhir_error_t *error, const fhir_writer_t *writer, int half,
                               const fhir_store_call_t *call)
{
    if (error && error->code == FHIR_ERROR_TIMEOUT) {
        mirror_avoid(writer->store, half);
    }
    return mirror_of_half(error, writer->store, half, call->result_pool);
}

/* For a half that is left out: the other one needs the time, too. */
static fhir_store_call_t leaving_call(const fhir_store_call_t *call)
{
    fhir_store_call_t cleaning = mirror_cleaning_call(call);
    fhir_store_call_t half_call = mirror_half_call(call);
    cleaning.deadline = half_call.deadline < cleaning.deadline ? half_call.deadline : cleaning.deadline;
    return cleaning;
}

/* NULL if the write goes on without this half. What says something about the object and not about the half stands, and
 * so does the end of the caller's patience. */
static fhir_error_t *leave_out(fhir_writer_t *writer, int half, fhir_error_t *error, const fhir_store_call_t *call)
{
    fhir_store_call_t cleaning = leaving_call(call);
    if (!writer->store->config->write_any || writer->left_out[1 - half] || mirror_is_over(error, call) ||
        error->code == FHIR_ERROR_EXISTS || error->code == FHIR_ERROR_INVALID || error->code == FHIR_ERROR_TOO_LARGE) {
        return error;
    }
    mirror_log(call, FHIR_STORE_LOG_WARNING, "object %s is written to %s alone: %s (%s)", writer->object_key,
               writer->store->halves[1 - half].name, error->public_text, error->detail ? error->detail : "no detail");
    writer->left_out[half] = 1;
    writer->parts[half] = PART_NONE;
    if (writer->inner[half]) {
        plugin_of(writer, half)->writer_abort(writer->inner[half], &cleaning);
    }
    return NULL;
}

/* ---- begin ---- */

static fhir_error_t *begin_half(fhir_writer_t *writer, int half, apr_off_t expected_length, const char *content_type,
                                const fhir_store_call_t *call)
{
    fhir_write_request_t request = {0};
    fhir_writer_t *begun;
    fhir_error_t *error;
    request.struct_size = sizeof(request);
    request.object_key = writer->object_key;
    request.expected_length = expected_length;
    request.content_type = content_type;
    FHIR_TRY(mirror_locate_half(&request.locator, writer->store, half, writer->object_key, call));
    error = plugin_of(writer, half)->writer_begin(&begun, writer->store->halves[half].sealed.store, &request, call);
    FHIR_TRY(answer_of(error, writer, half, call));
    writer->inner[half] = begun;
    writer->parts[half] = PART_OPEN;
    return NULL;
}

static fhir_error_t *begin_both(fhir_writer_t *writer, const fhir_write_request_t *request,
                                const fhir_store_call_t *call)
{
    apr_off_t expected = request->expected_length < 0 ? -1 : fhir_sealed_stored_length(request->expected_length);
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        fhir_store_call_t half_call = call_for(writer, call);
        fhir_error_t *error = begin_half(writer, half, expected, "application/octet-stream", &half_call);
        if (error) {
            FHIR_TRY(leave_out(writer, half, error, call));
        }
    }
    return NULL;
}

static fhir_error_t *check_request(const fhir_write_request_t *request, apr_pool_t *pool)
{
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(pool);
    }
    if (strcmp(request->object_key, request->locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    if (request->expected_length > FHIR_SEALED_LENGTH_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE, "The content is larger than the store can keep.");
    }
    return NULL;
}

static fhir_error_t *write_both(void *baton, const void *bytes, apr_size_t length, const fhir_store_call_t *call)
{
    fhir_writer_t *writer = baton;
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (writer->parts[half] == PART_OPEN) {
            fhir_store_call_t half_call = call_for(writer, call);
            fhir_error_t *error = plugin_of(writer, half)->writer_write(writer->inner[half], bytes, length, &half_call);
            if (error) {
                FHIR_TRY(leave_out(writer, half, answer_of(error, writer, half, call), call));
            }
        }
    }
    return NULL;
}

fhir_error_t *mirror_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                  const fhir_store_call_t *call)
{
    fhir_writer_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_sealed_header_t header;
    fhir_error_t *error;
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(check_request(request, call->result_pool));
    mirror_tell_repairs(store, call);
    made->store = store;
    made->object_key = apr_pstrdup(call->result_pool, request->object_key);
    fhir_sealed_header_make(&header, FHIR_SEALED_SHA_256, request->object_key, request->expected_length);
    FHIR_TRY(fhir_sealer_create(&made->sealer, &header, NULL, write_both, made, call->result_pool));
    made->state = WRITER_OPEN;
    error = begin_both(made, request, call);
    if (error) {
        mirror_writer_abort(made, call);
        return error;
    }
    *writer = made;
    return NULL;
}

fhir_error_t *mirror_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                  const fhir_store_call_t *call)
{
    fhir_error_t *error;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    error = fhir_sealer_write(writer->sealer, data, length, call);
    writer->state = error ? WRITER_FAILED : WRITER_OPEN;
    return error;
}

/* ---- commit ---- */

/* The second half has the object already: a repair that saw our first copy was faster. The key is ours, so the bytes
 * are ours, if they are as many. */
static int repaired_meanwhile(fhir_object_info_t *info, fhir_writer_t *writer, int half, const fhir_store_call_t *call)
{
    const fhir_sealed_store_t *sealed = &writer->store->halves[half].sealed;
    const char *locator;
    return half == 1 && writer->parts[0] == PART_COMMITTED &&
           !mirror_locate_half(&locator, writer->store, half, writer->object_key, call) &&
           !sealed->plugin->stat(info, sealed->store, locator, call);
}

static fhir_error_t *commit_half(fhir_object_info_t *info, fhir_writer_t *writer, int half, apr_off_t length,
                                 const fhir_store_call_t *call)
{
    fhir_object_info_t sealed = {0};
    fhir_error_t *error;
    sealed.struct_size = sizeof(sealed);
    error = plugin_of(writer, half)->writer_commit(&sealed, writer->inner[half], call);
    if (error && error->code == FHIR_ERROR_EXISTS && repaired_meanwhile(&sealed, writer, half, call)) {
        error = NULL;
    }
    if (error) {
        /* With our first copy in place the key is ours: whatever the second half has of it can be removed. */
        if (half == 1 && writer->parts[0] == PART_COMMITTED && error->code != FHIR_ERROR_EXISTS) {
            writer->parts[half] = PART_UNSURE;
        }
        return answer_of(error, writer, half, call);
    }
    writer->parts[half] = PART_COMMITTED;
    if (sealed.length != fhir_sealed_stored_length(length)) {
        return answer_of(fhir_sealed_damaged(call->result_pool, "the store committed another length than was written"),
                         writer, half, call);
    }
    info->length = length;
    info->modified = sealed.modified;
    info->checksum = NULL;
    return NULL;
}

/* One after the other; a crash in between leaves the first copy, which the row of the upload names. */
static fhir_error_t *commit_both(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    apr_off_t length;
    int half;
    FHIR_TRY(fhir_sealer_finish(&length, writer->sealer, call));
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (writer->parts[half] == PART_OPEN) {
            fhir_store_call_t half_call = call_for(writer, call);
            fhir_error_t *error = commit_half(info, writer, half, length, &half_call);
            if (error) {
                FHIR_TRY(leave_out(writer, half, error, call));
            }
        }
    }
    return NULL;
}

/* ---- cleaning up ---- */

/* Takes back what is visible in this half of an object that was not written as it should. */
static fhir_error_t *take_back(fhir_writer_t *writer, int half, const fhir_store_call_t *cleaning)
{
    int existed = 0;
    if (writer->parts[half] != PART_COMMITTED && writer->parts[half] != PART_UNSURE) {
        return NULL;
    }
    FHIR_TRY(mirror_remove_half(&existed, writer->store, half, writer->object_key, cleaning));
    writer->parts[half] = PART_NONE;
    return NULL;
}

/* What fails here is tried again, and told, by the abort that must follow. A half that has just not answered is left to
 * that: the caller has waited for it. */
static void take_back_both(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (writer->parts[half] != PART_UNSURE || !mirror_is_avoided(writer->store, half)) {
            fhir_store_call_t cleaning = mirror_cleaning_call(call);
            fhir_error_t *ignored = take_back(writer, half, &cleaning);
            (void)ignored;
        }
    }
}

static void abort_half(fhir_writer_t *writer, int half, const fhir_store_call_t *call)
{
    fhir_store_call_t cleaning = mirror_cleaning_call(call);
    fhir_error_t *error;
    if (writer->inner[half]) {
        plugin_of(writer, half)->writer_abort(writer->inner[half], &cleaning);
    }
    error = take_back(writer, half, &cleaning);
    if (error) {
        mirror_log(call, FHIR_STORE_LOG_ERROR, "object %s was not committed, but %s may keep it: %s (%s)",
                   writer->object_key, writer->store->halves[half].name, error->public_text,
                   error->detail ? error->detail : "no detail");
    }
}

fhir_error_t *mirror_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_error_t *error;
    int half;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    error = commit_both(info, writer, call);
    fhir_sealer_destroy(writer->sealer);
    writer->state = error ? WRITER_FAILED : WRITER_DONE;
    if (error) {
        take_back_both(writer, call);
        return error;
    }
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (writer->left_out[half]) {
            mirror_repair_later(writer->store, half, writer->object_key);
        }
    }
    return NULL;
}

void mirror_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    int half;
    fhir_sealer_destroy(writer->sealer);
    if (writer->state == WRITER_DONE) {
        return;
    }
    writer->state = WRITER_FAILED;
    for (half = 0; half < MIRROR_HALVES; half++) {
        abort_half(writer, half, call);
    }
}
