/* The HTTP transport of storage plugins: uploads, downloads, memory, TLS, threads. */
#include "http_help.h"
#include "memory.h"

/* ---- uploads ---- */

static void upload(apr_off_t length, apr_size_t piece)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked = request("PUT", "/sink");
    fhir_http_response_t response;
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, length, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(transfer);
    FHIR_ASSERT_OK(send_pattern(transfer, 0, length, piece));
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, transfer, SMALL, &call));
    assert_answer(&response, 200, apr_psprintf(pool, "%" APR_OFF_T_FMT " right", length));
}

static void test_uploads_of_many_sizes(void)
{
    static const apr_off_t lengths[] = {0, 1, 2, 16383, 16384, 16385, 65535, 65536, 65537, 131072, 1000003};
    size_t i;
    begin();
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        upload(lengths[i], SERVER_PIECE);
        upload(lengths[i], 1 + (apr_size_t)lengths[i] / 17);
    }
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    end();
}

static void test_an_upload_has_the_length_that_was_announced(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("PUT", "/sink");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 10, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_upload_write(transfer, server->pattern, 11, &call));
    FHIR_ASSERT_OK(fhir_http_upload_write(transfer, server->pattern, 9, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_upload_write(transfer, server->pattern, 2, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_upload_finish(&response, transfer, SMALL, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_upload_begin(&transfer, client, &asked, -1, &call));
    CU_ASSERT_PTR_NULL(transfer);
    end();
}

static void early_answer(const char *path, int status, const char *body, int may_break)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked = request("PUT", path);
    fhir_http_response_t response;
    fhir_error_t *error;
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 100 * MEBIBYTE, &call));
    error = send_pattern(transfer, 0, 100 * MEBIBYTE, SERVER_PIECE);
    if (!error) {
        CU_ASSERT_TRUE(fhir_http_upload_answered(transfer));
        error = fhir_http_upload_finish(&response, transfer, SMALL, &call);
    } else {
        fhir_http_end(transfer);
    }
    if (!error) {
        assert_answer(&response, status, body);
    } else if (may_break) {
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
    } else {
        FHIR_ASSERT_OK(error);
    }
}

static void test_an_early_answer_ends_the_sending(void)
{
    fhir_http_response_t response;
    begin();
    early_answer("/bad/early-403", 403, "no", 0);
    early_answer("/bad/early-307", 307, "go", 0);
    /* A server that does not read on breaks the connection, and its answer may be lost. */
    early_answer("/bad/early-403-closed", 403, "no", 1);
    FHIR_ASSERT_OK(get(&response, "/hello"));
    assert_answer(&response, 200, "hello");
    end();
}

static void test_an_answer_before_the_first_byte(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    int i;
    begin();
    asked = request("PUT", "/nowhere?n=3");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, MEBIBYTE, &call));
    for (i = 0; i < 100 && !fhir_http_upload_answered(transfer); i++) {
        apr_sleep(apr_time_from_msec(10));
    }
    CU_ASSERT_TRUE(fhir_http_upload_answered(transfer));
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, transfer, SMALL, &call));
    assert_answer(&response, 404, "xxx");
    end();
}

static void test_interim_answers_are_passed_over(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("PUT", "/continue");
    asked.headers = headers("Expect", "100-continue", NULL, NULL);
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 100000, &call));
    FHIR_ASSERT_OK(send_pattern(transfer, 0, 100000, 30000));
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, transfer, SMALL, &call));
    assert_answer(&response, 200, "100000 right");
    CU_ASSERT_PTR_NULL(apr_table_get(response.headers, "X-Hint"));
    end();
}

static void test_an_answer_to_an_upload_has_its_limit(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("PUT", "/long?n=200000");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 0, &call));
    while (!fhir_http_upload_answered(transfer)) {
        apr_sleep(apr_time_from_msec(10));
    }
    apr_sleep(apr_time_from_msec(100));
    (void)fhir_http_upload_answered(transfer);
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, transfer, 200000, &call));
    CU_ASSERT_EQUAL(response.body_length, 200000);
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 0, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_http_upload_finish(&response, transfer, 199999, &call));
    end();
}

/* ---- downloads ---- */

static void download(apr_off_t length, apr_size_t room)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked = request("GET", apr_psprintf(pool, "/source?n=%" APR_OFF_T_FMT, length));
    fhir_http_response_t response;
    apr_off_t got = 0;
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    CU_ASSERT_EQUAL(response.status, 200);
    CU_ASSERT_EQUAL(response.content_length, length);
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "x-one"), "1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(transfer);
    FHIR_ASSERT_OK(read_pattern(&got, transfer, -1, room));
    CU_ASSERT_EQUAL(got, length);
    FHIR_ASSERT_OK(read_pattern(&got, transfer, -1, room));
    fhir_http_end(transfer);
}

static void test_downloads_of_many_sizes(void)
{
    static const apr_off_t lengths[] = {0, 1, 2, 16383, 16384, 16385, 65535, 65536, 65537, 131072, 1000003};
    static const apr_size_t rooms[] = {1021, 16384, SERVER_PIECE};
    size_t i;
    size_t j;
    begin();
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (j = 0; j < sizeof(rooms) / sizeof(rooms[0]); j++) {
            download(lengths[i], rooms[j]);
        }
    }
    download(5000, 1);
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    end();
}

static void test_a_download_of_an_error_has_ended(void)
{
    fhir_http_transfer_t *transfer = (fhir_http_transfer_t *)&call;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin_impatient();
    asked = request("GET", "/missing?n=9");
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    CU_ASSERT_PTR_NULL(transfer);
    assert_answer(&response, 404, "xxxxxxxxx");
    asked = request("GET", "/missing?n=100000");
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    CU_ASSERT_PTR_NULL(transfer);
    CU_ASSERT_EQUAL(response.body_length, 65536);
    CU_ASSERT_EQUAL(response.status, 404);
    asked = request("GET", "/bad/silent");
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    CU_ASSERT_PTR_NULL(transfer);
    end();
}

static void test_an_abandoned_download_takes_its_connection_along(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    apr_off_t got = 0;
    begin();
    asked = request("GET", "/source?n=10000000");
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    FHIR_ASSERT_OK(read_pattern(&got, transfer, 100000, 10000));
    fhir_http_end(transfer);
    fhir_http_end(NULL);
    FHIR_ASSERT_OK(get(&response, "/hello"));
    assert_answer(&response, 200, "hello");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 2);
    end();
}

/* ---- memory ---- */

static void stream_both_ways(void)
{
    enum { STREAMS = 10 };
    const apr_off_t length = 4 * MEBIBYTE;
    fhir_http_transfer_t *up[STREAMS];
    fhir_http_transfer_t *down[STREAMS];
    fhir_http_request_t put = request("PUT", "/sink");
    fhir_http_request_t asked = request("GET", apr_psprintf(pool, "/source?n=%" APR_OFF_T_FMT, length));
    fhir_http_response_t response;
    apr_off_t got[STREAMS] = {0};
    apr_off_t sent;
    apr_size_t before = memory_in_use();
    apr_size_t most = 0;
    apr_size_t now;
    int i;
    for (i = 0; i < STREAMS; i++) {
        FHIR_ASSERT_OK(fhir_http_upload_begin(&up[i], client, &put, length, &call));
        FHIR_ASSERT_OK(fhir_http_download_begin(&response, &down[i], client, &asked, &call));
        CU_ASSERT_TRUE_FATAL(up[i] && down[i]);
    }
    for (sent = 0; sent < length; sent += MEBIBYTE) {
        for (i = 0; i < STREAMS; i++) {
            FHIR_ASSERT_OK(send_pattern(up[i], sent, sent + MEBIBYTE, SERVER_PIECE));
            FHIR_ASSERT_OK(read_pattern(&got[i], down[i], MEBIBYTE - 7, 10007));
        }
        now = memory_in_use();
        most = now > most ? now : most;
    }
    for (i = 0; i < STREAMS; i++) {
        FHIR_ASSERT_OK(fhir_http_upload_finish(&response, up[i], SMALL, &call));
        assert_answer(&response, 200, "4194304 right");
        FHIR_ASSERT_OK(read_pattern(&got[i], down[i], -1, 10007));
        CU_ASSERT_EQUAL(got[i], length);
        fhir_http_end(down[i]);
    }
    if (getenv("FHIR_TEST_VERBOSE")) {
        printf("ten each way%s: %ld KiB, server threads included\n", ca_file ? " with TLS" : "",
               ((long)most - (long)before) / 1024);
    }
    /* Each of the server's threads takes up to 160 KiB of this. */
    CU_ASSERT_TRUE(most < before + (apr_size_t)12 * 1024 * 1024);
}

static void test_memory_stays_bounded(void)
{
    begin();
    stream_both_ways();
    end();
}

static void test_a_hundred_mebibytes_each_way(void)
{
    /* valgrind takes minutes for a hundred. */
    const apr_off_t length = getenv("FHIR_TEST_VALGRIND") ? 5 * MEBIBYTE : 100 * MEBIBYTE;
    apr_size_t before;
    begin();
    upload(MEBIBYTE, SERVER_PIECE);
    download(MEBIBYTE, SERVER_PIECE);
    before = memory_in_use();
    upload(length, SERVER_PIECE);
    download(length, SERVER_PIECE);
    CU_ASSERT_TRUE(memory_in_use() < before + 512 * 1024);
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    end();
}

/* ---- TLS ---- */

static void test_tls_works_and_is_kept(void)
{
    fhir_http_response_t response;
    begin_tls("IP:127.0.0.1,DNS:localhost");
    FHIR_ASSERT_OK(get(&response, "/hello"));
    assert_answer(&response, 200, "hello");
    upload(3 * MEBIBYTE, 50000);
    download(3 * MEBIBYTE, 50000);
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    stream_both_ways();
    end();
}

static void test_tls_faults(void)
{
    fhir_http_response_t response;
    begin_tls("IP:127.0.0.1");
    FHIR_ASSERT_OK(get(&response, "/bad/closed-after"));
    FHIR_ASSERT_OK(get(&response, "/bad/closed-after"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, get(&response, "/bad/truncated?n=1000000"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get(&response, "/bad/reset"));
    early_answer("/bad/early-403", 403, "no", 0);
    early_answer("/bad/early-403-closed", 403, "no", 1);
    end();
}

/* Another ca_file can help only where the authority is unknown. */
static void assert_denied(int may_help)
{
    fhir_http_response_t response;
    fhir_error_t *error = get(&response, "/hello");
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, error);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_NO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "127.0.0.1"));
    CU_ASSERT_EQUAL(strstr(error->detail, "ca_file=") != NULL, may_help);
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 0);
}

static void test_a_certificate_that_is_not_trusted_is_denied(void)
{
    begin_tls("IP:127.0.0.1");
    fhir_http_client_close(client);
    open_client(NULL); /* the system does not know it */
    assert_denied(1);
    end();
}

static void test_a_certificate_for_another_host_is_denied(void)
{
    begin_tls("DNS:elsewhere.example");
    assert_denied(0);
    end();
}

static void test_ca_file_replaces_the_system_and_must_be_readable(void)
{
    fhir_http_config_t config = {"/nonexistent/ca.pem", 0, 0, 1};
    fhir_http_client_t *none;
    char *other = apr_pstrdup(pool, "/tmp/fhir-http-XXXXXX");
    begin_tls("IP:127.0.0.1");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_client_create(&none, &config, pool));
    CU_ASSERT_PTR_NULL(none);
    close(mkstemp(other));
    config.ca_file = other;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_client_create(&none, &config, pool)); /* empty */
    SSL_CTX_free(server_certificate("IP:127.0.0.1", other));
    fhir_http_client_close(client);
    open_client(other);
    assert_denied(1);
    unlink(other);
    end();
}

/* ---- threads ---- */

static void *use_client(void *baton)
{
    fhir_store_call_t mine = call;
    fhir_http_request_t asked = {"GET", baton, NULL, NULL, 0};
    fhir_http_response_t response;
    apr_size_t wrong = 0;
    int i;
    apr_pool_create(&mine.result_pool, NULL);
    mine.scratch_pool = mine.result_pool;
    for (i = 0; i < 40; i++) {
        fhir_error_t *error = fhir_http_call(&response, client, &asked, SMALL, &mine);
        wrong += error || response.status != 200 || strcmp(response.body, "hello") != 0;
    }
    apr_pool_destroy(mine.result_pool);
    return (void *)wrong;
}

static void test_many_threads_share_a_client(void)
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    char *url;
    int i;
    begin();
    url = apr_psprintf(pool, "http://127.0.0.1:%d/hello", server->port);
    for (i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, use_client, url), 0);
    }
    for (i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CU_ASSERT_PTR_NULL(wrong);
    }
    CU_ASSERT_EQUAL(atomic_load(&server->requests), THREADS * 40);
    end();
}

static const fhir_unit_test_t tests[] = {
    {"uploads_of_many_sizes", test_uploads_of_many_sizes},
    {"an_upload_has_the_length_that_was_announced", test_an_upload_has_the_length_that_was_announced},
    {"an_early_answer_ends_the_sending", test_an_early_answer_ends_the_sending},
    {"an_answer_before_the_first_byte", test_an_answer_before_the_first_byte},
    {"interim_answers_are_passed_over", test_interim_answers_are_passed_over},
    {"an_answer_to_an_upload_has_its_limit", test_an_answer_to_an_upload_has_its_limit},
    {"downloads_of_many_sizes", test_downloads_of_many_sizes},
    {"a_download_of_an_error_has_ended", test_a_download_of_an_error_has_ended},
    {"an_abandoned_download_takes_its_connection_along", test_an_abandoned_download_takes_its_connection_along},
    {"memory_stays_bounded", test_memory_stays_bounded},
    {"a_hundred_mebibytes_each_way", test_a_hundred_mebibytes_each_way},
    {"tls_works_and_is_kept", test_tls_works_and_is_kept},
    {"tls_faults", test_tls_faults},
    {"a_certificate_that_is_not_trusted_is_denied", test_a_certificate_that_is_not_trusted_is_denied},
    {"a_certificate_for_another_host_is_denied", test_a_certificate_for_another_host_is_denied},
    {"ca_file_replaces_the_system_and_must_be_readable", test_ca_file_replaces_the_system_and_must_be_readable},
    {"many_threads_share_a_client", test_many_threads_share_a_client},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("http_streams", tests)
