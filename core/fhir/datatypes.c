/* The table of FHIR R4 datatypes. */
#include "datatypes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What every element that is no resource may have. */
#define ELEMENT                                                                                                        \
    {"id", "string", 0, 1},                                                                                            \
    {                                                                                                                  \
        "extension", "Extension", 1, 0                                                                                 \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, 0, 0                                                                                               \
    }

/* id and extensions of a primitive: the `_name` members of JSON. */
static const fhir_element_t ONLY_ELEMENT[] = {ELEMENT, END};
static const fhir_element_t EXTENSION[] = {ELEMENT, {"url", "uri", 0, 1}, {"value[x]", "*", 0, 0}, END};
static const fhir_element_t META[] = {ELEMENT,
                                      {"versionId", "id", 0, 0},
                                      {"lastUpdated", "instant", 0, 0},
                                      {"source", "uri", 0, 0},
                                      {"profile", "canonical", 1, 0},
                                      {"security", "Coding", 1, 0},
                                      {"tag", "Coding", 1, 0},
                                      END};
static const fhir_element_t CODING[] = {ELEMENT,
                                        {"system", "uri", 0, 0},
                                        {"version", "string", 0, 0},
                                        {"code", "code", 0, 0},
                                        {"display", "string", 0, 0},
                                        {"userSelected", "boolean", 0, 0},
                                        END};
static const fhir_element_t REFERENCE[] = {ELEMENT,
                                           {"reference", "string", 0, 0},
                                           {"type", "uri", 0, 0},
                                           {"identifier", "Identifier", 0, 0},
                                           {"display", "string", 0, 0},
                                           END};
static const fhir_element_t IDENTIFIER[] = {ELEMENT,
                                            {"use", "code", 0, 0},
                                            {"type", "CodeableConcept", 0, 0},
                                            {"system", "uri", 0, 0},
                                            {"value", "string", 0, 0},
                                            {"period", "Period", 0, 0},
                                            {"assigner", "Reference", 0, 0},
                                            END};
static const fhir_element_t CODEABLE_CONCEPT[] = {ELEMENT, {"coding", "Coding", 1, 0}, {"text", "string", 0, 0}, END};
static const fhir_element_t PERIOD[] = {ELEMENT, {"start", "dateTime", 0, 0}, {"end", "dateTime", 0, 0}, END};
static const fhir_element_t QUANTITY[] = {ELEMENT,
                                          {"value", "decimal", 0, 0},
                                          {"comparator", "code", 0, 0},
                                          {"unit", "string", 0, 0},
                                          {"system", "uri", 0, 0},
                                          {"code", "code", 0, 0},
                                          END};
static const fhir_element_t RANGE[] = {ELEMENT, {"low", "Quantity", 0, 0}, {"high", "Quantity", 0, 0}, END};
static const fhir_element_t RATIO[] = {
    ELEMENT, {"numerator", "Quantity", 0, 0}, {"denominator", "Quantity", 0, 0}, END};
static const fhir_element_t MONEY[] = {ELEMENT, {"value", "decimal", 0, 0}, {"currency", "code", 0, 0}, END};
static const fhir_element_t ATTACHMENT[] = {ELEMENT,
                                            {"contentType", "code", 0, 0},
                                            {"language", "code", 0, 0},
                                            {"data", "base64Binary", 0, 0},
                                            {"url", "url", 0, 0},
                                            {"size", "unsignedInt", 0, 0},
                                            {"hash", "base64Binary", 0, 0},
                                            {"title", "string", 0, 0},
                                            {"creation", "dateTime", 0, 0},
                                            END};
static const fhir_element_t ADDRESS[] = {ELEMENT,
                                         {"use", "code", 0, 0},
                                         {"type", "code", 0, 0},
                                         {"text", "string", 0, 0},
                                         {"line", "string", 1, 0},
                                         {"city", "string", 0, 0},
                                         {"district", "string", 0, 0},
                                         {"state", "string", 0, 0},
                                         {"postalCode", "string", 0, 0},
                                         {"country", "string", 0, 0},
                                         {"period", "Period", 0, 0},
                                         END};
static const fhir_element_t HUMAN_NAME[] = {ELEMENT,
                                            {"use", "code", 0, 0},
                                            {"text", "string", 0, 0},
                                            {"family", "string", 0, 0},
                                            {"given", "string", 1, 0},
                                            {"prefix", "string", 1, 0},
                                            {"suffix", "string", 1, 0},
                                            {"period", "Period", 0, 0},
                                            END};
static const fhir_element_t CONTACT_POINT[] = {ELEMENT,
                                               {"system", "code", 0, 0},
                                               {"value", "string", 0, 0},
                                               {"use", "code", 0, 0},
                                               {"rank", "positiveInt", 0, 0},
                                               {"period", "Period", 0, 0},
                                               END};
static const fhir_element_t ANNOTATION[] = {ELEMENT,
                                            {"authorReference", "Reference", 0, 0},
                                            {"authorString", "string", 0, 0},
                                            {"time", "dateTime", 0, 0},
                                            {"text", "markdown", 0, 0},
                                            END};
static const fhir_element_t SAMPLED_DATA[] = {ELEMENT,
                                              {"origin", "Quantity", 0, 0},
                                              {"period", "decimal", 0, 0},
                                              {"factor", "decimal", 0, 0},
                                              {"lowerLimit", "decimal", 0, 0},
                                              {"upperLimit", "decimal", 0, 0},
                                              {"dimensions", "positiveInt", 0, 0},
                                              {"data", "string", 0, 0},
                                              END};
static const fhir_element_t SIGNATURE[] = {ELEMENT,
                                           {"type", "Coding", 1, 0},
                                           {"when", "instant", 0, 0},
                                           {"who", "Reference", 0, 0},
                                           {"onBehalfOf", "Reference", 0, 0},
                                           {"targetFormat", "code", 0, 0},
                                           {"sigFormat", "code", 0, 0},
                                           {"data", "base64Binary", 0, 0},
                                           END};
static const fhir_element_t TIMING[] = {ELEMENT,
                                        {"modifierExtension", "Extension", 1, 0},
                                        {"event", "dateTime", 1, 0},
                                        {"repeat", "Timing.repeat", 0, 0},
                                        {"code", "CodeableConcept", 0, 0},
                                        END};
static const fhir_element_t TIMING_REPEAT[] = {ELEMENT,
                                               {"boundsDuration", "Duration", 0, 0},
                                               {"boundsRange", "Range", 0, 0},
                                               {"boundsPeriod", "Period", 0, 0},
                                               {"count", "positiveInt", 0, 0},
                                               {"countMax", "positiveInt", 0, 0},
                                               {"duration", "decimal", 0, 0},
                                               {"durationMax", "decimal", 0, 0},
                                               {"durationUnit", "code", 0, 0},
                                               {"frequency", "positiveInt", 0, 0},
                                               {"frequencyMax", "positiveInt", 0, 0},
                                               {"period", "decimal", 0, 0},
                                               {"periodMax", "decimal", 0, 0},
                                               {"periodUnit", "code", 0, 0},
                                               {"dayOfWeek", "code", 1, 0},
                                               {"timeOfDay", "time", 1, 0},
                                               {"when", "code", 1, 0},
                                               {"offset", "unsignedInt", 0, 0},
                                               END};
static const fhir_element_t CONTACT_DETAIL[] = {
    ELEMENT, {"name", "string", 0, 0}, {"telecom", "ContactPoint", 1, 0}, END};
static const fhir_element_t CONTRIBUTOR[] = {
    ELEMENT, {"type", "code", 0, 0}, {"name", "string", 0, 0}, {"contact", "ContactDetail", 1, 0}, END};
static const fhir_element_t DATA_REQUIREMENT[] = {ELEMENT,
                                                  {"type", "code", 0, 0},
                                                  {"profile", "canonical", 1, 0},
                                                  {"subjectCodeableConcept", "CodeableConcept", 0, 0},
                                                  {"subjectReference", "Reference", 0, 0},
                                                  {"mustSupport", "string", 1, 0},
                                                  {"codeFilter", "DataRequirement.codeFilter", 1, 0},
                                                  {"dateFilter", "DataRequirement.dateFilter", 1, 0},
                                                  {"limit", "positiveInt", 0, 0},
                                                  {"sort", "DataRequirement.sort", 1, 0},
                                                  END};
static const fhir_element_t DATA_REQUIREMENT_CODE_FILTER[] = {ELEMENT,
                                                              {"path", "string", 0, 0},
                                                              {"searchParam", "string", 0, 0},
                                                              {"valueSet", "canonical", 0, 0},
                                                              {"code", "Coding", 1, 0},
                                                              END};
static const fhir_element_t DATA_REQUIREMENT_DATE_FILTER[] = {ELEMENT,
                                                              {"path", "string", 0, 0},
                                                              {"searchParam", "string", 0, 0},
                                                              {"valueDateTime", "dateTime", 0, 0},
                                                              {"valuePeriod", "Period", 0, 0},
                                                              {"valueDuration", "Duration", 0, 0},
                                                              END};
static const fhir_element_t DATA_REQUIREMENT_SORT[] = {
    ELEMENT, {"path", "string", 0, 0}, {"direction", "code", 0, 0}, END};
static const fhir_element_t EXPRESSION[] = {ELEMENT,
                                            {"description", "string", 0, 0},
                                            {"name", "id", 0, 0},
                                            {"language", "code", 0, 0},
                                            {"expression", "string", 0, 0},
                                            {"reference", "uri", 0, 0},
                                            END};
static const fhir_element_t PARAMETER_DEFINITION[] = {ELEMENT,
                                                      {"name", "code", 0, 0},
                                                      {"use", "code", 0, 0},
                                                      {"min", "integer", 0, 0},
                                                      {"max", "string", 0, 0},
                                                      {"documentation", "string", 0, 0},
                                                      {"type", "code", 0, 0},
                                                      {"profile", "canonical", 0, 0},
                                                      END};
static const fhir_element_t RELATED_ARTIFACT[] = {ELEMENT,
                                                  {"type", "code", 0, 0},
                                                  {"label", "string", 0, 0},
                                                  {"display", "string", 0, 0},
                                                  {"citation", "markdown", 0, 0},
                                                  {"url", "url", 0, 0},
                                                  {"document", "Attachment", 0, 0},
                                                  {"resource", "canonical", 0, 0},
                                                  END};
static const fhir_element_t TRIGGER_DEFINITION[] = {ELEMENT,
                                                    {"type", "code", 0, 0},
                                                    {"name", "string", 0, 0},
                                                    {"timingTiming", "Timing", 0, 0},
                                                    {"timingReference", "Reference", 0, 0},
                                                    {"timingDate", "date", 0, 0},
                                                    {"timingDateTime", "dateTime", 0, 0},
                                                    {"data", "DataRequirement", 1, 0},
                                                    {"condition", "Expression", 0, 0},
                                                    END};
static const fhir_element_t USAGE_CONTEXT[] = {ELEMENT,
                                               {"code", "Coding", 0, 0},
                                               {"valueCodeableConcept", "CodeableConcept", 0, 0},
                                               {"valueQuantity", "Quantity", 0, 0},
                                               {"valueRange", "Range", 0, 0},
                                               {"valueReference", "Reference", 0, 0},
                                               END};
static const fhir_element_t DOSAGE[] = {ELEMENT,
                                        {"modifierExtension", "Extension", 1, 0},
                                        {"sequence", "integer", 0, 0},
                                        {"text", "string", 0, 0},
                                        {"additionalInstruction", "CodeableConcept", 1, 0},
                                        {"patientInstruction", "string", 0, 0},
                                        {"timing", "Timing", 0, 0},
                                        {"asNeededBoolean", "boolean", 0, 0},
                                        {"asNeededCodeableConcept", "CodeableConcept", 0, 0},
                                        {"site", "CodeableConcept", 0, 0},
                                        {"route", "CodeableConcept", 0, 0},
                                        {"method", "CodeableConcept", 0, 0},
                                        {"doseAndRate", "Dosage.doseAndRate", 1, 0},
                                        {"maxDosePerPeriod", "Ratio", 0, 0},
                                        {"maxDosePerAdministration", "Quantity", 0, 0},
                                        {"maxDosePerLifetime", "Quantity", 0, 0},
                                        END};
static const fhir_element_t DOSAGE_DOSE_AND_RATE[] = {ELEMENT,
                                                      {"type", "CodeableConcept", 0, 0},
                                                      {"doseRange", "Range", 0, 0},
                                                      {"doseQuantity", "Quantity", 0, 0},
                                                      {"rateRatio", "Ratio", 0, 0},
                                                      {"rateRange", "Range", 0, 0},
                                                      {"rateQuantity", "Quantity", 0, 0},
                                                      END};
static const fhir_element_t BINARY[] = {{"id", "id", 0, 0},
                                        {"meta", "Meta", 0, 0},
                                        {"implicitRules", "uri", 0, 0},
                                        {"language", "code", 0, 0},
                                        {"contentType", "code", 0, 0},
                                        {"securityContext", "Reference", 0, 0},
                                        {"data", "base64Binary", 0, 0},
                                        END};
static const fhir_element_t OPERATION_OUTCOME[] = {{"id", "id", 0, 0},
                                                   {"meta", "Meta", 0, 0},
                                                   {"implicitRules", "uri", 0, 0},
                                                   {"language", "code", 0, 0},
                                                   {"issue", "OperationOutcome.issue", 1, 0},
                                                   END};
static const fhir_element_t OPERATION_OUTCOME_ISSUE[] = {ELEMENT,
                                                         {"severity", "code", 0, 0},
                                                         {"code", "code", 0, 0},
                                                         {"details", "CodeableConcept", 0, 0},
                                                         {"diagnostics", "string", 0, 0},
                                                         {"location", "string", 1, 0},
                                                         {"expression", "string", 1, 0},
                                                         END};
static const fhir_element_t PARAMETERS[] = {{"id", "id", 0, 0},
                                            {"meta", "Meta", 0, 0},
                                            {"implicitRules", "uri", 0, 0},
                                            {"language", "code", 0, 0},
                                            {"parameter", "Parameters.parameter", 1, 0},
                                            END};
static const fhir_element_t PARAMETERS_PARAMETER[] = {ELEMENT,
                                                      {"name", "string", 0, 0},
                                                      {"valueCode", "code", 0, 0},
                                                      {"valueInstant", "instant", 0, 0},
                                                      {"valueString", "string", 0, 0},
                                                      {"valueUri", "uri", 0, 0},
                                                      {"part", "Parameters.parameter", 1, 0},
                                                      END};
static const fhir_element_t BUNDLE[] = {{"id", "id", 0, 0},
                                        {"meta", "Meta", 0, 0},
                                        {"implicitRules", "uri", 0, 0},
                                        {"language", "code", 0, 0},
                                        {"type", "code", 0, 0},
                                        {"timestamp", "instant", 0, 0},
                                        {"total", "unsignedInt", 0, 0},
                                        {"link", "Bundle.link", 1, 0},
                                        {"entry", "Bundle.entry", 1, 0},
                                        END};
static const fhir_element_t BUNDLE_LINK[] = {ELEMENT, {"relation", "string", 0, 0}, {"url", "uri", 0, 0}, END};
static const fhir_element_t BUNDLE_ENTRY[] = {ELEMENT,
                                              {"fullUrl", "uri", 0, 0},
                                              {"resource", "Resource", 0, 0},
                                              {"request", "Bundle.entry.request", 0, 0},
                                              {"response", "Bundle.entry.response", 0, 0},
                                              END};
static const fhir_element_t BUNDLE_ENTRY_REQUEST[] = {ELEMENT, {"method", "code", 0, 0}, {"url", "uri", 0, 0}, END};
static const fhir_element_t BUNDLE_ENTRY_RESPONSE[] = {ELEMENT,
                                                       {"status", "string", 0, 0},
                                                       {"location", "uri", 0, 0},
                                                       {"etag", "string", 0, 0},
                                                       {"lastModified", "instant", 0, 0},
                                                       END};
static const fhir_element_t CAPABILITY_STATEMENT[] = {{"id", "id", 0, 0},
                                                      {"meta", "Meta", 0, 0},
                                                      {"implicitRules", "uri", 0, 0},
                                                      {"language", "code", 0, 0},
                                                      {"name", "string", 0, 0},
                                                      {"title", "string", 0, 0},
                                                      {"status", "code", 0, 0},
                                                      {"date", "dateTime", 0, 0},
                                                      {"kind", "code", 0, 0},
                                                      {"software", "CapabilityStatement.software", 0, 0},
                                                      {"implementation", "CapabilityStatement.implementation", 0, 0},
                                                      {"fhirVersion", "code", 0, 0},
                                                      {"format", "code", 1, 0},
                                                      {"rest", "CapabilityStatement.rest", 1, 0},
                                                      END};
static const fhir_element_t CAPABILITY_STATEMENT_SOFTWARE[] = {
    ELEMENT, {"name", "string", 0, 0}, {"version", "string", 0, 0}, END};
static const fhir_element_t CAPABILITY_STATEMENT_IMPLEMENTATION[] = {
    ELEMENT, {"description", "string", 0, 0}, {"url", "url", 0, 0}, END};
static const fhir_element_t CAPABILITY_STATEMENT_REST[] = {
    ELEMENT,
    {"mode", "code", 0, 0},
    {"documentation", "markdown", 0, 0},
    {"security", "CapabilityStatement.rest.security", 0, 0},
    {"resource", "CapabilityStatement.rest.resource", 1, 0},
    {"interaction", "CapabilityStatement.rest.resource.interaction", 1, 0},
    {"searchParam", "CapabilityStatement.rest.resource.searchParam", 1, 0},
    END};
static const fhir_element_t CAPABILITY_STATEMENT_REST_SECURITY[] = {
    ELEMENT, {"cors", "boolean", 0, 0}, {"service", "CodeableConcept", 1, 0}, {"description", "markdown", 0, 0}, END};
static const fhir_element_t CAPABILITY_STATEMENT_REST_RESOURCE[] = {
    ELEMENT,
    {"type", "code", 0, 0},
    {"documentation", "markdown", 0, 0},
    {"interaction", "CapabilityStatement.rest.resource.interaction", 1, 0},
    {"versioning", "code", 0, 0},
    {"readHistory", "boolean", 0, 0},
    {"updateCreate", "boolean", 0, 0},
    {"conditionalCreate", "boolean", 0, 0},
    {"conditionalRead", "code", 0, 0},
    {"conditionalUpdate", "boolean", 0, 0},
    {"conditionalDelete", "code", 0, 0},
    {"searchInclude", "string", 1, 0},
    {"searchParam", "CapabilityStatement.rest.resource.searchParam", 1, 0},
    {"operation", "CapabilityStatement.rest.resource.operation", 1, 0},
    END};
static const fhir_element_t CAPABILITY_STATEMENT_REST_RESOURCE_INTERACTION[] = {
    ELEMENT, {"code", "code", 0, 0}, {"documentation", "markdown", 0, 0}, END};
static const fhir_element_t CAPABILITY_STATEMENT_REST_RESOURCE_SEARCH_PARAM[] = {
    ELEMENT, {"name", "string", 0, 0}, {"type", "code", 0, 0}, {"documentation", "markdown", 0, 0}, END};
static const fhir_element_t CAPABILITY_STATEMENT_REST_RESOURCE_OPERATION[] = {
    ELEMENT, {"name", "string", 0, 0}, {"definition", "canonical", 0, 0}, {"documentation", "markdown", 0, 0}, END};

/* Sorted by name. */
static const fhir_datatype_t DATATYPES[] = {
    {"Address", 0, ADDRESS},
    {"Age", 0, QUANTITY},
    {"Annotation", 0, ANNOTATION},
    {"Attachment", 0, ATTACHMENT},
    {"Binary", 1, BINARY},
    {"Bundle", 1, BUNDLE},
    {"Bundle.entry", 0, BUNDLE_ENTRY},
    {"Bundle.entry.request", 0, BUNDLE_ENTRY_REQUEST},
    {"Bundle.entry.response", 0, BUNDLE_ENTRY_RESPONSE},
    {"Bundle.link", 0, BUNDLE_LINK},
    {"CapabilityStatement", 1, CAPABILITY_STATEMENT},
    {"CapabilityStatement.implementation", 0, CAPABILITY_STATEMENT_IMPLEMENTATION},
    {"CapabilityStatement.rest", 0, CAPABILITY_STATEMENT_REST},
    {"CapabilityStatement.rest.resource", 0, CAPABILITY_STATEMENT_REST_RESOURCE},
    {"CapabilityStatement.rest.resource.interaction", 0, CAPABILITY_STATEMENT_REST_RESOURCE_INTERACTION},
    {"CapabilityStatement.rest.resource.operation", 0, CAPABILITY_STATEMENT_REST_RESOURCE_OPERATION},
    {"CapabilityStatement.rest.resource.searchParam", 0, CAPABILITY_STATEMENT_REST_RESOURCE_SEARCH_PARAM},
    {"CapabilityStatement.rest.security", 0, CAPABILITY_STATEMENT_REST_SECURITY},
    {"CapabilityStatement.software", 0, CAPABILITY_STATEMENT_SOFTWARE},
    {"CodeableConcept", 0, CODEABLE_CONCEPT},
    {"Coding", 0, CODING},
    {"ContactDetail", 0, CONTACT_DETAIL},
    {"ContactPoint", 0, CONTACT_POINT},
    {"Contributor", 0, CONTRIBUTOR},
    {"Count", 0, QUANTITY},
    {"DataRequirement", 0, DATA_REQUIREMENT},
    {"DataRequirement.codeFilter", 0, DATA_REQUIREMENT_CODE_FILTER},
    {"DataRequirement.dateFilter", 0, DATA_REQUIREMENT_DATE_FILTER},
    {"DataRequirement.sort", 0, DATA_REQUIREMENT_SORT},
    {"Distance", 0, QUANTITY},
    {"Dosage", 0, DOSAGE},
    {"Dosage.doseAndRate", 0, DOSAGE_DOSE_AND_RATE},
    {"Duration", 0, QUANTITY},
    {"Element", 0, ONLY_ELEMENT},
    {"Expression", 0, EXPRESSION},
    {"Extension", 0, EXTENSION},
    {"HumanName", 0, HUMAN_NAME},
    {"Identifier", 0, IDENTIFIER},
    {"Meta", 0, META},
    {"Money", 0, MONEY},
    {"OperationOutcome", 1, OPERATION_OUTCOME},
    {"OperationOutcome.issue", 0, OPERATION_OUTCOME_ISSUE},
    {"ParameterDefinition", 0, PARAMETER_DEFINITION},
    {"Parameters", 1, PARAMETERS},
    {"Parameters.parameter", 0, PARAMETERS_PARAMETER},
    {"Period", 0, PERIOD},
    {"Quantity", 0, QUANTITY},
    {"Range", 0, RANGE},
    {"Ratio", 0, RATIO},
    {"Reference", 0, REFERENCE},
    {"RelatedArtifact", 0, RELATED_ARTIFACT},
    {"SampledData", 0, SAMPLED_DATA},
    {"Signature", 0, SIGNATURE},
    {"Timing", 0, TIMING},
    {"Timing.repeat", 0, TIMING_REPEAT},
    {"TriggerDefinition", 0, TRIGGER_DEFINITION},
    {"UsageContext", 0, USAGE_CONTEXT},
};

/* What Extension.value[x] may be beside the complex types of the table, and what primitives look like in JSON. */
static const struct {
    const char *name;
    fhir_primitive_t primitive;
} PRIMITIVES[] = {
    {"base64Binary", FHIR_PRIMITIVE_STRING}, {"boolean", FHIR_PRIMITIVE_BOOLEAN}, {"canonical", FHIR_PRIMITIVE_STRING},
    {"code", FHIR_PRIMITIVE_STRING},         {"date", FHIR_PRIMITIVE_STRING},     {"dateTime", FHIR_PRIMITIVE_STRING},
    {"decimal", FHIR_PRIMITIVE_DECIMAL},     {"id", FHIR_PRIMITIVE_STRING},       {"instant", FHIR_PRIMITIVE_STRING},
    {"integer", FHIR_PRIMITIVE_INTEGER},     {"markdown", FHIR_PRIMITIVE_STRING}, {"oid", FHIR_PRIMITIVE_STRING},
    {"positiveInt", FHIR_PRIMITIVE_INTEGER}, {"string", FHIR_PRIMITIVE_STRING},   {"time", FHIR_PRIMITIVE_STRING},
    {"unsignedInt", FHIR_PRIMITIVE_INTEGER}, {"uri", FHIR_PRIMITIVE_STRING},      {"url", FHIR_PRIMITIVE_STRING},
    {"uuid", FHIR_PRIMITIVE_STRING},
};

static int compare(const void *name, const void *datatype)
{
    return strcmp(name, ((const fhir_datatype_t *)datatype)->name);
}

const fhir_datatype_t *fhir_datatype_find(const char *name)
{
    return bsearch(name, DATATYPES, sizeof(DATATYPES) / sizeof(DATATYPES[0]), sizeof(DATATYPES[0]), compare);
}

fhir_primitive_t fhir_primitive_of(const char *type)
{
    apr_size_t i;
    for (i = 0; i < sizeof(PRIMITIVES) / sizeof(PRIMITIVES[0]); i++) {
        if (!strcmp(PRIMITIVES[i].name, type)) {
            return PRIMITIVES[i].primitive;
        }
    }
    return FHIR_PRIMITIVE_NONE;
}

/* The type that "valueQuantity" or "valueDecimal" names; NULL if an extension can't hold it. */
static const char *open_choice(const char *suffix)
{
    const fhir_datatype_t *complex = fhir_datatype_find(suffix);
    apr_size_t i;
    if (complex) {
        int allowed = !complex->is_resource && !strchr(suffix, '.') && strcmp(suffix, "Extension") != 0 &&
                      strcmp(suffix, "Element") != 0;
        return allowed ? complex->name : NULL;
    }
    for (i = 0; i < sizeof(PRIMITIVES) / sizeof(PRIMITIVES[0]); i++) {
        const char *name = PRIMITIVES[i].name;
        if (*suffix == toupper((unsigned char)*name) && !strcmp(suffix + 1, name + 1)) {
            return name;
        }
    }
    return NULL;
}

int fhir_datatype_element(fhir_element_t *element, const fhir_datatype_t *type, const char *name)
{
    const fhir_element_t *known;
    for (known = type->elements; known->name; known++) {
        *element = *known;
        if (!strcmp(known->name, name)) {
            return *known->type != '*';
        }
        if (*known->type == '*' && !strncmp(name, "value", 5)) {
            element->name = name;
            element->type = open_choice(name + 5);
            return element->type != NULL;
        }
    }
    return 0;
}
