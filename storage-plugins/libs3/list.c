/* Listing: pages of the protocol's first version, by marker; and the health check, which is the shortest listing. */
#include "libs3_store.h"

#include <string.h>

/* The protocol gives no more in one answer. */
#define PAGE_MAX 1000

typedef struct page_t {
    const char *marker;
    int room;
    fhir_list_entry_t *entries;
    int count;
    int seen; /* foreign objects too */
    int truncated;
    char last[LIBS3_KEY_MAX]; /* key of the last object seen */
    apr_pool_t *pool;
} page_t;

/* What is not of our form is somebody else's. */
static void take_content(page_t *page, const S3ListBucketContent *content, const char *prefix)
{
    size_t skipped = strlen(prefix);
    const char *locator = strncmp(content->key, prefix, skipped) ? "" : content->key + skipped;
    page->seen++;
    apr_cpystrn(page->last, content->key, sizeof(page->last));
    if (fhir_plugin_key_of(locator) && content->size <= INT64_MAX) {
        fhir_list_entry_t *entry = &page->entries[page->count++];
        entry->struct_size = sizeof(*entry);
        entry->locator = apr_pstrdup(page->pool, locator);
        entry->length = (apr_off_t)content->size;
        entry->modified = content->lastModified > 0 ? apr_time_from_sec(content->lastModified) : 0;
        entry->committed = 1;
    }
}

static S3Status take_contents(int truncated, const char *next_marker, int count, const S3ListBucketContent *contents,
                              int prefix_count, const char **prefixes, void *baton)
{
    libs3_request_t *request = baton;
    page_t *page = request->baton;
    int i;
    (void)next_marker; /* comes only with a delimiter */
    (void)prefix_count;
    (void)prefixes;
    request->moved = apr_time_now();
    page->truncated = truncated;
    for (i = 0; i < count; i++) {
        if (page->seen == page->room) { /* more than we asked for */
            return S3StatusAbortedByCallback;
        }
        take_content(page, &contents[i], request->store->config->prefix);
    }
    return S3StatusOK;
}

static void start_list(libs3_request_t *request, S3RequestContext *context)
{
    page_t *page = request->baton;
    const S3ListBucketHandler handler = {libs3_response_handler, take_contents};
    const char *prefix = request->store->config->prefix;
    page->count = 0;
    page->seen = 0;
    page->truncated = 0;
    S3_list_bucket(&request->store->config->bucket, *prefix ? prefix : NULL, page->marker, NULL, page->room, context,
                   &handler, request);
}

static fhir_error_t *fetch_page(page_t *page, fhir_store_t *store, const fhir_store_call_t *call)
{
    libs3_request_t request;
    fhir_error_t *error;
    page->entries = apr_pcalloc(page->pool, (apr_size_t)page->room * sizeof(*page->entries));
    libs3_request_init(&request, store, "ListObjects", NULL);
    request.start = start_list;
    request.baton = page;
    error = libs3_run_repeatedly(&request, store, call);
    if (error && error->code == FHIR_ERROR_NOT_FOUND) { /* the bucket */
        return libs3_no_bucket(&request, call->result_pool);
    }
    return error;
}

/* `call` may be our caller's, whose scratch pool is the entries' own. */
static fhir_error_t *hand_out(const page_t *page, fhir_list_entry_fn entry, void *entry_baton)
{
    apr_pool_t *scratch;
    fhir_error_t *error = NULL;
    int i;
    apr_pool_create(&scratch, page->pool);
    for (i = 0; i < page->count && !error; i++) {
        error = entry(entry_baton, &page->entries[i], scratch);
        if (!error) {
            apr_pool_clear(scratch);
        }
    }
    return error;
}

/* A page that is not the last one must end behind the place where it began, else we would be here for ever. (Of an
 * empty page libs3 tells nothing.) */
static fhir_error_t *check_progress(const page_t *page, apr_pool_t *pool)
{
    if (!page->truncated || !page->marker || strcmp(page->last, page->marker) > 0) {
        return NULL;
    }
    return fhir_error_create(pool, FHIR_ERROR_UNSUPPORTED, APR_EGENERAL,
                             "The store can't be listed. Tell the operator of this server.",
                             "ListObjects: the listing does not go on: the server passes over marker");
}

fhir_error_t *libs3_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                         fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    page_t page;
    memset(&page, 0, sizeof(page));
    *next = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (limit < 1 || (cursor && !fhir_plugin_key_of(cursor))) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    page.room = limit < PAGE_MAX ? limit : PAGE_MAX;
    page.pool = call->scratch_pool;
    page.marker = cursor ? apr_pstrcat(page.pool, store->config->prefix, cursor, NULL) : NULL;
    /* A page of nothing but foreign objects is passed over. */
    do {
        FHIR_TRY(fetch_page(&page, store, call));
        FHIR_TRY(check_progress(&page, call->result_pool));
        page.marker = apr_pstrdup(page.pool, page.last);
    } while (page.count == 0 && page.truncated && page.seen > 0);
    if (page.truncated && page.count > 0) {
        *next = apr_pstrdup(call->result_pool, page.entries[page.count - 1].locator);
    }
    return hand_out(&page, entry, entry_baton);
}

fhir_error_t *libs3_not_found(fhir_error_t *error, fhir_store_t *store, const fhir_store_call_t *call)
{
    libs3_request_t request;
    page_t page;
    memset(&page, 0, sizeof(page));
    page.room = 1;
    page.pool = call->scratch_pool;
    page.entries = apr_pcalloc(page.pool, sizeof(*page.entries));
    libs3_request_init(&request, store, "ListObjects", NULL);
    request.start = start_list;
    request.baton = &page;
    if (libs3_run(&request, store, call) &&
        (request.status == S3StatusErrorNoSuchBucket || request.status == S3StatusHttpErrorNotFound)) {
        return libs3_no_bucket(&request, call->result_pool);
    }
    return error;
}

fhir_error_t *libs3_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    page_t page;
    memset(&page, 0, sizeof(page));
    FHIR_TRY(fhir_plugin_spool_try(store->config->spool_directory, call->result_pool));
    page.room = 1;
    page.pool = call->scratch_pool;
    return fetch_page(&page, store, call);
}
