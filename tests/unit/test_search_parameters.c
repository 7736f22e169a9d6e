/* The R4 search parameters: none missing for the types that people search most, values where the definitions say, and
 * every path leads to something that the search type can read. */
#include "core/fhir/search_parameters.h"
#include "core/fhir/structure.h"
#include "tests/unit/unit.h"

/* What R4 lists for the types that carry attachments, by name; quantities, numbers and composites aside. */
static const struct {
    const char *type;
    const char *names;
} COMPLETE[] = {
    {"Communication", "based-on category encounter identifier instantiates-canonical instantiates-uri medium part-of "
                      "patient received recipient sender sent status subject"},
    {"CommunicationRequest", "authored based-on category encounter group-identifier identifier medium occurrence "
                             "patient priority recipient replaces requester sender status subject"},
    {"Consent", "action actor category consentor data date identifier organization patient period purpose scope "
                "security-label source-reference status"},
    {"Contract", "authority domain identifier instantiates issued patient signer status subject url"},
    {"DiagnosticReport", "based-on category code conclusion date encounter identifier issued media patient performer "
                         "result results-interpreter specimen status subject"},
    {"DocumentReference",
     "authenticator author category contenttype custodian date description encounter event facility format identifier "
     "language location patient period related relatesto relation security-label setting status subject type"},
    {"Encounter", "account appointment based-on class date diagnosis episode-of-care identifier location "
                  "location-period part-of participant participant-type patient practitioner reason-code "
                  "reason-reference service-provider special-arrangement status subject type"},
    {"Library", "composed-of content-type context context-type date depends-on derived-from description effective "
                "identifier jurisdiction name predecessor publisher status successor title topic type url version"},
    {"Media", "based-on created device encounter identifier modality operator patient site status subject type view"},
    {"Observation", "based-on category code combo-code combo-data-absent-reason combo-value-concept component-code "
                    "component-data-absent-reason component-value-concept data-absent-reason date derived-from device "
                    "encounter focus has-member identifier method part-of patient performer specimen status subject "
                    "value-concept value-date value-string"},
    {"Patient", "active address address-city address-country address-postalcode address-state address-use birthdate "
                "death-date deceased email family gender general-practitioner given identifier language link name "
                "organization phone phonetic telecom"},
    {"Person", "address address-city address-country address-postalcode address-state address-use birthdate email "
               "gender identifier link name organization patient phone phonetic practitioner relatedperson telecom"},
    {"Practitioner", "active address address-city address-country address-postalcode address-state address-use "
                     "communication email family gender given identifier name phone phonetic telecom"},
    {"QuestionnaireResponse",
     "author authored based-on encounter identifier part-of patient questionnaire source status subject"},
    {"RelatedPerson", "active address address-city address-country address-postalcode address-state address-use "
                      "birthdate email gender identifier name patient phone phonetic relationship telecom"},
};

static void test_complete_types(void)
{
    apr_size_t i;
    for (i = 0; i < sizeof(COMPLETE) / sizeof(COMPLETE[0]); i++) {
        int count;
        int at;
        const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, COMPLETE[i].type);
        const char *names = "";
        for (at = 0; at < count; at++) {
            names = apr_pstrcat(pool, names, at ? " " : "", parameters[at].name, NULL);
        }
        CU_ASSERT_STRING_EQUAL(names, COMPLETE[i].names);
    }
}

typedef struct expected_t {
    const char *type;
    const char *name;
    fhir_search_type_t search_type;
    const char *paths;
    const char *targets;
} expected_t;

static const expected_t EXPECTED[] = {
    {"Patient", "identifier", FHIR_SEARCH_TOKEN, "identifier", NULL},
    {"Patient", "birthdate", FHIR_SEARCH_DATE, "birthDate", NULL},
    {"Patient", "family", FHIR_SEARCH_STRING, "name.family", NULL},
    {"Patient", "given", FHIR_SEARCH_STRING, "name.given", NULL},
    {"Patient", "name", FHIR_SEARCH_STRING, "name.family|name.given|name.text|name.prefix|name.suffix", NULL},
    {"Patient", "address", FHIR_SEARCH_STRING,
     "address.text|address.line|address.city|address.district|address.state|address.postalCode|address.country", NULL},
    {"Patient", "address-postalcode", FHIR_SEARCH_STRING, "address.postalCode", NULL},
    {"Patient", "gender", FHIR_SEARCH_TOKEN, "gender", NULL},
    {"Patient", "phone", FHIR_SEARCH_TOKEN, "telecom[system=phone].value", NULL},
    {"Patient", "email", FHIR_SEARCH_TOKEN, "telecom[system=email].value", NULL},
    {"Patient", "telecom", FHIR_SEARCH_TOKEN, "telecom", NULL},
    {"Patient", "active", FHIR_SEARCH_TOKEN, "active", NULL},
    {"Patient", "deceased", FHIR_SEARCH_TOKEN, "deceasedBoolean|deceasedDateTime=true|=false", NULL},
    {"Patient", "death-date", FHIR_SEARCH_DATE, "deceasedDateTime", NULL},
    {"Patient", "general-practitioner", FHIR_SEARCH_REFERENCE, "generalPractitioner", NULL},
    {"Patient", "organization", FHIR_SEARCH_REFERENCE, "managingOrganization", NULL},
    {"Patient", "link", FHIR_SEARCH_REFERENCE, "link.other", NULL},
    {"Person", "patient", FHIR_SEARCH_REFERENCE, "link.target", "Patient"},
    {"Person", "relatedperson", FHIR_SEARCH_REFERENCE, "link.target", "RelatedPerson"},
    {"Person", "link", FHIR_SEARCH_REFERENCE, "link.target", NULL},
    {"RelatedPerson", "patient", FHIR_SEARCH_REFERENCE, "patient", NULL},
    {"Media", "patient", FHIR_SEARCH_REFERENCE, "subject", "Patient"},
    {"Media", "subject", FHIR_SEARCH_REFERENCE, "subject", NULL},
    {"Media", "created", FHIR_SEARCH_DATE, "createdDateTime|createdPeriod", NULL},
    {"Media", "based-on", FHIR_SEARCH_REFERENCE, "basedOn", NULL},
    {"DocumentReference", "subject", FHIR_SEARCH_REFERENCE, "subject", NULL},
    {"DocumentReference", "patient", FHIR_SEARCH_REFERENCE, "subject", "Patient"},
    {"DocumentReference", "author", FHIR_SEARCH_REFERENCE, "author", NULL},
    {"DocumentReference", "encounter", FHIR_SEARCH_REFERENCE, "context.encounter", NULL},
    {"DocumentReference", "date", FHIR_SEARCH_DATE, "date", NULL},
    {"DocumentReference", "period", FHIR_SEARCH_DATE, "context.period", NULL},
    {"DocumentReference", "type", FHIR_SEARCH_TOKEN, "type", NULL},
    {"DocumentReference", "category", FHIR_SEARCH_TOKEN, "category", NULL},
    {"DocumentReference", "identifier", FHIR_SEARCH_TOKEN, "masterIdentifier|identifier", NULL},
    {"DocumentReference", "contenttype", FHIR_SEARCH_TOKEN, "content.attachment.contentType", NULL},
    {"DocumentReference", "location", FHIR_SEARCH_URI, "content.attachment.url", NULL},
    {"DocumentReference", "relatesto", FHIR_SEARCH_REFERENCE, "relatesTo.target", NULL},
    {"DiagnosticReport", "date", FHIR_SEARCH_DATE, "effectiveDateTime|effectivePeriod", NULL},
    {"DiagnosticReport", "issued", FHIR_SEARCH_DATE, "issued", NULL},
    {"DiagnosticReport", "result", FHIR_SEARCH_REFERENCE, "result", NULL},
    {"DiagnosticReport", "media", FHIR_SEARCH_REFERENCE, "media.link", NULL},
    {"DiagnosticReport", "code", FHIR_SEARCH_TOKEN, "code", NULL},
    {"Observation", "value-concept", FHIR_SEARCH_TOKEN, "valueCodeableConcept", NULL},
    {"Observation", "value-string", FHIR_SEARCH_STRING, "valueString|valueCodeableConcept.text", NULL},
    {"Observation", "value-date", FHIR_SEARCH_DATE, "valueDateTime|valuePeriod", NULL},
    {"Observation", "combo-code", FHIR_SEARCH_TOKEN, "code|component.code", NULL},
    {"Observation", "date", FHIR_SEARCH_DATE, "effectiveDateTime|effectivePeriod|effectiveTiming|effectiveInstant",
     NULL},
    {"Communication", "sent", FHIR_SEARCH_DATE, "sent", NULL},
    {"Communication", "sender", FHIR_SEARCH_REFERENCE, "sender", NULL},
    {"Communication", "recipient", FHIR_SEARCH_REFERENCE, "recipient", NULL},
    {"CommunicationRequest", "occurrence", FHIR_SEARCH_DATE, "occurrenceDateTime", NULL},
    {"Consent", "data", FHIR_SEARCH_REFERENCE, "provision.data.reference", NULL},
    {"Consent", "date", FHIR_SEARCH_DATE, "dateTime", NULL},
    {"Consent", "source-reference", FHIR_SEARCH_REFERENCE, "sourceReference", NULL},
    {"Contract", "signer", FHIR_SEARCH_REFERENCE, "signer.party", NULL},
    {"Contract", "instantiates", FHIR_SEARCH_URI, "instantiatesUri", NULL},
    {"QuestionnaireResponse", "questionnaire", FHIR_SEARCH_REFERENCE, "questionnaire", NULL},
    {"Library", "composed-of", FHIR_SEARCH_REFERENCE, "relatedArtifact[type=composed-of].resource", NULL},
    {"Library", "context", FHIR_SEARCH_TOKEN, "useContext.valueCodeableConcept", NULL},
    {"Library", "url", FHIR_SEARCH_URI, "url", NULL},
    {"Encounter", "practitioner", FHIR_SEARCH_REFERENCE, "participant.individual", "Practitioner"},
    {"Encounter", "participant", FHIR_SEARCH_REFERENCE, "participant.individual", NULL},
    {"Encounter", "class", FHIR_SEARCH_TOKEN, "class", NULL},
    {"Encounter", "location", FHIR_SEARCH_REFERENCE, "location.location", NULL},
    {"Encounter", "diagnosis", FHIR_SEARCH_REFERENCE, "diagnosis.condition", NULL},
    {"Condition", "onset-date", FHIR_SEARCH_DATE, "onsetDateTime|onsetPeriod", NULL},
    {"MedicationRequest", "code", FHIR_SEARCH_TOKEN, "medicationCodeableConcept", NULL},
    {"MedicationRequest", "medication", FHIR_SEARCH_REFERENCE, "medicationReference", NULL},
    {"AuditEvent", "patient", FHIR_SEARCH_REFERENCE, "agent.who|entity.what", "Patient"},
    {"DeviceUseStatement", "patient", FHIR_SEARCH_REFERENCE, "subject", "Patient"},
    {"Group", "value", FHIR_SEARCH_TOKEN, "characteristic.valueCodeableConcept|characteristic.valueBoolean", NULL},
    {"InsurancePlan", "name", FHIR_SEARCH_STRING, "name|alias", NULL},
    {"Task", "patient", FHIR_SEARCH_REFERENCE, "for", "Patient"},
};

static void test_values_are_where_r4_says(void)
{
    apr_size_t i;
    for (i = 0; i < sizeof(EXPECTED) / sizeof(EXPECTED[0]); i++) {
        const expected_t *expected = &EXPECTED[i];
        const fhir_search_parameter_t *found = fhir_search_parameter(expected->type, expected->name);
        int right = found && found->type == expected->search_type && !strcmp(found->name, expected->name) &&
                    !strcmp(found->paths, expected->paths) && !found->targets == !expected->targets &&
                    (!found->targets || !strcmp(found->targets, expected->targets));
        CU_ASSERT(right);
        if (!right) {
            printf("%s.%s: %s %s\n", expected->type, expected->name, found ? found->paths : "missing",
                   found && found->targets ? found->targets : "");
        }
    }
}

static void test_unknown(void)
{
    int count = 7;
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Patient", "photo"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Patient", "Name"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Patient", ""));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Patient", NULL));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Patient", "_id"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Observation", "value-quantity"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("Observation", "code-value-concept"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("patient", "name"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter("", "name"));
    CU_ASSERT_PTR_NULL(fhir_search_parameter(NULL, "name"));
    CU_ASSERT_PTR_NULL(fhir_search_parameters(&count, "Nothing"));
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_PTR_NULL(fhir_search_parameters(&count, "Binary")); /* R4 has none for it */
    CU_ASSERT_EQUAL(count, 0);
}

/* ---- the whole table against the structures ---- */

/* A member without its filter; the filter must name a code of the item. */
static fhir_element_kind_t follow_member(const fhir_structure_t **element, char *member)
{
    const fhir_structure_t *parent = *element;
    char *filter = strchr(member, '[');
    fhir_element_kind_t kind;
    if (filter) {
        *filter++ = '\0';
    }
    kind = fhir_structure_element(element, parent, member, strlen(member));
    if (filter) {
        const fhir_structure_t *nothing;
        CU_ASSERT_EQUAL(fhir_structure_element(&nothing, *element, filter, strcspn(filter, "=")),
                        FHIR_ELEMENT_PRIMITIVE);
    }
    return kind;
}

static fhir_element_kind_t follow(const char *type, const char *path)
{
    const fhir_structure_t *element = fhir_structure_of_resource(type);
    fhir_element_kind_t kind = FHIR_ELEMENT_UNKNOWN;
    char *state = NULL;
    char *member = apr_strtok(apr_pstrdup(pool, path), ".", &state);
    for (; member; member = apr_strtok(NULL, ".", &state)) {
        kind = follow_member(&element, member);
    }
    return kind;
}

static int readable(fhir_search_type_t type, fhir_element_kind_t kind)
{
    switch (type) {
    case FHIR_SEARCH_TOKEN:
        return kind == FHIR_ELEMENT_PRIMITIVE || kind == FHIR_ELEMENT_COMPLEX || kind == FHIR_ELEMENT_URL;
    case FHIR_SEARCH_STRING:
        return kind == FHIR_ELEMENT_PRIMITIVE;
    case FHIR_SEARCH_REFERENCE:
        return kind == FHIR_ELEMENT_REFERENCE || kind == FHIR_ELEMENT_URL;
    case FHIR_SEARCH_DATE:
        return kind == FHIR_ELEMENT_PRIMITIVE || kind == FHIR_ELEMENT_COMPLEX;
    case FHIR_SEARCH_URI:
        return kind == FHIR_ELEMENT_URL;
    default:
        return 0;
    }
}

static void check_paths(const char *type, const fhir_search_parameter_t *parameter)
{
    char *state = NULL;
    char *path = apr_strtok(apr_pstrdup(pool, parameter->paths), "|", &state);
    CU_ASSERT_PTR_NOT_NULL(path);
    for (; path; path = apr_strtok(NULL, "|", &state)) {
        char *constant = strstr(path, "]") ? NULL : strchr(path, '=');
        if (constant) {
            *constant = '\0';
        }
        if (*path && !readable(parameter->type, follow(type, path))) {
            CU_FAIL();
            printf("%s.%s: %s\n", type, parameter->name, path);
        }
    }
}

static void check_targets(const fhir_search_parameter_t *parameter)
{
    char *state = NULL;
    char *target = apr_strtok(apr_pstrdup(pool, parameter->targets ? parameter->targets : ""), "|", &state);
    CU_ASSERT(!parameter->targets || (parameter->type == FHIR_SEARCH_REFERENCE && target));
    CU_ASSERT(strcmp(parameter->name, "patient") != 0 || !parameter->targets || !strcmp(parameter->targets, "Patient"));
    for (; target; target = apr_strtok(NULL, "|", &state)) {
        CU_ASSERT_PTR_NOT_NULL(fhir_structure_of_resource(target));
    }
}

static void test_every_path_leads_to_values(void)
{
    const char *const *types = fhir_structure_resource_types();
    int total = 0;
    for (; *types; types++) {
        int count;
        int i;
        const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, *types);
        total += count;
        for (i = 0; i < count; i++) {
            CU_ASSERT(i == 0 || strcmp(parameters[i - 1].name, parameters[i].name) < 0);
            CU_ASSERT_PTR_EQUAL(fhir_search_parameter(*types, parameters[i].name), &parameters[i]);
            check_paths(*types, &parameters[i]);
            check_targets(&parameters[i]);
        }
    }
    CU_ASSERT_EQUAL(total, 1576); /* so no row hides behind an unknown type */
}

static const fhir_unit_test_t TESTS[] = {
    {"nothing is missing for the types with attachments", test_complete_types},
    {"values are where R4 says", test_values_are_where_r4_says},
    {"unknown types and names", test_unknown},
    {"every path leads to values", test_every_path_leads_to_values},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("search_parameters", TESTS)
