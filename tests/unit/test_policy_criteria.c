/* Criteria of access policies: what is understood, what is refused, and that a parameter's value is never syntax. */
#include "policy_help.h"

/* ---- what is understood ---- */

static fhir_error_t *read_with(fhir_policy_criteria_t *criteria, const char *type, const char *text,
                               const apr_array_header_t *parameters)
{
    memset(criteria, 0, sizeof(*criteria));
    return fhir_policy_criteria_read(criteria, text, type, parameters, &addresses, pool);
}

static apr_array_header_t *parameters_of(const char *name, const char *value)
{
    apr_array_header_t *parameters = apr_array_make(pool, 2, sizeof(fhir_parameter_t));
    fhir_parameter_t *parameter = apr_array_push(parameters);
    parameter->name = name;
    parameter->value = value;
    return parameters;
}

/* How many conditions; -1: refused. */
static int conditions(const char *type, const char *text)
{
    fhir_policy_criteria_t criteria;
    fhir_error_t *error = read_with(&criteria, type, text, parameters_of("patient", "Patient/1"));
    return error ? -1 : criteria.parsed->nelts;
}

static void test_understood(void)
{
    static const struct {
        const char *type;
        const char *text;
        int conditions;
    } cases[] = {
        {"Patient", "Patient?_compartment=%patient", 1},
        {"Patient", "Patient?_compartment=%patient.reference", 1},
        {"Patient", "Patient?_id=%patient.id", 1},
        {"Patient", "Patient?_compartment=Patient/1", 1},
        {"Patient", "Patient?_compartment=Encounter/2,Patient/1", 1},
        {"Observation", "Observation?subject=%patient&status=final", 2},
        {"Observation", "Observation?code=http://loinc.org|1-8,|x", 1},
        {"Observation", "Observation?status:not=entered-in-error", 1},
        {"Observation", "Observation?date=ge2020-01-01&date=lt2021", 2},
        {"Observation", "Observation?subject:Patient=%patient", 1},
        {"Observation", "Observation?subject=Patient/%patient.id", 1},
        {"Observation", "Observation?subject:missing=false", 1},
        {"Patient", "Patient?name=%C3%A9ric", 1},
        {"Patient", "Patient?name=a%20b+c", 1},
        {"Patient", "Patient?name=a\\,b", 1},
        {"Patient", "Patient?name=a%5C%2Cb", 1},
        {"Patient", "Patient?name=a=b", 1},
        {"*", "*?_compartment=%patient", 1},
        {"*", "*?_id=1&_lastUpdated=gt2020&_tag=a&_security=b&_profile=http://c&_source=http://d", 6},
        {"Binary", "Binary?_id=1", 1},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int found = conditions(cases[i].type, cases[i].text);
        if (found != cases[i].conditions) {
            printf("%s: %d, expected %d\n", cases[i].text, found, cases[i].conditions);
        }
        CU_ASSERT_EQUAL(found, cases[i].conditions);
    }
}

static void test_refused(void)
{
    static const char *const cases[][2] = {
        {"Patient", ""},
        {"Patient", "Patient"},
        {"Patient", "Patient?"},
        {"Patient", "?_id=1"},
        {"Patient", "Observation?_id=1"},
        {"Patient", "patient?_id=1"},
        {"Patient", "Patient/1?_id=1"},
        {"Patient", " Patient?_id=1"},
        {"Patient", "*?_id=1"},
        {"*", "Patient?_id=1"},
        {"*", "**?_id=1"},
        {"*", "*?name=x"},
        {"*", "*?code=x"},
        {"*", "*?subject=Patient/1"},
        {"Patient", "Patient?nothing=1"},
        {"Patient", "Patient?code=1"},
        {"Patient", "Patient?_id"},
        {"Patient", "Patient?_id="},
        {"Patient", "Patient?=1"},
        {"Patient", "Patient?_id=1&"},
        {"Patient", "Patient?&_id=1"},
        {"Patient", "Patient?_id=1&&_id=2"},
        {"Patient", "Patient?_id=1,"},
        {"Patient", "Patient?_id=,1"},
        {"Patient", "Patient?_id=1,,2"},
        {"Patient", "Patient?_count=1"},
        {"Patient", "Patient?_id=1&_count=1"},
        {"Patient", "Patient?_sort=name"},
        {"Patient", "Patient?_include=Patient:organization"},
        {"Patient", "Patient?_elements=name"},
        {"Patient", "Patient?_format=json"},
        {"Patient", "Patient?_total=none"},
        {"Patient", "Patient?_cursor=x"},
        {"Patient", "Patient?_has:Observation:patient:code=1"},
        {"Patient", "Patient?_filter=name eq x"},
        {"Patient", "Patient?_text=x"},
        {"Patient", "Patient?_list=1"},
        {"Observation", "Observation?subject.name=x"},
        {"Observation", "Observation?subject:Patient.name=x"},
        {"Observation", "Observation?status:above=x"},
        {"Observation", "Observation?subject:Group=%patient"},
        {"Observation", "Observation?date=never"},
        {"Observation", "Observation?date=ap2020"},
        {"Observation", "Observation?subject:missing=maybe"},
        {"Observation", "Observation?%patient=1"},
        {"Observation", "Observation?_id%3D=1"},
        {"Patient", "Patient?_compartment=%other"},
        {"Patient", "Patient?_compartment=%patientx"},
        {"Patient", "Patient?_compartment=%Patient"},
        {"Patient", "Patient?_compartment=%"},
        {"Patient", "Patient?_compartment=%%patient"},
        {"Patient", "Patient?_compartment=%patient%"},
        {"Patient", "Patient?name=%C3"},
        {"Patient", "Patient?name=%00"},
        {"Patient", "Patient?name=%g1"},
        {"Patient", "Patient?name=%2"},
        {"Patient", "Patient?_compartment=%patient%patient"},
        {"Patient", "Patient?_compartment=x%patient"},
        {"Patient", "Patient?_compartment=%patientx"},
        {"Patient", "Patient?_compartment=%patient/_history/1"},
        {"Patient", "Patient?_compartment=Encounter/%patient"},
        {"Patient", "Patient?name=\\%patient"},
        {"Patient", "Patient?name=\\,\\%patient"},
        {"Observation", "Observation?subject:missing=%patient"},
        {"Observation", "Observation?date=%patient"},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int found = conditions(cases[i][0], cases[i][1]);
        if (found >= 0) {
            printf("%s was understood\n", cases[i][1]);
        }
        CU_ASSERT_EQUAL(found, -1);
    }
}

/* ---- a parameter's value is one literal ---- */

/* Which of these observations fit `Observation?{condition}` with %x: letters of "abcdefgh". "!": refused. */
static const char *const OBSERVATIONS[] = {
    "'status':'final','subject':{'reference':'Patient/1'},'code':{'coding':[{'system':'s','code':'a'}]},"
    "'effectiveDateTime':'2020-05-05','valueString':'one'",
    "'status':'amended','subject':{'reference':'Patient/2'},'code':{'coding':[{'system':'s','code':'b'}]},"
    "'effectiveDateTime':'2021-05-05','valueString':'two'",
    "'status':'final','subject':{'reference':'Group/1'},'code':{'coding':[{'code':'a,b'},{'code':'x|y'}]},"
    "'effectiveDateTime':'2022-05-05','valueString':'one,two'",
    "'status':'final','subject':{'reference':'Patient/3'},'code':{'coding':[{'code':'a\\\\'},{'code':'a&b=c'}]},"
    "'effectiveDateTime':'2023-05-05','valueString':'a&b'",
    "'status':'final','subject':{'reference':'Patient/4'},'code':{'coding':[{'code':'%20'},{'code':'a$b'},{'code':'a "
    "b'}]},'effectiveDateTime':'2024-05-05','valueString':'%x'"};

static const char *matching(const char *condition, const char *value)
{
    fhir_policy_criteria_t criteria;
    const char *text = apr_pstrcat(pool, "Observation?", condition, NULL);
    char *found = apr_pcalloc(pool, 16);
    int count = 0;
    size_t i;
    if (read_with(&criteria, "Observation", text, parameters_of("x", value))) {
        return "!";
    }
    for (i = 0; i < sizeof(OBSERVATIONS) / sizeof(OBSERVATIONS[0]); i++) {
        const fhir_subject_t *subject = subject_of("Observation", "1", OBSERVATIONS[i]);
        if (fhir_subject_matches(subject, criteria.parsed)) {
            found[count++] = (char)('a' + i);
        }
    }
    return found;
}

static void test_values_are_literal(void)
{
    static const struct {
        const char *condition;
        const char *value;
        const char *found;
    } cases[] = {
        /* the tests can find something */
        {"subject=%x", "Patient/1", "a"},
        {"code=%x", "a", "a"},
        {"code=%x,b", "a", "ab"},
        {"status=final&code=%x", "a", "a"},
        {"date=%x", "2020", "a"},
        {"date=ge%x", "2022-01-01", "cde"},
        {"value-string=%x", "one", "ac"},
        /* commas, bars, dollars, backslashes */
        {"code=%x", "a,b", "c"},
        {"code=%x", "a,", ""},
        {"code=%x", ",", ""},
        {"code=%x", "x|y", "c"},
        {"code=%x", "s|a", ""},
        {"code=%x", "|a", ""},
        {"code=%x", "s|", ""},
        {"code=s|%x", "a", "a"},
        {"code=s|%x", "a,s|b", ""},
        {"code=s|%x", "|b", ""},
        {"code=%x|a", "s", "a"},
        {"code=%x|a", "s|a,b", ""},
        {"code=%x", "a\\", "d"},
        {"code=%x,b", "a\\", "bd"},
        {"code=%x", "\\,b", ""},
        {"code=%x", "a\\,b", ""},
        {"code=%x", "a\\\\,b", ""},
        {"code=%x", "a$b", "e"},
        {"code=z%x", "\\,b", ""},
        {"code=z\\\\%x", ",b", ""},
        {"code=z\\%x", ",b", "!"},
        {"code=z%5C%x", ",b", "!"},
        {"code=z%5c%5c%x", ",b", ""},
        /* query syntax and encodings */
        {"code=%x", "a&b=c", "d"},
        {"code=%x", "a&status=amended", ""},
        {"code=%x&status=final", "b#", ""},
        {"code=%x", "a&_count=0", ""},
        {"code=%x", "%20", "e"},
        {"code=%x", "%62", ""},
        {"code=%x", "%x", ""},
        {"code=%x", "a b", "e"},
        {"code=%x", "a+b", ""},
        {"code=%x", "a%2Cb", ""},
        {"code=%x", "'a'", ""},
        {"code=%x", "\"a\"", ""},
        {"code=%x", "a\nb", ""},
        {"status:not=%x", "final", "b"},
        {"status:not=%x", "final,amended", "abcde"}, /* no code is `final,amended` */
        /* nothing at all */
        {"code=%x", "", "!"},
        {"subject=%x", "", "!"},
        {"value-string=%x", "", "!"},
        {"value-string=%x", " ", "!"},
        {"value-string=%x", "...", "!"},
        {"code=s|%x", "", "!"},
        {"code=%x|", "", "!"},
        /* references */
        {"subject=%x", "Patient/2", "b"},
        {"subject=%x", "1", "ac"}, /* as the literal: any type */
        {"subject:Patient=%x", "1", "a"},
        {"subject=Patient/%x", "1", "a"},
        {"subject=Patient/%x", "1,Patient/2", "!"},
        {"subject=Patient/%x", "1/_history/2", "!"},
        {"subject=Patient/%x", "../Patient/2", "!"},
        {"subject=Patient/%x", "Patient/2", "!"},
        {"subject=Patient/%x", "1|2", "!"},
        {"subject=%x", "Patient/1,Patient/2", "!"},
        {"subject=%x", "Patient/1|2", "!"},
        {"subject=%x", "Patient/1/_history/2", "!"},
        {"subject=%x", "Patient/1\\", "!"},
        {"subject=%x", "Patient/1 ", "!"},
        {"subject=%x", "Patient/", "!"},
        {"subject=%x", "/1", "!"},
        {"subject=%x", "Patients/1", "!"},
        {"subject=%x", "https://fhir.example.org/fhir/R4/Patient/1", "a"},
        {"subject=%x", "https://other.example.org/Patient/1", ""},
        {"subject=%x", "https://fhir.example.org/fhir/R4/Patient/1,Patient/2", "!"},
        {"subject=%x", "https://fhir.example.org/fhir/R4/Patient/1/_history/2", "!"},
        {"subject=%x", "https://fhir.example.org/fhir/R4/Patient/1|2", "!"},
        {"subject=%xPatient/1", "x", "!"},
        {"_compartment=%x", "1", "!"},
        {"_compartment=%x", "Patient/1", "a"},
        {"_compartment=%x,Patient/2", "Patient/1", "ab"},
        {"_compartment=%x", "Patient/1,Patient/2", "!"},
        /* dates */
        {"date=%x", "ge2020", "!"},
        {"date=%x", "ne2020-05-05", "!"},
        {"date=%x", "2020,2021", "!"},
        {"date=%x", "2020-05-05T10:00:00 01:00", "!"},
        {"date=%x", "", "!"},
        {"date=%x", "x", "!"},
        {"date=lt%x", "2021", "a"},
        {"date=lt%x", "gt2021", "!"},
        {"date=20%x", "20", "!"},
        {"date=%x-05-05", "2020", "!"},
        {"date=ap%x", "2020", "!"},
        /* strings begin with it */
        {"value-string=%x", "one,two", "c"},
        {"value-string=%x", "one|two", ""},
        {"value-string:exact=%x", "a&b", "d"},
        {"value-string:exact=%x", "one,two", "c"},
        {"value-string:exact=%x", "%x", "e"},
        {"value-string:contains=%x", "two,a", ""},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = matching(cases[i].condition, cases[i].value);
        if (strcmp(found, cases[i].found) != 0) {
            printf("%s with [%s]: [%s], expected [%s]\n", cases[i].condition, cases[i].value, found, cases[i].found);
        }
        CU_ASSERT_STRING_EQUAL(found, cases[i].found);
    }
}

/* Every byte, in front, in the middle and at the end: a parameter alone never fits what its whole text is not. */
static void test_every_byte(void)
{
    static const char *const forms[][2] = {{"", "b"}, {"a", "b"}, {"a", ""}, {"a", ",b"}, {"s", "a"}};
    int byte;
    size_t i;
    for (byte = 1; byte < 128; byte++) {
        for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            const char *value = apr_psprintf(pool, "%s%c%s", forms[i][0], byte, forms[i][1]);
            const char *found;
            found = matching("code=%x", value);
            if (strcmp(value, "a,b") == 0) {
                CU_ASSERT_STRING_EQUAL(found, "c");
            } else if (strcmp(value, "a\\") == 0) {
                CU_ASSERT_STRING_EQUAL(found, "d");
            } else if (strcmp(value, "a$b") == 0 || strcmp(value, "a b") == 0) {
                CU_ASSERT_STRING_EQUAL(found, "e");
            } else {
                CU_ASSERT_STRING_EQUAL(found, "");
            }
        }
    }
}

/* ---- bounds ---- */

static const char *repeated(const char *text, int times)
{
    fhir_text_t made;
    fhir_text_init(&made, pool);
    while (times-- > 0) {
        fhir_text_add(&made, text);
    }
    return made.text;
}

static void test_bounds(void)
{
    fhir_policy_criteria_t criteria;
    const apr_array_header_t *none = parameters_of("x", repeated("a", 1000));
    CU_ASSERT_EQUAL(conditions("Patient", apr_pstrcat(pool, "Patient?_id=1", repeated(",1", 999), NULL)), 1);
    CU_ASSERT_EQUAL(conditions("Patient", apr_pstrcat(pool, "Patient?_id=1", repeated(",1", 1000), NULL)), -1);
    CU_ASSERT_EQUAL(conditions("Patient", apr_pstrcat(pool, "Patient?_id=1", repeated("&_id=1", 99), NULL)), 100);
    CU_ASSERT_EQUAL(conditions("Patient", apr_pstrcat(pool, "Patient?_id=1", repeated("&_id=1", 100), NULL)), -1);
    CU_ASSERT_EQUAL(conditions("Patient", apr_pstrcat(pool, "Patient?name=", repeated("a", 8192 - 13), NULL)), 1);
    CU_ASSERT_EQUAL(conditions("Patient", apr_pstrcat(pool, "Patient?name=", repeated("a", 8193 - 13), NULL)), -1);
    /* more than what is compared: nothing that only begins so may fit */
    CU_ASSERT_PTR_NULL(read_with(&criteria, "Patient", "Patient?_id=%x", none));
    CU_ASSERT_PTR_NOT_NULL(read_with(&criteria, "Patient", "Patient?_id=a%x", none));
    CU_ASSERT_PTR_NOT_NULL(read_with(&criteria, "Patient", "Patient?_id=%x%x%x", none));
    CU_ASSERT_PTR_NOT_NULL(read_with(&criteria, "Patient", "Patient?_id=%x", parameters_of("x", repeated(",", 501))));
}

static void test_what_was_used(void)
{
    fhir_policy_criteria_t criteria;
    FHIR_ASSERT_OK(read_with(&criteria, "Patient", "Patient?_compartment=%x", parameters_of("x", "Patient/1")));
    CU_ASSERT_STRING_EQUAL(criteria.text, "Patient?_compartment=%x");
    CU_ASSERT_STRING_EQUAL(criteria.parameters, "%x is Patient/1");
    FHIR_ASSERT_OK(read_with(&criteria, "Patient", "Patient?_id=1", parameters_of("x", "Patient/1")));
    CU_ASSERT_STRING_EQUAL(criteria.parameters, "");
}

/* %ca is the parameter if there is one of that name, else a byte. */
static void test_names_and_bytes(void)
{
    fhir_policy_criteria_t criteria;
    const fhir_criterion_t *criterion;
    FHIR_ASSERT_OK(read_with(&criteria, "Patient", "Patient?_id=%ca", parameters_of("ca", "1")));
    criterion = &APR_ARRAY_IDX(criteria.parsed, 0, fhir_criterion_t);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(criterion->values, 0, fhir_search_value_t).code, "1");
    FHIR_ASSERT_OK(read_with(&criteria, "Patient", "Patient?_id=%c3%a9", parameters_of("ca", "1")));
    criterion = &APR_ARRAY_IDX(criteria.parsed, 0, fhir_criterion_t);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(criterion->values, 0, fhir_search_value_t).code, "\xc3\xa9");
    FHIR_ASSERT_OK(read_with(&criteria, "Patient", "Patient?_id=x%41", parameters_of("A", "1")));
    criterion = &APR_ARRAY_IDX(criteria.parsed, 0, fhir_criterion_t);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(criterion->values, 0, fhir_search_value_t).code, "xA");
    /* `.id` ends where a name would; without an id in it there is none */
    FHIR_ASSERT_OK(read_with(&criteria, "Patient", "Patient?_id=%x.idea", parameters_of("x", "1")));
    criterion = &APR_ARRAY_IDX(criteria.parsed, 0, fhir_criterion_t);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(criterion->values, 0, fhir_search_value_t).code, "1.idea");
    CU_ASSERT_PTR_NOT_NULL(read_with(&criteria, "Patient", "Patient?_id=%x.id", parameters_of("x", "1")));
    CU_ASSERT_PTR_NOT_NULL(read_with(&criteria, "Patient", "Patient?_id=%x.id", parameters_of("x", "Patient/1/2")));
}

static const fhir_unit_test_t tests[] = {{"understood", test_understood},
                                         {"refused", test_refused},
                                         {"values are literal", test_values_are_literal},
                                         {"every byte", test_every_byte},
                                         {"bounds", test_bounds},
                                         {"what was used", test_what_was_used},
                                         {"names and bytes", test_names_and_bytes},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("policy_criteria", tests)
