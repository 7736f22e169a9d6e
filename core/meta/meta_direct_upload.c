/* The uploads that went to an object store directly and wait to become versions. */
#include "direct_upload.h"

#include "../base/digest.h"
#include "pg.h"

#include <assert.h>

#define COLUMNS                                                                                                        \
    "d.version_id, d.project_id, d.membership_id, d.key_id, d.binary_id, d.content_type, d.object_key, d.store, "      \
    "d.locator, d.created_at, d.expires_at, d.state = 2, d.attempts, d.lease"
#define AFTER(parameter) "clock_timestamp() + " parameter "::bigint * interval '1 microsecond'"
#define HELD "version_id = $1::uuid AND lease = $2::uuid"

static const fhir_pg_statement_t direct_register = {
    FHIR_PG_DIRECT_REGISTER, 0,
    "WITH pending AS (INSERT INTO fhir_binary.object (object_key, project_id, store, locator) "
    "VALUES ($7::uuid, $2::uuid, $8, $9)) "
    "INSERT INTO fhir_binary.direct_upload (version_id, project_id, membership_id, key_id, binary_id, content_type, "
    "object_key, store, locator, expires_at, due_at) VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5, $6, $7::uuid, $8, "
    "$9, timestamptz 'epoch' + $10::bigint * interval '1 microsecond', " AFTER("$11") ")"};

static const fhir_pg_statement_t direct_claim = {
    FHIR_PG_DIRECT_CLAIM, 0,
    "WITH lost AS (UPDATE fhir_binary.direct_upload SET state = 3, lease = NULL WHERE state <> 3 "
    "AND attempts >= $4::int AND due_at <= clock_timestamp()), "
    "due AS (SELECT version_id FROM fhir_binary.direct_upload WHERE state <> 3 AND attempts < $4::int "
    "AND due_at <= clock_timestamp() AND store = ANY ($3::text[]) ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "UPDATE fhir_binary.direct_upload d SET attempts = d.attempts + 1, lease = $1::uuid, due_at = " AFTER(
        "$2") " "
              "FROM due WHERE d.version_id = due.version_id RETURNING " COLUMNS};

static const fhir_pg_statement_t direct_claim_version = {
    FHIR_PG_DIRECT_CLAIM_VERSION, 0,
    "UPDATE fhir_binary.direct_upload d SET attempts = CASE WHEN d.state = 3 THEN 1 ELSE d.attempts + 1 END, "
    "state = 1, lease = $1::uuid, due_at = " AFTER(
        "$2") " WHERE d.version_id = $3::uuid AND d.binary_id = $4 "
              "AND d.state <> 2 AND (d.lease IS NULL OR d.due_at <= clock_timestamp()) RETURNING " COLUMNS};

static const fhir_pg_statement_t direct_awaited = {
    FHIR_PG_DIRECT_AWAITED, 1,
    "SELECT FROM fhir_binary.direct_upload WHERE version_id = $1::uuid AND binary_id = $2 AND state <> 2"};

static const fhir_pg_statement_t direct_renew = {
    FHIR_PG_DIRECT_RENEW, 0, "UPDATE fhir_binary.direct_upload SET due_at = " AFTER("$3") " WHERE " HELD};

/* The row of `object` decides: who commits it and who takes it away wait for each other there. */
static const fhir_pg_statement_t direct_give_up = {
    FHIR_PG_DIRECT_GIVE_UP, 0,
    "WITH gone AS (DELETE FROM fhir_binary.object WHERE object_key = $3::uuid AND committed_at IS NULL "
    "AND EXISTS (SELECT FROM fhir_binary.direct_upload WHERE " HELD ") RETURNING object_key) "
    "UPDATE fhir_binary.direct_upload SET state = 2, attempts = 1 WHERE " HELD " AND (EXISTS (SELECT FROM gone) "
    "OR NOT EXISTS (SELECT FROM fhir_binary.object WHERE object_key = $3::uuid))"};

static const fhir_pg_statement_t direct_release = {
    FHIR_PG_DIRECT_RELEASE, 0,
    "UPDATE fhir_binary.direct_upload SET lease = NULL, attempts = attempts - 1, due_at = " AFTER("$3") " WHERE " HELD};

static const fhir_pg_statement_t direct_fail = {
    FHIR_PG_DIRECT_FAIL, 0,
    "UPDATE fhir_binary.direct_upload SET lease = NULL, state = CASE WHEN attempts >= $3::int THEN 3 ELSE state END, "
    "due_at = clock_timestamp() + least(interval '1 minute' * 2 ^ least(attempts - 1, 6), interval '1 hour') "
    "WHERE " HELD " RETURNING state = 3"};

static const fhir_pg_statement_t direct_finish = {FHIR_PG_DIRECT_FINISH, 0,
                                                  "DELETE FROM fhir_binary.direct_upload WHERE " HELD};

static const fhir_direct_upload_t *read_upload(const PGresult *result, apr_pool_t *pool)
{
    fhir_direct_upload_t *upload;
    if (PQntuples(result) != 1) {
        return NULL;
    }
    upload = apr_pcalloc(pool, sizeof(*upload));
    upload->version_id = fhir_pg_uuid(result, 0, 0, pool);
    upload->project_id = fhir_pg_uuid(result, 0, 1, pool);
    upload->membership_id = fhir_pg_uuid(result, 0, 2, pool);
    upload->key_id = fhir_pg_text(result, 0, 3, pool);
    upload->binary_id = fhir_pg_text(result, 0, 4, pool);
    upload->content_type = fhir_pg_text(result, 0, 5, pool);
    upload->object_key = fhir_pg_hex(result, 0, 6, pool);
    upload->store = fhir_pg_text(result, 0, 7, pool);
    upload->locator = fhir_pg_text(result, 0, 8, pool);
    upload->created = fhir_pg_time(result, 0, 9);
    upload->expires = fhir_pg_time(result, 0, 10);
    upload->given_up = fhir_pg_number(result, 0, 11) != 0;
    upload->attempts = (int)fhir_pg_number(result, 0, 12);
    upload->lease = fhir_pg_uuid(result, 0, 13, pool);
    return upload;
}

fhir_error_t *fhir_meta_direct_register(fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                        apr_interval_time_t look_after, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, upload->version_id);
    fhir_pg_add_text(&parameters, upload->project_id);
    fhir_pg_add_text(&parameters, upload->membership_id);
    fhir_pg_add_text(&parameters, upload->key_id);
    fhir_pg_add_text(&parameters, upload->binary_id);
    fhir_pg_add_text(&parameters, upload->content_type);
    fhir_pg_add_text(&parameters, upload->object_key);
    fhir_pg_add_text(&parameters, upload->store);
    fhir_pg_add_text(&parameters, upload->locator);
    fhir_pg_add_time(&parameters, upload->expires);
    fhir_pg_add_number(&parameters, look_after);
    return fhir_pg_change(NULL, meta, &direct_register, &parameters, call);
}

static fhir_error_t *claim(const fhir_direct_upload_t **upload, fhir_meta_t *meta, const fhir_pg_statement_t *statement,
                           const fhir_pg_parameters_t *parameters, const fhir_call_t *call)
{
    PGresult *result;
    FHIR_TRY(fhir_pg_run(&result, meta, statement, parameters, call));
    *upload = read_upload(result, call->pool);
    PQclear(result);
    return NULL;
}

static fhir_error_t *begin_turn(fhir_pg_parameters_t *parameters, apr_interval_time_t lease, const fhir_call_t *call)
{
    const char *turn;
    FHIR_TRY(fhir_random_uuid(&turn, call->pool));
    fhir_pg_add_text(parameters, turn);
    fhir_pg_add_number(parameters, lease);
    return NULL;
}

fhir_error_t *fhir_meta_direct_claim(const fhir_direct_upload_t **upload, fhir_meta_t *meta,
                                     const apr_array_header_t *stores, apr_interval_time_t lease,
                                     const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_array_t names;
    *upload = NULL;
    fhir_pg_array_init(&names, call->pool);
    for (int i = 0; i < stores->nelts; i++) {
        fhir_pg_array_add_text(&names, APR_ARRAY_IDX(stores, i, const char *));
    }
    FHIR_TRY(begin_turn(&parameters, lease, call));
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&names));
    fhir_pg_add_number(&parameters, FHIR_DIRECT_ATTEMPTS_MAX);
    return claim(upload, meta, &direct_claim, &parameters, call);
}

fhir_error_t *fhir_meta_direct_claim_version(const fhir_direct_upload_t **upload, int *awaited, fhir_meta_t *meta,
                                             const char *binary_id, const char *version_id, apr_interval_time_t lease,
                                             const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *upload = NULL;
    *awaited = 0;
    if (!fhir_pg_is_uuid(version_id) || !fhir_pg_is_valid(binary_id)) {
        return NULL;
    }
    FHIR_TRY(begin_turn(&parameters, lease, call));
    fhir_pg_add_text(&parameters, version_id);
    fhir_pg_add_text(&parameters, binary_id);
    FHIR_TRY(claim(upload, meta, &direct_claim_version, &parameters, call));
    if (*upload) {
        return NULL;
    }
    parameters.count = 0;
    fhir_pg_add_text(&parameters, version_id);
    fhir_pg_add_text(&parameters, binary_id);
    FHIR_TRY(fhir_pg_run(&result, meta, &direct_awaited, &parameters, call));
    *awaited = PQntuples(result) == 1;
    PQclear(result);
    return NULL;
}

/* The first two parameters of what only the holder may do. */
static void add_held(fhir_pg_parameters_t *parameters, const fhir_direct_upload_t *upload)
{
    assert(upload->lease);
    fhir_pg_add_text(parameters, upload->version_id);
    fhir_pg_add_text(parameters, upload->lease);
}

fhir_error_t *fhir_meta_direct_renew(int *held, fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                     apr_interval_time_t lease, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    *held = 0;
    add_held(&parameters, upload);
    fhir_pg_add_number(&parameters, lease);
    FHIR_TRY(fhir_pg_change(&changed, meta, &direct_renew, &parameters, call));
    *held = changed == 1;
    return NULL;
}

fhir_error_t *fhir_meta_direct_give_up(int *given_up, fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                       const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    *given_up = 0;
    add_held(&parameters, upload);
    fhir_pg_add_text(&parameters, upload->object_key);
    FHIR_TRY(fhir_pg_change(&changed, meta, &direct_give_up, &parameters, call));
    *given_up = changed == 1;
    return NULL;
}

fhir_error_t *fhir_meta_direct_release(fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                       apr_interval_time_t look_after, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    add_held(&parameters, upload);
    fhir_pg_add_number(&parameters, look_after);
    return fhir_pg_change(NULL, meta, &direct_release, &parameters, call);
}

fhir_error_t *fhir_meta_direct_fail(int *last, fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *last = 0;
    add_held(&parameters, upload);
    fhir_pg_add_number(&parameters, FHIR_DIRECT_ATTEMPTS_MAX);
    FHIR_TRY(fhir_pg_run(&result, meta, &direct_fail, &parameters, call));
    *last = PQntuples(result) == 1 && fhir_pg_number(result, 0, 0) != 0;
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_direct_finish(fhir_meta_t *meta, const fhir_direct_upload_t *upload, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    add_held(&parameters, upload);
    return fhir_pg_change(NULL, meta, &direct_finish, &parameters, call);
}
