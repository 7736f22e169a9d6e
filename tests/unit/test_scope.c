/* SMART scopes against interactions. */
#include "core/auth/scope_private.h"
#include "policy_help.h"

/* What the scopes permit on the subject, as letters of "cruds". */
static const char *permitted_on(const char *scope, const char *type, const char *patient, const fhir_subject_t *subject)
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
        int permits = fhir_scopes_permit(scopes, interactions[i], type, patient, subject, pool);
        CU_ASSERT(!permits || fhir_scopes_permit_type(scopes, interactions[i], type, patient));
        if (permits) {
            found[count++] = letters[i];
        }
    }
    return found;
}

static const char *permitted(const char *scope, const fhir_subject_t *context, const char *patient)
{
    return permitted_on(scope, "Binary", patient, context ? context : binary_of("b"));
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

/* What only looks like a level was meant to narrow: it permits nothing, and is not set aside as `openid` is. */
static void test_other_scopes_are_set_aside(void)
{
    permits("users/Binary.rs", "");
    permits("User/Binary.rs", "");
    permits("users/Binary.rs user/Binary.d", "d");
}

static void patient_permits(const fhir_subject_t *context, const char *patient, const char *letters)
{
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.rs", context, patient), letters);
}

#define MEDIA_OF(patient) context_of("Media", "m", "'status':'completed','subject':{'reference':'" patient "'}")

/* A Binary is where its context is. */
static void test_patient(void)
{
    patient_permits(context_of("Patient", "p1", ""), "p1", "rs");
    patient_permits(context_of("Patient", "p2", ""), "p1", "");
    patient_permits(context_of("Patient", "p11", ""), "p1", "");
    patient_permits(context_of("Patient", "p1", ""), NULL, "");
    patient_permits(context_of("Patient", "p1", ""), "", "");
    patient_permits(context_of("Patient", "p1", ""), "Patient/p1", "");
    patient_permits(context_of("Practitioner", "p1", ""), "p1", "");
    patient_permits(context_of("Organization", "p1", ""), "p1", "");
    patient_permits(MEDIA_OF("Patient/p1"), "p1", "rs");
    patient_permits(MEDIA_OF("Patient/p2"), "p1", "");
    patient_permits(MEDIA_OF("Group/p1"), "p1", "");
    patient_permits(MEDIA_OF("https://elsewhere.example.org/Patient/p1"), "p1", "");
    patient_permits(missing(MEDIA_OF("Patient/p1")), "p1", "");
    patient_permits(NULL, "p1", "");
    patient_permits(NULL, NULL, "");
    CU_ASSERT_STRING_EQUAL(permitted("patient/*.cruds", context_of("Patient", "p1", ""), "p1"), "cruds");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.read user/Binary.d", MEDIA_OF("Patient/p1"), "p1"), "rds");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.read user/Binary.d", MEDIA_OF("Patient/p2"), "p1"), "d");
    /* the scope names what is asked for, not the context's type */
    CU_ASSERT_STRING_EQUAL(permitted("patient/Media.rs", MEDIA_OF("Patient/p1"), "p1"), "");
}

static const fhir_subject_t *observation(const char *patient, const char *status)
{
    return subject_of(
        "Observation", "o",
        apr_psprintf(pool,
                     "'status':'%s','subject':{'reference':'%s'},'category':[{'coding':[{'code':'lab'}]}],"
                     "'code':{'coding':[{'system':'http://loinc.org','code':'1-8'}]}",
                     status, patient));
}

static void test_patient_and_resources(void)
{
    const fhir_subject_t *own = observation("Patient/p1", "final");
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/Observation.rs", "Observation", "p1", own), "rs");
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/*.rs", "Observation", "p1", own), "rs");
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/Observation.rs", "Observation", "p2", own), "");
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/Patient.rs", "Observation", "p1", own), "");
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/*.cruds", "Patient", "p1", subject_of("Patient", "p1", "")), "cruds");
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/*.cruds", "Patient", "p1", subject_of("Patient", "p2", "")), "");
    /* types that belong to no patient */
    CU_ASSERT_STRING_EQUAL(permitted_on("patient/*.cruds", "Organization", "p1", subject_of("Organization", "p1", "")),
                           "");
    CU_ASSERT_FALSE(fhir_scopes_permit_type(fhir_scopes_parse("patient/*.cruds", pool), FHIR_INTERACTION_READ,
                                            "Organization", "p1"));
    CU_ASSERT_FALSE(fhir_scopes_permit_type(fhir_scopes_parse("patient/AccessPolicy.cruds", pool),
                                            FHIR_INTERACTION_READ, "AccessPolicy", "p1"));
    CU_ASSERT_TRUE(
        fhir_scopes_permit_type(fhir_scopes_parse("patient/*.r", pool), FHIR_INTERACTION_READ, "Binary", "p1"));
    CU_ASSERT_FALSE(
        fhir_scopes_permit_type(fhir_scopes_parse("patient/*.r", pool), FHIR_INTERACTION_READ, "Binary", "p/1"));
    CU_ASSERT_TRUE(
        fhir_scopes_permit_type(fhir_scopes_parse("patient/*.r", pool), FHIR_INTERACTION_READ, "Patient", "p1"));
    CU_ASSERT_FALSE(
        fhir_scopes_permit_type(fhir_scopes_parse("patient/*.r", pool), FHIR_INTERACTION_READ, "Patient", NULL));
}

/* ---- constraints ---- */

static void test_constraints(void)
{
    static const struct {
        const char *scope;
        const char *letters;
    } cases[] = {
        {"user/Observation.rs?status=final", "rs"},
        {"user/Observation.rs?status=amended", ""},
        {"user/Observation.rs?status=amended,final", "rs"},
        {"user/Observation.rs?status=final&category=lab", "rs"},
        {"user/Observation.rs?status=final&category=vital-signs", ""},
        {"user/Observation.rs?code=http://loinc.org|1-8", "rs"},
        {"user/Observation.rs?code=http%3A%2F%2Floinc.org%7C1-8", "rs"},
        {"user/Observation.rs?subject=Patient/p1", "rs"},
        {"user/Observation.rs?_compartment=Patient/p1", "rs"},
        {"user/Observation.rs?_compartment=Patient/p2", ""},
        {"user/Observation.rs?_id=o", "rs"},
        {"user/*.rs?status=final", "rs"},
        {"user/*.rs?_id=o", "rs"},
        {"user/*.rs?status=amended", ""},
        {"patient/Observation.rs?status=final", "rs"},
        {"patient/Observation.rs?status=amended", ""},
        {"user/Observation.r?status=final user/Observation.s?status=final", "rs"},
        {"user/Observation.r?status=amended user/Observation.s", "s"},
        /* what is not understood */
        {"user/Observation.rs?", ""},
        {"user/Observation.rs??status=final", ""},
        {"user/Observation.rs?status", ""},
        {"user/Observation.rs?status=", ""},
        {"user/Observation.rs?=final", ""},
        {"user/Observation.rs?nothing=x", ""},
        {"user/Observation.rs?status=final&nothing=x", ""},
        {"user/Observation.rs?_count=1", ""},
        {"user/Observation.rs?_sort=date", ""},
        {"user/Observation.rs?_include=Observation:subject", ""},
        {"user/Observation.rs?_format=json", ""},
        {"user/Observation.rs?subject.name=x", ""},
        {"user/Observation.rs?_has:Media:subject:x=y", ""},
        {"user/Observation.rs?status:above=final", ""},
        {"user/Observation.rs?date=never", ""},
        {"user/Observation.rs?status=%zz", ""},
        {"user/Observation.rs?status=final%00", ""},
        {"user/Observation.read?status=final", ""},
        {"user/Observation.*?status=final", ""},
        {"user/*.rs?nothing=x", ""},
        {"user/*.rs?_count=1", ""},
        {"user/Patient.rs?status=final", ""},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = permitted_on(cases[i].scope, "Observation", "p1", observation("Patient/p1", "final"));
        if (strcmp(found, cases[i].letters) != 0) {
            printf("%s permits [%s]\n", cases[i].scope, found);
        }
        CU_ASSERT_STRING_EQUAL(found, cases[i].letters);
        found = permitted_on(apr_pstrcat(pool, cases[i].scope, " user/Observation.u", NULL), "Observation", "p1",
                             observation("Patient/p1", "final"));
        CU_ASSERT(strchr(found, 'u') != NULL);
    }
}

/* Of a Binary they speak of its context, by what the context's type has. */
static void test_constraints_on_contexts(void)
{
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?status=completed", MEDIA_OF("Patient/p1"), NULL), "rs");
    CU_ASSERT_STRING_EQUAL(permitted("user/*.rs?status=completed", MEDIA_OF("Patient/p1"), NULL), "rs");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?status=draft", MEDIA_OF("Patient/p1"), NULL), "");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?gender=male", MEDIA_OF("Patient/p1"), NULL), "");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?status=completed", missing(MEDIA_OF("Patient/p1")), NULL), "");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.rs?status=completed", MEDIA_OF("Patient/p1"), "p1"), "rs");
    CU_ASSERT_STRING_EQUAL(permitted("patient/Binary.rs?status=completed", MEDIA_OF("Patient/p2"), "p1"), "");
    /* a Binary itself */
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?_id=b", NULL, NULL), "rs");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?_id=c", NULL, NULL), "");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?_tag:missing=true", NULL, NULL), "");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?_tag:not=x", NULL, NULL), "");
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs?status=completed", NULL, NULL), "");
    /* a missing context is no hindrance to a scope that asks for nothing there */
    CU_ASSERT_STRING_EQUAL(permitted("user/Binary.rs", missing(MEDIA_OF("Patient/p1")), NULL), "rs");
}

static void test_needs(void)
{
#define NEEDS(scope, type) fhir_scopes_need_content(fhir_scopes_parse(scope, pool), type)
#define LOOKS(scope, type) fhir_scopes_look_at_subject(fhir_scopes_parse(scope, pool), type)
    CU_ASSERT_FALSE(NEEDS("", "Media"));
    CU_ASSERT_FALSE(NEEDS("user/Media.rs", "Media"));
    CU_ASSERT_FALSE(NEEDS("patient/Media.rs", "Media"));
    CU_ASSERT_TRUE(NEEDS("user/Media.rs?status=x", "Media"));
    CU_ASSERT_FALSE(NEEDS("user/Media.rs?_id=x", "Media"));
    CU_ASSERT_FALSE(NEEDS("user/Media.rs?status=x", "Patient"));
    CU_ASSERT_TRUE(NEEDS("user/*.rs?status=x", "Patient"));
    CU_ASSERT_TRUE(NEEDS("user/Binary.rs?status=x", "Binary"));
    CU_ASSERT_FALSE(LOOKS("", "Media"));
    CU_ASSERT_FALSE(LOOKS("openid", "Media"));
    CU_ASSERT_FALSE(LOOKS("user/Media.rs", "Media"));
    CU_ASSERT_TRUE(LOOKS("patient/Media.rs", "Media"));
    CU_ASSERT_TRUE(LOOKS("user/*.rs?_id=x", "Media"));
    CU_ASSERT_FALSE(LOOKS("patient/Media.rs", "Patient"));
#undef NEEDS
#undef LOOKS
}

/* ---- searches ---- */

/* The alternatives as text: criteria names joined with '+', alternatives with ','. "-": everything. */
static const char *restriction_of(const char *scope, const char *type, const char *patient)
{
    const fhir_restriction_t *restriction =
        fhir_scopes_restriction(fhir_scopes_parse(scope, pool), FHIR_INTERACTION_SEARCH, type, patient, pool);
    fhir_text_t text;
    int i;
    int j;
    fhir_text_init(&text, pool);
    for (i = 0; restriction && i < restriction->alternatives->nelts; i++) {
        const apr_array_header_t *criteria = APR_ARRAY_IDX(restriction->alternatives, i, const apr_array_header_t *);
        fhir_text_add(&text, i ? "," : "");
        for (j = 0; j < criteria->nelts; j++) {
            fhir_text_addf(&text, "%s%s", j ? "+" : "", APR_ARRAY_IDX(criteria, j, fhir_criterion_t).name);
        }
    }
    return restriction ? text.text : "-";
}

static void test_restrictions(void)
{
    const fhir_restriction_t *restriction;
    CU_ASSERT_STRING_EQUAL(restriction_of("", "Media", NULL), "-");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/Media.s", "Media", NULL), "-");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/Media.r", "Media", NULL), "");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/Media.s?status=x", "Media", NULL), "status");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/Media.s?status=x&type=y", "Media", NULL), "status+type");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/Media.s?status=x user/*.s?_id=y", "Media", NULL), "status,_id");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/*.s?gender=male", "Media", NULL), "");
    CU_ASSERT_STRING_EQUAL(restriction_of("user/Media.s?status=x user/Media.s", "Media", NULL), "-");
    CU_ASSERT_STRING_EQUAL(restriction_of("patient/Media.s", "Media", "p1"), "_compartment");
    CU_ASSERT_STRING_EQUAL(restriction_of("patient/Media.s", "Media", NULL), "");
    CU_ASSERT_STRING_EQUAL(restriction_of("patient/*.s", "Organization", "p1"), "");
    CU_ASSERT_STRING_EQUAL(restriction_of("patient/Media.s?status=x", "Media", "p1"), "status+_compartment");
    CU_ASSERT_STRING_EQUAL(restriction_of("patient/Media.s user/Media.s", "Media", "p1"), "-");
    restriction = fhir_scopes_restriction(fhir_scopes_parse("patient/Media.s", pool), FHIR_INTERACTION_SEARCH, "Media",
                                          "p1", pool);
    CU_ASSERT_TRUE(fhir_subject_matches(subject_of("Media", "m", "'subject':{'reference':'Patient/p1'}"),
                                        APR_ARRAY_IDX(restriction->alternatives, 0, const apr_array_header_t *)));
    CU_ASSERT_FALSE(fhir_subject_matches(subject_of("Media", "m", "'subject':{'reference':'Patient/p2'}"),
                                         APR_ARRAY_IDX(restriction->alternatives, 0, const apr_array_header_t *)));
}

static void test_permit_all(void)
{
#define ALL(scope) fhir_scopes_permit_all(fhir_scopes_parse(scope, pool), FHIR_INTERACTION_SEARCH, "AuditEvent")
    CU_ASSERT_TRUE(ALL(""));
    CU_ASSERT_TRUE(ALL("user/AuditEvent.s"));
    CU_ASSERT_TRUE(ALL("system/*.read"));
    CU_ASSERT_FALSE(ALL("user/AuditEvent.r"));
    CU_ASSERT_FALSE(ALL("patient/AuditEvent.s"));
    CU_ASSERT_FALSE(ALL("user/AuditEvent.s?_id=1"));
    CU_ASSERT_FALSE(ALL("user/Media.s"));
#undef ALL
}

/* read, vread and history are one permission. */
static void test_reading(void)
{
    const fhir_scopes_t *reads = fhir_scopes_parse("user/Binary.r", pool);
    const fhir_scopes_t *others = fhir_scopes_parse("user/Binary.cuds", pool);
    static const fhir_interaction_t interactions[] = {FHIR_INTERACTION_READ, FHIR_INTERACTION_VREAD,
                                                      FHIR_INTERACTION_HISTORY};
    int i;
    for (i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(fhir_scopes_permit(reads, interactions[i], "Binary", NULL, binary_of("b"), pool));
        CU_ASSERT_FALSE(fhir_scopes_permit(others, interactions[i], "Binary", NULL, binary_of("b"), pool));
    }
}

static void test_unknown_interaction(void)
{
    static const char *const scopes[] = {"", "user/*.*"};
    int i;
    for (i = 0; i < 2; i++) {
        const fhir_scopes_t *parsed_scopes = fhir_scopes_parse(scopes[i], pool);
        CU_ASSERT_FALSE(
            fhir_scopes_permit(parsed_scopes, (fhir_interaction_t)99, "Binary", NULL, binary_of("b"), pool));
        CU_ASSERT_FALSE(fhir_scopes_permit_type(parsed_scopes, (fhir_interaction_t)99, "Binary", NULL));
        CU_ASSERT_FALSE(fhir_scopes_permit_all(parsed_scopes, (fhir_interaction_t)0, "Binary"));
        CU_ASSERT_FALSE(fhir_scopes_permit(parsed_scopes, FHIR_INTERACTION_READ, "Binary", NULL, NULL, pool));
    }
}

static void test_explanation(void)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    fhir_scopes_explain(
        &text,
        fhir_scopes_parse("openid patient/Binary.rs user/Media.rs user/Binary.c user/Binary.rs?status=x "
                          "user/Binary.x user/*.r",
                          pool),
        FHIR_INTERACTION_READ, "Binary", "p1", MEDIA_OF("Patient/p2"));
    CU_ASSERT_STRING_EQUAL(
        text.text, "Scope patient/Binary.rs does not reach it: it does not belong to the token's patient.\n"
                   "Scope user/Media.rs is for another type.\n"
                   "Scope user/Binary.c does not permit this interaction.\n"
                   "Scope user/Binary.rs?status=x does not reach it: its constraints do not hold.\n"
                   "Scope user/Binary.x permits nothing: it is malformed, or has constraints that are not understood.\n"
                   "Scope user/*.r permits it.\n");
}

static const fhir_unit_test_t tests[] = {{"nothing narrowed", test_nothing_narrowed},
                                         {"letters", test_letters},
                                         {"version 1", test_version_1},
                                         {"malformed", test_malformed_permits_nothing},
                                         {"other scopes", test_other_scopes_are_set_aside},
                                         {"patient", test_patient},
                                         {"patient and resources", test_patient_and_resources},
                                         {"constraints", test_constraints},
                                         {"constraints on contexts", test_constraints_on_contexts},
                                         {"needs", test_needs},
                                         {"restrictions", test_restrictions},
                                         {"permit all", test_permit_all},
                                         {"reading", test_reading},
                                         {"unknown interaction", test_unknown_interaction},
                                         {"explanation", test_explanation},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("scope", tests)
