/* The searchable values of resources. */
#include "core/fhir/search_private.h"
#include "unit.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};

static apr_array_header_t *index_of(const char *type, const char *meta, const char *json)
{
    fhir_store_resource_t stored = {0};
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, json, strlen(json), &fhir_json_resource_limits, pool));
    stored.meta = meta;
    return fhir_search_index(type, "homer", &stored, &ADDRESSES, pool);
}

static const char *shown(const char *text)
{
    return text ? text : "-";
}

static const char *shown_time(apr_time_t time)
{
    if (time == FHIR_DATE_MIN || time == FHIR_DATE_MAX) {
        return time == FHIR_DATE_MIN ? "min" : "max";
    }
    return fhir_search_date_canonical("T", time, time, pool);
}

static const char *row_text(const fhir_index_value_t *row)
{
    switch (row->type) {
    case FHIR_SEARCH_STRING:
        return apr_psprintf(pool, "%s/%s", shown(row->text), shown(row->exact));
    case FHIR_SEARCH_DATE:
        return apr_psprintf(pool, "%s..%s", shown_time(row->low), shown_time(row->high));
    case FHIR_SEARCH_URI:
        return shown(row->code);
    case FHIR_SEARCH_TOKEN:
        return apr_psprintf(pool, "%s|%s%s%s", shown(row->system), shown(row->code), row->text ? " " : "",
                            row->text ? row->text : "");
    default:
        return row->identifier_value ? apr_psprintf(pool, "%s/%s %s|%s", shown(row->system), shown(row->code),
                                                    shown(row->identifier_system), row->identifier_value)
                                     : apr_psprintf(pool, "%s/%s", shown(row->system), shown(row->code));
    }
}

/* The rows of one parameter, with `; ` between them. */
static const char *rows(const apr_array_header_t *values, const char *name)
{
    const char *text = "";
    int i;
    for (i = 0; i < values->nelts; i++) {
        const fhir_index_value_t *row = &APR_ARRAY_IDX(values, i, fhir_index_value_t);
        if (strcmp(row->name, name) == 0) {
            text = apr_pstrcat(pool, text, *text ? "; " : "", row_text(row), NULL);
        }
    }
    return text;
}

static void check(const char *type, const char *json, const char *name, const char *expected)
{
    const char *got = rows(index_of(type, "", json), name);
    if (strcmp(got, expected) != 0) {
        printf("%s %s of %s\n  %s\n  %s\n", type, name, json, got, expected);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void check_meta(const char *meta, const char *name, const char *expected)
{
    const char *got = rows(index_of("Basic", meta, "{}"), name);
    if (strcmp(got, expected) != 0) {
        printf("%s of %s\n  %s\n  %s\n", name, meta, got, expected);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void test_tokens(void)
{
    check("Patient", "{\"active\":true}", "active", "|true");
    check("Patient", "{\"active\":false}", "active", "|false");
    check("Patient", "{\"gender\":\"male\"}", "gender", "|male");
    check("Patient", "{\"gender\":\"m\\u0061le\"}", "gender", "|male");
    check("Patient", "{}", "gender", "");
    check("Patient", "{\"gender\":\"\"}", "gender", "");
    check("Patient", "{\"gender\":null}", "gender", "");
    check("Patient",
          "{\"identifier\":[{\"system\":\"http://x\",\"value\":\"1\"},{\"value\":\"2\"},{\"system\":\"s\"}]}",
          "identifier", "http://x|1; |2; s|");
    check("Patient", "{\"identifier\":[{\"value\":\"1\",\"type\":{\"text\":\"Pass-Nr\"}}]}", "identifier",
          "|1 pass nr");
    check("Patient", "{\"identifier\":{\"value\":\"1\"}}", "identifier", "|1");
    check("Patient", "{\"identifier\":[{\"value\":\"1\"},{\"value\":\"1\"},{\"value\":\"1\",\"use\":\"old\"}]}",
          "identifier", "|1");
    check("Patient", "{\"identifier\":[{\"extension\":[]}]}", "identifier", "");
    check("Patient", "{\"identifier\":[null,7,{\"value\":7}]}", "identifier", "|7");
}

static void test_codeable_concepts(void)
{
    check("Observation",
          "{\"code\":{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"8302-2\",\"display\":\"Body Height\"},"
          "{\"code\":\"h\"}],\"text\":\"Größe\"}}",
          "code", "http://loinc.org|8302-2 body height; |h; | grosse");
    check("Observation", "{\"code\":{\"text\":\"Only text\"}}", "code", "| only text");
    check("Observation", "{\"code\":{\"coding\":[]}}", "code", "");
    check("Observation", "{\"category\":[{\"coding\":[{\"code\":\"a\"}]},{\"coding\":[{\"code\":\"b\"}]}]}", "category",
          "|a; |b");
    check("Encounter", "{\"class\":{\"system\":\"http://v3\",\"code\":\"AMB\",\"display\":\"ambulatory\"}}", "class",
          "http://v3|AMB ambulatory");
    check("Observation", "{\"component\":[{\"valueCodeableConcept\":{\"coding\":[{\"code\":\"c\"}]}}]}",
          "combo-value-concept", "|c");
}

static void test_contact_points(void)
{
    const char *json = "{\"telecom\":[{\"system\":\"email\",\"value\":\"Homer@Example.com\"},"
                       "{\"system\":\"phone\",\"value\":\"+1 555\",\"use\":\"home\"}]}";
    check("Patient", json, "email", "|homer@example.com");
    check("Patient", json, "phone", "|+1 555");
    check("Patient", json, "telecom", "email|homer@example.com; phone|+1 555");
    check("Patient", "{\"telecom\":[{\"value\":\"x\"}]}", "email", "");
}

static void test_deceased(void)
{
    check("Patient", "{}", "deceased", "|false");
    check("Patient", "{\"deceasedBoolean\":true}", "deceased", "|true");
    check("Patient", "{\"deceasedBoolean\":false}", "deceased", "|false");
    check("Patient", "{\"deceasedDateTime\":\"2015\"}", "deceased", "|true");
}

static void test_strings(void)
{
    const char *json = "{\"name\":[{\"family\":\"Müller\",\"given\":[\"Jürgen\",\"K.\"],\"prefix\":[\"Dr.\"]},"
                       "{\"text\":\"J M\"}]}";
    check("Patient", json, "family", "muller/Müller");
    check("Patient", json, "given", "jurgen/Jürgen; k/K.");
    check("Patient", json, "name",
          "muller/Müller; jurgen/Jürgen; k/K.; j m/J M; dr/Dr.; jurgen k muller/Jürgen K. Müller; "
          "muller jurgen k/Müller Jürgen K.");
    check("Patient", "{\"name\":[{\"given\":[\"A\",null,\"B\"]}]}", "name", "a/A; b/B");
    check("Patient", "{\"name\":{\"family\":\"A\",\"given\":[\"B\"]}}", "name", "a/A; b/B; b a/B A; a b/A B");
    check("Patient",
          "{\"address\":[{\"line\":[\"1 High St\",\"Flat 2\"],\"city\":\"Bern\",\"postalCode\":\"3000\",\"use\":"
          "\"home\"}]}",
          "address", "1 high st/1 High St; flat 2/Flat 2; bern/Bern; 3000/3000");
    check("Patient", "{\"address\":[{\"city\":\"Bern\"}]}", "address-city", "bern/Bern");
    check("DocumentReference", "{\"description\":\"A  b\"}", "description", "a b/A  b");
    check("Patient", "{\"name\":\"x\"}", "family", "");
    check("Patient", "{\"name\":[{\"family\":7}]}", "family", "");
    check("Organization", "{\"name\":\"ACME\"}", "name", "acme/ACME");
}

static void test_references(void)
{
    check("Observation", "{\"subject\":{\"reference\":\"Patient/1\"}}", "subject", "Patient/1");
    check("Observation", "{\"subject\":{\"reference\":\"Patient/1\"}}", "patient", "Patient/1");
    check("Observation", "{\"subject\":{\"reference\":\"Group/1\"}}", "patient", "");
    check("Observation", "{\"subject\":{\"reference\":\"Group/1\"}}", "subject", "Group/1");
    check("Observation", "{\"subject\":{\"reference\":\"Patient/1/_history/2\"}}", "subject", "Patient/1");
    check("Observation", "{\"subject\":{\"reference\":\"https://ours.example/fhir/R4/Patient/1\"}}", "subject",
          "Patient/1");
    check("Observation", "{\"subject\":{\"reference\":\"https://o.example/x/Patient/1/_history/3\"}}", "subject",
          "Patient/https://o.example/x/Patient/1");
    check("Observation", "{\"subject\":{\"reference\":\"https://o.example/x/Group/1\"}}", "patient", "");
    check("Observation", "{\"subject\":{\"reference\":\"https://o.example\"}}", "subject", "/https://o.example");
    check("Observation", "{\"subject\":{\"reference\":\"urn:uuid:c757873d-ec9a-4326-a141-556f43239520\"}}", "patient",
          "/urn:uuid:c757873d-ec9a-4326-a141-556f43239520");
    check("Observation", "{\"subject\":{\"reference\":\"#p\"}}", "subject", "/#p");
    check("Observation", "{\"subject\":{\"reference\":\"#p\",\"type\":\"Group\"}}", "patient", "");
    check("Observation", "{\"subject\":{\"identifier\":{\"system\":\"s\",\"value\":\"v\"}}}", "subject", "/ s|v");
    check("Observation", "{\"subject\":{\"type\":\"Patient\",\"identifier\":{\"value\":\"v\"}}}", "patient",
          "Patient/ |v");
    check("Observation", "{\"subject\":{\"reference\":\"Patient/1\",\"identifier\":{\"value\":\"v\"}}}", "subject",
          "Patient/1 |v");
    check("Observation", "{\"subject\":{\"display\":\"Homer\"}}", "subject", "");
    check("Observation", "{\"performer\":[{\"reference\":\"Patient/1\"},{\"reference\":\"Patient/1\"}]}", "performer",
          "Patient/1");
    check("DocumentReference", "{\"context\":{\"encounter\":[{\"reference\":\"Encounter/1\"}]}}", "encounter",
          "Encounter/1");
}

static void test_canonicals(void)
{
    check("QuestionnaireResponse", "{\"questionnaire\":\"http://q/x\"}", "questionnaire", "/http://q/x");
    check("QuestionnaireResponse", "{\"questionnaire\":\"http://q/x|1.0\"}", "questionnaire",
          "/http://q/x|1.0; /http://q/x");
    check("QuestionnaireResponse", "{\"questionnaire\":\"Questionnaire/1\"}", "questionnaire", "Questionnaire/1");
    check("QuestionnaireResponse", "{\"questionnaire\":\"https://ours.example/fhir/R4/Questionnaire/1|2\"}",
          "questionnaire", "Questionnaire/1");
}

static void test_uris(void)
{
#define DOCUMENT(url) "{\"content\":[{\"attachment\":{\"url\":\"" url "\"}}]}"
    check("Library", "{\"url\":\"http://x/y\"}", "url", "http://x/y");
    check("Library", "{\"url\":\"http://x/y|1\"}", "url", "http://x/y|1; http://x/y");
    check("Library", "{\"url\":7}", "url", "");
    check("DocumentReference", DOCUMENT("Binary/1"), "location", "Binary/1");
    check("DocumentReference", DOCUMENT("Binary/1/_history/2"), "location", "Binary/1/_history/2; Binary/1");
}

static void test_dates(void)
{
    check("Patient", "{\"birthDate\":\"1970-01\"}", "birthdate",
          "1970-01-01T00:00:00.000000Z..1970-01-31T23:59:59.999999Z");
    check("Patient", "{\"birthDate\":\"1970-13\"}", "birthdate", "");
    check("Patient", "{\"birthDate\":1970}", "birthdate", "");
    check("Observation", "{\"effectiveInstant\":\"2013-01-14T10:00:00.5+01:00\"}", "date",
          "2013-01-14T09:00:00.500000Z..2013-01-14T09:00:00.599999Z");
    check("Encounter", "{\"period\":{\"start\":\"2013-01-14\",\"end\":\"2013-02\"}}", "date",
          "2013-01-14T00:00:00.000000Z..2013-02-28T23:59:59.999999Z");
    check("Encounter", "{\"period\":{\"start\":\"2013-01-14\"}}", "date", "2013-01-14T00:00:00.000000Z..max");
    check("Encounter", "{\"period\":{\"end\":\"2013-02\"}}", "date", "min..2013-02-28T23:59:59.999999Z");
    check("Encounter", "{\"period\":{\"extension\":[]}}", "date", "");
    check("Encounter", "{\"period\":{\"start\":\"x\",\"end\":\"2013\"}}", "date", "");
    check("Encounter", "{\"period\":{\"start\":\"2014\",\"end\":\"2013\"}}", "date", "");
}

/* search.html#date: only the outer limits of a Timing count. */
static void test_timings(void)
{
    check("Observation", "{\"effectiveTiming\":{\"event\":[\"2013-03-01\",\"x\",\"2013-01-01\",\"2013-02-01\"]}}",
          "date", "2013-01-01T00:00:00.000000Z..2013-03-01T23:59:59.999999Z");
    check("Observation",
          "{\"effectiveTiming\":{\"event\":[\"2013-03-01\"],\"repeat\":{\"boundsPeriod\":{\"start\":\"2013-02\"}}}}",
          "date", "2013-02-01T00:00:00.000000Z..max");
    check("Observation", "{\"effectiveTiming\":{\"repeat\":{\"frequency\":1}}}", "date", "");
    check("Observation", "{\"effectiveTiming\":{\"event\":[]}}", "date", "");
}

static void test_meta(void)
{
    check_meta("\"tag\":[{\"system\":\"http://t\",\"code\":\"a\",\"display\":\"Tag A\"},{\"code\":\"b\"}]", "_tag",
               "http://t|a tag a; |b");
    check_meta("\"security\":[{\"code\":\"R\"}]", "_security", "|R");
    check_meta("\"profile\":[\"http://p\",\"http://q|1\"]", "_profile", "http://p; http://q|1; http://q");
    check_meta("\"source\":\"http://s#1\"", "_source", "http://s#1");
    check_meta("", "_tag", "");
    check_meta(NULL, "_tag", "");
    check_meta("\"tag\":[],\"profile\":\"x\"", "_profile", "x");
}

/* Shapes that no definition allows: nothing breaks. */
static void test_odd_shapes(void)
{
    static const char *const odd[] = {"null",
                                      "7",
                                      "\"x\"",
                                      "[]",
                                      "{}",
                                      "[[[]]]",
                                      "[null,true]",
                                      "{\"coding\":7}",
                                      "{\"value\":{}}",
                                      "{\"family\":{}}",
                                      "{\"start\":{}}",
                                      "{\"reference\":[1]}",
                                      "{\"identifier\":{\"value\":[]}}",
                                      "{\"coding\":[null,[],{}]}",
                                      "{\"event\":7,\"repeat\":[]}"};
    static const char *const members[] = {"identifier", "name",    "code",   "subject",   "effectivePeriod",
                                          "category",   "telecom", "period", "birthDate", "effectiveTiming"};
    static const char *const types[] = {"Patient", "Observation", "Encounter"};
    apr_size_t i;
    for (i = 0; i < sizeof(odd) / sizeof(odd[0]) * 10 * 3; i++) {
        const char *json = apr_psprintf(pool, "{\"%s\":%s}", members[i % 10], odd[i / 30]);
        CU_ASSERT_PTR_NOT_NULL(index_of(types[i / 10 % 3], "", json));
    }
    CU_ASSERT_EQUAL(index_of("Observation", "", "[]")->nelts, 0);
    CU_ASSERT_EQUAL(index_of("Observation", "x", "{}")->nelts, 0);
    CU_ASSERT_EQUAL(index_of("NoSuchType", "", "{\"name\":\"x\"}")->nelts, 0);
}

static void test_long_values(void)
{
    char text[FHIR_INDEX_TEXT_MAX + 100];
    const fhir_index_value_t *row;
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    row = &APR_ARRAY_IDX(index_of("Patient", "", apr_psprintf(pool, "{\"name\":[{\"family\":\"%s\"}]}", text)), 0,
                         fhir_index_value_t);
    while (strcmp(row->name, "family") != 0) {
        row++;
    }
    CU_ASSERT_EQUAL(strlen(row->text), FHIR_INDEX_TEXT_MAX);
    CU_ASSERT_EQUAL(strlen(row->exact), FHIR_INDEX_TEXT_MAX);
}

#define COMPARTMENTS(type, json, expected) check(type, json, "_compartment", expected)

/* The resource is `homer`. */
static void test_compartments(void)
{
    COMPARTMENTS("Patient", "{}", "Patient/homer");
    COMPARTMENTS("Encounter", "{\"subject\":{\"reference\":\"Patient/1\"}}", "Encounter/homer; Patient/1");
    COMPARTMENTS("Practitioner", "{}", "Practitioner/homer");
    COMPARTMENTS("RelatedPerson", "{\"patient\":{\"reference\":\"Patient/1\"}}", "Patient/1; RelatedPerson/homer");
    COMPARTMENTS("Device", "{\"patient\":{\"reference\":\"Patient/1\"}}", "Device/homer");
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"https://ours.example/fhir/R4/Patient/1/_history/2\"}}",
                 "Patient/1");
    COMPARTMENTS("Patient",
                 "{\"link\":[{\"other\":{\"reference\":\"Patient/2\"}},"
                 "{\"other\":{\"reference\":\"RelatedPerson/3\"}}]}",
                 "Patient/homer; Patient/2; RelatedPerson/3");
    COMPARTMENTS("Patient", "{\"link\":[{\"other\":{\"reference\":\"Patient/homer\"}}]}", "Patient/homer");
    COMPARTMENTS("Observation",
                 "{\"subject\":{\"reference\":\"Patient/1\"},\"performer\":[{\"reference\":\"Practitioner/2\"},"
                 "{\"reference\":\"Patient/1\"},{\"reference\":\"Patient/4\"}],"
                 "\"encounter\":{\"reference\":\"Encounter/5\"},\"device\":{\"reference\":\"Device/6\"}}",
                 "Device/6; Encounter/5; Patient/1; Patient/4; Practitioner/2");
    COMPARTMENTS("List", "{}", "");
    COMPARTMENTS("Basic", "{\"subject\":{\"reference\":\"Patient/1\"}}", "Patient/1"); /* `patient` is of subject */
}

static void test_outside_compartments(void)
{
    /* Other types, parameters that no compartment lists, other servers, contained and logical references. */
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"Group/1\"},\"device\":{\"reference\":\"Device/1\"}}", "");
    COMPARTMENTS("Patient", "{\"generalPractitioner\":[{\"reference\":\"Patient/9\"}]}", "Patient/homer");
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"https://other.example/Patient/1\"}}", "");
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"https://ours.example/fhir/R4/x/Patient/1\"}}", "");
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"#p\",\"type\":\"Patient\"}}", "");
    COMPARTMENTS("Media", "{\"subject\":{\"identifier\":{\"value\":\"Patient/1\"},\"type\":\"Patient\"}}", "");
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"Patient/1,2\"}}", "");
    COMPARTMENTS("Media", "{\"subject\":{\"reference\":\"Patient/1?x\"}}", "");
    COMPARTMENTS("Task", "{\"for\":{\"reference\":\"Patient/1\"}}", "");
    COMPARTMENTS("Binary", "{\"securityContext\":{\"reference\":\"Patient/1\"}}", "");
    COMPARTMENTS("NoSuchType", "{\"subject\":{\"reference\":\"Patient/1\"}}", "");
    /* What is contained is not the resource. */
    COMPARTMENTS("Media",
                 "{\"contained\":[{\"resourceType\":\"Patient\",\"id\":\"1\"},{\"resourceType\":\"Media\","
                 "\"subject\":{\"reference\":\"Patient/1\"}}]}",
                 "");
}

static void test_compartments_without_id(void)
{
    fhir_store_resource_t stored = {0};
    const char *json = "{\"link\":[{\"other\":{\"reference\":\"Patient/2\"}}]}";
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, json, strlen(json), &fhir_json_resource_limits, pool));
    CU_ASSERT_STRING_EQUAL(rows(fhir_search_index("Patient", NULL, &stored, &ADDRESSES, pool), "_compartment"),
                           "Patient/2");
    stored.document = NULL;
    CU_ASSERT_STRING_EQUAL(rows(fhir_search_index("Patient", "1", &stored, &ADDRESSES, pool), "_compartment"),
                           "Patient/1");
}

/* Many values cost time in proportion. */
static void test_many_values(void)
{
    fhir_text_t json;
    apr_array_header_t *values;
    int i;
    fhir_text_init(&json, pool);
    fhir_text_add(&json, "{\"identifier\":[{\"value\":\"0\"}");
    for (i = 1; i < 20000; i++) {
        fhir_text_addf(&json, ",{\"value\":\"%d\"}", i);
    }
    fhir_text_add(&json, "]}");
    values = index_of("Observation", "", json.text);
    CU_ASSERT_EQUAL(values->nelts, 20000);
}

/* Beyond the limit one more value says that it was passed. */
static void test_too_many_values(void)
{
    fhir_text_t json;
    int i;
    fhir_text_init(&json, pool);
    fhir_text_add(&json, "{\"identifier\":[{\"value\":\"0\"}");
    for (i = 1; i < FHIR_INDEX_VALUES_MAX; i++) {
        fhir_text_addf(&json, ",{\"value\":\"%d\"}", i);
    }
    CU_ASSERT_EQUAL(index_of("Observation", "", apr_pstrcat(pool, json.text, "]}", NULL))->nelts,
                    FHIR_INDEX_VALUES_MAX);
    for (; i < FHIR_INDEX_VALUES_MAX + 9; i++) {
        fhir_text_addf(&json, ",{\"value\":\"%d\"}", i);
    }
    CU_ASSERT_EQUAL(index_of("Observation", "", apr_pstrcat(pool, json.text, "]}", NULL))->nelts,
                    FHIR_INDEX_VALUES_MAX + 1);
}

static const fhir_unit_test_t tests[] = {{"tokens", test_tokens},
                                         {"codeable concepts", test_codeable_concepts},
                                         {"contact points", test_contact_points},
                                         {"deceased", test_deceased},
                                         {"strings", test_strings},
                                         {"references", test_references},
                                         {"canonicals", test_canonicals},
                                         {"uris", test_uris},
                                         {"dates", test_dates},
                                         {"timings", test_timings},
                                         {"meta", test_meta},
                                         {"compartments", test_compartments},
                                         {"outside of compartments", test_outside_compartments},
                                         {"compartments of a resource without id", test_compartments_without_id},
                                         {"odd shapes", test_odd_shapes},
                                         {"long values", test_long_values},
                                         {"many values", test_many_values},
                                         {"too many values", test_too_many_values},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("search_index", tests)
