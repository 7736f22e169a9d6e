/* The shape of resources that are taken, and the sentences about those that are not. */
#include "resource_help.h"

/* Refused with this expression, and a sentence that names it. */
static void refused(const char *text, const char *type, const char *expression)
{
    fhir_error_t *error = check_error(text, type);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error->expression);
    if (strcmp(error->expression, expression) != 0) {
        printf("%s: %s instead of %s\n", text, error->expression, expression);
    }
    CU_ASSERT_STRING_EQUAL(error->expression, expression);
    CU_ASSERT(strlen(error->public_text) > 10);
}

static void test_taken(void)
{
    fhir_sent_resource_t sent;
    const fhir_json_document_t *document =
        parsed(quoted("{'id':'a-1.B','meta':{'versionId':'v1','tag':[{'code':'x'}]},'resourceType':'Patient','active':"
                      "true,'unknown':{'x':[1,null]},'_birthDate':{'id':'x'}}"));
    FHIR_ASSERT_OK(fhir_resource_check(&sent, document, 0, "Patient", pool));
    CU_ASSERT_PTR_EQUAL(sent.document, document);
    CU_ASSERT_EQUAL(sent.root, 0);
    CU_ASSERT_STRING_EQUAL(sent.type, "Patient");
    CU_ASSERT_STRING_EQUAL(sent.id, "a-1.B");
    CU_ASSERT_STRING_EQUAL(sent.version_id, "v1");
}

static void test_least(void)
{
    fhir_sent_resource_t sent;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, parsed("{\"resourceType\":\"Patient\"}"), 0, NULL, pool));
    CU_ASSERT_PTR_NULL(sent.id);
    CU_ASSERT_PTR_NULL(sent.version_id);
    FHIR_ASSERT_OK(check_error("{'resource\\u0054ype':'Pati\\u0065nt','meta':{'profile':['x']}}", "Patient"));
}

static void test_no_resource(void)
{
    refused("[]", "Patient", "Resource");
    refused("'Patient'", "Patient", "Resource");
    refused("null", NULL, "Resource");
    refused("1", NULL, "Resource");
    refused("{}", NULL, "Resource");
    refused("{'id':'1'}", "Patient", "Resource");
}

static void test_types(void)
{
    refused("{'resourceType':1}", NULL, "Resource.resourceType");
    refused("{'resourceType':''}", NULL, "Resource.resourceType");
    refused("{'resourceType':'patient'}", NULL, "Resource.resourceType");
    refused("{'resourceType':'Resource'}", NULL, "Resource.resourceType");
    refused("{'resourceType':'Project'}", NULL, "Resource.resourceType");
    refused("{'resourceType':['Patient']}", NULL, "Resource.resourceType");
    refused("{'resourceType':'Patient'}", "Observation", "Patient.resourceType");
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient'}", NULL));
}

static void test_ids(void)
{
    refused("{'resourceType':'Patient','id':1}", NULL, "Patient.id");
    refused("{'resourceType':'Patient','id':null}", NULL, "Patient.id");
    refused("{'resourceType':'Patient','id':''}", NULL, "Patient.id");
    refused("{'resourceType':'Patient','id':'a b'}", NULL, "Patient.id");
    refused("{'resourceType':'Patient','id':'a/b'}", NULL, "Patient.id");
    FHIR_ASSERT_OK(check_error(
        "{'resourceType':'Patient','id':'0123456789012345678901234567890123456789012345678901234567890123'}", NULL));
    refused("{'resourceType':'Patient','id':'01234567890123456789012345678901234567890123456789012345678901234'}", NULL,
            "Patient.id");
}

static void test_metas(void)
{
    refused("{'resourceType':'Patient','meta':[{'versionId':'1'}]}", NULL, "Patient.meta");
    refused("{'resourceType':'Patient','meta':'x'}", NULL, "Patient.meta");
    refused("{'resourceType':'Patient','meta':null}", NULL, "Patient.meta");
    refused("{'resourceType':'Patient','meta':{}}", NULL, "Patient.meta");
    refused("{'resourceType':'Patient','meta':{'versionId':1}}", NULL, "Patient.meta.versionId");
    refused("{'resourceType':'Patient','meta':{'tag':{'code':'x'}}}", NULL, "Patient.meta.tag");
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient','meta':{'tag':[null,'x',{'code':'y'}]}}", NULL));
}

static void test_subsetted(void)
{
    fhir_error_t *error;
    static const char TEXT[] =
        "{'resourceType':'Patient','meta':{'tag':[{'code':'x'},{'system':'http://terminology.hl7.org/CodeSystem/"
        "v3-ObservationValue','code':'SUB\\u0053ETTED','display':'any'}]}}";
    refused(TEXT, NULL, "Patient.meta.tag[1]");
    error = check_error(TEXT, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(error->public_text, "read it whole before you write it"));
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient','meta':{'tag':[{'code':'SUBSETTED'}]}}", NULL));
    FHIR_ASSERT_OK(
        check_error("{'resourceType':'Patient','meta':{'tag':[{'system':'http://terminology.hl7.org/CodeSystem/"
                    "v3-ObservationValue','code':'ANONYED'}]}}",
                    NULL));
}

static void test_empties(void)
{
    refused("{'resourceType':'Patient','name':[]}", NULL, "Patient.name");
    refused("{'resourceType':'Patient','name':[{}]}", NULL, "Patient.name[0]");
    refused("{'resourceType':'Patient','name':[{'family':'x'},{'family':''}]}", NULL, "Patient.name[1].family");
    refused("{'resourceType':'Patient','unknown':{'deep':[[1,'']]}}", NULL, "Patient.unknown.deep[0][1]");
    refused("{'resourceType':'Patient','birthDate':null}", NULL, "Patient.birthDate");
    refused("{'resourceType':'Patient','photo':[{'url':null}]}", NULL, "Patient.photo[0].url");
    FHIR_ASSERT_OK(
        check_error("{'resourceType':'Patient','name':[{'given':[null,'x'],'_given':[{'id':'1'},null]}]}", NULL));
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient','x':' '}", NULL));
}

static void test_references(void)
{
    refused("{'resourceType':'Patient','managingOrganization':'Organization/1'}", NULL, "Patient.managingOrganization");
    refused("{'resourceType':'Patient','generalPractitioner':[{'reference':1}]}", NULL,
            "Patient.generalPractitioner[0].reference");
    refused("{'resourceType':'Patient','generalPractitioner':[{'reference':['x']}]}", NULL,
            "Patient.generalPractitioner[0].reference[0]");
    refused("{'resourceType':'Patient','generalPractitioner':['Practitioner/1']}", NULL,
            "Patient.generalPractitioner[0]");
    FHIR_ASSERT_OK(
        check_error("{'resourceType':'Patient','generalPractitioner':[null,{'reference':'any text'}]}", NULL));
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient','generalPractitioner':{'display':'no list'}}", NULL));
}

static void test_attachments(void)
{
    refused("{'resourceType':'Patient','photo':['Binary/1']}", NULL, "Patient.photo[0]");
    refused("{'resourceType':'Patient','photo':[[{'url':'Binary/1'}]]}", NULL, "Patient.photo[0]");
    refused("{'resourceType':'Patient','photo':[{'url':1}]}", NULL, "Patient.photo[0].url");
    refused("{'resourceType':'Patient','photo':[{'url':{'x':1}}]}", NULL, "Patient.photo[0].url");
    refused("{'resourceType':'Media','content':'Binary/1'}", NULL, "Media.content");
    refused("{'resourceType':'Communication','payload':[{'contentAttachment':7}]}", NULL,
            "Communication.payload[0].contentAttachment");
    refused("{'resourceType':'Patient','extension':[{'url':'x','valueAttachment':'y'}]}", NULL,
            "Patient.extension[0].valueAttachment");
    refused("{'resourceType':'Patient','_birthDate':{'extension':[{'url':'x','valueAttachment':'y'}]}}", NULL,
            "Patient._birthDate.extension[0].valueAttachment");
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient','unknown':{'photo':['Binary/1'],'url':1}}", NULL));
    FHIR_ASSERT_OK(check_error("{'resourceType':'Patient','photo':[{'data':'YWJj'}]}", NULL));
}

static void test_resources_inside(void)
{
    refused("{'resourceType':'Patient','contained':[{'id':'x'}]}", NULL, "Patient.contained[0]");
    refused("{'resourceType':'Patient','contained':['x']}", NULL, "Patient.contained[0]");
    refused("{'resourceType':'Patient','contained':[{'resourceType':'Nothing'}]}", NULL,
            "Patient.contained[0].resourceType");
    refused("{'resourceType':'Patient','contained':[{'resourceType':'Media','content':{'url':2}}]}", NULL,
            "Patient.contained[0].content.url");
    refused("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient','photo':[{'url':2}]}}]}", NULL,
            "Bundle.entry[0].resource.photo[0].url");
    refused("{'resourceType':'Parameters','parameter':[{'name':'x','resource':{'name':'y'}}]}", NULL,
            "Parameters.parameter[0].resource");
}

/* An entry of a Bundle: what is wrong elsewhere is not its business. */
static void test_entry(void)
{
    const fhir_json_document_t *document = parsed(
        quoted("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient','id':'x','active':true}},{'x':"
               "''},{'resource':{'resourceType':'Patient','photo':[{'url':1}]}},{'resource':7}]}"));
    int first = fhir_json_first(document, fhir_json_member(document, 0, "entry"));
    int third = document->nodes[document->nodes[first].next].next;
    int fourth = document->nodes[third].next;
    fhir_sent_resource_t sent;
    fhir_error_t *error;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, document, fhir_json_member(document, first, "resource"), NULL, pool));
    CU_ASSERT_STRING_EQUAL(sent.id, "x");
    error = fhir_resource_check(&sent, document, fhir_json_member(document, third, "resource"), NULL, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_STRING_EQUAL(error->expression, "Bundle.entry[2].resource.photo[0].url");
    error = fhir_resource_check(&sent, document, fhir_json_member(document, fourth, "resource"), NULL, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_STRING_EQUAL(error->expression, "Bundle.entry[3].resource");
}

static void test_long_names(void)
{
    char name[2000];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    refused(apr_pstrcat(pool, "{'resourceType':'Patient','", name, "':''}", NULL), NULL, "Patient");
}

static const fhir_unit_test_t tests[] = {{"taken", test_taken},
                                         {"the least", test_least},
                                         {"no resource", test_no_resource},
                                         {"types", test_types},
                                         {"ids", test_ids},
                                         {"meta", test_metas},
                                         {"SUBSETTED", test_subsetted},
                                         {"empty values and null", test_empties},
                                         {"references", test_references},
                                         {"attachments", test_attachments},
                                         {"resources inside", test_resources_inside},
                                         {"one entry of a Bundle", test_entry},
                                         {"long names", test_long_names},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("resource_check", tests)
