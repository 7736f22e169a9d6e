/* The neutral response: a value. The body is a list of segments whose lengths are all known beforehand. */
#ifndef FHIR_HTTP_RESPONSE_H
#define FHIR_HTTP_RESPONSE_H

#include "fhir_error.h"

#include <apr_file_io.h>
#include <apr_tables.h>

typedef enum fhir_segment_kind_t { FHIR_SEGMENT_BYTES = 1, FHIR_SEGMENT_FILE, FHIR_SEGMENT_STREAM } fhir_segment_kind_t;

/* Produces exactly the promised bytes. In: room in *length; out: bytes given, 0 at the end. An error after the first
 * byte must make the server break the connection: a client never takes a short body for a whole one. */
typedef fhir_error_t *(*fhir_stream_fn)(void *baton, char *buffer, apr_size_t *length);

typedef struct fhir_segment_t {
    fhir_segment_kind_t kind;
    apr_off_t length;
    const char *bytes;   /* BYTES, lives in the request's pool */
    apr_file_t *file;    /* FILE, lives in the request's pool */
    apr_off_t offset;    /* FILE */
    fhir_stream_fn read; /* STREAM */
    void *baton;         /* STREAM */
} fhir_segment_t;

struct fhir_audit_event_t; /* core/fhir/audit_event.h */

typedef struct fhir_response_t {
    apr_pool_t *pool;
    int status;
    apr_table_t *headers;         /* Content-Type included, Content-Length not */
    apr_array_header_t *segments; /* of fhir_segment_t */
    apr_off_t content_length;     /* sum of the segments; for HEAD what GET would send; -1: send no Content-Length */
    int close_connection;         /* the request body was left unread: do not drain it, close */
    const fhir_error_t *error;    /* what made this response, for the log; NULL on success */
    /* What is noted when it has been sent (core/app/audit.h); NULL: nothing. */
    const struct fhir_audit_event_t *audit;
} fhir_response_t;

fhir_response_t *fhir_response_create(int status, apr_pool_t *pool);
void fhir_response_header(fhir_response_t *response, const char *name, const char *value);
void fhir_response_bytes(fhir_response_t *response, const char *bytes, apr_off_t length);
void fhir_response_file(fhir_response_t *response, apr_file_t *file, apr_off_t offset, apr_off_t length);
void fhir_response_stream(fhir_response_t *response, fhir_stream_fn read, void *baton, apr_off_t length);

#endif
