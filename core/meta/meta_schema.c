/* The schema: which version is there, and bringing it up to this build's. */
#include "migrations.h"
#include "pg.h"

#include <stdlib.h>

#define SCHEMA_EXISTS "SELECT pg_catalog.to_regclass('fhir_binary.schema_version') IS NOT NULL"
#define SCHEMA_VERSION "SELECT coalesce(max(version), 0) FROM fhir_binary.schema_version"
/* Any number will do as long as every node takes the same. */
#define UPGRADE_BEGIN                                                                                                  \
    "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "                                             \
    "SELECT pg_catalog.pg_advisory_xact_lock(4621730185092)"

int fhir_schema_version(void)
{
    return fhir_migrations[fhir_migration_count - 1].version;
}

static fhir_error_t *read_number(int *number, fhir_pg_connection_t *connection, const char *sql, apr_time_t deadline,
                                 const fhir_call_t *call)
{
    PGresult *result;
    const char *text;
    FHIR_TRY(fhir_pg_text_query(&result, connection, sql, deadline, call));
    text = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
    *number = *text == 't' ? 1 : atoi(text);
    PQclear(result);
    return NULL;
}

/* 0: no schema yet. */
static fhir_error_t *read_version(int *version, fhir_pg_connection_t *connection, apr_time_t deadline,
                                  const fhir_call_t *call)
{
    int exists;
    *version = 0;
    FHIR_TRY(read_number(&exists, connection, SCHEMA_EXISTS, deadline, call));
    return exists ? read_number(version, connection, SCHEMA_VERSION, deadline, call) : NULL;
}

fhir_error_t *fhir_pg_check_schema(fhir_pg_connection_t *connection, apr_time_t deadline, const fhir_call_t *call)
{
    int version;
    const char *advice = "run `fhirbinctl db upgrade`";
    FHIR_TRY(read_version(&version, connection, deadline, call));
    if (version == fhir_schema_version()) {
        connection->schema_checked = 1;
        return NULL;
    }
    if (version > fhir_schema_version()) {
        advice = "the database is newer: install a mod_fhir_binary that knows it";
    }
    return fhir_pg_unavailable(apr_psprintf(call->pool,
                                            "the database has schema version %d, this build needs version %d: %s",
                                            version, fhir_schema_version(), advice),
                               call->pool);
}

fhir_error_t *fhir_schema_current(int *version, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_connection_t *connection;
    fhir_error_t *error;
    FHIR_TRY(fhir_pg_acquire(&connection, meta, 0, call));
    error = read_version(version, connection, apr_time_now() + meta->config.statement_timeout, call);
    fhir_pg_release(meta, connection);
    return error;
}

static fhir_error_t *execute(fhir_pg_connection_t *connection, const char *sql, const fhir_call_t *call)
{
    PGresult *result;
    FHIR_TRY(fhir_pg_text_query(&result, connection, sql, 0, call));
    PQclear(result);
    return NULL;
}

static fhir_error_t *apply(fhir_pg_connection_t *connection, const fhir_migration_t *migration, const fhir_call_t *call)
{
    fhir_error_t *error = execute(connection, migration->sql, call);
    if (error) {
        error->detail = apr_psprintf(call->pool, "migration %s: %s", migration->name, error->detail);
        return error;
    }
    return execute(connection,
                   apr_psprintf(call->pool, "INSERT INTO fhir_binary.schema_version (version, name) VALUES (%d, '%s')",
                                migration->version, migration->name),
                   call);
}

/* Inside the transaction that holds the advisory lock. */
static fhir_error_t *migrate(int *from, fhir_pg_connection_t *connection, const fhir_call_t *call)
{
    FHIR_TRY(read_version(from, connection, 0, call));
    if (*from > fhir_schema_version()) {
        return fhir_error_create(call->pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                                 apr_psprintf(call->pool,
                                              "The database has schema version %d, newer than version %d which this "
                                              "build knows: install a newer mod_fhir_binary.",
                                              *from, fhir_schema_version()),
                                 NULL);
    }
    for (int i = 0; i < fhir_migration_count; i++) {
        if (fhir_migrations[i].version > *from) {
            FHIR_TRY(apply(connection, &fhir_migrations[i], call));
        }
    }
    return execute(connection, "COMMIT", call);
}

fhir_error_t *fhir_schema_upgrade(int *from, int *to, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_connection_t *connection;
    fhir_error_t *error;
    FHIR_TRY(fhir_pg_acquire(&connection, meta, 0, call));
    error = execute(connection, UPGRADE_BEGIN, call);
    if (!error) {
        error = migrate(from, connection, call);
    }
    /* Closing the connection rolls back whatever is open. */
    connection->broken |= error != NULL;
    fhir_pg_release(meta, connection);
    *to = fhir_schema_version();
    return error;
}

fhir_error_t *fhir_meta_health(fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_connection_t *connection;
    fhir_error_t *error;
    FHIR_TRY(fhir_pg_acquire(&connection, meta, 0, call));
    error = fhir_pg_check_schema(connection, apr_time_now() + meta->config.statement_timeout, call);
    fhir_pg_release(meta, connection);
    return error;
}
