/* Growable text, escaping, hex, base64, UTF-8, instants, units, UUIDs. */
#include "core/base/text.h"
#include "core/base/utf8.h"
#include "unit.h"

static void test_text_grows(void)
{
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    CU_ASSERT_STRING_EQUAL(text.text, "");
    for (i = 0; i < 1000; i++) {
        fhir_text_add(&text, "abc");
    }
    CU_ASSERT_EQUAL(text.length, 3000);
    CU_ASSERT_EQUAL(strlen(text.text), 3000);
    CU_ASSERT(text.room > text.length);
    fhir_text_add_bytes(&text, "", 0);
    fhir_text_add_bytes(&text, "xyz", 2);
    CU_ASSERT_STRING_EQUAL(text.text + 2997, "abcxy");
}

static void test_text_formats(void)
{
    fhir_text_t text;
    char wide[600];
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    fhir_text_init(&text, pool);
    fhir_text_addf(&text, "%d-%s", 7, "seven");
    CU_ASSERT_STRING_EQUAL(text.text, "7-seven");
    fhir_text_addf(&text, "[%s]", wide);
    CU_ASSERT_EQUAL(text.length, 7 + 601);
    CU_ASSERT_EQUAL(text.text[607], ']');
    CU_ASSERT_EQUAL(strlen(text.text), text.length);
}

/* Every length around the first size of the buffer: the exact fit is where such code breaks. */
static void test_text_boundaries(void)
{
    int length;
    for (length = 100; length < 300; length++) {
        fhir_text_t text;
        fhir_text_init(&text, pool);
        fhir_text_addf(&text, "%*s", length, "x");
        CU_ASSERT_EQUAL(text.length, (apr_size_t)length);
        CU_ASSERT_EQUAL(strlen(text.text), (apr_size_t)length);
        fhir_text_add(&text, "y");
        CU_ASSERT_EQUAL(text.text[length], 'y');
    }
}

static const char *json(const char *string)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    fhir_text_add_json_string(&text, string);
    return text.text;
}

static const char *xml(const char *string)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    fhir_text_add_xml(&text, string);
    return text.text;
}

static void test_json_strings(void)
{
    CU_ASSERT_STRING_EQUAL(json(""), "\"\"");
    CU_ASSERT_STRING_EQUAL(json("plain text/"), "\"plain text/\"");
    CU_ASSERT_STRING_EQUAL(json("a\"b\\c"), "\"a\\\"b\\\\c\"");
    CU_ASSERT_STRING_EQUAL(json("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    CU_ASSERT_STRING_EQUAL(json("\x01\x1f\x7f"), "\"\\u0001\\u001f\\u007f\"");
    CU_ASSERT_STRING_EQUAL(json("J\xC3\xBCrgen \xF0\x9F\x98\x80"), "\"J\xC3\xBCrgen \xF0\x9F\x98\x80\"");
    CU_ASSERT_STRING_EQUAL(json("x\xFFy\xC3"), "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"");
}

static void test_xml_attributes(void)
{
    CU_ASSERT_STRING_EQUAL(xml(""), "");
    CU_ASSERT_STRING_EQUAL(xml("a<b>&\"c\"'"), "a&lt;b&gt;&amp;&quot;c&quot;'");
    CU_ASSERT_STRING_EQUAL(xml("a\tb\nc\rd"), "a&#9;b&#10;c&#13;d");
    CU_ASSERT_STRING_EQUAL(xml("a\x01z"), "a\xEF\xBF\xBDz");
    CU_ASSERT_STRING_EQUAL(xml("\xEF\xBF\xBE!"), "\xEF\xBF\xBD!");
    CU_ASSERT_STRING_EQUAL(xml("\xE2\x82\xAC"), "\xE2\x82\xAC");
    CU_ASSERT_STRING_EQUAL(xml("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void test_hex(void)
{
    unsigned char bytes[4] = {0};
    CU_ASSERT_STRING_EQUAL(fhir_hex_encode("", 0, pool), "");
    CU_ASSERT_STRING_EQUAL(fhir_hex_encode("\x00\x7f\xAB\xff", 4, pool), "007fabff");
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 4, "007fAbFF"), 1);
    CU_ASSERT_EQUAL(memcmp(bytes, "\x00\x7f\xab\xff", 4), 0);
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 4, "007fabf"), 0);
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 4, "007fabff0"), 0);
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 4, "007fabfg"), 0);
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 4, "/07fabff"), 0);
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 4, ""), 0);
    CU_ASSERT_EQUAL(fhir_hex_decode(bytes, 0, ""), 1);
}

static void test_base64(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xfe", "+//+"}};
    apr_size_t i;
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        apr_size_t length = 99;
        const unsigned char *bytes = fhir_base64_decode(&length, pairs[i][1], pool);
        CU_ASSERT_STRING_EQUAL(fhir_base64_encode(pairs[i][0], strlen(pairs[i][0]), pool), pairs[i][1]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        CU_ASSERT_EQUAL(length, strlen(pairs[i][0]));
        CU_ASSERT_STRING_EQUAL((const char *)bytes, pairs[i][0]);
    }
}

static void test_base64_refuses(void)
{
    static const char *const bad[] = {
        "Z",     "Zg",       "Zg=",  "Zg===", "=",    "====",         "Z===", "Zm8",        "Zm9v\n",
        "Zm 9v", "Zm9v====", "-__-", "Zh==",  "Zm9=", "Zm9vZg==Zg==", "Zm=v", "Zm\xC3\xBC", "Zm9*"};
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        apr_size_t length;
        if (fhir_base64_decode(&length, bad[i], pool)) {
            CU_FAIL("malformed base64 accepted");
            printf("base64 accepted: %s\n", bad[i]);
        }
    }
}

static void test_base64url(void)
{
    apr_size_t length = 0;
    const unsigned char *bytes = fhir_base64url_decode(&length, "-__-Zg", pool);
    CU_ASSERT_STRING_EQUAL(fhir_base64url_encode("\xfb\xff\xfe"
                                                 "f",
                                                 4, pool),
                           "-__-Zg");
    CU_ASSERT_STRING_EQUAL(fhir_base64url_encode("fo", 2, pool), "Zm8");
    CU_ASSERT_STRING_EQUAL(fhir_base64url_encode("", 0, pool), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    CU_ASSERT_EQUAL(length, 4);
    CU_ASSERT_EQUAL(memcmp(bytes,
                           "\xfb\xff\xfe"
                           "f",
                           4),
                    0);
    CU_ASSERT_PTR_NOT_NULL(fhir_base64url_decode(&length, "", pool));
    CU_ASSERT_EQUAL(length, 0);
    CU_ASSERT_PTR_NULL(fhir_base64url_decode(&length, "Zg==", pool));
    CU_ASSERT_PTR_NULL(fhir_base64url_decode(&length, "+//+", pool));
    CU_ASSERT_PTR_NULL(fhir_base64url_decode(&length, "Z", pool));
    CU_ASSERT_PTR_NULL(fhir_base64url_decode(&length, "Zh", pool));
    CU_ASSERT_PTR_NULL(fhir_base64url_decode(&length, "Zm9vZ", pool));
}

static void test_base64_all_bytes(void)
{
    unsigned char all[256];
    apr_size_t length;
    apr_size_t used;
    for (used = 0; used < 256; used++) {
        all[used] = (unsigned char)used;
    }
    for (used = 0; used <= 256; used++) {
        const unsigned char *back = fhir_base64_decode(&length, fhir_base64_encode(all, used, pool), pool);
        CU_ASSERT(back && length == used && memcmp(back, all, used) == 0);
        back = fhir_base64url_decode(&length, fhir_base64url_encode(all, used, pool), pool);
        CU_ASSERT(back && length == used && memcmp(back, all, used) == 0);
    }
}

static void test_utf8(void)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x9F\xBF",
                                      "\xE2\x82",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF0\x9F\x98",
                                      "\xFE",
                                      "\xFF",
                                      "ok\xFFok"};
    apr_size_t i;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_EQUAL(fhir_utf8_valid(good[i], strlen(good[i])), 1);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(fhir_utf8_valid(bad[i], strlen(bad[i])), 0);
    }
    CU_ASSERT_EQUAL(fhir_utf8_valid("a\0b", 3), 0);
}

static void test_utf8_round_trip(void)
{
    uint32_t value;
    int wrong = 0;
    for (value = 0; value < 0x110010; value++) {
        char bytes[4];
        uint32_t back = 0;
        int is_scalar = value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
        apr_size_t length = fhir_utf8_write(bytes, value);
        if (!is_scalar) {
            wrong += length != 0;
        } else {
            wrong += length == 0 || fhir_utf8_sequence(&back, bytes, length) != length || back != value;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_instants(void)
{
    CU_ASSERT_STRING_EQUAL(fhir_instant(0, pool), "1970-01-01T00:00:00.000Z");
    CU_ASSERT_STRING_EQUAL(fhir_instant(APR_TIME_C(951782399999999), pool), "2000-02-28T23:59:59.999Z");
    CU_ASSERT_STRING_EQUAL(fhir_instant(APR_TIME_C(951782400000000), pool), "2000-02-29T00:00:00.000Z");
    CU_ASSERT_STRING_EQUAL(fhir_instant(APR_TIME_C(1795230900123456), pool), "2026-11-21T03:15:00.123Z");
}

static void test_durations(void)
{
    static const struct {
        const char *text;
        apr_interval_time_t expected;
    } cases[] = {{"250ms", 250000},
                 {"0s", 0},
                 {"30s", 30000000},
                 {"60m", APR_TIME_C(3600000000)},
                 {"2h", APR_TIME_C(7200000000)},
                 {"1d", APR_TIME_C(86400000000)},
                 {"9223372036854775ms", APR_TIME_C(9223372036854775000)}};
    static const char *const bad[] = {"",
                                      "60",
                                      "m",
                                      "-1s",
                                      "+1s",
                                      " 1s",
                                      "1 s",
                                      "1s ",
                                      "1M",
                                      "1w",
                                      "1.5h",
                                      "1sec",
                                      "0x1s",
                                      "1ss",
                                      "1mms",
                                      "9223372036854775808ms",
                                      "9223372036854776ms",
                                      "200000000d",
                                      "99999999999999999999999s"};
    apr_interval_time_t duration = -1;
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FHIR_ASSERT_OK(fhir_parse_duration(&duration, cases[i].text, pool));
        CU_ASSERT_EQUAL(duration, cases[i].expected);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_parse_duration(&duration, bad[i], pool));
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_parse_duration(&duration, NULL, pool));
}

static void test_sizes(void)
{
    static const struct {
        const char *text;
        apr_off_t expected;
    } cases[] = {{"0", 0},
                 {"512", 512},
                 {"64K", 65536},
                 {"64k", 65536},
                 {"16M", 16777216},
                 {"5G", INT64_C(5368709120)},
                 {"2T", INT64_C(2199023255552)},
                 {"9223372036854775807", INT64_MAX},
                 {"8388607T", INT64_C(9223370937343148032)}};
    static const char *const bad[] = {
        "",         "K",     "-1", "+1", " 1", "1 ", "1 K", "1KB", "1KiB", "1P", "1.5G", "0x10", "9223372036854775808",
        "8388608T", "1\x0b", "1@"};
    apr_off_t size = -1;
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FHIR_ASSERT_OK(fhir_parse_size(&size, cases[i].text, pool));
        CU_ASSERT_EQUAL(size, cases[i].expected);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_parse_size(&size, bad[i], pool));
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_parse_size(&size, NULL, pool));
}

static void test_uuids(void)
{
    static const char *const bad[] = {"",
                                      "123e4567-e89b-42d3-a456-42661417400",
                                      "123e4567-e89b-42d3-a456-4266141740000",
                                      "123e4567e89b42d3a456426614174000",
                                      "123e4567-e89b-42d3-a456_426614174000",
                                      "g23e4567-e89b-42d3-a456-426614174000",
                                      "{23e4567-e89b-42d3-a456-42661417400}",
                                      "1-3e4567-e89b-42d3-a456-426614174000"};
    apr_size_t i;
    CU_ASSERT_EQUAL(fhir_is_uuid("123e4567-e89b-42d3-a456-426614174000"), 1);
    CU_ASSERT_EQUAL(fhir_is_uuid("123E4567-E89B-42D3-A456-426614174000"), 1);
    CU_ASSERT_EQUAL(fhir_is_uuid(NULL), 0);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(fhir_is_uuid(bad[i]), 0);
    }
}

static const fhir_unit_test_t tests[] = {{"text grows", test_text_grows},
                                         {"text formats", test_text_formats},
                                         {"text boundaries", test_text_boundaries},
                                         {"json strings", test_json_strings},
                                         {"xml attributes", test_xml_attributes},
                                         {"hex", test_hex},
                                         {"base64", test_base64},
                                         {"base64 refuses", test_base64_refuses},
                                         {"base64url", test_base64url},
                                         {"base64 all bytes", test_base64_all_bytes},
                                         {"utf8", test_utf8},
                                         {"utf8 round trip", test_utf8_round_trip},
                                         {"instants", test_instants},
                                         {"durations", test_durations},
                                         {"sizes", test_sizes},
                                         {"uuids", test_uuids},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("text", tests)
