/* Streaming base64 reader (RFC 4648 section 4) behind the Binary decoder. White space may stand anywhere. */
#ifndef FHIR_FHIR_BASE64_STREAM_H
#define FHIR_FHIR_BASE64_STREAM_H

#include "binary_form.h"

typedef struct fhir_base64_decoder_t {
    apr_pool_t *pool;
    fhir_data_fn data;
    void *baton;
    apr_off_t position; /* bytes of base64 text seen, white space included */
    unsigned group;     /* the bits of the open group */
    int characters;     /* of the open group, padding included */
    int padding;        /* '=' in the open group */
    int ended;          /* a padded group came: only white space may follow */
    unsigned char *out;
    apr_size_t used;
} fhir_base64_decoder_t;

void fhir_base64_decoder_init(fhir_base64_decoder_t *decoder, fhir_data_fn data, void *baton, apr_pool_t *pool);
/* Decoded bytes reach `data` in large pieces, the last ones at finish. INVALID names the byte of the text. */
fhir_error_t *fhir_base64_decoder_feed(fhir_base64_decoder_t *decoder, const char *text,
                                       apr_size_t length) FHIR_MUST_CHECK;
fhir_error_t *fhir_base64_decoder_finish(fhir_base64_decoder_t *decoder) FHIR_MUST_CHECK;

#endif
