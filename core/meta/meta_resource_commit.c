/* Making a version of a resource current: one statement with the version, its attachments and its search index. The
 * rules are in the function commit_resource of sql/, evaluated under the lock of the resource's row. */
#include "pg_resource.h"

#include <string.h>

static const fhir_pg_statement_t commit_resource = {
    FHIR_PG_RESOURCE_COMMIT, 0,
    "SELECT c.status, c.version_id, c.sequence, c.last_updated, c.change FROM fhir_binary.commit_resource("
    "$1::smallint, $2::uuid, $3::uuid, $4, $5, $6::uuid, $7::uuid, $8::boolean, $9, $10, "
    "$11::text[], $12::text[], $13::text[], $14::uuid[], $15::integer[], $16::integer[], $17::integer[], "
    "$18::smallint[], "
    "$19::text[], $20::bigint[], $21::bigint[], $22::text[], $23::text[], $24::text[], "
    "$25::text[], $26::bigint[], $27::text[], $28::text[], "
    "$29::text[], $30::bigint[], $31::bigint[], $32::text[], $33::text[], $34::text[], $35::text[], "
    "$36::text[], $37::bigint[], $38::bigint[], $39::bigint[], "
    "$40::text[], $41::bigint[], $42::text[]) c"};

enum { STATUS_DONE, STATUS_NOT_FOUND, STATUS_EXISTS, STATUS_PRECONDITION_FAILED };

/* The arrays of one table, one after the other. */
#define COLUMNS_MAX 8
typedef struct columns_t {
    fhir_pg_array_t array[COLUMNS_MAX];
    int count;
} columns_t;

static void init_columns(columns_t *columns, int count, apr_pool_t *pool)
{
    columns->count = count;
    for (int i = 0; i < count; i++) {
        fhir_pg_array_init(&columns->array[i], pool);
    }
}

static void add_columns(fhir_pg_parameters_t *parameters, columns_t *columns)
{
    for (int i = 0; i < columns->count; i++) {
        fhir_pg_add_text(parameters, fhir_pg_array_end(&columns->array[i]));
    }
}

static void add_attachments(fhir_pg_parameters_t *parameters, const apr_array_header_t *attachments, apr_pool_t *pool)
{
    columns_t columns;
    init_columns(&columns, 8, pool);
    for (int i = 0; attachments && i < attachments->nelts; i++) {
        const fhir_attachment_t *link = &APR_ARRAY_IDX(attachments, i, fhir_attachment_t);
        const char *version = link->binary_version_id;
        fhir_pg_array_add_text(&columns.array[0], link->path);
        fhir_pg_array_add_text(&columns.array[1], link->binary_id);
        fhir_pg_array_add_text(&columns.array[2], version);
        fhir_pg_array_add_text(&columns.array[3], version && fhir_pg_is_uuid(version) ? version : NULL);
        fhir_pg_array_add_number(&columns.array[4], link->url_offset);
        fhir_pg_array_add_number(&columns.array[5], link->url_length);
        fhir_pg_array_add_number(&columns.array[6], link->end_offset);
        fhir_pg_array_add_number(&columns.array[7], link->present);
    }
    add_columns(parameters, &columns);
}

/* One row per value, in the table of its type. */
typedef struct index_rows_t {
    const char *project_id;
    const char *type;
    columns_t tokens;
    columns_t strings;
    columns_t references;
    columns_t dates;
    columns_t uris;
    apr_pool_t *scratch;
} index_rows_t;

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void add_term(fhir_pg_array_t *array, const index_rows_t *rows, const char *name, const char *value)
{
    fhir_pg_array_add_number(array, fhir_search_term(rows->project_id, rows->type, name, value, rows->scratch));
}

static void add_token(index_rows_t *rows, const fhir_index_value_t *value)
{
    fhir_pg_array_t *column = rows->tokens.array;
    fhir_pg_array_add_text(column++, value->name);
    add_term(column++, rows, value->name, or_empty(value->code));
    add_term(column++, rows, value->name, or_empty(value->system));
    fhir_pg_array_add_text(column++, or_empty(value->system));
    fhir_pg_array_add_text(column++, or_empty(value->code));
    fhir_pg_array_add_text(column++, value->text);
}

static void add_string(index_rows_t *rows, const fhir_index_value_t *value)
{
    fhir_pg_array_t *column = rows->strings.array;
    fhir_pg_array_add_text(column++, value->name);
    add_term(column++, rows, value->name, NULL);
    fhir_pg_array_add_text(column++, or_empty(value->text));
    fhir_pg_array_add_text(column++, or_empty(value->exact));
}

static void add_reference(index_rows_t *rows, const fhir_index_value_t *value)
{
    fhir_pg_array_t *column = rows->references.array;
    fhir_pg_array_add_text(column++, value->name);
    add_term(column++, rows, value->name, or_empty(value->code));
    if (value->identifier_value) {
        add_term(column++, rows, value->name, value->identifier_value);
    } else {
        fhir_pg_array_add_text(column++, NULL);
    }
    fhir_pg_array_add_text(column++, or_empty(value->system));
    fhir_pg_array_add_text(column++, or_empty(value->code));
    fhir_pg_array_add_text(column++, value->identifier_system);
    fhir_pg_array_add_text(column++, value->identifier_value);
}

static void add_date(index_rows_t *rows, const fhir_index_value_t *value)
{
    fhir_pg_array_t *column = rows->dates.array;
    fhir_pg_array_add_text(column++, value->name);
    add_term(column++, rows, value->name, NULL);
    fhir_pg_array_add_number(column++, value->low);
    fhir_pg_array_add_number(column++, value->high);
}

static void add_uri(index_rows_t *rows, const fhir_index_value_t *value)
{
    fhir_pg_array_t *column = rows->uris.array;
    fhir_pg_array_add_text(column++, value->name);
    add_term(column++, rows, value->name, NULL);
    fhir_pg_array_add_text(column++, or_empty(value->code));
}

static void add_value(index_rows_t *rows, const fhir_index_value_t *value)
{
    switch (value->type) {
    case FHIR_SEARCH_TOKEN:
        add_token(rows, value);
        break;
    case FHIR_SEARCH_STRING:
        add_string(rows, value);
        break;
    case FHIR_SEARCH_REFERENCE:
        add_reference(rows, value);
        break;
    case FHIR_SEARCH_DATE:
        add_date(rows, value);
        break;
    case FHIR_SEARCH_URI:
        add_uri(rows, value);
        break;
    }
}

static void add_index(fhir_pg_parameters_t *parameters, const fhir_resource_change_t *change, apr_pool_t *pool)
{
    index_rows_t rows = {.project_id = change->project_id, .type = change->type};
    apr_pool_create(&rows.scratch, pool);
    init_columns(&rows.tokens, 6, pool);
    init_columns(&rows.strings, 4, pool);
    init_columns(&rows.references, 7, pool);
    init_columns(&rows.dates, 4, pool);
    init_columns(&rows.uris, 3, pool);
    for (int i = 0; change->stored && change->index_values && i < change->index_values->nelts; i++) {
        add_value(&rows, &APR_ARRAY_IDX(change->index_values, i, fhir_index_value_t));
    }
    apr_pool_destroy(rows.scratch);
    add_columns(parameters, &rows.tokens);
    add_columns(parameters, &rows.strings);
    add_columns(parameters, &rows.references);
    add_columns(parameters, &rows.dates);
    add_columns(parameters, &rows.uris);
}

static void add_resource_change(fhir_pg_parameters_t *parameters, const fhir_resource_change_t *change,
                                apr_pool_t *pool)
{
    const fhir_store_resource_t *stored = change->stored;
    fhir_pg_add_number(parameters, change->kind);
    fhir_pg_add_text(parameters, change->project_id);
    fhir_pg_add_text(parameters, change->membership_id);
    fhir_pg_add_text(parameters, change->type);
    fhir_pg_add_text(parameters, change->id);
    fhir_pg_add_text(parameters, change->version_id);
    fhir_pg_add_text(parameters, fhir_pg_expected_version(change->expected_version));
    fhir_pg_add_boolean(parameters, change->may_create);
    fhir_pg_add_text(parameters, stored ? or_empty(stored->meta) : NULL);
    fhir_pg_add_text(parameters, stored ? or_empty(stored->body) : NULL);
    add_attachments(parameters, stored ? stored->attachments : NULL, pool);
    add_index(parameters, change, pool);
}

static fhir_error_t *refusal(apr_int64_t status, const fhir_resource_change_t *change, apr_pool_t *pool)
{
    switch (status) {
    case STATUS_DONE:
        return NULL;
    case STATUS_NOT_FOUND:
        return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no %s with this id.", change->type);
    case STATUS_EXISTS:
        return change->kind == FHIR_CHANGE_CREATE
                   ? fhir_error_public(pool, FHIR_ERROR_EXISTS, "A %s with this id exists already.", change->type)
                   : fhir_error_public(pool, FHIR_ERROR_EXISTS, "This version exists already.");
    case STATUS_PRECONDITION_FAILED:
        return fhir_error_public(pool, FHIR_ERROR_PRECONDITION_FAILED,
                                 "The %s has changed since the version that If-Match names. Read it again.",
                                 change->type);
    default:
        return fhir_pg_internal("commit_resource gave an unknown status", pool);
    }
}

static fhir_error_t *read_made(const fhir_resource_t **resource, const PGresult *result,
                               const fhir_resource_change_t *change, apr_pool_t *pool)
{
    fhir_resource_t *made;
    FHIR_TRY(refusal(fhir_pg_number(result, 0, 0), change, pool));
    made = apr_pcalloc(pool, sizeof(*made));
    made->project_id = apr_pstrdup(pool, change->project_id);
    made->type = apr_pstrdup(pool, change->type);
    made->id = apr_pstrdup(pool, change->id);
    made->version_id = fhir_pg_uuid(result, 0, 1, pool);
    made->sequence = fhir_pg_number(result, 0, 2);
    made->last_updated = fhir_pg_time(result, 0, 3);
    made->change = (fhir_change_kind_t)fhir_pg_number(result, 0, 4);
    if (change->stored) {
        made->meta = or_empty(change->stored->meta);
        made->body = or_empty(change->stored->body);
        made->body_length = strlen(made->body);
        made->attachment_count = change->stored->attachments ? change->stored->attachments->nelts : 0;
    }
    *resource = made;
    return NULL;
}

static fhir_error_t *check_change(const fhir_resource_change_t *change, apr_pool_t *pool)
{
    if ((change->kind == FHIR_CHANGE_DELETE) != (change->stored == NULL)) {
        return fhir_pg_internal("a resource change with text is no DELETE, one without is no other", pool);
    }
    return NULL;
}

fhir_error_t *fhir_pg_write_resource(const fhir_resource_t **resource, fhir_meta_t *meta,
                                     fhir_transaction_t *transaction, const fhir_resource_change_t *change,
                                     const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_error_t *error;
    apr_pool_t *scratch;
    *resource = NULL;
    FHIR_TRY(check_change(change, call->pool));
    apr_pool_create(&scratch, call->pool);
    add_resource_change(&parameters, change, scratch);
    error = transaction ? fhir_pg_run_in(&result, transaction, &commit_resource, &parameters)
                        : fhir_pg_run(&result, meta, &commit_resource, &parameters, call);
    apr_pool_destroy(scratch);
    FHIR_TRY(fhir_pg_explain(error, FHIR_ERROR_EXISTS, "This version exists already."));
    error = read_made(resource, result, change, call->pool);
    PQclear(result);
    return error;
}

fhir_error_t *fhir_meta_resource_commit(const fhir_resource_t **resource, fhir_meta_t *meta,
                                        const fhir_resource_change_t *change, const fhir_call_t *call)
{
    return fhir_pg_write_resource(resource, meta, NULL, change, call);
}
