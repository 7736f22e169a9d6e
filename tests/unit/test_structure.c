/* The R4 structures: every resource type, every Attachment of R4, every kind of element, names that do not exist. */
#include "core/fhir/binary.h"
#include "core/fhir/structure.h"
#include "tests/unit/unit.h"

/* Follows `Type.member.member`; *element is what the last member leads to. */
static fhir_element_kind_t walk_to(const fhir_structure_t **element, const char *path)
{
    fhir_element_kind_t kind = FHIR_ELEMENT_UNKNOWN;
    char *names = apr_pstrdup(pool, path);
    char *state = NULL;
    const char *name = apr_strtok(names, ".", &state);
    *element = fhir_structure_of_resource(name);
    for (name = apr_strtok(NULL, ".", &state); name && *element; name = apr_strtok(NULL, ".", &state)) {
        const fhir_structure_t *parent = *element;
        kind = fhir_structure_element(element, parent, name, strlen(name));
    }
    return name ? FHIR_ELEMENT_UNKNOWN : kind;
}

static fhir_element_kind_t walk(const char *path)
{
    const fhir_structure_t *element;
    return walk_to(&element, path);
}

#define ASSERT_KIND(expected, path) CU_ASSERT_EQUAL(walk(path), FHIR_ELEMENT_##expected)

/* Every place of R4 whose type is Attachment. The list was not made from the table or its generator. */
static const char *const ATTACHMENTS[] = {
    "BodyStructure.image",
    "Claim.supportingInfo.valueAttachment",
    "ClaimResponse.form",
    "Communication.payload.contentAttachment",
    "CommunicationRequest.payload.contentAttachment",
    "Consent.sourceAttachment",
    "Contract.friendly.contentAttachment",
    "Contract.legal.contentAttachment",
    "Contract.legallyBindingAttachment",
    "Contract.rule.contentAttachment",
    "Contract.term.offer.answer.valueAttachment",
    "DiagnosticReport.presentedForm",
    "DocumentReference.content.attachment",
    "StructureDefinition.snapshot.element.defaultValueAttachment", /* ElementDefinition ... */
    "StructureDefinition.snapshot.element.example.valueAttachment",
    "StructureDefinition.snapshot.element.fixedAttachment",
    "StructureDefinition.snapshot.element.patternAttachment",
    "ExplanationOfBenefit.form",
    "ExplanationOfBenefit.supportingInfo.valueAttachment",
    "Basic.extension.valueAttachment",
    "HealthcareService.photo",
    "Library.content",
    "Media.content",
    "Parameters.parameter.valueAttachment",
    "Patient.photo",
    "Person.photo",
    "Practitioner.photo",
    "MedicinalProductPackaged.packageItem.physicalCharacteristics.image", /* ProdCharacteristic.image */
    "Questionnaire.item.initial.valueAttachment",
    "QuestionnaireResponse.item.answer.valueAttachment",
    "Library.relatedArtifact.document", /* RelatedArtifact.document */
    "RelatedPerson.photo",
    "StructureMap.group.rule.source.defaultValueAttachment",
    "SubstanceNucleicAcid.subunit.sequenceAttachment",
    "SubstancePolymer.repeat.repeatUnit.structuralRepresentation.attachment",
    "SubstanceProtein.subunit.sequenceAttachment",
    "SubstanceSpecification.structure.representation.attachment",
    "Task.input.valueAttachment",
    "Task.output.valueAttachment",
};
#define ATTACHMENT_PLACES (sizeof(ATTACHMENTS) / sizeof(ATTACHMENTS[0]))

static void test_every_attachment_is_found(void)
{
    const fhir_structure_t *element;
    apr_size_t i;
    for (i = 0; i < ATTACHMENT_PLACES; i++) {
        if (walk_to(&element, ATTACHMENTS[i]) != FHIR_ELEMENT_ATTACHMENT) {
            CU_FAIL();
            printf("no Attachment: %s\n", ATTACHMENTS[i]);
        }
        CU_ASSERT_EQUAL(walk(apr_pstrcat(pool, ATTACHMENTS[i], ".url", NULL)), FHIR_ELEMENT_URL);
    }
}

/* The rows again, as counts: the table has no Attachment that the list lacks. */
#define NONE(...) +0
#define PRIMITIVE NONE
#define URL NONE
#define NARRATIVE NONE
#define REFERENCE NONE
#define INNER_RESOURCE NONE
#define COMPLEX NONE
#define ATTACHMENT(...) +1
#define STRUCTURE(name, base, elements) elements
#define RESOURCE STRUCTURE
static const apr_size_t ATTACHMENT_ROWS = 0
#include "core/fhir/structure_all.def"
    ;
#undef PRIMITIVE
#undef URL
#undef NARRATIVE
#undef REFERENCE
#undef INNER_RESOURCE
#undef COMPLEX
#undef ATTACHMENT
#undef STRUCTURE

static void test_no_other_attachments(void)
{
    CU_ASSERT_EQUAL(ATTACHMENT_ROWS, ATTACHMENT_PLACES);
}

/* And as names, "" between two structures. */
#define NAME(name, ...) #name,
#define PRIMITIVE(...) NAME(__VA_ARGS__, )
#define URL PRIMITIVE
#define NARRATIVE PRIMITIVE
#define REFERENCE PRIMITIVE
#define INNER_RESOURCE PRIMITIVE
#define COMPLEX PRIMITIVE
#define ATTACHMENT PRIMITIVE
#define STRUCTURE(name, base, elements) "", elements
static const char *const NAMES[] = {
#include "core/fhir/structure_all.def"
    NULL};
#undef RESOURCE

/* Binary search relies on it; and no element may be there twice. */
static void test_names_are_sorted(void)
{
    int count = 0;
    int i;
    for (i = 1; NAMES[i]; i++) {
        CU_ASSERT(*NAMES[i] == '\0' || strcmp(NAMES[i - 1], NAMES[i]) < 0);
        count += *NAMES[i] != '\0';
    }
    CU_ASSERT(count > 5000);
}

static void test_resource_types(void)
{
    const char *const *types = fhir_structure_resource_types();
    int i;
    for (i = 0; types[i]; i++) {
        const fhir_structure_t *element;
        CU_ASSERT_PTR_NOT_NULL(fhir_structure_of_resource(types[i]));
        CU_ASSERT(fhir_resource_type_known(types[i]));
        CU_ASSERT(i == 0 || strcmp(types[i - 1], types[i]) < 0);
        CU_ASSERT_EQUAL(fhir_structure_element(&element, fhir_structure_of_resource(types[i]), "meta", 4),
                        FHIR_ELEMENT_COMPLEX);
    }
    CU_ASSERT_EQUAL(i, 146); /* 148 of resourcelist.html, two of them abstract */
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource(NULL));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource(""));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource("patient"));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource("Patients"));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource("Resource"));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource("DomainResource"));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource("HumanName"));
    CU_ASSERT_PTR_NULL(fhir_structure_of_resource("SubscriptionStatus")); /* R4B */
}

static void test_kinds(void)
{
    ASSERT_KIND(PRIMITIVE, "Patient.birthDate");
    ASSERT_KIND(PRIMITIVE, "Patient.id");
    ASSERT_KIND(PRIMITIVE, "Patient.name.family");
    ASSERT_KIND(PRIMITIVE, "Patient.text.div");
    ASSERT_KIND(PRIMITIVE, "Observation.valueString");
    ASSERT_KIND(PRIMITIVE, "Binary.data");
    ASSERT_KIND(URL, "Patient.implicitRules");
    ASSERT_KIND(URL, "Patient.meta.profile");
    ASSERT_KIND(URL, "ValueSet.url");
    ASSERT_KIND(URL, "Patient.extension.url");
    ASSERT_KIND(URL, "Parameters.parameter.valueOid");
    ASSERT_KIND(URL, "Parameters.parameter.valueUuid");
    ASSERT_KIND(URL, "Parameters.parameter.valueCanonical");
    ASSERT_KIND(NARRATIVE, "Patient.text");
    ASSERT_KIND(NARRATIVE, "Composition.section.text");
    ASSERT_KIND(COMPLEX, "Patient.name");
    ASSERT_KIND(COMPLEX, "Patient.contact");
    ASSERT_KIND(COMPLEX, "Observation.valueCodeableConcept");
    ASSERT_KIND(COMPLEX, "ServiceRequest.occurrenceTiming.repeat");
    ASSERT_KIND(PRIMITIVE, "ServiceRequest.occurrenceTiming.repeat.boundsDuration.value");
    ASSERT_KIND(REFERENCE, "Patient.managingOrganization");
    ASSERT_KIND(PRIMITIVE, "Patient.managingOrganization.reference");
    ASSERT_KIND(COMPLEX, "Patient.managingOrganization.identifier");
    ASSERT_KIND(REFERENCE, "MedicationRequest.medicationReference");
    ASSERT_KIND(RESOURCE, "Patient.contained");
    ASSERT_KIND(RESOURCE, "Bundle.entry.resource");
    ASSERT_KIND(RESOURCE, "Bundle.entry.response.outcome");
    ASSERT_KIND(RESOURCE, "Parameters.parameter.resource");
}

static void test_structures_lead_on(void)
{
    const fhir_structure_t *element;
    CU_ASSERT_EQUAL(walk_to(&element, "Patient.photo"), FHIR_ELEMENT_ATTACHMENT);
    CU_ASSERT_PTR_NOT_NULL(element);
    CU_ASSERT_EQUAL(walk_to(&element, "Patient.birthDate"), FHIR_ELEMENT_PRIMITIVE);
    CU_ASSERT_PTR_NULL(element);
    CU_ASSERT_EQUAL(walk_to(&element, "Patient.contained"), FHIR_ELEMENT_RESOURCE);
    CU_ASSERT_PTR_NULL(element);
    CU_ASSERT_EQUAL(walk_to(&element, "Patient.text"), FHIR_ELEMENT_NARRATIVE);
    CU_ASSERT_PTR_NOT_NULL(element);
}

/* Elements that are defined elsewhere (contentReference). */
static void test_elements_defined_elsewhere(void)
{
    ASSERT_KIND(ATTACHMENT, "Questionnaire.item.item.item.item.initial.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "QuestionnaireResponse.item.answer.item.item.answer.valueAttachment");
    ASSERT_KIND(URL, "Bundle.entry.link.url");
    ASSERT_KIND(RESOURCE, "Parameters.parameter.part.part.resource");
    ASSERT_KIND(ATTACHMENT, "Contract.term.group.group.asset.answer.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "StructureMap.group.rule.rule.source.defaultValueAttachment");
    ASSERT_KIND(COMPLEX, "ValueSet.compose.exclude.concept.designation");
    ASSERT_KIND(REFERENCE, "Composition.section.section.entry");
    ASSERT_KIND(PRIMITIVE, "Observation.component.referenceRange.text");
    ASSERT_KIND(PRIMITIVE, "Invoice.totalPriceComponent.factor");
}

static void test_extensions(void)
{
    ASSERT_KIND(ATTACHMENT, "Patient.extension.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.modifierExtension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.contact.modifierExtension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.name.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.text.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.photo.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.managingOrganization.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient._birthDate.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.photo._url.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Patient.name._given.extension.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Observation._valueString.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Observation.extension._valueUri.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Observation.valueQuantity.extension.valueAttachment");
    ASSERT_KIND(ATTACHMENT, "Observation.meta.extension.valueAttachment");
    ASSERT_KIND(UNKNOWN, "Patient.name.modifierExtension"); /* HumanName is no BackboneElement */
    ASSERT_KIND(UNKNOWN, "Binary.extension");               /* no DomainResource */
    ASSERT_KIND(UNKNOWN, "Bundle.contained");
    ASSERT_KIND(UNKNOWN, "Patient.extension.value");
    ASSERT_KIND(UNKNOWN, "Patient.extension.valueMeow");
}

static fhir_element_kind_t kind_of(const char *name, apr_size_t length)
{
    const fhir_structure_t *element = fhir_structure_of_resource("Patient");
    const fhir_structure_t *patient = element;
    fhir_element_kind_t kind = fhir_structure_element(&element, patient, name, length);
    CU_ASSERT(kind != FHIR_ELEMENT_UNKNOWN || element == NULL);
    return kind;
}

static void test_unknown_names(void)
{
    const fhir_structure_t *element;
    CU_ASSERT_EQUAL(kind_of("photo", 5), FHIR_ELEMENT_ATTACHMENT);
    CU_ASSERT_EQUAL(kind_of("photography", 5), FHIR_ELEMENT_ATTACHMENT);
    CU_ASSERT_EQUAL(kind_of("photo", 4), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("photos", 6), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("Photo", 5), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("photo\0", 6), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("photo\0photo", 11), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("\0", 1), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("", 0), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("_", 1), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("_photo", 6), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("__gender", 8), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("_contained", 10), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("_gender", 7), FHIR_ELEMENT_COMPLEX);
    CU_ASSERT_EQUAL(kind_of("deceased[x]", 11), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("deceased", 8), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of("resourceType", 12), FHIR_ELEMENT_UNKNOWN); /* a member of JSON, no element */
    CU_ASSERT_EQUAL(kind_of("\xc3\xa9", 2), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_EQUAL(fhir_structure_element(&element, NULL, "photo", 5), FHIR_ELEMENT_UNKNOWN);
    CU_ASSERT_PTR_NULL(element);
}

/* Elements that are no Attachments although they look so. */
static void test_urls_that_are_no_attachments(void)
{
    ASSERT_KIND(PRIMITIVE, "Binary.data");
    ASSERT_KIND(UNKNOWN, "Binary.url"); /* other servers have it */
    ASSERT_KIND(UNKNOWN, "Patient.meta.account");
    ASSERT_KIND(UNKNOWN, "Patient.meta.project");
    ASSERT_KIND(REFERENCE, "Consent.sourceReference");
    ASSERT_KIND(REFERENCE, "Communication.payload.contentReference");
    ASSERT_KIND(URL, "Endpoint.address");
    ASSERT_KIND(REFERENCE, "DocumentManifest.content");
    ASSERT_KIND(UNKNOWN, "Observation.valueAttachment"); /* R5 */
}

static void test_summary_and_mandatory(void)
{
    CU_ASSERT(fhir_structure_in_summary("Patient", "name"));
    CU_ASSERT(fhir_structure_in_summary("Patient", "deceasedBoolean"));
    CU_ASSERT(fhir_structure_in_summary("Patient", "deceasedDateTime"));
    CU_ASSERT(fhir_structure_in_summary("Patient", "_birthDate"));
    CU_ASSERT(fhir_structure_in_summary("Patient", "id"));
    CU_ASSERT(fhir_structure_in_summary("Patient", "meta"));
    CU_ASSERT(fhir_structure_in_summary("Patient", "implicitRules"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "photo"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "text"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "language"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "contained"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "extension"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "nothing"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", ""));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Patient", "_"));
    CU_ASSERT_FALSE(fhir_structure_in_summary("Nothing", "name"));
    CU_ASSERT(fhir_structure_in_summary("DocumentReference", "content"));
    CU_ASSERT(fhir_structure_mandatory("DocumentReference", "content"));
    CU_ASSERT(fhir_structure_mandatory("DocumentReference", "status"));
    CU_ASSERT(fhir_structure_mandatory("DocumentReference", "_status"));
    CU_ASSERT_FALSE(fhir_structure_mandatory("DocumentReference", "subject"));
    CU_ASSERT(fhir_structure_mandatory("Media", "content"));
    CU_ASSERT(fhir_structure_mandatory("Observation", "code"));
    CU_ASSERT(fhir_structure_mandatory("MedicationRequest", "medicationReference"));
    CU_ASSERT(fhir_structure_mandatory("MedicationRequest", "medicationCodeableConcept"));
    CU_ASSERT_FALSE(fhir_structure_mandatory("Patient", "name"));
    CU_ASSERT_FALSE(fhir_structure_mandatory("Patient", "id"));
    CU_ASSERT_FALSE(fhir_structure_mandatory("Patient", "nothing"));
    CU_ASSERT_FALSE(fhir_structure_mandatory("Nothing", "status"));
}

static const fhir_unit_test_t TESTS[] = {
    {"every Attachment of R4 is found", test_every_attachment_is_found},
    {"the table has no other Attachments", test_no_other_attachments},
    {"names are sorted", test_names_are_sorted},
    {"resource types", test_resource_types},
    {"every kind of element", test_kinds},
    {"structures lead on", test_structures_lead_on},
    {"elements defined elsewhere", test_elements_defined_elsewhere},
    {"extensions, also of primitives", test_extensions},
    {"unknown names", test_unknown_names},
    {"what is no Attachment", test_urls_that_are_no_attachments},
    {"summary and mandatory", test_summary_and_mandatory},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("structure", TESTS)
