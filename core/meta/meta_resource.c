/* Reading resources. What every request asks first is one statement: who asks, and the resource in his project. */
#include "pg_resource.h"

#include <string.h>

#define MEMBERSHIP FHIR_PG_MEMBERSHIP_COLUMNS
#define FROM_MEMBER                                                                                                    \
    "FROM fhir_binary.membership m "                                                                                   \
    "LEFT JOIN fhir_binary.resource r ON r.project_id = m.project_id AND r.type = $4 AND r.id = $5 "
#define WHERE_KEY "WHERE m.subject = $1 AND m.kind = $2::smallint AND m.issuer = $3"

#define BEGINNING "SELECT " MEMBERSHIP ", " FHIR_PG_COMPARTMENTS("r") ", "

static const fhir_pg_statement_t load_resource = {
    FHIR_PG_LOAD_RESOURCE, 1,
    BEGINNING FHIR_PG_RESOURCE_COLUMNS(
        "cv") " " FROM_MEMBER "LEFT JOIN fhir_binary.resource_version cv ON cv.version_id = r.version_id " WHERE_KEY};

/* The current version is looked up only if it is another than the version asked for. */
#define LOAD_VERSION(current_text)                                                                                     \
    BEGINNING "cv.version_id, cv.sequence, cv.last_updated, cv.change, cv.attachment_count, " current_text             \
              ", " FHIR_PG_RESOURCE_COLUMNS(                                                                           \
                  "av") " " FROM_MEMBER                                                                                \
                        "LEFT JOIN fhir_binary.resource_version av ON av.version_id = $6::uuid AND av.key = r.key "    \
                        "LEFT JOIN fhir_binary.resource_version cv ON cv.version_id = nullif(r.version_id, "           \
                        "av.version_id) " WHERE_KEY
static const fhir_pg_statement_t load_resource_version[] = {
    {FHIR_PG_LOAD_RESOURCE_VERSION, 1, LOAD_VERSION("NULL, NULL")},
    {FHIR_PG_LOAD_RESOURCE_BOTH, 1, LOAD_VERSION("cv.meta, cv.body")}};

/* Sequences have no gaps and versions are never taken away, so the current sequence counts them. The list ends early
 * beyond so much text, after the first. */
#define HISTORY_BYTES "33554432"
static const fhir_pg_statement_t resource_history = {
    FHIR_PG_RESOURCE_HISTORY, 1,
    "SELECT r.sequence, " FHIR_PG_RESOURCE_COLUMNS(
        "v") " FROM fhir_binary.resource r "
             "LEFT JOIN LATERAL (SELECT h.*, coalesce(sum(" FHIR_PG_ANSWER_BYTES(
                 "h") ") OVER (ORDER BY "
                      "h.sequence DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM (SELECT * "
                      "FROM fhir_binary.resource_version o WHERE o.key = r.key AND o.sequence < $4::bigint "
                      "ORDER BY o.sequence DESC LIMIT $5::bigint) h) v ON v.before < " HISTORY_BYTES " "
                      "WHERE r.project_id = $1::uuid AND r.type = $2 AND r.id = $3 ORDER BY v.sequence DESC"};

#define COMPARTMENTS FHIR_PG_MEMBERSHIP_WIDTH
#define CURRENT (COMPARTMENTS + 1)
#define AFTER_CURRENT (CURRENT + FHIR_PG_RESOURCE_WIDTH)

const fhir_resource_t *fhir_pg_resource(const PGresult *result, int row, int first_column, const char *project_id,
                                        const char *type, const char *id, apr_pool_t *pool)
{
    fhir_resource_t *resource;
    if (PQgetisnull(result, row, first_column)) {
        return NULL;
    }
    resource = apr_pcalloc(pool, sizeof(*resource));
    resource->project_id = project_id;
    resource->type = type;
    resource->id = id;
    resource->version_id = fhir_pg_uuid(result, row, first_column, pool);
    resource->sequence = fhir_pg_number(result, row, first_column + 1);
    resource->last_updated = fhir_pg_time(result, row, first_column + 2);
    resource->change = (fhir_change_kind_t)fhir_pg_number(result, row, first_column + 3);
    resource->attachment_count = (int)fhir_pg_number(result, row, first_column + 4);
    resource->meta = fhir_pg_text(result, row, first_column + 5, pool);
    resource->body = fhir_pg_text(result, row, first_column + 6, pool);
    resource->body_length = resource->body ? (apr_size_t)PQgetlength(result, row, first_column + 6) : 0;
    return resource;
}

static fhir_subject_t *subject_of(const fhir_resource_t *current, const PGresult *result, apr_pool_t *pool)
{
    fhir_subject_t *subject = apr_pcalloc(pool, sizeof(*subject));
    subject->type = current->type;
    subject->id = current->id;
    subject->there = current->change != FHIR_CHANGE_DELETE;
    subject->last_updated = current->last_updated;
    subject->values = fhir_pg_compartments(result, 0, COMPARTMENTS, pool);
    subject->resource = current;
    return subject;
}

static void read_facts(fhir_resource_facts_t *facts, const PGresult *result, int with_version, const char *type,
                       const char *id, apr_pool_t *pool)
{
    const char *project;
    facts->membership = fhir_pg_read_membership(result, pool);
    if (!facts->membership || !type) {
        return;
    }
    project = facts->membership->project_id;
    facts->current = fhir_pg_resource(result, 0, CURRENT, project, type, id, pool);
    facts->version = facts->current;
    if (with_version) {
        facts->version = fhir_pg_resource(result, 0, AFTER_CURRENT, project, type, id, pool);
        facts->current = facts->current ? facts->current : facts->version;
    }
    if (facts->current) {
        facts->subject = subject_of(facts->current, result, pool);
    }
}

fhir_error_t *fhir_meta_load_resource(fhir_resource_facts_t *facts, fhir_meta_t *meta, const fhir_principal_key_t *key,
                                      const char *type, const char *id, const char *version_id, int with_content,
                                      const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const fhir_pg_statement_t *statement = version_id ? &load_resource_version[with_content != 0] : &load_resource;
    PGresult *result;
    memset(facts, 0, sizeof(*facts));
    if (!type || !id || !fhir_pg_is_valid(type) || !fhir_pg_is_valid(id)) {
        return fhir_meta_load_membership(&facts->membership, meta, key, call);
    }
    if (!fhir_pg_is_valid(key->subject) || !fhir_pg_is_valid(key->issuer)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, key->subject);
    fhir_pg_add_number(&parameters, key->kind);
    fhir_pg_add_text(&parameters, key->issuer);
    fhir_pg_add_text(&parameters, type);
    fhir_pg_add_text(&parameters, id);
    if (version_id) {
        fhir_pg_add_text(&parameters, fhir_pg_is_uuid(version_id) ? version_id : NULL);
    }
    FHIR_TRY(fhir_pg_run(&result, meta, statement, &parameters, call));
    read_facts(facts, result, version_id != NULL, apr_pstrdup(call->pool, type), apr_pstrdup(call->pool, id),
               call->pool);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_load_membership(const fhir_membership_t **membership, fhir_meta_t *meta,
                                        const fhir_principal_key_t *key, const fhir_call_t *call)
{
    fhir_binary_facts_t facts;
    *membership = NULL;
    FHIR_TRY(fhir_meta_load_binary(&facts, meta, key, NULL, NULL, 0, call));
    *membership = facts.membership;
    return NULL;
}

fhir_error_t *fhir_meta_resource_history(apr_array_header_t **versions, apr_off_t *total, fhir_meta_t *meta,
                                         const char *project_id, const char *type, const char *id, int count,
                                         apr_off_t before_sequence, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    const char *project = apr_pstrdup(call->pool, project_id);
    const char *own_type = apr_pstrdup(call->pool, type);
    const char *own_id = apr_pstrdup(call->pool, id);
    *versions = apr_array_make(call->pool, count > 0 && count < 64 ? count : 16, sizeof(const fhir_resource_t *));
    *total = 0;
    if (!fhir_pg_is_valid(type) || !fhir_pg_is_valid(id)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, type);
    fhir_pg_add_text(&parameters, id);
    fhir_pg_add_number(&parameters, before_sequence > 0 ? before_sequence : APR_INT64_MAX);
    fhir_pg_add_number(&parameters, count > 0 ? count : 0);
    FHIR_TRY(fhir_pg_run(&result, meta, &resource_history, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        const fhir_resource_t *version = fhir_pg_resource(result, row, 1, project, own_type, own_id, call->pool);
        *total = fhir_pg_number(result, row, 0);
        if (version) {
            APR_ARRAY_PUSH(*versions, const fhir_resource_t *) = version;
        }
    }
    PQclear(result);
    return NULL;
}
