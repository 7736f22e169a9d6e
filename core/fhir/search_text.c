/* Text of searches: cutting, lists, literal references. */
#include "search_private.h"

#include <string.h>

/* At most `most` bytes, whole characters. */
static const char *cut(const char *text, apr_size_t most, apr_pool_t *pool)
{
    if (strlen(text) <= most) {
        return text;
    }
    while (most > 0 && ((unsigned char)text[most] & 0xC0u) == 0x80u) {
        most--;
    }
    return apr_pstrmemdup(pool, text, most);
}

const char *fhir_search_cut(const char *text, apr_pool_t *pool)
{
    return cut(text, FHIR_INDEX_TEXT_MAX, pool);
}

const char *fhir_search_shown(const char *text, apr_pool_t *pool)
{
    const char *shown = cut(text, 80, pool);
    return shown == text ? text : apr_pstrcat(pool, shown, "...", NULL);
}

const char *fhir_search_comparable(const char *text, apr_pool_t *pool)
{
    const char *comparable = fhir_search_cut(fhir_search_fold(text, pool), pool);
    apr_size_t length = strlen(comparable);
    /* A blank at the cut would not survive folding again. */
    return length > 0 && comparable[length - 1] == ' ' ? apr_pstrmemdup(pool, comparable, length - 1) : comparable;
}

const char *fhir_search_lower(const char *text, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, text);
    char *at;
    for (at = lower; *at; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
    }
    return lower;
}

int fhir_search_listed(const char *list, const char *name)
{
    apr_size_t length = strlen(name);
    if (!list) {
        return 1;
    }
    while (*list) {
        apr_size_t item = strcspn(list, "|");
        if (item == length && strncmp(list, name, length) == 0) {
            return 1;
        }
        list += item + (list[item] == '|');
    }
    return 0;
}

/* `Type/id` with optional `/_history/vid` or, in canonical URLs, `|version`: *type, *id. */
static int read_relative(const char **type, const char **id, const char *text, apr_pool_t *pool)
{
    apr_size_t type_length = strcspn(text, "/");
    const char *rest = text + type_length;
    apr_size_t id_length;
    if (type_length == 0 || type_length > FHIR_ID_MAX || *rest != '/') {
        return 0;
    }
    rest++;
    id_length = strcspn(rest, "/|");
    if (id_length == 0 || id_length > FHIR_ID_MAX ||
        (rest[id_length] == '/' && strncmp(rest + id_length, "/_history/", 10) != 0)) {
        return 0;
    }
    *type = apr_pstrmemdup(pool, text, type_length);
    *id = apr_pstrmemdup(pool, rest, id_length);
    return fhir_resource_type_known(*type) && fhir_id_valid(*id);
}

/* Where `Type/id` begins at the end of an absolute URL, and how long the URL is without its version. NULL: it has none.
 */
static const char *relative_part(apr_size_t *length, const char *url)
{
    const char *history = strstr(url, "/_history/");
    const char *at;
    int slashes = 0;
    *length = history ? (apr_size_t)(history - url) : strlen(url);
    for (at = url + *length; at > url; at--) {
        slashes += at[-1] == '/';
        if (slashes == 2) {
            return at;
        }
    }
    return NULL;
}

void fhir_search_reference(fhir_search_reference_t *reference, const char *text, const fhir_addresses_t *addresses,
                           apr_pool_t *pool)
{
    apr_size_t base = strlen(addresses->fhir_base);
    const char *relative = strncmp(text, addresses->fhir_base, base) == 0 ? text + base : text;
    apr_size_t length;
    const char *at;
    const char *id;
    if (read_relative(&reference->type, &reference->code, relative, pool)) {
        return;
    }
    reference->type = "";
    reference->code = fhir_search_cut(text, pool);
    if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0) {
        at = relative_part(&length, text);
        if (at && read_relative(&reference->type, &id, at, pool)) {
            reference->code = fhir_search_cut(apr_pstrmemdup(pool, text, length), pool);
        } else {
            reference->type = "";
        }
    }
}
