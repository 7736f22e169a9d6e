/* AccessPolicy and ProjectMembership: known as types, searchable, and checked strictly. */
#include "core/fhir/project_resources.h"
#include "core/fhir/search.h"
#include "core/fhir/structure.h"
#include "tests/unit/resource_help.h"

#define CLIENT "'user':{'reference':'ClientApplication/" UUID_A "'}"

static fhir_error_t *error_of(const char *text)
{
    fhir_sent_resource_t sent;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, parsed(quoted(text)), 0, NULL, pool));
    return fhir_project_resource_check(&sent, pool);
}

static fhir_error_t *policy_error(const char *members)
{
    return error_of(apr_psprintf(pool, "{'resourceType':'AccessPolicy','name':'x'%s%s}", *members ? "," : "", members));
}

static fhir_error_t *entry_error(const char *members)
{
    return policy_error(apr_psprintf(pool, "'resource':[{'resourceType':'Patient'},{%s}]", members));
}

static fhir_error_t *membership_error(const char *members)
{
    return error_of(apr_psprintf(pool, "{'resourceType':'ProjectMembership',%s}", members));
}

/* 422 at the expression, and the sentence has the advice. */
static void expect(fhir_error_t *error, const char *expression, const char *advice)
{
    CU_ASSERT_PTR_NOT_NULL(error);
    if (!error) {
        printf("accepted, but should be refused at %s: %s\n", expression, advice);
        return;
    }
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNPROCESSABLE);
    CU_ASSERT_STRING_EQUAL(error->expression, expression);
    if (!strstr(error->public_text, advice) || strcmp(error->expression, expression) != 0) {
        printf("at %s, not %s: %s, not %s\n", error->expression, expression, error->public_text, advice);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, advice));
}

#define EXPECT_POLICY(members, at, advice) expect(policy_error(members), "AccessPolicy" at, advice)
#define EXPECT_ENTRY(members, at, advice) expect(entry_error(members), "AccessPolicy.resource[1]" at, advice)
#define EXPECT_MEMBERSHIP(members, at, advice) expect(membership_error(members), "ProjectMembership" at, advice)

/* ---- types ---- */

static void test_known_types(void)
{
    const fhir_structure_t *element;
    const char *const *types;
    CU_ASSERT_TRUE(fhir_resource_type_known("AccessPolicy"));
    CU_ASSERT_TRUE(fhir_resource_type_known("ProjectMembership"));
    CU_ASSERT_FALSE(fhir_resource_type_known("AccessPolicies"));
    CU_ASSERT_FALSE(fhir_resource_type_known("Project"));
    CU_ASSERT_FALSE(fhir_resource_type_known("ClientApplication"));
    CU_ASSERT_TRUE(fhir_is_project_resource("AccessPolicy"));
    CU_ASSERT_TRUE(fhir_is_project_resource("ProjectMembership"));
    CU_ASSERT_FALSE(fhir_is_project_resource("Patient"));
    CU_ASSERT_FALSE(fhir_is_project_resource("accesspolicy"));
    CU_ASSERT_EQUAL(fhir_structure_element(&element, fhir_structure_of_resource("ProjectMembership"), "user", 4),
                    FHIR_ELEMENT_REFERENCE);
    CU_ASSERT_EQUAL(fhir_structure_element(&element, fhir_structure_of_resource("AccessPolicy"), "meta", 4),
                    FHIR_ELEMENT_COMPLEX);
    CU_ASSERT_TRUE(fhir_structure_mandatory("AccessPolicy", "name"));
    for (types = fhir_structure_resource_types(); *types; types++) {
        CU_ASSERT_FALSE(fhir_is_project_resource(*types)); /* they are not of R4 */
    }
}

static void test_sorted(void)
{
    static const char *const types[] = {"AccessPolicy", "ProjectMembership"};
    int i;
    int j;
    for (i = 0; i < 2; i++) {
        const fhir_structure_t *structure = fhir_structure_of_resource(types[i]);
        int count;
        const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, types[i]);
        const char *name;
        CU_ASSERT_EQUAL(count, i == 0 ? 1 : 4);
        for (j = 0; j < count; j++) {
            CU_ASSERT_PTR_EQUAL(fhir_search_parameter(types[i], parameters[j].name), &parameters[j]);
        }
        for (j = 0; (name = fhir_structure_member(structure, j)); j++) {
            const fhir_structure_t *ignored;
            CU_ASSERT_NOT_EQUAL(fhir_structure_element(&ignored, structure, name, strlen(name)), FHIR_ELEMENT_UNKNOWN);
        }
    }
}

static int finds(const char *type, const char *json, const char *query)
{
    fhir_store_resource_t stored = prepared(apr_psprintf(pool, "{'resourceType':'%s',%s}", type, json));
    fhir_resource_t resource = {0};
    apr_array_header_t *parameters;
    fhir_search_t *search = NULL;
    resource.id = "1";
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    FHIR_ASSERT_OK(fhir_search_parse(&search, type, parameters, 1, &addresses, pool));
    return search && fhir_search_matches(search, &resource, fhir_search_index(type, "1", &stored, &addresses, pool));
}

static void test_search(void)
{
    static const char *const policy = "'name':'Patients read','meta':{'tag':[{'code':'a'}]}";
    static const char *const member =
        CLIENT ",'profile':{'reference':'Patient/7'},'accessPolicy':{'reference':'AccessPolicy/a'},"
               "'access':[{'policy':{'reference':'AccessPolicy/b'}},{'policy':{'reference':'AccessPolicy/c'}}]";
    static const char *const user = "'user':{'identifier':{'system':'https://issuer.example','value':'s'}}";
    CU_ASSERT_TRUE(finds("AccessPolicy", policy, "name=patients"));
    CU_ASSERT_TRUE(finds("AccessPolicy", policy, "name:exact=Patients%20read&_tag=a&_id=1"));
    CU_ASSERT_FALSE(finds("AccessPolicy", policy, "name=read"));
    CU_ASSERT_TRUE(finds("ProjectMembership", member, "user=ClientApplication/" UUID_A));
    CU_ASSERT_FALSE(finds("ProjectMembership", member, "user=ClientApplication/" UUID_B));
    CU_ASSERT_TRUE(finds("ProjectMembership", member, "profile=Patient/7"));
    CU_ASSERT_TRUE(finds("ProjectMembership", member, "access-policy=AccessPolicy/a"));
    CU_ASSERT_TRUE(finds("ProjectMembership", member, "access-policy=c&access-policy=b"));
    CU_ASSERT_FALSE(finds("ProjectMembership", member, "access-policy=AccessPolicy/d"));
    CU_ASSERT_TRUE(finds("ProjectMembership", user, "user-identifier=https://issuer.example|s"));
    CU_ASSERT_TRUE(finds("ProjectMembership", user, "user:identifier=https://issuer.example|s"));
    CU_ASSERT_FALSE(finds("ProjectMembership", user, "user-identifier=https://other.example|s"));
    /* A member is not what is in the compartment of his profile. */
    CU_ASSERT_TRUE(finds("ProjectMembership", member, "_compartment:missing=true"));
}

/* ---- AccessPolicy ---- */

static void test_policies(void)
{
    FHIR_ASSERT_OK(policy_error(""));
    FHIR_ASSERT_OK(policy_error("'id':'x','meta':{'tag':[{'code':'y'}],'versionId':'1'}"));
    FHIR_ASSERT_OK(policy_error(
        "'resource':[{'resourceType':'*','readonly':true,'interaction':['create','read','vread','update','delete',"
        "'history','search']},{'resourceType':'Observation','criteria':'Observation?_compartment=%patient',"
        "'readonly':false,'hiddenFields':['value','code','valueQuantity','meta','note'],'readonlyFields':['status']},"
        "{'resourceType':'Binary'},{'resourceType':'*','hiddenFields':['deceased','photo']}],"
        "'ipAccessRule':[{'name':'office','value':'192.0.2.0/24','action':'allow'},{'value':'2001:db8::1','action':"
        "'allow'},{'value':'*','action':'block'}]"));
    /* Other types are not looked at. */
    FHIR_ASSERT_OK(error_of("{'resourceType':'Patient','critera':1}"));
}

static void test_bad_policies(void)
{
    expect(error_of("{'resourceType':'AccessPolicy'}"), "AccessPolicy", "needs the member name");
    expect(error_of("{'resourceType':'AccessPolicy','name':1}"), "AccessPolicy.name", "must be a string");
    EXPECT_POLICY("'resources':[{'resourceType':'Patient'}]", ".resources",
                  "is unknown; here may be resourceType, id, meta, name, resource, ipAccessRule");
    EXPECT_POLICY("'text':{'status':'generated','div':'<div/>'}", ".text", "is unknown");
    EXPECT_POLICY("'extension':[{'url':'http://x'}]", ".extension", "is unknown");
    EXPECT_POLICY("'_name':{'id':'x'}", "._name", "is unknown");
    EXPECT_POLICY("'contained':[{'resourceType':'Patient'}]", ".contained", "is unknown");
    EXPECT_POLICY("'basedOn':[{'reference':'AccessPolicy/1'}]", ".basedOn", "is not evaluated by this server");
    EXPECT_POLICY("'compartment':{'reference':'Patient/1'}", ".compartment", "is not evaluated by this server");
    EXPECT_POLICY("'resource':{'resourceType':'Patient'}", ".resource", "must be a list");
    EXPECT_POLICY("'resource':['Patient']", ".resource[0]", "must be an object");
    EXPECT_POLICY("'resource':[null]", ".resource[0]", "must be an object");
}

static void test_bad_entries(void)
{
    EXPECT_ENTRY("'readonly':true", "", "needs the member resourceType");
    EXPECT_ENTRY("'resourceType':7", ".resourceType", "must be a string");
    EXPECT_ENTRY("'resourceType':'patient'", ".resourceType", "is no resource type");
    EXPECT_ENTRY("'resourceType':'Patient','critera':'Patient?_id=1'", ".critera",
                 "is unknown; here may be resourceType, criteria, interaction, readonly, hiddenFields, readonlyFields");
    EXPECT_ENTRY("'resourceType':'Patient','writeConstraint':[{'expression':'x'}]", ".writeConstraint",
                 "is not evaluated by this server");
    EXPECT_ENTRY("'resourceType':'Patient','criteria':['Patient?_id=1']", ".criteria", "must be a string");
    EXPECT_ENTRY("'resourceType':'Patient','readonly':'true'", ".readonly", "must be true or false");
    EXPECT_ENTRY("'resourceType':'Patient','interaction':'read'", ".interaction", "must be a list");
    EXPECT_ENTRY("'resourceType':'Patient','interaction':['read','write']", ".interaction[1]",
                 "write one of create, read, vread, update, delete, history, search");
    EXPECT_ENTRY("'resourceType':'Patient','interaction':[7]", ".interaction[0]", "must be a string");
    EXPECT_ENTRY("'resourceType':'Patient','extension':[{'url':'x'}]", ".extension", "is unknown");
}

static void test_fields(void)
{
    EXPECT_ENTRY("'resourceType':'Patient','hiddenFields':['names']", ".hiddenFields[0]", "is no element");
    EXPECT_ENTRY("'hiddenFields':['name','value'],'resourceType':'Patient'", ".hiddenFields[1]", "is no element");
    EXPECT_ENTRY("'resourceType':'Patient','hiddenFields':['name.family']", ".hiddenFields[0]", "at the top");
    EXPECT_ENTRY("'resourceType':'Patient','readonlyFields':['_birthDate']", ".readonlyFields[0]", "at the top");
    EXPECT_ENTRY("'resourceType':'Observation','readonlyFields':['value[x]']", ".readonlyFields[0]", "at the top");
    EXPECT_ENTRY("'resourceType':'Patient','hiddenFields':['id']", ".hiddenFields[0]", "can't be hidden");
    EXPECT_ENTRY("'resourceType':'Patient','readonlyFields':['resourceType']", ".readonlyFields[0]", "can't be hidden");
    EXPECT_ENTRY("'resourceType':'*','hiddenFields':['nothingHasThis']", ".hiddenFields[0]", "is no element");
    EXPECT_ENTRY("'resourceType':'Patient','hiddenFields':['na']", ".hiddenFields[0]", "is no element");
    EXPECT_ENTRY("'hiddenFields':['name']", "", "needs the member resourceType");
    EXPECT_ENTRY("'hiddenFields':['name'],'resourceType':[1]", ".resourceType", "must be a string");
}

static void test_bad_rules(void)
{
    EXPECT_POLICY("'ipAccessRule':[{'action':'allow'}]", ".ipAccessRule[0]", "needs the member value");
    EXPECT_POLICY("'ipAccessRule':[{'value':'*'}]", ".ipAccessRule[0]", "needs the member action");
    EXPECT_POLICY("'ipAccessRule':[{'value':'*','action':'deny'}]", ".ipAccessRule[0].action", "allow, block");
    EXPECT_POLICY("'ipAccessRule':[{'value':'x','action':'allow'}]", ".ipAccessRule[0].value", "192.0.2.0/24");
    EXPECT_POLICY("'ipAccessRule':[{'value':'192.0.2.1/24','action':'allow'}]", ".ipAccessRule[0].value", "behind");
    EXPECT_POLICY("'ipAccessRule':[{'value':'*','action':'allow','until':'x'}]", ".ipAccessRule[0].until", "unknown");
}

/* `count` items joined with commas. */
static const char *repeated(const char *item, int count)
{
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    for (i = 0; i < count; i++) {
        fhir_text_addf(&text, "%s%s", i ? "," : "", item);
    }
    return text.text;
}

static const char *entries(int count)
{
    return apr_psprintf(pool, "'resource':[%s]", repeated("{'resourceType':'Patient'}", count));
}

static const char *fields(int count)
{
    return apr_psprintf(pool, "'resourceType':'Patient','hiddenFields':[%s]", repeated("'name'", count));
}

static const char *with_criteria(int length)
{
    char *criteria = apr_palloc(pool, (apr_size_t)length + 1);
    memset(criteria, 'x', (apr_size_t)length);
    criteria[length] = '\0';
    return apr_psprintf(pool, "'resourceType':'Patient','criteria':'%s'", criteria);
}

static void test_policy_limits(void)
{
    FHIR_ASSERT_OK(policy_error(entries(1000)));
    EXPECT_POLICY(entries(1001), ".resource", "has over 1000 items");
    FHIR_ASSERT_OK(entry_error(fields(200)));
    EXPECT_ENTRY(fields(201), ".hiddenFields", "has over 200 items");
    FHIR_ASSERT_OK(entry_error(with_criteria(8192)));
    EXPECT_ENTRY(with_criteria(8193), ".criteria", "is longer than 8192 bytes");
    EXPECT_POLICY(apr_psprintf(pool, "'meta':{'tag':[{'code':'%01048576d'}]}", 1), "", "is larger than 1 MiB");
}

/* ---- ProjectMembership ---- */

static void test_memberships(void)
{
    FHIR_ASSERT_OK(membership_error(CLIENT));
    FHIR_ASSERT_OK(membership_error("'user':{'identifier':{'system':'https://issuer.example','value':'s'}}"));
    FHIR_ASSERT_OK(membership_error("'user':{'identifier':{'value':'joe'},'display':'Joe'}"));
    FHIR_ASSERT_OK(membership_error(
        CLIENT ",'profile':{'reference':'Patient/1','display':'x'},'admin':true,'active':false,"
               "'accessPolicy':{'reference':'AccessPolicy/a'},'access':[{'policy':{'reference':'AccessPolicy/b'},"
               "'parameter':[{'name':'patient','valueReference':{'reference':'Patient/1'}},"
               "{'name':'own_Name2','valueString':'x,y|z'}]},{'policy':{'reference':'AccessPolicy/b'},'parameter':"
               "[{'name':'patient','valueString':'Patient/2'}]}]"));
    FHIR_ASSERT_OK(membership_error(CLIENT ",'project':{'reference':'Project/1'},'invitedBy':{'reference':'User/1'},"
                                           "'userConfiguration':{'reference':'UserConfiguration/1'},'userName':'x',"
                                           "'externalId':'y','identifier':[{'system':'http://a','value':'b'}]"));
    FHIR_ASSERT_OK(membership_error(CLIENT ",'accessPolicy':{'reference':'urn:uuid:" UUID_A "'},"
                                           "'profile':{'reference':'urn:uuid:" UUID_B "'}"));
}

static void test_bad_memberships(void)
{
    EXPECT_MEMBERSHIP("'admin':true", "", "needs the member user");
    EXPECT_MEMBERSHIP(CLIENT ",'admin':'true'", ".admin", "must be true or false");
    EXPECT_MEMBERSHIP(CLIENT ",'active':0", ".active", "must be true or false");
    EXPECT_MEMBERSHIP(CLIENT ",'acces':[1]", ".acces", "is unknown; here may be resourceType, id, meta, user, profile");
    EXPECT_MEMBERSHIP(CLIENT ",'text':{'status':'empty'}", ".text", "is unknown");
    EXPECT_MEMBERSHIP(CLIENT ",'extension':[{'url':'x'}]", ".extension", "is unknown");
    EXPECT_MEMBERSHIP(CLIENT ",'userName':{'a':1}", ".userName", "must be a string");
    EXPECT_MEMBERSHIP(CLIENT ",'identifier':{'value':'x'}", ".identifier", "must be a list");
}

static void test_bad_users(void)
{
    EXPECT_MEMBERSHIP("'user':{'display':'x'}", ".user", "either reference (a client) or identifier");
    EXPECT_MEMBERSHIP("'user':{'reference':'ClientApplication/" UUID_A "','identifier':{'value':'x'}}", ".user",
                      "either reference");
    EXPECT_MEMBERSHIP("'user':{'reference':'User/1'}", ".user.reference", "ClientApplication/");
    EXPECT_MEMBERSHIP("'user':{'reference':'ClientApplication/1'}", ".user.reference", "ClientApplication/");
    EXPECT_MEMBERSHIP("'user':{'reference':'x'}", ".user.reference", "ClientApplication/");
    EXPECT_MEMBERSHIP("'user':{'reference':'urn:uuid:" UUID_A "'}", ".user.reference", "ClientApplication/");
    EXPECT_MEMBERSHIP("'user':{'identifier':{'system':'https://issuer.example'}}", ".user.identifier", "value");
    EXPECT_MEMBERSHIP("'user':{'identifier':{'value':7}}", ".user.identifier.value", "must be a string");
    EXPECT_MEMBERSHIP("'user':{'identifier':{'value':'x','use':'usual'}}", ".user.identifier.use", "is unknown");
    EXPECT_MEMBERSHIP(apr_psprintf(pool, "'user':{'identifier':{'value':'%01001d'}}", 7), ".user.identifier.value",
                      "longer");
}

static void test_bad_access(void)
{
    EXPECT_MEMBERSHIP(CLIENT ",'profile':{'display':'x'}", ".profile", "needs the member reference");
    EXPECT_MEMBERSHIP(CLIENT ",'profile':{'reference':'Nothing/1'}", ".profile.reference", "Practitioner/1");
    EXPECT_MEMBERSHIP(CLIENT ",'profile':{'reference':'Patient/1/_history/2'}", ".profile.reference", "Practitioner/1");
    EXPECT_MEMBERSHIP(CLIENT ",'profile':{'reference':'https://x.example/Patient/1'}", ".profile.reference", "this");
    EXPECT_MEMBERSHIP(CLIENT ",'accessPolicy':{'reference':'Patient/1'}", ".accessPolicy.reference", "AccessPolicy/");
    EXPECT_MEMBERSHIP(CLIENT ",'accessPolicy':{'reference':'AccessPolicy/1/2'}", ".accessPolicy.reference", "id");
    EXPECT_MEMBERSHIP(CLIENT ",'accessPolicy':{'reference':'urn:uuid:x'}", ".accessPolicy.reference", "id");
    EXPECT_MEMBERSHIP(CLIENT ",'access':[{'parameter':[{'name':'a','valueString':'b'}]}]", ".access[0]", "policy");
}

#define PARAMETERS(list) CLIENT ",'access':[{'policy':{'reference':'AccessPolicy/1'},'parameter':[" list "]}]"
#define AT ".access[0].parameter[0]"

static void test_bad_parameters(void)
{
    EXPECT_MEMBERSHIP(PARAMETERS("{'valueString':'b'}"), AT, "needs the member name");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'a'}"), AT, "either valueString or valueReference");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'a','valueString':'b','valueReference':{'reference':'Patient/1'}}"), AT,
                      "either valueString or valueReference");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'a','valueInteger':7}"), AT ".valueInteger", "is unknown");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'a-b','valueString':'b'}"), AT ".name", "letters, digits and _");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'1a','valueString':'b'}"), AT ".name", "begin with a letter");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'a','valueReference':{'identifier':{'value':'x'}}}"),
                      AT ".valueReference.identifier", "is unknown");
    EXPECT_MEMBERSHIP(PARAMETERS("{'name':'a','valueString':'b'},{'name':'a','valueString':'c'}"),
                      ".access[0].parameter[1]", "give each once");
}

static const char *access_of(int count)
{
    return apr_psprintf(pool, CLIENT ",'access':[%s]", repeated("{'policy':{'reference':'AccessPolicy/1'}}", count));
}

static const char *many_parameters(int count)
{
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    for (i = 0; i < count; i++) {
        fhir_text_addf(&text, "%s{'name':'p%d','valueString':'x'}", i ? "," : "", i);
    }
    return apr_psprintf(pool, CLIENT ",'access':[{'policy':{'reference':'AccessPolicy/1'},'parameter':[%s]}]",
                        text.text);
}

static void test_membership_limits(void)
{
    FHIR_ASSERT_OK(membership_error(access_of(100)));
    EXPECT_MEMBERSHIP(access_of(101), ".access", "has over 100 items");
    FHIR_ASSERT_OK(
        membership_error(apr_pstrcat(pool, access_of(99), ",'accessPolicy':{'reference':'AccessPolicy/1'}", NULL)));
    EXPECT_MEMBERSHIP(apr_pstrcat(pool, access_of(100), ",'accessPolicy':{'reference':'AccessPolicy/1'}", NULL),
                      ".access", "together with accessPolicy");
    FHIR_ASSERT_OK(membership_error(many_parameters(200)));
    EXPECT_MEMBERSHIP(many_parameters(201), ".access[0].parameter", "has over 200 items");
}

static void test_inside_bundle(void)
{
    fhir_sent_resource_t sent;
    const fhir_json_document_t *document = parsed(quoted(
        "{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'AccessPolicy','name':'x','resorce':[1]}}]}"));
    int entry = fhir_json_first(document, fhir_json_member(document, 0, "entry"));
    FHIR_ASSERT_OK(fhir_resource_check(&sent, document, fhir_json_member(document, entry, "resource"), NULL, pool));
    expect(fhir_project_resource_check(&sent, pool), "Bundle.entry[0].resource.resorce", "is unknown");
}

static void test_long_names(void)
{
    char name[2000];
    fhir_error_t *error;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    error = policy_error(apr_psprintf(pool, "'%s':1", name));
    expect(error, "AccessPolicy", "is unknown");
    CU_ASSERT(error && strlen(error->public_text) < 300);
}

static const fhir_unit_test_t TESTS[] = {
    {"types", test_known_types},
    {"tables are sorted", test_sorted},
    {"search", test_search},
    {"policies", test_policies},
    {"bad policies", test_bad_policies},
    {"bad entries", test_bad_entries},
    {"names of elements", test_fields},
    {"bad address rules", test_bad_rules},
    {"limits of policies", test_policy_limits},
    {"memberships", test_memberships},
    {"bad memberships", test_bad_memberships},
    {"bad users", test_bad_users},
    {"bad access", test_bad_access},
    {"bad parameters", test_bad_parameters},
    {"limits of memberships", test_membership_limits},
    {"inside a Bundle", test_inside_bundle},
    {"long names", test_long_names},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("project_resources", TESTS)
