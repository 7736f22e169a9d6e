/* The three forms of a request: all at once, a body that is sent in pieces, an answer that is read in pieces. */
#include "http_transfer.h"

#include <string.h>

/* An answer to an upload that nobody has asked for yet, and the body of a download's error. */
#define EARLY_ANSWER_MAX ((apr_size_t)64 * 1024)

static int never(const fhir_http_transfer_t *transfer)
{
    (void)transfer;
    return 0;
}

/* ---- all at once ---- */

/* Methods that say something about a body always tell its length, also when it is empty. */
static apr_off_t announced_length(const fhir_http_request_t *request)
{
    if (request->body) {
        return (apr_off_t)request->body_length;
    }
    return !strcmp(request->method, "POST") || !strcmp(request->method, "PUT") ? 0 : -1;
}

static void lend(fhir_http_transfer_t *transfer, const void *data, apr_size_t length)
{
    transfer->window_offset = transfer->given;
    transfer->window = data;
    transfer->window_length = length;
    transfer->window_taken = 0;
    transfer->given += (apr_off_t)length;
}

static void take_back(fhir_http_transfer_t *transfer)
{
    transfer->window_offset += (apr_off_t)transfer->window_taken;
    transfer->window = NULL;
    transfer->window_length = 0;
    transfer->window_taken = 0;
}

fhir_error_t *fhir_http_call(fhir_http_response_t *response, fhir_http_client_t *client,
                             const fhir_http_request_t *request, apr_size_t limit, const fhir_store_call_t *call)
{
    fhir_http_transfer_t *transfer;
    fhir_error_t *error;
    memset(response, 0, sizeof(*response));
    FHIR_TRY(fhir_http_start(&transfer, client, request, announced_length(request), 0, call));
    transfer->answer_limit = limit;
    transfer->limit_known = 1;
    if (request->body) {
        lend(transfer, request->body, request->body_length);
    }
    error = fhir_http_drive(transfer, never, call);
    if (!error) {
        fhir_http_fill_response(response, transfer, call->result_pool);
    }
    fhir_http_end(transfer);
    return error;
}

/* ---- an upload ---- */

static int wants_body(const fhir_http_transfer_t *transfer)
{
    return transfer->asked || transfer->head_complete || transfer->total == 0;
}

fhir_error_t *fhir_http_upload_begin(fhir_http_transfer_t **transfer, fhir_http_client_t *client,
                                     const fhir_http_request_t *request, apr_off_t length,
                                     const fhir_store_call_t *call)
{
    fhir_error_t *error;
    *transfer = NULL;
    if (length < 0) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_INVALID, APR_EINVAL, "An upload needs a length.", NULL);
    }
    FHIR_TRY(fhir_http_start(transfer, client, request, length, 0, call));
    (*transfer)->answer_limit = EARLY_ANSWER_MAX;
    error = fhir_http_drive(*transfer, wants_body, call);
    if (error) {
        fhir_http_end(*transfer);
        *transfer = NULL;
    }
    return error;
}

/* libcurl asks for more when its socket has taken what it had; at the very end it does not ask. */
static int has_sent(const fhir_http_transfer_t *transfer)
{
    curl_off_t sent = 0;
    if (transfer->cut_short || transfer->head_complete || transfer->starved) {
        return 1;
    }
    return transfer->taken == transfer->total &&
           curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent) == CURLE_OK && sent >= transfer->total;
}

fhir_error_t *fhir_http_upload_write(fhir_http_transfer_t *transfer, const void *data, apr_size_t length,
                                     const fhir_store_call_t *call)
{
    fhir_error_t *error;
    FHIR_TRY(fhir_plugin_check_call(call));
    if ((apr_uint64_t)length > (apr_uint64_t)(transfer->total - transfer->given)) {
        return fhir_plugin_wrong_length(call->result_pool, transfer->given + (apr_off_t)length, transfer->total);
    }
    if (length == 0) {
        return NULL;
    }
    lend(transfer, data, length);
    if (!transfer->cut_short) {
        fhir_http_go_on(transfer);
    }
    error = fhir_http_drive(transfer, has_sent, call);
    take_back(transfer);
    return error;
}

int fhir_http_upload_answered(fhir_http_transfer_t *transfer)
{
    fhir_http_step(transfer);
    return transfer->head_complete || transfer->done || transfer->interrupted;
}

/* What came before the limit was known. */
static fhir_error_t *limit_answer(fhir_http_transfer_t *transfer, apr_size_t limit, apr_pool_t *pool)
{
    if (transfer->answer.length > limit) {
        return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL, "The store's answer is not whole; try again.",
                                 "%s %s: the answer is no good: it is longer than expected", transfer->method,
                                 transfer->origin);
    }
    transfer->answer_limit = limit;
    transfer->limit_known = 1;
    if (transfer->held_back) {
        fhir_http_go_on(transfer);
    }
    return NULL;
}

static fhir_error_t *finish(fhir_http_response_t *response, fhir_http_transfer_t *transfer, apr_size_t limit,
                            const fhir_store_call_t *call)
{
    if (transfer->given < transfer->total && !transfer->head_complete && !transfer->done && !transfer->interrupted) {
        return fhir_plugin_wrong_length(call->result_pool, transfer->given, transfer->total);
    }
    FHIR_TRY(limit_answer(transfer, limit, call->result_pool));
    FHIR_TRY(fhir_http_drive(transfer, never, call));
    fhir_http_fill_response(response, transfer, call->result_pool);
    return NULL;
}

fhir_error_t *fhir_http_upload_finish(fhir_http_response_t *response, fhir_http_transfer_t *transfer, apr_size_t limit,
                                      const fhir_store_call_t *call)
{
    fhir_error_t *error;
    memset(response, 0, sizeof(*response));
    error = finish(response, transfer, limit, call);
    fhir_http_end(transfer);
    return error;
}

/* ---- a download ---- */

static int has_head(const fhir_http_transfer_t *transfer)
{
    return transfer->head_complete;
}

static fhir_error_t *begin_download(fhir_http_response_t *response, fhir_http_transfer_t *transfer,
                                    const fhir_store_call_t *call)
{
    transfer->answer_limit = EARLY_ANSWER_MAX;
    transfer->limit_known = 1;
    transfer->cut_answer = 1;
    FHIR_TRY(fhir_http_drive(transfer, has_head, call));
    if (transfer->status / 100 != 2) {
        FHIR_TRY(fhir_http_drive(transfer, never, call));
    }
    fhir_http_fill_response(response, transfer, call->result_pool);
    return NULL;
}

fhir_error_t *fhir_http_download_begin(fhir_http_response_t *response, fhir_http_transfer_t **transfer,
                                       fhir_http_client_t *client, const fhir_http_request_t *request,
                                       const fhir_store_call_t *call)
{
    fhir_error_t *error;
    memset(response, 0, sizeof(*response));
    FHIR_TRY(fhir_http_start(transfer, client, request, announced_length(request), 1, call));
    if (request->body) {
        lend(*transfer, request->body, request->body_length);
    }
    error = begin_download(response, *transfer, call);
    if (error || response->status / 100 != 2) {
        fhir_http_end(*transfer);
        *transfer = NULL;
    }
    return error;
}

static int has_bytes(const fhir_http_transfer_t *transfer)
{
    return transfer->buffer_filled > 0;
}

/* Fills the buffer; waits only while there is nothing at all. */
static fhir_error_t *fill_buffer(fhir_http_transfer_t *transfer, const fhir_store_call_t *call)
{
    apr_size_t before;
    fhir_http_drain_spare(transfer);
    if (transfer->buffer_filled == 0) {
        fhir_error_t *error;
        if (transfer->held_back) {
            fhir_http_go_on(transfer);
        }
        error = has_bytes(transfer) ? NULL : fhir_http_drive(transfer, has_bytes, call);
        /* The end of a broken answer comes after all that was received of it. */
        if (error && !has_bytes(transfer)) {
            return error;
        }
    }
    do {
        before = transfer->buffer_filled;
        if (before < transfer->buffer_room && !transfer->spare_end && transfer->held_back) {
            fhir_http_go_on(transfer);
        } else if (before < transfer->buffer_room) {
            fhir_http_step(transfer);
        }
    } while (transfer->buffer_filled > before && transfer->buffer_filled < transfer->buffer_room);
    return NULL;
}

fhir_error_t *fhir_http_download_read(fhir_http_transfer_t *transfer, void *buffer, apr_size_t *length,
                                      const fhir_store_call_t *call)
{
    fhir_error_t *error = fhir_plugin_check_call(call);
    transfer->buffer = buffer;
    transfer->buffer_room = *length;
    transfer->buffer_filled = 0;
    *length = 0;
    if (!error) {
        error = fill_buffer(transfer, call);
    }
    *length = error ? 0 : transfer->buffer_filled;
    transfer->buffer = NULL;
    transfer->buffer_room = 0;
    transfer->buffer_filled = 0;
    return error;
}
