/* XML answers of S3: what is read of them, and what is not believed. */
#include "storage-plugins/s3/s3.h"
#include "unit.h"

static const apr_xml_elem *root_of(const char *text, const char *name)
{
    return s3_xml_root(text, strlen(text), name, pool);
}

static void test_elements(void)
{
    const apr_xml_elem *root = root_of("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://x/\"> <A>1 &amp; "
                                       "<!-- c -->2<B>x</B></A>\n<C/><A><![CDATA[<>]]></A></R>",
                                       "R");
    const apr_xml_elem *first = s3_xml_child(root, "A");
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_STRING_EQUAL(s3_xml_text(root, "A", pool), "1 & 2");
    CU_ASSERT_STRING_EQUAL(s3_xml_text(root, "C", pool), "");
    CU_ASSERT_PTR_NULL(s3_xml_text(root, "D", pool));
    CU_ASSERT_PTR_NOT_NULL(s3_xml_next(first, "A"));
    CU_ASSERT_PTR_NULL(s3_xml_next(s3_xml_next(first, "A"), "A"));
    CU_ASSERT_PTR_NULL(s3_xml_child(NULL, "A"));
}

static void test_no_xml(void)
{
    static const char *const texts[] = {"",     " ",           "<",          "<R>",        "<R></S>",         "<R/>x",
                                        "text", "<R>\x01</R>", "<R a=></R>", "{\"a\": 1}", "<R>&unknown;</R>"};
    size_t i;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CU_ASSERT_PTR_NULL(root_of(texts[i], NULL));
    }
    CU_ASSERT_PTR_NULL(s3_xml_root(NULL, 0, NULL, pool));
    CU_ASSERT_PTR_NULL(root_of("<Other/>", "R"));
    CU_ASSERT_PTR_NULL(s3_xml_root("<R/>garbage", 3, "R", pool));
}

/* Entities that grow are refused, whatever they stand for. */
static void test_entities(void)
{
    CU_ASSERT_PTR_NULL(root_of("<!DOCTYPE R [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><R>&b;</R>", "R"));
    CU_ASSERT_PTR_NULL(root_of("<!DOCTYPE R [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><R>&a;</R>", "R"));
}

static const char *nested(int depth)
{
    char *text = apr_palloc(pool, (apr_size_t)depth * 7 + 1);
    int i;
    for (i = 0; i < depth; i++) {
        memcpy(text + 3 * i, "<R>", 3);
        memcpy(text + 3 * depth + 4 * i, "</R>", 4);
    }
    text[7 * depth] = '\0';
    return text;
}

/* Depth costs no stack: taken or refused, but survived. */
static void test_deep_nesting(void)
{
    CU_ASSERT_PTR_NOT_NULL(root_of(nested(100), "R"));
    (void)root_of(nested(9000), "R");
}

static const char *code_of(const char *text)
{
    return s3_error_code(text, strlen(text), pool);
}

static void test_error_codes(void)
{
    CU_ASSERT_STRING_EQUAL(code_of("<Error><Code>SlowDown</Code></Error>"), "SlowDown");
    CU_ASSERT_STRING_EQUAL(code_of("<Error><Message/><Code>KMS.NotFoundException</Code></Error>"),
                           "KMS.NotFoundException");
    CU_ASSERT_PTR_NULL(code_of("<Error><Code></Code></Error>"));
    CU_ASSERT_PTR_NULL(code_of("<Error><Code>two words</Code></Error>"));
    CU_ASSERT_PTR_NULL(code_of("<Error><Code>line\nbreak</Code></Error>"));
    CU_ASSERT_PTR_NULL(code_of("<Error/>"));
    CU_ASSERT_PTR_NULL(code_of("<Result><Code>SlowDown</Code></Result>"));
    CU_ASSERT_PTR_NULL(code_of("<Error><Code>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</Code>"
                               "</Error>"));
    CU_ASSERT_PTR_NULL(code_of("Service Unavailable"));
}

static void test_times(void)
{
    static const char *const none[] = {"",
                                       "2026",
                                       "2026-11-21",
                                       "2026-13-21T13:02:45Z",
                                       "2026-11-32T13:02:45Z",
                                       "2026-11-21T24:02:45Z",
                                       "2026-11-21T13:60:45Z",
                                       "1969-11-21T13:02:45Z",
                                       "2026-11-21T13:02:45.x",
                                       "yesterday"};
    size_t i;
    CU_ASSERT_EQUAL(s3_xml_time("2026-11-21T13:02:45.824Z"), APR_TIME_C(1795266165824000));
    CU_ASSERT_EQUAL(s3_xml_time("2026-11-21T13:02:45Z"), APR_TIME_C(1795266165000000));
    CU_ASSERT_EQUAL(s3_xml_time(NULL), 0);
    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        CU_ASSERT_EQUAL(s3_xml_time(none[i]), 0);
    }
}

static void test_lengths(void)
{
    CU_ASSERT_EQUAL(s3_length("0"), 0);
    CU_ASSERT_EQUAL(s3_length("5497558138880"), APR_INT64_C(5497558138880));
    CU_ASSERT_EQUAL(s3_length(""), -1);
    CU_ASSERT_EQUAL(s3_length(NULL), -1);
    CU_ASSERT_EQUAL(s3_length("-1"), -1);
    CU_ASSERT_EQUAL(s3_length("1 "), -1);
    CU_ASSERT_EQUAL(s3_length("0x10"), -1);
    CU_ASSERT_EQUAL(s3_length("99999999999999999999"), -1);
}

static void test_keys(void)
{
    CU_ASSERT_STRING_EQUAL(s3_decode_key("a%2Fb+c%25%c3%BC", pool), "a/b c%\xc3\xbc");
    CU_ASSERT_STRING_EQUAL(s3_decode_key("", pool), "");
    CU_ASSERT_PTR_NULL(s3_decode_key("a%", pool));
    CU_ASSERT_PTR_NULL(s3_decode_key("a%2", pool));
    CU_ASSERT_PTR_NULL(s3_decode_key("a%2g", pool));
    CU_ASSERT_PTR_NULL(s3_decode_key("a%00b", pool));
}

static void test_etags(void)
{
    fhir_http_response_t response = {0};
    response.headers = apr_table_make(pool, 2);
    CU_ASSERT_PTR_NULL(s3_etag(&response, pool));
    apr_table_setn(response.headers, "ETag", "\"abc-2\"");
    CU_ASSERT_STRING_EQUAL(s3_etag(&response, pool), "\"abc-2\"");
    apr_table_setn(response.headers, "ETag", "");
    CU_ASSERT_PTR_NULL(s3_etag(&response, pool));
    apr_table_setn(response.headers, "ETag", "\"\"");
    CU_ASSERT_PTR_NULL(s3_etag(&response, pool));
    apr_table_setn(response.headers, "ETag", "\"a\rb\"");
    CU_ASSERT_PTR_NULL(s3_etag(&response, pool));
}

static const fhir_unit_test_t tests[] = {
    {"elements", test_elements},
    {"no XML", test_no_xml},
    {"entities", test_entities},
    {"deep nesting", test_deep_nesting},
    {"error codes", test_error_codes},
    {"times", test_times},
    {"lengths", test_lengths},
    {"keys", test_keys},
    {"ETags", test_etags},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("s3_answers", tests)
