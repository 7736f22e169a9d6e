/* The s3 plugin against a scripted server that is hostile or broken: answers that were not asked for, another object in
 * the middle of a read, listings that never end, requests that arrive twice. */
#include "scripted_store.h"
#include "storage-plugins/s3/s3.h"

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY

#define OK_HEAD "HTTP/1.1 200 OK\r\nETag: \"one\"\r\n"
#define PART_HEAD "HTTP/1.1 206 Partial Content\r\nETag: \"one\"\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define NOTHING "HTTP/1.1 404 Not Found\r\n" EMPTY

/* ---- the store ---- */

static void begin_script(void)
{
    begin_marked(S3_MARK_HEADER ": ");
}

static void open_store(void)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d", script.endpoint.port);
    const char *path = secret_file("[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\n");
    fhir_store_option_t options[] = {{"bucket", "files"},
                                     {"endpoint", url},
                                     {"addressing", "path"},
                                     {"credentials_file", path},
                                     {"request_timeout", "2s"}};
    open_configured(options, 5, path);
}

static fhir_error_t *store_object(fhir_writer_t **writer, const char *bytes, apr_size_t length)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, (apr_off_t)length, NULL};
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    FHIR_TRY(plugin->writer_begin(writer, store, &request, &call));
    FHIR_TRY(plugin->writer_write(*writer, bytes, length, &call));
    FHIR_TRY(plugin->writer_commit(&info, *writer, &call));
    CU_ASSERT_EQUAL(info.length, (apr_off_t)length);
    return NULL;
}

static fhir_error_t *read_range(const char **text, apr_off_t offset, apr_off_t length)
{
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    fhir_error_t *error;
    char buffer[8];
    apr_size_t got = 1;
    info.struct_size = sizeof(info);
    *text = "";
    FHIR_TRY(plugin->reader_open(&reader, &info, store, LOCATOR, offset, length, &call));
    do {
        got = sizeof(buffer);
        error = plugin->reader_read(reader, buffer, &got, &call);
        *text = error ? *text : apr_pstrcat(pool, *text, apr_pstrmemdup(pool, buffer, got), NULL);
    } while (!error && got > 0);
    plugin->reader_close(reader);
    return error;
}

/* ---- writing ---- */

/* The transport sends a request twice that an old connection lost: the second one finds what the first one stored. */
static void test_existing_object_may_be_ours(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT /files/" LOCATOR " |if-none-match: *", "HTTP/1.1 412 Precondition Failed\r\n" EMPTY);
    expect("HEAD /files/" LOCATOR " ", OK_HEAD S3_MARK_HEADER ": %M\r\nContent-Length: 1\r\n\r\n");
    open_store();
    FHIR_ASSERT_OK(store_object(&writer, "x", 1));
    plugin->writer_abort(writer, &call);
    end_script();
}

static void test_existing_object_of_another_is_kept(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 412 Precondition Failed\r\n" EMPTY);
    expect("HEAD ", OK_HEAD S3_MARK_HEADER ": 0123456789abcdef0123456789abcdef\r\nContent-Length: 1\r\n\r\n");
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object(&writer, "x", 1));
    plugin->writer_abort(writer, &call);
    end_script();
}

/* Nobody could say whose it is: abort asks once more, and takes its own away. */
static void test_abort_after_nobody_knew(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 412 Precondition Failed\r\n" EMPTY);
    expect("HEAD ", "HTTP/1.1 403 Forbidden\r\n" EMPTY);
    expect("HEAD ", OK_HEAD S3_MARK_HEADER ": %M\r\nContent-Length: 1\r\n\r\n");
    expect("DELETE ", "HTTP/1.1 204 No Content\r\n\r\n");
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object(&writer, "x", 1));
    plugin->writer_abort(writer, &call);
    end_script();
}

/* The sizes of signed chunks are not signed: another length is no success, and goes. */
static void test_other_length_is_not_kept(void)
{
    static char bytes[S3_BLOCK + 100];
    fhir_writer_t *writer;
    begin_script();
    expect("PUT |STREAMING-AWS4-HMAC-SHA256-PAYLOAD", OK_HEAD EMPTY);
    expect("HEAD ", OK_HEAD S3_MARK_HEADER ": %M\r\nContent-Length: 65636\r\n\r\n");
    open_store();
    FHIR_ASSERT_OK(store_object(&writer, bytes, sizeof(bytes)));
    end_script();
    begin_script(); /* with connections of its own: this server ends them without a word */
    expect("PUT |STREAMING-AWS4-HMAC-SHA256-PAYLOAD", OK_HEAD EMPTY);
    expect("HEAD ", OK_HEAD S3_MARK_HEADER ": %M\r\nContent-Length: 65536\r\n\r\n");
    expect("HEAD ", OK_HEAD S3_MARK_HEADER ": %M\r\nContent-Length: 65536\r\n\r\n");
    expect("DELETE ", "HTTP/1.1 204 No Content\r\n\r\n");
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, store_object(&writer, bytes, sizeof(bytes)));
    plugin->writer_abort(writer, &call);
    end_script();
}

/* ---- reading ---- */

static void test_broken_read_goes_on(void)
{
    const char *text;
    begin_script();
    script.endpoint.linger = 50;
    expect("GET |!range: |!if-match", OK_HEAD "Content-Length: 10\r\n\r\n0123");
    expect("GET |range: bytes=4-9|if-match: \"one\"",
           PART_HEAD "Content-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789");
    open_store();
    FHIR_ASSERT_OK(read_range(&text, 0, -1));
    CU_ASSERT_STRING_EQUAL(text, "0123456789");
    end_script();
}

/* What passes If-Match over must not mix the bytes of two objects. */
static void test_two_objects_are_not_mixed(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 412 Precondition Failed\r\n" EMPTY,
        "HTTP/1.1 416 Range Not Satisfiable\r\n" EMPTY,
        "HTTP/1.1 206 P\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\nABCDEF",
        "HTTP/1.1 206 P\r\nETag: \"two\"\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\nABCDEF",
        PART_HEAD "Content-Range: bytes 4-9/20\r\nContent-Length: 6\r\n\r\nABCDEF",
        PART_HEAD "Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nABCDE",
        OK_HEAD "Content-Length: 10\r\n\r\nABCDEFGHIJ",
        OK_HEAD "Content-Length: 6\r\n\r\nABCDEF",
    };
    const char *text;
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        script.endpoint.linger = 50;
        expect("GET ", OK_HEAD "Content-Length: 10\r\n\r\n0123");
        expect("GET |if-match: \"one\"", answers[i]);
        open_store();
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_range(&text, 0, -1));
        CU_ASSERT_STRING_EQUAL(text, "0123");
        end_script();
    }
}

static void test_wrong_ranges_are_refused(void)
{
    static const char *const answers[] = {
        OK_HEAD "Content-Length: 3\r\n\r\n234",
        OK_HEAD "Content-Length: 10\r\n\r\n0123456789",
        PART_HEAD "Content-Length: 3\r\n\r\n234",
        PART_HEAD "Content-Range: bytes 1-3/10\r\nContent-Length: 3\r\n\r\n123",
        PART_HEAD "Content-Range: bytes 2-5/10\r\nContent-Length: 4\r\n\r\n2345",
        PART_HEAD "Content-Range: bytes 2-4/10\r\nContent-Length: 4\r\n\r\n2345",
        PART_HEAD "Content-Range: bytes 2-4/4\r\nContent-Length: 3\r\n\r\n234",
        PART_HEAD "Content-Range: bytes 2-4/*\r\nContent-Length: 3\r\n\r\n234",
        PART_HEAD "Content-Range: bytes 2-9223372036854775807/10\r\nContent-Length: 3\r\n\r\n234",
        PART_HEAD "Content-Range: bytes -2-4/10\r\nContent-Length: 3\r\n\r\n234",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/files/" LOCATOR "\r\n" EMPTY,
        ("HTTP/1.1 307 Moved\r\nLocation: file:///etc/passwd\r\n" EMPTY),
    };
    const char *text;
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("GET |range: bytes=2-4", answers[i]);
        open_store();
        CU_ASSERT_PTR_NOT_NULL(read_range(&text, 2, 3));
        CU_ASSERT_STRING_EQUAL(text, "");
        end_script();
    }
}

/* More than was asked for is not given on. */
static void test_longer_answer_is_cut(void)
{
    const char *text;
    begin_script();
    expect("GET |range: bytes=2-4",
           PART_HEAD "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n23456789\r\n0\r\n\r\n");
    open_store();
    FHIR_ASSERT_OK(read_range(&text, 2, 3));
    CU_ASSERT_STRING_EQUAL(text, "234");
    end_script();
}

/* ---- listing ---- */

#define UPLOADS(more) "HTTP/1.1 200 OK\r\n\r\n<ListMultipartUploadsResult>" more "</ListMultipartUploadsResult>"
#define OBJECTS(more) "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>" more "</ListBucketResult>"
#define CONTENTS(key) "<Contents><Key>" key "</Key><Size>5</Size></Contents>"
#define NO_UPLOADS UPLOADS("<IsTruncated>false</IsTruncated>")

static int entries;

static fhir_error_t *count_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    (void)baton;
    (void)entry;
    (void)scratch;
    entries++;
    return NULL;
}

static fhir_error_t *list(void)
{
    const char *next;
    entries = 0;
    return plugin->list(&next, store, NULL, 100, count_entry, NULL, &call);
}

static void test_keys_of_others_are_passed_over(void)
{
    begin_script();
    expect("GET /files/?|uploads=", NO_UPLOADS);
    expect("list-type=2", OBJECTS("<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>" CONTENTS(
                              "%01%0A%FF%3C") CONTENTS("a+b") CONTENTS("ab/") CONTENTS(LOCATOR) CONTENTS(LOCATOR "x")));
    open_store();
    FHIR_ASSERT_OK(list());
    CU_ASSERT_EQUAL(entries, 1);
    end_script();
}

static void test_endless_listings_end(void)
{
    begin_script();
    expect("GET |uploads=", NO_UPLOADS);
    expect("GET |list-type=2|!start-after", OBJECTS("<IsTruncated>true</IsTruncated>" CONTENTS("zz")));
    expect("GET |start-after=zz", OBJECTS("<IsTruncated>true</IsTruncated>" CONTENTS("zz")));
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, list());
    end_script();
    begin_script();
    expect("GET |uploads=|!key-marker",
           UPLOADS("<IsTruncated>true</IsTruncated><NextKeyMarker>zz</NextKeyMarker><NextUploadIdMarker>1"
                   "</NextUploadIdMarker>"));
    expect("GET |key-marker=zz&|upload-id-marker=1",
           UPLOADS("<IsTruncated>true</IsTruncated><NextKeyMarker>zz</NextKeyMarker><NextUploadIdMarker>1"
                   "</NextUploadIdMarker>"));
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, list());
    end_script();
}

#define BOMB "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>"

static void test_entities_are_refused(void)
{
    begin_script();
    expect("GET |uploads=", "HTTP/1.1 200 OK\r\n\r\n" BOMB
                            "<ListMultipartUploadsResult><IsTruncated>&b;</IsTruncated></ListMultipartUploadsResult>");
    open_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, list());
    end_script();
}

static const fhir_unit_test_t tests[] = {
    {"an existing object may be ours", test_existing_object_may_be_ours},
    {"an existing object of another is kept", test_existing_object_of_another_is_kept},
    {"abort after nobody knew", test_abort_after_nobody_knew},
    {"another length is not kept", test_other_length_is_not_kept},
    {"a broken read goes on", test_broken_read_goes_on},
    {"two objects are not mixed", test_two_objects_are_not_mixed},
    {"wrong ranges are refused", test_wrong_ranges_are_refused},
    {"a longer answer is cut", test_longer_answer_is_cut},
    {"keys of others are passed over", test_keys_of_others_are_passed_over},
    {"endless listings end", test_endless_listings_end},
    {"entities are refused", test_entities_are_refused},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("s3_hostile", tests)
