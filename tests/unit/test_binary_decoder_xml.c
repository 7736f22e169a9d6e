/* The decoder of a Binary in FHIR XML. */
#include "decode.h"
#include "memory.h"

#define XML FHIR_FORMAT_XML
#define ROOT "<Binary xmlns=\"http://hl7.org/fhir\">"

static void test_whole_resource(void)
{
    const char *text =
        "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- c - c --><?pi x?>\n"
        "<Binary xmlns=\"http://hl7.org/fhir\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
        "xsi:schemaLocation=\"http://hl7.org/fhir b.xsd\">\n  <id value=\"a-1\"/>\n  <meta><versionId value='7'/>"
        "<lastUpdated value=\"2020-01-01T00:00:00Z\"/><source value=\"a &amp; &quot;b&quot; &#x1F600;\"/>"
        "<profile value=\"http://p\"/><profile value=\"http://q\"/><tag><system value=\"s\"/><code value=\"c\"/>"
        "<userSelected value=\"true\"/></tag></meta><implicitRules value=\"http://r\"/><language value=\"de\"/>"
        "<contentType value=\"text/plain\"/><securityContext><reference value=\"Patient/1\"/><display value=\"x\ny\"/>"
        "</securityContext><data value=\"aGVs\n  bG8&#61;\"/></Binary>\n<!-- end -->\n";
    decoded_t decoded = decode_every_way(XML, text, strlen(text));
    FHIR_ASSERT_OK(decoded.error);
    CU_ASSERT_STRING_EQUAL(decoded.resource->id, "a-1");
    CU_ASSERT_STRING_EQUAL(decoded.resource->content_type, "text/plain");
    CU_ASSERT_STRING_EQUAL(decoded.resource->security_context, "Patient/1");
    CU_ASSERT_STRING_EQUAL(
        decoded.resource->elements,
        "{\"meta\":{\"source\":\"a & \\\"b\\\" \xf0\x9f\x98\x80\",\"profile\":[\"http://p\",\"http://q\"],"
        "\"tag\":[{\"system\":\"s\",\"code\":\"c\",\"userSelected\":true}]},\"implicitRules\":\"http://r\","
        "\"language\":\"de\",\"securityContext\":{\"reference\":\"Patient/1\",\"display\":\"x y\"}}");
    CU_ASSERT_STRING_EQUAL(decoded.data.text, "hello");
}

static void test_small_resources(void)
{
    accept_every_way(XML, "<Binary xmlns='http://hl7.org/fhir'/>", NULL, "");
    accept_every_way(XML, "<f:Binary xmlns:f='http://hl7.org/fhir'><f:data value='YQ=='/></f:Binary >", NULL, "a");
    accept_every_way(XML, ROOT "<data value=\"\"/></Binary>", NULL, "");
    accept_every_way(XML, ROOT "<data value = 'YQ==' ></data></Binary>", NULL, "a");
    accept_every_way(XML, ROOT "<meta/><language value='&#100;e'/></Binary>", "{\"language\":\"de\"}", "");
}

static void test_extensions(void)
{
    accept_every_way(
        XML,
        ROOT "<id id='i' value='x'/><meta id='m'><extension url='u'><valueDecimal value='0.10'/></extension>"
             "<extension url='v'><extension url='w'><valueInteger value='-7'/></extension></extension>"
             "<extension url='c'><valueCodeableConcept><coding><code value='q'/></coding><coding><code value='r'/>"
             "</coding></valueCodeableConcept></extension><profile id='q'/><profile value='p'/>"
             "<profile value='r'><extension url='b'><valueBoolean value='false'/></extension></profile></meta>"
             "<data id='d' value='YQ=='><extension url='e'><valueString value='s'/></extension></data></Binary>",
        "{\"_id\":{\"id\":\"i\"},\"meta\":{\"id\":\"m\",\"extension\":[{\"url\":\"u\",\"valueDecimal\":0.10},"
        "{\"url\":\"v\",\"extension\":[{\"url\":\"w\",\"valueInteger\":-7}]},{\"url\":\"c\",\"valueCodeableConcept\":"
        "{\"coding\":[{\"code\":\"q\"},{\"code\":\"r\"}]}}],\"profile\":[null,\"p\",\"r\"],\"_profile\":[{\"id\":\"q\"}"
        ","
        "null,{\"extension\":[{\"url\":\"b\",\"valueBoolean\":false}]}]},\"_data\":{\"id\":\"d\",\"extension\":["
        "{\"url\":\"e\",\"valueString\":\"s\"}]}}",
        "a");
}

static void test_wrong_elements(void)
{
    static const char *const cases[][3] = {
        {"<Patient xmlns=\"http://hl7.org/fhir\"/>", "resourceType", "not Binary"},
        {ROOT "<foo value='1'/></Binary>", "Binary.foo", "no such element"},
        {ROOT "<url value='1'/></Binary>", "Binary.url", "no such element"},
        {ROOT "<meta><foo value='1'/></meta></Binary>", "Binary.meta", "does not know"},
        {ROOT "<id value='a'/><id value='a'/></Binary>", "Binary.id", "twice"},
        {ROOT "<data value='YQ=='/><data value='YQ=='/></Binary>", "Binary.data", "twice"},
        {ROOT "<meta><profile value='a'/><source value='b'/><profile value='c'/></meta></Binary>",
         "Binary.meta.profile", "twice"},
        {ROOT "<language/></Binary>", "Binary.language", "empty"},
        {ROOT "<language value=''/></Binary>", "Binary.language", "empty"},
        {ROOT "<data/></Binary>", "Binary.data", "empty"},
        {ROOT "<securityContext/></Binary>", "Binary.securityContext", "empty"},
        {ROOT "<language lang='de'/></Binary>", "Binary.language", "attribute"},
        {ROOT "<meta value='de'/></Binary>", "Binary.meta", "attribute"},
        {ROOT "<meta url='de'/></Binary>", "Binary.meta", "attribute"},
        {"<Binary xmlns='http://hl7.org/fhir' id='a'/>", "Binary", "attribute"},
        {ROOT "<meta><tag><userSelected value='1'/></tag></meta></Binary>", "Binary.meta.tag[0].userSelected",
         "true or false"},
        {ROOT "<meta><extension url='u'><valueDecimal value='+1'/></extension></meta></Binary>",
         "Binary.meta.extension[0].valueDecimal", "number"},
        {ROOT "<meta><extension url='u'><valueDecimal value='1.'/></extension></meta></Binary>",
         "Binary.meta.extension[0].valueDecimal", "number"},
        {ROOT "<meta><extension url='u'><valueInteger value='1e2'/></extension></meta></Binary>",
         "Binary.meta.extension[0].valueInteger", "whole number"},
        {ROOT "<securityContext><reference value='x'/></securityContext></Binary>", "Binary.securityContext.reference",
         "Type/id"},
        {ROOT "<contentType value='pdf'/></Binary>", "Binary.contentType", "media type"},
        {ROOT "<data value='YQ='/></Binary>", "Binary.data", "inside a group"},
        {ROOT "<data value='Y,Q='/></Binary>", "Binary.data", "byte 1"},
        {ROOT "<data><value/></data></Binary>", "Binary.data", "does not know"},
        {NULL, NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        refuse_every_way(XML, cases[i][0], cases[i][1], cases[i][2]);
    }
}

static void test_truncated_at_every_byte(void)
{
    const char *text = "<?xml version='1.0'?>" ROOT "<meta><profile value='&lt;'/></meta><data value='YQ=='/></Binary>";
    apr_size_t length;
    for (length = 0; length < strlen(text); length++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, decode_pieces(XML, text, length, 0, 0).error);
    }
    FHIR_ASSERT_OK(decode(XML, text).error);
}

static const char *repeated(const char *before, const char *part, int times, const char *after)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, before);
    while (times--) {
        fhir_text_add(&text, part);
    }
    fhir_text_add(&text, after);
    return text.text;
}

static void test_bounds(void)
{
    decoded_t decoded =
        decode(XML, repeated(ROOT "<meta><extension url='u'>", "<extension url='u'>", 10000, "</Binary>"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, decoded.error);
    CU_ASSERT_PTR_NOT_NULL(strstr(decoded.error->public_text, "64 levels"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE,
                      decode(XML, repeated(ROOT "<language value='", "a", 70000, "'/></Binary>")).error);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, decode(XML, repeated(ROOT "<", "a", 70000, "/></Binary>")).error);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, decode(XML, repeated(ROOT "<meta ", "a", 70000, "='1'/></Binary>")).error);
    FHIR_ASSERT_OK(decode(XML, repeated(ROOT "<!--", " - ", 100000, "--></Binary>")).error);
    decoded = decode(XML, repeated(ROOT "<data value='", "YWFh&#10;", 50000, "'/></Binary>"));
    FHIR_ASSERT_OK(decoded.error);
    CU_ASSERT_EQUAL(decoded.data.length, 150000);
}

static fhir_error_t *counting_sink(void *baton, const char *data, apr_size_t length)
{
    (void)data;
    *(apr_off_t *)baton += (apr_off_t)length;
    return NULL;
}

static void test_100_mib_in_bounded_memory(void)
{
    static const char head[] = ROOT "<data value=\"";
    fhir_binary_decoder_t *decoder;
    const fhir_binary_resource_t *resource;
    char line[4096];
    apr_off_t decoded = 0;
    apr_size_t before;
    int i;
    for (i = 0; i < 4096; i++) {
        line[i] = "YWFh"[i % 4];
    }
    memcpy(line + 4088, "&#13;\r\n ", 8);
    FHIR_ASSERT_OK(fhir_binary_decoder_create(&decoder, XML, counting_sink, &decoded, pool));
    FHIR_ASSERT_OK(fhir_binary_decoder_feed(decoder, head, sizeof(head) - 1));
    before = memory_in_use();
    for (i = 0; i < 25600; i++) {
        FHIR_ASSERT_OK(fhir_binary_decoder_feed(decoder, line, sizeof(line)));
    }
    CU_ASSERT(memory_in_use() <= before + 65536);
    FHIR_ASSERT_OK(fhir_binary_decoder_feed(decoder, "\"/></Binary>", 12));
    FHIR_ASSERT_OK(fhir_binary_decoder_finish(&resource, decoder));
    CU_ASSERT_EQUAL(decoded, (apr_off_t)25600 * 3066);
}

static const fhir_unit_test_t tests[] = {{"whole resource", test_whole_resource},
                                         {"small resources", test_small_resources},
                                         {"extensions", test_extensions},
                                         {"wrong elements", test_wrong_elements},
                                         {"truncated at every byte", test_truncated_at_every_byte},
                                         {"bounds", test_bounds},
                                         {"100 MiB in bounded memory", test_100_mib_in_bounded_memory},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("binary_decoder_xml", tests)
