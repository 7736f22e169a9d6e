/* Query parameters. */
#include "core/base/text.h"
#include "core/http/fields.h"
#include "unit.h"

/* "name=value|name=value" of what was parsed, or the word "invalid". */
static const char *parsed(const char *query)
{
    apr_array_header_t *parameters = NULL;
    const char *text = "";
    int i;
    fhir_error_t *error = fhir_query_parse(&parameters, query, pool);
    if (error) {
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        return "invalid";
    }
    for (i = 0; i < parameters->nelts; i++) {
        const fhir_parameter_t *parameter = &APR_ARRAY_IDX(parameters, i, fhir_parameter_t);
        text = apr_pstrcat(pool, text, i ? "|" : "", parameter->name, "=", parameter->value, NULL);
    }
    return text;
}

static void test_parses(void)
{
    static const char *const cases[][2] = {{NULL, ""},
                                           {"", ""},
                                           {"&", ""},
                                           {"&&&", ""},
                                           {"a=b", "a=b"},
                                           {"a=b&c=d", "a=b|c=d"},
                                           {"a=b&&c=d&", "a=b|c=d"},
                                           {"a", "a="},
                                           {"a=", "a="},
                                           {"=b", "=b"},
                                           {"=", "="},
                                           {"a=b=c", "a=b=c"},
                                           {"a=1&a=2", "a=1|a=2"},
                                           {"a%3Db=c%26d", "a=b=c&d"},
                                           {"_format=application/fhir+json", "_format=application/fhir json"},
                                           {"_format=application%2ffhir%2Bjson", "_format=application/fhir+json"},
                                           {"n=J%C3%BCrgen", "n=J\xC3\xBCrgen"},
                                           {"n=J\xC3\xBCrgen", "n=J\xC3\xBCrgen"},
                                           {"a;b=c", "a;b=c"},
                                           {"%41=%61", "A=a"},
                                           {"a=%0d%0A", "a=\r\n"},
                                           {"a=%25", "a=%"},
                                           {"a=%2525", "a=%25"}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_STRING_EQUAL(parsed(cases[i][0]), cases[i][1]);
    }
}

static void test_refuses(void)
{
    static const char *const bad[] = {"a=%",         "a=%4",     "a=%4&b",  "a=%zz",  "a=%0g", "%=a",
                                      "a=%00",       "%00=a",    "a=%ff",   "a=\xFF", "a=%C3", "%C3=a",
                                      "a=%ED%A0%80", "a=%C0%AE", "a=b&c=%", "a=% 1",  "a=%+1", "a=%\xC3\xBC"};
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_STRING_EQUAL(parsed(bad[i]), "invalid");
    }
}

static void test_limit(void)
{
    fhir_text_t text;
    apr_array_header_t *parameters;
    int i;
    fhir_text_init(&text, pool);
    for (i = 0; i < 200; i++) {
        fhir_text_addf(&text, "&a%d=%d", i, i);
    }
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, text.text, pool));
    CU_ASSERT_EQUAL(parameters->nelts, 200);
    CU_ASSERT_STRING_EQUAL(fhir_query_get(parameters, "a199"), "199");
    fhir_text_add(&text, "&");
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, text.text, pool));
    fhir_text_add(&text, "x");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_query_parse(&parameters, text.text, pool));
}

static void test_get(void)
{
    apr_array_header_t *parameters;
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, "a=1&b=2&a=3&B=4&c", pool));
    CU_ASSERT_STRING_EQUAL(fhir_query_get(parameters, "a"), "1");
    CU_ASSERT_EQUAL(fhir_query_count(parameters, "a"), 2);
    CU_ASSERT_EQUAL(fhir_query_count(parameters, "missing"), 0);
    CU_ASSERT_STRING_EQUAL(fhir_query_get(parameters, "b"), "2");
    CU_ASSERT_STRING_EQUAL(fhir_query_get(parameters, "B"), "4");
    CU_ASSERT_STRING_EQUAL(fhir_query_get(parameters, "c"), "");
    CU_ASSERT_PTR_NULL(fhir_query_get(parameters, "d"));
    CU_ASSERT_PTR_NULL(fhir_query_get(parameters, ""));
}

static void test_encode(void)
{
    int byte;
    CU_ASSERT_STRING_EQUAL(fhir_url_encode("", pool), "");
    CU_ASSERT_STRING_EQUAL(fhir_url_encode("aZ09-._~", pool), "aZ09-._~");
    CU_ASSERT_STRING_EQUAL(fhir_url_encode("a b/c?d=e&f+g%", pool), "a%20b%2Fc%3Fd%3De%26f%2Bg%25");
    CU_ASSERT_STRING_EQUAL(fhir_url_encode("\xC3\xBC\x01", pool), "%C3%BC%01");
    for (byte = 1; byte < 128; byte++) {
        char text[2] = {(char)byte, '\0'};
        const char *query = apr_pstrcat(pool, "x=", fhir_url_encode(text, pool), NULL);
        CU_ASSERT_STRING_EQUAL(parsed(query), apr_pstrcat(pool, "x=", text, NULL));
    }
}

static const fhir_unit_test_t tests[] = {{"parses", test_parses}, {"refuses", test_refuses}, {"limit", test_limit},
                                         {"get", test_get},       {"encode", test_encode},   {NULL, NULL}};

FHIR_UNIT_MAIN("query", tests)
