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
    /* For addresses that are only looked up: hundreds of thousands of references must not leave as many of them. */
    char *scratch;
    apr_size_t room;
};

typedef struct target_t {
    const char *reference;
    int is_new;
} target_t;

fhir_bundle_links_t *fhir_bundle_links_create(apr_pool_t *pool)
{
    fhir_bundle_links_t *links = apr_pcalloc(pool, sizeof(*links));
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

/* A part of a text, ended; `length` is FHIR_ID_MAX at most. */
static const char *part_of(char part[FHIR_ID_MAX + 1], const char *text, apr_size_t length)
{
    memcpy(part, text, length);
    part[length] = '\0';
    return part;
}

/* Length of `Type/id` that ends at `end`, after a '/' or at `text`; 0: there is none. */
static apr_size_t literal_before(const char *text, const char *end)
{
    char part[FHIR_ID_MAX + 1];
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
    if (id - type > FHIR_ID_MAX || !fhir_id_valid(part_of(part, id, (apr_size_t)(end - id))) ||
        !fhir_resource_type_known(part_of(part, type, (apr_size_t)(id - 1 - type)))) {
        return 0;
    }
    return (apr_size_t)(end - type);
}

static char *scratch(fhir_bundle_links_t *links, apr_size_t length)
{
    if (length > links->room) {
        links->room = length * 2;
        links->scratch = apr_palloc(links->pool, links->room);
    }
    return links->scratch;
}

/* bundle.html#references: a relative reference goes from the base of its entry's fullUrl. */
static const target_t *find_relative(fhir_bundle_links_t *links, const char *from, const char *value, apr_size_t length)
{
    apr_size_t literal;
    apr_size_t base;
    char *whole;
    if (!from || !is_http(from) || literal_before(value, value + length) != length) {
        return NULL;
    }
    literal = literal_before(from, from + strlen(from));
    if (literal == 0) {
        return NULL;
    }
    base = strlen(from) - literal;
    whole = scratch(links, base + length);
    memcpy(whole, from, base);
    memcpy(whole + base, value, length);
    return apr_hash_get(links->targets, whole, (apr_ssize_t)(base + length));
}

static const target_t *find(fhir_bundle_links_t *links, const char *from, const char *value, apr_size_t length)
{
    const target_t *target = apr_hash_get(links->targets, value, (apr_ssize_t)length);
    return target ? target : find_relative(links, from, value, length);
}

const char *fhir_bundle_links_find(fhir_bundle_links_t *links, const char *from, const char *value, apr_pool_t *pool)
{
    apr_size_t length = strcspn(value, "#");
    const char *version = strstr(value, HISTORY);
    const target_t *target;
    if (apr_hash_count(links->targets) == 0) {
        return NULL;
    }
    target = find(links, from, value, length);
    if (target) {
        return apr_pstrcat(pool, target->reference, value + length, NULL);
    }
    if (!version || version > value + length) {
        return NULL;
    }
    target = find(links, from, value, (apr_size_t)(version - value));
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
