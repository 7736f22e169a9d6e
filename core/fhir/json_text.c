/* The walker over checked JSON text. */
#include "json_text.h"

#include "scan.h"

fhir_json_slice_t fhir_json_slice(const char *text)
{
    fhir_json_slice_t slice;
    slice.text = text;
    slice.length = strlen(text);
    return slice;
}

static void skip_space(fhir_json_walk_t *walk)
{
    while (walk->at < walk->end && (*walk->at == ' ' || *walk->at == '\t' || *walk->at == '\n' || *walk->at == '\r')) {
        walk->at++;
    }
}

static int take(fhir_json_walk_t *walk, char character)
{
    skip_space(walk);
    if (walk->at < walk->end && *walk->at == character) {
        walk->at++;
        return 1;
    }
    return 0;
}

int fhir_json_walk(fhir_json_walk_t *walk, fhir_json_slice_t value, char open)
{
    walk->at = value.text;
    walk->end = value.text + value.length;
    walk->close = open == '{' ? '}' : ']';
    walk->started = 0;
    walk->failed = 0;
    return take(walk, open);
}

/* Past the closing quote; NULL if there is none. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"') {
            return at + 1;
        }
        at += *at == '\\';
    }
    return NULL;
}

/* Past an object or array: brackets are counted outside of strings. */
static const char *container_end(const char *at, const char *end)
{
    int depth = 0;
    while (at && at < end) {
        if (*at == '"') {
            at = string_end(at, end);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
        if (depth == 0) {
            return at;
        }
    }
    return NULL;
}

static const char *scalar_end(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && !memchr(",]} \t\r\n", *at, 7)) {
        at++;
    }
    return at > start ? at : NULL;
}

static int take_value(fhir_json_walk_t *walk, fhir_json_slice_t *value)
{
    const char *end;
    skip_space(walk);
    if (walk->at >= walk->end) {
        return 0;
    }
    if (*walk->at == '"') {
        end = string_end(walk->at, walk->end);
    } else if (*walk->at == '{' || *walk->at == '[') {
        end = container_end(walk->at, walk->end);
    } else {
        end = scalar_end(walk->at, walk->end);
    }
    if (!end) {
        return 0;
    }
    value->text = walk->at;
    value->length = (apr_size_t)(end - walk->at);
    walk->at = end;
    return 1;
}

static int take_member(fhir_json_walk_t *walk, fhir_json_slice_t *key, fhir_json_slice_t *value)
{
    if (walk->started && !take(walk, ',')) {
        return 0;
    }
    walk->started = 1;
    if (walk->close == '}' && (!take_value(walk, key) || key->text[0] != '"' || !take(walk, ':'))) {
        return 0;
    }
    return take_value(walk, value);
}

int fhir_json_next(fhir_json_walk_t *walk, fhir_json_slice_t *key, fhir_json_slice_t *value)
{
    if (walk->failed || take(walk, walk->close)) {
        return 0;
    }
    if (!take_member(walk, key, value)) {
        walk->failed = 1;
        return 0;
    }
    return 1;
}

static int hex_value(const char *digits, unsigned *value)
{
    int i;
    *value = 0;
    for (i = 0; i < 4; i++) {
        char c = digits[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0) {
            return 0;
        }
        *value = *value << 4 | (unsigned)digit;
    }
    return 1;
}

/* \uXXXX or a pair of them at `at`; returns past it, NULL if malformed. */
static const char *decode_unicode(const char *at, const char *end, char **out)
{
    unsigned code;
    unsigned low;
    if (end - at < 6 || !hex_value(at + 2, &code) || !code) {
        return NULL;
    }
    at += 6;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u' || !hex_value(at + 2, &low) || low < 0xdc00 || low > 0xdfff) {
            return NULL;
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *out += fhir_utf8_put(*out, code);
    return at;
}

const char *fhir_json_decode_escape(const char *at, const char *end, char **out)
{
    static const char LETTERS[] = "\"\\/bfnrt";
    static const char MEANINGS[] = "\"\\/\b\f\n\r\t";
    const char *letter = end - at >= 2 && at[1] ? strchr(LETTERS, at[1]) : NULL;
    if (letter) {
        *(*out)++ = MEANINGS[letter - LETTERS];
        return at + 2;
    }
    return end - at >= 2 && at[1] == 'u' ? decode_unicode(at, end, out) : NULL;
}

const char *fhir_json_decode(fhir_json_slice_t value, apr_pool_t *pool)
{
    const char *at = value.text + 1;
    const char *end = value.text + value.length - 1;
    char *decoded;
    char *out;
    if (value.length < 2 || value.text[0] != '"' || *end != '"') {
        return NULL;
    }
    decoded = out = apr_palloc(pool, value.length);
    while (at && at < end) {
        if (*at == '\\') {
            at = fhir_json_decode_escape(at, end, &out);
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
    return at ? decoded : NULL;
}

int fhir_json_is(fhir_json_slice_t value, const char *literal)
{
    return value.length == strlen(literal) && !memcmp(value.text, literal, value.length);
}
