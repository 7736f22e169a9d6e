/* Finds Attachment.url values that lead to other servers. */
#include "external_urls.h"

#include "resource_walk.h"

#include <apr_hash.h>
#include <string.h>
#include <strings.h>

typedef struct search_t {
    const fhir_json_document_t *document;
    const char *type;
    const char *only;
    int limit;
    apr_hash_t *seen;
    apr_array_header_t *urls;
    apr_pool_t *pool;
} search_t;

static void add(const search_t *search, int node, const char *url)
{
    fhir_external_url_t *found = apr_array_push(search->urls);
    found->node = node;
    found->url = url;
    found->path = search->only ? NULL
                               : fhir_json_path(search->document, search->document->nodes[node].parent, search->type,
                                                search->pool);
}

static fhir_error_t *visit(void *baton, const fhir_place_t *place)
{
    const search_t *search = baton;
    const char *url;
    if (!fhir_place_is(place, FHIR_ELEMENT_ATTACHMENT, "url") || place->in_list) {
        return NULL;
    }
    if (search->only) {
        if (fhir_json_equals(search->document, place->node, search->only)) {
            add(search, place->node, search->only);
        }
        return NULL;
    }
    url = search->urls->nelts < search->limit ? fhir_json_string(search->document, place->node, search->pool) : NULL;
    if (url && strncasecmp(url, "https://", 8) == 0 && !apr_hash_get(search->seen, url, APR_HASH_KEY_STRING)) {
        apr_hash_set(search->seen, url, APR_HASH_KEY_STRING, url);
        add(search, place->node, url);
    }
    return NULL;
}

fhir_error_t *fhir_external_urls(apr_array_header_t **urls, const fhir_json_document_t *document, int root,
                                 const char *type, const char *only, int limit, apr_pool_t *pool)
{
    search_t search = {document, type, only, limit, apr_hash_make(pool), NULL, pool};
    *urls = search.urls = apr_array_make(pool, 2, sizeof(fhir_external_url_t));
    return fhir_resource_walk(document, root, type, visit, &search, pool);
}
