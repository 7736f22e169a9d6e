/* Compiling access policies: what is a problem and permits nothing, limits, hostile texts, address rules. */
#include "policy_help.h"

static int problem_count(const fhir_policy_t *policy)
{
    return fhir_policy_problems(policy)->nelts;
}

static const fhir_policy_problem_t *problem_at(const fhir_policy_t *policy, int i)
{
    return &APR_ARRAY_IDX(fhir_policy_problems(policy), i, fhir_policy_problem_t);
}

/* Does it permit to read the Patient 1? */
static int reads(const fhir_policy_t *policy)
{
    return fhir_policy_permits(policy, FHIR_INTERACTION_READ, subject_of("Patient", "1", "'gender':'female'"));
}

static int has_problem(const fhir_policy_t *policy, const char *expression)
{
    int i;
    for (i = 0; i < problem_count(policy); i++) {
        if (strcmp(problem_at(policy, i)->expression, expression) == 0) {
            return *problem_at(policy, i)->text && strcmp(problem_at(policy, i)->policy_id, "p") == 0;
        }
    }
    return 0;
}

/* ---- entries ---- */

static void test_understood_entries(void)
{
    static const char *const entries[] = {
        "{'resourceType':'Patient'}",
        "{'resourceType':'*'}",
        "{'resourceType':'Patient','criteria':'Patient?_id=1'}",
        "{'resourceType':'Patient','criteria':'Patient?gender=female'}",
        "{'resourceType':'Patient','criteria':'Patient?_compartment=%patient'}",
        "{'resourceType':'Patient','criteria':'Patient?_compartment=%profile'}",
        "{'resourceType':'*','criteria':'*?_compartment=%patient'}",
        "{'resourceType':'Patient','readonly':true}",
        "{'resourceType':'Patient','readonly':false}",
        "{'resourceType':'Patient','interaction':['read']}",
        "{'resourceType':'Patient','readonly':true,'interaction':['update','read']}",
        "{'resourceType':'Patient','interaction':['create','read','vread','update','delete','history','search']}",
        "{'resourceType':'Patient','hiddenFields':['name','telecom'],'readonlyFields':['meta','deceased[x]']}",
        "{'resourceType':'Patient','hiddenFields':[]}",
        "{'resourceType':'*','hiddenFields':['anything']}",
        "{'resourceType':'Media'},{'resourceType':'Patient'}",
    };
    size_t i;
    for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        const fhir_policy_t *policy = compiled("", "Patient/1", entries[i]);
        if (problem_count(policy) != 0 || !reads(policy)) {
            printf("%s: %d problems\n", entries[i], problem_count(policy));
        }
        CU_ASSERT_EQUAL(problem_count(policy), 0);
        CU_ASSERT_TRUE(reads(policy));
    }
}

static void test_problems_permit_nothing(void)
{
    static const char *const cases[][2] = {
        {"'x'", "AccessPolicy.resource[0]"},
        {"[]", "AccessPolicy.resource[0]"},
        {"null", "AccessPolicy.resource[0]"},
        {"{}", "AccessPolicy.resource[0]"},
        {"{'resourceType':1}", "AccessPolicy.resource[0]"},
        {"{'resourceType':['Patient']}", "AccessPolicy.resource[0]"},
        {"{'criteria':'Patient?_id=1'}", "AccessPolicy.resource[0]"},
        {"{'resourceType':'patient'}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':'Patients'}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':''}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':'**'}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':'AccessPolicy'}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':'ProjectMembership'}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':'AuditEvent'}", "AccessPolicy.resource[0].resourceType"},
        {"{'resourceType':'Patient','writeConstraint':[{}]}", "AccessPolicy.resource[0].writeConstraint"},
        {"{'resourceType':'Patient','compartment':{'reference':'Patient/1'}}", "AccessPolicy.resource[0].compartment"},
        {"{'resourceType':'Patient','Criteria':'Patient?_id=1'}", "AccessPolicy.resource[0].Criteria"},
        {"{'resourceType':'Patient','extension':[{'url':'x'}]}", "AccessPolicy.resource[0].extension"},
        {"{'resourceType':'Patient','_criteria':{}}", "AccessPolicy.resource[0]._criteria"},
        {"{'resourceType':'Patient','criteria':1}", "AccessPolicy.resource[0].criteria"},
        {"{'resourceType':'Patient','criteria':null}", "AccessPolicy.resource[0].criteria"},
        {"{'resourceType':'Patient','criteria':['Patient?_id=1']}", "AccessPolicy.resource[0].criteria"},
        {"{'resourceType':'Patient','criteria':''}", "AccessPolicy.resource[0].criteria"},
        {"{'resourceType':'Patient','criteria':'Patient?_id=%nobody'}", "AccessPolicy.resource[0].criteria"},
        {"{'resourceType':'Patient','interaction':'read'}", "AccessPolicy.resource[0].interaction"},
        {"{'resourceType':'Patient','interaction':[]}", "AccessPolicy.resource[0].interaction"},
        {"{'resourceType':'Patient','interaction':['read','Read']}", "AccessPolicy.resource[0].interaction[1]"},
        {"{'resourceType':'Patient','interaction':['read','search-type']}", "AccessPolicy.resource[0].interaction[1]"},
        {"{'resourceType':'Patient','interaction':['read',null]}", "AccessPolicy.resource[0].interaction[1]"},
        {"{'resourceType':'Patient','readonly':'true'}", "AccessPolicy.resource[0].readonly"},
        {"{'resourceType':'Patient','readonly':1}", "AccessPolicy.resource[0].readonly"},
        {"{'resourceType':'Patient','readonly':true,'interaction':['update']}", "AccessPolicy.resource[0]"},
        {"{'resourceType':'Patient','hiddenFields':'name'}", "AccessPolicy.resource[0].hiddenFields"},
        {"{'resourceType':'Patient','hiddenFields':['name.family']}", "AccessPolicy.resource[0].hiddenFields[0]"},
        {"{'resourceType':'Patient','hiddenFields':['name','']}", "AccessPolicy.resource[0].hiddenFields[1]"},
        {"{'resourceType':'Patient','hiddenFields':['names']}", "AccessPolicy.resource[0].hiddenFields[0]"},
        {"{'resourceType':'Patient','hiddenFields':['nam']}", "AccessPolicy.resource[0].hiddenFields[0]"},
        {"{'resourceType':'Patient','hiddenFields':['_name']}", "AccessPolicy.resource[0].hiddenFields[0]"},
        {"{'resourceType':'Patient','hiddenFields':['id']}", "AccessPolicy.resource[0].hiddenFields[0]"},
        {"{'resourceType':'Patient','hiddenFields':[1]}", "AccessPolicy.resource[0].hiddenFields[0]"},
        {"{'resourceType':'Patient','readonlyFields':['name[0]']}", "AccessPolicy.resource[0].readonlyFields[0]"},
        {"{'resourceType':'Binary','hiddenFields':['data']}", "AccessPolicy.resource[0].hiddenFields"},
        {"{'resourceType':'Binary','readonlyFields':['data']}", "AccessPolicy.resource[0].readonlyFields"},
        {"{'resourceType':'Binary','criteria':'Binary?_tag=x'}", "AccessPolicy.resource[0].criteria"},
        {"{'resourceType':'Binary','criteria':'Binary?_compartment=%patient'}", "AccessPolicy.resource[0].criteria"},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const fhir_policy_t *policy = compiled("", "Patient/1", cases[i][0]);
        const fhir_policy_t *beside =
            compiled("", "Patient/1", apr_pstrcat(pool, cases[i][0], ",{'resourceType':'Patient'}", NULL));
        if (!has_problem(policy, cases[i][1]) || reads(policy)) {
            printf("%s: %d problems, first %s\n", cases[i][0], problem_count(policy),
                   problem_count(policy) ? problem_at(policy, 0)->expression : "-");
        }
        CU_ASSERT_TRUE(has_problem(policy, cases[i][1]));
        CU_ASSERT_FALSE(reads(policy));
        CU_ASSERT_FALSE(fhir_policy_permits(policy, FHIR_INTERACTION_READ, binary_of("1")));
        CU_ASSERT_FALSE(fhir_policy_permits_type(policy, FHIR_INTERACTION_READ, "Patient"));
        /* and does not spoil a good one */
        CU_ASSERT_TRUE(reads(beside));
        CU_ASSERT_TRUE(has_problem(beside, cases[i][1]));
    }
}

static void test_all_problems_of_an_entry(void)
{
    const fhir_policy_t *policy =
        compiled("", NULL, "{'resourceType':'Patient','criteria':'x','readonly':1,'interaction':['a','b']}");
    CU_ASSERT_EQUAL(problem_count(policy), 4);
}

static void test_policy_members(void)
{
    static const char *const entry = ",'resource':[{'resourceType':'Patient'}]";
    static const char *const good[] = {"'name':'P'", "'name':'P','description':'x','text':{'div':'x'}",
                                       "'resourceType':'AccessPolicy','id':'p','meta':{},'language':'en'"};
    static const char *const bad[] = {"'basedOn':[{'reference':'AccessPolicy/q'}]",
                                      "'compartment':{'reference':'x'}",
                                      "'implicitRules':'x'",
                                      "'modifierExtension':[{'url':'x'}]",
                                      "'resources':[]",
                                      "'_resource':[]"};
    size_t i;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const fhir_policy_t *policy = compiled_body("", NULL, apr_pstrcat(pool, good[i], entry, NULL));
        CU_ASSERT_TRUE(reads(policy));
        CU_ASSERT_EQUAL(problem_count(policy), 0);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const fhir_policy_t *policy = compiled_body("", NULL, apr_pstrcat(pool, bad[i], entry, NULL));
        CU_ASSERT_FALSE(reads(policy));
        CU_ASSERT_EQUAL(problem_count(policy), 1);
    }
    CU_ASSERT_FALSE(reads(compiled_body("", NULL, "")));
    CU_ASSERT_EQUAL(problem_count(compiled_body("", NULL, "")), 0);
    CU_ASSERT_EQUAL(problem_count(compiled_body("", NULL, "'resource':{'resourceType':'Patient'}")), 1);
    CU_ASSERT_FALSE(reads(compiled_body("", NULL, "'resource':{'resourceType':'Patient'}")));
}

/* What they were made in is gone by then. */
static void test_texts_of_problems_stay(void)
{
    const fhir_policy_t *policies[2] = {compiled_body("", NULL, "'resource':["),
                                        fhir_policy_compile("[", NULL, NULL, &addresses, pool)};
    int i;
    for (i = 0; i < 100; i++) {
        memset(apr_palloc(pool, 4000), 'x', 4000);
    }
    for (i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(problem_count(policies[i]), 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(problem_at(policies[i], 0)->text, "The JSON is not valid"));
    }
}

/* ---- access ---- */

static const fhir_policy_t *of_access(const char *access)
{
    apr_array_header_t *sources = apr_array_make(pool, 2, sizeof(fhir_policy_source_t));
    add_source(sources, "p", "'resource':[{'resourceType':'Patient','criteria':'Patient?_id=%id'}]");
    add_source(sources, "all", "'resource':[{'resourceType':'Patient'}]");
    add_source(sources, "gone", NULL);
    return fhir_policy_compile(quoted(access), NULL, sources, &addresses, pool);
}

#define P_OF(id) "{'policy':'p','parameter':[{'name':'id','value':'" id "'}]}"
#define TWICE ("[" P_OF("2") "," P_OF("1") "]")

static void test_access(void)
{
    static const char *const good[] = {
        "[{'policy':'all'}]",
        "[{'policy':'all','parameter':[]}]",
        "[{'policy':'p','parameter':[{'name':'id','value':'1'}]}]",
        TWICE,
    };
    static const char *const bad[] = {
        "",
        "x",
        "null",
        "{}",
        "'all'",
        "['all']",
        "[null]",
        "[{}]",
        "[{'policy':1}]",
        "[{'policy':null}]",
        "[{'policy':'all','extra':1}]",
        "[{'policy':'gone'}]",
        "[{'policy':'unknown'}]",
        "[{'policy':'p'}]",
        "[{'policy':'p','parameter':{'name':'id','value':'1'}}]",
        "[{'policy':'p','parameter':[{'name':'id'}]}]",
        "[{'policy':'p','parameter':[{'name':'id','value':1}]}]",
        "[{'policy':'p','parameter':[{'name':'id','value':null}]}]",
        "[{'policy':'p','parameter':[{'name':'id','value':''}]}]",
        "[{'policy':'p','parameter':[{'name':'id','value':'1','more':1}]}]",
        "[{'policy':'p','parameter':[{'name':'ID','value':'1'}]}]",
        "[{'policy':'p','parameter':['id']}]",
        "[{'policy':'p','parameter':[{'name':'id','value':'1'},{'name':'id','value':'2'}]}]",
        "[{'policy':'all','parameter':[{'name':'id','value':'1'},{'name':'id','value':'1'}]}]",
        "[{'policy':'all','parameter':1}]",
        "[{'policy':'all'}",
        "[{'policy':'all'}]]",
        "[{'policy':'all','policy':'p'}]",
    };
    size_t i;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_TRUE(reads(of_access(good[i])));
        CU_ASSERT_EQUAL(problem_count(of_access(good[i])), 0);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (reads(of_access(bad[i])) || problem_count(of_access(bad[i])) == 0) {
            printf("access %s\n", bad[i]);
        }
        CU_ASSERT_FALSE(reads(of_access(bad[i])));
        CU_ASSERT_TRUE(problem_count(of_access(bad[i])) > 0);
    }
    CU_ASSERT_FALSE(reads(of_access("[]")));
    CU_ASSERT_EQUAL(problem_count(of_access("[]")), 0);
    CU_ASSERT_STRING_EQUAL(problem_at(of_access("[{'policy':'gone'}]"), 0)->policy_id, "gone");
    CU_ASSERT_STRING_EQUAL(problem_at(of_access("[{'policy':'gone'}]"), 0)->expression, "ProjectMembership.access[0]");
}

static void test_nothing(void)
{
    const fhir_policy_t *policy = fhir_policy_compile(NULL, NULL, NULL, &addresses, pool);
    CU_ASSERT_FALSE(reads(policy));
    CU_ASSERT_FALSE(reads(NULL));
    CU_ASSERT_EQUAL(problem_count(policy), 0);
    CU_ASSERT_FALSE(reads(fhir_policy_compile("[{\"policy\":\"p\"}]", NULL, NULL, &addresses, pool)));
}

/* %patient follows the profile of a patient; a parameter of that name comes before it. */
static void test_profile(void)
{
    static const char *const entry = "{'resourceType':'Patient','criteria':'Patient?_compartment=%patient'}";
    CU_ASSERT_TRUE(reads(compiled("", "Patient/1", entry)));
    CU_ASSERT_FALSE(reads(compiled("", "Patient/2", entry)));
    CU_ASSERT_FALSE(reads(compiled("", "Practitioner/1", entry)));
    CU_ASSERT_FALSE(reads(compiled("", "", entry)));
    CU_ASSERT_FALSE(reads(compiled("", NULL, entry)));
    CU_ASSERT_EQUAL(problem_count(compiled("", NULL, entry)), 1);
    CU_ASSERT_TRUE(reads(compiled("{'name':'patient','value':'Patient/1'}", "Patient/2", entry)));
    CU_ASSERT_FALSE(reads(compiled("{'name':'patient','value':'Patient/2'}", "Patient/1", entry)));
    CU_ASSERT_TRUE(reads(compiled("{'name':'patient','value':'Patient/1'}", NULL, entry)));
}

/* Nothing of the texts is needed afterwards. */
static void test_lives_in_its_pool(void)
{
    apr_pool_t *other;
    apr_pool_t *kept = pool;
    const fhir_policy_t *policy;
    apr_array_header_t *sources;
    char *access;
    char *profile;
    apr_pool_create(&other, NULL);
    pool = other;
    sources = apr_array_make(other, 1, sizeof(fhir_policy_source_t));
    add_source(sources, apr_pstrdup(other, "p"),
               "'resource':[{'resourceType':'Patient','criteria':'Patient?_compartment=%patient'},{'x':1}]");
    access = apr_pstrdup(other, "[{\"policy\":\"p\"}]");
    profile = apr_pstrdup(other, "Patient/1");
    policy = fhir_policy_compile(access, profile, sources, &addresses, kept);
    pool = kept;
    memset(access, 'x', strlen(access));
    memset(profile, 'x', strlen(profile));
    apr_pool_destroy(other);
    CU_ASSERT_TRUE(reads(policy));
    CU_ASSERT_STRING_EQUAL(problem_at(policy, 0)->policy_id, "p");
}

/* ---- limits ---- */

static const char *repeated(const char *text, int times)
{
    fhir_text_t made;
    fhir_text_init(&made, pool);
    while (times-- > 0) {
        fhir_text_add(&made, made.length ? "," : "");
        fhir_text_add(&made, text);
    }
    return made.text;
}

static const char *numbered_parameters(int count)
{
    fhir_text_t made;
    int i;
    fhir_text_init(&made, pool);
    for (i = 0; i < count; i++) {
        fhir_text_addf(&made, "%s{'name':'p%d','value':'x'}", i ? "," : "", i);
    }
    return made.text;
}

static void test_limits(void)
{
    static const char *const entry = "{'resourceType':'Patient'}";
    const char *deep;
    CU_ASSERT_TRUE(reads(compiled("", NULL, repeated(entry, 1000))));
    CU_ASSERT_FALSE(reads(compiled("", NULL, repeated(entry, 1001))));
    CU_ASSERT_EQUAL(problem_count(compiled("", NULL, repeated(entry, 1001))), 1);
    CU_ASSERT_TRUE(reads(compiled(numbered_parameters(200), NULL, entry)));
    CU_ASSERT_FALSE(reads(compiled(numbered_parameters(201), NULL, entry)));
    CU_ASSERT_TRUE(reads(of_access(apr_pstrcat(pool, "[", repeated("{'policy':'all'}", 200), "]", NULL))));
    CU_ASSERT_FALSE(reads(of_access(apr_pstrcat(pool, "[", repeated("{'policy':'all'}", 201), "]", NULL))));
    /* depth and size of the text */
    deep = apr_pstrcat(pool, "'resource':[", entry, "],'text':[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", NULL);
    CU_ASSERT_FALSE(reads(compiled_body("", NULL, deep)));
    CU_ASSERT_EQUAL(problem_count(compiled_body("", NULL, deep)), 1);
    CU_ASSERT_FALSE(
        reads(compiled_body("", NULL, apr_psprintf(pool, "'resource':[%s],'name':'%*s'", entry, 1024 * 1024, "x"))));
    CU_ASSERT_FALSE(reads(compiled_body("", NULL, "'resource':[")));
    CU_ASSERT_FALSE(reads(compiled_body("", NULL, "'resource':[{'resourceType':'Patient'}]}{")));
    /* a great many problems are counted up to a bound */
    CU_ASSERT(problem_count(compiled("", NULL, repeated("{'resourceType':'Patient','a':1,'b':2,'c':3}", 1000))) < 1100);
}

/* Entries of all policies are counted together; beyond the limit those before permit nothing either. */
static void test_limit_over_policies(void)
{
    static const char access[] = "[{\"policy\":\"a\"},{\"policy\":\"b\"}]";
    const char *many = apr_pstrcat(pool, "'resource':[", repeated("{'resourceType':'Patient'}", 600), "]", NULL);
    const char *fewer = apr_pstrcat(pool, "'resource':[", repeated("{'resourceType':'Patient'}", 400), "]", NULL);
    apr_array_header_t *sources = apr_array_make(pool, 2, sizeof(fhir_policy_source_t));
    add_source(sources, "a", many);
    add_source(sources, "b", fewer);
    CU_ASSERT_TRUE(reads(fhir_policy_compile(access, NULL, sources, &addresses, pool)));
    apr_array_clear(sources);
    add_source(sources, "a", many);
    add_source(sources, "b", many);
    CU_ASSERT_FALSE(reads(fhir_policy_compile(access, NULL, sources, &addresses, pool)));
}

/* ---- addresses ---- */

static int permits_address(const char *rules, const char *address)
{
    return fhir_policy_permits_address(compiled_body("", NULL, apr_pstrcat(pool, "'ipAccessRule':", rules, NULL)),
                                       address);
}

#define ALLOW(value) "{'value':'" value "','action':'allow'}"
#define BLOCK(value) "{'value':'" value "','action':'block'}"

static void test_addresses(void)
{
    static const struct {
        const char *rules;
        const char *address;
        int permitted;
    } cases[] = {
        {"[]", "192.0.2.1", 1},
        {"[" BLOCK("*") "]", "192.0.2.1", 0},
        {"[" ALLOW("*") "," BLOCK("*") "]", "192.0.2.1", 1},
        {"[" BLOCK("192.0.2.1") "]", "192.0.2.1", 0},
        {"[" BLOCK("192.0.2.1") "]", "192.0.2.2", 1},
        {"[" ALLOW("192.0.2.0/24") "," BLOCK("*") "]", "192.0.2.77", 1},
        {"[" ALLOW("192.0.2.0/24") "," BLOCK("*") "]", "192.0.3.77", 0},
        {"[" ALLOW("192.0.2.0/24") "," BLOCK("*") "]", "::ffff:192.0.2.77", 1},
        {"[" BLOCK("192.0.2.7") "," ALLOW("192.0.2.0/24") "," BLOCK("*") "]", "192.0.2.7", 0},
        {"[" ALLOW("2001:db8::/32") "," BLOCK("*") "]", "2001:db8::5", 1},
        {"[" ALLOW("2001:db8::/32") "," BLOCK("*") "]", "2001:db9::5", 0},
        {"[" ALLOW("2001:db8::/32") "," BLOCK("*") "]", "192.0.2.1", 0},
        {"[" ALLOW("fe80::/10") "," BLOCK("*") "]", "fe80::1%eth0", 1},
        {"[" ALLOW("192.0.2.1") "," BLOCK("*") "]", "192.0.2.1", 1},
        {"[{'name':'Office','value':'*','action':'block'}]", "192.0.2.1", 0},
        /* who can't be placed is nowhere */
        {"[" ALLOW("192.0.2.1") "]", "unknown", 0},
        {"[" ALLOW("*") "]", "unknown", 0},
        {"[" ALLOW("192.0.2.1") "]", "", 0},
        {"[" ALLOW("192.0.0.0/16") "]", "192.0.0.0/16", 0},
        {"[]", "unknown", 0},
        /* what is not understood blocks, from its place on */
        {"[" ALLOW("0.0.0.0/0") "]", "192.0.2.1", 0},
        {"[" ALLOW("192.0.2.1/24") "]", "192.0.2.1", 0},
        {"[" ALLOW("") "]", "192.0.2.1", 0},
        {"[" ALLOW("192.0.2.1") "," ALLOW("x") "]", "192.0.2.1", 1},
        {"[" ALLOW("192.0.2.1") "," ALLOW("x") "]", "192.0.2.2", 0},
        {"[{'value':'*'}]", "192.0.2.1", 0},
        {"[{'action':'allow'}]", "192.0.2.1", 0},
        {"[{'value':'*','action':'Allow'}]", "192.0.2.1", 0},
        {"[{'value':'*','action':1}]", "192.0.2.1", 0},
        {"[{'value':'*','action':'allow','when':'monday'}]", "192.0.2.1", 0},
        {"['*']", "192.0.2.1", 0},
        {"[null]", "192.0.2.1", 0},
        {"{'value':'*','action':'allow'}", "192.0.2.1", 0},
        {"'*'", "192.0.2.1", 0},
        {"null", "192.0.2.1", 0},
    };
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (permits_address(cases[i].rules, cases[i].address) != cases[i].permitted) {
            printf("%s from %s\n", cases[i].rules, cases[i].address);
        }
        CU_ASSERT_EQUAL(permits_address(cases[i].rules, cases[i].address), cases[i].permitted);
    }
    CU_ASSERT_TRUE(fhir_policy_permits_address(NULL, "192.0.2.1"));
    CU_ASSERT_TRUE(permits_address("[" BLOCK("*") "]", NULL)); /* not asked */
    CU_ASSERT_TRUE(fhir_policy_permits_address(compiled("", NULL, ""), "unknown"));
}

/* Each policy must permit the address; a policy that can't be read permits none. */
static void test_addresses_of_several(void)
{
    apr_array_header_t *sources = apr_array_make(pool, 4, sizeof(fhir_policy_source_t));
    add_source(sources, "open", "'ipAccessRule':[" ALLOW("*") "]");
    add_source(sources, "closed", "'ipAccessRule':[" BLOCK("192.0.2.1") "]");
    add_source(sources, "broken", "'ipAccessRule':[");
#define PERMITS(access, address)                                                                                       \
    fhir_policy_permits_address(fhir_policy_compile(quoted(access), NULL, sources, &addresses, pool), address)
    CU_ASSERT_TRUE(PERMITS("[{'policy':'open'}]", "192.0.2.1"));
    CU_ASSERT_FALSE(PERMITS("[{'policy':'open'},{'policy':'closed'}]", "192.0.2.1"));
    CU_ASSERT_FALSE(PERMITS("[{'policy':'closed'},{'policy':'open'}]", "192.0.2.1"));
    CU_ASSERT_TRUE(PERMITS("[{'policy':'closed'},{'policy':'open'}]", "192.0.2.2"));
    CU_ASSERT_FALSE(PERMITS("[{'policy':'open'},{'policy':'broken'}]", "192.0.2.1"));
    CU_ASSERT_TRUE(PERMITS("[{'policy':'open'},{'policy':'gone'}]", "192.0.2.1"));
#undef PERMITS
}

static const fhir_unit_test_t tests[] = {{"understood entries", test_understood_entries},
                                         {"problems permit nothing", test_problems_permit_nothing},
                                         {"all problems of an entry", test_all_problems_of_an_entry},
                                         {"policy members", test_policy_members},
                                         {"texts of problems stay", test_texts_of_problems_stay},
                                         {"access", test_access},
                                         {"nothing", test_nothing},
                                         {"profile", test_profile},
                                         {"lives in its pool", test_lives_in_its_pool},
                                         {"limits", test_limits},
                                         {"limit over policies", test_limit_over_policies},
                                         {"addresses", test_addresses},
                                         {"addresses of several", test_addresses_of_several},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("policy_compile", tests)
