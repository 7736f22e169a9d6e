/* Search: one page of matches, and what they include. */
#include "pg_resource.h"

#include <string.h>

static int is_counted(const fhir_search_t *search)
{
    return search->total != FHIR_TOTAL_NONE || search->count <= 0 || search->view.summary == FHIR_SUMMARY_COUNT;
}

/* What follows may be on the next page: then the last row that is on this one becomes its cursor. */
static void read_rows(fhir_search_page_t *page, fhir_pg_found_t *found, const PGresult *result, const char *project_id,
                      const fhir_search_t *search, apr_pool_t *pool)
{
    const char *type = apr_pstrdup(pool, search->type);
    for (int row = 0; row < PQntuples(result) && !PQgetisnull(result, row, FHIR_PG_PAGE_KEY); row++) {
        const fhir_resource_t *resource;
        if (!fhir_pg_number(result, row, FHIR_PG_PAGE_FITS)) {
            const fhir_resource_t *last;
            if (row == 0) { /* only the number was asked for */
                return;
            }
            last = APR_ARRAY_IDX(page->matches, row - 1, const fhir_resource_t *);
            page->next =
                fhir_pg_is_sorted(search)
                    ? fhir_pg_sort_next(search, row, pool)
                    : fhir_pg_cursor(last->last_updated, APR_ARRAY_IDX(found->keys, row - 1, apr_int64_t), pool);
            return;
        }
        resource = fhir_pg_resource(result, row, FHIR_PG_PAGE_VERSION, project_id, type,
                                    fhir_pg_text(result, row, FHIR_PG_PAGE_ID, pool), pool);
        APR_ARRAY_PUSH(page->matches, const fhir_resource_t *) = resource;
        APR_ARRAY_PUSH(found->keys, apr_int64_t) = fhir_pg_number(result, row, FHIR_PG_PAGE_KEY);
    }
}

void fhir_pg_read_page(fhir_search_page_t *page, fhir_pg_found_t *found, const PGresult *result, const char *project_id,
                       const fhir_search_t *search, apr_pool_t *pool)
{
    int from_first = !search->cursor && search->offset <= 0;
    memset(page, 0, sizeof(*page));
    page->matches = apr_array_make(pool, 16, sizeof(const fhir_resource_t *));
    page->included = apr_array_make(pool, 16, sizeof(const fhir_resource_t *));
    page->binaries = apr_array_make(pool, 16, sizeof(const fhir_binary_t *));
    page->total = -1;
    found->keys = apr_array_make(pool, 16, sizeof(apr_int64_t));
    read_rows(page, found, result, apr_pstrdup(pool, project_id), search, pool);
    if (!PQgetisnull(result, 0, FHIR_PG_PAGE_TOTAL)) {
        page->total = fhir_pg_number(result, 0, FHIR_PG_PAGE_TOTAL);
    } else if (from_first && !page->next) {
        page->total = page->matches->nelts;
    }
}

fhir_error_t *fhir_meta_search(fhir_search_page_t *page, fhir_meta_t *meta, const char *project_id,
                               const fhir_search_t *search, const fhir_call_t *call)
{
    int only_total = search->count <= 0 || search->view.summary == FHIR_SUMMARY_COUNT;
    fhir_pg_page_t limits = {.limit = search->count < FHIR_SEARCH_COUNT_MAX ? search->count : FHIR_SEARCH_COUNT_MAX,
                             .counted = is_counted(search)};
    fhir_pg_found_t found;
    fhir_pg_query_t query;
    PGresult *result;
    memset(page, 0, sizeof(*page));
    limits.limit = only_total ? 0 : limits.limit;
    FHIR_TRY(fhir_pg_search_sql(&query, project_id, search, &limits, call->pool));
    FHIR_TRY(fhir_pg_query_run(&result, meta, &query, call));
    fhir_pg_read_page(page, &found, result, project_id, search, call->pool);
    PQclear(result);
    if (only_total || !page->matches->nelts || !search->includes || !search->includes->nelts) {
        return NULL;
    }
    return fhir_pg_load_included(page, meta, project_id, search, &found, call);
}
