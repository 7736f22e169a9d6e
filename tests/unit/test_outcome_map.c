/* Errors -> answers: each code has its status, each answer is an OperationOutcome. */
#include "unit.h"

#include "core/app/outcome_map.h"

#include <jansson.h>

typedef struct code_case_t {
    fhir_error_code_t code;
    int status;
    const char *issue_type;
} code_case_t;

static const code_case_t code_cases[] = {
    {FHIR_ERROR_INTERNAL, 500, "exception"},
    {FHIR_ERROR_NOT_FOUND, 404, "not-found"},
    {FHIR_ERROR_EXISTS, 409, "duplicate"},
    {FHIR_ERROR_DENIED, 500, "exception"},
    {FHIR_ERROR_THROTTLED, 503, "throttled"},
    {FHIR_ERROR_UNAVAILABLE, 503, "transient"},
    {FHIR_ERROR_TIMEOUT, 503, "timeout"},
    {FHIR_ERROR_NO_SPACE, 507, "no-store"},
    {FHIR_ERROR_TOO_LARGE, 413, "too-long"},
    {FHIR_ERROR_RANGE, 416, "value"},
    {FHIR_ERROR_CORRUPT, 500, "exception"},
    {FHIR_ERROR_UNSUPPORTED, 501, "not-supported"},
    {FHIR_ERROR_INVALID, 400, "invalid"},
    {FHIR_ERROR_UNAUTHENTICATED, 401, "login"},
    {FHIR_ERROR_FORBIDDEN, 403, "forbidden"},
    {FHIR_ERROR_GONE, 410, "deleted"},
    {FHIR_ERROR_EXPIRED, 410, "expired"},
    {FHIR_ERROR_PRECONDITION_FAILED, 412, "conflict"},
    {FHIR_ERROR_CONFLICT, 409, "conflict"},
    {FHIR_ERROR_METHOD_NOT_ALLOWED, 405, "not-supported"},
    {FHIR_ERROR_NOT_ACCEPTABLE, 406, "not-supported"},
    {FHIR_ERROR_UNSUPPORTED_MEDIA_TYPE, 415, "not-supported"},
    {FHIR_ERROR_LENGTH_REQUIRED, 411, "required"},
    {FHIR_ERROR_UNPROCESSABLE, 422, "business-rule"},
    {FHIR_ERROR_BODY_TIMEOUT, 408, "timeout"},
    {FHIR_ERROR_REQUIRED, 400, "required"},
};

static const char *body_of(const fhir_response_t *response)
{
    const fhir_segment_t *segment = &APR_ARRAY_IDX(response->segments, 0, fhir_segment_t);
    CU_ASSERT_EQUAL_FATAL(response->segments->nelts, 1);
    return apr_pstrmemdup(pool, segment->bytes, (apr_size_t)segment->length);
}

static void check_outcome(const fhir_response_t *response, const char *issue_type, const char *text)
{
    json_t *outcome = json_loads(body_of(response), 0, NULL);
    json_t *issue = json_array_get(json_object_get(outcome, "issue"), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(outcome);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(outcome, "resourceType")), "OperationOutcome");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(issue, "code")), issue_type);
    if (text) {
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(issue, "diagnostics")), text);
    }
    json_decref(outcome);
}

static void test_every_code(void)
{
    size_t i;
    for (i = 0; i < sizeof(code_cases) / sizeof(code_cases[0]); i++) {
        const fhir_error_t *error =
            fhir_error_create(pool, code_cases[i].code, APR_SUCCESS, "What to do.", "/secret/path %s", "SELECT 1");
        fhir_response_t *response = fhir_error_response(error, FHIR_FORMAT_JSON, pool);
        CU_ASSERT_EQUAL(response->status, code_cases[i].status);
        check_outcome(response, code_cases[i].issue_type, "What to do.");
        CU_ASSERT_PTR_NULL(strstr(body_of(response), "secret"));
        CU_ASSERT_PTR_NULL(strstr(body_of(response), "SELECT"));
        CU_ASSERT_EQUAL(apr_table_get(response->headers, "WWW-Authenticate") != NULL, response->status == 401);
        CU_ASSERT_EQUAL(apr_table_get(response->headers, "Retry-After") != NULL, response->status == 503);
    }
}

/* What SDKs tell errors apart by; statuses that they do not know have no id. */
static void test_outcomes_have_the_ids_of_sdks(void)
{
    static const struct {
        int status;
        const char *id;
    } cases[] = {{401, "unauthorized"},
                 {403, "forbidden"},
                 {404, "not-found"},
                 {409, "conflict"},
                 {410, "gone"},
                 {412, "precondition-failed"},
                 {400, NULL},
                 {415, "unsupported-media-type"},
                 {503, NULL}};
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_response_t *response = fhir_status_response(cases[i].status, FHIR_FORMAT_JSON, pool);
        json_t *outcome = json_loads(body_of(response), 0, NULL);
        const json_t *id = json_object_get(outcome, "id");
        CU_ASSERT_EQUAL(id != NULL, cases[i].id != NULL);
        if (id && cases[i].id) {
            CU_ASSERT_STRING_EQUAL(json_string_value(id), cases[i].id);
        }
        json_decref(outcome);
    }
}

static void test_retry_after_is_rounded_up(void)
{
    fhir_error_t *error = fhir_error_public(pool, FHIR_ERROR_UNAVAILABLE, "Later.");
    error->retry = FHIR_RETRY_AFTER;
    error->retry_after = apr_time_from_sec(7) + 1;
    CU_ASSERT_STRING_EQUAL(apr_table_get(fhir_error_response(error, FHIR_FORMAT_JSON, pool)->headers, "Retry-After"),
                           "8");
}

static void test_a_filters_status_is_passed_on(void)
{
    fhir_error_t *error = fhir_error_public(pool, FHIR_ERROR_BODY_REFUSED, "Too large.");
    error->http_status = 413;
    CU_ASSERT_EQUAL(fhir_error_http_status(error), 413);
    CU_ASSERT_STRING_EQUAL(fhir_error_issue_type(error), "too-long");
    error->http_status = 0;
    CU_ASSERT_EQUAL(fhir_error_http_status(error), 400);
}

static void test_an_unknown_code_is_a_server_error(void)
{
    const fhir_error_t *error = fhir_error_public(pool, (fhir_error_code_t)9999, "Strange.");
    CU_ASSERT_EQUAL(fhir_error_http_status(error), 500);
}

static void test_statuses_of_the_server(void)
{
    static const int statuses[] = {400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 418, 500, 501, 503};
    size_t i;
    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fhir_response_t *response = fhir_status_response(statuses[i], FHIR_FORMAT_JSON, pool);
        json_t *outcome = json_loads(body_of(response), 0, NULL);
        CU_ASSERT_EQUAL(response->status, statuses[i]);
        CU_ASSERT_PTR_NOT_NULL(outcome);
        json_decref(outcome);
    }
}

static void test_xml_on_demand(void)
{
    const fhir_error_t *error = fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "a < b & c");
    fhir_response_t *response = fhir_error_response(error, FHIR_FORMAT_XML, pool);
    CU_ASSERT_PTR_NOT_NULL(strstr(apr_table_get(response->headers, "Content-Type"), "xml"));
    CU_ASSERT_PTR_NOT_NULL(strstr(body_of(response), "a &lt; b &amp; c"));
}

static const fhir_unit_test_t tests[] = {
    {"every code", test_every_code},
    {"outcomes have the ids of SDKs", test_outcomes_have_the_ids_of_sdks},
    {"Retry-After is rounded up", test_retry_after_is_rounded_up},
    {"a filter's status is passed on", test_a_filters_status_is_passed_on},
    {"an unknown code is a server error", test_an_unknown_code_is_a_server_error},
    {"statuses of the server", test_statuses_of_the_server},
    {"XML on demand", test_xml_on_demand},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("outcome_map", tests)
