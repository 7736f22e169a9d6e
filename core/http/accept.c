/* Reading Accept (RFC 9110 section 12.5.1), with what old Java clients send: "*; q=.2". */
#include "accept.h"
#include "field_syntax.h"

#include <string.h>

static fhir_error_t *malformed(apr_pool_t *pool)
{
    return fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "The Accept header is malformed. Write media types separated by commas, for example application/fhir+json.");
}

/* "0.5", ".5", "1", "1.000" as thousandths; -1 if malformed or over 1. Digits beyond the third are dropped. */
static int quality_value(const char *text, apr_size_t length)
{
    apr_size_t at = 0;
    int whole = 0;
    int thousandths = 0;
    int factor = 100;
    if (at < length && (text[at] == '0' || text[at] == '1')) {
        whole = text[at++] - '0';
    }
    if (at < length && text[at] == '.') {
        for (at++; at < length && text[at] >= '0' && text[at] <= '9'; at++, factor /= 10) {
            thousandths += (text[at] - '0') * factor;
        }
    }
    if (length == 0 || at != length || (whole == 1 && thousandths > 0) || (length == 1 && text[0] == '.')) {
        return -1;
    }
    return whole * 1000 + thousandths;
}

/* One parameter behind its semicolon; the value may be missing, as in accept-ext. NULL if malformed. */
static const char *parameter_end(int *quality, const char *at)
{
    const char *name = at;
    apr_size_t name_length = fhir_token_length(name);
    apr_size_t length;
    at = fhir_skip_blanks(name + name_length);
    if (*at != '=') {
        return name_length > 0 ? at : NULL;
    }
    at = fhir_skip_blanks(at + 1);
    if (*at == '"') {
        return name_length > 0 ? fhir_quoted_string(NULL, at, NULL) : NULL;
    }
    length = fhir_token_length(at);
    if (fhir_is_name(name, name_length, "q")) {
        *quality = quality_value(at, length);
        return *quality < 0 ? NULL : at + length;
    }
    /* A slash in a bare value ("profile=http://...") is wrong but harmless. */
    length = strcspn(at, ",; \t\"");
    return name_length > 0 && length > 0 ? at + length : NULL;
}

static const char *range_end(const char *text)
{
    apr_size_t type = fhir_token_length(text);
    apr_size_t subtype;
    if (type == 1 && text[0] == '*' && text[1] != '/') {
        return text + 1;
    }
    subtype = text[type] == '/' ? fhir_token_length(text + type + 1) : 0;
    if (type == 0 || subtype == 0 || (text[0] == '*' && text[type + 1] != '*')) {
        return NULL;
    }
    return text + type + 1 + subtype;
}

fhir_error_t *fhir_accept_next(fhir_media_range_t *range, const char **at, apr_pool_t *pool)
{
    const char *start = *at + strspn(*at, ", \t");
    const char *end;
    range->type = NULL;
    range->quality = 1000;
    if (*start == '\0') {
        *at = start;
        return NULL;
    }
    end = range_end(start);
    if (!end) {
        return malformed(pool);
    }
    range->type = end - start == 1 ? "*/*" : fhir_lower(start, (apr_size_t)(end - start), pool);
    for (end = fhir_skip_blanks(end); *end == ';'; end = fhir_skip_blanks(end)) {
        end = fhir_skip_blanks(end + 1);
        if (*end && *end != ';' && *end != ',') {
            end = parameter_end(&range->quality, end);
            if (!end) {
                return malformed(pool);
            }
        }
    }
    if (*end && *end != ',') {
        return malformed(pool);
    }
    *at = end;
    return NULL;
}
