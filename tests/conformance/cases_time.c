/* Deadlines and cancellation, for every operation of the vtable. */
#include "conformance.h"

static int always(void *baton)
{
    (void)baton;
    return 1;
}

static fhir_error_t *no_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    (void)baton;
    (void)entry;
    (void)scratch_pool;
    return NULL;
}

/* Every operation with a call that must be refused. */
static void every_operation_refuses(fhir_error_code_t code, const fhir_store_call_t *refused)
{
    fhir_store_call_t good = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    object_t other = new_object(suite.pool);
    fhir_object_info_t info = {0};
    fhir_written_t written;
    fhir_writer_t *writer;
    fhir_reader_t *reader;
    const char *next;
    char buffer[10];
    apr_size_t length = sizeof(buffer);
    int existed;
    info.struct_size = sizeof(info);
    ASSERT_OK(store_pattern(&written, &object, 10, 10, 1, suite.pool));
    ASSERT_ERROR(code, suite.plugin->health(suite.raw, refused));
    ASSERT_ERROR(code, suite.plugin->stat(&info, suite.raw, object.locator, refused));
    ASSERT_ERROR(code, suite.plugin->remove(&existed, suite.raw, object.locator, refused));
    ASSERT_ERROR(code, suite.plugin->list(&next, suite.raw, NULL, 10, no_entry, NULL, refused));
    ASSERT_ERROR(code, suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 0, -1, refused));
    ASSERT_OK(suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 0, -1, &good));
    ASSERT_ERROR(code, suite.plugin->reader_read(reader, buffer, &length, refused));
    suite.plugin->reader_close(reader);
    ASSERT_ERROR(code, raw_begin(&writer, &other, -1, refused));
    ASSERT_OK(raw_begin(&writer, &other, -1, &good));
    ASSERT_ERROR(code, suite.plugin->writer_write(writer, "x", 1, refused));
    ASSERT_ERROR(code, suite.plugin->writer_commit(&info, writer, refused));
    suite.plugin->writer_abort(writer, refused); /* cleaning up works all the same */
    CU_ASSERT_TRUE(visible(&object, suite.pool));
    CU_ASSERT_FALSE(visible(&other, suite.pool));
    CU_ASSERT_EQUAL(times_listed(other.locator, NULL, suite.pool), 0);
}

static void deadline_has_passed(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    call.deadline = apr_time_now() - apr_time_from_msec(1);
    every_operation_refuses(FHIR_ERROR_TIMEOUT, &call);
}

static void cancelled(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    call.cancelled = always;
    every_operation_refuses(FHIR_ERROR_CANCELLED, &call);
}

static void core_passes_deadlines_on(void)
{
    fhir_call_t late = core_call(suite.pool);
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    fhir_object_reader_t *reader;
    fhir_object_info_t info;
    fhir_written_t written;
    late.deadline = apr_time_now() - apr_time_from_msec(1);
    ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_object_stat(&info, suite.store, object.locator, &late));
    ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_object_open(&reader, suite.store, object.locator, 0, -1, 1, &late));
    ASSERT_ERROR(FHIR_ERROR_TIMEOUT,
                 fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &late));
    ASSERT_OK(fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    ASSERT_OK(fhir_object_write(writer, "x", 1));
    ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_object_commit(&written, writer, -1));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void core_passes_cancellation_on(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    call.cancelled = always;
    ASSERT_ERROR(FHIR_ERROR_CANCELLED,
                 fhir_object_begin(&writer, suite.store, object.key, object.locator, -1, NULL, UNLIMITED, &call));
    CU_ASSERT_FALSE(visible(&object, suite.pool));
}

const case_t time_cases[] = {
    {"deadline has passed", deadline_has_passed},
    {"cancelled", cancelled},
    {"the core passes deadlines on", core_passes_deadlines_on},
    {"the core passes cancellation on", core_passes_cancellation_on},
    {NULL, NULL},
};
