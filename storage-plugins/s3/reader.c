/* Reading: a ranged GetObject straight through. When the connection breaks in the middle, the rest is asked for anew,
 * with If-Match, so that a read outlives a restart of the server and never mixes two objects. */
#include "s3.h"

#include <stdio.h>
#include <string.h>

/* Reconnections of one reader, and how long one read tries. */
#define RESUMES_MAX 64
#define RESUME_TIME apr_time_from_sec(30)
/* The wait between two tries goes up to the third step of fhir_http_try_again. */
#define RESUME_STEP 2

struct fhir_reader_t {
    fhir_store_t *store;
    char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1];
    fhir_http_transfer_t *transfer; /* NULL: none open */
    const char *etag;               /* NULL: the server gave none, nothing can be resumed */
    apr_off_t size;                 /* of the whole object */
    apr_off_t offset;               /* of the next byte */
    apr_off_t remaining;
    int resumes;
};

static fhir_error_t *wrong_answer(apr_pool_t *pool, int status, const char *what)
{
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                             "The stored content is damaged. Tell the operator of this server.",
                             "GetObject: status %d, %s", status, what);
}

static const char *range_header(apr_off_t offset, apr_off_t length, apr_pool_t *pool)
{
    return length < 0 ? apr_psprintf(pool, "bytes=%" APR_OFF_T_FMT "-", offset)
                      : apr_psprintf(pool, "bytes=%" APR_OFF_T_FMT "-%" APR_OFF_T_FMT, offset, offset + length - 1);
}

/* "bytes 10-14/100000" */
static int parse_content_range(const char *text, apr_off_t *first, apr_off_t *last, apr_off_t *size)
{
    const char *numbers = text && !strncmp(text, "bytes ", 6) ? text + 6 : NULL;
    long long parsed[3];
    int end = 0;
    if (!numbers || strspn(numbers, "0123456789-/") != strlen(numbers) || strlen(numbers) > 60 ||
        sscanf(numbers, "%18lld-%18lld/%18lld%n", &parsed[0], &parsed[1], &parsed[2], &end) != 3 || numbers[end]) {
        return 0;
    }
    *first = parsed[0];
    *last = parsed[1];
    *size = parsed[2];
    return parsed[0] >= 0 && parsed[1] >= parsed[0] && parsed[2] > parsed[1];
}

/* Does the answer hold what was asked for? *size, *count: of the object, of the bytes that come. */
static fhir_error_t *check_answer(apr_off_t *size, apr_off_t *count, const fhir_http_response_t *response,
                                  const char *range, apr_off_t offset, apr_pool_t *pool)
{
    apr_off_t first = 0;
    apr_off_t last = 0;
    if (!range) {
        *size = response->content_length;
        *count = response->content_length;
        return response->status == 200 && *size >= 0
                   ? NULL
                   : wrong_answer(pool, response->status,
                                  "without Content-Length, or a part although all was asked for");
    }
    if (response->status != 206) {
        return wrong_answer(pool, response->status, "all although a range was asked for");
    }
    if (!parse_content_range(apr_table_get(response->headers, "Content-Range"), &first, &last, size) ||
        first != offset) {
        return wrong_answer(pool, response->status, "another range than was asked for");
    }
    *count = last - first + 1;
    return response->content_length < 0 || response->content_length == *count
               ? NULL
               : wrong_answer(pool, response->status, "Content-Length and Content-Range disagree");
}

static fhir_error_t *get_once(fhir_http_response_t *response, int *again, fhir_reader_t *reader, const char *range,
                              const fhir_store_call_t *call)
{
    fhir_store_call_t bounded = s3_bounded(reader->store, call);
    s3_operation_t operation;
    s3_signed_t request;
    memset(response, 0, sizeof(*response));
    FHIR_TRY(fhir_plugin_check_call(call));
    s3_operation_init(&operation, reader->store, "GetObject", "GET", reader->locator, call->scratch_pool);
    s3_add_customer_key(&operation, reader->store);
    if (range) {
        s3_add_header(&operation, "range", range);
    }
    if (reader->etag) {
        s3_add_header(&operation, "if-match", reader->etag);
    }
    FHIR_TRY(s3_sign(&request, reader->store, &operation, &bounded));
    FHIR_TRY(fhir_http_download_begin(response, &reader->transfer, reader->store->http, &request.http, &bounded));
    if (response->status >= 200 && response->status < 300) {
        return NULL;
    }
    return s3_refusal(again, reader->store, response, "GetObject", &request.signer.credentials, call);
}

static fhir_error_t *get(fhir_http_response_t *response, fhir_reader_t *reader, const char *range,
                         const fhir_store_call_t *call)
{
    int attempt = 0;
    int corrections = 0;
    for (;;) {
        int again = 0;
        fhir_error_t *error = get_once(response, &again, reader, range, call);
        if (!error || (!(again && corrections++ < 2) && !fhir_http_try_again(&attempt, error, call))) {
            return error;
        }
    }
}

/* Where no GetObject can answer: an empty range, one that begins at the end or beyond it. */
static fhir_error_t *open_by_head(fhir_reader_t *reader, fhir_object_info_t *info, apr_off_t offset, apr_off_t length,
                                  const fhir_store_call_t *call)
{
    fhir_object_info_t seen = {0};
    apr_off_t count;
    FHIR_TRY(s3_head(&seen, NULL, reader->store, reader->locator, call));
    FHIR_TRY(fhir_plugin_range(&count, offset, length, seen.length, call->result_pool));
    if (count > 0) {
        return wrong_answer(call->result_pool, 416, "a range that is inside the object was refused");
    }
    info->length = seen.length;
    info->modified = seen.modified;
    info->checksum = seen.checksum;
    return NULL;
}

static fhir_error_t *open_by_get(fhir_reader_t *reader, fhir_object_info_t *info, apr_off_t offset, apr_off_t length,
                                 const fhir_store_call_t *call)
{
    const char *range = offset == 0 && length < 0 ? NULL : range_header(offset, length, call->scratch_pool);
    fhir_http_response_t response;
    apr_off_t count = 0;
    fhir_error_t *error = get(&response, reader, range, call);
    if (error && error->code == FHIR_ERROR_RANGE) {
        return open_by_head(reader, info, offset, length, call);
    }
    FHIR_TRY(error);
    FHIR_TRY(check_answer(&reader->size, &count, &response, range, offset, call->result_pool));
    FHIR_TRY(fhir_plugin_range(&reader->remaining, offset, length, reader->size, call->result_pool));
    if (count != reader->remaining) {
        return wrong_answer(call->result_pool, response.status, "another number of bytes than the range has");
    }
    reader->offset = offset;
    reader->etag = s3_etag(&response, call->result_pool);
    info->length = reader->size;
    info->modified = s3_modified(&response);
    info->checksum = reader->etag;
    return NULL;
}

fhir_error_t *s3_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                             apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_error_t *error;
    *reader = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    made->store = store;
    memcpy(made->locator, locator, FHIR_PLUGIN_LOCATOR_LENGTH);
    if (offset < 0 || length == 0 || (length > 0 && offset > INT64_MAX - length)) {
        error = open_by_head(made, info, offset, length, call);
    } else {
        error = open_by_get(made, info, offset, length, call);
    }
    if (error) {
        s3_reader_close(made);
        return error;
    }
    *reader = made;
    return NULL;
}

/* If-Match says it already; but what passes it over must not mix two objects. */
static int is_same(const fhir_reader_t *reader, const fhir_http_response_t *response)
{
    const char *etag = apr_table_get(response->headers, "ETag");
    return etag && !strcmp(etag, reader->etag);
}

/* The object that is there must be the one that we began with. */
static fhir_error_t *get_rest(fhir_reader_t *reader, const fhir_store_call_t *call)
{
    const char *range = range_header(reader->offset, reader->remaining, call->scratch_pool);
    fhir_http_response_t response;
    apr_off_t size = 0;
    apr_off_t count = 0;
    int again;
    fhir_error_t *error = get_once(&response, &again, reader, range, call);
    if (error && (error->code == FHIR_ERROR_EXISTS || error->code == FHIR_ERROR_RANGE)) {
        return wrong_answer(call->result_pool, response.status, "the object was replaced while it was read");
    }
    FHIR_TRY(error);
    FHIR_TRY(check_answer(&size, &count, &response, range, reader->offset, call->result_pool));
    if (size != reader->size || count != reader->remaining || !is_same(reader, &response)) {
        return wrong_answer(call->result_pool, response.status, "the object has another length or ETag than before");
    }
    return NULL;
}

/* NULL: there is a transfer again. */
static fhir_error_t *resume(fhir_reader_t *reader, fhir_error_t *broken, const fhir_store_call_t *call)
{
    apr_time_t latest = apr_time_now() + RESUME_TIME;
    fhir_error_t *error = broken;
    int attempt = 0;
    error->retry = FHIR_RETRY_YES;
    while (reader->etag && reader->resumes < RESUMES_MAX && apr_time_now() < latest) {
        attempt = attempt < RESUME_STEP ? attempt : RESUME_STEP;
        if (!fhir_http_try_again(&attempt, error, call)) {
            break;
        }
        reader->resumes++;
        s3_log(call, FHIR_STORE_LOG_INFO, "s3: GetObject goes on after %s", fhir_error_reason(broken));
        error = get_rest(reader, call);
        if (!error) {
            return NULL;
        }
        s3_reader_close(reader);
    }
    return error;
}

static int may_resume(const fhir_error_t *error, const fhir_store_call_t *call)
{
    return (error->code == FHIR_ERROR_UNAVAILABLE || error->code == FHIR_ERROR_TIMEOUT ||
            error->code == FHIR_ERROR_CORRUPT) &&
           !fhir_store_cancelled(call) && (!call->deadline || apr_time_now() < call->deadline);
}

/* Everything was read: the end of the answer lets the connection serve again. */
static void end_of_range(fhir_reader_t *reader, const fhir_store_call_t *call)
{
    char byte;
    apr_size_t none = 1;
    fhir_error_t *ignored = fhir_http_download_read(reader->transfer, &byte, &none, call);
    (void)ignored;
    s3_reader_close(reader);
}

static fhir_error_t *read_some(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    fhir_error_t *error = reader->transfer ? fhir_http_download_read(reader->transfer, buffer, length, call)
                                           : fhir_plugin_short_object(call->result_pool, reader->remaining);
    if (!error && *length == 0) {
        error = fhir_plugin_short_object(call->result_pool, reader->remaining);
    }
    return error;
}

fhir_error_t *s3_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    apr_size_t room = *length;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->remaining == 0) {
        return NULL;
    }
    if ((apr_uint64_t)room > (apr_uint64_t)reader->remaining) {
        room = (apr_size_t)reader->remaining;
    }
    for (;;) {
        apr_size_t got = room;
        fhir_error_t *error = read_some(reader, buffer, &got, call);
        if (!error) {
            *length = got;
            break;
        }
        s3_reader_close(reader);
        if (!may_resume(error, call)) {
            return error;
        }
        FHIR_TRY(resume(reader, error, call));
    }
    reader->offset += (apr_off_t)*length;
    reader->remaining -= (apr_off_t)*length;
    if (reader->remaining == 0) {
        end_of_range(reader, call);
    }
    return NULL;
}

void s3_reader_close(fhir_reader_t *reader)
{
    fhir_http_end(reader->transfer);
    reader->transfer = NULL;
}
