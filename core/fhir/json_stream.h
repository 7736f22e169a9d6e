/* A push JSON reader (RFC 8259) in bounded memory: fed at any byte split, it reports events. Strict: UTF-8, no lone
 * surrogates, no U+0000, no byte order mark, no doubled member names, nothing after the value. Numbers stay text. */
#ifndef FHIR_FHIR_JSON_STREAM_H
#define FHIR_FHIR_JSON_STREAM_H

#include "fhir_error.h"

#define FHIR_JSON_DEPTH_MAX 64

typedef enum fhir_json_event_kind_t {
    FHIR_JSON_EVENT_OBJECT = 1,
    FHIR_JSON_EVENT_OBJECT_END,
    FHIR_JSON_EVENT_ARRAY,
    FHIR_JSON_EVENT_ARRAY_END,
    FHIR_JSON_EVENT_KEY,
    FHIR_JSON_EVENT_STRING,
    FHIR_JSON_EVENT_NUMBER,
    FHIR_JSON_EVENT_TRUE,
    FHIR_JSON_EVENT_FALSE,
    FHIR_JSON_EVENT_NULL,
    FHIR_JSON_EVENT_PIECE,     /* of the streamed member's string; the first piece is empty */
    FHIR_JSON_EVENT_PIECES_END /* that string is complete */
} fhir_json_event_kind_t;

/* Texts are valid during the callback only. */
typedef struct fhir_json_event_t {
    fhir_json_event_kind_t kind;
    int depth;        /* objects and arrays around it */
    const char *text; /* KEY, STRING: decoded, NUL-terminated; PIECE: decoded bytes */
    apr_size_t length;
    const char *raw; /* KEY, STRING (with quotes), NUMBER and literals: as sent */
    apr_size_t raw_length;
} fhir_json_event_t;

typedef fhir_error_t *(*fhir_json_event_fn)(void *baton, const fhir_json_event_t *event);

typedef struct fhir_json_options_t {
    const char *what;     /* for the error sentences: "The JSON body" */
    const char *streamed; /* the root object's member whose string comes in pieces, NULL: none */
    int depth_max;        /* at most FHIR_JSON_DEPTH_MAX */
    apr_size_t kept_max;  /* bytes of everything but white space and the streamed string */
    int doubles_allowed;  /* do not look for doubled member names */
} fhir_json_options_t;

typedef struct fhir_json_stream_t fhir_json_stream_t;

void fhir_json_stream_create(fhir_json_stream_t **stream, const fhir_json_options_t *options, fhir_json_event_fn event,
                             void *baton, apr_pool_t *pool);
/* INVALID: not JSON or nested too deeply; TOO_LARGE: kept_max passed. After an error the same error again. */
fhir_error_t *fhir_json_stream_feed(fhir_json_stream_t *stream, const char *bytes, apr_size_t length) FHIR_MUST_CHECK;
fhir_error_t *fhir_json_stream_finish(fhir_json_stream_t *stream) FHIR_MUST_CHECK;
/* 1 if the error was one of our bounds, not the grammar. */
int fhir_json_stream_bound_passed(const fhir_json_stream_t *stream);

#endif
