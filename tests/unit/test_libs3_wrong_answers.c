/* The libs3 plugin against a scripted server: listings that do not go on, and a reader that is used after an error. */
#define ENDPOINT_ROOM 600000

#include "storage-plugins/libs3/libs3_store.h"
#include "unit.h"

#include "http_script.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define LOCATOR "01/23/" KEY
#define BLOCK 524288
#define REST 65536

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static script_t script;
static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_store_call_t call;

static void begin_script(void)
{
    script_begin(&script, NULL);
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

static void open_store(void)
{
    static const char content[] = "[default]\naws_access_key_id = AK\naws_secret_access_key = sk\n";
    char *path = apr_pstrdup(pool, "/tmp/fhir-libs3-XXXXXX");
    int file = mkstemp(path);
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d", script.endpoint.port);
    fhir_store_option_t options[] = {{"endpoint", url}, {"bucket", "binaries"}, {"credentials_file", path}};
    fhir_store_config_t *config;
    CU_ASSERT_FATAL(file >= 0 && write(file, content, sizeof(content) - 1) == (ssize_t)sizeof(content) - 1);
    close(file);
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, 3, pool));
    unlink(path);
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
}

static void end_script(void)
{
    plugin->close(store);
    CU_ASSERT_TRUE(script_end(&script));
}

/* ---- reading ---- */

static int asked;
static int cancelled_at;

static int cancelled(void *baton)
{
    (void)baton;
    return ++asked == cancelled_at;
}

static const char *block_of(const char *range, int length)
{
    char *bytes = apr_palloc(pool, (apr_size_t)length + 1);
    memset(bytes, 'x', (size_t)length);
    bytes[length] = '\0';
    return apr_psprintf(pool,
                        "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nETag: \"one\"\r\n"
                        "Content-Range: bytes %s/%d\r\nContent-Length: %d\r\n\r\n%s",
                        range, BLOCK + REST, length, bytes);
}

/* The client goes away before the second block is asked for: no byte of the first one is given again. */
static void test_read_after_an_error(void)
{
    static char bytes[BLOCK];
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    apr_size_t got = BLOCK;
    begin_script();
    script_expect(&script, "HEAD ",
                  apr_psprintf(pool,
                               "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"one\"\r\nContent-Length: %d\r\n\r\n",
                               BLOCK + REST));
    script_expect(&script, "GET |bytes=0-524287", block_of("0-524287", BLOCK));
    script_expect(&script, "GET |bytes=524288-589823", block_of("524288-589823", REST));
    open_store();
    call.cancelled = cancelled;
    FHIR_ASSERT_OK(plugin->reader_open(&reader, &info, store, LOCATOR, 0, -1, &call));
    FHIR_ASSERT_OK(plugin->reader_read(reader, bytes, &got, &call));
    CU_ASSERT_EQUAL(got, BLOCK);
    asked = 0;
    cancelled_at = 2; /* not by the first look, that of the function itself */
    got = BLOCK;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, plugin->reader_read(reader, bytes, &got, &call));
    CU_ASSERT_EQUAL(got, 0);
    got = BLOCK;
    FHIR_ASSERT_OK(plugin->reader_read(reader, bytes, &got, &call));
    CU_ASSERT_EQUAL(got, REST);
    got = BLOCK;
    FHIR_ASSERT_OK(plugin->reader_read(reader, bytes, &got, &call));
    CU_ASSERT_EQUAL(got, 0);
    plugin->reader_close(reader);
    end_script();
}

/* ---- listing ---- */

#define OBJECTS(text)                                                                                                  \
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/xml\r\n\r\n<?xml version=\"1.0\"?>"             \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" text "</ListBucketResult>"
#define CONTENTS(key)                                                                                                  \
    "<Contents><Key>" key "</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><ETag>\"e\"</ETag>"              \
    "<Size>7</Size></Contents>"
#define MORE "<IsTruncated>true</IsTruncated>"
#define END "<IsTruncated>false</IsTruncated>"

static fhir_error_t *count_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    (void)entry;
    (void)scratch;
    ++*(int *)baton;
    return NULL;
}

static fhir_error_t *list(int *seen)
{
    const char *next;
    *seen = 0;
    return plugin->list(&next, store, NULL, 10, count_entry, seen, &call);
}

static void test_foreign_pages_are_passed_over(void)
{
    int seen;
    begin_script();
    script_expect(&script, "GET |!marker=", OBJECTS(MORE CONTENTS("00")));
    script_expect(&script, "GET |marker=00", OBJECTS(END CONTENTS(LOCATOR)));
    open_store();
    FHIR_ASSERT_OK(list(&seen));
    CU_ASSERT_EQUAL(seen, 1);
    end_script();
}

static void test_listing_that_does_not_go_on(void)
{
    int seen;
    begin_script();
    script_expect(&script, "GET |!marker=", OBJECTS(MORE CONTENTS("00")));
    script_expect(&script, "GET |marker=00", OBJECTS(MORE CONTENTS("00")));
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, list(&seen));
    CU_ASSERT_EQUAL(seen, 0);
    end_script();
}

static const fhir_unit_test_t tests[] = {
    {"read after an error", test_read_after_an_error},
    {"foreign pages are passed over", test_foreign_pages_are_passed_over},
    {"a listing that does not go on", test_listing_that_does_not_go_on},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("libs3_wrong_answers", tests)
