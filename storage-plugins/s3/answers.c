/* Answers of the S3 API in XML: read within limits, and nothing in them is believed before it is checked. */
#include "s3.h"

#include <stdio.h>
#include <string.h>

const apr_xml_elem *s3_xml_root(const char *body, apr_size_t length, const char *name, apr_pool_t *pool)
{
    apr_xml_parser *parser;
    apr_xml_doc *document = NULL;
    if (!body || length == 0) {
        return NULL;
    }
    parser = apr_xml_parser_create(pool);
    if (apr_xml_parser_feed(parser, body, length) != APR_SUCCESS ||
        apr_xml_parser_done(parser, &document) != APR_SUCCESS || !document || !document->root) {
        return NULL;
    }
    return !name || !strcmp(document->root->name, name) ? document->root : NULL;
}

static const apr_xml_elem *first_called(const apr_xml_elem *element, const char *name)
{
    while (element && strcmp(element->name, name)) {
        element = element->next;
    }
    return element;
}

const apr_xml_elem *s3_xml_child(const apr_xml_elem *parent, const char *name)
{
    return parent ? first_called(parent->first_child, name) : NULL;
}

const apr_xml_elem *s3_xml_next(const apr_xml_elem *element, const char *name)
{
    return first_called(element->next, name);
}

const char *s3_xml_text(const apr_xml_elem *parent, const char *name, apr_pool_t *pool)
{
    const apr_xml_elem *child = s3_xml_child(parent, name);
    const apr_text *piece;
    apr_size_t length = 0;
    char *text;
    if (!child) {
        return NULL;
    }
    for (piece = child->first_cdata.first; piece; piece = piece->next) {
        length += strlen(piece->text);
    }
    text = apr_palloc(pool, length + 1);
    length = 0;
    for (piece = child->first_cdata.first; piece; piece = piece->next) {
        memcpy(text + length, piece->text, strlen(piece->text));
        length += strlen(piece->text);
    }
    text[length] = '\0';
    return text;
}

/* It goes to the log. */
static int is_code(const char *code)
{
    size_t length = strlen(code);
    return length >= 1 && length <= 64 &&
           strspn(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

const char *s3_error_code(const char *body, apr_size_t length, apr_pool_t *pool)
{
    const apr_xml_elem *root = s3_xml_root(body, length, "Error", pool);
    const char *code = root ? s3_xml_text(root, "Code", pool) : NULL;
    return code && is_code(code) ? code : NULL;
}

apr_time_t s3_xml_time(const char *text)
{
    apr_time_exp_t parts = {0};
    apr_time_t time = 0;
    int end = 0;
    int millisecond = 0;
    if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                        &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end) != 6) {
        return 0;
    }
    if (text[end] == '.' && sscanf(text + end, ".%3d", &millisecond) != 1) {
        return 0;
    }
    if (parts.tm_year < 1970 || parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 || parts.tm_mday > 31 ||
        parts.tm_hour < 0 || parts.tm_hour > 23 || parts.tm_min < 0 || parts.tm_min > 59 || parts.tm_sec < 0 ||
        parts.tm_sec > 60 || millisecond < 0) {
        return 0;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    parts.tm_usec = millisecond * 1000;
    return apr_time_exp_gmt_get(&time, &parts) == APR_SUCCESS ? time : 0;
}

apr_off_t s3_length(const char *text)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    return digits >= 1 && digits <= 18 && !text[digits] ? (apr_off_t)apr_atoi64(text) : -1;
}

static int hex_value(char digit)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

const char *s3_decode_key(const char *text, apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, strlen(text) + 1);
    char *end = decoded;
    while (*text) {
        if (*text == '%') {
            int high = hex_value(text[1]);
            int low = high < 0 ? -1 : hex_value(text[2]);
            if (low < 0 || high * 16 + low == 0) {
                return NULL;
            }
            *end++ = (char)(high * 16 + low);
            text += 3;
        } else {
            *end++ = *text == '+' ? ' ' : *text;
            text++;
        }
    }
    *end = '\0';
    return decoded;
}
