/* A server, a client and requests for the tests of the HTTP transport. */
#ifndef FHIR_TESTS_UNIT_HTTP_HELP_H
#define FHIR_TESTS_UNIT_HTTP_HELP_H

#include "http_server.h"
#include "storage-plugins/common/http.h"
#include "unit.h"

#define MEBIBYTE ((apr_off_t)1024 * 1024)
#define SMALL 4096
#define SHORT_STALL apr_time_from_msec(700)

static server_t *server;
static fhir_http_client_t *client;
static char *ca_file; /* of the server with TLS; NULL: plain */
static fhir_store_call_t call;

/* ---- a server and a client for each test ---- */

static inline void open_client_with(const char *authorities, apr_interval_time_t stall)
{
    fhir_http_config_t config = {authorities, apr_time_from_sec(10), stall, 4};
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(60);
    FHIR_ASSERT_OK(fhir_http_client_create(&client, &config, pool));
}

/* Patient, since the machine may have much else to do. */
static inline void open_client(const char *authorities)
{
    open_client_with(authorities, apr_time_from_sec(20));
}

static inline void begin(void)
{
    fhir_http_initialize();
    server = server_start(NULL);
    ca_file = NULL;
    open_client(NULL);
}

/* With a client for which SHORT_STALL is too long. */
static inline void begin_impatient(void)
{
    begin();
    fhir_http_client_close(client);
    open_client_with(NULL, SHORT_STALL);
}

static inline void begin_tls(const char *names)
{
    int made;
    fhir_http_initialize();
    ca_file = apr_pstrdup(pool, "/tmp/fhir-http-XXXXXX");
    made = mkstemp(ca_file);
    close(made);
    server = server_start(server_certificate(names, ca_file));
    open_client(ca_file);
}

static inline void end(void)
{
    fhir_http_client_close(client);
    server_stop(server);
    if (ca_file) {
        unlink(ca_file);
    }
}

static inline fhir_http_request_t request(const char *method, const char *path)
{
    fhir_http_request_t made = {method, NULL, NULL, NULL, 0};
    made.url = apr_psprintf(pool, "%s://127.0.0.1:%d%s", ca_file ? "https" : "http", server->port, path);
    return made;
}

static inline apr_array_header_t *headers(const char *name, const char *value, const char *name2, const char *value2)
{
    apr_array_header_t *made = apr_array_make(pool, 2, sizeof(fhir_http_header_t));
    APR_ARRAY_PUSH(made, fhir_http_header_t) = (fhir_http_header_t){name, value};
    if (name2) {
        APR_ARRAY_PUSH(made, fhir_http_header_t) = (fhir_http_header_t){name2, value2};
    }
    return made;
}

static inline fhir_error_t *get(fhir_http_response_t *response, const char *path)
{
    fhir_http_request_t asked = request("GET", path);
    return fhir_http_call(response, client, &asked, SMALL, &call);
}

static inline void assert_answer(const fhir_http_response_t *response, int status, const char *body)
{
    CU_ASSERT_EQUAL(response->status, status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(response->body);
    CU_ASSERT_STRING_EQUAL(response->body, body);
    CU_ASSERT_EQUAL(response->body_length, strlen(body));
}

static inline fhir_error_t *send_pattern(fhir_http_transfer_t *transfer, apr_off_t from, apr_off_t to, apr_size_t piece)
{
    while (from < to) {
        apr_size_t count = to - from < (apr_off_t)piece ? (apr_size_t)(to - from) : piece;
        FHIR_TRY(fhir_http_upload_write(transfer, server->pattern + from % PATTERN_LENGTH, count, &call));
        from += (apr_off_t)count;
    }
    return NULL;
}

/* Reads `length` bytes or to the end (-1), and looks at each. */
static inline fhir_error_t *read_pattern(apr_off_t *got, fhir_http_transfer_t *transfer, apr_off_t length,
                                         apr_size_t room)
{
    char *buffer = malloc(room);
    fhir_error_t *error = NULL;
    apr_size_t count = 1;
    apr_off_t start = *got;
    while (!error && count > 0 && (length < 0 || *got - start < length)) {
        count = room;
        error = fhir_http_download_read(transfer, buffer, &count, &call);
        if (count > room || memcmp(buffer, server->pattern + *got % PATTERN_LENGTH, count)) {
            CU_FAIL("wrong bytes");
        }
        *got += (apr_off_t)count;
    }
    free(buffer);
    return error;
}

#endif
