/* A Binary in resource form: what is written is what was sent, in FHIR's order. */
#include "core/fhir/binary_form.h"
#include "decode.h"

#include <jansson.h>

#define SUBSETTED "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"

static fhir_binary_t binary_of(const char *elements)
{
    fhir_binary_t binary;
    memset(&binary, 0, sizeof(binary));
    binary.id = "b1";
    binary.version_id = "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
    binary.last_updated = apr_time_from_sec(1700000000) + 123000;
    binary.change = FHIR_CHANGE_UPDATE;
    binary.content_type = "text/plain; charset=\"utf-8\"";
    binary.elements = elements;
    return binary;
}

static const char *render(const fhir_binary_t *binary, const fhir_binary_render_t *how, const char *data)
{
    const char *prefix = "";
    const char *suffix = "";
    FHIR_ASSERT_OK(fhir_binary_render(&prefix, &suffix, binary, how, pool));
    return apr_pstrcat(pool, prefix, how->with_data ? data : "", suffix, NULL);
}

#define META                                                                                                           \
    "\"meta\":{\"versionId\":\"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0\",\"lastUpdated\":\"2023-11-14T22:13:20.123Z\""

static void test_small_json(void)
{
    fhir_binary_t binary = binary_of(NULL);
    fhir_binary_render_t how = {FHIR_FORMAT_JSON, 0, 0, NULL, NULL};
    CU_ASSERT_STRING_EQUAL(render(&binary, &how, "x"), "{\"resourceType\":\"Binary\",\"id\":\"b1\"," META
                                                       "},\"contentType\":\"text/plain; charset=\\\"utf-8\\\"\"}");
    how.with_data = 1;
    how.url = "https://x/\"y";
    binary.content_type = NULL;
    CU_ASSERT_STRING_EQUAL(render(&binary, &how, "YQ=="), "{\"resourceType\":\"Binary\",\"id\":\"b1\"," META
                                                          "},\"data\":\"YQ==\",\"url\":\"https://x/\\\"y\"}");
}

static const char ELEMENTS[] =
    "{\"_data\":{\"extension\":[{\"valueDecimal\":0.10,\"url\":\"u\"}]},\"language\":\"d\\u0065\",\"_id\":{\"id\":"
    "\"i\"},"
    "\"securityContext\":{\"display\":\"x\",\"reference\":\"Patient/1\"},\"implicitRules\":\"http://r\","
    "\"meta\":{\"tag\":[{\"userSelected\":true,\"code\":\"a<b\"}],\"id\":\"m\",\"profile\":[null,\"p\",\"q\"],"
    "\"_profile\":[{\"id\":\"z\"},null,{\"extension\":[{\"url\":\"e\",\"valuePeriod\":{\"end\":\"2021\",\"start\":"
    "\"2020\"}}]}],\"extension\":[{\"url\":\"n\",\"extension\":[{\"url\":\"o\",\"valueInteger\":-7},{\"url\":\"s\","
    "\"_valueString\":{\"id\":\"k\"},\"valueString\":\"\\n\\t&\\ud83d\\ude00\"}]}]}}";

static void test_full_json(void)
{
    fhir_binary_t binary = binary_of(ELEMENTS);
    fhir_binary_render_t how = {FHIR_FORMAT_JSON, 1, 1, NULL, NULL};
    const char *text;
    json_t *json;
    binary.security_context = "Patient/1";
    text = render(&binary, &how, "YQ==");
    CU_ASSERT(strstr(text, "{\"resourceType\":\"Binary\",\"id\":\"b1\",\"_id\":{\"id\":\"i\"}," META
                           ",\"id\":\"m\",") == text);
    CU_ASSERT(strstr(text, "\"tag\":[{\"userSelected\":true,\"code\":\"a<b\"},{\"system\":\"" SUBSETTED
                           "\",\"code\":\"SUBSETTED\"") != NULL);
    CU_ASSERT(strstr(text, "]},\"implicitRules\":\"http://r\",\"language\":\"d\\u0065\",\"contentType\":\"text/") !=
              NULL);
    CU_ASSERT(strstr(text,
                     "\"securityContext\":{\"display\":\"x\",\"reference\":\"Patient/1\"},\"_data\":{\"extension\":["
                     "{\"valueDecimal\":0.10,\"url\":\"u\"}]},\"data\":\"YQ==\"}") != NULL);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CU_ASSERT_PTR_NOT_NULL(json);
    json_decref(json);
}

static void test_security_context_of_a_header_wins(void)
{
    fhir_binary_t binary = binary_of(ELEMENTS);
    fhir_binary_render_t how = {FHIR_FORMAT_JSON, 0, 0, NULL, NULL};
    binary.security_context = "Patient/\"2";
    CU_ASSERT(strstr(render(&binary, &how, ""), "\"securityContext\":{\"reference\":\"Patient/\\\"2\"}") != NULL);
    binary.security_context = NULL;
    CU_ASSERT_PTR_NULL(strstr(render(&binary, &how, ""), "securityContext"));
    binary.elements = "{\"securityContext\":{\"display\":\"only\"}}";
    CU_ASSERT(strstr(render(&binary, &how, ""), "\"securityContext\":{\"display\":\"only\"}") != NULL);
    binary.security_context = "Group/1";
    CU_ASSERT(strstr(render(&binary, &how, ""), "\"securityContext\":{\"reference\":\"Group/1\"}") != NULL);
    binary.elements = NULL;
    CU_ASSERT(strstr(render(&binary, &how, ""), "\"securityContext\":{\"reference\":\"Group/1\"}") != NULL);
}

static void test_wanted(void)
{
    fhir_binary_t binary = binary_of(ELEMENTS);
    fhir_binary_render_t how = {FHIR_FORMAT_JSON, 0, 1, NULL, " language , data"};
    const char *text = render(&binary, &how, "");
    CU_ASSERT(strstr(text, "\"id\":\"b1\"") && strstr(text, META) && strstr(text, "contentType"));
    CU_ASSERT(strstr(text, "\"language\"") && strstr(text, "SUBSETTED"));
    CU_ASSERT(!strstr(text, "implicitRules") && !strstr(text, "securityContext"));
    how.wanted = "";
    text = render(&binary, &how, "");
    CU_ASSERT(!strstr(text, "language") && strstr(text, "\"id\":\"b1\""));
    how.wanted = "languages,lang";
    CU_ASSERT_PTR_NULL(strstr(render(&binary, &how, ""), "\"language\""));
}

static void test_xml(void)
{
    fhir_binary_t binary = binary_of(ELEMENTS);
    fhir_binary_render_t how = {FHIR_FORMAT_XML, 1, 0, "https://never", NULL};
    binary.security_context = "Patient/1";
    CU_ASSERT_STRING_EQUAL(
        render(&binary, &how, "YQ=="),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Binary xmlns=\"http://hl7.org/fhir\"><id id=\"i\" value=\"b1\"/>"
        "<meta id=\"m\"><extension url=\"n\"><extension url=\"o\"><valueInteger value=\"-7\"/></extension>"
        "<extension url=\"s\"><valueString id=\"k\" value=\"&#10;&#9;&amp;\xf0\x9f\x98\x80\"/></extension></extension>"
        "<versionId value=\"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0\"/><lastUpdated value=\"2023-11-14T22:13:20.123Z\"/>"
        "<profile id=\"z\"/><profile value=\"p\"/><profile value=\"q\"><extension url=\"e\"><valuePeriod>"
        "<start value=\"2020\"/><end value=\"2021\"/></valuePeriod></extension></profile><tag><code value=\"a&lt;b\"/>"
        "<userSelected value=\"true\"/></tag></meta><implicitRules value=\"http://r\"/><language value=\"de\"/>"
        "<contentType value=\"text/plain; charset=&quot;utf-8&quot;\"/><securityContext><reference "
        "value=\"Patient/1\"/>"
        "<display value=\"x\"/></securityContext><data value=\"YQ==\"><extension url=\"u\">"
        "<valueDecimal value=\"0.10\"/></extension></data></Binary>");
    binary.elements = NULL;
    binary.security_context = NULL;
    how.with_data = 0;
    CU_ASSERT(strstr(render(&binary, &how, ""), "utf-8&quot;\"/></Binary>") != NULL);
    how.with_data = 1;
    CU_ASSERT(strstr(render(&binary, &how, "YQ=="), "utf-8&quot;\"/><data value=\"YQ==\"/></Binary>") != NULL);
}

/* What was decoded, rendered and decoded again, is the same. */
static void round_trip(fhir_format_t in, const char *text, fhir_format_t out, int subsetted)
{
    fhir_binary_render_t how = {out, 1, subsetted, "https://dropped", NULL};
    decoded_t first = decode(in, text);
    decoded_t second;
    fhir_binary_t binary;
    FHIR_ASSERT_OK(first.error);
    if (first.error) {
        return;
    }
    binary = binary_of(first.resource->elements);
    binary.id = first.resource->id ? first.resource->id : "b1";
    binary.content_type = first.resource->content_type;
    binary.security_context = first.resource->security_context;
    how.with_data = first.resource->has_data;
    second = decode(out, render(&binary, &how, fhir_base64_encode(first.data.text, first.data.length, pool)));
    FHIR_ASSERT_OK(second.error);
    if (second.error) {
        return;
    }
    CU_ASSERT_STRING_EQUAL(second.resource->id, binary.id);
    CU_ASSERT(same_string(second.resource->content_type, first.resource->content_type));
    CU_ASSERT(same_string(second.resource->security_context, first.resource->security_context));
    CU_ASSERT(second.data.length == first.data.length && !memcmp(second.data.text, first.data.text, first.data.length));
    CU_ASSERT_EQUAL(second.resource->has_data, first.resource->has_data);
    if (!first.resource->elements || !second.resource->elements) {
        CU_ASSERT(same_string(first.resource->elements, second.resource->elements));
    } else {
        /* Order of members may differ after XML. */
        json_t *one = json_loads(first.resource->elements, JSON_REJECT_DUPLICATES, NULL);
        json_t *other = json_loads(second.resource->elements, JSON_REJECT_DUPLICATES, NULL);
        CU_ASSERT(one && other && json_equal(one, other));
        if (!one || !other || !json_equal(one, other)) {
            printf("%s\n%s\n", first.resource->elements, second.resource->elements);
        }
        json_decref(one);
        json_decref(other);
    }
}

static void test_round_trips(void)
{
    const char *whole = apr_pstrcat(pool, "{\"resourceType\":\"Binary\",\"contentType\":\"a/b\",\"data\":\"aGVsbG8=\",",
                                    ELEMENTS + 1, NULL);
    static const char *const texts[] = {
        "{\"resourceType\":\"Binary\"}", "{\"resourceType\":\"Binary\",\"data\":\"\"}",
        "{\"resourceType\":\"Binary\",\"id\":\"x\",\"contentType\":\"a/b; c=\\\"d&<\\\"\"}",
        "{\"resourceType\":\"Binary\",\"language\":\"\\\"\\\\\\/\\u2028\"}", NULL};
    static const char xml[] =
        "<Binary xmlns='http://hl7.org/fhir'><meta><profile value='a&#9;b&#xA;&apos;&quot;'/><tag><code "
        "value='1'/></tag>"
        "</meta><data value='aGVsbG8='><extension url='q'><valueDecimal value='1.50e3'/></extension></data></Binary>";
    /* Elements named data further down are not the place for the content. */
    static const char inner_data[] =
        "{\"resourceType\":\"Binary\",\"data\":\"aGVsbG8=\",\"_data\":{\"extension\":[{\"url\":\"u\","
        "\"valueAttachment\":{\"data\":\"eA==\"}}]},\"meta\":{\"extension\":[{\"url\":\"u\",\"valueAttachment\":"
        "{\"data\":\"eQ==\"}}]}}";
    int i;
    round_trip(FHIR_FORMAT_JSON, inner_data, FHIR_FORMAT_XML, 0);
    round_trip(FHIR_FORMAT_JSON, inner_data, FHIR_FORMAT_JSON, 0);
    round_trip(FHIR_FORMAT_JSON, whole, FHIR_FORMAT_JSON, 1);
    round_trip(FHIR_FORMAT_JSON, whole, FHIR_FORMAT_XML, 1);
    round_trip(FHIR_FORMAT_XML, xml, FHIR_FORMAT_XML, 0);
    round_trip(FHIR_FORMAT_XML, xml, FHIR_FORMAT_JSON, 1);
    for (i = 0; texts[i]; i++) {
        round_trip(FHIR_FORMAT_JSON, texts[i], FHIR_FORMAT_JSON, 0);
        round_trip(FHIR_FORMAT_JSON, texts[i], FHIR_FORMAT_XML, 1);
    }
}

static void test_refused(void)
{
    fhir_binary_t binary = binary_of(NULL);
    fhir_binary_render_t how = {FHIR_FORMAT_RAW, 0, 0, NULL, NULL};
    const char *prefix;
    const char *suffix;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_binary_render(&prefix, &suffix, &binary, &how, pool));
    how.format = FHIR_FORMAT_JSON;
    binary.change = FHIR_CHANGE_DELETE;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_binary_render(&prefix, &suffix, &binary, &how, pool));
    /* Stored text that nobody should have written fails closed in XML. */
    binary.change = FHIR_CHANGE_CREATE;
    how.format = FHIR_FORMAT_XML;
    binary.elements = "{\"meta\":{\"tag\":{\"code\":\"a\"}}}";
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_binary_render(&prefix, &suffix, &binary, &how, pool));
    binary.elements = "{\"language\":{}}";
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_binary_render(&prefix, &suffix, &binary, &how, pool));
}

static const fhir_unit_test_t tests[] = {{"small JSON", test_small_json},
                                         {"full JSON", test_full_json},
                                         {"security context of a header wins", test_security_context_of_a_header_wins},
                                         {"wanted elements", test_wanted},
                                         {"XML", test_xml},
                                         {"round trips", test_round_trips},
                                         {"refused", test_refused},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("binary_render", tests)
