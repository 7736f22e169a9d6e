/* The push JSON reader: structure and literals. Strings are in json_string.c. */
#include "json_stream_private.h"

#include <string.h>

typedef enum number_t {
    NUMBER_MINUS = 1,
    NUMBER_ZERO,
    NUMBER_INTEGER,
    NUMBER_POINT,
    NUMBER_FRACTION,
    NUMBER_E,
    NUMBER_E_SIGN,
    NUMBER_EXPONENT
} number_t;

void fhir_json_stream_create(fhir_json_stream_t **stream, const fhir_json_options_t *options, fhir_json_event_fn event,
                             void *baton, apr_pool_t *pool)
{
    fhir_json_stream_t *made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    made->options = *options;
    made->event = event;
    made->baton = baton;
    made->state = JSON_VALUE;
    fhir_text_init(&made->decoded, pool);
    fhir_text_init(&made->raw, pool);
    fhir_json_keys_init(&made->keys, pool);
    *stream = made;
}

int fhir_json_stream_bound_passed(const fhir_json_stream_t *stream)
{
    return stream->bound_passed;
}

fhir_error_t *fhir_json_malformed(fhir_json_stream_t *stream, const char *why)
{
    return fhir_error_public(stream->pool, FHIR_ERROR_INVALID, "%s is not valid JSON at byte %" APR_OFF_T_FMT ": %s.",
                             stream->options.what, stream->offset, why);
}

fhir_error_t *fhir_json_keep(fhir_json_stream_t *stream, apr_size_t bytes)
{
    stream->kept += bytes;
    if (stream->kept <= stream->options.kept_max) {
        return NULL;
    }
    stream->bound_passed = 1;
    return fhir_error_public(stream->pool, FHIR_ERROR_TOO_LARGE,
                             "%s has more than %" APR_SIZE_T_FMT " bytes beside its content; send less metadata.",
                             stream->options.what, stream->options.kept_max);
}

fhir_error_t *fhir_json_emit(fhir_json_stream_t *stream, fhir_json_event_kind_t kind, const char *text,
                             apr_size_t length)
{
    fhir_json_event_t event;
    memset(&event, 0, sizeof(event));
    event.kind = kind;
    event.depth = stream->depth;
    event.text = text;
    event.length = length;
    event.raw = stream->raw.text;
    event.raw_length = stream->raw.length;
    return stream->event(stream->baton, &event);
}

void fhir_json_value_done(fhir_json_stream_t *stream)
{
    stream->state = stream->depth ? JSON_AFTER : JSON_DONE;
    stream->at_streamed = 0;
}

/* ---- Numbers ---- */

static int is_digit(unsigned char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The state after `byte`, 0 if the byte does not belong to the number. */
static int number_next(int state, unsigned char byte)
{
    switch (state) {
    case NUMBER_MINUS:
        return byte == '0' ? NUMBER_ZERO : is_digit(byte) ? NUMBER_INTEGER : 0;
    case NUMBER_ZERO:
    case NUMBER_INTEGER:
        if (state == NUMBER_INTEGER && is_digit(byte)) {
            return NUMBER_INTEGER;
        }
        return byte == '.' ? NUMBER_POINT : byte == 'e' || byte == 'E' ? NUMBER_E : 0;
    case NUMBER_POINT:
        return is_digit(byte) ? NUMBER_FRACTION : 0;
    case NUMBER_FRACTION:
        return is_digit(byte) ? NUMBER_FRACTION : byte == 'e' || byte == 'E' ? NUMBER_E : 0;
    case NUMBER_E:
        return byte == '+' || byte == '-' ? NUMBER_E_SIGN : is_digit(byte) ? NUMBER_EXPONENT : 0;
    default:
        return is_digit(byte) ? NUMBER_EXPONENT : 0;
    }
}

static fhir_error_t *number_end(fhir_json_stream_t *stream)
{
    int state = stream->number;
    if (state != NUMBER_ZERO && state != NUMBER_INTEGER && state != NUMBER_FRACTION && state != NUMBER_EXPONENT) {
        return fhir_json_malformed(stream, "a number is not complete");
    }
    FHIR_TRY(fhir_json_emit(stream, FHIR_JSON_EVENT_NUMBER, stream->raw.text, stream->raw.length));
    fhir_json_value_done(stream);
    return NULL;
}

/* The byte that ends a number belongs to what follows: it is looked at again. */
static fhir_error_t *number_step(fhir_json_stream_t *stream, unsigned char byte)
{
    int next = number_next(stream->number, byte);
    char character = (char)byte;
    if (!next) {
        stream->again = 1;
        return number_end(stream);
    }
    stream->number = next;
    fhir_text_add_bytes(&stream->raw, &character, 1);
    return NULL;
}

/* ---- Literals ---- */

static fhir_error_t *literal_step(fhir_json_stream_t *stream, unsigned char byte)
{
    char character = (char)byte;
    fhir_json_event_kind_t kind;
    if (character != stream->literal[stream->raw.length]) {
        return fhir_json_malformed(stream, "only true, false, null, numbers, strings, objects and arrays are values");
    }
    fhir_text_add_bytes(&stream->raw, &character, 1);
    if (stream->literal[stream->raw.length]) {
        return NULL;
    }
    kind = stream->literal[0] == 't'   ? FHIR_JSON_EVENT_TRUE
           : stream->literal[0] == 'f' ? FHIR_JSON_EVENT_FALSE
                                       : FHIR_JSON_EVENT_NULL;
    FHIR_TRY(fhir_json_emit(stream, kind, stream->raw.text, stream->raw.length));
    fhir_json_value_done(stream);
    return NULL;
}

/* ---- Structure ---- */

static fhir_error_t *open_container(fhir_json_stream_t *stream, int object)
{
    if (stream->depth >= stream->options.depth_max) {
        stream->bound_passed = 1;
        return fhir_error_public(stream->pool, FHIR_ERROR_INVALID,
                                 "%s is nested more than %d levels deep at byte %" APR_OFF_T_FMT ".",
                                 stream->options.what, stream->options.depth_max, stream->offset);
    }
    FHIR_TRY(fhir_json_emit(stream, object ? FHIR_JSON_EVENT_OBJECT : FHIR_JSON_EVENT_ARRAY, "", 0));
    stream->objects[stream->depth++] = (char)object;
    stream->state = object ? JSON_KEY_OR_END : JSON_VALUE_OR_END;
    stream->at_streamed = 0;
    return NULL;
}

static fhir_error_t *close_container(fhir_json_stream_t *stream, unsigned char byte)
{
    int object = stream->depth ? stream->objects[stream->depth - 1] : 0;
    if (!stream->depth || byte != (object ? '}' : ']')) {
        return fhir_json_malformed(stream, "a bracket does not match");
    }
    if (object) {
        fhir_json_keys_drop(&stream->keys, stream->depth);
    }
    stream->depth--;
    fhir_text_clear(&stream->raw);
    FHIR_TRY(fhir_json_emit(stream, object ? FHIR_JSON_EVENT_OBJECT_END : FHIR_JSON_EVENT_ARRAY_END, "", 0));
    fhir_json_value_done(stream);
    return NULL;
}

static fhir_error_t *value_step(fhir_json_stream_t *stream, unsigned char byte)
{
    fhir_text_clear(&stream->raw);
    if (stream->state == JSON_VALUE_OR_END && byte == ']') {
        return close_container(stream, byte);
    }
    switch (byte) {
    case '{':
    case '[':
        return open_container(stream, byte == '{');
    case '"':
        return fhir_json_string_begin(stream, 0);
    case 't':
    case 'f':
    case 'n':
        stream->literal = byte == 't' ? "true" : byte == 'f' ? "false" : "null";
        stream->state = JSON_LITERAL;
        return literal_step(stream, byte);
    default:
        break;
    }
    if (byte != '-' && !is_digit(byte)) {
        return fhir_json_malformed(stream, "a value is missing");
    }
    stream->number = byte == '-' ? NUMBER_MINUS : byte == '0' ? NUMBER_ZERO : NUMBER_INTEGER;
    stream->state = JSON_NUMBER;
    fhir_text_add_bytes(&stream->raw, (const char *)&byte, 1);
    return NULL;
}

static fhir_error_t *key_step(fhir_json_stream_t *stream, unsigned char byte)
{
    if (stream->state == JSON_KEY_OR_END && byte == '}') {
        return close_container(stream, byte);
    }
    if (byte != '"') {
        return fhir_json_malformed(stream, "a member name in double quotes is missing");
    }
    fhir_text_clear(&stream->raw);
    return fhir_json_string_begin(stream, 1);
}

static fhir_error_t *after_step(fhir_json_stream_t *stream, unsigned char byte)
{
    if (byte != ',') {
        if (byte == '}' || byte == ']') {
            return close_container(stream, byte);
        }
        return fhir_json_malformed(stream, "a comma or a closing bracket is missing");
    }
    stream->state = stream->objects[stream->depth - 1] ? JSON_KEY : JSON_VALUE;
    return NULL;
}

static fhir_error_t *colon_step(fhir_json_stream_t *stream, unsigned char byte)
{
    if (byte != ':') {
        return fhir_json_malformed(stream, "a colon is missing after a member name");
    }
    stream->state = JSON_VALUE;
    return NULL;
}

static fhir_error_t *structure_step(fhir_json_stream_t *stream, unsigned char byte)
{
    if (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        return NULL;
    }
    FHIR_TRY(fhir_json_keep(stream, 1));
    switch (stream->state) {
    case JSON_KEY:
    case JSON_KEY_OR_END:
        return key_step(stream, byte);
    case JSON_COLON:
        return colon_step(stream, byte);
    case JSON_AFTER:
        return after_step(stream, byte);
    case JSON_DONE:
        return fhir_json_malformed(stream, "something follows the end of the value");
    default:
        break;
    }
    if (stream->offset == 0 && (byte == 0xef || byte == 0xfe || byte == 0xff)) {
        return fhir_json_malformed(stream, "it begins with a byte order mark; send UTF-8 without one");
    }
    return value_step(stream, byte);
}

static fhir_error_t *step(fhir_json_stream_t *stream, unsigned char byte)
{
    if (stream->state == JSON_NUMBER) {
        FHIR_TRY(number_step(stream, byte));
        /* A byte that only ended the number is counted when it is looked at again. */
        return fhir_json_keep(stream, stream->again ? 0 : 1);
    }
    if (stream->state == JSON_LITERAL) {
        FHIR_TRY(fhir_json_keep(stream, 1));
        return literal_step(stream, byte);
    }
    return structure_step(stream, byte);
}

static fhir_error_t *feed(fhir_json_stream_t *stream, const char *bytes, apr_size_t length)
{
    apr_size_t at = 0;
    while (at < length) {
        if (stream->state == JSON_STRING) {
            apr_size_t taken = 0;
            FHIR_TRY(fhir_json_string_feed(stream, bytes + at, length - at, &taken));
            at += taken;
            continue;
        }
        FHIR_TRY(step(stream, (unsigned char)bytes[at]));
        if (stream->again) {
            stream->again = 0;
            continue;
        }
        at++;
        stream->offset++;
    }
    return NULL;
}

fhir_error_t *fhir_json_stream_feed(fhir_json_stream_t *stream, const char *bytes, apr_size_t length)
{
    if (!stream->error) {
        stream->error = feed(stream, bytes, length);
    }
    return stream->error;
}

static fhir_error_t *finish(fhir_json_stream_t *stream)
{
    if (stream->state == JSON_NUMBER && stream->depth == 0) {
        FHIR_TRY(number_end(stream));
    }
    if (stream->state != JSON_DONE) {
        return fhir_json_malformed(stream, stream->offset ? "it ends too early" : "it is empty");
    }
    return NULL;
}

fhir_error_t *fhir_json_stream_finish(fhir_json_stream_t *stream)
{
    if (!stream->error) {
        stream->error = finish(stream);
    }
    return stream->error;
}
