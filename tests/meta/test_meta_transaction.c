/* Several writes at once: all or nothing, locks of conditional writes, and connections that always come back. */
#include "resource_test.h"

static const char *project;
static fhir_transaction_t *transaction;

static void set_up(int connections)
{
    open_meta(connections);
    project = make_project();
}

static fhir_error_t *write_in(fhir_change_kind_t kind, const char *id)
{
    fhir_resource_change_t change = resource_change(kind, project, "Patient", id);
    const fhir_resource_t *made;
    apr_array_header_t *values = no_values();
    push_token(values, "identifier", "urn:i", "7");
    change.index_values = kind == FHIR_CHANGE_DELETE ? NULL : values;
    return fhir_transaction_write(&made, transaction, &change);
}

static int busy_connections(void)
{
    int open;
    int busy;
    fhir_meta_usage(meta, &open, &busy);
    return busy;
}

static const char *count_of(const char *table)
{
    return sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.%s WHERE project_id = '%s'", table, project));
}

static fhir_search_t by_identifier(void)
{
    fhir_search_t search = search_for("Patient");
    add_code(&search, "identifier", FHIR_SEARCH_TOKEN, "7")->system = "urn:i";
    return search;
}

static void all(void)
{
    fhir_version_change_t binary_change;
    const fhir_binary_t *binary;
    const fhir_resource_t *current;
    apr_array_header_t *matches;
    fhir_search_t search;
    set_up(2);
    search = by_identifier();
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    CU_ASSERT_EQUAL(busy_connections(), 1);
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "b"));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_DELETE, "b"));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_UPDATE, "a"));
    binary_change = change_of(FHIR_CHANGE_CREATE, project, "f");
    binary_change.content = make_content(project, &call);
    FHIR_ASSERT_OK(fhir_transaction_write_binary(&binary, transaction, &binary_change));
    CU_ASSERT_EQUAL(binary->content->size, 4711);
    /* it sees what it wrote, nobody else does */
    FHIR_ASSERT_OK(fhir_transaction_search(&matches, transaction, project, &search, 5));
    CU_ASSERT_EQUAL(matches->nelts, 1);
    FHIR_ASSERT_OK(fhir_transaction_load(&current, transaction, project, "Patient", "a"));
    CU_ASSERT_EQUAL(current->sequence, 2);
    FHIR_ASSERT_OK(fhir_transaction_load(&current, transaction, project, "Patient", "b"));
    CU_ASSERT_EQUAL(current->change, FHIR_CHANGE_DELETE);
    FHIR_ASSERT_OK(fhir_transaction_load(&current, transaction, project, "Patient", "c"));
    CU_ASSERT_PTR_NULL(current);
    FHIR_ASSERT_OK(fhir_transaction_load(&current, transaction, project, "Patient", "\xff"));
    CU_ASSERT_PTR_NULL(current);
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "0");
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "2");
    CU_ASSERT_STRING_EQUAL(count_of("binary"), "1");
    CU_ASSERT_EQUAL(busy_connections(), 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_transaction_commit(transaction));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, write_in(FHIR_CHANGE_CREATE, "z"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_transaction_search(&matches, transaction, project, &search, 5));
    fhir_transaction_rollback(transaction);
    CU_ASSERT_EQUAL(busy_connections(), 0);
}

static void nothing(void)
{
    fhir_version_change_t binary_change;
    const fhir_binary_t *binary;
    set_up(1);
    binary_change = change_of(FHIR_CHANGE_CREATE, project, "f");
    binary_change.content = make_content(project, &call);
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_OK(fhir_transaction_write_binary(&binary, transaction, &binary_change));
    fhir_transaction_rollback(transaction);
    CU_ASSERT_EQUAL(busy_connections(), 0);
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "0");
    CU_ASSERT_STRING_EQUAL(count_of("binary"), "0");
    CU_ASSERT_STRING_EQUAL(sql(apr_psprintf(pool,
                                            "SELECT committed_at IS NULL FROM fhir_binary.object WHERE project_id = "
                                            "'%s'",
                                            project)),
                           "t");
    /* the same connection serves the next */
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "1");
}

/* What the rules refuse leaves the transaction usable: the caller decides. */
static void refusals(void)
{
    fhir_version_change_t binary_change;
    fhir_resource_change_t change;
    const fhir_resource_t *made;
    const fhir_binary_t *binary;
    set_up(1);
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, write_in(FHIR_CHANGE_UPDATE, "b"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, write_in(FHIR_CHANGE_DELETE, "b"));
    change = resource_change(FHIR_CHANGE_UPDATE, project, "Patient", "a");
    change.expected_version = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, fhir_transaction_write(&made, transaction, &change));
    binary_change = change_of(FHIR_CHANGE_UPDATE, project, "f");
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_transaction_write_binary(&binary, transaction, &binary_change));
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "1");
}

/* COMMIT of a failed transaction says ROLLBACK, not that it failed. */
static void failed_is_not_committed(void)
{
    fhir_version_change_t binary_change;
    fhir_content_t *content;
    const fhir_binary_t *binary;
    set_up(1);
    content = apr_pmemdup(pool, make_content(project, &call), sizeof(*content));
    content->object_key = "00000000000000000000000000000000";
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    binary_change = change_of(FHIR_CHANGE_CREATE, project, "f");
    binary_change.content = content;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, fhir_transaction_write_binary(&binary, transaction, &binary_change));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, write_in(FHIR_CHANGE_CREATE, "b"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_transaction_commit(transaction));
    CU_ASSERT_EQUAL(busy_connections(), 0);
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "0");
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
}

static void ends_with_its_pool(void)
{
    apr_pool_t *own;
    fhir_call_t mine;
    set_up(1);
    for (int i = 0; i < 3; i++) {
        apr_pool_create(&own, pool);
        mine = call_for(own);
        FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &mine));
        FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
        CU_ASSERT_EQUAL(busy_connections(), 1);
        apr_pool_destroy(own);
        CU_ASSERT_EQUAL(busy_connections(), 0);
        CU_ASSERT_STRING_EQUAL(count_of("resource"), "0");
    }
    /* the caller's call need not live as long */
    apr_pool_create(&own, pool);
    mine = call_for(own);
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &mine));
    memset(&mine, 0xff, sizeof(mine));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    apr_pool_destroy(own);
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "1");
}

/* No connection for a second one; a deadline in a lock that another holds. */
static void deadlines(void)
{
    fhir_transaction_t *first;
    fhir_call_t hurried;
    apr_time_t started = apr_time_now();
    set_up(2);
    FHIR_ASSERT_OK(fhir_meta_begin(&first, meta, &call));
    FHIR_ASSERT_OK(fhir_transaction_lock(first, project, "Patient", "identifier=7"));
    hurried = call_for(pool);
    hurried.deadline = apr_time_now() + 300000;
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &hurried));
    FHIR_ASSERT_OK(fhir_transaction_lock(transaction, project, "Patient", "identifier=8"));
    FHIR_ASSERT_OK(fhir_transaction_lock(transaction, project, "Observation", "identifier=7"));
    FHIR_ASSERT_OK(fhir_transaction_lock(transaction, uuid(), "Patient", "identifier=7"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_transaction_lock(transaction, project, "Patient", "identifier=7"));
    hurried.deadline = apr_time_now() + 300000;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_meta_begin(&first, meta, &hurried));
    CU_ASSERT_EQUAL(busy_connections(), 2);
    CU_ASSERT_TRUE(apr_time_now() - started < apr_time_from_sec(3));
    fhir_transaction_rollback(transaction);
    CU_ASSERT_EQUAL(busy_connections(), 1);
}

static void lost_connections(void)
{
    set_up(2);
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(FHIR_CHANGE_CREATE, "a"));
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
        "current_database()");
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, write_in(FHIR_CHANGE_CREATE, "b"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_transaction_commit(transaction));
    CU_ASSERT_EQUAL(busy_connections(), 0);
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "0");
    /* idle ones that were lost are replaced before anything is done */
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
        "current_database()");
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    fhir_transaction_rollback(transaction);
    CU_ASSERT_EQUAL(busy_connections(), 0);
}

/* ---- conditional creates in several threads ---- */

#define CREATORS 6

typedef struct creator_t {
    int created;
    int found;
    int failed;
} creator_t;

/* Create unless the search finds one: the lock makes it one of all. */
static fhir_error_t *create_if_none(int *created, const fhir_search_t *search, const fhir_call_t *mine)
{
    fhir_transaction_t *own;
    fhir_store_resource_t stored = {.meta = "", .body = "\"active\":true"};
    fhir_index_value_t value = {.name = "identifier", .type = FHIR_SEARCH_TOKEN, .system = "urn:i", .code = "7"};
    fhir_resource_change_t change = {.kind = FHIR_CHANGE_CREATE, .type = "Patient", .stored = &stored};
    apr_array_header_t *values = apr_array_make(mine->pool, 1, sizeof(value));
    apr_array_header_t *matches;
    const fhir_resource_t *made;
    APR_ARRAY_PUSH(values, fhir_index_value_t) = value;
    change.index_values = values;
    change.project_id = change.membership_id = project;
    FHIR_TRY(fhir_random_uuid(&change.version_id, mine->pool));
    FHIR_TRY(fhir_random_uuid(&change.id, mine->pool));
    FHIR_TRY(fhir_meta_begin(&own, meta, mine));
    FHIR_TRY(fhir_transaction_lock(own, project, "Patient", "identifier=urn:i|7"));
    FHIR_TRY(fhir_transaction_search(&matches, own, project, search, 2));
    *created = matches->nelts == 0;
    if (*created) {
        FHIR_TRY(fhir_transaction_write(&made, own, &change));
    }
    return fhir_transaction_commit(own);
}

static fhir_search_t shared_search;

static void *APR_THREAD_FUNC create_some(apr_thread_t *thread, void *data)
{
    creator_t *creator = data;
    for (int i = 0; i < 5; i++) {
        apr_pool_t *own;
        fhir_call_t mine;
        int created = 0;
        fhir_error_t *error;
        apr_pool_create(&own, NULL);
        mine = call_for(own);
        error = create_if_none(&created, &shared_search, &mine);
        creator->failed += error != NULL;
        creator->created += !error && created;
        creator->found += !error && !created;
        apr_pool_destroy(own);
    }
    return thread;
}

static void one_of_all(void)
{
    creator_t creators[CREATORS] = {{0}};
    apr_thread_t *threads[CREATORS];
    apr_status_t ended;
    int created = 0;
    int failed = 0;
    set_up(CREATORS);
    shared_search = by_identifier();
    for (int i = 0; i < CREATORS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, create_some, &creators[i], pool), APR_SUCCESS);
    }
    for (int i = 0; i < CREATORS; i++) {
        apr_thread_join(&ended, threads[i]);
        created += creators[i].created;
        failed += creators[i].failed;
    }
    CU_ASSERT_EQUAL(created, 1);
    CU_ASSERT_EQUAL(failed, 0);
    CU_ASSERT_STRING_EQUAL(count_of("resource"), "1");
    CU_ASSERT_EQUAL(busy_connections(), 0);
}

/* Two that wait for each other: one of both is told to try again, and nothing hangs. */
static void *APR_THREAD_FUNC lock_both(apr_thread_t *thread, void *data)
{
    fhir_transaction_t *own;
    apr_pool_t *mine_pool;
    fhir_call_t mine;
    int *result = data;
    fhir_error_t *error;
    apr_pool_create(&mine_pool, NULL);
    mine = call_for(mine_pool);
    error = fhir_meta_begin(&own, meta, &mine);
    if (!error) {
        error = fhir_transaction_lock(own, project, "Patient", *result ? "one" : "two");
    }
    apr_sleep(300000);
    if (!error) {
        error = fhir_transaction_lock(own, project, "Patient", *result ? "two" : "one");
    }
    *result = error ? (int)error->code : 0;
    apr_pool_destroy(mine_pool);
    return thread;
}

static void deadlock(void)
{
    int results[2] = {0, 1};
    apr_thread_t *threads[2];
    apr_status_t ended;
    set_up(2);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, lock_both, &results[i], pool), APR_SUCCESS);
    }
    for (int i = 0; i < 2; i++) {
        apr_thread_join(&ended, threads[i]);
    }
    CU_ASSERT_EQUAL(results[0] + results[1], FHIR_ERROR_UNAVAILABLE);
    CU_ASSERT_EQUAL(busy_connections(), 0);
}

static const fhir_unit_test_t tests[] = {{"all", all},
                                         {"nothing", nothing},
                                         {"refusals", refusals},
                                         {"failed is not committed", failed_is_not_committed},
                                         {"ends with its pool", ends_with_its_pool},
                                         {"deadlines", deadlines},
                                         {"lost connections", lost_connections},
                                         {"one of all", one_of_all},
                                         {"deadlock", deadlock},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("transaction", tests)
