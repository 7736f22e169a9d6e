/* Memberships: what binds a principal to a project. Their rows follow from the ProjectMembership resources, see
 * sql/004.
 */
#include "pg.h"

#include <string.h>

#define COLUMNS                                                                                                        \
    "SELECT " FHIR_PG_MEMBERSHIP_COLUMNS ", m.kind, m.issuer, m.subject, m.created_at FROM fhir_binary.membership m "  \
    "WHERE m.kind <> 4 AND "

static const fhir_pg_statement_t membership_list = {FHIR_PG_MEMBERSHIP_LIST, 1,
                                                    COLUMNS "($1::uuid IS NULL OR m.project_id = $1::uuid) "
                                                            "ORDER BY m.created_at, m.id"};

/* An id wins over a client, a client over a user of httpd of the same name. */
static const fhir_pg_statement_t membership_find = {
    FHIR_PG_MEMBERSHIP_FIND, 1,
    COLUMNS
    "(m.id = $1::uuid OR (m.subject = $2 AND m.kind IN (1, 3) AND m.issuer = '') "
    "OR (m.subject = $4 AND m.kind = 2 AND m.issuer = $3)) ORDER BY m.id = $1::uuid DESC NULLS LAST, m.kind LIMIT "
    "1"};

static void read_member(fhir_member_t *member, const PGresult *result, int row, apr_pool_t *pool)
{
    fhir_pg_membership(&member->membership, result, row, 0, pool);
    member->principal.kind = (fhir_principal_kind_t)fhir_pg_number(result, row, FHIR_PG_MEMBERSHIP_WIDTH);
    member->principal.issuer = fhir_pg_text(result, row, FHIR_PG_MEMBERSHIP_WIDTH + 1, pool);
    member->principal.subject = fhir_pg_text(result, row, FHIR_PG_MEMBERSHIP_WIDTH + 2, pool);
    member->created = fhir_pg_time(result, row, FHIR_PG_MEMBERSHIP_WIDTH + 3);
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
        read_member(apr_array_push(*members), result, row, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_membership_find(fhir_member_t *member, fhir_meta_t *meta, const char *principal,
                                        const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const char *blank = strchr(principal, ' ');
    PGresult *result;
    int found = 0;
    if (fhir_pg_is_valid(principal)) {
        fhir_pg_add_text(&parameters, fhir_pg_is_uuid(principal) ? principal : NULL);
        fhir_pg_add_text(&parameters, principal);
        fhir_pg_add_text(&parameters,
                         blank ? apr_pstrmemdup(call->pool, principal, (apr_size_t)(blank - principal)) : NULL);
        fhir_pg_add_text(&parameters, blank ? blank + 1 : NULL);
        FHIR_TRY(fhir_pg_run(&result, meta, &membership_find, &parameters, call));
        found = PQntuples(result) > 0;
        if (found) {
            read_member(member, result, 0, call->pool);
        }
        PQclear(result);
    }
    return found ? NULL
                 : fhir_error_public(call->pool, FHIR_ERROR_NOT_FOUND,
                                     "There is no such membership: give its id, a client's id, \"ISSUER SUBJECT\", or "
                                     "the name of a user of httpd.");
}
