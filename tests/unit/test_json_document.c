/* JSON documents held whole: grammar, limits, doubled names, access, places, comparison. */
#include "core/fhir/json_document.h"
#include "unit.h"

#include <jansson.h>

/* The text in a block of exactly its size: reading past its end is seen by ASan and valgrind. */
static const char *exact(const char *text, apr_size_t length)
{
    char *copy = malloc(length ? length : 1);
    if (length) {
        memcpy(copy, text, length);
    }
    apr_pool_cleanup_register(pool, copy, (apr_status_t(*)(void *))(void (*)(void))free, apr_pool_cleanup_null);
    return copy;
}

static const fhir_json_document_t *parsed(const char *text)
{
    const fhir_json_document_t *document = NULL;
    apr_size_t length = strlen(text);
    FHIR_ASSERT_OK(fhir_json_parse(&document, exact(text, length), length, &fhir_json_resource_limits, pool));
    return document;
}

/* The sentence, "" if accepted. */
static const char *verdict(const char *text, apr_size_t length, const fhir_json_limits_t *limits)
{
    const fhir_json_document_t *document = NULL;
    fhir_error_t *error = fhir_json_parse(&document, exact(text, length), length, limits, pool);
    CU_ASSERT(!error || error->code == FHIR_ERROR_INVALID);
    CU_ASSERT((document != NULL) == (error == NULL));
    return error ? error->public_text : "";
}

static void expect_refused(const char *text, apr_size_t length, const char *part)
{
    const char *sentence = verdict(text, length, &fhir_json_resource_limits);
    CU_ASSERT_PTR_NOT_NULL(strstr(sentence, part));
    if (!strstr(sentence, part)) {
        printf("%s -> %s (not: %s)\n", text, sentence, part);
    }
}

static void test_accepted(void)
{
    static const char *const texts[] = {"{}",
                                        " [ ] ",
                                        "0",
                                        "-0",
                                        "-0.5e-10",
                                        "12E+3",
                                        "1.0",
                                        "1E400",
                                        "123456789012345678901234567890",
                                        "\tfalse\r\n",
                                        "true",
                                        "null",
                                        "\"\"",
                                        "{\"\":1}",
                                        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
                                        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\"",
                                        "[1,2,[3,{\"a\":{\"a\":{\"a\":[]}}}]]",
                                        "{\"a\":1,\"b\":{\"a\":1},\"\":2,\"A\":3}",
                                        "[{\"a\":1},{\"a\":1}]",
                                        "\"\x7f\"",
                                        NULL};
    int i;
    for (i = 0; texts[i]; i++) {
        CU_ASSERT_STRING_EQUAL(verdict(texts[i], strlen(texts[i]), &fhir_json_resource_limits), "");
    }
}

static void test_refused(void)
{
    static const char *const cases[][2] = {{"", "at byte 0: it is empty"},
                                           {"  ", "too early"},
                                           {"\xef\xbb\xbf{}", "byte order mark"},
                                           {"\xff\xfe{", "byte order mark"},
                                           {"{} {}", "byte 3: something follows"},
                                           {"{}x", "something follows"},
                                           {"01", "byte 1: something follows"},
                                           {"{", "too early"},
                                           {"[", "too early"},
                                           {"[1", "too early"},
                                           {"{\"a\"", "too early"},
                                           {"{\"a\":", "too early"},
                                           {"{\"a\":1,", "too early"},
                                           {"[1,]", "value is missing"},
                                           {"[,1]", "value is missing"},
                                           {"[1 2]", "comma or a closing"},
                                           {"[01]", "comma or a closing"},
                                           {"[1}", "bracket does not match"},
                                           {"{\"a\":1]", "bracket does not match"},
                                           {"{]", "member name"},
                                           {"]", "value is missing"},
                                           {"{\"a\":1,}", "byte 7: a member name"},
                                           {"{a:1}", "member name"},
                                           {"{'a':1}", "member name"},
                                           {"{\"a\" 1}", "colon is missing"},
                                           {"{\"a\":}", "value is missing"},
                                           {"nul", "only true, false, null"},
                                           {"nulL", "only true, false, null"},
                                           {"True", "value is missing"},
                                           {"-", "too early"},
                                           {"[-]", "byte 2, in [0]: a number is not complete"},
                                           {"[1.]", "number is not complete"},
                                           {"[1.e5]", "number is not complete"},
                                           {"[1e]", "number is not complete"},
                                           {"[1e+]", "number is not complete"},
                                           {"[-a]", "number is not complete"},
                                           {"1.5e", "too early"},
                                           {"[.5]", "value is missing"},
                                           {"[+1]", "value is missing"},
                                           {"[NaN]", "value is missing"},
                                           {"\"a", "too early"},
                                           {"\"\\x\"", "escape is unknown"},
                                           {"\"\\", "escape is unknown"},
                                           {"\"\\u12g4\"", "four hex digits"},
                                           {"\"\\u12", "four hex digits"},
                                           {"\"\\u0000\"", "U+0000"},
                                           {"\"\\udc00\"", "low surrogate"},
                                           {"\"\\ud800\"", "high surrogate"},
                                           {"\"\\ud800\\u0041\"", "high surrogate"},
                                           {"\"\\ud800\\n\"", "high surrogate"},
                                           {"\"a\nb\"", "control character"},
                                           {"\"\xc3(\"", "valid UTF-8"},
                                           {"\"\xc3", "too early"},
                                           {"\"\xc0\x80\"", "valid UTF-8"},
                                           {"\"\xed\xa0\x80\"", "valid UTF-8"},
                                           {"\"\xf4\x90\x80\x80\"", "valid UTF-8"},
                                           {"\"\x80\"", "valid UTF-8"},
                                           {"{\"\xff\":1}", "valid UTF-8"},
                                           {"{\"name\":[{\"family\":tru}]}", "byte 19, in name[0].family: only true"},
                                           {"{\"name\":[{}{}]}", "byte 11, in name: a comma"},
                                           {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        expect_refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    }
    expect_refused("[\0]", 3, "value is missing");
    expect_refused("\"\0\"", 3, "control character");
    expect_refused("\0", 1, "value is missing");
    expect_refused("1\0", 2, "something follows");
    expect_refused("\"\\\0\"", 4, "escape is unknown");
}

/* Each beginning of a valid text is malformed: nothing is read past the end. */
static void test_cut(void)
{
    static const char text[] = "{\"a\\u00e9\":[1.5e+3,\"\xe2\x82\xac\\ud83d\\ude00\",true,false,null,{\"b\":-0.1}]}";
    apr_size_t length;
    for (length = 0; length < sizeof(text) - 1; length++) {
        CU_ASSERT(verdict(text, length, &fhir_json_resource_limits)[0] != '\0');
    }
    CU_ASSERT_STRING_EQUAL(verdict(text, length, &fhir_json_resource_limits), "");
}

static void test_two_gigabytes(void)
{
    const fhir_json_document_t *document = NULL;
    fhir_error_t *error = fhir_json_parse(&document, "", (apr_size_t)1 << 31, &fhir_json_resource_limits, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "2 GiB"));
}

static void test_depth(void)
{
    static const fhir_json_limits_t limits = {3, 100};
    static const fhir_json_limits_t none = {0, 100};
    char text[201];
    CU_ASSERT_STRING_EQUAL(verdict("[[[1]]]", 7, &limits), "");
    CU_ASSERT_STRING_EQUAL(verdict("[[{\"a\":1}],[[]],{\"b\":{}}]", 25, &limits), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict("[[[[]]]]", 8, &limits), "more than 3 levels deep at byte 3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict("[]", 2, &none), "more than 0 levels"));
    CU_ASSERT_STRING_EQUAL(verdict("1", 1, &none), "");
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    CU_ASSERT_STRING_EQUAL(verdict(text + 36, 128, &fhir_json_resource_limits), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict(text + 35, 130, &fhir_json_resource_limits), "more than 64 levels"));
}

static void test_nodes(void)
{
    static const fhir_json_limits_t five = {10, 5};
    static const fhir_json_limits_t many = {10, 200};
    fhir_text_t text;
    int i;
    CU_ASSERT_STRING_EQUAL(verdict("[1,2,3,4]", 9, &five), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict("[1,2,3,4,5]", 11, &five), "more than 5 values"));
    CU_ASSERT_PTR_NOT_NULL(strstr(verdict("[1,2,3,4,[]]", 12, &five), "more than 5 values"));
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "[0");
    for (i = 0; i < 198; i++) {
        fhir_text_add(&text, ",0");
    }
    CU_ASSERT_STRING_EQUAL(verdict(apr_pstrcat(pool, text.text, "]", NULL), text.length + 1, &many), "");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(verdict(apr_pstrcat(pool, text.text, ",0]", NULL), text.length + 3, &many), "more than 200 values"));
}

static void test_doubled(void)
{
    expect_refused("{\"a\":1,\"a\":2}", 13, "byte 7: the member \"a\" stands twice");
    expect_refused("{\"b\":{\"a\":1,\"c\":3,\"a\":2}}", 25, "byte 18, in b: the member \"a\" stands twice");
    expect_refused("{\"\":1,\"\":2}", 11, "stands twice");
    expect_refused("{\"a\":1,\"\\u0061\":2}", 18, "stands twice");
    expect_refused("{\"\\u0061\":1,\"a\":2}", 18, "stands twice");
    expect_refused("{\"\\u00e9\":1,\"\xc3\xa9\":2}", 18, "stands twice");
    expect_refused("{\"\\n\":1,\"\\u000A\":2}", 19, "stands twice");
    CU_ASSERT_STRING_EQUAL(verdict("{\"\\\\n\":1,\"\\n\":2}", 16, &fhir_json_resource_limits), "");
}

/* An object with `count` members; two of them may have one name. */
static fhir_text_t large_object(int count, int twin_a, int twin_b)
{
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    for (i = 0; i < count; i++) {
        fhir_text_addf(&text, "%s\"%s%d\":0", i ? "," : "{", i == twin_b ? "\\u006b" : "k", i == twin_b ? twin_a : i);
    }
    fhir_text_add(&text, "}");
    return text;
}

static void test_doubled_in_large_objects(void)
{
    static const int counts[] = {2, 23, 24, 25, 26, 27, 60, 1000, 100000};
    apr_size_t i;
    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int count = counts[i];
        fhir_text_t unique = large_object(count, -1, -1);
        fhir_text_t ends = large_object(count, 0, count - 1);
        fhir_text_t neighbours = large_object(count, count - 2, count - 1);
        CU_ASSERT_STRING_EQUAL(verdict(unique.text, unique.length, &fhir_json_resource_limits), "");
        expect_refused(ends.text, ends.length, "a member stands twice");
        expect_refused(neighbours.text, neighbours.length, "a member stands twice");
    }
}

/* FNV-1a, as the parser's. */
static unsigned hash_on(unsigned hash, const char *name)
{
    while (*name) {
        hash = (hash ^ (unsigned char)*name++) * 16777619u;
    }
    return hash;
}

/* Two blocks that lead from this hash to the same one: found by chance, as any attacker does. Returns that hash. */
static unsigned collide(unsigned hash, char blocks[2][9])
{
    static unsigned table[1 << 20];
    unsigned i;
    memset(table, 0, sizeof(table));
    for (i = 1;; i++) {
        unsigned next;
        unsigned *slot;
        snprintf(blocks[0], 9, "%08x", i * 2654435761u);
        next = hash_on(hash, blocks[0]);
        slot = &table[next % (1 << 20)];
        if (*slot) {
            snprintf(blocks[1], 9, "%08x", *slot * 2654435761u);
            if (hash_on(hash, blocks[1]) == next) {
                return next;
            }
        }
        *slot = i;
    }
}

#define STAGES 17 /* 131,072 names of one hash */

/* A table of hash chains would take minutes here. */
static void test_colliding_names_cost_no_quadratic_time(void)
{
    char blocks[STAGES][2][9];
    unsigned hash = 2166136261u;
    apr_time_t start;
    fhir_text_t text;
    unsigned i;
    unsigned stage;
    for (stage = 0; stage < STAGES; stage++) {
        hash = collide(hash, blocks[stage]);
    }
    fhir_text_init(&text, pool);
    for (i = 0; i < 1u << STAGES; i++) {
        fhir_text_add(&text, i ? ",\"" : "{\"");
        for (stage = 0; stage < STAGES; stage++) {
            fhir_text_add(&text, blocks[stage][i >> stage & 1]);
        }
        fhir_text_add(&text, "\":0");
    }
    fhir_text_add(&text, "}");
    start = apr_time_now();
    CU_ASSERT_STRING_EQUAL(verdict(text.text, text.length, &fhir_json_resource_limits), "");
    CU_ASSERT(apr_time_now() - start < apr_time_from_sec(60));
}

static void test_nodes_say_where(void)
{
    static const char text[] = " {\"a\" : [10, \"x\"] , \"b\":{}} ";
    const fhir_json_document_t *document = parsed(text);
    const fhir_json_node_t *nodes = document->nodes;
    CU_ASSERT_EQUAL(document->count, 5);
    CU_ASSERT_EQUAL(document->length, strlen(text));
    CU_ASSERT(nodes[0].kind == FHIR_JSON_OBJECT && nodes[0].offset == 1 && nodes[0].length == 26);
    CU_ASSERT(nodes[0].parent == -1 && nodes[0].next == -1 && nodes[0].count == 2 && nodes[0].key_length == 0);
    CU_ASSERT(nodes[1].kind == FHIR_JSON_ARRAY && nodes[1].key_offset == 2 && nodes[1].key_length == 3);
    CU_ASSERT(nodes[1].next == 4 && nodes[1].parent == 0 && nodes[1].count == 2);
    CU_ASSERT(nodes[2].kind == FHIR_JSON_NUMBER && nodes[2].index == 0 && nodes[2].key_length == 0);
    CU_ASSERT(nodes[3].kind == FHIR_JSON_STRING && nodes[3].index == 1 && nodes[3].length == 3 && nodes[3].next == -1);
    CU_ASSERT(nodes[4].kind == FHIR_JSON_OBJECT && nodes[4].parent == 0 && nodes[4].count == 0);
    CU_ASSERT_STRING_EQUAL(fhir_json_raw(document, 1, pool), "[10, \"x\"]");
    CU_ASSERT_PTR_NULL(fhir_json_raw(document, -1, pool));
}

static void test_members(void)
{
    const fhir_json_document_t *document = parsed("{\"a\":1,\"\\u0062\\n\":\"x\\ty\",\"c\\\\n\":[\"d\"],\"\":null}");
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, "a"), 1);
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, "b\n"), 2);
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, "c\\n"), 3);
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, "c\\\\n"), -1);
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, ""), 5);
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, "b"), -1);
    CU_ASSERT_EQUAL(fhir_json_member(document, 0, "b\nx"), -1);
    CU_ASSERT_EQUAL(fhir_json_member(document, 1, "a"), -1);
    CU_ASSERT_EQUAL(fhir_json_member(document, 3, ""), -1);
    CU_ASSERT_EQUAL(fhir_json_member(document, -1, "a"), -1);
    CU_ASSERT(fhir_json_named(document, 2, "b\n") && !fhir_json_named(document, 2, "\\u0062\\n"));
    CU_ASSERT(!fhir_json_named(document, -1, "a") && !fhir_json_named(document, 4, ""));
    CU_ASSERT_STRING_EQUAL(fhir_json_name(document, 2, pool), "b\n");
    CU_ASSERT_STRING_EQUAL(fhir_json_name(document, 5, pool), "");
    CU_ASSERT_PTR_NULL(fhir_json_name(document, 4, pool));
    CU_ASSERT_PTR_NULL(fhir_json_name(document, 0, pool));
    CU_ASSERT_PTR_NULL(fhir_json_name(document, -1, pool));
}

static void test_strings(void)
{
    const fhir_json_document_t *document = parsed("[\"x\\ty\",\"\\ud83d\\ude00\\/\",\"\",1,\"plain\"]");
    CU_ASSERT_STRING_EQUAL(fhir_json_string(document, 1, pool), "x\ty");
    CU_ASSERT_STRING_EQUAL(fhir_json_string(document, 2, pool), "\xf0\x9f\x98\x80/");
    CU_ASSERT_STRING_EQUAL(fhir_json_string(document, 3, pool), "");
    CU_ASSERT_PTR_NULL(fhir_json_string(document, 4, pool));
    CU_ASSERT_PTR_NULL(fhir_json_string(document, -1, pool));
    CU_ASSERT_STRING_EQUAL(fhir_json_string(document, 5, pool), "plain");
    CU_ASSERT(fhir_json_equals(document, 1, "x\ty") && !fhir_json_equals(document, 1, "x\\ty"));
    CU_ASSERT(!fhir_json_equals(document, 1, "x\tyz") && !fhir_json_equals(document, 1, "x\t"));
    CU_ASSERT(fhir_json_equals(document, 2, "\xf0\x9f\x98\x80/"));
    CU_ASSERT(fhir_json_equals(document, 5, "plain") && !fhir_json_equals(document, 5, "plaiN"));
    CU_ASSERT(!fhir_json_equals(document, 4, "1") && !fhir_json_equals(document, -1, ""));
}

static void test_children(void)
{
    const fhir_json_document_t *document = parsed("[[],{},1,[2]]");
    CU_ASSERT_EQUAL(fhir_json_first(document, 0), 1);
    CU_ASSERT_EQUAL(fhir_json_first(document, 1), -1);
    CU_ASSERT_EQUAL(fhir_json_first(document, 2), -1);
    CU_ASSERT_EQUAL(fhir_json_first(document, 3), -1);
    CU_ASSERT_EQUAL(fhir_json_first(document, 4), 5);
    CU_ASSERT_EQUAL(fhir_json_first(document, -1), -1);
}

static void test_paths(void)
{
    const fhir_json_document_t *document =
        parsed("{\"photo\":[{\"url\":1},{\"url\":2}],\"a b\":{\"x`\\\\\":3},\"_id\":{\"\":4}}");
    CU_ASSERT_STRING_EQUAL(fhir_json_path(document, 0, "Patient", pool), "Patient");
    CU_ASSERT_STRING_EQUAL(fhir_json_path(document, 1, "Patient", pool), "Patient.photo");
    CU_ASSERT_STRING_EQUAL(fhir_json_path(document, 5, "Patient", pool), "Patient.photo[1].url");
    CU_ASSERT_STRING_EQUAL(fhir_json_path(document, 5, "", pool), "photo[1].url");
    CU_ASSERT_STRING_EQUAL(fhir_json_path(document, 7, "Patient", pool), "Patient.`a b`.`x\\`\\\\`");
    CU_ASSERT_STRING_EQUAL(fhir_json_path(document, 9, "Patient", pool), "Patient._id.``");
}

/* An error's place is cut between characters. */
static void test_long_paths_are_cut(void)
{
    char name[400];
    const char *sentence;
    int i;
    for (i = 0; i < 198; i++) {
        name[i] = 'n';
    }
    memcpy(name + 198, "\xe2\x82\xac\xe2\x82\xac", 7);
    sentence = verdict(apr_pstrcat(pool, "{\"", name, "\":[}", NULL), 210, &fhir_json_resource_limits);
    CU_ASSERT_PTR_NOT_NULL(strstr(sentence, "nnn...: a"));
    CU_ASSERT(strlen(sentence) < 300);
}

/* Both ways round. */
static int same(const char *a, const char *b)
{
    const fhir_json_document_t *first = parsed(a);
    const fhir_json_document_t *second = parsed(b);
    int result = fhir_json_same(first, 0, second, 0, pool);
    CU_ASSERT_EQUAL(result, fhir_json_same(second, 0, first, 0, pool));
    return result;
}

static void test_same(void)
{
    CU_ASSERT(same("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true , null ] , \"\\u0061\" : 1.0 } "));
    CU_ASSERT(!same("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}"));
    CU_ASSERT(!same("{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}"));
    CU_ASSERT(!same("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    CU_ASSERT(!same("[1,2]", "[2,1]"));
    CU_ASSERT(!same("[1,[2]]", "[1,[3]]"));
    CU_ASSERT(!same("[]", "{}"));
    CU_ASSERT(!same("true", "false"));
    CU_ASSERT(!same("null", "false"));
    CU_ASSERT(!same("1", "\"1\""));
    CU_ASSERT(same("\"\\u00e9\\/\"", "\"\xc3\xa9/\""));
    CU_ASSERT(!same("\"\\n\"", "\"\\\\n\""));
    CU_ASSERT(!same("\"a\"", "\"ab\""));
    CU_ASSERT(!same("\"\\u0061\"", "\"ab\""));
    CU_ASSERT(same("{\"a\":{\"x\":1,\"y\":2},\"b\":[]}", "{\"b\":[],\"a\":{\"y\":2,\"x\":1}}"));
}

static void test_same_numbers(void)
{
    static const char *const equal[][2] = {{"1", "1.0"},
                                           {"1.0", "1.00"},
                                           {"10", "1e1"},
                                           {"10", "1E+1"},
                                           {"0.1", "1e-1"},
                                           {"0.10", "0.1"},
                                           {"100", "1e2"},
                                           {"0.001", "1e-3"},
                                           {"0.00120", "12e-4"},
                                           {"-0", "0"},
                                           {"0.000", "0e99999999999999999999"},
                                           {"1E400", "10E399"},
                                           {"12345678901234567890", "1234567890123456789e1"},
                                           {"-1.5", "-15e-1"},
                                           {"1e0", "1"},
                                           {"1e-0", "1"},
                                           {"1e007", "1e7"},
                                           {"1e1000000000000000000000000", "10e999999999999999999999999"},
                                           {"1e-999999999999999999999999", "10e-1000000000000000000000000"},
                                           {"0.5e1", "50e-1"},
                                           {"123.456", "0.123456e3"},
                                           {NULL, NULL}};
    static const char *const different[][2] = {{"1", "-1"},
                                               {"1", "2"},
                                               {"1", "10"},
                                               {"0.1", "0.01"},
                                               {"12345678901234567890", "12345678901234567891"},
                                               {"0.1", "0.10000000000000000000000000001"},
                                               {"1e400", "1e401"},
                                               {"1e10", "1e-10"},
                                               {"1e1000000000000000000000000", "10e1000000000000000000000000"},
                                               {"1e1000000000000000000000000", "1e-1000000000000000000000000"},
                                               {"0", "1e-999999999999999999999"},
                                               {"11", "101"},
                                               {"1.01", "1.1"},
                                               {NULL, NULL}};
    int i;
    for (i = 0; equal[i][0]; i++) {
        CU_ASSERT(same(equal[i][0], equal[i][1]));
        if (!same(equal[i][0], equal[i][1])) {
            printf("%s is not %s\n", equal[i][0], equal[i][1]);
        }
    }
    for (i = 0; different[i][0]; i++) {
        CU_ASSERT(!same(different[i][0], different[i][1]));
    }
}

static const char *backwards(int count, int odd)
{
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    for (i = count - 1; i >= 0; i--) {
        fhir_text_addf(&text, "%s\"k%d\":%d", i < count - 1 ? "," : "{", i, i == odd ? 1 : 0);
    }
    fhir_text_add(&text, "}");
    return text.text;
}

static void test_same_large_objects(void)
{
    apr_time_t start = apr_time_now();
    CU_ASSERT(same(large_object(100000, -1, -1).text, backwards(100000, -1)));
    CU_ASSERT(!same(large_object(100000, -1, -1).text, backwards(100000, 70000)));
    CU_ASSERT(apr_time_now() - start < apr_time_from_sec(60));
}

/* Each level is compared once, although its members are matched twice. */
static void test_same_deep_objects(void)
{
    const char *first = "1";
    const char *second = "1.0";
    int i;
    for (i = 0; i < 60; i++) {
        first = apr_pstrcat(pool, "{\"x\":", first, ",\"p\":1,\"q\":2}", NULL);
        second = apr_pstrcat(pool, "{\"x\":", second, ",\"q\":2,\"p\":1}", NULL);
    }
    CU_ASSERT(same(first, second));
}

/* jansson reads numbers as doubles, so it is asked only whether it accepts. */
static void test_agrees_with_jansson(void)
{
    static const char *const texts[] = {"{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\"}",
                                        "[1,2",
                                        "{\"a\":1,\"a\":2}",
                                        "[1,]",
                                        "\"\\ud800\"",
                                        "[\"\xc3\xa9\"]",
                                        "[0.5e3]",
                                        "[-]"};
    apr_size_t i;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *theirs = json_loads(texts[i], JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        CU_ASSERT_EQUAL(theirs != NULL, !*verdict(texts[i], strlen(texts[i]), &fhir_json_resource_limits));
        json_decref(theirs);
    }
}

static const fhir_unit_test_t tests[] = {{"accepted", test_accepted},
                                         {"refused", test_refused},
                                         {"cut", test_cut},
                                         {"two gigabytes", test_two_gigabytes},
                                         {"depth", test_depth},
                                         {"nodes", test_nodes},
                                         {"doubled", test_doubled},
                                         {"doubled in large objects", test_doubled_in_large_objects},
                                         {"colliding names", test_colliding_names_cost_no_quadratic_time},
                                         {"nodes say where", test_nodes_say_where},
                                         {"members", test_members},
                                         {"strings", test_strings},
                                         {"children", test_children},
                                         {"paths", test_paths},
                                         {"long paths", test_long_paths_are_cut},
                                         {"same", test_same},
                                         {"same numbers", test_same_numbers},
                                         {"same large objects", test_same_large_objects},
                                         {"same deep objects", test_same_deep_objects},
                                         {"jansson", test_agrees_with_jansson},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("json_document", tests)
