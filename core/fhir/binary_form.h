/* The resource form of a Binary (FHIR R4 binary.html, json.html, xml.html), read and written in constant memory. */
#ifndef FHIR_FHIR_BINARY_FORM_H
#define FHIR_FHIR_BINARY_FORM_H

#include "../http/media_type.h"
#include "binary.h"

/* ---- What is this body? ---- */

typedef enum fhir_sniff_t {
    FHIR_SNIFF_MORE = 0, /* needs more bytes */
    FHIR_SNIFF_BINARY,   /* a Binary resource */
    FHIR_SNIFF_OTHER,    /* something else: store it as it is */
    FHIR_SNIFF_MALFORMED /* not JSON / XML as far as it was read */
} fhir_sniff_t;

#define FHIR_SNIFF_WINDOW 65536

/* Looks at the first bytes of a body of a JSON or XML type. `complete`: these are all the bytes. JSON: decided by
 * `resourceType`. If a body's `data` string fills the window before `resourceType` came: BINARY when all members so far
 * belong to a Binary and (fhir type, or contentType was among them), else OTHER. With complete or a full window never
 * MORE. XML: decided by the root element (`Binary` in the FHIR namespace). A JSON body that is not an object, or has
 * no resourceType, is OTHER. */
fhir_sniff_t fhir_binary_sniff(fhir_format_t format, int fhir_type, const char *bytes, apr_size_t length, int complete);

/* ---- Reading ---- */

/* What the resource said besides `data`. Strings live in the decoder's pool. */
typedef struct fhir_binary_resource_t {
    const char *id;               /* NULL if absent */
    const char *content_type;     /* NULL if absent */
    const char *security_context; /* securityContext.reference, NULL if absent */
    /* JSON object text of all that must come back as sent: meta without versionId, lastUpdated and our SUBSETTED tag;
     * implicitRules; language; securityContext as a whole; `_`-members. `id`, `data`, `url` and contentType are not in
     * it. NULL if nothing is left. */
    const char *elements;
    int has_data;
} fhir_binary_resource_t;

/* Takes decoded bytes of `data`. */
typedef fhir_error_t *(*fhir_data_fn)(void *baton, const char *data, apr_size_t length);

typedef struct fhir_binary_decoder_t fhir_binary_decoder_t;

/* `format` is JSON or XML. Bounds: nesting 64, everything but `data` together 64 KiB. */
fhir_error_t *fhir_binary_decoder_create(fhir_binary_decoder_t **decoder, fhir_format_t format, fhir_data_fn data,
                                         void *baton, apr_pool_t *pool) FHIR_MUST_CHECK;
/* INVALID with a sentence and an expression for: bad JSON/XML, bad UTF-8, duplicate keys, unknown elements, wrong
 * types, base64 with a foreign character or wrong padding (white space between groups is allowed), empty strings other
 * than data, DTDs and entity declarations. Errors of `data` pass through. */
fhir_error_t *fhir_binary_decoder_feed(fhir_binary_decoder_t *decoder, const char *bytes,
                                       apr_size_t length) FHIR_MUST_CHECK;
/* The body ended here. INVALID if the resource is not complete or resourceType is not Binary. */
fhir_error_t *fhir_binary_decoder_finish(const fhir_binary_resource_t **resource,
                                         fhir_binary_decoder_t *decoder) FHIR_MUST_CHECK;

/* ---- Writing ---- */

typedef struct fhir_binary_render_t {
    fhir_format_t format; /* JSON or XML */
    int with_data;        /* leave a place for the base64 data between prefix and suffix */
    int subsetted;        /* add the SUBSETTED tag (FHIR R4 search.html#elements) */
    const char *url;      /* non-FHIR `url` member (JSON only), NULL: none */
    const char *wanted;   /* _elements: comma-separated names, NULL: all. id, meta, contentType always stay. */
} fhir_binary_render_t;

/* The text before and after the base64 data; without data, prefix is the whole and suffix "". Members in the order
 * resourceType, id, meta, implicitRules, language, contentType, securityContext, data, url. */
fhir_error_t *fhir_binary_render(const char **prefix, const char **suffix, const fhir_binary_t *binary,
                                 const fhir_binary_render_t *how, apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- base64 ---- */

/* Bytes of base64 text for `size` bytes. */
apr_off_t fhir_base64_length(apr_off_t size);
typedef struct fhir_base64_encoder_t {
    unsigned char rest[3];
    int rest_length;
} fhir_base64_encoder_t;
/* Encodes as much as groups allow; `out` has room for 4 * ((length + 2) / 3 + 1) bytes. Returns bytes written. */
apr_size_t fhir_base64_encoder_feed(fhir_base64_encoder_t *encoder, char *out, const void *data, apr_size_t length);
apr_size_t fhir_base64_encoder_finish(fhir_base64_encoder_t *encoder, char *out);

#endif
