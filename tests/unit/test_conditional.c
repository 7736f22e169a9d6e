/* Entity-tag lists and 304. */
#include "core/http/conditional.h"
#include "unit.h"

static void test_lists(void)
{
    static const struct {
        const char *text;
        const char *version;
        int count; /* -1: any */
        int has;
    } cases[] = {{"W/\"3\"", "3", 1, 1},
                 {"\"3\"", "3", 1, 1},
                 {"3", "3", 1, 1},
                 {"W/3", "3", 1, 1},
                 {"w/\"3\"", "3", 1, 1},
                 {" \"3\" ", "3", 1, 1},
                 {"\"3\"", "33", 1, 0},
                 {"\"33\"", "3", 1, 0},
                 {"\"3\"", NULL, 1, 0},
                 {"*", "anything", -1, 1},
                 {" * ", "anything", -1, 1},
                 {"\"1\", \"2\"", "2", 2, 1},
                 {"\"1\",W/\"2\" , 3", "3", 3, 1},
                 {"\"1\",W/\"2\" , 3", "2", 3, 1},
                 {"\"1\",W/\"2\" , 3", "4", 3, 0},
                 {",, \"1\",, \"2\",", "1", 2, 1},
                 {"\"a,b\"", "a,b", 1, 1},
                 {"\"a,b\", \"c\"", "a", 2, 0},
                 {"\"a,b\", \"c\"", "c", 2, 1},
                 {"\"3-gzip\"", "3", 1, 1},
                 {"W/\"3-gzip\"", "3", 1, 1},
                 {"3-gzip", "3", 1, 1},
                 {"\"-gzip\"", "-gzip", 1, 1},
                 {"\"-gzip\"", "", 1, 0},
                 {"\"\"", "", 1, 1},
                 {"\"\"", "3", 1, 0},
                 {"\"*\"", "3", 1, 0},
                 {"\"W/3\"", "3", 1, 0},
                 {"\"a\\b\"", "a\\b", 1, 1},
                 {"\"\xC3\xBC\"", "\xC3\xBC", 1, 1},
                 {"123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174000", 1, 1}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_etag_list_t list;
        FHIR_ASSERT_OK(fhir_etag_list_parse(&list, cases[i].text, pool));
        CU_ASSERT_EQUAL(list.any ? -1 : list.count, cases[i].count);
        CU_ASSERT_EQUAL(fhir_etag_list_has(&list, cases[i].version), cases[i].has);
        if (fhir_etag_list_has(&list, cases[i].version) != cases[i].has) {
            printf("tags: %s\n", cases[i].text);
        }
    }
}

static void test_malformed(void)
{
    static const char *const bad[] = {
        "",          " ",          ",",           ", ,",      "\"",        "\"3",       "3\"",  "W/",      "W/\"3",
        "\"3\"x",    "\"3\"\"4\"", "\"3\" \"4\"", "3 4",      "*, \"3\"",  "\"3\", *",  "* *",  "\"a b\"", "\"a\x01\"",
        "\"a\x7f\"", "\"3\", \"",  "W/ \"3\"",    "\"a\tb\"", "W/W/\"3\"", "\"3\r\n\"", "**, *"};
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fhir_etag_list_t list;
        fhir_error_t *error = fhir_etag_list_parse(&list, bad[i], pool);
        CU_ASSERT(error && error->code == FHIR_ERROR_INVALID);
        if (!error) {
            printf("tags accepted: %s\n", bad[i]);
        }
    }
    {
        fhir_etag_list_t list;
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_etag_list_parse(&list, NULL, pool));
    }
}

#define MODIFIED apr_time_from_sec(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void test_not_modified(void)
{
    static const struct {
        const char *none_match;
        const char *since;
        int expected;
    } cases[] = {{NULL, NULL, 0},
                 {"\"3\"", NULL, 1},
                 {"W/\"3\"", NULL, 1},
                 {"\"2\"", NULL, 0},
                 {"*", NULL, 1},
                 {"\"2\", \"3-gzip\"", NULL, 1},
                 {NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 1},
                 {NULL, "Sun, 06 Nov 1994 08:49:38 GMT", 1},
                 {NULL, "Sun, 06 Nov 1994 08:49:36 GMT", 0},
                 {NULL, "Sunday, 06-Nov-94 08:49:37 GMT", 1},
                 {NULL, "Sun Nov  6 08:49:37 1994", 1},
                 {NULL, "yesterday", 0},
                 {NULL, "", 0},
                 {NULL, "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", 0},
                 {"\"2\"", "Sun, 06 Nov 2094 08:49:37 GMT", 0},
                 {"\"3\"", "Sun, 06 Nov 1984 08:49:37 GMT", 1}};
    apr_size_t i;
    int not_modified;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        not_modified = -1;
        FHIR_ASSERT_OK(fhir_not_modified(&not_modified, cases[i].none_match, cases[i].since, "3", MODIFIED, pool));
        CU_ASSERT_EQUAL(not_modified, cases[i].expected);
    }
    /* The part of a second that a date can't carry does not count. */
    FHIR_ASSERT_OK(
        fhir_not_modified(&not_modified, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", "3", MODIFIED + 999999, pool));
    CU_ASSERT_EQUAL(not_modified, 1);
    FHIR_ASSERT_OK(fhir_not_modified(&not_modified, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", "3", 0, pool));
    CU_ASSERT_EQUAL(not_modified, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_not_modified(&not_modified, "\"3", NULL, "3", MODIFIED, pool));
    CU_ASSERT_EQUAL(not_modified, 0);
}

static fhir_error_t *precondition(const char *if_match, const char *since)
{
    return fhir_precondition(if_match, since, "3", MODIFIED + 999999, pool);
}

static void test_precondition(void)
{
    static const char *const met[][2] = {{NULL, NULL},
                                         {"W/\"3\"", NULL},
                                         {"\"3\"", NULL},
                                         {"\"2\", 3", NULL},
                                         {"*", NULL},
                                         {NULL, "Sun, 06 Nov 1994 08:49:37 GMT"},
                                         {NULL, "Sun, 06 Nov 1994 08:49:38 GMT"},
                                         {NULL, "yesterday"},
                                         {NULL, ""},
                                         {"\"3\"", "Sun, 06 Nov 1984 08:49:37 GMT"}};
    static const char *const failed[][2] = {{"W/\"2\"", NULL},
                                            {"\"33\"", NULL},
                                            {"\"2\"", "Sun, 06 Nov 2094 08:49:37 GMT"},
                                            {NULL, "Sun, 06 Nov 1994 08:49:36 GMT"}};
    apr_size_t i;
    for (i = 0; i < sizeof(met) / sizeof(met[0]); i++) {
        FHIR_ASSERT_OK(precondition(met[i][0], met[i][1]));
    }
    for (i = 0; i < sizeof(failed) / sizeof(failed[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, precondition(failed[i][0], failed[i][1]));
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, precondition("\"3", NULL));
    /* Nothing there: If-Match fails, even "*"; a date says nothing. */
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, fhir_precondition("*", NULL, NULL, 0, pool));
    FHIR_ASSERT_OK(fhir_precondition(NULL, "Sun, 06 Nov 1994 08:49:36 GMT", NULL, MODIFIED, pool));
}

static const fhir_unit_test_t tests[] = {{"precondition", test_precondition},
                                         {"lists", test_lists},
                                         {"malformed", test_malformed},
                                         {"not modified", test_not_modified},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("conditional", tests)
