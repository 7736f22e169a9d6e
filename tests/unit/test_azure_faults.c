/* The azure plugin against a scripted server: tokens and their renewal, refusals, lost answers, broken reads, cursors
 * of another process. Each test writes the requests that must come, in order, and their answers. */
#include "storage-plugins/azure/azure.h"
#include "unit.h"

#include "http_endpoint.h"

#include <stdatomic.h>
#include <sys/stat.h>

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY
#define STEPS 24

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

typedef struct step_t {
    const char *request; /* parts that the request must have, separated by '|'; a part after '!' it must not have */
    const char *answer;
} step_t;

static step_t steps[STEPS];
static int step_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int served;
static int wrong;
static char writer_id[64];
static endpoint_t endpoint;
static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_store_call_t call;

#define OK_HEAD "HTTP/1.1 200 OK\r\nETag: \"0x1\"\r\nLast-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nETag: \"0x1\"\r\n" EMPTY
#define REFUSAL(status, code) "HTTP/1.1 " status "\r\nx-ms-error-code: " code "\r\n" EMPTY
#define TOKEN(token)                                                                                                   \
    "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n{\"expires_in\":\"3600\",\"access_token\":\"" token "\"}   "

/* ---- the server ---- */

static int fits(const char *request, const char *wanted)
{
    char *parts = strdup(wanted);
    char *save = NULL;
    char *part;
    int good = 1;
    for (part = strtok_r(parts, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
        good = good && (*part == '!' ? !strstr(request, part + 1) : strstr(request, part) != NULL);
    }
    free(parts);
    return good;
}

/* Remembers which writer it was; "%W" in an answer is replaced by it. */
static void see_writer(const char *request)
{
    const char *header = strstr(request, "x-ms-meta-writer: ");
    if (header) {
        snprintf(writer_id, sizeof(writer_id), "%.16s", header + 18);
    }
}

static void answer_step(char *answer, const char *request, void *baton)
{
    const char *mark;
    const char *text = "HTTP/1.1 500 Nobody expected this\r\n" EMPTY;
    (void)baton;
    pthread_mutex_lock(&lock);
    see_writer(request);
    if (served < step_count && fits(request, steps[served].request)) {
        text = steps[served].answer;
    } else {
        printf("request %d is not '%s' but:\n%.300s\n", served, served < step_count ? steps[served].request : "(none)",
               request);
        wrong++;
    }
    served++;
    mark = strstr(text, "%W");
    snprintf(answer, ENDPOINT_ROOM, "%.*s%s%s", mark ? (int)(mark - text) : (int)strlen(text), text,
             mark ? writer_id : "", mark ? mark + 2 : "");
    pthread_mutex_unlock(&lock);
}

static void expect(const char *request, const char *answer)
{
    steps[step_count].request = request;
    steps[step_count].answer = answer;
    step_count++;
}

/* ---- the store ---- */

static const char *secret_file(const char *content)
{
    char *path = apr_pstrdup(pool, "/tmp/fhir-test-azure-XXXXXX");
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0 && write(file, content, strlen(content)) == (ssize_t)strlen(content));
    close(file);
    return path;
}

static void begin_script(void)
{
    step_count = 0;
    served = 0;
    wrong = 0;
    writer_id[0] = '\0';
    endpoint_start(&endpoint, answer_step, NULL);
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

static void open_store(const char *option, const char *value)
{
    const char *url = apr_psprintf(pool, "http://127.0.0.1:%d/account1", endpoint.port);
    const char *path = secret_file("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    fhir_store_option_t options[] = {{"account", "account1"},    {"container", "files"},    {"endpoint", url},
                                     {"account_key_file", path}, {"request_timeout", "1s"}, {option, value}};
    fhir_store_config_t *config;
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, option ? 6 : 5, pool));
    unlink(path);
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
}

/* Tokens go to https only, so the configuration is made by hand. */
static void open_token_store(void)
{
    static fhir_store_config_t config;
    memset(&config, 0, sizeof(config));
    config.account = "account1";
    config.container = "files";
    config.prefix = "";
    config.endpoint = apr_psprintf(pool, "http://127.0.0.1:%d/account1", endpoint.port);
    config.public_endpoint = "https://public.example";
    config.sas_protocol = "https";
    config.credentials = AZURE_MANAGED_IDENTITY;
    config.identity_endpoint = apr_psprintf(pool, "http://127.0.0.1:%d/token", endpoint.port);
    config.block_size = 8 << 20;
    config.parallel_blocks = 2;
    config.connect_timeout = apr_time_from_sec(1);
    config.stall_timeout = apr_time_from_sec(1);
    config.request_timeout = apr_time_from_sec(1);
    fhir_http_initialize();
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->open(&store, &config, NULL, pool));
}

static void end_script(void)
{
    plugin->close(store);
    endpoint_end(&endpoint);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(served, step_count);
}

static fhir_error_t *stat_object(void)
{
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    return plugin->stat(&info, store, LOCATOR, &call);
}

static fhir_error_t *store_object(const char *text, fhir_writer_t **writer)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, (apr_off_t)strlen(text), NULL};
    fhir_object_info_t info = {0};
    info.struct_size = sizeof(info);
    FHIR_TRY(plugin->writer_begin(writer, store, &request, &call));
    FHIR_TRY(plugin->writer_write(*writer, text, strlen(text), &call));
    FHIR_TRY(plugin->writer_commit(&info, *writer, &call));
    CU_ASSERT_EQUAL(info.length, (apr_off_t)strlen(text));
    CU_ASSERT_STRING_EQUAL(info.checksum, "\"0x1\"");
    return NULL;
}

/* ---- tokens ---- */

static void test_token_is_kept(void)
{
    begin_script();
    expect("GET /token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F |Metadata: true",
           TOKEN("token-one"));
    expect("HEAD /account1/files/" LOCATOR " |Authorization: Bearer token-one\r\n|x-ms-version: 2023-11-03",
           OK_HEAD "Content-Length: 5\r\n\r\n");
    expect("HEAD |Bearer token-one", OK_HEAD "Content-Length: 5\r\n\r\n");
    open_token_store();
    FHIR_ASSERT_OK(stat_object());
    FHIR_ASSERT_OK(stat_object());
    end_script();
}

static void test_refused_token_is_renewed_once(void)
{
    begin_script();
    expect("GET /token", TOKEN("token-one"));
    expect("HEAD |Bearer token-one", REFUSAL("401 Unauthorized", "InvalidAuthenticationInfo"));
    expect("GET /token", TOKEN("token-two"));
    expect("HEAD |Bearer token-two", OK_HEAD "Content-Length: 5\r\n\r\n");
    expect("HEAD |Bearer token-two", REFUSAL("401 Unauthorized", "InvalidAuthenticationInfo"));
    expect("GET /token", TOKEN("token-two"));
    expect("HEAD |Bearer token-two", REFUSAL("401 Unauthorized", "InvalidAuthenticationInfo"));
    open_token_store();
    FHIR_ASSERT_OK(stat_object());
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, stat_object());
    end_script();
}

static void test_token_endpoint_recovers_or_refuses(void)
{
    begin_script();
    expect("GET /token", "HTTP/1.1 503 Busy\r\n" EMPTY);
    expect("GET /token", TOKEN("token-one"));
    expect("HEAD |Bearer token-one", REFUSAL("401 Unauthorized", "InvalidAuthenticationInfo"));
    expect("GET /token", "HTTP/1.1 400 Bad\r\nContent-Length: 25\r\n\r\n{\"error\":\"invalid_scope\"} ");
    open_token_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, stat_object());
    end_script();
}

static void test_useless_token_answers(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h",
        "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"access_token\":\"abc\"} ",
        "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n{\"access_token\":\"a b\",\"expires_in\":100}",
        "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n{\"access_token\":\"abc\",\"expires_in\":-10}",
    };
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("GET /token", answers[i]);
        open_token_store();
        FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, stat_object());
        end_script();
    }
}

/* ---- refusals and repetition ---- */

static void test_busy_is_tried_again(void)
{
    begin_script();
    expect("HEAD ", REFUSAL("503 Server Busy", "ServerBusy"));
    expect("HEAD ", REFUSAL("500 Internal", "InternalError"));
    expect("HEAD ", OK_HEAD "Content-Length: 5\r\n\r\n");
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
        {REFUSAL("404 Not Found", "BlobNotFound"), FHIR_ERROR_NOT_FOUND},
        {REFUSAL("404 Not Found", "ContainerNotFound"), FHIR_ERROR_DENIED},
        {REFUSAL("403 Forbidden", "AuthenticationFailed"), FHIR_ERROR_DENIED},
        {REFUSAL("409 Conflict", "BlobArchived"), FHIR_ERROR_UNSUPPORTED},
        {REFUSAL("409 Conflict", "SomethingNew"), FHIR_ERROR_INTERNAL},
        {REFUSAL("302 Found", "Elsewhere"), FHIR_ERROR_INTERNAL},
        {OK_HEAD "x-ms-meta-removed: 1\r\n" EMPTY, FHIR_ERROR_NOT_FOUND},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_script();
        expect("HEAD ", cases[i].answer);
        open_store(NULL, NULL);
        FHIR_ASSERT_ERROR(cases[i].code, stat_object());
        end_script();
    }
}

static void test_the_log_says_what_to_do(void)
{
    fhir_error_t *error;
    begin_script();
    expect("HEAD ", REFUSAL("404 Not Found", "ContainerNotFound"));
    open_store(NULL, NULL);
    error = stat_object();
    CU_ASSERT(error && strstr(error->detail, "ContainerNotFound: create the container, or correct container="));
    end_script();
}

static void says(const char *answer, const char *part)
{
    fhir_error_t *error;
    begin_script();
    expect("GET /account1/files?restype=container |Authorization: SharedKey account1:", answer);
    open_store(NULL, NULL);
    error = plugin->health(store, &call);
    CU_ASSERT_FATAL(error != NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, part));
    end_script();
}

static void test_health_says_what_to_do(void)
{
    says(REFUSAL("404 Not Found", "ContainerNotFound"), "does not exist. Create it");
    says(REFUSAL("403 Forbidden", "AuthenticationFailed"), "account_key_file=");
    says(REFUSAL("403 Forbidden", "KeyBasedAuthenticationNotPermitted"), "managed_identity");
    says("HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthenticationFailed\r\n"
         "Date: Sat, 21 Nov 2020 12:00:00 GMT\r\n" EMPTY,
         "clock is wrong");
}

/* ---- writing ---- */

static void test_put_blob_is_conditional(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT /account1/files/" LOCATOR
           " |If-None-Match: *|x-ms-blob-type: BlockBlob|x-ms-content-crc64: iJh5CoYUi64=|"
           "Content-Length: 9|x-ms-meta-writer: |!Expect",
           CREATED);
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(store_object("123456789", &writer));
    plugin->writer_abort(writer, &call); /* after a commit: nothing */
    end_script();
}

static void test_existing_object_is_kept(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", REFUSAL("409 Conflict", "BlobAlreadyExists"));
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: 0123456789abcdef\r\nContent-Length: 1\r\n\r\n");
    expect("PUT ", REFUSAL("412 Precondition Failed", "ConditionNotMet"));
    expect("HEAD ", OK_HEAD "Content-Length: 1\r\n\r\n");
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object("x", &writer));
    plugin->writer_abort(writer, &call); /* what is there is another's */
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object("x", &writer));
    plugin->writer_abort(writer, &call);
    end_script();
}

/* The transport sends a request twice that an old connection lost: the second one finds what the first one stored. */
static void test_existing_object_may_be_ours(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT |If-None-Match: *", REFUSAL("409 Conflict", "BlobAlreadyExists"));
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: %W\r\nContent-Length: 1\r\n\r\n");
    expect("PUT ", REFUSAL("409 Conflict", "BlobAlreadyExists"));
    expect("HEAD ", REFUSAL("403 Forbidden", "AuthorizationFailure"));
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: %W\r\nContent-Length: 1\r\n\r\n");
    expect("DELETE |If-Match: \"0x1\"", "HTTP/1.1 202 Accepted\r\n" EMPTY);
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(store_object("x", &writer));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object("x", &writer));
    plugin->writer_abort(writer, &call); /* asks whose it is, and takes it away */
    end_script();
}

static void test_lost_answer_and_ours(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 500 Lost\r\n" EMPTY);
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: %W\r\nContent-Length: 1\r\n\r\n");
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(store_object("x", &writer));
    end_script();
}

static void test_lost_answer_and_another_s(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 500 Lost\r\n" EMPTY);
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: 0000000000000000\r\nContent-Length: 1\r\n\r\n");
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: 0000000000000000\r\nContent-Length: 1\r\n\r\n");
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, store_object("x", &writer));
    plugin->writer_abort(writer, &call); /* looks, and leaves it alone */
    end_script();
}

static void test_lost_request_is_repeated(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 500 Lost\r\n" EMPTY);
    expect("HEAD ", REFUSAL("404 Not Found", "BlobNotFound"));
    expect("PUT ", CREATED);
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(store_object("x", &writer));
    end_script();
}

/* The second attempt finds what the first one stored. */
static void test_late_success_is_ours(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 500 Lost\r\n" EMPTY);
    expect("HEAD ", REFUSAL("404 Not Found", "BlobNotFound"));
    expect("PUT ", REFUSAL("409 Conflict", "BlobAlreadyExists"));
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: %W\r\nContent-Length: 1\r\n\r\n");
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(store_object("x", &writer));
    end_script();
}

static void test_uncertain_commit_is_undone(void)
{
    fhir_writer_t *writer;
    begin_script();
    expect("PUT ", "HTTP/1.1 500 Lost\r\n" EMPTY);
    expect("HEAD ", REFUSAL("403 Forbidden", "AuthenticationFailed"));
    expect("HEAD ", OK_HEAD "x-ms-meta-writer: %W\r\nContent-Length: 1\r\n\r\n");
    expect("DELETE |If-Match: \"0x1\"", "HTTP/1.1 202 Accepted\r\n" EMPTY);
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, store_object("x", &writer));
    plugin->writer_abort(writer, &call);
    end_script();
}

/* Blocks are taken away by an empty list that no reader takes for an object, and that goes at once. */
static void test_aborted_blocks_are_discarded(void)
{
    char *text = apr_pcalloc(pool, 70001);
    fhir_writer_t *writer;
    memset(text, 'x', 70000);
    begin_script();
    expect("PUT |?comp=block&blockid=|Content-Length: 70000", REFUSAL("400 Bad Request", "InvalidBlockId"));
    expect("PUT |?comp=blocklist|If-None-Match: *|x-ms-meta-removed: 1|!x-ms-meta-writer", CREATED);
    expect("DELETE |If-Match: \"0x1\"", "HTTP/1.1 202 Accepted\r\n" EMPTY);
    open_store("put_blob_size", "64K");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, store_object(text, &writer));
    plugin->writer_abort(writer, &call);
    plugin->writer_abort(writer, &call);
    end_script();
}

static void test_damaged_block_is_noticed(void)
{
    char *text = apr_pcalloc(pool, 70001);
    fhir_writer_t *writer;
    memset(text, 'x', 70000);
    begin_script();
    expect("?comp=block&", "HTTP/1.1 201 Created\r\nx-ms-content-crc64: AAAAAAAAAAA=\r\n" EMPTY);
    open_store("put_blob_size", "64K");
    /* The endpoint answers before it has read the body: whichever is seen first, it fails. */
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, store_object(text, &writer));
    end_script();
}

/* ---- reading ---- */

static fhir_error_t *read_all(const char **text, apr_off_t offset, apr_off_t length)
{
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    char buffer[64];
    fhir_error_t *error = NULL;
    apr_size_t got;
    *text = "";
    info.struct_size = sizeof(info);
    FHIR_TRY(plugin->reader_open(&reader, &info, store, LOCATOR, offset, length, &call));
    do {
        got = sizeof(buffer);
        error = plugin->reader_read(reader, buffer, &got, &call);
        *text = error ? *text : apr_pstrcat(pool, *text, apr_pstrmemdup(pool, buffer, got), NULL);
    } while (!error && got);
    plugin->reader_close(reader);
    return error;
}

static void test_broken_read_goes_on(void)
{
    const char *text;
    begin_script();
    endpoint.linger = 50;
    expect("GET |!x-ms-range|!If-Match", OK_HEAD "Content-Length: 10\r\n\r\n0123");
    expect("GET |x-ms-range: bytes=4-9|If-Match: \"0x1\"",
           "HTTP/1.1 206 Partial\r\nETag: \"0x1\"\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n45");
    expect("GET |x-ms-range: bytes=6-9", REFUSAL("503 Busy", "ServerBusy"));
    expect("GET |x-ms-range: bytes=6-9",
           "HTTP/1.1 206 Partial\r\nETag: \"0x1\"\r\nContent-Range: bytes 6-9/10\r\nContent-Length: 4\r\n\r\n6789");
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(read_all(&text, 0, -1));
    CU_ASSERT_STRING_EQUAL(text, "0123456789");
    end_script();
}

static void test_changed_object_is_damage(void)
{
    const char *text;
    begin_script();
    endpoint.linger = 50;
    expect("GET ", OK_HEAD "Content-Length: 10\r\n\r\n0123");
    expect("GET |If-Match", REFUSAL("412 Precondition Failed", "ConditionNotMet"));
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_all(&text, 0, -1));
    end_script();
}

/* What passes If-Match over must not mix the bytes of two objects. */
static void test_two_objects_are_not_mixed(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 206 Partial\r\nETag: \"0x2\"\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\nABCDEF",
        "HTTP/1.1 206 Partial\r\nETag: \"0x1\"\r\nContent-Range: bytes 4-9/20\r\nContent-Length: 6\r\n\r\nABCDEF",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\nABCDEF",
    };
    const char *text;
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        endpoint.linger = 50;
        expect("GET ", OK_HEAD "Content-Length: 10\r\n\r\n0123");
        expect("GET |If-Match: \"0x1\"", answers[i]);
        open_store(NULL, NULL);
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_all(&text, 0, -1));
        CU_ASSERT_STRING_EQUAL(text, "0123");
        end_script();
    }
}

static void test_wrong_ranges_are_refused(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-9223372036854775807/10\r\nContent-Length: 3\r\n\r\n234",
        OK_HEAD "Content-Length: 3\r\n\r\n012",
        "HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\n012",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 1-3/10\r\nContent-Length: 3\r\n\r\n123",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-5/10\r\nContent-Length: 3\r\n\r\n234",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-x/10\r\nContent-Length: 3\r\n\r\n234",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-4/*\r\nContent-Length: 3\r\n\r\n234",
    };
    const char *text;
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("GET |x-ms-range: bytes=2-4", answers[i]);
        open_store(NULL, NULL);
        CU_ASSERT_PTR_NOT_NULL(read_all(&text, 2, 3));
        CU_ASSERT_STRING_EQUAL(text, "");
        end_script();
    }
}

static void test_removed_mark_is_no_object(void)
{
    const char *text;
    begin_script();
    expect("GET ", OK_HEAD "x-ms-meta-removed: 1\r\n" EMPTY);
    open_store(NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, read_all(&text, 0, -1));
    end_script();
}

/* ---- listing ---- */

#define XML(blobs, marker)                                                                                             \
    "HTTP/1.1 200 OK\r\n\r\n<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>" blobs               \
    "</Blobs><NextMarker>" marker "</NextMarker></EnumerationResults>"
#define BLOB(digit, length)                                                                                            \
    "<Blob><Name>" digit "0/00/" digit "0000000000000000000000000000000</Name><Properties><Content-Length>" length     \
    "</Content-Length></Properties></Blob>"

static int entries;
static int committed;

static fhir_error_t *count_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    (void)scratch;
    entries++;
    committed += entry->committed;
    strcat(baton, apr_psprintf(pool, "%c", entry->locator[0]));
    return NULL;
}

static void list_page(const char **next, const char *cursor, int limit, const char *seen)
{
    char locators[64] = "";
    FHIR_ASSERT_OK(plugin->list(next, store, cursor, limit, count_entry, locators, &call));
    CU_ASSERT_STRING_EQUAL(locators, seen);
}

static void test_pages_follow_markers(void)
{
    const char *next;
    begin_script();
    expect("GET /account1/files?restype=container&comp=list&include=uncommittedblobs&maxresults=2 ",
           XML(BLOB("1", "5") BLOB("2", "5"), "2!x/y"));
    expect("&maxresults=2&marker=2%21x%2Fy ", XML("<Blob><Name>foreign</Name></Blob>" BLOB("3", "5"), ""));
    open_store(NULL, NULL);
    list_page(&next, NULL, 2, "12");
    CU_ASSERT_STRING_EQUAL(next, "20/00/20000000000000000000000000000000");
    list_page(&next, next, 2, "3");
    CU_ASSERT_PTR_NULL(next);
    end_script();
}

/* Nobody knows the marker: all names with the cursor's digits, then those after them. */
static void test_cursor_of_another_process(void)
{
    const char *next;
    begin_script();
    expect("maxresults=500&prefix=d0 ", XML(BLOB("d", "5"), ""));
    expect("prefix=d1 ", XML("", ""));
    expect("prefix=d2 ", XML("", ""));
    expect("prefix=d3 ", XML("", ""));
    expect("prefix=d4 ", XML("", ""));
    expect("prefix=d5 ", XML("", ""));
    expect("prefix=d6 ", XML("", ""));
    expect("prefix=d7 ", XML("", ""));
    expect("prefix=d8 ", XML("", ""));
    expect("prefix=d9 ", XML("", ""));
    expect("prefix=da ", XML("", ""));
    expect("prefix=db ", XML("", ""));
    expect("prefix=dc ", XML("", ""));
    expect("prefix=dd ", XML("", ""));
    expect("prefix=de ", XML("", ""));
    expect("prefix=df ", XML("", ""));
    expect("prefix=e ", XML(BLOB("e", "5"), ""));
    expect("prefix=f ", XML(BLOB("f", "5"), ""));
    open_store(NULL, NULL);
    list_page(&next, "d0/00/d0000000000000000000000000000000", 10, "ef");
    CU_ASSERT_PTR_NULL(next);
    end_script();
}

static void test_stale_marker_is_given_up(void)
{
    const char *next;
    begin_script();
    expect("maxresults=1 ", XML(BLOB("e", "5"), "old"));
    expect("marker=old ", REFUSAL("400 Bad Request", "OutOfRangeInput"));
    expect("maxresults=500&prefix=e0 ", XML(BLOB("e", "5") BLOB("f", "5"), ""));
    open_store(NULL, NULL);
    list_page(&next, NULL, 1, "e");
    list_page(&next, next, 1, "f");
    end_script();
}

static void test_empty_entries_are_looked_at(void)
{
    const char *next;
    begin_script();
    entries = 0;
    committed = 0;
    expect("comp=list", XML(BLOB("1", "0") BLOB("2", "0") BLOB("3", "0"), ""));
    expect("HEAD /account1/files/10/", REFUSAL("404 Not Found", "BlobNotFound"));
    expect("HEAD /account1/files/20/", OK_HEAD EMPTY);
    expect("HEAD /account1/files/30/", OK_HEAD "x-ms-meta-removed: 1\r\n" EMPTY);
    open_store(NULL, NULL);
    list_page(&next, NULL, 10, "123");
    CU_ASSERT_EQUAL(entries, 3);
    CU_ASSERT_EQUAL(committed, 1);
    end_script();
}

static void test_malformed_listings(void)
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<a>",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<EnumerationResults/>",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    const char *next;
    char locators[8] = "";
    size_t i;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_script();
        expect("comp=list", answers[i]);
        open_store(NULL, NULL);
        FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, plugin->list(&next, store, NULL, 10, count_entry, locators, &call));
        end_script();
    }
}

/* ---- removing ---- */

static void test_remains_are_removed(void)
{
    int existed = 0;
    begin_script();
    expect("DELETE |x-ms-delete-snapshots: include", REFUSAL("404 Not Found", "BlobNotFound"));
    expect("comp=list|prefix=ab%2Fcd%2F" KEY " ", XML("<Blob><Name>" LOCATOR "</Name><Properties/></Blob>", ""));
    expect("PUT |?comp=blocklist|x-ms-meta-removed", CREATED);
    expect("DELETE |If-Match", "HTTP/1.1 202 Accepted\r\n" EMPTY);
    expect("DELETE ", REFUSAL("404 Not Found", "BlobNotFound"));
    expect("comp=list", XML("", ""));
    expect("DELETE ", REFUSAL("409 Conflict", "BlobImmutableDueToPolicy"));
    open_store(NULL, NULL);
    FHIR_ASSERT_OK(plugin->remove(&existed, store, LOCATOR, &call));
    CU_ASSERT_EQUAL(existed, 1);
    FHIR_ASSERT_OK(plugin->remove(&existed, store, LOCATOR, &call));
    CU_ASSERT_EQUAL(existed, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, plugin->remove(&existed, store, LOCATOR, &call));
    end_script();
}

/* ---- user delegation key ---- */

#define DELEGATION                                                                                                     \
    "HTTP/1.1 200 OK\r\n\r\n<?xml version=\"1.0\"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid"        \
    "</SignedTid><SignedStart>2026-11-21T00:00:00Z</SignedStart><SignedExpiry>2026-11-28T00:00:00Z</SignedExpiry>"     \
    "<SignedService>b</SignedService><SignedVersion>2023-11-03</SignedVersion>"                                        \
    "<Value>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</Value></UserDelegationKey>"

static fhir_error_t *presign(fhir_store_presigned_t *presigned, apr_interval_time_t lifetime, int write)
{
    fhir_store_presign_request_t request = {0};
    request.struct_size = sizeof(request);
    request.locator = LOCATOR;
    request.write = write;
    request.expires = apr_time_now() + lifetime;
    request.content_type = "text/plain";
    memset(presigned, 0, sizeof(*presigned));
    presigned->struct_size = sizeof(*presigned);
    return plugin->presign(presigned, store, &request, &call);
}

static void test_delegation_key_is_kept(void)
{
    fhir_store_presigned_t presigned;
    begin_script();
    expect("GET /token", TOKEN("token-one"));
    expect("POST /account1/?restype=service&comp=userdelegationkey |Bearer token-one", DELEGATION);
    open_token_store();
    FHIR_ASSERT_OK(presign(&presigned, apr_time_from_sec(60), 0));
    CU_ASSERT_PTR_NOT_NULL(strstr(presigned.url, "https://public.example/files/" LOCATOR "?sv=2023-11-03&sr=b&sp=r&"));
    CU_ASSERT_PTR_NOT_NULL(strstr(presigned.url, "&skoid=oid&sktid=tid&skt=2026-11-21T00%3A00%3A00Z"));
    CU_ASSERT_EQUAL(presigned.header_count, 0);
    FHIR_ASSERT_OK(presign(&presigned, apr_time_from_sec(3 * 86400), 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(presigned.url, "&sp=c&"));
    CU_ASSERT_PTR_NULL(strstr(presigned.url, "rsct="));
    CU_ASSERT_EQUAL(presigned.header_count, 2);
    CU_ASSERT_STRING_EQUAL(presigned.headers[0].key, "x-ms-blob-type");
    CU_ASSERT_STRING_EQUAL(presigned.headers[1].value, "text/plain");
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, presign(&presigned, apr_time_from_sec(8 * 86400), 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, presign(&presigned, -1, 0));
    end_script();
}

static void test_useless_delegation_keys(void)
{
    fhir_store_presigned_t presigned;
    begin_script();
    expect("GET /token", TOKEN("token-one"));
    expect("POST ", "HTTP/1.1 200 OK\r\n\r\n<UserDelegationKey><Value>x</Value></UserDelegationKey>");
    expect("POST ", REFUSAL("403 Forbidden", "AuthorizationPermissionMismatch"));
    open_token_store();
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, presign(&presigned, apr_time_from_sec(60), 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, presign(&presigned, apr_time_from_sec(60), 0));
    end_script();
}

static const fhir_unit_test_t tests[] = {
    {"a token is kept", test_token_is_kept},
    {"a refused token is renewed once", test_refused_token_is_renewed_once},
    {"the token endpoint recovers or refuses", test_token_endpoint_recovers_or_refuses},
    {"useless token answers", test_useless_token_answers},
    {"busy is tried again", test_busy_is_tried_again},
    {"codes have meanings", test_codes_have_meanings},
    {"the log says what to do", test_the_log_says_what_to_do},
    {"health says what to do", test_health_says_what_to_do},
    {"Put Blob is conditional", test_put_blob_is_conditional},
    {"an existing object is kept", test_existing_object_is_kept},
    {"an existing object may be ours", test_existing_object_may_be_ours},
    {"lost answer, ours", test_lost_answer_and_ours},
    {"lost answer, another's", test_lost_answer_and_another_s},
    {"a lost request is repeated", test_lost_request_is_repeated},
    {"a late success is ours", test_late_success_is_ours},
    {"an uncertain commit is undone", test_uncertain_commit_is_undone},
    {"aborted blocks are discarded", test_aborted_blocks_are_discarded},
    {"a damaged block is noticed", test_damaged_block_is_noticed},
    {"a broken read goes on", test_broken_read_goes_on},
    {"a changed object is damage", test_changed_object_is_damage},
    {"two objects are not mixed", test_two_objects_are_not_mixed},
    {"wrong ranges are refused", test_wrong_ranges_are_refused},
    {"the removed mark is no object", test_removed_mark_is_no_object},
    {"pages follow markers", test_pages_follow_markers},
    {"cursor of another process", test_cursor_of_another_process},
    {"a stale marker is given up", test_stale_marker_is_given_up},
    {"empty entries are looked at", test_empty_entries_are_looked_at},
    {"malformed listings", test_malformed_listings},
    {"remains are removed", test_remains_are_removed},
    {"a delegation key is kept", test_delegation_key_is_kept},
    {"useless delegation keys", test_useless_delegation_keys},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_faults", tests)
