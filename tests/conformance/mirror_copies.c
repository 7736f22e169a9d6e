/* The mirror's check_copies, what a failed write leaves when a half hangs, and whom its errors name.
 *
 *     mirror_copies DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY */
#include "mirror_stores.h"

#include <pthread.h>

#define GOOD FHIR_STORE_COPY_GOOD
#define MISSING FHIR_STORE_COPY_MISSING
#define ALTERED FHIR_STORE_COPY_ALTERED
#define UNREADABLE FHIR_STORE_COPY_UNREADABLE

/* ---- what is told ---- */

typedef struct told_t {
    int count;
    char stores[2][32];
    fhir_store_copy_t states[2];
    int repaired[2];
} told_t;

static void take_copy(void *baton, const char *store, fhir_store_copy_t state, int repaired)
{
    told_t *told = baton;
    if (told->count < 2) {
        apr_cpystrn(told->stores[told->count], store, sizeof(told->stores[0]));
        told->states[told->count] = state;
        told->repaired[told->count] = repaired;
    }
    told->count++;
}

static fhir_error_t *check(told_t *told, const object_t *object, int repair)
{
    fhir_call_t call = core_call(suite.pool);
    memset(told, 0, sizeof(*told));
    return fhir_object_check_copies(suite.store, object->locator, repair, take_copy, told, &call);
}

static int was_told(const told_t *told, fhir_store_copy_t left, fhir_store_copy_t right, int left_repaired,
                    int right_repaired)
{
    int is = told->count == 2 && told->states[0] == left && told->states[1] == right &&
             told->repaired[0] == left_repaired && told->repaired[1] == right_repaired;
    if (!is) {
        printf("told %d copies: %d%s and %d%s\n", told->count, (int)told->states[0],
               told->repaired[0] ? ", repaired" : "", (int)told->states[1], told->repaired[1] ? ", repaired" : "");
    }
    return is;
}

static void damage(const object_t *object, int half, size_t at_byte)
{
    bytes_t bytes = read_file(copy_of(object, half), suite.pool);
    bytes.data[at_byte] ^= 1;
    write_file(copy_of(object, half), bytes.data, bytes.length, 0600);
}

static int is_there(const object_t *object, int half)
{
    return access(copy_of(object, half), F_OK) == 0;
}

/* ---- telling ---- */

static void good_copies(void)
{
    static const apr_off_t sizes[] = {0, 1, CHUNK, 3 * CHUNK + 7};
    told_t told;
    int i;
    for (i = 0; i < 8; i++) {
        object_t object = stored(sizes[i / 2], i % 2);
        ASSERT_OK(check(&told, &object, 0));
        CU_ASSERT_TRUE(was_told(&told, GOOD, GOOD, 0, 0));
        CU_ASSERT_STRING_EQUAL(told.stores[0], "left");
        CU_ASSERT_STRING_EQUAL(told.stores[1], "right");
        ASSERT_OK(check(&told, &object, 1));
        CU_ASSERT_TRUE(was_told(&told, GOOD, GOOD, 0, 0));
    }
    CU_ASSERT_TRUE(fhir_store_keeps_copies(suite.store));
}

static void no_copy_at_all(void)
{
    object_t object = new_object(suite.pool);
    fhir_store_call_t call = raw_call(suite.pool);
    told_t told;
    ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, check(&told, &object, 0));
    CU_ASSERT_TRUE(was_told(&told, MISSING, MISSING, 0, 0));
    ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, check(&told, &object, 1));
    ASSERT_ERROR(FHIR_ERROR_INVALID, suite.plugin->check_copies(suite.raw, "../objects", 1, take_copy, &told, &call));
}

/* Lost, cut, longer, altered in header, first chunk, last chunk: told, and nothing is changed; then repaired. */
static void one_bad_copy(void)
{
    int kind;
    for (kind = 0; kind < 12; kind++) {
        int half = kind % 2;
        object_t object = stored(3 * CHUNK, 1);
        bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
        fhir_store_copy_t state = kind < 2 ? MISSING : ALTERED;
        fhir_store_copy_t left = half ? GOOD : state;
        fhir_store_copy_t right = half ? state : GOOD;
        bytes_t bad = {NULL, 0};
        told_t told;
        switch (kind / 2) {
        case 0:
            unlink(copy_of(&object, half));
            break;
        case 1:
            CU_ASSERT_EQUAL(truncate(copy_of(&object, half), HEADER + 2 * (CHUNK + TAG)), 0);
            break;
        case 2:
            CU_ASSERT_EQUAL(truncate(copy_of(&object, half), (off_t)bytes.length + 1), 0);
            break;
        default:
            damage(&object, half, kind / 2 == 3 ? 30 : kind / 2 == 4 ? HEADER : bytes.length - 1);
        }
        if (state == ALTERED) {
            bad = read_file(copy_of(&object, half), suite.pool);
        }
        ASSERT_OK(check(&told, &object, 0));
        CU_ASSERT_TRUE(was_told(&told, left, right, 0, 0));
        CU_ASSERT_TRUE(state == ALTERED ? same_file(copy_of(&object, half), &bad, suite.pool)
                                        : !is_there(&object, half));
        ASSERT_OK(check(&told, &object, 1));
        CU_ASSERT_TRUE(was_told(&told, left, right, !half, half));
        CU_ASSERT_TRUE(same_file(copy_of(&object, 0), &bytes, suite.pool)); /* at once: nothing is left to a thread */
        CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &bytes, suite.pool));
        ASSERT_OK(check(&told, &object, 1));
        CU_ASSERT_TRUE(was_told(&told, GOOD, GOOD, 0, 0));
    }
}

/* What was uploaded without a length: the header of the new copy says it, and both are good. */
static void of_unknown_length(void)
{
    object_t object = stored(2 * CHUNK + 5, 0);
    told_t told;
    int correct = 0;
    CU_ASSERT_EQUAL(truncate(copy_of(&object, 0), HEADER + CHUNK + TAG), 0);
    ASSERT_OK(check(&told, &object, 1));
    CU_ASSERT_TRUE(was_told(&told, ALTERED, GOOD, 1, 0));
    ASSERT_OK(check(&told, &object, 1));
    CU_ASSERT_TRUE(was_told(&told, GOOD, GOOD, 0, 0));
    unlink(copy_of(&object, 1));
    ASSERT_OK(check_pattern(&correct, &object, 2 * CHUNK + 5, 0, -1, 50000, suite.pool));
    CU_ASSERT_TRUE(correct);
}

static void no_good_copy(void)
{
    int kind;
    for (kind = 0; kind < 3; kind++) { /* both altered; one of them lost */
        object_t object = stored(2 * CHUNK, 1);
        bytes_t left;
        told_t told;
        int repair;
        damage(&object, 0, HEADER + 5);
        damage(&object, 1, HEADER + CHUNK + TAG + 5);
        left = read_file(copy_of(&object, kind == 1), suite.pool);
        if (kind) {
            unlink(copy_of(&object, kind == 2));
        }
        for (repair = 0; repair < 2; repair++) {
            ASSERT_ERROR(FHIR_ERROR_CORRUPT, check(&told, &object, repair));
            CU_ASSERT_TRUE(was_told(&told, kind == 1 ? MISSING : ALTERED, kind == 2 ? MISSING : ALTERED, 0, 0));
            CU_ASSERT_TRUE(same_file(copy_of(&object, kind == 1), &left, suite.pool));
            CU_ASSERT_EQUAL(is_there(&object, kind == 2), kind == 0);
        }
    }
}

/* Both are whole: the reader gives the first, and none is lost. */
static void different_content(void)
{
    object_t object = stored(100, 1);
    object_t other = new_object(suite.pool);
    bytes_t first = read_file(copy_of(&object, 0), suite.pool);
    bytes_t second;
    fhir_call_t call = core_call(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    told_t told;
    int existed;
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    other.key = object.key;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, other.key, object.locator, 100, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(writer, apr_pcalloc(suite.pool, 100), 100));
    ASSERT_OK(fhir_object_commit(&written, writer, 0));
    second = read_file(copy_of(&object, 1), suite.pool);
    write_file(copy_of(&object, 0), first.data, first.length, 0600);
    ASSERT_OK(check(&told, &object, 1));
    CU_ASSERT_TRUE(was_told(&told, GOOD, ALTERED, 0, 0));
    CU_ASSERT_TRUE(same_file(copy_of(&object, 0), &first, suite.pool));
    CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &second, suite.pool));
}

/* ---- stores that fail ---- */

static const char *const silent[] = {"fail=any:*:unavailable", "fail=any:*:timeout", "fail=any:*:denied",
                                     "fail=reader_read:*:throttled"};

static void an_unreadable_half(void)
{
    size_t i;
    for (i = 0; i < 2 * sizeof(silent) / sizeof(silent[0]); i++) {
        int half = (int)(i % 2);
        object_t object;
        bytes_t bytes;
        told_t told;
        reopen("both", NULL, NULL);
        object = stored(2 * CHUNK, 1);
        bytes = read_file(copy_of(&object, half), suite.pool);
        reopen("both", half ? NULL : silent[i / 2], half ? silent[i / 2] : NULL);
        ASSERT_OK(check(&told, &object, 1));
        CU_ASSERT_TRUE(was_told(&told, half ? GOOD : UNREADABLE, half ? UNREADABLE : GOOD, 0, 0));
        CU_ASSERT_TRUE(same_file(copy_of(&object, half), &bytes, suite.pool));
        /* The other one is lost: it may well be here. */
        unlink(copy_of(&object, 1 - half));
        CU_ASSERT_PTR_NOT_NULL(check(&told, &object, 1));
        CU_ASSERT_TRUE(was_told(&told, half ? MISSING : UNREADABLE, half ? UNREADABLE : MISSING, 0, 0));
        CU_ASSERT_FALSE(is_there(&object, 1 - half));
        CU_ASSERT_TRUE(same_file(copy_of(&object, half), &bytes, suite.pool));
        write_file(copy_of(&object, 1 - half), "bad", 3, 0600);
        {
            fhir_error_t *error = check(&told, &object, 1);
            CU_ASSERT_PTR_NOT_NULL_FATAL(error);
            CU_ASSERT_NOT_EQUAL(error->code, FHIR_ERROR_CORRUPT);
            CU_ASSERT_NOT_EQUAL(error->code, FHIR_ERROR_NOT_FOUND);
        }
        CU_ASSERT_TRUE(was_told(&told, half ? ALTERED : UNREADABLE, half ? UNREADABLE : ALTERED, 0, 0));
    }
}

/* A short answer once is no altered copy. */
static void a_broken_connection(void)
{
    object_t object = stored(3 * CHUNK, 1);
    told_t told;
    int k;
    for (k = 1; k < 4; k++) {
        reopen("both", apr_psprintf(suite.pool, "short_read=%d", k), NULL);
        ASSERT_OK(check(&told, &object, 1));
        CU_ASSERT_TRUE(was_told(&told, GOOD, GOOD, 0, 0));
    }
}

/* Whatever fails once during a repair, of either store: the good copy stays, and the next run ends it. */
static void any_operation_fails_once(void)
{
    int k;
    for (k = 0; k < 2 * 2 * 2 * 30; k++) {
        int bad = k % 2;
        int faulty = k / 2 % 2;
        const char *kind = k / 4 % 2 ? "fail" : "lose";
        const char *fault = apr_psprintf(suite.pool, "%s=any:%d:no_space", kind, k / 8 + 1);
        object_t object;
        bytes_t bytes;
        told_t told;
        fhir_error_t *error;
        reopen("both", NULL, NULL);
        object = stored(2 * CHUNK, 1);
        bytes = read_file(copy_of(&object, 0), suite.pool);
        damage(&object, bad, HEADER + 9);
        reopen("both", faulty ? NULL : fault, faulty ? fault : NULL);
        error = check(&told, &object, 1);
        CU_ASSERT_EQUAL(told.count, 2);
        CU_ASSERT_TRUE(same_file(copy_of(&object, 1 - bad), &bytes, suite.pool));
        if (told.repaired[bad]) {
            CU_ASSERT_PTR_NULL(error);
            CU_ASSERT_TRUE(same_file(copy_of(&object, bad), &bytes, suite.pool));
        } else {
            CU_ASSERT_TRUE(error != NULL || told.states[0] == UNREADABLE || told.states[1] == UNREADABLE);
            CU_ASSERT_TRUE(!error || (error->code != FHIR_ERROR_NOT_FOUND && error->code != FHIR_ERROR_CORRUPT));
        }
        CU_ASSERT_FALSE(told.repaired[1 - bad]);
        reopen("both", NULL, NULL);
        ASSERT_OK(check(&told, &object, 1));
        CU_ASSERT_TRUE(same_file(copy_of(&object, bad), &bytes, suite.pool));
    }
}

/* ---- time ---- */

static int is_cancelled(void *baton)
{
    return apr_time_now() >= *(apr_time_t *)baton;
}

static void cancelled_and_late(void)
{
    static const char *const faults[] = {"delay=reader_read:2:60000", "delay=writer_write:1:60000"};
    int i;
    for (i = 0; i < 4; i++) {
        fhir_call_t call = core_call(suite.pool);
        apr_time_t start;
        apr_time_t end;
        object_t object;
        told_t told;
        fhir_error_t *error;
        reopen("both", NULL, NULL);
        object = stored(2 * CHUNK, 1);
        unlink(copy_of(&object, 1));
        reopen("both", i / 2 ? NULL : faults[0], i / 2 ? faults[1] : NULL);
        memset(&told, 0, sizeof(told));
        start = apr_time_now();
        end = start + apr_time_from_msec(300);
        if (i % 2) {
            call.deadline = end;
        } else {
            call.cancelled = is_cancelled;
            call.cancelled_baton = &end;
        }
        error = fhir_object_check_copies(suite.store, object.locator, 1, take_copy, &told, &call);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(error->code, i % 2 ? FHIR_ERROR_TIMEOUT : FHIR_ERROR_CANCELLED);
        CU_ASSERT(apr_time_now() - start < apr_time_from_msec(1500));
        CU_ASSERT_TRUE(is_there(&object, 0));
        CU_ASSERT_FALSE(is_there(&object, 1));
        CU_ASSERT_NOT_EQUAL(access(at(apr_psprintf(suite.pool, "right/tmp/%s", object.key)), F_OK), 0);
    }
}

/* ---- others at the same object ---- */

typedef struct worker_t {
    pthread_t thread;
    const char *store;
    const object_t *object;
    told_t told;
    fhir_error_t *error;
    apr_pool_t *pool;
} worker_t;

static void *work(void *data)
{
    worker_t *worker = data;
    fhir_call_t call = core_call(worker->pool);
    fhir_open_store_t *store;
    worker->error = fhir_store_get(&store, suite.catalog, worker->store, worker->pool);
    if (!worker->error) {
        worker->error = fhir_object_check_copies(store, worker->object->locator, 1, take_copy, &worker->told, &call);
    }
    return NULL;
}

static void run_two(worker_t workers[2], const object_t *object)
{
    static const char *const stores[] = {"mirror", "other_process"};
    int i;
    for (i = 0; i < 2; i++) {
        memset(&workers[i], 0, sizeof(workers[i]));
        workers[i].store = stores[i];
        workers[i].object = object;
        apr_pool_create(&workers[i].pool, NULL);
    }
    for (i = 0; i < 2; i++) {
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(workers[i].thread, NULL);
    }
}

static void two_processes_repair_at_once(void)
{
    int i;
    int w;
    for (i = 0; i < 60; i++) {
        object_t object = stored((i % 3) * 5 * CHUNK + 9, 1);
        bytes_t bytes = read_file(copy_of(&object, 1), suite.pool);
        worker_t workers[2];
        int half = i / 3 % 2;
        if (i / 6 % 2) {
            unlink(copy_of(&object, half));
        } else {
            damage(&object, half, HEADER);
        }
        run_two(workers, &object);
        for (w = 0; w < 2; w++) {
            ASSERT_OK(workers[w].error);
            CU_ASSERT_TRUE(workers[w].told.states[half] == GOOD || workers[w].told.repaired[half]);
            CU_ASSERT_EQUAL(workers[w].told.states[1 - half], GOOD);
            apr_pool_destroy(workers[w].pool);
        }
        CU_ASSERT_TRUE(same_file(copy_of(&object, 0), &bytes, suite.pool));
        CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &bytes, suite.pool));
    }
}

/* A repair was killed: what it left is not in the way of the next one, and goes with the object. */
static void remains_of_a_killed_repair(void)
{
    object_t object = stored(CHUNK, 1);
    bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
    const char *left_over = at(apr_psprintf(suite.pool, "right/tmp/%s", object.key));
    fhir_call_t call = core_call(suite.pool);
    told_t told;
    int existed;
    unlink(copy_of(&object, 1));
    write_file(left_over, bytes.data, 1000, 0600);
    ASSERT_OK(check(&told, &object, 1));
    CU_ASSERT_TRUE(was_told(&told, GOOD, MISSING, 0, 1));
    CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &bytes, suite.pool));
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    CU_ASSERT_NOT_EQUAL(access(left_over, F_OK), 0);
}

/* The object is removed while its other half is read or written. */
static void removed_meanwhile(void)
{
    int i;
    for (i = 0; i < 40; i++) {
        object_t object = stored(8 * CHUNK, 1);
        fhir_call_t call = core_call(suite.pool);
        worker_t worker = {.store = "mirror", .object = &object};
        int existed;
        unlink(copy_of(&object, i % 2));
        apr_pool_create(&worker.pool, NULL);
        pthread_create(&worker.thread, NULL, work, &worker);
        apr_sleep(i * 100);
        ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
        pthread_join(worker.thread, NULL);
        CU_ASSERT_FALSE(is_there(&object, 0));
        CU_ASSERT_FALSE(is_there(&object, 1));
        CU_ASSERT_TRUE(!worker.error || worker.error->code == FHIR_ERROR_NOT_FOUND ||
                       worker.error->code == FHIR_ERROR_UNAVAILABLE);
        apr_pool_destroy(worker.pool);
    }
}

static void memory_is_constant(void)
{
    object_t small = stored(CHUNK, 1);
    object_t object = stored(64 * MEBIBYTE, 1);
    fhir_call_t call = core_call(suite.pool);
    apr_off_t before;
    told_t told;
    int i;
    unlink(copy_of(&small, 0));
    ASSERT_OK(check(&told, &small, 1));
    before = resident_bytes();
    unlink(copy_of(&object, 1));
    ASSERT_OK(check(&told, &object, 1));
    CU_ASSERT_TRUE(was_told(&told, GOOD, MISSING, 0, 1));
    for (i = 0; i < 200; i++) { /* with one pool */
        ASSERT_OK(fhir_object_check_copies(suite.store, small.locator, 1, take_copy, &told, &call));
    }
    CU_ASSERT(resident_bytes() - before < 3 * MEBIBYTE);
}

/* ---- what a failed write leaves ---- */

static fhir_error_t *write_raw(fhir_writer_t **writer, const object_t *object, const fhir_store_call_t *call)
{
    FHIR_TRY(raw_begin(writer, object, 10, call));
    return suite.plugin->writer_write(*writer, "0123456789", 10, call);
}

/* The second half uses up all the time of the commit: the first copy goes all the same, before the commit returns. */
static void the_second_half_hangs(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_object_info_t info = {0};
    fhir_writer_t *writer;
    object_t object;
    apr_time_t start;
    int cancelling;
    info.struct_size = sizeof(info);
    for (cancelling = 0; cancelling < 2; cancelling++) {
        apr_time_t end = apr_time_now() + apr_time_from_msec(500);
        reopen("both", NULL, "delay=writer_commit:1:60000");
        object = new_object(suite.pool);
        call.deadline = 0;
        call.cancelled = NULL;
        ASSERT_OK(write_raw(&writer, &object, &call));
        start = apr_time_now();
        if (cancelling) {
            call.cancelled = is_cancelled;
            call.cancelled_baton = &end;
        } else {
            call.deadline = end;
        }
        ASSERT_ERROR(cancelling ? FHIR_ERROR_CANCELLED : FHIR_ERROR_TIMEOUT,
                     suite.plugin->writer_commit(&info, writer, &call));
        CU_ASSERT(apr_time_now() - start < apr_time_from_sec(2));
        CU_ASSERT_FALSE(is_there(&object, 0));
        suite.plugin->writer_abort(writer, &call);
        CU_ASSERT_FALSE(is_there(&object, 1));
        CU_ASSERT_NOT_EQUAL(access(at(apr_psprintf(suite.pool, "right/tmp/%s", object.key)), F_OK), 0);
    }
}

static char logged[4000];

static void take_log(void *baton, fhir_store_log_level_t level, const char *text)
{
    (void)baton;
    (void)level;
    apr_cpystrn(logged + strlen(logged), text, sizeof(logged) - strlen(logged));
}

/* Nor does it answer when it is cleaned up: only its own copy may stay. */
static void the_second_half_hangs_for_good(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_object_info_t info = {0};
    fhir_writer_t *writer;
    object_t object;
    apr_time_t start;
    reopen("both", NULL, "lose=writer_commit:1:timeout delay=remove:*:60000");
    object = new_object(suite.pool);
    info.struct_size = sizeof(info);
    call.log = take_log;
    logged[0] = '\0';
    ASSERT_OK(write_raw(&writer, &object, &call));
    start = apr_time_now();
    call.deadline = start + apr_time_from_sec(1);
    ASSERT_ERROR(FHIR_ERROR_TIMEOUT, suite.plugin->writer_commit(&info, writer, &call));
    CU_ASSERT_FALSE(is_there(&object, 0));
    CU_ASSERT_TRUE(is_there(&object, 1));
    suite.plugin->writer_abort(writer, &call);
    CU_ASSERT(apr_time_now() - start < apr_time_from_sec(8));
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "faulty_right may keep it"));
    CU_ASSERT_PTR_NULL(strstr(logged, "left may keep it"));
}

/* ---- whom errors name ---- */

static void names(fhir_error_t *error, const char *store)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error->detail);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, store));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, store));
}

static void errors_name_the_half(void)
{
    static const char *const operations[] = {"writer_begin", "writer_write", "writer_commit", "remove", "list"};
    fhir_call_t call = core_call(suite.pool);
    fhir_object_info_t info;
    fhir_written_t written;
    const char *next;
    int existed;
    int i;
    for (i = 0; i < 10; i++) {
        const char *fault = apr_psprintf(suite.pool, "fail=%s:*:unavailable", operations[i / 2]);
        const char *store = i % 2 ? "faulty_right" : "faulty_left";
        object_t object;
        reopen("both", i % 2 ? NULL : fault, i % 2 ? fault : NULL);
        object = new_object(suite.pool);
        if (i / 2 < 3) {
            names(store_pattern(&written, &object, 100, 100, 1, suite.pool), store);
        } else if (i / 2 == 3) {
            names(fhir_object_remove(&existed, suite.store, object.locator, &call), store);
        } else {
            names(fhir_object_list(&next, suite.store, i % 2 ? "2:" : NULL, 10, NULL, NULL, &call), store);
        }
    }
    {
        object_t object = new_object(suite.pool);
        fhir_object_reader_t *reader;
        reopen("both", "fail=any:*:unavailable", "fail=any:*:denied");
        for (i = 0; i < 2; i++) {
            const char *store = i ? "faulty_right" : "faulty_left"; /* both are named */
            names(fhir_object_open(&reader, suite.store, object.locator, 0, -1, 1, &call), store);
            names(fhir_object_stat(&info, suite.store, object.locator, &call), store);
        }
    }
}

/* An error of whoever lists is his own. */
static fhir_error_t *refuse_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    (void)entry;
    (void)scratch_pool;
    return baton;
}

static void a_callers_error_stays_his(void)
{
    fhir_call_t call = core_call(suite.pool);
    fhir_error_t *own = fhir_error_create(suite.pool, FHIR_ERROR_CONFLICT, APR_SUCCESS, "mine", "mine");
    const char *next;
    stored(10, 1);
    CU_ASSERT_PTR_EQUAL(fhir_object_list(&next, suite.store, NULL, 10, refuse_entry, own, &call), own);
    CU_ASSERT_STRING_EQUAL(own->detail, "mine");
}

static const case_t cases[] = {
    {"good copies", good_copies},
    {"no copy at all", no_copy_at_all},
    {"one bad copy", one_bad_copy},
    {"of unknown length", of_unknown_length},
    {"no good copy", no_good_copy},
    {"different content", different_content},
    {"an unreadable half", an_unreadable_half},
    {"a broken connection", a_broken_connection},
    {"any operation fails once", any_operation_fails_once},
    {"cancelled and late", cancelled_and_late},
    {"two processes repair at once", two_processes_repair_at_once},
    {"remains of a killed repair", remains_of_a_killed_repair},
    {"removed meanwhile", removed_meanwhile},
    {"memory is constant", memory_is_constant},
    {"the second half hangs", the_second_half_hangs},
    {"the second half hangs for good", the_second_half_hangs_for_good},
    {"errors name the half", errors_name_the_half},
    {"a caller's error stays his", a_callers_error_stays_his},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_cases(argc, argv, cases, "mirror check_copies and failed writes");
}
