/* Strings of the push JSON reader: escapes, surrogates, UTF-8; the streamed member goes through in large runs. */
#include "json_stream_private.h"

#include <string.h>

#define KEY_SHOWN_MAX 64

fhir_error_t *fhir_json_string_begin(fhir_json_stream_t *stream, int is_key)
{
    stream->is_key = is_key;
    stream->in_pieces = !is_key && stream->at_streamed;
    stream->state = JSON_STRING;
    stream->string = STRING_PLAIN;
    stream->high = 0;
    fhir_text_clear(&stream->decoded);
    if (stream->in_pieces) {
        return fhir_json_emit(stream, FHIR_JSON_EVENT_PIECE, "", 0);
    }
    fhir_text_add_bytes(&stream->raw, "\"", 1);
    return NULL;
}

/* Decoded bytes: delivered or kept. */
static fhir_error_t *take(fhir_json_stream_t *stream, const char *bytes, apr_size_t length)
{
    if (stream->in_pieces) {
        return fhir_json_emit(stream, FHIR_JSON_EVENT_PIECE, bytes, length);
    }
    fhir_text_add_bytes(&stream->decoded, bytes, length);
    return NULL;
}

static fhir_error_t *take_code(fhir_json_stream_t *stream, unsigned code)
{
    char bytes[4];
    stream->string = STRING_PLAIN;
    stream->high = 0;
    return take(stream, bytes, fhir_utf8_put(bytes, code));
}

/* A name that is safe and short enough for an error sentence, else NULL. */
static const char *shown_name(const fhir_text_t *name)
{
    apr_size_t plain = fhir_scan_plain(name->text, name->length, '"', '\\', 0x7f);
    return plain == name->length && plain <= KEY_SHOWN_MAX ? name->text : NULL;
}

static fhir_error_t *key_end(fhir_json_stream_t *stream)
{
    const fhir_text_t *name = &stream->decoded;
    const char *shown = shown_name(name);
    if (!stream->options.doubles_allowed &&
        !fhir_json_keys_add(&stream->keys, stream->depth, name->text, name->length)) {
        return fhir_json_malformed(
            stream, shown ? apr_psprintf(stream->pool, "the member \"%s\" stands twice in one object", shown)
                          : "a member stands twice in one object");
    }
    stream->at_streamed = stream->depth == 1 && stream->options.streamed &&
                          name->length == strlen(stream->options.streamed) &&
                          !strcmp(name->text, stream->options.streamed);
    stream->state = JSON_COLON;
    return fhir_json_emit(stream, FHIR_JSON_EVENT_KEY, name->text, name->length);
}

static fhir_error_t *string_end(fhir_json_stream_t *stream)
{
    if (stream->in_pieces) {
        stream->in_pieces = 0;
        FHIR_TRY(fhir_json_emit(stream, FHIR_JSON_EVENT_PIECES_END, "", 0));
    } else if (stream->is_key) {
        return key_end(stream);
    } else {
        FHIR_TRY(fhir_json_emit(stream, FHIR_JSON_EVENT_STRING, stream->decoded.text, stream->decoded.length));
    }
    fhir_json_value_done(stream);
    return NULL;
}

static fhir_error_t *escape_step(fhir_json_stream_t *stream, unsigned char byte)
{
    static const char LETTERS[] = "\"\\/bfnrt";
    static const char MEANINGS[] = "\"\\/\b\f\n\r\t";
    const char *letter = byte ? strchr(LETTERS, byte) : NULL;
    if (byte == 'u') {
        stream->string = STRING_HEX;
        stream->digits = 0;
        stream->code = 0;
        return NULL;
    }
    if (!letter) {
        return fhir_json_malformed(stream, "an escape is unknown");
    }
    stream->string = STRING_PLAIN;
    return take(stream, MEANINGS + (letter - LETTERS), 1);
}

static fhir_error_t *code_end(fhir_json_stream_t *stream)
{
    unsigned code = stream->code;
    int low = code >= 0xdc00 && code <= 0xdfff;
    if (stream->high) {
        if (!low) {
            return fhir_json_malformed(stream, "a high surrogate is not followed by a low one");
        }
        return take_code(stream, 0x10000 + ((stream->high - 0xd800) << 10) + (code - 0xdc00));
    }
    if (low) {
        return fhir_json_malformed(stream, "a low surrogate stands alone");
    }
    if (code == 0) {
        return fhir_json_malformed(stream, "the character U+0000 is not allowed");
    }
    if (code >= 0xd800 && code <= 0xdbff) {
        stream->high = code;
        stream->string = STRING_LOW_BACKSLASH;
        return NULL;
    }
    return take_code(stream, code);
}

static fhir_error_t *hex_step(fhir_json_stream_t *stream, unsigned char byte)
{
    unsigned digit;
    if (byte >= '0' && byte <= '9') {
        digit = (unsigned)byte - '0';
    } else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') {
        digit = (unsigned)(byte | 0x20) - 'a' + 10;
    } else {
        return fhir_json_malformed(stream, "\\u needs four hex digits");
    }
    stream->code = stream->code << 4 | digit;
    return ++stream->digits == 4 ? code_end(stream) : NULL;
}

static fhir_error_t *low_step(fhir_json_stream_t *stream, unsigned char byte)
{
    int backslash = stream->string == STRING_LOW_BACKSLASH;
    if (byte != (backslash ? '\\' : 'u')) {
        return fhir_json_malformed(stream, "a high surrogate is not followed by a low one");
    }
    stream->string = backslash ? STRING_LOW_U : STRING_HEX;
    stream->digits = 0;
    stream->code = 0;
    return NULL;
}

static fhir_error_t *plain_step(fhir_json_stream_t *stream, unsigned char byte)
{
    char character = (char)byte;
    if (!fhir_utf8_step(&stream->utf8, byte)) {
        return fhir_json_malformed(stream, "the text is not valid UTF-8");
    }
    if (byte == '"') {
        return string_end(stream);
    }
    if (byte == '\\') {
        stream->string = STRING_ESCAPE;
        return NULL;
    }
    if (byte < 0x20) {
        return fhir_json_malformed(stream, "a control character in a string must be escaped");
    }
    return take(stream, &character, 1);
}

static fhir_error_t *string_step(fhir_json_stream_t *stream, unsigned char byte)
{
    switch (stream->string) {
    case STRING_ESCAPE:
        return escape_step(stream, byte);
    case STRING_HEX:
        return hex_step(stream, byte);
    case STRING_LOW_BACKSLASH:
    case STRING_LOW_U:
        return low_step(stream, byte);
    default:
        return plain_step(stream, byte);
    }
}

fhir_error_t *fhir_json_string_feed(fhir_json_stream_t *stream, const char *bytes, apr_size_t length, apr_size_t *taken)
{
    apr_size_t run = 0;
    if (stream->string == STRING_PLAIN && !stream->utf8.need) {
        run = fhir_scan_plain(bytes, length, '"', '\\', '"');
    }
    *taken = run ? run : 1;
    if (!stream->in_pieces) {
        FHIR_TRY(fhir_json_keep(stream, *taken));
        fhir_text_add_bytes(&stream->raw, bytes, *taken);
    }
    if (run) {
        FHIR_TRY(take(stream, bytes, run));
    } else {
        FHIR_TRY(string_step(stream, (unsigned char)*bytes));
    }
    stream->offset += (apr_off_t)*taken;
    return NULL;
}
