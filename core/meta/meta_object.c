/* The stored objects: registered before their first byte, so that none is unknown. */
#include "pg.h"

static const fhir_pg_statement_t object_register = {
    FHIR_PG_OBJECT_REGISTER, 0,
    "INSERT INTO fhir_binary.object (object_key, project_id, store, locator) VALUES ($1::uuid, $2::uuid, $3, $4)"};

static const fhir_pg_statement_t object_forget = {
    FHIR_PG_OBJECT_FORGET, 0, "DELETE FROM fhir_binary.object WHERE object_key = $1::uuid AND committed_at IS NULL"};

static const fhir_pg_statement_t objects_pending = {
    FHIR_PG_OBJECTS_PENDING, 1,
    "SELECT object_key, store, locator, created_at FROM fhir_binary.object o WHERE committed_at IS NULL AND store = $1 "
    "AND created_at < timestamptz 'epoch' + $2::bigint * interval '1 microsecond' AND NOT " FHIR_PG_STILL_AWAITED
    " ORDER BY created_at"};

static const fhir_pg_statement_t time_ago = {FHIR_PG_TIME_AGO, 1,
                                             "SELECT clock_timestamp() - $1::bigint * interval '1 microsecond'"};

fhir_error_t *fhir_meta_object_register(fhir_meta_t *meta, const char *project_id, const char *object_key,
                                        const char *store, const char *locator, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, object_key);
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, store);
    fhir_pg_add_text(&parameters, locator);
    return fhir_pg_change(NULL, meta, &object_register, &parameters, call);
}

fhir_error_t *fhir_meta_object_forget(fhir_meta_t *meta, const char *object_key, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, object_key);
    return fhir_pg_change(NULL, meta, &object_forget, &parameters, call);
}

fhir_error_t *fhir_meta_time_ago(apr_time_t *then, fhir_meta_t *meta, apr_interval_time_t age, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_pg_add_number(&parameters, age);
    FHIR_TRY(fhir_pg_run(&result, meta, &time_ago, &parameters, call));
    *then = fhir_pg_time(result, 0, 0);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_objects_pending(apr_array_header_t **rows, fhir_meta_t *meta, const char *store,
                                        apr_time_t before, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *rows = apr_array_make(call->pool, 16, sizeof(fhir_object_row_t));
    fhir_pg_add_text(&parameters, store);
    fhir_pg_add_time(&parameters, before);
    FHIR_TRY(fhir_pg_run(&result, meta, &objects_pending, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_object_row_t *object = apr_array_push(*rows);
        object->object_key = fhir_pg_hex(result, row, 0, call->pool);
        object->store = fhir_pg_text(result, row, 1, call->pool);
        object->locator = fhir_pg_text(result, row, 2, call->pool);
        object->created = fhir_pg_time(result, row, 3);
        object->committed = 0;
    }
    PQclear(result);
    return NULL;
}
