/* Is this body a Binary resource? */
#include "core/base/text.h"
#include "core/fhir/binary_form.h"
#include "unit.h"

#define NS "xmlns='http://hl7.org/fhir'"

typedef struct case_t {
    const char *text;
    fhir_sniff_t expected; /* of the complete text */
} case_t;

/* A shorter prefix is undecided or already has the final answer. */
static void check(fhir_format_t format, const case_t *cases)
{
    for (; cases->text; cases++) {
        apr_size_t length = strlen(cases->text);
        apr_size_t part;
        fhir_sniff_t found = fhir_binary_sniff(format, 1, cases->text, length, 1);
        CU_ASSERT_EQUAL(found, cases->expected);
        if (found != cases->expected) {
            printf("%s: %d, wanted %d\n", cases->text, (int)found, (int)cases->expected);
        }
        for (part = 0; part < length; part++) {
            /* A copy of the exact size for the sanitizer. */
            char *copy = malloc(part + 1);
            memcpy(copy, cases->text, part);
            found = fhir_binary_sniff(format, 0, copy, part, 0);
            CU_ASSERT(found == FHIR_SNIFF_MORE || found == cases->expected);
            if (found != FHIR_SNIFF_MORE && found != cases->expected) {
                printf("%.*s: %d, wanted %d\n", (int)part, cases->text, (int)found, (int)cases->expected);
            }
            found = fhir_binary_sniff(format, 0, copy, part, 1);
            CU_ASSERT(found != FHIR_SNIFF_MORE);
            free(copy);
        }
    }
}

static void test_json(void)
{
    static const case_t cases[] = {
        {"{\"resourceType\":\"Binary\"}", FHIR_SNIFF_BINARY},
        {"{\"resourceType\":\"Binary\" , x", FHIR_SNIFF_BINARY},
        {" \n{ \"id\":\"a\",\"resourceTyp\\u0065\" : \"Bin\\u0061ry\"", FHIR_SNIFF_BINARY},
        {"{\"foo\":[{\"resourceType\":\"Patient\"}],\"resourceType\":\"Binary\"", FHIR_SNIFF_BINARY},
        {"{\"a\":1,\"a\":1,\"resourceType\":\"Binary\"}", FHIR_SNIFF_BINARY},
        {"{\"data\":\"YQ==\",\"resourceType\":\"Binary\"}", FHIR_SNIFF_BINARY},
        {"\xef\xbb\xbf{\"resourceType\":\"Binary\"}", FHIR_SNIFF_BINARY},
        {"{\"resourceType\":\"Patient\"}", FHIR_SNIFF_OTHER},
        {"{\"resourceType\":7}", FHIR_SNIFF_OTHER},
        {"{\"resourceType\":{}}", FHIR_SNIFF_OTHER},
        {"{\"resourceType\":[\"Binary\"]}", FHIR_SNIFF_OTHER},
        {"{\"x\":{\"resourceType\":\"Binary\"}}", FHIR_SNIFF_OTHER},
        {"[{\"resourceType\":\"Binary\"}]", FHIR_SNIFF_OTHER},
        {"{}", FHIR_SNIFF_OTHER},
        {"{\"contentType\":\"a/b\",\"data\":\"YQ==\"}", FHIR_SNIFF_OTHER},
        {"true", FHIR_SNIFF_OTHER},
        {"\"x\"", FHIR_SNIFF_OTHER},
        {"", FHIR_SNIFF_MALFORMED},
        {"x", FHIR_SNIFF_MALFORMED},
        {"{x", FHIR_SNIFF_MALFORMED},
        {"{\"a\":1", FHIR_SNIFF_MALFORMED},
        {"{\"a\":1} x", FHIR_SNIFF_OTHER},
        {"{\"a\":\"\xff\"}", FHIR_SNIFF_MALFORMED},
        {NULL, FHIR_SNIFF_MORE}};
    check(FHIR_FORMAT_JSON, cases);
}

static void test_xml(void)
{
    static const case_t cases[] = {
        {"<Binary " NS "/>", FHIR_SNIFF_BINARY},
        {"<?xml version='1.0'?><!-- x --><Binary " NS "><x", FHIR_SNIFF_BINARY},
        {"\xef\xbb\xbf<f:Binary xmlns:f='http://hl7.org/fhir'>", FHIR_SNIFF_BINARY},
        {"<?xml version='1.0' encoding='latin1'?><Binary " NS ">", FHIR_SNIFF_BINARY},
        {"<!DOCTYPE Binary [<!ENTITY a 'b'>]><Binary " NS "/>", FHIR_SNIFF_BINARY},
        {"<!DOCTYPE html><html/>", FHIR_SNIFF_OTHER},
        {"<Binary/>", FHIR_SNIFF_OTHER},
        {"<Binary xmlns='urn:x'/>", FHIR_SNIFF_OTHER},
        {"<Patient " NS "/>", FHIR_SNIFF_OTHER},
        {"<x:ClinicalDocument xmlns:x='urn:hl7-org:v3'>", FHIR_SNIFF_OTHER},
        {"<?xml version='1.1' encoding='latin1'?><!-- \xe4 --><a b:c='\xe4'/>", FHIR_SNIFF_OTHER},
        {"\xff\xfe<", FHIR_SNIFF_OTHER},
        {"", FHIR_SNIFF_MALFORMED},
        {"x", FHIR_SNIFF_MALFORMED},
        {"<a", FHIR_SNIFF_MALFORMED},
        {"<a b>", FHIR_SNIFF_MALFORMED},
        {"<!-- ", FHIR_SNIFF_MALFORMED},
        {NULL, FHIR_SNIFF_MORE}};
    check(FHIR_FORMAT_XML, cases);
}

static void test_raw(void)
{
    CU_ASSERT_EQUAL(fhir_binary_sniff(FHIR_FORMAT_RAW, 0, "", 0, 0), FHIR_SNIFF_OTHER);
}

/* A body whose first members fill the window. */
static const char *window(const char *before)
{
    char *text = apr_palloc(pool, FHIR_SNIFF_WINDOW + 1);
    memset(text, 'A', FHIR_SNIFF_WINDOW);
    memcpy(text, before, strlen(before));
    text[FHIR_SNIFF_WINDOW] = '\0';
    return text;
}

static fhir_sniff_t sniff_window(fhir_format_t format, int fhir_type, const char *before)
{
    const char *text = window(before);
    CU_ASSERT_EQUAL(fhir_binary_sniff(format, fhir_type, text, FHIR_SNIFF_WINDOW - 1, 0), FHIR_SNIFF_MORE);
    return fhir_binary_sniff(format, fhir_type, text, FHIR_SNIFF_WINDOW, 0);
}

static void test_full_window(void)
{
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_JSON, 1, "{\"data\":\""), FHIR_SNIFF_BINARY);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_JSON, 0, "{\"data\":\""), FHIR_SNIFF_OTHER);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_JSON, 0, "{\"contentType\":\"a/b\",\"data\":\""), FHIR_SNIFF_BINARY);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_JSON, 1, "{\"x\":1,\"data\":\""), FHIR_SNIFF_OTHER);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_JSON, 1, "{\"x\":\""), FHIR_SNIFF_OTHER);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_JSON, 1, "{\"language\":\""), FHIR_SNIFF_OTHER);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_XML, 1, "<!--"), FHIR_SNIFF_OTHER);
    CU_ASSERT_EQUAL(sniff_window(FHIR_FORMAT_XML, 1, "<Binary " NS " a='"), FHIR_SNIFF_OTHER);
}

static void test_deep_is_other(void)
{
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    for (i = 0; i < 10000; i++) {
        fhir_text_add(&text, "{\"a\":");
    }
    CU_ASSERT_EQUAL(fhir_binary_sniff(FHIR_FORMAT_JSON, 0, text.text, text.length, 1), FHIR_SNIFF_OTHER);
}

static const fhir_unit_test_t tests[] = {{"JSON", test_json},
                                         {"XML", test_xml},
                                         {"raw", test_raw},
                                         {"full window", test_full_window},
                                         {"deep is other", test_deep_is_other},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("sniff", tests)
