/* store orphans: what interrupted uploads have left behind, seen from the database and from the store. */
#include "ctl.h"

#include "../core/base/text.h"
#include "../core/meta/object_copy.h"

#include <string.h>

#define PAGE 1000

typedef struct orphans_t {
    fhir_ctl_t *ctl;
    fhir_ctl_table_t table;
    apr_time_t before;
    const char *store_name;
    fhir_open_store_t *store;
    apr_array_header_t *page;     /* of fhir_list_entry_t, of the page being listed */
    apr_array_header_t *locators; /* their locators, of const char * */
    apr_pool_t *page_pool;
} orphans_t;

static void report(orphans_t *orphans, const char *kind, const char *key, const char *locator, apr_time_t since,
                   apr_off_t size)
{
    fhir_ctl_table_t *table = &orphans->table;
    apr_pool_t *pool = orphans->ctl->pool;
    fhir_ctl_table_add(table, orphans->store_name);
    fhir_ctl_table_add(table, kind);
    fhir_ctl_table_add(table, key ? apr_pstrdup(pool, key) : NULL);
    fhir_ctl_table_add(table, size < 0 ? NULL : apr_off_t_toa(pool, size));
    fhir_ctl_table_add_time(table, since);
    fhir_ctl_table_add(table, since ? apr_off_t_toa(pool, apr_time_sec(apr_time_now() - since)) : NULL);
    fhir_ctl_table_add(table, apr_pstrdup(pool, locator));
    orphans->ctl->status = FHIR_CTL_FOUND;
}

/* Each call has its own time: a large store takes as long as it takes. */
static const fhir_call_t *fresh_call(orphans_t *orphans, fhir_call_t *call, apr_pool_t *pool)
{
    *call = orphans->ctl->call;
    call->pool = pool;
    call->deadline = apr_time_now() + orphans->ctl->settings->request_timeout;
    return call;
}

static fhir_error_t *find_pending(orphans_t *orphans)
{
    fhir_call_t call;
    apr_array_header_t *rows;
    FHIR_TRY(fhir_meta_objects_pending(&rows, orphans->ctl->meta, orphans->store_name, orphans->before,
                                       fresh_call(orphans, &call, orphans->ctl->pool)));
    for (int i = 0; i < rows->nelts; i++) {
        const fhir_object_row_t *row = &APR_ARRAY_IDX(rows, i, fhir_object_row_t);
        fhir_object_info_t info = {.struct_size = sizeof(info)};
        fhir_error_t *error =
            fhir_object_stat(&info, orphans->store, row->locator, fresh_call(orphans, &call, orphans->ctl->pool));
        /* A locator that this store never gave is an orphan to tell about, too. */
        if (error && error->code != FHIR_ERROR_NOT_FOUND && error->code != FHIR_ERROR_INVALID) {
            return error;
        }
        report(orphans, "pending", row->object_key, row->locator, row->created, error ? -1 : info.length);
    }
    return NULL;
}

static fhir_error_t *keep_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    orphans_t *orphans = baton;
    fhir_list_entry_t kept = *entry;
    (void)scratch;
    if (entry->modified < orphans->before) {
        kept.locator = apr_pstrdup(orphans->page_pool, entry->locator);
        APR_ARRAY_PUSH(orphans->page, fhir_list_entry_t) = kept;
        APR_ARRAY_PUSH(orphans->locators, const char *) = kept.locator;
    }
    return NULL;
}

static fhir_error_t *report_unknown(orphans_t *orphans)
{
    fhir_call_t call;
    apr_array_header_t *known;
    FHIR_TRY(fhir_meta_locators_known(&known, orphans->ctl->meta, orphans->store_name, orphans->locators,
                                      fresh_call(orphans, &call, orphans->page_pool)));
    for (int i = 0; i < orphans->page->nelts; i++) {
        const fhir_list_entry_t *entry = &APR_ARRAY_IDX(orphans->page, i, fhir_list_entry_t);
        if (APR_ARRAY_IDX(known, i, fhir_knowledge_t) != FHIR_LOCATOR_KNOWN) {
            report(orphans, entry->committed ? "unknown" : "unfinished", NULL, entry->locator, entry->modified,
                   entry->length);
        }
    }
    return NULL;
}

static fhir_error_t *find_unknown(orphans_t *orphans)
{
    const char *cursor = NULL;
    do {
        fhir_call_t call;
        const char *next = NULL;
        orphans->page = apr_array_make(orphans->page_pool, PAGE, sizeof(fhir_list_entry_t));
        orphans->locators = apr_array_make(orphans->page_pool, PAGE, sizeof(const char *));
        FHIR_TRY(fhir_object_list(&next, orphans->store, cursor, PAGE, keep_entry, orphans,
                                  fresh_call(orphans, &call, orphans->page_pool)));
        FHIR_TRY(report_unknown(orphans));
        cursor = next ? apr_pstrdup(orphans->ctl->pool, next) : NULL;
        apr_pool_clear(orphans->page_pool);
    } while (cursor);
    return NULL;
}

static fhir_error_t *find_in_store(orphans_t *orphans, const char *name)
{
    orphans->store_name = name;
    FHIR_TRY(fhir_store_get(&orphans->store, orphans->ctl->settings->catalog, name, orphans->ctl->pool));
    FHIR_TRY(find_pending(orphans));
    return find_unknown(orphans);
}

fhir_error_t *fhir_ctl_store_orphans(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"store", "kind", "key", "size#", "since", "age_seconds#", "locator"};
    const char *only = fhir_ctl_option(ctl, "store");
    const char *given_age = fhir_ctl_option(ctl, "older-than");
    orphans_t orphans = {.ctl = ctl};
    apr_array_header_t *stores;
    apr_interval_time_t age = 0;
    FHIR_TRY(fhir_parse_duration(&age, given_age ? given_age : "1h", ctl->pool));
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_stores(ctl));
    orphans.before = apr_time_now() - age;
    if (only && !fhir_store_defined(ctl->settings->catalog, only)) {
        return fhir_error_public(ctl->pool, FHIR_ERROR_NOT_FOUND, "There is no store '%s'; `store list` lists them.",
                                 only);
    }
    apr_pool_create(&orphans.page_pool, ctl->pool);
    fhir_ctl_table_init(&orphans.table, ctl, names, 7);
    stores = fhir_store_names(ctl->settings->catalog, ctl->pool);
    for (int i = 0; i < stores->nelts; i++) {
        const char *name = APR_ARRAY_IDX(stores, i, const char *);
        if (!only || strcmp(only, name) == 0) {
            FHIR_TRY(find_in_store(&orphans, name));
        }
    }
    fhir_ctl_table_print(&orphans.table);
    return NULL;
}
