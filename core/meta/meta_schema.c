/* The schema: which version is there, and bringing it up to this build's. */
#include "migrations.h"
#include "pg.h"

#include "../base/digest.h"

#include <stdlib.h>
#include <string.h>

/* 0: no schema yet. 1: one of before checksums were kept. 2: one with them. */
#define SCHEMA_KIND                                                                                                    \
    "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = "                                                   \
    "pg_catalog.to_regclass('fhir_binary.schema_version') AND attname IN ('version', 'checksum') AND NOT attisdropped"
#define SCHEMA_VERSION "SELECT coalesce(max(version), 0) FROM fhir_binary.schema_version"
#define SCHEMA_CHECKSUMS                                                                                               \
    "SELECT version, coalesce(pg_catalog.encode(checksum, 'hex'), '') FROM fhir_binary.schema_version ORDER BY "       \
    "version"
/* The migration that adds the column. */
#define CHECKSUMS_SINCE 2
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
    *number = (int)apr_atoi64(text);
    PQclear(result);
    return NULL;
}

/* What is in the database. */
typedef struct schema_t {
    int version;         /* 0: no schema yet */
    const char *foreign; /* a migration that is applied there and another one here, NULL: all are the same */
} schema_t;

static fhir_error_t *checksum_of(const char **checksum, const char *sql, apr_pool_t *pool)
{
    fhir_digest_t *digest;
    apr_size_t length = 0;
    const unsigned char *value;
    FHIR_TRY(fhir_digest_create(&digest, FHIR_DIGEST_SHA256, pool));
    fhir_digest_update(digest, sql, strlen(sql));
    fhir_digest_finish(digest);
    value = fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length);
    *checksum = fhir_hex_encode(value, length, pool);
    return NULL;
}

static fhir_error_t *compare(schema_t *schema, int version, const char *recorded, apr_pool_t *pool)
{
    const char *checksum;
    if (version > schema->version) {
        schema->version = version;
    }
    if (version < 1 || version > fhir_migration_count || schema->foreign) {
        return NULL;
    }
    FHIR_TRY(checksum_of(&checksum, fhir_migrations[version - 1].sql, pool));
    if (strcmp(checksum, recorded) != 0) {
        schema->foreign = fhir_migrations[version - 1].name;
    }
    return NULL;
}

static fhir_error_t *read_checksums(schema_t *schema, fhir_pg_connection_t *connection, apr_time_t deadline,
                                    const fhir_call_t *call)
{
    PGresult *result;
    fhir_error_t *error = NULL;
    FHIR_TRY(fhir_pg_text_query(&result, connection, SCHEMA_CHECKSUMS, deadline, call));
    for (int row = 0; row < PQntuples(result) && !error; row++) {
        error = compare(schema, (int)apr_atoi64(PQgetvalue(result, row, 0)), PQgetvalue(result, row, 1), call->pool);
    }
    PQclear(result);
    return error;
}

static fhir_error_t *read_schema(schema_t *schema, fhir_pg_connection_t *connection, apr_time_t deadline,
                                 const fhir_call_t *call)
{
    int kind;
    memset(schema, 0, sizeof(*schema));
    FHIR_TRY(read_number(&kind, connection, SCHEMA_KIND, deadline, call));
    if (kind < 2) {
        return kind ? read_number(&schema->version, connection, SCHEMA_VERSION, deadline, call) : NULL;
    }
    return read_checksums(schema, connection, deadline, call);
}

static const char *foreign_advice(const schema_t *schema, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "This database was made by a different build: its migration %s is not the one of this build. "
                        "Install the build that made it, or let FhirBinaryDatabase name another, empty database.",
                        schema->foreign);
}

fhir_error_t *fhir_pg_check_schema(fhir_pg_connection_t *connection, apr_time_t deadline, const fhir_call_t *call)
{
    schema_t schema;
    const char *advice = "run `fhirbinctl db upgrade`";
    FHIR_TRY(read_schema(&schema, connection, deadline, call));
    if (schema.version == fhir_schema_version() && !schema.foreign) {
        connection->schema_checked = 1;
        return NULL;
    }
    if (schema.version > fhir_schema_version()) {
        advice = "the database is newer: install a mod_fhir_binary that knows it";
    } else if (schema.foreign) {
        return fhir_pg_unavailable(foreign_advice(&schema, call->pool), call->pool);
    }
    return fhir_pg_unavailable(apr_psprintf(call->pool,
                                            "the database has schema version %d, this build needs version %d: %s",
                                            schema.version, fhir_schema_version(), advice),
                               call->pool);
}

fhir_error_t *fhir_schema_current(int *version, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_connection_t *connection;
    fhir_error_t *error;
    schema_t schema;
    FHIR_TRY(fhir_pg_acquire(&connection, meta, 0, call));
    error = read_schema(&schema, connection, apr_time_now() + meta->config.statement_timeout, call);
    *version = schema.version;
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

/* Of the migrations after `from`, and of those before there was a column for it. */
static fhir_error_t *record_checksums(fhir_pg_connection_t *connection, int from, const fhir_call_t *call)
{
    for (int i = from < CHECKSUMS_SINCE ? 0 : from; i < fhir_migration_count; i++) {
        const char *checksum;
        FHIR_TRY(checksum_of(&checksum, fhir_migrations[i].sql, call->pool));
        FHIR_TRY(execute(connection,
                         apr_psprintf(call->pool,
                                      "UPDATE fhir_binary.schema_version SET checksum = '\\x%s' WHERE version = %d",
                                      checksum, fhir_migrations[i].version),
                         call));
    }
    return NULL;
}

static fhir_error_t *check_before_upgrade(const schema_t *schema, apr_pool_t *pool)
{
    if (schema->version > fhir_schema_version()) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The database has schema version %d, newer than version %d which this build knows: "
                                 "install a newer mod_fhir_binary.",
                                 schema->version, fhir_schema_version());
    }
    if (schema->foreign) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "%s", foreign_advice(schema, pool));
    }
    return NULL;
}

/* Inside the transaction that holds the advisory lock. */
static fhir_error_t *migrate(int *from, fhir_pg_connection_t *connection, const fhir_call_t *call)
{
    schema_t schema;
    FHIR_TRY(read_schema(&schema, connection, 0, call));
    *from = schema.version;
    FHIR_TRY(check_before_upgrade(&schema, call->pool));
    for (int i = *from; i < fhir_migration_count; i++) {
        FHIR_TRY(apply(connection, &fhir_migrations[i], call));
    }
    FHIR_TRY(record_checksums(connection, *from, call));
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
