/* Namespaces of the push XML reader, and what it reports of a start or end tag. */
#include "xml_stream_private.h"

#include <string.h>

#define SCHEMA_INSTANCE "http://www.w3.org/2001/XMLSchema-instance"

static xml_name_space_t space_of_uri(const char *uri)
{
    if (!*uri) {
        return XML_SPACE_NONE;
    }
    return !strcmp(uri, FHIR_XML_NAMESPACE) ? XML_SPACE_FHIR
           : !strcmp(uri, SCHEMA_INSTANCE)  ? XML_SPACE_SCHEMA
                                            : XML_SPACE_OTHER;
}

/* Remembers xmlns="..." and xmlns:prefix="...". */
static fhir_error_t *declare(fhir_xml_stream_t *stream, const char *prefix, const char *uri)
{
    xml_binding_t *binding = &stream->bindings[stream->binding_count];
    if (stream->binding_count == XML_BINDINGS_MAX) {
        return fhir_xml_too_much(stream, "there are too many namespace declarations");
    }
    binding->prefix = apr_pstrdup(stream->pool, prefix);
    binding->space = space_of_uri(uri);
    binding->depth = stream->depth;
    stream->binding_count++;
    return NULL;
}

/* -1: the prefix is not declared. */
static int space_of_prefix(const fhir_xml_stream_t *stream, const char *prefix, apr_size_t length)
{
    int i;
    for (i = stream->binding_count - 1; i >= 0; i--) {
        const xml_binding_t *binding = &stream->bindings[i];
        if (strlen(binding->prefix) == length && !strncmp(binding->prefix, prefix, length)) {
            return (int)binding->space;
        }
    }
    return length ? -1 : (int)XML_SPACE_NONE;
}

static int is_declaration(const char *name)
{
    return !strcmp(name, "xmlns") || !strncmp(name, "xmlns:", 6);
}

static fhir_error_t *declare_all(fhir_xml_stream_t *stream)
{
    int i;
    for (i = 0; i < stream->attribute_count; i++) {
        const char *name = stream->tag.text + stream->attributes[i].name;
        if (is_declaration(name)) {
            FHIR_TRY(declare(stream, name[5] ? name + 6 : "", stream->tag.text + stream->attributes[i].value));
        }
    }
    return NULL;
}

/* Attributes with a prefix: hints for XML Schema are dropped, FHIR knows no others. */
static fhir_error_t *check_prefixed(fhir_xml_stream_t *stream, const char *name, const char *colon)
{
    if (stream->options.lenient || space_of_prefix(stream, name, (apr_size_t)(colon - name)) == (int)XML_SPACE_SCHEMA) {
        return NULL;
    }
    return fhir_xml_malformed(stream, "FHIR knows no attributes with a prefix; remove them");
}

static fhir_error_t *collect(fhir_xml_stream_t *stream, fhir_xml_attribute_t *attributes, int *count)
{
    int i;
    *count = 0;
    for (i = 0; i < stream->attribute_count; i++) {
        const xml_attribute_t *attribute = &stream->attributes[i];
        const char *name = stream->tag.text + attribute->name;
        const char *colon = strchr(name, ':');
        if (is_declaration(name)) {
            continue;
        }
        if (colon) {
            FHIR_TRY(check_prefixed(stream, name, colon));
            continue;
        }
        attributes[*count].name = name;
        attributes[*count].value = attribute->streamed ? NULL : stream->tag.text + attribute->value;
        (*count)++;
    }
    return NULL;
}

/* The local name of the open element and whether it is FHIR's. */
static fhir_error_t *resolve(fhir_xml_stream_t *stream, fhir_xml_event_t *event)
{
    const char *name = stream->names.text + stream->name_at[stream->depth - 1];
    const char *colon = strchr(name, ':');
    int space = space_of_prefix(stream, name, colon ? (apr_size_t)(colon - name) : 0);
    event->name = colon ? colon + 1 : name;
    event->is_fhir = space == (int)XML_SPACE_FHIR;
    event->depth = stream->depth - 1;
    if (stream->options.lenient || event->is_fhir) {
        return NULL;
    }
    if (space < 0) {
        return fhir_xml_malformed(stream, "a namespace prefix is not declared");
    }
    return fhir_xml_malformed(stream, "an element is not in the FHIR namespace; declare "
                                      "xmlns=\"" FHIR_XML_NAMESPACE "\" on the root element");
}

fhir_error_t *fhir_xml_element_report(fhir_xml_stream_t *stream, int empty)
{
    fhir_xml_attribute_t attributes[XML_ATTRIBUTES_MAX];
    fhir_xml_event_t event;
    memset(&event, 0, sizeof(event));
    event.kind = FHIR_XML_ELEMENT;
    event.attributes = attributes;
    FHIR_TRY(declare_all(stream));
    FHIR_TRY(resolve(stream, &event));
    FHIR_TRY(collect(stream, attributes, &event.attribute_count));
    stream->state = XML_TEXT;
    FHIR_TRY(stream->event(stream->baton, &event));
    return empty ? fhir_xml_element_close(stream) : NULL;
}

fhir_error_t *fhir_xml_element_close(fhir_xml_stream_t *stream)
{
    fhir_xml_event_t event;
    memset(&event, 0, sizeof(event));
    event.kind = FHIR_XML_ELEMENT_END;
    FHIR_TRY(resolve(stream, &event));
    stream->state = XML_TEXT;
    FHIR_TRY(stream->event(stream->baton, &event));
    while (stream->binding_count && stream->bindings[stream->binding_count - 1].depth == stream->depth) {
        stream->binding_count--;
    }
    stream->depth--;
    stream->names.length = stream->name_at[stream->depth];
    stream->names.text[stream->names.length] = '\0';
    return NULL;
}
