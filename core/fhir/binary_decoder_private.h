/* What the JSON and the XML decoder of a Binary share. */
#ifndef FHIR_FHIR_BINARY_DECODER_PRIVATE_H
#define FHIR_FHIR_BINARY_DECODER_PRIVATE_H

#include "base64_stream.h"
#include "binary_members.h"
#include "json_stream.h"
#include "xml_stream.h"

typedef struct fhir_xml_builder_t fhir_xml_builder_t;

struct fhir_binary_decoder_t {
    apr_pool_t *pool;
    fhir_format_t format;
    fhir_error_t *error;
    fhir_base64_decoder_t base64;
    fhir_binary_members_t members;
    /* JSON */
    fhir_json_stream_t *json;
    const char *name;  /* of the root member being read */
    fhir_text_t value; /* its compact text */
    int needs_comma;
    /* XML */
    fhir_xml_stream_t *xml;
    fhir_xml_builder_t *builder;
};

/* `data` begins, goes on, ends. */
fhir_error_t *fhir_binary_data_begin(fhir_binary_decoder_t *decoder) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_data_piece(fhir_binary_decoder_t *decoder, const char *text,
                                     apr_size_t length) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_data_end(fhir_binary_decoder_t *decoder) FHIR_MUST_CHECK;

void fhir_binary_json_create(fhir_binary_decoder_t *decoder);
void fhir_binary_xml_create(fhir_binary_decoder_t *decoder);

#endif
