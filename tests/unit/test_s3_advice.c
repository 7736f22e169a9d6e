/* What the s3 plugin says to an administrator: a server that is silent, a bucket that is not there, a spool directory
 * that can't be written. */
#include "storage-plugins/s3/s3.h"
#include "unit.h"

#include "http_script.h"

#include <sys/stat.h>

#define KEY "abcd0000000000000000000000000001"
#define LOCATOR "ab/cd/" KEY
#define NO_BUCKET                                                                                                      \
    "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n<Error><Code>NoSuchBucket</Code><Message/></Error>"

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_store_call_t call;
static char key_path[40];

static void open_store(const char *endpoint, const char *option, const char *value)
{
    static const char keys[] = "[default]\naws_access_key_id = KEYONE\naws_secret_access_key = secret\n";
    fhir_store_option_t options[] = {
        {"bucket", "files"}, {"endpoint", endpoint}, {"credentials_file", key_path}, {option, value}};
    fhir_store_config_t *config;
    int file;
    strcpy(key_path, "/tmp/fhir-test-s3-XXXXXX");
    file = mkstemp(key_path);
    CU_ASSERT_FATAL(file >= 0 && write(file, keys, sizeof(keys) - 1) == (ssize_t)sizeof(keys) - 1);
    close(file);
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, option ? 4 : 3, pool));
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

static void close_store(void)
{
    plugin->close(store);
    unlink(key_path);
}

static void says(const fhir_error_t *error, fhir_error_code_t code, const char *part)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, code);
    if (!error->detail || !strstr(error->detail, part)) {
        printf("'%s' is not in: %s\n", part, error->detail ? error->detail : "(none)");
        CU_FAIL("another detail");
    }
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "127.0.0.1"));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "/tmp/"));
}

static fhir_error_t *read_object(void)
{
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_reader_t *reader;
    return plugin->reader_open(&reader, &info, store, LOCATOR, 0, -1, &call);
}

/* `length` is announced. -1: not, then it waits in the spool. */
static fhir_error_t *write_object(apr_off_t length)
{
    fhir_write_request_t request = {sizeof(request), KEY, LOCATOR, length, "text/plain"};
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    apr_size_t given = length < 0 ? (apr_size_t)1000000 : (apr_size_t)length;
    fhir_writer_t *writer = NULL;
    fhir_error_t *error;
    FHIR_TRY(plugin->writer_begin(&writer, store, &request, &call));
    error = plugin->writer_write(writer, apr_pcalloc(pool, given), given, &call);
    error = error ? error : plugin->writer_commit(&info, writer, &call);
    plugin->writer_abort(writer, &call);
    return error;
}

static int listening(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(!bind(made, (struct sockaddr *)&address, sizeof(address)) && !listen(made, 16) &&
                    !getsockname(made, (struct sockaddr *)&address, &length));
    *port = ntohs(address.sin_port);
    return made;
}

/* A stopped process: the kernel takes connections, nobody answers. */
static void test_silence_names_the_server(void)
{
    int port;
    int server = listening(&port);
    const char *wanted = apr_psprintf(pool, "no answer from http://127.0.0.1:%d within 0.", port);
    open_store(apr_psprintf(pool, "http://127.0.0.1:%d", port), NULL, NULL);
    call.deadline = apr_time_now() + apr_time_from_msec(300);
    says(plugin->health(store, &call), FHIR_ERROR_TIMEOUT, wanted);
    call.deadline = apr_time_now() + apr_time_from_msec(300);
    says(read_object(), FHIR_ERROR_TIMEOUT, wanted);
    call.deadline = apr_time_now() + apr_time_from_msec(300);
    says(write_object(3), FHIR_ERROR_TIMEOUT, wanted);
    call.deadline = apr_time_now() - 1;
    says(read_object(), FHIR_ERROR_TIMEOUT, "no time left");
    close_store();
    close(server);
}

/* No client repeats what only the administrator can mend. */
static void test_no_bucket(void)
{
    script_t script;
    fhir_error_t *errors[3];
    size_t i;
    script_begin(&script, NULL);
    script_expect(&script, "GET /files/?", NO_BUCKET);
    script_expect(&script, "GET /files/" LOCATOR, NO_BUCKET);
    script_expect(&script, "PUT /files/" LOCATOR, NO_BUCKET);
    open_store(apr_psprintf(pool, "http://127.0.0.1:%d", script.endpoint.port), NULL, NULL);
    errors[0] = plugin->health(store, &call);
    errors[1] = read_object();
    errors[2] = write_object(3);
    for (i = 0; i < 3; i++) {
        says(errors[i], FHIR_ERROR_DENIED, "correct bucket=");
        CU_ASSERT_EQUAL(errors[i]->retry, FHIR_RETRY_NO);
        CU_ASSERT_PTR_NOT_NULL(strstr(errors[i]->public_text, "not usable as configured"));
    }
    close_store();
    CU_ASSERT(script_end(&script));
}

/* Health tries it as the user that serves; without the directory an upload is no missing object. */
static void test_spool_directory(void)
{
    char directory[] = "/tmp/fhir-test-spool-XXXXXX";
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    open_store("http://127.0.0.1:1", "spool_directory", directory);
    if (geteuid() != 0) {
        chmod(directory, 0);
        says(plugin->health(store, &call), FHIR_ERROR_DENIED, directory);
    }
    rmdir(directory);
    says(plugin->health(store, &call), FHIR_ERROR_INTERNAL, directory);
    says(write_object(-1), FHIR_ERROR_INTERNAL, directory);
    close_store();
}

static const fhir_unit_test_t tests[] = {
    {"silence names the server", test_silence_names_the_server},
    {"no bucket", test_no_bucket},
    {"spool directory", test_spool_directory},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("s3_advice", tests)
