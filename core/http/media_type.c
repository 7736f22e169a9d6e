/* Media types and FHIR's names for its own. */
#include "media_type.h"
#include "field_syntax.h"

#include <string.h>

#define MEDIA_TYPE_MAX 255

static fhir_error_t *malformed(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "The media type is malformed. Write type/subtype, for example application/pdf.");
}

/* `type/subtype`; a wildcard is no type of anything. Gives what follows, NULL if malformed. */
static const char *type_end(const char *text)
{
    apr_size_t type = fhir_token_length(text);
    apr_size_t subtype = text[type] == '/' ? fhir_token_length(text + type + 1) : 0;
    if (type == 0 || subtype == 0 || text[0] == '*' || text[type + 1] == '*') {
        return NULL;
    }
    return text + type + 1 + subtype;
}

/* One `name=value`; the first charset counts. Gives what follows, NULL if malformed. */
static const char *parameter_end(fhir_media_type_t *media_type, const char *at, apr_pool_t *pool)
{
    const char *name = at;
    apr_size_t name_length = fhir_token_length(name);
    const char *value = NULL;
    if (name_length == 0 || name[name_length] != '=') {
        return NULL;
    }
    at = name + name_length + 1;
    if (*at == '"') {
        at = fhir_quoted_string(&value, at, pool);
    } else {
        apr_size_t length = fhir_token_length(at);
        value = apr_pstrmemdup(pool, at, length);
        at = length > 0 ? at + length : NULL;
    }
    if (at && !media_type->charset && fhir_is_name(name, name_length, "charset")) {
        media_type->charset = fhir_lower(value, strlen(value), pool);
    }
    return at;
}

fhir_error_t *fhir_media_type_parse(fhir_media_type_t *media_type, const char *text, apr_pool_t *pool)
{
    const char *end;
    const char *at;
    memset(media_type, 0, sizeof(*media_type));
    if (!text || strlen(text) > MEDIA_TYPE_MAX) {
        return malformed(pool);
    }
    media_type->text = fhir_trimmed(text, strlen(text), pool);
    end = type_end(media_type->text);
    if (!end) {
        return malformed(pool);
    }
    media_type->type = fhir_lower(media_type->text, (apr_size_t)(end - media_type->text), pool);
    for (at = fhir_skip_blanks(end); *at; at = fhir_skip_blanks(at)) {
        if (*at != ';') {
            return malformed(pool);
        }
        at = fhir_skip_blanks(at + 1);
        if (*at && *at != ';') { /* RFC 9110 allows empty parameters */
            at = parameter_end(media_type, at, pool);
            if (!at) {
                return malformed(pool);
            }
        }
    }
    return NULL;
}

fhir_format_t fhir_media_type_format(const char *type, int generic)
{
    static const struct {
        const char *type;
        fhir_format_t format;
        int generic;
    } names[] = {
        {"application/fhir+json", FHIR_FORMAT_JSON, 0},
        {"application/fhir+xml", FHIR_FORMAT_XML, 0},
        {"application/json+fhir", FHIR_FORMAT_JSON, 0},
        {"application/xml+fhir", FHIR_FORMAT_XML, 0},
        {"application/json", FHIR_FORMAT_JSON, 1},
        {"application/xml", FHIR_FORMAT_XML, 1},
        {"text/json", FHIR_FORMAT_JSON, 1},
        {"text/xml", FHIR_FORMAT_XML, 1},
    };
    apr_size_t length = type ? strcspn(type, "; \t") : 0;
    apr_size_t i;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((generic || !names[i].generic) && fhir_is_name(type, length, names[i].type)) {
            return names[i].format;
        }
    }
    return FHIR_FORMAT_RAW;
}

const char *fhir_format_media_type(fhir_format_t format)
{
    return format == FHIR_FORMAT_XML ? "application/fhir+xml; charset=utf-8" : "application/fhir+json; charset=utf-8";
}
