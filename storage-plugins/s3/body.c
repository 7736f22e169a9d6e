/* A request whose body is streamed: signed chunk by chunk, or as a whole, or left to TLS. */
#include "s3.h"

#include <string.h>

/* The line end of the chunk before, and the first line of this one. */
#define FRAME_MAX (2 + S3_CHUNK_HEADER_MAX)

static fhir_error_t *begin_chunks(s3_body_t *body, const s3_signed_t *request, apr_pool_t *pool)
{
    body->chunked = 1;
    body->chunk_open = 0;
    return s3_chunk_signer_init(&body->chunks, &request->signer, request->signature, pool);
}

fhir_error_t *s3_body_begin(s3_body_t *body, fhir_store_t *store, s3_operation_t *operation, apr_off_t length,
                            const fhir_store_call_t *call)
{
    int chunked = !operation->payload_sha256 && store->config->sign_payload;
    apr_off_t sent = length;
    s3_signed_t request;
    memset(body, 0, sizeof(*body));
    FHIR_TRY(fhir_plugin_check_call(call));
    if (chunked) {
        operation->payload_sha256 = S3_STREAMING_PAYLOAD;
        /* Without Content-Encoding: S3 does not need it, and other servers keep "aws-chunked" with the object. */
        s3_add_header(operation, "x-amz-decoded-content-length",
                      apr_psprintf(call->scratch_pool, "%" APR_OFF_T_FMT, length));
        sent = s3_chunked_length(length, S3_BLOCK);
    } else if (!operation->payload_sha256) {
        operation->payload_sha256 = S3_UNSIGNED_PAYLOAD;
    }
    FHIR_TRY(s3_sign(&request, store, operation, call));
    if (chunked) {
        FHIR_TRY(begin_chunks(body, &request, call->result_pool));
    }
    body->operation = operation->name;
    body->credentials = request.signer.credentials;
    body->remaining = length;
    return fhir_http_upload_begin(&body->transfer, store->http, &request.http, sent, call);
}

static fhir_error_t *send_frame(s3_body_t *body, const void *data, apr_size_t length, const fhir_store_call_t *call)
{
    char frame[FRAME_MAX];
    apr_size_t used = 0;
    if (body->chunk_open) {
        memcpy(frame, "\r\n", 2);
        used = 2;
    }
    used += s3_chunk_header(frame + used, &body->chunks, data, length);
    body->chunk_open = 1;
    return fhir_http_upload_write(body->transfer, frame, used, call);
}

/* An answer in the middle of the body is a refusal: the rest need not be sent. */
static fhir_error_t *answered_early(s3_body_t *body, fhir_store_t *store, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    FHIR_TRY(s3_body_finish(&response, body, store, call));
    return fhir_error_create(call->result_pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                             "The store did not keep the content as it was sent; try again.",
                             "%s: the server said %d before it had the body", body->operation, response.status);
}

fhir_error_t *s3_body_write(s3_body_t *body, fhir_store_t *store, const void *data, apr_size_t length,
                            const fhir_store_call_t *call)
{
    if (!body->transfer || (apr_off_t)length > body->remaining) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    if (fhir_http_upload_answered(body->transfer)) {
        return answered_early(body, store, call);
    }
    if (body->chunked) {
        FHIR_TRY(send_frame(body, data, length, call));
    }
    FHIR_TRY(fhir_http_upload_write(body->transfer, data, length, call));
    body->remaining -= (apr_off_t)length;
    if (body->chunked && body->remaining == 0) {
        FHIR_TRY(send_frame(body, "", 0, call));
        return fhir_http_upload_write(body->transfer, "\r\n", 2, call);
    }
    return NULL;
}

fhir_error_t *s3_body_finish(fhir_http_response_t *response, s3_body_t *body, fhir_store_t *store,
                             const fhir_store_call_t *call)
{
    fhir_http_transfer_t *transfer = body->transfer;
    memset(response, 0, sizeof(*response));
    body->transfer = NULL;
    FHIR_TRY(fhir_http_upload_finish(response, transfer, S3_ANSWER_MAX, call));
    if (response->status >= 200 && response->status < 300) {
        return NULL;
    }
    return s3_refusal(NULL, store, response, body->operation, &body->credentials, call);
}

void s3_body_end(s3_body_t *body)
{
    fhir_http_end(body->transfer);
    body->transfer = NULL;
}
