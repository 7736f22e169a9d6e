/* Comments and processing instructions are skipped; DOCTYPE, CDATA and foreign encodings are refused by name. */
#include "xml_stream_private.h"

#include <string.h>
#include <strings.h>

/* ---- <! ... ---- */

static fhir_error_t *report_doctype(fhir_xml_stream_t *stream)
{
    fhir_xml_event_t event;
    memset(&event, 0, sizeof(event));
    event.kind = FHIR_XML_DOCTYPE;
    event.name = stream->token;
    return stream->event(stream->baton, &event);
}

static fhir_error_t *bang_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    FHIR_TRY(fhir_xml_token_add(stream, byte));
    if (!strcmp(stream->token, "--")) {
        stream->state = XML_COMMENT;
        stream->dashes = 0;
        return NULL;
    }
    if (!strcmp(stream->token, "[CDATA[")) {
        return fhir_xml_malformed(stream, "CDATA sections are not allowed; values are attributes");
    }
    if (!strcmp(stream->token, "DOCTYPE")) {
        if (!stream->options.lenient) {
            return fhir_xml_malformed(stream, "a DOCTYPE is not allowed; send the XML without DTD and entities");
        }
        stream->state = XML_DOCTYPE_NAME;
        stream->token_length = 0;
        stream->token[0] = '\0';
        return NULL;
    }
    if (!strncmp("--", stream->token, stream->token_length) ||
        !strncmp("[CDATA[", stream->token, stream->token_length) ||
        !strncmp("DOCTYPE", stream->token, stream->token_length)) {
        return NULL;
    }
    return fhir_xml_malformed(stream, "<! may only begin a comment here");
}

/* Lenient: the name tells which root was meant. */
static fhir_error_t *doctype_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (fhir_xml_is_name(byte)) {
        return fhir_xml_token_add(stream, byte);
    }
    return stream->token_length || !fhir_xml_is_space(byte) ? report_doctype(stream) : NULL;
}

static fhir_error_t *comment_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (stream->dashes == 2) {
        if (byte != '>') {
            return fhir_xml_malformed(stream, "-- is not allowed inside a comment");
        }
        stream->state = XML_TEXT;
        return NULL;
    }
    stream->dashes = byte == '-' ? stream->dashes + 1 : 0;
    return NULL;
}

/* ---- <? ... ---- */

/* The quoted value of a pseudo-attribute, NULL if absent; cuts the text. */
static char *pseudo_attribute(char *declaration, const char *name)
{
    char *at = strstr(declaration, name);
    char *end;
    if (!at) {
        return NULL;
    }
    at += strlen(name);
    at += strspn(at, " \t\r\n");
    if (*at != '=') {
        return NULL;
    }
    at++;
    at += strspn(at, " \t\r\n");
    end = *at == '"' || *at == '\'' ? strchr(at + 1, *at) : NULL;
    if (!end) {
        return NULL;
    }
    *end = '\0';
    return at + 1;
}

static fhir_error_t *check_declaration(fhir_xml_stream_t *stream)
{
    const char *encoding = NULL;
    const char *version = NULL;
    if (stream->options.lenient) {
        return NULL;
    }
    /* From the end, because each look cuts the text. */
    if (strstr(stream->token, "encoding")) {
        encoding = pseudo_attribute(stream->token, "encoding");
        if (!encoding || (strcasecmp(encoding, "utf-8") && strcasecmp(encoding, "us-ascii"))) {
            return fhir_xml_malformed(stream, "the declared encoding is not UTF-8; FHIR XML must be UTF-8");
        }
    }
    version = pseudo_attribute(stream->token, "version");
    if (!version || strcmp(version, "1.0")) {
        return fhir_xml_malformed(stream, "the XML declaration must say version 1.0");
    }
    return NULL;
}

static fhir_error_t *target_end(fhir_xml_stream_t *stream)
{
    int is_xml = !strcasecmp(stream->token, "xml");
    /* <?xml was 5 bytes ago. */
    int is_first = stream->offset - stream->start == 5;
    if (!stream->token_length || (is_xml && (!is_first || strcmp(stream->token, "xml")))) {
        return fhir_xml_malformed(stream, "an XML declaration may only stand first; an instruction needs a name");
    }
    stream->is_declaration = is_xml;
    stream->state = XML_INSTRUCTION;
    stream->token_length = 0;
    stream->token[0] = '\0';
    stream->dashes = 0;
    return NULL;
}

static fhir_error_t *instruction_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (stream->dashes && byte == '>') {
        stream->state = XML_TEXT;
        return stream->is_declaration ? check_declaration(stream) : NULL;
    }
    stream->dashes = byte == '?';
    return stream->is_declaration ? fhir_xml_token_add(stream, byte) : NULL;
}

static fhir_error_t *target_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    if (stream->token_length ? fhir_xml_is_name(byte) : fhir_xml_is_name_start(byte)) {
        return fhir_xml_token_add(stream, byte);
    }
    FHIR_TRY(target_end(stream));
    if (!fhir_xml_is_space(byte) && byte != '?') {
        return fhir_xml_malformed(stream, "a processing instruction's name is malformed");
    }
    return instruction_step(stream, byte);
}

fhir_error_t *fhir_xml_markup_step(fhir_xml_stream_t *stream, unsigned char byte)
{
    switch (stream->state) {
    case XML_BANG:
        return bang_step(stream, byte);
    case XML_DOCTYPE_NAME:
        return doctype_step(stream, byte);
    case XML_COMMENT:
        return comment_step(stream, byte);
    case XML_INSTRUCTION_TARGET:
        return target_step(stream, byte);
    case XML_INSTRUCTION:
        return instruction_step(stream, byte);
    default:
        break;
    }
    stream->state = byte == '!' ? XML_BANG : XML_INSTRUCTION_TARGET;
    stream->token_length = 0;
    stream->token[0] = '\0';
    return NULL;
}
