/* Searches of the audit trail, newest first. */
#include "meta_audit_private.h"

#include "../fhir/search.h"

#include <string.h>

static void add_time(fhir_pg_query_t *query, const char *operation, apr_time_t time)
{
    fhir_text_addf(&query->sql, " AND recorded %s 'epoch'::timestamptz + ", operation);
    fhir_pg_query_number(query, time);
    fhir_text_add(&query->sql, "::bigint * interval '1 microsecond'");
}

static void add_list(fhir_pg_query_t *query, const char *expression, const apr_array_header_t *values)
{
    if (!values) {
        return;
    }
    fhir_text_addf(&query->sql, " AND %s IN (NULL", expression);
    for (int i = 0; i < values->nelts; i++) {
        fhir_text_add(&query->sql, ", ");
        fhir_pg_query_text(query, APR_ARRAY_IDX(values, i, const char *));
    }
    fhir_text_add(&query->sql, ")");
}

static void add_addresses(fhir_pg_query_t *query, const apr_array_header_t *values)
{
    for (int i = 0; values && i < values->nelts; i++) {
        fhir_text_add(&query->sql, i ? " OR starts_with(address, " : " AND (starts_with(address, ");
        fhir_pg_query_text(query, APR_ARRAY_IDX(values, i, const char *));
        fhir_text_add(&query->sql, ")");
    }
    fhir_text_add(&query->sql, values ? values->nelts ? ")" : " AND false" : "");
}

static void add_entities(fhir_pg_query_t *query, const apr_array_header_t *values, apr_pool_t *pool)
{
    for (int i = 0; values && i < values->nelts; i++) {
        const char *reference = APR_ARRAY_IDX(values, i, const char *);
        const char *slash = strchr(reference, '/');
        fhir_text_add(&query->sql, i ? " OR (entity_type = " : " AND ((entity_type = ");
        fhir_pg_query_text(query, apr_pstrmemdup(pool, reference, (apr_size_t)(slash - reference)));
        fhir_text_add(&query->sql, " AND entity_id = ");
        fhir_pg_query_text(query, slash + 1);
        fhir_text_add(&query->sql, ")");
    }
    fhir_text_add(&query->sql, values ? values->nelts ? ")" : " AND false" : "");
}

/* An id tells its time: so that the index of times finds it. */
static void add_ids(fhir_pg_query_t *query, const apr_array_header_t *values, apr_pool_t *pool)
{
    apr_array_header_t *known = apr_array_make(pool, 4, sizeof(const char *));
    apr_time_t first = FHIR_DATE_MAX;
    apr_time_t last = FHIR_DATE_MIN;
    for (int i = 0; values && i < values->nelts; i++) {
        apr_time_t low;
        apr_time_t high;
        if (fhir_audit_event_time(&low, &high, APR_ARRAY_IDX(values, i, const char *))) {
            APR_ARRAY_PUSH(known, const char *) = APR_ARRAY_IDX(values, i, const char *);
            first = low < first ? low : first;
            last = high > last ? high : last;
        }
    }
    if (!values) {
        return;
    }
    fhir_text_add(&query->sql, known->nelts ? "" : " AND false");
    if (known->nelts) {
        add_time(query, ">=", first);
        add_time(query, "<=", last);
        add_list(query, "id::text", known);
    }
}

static void add_criteria(fhir_pg_query_t *query, const char *project_id, const fhir_audit_search_t *search,
                         apr_pool_t *pool)
{
    static const char *const kinds[] = {"", " AND interaction = 'login'", " AND interaction <> 'login'", " AND false"};
    fhir_text_add(&query->sql, " FROM fhir_binary.audit_event WHERE true");
    if (project_id) {
        fhir_text_add(&query->sql, " AND project_id = ");
        fhir_pg_query_text(query, project_id);
        fhir_text_add(&query->sql, "::uuid");
    }
    if (search->low > FHIR_DATE_MIN) {
        add_time(query, ">=", search->low);
    }
    if (search->high < FHIR_DATE_MAX) {
        add_time(query, "<=", search->high);
    }
    add_ids(query, search->ids, pool);
    add_entities(query, search->entities, pool);
    add_list(query, "agent_profile", search->agents);
    add_list(query, "membership_id::text", search->members);
    add_list(query, "action", search->actions);
    add_list(query, "outcome::text", search->outcomes);
    add_list(query, "interaction", search->interactions);
    add_addresses(query, search->addresses);
    fhir_text_add(&query->sql, kinds[search->login & 3]);
}

static void add_page(fhir_pg_query_t *query, const char *project_id, const fhir_audit_search_t *search)
{
    if (search->before_sequence && project_id) {
        fhir_text_add(&query->sql, " AND (recorded, sequence) < ('epoch'::timestamptz + ");
        fhir_pg_query_number(query, search->before);
        fhir_text_add(&query->sql, "::bigint * interval '1 microsecond', ");
        fhir_pg_query_number(query, search->before_sequence);
        fhir_text_add(&query->sql, "::bigint)");
    } else if (search->before_sequence) {
        fhir_text_add(&query->sql, " AND sequence < ");
        fhir_pg_query_number(query, search->before_sequence);
        fhir_text_add(&query->sql, "::bigint");
    }
    /* Of one project by its index, of all projects by the chain. */
    fhir_text_addf(&query->sql, " ORDER BY %ssequence DESC LIMIT %d", project_id ? "recorded DESC, " : "",
                   search->count + 1);
}

static fhir_error_t *count_all(apr_off_t *total, fhir_meta_t *meta, const char *project_id,
                               const fhir_audit_search_t *search, const fhir_call_t *call)
{
    fhir_pg_query_t query;
    PGresult *result;
    fhir_pg_query_init(&query, call->pool);
    fhir_text_add(&query.sql, "SELECT count(*)");
    add_criteria(&query, project_id, search, call->pool);
    FHIR_TRY(fhir_pg_query_run(&result, meta, &query, call));
    *total = PQntuples(result) == 1 ? (apr_off_t)fhir_pg_number(result, 0, 0) : 0;
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_audit_search(apr_array_header_t **events, apr_off_t *total, fhir_meta_t *meta,
                                     const char *project_id, const fhir_audit_search_t *search, const fhir_call_t *call)
{
    fhir_pg_query_t query;
    PGresult *result;
    *events = apr_array_make(call->pool, search->count + 1, sizeof(fhir_audit_event_t *));
    *total = -1;
    if (search->totals) {
        FHIR_TRY(count_all(total, meta, project_id, search, call));
    }
    if (search->count == 0) {
        return NULL;
    }
    fhir_pg_query_init(&query, call->pool);
    fhir_text_addf(&query.sql, "SELECT %s", fhir_pg_audit_columns);
    add_criteria(&query, project_id, search, call->pool);
    add_page(&query, project_id, search);
    FHIR_TRY(fhir_pg_query_run(&result, meta, &query, call));
    for (int row = 0; row < PQntuples(result); row++) {
        APR_ARRAY_PUSH(*events, fhir_audit_event_t *) = fhir_pg_audit_event(result, row, call->pool);
    }
    PQclear(result);
    return NULL;
}
