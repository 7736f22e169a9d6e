/* Which form of a Binary, or of any other resource, a client asks for. */
#include "accept.h"
#include "field_syntax.h"

#include <string.h>

/* The best quality that Accept gives to each thing we could answer; -1: not mentioned. */
typedef struct wishes_t {
    int json;
    int xml;
    int other;          /* any other type or a wildcard: the raw form of a Binary, JSON of a resource */
    int wildcard;       /* what of `other` covers FHIR types too */
    int missing;        /* FHIR types that we don't have */
    int xml_came_first; /* decides between JSON and XML of the same quality */
} wishes_t;

static void at_least(int *quality, int to)
{
    if (to > *quality) {
        *quality = to;
    }
}

/* application/fhir+turtle and what else may come; asked for after the known ones. */
static int is_missing_fhir_type(const char *type)
{
    apr_size_t length = strlen(type);
    return strncmp(type, "application/fhir+", 17) == 0 || (length > 5 && strcmp(type + length - 5, "+fhir") == 0);
}

static void note_wish(wishes_t *wishes, const fhir_media_range_t *range, fhir_format_t format)
{
    if (format == FHIR_FORMAT_JSON) {
        at_least(&wishes->json, range->quality);
    } else if (format == FHIR_FORMAT_XML) {
        wishes->xml_came_first |= wishes->json < 0;
        at_least(&wishes->xml, range->quality);
    } else if (is_missing_fhir_type(range->type)) {
        at_least(&wishes->missing, range->quality);
    } else {
        at_least(&wishes->other, range->quality);
        if (strcmp(range->type, "*/*") == 0 || strcmp(range->type, "application/*") == 0) {
            at_least(&wishes->wildcard, range->quality);
        }
    }
}

static fhir_error_t *read_wishes(wishes_t *wishes, const char *accept, int json_counts, int xml_counts,
                                 apr_pool_t *pool)
{
    const char *at = accept ? accept : "";
    fhir_media_range_t range;
    memset(wishes, -1, sizeof(*wishes));
    wishes->xml_came_first = 0;
    FHIR_TRY(fhir_accept_next(&range, &at, pool));
    for (; range.type;) {
        fhir_format_t format = fhir_media_type_format(range.type, 0);
        fhir_format_t generic = fhir_media_type_format(range.type, 1);
        if ((json_counts && generic == FHIR_FORMAT_JSON) || (xml_counts && generic == FHIR_FORMAT_XML)) {
            format = generic;
        }
        note_wish(wishes, &range, format);
        FHIR_TRY(fhir_accept_next(&range, &at, pool));
    }
    return NULL;
}

static fhir_error_t *not_acceptable(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_ACCEPTABLE,
                             "This server has FHIR resources as application/fhir+json and application/fhir+xml only. "
                             "Ask for one of them in Accept or _format.");
}

/* `_format`: a short name or a media type whose plus sign may have become a blank in the query. */
static fhir_error_t *read_format_parameter(fhir_format_t *format, const char *parameter, apr_pool_t *pool)
{
    char *value = fhir_lower(parameter, strcspn(parameter, ";"), pool);
    char *blank;
    const char *trimmed = fhir_trimmed(value, strlen(value), pool);
    value = apr_pstrdup(pool, trimmed);
    for (blank = value; *blank; blank++) {
        if (*blank == ' ') {
            *blank = '+';
        }
    }
    if (strcmp(value, "json") == 0) {
        *format = FHIR_FORMAT_JSON;
    } else if (strcmp(value, "xml") == 0) {
        *format = FHIR_FORMAT_XML;
    } else {
        *format = fhir_media_type_format(value, 1);
    }
    return *format == FHIR_FORMAT_RAW ? not_acceptable(pool) : NULL;
}

/* The better of the two FHIR forms with its quality. */
static fhir_format_t better_form(int *quality, const wishes_t *wishes)
{
    int xml = wishes->xml > wishes->json || (wishes->xml == wishes->json && wishes->xml_came_first);
    *quality = xml ? wishes->xml : wishes->json;
    return xml ? FHIR_FORMAT_XML : FHIR_FORMAT_JSON;
}

fhir_error_t *fhir_negotiate_binary(fhir_format_t *format, const char *accept, const char *format_parameter,
                                    int json_means_fhir, apr_pool_t *pool)
{
    wishes_t wishes;
    fhir_format_t form;
    int quality;
    *format = FHIR_FORMAT_RAW;
    if (format_parameter && *format_parameter) {
        return read_format_parameter(format, format_parameter, pool);
    }
    FHIR_TRY(read_wishes(&wishes, accept, json_means_fhir, 0, pool));
    form = better_form(&quality, &wishes);
    if (quality > 0 && quality >= wishes.other) {
        *format = form;
    } else if (wishes.other <= 0 && wishes.missing > 0) {
        return not_acceptable(pool);
    }
    return NULL;
}

fhir_error_t *fhir_negotiate_resource(fhir_format_t *format, const char *accept, const char *format_parameter,
                                      apr_pool_t *pool)
{
    wishes_t wishes;
    int json;
    int xml;
    *format = FHIR_FORMAT_JSON; /* also what an error is told in */
    if (format_parameter && *format_parameter) {
        fhir_error_t *error = read_format_parameter(format, format_parameter, pool);
        *format = error ? FHIR_FORMAT_JSON : *format;
        return error;
    }
    FHIR_TRY(read_wishes(&wishes, accept, 1, 1, pool));
    json = wishes.json >= 0 ? wishes.json : wishes.wildcard;
    xml = wishes.xml >= 0 ? wishes.xml : wishes.wildcard;
    if (xml > 0 && (xml > json || (xml == json && wishes.xml >= 0 && (wishes.json < 0 || wishes.xml_came_first)))) {
        *format = FHIR_FORMAT_XML;
    } else if (json <= 0 && wishes.other <= 0 && wishes.missing > 0) {
        return not_acceptable(pool);
    }
    return NULL;
}

fhir_error_t *fhir_negotiate_json(const char *accept, const char *format_parameter, apr_pool_t *pool)
{
    fhir_format_t format;
    wishes_t wishes;
    FHIR_TRY(fhir_negotiate_resource(&format, accept, format_parameter, pool));
    if (format == FHIR_FORMAT_JSON) {
        return NULL;
    }
    /* Browsers like XML better than nothing in particular, and take JSON. */
    FHIR_TRY(read_wishes(&wishes, accept, 1, 1, pool));
    if (!(format_parameter && *format_parameter) && (wishes.json > 0 || wishes.wildcard > 0)) {
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_NOT_ACCEPTABLE,
                             "This server has XML of Binary only. Ask for application/fhir+json in Accept or _format.");
}
