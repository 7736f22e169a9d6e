/* The R4 compartments: samples of each, and every row leads to search parameters that exist. */
#include "core/fhir/compartments.h"
#include "core/fhir/search_parameters.h"
#include "core/fhir/structure.h"
#include "tests/unit/unit.h"

#define ASSERT_PARAMETERS(expected, compartment, type)                                                                 \
    do {                                                                                                               \
        const char *parameters = fhir_compartment_parameters(compartment, type);                                       \
        CU_ASSERT_PTR_NOT_NULL(parameters);                                                                            \
        CU_ASSERT_STRING_EQUAL(parameters ? parameters : "", expected);                                                \
    } while (0)
#define ASSERT_OUTSIDE(compartment, type) CU_ASSERT_PTR_NULL(fhir_compartment_parameters(compartment, type))

static void test_patient(void)
{
    ASSERT_PARAMETERS("subject", "Patient", "Account");
    ASSERT_PARAMETERS("asserter|patient|recorder", "Patient", "AllergyIntolerance");
    ASSERT_PARAMETERS("patient", "Patient", "AuditEvent");
    ASSERT_PARAMETERS("recipient|sender|subject", "Patient", "Communication");
    ASSERT_PARAMETERS("recipient|requester|sender|subject", "Patient", "CommunicationRequest");
    ASSERT_PARAMETERS("patient", "Patient", "Consent");
    ASSERT_PARAMETERS("subject", "Patient", "DiagnosticReport");
    ASSERT_PARAMETERS("author|subject", "Patient", "DocumentReference");
    ASSERT_PARAMETERS("patient", "Patient", "Encounter");
    ASSERT_PARAMETERS("subject", "Patient", "Media");
    ASSERT_PARAMETERS("performer|subject", "Patient", "Observation");
    ASSERT_PARAMETERS("link", "Patient", "Patient");
    ASSERT_PARAMETERS("author|subject", "Patient", "QuestionnaireResponse");
    ASSERT_PARAMETERS("patient", "Patient", "VisionPrescription");
    ASSERT_OUTSIDE("Patient", "Binary");
    ASSERT_OUTSIDE("Patient", "Contract");
    ASSERT_OUTSIDE("Patient", "Library");
    ASSERT_OUTSIDE("Patient", "Practitioner");
    ASSERT_OUTSIDE("Patient", "Task");
}

static void test_others(void)
{
    ASSERT_PARAMETERS("encounter", "Encounter", "Observation");
    ASSERT_PARAMETERS("encounter", "Encounter", "Media");
    ASSERT_OUTSIDE("Encounter", "Encounter");
    ASSERT_OUTSIDE("Encounter", "Patient");
    ASSERT_PARAMETERS("operator|subject", "Practitioner", "Media");
    ASSERT_PARAMETERS("practitioner", "Practitioner", "PractitionerRole");
    ASSERT_OUTSIDE("Practitioner", "Practitioner");
    ASSERT_PARAMETERS("author", "RelatedPerson", "DocumentReference");
    ASSERT_PARAMETERS("link", "RelatedPerson", "Patient");
    ASSERT_PARAMETERS("subject", "Device", "DiagnosticReport");
    ASSERT_PARAMETERS("device|subject", "Device", "Observation");
}

static void test_unknown(void)
{
    ASSERT_OUTSIDE("Group", "Observation");
    ASSERT_OUTSIDE("patient", "Observation");
    ASSERT_OUTSIDE("", "Observation");
    ASSERT_OUTSIDE("Patient", "");
    ASSERT_OUTSIDE("Patient", "Nothing");
    ASSERT_OUTSIDE("Patient", "observation");
}

static int check_names(const char *type, const char *names)
{
    char *state = NULL;
    char *name = apr_strtok(apr_pstrdup(pool, names), "|", &state);
    CU_ASSERT_PTR_NOT_NULL(name);
    for (; name; name = apr_strtok(NULL, "|", &state)) {
        const fhir_search_parameter_t *found = fhir_search_parameter(type, name);
        CU_ASSERT(found && found->type == FHIR_SEARCH_REFERENCE);
    }
    return 1;
}

/* How many types HL7 lists for each, those that are there by {def} alone aside. */
static void test_all_rows(void)
{
    static const char *const EXPECTED[] = {"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"};
    static const int COUNTS[] = {32, 24, 66, 58, 31};
    const char *const *compartments = fhir_compartments();
    int i;
    for (i = 0; compartments[i] && i < 5; i++) {
        const char *const *types = fhir_structure_resource_types();
        int count = 0;
        CU_ASSERT_STRING_EQUAL(compartments[i], EXPECTED[i]);
        for (; *types; types++) {
            const char *names = fhir_compartment_parameters(compartments[i], *types);
            count += names ? check_names(*types, names) : 0;
        }
        CU_ASSERT_EQUAL(count, COUNTS[i]);
    }
    CU_ASSERT_EQUAL(i, 5);
    CU_ASSERT_PTR_NULL(compartments[5]);
}

static const fhir_unit_test_t TESTS[] = {
    {"Patient", test_patient},
    {"the other compartments", test_others},
    {"unknown names", test_unknown},
    {"every row leads to search parameters", test_all_rows},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("compartments", TESTS)
