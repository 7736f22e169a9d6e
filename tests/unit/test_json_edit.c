/* Edits of JSON text: what is not edited stays byte for byte, commas come out right. */
#include "core/fhir/json_edit.h"
#include "unit.h"

static const fhir_json_document_t *parsed(const char *text, apr_size_t length)
{
    const fhir_json_document_t *document = NULL;
    FHIR_ASSERT_OK(fhir_json_parse(&document, text, length, &fhir_json_resource_limits, pool));
    return document;
}

static fhir_json_edits_t *edits_of(const char *text)
{
    return fhir_json_edits_create(parsed(text, strlen(text)), pool);
}

/* The new text, which must be JSON again. */
static void expect(const fhir_json_edits_t *edits, const char *expected)
{
    const char *text = NULL;
    apr_size_t length = 0;
    FHIR_ASSERT_OK(fhir_json_edits_apply(&text, &length, edits));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, expected);
    CU_ASSERT_EQUAL(strlen(text), length);
    if (strcmp(text, expected) != 0) {
        printf("%s instead of %s\n", text, expected);
    }
    CU_ASSERT_PTR_NOT_NULL(parsed(text, length));
}

static void expect_defect(const fhir_json_edits_t *edits)
{
    const char *text = NULL;
    apr_size_t length = 0;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_json_edits_apply(&text, &length, edits));
    CU_ASSERT_PTR_NULL(text);
}

static void test_no_edits(void)
{
    static const char text[] = " {\"a\" : 0.10,\r\n\t\"b\":[1E400, 12345678901234567890,\"\\u00e9\\/\"] }\n";
    expect(edits_of(text), text);
    expect(edits_of("0"), "0");
}

static void test_replace(void)
{
    fhir_json_edits_t *edits = edits_of(" {\"a\" : 0.10,\r\n\t\"b\":[1E400, 1,\"\\u00e9\\/\"] }\n");
    fhir_json_edit_replace(edits, 4, "{\"new\":true}");
    expect(edits, " {\"a\" : 0.10,\r\n\t\"b\":[1E400, {\"new\":true},\"\\u00e9\\/\"] }\n");
    fhir_json_edit_replace(edits, 1, "0");
    fhir_json_edit_replace(edits, 5, "\"\"");
    expect(edits, " {\"a\" : 0,\r\n\t\"b\":[1E400, {\"new\":true},\"\"] }\n");
    edits = edits_of(" [1] ");
    fhir_json_edit_replace(edits, 0, "null");
    expect(edits, " null ");
}

/* Every choice of children to remove, from arrays and objects of up to 5, in both orders of the calls. */
static void test_remove_every_choice(void)
{
    static const char *const texts[] = {"[0,1,2,3,4]",
                                        "[ 0 , 1 ,2, 3,\n4 ]",
                                        "{\"a\":0,\"b\":1,\"c\":2}",
                                        "{ \"a\" : 0 , \"b\" : 1\n, \"c\" : 2 }",
                                        "[0]",
                                        "{\"a\":0}",
                                        "[0,1]"};
    apr_size_t t;
    for (t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        const fhir_json_document_t *document = parsed(texts[t], strlen(texts[t]));
        int count = document->nodes[0].count;
        unsigned choice;
        for (choice = 0; choice < 2u << count; choice++) {
            fhir_json_edits_t *edits = fhir_json_edits_create(document, pool);
            const fhir_json_document_t *left;
            const char *text = NULL;
            apr_size_t length = 0;
            int child;
            int i;
            for (i = 0; i < count; i++) {
                int one = choice >> count ? count - 1 - i : i;
                if (choice >> one & 1) {
                    fhir_json_edit_remove(edits, one + 1);
                }
            }
            FHIR_ASSERT_OK(fhir_json_edits_apply(&text, &length, edits));
            left = parsed(text, length);
            child = fhir_json_first(left, 0);
            for (i = 0; i < count; i++) {
                if (!(choice >> i & 1)) {
                    CU_ASSERT_STRING_EQUAL(fhir_json_raw(left, child, pool), apr_itoa(pool, i));
                    child = left->nodes[child].next;
                }
            }
            CU_ASSERT_EQUAL(child, -1);
        }
    }
}

static void test_remove_keeps_white_space(void)
{
    fhir_json_edits_t *edits = edits_of("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}");
    fhir_json_edit_remove(edits, 1);
    expect(edits, "{\n  \"b\": 2,\n  \"c\": 3\n}");
    edits = edits_of("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}");
    fhir_json_edit_remove(edits, 3);
    expect(edits, "{\n  \"a\": 1,\n  \"b\": 2\n}");
    fhir_json_edit_remove(edits, 2);
    expect(edits, "{\n  \"a\": 1\n}");
    fhir_json_edit_remove(edits, 1);
    expect(edits, "{\n  \n}");
}

static void test_add_member(void)
{
    fhir_json_edits_t *edits = edits_of("{\"a\":1}");
    fhir_json_edit_add_member(edits, 0, "b\"\n", "[0.10]");
    fhir_json_edit_add_member(edits, 0, "", "{}");
    expect(edits, "{\"a\":1,\"b\\\"\\n\":[0.10],\"\":{}}");
    fhir_json_edit_remove(edits, 1);
    expect(edits, "{\"b\\\"\\n\":[0.10],\"\":{}}");
    edits = edits_of("[{}, { } ]");
    fhir_json_edit_add_member(edits, 1, "a", "1");
    fhir_json_edit_add_member(edits, 2, "a", "1");
    fhir_json_edit_add_member(edits, 2, "b", "2");
    expect(edits, "[{\"a\":1}, {\"a\":1,\"b\":2 } ]");
}

static void test_insert_item(void)
{
    fhir_json_edits_t *edits = edits_of("[ 1, 2 ]");
    fhir_json_edit_insert_item(edits, 0, 1, "15");
    expect(edits, "[ 1,15, 2 ]");
    fhir_json_edit_insert_item(edits, 0, 0, "5");
    fhir_json_edit_insert_item(edits, 0, 0, "6");
    fhir_json_edit_insert_item(edits, 0, 2, "25");
    fhir_json_edit_insert_item(edits, 0, 1, "16");
    expect(edits, "[ 5,6,1,15,16, 2,25 ]");
    fhir_json_edit_replace(edits, 1, "{}");
    expect(edits, "[ 5,6,{},15,16, 2,25 ]");
    edits = edits_of("[]");
    fhir_json_edit_insert_item(edits, 0, 0, "1");
    fhir_json_edit_insert_item(edits, 0, 0, "2");
    expect(edits, "[1,2]");
}

static void test_insert_and_remove(void)
{
    fhir_json_edits_t *edits = edits_of("[0,1,2]");
    fhir_json_edit_remove(edits, 1);
    fhir_json_edit_insert_item(edits, 0, 0, "7");
    expect(edits, "[7,1,2]");
    fhir_json_edit_remove(edits, 2);
    fhir_json_edit_remove(edits, 3);
    expect(edits, "[7]");
    fhir_json_edit_insert_item(edits, 0, 3, "9");
    expect(edits, "[7,9]");
    edits = edits_of("[0,1,2]");
    fhir_json_edit_remove(edits, 1);
    fhir_json_edit_remove(edits, 2);
    fhir_json_edit_insert_item(edits, 0, 1, "8");
    expect(edits, "[8,2]");
    edits = edits_of("[0,1,2]");
    fhir_json_edit_remove(edits, 1);
    fhir_json_edit_replace(edits, 2, "[]");
    fhir_json_edit_replace(edits, 3, "{}");
    expect(edits, "[[],{}]");
}

static void test_nested(void)
{
    fhir_json_edits_t *edits = edits_of("{\"a\":{\"b\":[1,2]},\"c\":3}");
    fhir_json_edit_add_member(edits, 0, "z", "0");
    fhir_json_edit_remove(edits, 3);
    fhir_json_edit_insert_item(edits, 2, 2, "9");
    fhir_json_edit_replace(edits, 4, "22");
    fhir_json_edit_add_member(edits, 1, "y", "0");
    fhir_json_edit_remove(edits, 5);
    expect(edits, "{\"a\":{\"b\":[22,9],\"y\":0},\"z\":0}");
    edits = edits_of("[[],[]]");
    fhir_json_edit_insert_item(edits, 2, 0, "2");
    fhir_json_edit_insert_item(edits, 1, 0, "1");
    fhir_json_edit_insert_item(edits, 0, 0, "0");
    fhir_json_edit_insert_item(edits, 0, 1, "0");
    expect(edits, "[0,[1],0,[2]]");
}

static fhir_json_edits_t *fresh(void)
{
    return edits_of("{\"a\":{\"b\":[1,2]},\"c\":3}");
}

static void test_defects(void)
{
    fhir_json_edits_t *edits = fresh();
    fhir_json_edit_replace(edits, 5, "1");
    fhir_json_edit_replace(edits, 5, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_remove(edits, 5);
    fhir_json_edit_remove(edits, 5);
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_remove(edits, 1);
    fhir_json_edit_remove(edits, 5);
    fhir_json_edit_remove(edits, 1);
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_remove(edits, 5);
    fhir_json_edit_replace(edits, 5, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_remove(edits, 3);
    fhir_json_edit_replace(edits, 3, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_replace(edits, 1, "1");
    fhir_json_edit_remove(edits, 3);
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_remove(edits, 1);
    fhir_json_edit_insert_item(edits, 2, 2, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_replace(edits, 0, "1");
    fhir_json_edit_add_member(edits, 0, "x", "1");
    expect_defect(edits);
}

static void test_what_is_not_there(void)
{
    fhir_json_edits_t *edits = fresh();
    fhir_json_edit_remove(edits, 0);
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_remove(edits, -1);
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_replace(edits, 6, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_add_member(edits, 2, "x", "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_insert_item(edits, 2, 3, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_insert_item(edits, 2, -1, "1");
    expect_defect(edits);
    edits = fresh();
    fhir_json_edit_insert_item(edits, 0, 0, "1");
    expect_defect(edits);
}

/* 100,000 members of one object go. */
static void test_many_edits_are_linear(void)
{
    apr_time_t start = apr_time_now();
    const fhir_json_document_t *document;
    fhir_json_edits_t *edits;
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    for (i = 0; i < 100000; i++) {
        fhir_text_addf(&text, "%s\"k%d\":0", i ? "," : "{", i);
    }
    fhir_text_add(&text, "}");
    document = parsed(text.text, text.length);
    edits = fhir_json_edits_create(document, pool);
    for (i = 100000; i > 1; i--) {
        fhir_json_edit_remove(edits, i);
    }
    expect(edits, "{\"k0\":0}");
    CU_ASSERT(apr_time_now() - start < apr_time_from_sec(60));
}

static const fhir_unit_test_t tests[] = {{"no edits", test_no_edits},
                                         {"replace", test_replace},
                                         {"remove every choice", test_remove_every_choice},
                                         {"remove keeps white space", test_remove_keeps_white_space},
                                         {"add member", test_add_member},
                                         {"insert item", test_insert_item},
                                         {"insert and remove", test_insert_and_remove},
                                         {"nested", test_nested},
                                         {"defects", test_defects},
                                         {"not there", test_what_is_not_there},
                                         {"many edits", test_many_edits_are_linear},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("json_edit", tests)
