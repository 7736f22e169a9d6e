/* Writing: visibility, abort, lengths, chunks, keys, hash, limit. */
#include "conformance.h"

static void visible_only_after_commit(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_object_reader_t *reader;
    fhir_written_t written;
    int committed = -1;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    ASSERT_OK(fhir_object_write(writer, "half", 4));
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, suite.store, object.locator, 0, -1, 4, &call));
    CU_ASSERT(times_listed(object.locator, &committed, suite.pool) == 0 || committed == 0);
    ASSERT_OK(fhir_object_commit(&written, writer, 0));
    CU_ASSERT_TRUE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, &committed, suite.pool), 1);
    CU_ASSERT_EQUAL(committed, 1);
}

static void abort_leaves_nothing(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_writer_t *writer;
    ASSERT_OK(raw_begin(&writer, &object, -1, &call));
    ASSERT_OK(suite.plugin->writer_write(writer, "text", 4, &call));
    suite.plugin->writer_abort(writer, &call);
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    suite.plugin->writer_abort(writer, &call); /* twice */
    ASSERT_OK(raw_begin(&writer, &object, -1, &call));
    suite.plugin->writer_abort(writer, &call);
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void abort_after_commit_does_nothing(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_info_t info = {0};
    fhir_writer_t *writer;
    char byte = (char)pattern_byte(0);
    int correct;
    info.struct_size = sizeof(info);
    ASSERT_OK(raw_begin(&writer, &object, 1, &call));
    ASSERT_OK(suite.plugin->writer_write(writer, &byte, 1, &call));
    ASSERT_OK(suite.plugin->writer_commit(&info, writer, &call));
    CU_ASSERT_EQUAL(info.length, 1);
    suite.plugin->writer_abort(writer, &call);
    ASSERT_OK(check_pattern(&correct, &object, 1, 0, -1, 10, suite.pool));
    CU_ASSERT_TRUE(correct);
    CU_ASSERT_PTR_NOT_NULL(suite.plugin->writer_write(writer, "x", 1, &call));
    CU_ASSERT_PTR_NOT_NULL(suite.plugin->writer_commit(&info, writer, &call));
}

static void pool_end_aborts(void)
{
    apr_pool_t *request;
    fhir_call_t call;
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    apr_pool_create(&request, suite.pool);
    call = core_call(request);
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(writer, "text", 4));
    apr_pool_destroy(request);
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void zero_bytes(void)
{
    int announce;
    for (announce = 0; announce < 2; announce++) {
        object_t object = new_object(suite.pool);
        fhir_written_t written;
        int correct;
        ASSERT_OK(store_pattern(&written, &object, 0, 1, announce, suite.pool));
        CU_ASSERT_EQUAL(written.size, 0);
        ASSERT_OK(check_pattern(&correct, &object, 0, 0, -1, 100, suite.pool));
        CU_ASSERT_TRUE(correct);
    }
}

/* The plugin itself must hold the announced length, not only the core. */
static void announced_length_is_held(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_object_info_t info = {0};
    object_t object = new_object(suite.pool);
    fhir_writer_t *writer;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    ASSERT_OK(raw_begin(&writer, &object, 10, &call));
    ASSERT_OK(suite.plugin->writer_write(writer, "123456789", 9, &call));
    CU_ASSERT_PTR_NOT_NULL(suite.plugin->writer_commit(&info, writer, &call));
    suite.plugin->writer_abort(writer, &call);
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    ASSERT_OK(raw_begin(&writer, &object, 10, &call));
    error = suite.plugin->writer_write(writer, "1234567890a", 11, &call);
    if (!error) { /* "a different total is an error at commit" */
        error = suite.plugin->writer_commit(&info, writer, &call);
    }
    CU_ASSERT_PTR_NOT_NULL(error);
    suite.plugin->writer_abort(writer, &call);
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void core_holds_the_announced_length(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, 5, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(writer, "1234", 4));
    ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, 5, NULL, UNLIMITED, &call));
    ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_object_write(writer, "123456", 6));
    ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_object_write(writer, "1", 1));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void odd_chunks(void)
{
    static const apr_size_t chunks[] = {1, 7, 4095, 8000, 65536, 131071, 131072, 131073, 300000};
    size_t i;
    for (i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        apr_off_t size = chunks[i] < 100 ? 2345 : 700001;
        object_t object = new_object(suite.pool);
        fhir_written_t written;
        int correct;
        ASSERT_OK(store_pattern(&written, &object, size, chunks[i], (int)(i % 2), suite.pool));
        CU_ASSERT_EQUAL(written.size, size);
        ASSERT_OK(check_pattern(&correct, &object, size, 0, -1, 50000, suite.pool));
        CU_ASSERT_TRUE(correct);
    }
}

/* Small and large pieces in turn, so that a plugin that gathers pieces must keep their order. */
static void mixed_chunks(void)
{
    static const apr_size_t chunks[] = {10, 131072, 1, 131071, 200000, 3, 0, 131073, 5};
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    apr_off_t done = 0;
    char *buffer = apr_palloc(suite.pool, 200000);
    size_t i;
    int correct;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    for (i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        fill_pattern(buffer, done, chunks[i]);
        ASSERT_OK(fhir_object_write(writer, buffer, chunks[i]));
        done += (apr_off_t)chunks[i];
    }
    ASSERT_OK(fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(written.size, done);
    ASSERT_OK(check_pattern(&correct, &object, done, 0, -1, 70000, suite.pool));
    CU_ASSERT_TRUE(correct);
}

/* More than object stores take in one piece, in pieces that fit nothing, announced and not. */
static void large_in_odd_chunks(void)
{
    const apr_off_t size = 17 * MEBIBYTE + 5;
    fhir_call_t call = core_call(suite.pool);
    int announce;
    for (announce = 0; announce < 2; announce++) {
        object_t object = new_object(suite.pool);
        fhir_written_t written;
        int existed;
        int correct;
        ASSERT_OK(store_pattern(&written, &object, size, 100003, announce, suite.pool));
        CU_ASSERT_EQUAL(written.size, size);
        ASSERT_OK(check_pattern(&correct, &object, size, 0, -1, 65536, suite.pool));
        CU_ASSERT_TRUE(correct);
        ASSERT_OK(check_pattern(&correct, &object, size, 5 * MEBIBYTE - 3, 7, 65536, suite.pool));
        CU_ASSERT_TRUE(correct);
        ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
        CU_ASSERT_FALSE(visible(&object, suite.pool));
    }
}

/* A writer that gives up in the middle of a large object leaves nothing, whatever was sent on by then. */
static void abort_of_a_large_one(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    char *buffer = apr_pcalloc(suite.pool, (apr_size_t)MEBIBYTE);
    int round;
    for (round = 0; round < 6; round++) { /* what is late comes now and then */
        int announce = round % 2;
        object_t object = new_object(suite.pool);
        fhir_writer_t *writer;
        int committed = -1;
        int existed = -1;
        int i;
        ASSERT_OK(raw_begin(&writer, &object, announce ? 40 * MEBIBYTE : -1, &call));
        for (i = 0; i < 18; i++) {
            ASSERT_OK(suite.plugin->writer_write(writer, buffer, (apr_size_t)MEBIBYTE, &call));
        }
        CU_ASSERT_FALSE(visible(&object, suite.pool));
        CU_ASSERT(times_listed(object.locator, &committed, suite.pool) == 0 || committed == 0);
        suite.plugin->writer_abort(writer, &call);
        CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
        ASSERT_OK(suite.plugin->remove(&existed, suite.raw, object.locator, &call));
        CU_ASSERT_EQUAL(existed, 0);
    }
}

static void same_key_after_commit(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    fhir_error_t *error;
    int correct;
    ASSERT_OK(store_pattern(&written, &object, 100, 100, 1, suite.pool));
    error = fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call);
    if (!error) {
        ASSERT_OK(fhir_object_write(writer, "other", 5));
        error = fhir_object_commit(&written, writer, 0);
    }
    ASSERT_ERROR(FHIR_ERROR_EXISTS, error);
    ASSERT_OK(check_pattern(&correct, &object, 100, 0, -1, 1000, suite.pool));
    CU_ASSERT_TRUE(correct);
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 1);
}

static void same_key_while_writing(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *first;
    fhir_object_writer_t *second;
    fhir_written_t written;
    fhir_error_t *error;
    char byte = (char)pattern_byte(0);
    int correct;
    ASSERT_OK(fhir_object_begin(&first, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(first, &byte, 1));
    error = fhir_object_begin(&second, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call);
    ASSERT_OK(fhir_object_commit(&written, first, 0));
    if (!error) {
        error = fhir_object_commit(&written, second, 0);
    }
    ASSERT_ERROR(FHIR_ERROR_EXISTS, error);
    ASSERT_OK(check_pattern(&correct, &object, 1, 0, -1, 10, suite.pool));
    CU_ASSERT_TRUE(correct);
}

static void bad_keys_and_locators(void)
{
    static const char *const keys[] = {"",
                                       "short",
                                       "../../../../../../../../etc/pass",
                                       "ABCDEF00000000000000000000000000",
                                       "0123456789abcdef0123456789abcdef0",
                                       "0123456789abcdef/123456789abcdef"};
    fhir_store_call_t call = raw_call(suite.pool);
    object_t good = new_object(suite.pool);
    object_t other = new_object(suite.pool);
    fhir_writer_t *writer;
    const char *locator;
    size_t i;
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        object_t bad = {keys[i], good.locator};
        CU_ASSERT_PTR_NOT_NULL(suite.plugin->locate(&locator, suite.raw, keys[i], &call));
        CU_ASSERT_PTR_NOT_NULL(raw_begin(&writer, &bad, -1, &call));
    }
    other.locator = good.locator; /* another key's */
    CU_ASSERT_PTR_NOT_NULL(raw_begin(&writer, &other, -1, &call));
    CU_ASSERT_FALSE(visible(&good, suite.pool));
}

static void locate_is_deterministic(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    const char *again;
    ASSERT_OK(suite.plugin->locate(&again, suite.raw, object.key, &call));
    CU_ASSERT_STRING_EQUAL(again, object.locator);
    CU_ASSERT(strlen(again) <= FHIR_STORAGE_LOCATOR_MAX);
}

static void hash_and_size(void)
{
    static const unsigned char sha256_of_abc[FHIR_SHA256_LENGTH] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const unsigned char sha1_of_abc[FHIR_SHA1_LENGTH] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                                                0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                                                0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, 3, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(writer, "a", 1));
    ASSERT_OK(fhir_object_write(writer, "bc", 2));
    ASSERT_OK(fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(written.size, 3);
    CU_ASSERT(!memcmp(written.sha256, sha256_of_abc, FHIR_SHA256_LENGTH));
    CU_ASSERT(!memcmp(written.sha1, sha1_of_abc, FHIR_SHA1_LENGTH));
}

static void limit(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    ASSERT_ERROR(FHIR_ERROR_TOO_LARGE,
                 fhir_object_begin(&writer, suite.store, object.key, object.locator, 11, NULL, 10, &call));
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, 10, &call));
    ASSERT_OK(fhir_object_write(writer, "0123456789", 10));
    ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_object_write(writer, "a", 1));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, 10, &call));
    ASSERT_OK(fhir_object_write(writer, "0123456789", 10));
    ASSERT_OK(fhir_object_commit(&written, writer, 0));
    CU_ASSERT_TRUE(visible(&object, suite.pool));
}

static void health(void)
{
    fhir_call_t call = core_call(suite.pool);
    ASSERT_OK(fhir_store_health(suite.store, &call));
}

const case_t write_cases[] = {
    {"visible only after commit", visible_only_after_commit},
    {"abort leaves nothing, twice", abort_leaves_nothing},
    {"abort after commit does nothing", abort_after_commit_does_nothing},
    {"the end of the pool aborts", pool_end_aborts},
    {"zero bytes", zero_bytes},
    {"announced length is held by the plugin", announced_length_is_held},
    {"announced length is held by the core", core_holds_the_announced_length},
    {"odd chunks", odd_chunks},
    {"mixed chunks", mixed_chunks},
    {"large in odd chunks", large_in_odd_chunks},
    {"abort of a large one", abort_of_a_large_one},
    {"same key after commit", same_key_after_commit},
    {"same key while writing", same_key_while_writing},
    {"bad keys and locators", bad_keys_and_locators},
    {"locate is deterministic", locate_is_deterministic},
    {"hash and size", hash_and_size},
    {"limit", limit},
    {"health", health},
    {NULL, NULL},
};
