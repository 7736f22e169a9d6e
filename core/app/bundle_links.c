/* fullUrl -> the reference that will be stored. */
#include "bundle_links.h"

#include "../fhir/binary.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

static const char HISTORY[] = "/_history/";

struct fhir_bundle_links_t {
    apr_pool_t *pool;
    apr_hash_t *targets; /* fullUrl -> target_t */
};

typedef struct target_t {
    const char *reference;
    int is_new;
} target_t;

fhir_bundle_links_t *fhir_bundle_links_create(apr_pool_t *pool)
{
    fhir_bundle_links_t *links = apr_palloc(pool, sizeof(*links));
    links->pool = pool;
    links->targets = apr_hash_make(pool);
    return links;
}

fhir_error_t *fhir_bundle_links_add(fhir_bundle_links_t *links, const char *full_url, const char *reference, int is_new)
{
    target_t *target;
    if (!full_url) {
        return NULL;
    }
    if (apr_hash_get(links->targets, full_url, APR_HASH_KEY_STRING)) {
        return fhir_error_public(links->pool, FHIR_ERROR_INVALID, "Another entry has the same fullUrl.");
    }
    target = apr_palloc(links->pool, sizeof(*target));
    target->reference = reference;
    target->is_new = is_new;
    apr_hash_set(links->targets, full_url, APR_HASH_KEY_STRING, target);
    return NULL;
}

static int is_http(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Length of `Type/id` that ends at `end`, after a '/' or at `text`; 0: there is none. */
static apr_size_t literal_before(const char *text, const char *end, apr_pool_t *pool)
{
    const char *id = end;
    const char *type;
    while (id > text && id[-1] != '/') {
        id--;
    }
    if (id == text || end - id > FHIR_ID_MAX) {
        return 0;
    }
    for (type = id - 1; type > text && type[-1] != '/'; type--) {
    }
    if (id - type > FHIR_ID_MAX || !fhir_id_valid(apr_pstrmemdup(pool, id, (apr_size_t)(end - id))) ||
        !fhir_resource_type_known(apr_pstrmemdup(pool, type, (apr_size_t)(id - 1 - type)))) {
        return 0;
    }
    return (apr_size_t)(end - type);
}

/* bundle.html#references: a relative reference goes from the base of its entry's fullUrl. NULL: it is not relative, or
 * there is no base. */
static const char *absolute(const char *from, const char *value, apr_size_t length, apr_pool_t *pool)
{
    apr_size_t literal;
    if (!from || !is_http(from) || literal_before(value, value + length, pool) != length) {
        return NULL;
    }
    literal = literal_before(from, from + strlen(from), pool);
    return literal == 0 ? NULL
                        : apr_pstrcat(pool, apr_pstrmemdup(pool, from, strlen(from) - literal),
                                      apr_pstrmemdup(pool, value, length), NULL);
}

static const target_t *find(const fhir_bundle_links_t *links, const char *from, const char *value, apr_size_t length,
                            apr_pool_t *pool)
{
    const target_t *target = apr_hash_get(links->targets, value, (apr_ssize_t)length);
    const char *whole = target ? NULL : absolute(from, value, length, pool);
    return whole ? apr_hash_get(links->targets, whole, APR_HASH_KEY_STRING) : target;
}

const char *fhir_bundle_links_find(const fhir_bundle_links_t *links, const char *from, const char *value,
                                   apr_pool_t *pool)
{
    apr_size_t length = strcspn(value, "#");
    const char *version = strstr(value, HISTORY);
    const target_t *target;
    if (apr_hash_count(links->targets) == 0) {
        return NULL;
    }
    target = find(links, from, value, length, pool);
    if (target) {
        return apr_pstrcat(pool, target->reference, value + length, NULL);
    }
    if (!version || version > value + length) {
        return NULL;
    }
    target = find(links, from, value, (apr_size_t)(version - value), pool);
    return target ? apr_pstrcat(pool, target->reference, target->is_new ? value + length : version, NULL) : NULL;
}

const char *fhir_conditional_reference(const char *value, apr_pool_t *pool)
{
    size_t length = strcspn(value, "?");
    const char *type;
    if (!value[length] || length > FHIR_ID_MAX || memchr(value, '/', length)) {
        return NULL;
    }
    type = apr_pstrmemdup(pool, value, length);
    return fhir_resource_type_known(type) ? type : NULL;
}
