/* Writing an object: counts, hashes and limits while the bytes stream, gives them to the store block by block, and
 * cleans up whatever was not committed. */
#include "hash_pipe.h"
#include "store_private.h"

#include <string.h>

#define ABORT_TIMEOUT apr_time_from_sec(10)
/* Bytes per second. What makes an object durable takes its time, and its client has waited long for it. */
#define COMMIT_RATE ((apr_off_t)8 * 1024 * 1024)

typedef enum writer_state_t { WRITER_OPEN = 1, WRITER_COMMITTED, WRITER_ABORTED } writer_state_t;

struct fhir_object_writer_t {
    fhir_open_store_t *store;
    fhir_writer_t *writer;
    fhir_store_bridge_t bridge;
    apr_pool_t *pool;
    fhir_hash_pipe_t *hash;
    const char *locator;
    apr_off_t size;
    apr_off_t expected_length;
    apr_off_t limit;
    writer_state_t state;
};

static void abort_writer(fhir_object_writer_t *writer)
{
    fhir_store_call_t call = writer->bridge.call;
    if (writer->state != WRITER_OPEN) {
        return;
    }
    writer->state = WRITER_ABORTED;
    /* Cleaning up goes on when the client has gone and the request's time is over. */
    call.cancelled = NULL;
    call.deadline = apr_time_now() + ABORT_TIMEOUT;
    writer->store->plugin->writer_abort(writer->writer, &call);
    fhir_store_bridge_done(&writer->bridge);
}

static apr_status_t abort_cleanup(void *data)
{
    fhir_object_writer_t *writer = data;
    abort_writer(writer);
    fhir_hash_pipe_stop(writer->hash);
    return APR_SUCCESS;
}

void fhir_object_abort(fhir_object_writer_t *writer)
{
    abort_writer(writer);
}

static fhir_error_t *too_large(const fhir_object_writer_t *writer)
{
    return fhir_error_public(writer->pool, FHIR_ERROR_TOO_LARGE,
                             "The content is larger than the %" APR_OFF_T_FMT " bytes that this server accepts.",
                             writer->limit);
}

static fhir_error_t *wrong_length(const fhir_object_writer_t *writer, const char *relation)
{
    return fhir_error_public(writer->pool, FHIR_ERROR_INVALID,
                             "The content has %s than the announced %" APR_OFF_T_FMT
                             " bytes. Send it again with the right length.",
                             relation, writer->expected_length);
}

static fhir_error_t *begin(fhir_object_writer_t *writer, const char *object_key, const char *content_type)
{
    fhir_write_request_t request = {0};
    request.struct_size = sizeof(request);
    request.object_key = object_key;
    request.locator = writer->locator;
    request.expected_length = writer->expected_length;
    request.content_type = content_type;
    FHIR_TRY(fhir_store_check_call(&writer->bridge.call));
    return writer->store->plugin->writer_begin(&writer->writer, writer->store->store, &request, &writer->bridge.call);
}

fhir_error_t *fhir_object_begin(fhir_object_writer_t **writer, fhir_open_store_t *store, const char *object_key,
                                const char *locator, apr_off_t expected_length, const char *content_type,
                                apr_off_t limit, const fhir_call_t *call)
{
    fhir_object_writer_t *made = apr_pcalloc(call->pool, sizeof(*made));
    fhir_error_t *error;
    *writer = NULL;
    made->store = store;
    made->pool = call->pool;
    made->locator = apr_pstrdup(call->pool, locator);
    made->expected_length = expected_length < 0 ? -1 : expected_length;
    made->limit = limit < 0 ? 0 : limit;
    if (made->expected_length > made->limit) {
        return too_large(made);
    }
    FHIR_TRY(fhir_hash_pipe_create(&made->hash, store->hashers, FHIR_DIGEST_SHA256 | FHIR_DIGEST_SHA1,
                                   made->expected_length, call->pool));
    fhir_store_bridge_init(&made->bridge, store, call);
    error = begin(made, object_key, content_type);
    if (error) {
        fhir_store_bridge_done(&made->bridge);
        return fhir_store_explain(error, store, "writer_begin", call->pool);
    }
    made->state = WRITER_OPEN;
    /* Before the pool's children go: the scratch pool is one of them. */
    apr_pool_pre_cleanup_register(call->pool, made, abort_cleanup);
    *writer = made;
    return NULL;
}

static fhir_error_t *check_room(const fhir_object_writer_t *writer, apr_size_t length)
{
    if (writer->state != WRITER_OPEN) {
        return fhir_error_create(writer->pool, FHIR_ERROR_INTERNAL, APR_EINVAL, "The upload has ended already.",
                                 "write or commit after commit or abort");
    }
    if ((apr_uint64_t)length > (apr_uint64_t)(writer->limit - writer->size)) {
        return too_large(writer);
    }
    if (writer->expected_length >= 0 && (apr_uint64_t)length > (apr_uint64_t)(writer->expected_length - writer->size)) {
        return wrong_length(writer, "more");
    }
    return NULL;
}

static fhir_error_t *write_bytes(fhir_object_writer_t *writer, const void *data, apr_size_t length)
{
    fhir_store_call_t *call = &writer->bridge.call;
    fhir_error_t *error;
    call->deadline = apr_time_now() + FHIR_STORE_STEP_TIMEOUT;
    error = fhir_store_check_call(call);
    if (!error) {
        error = writer->store->plugin->writer_write(writer->writer, data, length, call);
    }
    if (error) {
        return fhir_store_explain(error, writer->store, "writer_write", writer->pool);
    }
    apr_pool_clear(call->scratch_pool);
    return NULL;
}

static fhir_error_t *write_blocks(fhir_object_writer_t *writer, const char *bytes, apr_size_t length)
{
    while (length > 0) {
        const char *block;
        apr_size_t block_length;
        apr_size_t taken = fhir_hash_pipe_add(&block, &block_length, writer->hash, bytes, length);
        if (block) {
            FHIR_TRY(write_bytes(writer, block, block_length));
        }
        bytes += taken;
        length -= taken;
    }
    return NULL;
}

/* A writer that has failed is aborted at once: what it stored frees its space before the request ends. */
fhir_error_t *fhir_object_write(fhir_object_writer_t *writer, const void *data, apr_size_t length)
{
    fhir_error_t *error = check_room(writer, length);
    if (!error) {
        error = write_blocks(writer, data, length);
    }
    if (error) {
        abort_writer(writer);
        return error;
    }
    writer->size += (apr_off_t)length;
    return NULL;
}

static fhir_error_t *write_rest(fhir_object_writer_t *writer)
{
    apr_size_t length;
    const char *rest = fhir_hash_pipe_rest(&length, writer->hash);
    return length > 0 ? write_bytes(writer, rest, length) : NULL;
}

static fhir_error_t *take_digests(fhir_written_t *written, fhir_object_writer_t *writer)
{
    apr_size_t length;
    const fhir_digest_t *digest = fhir_hash_pipe_finish(writer->hash);
    const unsigned char *sha256 = fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length);
    const unsigned char *sha1 = fhir_digest_value(digest, FHIR_DIGEST_SHA1, &length);
    if (!sha256 || !sha1) {
        return fhir_error_create(writer->pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                                 "The server could not compute the checksum of the content; try again.",
                                 "OpenSSL failed while hashing");
    }
    memcpy(written->sha256, sha256, FHIR_SHA256_LENGTH);
    memcpy(written->sha1, sha1, FHIR_SHA1_LENGTH);
    written->size = writer->size;
    return NULL;
}

static fhir_error_t *check_committed(const fhir_object_writer_t *writer, apr_off_t length)
{
    if (length == writer->size) {
        return NULL;
    }
    return fhir_error_create(
        writer->pool, FHIR_ERROR_CORRUPT, APR_SUCCESS, "The store did not keep the content as it was sent; try again.",
        "store %s committed %" APR_OFF_T_FMT " bytes of %" APR_OFF_T_FMT, writer->store->name, length, writer->size);
}

/* What the store has made durable must not stay if it is not good. */
static fhir_error_t *remove_committed(fhir_error_t *reason, fhir_object_writer_t *writer)
{
    fhir_store_call_t call = writer->bridge.call;
    int existed;
    call.deadline = apr_time_now() + ABORT_TIMEOUT;
    if (writer->store->plugin->remove(&existed, writer->store->store, writer->locator, &call)) {
        reason->detail = apr_psprintf(writer->pool, "%s; it could not be removed", reason->detail);
    }
    return reason;
}

static fhir_error_t *commit(fhir_written_t *written, fhir_object_writer_t *writer, apr_interval_time_t time)
{
    fhir_object_info_t info = {0};
    fhir_error_t *error;
    FHIR_TRY(check_room(writer, 0));
    if (writer->expected_length >= 0 && writer->size != writer->expected_length) {
        return wrong_length(writer, "fewer");
    }
    FHIR_TRY(write_rest(writer));
    info.struct_size = sizeof(info);
    writer->bridge.call.deadline = time ? apr_time_now() + time + apr_time_from_sec(writer->size / COMMIT_RATE) : 0;
    FHIR_TRY(fhir_store_check_call(&writer->bridge.call));
    FHIR_TRY(fhir_store_explain(writer->store->plugin->writer_commit(&info, writer->writer, &writer->bridge.call),
                                writer->store, "writer_commit", writer->pool));
    /* Only now, so that blocks are hashed while the store makes them durable. */
    error = check_committed(writer, info.length);
    error = error ? error : take_digests(written, writer);
    return error ? remove_committed(error, writer) : NULL;
}

fhir_error_t *fhir_object_commit(fhir_written_t *written, fhir_object_writer_t *writer, apr_interval_time_t time)
{
    fhir_error_t *error = commit(written, writer, time);
    if (error) {
        abort_writer(writer);
        return error;
    }
    writer->state = WRITER_COMMITTED;
    fhir_store_bridge_done(&writer->bridge);
    return NULL;
}
