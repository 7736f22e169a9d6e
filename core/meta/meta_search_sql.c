/* The statement of one page of a search. */
#include "pg_resource.h"

#include <string.h>

#define HEAD                                                                                                           \
    "SELECT t.total, q.key, q.id, q.fits, q.version_id, q.sequence, q.last_updated, q.change, q.attachment_count, "    \
    "CASE WHEN q.fits THEN q.meta END, CASE WHEN q.fits THEN q.body END FROM (SELECT "
/* octet_length of a text that is stored elsewhere does not read it. */
#define ROWS                                                                                                           \
    "SELECT p.key, p.id, v.version_id, v.sequence, v.last_updated, v.change, v.attachment_count, v.meta, v.body, "     \
    "row_number() OVER w <= %d AND coalesce(sum(octet_length(v.meta) + octet_length(v.body)) OVER (w ROWS BETWEEN "    \
    "UNBOUNDED PRECEDING AND 1 PRECEDING), 0) < %d AS fits FROM ("
#define VERSIONS                                                                                                       \
    ") p JOIN fhir_binary.resource_version v ON v.version_id = p.version_id WINDOW w AS (ORDER BY p.last_updated %s, " \
    "p.key %s)"

const char *fhir_pg_cursor(apr_time_t last_updated, apr_int64_t key, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_UINT64_T_HEX_FMT "-%" APR_UINT64_T_HEX_FMT, (apr_uint64_t)last_updated,
                        (apr_uint64_t)key);
}

/* Up to fifteen hex digits: no overflow. NULL: no number. */
static const char *read_hex(apr_int64_t *number, const char *text)
{
    const char *next = text;
    *number = 0;
    for (; next - text < 15; next++) {
        int digit = *next >= '0' && *next <= '9' ? *next - '0' : *next >= 'a' && *next <= 'f' ? *next - 'a' + 10 : -1;
        if (digit < 0) {
            break;
        }
        *number = *number * 16 + digit;
    }
    return next > text ? next : NULL;
}

static fhir_error_t *read_cursor(apr_time_t *last_updated, apr_int64_t *key, const char *cursor, apr_pool_t *pool)
{
    apr_int64_t number;
    const char *next = read_hex(&number, cursor);
    *last_updated = number;
    if (next && *next == '-') {
        next = read_hex(key, next + 1);
        if (next && !*next && *last_updated <= FHIR_DATE_MAX) {
            return NULL;
        }
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "_cursor is not one that this server made: follow the `next` link of a page as it is.");
}

static void add_resources(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search)
{
    fhir_text_add(&query->sql, " FROM fhir_binary.resource r WHERE r.project_id = ");
    fhir_pg_query_text(query, project_id);
    fhir_text_add(&query->sql, "::uuid AND r.type = ");
    fhir_pg_query_text(query, search->type);
    fhir_text_add(&query->sql, " AND NOT r.deleted");
    fhir_pg_add_criteria(query, project_id, search);
}

static fhir_error_t *add_position(fhir_pg_query_t *query, const fhir_search_t *search, apr_pool_t *pool)
{
    apr_time_t last_updated;
    apr_int64_t key;
    if (!search->cursor) {
        return NULL;
    }
    FHIR_TRY(read_cursor(&last_updated, &key, search->cursor, pool));
    fhir_text_addf(&query->sql, " AND (r.last_updated, r.key) %s (timestamptz 'epoch' + ",
                   search->ascending ? ">" : "<");
    fhir_pg_query_number(query, last_updated);
    fhir_text_add(&query->sql, "::bigint * interval '1 microsecond', ");
    fhir_pg_query_number(query, key);
    fhir_text_add(&query->sql, "::bigint)");
    return NULL;
}

static fhir_error_t *add_rows(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search, int limit,
                              apr_pool_t *pool)
{
    const char *direction = search->ascending ? "ASC" : "DESC";
    fhir_text_addf(&query->sql, ROWS, limit, FHIR_PG_PAGE_BYTES);
    fhir_text_add(&query->sql, "SELECT r.key, r.id, r.version_id, r.last_updated");
    add_resources(query, project_id, search);
    FHIR_TRY(add_position(query, search, pool));
    fhir_text_addf(&query->sql, " ORDER BY r.last_updated %s, r.key %s LIMIT %d OFFSET %d", direction, direction,
                   limit + 1, search->offset > 0 ? search->offset : 0);
    fhir_text_addf(&query->sql, VERSIONS, direction, direction);
    return NULL;
}

fhir_error_t *fhir_pg_search_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                                 const fhir_pg_page_t *page, apr_pool_t *pool)
{
    const char *direction = search->ascending ? "ASC" : "DESC";
    fhir_pg_query_init(query, pool);
    fhir_text_add(&query->sql, HEAD);
    if (page->counted) {
        fhir_text_add(&query->sql, "count(*)");
        fhir_text_add(&query->sql, " AS total");
        add_resources(query, project_id, search);
    } else {
        fhir_text_add(&query->sql, "NULL::bigint AS total");
    }
    fhir_text_add(&query->sql, ") t LEFT JOIN (");
    FHIR_TRY(add_rows(query, project_id, search, page->limit, pool));
    fhir_text_addf(&query->sql, ") q ON true ORDER BY q.last_updated %s, q.key %s", direction, direction);
    return NULL;
}
