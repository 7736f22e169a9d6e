/* Which security context follows from what points to a Binary. */
#include "core/app/suggested_context.h"

#include "unit.h"

#include <string.h>

static apr_array_header_t *binaries;
static apr_array_header_t *referrers;

static void begin(int count)
{
    binaries = apr_array_make(pool, 4, sizeof(const fhir_binary_t *));
    referrers = apr_array_make(pool, 4, sizeof(fhir_referrer_t));
    while (count-- > 0) {
        APR_ARRAY_PUSH(binaries, const fhir_binary_t *) = apr_pcalloc(pool, sizeof(fhir_binary_t));
    }
}

/* `subjects`: "Patient/1 !Group/2", "!" before what is not there. */
static void refer(int binary, const char *type, const char *id, const char *subjects)
{
    fhir_resource_t *resource = apr_pcalloc(pool, sizeof(*resource));
    fhir_referrer_t *referrer = apr_array_push(referrers);
    char *rest = NULL;
    char *word = apr_strtok(apr_pstrdup(pool, subjects), " ", &rest);
    resource->type = type;
    resource->id = id;
    referrer->binary = binary;
    referrer->path = "x";
    referrer->resource = resource;
    referrer->subjects = apr_array_make(pool, 2, sizeof(fhir_referrer_subject_t));
    for (; word; word = apr_strtok(NULL, " ", &rest)) {
        fhir_referrer_subject_t *subject = apr_array_push(referrer->subjects);
        char *slash = strchr(word, '/');
        subject->there = *word != '!';
        subject->type = apr_pstrmemdup(pool, word + !subject->there, (apr_size_t)(slash - word) - !subject->there);
        subject->id = slash + 1;
    }
}

/* "kind context candidate,candidate" of one Binary. */
static const char *told(int binary)
{
    static const char *const kinds[] = {"follows", "unreferenced", "ambiguous", "missing", "foreign", "too-many"};
    apr_array_header_t *all = fhir_suggest_contexts(binaries, referrers, 0, pool);
    const fhir_missing_context_t *missing;
    const char *candidates = "";
    CU_ASSERT_EQUAL_FATAL(all->nelts, binaries->nelts);
    missing = &APR_ARRAY_IDX(all, binary, fhir_missing_context_t);
    CU_ASSERT_PTR_EQUAL(missing->binary, APR_ARRAY_IDX(binaries, binary, const fhir_binary_t *));
    for (int i = 0; i < missing->candidates->nelts; i++) {
        candidates =
            apr_pstrcat(pool, candidates, i ? "," : "", APR_ARRAY_IDX(missing->candidates, i, const char *), NULL);
    }
    return apr_pstrcat(pool, kinds[missing->kind], " ", missing->context ? missing->context : "-", " ", candidates,
                       NULL);
}

static void expect(const char *expected, const char *type, const char *subjects)
{
    begin(1);
    refer(0, type, "r", subjects);
    CU_ASSERT_STRING_EQUAL(told(0), expected);
}

static void test_one_resource(void)
{
    expect("follows Patient/1 Patient/1", "DocumentReference", "Patient/1");
    expect("follows Patient/1 Patient/1", "DocumentReference", "Patient/1 Group/2");
    expect("follows Group/2 Group/2", "DocumentReference", "Group/2");
    expect("follows Media/r Media/r", "Media", "");
    expect("follows Media/r Media/r", "Media", "Binary/1 Nonsense/1");
    expect("ambiguous - Patient/1,Patient/2", "Appointment", "Patient/1 Patient/2");
    expect("ambiguous - Patient/1,Patient/2", "Appointment", "!Patient/1 Patient/2");
    expect("missing - Patient/1", "DocumentReference", "!Patient/1");
    expect("missing - Patient/1", "DocumentReference", "!Patient/1 Group/2");
}

static void test_persons(void)
{
    expect("follows Patient/r Patient/r", "Patient", "Patient/other");
    expect("follows Practitioner/r Practitioner/r", "Practitioner", "");
    expect("follows RelatedPerson/r RelatedPerson/r", "RelatedPerson", "Patient/1");
    expect("follows Person/r Person/r", "Person", "Patient/1 Patient/2");
}

static void test_several_resources(void)
{
    begin(5);
    refer(1, "DocumentReference", "a", "Patient/1");
    refer(1, "Communication", "b", "Patient/1");
    refer(2, "DocumentReference", "a", "Patient/1");
    refer(2, "Media", "b", "");
    refer(4, "Patient", "1", "");
    refer(4, "Media", "b", "Patient/1");
    CU_ASSERT_STRING_EQUAL(told(0), "unreferenced - ");
    CU_ASSERT_STRING_EQUAL(told(1), "follows Patient/1 Patient/1");
    CU_ASSERT_STRING_EQUAL(told(2), "ambiguous - Patient/1,Media/b");
    CU_ASSERT_STRING_EQUAL(told(3), "unreferenced - ");
    CU_ASSERT_STRING_EQUAL(told(4), "follows Patient/1 Patient/1");
}

static void test_many(void)
{
    apr_array_header_t *all;
    begin(2);
    for (int i = 0; i < FHIR_REFERRERS_MAX; i++) {
        refer(0, "Media", apr_psprintf(pool, "m%d", i), "Patient/1");
    }
    refer(1, "Media", "x", "Patient/2");
    CU_ASSERT_STRING_EQUAL(told(0), "follows Patient/1 Patient/1");
    begin(2);
    for (int i = 0; i < FHIR_REFERRERS_MAX + 1; i++) {
        refer(0, "Media", apr_psprintf(pool, "m%d", i), "Patient/1");
    }
    refer(1, "Media", "x", "Patient/2");
    CU_ASSERT_STRING_EQUAL(told(0), "too-many - Patient/1");
    CU_ASSERT_STRING_EQUAL(told(1), "follows Patient/2 Patient/2");
    all = fhir_suggest_contexts(binaries, referrers, 0, pool);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(all, 0, fhir_missing_context_t).referrers->nelts, FHIR_REFERRERS_MAX);
    begin(1);
    for (int i = 0; i < 50; i++) {
        refer(0, "Media", apr_psprintf(pool, "m%d", i), "");
    }
    all = fhir_suggest_contexts(binaries, referrers, 0, pool);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(all, 0, fhir_missing_context_t).candidates->nelts, FHIR_CANDIDATES_MAX);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(all, 0, fhir_missing_context_t).kind, FHIR_SUGGESTION_AMBIGUOUS);
}

static const char *reason(const char *type, const char *subjects)
{
    apr_array_header_t *all;
    begin(1);
    if (type) {
        refer(0, type, "r", subjects);
    }
    all = fhir_suggest_contexts(binaries, referrers, 0, pool);
    return fhir_suggestion_text(&APR_ARRAY_IDX(all, 0, fhir_missing_context_t), pool);
}

static void test_reasons(void)
{
    CU_ASSERT_STRING_EQUAL(reason("Media", "Patient/1"), "");
    CU_ASSERT_STRING_EQUAL(reason(NULL, ""), "no resource points to it");
    CU_ASSERT_STRING_EQUAL(reason("Media", "!Patient/1"), "Patient/1 is not there");
    CU_ASSERT_STRING_EQUAL(reason("Media", "Patient/1 Patient/2"), "several could be it: Patient/1, Patient/2");
}

/* Whoever knows the id of a Binary could point to it and be given it. */
static void test_others(void)
{
    apr_array_header_t *all;
    begin(2);
    refer(0, "Media", "his", "Patient/thief");
    APR_ARRAY_IDX(referrers, 0, fhir_referrer_t).foreign = 1;
    refer(1, "Media", "theirs", "Patient/owner");
    refer(1, "Media", "his", "Patient/thief");
    APR_ARRAY_IDX(referrers, 2, fhir_referrer_t).foreign = 1;
    CU_ASSERT_EQUAL(strncmp(told(0), "foreign ", 8), 0);
    CU_ASSERT_EQUAL(strncmp(told(1), "follows Patient/owner ", 22), 0);
    all = fhir_suggest_contexts(binaries, referrers, 1, pool);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(all, 0, fhir_missing_context_t).context, "Patient/thief");
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(all, 1, fhir_missing_context_t).kind, FHIR_SUGGESTION_AMBIGUOUS);
}

static const fhir_unit_test_t tests[] = {{"one resource", test_one_resource},
                                         {"persons", test_persons},
                                         {"several resources", test_several_resources},
                                         {"many", test_many},
                                         {"reasons", test_reasons},
                                         {"others", test_others},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("suggested_context", tests)
