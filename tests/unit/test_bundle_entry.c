/* Entries of Bundles: their addresses, conditions and bodies. */
#include "unit.h"

#include "core/app/bundle_entry.h"

static fhir_settings_t settings;
static const fhir_json_document_t *document;
static fhir_bundle_entry_t entry;

static void at(const char *base_url, const char *base_path, const char *fhir_base)
{
    memset(&settings, 0, sizeof(settings));
    settings.base_url = base_url;
    settings.base_path = base_path;
    settings.fhir_base = fhir_base;
    settings.storage_base_path = "/storage/";
    settings.request_timeout = apr_time_from_sec(30);
}

static void at_root(void)
{
    at("https://host/", "/", "https://host/fhir/R4/");
}

/* ---- addresses ---- */

static void expect_url(const char *url, const char *path, const char *query)
{
    const char *found = NULL;
    const char *found_query = NULL;
    fhir_error_t *error = fhir_bundle_url(&found, &found_query, url, &settings, pool);
    CU_ASSERT_EQUAL(error != NULL, path == NULL);
    if (error || !path) {
        if (!error) {
            printf("%s is taken as %s\n", url, found);
        } else {
            CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        }
        return;
    }
    CU_ASSERT_STRING_EQUAL(found, path);
    CU_ASSERT_EQUAL(found_query == NULL, query == NULL);
    if (query && found_query) {
        CU_ASSERT_STRING_EQUAL(found_query, query);
    }
}

static void test_addresses(void)
{
    at_root();
    expect_url("Patient/1", "/fhir/R4/Patient/1", NULL);
    expect_url("/Patient/1", "/fhir/R4/Patient/1", NULL);
    expect_url("https://host/fhir/R4/Patient/1", "/fhir/R4/Patient/1", NULL);
    expect_url("/fhir/R4/Patient/1/", "/fhir/R4/Patient/1/", NULL);
    expect_url("Patient?name=a%20b&x=%2F", "/fhir/R4/Patient", "name=a%20b&x=%2F");
    expect_url("Patient?", "/fhir/R4/Patient", "");
    expect_url("Binary/1/%24presigned-url?upload=true", "/fhir/R4/Binary/1/$presigned-url", "upload=true");
    expect_url("Patient?url=http://x/../y", "/fhir/R4/Patient", "url=http://x/../y");
    expect_url("", "/fhir/R4/", NULL);
    expect_url("/", "/fhir/R4/", NULL);
    expect_url("/fhir/R4", "/fhir/R4/", NULL);
    expect_url("https://host/fhir/R4?x=1", "/fhir/R4/", "x=1");
    expect_url("/fhir/R4x", "/fhir/R4/fhir/R4x", NULL);
    expect_url("P\xC3\xA4tient", "/fhir/R4/P\xC3\xA4tient", NULL);
    expect_url("Patient/..a", "/fhir/R4/Patient/..a", NULL);
}

static void test_addresses_below_a_path(void)
{
    at("https://host/records/", "/records/", "https://host/records/fhir/R4/");
    expect_url("Patient/1", "/records/fhir/R4/Patient/1", NULL);
    expect_url("/records/fhir/R4/Patient/1", "/records/fhir/R4/Patient/1", NULL);
    expect_url("https://host/records/fhir/R4/Patient/1", "/records/fhir/R4/Patient/1", NULL);
    expect_url("https://host/fhir/R4/Patient/1", NULL, NULL);
}

static void test_addresses_that_lead_elsewhere(void)
{
    static const char *const bad[] = {"https://host.evil/fhir/R4/Patient/1",
                                      "https://other/fhir/R4/Patient/1",
                                      "http://host/fhir/R4/Patient/1",
                                      "https://host/fhir/R4x/Patient",
                                      "https://host/oauth2/token",
                                      "HTTPS://elsewhere/x",
                                      "../oauth2/token",
                                      "Patient/..",
                                      "Patient/../x",
                                      "Patient/./1",
                                      ".",
                                      "..",
                                      "/..",
                                      "//Patient",
                                      "Patient//1",
                                      "%2e%2e/x",
                                      "Patient/%2E",
                                      "Patient%2f1",
                                      "Patient/%5c",
                                      "Patient\\1",
                                      "Patient/%00",
                                      "Patient/%0a",
                                      "Patient/\n",
                                      "Patient/%7f",
                                      "Patient/%",
                                      "Patient/%4",
                                      "Patient/%zz",
                                      "Patient/%25",
                                      "Patient/%ff",
                                      "Patient/%c3",
                                      "Patient/1#x",
                                      "Patient?x#y",
                                      "https://host/fhir/R4/../../oauth2/token",
                                      "https://host/fhir/R4//Patient"};
    char *longest = apr_palloc(pool, 70001);
    size_t i;
    at_root();
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_url(bad[i], NULL, NULL);
    }
    memset(longest, 'a', 70000);
    longest[70000] = '\0';
    expect_url(longest, NULL, NULL);
    longest[65536] = '\0';
    expect_url(longest, apr_pstrcat(pool, "/fhir/R4/", longest, NULL), NULL);
}

/* ---- entries ---- */

static fhir_error_t *parse(const char *text)
{
    static const fhir_json_limits_t limits = {64, 10000};
    at_root();
    FHIR_ASSERT_OK(fhir_json_parse(&document, text, strlen(text), &limits, pool));
    return fhir_bundle_entry_parse(&entry, document, 0, 3, &settings, pool);
}

static void expect_refused(const char *text, fhir_error_code_t code, const char *expression)
{
    fhir_error_t *error = parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, code);
    CU_ASSERT_STRING_EQUAL(error->expression, expression);
    if (strcmp(error->expression, expression) != 0) {
        printf("%s: %s\n", text, error->expression);
    }
}

static void test_a_whole_entry(void)
{
    FHIR_ASSERT_OK(parse("{\"fullUrl\":\"urn:uuid:1\",\"request\":{\"method\":\"POST\",\"url\":\"Patient\","
                         "\"ifNoneExist\":\"a=b\",\"ifMatch\":\"W/\\\"1\\\"\",\"ifNoneMatch\":\"*\","
                         "\"ifModifiedSince\":\"2026-11-21T03:15:00+01:00\"},\"resource\":{}}"));
    CU_ASSERT_STRING_EQUAL(entry.place, "Bundle.entry[3]");
    CU_ASSERT_STRING_EQUAL(entry.full_url, "urn:uuid:1");
    CU_ASSERT_EQUAL(entry.method, FHIR_METHOD_POST);
    CU_ASSERT_STRING_EQUAL(entry.path, "/fhir/R4/Patient");
    CU_ASSERT_STRING_EQUAL(entry.if_none_exist, "a=b");
    CU_ASSERT_STRING_EQUAL(apr_table_get(entry.headers, "If-None-Exist"), "a=b");
    CU_ASSERT_STRING_EQUAL(apr_table_get(entry.headers, "If-Match"), "W/\"1\"");
    CU_ASSERT_STRING_EQUAL(apr_table_get(entry.headers, "If-None-Match"), "*");
    CU_ASSERT_STRING_EQUAL(apr_table_get(entry.headers, "If-Modified-Since"), "Sat, 21 Nov 2026 02:15:00 GMT");
    CU_ASSERT(entry.resource > 0);
}

static void test_a_small_entry(void)
{
    FHIR_ASSERT_OK(parse("{\"request\":{\"method\":\"DELETE\",\"url\":\"Patient/1\"}}"));
    CU_ASSERT_PTR_NULL(entry.full_url);
    CU_ASSERT_PTR_NULL(entry.query);
    CU_ASSERT_EQUAL(entry.resource, -1);
    CU_ASSERT_EQUAL(apr_table_elts(entry.headers)->nelts, 0);
    FHIR_ASSERT_OK(parse("{\"request\":{\"method\":\"POST\",\"url\":\"Binary/1/$presigned-url\"}}"));
}

#define REQUEST(more) "{\"request\":{\"method\":\"GET\",\"url\":\"Patient/1\"" more "}}"

static void test_malformed_entries(void)
{
    expect_refused("7", FHIR_ERROR_REQUIRED, "Bundle.entry[3].request");
    expect_refused("{}", FHIR_ERROR_REQUIRED, "Bundle.entry[3].request");
    expect_refused("{\"request\":[]}", FHIR_ERROR_REQUIRED, "Bundle.entry[3].request");
    expect_refused("{\"request\":{\"url\":\"x\"}}", FHIR_ERROR_REQUIRED, "Bundle.entry[3].request.method");
    expect_refused("{\"request\":{\"method\":\"HEAD\",\"url\":\"x\"}}", FHIR_ERROR_REQUIRED,
                   "Bundle.entry[3].request.method");
    expect_refused("{\"request\":{\"method\":\"GET\"}}", FHIR_ERROR_REQUIRED, "Bundle.entry[3].request.url");
    expect_refused("{\"request\":{\"method\":\"GET\",\"url\":\"..\"}}", FHIR_ERROR_INVALID,
                   "Bundle.entry[3].request.url");
    expect_refused(REQUEST(",\"ifMatch\":1"), FHIR_ERROR_INVALID, "Bundle.entry[3].request.ifMatch");
    expect_refused(REQUEST(",\"ifNoneMatch\":\"\""), FHIR_ERROR_INVALID, "Bundle.entry[3].request.ifNoneMatch");
    expect_refused(REQUEST(",\"ifNoneExist\":null"), FHIR_ERROR_INVALID, "Bundle.entry[3].request.ifNoneExist");
    expect_refused(REQUEST(",\"ifModifiedSince\":\"x\""), FHIR_ERROR_INVALID,
                   "Bundle.entry[3].request.ifModifiedSince");
    expect_refused(apr_psprintf(pool, "{\"fullUrl\":\"urn:%02045d\",\"request\":{}}", 0), FHIR_ERROR_INVALID,
                   "Bundle.entry[3].fullUrl");
    expect_refused("{\"fullUrl\":\"\",\"request\":{}}", FHIR_ERROR_INVALID, "Bundle.entry[3].fullUrl");
    expect_refused("{\"request\":{\"method\":\"PUT\",\"url\":\"Patient/1\"}}", FHIR_ERROR_REQUIRED,
                   "Bundle.entry[3].resource");
    expect_refused("{\"resource\":[],\"request\":{\"method\":\"PUT\",\"url\":\"Patient/1\"}}", FHIR_ERROR_INVALID,
                   "Bundle.entry[3].resource");
}

/* ---- requests ---- */

static fhir_error_t *request_of(fhir_request_t **request, const char *text)
{
    static fhir_exchange_t outer;
    static fhir_request_t sent;
    FHIR_ASSERT_OK(parse(text));
    memset(&outer, 0, sizeof(outer));
    memset(&sent, 0, sizeof(sent));
    sent.headers = apr_table_make(pool, 2);
    sent.peer_address = "192.0.2.1";
    outer.request = &sent;
    outer.settings = &settings;
    return fhir_bundle_entry_request(request, &entry, document, &outer, pool);
}

static const char *body_of(const fhir_request_t *request)
{
    const char *bytes;
    apr_size_t length;
    FHIR_ASSERT_OK(request->body->read(request->body, &bytes, &length));
    return apr_pstrmemdup(pool, bytes, length);
}

#define WITH(method, url, resource)                                                                                    \
    "{\"request\":{\"method\":\"" method "\",\"url\":\"" url "\"},\"resource\":" resource "}"

static void test_bodies(void)
{
    fhir_request_t *request;
    FHIR_ASSERT_OK(request_of(&request, WITH("POST", "Observation", "{ \"a\" : 0.10}")));
    CU_ASSERT_STRING_EQUAL(body_of(request), "{ \"a\" : 0.10}");
    CU_ASSERT_STRING_EQUAL(apr_table_get(request->headers, "Content-Type"), "application/fhir+json");
    CU_ASSERT_STRING_EQUAL(request->peer_address, "192.0.2.1");
    CU_ASSERT_EQUAL(request->method, FHIR_METHOD_POST);
    FHIR_ASSERT_OK(request_of(&request, WITH("GET", "Observation", "{\"a\":1}")));
    CU_ASSERT_STRING_EQUAL(body_of(request), "");
    CU_ASSERT_PTR_NULL(apr_table_get(request->headers, "Content-Type"));
    FHIR_ASSERT_OK(request_of(&request, WITH("PUT", "Binary/1", "{\"resourceType\":\"Binary\"}")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID,
                      request_of(&request, WITH("PUT", "Binary/1", "{\"resourceType\":\"Patient\"}")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, request_of(&request, WITH("POST", "Binary", "{}")));
}

#define PATCH(members) WITH("PATCH", "Patient/1", "{\"resourceType\":\"Binary\"" members "}")

static void test_patches(void)
{
    fhir_request_t *request;
    FHIR_ASSERT_OK(request_of(&request, PATCH(",\"contentType\":\"a/b\",\"data\":\"W1 0\\n=\"")));
    CU_ASSERT_STRING_EQUAL(body_of(request), "[]");
    CU_ASSERT_STRING_EQUAL(apr_table_get(request->headers, "Content-Type"), "a/b");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, request_of(&request, PATCH("")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, request_of(&request, PATCH(",\"contentType\":\"a/b\"")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, request_of(&request, PATCH(",\"contentType\":\"a/b\",\"data\":\"W10\"")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID,
                      request_of(&request, WITH("PATCH", "Patient/1", "{\"resourceType\":\"Parameters\"}")));
}

static void test_where_errors_are(void)
{
    fhir_error_t *error = fhir_error_public(pool, FHIR_ERROR_INVALID, "x");
    FHIR_ASSERT_OK(parse("{\"request\":{\"method\":\"GET\",\"url\":\"Patient/1\"}}"));
    CU_ASSERT_PTR_NULL(fhir_bundle_entry_error(NULL, &entry, pool));
    CU_ASSERT_STRING_EQUAL(fhir_bundle_entry_error(error, &entry, pool)->expression, "Bundle.entry[3]");
    CU_ASSERT_STRING_EQUAL(fhir_bundle_entry_error(error, &entry, pool)->expression, "Bundle.entry[3]");
    error->expression = "Patient.name[0].given";
    CU_ASSERT_STRING_EQUAL(fhir_bundle_entry_error(error, &entry, pool)->expression,
                           "Bundle.entry[3].resource.name[0].given");
    error->expression = "Patient";
    CU_ASSERT_STRING_EQUAL(fhir_bundle_entry_error(error, &entry, pool)->expression, "Bundle.entry[3].resource");
}

static const fhir_unit_test_t tests[] = {
    {"addresses", test_addresses},
    {"addresses below a path", test_addresses_below_a_path},
    {"addresses that lead elsewhere", test_addresses_that_lead_elsewhere},
    {"a whole entry", test_a_whole_entry},
    {"a small entry", test_a_small_entry},
    {"malformed entries", test_malformed_entries},
    {"bodies", test_bodies},
    {"patches", test_patches},
    {"where errors are", test_where_errors_are},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("bundle_entry", tests)
