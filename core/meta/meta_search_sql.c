/* The statement of one page of a search.
 *
 * There are two ways to the matches. From candidates: the keys that an index gives for one criterion, at most
 * CANDIDATES_MAX of them; each resource is looked at, what fits is sorted. Or newest first: along the index of dates,
 * until the page is full. The first is fast for what is rare, the second for what is common. Which one it is, is
 * decided while the statement runs, by how many candidates there are: for the best criterion, else for the second and
 * third, else newest first. No statistics are needed, and no plan can be much worse than another: each lookup in a
 * table is a subquery of its own (LATERAL, OFFSET 0) that has one index to use. */
#include "pg_resource.h"

#include <string.h>

#define HEAD                                                                                                           \
    "SELECT t.total, q.key, q.id, q.fits, q.version_id, q.sequence, q.last_updated, q.change, q.attachment_count, "    \
    "CASE WHEN q.fits THEN q.meta END, CASE WHEN q.fits THEN q.body END FROM (SELECT "
/* octet_length of a text that is stored elsewhere does not read it. */
#define ROWS                                                                                                           \
    "SELECT %sp.key, p.id, v.version_id, v.sequence, v.last_updated, v.change, v.attachment_count, v.meta, v.body, "   \
    "row_number() OVER w <= %d AND coalesce(sum(" FHIR_PG_ANSWER_BYTES(                                                \
        "v") ") OVER (w ROWS BETWEEN "                                                                                 \
             "UNBOUNDED PRECEDING AND 1 PRECEDING), 0) < %d AS fits FROM ("
#define VERSIONS                                                                                                       \
    ") p CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource_version o WHERE o.version_id = p.version_id OFFSET "   \
    "0) v "                                                                                                            \
    "WINDOW w AS (ORDER BY "

const char *fhir_pg_cursor(apr_time_t last_updated, apr_int64_t key, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_UINT64_T_HEX_FMT "-%" APR_UINT64_T_HEX_FMT, (apr_uint64_t)last_updated,
                        (apr_uint64_t)key);
}

fhir_error_t *fhir_pg_bad_cursor(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "_cursor is not one that this server made: follow the `next` link of a page as it is.");
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
    return fhir_pg_bad_cursor(pool);
}

/* Parts of the text that come twice, with the same parameters. */
typedef struct parts_t {
    const char *resource; /* ... WHERE: project and type, and that all criteria hold, for `r` */
    const char *position; /* " AND ..." or "": after the cursor */
    int ways;             /* criteria whose candidates are looked for: c1, c2 ... */
    const char *direction;
} parts_t;

#define WAYS_MAX 3
#define CANDIDATES_MAX 10000

/* What has been added to the text since `start`. It is taken away there. */
static const char *take(fhir_pg_query_t *query, apr_size_t start, apr_pool_t *pool)
{
    const char *part = apr_pstrdup(pool, query->sql.text + start);
    query->sql.length = start;
    query->sql.text[start] = '\0';
    return part;
}

/* Criteria of which at least one holds for all that fits: one of the search's, or one of each alternative of a
 * restriction. */
#define ALTERNATIVES_MAX 16
typedef struct way_t {
    const fhir_criterion_t *criteria[ALTERNATIVES_MAX];
    int count;
    int rank; /* the worst of theirs; 0: it leads nowhere */
} way_t;

static const fhir_criterion_t *best_of(int *rank, const apr_array_header_t *criteria)
{
    const fhir_criterion_t *best = NULL;
    *rank = 0;
    for (int i = 0; i < criteria->nelts; i++) {
        const fhir_criterion_t *criterion = &APR_ARRAY_IDX(criteria, i, fhir_criterion_t);
        int found = fhir_pg_candidates_rank(criterion);
        if (found && (!best || found < *rank)) {
            best = criterion;
            *rank = found;
        }
    }
    return best;
}

static void way_of_restriction(way_t *way, const fhir_restriction_t *restriction)
{
    const apr_array_header_t *alternatives = restriction->alternatives;
    memset(way, 0, sizeof(*way));
    for (int i = 0; i < alternatives->nelts && i < ALTERNATIVES_MAX; i++) {
        int rank;
        way->criteria[way->count++] = best_of(&rank, APR_ARRAY_IDX(alternatives, i, const apr_array_header_t *));
        if (!rank || alternatives->nelts > ALTERNATIVES_MAX) {
            way->rank = 0;
            return;
        }
        way->rank = rank > way->rank ? rank : way->rank;
    }
}

static void way_of_criterion(way_t *way, const fhir_criterion_t *criterion)
{
    way->criteria[0] = criterion;
    way->count = 1;
    way->rank = fhir_pg_candidates_rank(criterion);
}

/* Those with the fewest candidates come first. */
static int keep_way(way_t *chosen, int ways, const way_t *way)
{
    int place = ways;
    if (!way->rank) {
        return ways;
    }
    while (place > 0 && chosen[place - 1].rank > way->rank) {
        place--;
    }
    if (place == WAYS_MAX) {
        return ways;
    }
    ways += ways < WAYS_MAX;
    memmove(&chosen[place + 1], &chosen[place], sizeof(*chosen) * (size_t)(ways - 1 - place));
    chosen[place] = *way;
    return ways;
}

static int choose_ways(way_t *chosen, const fhir_search_t *search)
{
    way_t way;
    int ways = 0;
    for (int i = 0; search->criteria && i < search->criteria->nelts; i++) {
        way_of_criterion(&way, &APR_ARRAY_IDX(search->criteria, i, fhir_criterion_t));
        ways = keep_way(chosen, ways, &way);
    }
    for (int i = 0; search->restrictions && i < search->restrictions->nelts; i++) {
        way_of_restriction(&way, &APR_ARRAY_IDX(search->restrictions, i, fhir_restriction_t));
        ways = keep_way(chosen, ways, &way);
    }
    return ways;
}

static int add_ways(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search)
{
    way_t chosen[WAYS_MAX];
    int ways = choose_ways(chosen, search);
    for (int way = 1; way <= ways; way++) {
        fhir_text_addf(&query->sql, "%sc%d AS MATERIALIZED (SELECT c.key FROM (", way > 1 ? ", " : "WITH ", way);
        for (int i = 0; i < chosen[way - 1].count; i++) {
            fhir_text_add(&query->sql, i ? " UNION ALL " : "");
            fhir_pg_add_candidates(query, project_id, search->type, chosen[way - 1].criteria[i]);
        }
        fhir_text_addf(&query->sql, ") c LIMIT %d)", CANDIDATES_MAX + 1);
    }
    return ways;
}

/* That the ways before had too many candidates, and this one has not. Looked at before anything else, each once. */
static void add_choice(fhir_pg_query_t *query, int way, int ways)
{
    for (int other = 1; other <= ways && other <= way; other++) {
        fhir_text_addf(&query->sql, "(SELECT count(*) FROM c%d) %s %d AND ", other, other == way ? "<=" : ">",
                       CANDIDATES_MAX);
    }
}

#define RESOURCE "r.key, r.project_id, r.type, r.id, r.version_id, r.last_updated, r.deleted"

/* All that fits, newest first up to `rows` of them. rows 0: all, to be counted. */
static void add_found(fhir_pg_query_t *query, const parts_t *parts, int rows)
{
    for (int way = 1; way <= parts->ways; way++) {
        fhir_text_addf(&query->sql,
                       "SELECT r.key, r.id, r.version_id, r.last_updated FROM (SELECT DISTINCT c.key FROM c%d c) k "
                       "CROSS JOIN LATERAL (SELECT " RESOURCE " FROM fhir_binary.resource r WHERE r.key = k.key "
                       "OFFSET 0) r WHERE ",
                       way);
        add_choice(query, way, parts->ways);
        fhir_text_add(&query->sql, parts->resource);
        fhir_text_add(&query->sql, rows ? parts->position : "");
        fhir_text_add(&query->sql, " UNION ALL ");
    }
    fhir_text_add(&query->sql, "(SELECT r.key, r.id, r.version_id, r.last_updated FROM fhir_binary.resource r WHERE ");
    add_choice(query, parts->ways + 1, parts->ways);
    fhir_text_add(&query->sql, parts->resource);
    if (rows) {
        fhir_text_addf(&query->sql, "%s ORDER BY r.last_updated %s, r.key %s LIMIT %d", parts->position,
                       parts->direction, parts->direction, rows);
    }
    fhir_text_add(&query->sql, ")");
}

static const char *resource_part(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                                 apr_pool_t *pool)
{
    apr_size_t start = query->sql.length;
    fhir_text_add(&query->sql, "r.project_id = ");
    fhir_pg_query_text(query, project_id);
    fhir_text_add(&query->sql, "::uuid AND r.type = ");
    fhir_pg_query_text(query, search->type);
    fhir_text_add(&query->sql, " AND NOT r.deleted");
    fhir_pg_add_criteria(query, search);
    return take(query, start, pool);
}

static fhir_error_t *position_part(const char **part, fhir_pg_query_t *query, const fhir_search_t *search,
                                   apr_pool_t *pool)
{
    apr_size_t start = query->sql.length;
    apr_time_t last_updated;
    apr_int64_t key;
    *part = "";
    if (!search->cursor || fhir_pg_is_sorted(search)) {
        return NULL;
    }
    FHIR_TRY(read_cursor(&last_updated, &key, search->cursor, pool));
    fhir_text_addf(&query->sql, " AND (r.last_updated, r.key) %s (timestamptz 'epoch' + ",
                   search->ascending ? ">" : "<");
    fhir_pg_query_number(query, last_updated);
    fhir_text_add(&query->sql, "::bigint * interval '1 microsecond', ");
    fhir_pg_query_number(query, key);
    fhir_text_add(&query->sql, "::bigint)");
    *part = take(query, start, pool);
    return NULL;
}

static void add_rows(fhir_pg_query_t *query, const parts_t *parts, const fhir_search_t *search, int limit)
{
    int offset = search->offset > 0 ? search->offset : 0;
    fhir_text_addf(&query->sql, ROWS, "", limit, FHIR_PG_PAGE_BYTES);
    fhir_text_add(&query->sql, "SELECT f.key, f.id, f.version_id, f.last_updated FROM (");
    add_found(query, parts, limit + 1 + offset);
    fhir_text_addf(&query->sql, ") f ORDER BY f.last_updated %s, f.key %s LIMIT %d OFFSET %d", parts->direction,
                   parts->direction, limit + 1, offset);
    fhir_text_addf(&query->sql, VERSIONS "p.last_updated %s, p.key %s)", parts->direction, parts->direction);
}

static fhir_error_t *add_sorted_rows(fhir_pg_query_t *query, const parts_t *parts, const fhir_search_t *search,
                                     int limit, apr_pool_t *pool)
{
    int start;
    FHIR_TRY(fhir_pg_sort_start(&start, search, pool));
    fhir_text_addf(&query->sql, ROWS, "p.position, ", limit, FHIR_PG_PAGE_BYTES);
    fhir_text_add(&query->sql, "SELECT f.key, f.id, f.version_id, f.last_updated, row_number() OVER (ORDER BY ");
    fhir_pg_add_sort(query, search);
    fhir_text_add(&query->sql, ") AS position FROM (");
    add_found(query, parts, 0);
    fhir_text_addf(&query->sql, ") f ORDER BY position LIMIT %d OFFSET %d", limit + 1, start);
    fhir_text_add(&query->sql, VERSIONS "p.position)");
    return NULL;
}

fhir_error_t *fhir_pg_search_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                                 const fhir_pg_page_t *page, apr_pool_t *pool)
{
    parts_t parts = {.direction = search->ascending ? "ASC" : "DESC"};
    fhir_pg_query_init(query, pool);
    parts.resource = resource_part(query, project_id, search, pool);
    FHIR_TRY(position_part(&parts.position, query, search, pool));
    parts.ways = add_ways(query, project_id, search);
    fhir_text_add(&query->sql, HEAD);
    if (page->counted) {
        fhir_text_add(&query->sql, "count(*) AS total FROM (");
        add_found(query, &parts, 0);
        fhir_text_add(&query->sql, ") n");
    } else {
        fhir_text_add(&query->sql, "NULL::bigint AS total");
    }
    fhir_text_add(&query->sql, ") t LEFT JOIN (");
    if (fhir_pg_is_sorted(search)) {
        FHIR_TRY(add_sorted_rows(query, &parts, search, page->limit, pool));
        fhir_text_add(&query->sql, ") q ON true ORDER BY q.position");
        return NULL;
    }
    add_rows(query, &parts, search, page->limit);
    fhir_text_addf(&query->sql, ") q ON true ORDER BY q.last_updated %s, q.key %s", parts.direction, parts.direction);
    return NULL;
}
