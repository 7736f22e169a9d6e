/* From the neutral response to headers and brigades. The core has answered conditions and ranges already, so httpd's
 * own filters for them stand aside. */
#include "glue.h"

#include <apr_portable.h>

#define PIECE ((apr_size_t)65536)

typedef struct sender_t {
    request_rec *r;
    const fhir_request_t *request;
    apr_bucket_brigade *brigade;
    int passed; /* something is on its way: it's too late for another status */
    int gone;   /* the client, or the connection to it */
} sender_t;

/* ---- head ---- */

static int set_field(void *baton, const char *name, const char *value)
{
    apr_table_t *headers = baton;
    apr_table_addn(headers, name, value);
    return 1;
}

static int unset_field(void *baton, const char *name, const char *value)
{
    (void)value;
    apr_table_unset(baton, name);
    return 1;
}

void fhir_httpd_set_head(request_rec *r, const fhir_response_t *response)
{
    r->status = response->status;
    r->status_line = NULL;
    /* httpd would add a charset to r->content_type, and AddOutputFilterByType would filter stored bytes by it. */
    r->content_type = NULL;
    apr_table_do(unset_field, r->headers_out, response->headers, NULL);
    apr_table_do(set_field, r->headers_out, response->headers, NULL);
    if (response->content_length >= 0 && !AP_STATUS_IS_HEADER_ONLY(response->status)) {
        ap_set_content_length(r, response->content_length);
    }
}

/* It would apply a Range that the core has ignored on purpose. */
static void remove_byterange_filter(request_rec *r)
{
    ap_filter_t *filter = r->output_filters;
    while (filter && filter->r == r) {
        ap_filter_t *next = filter->next;
        if (!ap_cstr_casecmp(filter->frec->name, "byterange")) {
            ap_remove_output_filter(filter);
        }
        filter = next;
    }
}

/* httpd reads a body that nobody wanted to its very end before it looks at the next request. */
static void settle_request_body(request_rec *r, const fhir_request_t *request)
{
    if (!fhir_httpd_body_drain(request->body->baton) && !r->connection->master) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
}

static void log_error(request_rec *r, const fhir_response_t *response)
{
    if (response->error) {
        fhir_log_t log = fhir_httpd_request_log(r);
        const char *doing = apr_psprintf(r->pool, "%s %s answered %d", r->method, r->uri, response->status);
        fhir_log_error(&log, response->status >= 500 ? FHIR_LOG_ERROR : FHIR_LOG_INFO, response->error, doing);
    }
}

/* ---- body ---- */

static void append_eos(sender_t *sender)
{
    APR_BRIGADE_INSERT_TAIL(sender->brigade, apr_bucket_eos_create(sender->r->connection->bucket_alloc));
}

static void pass(sender_t *sender)
{
    apr_status_t status = ap_pass_brigade(sender->r->output_filters, sender->brigade);
    fhir_httpd_discard(sender->r, sender->brigade);
    sender->passed = 1;
    if (status != APR_SUCCESS || sender->r->connection->aborted) {
        sender->gone = 1;
        sender->r->connection->keepalive = AP_CONN_CLOSE;
    }
}

static void append_bytes(sender_t *sender, const char *bytes, apr_off_t length)
{
    /* They live in the request's pool, which lives until they are sent. */
    apr_bucket *bucket =
        apr_bucket_pool_create(bytes, (apr_size_t)length, sender->r->pool, sender->r->connection->bucket_alloc);
    apr_bucket *before = APR_BRIGADE_LAST(sender->brigade);
    APR_BRIGADE_INSERT_TAIL(sender->brigade, bucket);
    fhir_httpd_track(sender->r, sender->brigade, before);
}

/* The descriptor again, under the sendfile flag that EnableSendfile gives here. The first file closes it. */
static apr_file_t *with_sendfile_flag(request_rec *r, apr_file_t *file)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    apr_file_t *again = NULL;
    apr_os_file_t descriptor;
    if (apr_os_file_get(&descriptor, file) != APR_SUCCESS ||
        apr_os_file_put(&again, &descriptor, APR_FOPEN_READ | AP_SENDFILE_ENABLED(core->enable_sendfile), r->pool) !=
            APR_SUCCESS) {
        return file;
    }
    return again;
}

static void append_file(sender_t *sender, const fhir_segment_t *segment)
{
    request_rec *r = sender->r;
    apr_bucket *last_before = APR_BRIGADE_LAST(sender->brigade);
    apr_bucket *bucket;
    if (segment->length == 0) {
        return;
    }
    apr_brigade_insert_file(sender->brigade, with_sendfile_flag(r, segment->file), segment->offset, segment->length,
                            r->pool);
    for (bucket = APR_BUCKET_NEXT(last_before); bucket != APR_BRIGADE_SENTINEL(sender->brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        /* A mapped file that shrinks kills the process. TLS reads the file instead, in pieces worth encrypting. */
        apr_bucket_file_enable_mmap(bucket, 0);
        apr_bucket_file_set_buf_size(bucket, PIECE);
    }
    fhir_httpd_track(r, sender->brigade, last_before);
}

/* Fills `buffer` with exactly `room` bytes. */
static fhir_error_t *read_fully(const fhir_segment_t *segment, char *buffer, apr_size_t room, apr_pool_t *pool)
{
    apr_size_t filled = 0;
    while (filled < room) {
        apr_size_t length = room - filled;
        FHIR_TRY(segment->read(segment->baton, buffer + filled, &length));
        if (length == 0 || length > room - filled) {
            return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_SUCCESS, "The content could not be read.",
                                     "a stream gave %" APR_SIZE_T_FMT " bytes where %" APR_SIZE_T_FMT " were promised",
                                     length, room - filled);
        }
        filled += length;
    }
    return NULL;
}

/* A stream may find out only at its end that the bytes were wrong: asked before the last piece leaves. */
static fhir_error_t *check_end(const fhir_segment_t *segment, apr_pool_t *pool)
{
    char extra;
    apr_size_t length = 1;
    FHIR_TRY(segment->read(segment->baton, &extra, &length));
    return length == 0
               ? NULL
               : fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_SUCCESS, "The content could not be read.",
                                   "a stream gave more than the %" APR_OFF_T_FMT " bytes promised", segment->length);
}

static fhir_error_t *send_stream(sender_t *sender, const fhir_segment_t *segment)
{
    apr_bucket_alloc_t *allocator = sender->r->connection->bucket_alloc;
    apr_off_t left = segment->length;
    while (left > 0 && !sender->gone) {
        apr_size_t room = left < (apr_off_t)PIECE ? (apr_size_t)left : PIECE;
        char *buffer = apr_bucket_alloc(room, allocator);
        apr_bucket *before;
        fhir_error_t *error = read_fully(segment, buffer, room, sender->r->pool);
        left -= (apr_off_t)room;
        if (!error && left == 0) {
            error = check_end(segment, sender->r->pool);
        }
        if (error) {
            apr_bucket_free(buffer);
            return error;
        }
        before = APR_BRIGADE_LAST(sender->brigade);
        APR_BRIGADE_INSERT_TAIL(sender->brigade, apr_bucket_heap_create(buffer, room, apr_bucket_free, allocator));
        fhir_httpd_track(sender->r, sender->brigade, before);
        if (left > 0) {
            pass(sender);
        }
    }
    return NULL;
}

static fhir_error_t *send_segments(sender_t *sender, const fhir_response_t *response)
{
    int i;
    for (i = 0; i < response->segments->nelts && !sender->gone; i++) {
        const fhir_segment_t *segment = &APR_ARRAY_IDX(response->segments, i, fhir_segment_t);
        if (segment->kind == FHIR_SEGMENT_BYTES) {
            append_bytes(sender, segment->bytes, segment->length);
        } else if (segment->kind == FHIR_SEGMENT_FILE) {
            append_file(sender, segment);
        } else {
            FHIR_TRY(send_stream(sender, segment));
        }
    }
    return NULL;
}

/* ---- failure on the way ---- */

/* Nothing has left yet: a clean error instead. */
static void answer_instead(sender_t *sender, const fhir_error_t *error)
{
    request_rec *r = sender->r;
    int busy = error->code == FHIR_ERROR_UNAVAILABLE || error->code == FHIR_ERROR_THROTTLED ||
               error->code == FHIR_ERROR_TIMEOUT;
    fhir_response_t *response = fhir_app_server_error(fhir_httpd_server(r->server)->settings, sender->request,
                                                      busy ? HTTP_SERVICE_UNAVAILABLE : HTTP_INTERNAL_SERVER_ERROR);
    fhir_httpd_discard(r, sender->brigade);
    apr_table_clear(r->headers_out);
    fhir_httpd_set_head(r, response);
    fhir_httpd_track_from(r, response->content_length);
    if (!send_segments(sender, response)) {
        append_eos(sender);
        pass(sender);
    }
}

/* An error bucket after the head: httpd leaves out the last chunk and closes, so that no client takes a part for the
 * whole. */
static void break_off(sender_t *sender)
{
    request_rec *r = sender->r;
    fhir_httpd_discard(r, sender->brigade);
    fhir_httpd_record(r)->failed = 1;
    APR_BRIGADE_INSERT_TAIL(sender->brigade,
                            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, r->connection->bucket_alloc));
    append_eos(sender);
    pass(sender);
}

static void fail(sender_t *sender, const fhir_error_t *error)
{
    fhir_log_t log = fhir_httpd_request_log(sender->r);
    int client = error->code == FHIR_ERROR_CANCELLED || error->code == FHIR_ERROR_CLIENT_ABORTED;
    fhir_log_error(&log, client ? FHIR_LOG_INFO : FHIR_LOG_ERROR, error,
                   apr_psprintf(sender->r->pool, "sending %s", sender->r->uri));
    if (sender->passed) {
        break_off(sender);
    } else {
        answer_instead(sender, error);
    }
}

/* ---- */

int fhir_httpd_respond(request_rec *r, const fhir_request_t *request, fhir_response_t *response)
{
    sender_t sender = {r, request, NULL, 0, 0};
    fhir_error_t *error = NULL;
    log_error(r, response);
    settle_request_body(r, request);
    if (response->error && response->error->code == FHIR_ERROR_BODY_REFUSED) {
        return AP_FILTER_ERROR;
    }
    fhir_httpd_set_head(r, response);
    fhir_httpd_track_from(r, response->content_length);
    remove_byterange_filter(r);
    sender.brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    if (!r->header_only && !AP_STATUS_IS_HEADER_ONLY(response->status)) {
        error = send_segments(&sender, response);
    }
    if (error) {
        fail(&sender, error);
    } else if (!sender.gone) {
        append_eos(&sender);
        pass(&sender);
    }
    return OK;
}
