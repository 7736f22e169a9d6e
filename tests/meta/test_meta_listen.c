/* What is changed elsewhere is heard of at once, by a connection outside of the pool, and again after every loss. */
#include "core/app/key_ring.h"
#include "core/meta/listen.h"
#include "meta_test.h"

#include <stdatomic.h>
#include <sys/eventfd.h>

#define SECONDS(number) apr_time_from_sec(number)

static atomic_int heard_keys;
static atomic_int heard_access;
static atomic_int stopping;
static int event;
static apr_thread_t *listening;
static fhir_error_t *ended; /* how the listening ended */
static apr_pool_t *own;

static void changed(void *baton, int changes)
{
    (void)baton;
    atomic_fetch_add(&heard_keys, changes & FHIR_META_KEYS_CHANGED ? 1 : 0);
    atomic_fetch_add(&heard_access, changes & FHIR_META_ACCESS_CHANGED ? 1 : 0);
}

static int is_stopping(void *baton)
{
    (void)baton;
    return atomic_load(&stopping);
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    fhir_meta_listener_t listener = {changed, NULL, event};
    fhir_call_t with = {.pool = own, .cancelled = is_stopping};
    (void)thread;
    (void)baton;
    ended = fhir_meta_listen(meta, &listener, &with);
    return NULL;
}

static int comes_to(atomic_int *counter, int least)
{
    for (int i = 0; i < 500 && atomic_load(counter) < least; i++) {
        apr_sleep(10000);
    }
    return atomic_load(counter) >= least;
}

static void begin(void)
{
    atomic_store(&heard_keys, 0);
    atomic_store(&heard_access, 0);
    atomic_store(&stopping, 0);
    ended = NULL;
    CU_ASSERT_EQUAL(apr_pool_create_unmanaged_ex(&own, NULL, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&listening, NULL, run, NULL, pool), APR_SUCCESS);
    /* Each connection begins with this. */
    CU_ASSERT_TRUE(comes_to(&heard_keys, 1) && comes_to(&heard_access, 1));
}

static fhir_error_t *join(void)
{
    apr_status_t status;
    apr_thread_join(&status, listening);
    if (ended) {
        ended = fhir_error_create(pool, ended->code, 0, ended->public_text, "%s", ended->detail);
    }
    apr_pool_destroy(own);
    return ended;
}

static void end(void)
{
    apr_time_t started = apr_time_now();
    atomic_store(&stopping, 1);
    if (event >= 0) {
        eventfd_write(event, 1);
    }
    CU_ASSERT_PTR_NULL(join());
    CU_ASSERT_TRUE(apr_time_now() - started < SECONDS(1));
    if (event >= 0) {
        close(event);
    }
}

static void open_and_begin(void)
{
    open_meta(1);
    event = eventfd(0, EFD_CLOEXEC);
    begin();
}

static fhir_key_t token_key(void)
{
    fhir_key_t key = {.purpose = FHIR_KEY_TOKEN, .algorithm = "ES256"};
    FHIR_ASSERT_OK(fhir_jwk_generate(&key.material, &key.id, "ES256", pool));
    return key;
}

static void hears_of_keys(void)
{
    fhir_key_t key = token_key();
    open_and_begin();
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &key, &call));
    CU_ASSERT_TRUE(comes_to(&heard_keys, 2));
    FHIR_ASSERT_OK(fhir_meta_key_revoke(meta, key.id, &call));
    CU_ASSERT_TRUE(comes_to(&heard_keys, 3));
    CU_ASSERT_EQUAL(atomic_load(&heard_access), 1);
    end();
}

static void hears_of_access(void)
{
    const char *project;
    fhir_client_t client;
    int before;
    open_and_begin();
    project = make_project();
    CU_ASSERT_TRUE(comes_to(&heard_access, 2));
    client = make_client(project);
    CU_ASSERT_TRUE(comes_to(&heard_access, 4)); /* the client, and its membership */
    before = atomic_load(&heard_access);
    FHIR_ASSERT_OK(fhir_meta_client_set_secret(meta, client.id, "$2b$other", &call));
    CU_ASSERT_TRUE(comes_to(&heard_access, ++before));
    FHIR_ASSERT_OK(fhir_meta_client_set_active(meta, client.id, 0, &call));
    CU_ASSERT_TRUE(comes_to(&heard_access, ++before));
    set_membership(&client, ",\"active\":false");
    CU_ASSERT_TRUE(comes_to(&heard_access, ++before));
    FHIR_ASSERT_OK(fhir_meta_project_set_active(meta, project, 0, &call));
    CU_ASSERT_TRUE(comes_to(&heard_access, ++before));
    CU_ASSERT_EQUAL(atomic_load(&heard_keys), 1);
    end();
}

/* A word of a later version stands for everything; words on other channels, and what was rolled back, for nothing. */
static void hears_only_its_channel(void)
{
    open_and_begin();
    sql("BEGIN; NOTIFY fhir_binary, 'keys'; ROLLBACK; NOTIFY other, 'keys'; NOTIFY fhir_binary, 'access'");
    CU_ASSERT_TRUE(comes_to(&heard_access, 2));
    CU_ASSERT_EQUAL(atomic_load(&heard_keys), 1);
    sql("NOTIFY fhir_binary, 'something new'");
    CU_ASSERT_TRUE(comes_to(&heard_access, 3) && comes_to(&heard_keys, 2));
    sql("NOTIFY fhir_binary");
    CU_ASSERT_TRUE(comes_to(&heard_access, 4) && comes_to(&heard_keys, 3));
    end();
}

static void takes_no_place_in_the_pool(void)
{
    fhir_client_t client;
    int opened;
    int busy;
    open_and_begin();
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_client_find(&client, meta, uuid(), &call));
    fhir_meta_usage(meta, &opened, &busy);
    CU_ASSERT_EQUAL(opened, 1);
    CU_ASSERT_EQUAL(busy, 0);
    end();
}

static void stops_without_a_descriptor(void)
{
    open_meta(1);
    event = -1;
    begin();
    end();
}

static void says_that_the_connection_is_lost(void)
{
    fhir_error_t *error;
    open_and_begin();
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    error = join();
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
    begin();
    sql("NOTIFY fhir_binary, 'keys'");
    CU_ASSERT_TRUE(comes_to(&heard_keys, 2));
    end();
}

/* A server that has fallen silent: nobody tells, so it is asked. */
static void notices_that_the_connection_is_dead(void)
{
    fhir_error_t *error;
    const char *backend;
    apr_time_t started = apr_time_now();
    open_and_begin();
    backend = sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    CU_ASSERT_EQUAL(system(apr_pstrcat(pool, "kill -STOP ", backend, NULL)), 0);
    error = join();
    CU_ASSERT_EQUAL(system(apr_pstrcat(pool, "kill -CONT ", backend, NULL)), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_TIMEOUT);
    CU_ASSERT_TRUE(apr_time_now() - started < SECONDS(10));
    begin();
    end();
}

static void no_database(void)
{
    fhir_meta_config_t config = config_for(1);
    config.conninfo = "host=/nonexistent dbname=x";
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    atomic_store(&stopping, 0);
    event = -1;
    CU_ASSERT_EQUAL(apr_pool_create_unmanaged_ex(&own, NULL, NULL), APR_SUCCESS);
    run(NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ended);
    CU_ASSERT_EQUAL(ended->code, FHIR_ERROR_UNAVAILABLE);
    apr_pool_destroy(own);
}

/* ---- what a process does when it hears of it ---- */

static void a_stale_key_ring_loads_again(void)
{
    const fhir_jwk_set_t *set;
    fhir_key_ring_t *ring;
    fhir_key_t key = token_key();
    open_meta(2);
    sql("DELETE FROM fhir_binary.signing_key"); /* those of other tests are none */
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &key, &call));
    FHIR_ASSERT_OK(fhir_key_ring_create(&ring, meta, SECONDS(3600), pool));
    FHIR_ASSERT_OK(fhir_key_ring_token_set(&set, ring, key.id, &call));
    CU_ASSERT_TRUE(fhir_jwk_set_has(set, key.id));
    FHIR_ASSERT_OK(fhir_meta_key_revoke(meta, key.id, &call));
    FHIR_ASSERT_OK(fhir_key_ring_token_set(&set, ring, key.id, &call));
    CU_ASSERT_TRUE(fhir_jwk_set_has(set, key.id));
    fhir_key_ring_mark_stale(ring);
    FHIR_ASSERT_OK(fhir_key_ring_token_set(&set, ring, key.id, &call));
    CU_ASSERT_FALSE(fhir_jwk_set_has(set, key.id));
}

static void server(const char *action)
{
    CU_ASSERT_EQUAL(system(apr_psprintf(pool, "%s %s %s >/dev/null", getenv("FHIR_TEST_POSTGRES"), action,
                                        getenv("FHIR_TEST_CLUSTER"))),
                    0);
}

/* Keys that may have been revoked are not used because the database is away; those that nothing was heard about are. */
static void a_stale_key_ring_needs_the_database(void)
{
    const fhir_jwk_set_t *set;
    const char *json;
    fhir_key_ring_t *ring;
    fhir_key_t key = token_key();
    open_meta(2);
    sql("DELETE FROM fhir_binary.signing_key"); /* those of other tests are none */
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &key, &call));
    FHIR_ASSERT_OK(fhir_key_ring_create(&ring, meta, SECONDS(3600), pool));
    FHIR_ASSERT_OK(fhir_key_ring_token_set(&set, ring, key.id, &call));
    server("stop");
    FHIR_ASSERT_OK(fhir_key_ring_token_set(&set, ring, "another", &call));
    fhir_key_ring_mark_stale(ring);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_key_ring_token_set(&set, ring, key.id, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_key_ring_public_set(&json, ring, &call));
    server("start");
    apr_sleep(300000);
    FHIR_ASSERT_OK(fhir_key_ring_token_set(&set, ring, key.id, &call));
    CU_ASSERT_TRUE(fhir_jwk_set_has(set, key.id));
}

static const fhir_unit_test_t tests[] = {
    {"hears of keys", hears_of_keys},
    {"hears of access", hears_of_access},
    {"hears only its channel", hears_only_its_channel},
    {"takes no place in the pool", takes_no_place_in_the_pool},
    {"stops without a descriptor", stops_without_a_descriptor},
    {"says that the connection is lost", says_that_the_connection_is_lost},
    {"notices that the connection is dead", notices_that_the_connection_is_dead},
    {"no database", no_database},
    {"a stale key ring loads again", a_stale_key_ring_loads_again},
    {"a stale key ring needs the database", a_stale_key_ring_needs_the_database},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("listen", tests)
