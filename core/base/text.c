/* Growable text and the escaping of JSON and XML strings. */
#include "text.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

#define REPLACEMENT_CHARACTER "\xEF\xBF\xBD"

void fhir_text_init(fhir_text_t *text, apr_pool_t *pool)
{
    text->pool = pool;
    text->room = 128;
    text->text = apr_palloc(pool, text->room);
    text->text[0] = '\0';
    text->length = 0;
}

/* Doubling keeps what is left behind in the pool below the final size. */
static void reserve(fhir_text_t *text, apr_size_t more)
{
    apr_size_t needed = text->length + more + 1;
    apr_size_t room = text->room;
    char *grown;
    if (needed <= room) {
        return;
    }
    room = room * 2 > needed ? room * 2 : needed;
    grown = apr_palloc(text->pool, room);
    memcpy(grown, text->text, text->length + 1);
    text->text = grown;
    text->room = room;
}

void fhir_text_add_bytes(fhir_text_t *text, const char *bytes, apr_size_t length)
{
    if (length == 0) {
        return;
    }
    reserve(text, length);
    memcpy(text->text + text->length, bytes, length);
    text->length += length;
    text->text[text->length] = '\0';
}

void fhir_text_add(fhir_text_t *text, const char *string)
{
    fhir_text_add_bytes(text, string, strlen(string));
}

void fhir_text_addf(fhir_text_t *text, const char *format, ...)
{
    apr_size_t free_room = text->room - text->length;
    va_list arguments;
    int written;
    va_start(arguments, format);
    written = vsnprintf(text->text + text->length, free_room, format, arguments);
    va_end(arguments);
    if (written < 0) {
        text->text[text->length] = '\0';
        return;
    }
    if ((apr_size_t)written >= free_room) {
        reserve(text, (apr_size_t)written);
        va_start(arguments, format);
        vsnprintf(text->text + text->length, (apr_size_t)written + 1, format, arguments);
        va_end(arguments);
    }
    text->length += (apr_size_t)written;
}

static void add_json_ascii(fhir_text_t *text, unsigned char character)
{
    static const char short_forms[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = strchr(short_forms, character);
    char escape[8];
    if (found) {
        escape[0] = '\\';
        escape[1] = letters[found - short_forms];
        fhir_text_add_bytes(text, escape, 2);
    } else {
        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)character);
        fhir_text_add_bytes(text, escape, 6);
    }
}

/* Bytes up to the next one that needs a look: plain ASCII is copied in runs. */
static apr_size_t plain_run(const char *string, apr_size_t length, const char *special)
{
    apr_size_t run = 0;
    while (run < length && (unsigned char)string[run] >= 0x20 && (unsigned char)string[run] < 0x7F &&
           !strchr(special, string[run])) {
        run++;
    }
    return run;
}

void fhir_text_add_json_string(fhir_text_t *text, const char *string)
{
    apr_size_t left = strlen(string);
    fhir_text_add_bytes(text, "\"", 1);
    while (left > 0) {
        apr_size_t taken = plain_run(string, left, "\"\\");
        if (taken > 0) {
            fhir_text_add_bytes(text, string, taken);
        } else if ((unsigned char)*string < 0x80) {
            add_json_ascii(text, (unsigned char)*string);
            taken = 1;
        } else if ((taken = fhir_utf8_sequence(NULL, string, left)) > 0) {
            fhir_text_add_bytes(text, string, taken);
        } else {
            /* A broken byte must not make the whole document unreadable. */
            fhir_text_add(text, REPLACEMENT_CHARACTER);
            taken = 1;
        }
        string += taken;
        left -= taken;
    }
    fhir_text_add_bytes(text, "\"", 1);
}

static void add_xml_ascii(fhir_text_t *text, char character)
{
    switch (character) {
    case '&':
        fhir_text_add(text, "&amp;");
        break;
    case '<':
        fhir_text_add(text, "&lt;");
        break;
    case '>':
        fhir_text_add(text, "&gt;");
        break;
    case '"':
        fhir_text_add(text, "&quot;");
        break;
    case '\t':
    case '\n':
    case '\r':
    case 0x7F:
        fhir_text_addf(text, "&#%d;", character);
        break;
    default: /* XML 1.0 can't carry the other control characters, not even escaped */
        fhir_text_add(text, REPLACEMENT_CHARACTER);
        break;
    }
}

void fhir_text_add_xml(fhir_text_t *text, const char *string)
{
    apr_size_t left = strlen(string);
    while (left > 0) {
        uint32_t code_point = 0;
        apr_size_t taken = plain_run(string, left, "&<>\"");
        if (taken > 0) {
            fhir_text_add_bytes(text, string, taken);
        } else if ((unsigned char)*string < 0x80) {
            add_xml_ascii(text, *string);
            taken = 1;
        } else if ((taken = fhir_utf8_sequence(&code_point, string, left)) > 0 && code_point != 0xFFFE &&
                   code_point != 0xFFFF) {
            fhir_text_add_bytes(text, string, taken);
        } else {
            fhir_text_add(text, REPLACEMENT_CHARACTER);
            taken = taken > 0 ? taken : 1;
        }
        string += taken;
        left -= taken;
    }
}
