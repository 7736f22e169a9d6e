/* The s3 plugin against a scripted server: refusals, lost answers, wrong clocks, expired keys, broken reads, and
 * uploads that fail at every step. */
#include "storage-plugins/s3/s3.h"
#include "unit.h"

#include "http_script.h"

#include <sys/stat.h>

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY
#define OBJECT "/files/pre/" LOCATOR

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static script_t script;
static const fhir_storage_plugin_t *plugin;
static fhir_store_config_t *config;
static fhir_store_t *store;
static fhir_store_call_t call;
static const char *key_path;

/* Each connection serves one request: nobody may take it for one that stays. */
#define CLOSE "Connection: close\r\n"
#define EMPTY CLOSE "Content-Length: 0\r\n\r\n"
#define STORED "HTTP/1.1 200 OK\r\n" CLOSE "ETag: \"e1\"\r\n" EMPTY
#define NOT_THERE "HTTP/1.1 404 Not Found\r\n" EMPTY
#define GONE "HTTP/1.1 204 No Content\r\n\r\n"
#define SERVER_ERROR "HTTP/1.1 500 Internal\r\n" EMPTY
#define HEAD_OF(mark, length)                                                                                          \
    "HTTP/1.1 200 OK\r\n" CLOSE "ETag: \"e1\"\r\nx-amz-meta-upload: " mark "\r\nContent-Length: " length "\r\n\r\n"
#define XML(status, text) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" text
#define REFUSAL(status, code) XML(status, "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message/></Error>")
#define CREATED                                                                                                        \
    XML("200 OK", "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"                  \
                  "<UploadId>u1</UploadId></InitiateMultipartUploadResult>")
#define COMPLETED XML("200 OK", "<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>")

static void expect(const char *request, const char *answer)
{
    script_expect(&script, request, answer);
}

static void write_keys(const char *access_key)
{
    FILE *file = fopen(key_path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "[default]\naws_access_key_id = %s\naws_secret_access_key = secret\n", access_key);
    fclose(file);
    chmod(key_path, 0600);
}

static void begin_script(void)
{
    char *path = apr_pstrdup(pool, "/tmp/fhir-test-s3-XXXXXX");
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0);
    close(file);
    key_path = path;
    write_keys("KEYONE");
    script_begin(&script, "x-amz-meta-upload: ");
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

/* Parts of one block, so that little text makes many of them. */
static void open_store(const char *option, const char *value)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d", script.endpoint.port);
    fhir_store_option_t options[] = {
        {"bucket", "files"},     {"prefix", "pre/"},        {"endpoint", url},       {"credentials_file", key_path},
        {"payload", "unsigned"}, {"request_timeout", "2s"}, {"parallel_parts", "1"}, {option, value}};
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, option ? 8 : 7, pool));
    config->part_size = (apr_off_t)S3_BLOCK;
    config->multipart_threshold = (apr_off_t)S3_BLOCK;
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
}

static void end_script(void)
{
    plugin->close(store);
    unlink(key_path);
    CU_ASSERT_TRUE(script_end(&script));
}

static fhir_error_t *stat_object(void)
{
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    return plugin->stat(&info, store, LOCATOR, &call);
}

static fhir_error_t *no_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    (void)scratch;
    *(const char **)baton =
        apr_pstrcat(pool, *(const char **)baton, entry->committed ? " " : " unfinished ", entry->locator, NULL);
    return NULL;
}

/* `length` bytes, announced or not. */
static fhir_error_t *store_bytes(fhir_writer_t **writer, apr_size_t length, int announce)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, announce ? (apr_off_t)length : -1, "text/plain"};
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    FHIR_TRY(plugin->writer_begin(writer, store, &request, &call));
    FHIR_TRY(plugin->writer_write(*writer, apr_pcalloc(pool, length), length, &call));
    FHIR_TRY(plugin->writer_commit(&info, *writer, &call));
    CU_ASSERT_EQUAL(info.length, (apr_off_t)length);
    return NULL;
}

static void stores(apr_size_t length, int announce)
{
    fhir_writer_t *writer = NULL;
    FHIR_ASSERT_OK(store_bytes(&writer, length, announce));
    plugin->writer_abort(writer, &call);
}

static void fails(fhir_error_code_t code, apr_size_t length, int announce)
{
    fhir_writer_t *writer = NULL;
    FHIR_ASSERT_ERROR(code, store_bytes(&writer, length, announce));
    if (writer) {
        plugin->writer_abort(writer, &call);
        plugin->writer_abort(writer, &call);
    }
}

/* ---- refusals and repetition ---- */

static void test_busy_is_tried_again(void)
{
    begin_script();
    expect("HEAD " OBJECT " |Authorization: AWS4-HMAC-SHA256 Credential=KEYONE/", SERVER_ERROR);
    expect("HEAD ", "HTTP/1.1 503 Slow Down\r\n" EMPTY);
    expect("HEAD ", "");
    expect("HEAD ", HEAD_OF("x", "5"));
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(stat_object());
    end_script();
}

static void test_codes_have_meanings(void)
{
    static const struct {
        const char *answer;
        fhir_error_code_t code;
    } cases[] = {
        {REFUSAL("404 Not Found", "NoSuchBucket"), FHIR_ERROR_DENIED},
        {REFUSAL("403 Forbidden", "AccessDenied"), FHIR_ERROR_DENIED},
        {REFUSAL("403 Forbidden", "SignatureDoesNotMatch"), FHIR_ERROR_DENIED},
        {REFUSAL("403 Forbidden", "QuotaExceeded"), FHIR_ERROR_NO_SPACE},
        {REFUSAL("400 Bad Request", "EntityTooLarge"), FHIR_ERROR_TOO_LARGE},
        {REFUSAL("400 Bad Request", "AuthorizationHeaderMalformed"), FHIR_ERROR_DENIED},
        {REFUSAL("400 Bad Request", "KMS.NotFoundException"), FHIR_ERROR_DENIED},
        {REFUSAL("301 Moved Permanently", "PermanentRedirect"), FHIR_ERROR_DENIED},
        {REFUSAL("307 Temporary Redirect", "TemporaryRedirect"), FHIR_ERROR_UNAVAILABLE},
        {XML("400 Bad Request", "<Error><Code>What is this?</Code></Error>"), FHIR_ERROR_INTERNAL},
        {XML("400 Bad Request", "<Error><Code>"), FHIR_ERROR_INTERNAL},
        {XML("200 OK", "<html>"), FHIR_ERROR_UNAVAILABLE},
        {XML("200 OK", ""), FHIR_ERROR_UNAVAILABLE},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_script();
        expect("GET /files/?|list-type=2|max-keys=1|prefix=pre%2F", cases[i].answer);
        open_store(NULL, NULL);
        FHIR_ASSERT_ERROR(cases[i].code, plugin->health(store, &call));
        end_script();
    }
}

/* Health asks for the right to write, but not each time. */
static void test_health(void)
{
    const char *list = XML("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    begin_script();
    expect("GET /files/?", list);
    expect("POST /files/pre/health?uploads= ", REFUSAL("403 Forbidden", "AccessDenied"));
    expect("GET /files/?", list);
    expect("POST /files/pre/health?uploads= ", CREATED);
    expect("DELETE /files/pre/health?uploadId=u1 ", GONE);
    expect("GET /files/?", list);
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, plugin->health(store, &call));
    FHIR_ASSERT_OK(plugin->health(store, &call));
    FHIR_ASSERT_OK(plugin->health(store, &call));
    end_script();
}

static const char *in_hours(int hours, const char *format)
{
    apr_time_exp_t parts;
    char text[64];
    apr_size_t length = 0;
    apr_time_exp_gmt(&parts, apr_time_now() + apr_time_from_sec(3600 * (apr_int64_t)hours));
    apr_strftime(text, &length, sizeof(text), format, &parts);
    return apr_pstrdup(pool, text);
}

static void test_wrong_clock(void)
{
    const char *http_date = in_hours(5, "%a, %d %b %Y %H:%M:%S GMT");
    const char *amz_date = apr_pstrcat(pool, "HEAD |x-amz-date: ", in_hours(5, "%Y%m%dT%H"), NULL);
    begin_script();
    expect("HEAD ", apr_pstrcat(pool, "HTTP/1.1 403 Forbidden\r\nDate: ", http_date, "\r\n" EMPTY, NULL));
    expect(amz_date, HEAD_OF("x", "5"));
    expect(amz_date, HEAD_OF("x", "5"));
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(stat_object());
    FHIR_ASSERT_OK(stat_object());
    end_script();
}

/* Two days are no wrong clock, and neither is a refusal by a server whose clock agrees. */
static void test_clock_that_is_not_believed(void)
{
    static const int hours[] = {48, 0};
    size_t i;
    for (i = 0; i < 2; i++) {
        const char *date = in_hours(hours[i], "%a, %d %b %Y %H:%M:%S GMT");
        begin_script();
        expect("GET ", apr_pstrcat(pool, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nDate: ", date,
                                   "\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code></Error>", NULL));
        open_store(NULL, NULL);
        FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, plugin->health(store, &call));
        end_script();
    }
}

static void test_new_keys_in_the_file(void)
{
    begin_script();
    expect("Credential=KEYONE/", HEAD_OF("x", "5"));
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(stat_object());
    write_keys("KEYTWOTWO");
    expect("Credential=KEY", REFUSAL("403 Forbidden", "InvalidAccessKeyId"));
    expect("Credential=KEYTWOTWO/", XML("200 OK", "<ListBucketResult/>"));
    expect("Credential=KEYTWOTWO/", CREATED);
    expect("Credential=KEYTWOTWO/", GONE);
    FHIR_ASSERT_OK(plugin->health(store, &call));
    end_script();
}

/* ---- one PutObject ---- */

static void test_put(void)
{
    begin_script();
    expect("PUT " OBJECT " |if-none-match: *\r\n|content-type: text/plain\r\n|Content-Length: 5\r\n|!UNSIGNED", STORED);
    open_store(NULL, NULL);
    stores(5, 1);
    end_script();
}

static void test_put_whose_answer_was_lost(void)
{
    begin_script();
    expect("PUT " OBJECT, "");
    expect("PUT " OBJECT, "HTTP/1.1 412 Precondition Failed\r\n" EMPTY);
    expect("HEAD " OBJECT, HEAD_OF("%M", "5"));
    open_store(NULL, NULL);
    stores(5, 1);
    end_script();
}

/* Another writer's object stays, also after the abort. */
static void test_key_is_taken(void)
{
    begin_script();
    expect("PUT " OBJECT, "HTTP/1.1 412 Precondition Failed\r\n" EMPTY);
    expect("HEAD " OBJECT, HEAD_OF("another", "5"));
    open_store(NULL, NULL);
    fails(FHIR_ERROR_EXISTS, 5, 1);
    end_script();
}

static void test_put_that_never_succeeds(void)
{
    begin_script();
    expect("PUT ", SERVER_ERROR);
    expect("PUT ", "");
    expect("PUT ", "HTTP/1.1 503 Slow Down\r\n" EMPTY);
    expect("PUT ", SERVER_ERROR);
    expect("HEAD " OBJECT, NOT_THERE);
    expect("HEAD " OBJECT, HEAD_OF("%M", "5")); /* at the abort: it came after all */
    expect("DELETE " OBJECT " ", GONE);
    open_store(NULL, NULL);
    fails(FHIR_ERROR_UNAVAILABLE, 5, 0);
    end_script();
}

/* Nothing may stay that was to be encrypted and is not. */
static void test_server_that_ignores_encryption(void)
{
    begin_script();
    expect("PUT |x-amz-server-side-encryption: AES256\r\n", STORED);
    expect("HEAD ", HEAD_OF("%M", "5"));
    expect("DELETE " OBJECT " ", GONE);
    open_store("encryption", "sse-s3");
    fails(FHIR_ERROR_UNSUPPORTED, 5, 1);
    end_script();
}

static void test_without_if_none_match(void)
{
    begin_script();
    expect("HEAD " OBJECT, NOT_THERE);
    expect("HEAD " OBJECT, NOT_THERE);
    expect("PUT " OBJECT "|!if-none-match", STORED);
    expect("HEAD " OBJECT, HEAD_OF("another", "5"));
    open_store("if_none_match", "off");
    stores(5, 1);
    fails(FHIR_ERROR_EXISTS, 5, 1);
    end_script();
}

/* ---- multipart ---- */

#define TWO_PARTS (S3_BLOCK + 1000)

static void expect_parts(void)
{
    expect("POST " OBJECT "?uploads= |x-amz-meta-upload: ", CREATED);
    expect("PUT " OBJECT "?partNumber=1&uploadId=u1 |Content-Length: 65536\r\n", STORED);
    expect("PUT " OBJECT "?partNumber=2&uploadId=u1 |Content-Length: 1000\r\n", STORED);
}

static void test_multipart(void)
{
    int announce;
    for (announce = 0; announce < 2; announce++) {
        begin_script();
        expect_parts();
        expect("HEAD " OBJECT, NOT_THERE);
        expect("POST " OBJECT "?uploadId=u1 |if-none-match: *\r\n", COMPLETED);
        open_store(NULL, NULL);
        stores(TWO_PARTS, announce);
        end_script();
    }
}

/* 200 with an error in it. */
static void test_completion_that_fails_late(void)
{
    begin_script();
    expect_parts();
    expect("HEAD " OBJECT, NOT_THERE);
    expect("POST " OBJECT "?uploadId=u1 ", REFUSAL("200 OK", "InternalError"));
    expect("POST " OBJECT "?uploadId=u1 ", XML("200 OK", "   "));
    expect("POST " OBJECT "?uploadId=u1 ", COMPLETED);
    open_store(NULL, NULL);
    stores(TWO_PARTS, 1);
    end_script();
}

static void test_completion_whose_answer_was_lost(void)
{
    begin_script();
    expect_parts();
    expect("HEAD " OBJECT, NOT_THERE);
    expect("POST " OBJECT "?uploadId=u1 ", "");
    expect("POST " OBJECT "?uploadId=u1 ", REFUSAL("404 Not Found", "NoSuchUpload"));
    expect("HEAD " OBJECT, HEAD_OF("%M", "66536"));
    open_store(NULL, NULL);
    stores(TWO_PARTS, 1);
    end_script();
}

static void test_upload_that_was_removed(void)
{
    begin_script();
    expect_parts();
    expect("HEAD " OBJECT, NOT_THERE);
    expect("POST " OBJECT "?uploadId=u1 ", REFUSAL("404 Not Found", "NoSuchUpload"));
    expect("HEAD " OBJECT, NOT_THERE);
    expect("DELETE " OBJECT "?uploadId=u1 ", REFUSAL("404 Not Found", "NoSuchUpload"));
    open_store(NULL, NULL);
    fails(FHIR_ERROR_UNAVAILABLE, TWO_PARTS, 1);
    end_script();
}

/* A streamed part can't be sent again, one in a spool file can. */
static void test_part_that_fails(void)
{
    begin_script();
    expect("POST " OBJECT "?uploads= ", CREATED);
    expect("PUT |partNumber=1", SERVER_ERROR);
    expect("DELETE " OBJECT "?uploadId=u1 ", GONE);
    open_store(NULL, NULL);
    fails(FHIR_ERROR_UNAVAILABLE, TWO_PARTS, 1);
    end_script();
    begin_script();
    expect("POST " OBJECT "?uploads= ", CREATED);
    expect("PUT |partNumber=1", SERVER_ERROR);
    expect("PUT |partNumber=1", "");
    expect("PUT |partNumber=1", STORED);
    expect("PUT |partNumber=2", "HTTP/1.1 503 Slow Down\r\n" EMPTY);
    expect("PUT |partNumber=2", STORED);
    expect("HEAD " OBJECT, NOT_THERE);
    expect("POST " OBJECT "?uploadId=u1 ", COMPLETED);
    open_store(NULL, NULL);
    stores(TWO_PARTS, 0);
    end_script();
}

/* The upload whose id we never heard is looked for and aborted. */
static void test_creation_whose_answer_was_lost(void)
{
    const char *uploads =
        XML("200 OK", "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>pre/" LOCATOR
                      "</Key><UploadId>u0</UploadId></Upload><Upload><Key>pre/" LOCATOR
                      "0</Key><UploadId>other</UploadId></Upload></ListMultipartUploadsResult>");
    begin_script();
    expect("POST " OBJECT "?uploads= ", "");
    expect_parts();
    expect("HEAD " OBJECT, NOT_THERE);
    expect("POST " OBJECT "?uploadId=u1 ", COMPLETED);
    expect("GET /files/?|uploads=|prefix=pre%2F", uploads);
    expect("DELETE " OBJECT "?uploadId=u0 ", GONE);
    open_store(NULL, NULL);
    stores(TWO_PARTS, 1);
    end_script();
}

/* ---- reading ---- */

#define WHOLE "HTTP/1.1 200 OK\r\n" CLOSE "ETag: \"e1\"\r\nContent-Length: 10\r\n\r\n"
#define PART(range, length, bytes)                                                                                     \
    "HTTP/1.1 206 Partial Content\r\n" CLOSE "ETag: \"e1\"\r\nContent-Range: bytes " range                             \
    "\r\nContent-Length: " length "\r\n\r\n" bytes

/* What could be read. */
static fhir_error_t *read_object(const char **text, apr_off_t offset, apr_off_t length)
{
    fhir_object_info_t info = {0};
    fhir_error_t *error = NULL;
    fhir_reader_t *reader;
    char bytes[64];
    apr_size_t got = 1;
    info.struct_size = sizeof(info);
    *text = "";
    FHIR_TRY(plugin->reader_open(&reader, &info, store, LOCATOR, offset, length, &call));
    while (!error && got > 0) {
        got = sizeof(bytes);
        error = plugin->reader_read(reader, bytes, &got, &call);
        *text = error ? *text : apr_pstrcat(pool, *text, apr_pstrmemdup(pool, bytes, got), NULL);
    }
    plugin->reader_close(reader);
    return error;
}

static void reads(const char *wanted, apr_off_t offset, apr_off_t length)
{
    const char *text = "";
    script.endpoint.linger = 30; /* what was sent is read before the connection breaks */
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(read_object(&text, offset, length));
    CU_ASSERT_STRING_EQUAL(text, wanted);
    end_script();
}

static void reads_not(fhir_error_code_t code, const char *wanted, apr_off_t offset, apr_off_t length)
{
    const char *text = "";
    script.endpoint.linger = 30; /* what was sent is read before the connection breaks */
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(code, read_object(&text, offset, length));
    CU_ASSERT_STRING_EQUAL(text, wanted);
    end_script();
}

static void test_read_goes_on(void)
{
    begin_script();
    expect("GET " OBJECT " |!range:|!if-match", WHOLE "0123");
    expect("GET " OBJECT " |range: bytes=4-9\r\n|if-match: \"e1\"\r\n", "");
    expect("GET |range: bytes=4-9\r\n", SERVER_ERROR);
    expect("GET |range: bytes=4-9\r\n", PART("4-9/10", "6", "45"));
    expect("GET |range: bytes=6-9\r\n|if-match: \"e1\"\r\n", PART("6-9/10", "4", "6789"));
    reads("0123456789", 0, -1);
}

static void test_range_goes_on(void)
{
    begin_script();
    expect("GET |range: bytes=2-6\r\n", PART("2-6/10", "5", "23"));
    expect("GET |range: bytes=4-6\r\n|if-match: \"e1\"\r\n", PART("4-6/10", "3", "456"));
    reads("23456", 2, 5);
}

static void test_another_object_is_no_continuation(void)
{
    static const char *const answers[] = {"HTTP/1.1 412 Precondition Failed\r\n" EMPTY,
                                          "HTTP/1.1 416 Range\r\n" EMPTY,
                                          PART("4-9/11", "6", "456789"),
                                          PART("5-10/11", "6", "567890"),
                                          PART("4-8/10", "5", "45678"),
                                          WHOLE "0123456789"};
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("GET ", WHOLE "0123");
        expect("GET |range: bytes=4-9\r\n", answers[i]);
        reads_not(FHIR_ERROR_CORRUPT, "0123", 0, -1);
    }
    begin_script();
    expect("GET ", WHOLE "0123");
    expect("GET |range: bytes=4-9\r\n", NOT_THERE);
    reads_not(FHIR_ERROR_NOT_FOUND, "0123", 0, -1);
}

static void test_nothing_to_go_on_with(void)
{
    begin_script();
    expect("GET ", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    reads_not(FHIR_ERROR_CORRUPT, "0123", 0, -1);
}

static void test_wrong_ranges(void)
{
    static const char *const answers[] = {
        WHOLE "0123456789",
        PART("3-4/10", "2", "34"),
        PART("2-4/10", "2", "23"),
        PART("2-4/10", "3", "234"),
        PART("bytes", "2", "23"),
        PART("2-3/", "2", "23"),
        PART("2-3/*", "2", "23"),
        PART("2-3/3", "2", "23"),
        PART("2-99999999999999999999/10", "2", "23"),
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\n23",
    };
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("GET |range: bytes=2-3\r\n", answers[i]);
        reads_not(FHIR_ERROR_CORRUPT, "", 2, 2);
    }
}

static void test_ranges_at_the_end(void)
{
    begin_script();
    expect("GET |range: bytes=10-\r\n", "HTTP/1.1 416 Range\r\n" EMPTY);
    expect("HEAD ", HEAD_OF("x", "10"));
    reads("", 10, -1);
    begin_script();
    expect("GET |range: bytes=11-\r\n", "HTTP/1.1 416 Range\r\n" EMPTY);
    expect("HEAD ", HEAD_OF("x", "10"));
    reads_not(FHIR_ERROR_RANGE, "", 11, -1);
    begin_script();
    expect("GET |range: bytes=8-12\r\n", PART("8-9/10", "2", "89"));
    reads_not(FHIR_ERROR_RANGE, "", 8, 5);
    begin_script();
    expect("HEAD ", HEAD_OF("x", "10"));
    reads("", 3, 0);
}

/* ---- listing ---- */

static void test_list(void)
{
    const char *next = "";
    const char *seen = "";
    begin_script();
    expect("GET /files/?|uploads=|!key-marker",
           XML("200 OK",
               "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
               "<Upload><Key>pre%2Fab%2Fcd%2F" KEY "</Key><UploadId>a</UploadId></Upload>"
               "<Upload><Key>pre%2Fab%2Fcd%2F" KEY "</Key><UploadId>b</UploadId></Upload>"
               "<Upload><Key>pre%2Fhealth</Key><UploadId>c</UploadId></Upload></ListMultipartUploadsResult>"));
    expect("GET /files/?|list-type=2|!start-after",
           XML("200 OK", "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                         "<Contents><Key>pre/a+b%25</Key><Size>1</Size></Contents></ListBucketResult>"));
    expect("GET /files/?|start-after=pre%2Fa%20b%25|list-type=2",
           XML("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated><Contents>"
                         "<Key>pre/ff/ff/ffff0000000000000000000000000001</Key><Size>7</Size>"
                         "<LastModified>2026-11-21T12:00:00.000Z</LastModified></Contents></ListBucketResult>"));
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(plugin->list(&next, store, NULL, 10, no_entry, &seen, &call));
    CU_ASSERT_STRING_EQUAL(seen, " unfinished " LOCATOR " ff/ff/ffff0000000000000000000000000001");
    CU_ASSERT_PTR_NULL(next);
    end_script();
}

static void test_list_answers_that_are_none(void)
{
    static const char *const answers[] = {
        XML("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>7</Size></Contents>"
                      "</ListBucketResult>"),
        XML("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-7</Size>"
                      "</Contents></ListBucketResult>"),
        XML("200 OK", "<ListBucketResult/>"),
        XML("200 OK", "<ListBucketResult>"),
        XML("200 OK", "<!DOCTYPE a [<!ENTITY b \"b\">]><ListBucketResult>&b;</ListBucketResult>"),
    };
    const char *next;
    const char *seen = "";
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("GET |uploads=", XML("200 OK", "<ListMultipartUploadsResult/>"));
        expect("GET |list-type=2", answers[i]);
        open_store(NULL, NULL);
        FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, plugin->list(&next, store, NULL, 10, no_entry, &seen, &call));
        end_script();
    }
}

/* ---- URLs ---- */

static void test_presign_promises(void)
{
    fhir_store_presigned_t presigned = {0};
    fhir_store_presign_request_t request = {0};
    begin_script();
    request.struct_size = sizeof(request);
    request.locator = LOCATOR;
    request.write = 1;
    request.content_type = "text/plain";
    request.expires = apr_time_now() + apr_time_from_sec(60);
    open_store("public_endpoint", "https://public.example");
    FHIR_ASSERT_OK(plugin->presign(&presigned, store, &request, &call));
    CU_ASSERT_PTR_EQUAL(strstr(presigned.url, "https://public.example" OBJECT "?"), presigned.url);
    CU_ASSERT_PTR_NOT_NULL(strstr(presigned.url, "X-Amz-SignedHeaders=content-type%3Bhost%3Bif-none-match"));
    CU_ASSERT_EQUAL(presigned.header_count, 2);
    request.expires = apr_time_now() + apr_time_from_sec(604860);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, plugin->presign(&presigned, store, &request, &call));
    request.expires = apr_time_now();
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, plugin->presign(&presigned, store, &request, &call));
    request.expires = apr_time_now() + apr_time_from_sec(60);
    config->if_none_match = 0;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, plugin->presign(&presigned, store, &request, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, plugin->can_presign(config, 1, pool));
    FHIR_ASSERT_OK(plugin->can_presign(config, 0, pool));
    request.write = 0;
    FHIR_ASSERT_OK(plugin->presign(&presigned, store, &request, &call));
    CU_ASSERT_EQUAL(presigned.header_count, 0);
    config->encryption = S3_ENCRYPTION_SSE_C;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, plugin->presign(&presigned, store, &request, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, plugin->can_presign(config, 0, pool));
    end_script();
}

static const fhir_unit_test_t tests[] = {
    {"busy is tried again", test_busy_is_tried_again},
    {"codes have meanings", test_codes_have_meanings},
    {"health", test_health},
    {"wrong clock", test_wrong_clock},
    {"clock that is not believed", test_clock_that_is_not_believed},
    {"new keys in the file", test_new_keys_in_the_file},
    {"put", test_put},
    {"put whose answer was lost", test_put_whose_answer_was_lost},
    {"key is taken", test_key_is_taken},
    {"put that never succeeds", test_put_that_never_succeeds},
    {"server that ignores encryption", test_server_that_ignores_encryption},
    {"without If-None-Match", test_without_if_none_match},
    {"multipart", test_multipart},
    {"completion that fails late", test_completion_that_fails_late},
    {"completion whose answer was lost", test_completion_whose_answer_was_lost},
    {"upload that was removed", test_upload_that_was_removed},
    {"part that fails", test_part_that_fails},
    {"creation whose answer was lost", test_creation_whose_answer_was_lost},
    {"read goes on", test_read_goes_on},
    {"range goes on", test_range_goes_on},
    {"another object is no continuation", test_another_object_is_no_continuation},
    {"nothing to go on with", test_nothing_to_go_on_with},
    {"wrong ranges", test_wrong_ranges},
    {"ranges at the end", test_ranges_at_the_end},
    {"list", test_list},
    {"list answers that are none", test_list_answers_that_are_none},
    {"presign promises", test_presign_promises},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("s3_faults", tests)
