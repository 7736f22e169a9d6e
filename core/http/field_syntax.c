/* The building blocks of field values. */
#include "field_syntax.h"

#include <apr_strings.h>
#include <string.h>

int fhir_is_token_character(char character)
{
    if ((character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
        (character >= 'a' && character <= 'z')) {
        return 1;
    }
    return character != '\0' && strchr("!#$%&'*+-.^_`|~", character) != NULL;
}

const char *fhir_skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

apr_size_t fhir_token_length(const char *at)
{
    apr_size_t length = 0;
    while (fhir_is_token_character(at[length])) {
        length++;
    }
    return length;
}

static int is_control(char character)
{
    return ((unsigned char)character < 0x20 && character != '\t') || character == 0x7F;
}

/* The closing quote of the string whose first character is at `at`, NULL if there is none. */
static const char *closing_quote(const char *at)
{
    for (; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
        if (is_control(*at)) { /* the end of the text, too */
            return NULL;
        }
    }
    return at;
}

const char *fhir_quoted_string(const char **value, const char *at, apr_pool_t *pool)
{
    const char *end = closing_quote(at + 1);
    char *content;
    if (!end || !value) {
        return end ? end + 1 : NULL;
    }
    content = apr_palloc(pool, (apr_size_t)(end - at));
    *value = content;
    for (at++; at < end; at++) {
        at += *at == '\\';
        *content++ = *at;
    }
    *content = '\0';
    return end + 1;
}

char *fhir_lower(const char *text, apr_size_t length, apr_pool_t *pool)
{
    char *lower = apr_pstrmemdup(pool, text, length);
    apr_size_t i;
    for (i = 0; i < length; i++) {
        if (lower[i] >= 'A' && lower[i] <= 'Z') {
            lower[i] = (char)(lower[i] + ('a' - 'A'));
        }
    }
    return lower;
}

static char lower_character(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character + ('a' - 'A')) : character;
}

int fhir_is_name(const char *text, apr_size_t length, const char *name)
{
    apr_size_t i;
    for (i = 0; i < length && name[i]; i++) {
        if (lower_character(text[i]) != lower_character(name[i])) {
            return 0;
        }
    }
    return i == length && name[i] == '\0';
}

const char *fhir_trimmed(const char *text, apr_size_t length, apr_pool_t *pool)
{
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    return apr_pstrmemdup(pool, text, length);
}

const char *fhir_element_end(const char *at)
{
    int quoted = 0;
    for (; *at; at++) {
        if (quoted && *at == '\\' && at[1]) {
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        } else if (*at == ',' && !quoted) {
            break;
        }
    }
    return at;
}
