/* Making a version current: one statement, one transaction, one flush of the write-ahead log. The rules are in the
 * function commit_version of sql/, evaluated under the lock of the Binary's row. */
#include "pg.h"

const fhir_pg_statement_t fhir_pg_commit_version = {
    FHIR_PG_COMMIT, 0,
    "SELECT " FHIR_PG_VERSION_COLUMNS(
        "v", "v") ", v.status FROM fhir_binary.commit_version($1::smallint, $2::uuid, $3::uuid, $4, $5::uuid, "
                  "$6::uuid, $7::boolean, $8::integer, $9, $10, $11, $12, $13::uuid, $14::bigint, $15::bytea, "
                  "$16::bytea) v"};

/* The database still tells which refusal comes first. */
const char *fhir_pg_expected_version(const char *expected_version)
{
    static const char none[] = "00000000-0000-0000-0000-000000000000";
    return !expected_version || fhir_pg_is_uuid(expected_version) ? expected_version : none;
}

enum { KEEP_SECURITY_CONTEXT = 1, KEEP_FILENAME = 2, KEEP_ELEMENTS = 4, KEEP_CONTENT = 8 };
enum { STATUS_DONE, STATUS_NOT_FOUND, STATUS_EXISTS, STATUS_PRECONDITION_FAILED };

static void add_content(fhir_pg_parameters_t *parameters, const fhir_content_t *content)
{
    if (!content) {
        for (int i = 0; i < 4; i++) {
            fhir_pg_add_text(parameters, NULL);
        }
        return;
    }
    fhir_pg_add_text(parameters, content->object_key);
    fhir_pg_add_number(parameters, content->size);
    fhir_pg_add_bytes(parameters, content->sha256, FHIR_SHA256_LENGTH);
    fhir_pg_add_bytes(parameters, content->sha1, FHIR_SHA1_LENGTH);
}

void fhir_pg_add_version_change(fhir_pg_parameters_t *parameters, const fhir_version_change_t *change)
{
    int keep = (change->keep_security_context ? KEEP_SECURITY_CONTEXT : 0) |
               (change->keep_filename ? KEEP_FILENAME : 0) | (change->keep_elements ? KEEP_ELEMENTS : 0) |
               (change->keep_content ? KEEP_CONTENT : 0);
    fhir_pg_add_number(parameters, change->kind);
    fhir_pg_add_text(parameters, change->project_id);
    fhir_pg_add_text(parameters, change->membership_id);
    fhir_pg_add_text(parameters, change->binary_id);
    fhir_pg_add_text(parameters, change->version_id);
    fhir_pg_add_text(parameters, fhir_pg_expected_version(change->expected_version));
    fhir_pg_add_boolean(parameters, change->may_create);
    fhir_pg_add_number(parameters, keep);
    fhir_pg_add_text(parameters, change->content_type);
    fhir_pg_add_text(parameters, change->security_context);
    fhir_pg_add_text(parameters, change->filename);
    fhir_pg_add_text(parameters, change->elements);
    add_content(parameters, change->content);
}

static fhir_error_t *refusal(apr_int64_t status, const fhir_version_change_t *change, apr_pool_t *pool)
{
    switch (status) {
    case STATUS_DONE:
        return NULL;
    case STATUS_NOT_FOUND:
        return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no Binary with this id.");
    case STATUS_EXISTS:
        return fhir_error_public(pool, FHIR_ERROR_EXISTS, "%s",
                                 change->kind == FHIR_CHANGE_CREATE ? "A Binary with this id exists already."
                                                                    : "This version exists already.");
    case STATUS_PRECONDITION_FAILED:
        return fhir_error_public(pool, FHIR_ERROR_PRECONDITION_FAILED,
                                 "The Binary has changed since the version that If-Match names. Read it again.");
    default:
        return fhir_pg_internal("commit_version gave an unknown status", pool);
    }
}

fhir_error_t *fhir_pg_version_made(const fhir_binary_t **binary, const PGresult *result,
                                   const fhir_version_change_t *change, apr_pool_t *pool)
{
    FHIR_TRY(refusal(fhir_pg_number(result, 0, FHIR_PG_VERSION_WIDTH), change, pool));
    *binary = fhir_pg_version(result, 0, 0, apr_pstrdup(pool, change->project_id), apr_pstrdup(pool, change->binary_id),
                              pool);
    return NULL;
}

fhir_error_t *fhir_meta_commit(const fhir_binary_t **binary, fhir_meta_t *meta, const fhir_version_change_t *change,
                               const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_error_t *error;
    *binary = NULL;
    fhir_pg_add_version_change(&parameters, change);
    error = fhir_pg_explain(fhir_pg_run(&result, meta, &fhir_pg_commit_version, &parameters, call), FHIR_ERROR_EXISTS,
                            "This version exists already.");
    FHIR_TRY(error);
    error = fhir_pg_version_made(binary, result, change, call->pool);
    PQclear(result);
    return error;
}

int fhir_meta_refused(const fhir_error_t *error)
{
    switch (error->code) {
    case FHIR_ERROR_PRECONDITION_FAILED:
    case FHIR_ERROR_NOT_FOUND:
    case FHIR_ERROR_EXISTS:
    case FHIR_ERROR_CONFLICT:
        return 1;
    default:
        return 0;
    }
}
