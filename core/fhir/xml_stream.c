/* The push XML reader: bytes, UTF-8, text between tags. Tags are in xml_tag.c, the rest of markup in xml_markup.c. */
#include "xml_stream_private.h"

#include <string.h>

void fhir_xml_stream_create(fhir_xml_stream_t **stream, const fhir_xml_options_t *options, fhir_xml_event_fn event,
                            void *baton, apr_pool_t *pool)
{
    fhir_xml_stream_t *made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    made->options = *options;
    made->event = event;
    made->baton = baton;
    made->bindings = apr_palloc(pool, XML_BINDINGS_MAX * sizeof(*made->bindings));
    fhir_text_init(&made->names, pool);
    fhir_text_init(&made->tag, pool);
    *stream = made;
}

fhir_error_t *fhir_xml_malformed(fhir_xml_stream_t *stream, const char *why)
{
    return fhir_error_public(stream->pool, FHIR_ERROR_INVALID,
                             "The XML body is not valid at byte %" APR_OFF_T_FMT ": %s.", stream->offset, why);
}

fhir_error_t *fhir_xml_too_much(fhir_xml_stream_t *stream, const char *why)
{
    stream->bound_passed = 1;
    return fhir_xml_malformed(stream, why);
}

int fhir_xml_stream_bound_passed(const fhir_xml_stream_t *stream)
{
    return stream->bound_passed;
}

static fhir_error_t *keep(fhir_xml_stream_t *stream, apr_size_t bytes)
{
    stream->kept += bytes;
    if (stream->kept <= stream->options.kept_max) {
        return NULL;
    }
    stream->bound_passed = 1;
    return fhir_error_public(stream->pool, FHIR_ERROR_TOO_LARGE,
                             "The XML body has more than %" APR_SIZE_T_FMT
                             " bytes beside its content; send less metadata.",
                             stream->options.kept_max);
}

fhir_error_t *fhir_xml_token_add(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (stream->token_length + 1 >= sizeof(stream->token)) {
        return fhir_xml_too_much(stream, "a name, a reference or the XML declaration is too long");
    }
    stream->token[stream->token_length++] = (char)byte;
    stream->token[stream->token_length] = '\0';
    return NULL;
}

int fhir_xml_is_space(unsigned char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

int fhir_xml_is_name_start(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' || byte == ':' || byte >= 0x80;
}

int fhir_xml_is_name(unsigned char byte)
{
    return fhir_xml_is_name_start(byte) || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
}

/* A character that XML 1.0 allows, in UTF-8. */
static fhir_error_t *check_byte(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (byte < 0x20 && !fhir_xml_is_space(byte)) {
        return fhir_xml_malformed(stream, "a control character is not allowed");
    }
    if (stream->options.lenient) {
        return NULL;
    }
    stream->last_three = (stream->last_three << 8 | byte) & 0xffffff;
    if (!fhir_utf8_step(&stream->utf8, byte)) {
        return fhir_xml_malformed(stream, "the text is not valid UTF-8");
    }
    if ((stream->last_three | 1) == 0xefbfbf) {
        return fhir_xml_malformed(stream, "the characters U+FFFE and U+FFFF are not allowed");
    }
    return NULL;
}

static fhir_error_t *text_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (byte == '<') {
        stream->state = XML_MARKUP;
        return NULL;
    }
    if (fhir_xml_is_space(byte)) {
        return NULL;
    }
    return fhir_xml_malformed(stream, stream->depth ? "text between elements is not allowed; values are attributes"
                                                    : "only one root element is allowed, no text beside it");
}

static fhir_error_t *step(fhir_xml_stream_t *stream, unsigned char byte)
{
    FHIR_TRY(check_byte(stream, byte));
    switch (stream->state) {
    case XML_TEXT:
        return text_step(stream, byte);
    case XML_MARKUP:
        if (byte != '!' && byte != '?') {
            FHIR_TRY(keep(stream, 1));
            return fhir_xml_tag_begin(stream, byte);
        }
        return fhir_xml_markup_step(stream, byte);
    case XML_BANG:
    case XML_DOCTYPE_NAME:
    case XML_COMMENT:
    case XML_INSTRUCTION_TARGET:
    case XML_INSTRUCTION:
        return fhir_xml_markup_step(stream, byte);
    default:
        /* A reference inside the streamed value is part of that value. */
        FHIR_TRY(keep(stream, stream->in_pieces ? 0 : 1));
        return fhir_xml_tag_step(stream, byte);
    }
}

/* UTF-8's own mark may stand first; *is_mark: the byte belongs to it. */
static fhir_error_t *look_for_mark(fhir_xml_stream_t *stream, unsigned char byte, int *is_mark)
{
    static const unsigned char MARK[3] = {0xef, 0xbb, 0xbf};
    *is_mark = stream->byte_order_mark < 3 && stream->offset == stream->byte_order_mark &&
               byte == MARK[stream->byte_order_mark];
    if (*is_mark) {
        stream->byte_order_mark++;
        stream->start = stream->offset + 1;
    } else if (stream->byte_order_mark && stream->byte_order_mark < 3) {
        return fhir_xml_malformed(stream, "it begins with a broken byte order mark");
    }
    return NULL;
}

/* Plain text of an attribute value goes through in runs. */
static apr_size_t value_run(const fhir_xml_stream_t *stream, const char *bytes, apr_size_t length)
{
    if (stream->state != XML_ATTRIBUTE_VALUE || stream->utf8.need) {
        return 0;
    }
    return fhir_scan_plain(bytes, length, stream->quote, '&', '<');
}

static fhir_error_t *feed(fhir_xml_stream_t *stream, const char *bytes, apr_size_t length)
{
    apr_size_t at = 0;
    while (at < length) {
        apr_size_t run = value_run(stream, bytes + at, length - at);
        if (run) {
            FHIR_TRY(keep(stream, stream->in_pieces ? 0 : run));
            FHIR_TRY(fhir_xml_value_add(stream, bytes + at, run));
            stream->after_return = 0;
        } else {
            int is_mark;
            run = 1;
            FHIR_TRY(look_for_mark(stream, (unsigned char)bytes[at], &is_mark));
            if (!is_mark) {
                FHIR_TRY(step(stream, (unsigned char)bytes[at]));
            }
        }
        at += run;
        stream->offset += (apr_off_t)run;
    }
    return NULL;
}

fhir_error_t *fhir_xml_stream_feed(fhir_xml_stream_t *stream, const char *bytes, apr_size_t length)
{
    if (!stream->error) {
        stream->error = feed(stream, bytes, length);
    }
    return stream->error;
}

fhir_error_t *fhir_xml_stream_finish(fhir_xml_stream_t *stream)
{
    if (!stream->error && (stream->state != XML_TEXT || stream->depth || !stream->root_seen)) {
        stream->error = fhir_xml_malformed(stream, stream->offset ? "it ends too early" : "it is empty");
    }
    return stream->error;
}
