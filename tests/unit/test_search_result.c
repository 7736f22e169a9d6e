/* Queries: what is asked about the result: counts, order, views, includes. */
#include "core/fhir/search_private.h"
#include "unit.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};

static fhir_error_t *parse(fhir_search_t **search, const char *type, const char *query, int strict)
{
    apr_array_header_t *parameters;
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    return fhir_search_parse(search, type, parameters, strict, &ADDRESSES, pool);
}

static const fhir_search_t *parsed(const char *query)
{
    fhir_search_t *search = NULL;
    FHIR_ASSERT_OK(parse(&search, "Observation", query, 1));
    return search;
}

static void refused(const char *query, const char *part)
{
    fhir_search_t *search = NULL;
    fhir_error_t *error = parse(&search, "Observation", query, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    if (!strstr(error->public_text, part)) {
        printf("%s: %s\n", query, error->public_text);
        CU_FAIL("another sentence");
    }
}

/* An error if strict, else listed as sent. */
static void ignored(const char *type, const char *query)
{
    fhir_search_t *search = NULL;
    if (!parse(&search, type, query, 1)) {
        printf("%s?%s was taken\n", type, query);
        CU_FAIL("not supported");
        return;
    }
    FHIR_ASSERT_OK(parse(&search, type, query, 0));
    CU_ASSERT_EQUAL_FATAL(search->ignored->nelts, 1);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(search->ignored, 0, const char *), query);
    CU_ASSERT_EQUAL(search->includes->nelts, 0);
}

static void test_defaults(void)
{
    const fhir_search_t *search = parsed("");
    CU_ASSERT_STRING_EQUAL(search->type, "Observation");
    CU_ASSERT_EQUAL(search->count, FHIR_SEARCH_COUNT_DEFAULT);
    CU_ASSERT_EQUAL(search->offset, 0);
    CU_ASSERT_PTR_NULL(search->cursor);
    CU_ASSERT_FALSE(search->ascending);
    CU_ASSERT_EQUAL(search->total, FHIR_TOTAL_NONE);
    CU_ASSERT_EQUAL(search->view.summary, FHIR_SUMMARY_FALSE);
    CU_ASSERT_PTR_NULL(search->view.elements);
    CU_ASSERT_EQUAL(search->includes->nelts, 0);
    CU_ASSERT_EQUAL(search->ignored->nelts, 0);
}

static void test_count(void)
{
    CU_ASSERT_EQUAL(parsed("_count=1")->count, 1);
    CU_ASSERT_EQUAL(parsed("_count=1000")->count, 1000);
    CU_ASSERT_EQUAL(parsed("_count=1001")->count, 1000);
    CU_ASSERT_EQUAL(parsed("_count=99999999999999999999")->count, 1000);
    CU_ASSERT_EQUAL(parsed("_count=007")->count, 7);
    CU_ASSERT_EQUAL(parsed("_count=0")->count, 0);
    CU_ASSERT_EQUAL(parsed("_count=0")->view.summary, FHIR_SUMMARY_COUNT);
    CU_ASSERT_EQUAL(parsed("_count=0")->total, FHIR_TOTAL_ACCURATE);
    refused("_count=-1", "how many");
    refused("_count=x", "how many");
    refused("_count=1.5", "how many");
    refused("_count=1%20", "how many");
    refused("_count=%2B1", "how many");
    refused("_count=1&_count=1", "twice");
    ignored("Observation", "_count=");
    ignored("Observation", "_count:x=1");
}

static void test_paging(void)
{
    CU_ASSERT_EQUAL(parsed("_offset=0")->offset, 0);
    CU_ASSERT_EQUAL(parsed("_offset=10000")->offset, 10000);
    CU_ASSERT_STRING_EQUAL(parsed("_cursor=abc")->cursor, "abc");
    refused("_offset=10001", "next links");
    refused("_offset=-1", "10000");
    refused("_offset=x", "10000");
    refused("_offset=1&_offset=2", "twice");
    refused(apr_psprintf(pool, "_cursor=%0600d", 1), "next link");
    refused("_cursor=a&_cursor=b", "twice");
}

static void test_sort(void)
{
    CU_ASSERT_TRUE(parsed("_sort=_lastUpdated")->ascending);
    CU_ASSERT_FALSE(parsed("_sort=-_lastUpdated")->ascending);
    ignored("Observation", "_sort=nonsense");
    ignored("Observation", "_sort=-date,nonsense");
    ignored("Observation", "_sort=date,,code");
    ignored("Observation", "_sort=,date");
    ignored("Observation", "_sort=date,");
    ignored("Observation", "_sort=-");
    ignored("Observation", "_sort=date,code,status,_id,category");
    ignored("Observation", "_sort=_lastUpdatedX");
    ignored("Observation", "_sort=_LastUpdated");
    ignored("Observation", "_sort=--_lastUpdated");
    ignored("Observation", "_sort:desc=_lastUpdated");
    refused("_sort=_lastUpdated&_sort=-_lastUpdated", "twice");
}

static void expect_key(const fhir_search_t *search, int index, const char *name, fhir_search_type_t type,
                       int descending)
{
    const fhir_sort_key_t *key = &APR_ARRAY_IDX(search->sort, index, fhir_sort_key_t);
    CU_ASSERT_STRING_EQUAL(key->name, name);
    CU_ASSERT_EQUAL(key->type, type);
    CU_ASSERT_EQUAL(key->descending, descending);
}

static void test_sort_keys(void)
{
    fhir_search_t *search = NULL;
    FHIR_ASSERT_OK(parse(&search, "Patient", "_sort=_lastUpdated,-name,birthdate,-_id", 1));
    CU_ASSERT_FALSE(search->ascending);
    CU_ASSERT_STRING_EQUAL(search->sort_text, "_lastUpdated,-name,birthdate,-_id");
    CU_ASSERT_EQUAL_FATAL(search->sort->nelts, 4);
    expect_key(search, 0, "_lastUpdated", FHIR_SEARCH_DATE, 0);
    expect_key(search, 1, "name", FHIR_SEARCH_STRING, 1);
    expect_key(search, 2, "birthdate", FHIR_SEARCH_DATE, 0);
    expect_key(search, 3, "_id", FHIR_SEARCH_TOKEN, 1);
    FHIR_ASSERT_OK(parse(&search, "Patient", "_sort=-name,nonsense", 0));
    CU_ASSERT_EQUAL(search->sort->nelts, 0);
    CU_ASSERT_PTR_NULL(search->sort_text);
    CU_ASSERT_EQUAL(search->ignored->nelts, 1);
}

static void test_total_and_summary(void)
{
    CU_ASSERT_EQUAL(parsed("_total=none")->total, FHIR_TOTAL_NONE);
    CU_ASSERT_EQUAL(parsed("_total=estimate")->total, FHIR_TOTAL_ESTIMATE);
    CU_ASSERT_EQUAL(parsed("_total=accurate")->total, FHIR_TOTAL_ACCURATE);
    CU_ASSERT_EQUAL(parsed("_summary=true")->view.summary, FHIR_SUMMARY_TRUE);
    CU_ASSERT_EQUAL(parsed("_summary=text")->view.summary, FHIR_SUMMARY_TEXT);
    CU_ASSERT_EQUAL(parsed("_summary=data")->view.summary, FHIR_SUMMARY_DATA);
    CU_ASSERT_EQUAL(parsed("_summary=false")->view.summary, FHIR_SUMMARY_FALSE);
    CU_ASSERT_EQUAL(parsed("_summary=count")->view.summary, FHIR_SUMMARY_COUNT);
    CU_ASSERT_EQUAL(parsed("_summary=count")->total, FHIR_TOTAL_ACCURATE);
    CU_ASSERT_EQUAL(parsed("_total=none&_summary=count")->total, FHIR_TOTAL_ACCURATE);
    refused("_total=exact", "accurate");
    refused("_summary=yes", "count");
    refused("_summary=true&_summary=text", "twice");
    ignored("Observation", "_total=");
}

static void test_elements(void)
{
    CU_ASSERT_STRING_EQUAL(parsed("_elements=id,status")->view.elements, "id,status");
    CU_ASSERT_STRING_EQUAL(parsed("_elements=id&_elements=status")->view.elements, "id,status");
    CU_ASSERT_STRING_EQUAL(parsed("_fields=id,code")->view.elements, "id,code");
    ignored("Observation", "_elements=");
}

static void test_passed_over(void)
{
    const fhir_search_t *search = parsed("_format=json&_pretty=true&_format=&_pretty");
    CU_ASSERT_EQUAL(search->ignored->nelts, 0);
    CU_ASSERT_EQUAL(search->criteria->nelts, 0);
}

/* "type name target attachments reverse iterate" of the only include. */
static const char *include(const char *type, const char *query)
{
    fhir_search_t *search = NULL;
    const fhir_include_t *found;
    fhir_error_t *error = parse(&search, type, query, 1);
    if (error) {
        return error->public_text;
    }
    CU_ASSERT_EQUAL_FATAL(search->includes->nelts, 1);
    found = &APR_ARRAY_IDX(search->includes, 0, fhir_include_t);
    return apr_psprintf(pool, "%s %s %s%s%s%s", found->type, found->name, found->target ? found->target : "any",
                        found->attachments ? " attachments" : "", found->reverse ? " reverse" : "",
                        found->iterate ? " iterate" : "");
}

static void check(const char *type, const char *query, const char *expected)
{
    const char *got = include(type, query);
    if (strcmp(got, expected) != 0) {
        printf("%s?%s\n  %s\n  %s\n", type, query, got, expected);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void test_includes(void)
{
    check("Observation", "_include=Observation:subject", "Observation subject any");
    check("Observation", "_include=Observation:subject:Patient", "Observation subject Patient");
    check("Observation", "_include=Observation:based-on", "Observation based-on any");
    check("Observation", "_include=*", "Observation * any");
    check("Observation", "_include=Observation:*", "Observation * any");
    check("Observation", "_include=Observation:*:Patient", "Observation * Patient");
    check("Observation", "_include:iterate=Patient:organization", "Patient organization any iterate");
    check("Observation", "_include:recurse=Observation:subject", "Observation subject any iterate");
    check("Patient", "_revinclude=Observation:subject", "Observation subject any reverse");
    check("Patient", "_revinclude=Observation:patient", "Observation patient any reverse");
    check("Patient", "_revinclude=Observation:subject:Patient", "Observation subject Patient reverse");
    check("Patient", "_revinclude=Observation:*", "Observation * any reverse");
    check("Patient", "_revinclude:iterate=DiagnosticReport:result", "DiagnosticReport result any reverse iterate");
    check("Observation", "_include=Observation:subject&_include=Observation:subject", "Observation subject any");
}

static void test_attachment_includes(void)
{
    check("DiagnosticReport", "_include=DiagnosticReport:presented-form",
          "DiagnosticReport presentedForm Binary attachments");
    check("DiagnosticReport", "_include=DiagnosticReport:presentedForm",
          "DiagnosticReport presentedForm Binary attachments");
    check("DocumentReference", "_include=DocumentReference:content", "DocumentReference content Binary attachments");
    check("Media", "_include=Media:content", "Media content Binary attachments");
    check("Media", "_include=Media:content:Binary", "Media content Binary attachments");
    check("Patient", "_include=Patient:photo", "Patient photo Binary attachments");
    check("Practitioner", "_include=Practitioner:photo", "Practitioner photo Binary attachments");
    check("Communication", "_include=Communication:payload", "Communication payload Binary attachments");
    check("CommunicationRequest", "_include=CommunicationRequest:payload",
          "CommunicationRequest payload Binary attachments");
    check("Consent", "_include=Consent:source", "Consent sourceAttachment Binary attachments");
    check("Consent", "_include=Consent:source-attachment", "Consent sourceAttachment Binary attachments");
    check("QuestionnaireResponse", "_include=QuestionnaireResponse:item",
          "QuestionnaireResponse item Binary attachments");
    check("Library", "_include=Library:content", "Library content Binary attachments");
    check("Library", "_include=Library:related-artifact", "Library relatedArtifact Binary attachments");
    check("Patient", "_include:iterate=Media:content", "Media content Binary attachments iterate");
    check("Media", "_include=Media:extension", "Media extension Binary attachments");
    check("Consent", "_include=Consent:source-reference", "Consent source-reference any");
}

static void test_unsupported_includes(void)
{
    ignored("Observation", "_include=");
    ignored("Observation", "_include=Observation");
    ignored("Observation", "_include=Observation:");
    ignored("Observation", "_include=:subject");
    ignored("Observation", "_include=Observation:nonsense");
    ignored("Observation", "_include=Observation:status");
    ignored("Observation", "_include=Observation:component");
    ignored("Observation", "_include=Observation:subject:");
    ignored("Observation", "_include=Observation:subject:Nonsense");
    ignored("Observation", "_include=Observation:patient:Group");
    ignored("Observation", "_include=Observation:subject:Patient:x");
    ignored("Observation", "_include=Patient:organization");
    ignored("Observation", "_include=Nonsense:subject");
    ignored("Observation", "_include=Media:content");
    ignored("Media", "_include=Media:content:Patient");
    ignored("Media", "_include=Media:Content");
    ignored("Media", "_include=Media:contained");
    ignored("Media", "_include:iterate:x=Media:content");
    ignored("Media", "_include:logical=Media:content");
    ignored("Patient", "_revinclude=*");
    ignored("Patient", "_revinclude=Media:content");
    ignored("Patient", "_revinclude=Observation:nonsense");
    ignored("Practitioner", "_revinclude=Observation:patient");
    ignored("Patient", "_revinclude=Observation:subject:Group");
}

static void test_many_includes(void)
{
    const char *const *types =
        (const char *const[]){"Observation", "Media", "DocumentReference", "Encounter", "DiagnosticReport", NULL};
    fhir_text_t query;
    fhir_search_t *search = NULL;
    int count = 0;
    int i;
    fhir_text_init(&query, pool);
    for (; *types; types++) {
        int parameters = 0;
        const fhir_search_parameter_t *all = fhir_search_parameters(&parameters, *types);
        for (i = 0; i < parameters; i++) {
            if (all[i].type == FHIR_SEARCH_REFERENCE) {
                fhir_text_addf(&query, "&_include:iterate=%s:%s&_revinclude:iterate=%s:%s", *types, all[i].name, *types,
                               all[i].name);
                count += 2;
            }
        }
    }
    CU_ASSERT_TRUE(count > FHIR_SEARCH_INCLUDES_MAX);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, parse(&search, "Media", query.text + 1, 0));
}

static const fhir_unit_test_t tests[] = {{"defaults", test_defaults},
                                         {"count", test_count},
                                         {"paging", test_paging},
                                         {"sort", test_sort},
                                         {"sort keys", test_sort_keys},
                                         {"total and summary", test_total_and_summary},
                                         {"elements", test_elements},
                                         {"passed over", test_passed_over},
                                         {"includes", test_includes},
                                         {"attachment includes", test_attachment_includes},
                                         {"unsupported includes", test_unsupported_includes},
                                         {"many includes", test_many_includes},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("search_result", tests)
