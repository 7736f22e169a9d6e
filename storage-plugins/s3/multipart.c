/* Multipart uploads. Parts of a known length are streamed, those of an unknown one come out of a spool file and can be
 * sent again. Several may be under way: while one is sent, the answers of those before it are still to come. */
#include "s3.h"

#include <string.h>

#define PART_MOST ((apr_off_t)5 * 1024 * 1024 * 1024)
/* A whole part is sent within one call's time. */
#define SPOOL_MOST ((apr_off_t)64 * 1024 * 1024)
#define COMPLETE_ANSWER_MAX S3_ANSWER_MAX

static fhir_error_t *too_large(apr_pool_t *pool, apr_off_t most)
{
    return fhir_error_create(pool, FHIR_ERROR_TOO_LARGE, APR_SUCCESS, "The content is larger than the store can keep.",
                             "more than %d parts, %" APR_OFF_T_FMT " bytes; a larger part_size allows more",
                             S3_PARTS_MAX, most);
}

/* So large that S3_PARTS_MAX parts are enough, in whole blocks. */
static apr_off_t part_size_for(apr_off_t configured, apr_off_t total)
{
    apr_off_t least = total / S3_PARTS_MAX + 1;
    least += (apr_off_t)S3_BLOCK - 1;
    least -= least % (apr_off_t)S3_BLOCK;
    return least > configured ? least : configured;
}

fhir_error_t *s3_multipart_init(s3_multipart_t *multipart, fhir_store_t *store, const s3_target_t *target,
                                apr_off_t total, apr_pool_t *pool)
{
    int i;
    memset(multipart, 0, sizeof(*multipart));
    multipart->store = store;
    multipart->target = target;
    multipart->pool = pool;
    multipart->total = total;
    multipart->part_size = part_size_for(store->config->part_size, total < 0 ? 0 : total);
    if (total < 0 && multipart->part_size > SPOOL_MOST) {
        multipart->part_size = SPOOL_MOST;
    }
    for (i = 0; i < S3_PARALLEL_MAX; i++) {
        s3_spool_init(&multipart->parts[i].spool);
    }
    return multipart->part_size > PART_MOST ? too_large(pool, S3_PARTS_MAX * PART_MOST) : NULL;
}

/* What belongs to a part goes with the part; errors stay, because then nobody destroys its pool. */
static fhir_store_call_t call_of(const s3_part_t *part, const fhir_store_call_t *call)
{
    fhir_store_call_t within = *call;
    within.result_pool = part->pool;
    within.scratch_pool = part->pool;
    return within;
}

static fhir_error_t *read_upload_id(s3_multipart_t *multipart, const fhir_http_response_t *response,
                                    const fhir_store_call_t *call)
{
    const apr_xml_elem *root =
        s3_xml_root(response->body, response->body_length, "InitiateMultipartUploadResult", call->scratch_pool);
    const char *id = root ? s3_xml_text(root, "UploadId", multipart->pool) : NULL;
    if (!id || !*id || strlen(id) > 1024) {
        multipart->lost_uploads = 1;
        return fhir_error_create(call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                                 "The store is overloaded or unreachable; try again.",
                                 "CreateMultipartUpload: the answer has no UploadId");
    }
    multipart->upload_id = id;
    return s3_check_encrypted(multipart->store, response, call->result_pool);
}

/* A repetition after a lost answer leaves an upload whose id we never heard: it is looked for at the end. */
static fhir_error_t *create_upload(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    s3_operation_t operation;
    fhir_error_t *error;
    int attempt = 0;
    if (multipart->upload_id) {
        return NULL;
    }
    s3_target_operation(&operation, multipart->store, multipart->target, "CreateMultipartUpload", call->scratch_pool);
    s3_add_parameter(&operation, "uploads", "");
    do {
        error = s3_call(&response, multipart->store, &operation, S3_ANSWER_MAX, call);
        multipart->lost_uploads = multipart->lost_uploads || s3_unclear(error, &response);
    } while (error && fhir_http_try_again(&attempt, error, call));
    FHIR_TRY(error);
    return read_upload_id(multipart, &response, call);
}

static void part_operation(s3_operation_t *operation, const s3_multipart_t *multipart, const s3_part_t *part)
{
    s3_operation_init(operation, multipart->store, "UploadPart", "PUT", multipart->target->locator, part->pool);
    s3_add_parameter(operation, "partNumber", apr_itoa(part->pool, part->number));
    s3_add_parameter(operation, "uploadId", multipart->upload_id);
    s3_add_customer_key(operation, multipart->store);
}

static fhir_error_t *send_spooled(s3_multipart_t *multipart, s3_part_t *part, const fhir_store_call_t *call)
{
    fhir_store_call_t within = call_of(part, call);
    s3_operation_t operation;
    multipart->buffer = multipart->buffer ? multipart->buffer : apr_palloc(multipart->pool, S3_BLOCK);
    part_operation(&operation, multipart, part);
    operation.payload_sha256 = part->sha256;
    return s3_spool_send(&part->body, multipart->store, &operation, &part->spool, multipart->buffer, &within);
}

/* The answer; a part in a spool file is sent again if that may help. */
static fhir_error_t *settle(fhir_http_response_t *response, s3_multipart_t *multipart, s3_part_t *part,
                            const fhir_store_call_t *call)
{
    for (;;) {
        fhir_store_call_t within = call_of(part, call);
        fhir_error_t *error = part->failed;
        if (!error) {
            error = s3_body_finish(response, &part->body, multipart->store, &within);
        }
        if (!error || part->spool.length == 0 || !fhir_http_try_again(&part->attempt, error, call)) {
            return error;
        }
        s3_body_end(&part->body);
        part->failed = send_spooled(multipart, part, call);
    }
}

static fhir_error_t *no_etag(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                             "The store is overloaded or unreachable; try again.",
                             "UploadPart: the answer is no 200 with an ETag");
}

static fhir_error_t *finish_part(s3_multipart_t *multipart, s3_part_t *part, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    const char *etag;
    FHIR_TRY(settle(&response, multipart, part, call));
    etag = response.status == 200 ? s3_etag(&response, multipart->pool) : NULL;
    if (!etag) {
        return no_etag(call->result_pool);
    }
    APR_ARRAY_IDX(multipart->etags, part->number - 1, const char *) = etag;
    if (part->spool.length > 0) {
        FHIR_TRY(s3_spool_reset(&part->spool, call->result_pool));
    }
    apr_pool_destroy(part->pool);
    part->pool = NULL;
    part->number = 0;
    return NULL;
}

/* A free one; else the first that is answered; else the oldest, which will be answered soonest. */
static s3_part_t *choose_part(s3_multipart_t *multipart)
{
    s3_part_t *best = NULL;
    int i;
    for (i = 0; i < multipart->store->config->parallel_parts; i++) {
        s3_part_t *part = &multipart->parts[i];
        if (part->number == 0) {
            return part;
        }
        if (part->body.transfer && fhir_http_upload_answered(part->body.transfer)) {
            return part;
        }
        best = best && best->number < part->number ? best : part;
    }
    return best;
}

static fhir_error_t *take_part(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    s3_part_t *part = choose_part(multipart);
    const char **etag;
    if (multipart->count >= S3_PARTS_MAX) {
        return too_large(call->result_pool, S3_PARTS_MAX * multipart->part_size);
    }
    if (part->number > 0) {
        FHIR_TRY(finish_part(multipart, part, call));
    }
    if (!multipart->etags) {
        multipart->etags = apr_array_make(multipart->pool, 16, sizeof(const char *));
    }
    etag = apr_array_push(multipart->etags);
    *etag = NULL;
    apr_pool_create(&part->pool, multipart->pool);
    part->number = ++multipart->count;
    part->attempt = 0;
    part->failed = NULL;
    multipart->current = part;
    return NULL;
}

static fhir_error_t *begin_streamed(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    apr_off_t rest = multipart->total - multipart->streamed;
    fhir_store_call_t within;
    s3_operation_t operation;
    FHIR_TRY(create_upload(multipart, call));
    FHIR_TRY(take_part(multipart, call));
    within = call_of(multipart->current, call);
    part_operation(&operation, multipart, multipart->current);
    return s3_body_begin(&multipart->current->body, multipart->store, &operation,
                         rest < multipart->part_size ? rest : multipart->part_size, &within);
}

static fhir_error_t *write_streamed(s3_multipart_t *multipart, const void *data, apr_size_t length,
                                    const fhir_store_call_t *call)
{
    if (!multipart->current) {
        FHIR_TRY(begin_streamed(multipart, call));
    }
    FHIR_TRY(s3_body_write(&multipart->current->body, multipart->store, data, length, call));
    multipart->streamed += (apr_off_t)length;
    if (multipart->current->body.remaining == 0) {
        multipart->current = NULL;
    }
    return NULL;
}

/* What can't be sent now is sent again when its answer is asked for. */
static fhir_error_t *send_current(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    s3_part_t *part = multipart->current;
    FHIR_TRY(create_upload(multipart, call));
    FHIR_TRY(s3_spool_sha256(part->sha256, &part->spool, call->result_pool));
    part->failed = send_spooled(multipart, part, call);
    multipart->current = NULL;
    return NULL;
}

/* A full part is sent when more comes: perhaps it is the only one. */
static fhir_error_t *write_spooled(s3_multipart_t *multipart, const void *data, apr_size_t length,
                                   const fhir_store_call_t *call)
{
    const char *directory = multipart->store->config->spool_directory;
    if (multipart->current && multipart->current->spool.length >= multipart->part_size) {
        FHIR_TRY(send_current(multipart, call));
    }
    if (!multipart->current) {
        FHIR_TRY(take_part(multipart, call));
    }
    return s3_spool_write(&multipart->current->spool, directory, data, length, call->result_pool);
}

fhir_error_t *s3_multipart_write(s3_multipart_t *multipart, const void *data, apr_size_t length,
                                 const fhir_store_call_t *call)
{
    return multipart->total >= 0 ? write_streamed(multipart, data, length, call)
                                 : write_spooled(multipart, data, length, call);
}

s3_part_t *s3_multipart_only_part(s3_multipart_t *multipart)
{
    return multipart->total < 0 && multipart->count == 1 && multipart->current ? multipart->current : NULL;
}

fhir_error_t *s3_multipart_settle(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    int i;
    if (multipart->current) {
        FHIR_TRY(send_current(multipart, call));
    }
    for (i = 0; i < S3_PARALLEL_MAX; i++) {
        if (multipart->parts[i].number > 0) {
            FHIR_TRY(finish_part(multipart, &multipart->parts[i], call));
        }
    }
    return NULL;
}

static const char *complete_body(const s3_multipart_t *multipart, apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, multipart->count + 2, sizeof(const char *));
    int i;
    APR_ARRAY_PUSH(pieces, const char *) =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (i = 0; i < multipart->count; i++) {
        const char *etag = APR_ARRAY_IDX(multipart->etags, i, const char *);
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_psprintf(pool, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i + 1,
                         apr_xml_quote_string(pool, etag, 1));
    }
    APR_ARRAY_PUSH(pieces, const char *) = "</CompleteMultipartUpload>";
    return apr_array_pstrcat(pool, pieces, 0);
}

/* 200 and an <Error> in it is how S3 says that it failed after it had begun to answer. */
static fhir_error_t *check_completed(fhir_http_response_t *response, fhir_store_t *store, const fhir_store_call_t *call)
{
    const char *code;
    if (s3_xml_root(response->body, response->body_length, "CompleteMultipartUploadResult", call->scratch_pool)) {
        return NULL;
    }
    code = s3_error_code(response->body, response->body_length, call->scratch_pool);
    response->status = code && !strcmp(code, "PreconditionFailed") ? 412
                       : code && !strcmp(code, "SlowDown")         ? 503
                                                                   : 500;
    return s3_refusal(NULL, store, response, "CompleteMultipartUpload (in an answer that began with 200)", NULL, call);
}

fhir_error_t *s3_multipart_complete(fhir_http_response_t *response, s3_multipart_t *multipart,
                                    const fhir_store_call_t *call)
{
    s3_operation_t operation;
    int attempt = 0;
    s3_operation_init(&operation, multipart->store, "CompleteMultipartUpload", "POST", multipart->target->locator,
                      call->scratch_pool);
    s3_add_parameter(&operation, "uploadId", multipart->upload_id);
    s3_add_header(&operation, "content-type", "application/xml");
    if (multipart->store->config->if_none_match) {
        s3_add_header(&operation, "if-none-match", "*");
    }
    s3_add_customer_key(&operation, multipart->store);
    operation.body = complete_body(multipart, call->scratch_pool);
    operation.body_length = strlen(operation.body);
    operation.slow = 1;
    for (;;) {
        fhir_error_t *error = s3_call(response, multipart->store, &operation, COMPLETE_ANSWER_MAX, call);
        if (!error) {
            error = check_completed(response, multipart->store, call);
        }
        if (!error || !fhir_http_try_again(&attempt, error, call)) {
            return error;
        }
    }
}

/* Connections and files, not the upload at the server. 1 if parts were under way. */
static int close_parts(s3_multipart_t *multipart)
{
    int under_way = 0;
    int i;
    for (i = 0; i < S3_PARALLEL_MAX; i++) {
        under_way = under_way || multipart->parts[i].body.transfer;
        s3_body_end(&multipart->parts[i].body);
        s3_spool_close(&multipart->parts[i].spool);
    }
    multipart->current = NULL;
    return under_way;
}

static void report(const fhir_error_t *error, const fhir_store_call_t *call)
{
    if (error) {
        s3_log(call, FHIR_STORE_LOG_WARNING, "s3: an upload could not be aborted, removing its object will: %s",
               fhir_error_reason(error));
    }
}

/* A part that was under way may arrive after the upload was aborted, and then costs space: so it is aborted once more.
 */
static fhir_error_t *abort_known(s3_multipart_t *multipart, int under_way, const fhir_store_call_t *call)
{
    const char *locator = multipart->target->locator;
    if (multipart->upload_id) {
        FHIR_TRY(s3_abort_upload(multipart->store, locator, multipart->upload_id, call));
    }
    if (multipart->upload_id && under_way) {
        FHIR_TRY(s3_abort_upload(multipart->store, locator, multipart->upload_id, call));
    }
    multipart->upload_id = NULL;
    return NULL;
}

void s3_multipart_end(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    int count;
    (void)close_parts(multipart);
    if (multipart->lost_uploads) {
        multipart->lost_uploads = 0;
        report(s3_abort_uploads(&count, multipart->store, multipart->target->locator, call), call);
    }
}

void s3_multipart_abort(s3_multipart_t *multipart, const fhir_store_call_t *call)
{
    int under_way = close_parts(multipart);
    report(abort_known(multipart, under_way, call), call);
    s3_multipart_end(multipart, call);
}
