/* Put Block: streamed with several answers outstanding, or gathered and repeated. What a step allocates goes with its
 * block, so that the memory of an upload does not grow with its length. */
#include "writer.h"

#include <apr_base64.h>
#include <string.h>

void azure_block_id(char id[AZURE_BLOCK_ID_LENGTH + 1], const fhir_writer_t *writer, int number)
{
    char name[AZURE_WRITER_ID_LENGTH + 9];
    apr_snprintf(name, sizeof(name), "%s%08d", writer->id, number);
    apr_base64_encode(id, name, AZURE_WRITER_ID_LENGTH + 8);
}

static fhir_error_t *too_many(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_TOO_LARGE, APR_SUCCESS,
                             "The content is larger than this store takes without knowing its length beforehand. Send "
                             "it with a Content-Length.",
                             "more than %d blocks", AZURE_BLOCKS_MAX);
}

/* The request for the next block. */
static fhir_error_t *next_block(azure_request_t *request, fhir_writer_t *writer, apr_off_t length,
                                const fhir_store_call_t *call)
{
    char *id = apr_palloc(call->result_pool, AZURE_BLOCK_ID_LENGTH + 1);
    if (writer->block_count >= AZURE_BLOCKS_MAX) {
        return too_many(call->result_pool);
    }
    azure_block_id(id, writer, writer->block_count);
    writer->block_count++;
    azure_request_init(request, "Put Block", "PUT", writer->path, call->result_pool);
    azure_add_parameter(request, "comp", "block");
    azure_add_parameter(request, "blockid", id);
    azure_add_write_headers(request, writer->store->config);
    request->length = length;
    return NULL;
}

fhir_store_call_t azure_in_pool(const fhir_store_call_t *call, apr_pool_t *pool)
{
    fhir_store_call_t inner = *call;
    inner.result_pool = pool;
    inner.scratch_pool = pool;
    return inner;
}

/* ---- streamed ---- */

static fhir_error_t *open_block(azure_block_t *block, fhir_writer_t *writer, apr_off_t length,
                                const fhir_store_call_t *call)
{
    fhir_http_request_t http;
    FHIR_TRY(next_block(&block->request, writer, length, call));
    FHIR_TRY(azure_authorize(&http, &block->token, writer->store, &block->request, call));
    FHIR_TRY(fhir_http_upload_begin(&block->transfer, writer->store->client, &http, length, call));
    block->remaining = length;
    block->crc = 0;
    return NULL;
}

static void close_block(azure_block_t *block)
{
    if (block->transfer) {
        fhir_http_end(block->transfer);
        block->transfer = NULL;
    }
    if (block->pool) {
        apr_pool_destroy(block->pool);
        block->pool = NULL;
    }
}

fhir_error_t *azure_check_received(azure_block_t *block, fhir_writer_t *writer, const fhir_http_response_t *response,
                                   apr_pool_t *pool)
{
    const char *theirs = response->headers ? apr_table_get(response->headers, "x-ms-content-crc64") : NULL;
    if (response->status == 401 && block->token) {
        azure_renewed_forget(writer->store->token, block->token);
    }
    FHIR_TRY(azure_status_error(response, &block->request, pool));
    FHIR_TRY(azure_check_created(response, &block->request, pool));
    if (block->remaining > 0) {
        return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL, "The upload was interrupted; send it again.",
                                 "%s: answered before its end", block->request.operation);
    }
    if (theirs && strcmp(theirs, azure_crc64_text(block->crc, pool))) {
        return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                                 "The content was damaged on its way to the store; send it again.",
                                 "%s: the store received other bytes (CRC-64)", block->request.operation);
    }
    return NULL;
}

static azure_block_t *oldest_block(fhir_writer_t *writer)
{
    return &writer->blocks[writer->oldest % writer->store->config->parallel_blocks];
}

static fhir_error_t *finish_oldest(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    azure_block_t *block = oldest_block(writer);
    fhir_store_call_t inner = azure_bounded(writer->store, call);
    fhir_http_response_t response = {0};
    fhir_http_transfer_t *transfer = block->transfer;
    fhir_error_t *error;
    inner.result_pool = block->pool;
    inner.scratch_pool = block->pool;
    block->transfer = NULL; /* finish ends it in any case */
    error = fhir_http_upload_finish(&response, transfer, AZURE_ANSWER_MAX, &inner);
    error = error ? error : azure_check_received(block, writer, &response, block->pool);
    error = error ? azure_copy_error(error, call->result_pool) : NULL;
    close_block(block);
    writer->oldest++;
    return error;
}

static fhir_error_t *begin_block(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    apr_off_t left = writer->expected_length - writer->block_size * writer->block_count;
    int parallel = (int)writer->store->config->parallel_blocks;
    azure_block_t *block;
    fhir_store_call_t inner;
    fhir_error_t *error;
    if (writer->block_count - writer->oldest >= parallel) {
        FHIR_TRY(finish_oldest(writer, call));
    }
    block = &writer->blocks[writer->block_count % parallel];
    apr_pool_create(&block->pool, writer->pool);
    inner = azure_in_pool(call, block->pool);
    error = open_block(block, writer, left < writer->block_size ? left : writer->block_size, &inner);
    return error ? azure_copy_error(error, call->result_pool) : NULL;
}

static fhir_error_t *send_piece(azure_block_t *block, fhir_writer_t *writer, const char *bytes, apr_size_t length,
                                const fhir_store_call_t *call)
{
    fhir_store_call_t inner = azure_in_pool(call, block->pool);
    fhir_error_t *error = fhir_http_upload_write(block->transfer, bytes, length, &inner);
    if (error) {
        return azure_copy_error(error, call->result_pool);
    }
    block->crc = azure_crc64(writer->store->crc64, block->crc, bytes, length);
    block->remaining -= (apr_off_t)length;
    return NULL;
}

/* An answer to half a block is a refusal: better heard now than after the rest. */
static fhir_error_t *hear_refusals(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    while (writer->oldest < writer->block_count) {
        azure_block_t *block = oldest_block(writer);
        if (!fhir_http_upload_answered(block->transfer)) {
            break;
        }
        FHIR_TRY(finish_oldest(writer, call));
    }
    return NULL;
}

fhir_error_t *azure_stream_blocks(fhir_writer_t *writer, const char *bytes, apr_size_t length,
                                  const fhir_store_call_t *call)
{
    int parallel = (int)writer->store->config->parallel_blocks;
    while (length > 0) {
        azure_block_t *block = &writer->blocks[(writer->block_count + parallel - 1) % parallel];
        apr_size_t piece;
        FHIR_TRY(hear_refusals(writer, call));
        if (writer->block_count == 0 || !block->transfer || block->remaining == 0) {
            FHIR_TRY(begin_block(writer, call));
            block = &writer->blocks[(writer->block_count - 1) % parallel];
        }
        piece = (apr_off_t)length < block->remaining ? length : (apr_size_t)block->remaining;
        FHIR_TRY(send_piece(block, writer, bytes, piece, call));
        bytes += piece;
        length -= piece;
    }
    return NULL;
}

fhir_error_t *azure_finish_blocks(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    while (writer->expected_length >= 0 && writer->oldest < writer->block_count) {
        FHIR_TRY(finish_oldest(writer, call));
    }
    return NULL;
}

/* The server may store a block that it has in whole when its connection is gone already, and then nobody removes it. */
void azure_await_blocks(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_error_t *error = NULL;
    while (!error && writer->oldest < writer->block_count) {
        azure_block_t *block = oldest_block(writer);
        if (!block->transfer || block->remaining > 0) {
            break;
        }
        error = finish_oldest(writer, call);
    }
}

void azure_end_blocks(fhir_writer_t *writer)
{
    int i;
    close_block(&writer->put);
    for (i = 0; i < AZURE_PARALLEL_MAX; i++) {
        close_block(&writer->blocks[i]);
    }
}

/* ---- gathered ---- */

fhir_error_t *azure_put_gathered(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    azure_request_t request;
    fhir_http_response_t response;
    fhir_store_call_t inner;
    apr_pool_t *pool;
    fhir_error_t *error;
    apr_pool_create(&pool, writer->pool);
    inner = azure_in_pool(call, pool);
    error = next_block(&request, writer, (apr_off_t)writer->buffered, &inner);
    if (!error) {
        azure_add_header(
            &request, "x-ms-content-crc64",
            azure_crc64_text(azure_crc64(writer->store->crc64, 0, writer->buffer, writer->buffered), pool));
        request.body = writer->buffer;
        error = azure_call(&response, writer->store, &request, AZURE_ANSWER_MAX, 1, &inner);
        error = error ? error : azure_check_created(&response, &request, pool);
    }
    error = error ? azure_copy_error(error, call->result_pool) : NULL;
    apr_pool_destroy(pool);
    writer->buffered = 0;
    return error;
}
