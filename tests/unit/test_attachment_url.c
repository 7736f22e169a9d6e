/* Which Attachment URLs name a Binary of ours. */
#include "resource_help.h"

static const char *id;
static const char *pin;
static const char *signed_version;

static int names_from(const fhir_addresses_t *from, const char *url)
{
    int found = fhir_attachment_url(&id, &pin, &signed_version, from, url, pool);
    CU_ASSERT_EQUAL(found, id != NULL);
    CU_ASSERT(found || (!pin && !signed_version));
    return found;
}

static int names(const char *url)
{
    return names_from(&addresses, url);
}

static int same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

static void test_relative(void)
{
    CU_ASSERT(names("Binary/1") && same(id, "1") && !pin && !signed_version);
    CU_ASSERT(names("Binary/" UUID_A) && same(id, UUID_A) && !pin);
    CU_ASSERT(names("Binary/a.b-C9") && same(id, "a.b-C9"));
    CU_ASSERT(names("Binary/1/_history/2") && same(id, "1") && same(pin, "2") && !signed_version);
    CU_ASSERT(names("Binary/unknown") && same(id, "unknown"));
}

static void test_full(void)
{
    CU_ASSERT(names("https://fhir.example.org/fhir/R4/Binary/1") && same(id, "1") && !pin);
    CU_ASSERT(names("https://fhir.example.org/fhir/R4/Binary/1/_history/" UUID_B) && same(pin, UUID_B));
    CU_ASSERT(names("HTTPS://FHIR.Example.ORG/fhir/R4/Binary/1") && same(id, "1"));
    CU_ASSERT(names("https://fhir.example.org:443/fhir/R4/Binary/1") && same(id, "1"));
    CU_ASSERT(names("https://fhir.example.org:/fhir/R4/Binary/1") && same(id, "1"));
}

static void test_storage(void)
{
    CU_ASSERT(names("https://fhir.example.org/storage/1") && same(id, "1") && !pin && !signed_version);
    CU_ASSERT(names("https://fhir.example.org/storage/1/v2") && same(id, "1") && !pin && same(signed_version, "v2"));
    CU_ASSERT(names("https://fhir.example.org/storage/1/v2?Expires=1&Signature=x/y?z") && same(signed_version, "v2"));
    CU_ASSERT(names("https://fhir.example.org/storage/1?Expires=1") && same(id, "1") && !signed_version);
    CU_ASSERT(names("https://fhir.example.org/storage/1?") && same(id, "1"));
    CU_ASSERT(names("https://fhir.example.org/storage/1/2#f") && same(id, "1"));
    CU_ASSERT(names("https://fhir.example.org/storage/1/2?Signature=x#f") && same(id, "1"));
    CU_ASSERT(names("https://fhir.example.org/storage/1?x/2#f") && same(id, "1"));
    CU_ASSERT(names("HTTPS://fhir.EXAMPLE.org:443/storage/1/v2?x=1") && same(id, "1"));
}

static void test_other_ports(void)
{
    fhir_addresses_t local = {"http://localhost:8080/fhir/R4/", "http://localhost:8080/storage/"};
    fhir_addresses_t plain = {"http://localhost/fhir/R4/", "http://[::1]:80/storage/"};
    CU_ASSERT(names_from(&local, "http://LOCALHOST:8080/fhir/R4/Binary/1"));
    CU_ASSERT(names_from(&local, "http://localhost:8080/storage/1/2"));
    CU_ASSERT(!names_from(&local, "http://localhost/fhir/R4/Binary/1"));
    CU_ASSERT(!names_from(&local, "http://127.0.0.1:8080/fhir/R4/Binary/1"));
    CU_ASSERT(!names_from(&local, "https://localhost:8080/fhir/R4/Binary/1"));
    CU_ASSERT(!names_from(&local, "http://localhost:80801/fhir/R4/Binary/1"));
    CU_ASSERT(!names_from(&local, "http://localhost:808/fhir/R4/Binary/1"));
    CU_ASSERT(names_from(&plain, "http://localhost:80/fhir/R4/Binary/1"));
    CU_ASSERT(!names_from(&plain, "http://localhost:443/fhir/R4/Binary/1"));
    CU_ASSERT(names_from(&plain, "http://[::1]/storage/7"));
    CU_ASSERT(names_from(&plain, "http://[::1]:80/storage/7"));
    CU_ASSERT(!names_from(&plain, "http://[::2]/storage/7"));
}

static void test_no_addresses(void)
{
    fhir_addresses_t none = {NULL, NULL};
    CU_ASSERT(names_from(&none, "Binary/1"));
    CU_ASSERT(!names_from(&none, "https://fhir.example.org/fhir/R4/Binary/1"));
}

static void test_stay_as_sent(void)
{
    static const char *const OTHERS[] = {"",
                                         "Binary",
                                         "Binary/",
                                         "/Binary/1",
                                         "binary/1",
                                         "BINARY/1",
                                         "./Binary/1",
                                         "Binary/1/",
                                         "Binary/1?x=1",
                                         "Binary/1#f",
                                         "Binary/1 ",
                                         " Binary/1",
                                         "Binary//1",
                                         "Binary/%31",
                                         "Binary/a_b",
                                         "Binary/\xc3\xa4",
                                         "Binary/1/_history",
                                         "Binary/1/_history/",
                                         "Binary/1/_history/2/",
                                         "Binary/1/_history/2?x",
                                         "Binary/1/_historyx2",
                                         "Binary/1/2",
                                         "Binary/1/_history/2/3",
                                         "Binary/1/$presigned-url",
                                         "Patient/1",
                                         "urn:uuid:" UUID_A,
                                         "https:",
                                         "https://",
                                         "https:///fhir/R4/Binary/1",
                                         "https://:443/fhir/R4/Binary/1",
                                         "ftp://fhir.example.org/fhir/R4/Binary/1",
                                         "//fhir.example.org/fhir/R4/Binary/1",
                                         "http://fhir.example.org/fhir/R4/Binary/1",
                                         "https://fhir.example.org",
                                         "https://fhir.example.org?/fhir/R4/Binary/1",
                                         "https://fhir.example.org/fhir/R4/",
                                         "https://fhir.example.org/fhir/R4/binary/1",
                                         "https://fhir.example.org/FHIR/R4/Binary/1",
                                         "https://fhir.example.org/fhir//R4/Binary/1",
                                         "https://fhir.example.org/fhir/R4//Binary/1",
                                         "https://fhir.example.org/fhir/R4/Binary/1?x=1",
                                         "https://fhir.example.org/fhir/R4/Binary/1#f",
                                         "https://fhir.example.org:8443/fhir/R4/Binary/1",
                                         "https://fhir.example.org:80/fhir/R4/Binary/1",
                                         "https://fhir.example.org:443x/fhir/R4/Binary/1",
                                         "https://fhir.example.org.evil.example/fhir/R4/Binary/1",
                                         "https://me@fhir.example.org/fhir/R4/Binary/1",
                                         "https://me:443@fhir.example.org/fhir/R4/Binary/1",
                                         "https://evil.example/https://fhir.example.org/fhir/R4/Binary/1",
                                         "https://fhir.example.org/storage/",
                                         "https://fhir.example.org/storage/?x",
                                         "https://fhir.example.org/storage",
                                         "https://fhir.example.org/storage/1/",
                                         "https://fhir.example.org/storage/1/2/3",
                                         "https://fhir.example.org/storage/1/2/",
                                         "https://fhir.example.org/storage/a_b/2?x",
                                         "https://fhir.example.org/Storage/1/2",
                                         NULL};
    int i;
    for (i = 0; OTHERS[i]; i++) {
        if (names(OTHERS[i])) {
            printf("taken for ours: %s\n", OTHERS[i]);
            CU_FAIL("a URL that is none of ours was taken for one");
        }
    }
}

static void test_id_lengths(void)
{
    char longest[FHIR_ID_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[FHIR_ID_MAX] = '\0';
    CU_ASSERT(names(apr_pstrcat(pool, "Binary/", longest, NULL)) && same(id, longest));
    CU_ASSERT(names(apr_pstrcat(pool, "Binary/1/_history/", longest, NULL)) && same(pin, longest));
    longest[FHIR_ID_MAX] = 'a';
    longest[FHIR_ID_MAX + 1] = '\0';
    CU_ASSERT(!names(apr_pstrcat(pool, "Binary/", longest, NULL)));
    CU_ASSERT(!names(apr_pstrcat(pool, "Binary/1/_history/", longest, NULL)));
}

static const fhir_unit_test_t tests[] = {{"relative references", test_relative},
                                         {"full URLs", test_full},
                                         {"storage URLs", test_storage},
                                         {"ports and hosts", test_other_ports},
                                         {"no addresses known", test_no_addresses},
                                         {"none of ours", test_stay_as_sent},
                                         {"lengths of ids", test_id_lengths},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("attachment_url", tests)
