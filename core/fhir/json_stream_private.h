/* What json_stream.c and json_string.c share. */
#ifndef FHIR_FHIR_JSON_STREAM_PRIVATE_H
#define FHIR_FHIR_JSON_STREAM_PRIVATE_H

#include "../base/text.h"
#include "json_keys.h"
#include "json_stream.h"
#include "scan.h"
#include "text_clear.h"

typedef enum json_state_t {
    JSON_VALUE = 1,
    JSON_VALUE_OR_END,
    JSON_KEY,
    JSON_KEY_OR_END,
    JSON_COLON,
    JSON_AFTER,
    JSON_DONE,
    JSON_STRING,
    JSON_NUMBER,
    JSON_LITERAL
} json_state_t;

typedef enum json_string_t {
    STRING_PLAIN = 0,
    STRING_ESCAPE,        /* after a backslash */
    STRING_HEX,           /* inside the four digits */
    STRING_LOW_BACKSLASH, /* a high surrogate came: the low one must follow */
    STRING_LOW_U
} json_string_t;

struct fhir_json_stream_t {
    apr_pool_t *pool;
    fhir_json_options_t options;
    fhir_json_event_fn event;
    void *baton;
    fhir_error_t *error;
    int bound_passed;
    apr_off_t offset; /* bytes consumed */
    apr_size_t kept;
    json_state_t state;
    int again; /* the byte was not consumed */
    int depth;
    char objects[FHIR_JSON_DEPTH_MAX]; /* 1: object, 0: array */
    fhir_json_keys_t keys;
    fhir_text_t decoded;
    fhir_text_t raw;
    int number;
    const char *literal;
    /* Strings */
    json_string_t string;
    int is_key;
    int at_streamed; /* the last key was the streamed member's */
    int in_pieces;   /* this string is delivered, not kept */
    int digits;
    unsigned code;
    unsigned high; /* surrogate that waits for its pair */
    fhir_utf8_t utf8;
};

fhir_error_t *fhir_json_malformed(fhir_json_stream_t *stream, const char *why) FHIR_MUST_CHECK;
fhir_error_t *fhir_json_keep(fhir_json_stream_t *stream, apr_size_t bytes) FHIR_MUST_CHECK;
fhir_error_t *fhir_json_emit(fhir_json_stream_t *stream, fhir_json_event_kind_t kind, const char *text,
                             apr_size_t length) FHIR_MUST_CHECK;
void fhir_json_value_done(fhir_json_stream_t *stream);
/* The opening quote came. */
fhir_error_t *fhir_json_string_begin(fhir_json_stream_t *stream, int is_key) FHIR_MUST_CHECK;
/* Consumes at least one byte; keeps stream->offset. */
fhir_error_t *fhir_json_string_feed(fhir_json_stream_t *stream, const char *bytes, apr_size_t length,
                                    apr_size_t *taken) FHIR_MUST_CHECK;

#endif
