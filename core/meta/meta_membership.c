/* Memberships: what binds a principal to a project. */
#include "pg.h"

static const fhir_pg_statement_t membership_create = {
    FHIR_PG_MEMBERSHIP_CREATE, 0,
    "INSERT INTO fhir_binary.membership (id, project_id, kind, issuer, subject, profile, admin) "
    "VALUES ($1::uuid, $2::uuid, $3::smallint, $4, $5, $6, $7::boolean)"};

static const fhir_pg_statement_t membership_list = {
    FHIR_PG_MEMBERSHIP_LIST, 1,
    "SELECT " FHIR_PG_MEMBERSHIP_COLUMNS ", m.kind, m.issuer, m.subject, m.created_at FROM fhir_binary.membership m "
    "WHERE $1::uuid IS NULL OR m.project_id = $1::uuid ORDER BY m.created_at, m.id"};

static const fhir_pg_statement_t membership_set_active = {
    FHIR_PG_MEMBERSHIP_SET_ACTIVE, 0,
    "UPDATE fhir_binary.membership SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE "
    "coalesce(disabled_at, now()) END WHERE id = $1::uuid"};

fhir_error_t *fhir_meta_membership_create(fhir_meta_t *meta, const fhir_member_t *member, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_error_t *error;
    fhir_pg_add_text(&parameters, member->membership.id);
    fhir_pg_add_text(&parameters, member->membership.project_id);
    fhir_pg_add_number(&parameters, member->principal.kind);
    fhir_pg_add_text(&parameters, member->principal.issuer);
    fhir_pg_add_text(&parameters, member->principal.subject);
    fhir_pg_add_text(&parameters, member->membership.profile);
    fhir_pg_add_boolean(&parameters, member->membership.admin);
    error = fhir_pg_change(NULL, meta, &membership_create, &parameters, call);
    error = fhir_pg_explain(error, FHIR_ERROR_NOT_FOUND, "There is no such project.");
    return fhir_pg_explain(error, FHIR_ERROR_EXISTS, "This principal has a membership already.");
}

fhir_error_t *fhir_meta_membership_list(apr_array_header_t **members, fhir_meta_t *meta, const char *project_id,
                                        const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *members = apr_array_make(call->pool, 8, sizeof(fhir_member_t));
    fhir_pg_add_text(&parameters, project_id);
    FHIR_TRY(fhir_pg_run(&result, meta, &membership_list, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_member_t *member = apr_array_push(*members);
        fhir_pg_membership(&member->membership, result, row, 0, call->pool);
        member->principal.kind = (fhir_principal_kind_t)fhir_pg_number(result, row, FHIR_PG_MEMBERSHIP_WIDTH);
        member->principal.issuer = fhir_pg_text(result, row, FHIR_PG_MEMBERSHIP_WIDTH + 1, call->pool);
        member->principal.subject = fhir_pg_text(result, row, FHIR_PG_MEMBERSHIP_WIDTH + 2, call->pool);
        member->created = fhir_pg_time(result, row, FHIR_PG_MEMBERSHIP_WIDTH + 3);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_membership_set_active(fhir_meta_t *meta, const char *id, int active, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    fhir_pg_add_text(&parameters, fhir_pg_is_uuid(id) ? id : NULL);
    fhir_pg_add_boolean(&parameters, active);
    FHIR_TRY(fhir_pg_change(&changed, meta, &membership_set_active, &parameters, call));
    return changed ? NULL : fhir_error_public(call->pool, FHIR_ERROR_NOT_FOUND, "There is no such membership.");
}
