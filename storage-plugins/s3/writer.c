/* Writing an object. The last block is always held back, so that nothing is complete at the server before commit:
 *   up to 64 KiB               one PutObject with the hash of the body signed
 *   up to multipart_threshold  one PutObject, streamed, if the length is announced
 *   announced and larger       multipart, streamed
 *   not announced              a spool file; one PutObject if all of it is one part, else multipart */
#include "s3.h"

#include <apr_general.h>
#include <string.h>

#define CONTENT_TYPE_MAX 255
#define ABORT_TIME apr_time_from_sec(10)

typedef enum writer_state_t { WRITER_OPEN = 1, WRITER_DONE } writer_state_t;

struct fhir_writer_t {
    fhir_store_t *store;
    apr_pool_t *pool;
    s3_target_t target;
    apr_off_t expected_length;
    apr_off_t length; /* all that was given to us */
    char *block;      /* S3_BLOCK, or the announced length if that is less */
    apr_size_t block_length;
    int sent; /* a block has left us */
    writer_state_t state;
    int maybe_stored; /* the object may be at the server although commit did not succeed */
    s3_body_t body;   /* of one streamed PutObject */
    s3_multipart_t multipart;
};

static int is_streamed_put(const fhir_writer_t *writer)
{
    return writer->expected_length >= 0 && writer->expected_length <= writer->store->config->multipart_threshold;
}

static const char *content_type(const char *hint, apr_pool_t *pool)
{
    size_t length = hint ? strlen(hint) : 0;
    size_t i;
    for (i = 0; i < length; i++) {
        if (hint[i] < 0x20 || hint[i] > 0x7e) {
            return "application/octet-stream";
        }
    }
    return length >= 3 && length <= CONTENT_TYPE_MAX && hint[0] != ' ' && hint[length - 1] != ' '
               ? apr_pstrdup(pool, hint)
               : "application/octet-stream";
}

static fhir_error_t *new_mark(char mark[S3_MARK_LENGTH + 1], apr_pool_t *pool)
{
    unsigned char random[S3_MARK_LENGTH / 2];
    int i;
    if (apr_generate_random_bytes(random, sizeof(random)) != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                                 "The store failed unexpectedly. Tell the operator of this server.", "no random bytes");
    }
    for (i = 0; i < S3_MARK_LENGTH / 2; i++) {
        mark[2 * i] = "0123456789abcdef"[random[i] >> 4];
        mark[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    mark[S3_MARK_LENGTH] = '\0';
    return NULL;
}

static int has_our_mark(const fhir_writer_t *writer, const fhir_http_response_t *head)
{
    const char *mark = apr_table_get(head->headers, S3_MARK_HEADER);
    return mark && !strcmp(mark, writer->target.mark);
}

/* For servers, and requests, that do not know If-None-Match. */
static fhir_error_t *refuse_taken(const fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_object_info_t info = {0};
    fhir_http_response_t head;
    fhir_error_t *error = s3_head(&info, &head, writer->store, writer->target.locator, call);
    if (error) {
        return error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
    }
    return has_our_mark(writer, &head) ? NULL : fhir_plugin_exists(call->result_pool);
}

fhir_error_t *s3_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                              const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    fhir_writer_t *made = apr_pcalloc(pool, sizeof(*made));
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(pool);
    }
    fhir_plugin_locator_of(made->target.locator, request->object_key);
    if (strcmp(made->target.locator, request->locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    made->store = store;
    made->pool = pool;
    made->target.content_type = content_type(request->content_type, pool);
    made->expected_length = request->expected_length < 0 ? -1 : request->expected_length;
    FHIR_TRY(new_mark(made->target.mark, pool));
    FHIR_TRY(s3_multipart_init(&made->multipart, store, &made->target, made->expected_length, pool));
    if (!store->config->if_none_match) {
        FHIR_TRY(refuse_taken(made, call));
    }
    made->state = WRITER_OPEN;
    *writer = made;
    return NULL;
}

static fhir_error_t *begin_put(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_store_call_t lasting = *call;
    s3_operation_t operation;
    lasting.result_pool = writer->pool;
    s3_target_operation(&operation, writer->store, &writer->target, "PutObject", call->scratch_pool);
    return s3_body_begin(&writer->body, writer->store, &operation, writer->expected_length, &lasting);
}

static fhir_error_t *send_block(fhir_writer_t *writer, const void *data, apr_size_t length,
                                const fhir_store_call_t *call)
{
    if (!is_streamed_put(writer)) {
        writer->sent = 1;
        return s3_multipart_write(&writer->multipart, data, length, call);
    }
    if (!writer->sent) {
        writer->sent = 1;
        FHIR_TRY(begin_put(writer, call));
    }
    return s3_body_write(&writer->body, writer->store, data, length, call);
}

/* Signed chunks and multipart know no other length than S3_BLOCK; all else goes as it came. */
static fhir_error_t *send_blocks(fhir_writer_t *writer, const char *bytes, apr_size_t length,
                                 const fhir_store_call_t *call)
{
    int at_once = is_streamed_put(writer) && !writer->store->config->sign_payload;
    while (length > 0) {
        apr_size_t piece = at_once ? length : S3_BLOCK;
        FHIR_TRY(send_block(writer, bytes, piece, call));
        bytes += piece;
        length -= piece;
    }
    return NULL;
}

static char *block_of(fhir_writer_t *writer)
{
    if (!writer->block) {
        int small = writer->expected_length >= 0 && writer->expected_length < (apr_off_t)S3_BLOCK;
        writer->block = apr_palloc(writer->pool, small ? (apr_size_t)writer->expected_length + 1 : S3_BLOCK);
    }
    return writer->block;
}

/* Blocks that are surely not the last go straight through. */
static apr_size_t before_last(const fhir_writer_t *writer, apr_size_t length)
{
    if (writer->block_length > 0 || length == 0) {
        return 0;
    }
    if (writer->length == writer->expected_length || writer->expected_length < 0) {
        length--;
    }
    return length - length % S3_BLOCK;
}

/* Unless more is announced, between 1 byte and a block of what was written is always here. */
fhir_error_t *s3_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length, const fhir_store_call_t *call)
{
    const char *bytes = data;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    writer->length += (apr_off_t)length;
    if (writer->expected_length >= 0 && writer->length > writer->expected_length) {
        return fhir_plugin_wrong_length(call->result_pool, writer->length, writer->expected_length);
    }
    while (length > 0) {
        apr_size_t through;
        apr_size_t piece;
        if (writer->block_length == S3_BLOCK) {
            writer->block_length = 0;
            FHIR_TRY(send_block(writer, writer->block, S3_BLOCK, call));
        }
        through = before_last(writer, length);
        FHIR_TRY(send_blocks(writer, bytes, through, call));
        bytes += through;
        length -= through;
        piece = S3_BLOCK - writer->block_length < length ? S3_BLOCK - writer->block_length : length;
        memcpy(block_of(writer) + writer->block_length, bytes, piece);
        writer->block_length += piece;
        bytes += piece;
        length -= piece;
    }
    return NULL;
}

/* *ours: what is there was made by this writer, and has `length` bytes; *head says more of it. An error says that
 * nobody knows. */
static fhir_error_t *look_whose(int *ours, apr_off_t *length, fhir_http_response_t *head, const fhir_writer_t *writer,
                                const fhir_store_call_t *call)
{
    fhir_object_info_t info = {0};
    fhir_error_t *error = s3_head(&info, head, writer->store, writer->target.locator, call);
    *ours = !error && has_our_mark(writer, head);
    *length = info.length;
    return error && error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
}

/* Signatures of chunks cover their bytes, but not where the server found their borders: what it kept must be as long as
 * what was sent. Over TLS nobody can have changed that. */
static fhir_error_t *check_kept(const fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_http_response_t head;
    apr_off_t length = 0;
    int ours = 0;
    if (!writer->sent || writer->expected_length < 0 || !writer->store->config->sign_payload ||
        !strcmp(writer->store->config->endpoint.scheme, "https")) {
        return NULL;
    }
    FHIR_TRY(look_whose(&ours, &length, &head, writer, call));
    if (ours && length == writer->length) {
        return NULL;
    }
    return fhir_error_create(call->result_pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                             "The store did not keep the content as it was sent; try again.",
                             "the server says that it kept %" APR_OFF_T_FMT " of %" APR_OFF_T_FMT " bytes", length,
                             writer->length);
}

static fhir_error_t *put_small(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    s3_operation_t operation;
    s3_target_operation(&operation, writer->store, &writer->target, "PutObject", call->scratch_pool);
    operation.body = writer->block_length ? writer->block : "";
    operation.body_length = writer->block_length;
    operation.repeatable = 1;
    return s3_call(response, writer->store, &operation, S3_ANSWER_MAX, call);
}

static fhir_error_t *finish_put(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    FHIR_TRY(s3_body_write(&writer->body, writer->store, writer->block, writer->block_length, call));
    return s3_body_finish(response, &writer->body, writer->store, call);
}

static fhir_error_t *put_spooled_once(fhir_http_response_t *response, fhir_writer_t *writer, s3_part_t *part,
                                      const fhir_store_call_t *call)
{
    s3_operation_t operation;
    memset(response, 0, sizeof(*response));
    s3_target_operation(&operation, writer->store, &writer->target, "PutObject", call->scratch_pool);
    operation.payload_sha256 = part->sha256;
    FHIR_TRY(s3_spool_send(&writer->body, writer->store, &operation, &part->spool, writer->block, call));
    return s3_body_finish(response, &writer->body, writer->store, call);
}

static fhir_error_t *put_spooled(fhir_http_response_t *response, fhir_writer_t *writer, s3_part_t *part,
                                 const fhir_store_call_t *call)
{
    int attempt = 0;
    FHIR_TRY(s3_spool_sha256(part->sha256, &part->spool, call->result_pool));
    for (;;) {
        fhir_error_t *error = put_spooled_once(response, writer, part, call);
        if (!error || !fhir_http_try_again(&attempt, error, call)) {
            return error;
        }
        s3_body_end(&writer->body);
    }
}

static fhir_error_t *complete(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    memset(response, 0, sizeof(*response));
    FHIR_TRY(s3_multipart_settle(&writer->multipart, call));
    FHIR_TRY(refuse_taken(writer, call));
    writer->maybe_stored = 1;
    return s3_multipart_complete(response, &writer->multipart, call);
}

/* The step that makes the object visible. */
static fhir_error_t *last_step(fhir_http_response_t *response, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    s3_part_t *only = NULL;
    memset(response, 0, sizeof(*response));
    if (writer->sent && !is_streamed_put(writer)) {
        FHIR_TRY(s3_multipart_write(&writer->multipart, writer->block, writer->block_length, call));
        only = s3_multipart_only_part(&writer->multipart);
        if (!only) {
            return complete(response, writer, call);
        }
    }
    if (!writer->store->config->if_none_match) {
        FHIR_TRY(refuse_taken(writer, call));
    }
    writer->maybe_stored = 1;
    if (!writer->sent) {
        return put_small(response, writer, call);
    }
    return is_streamed_put(writer) ? finish_put(response, writer, call) : put_spooled(response, writer, only, call);
}

/* Whoever stands in for the server (a proxy, a page about maintenance) says 2xx, too, but has no ETag to give. */
static fhir_error_t *check_stored(const fhir_writer_t *writer, const fhir_http_response_t *response, apr_pool_t *pool)
{
    if (writer->multipart.upload_id || (response->status == 200 && s3_etag(response, pool))) {
        return NULL;
    }
    return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                             "The store is overloaded or unreachable; try again.",
                             "PutObject: status %d%s is not how an S3 server answers: look at endpoint=, and at what "
                             "is between this host and the server",
                             response->status, response->status == 200 ? " without an ETag" : "");
}

/* Of a multipart upload the answer to its creation has said so already. */
static fhir_error_t *check_encrypted(const fhir_writer_t *writer, const fhir_http_response_t *response,
                                     const fhir_store_call_t *call)
{
    return writer->multipart.upload_id ? NULL : s3_check_encrypted(writer->store, response, call->result_pool);
}

/* After an unclear answer, or EXISTS of a repetition, the mark tells whose object is there. On success *response is
 * what the server says of it. */
static fhir_error_t *resolve(fhir_error_t *error, fhir_http_response_t *response, fhir_writer_t *writer,
                             const fhir_store_call_t *call)
{
    int unclear = s3_unclear(error, response);
    fhir_http_response_t head;
    apr_off_t length = 0;
    int ours = 0;
    if (!writer->maybe_stored) {
        return error;
    }
    if (unclear || error->code == FHIR_ERROR_EXISTS || error->code == FHIR_ERROR_NOT_FOUND) {
        fhir_error_t *unknown = look_whose(&ours, &length, &head, writer, call);
        if (ours && length == writer->length) {
            *response = head;
            return check_encrypted(writer, &head, call);
        }
        unclear = unclear || ours || unknown; /* then abort looks once more */
    }
    writer->maybe_stored = unclear;
    if (error->code == FHIR_ERROR_NOT_FOUND) { /* somebody removed the locator while we were writing */
        error = fhir_error_create(call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_ENOENT,
                                  "The upload was interrupted; send it again.", "the multipart upload was removed");
    }
    return error;
}

fhir_error_t *s3_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    fhir_error_t *error;
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->expected_length >= 0 && writer->length != writer->expected_length) {
        return fhir_plugin_wrong_length(call->result_pool, writer->length, writer->expected_length);
    }
    error = last_step(&response, writer, call);
    error = error ? error : check_stored(writer, &response, call->result_pool);
    if (error) {
        FHIR_TRY(resolve(error, &response, writer, call));
    } else {
        FHIR_TRY(check_encrypted(writer, &response, call));
        FHIR_TRY(check_kept(writer, call));
    }
    info->length = writer->length;
    info->modified = 0;
    info->checksum = response.headers ? s3_etag(&response, call->result_pool) : NULL;
    writer->state = WRITER_DONE;
    s3_multipart_end(&writer->multipart, call);
    return NULL;
}

static void remove_ours(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_http_response_t head;
    apr_off_t length;
    int ours;
    fhir_error_t *error = look_whose(&ours, &length, &head, writer, call);
    if (!error && ours) {
        error = s3_delete(writer->store, writer->target.locator, call);
    }
    if (error) {
        s3_log(call, FHIR_STORE_LOG_WARNING, "s3: an object whose writer failed may be left: %s",
               fhir_error_reason(error));
    }
}

void s3_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_store_call_t fresh = *call;
    apr_time_t latest = apr_time_now() + ABORT_TIME;
    if (writer->state == WRITER_DONE) {
        return;
    }
    writer->state = WRITER_DONE;
    fresh.cancelled = NULL;
    fresh.deadline = call->deadline > apr_time_now() && call->deadline < latest ? call->deadline : latest;
    s3_body_end(&writer->body);
    s3_multipart_abort(&writer->multipart, &fresh);
    if (writer->maybe_stored) {
        remove_ours(writer, &fresh);
    }
}
