/* JSON Patch: the operations, what is refused, bounds, and that untouched bytes stay. */
#include "core/base/text.h"
#include "core/fhir/json_patch.h"
#include "unit.h"

#include <sys/resource.h>

#define LIMIT ((apr_size_t)1 << 20)

static const fhir_json_document_t *parsed(const char *text)
{
    const fhir_json_document_t *document = NULL;
    FHIR_ASSERT_OK(fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool));
    return document;
}

static fhir_error_t *run(const char **patched, const char *text, const char *patch, apr_size_t limit)
{
    apr_size_t length = 0;
    fhir_error_t *error = fhir_json_patch(patched, &length, text, strlen(text), parsed(patch), limit, pool);
    CU_ASSERT(error || strlen(*patched) == length);
    return error;
}

static void expect(const char *text, const char *patch, const char *expected)
{
    const char *patched = NULL;
    FHIR_ASSERT_OK(run(&patched, text, patch, LIMIT));
    CU_ASSERT_STRING_EQUAL(patched ? patched : "", expected);
    if (!patched || strcmp(patched, expected) != 0) {
        printf("%s instead of %s\n", patched, expected);
    }
}

static void expect_error(const char *text, const char *patch, fhir_error_code_t code, const char *part)
{
    const char *patched = NULL;
    fhir_error_t *error = run(&patched, text, patch, LIMIT);
    CU_ASSERT_PTR_NULL(patched);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, code);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, part));
    if (!strstr(error->public_text, part)) {
        printf("%s (not: %s)\n", error->public_text, part);
    }
}

/* The situations of RFC 6902 appendix A, in resources. */
static void test_add(void)
{
    expect("{\"id\":\"1\"}", "[{\"op\":\"add\",\"path\":\"/active\",\"value\":true}]",
           "{\"id\":\"1\",\"active\":true}");
    expect("{\"given\":[\"A\",\"C\"]}", "[{\"op\":\"add\",\"path\":\"/given/1\",\"value\":\"B\"}]",
           "{\"given\":[\"A\",\"B\",\"C\"]}");
    expect("{\"given\":[\"A\"]}", "[{\"op\":\"add\",\"path\":\"/given/1\",\"value\":\"B\"}]",
           "{\"given\":[\"A\",\"B\"]}");
    expect("{\"given\":[\"A\"]}", "[{\"op\":\"add\",\"path\":\"/given/-\",\"value\":[\"x\",1]}]",
           "{\"given\":[\"A\",[\"x\",1]]}");
    expect("{\"given\":[]}", "[{\"op\":\"add\",\"path\":\"/given/-\",\"value\":null}]", "{\"given\":[null]}");
    expect("{\"a\":{}}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":{\"c\":{}}}]", "{\"a\":{\"b\":{\"c\":{}}}}");
    expect("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}");
    expect("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[2]}]", "[2]");
    expect("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2,\"xyz\":3}]", "{\"a\":1,\"b\":2}");
}

static void test_remove(void)
{
    expect("{\"id\":\"1\",\"active\":true}", "[{\"op\":\"remove\",\"path\":\"/active\"}]", "{\"id\":\"1\"}");
    expect("{\"given\":[\"A\",\"B\",\"C\"]}", "[{\"op\":\"remove\",\"path\":\"/given/1\"}]",
           "{\"given\":[\"A\",\"C\"]}");
    expect("{\"a\":{\"b\":1}}", "[{\"op\":\"remove\",\"path\":\"/a/b\"}]", "{\"a\":{}}");
}

static void test_replace(void)
{
    expect("{\"a\":1,\"b\":2}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":[]}]", "{\"a\":[],\"b\":2}");
    expect("{\"a\":[1,2]}", "[{\"op\":\"replace\",\"path\":\"/a/1\",\"value\":3}]", "{\"a\":[1,3]}");
    expect("{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]", "{}");
}

static void test_move(void)
{
    expect("{\"a\":{\"x\":1,\"y\":2},\"b\":{\"z\":3}}", "[{\"op\":\"move\",\"from\":\"/a/x\",\"path\":\"/b/w\"}]",
           "{\"a\":{\"y\":2},\"b\":{\"z\":3,\"w\":1}}");
    expect("{\"a\":[\"w\",\"x\",\"y\",\"z\"]}", "[{\"op\":\"move\",\"from\":\"/a/1\",\"path\":\"/a/3\"}]",
           "{\"a\":[\"w\",\"y\",\"z\",\"x\"]}");
    expect("{\"a\":[\"w\",\"x\",\"y\",\"z\"]}", "[{\"op\":\"move\",\"from\":\"/a/3\",\"path\":\"/a/0\"}]",
           "{\"a\":[\"z\",\"w\",\"x\",\"y\"]}");
    expect("{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"b\":1}");
    expect("{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1,\"b\":2}");
    expect("{\"a\":{\"b\":0.10}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/a\"}]", "{\"a\":0.10}");
    expect("{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}]", "{\"b\":1}");
    expect("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]", "{\"ab\":1}");
}

static void test_copy(void)
{
    expect("{\"a\":{\"x\" : 1.50},\"b\":[]}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b/-\"}]",
           "{\"a\":{\"x\" : 1.50},\"b\":[{\"x\" : 1.50}]}");
    expect("{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/b\"}]", "{\"a\":1,\"b\":{\"a\":1}}");
}

static void test_test(void)
{
    expect("{\"a\":[\"x\",2],\"b\":\"y\"}",
           "[{\"op\":\"test\",\"path\":\"/b\",\"value\":\"y\"},{\"op\":\"test\",\"path\":\"/a/1\",\"value\":2.0}]",
           "{\"a\":[\"x\",2],\"b\":\"y\"}");
    expect("{\"a\":{\"x\":1,\"y\":[]}}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":[],\"x\":1}}]",
           "{\"a\":{\"x\":1,\"y\":[]}}");
    expect("{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}");
    expect("{\"a\":1}", "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1}}]", "{\"a\":1}");
    expect_error("{\"b\":\"y\"}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":\"z\"}]", FHIR_ERROR_UNPROCESSABLE,
                 "Operation 1 of the patch (test) failed: another value is at the path \"/b\".");
    expect_error("{\"b\":\"10\"}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":10}]", FHIR_ERROR_UNPROCESSABLE,
                 "another value");
    expect_error("{\"b\":1}", "[{\"op\":\"test\",\"path\":\"/c\",\"value\":null}]", FHIR_ERROR_UNPROCESSABLE,
                 "there is nothing at the path \"/c\".");
}

static void test_pointers(void)
{
    expect("{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}");
    expect("{\"a/b\":1,\"m~n\":2}",
           "[{\"op\":\"replace\",\"path\":\"/a~1b\",\"value\":3},{\"op\":\"remove\",\"path\":\"/m~0n\"}]",
           "{\"a/b\":3}");
    expect("{}", "[{\"op\":\"add\",\"path\":\"/~1~0\",\"value\":1}]", "{\"/~\":1}");
    expect("{\"\":{\"\":1}}", "[{\"op\":\"replace\",\"path\":\"//\",\"value\":2}]", "{\"\":{\"\":2}}");
    expect("{\"\\u00e9\":1}", "[{\"op\":\"replace\",\"path\":\"/\xc3\xa9\",\"value\":2}]", "{\"\\u00e9\":2}");
    expect("{\"\\u00e9\":1}", "[{\"op\":\"add\",\"path\":\"/\\u00e9\",\"value\":2}]", "{\"\\u00e9\":2}");
    expect("{\"-\":1,\"0\":2}", "[{\"op\":\"remove\",\"path\":\"/-\"},{\"op\":\"remove\",\"path\":\"/0\"}]", "{}");
}

static void test_paths_that_are_not_there(void)
{
    static const char *const paths[] = {"/x/y",
                                        "/a/3",
                                        "/a/-1",
                                        "/a/01",
                                        "/a/1e0",
                                        "/a/x",
                                        "/a/",
                                        "/s/x",
                                        "/n/0",
                                        "/o/0/x",
                                        "/a/99999999999999999999",
                                        "/a/4294967296",
                                        "/a/+1",
                                        NULL};
    int i;
    for (i = 0; paths[i]; i++) {
        const char *patch = apr_psprintf(pool, "[{\"op\":\"add\",\"path\":\"%s\",\"value\":1}]", paths[i]);
        expect_error("{\"a\":[1,2],\"s\":\"t\",\"n\":1,\"o\":{}}", patch, FHIR_ERROR_UNPROCESSABLE,
                     apr_psprintf(pool, "put at the path \"%s\"", paths[i]));
    }
    expect_error("{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/1\"}]", FHIR_ERROR_UNPROCESSABLE, "\"/a/1\"");
    expect_error("{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/-\"}]", FHIR_ERROR_UNPROCESSABLE, "\"/a/-\"");
    expect_error("{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]", FHIR_ERROR_UNPROCESSABLE, "\"/b\"");
    expect_error("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/a\"}]", FHIR_ERROR_UNPROCESSABLE,
                 "\"/b\"");
    expect_error("{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/b\",\"path\":\"/a\"}]", FHIR_ERROR_UNPROCESSABLE,
                 "\"/b\"");
    expect_error("{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b/c\"}]", FHIR_ERROR_UNPROCESSABLE,
                 "\"/b/c\"");
    expect_error("{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", FHIR_ERROR_UNPROCESSABLE, "whole resource");
}

/* The second operation counts from what the first one left; its number is told. */
static void test_all_or_nothing(void)
{
    expect("[1,2,3]", "[{\"op\":\"remove\",\"path\":\"/0\"},{\"op\":\"remove\",\"path\":\"/0\"}]", "[3]");
    expect_error("{\"a\":1}",
                 "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2},{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]",
                 FHIR_ERROR_UNPROCESSABLE, "Operation 2 of the patch (test)");
}

static void test_no_patch(void)
{
    static const char *const cases[][2] = {{"{}", "array of operations"},
                                           {"null", "array of operations"},
                                           {"[1]", "Operation 1 of the patch needs an \"op\""},
                                           {"[{}]", "needs an \"op\""},
                                           {"[{\"op\":1}]", "needs an \"op\""},
                                           {"[{\"op\":\"Add\",\"path\":\"\",\"value\":1}]", "needs an \"op\""},
                                           {"[{\"op\":\"spam\",\"path\":\"\",\"value\":1}]", "needs an \"op\""},
                                           {"[{\"op\":\"add\",\"value\":1}]", "the member \"path\""},
                                           {"[{\"op\":\"add\",\"path\":1,\"value\":1}]", "the member \"path\""},
                                           {"[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", "no JSON Pointer"},
                                           {"[{\"op\":\"add\",\"path\":\"/~\",\"value\":1}]", "no JSON Pointer"},
                                           {"[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", "no JSON Pointer"},
                                           {"[{\"op\":\"add\",\"path\":\"/~0~\",\"value\":1}]", "no JSON Pointer"},
                                           {"[{\"op\":\"add\",\"path\":\"/a\"}]", "the member \"value\""},
                                           {"[{\"op\":\"replace\",\"path\":\"/a\"}]", "the member \"value\""},
                                           {"[{\"op\":\"test\",\"path\":\"/a\"}]", "the member \"value\""},
                                           {"[{\"op\":\"copy\",\"path\":\"/b\"}]", "the member \"from\""},
                                           {"[{\"op\":\"move\",\"path\":\"/b\",\"from\":\"a\"}]", "no JSON Pointer"},
                                           {"[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", "into itself"},
                                           {"[{\"op\":\"move\",\"from\":\"\",\"path\":\"/a\"}]", "into itself"},
                                           {"[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\"}]", "Operation 2"},
                                           {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        expect_error("{\"a\":1}", cases[i][0], FHIR_ERROR_INVALID, cases[i][1]);
    }
    expect_error("{\"a\":1", "[]", FHIR_ERROR_INVALID, "not valid");
}

static void test_untouched_bytes_stay(void)
{
    expect(" {\"a\" : 0.10,\r\n\t\"b\":[1E400, 12345678901234567890 ],\"\\u00e9\\/\":\"\\u00e9\",\"z\":-0.0e-0} \n",
           "[{\"op\":\"add\",\"path\":\"/b/1\",\"value\":1.00},{\"op\":\"replace\",\"path\":\"/"
           "z\",\"value\":\"\\u0041\"}]",
           " {\"a\" : 0.10,\r\n\t\"b\":[1E400,1.00, 12345678901234567890 "
           "],\"\\u00e9\\/\":\"\\u00e9\",\"z\":\"\\u0041\"} \n");
    expect(" [ 0.10 ] ", "[]", " [ 0.10 ] ");
}

static const char *operations(int count, const char *operation)
{
    fhir_text_t patch;
    int i;
    fhir_text_init(&patch, pool);
    fhir_text_add(&patch, "[");
    for (i = 0; i < count; i++) {
        fhir_text_addf(&patch, "%s%s", i ? "," : "", operation);
    }
    fhir_text_add(&patch, "]");
    return patch.text;
}

static void test_number_of_operations(void)
{
    static const char *const operation = "{\"op\":\"add\",\"path\":\"/a\",\"value\":1}";
    expect("{}", operations(FHIR_JSON_PATCH_OPERATIONS_MAX, operation), "{\"a\":1}");
    expect_error("{}", operations(FHIR_JSON_PATCH_OPERATIONS_MAX + 1, operation), FHIR_ERROR_INVALID,
                 "at most 1000 are allowed");
}

static void test_size(void)
{
    const char *patched = NULL;
    const char *doubling = operations(100, "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}");
    FHIR_ASSERT_OK(run(&patched, "[]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":12345678}]", 10));
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE,
                      run(&patched, "[]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":123456789}]", 10));
    expect_error("[1]", doubling, FHIR_ERROR_TOO_LARGE, "larger than 1048576 bytes");
}

static void test_depth(void)
{
    expect_error("{}",
                 operations(40,
                            "{\"op\":\"add\",\"path\":\"\",\"value\":[[]]},{\"op\":\"copy\",\"from\":\"\",\"path\":"
                            "\"/0/-\"},{\"op\":\"copy\",\"from\":\"\",\"path\":\"/0/0/0/-\"},{\"op\":\"copy\","
                            "\"from\":\"\",\"path\":\"/0/0/0/0/0/0/0/-\"},{\"op\":\"copy\",\"from\":\"\",\"path\":"
                            "\"/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/-\"},{\"op\":\"copy\",\"from\":\"\",\"path\":\"/0/0/0/"
                            "0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/-\"},{\"op\":\"copy\",\"from\":\"/"
                            "0\",\"path\":\"/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/-\"}"),
                 FHIR_ERROR_UNPROCESSABLE, "Operation 7 of the patch (copy) failed: The JSON is nested more than 64");
}

/* The most that was ever resident, in KiB: pools keep what they once had, so nothing else shows a peak. */
static long peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 500 operations on half a MiB: nearly the whole work allowed, in the memory of a few documents. */
static void test_work(void)
{
    fhir_text_t text;
    const char *patched = NULL;
    long before;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "{\"a\":0,\"b\":[0");
    while (text.length < 500000) {
        fhir_text_add(&text, ",\"0123456789012345678901234567890123456789\"");
    }
    fhir_text_add(&text, "]}");
    before = peak_memory();
    FHIR_ASSERT_OK(
        run(&patched, text.text, operations(500, "{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}"), LIMIT));
    patched = operations(500, "{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}");
    patched = apr_pstrcat(pool, apr_pstrmemdup(pool, patched, strlen(patched) - 1),
                          ",{\"op\":\"remove\",\"path\":\"/c\"}]", NULL);
    expect_error(text.text, patched, FHIR_ERROR_UNPROCESSABLE, "Operation 501");
    CU_ASSERT(peak_memory() - before < 64 * 1024);
    expect_error(text.text, operations(600, "{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}"), FHIR_ERROR_TOO_LARGE,
                 "is too many");
    expect_error(text.text, operations(600, "{\"op\":\"test\",\"path\":\"/a\",\"value\":0}"), FHIR_ERROR_TOO_LARGE,
                 "Operation 537 of the patch is too many");
}

static const fhir_unit_test_t tests[] = {{"add", test_add},
                                         {"remove", test_remove},
                                         {"replace", test_replace},
                                         {"move", test_move},
                                         {"copy", test_copy},
                                         {"test", test_test},
                                         {"pointers", test_pointers},
                                         {"paths that are not there", test_paths_that_are_not_there},
                                         {"all or nothing", test_all_or_nothing},
                                         {"no patch", test_no_patch},
                                         {"untouched bytes", test_untouched_bytes_stay},
                                         {"number of operations", test_number_of_operations},
                                         {"size", test_size},
                                         {"depth", test_depth},
                                         {"work", test_work},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("json_patch", tests)
