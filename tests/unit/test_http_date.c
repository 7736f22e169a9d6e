/* HTTP dates. */
#include "core/http/conditional.h"
#include "unit.h"

static void test_forms(void)
{
    static const struct {
        const char *text;
        apr_int64_t seconds;
    } cases[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
                 {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
                 {"Sun Nov  6 08:49:37 1994", 784111777},
                 {"Sun Nov 06 08:49:37 1994", 784111777},
                 {" Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
                 {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
                 {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
                 {"Tue, 19 Jan 2038 03:14:08 GMT", APR_INT64_C(2147483648)},
                 {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
                 {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
                 {"Fri, 31 Dec 9999 23:59:59 GMT", APR_INT64_C(253402300799)},
                 /* a wrong name of the day changes nothing */
                 {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(fhir_http_date_parse(cases[i].text), apr_time_from_sec(cases[i].seconds));
        if (fhir_http_date_parse(cases[i].text) != apr_time_from_sec(cases[i].seconds)) {
            printf("date: %s\n", cases[i].text);
        }
    }
}

static void test_junk(void)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "now",
                                      "Sun",
                                      "Sun,",
                                      "Sunday",
                                      "Sunday,",
                                      "784111777",
                                      "2026-11-21T03:15:00Z",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nov 1994 08:49:37 +0000",
                                      "Sun, 06 Nov 1994 08:49:37 GMTx",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 94 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Sun, 06 Abc 1994 08:49:37 GMT",
                                      "Sun, 06 anF 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Nov 1994 08:49:37 GMT",
                                      "Tue, 29 Feb 2023 00:00:00 GMT",
                                      "Thu, 29 Feb 2100 00:00:00 GMT",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:00 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 06 Nov 1994 08-49-37 GMT",
                                      "Sun, -6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov -994 08:49:37 GMT",
                                      "Sun, 06 Nov 1969 08:49:37 GMT",
                                      "Xyz, 06 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06-Nov-1994 08:49:37 GMT",
                                      "Sunday, 06 Nov 94 08:49:37 GMT",
                                      "Sun, 06-Nov-94 08:49:37 GMT",
                                      "Sunday, 06-Nov-x4 08:49:37 GMT",
                                      "Sun Nov  6 08:49:37 94",
                                      "Sun Nov   08:49:37 1994",
                                      "Sun Nov  6 08:49:37 1994 GMT",
                                      "\xFF\xFF\xFF, 06 Nov 1994 08:49:37 GMT"};
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(fhir_http_date_parse(bad[i]), 0);
        if (fhir_http_date_parse(bad[i]) != 0) {
            printf("date accepted: %s\n", bad[i]);
        }
    }
    CU_ASSERT_EQUAL(fhir_http_date_parse(NULL), 0);
}

/* Each prefix and each single changed character of a good date is either read or refused, never misread in memory. */
static void test_mutations(void)
{
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    apr_size_t i;
    for (i = 0; i < 3; i++) {
        apr_size_t length;
        for (length = 0; length < strlen(good[i]); length++) {
            char *copy = strdup(good[i]);
            CU_ASSERT_EQUAL(fhir_http_date_parse(apr_pstrmemdup(pool, good[i], length)), 0);
            copy[length] = '\x80';
            CU_ASSERT_EQUAL(fhir_http_date_parse(copy), 0);
            free(copy);
        }
    }
}

static void test_two_digit_years(void)
{
    apr_time_exp_t now;
    int offset;
    apr_time_exp_gmt(&now, apr_time_now());
    for (offset = -49; offset <= 50; offset++) {
        apr_time_exp_t back;
        int year = now.tm_year + 1900 + offset;
        char text[64];
        apr_snprintf(text, sizeof(text), "Sunday, 06-Nov-%02d 08:49:37 GMT", year % 100);
        if (year < 1970 || year / 100 != (now.tm_year + 1900) / 100) {
            continue;
        }
        apr_time_exp_gmt(&back, fhir_http_date_parse(text));
        CU_ASSERT_EQUAL(back.tm_year + 1900, year);
    }
    /* 51 years ahead is the past. */
    {
        char text[64];
        int year = now.tm_year + 1900 + 51;
        apr_snprintf(text, sizeof(text), "Sunday, 06-Nov-%02d 08:49:37 GMT", year % 100);
        CU_ASSERT(fhir_http_date_parse(text) < apr_time_now());
    }
}

static void test_round_trip(void)
{
    apr_int64_t seconds;
    CU_ASSERT_STRING_EQUAL(fhir_http_date(apr_time_from_sec(784111777), pool), "Sun, 06 Nov 1994 08:49:37 GMT");
    for (seconds = 1; seconds < APR_INT64_C(5000000000); seconds = seconds * 2 + 86399) {
        CU_ASSERT_EQUAL(fhir_http_date_parse(fhir_http_date(apr_time_from_sec(seconds), pool)),
                        apr_time_from_sec(seconds));
    }
}

static const fhir_unit_test_t tests[] = {{"forms", test_forms},           {"junk", test_junk},
                                         {"mutations", test_mutations},   {"two-digit years", test_two_digit_years},
                                         {"round trip", test_round_trip}, {NULL, NULL}};

FHIR_UNIT_MAIN("http_date", tests)
