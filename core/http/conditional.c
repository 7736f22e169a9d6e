/* Entity-tag lists and the decision between 200 and 304. */
#include "conditional.h"
#include "field_syntax.h"

#include <apr_tables.h>
#include <string.h>

static fhir_error_t *malformed(apr_pool_t *pool)
{
    return fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "If-Match or If-None-Match is malformed. Write entity tags as the server sent them, for example W/\"3\".");
}

/* mod_deflate marks the tag of what it compresses; it still is the same version. */
static const char *without_suffix(const char *tag, apr_size_t length, apr_pool_t *pool)
{
    static const char suffix[] = "-gzip";
    apr_size_t suffix_length = sizeof(suffix) - 1;
    if (length > suffix_length && memcmp(tag + length - suffix_length, suffix, suffix_length) == 0) {
        length -= suffix_length;
    }
    return apr_pstrmemdup(pool, tag, length);
}

static int is_tag_character(char character)
{
    unsigned char byte = (unsigned char)character;
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7F);
}

/* One entity tag or bare version id; gives what follows, NULL if malformed. */
static const char *parse_tag(const char **value, const char *at, apr_pool_t *pool)
{
    int quoted;
    apr_size_t length = 0;
    if ((at[0] == 'W' || at[0] == 'w') && at[1] == '/') {
        at += 2;
    }
    quoted = *at == '"';
    at += quoted;
    while (is_tag_character(at[length]) && (quoted || at[length] != ',')) {
        length++;
    }
    if (quoted ? at[length] != '"' : length == 0 || at[length] == '"') {
        return NULL;
    }
    if (!quoted && length == 1 && *at == '*') {
        return NULL;
    }
    *value = without_suffix(at, length, pool);
    return at + length + quoted;
}

fhir_error_t *fhir_etag_list_parse(fhir_etag_list_t *list, const char *text, apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, 4, sizeof(const char *));
    const char *at = fhir_skip_blanks(text ? text : "");
    memset(list, 0, sizeof(*list));
    if (*at == '*' && *fhir_skip_blanks(at + 1) == '\0') {
        list->any = 1;
        return NULL;
    }
    while (*at) {
        if (*at != ',') {
            const char *value = NULL;
            at = parse_tag(&value, at, pool);
            at = at ? fhir_skip_blanks(at) : NULL;
            if (!at || (*at && *at != ',')) {
                return malformed(pool);
            }
            APR_ARRAY_PUSH(values, const char *) = value;
        }
        at = fhir_skip_blanks(at + (*at == ','));
    }
    if (values->nelts == 0) {
        return malformed(pool);
    }
    list->count = values->nelts;
    list->values = (const char *const *)(const void *)values->elts;
    return NULL;
}

int fhir_etag_list_has(const fhir_etag_list_t *list, const char *version_id)
{
    int i;
    if (list->any) {
        return 1;
    }
    for (i = 0; version_id && i < list->count; i++) {
        if (strcmp(list->values[i], version_id) == 0) {
            return 1;
        }
    }
    return 0;
}

fhir_error_t *fhir_precondition(const char *if_match, const char *if_unmodified_since, const char *version_id,
                                apr_time_t last_modified, apr_pool_t *pool)
{
    if (if_match) {
        fhir_etag_list_t list;
        FHIR_TRY(fhir_etag_list_parse(&list, if_match, pool));
        if (!version_id || !fhir_etag_list_has(&list, version_id)) {
            return fhir_error_public(pool, FHIR_ERROR_PRECONDITION_FAILED,
                                     "It has changed: the current version is not the one that If-Match names.");
        }
    } else if (if_unmodified_since && version_id) {
        apr_time_t since = fhir_http_date_parse(if_unmodified_since);
        if (since != 0 && apr_time_sec(last_modified) > apr_time_sec(since)) {
            return fhir_error_public(pool, FHIR_ERROR_PRECONDITION_FAILED,
                                     "It has changed since the date in If-Unmodified-Since.");
        }
    }
    return NULL;
}

fhir_error_t *fhir_not_modified(int *not_modified, const char *if_none_match, const char *if_modified_since,
                                const char *version_id, apr_time_t last_modified, apr_pool_t *pool)
{
    *not_modified = 0;
    if (if_none_match) {
        fhir_etag_list_t list;
        FHIR_TRY(fhir_etag_list_parse(&list, if_none_match, pool));
        *not_modified = fhir_etag_list_has(&list, version_id);
    } else if (if_modified_since && last_modified > 0) {
        apr_time_t since = fhir_http_date_parse(if_modified_since);
        *not_modified = since != 0 && apr_time_sec(last_modified) <= apr_time_sec(since);
    }
    return NULL;
}
