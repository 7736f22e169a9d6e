/* OperationOutcome, Parameters, history Bundle, CapabilityStatement. */
#include "core/fhir/answers.h"
#include "core/fhir/xml_stream.h"
#include "unit.h"

#include <jansson.h>

static json_t *load(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CU_ASSERT_PTR_NOT_NULL(json);
    if (!json) {
        printf("not JSON: %s\n", text);
    }
    return json;
}

/* The string at a path of up to three names or indices, "" if there is none. */
static const char *string_at(json_t *json, const char *first, const char *second, const char *third)
{
    const char *names[3] = {first, second, third};
    int i;
    for (i = 0; i < 3 && names[i]; i++) {
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(names[i])) : json_object_get(json, names[i]);
    }
    return json_is_string(json) ? json_string_value(json) : "";
}

static fhir_error_t *ignore(void *baton, const fhir_xml_event_t *event)
{
    *(int *)baton += event->kind == FHIR_XML_ELEMENT;
    return NULL;
}

/* Well-formed FHIR XML; returns the number of elements. */
static int elements_of(const char *text)
{
    fhir_xml_options_t options = {NULL, 1 << 20, 0};
    fhir_xml_stream_t *stream;
    int elements = 0;
    fhir_xml_stream_create(&stream, &options, ignore, &elements, pool);
    FHIR_ASSERT_OK(fhir_xml_stream_feed(stream, text, strlen(text)));
    FHIR_ASSERT_OK(fhir_xml_stream_finish(stream));
    return elements;
}

static void test_outcome(void)
{
    CU_ASSERT_STRING_EQUAL(fhir_outcome(FHIR_FORMAT_JSON, NULL, "error", "invalid", "say \"x\"", "Binary.id", pool),
                           "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":"
                           "\"invalid\",\"details\":{\"text\":\"Invalid content\"},\"diagnostics\":\"say "
                           "\\\"x\\\"\",\"expression\":[\"Binary.id\"]}]}");
    CU_ASSERT_STRING_EQUAL(fhir_outcome(FHIR_FORMAT_JSON, NULL, "error", "invalid", NULL, NULL, pool),
                           "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":"
                           "\"invalid\",\"details\":{\"text\":\"Invalid content\"}}]}");
    CU_ASSERT_STRING_EQUAL(fhir_outcome(FHIR_FORMAT_JSON, "gone", "error", "deleted", NULL, NULL, pool),
                           "{\"resourceType\":\"OperationOutcome\",\"id\":\"gone\",\"issue\":[{\"severity\":\"error\","
                           "\"code\":\"deleted\",\"details\":{\"text\":\"Gone\"}}]}");
    CU_ASSERT_PTR_NOT_NULL(strstr(fhir_outcome(FHIR_FORMAT_XML, "gone", "error", "deleted", NULL, NULL, pool),
                                  "<id value=\"gone\"/><issue>"));
    CU_ASSERT_STRING_EQUAL(
        fhir_outcome(FHIR_FORMAT_XML, NULL, "error", "invalid", "a<b\x01&\"", "Binary.id", pool),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OperationOutcome xmlns=\"http://hl7.org/fhir\">"
        "<issue><severity value=\"error\"/><code value=\"invalid\"/><details><text value=\"Invalid "
        "content\"/></details><diagnostics "
        "value=\"a&lt;b\xef\xbf\xbd&amp;&quot;\"/><expression value=\"Binary.id\"/></issue>"
        "</OperationOutcome>");
    /* Bytes that are no UTF-8 do not break the document. */
    json_decref(load(fhir_outcome(FHIR_FORMAT_JSON, NULL, "error", "invalid", "\xff\xc3", NULL, pool)));
    CU_ASSERT_EQUAL(elements_of(fhir_outcome(FHIR_FORMAT_XML, NULL, "error", "invalid", "\xff\xc3", NULL, pool)), 7);
}

static void test_parameters(void)
{
    CU_ASSERT_STRING_EQUAL(
        fhir_parameters_url(FHIR_FORMAT_JSON, "https://x/?a=1&b", pool),
        "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"url\",\"valueUri\":\"https://x/?a=1&b\"}]}");
    CU_ASSERT_STRING_EQUAL(fhir_parameters_url(FHIR_FORMAT_XML, "https://x/?a=1&b", pool),
                           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Parameters xmlns=\"http://hl7.org/fhir\">"
                           "<parameter><name value=\"url\"/><valueUri value=\"https://x/?a=1&amp;b\"/></parameter>"
                           "</Parameters>");
}

static void test_parameters_of_a_direct_upload(void)
{
    apr_table_t *headers = apr_table_make(pool, 2);
    fhir_parameters_direct_t direct = {"https://s/o?a=1&b", headers, apr_time_from_sec(1800000000), "https://x/c"};
    apr_table_addn(headers, "If-None-Match", "*");
    apr_table_addn(headers, "Content-Type", "a/b; c=\"d\"");
    CU_ASSERT_STRING_EQUAL(
        fhir_parameters_direct(FHIR_FORMAT_JSON, &direct, pool),
        "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"url\",\"valueUri\":\"https://s/o?a=1&b\"},"
        "{\"name\":\"method\",\"valueCode\":\"PUT\"},"
        "{\"name\":\"header\",\"part\":[{\"name\":\"name\",\"valueString\":\"If-None-Match\"},"
        "{\"name\":\"value\",\"valueString\":\"*\"}]},"
        "{\"name\":\"header\",\"part\":[{\"name\":\"name\",\"valueString\":\"Content-Type\"},"
        "{\"name\":\"value\",\"valueString\":\"a/b; c=\\\"d\\\"\"}]},"
        "{\"name\":\"expires\",\"valueInstant\":\"2027-01-15T08:00:00.000Z\"},"
        "{\"name\":\"complete\",\"valueUri\":\"https://x/c\"}]}");
    CU_ASSERT_STRING_EQUAL(
        fhir_parameters_direct(FHIR_FORMAT_XML, &direct, pool),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Parameters xmlns=\"http://hl7.org/fhir\">"
        "<parameter><name value=\"url\"/><valueUri value=\"https://s/o?a=1&amp;b\"/></parameter>"
        "<parameter><name value=\"method\"/><valueCode value=\"PUT\"/></parameter>"
        "<parameter><name value=\"header\"/><part><name value=\"name\"/><valueString value=\"If-None-Match\"/></part>"
        "<part><name value=\"value\"/><valueString value=\"*\"/></part></parameter>"
        "<parameter><name value=\"header\"/><part><name value=\"name\"/><valueString value=\"Content-Type\"/></part>"
        "<part><name value=\"value\"/><valueString value=\"a/b; c=&quot;d&quot;\"/></part></parameter>"
        "<parameter><name value=\"expires\"/><valueInstant value=\"2027-01-15T08:00:00.000Z\"/></parameter>"
        "<parameter><name value=\"complete\"/><valueUri value=\"https://x/c\"/></parameter></Parameters>");
}

static apr_array_header_t *versions_of(int count)
{
    static const fhir_change_kind_t CHANGES[] = {FHIR_CHANGE_DELETE, FHIR_CHANGE_UPDATE, FHIR_CHANGE_CREATE};
    apr_array_header_t *versions = apr_array_make(pool, 3, sizeof(fhir_binary_t *));
    int i;
    for (i = 0; i < count; i++) {
        fhir_binary_t *binary = apr_pcalloc(pool, sizeof(*binary));
        binary->id = "b1";
        binary->version_id = apr_psprintf(pool, "v%d", count - i);
        binary->change = CHANGES[i];
        binary->content_type = i ? "text/plain" : NULL;
        binary->elements = i ? "{\"language\":\"de\"}" : NULL;
        APR_ARRAY_PUSH(versions, fhir_binary_t *) = binary;
    }
    return versions;
}

static void test_history(void)
{
    const char *text;
    json_t *json;
    json_t *entries;
    FHIR_ASSERT_OK(fhir_history_bundle(&text, FHIR_FORMAT_JSON, versions_of(3), 7, "https://h/fhir/", "https://h/self",
                                       "https://h/next?a&b", pool));
    json = load(text);
    entries = json_object_get(json, "entry");
    CU_ASSERT_STRING_EQUAL(string_at(json, "type", NULL, NULL), "history");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "total")), 7);
    CU_ASSERT_STRING_EQUAL(string_at(json_object_get(json, "link"), "0", "url", NULL), "https://h/self");
    CU_ASSERT_STRING_EQUAL(string_at(json_object_get(json, "link"), "1", "relation", NULL), "next");
    CU_ASSERT_EQUAL(json_array_size(entries), 3);
    CU_ASSERT_STRING_EQUAL(string_at(entries, "0", "fullUrl", NULL), "https://h/fhir/Binary/b1");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "0", "request", "method"), "DELETE");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "0", "response", "status"), "204");
    CU_ASSERT_PTR_NULL(json_object_get(json_array_get(entries, 0), "resource"));
    CU_ASSERT_STRING_EQUAL(string_at(entries, "1", "request", "method"), "PUT");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "1", "request", "url"), "Binary/b1");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "1", "response", "etag"), "W/\"v2\"");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "1", "response", "lastModified"), "1970-01-01T00:00:00.000Z");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "1", "resource", "language"), "de");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "2", "request", "method"), "POST");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "2", "request", "url"), "Binary");
    CU_ASSERT_STRING_EQUAL(string_at(entries, "2", "response", "status"), "201");
    CU_ASSERT(strstr(text, "SUBSETTED") && !strstr(text, "\"data\""));
    json_decref(json);
}

static void test_history_in_xml(void)
{
    const char *text;
    FHIR_ASSERT_OK(fhir_history_bundle(&text, FHIR_FORMAT_XML, versions_of(2), 2, "https://h/fhir/", "https://h/self",
                                       NULL, pool));
    CU_ASSERT(elements_of(text) > 20);
    CU_ASSERT(strstr(text, "<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"history\"/><total value=\"2\"/><link>"
                           "<relation value=\"self\"/><url value=\"https://h/self\"/></link><entry><fullUrl ") != NULL);
    CU_ASSERT(strstr(text, "<resource><Binary><id value=\"b1\"/><meta><versionId value=\"v1\"/>") != NULL);
    CU_ASSERT(strstr(text, "<etag value=\"W/&quot;v2&quot;\"/>") != NULL);
    FHIR_ASSERT_OK(fhir_history_bundle(&text, FHIR_FORMAT_JSON, versions_of(0), 0, "https://h/fhir/", "https://h/self",
                                       NULL, pool));
    CU_ASSERT_PTR_NULL(strstr(text, "entry"));
    json_decref(load(text));
}

static void test_capability_statement(void)
{
    fhir_capability_t capability = {"https://h/", "https://h/fhir/R4/", "0.1.0", 0, 1, 0};
    const char *text = fhir_capability_statement(FHIR_FORMAT_JSON, &capability, pool);
    json_t *json = load(text);
    json_t *rest = json_array_get(json_object_get(json, "rest"), 0);
    json_t *binary = json_array_get(json_object_get(rest, "resource"), 0);
    json_t *oauth = json_array_get(json_object_get(json_object_get(rest, "security"), "extension"), 0);
    CU_ASSERT_STRING_EQUAL(string_at(json, "fhirVersion", NULL, NULL), "4.0.1");
    CU_ASSERT_STRING_EQUAL(string_at(json, "kind", NULL, NULL), "instance");
    CU_ASSERT_STRING_EQUAL(string_at(json, "status", NULL, NULL), "active");
    CU_ASSERT_STRING_EQUAL(string_at(json, "implementation", "url", NULL), "https://h/fhir/R4/");
    CU_ASSERT_STRING_EQUAL(string_at(json, "software", "version", NULL), "0.1.0");
    CU_ASSERT_STRING_EQUAL(string_at(rest, "mode", NULL, NULL), "server");
    CU_ASSERT_STRING_EQUAL(string_at(json_object_get(oauth, "extension"), "0", "valueUri", NULL),
                           "https://h/oauth2/token");
    CU_ASSERT_STRING_EQUAL(string_at(binary, "type", NULL, NULL), "Binary");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(binary, "interaction")), 6);
    CU_ASSERT(json_is_true(json_object_get(binary, "updateCreate")));
    CU_ASSERT(json_is_false(json_object_get(json_object_get(rest, "security"), "cors")));
    CU_ASSERT_STRING_EQUAL(string_at(json_object_get(binary, "operation"), "0", "definition", NULL),
                           "https://h/fhir/R4/OperationDefinition/Binary-presigned-url");
    CU_ASSERT_PTR_NULL(json_object_get(binary, "searchParam"));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(rest, "resource")), 146);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(rest, "searchParam")), 6);
    json_decref(json);
    capability.update_create = 0;
    capability.cors = 1;
    text = fhir_capability_statement(FHIR_FORMAT_XML, &capability, pool);
    CU_ASSERT(elements_of(text) > 40);
    CU_ASSERT(strstr(text,
                     "<security><extension url=\"http://fhir-registry.smarthealthit.org/StructureDefinition/"
                     "oauth-uris\"><extension url=\"token\"><valueUri value=\"https://h/oauth2/token\"/>") != NULL);
    CU_ASSERT(strstr(text, "<cors value=\"true\"/><service>") != NULL);
    CU_ASSERT(strstr(text, "<readHistory value=\"true\"/><updateCreate value=\"false\"/>") != NULL);
}

static const fhir_unit_test_t tests[] = {{"OperationOutcome", test_outcome},
                                         {"Parameters", test_parameters},
                                         {"parameters of a direct upload", test_parameters_of_a_direct_upload},
                                         {"history", test_history},
                                         {"history in XML", test_history_in_xml},
                                         {"CapabilityStatement", test_capability_statement},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("answers", tests)
