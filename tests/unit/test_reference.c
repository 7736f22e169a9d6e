/* Ids, resource types, literal references. */
#include "core/fhir/binary.h"
#include "unit.h"

static void test_ids(void)
{
    char longest[66];
    memset(longest, 'a', 65);
    longest[65] = '\0';
    CU_ASSERT(!fhir_id_valid(longest));
    CU_ASSERT(fhir_id_valid(longest + 1));
    CU_ASSERT(fhir_id_valid("1"));
    CU_ASSERT(fhir_id_valid("A-z.09"));
    CU_ASSERT(fhir_id_valid(".."));
    CU_ASSERT(!fhir_id_valid(""));
    CU_ASSERT(!fhir_id_valid(NULL));
    CU_ASSERT(!fhir_id_valid("a/b"));
    CU_ASSERT(!fhir_id_valid("a_b"));
    CU_ASSERT(!fhir_id_valid("a b"));
    CU_ASSERT(!fhir_id_valid("a\n"));
    CU_ASSERT(!fhir_id_valid("\xc3\xa4"));
}

static void test_types(void)
{
    static const char *const known[] = {"Account",      "Binary",           "Patient", "VisionPrescription",
                                        "Practitioner", "MedicinalProduct", "List",    NULL};
    static const char *const unknown[] = {"",         "patient",  "Patient ", "Resource", "DomainResource",
                                          "Citation", "Sequence", "Zebra",    "Aardvark", NULL};
    int i;
    for (i = 0; known[i]; i++) {
        CU_ASSERT(fhir_resource_type_known(known[i]));
    }
    for (i = 0; unknown[i]; i++) {
        CU_ASSERT(!fhir_resource_type_known(unknown[i]));
    }
    CU_ASSERT(!fhir_resource_type_known(NULL));
}

static void test_accepted(void)
{
    static const char *const references[] = {"Patient/1",
                                             "DocumentReference/a-b.c",
                                             "Patient/1/_history/2",
                                             "http://example.org/fhir/Patient/1",
                                             "https://example.org:8443/Patient/1/_history/x",
                                             "HTTPS://[::1]:80/a%20b/~c/Patient/1",
                                             "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                                             "urn:oid:1.2.3.0.40",
                                             NULL};
    int i;
    for (i = 0; references[i]; i++) {
        FHIR_ASSERT_OK(fhir_reference_check(references[i], pool));
    }
}

static void test_refused(void)
{
    static const char *const references[] = {"",
                                             "Patient",
                                             "Patient/",
                                             "/Patient/1",
                                             "Patient/1/",
                                             "Patient//1",
                                             "Nobody/1",
                                             "patient/1",
                                             "Patient/1/2",
                                             "x/Patient/1",
                                             "Patient/1/_history",
                                             "Patient/1/_history/",
                                             "Patient/_history/2",
                                             "/_history/2",
                                             "Patient/1/_history/2/3",
                                             "Patient/a b",
                                             " Patient/1",
                                             "Patient/1 ",
                                             "Patient/1\n",
                                             "Patient/1?x=y",
                                             "#p1",
                                             "Patient?identifier=1",
                                             "http://",
                                             "http://Patient/1",
                                             "http:///Patient/1",
                                             "https://x/",
                                             "https://x/y",
                                             "https://x/Nobody/1",
                                             "https://x y/Patient/1",
                                             "https://x/?a=/Patient/1",
                                             "https://x/#/Patient/1",
                                             "https://x\"/Patient/1",
                                             "ftp://x/Patient/1",
                                             "urn:uuid:",
                                             "urn:uuid:0c3151bd",
                                             "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0x",
                                             "urn:oid:",
                                             "urn:oid:1",
                                             "urn:oid:3.1",
                                             "urn:oid:1.02",
                                             "urn:oid:1.2.",
                                             "urn:oid:1.2a",
                                             "../Patient/1",
                                             NULL};
    int i;
    for (i = 0; references[i]; i++) {
        fhir_error_t *error = fhir_reference_check(references[i], pool);
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
        if (!error) {
            printf("accepted: %s\n", references[i]);
        }
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_reference_check(NULL, pool));
}

static const fhir_unit_test_t tests[] = {
    {"ids", test_ids}, {"types", test_types}, {"accepted", test_accepted}, {"refused", test_refused}, {NULL, NULL}};

FHIR_UNIT_MAIN("reference", tests)
