/* core/app/operate: requests without HTTP, as the operator, and answers as errors. There is no database: what gets as
 * far as asking it was let in. */
#include "fhir_error.h"

#include "core/app/operate.h"
#include "tests/unit/unit.h"

static fhir_app_t *open_app(void)
{
    fhir_settings_t *settings = fhir_settings_create(pool);
    fhir_app_t *app = NULL;
    settings->base_url = "http://127.0.0.1/x/";
    settings->base_path = "/x/";
    settings->fhir_base = "http://127.0.0.1/x/fhir/R4/";
    settings->storage_base_url = "http://127.0.0.1/x/storage/";
    settings->storage_base_path = "/x/storage/";
    settings->database = "host=/nowhere dbname=none";
    settings->request_timeout = apr_time_from_sec(5);
    FHIR_ASSERT_OK(fhir_app_open(&app, settings, NULL, pool));
    CU_ASSERT_PTR_NOT_NULL_FATAL(app);
    return app;
}

static int operate(const char **text, fhir_app_t *app, fhir_method_t method, const char *path, const char *body)
{
    const fhir_operation_t operation = {.project_id = "11111111-2222-4333-8444-555555555555",
                                        .operator_name = "joe",
                                        .method = method,
                                        .path = path,
                                        .body = body};
    int status = 0;
    FHIR_ASSERT_OK(fhir_operate(&status, text, app, &operation, pool));
    return status;
}

static void test_the_answer_is_text(void)
{
    const char *text = NULL;
    CU_ASSERT_EQUAL(operate(&text, open_app(), FHIR_METHOD_GET, "metadata", NULL), 200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"CapabilityStatement\""));
}

static void test_paths_lie_under_the_base(void)
{
    const char *text = NULL;
    CU_ASSERT_EQUAL(operate(&text, open_app(), FHIR_METHOD_GET, "Apple/1", NULL), 404);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"OperationOutcome\""));
}

static void test_the_operator_needs_no_credentials(void)
{
    const char *text = NULL;
    CU_ASSERT_EQUAL(operate(&text, open_app(), FHIR_METHOD_GET, "AccessPolicy/1", NULL), 503);
    CU_ASSERT_EQUAL(operate(&text, open_app(), FHIR_METHOD_PUT, "AccessPolicy/1", "{}"), 503);
}

/* The same request without the operator's mark. */
static void test_others_need_them(void)
{
    fhir_request_t request = {.pool = pool, .method = FHIR_METHOD_GET, .method_name = "GET"};
    request.path = "/x/fhir/R4/AccessPolicy/1";
    request.headers = apr_table_make(pool, 1);
    request.body = fhir_body_memory("", 0, 0, pool);
    request.operator_name = "joe";
    request.received = apr_time_now();
    request.deadline = request.received + apr_time_from_sec(5);
    CU_ASSERT_EQUAL(fhir_app_handle(open_app(), &request)->status, 401);
}

static void test_failures(void)
{
    static const struct {
        int status;
        fhir_error_code_t code;
    } cases[] = {{400, FHIR_ERROR_INVALID},
                 {401, FHIR_ERROR_UNAUTHENTICATED},
                 {403, FHIR_ERROR_FORBIDDEN},
                 {404, FHIR_ERROR_NOT_FOUND},
                 {405, FHIR_ERROR_METHOD_NOT_ALLOWED},
                 {409, FHIR_ERROR_CONFLICT},
                 {410, FHIR_ERROR_GONE},
                 {412, FHIR_ERROR_PRECONDITION_FAILED},
                 {413, FHIR_ERROR_TOO_LARGE},
                 {422, FHIR_ERROR_UNPROCESSABLE},
                 {503, FHIR_ERROR_UNAVAILABLE},
                 {507, FHIR_ERROR_NO_SPACE},
                 {418, FHIR_ERROR_INVALID},
                 {500, FHIR_ERROR_INTERNAL}};
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FHIR_ASSERT_ERROR(cases[i].code, fhir_operation_failed(cases[i].status, "", pool));
    }
}

static void test_what_the_outcome_says(void)
{
    static const char outcome[] =
        "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":\"invalid\","
        "\"diagnostics\":\"No \\\"name\\\".\",\"expression\":[\"AccessPolicy.name\"]}]}";
    static const char *const others[] = {"",
                                         "nonsense",
                                         "{}",
                                         "[]",
                                         "{\"issue\":1}",
                                         "{\"issue\":[]}",
                                         "{\"issue\":[{\"diagnostics\":1,\"expression\":{}}]}"};
    fhir_error_t *error = fhir_operation_failed(422, outcome, pool);
    size_t i;
    CU_ASSERT_STRING_EQUAL(error->public_text, "No \"name\".");
    CU_ASSERT_STRING_EQUAL(error->expression, "AccessPolicy.name");
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        error = fhir_operation_failed(500, others[i], pool);
        CU_ASSERT_STRING_EQUAL(error->public_text, "The request failed.");
        CU_ASSERT_PTR_NULL(error->expression);
    }
}

static const fhir_unit_test_t tests[] = {
    {"the answer is text", test_the_answer_is_text},
    {"paths lie under the base", test_paths_lie_under_the_base},
    {"the operator needs no credentials", test_the_operator_needs_no_credentials},
    {"others need them", test_others_need_them},
    {"failures", test_failures},
    {"what the outcome says", test_what_the_outcome_says},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("operate", tests)
