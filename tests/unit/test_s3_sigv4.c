/* The signer of the s3 plugin: values that AWS published, and what it must not sign. */
#include "storage-plugins/s3/sigv4.h"
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define BUCKET_HOST "examplebucket.s3.amazonaws.com"

/* Written in two pieces, so that nobody takes it for a key that leaked. */
static const char s3_key_id[] = "AKIA"
                                "IOSFODNN7EXAMPLE";

static s3_signer_t s3_signer(void)
{
    s3_signer_t signer = {{s3_key_id, S3_SECRET, NULL, 0}, "us-east-1", "s3", apr_time_from_sec(1369353600)};
    return signer;
}

static s3_signer_t suite_signer(void)
{
    s3_signer_t signer = {
        {"AKIDEXAMPLE", SUITE_SECRET, NULL, 0}, "us-east-1", "service", apr_time_from_sec(1440938160)};
    return signer;
}

static s3_request_t request_of(const char *method, const char *host, const char *path, const char *payload)
{
    s3_request_t request = {method, "https", host, path, NULL, NULL, payload};
    request.parameters = apr_array_make(pool, 4, sizeof(s3_parameter_t));
    request.headers = apr_array_make(pool, 4, sizeof(fhir_http_header_t));
    return request;
}

static void add_parameter(s3_request_t *request, const char *name, const char *value)
{
    s3_parameter_t *parameter = apr_array_push(request->parameters);
    parameter->name = name;
    parameter->value = value;
}

static void add_header(s3_request_t *request, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(request->headers);
    header->name = name;
    header->value = value;
}

static const char *header_of(const s3_request_t *request, const char *name)
{
    const char *value = NULL;
    int i;
    for (i = 0; i < request->headers->nelts; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(request->headers, i, fhir_http_header_t);
        if (!strcmp(header->name, name)) {
            CU_ASSERT_PTR_NULL(value); /* once only */
            value = header->value;
        }
    }
    return value ? value : "";
}

static const char *sha256_of(const char *text)
{
    char *hex = apr_palloc(pool, S3_SHA256_HEX_LENGTH + 1);
    s3_sha256_hex(hex, text, strlen(text));
    return hex;
}

/* ---- the examples of the S3 API reference ---- */

static void signs_as(s3_request_t *request, const char *signed_names, const char *expected)
{
    s3_signer_t signer = s3_signer();
    const char *signature = NULL;
    FHIR_ASSERT_OK(s3_sign_headers(&signature, request, &signer, pool));
    CU_ASSERT_STRING_EQUAL(signature ? signature : "", expected);
    CU_ASSERT_STRING_EQUAL(header_of(request, "Authorization"),
                           apr_pstrcat(pool, "AWS4-HMAC-SHA256 Credential=", s3_key_id,
                                       "/20130524/us-east-1/s3/aws4_request, SignedHeaders=", signed_names,
                                       ", Signature=", expected, NULL));
    CU_ASSERT_STRING_EQUAL(header_of(request, "x-amz-date"), "20130524T000000Z");
    CU_ASSERT_STRING_EQUAL(header_of(request, "x-amz-content-sha256"), request->payload_sha256);
}

static void test_get_object(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/test.txt", EMPTY_SHA256);
    add_header(&request, "Range", "bytes=0-9");
    signs_as(&request, "host;range;x-amz-content-sha256;x-amz-date",
             "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    CU_ASSERT_STRING_EQUAL(s3_request_url(&request, pool), "https://" BUCKET_HOST "/test.txt");
}

static void test_put_object(void)
{
    s3_request_t request = request_of("PUT", BUCKET_HOST, "/test$file.text", sha256_of("Welcome to Amazon S3."));
    add_header(&request, "Date", "Fri, 24 May 2013 00:00:00 GMT");
    add_header(&request, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    signs_as(&request, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
             "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    CU_ASSERT_STRING_EQUAL(s3_request_url(&request, pool), "https://" BUCKET_HOST "/test%24file.text");
}

static void test_get_lifecycle(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/", EMPTY_SHA256);
    add_parameter(&request, "lifecycle", NULL);
    signs_as(&request, "host;x-amz-content-sha256;x-amz-date",
             "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    CU_ASSERT_STRING_EQUAL(s3_request_url(&request, pool), "https://" BUCKET_HOST "/?lifecycle=");
}

static void test_list_objects(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/", EMPTY_SHA256);
    add_parameter(&request, "prefix", "J");
    add_parameter(&request, "max-keys", "2");
    signs_as(&request, "host;x-amz-content-sha256;x-amz-date",
             "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    CU_ASSERT_STRING_EQUAL(s3_request_url(&request, pool), "https://" BUCKET_HOST "/?max-keys=2&prefix=J");
}

static void test_presigned_get(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/test.txt", NULL);
    s3_signer_t signer = s3_signer();
    const char *url = "";
    FHIR_ASSERT_OK(s3_presign_url(&url, &request, &signer, 86400, pool));
    CU_ASSERT_STRING_EQUAL(
        url, apr_pstrcat(
                 pool, "https://" BUCKET_HOST "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=", s3_key_id,
                 "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
                 "&X-Amz-SignedHeaders=host&X-Amz-Signature="
                 "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
                 NULL));
    CU_ASSERT_EQUAL(request.parameters->nelts, 0); /* the caller's request stays as it was */
}

/* ---- chunks ---- */

static void chunk_is(s3_chunk_signer_t *chunks, const char *data, apr_size_t length, const char *expected)
{
    char header[S3_CHUNK_HEADER_MAX];
    apr_size_t written = s3_chunk_header(header, chunks, data, length);
    CU_ASSERT_STRING_EQUAL(header, expected);
    CU_ASSERT_EQUAL(written, strlen(expected));
}

static void test_chunks(void)
{
    s3_request_t request =
        request_of("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt", S3_STREAMING_PAYLOAD);
    s3_signer_t signer = s3_signer();
    s3_chunk_signer_t chunks;
    const char *seed = NULL;
    char *data = apr_palloc(pool, 65536);
    memset(data, 'a', 65536);
    add_header(&request, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    add_header(&request, "Content-Encoding", "aws-chunked");
    add_header(&request, "x-amz-decoded-content-length", "66560");
    add_header(&request, "Content-Length", "66824");
    FHIR_ASSERT_OK(s3_sign_headers(&seed, &request, &signer, pool));
    CU_ASSERT_STRING_EQUAL(seed, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    FHIR_ASSERT_OK(s3_chunk_signer_init(&chunks, &signer, seed, pool));
    chunk_is(&chunks, data, 65536,
             "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    chunk_is(&chunks, data, 1024,
             "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    chunk_is(&chunks, NULL, 0,
             "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n");
    CU_ASSERT_EQUAL(s3_chunked_length(66560, 65536), 66824);
}

/* The announced length is what the frames really have. */
static void test_chunked_length(void)
{
    static const apr_off_t lengths[] = {0, 1, 15, 16, 17, 4095, 4096, 4097, 8191, 8192, 8193, 65536, 100000};
    static const apr_size_t sizes[] = {1, 15, 16, 4096, 8192, 65536, 1048576};
    s3_signer_t signer = s3_signer();
    s3_chunk_signer_t chunks;
    char *data = apr_pcalloc(pool, 100000);
    char header[S3_CHUNK_HEADER_MAX];
    apr_size_t i, j;
    FHIR_ASSERT_OK(s3_chunk_signer_init(&chunks, &signer, EMPTY_SHA256, pool));
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            apr_off_t left = lengths[i] > 5000 && sizes[j] < 4096 ? 5000 : lengths[i];
            apr_off_t announced = s3_chunked_length(left, sizes[j]);
            apr_off_t sent = 0;
            apr_size_t part;
            do {
                part = left < (apr_off_t)sizes[j] ? (apr_size_t)left : sizes[j];
                sent += (apr_off_t)(s3_chunk_header(header, &chunks, data, part) + part + 2);
                left -= (apr_off_t)part;
            } while (part);
            CU_ASSERT_EQUAL(sent, announced);
        }
    }
    CU_ASSERT_EQUAL(s3_chunked_length(APR_INT64_C(5497558138880), 65536),
                    APR_INT64_C(5497558138880) + APR_INT64_C(83886080) * 90 + 86);
}

/* ---- the cases of the aws-sig-v4-test-suite that apply to S3 ---- */

typedef struct suite_case_t {
    const char *name;
    const char *method;
    const char *path;
    const char *parameters[5]; /* names and values */
    const char *headers[9];
    const char *payload;
    const char *signature;
} suite_case_t;

#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static const suite_case_t suite[] = {
    {"get-vanilla", "GET", "/", {NULL}, {NULL}, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     {"Param2", "value2", "Param1", "value1"},
     {NULL},
     "",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     {"Param1", "value1"},
     {NULL},
     "",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     {UNRESERVED, UNRESERVED},
     {NULL},
     "",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     {"\xe1\x88\xb4", "bar"},
     {NULL},
     "",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-unreserved",
     "GET",
     "/" UNRESERVED,
     {NULL},
     {NULL},
     "",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     "GET",
     "/\xe1\x88\xb4",
     {NULL},
     {NULL},
     "",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-space",
     "GET",
     "/example space/",
     {NULL},
     {NULL},
     "",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {"get-header-value-trim",
     "GET",
     "/",
     {NULL},
     {"My-Header1", " value1", "My-Header2", " \"a   b   c\""},
     "",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-header-key-duplicate",
     "GET",
     "/",
     {NULL},
     {"My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"},
     "",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-header-value-order",
     "GET",
     "/",
     {NULL},
     {"My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"},
     "",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"post-vanilla",
     "POST",
     "/",
     {NULL},
     {NULL},
     "",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-header-key-sort",
     "POST",
     "/",
     {NULL},
     {"My-Header1", "value1"},
     "",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     {NULL},
     {"Content-Type", "application/x-www-form-urlencoded"},
     "Param1=value1",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

/* Those cases have no x-amz-content-sha256, so the last step is made here. */
static const char *suite_signature(const suite_case_t *one)
{
    s3_request_t request = request_of(one->method, "example.amazonaws.com", one->path, sha256_of(one->payload));
    s3_signer_t signer = suite_signer();
    s3_chunk_signer_t key;
    const char *text;
    unsigned char mac[32] = {0};
    char *hex = apr_palloc(pool, S3_SHA256_HEX_LENGTH + 1);
    int i;
    for (i = 0; one->parameters[i]; i += 2) {
        add_parameter(&request, one->parameters[i], one->parameters[i + 1]);
    }
    for (i = 0; one->headers[i]; i += 2) {
        add_header(&request, one->headers[i], one->headers[i + 1]);
    }
    add_header(&request, "X-Amz-Date", "20150830T123600Z");
    text = s3_string_to_sign(&request, &signer, pool);
    FHIR_ASSERT_OK(s3_chunk_signer_init(&key, &signer, "", pool));
    HMAC(EVP_sha256(), key.key, sizeof(key.key), (const unsigned char *)text, strlen(text), mac, NULL);
    for (i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    }
    return hex;
}

static void test_suite(void)
{
    apr_size_t i;
    for (i = 0; i < sizeof(suite) / sizeof(suite[0]); i++) {
        const char *signature = suite_signature(&suite[i]);
        if (strcmp(signature, suite[i].signature)) {
            printf("%s: %s\n", suite[i].name, signature);
        }
        CU_ASSERT_STRING_EQUAL(signature, suite[i].signature);
    }
}

/* post-sts-header-before of that suite: the token is a signed header. */
static void test_session_token(void)
{
    static const char token[] =
        "AQoDYXdzEPT//////////"
        "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuw"
        "thAx7mSEI/qkPpKPi/"
        "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNV"
        "XAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/"
        "oLxBA"
        "==";
    static const suite_case_t sts = {"post-sts-header-before",
                                     "POST",
                                     "/",
                                     {NULL},
                                     {"X-Amz-Security-Token", token},
                                     "",
                                     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"};
    s3_request_t request = request_of("GET", BUCKET_HOST, "/test.txt", EMPTY_SHA256);
    s3_signer_t signer = s3_signer();
    const char *url = "";
    CU_ASSERT_STRING_EQUAL(suite_signature(&sts), sts.signature);
    signer.credentials.session_token = "a/b+c=";
    FHIR_ASSERT_OK(s3_sign_headers(NULL, &request, &signer, pool));
    CU_ASSERT_STRING_EQUAL(header_of(&request, "x-amz-security-token"), "a/b+c=");
    CU_ASSERT_PTR_NOT_NULL(strstr(header_of(&request, "Authorization"),
                                  "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
    request.headers = NULL;
    FHIR_ASSERT_OK(s3_presign_url(&url, &request, &signer, 1, pool));
    CU_ASSERT_PTR_NOT_NULL(strstr(url, "&X-Amz-Security-Token=a%2Fb%2Bc%3D&X-Amz-SignedHeaders=host&X-Amz-Signature="));
}

/* ---- the rules that those examples do not show ---- */

static void test_canonical_request(void)
{
    s3_request_t request = request_of("GET", "h:8080", "/b//../a b/./%2F+~\xc3\xa4", S3_UNSIGNED_PAYLOAD);
    const char *expected = "GET\n/b//../a%20b/./%252F%2B~%C3%A4\n"
                           "a=&a=%20x&a=1&a-b=%2F&a1=2&uploads=\n"
                           "a:1\na-b:x y\nhost:h:8080\nx-amz-meta-empty:\nx-z:c,a,b\n\n"
                           "a;a-b;host;x-amz-meta-empty;x-z\nUNSIGNED-PAYLOAD";
    add_parameter(&request, "uploads", NULL);
    add_parameter(&request, "a1", "2");
    add_parameter(&request, "a-b", "/");
    add_parameter(&request, "a", "1");
    add_parameter(&request, "a", " x");
    add_parameter(&request, "a", "");
    add_header(&request, "X-Z", "c");
    add_header(&request, "A-B", "  x    y  ");
    add_header(&request, "x-amz-meta-empty", "   ");
    add_header(&request, "x-z", "a");
    add_header(&request, "A", "1");
    add_header(&request, "x-Z", " b");
    CU_ASSERT_STRING_EQUAL(s3_canonical_request(&request, pool), expected);
    CU_ASSERT_STRING_EQUAL(s3_request_url(&request, pool),
                           "https://h:8080/b//../a%20b/./%252F%2B~%C3%A4?a=&a=%20x&a=1&a-b=%2F&a1=2&uploads=");
    request.parameters = NULL;
    request.headers = NULL;
    CU_ASSERT_STRING_EQUAL(s3_canonical_request(&request, pool),
                           "GET\n/b//../a%20b/./%252F%2B~%C3%A4\n\nhost:h:8080\n\nhost\nUNSIGNED-PAYLOAD");
}

/* A request is signed anew when it is sent anew: the old signature is not signed. */
static void test_signed_twice(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/test.txt", EMPTY_SHA256);
    s3_signer_t later = s3_signer();
    const char *expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    later.now += apr_time_from_sec(86400);
    later.credentials.session_token = "token";
    add_header(&request, "Range", "bytes=0-9");
    FHIR_ASSERT_OK(s3_sign_headers(NULL, &request, &later, pool));
    CU_ASSERT_EQUAL(request.headers->nelts, 5);
    signs_as(&request, "host;range;x-amz-content-sha256;x-amz-date", expected);
    CU_ASSERT_EQUAL(request.headers->nelts, 4);
}

static void refuses(const s3_request_t *request, const s3_signer_t *signer)
{
    s3_request_t copy = *request;
    const char *url = NULL;
    fhir_error_t *error = s3_sign_headers(NULL, &copy, signer, pool);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT(!error || !strstr(error->detail, "hush"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_presign_url(&url, request, signer, 60, pool));
    CU_ASSERT_PTR_NULL(url);
}

static char *long_text(apr_size_t length)
{
    char *text = apr_palloc(pool, length + 1);
    memset(text, 'a', length);
    text[0] = '/';
    text[length] = '\0';
    return text;
}

static void test_refused_requests(void)
{
    static const char *const bad_hosts[] = {"", "a b", "a/b", "a\r\nb", "u@h", "\xc3\xa4"};
    static const char *const bad_headers[][2] = {{"", "x"},          {"a b", "x"},     {"a:", "x"}, {"a;b", "x"},
                                                 {"a", "b\r\nc: d"}, {"a", "b\nc"},    {"a", NULL}, {"Host", "x"},
                                                 {"a", "tab\tbed"},  {"a", "del\x7f"}, {"a\n", ""}};
    s3_request_t good = request_of("GET", BUCKET_HOST, "/x", EMPTY_SHA256);
    s3_signer_t signer = s3_signer();
    s3_request_t bad = good;
    size_t i;
    for (i = 0; i < sizeof(bad_hosts) / sizeof(bad_hosts[0]); i++) {
        bad.host = bad_hosts[i];
        refuses(&bad, &signer);
    }
    for (i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++) {
        bad = request_of("GET", BUCKET_HOST, "/x", EMPTY_SHA256);
        add_header(&bad, bad_headers[i][0], bad_headers[i][1]);
        refuses(&bad, &signer);
    }
    bad = good;
    bad.path = "x";
    refuses(&bad, &signer);
    bad.path = long_text(4097);
    refuses(&bad, &signer);
    bad.path = long_text(4096);
    FHIR_ASSERT_OK(s3_sign_headers(NULL, &bad, &signer, pool));
    bad = good;
    bad.method = "GET /";
    refuses(&bad, &signer);
    bad = good;
    add_parameter(&bad, "", "x");
    refuses(&bad, &signer);
}

static void test_refused_payloads(void)
{
    static const char *const payloads[] = {"", "UNSIGNED", EMPTY_SHA256 "0",
                                           "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", NULL};
    s3_request_t request = request_of("GET", BUCKET_HOST, "/x", EMPTY_SHA256);
    s3_signer_t signer = s3_signer();
    size_t i;
    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        request.payload_sha256 = payloads[i];
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_sign_headers(NULL, &request, &signer, pool));
    }
}

static void test_refused_signers(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/x", EMPTY_SHA256);
    const s3_signer_t good = s3_signer();
    s3_signer_t bad = good;
    bad.credentials.access_key_id = "a/b";
    refuses(&request, &bad);
    bad.credentials.access_key_id = NULL;
    refuses(&request, &bad);
    bad = good;
    bad.credentials.secret_access_key = "";
    refuses(&request, &bad);
    bad.credentials.secret_access_key = "hush\nhush";
    refuses(&request, &bad);
    bad = good;
    bad.credentials.session_token = "hush\r\nx: y";
    refuses(&request, &bad);
    bad = good;
    bad.region = "a/b";
    refuses(&request, &bad);
    bad.region = NULL;
    refuses(&request, &bad);
    bad = good;
    bad.now = -1;
    refuses(&request, &bad);
}

static void test_refused_urls(void)
{
    s3_request_t request = request_of("GET", BUCKET_HOST, "/x", NULL);
    s3_signer_t signer = s3_signer();
    const char *url;
    FHIR_ASSERT_OK(s3_presign_url(&url, &request, &signer, 604800, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_presign_url(&url, &request, &signer, 604801, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_presign_url(&url, &request, &signer, 0, pool));
    add_parameter(&request, "x-amz-expires", "1");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_presign_url(&url, &request, &signer, 60, pool));
}

static const fhir_unit_test_t tests[] = {{"GET of an object", test_get_object},
                                         {"PUT of an object", test_put_object},
                                         {"GET of a bucket's lifecycle", test_get_lifecycle},
                                         {"a list of objects", test_list_objects},
                                         {"signed URL", test_presigned_get},
                                         {"signed chunks", test_chunks},
                                         {"length of signed chunks", test_chunked_length},
                                         {"test suite of AWS", test_suite},
                                         {"session token", test_session_token},
                                         {"canonical request", test_canonical_request},
                                         {"signed twice", test_signed_twice},
                                         {"refused requests", test_refused_requests},
                                         {"refused payloads", test_refused_payloads},
                                         {"refused signers", test_refused_signers},
                                         {"refused URLs", test_refused_urls},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("s3_sigv4", tests)
