/* Writing audit events: a batch, its place in the chain and the new head in one transaction that holds the head's row.
 */
#include "audit.h"
#include "pg_binary_array.h"

#include <string.h>

/* A writer that stands still must not hold up all others for long. */
#define BEGIN_WITH_HEAD                                                                                                \
    "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 15000; "                                                   \
    "SELECT last_sequence, encode(last_hash, 'hex') FROM fhir_binary.audit_head FOR UPDATE"

#define FHIR_AUDIT_FIELD(kind, member, sql_type) #member ", "
static const fhir_pg_statement_t audit_insert = {
    FHIR_PG_AUDIT_INSERT, 0,
    "WITH added AS (INSERT INTO fhir_binary.audit_event (sequence, "
#include "../fhir/audit_event.def"
    "hash) SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], "
    "$7::bigint[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::text[], "
    "$15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], "
    "$23::bigint[], $24::bigint[], $25::bigint[], $26::bytea[])) "
    "UPDATE fhir_binary.audit_head SET last_sequence = $27::bigint, last_hash = $28::bytea"};
#undef FHIR_AUDIT_FIELD

static const fhir_pg_statement_t audit_written = {
    FHIR_PG_AUDIT_WRITTEN, 1, "SELECT FROM fhir_binary.audit_event WHERE sequence = $1::bigint AND id = $2::uuid"};

static const fhir_pg_statement_t audit_prune = {
    FHIR_PG_AUDIT_PRUNE, 0,
    "SELECT CASE WHEN pg_try_advisory_xact_lock(4621730185093) THEN fhir_binary.prune_audit('epoch'::timestamptz + "
    "$1::bigint * interval '1 microsecond', $2::bigint) ELSE 0 END"};

/* ---- the transaction ---- */

typedef struct head_t {
    apr_int64_t sequence;
    unsigned char hash[FHIR_SHA256_LENGTH];
} head_t;

static fhir_error_t *no_head(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_SUCCESS, "The audit trail is damaged.",
                             "the row of fhir_binary.audit_head is gone: see fhirbinctl audit verify");
}

static fhir_error_t *begin(head_t *head, fhir_pg_connection_t *connection, apr_time_t deadline, const fhir_call_t *call)
{
    PGresult *result;
    int found;
    FHIR_TRY(fhir_pg_text_query(&result, connection, BEGIN_WITH_HEAD, deadline, call));
    found = PQntuples(result) == 1 && fhir_hex_decode(head->hash, sizeof(head->hash), PQgetvalue(result, 0, 1));
    head->sequence = found ? apr_atoi64(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    return found ? NULL : no_head(call->pool);
}

static fhir_error_t *was_written(int *written, fhir_pg_connection_t *connection, const fhir_audit_batch_t *batch,
                                 apr_time_t deadline, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    int executed;
    fhir_pg_add_number(&parameters, batch->events[0]->sequence);
    fhir_pg_add_text(&parameters, batch->events[0]->id);
    FHIR_TRY(fhir_pg_execute(&result, &executed, connection, &audit_written, &parameters, deadline, call));
    *written = PQntuples(result) == 1;
    PQclear(result);
    return NULL;
}

/* Places in the chain, behind the head. */
static fhir_error_t *chain(head_t *head, fhir_audit_batch_t *batch, apr_pool_t *pool)
{
    apr_pool_t *scratch;
    fhir_error_t *error = NULL;
    apr_pool_create(&scratch, pool);
    for (int i = 0; i < batch->count && !error; i++) {
        fhir_audit_event_t *event = batch->events[i];
        event->sequence = ++head->sequence;
        error = fhir_audit_chain(event->hash, head->hash, event, scratch);
        memcpy(head->hash, event->hash, sizeof(head->hash));
        if (!error) {
            apr_pool_clear(scratch);
        }
    }
    return error;
}

static fhir_pg_element_t element_of(const fhir_audit_field_t *field)
{
    switch (field->kind) {
    case FHIR_AUDIT_FIELD_UUID:
        return FHIR_PG_ELEMENT_UUID;
    case FHIR_AUDIT_FIELD_TIME:
        return FHIR_PG_ELEMENT_TIME;
    case FHIR_AUDIT_FIELD_NUMBER:
        return FHIR_PG_ELEMENT_NUMBER;
    case FHIR_AUDIT_FIELD_TEXT:
    default:
        return FHIR_PG_ELEMENT_TEXT;
    }
}

static void add_value(fhir_pg_binary_array_t *array, const fhir_audit_event_t *event, const fhir_audit_field_t *field)
{
    switch (field->kind) {
    case FHIR_AUDIT_FIELD_UUID:
        fhir_pg_binary_array_add_uuid(array, fhir_audit_text(event, field));
        break;
    case FHIR_AUDIT_FIELD_TIME:
        fhir_pg_binary_array_add_time(array, fhir_audit_number(event, field));
        break;
    case FHIR_AUDIT_FIELD_NUMBER:
        fhir_pg_binary_array_add_number(array, fhir_audit_number(event, field));
        break;
    case FHIR_AUDIT_FIELD_TEXT:
    default:
        fhir_pg_binary_array_add_text(array, fhir_audit_text(event, field));
        break;
    }
}

static void add_fields(fhir_pg_parameters_t *parameters, const fhir_audit_batch_t *batch, apr_pool_t *pool)
{
    for (const fhir_audit_field_t *field = fhir_audit_fields; field->name; field++) {
        fhir_pg_binary_array_t values;
        fhir_pg_binary_array_init(&values, element_of(field), pool);
        for (int i = 0; i < batch->count; i++) {
            add_value(&values, batch->events[i], field);
        }
        fhir_pg_add_binary_array(parameters, &values);
    }
}

static fhir_error_t *insert(fhir_pg_connection_t *connection, const fhir_audit_batch_t *batch, const head_t *head,
                            apr_time_t deadline, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_binary_array_t sequences;
    fhir_pg_binary_array_t hashes;
    PGresult *result;
    int executed;
    fhir_pg_binary_array_init(&sequences, FHIR_PG_ELEMENT_NUMBER, call->pool);
    fhir_pg_binary_array_init(&hashes, FHIR_PG_ELEMENT_BYTES, call->pool);
    for (int i = 0; i < batch->count; i++) {
        fhir_pg_binary_array_add_number(&sequences, batch->events[i]->sequence);
        fhir_pg_binary_array_add_bytes(&hashes, batch->events[i]->hash, sizeof(batch->events[i]->hash));
    }
    fhir_pg_add_binary_array(&parameters, &sequences);
    add_fields(&parameters, batch, call->pool);
    fhir_pg_add_binary_array(&parameters, &hashes);
    fhir_pg_add_number(&parameters, head->sequence);
    fhir_pg_add_bytes(&parameters, head->hash, sizeof(head->hash));
    FHIR_TRY(fhir_pg_execute(&result, &executed, connection, &audit_insert, &parameters, deadline, call));
    PQclear(result);
    return NULL;
}

static fhir_error_t *commit(fhir_pg_connection_t *connection, apr_time_t deadline, const fhir_call_t *call)
{
    PGresult *result;
    FHIR_TRY(fhir_pg_text_query(&result, connection, "COMMIT", deadline, call));
    PQclear(result);
    return NULL;
}

static fhir_error_t *write_batch(fhir_pg_connection_t *connection, fhir_audit_batch_t *batch, apr_time_t deadline,
                                 const fhir_call_t *call)
{
    head_t head;
    FHIR_TRY(begin(&head, connection, deadline, call));
    if (batch->uncertain) {
        int written;
        FHIR_TRY(was_written(&written, connection, batch, deadline, call));
        if (written) {
            return commit(connection, deadline, call);
        }
        batch->uncertain = 0;
    }
    FHIR_TRY(chain(&head, batch, call->pool));
    FHIR_TRY(insert(connection, batch, &head, deadline, call));
    batch->uncertain = 1;
    FHIR_TRY(commit(connection, deadline, call));
    return NULL;
}

fhir_error_t *fhir_meta_audit_write(fhir_meta_t *meta, fhir_audit_batch_t *batch, const fhir_call_t *call)
{
    fhir_pg_connection_t *connection;
    fhir_error_t *error;
    FHIR_TRY(fhir_pg_acquire(&connection, meta, 1, call));
    error = write_batch(connection, batch, fhir_pg_deadline(meta, call), call);
    /* Closing the connection rolls back whatever is open. */
    connection->broken |= error != NULL;
    fhir_pg_release(meta, connection);
    batch->uncertain = error ? batch->uncertain : 0;
    return error;
}

/* ---- retention ---- */

fhir_error_t *fhir_meta_audit_prune(apr_off_t *pruned, fhir_meta_t *meta, apr_time_t before, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *pruned = 0;
    fhir_pg_add_time(&parameters, before);
    fhir_pg_add_number(&parameters, FHIR_AUDIT_PRUNE_MAX);
    FHIR_TRY(fhir_pg_run(&result, meta, &audit_prune, &parameters, call));
    *pruned = PQntuples(result) == 1 ? (apr_off_t)fhir_pg_number(result, 0, 0) : 0;
    PQclear(result);
    return NULL;
}
