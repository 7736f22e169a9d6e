/* A push reader for FHIR XML (FHIR R4 xml.html) in bounded memory: fed at any byte split, it reports elements with
 * their attributes. No DTD, no entities but the five predefined ones, no CDATA, no text between elements. */
#ifndef FHIR_FHIR_XML_STREAM_H
#define FHIR_FHIR_XML_STREAM_H

#include "fhir_error.h"

#define FHIR_XML_DEPTH_MAX 64
#define FHIR_XML_NAMESPACE "http://hl7.org/fhir"

typedef enum fhir_xml_kind_t {
    FHIR_XML_ELEMENT = 1, /* a start tag, at its end */
    FHIR_XML_ELEMENT_END,
    FHIR_XML_DOCTYPE,   /* lenient only: name of a DOCTYPE; what follows it is not read */
    FHIR_XML_PIECE,     /* of the streamed attribute, before its ELEMENT; the first piece is empty */
    FHIR_XML_PIECES_END /* that attribute is complete */
} fhir_xml_kind_t;

typedef struct fhir_xml_attribute_t {
    const char *name;
    const char *value; /* NULL if it was streamed */
} fhir_xml_attribute_t;

/* Texts are valid during the callback only. */
typedef struct fhir_xml_event_t {
    fhir_xml_kind_t kind;
    int depth;                              /* elements around it */
    const char *name;                       /* of the element, without prefix */
    int is_fhir;                            /* in the FHIR namespace; always 1 unless lenient */
    const fhir_xml_attribute_t *attributes; /* without those of namespaces */
    int attribute_count;
    const char *text; /* PIECE */
    apr_size_t length;
} fhir_xml_event_t;

typedef fhir_error_t *(*fhir_xml_event_fn)(void *baton, const fhir_xml_event_t *event);

typedef struct fhir_xml_options_t {
    const char *streamed; /* child of the root whose `value` attribute comes in pieces, NULL: none */
    apr_size_t kept_max;  /* bytes of everything but white space, comments and the streamed value */
    int lenient;          /* only to look at the root: other namespaces and encodings pass, a DOCTYPE is reported */
} fhir_xml_options_t;

typedef struct fhir_xml_stream_t fhir_xml_stream_t;

void fhir_xml_stream_create(fhir_xml_stream_t **stream, const fhir_xml_options_t *options, fhir_xml_event_fn event,
                            void *baton, apr_pool_t *pool);
/* INVALID: not well-formed, refused or nested too deeply; TOO_LARGE: kept_max passed. After an error the same error
 * again. */
fhir_error_t *fhir_xml_stream_feed(fhir_xml_stream_t *stream, const char *bytes, apr_size_t length) FHIR_MUST_CHECK;
fhir_error_t *fhir_xml_stream_finish(fhir_xml_stream_t *stream) FHIR_MUST_CHECK;
/* 1 if the error was one of our bounds, not the grammar. */
int fhir_xml_stream_bound_passed(const fhir_xml_stream_t *stream);

#endif
