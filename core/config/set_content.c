/* Directives that are lists: content types, file name extensions, web origins. The first line takes the place of the
 * default, more lines of the same server add to it. */
#include "directives.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>

/* Checks one word and gives its normal form; NULL if it is not one. */
typedef const char *(*normal_fn)(const char *word, apr_pool_t *pool);

static char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;
    for (at = copy; *at; at++) {
        *at = (char)apr_tolower(*at);
    }
    return copy;
}

static size_t token_length(const char *text)
{
    size_t length = 0;
    while (text[length] && (apr_isalnum(text[length]) || strchr("!#$%&'+-.^_`|~", text[length]))) {
        length++;
    }
    return length;
}

static const char *normal_type(const char *word, apr_pool_t *pool)
{
    size_t type = token_length(word);
    size_t subtype = type > 0 && word[type] == '/' ? token_length(word + type + 1) : 0;
    return subtype > 0 && word[type + 1 + subtype] == '\0' ? lower(word, pool) : NULL;
}

static const char *normal_type_pattern(const char *word, apr_pool_t *pool)
{
    size_t type = token_length(word);
    if (type > 0 && strcmp(word + type, "/*") == 0) {
        return lower(word, pool);
    }
    return normal_type(word, pool);
}

static const char *normal_extension(const char *word, apr_pool_t *pool)
{
    const char *name = word[0] == '.' ? word + 1 : word;
    const char *at;
    for (at = name; *at; at++) {
        if (!apr_isalnum(*at) && !strchr("_-+~", *at)) {
            return NULL;
        }
    }
    return *name ? lower(apr_pstrcat(pool, ".", name, NULL), pool) : NULL;
}

/* scheme://host[:port], as browsers send it: no path, no '/' at the end. */
static const char *normal_origin(const char *word, apr_pool_t *pool)
{
    const char *host;
    size_t length;
    if (strcmp(word, "*") == 0) {
        return word;
    }
    if (strncasecmp(word, "https://", 8) != 0 && strncasecmp(word, "http://", 7) != 0) {
        return NULL;
    }
    host = strstr(word, "://") + 3;
    length = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._[]:");
    return length > 0 && host[length] == '\0' && host[0] != ':' ? lower(word, pool) : NULL;
}

static fhir_error_t *set_list(fhir_settings_t *settings, apr_array_header_t **list, const char *directive, int count,
                              const char *const *values, normal_fn normal, const char *advice)
{
    apr_pool_t *pool = settings->pool;
    apr_array_header_t *words = apr_array_make(pool, count, sizeof(const char *));
    int i;
    for (i = 0; i < count && !(count == 1 && strcasecmp(values[0], "none") == 0); i++) {
        const char *word = normal(values[i], pool);
        if (!word || strcasecmp(values[i], "none") == 0) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID, "'%.128s' %s", values[i], advice);
        }
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    *list = fhir_settings_given(settings, directive) ? apr_array_append(pool, *list, words) : words;
    return NULL;
}

fhir_error_t *fhir_set_refused_content_types(fhir_settings_t *settings, int count, const char *const *values)
{
    return set_list(settings, &settings->refused_content_types, "FhirBinaryRefuseContentTypes", count, values,
                    normal_type,
                    "is not a content type. Write types without parameters or wildcards, for example application/x-sh, "
                    "or the single word none.");
}

fhir_error_t *fhir_set_refused_extensions(fhir_settings_t *settings, int count, const char *const *values)
{
    return set_list(settings, &settings->refused_extensions, "FhirBinaryRefuseExtensions", count, values,
                    normal_extension,
                    "is not a file name extension. Write extensions like .exe, or the single word none.");
}

fhir_error_t *fhir_set_inline_content_types(fhir_settings_t *settings, int count, const char *const *values)
{
    return set_list(settings, &settings->inline_content_types, "FhirBinaryInlineContentTypes", count, values,
                    normal_type_pattern,
                    "is not a content type. Write types like image/png or video/*, or the single word none.");
}

fhir_error_t *fhir_set_cors_origins(fhir_settings_t *settings, int count, const char *const *values)
{
    return set_list(settings, &settings->cors_origins, "FhirBinaryCORSOrigins", count, values, normal_origin,
                    "is not a web origin. Write scheme, host and port without a path, for example "
                    "https://app.example.org, or the single word none, or * for any origin.");
}
