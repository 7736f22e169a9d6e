/* What points to Binaries, and whom those resources are about: the security context that a Binary lacks follows from
 * it. */
#include "pg_resource.h"

#include <apr_hash.h>
#include <string.h>

#define ROWS_MAX 50000

/* The current resources that have the Binary, one more than may be told: then there are more. */
#define REFERRERS                                                                                                      \
    "WITH l AS MATERIALIZED (SELECT u.place, u.id AS binary_id, f.path, f.key, f.type, f.id, f.version_id, "           \
    "row_number() OVER (PARTITION BY f.key ORDER BY u.place) = 1 AS is_first FROM unnest("
#define REFERRERS_OF_PROJECT                                                                                           \
    "::text[]) WITH ORDINALITY u (id, place) CROSS JOIN LATERAL (SELECT min(a.path) AS path, r.key, r.type, r.id, "    \
    "r.version_id FROM fhir_binary.attachment a CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource o "             \
    "WHERE o.key = a.key AND o.sequence = a.sequence AND NOT o.deleted OFFSET 0) r "                                   \
    "WHERE a.binary_id = u.id AND a.project_id = "
#define WITH_SUBJECTS                                                                                                  \
    "::uuid GROUP BY r.key, r.type, r.id, r.version_id ORDER BY r.key LIMIT %d) f LIMIT %d) "                          \
    "SELECT q.place, q.key, q.type, q.id, q.path, q.subjects, q.fits, q.is_foreign, q.version_id, q.sequence, "        \
    "q.last_updated, "                                                                                                 \
    "q.change, q.attachment_count, CASE WHEN q.shown THEN q.meta END, CASE WHEN q.shown THEN q.body END FROM "         \
    "(SELECT w.*, w.fits AND w.is_first AS shown FROM (SELECT l.*, s.subjects, NOT coalesce(bw.author_id = "           \
    "v.author_id, false) AND NOT EXISTS (SELECT FROM fhir_binary.membership m WHERE m.id = v.author_id AND m.admin) "  \
    "AS is_foreign, v.sequence, v.last_updated, "                                                                      \
    "v.change, v.attachment_count, v.meta, v.body, coalesce(sum(CASE WHEN l.is_first THEN " FHIR_PG_ANSWER_BYTES(      \
        "v") " ELSE 0 END) OVER (ORDER BY l.place, l.key), 0) <= "
/* `+Patient/1 -Group/2`: is it there or not? Patients first. */
#define OF_PROJECT                                                                                                     \
    " AS fits FROM l CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource_version y "                                \
    "WHERE y.version_id = l.version_id OFFSET 0) v LEFT JOIN LATERAL (SELECT bv.author_id FROM fhir_binary.binary b "  \
    "JOIN fhir_binary.binary_version bv ON bv.version_id = b.version_id WHERE b.project_id = "
#define SUBJECTS_OF_PROJECT                                                                                            \
    "::uuid AND b.id = l.binary_id OFFSET 0) bw ON true CROSS JOIN LATERAL (SELECT string_agg(CASE WHEN EXISTS "       \
    "(SELECT "                                                                                                         \
    "FROM fhir_binary.resource t WHERE t.project_id = "
#define REST                                                                                                           \
    "::uuid AND t.type = d.target_type AND t.id = d.target_id AND NOT t.deleted OFFSET 0) THEN '+' ELSE '-' END || "   \
    "d.target_type || '/' || d.target_id, ' ' ORDER BY d.target_type <> 'Patient', d.target_type, d.target_id) AS "    \
    "subjects FROM (SELECT x.target_type, x.target_id FROM fhir_binary.resource_reference x WHERE x.key = l.key AND "  \
    "x.name IN ('patient', 'subject') AND x.target_type <> '' AND x.target_id ~ '^[A-Za-z0-9.-]{1,64}$' "              \
    "GROUP BY x.target_type, x.target_id ORDER BY x.target_type <> 'Patient', x.target_type, x.target_id LIMIT %d) d)" \
    " s) w) q ORDER BY q.place, q.key"

enum { PLACE, KEY, TYPE, ID, PATH, SUBJECTS, FITS, FOREIGN, VERSION };

static void make_query(fhir_pg_query_t *query, const char *project_id, const apr_array_header_t *binary_ids,
                       int with_text, apr_pool_t *pool)
{
    fhir_pg_array_t ids;
    fhir_pg_array_init(&ids, pool);
    for (int i = 0; i < binary_ids->nelts; i++) {
        fhir_pg_array_add_text(&ids, APR_ARRAY_IDX(binary_ids, i, const char *));
    }
    fhir_pg_query_init(query, pool);
    fhir_text_add(&query->sql, REFERRERS);
    fhir_pg_query_text(query, fhir_pg_array_end(&ids));
    fhir_text_add(&query->sql, REFERRERS_OF_PROJECT);
    fhir_pg_query_text(query, project_id);
    fhir_text_addf(&query->sql, WITH_SUBJECTS, FHIR_REFERRERS_MAX + 1, ROWS_MAX + 1);
    fhir_text_addf(&query->sql, "%d", with_text ? FHIR_PG_PAGE_BYTES : -1);
    fhir_text_add(&query->sql, OF_PROJECT);
    fhir_pg_query_text(query, project_id);
    fhir_text_add(&query->sql, SUBJECTS_OF_PROJECT);
    fhir_pg_query_text(query, project_id);
    fhir_text_addf(&query->sql, REST, FHIR_REFERRER_SUBJECTS_MAX);
}

/* `+Type/id`, separated by blanks. */
static apr_array_header_t *read_subjects(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *subjects = apr_array_make(pool, 1, sizeof(fhir_referrer_subject_t));
    while (text && *text) {
        apr_size_t length = strcspn(text, " ");
        const char *slash = memchr(text, '/', length);
        fhir_referrer_subject_t *subject = apr_array_push(subjects);
        subject->there = *text == '+';
        subject->type = apr_pstrmemdup(pool, text + 1, (apr_size_t)(slash - text) - 1);
        subject->id = apr_pstrmemdup(pool, slash + 1, (apr_size_t)(text + length - slash) - 1);
        text += length + (text[length] == ' ');
    }
    return subjects;
}

/* A resource that has several of the Binaries is read once, from its first row. */
static const fhir_resource_t *read_resource(apr_hash_t *known, const PGresult *result, int row, const char *project_id,
                                            apr_pool_t *pool)
{
    apr_int64_t key = fhir_pg_number(result, row, KEY);
    const fhir_resource_t *resource = apr_hash_get(known, &key, sizeof(key));
    if (!resource) {
        resource = fhir_pg_resource(result, row, VERSION, project_id, fhir_pg_text(result, row, TYPE, pool),
                                    fhir_pg_text(result, row, ID, pool), pool);
        apr_hash_set(known, apr_pmemdup(pool, &key, sizeof(key)), sizeof(key), resource);
    }
    return resource;
}

static fhir_error_t *read_referrers(apr_array_header_t *referrers, const PGresult *result, const char *project_id,
                                    int with_text, apr_pool_t *pool)
{
    apr_hash_t *known = apr_hash_make(pool);
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_referrer_t *referrer = apr_array_push(referrers);
        if (row >= ROWS_MAX || (with_text && !fhir_pg_number(result, row, FITS))) {
            return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE,
                                     "Too many resources point to these Binaries: lower _count.");
        }
        referrer->binary = (int)fhir_pg_number(result, row, PLACE) - 1;
        referrer->foreign = fhir_pg_number(result, row, FOREIGN) != 0;
        referrer->path = fhir_pg_text(result, row, PATH, pool);
        referrer->resource = read_resource(known, result, row, project_id, pool);
        referrer->subjects = read_subjects(fhir_pg_text(result, row, SUBJECTS, pool), pool);
    }
    return NULL;
}

fhir_error_t *fhir_meta_referrers(apr_array_header_t **referrers, fhir_meta_t *meta, const char *project_id,
                                  const apr_array_header_t *binary_ids, int with_text, const fhir_call_t *call)
{
    fhir_pg_query_t query;
    fhir_error_t *error;
    PGresult *result;
    *referrers = apr_array_make(call->pool, 16, sizeof(fhir_referrer_t));
    if (!binary_ids->nelts) {
        return NULL;
    }
    make_query(&query, project_id, binary_ids, with_text, call->pool);
    FHIR_TRY(fhir_pg_query_run(&result, meta, &query, call));
    error = read_referrers(*referrers, result, apr_pstrdup(call->pool, project_id), with_text, call->pool);
    PQclear(result);
    return error;
}
