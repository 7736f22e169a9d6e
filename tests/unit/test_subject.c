/* Subjects of decisions: values, criteria, what a security context names. */
#include "core/fhir/search_private.h"
#include "core/fhir/subject.h"
#include "unit.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};

static fhir_resource_t *resource_of(const char *type, const char *meta, const char *body)
{
    fhir_resource_t *resource = apr_pcalloc(pool, sizeof(*resource));
    resource->type = type;
    resource->id = "1";
    resource->meta = meta;
    resource->body = body;
    resource->body_length = body ? strlen(body) : 0;
    return resource;
}

static apr_array_header_t *no_values(void)
{
    return apr_array_make(pool, 1, sizeof(fhir_index_value_t));
}

/* As the database gives it: with the rows named _compartment alone. */
static fhir_subject_t loaded(const char *type, const fhir_resource_t *resource)
{
    fhir_subject_t subject = {0};
    apr_array_header_t *values = no_values();
    apr_time_t high;
    fhir_index_value_t *row = apr_array_push(values);
    memset(row, 0, sizeof(*row));
    row->name = "_compartment";
    row->type = FHIR_SEARCH_REFERENCE;
    row->system = "Patient";
    row->code = "1";
    subject.type = type;
    subject.id = "1";
    subject.there = 1;
    CU_ASSERT_TRUE(fhir_date_range(&subject.last_updated, &high, "2020-06-15"));
    subject.values = values;
    subject.resource = resource;
    return subject;
}

static apr_array_header_t *criteria_of(const char *type, const char *query)
{
    apr_array_header_t *parameters;
    fhir_search_t *search = NULL;
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    FHIR_ASSERT_OK(fhir_search_parse(&search, type, parameters, 1, &ADDRESSES, pool));
    return search ? search->criteria : apr_array_make(pool, 1, sizeof(fhir_criterion_t));
}

static int matches(const fhir_subject_t *subject, const char *query)
{
    return fhir_subject_matches(subject, criteria_of(subject->type, query));
}

static int needs_content(const char *query)
{
    return fhir_criteria_need_content(criteria_of("Patient", query));
}

/* ---- criteria ---- */

static void test_need_content(void)
{
    CU_ASSERT_FALSE(needs_content(""));
    CU_ASSERT_FALSE(needs_content("_id=1"));
    CU_ASSERT_FALSE(needs_content("_lastUpdated=gt2020"));
    CU_ASSERT_FALSE(needs_content("_compartment=Patient/1"));
    CU_ASSERT_FALSE(needs_content("_compartment:missing=true&_id=1,2&_lastUpdated=2020"));
    CU_ASSERT_TRUE(needs_content("_tag=a"));
    CU_ASSERT_TRUE(needs_content("_security:missing=true"));
    CU_ASSERT_TRUE(needs_content("_compartment=Patient/1&gender=male"));
    CU_ASSERT_TRUE(needs_content("_profile=http://p"));
}

static void test_incomplete(void)
{
    fhir_subject_t subject = loaded("Patient", NULL);
    CU_ASSERT_TRUE(matches(&subject, ""));
    CU_ASSERT_TRUE(matches(&subject, "_id=1"));
    CU_ASSERT_FALSE(matches(&subject, "_id=2"));
    CU_ASSERT_TRUE(matches(&subject, "_id:not=2"));
    CU_ASSERT_TRUE(matches(&subject, "_lastUpdated=2020"));
    CU_ASSERT_FALSE(matches(&subject, "_lastUpdated=gt2020"));
    CU_ASSERT_TRUE(matches(&subject, "_compartment=Patient/1"));
    CU_ASSERT_TRUE(matches(&subject, "_compartment=Patient/2,Patient/1"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment=Patient/2"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment:missing=true"));
    /* What is not there can't fit, not even what asks for absence. */
    CU_ASSERT_FALSE(matches(&subject, "gender=male"));
    CU_ASSERT_FALSE(matches(&subject, "gender:not=male"));
    CU_ASSERT_FALSE(matches(&subject, "gender:missing=true"));
    CU_ASSERT_FALSE(matches(&subject, "_tag:not=a"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment=Patient/1&gender:missing=true"));
}

static void test_not_there(void)
{
    fhir_subject_t subject = loaded("Patient", NULL);
    subject.there = 0;
    CU_ASSERT_FALSE(matches(&subject, ""));
    CU_ASSERT_FALSE(matches(&subject, "_id=1"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment=Patient/1"));
    subject.complete = 1;
    CU_ASSERT_FALSE(matches(&subject, "gender:missing=true"));
}

/* ---- values ---- */

static void test_complete(void)
{
    fhir_subject_t subject =
        loaded("Patient", resource_of("Patient", "\"tag\":[{\"code\":\"a\"}]", "\"gender\":\"male\""));
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_TRUE(subject.there);
    CU_ASSERT_TRUE(subject.complete);
    CU_ASSERT_TRUE(matches(&subject, "gender=male"));
    CU_ASSERT_FALSE(matches(&subject, "gender=female"));
    CU_ASSERT_TRUE(matches(&subject, "_tag=a"));
    CU_ASSERT_FALSE(matches(&subject, "_tag:not=a"));
    CU_ASSERT_TRUE(matches(&subject, "name:missing=true"));
    CU_ASSERT_TRUE(matches(&subject, "_compartment=Patient/1"));
    CU_ASSERT_TRUE(matches(&subject, "_lastUpdated=2020"));
}

static void test_complete_without_members(void)
{
    fhir_subject_t subject = loaded("Patient", resource_of("Patient", NULL, ""));
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_TRUE(subject.there);
    CU_ASSERT_TRUE(matches(&subject, "gender:missing=true&_tag:missing=true"));
}

static void expect_unusable(const fhir_resource_t *resource)
{
    fhir_subject_t subject = loaded("Patient", resource);
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_FALSE(subject.there);
    CU_ASSERT_PTR_NOT_NULL(subject.values);
    CU_ASSERT_FALSE(matches(&subject, "_id=1"));
}

static void test_unusable(void)
{
    expect_unusable(NULL);
    expect_unusable(resource_of("Patient", NULL, NULL));
    expect_unusable(resource_of("Patient", "", "\"gender\":"));
    expect_unusable(resource_of("Patient", "", "\"gender\":\"male\"},{"));
}

static void test_nothing_to_do(void)
{
    fhir_subject_t subject = loaded("Patient", NULL);
    const apr_array_header_t *values = subject.values;
    subject.complete = 1;
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_TRUE(subject.there);
    CU_ASSERT_PTR_EQUAL(subject.values, values);
    subject = loaded("Patient", resource_of("Patient", "", ""));
    subject.there = 0;
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_FALSE(subject.there);
}

/* More values than the index keeps: such a resource is not stored, and would not be judged by a part of them. */
static void test_too_many_values(void)
{
    fhir_text_t body;
    fhir_subject_t subject;
    int i;
    fhir_text_init(&body, pool);
    fhir_text_add(&body, "\"identifier\":[{\"value\":\"a\"}");
    for (i = 0; i <= FHIR_INDEX_VALUES_MAX; i++) {
        fhir_text_addf(&body, ",{\"value\":\"%d\"}", i);
    }
    fhir_text_add(&body, "]");
    subject = loaded("Patient", resource_of("Patient", "", body.text));
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_FALSE(subject.there);
    CU_ASSERT_FALSE(matches(&subject, "identifier=a"));
}

static void test_of_values(void)
{
    fhir_subject_t subject;
    fhir_store_resource_t stored = {0};
    const char *json = "{\"status\":\"final\",\"subject\":{\"reference\":\"Patient/1\"}}";
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, json, strlen(json), &fhir_json_resource_limits, pool));
    memset(&subject, 0xff, sizeof(subject));
    fhir_subject_of_values(&subject, "Media", "7", fhir_search_index("Media", "7", &stored, &ADDRESSES, pool));
    CU_ASSERT_TRUE(subject.there);
    CU_ASSERT_TRUE(subject.complete);
    CU_ASSERT_FALSE(subject.is_context);
    CU_ASSERT_PTR_NULL(subject.resource);
    CU_ASSERT_TRUE(matches(&subject, "status=final&_compartment=Patient/1&_id=7&_lastUpdated=gt2020"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment=Patient/7"));
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_TRUE(subject.there);
}

static void test_of_binary(void)
{
    fhir_subject_t subject;
    apr_time_t updated;
    apr_time_t high;
    CU_ASSERT_TRUE(fhir_date_range(&updated, &high, "2020-06-15"));
    memset(&subject, 0xff, sizeof(subject));
    fhir_subject_of_binary(&subject, "7", updated, pool);
    CU_ASSERT_STRING_EQUAL(subject.type, "Binary");
    CU_ASSERT_FALSE(subject.is_context);
    CU_ASSERT_EQUAL(subject.values->nelts, 0);
    CU_ASSERT_TRUE(matches(&subject, ""));
    CU_ASSERT_TRUE(matches(&subject, "_id=7&_lastUpdated=2020-06-15"));
    CU_ASSERT_FALSE(matches(&subject, "_id=8"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment=Patient/1"));
    CU_ASSERT_FALSE(matches(&subject, "_compartment:missing=true"));
    CU_ASSERT_FALSE(matches(&subject, "_tag:not=a"));
    CU_ASSERT_FALSE(matches(&subject, "_security:missing=true"));
    fhir_subject_complete(&subject, &ADDRESSES, pool);
    CU_ASSERT_TRUE(subject.there);
}

/* ---- contexts ---- */

static void expect_target(const char *reference, const char *expected)
{
    const char *type;
    const char *id;
    int found = fhir_context_target(&type, &id, reference, &ADDRESSES, pool);
    const char *got = found ? apr_pstrcat(pool, type, " ", id, NULL) : "";
    if (strcmp(got, expected) != 0) {
        printf("%s: %s, not %s\n", reference, got, expected);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void test_context_target(void)
{
    char id[66];
    expect_target("Patient/1", "Patient 1");
    expect_target("DocumentReference/a-b.C9", "DocumentReference a-b.C9");
    expect_target("Patient/1/_history/2", "Patient 1");
    expect_target("https://ours.example/fhir/R4/Patient/1", "Patient 1");
    expect_target("https://ours.example/fhir/R4/Media/1/_history/x", "Media 1");
    memset(id, 'a', sizeof(id) - 1);
    id[64] = '\0';
    expect_target(apr_pstrcat(pool, "Patient/", id, NULL), apr_pstrcat(pool, "Patient ", id, NULL));
    id[64] = 'a';
    id[65] = '\0';
    expect_target(apr_pstrcat(pool, "Patient/", id, NULL), "");
}

static void test_no_context_target(void)
{
    static const char *const none[] = {"",
                                       "Patient",
                                       "Patient/",
                                       "/Patient/1",
                                       "Patient//1",
                                       "Patient/1/",
                                       "Patient/1/2",
                                       "Patient/1/_history",
                                       "Patient/1/_history/",
                                       "Patient/1/_history/2/3",
                                       "Patient/1/_history/a b",
                                       "Patient/1#x",
                                       "Patient/1?x=y",
                                       "Patient/1|2",
                                       "Patient/1 ",
                                       " Patient/1",
                                       "Patient/1,Patient/2",
                                       "patient/1",
                                       "Nothing/1",
                                       "Binary/1",
                                       "Binary/1/_history/2",
                                       "https://ours.example/fhir/R4/Binary/1",
                                       "https://ours.example/fhir/R4/",
                                       "https://ours.example/fhir/R4/x/Patient/1",
                                       "https://ours.example/fhir/R40/Patient/1",
                                       "https://other.example/fhir/R4/Patient/1",
                                       "#1",
                                       "urn:uuid:3b1d7c5e-0000-4000-8000-000000000000"};
    apr_size_t i;
    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        expect_target(none[i], "");
    }
    expect_target(NULL, "");
}

static const fhir_unit_test_t tests[] = {{"criteria that need content", test_need_content},
                                         {"an incomplete subject", test_incomplete},
                                         {"a subject that is not there", test_not_there},
                                         {"completing", test_complete},
                                         {"completing a resource without members", test_complete_without_members},
                                         {"resources that can't be looked at", test_unusable},
                                         {"nothing to complete", test_nothing_to_do},
                                         {"too many values", test_too_many_values},
                                         {"of values", test_of_values},
                                         {"of a Binary", test_of_binary},
                                         {"what a context names", test_context_target},
                                         {"what no context names", test_no_context_target},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("subject", tests)
