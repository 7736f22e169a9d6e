/* The azure plugin on a real server, beyond what every store must do: URLs signed by the account's key and by a user
 * delegation key, each part of them changed; blocks of uploads that never ended; a listing shared by two processes.
 * Environment: what tests/servers/with.sh says, and FHIR_TEST_AZURE_CONTAINER, a container on both endpoints. */
#define FHIR_UNIT_KIND "conformance"
#include "storage-plugins/azure/azure.h"
#include "tests/unit/unit.h"

#include "tests/unit/http_endpoint.h"

#include <apr_base64.h>

#define TEXT "0123456789"

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_http_client_t *client; /* who got a URL */
static fhir_store_call_t call;
static endpoint_t tokens;

/* ---- help ---- */

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "%s is not set: run this by tests/servers/with.sh azurite -- ...\n", name);
        exit(2);
    }
    return value;
}

static const char *base64url(const char *text)
{
    char *encoded = apr_palloc(pool, (apr_size_t)apr_base64_encode_len((int)strlen(text)));
    char *at;
    apr_base64_encode(encoded, text, (int)strlen(text));
    for (at = encoded; *at; at++) {
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
    }
    encoded[strcspn(encoded, "=")] = '\0';
    return encoded;
}

/* What Azurite takes for a token of Entra: its claims are looked at, its signature is not. */
static void give_token(char *answer, const char *request, void *baton)
{
    (void)request;
    snprintf(answer, ENDPOINT_ROOM, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", (int)strlen(baton),
             (const char *)baton);
}

static char *token_answer(void)
{
    const char *head = base64url("{\"alg\":\"none\",\"typ\":\"JWT\"}");
    long now = (long)apr_time_sec(apr_time_now());
    const char *claims =
        apr_psprintf(pool,
                     "{\"aud\":\"https://storage.azure.com\",\"iss\":\"https://sts.windows-ppe.net/"
                     "ab1f708d-50f6-404c-a006-d71b2ac7a606/\",\"iat\":%ld,\"nbf\":%ld,\"exp\":%ld,\"oid\":"
                     "\"11059fcc-5514-4800-b5f8-49808b9cfab6\",\"tid\":\"ab1f708d-50f6-404c-a006-d71b2ac7a606\"}",
                     now - 60, now - 60, now + 3600);
    return apr_psprintf(pool, "{\"expires_in\":3600,\"access_token\":\"%s.%s.c2ln\"}", head, base64url(claims));
}

static void open_with(fhir_store_t **opened, const fhir_store_option_t *options, int count)
{
    fhir_store_config_t *config;
    FHIR_ASSERT_OK(plugin->configure(&config, options, count, pool));
    FHIR_ASSERT_OK(plugin->open(opened, config, NULL, pool));
}

static void begin(void)
{
    fhir_http_config_t http = {from_environment("FHIR_TEST_CA_FILE"), apr_time_from_sec(5), apr_time_from_sec(10), 4};
    plugin = fhir_storage_plugin(NULL);
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(120);
    FHIR_ASSERT_OK(fhir_http_client_create(&client, &http, pool));
}

static void open_shared_key(fhir_store_t **opened, const char *prefix)
{
    const fhir_store_option_t options[] = {{"account", from_environment("FHIR_TEST_AZURE_ACCOUNT")},
                                           {"container", from_environment("FHIR_TEST_AZURE_CONTAINER")},
                                           {"account_key_file", from_environment("FHIR_TEST_AZURE_KEY_FILE")},
                                           {"endpoint", from_environment("FHIR_TEST_AZURE_ENDPOINT")},
                                           {"prefix", prefix},
                                           {"put_blob_size", "64K"},
                                           {"block_size", "64K"},
                                           {"sas_ip", "127.0.0.1"}};
    open_with(opened, options, 8);
}

static void open_token(fhir_store_t **opened)
{
    const char *url;
    endpoint_start(&tokens, give_token, token_answer());
    url = apr_psprintf(pool, "http://127.0.0.1:%d/token", tokens.port);
    {
        const fhir_store_option_t options[] = {{"account", from_environment("FHIR_TEST_AZURE_ACCOUNT")},
                                               {"container", from_environment("FHIR_TEST_AZURE_CONTAINER")},
                                               {"credentials", "managed_identity"},
                                               {"identity_endpoint", url},
                                               {"endpoint", from_environment("FHIR_TEST_AZURE_TLS_ENDPOINT")},
                                               {"ca_file", from_environment("FHIR_TEST_CA_FILE")},
                                               {"prefix", "delegated"}};
        open_with(opened, options, 7);
    }
}

static void end(void)
{
    plugin->close(store);
    fhir_http_client_close(client);
}

static const char *new_key(void)
{
    unsigned char bytes[FHIR_STORAGE_KEY_LENGTH / 2];
    char *key = apr_palloc(pool, FHIR_STORAGE_KEY_LENGTH + 1);
    size_t i;
    apr_generate_random_bytes(bytes, sizeof(bytes));
    for (i = 0; i < sizeof(bytes); i++) {
        snprintf(key + 2 * i, 3, "%02x", bytes[i]);
    }
    return key;
}

static const char *locator_of(const char *key)
{
    const char *locator;
    FHIR_ASSERT_OK(plugin->locate(&locator, store, key, &call));
    return locator;
}

/* `announced` bytes; as many of them are written. NULL: the writer is not committed but left in *left. */
static const char *store_bytes(fhir_writer_t **left, apr_off_t announced, apr_size_t written)
{
    const char *key = new_key();
    fhir_write_request_t request = {sizeof(request), key, locator_of(key), announced, "application/dicom"};
    fhir_object_info_t info = {0};
    char *bytes = apr_palloc(pool, written + 1);
    apr_size_t i;
    info.struct_size = sizeof(info);
    for (i = 0; i < written; i++) {
        bytes[i] = TEXT[i % 10];
    }
    FHIR_ASSERT_OK(plugin->writer_begin(left, store, &request, &call));
    FHIR_ASSERT_OK(plugin->writer_write(*left, bytes, written, &call));
    if (announced < 0 || announced == (apr_off_t)written) {
        FHIR_ASSERT_OK(plugin->writer_commit(&info, *left, &call));
        CU_ASSERT_EQUAL(info.length, (apr_off_t)written);
    }
    return request.locator;
}

static fhir_store_presigned_t presign(const char *locator, int write, apr_interval_time_t lifetime)
{
    fhir_store_presigned_t presigned = {0};
    fhir_store_presign_request_t request = {sizeof(request),
                                            locator,
                                            write,
                                            apr_time_now() + lifetime,
                                            "text/x-test",
                                            write ? NULL : "attachment; filename=\"a+b c.txt\"",
                                            write ? NULL : "private, max-age=5"};
    presigned.struct_size = sizeof(presigned);
    FHIR_ASSERT_OK(plugin->presign(&presigned, store, &request, &call));
    return presigned;
}

static fhir_http_response_t send_to(const char *method, const char *url, const fhir_store_presigned_t *headers,
                                    const char *body)
{
    fhir_http_response_t response = {0};
    fhir_http_request_t request = {.method = method, .url = url, .body = body, .body_length = body ? strlen(body) : 0};
    apr_array_header_t *sent = apr_array_make(pool, 2, sizeof(fhir_http_header_t));
    int i;
    for (i = 0; headers && i < headers->header_count; i++) {
        fhir_http_header_t *header = apr_array_push(sent);
        header->name = headers->headers[i].key;
        header->value = headers->headers[i].value;
    }
    request.headers = sent;
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &request, 65536, &call));
    return response;
}

static int status_of(const char *method, const char *url)
{
    return send_to(method, url, NULL, NULL).status;
}

/* ---- signed URLs ---- */

/* The value of each parameter with its last character changed, also of those that the emulator does not look at: the
 * signature covers them. */
static void every_change_is_refused(const char *url)
{
    const char *query = strchr(url, '?');
    const char *at;
    int changed = 0;
    for (at = query; at; at = strchr(at + 1, '&')) {
        const char *value_end = at + 1 + strcspn(at + 1, "&");
        char *other = apr_pstrdup(pool, url);
        char *last = other + (value_end - url) - 1;
        int status;
        *last = (char)(*last == '1' ? '2' : *last == 'D' ? 'E' : '1'); /* %3D becomes %3E */
        status = status_of("GET", other);
        if (status < 400 || status > 499) {
            printf("changed %.*s: status %d\n", (int)(value_end - at - 1), at + 1, status);
        }
        CU_ASSERT(status >= 400 && status <= 499);
        changed++;
    }
    CU_ASSERT(changed >= 9);
}

static void signature_without(const char *url, const char *parameter)
{
    const char *at = strstr(url, apr_pstrcat(pool, "&", parameter, "=", NULL));
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    CU_ASSERT(status_of("GET", apr_pstrcat(pool, apr_pstrmemdup(pool, url, (apr_size_t)(at - url)),
                                           at + 1 + strcspn(at + 1, "&"), NULL)) >= 400);
}

static void check_read_url(void)
{
    fhir_writer_t *writer;
    const char *locator = store_bytes(&writer, 10, 10);
    const char *other = store_bytes(&writer, 10, 10);
    fhir_store_presigned_t presigned = presign(locator, 0, apr_time_from_sec(60));
    fhir_http_response_t response = send_to("GET", presigned.url, NULL, NULL);
    CU_ASSERT_EQUAL(response.status, 200);
    CU_ASSERT_STRING_EQUAL(response.body, TEXT);
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "Content-Type"), "text/x-test");
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "Content-Disposition"),
                           "attachment; filename=\"a+b c.txt\"");
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "Cache-Control"), "private, max-age=5");
    CU_ASSERT_EQUAL(status_of("HEAD", presigned.url), 200);
    every_change_is_refused(presigned.url);
    signature_without(presigned.url, "se");
    signature_without(presigned.url, "spr");
    signature_without(presigned.url, "rsct");
    /* For this blob and reading only. */
    CU_ASSERT_EQUAL(
        status_of("GET", apr_pstrcat(pool,
                                     apr_pstrmemdup(pool, presigned.url,
                                                    (apr_size_t)(strstr(presigned.url, locator) - presigned.url)),
                                     other, strchr(presigned.url, '?'), NULL)),
        403);
    CU_ASSERT_EQUAL(status_of("DELETE", presigned.url), 403);
}

static void check_write_url(void)
{
    const char *locator = locator_of(new_key());
    fhir_store_presigned_t presigned = presign(locator, 1, apr_time_from_sec(60));
    fhir_object_info_t info = {0};
    int status;
    info.struct_size = sizeof(info);
    CU_ASSERT_EQUAL(send_to("PUT", presigned.url, &presigned, "first").status, 201);
    status = send_to("PUT", presigned.url, &presigned, "other bytes").status;
    CU_ASSERT(status == 403 || status == 409 || status == 412);
    CU_ASSERT_EQUAL(status_of("GET", presigned.url), 403);
    CU_ASSERT_EQUAL(status_of("DELETE", presigned.url), 403);
    FHIR_ASSERT_OK(plugin->stat(&info, store, locator, &call));
    CU_ASSERT_EQUAL(info.length, 5);
}

static void check_expiry(void)
{
    fhir_writer_t *writer;
    const char *locator = store_bytes(&writer, 10, 10);
    fhir_store_presigned_t presigned = presign(locator, 0, apr_time_from_msec(1500));
    CU_ASSERT_EQUAL(status_of("GET", presigned.url), 200);
    apr_sleep(apr_time_from_msec(2600));
    CU_ASSERT_EQUAL(status_of("GET", presigned.url), 403);
}

static void service_signatures(void)
{
    begin();
    open_shared_key(&store, "signed");
    check_read_url();
    check_write_url();
    check_expiry();
    end();
}

static void user_delegation_signatures(void)
{
    begin();
    open_token(&store);
    check_read_url();
    check_write_url();
    end();
    endpoint_end(&tokens);
}

/* ---- blocks of uploads that never ended ---- */

typedef struct search_t {
    const char *locator;
    int found;
    int committed;
} search_t;

static fhir_error_t *look_at(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    search_t *search = baton;
    (void)scratch;
    if (!strcmp(entry->locator, search->locator)) {
        search->found++;
        search->committed = entry->committed;
    }
    return NULL;
}

static search_t find(const char *locator)
{
    search_t search = {locator, 0, -1};
    const char *cursor = NULL;
    do {
        FHIR_ASSERT_OK(plugin->list(&cursor, store, cursor, 1000, look_at, &search, &call));
    } while (cursor);
    return search;
}

static void unfinished_uploads(void)
{
    fhir_object_info_t info = {0};
    fhir_writer_t *writer;
    const char *locator;
    int existed = 0;
    info.struct_size = sizeof(info);
    begin();
    open_shared_key(&store, "unfinished");
    /* Abort takes them away. */
    locator = store_bytes(&writer, 400000, 300000);
    CU_ASSERT_EQUAL(find(locator).committed, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, plugin->stat(&info, store, locator, &call));
    plugin->writer_abort(writer, &call);
    CU_ASSERT_EQUAL(find(locator).found, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, plugin->stat(&info, store, locator, &call));
    /* And so does remove, for a writer that is lost. (Azurite deletes such a name without its blocks, so that here a
     * late commit would still succeed. Azure deletes nothing that was never committed, and our empty list takes the
     * blocks away: tests/unit/test_azure_faults.c.) */
    locator = store_bytes(&writer, 200000, 200000 - 1);
    CU_ASSERT_EQUAL(find(locator).found, 1);
    FHIR_ASSERT_OK(plugin->remove(&existed, store, locator, &call));
    CU_ASSERT_EQUAL(existed, 1);
    /* Azurite may list the name again, as uncommitted, when it comes to the bytes that were on their way. */
    CU_ASSERT_NOT_EQUAL(find(locator).committed, 1);
    plugin->writer_abort(writer, &call);
    CU_ASSERT_NOT_EQUAL(find(locator).committed, 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, plugin->stat(&info, store, locator, &call));
    end();
}

static void lengths_that_nobody_announced(void)
{
    static const apr_size_t lengths[] = {0, 1, 65536, 65537, 524288, 524289, 1048576, 1048577, 3000000};
    size_t i;
    begin();
    open_shared_key(&store, "unannounced");
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        fhir_writer_t *writer;
        fhir_reader_t *reader;
        fhir_object_info_t info = {0};
        const char *locator = store_bytes(&writer, -1, lengths[i]);
        char buffer[10000];
        apr_size_t got;
        apr_size_t seen = 0;
        int right = 1;
        info.struct_size = sizeof(info);
        FHIR_ASSERT_OK(plugin->reader_open(&reader, &info, store, locator, 0, -1, &call));
        do {
            apr_size_t k;
            got = sizeof(buffer);
            FHIR_ASSERT_OK(plugin->reader_read(reader, buffer, &got, &call));
            for (k = 0; k < got; k++, seen++) {
                right = right && buffer[k] == TEXT[seen % 10];
            }
        } while (got);
        plugin->reader_close(reader);
        CU_ASSERT_TRUE(right);
        CU_ASSERT_EQUAL(seen, lengths[i]);
        CU_ASSERT_EQUAL(find(locator).committed, 1);
    }
    end();
}

/* ---- a listing by two processes ---- */

#define OBJECTS 60

typedef struct harvest_t {
    const char *locators[OBJECTS];
    int seen[OBJECTS];
    int others;
} harvest_t;

static fhir_error_t *gather(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch)
{
    harvest_t *harvest = baton;
    int i;
    int known = 0;
    (void)scratch;
    for (i = 0; i < OBJECTS; i++) {
        if (!strcmp(harvest->locators[i], entry->locator)) {
            harvest->seen[i]++;
            known = 1;
        }
    }
    harvest->others += !known;
    return NULL;
}

/* Each page is asked of the other one, which never saw the cursor. */
static void shared_listing(void)
{
    const char *prefix = apr_pstrcat(pool, "listed/", new_key(), NULL);
    harvest_t harvest = {{NULL}, {0}, 0};
    fhir_writer_t *writer;
    fhir_store_t *both[2];
    const char *cursor = NULL;
    int page = 0;
    int i;
    begin();
    open_shared_key(&both[0], prefix);
    open_shared_key(&both[1], prefix);
    store = both[0];
    for (i = 0; i < OBJECTS; i++) {
        harvest.locators[i] = store_bytes(&writer, 3, 3);
    }
    do {
        FHIR_ASSERT_OK(plugin->list(&cursor, both[page++ % 2], cursor, 7, gather, &harvest, &call));
    } while (cursor && page < 100);
    for (i = 0; i < OBJECTS; i++) {
        CU_ASSERT_EQUAL(harvest.seen[i], 1);
    }
    CU_ASSERT_EQUAL(harvest.others, 0);
    plugin->close(both[1]);
    end();
}

static const fhir_unit_test_t tests[] = {
    {"service signatures", service_signatures},     {"user delegation signatures", user_delegation_signatures},
    {"unfinished uploads", unfinished_uploads},     {"lengths that nobody announced", lengths_that_nobody_announced},
    {"a listing by two processes", shared_listing}, {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_live", tests)
