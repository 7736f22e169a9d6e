/* URLs of the store itself, used by a client that has nothing but them. Where a store gives none, it says so. */
#include "conformance.h"

#include <curl/curl.h>
#include <strings.h>

#define ANSWER_MAX 65536
#define SIZE 3000

typedef struct answer_t {
    long status;
    char body[ANSWER_MAX];
    size_t length;
    char header[ANSWER_MAX]; /* each line ends with \r\n */
    size_t header_length;
} answer_t;

typedef struct sent_t {
    const char *bytes;
    size_t left;
} sent_t;

static size_t keep(char *to, size_t *filled, const char *bytes, size_t length)
{
    size_t room = ANSWER_MAX - 1 - *filled;
    memcpy(to + *filled, bytes, length < room ? length : room);
    *filled += length < room ? length : room;
    to[*filled] = '\0';
    return length;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *baton)
{
    answer_t *answer = baton;
    return keep(answer->body, &answer->length, bytes, size * count);
}

static size_t take_header(char *bytes, size_t size, size_t count, void *baton)
{
    answer_t *answer = baton;
    return keep(answer->header, &answer->header_length, bytes, size * count);
}

static size_t give_body(char *to, size_t size, size_t count, void *baton)
{
    sent_t *sent = baton;
    size_t length = size * count < sent->left ? size * count : sent->left;
    memcpy(to, sent->bytes, length);
    sent->bytes += length;
    sent->left -= length;
    return length;
}

static void set_options(CURL *easy, const char *url, answer_t *answer)
{
    memset(answer, 0, sizeof(*answer));
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
    if (getenv("FHIR_TEST_CA_FILE")) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("FHIR_TEST_CA_FILE"));
    }
}

/* GET, or PUT if there is a body. The status is 0 if no answer came. */
static void http(answer_t *answer, const char *url, const fhir_store_option_t *headers, int header_count,
                 const char *body, size_t length)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *lines = curl_slist_append(NULL, "Expect:");
    sent_t sent = {body, length};
    int i;
    set_options(easy, url, answer);
    if (body) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(easy, CURLOPT_READDATA, &sent);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)length);
    }
    for (i = 0; i < header_count; i++) {
        lines = curl_slist_append(lines, apr_pstrcat(suite.pool, headers[i].key, ": ", headers[i].value, NULL));
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
    if (curl_easy_perform(easy) == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    }
    curl_slist_free_all(lines);
    curl_easy_cleanup(easy);
}

/* 1 if the answer has this header with exactly this value. */
static int has_header(const answer_t *answer, const char *name, const char *value)
{
    const char *line = answer->header;
    size_t length = strlen(name);
    for (; *line; line = strstr(line, "\r\n") + 2) {
        const char *end = strstr(line, "\r\n");
        if (!end) {
            return 0;
        }
        if (!strncasecmp(line, name, length) && line[length] == ':') {
            line += length + 1 + strspn(line + length + 1, " ");
            return (size_t)(end - line) == strlen(value) && !strncmp(line, value, strlen(value));
        }
    }
    return 0;
}

static fhir_error_t *presign(fhir_store_presigned_t *presigned, const char *locator, int put, int seconds)
{
    fhir_store_presign_request_t request = {0};
    fhir_call_t call = core_call(suite.pool);
    request.struct_size = sizeof(request);
    request.locator = locator;
    request.write = put;
    request.expires = apr_time_now() + apr_time_from_sec(seconds);
    request.content_type = "application/pdf";
    request.content_disposition = put ? NULL : "attachment; filename=\"a b.pdf\"; filename*=UTF-8''%C3%BC%20%26b.pdf";
    request.cache_control = put ? NULL : "private, max-age=60";
    return fhir_store_presign(presigned, suite.store, &request, &call);
}

static object_t stored(apr_off_t size)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    fhir_error_t *error = store_pattern(&written, &object, size, 1000, 1, suite.pool);
    CU_ASSERT_PTR_NULL_FATAL(error);
    return object;
}

static int is_refused(const answer_t *answer)
{
    return answer->status >= 400 && answer->status < 500;
}

/* ---- reading ---- */

static void without_capability(void)
{
    object_t object = new_object(suite.pool);
    fhir_store_presigned_t presigned;
    CU_ASSERT_EQUAL(suite.plugin->presign != NULL, (suite.plugin->capabilities & FHIR_STORAGE_CAN_PRESIGN) != 0);
    ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, presign(&presigned, object.locator, 0, 60));
    ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, presign(&presigned, object.locator, 1, 60));
}

static void read_by_url(void)
{
    static answer_t answer;
    const fhir_store_option_t range = {"Range", "bytes=1000-1999"};
    object_t object;
    fhir_store_presigned_t presigned;
    object = stored(SIZE);
    ASSERT_OK(presign(&presigned, object.locator, 0, 60));
    CU_ASSERT_EQUAL_FATAL(presigned.header_count, 0);
    http(&answer, presigned.url, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_EQUAL(answer.length, SIZE);
    CU_ASSERT_TRUE(is_pattern(answer.body, 0, answer.length));
    CU_ASSERT_TRUE(has_header(&answer, "Content-Type", "application/pdf"));
    CU_ASSERT_TRUE(has_header(&answer, "Content-Disposition",
                              "attachment; filename=\"a b.pdf\"; filename*=UTF-8''%C3%BC%20%26b.pdf"));
    CU_ASSERT_TRUE(has_header(&answer, "Cache-Control", "private, max-age=60"));
    http(&answer, presigned.url, &range, 1, NULL, 0);
    CU_ASSERT_EQUAL(answer.status, 206);
    CU_ASSERT_EQUAL(answer.length, 1000);
    CU_ASSERT_TRUE(is_pattern(answer.body, 1000, answer.length));
}

/* What larger objects are sent with must not show at those who read them: browsers do not know "aws-chunked". */
static void larger_object_by_url(void)
{
    static answer_t answer;
    fhir_store_presigned_t presigned;
    object_t object = stored(300000);
    ASSERT_OK(presign(&presigned, object.locator, 0, 60));
    http(&answer, presigned.url, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_TRUE(has_header(&answer, "Content-Length", "300000"));
    CU_ASSERT_PTR_NULL(strcasestr(answer.header, "\r\nContent-Encoding:"));
    CU_ASSERT_PTR_NULL(strcasestr(answer.header, "aws-chunked"));
}

static void missing_object_by_url(void)
{
    static answer_t answer;
    fhir_store_presigned_t presigned;
    object_t object;
    object = new_object(suite.pool);
    ASSERT_OK(presign(&presigned, object.locator, 0, 60));
    http(&answer, presigned.url, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(answer.status, 404);
}

/* Stores count whole seconds, some of them from when they got the request. */
static void expired(void)
{
    static answer_t answer;
    fhir_store_presigned_t read;
    fhir_store_presigned_t put;
    object_t object;
    object_t other;
    object = stored(SIZE);
    other = new_object(suite.pool);
    ASSERT_OK(presign(&read, object.locator, 0, 2));
    ASSERT_OK(presign(&put, other.locator, 1, 2));
    http(&answer, read.url, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(answer.status, 200);
    apr_sleep(apr_time_from_msec(3500));
    http(&answer, read.url, NULL, 0, NULL, 0);
    CU_ASSERT_TRUE(is_refused(&answer));
    http(&answer, put.url, put.headers, put.header_count, "late", 4);
    CU_ASSERT_TRUE(is_refused(&answer));
    CU_ASSERT_FALSE(visible(&other, suite.pool));
}

/* The URL with another object's key in place of the one that it was made for. */
static const char *for_another_key(const char *url, const object_t *from, const object_t *to)
{
    char *changed = apr_pstrdup(suite.pool, url);
    char *place = strstr(changed, from->locator);
    if (!place || strlen(from->locator) != strlen(to->locator)) {
        return NULL;
    }
    memcpy(place, to->locator, strlen(to->locator));
    return changed;
}

static void another_key(void)
{
    static answer_t answer;
    fhir_store_presigned_t read;
    fhir_store_presigned_t put;
    object_t object;
    object_t other;
    object_t absent;
    const char *url;
    object = stored(SIZE);
    other = stored(SIZE);
    absent = new_object(suite.pool);
    ASSERT_OK(presign(&read, object.locator, 0, 60));
    ASSERT_OK(presign(&put, object.locator, 1, 60));
    url = for_another_key(read.url, &object, &other);
    CU_ASSERT_PTR_NOT_NULL_FATAL(url);
    http(&answer, url, NULL, 0, NULL, 0);
    CU_ASSERT_TRUE(is_refused(&answer));
    url = for_another_key(put.url, &object, &absent);
    CU_ASSERT_PTR_NOT_NULL_FATAL(url);
    http(&answer, url, put.headers, put.header_count, "x", 1);
    CU_ASSERT_TRUE(is_refused(&answer));
    CU_ASSERT_FALSE(visible(&absent, suite.pool));
}

static void only_what_it_is_for(void)
{
    static answer_t answer;
    fhir_store_presigned_t read;
    fhir_store_presigned_t put;
    object_t object;
    object_t absent;
    int correct;
    object = stored(SIZE);
    absent = new_object(suite.pool);
    ASSERT_OK(presign(&read, absent.locator, 0, 60));
    ASSERT_OK(presign(&put, object.locator, 1, 60));
    http(&answer, put.url, NULL, 0, NULL, 0);
    CU_ASSERT_TRUE(is_refused(&answer));
    http(&answer, put.url, put.headers, put.header_count, NULL, 0);
    CU_ASSERT_TRUE(is_refused(&answer));
    http(&answer, read.url, put.headers, put.header_count, "x", 1);
    CU_ASSERT_TRUE(is_refused(&answer));
    CU_ASSERT_FALSE(visible(&absent, suite.pool));
    ASSERT_OK(check_pattern(&correct, &object, SIZE, 0, -1, 1000, suite.pool));
    CU_ASSERT_TRUE(correct);
}

/* ---- writing ---- */

static void write_once_by_url(void)
{
    static answer_t answer;
    static char bytes[SIZE];
    fhir_store_presigned_t presigned;
    object_t object;
    int correct;
    int round;
    object = new_object(suite.pool);
    fill_pattern(bytes, 0, sizeof(bytes));
    ASSERT_OK(presign(&presigned, object.locator, 1, 60));
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    http(&answer, presigned.url, presigned.headers, presigned.header_count, bytes, sizeof(bytes));
    CU_ASSERT_TRUE(answer.status == 200 || answer.status == 201);
    ASSERT_OK(check_pattern(&correct, &object, SIZE, 0, -1, 1000, suite.pool));
    CU_ASSERT_TRUE(correct);
    /* By the same URL and by a new one. */
    for (round = 0; round < 2; round++) {
        http(&answer, presigned.url, presigned.headers, presigned.header_count, "something else", 14);
        CU_ASSERT_TRUE(is_refused(&answer));
        ASSERT_OK(check_pattern(&correct, &object, SIZE, 0, -1, 1000, suite.pool));
        CU_ASSERT_TRUE(correct);
        ASSERT_OK(presign(&presigned, object.locator, 1, 60));
    }
}

static void empty_object_by_url(void)
{
    static answer_t answer;
    fhir_store_presigned_t presigned;
    fhir_object_info_t info;
    fhir_call_t call = core_call(suite.pool);
    object_t object;
    object = new_object(suite.pool);
    ASSERT_OK(presign(&presigned, object.locator, 1, 60));
    http(&answer, presigned.url, presigned.headers, presigned.header_count, "", 0);
    CU_ASSERT_TRUE(answer.status == 200 || answer.status == 201);
    ASSERT_OK(fhir_object_stat(&info, suite.store, object.locator, &call));
    CU_ASSERT_EQUAL(info.length, 0);
}

/* Each header that the store asks for is really needed: it is what makes the upload safe. A content type that the store
 * does not bind to the URL is not one of them. */
static void required_headers(void)
{
    static answer_t answer;
    fhir_store_presigned_t presigned;
    fhir_store_option_t some[16];
    object_t object;
    int left_out;
    int i;
    object = new_object(suite.pool);
    ASSERT_OK(presign(&presigned, object.locator, 1, 60));
    CU_ASSERT_FATAL(presigned.header_count >= 1 && presigned.header_count <= 16);
    for (left_out = 0; left_out < presigned.header_count; left_out++) {
        int count = 0;
        for (i = 0; i < presigned.header_count; i++) {
            if (i != left_out) {
                some[count++] = presigned.headers[i];
            }
        }
        if (strcasecmp(presigned.headers[left_out].key, "content-type")) {
            http(&answer, presigned.url, some, count, "x", 1);
            CU_ASSERT_TRUE(is_refused(&answer));
            CU_ASSERT_FALSE(visible(&object, suite.pool));
        }
    }
    http(&answer, presigned.url, presigned.headers, presigned.header_count, "x", 1);
    CU_ASSERT_TRUE(answer.status == 200 || answer.status == 201);
}

/* A writer of ours meets what a client has put there, and leaves it alone. */
static void writer_after_url(void)
{
    static answer_t answer;
    fhir_store_presigned_t presigned;
    fhir_written_t written;
    object_t object;
    fhir_error_t *error;
    int correct;
    static char bytes[SIZE];
    object = new_object(suite.pool);
    fill_pattern(bytes, 0, sizeof(bytes));
    ASSERT_OK(presign(&presigned, object.locator, 1, 60));
    http(&answer, presigned.url, presigned.headers, presigned.header_count, bytes, sizeof(bytes));
    CU_ASSERT_TRUE(answer.status == 200 || answer.status == 201);
    error = store_pattern(&written, &object, 10, 10, 1, suite.pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_EXISTS);
    ASSERT_OK(check_pattern(&correct, &object, SIZE, 0, -1, 1000, suite.pool));
    CU_ASSERT_TRUE(correct);
}

static void no_locator_of_ours(void)
{
    static const char *const locators[] = {"", "/", "../x", "ab/cd/xyz", "ab/cd/../../x", "x?y=1", "x#y"};
    fhir_store_presigned_t presigned;
    size_t i;
    for (i = 0; i < sizeof(locators) / sizeof(locators[0]); i++) {
        fhir_error_t *error = presign(&presigned, locators[i], i % 2 ? 1 : 0, 60);
        CU_ASSERT_PTR_NOT_NULL(error);
    }
}

const case_t no_presign_cases[] = {
    {"no URL where none can be given", without_capability},
    {NULL, NULL},
};

const case_t presign_cases[] = {
    {"read by URL", read_by_url},
    {"larger object by URL", larger_object_by_url},
    {"missing object by URL", missing_object_by_url},
    {"expired URL", expired},
    {"URL for another key", another_key},
    {"URL only for what it is for", only_what_it_is_for},
    {"write once by URL", write_once_by_url},
    {"empty object by URL", empty_object_by_url},
    {"required headers", required_headers},
    {"writer after URL", writer_after_url},
    {"no locator of ours", no_locator_of_ours},
    {NULL, NULL},
};
