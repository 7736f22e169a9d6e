/* Prefer. */
#include "core/http/fields.h"
#include "unit.h"

static void test_return(void)
{
    static const struct {
        const char *prefer;
        fhir_prefer_return_t expected;
    } cases[] = {{NULL, FHIR_PREFER_DEFAULT},
                 {"", FHIR_PREFER_DEFAULT},
                 {"return=minimal", FHIR_PREFER_MINIMAL},
                 {"return=representation", FHIR_PREFER_REPRESENTATION},
                 {"return=OperationOutcome", FHIR_PREFER_OUTCOME},
                 {"RETURN=Minimal", FHIR_PREFER_MINIMAL},
                 {"return = minimal", FHIR_PREFER_MINIMAL},
                 {"return=\"representation\"", FHIR_PREFER_REPRESENTATION},
                 {"  return=minimal  ", FHIR_PREFER_MINIMAL},
                 {"respond-async, return=minimal", FHIR_PREFER_MINIMAL},
                 {"handling=strict;return=minimal", FHIR_PREFER_MINIMAL},
                 {"handling=strict, return=representation; x=y", FHIR_PREFER_REPRESENTATION},
                 {"return=minimal, return=representation", FHIR_PREFER_MINIMAL},
                 {"wait=\"a,return=minimal\", return=representation", FHIR_PREFER_REPRESENTATION},
                 {"return=maximal", FHIR_PREFER_DEFAULT},
                 {"return=maximal, return=minimal", FHIR_PREFER_DEFAULT},
                 {"return", FHIR_PREFER_DEFAULT},
                 {"return=", FHIR_PREFER_DEFAULT},
                 {"return=minimalist", FHIR_PREFER_DEFAULT},
                 {"xreturn=minimal", FHIR_PREFER_DEFAULT},
                 {"=minimal", FHIR_PREFER_DEFAULT},
                 {",;,;", FHIR_PREFER_DEFAULT},
                 {"x=\"unclosed, return=minimal", FHIR_PREFER_DEFAULT},
                 {"\xFF\x01 return=minimal", FHIR_PREFER_DEFAULT},
                 {"@@@, return=minimal", FHIR_PREFER_MINIMAL}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(fhir_prefer_return(cases[i].prefer), cases[i].expected);
        if (fhir_prefer_return(cases[i].prefer) != cases[i].expected) {
            printf("Prefer: %s\n", cases[i].prefer);
        }
    }
}

static void test_strict(void)
{
    CU_ASSERT_EQUAL(fhir_prefer_strict("handling=strict"), 1);
    CU_ASSERT_EQUAL(fhir_prefer_strict("return=minimal, handling=strict"), 1);
    CU_ASSERT_EQUAL(fhir_prefer_strict("handling=lenient"), 0);
    CU_ASSERT_EQUAL(fhir_prefer_strict("handling=lenient, handling=strict"), 0);
    CU_ASSERT_EQUAL(fhir_prefer_strict("handling"), 0);
    CU_ASSERT_EQUAL(fhir_prefer_strict(""), 0);
    CU_ASSERT_EQUAL(fhir_prefer_strict(NULL), 0);
    CU_ASSERT_EQUAL(fhir_prefer_lenient("return=minimal, handling=lenient"), 1);
    CU_ASSERT_EQUAL(fhir_prefer_lenient("handling=strict, handling=lenient"), 0);
    CU_ASSERT_EQUAL(fhir_prefer_lenient("handling=strict"), 0);
    CU_ASSERT_EQUAL(fhir_prefer_lenient(NULL), 0);
}

static const fhir_unit_test_t tests[] = {{"return", test_return}, {"strict", test_strict}, {NULL, NULL}};

FHIR_UNIT_MAIN("prefer", tests)
