/* When the database is slow, full or away. */
#include "meta_test.h"

#define SECONDS(number) apr_time_from_sec(number)

static FILE *blocker;
static apr_time_t started;

/* A session that keeps the Binaries' head locked until unblock(). */
static void block(const char *statement)
{
    blocker = popen(apr_psprintf(pool, "psql -X -q -A -t -d '%s' >/dev/null", getenv("FHIR_TEST_CONNINFO")), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(blocker);
    fprintf(blocker, "BEGIN; SET application_name = 'blocker'; %s;\n", statement);
    fflush(blocker);
    for (int i = 0; i < 100; i++) {
        if (strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'blocker' AND state = 'idle in "
                       "transaction'"),
                   "1") == 0) {
            return;
        }
        apr_sleep(20000);
    }
    CU_FAIL("the blocker does not block");
}

static void unblock(void)
{
    fprintf(blocker, "COMMIT;\n\\q\n");
    pclose(blocker);
}

static void server(const char *action)
{
    CU_ASSERT_EQUAL(system(apr_psprintf(pool, "%s %s %s >/dev/null", getenv("FHIR_TEST_POSTGRES"), action,
                                        getenv("FHIR_TEST_CLUSTER"))),
                    0);
}

static fhir_error_t *read_something(void)
{
    static const fhir_principal_key_t nobody = {FHIR_PRINCIPAL_HTTPD, "", "nobody"};
    fhir_binary_facts_t facts;
    started = apr_time_now();
    return fhir_meta_load_binary(&facts, meta, &nobody, NULL, NULL, 0, &call);
}

static apr_interval_time_t elapsed(void)
{
    return apr_time_now() - started;
}

static void wrong_config(void)
{
    fhir_meta_config_t config = config_for(1);
    fhir_error_t *error;
    config.conninfo = "host=/tmp hunter2";
    error = fhir_meta_open(&meta, &config, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "hunter2"));
    CU_ASSERT_PTR_NULL(error->detail);
    config = config_for(0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_meta_open(&meta, &config, pool));
    config = config_for(1);
    config.conninfo = NULL;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_meta_open(&meta, &config, pool));
}

static void check_unavailable(fhir_error_t *error, apr_interval_time_t within)
{
    CU_ASSERT_TRUE(elapsed() < within);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_AFTER);
    CU_ASSERT_EQUAL(error->retry_after, SECONDS(5));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, getenv("FHIR_TEST_CLUSTER")));
    CU_ASSERT_PTR_NOT_NULL(error->detail);
}

static void no_server(void)
{
    fhir_meta_config_t config = config_for(2);
    int open;
    int busy;
    call = call_for(pool);
    config.conninfo = "host=/nonexistent dbname=x user=x password=hunter2";
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    check_unavailable(read_something(), SECONDS(1));
    check_unavailable(read_something(), SECONDS(1));
    fhir_meta_usage(meta, &open, &busy);
    CU_ASSERT_EQUAL(open, 0);
    CU_ASSERT_EQUAL(busy, 0);
}

/* A server that takes the connection and says nothing. */
static void silent_server(void)
{
    fhir_meta_config_t config = config_for(2);
    fhir_error_t *error;
    FILE *listener;
    char port[16] = "";
    call = call_for(pool);
    listener = popen("/usr/bin/python3 -c 'import socket,time,sys; s=socket.socket(); s.bind((\"127.0.0.1\",0)); "
                     "s.listen(9); print(s.getsockname()[1], flush=True); time.sleep(4)'",
                     "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(port, sizeof(port), listener));
    config.conninfo = apr_psprintf(pool, "host=127.0.0.1 port=%d dbname=x user=x", atoi(port));
    config.connect_timeout = SECONDS(1);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    check_unavailable(read_something(), SECONDS(2));
    CU_ASSERT_TRUE(elapsed() >= SECONDS(1) - 10000);
    /* remembered: the next one does not wait */
    check_unavailable(read_something(), SECONDS(1) / 4);
    /* a caller without time left */
    apr_sleep(300000);
    call.deadline = apr_time_now() + 200000;
    error = read_something();
    CU_ASSERT_PTR_NOT_NULL(error);
    CU_ASSERT_TRUE(elapsed() < SECONDS(1) / 2);
    pclose(listener);
}

/* What a call in another thread is about, and how it ended. */
typedef struct attempt_t {
    fhir_version_change_t change;
    const char *project_id;
    int code; /* of the error, 0: none */
} attempt_t;

static void *APR_THREAD_FUNC commit_blocked(apr_thread_t *thread, void *data)
{
    attempt_t *attempt = data;
    const fhir_binary_t *binary;
    apr_pool_t *own;
    fhir_call_t mine;
    fhir_error_t *error;
    apr_pool_create(&own, NULL);
    mine = call_for(own);
    error = fhir_meta_commit(&binary, meta, &attempt->change, &mine);
    attempt->code = error ? (int)error->code : 0;
    apr_pool_destroy(own);
    return thread;
}

static fhir_version_change_t existing_binary(void)
{
    const fhir_binary_t *binary;
    fhir_version_change_t change = change_of(FHIR_CHANGE_CREATE, make_project(), "x");
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    change.kind = FHIR_CHANGE_UPDATE;
    change.version_id = uuid();
    return change;
}

static void pool_is_used_up(void)
{
    fhir_meta_config_t config = config_for(1);
    attempt_t attempt = {.code = -1};
    apr_thread_t *thread;
    apr_status_t ended;
    int open;
    int busy;
    open_meta(1);
    attempt.change = existing_binary();
    config.acquire_timeout = SECONDS(1);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    block("LOCK TABLE fhir_binary.binary");
    apr_thread_create(&thread, NULL, commit_blocked, &attempt, pool);
    apr_sleep(300000);
    fhir_meta_usage(meta, &open, &busy);
    CU_ASSERT_EQUAL(busy, 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, read_something());
    CU_ASSERT_TRUE(elapsed() >= SECONDS(1) - 10000 && elapsed() < SECONDS(2));
    unblock();
    apr_thread_join(&ended, thread);
    CU_ASSERT_EQUAL(attempt.code, 0);
    FHIR_ASSERT_OK(read_something());
}

static void statement_times_out(void)
{
    fhir_meta_config_t config = config_for(1);
    fhir_version_change_t change;
    const fhir_binary_t *binary;
    fhir_error_t *error;
    int open;
    int busy;
    open_meta(1);
    change = existing_binary();
    config.statement_timeout = SECONDS(1);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    block("LOCK TABLE fhir_binary.binary");
    started = apr_time_now();
    error = fhir_meta_commit(&binary, meta, &change, &call);
    CU_ASSERT_TRUE(elapsed() >= SECONDS(1) - 10000 && elapsed() < SECONDS(2));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_TIMEOUT);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_AFTER);
    /* it was the server who stopped: the connection is still good */
    fhir_meta_usage(meta, &open, &busy);
    CU_ASSERT_EQUAL(open, 1);
    /* the call's own deadline comes first: the connection is given up, the statement cancelled */
    call.deadline = apr_time_now() + 300000;
    started = apr_time_now();
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_meta_commit(&binary, meta, &change, &call));
    CU_ASSERT_TRUE(elapsed() < 700000);
    fhir_meta_usage(meta, &open, &busy);
    CU_ASSERT_EQUAL(open, 0);
    CU_ASSERT_EQUAL(busy, 0);
    unblock();
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    CU_ASSERT_EQUAL(binary->sequence, 2);
}

static int after_a_while(void *baton)
{
    return apr_time_now() - started > *(const apr_interval_time_t *)baton;
}

static void caller_goes_away(void)
{
    apr_interval_time_t patience = 200000;
    fhir_version_change_t change;
    const fhir_binary_t *binary;
    open_meta(1);
    change = existing_binary();
    block("LOCK TABLE fhir_binary.binary");
    call.cancelled = after_a_while;
    call.cancelled_baton = &patience;
    started = apr_time_now();
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, fhir_meta_commit(&binary, meta, &change, &call));
    CU_ASSERT_TRUE(elapsed() < SECONDS(1));
    /* cancelled on the server, too: nobody waits for the lock any more */
    apr_sleep(100000);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM pg_locks WHERE NOT granted"), "0");
    unblock();
    call = call_for(pool);
    FHIR_ASSERT_OK(read_something());
}

static void terminate_ours(void)
{
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mod_fhir_binary'");
    apr_sleep(100000);
}

static void terminated_between_calls(void)
{
    fhir_version_change_t change;
    const fhir_binary_t *binary;
    open_meta(2);
    change = existing_binary();
    terminate_ours();
    /* a write: nothing was sent on the dead connection, so it may go out on a new one */
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    terminate_ours();
    FHIR_ASSERT_OK(read_something());
    terminate_ours();
    FHIR_ASSERT_OK(fhir_meta_health(meta, &call));
}

static void terminated_in_a_call(void)
{
    attempt_t attempt = {.code = -1};
    const fhir_binary_t *binary;
    apr_thread_t *thread;
    apr_status_t ended;
    open_meta(1);
    attempt.change = existing_binary();
    block("LOCK TABLE fhir_binary.binary");
    apr_thread_create(&thread, NULL, commit_blocked, &attempt, pool);
    apr_sleep(300000);
    terminate_ours();
    apr_thread_join(&ended, thread);
    /* a write that was sent is never sent again */
    CU_ASSERT_EQUAL(attempt.code, FHIR_ERROR_UNAVAILABLE);
    unblock();
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &attempt.change, &call));
    CU_ASSERT_EQUAL(binary->sequence, 2);
}

static void *APR_THREAD_FUNC read_blocked(apr_thread_t *thread, void *data)
{
    apr_array_header_t *versions;
    apr_off_t total;
    apr_pool_t *own;
    fhir_call_t mine;
    fhir_error_t *error;
    attempt_t *attempt = data;
    apr_pool_create(&own, NULL);
    mine = call_for(own);
    error = fhir_meta_history(&versions, &total, meta, attempt->project_id, "x", 10, 0, &mine);
    attempt->code = error ? (int)error->code : 0;
    apr_pool_destroy(own);
    return thread;
}

static void read_goes_on_elsewhere(void)
{
    apr_thread_t *thread;
    apr_status_t ended;
    attempt_t attempt = {.code = -1};
    open_meta(1);
    attempt.project_id = make_project();
    block("LOCK TABLE fhir_binary.binary");
    apr_thread_create(&thread, NULL, read_blocked, &attempt, pool);
    apr_sleep(300000);
    terminate_ours();
    unblock();
    apr_thread_join(&ended, thread);
    CU_ASSERT_EQUAL(attempt.code, 0);
}

static void statements_forgotten(void)
{
    open_meta(1);
    FHIR_ASSERT_OK(read_something());
    /* as a pooler or an impatient administrator would; the table's columns change under a prepared plan */
    sql("ALTER TABLE fhir_binary.membership ALTER COLUMN profile TYPE varchar(99)");
    FHIR_ASSERT_OK(read_something());
    sql("ALTER TABLE fhir_binary.membership ALTER COLUMN profile TYPE text");
    FHIR_ASSERT_OK(read_something());
}

static void server_stops_and_comes_back(void)
{
    fhir_version_change_t change;
    const fhir_binary_t *binary;
    open_meta(3);
    change = existing_binary();
    server("stop");
    check_unavailable(read_something(), SECONDS(1));
    started = apr_time_now();
    check_unavailable(fhir_meta_commit(&binary, meta, &change, &call), SECONDS(1));
    started = apr_time_now();
    check_unavailable(fhir_meta_health(meta, &call), SECONDS(1));
    server("start");
    apr_sleep(300000);
    FHIR_ASSERT_OK(read_something());
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    CU_ASSERT_EQUAL(binary->sequence, 2);
}

static const fhir_unit_test_t tests[] = {{"wrong configuration", wrong_config},
                                         {"no server", no_server},
                                         {"a silent server", silent_server},
                                         {"the pool is used up", pool_is_used_up},
                                         {"a statement times out", statement_times_out},
                                         {"the caller goes away", caller_goes_away},
                                         {"terminated between calls", terminated_between_calls},
                                         {"terminated in a call", terminated_in_a_call},
                                         {"a read goes on elsewhere", read_goes_on_elsewhere},
                                         {"a plan is no longer valid", statements_forgotten},
                                         {"the server stops and comes back", server_stops_and_comes_back},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("pool", tests)
