/* Inside of the HTTP transport: a client's idle connections, and one request with its answer. Private to http_*.c.
 *
 * A "connection" is a libcurl multi handle with a connection cache of one. The easy handle lives only as long as its
 * transfer, so an idle connection costs little more than its socket and its TLS session. */
#ifndef FHIR_PLUGIN_HTTP_TRANSFER_H
#define FHIR_PLUGIN_HTTP_TRANSFER_H

#include "http.h"

#include <curl/curl.h>

typedef struct fhir_http_connection_t {
    CURLM *multi;
    char *origin; /* scheme://host:port as in the URL */
    apr_time_t idle_since;
} fhir_http_connection_t;

/* Bytes that grow up to a limit, malloc'ed. */
typedef struct fhir_http_text_t {
    char *bytes;
    apr_size_t length;
    apr_size_t room;
} fhir_http_text_t;

struct fhir_http_transfer_t {
    fhir_http_client_t *client;
    fhir_http_connection_t *connection; /* NULL: given back or closed */
    CURL *easy;
    struct curl_slist *headers;
    char *method;
    char *origin;
    char *target;
    char said[CURL_ERROR_SIZE];
    int done;        /* libcurl has ended it, with `result` */
    int interrupted; /* a deadline, a cancellation or a stall ended it in the middle */
    CURLcode result;
    long verified; /* what OpenSSL said of the server's certificate: X509_V_... */

    /* Sending. The window is what the caller has lent us until its call returns. */
    const char *window;
    apr_size_t window_length;
    apr_size_t window_taken; /* by libcurl */
    apr_off_t window_offset; /* of its first byte in the body */
    apr_off_t total;
    apr_off_t given; /* by the caller */
    apr_off_t taken; /* by libcurl */
    int starved;     /* libcurl has sent all that there was, and waits */
    int asked;       /* libcurl has sent the header and asked for the body */
    int cut_short;   /* the answer came first: the rest of the body is not sent */

    /* Receiving. */
    fhir_http_text_t head; /* the lines of the last status line's header, each with its line end */
    apr_size_t head_bytes; /* of all status lines, and trailers */
    int head_complete;     /* of a final status */
    int status;
    apr_off_t content_length;
    fhir_http_text_t answer; /* the body, unless it goes to `buffer` */
    apr_size_t answer_limit;
    int limit_known; /* no: the body waits when the limit is reached */
    int cut_answer;  /* what is over the limit is not wanted: then the transfer ends there, without an error */
    int answer_was_cut;
    int held_back;         /* libcurl keeps bytes that had no room */
    const char *unusable;  /* what is wrong with the answer */
    apr_uint64_t received; /* header and body */

    /* A download's body goes straight to the reader's buffer; what does not fit waits in `spare`. */
    int streamed;
    char *buffer;
    apr_size_t buffer_room;
    apr_size_t buffer_filled;
    char *spare;
    apr_size_t spare_start;
    apr_size_t spare_end;
};

/* ---- http_client.c ---- */
/* An idle connection to that origin, or a fresh one. NULL: no memory. `repeatable`: the request may be sent again if
 * the connection turns out to be dead. */
fhir_http_connection_t *fhir_http_connection_take(fhir_http_client_t *client, const char *origin, int repeatable);
void fhir_http_connection_keep(fhir_http_client_t *client, fhir_http_connection_t *connection);
void fhir_http_connection_close(fhir_http_connection_t *connection);
apr_interval_time_t fhir_http_stall_timeout(const fhir_http_client_t *client);
/* What is the same for each request, or for each download. 0: libcurl refused something. */
int fhir_http_client_options(const fhir_http_client_t *client, CURL *easy, int download);

/* ---- http_answer.c: libcurl's callbacks ---- */
size_t fhir_http_take_header(char *bytes, size_t size, size_t count, void *baton);
size_t fhir_http_take_body(char *bytes, size_t size, size_t count, void *baton);
/* Moves from `spare` to `buffer`. */
void fhir_http_drain_spare(fhir_http_transfer_t *transfer);
void fhir_http_fill_response(fhir_http_response_t *response, const fhir_http_transfer_t *transfer, apr_pool_t *pool);

/* ---- http_transfer.c ---- */
fhir_error_t *fhir_http_start(fhir_http_transfer_t **transfer, fhir_http_client_t *client,
                              const fhir_http_request_t *request, apr_off_t length, int streamed,
                              const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Whatever can be done without waiting. */
void fhir_http_step(fhir_http_transfer_t *transfer);
/* Steps and waits until `ready` or the end of the transfer; an error if it did not end well. */
fhir_error_t *fhir_http_drive(fhir_http_transfer_t *transfer, int (*ready)(const fhir_http_transfer_t *),
                              const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* After libcurl was held up by one of the callbacks. */
void fhir_http_go_on(fhir_http_transfer_t *transfer);

#endif
