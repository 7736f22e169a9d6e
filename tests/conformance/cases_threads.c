/* Many threads on one store; then what must be as before: descriptors, memory. */
#include "conformance.h"

#include <pthread.h>

#define THREADS 8
#define PER_THREAD 12

typedef struct worker_t {
    pthread_t thread;
    const object_t *shared; /* NULL: objects of its own */
    int number;
    int won;
    int failed;
} worker_t;

/* CUnit's assertions are not for threads: workers count. */
static void *write_own_objects(void *data)
{
    worker_t *worker = data;
    apr_pool_t *pool;
    int i;
    apr_pool_create(&pool, NULL);
    for (i = 0; i < PER_THREAD; i++) {
        apr_off_t size = 1000 * worker->number + i;
        object_t object = new_object(pool);
        fhir_call_t call = core_call(pool);
        fhir_written_t written;
        int correct = 0;
        int existed = 0;
        worker->failed += store_pattern(&written, &object, size, 999, i % 2, pool) != NULL;
        worker->failed += check_pattern(&correct, &object, size, 0, -1, 500, pool) != NULL || !correct;
        if (i % 3 == 0) {
            worker->failed += fhir_object_remove(&existed, suite.store, object.locator, &call) != NULL || !existed;
            worker->failed += visible(&object, pool);
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void *write_shared_object(void *data)
{
    worker_t *worker = data;
    apr_pool_t *pool;
    fhir_written_t written;
    fhir_error_t *error;
    apr_pool_create(&pool, NULL);
    error = store_pattern(&written, worker->shared, 200000, 60000, 1, pool);
    worker->won = error == NULL;
    worker->failed = error && error->code != FHIR_ERROR_EXISTS;
    apr_pool_destroy(pool);
    return NULL;
}

static void run_workers(worker_t workers[THREADS], void *(*work)(void *), const object_t *shared)
{
    int i;
    for (i = 0; i < THREADS; i++) {
        memset(&workers[i], 0, sizeof(workers[i]));
        workers[i].shared = shared;
        workers[i].number = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        CU_ASSERT_EQUAL(workers[i].failed, 0);
    }
}

static void writers_on_different_keys(void)
{
    worker_t workers[THREADS];
    run_workers(workers, write_own_objects, NULL);
}

static void writers_on_one_key(void)
{
    int round;
    for (round = 0; round < 5; round++) {
        worker_t workers[THREADS];
        object_t object = new_object(suite.pool);
        int winners = 0;
        int correct;
        int i;
        run_workers(workers, write_shared_object, &object);
        for (i = 0; i < THREADS; i++) {
            winners += workers[i].won;
        }
        CU_ASSERT_EQUAL(winners, 1);
        ASSERT_OK(check_pattern(&correct, &object, 200000, 0, -1, 50000, suite.pool));
        CU_ASSERT_TRUE(correct);
    }
}

const case_t thread_cases[] = {
    {"writers on different keys", writers_on_different_keys},
    {"writers on one key", writers_on_one_key},
    {NULL, NULL},
};

/* A store that keeps objects elsewhere needs no memory for them. */
static void big_object_in_constant_memory(void)
{
    object_t object = new_object(suite.pool);
    apr_off_t size = 64 * MEBIBYTE + 3;
    apr_off_t before = resident_bytes();
    fhir_written_t written;
    fhir_call_t call = core_call(suite.pool);
    int existed;
    int correct;
    ASSERT_OK(store_pattern(&written, &object, size, 65536, 1, suite.pool));
    CU_ASSERT_EQUAL(written.size, size);
    ASSERT_OK(check_pattern(&correct, &object, size, 0, -1, 65536, suite.pool));
    CU_ASSERT_TRUE(correct);
    ASSERT_OK(check_pattern(&correct, &object, size, size - 5, 5, 65536, suite.pool));
    CU_ASSERT_TRUE(correct);
    if (suite.plugin->capabilities & FHIR_STORAGE_PERSISTENT) {
        CU_ASSERT(resident_bytes() - before < 8 * MEBIBYTE);
    }
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
}

/* Failing and succeeding uses of everything, often enough that one lost descriptor each would be seen. */
static void use_everything(apr_pool_t *pool)
{
    fhir_call_t call = core_call(pool);
    object_t object = new_object(pool);
    fhir_object_writer_t *writer;
    fhir_object_reader_t *reader;
    fhir_object_info_t info;
    fhir_written_t written;
    apr_file_t *file;
    apr_off_t offset;
    int existed;
    int correct;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, 5, NULL, UNLIMITED, &call));
    CU_ASSERT_PTR_NOT_NULL(fhir_object_commit(&written, writer, 0));
    ASSERT_OK(store_pattern(&written, &object, 100, 10, 1, pool));
    CU_ASSERT_PTR_NOT_NULL(store_pattern(&written, &object, 100, 10, 1, pool));
    ASSERT_OK(check_pattern(&correct, &object, 100, 0, 50, 10, pool));
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 0, -1, 100, &call)); /* left to the pool */
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 0, -1, 100, &call));
    ASSERT_OK(fhir_object_file(&file, &offset, reader));
    CU_ASSERT_PTR_NOT_NULL(fhir_object_open(&reader, suite.store, object.locator, 0, -1, 99, &call));
    ASSERT_OK(fhir_object_stat(&info, suite.store, object.locator, &call));
    ASSERT_OK(fhir_store_health(suite.store, &call));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, pool), 1);
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
}

#define USES 20

static void descriptors_as_before(void)
{
    apr_pool_t *pool;
    int before;
    int sockets;
    int i;
    apr_pool_create(&pool, suite.pool);
    use_everything(pool);
    apr_pool_clear(pool);
    sockets = open_sockets();
    before = open_descriptors() - sockets;
    for (i = 0; i < USES; i++) {
        use_everything(pool);
        apr_pool_clear(pool);
    }
    CU_ASSERT_EQUAL(open_descriptors() - open_sockets(), before);
    /* Connections may stay open for later, one more or less; not one for each use. */
    CU_ASSERT(open_sockets() < sockets + USES / 2);
}

const case_t last_cases[] = {
    {"big object in constant memory", big_object_in_constant_memory},
    {"descriptors as before", descriptors_as_before},
    {NULL, NULL},
};
