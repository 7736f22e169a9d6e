/* Writing: begin, write, abort. */
#include "writer.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static int make_id(char id[AZURE_WRITER_ID_LENGTH + 1])
{
    unsigned char bytes[AZURE_WRITER_ID_LENGTH / 2];
    size_t i;
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return 0;
    }
    for (i = 0; i < sizeof(bytes); i++) {
        id[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        id[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    id[AZURE_WRITER_ID_LENGTH] = '\0';
    return 1;
}

/* Whole MiB, and so large that the number of blocks suffices. */
static apr_off_t block_size_for(apr_off_t configured, apr_off_t length)
{
    apr_off_t step = (apr_off_t)1 << 20;
    apr_off_t needed = (length / AZURE_BLOCKS_MAX / step + 1) * step;
    return length / configured < AZURE_BLOCKS_MAX ? configured : needed;
}

fhir_error_t *azure_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                 const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    const char *key = fhir_plugin_key_of(request->locator);
    fhir_writer_t *made;
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(pool);
    }
    if (!key || strcmp(key, request->object_key)) {
        return fhir_plugin_bad_locator(pool);
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->store = store;
    made->pool = pool;
    made->locator = apr_pstrdup(pool, request->locator);
    made->path = azure_blob_path(store->config, made->locator, pool);
    made->content_type = request->content_type ? apr_pstrdup(pool, request->content_type) : NULL;
    made->expected_length = request->expected_length;
    made->block_size = block_size_for(store->config->block_size, request->expected_length);
    if (made->block_size > AZURE_BLOCK_SIZE_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE, "The content is larger than the store can keep.");
    }
    if (!make_id(made->id)) {
        return fhir_plugin_system_error(pool, errno, "getrandom");
    }
    *writer = made;
    return NULL;
}

static int is_one_put(const fhir_writer_t *writer)
{
    return writer->expected_length >= 0 && writer->expected_length <= writer->store->config->put_blob_size;
}

static int has_streamed_blocks(const fhir_writer_t *writer)
{
    return writer->expected_length > (apr_off_t)AZURE_SMALL_MAX && !is_one_put(writer);
}

static void enlarge_buffer(fhir_writer_t *writer, apr_size_t size)
{
    char *larger = apr_palloc(writer->pool, size);
    if (writer->buffered) {
        memcpy(larger, writer->buffer, writer->buffered);
    }
    writer->buffer = larger;
    writer->buffer_size = size;
}

/* A full buffer is sent only when there is more: what ends in it needs no block. */
static fhir_error_t *make_room(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    int small = writer->expected_length >= 0 && writer->expected_length < (apr_off_t)AZURE_SMALL_MAX;
    if (!writer->buffer) {
        enlarge_buffer(writer, small ? (apr_size_t)writer->expected_length : AZURE_SMALL_MAX);
    } else if (writer->buffered == writer->buffer_size && is_one_put(writer)) {
        return azure_put_piece(writer, call);
    } else if (writer->buffered == writer->buffer_size && writer->buffer_size < AZURE_GATHER_SIZE) {
        enlarge_buffer(writer, AZURE_GATHER_SIZE);
    } else if (writer->buffered == writer->buffer_size) {
        return azure_put_gathered(writer, call);
    }
    return NULL;
}

static fhir_error_t *gather(fhir_writer_t *writer, const char *bytes, apr_size_t length, const fhir_store_call_t *call)
{
    while (length > 0) {
        apr_size_t piece;
        FHIR_TRY(make_room(writer, call));
        piece = writer->buffer_size - writer->buffered;
        piece = length < piece ? length : piece;
        memcpy(writer->buffer + writer->buffered, bytes, piece);
        writer->buffered += piece;
        bytes += piece;
        length -= piece;
    }
    return NULL;
}

fhir_error_t *azure_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                 const fhir_store_call_t *call)
{
    fhir_error_t *error;
    if (writer->state != AZURE_WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->expected_length >= 0 && (apr_off_t)length > writer->expected_length - writer->length) {
        return fhir_plugin_wrong_length(call->result_pool, writer->length + (apr_off_t)length, writer->expected_length);
    }
    error = has_streamed_blocks(writer) ? azure_stream_blocks(writer, data, length, call)
                                        : gather(writer, data, length, call);
    if (error) {
        writer->state = writer->state == AZURE_WRITER_UNCERTAIN ? AZURE_WRITER_UNCERTAIN : AZURE_WRITER_FAILED;
        return error;
    }
    writer->length += (apr_off_t)length;
    return NULL;
}

/* A commit whose answer never came may have stored the blob: then it goes again, if it is ours. */
static void remove_if_ours(const fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_http_response_t response = {0};
    fhir_error_t *error = azure_head(&response, writer->store, writer->locator, call);
    const char *writer_id = !error ? apr_table_get(response.headers, AZURE_WRITER) : NULL;
    if (writer_id && !strcmp(writer_id, writer->id)) {
        error = azure_delete(writer->store, writer->locator, apr_table_get(response.headers, "ETag"), call);
    }
    if (error && error->code != FHIR_ERROR_NOT_FOUND && call->log) {
        call->log(call->log_baton, FHIR_STORE_LOG_WARNING,
                  apr_psprintf(call->result_pool, "azure: an upload that failed may have left its object: %s",
                               fhir_error_reason(error)));
    }
}

void azure_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_store_call_t cleanup = azure_cleanup_call(writer->store, call);
    if (writer->state == AZURE_WRITER_DONE) {
        return;
    }
    azure_await_blocks(writer, &cleanup);
    azure_end_blocks(writer);
    if (writer->state == AZURE_WRITER_UNCERTAIN) {
        remove_if_ours(writer, &cleanup);
    }
    if (writer->block_count > 0) {
        fhir_error_t *error = azure_discard_blocks(writer->store, writer->locator, &cleanup);
        if (error && error->code != FHIR_ERROR_EXISTS && call->log) {
            call->log(call->log_baton, FHIR_STORE_LOG_WARNING,
                      apr_psprintf(call->result_pool, "azure: blocks of a failed upload stay for a week: %s",
                                   fhir_error_reason(error)));
        }
    }
    writer->state = AZURE_WRITER_DONE;
}
