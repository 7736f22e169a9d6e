/* _include and _revinclude: what the matches lead to, and what leads to them, in one round trip; one more for Binaries
 * that attachments name. :iterate goes on from what was included, up to three levels from the matches. */
#include "pg_resource.h"

#include <string.h>

#define LEVELS 3
#define COUNTED_UP_TO (FHIR_SEARCH_INCLUDED_MAX + 1)

typedef struct includes_t {
    fhir_pg_query_t *query;
    const char *project_id;
    const fhir_search_t *search;
    apr_pool_t *pool;
} includes_t;

static void add(includes_t *includes, const char *sql)
{
    fhir_text_add(&includes->query->sql, sql);
}

static void add_text(includes_t *includes, const char *before, const char *value)
{
    add(includes, before);
    fhir_pg_query_text(includes->query, value);
}

static const fhir_include_t *include_at(const fhir_search_t *search, int place)
{
    return &APR_ARRAY_IDX(search->includes, place, fhir_include_t);
}

static int any_name(const fhir_include_t *include)
{
    return strcmp(include->name, "*") == 0;
}

/* ---- resources ---- */

/* Each lookup is a subquery of its own that has one index to use, as in meta_search_sql.c. */
static void add_forward(includes_t *includes, const fhir_include_t *include, int level)
{
    fhir_text_addf(&includes->query->sql,
                   "SELECT t.key, t.type, t.id FROM l%d s CROSS JOIN LATERAL (SELECT x.target_type, x.target_id "
                   "FROM fhir_binary.resource_reference x WHERE x.key = s.key",
                   level - 1);
    if (any_name(include)) {
        add(includes, " AND x.name <> '_compartment'");
    } else {
        add_text(includes, " AND x.name = ", include->name);
    }
    add(includes, " OFFSET 0) f CROSS JOIN LATERAL (SELECT o.key, o.type, o.id, o.deleted FROM fhir_binary.resource o "
                  "WHERE o.type = f.target_type AND o.id = f.target_id AND o.project_id = ");
    fhir_pg_query_text(includes->query, includes->project_id);
    add_text(includes, "::uuid OFFSET 0) t WHERE NOT t.deleted AND s.type = ", include->type);
    if (include->target) {
        add_text(includes, " AND t.type = ", include->target);
    }
}

/* The parameters that may lead to something: the rows of each have terms of their own. */
static const char *reference_names(const fhir_include_t *include, apr_pool_t *pool)
{
    fhir_pg_array_t names;
    fhir_pg_array_init(&names, pool);
    if (any_name(include)) {
        int count = 0;
        const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, include->type);
        for (int i = 0; i < count; i++) {
            if (parameters[i].type == FHIR_SEARCH_REFERENCE) {
                fhir_pg_array_add_text(&names, parameters[i].name);
            }
        }
    } else {
        fhir_pg_array_add_text(&names, include->name);
    }
    return fhir_pg_array_end(&names);
}

static void add_reverse(includes_t *includes, const fhir_include_t *include, int level)
{
    fhir_text_addf(&includes->query->sql, "SELECT t.key, t.type, t.id FROM l%d s CROSS JOIN unnest(", level - 1);
    fhir_pg_query_text(includes->query, reference_names(include, includes->pool));
    add_text(includes,
             "::text[]) n (name) CROSS JOIN LATERAL (SELECT x.key FROM fhir_binary.resource_reference x "
             "WHERE x.target_term = fhir_binary.search_term(",
             includes->project_id);
    add_text(includes, "::uuid, ", include->type);
    add(includes, ", n.name, s.id) AND x.name = n.name AND x.target_type = s.type AND x.target_id = s.id OFFSET 0) f "
                  "CROSS JOIN LATERAL (SELECT o.key, o.project_id, o.type, o.id, o.deleted FROM fhir_binary.resource o "
                  "WHERE o.key = f.key OFFSET 0) t WHERE NOT t.deleted AND t.type = ");
    fhir_pg_query_text(includes->query, include->type);
    add_text(includes, " AND t.project_id = ", includes->project_id);
    add(includes, "::uuid");
    if (include->target) {
        add_text(includes, " AND s.type = ", include->target);
    }
}

static int concerns(const fhir_include_t *include, int level)
{
    return !include->attachments && (level == 1 || include->iterate);
}

/* 0: nothing leads on from there. */
static int add_level(includes_t *includes, int level)
{
    int branches = 0;
    for (int i = 0; i < includes->search->includes->nelts; i++) {
        const fhir_include_t *include = include_at(includes->search, i);
        if (!concerns(include, level)) {
            continue;
        }
        if (branches++) {
            add(includes, " UNION ALL ");
        } else {
            fhir_text_addf(&includes->query->sql, ", l%d AS MATERIALIZED (SELECT DISTINCT n.key, n.type, n.id FROM (",
                           level);
        }
        if (include->reverse) {
            add_reverse(includes, include, level);
        } else {
            add_forward(includes, include, level);
        }
    }
    if (branches) {
        fhir_text_addf(&includes->query->sql, ") n LIMIT %d)", COUNTED_UP_TO);
    }
    return branches > 0;
}

static void add_matches(includes_t *includes, const char *keys, const apr_array_header_t *matches)
{
    fhir_pg_array_t ids;
    fhir_pg_array_init(&ids, includes->pool);
    for (int i = 0; i < matches->nelts; i++) {
        fhir_pg_array_add_text(&ids, APR_ARRAY_IDX(matches, i, const fhir_resource_t *)->id);
    }
    add_text(includes, "WITH l0 AS MATERIALIZED (SELECT m.key, m.id, ", includes->search->type);
    add_text(includes, "::text AS type FROM unnest(", keys);
    add_text(includes, "::bigint[], ", fhir_pg_array_end(&ids));
    add(includes, "::text[]) m (key, id))");
}

static const char *key_array(const apr_array_header_t *keys, apr_pool_t *pool)
{
    fhir_pg_array_t array;
    fhir_pg_array_init(&array, pool);
    for (int i = 0; i < keys->nelts; i++) {
        fhir_pg_array_add_number(&array, APR_ARRAY_IDX(keys, i, apr_int64_t));
    }
    return fhir_pg_array_end(&array);
}

#define INCLUDED_HEAD                                                                                                  \
    " SELECT q.type, q.id, q.fits, q.version_id, q.sequence, q.last_updated, q.change, q.attachment_count, "           \
    "CASE WHEN q.fits THEN q.meta END, CASE WHEN q.fits THEN q.body END FROM (SELECT r.key, r.type, r.id, "            \
    "v.version_id, v.sequence, v.last_updated, v.change, v.attachment_count, v.meta, v.body, "                         \
    "sum(" FHIR_PG_ANSWER_BYTES("v") ") OVER (ORDER BY r.key) <= %d AS fits FROM "                                     \
                                     "(SELECT DISTINCT u.key FROM ("
#define INCLUDED_TAIL                                                                                                  \
    "::bigint[]) LIMIT %d) i CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource o WHERE o.key = i.key OFFSET 0) "  \
    "r "                                                                                                               \
    "CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource_version w WHERE w.version_id = r.version_id OFFSET 0) v "  \
    "WHERE NOT r.deleted) q ORDER BY q.key"
enum { INCLUDED_TYPE, INCLUDED_ID, INCLUDED_FITS, INCLUDED_VERSION };

void fhir_pg_included_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                          const fhir_pg_found_t *found, const apr_array_header_t *matches, apr_pool_t *pool)
{
    includes_t includes = {.query = query, .project_id = project_id, .search = search, .pool = pool};
    const char *keys = key_array(found->keys, pool);
    int levels = 0;
    fhir_pg_query_init(query, pool);
    add_matches(&includes, keys, matches);
    while (levels < LEVELS && add_level(&includes, levels + 1)) {
        levels++;
    }
    fhir_text_addf(&query->sql, INCLUDED_HEAD, FHIR_PG_PAGE_BYTES);
    for (int level = 1; level <= levels; level++) {
        fhir_text_addf(&query->sql, "%sSELECT l%d.key FROM l%d", level > 1 ? " UNION ALL " : "", level, level);
    }
    add_text(&includes, ") u WHERE u.key <> ALL (", keys);
    fhir_text_addf(&query->sql, INCLUDED_TAIL, COUNTED_UP_TO);
}

static fhir_error_t *too_much(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE,
                             "The search includes too many resources: narrow the search or lower _count.");
}

static fhir_error_t *read_included(fhir_search_page_t *page, const PGresult *result, const char *project_id,
                                   apr_pool_t *pool)
{
    const char *project = apr_pstrdup(pool, project_id);
    if (PQntuples(result) > FHIR_SEARCH_INCLUDED_MAX) {
        return too_much(pool);
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (!fhir_pg_number(result, row, INCLUDED_FITS)) {
            return too_much(pool);
        }
        APR_ARRAY_PUSH(page->included, const fhir_resource_t *) =
            fhir_pg_resource(result, row, INCLUDED_VERSION, project, fhir_pg_text(result, row, INCLUDED_TYPE, pool),
                             fhir_pg_text(result, row, INCLUDED_ID, pool), pool);
    }
    return NULL;
}

/* ---- Binaries ---- */

static void add_versions(fhir_pg_array_t *versions, fhir_pg_array_t *matched, const apr_array_header_t *resources,
                         int are_matches)
{
    for (int i = 0; i < resources->nelts; i++) {
        const fhir_resource_t *resource = APR_ARRAY_IDX(resources, i, const fhir_resource_t *);
        if (resource->attachment_count > 0) {
            fhir_pg_array_add_text(versions, resource->version_id);
            fhir_pg_array_add_text(matched, are_matches ? "t" : "f");
        }
    }
}

/* The place of an attachment begins with the element that the include names. */
static void add_paths(includes_t *includes)
{
    int count = 0;
    for (int i = 0; i < includes->search->includes->nelts; i++) {
        const fhir_include_t *include = include_at(includes->search, i);
        const char *path;
        if (!include->attachments) {
            continue;
        }
        path = apr_pstrcat(includes->pool, include->type, ".", include->name, NULL);
        add(includes, count++ ? " OR (" : "(");
        add_text(includes, "starts_with(a.path, ", path);
        fhir_text_addf(&includes->query->sql, ") AND substr(a.path, %d, 1) IN ('', '[', '.')%s)", (int)strlen(path) + 1,
                       include->iterate ? "" : " AND u.matched");
    }
    add(includes, count ? "" : "false");
}

/* 0: nothing has attachments. */
int fhir_pg_included_binaries_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                                  const fhir_search_page_t *page, apr_pool_t *pool)
{
    includes_t includes = {.query = query, .project_id = project_id, .search = search, .pool = pool};
    fhir_pg_array_t versions;
    fhir_pg_array_t matched;
    fhir_pg_array_init(&versions, pool);
    fhir_pg_array_init(&matched, pool);
    add_versions(&versions, &matched, page->matches, 1);
    add_versions(&versions, &matched, page->included, 0);
    if (!versions.count) {
        return 0;
    }
    fhir_pg_query_init(query, pool);
    add(&includes, "SELECT b.id, " FHIR_PG_VERSION_COLUMNS("v", "o") " FROM (SELECT DISTINCT a.binary_id FROM unnest(");
    fhir_pg_query_text(query, fhir_pg_array_end(&versions));
    add_text(&includes, "::uuid[], ", fhir_pg_array_end(&matched));
    add(&includes, "::boolean[]) u (version_id, matched) CROSS JOIN LATERAL (SELECT * FROM fhir_binary.attachment l "
                   "WHERE l.version_id = u.version_id OFFSET 0) a WHERE a.project_id = ");
    fhir_pg_query_text(query, project_id);
    add(&includes, "::uuid AND (");
    add_paths(&includes);
    fhir_text_addf(&query->sql,
                   ") LIMIT %d) d CROSS JOIN LATERAL (SELECT * FROM fhir_binary.binary h WHERE h.id = "
                   "d.binary_id AND h.project_id = ",
                   COUNTED_UP_TO);
    fhir_pg_query_text(query, project_id);
    add(&includes, "::uuid OFFSET 0) b LEFT JOIN fhir_binary.binary_version v ON v.version_id = b.version_id "
                   "LEFT JOIN fhir_binary.object o ON o.object_key = v.object_key WHERE NOT b.deleted ORDER BY b.id");
    return 1;
}

static fhir_error_t *read_binaries(fhir_search_page_t *page, const PGresult *result, const char *project_id,
                                   apr_pool_t *pool)
{
    const char *project = apr_pstrdup(pool, project_id);
    if (PQntuples(result) + page->included->nelts > FHIR_SEARCH_INCLUDED_MAX) {
        return too_much(pool);
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const char *id = fhir_pg_text(result, row, 0, pool);
        APR_ARRAY_PUSH(page->binaries, const fhir_binary_t *) = fhir_pg_version(result, row, 1, project, id, pool);
    }
    return NULL;
}

/* ---- both ---- */

static int has_kind(const fhir_search_t *search, int attachments)
{
    for (int i = 0; i < search->includes->nelts; i++) {
        if (!include_at(search, i)->attachments == !attachments) {
            return 1;
        }
    }
    return 0;
}

fhir_error_t *fhir_meta_included_binaries(fhir_search_page_t *page, fhir_meta_t *meta, const char *project_id,
                                          const fhir_search_t *search, const fhir_call_t *call)
{
    fhir_pg_query_t query;
    fhir_error_t *error;
    PGresult *result;
    apr_array_clear(page->binaries);
    if (!has_kind(search, 1) || !fhir_pg_included_binaries_sql(&query, project_id, search, page, call->pool)) {
        return NULL;
    }
    FHIR_TRY(fhir_pg_query_run(&result, meta, &query, call));
    error = read_binaries(page, result, project_id, call->pool);
    PQclear(result);
    return error;
}

fhir_error_t *fhir_pg_load_included(fhir_search_page_t *page, fhir_meta_t *meta, const char *project_id,
                                    const fhir_search_t *search, const fhir_pg_found_t *found, const fhir_call_t *call)
{
    fhir_pg_query_t query;
    fhir_error_t *error;
    PGresult *result;
    if (has_kind(search, 0)) {
        fhir_pg_included_sql(&query, project_id, search, found, page->matches, call->pool);
        FHIR_TRY(fhir_pg_query_run(&result, meta, &query, call));
        error = read_included(page, result, project_id, call->pool);
        PQclear(result);
        FHIR_TRY(error);
    }
    return fhir_meta_included_binaries(page, meta, project_id, search, call);
}
