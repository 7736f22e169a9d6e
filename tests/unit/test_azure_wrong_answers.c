/* The azure plugin against a scripted server: answers that Azure does not give, or not like this, and what they must
 * not be taken for. */
#define ENDPOINT_ROOM 300000

#include "scripted_store.h"
#include "storage-plugins/azure/azure.h"

#include <sys/resource.h>

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY

/* Each connection serves one request: nobody may take it for one that stays. */
#define CLOSE "Connection: close\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\n" CLOSE "ETag: \"0x1\"\r\n"
#define EMPTY CLOSE "Content-Length: 0\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nETag: \"0x1\"\r\n" EMPTY
#define REFUSAL(status, code) "HTTP/1.1 " status "\r\nx-ms-error-code: " code "\r\n" EMPTY
#define NOT_THERE REFUSAL("404 Not Found", "BlobNotFound")
#define ACCEPTED "HTTP/1.1 202 Accepted\r\n" EMPTY
#define OURS(length) OK_HEAD AZURE_WRITER ": %M\r\nContent-Length: " length "\r\n\r\n"
#define XML(blobs, marker)                                                                                             \
    OK_HEAD "\r\n<EnumerationResults><Blobs>" blobs "</Blobs><NextMarker>" marker "</NextMarker></EnumerationResults>"
#define BLOB(name) "<Blob><Name>" name "</Name><Properties><Content-Length>5</Content-Length></Properties></Blob>"

/* ---- the store ---- */

static void begin_script(void)
{
    begin_marked(AZURE_WRITER ": ");
}

static void open_store(const char *option, const char *value)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d/account1", script.endpoint.port);
    const char *path = secret_file("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    fhir_store_option_t options[] = {{"account", "account1"},    {"container", "files"},    {"endpoint", url},
                                     {"account_key_file", path}, {"request_timeout", "1s"}, {option, value}};
    open_configured(options, option ? 6 : 5, path);
}

/* `length` bytes are written, and the writer is aborted if that fails. */
static fhir_error_t *store_bytes(apr_size_t length)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, (apr_off_t)length, NULL};
    fhir_object_info_t info = {0};
    fhir_writer_t *writer;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    FHIR_TRY(plugin->writer_begin(&writer, store, &request, &call));
    error = plugin->writer_write(writer, apr_pcalloc(pool, length), length, &call);
    error = error ? error : plugin->writer_commit(&info, writer, &call);
    plugin->writer_abort(writer, &call);
    CU_ASSERT(error || info.length == (apr_off_t)length);
    return error;
}

static void fails(fhir_error_code_t code, apr_size_t length)
{
    FHIR_ASSERT_ERROR(code, store_bytes(length));
    end_script();
}

/* ---- writing ---- */

static const char *const of_somebody_else[] = {
    "HTTP/1.1 200 OK\r\n" CLOSE "Content-Length: 24\r\n\r\n<html>Maintenance</html>",
    ACCEPTED,
    "HTTP/1.1 204 No Content\r\n" CLOSE "\r\n",
};

/* A proxy that says 2xx to everything has stored nothing. */
static void test_success_of_somebody_else(void)
{
    size_t i;
    for (i = 0; i < sizeof(of_somebody_else) / sizeof(of_somebody_else[0]); i++) {
        begin_script();
        expect("PUT ", of_somebody_else[i]);
        expect("HEAD ", "HTTP/1.1 200 OK\r\n" EMPTY);
        expect("HEAD ", "HTTP/1.1 200 OK\r\n" EMPTY);
        open_store(NULL, NULL);
        fails(FHIR_ERROR_UNAVAILABLE, 5);
    }
}

/* The store itself knows better than whoever answered in its place. */
static void test_success_of_somebody_else_after_all(void)
{
    size_t i;
    for (i = 0; i < sizeof(of_somebody_else) / sizeof(of_somebody_else[0]); i++) {
        begin_script();
        expect("PUT ", of_somebody_else[i]);
        expect("HEAD ", OURS("5"));
        open_store(NULL, NULL);
        FHIR_ASSERT_OK(store_bytes(5));
        end_script();
        begin_script();
        expect("PUT ", of_somebody_else[i]);
        expect("HEAD ", NOT_THERE);
        expect("PUT ", CREATED);
        open_store(NULL, NULL);
        FHIR_ASSERT_OK(store_bytes(5));
        end_script();
    }
}

/* A stream has no second attempt: what may be there is taken away. */
static void test_streamed_put_without_201(void)
{
    begin_script();
    script.endpoint.whole = 1;
    expect("PUT |Content-Length: 100000", "HTTP/1.1 200 OK\r\n" EMPTY);
    expect("HEAD ", OURS("100000"));
    expect("DELETE |If-Match: \"0x1\"", ACCEPTED);
    open_store(NULL, NULL);
    fails(FHIR_ERROR_UNAVAILABLE, 100000);
}

static void test_block_without_201(void)
{
    begin_script();
    script.endpoint.whole = 1;
    expect("PUT |?comp=block&blockid=", "HTTP/1.1 200 OK\r\n" EMPTY);
    expect("PUT |?comp=blocklist|x-ms-meta-removed: 1", "HTTP/1.1 200 OK\r\n" EMPTY); /* and nothing is deleted */
    open_store("put_blob_size", "64K");
    fails(FHIR_ERROR_UNAVAILABLE, 70000);
}

static void test_list_without_201(void)
{
    begin_script();
    script.endpoint.whole = 1;
    expect("PUT |?comp=block&blockid=", CREATED);
    expect("PUT |?comp=blocklist", "HTTP/1.1 200 OK\r\n" EMPTY);
    expect("HEAD ", OURS("70000"));
    open_store("put_blob_size", "64K");
    FHIR_ASSERT_OK(store_bytes(70000));
    end_script();
}

/* Our mark alone says nothing of the bytes. */
static void test_lost_answer_and_another_length(void)
{
    begin_script();
    expect("PUT ", "HTTP/1.1 500 Lost\r\n" EMPTY);
    expect("HEAD ", OURS("3"));
    expect("HEAD ", OURS("3"));
    expect("DELETE |If-Match: \"0x1\"", ACCEPTED);
    open_store(NULL, NULL);
    fails(FHIR_ERROR_CORRUPT, 5);
}

/* ---- reading ---- */

/* Without an ETag there is nothing to go on with, however often somebody asks. */
static void test_read_after_an_error(void)
{
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    char bytes[64];
    int i;
    begin_script();
    script.endpoint.linger = 30; /* what was sent is read before the connection breaks */
    expect("GET ", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(plugin->reader_open(&reader, &info, store, LOCATOR, 0, -1, &call));
    for (i = 0; i < 3; i++) {
        apr_size_t got = sizeof(bytes);
        fhir_error_t *error = plugin->reader_read(reader, bytes, &got, &call);
        CU_ASSERT(i == 0 ? !error && got == 4 : error && error->code == FHIR_ERROR_CORRUPT && got == 0);
    }
    plugin->reader_close(reader);
    end_script();
}

/* ---- listing ---- */

static fhir_error_t *count_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    (void)entry;
    (void)scratch;
    ++*(int *)baton;
    return NULL;
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Each "&amp;" is a piece of text of its own. */
static void test_memory_of_a_listing(void)
{
    const char *next;
    const char *text = apr_pstrcat(pool, OK_HEAD "\r\n<EnumerationResults><Blobs><Blob><Name>", NULL);
    apr_size_t begun = strlen(text);
    char *answer = apr_palloc(pool, ENDPOINT_ROOM);
    int count = 40000;
    int seen = 0;
    int i;
    long before;
    memcpy(answer, text, begun);
    for (i = 0; i < count; i++) {
        memcpy(answer + begun + 5 * i, "&amp;", 5);
    }
    strcpy(answer + begun + 5 * count, "</Name></Blob></Blobs><NextMarker/></EnumerationResults>");
    begin_script();
    expect("GET |comp=list", answer);
    open_store(NULL, NULL);
    before = peak_kilobytes();
    FHIR_ASSERT_OK(plugin->list(&next, store, NULL, 10, count_entry, &seen, &call));
    CU_ASSERT(peak_kilobytes() - before < 100 * 1024);
    CU_ASSERT_EQUAL(seen, 0);
    end_script();
}

static void test_listing_that_does_not_go_on(void)
{
    const char *next;
    int seen = 0;
    int existed;
    begin_script();
    expect("GET |comp=list|!marker", XML("", "m1"));
    expect("GET |marker=m1", XML("", "m1"));
    expect("DELETE ", NOT_THERE);
    expect("GET |comp=list|!marker", XML("", "m1"));
    expect("GET |marker=m1", XML("", "m1"));
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, plugin->list(&next, store, NULL, 10, count_entry, &seen, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, plugin->remove(&existed, store, LOCATOR, &call));
    end_script();
}

/* An empty page is not the end if it names another one. */
static void test_remains_on_the_second_page(void)
{
    int existed = 0;
    begin_script();
    expect("DELETE ", NOT_THERE);
    expect("GET |comp=list|!marker", XML("", "m1"));
    expect("GET |marker=m1", XML(BLOB(LOCATOR), ""));
    expect("PUT |?comp=blocklist|x-ms-meta-removed", CREATED);
    expect("DELETE |If-Match: \"0x1\"", ACCEPTED);
    expect("DELETE ", NOT_THERE);
    expect("GET |comp=list|!marker", XML("", "m1"));
    expect("GET |marker=m1", XML("", ""));
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(plugin->remove(&existed, store, LOCATOR, &call));
    CU_ASSERT_EQUAL(existed, 1);
    FHIR_ASSERT_OK(plugin->remove(&existed, store, LOCATOR, &call));
    CU_ASSERT_EQUAL(existed, 0);
    end_script();
}

static const fhir_unit_test_t tests[] = {
    {"success of somebody else", test_success_of_somebody_else},
    {"success of somebody else, after all", test_success_of_somebody_else_after_all},
    {"a streamed put without 201", test_streamed_put_without_201},
    {"a block without 201", test_block_without_201},
    {"a list without 201", test_list_without_201},
    {"lost answer, another length", test_lost_answer_and_another_length},
    {"read after an error", test_read_after_an_error},
    {"memory of a listing", test_memory_of_a_listing},
    {"a listing that does not go on", test_listing_that_does_not_go_on},
    {"remains on the second page", test_remains_on_the_second_page},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_wrong_answers", tests)
