/* Put Blob, streamed: a body of known length in one request. The last piece waits for the commit, so that nothing is
 * complete at the store before, and whatever fails earlier leaves nothing there. */
#include "writer.h"

#include <string.h>

static fhir_error_t *begin(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    azure_block_t *put = &writer->put;
    fhir_http_request_t http;
    azure_request_init(&put->request, "Put Blob", "PUT", writer->path, call->result_pool);
    azure_add_header(&put->request, "x-ms-blob-type", "BlockBlob");
    azure_describe_blob(&put->request, writer);
    put->request.length = writer->expected_length;
    FHIR_TRY(azure_authorize(&http, &put->token, writer->store, &put->request, call));
    FHIR_TRY(fhir_http_upload_begin(&put->transfer, writer->store->client, &http, writer->expected_length, call));
    put->remaining = writer->expected_length;
    put->crc = 0;
    return NULL;
}

static fhir_error_t *finish(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_http_transfer_t *transfer = writer->put.transfer;
    fhir_error_t *error;
    writer->put.transfer = NULL; /* finish ends it in any case */
    FHIR_TRY(fhir_http_upload_finish(response, transfer, AZURE_ANSWER_MAX, call));
    error = azure_check_received(&writer->put, writer, response, call->result_pool);
    if (error && response->status / 100 == 2) { /* there is a blob, but with other bytes: abort takes it away */
        writer->state = AZURE_WRITER_UNCERTAIN;
    }
    return error;
}

/* What is in the buffer. An answer before the end is a refusal. */
static fhir_error_t *send_buffer(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    azure_block_t *put = &writer->put;
    fhir_http_response_t response = {0};
    if (fhir_http_upload_answered(put->transfer)) {
        return finish(&response, writer, call);
    }
    FHIR_TRY(fhir_http_upload_write(put->transfer, writer->buffer, writer->buffered, call));
    put->crc = azure_crc64(writer->store->crc64, put->crc, writer->buffer, writer->buffered);
    put->remaining -= (apr_off_t)writer->buffered;
    writer->buffered = 0;
    return NULL;
}

fhir_error_t *azure_put_piece(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_store_call_t inner;
    fhir_error_t *error = NULL;
    if (!writer->put.pool) {
        apr_pool_create(&writer->put.pool, writer->pool);
        inner = azure_in_pool(call, writer->put.pool);
        error = begin(writer, &inner);
    }
    inner = azure_in_pool(call, writer->put.pool);
    error = error ? error : send_buffer(writer, &inner);
    return error ? azure_copy_error(error, call->result_pool) : NULL;
}

fhir_error_t *azure_put_last(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_store_call_t bounded = azure_bounded(writer->store, call);
    FHIR_TRY(azure_put_piece(writer, &bounded));
    return finish(response, writer, &bounded);
}
