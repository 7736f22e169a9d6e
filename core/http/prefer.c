/* Prefer. The first instance of a preference counts (RFC 7240 section 2). */
#include "field_syntax.h"
#include "fields.h"

#include <string.h>

/* The value of the first preference with that name: *length bytes, quotes taken off; NULL if absent. */
static const char *preference(apr_size_t *length, const char *prefer, const char *name)
{
    const char *at = prefer ? prefer : "";
    while (*at) {
        const char *token = at + strspn(at, ",; \t");
        apr_size_t token_length = fhir_token_length(token);
        const char *value = fhir_skip_blanks(token + token_length);
        if (*value == '=') {
            value = fhir_skip_blanks(value + 1);
            value += *value == '"';
            if (fhir_is_name(token, token_length, name)) {
                *length = fhir_token_length(value);
                return value;
            }
        }
        /* Preferences that HAPI-like clients separate by semicolons are taken as well. */
        at = token + token_length;
        while (*at && *at != ',' && *at != ';') {
            const char *behind = *at == '"' ? fhir_quoted_string(NULL, at, NULL) : at + 1;
            at = behind ? behind : at + strlen(at);
        }
    }
    return NULL;
}

fhir_prefer_return_t fhir_prefer_return(const char *prefer)
{
    apr_size_t length = 0;
    const char *value = preference(&length, prefer, "return");
    if (!value) {
        return FHIR_PREFER_DEFAULT;
    }
    if (fhir_is_name(value, length, "minimal")) {
        return FHIR_PREFER_MINIMAL;
    }
    if (fhir_is_name(value, length, "representation")) {
        return FHIR_PREFER_REPRESENTATION;
    }
    return fhir_is_name(value, length, "OperationOutcome") ? FHIR_PREFER_OUTCOME : FHIR_PREFER_DEFAULT;
}

static int handling_is(const char *prefer, const char *wanted)
{
    apr_size_t length = 0;
    const char *value = preference(&length, prefer, "handling");
    return value && fhir_is_name(value, length, wanted);
}

int fhir_prefer_strict(const char *prefer)
{
    return handling_is(prefer, "strict");
}

int fhir_prefer_lenient(const char *prefer)
{
    return handling_is(prefer, "lenient");
}
