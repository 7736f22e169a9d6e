/* The s3 plugin against a scripted server: answers that an S3 server does not give, or not like this, and what they
 * must not be taken for. */
#include "scripted_store.h"
#include "storage-plugins/s3/s3.h"

#include <sys/stat.h>

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY
#define OBJECT "/files/pre/" LOCATOR
#define OTHER "ff/ff/ffff0000000000000000000000000001"

/* Each connection serves one request: nobody may take it for one that stays. */
#define CLOSE "Connection: close\r\n"
#define EMPTY CLOSE "Content-Length: 0\r\n\r\n"
#define STORED "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\n" EMPTY
#define NOT_THERE "HTTP/1.1 404 Not Found\r\n" EMPTY
#define TAKEN "HTTP/1.1 412 Precondition Failed\r\n" EMPTY
#define GONE "HTTP/1.1 204 No Content\r\n\r\n"
#define HEAD_OF(fields, mark, length)                                                                                  \
    "HTTP/1.1 200 OK\r\n" CLOSE "ETag: \"e1\"\r\n" fields "x-amz-meta-upload: " mark "\r\nContent-Length: " length     \
    "\r\n\r\n"
#define XML(text) "HTTP/1.1 200 OK\r\n" CLOSE "\r\n" text
#define UPLOADS(text) XML("<ListMultipartUploadsResult>" text "</ListMultipartUploadsResult>")
#define UPLOAD(key, id) "<Upload><Key>pre/" key "</Key><UploadId>" id "</UploadId></Upload>"
#define OBJECTS(text) XML("<ListBucketResult>" text "</ListBucketResult>")
#define CONTENTS(key) "<Contents><Key>pre/" key "</Key><Size>7</Size></Contents>"
#define MORE "<IsTruncated>true</IsTruncated>"
#define END "<IsTruncated>false</IsTruncated>"
#define TOKEN(token) "<NextContinuationToken>" token "</NextContinuationToken>"

/* ---- the store ---- */

static void begin_script(void)
{
    begin_marked(S3_MARK_HEADER ": ");
}

static void open_store(const char *option, const char *value)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d", script.endpoint.port);
    const char *path = secret_file("[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\n");
    fhir_store_option_t options[] = {{"bucket", "files"},        {"prefix", "pre/"},        {"endpoint", url},
                                     {"credentials_file", path}, {"request_timeout", "2s"}, {option, value}};
    open_configured(options, option ? 6 : 5, path);
}

/* `length` bytes are written, and the writer is aborted if that fails. */
static fhir_error_t *store_bytes(fhir_object_info_t *info, apr_size_t length)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, (apr_off_t)length, "text/plain"};
    fhir_writer_t *writer;
    fhir_error_t *error;
    memset(info, 0, sizeof(*info));
    info->struct_size = sizeof(*info);
    FHIR_TRY(plugin->writer_begin(&writer, store, &request, &call));
    error = plugin->writer_write(writer, apr_pcalloc(pool, length), length, &call);
    error = error ? error : plugin->writer_commit(info, writer, &call);
    plugin->writer_abort(writer, &call);
    return error;
}

static void stores(apr_size_t length)
{
    fhir_object_info_t info;
    FHIR_ASSERT_OK(store_bytes(&info, length));
    CU_ASSERT_EQUAL(info.length, (apr_off_t)length);
    CU_ASSERT_STRING_EQUAL(info.checksum ? info.checksum : "", "\"e1\"");
    end_script();
}

static void fails(fhir_error_code_t code, apr_size_t length)
{
    fhir_object_info_t info;
    FHIR_ASSERT_ERROR(code, store_bytes(&info, length));
    end_script();
}

/* ---- writing ---- */

/* Some servers keep that header with the object, and browsers do not know the coding. */
static void test_no_content_encoding(void)
{
    begin_script();
    expect("PUT " OBJECT " |STREAMING-AWS4-HMAC-SHA256-PAYLOAD|x-amz-decoded-content-length: 70000\r\n|"
           "!ontent-encoding|!ontent-Encoding|!aws-chunked",
           STORED);
    expect("HEAD ", HEAD_OF("", "%M", "70000"));
    open_store(NULL, NULL);
    stores(70000);
}

static const char *const of_somebody_else[] = {
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" CLOSE "\r\n<html>Maintenance</html>",
    "HTTP/1.1 202 Accepted\r\nETag: \"e1\"\r\n" EMPTY,
    "HTTP/1.1 204 No Content\r\nETag: \"e1\"\r\n" CLOSE "\r\n",
};

/* A proxy that says 2xx to everything has stored nothing. */
static void test_success_of_somebody_else(void)
{
    size_t i;
    for (i = 0; i < sizeof(of_somebody_else) / sizeof(of_somebody_else[0]); i++) {
        begin_script();
        expect("PUT " OBJECT, of_somebody_else[i]);
        expect("HEAD " OBJECT, NOT_THERE);
        expect("HEAD " OBJECT, NOT_THERE); /* abort looks once more */
        open_store(NULL, NULL);
        fails(FHIR_ERROR_UNAVAILABLE, 5);
        begin_script();
        expect("PUT " OBJECT, of_somebody_else[i]);
        expect("HEAD " OBJECT, "HTTP/1.1 200 OK\r\n" EMPTY);
        expect("HEAD " OBJECT, "HTTP/1.1 200 OK\r\n" EMPTY);
        open_store(NULL, NULL);
        fails(FHIR_ERROR_UNAVAILABLE, 5);
    }
}

/* The server itself knows better than whoever answered in its place. */
static void test_success_of_somebody_else_after_all(void)
{
    size_t i;
    for (i = 0; i < sizeof(of_somebody_else) / sizeof(of_somebody_else[0]); i++) {
        begin_script();
        expect("PUT " OBJECT, of_somebody_else[i]);
        expect("HEAD " OBJECT, HEAD_OF("", "%M", "5"));
        open_store(NULL, NULL);
        stores(5);
    }
}

static void test_part_without_200(void)
{
    begin_script();
    expect("POST " OBJECT "?uploads= ",
           XML("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"));
    expect("PUT " OBJECT "?partNumber=1&uploadId=u1 ", "HTTP/1.1 202 Accepted\r\nETag: \"e1\"\r\n" EMPTY);
    expect("DELETE " OBJECT "?uploadId=u1 ", GONE);
    open_store("multipart_threshold", "5M");
    fails(FHIR_ERROR_UNAVAILABLE, 5 * 1024 * 1024 + 1);
}

/* Nothing may stay that was to be encrypted and is not, also when the answer was lost. */
static void test_lost_answer_and_no_encryption(void)
{
    begin_script();
    expect("PUT |x-amz-server-side-encryption: AES256\r\n", "");
    expect("PUT |x-amz-server-side-encryption: AES256\r\n", TAKEN);
    expect("HEAD ", HEAD_OF("", "%M", "5"));
    expect("HEAD ", HEAD_OF("", "%M", "5"));
    expect("DELETE " OBJECT " ", GONE);
    open_store("encryption", "sse-s3");
    fails(FHIR_ERROR_UNSUPPORTED, 5);
    begin_script();
    expect("PUT |x-amz-server-side-encryption: aws:kms\r\n", TAKEN);
    expect("HEAD ", HEAD_OF("x-amz-server-side-encryption: AES256\r\n", "%M", "5"));
    expect("HEAD ", HEAD_OF("x-amz-server-side-encryption: AES256\r\n", "%M", "5"));
    expect("DELETE " OBJECT " ", GONE);
    open_store("encryption", "sse-kms");
    fails(FHIR_ERROR_UNSUPPORTED, 5);
}

static void test_lost_answer_and_encryption(void)
{
    begin_script();
    expect("PUT |x-amz-server-side-encryption: AES256\r\n", "");
    expect("PUT |x-amz-server-side-encryption: AES256\r\n", TAKEN);
    expect("HEAD ", HEAD_OF("x-amz-server-side-encryption: AES256\r\n", "%M", "5"));
    open_store("encryption", "sse-s3");
    stores(5);
}

/* ---- reading ---- */

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

static fhir_error_t *note_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    const char **seen = baton;
    (void)scratch;
    *seen = apr_pstrcat(pool, *seen, entry->committed ? " " : " unfinished ", entry->locator, NULL);
    return NULL;
}

static void lists(const char *wanted)
{
    const char *next = "";
    const char *seen = "";
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(plugin->list(&next, store, NULL, 10, note_entry, &seen, &call));
    CU_ASSERT_STRING_EQUAL(seen, wanted);
    CU_ASSERT_PTR_NULL(next);
    end_script();
}

static void lists_not(void)
{
    const char *next = "";
    const char *seen = "";
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, plugin->list(&next, store, NULL, 10, note_entry, &seen, &call));
    CU_ASSERT_STRING_EQUAL(seen, "");
    end_script();
}

/* A page without keys is not the end if it says so. */
static void test_empty_pages_of_objects(void)
{
    begin_script();
    expect("GET |uploads=", UPLOADS(END));
    expect("GET |list-type=2|!start-after|!continuation-token", OBJECTS(MORE TOKEN("t1")));
    expect("GET |continuation-token=t1&|!start-after", OBJECTS(MORE TOKEN("t%/2")));
    expect("GET |continuation-token=t%25%2F2&", OBJECTS(MORE CONTENTS(LOCATOR) TOKEN("t3")));
    expect("GET |start-after=pre%2Fab%2F|!continuation-token", OBJECTS(MORE TOKEN("t1")));
    expect("GET |continuation-token=t1&", OBJECTS(END CONTENTS(OTHER)));
    lists(" " LOCATOR " " OTHER);
}

static void test_objects_that_do_not_go_on(void)
{
    begin_script();
    expect("GET |uploads=", UPLOADS(END));
    expect("GET |list-type=2", OBJECTS(MORE));
    lists_not();
    begin_script();
    expect("GET |uploads=", UPLOADS(END));
    expect("GET |list-type=2", OBJECTS(MORE TOKEN("")));
    lists_not();
    begin_script();
    expect("GET |uploads=", UPLOADS(END));
    expect("GET |list-type=2", OBJECTS(MORE TOKEN("t1")));
    expect("GET |continuation-token=t1&", OBJECTS(MORE TOKEN("t1")));
    lists_not();
    begin_script(); /* a key that was seen before the empty page */
    expect("GET |uploads=", UPLOADS(END));
    expect("GET |list-type=2", OBJECTS(MORE CONTENTS(OTHER)));
    expect("GET |start-after=pre%2Fff", OBJECTS(MORE TOKEN("t1")));
    expect("GET |continuation-token=t1&", OBJECTS(MORE CONTENTS(OTHER)));
    lists_not();
}

/* Without NextUploadIdMarker the next page begins behind all uploads of the key. */
static void test_uploads_without_id_marker(void)
{
    begin_script();
    expect("GET |uploads=|!key-marker",
           UPLOADS(MORE UPLOAD(LOCATOR, "a") "<NextKeyMarker>pre/" LOCATOR "</NextKeyMarker>"));
    expect("GET |key-marker=pre%2Fab%2F|!upload-id-marker", UPLOADS(END UPLOAD(OTHER, "b")));
    expect("GET |list-type=2", OBJECTS(END));
    lists(" unfinished " LOCATOR " unfinished " OTHER);
}

static void test_uploads_that_do_not_go_on(void)
{
    begin_script();
    expect("GET |uploads=|!key-marker", UPLOADS(MORE UPLOAD(LOCATOR, "a")));
    lists_not();
    begin_script();
    expect("GET |uploads=|!key-marker", UPLOADS(MORE "<NextKeyMarker>zz</NextKeyMarker>"));
    expect("GET |key-marker=zz", UPLOADS(MORE "<NextKeyMarker>zz</NextKeyMarker>"));
    lists_not();
    begin_script();
    expect("GET |uploads=|!key-marker", UPLOADS(MORE "<NextKeyMarker>zz</NextKeyMarker>"));
    expect("GET |key-marker=zz", UPLOADS(MORE "<NextKeyMarker>aa</NextKeyMarker>"));
    lists_not();
}

/* ---- health ---- */

#define LISTED OBJECTS(END)

/* What a lost answer left is looked for, if need be with the next check. */
static void test_health_whose_answer_was_lost(void)
{
    begin_script();
    expect("GET /files/?|list-type=2", LISTED);
    expect("POST /files/pre/health?uploads= ", "");
    expect("GET /files/?|uploads=|prefix=pre%2Fhealth", "HTTP/1.1 403 Forbidden\r\n" EMPTY);
    expect("GET /files/?|list-type=2", LISTED);
    expect("POST /files/pre/health?uploads= ",
           XML("<InitiateMultipartUploadResult><UploadId>u2</UploadId></InitiateMultipartUploadResult>"));
    expect("DELETE /files/pre/health?uploadId=u2 ", GONE);
    expect("GET /files/?|uploads=|prefix=pre%2Fhealth", UPLOADS(END UPLOAD("health", "u1") UPLOAD("healthy", "u3")));
    expect("DELETE /files/pre/health?uploadId=u1 ", GONE);
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, plugin->health(store, &call));
    FHIR_ASSERT_OK(plugin->health(store, &call));
    end_script();
}

/* ---- keys that end ---- */

static const char *keys_for(int seconds)
{
    apr_time_exp_t parts;
    apr_time_exp_gmt(&parts, apr_time_now() + apr_time_from_sec(seconds));
    return apr_psprintf(pool,
                        "HTTP/1.1 200 OK\r\n" CLOSE "\r\n{\"Code\":\"Success\",\"AccessKeyId\":\"ROLE\","
                        "\"SecretAccessKey\":\"secret\",\"Token\":\"token\","
                        "\"Expiration\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\"}",
                        parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                        parts.tm_sec);
}

static void open_with_role(void)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d", script.endpoint.port);
    fhir_store_option_t options[] = {
        {"bucket", "files"}, {"prefix", "pre/"}, {"endpoint", url}, {"credentials", "ecs"}};
    fhir_store_config_t *config;
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", apr_pstrcat(pool, url, "/creds", NULL), 1);
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, 4, pool));
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
}

static fhir_error_t *stat_object(void)
{
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    return plugin->stat(&info, store, LOCATOR, &call);
}

/* 400 to a HEAD may mean keys that have ended, or that this object needs another key: the others go on. */
static void test_a_guess_costs_nobody_the_keys(void)
{
    begin_script();
    expect("GET /creds", keys_for(3600));
    expect("HEAD |Credential=ROLE/", HEAD_OF("", "x", "5"));
    expect("HEAD |Credential=ROLE/", "HTTP/1.1 400 Bad Request\r\n" EMPTY);
    expect("GET /creds", "HTTP/1.1 500 Busy\r\n" EMPTY);
    expect("HEAD |Credential=ROLE/", "HTTP/1.1 400 Bad Request\r\n" EMPTY);
    expect("HEAD |Credential=ROLE/", HEAD_OF("", "x", "5"));
    open_with_role();
    FHIR_ASSERT_OK(stat_object());
    apr_sleep(apr_time_from_msec(1100));
    CU_ASSERT_PTR_NOT_NULL(stat_object());
    FHIR_ASSERT_OK(stat_object());
    end_script();
}

static const fhir_unit_test_t tests[] = {
    {"no Content-Encoding", test_no_content_encoding},
    {"success of somebody else", test_success_of_somebody_else},
    {"success of somebody else, after all", test_success_of_somebody_else_after_all},
    {"a part without 200", test_part_without_200},
    {"lost answer, no encryption", test_lost_answer_and_no_encryption},
    {"lost answer, encryption", test_lost_answer_and_encryption},
    {"read after an error", test_read_after_an_error},
    {"empty pages of objects", test_empty_pages_of_objects},
    {"objects that do not go on", test_objects_that_do_not_go_on},
    {"uploads without an id marker", test_uploads_without_id_marker},
    {"uploads that do not go on", test_uploads_that_do_not_go_on},
    {"health whose answer was lost", test_health_whose_answer_was_lost},
    {"a guess costs nobody the keys", test_a_guess_costs_nobody_the_keys},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("s3_wrong_answers", tests)
