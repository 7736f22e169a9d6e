/* Reads one copy to its end, and rebuilds one copy from the other. Nothing is removed before the other copy was read to
 * its end and found whole. */
#include "mirror.h"

#include <openssl/evp.h>
#include <string.h>

#define STEP_TIMEOUT apr_time_from_sec(60)
#define BUFFER_SIZE ((apr_size_t)64 * 1024)

typedef struct rebuild_t {
    fhir_store_t *store;
    int half; /* that is written */
    const char *object_key;
    fhir_store_call_t call;
    apr_time_t end; /* of the caller's time; 0: none */
    char *buffer;
    apr_off_t length;
    EVP_MD_CTX *digest;    /* NULL: nobody asks for it */
    fhir_sealer_t *sealer; /* NULL: nothing is written */
    fhir_writer_t *writer; /* in `half` */
} rebuild_t;

static fhir_store_call_t *step(rebuild_t *rebuild)
{
    apr_time_t deadline = apr_time_now() + STEP_TIMEOUT;
    rebuild->call.deadline = rebuild->end && rebuild->end < deadline ? rebuild->end : deadline;
    return &rebuild->call;
}

static void start(rebuild_t *rebuild, fhir_store_t *store, int half, const char *object_key,
                  const fhir_store_call_t *call)
{
    memset(rebuild, 0, sizeof(*rebuild));
    rebuild->store = store;
    rebuild->half = half;
    rebuild->object_key = object_key;
    rebuild->call = *call;
    rebuild->end = call->deadline;
    rebuild->buffer = apr_palloc(call->result_pool, BUFFER_SIZE);
    apr_pool_create(&rebuild->call.scratch_pool, call->scratch_pool); /* the caller's is not ours to clear */
}

/* ---- reading ---- */

static fhir_error_t *no_digest(const rebuild_t *rebuild)
{
    return fhir_error_create(rebuild->call.result_pool, FHIR_ERROR_UNAVAILABLE, APR_ENOMEM,
                             "The server is short of memory; try again.", "OpenSSL made no digest");
}

static fhir_error_t *take(rebuild_t *rebuild, apr_size_t length)
{
    if (rebuild->digest && EVP_DigestUpdate(rebuild->digest, rebuild->buffer, length) != 1) {
        return no_digest(rebuild);
    }
    return rebuild->sealer ? fhir_sealer_write(rebuild->sealer, rebuild->buffer, length, step(rebuild)) : NULL;
}

static fhir_error_t *read_to_end(rebuild_t *rebuild, fhir_sealed_reader_t *reader, int half)
{
    for (;;) {
        apr_size_t length = BUFFER_SIZE;
        fhir_error_t *error = fhir_sealed_reader_read(reader, rebuild->buffer, &length, step(rebuild));
        FHIR_TRY(mirror_of_half(error, rebuild->store, half, rebuild->call.result_pool));
        if (length == 0) {
            return NULL;
        }
        FHIR_TRY(take(rebuild, length));
        apr_pool_clear(rebuild->call.scratch_pool);
    }
}

/* Every chunk of the copy in `half`. */
static fhir_error_t *read_half(rebuild_t *rebuild, int half)
{
    fhir_sealed_reader_t *reader =
        fhir_sealed_reader_create(&rebuild->store->halves[half].sealed, rebuild->call.result_pool);
    fhir_object_info_t info = {0};
    const char *locator;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    FHIR_TRY(mirror_locate_half(&locator, rebuild->store, half, rebuild->object_key, step(rebuild)));
    error = fhir_sealed_reader_open(reader, &info, locator, 0, -1, step(rebuild)); /* reads the header, too */
    FHIR_TRY(mirror_of_half(error, rebuild->store, half, rebuild->call.result_pool));
    rebuild->length = info.length;
    error = read_to_end(rebuild, reader, half);
    fhir_sealed_reader_close(reader);
    return error;
}

static fhir_error_t *read_and_hash(rebuild_t *rebuild, int half, unsigned char *sha256)
{
    fhir_error_t *error;
    if (!sha256) {
        return read_half(rebuild, half);
    }
    rebuild->digest = EVP_MD_CTX_new();
    error = rebuild->digest && EVP_DigestInit_ex(rebuild->digest, EVP_sha256(), NULL) == 1 ? read_half(rebuild, half)
                                                                                           : no_digest(rebuild);
    if (!error && EVP_DigestFinal_ex(rebuild->digest, sha256, NULL) != 1) {
        error = no_digest(rebuild);
    }
    EVP_MD_CTX_free(rebuild->digest);
    rebuild->digest = NULL;
    return error;
}

fhir_error_t *mirror_read_copy(apr_off_t *length, unsigned char *sha256, fhir_store_t *store, int half,
                               const char *object_key, const fhir_store_call_t *call)
{
    rebuild_t rebuild;
    fhir_error_t *error;
    start(&rebuild, store, half, object_key, call);
    error = read_and_hash(&rebuild, half, sha256);
    if (error && error->code != FHIR_ERROR_NOT_FOUND && mirror_is_damage(error)) {
        error = read_and_hash(&rebuild, half, sha256);
    }
    *length = rebuild.length;
    return error;
}

/* ---- writing anew ---- */

static fhir_error_t *write_half(void *baton, const void *bytes, apr_size_t length, const fhir_store_call_t *call)
{
    const rebuild_t *rebuild = baton;
    const fhir_storage_plugin_t *plugin = rebuild->store->halves[rebuild->half].sealed.plugin;
    return mirror_of_half(plugin->writer_write(rebuild->writer, bytes, length, call), rebuild->store, rebuild->half,
                          rebuild->call.result_pool);
}

static fhir_error_t *begin(rebuild_t *rebuild)
{
    const fhir_sealed_store_t *sealed = &rebuild->store->halves[rebuild->half].sealed;
    fhir_write_request_t request = {0};
    fhir_error_t *error;
    request.struct_size = sizeof(request);
    request.object_key = rebuild->object_key;
    request.expected_length = fhir_sealed_stored_length(rebuild->length);
    request.content_type = "application/octet-stream";
    FHIR_TRY(mirror_locate_half(&request.locator, rebuild->store, rebuild->half, rebuild->object_key, step(rebuild)));
    error = sealed->plugin->writer_begin(&rebuild->writer, sealed->store, &request, step(rebuild));
    return mirror_of_half(error, rebuild->store, rebuild->half, rebuild->call.result_pool);
}

static fhir_error_t *write_and_commit(rebuild_t *rebuild)
{
    const fhir_sealed_store_t *sealed = &rebuild->store->halves[rebuild->half].sealed;
    fhir_object_info_t info = {0};
    apr_off_t length;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    FHIR_TRY(read_half(rebuild, 1 - rebuild->half));
    FHIR_TRY(fhir_sealer_finish(&length, rebuild->sealer, step(rebuild)));
    error = sealed->plugin->writer_commit(&info, rebuild->writer, step(rebuild));
    return mirror_of_half(error, rebuild->store, rebuild->half, rebuild->call.result_pool);
}

static fhir_error_t *write_anew(rebuild_t *rebuild)
{
    const fhir_sealed_store_t *sealed = &rebuild->store->halves[rebuild->half].sealed;
    fhir_sealed_header_t header;
    fhir_error_t *error;
    FHIR_TRY(begin(rebuild));
    fhir_sealed_header_make(&header, FHIR_SEALED_SHA_256, rebuild->object_key, rebuild->length);
    error = fhir_sealer_create(&rebuild->sealer, &header, NULL, write_half, rebuild, rebuild->call.result_pool);
    if (!error) {
        error = write_and_commit(rebuild);
        fhir_sealer_destroy(rebuild->sealer);
        rebuild->sealer = NULL;
    }
    if (error) {
        fhir_store_call_t cleaning = mirror_cleaning_call(&rebuild->call);
        sealed->plugin->writer_abort(rebuild->writer, &cleaning);
    }
    return error;
}

/* Somebody may have removed the object while we copied it: then our copy must not bring it back. */
static fhir_error_t *check_source(int *gone, rebuild_t *rebuild)
{
    int existed = 0;
    *gone = mirror_is_gone(rebuild->store, 1 - rebuild->half, rebuild->object_key, step(rebuild));
    return *gone ? mirror_remove_half(&existed, rebuild->store, rebuild->half, rebuild->object_key, step(rebuild))
                 : NULL;
}

fhir_error_t *mirror_write_copy(int *gone, fhir_store_t *store, int half, const char *object_key, apr_off_t length,
                                int clear, const fhir_store_call_t *call)
{
    rebuild_t rebuild;
    fhir_error_t *error;
    int existed = 0;
    *gone = 0;
    start(&rebuild, store, half, object_key, call);
    rebuild.length = length;
    if (clear) {
        FHIR_TRY(mirror_remove_half(&existed, store, half, object_key, step(&rebuild)));
    }
    error = write_anew(&rebuild);
    if (error && error->code != FHIR_ERROR_NOT_FOUND) {
        return error;
    }
    FHIR_TRY(check_source(gone, &rebuild));
    return *gone ? NULL : error;
}

/* ---- for the thread ---- */

static const char *text_of(const fhir_store_t *store, int half, const char *object_key, const char *what,
                           const fhir_error_t *error, apr_pool_t *pool)
{
    return apr_psprintf(pool, "object %s in %s: %s: %s (%s)", object_key, store->halves[half].name, what,
                        error->public_text, error->detail ? error->detail : "no detail");
}

/* What this half's copy is decides. *report is NULL while nothing was done. */
static fhir_error_t *rebuild_half(const char **report, int *done, fhir_store_t *store, int half, const char *object_key,
                                  apr_off_t length, const fhir_store_call_t *call)
{
    apr_off_t found;
    int gone;
    fhir_error_t *damage = mirror_read_copy(&found, NULL, store, half, object_key, call);
    if (damage && !mirror_is_damage(damage)) {
        return damage;
    }
    if (damage) {
        FHIR_TRY(mirror_write_copy(&gone, store, half, object_key, length, damage->code != FHIR_ERROR_NOT_FOUND, call));
        *report =
            gone ? NULL
                 : text_of(store, half, object_key, "repaired from the other copy; it was", damage, call->result_pool);
    } else if (found != length) {
        *report =
            apr_psprintf(call->result_pool, "object %s: both copies are whole, but of different lengths", object_key);
    }
    *done = 1;
    return NULL;
}

void mirror_rebuild(const char **report, int *done, fhir_store_t *store, int half, const char *object_key,
                    const fhir_store_call_t *call)
{
    apr_off_t length;
    fhir_error_t *error = mirror_read_copy(&length, NULL, store, 1 - half, object_key, call);
    *report = NULL;
    *done = 0;
    if (error) {
        /* No copy at all: the object was removed. No good copy: nothing that we could do. */
        *done = mirror_is_damage(error);
        *report = error->code == FHIR_ERROR_NOT_FOUND || error->code == FHIR_ERROR_CANCELLED
                      ? NULL
                      : text_of(store, half, object_key, "can't be repaired, the other copy is not readable", error,
                                call->result_pool);
        return;
    }
    error = rebuild_half(report, done, store, half, object_key, length, call);
    if (error && error->code == FHIR_ERROR_EXISTS) {
        *done = 1; /* another process repairs it, too */
    } else if (error && error->code != FHIR_ERROR_CANCELLED) {
        *report = text_of(store, half, object_key, "not repaired yet", error, call->result_pool);
    }
}
