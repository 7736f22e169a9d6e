/* Listing: objects and unfinished uploads of one prefix, both in the order of their keys, merged page by page. What is
 * not named like an object of ours is left out. */
#include "s3.h"

#include <string.h>

#define PAGE_MAX 1000
#define KEYS_PER_REQUEST "500"
#define ANSWER_MAX ((apr_size_t)1024 * 1024)
#define TOKEN_MAX 2048

/* At most `limit` entries after the cursor, in order. */
typedef struct entry_set_t {
    fhir_list_entry_t *entries;
    int count;
    int limit;
    int more; /* there are others after these */
} entry_set_t;

typedef struct listing_t {
    fhir_store_t *store;
    const fhir_store_call_t *call;
    apr_pool_t *pool;  /* of the result: entries and errors */
    const char *after; /* locator, "" at the start */
    entry_set_t objects;
    entry_set_t uploads;
} listing_t;

static void entry_set_init(entry_set_t *set, int limit, apr_pool_t *pool)
{
    set->entries = apr_pcalloc(pool, (apr_size_t)limit * sizeof(fhir_list_entry_t));
    set->count = 0;
    set->limit = limit;
    set->more = 0;
}

/* NULL if the key is none of ours. */
static const char *locator_of(const listing_t *listing, const char *key)
{
    size_t prefix = strlen(listing->store->config->prefix);
    if (strncmp(key, listing->store->config->prefix, prefix) || !fhir_plugin_key_of(key + prefix)) {
        return NULL;
    }
    return key + prefix;
}

static void add_entry(listing_t *listing, entry_set_t *set, const char *key, const fhir_list_entry_t *entry)
{
    const char *locator = locator_of(listing, key);
    fhir_list_entry_t *added;
    if (!locator || strcmp(locator, listing->after) <= 0 ||
        (set->count > 0 && strcmp(locator, set->entries[set->count - 1].locator) <= 0)) {
        return;
    }
    if (set->count == set->limit) {
        set->more = 1;
        return;
    }
    added = &set->entries[set->count++];
    *added = *entry;
    added->struct_size = sizeof(*added);
    added->locator = apr_pstrdup(listing->pool, locator);
}

/* Of either listing: a server that gives the same page again and again would keep us for ever. */
static fhir_error_t *does_not_go_on(apr_pool_t *pool)
{
    return fhir_error_create(
        pool, FHIR_ERROR_UNSUPPORTED, APR_EGENERAL, "The store can't be listed. Tell the operator of this server.",
        "a page of a listing begins where the one before began, or does not tell where the next one begins: the server "
        "passes over start-after, continuation-token or key-marker");
}

/* Does the page that follows this one begin behind key and id (NULL: none yet)? */
static int uploads_go_on(const s3_upload_page_t *page, const char *key, const char *id)
{
    int order = page->next_key && key ? strcmp(page->next_key, key) : 1;
    int same_id = page->next_id ? id && !strcmp(page->next_id, id) : !id;
    return !page->truncated || (page->next_key && (order > 0 || (order == 0 && !same_id)));
}

/* Several uploads of one key are one entry. */
static fhir_error_t *collect_uploads(listing_t *listing)
{
    const char *prefix = listing->store->config->prefix;
    const char *key = listing->after[0] ? apr_pstrcat(listing->pool, prefix, listing->after, NULL) : NULL;
    const char *id = NULL;
    apr_pool_t *page_pool;
    apr_pool_create(&page_pool, listing->pool);
    do {
        s3_upload_page_t page;
        int i;
        FHIR_TRY(s3_list_uploads(&page, listing->store, "", key, id, page_pool, listing->call));
        for (i = 0; i < page.uploads->nelts; i++) {
            const s3_upload_t *upload = &APR_ARRAY_IDX(page.uploads, i, s3_upload_t);
            fhir_list_entry_t entry = {0};
            entry.modified = upload->initiated;
            add_entry(listing, &listing->uploads, upload->key, &entry);
        }
        if (!uploads_go_on(&page, key, id)) {
            return does_not_go_on(listing->call->result_pool);
        }
        key = page.next_key ? apr_pstrdup(listing->pool, page.next_key) : NULL;
        id = page.next_id ? apr_pstrdup(listing->pool, page.next_id) : NULL;
        apr_pool_clear(page_pool);
    } while (key && !listing->uploads.more);
    apr_pool_destroy(page_pool);
    return NULL;
}

/* Where a page of objects begins: after a key, or, since a page may have none, at the server's own token. Both NULL: at
 * the start, or there is no such page. */
typedef struct place_t {
    const char *after;
    const char *token;
} place_t;

static fhir_error_t *list_objects(fhir_http_response_t *response, const listing_t *listing, const place_t *place,
                                  apr_pool_t *pool)
{
    fhir_store_call_t within = *listing->call;
    s3_operation_t operation;
    within.result_pool = pool;
    within.scratch_pool = pool;
    s3_operation_init(&operation, listing->store, "ListObjectsV2", "GET", NULL, pool);
    s3_add_parameter(&operation, "list-type", "2");
    s3_add_parameter(&operation, "encoding-type", "url");
    s3_add_parameter(&operation, "max-keys", KEYS_PER_REQUEST);
    s3_add_parameter(&operation, "prefix", listing->store->config->prefix);
    if (place->token) {
        s3_add_parameter(&operation, "continuation-token", place->token);
    } else if (place->after) {
        s3_add_parameter(&operation, "start-after", place->after);
    }
    operation.repeatable = 1;
    return s3_call(response, listing->store, &operation, ANSWER_MAX, &within);
}

static fhir_error_t *not_understood(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                             "The store is overloaded or unreachable; try again.",
                             "ListObjectsV2: the answer is no ListBucketResult");
}

/* Behind the last key, whosever it is. */
static fhir_error_t *place_of_next(place_t *next, const apr_xml_elem *root, const char *last, apr_pool_t *pool)
{
    const char *token = last ? NULL : s3_xml_text(root, "NextContinuationToken", pool);
    next->after = last;
    next->token = token && *token && strlen(token) <= TOKEN_MAX ? token : NULL;
    return next->after || next->token ? NULL : does_not_go_on(pool);
}

static fhir_error_t *read_objects(place_t *next, listing_t *listing, const fhir_http_response_t *response,
                                  apr_pool_t *pool)
{
    const apr_xml_elem *root = s3_xml_root(response->body, response->body_length, "ListBucketResult", pool);
    const apr_xml_elem *element = s3_xml_child(root, "Contents");
    int encoded = root && s3_xml_child(root, "EncodingType");
    const char *truncated = root ? s3_xml_text(root, "IsTruncated", pool) : NULL;
    const char *key = NULL;
    memset(next, 0, sizeof(*next));
    if (!truncated) {
        return not_understood(pool);
    }
    for (; element; element = s3_xml_next(element, "Contents")) {
        fhir_list_entry_t entry = {0};
        const char *text = s3_xml_text(element, "Key", pool);
        key = text && encoded ? s3_decode_key(text, pool) : text;
        entry.length = s3_length(s3_xml_text(element, "Size", pool));
        entry.modified = s3_xml_time(s3_xml_text(element, "LastModified", pool));
        entry.committed = 1;
        if (!key || entry.length < 0) {
            return not_understood(pool);
        }
        add_entry(listing, &listing->objects, key, &entry);
    }
    return !strcmp(truncated, "true") ? place_of_next(next, root, key, pool) : NULL;
}

/* The last key that was seen stays known over pages without any. */
static int objects_go_on(const place_t *place, const char *last, const place_t *next)
{
    return next->token ? !place->token || strcmp(next->token, place->token) != 0
                       : !next->after || !last || strcmp(next->after, last) > 0;
}

static fhir_error_t *collect_objects(listing_t *listing)
{
    const char *prefix = listing->store->config->prefix;
    const char *last = listing->after[0] ? apr_pstrcat(listing->pool, prefix, listing->after, NULL) : NULL;
    place_t place = {last, NULL};
    apr_pool_t *page_pool;
    apr_pool_create(&page_pool, listing->pool);
    do {
        fhir_http_response_t response;
        place_t next;
        FHIR_TRY(list_objects(&response, listing, &place, page_pool));
        FHIR_TRY(read_objects(&next, listing, &response, page_pool));
        if (!objects_go_on(&place, last, &next)) {
            return does_not_go_on(listing->call->result_pool);
        }
        place.after = apr_pstrdup(listing->pool, next.after);
        place.token = apr_pstrdup(listing->pool, next.token);
        last = place.after ? place.after : last;
        apr_pool_clear(page_pool);
    } while ((place.after || place.token) && !listing->objects.more);
    apr_pool_destroy(page_pool);
    return NULL;
}

/* An object and an upload of one key are one committed object. */
static fhir_error_t *give_page(const char **last, listing_t *listing, int limit, fhir_list_entry_fn entry,
                               void *entry_baton)
{
    const entry_set_t *objects = &listing->objects;
    const entry_set_t *uploads = &listing->uploads;
    apr_pool_t *scratch;
    int i = 0;
    int j = 0;
    int given;
    apr_pool_create(&scratch, listing->call->scratch_pool);
    for (given = 0; given < limit && (i < objects->count || j < uploads->count); given++) {
        int order = i == objects->count   ? 1
                    : j == uploads->count ? -1
                                          : strcmp(objects->entries[i].locator, uploads->entries[j].locator);
        const fhir_list_entry_t *chosen = order <= 0 ? &objects->entries[i] : &uploads->entries[j];
        i += order <= 0;
        j += order >= 0;
        apr_pool_clear(scratch);
        FHIR_TRY(entry(entry_baton, chosen, scratch));
        *last = chosen->locator;
    }
    if (i == objects->count && j == uploads->count && !objects->more && !uploads->more) {
        *last = NULL;
    }
    return NULL;
}

fhir_error_t *s3_list(const char **next, fhir_store_t *store, const char *cursor, int limit, fhir_list_entry_fn entry,
                      void *entry_baton, const fhir_store_call_t *call)
{
    listing_t listing = {0};
    const char *last = NULL;
    *next = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (limit < 1 || (cursor && !fhir_plugin_key_of(cursor))) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    limit = limit > PAGE_MAX ? PAGE_MAX : limit;
    listing.store = store;
    listing.call = call;
    listing.after = cursor ? cursor : "";
    apr_pool_create(&listing.pool, call->result_pool);
    entry_set_init(&listing.objects, limit, listing.pool);
    entry_set_init(&listing.uploads, limit, listing.pool);
    /* Uploads first: one that is completed meanwhile is then seen twice rather than never. */
    FHIR_TRY(collect_uploads(&listing));
    FHIR_TRY(collect_objects(&listing));
    FHIR_TRY(give_page(&last, &listing, limit, entry, entry_baton));
    *next = last ? apr_pstrdup(call->result_pool, last) : NULL;
    apr_pool_destroy(listing.pool);
    return NULL;
}
