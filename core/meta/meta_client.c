/* Clients: programs that log in with an id and a secret. What they may do says their membership, if they have one. */
#include "pg.h"

#define COLUMNS                                                                                                        \
    "SELECT c.id, c.project_id, c.name, c.secret_hash, c.created_at, " FHIR_PG_MEMBERSHIP_COLUMNS                      \
    " FROM fhir_binary.client c LEFT JOIN fhir_binary.membership m ON m.client_id = c.id "

static const fhir_pg_statement_t client_create = {
    FHIR_PG_CLIENT_CREATE, 0,
    "INSERT INTO fhir_binary.client (id, project_id, name, secret_hash) VALUES ($1::uuid, $2::uuid, $3, $4)"};

static const fhir_pg_statement_t client_find = {FHIR_PG_CLIENT_FIND, 1, COLUMNS "WHERE c.id = $1::uuid"};

static const fhir_pg_statement_t client_list = {FHIR_PG_CLIENT_LIST, 1,
                                                COLUMNS "WHERE $1::uuid IS NULL OR c.project_id = $1::uuid "
                                                        "ORDER BY c.created_at, c.id"};

static const fhir_pg_statement_t client_set_active = {
    FHIR_PG_CLIENT_SET_ACTIVE, 0,
    "UPDATE fhir_binary.client SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE coalesce(disabled_at, now()) "
    "END WHERE id = $1::uuid"};

static const fhir_pg_statement_t client_set_secret = {
    FHIR_PG_CLIENT_SET_SECRET, 0, "UPDATE fhir_binary.client SET secret_hash = $2 WHERE id = $1::uuid"};

static fhir_error_t *no_such_client(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no such client.");
}

static void read_client(fhir_client_t *client, const PGresult *result, int row, apr_pool_t *pool)
{
    client->id = fhir_pg_uuid(result, row, 0, pool);
    client->project_id = fhir_pg_uuid(result, row, 1, pool);
    client->name = fhir_pg_text(result, row, 2, pool);
    client->secret_hash = fhir_pg_text(result, row, 3, pool);
    client->created = fhir_pg_time(result, row, 4);
    fhir_pg_membership(&client->membership, result, row, 5, pool);
    client->active = client->membership.active;
}

fhir_error_t *fhir_meta_client_create(fhir_meta_t *meta, const fhir_client_t *client, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_error_t *error;
    fhir_pg_add_text(&parameters, client->id);
    fhir_pg_add_text(&parameters, client->project_id);
    fhir_pg_add_text(&parameters, client->name);
    fhir_pg_add_text(&parameters, client->secret_hash);
    error = fhir_pg_change(NULL, meta, &client_create, &parameters, call);
    error = fhir_pg_explain(error, FHIR_ERROR_NOT_FOUND, "There is no such project.");
    return fhir_pg_explain(error, FHIR_ERROR_EXISTS, "There is a client with this id already.");
}

fhir_error_t *fhir_meta_client_find(fhir_client_t *client, fhir_meta_t *meta, const char *id, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    int found;
    if (!fhir_pg_is_uuid(id)) {
        return no_such_client(call->pool);
    }
    fhir_pg_add_text(&parameters, id);
    FHIR_TRY(fhir_pg_run(&result, meta, &client_find, &parameters, call));
    found = PQntuples(result) > 0;
    if (found) {
        read_client(client, result, 0, call->pool);
    }
    PQclear(result);
    return found ? NULL : no_such_client(call->pool);
}

fhir_error_t *fhir_meta_client_list(apr_array_header_t **clients, fhir_meta_t *meta, const char *project_id,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *clients = apr_array_make(call->pool, 8, sizeof(fhir_client_t));
    fhir_pg_add_text(&parameters, project_id);
    FHIR_TRY(fhir_pg_run(&result, meta, &client_list, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        read_client(apr_array_push(*clients), result, row, call->pool);
    }
    PQclear(result);
    return NULL;
}

static fhir_error_t *change_client(fhir_meta_t *meta, const fhir_pg_statement_t *statement, const char *id,
                                   const char *value, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    fhir_pg_add_text(&parameters, fhir_pg_is_uuid(id) ? id : NULL);
    fhir_pg_add_text(&parameters, value);
    FHIR_TRY(fhir_pg_change(&changed, meta, statement, &parameters, call));
    return changed ? NULL : no_such_client(call->pool);
}

fhir_error_t *fhir_meta_client_set_active(fhir_meta_t *meta, const char *id, int active, const fhir_call_t *call)
{
    return change_client(meta, &client_set_active, id, active ? "t" : "f", call);
}

fhir_error_t *fhir_meta_client_set_secret(fhir_meta_t *meta, const char *id, const char *secret_hash,
                                          const fhir_call_t *call)
{
    return change_client(meta, &client_set_secret, id, secret_hash, call);
}
