/* Options of the s3 plugin: what is kept, and the sentence for each mistake. */
#include "storage-plugins/s3/s3.h"
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#define MEBIBYTE ((apr_off_t)1024 * 1024)
#define HEX_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define BASE64_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_MD5 "tP/LI3N87DFaSk0aoqYgzg=="

static fhir_store_config_t *config;

static apr_status_t remove_file(void *path)
{
    unlink(path);
    return APR_SUCCESS;
}

/* A file that lives as long as the test's pool. */
static const char *file_with(const void *content, size_t length, mode_t mode)
{
    char *path = apr_pstrdup(pool, "/tmp/fhir-test-s3-XXXXXX");
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0 && write(file, content, length) == (ssize_t)length);
    fchmod(file, mode);
    close(file);
    apr_pool_cleanup_register(pool, path, remove_file, apr_pool_cleanup_null);
    return path;
}

static const char *keys_file(void)
{
    static const char keys[] = "[default]\naws_access_key_id = KEYONE\naws_secret_access_key = secret\n";
    return file_with(keys, sizeof(keys) - 1, 0600);
}

/* "key=value" ..., separated by spaces; the keys' file and, unless it is there, a bucket are added. */
static fhir_error_t *configure(const char *text)
{
    fhir_store_option_t options[32];
    char *copy = apr_pstrdup(pool, text);
    char *save = NULL;
    char *word;
    int count = 0;
    for (word = strtok_r(copy, " ", &save); word && count < 30; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        options[count].key = word;
        options[count++].value = equals + 1;
    }
    if (!strstr(text, "bucket=")) {
        options[count].key = "bucket";
        options[count++].value = "files";
    }
    options[count].key = "credentials_file";
    options[count++].value = keys_file();
    return s3_configure(&config, options, count, pool);
}

static void test_defaults(void)
{
    FHIR_ASSERT_OK(configure(""));
    CU_ASSERT_STRING_EQUAL(config->endpoint.scheme, "https");
    CU_ASSERT_STRING_EQUAL(config->endpoint.host, "files.s3.us-east-1.amazonaws.com");
    CU_ASSERT_STRING_EQUAL(config->public_endpoint.host, "files.s3.us-east-1.amazonaws.com");
    CU_ASSERT_STRING_EQUAL(config->base_path, "/");
    CU_ASSERT_STRING_EQUAL(config->prefix, "");
    CU_ASSERT_EQUAL(config->part_size, 16 * MEBIBYTE);
    CU_ASSERT_EQUAL(config->multipart_threshold, 1024 * MEBIBYTE);
    CU_ASSERT_EQUAL(config->parallel_parts, 2);
    CU_ASSERT_EQUAL(config->sign_payload, 0);
    CU_ASSERT_EQUAL(config->if_none_match, 1);
    CU_ASSERT_EQUAL(config->encryption, S3_ENCRYPTION_NONE);
    CU_ASSERT_EQUAL(config->connect_timeout, apr_time_from_sec(5));
    CU_ASSERT_EQUAL(config->stall_timeout, apr_time_from_sec(30));
    CU_ASSERT_PTR_NULL(config->storage_class);
}

static void test_everything_else(void)
{
    FHIR_ASSERT_OK(configure("endpoint=http://10.1.2.3:9000/ public_endpoint=https://files.example region=eu-central-1 "
                             "prefix=fhir/binary/ storage_class=STANDARD_IA part_size=65M parallel_parts=8 "
                             "if_none_match=off spool_directory=/tmp connect_timeout=500ms stall_timeout=1min "
                             "request_timeout=5s connections=7 encryption=sse-kms kms_key_id=alias/x"));
    CU_ASSERT_STRING_EQUAL(config->endpoint.host, "10.1.2.3:9000");
    CU_ASSERT_STRING_EQUAL(config->endpoint.scheme, "http");
    CU_ASSERT_STRING_EQUAL(config->public_endpoint.host, "files.example");
    CU_ASSERT_STRING_EQUAL(config->public_endpoint.scheme, "https");
    CU_ASSERT_STRING_EQUAL(config->base_path, "/files/");
    CU_ASSERT_STRING_EQUAL(config->prefix, "fhir/binary/");
    CU_ASSERT_EQUAL(config->sign_payload, 1);
    CU_ASSERT_EQUAL(config->part_size, 65 * MEBIBYTE);
    CU_ASSERT_EQUAL(config->multipart_threshold, 65 * MEBIBYTE);
    CU_ASSERT_EQUAL(config->parallel_parts, 8);
    CU_ASSERT_EQUAL(config->if_none_match, 0);
    CU_ASSERT_EQUAL(config->connect_timeout, apr_time_from_msec(500));
    CU_ASSERT_EQUAL(config->stall_timeout, apr_time_from_sec(60));
    CU_ASSERT_EQUAL(config->connections, 7);
    CU_ASSERT_EQUAL(config->encryption, S3_ENCRYPTION_SSE_KMS);
    CU_ASSERT_STRING_EQUAL(config->kms_key_id, "alias/x");
}

/* Parts end where blocks end. */
static void test_part_size_in_blocks(void)
{
    FHIR_ASSERT_OK(configure("part_size=6000000"));
    CU_ASSERT_EQUAL(config->part_size % (apr_off_t)S3_BLOCK, 0);
    CU_ASSERT(config->part_size >= 5 * MEBIBYTE && config->part_size <= 6000000);
    FHIR_ASSERT_OK(configure("part_size=16M multipart_threshold=100M"));
    CU_ASSERT_EQUAL(config->part_size, 16 * MEBIBYTE);
    CU_ASSERT_EQUAL(config->multipart_threshold, 100 * MEBIBYTE);
}

static void test_endpoints(void)
{
    static const struct {
        const char *options;
        const char *host;
        const char *base_path;
    } cases[] = {
        {"endpoint=https://s3.example:443", "s3.example", "/files/"},
        {"endpoint=https://s3.example:80", "s3.example:80", "/files/"},
        {"endpoint=http://s3.example:80", "s3.example", "/files/"},
        {"endpoint=HTTP://s3.example", "s3.example", "/files/"},
        {"endpoint=http://[::1]:9000", "[::1]:9000", "/files/"},
        {"endpoint=http://[::1]", "[::1]", "/files/"},
        {"endpoint=http://localhost:9000 addressing=virtual", "files.localhost:9000", "/"},
        {"endpoint=https://s3.eu-central-1.amazonaws.com", "files.s3.eu-central-1.amazonaws.com", "/"},
        {"endpoint=https://s3.amazonaws.com addressing=path", "s3.amazonaws.com", "/files/"},
        {"region=eu-west-3 bucket=a.b.c", "s3.eu-west-3.amazonaws.com", "/a.b.c/"},
        {"region=cn-north-1", "files.s3.cn-north-1.amazonaws.com.cn", "/"},
        {"endpoint=https://s3.cn-north-1.amazonaws.com.cn", "files.s3.cn-north-1.amazonaws.com.cn", "/"},
        {"endpoint=https://s3.amazonaws.com.cn.example", "s3.amazonaws.com.cn.example", "/files/"},
        {"endpoint=http://s3.example bucket=a.b.c addressing=virtual", "a.b.c.s3.example", "/"},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FHIR_ASSERT_OK(configure(cases[i].options));
        CU_ASSERT_STRING_EQUAL(config->endpoint.host, cases[i].host);
        CU_ASSERT_STRING_EQUAL(config->base_path, cases[i].base_path);
    }
}

static void test_payload(void)
{
    FHIR_ASSERT_OK(configure("payload=auto"));
    CU_ASSERT_EQUAL(config->sign_payload, 0);
    FHIR_ASSERT_OK(configure("payload=signed"));
    CU_ASSERT_EQUAL(config->sign_payload, 1);
    FHIR_ASSERT_OK(configure("payload=unsigned endpoint=http://s3.example"));
    CU_ASSERT_EQUAL(config->sign_payload, 0);
}

/* Each is refused by a sentence that names the option. */
static void test_mistakes(void)
{
    static const struct {
        const char *options;
        const char *named;
    } cases[] = {
        {"colour=red", "no option 'colour'"},
        {"bucket=ab", "bucket=ab"},
        {"bucket=-abc", "bucket=-abc"},
        {"bucket=a/b/c", "bucket=a/b/c"},
        {"endpoint=s3.example", "endpoint=s3.example"},
        {"endpoint=ftp://s3.example", "endpoint=ftp"},
        {"endpoint=https://", "endpoint=https://"},
        {"endpoint=https://s3.example/path", "endpoint=https://s3.example/path"},
        {"endpoint=https://user:secret@s3.example", "endpoint="},
        {"endpoint=https://s3.example:0", "port"},
        {"endpoint=https://s3.example:65536", "port"},
        {"credentials=environment", "credentials=environment takes its keys from elsewhere than credentials_file="},
        {"credentials=instance", "credentials=instance takes its keys from elsewhere"},
        {"endpoint=https://s3.example:9000x", "port"},
        {"endpoint=https://s3..example", "endpoint="},
        {"endpoint=https://[::1", "endpoint="},
        {"endpoint=https://s3_example?x", "endpoint="},
        {"public_endpoint=files.example", "public_endpoint="},
        {"endpoint=https://s3.example/files", "bucket="},
        {"endpoint=https://s3.example:9000/files/", "prefix="},
        {"addressing=host", "addressing=host"},
        {"addressing=virtual endpoint=http://127.0.0.1:9000", "IP address"},
        {"addressing=virtual endpoint=http://[::1]:9000", "IP address"},
        {"addressing=virtual endpoint=https://s3.example bucket=a.b.c", "certificate"},
        {"addressing=virtual bucket=Files", "addressing=path"},
        {"addressing=virtual endpoint=http://s3.example public_endpoint=http://10.0.0.1", "IP address"},
        {"region=", "region="},
        {"region=a/b", "region=a/b"},
        {"prefix=/fhir/", "prefix=/fhir/"},
        {"prefix=fhir", "prefix=fhir/"},
        {"prefix=a//b/", "prefix="},
        {"prefix=a/../b/", "prefix="},
        {"prefix=a?b/", "prefix="},
        {"storage_class=GLACIER", "readable at once"},
        {"storage_class=DEEP_ARCHIVE", "readable at once"},
        {"storage_class=A\nB", "storage_class="},
        {"payload=yes", "payload=yes"},
        {"if_none_match=yes", "if_none_match=yes"},
        {"part_size=4M", "from 5M to 5G"},
        {"part_size=6G", "from 5M to 5G"},
        {"multipart_threshold=1M", "from 5M to 5G"},
        {"part_size=16MB", "part_size=16MB"},
        {"part_size=-5M", "part_size=-5M"},
        {"parallel_parts=0", "parallel_parts=0"},
        {"parallel_parts=9", "parallel_parts=9"},
        {"connections=0", "connections=0"},
        {"connect_timeout=5", "connect_timeout=5"},
        {"connect_timeout=2min", "connect_timeout=2min"},
        {"stall_timeout=0s", "stall_timeout=0s"},
        {"request_timeout=1h", "request_timeout=1h"},
        {"spool_directory=tmp", "spool_directory=tmp"},
        {"spool_directory=/does/not/exist", "install -d"},
        {"spool_directory=/etc/passwd", "spool_directory="},
        {"ca_file=/does/not/exist", "ca_file="},
        {"encryption=aes", "encryption=aes"},
        {"kms_key_id=x", "encryption=sse-kms"},
        {"encryption=sse-s3 kms_key_id=x", "encryption=sse-kms"},
        {"sse_c_key_file=/x", "encryption=sse-c"},
        {"insecure_sse_c=on", "encryption=sse-c"},
        {"encryption=sse-c", "sse_c_key_file="},
        {"encryption=sse-c sse_c_key_file=/does/not/exist", "can't be read"},
        {"encryption=sse-c sse_c_key_file=/tmp", "is no file"},
        {"encryption=sse-c sse_c_key_file=" HEX_KEY, "sse_c_key_file= is not an absolute path"},
        {"encryption=sse-c sse_c_key_file=/" HEX_KEY, "can't be read"},
        {"credentials=" HEX_KEY, "'...'"},
        {HEX_KEY "=x", "no option '...'"},
        {"encryption=sse-c sse_c_key_file=/x endpoint=http://s3.example", "https://"},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_error_t *error = configure(cases[i].options);
        CU_ASSERT_PTR_NOT_NULL(error);
        CU_ASSERT_PTR_NULL(config);
        CU_ASSERT(!error || !strstr(error->public_text, HEX_KEY));
        CU_ASSERT(!error || !strstr(error->public_text, "user:secret"));
        if (!error || error->code != FHIR_ERROR_INVALID || !strstr(error->public_text, cases[i].named)) {
            printf("%s: %s\n", cases[i].options, error ? error->public_text : "(taken)");
            CU_FAIL("another error");
        }
    }
}

static void test_credentials_file_is_not_shown(void)
{
    fhir_store_option_t options[] = {{"bucket", "files"}, {"credentials_file", HEX_KEY}};
    fhir_error_t *error = s3_configure(&config, options, 2, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "credentials_file= is not an absolute path"));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, HEX_KEY));
}

static void test_no_bucket(void)
{
    fhir_store_option_t options[] = {{"credentials_file", keys_file()}};
    fhir_error_t *error = s3_configure(&config, options, 1, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "bucket="));
}

static fhir_error_t *configure_key(const void *content, size_t length, mode_t mode)
{
    return configure(apr_pstrcat(pool, "encryption=sse-c sse_c_key_file=", file_with(content, length, mode), NULL));
}

static void test_customer_keys(void)
{
    unsigned char raw[32];
    unsigned char i;
    for (i = 0; i < 32; i++) {
        raw[i] = i;
    }
    FHIR_ASSERT_OK(configure_key(raw, 32, 0600));
    CU_ASSERT_STRING_EQUAL(config->customer_key, BASE64_KEY);
    CU_ASSERT_STRING_EQUAL(config->customer_key_md5, KEY_MD5);
    FHIR_ASSERT_OK(configure_key(HEX_KEY "\n", 65, 0640));
    CU_ASSERT_STRING_EQUAL(config->customer_key, BASE64_KEY);
    FHIR_ASSERT_OK(configure_key(HEX_KEY, 64, 0400));
    CU_ASSERT_STRING_EQUAL(config->customer_key, BASE64_KEY);
    FHIR_ASSERT_OK(configure_key(BASE64_KEY "\r\n", 46, 0600));
    CU_ASSERT_STRING_EQUAL(config->customer_key, BASE64_KEY);
    CU_ASSERT_STRING_EQUAL(config->customer_key_md5, KEY_MD5);
}

static void test_customer_keys_that_are_none(void)
{
    char long_key[200];
    memset(long_key, 'a', sizeof(long_key));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key(HEX_KEY, 64, 0644));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key("", 0, 0600));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key(HEX_KEY, 63, 0600));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key(HEX_KEY "0", 65, 0600));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key("g" HEX_KEY, 64, 0600));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key(BASE64_KEY, 43, 0600));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key("====" BASE64_KEY, 44, 0600));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_key(long_key, sizeof(long_key), 0600));
}

static void test_insecure_customer_key(void)
{
    FHIR_ASSERT_OK(configure(apr_pstrcat(pool,
                                         "endpoint=http://s3.example encryption=sse-c insecure_sse_c=on "
                                         "sse_c_key_file=",
                                         file_with(HEX_KEY, 64, 0600), NULL)));
    CU_ASSERT_EQUAL(config->encryption, S3_ENCRYPTION_SSE_C);
}

static const fhir_unit_test_t tests[] = {
    {"defaults", test_defaults},
    {"everything else", test_everything_else},
    {"part size in blocks", test_part_size_in_blocks},
    {"endpoints", test_endpoints},
    {"payload", test_payload},
    {"mistakes", test_mistakes},
    {"credentials_file is not shown", test_credentials_file_is_not_shown},
    {"no bucket", test_no_bucket},
    {"customer keys", test_customer_keys},
    {"customer keys that are none", test_customer_keys_that_are_none},
    {"insecure customer key", test_insecure_customer_key},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("s3_config", tests)
