/* Reading, in blocks of their own: libs3 can't pause an answer, and ends one whose reader is slow. Each block is tied
 * to the ETag that the object had when the reader was opened. */
#include "libs3_store.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((apr_size_t)512 * 1024)

struct fhir_reader_t {
    fhir_store_t *store;
    const char *locator;
    const char *etag; /* NULL: the server tells none */
    apr_off_t offset; /* of the next block */
    apr_off_t remaining;
    char *block;
    apr_size_t start; /* what is left of the block: [start, end) */
    apr_size_t end;
    apr_size_t wanted; /* of the block that is on its way */
};

fhir_error_t *libs3_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    libs3_request_t head;
    fhir_reader_t *made;
    fhir_error_t *error;
    *reader = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    error = libs3_head(&head, store, locator, call);
    if (error) {
        return error->code == FHIR_ERROR_NOT_FOUND ? libs3_not_found(error, store, call) : error;
    }
    libs3_fill_info(info, &head, pool);
    made = apr_pcalloc(pool, sizeof(*made));
    FHIR_TRY(fhir_plugin_range(&made->remaining, offset, length, info->length, pool));
    made->store = store;
    made->locator = apr_pstrdup(pool, locator);
    made->etag = info->checksum;
    made->offset = offset;
    *reader = made;
    return NULL;
}

static S3Status take_bytes(int length, const char *bytes, void *baton)
{
    libs3_request_t *request = baton;
    fhir_reader_t *reader = request->baton;
    request->moved = apr_time_now();
    /* More than asked for: the server knows no ranges, or sends what it likes. */
    if (length < 0 || (apr_size_t)length > reader->wanted - reader->end) {
        return S3StatusAbortedByCallback;
    }
    memcpy(reader->block + reader->end, bytes, (apr_size_t)length);
    reader->end += (apr_size_t)length;
    return S3StatusOK;
}

static void start_get(libs3_request_t *request, S3RequestContext *context)
{
    fhir_reader_t *reader = request->baton;
    const S3GetObjectHandler handler = {libs3_response_handler, take_bytes};
    const S3GetConditions conditions = {-1, -1, reader->etag, NULL};
    reader->start = 0;
    reader->end = 0;
    S3_get_object(&request->store->config->bucket, request->key, &conditions, (uint64_t)reader->offset,
                  (uint64_t)reader->wanted, context, &handler, request);
}

/* libs3 says nothing of a body that was broken off. */
static fhir_error_t *check_block(const fhir_reader_t *reader, const libs3_request_t *request, apr_pool_t *pool)
{
    fhir_error_t *error = NULL;
    if (reader->end != reader->wanted) {
        error = fhir_plugin_short_object(pool, reader->remaining - (apr_off_t)reader->end);
        error->retry = FHIR_RETRY_YES;
    } else if (reader->etag && strcmp(request->etag, reader->etag)) {
        error = fhir_plugin_short_object(pool, reader->remaining);
    }
    return error;
}

static fhir_error_t *fetch_block(fhir_reader_t *reader, const fhir_store_call_t *call)
{
    libs3_request_t request;
    int attempt = 0;
    fhir_error_t *error;
    reader->wanted = (apr_uint64_t)reader->remaining < BLOCK_SIZE ? (apr_size_t)reader->remaining : BLOCK_SIZE;
    if (!reader->block) {
        reader->block = malloc(reader->wanted);
    }
    if (!reader->block) {
        return fhir_plugin_system_error(call->result_pool, APR_ENOMEM, "read the object");
    }
    libs3_request_init(&request, reader->store, "GetObject", reader->locator);
    request.start = start_get;
    request.baton = reader;
    do {
        error = libs3_run(&request, reader->store, call);
        if (!error) {
            error = check_block(reader, &request, call->result_pool);
        }
    } while (error && fhir_http_try_again(&attempt, error, call));
    if (error) {
        reader->start = 0; /* perhaps no request was begun: the block before this one was read to its end */
        reader->end = 0;
        return error;
    }
    reader->offset += (apr_off_t)reader->wanted;
    reader->remaining -= (apr_off_t)reader->wanted;
    return NULL;
}

fhir_error_t *libs3_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    apr_size_t room = *length;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->start == reader->end) {
        if (reader->remaining == 0) {
            return NULL;
        }
        FHIR_TRY(fetch_block(reader, call));
    }
    if (room > reader->end - reader->start) {
        room = reader->end - reader->start;
    }
    memcpy(buffer, reader->block + reader->start, room);
    reader->start += room;
    *length = room;
    return NULL;
}

void libs3_reader_close(fhir_reader_t *reader)
{
    free(reader->block);
    reader->block = NULL;
    reader->start = 0;
    reader->end = 0;
    reader->remaining = 0;
}
