/* Copies of objects: claimed before a byte is written, switched to in one statement, forgotten when their place is
 * empty. The order of locks is the copy's row, then the object's. */
#include "object_copy.h"
#include "pg_resource.h"

#define COPY_COLUMNS "c.object_key, c.store, c.locator, c.state, c.created_at"
#define AFTER(parameter) "clock_timestamp() + " parameter "::bigint * interval '1 microsecond'"

/* The object's row is locked, so that what is seen is how it is now: the one that another run has switched meanwhile,
 * and whose copy it has forgotten already, is not taken for one that is still to be moved. */
static const fhir_pg_statement_t copies_claim = {
    FHIR_PG_COPIES_CLAIM, 0,
    "INSERT INTO fhir_binary.object_copy AS c (object_key, store, locator, state, lease, due_at) "
    "SELECT o.object_key, $2, w.locator, 1, $5::uuid, " AFTER(
        "$6") " "
              "FROM unnest($3::uuid[], $4::text[]) w (object_key, locator) "
              "JOIN fhir_binary.object o ON o.object_key = w.object_key "
              "WHERE o.store = $1 AND o.committed_at IS NOT NULL "
              "AND NOT EXISTS (SELECT FROM fhir_binary.object t WHERE t.locator = w.locator AND t.store = $2) "
              "FOR NO KEY UPDATE OF o SKIP LOCKED ON CONFLICT DO NOTHING RETURNING c.object_key"};

/* Another store's object at this locator may be at this very place, if it has two names. A direct upload that is left
 * alone ends with its place. */
static const fhir_pg_statement_t copy_add = {
    FHIR_PG_COPY_ADD, 0,
    "WITH added AS (INSERT INTO fhir_binary.object_copy (object_key, store, locator, state, lease, due_at) "
    "SELECT $1::uuid, $2, $3, $4::smallint, $5::uuid, " AFTER(
        "$6") " WHERE NOT EXISTS "
              "(SELECT FROM fhir_binary.object o WHERE o.locator = $3) ON CONFLICT DO NOTHING "
              "RETURNING store, locator), forgotten AS (DELETE FROM fhir_binary.direct_upload d USING added "
              "WHERE d.store = added.store AND d.locator = added.locator AND d.state = 3) SELECT FROM added"};

static const fhir_pg_statement_t copies_renew = {FHIR_PG_COPIES_RENEW, 0,
                                                 "WITH renewed AS (UPDATE fhir_binary.object_copy SET due_at = " AFTER(
                                                     "$2") " WHERE lease = $1::uuid "
                                                           "RETURNING object_key) SELECT coalesce(bool_or($3::uuid IS "
                                                           "NULL OR object_key = $3::uuid), false) FROM renewed"};

static const fhir_pg_statement_t copies_release = {
    FHIR_PG_COPIES_RELEASE, 0,
    "UPDATE fhir_binary.object_copy SET due_at = least(due_at, clock_timestamp()) WHERE lease = $1::uuid"};

static const fhir_pg_statement_t copy_switch = {
    FHIR_PG_COPY_SWITCH, 0,
    "WITH mine AS (SELECT object_key FROM fhir_binary.object_copy WHERE object_key = $1::uuid AND lease = $2::uuid "
    "AND state = 1 AND store = $5 AND locator = $6 FOR UPDATE), "
    "moved AS (UPDATE fhir_binary.object o SET store = $5, locator = $6 FROM mine "
    "WHERE o.object_key = mine.object_key AND o.store = $3 AND o.locator = $4 AND o.committed_at IS NOT NULL "
    "RETURNING o.object_key) "
    "UPDATE fhir_binary.object_copy c SET store = $3, locator = $4, state = 2, lease = NULL, "
    "created_at = clock_timestamp(), due_at = " AFTER("$7") " FROM moved WHERE c.object_key = moved.object_key"};

static const fhir_pg_statement_t copies_take = {
    FHIR_PG_COPIES_TAKE, 0,
    "WITH due AS (SELECT object_key FROM fhir_binary.object_copy WHERE due_at <= statement_timestamp() "
    "AND store = ANY($1::text[]) ORDER BY due_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED) "
    "UPDATE fhir_binary.object_copy c SET lease = $3::uuid, due_at = " AFTER(
        "$4") " FROM due "
              "WHERE c.object_key = due.object_key RETURNING " COPY_COLUMNS};

#define FROM_NOW(time) "greatest(0, extract(epoch FROM " time " - clock_timestamp()) * 1000000)::bigint"
#define LEASED "lease <> $3::uuid AND due_at > clock_timestamp()"
static const fhir_pg_statement_t copies_left = {
    FHIR_PG_COPIES_LEFT, 1,
    "SELECT count(*), coalesce(least($2::bigint, " FROM_NOW(
        "min(due_at)") "), 0), count(*) FILTER (WHERE " LEASED "), "
                       "coalesce(least($2::bigint, " FROM_NOW(
                           "max(due_at) FILTER (WHERE " LEASED
                           ")") "), 0) "
                                "FROM fhir_binary.object_copy WHERE store = ANY($1::text[])"};

static const fhir_pg_statement_t copies_list = {
    FHIR_PG_COPIES_LIST, 1,
    "SELECT " COPY_COLUMNS " FROM fhir_binary.object_copy c WHERE c.store = $1 AND c.due_at <= statement_timestamp() "
    "AND c.created_at < timestamptz 'epoch' + $2::bigint * interval '1 microsecond' ORDER BY c.due_at LIMIT 1000"};

static const fhir_pg_statement_t copy_postpone = {
    FHIR_PG_COPY_POSTPONE, 0,
    "UPDATE fhir_binary.object_copy SET due_at = " AFTER("$3") ", lease = CASE WHEN state = 1 THEN lease END "
                                                               "WHERE object_key = $1::uuid AND lease = $2::uuid"};

static const fhir_pg_statement_t copy_lock = {
    FHIR_PG_COPY_LOCK, 0,
    "SELECT state FROM fhir_binary.object_copy WHERE object_key = $1::uuid AND lease = $2::uuid AND store = $3 "
    "AND locator = $4 FOR UPDATE"};

/* A statement of its own: it sees what was committed while the lock was waited for. */
static const fhir_pg_statement_t copy_facts = {
    FHIR_PG_COPY_FACTS, 0,
    "SELECT EXISTS (SELECT FROM fhir_binary.object p WHERE p.locator = $3 AND p.store = $2), " FHIR_PG_CONTENT_COLUMNS(
        "o") " FROM (SELECT 1) one LEFT JOIN fhir_binary.object o ON o.object_key = $1::uuid "
             "AND o.committed_at IS NOT NULL"};

static const fhir_pg_statement_t copy_forget = {FHIR_PG_COPY_FORGET, 0,
                                                "DELETE FROM fhir_binary.object_copy WHERE object_key = $1::uuid "
                                                "AND store = $2 AND locator = $3"};

/* What a client may still send to the store itself has a worker of its own. There is always a row that knows the place,
 * and never one that an upload could still commit. */
static const fhir_pg_statement_t object_discard = {
    FHIR_PG_OBJECT_DISCARD, 0,
    "WITH gone AS (DELETE FROM fhir_binary.object o WHERE object_key = $1::uuid AND committed_at IS NULL "
    "AND created_at < timestamptz 'epoch' + $2::bigint * interval '1 microsecond' "
    "AND NOT " FHIR_PG_STILL_AWAITED " RETURNING object_key, store, locator, created_at), "
    "forgotten AS (DELETE FROM fhir_binary.direct_upload d USING gone WHERE d.object_key = gone.object_key), "
    "left_over AS (INSERT INTO fhir_binary.object_copy (object_key, store, locator, state, lease, due_at, created_at) "
    "SELECT object_key, store, locator, 2, $3::uuid, " AFTER("$4") ", created_at FROM gone "
                                                                   "WHERE $3::uuid IS NOT NULL) SELECT FROM gone"};

static const char *names_of(const apr_array_header_t *names, apr_pool_t *pool)
{
    fhir_pg_array_t array;
    fhir_pg_array_init(&array, pool);
    for (int i = 0; i < names->nelts; i++) {
        fhir_pg_array_add_text(&array, APR_ARRAY_IDX(names, i, const char *));
    }
    return fhir_pg_array_end(&array);
}

static apr_array_header_t *read_copies(const PGresult *result, apr_pool_t *pool)
{
    apr_array_header_t *copies = apr_array_make(pool, PQntuples(result) + 1, sizeof(fhir_copy_t));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_copy_t *copy = apr_array_push(copies);
        copy->object_key = fhir_pg_hex(result, row, 0, pool);
        copy->store = fhir_pg_text(result, row, 1, pool);
        copy->locator = fhir_pg_text(result, row, 2, pool);
        copy->state = (fhir_copy_state_t)fhir_pg_number(result, row, 3);
        copy->created = fhir_pg_time(result, row, 4);
    }
    return copies;
}

/* ---- claiming and switching ---- */

fhir_error_t *fhir_meta_copies_claim(apr_array_header_t **claimed, fhir_meta_t *meta, const char *from,
                                     const apr_array_header_t *copies, const char *lease, apr_interval_time_t time,
                                     const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_array_t keys;
    fhir_pg_array_t locators;
    PGresult *result;
    *claimed = apr_array_make(call->pool, copies->nelts + 1, sizeof(const char *));
    if (copies->nelts == 0) {
        return NULL;
    }
    fhir_pg_array_init(&keys, call->pool);
    fhir_pg_array_init(&locators, call->pool);
    for (int i = 0; i < copies->nelts; i++) {
        fhir_pg_array_add_text(&keys, APR_ARRAY_IDX(copies, i, fhir_copy_t).object_key);
        fhir_pg_array_add_text(&locators, APR_ARRAY_IDX(copies, i, fhir_copy_t).locator);
    }
    fhir_pg_add_text(&parameters, from);
    fhir_pg_add_text(&parameters, APR_ARRAY_IDX(copies, 0, fhir_copy_t).store);
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&keys));
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&locators));
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_number(&parameters, time);
    FHIR_TRY(fhir_pg_run(&result, meta, &copies_claim, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        APR_ARRAY_PUSH(*claimed, const char *) = fhir_pg_hex(result, row, 0, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_copy_add(int *taken, fhir_meta_t *meta, const fhir_copy_t *copy, const char *lease,
                                 apr_interval_time_t time, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    *taken = 0;
    fhir_pg_add_text(&parameters, copy->object_key);
    fhir_pg_add_text(&parameters, copy->store);
    fhir_pg_add_text(&parameters, copy->locator);
    fhir_pg_add_number(&parameters, copy->state);
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_number(&parameters, time);
    FHIR_TRY(fhir_pg_change(&changed, meta, &copy_add, &parameters, call));
    *taken = changed == 1;
    return NULL;
}

fhir_error_t *fhir_meta_copies_renew(int *held, fhir_meta_t *meta, const char *lease, const char *object_key,
                                     apr_interval_time_t time, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *held = 0;
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_number(&parameters, time);
    fhir_pg_add_text(&parameters, object_key);
    FHIR_TRY(fhir_pg_run(&result, meta, &copies_renew, &parameters, call));
    *held = fhir_pg_number(result, 0, 0) != 0;
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_copies_release(fhir_meta_t *meta, const char *lease, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, lease);
    return fhir_pg_change(NULL, meta, &copies_release, &parameters, call);
}

fhir_error_t *fhir_meta_copy_switch(int *switched, fhir_meta_t *meta, const fhir_content_t *old,
                                    const fhir_copy_t *copy, const char *lease, apr_interval_time_t grace,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    *switched = 0;
    fhir_pg_add_text(&parameters, copy->object_key);
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_text(&parameters, old->store);
    fhir_pg_add_text(&parameters, old->locator);
    fhir_pg_add_text(&parameters, copy->store);
    fhir_pg_add_text(&parameters, copy->locator);
    fhir_pg_add_number(&parameters, grace);
    FHIR_TRY(fhir_pg_change(&changed, meta, &copy_switch, &parameters, call));
    *switched = changed == 1;
    return NULL;
}

/* ---- what is due ---- */

fhir_error_t *fhir_meta_copies_take(apr_array_header_t **copies, fhir_meta_t *meta, const apr_array_header_t *stores,
                                    int count, const char *lease, apr_interval_time_t time, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *copies = NULL;
    fhir_pg_add_text(&parameters, names_of(stores, call->pool));
    fhir_pg_add_number(&parameters, count);
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_number(&parameters, time);
    FHIR_TRY(fhir_pg_run(&result, meta, &copies_take, &parameters, call));
    *copies = read_copies(result, call->pool);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_copies_left(fhir_copies_left_t *left, fhir_meta_t *meta, const apr_array_header_t *stores,
                                    const char *lease, apr_interval_time_t longest, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_pg_add_text(&parameters, names_of(stores, call->pool));
    fhir_pg_add_number(&parameters, longest);
    fhir_pg_add_text(&parameters, lease);
    FHIR_TRY(fhir_pg_run(&result, meta, &copies_left, &parameters, call));
    left->count = fhir_pg_number(result, 0, 0);
    left->until = fhir_pg_number(result, 0, 1);
    left->leased = fhir_pg_number(result, 0, 2);
    left->leased_until = fhir_pg_number(result, 0, 3);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_copies_list(apr_array_header_t **copies, fhir_meta_t *meta, const char *store,
                                    apr_time_t before, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *copies = NULL;
    fhir_pg_add_text(&parameters, store);
    fhir_pg_add_time(&parameters, before);
    FHIR_TRY(fhir_pg_run(&result, meta, &copies_list, &parameters, call));
    *copies = read_copies(result, call->pool);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_copy_postpone(fhir_meta_t *meta, const char *object_key, const char *lease,
                                      apr_interval_time_t time, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_add_text(&parameters, object_key);
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_number(&parameters, time);
    return fhir_pg_change(NULL, meta, &copy_postpone, &parameters, call);
}

/* ---- removing ---- */

fhir_error_t *fhir_transaction_copy_lock(int *held, int *is_current, const fhir_content_t **content,
                                         fhir_transaction_t *transaction, const fhir_copy_t *copy, const char *lease,
                                         apr_pool_t *pool)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_parameters_t place = {.count = 0};
    PGresult *result;
    *is_current = 0;
    *content = NULL;
    fhir_pg_add_text(&parameters, copy->object_key);
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_text(&parameters, copy->store);
    fhir_pg_add_text(&parameters, copy->locator);
    FHIR_TRY(fhir_pg_run_in(&result, transaction, &copy_lock, &parameters));
    *held = PQntuples(result) == 1;
    PQclear(result);
    if (!*held) {
        return NULL;
    }
    fhir_pg_add_text(&place, copy->object_key);
    fhir_pg_add_text(&place, copy->store);
    fhir_pg_add_text(&place, copy->locator);
    FHIR_TRY(fhir_pg_run_in(&result, transaction, &copy_facts, &place));
    *is_current = fhir_pg_number(result, 0, 0) != 0;
    *content = fhir_pg_content(result, 0, 1, pool);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_transaction_copy_forget(fhir_transaction_t *transaction, const fhir_copy_t *copy)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    fhir_pg_add_text(&parameters, copy->object_key);
    fhir_pg_add_text(&parameters, copy->store);
    fhir_pg_add_text(&parameters, copy->locator);
    FHIR_TRY(fhir_pg_run_in(&result, transaction, &copy_forget, &parameters));
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_object_discard(int *discarded, fhir_meta_t *meta, const char *object_key, apr_time_t before,
                                       const char *lease, apr_interval_time_t time, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_off_t changed;
    *discarded = 0;
    fhir_pg_add_text(&parameters, object_key);
    fhir_pg_add_time(&parameters, before);
    fhir_pg_add_text(&parameters, lease);
    fhir_pg_add_number(&parameters, time);
    FHIR_TRY(fhir_pg_change(&changed, meta, &object_discard, &parameters, call));
    *discarded = changed == 1;
    return NULL;
}
