/* Reading the audit trail: rows, searches, and the verification of the chain. */
#include "meta_audit_private.h"

#include <string.h>

#define VERIFY_PAGE 2000

const char fhir_pg_audit_columns[] = "sequence"
#include "../fhir/audit_event.def"
                                     ", hash";

static const fhir_pg_statement_t audit_head = {
    FHIR_PG_AUDIT_HEAD, 1,
    "SELECT first_sequence, first_previous_hash, last_sequence, last_hash, "
    "(SELECT min(sequence) FROM fhir_binary.audit_event), (SELECT max(sequence) FROM fhir_binary.audit_event) "
    "FROM fhir_binary.audit_head"};

static const fhir_pg_statement_t audit_page = {
    FHIR_PG_AUDIT_PAGE, 1,
    "SELECT sequence"
#include "../fhir/audit_event.def"
    ", hash FROM fhir_binary.audit_event WHERE sequence BETWEEN $1::bigint AND $2::bigint ORDER BY sequence LIMIT "
    "$3::bigint"};

/* ---- rows ---- */

static void read_field(fhir_audit_event_t *event, const fhir_audit_field_t *field, const PGresult *result, int row,
                       int column, apr_pool_t *pool)
{
    void *member = (char *)event + field->offset;
    switch (field->kind) {
    case FHIR_AUDIT_FIELD_UUID:
        *(const char **)member = fhir_pg_uuid(result, row, column, pool);
        break;
    case FHIR_AUDIT_FIELD_TIME:
        *(apr_int64_t *)member = fhir_pg_time(result, row, column);
        break;
    case FHIR_AUDIT_FIELD_NUMBER:
        *(apr_int64_t *)member = fhir_pg_number(result, row, column);
        break;
    case FHIR_AUDIT_FIELD_TEXT:
    default:
        *(const char **)member = fhir_pg_text(result, row, column, pool);
        break;
    }
}

fhir_audit_event_t *fhir_pg_audit_event(const PGresult *result, int row, apr_pool_t *pool)
{
    fhir_audit_event_t *event = apr_pcalloc(pool, sizeof(*event));
    event->sequence = fhir_pg_number(result, row, 0);
    for (int i = 0; i < FHIR_AUDIT_FIELD_COUNT; i++) {
        read_field(event, &fhir_audit_fields[i], result, row, i + 1, pool);
    }
    fhir_pg_bytes(event->hash, sizeof(event->hash), result, row, FHIR_AUDIT_FIELD_COUNT + 1);
    return event;
}

/* ---- verification ---- */

fhir_error_t *fhir_meta_audit_head(fhir_audit_head_t *head, fhir_meta_t *meta, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    int found;
    memset(head, 0, sizeof(*head));
    FHIR_TRY(fhir_pg_run(&result, meta, &audit_head, &parameters, call));
    found = PQntuples(result) == 1;
    if (found) {
        head->first_sequence = fhir_pg_number(result, 0, 0);
        fhir_pg_bytes(head->first_previous_hash, FHIR_SHA256_LENGTH, result, 0, 1);
        head->last_sequence = fhir_pg_number(result, 0, 2);
        fhir_pg_bytes(head->last_hash, FHIR_SHA256_LENGTH, result, 0, 3);
        head->empty = PQgetisnull(result, 0, 4);
        head->least = fhir_pg_number(result, 0, 4);
        head->greatest = fhir_pg_number(result, 0, 5);
    }
    PQclear(result);
    return found ? NULL
                 : fhir_error_public(call->pool, FHIR_ERROR_NOT_FOUND,
                                     "The head of the audit trail is gone: its one row was removed.");
}

/* One verification on its way. */
typedef struct verify_t {
    fhir_audit_check_t *check;
    fhir_meta_t *meta;
    apr_interval_time_t page_time;
    const fhir_call_t *call;
    apr_int64_t next; /* the sequence that comes now */
    unsigned char hash[FHIR_SHA256_LENGTH];
} verify_t;

static fhir_call_t call_for_page(const verify_t *verify, apr_pool_t *pool)
{
    fhir_call_t call = *verify->call;
    call.pool = pool;
    call.deadline = apr_time_now() + verify->page_time;
    return call;
}

static void found_bad(const verify_t *verify, apr_int64_t sequence, const char *why)
{
    verify->check->bad = sequence;
    verify->check->why = why;
}

static void from_the_beginning(verify_t *verify)
{
    verify->next = verify->check->head.first_sequence;
    memcpy(verify->hash, verify->check->head.first_previous_hash, sizeof(verify->hash));
}

static fhir_error_t *check_row(verify_t *verify, const fhir_audit_event_t *event, apr_pool_t *pool)
{
    unsigned char hash[FHIR_SHA256_LENGTH];
    if (event->sequence != verify->next) {
        found_bad(verify, verify->next, "was removed");
        return NULL;
    }
    FHIR_TRY(fhir_audit_chain(hash, verify->hash, event, pool));
    if (memcmp(hash, event->hash, sizeof(hash)) != 0) {
        found_bad(verify, event->sequence, "was altered, inserted or moved");
        return NULL;
    }
    memcpy(verify->hash, hash, sizeof(hash));
    verify->next++;
    verify->check->verified++;
    return NULL;
}

static fhir_error_t *check_rows(int *rows, verify_t *verify, apr_pool_t *pool)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_call_t call = call_for_page(verify, pool);
    PGresult *result;
    fhir_error_t *error = NULL;
    fhir_pg_add_number(&parameters, verify->next);
    fhir_pg_add_number(&parameters, verify->check->head.last_sequence);
    fhir_pg_add_number(&parameters, VERIFY_PAGE);
    FHIR_TRY(fhir_pg_run(&result, verify->meta, &audit_page, &parameters, &call));
    *rows = PQntuples(result);
    for (int row = 0; row < *rows && !error && !verify->check->why; row++) {
        error = check_row(verify, fhir_pg_audit_event(result, row, pool), pool);
    }
    PQclear(result);
    return error;
}

/* What looks removed may have been pruned since: then it begins anew behind that. */
static fhir_error_t *was_pruned(int *pruned, verify_t *verify, apr_pool_t *pool)
{
    fhir_audit_head_t now;
    fhir_call_t call = call_for_page(verify, pool);
    FHIR_TRY(fhir_meta_audit_head(&now, verify->meta, &call));
    *pruned = now.first_sequence > verify->check->bad;
    if (*pruned) {
        apr_int64_t last = verify->check->head.last_sequence;
        verify->check->head = now;
        verify->check->head.last_sequence = last > now.first_sequence - 1 ? last : now.first_sequence - 1;
        verify->check->bad = 0;
        verify->check->why = NULL;
        from_the_beginning(verify);
    }
    return NULL;
}

static fhir_error_t *check_page(verify_t *verify, apr_pool_t *pool)
{
    int pruned;
    int rows;
    FHIR_TRY(check_rows(&rows, verify, pool));
    if (rows == 0) {
        found_bad(verify, verify->next, "was removed");
    }
    if (verify->check->why) {
        FHIR_TRY(was_pruned(&pruned, verify, pool));
    }
    return NULL;
}

/* What one look at the head tells. */
static void check_ends(const verify_t *verify)
{
    const fhir_audit_head_t *head = &verify->check->head;
    int empty = head->last_sequence < head->first_sequence;
    if (!head->empty && head->least < head->first_sequence) {
        found_bad(verify, head->least, "was inserted before the beginning of the chain");
    } else if (!head->empty && head->greatest > head->last_sequence) {
        found_bad(verify, head->last_sequence + 1, "was inserted behind the end of the chain");
    } else if (!empty && (head->empty || head->greatest < head->last_sequence)) {
        found_bad(verify, head->empty ? head->first_sequence : head->greatest + 1,
                  "was removed: the end of the chain is cut off");
    }
}

static void check_last(const verify_t *verify, apr_int64_t last, const unsigned char *last_hash)
{
    if (!verify->check->why && verify->next == last + 1 && memcmp(verify->hash, last_hash, FHIR_SHA256_LENGTH) != 0) {
        found_bad(verify, last, "is not the end that the head of the chain names");
    }
}

fhir_error_t *fhir_meta_audit_verify(fhir_audit_check_t *check, fhir_meta_t *meta, apr_interval_time_t page_time,
                                     const fhir_call_t *call)
{
    verify_t verify = {check, meta, page_time, call, 0, {0}};
    fhir_audit_head_t begun;
    fhir_error_t *error = NULL;
    fhir_call_t first;
    apr_pool_t *page;
    check->verified = check->bad = 0;
    check->why = NULL;
    apr_pool_create(&page, call->pool);
    first = call_for_page(&verify, call->pool);
    FHIR_TRY(fhir_meta_audit_head(&check->head, meta, &first));
    begun = check->head;
    from_the_beginning(&verify);
    while (!error && !check->why && verify.next <= check->head.last_sequence) {
        apr_pool_clear(page);
        error = check_page(&verify, page);
        if (!error && check->progress) {
            check->progress(check->baton, check);
        }
    }
    if (error) {
        return error;
    }
    apr_pool_destroy(page);
    check_last(&verify, begun.last_sequence, begun.last_hash);
    if (!check->why) {
        check->head = begun;
        check_ends(&verify);
    }
    return NULL;
}
