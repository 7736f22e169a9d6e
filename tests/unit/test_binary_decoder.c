/* The decoder of a Binary in FHIR JSON. */
#include "decode.h"
#include "memory.h"

#define JSON FHIR_FORMAT_JSON

static void test_whole_resource(void)
{
    const char *text = "{ \"resourceType\" : \"Binary\", \"id\":\"a-1.b\",\n \"meta\": {\"versionId\":\"7\", "
                       "\"lastUpdated\":\"2020-01-01T00:00:00Z\",\"source\":\"#x\", \"profile\":[\"http://p\"]},"
                       "\"language\":\"de\", \"contentType\":\"text/plain; charset=utf-8\", \"securityContext\": "
                       "{\"reference\":\"Patient/1\", \"display\":\"\\u00e4\\/\"}, \"data\":\"aGVsbG8=\", "
                       "\"url\":\"https://x/y\"}";
    decoded_t decoded = decode_every_way(JSON, text, strlen(text));
    FHIR_ASSERT_OK(decoded.error);
    CU_ASSERT_STRING_EQUAL(decoded.resource->id, "a-1.b");
    CU_ASSERT_STRING_EQUAL(decoded.resource->content_type, "text/plain; charset=utf-8");
    CU_ASSERT_STRING_EQUAL(decoded.resource->security_context, "Patient/1");
    CU_ASSERT_STRING_EQUAL(decoded.resource->elements,
                           "{\"meta\":{\"source\":\"#x\",\"profile\":[\"http://p\"]},\"language\":\"de\","
                           "\"securityContext\":{\"reference\":\"Patient/1\",\"display\":\"\\u00e4\\/\"}}");
    CU_ASSERT_EQUAL(decoded.resource->has_data, 1);
    CU_ASSERT_STRING_EQUAL(decoded.data.text, "hello");
}

static void test_small_resources(void)
{
    decoded_t decoded = decode(JSON, "{\"resourceType\":\"Binary\"}");
    FHIR_ASSERT_OK(decoded.error);
    CU_ASSERT_PTR_NULL(decoded.resource->id);
    CU_ASSERT_PTR_NULL(decoded.resource->content_type);
    CU_ASSERT_PTR_NULL(decoded.resource->security_context);
    CU_ASSERT_PTR_NULL(decoded.resource->elements);
    CU_ASSERT_EQUAL(decoded.resource->has_data, 0);
    decoded = decode(JSON, "{\"data\":\"\",\"resourceType\":\"Binary\"}");
    FHIR_ASSERT_OK(decoded.error);
    CU_ASSERT_EQUAL(decoded.resource->has_data, 1);
    CU_ASSERT_EQUAL(decoded.data.length, 0);
    accept_every_way(JSON, "{\"meta\":{},\"resourceType\":\"Binary\"}", NULL, "");
    accept_every_way(JSON, "{\"d\\u0061ta\":\"YQ\\u003d=\",\"resourceTyp\\u0065\":\"Bin\\u0061ry\"}", NULL, "a");
}

static void test_kept_text(void)
{
    /* Numbers keep their digits, strings their escapes, members their order. */
    accept_every_way(JSON,
                     "{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[{\"code\":\"a\",\"userSelected\":false}],"
                     "\"extension\":[{\"valueDecimal\":0.10,\"url\":\"http:\\/\\/e\"},"
                     "{\"url\":\"u\",\"valueInteger\":-12345678901234567890}],"
                     "\"_versionId\":{\"id\":\"gone\"},\"versionId\":\"x\"}}",
                     "{\"meta\":{\"tag\":[{\"code\":\"a\",\"userSelected\":false}],\"extension\":["
                     "{\"valueDecimal\":0.10,\"url\":\"http:\\/\\/e\"},{\"url\":\"u\",\"valueInteger\":"
                     "-12345678901234567890}]}}",
                     "");
    accept_every_way(
        JSON,
        "{\"_id\":{\"id\":\"i\"},\"_data\":{\"extension\":[{\"url\":\"u\",\"valueBoolean\":true}]},"
        "\"resourceType\":\"Binary\",\"meta\":{\"profile\":[null,\"p\"],\"_profile\":[{\"id\":\"q\"},null]}}",
        "{\"_id\":{\"id\":\"i\"},\"_data\":{\"extension\":[{\"url\":\"u\",\"valueBoolean\":true}]},"
        "\"meta\":{\"profile\":[null,\"p\"],\"_profile\":[{\"id\":\"q\"},null]}}",
        "");
}

static void test_subsetted_tag_is_dropped(void)
{
#define SUBSETTED "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\",\"code\":\"SUBSETTED\"}"
    accept_every_way(JSON, "{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[" SUBSETTED "]}}", NULL, "");
    accept_every_way(JSON, "{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[{\"code\":\"SUBSETTED\"}," SUBSETTED "]}}",
                     "{\"meta\":{\"tag\":[{\"code\":\"SUBSETTED\"}]}}", "");
}

static void test_wrong_elements(void)
{
    static const char *const cases[][3] = {
        {"{\"resourceType\":\"Binary\",\"foo\":1}", "Binary.foo", "no such element"},
        {"{\"resourceType\":\"Binary\",\"content\":\"YQ==\"}", "Binary.content", "no such element"},
        {"{\"resourceType\":\"Binary\",\"_meta\":{\"id\":\"a\"}}", "Binary._meta", "no such element"},
        {"{\"resourceType\":\"Binary\",\"__id\":{\"id\":\"a\"}}", "Binary.__id", "no such element"},
        {"{\"resourceType\":\"Binary\",\"\":1}", "Binary", "no such element"},
        {"{\"resourceType\":\"Binary\",\"a\\nb\":1}", "Binary", "no such element"},
        {"{\"resourceType\":\"Patient\"}", "resourceType", "not Binary"},
        {"{\"resourceType\":7}", "resourceType", "not Binary"},
        {"{\"data\":\"YQ==\"}", "resourceType", "no resourceType"},
        {"[]", NULL, "not an object"},
        {"\"Binary\"", NULL, "not an object"},
        {"7 ", NULL, "not an object"},
        {"{\"resourceType\":\"Binary\",\"id\":\"a/b\"}", "Binary.id", "1 to 64"},
        {"{\"resourceType\":\"Binary\",\"id\":7}", "Binary.id", "must be a string"},
        {"{\"resourceType\":\"Binary\",\"id\":null}", "Binary.id", "must be a string"},
        {"{\"resourceType\":\"Binary\",\"contentType\":\"\"}", "Binary.contentType", "empty"},
        {"{\"resourceType\":\"Binary\",\"contentType\":\"pdf\"}", "Binary.contentType", "media type"},
        {"{\"resourceType\":\"Binary\",\"contentType\":[\"a/b\"]}", "Binary.contentType", "must be a string"},
        {"{\"resourceType\":\"Binary\",\"language\":\"\"}", "Binary.language", "empty"},
        {"{\"resourceType\":\"Binary\",\"language\":\"a\\u0001\"}", "Binary.language", "control character"},
        {"{\"resourceType\":\"Binary\",\"language\":\"\\uffff\"}", "Binary.language", "control character"},
        {"{\"resourceType\":\"Binary\",\"implicitRules\":true}", "Binary.implicitRules", "must be a string"},
        {"{\"resourceType\":\"Binary\",\"data\":7}", "Binary.data", "base64 string"},
        {"{\"resourceType\":\"Binary\",\"data\":null}", "Binary.data", "base64 string"},
        {"{\"resourceType\":\"Binary\",\"data\":[\"YQ==\"]}", "Binary.data", "base64 string"},
        {"{\"resourceType\":\"Binary\",\"url\":1}", "Binary.url", "must be a string"},
        {"{\"resourceType\":\"Binary\",\"meta\":[]}", "Binary.meta", "must be an object"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"tags\":[]}}", "Binary.meta.tags", "not known"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"a b\":[]}}", "Binary.meta", "does not know"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[]}}", "Binary.meta.tag", "empty list"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"tag\":{}}}", "Binary.meta.tag", "must be a list"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[{\"code\":\"a\"},{}]}}", "Binary.meta.tag[1]", "empty"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[null]}}", "Binary.meta.tag[0]", "must be an object"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"profile\":[null]}}", "Binary.meta.profile", "empty list"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[{\"userSelected\":\"true\"}]}}",
         "Binary.meta.tag[0].userSelected", "true or false"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"extension\":[{\"url\":\"u\",\"valueDecimal\":\"1\"}]}}",
         "Binary.meta.extension[0].valueDecimal", "must be a number"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"extension\":[{\"url\":\"u\",\"valueInteger\":1.5}]}}",
         "Binary.meta.extension[0].valueInteger", "whole number"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"extension\":[{\"url\":\"u\",\"valueBinary\":{}}]}}",
         "Binary.meta.extension[0].valueBinary", "not known"},
        {"{\"resourceType\":\"Binary\",\"meta\":{\"_tag\":[{\"id\":\"a\"}]}}", "Binary.meta._tag", "not known"},
        {"{\"resourceType\":\"Binary\",\"_id\":\"x\"}", "Binary._id", "must be an object"},
        {"{\"resourceType\":\"Binary\",\"_id\":{\"value\":\"x\"}}", "Binary._id.value", "not known"},
        {"{\"resourceType\":\"Binary\",\"securityContext\":\"Patient/1\"}", "Binary.securityContext",
         "must be an object"},
        {"{\"resourceType\":\"Binary\",\"securityContext\":{}}", "Binary.securityContext", "empty"},
        {"{\"resourceType\":\"Binary\",\"securityContext\":{\"reference\":1}}", "Binary.securityContext.reference",
         "must be a string"},
        {"{\"resourceType\":\"Binary\",\"securityContext\":{\"reference\":\"Nobody/1\"}}",
         "Binary.securityContext.reference", "Type/id"},
        {NULL, NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        refuse_every_way(JSON, cases[i][0], cases[i][1], cases[i][2]);
    }
}

static void test_doubled_members(void)
{
    refuse_every_way(JSON, "{\"resourceType\":\"Binary\",\"data\":\"YQ==\",\"d\\u0061ta\":\"YQ==\"}", NULL, "twice");
    refuse_every_way(JSON, "{\"resourceType\":\"Binary\",\"resourceType\":\"Binary\"}", NULL, "twice");
    refuse_every_way(JSON, "{\"resourceType\":\"Binary\",\"meta\":{\"source\":\"a\",\"s\\u006furce\":\"b\"}}", NULL,
                     "twice");
}

static void test_wrong_base64(void)
{
    refuse_every_way(JSON, "{\"resourceType\":\"Binary\",\"data\":\"YQ=\"}", "Binary.data", "inside a group");
    refuse_every_way(JSON, "{\"resourceType\":\"Binary\",\"data\":\"YW Fh_\"}", "Binary.data", "byte 5");
    refuse_every_way(JSON, "{\"resourceType\":\"Binary\",\"data\":\"YR==\"}", "Binary.data", "not zero");
    accept_every_way(JSON, "{\"resourceType\":\"Binary\",\"data\":\"aGVs\\r\\nbG8\\u003D \\t\"}", NULL, "hello");
}

static void test_truncated_at_every_byte(void)
{
    const char *text = "{\"resourceType\":\"Binary\",\"meta\":{\"tag\":[{\"code\":\"\\ud83d\\ude00\"}],\"extension\":[{"
                       "\"url\":\"u\",\"valueDecimal\":1.5e+3}]},\"contentType\":\"a/b\",\"data\":\"aGVsbG8=\"}";
    apr_size_t length;
    for (length = 0; length < strlen(text); length++) {
        decoded_t decoded = decode_pieces(JSON, text, length, 0, 0);
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, decoded.error);
    }
    FHIR_ASSERT_OK(decode(JSON, text).error);
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
    decoded_t decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\",\"meta\":", "[", 10000, ""));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, decoded.error);
    CU_ASSERT_PTR_NOT_NULL(strstr(decoded.error->public_text, "64 levels"));
    decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\",\"language\":\"", "a", 70000, "\"}"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, decoded.error);
    decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\",\"", "a", 70000, "\":1}"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, decoded.error);
    decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\",\"meta\":", "1", 70000, "}"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, decoded.error);
    decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\",\"language\":\"", "a", 60000, "\"}"));
    FHIR_ASSERT_OK(decoded.error);
    decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\",\"data\":\"", "YWFh", 50000, "\"}"));
    FHIR_ASSERT_OK(decoded.error);
    CU_ASSERT_EQUAL(decoded.data.length, 150000);
    /* White space is not kept and not counted. */
    decoded = decode(JSON, repeated("{\"resourceType\":\"Binary\"", "  \n\n", 50000, "}"));
    FHIR_ASSERT_OK(decoded.error);
}

static fhir_error_t *failing_sink(void *baton, const char *data, apr_size_t length)
{
    (void)data;
    (void)length;
    return fhir_error_create(baton, FHIR_ERROR_NO_SPACE, APR_SUCCESS, "full", NULL);
}

static void test_sink_errors_pass(void)
{
    const char *text = "{\"resourceType\":\"Binary\",\"data\":\"YWFh\"}";
    fhir_binary_decoder_t *decoder;
    fhir_error_t *error;
    FHIR_ASSERT_OK(fhir_binary_decoder_create(&decoder, JSON, failing_sink, pool, pool));
    error = fhir_binary_decoder_feed(decoder, text, strlen(text));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NO_SPACE, error);
    CU_ASSERT_PTR_NULL(error->expression);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NO_SPACE, fhir_binary_decoder_feed(decoder, "}", 1));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL,
                      fhir_binary_decoder_create(&decoder, FHIR_FORMAT_RAW, failing_sink, pool, pool));
}

static fhir_error_t *counting_sink(void *baton, const char *data, apr_size_t length)
{
    (void)data;
    *(apr_off_t *)baton += (apr_off_t)length;
    return NULL;
}

static void test_100_mib_in_bounded_memory(void)
{
    static const char head[] = "{\"resourceType\":\"Binary\",\"data\":\"";
    fhir_binary_decoder_t *decoder;
    const fhir_binary_resource_t *resource;
    char line[4096];
    apr_off_t decoded = 0;
    apr_size_t before;
    int i;
    for (i = 0; i < 4096; i++) {
        line[i] = "YWFh"[i % 4];
    }
    memcpy(line + 4092, "\\r\\n", 4);
    FHIR_ASSERT_OK(fhir_binary_decoder_create(&decoder, JSON, counting_sink, &decoded, pool));
    FHIR_ASSERT_OK(fhir_binary_decoder_feed(decoder, head, sizeof(head) - 1));
    before = memory_in_use();
    for (i = 0; i < 25600; i++) {
        FHIR_ASSERT_OK(fhir_binary_decoder_feed(decoder, line, sizeof(line)));
    }
    CU_ASSERT(memory_in_use() <= before + 65536);
    FHIR_ASSERT_OK(fhir_binary_decoder_feed(decoder, "\"}", 2));
    FHIR_ASSERT_OK(fhir_binary_decoder_finish(&resource, decoder));
    CU_ASSERT_EQUAL(decoded, (apr_off_t)25600 * 3069);
}

static const fhir_unit_test_t tests[] = {{"whole resource", test_whole_resource},
                                         {"small resources", test_small_resources},
                                         {"kept text", test_kept_text},
                                         {"SUBSETTED tag is dropped", test_subsetted_tag_is_dropped},
                                         {"wrong elements", test_wrong_elements},
                                         {"doubled members", test_doubled_members},
                                         {"wrong base64", test_wrong_base64},
                                         {"truncated at every byte", test_truncated_at_every_byte},
                                         {"bounds", test_bounds},
                                         {"errors of the sink pass", test_sink_errors_pass},
                                         {"100 MiB in bounded memory", test_100_mib_in_bounded_memory},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("binary_decoder", tests)
