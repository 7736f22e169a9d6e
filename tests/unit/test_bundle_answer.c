/* What a Bundle answers for an entry. */
#include "unit.h"

#include "core/app/bundle_answer.h"

static fhir_settings_t settings;
static fhir_request_t request;
static fhir_exchange_t outer;
static apr_table_t *headers;

static fhir_response_t *answer_to(const char *path, fhir_method_t method, int status, const char *type,
                                  const char *body)
{
    fhir_response_t *response = fhir_response_create(status, pool);
    memset(&settings, 0, sizeof(settings));
    memset(&request, 0, sizeof(request));
    memset(&outer, 0, sizeof(outer));
    settings.base_url = "http://h/";
    settings.base_path = "/";
    settings.fhir_base = "http://h/fhir/R4/";
    settings.storage_base_path = "/storage/";
    headers = apr_table_make(pool, 2);
    request.pool = pool;
    request.path = path;
    request.method = method;
    request.headers = headers;
    outer.settings = &settings;
    outer.pool = pool;
    if (body) {
        fhir_response_header(response, "Content-Type", type);
        fhir_response_bytes(response, body, (apr_off_t)strlen(body));
    }
    return response;
}

static const char *text_of(const fhir_response_t *response)
{
    fhir_entry_answer_t answer;
    fhir_bundle_text_t bundle;
    fhir_entry_answer_response(&answer, response, &request, &outer);
    fhir_bundle_begin(&bundle, "batch-response", -1, pool);
    fhir_entry_answer_add(&bundle, &answer, request.method != FHIR_METHOD_GET, pool);
    fhir_bundle_end(&bundle);
    return bundle.json.text;
}

#define BEGIN "{\"resourceType\":\"Bundle\",\"type\":\"batch-response\",\"entry\":[{"
#define END "}]}"
#define JSON "application/fhir+json; charset=utf-8"

static void test_a_read(void)
{
    fhir_response_t *response = answer_to("/fhir/R4/Patient/1", FHIR_METHOD_GET, 200, JSON, "{\"a\":0.10}");
    fhir_response_header(response, "ETag", "W/\"v\"");
    fhir_response_header(response, "Last-Modified", "Sat, 21 Nov 2026 02:15:00 GMT");
    CU_ASSERT_STRING_EQUAL(text_of(response),
                           BEGIN "\"fullUrl\":\"http://h/fhir/R4/Patient/1\",\"resource\":{\"a\":0.10},\"response\":{"
                                 "\"status\":\"200\",\"etag\":\"W/\\\"v\\\"\","
                                 "\"lastModified\":\"2026-11-21T02:15:00.000Z\"}" END);
}

static void test_a_search_has_no_full_url(void)
{
    CU_ASSERT_STRING_EQUAL(text_of(answer_to("/fhir/R4/Patient", FHIR_METHOD_GET, 200, JSON, "{}")),
                           BEGIN "\"resource\":{},\"response\":{\"status\":\"200\"}" END);
}

static void test_pieces_are_put_together(void)
{
    fhir_response_t *response = answer_to("/fhir/R4/Binary/1", FHIR_METHOD_GET, 200, JSON, "{\"a\"");
    fhir_response_bytes(response, ":1}", 3);
    CU_ASSERT_STRING_EQUAL(text_of(response), BEGIN "\"fullUrl\":\"http://h/fhir/R4/Binary/1\",\"resource\":{\"a\":1},"
                                                    "\"response\":{\"status\":\"200\"}" END);
}

static void test_a_create(void)
{
    fhir_response_t *response = answer_to("/fhir/R4/Patient", FHIR_METHOD_POST, 201, JSON, "{}");
    fhir_response_header(response, "Location", "http://h/fhir/R4/Patient/1/_history/2");
    CU_ASSERT_STRING_EQUAL(text_of(response),
                           BEGIN "\"fullUrl\":\"http://h/fhir/R4/Patient/1\",\"resource\":{},\"response\":{"
                                 "\"status\":\"201\",\"location\":\"http://h/fhir/R4/Patient/1/_history/2\"}" END);
}

static void test_nothing_to_show(void)
{
    CU_ASSERT_STRING_EQUAL(text_of(answer_to("/fhir/R4/Patient/1", FHIR_METHOD_DELETE, 204, NULL, NULL)),
                           BEGIN "\"response\":{\"status\":\"204\"}" END);
    CU_ASSERT_STRING_EQUAL(text_of(answer_to("/fhir/R4/Patient/1", FHIR_METHOD_GET, 304, NULL, NULL)),
                           BEGIN "\"response\":{\"status\":\"304\"}" END);
}

static void test_outcomes(void)
{
    static const char outcome[] = "{\"resourceType\":\"OperationOutcome\"}";
    fhir_response_t *response = answer_to("/fhir/R4/Patient", FHIR_METHOD_POST, 201, JSON, outcome);
    apr_table_setn(headers, "Prefer", "return=OperationOutcome");
    CU_ASSERT_STRING_EQUAL(text_of(response), BEGIN "\"response\":{\"status\":\"201\",\"outcome\":"
                                                    "{\"resourceType\":\"OperationOutcome\"}}" END);
    /* One that was asked for is a resource like any other. */
    response = answer_to("/fhir/R4/OperationOutcome/1", FHIR_METHOD_GET, 200, JSON, outcome);
    apr_table_setn(headers, "Prefer", "return=OperationOutcome");
    CU_ASSERT_PTR_NOT_NULL(strstr(text_of(response), "\"resource\":{\"resourceType\":\"OperationOutcome\"}"));
}

static void test_errors(void)
{
    fhir_response_t *response = answer_to("/fhir/R4/Patient/1", FHIR_METHOD_GET, 404, "application/fhir+xml", "<x/>");
    const char *text;
    response->error = fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "Nothing.");
    text = text_of(response);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, BEGIN "\"response\":{\"status\":\"404\",\"outcome\":{\"resourceType\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"Nothing.\""));
}

static fhir_error_t *no_bytes(void *baton, char *buffer, apr_size_t *length)
{
    (void)baton;
    (void)buffer;
    *length = 0;
    return NULL;
}

static void test_what_is_no_json(void)
{
    fhir_response_t *response = answer_to("/fhir/R4/Binary/1", FHIR_METHOD_GET, 200, "image/png", "\x89PNG");
    CU_ASSERT_PTR_NOT_NULL(strstr(text_of(response), "\"status\":\"501\",\"outcome\""));
    response = answer_to("/fhir/R4/Binary/1", FHIR_METHOD_GET, 200, JSON, "{\"data\":\"");
    fhir_response_stream(response, no_bytes, NULL, 100);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_of(response), "\"status\":\"501\",\"outcome\""));
    /* A write is done, whatever can't be shown of it. */
    CU_ASSERT_STRING_EQUAL(text_of(answer_to("/fhir/R4/Binary", FHIR_METHOD_POST, 201, "image/png", "\x89PNG")),
                           BEGIN "\"response\":{\"status\":\"201\"}" END);
}

static void test_too_much(void)
{
    fhir_entry_answer_t answer = {0};
    fhir_bundle_text_t bundle;
    answer.status = 200;
    answer.resource = "{}";
    answer.resource_length = FHIR_BUNDLE_ANSWER_MAX;
    fhir_bundle_begin(&bundle, "batch-response", -1, pool);
    fhir_entry_answer_add(&bundle, &answer, 0, pool);
    fhir_entry_answer_add(&bundle, &answer, 1, pool);
    fhir_bundle_end(&bundle);
    CU_ASSERT_PTR_NOT_NULL(strstr(bundle.json.text, "\"status\":\"413\",\"outcome\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(bundle.json.text, ",{\"response\":{\"status\":\"200\"}}]}"));
}

static const fhir_unit_test_t tests[] = {
    {"a read", test_a_read},
    {"a search has no fullUrl", test_a_search_has_no_full_url},
    {"pieces are put together", test_pieces_are_put_together},
    {"a create", test_a_create},
    {"nothing to show", test_nothing_to_show},
    {"outcomes", test_outcomes},
    {"errors", test_errors},
    {"what is no JSON", test_what_is_no_json},
    {"too much", test_too_much},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("bundle_answer", tests)
