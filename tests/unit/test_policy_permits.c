/* What a compiled policy says of interactions, subjects, searches and elements. */
#include "policy_help.h"

#include "core/fhir/structure.h"

/* The interactions permitted on the subject, as letters: c r u d s v h. */
static const char *permitted(const fhir_policy_t *policy, const fhir_subject_t *subject)
{
    char *letters = apr_pcalloc(pool, 8);
    int count = 0;
    int i;
    for (i = FHIR_INTERACTION_CREATE; i <= FHIR_INTERACTION_HISTORY; i++) {
        if (fhir_policy_permits(policy, (fhir_interaction_t)i, subject)) {
            letters[count++] = "crudsvh"[i - 1];
        }
    }
    return letters;
}

static const char *permitted_type(const fhir_policy_t *policy, const char *type)
{
    char *letters = apr_pcalloc(pool, 8);
    int count = 0;
    int i;
    for (i = FHIR_INTERACTION_CREATE; i <= FHIR_INTERACTION_HISTORY; i++) {
        if (fhir_policy_permits_type(policy, (fhir_interaction_t)i, type)) {
            letters[count++] = "crudsvh"[i - 1];
        }
    }
    return letters;
}

#define ASSERT_PERMITS(letters, policy, subject) CU_ASSERT_STRING_EQUAL(permitted(policy, subject), letters)
#define PATIENT(id) subject_of("Patient", id, "")
#define MEDIA "'status':'completed','content':{'title':'x'},'subject':{'reference':'Patient/1'}"

static void test_interactions(void)
{
    static const struct {
        const char *members;
        const char *letters;
    } cases[] = {
        {"", "crudsvh"},
        {",'readonly':false", "crudsvh"},
        {",'readonly':true", "rsvh"},
        {",'interaction':['create']", "c"},
        {",'interaction':['read']", "r"},
        {",'interaction':['vread']", "v"},
        {",'interaction':['update']", "u"},
        {",'interaction':['delete']", "d"},
        {",'interaction':['history']", "h"},
        {",'interaction':['search']", "s"},
        {",'interaction':['read','read']", "r"},
        {",'interaction':['read','update'],'readonly':true", "r"},
        {",'readonly':true,'interaction':['search','delete','history']", "sh"},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const fhir_policy_t *policy =
            compiled("", NULL, apr_pstrcat(pool, "{'resourceType':'Patient'", cases[i].members, "}", NULL));
        ASSERT_PERMITS(cases[i].letters, policy, PATIENT("1"));
        CU_ASSERT_STRING_EQUAL(permitted_type(policy, "Patient"), cases[i].letters);
        ASSERT_PERMITS("", policy, missing(PATIENT("1")));
        ASSERT_PERMITS("", policy, subject_of("Media", "1", MEDIA));
        CU_ASSERT_STRING_EQUAL(permitted_type(policy, "Media"), "");
        ASSERT_PERMITS("", policy, binary_of("1"));
        CU_ASSERT_FALSE(fhir_policy_permits(policy, (fhir_interaction_t)0, PATIENT("1")));
        CU_ASSERT_FALSE(fhir_policy_permits(policy, (fhir_interaction_t)99, PATIENT("1")));
        CU_ASSERT_FALSE(fhir_policy_permits_type(policy, (fhir_interaction_t)-1, "Patient"));
    }
    ASSERT_PERMITS("", NULL, PATIENT("1"));
    CU_ASSERT_STRING_EQUAL(permitted_type(NULL, "Patient"), "");
}

/* Any entry may permit. */
static void test_several_entries(void)
{
    const fhir_policy_t *policy = compiled("{'name':'patient','value':'Patient/1'}", NULL,
                                           "{'resourceType':'Patient','criteria':'Patient?_id=1'},"
                                           "{'resourceType':'Patient','readonly':true,'criteria':'Patient?_id=1,2'},"
                                           "{'resourceType':'*','criteria':'*?_id=3','interaction':['delete']}");
    ASSERT_PERMITS("crudsvh", policy, PATIENT("1"));
    ASSERT_PERMITS("rsvh", policy, PATIENT("2"));
    ASSERT_PERMITS("d", policy, PATIENT("3"));
    ASSERT_PERMITS("", policy, PATIENT("4"));
    ASSERT_PERMITS("d", policy, subject_of("Media", "3", MEDIA));
    ASSERT_PERMITS("d", policy, binary_of("3"));
    ASSERT_PERMITS("", policy, binary_of("1"));
    CU_ASSERT_STRING_EQUAL(permitted_type(policy, "Patient"), "crudsvh");
    CU_ASSERT_STRING_EQUAL(permitted_type(policy, "Media"), "d");
}

/* "*" is every type of FHIR, but for what administrators administer with. */
static void test_every_type(void)
{
    const fhir_policy_t *policy = compiled("", NULL, "{'resourceType':'*'}");
    static const char *const not_covered[] = {"AccessPolicy", "ProjectMembership", "AuditEvent"};
    const char *const *type;
    size_t i;
    for (type = fhir_structure_resource_types(); *type; type++) {
        int covered = 1;
        fhir_subject_t subject;
        for (i = 0; i < sizeof(not_covered) / sizeof(not_covered[0]); i++) {
            covered = covered && strcmp(*type, not_covered[i]) != 0;
        }
        fhir_subject_of_values(&subject, *type, "1", apr_array_make(pool, 1, sizeof(fhir_index_value_t)));
        ASSERT_PERMITS(covered ? "crudsvh" : "", policy, &subject);
        subject.is_context = 1;
        ASSERT_PERMITS(covered && strcmp(*type, "Binary") != 0 ? "crudsvh" : "", policy, &subject);
    }
    for (i = 0; i < sizeof(not_covered) / sizeof(not_covered[0]); i++) {
        fhir_subject_t subject;
        fhir_subject_of_values(&subject, not_covered[i], "1", apr_array_make(pool, 1, sizeof(fhir_index_value_t)));
        ASSERT_PERMITS("", policy, &subject);
        CU_ASSERT_STRING_EQUAL(permitted_type(policy, not_covered[i]), "");
        CU_ASSERT_PTR_NOT_NULL(fhir_policy_restriction(policy, FHIR_INTERACTION_SEARCH, not_covered[i], pool));
    }
}

/* A Binary itself can only be told by its id and its time. */
static void test_binaries(void)
{
    static const struct {
        const char *entry;
        const char *letters;
    } cases[] = {
        {"{'resourceType':'Binary'}", "crudsvh"},
        {"{'resourceType':'Binary','readonly':true}", "rsvh"},
        {"{'resourceType':'Binary','criteria':'Binary?_id=1'}", "crudsvh"},
        {"{'resourceType':'Binary','criteria':'Binary?_id=2'}", ""},
        {"{'resourceType':'Binary','criteria':'Binary?_id:not=2'}", "crudsvh"},
        {"{'resourceType':'Binary','criteria':'Binary?_lastUpdated=lt2000'}", "crudsvh"},
        {"{'resourceType':'Binary','criteria':'Binary?_lastUpdated=gt2000'}", ""},
        {"{'resourceType':'*'}", "crudsvh"},
        {"{'resourceType':'*','criteria':'*?_id=1'}", "crudsvh"},
        {"{'resourceType':'*','criteria':'*?_compartment=Patient/1'}", ""},
        {"{'resourceType':'*','criteria':'*?_compartment:missing=true'}", ""},
        {"{'resourceType':'*','criteria':'*?_tag:not=secret'}", ""},
        {"{'resourceType':'*','criteria':'*?_tag:missing=true'}", ""},
        {"{'resourceType':'*','criteria':'*?_id=1&_tag:missing=true'}", ""},
        {"{'resourceType':'*','hiddenFields':['name']}", "crudsvh"},
        {"{'resourceType':'*','hiddenFields':['data']}", ""},
        {"{'resourceType':'*','hiddenFields':['meta']}", ""},
        {"{'resourceType':'*','readonlyFields':['securityContext']}", ""},
        {"{'resourceType':'Media'}", ""},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const fhir_policy_t *policy = compiled("", NULL, cases[i].entry);
        const char *found = permitted(policy, binary_of("1"));
        if (strcmp(found, cases[i].letters) != 0) {
            printf("%s: [%s], expected [%s]\n", cases[i].entry, found, cases[i].letters);
        }
        CU_ASSERT_STRING_EQUAL(found, cases[i].letters);
        CU_ASSERT_EQUAL(fhir_policy_problems(policy)->nelts, 0);
    }
}

/* Contexts follow the entries of their own type, never those for Binary. */
static void test_contexts(void)
{
    const fhir_policy_t *binaries = compiled("", NULL, "{'resourceType':'Binary'}");
    const fhir_policy_t *media =
        compiled("", "Patient/1", "{'resourceType':'Media','criteria':'Media?_compartment=%patient'}");
    ASSERT_PERMITS("", binaries, context_of("Media", "1", MEDIA));
    ASSERT_PERMITS("crudsvh", media, context_of("Media", "1", MEDIA));
    ASSERT_PERMITS("", media, context_of("Media", "1", "'status':'completed'"));
    ASSERT_PERMITS("", media, missing(context_of("Media", "1", MEDIA)));
    ASSERT_PERMITS("", media, context_of("Patient", "1", ""));
    CU_ASSERT_TRUE(fhir_policy_permits_context_type(media, FHIR_INTERACTION_UPDATE));
    CU_ASSERT_FALSE(fhir_policy_permits_context_type(binaries, FHIR_INTERACTION_UPDATE));
    CU_ASSERT_FALSE(fhir_policy_permits_context_type(NULL, FHIR_INTERACTION_READ));
    CU_ASSERT_FALSE(fhir_policy_permits_context_type(compiled("", NULL, "{'resourceType':'*','readonly':true}"),
                                                     FHIR_INTERACTION_UPDATE));
}

/* Without its text a subject fits only criteria that need none. */
static void test_incomplete(void)
{
    fhir_subject_t *subject = subject_of("Media", "1", MEDIA);
    const fhir_policy_t *by_status = compiled("", NULL, "{'resourceType':'Media','criteria':'Media?status=completed'}");
    const fhir_policy_t *by_absence = compiled("", NULL, "{'resourceType':'Media','criteria':'Media?status:not=x'}");
    const fhir_policy_t *by_patient =
        compiled("", "Patient/1", "{'resourceType':'Media','criteria':'Media?_compartment=%patient'}");
    ASSERT_PERMITS("crudsvh", by_status, subject);
    ASSERT_PERMITS("crudsvh", by_absence, subject);
    CU_ASSERT_TRUE(fhir_policy_needs_content(by_status, "Media"));
    CU_ASSERT_TRUE(fhir_policy_needs_content(by_status, NULL));
    CU_ASSERT_FALSE(fhir_policy_needs_content(by_status, "Patient"));
    CU_ASSERT_FALSE(fhir_policy_needs_content(by_patient, "Media"));
    CU_ASSERT_FALSE(fhir_policy_needs_content(by_patient, NULL));
    CU_ASSERT_FALSE(fhir_policy_needs_content(NULL, "Media"));
    CU_ASSERT_TRUE(
        fhir_policy_needs_content(compiled("", NULL, "{'resourceType':'*','criteria':'*?_tag=x'}"), "Media"));
    subject->complete = 0;
    ASSERT_PERMITS("", by_status, subject);
    ASSERT_PERMITS("", by_absence, subject);
    ASSERT_PERMITS("crudsvh", by_patient, subject);
}

/* ---- searches ---- */

/* -1: everything. */
static int alternatives(const char *entries, const char *type)
{
    const fhir_restriction_t *restriction =
        fhir_policy_restriction(compiled("", "Patient/1", entries), FHIR_INTERACTION_SEARCH, type, pool);
    return restriction ? restriction->alternatives->nelts : -1;
}

static void test_restrictions(void)
{
    static const char media[] = "{'resourceType':'Media','criteria':'Media?_compartment=%patient'}";
    static const char tagged[] = "{'resourceType':'*','criteria':'*?_tag=x&_tag=y'}";
    const fhir_restriction_t *restriction;
    const apr_array_header_t *second;
    CU_ASSERT_EQUAL(alternatives("{'resourceType':'Media'}", "Media"), -1);
    CU_ASSERT_EQUAL(alternatives("{'resourceType':'*'}", "Media"), -1);
    CU_ASSERT_EQUAL(alternatives("{'resourceType':'Media'}", "Patient"), 0);
    CU_ASSERT_EQUAL(alternatives("{'resourceType':'Media','interaction':['read']}", "Media"), 0);
    CU_ASSERT_EQUAL(alternatives("", "Media"), 0);
    CU_ASSERT_EQUAL(alternatives(media, "Media"), 1);
    CU_ASSERT_EQUAL(alternatives(apr_pstrcat(pool, media, ",", tagged, NULL), "Media"), 2);
    CU_ASSERT_EQUAL(alternatives(apr_pstrcat(pool, media, ",{'resourceType':'Media'}", NULL), "Media"), -1);
    CU_ASSERT_EQUAL(alternatives(tagged, "Binary"), 0);
    restriction = fhir_policy_restriction(compiled("", "Patient/1", apr_pstrcat(pool, media, ",", tagged, NULL)),
                                          FHIR_INTERACTION_SEARCH, "Media", pool);
    second = APR_ARRAY_IDX(restriction->alternatives, 1, const apr_array_header_t *);
    CU_ASSERT_EQUAL(second->nelts, 2);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(second, 0, fhir_criterion_t).name, "_tag");
    CU_ASSERT_EQUAL(fhir_policy_restriction(NULL, FHIR_INTERACTION_SEARCH, "Media", pool)->alternatives->nelts, 0);
}

/* ---- elements ---- */

static const char *joined(const apr_array_header_t *names)
{
    return names ? apr_array_pstrcat(pool, names, ',') : "-";
}

static void assert_fields(const char *entries, fhir_interaction_t interaction, const char *hidden, const char *readonly)
{
    fhir_policy_fields_t fields;
    fhir_policy_fields(&fields, compiled("", NULL, entries), interaction, PATIENT("1"), pool);
    CU_ASSERT_STRING_EQUAL(joined(fields.hidden), hidden);
    CU_ASSERT_STRING_EQUAL(joined(fields.readonly), readonly);
}

#define HIDES(names, members) "{'resourceType':'Patient','hiddenFields':[" names "]" members "}"

static void test_fields(void)
{
    assert_fields("{'resourceType':'Patient'}", FHIR_INTERACTION_READ, "-", "-");
    assert_fields("{'resourceType':'Patient','readonlyFields':['name']}", FHIR_INTERACTION_UPDATE, "-", "name");
    assert_fields(HIDES("'name','photo'", ""), FHIR_INTERACTION_READ, "name,photo", "-");
    assert_fields(HIDES("'deceased[x]'", ""), FHIR_INTERACTION_READ, "deceased", "-");
    /* what some permitting entry shows is shown */
    assert_fields(HIDES("'name','photo'", "") "," HIDES("'photo','gender'", ""), FHIR_INTERACTION_READ, "photo", "-");
    assert_fields(HIDES("'name'", "") "," HIDES("'photo'", ""), FHIR_INTERACTION_READ, "-", "-");
    assert_fields(HIDES("'name'", "") ",{'resourceType':'Patient'}", FHIR_INTERACTION_READ, "-", "-");
    assert_fields("{'resourceType':'*'}," HIDES("'name'", ""), FHIR_INTERACTION_READ, "-", "-");
    assert_fields("{'resourceType':'Patient','readonlyFields':['name'],'hiddenFields':['photo']},"
                  "{'resourceType':'Patient','readonlyFields':['name']}",
                  FHIR_INTERACTION_READ, "-", "name");
    /* entries that do not permit it show nothing */
    assert_fields(HIDES("'name'", "") ",{'resourceType':'Patient','criteria':'Patient?_id=2'}", FHIR_INTERACTION_READ,
                  "name", "-");
    assert_fields(HIDES("'name'", "") ",{'resourceType':'Patient','interaction':['search']}", FHIR_INTERACTION_READ,
                  "name", "-");
    assert_fields(HIDES("'name'", "") ",{'resourceType':'Patient','oops':1}", FHIR_INTERACTION_READ, "name", "-");
    assert_fields(HIDES("'name'", "") ",{'resourceType':'Media'}", FHIR_INTERACTION_READ, "name", "-");
    /* nothing permits it at all */
    assert_fields(HIDES("'name'", ",'readonly':true"), FHIR_INTERACTION_UPDATE, "-", "-");
}

static void assert_hidden(const char *entries, const char *hidden)
{
    CU_ASSERT_STRING_EQUAL(joined(fhir_policy_hidden_in_search(compiled("", NULL, entries), "Patient", pool)), hidden);
}

static void test_hidden_in_search(void)
{
    assert_hidden("{'resourceType':'Patient'}", "-");
    assert_hidden(HIDES("'name'", ""), "name");
    assert_hidden(HIDES("'name'", ",'interaction':['read']"), "name");
    assert_hidden(HIDES("'name'", "") "," HIDES("'photo','name'", ""), "name");
    assert_hidden(HIDES("'name'", ",'criteria':'Patient?_id=1'") "," HIDES("'photo'", ",'criteria':'Patient?_id=2'"),
                  "name,photo");
    assert_hidden(HIDES("'name'", "") ",{'resourceType':'Patient'}", "-");
    assert_hidden(HIDES("'name'", "") ",{'resourceType':'*','readonly':true}", "-");
    assert_hidden(HIDES("'name'", "") ",{'resourceType':'Patient','interaction':['search']}", "name");
    assert_hidden(HIDES("'name'", "") ",{'resourceType':'Patient','interaction':['read']}", "name");
    assert_hidden(HIDES("'name'", "") ",{'resourceType':'Patient','criteria':'Patient?_id=2'}", "name");
    assert_hidden("{'resourceType':'Media','hiddenFields':['subject']}", "-");
    assert_hidden("{'resourceType':'*','hiddenFields':['subject']}", "subject");
    CU_ASSERT_PTR_NULL(fhir_policy_hidden_in_search(NULL, "Patient", pool));
}

/* ---- explanations ---- */

static void test_explanation(void)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    fhir_policy_explain(&text,
                        compiled("", "Patient/1",
                                 "{'resourceType':'Patient','criteria':'Patient?_compartment=%patient'},"
                                 "{'resourceType':'Media'},{'resourceType':'*','readonly':true},"
                                 "{'resourceType':'*','criteria':'*?_id=x'}"),
                        FHIR_INTERACTION_UPDATE, PATIENT("1"));
    CU_ASSERT_STRING_EQUAL(
        text.text,
        "Policy p version v1, entry 0 (Patient, criteria Patient?_compartment=%patient, where %patient is Patient/1) "
        "permits update of Patient/1.\n"
        "Policy p version v1, entry 2 (*) does not permit update of Patient/1: it is not among its interactions.\n"
        "Policy p version v1, entry 3 (*, criteria *?_id=x) does not permit update of Patient/1: its criteria do not "
        "hold.\n");
    fhir_text_init(&text, pool);
    fhir_policy_explain(&text, NULL, FHIR_INTERACTION_READ, PATIENT("1"));
    CU_ASSERT_STRING_EQUAL(text.text, "No entry of the access policies is for Patient.\n");
}

static const fhir_unit_test_t tests[] = {{"interactions", test_interactions},
                                         {"several entries", test_several_entries},
                                         {"every type", test_every_type},
                                         {"binaries", test_binaries},
                                         {"contexts", test_contexts},
                                         {"incomplete", test_incomplete},
                                         {"restrictions", test_restrictions},
                                         {"fields", test_fields},
                                         {"hidden in search", test_hidden_in_search},
                                         {"explanation", test_explanation},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("policy_permits", tests)
