/* The committed objects in pages, and what the rows say about stores. */
#include "object_copy.h"
#include "pg.h"

#include "../base/digest.h"

#define FILTER                                                                                                         \
    "o.committed_at IS NOT NULL AND ($1::text IS NULL OR o.store = $1) "                                               \
    "AND ($2::uuid IS NULL OR o.project_id = $2::uuid) "                                                               \
    "AND ($3::bigint = 0 OR o.committed_at >= timestamptz 'epoch' + $3::bigint * interval '1 microsecond') "           \
    "AND NOT ($4::boolean AND EXISTS (SELECT FROM fhir_binary.object_copy c WHERE c.object_key = o.object_key)) "

/* By chance, but the same for each look at a row: keys are hashed with a number that is drawn for each statement. */
#define HASHES APR_INT64_C(4294967296)
#define SHARE                                                                                                          \
    "AND ($6::bigint >= 4294967296 "                                                                                   \
    "OR (pg_catalog.uuid_hash_extended(o.object_key, $8::bigint) & 4294967295) < $6::bigint) "

static const fhir_pg_statement_t objects_committed = {
    FHIR_PG_OBJECTS_COMMITTED, 1,
    "SELECT " FHIR_PG_CONTENT_COLUMNS("o") ", (SELECT v.content_type FROM fhir_binary.binary_version v "
                                           "WHERE v.object_key = o.object_key LIMIT 1) "
                                           "FROM fhir_binary.object o WHERE " FILTER
                                           "AND ($5::uuid IS NULL OR o.object_key > $5::uuid) " SHARE
                                           "ORDER BY o.object_key LIMIT $7::bigint"};
/* The same in one store: in the order of an index that has nothing else. */
static const fhir_pg_statement_t objects_of_store = {
    FHIR_PG_OBJECTS_OF_STORE, 1,
    "SELECT " FHIR_PG_CONTENT_COLUMNS("o") ", (SELECT v.content_type FROM fhir_binary.binary_version v "
                                           "WHERE v.object_key = o.object_key LIMIT 1) "
                                           "FROM fhir_binary.object o WHERE o.store = $1 AND " FILTER
                                           "AND o.object_key > coalesce($5::uuid, "
                                           "'00000000-0000-0000-0000-000000000000') " SHARE
                                           "ORDER BY o.store, o.object_key LIMIT $7::bigint"};

static const fhir_pg_statement_t objects_count = {
    FHIR_PG_OBJECTS_COUNT, 1,
    "SELECT count(*), coalesce(sum(o.size), 0)::bigint FROM fhir_binary.object o WHERE " FILTER};

static const fhir_pg_statement_t object_find = {
    FHIR_PG_OBJECT_FIND, 1,
    "SELECT " FHIR_PG_CONTENT_COLUMNS("o") " FROM fhir_binary.object o WHERE o.object_key = $1::uuid "
                                           "AND o.committed_at IS NOT NULL"};

/* By the index of versions by object; whatever the rows of the others are. */
static const fhir_pg_statement_t object_use = {
    FHIR_PG_OBJECT_USE, 1,
    "SELECT o.project_id, v.binary_id, v.version_id, (SELECT count(*) FROM fhir_binary.binary_version n "
    "WHERE n.object_key = o.object_key) - 1 FROM fhir_binary.object o LEFT JOIN LATERAL "
    "(SELECT binary_id, version_id FROM fhir_binary.binary_version WHERE object_key = o.object_key "
    "ORDER BY last_updated DESC, sequence DESC LIMIT 1) v ON true WHERE o.object_key = $1::uuid"};

static const fhir_pg_statement_t store_stat = {
    FHIR_PG_STORE_STAT, 1,
    "WITH o AS (SELECT store, count(*) FILTER (WHERE committed_at IS NOT NULL) AS objects, "
    "coalesce(sum(size) FILTER (WHERE committed_at IS NOT NULL), 0)::bigint AS bytes, "
    "count(DISTINCT project_id) AS projects, count(*) FILTER (WHERE committed_at IS NULL) AS pending, "
    "min(created_at) FILTER (WHERE committed_at IS NULL) AS oldest FROM fhir_binary.object GROUP BY store), "
    "c AS (SELECT store, count(*) FILTER (WHERE state = 1) AS writing, count(*) FILTER (WHERE state = 2) AS left_over "
    "FROM fhir_binary.object_copy GROUP BY store), "
    "d AS (SELECT d.store, count(*) AS awaited, max(d.expires_at) AS until FROM fhir_binary.direct_upload d "
    "JOIN fhir_binary.object o ON " FHIR_PG_AWAITED " WHERE o.committed_at IS NULL GROUP BY d.store) "
    "SELECT store, coalesce(o.objects, 0), coalesce(o.bytes, 0), coalesce(o.projects, 0), coalesce(o.pending, 0), "
    "o.oldest, coalesce(c.writing, 0), coalesce(c.left_over, 0), coalesce(d.awaited, 0), d.until "
    "FROM o FULL JOIN c USING (store) LEFT JOIN d USING (store) ORDER BY store"};

/* From one store to the next in the index, however many objects are between. */
static const fhir_pg_statement_t stores_needed = {
    FHIR_PG_STORES_NEEDED, 1,
    "WITH RECURSIVE s (store) AS ((SELECT store FROM fhir_binary.object WHERE committed_at IS NOT NULL "
    "ORDER BY store LIMIT 1) UNION ALL SELECT (SELECT o.store FROM fhir_binary.object o "
    "WHERE o.committed_at IS NOT NULL AND o.store > s.store ORDER BY o.store LIMIT 1) FROM s "
    "WHERE s.store IS NOT NULL) SELECT store FROM s WHERE store IS NOT NULL"};

/* Elsewhere: what is an object there, or may become one. A direct upload that is left alone (3) looks after nothing. */
static const fhir_pg_statement_t locators_known = {
    FHIR_PG_LOCATORS_KNOWN, 1,
    "SELECT CASE WHEN EXISTS (SELECT FROM fhir_binary.object o WHERE o.locator = l.locator AND o.store = $1) "
    "OR EXISTS (SELECT FROM fhir_binary.object_copy c WHERE c.locator = l.locator AND c.store = $1) "
    "OR EXISTS (SELECT FROM fhir_binary.direct_upload d WHERE d.locator = l.locator AND d.store = $1 "
    "AND d.state <> 3) THEN 1 "
    "WHEN EXISTS (SELECT FROM fhir_binary.object o WHERE o.locator = l.locator) "
    "OR EXISTS (SELECT FROM fhir_binary.object_copy c WHERE c.locator = l.locator AND c.state = 1) THEN 2 ELSE 0 END "
    "FROM unnest($2::text[]) WITH ORDINALITY l (locator, place) ORDER BY l.place"};

static void add_filter(fhir_pg_parameters_t *parameters, const fhir_object_filter_t *filter)
{
    fhir_pg_add_text(parameters, filter->store);
    fhir_pg_add_text(parameters, filter->project_id);
    fhir_pg_add_time(parameters, filter->since);
    fhir_pg_add_boolean(parameters, filter->without_copy);
}

fhir_error_t *fhir_meta_objects_committed(apr_array_header_t **objects, fhir_meta_t *meta,
                                          const fhir_object_filter_t *filter, const char *after, int count,
                                          const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_int64_t drawn;
    PGresult *result;
    *objects = apr_array_make(call->pool, count, sizeof(fhir_stored_object_t));
    add_filter(&parameters, filter);
    fhir_pg_add_text(&parameters, after);
    FHIR_TRY(fhir_random_bytes(&drawn, sizeof(drawn), call->pool));
    fhir_pg_add_number(&parameters, (apr_int64_t)(filter->share * (double)HASHES));
    fhir_pg_add_number(&parameters, count);
    fhir_pg_add_number(&parameters, drawn);
    FHIR_TRY(fhir_pg_run(&result, meta, filter->store ? &objects_of_store : &objects_committed, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_stored_object_t *object = apr_array_push(*objects);
        object->content = *fhir_pg_content(result, row, 0, call->pool);
        object->content_type = fhir_pg_text(result, row, FHIR_PG_CONTENT_WIDTH, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_objects_count(apr_off_t *count, apr_off_t *bytes, fhir_meta_t *meta,
                                      const fhir_object_filter_t *filter, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    add_filter(&parameters, filter);
    FHIR_TRY(fhir_pg_run(&result, meta, &objects_count, &parameters, call));
    *count = fhir_pg_number(result, 0, 0);
    *bytes = fhir_pg_number(result, 0, 1);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_object_find(const fhir_content_t **content, fhir_meta_t *meta, const char *object_key,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *content = NULL;
    fhir_pg_add_text(&parameters, object_key);
    FHIR_TRY(fhir_pg_run(&result, meta, &object_find, &parameters, call));
    if (PQntuples(result)) {
        *content = fhir_pg_content(result, 0, 0, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_object_use(const fhir_object_use_t **use, fhir_meta_t *meta, const char *object_key,
                                   const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *use = NULL;
    fhir_pg_add_text(&parameters, object_key);
    FHIR_TRY(fhir_pg_run(&result, meta, &object_use, &parameters, call));
    if (PQntuples(result)) {
        fhir_object_use_t *made = apr_pcalloc(call->pool, sizeof(*made));
        const char *binary = fhir_pg_text(result, 0, 1, call->pool);
        made->project_id = fhir_pg_uuid(result, 0, 0, call->pool);
        if (binary) {
            made->version =
                apr_pstrcat(call->pool, "Binary/", binary, "/_history/", fhir_pg_uuid(result, 0, 2, call->pool), NULL);
            made->more = fhir_pg_number(result, 0, 3);
        }
        *use = made;
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_store_stat(apr_array_header_t **stats, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *stats = apr_array_make(call->pool, 4, sizeof(fhir_store_stat_t));
    FHIR_TRY(fhir_pg_run(&result, meta, &store_stat, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_store_stat_t *stat = apr_array_push(*stats);
        stat->store = fhir_pg_text(result, row, 0, call->pool);
        stat->objects = fhir_pg_number(result, row, 1);
        stat->bytes = fhir_pg_number(result, row, 2);
        stat->projects = fhir_pg_number(result, row, 3);
        stat->pending = fhir_pg_number(result, row, 4);
        stat->oldest_pending = fhir_pg_time(result, row, 5);
        stat->writing = fhir_pg_number(result, row, 6);
        stat->left_over = fhir_pg_number(result, row, 7);
        stat->awaited = fhir_pg_number(result, row, 8);
        stat->awaited_until = fhir_pg_time(result, row, 9);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_stores_needed(apr_array_header_t **names, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *names = apr_array_make(call->pool, 4, sizeof(const char *));
    FHIR_TRY(fhir_pg_run(&result, meta, &stores_needed, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        APR_ARRAY_PUSH(*names, const char *) = fhir_pg_text(result, row, 0, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_locators_known(apr_array_header_t **known, fhir_meta_t *meta, const char *store,
                                       const apr_array_header_t *locators, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_array_t array;
    PGresult *result;
    *known = apr_array_make(call->pool, locators->nelts + 1, sizeof(fhir_knowledge_t));
    if (locators->nelts == 0) {
        return NULL;
    }
    fhir_pg_array_init(&array, call->pool);
    for (int i = 0; i < locators->nelts; i++) {
        fhir_pg_array_add_text(&array, APR_ARRAY_IDX(locators, i, const char *));
    }
    fhir_pg_add_text(&parameters, store);
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&array));
    FHIR_TRY(fhir_pg_run(&result, meta, &locators_known, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        APR_ARRAY_PUSH(*known, fhir_knowledge_t) = (fhir_knowledge_t)fhir_pg_number(result, row, 0);
    }
    PQclear(result);
    return NULL;
}
