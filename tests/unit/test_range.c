/* Range and If-Range. */
#include "core/http/range.h"
#include "unit.h"

#define WHOLE "whole"
#define NONE "416"

static const char *selected(const char *range, const char *if_range, apr_off_t size)
{
    fhir_range_t ranges[FHIR_RANGE_MAX];
    int count = -1;
    int i;
    const char *text = "";
    fhir_range_result_t result =
        fhir_range_select(ranges, &count, range, if_range, "3", apr_time_from_sec(784111777) + 123, size, pool);
    CU_ASSERT(count >= 0 && count <= FHIR_RANGE_MAX);
    CU_ASSERT_EQUAL(count > 0, result == FHIR_RANGE_PARTIAL);
    if (result == FHIR_RANGE_WHOLE) {
        return WHOLE;
    }
    for (i = 0; i < count; i++) {
        text = apr_psprintf(pool, "%s%s%" APR_OFF_T_FMT "+%" APR_OFF_T_FMT, text, i ? " " : "", ranges[i].offset,
                            ranges[i].length);
    }
    return result == FHIR_RANGE_PARTIAL ? text : NONE;
}

typedef struct range_case_t {
    const char *range;
    apr_off_t size;
    const char *expected;
} range_case_t;

static void check(const range_case_t *cases, apr_size_t count)
{
    apr_size_t i;
    for (i = 0; i < count; i++) {
        const char *got = selected(cases[i].range, NULL, cases[i].size);
        CU_ASSERT_STRING_EQUAL(got, cases[i].expected);
        if (strcmp(got, cases[i].expected) != 0) {
            printf("Range: %s of %ld: %s\n", cases[i].range, (long)cases[i].size, got);
        }
    }
}

static void test_single(void)
{
    static const range_case_t cases[] = {{NULL, 100, WHOLE},
                                         {"bytes=0-9", 100, "0+10"},
                                         {"BYTES=0-9", 100, "0+10"},
                                         {"Bytes=0-0", 100, "0+1"},
                                         {"bytes=99-99", 100, "99+1"},
                                         {"bytes=0-99", 100, "0+100"},
                                         {"bytes=0-", 100, "0+100"},
                                         {"bytes=10-", 100, "10+90"},
                                         {"bytes=90-200", 100, "90+10"},
                                         {"bytes=-10", 100, "90+10"},
                                         {"bytes=-100", 100, "0+100"},
                                         {"bytes=-1000", 100, "0+100"},
                                         {"bytes=-0", 100, NONE},
                                         {"bytes=100-", 100, NONE},
                                         {"bytes=100-200", 100, NONE},
                                         {"bytes=0-", 0, NONE},
                                         {"bytes=0-0", 0, NONE},
                                         {"bytes=-5", 0, WHOLE},
                                         {"bytes=-0", 0, NONE},
                                         {"bytes=0-0", 1, "0+1"},
                                         {"bytes=0000000-0000009", 100, "0+10"},
                                         {" bytes= 0-9 ", 100, "0+10"},
                                         {"bytes=0-9", -1, WHOLE}};
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_ignored(void)
{
    static const range_case_t cases[] = {{"", 100, WHOLE},
                                         {"bytes", 100, WHOLE},
                                         {"bytes=", 100, WHOLE},
                                         {"bytes=,", 100, WHOLE},
                                         {"bytes 0-9", 100, WHOLE},
                                         {"bytes =0-9", 100, WHOLE},
                                         {"items=0-9", 100, WHOLE},
                                         {"byte=0-9", 100, WHOLE},
                                         {"bytes=5-2", 100, WHOLE},
                                         {"bytes=a-b", 100, WHOLE},
                                         {"bytes=-", 100, WHOLE},
                                         {"bytes=1", 100, WHOLE},
                                         {"bytes=--1", 100, WHOLE},
                                         {"bytes=0--1", 100, WHOLE},
                                         {"bytes=0-9x", 100, WHOLE},
                                         {"bytes=0 -9", 100, WHOLE},
                                         {"bytes=0- 9", 100, WHOLE},
                                         {"bytes=0-9 10-19", 100, WHOLE},
                                         {"bytes=+0-9", 100, WHOLE},
                                         {"bytes=0x0-9", 100, WHOLE},
                                         {"bytes=0-9;10-19", 100, WHOLE},
                                         {"bytes=0-9,", 100, "0+10"},
                                         {"bytes=,0-9", 100, "0+10"},
                                         {"bytes=0-9,5-2", 100, WHOLE},
                                         {"bytes=0-9, bytes=10-19", 100, WHOLE},
                                         {"bytes=200-100", 100, WHOLE},
                                         {"\xFF=0-9", 100, WHOLE},
                                         {"bytes=0-9\x01", 100, WHOLE},
                                         {"bytes=-5-", 100, WHOLE},
                                         {"bytes=1.5-2", 100, WHOLE}};
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_huge_numbers(void)
{
    static const range_case_t cases[] = {
        {"bytes=0-9223372036854775807", 100, "0+100"},
        {"bytes=0-9223372036854775808", 100, "0+100"},
        {"bytes=0-99999999999999999999999999999999999999", 100, "0+100"},
        {"bytes=-99999999999999999999999999999999999999", 100, "0+100"},
        {"bytes=9223372036854775807-", 100, NONE},
        {"bytes=99999999999999999999999999999-", 100, NONE},
        {"bytes=18446744073709551616-18446744073709551626", 100, NONE},
        {"bytes=18446744073709551616-5", 100, WHOLE},
        {"bytes=9223372036854775806-9223372036854775806", INT64_MAX, "9223372036854775806+1"},
        {"bytes=0-", INT64_MAX, "0+9223372036854775807"},
        {"bytes=0-,1-", INT64_MAX, "0+9223372036854775807"},
        {"bytes=-1,0-9223372036854775805", INT64_MAX, "0+9223372036854775807"}};
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_several(void)
{
    static const range_case_t cases[] = {{"bytes=0-9,20-29", 100, "0+10 20+10"},
                                         {"bytes=20-29 , 0-9", 100, "20+10 0+10"},
                                         {"bytes=0-9,10-19", 100, "0+20"},
                                         {"bytes=10-19,0-9", 100, "0+20"},
                                         {"bytes=0-9,5-14", 100, "0+15"},
                                         {"bytes=0-9,0-9", 100, "0+10"},
                                         {"bytes=0-99,5-6", 100, "0+100"},
                                         {"bytes=5-6,0-99", 100, "0+100"},
                                         {"bytes=0-0,-1", 100, "0+1 99+1"},
                                         {"bytes=0-9,40-49,10-39", 100, "0+50"},
                                         {"bytes=50-59,0-9,20-29,9-20", 100, "50+10 0+30"},
                                         {"bytes=0-1,4-5,8-9,2-3,6-7", 100, "0+10"},
                                         {"bytes=8-9,4-5,0-1,6-7", 100, "4+6 0+2"},
                                         {"bytes=0-9,200-", 100, "0+10"},
                                         {"bytes=200-,300-", 100, NONE},
                                         {"bytes=-0,0-0", 100, "0+1"},
                                         {"bytes=11-,0-9", 100, "11+89 0+10"}};
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_many(void)
{
    char sixteen[400] = "bytes=";
    char overlapping[4000] = "bytes=";
    int i;
    for (i = 0; i < FHIR_RANGE_MAX; i++) {
        apr_snprintf(sixteen + strlen(sixteen), 32, "%s%d-%d", i ? "," : "", i * 10, i * 10 + 1);
    }
    CU_ASSERT_STRING_EQUAL(selected(sixteen, NULL, 50), "0+2 10+2 20+2 30+2 40+2");
    CU_ASSERT_EQUAL(strncmp(selected(sixteen, NULL, 1000), "0+2 10+2", 8), 0);
    strcat(sixteen, ",900-901");
    CU_ASSERT_STRING_EQUAL(selected(sixteen, NULL, 1000), WHOLE);
    for (i = 0; i < 400; i++) {
        strcat(overlapping, i ? ",0-" : "0-");
    }
    CU_ASSERT_STRING_EQUAL(selected(overlapping, NULL, 1000), WHOLE);
}

static void test_if_range(void)
{
    static const struct {
        const char *if_range;
        int holds;
    } cases[] = {{NULL, 1},
                 {"\"3\"", 1},
                 {" \"3\" ", 1},
                 {"W/\"3\"", 0},
                 {"\"4\"", 0},
                 {"3", 0},
                 {"\"3", 0},
                 {"\"3-gzip\"", 0},
                 {"\"3\", \"3\"", 0},
                 {"*", 0},
                 {"", 0},
                 {"Sun, 06 Nov 1994 08:49:37 GMT", 1},
                 {"Sunday, 06-Nov-94 08:49:37 GMT", 1},
                 {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
                 {"Sun, 06 Nov 1994 08:49:38 GMT", 0},
                 {"yesterday", 0}};
    fhir_range_t ranges[FHIR_RANGE_MAX];
    int count;
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_STRING_EQUAL(selected("bytes=0-0", cases[i].if_range, 100), cases[i].holds ? "0+1" : WHOLE);
        CU_ASSERT_STRING_EQUAL(selected("bytes=200-", cases[i].if_range, 100), cases[i].holds ? NONE : WHOLE);
    }
    CU_ASSERT_EQUAL(fhir_range_select(ranges, &count, "bytes=0-0", "\"3\"", NULL, 0, 100, pool), FHIR_RANGE_WHOLE);
    CU_ASSERT_EQUAL(fhir_range_select(ranges, &count, "bytes=0-0", "Thu, 01 Jan 1970 00:00:00 GMT", "3", 0, 100, pool),
                    FHIR_RANGE_WHOLE);
}

static void test_content_range(void)
{
    fhir_range_t range = {0, 10};
    CU_ASSERT_STRING_EQUAL(fhir_content_range(&range, 100, pool), "bytes 0-9/100");
    range.offset = INT64_MAX - 1;
    range.length = 1;
    CU_ASSERT_STRING_EQUAL(fhir_content_range(&range, INT64_MAX, pool),
                           "bytes 9223372036854775806-9223372036854775806/9223372036854775807");
}

/* Against a picture of the object: the joined ranges cover exactly the bytes asked for, none twice. */
static void test_random(void)
{
    unsigned state = 99;
    int round;
    int wrong = 0;
    for (round = 0; round < 3000; round++) {
        char wanted[64] = {0};
        char given[64] = {0};
        char text[400] = "bytes=";
        fhir_range_t ranges[FHIR_RANGE_MAX];
        int count = 0;
        int specs;
        int i;
        int j;
        state = state * 1103515245u + 12345u;
        specs = 1 + (int)((state >> 16) % FHIR_RANGE_MAX);
        for (i = 0; i < specs; i++) {
            int first;
            int last;
            state = state * 1103515245u + 12345u;
            first = (int)((state >> 16) % 64);
            state = state * 1103515245u + 12345u;
            last = first + (int)((state >> 16) % 8);
            apr_snprintf(text + strlen(text), 32, "%s%d-%d", i ? "," : "", first, last);
            for (j = first; j <= last && j < 64; j++) {
                wanted[j] = 1;
            }
        }
        if (fhir_range_select(ranges, &count, text, NULL, "3", 1, 64, pool) != FHIR_RANGE_PARTIAL) {
            wrong++;
        }
        for (i = 0; i < count; i++) {
            for (j = 0; j < ranges[i].length; j++) {
                given[ranges[i].offset + j]++;
            }
        }
        wrong += memcmp(wanted, given, sizeof(wanted)) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const fhir_unit_test_t tests[] = {{"single", test_single},
                                         {"ignored", test_ignored},
                                         {"huge numbers", test_huge_numbers},
                                         {"several", test_several},
                                         {"many", test_many},
                                         {"if-range", test_if_range},
                                         {"content-range", test_content_range},
                                         {"random", test_random},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("range", tests)
