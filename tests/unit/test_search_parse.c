/* Queries: criteria, their values, the canonical form. What is asked about the result: test_search_result.c. */
#include "core/fhir/search_private.h"
#include "unit.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};

static fhir_error_t *parse(fhir_search_t **search, const char *type, const char *query, int strict)
{
    apr_array_header_t *parameters;
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    return fhir_search_parse(search, type, parameters, strict, &ADDRESSES, pool);
}

/* The canonical form, or the error's text. */
static const char *canonical(const char *type, const char *query)
{
    fhir_search_t *search = NULL;
    fhir_search_t *again = NULL;
    fhir_error_t *error = parse(&search, type, query, 1);
    if (error) {
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        return error->public_text;
    }
    FHIR_ASSERT_OK(parse(&again, type, search->canonical, 1));
    CU_ASSERT_STRING_EQUAL(again->canonical, search->canonical);
    return search->canonical;
}

static void check(const char *type, const char *query, const char *expected)
{
    const char *got = canonical(type, query);
    if (strcmp(got, expected) != 0) {
        printf("%s?%s\n  %s\n  %s\n", type, query, got, expected);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

/* Refused, and the sentence has this part. */
static void refused(const char *type, const char *query, const char *part)
{
    fhir_search_t *search = NULL;
    int strict;
    for (strict = 0; strict < 2; strict++) {
        fhir_error_t *error = parse(&search, type, query, strict);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        if (!strstr(error->public_text, part)) {
            printf("%s?%s: %s\n", type, query, error->public_text);
            CU_FAIL("another sentence");
        }
    }
}

/* An error if strict, else listed. */
static void ignored(const char *type, const char *query, const char *as_listed)
{
    fhir_search_t *search = NULL;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, parse(&search, type, query, 1));
    FHIR_ASSERT_OK(parse(&search, type, query, 0));
    CU_ASSERT_EQUAL_FATAL(search->ignored->nelts, 1);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(search->ignored, 0, const char *), as_listed);
    CU_ASSERT_EQUAL(search->criteria->nelts, 0);
    CU_ASSERT_STRING_EQUAL(search->canonical, "");
}

static const fhir_criterion_t *criterion(const char *type, const char *query)
{
    fhir_search_t *search = NULL;
    FHIR_ASSERT_OK(parse(&search, type, query, 1));
    CU_ASSERT_EQUAL_FATAL(search->criteria->nelts, 1);
    return &APR_ARRAY_IDX(search->criteria, 0, fhir_criterion_t);
}

/* The only value of the only criterion. */
static const fhir_search_value_t *value(const char *type, const char *query)
{
    const fhir_criterion_t *found = criterion(type, query);
    CU_ASSERT_EQUAL_FATAL(found->values->nelts, 1);
    return &APR_ARRAY_IDX(found->values, 0, fhir_search_value_t);
}

#define CHECK_PART(got, expected)                                                                                      \
    do {                                                                                                               \
        const char *part_got = (got);                                                                                  \
        const char *part_expected = (expected);                                                                        \
        CU_ASSERT_TRUE(part_got &&part_expected ? strcmp(part_got, part_expected) == 0 : part_got == part_expected);   \
    } while (0)

static void coded(const char *type, const char *query, const char *system, const char *code)
{
    const fhir_search_value_t *got = value(type, query);
    if ((system ? strcmp(system, got->system ? got->system : "NULL") != 0 : got->system != NULL) ||
        (code ? strcmp(code, got->code ? got->code : "NULL") != 0 : got->code != NULL)) {
        printf("%s?%s: system %s code %s\n", type, query, got->system ? got->system : "NULL",
               got->code ? got->code : "NULL");
    }
    CHECK_PART(got->system, system);
    CHECK_PART(got->code, code);
}

static void test_tokens(void)
{
    coded("Patient", "identifier=123", NULL, "123");
    coded("Patient", "identifier=http://x|123", "http://x", "123");
    coded("Patient", "identifier=|123", "", "123");
    coded("Patient", "identifier=http://x|", "http://x", NULL);
    coded("Patient", "identifier=a\\|b", NULL, "a|b");
    coded("Patient", "identifier=s\\|t|a\\,b\\$c\\\\d", "s|t", "a,b$c\\d");
    coded("Patient", "identifier=a|b|c", "a", "b|c");
    coded("Patient", "identifier=a\\b\\", NULL, "a\\b\\");
    coded("Patient", "identifier=Case", NULL, "Case");
    coded("Patient", "active=true", NULL, "true");
    coded("Patient", "_id=homer-simpson", NULL, "homer-simpson");
    coded("Basic", "_tag=http://t|x", "http://t", "x");
    coded("Basic", "_security=R", NULL, "R");
    /* Bare codes have no system of their own: that of the value set is taken for right. */
    coded("Patient", "gender=http://hl7.org/fhir/administrative-gender|male", NULL, "male");
    coded("Patient", "gender=|male", "", "male");
    coded("Patient", "gender=http://x|", "http://x", NULL);
    coded("Observation", "code=http://loinc.org|8302-2", "http://loinc.org", "8302-2");
    /* Mail addresses have no case. */
    coded("Patient", "email=Homer@Example.COM", NULL, "homer@example.com");
    coded("Patient", "telecom=email|Homer@Example.COM", "email", "homer@example.com");
    refused("Patient", "identifier=|", "system|code");
    CU_ASSERT_EQUAL(criterion("Patient", "gender:not=male")->modifier, FHIR_MODIFIER_NOT);
    CU_ASSERT_EQUAL(criterion("Patient", "gender=male")->type, FHIR_SEARCH_TOKEN);
    CU_ASSERT_STRING_EQUAL(value("Observation", "code:text=Head-ACHE")->text, "head ache");
}

static void test_strings(void)
{
    CU_ASSERT_STRING_EQUAL(value("Patient", "name=Jürgen")->text, "jurgen");
    CU_ASSERT_STRING_EQUAL(value("Patient", "name:contains=É\\,x")->text, "e x");
    CU_ASSERT_STRING_EQUAL(value("Patient", "name:exact=Jürgen ")->text, "Jürgen ");
    CU_ASSERT_STRING_EQUAL(value("Patient", "name:exact=...")->text, "...");
    CU_ASSERT_EQUAL(criterion("Patient", "name:contains=a")->modifier, FHIR_MODIFIER_CONTAINS);
    CU_ASSERT_EQUAL(criterion("Patient", "name:exact=a")->modifier, FHIR_MODIFIER_EXACT);
    refused("Patient", "name=...", "letter or a digit");
    refused("Patient", "name=Homer,-", "letter or a digit");
    refused("Patient", "name:contains=+", "letter or a digit");
}

static void test_references(void)
{
    coded("Observation", "subject=1", NULL, "1");
    coded("Observation", "subject=Patient/1", "Patient", "1");
    coded("Observation", "subject=Patient/1/_history/2", "Patient", "1");
    coded("Observation", "subject=https://ours.example/fhir/R4/Patient/1", "Patient", "1");
    coded("Observation", "subject=https://ours.example/fhir/R4/Patient/1/_history/2", "Patient", "1");
    coded("Observation", "subject=https://other.example/Patient/1", NULL, "https://other.example/Patient/1");
    coded("Observation", "subject=https://other.example/Patient/1/_history/2", NULL, "https://other.example/Patient/1");
    coded("Observation", "subject=urn:uuid:c757873d-ec9a-4326-a141-556f43239520", NULL,
          "urn:uuid:c757873d-ec9a-4326-a141-556f43239520");
    coded("Observation", "subject:Patient=1", "Patient", "1");
    coded("Observation", "subject:Patient=Patient/1", "Patient", "1");
    coded("Observation", "subject:Patient=https://other.example/Patient/1", NULL, "https://other.example/Patient/1");
    coded("Observation", "subject:identifier=http://x|7", "http://x", "7");
    coded("Observation", "subject:identifier=7", NULL, "7");
    coded("Observation", "patient=1", "Patient", "1");
    coded("Observation", "patient=Patient/1", "Patient", "1");
    coded("Observation", "subject=Nonsense/1", NULL, "Nonsense/1");
    coded("Observation", "subject=Patient/1/x", NULL, "Patient/1/x");
    coded("Observation", "subject=Patient/", NULL, "Patient/");
    coded("Observation", "subject=/Patient/1", NULL, "/Patient/1");
    coded("Observation", "subject=#p", NULL, "#p");
    coded("QuestionnaireResponse", "questionnaire=http://q.example/q|1.0", NULL, "http://q.example/q|1.0");
    coded("QuestionnaireResponse", "questionnaire=http://q.example/q\\|1.0", NULL, "http://q.example/q|1.0");
    refused("Observation", "subject:Patient=Group/1", "type differs");
    refused("Observation", "subject:Patients=1", ":Patients");
    refused("Observation", "patient:Group=1", ":Group");
    CU_ASSERT_EQUAL(criterion("Observation", "subject:Patient=1")->modifier, FHIR_MODIFIER_NONE);
    CU_ASSERT_EQUAL(criterion("Observation", "subject:identifier=1")->modifier, FHIR_MODIFIER_IDENTIFIER);
}

static void test_uris(void)
{
    coded("Library", "url=http://x/y", NULL, "http://x/y");
    coded("Library", "url=http://x/y|1", NULL, "http://x/y|1");
    coded("Library", "url:below=http://x/y//", NULL, "http://x/y");
    coded("DocumentReference", "location=Binary/1", NULL, "Binary/1");
    coded("DocumentReference", "location=https://ours.example/fhir/R4/Binary/1", NULL, "Binary/1");
    coded("Library", "url=https://ours.example/fhir/R4/Library/1", NULL, "https://ours.example/fhir/R4/Library/1");
    coded("Patient", "_profile=http://p", NULL, "http://p");
    coded("Patient", "_source=http://s#1", NULL, "http://s#1");
    refused("Library", "url:below=//", "write a URI");
    refused("Library", "url:above=http://x", ":above");
}

static void dated(const char *text, fhir_search_prefix_t prefix, const char *low, const char *high)
{
    const fhir_search_value_t *got = value("Patient", apr_pstrcat(pool, "birthdate=", text, NULL));
    apr_time_t ends[4];
    CU_ASSERT_TRUE(fhir_date_range(&ends[0], &ends[1], low));
    CU_ASSERT_TRUE(fhir_date_range(&ends[2], &ends[3], high));
    CU_ASSERT_EQUAL(got->prefix, prefix);
    CU_ASSERT_EQUAL(got->low, ends[0]);
    CU_ASSERT_EQUAL(got->high, ends[3]);
}

static void test_dates(void)
{
    dated("2013", FHIR_PREFIX_EQ, "2013-01-01", "2013-12-31");
    dated("eq2013-01-14", FHIR_PREFIX_EQ, "2013-01-14", "2013-01-14");
    dated("ne2013-01", FHIR_PREFIX_NE, "2013-01-01", "2013-01-31");
    dated("gt2013-01-14", FHIR_PREFIX_GT, "2013-01-14", "2013-01-14");
    dated("lt2013-01-14", FHIR_PREFIX_LT, "2013-01-14", "2013-01-14");
    dated("ge2013-01-14T10:00Z", FHIR_PREFIX_GE, "2013-01-14T10:00Z", "2013-01-14T10:00Z");
    dated("le2013-01-14T10:00:00.5%2B01:00", FHIR_PREFIX_LE, "2013-01-14T09:00:00.5Z", "2013-01-14T09:00:00.5Z");
    dated("sa2013-01-14", FHIR_PREFIX_SA, "2013-01-14", "2013-01-14");
    dated("eb2013-01-14", FHIR_PREFIX_EB, "2013-01-14", "2013-01-14");
    /* A plus sign that was not encoded. */
    dated("gt2013-01-14T10:00:00+01:00", FHIR_PREFIX_GT, "2013-01-14T09:00:00Z", "2013-01-14T09:00:00Z");
    refused("Patient", "birthdate=yesterday", "write a date");
    refused("Patient", "birthdate=2013-02-30", "write a date");
    refused("Patient", "birthdate=gt", "write a date");
    refused("Patient", "birthdate=xx2013", "write a date");
    refused("Patient", "birthdate=GT2013", "write a date");
    refused("Patient", "birthdate=2013,x", "write a date");
    refused("Patient", "birthdate=2013 01", "write a date");
    refused("Patient", "_lastUpdated=x", "_lastUpdated");
    refused("Patient", "birthdate:exact=2013", ":exact");
}

static void test_approximate_dates(void)
{
    const apr_time_t day = APR_INT64_C(86400000000);
    apr_time_t low;
    apr_time_t high;
    apr_time_t margin;
    const fhir_search_value_t *got = value("Patient", "birthdate=ap1990-01-01");
    CU_ASSERT_TRUE(fhir_date_range(&low, &high, "1990-01-01"));
    margin = (apr_time_now() - high) / 10;
    CU_ASSERT_EQUAL(got->prefix, FHIR_PREFIX_AP);
    CU_ASSERT_TRUE(low - got->low > margin - day && low - got->low < margin + day);
    CU_ASSERT_TRUE(got->high - high > margin - day && got->high - high < margin + day);
    got = value("Patient", "birthdate=ap9999");
    CU_ASSERT_EQUAL(got->high, FHIR_DATE_MAX);
    got = value("Patient", apr_pstrcat(pool, "birthdate=ap", fhir_instant(apr_time_now(), pool), NULL));
    CU_ASSERT_TRUE(got->high - got->low >= 2 * day && got->high - got->low < 2 * day + day);
}

static void test_missing(void)
{
    coded("Patient", "birthdate:missing=true", NULL, "true");
    coded("Patient", "name:missing=false", NULL, "false");
    coded("Observation", "subject:missing=true", NULL, "true");
    coded("Patient", "_tag:missing=true", NULL, "true");
    CU_ASSERT_EQUAL(criterion("Patient", "name:missing=true")->modifier, FHIR_MODIFIER_MISSING);
    refused("Patient", "name:missing=yes", "true or false");
    refused("Patient", "name:missing=True", "true or false");
}

static void test_modifiers(void)
{
    refused("Patient", "name:not=a", ":not");
    refused("Patient", "name:text=a", ":text");
    refused("Patient", "gender:exact=a", ":exact");
    refused("Patient", "gender:contains=a", ":contains");
    refused("Patient", "gender:below=a", ":below");
    refused("Patient", "gender:in=a", ":in");
    refused("Patient", "identifier:of-type=a|b|c", ":of-type");
    refused("Patient", "name:=a", "modifier `:`");
    refused("Patient", "name:exact:not=a", ":exact:not");
    refused("Patient", "name:Patient=a", ":Patient");
    refused("Patient", "_id:text=a", ":text");
    refused("Observation", "subject:exact=a", ":exact");
    refused("Observation", "subject:Binary:x=a", ":Binary:x");
}

static void test_unsupported(void)
{
    ignored("Patient", "nonsense=1", "nonsense");
    ignored("Patient", "Name=1", "Name");
    ignored("Patient", "_content=1", "_content");
    ignored("Patient", "_has:Observation:patient:code=1", "_has:Observation:patient:code");
    ignored("Observation", "subject.name=1", "subject.name");
    ignored("Observation", "subject:Patient.name=1", "subject:Patient.name");
    ignored("Patient", "name=", "name=");
    ignored("Patient", "name:exact", "name:exact=");
    ignored("Patient", "name=,", "name=");
    ignored("Patient", "=x", "");
    ignored("NoSuchType", "name=x", "name");
}

static void test_canonical(void)
{
    check("Patient", "", "");
    check("Patient", "name=Homer", "name=homer");
    check("Patient", "name=B,a&gender=male", "gender=male&name=a,b");
    check("Patient", "gender=male&name=a&name=a&name=A,a", "gender=male&name=a");
    check("Patient", "name=a&name=b", "name=a&name=b");
    check("Patient", "name:exact=A b", "name:exact=A%20b");
    check("Patient", "identifier=http://x|1\\,2", "identifier=http%3A%2F%2Fx%7C1%5C%2C2");
    check("Patient", "identifier=a\\\\b,a\\$,\\x", "identifier=%5C%5Cx,a%5C%24,a%5C%5Cb");
    check("Patient", "identifier=x|,|x", "identifier=x%7C,%7Cx");
    check("Patient", "name=a,,b,", "name=a,b");
    check("Observation", "subject=https://ours.example/fhir/R4/Patient/1", "subject=Patient%2F1");
    check("Observation", "subject:Patient=1", "subject=Patient%2F1");
    check("Observation", "patient=1", "patient=Patient%2F1");
    check("Observation", "subject=1", "subject=1");
    check("Observation", "subject:identifier=a|b", "subject:identifier=a%7Cb");
    check("Observation", "date=gt2013-01-14T10:00:00%2B01:00", "date=gt2013-01-14T09%3A00%3A00Z");
    check("Observation", "date=eq2013,2013", "date=2013");
    check("Observation", "date=ap2013", "date=ap2013");
    check("Library", "url:below=http://x/", "url:below=http%3A%2F%2Fx");
    check("Patient", "_count=5&_sort=_lastUpdated&name=x&_elements=id", "name=x");
    check("Patient", "_id=b,a", "_id=a,b");
}

static void test_limits(void)
{
    fhir_search_t *search = NULL;
    fhir_text_t query;
    char text[FHIR_INDEX_TEXT_MAX + 100];
    int i;
    fhir_text_init(&query, pool);
    fhir_text_add(&query, "identifier=0");
    for (i = 1; i < FHIR_SEARCH_VALUES_MAX; i++) {
        fhir_text_addf(&query, ",%d", i);
    }
    FHIR_ASSERT_OK(parse(&search, "Patient", query.text, 1));
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(search->criteria, 0, fhir_criterion_t).values->nelts, FHIR_SEARCH_VALUES_MAX);
    fhir_text_add(&query, "&name=one");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, parse(&search, "Patient", query.text, 1));
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CU_ASSERT_EQUAL(strlen(value("Patient", apr_pstrcat(pool, "identifier=", text, NULL))->code), FHIR_INDEX_TEXT_MAX);
    CU_ASSERT_EQUAL(strlen(value("Patient", apr_pstrcat(pool, "name=", text, NULL))->text), FHIR_INDEX_TEXT_MAX);
    refused("Patient", apr_pstrcat(pool, "birthdate=", text, NULL), "aaa...");
}

static const fhir_unit_test_t tests[] = {
    {"tokens", test_tokens},       {"strings", test_strings},     {"references", test_references},
    {"uris", test_uris},           {"dates", test_dates},         {"approximate dates", test_approximate_dates},
    {"missing", test_missing},     {"modifiers", test_modifiers}, {"unsupported", test_unsupported},
    {"canonical", test_canonical}, {"limits", test_limits},       {NULL, NULL}};
FHIR_UNIT_MAIN("search_parse", tests)
