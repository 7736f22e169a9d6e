/* The azure plugin against a scripted server: a body of known length is one streamed Put Blob, which has no second
 * attempt and leaves nothing behind when it fails. */
#include "storage-plugins/azure/azure.h"
#include "unit.h"

#include "http_script.h"

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY
#define ACCOUNT_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define LENGTH ((apr_size_t)200000)
#define EMPTY "Content-Length: 0\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nETag: \"0x1\"\r\n"
#define FOUND "HTTP/1.1 200 OK\r\nETag: \"0x1\"\r\nx-ms-meta-writer: %M\r\nContent-Length: 200000\r\n\r\n"
#define REFUSAL(status, code) "HTTP/1.1 " status "\r\nx-ms-error-code: " code "\r\n" EMPTY

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_writer_t *writer;
static fhir_store_call_t call;
static script_t script;

static void begin(void)
{
    script_begin(&script, "x-ms-meta-writer: ");
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

static void open_store(void)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d/account1", script.endpoint.port);
    char *path = apr_pstrdup(pool, "/tmp/fhir-test-azure-XXXXXX");
    int file = mkstemp(path);
    fhir_store_option_t options[] = {
        {"account", "account1"}, {"container", "files"}, {"endpoint", url}, {"account_key_file", path}};
    fhir_store_config_t *config;
    CU_ASSERT_FATAL(file >= 0 && write(file, ACCOUNT_KEY, strlen(ACCOUNT_KEY)) == (ssize_t)strlen(ACCOUNT_KEY));
    close(file);
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, 4, pool));
    unlink(path);
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
}

static fhir_error_t *write_all(void)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, (apr_off_t)LENGTH, NULL};
    char *bytes = apr_palloc(pool, LENGTH);
    memset(bytes, 'x', LENGTH);
    FHIR_TRY(plugin->writer_begin(&writer, store, &request, &call));
    return plugin->writer_write(writer, bytes, LENGTH, &call);
}

static fhir_error_t *store_object(void)
{
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    FHIR_TRY(write_all());
    FHIR_TRY(plugin->writer_commit(&info, writer, &call));
    CU_ASSERT_EQUAL(info.length, (apr_off_t)LENGTH);
    CU_ASSERT_STRING_EQUAL(info.checksum, "\"0x1\"");
    return NULL;
}

static void test_known_length_is_one_put(void)
{
    begin();
    script_expect(&script,
                  "PUT |If-None-Match: *|x-ms-blob-type: BlockBlob|x-ms-meta-writer: |Content-Length: 200000|!comp=",
                  CREATED EMPTY);
    open_store();
    FHIR_ASSERT_OK(store_object());
    plugin->writer_abort(writer, &call);
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

/* All but the last piece has gone: the request ends, and nothing else is asked for. */
static void test_aborted_put_leaves_nothing(void)
{
    begin();
    script_expect(&script, "PUT |Content-Length: 200000", "");
    open_store();
    FHIR_ASSERT_OK(write_all());
    plugin->writer_abort(writer, &call);
    plugin->writer_abort(writer, &call);
    plugin->close(store);
    (void)script_end(&script); /* it may end before the server has looked at the request */
    CU_ASSERT_EQUAL(script.wrong, 0);
    CU_ASSERT(script.served <= 1);
}

static void test_refused_put_has_no_second_attempt(void)
{
    begin();
    script_expect(&script, "PUT ", REFUSAL("503 Server Busy", "ServerBusy"));
    script_expect(&script, "HEAD ", REFUSAL("404 Not Found", "BlobNotFound"));
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_THROTTLED, store_object());
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

static void test_lost_answer_is_looked_up(void)
{
    begin();
    script_expect(&script, "PUT ", "");
    script_expect(&script, "HEAD ", FOUND);
    open_store();
    FHIR_ASSERT_OK(store_object());
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

static void test_taken_name_is_not_replaced(void)
{
    begin();
    script_expect(&script, "PUT |If-None-Match: *", REFUSAL("409 Conflict", "BlobAlreadyExists"));
    script_expect(&script, "HEAD ", "HTTP/1.1 200 OK\r\nETag: \"0x2\"\r\nx-ms-meta-writer: another\r\n" EMPTY);
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object());
    plugin->writer_abort(writer, &call);
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

/* The store says that it has the blob, but with other bytes: it must go. */
static void test_damaged_put_is_removed(void)
{
    begin();
    script_expect(&script, "PUT ", CREATED "x-ms-content-crc64: AAAAAAAAAAA=\r\n" EMPTY);
    script_expect(&script, "HEAD ", FOUND);
    script_expect(&script, "DELETE |If-Match: \"0x1\"", "HTTP/1.1 202 Accepted\r\n" EMPTY);
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, store_object());
    plugin->writer_abort(writer, &call);
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

/* It says so although it can't have all of it. */
static void test_early_success_is_damage(void)
{
    fhir_object_info_t info = {0};
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    begin();
    script.endpoint.whole = 0;
    script_expect(&script, "PUT ", CREATED EMPTY);
    script_expect(&script, "HEAD ", FOUND);
    script_expect(&script, "DELETE ", "HTTP/1.1 202 Accepted\r\n" EMPTY);
    open_store();
    error = write_all(); /* it may be heard here already */
    usleep(200000);
    error = error ? error : plugin->writer_commit(&info, writer, &call);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, error);
    plugin->writer_abort(writer, &call);
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

static const fhir_unit_test_t tests[] = {
    {"a body of known length is one request", test_known_length_is_one_put},
    {"an aborted Put Blob leaves nothing", test_aborted_put_leaves_nothing},
    {"a refused Put Blob has no second attempt", test_refused_put_has_no_second_attempt},
    {"a lost answer is looked up", test_lost_answer_is_looked_up},
    {"a taken name is not replaced", test_taken_name_is_not_replaced},
    {"a damaged Put Blob is removed", test_damaged_put_is_removed},
    {"an early success is damage", test_early_success_is_damage},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_put", tests)
