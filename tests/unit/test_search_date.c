/* Dates as ranges. */
#include "core/fhir/search_private.h"
#include "unit.h"

#include <stdint.h>

#define SECOND INT64_C(1000000)

/* The seconds and microseconds of the ends since 1970. */
static void check(const char *text, int64_t low, int64_t high)
{
    apr_time_t got_low = 0;
    apr_time_t got_high = 0;
    int valid = fhir_date_range(&got_low, &got_high, text);
    if (!valid || got_low != low || got_high != high) {
        printf("%s: %d %" APR_INT64_T_FMT " %" APR_INT64_T_FMT "\n", text, valid, got_low, got_high);
    }
    CU_ASSERT_TRUE(valid);
    CU_ASSERT_EQUAL(got_low, low);
    CU_ASSERT_EQUAL(got_high, high);
}

static void test_precision(void)
{
    check("1970", 0, 365 * 86400 * SECOND - 1);
    check("1970-01", 0, 31 * 86400 * SECOND - 1);
    check("1970-12", 334 * 86400 * SECOND, 365 * 86400 * SECOND - 1);
    check("1970-01-01", 0, 86400 * SECOND - 1);
    check("1970-01-01T00:00Z", 0, 60 * SECOND - 1);
    check("1970-01-01T00:00:00Z", 0, SECOND - 1);
    check("1970-01-01T00:00:00.0Z", 0, 99999);
    check("1970-01-01T00:00:00.12Z", 120000, 129999);
    check("1970-01-01T00:00:00.123Z", 123000, 123999);
    check("1970-01-01T00:00:00.123456Z", 123456, 123456);
    check("1970-01-01T00:00:00.123456789Z", 123456, 123456);
    check("2013-01-14T10:11:12Z", 1358158272 * SECOND, 1358158273 * SECOND - 1);
    check("1969-12-31T23:59:59.5Z", -500000, -400001);
}

static void test_calendar(void)
{
    check("2000-02-29", 951782400 * SECOND, 951868800 * SECOND - 1);
    check("2024-02", 1706745600 * SECOND, 1709251200 * SECOND - 1);
    check("2024", 1704067200 * SECOND, 1735689600 * SECOND - 1);
    check("1900-02", INT64_C(-2206310400) * SECOND, INT64_C(-2203891200) * SECOND - 1);
    check("0001", FHIR_DATE_MIN, FHIR_DATE_MIN + 365 * 86400 * SECOND - 1);
    check("9999-12-31", FHIR_DATE_MAX - 86400 * SECOND + 1, FHIR_DATE_MAX);
    check("9999", FHIR_DATE_MAX - 365 * 86400 * SECOND + 1, FHIR_DATE_MAX);
}

static void test_zones(void)
{
    check("1970-01-01T01:00:00+01:00", 0, SECOND - 1);
    check("1969-12-31T19:00:00-05:00", 0, SECOND - 1);
    check("1970-01-01T05:45+05:45", 0, 60 * SECOND - 1);
    check("1970-01-01T14:00:00+14:00", 0, SECOND - 1);
    check("1970-01-01T00:00:00+00:00", 0, SECOND - 1);
    check("1970-01-01T00:00:00-00:00", 0, SECOND - 1);
    check("1970-01-01T00:00:00", 0, SECOND - 1);
    check("1970-01-01T00:00", 0, 60 * SECOND - 1);
    check("0001-01-01T00:00:00+14:00", FHIR_DATE_MIN, FHIR_DATE_MIN);
    check("9999-12-31T23:59:59-14:00", FHIR_DATE_MAX, FHIR_DATE_MAX);
}

static void test_leap_second(void)
{
    check("2016-12-31T23:59:60Z", 1483228800 * SECOND, 1483228801 * SECOND - 1);
    check("2016-12-31T23:59:60.5Z", 1483228800 * SECOND + 500000, 1483228800 * SECOND + 599999);
    check("9999-12-31T23:59:60Z", FHIR_DATE_MAX, FHIR_DATE_MAX);
}

static void test_malformed(void)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "197",
                                      "19700",
                                      "0000",
                                      "1970-",
                                      "1970-1",
                                      "1970-00",
                                      "1970-13",
                                      "1970-01-",
                                      "1970-01-0",
                                      "1970-01-00",
                                      "1970-01-32",
                                      "1970-02-29",
                                      "1900-02-29",
                                      "2023-02-29",
                                      "1970-04-31",
                                      "1970-01-011",
                                      "1970-01T00:00Z",
                                      "1970T00:00Z",
                                      "1970-01-01T",
                                      "1970-01-01T00",
                                      "1970-01-01T00Z",
                                      "1970-01-01T00:",
                                      "1970-01-01T24:00Z",
                                      "1970-01-01T00:60Z",
                                      "1970-01-01T00:00:61Z",
                                      "1970-01-01T00:00:Z",
                                      "1970-01-01T00:00:00.Z",
                                      "1970-01-01T00:00.5Z",
                                      "1970-01-01T00:00:00z",
                                      "1970-01-01t00:00:00Z",
                                      "1970-01-01T00:00:00ZZ",
                                      "1970-01-01T00:00:00+1",
                                      "1970-01-01T00:00:00+01",
                                      "1970-01-01T00:00:00+0100",
                                      "1970-01-01T00:00:00+01:60",
                                      "1970-01-01T00:00:00+14:01",
                                      "1970-01-01T00:00:00+15:00",
                                      "1970-01-01T00:00:00 01:00",
                                      "1970-01-01 00:00",
                                      " 1970",
                                      "1970 ",
                                      "+1970",
                                      "-1970",
                                      "1970/01/01",
                                      "today",
                                      "1970Z",
                                      "1970-01-01Z"};
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        apr_time_t low;
        apr_time_t high;
        if (fhir_date_range(&low, &high, bad[i])) {
            printf("%s was taken\n", bad[i]);
            CU_FAIL("a malformed date");
        }
    }
    CU_PASS("all refused");
}

static const char *canonical(const char *text)
{
    apr_time_t low = 0;
    apr_time_t high = 0;
    CU_ASSERT_TRUE(fhir_date_range(&low, &high, text));
    return fhir_search_date_canonical(text, low, high, pool);
}

static void test_canonical(void)
{
    CU_ASSERT_STRING_EQUAL(canonical("2013"), "2013");
    CU_ASSERT_STRING_EQUAL(canonical("2013-01-14"), "2013-01-14");
    CU_ASSERT_STRING_EQUAL(canonical("2013-01-14T10:11+01:00"), "2013-01-14T09:11Z");
    CU_ASSERT_STRING_EQUAL(canonical("2013-01-14T10:11:12"), "2013-01-14T10:11:12Z");
    CU_ASSERT_STRING_EQUAL(canonical("2013-12-31T23:11:12-05:00"), "2014-01-01T04:11:12Z");
    CU_ASSERT_STRING_EQUAL(canonical("2000-02-29T00:00:00.5Z"), "2000-02-29T00:00:00.5Z");
    CU_ASSERT_STRING_EQUAL(canonical("2000-03-01T00:00:00.010+00:00"), "2000-03-01T00:00:00.010Z");
    CU_ASSERT_STRING_EQUAL(canonical("1969-12-31T23:59:59.123456789Z"), "1969-12-31T23:59:59.123456Z");
    CU_ASSERT_STRING_EQUAL(canonical("0001-01-02T00:00Z"), "0001-01-02T00:00Z");
    CU_ASSERT_STRING_EQUAL(canonical("9999-12-31T22:00Z"), "9999-12-31T22:00Z");
    CU_ASSERT_STRING_EQUAL(canonical("0001-01-01T00:00:00+14:00"), "0001-01-01T00:00:00+14:00");
    CU_ASSERT_STRING_EQUAL(canonical("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z");
}

/* Each day of 1600 to 2400 comes back as it was. */
static void test_canonical_days(void)
{
    apr_time_t start;
    apr_time_t ignored;
    int day;
    CU_ASSERT_TRUE(fhir_date_range(&start, &ignored, "1600-01-01"));
    for (day = 0; day < 800 * 366; day += 17) {
        apr_time_t low = start + day * 86400 * SECOND;
        apr_time_t again;
        const char *text = fhir_search_date_canonical("T", low, low + SECOND - 1, pool);
        CU_ASSERT_TRUE_FATAL(fhir_date_range(&again, &ignored, text));
        CU_ASSERT_EQUAL_FATAL(again, low);
    }
}

static const fhir_unit_test_t tests[] = {{"precision", test_precision},
                                         {"calendar", test_calendar},
                                         {"zones", test_zones},
                                         {"leap second", test_leap_second},
                                         {"malformed", test_malformed},
                                         {"canonical", test_canonical},
                                         {"canonical days", test_canonical_days},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("search_date", tests)
