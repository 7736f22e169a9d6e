/* The request body, pulled out of httpd's input filters without a copy. Nothing is read before the first pull: httpd
 * sends 100 Continue when it reads. */
#include "glue.h"

#define PIECE ((apr_off_t)65536)
/* Bytes per second. A client that sends a byte now and then would keep a worker for days. */
#define SLOWEST 500
/* Reading so much is cheaper than a new connection with its TLS handshake. */
#define WORTH_DRAINING ((apr_off_t)65536)
#define HTTP2_PATIENCE apr_time_from_msec(500)
#define HTTP2_TURN apr_time_from_msec(5)

static fhir_error_t *end_early(fhir_brigade_body_t *body, fhir_error_code_t code, apr_status_t status, const char *text)
{
    body->failed = 1;
    return fhir_error_create(body->r->pool, code, status, text,
                             "%" APR_OFF_T_FMT " bytes of the body had arrived by then", body->received);
}

static fhir_error_t *refused_by_filter(fhir_brigade_body_t *body, apr_status_t status)
{
    fhir_error_t *error = end_early(body, FHIR_ERROR_BODY_REFUSED, status, "The server refused the request body.");
    error->http_status = body->r->status;
    return error;
}

static fhir_error_t *map_status(fhir_brigade_body_t *body, apr_status_t status)
{
    if (status == AP_FILTER_ERROR) {
        return refused_by_filter(body, status);
    }
    if (APR_STATUS_IS_TIMEUP(status) || APR_STATUS_IS_EAGAIN(status)) {
        return end_early(body, FHIR_ERROR_BODY_TIMEOUT, status,
                         "The request body stopped arriving. Send it again over a better connection.");
    }
    if (body->r->connection->aborted || APR_STATUS_IS_EOF(status) || status == APR_INCOMPLETE ||
        APR_STATUS_IS_ECONNRESET(status) || APR_STATUS_IS_ECONNABORTED(status) || APR_STATUS_IS_EPIPE(status)) {
        return end_early(body, FHIR_ERROR_CLIENT_ABORTED, status, "The request body ended too early.");
    }
    if (ap_map_http_request_error(status, HTTP_BAD_REQUEST) == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return end_early(body, FHIR_ERROR_TOO_LARGE, status,
                         "The request body is larger than this server takes (LimitRequestBody).");
    }
    return end_early(body, FHIR_ERROR_INVALID, status,
                     "The request body can't be read: its Content-Length or its chunks are malformed.");
}

/* Where the length is not announced a large body is likelier than a small one. */
static apr_off_t left(const fhir_brigade_body_t *body)
{
    return body->body.length < 0 ? PIECE : body->body.length - body->received;
}

/* An own time limit between two reads; the connection gets its old one back. HTTP/2 streams have their own way. */
static apr_status_t get_brigade(fhir_brigade_body_t *body, apr_read_type_e block, apr_off_t length)
{
    request_rec *r = body->r;
    apr_socket_t *socket = r->connection->master ? NULL : ap_get_conn_socket(r->connection);
    apr_interval_time_t old = 0;
    apr_time_t start = apr_time_now();
    apr_status_t status;
    if (socket && apr_socket_timeout_get(socket, &old) == APR_SUCCESS) {
        apr_socket_timeout_set(socket, body->timeout);
        fhir_httpd_expect(r->connection, left(body));
    }
    status = ap_get_brigade(r->input_filters, body->brigade, AP_MODE_READBYTES, block, length);
    if (socket) {
        fhir_httpd_expect(r->connection, 0);
        apr_socket_timeout_set(socket, old);
    }
    body->waited += apr_time_now() - start;
    return status;
}

/* Only waiting for the client counts, not what we do with its bytes. */
static int is_too_slow(const fhir_brigade_body_t *body)
{
    return body->waited - body->timeout > body->received / SLOWEST * APR_USEC_PER_SEC;
}

static void release(fhir_brigade_body_t *body)
{
    if (body->given) {
        apr_bucket_delete(body->given);
        body->given = NULL;
    }
}

/* httpd has checked the chunks; a Content-Length is checked here too, unless a filter changed the body's length and so
 * took the header away. */
static fhir_error_t *at_end(fhir_brigade_body_t *body)
{
    fhir_exchange_record_t *record = fhir_httpd_record(body->r);
    if (body->body.length >= 0 && body->received < body->body.length &&
        apr_table_get(body->r->headers_in, "Content-Length")) {
        return map_status(body, APR_INCOMPLETE);
    }
    body->ended = 1;
    if (record) {
        record->received = body->received;
    }
    return NULL;
}

/* The first bytes of the brigade; *length stays 0 if it has none. */
static fhir_error_t *next_bytes(fhir_brigade_body_t *body, const char **data, apr_size_t *length)
{
    while (*length == 0 && !body->ended && !APR_BRIGADE_EMPTY(body->brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(body->brigade);
        apr_status_t status = APR_SUCCESS;
        if (APR_BUCKET_IS_EOS(bucket)) {
            FHIR_TRY(at_end(body));
        } else if (AP_BUCKET_IS_ERROR(bucket)) {
            return refused_by_filter(body, AP_FILTER_ERROR);
        } else if (!APR_BUCKET_IS_METADATA(bucket)) {
            status = apr_bucket_read(bucket, data, length, APR_BLOCK_READ);
        }
        if (status != APR_SUCCESS) {
            return map_status(body, status);
        }
        if (*length > 0) {
            body->given = bucket;
        } else {
            apr_bucket_delete(bucket);
        }
    }
    return NULL;
}

static fhir_error_t *pull(fhir_body_t *base, const char **data, apr_size_t *length)
{
    fhir_brigade_body_t *body = base->baton;
    *length = 0;
    *data = "";
    release(body);
    if (body->failed) {
        return end_early(body, FHIR_ERROR_CLIENT_ABORTED, APR_EOF, "The request body ended too early.");
    }
    FHIR_TRY(next_bytes(body, data, length));
    while (*length == 0 && !body->ended) {
        apr_status_t status = get_brigade(body, APR_BLOCK_READ, PIECE);
        if (status != APR_SUCCESS) {
            return map_status(body, status);
        }
        if (APR_BRIGADE_EMPTY(body->brigade)) {
            return map_status(body, APR_EOF);
        }
        if (is_too_slow(body)) {
            return map_status(body, APR_TIMEUP);
        }
        FHIR_TRY(next_bytes(body, data, length));
    }
    body->received += (apr_off_t)*length;
    return NULL;
}

/* Bytes announced; 0 without a body, -1 if unknown. A malformed Content-Length is httpd's to refuse at the first read.
 */
static apr_off_t announced_length(const request_rec *r)
{
    const char *text = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t length = 0;
    char *end = NULL;
    if (apr_table_get(r->headers_in, "Transfer-Encoding")) {
        return -1;
    }
    if (!text) {
        return 0;
    }
    return apr_strtoff(&length, text, &end, 10) == APR_SUCCESS && end != text && !*end && length >= 0 ? length : -1;
}

fhir_brigade_body_t *fhir_httpd_body(request_rec *r, apr_interval_time_t timeout)
{
    fhir_brigade_body_t *body = apr_pcalloc(r->pool, sizeof(*body));
    body->body.length = announced_length(r);
    body->body.read = pull;
    body->body.baton = body;
    body->r = r;
    body->timeout = timeout;
    body->ended = body->body.length == 0;
    body->brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    return body;
}

/* Only what has arrived: a slow client must not keep the worker. mod_http2 is given a moment, because it resets a
 * stream whose body is left over, and many clients lose the answer then. */
static int more_has_arrived(fhir_brigade_body_t *body)
{
    apr_interval_time_t patience = body->r->connection->master ? HTTP2_PATIENCE : 0;
    for (;;) {
        apr_status_t status = get_brigade(body, APR_NONBLOCK_READ, WORTH_DRAINING);
        if (status == APR_SUCCESS && !APR_BRIGADE_EMPTY(body->brigade)) {
            return 1;
        }
        if (patience <= 0 || (status != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(status))) {
            return 0;
        }
        apr_sleep(HTTP2_TURN);
        patience -= HTTP2_TURN;
    }
}

int fhir_httpd_body_drain(fhir_brigade_body_t *body)
{
    const char *data;
    apr_size_t length;
    fhir_exchange_record_t *record = fhir_httpd_record(body->r);
    if (record) {
        record->received = body->received;
    }
    if (body->failed || (!body->ended && (body->r->expecting_100 || body->body.length < 0 ||
                                          body->body.length - body->received > WORTH_DRAINING))) {
        return 0;
    }
    while (!body->ended) {
        release(body);
        length = 0;
        if (next_bytes(body, &data, &length)) {
            return 0;
        }
        body->received += (apr_off_t)length;
        if (length == 0 && !body->ended && !more_has_arrived(body)) {
            return 0;
        }
    }
    return 1;
}
