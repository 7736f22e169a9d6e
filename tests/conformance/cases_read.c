/* Reading: ranges, damage, removal, files, malformed locators. */
#include "conformance.h"

#define SIZE ((apr_off_t)100000)

static object_t stored(apr_off_t size)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    ASSERT_OK(store_pattern(&written, &object, size, 30000, 1, suite.pool));
    return object;
}

static void ranges(void)
{
    static const apr_off_t wanted[][2] = {{0, -1},        {0, SIZE},    {0, 1},        {0, 0},       {SIZE - 1, 1},
                                          {SIZE - 1, -1}, {SIZE, 0},    {SIZE, -1},    {1, 99},      {77, -1},
                                          {50000, 1000},  {4095, 8193}, {1, SIZE - 1}, {SIZE / 2, 0}};
    object_t object = stored(SIZE);
    size_t i;
    for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        int correct;
        ASSERT_OK(check_pattern(&correct, &object, SIZE, wanted[i][0], wanted[i][1], 777, suite.pool));
        CU_ASSERT_TRUE(correct);
    }
}

static void ranges_outside(void)
{
    static const apr_off_t wanted[][2] = {{SIZE + 1, -1}, {SIZE + 1, 0}, {0, SIZE + 1},  {SIZE, 1},
                                          {SIZE - 1, 2},  {-1, 1},       {1, INT64_MAX}, {INT64_MAX, INT64_MAX}};
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = stored(SIZE);
    size_t i;
    for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        fhir_object_info_t info = {0};
        fhir_reader_t *reader;
        info.struct_size = sizeof(info);
        ASSERT_ERROR(FHIR_ERROR_RANGE, suite.plugin->reader_open(&reader, &info, suite.raw, object.locator,
                                                                 wanted[i][0], wanted[i][1], &call));
    }
}

static void one_byte_at_a_time(void)
{
    object_t object = stored(1000);
    int correct;
    ASSERT_OK(check_pattern(&correct, &object, 1000, 0, -1, 1, suite.pool));
    CU_ASSERT_TRUE(correct);
}

static void info_describes_the_whole(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_object_info_t opened = {0};
    fhir_object_info_t seen = {0};
    object_t object = stored(SIZE);
    fhir_reader_t *reader;
    opened.struct_size = seen.struct_size = sizeof(opened);
    ASSERT_OK(suite.plugin->reader_open(&reader, &opened, suite.raw, object.locator, 10, 5, &call));
    suite.plugin->reader_close(reader);
    ASSERT_OK(suite.plugin->stat(&seen, suite.raw, object.locator, &call));
    CU_ASSERT_EQUAL(opened.length, SIZE);
    CU_ASSERT_EQUAL(seen.length, SIZE);
    CU_ASSERT(seen.modified == 0 || seen.modified > apr_time_now() - apr_time_from_sec(60));
}

static void another_size_is_damage(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = stored(SIZE);
    fhir_object_reader_t *reader;
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, suite.store, object.locator, 0, -1, SIZE + 1, &call));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, suite.store, object.locator, 0, -1, SIZE - 1, &call));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT,
                 fhir_object_open(&reader, suite.store, object.locator, SIZE + 5, -1, SIZE + 10, &call));
}

static void what_is_not_there(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_call_t core = core_call(suite.pool);
    fhir_object_info_t info = {0};
    object_t object = new_object(suite.pool);
    fhir_object_reader_t *core_reader;
    fhir_reader_t *reader;
    int existed = -1;
    info.struct_size = sizeof(info);
    ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, suite.plugin->stat(&info, suite.raw, object.locator, &call));
    ASSERT_ERROR(FHIR_ERROR_NOT_FOUND,
                 suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 0, -1, &call));
    ASSERT_OK(suite.plugin->remove(&existed, suite.raw, object.locator, &call));
    CU_ASSERT_EQUAL(existed, 0);
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&core_reader, suite.store, object.locator, 0, -1, 5, &core));
}

static void remove_twice(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = stored(10);
    int existed = 0;
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    CU_ASSERT_EQUAL(existed, 1);
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    CU_ASSERT_EQUAL(existed, 0);
}

/* What the reaper does to an upload that hangs: whatever happens, the object must not be visible at the end. */
static void remove_while_writing(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    fhir_error_t *error;
    int existed;
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(writer, "text", 4));
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    error = fhir_object_commit(&written, writer, 0);
    CU_ASSERT(!existed || error != NULL);
    CU_ASSERT_EQUAL(visible(&object, suite.pool), error == NULL);
}

/* The reader delivers the right bytes to the end or fails, never other bytes. */
static void reader_survives_remove(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = stored(SIZE);
    fhir_object_reader_t *reader;
    char buffer[3000];
    apr_off_t seen = 0;
    apr_size_t length = 10;
    fhir_error_t *error = NULL;
    int existed;
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 0, -1, SIZE, &call));
    ASSERT_OK(fhir_object_read(reader, buffer, &length));
    seen = (apr_off_t)length;
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    for (length = sizeof(buffer); !error && length > 0; seen += (apr_off_t)length) {
        length = sizeof(buffer);
        error = fhir_object_read(reader, buffer, &length);
        if (error) {
            break;
        }
        CU_ASSERT(is_pattern(buffer, seen, length));
    }
    CU_ASSERT(error || seen == SIZE);
    fhir_object_close(reader);
}

static void file_of_a_range(void)
{
    fhir_call_t call;
    object_t object = stored(SIZE);
    fhir_object_reader_t *reader;
    apr_pool_t *request;
    apr_file_t *file;
    apr_off_t offset;
    apr_size_t length = 500;
    char buffer[500];
    apr_pool_create(&request, suite.pool);
    call = core_call(request);
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 1234, 500, SIZE, &call));
    ASSERT_OK(fhir_object_file(&file, &offset, reader));
    CU_ASSERT_EQUAL(file != NULL, (suite.plugin->capabilities & FHIR_STORAGE_CAN_FILE) != 0);
    if (file) {
        CU_ASSERT_EQUAL(offset, 1234);
        fhir_object_close(reader); /* the file stays open */
        CU_ASSERT_EQUAL(apr_file_seek(file, APR_SET, &offset), APR_SUCCESS);
        CU_ASSERT_EQUAL(apr_file_read_full(file, buffer, sizeof(buffer), &length), APR_SUCCESS);
        CU_ASSERT(is_pattern(buffer, 1234, length));
    }
    apr_pool_destroy(request);
}

/* As httpd's core filter does with a bucket that waits: the file moves to another pool, the request's pool ends, the
 * file must stay open, and close with the other pool. */
static void file_can_be_set_aside(void)
{
    fhir_call_t call;
    object_t object = stored(SIZE);
    fhir_object_reader_t *reader;
    apr_pool_t *request;
    apr_pool_t *connection;
    apr_file_t *file;
    apr_off_t offset;
    apr_size_t length = 100;
    char buffer[100];
    int descriptors;
    apr_pool_create(&connection, suite.pool);
    apr_pool_create(&request, suite.pool);
    descriptors = open_descriptors();
    call = core_call(request);
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 0, -1, SIZE, &call));
    ASSERT_OK(fhir_object_file(&file, &offset, reader));
    if (file) {
        CU_ASSERT_EQUAL(apr_file_setaside(&file, file, connection), APR_SUCCESS);
        apr_pool_destroy(request);
        CU_ASSERT_EQUAL(apr_file_read_full(file, buffer, sizeof(buffer), &length), APR_SUCCESS);
        CU_ASSERT(is_pattern(buffer, 0, length));
        apr_pool_destroy(connection);
        CU_ASSERT_EQUAL(open_descriptors(), descriptors);
    }
}

static void malformed_locators(void)
{
    static const char *const locators[] = {
        "",
        "/",
        "..",
        "../../../etc/passwd",
        "/etc/passwd",
        "ab/cd/../../../../../../../etc/passwd",
        "ab/cd/0123456789abcdef0123456789abcde",
        "ab/cd/abcd6789abcdef0123456789abcdef01/",
        "ab/cd/abcd6789abcdef0123456789ABCDEF01",
        "ab/cd/ffff6789abcdef0123456789abcdef01",
        "../cd/..cd6789abcdef0123456789abcdef01",
        "ab\ncd\nabcd6789abcdef0123456789abcdef0",
        "mem:",
        "mem:../x",
        "..........................................................................................",
        "\xff\xfe",
        "%2e%2e%2fetc",
        "objects/ab/cd/abcd6789abcdef0123456789abcdef"};
    fhir_store_call_t call = raw_call(suite.pool);
    size_t i;
    for (i = 0; i < sizeof(locators) / sizeof(locators[0]); i++) {
        fhir_object_info_t info = {0};
        fhir_reader_t *reader = NULL;
        fhir_error_t *error;
        int existed = 0;
        info.struct_size = sizeof(info);
        error = suite.plugin->stat(&info, suite.raw, locators[i], &call);
        CU_ASSERT(error && (error->code == FHIR_ERROR_INVALID || error->code == FHIR_ERROR_NOT_FOUND));
        error = suite.plugin->reader_open(&reader, &info, suite.raw, locators[i], 0, -1, &call);
        CU_ASSERT(error && (error->code == FHIR_ERROR_INVALID || error->code == FHIR_ERROR_NOT_FOUND));
        error = suite.plugin->remove(&existed, suite.raw, locators[i], &call);
        CU_ASSERT_EQUAL(existed, 0);
        CU_ASSERT(!error || error->code == FHIR_ERROR_INVALID);
    }
}

const case_t read_cases[] = {
    {"ranges", ranges},
    {"ranges outside", ranges_outside},
    {"one byte at a time", one_byte_at_a_time},
    {"info describes the whole", info_describes_the_whole},
    {"another size is damage", another_size_is_damage},
    {"what is not there", what_is_not_there},
    {"remove twice", remove_twice},
    {"remove while writing", remove_while_writing},
    {"reader survives remove", reader_survives_remove},
    {"file of a range", file_of_a_range},
    {"file can be set aside", file_can_be_set_aside},
    {"malformed locators", malformed_locators},
    {NULL, NULL},
};
