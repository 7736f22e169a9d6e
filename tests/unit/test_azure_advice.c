/* What the azure plugin says to an administrator: which option is wrong, whose clock, and which server is silent. */
#include "storage-plugins/azure/azure.h"
#include "unit.h"

#include "http_script.h"

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY
#define REFUSAL(status, code) "HTTP/1.1 " status "\r\n" code "Content-Length: 0\r\n\r\n"
#define CODE(code) "x-ms-error-code: " code "\r\n"

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_store_call_t call;

static void open_store(int port)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    char path[] = "/tmp/fhir-test-azure-XXXXXX";
    fhir_store_option_t options[] = {{"account", "account1"},
                                     {"container", "files"},
                                     {"endpoint", apr_psprintf(pool, "http://127.0.0.1:%d/account1", port)},
                                     {"account_key_file", path}};
    fhir_store_config_t *config;
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0 && write(file, key, sizeof(key) - 1) == (ssize_t)sizeof(key) - 1);
    close(file);
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, 4, pool));
    unlink(path);
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

/* Once for a stat, which is what clients cause, and once for health. */
static void refused(const char *answer, fhir_error_code_t code, const char *detail, const char *health)
{
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    script_t script;
    fhir_error_t *error;
    script_begin(&script, NULL);
    script_expect(&script, "HEAD /account1/files/" LOCATOR, answer);
    script_expect(&script, "GET /account1/files?", answer);
    open_store(script.endpoint.port);
    error = plugin->stat(&info, store, LOCATOR, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, code);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_NO);
    if (!strstr(error->detail, detail)) {
        printf("'%s' is not in: %s\n", detail, error->detail);
        CU_FAIL("another detail");
    }
    CU_ASSERT_PTR_NULL(strstr(error->detail, "clock"));
    error = plugin->health(store, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    if (!strstr(error->public_text, health)) {
        printf("'%s' is not in: %s\n", health, error->public_text);
        CU_FAIL("another text");
    }
    plugin->close(store);
    CU_ASSERT(script_end(&script));
}

static void test_refusals_name_the_option(void)
{
    refused(REFUSAL("400 Bad", CODE("InvalidAuthenticationInfo")), FHIR_ERROR_DENIED,
            "correct account_key_file= and account=", "account_key_file=");
    refused(REFUSAL("403 No", CODE("AuthenticationFailed")), FHIR_ERROR_DENIED,
            "correct account_key_file= and account=", "account_key_file=");
    refused(REFUSAL("403 No", CODE("AuthorizationPermissionMismatch")), FHIR_ERROR_DENIED,
            "Storage Blob Data Contributor", "account");
    refused(REFUSAL("403 No", CODE("KeyBasedAuthenticationNotPermitted")), FHIR_ERROR_DENIED,
            "credentials=managed_identity", "credentials=managed_identity");
    refused(REFUSAL("400 Bad", CODE("OutOfRangeInput")), FHIR_ERROR_DENIED, "correct endpoint=", "endpoint=");
    refused(REFUSAL("400 Bad", ""), FHIR_ERROR_INTERNAL, "correct endpoint=", "endpoint=");
    refused(REFUSAL("403 No", CODE("SomethingNew")), FHIR_ERROR_DENIED, "SomethingNew", "account_key_file=");
}

/* A clock that is right by some seconds is no news. */
static void test_clock(void)
{
    static const struct {
        int seconds;
        const char *said; /* NULL: nothing */
    } rows[] = {{0, NULL}, {30, NULL}, {-30, NULL}, {120, "behind the store's"}, {-120, "ahead of the store's"}};
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    size_t i;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_t script;
        fhir_error_t *error;
        script_begin(&script, NULL);
        script_expect(&script, "HEAD ",
                      apr_psprintf(pool, "HTTP/1.1 403 No\r\nDate: %s\r\nContent-Length: 0\r\n\r\n",
                                   azure_http_date(apr_time_now() + apr_time_from_sec(rows[i].seconds), pool)));
        open_store(script.endpoint.port);
        error = plugin->stat(&info, store, LOCATOR, &call);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(strstr(error->detail, rows[i].said ? rows[i].said : "clock") != NULL, rows[i].said != NULL);
        plugin->close(store);
        CU_ASSERT(script_end(&script));
    }
}

/* A stopped process: the kernel takes connections, nobody answers. */
static void test_silence_names_the_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fhir_error_t *error;
    CU_ASSERT_FATAL(!bind(server, (struct sockaddr *)&address, sizeof(address)) && !listen(server, 16) &&
                    !getsockname(server, (struct sockaddr *)&address, &length));
    open_store(ntohs(address.sin_port));
    call.deadline = apr_time_now() + apr_time_from_msec(300);
    error = plugin->health(store, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_TIMEOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        error->detail, apr_psprintf(pool, "no answer from http://127.0.0.1:%d within 0.", ntohs(address.sin_port))));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "127.0.0.1"));
    plugin->close(store);
    close(server);
}

static const fhir_unit_test_t tests[] = {
    {"refusals name the option", test_refusals_name_the_option},
    {"clock", test_clock},
    {"silence names the server", test_silence_names_the_server},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("azure_advice", tests)
