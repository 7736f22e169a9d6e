/* Media types and proactive negotiation (RFC 9110 sections 8.3 and 12.5.1; FHIR R4 http.html#mime-type). Pure. */
#ifndef FHIR_HTTP_MEDIA_TYPE_H
#define FHIR_HTTP_MEDIA_TYPE_H

#include "fhir_error.h"

typedef struct fhir_media_type_t {
    const char *type;    /* "type/subtype" in lower case, without parameters */
    const char *charset; /* in lower case, NULL if absent */
    const char *text;    /* as sent, trimmed */
} fhir_media_type_t;

/* INVALID if not `type/subtype *( ; name=value )` of RFC 9110, or longer than 255 bytes. */
fhir_error_t *fhir_media_type_parse(fhir_media_type_t *media_type, const char *text, apr_pool_t *pool) FHIR_MUST_CHECK;

typedef enum fhir_format_t {
    FHIR_FORMAT_RAW = 0, /* the stored bytes with the stored type */
    FHIR_FORMAT_JSON,
    FHIR_FORMAT_XML
} fhir_format_t;

/* FHIR_FORMAT_JSON or _XML if the type is a FHIR type (application/fhir+json, application/json+fhir ...) or, with
 * `generic` set, a generic one (application/json, text/json, application/xml, text/xml); else _RAW. */
fhir_format_t fhir_media_type_format(const char *type, int generic);

/* What a read of Binary content should answer (fhir-binary rules: `_format` wins and every JSON/XML value means the
 * FHIR form; else raw, unless Accept prefers a FHIR type; the highest q wins, an explicit FHIR type beats a wildcard of
 * the same q; anything else is raw). NOT_ACCEPTABLE for FHIR types we do not have (turtle) where nothing else is
 * accepted. An unparsable Accept is INVALID. `json_means_fhir`: treat "application/json" in Accept as FHIR JSON. */
fhir_error_t *fhir_negotiate_binary(fhir_format_t *format, const char *accept, const char *format_parameter,
                                    int json_means_fhir, apr_pool_t *pool) FHIR_MUST_CHECK;
/* What an answer that is always a FHIR resource should be: JSON unless XML is preferred. Generic types count. */
fhir_error_t *fhir_negotiate_resource(fhir_format_t *format, const char *accept, const char *format_parameter,
                                      apr_pool_t *pool) FHIR_MUST_CHECK;
/* For answers that exist as JSON only: NOT_ACCEPTABLE if the client takes none. */
fhir_error_t *fhir_negotiate_json(const char *accept, const char *format_parameter, apr_pool_t *pool) FHIR_MUST_CHECK;
/* "application/fhir+json; charset=utf-8" or "application/fhir+xml; charset=utf-8" */
const char *fhir_format_media_type(fhir_format_t format);

#endif
