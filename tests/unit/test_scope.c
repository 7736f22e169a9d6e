/* SMART scopes against interactions. */
#include "core/auth/auth.h"
#include "unit.h"

/* What the scopes permit, as letters of "cruds". */
static const char *permitted(const char *scope, const char *context, const char *patient)
{
    static const char letters[] = "cruds";
    const fhir_scopes_t *scopes = fhir_scopes_parse(scope, pool);
    char *found = apr_pcalloc(pool, sizeof(letters));
    int count = 0;
    int i;
    for (i = 0; i < 5; i++) {
        static const fhir_interaction_t interactions[] = {FHIR_INTERACTION_CREATE, FHIR_INTERACTION_READ,
                                                          FHIR_INTERACTION_UPDATE, FHIR_INTERACTION_DELETE,
                                                          FHIR_INTERACTION_SEARCH};
        if (fhir_scopes_permit(scopes, interactions[i], context, patient)) {
            found[count++] = letters[i];
        }
    }
    return found;
}

static void permits(const char *scope, const char *letters)
{
    const char *found = permitted(scope, NULL, NULL);
    if (strcmp(found, letters) != 0) {
        printf("scope [%s] permits [%s], expected [%s]\n", scope, found, letters);
    }
    CU_ASSERT_STRING_EQUAL(found, letters);
}

static void test_nothing_narrowed(void)
{
    permits("", "cruds");
    permits("   ", "cruds");
    permits("openid", "cruds");
    permits("openid fhirUser launch launch/patient offline_access", "cruds");
    CU_ASSERT_STRING_EQUAL(permitted(NULL, NULL, NULL), "cruds");
}

/* Every subset of the letters in order, in every level that needs no patient. */
static void test_letters(void)
{
    unsigned set;
    for (set = 1; set < 32; set++) {
        char letters[6] = "";
        int count = 0;
        int i;
        for (i = 0; i < 5; i++) {
            if (set & (1u << i)) {
                letters[count++] = "cruds"[i];
            }
        }
        permits(apr_pstrcat(pool, "user/Binary.", letters, NULL), letters);
        permits(apr_pstrcat(pool, "system/*.", letters, NULL), letters);
        permits(apr_pstrcat(pool, "openid  system/Binary.", letters, " launch", NULL), letters);
    }
}

static void test_version_1(void)
{
    permits("user/Binary.read", "rs");
    permits("user/Binary.write", "cud");
    permits("user/Binary.*", "cruds");
    permits("system/*.read", "rs");
    permits("system/*.*", "cruds");
    permits("user/Binary.read user/Binary.write", "cruds");
    permits("user/Binary.rs system/Binary.d", "rds");
}

static void test_malformed_permits_nothing(void)
{
    static const char *const scopes[] = {"user/Binary.dus",
                                         "user/Binary.sr",
                                         "user/Binary.rr",
                                         "user/Binary.",
                                         "user/Binary",
                                         "user/",
                                         "user/.rs",
                                         "user/Binary.reads",
                                         "user/Binary.Read",
                                         "user/Binary.R",
                                         "user/Binary.readx",
                                         "user/Binary.rs.rs",
                                         "user/Binary.rs?",
                                         "user/Binary.rs?a=b",
                                         "user/Binary.read?a=b",
                                         "user/binary.rs",
                                         "user/Binary2.rs",
                                         "user/Bin*.rs",
                                         "user/Binary.x",
                                         "user/Binary.rsx",
                                         "user/Patient.rs",
                                         "user/Patient.*",
                                         "system/DocumentReference.cruds",
                                         "user/Binary.**",
                                         "patient/Binary.rs",
                                         "patient/*.*",
                                         "user/Binary.rs\tuser/Binary.rs",
                                         "user//Binary.rs",
                                         "user/ Binary.rs",
                                         "user/Binary.crudsc"};
    apr_size_t i;
    for (i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        permits(scopes[i], "");
        /* and does not spoil a good one beside it */
        permits(apr_pstrcat(pool, scopes[i], " user/Binary.r", NULL), "r");
    }
}

/* What only looks like a level is no resource scope: it neither narrows nor permits. */
static void test_other_scopes_are_set_aside(void)
{
    permits("users/Binary.rs", "cruds");
    permits("User/Binary.rs", "cruds");
    permits("users/Binary.rs user/Binary.d", "d");
}

static void patient_permits(const char *context, const char *patient, const char *letters)
{
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.rs", context, patient), letters);
}

static void test_patient(void)
{
    patient_permits("Patient/p1", "p1", "rs");
    patient_permits("Patient/p2", "p1", "");
    patient_permits("Patient/p1", NULL, "");
    patient_permits(NULL, "p1", "");
    patient_permits(NULL, NULL, "");
    patient_permits("", "p1", "");
    patient_permits("Patient/", "", "");
    patient_permits("Patient/p11", "p1", "");
    patient_permits("Patient/p", "p1", "");
    patient_permits("patient/p1", "p1", "");
    patient_permits("Practitioner/p1", "p1", "");
    patient_permits("Patient/p1/_history/1", "p1", "");
    patient_permits("Patient/p1/_history/1", "p1/_history/1", "");
    patient_permits("https://x.example.org/Patient/p1", "p1", "");
    CU_ASSERT_STRING_EQUAL(permitted("patient/*.cruds", "Patient/p1", "p1"), "cruds");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.read user/Binary.d", "Patient/p1", "p1"), "rds");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.read user/Binary.d", "Patient/p2", "p1"), "d");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.rs?category=x", "Patient/p1", "p1"), "");
}

static void test_unknown_interaction(void)
{
    CU_ASSERT_FALSE(fhir_scopes_permit(fhir_scopes_parse("", pool), (fhir_interaction_t)99, NULL, NULL));
    CU_ASSERT_FALSE(fhir_scopes_permit(fhir_scopes_parse("user/*.*", pool), (fhir_interaction_t)99, NULL, NULL));
}

static const fhir_unit_test_t tests[] = {{"nothing narrowed", test_nothing_narrowed},
                                         {"letters", test_letters},
                                         {"version 1", test_version_1},
                                         {"malformed", test_malformed_permits_nothing},
                                         {"other scopes", test_other_scopes_are_set_aside},
                                         {"patient", test_patient},
                                         {"unknown interaction", test_unknown_interaction},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("scope", tests)
