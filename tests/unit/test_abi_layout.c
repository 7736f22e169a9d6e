/* The storage ABI as bytes: a plugin that was built years ago must find everything where it was. Lines are only
 * added here, for members that are appended. */
#include "tests/unit/unit.h"

#include "fhir_storage.h"

#include <stddef.h>

#if defined(__LP64__)

#define AT(type, member, offset) CU_ASSERT_EQUAL(offsetof(type, member), offset)

static void test_plugin(void)
{
    AT(fhir_storage_plugin_t, magic, 0);
    AT(fhir_storage_plugin_t, abi_major, 4);
    AT(fhir_storage_plugin_t, abi_minor, 8);
    AT(fhir_storage_plugin_t, struct_size, 16);
    AT(fhir_storage_plugin_t, name, 24);
    AT(fhir_storage_plugin_t, version, 32);
    AT(fhir_storage_plugin_t, capabilities, 40);
    AT(fhir_storage_plugin_t, configure, 48);
    AT(fhir_storage_plugin_t, open, 56);
    AT(fhir_storage_plugin_t, close, 64);
    AT(fhir_storage_plugin_t, health, 72);
    AT(fhir_storage_plugin_t, locate, 80);
    AT(fhir_storage_plugin_t, writer_begin, 88);
    AT(fhir_storage_plugin_t, writer_write, 96);
    AT(fhir_storage_plugin_t, writer_commit, 104);
    AT(fhir_storage_plugin_t, writer_abort, 112);
    AT(fhir_storage_plugin_t, reader_open, 120);
    AT(fhir_storage_plugin_t, reader_read, 128);
    AT(fhir_storage_plugin_t, reader_file, 136);
    AT(fhir_storage_plugin_t, reader_close, 144);
    AT(fhir_storage_plugin_t, stat, 152);
    AT(fhir_storage_plugin_t, remove, 160);
    AT(fhir_storage_plugin_t, list, 168);
    /* 1.1 */
    AT(fhir_storage_plugin_t, presign, 176);
    AT(fhir_storage_plugin_t, wraps, 184);
    AT(fhir_storage_plugin_t, can_presign, 192);
    AT(fhir_storage_plugin_t, check_copies, 200);
    CU_ASSERT(sizeof(fhir_storage_plugin_t) >= 208);
}

static void test_call(void)
{
    AT(fhir_store_call_t, result_pool, 0);
    AT(fhir_store_call_t, scratch_pool, 8);
    AT(fhir_store_call_t, deadline, 16);
    AT(fhir_store_call_t, request_id, 24);
    AT(fhir_store_call_t, cancelled, 32);
    AT(fhir_store_call_t, cancelled_baton, 40);
    AT(fhir_store_call_t, log, 48);
    AT(fhir_store_call_t, log_baton, 56);
}

static void test_values(void)
{
    AT(fhir_write_request_t, struct_size, 0);
    AT(fhir_write_request_t, object_key, 8);
    AT(fhir_write_request_t, locator, 16);
    AT(fhir_write_request_t, expected_length, 24);
    AT(fhir_write_request_t, content_type, 32);
    AT(fhir_object_info_t, struct_size, 0);
    AT(fhir_object_info_t, length, 8);
    AT(fhir_object_info_t, modified, 16);
    AT(fhir_object_info_t, checksum, 24);
    AT(fhir_list_entry_t, struct_size, 0);
    AT(fhir_list_entry_t, locator, 8);
    AT(fhir_list_entry_t, length, 16);
    AT(fhir_list_entry_t, modified, 24);
    AT(fhir_list_entry_t, committed, 32);
    AT(fhir_store_option_t, key, 0);
    AT(fhir_store_option_t, value, 8);
    AT(fhir_storage_host_t, abi_major, 0);
    AT(fhir_storage_host_t, abi_minor, 4);
    AT(fhir_storage_host_t, struct_size, 8);
    AT(fhir_storage_host_t, baton, 16);
    AT(fhir_storage_host_t, resolve, 24);
}

/* Since 1.1. */
static void test_presign(void)
{
    AT(fhir_store_presign_request_t, struct_size, 0);
    AT(fhir_store_presign_request_t, locator, 8);
    AT(fhir_store_presign_request_t, write, 16);
    AT(fhir_store_presign_request_t, expires, 24);
    AT(fhir_store_presign_request_t, content_type, 32);
    AT(fhir_store_presign_request_t, content_disposition, 40);
    AT(fhir_store_presign_request_t, cache_control, 48);
    AT(fhir_store_presigned_t, struct_size, 0);
    AT(fhir_store_presigned_t, url, 8);
    AT(fhir_store_presigned_t, headers, 16);
    AT(fhir_store_presigned_t, header_count, 24);
}

/* The error crosses the line as well. */
static void test_error(void)
{
    AT(fhir_error_t, code, 0);
    AT(fhir_error_t, status, 4);
    AT(fhir_error_t, retry, 8);
    AT(fhir_error_t, retry_after, 16);
    AT(fhir_error_t, http_status, 24);
    AT(fhir_error_t, public_text, 32);
    AT(fhir_error_t, detail, 40);
    AT(fhir_error_t, expression, 48);
    AT(fhir_error_t, cause, 56);
}

static void test_numbers(void)
{
    CU_ASSERT_EQUAL(FHIR_STORAGE_MAGIC, 0x46485342u);
    CU_ASSERT_EQUAL(FHIR_STORAGE_ABI_MAJOR, 1);
    CU_ASSERT_EQUAL(FHIR_STORAGE_ABI_MINOR, 1);
    CU_ASSERT_EQUAL(FHIR_STORAGE_CAN_FILE, 1);
    CU_ASSERT_EQUAL(FHIR_STORAGE_CAN_PRESIGN, 2);
    CU_ASSERT_EQUAL(FHIR_STORAGE_CAN_COPY, 4);
    CU_ASSERT_EQUAL(FHIR_STORAGE_CAN_SESSION, 8);
    CU_ASSERT_EQUAL(FHIR_STORAGE_PERSISTENT, 16);
    CU_ASSERT_EQUAL(FHIR_STORAGE_KEY_LENGTH, 32);
    CU_ASSERT_EQUAL(FHIR_STORAGE_LOCATOR_MAX, 512);
    CU_ASSERT_EQUAL(FHIR_ERROR_INTERNAL, 1);
    CU_ASSERT_EQUAL(FHIR_ERROR_NOT_FOUND, 2);
    CU_ASSERT_EQUAL(FHIR_ERROR_EXISTS, 3);
    CU_ASSERT_EQUAL(FHIR_ERROR_DENIED, 4);
    CU_ASSERT_EQUAL(FHIR_ERROR_THROTTLED, 5);
    CU_ASSERT_EQUAL(FHIR_ERROR_UNAVAILABLE, 6);
    CU_ASSERT_EQUAL(FHIR_ERROR_TIMEOUT, 7);
    CU_ASSERT_EQUAL(FHIR_ERROR_NO_SPACE, 8);
    CU_ASSERT_EQUAL(FHIR_ERROR_TOO_LARGE, 9);
    CU_ASSERT_EQUAL(FHIR_ERROR_RANGE, 10);
    CU_ASSERT_EQUAL(FHIR_ERROR_CORRUPT, 11);
    CU_ASSERT_EQUAL(FHIR_ERROR_UNSUPPORTED, 12);
    CU_ASSERT_EQUAL(FHIR_ERROR_CANCELLED, 13);
    CU_ASSERT_EQUAL(FHIR_ERROR_INVALID, 14);
}

#else
static void test_plugin(void)
{
    CU_PASS("pinned on LP64 only");
}
#define test_call test_plugin
#define test_values test_plugin
#define test_presign test_plugin
#define test_error test_plugin
#define test_numbers test_plugin
#endif

static const fhir_unit_test_t tests[] = {
    {"plugin", test_plugin},
    {"call", test_call},
    {"values", test_values},
    {"presign", test_presign},
    {"error", test_error},
    {"numbers", test_numbers},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("abi_layout", tests)
