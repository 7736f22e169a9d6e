/* Media types and FHIR's names for its own. */
#include "core/http/field_syntax.h"
#include "core/http/media_type.h"
#include "unit.h"

static void test_parses(void)
{
    static const struct {
        const char *text;
        const char *type;
        const char *charset;
        const char *kept;
    } cases[] = {
        {"application/pdf", "application/pdf", NULL, "application/pdf"},
        {" \tText/Plain ", "text/plain", NULL, "Text/Plain"},
        {"text/plain;charset=UTF-8", "text/plain", "utf-8", "text/plain;charset=UTF-8"},
        {"text/plain ; charset=\"Utf-8\"", "text/plain", "utf-8", "text/plain ; charset=\"Utf-8\""},
        {"text/plain; x=\"a;b\\\"c\"; CHARSET=latin1", "text/plain", "latin1", NULL},
        {"text/plain; charset=a; charset=b", "text/plain", "a", NULL},
        {"text/plain;", "text/plain", NULL, "text/plain;"},
        {"text/plain;;; charset=x ;", "text/plain", "x", NULL},
        {"application/fhir+json; fhirVersion=4.0", "application/fhir+json", NULL, NULL},
        {"application/vnd.a-b.c+zip", "application/vnd.a-b.c+zip", NULL, NULL},
        {"application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", "application/dicom", NULL, NULL},
        {"multipart/related; boundary=\"\"", "multipart/related", NULL, NULL},
        {"x/y; q=\"t\tab\"", "x/y", NULL, NULL},
        {"text/plain; charset=\"\xC3\xBC\"", "text/plain", "\xC3\xBC", NULL},
    };
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_media_type_t media_type;
        FHIR_ASSERT_OK(fhir_media_type_parse(&media_type, cases[i].text, pool));
        CU_ASSERT_STRING_EQUAL(media_type.type, cases[i].type);
        CU_ASSERT_EQUAL(media_type.charset != NULL, cases[i].charset != NULL);
        if (media_type.charset && cases[i].charset) {
            CU_ASSERT_STRING_EQUAL(media_type.charset, cases[i].charset);
        }
        if (cases[i].kept) {
            CU_ASSERT_STRING_EQUAL(media_type.text, cases[i].kept);
        }
    }
}

static void test_refuses(void)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "text",
                                      "text/",
                                      "/plain",
                                      "/",
                                      "*/*",
                                      "*/plain",
                                      "text/*",
                                      "*",
                                      "text /plain",
                                      "text/ plain",
                                      "text/plain/x",
                                      "text/plain x",
                                      "text/plain, text/html",
                                      "text/plain;charset",
                                      "text/plain;charset=",
                                      "text/plain;=utf-8",
                                      "text/plain; charset =utf-8",
                                      "text/plain; charset= utf-8",
                                      "text/plain; charset=\"utf-8",
                                      "text/plain; charset=\"utf-8\\\"",
                                      "text/plain; charset=\"utf-8\\",
                                      "text/plain; charset=\"utf\x01\"",
                                      "text/plain; charset=\"utf\"8",
                                      "text/pl\xC3\xA4in",
                                      "text/plain\r\nX: y",
                                      "text/plain\n",
                                      "te xt/plain",
                                      "(text)/plain",
                                      "text/plain; charset=a b"};
    fhir_media_type_t media_type;
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fhir_error_t *error = fhir_media_type_parse(&media_type, bad[i], pool);
        CU_ASSERT_PTR_NOT_NULL(error);
        if (!error) {
            printf("accepted: %s\n", bad[i]);
        } else {
            CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        }
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_media_type_parse(&media_type, NULL, pool));
}

static void test_length_limit(void)
{
    char text[300];
    fhir_media_type_t media_type;
    memset(text, 'a', sizeof(text));
    text[4] = '/';
    text[255] = '\0';
    FHIR_ASSERT_OK(fhir_media_type_parse(&media_type, text, pool));
    text[255] = 'a';
    text[256] = '\0';
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_media_type_parse(&media_type, text, pool));
}

static void test_formats(void)
{
    static const struct {
        const char *type;
        fhir_format_t strict;
        fhir_format_t generic;
    } cases[] = {{"application/fhir+json", FHIR_FORMAT_JSON, FHIR_FORMAT_JSON},
                 {"Application/FHIR+JSON", FHIR_FORMAT_JSON, FHIR_FORMAT_JSON},
                 {"application/json+fhir", FHIR_FORMAT_JSON, FHIR_FORMAT_JSON},
                 {"application/fhir+xml", FHIR_FORMAT_XML, FHIR_FORMAT_XML},
                 {"application/xml+fhir", FHIR_FORMAT_XML, FHIR_FORMAT_XML},
                 {"application/fhir+json; fhirVersion=4.0", FHIR_FORMAT_JSON, FHIR_FORMAT_JSON},
                 {"application/json", FHIR_FORMAT_RAW, FHIR_FORMAT_JSON},
                 {"text/json", FHIR_FORMAT_RAW, FHIR_FORMAT_JSON},
                 {"application/xml", FHIR_FORMAT_RAW, FHIR_FORMAT_XML},
                 {"text/xml;charset=utf-8", FHIR_FORMAT_RAW, FHIR_FORMAT_XML},
                 {"application/fhir+turtle", FHIR_FORMAT_RAW, FHIR_FORMAT_RAW},
                 {"application/fhir+ndjson", FHIR_FORMAT_RAW, FHIR_FORMAT_RAW},
                 {"application/fhir+jsonx", FHIR_FORMAT_RAW, FHIR_FORMAT_RAW},
                 {"application/fhir+jso", FHIR_FORMAT_RAW, FHIR_FORMAT_RAW},
                 {"application/pdf", FHIR_FORMAT_RAW, FHIR_FORMAT_RAW},
                 {"", FHIR_FORMAT_RAW, FHIR_FORMAT_RAW},
                 {NULL, FHIR_FORMAT_RAW, FHIR_FORMAT_RAW}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(fhir_media_type_format(cases[i].type, 0), cases[i].strict);
        CU_ASSERT_EQUAL(fhir_media_type_format(cases[i].type, 1), cases[i].generic);
    }
    CU_ASSERT_STRING_EQUAL(fhir_format_media_type(FHIR_FORMAT_JSON), "application/fhir+json; charset=utf-8");
    CU_ASSERT_STRING_EQUAL(fhir_format_media_type(FHIR_FORMAT_XML), "application/fhir+xml; charset=utf-8");
}

static void test_quoted_strings(void)
{
    const char *value = NULL;
    const char *text = "\"a\\\"b\\\\c\\d\"rest";
    const char *end = fhir_quoted_string(&value, text, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_STRING_EQUAL(end, "rest");
    CU_ASSERT_STRING_EQUAL(value, "a\"b\\cd");
    CU_ASSERT_PTR_EQUAL(fhir_quoted_string(NULL, text, NULL), end);
    CU_ASSERT_STRING_EQUAL(fhir_quoted_string(&value, "\"\"", pool), "");
    CU_ASSERT_STRING_EQUAL(value, "");
    CU_ASSERT_PTR_NULL(fhir_quoted_string(&value, "\"", pool));
    CU_ASSERT_PTR_NULL(fhir_quoted_string(&value, "\"a\\", pool));
    CU_ASSERT_PTR_NULL(fhir_quoted_string(&value, "\"a\nb\"", pool));
    CU_ASSERT_PTR_NULL(fhir_quoted_string(&value, "\"a\\\nb\"", pool));
}

static const fhir_unit_test_t tests[] = {{"parses", test_parses},
                                         {"refuses", test_refuses},
                                         {"length limit", test_length_limit},
                                         {"formats", test_formats},
                                         {"quoted strings", test_quoted_strings},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("media_type", tests)
