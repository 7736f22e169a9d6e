/* Another order than by _lastUpdated: the keys that all matches are sorted by, and pages as positions in that order.
 * Every match is looked at, as for an accurate total: nothing is faster for keys that no index has in order. */
#include "pg_resource.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int fhir_pg_is_sorted(const fhir_search_t *search)
{
    return search->sort && search->sort->nelts > 0;
}

static const char *column_of(fhir_search_type_t type)
{
    switch (type) {
    case FHIR_SEARCH_TOKEN:
        return "code";
    case FHIR_SEARCH_STRING:
        return "text";
    case FHIR_SEARCH_REFERENCE:
        return "target_id";
    case FHIR_SEARCH_DATE:
        return "low";
    default:
        return "uri";
    }
}

/* Of several values the one that comes first counts; resources without a value come last. */
static void add_key(fhir_pg_query_t *query, const fhir_sort_key_t *key)
{
    if (strcmp(key->name, "_id") == 0) {
        fhir_text_add(&query->sql, "f.id");
    } else if (strcmp(key->name, "_lastUpdated") == 0) {
        fhir_text_add(&query->sql, "f.last_updated");
    } else {
        fhir_text_addf(&query->sql,
                       "(SELECT %s(s.%s) FROM %s s WHERE s.key = f.key AND s.name = ", key->descending ? "max" : "min",
                       column_of(key->type), fhir_pg_index_table(key->type));
        fhir_pg_query_text(query, key->name);
        fhir_text_add(&query->sql, ")");
    }
    fhir_text_add(&query->sql, key->descending ? " DESC NULLS LAST, " : " ASC NULLS LAST, ");
}

void fhir_pg_add_sort(fhir_pg_query_t *query, const fhir_search_t *search)
{
    for (int i = 0; i < search->sort->nelts; i++) {
        add_key(query, &APR_ARRAY_IDX(search->sort, i, fhir_sort_key_t));
    }
    fhir_text_add(&query->sql, "f.last_updated DESC, f.key DESC");
}

fhir_error_t *fhir_pg_sort_start(int *start, const fhir_search_t *search, apr_pool_t *pool)
{
    apr_size_t digits = search->cursor ? strspn(search->cursor, "0123456789") : 0;
    *start = search->offset > 0 ? search->offset : 0;
    if (!search->cursor) {
        return NULL;
    }
    if (digits == 0 || digits > 9 || search->cursor[digits]) {
        return fhir_pg_bad_cursor(pool);
    }
    *start = atoi(search->cursor);
    return NULL;
}

const char *fhir_pg_sort_next(const fhir_search_t *search, int rows, apr_pool_t *pool)
{
    int start = 0;
    fhir_error_t *error = fhir_pg_sort_start(&start, search, pool); /* the page was found with it */
    return error || start > INT_MAX / 4 ? NULL : apr_psprintf(pool, "%d", start + rows);
}
