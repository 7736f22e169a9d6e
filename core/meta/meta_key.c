/* Signing keys of tokens and URLs. */
#include "pg.h"

static const fhir_pg_statement_t keys_of_purpose = {
    FHIR_PG_KEYS, 1,
    "SELECT id, algorithm, material, created_at, retired_at FROM fhir_binary.signing_key "
    "WHERE purpose = $1::smallint AND revoked_at IS NULL ORDER BY created_at DESC, id"};

static const fhir_pg_statement_t key_add = {FHIR_PG_KEY_ADD, 0,
                                            "SELECT fhir_binary.add_signing_key($1, $2::smallint, $3, $4)"};

static const fhir_pg_statement_t key_revoke = {
    FHIR_PG_KEY_REVOKE, 0,
    "UPDATE fhir_binary.signing_key SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = $1"};

fhir_error_t *fhir_meta_keys(apr_array_header_t **keys, fhir_meta_t *meta, fhir_key_purpose_t purpose,
                             const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *keys = apr_array_make(call->pool, 4, sizeof(fhir_key_t));
    fhir_pg_add_number(&parameters, purpose);
    FHIR_TRY(fhir_pg_run(&result, meta, &keys_of_purpose, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_key_t *key = apr_array_push(*keys);
        key->id = fhir_pg_text(result, row, 0, call->pool);
        key->purpose = purpose;
        key->algorithm = fhir_pg_text(result, row, 1, call->pool);
        key->material = fhir_pg_text(result, row, 2, call->pool);
        key->created = fhir_pg_time(result, row, 3);
        key->retired = fhir_pg_time(result, row, 4);
        key->revoked = 0;
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_key_add(fhir_meta_t *meta, const fhir_key_t *key, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, key->id);
    fhir_pg_add_number(&parameters, key->purpose);
    fhir_pg_add_text(&parameters, key->algorithm);
    fhir_pg_add_text(&parameters, key->material);
    return fhir_pg_explain(fhir_pg_change(NULL, meta, &key_add, &parameters, call), FHIR_ERROR_EXISTS,
                           "There is a key with this id already.");
}

fhir_error_t *fhir_meta_key_revoke(fhir_meta_t *meta, const char *key_id, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    fhir_pg_add_text(&parameters, key_id);
    FHIR_TRY(fhir_pg_change(&changed, meta, &key_revoke, &parameters, call));
    return changed ? NULL : fhir_error_public(call->pool, FHIR_ERROR_NOT_FOUND, "There is no key with this id.");
}
