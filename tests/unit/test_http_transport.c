/* The HTTP transport of storage plugins against a server that misbehaves: requests, connections, time. */
#include "http_help.h"

/* ---- requests as a whole ---- */

static void test_call_gives_status_headers_and_body(void)
{
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/hello"));
    assert_answer(&response, 200, "hello");
    CU_ASSERT_EQUAL(response.content_length, 5);
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "etag"), "\"e\"");
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "X-TWO"), "a");
    CU_ASSERT_STRING_EQUAL(apr_table_get(response.headers, "X-Empty"), "");
    CU_ASSERT_PTR_NULL(apr_table_get(response.headers, "HTTP/1.1 200 OK"));
    end();
}

static void test_head_announces_a_length_without_a_body(void)
{
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("HEAD", "/hello");
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    assert_answer(&response, 200, "");
    CU_ASSERT_EQUAL(response.content_length, 5);
    FHIR_ASSERT_OK(get(&response, "/no-content"));
    assert_answer(&response, 204, "");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    end();
}

static void test_the_request_is_sent_byte_for_byte(void)
{
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("GET", "/head/../a%2fb//./c?x=%7e&y&z=/:@+!*'()~");
    asked.url = apr_pstrcat(pool, asked.url, NULL);
    asked = request("GET", "/head?a/../b%2f//./c&x=%7e&y&z=/:@+!*'()~");
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    CU_ASSERT_STRING_EQUAL(response.body, apr_psprintf(pool,
                                                       "GET /head?a/../b%%2f//./c&x=%%7e&y&z=/:@+!*'()~ HTTP/1.1\r\n"
                                                       "Host: 127.0.0.1:%d\r\n\r\n",
                                                       server->port));
    asked = request("DELETE", "/head?q");
    asked.headers = headers("Host", "elsewhere.example:1", "x-empty", "");
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    CU_ASSERT_STRING_EQUAL(response.body, "DELETE /head?q HTTP/1.1\r\nHost: elsewhere.example:1\r\nx-empty:\r\n\r\n");
    end();
}

static void test_dots_and_double_slashes_stay_in_the_path(void)
{
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("GET", "/x/../a%2fb//./c?n=1");
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    assert_answer(&response, 404, "x");
    asked.url = apr_psprintf(pool, "http://127.0.0.1:%d?n=2", server->port);
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    assert_answer(&response, 404, "xx");
    end();
}

static void test_a_body_has_its_length_and_nothing_else(void)
{
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    asked = request("POST", "/head");
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    CU_ASSERT_PTR_NOT_NULL(strstr(response.body, "\r\nContent-Length: 0\r\n\r\n"));
    asked.headers = headers("Content-Type", "text/xml", "Authorization", "Bearer x");
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    CU_ASSERT_STRING_EQUAL(response.body, apr_psprintf(pool,
                                                       "POST /head HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
                                                       "text/xml\r\nAuthorization: Bearer x\r\nContent-Length: "
                                                       "0\r\n\r\n",
                                                       server->port));
    asked = request("PUT", "/sink");
    asked.body = server->pattern;
    asked.body_length = 60000;
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    assert_answer(&response, 200, "60000 right");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    end();
}

static void test_impossible_requests_are_refused(void)
{
    static const char *const urls[] = {"ftp://x/",        "http://",          "http://u:p@127.0.0.1/", "http://a b/",
                                       "http://x/a b",    "http://x/a#b",     "http://x/\r\nX: y",     "127.0.0.1/",
                                       "file:///etc/xyz", "http://x/\xc3\xa4"};
    fhir_http_request_t asked;
    fhir_http_response_t response;
    size_t i;
    begin();
    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        asked = request("GET", "/");
        asked.url = urls[i];
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_call(&response, client, &asked, SMALL, &call));
    }
    asked = request("GET X", "/hello");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_call(&response, client, &asked, SMALL, &call));
    asked = request("GET", "/hello");
    asked.headers = headers("X-A", "b\r\nX-C: d", NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_call(&response, client, &asked, SMALL, &call));
    asked.headers = headers("X A", "b", NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_call(&response, client, &asked, SMALL, &call));
    asked.headers = headers("transfer-encoding", "chunked", NULL, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_http_call(&response, client, &asked, SMALL, &call));
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 0);
    end();
}

static void test_chunks_are_put_together(void)
{
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/chunked"));
    assert_answer(&response, 200, "abc0123456789");
    CU_ASSERT_EQUAL(response.content_length, -1);
    CU_ASSERT_PTR_NULL(apr_table_get(response.headers, "X-Trailer"));
    FHIR_ASSERT_OK(get(&response, "/close-delimited"));
    assert_answer(&response, 200, "until the end");
    end();
}

static void test_a_redirect_is_an_answer(void)
{
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/redirect"));
    assert_answer(&response, 307, "");
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 1);
    end();
}

static void test_an_answer_has_its_limit(void)
{
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/long?n=4096"));
    CU_ASSERT_EQUAL(response.body_length, 4096);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, get(&response, "/long?n=4097"));
    FHIR_ASSERT_OK(get(&response, "/hello"));
    end();
}

/* ---- connections ---- */

static void test_a_connection_is_used_again(void)
{
    fhir_http_response_t response;
    int i;
    begin();
    for (i = 0; i < 20; i++) {
        FHIR_ASSERT_OK(get(&response, i % 2 ? "/hello" : "/chunked"));
    }
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 20);
    end();
}

static void test_a_closed_idle_connection_does_no_harm(void)
{
    fhir_http_response_t response;
    int i;
    begin();
    for (i = 0; i < 5; i++) {
        FHIR_ASSERT_OK(get(&response, "/bad/closed-after"));
        assert_answer(&response, 200, "still here");
    }
    end();
}

static void test_a_request_that_an_idle_connection_lost_is_sent_again(void)
{
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/hello"));
    asked = request("PUT", "/bad/drop-reused-late");
    asked.body = server->pattern;
    asked.body_length = 50000;
    FHIR_ASSERT_OK(fhir_http_call(&response, client, &asked, SMALL, &call));
    assert_answer(&response, 200, "50000 right");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 2);
    CU_ASSERT_EQUAL(atomic_load(&server->dropped), 1);
    end();
}

static void test_an_upload_on_a_dying_idle_connection(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/hello"));
    asked = request("PUT", "/bad/drop-reused");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 50000, &call));
    apr_sleep(apr_time_from_msec(50)); /* the server closes now */
    FHIR_ASSERT_OK(send_pattern(transfer, 0, 50000, 50000));
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, transfer, SMALL, &call));
    assert_answer(&response, 200, "50000 right");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 2);
    end();
}

static void test_an_upload_takes_no_connection_that_was_idle_for_long(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_OK(get(&response, "/hello"));
    apr_sleep(apr_time_from_msec(4100));
    FHIR_ASSERT_OK(get(&response, "/hello"));
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 1);
    apr_sleep(apr_time_from_msec(4100));
    asked = request("PUT", "/sink");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 50000, &call));
    FHIR_ASSERT_OK(send_pattern(transfer, 0, 50000, 50000));
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, transfer, SMALL, &call));
    assert_answer(&response, 200, "50000 right");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 2);
    end();
}

static void test_an_upload_that_lost_bytes_already_given_fails(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    fhir_error_t *error;
    begin();
    FHIR_ASSERT_OK(get(&response, "/hello"));
    asked = request("PUT", "/bad/drop-reused-late");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 50000, &call));
    FHIR_ASSERT_OK(send_pattern(transfer, 0, 50000, 10000));
    error = fhir_http_upload_finish(&response, transfer, SMALL, &call);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_YES);
    end();
}

static void test_refused_connection_is_unavailable(void)
{
    fhir_http_request_t asked;
    fhir_http_response_t response;
    fhir_error_t *error;
    begin();
    asked = request("GET", "/");
    asked.url = "http://127.0.0.1:1/path?secret=query";
    error = fhir_http_call(&response, client, &asked, SMALL, &call);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_YES);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "GET http://127.0.0.1:1: "));
    CU_ASSERT_PTR_NULL(strstr(error->detail, "secret"));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "127.0.0.1"));
    asked.url = "http://name.invalid/";
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_http_call(&response, client, &asked, SMALL, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get(&response, "/bad/reset"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get(&response, "/bad/no-http"));
    end();
}

static void test_no_idle_connections_works_too(void)
{
    fhir_http_config_t config = {NULL, 0, 0, 0};
    fhir_http_response_t response;
    begin();
    fhir_http_client_close(client);
    FHIR_ASSERT_OK(fhir_http_client_create(&client, &config, pool));
    FHIR_ASSERT_OK(get(&response, "/hello"));
    FHIR_ASSERT_OK(get(&response, "/hello"));
    CU_ASSERT_EQUAL(atomic_load(&server->connections), 2);
    end();
}

/* ---- broken answers ---- */

static void test_truncated_answers_are_corrupt(void)
{
    fhir_http_response_t response;
    begin();
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, get(&response, "/bad/truncated?n=1000000"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, get(&response, "/bad/chunked"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get(&response, "/bad/truncated-error"));
    end();
}

static void test_a_truncated_download_is_never_a_quiet_end(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    apr_off_t got = 0;
    begin();
    asked = request("GET", "/bad/truncated?n=1000000");
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    CU_ASSERT_EQUAL(response.content_length, 1000000);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_pattern(&got, transfer, -1, 10000));
    CU_ASSERT_TRUE(got >= 500000 && got < 1000000);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_pattern(&got, transfer, -1, 10000));
    fhir_http_end(transfer);
    end();
}

/* ---- time ---- */

static void test_silence_is_a_timeout(void)
{
    fhir_http_response_t response;
    apr_time_t began;
    fhir_error_t *error;
    begin_impatient();
    began = apr_time_now();
    error = get(&response, "/bad/silent");
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, error);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_YES);
    CU_ASSERT_TRUE(apr_time_now() - began >= apr_time_from_msec(690));
    CU_ASSERT_TRUE(apr_time_now() - began < apr_time_from_sec(5));
    end();
}

static void test_a_stalled_download_is_a_timeout(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    char buffer[100];
    apr_size_t length = sizeof(buffer);
    begin_impatient();
    asked = request("GET", "/bad/stalled-body");
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &transfer, client, &asked, &call));
    FHIR_ASSERT_OK(fhir_http_download_read(transfer, buffer, &length, &call));
    CU_ASSERT_EQUAL(length, 4);
    length = sizeof(buffer);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_http_download_read(transfer, buffer, &length, &call));
    CU_ASSERT_EQUAL(length, 0);
    length = sizeof(buffer);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_http_download_read(transfer, buffer, &length, &call));
    fhir_http_end(transfer);
    end();
}

static void test_a_stalled_upload_is_a_timeout(void)
{
    fhir_http_transfer_t *transfer;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    begin_impatient();
    asked = request("PUT", "/bad/slow-sink");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&transfer, client, &asked, 100 * MEBIBYTE, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, send_pattern(transfer, 0, 100 * MEBIBYTE, SERVER_PIECE));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_http_upload_finish(&response, transfer, SMALL, &call));
    end();
}

static void test_the_callers_own_time_does_not_count(void)
{
    fhir_http_transfer_t *up;
    fhir_http_transfer_t *down;
    fhir_http_request_t asked;
    fhir_http_response_t response;
    apr_off_t got = 0;
    begin_impatient();
    asked = request("PUT", "/sink");
    FHIR_ASSERT_OK(fhir_http_upload_begin(&up, client, &asked, 2 * MEBIBYTE, &call));
    asked = request("GET", "/source?n=20971520");
    FHIR_ASSERT_OK(fhir_http_download_begin(&response, &down, client, &asked, &call));
    apr_sleep(apr_time_from_msec(1000));
    FHIR_ASSERT_OK(send_pattern(up, 0, MEBIBYTE, 10000));
    FHIR_ASSERT_OK(read_pattern(&got, down, 10 * MEBIBYTE, 70000));
    apr_sleep(apr_time_from_msec(1000));
    FHIR_ASSERT_OK(send_pattern(up, MEBIBYTE, 2 * MEBIBYTE, 10000));
    FHIR_ASSERT_OK(fhir_http_upload_finish(&response, up, SMALL, &call));
    assert_answer(&response, 200, "2097152 right");
    FHIR_ASSERT_OK(read_pattern(&got, down, -1, 70000));
    CU_ASSERT_EQUAL(got, 20 * MEBIBYTE);
    fhir_http_end(down);
    end();
}

static void test_the_deadline_holds(void)
{
    fhir_http_response_t response;
    begin();
    call.deadline = apr_time_now() + apr_time_from_msec(300);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, get(&response, "/bad/silent"));
    CU_ASSERT_TRUE(apr_time_now() - call.deadline < apr_time_from_sec(2));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, get(&response, "/hello"));
    CU_ASSERT_EQUAL(atomic_load(&server->requests), 1);
    end();
}

static int asked_often(void *baton)
{
    int *times = baton;
    return ++*times > 3;
}

static void test_cancelling_is_noticed(void)
{
    fhir_http_response_t response;
    apr_time_t began;
    int times = 0;
    begin();
    began = apr_time_now();
    call.cancelled = asked_often;
    call.cancelled_baton = &times;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, get(&response, "/bad/silent"));
    CU_ASSERT_TRUE(apr_time_now() - began < apr_time_from_sec(3));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, get(&response, "/hello"));
    end();
}

static void test_headers_without_end_are_refused(void)
{
    static const char *const paths[] = {"/bad/hints", "/bad/headers", "/bad/trailers"};
    fhir_http_response_t response;
    size_t i;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        begin();
        call.deadline = apr_time_now() + apr_time_from_sec(20);
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, get(&response, paths[i]));
        CU_ASSERT_TRUE(apr_time_now() < call.deadline);
        end();
    }
    begin();
    CU_ASSERT_PTR_NOT_NULL(get(&response, "/bad/header-line")); /* libcurl's own limit */
    end();
}

static void check_scheme_advice(const char *scheme, int port, const char *advice)
{
    fhir_http_response_t response;
    fhir_http_request_t asked = {"GET", NULL, NULL, NULL, 0};
    fhir_error_t *error;
    asked.url = apr_psprintf(pool, "%s://127.0.0.1:%d/hello", scheme, port);
    error = fhir_http_call(&response, client, &asked, SMALL, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    if (!strstr(error->detail, advice)) {
        printf("%s\n", error->detail);
        CU_FAIL("no advice");
    }
}

/* What servers of plain http say to the beginning of TLS. */
static void *answer_in_plain(void *baton)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    char taken[1000];
    int peer = accept(*(int *)baton, NULL, NULL);
    CU_ASSERT(recv(peer, taken, sizeof(taken), 0) > 0);
    CU_ASSERT(send(peer, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0);
    close(peer);
    return NULL;
}

static void test_the_wrong_scheme_is_named(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread = 0;
    begin_tls("IP:127.0.0.1");
    check_scheme_advice("http", server->port, "does endpoint= speak https instead of http?");
    CU_ASSERT_FATAL(!bind(plain, (struct sockaddr *)&address, sizeof(address)) && !listen(plain, 1) &&
                    !getsockname(plain, (struct sockaddr *)&address, &length) &&
                    !pthread_create(&thread, NULL, answer_in_plain, &plain));
    check_scheme_advice("https", ntohs(address.sin_port), "does endpoint= speak http instead of https?");
    pthread_join(thread, NULL);
    close(plain);
    end();
}

static const fhir_unit_test_t tests[] = {
    {"call_gives_status_headers_and_body", test_call_gives_status_headers_and_body},
    {"head_announces_a_length_without_a_body", test_head_announces_a_length_without_a_body},
    {"the_request_is_sent_byte_for_byte", test_the_request_is_sent_byte_for_byte},
    {"dots_and_double_slashes_stay_in_the_path", test_dots_and_double_slashes_stay_in_the_path},
    {"a_body_has_its_length_and_nothing_else", test_a_body_has_its_length_and_nothing_else},
    {"impossible_requests_are_refused", test_impossible_requests_are_refused},
    {"chunks_are_put_together", test_chunks_are_put_together},
    {"a_redirect_is_an_answer", test_a_redirect_is_an_answer},
    {"an_answer_has_its_limit", test_an_answer_has_its_limit},
    {"a_connection_is_used_again", test_a_connection_is_used_again},
    {"a_closed_idle_connection_does_no_harm", test_a_closed_idle_connection_does_no_harm},
    {"a_request_that_an_idle_connection_lost_is_sent_again", test_a_request_that_an_idle_connection_lost_is_sent_again},
    {"an_upload_on_a_dying_idle_connection", test_an_upload_on_a_dying_idle_connection},
    {"an_upload_takes_no_connection_that_was_idle_for_long", test_an_upload_takes_no_connection_that_was_idle_for_long},
    {"an_upload_that_lost_bytes_already_given_fails", test_an_upload_that_lost_bytes_already_given_fails},
    {"refused_connection_is_unavailable", test_refused_connection_is_unavailable},
    {"no_idle_connections_works_too", test_no_idle_connections_works_too},
    {"truncated_answers_are_corrupt", test_truncated_answers_are_corrupt},
    {"a_truncated_download_is_never_a_quiet_end", test_a_truncated_download_is_never_a_quiet_end},
    {"headers_without_end_are_refused", test_headers_without_end_are_refused},
    {"silence_is_a_timeout", test_silence_is_a_timeout},
    {"a_stalled_download_is_a_timeout", test_a_stalled_download_is_a_timeout},
    {"a_stalled_upload_is_a_timeout", test_a_stalled_upload_is_a_timeout},
    {"the_callers_own_time_does_not_count", test_the_callers_own_time_does_not_count},
    {"the_deadline_holds", test_the_deadline_holds},
    {"cancelling_is_noticed", test_cancelling_is_noticed},
    {"the_wrong_scheme_is_named", test_the_wrong_scheme_is_named},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("http_transport", tests)
