/* Lists of hosts with wildcards and ports. */
#include "core/base/host_list.h"
#include "unit.h"

static apr_array_header_t *list_of(const char *first, const char *second)
{
    apr_array_header_t *patterns = apr_array_make(pool, 2, sizeof(fhir_host_pattern_t));
    CU_ASSERT_TRUE_FATAL(fhir_host_pattern_parse(apr_array_push(patterns), first, pool));
    if (second) {
        CU_ASSERT_TRUE_FATAL(fhir_host_pattern_parse(apr_array_push(patterns), second, pool));
    }
    return patterns;
}

static void test_syntax(void)
{
    static const char *const good[] = {"example.org",
                                       "localhost",
                                       "a",
                                       "A.Example.ORG",
                                       "x_y.example.org",
                                       "1a.org",
                                       "*.example.org",
                                       "*.org",
                                       "example.org:443",
                                       "example.org:65535",
                                       "192.0.2.7",
                                       "192.0.2.7:8443",
                                       "[2001:db8::7]",
                                       "[::1]:8443",
                                       "xn--bcher-kva.example",
                                       NULL};
    static const char *const bad[] = {"",
                                      "*",
                                      "*.",
                                      "**.example.org",
                                      "*example.org",
                                      "a.*.org",
                                      ".example.org",
                                      "example.org.",
                                      "a..b",
                                      "-a.org",
                                      "a-.org",
                                      "example.org:",
                                      "example.org:0",
                                      "example.org:65536",
                                      "example.org:123456",
                                      "example.org:0443",
                                      "example.org:+1",
                                      "example.org:443:443",
                                      "example.org/",
                                      "https://example.org",
                                      "user@example.org",
                                      "exa mple",
                                      "b\xc3\xbc"
                                      "cher.example",
                                      "127.1",
                                      "127.0.0.256",
                                      "0x7f.0.0.1",
                                      "2130706433",
                                      "*.0.0.1",
                                      "*.1",
                                      "[::1",
                                      "[]",
                                      "[::1]x",
                                      "[::1]:",
                                      "::1",
                                      "[127.0.0.1]",
                                      "[fe80::1%25eth0]",
                                      "*.[::1]",
                                      "#",
                                      NULL};
    fhir_host_pattern_t pattern;
    char label[80];
    int i;
    for (i = 0; good[i]; i++) {
        if (!fhir_host_pattern_parse(&pattern, good[i], pool)) {
            printf("'%s' was refused\n", good[i]);
            CU_FAIL("host syntax");
        }
    }
    for (i = 0; bad[i]; i++) {
        if (fhir_host_pattern_parse(&pattern, bad[i], pool)) {
            printf("'%s' was taken\n", bad[i]);
            CU_FAIL("host syntax");
        }
    }
    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    CU_ASSERT_TRUE(fhir_host_pattern_parse(&pattern, label, pool));
    label[63] = 'a';
    label[64] = '\0';
    CU_ASSERT_FALSE(fhir_host_pattern_parse(&pattern, label, pool));
}

static void test_exact(void)
{
    const apr_array_header_t *list = list_of("Files.Example.org", "other.test:8443");
    CU_ASSERT_TRUE(fhir_host_listed(list, "files.example.org", 443));
    CU_ASSERT_TRUE(fhir_host_listed(list, "FILES.example.ORG", 443));
    CU_ASSERT_TRUE(fhir_host_listed(list, "other.test", 8443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "other.test", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "files.example.org", 8443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "files.example.org.", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "files.example.or", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "xfiles.example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "a.files.example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "files.example.org.evil.test", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "", 443));
}

static void test_below(void)
{
    const apr_array_header_t *list = list_of("*.example.org", NULL);
    CU_ASSERT_TRUE(fhir_host_listed(list, "a.example.org", 443));
    CU_ASSERT_TRUE(fhir_host_listed(list, "a.b.EXAMPLE.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, ".example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "*.example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "evilexample.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "a.example.org.", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "a.example.org.evil.test", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "evil.test/.example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "evil.test#.example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "a.example.org", 80));
    CU_ASSERT_TRUE(fhir_host_listed(list_of("*.example.org:444", NULL), "a.example.org", 444));
}

static void test_addresses(void)
{
    const apr_array_header_t *list = list_of("192.0.2.7", "[2001:DB8::7]:8443");
    CU_ASSERT_TRUE(fhir_host_listed(list, "192.0.2.7", 443));
    CU_ASSERT_TRUE(fhir_host_listed(list, "[2001:db8::7]", 8443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "2001:db8::7", 8443));
    CU_ASSERT_FALSE(fhir_host_listed(list, "192.0.2.70", 443));
}

static void test_nothing_listed(void)
{
    CU_ASSERT_FALSE(fhir_host_listed(NULL, "example.org", 443));
    CU_ASSERT_FALSE(fhir_host_listed(apr_array_make(pool, 1, sizeof(fhir_host_pattern_t)), "example.org", 443));
}

static const fhir_unit_test_t tests[] = {
    {"syntax", test_syntax},          {"exact", test_exact}, {"below", test_below}, {"addresses", test_addresses},
    {"nothing", test_nothing_listed}, {NULL, NULL}};

FHIR_UNIT_MAIN("host_list", tests)
