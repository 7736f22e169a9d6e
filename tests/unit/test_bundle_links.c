/* References between the entries of a transaction. */
#include "unit.h"

#include "core/app/bundle_links.h"

static fhir_bundle_links_t *links;

#define OLD "http://old.example/fhir/"

static void fill(void)
{
    links = fhir_bundle_links_create(pool);
    FHIR_ASSERT_OK(fhir_bundle_links_add(links, "urn:uuid:1", "Patient/new", 1));
    FHIR_ASSERT_OK(fhir_bundle_links_add(links, OLD "Patient/7", "Patient/seven", 1));
    FHIR_ASSERT_OK(fhir_bundle_links_add(links, OLD "Binary/8", "Binary/8", 0));
    FHIR_ASSERT_OK(fhir_bundle_links_add(links, NULL, "Patient/nameless", 1));
}

static void expect(const char *from, const char *value, const char *expected)
{
    const char *found = fhir_bundle_links_find(links, from, value, pool);
    CU_ASSERT_EQUAL(found == NULL, expected == NULL);
    if (found && expected) {
        CU_ASSERT_STRING_EQUAL(found, expected);
    } else if (found || expected) {
        printf("%s -> %s, expected %s\n", value, found ? found : "nothing", expected ? expected : "nothing");
    }
}

static void test_full_urls(void)
{
    fill();
    expect(NULL, "urn:uuid:1", "Patient/new");
    expect(NULL, "urn:uuid:1#part", "Patient/new#part");
    expect(NULL, "urn:uuid:1#", "Patient/new#");
    expect(NULL, OLD "Patient/7", "Patient/seven");
    expect(NULL, OLD "Binary/8#x", "Binary/8#x");
    expect(NULL, "urn:uuid:2", NULL);
    expect(NULL, "urn:uuid:11", NULL);
    expect(NULL, "urn:uuid:", NULL);
    expect(NULL, "", NULL);
    expect(NULL, "#", NULL);
    expect(NULL, "#urn:uuid:1", NULL);
    expect(NULL, OLD "Patient/7/", NULL);
}

static void test_versions(void)
{
    fill();
    /* Nobody can know a version of what does not exist yet. */
    expect(NULL, OLD "Patient/7/_history/3", "Patient/seven");
    expect(NULL, OLD "Patient/7/_history/3#x", "Patient/seven#x");
    expect(NULL, OLD "Binary/8/_history/3", "Binary/8/_history/3");
    expect(NULL, OLD "Binary/8/_history/3#x", "Binary/8/_history/3#x");
    expect(NULL, OLD "Binary/8#/_history/3", "Binary/8#/_history/3");
    expect(NULL, OLD "Binary/9/_history/3", NULL);
}

static void test_relative_references(void)
{
    fill();
    expect(OLD "Observation/1", "Patient/7", "Patient/seven");
    expect(OLD "Observation/1", "Patient/7/_history/2", "Patient/seven");
    expect(OLD "Observation/1", "Patient/7#x", "Patient/seven#x");
    expect(OLD "Observation/1", "Patient/8", NULL);
    expect("http://other.example/fhir/Observation/1", "Patient/7", NULL);
    expect("urn:uuid:1", "Patient/7", NULL);
    expect(NULL, "Patient/7", NULL);
    expect(OLD "Nonsense/1", "Patient/7", NULL);
    expect(OLD, "Patient/7", NULL);
    expect(OLD "Observation/1", "Nonsense/7", NULL);
    expect(OLD "Observation/1", "/Patient/7", NULL);
    expect(OLD "Observation/1", "x/Patient/7", NULL);
    expect(OLD "Observation/1", "urn:uuid:1", "Patient/new");
}

static void test_full_urls_are_unique(void)
{
    fill();
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_bundle_links_add(links, "urn:uuid:1", "Patient/other", 1));
    FHIR_ASSERT_OK(fhir_bundle_links_add(links, NULL, "Patient/other", 1));
    expect(NULL, "urn:uuid:1", "Patient/new");
}

static void test_no_entries(void)
{
    links = fhir_bundle_links_create(pool);
    expect(OLD "Observation/1", "Patient/7", NULL);
}

static void test_long_values(void)
{
    char *value = apr_palloc(pool, 200001);
    memset(value, 'a', 200000);
    value[200000] = '\0';
    fill();
    expect(value, value, NULL);
    memset(value, '/', 200000);
    expect(OLD "Observation/1", value, NULL);
    expect(value, "Patient/7", NULL);
}

static void expect_conditional(const char *value, const char *expected)
{
    const char *type = fhir_conditional_reference(value, pool);
    CU_ASSERT_EQUAL(type == NULL, expected == NULL);
    if (type && expected) {
        CU_ASSERT_STRING_EQUAL(type, expected);
    }
}

static void test_conditional_references(void)
{
    expect_conditional("Patient?identifier=1", "Patient");
    expect_conditional("Binary?", "Binary");
    expect_conditional("Patient", NULL);
    expect_conditional("Patient/1?x=y", NULL);
    expect_conditional("?identifier=1", NULL);
    expect_conditional("patient?identifier=1", NULL);
    expect_conditional("http://x/Patient?identifier=1", NULL);
    expect_conditional("urn:uuid:1?x", NULL);
    expect_conditional("", NULL);
}

static const fhir_unit_test_t tests[] = {
    {"full urls", test_full_urls},
    {"versions", test_versions},
    {"relative references", test_relative_references},
    {"full urls are unique", test_full_urls_are_unique},
    {"no entries", test_no_entries},
    {"long values", test_long_values},
    {"conditional references", test_conditional_references},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("bundle_links", tests)
