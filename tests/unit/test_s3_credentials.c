/* Credentials of the s3 plugin: files, the environment, and endpoints that give keys for a while. */
#include "storage-plugins/s3/credentials.h"
#include "unit.h"

#include "http_endpoint.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

static char file_path[64];
static s3_credential_config_t *config;
static s3_credential_source_t *source;
static s3_credentials_t keys;

/* ---- help ---- */

static void write_file_mode(const char *text, mode_t mode)
{
    FILE *file;
    snprintf(file_path, sizeof(file_path), "/tmp/fhir-test-credentials-%ld", (long)getpid());
    unlink(file_path);
    file = fopen(file_path, "w");
    fputs(text, file);
    fclose(file);
    chmod(file_path, mode);
}

static void write_file(const char *text)
{
    write_file_mode(text, 0600);
}

static void clear_environment(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};
    size_t i;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static int stop_now(void *baton)
{
    return *(int *)baton;
}

static fhir_store_call_t call_of(apr_interval_time_t time)
{
    fhir_store_call_t call = {0};
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + time;
    return call;
}

static fhir_error_t *get(void)
{
    fhir_store_call_t call = call_of(apr_time_from_sec(10));
    memset(&keys, 0, sizeof(keys));
    return s3_credentials_get(&keys, source, &call);
}

/* What an error says, in full; it must never hold a secret. */
static const char *said(const fhir_error_t *error)
{
    const char *text = error ? apr_pstrcat(pool, error->public_text, "|", error->detail, NULL) : "";
    CU_ASSERT_PTR_NULL(strstr(text, "hush"));
    return text;
}

static fhir_error_t *configure_file(const char *profile)
{
    return s3_credentials_configure(&config, NULL, file_path, profile, NULL, pool);
}

static void keys_are(const char *id, const char *secret, const char *token)
{
    FHIR_ASSERT_OK(get());
    CU_ASSERT_STRING_EQUAL(keys.access_key_id ? keys.access_key_id : "", id);
    CU_ASSERT_STRING_EQUAL(keys.secret_access_key ? keys.secret_access_key : "", secret);
    CU_ASSERT_STRING_EQUAL(keys.session_token ? keys.session_token : "", token ? token : "");
    CU_ASSERT((keys.session_token != NULL) == (token != NULL));
}

/* ---- file ---- */

static void test_file(void)
{
    write_file("\xef\xbb\xbf# ours\r\n"
               "ignored outside = of a profile\r\n"
               "; and so is this\r\n"
               "[default]\r\n"
               "aws_access_key_id = ID1\r\n"
               "aws_secret_access_key=hush/1+=\r\n"
               "region = eu-central-1\r\n"
               "\n"
               "[ nightly ]\n"
               "  AWS_ACCESS_KEY_ID\t=\tID2  \n"
               "  aws_secret_access_key = hush2\n"
               "  aws_session_token = token2\n"
               "[other]\n"
               "aws_access_key_id = ID3");
    FHIR_ASSERT_OK(configure_file(NULL));
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
    keys_are("ID1", "hush/1+=", NULL);
    CU_ASSERT_EQUAL(keys.expires, 0);
    CU_ASSERT_FALSE(s3_credentials_refused(source, &keys));
    s3_credentials_close(source);
    FHIR_ASSERT_OK(configure_file("nightly"));
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
    keys_are("ID2", "hush2", "token2");
    s3_credentials_close(source);
    unlink(file_path);
}

static void refused_file(const char *text, const char *profile, const char *advice)
{
    fhir_error_t *error;
    write_file(text);
    error = configure_file(profile);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    if (!strstr(said(error), advice)) {
        printf("%s\n", said(error));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(said(error), advice));
    unlink(file_path);
}

static void test_bad_files(void)
{
    char *large = apr_palloc(pool, 65538);
    memset(large, '#', 65537);
    large[65537] = '\0';
    refused_file("", NULL, "no profile [default]");
    refused_file("[Default]\naws_access_key_id=a\n", NULL, "no profile [default]");
    refused_file("[a]\naws_secret_access_key=hush\n", "a", "has no aws_access_key_id");
    refused_file("[a]\naws_access_key_id=b\n[b]\naws_secret_access_key=hush\n", "a", "has no aws_secret_access_key");
    refused_file("[a]\naws_access_key_id=\naws_secret_access_key=hush\n", "a", "the access key id");
    refused_file("[a]\naws_access_key_id=b\naws_secret_access_key=hush hush\n", "a", "the secret access key");
    refused_file("[a]\naws_access_key_id=b/c\naws_secret_access_key=hush\n", "a", "the access key id");
    refused_file("[a]\naws_access_key_id=b\naws_secret_access_key=hush\naws_session_token=x\x01y\n", "a", "token");
    refused_file("[a]\nhush\n", "a", "line 2");
    refused_file("\n\n[a\n", "a", "line 3");
    refused_file(large, NULL, "larger than");
}

static void test_file_permissions(void)
{
    static const mode_t open_to_all[] = {0604, 0602, 0601, 0644, 0666};
    static const mode_t closed[] = {0600, 0400, 0640, 0440, 0660};
    const char *text = "[default]\naws_access_key_id=ID\naws_secret_access_key=hush\n";
    size_t i;
    for (i = 0; i < 5; i++) {
        write_file_mode(text, open_to_all[i]);
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_file(NULL));
        CU_ASSERT_PTR_NOT_NULL(strstr(said(configure_file(NULL)), "chmod o="));
        write_file_mode(text, closed[i]);
        FHIR_ASSERT_OK(configure_file(NULL));
    }
    unlink(file_path);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_file(NULL)); /* there is none */
    CU_ASSERT_EQUAL(mkfifo(file_path, 0600), 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, configure_file(NULL)); /* and does not hang */
    unlink(file_path);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "file", "relative", NULL, NULL, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "file", NULL, NULL, NULL, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "file", "/tmp", NULL, NULL, pool));
}

static int warnings;

static void count_warning(void *baton, fhir_store_log_level_t level, const char *text)
{
    (void)baton;
    CU_ASSERT_EQUAL(level, FHIR_STORE_LOG_WARNING);
    CU_ASSERT_PTR_NULL(strstr(text, "hush"));
    warnings++;
}

/* A file that has changed is read again; one that can't be used leaves the old keys. */
static void test_file_changes(void)
{
    fhir_store_call_t call = call_of(apr_time_from_sec(10));
    s3_credentials_t old;
    call.log = count_warning;
    warnings = 0;
    write_file("[default]\naws_access_key_id=ID1\naws_secret_access_key=hush1\n");
    FHIR_ASSERT_OK(configure_file(NULL));
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
    keys_are("ID1", "hush1", NULL);
    old = keys;
    CU_ASSERT_FALSE(s3_credentials_refused(source, &old));
    write_file("[default]\naws_access_key_id=ID2\naws_secret_access_key=hush2\n");
    CU_ASSERT_TRUE(s3_credentials_refused(source, &old));
    keys_are("ID2", "hush2", NULL);
    CU_ASSERT_TRUE(s3_credentials_refused(source, &old)); /* there are others */
    write_file("[default]\naws_access_key_id=ID3\n");
    CU_ASSERT_TRUE(s3_credentials_refused(source, &keys));
    FHIR_ASSERT_OK(s3_credentials_get(&keys, source, &call));
    CU_ASSERT_STRING_EQUAL(keys.access_key_id, "ID2");
    FHIR_ASSERT_OK(s3_credentials_get(&keys, source, &call));
    CU_ASSERT_EQUAL(warnings, 1); /* said once */
    CU_ASSERT_FALSE(s3_credentials_refused(source, &keys));
    unlink(file_path);
    CU_ASSERT_FALSE(s3_credentials_refused(source, &keys));
    keys_are("ID2", "hush2", NULL);
    s3_credentials_close(source);
}

/* ---- environment, and which source comes first ---- */

static void test_environment(void)
{
    fhir_error_t *error;
    clear_environment();
    error = s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(said(error), "credentials_file="));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "environment", NULL, NULL, NULL, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "ecs", NULL, NULL, NULL, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "Instance", NULL, NULL, NULL, pool));
    setenv("AWS_ACCESS_KEY_ID", "IDE", 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    setenv("AWS_SECRET_ACCESS_KEY", "hush hush", 1);
    error = s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    said(error);
    setenv("AWS_SECRET_ACCESS_KEY", "hushE", 1);
    FHIR_ASSERT_OK(s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    clear_environment(); /* read once */
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
    keys_are("IDE", "hushE", NULL);
    CU_ASSERT_FALSE(s3_credentials_refused(source, &keys));
    keys_are("IDE", "hushE", NULL);
    s3_credentials_close(source);
}

static void test_order(void)
{
    clear_environment();
    setenv("AWS_ACCESS_KEY_ID", "IDE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hushE", 1);
    setenv("AWS_SESSION_TOKEN", "tokenE", 1);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example.org/", 1); /* not looked at */
    write_file("[default]\naws_access_key_id=IDF\naws_secret_access_key=hushF\n");
    FHIR_ASSERT_OK(configure_file(NULL));
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
    keys_are("IDF", "hushF", NULL);
    s3_credentials_close(source);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID,
                      s3_credentials_configure(&config, "environment", file_path, NULL, NULL, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "instance", NULL, "nightly", NULL, pool));
    FHIR_ASSERT_OK(s3_credentials_configure(&config, "environment", NULL, NULL, NULL, pool));
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
    keys_are("IDE", "hushE", "tokenE");
    s3_credentials_close(source);
    FHIR_ASSERT_OK(s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    unlink(file_path);
    clear_environment();
}

/* ---- where a container's keys may be asked for ---- */

static void test_container_urls(void)
{
    static const char *const good[] = {"http://127.0.0.1:8080/x", "http://127.1.2.3/",    "http://localhost/x",
                                       "http://[::1]:80/x",       "http://169.254.170.2", "http://169.254.170.23/v1",
                                       "https://example.org/x",   "http://[fd00:ec2::23]"};
    static const char *const bad[] = {"http://example.org/",
                                      "http://127.0.0.1.example.org/",
                                      "http://127.0.0.1@example.org/",
                                      "https://127.0.0.1@example.org/",
                                      "http://localhost.example.org/",
                                      "http://169.254.169.254/",
                                      "http://169.254.170.3/",
                                      "http://[::1].example.org/",
                                      "http://[::2]/",
                                      "http://10.0.0.1/",
                                      "http://128.0.0.1/",
                                      "http:///x",
                                      "https:///x",
                                      "ftp://127.0.0.1/",
                                      "HTTP://127.0.0.1/",
                                      "/x",
                                      "http://127.0.0.1\\@example.org/",
                                      "http://127.0.0.1/a b",
                                      "http://127.0.0.1/\r\nx: y"};
    size_t i;
    clear_environment();
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", good[i], 1);
        FHIR_ASSERT_OK(s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], 1);
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    }
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x", 1); /* comes first */
    FHIR_ASSERT_OK(s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nb: c", 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token", 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.org/", 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, NULL, NULL, NULL, NULL, pool));
    clear_environment();
}

/* ---- endpoints ---- */

typedef struct aws_t {
    atomic_int asked;    /* how often keys were given: the number is in them */
    atomic_int status;   /* instead of 200 */
    atomic_int delay_ms; /* before keys are given */
    atomic_int life;     /* seconds that keys are valid */
    atomic_int strange;  /* requests that a real endpoint would refuse */
    atomic_int fixed;    /* the same keys each time */
    const char *token;   /* a container's Authorization; NULL: none expected */
    const char *body;    /* instead of keys */
} aws_t;

static aws_t aws;
static endpoint_t endpoint;

static void answer_with(char *answer, int status, const char *body)
{
    snprintf(answer, ENDPOINT_ROOM, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
             strlen(body), body);
}

static void answer_keys(char *answer)
{
    char body[512];
    char ends[APR_RFC822_DATE_LEN];
    apr_time_exp_t parts;
    int number = atomic_fetch_add(&aws.asked, 1) + 1;
    if (aws.delay_ms) {
        usleep((useconds_t)aws.delay_ms * 1000);
    }
    if (aws.fixed) {
        number = 1;
    }
    apr_time_exp_gmt(&parts, apr_time_now() + apr_time_from_sec(aws.life));
    snprintf(ends, sizeof(ends), "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    snprintf(body, sizeof(body),
             "{\"Code\":\"Success\",\"AccessKeyId\":\"ID%d\",\"SecretAccessKey\":\"hush%d\",\"Token\":\"token%d\","
             "\"Expiration\":\"%s\"}",
             number, number, number, ends);
    answer_with(answer, aws.status, aws.body ? aws.body : aws.status == 200 ? body : "hush");
}

static void answer_instance(char *answer, const char *request, void *baton)
{
    int has_token = strstr(request, "\r\nX-aws-ec2-metadata-token: session-hush\r\n") != NULL;
    (void)baton;
    if (!strncmp(request, "PUT /latest/api/token HTTP/1.1\r\n", 32) &&
        strstr(request, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n")) {
        answer_with(answer, 200, "session-hush");
    } else if (!strncmp(request, "GET /latest/meta-data/iam/security-credentials/ HTTP", 52) && has_token) {
        answer_with(answer, 200, "node role\n");
    } else if (!strncmp(request, "GET /latest/meta-data/iam/security-credentials/node%20role HTTP", 63) && has_token) {
        answer_keys(answer);
    } else {
        aws.strange++;
        answer_with(answer, 401, "hush");
    }
}

static void answer_container(char *answer, const char *request, void *baton)
{
    char expected[128];
    (void)baton;
    snprintf(expected, sizeof(expected), "\r\nAuthorization: %s\r\n", aws.token ? aws.token : "");
    if (strncmp(request, "GET /v2/credentials?x=1 HTTP/1.1\r\n", 34) ||
        (aws.token ? !strstr(request, expected) : strstr(request, "Authorization") != NULL)) {
        aws.strange++;
        answer_with(answer, 403, "hush");
        return;
    }
    answer_keys(answer);
}

static void reset_aws(void)
{
    aws.asked = 0;
    aws.status = 200;
    aws.delay_ms = 0;
    aws.life = 3600;
    aws.strange = 0;
    aws.fixed = 0;
    aws.token = NULL;
    aws.body = NULL;
    clear_environment();
}

static void open_instance(void)
{
    const char *address;
    reset_aws();
    endpoint_start(&endpoint, answer_instance, NULL);
    address = apr_psprintf(pool, "http://127.0.0.1:%d", endpoint.port);
    FHIR_ASSERT_OK(s3_credentials_configure(&config, "instance", NULL, NULL, address, pool));
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
}

static void close_endpoint(void)
{
    s3_credentials_close(source);
    endpoint_end(&endpoint);
    CU_ASSERT_EQUAL(aws.strange, 0);
}

static void test_instance(void)
{
    open_instance();
    keys_are("ID1", "hush1", "token1");
    CU_ASSERT(keys.expires > apr_time_now() + apr_time_from_sec(3590));
    CU_ASSERT(keys.expires <= apr_time_now() + apr_time_from_sec(3600));
    keys_are("ID1", "hush1", "token1");
    CU_ASSERT_EQUAL(aws.asked, 1);
    close_endpoint();
}

static void open_container(const char *token, const char *token_file)
{
    reset_aws();
    aws.token = token;
    endpoint_start(&endpoint, answer_container, NULL);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI",
           apr_psprintf(pool, "http://127.0.0.1:%d/v2/credentials?x=1", endpoint.port), 1);
    if (token_file) {
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file, 1);
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this", 1);
    } else if (token) {
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", token, 1);
    }
    FHIR_ASSERT_OK(s3_credentials_configure(&config, "ecs", NULL, NULL, NULL, pool));
    clear_environment();
    FHIR_ASSERT_OK(s3_credentials_open(&source, config, pool));
}

static void test_container(void)
{
    open_container(NULL, NULL);
    keys_are("ID1", "hush1", "token1");
    close_endpoint();
    open_container("Basic hush", NULL);
    keys_are("ID1", "hush1", "token1");
    close_endpoint();
    write_file("Bearer hush\n");
    open_container("Bearer hush", file_path);
    keys_are("ID1", "hush1", "token1");
    close_endpoint();
    write_file("Bearer first\n");
    open_container("Bearer second", file_path);
    write_file("Bearer second"); /* read again for each request */
    keys_are("ID1", "hush1", "token1");
    close_endpoint();
    write_file("two\nlines\n");
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file_path, 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, s3_credentials_configure(&config, "ecs", NULL, NULL, NULL, pool));
    unlink(file_path);
    clear_environment();
}

/* Keys that end within five minutes are renewed; until then the old ones serve. */
static void test_expiry(void)
{
    open_instance();
    aws.life = 3;
    keys_are("ID1", "hush1", "token1");
    keys_are("ID1", "hush1", "token1"); /* asked a moment ago */
    CU_ASSERT_EQUAL(aws.asked, 1);
    aws.life = 3600;
    usleep(1000 * 1000);
    keys_are("ID2", "hush2", "token2");
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_EQUAL(aws.asked, 2);
    close_endpoint();
}

static void test_ended_keys_are_never_given(void)
{
    apr_time_t begin;
    open_instance();
    aws.life = 2;
    keys_are("ID1", "hush1", "token1");
    aws.status = 500;
    begin = apr_time_now();
    while (apr_time_now() < begin + apr_time_from_sec(3)) {
        fhir_error_t *error = get();
        CU_ASSERT(error || apr_time_now() < keys.expires + apr_time_from_msec(50));
        CU_ASSERT(!error || error->code == FHIR_ERROR_UNAVAILABLE);
        CU_ASSERT(!error || apr_time_now() > begin + apr_time_from_msec(900));
        said(error);
        usleep(20 * 1000);
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get());
    CU_ASSERT(aws.asked < 8); /* it is left alone for a while after each failure */
    aws.status = 200;
    aws.life = 3600;
    usleep(2 * 1000 * 1000);
    begin = apr_time_now();
    while (apr_time_now() < begin + apr_time_from_sec(6) && get()) {
        usleep(20 * 1000);
    }
    FHIR_ASSERT_OK(get());
    close_endpoint();
}

typedef struct asking_t {
    s3_credential_source_t *source;
    int good;
    apr_interval_time_t longest;
} asking_t;

static void *ask_often(void *data)
{
    asking_t *asking = data;
    apr_pool_t *own;
    int i;
    apr_pool_create(&own, NULL);
    for (i = 0; i < 20; i++) {
        fhir_store_call_t call = {0};
        s3_credentials_t got = {0};
        apr_time_t begin = apr_time_now();
        call.result_pool = own;
        call.scratch_pool = own;
        call.deadline = begin + apr_time_from_sec(10);
        if (!s3_credentials_get(&got, asking->source, &call) && !strncmp(got.access_key_id, "ID", 2) &&
            !strcmp(got.access_key_id + 2, got.secret_access_key + 4) &&
            !strcmp(got.access_key_id + 2, got.session_token + 5)) {
            asking->good++;
        }
        if (apr_time_now() - begin > asking->longest) {
            asking->longest = apr_time_now() - begin;
        }
        usleep(10 * 1000);
    }
    apr_pool_destroy(own);
    return NULL;
}

#define ASKING 8

static int ask_at_once(asking_t *asking)
{
    pthread_t threads[ASKING];
    int slow = 0;
    int i;
    for (i = 0; i < ASKING; i++) {
        asking_t fresh = {source, 0, 0};
        asking[i] = fresh;
        pthread_create(&threads[i], NULL, ask_often, &asking[i]);
    }
    for (i = 0; i < ASKING; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(asking[i].good, 20);
        slow += asking[i].longest > apr_time_from_msec(400);
    }
    return slow;
}

static void test_many_threads(void)
{
    asking_t asking[ASKING];
    open_instance();
    aws.delay_ms = 300;
    ask_at_once(asking); /* all wait for the first keys */
    CU_ASSERT_EQUAL(aws.asked, 1);
    close_endpoint();
    open_instance();
    aws.life = 6;
    keys_are("ID1", "hush1", "token1");
    usleep(1600 * 1000);
    aws.life = 3600;
    aws.delay_ms = 600;
    CU_ASSERT_EQUAL(ask_at_once(asking), 1); /* one renews, the others go on with the old keys */
    CU_ASSERT_EQUAL(aws.asked, 2);
    close_endpoint();
}

static void test_refused_keys(void)
{
    s3_credentials_t old;
    open_instance();
    keys_are("ID1", "hush1", "token1");
    CU_ASSERT_FALSE(s3_credentials_refused(source, &keys)); /* as new as they can be */
    keys_are("ID1", "hush1", "token1");
    usleep(1100 * 1000);
    old = keys;
    CU_ASSERT_TRUE(s3_credentials_refused(source, &old));
    CU_ASSERT_TRUE(s3_credentials_refused(source, &old)); /* by another thread */
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_TRUE(s3_credentials_refused(source, &old)); /* late: there are others */
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_EQUAL(aws.asked, 2);
    aws.status = 403;
    usleep(1100 * 1000);
    CU_ASSERT_TRUE(s3_credentials_refused(source, &keys));
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, get());
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, get());
    CU_ASSERT_EQUAL(aws.asked, 3);
    close_endpoint();
}

/* A guess: others are asked for, but nobody is without keys because of it. */
static void test_doubted_keys(void)
{
    s3_credentials_t old;
    open_instance();
    keys_are("ID1", "hush1", "token1");
    CU_ASSERT_FALSE(s3_credentials_doubted(source, &keys)); /* as new as they can be */
    usleep(1100 * 1000);
    old = keys;
    CU_ASSERT_TRUE(s3_credentials_doubted(source, &old));
    CU_ASSERT_TRUE(s3_credentials_doubted(source, &old)); /* by another thread */
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_TRUE(s3_credentials_doubted(source, &old)); /* late: there are others */
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_EQUAL(aws.asked, 2);
    aws.status = 500;
    usleep(1100 * 1000);
    CU_ASSERT_TRUE(s3_credentials_doubted(source, &keys));
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_FALSE(s3_credentials_doubted(source, &keys)); /* nobody can have others now */
    keys_are("ID2", "hush2", "token2");
    CU_ASSERT_EQUAL(aws.asked, 3);
    close_endpoint();
}

/* While the old keys are good, an endpoint that hangs costs nobody his request, and is left alone for a while. */
static void test_renewal_that_hangs(void)
{
    fhir_store_call_t call;
    apr_time_t begin;
    int i;
    open_instance();
    aws.life = 8;
    keys_are("ID1", "hush1", "token1");
    aws.delay_ms = 3000;
    usleep(2100 * 1000); /* a quarter of their life: they may be renewed */
    for (i = 0; i < 2; i++) {
        begin = apr_time_now();
        call = call_of(apr_time_from_sec(1));
        FHIR_ASSERT_OK(s3_credentials_get(&keys, source, &call));
        CU_ASSERT_STRING_EQUAL(keys.access_key_id, "ID1");
        CU_ASSERT(apr_time_now() < begin + apr_time_from_msec(i ? 200 : 900));
    }
    CU_ASSERT_EQUAL(aws.asked, 2);
    close_endpoint();
}

static void test_garbage(void)
{
    static const struct {
        const char *body;
        fhir_error_code_t code;
    } bodies[] = {
        {"", FHIR_ERROR_UNAVAILABLE},
        {"<hush/>", FHIR_ERROR_UNAVAILABLE},
        {"[]", FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"hush\"", FHIR_ERROR_UNAVAILABLE},
        {"{}", FHIR_ERROR_UNAVAILABLE},
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", FHIR_ERROR_DENIED},
        {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\"}", FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\",\"Expiration\":\"hush\"}", FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\",\"Expiration\":\"2001-01-01T00:00:00Z\"}",
         FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\",\"Expiration\":\"2099-13-01T00:00:00Z\"}",
         FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\",\"Expiration\":\"2099-12-01T00:00:00+02:00\"}",
         FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":7,\"Expiration\":\"2099-12-01T00:00:00Z\"}",
         FHIR_ERROR_UNAVAILABLE},
        {"{\"AccessKeyId\":\"a\\nb\",\"SecretAccessKey\":\"hush\",\"Expiration\":\"2099-12-01T00:00:00Z\"}",
         FHIR_ERROR_UNAVAILABLE},
    };
    size_t i;
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        fhir_error_t *error;
        open_instance();
        aws.body = bodies[i].body;
        error = get();
        FHIR_ASSERT_ERROR(bodies[i].code, error);
        CU_ASSERT_EQUAL(aws.asked, 1);
        said(error);
        close_endpoint();
    }
    open_instance();
    aws.body = "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\",\"Expiration\":\"2099-12-01T00:00:00.123+00:00\"}";
    keys_are("a", "hush", NULL);
    CU_ASSERT_EQUAL(keys.expires, apr_time_from_sec(APR_INT64_C(4099766400)));
    close_endpoint();
}

static void test_dead_endpoint(void)
{
    fhir_store_call_t call = call_of(apr_time_from_sec(10));
    int stopped = 1;
    fhir_error_t *error;
    apr_time_t begin;
    open_instance();
    endpoint_end(&endpoint);
    error = get();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error);
    CU_ASSERT_EQUAL(error ? error->retry : FHIR_RETRY_NO, FHIR_RETRY_YES);
    CU_ASSERT_PTR_NOT_NULL(strstr(said(error), "hop limit"));
    begin = apr_time_now();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get()); /* at once, from memory */
    CU_ASSERT(apr_time_now() - begin < apr_time_from_msec(100));
    s3_credentials_close(source);

    open_instance(); /* it hangs */
    aws.delay_ms = 1500;
    call = call_of(apr_time_from_msec(300));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, s3_credentials_get(&keys, source, &call));
    CU_ASSERT(apr_time_now() < call.deadline + apr_time_from_msec(900));
    call = call_of(apr_time_from_sec(10));
    call.cancelled = stop_now;
    call.cancelled_baton = &stopped;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, s3_credentials_get(&keys, source, &call));
    aws.delay_ms = 0;
    FHIR_ASSERT_OK(get()); /* an impatient caller is no fault of the endpoint */
    close_endpoint();
}

static const fhir_unit_test_t tests[] = {{"file", test_file},
                                         {"bad files", test_bad_files},
                                         {"file permissions", test_file_permissions},
                                         {"file changes", test_file_changes},
                                         {"environment", test_environment},
                                         {"order of sources", test_order},
                                         {"URLs of containers", test_container_urls},
                                         {"instance", test_instance},
                                         {"container", test_container},
                                         {"expiry", test_expiry},
                                         {"ended keys are never given", test_ended_keys_are_never_given},
                                         {"many threads", test_many_threads},
                                         {"refused keys", test_refused_keys},
                                         {"doubted keys", test_doubted_keys},
                                         {"a renewal that hangs", test_renewal_that_hangs},
                                         {"garbage", test_garbage},
                                         {"dead endpoint", test_dead_endpoint},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("s3_credentials", tests)
