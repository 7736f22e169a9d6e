/* Commit: one Put Blob, or the end of one, or one Put Block List, with If-None-Match: *. When its answer is lost, the
 * blob itself tells whether it is ours. */
#include "writer.h"

#include <string.h>

#define LIST_BEGIN "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"
#define LIST_END "</BlockList>"
#define LIST_ENTRY_LENGTH (sizeof("<Uncommitted></Uncommitted>") - 1 + AZURE_BLOCK_ID_LENGTH)
#define ENTRIES_AT_ONCE 64

/* RFC 9110 field values; what has other characters is a hint that nobody needs. */
static int is_field_value(const char *text)
{
    const char *at;
    for (at = text; *at; at++) {
        if (*at < ' ' || *at > '~') {
            return 0;
        }
    }
    return at > text && *text != ' ' && at[-1] != ' ' && at - text <= 256;
}

void azure_describe_blob(azure_request_t *request, const fhir_writer_t *writer)
{
    const fhir_store_config_t *config = writer->store->config;
    azure_add_header(request, "If-None-Match", "*");
    azure_add_header(request, AZURE_WRITER, writer->id);
    if (writer->content_type && is_field_value(writer->content_type)) {
        azure_add_header(request, "x-ms-blob-content-type", writer->content_type);
    }
    if (config->access_tier) {
        azure_add_header(request, "x-ms-access-tier", config->access_tier);
    }
    azure_add_write_headers(request, config);
}

static fhir_error_t *put_blob(fhir_http_response_t *response, const fhir_writer_t *writer,
                              const fhir_store_call_t *call)
{
    const azure_crc64_t *crc64 = writer->store->crc64;
    const char *body = writer->buffer ? writer->buffer : "";
    azure_request_t request;
    azure_request_init(&request, "Put Blob", "PUT", writer->path, call->result_pool);
    azure_add_header(&request, "x-ms-blob-type", "BlockBlob");
    azure_add_header(&request, "x-ms-content-crc64",
                     azure_crc64_text(azure_crc64(crc64, 0, body, writer->buffered), call->result_pool));
    azure_describe_blob(&request, writer);
    request.body = body;
    request.length = (apr_off_t)writer->buffered;
    FHIR_TRY(azure_call(response, writer->store, &request, AZURE_ANSWER_MAX, 0, call));
    return azure_check_created(response, &request, call->result_pool);
}

/* ---- the block list: up to 3 MiB, made while it is sent ---- */

static fhir_error_t *send_entries(fhir_http_transfer_t *transfer, const fhir_writer_t *writer,
                                  const fhir_store_call_t *call)
{
    char text[ENTRIES_AT_ONCE * LIST_ENTRY_LENGTH + 1];
    int number = 0;
    while (number < writer->block_count) {
        apr_size_t length = 0;
        int i;
        for (i = 0; i < ENTRIES_AT_ONCE && number < writer->block_count; i++, number++) {
            char id[AZURE_BLOCK_ID_LENGTH + 1];
            azure_block_id(id, writer, number);
            length +=
                (apr_size_t)apr_snprintf(text + length, sizeof(text) - length, "<Uncommitted>%s</Uncommitted>", id);
        }
        FHIR_TRY(fhir_http_upload_write(transfer, text, length, call));
    }
    return NULL;
}

static fhir_error_t *send_list(fhir_http_transfer_t *transfer, const fhir_writer_t *writer,
                               const fhir_store_call_t *call)
{
    FHIR_TRY(fhir_http_upload_write(transfer, LIST_BEGIN, sizeof(LIST_BEGIN) - 1, call));
    FHIR_TRY(send_entries(transfer, writer, call));
    return fhir_http_upload_write(transfer, LIST_END, sizeof(LIST_END) - 1, call);
}

static fhir_error_t *put_block_list(fhir_http_response_t *response, const fhir_writer_t *writer,
                                    const fhir_store_call_t *given)
{
    fhir_store_call_t call = azure_bounded(writer->store, given);
    fhir_store_t *store = writer->store;
    fhir_http_request_t http;
    fhir_http_transfer_t *transfer;
    azure_request_t request;
    const char *token;
    fhir_error_t *error;
    azure_request_init(&request, "Put Block List", "PUT", writer->path, call.result_pool);
    azure_add_parameter(&request, "comp", "blocklist");
    azure_describe_blob(&request, writer);
    request.length =
        (apr_off_t)(sizeof(LIST_BEGIN) + sizeof(LIST_END) - 2 + LIST_ENTRY_LENGTH * (apr_size_t)writer->block_count);
    FHIR_TRY(azure_authorize(&http, &token, store, &request, &call));
    FHIR_TRY(fhir_http_upload_begin(&transfer, store->client, &http, request.length, &call));
    error = send_list(transfer, writer, &call);
    if (error) {
        fhir_http_end(transfer);
        return error;
    }
    FHIR_TRY(fhir_http_upload_finish(response, transfer, AZURE_ANSWER_MAX, &call));
    if (response->status == 401 && token) {
        azure_renewed_forget(store->token, token);
    }
    FHIR_TRY(azure_status_error(response, &request, call.result_pool));
    return azure_check_created(response, &request, call.result_pool);
}

/* ---- commit ---- */

/* Nothing was stored for sure: the store answered, and refused. */
static int is_refusal(const fhir_http_response_t *response)
{
    return response->status >= 400 && response->status < 500;
}

/* NULL: the blob is there and ours. EXISTS: it is another's. NOT_FOUND: nothing is there. */
static fhir_error_t *look_whose(fhir_http_response_t *response, const fhir_writer_t *writer,
                                const fhir_store_call_t *call)
{
    const char *id;
    FHIR_TRY(azure_head(response, writer->store, writer->locator, call));
    id = apr_table_get(response->headers, AZURE_WRITER);
    return id && !strcmp(id, writer->id) ? NULL : fhir_plugin_exists(call->result_pool);
}

/* What is there is ours. A request that was cut off on its way must not count as stored. */
static fhir_error_t *check_kept(const fhir_http_response_t *response, fhir_writer_t *writer, apr_pool_t *pool)
{
    if (response->content_length == writer->length) {
        return NULL;
    }
    writer->state = AZURE_WRITER_UNCERTAIN; /* abort takes it away */
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                             "The content was damaged on its way to the store; send it again.",
                             "the store says that it kept %" APR_OFF_T_FMT " of %" APR_OFF_T_FMT " bytes",
                             response->content_length, writer->length);
}

/* After an attempt that failed: settles what it left. *again: nothing is there, and another attempt may succeed. EXISTS
 * may come of our own blob: the transport sends a request twice that an old connection lost. */
static fhir_error_t *settle(int *again, fhir_http_response_t *response, fhir_writer_t *writer, fhir_error_t *error,
                            const fhir_store_call_t *call)
{
    int uncertain = writer->state == AZURE_WRITER_UNCERTAIN;
    int interrupted = !strcmp(azure_code(response), "InvalidBlockList");
    int impostor = response->status / 100 == 2;
    fhir_error_t *seen;
    *again = 0;
    if (!uncertain && is_refusal(response) && !interrupted && error->code != FHIR_ERROR_EXISTS) {
        *again = response->status == 408 || response->status == 429 || response->status == 401;
        return error;
    }
    if (!is_refusal(response)) {
        writer->state = AZURE_WRITER_UNCERTAIN;
    }
    seen = look_whose(response, writer, call);
    if (!seen) {
        return check_kept(response, writer, call->result_pool);
    }
    if (seen->code == FHIR_ERROR_EXISTS) { /* what says 2xx to everything knows of no blob */
        return impostor ? error : seen;
    }
    if (seen->code != FHIR_ERROR_NOT_FOUND) { /* abort asks once more */
        writer->state = AZURE_WRITER_UNCERTAIN;
    }
    *again = seen->code == FHIR_ERROR_NOT_FOUND && !interrupted;
    return error;
}

static fhir_error_t *make_visible(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    if (writer->put.pool) { /* a stream has no second attempt */
        return azure_put_last(response, writer, call);
    }
    return writer->block_count ? put_block_list(response, writer, call) : put_blob(response, writer, call);
}

static fhir_error_t *commit_blob(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    int attempt = 0;
    for (;;) {
        int again;
        fhir_error_t *error;
        memset(response, 0, sizeof(*response));
        error = make_visible(response, writer, call);
        if (!error ||
            (writer->put.pool && writer->state == AZURE_WRITER_UNCERTAIN)) { /* it is there with other bytes */
            return error;
        }
        error = settle(&again, response, writer, error, call);
        if (error && error->retry == FHIR_RETRY_NO) {
            error->retry = again ? FHIR_RETRY_YES : FHIR_RETRY_NO;
        }
        if (!error || !again || writer->put.pool || !fhir_http_try_again(&attempt, error, call)) {
            return error;
        }
    }
}

static fhir_error_t *check_length(const fhir_writer_t *writer, apr_pool_t *pool)
{
    return writer->expected_length >= 0 && writer->length != writer->expected_length
               ? fhir_plugin_wrong_length(pool, writer->length, writer->expected_length)
               : NULL;
}

fhir_error_t *azure_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_http_response_t response = {0};
    fhir_error_t *error;
    if (writer->state != AZURE_WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(check_length(writer, call->result_pool));
    error = writer->block_count > 0 && writer->buffered > 0 ? azure_put_gathered(writer, call)
                                                            : azure_finish_blocks(writer, call);
    error = error ? error : commit_blob(&response, writer, call);
    if (error) {
        writer->state = writer->state == AZURE_WRITER_UNCERTAIN ? AZURE_WRITER_UNCERTAIN : AZURE_WRITER_FAILED;
        return error;
    }
    writer->state = AZURE_WRITER_DONE;
    azure_fill_info(info, &response, writer->length, call->result_pool);
    return NULL;
}
