/* Reading a range. A connection that breaks is followed by another request for the rest, of the same ETag. */
#include "azure.h"

#include <stdlib.h>
#include <string.h>

/* Of one reader, whatever it got in between. */
#define RESUMPTIONS_MAX 20

struct fhir_reader_t {
    fhir_store_t *store;
    const char *path;
    const char *etag; /* NULL: the store gave none, nothing can be resumed */
    apr_off_t size;   /* of the whole blob */
    fhir_http_transfer_t *transfer;
    apr_pool_t *pool; /* of the transfer */
    apr_pool_t *parent;
    apr_off_t offset;
    apr_off_t remaining;
    int attempt; /* since the last byte */
    int resumptions;
};

static fhir_error_t *no_length(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The store failed unexpectedly. Tell the operator of this server.",
                             "Get Blob: the answer does not say what range it has");
}

/* "bytes 10-19/2000"; 0: it is something else. Where Azure says 416 to a range that begins at the end, Azurite says
 * "bytes 10-9/10". */
static int parse_content_range(apr_off_t *first, apr_off_t *last, apr_off_t *size, const char *text)
{
    char *end;
    if (!text || strncmp(text, "bytes ", 6) || !strchr("0123456789", text[6])) {
        return 0;
    }
    *first = (apr_off_t)apr_strtoi64(text + 6, &end, 10);
    if (*end != '-') {
        return 0;
    }
    *last = (apr_off_t)apr_strtoi64(end + 1, &end, 10);
    if (*end != '/') {
        return 0;
    }
    *size = (apr_off_t)apr_strtoi64(end + 1, &end, 10);
    return !*end && *first >= 0 && *last >= -1 && *last < *size && *first <= *last + 1;
}

/* What the answer holds, in plain numbers. */
static fhir_error_t *understand(apr_off_t *first, apr_off_t *count, apr_off_t *size,
                                const fhir_http_response_t *response, apr_pool_t *pool)
{
    apr_off_t last;
    if (response->status == 206) {
        if (!parse_content_range(first, &last, size, apr_table_get(response->headers, "Content-Range"))) {
            return no_length(pool);
        }
        *count = last - *first + 1;
    } else {
        *first = 0;
        *count = response->content_length;
        *size = response->content_length;
    }
    return *count < 0 || (response->content_length >= 0 && response->content_length != *count) ? no_length(pool) : NULL;
}

/* `length` -1: to the end. The whole object is asked for without a range, because an empty one has none. */
static fhir_error_t *get_once(fhir_http_response_t *response, fhir_reader_t *reader, apr_off_t offset, apr_off_t length,
                              const fhir_store_call_t *call)
{
    fhir_store_call_t bounded = azure_bounded(reader->store, call);
    apr_pool_t *pool = call->result_pool;
    azure_request_t request;
    fhir_http_request_t http;
    const char *token;
    azure_request_init(&request, "Get Blob", "GET", reader->path, pool);
    azure_add_read_headers(&request, reader->store->config);
    if (length >= 0) {
        azure_add_header(&request, "x-ms-range",
                         apr_psprintf(pool, "bytes=%" APR_OFF_T_FMT "-%" APR_OFF_T_FMT, offset, offset + length - 1));
    } else if (offset > 0) {
        azure_add_header(&request, "x-ms-range", apr_psprintf(pool, "bytes=%" APR_OFF_T_FMT "-", offset));
    }
    if (reader->etag) {
        azure_add_header(&request, "If-Match", reader->etag);
    }
    FHIR_TRY(azure_authorize(&http, &token, reader->store, &request, &bounded));
    FHIR_TRY(fhir_http_download_begin(response, &reader->transfer, azure_client_of(reader->store, &request), &http,
                                      &bounded));
    if (response->status == 401 && token) {
        fhir_error_t *error = azure_status_error(response, &request, pool);
        azure_renewed_forget(reader->store->token, token);
        error->retry = FHIR_RETRY_YES;
        return error;
    }
    return azure_status_error(response, &request, pool);
}

static void end_transfer(fhir_reader_t *reader)
{
    if (reader->transfer) {
        fhir_http_end(reader->transfer);
        reader->transfer = NULL;
    }
    if (reader->pool) {
        apr_pool_destroy(reader->pool);
        reader->pool = NULL;
    }
}

static int may_pass(const fhir_error_t *error)
{
    return error->code == FHIR_ERROR_UNAVAILABLE || error->code == FHIR_ERROR_THROTTLED ||
           error->code == FHIR_ERROR_TIMEOUT || error->code == FHIR_ERROR_CORRUPT || error->retry == FHIR_RETRY_YES;
}

/* Waits, if another request for the rest may help. */
static int try_again(fhir_reader_t *reader, fhir_error_t *error, const fhir_store_call_t *call)
{
    if (!may_pass(error) || reader->resumptions >= RESUMPTIONS_MAX) {
        return 0;
    }
    if (error->retry == FHIR_RETRY_NO) {
        error->retry = FHIR_RETRY_YES;
    }
    reader->resumptions++;
    return fhir_http_try_again(&reader->attempt, error, call);
}

static fhir_error_t *get(fhir_http_response_t *response, fhir_reader_t *reader, apr_off_t offset, apr_off_t length,
                         const fhir_store_call_t *call)
{
    for (;;) {
        fhir_store_call_t inner = *call;
        fhir_error_t *error;
        end_transfer(reader);
        apr_pool_create(&reader->pool, reader->parent);
        inner.result_pool = reader->pool;
        memset(response, 0, sizeof(*response));
        error = get_once(response, reader, offset, length, &inner);
        if (!error) {
            return NULL;
        }
        error = azure_copy_error(error, call->result_pool);
        if (!try_again(reader, error, call)) {
            end_transfer(reader);
            return error;
        }
    }
}

/* ---- open ---- */

/* No byte is wanted, or the range lies outside: the properties tell. */
static fhir_error_t *open_empty(fhir_object_info_t *info, fhir_reader_t *reader, const char *locator, apr_off_t offset,
                                apr_off_t length, const fhir_store_call_t *call)
{
    FHIR_TRY(azure_stat(info, reader->store, locator, call));
    FHIR_TRY(fhir_plugin_range(&reader->remaining, offset, length, info->length, call->result_pool));
    return reader->remaining ? no_length(call->result_pool) : NULL; /* 416 for bytes that are there */
}

static fhir_error_t *open_range(fhir_object_info_t *info, fhir_reader_t *reader, apr_off_t offset, apr_off_t length,
                                const fhir_http_response_t *response, apr_pool_t *pool)
{
    apr_off_t first;
    apr_off_t count;
    apr_off_t size;
    if (apr_table_get(response->headers, AZURE_REMOVED)) {
        return fhir_plugin_not_found(pool);
    }
    FHIR_TRY(understand(&first, &count, &size, response, pool));
    FHIR_TRY(fhir_plugin_range(&reader->remaining, offset, length, size, pool));
    if (first != offset || count != reader->remaining) {
        return no_length(pool);
    }
    azure_fill_info(info, response, size, pool);
    reader->etag = info->checksum;
    reader->size = size;
    reader->offset = offset;
    return NULL;
}

fhir_error_t *azure_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_http_response_t response = {0};
    fhir_error_t *error;
    *reader = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    if (offset < 0 || (length > 0 && offset > APR_INT64_MAX - length)) {
        return fhir_plugin_range(&made->remaining, -1, length, 0, call->result_pool);
    }
    made->store = store;
    made->path = azure_blob_path(store->config, locator, call->result_pool);
    made->parent = call->result_pool;
    error = length == 0 ? NULL : get(&response, made, offset, length, call);
    if (length == 0 || (error && error->code == FHIR_ERROR_RANGE)) {
        error = open_empty(info, made, locator, offset, length, call);
    } else if (!error) {
        error = open_range(info, made, offset, length, &response, call->result_pool);
    }
    if (error) {
        end_transfer(made);
        return error;
    }
    *reader = made;
    return NULL;
}

/* ---- read ---- */

static fhir_error_t *replaced(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                             "The stored content changed while it was read. Tell the operator of this server.",
                             "Get Blob: another ETag or length than at the beginning");
}

/* If-Match says it already; but what passes it over must not mix two blobs. */
static int is_same(const fhir_reader_t *reader, const fhir_http_response_t *response, apr_off_t size)
{
    const char *etag = apr_table_get(response->headers, "ETag");
    return size == reader->size && etag && !strcmp(etag, reader->etag);
}

/* Another request for the bytes that are missing. */
static fhir_error_t *resume(fhir_reader_t *reader, const fhir_store_call_t *call)
{
    fhir_http_response_t response = {0};
    apr_off_t first;
    apr_off_t count;
    apr_off_t size;
    fhir_error_t *error;
    if (!reader->etag) { /* nobody could tell whether it is the same blob */
        return fhir_plugin_short_object(call->result_pool, reader->remaining);
    }
    error = get(&response, reader, reader->offset, reader->remaining, call);
    if (error && error->code == FHIR_ERROR_EXISTS) { /* If-Match: it is another blob now */
        return replaced(call->result_pool);
    }
    FHIR_TRY(error);
    FHIR_TRY(understand(&first, &count, &size, &response, call->result_pool));
    if (!is_same(reader, &response, size)) {
        return replaced(call->result_pool);
    }
    if (first != reader->offset || count != reader->remaining) {
        return fhir_plugin_short_object(call->result_pool, reader->remaining - count);
    }
    return NULL;
}

/* What has come; *length 0 is never a success here. */
static fhir_error_t *receive(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    FHIR_TRY(fhir_http_download_read(reader->transfer, buffer, length, call));
    return *length ? NULL : fhir_plugin_short_object(call->result_pool, reader->remaining);
}

fhir_error_t *azure_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    apr_size_t room = *length;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->remaining == 0) {
        return NULL;
    }
    room = (apr_off_t)room > reader->remaining ? (apr_size_t)reader->remaining : room;
    for (;;) {
        apr_size_t got = room;
        fhir_error_t *error = reader->transfer ? NULL : resume(reader, call); /* it tries again by itself */
        if (error) {
            end_transfer(reader); /* of other bytes, perhaps */
            return error;
        }
        error = receive(reader, buffer, &got, call);
        if (!error) {
            reader->attempt = 0;
            reader->offset += (apr_off_t)got;
            reader->remaining -= (apr_off_t)got;
            *length = got;
            break;
        }
        end_transfer(reader);
        if (!reader->etag || fhir_plugin_check_call(call) || !try_again(reader, error, call)) {
            return error;
        }
    }
    if (reader->remaining == 0) {
        end_transfer(reader);
    }
    return NULL;
}

void azure_reader_close(fhir_reader_t *reader)
{
    end_transfer(reader);
}
