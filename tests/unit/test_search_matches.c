/* Does a resource fit a search? Whole way: JSON, index, query, match. */
#include "core/fhir/search_private.h"
#include "unit.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};

static int matches(const char *type, const char *json, const char *query)
{
    fhir_store_resource_t stored = {0};
    fhir_resource_t resource = {0};
    apr_array_header_t *parameters;
    fhir_search_t *search = NULL;
    apr_time_t ignored;
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, json, strlen(json), &fhir_json_resource_limits, pool));
    stored.meta = "\"tag\":[{\"system\":\"http://t\",\"code\":\"a\"}],\"profile\":[\"http://p|1\"]";
    resource.type = type;
    resource.id = "homer";
    CU_ASSERT_TRUE(fhir_date_range(&resource.last_updated, &ignored, "2020-06-15T12:00:00.123456Z"));
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    FHIR_ASSERT_OK(fhir_search_parse(&search, type, parameters, 1, &ADDRESSES, pool));
    return search &&
           fhir_search_matches(search, &resource, fhir_search_index(type, resource.id, &stored, &ADDRESSES, pool));
}

/* A query is marked with + if it finds the resource, with - if not. */
static void check(const char *type, const char *json, const char *const *queries)
{
    for (; *queries; queries++) {
        int found = matches(type, json, *queries + 1);
        if (found != (**queries == '+')) {
            printf("%s?%s\n", type, *queries);
        }
        CU_ASSERT_EQUAL(found, **queries == '+');
    }
}

#define CHECK(type, json, ...) check(type, json, (const char *const[]){__VA_ARGS__, NULL})

#define PATIENT                                                                                                        \
    "{\"identifier\":[{\"system\":\"http://ids\",\"value\":\"7\"},{\"value\":\"8\"}],\"active\":true,"                 \
    "\"name\":[{\"family\":\"Müller-Lüdenscheidt\",\"given\":[\"Jürgen\",\"K.\"]},{\"text\":\"Loriot\"}],"          \
    "\"gender\":\"male\",\"birthDate\":\"1970-05-12\",\"telecom\":[{\"system\":\"email\",\"value\":\"L@x.example\"}]}"

static void test_all_and_none(void)
{
    CHECK("Patient", PATIENT, "+", "+_count=1", "+gender=male&active=true", "-gender=male&active=false",
          "-gender=female&active=true", "+gender=female,male", "-gender=female,other", "+name=jurgen&name=loriot");
    CHECK("Patient", "{}", "+", "-gender=male", "-name=a", "-birthdate=ne1970", "-identifier=7");
}

static void test_own(void)
{
    CHECK("Patient", PATIENT, "+_id=homer", "-_id=marge", "+_id=marge,homer", "-_id=Homer", "-_id:not=homer",
          "+_id:not=marge", "-_id:missing=true", "+_id:missing=false", "+_tag=a", "+_tag=http://t|a", "-_tag=|a",
          "-_tag=b", "+_tag:not=b", "+_security:missing=true", "+_profile=http://p", "+_profile=http://p|1",
          "-_profile=http://p|2", "-_profile=http");
    CHECK("Patient", PATIENT, "+_lastUpdated=2020", "+_lastUpdated=2020-06-15", "-_lastUpdated=2020-06-16",
          "+_lastUpdated=gt2020-06-14", "-_lastUpdated=gt2020-06-15", "+_lastUpdated=ge2020-06-15",
          "+_lastUpdated=2020-06-15T12:00:00.123Z", "-_lastUpdated=gt2020-06-15T12:00:00.123Z",
          "+_lastUpdated=le2020-06-15T12:00:00.123Z", "+_lastUpdated=lt2020-06-15T12:00:00.124Z",
          "+_lastUpdated=2020-06-15T14:00:00%2B02:00", "-_lastUpdated:missing=true",
          "+_lastUpdated=ge2020-06&_lastUpdated=lt2020-07");
}

#define MEDIA                                                                                                          \
    "{\"subject\":{\"reference\":\"Patient/1\"},\"operator\":{\"reference\":\"Practitioner/1\"},"                      \
    "\"encounter\":{\"reference\":\"https://other.example/Encounter/1\"}}"

static void test_compartments(void)
{
    CHECK("Media", MEDIA, "+_compartment=Patient/1", "-_compartment=Patient/2", "+_compartment=Patient/2,Patient/1",
          "+_compartment=Practitioner/1", "-_compartment=Practitioner/2", "-_compartment=Encounter/1",
          "-_compartment=https://other.example/Encounter/1", "-_compartment=Group/1", "+_compartment=1",
          "-_compartment=2", "+_compartment:Patient=1", "-_compartment:Encounter=1", "+_compartment:missing=false",
          "-_compartment:missing=true", "+_compartment=Patient/1&_compartment=Practitioner/1",
          "-_compartment=Patient/1&_compartment=Encounter/1", "+_compartment=https://ours.example/fhir/R4/Patient/1");
    CHECK("Media", "{}", "-_compartment=Patient/1", "+_compartment:missing=true");
    CHECK("Patient", "{}", "+_compartment=Patient/homer", "-_compartment=Practitioner/homer",
          "-_compartment=Patient/home");
    CHECK("Library", "{}", "-_compartment=Library/homer", "+_compartment:missing=true");
}

static void test_tokens(void)
{
    CHECK("Patient", PATIENT, "+identifier=7", "+identifier=http://ids|7", "-identifier=|7", "+identifier=|8",
          "-identifier=http://ids|8", "+identifier=http://ids|", "-identifier=http://id|", "-identifier=http://other|",
          "-identifier=9", "+identifier=9,8", "-identifier:not=7", "+identifier:not=9", "-identifier:not=9,8",
          "+gender=http://hl7.org/fhir/administrative-gender|male", "-gender=MALE", "+email=l@X.example",
          "-email=l@y.example", "+telecom=email|L@x.example", "-telecom=phone|L@x.example", "+deceased=false",
          "+language:not=de", "+gender:missing=false", "-gender:missing=true", "+language:missing=true");
    CHECK("Observation",
          "{\"code\":{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"1\",\"display\":\"Body Weight\"}],"
          "\"text\":\"Gewicht (kg)\"}}",
          "+code=1", "+code=http://loinc.org|1", "-code=http://snomed|1", "+code:text=body", "+code:text=BODY-w",
          "-code:text=weight", "+code:text=gewicht kg", "-code:text=body weights", "+code:text=zzz,body",
          "-code=Body Weight", "-code:missing=true");
    CHECK("Observation", "{\"code\":{\"text\":\"Only\"}}", "-code=Only", "+code:text=only", "+code:missing=false",
          "+code:not=1", "-code=x|,|x");
}

static void test_strings(void)
{
    CHECK("Patient", PATIENT, "+family=mull", "+family=MÜLLER", "+family=Mueller,muller", "-family=Mueller",
          "-family=ludenscheidt", "+family:contains=ludens", "+family:contains=LÜDENS",
          "+family:exact=Müller-Lüdenscheidt", "-family:exact=muller-ludenscheidt", "-family:exact=Müller",
          "+name=loriot", "+name=Lori", "-name=oriot", "+name:contains=oriot", "+given=k", "+given=K.",
          "+name=Jürgen K. Müller-Lüdenscheidt", "+name=muller ludenscheidt, jurgen", "+name:contains=k muller",
          "-given:missing=true", "-name=x", "+name=x,lor");
    CHECK("Patient", "{\"address\":[{\"line\":[\"742 Evergreen Terrace\"],\"city\":\"Springfield\"}]}", "+address=742",
          "-address=evergreen", "+address:contains=evergreen", "+address=spring", "+address-city=springfield",
          "-address-state=springfield", "+address-state:missing=true");
}

static void test_references(void)
{
    const char *json = "{\"subject\":{\"reference\":\"Patient/1\",\"identifier\":{\"system\":\"s\",\"value\":\"v\"}},"
                       "\"performer\":[{\"reference\":\"https://o.example/f/Practitioner/2\"}]}";
    CHECK("Observation", json, "+subject=1", "+subject=Patient/1", "+subject=Patient/1/_history/9",
          "+subject=https://ours.example/fhir/R4/Patient/1", "-subject=Group/1", "-subject=2", "-subject=Patient/2",
          "+subject:Patient=1", "-subject:Group=1", "+patient=1", "+patient=Patient/1", "+patient:Patient=1",
          "+subject:identifier=s|v", "+subject:identifier=v", "-subject:identifier=|v", "+subject:identifier=s|",
          "-subject:identifier=t|v", "-subject:identifier=w", "-performer=2", "-performer=Practitioner/2",
          "+performer=https://o.example/f/Practitioner/2", "+performer=https://o.example/f/Practitioner/2/_history/1",
          "+performer:Practitioner=https://o.example/f/Practitioner/2", "-performer:missing=true",
          "+encounter:missing=true", "+subject=9,Patient/1", "-performer:identifier=v");
    CHECK("Observation", "{\"subject\":{\"identifier\":{\"value\":\"v\"}}}", "+subject:identifier=|v",
          "-subject:identifier=s|v", "+patient:identifier=v", "-subject=v", "+subject:missing=false");
    CHECK("QuestionnaireResponse", "{\"questionnaire\":\"http://q/x|1\"}", "+questionnaire=http://q/x",
          "+questionnaire=http://q/x|1", "-questionnaire=http://q/x|2");
}

static void test_uris(void)
{
    CHECK("Library", "{\"url\":\"http://x/a/b\"}", "+url=http://x/a/b", "-url=http://x/a", "-url=http://x/a/b/",
          "+url:below=http://x/a", "+url:below=http://x/a/", "+url:below=http://x/a/b", "-url:below=http://x/a/b/c",
          "-url:below=http://x/aa", "+url:below=http://x", "-url:missing=true");
    CHECK("Library", "{\"url\":\"http://x/ab\"}", "-url:below=http://x/a");
    CHECK("DocumentReference", "{\"content\":[{\"attachment\":{\"url\":\"Binary/1/_history/2\"}}]}",
          "+location=Binary/1", "+location=Binary/1/_history/2", "+location=https://ours.example/fhir/R4/Binary/1",
          "-location=Binary/2");
}

/* A day, searched by days and by longer and shorter values. */
static void test_dates(void)
{
    CHECK("Patient", PATIENT, "+birthdate=1970-05-12", "+birthdate=1970", "+birthdate=1970-05", "-birthdate=1970-06",
          "-birthdate=1970-05-12T10:00Z", "-birthdate=ne1970-05-12", "+birthdate=ne1970-05-13",
          "+birthdate=ne1970-05-12T10:00Z", "+birthdate=gt1970-05-11", "-birthdate=gt1970-05-12", "-birthdate=gt1970",
          "+birthdate=gt1970-05-12T10:00Z", "+birthdate=lt1970-05-13", "-birthdate=lt1970-05-12",
          "+birthdate=lt1970-05-12T10:00Z", "+birthdate=ge1970-05-12", "+birthdate=ge1970", "-birthdate=ge1970-05-13",
          "+birthdate=le1970-05-12", "+birthdate=le1970", "-birthdate=le1970-05-11", "+birthdate=sa1970-05-11",
          "-birthdate=sa1970-05-12", "-birthdate=sa1970-05-12T10:00Z", "+birthdate=eb1970-05-13",
          "-birthdate=eb1970-05-12", "+birthdate=ap1970-05-12", "+birthdate=ap1972", "-birthdate=ap2020",
          "+birthdate=ge1970-01-01&birthdate=le1970-12-31", "+birthdate=1960,1970", "-birthdate:missing=true");
}

static void test_periods(void)
{
    CHECK("Encounter", "{\"period\":{\"start\":\"2013-01-10\",\"end\":\"2013-01-20\"}}", "+date=2013-01",
          "-date=2013-01-15", "+date=gt2013-01-15", "-date=gt2013-01-20", "+date=lt2013-01-15", "-date=lt2013-01-10",
          "+date=ge2013-01-20T01:00Z", "+date=le2013-01-10T01:00Z", "-date=sa2013-01-15", "+date=sa2013-01-09",
          "+date=eb2013-01-21", "-date=eb2013-01-15", "+date=ne2013-01-15", "-date=ne2013");
    CHECK("Encounter", "{\"period\":{\"start\":\"2013-01-10\"}}", "-date=2013", "+date=gt2030", "+date=ge2030",
          "-date=lt2013-01-10", "+date=lt2013-01-11", "-date=eb9999", "+date=sa2013-01-09", "+date=ap2030");
    CHECK("Encounter", "{\"period\":{\"end\":\"2013-01-10\"}}", "-date=2013", "+date=lt1900", "+date=le1900",
          "-date=gt2013-01-10", "+date=gt2013-01-09", "-date=sa0001", "+date=eb2013-01-11");
    CHECK("Observation", "{\"effectiveTiming\":{\"event\":[\"2013-01-31\",\"2013-03-24\"]}}", "+date=2013",
          "+date=ap2013-02-01", "-date=2013-01", "-date=eb2013-03", "+date=gt2013-03-01");
}

/* ---- restrictions ---- */

/* Any of the queries, `|` between them. */
static fhir_restriction_t restriction_of(const char *queries)
{
    fhir_restriction_t restriction;
    char *state = NULL;
    char *query = apr_strtok(apr_pstrdup(pool, queries), "|", &state);
    restriction.alternatives = apr_array_make(pool, 2, sizeof(const apr_array_header_t *));
    for (; query; query = apr_strtok(NULL, "|", &state)) {
        apr_array_header_t *parameters;
        fhir_search_t *search = NULL;
        FHIR_ASSERT_OK(fhir_query_parse(&parameters, *query == '*' ? "" : query, pool));
        FHIR_ASSERT_OK(fhir_search_parse(&search, "Media", parameters, 1, &ADDRESSES, pool));
        APR_ARRAY_PUSH(restriction.alternatives, const apr_array_header_t *) = search->criteria;
    }
    return restriction;
}

/* Up to two restrictions; NULL: there is none. */
static int found_under(const char *query, const char *one, const char *other)
{
    fhir_store_resource_t stored = {0};
    fhir_resource_t resource = {0};
    apr_array_header_t *restrictions = apr_array_make(pool, 2, sizeof(fhir_restriction_t));
    apr_array_header_t *parameters;
    fhir_search_t *search = NULL;
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, MEDIA, strlen(MEDIA), &fhir_json_resource_limits, pool));
    resource.id = "homer";
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    FHIR_ASSERT_OK(fhir_search_parse(&search, "Media", parameters, 1, &ADDRESSES, pool));
    if (one) {
        APR_ARRAY_PUSH(restrictions, fhir_restriction_t) = restriction_of(one);
    }
    if (other) {
        APR_ARRAY_PUSH(restrictions, fhir_restriction_t) = restriction_of(other);
    }
    search->restrictions = restrictions;
    return fhir_search_matches(search, &resource, fhir_search_index("Media", "homer", &stored, &ADDRESSES, pool));
}

static void test_restrictions(void)
{
    CU_ASSERT_TRUE(found_under("", NULL, NULL));
    CU_ASSERT_FALSE(found_under("", "", NULL)); /* no alternative: nothing */
    CU_ASSERT_TRUE(found_under("", "*", NULL));
    CU_ASSERT_TRUE(found_under("", "_compartment=Patient/1", NULL));
    CU_ASSERT_FALSE(found_under("", "_compartment=Patient/2", NULL));
    CU_ASSERT_TRUE(found_under("", "_compartment=Patient/2|_id=homer", NULL));
    CU_ASSERT_TRUE(found_under("", "_id=homer|_compartment=Patient/2", NULL));
    CU_ASSERT_FALSE(found_under("", "_id=homer&_compartment=Patient/2|_id=marge", NULL));
    CU_ASSERT_TRUE(found_under("", "_id=marge|*", NULL));
    CU_ASSERT_TRUE(found_under("", "_compartment=Patient/1", "_id=homer"));
    CU_ASSERT_FALSE(found_under("", "_compartment=Patient/1", "_id=marge"));
    CU_ASSERT_FALSE(found_under("", "_id=marge", "_compartment=Patient/1"));
    CU_ASSERT_FALSE(found_under("", "*", ""));
    /* They narrow; what is asked for counts as before. */
    CU_ASSERT_FALSE(found_under("_id=marge", "*", NULL));
    CU_ASSERT_TRUE(found_under("subject=Patient/1", "_compartment=Patient/1", NULL));
}

/* ---- elements that searches look at ---- */

static int looks_at(const char *type, const char *parameter, const char *element)
{
    apr_array_header_t *elements = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(elements, const char *) = "nothing";
    if (element) {
        APR_ARRAY_PUSH(elements, const char *) = element;
    }
    return fhir_search_looks_at(type, parameter, elements);
}

static void test_looks_at(void)
{
    CU_ASSERT_TRUE(looks_at("Patient", "family", "name"));
    CU_ASSERT_TRUE(looks_at("Patient", "email", "telecom"));
    CU_ASSERT_TRUE(looks_at("Patient", "phonetic", "name"));
    CU_ASSERT_FALSE(looks_at("Patient", "family", "telecom"));
    CU_ASSERT_FALSE(looks_at("Patient", "family", "nam"));
    CU_ASSERT_FALSE(looks_at("Patient", "family", NULL));
    CU_ASSERT_TRUE(looks_at("Patient", "deceased", "deceased"));
    CU_ASSERT_TRUE(looks_at("Patient", "deceased", "deceasedBoolean"));
    CU_ASSERT_TRUE(looks_at("Patient", "death-date", "deceased"));
    CU_ASSERT_FALSE(looks_at("Patient", "death-date", "deceasedBoolean"));
    CU_ASSERT_TRUE(looks_at("Observation", "value-concept", "value"));
    CU_ASSERT_TRUE(looks_at("Observation", "combo-code", "component"));
    CU_ASSERT_TRUE(looks_at("Observation", "combo-code", "code"));
    CU_ASSERT_TRUE(looks_at("Observation", "patient", "subject"));
    CU_ASSERT_FALSE(looks_at("Nothing", "patient", "subject"));
}

static void test_looks_at_common(void)
{
    CU_ASSERT_TRUE(looks_at("Patient", "_tag", "meta"));
    CU_ASSERT_TRUE(looks_at("Patient", "_security", "meta"));
    CU_ASSERT_FALSE(looks_at("Patient", "_tag", "tag"));
    CU_ASSERT_FALSE(looks_at("Patient", "_id", "id"));
    CU_ASSERT_FALSE(looks_at("Patient", "_lastUpdated", "meta"));
    CU_ASSERT_TRUE(looks_at("Observation", "_compartment", "subject"));
    CU_ASSERT_TRUE(looks_at("Observation", "_compartment", "performer"));
    CU_ASSERT_FALSE(looks_at("Observation", "_compartment", "code"));
    CU_ASSERT_FALSE(looks_at("Observation", "_compartment", "meta"));
    CU_ASSERT_TRUE(looks_at("Patient", "_compartment", "link"));
    CU_ASSERT_TRUE(looks_at("Patient", "_compartment", "generalPractitioner"));
    CU_ASSERT_FALSE(looks_at("Patient", "_compartment", "managingOrganization"));
    CU_ASSERT_TRUE(looks_at("Media", "content", "content"));
    CU_ASSERT_FALSE(looks_at("Media", "content", "subject"));
    CU_ASSERT_TRUE(looks_at("Media", "*", "subject"));
    CU_ASSERT_FALSE(looks_at("Media", "*", "content"));
}

static const fhir_unit_test_t tests[] = {{"all and none", test_all_and_none},
                                         {"id, time and meta", test_own},
                                         {"compartments", test_compartments},
                                         {"tokens", test_tokens},
                                         {"strings", test_strings},
                                         {"references", test_references},
                                         {"uris", test_uris},
                                         {"dates", test_dates},
                                         {"periods", test_periods},
                                         {"restrictions", test_restrictions},
                                         {"elements that parameters look at", test_looks_at},
                                         {"elements that common parameters look at", test_looks_at_common},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("search_matches", tests)
