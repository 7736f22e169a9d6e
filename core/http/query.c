/* Query parameters and percent-encoding (RFC 3986). */
#include "../base/text.h"
#include "fields.h"

#include <string.h>

#define PARAMETERS_MAX 200

static fhir_error_t *malformed(apr_pool_t *pool, const char *why)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "The query of the URL is malformed: %s.", why);
}

/* Decodes in place; 0 for a bad escape or a NUL. */
static int decode(char *text)
{
    char *to = text;
    const char *from;
    for (from = text; *from; from++) {
        unsigned char byte = *from == '+' ? ' ' : (unsigned char)*from;
        if (*from == '%') {
            char digits[3] = {from[1], from[1] ? from[2] : '\0', '\0'};
            if (!fhir_hex_decode(&byte, 1, digits) || byte == 0) {
                return 0;
            }
            from += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return 1;
}

/* One `name=value` of `length` bytes. */
static fhir_error_t *add_parameter(apr_array_header_t *parameters, const char *text, apr_size_t length,
                                   apr_pool_t *pool)
{
    char *name = apr_pstrmemdup(pool, text, length);
    char *value = strchr(name, '=');
    fhir_parameter_t *parameter;
    if (parameters->nelts == PARAMETERS_MAX) {
        return malformed(pool, "there are over 200 parameters");
    }
    if (value) {
        *value++ = '\0';
    } else {
        value = name + length;
    }
    if (!decode(name) || !decode(value)) {
        return malformed(pool, "a percent sign is not followed by the two hex digits of a character");
    }
    if (!fhir_utf8_valid(name, strlen(name)) || !fhir_utf8_valid(value, strlen(value))) {
        return malformed(pool, "it is not UTF-8");
    }
    parameter = apr_array_push(parameters);
    parameter->name = name;
    parameter->value = value;
    return NULL;
}

fhir_error_t *fhir_query_parse(apr_array_header_t **parameters, const char *query, apr_pool_t *pool)
{
    apr_array_header_t *found = apr_array_make(pool, 8, sizeof(fhir_parameter_t));
    const char *at = query ? query : "";
    while (*at) {
        apr_size_t length = strcspn(at, "&");
        if (length > 0) {
            FHIR_TRY(add_parameter(found, at, length, pool));
        }
        at += length;
        at += *at == '&';
    }
    *parameters = found;
    return NULL;
}

int fhir_query_count(const apr_array_header_t *parameters, const char *name)
{
    int count = 0;
    int i;
    for (i = 0; i < parameters->nelts; i++) {
        count += strcmp(APR_ARRAY_IDX(parameters, i, fhir_parameter_t).name, name) == 0;
    }
    return count;
}

const char *fhir_query_get(const apr_array_header_t *parameters, const char *name)
{
    const fhir_parameter_t *all = (const fhir_parameter_t *)(const void *)parameters->elts;
    int i;
    for (i = 0; i < parameters->nelts; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].value;
        }
    }
    return NULL;
}

static int is_unreserved(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z') || (character != '\0' && strchr("-._~", character));
}

const char *fhir_url_encode(const char *text, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = apr_palloc(pool, strlen(text) * 3 + 1);
    char *to = encoded;
    for (; *text; text++) {
        if (is_unreserved(*text)) {
            *to++ = *text;
        } else {
            *to++ = '%';
            *to++ = digits[(unsigned char)*text >> 4];
            *to++ = digits[(unsigned char)*text & 0x0F];
        }
    }
    *to = '\0';
    return encoded;
}
