/* Start and end tags of the push XML reader: names, attributes, references. Namespaces are in xml_element.c. */
#include "xml_stream_private.h"

#include <stdlib.h>
#include <string.h>

static const char *open_name(const fhir_xml_stream_t *stream)
{
    return stream->names.text + stream->name_at[stream->depth - 1];
}

static fhir_error_t *start_tag(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (!fhir_xml_is_name_start(byte)) {
        return fhir_xml_malformed(stream, "< must be followed by a name");
    }
    if (!stream->depth && stream->root_seen) {
        return fhir_xml_malformed(stream, "only one root element is allowed");
    }
    if (stream->depth >= FHIR_XML_DEPTH_MAX) {
        stream->bound_passed = 1;
        return fhir_error_public(stream->pool, FHIR_ERROR_INVALID,
                                 "The XML body is nested more than %d levels deep at byte %" APR_OFF_T_FMT ".",
                                 FHIR_XML_DEPTH_MAX, stream->offset);
    }
    stream->root_seen = 1;
    stream->state = XML_TAG_NAME;
    stream->attribute_count = 0;
    fhir_text_clear(&stream->tag);
    stream->name_at[stream->depth++] = stream->names.length;
    fhir_text_add_bytes(&stream->names, (const char *)&byte, 1);
    return NULL;
}

fhir_error_t *fhir_xml_tag_begin(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (byte != '/') {
        return start_tag(stream, byte);
    }
    if (!stream->depth) {
        return fhir_xml_malformed(stream, "an end tag has no start tag");
    }
    stream->state = XML_END_NAME;
    stream->token_length = 0; /* characters of the name that matched */
    return NULL;
}

/* ---- Attributes ---- */

static fhir_error_t *attribute_begin(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (!fhir_xml_is_name_start(byte)) {
        return fhir_xml_malformed(stream, "an attribute name, > or /> is missing");
    }
    if (stream->attribute_count == XML_ATTRIBUTES_MAX) {
        return fhir_xml_too_much(stream, "an element has too many attributes");
    }
    stream->attributes[stream->attribute_count].name = stream->tag.length;
    stream->state = XML_ATTRIBUTE_NAME;
    fhir_text_add_bytes(&stream->tag, (const char *)&byte, 1);
    return NULL;
}

static fhir_error_t *tag_space_step(fhir_xml_stream_t *stream, unsigned char byte, int needs_space)
{
    if (fhir_xml_is_space(byte)) {
        stream->state = XML_TAG_SPACE;
        return NULL;
    }
    if (byte == '>') {
        stream->state = XML_TEXT;
        return fhir_xml_element_report(stream, 0);
    }
    if (byte == '/') {
        stream->state = XML_TAG_SLASH;
        return NULL;
    }
    if (needs_space) {
        return fhir_xml_malformed(stream, "white space, > or /> is missing in a tag");
    }
    return attribute_begin(stream, byte);
}

static fhir_error_t *tag_name_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (fhir_xml_is_name(byte)) {
        fhir_text_add_bytes(&stream->names, (const char *)&byte, 1);
        return NULL;
    }
    fhir_text_add_bytes(&stream->names, "", 1);
    return tag_space_step(stream, byte, 1);
}

static fhir_error_t *attribute_name_end(fhir_xml_stream_t *stream)
{
    xml_attribute_t *attribute = &stream->attributes[stream->attribute_count];
    const char *name;
    int i;
    fhir_text_add_bytes(&stream->tag, "", 1);
    name = stream->tag.text + attribute->name;
    for (i = 0; i < stream->attribute_count; i++) {
        if (!strcmp(stream->tag.text + stream->attributes[i].name, name)) {
            return fhir_xml_malformed(stream, "an attribute stands twice in one tag");
        }
    }
    stream->state = XML_ATTRIBUTE_EQUALS;
    return NULL;
}

static fhir_error_t *attribute_equals_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (byte == '=') {
        stream->state = XML_ATTRIBUTE_QUOTE;
        return NULL;
    }
    return fhir_xml_is_space(byte) ? NULL : fhir_xml_malformed(stream, "= is missing after an attribute name");
}

static fhir_error_t *attribute_name_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (fhir_xml_is_name(byte)) {
        fhir_text_add_bytes(&stream->tag, (const char *)&byte, 1);
        return NULL;
    }
    FHIR_TRY(attribute_name_end(stream));
    return attribute_equals_step(stream, byte);
}

static fhir_error_t *report_piece(fhir_xml_stream_t *stream, fhir_xml_kind_t kind, const char *text, apr_size_t length)
{
    fhir_xml_event_t event;
    memset(&event, 0, sizeof(event));
    event.kind = kind;
    event.depth = stream->depth - 1;
    event.text = text;
    event.length = length;
    return stream->event(stream->baton, &event);
}

/* The namespace of the tag is not known yet; it is checked when the tag ends. */
static int is_streamed(const fhir_xml_stream_t *stream, const char *attribute)
{
    const char *name = open_name(stream);
    const char *colon = strchr(name, ':');
    return stream->options.streamed && stream->depth == 2 && !strcmp(attribute, "value") &&
           !strcmp(colon ? colon + 1 : name, stream->options.streamed);
}

static fhir_error_t *attribute_quote_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    xml_attribute_t *attribute = &stream->attributes[stream->attribute_count];
    if (fhir_xml_is_space(byte)) {
        return NULL;
    }
    if (byte != '"' && byte != '\'') {
        return fhir_xml_malformed(stream, "an attribute value must be quoted");
    }
    attribute->value = stream->tag.length;
    attribute->streamed = is_streamed(stream, stream->tag.text + attribute->name);
    stream->quote = (char)byte;
    stream->after_return = 0;
    stream->state = XML_ATTRIBUTE_VALUE;
    stream->in_pieces = attribute->streamed;
    return stream->in_pieces ? report_piece(stream, FHIR_XML_PIECE, "", 0) : NULL;
}

fhir_error_t *fhir_xml_value_add(fhir_xml_stream_t *stream, const char *bytes, apr_size_t length)
{
    if (stream->in_pieces) {
        return report_piece(stream, FHIR_XML_PIECE, bytes, length);
    }
    fhir_text_add_bytes(&stream->tag, bytes, length);
    return NULL;
}

/* Literal white space becomes a space (XML 1.0 section 3.3.3), CR LF is one of them. */
static fhir_error_t *value_space(fhir_xml_stream_t *stream, unsigned char byte)
{
    int skip = byte == '\n' && stream->after_return;
    stream->after_return = byte == '\r';
    return skip ? NULL : fhir_xml_value_add(stream, " ", 1);
}

static fhir_error_t *value_end(fhir_xml_stream_t *stream)
{
    fhir_text_add_bytes(&stream->tag, "", 1);
    stream->attribute_count++;
    stream->state = XML_TAG_AFTER_VALUE;
    if (!stream->in_pieces) {
        return NULL;
    }
    stream->in_pieces = 0;
    return report_piece(stream, FHIR_XML_PIECES_END, "", 0);
}

static fhir_error_t *value_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (fhir_xml_is_space(byte)) {
        return value_space(stream, byte);
    }
    stream->after_return = 0;
    if (byte == '&') {
        stream->state = XML_REFERENCE;
        stream->token_length = 0;
        stream->token[0] = '\0';
        return NULL;
    }
    if (byte == '<') {
        return fhir_xml_malformed(stream, "< in a value must be written as &lt;");
    }
    if ((char)byte != stream->quote) {
        return fhir_xml_value_add(stream, (const char *)&byte, 1);
    }
    return value_end(stream);
}

/* ---- References ---- */

/* 0 if the character is none that XML 1.0 allows. */
static unsigned long reference_code(const char *token)
{
    int hex = token[1] == 'x';
    const char *digits = token + (hex ? 2 : 1);
    unsigned long code;
    if (!*digits || strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits) ||
        strlen(digits) > 10) {
        return 0;
    }
    code = strtoul(digits, NULL, hex ? 16 : 10);
    if ((code < 0x20 && code != '\t' && code != '\n' && code != '\r') || (code >= 0xd800 && code <= 0xdfff) ||
        code == 0xfffe || code == 0xffff || code > 0x10ffff) {
        return 0;
    }
    return code;
}

static fhir_error_t *reference_end(fhir_xml_stream_t *stream)
{
    static const char *const NAMES[] = {"amp", "lt", "gt", "quot", "apos"};
    static const char CHARACTERS[] = "&<>\"'";
    char bytes[4];
    unsigned long code;
    int i;
    stream->state = XML_ATTRIBUTE_VALUE;
    for (i = 0; i < 5; i++) {
        if (!strcmp(stream->token, NAMES[i])) {
            return fhir_xml_value_add(stream, CHARACTERS + i, 1);
        }
    }
    code = stream->token[0] == '#' ? reference_code(stream->token) : 0;
    if (!code) {
        return fhir_xml_malformed(stream, "only &amp; &lt; &gt; &quot; &apos; and numeric references are allowed");
    }
    return fhir_xml_value_add(stream, bytes, fhir_utf8_put(bytes, (unsigned)code));
}

static fhir_error_t *reference_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (byte == ';') {
        return reference_end(stream);
    }
    if (byte != '#' && !fhir_xml_is_name(byte)) {
        return fhir_xml_malformed(stream, "& in a value must be written as &amp;");
    }
    return fhir_xml_token_add(stream, byte);
}

/* ---- End tags ---- */

static fhir_error_t *end_name_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    const char *name = open_name(stream);
    if (name[stream->token_length] && name[stream->token_length] == (char)byte) {
        stream->token_length++;
        return NULL;
    }
    if (name[stream->token_length] || (byte != '>' && !fhir_xml_is_space(byte))) {
        return fhir_xml_malformed(stream, "an end tag does not match its start tag");
    }
    stream->state = XML_END_SPACE;
    return byte == '>' ? fhir_xml_element_close(stream) : NULL;
}

fhir_error_t *fhir_xml_tag_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    switch (stream->state) {
    case XML_TAG_NAME:
        return tag_name_step(stream, byte);
    case XML_TAG_SPACE:
        return tag_space_step(stream, byte, 0);
    case XML_TAG_AFTER_VALUE:
        return tag_space_step(stream, byte, 1);
    case XML_TAG_SLASH:
        return byte == '>' ? fhir_xml_element_report(stream, 1) : fhir_xml_malformed(stream, "> is missing after /");
    case XML_ATTRIBUTE_NAME:
        return attribute_name_step(stream, byte);
    case XML_ATTRIBUTE_EQUALS:
        return attribute_equals_step(stream, byte);
    case XML_ATTRIBUTE_QUOTE:
        return attribute_quote_step(stream, byte);
    case XML_ATTRIBUTE_VALUE:
        return value_step(stream, byte);
    case XML_REFERENCE:
        return reference_step(stream, byte);
    case XML_END_NAME:
        return end_name_step(stream, byte);
    default:
        break;
    }
    if (byte == '>') {
        return fhir_xml_element_close(stream);
    }
    return fhir_xml_is_space(byte) ? NULL : fhir_xml_malformed(stream, "> is missing in an end tag");
}
