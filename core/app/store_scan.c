/* The other direction: what is in a store, page by page, and whether a row knows it. */
#include "store_scan.h"

#include <string.h>

#define PAGE 500

typedef struct page_t {
    const fhir_scan_t *scan;
    apr_pool_t *pool;
    apr_array_header_t *entries;  /* of fhir_list_entry_t */
    apr_array_header_t *locators; /* of const char * */
} page_t;

const char *fhir_scan_kind_text(fhir_scan_kind_t kind)
{
    static const char *const texts[] = {"unknown", "unfinished", "elsewhere"};
    return texts[kind];
}

static fhir_error_t *keep_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    page_t *page = baton;
    fhir_list_entry_t kept = *entry;
    (void)scratch;
    if (entry->modified < page->scan->before && entry->modified >= page->scan->since) {
        kept.locator = apr_pstrdup(page->pool, entry->locator);
        APR_ARRAY_PUSH(page->entries, fhir_list_entry_t) = kept;
        APR_ARRAY_PUSH(page->locators, const char *) = kept.locator;
    }
    return NULL;
}

static fhir_scan_kind_t kind_of(const fhir_list_entry_t *entry, fhir_knowledge_t known)
{
    /* Also what is unfinished: its writer may be at work under the place's other name. */
    if (known == FHIR_LOCATOR_ELSEWHERE) {
        return FHIR_SCAN_ELSEWHERE;
    }
    return entry->committed ? FHIR_SCAN_UNKNOWN : FHIR_SCAN_UNFINISHED;
}

/* Asked after the listing: the row of an upload is there before its bytes. */
static fhir_error_t *look_up(fhir_scan_t *scan, const page_t *page)
{
    fhir_call_t call = fhir_object_job_call(scan->job, page->pool);
    apr_array_header_t *known;
    int i;
    FHIR_TRY(fhir_meta_locators_known(&known, scan->job->meta, scan->store, page->locators, &call));
    for (i = 0; i < page->entries->nelts; i++) {
        const fhir_list_entry_t *entry = &APR_ARRAY_IDX(page->entries, i, fhir_list_entry_t);
        fhir_knowledge_t knowledge = APR_ARRAY_IDX(known, i, fhir_knowledge_t);
        if (knowledge == FHIR_LOCATOR_KNOWN) {
            scan->known++;
        } else {
            scan->unknown += entry->committed;
            FHIR_TRY(scan->found(scan->baton, kind_of(entry, knowledge), entry, page->pool));
        }
    }
    return NULL;
}

fhir_error_t *fhir_store_scan(fhir_scan_t *scan, apr_pool_t *pool)
{
    char cursor[FHIR_STORAGE_LOCATOR_MAX + 1] = "";
    page_t page = {.scan = scan};
    fhir_open_store_t *store;
    const char *next;
    scan->known = 0;
    scan->unknown = 0;
    FHIR_TRY(fhir_store_get(&store, scan->job->catalog, scan->store, pool));
    apr_pool_create(&page.pool, pool);
    do {
        fhir_call_t call = fhir_object_job_call(scan->job, page.pool);
        page.entries = apr_array_make(page.pool, PAGE, sizeof(fhir_list_entry_t));
        page.locators = apr_array_make(page.pool, PAGE, sizeof(const char *));
        scan->store_failed = 1;
        FHIR_TRY(fhir_object_list(&next, store, *cursor ? cursor : NULL, PAGE, keep_entry, &page, &call));
        scan->store_failed = 0;
        FHIR_TRY(look_up(scan, &page));
        apr_cpystrn(cursor, next ? next : "", sizeof(cursor));
        apr_pool_clear(page.pool);
    } while (*cursor);
    apr_pool_destroy(page.pool);
    return NULL;
}

/* Does this store wrap one that rows name directly? */
static const char *wrapped_and_named(const fhir_object_job_t *job, const char *store, const apr_array_header_t *needed,
                                     apr_pool_t *pool)
{
    int i;
    for (i = 0; i < needed->nelts; i++) {
        const char *name = APR_ARRAY_IDX(needed, i, const char *);
        fhir_open_store_t *inner;
        if (!fhir_store_get(&inner, job->catalog, name, pool) && fhir_store_wrapped_by(inner) &&
            strcmp(fhir_store_wrapped_by(inner), store) == 0) {
            return name;
        }
    }
    return NULL;
}

fhir_error_t *fhir_scan_refused(const char **why, const fhir_object_job_t *job, const char *store, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_call(job, pool);
    apr_array_header_t *needed;
    fhir_open_store_t *opened;
    const char *inner;
    int i;
    *why = NULL;
    FHIR_TRY(fhir_store_get(&opened, job->catalog, store, pool));
    if (!fhir_store_is_persistent(opened)) {
        *why = "what is in it ends with its process";
    } else if (fhir_store_wrapped_by(opened)) {
        *why = apr_psprintf(pool, "the store '%s' wraps it, and what is in it is that store's",
                            fhir_store_wrapped_by(opened));
    }
    FHIR_TRY(fhir_meta_stores_needed(&needed, job->meta, &call));
    inner = wrapped_and_named(job, store, needed, pool);
    if (!*why && inner) {
        *why = apr_psprintf(pool, "it wraps the store '%s', which objects name themselves", inner);
    }
    for (i = 0; !*why && i < needed->nelts; i++) {
        const char *name = APR_ARRAY_IDX(needed, i, const char *);
        if (!fhir_store_defined(job->catalog, name)) {
            *why = apr_psprintf(pool,
                                "objects name the store '%s', which this configuration does not have: what nobody "
                                "knows here may be what is missing there",
                                name);
        }
    }
    return NULL;
}
