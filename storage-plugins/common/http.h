/* HTTP for storage plugins, on libcurl with OpenSSL: connections that stay open, bodies of any size in constant memory,
 * TLS always verified, redirects never followed, no proxy from the environment.
 *
 * THREADS. A client is shared by all threads of a process. A transfer belongs to one thread at a time, not always the
 * same one. MEMORY. Results live in call->result_pool; what a client keeps is malloc'ed under its lock. A transfer
 * keeps at most 512 KiB. TIME. No function blocks past call->deadline, and each asks fhir_store_cancelled() at least
 * once a second. A connection on which nothing moved for the stall timeout, although we wanted to send or receive, is
 * TIMEOUT; while our caller does nothing between two steps, no time counts. ERRORS. UNAVAILABLE: no connection, or it
 * broke (retry YES). TIMEOUT, CANCELLED. DENIED: the server's certificate is not trusted. CORRUPT: the body ended
 * before its Content-Length. An HTTP status is no error here. The detail names host and operation, never a query string
 * or a credential. SENT TWICE. A request, whatever its method, that a connection lost which had been idle before it, is
 * sent once more if no byte of an answer came and its body is still at hand: it may have been done already. */
#ifndef FHIR_PLUGIN_HTTP_H
#define FHIR_PLUGIN_HTTP_H

#include "plugin.h"

#include <apr_tables.h>

typedef struct fhir_http_client_t fhir_http_client_t;
typedef struct fhir_http_transfer_t fhir_http_transfer_t;

typedef struct fhir_http_config_t {
    const char *ca_file;                 /* PEM, these authorities only; NULL: the system's */
    apr_interval_time_t connect_timeout; /* TCP and TLS */
    apr_interval_time_t stall_timeout;
    int idle_connections; /* kept open at most */
} fhir_http_config_t;

typedef struct fhir_http_header_t {
    const char *name;
    const char *value;
} fhir_http_header_t;

typedef struct fhir_http_request_t {
    const char *method;
    const char *url;                   /* escaped by the caller; sent byte for byte */
    const apr_array_header_t *headers; /* of fhir_http_header_t: sent exactly so. Nothing else is added but Host (unless
                                        * given) and Content-Length: no Expect, Accept or User-Agent of libcurl's */
    const void *body;                  /* borrowed until the answer is there; NULL: none */
    apr_size_t body_length;
} fhir_http_request_t;

typedef struct fhir_http_response_t {
    int status;
    apr_table_t *headers;     /* looked up without case */
    apr_off_t content_length; /* as announced; -1: not */
    const char *body;         /* NUL-terminated; of a download only if its status is not 2xx. At most the limit */
    apr_size_t body_length;
} fhir_http_response_t;

/* In `configure`, before any thread: once is enough, more often does no harm. */
void fhir_http_initialize(void);
/* Does the file hold PEM certificates? For a configuration test; NULL, the system's authorities, is good. */
int fhir_http_ca_file_is_good(const char *ca_file);
/* In `open`. Closed by fhir_http_client_close when all transfers have ended. */
fhir_error_t *fhir_http_client_create(fhir_http_client_t **client, const fhir_http_config_t *config,
                                      apr_pool_t *pool) FHIR_MUST_CHECK;
void fhir_http_client_close(fhir_http_client_t *client);

/* Request and answer as a whole. A longer answer than `limit` bytes is CORRUPT. */
fhir_error_t *fhir_http_call(fhir_http_response_t *response, fhir_http_client_t *client,
                             const fhir_http_request_t *request, apr_size_t limit,
                             const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* A request whose body comes in pieces, `length` bytes in all (request->body is NULL). An answer that comes before the
 * end of the body stops the sending: further writes are taken and dropped, and `finish` gives the answer. */
fhir_error_t *fhir_http_upload_begin(fhir_http_transfer_t **transfer, fhir_http_client_t *client,
                                     const fhir_http_request_t *request, apr_off_t length,
                                     const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* All bytes are on their way, or an error. More than announced is INVALID. */
fhir_error_t *fhir_http_upload_write(fhir_http_transfer_t *transfer, const void *data, apr_size_t length,
                                     const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Has the answer come already, or the transfer failed (without waiting)? For several uploads at once: their last bytes
 * are sent and their answers received by whichever of these functions is called. */
int fhir_http_upload_answered(fhir_http_transfer_t *transfer);
/* Waits for the answer; its body has at most `limit` bytes. Fewer bytes than announced is INVALID. Ends the transfer,
 * also on error. */
fhir_error_t *fhir_http_upload_finish(fhir_http_response_t *response, fhir_http_transfer_t *transfer, apr_size_t limit,
                                      const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* Returns when the answer's header is there. With a status other than 2xx the body (at most 64 KiB of it) is in the
 * response, and *transfer is NULL: it has ended. */
fhir_error_t *fhir_http_download_begin(fhir_http_response_t *response, fhir_http_transfer_t **transfer,
                                       fhir_http_client_t *client, const fhir_http_request_t *request,
                                       const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* In: room (at least 1). Out: bytes read, as many as are there without much waiting; 0 only at the end of the body. */
fhir_error_t *fhir_http_download_read(fhir_http_transfer_t *transfer, void *buffer, apr_size_t *length,
                                      const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* Ends a transfer at any point; its connection is kept only if its answer was read to the end. NULL does nothing. */
void fhir_http_end(fhir_http_transfer_t *transfer);

/* ---- what statuses mean, and trying again ---- */
/* 2xx: NULL. 401, 403: DENIED; 404: NOT_FOUND; 409, 412: EXISTS; 416: RANGE; 413: TOO_LARGE; 507: NO_SPACE; 429, 503:
 * THROTTLED with retry AFTER (Retry-After, if it is there); other 5xx, 408: UNAVAILABLE with retry YES; else INTERNAL.
 * `said` is the server's own code for the log (`SlowDown`), may be NULL. */
fhir_error_t *fhir_http_status_error(const fhir_http_response_t *response, const char *operation, const char *said,
                                     apr_pool_t *pool) FHIR_MUST_CHECK;
/* For steps that may be repeated. 1: waited (full jitter, doubling from 100 ms to 5 s, or what the error asks for,
 * never past the deadline) and *attempt was counted up: try again. 0: give up (no retry class, 4 attempts, no time,
 * cancelled). Start with attempt 0. */
int fhir_http_try_again(int *attempt, const fhir_error_t *error, const fhir_store_call_t *call);

#endif
