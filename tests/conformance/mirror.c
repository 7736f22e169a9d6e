/* What the mirror store promises: one copy is enough to read, at any byte, and comes back where it was lost.
 *
 *     mirror DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY */
#include "mirror_stores.h"

#include <apr_hash.h>

#define REPAIR_TIMEOUT apr_time_from_sec(20)

static fhir_error_t *read_range(const object_t *object, apr_off_t size, apr_off_t offset, apr_off_t length)
{
    int correct = 0;
    FHIR_TRY(check_pattern(&correct, object, size, offset, length, 50000, suite.pool));
    CU_ASSERT_TRUE(correct);
    return NULL;
}

/* The copy is again what it was. */
static void await_repair(const object_t *object, int half, const bytes_t *bytes)
{
    apr_time_t end = apr_time_now() + REPAIR_TIMEOUT;
    apr_pool_t *pool;
    int repaired = 0;
    apr_pool_create(&pool, suite.pool);
    while (!repaired && apr_time_now() < end) {
        repaired = same_file(copy_of(object, half), bytes, pool);
        apr_pool_clear(pool);
        if (!repaired) {
            apr_sleep(apr_time_from_msec(5));
        }
    }
    CU_ASSERT_TRUE(repaired);
    apr_pool_destroy(pool);
}

/* ---- reading ---- */

static void copies_are_the_same(void)
{
    object_t object = stored(2 * CHUNK + 9, 1);
    bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
    CU_ASSERT_EQUAL(bytes.length, HEADER + 2 * CHUNK + 9 + 3 * TAG);
    CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &bytes, suite.pool));
}

static void every_flipped_byte_is_repaired(void)
{
    static const apr_off_t sizes[] = {0, 60};
    size_t s;
    for (s = 0; s < 2; s++) {
        object_t object = stored(sizes[s], 1);
        bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
        size_t i;
        for (i = 0; i < bytes.length; i++) {
            int half = (int)(i % 2);
            bytes_t damaged = read_file(copy_of(&object, half), suite.pool);
            damaged.data[i] ^= (unsigned char)(1 << i % 8);
            write_file(copy_of(&object, half), damaged.data, damaged.length, 0600);
            if (half) { /* nobody reads the second copy while the first is good */
                unlink(copy_of(&object, 0));
                CU_ASSERT_PTR_NOT_NULL(read_range(&object, sizes[s], 0, -1));
                write_file(copy_of(&object, 0), bytes.data, bytes.length, 0600);
                write_file(copy_of(&object, 1), bytes.data, bytes.length, 0600);
            } else {
                ASSERT_OK(read_range(&object, sizes[s], 0, -1));
                await_repair(&object, 0, &bytes);
            }
        }
    }
}

static void a_lost_copy_is_made_anew(void)
{
    int half;
    for (half = 0; half < 2; half++) {
        fhir_call_t call = core_call(suite.pool);
        fhir_object_info_t info;
        object_t object = stored(3 * CHUNK, 1);
        bytes_t bytes = read_file(copy_of(&object, half), suite.pool);
        unlink(copy_of(&object, half));
        ASSERT_OK(read_range(&object, 3 * CHUNK, CHUNK - 5, 10));
        ASSERT_OK(fhir_object_stat(&info, suite.store, object.locator, &call)); /* sees that the second lacks it */
        CU_ASSERT_EQUAL(info.length, 3 * CHUNK);
        await_repair(&object, half, &bytes);
    }
}

/* Cut between chunks: the length looks right for what is there. */
static void a_cut_copy_is_noticed_at_once(void)
{
    int announce;
    int chunks;
    for (announce = 0; announce < 2; announce++) {
        for (chunks = 1; chunks < 4; chunks++) {
            object_t object = stored(4 * CHUNK, announce);
            bytes_t bytes = read_file(copy_of(&object, 1), suite.pool);
            CU_ASSERT_EQUAL(truncate(copy_of(&object, 0), HEADER + chunks * (CHUNK + TAG)), 0);
            ASSERT_OK(read_range(&object, 4 * CHUNK, 0, -1));
            ASSERT_OK(read_range(&object, 4 * CHUNK, 3 * CHUNK, 100));
            if (announce) {
                await_repair(&object, 0, &bytes);
            }
        }
    }
}

/* The first copy fails at every chunk in turn, the second at another. */
static void damage_in_both_copies(void)
{
    object_t object = stored(6 * CHUNK, 1);
    bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
    size_t i;
    for (i = 0; i < 6; i++) {
        bytes_t left = read_file(copy_of(&object, 0), suite.pool);
        bytes_t right = read_file(copy_of(&object, 0), suite.pool);
        left.data[HEADER + i * (CHUNK + TAG) + 99] ^= 4;
        right.data[HEADER + (i + 2) % 6 * (CHUNK + TAG) + 99] ^= 4;
        write_file(copy_of(&object, 0), left.data, left.length, 0600);
        write_file(copy_of(&object, 1), right.data, right.length, 0600);
        ASSERT_OK(read_range(&object, 6 * CHUNK, 0, -1));
        apr_sleep(apr_time_from_msec(20));
        /* No good copy: nothing may be removed. */
        CU_ASSERT_TRUE(same_file(copy_of(&object, 0), &left, suite.pool));
        CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &right, suite.pool));
        write_file(copy_of(&object, 0), bytes.data, bytes.length, 0600);
        write_file(copy_of(&object, 1), bytes.data, bytes.length, 0600);
        reopen("both", NULL, NULL);
    }
}

static void the_same_damage_in_both_is_an_error(void)
{
    object_t object = stored(3 * CHUNK, 1);
    bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
    bytes.data[HEADER + CHUNK + TAG + 1] ^= 1;
    write_file(copy_of(&object, 0), bytes.data, bytes.length, 0600);
    write_file(copy_of(&object, 1), bytes.data, bytes.length, 0600);
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_range(&object, 3 * CHUNK, 0, -1));
    ASSERT_OK(read_range(&object, 3 * CHUNK, 0, CHUNK));
    ASSERT_OK(read_range(&object, 3 * CHUNK, 2 * CHUNK, -1));
}

/* The first store stops answering at any operation of a read, for good. */
static void the_first_dies_at_any_point(void)
{
    object_t object = stored(4 * CHUNK + 5, 1);
    int k;
    for (k = 1; k < 20; k++) {
        reopen("both", apr_psprintf(suite.pool, "fail=reader_read:%d:unavailable", k), NULL);
        ASSERT_OK(read_range(&object, 4 * CHUNK + 5, 0, -1));
        reopen("both", apr_psprintf(suite.pool, "short_read=%d", k), NULL);
        ASSERT_OK(read_range(&object, 4 * CHUNK + 5, 0, -1));
        reopen("both", apr_psprintf(suite.pool, "fail=any:%d:timeout", k), NULL);
        ASSERT_OK(read_range(&object, 4 * CHUNK + 5, CHUNK + 1, 2 * CHUNK));
    }
    reopen("both", "fail=any:*:denied", NULL);
    ASSERT_OK(read_range(&object, 4 * CHUNK + 5, 0, -1));
    reopen("both", NULL, "fail=any:*:denied");
    ASSERT_OK(read_range(&object, 4 * CHUNK + 5, 0, -1));
    reopen("both", "fail=any:*:denied", "fail=any:*:unavailable");
    CU_ASSERT_PTR_NOT_NULL(read_range(&object, 4 * CHUNK + 5, 0, -1));
}

/* "Not found" of one half means nothing while the other is silent. */
static void not_found_is_only_said_of_both(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_object_info_t info = {0};
    object_t object = new_object(suite.pool);
    fhir_reader_t *reader;
    info.struct_size = sizeof(info);
    ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, suite.plugin->stat(&info, suite.raw, object.locator, &call));
    reopen("both", NULL, "fail=any:*:unavailable");
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE,
                 suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 0, -1, &call));
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, suite.plugin->stat(&info, suite.raw, object.locator, &call));
    reopen("both", "fail=any:*:unavailable", NULL);
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE,
                 suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 0, -1, &call));
}

/* A half that hangs must leave time for the other. */
static void a_hanging_half(void)
{
    object_t object = stored(1000, 1);
    fhir_call_t call;
    fhir_object_reader_t *reader;
    apr_time_t start = apr_time_now();
    reopen("both", "delay=reader_open:*:60000", NULL);
    call = core_call(suite.pool);
    call.deadline = start + apr_time_from_msec(1000);
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 0, -1, 1000, &call));
    CU_ASSERT(apr_time_now() - start < apr_time_from_msec(900));
    fhir_object_close(reader);
    start = apr_time_now();
    ASSERT_OK(read_range(&object, 1000, 0, -1)); /* is not asked again for a while */
    CU_ASSERT(apr_time_now() - start < apr_time_from_msec(300));
}

/* ---- writing ---- */

static void one_operation_fails(const char *kind, int k, int half, int *reached)
{
    const char *fault = apr_psprintf(suite.pool, "%s=any:%d:unavailable", kind, k);
    object_t object;
    fhir_written_t written;
    fhir_error_t *error;
    fhir_call_t call = core_call(suite.pool);
    apr_off_t size = CHUNK + 100;
    int existed;
    reopen("both", half ? NULL : fault, half ? fault : NULL);
    object = new_object(suite.pool);
    error = store_pattern(&written, &object, size, 20000, 1, suite.pool);
    if (!error) {
        ASSERT_OK(read_range(&object, size, 0, -1)); /* whatever fails now, the other copy is there */
        error = fhir_object_remove(&existed, suite.store, object.locator, &call);
        *reached = error != NULL;
    }
    reopen("both", NULL, NULL);
    /* The row's locator takes away all that any failure may have left. */
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    use("left");
    object.locator = apr_psprintf(suite.pool, "%.2s/%.2s/%s", object.key, object.key + 2, object.key);
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    use("right");
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void every_operation_fails_once(void)
{
    int k;
    int half;
    for (half = 0; half < 2; half++) {
        for (k = 1; k < 25; k++) {
            int reached = 0;
            one_operation_fails("fail", k, half, &reached);
            one_operation_fails("lose", k, half, &reached);
        }
    }
}

/* With write=both a write that fails leaves nothing at all, in either half. */
static void a_failed_write_leaves_nothing(void)
{
    static const char *const faults[] = {"fail=writer_begin:1:no_space",    "fail=writer_write:1:no_space",
                                         "fail=writer_write:2:unavailable", "fail=writer_commit:1:timeout",
                                         "lose=writer_begin:1:timeout",     "lose=writer_commit:1:timeout"};
    size_t i;
    for (i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
        const char *fault = faults[i / 2];
        object_t object;
        fhir_written_t written;
        reopen("both", i % 2 ? NULL : fault, i % 2 ? fault : NULL);
        object = new_object(suite.pool);
        CU_ASSERT_PTR_NOT_NULL(store_pattern(&written, &object, CHUNK + 100, 20000, 1, suite.pool));
        if (strncmp(fault, "lose=writer_commit", 18) || i % 2) {
            CU_ASSERT_NOT_EQUAL(access(copy_of(&object, 0), F_OK), 0);
            CU_ASSERT_NOT_EQUAL(access(copy_of(&object, 1), F_OK), 0);
        }
        CU_ASSERT_NOT_EQUAL(access(at(apr_psprintf(suite.pool, "left/tmp/%s", object.key)), F_OK), 0);
        CU_ASSERT_NOT_EQUAL(access(at(apr_psprintf(suite.pool, "right/tmp/%s", object.key)), F_OK), 0);
    }
}

/* The process dies when the first half is committed and the second is not. */
static void a_crash_between_the_commits(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = stored(1000, 1);
    bytes_t bytes = read_file(copy_of(&object, 1), suite.pool);
    const char *left_over = at(apr_psprintf(suite.pool, "right/tmp/%s", object.key));
    int existed = 0;
    int committed = -1;
    unlink(copy_of(&object, 1));
    write_file(left_over, bytes.data, bytes.length - 7, 0600);
    CU_ASSERT_EQUAL(times_listed(object.locator, &committed, suite.pool), 1);
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    CU_ASSERT_EQUAL(existed, 1);
    CU_ASSERT_NOT_EQUAL(access(left_over, F_OK), 0);
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void write_any_goes_on_with_one(void)
{
    static const char *const faults[] = {"fail=writer_begin:1:unavailable", "fail=writer_write:1:no_space",
                                         "fail=writer_write:2:timeout",     "fail=writer_commit:1:unavailable",
                                         "lose=writer_commit:1:timeout",    "fail=writer_begin:1:denied"};
    size_t i;
    for (i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
        const char *fault = faults[i / 2];
        int half = (int)(i % 2);
        object_t object;
        bytes_t bytes;
        reopen("any", half ? NULL : fault, half ? fault : NULL);
        object = stored(2 * CHUNK, 1);
        ASSERT_OK(read_range(&object, 2 * CHUNK, 0, -1));
        bytes = read_file(copy_of(&object, 1 - half), suite.pool);
        await_repair(&object, half, &bytes); /* the half is well again, and nobody had to ask */
    }
    reopen("any", "fail=any:*:unavailable", "fail=any:*:unavailable");
    {
        object_t object = new_object(suite.pool);
        fhir_written_t written;
        CU_ASSERT_PTR_NOT_NULL(store_pattern(&written, &object, 10, 10, 1, suite.pool));
    }
}

static void health_names_the_ill_half(void)
{
    fhir_call_t call = core_call(suite.pool);
    fhir_error_t *error;
    reopen("both", NULL, "fail=health:*:unavailable");
    error = fhir_store_health(suite.store, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "faulty_right"));
    reopen("both", "fail=health:*:no_space", NULL);
    error = fhir_store_health(suite.store, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "faulty_left"));
    reopen("any", "fail=health:*:no_space", NULL);
    ASSERT_OK(fhir_store_health(suite.store, &call));
    reopen("any", "fail=health:*:no_space", "fail=health:*:no_space");
    CU_ASSERT_PTR_NOT_NULL(fhir_store_health(suite.store, &call));
}

/* ---- listing ---- */

static fhir_error_t *count_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    apr_hash_t *seen = baton;
    int *times = apr_hash_get(seen, entry->locator, APR_HASH_KEY_STRING);
    (void)scratch_pool;
    if (times) {
        (*times)++;
        CU_ASSERT_EQUAL(entry->length, 100);
    }
    return NULL;
}

static void both_halves_are_listed(void)
{
    static const int pages[] = {1, 2, 7, 1000};
    fhir_call_t call = core_call(suite.pool);
    object_t objects[30];
    int times[30];
    size_t p;
    int i;
    reopen("both", NULL, "fail=writer_begin:*:unavailable"); /* so that nothing is repaired meanwhile */
    reopen("both", NULL, NULL);
    for (i = 0; i < 30; i++) {
        objects[i] = stored(100, 1);
    }
    reopen("both", "fail=reader_open:*:unavailable", "fail=reader_open:*:unavailable");
    for (i = 0; i < 30; i++) {
        if (i % 3 < 2) {
            unlink(copy_of(&objects[i], i % 3));
        }
    }
    for (p = 0; p < 4; p++) {
        apr_hash_t *seen = apr_hash_make(suite.pool);
        const char *cursor = NULL;
        int rounds = 0;
        for (i = 0; i < 30; i++) {
            times[i] = 0;
            apr_hash_set(seen, objects[i].locator, APR_HASH_KEY_STRING, &times[i]);
        }
        do {
            ASSERT_OK(fhir_object_list(&cursor, suite.store, cursor, pages[p], count_entry, seen, &call));
        } while (cursor && ++rounds < 1000);
        for (i = 0; i < 30; i++) {
            CU_ASSERT_EQUAL(times[i], 1);
        }
    }
    ASSERT_ERROR(FHIR_ERROR_INVALID,
                 fhir_object_list(&objects[0].key, suite.store, "3:x", 10, count_entry, NULL, &call));
}

/* ---- repairs ---- */

static void two_processes_repair_at_once(void)
{
    int i;
    for (i = 0; i < 10; i++) {
        object_t object = stored(4 * CHUNK, 1);
        bytes_t bytes = read_file(copy_of(&object, 1), suite.pool);
        if (i % 2) {
            unlink(copy_of(&object, 0));
        } else {
            write_file(copy_of(&object, 0), "bad", 3, 0600);
        }
        ASSERT_OK(read_range(&object, 4 * CHUNK, 0, -1));
        use("other_process");
        ASSERT_OK(read_range(&object, 4 * CHUNK, 0, -1));
        use("mirror");
        await_repair(&object, 0, &bytes);
        ASSERT_OK(read_range(&object, 4 * CHUNK, 0, -1));
        CU_ASSERT_TRUE(same_file(copy_of(&object, 1), &bytes, suite.pool));
    }
}

static void a_removed_object_does_not_come_back(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t objects[40];
    int existed;
    int i;
    for (i = 0; i < 40; i++) {
        objects[i] = stored(3 * CHUNK, 1);
    }
    for (i = 0; i < 40; i++) {
        unlink(copy_of(&objects[i], 0));
        ASSERT_OK(read_range(&objects[i], 3 * CHUNK, 0, -1)); /* orders the repair */
        apr_sleep(i * 100);
        ASSERT_OK(fhir_object_remove(&existed, suite.store, objects[i].locator, &call));
    }
    apr_sleep(apr_time_from_msec(300));
    for (i = 0; i < 40; i++) {
        CU_ASSERT_NOT_EQUAL(access(copy_of(&objects[i], 0), F_OK), 0);
        CU_ASSERT_NOT_EQUAL(access(copy_of(&objects[i], 1), F_OK), 0);
    }
}

/* The store closes while a repair waits for its half. */
static void close_does_not_wait_for_repairs(void)
{
    object_t object = stored(3 * CHUNK, 1);
    apr_time_t start;
    int descriptors;
    unlink(copy_of(&object, 0));
    reopen("both", NULL, NULL);
    close_stores();
    descriptors = open_descriptors();
    reopen("both", "delay=writer_write:*:60000", NULL);
    ASSERT_OK(read_range(&object, 3 * CHUNK, 0, -1));
    apr_sleep(apr_time_from_msec(300));
    start = apr_time_now();
    close_stores();
    CU_ASSERT(apr_time_now() - start < apr_time_from_sec(3));
    CU_ASSERT_EQUAL(open_descriptors(), descriptors);
    CU_ASSERT_NOT_EQUAL(access(copy_of(&object, 0), F_OK), 0);
    CU_ASSERT_NOT_EQUAL(access(at(apr_psprintf(suite.pool, "left/tmp/%s", object.key)), F_OK), 0);
}

static char logged[2000];

static void take_log(void *baton, fhir_store_log_level_t level, const char *text)
{
    (void)baton;
    (void)level;
    apr_cpystrn(logged, text, sizeof(logged));
}

static void repairs_are_logged(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = stored(100, 1);
    bytes_t bytes = read_file(copy_of(&object, 0), suite.pool);
    fhir_object_info_t info = {0};
    int i;
    info.struct_size = sizeof(info);
    call.log = take_log;
    unlink(copy_of(&object, 0));
    ASSERT_OK(read_range(&object, 100, 0, -1));
    await_repair(&object, 0, &bytes);
    for (i = 0; i < 100 && !strstr(logged, "repaired from the other copy"); i++) {
        apr_sleep(apr_time_from_msec(10));
        ASSERT_OK(suite.plugin->stat(&info, suite.raw, object.locator, &call));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "repaired from the other copy"));
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, object.key));
}

static void memory_is_constant(void)
{
    const char *wanted = getenv("FHIR_CONFORMANCE_SIZE");
    apr_off_t size = wanted ? apr_atoi64(wanted) : 96 * MEBIBYTE;
    object_t small = stored(CHUNK, 1);
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    apr_off_t before;
    bytes_t bytes;
    int correct;
    ASSERT_OK(read_range(&small, CHUNK, 0, -1));
    unlink(copy_of(&small, 0));
    bytes = read_file(copy_of(&small, 1), suite.pool);
    ASSERT_OK(read_range(&small, CHUNK, 0, -1)); /* starts the thread */
    await_repair(&small, 0, &bytes);
    before = resident_bytes();
    ASSERT_OK(store_pattern(&written, &object, size, 50000, 1, suite.pool));
    unlink(copy_of(&object, 0));
    ASSERT_OK(check_pattern(&correct, &object, size, 0, -1, 50000, suite.pool));
    CU_ASSERT_TRUE(correct);
    while (access(copy_of(&object, 0), F_OK)) {
        apr_sleep(apr_time_from_msec(20));
    }
    CU_ASSERT(resident_bytes() - before < 5 * MEBIBYTE); /* three wait for the hashing threads, at most */
}

/* ---- configuration ---- */

static void refused(const char *first, const char *second, const char *third, const char *advice)
{
    const char *options[] = {first, second, third};
    fhir_error_t *error = fhir_store_define(suite.catalog, "refused", "mirror", options, third ? 3 : second ? 2 : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    if (!strstr(error->public_text, advice)) {
        printf("%s\n", error->public_text);
        CU_FAIL("other advice");
    }
}

static void wrong_options(void)
{
    apr_pool_t *pool;
    close_stores();
    apr_pool_create(&pool, suite.pool);
    suite.catalog = fhir_store_catalog_create(pool);
    ASSERT_OK(define("both", NULL, NULL));
    refused("first=left", NULL, NULL, "first= and second=");
    refused("first=left", "second=left", NULL, "the same store");
    refused("first=left", "second=right", "write=all", "neither both nor any");
    refused("third=left", NULL, NULL, "It knows: first, second, write.");
    apr_pool_destroy(pool);
}

static const case_t cases[] = {
    {"copies are the same", copies_are_the_same},
    {"every flipped byte is repaired", every_flipped_byte_is_repaired},
    {"a lost copy is made anew", a_lost_copy_is_made_anew},
    {"a cut copy is noticed at once", a_cut_copy_is_noticed_at_once},
    {"damage in both copies", damage_in_both_copies},
    {"the same damage in both is an error", the_same_damage_in_both_is_an_error},
    {"the first dies at any point", the_first_dies_at_any_point},
    {"not found is only said of both", not_found_is_only_said_of_both},
    {"a hanging half", a_hanging_half},
    {"every operation fails once", every_operation_fails_once},
    {"a failed write leaves nothing", a_failed_write_leaves_nothing},
    {"a crash between the commits", a_crash_between_the_commits},
    {"write=any goes on with one", write_any_goes_on_with_one},
    {"health names the ill half", health_names_the_ill_half},
    {"both halves are listed", both_halves_are_listed},
    {"two processes repair at once", two_processes_repair_at_once},
    {"a removed object does not come back", a_removed_object_does_not_come_back},
    {"close does not wait for repairs", close_does_not_wait_for_repairs},
    {"repairs are logged", repairs_are_logged},
    {"memory is constant", memory_is_constant},
    {"wrong options", wrong_options},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_cases(argc, argv, cases, "mirror copies and repairs");
}
