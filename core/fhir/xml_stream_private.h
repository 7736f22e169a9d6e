/* What xml_stream.c, xml_markup.c and xml_tag.c share. */
#ifndef FHIR_FHIR_XML_STREAM_PRIVATE_H
#define FHIR_FHIR_XML_STREAM_PRIVATE_H

#include "../base/text.h"
#include "scan.h"
#include "text_clear.h"
#include "xml_stream.h"

#define XML_ATTRIBUTES_MAX 64
#define XML_BINDINGS_MAX 64
/* A processing instruction's target, the XML declaration, a reference: short by nature. */
#define XML_SHORT_MAX 256

typedef enum xml_state_t {
    XML_TEXT = 0, /* between tags */
    XML_MARKUP,   /* after < */
    XML_BANG,     /* after <! */
    XML_DOCTYPE_NAME,
    XML_COMMENT,
    XML_INSTRUCTION_TARGET,
    XML_INSTRUCTION,
    XML_TAG_NAME,
    XML_TAG_SPACE, /* between attributes */
    XML_TAG_AFTER_VALUE,
    XML_TAG_SLASH, /* after / */
    XML_ATTRIBUTE_NAME,
    XML_ATTRIBUTE_EQUALS, /* before = */
    XML_ATTRIBUTE_QUOTE,  /* before the quote */
    XML_ATTRIBUTE_VALUE,
    XML_REFERENCE, /* after & */
    XML_END_NAME,
    XML_END_SPACE
} xml_state_t;

typedef enum xml_name_space_t {
    XML_SPACE_OTHER = 0,
    XML_SPACE_NONE,
    XML_SPACE_FHIR,
    XML_SPACE_SCHEMA
} xml_name_space_t;

/* A namespace declaration in force. */
typedef struct xml_binding_t {
    const char *prefix; /* "": the default namespace */
    xml_name_space_t space;
    int depth;
} xml_binding_t;

typedef struct xml_attribute_t {
    apr_size_t name; /* offsets into the text of the open tag */
    apr_size_t value;
    int streamed;
} xml_attribute_t;

struct fhir_xml_stream_t {
    apr_pool_t *pool;
    fhir_xml_options_t options;
    fhir_xml_event_fn event;
    void *baton;
    fhir_error_t *error;
    int bound_passed;
    apr_off_t offset;
    apr_size_t kept;
    xml_state_t state;
    fhir_utf8_t utf8;
    unsigned last_three; /* the bytes before, to find U+FFFE and U+FFFF */
    int byte_order_mark; /* its bytes seen */
    apr_off_t start;     /* where the text begins behind a byte order mark */
    int root_seen;
    int depth;
    fhir_text_t names;                      /* qualified names of the open elements, each with its NUL */
    apr_size_t name_at[FHIR_XML_DEPTH_MAX]; /* offsets into names */
    char token[XML_SHORT_MAX];              /* short things */
    apr_size_t token_length;
    int dashes; /* or question marks seen */
    int is_declaration;
    /* The open tag. */
    fhir_text_t tag; /* NUL-separated attribute names and values */
    xml_attribute_t attributes[XML_ATTRIBUTES_MAX];
    int attribute_count;
    char quote;
    int after_return; /* a literal CR came: LF after it belongs to it */
    int in_pieces;
    xml_binding_t *bindings;
    int binding_count;
};

fhir_error_t *fhir_xml_malformed(fhir_xml_stream_t *stream, const char *why) FHIR_MUST_CHECK;
/* The same where a bound of ours is the reason. */
fhir_error_t *fhir_xml_too_much(fhir_xml_stream_t *stream, const char *why) FHIR_MUST_CHECK;
/* Appends to the token; INVALID if it grows too long. */
fhir_error_t *fhir_xml_token_add(fhir_xml_stream_t *stream, unsigned char byte) FHIR_MUST_CHECK;
int fhir_xml_is_space(unsigned char byte);
int fhir_xml_is_name_start(unsigned char byte);
int fhir_xml_is_name(unsigned char byte);
/* Comments, instructions, DOCTYPE, CDATA. */
fhir_error_t *fhir_xml_markup_step(fhir_xml_stream_t *stream, unsigned char byte) FHIR_MUST_CHECK;
/* Start and end tags. */
fhir_error_t *fhir_xml_tag_begin(fhir_xml_stream_t *stream, unsigned char byte) FHIR_MUST_CHECK;
fhir_error_t *fhir_xml_tag_step(fhir_xml_stream_t *stream, unsigned char byte) FHIR_MUST_CHECK;
fhir_error_t *fhir_xml_value_add(fhir_xml_stream_t *stream, const char *bytes, apr_size_t length) FHIR_MUST_CHECK;
/* Reports the open tag as an element after its namespaces were looked at. */
fhir_error_t *fhir_xml_element_report(fhir_xml_stream_t *stream, int empty) FHIR_MUST_CHECK;
fhir_error_t *fhir_xml_element_close(fhir_xml_stream_t *stream) FHIR_MUST_CHECK;

#endif
