/* Projects: the tenants. */
#include "pg.h"

#define COLUMNS "id, name, created_at, disabled_at IS NULL, default_policy"

static const fhir_pg_statement_t project_create = {FHIR_PG_PROJECT_CREATE, 0,
                                                   "INSERT INTO fhir_binary.project (id, name) VALUES ($1::uuid, $2)"};

static const fhir_pg_statement_t project_list = {
    FHIR_PG_PROJECT_LIST, 1, "SELECT " COLUMNS " FROM fhir_binary.project ORDER BY created_at, name"};

/* An id wins over a name that looks like it. */
static const fhir_pg_statement_t project_find = {FHIR_PG_PROJECT_FIND, 1,
                                                 "SELECT " COLUMNS " FROM fhir_binary.project "
                                                 "WHERE id = $1::uuid OR name = $2 ORDER BY name = $2 LIMIT 1"};

static const fhir_pg_statement_t project_set_active = {
    FHIR_PG_PROJECT_SET_ACTIVE, 0,
    "UPDATE fhir_binary.project SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE coalesce(disabled_at, now()) "
    "END WHERE id = $1::uuid"};

static const fhir_pg_statement_t project_set_default_policy = {
    FHIR_PG_PROJECT_SET_DEFAULT_POLICY, 0, "UPDATE fhir_binary.project SET default_policy = $2 WHERE id = $1::uuid"};

static fhir_error_t *no_such_project(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no such project.");
}

static void read_project(fhir_project_t *project, const PGresult *result, int row, apr_pool_t *pool)
{
    project->id = fhir_pg_uuid(result, row, 0, pool);
    project->name = fhir_pg_text(result, row, 1, pool);
    project->created = fhir_pg_time(result, row, 2);
    project->active = fhir_pg_number(result, row, 3) != 0;
    project->default_policy = fhir_pg_text(result, row, 4, pool);
}

fhir_error_t *fhir_meta_project_create(fhir_meta_t *meta, const char *id, const char *name, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, id);
    fhir_pg_add_text(&parameters, name);
    return fhir_pg_explain(fhir_pg_change(NULL, meta, &project_create, &parameters, call), FHIR_ERROR_EXISTS,
                           "There is a project with this name already.");
}

fhir_error_t *fhir_meta_project_list(apr_array_header_t **projects, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *projects = apr_array_make(call->pool, 8, sizeof(fhir_project_t));
    FHIR_TRY(fhir_pg_run(&result, meta, &project_list, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        read_project(apr_array_push(*projects), result, row, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_project_find(fhir_project_t *project, fhir_meta_t *meta, const char *id_or_name,
                                     const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    int found;
    fhir_pg_add_text(&parameters, fhir_pg_is_uuid(id_or_name) ? id_or_name : NULL);
    fhir_pg_add_text(&parameters, id_or_name);
    FHIR_TRY(fhir_pg_run(&result, meta, &project_find, &parameters, call));
    found = PQntuples(result) > 0;
    if (found) {
        read_project(project, result, 0, call->pool);
    }
    PQclear(result);
    return found ? NULL : no_such_project(call->pool);
}

static fhir_error_t *change_project(fhir_meta_t *meta, const fhir_pg_statement_t *statement, const char *id,
                                    const char *value, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    fhir_pg_add_text(&parameters, fhir_pg_is_uuid(id) ? id : NULL);
    fhir_pg_add_text(&parameters, value);
    FHIR_TRY(fhir_pg_change(&changed, meta, statement, &parameters, call));
    return changed ? NULL : no_such_project(call->pool);
}

fhir_error_t *fhir_meta_project_set_active(fhir_meta_t *meta, const char *id, int active, const fhir_call_t *call)
{
    return change_project(meta, &project_set_active, id, active ? "t" : "f", call);
}

fhir_error_t *fhir_meta_project_set_default_policy(fhir_meta_t *meta, const char *id, const char *policy_id,
                                                   const fhir_call_t *call)
{
    if (policy_id && !fhir_id_valid(policy_id)) {
        return fhir_error_public(call->pool, FHIR_ERROR_INVALID,
                                 "The default policy is named by the id of an AccessPolicy.");
    }
    return change_project(meta, &project_set_default_policy, id, policy_id, call);
}
