/* What statuses of a store mean, and trying again. */
#include "storage-plugins/common/http.h"
#include "unit.h"

static fhir_error_t *error_of(int status, const char *retry_after)
{
    fhir_http_response_t response = {.status = status, .headers = apr_table_make(pool, 1)};
    if (retry_after) {
        apr_table_set(response.headers, "retry-after", retry_after);
    }
    return fhir_http_status_error(&response, "GET object", "SomeCode", pool);
}

static void test_success_is_no_error(void)
{
    FHIR_ASSERT_OK(error_of(200, NULL));
    FHIR_ASSERT_OK(error_of(204, NULL));
    FHIR_ASSERT_OK(error_of(206, NULL));
}

typedef struct expected_t {
    int status;
    fhir_error_code_t code;
    fhir_retry_t retry;
} expected_t;

static void test_each_status_has_its_meaning(void)
{
    static const expected_t rows[] = {
        {100, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO},     {304, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO},
        {307, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO},     {400, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO},
        {401, FHIR_ERROR_DENIED, FHIR_RETRY_NO},       {403, FHIR_ERROR_DENIED, FHIR_RETRY_NO},
        {404, FHIR_ERROR_NOT_FOUND, FHIR_RETRY_NO},    {408, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES},
        {409, FHIR_ERROR_EXISTS, FHIR_RETRY_NO},       {412, FHIR_ERROR_EXISTS, FHIR_RETRY_NO},
        {413, FHIR_ERROR_TOO_LARGE, FHIR_RETRY_NO},    {416, FHIR_ERROR_RANGE, FHIR_RETRY_NO},
        {429, FHIR_ERROR_THROTTLED, FHIR_RETRY_AFTER}, {500, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES},
        {502, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES}, {503, FHIR_ERROR_THROTTLED, FHIR_RETRY_AFTER},
        {507, FHIR_ERROR_NO_SPACE, FHIR_RETRY_NO},     {599, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES},
        {600, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO},
    };
    size_t i;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fhir_error_t *error = error_of(rows[i].status, NULL);
        FHIR_ASSERT_ERROR(rows[i].code, error);
        CU_ASSERT_EQUAL(error->retry, rows[i].retry);
        CU_ASSERT_EQUAL(error->retry_after, 0);
        CU_ASSERT_STRING_EQUAL(error->detail, apr_psprintf(pool, "GET object: HTTP %d SomeCode", rows[i].status));
        CU_ASSERT_PTR_NULL(strstr(error->public_text, "SomeCode"));
    }
}

static void test_a_response_without_headers_or_code(void)
{
    fhir_http_response_t response = {.status = 503};
    fhir_error_t *error = fhir_http_status_error(&response, "PUT", NULL, pool);
    FHIR_ASSERT_ERROR(FHIR_ERROR_THROTTLED, error);
    CU_ASSERT_STRING_EQUAL(error->detail, "PUT: HTTP 503");
}

static void test_retry_after_is_seconds_or_a_date(void)
{
    char date[APR_RFC822_DATE_LEN];
    apr_interval_time_t wait;
    CU_ASSERT_EQUAL(error_of(503, "7")->retry_after, apr_time_from_sec(7));
    CU_ASSERT_EQUAL(error_of(503, "99999999999999999999999")->retry_after, apr_time_from_sec(3600));
    CU_ASSERT_EQUAL(error_of(503, "-7")->retry_after, 0);
    CU_ASSERT_EQUAL(error_of(503, "7s")->retry_after, 0);
    CU_ASSERT_EQUAL(error_of(503, "soon")->retry_after, 0);
    CU_ASSERT_EQUAL(error_of(503, "Sun, 06 Nov 1994 08:49:37 GMT")->retry_after, 0);
    CU_ASSERT_EQUAL(error_of(500, "7")->retry_after, 0);
    apr_rfc822_date(date, apr_time_now() + apr_time_from_sec(100));
    wait = error_of(429, date)->retry_after;
    CU_ASSERT_TRUE(wait > apr_time_from_sec(90) && wait <= apr_time_from_sec(100));
}

static int always(void *baton)
{
    (void)baton;
    return 1;
}

static int tries(fhir_error_t *error, const fhir_store_call_t *call)
{
    int attempt = 0;
    while (fhir_http_try_again(&attempt, error, call)) {
    }
    return attempt;
}

static void test_four_attempts_and_no_more(void)
{
    fhir_store_call_t call = {.result_pool = pool};
    apr_time_t began = apr_time_now();
    CU_ASSERT_EQUAL(tries(error_of(500, NULL), &call), 3);
    CU_ASSERT_TRUE(apr_time_now() - began < apr_time_from_sec(3));
    CU_ASSERT_EQUAL(tries(error_of(404, NULL), &call), 0);
    CU_ASSERT_EQUAL(tries(error_of(403, NULL), &call), 0);
    CU_ASSERT_EQUAL(tries(NULL, &call), 0);
}

static void test_what_the_store_asks_for_is_waited(void)
{
    fhir_store_call_t call = {.result_pool = pool};
    apr_time_t began = apr_time_now();
    int attempt = 0;
    CU_ASSERT_EQUAL(fhir_http_try_again(&attempt, error_of(503, "1"), &call), 1);
    CU_ASSERT_EQUAL(attempt, 1);
    CU_ASSERT_TRUE(apr_time_now() - began >= apr_time_from_sec(1));
    CU_ASSERT_EQUAL(fhir_http_try_again(&attempt, error_of(503, "3000"), &call), 0);
}

static void test_never_past_the_deadline_nor_when_cancelled(void)
{
    fhir_store_call_t call = {.result_pool = pool, .deadline = apr_time_now() + apr_time_from_msec(900)};
    apr_time_t began = apr_time_now();
    CU_ASSERT_EQUAL(tries(error_of(503, "1"), &call), 0);
    CU_ASSERT_TRUE(apr_time_now() - began < apr_time_from_msec(500));
    call.deadline = 0;
    call.cancelled = always;
    CU_ASSERT_EQUAL(tries(error_of(503, "1"), &call), 0);
    CU_ASSERT_TRUE(apr_time_now() - began < apr_time_from_msec(500));
}

/* Over many first waits: all within 100 ms, and not all alike. */
static void test_waits_are_spread(void)
{
    fhir_store_call_t call = {.result_pool = pool};
    fhir_error_t *error = error_of(500, NULL);
    apr_interval_time_t shortest = APR_INT64_MAX;
    apr_interval_time_t longest = 0;
    int i;
    for (i = 0; i < 12; i++) {
        apr_time_t began = apr_time_now();
        apr_interval_time_t wait;
        int attempt = 0;
        CU_ASSERT_EQUAL(fhir_http_try_again(&attempt, error, &call), 1);
        wait = apr_time_now() - began;
        shortest = wait < shortest ? wait : shortest;
        longest = wait > longest ? wait : longest;
    }
    CU_ASSERT_TRUE(longest - shortest > apr_time_from_msec(20));
    CU_ASSERT_TRUE(shortest < apr_time_from_msec(100));
}

static const fhir_unit_test_t tests[] = {
    {"success_is_no_error", test_success_is_no_error},
    {"each_status_has_its_meaning", test_each_status_has_its_meaning},
    {"a_response_without_headers_or_code", test_a_response_without_headers_or_code},
    {"retry_after_is_seconds_or_a_date", test_retry_after_is_seconds_or_a_date},
    {"four_attempts_and_no_more", test_four_attempts_and_no_more},
    {"what_the_store_asks_for_is_waited", test_what_the_store_asks_for_is_waited},
    {"never_past_the_deadline_nor_when_cancelled", test_never_past_the_deadline_nor_when_cancelled},
    {"waits_are_spread", test_waits_are_spread},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("http_status", tests)
