/* File names in Content-Disposition (RFC 6266, RFC 8187), in and out. */
#include "../base/text.h"
#include "../base/utf8.h"
#include "field_syntax.h"
#include "fields.h"

#include <string.h>

#define FILENAME_MAX_BYTES 255
#define EXTENSION_MAX_BYTES 16

/* Control characters, and those that reorder or hide text so that one name looks like another. */
static int is_deceptive(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character <= 0x9F) || character == 0x200E || character == 0x200F ||
           (character >= 0x2028 && character <= 0x202E) || (character >= 0x2066 && character <= 0x2069) ||
           character == 0xFEFF;
}

/* Bytes that are no UTF-8 are taken as ISO-8859-1, as browsers do. */
static const char *as_utf8(const char *bytes, apr_pool_t *pool)
{
    apr_size_t length = strlen(bytes);
    char *text;
    char *to;
    if (fhir_utf8_valid(bytes, length)) {
        return bytes;
    }
    text = apr_palloc(pool, length * 2 + 1);
    for (to = text; *bytes; bytes++) {
        to += fhir_utf8_write(to, (unsigned char)*bytes);
    }
    *to = '\0';
    return text;
}

static void remove_deceptive(char *text)
{
    char *to = text;
    apr_size_t left = strlen(text);
    while (left > 0) {
        uint32_t character = 0;
        apr_size_t length = fhir_utf8_sequence(&character, text, left);
        if (length == 0) {
            break;
        }
        if (!is_deceptive(character)) {
            memmove(to, text, length);
            to += length;
        }
        text += length;
        left -= length;
    }
    *to = '\0';
}

static char *without_dots_and_blanks(char *name)
{
    apr_size_t length;
    name += strspn(name, ". ");
    length = strlen(name);
    while (length > 0 && (name[length - 1] == '.' || name[length - 1] == ' ')) {
        length--;
    }
    name[length] = '\0';
    return name;
}

/* Cuts between characters and keeps a short extension: it tells people and programs what the file is. */
static char *shortened(char *name)
{
    apr_size_t length = strlen(name);
    const char *dot = strrchr(name, '.');
    apr_size_t extension = dot ? length - (apr_size_t)(dot - name) : 0;
    apr_size_t kept;
    if (length <= FILENAME_MAX_BYTES) {
        return name;
    }
    if (extension > EXTENSION_MAX_BYTES) {
        extension = 0;
    }
    kept = FILENAME_MAX_BYTES - extension;
    while (kept > 0 && ((unsigned char)name[kept] & 0xC0) == 0x80) {
        kept--;
    }
    memmove(name + kept, name + length - extension, extension);
    name[kept + extension] = '\0';
    return without_dots_and_blanks(name);
}

const char *fhir_filename_clean(const char *filename, apr_pool_t *pool)
{
    char *name;
    char *at;
    if (!filename) {
        return NULL;
    }
    name = apr_pstrdup(pool, as_utf8(filename, pool));
    remove_deceptive(name);
    for (at = name; *at; at++) {
        if (*at == '/' || *at == '\\') {
            name = at + 1;
        }
    }
    name = shortened(without_dots_and_blanks(name));
    return *name ? name : NULL;
}

/* Only \" and \\ are escapes: "C:\scans\a.pdf" is what some clients really send. */
static const char *quoted_value(const char **value, const char *at, apr_pool_t *pool)
{
    const char *end = fhir_quoted_string(NULL, at, NULL);
    char *content;
    char *to;
    if (!end) {
        return NULL;
    }
    content = apr_palloc(pool, (apr_size_t)(end - at));
    for (to = content, at++; at < end - 1; at++) {
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\')) {
            at++;
        }
        *to++ = *at;
    }
    *to = '\0';
    *value = content;
    return end;
}

/* Percent-decodes; NULL for a bad escape or a NUL. */
static const char *percent_decoded(const char *text, apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, strlen(text) + 1);
    char *to = decoded;
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (*text == '%') {
            char digits[3] = {text[1], text[1] ? text[2] : '\0', '\0'};
            if (!fhir_hex_decode(&byte, 1, digits) || byte == 0) {
                return NULL;
            }
            text += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return decoded;
}

/* charset'language'value of RFC 8187; NULL if malformed or in a charset that nobody has to know. */
static const char *extended_value(const char *text, apr_pool_t *pool)
{
    const char *language = strchr(text, '\'');
    const char *value = language ? strchr(language + 1, '\'') : NULL;
    const char *decoded = value ? percent_decoded(value + 1, pool) : NULL;
    apr_size_t charset = decoded ? (apr_size_t)(language - text) : 0;
    if (decoded && fhir_is_name(text, charset, "UTF-8")) {
        return fhir_utf8_valid(decoded, strlen(decoded)) ? decoded : NULL;
    }
    if (decoded && fhir_is_name(text, charset, "ISO-8859-1")) {
        char *text_form = apr_palloc(pool, strlen(decoded) * 2 + 1);
        char *to = text_form;
        for (; *decoded; decoded++) {
            to += fhir_utf8_write(to, (unsigned char)*decoded);
        }
        *to = '\0';
        return text_form;
    }
    return NULL;
}

/* One parameter at `at`; *value is NULL if it has none. Gives the semicolon or the end behind it. */
static const char *next_parameter(const char **name, apr_size_t *name_length, const char **value, const char *at,
                                  apr_pool_t *pool)
{
    apr_size_t length;
    *name = fhir_skip_blanks(at);
    *name_length = fhir_token_length(*name);
    *value = NULL;
    at = fhir_skip_blanks(*name + *name_length);
    if (*at == '=') {
        at = fhir_skip_blanks(at + 1);
        if (*at == '"') {
            const char *end = quoted_value(value, at, pool);
            at = end ? end : at + strlen(at);
        } else {
            length = strcspn(at, ";");
            *value = fhir_trimmed(at, length, pool);
            at += length;
        }
    }
    return at + strcspn(at, ";");
}

const char *fhir_disposition_filename(const char *content_disposition, apr_pool_t *pool)
{
    const char *at = content_disposition ? content_disposition : "";
    const char *plain = NULL;
    const char *extended = NULL;
    while (*at) {
        const char *name;
        const char *value;
        apr_size_t name_length;
        at = next_parameter(&name, &name_length, &value, at, pool);
        at += *at == ';';
        if (value && !plain && fhir_is_name(name, name_length, "filename")) {
            plain = value;
        } else if (value && !extended && fhir_is_name(name, name_length, "filename*")) {
            extended = extended_value(value, pool);
        }
    }
    extended = fhir_filename_clean(extended, pool);
    return extended ? extended : fhir_filename_clean(plain, pool);
}

/* What stands in the quotes: ASCII with quote and backslash escaped, one underscore for each other character. */
static void add_ascii_form(fhir_text_t *text, const char *name)
{
    for (; *name; name++) {
        unsigned char byte = (unsigned char)*name;
        if (byte == '"' || byte == '\\') {
            fhir_text_add_bytes(text, "\\", 1);
        }
        if (byte < 0x80) {
            fhir_text_add_bytes(text, name, 1);
        } else if (byte >= 0xC0) {
            fhir_text_add_bytes(text, "_", 1);
        }
    }
}

static int is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

const char *fhir_disposition_format(int is_inline, const char *filename, apr_pool_t *pool)
{
    const char *name = fhir_filename_clean(filename, pool);
    fhir_text_t text;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, is_inline ? "inline" : "attachment");
    if (name) {
        fhir_text_add(&text, "; filename=\"");
        add_ascii_form(&text, name);
        fhir_text_add(&text, "\"");
        if (!is_ascii(name)) {
            fhir_text_add(&text, "; filename*=UTF-8''");
            fhir_text_add(&text, fhir_url_encode(name, pool));
        }
    }
    return text.text;
}
