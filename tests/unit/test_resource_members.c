/* Elements that are left out of a resource, and put back as they were. */
#include "core/fhir/element_names.h"
#include "core/fhir/resource_members.h"
#include "tests/unit/resource_help.h"

static apr_array_header_t *names(const char *list)
{
    apr_array_header_t *elements = apr_array_make(pool, 4, sizeof(const char *));
    char *state = NULL;
    char *name = apr_strtok(apr_pstrdup(pool, list), " ", &state);
    for (; name; name = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(elements, const char *) = name;
    }
    return elements;
}

static fhir_resource_t *stored_as(const char *type, const char *meta, const char *body)
{
    fhir_resource_t *resource = apr_pcalloc(pool, sizeof(*resource));
    resource->type = type;
    resource->id = "1";
    resource->version_id = UUID_A;
    resource->change = FHIR_CHANGE_UPDATE;
    resource->meta = quoted(meta);
    resource->body = quoted(body);
    resource->body_length = strlen(body);
    return resource;
}

static const fhir_resource_t *hidden(const fhir_resource_t *resource, const char *elements)
{
    const fhir_resource_t *visible = NULL;
    FHIR_ASSERT_OK(fhir_resource_hide(&visible, NULL, resource, names(elements), pool));
    CU_ASSERT_EQUAL(strlen(visible->body), visible->body_length);
    return visible;
}

static void check_hidden(const char *type, const char *body, const char *elements, const char *expected)
{
    const char *got = hidden(stored_as(type, "", body), elements)->body;
    if (strcmp(got, quoted(expected)) != 0) {
        printf("%s without %s: %s\n", body, elements, got);
    }
    CU_ASSERT_STRING_EQUAL(got, quoted(expected));
}

/* ---- names ---- */

static int listed(const char *type, const char *name, const char *elements)
{
    return fhir_element_listed(names(elements), type, name, strlen(name));
}

static void test_names(void)
{
    CU_ASSERT_TRUE(listed("Patient", "name", "name"));
    CU_ASSERT_TRUE(listed("Patient", "_birthDate", "birthDate"));
    CU_ASSERT_TRUE(listed("Patient", "birthDate", "x birthDate y"));
    CU_ASSERT_FALSE(listed("Patient", "name", "nam"));
    CU_ASSERT_FALSE(listed("Patient", "nam", "name"));
    CU_ASSERT_FALSE(listed("Patient", "names", "name"));
    CU_ASSERT_FALSE(listed("Patient", "name", ""));
    CU_ASSERT_FALSE(listed("Patient", "", "name"));
    CU_ASSERT_FALSE(listed("Patient", "_", "name"));
    CU_ASSERT_TRUE(listed("Observation", "valueQuantity", "value"));
    CU_ASSERT_TRUE(listed("Observation", "_valueString", "value"));
    CU_ASSERT_TRUE(listed("Observation", "valueQuantity", "valueQuantity"));
    CU_ASSERT_FALSE(listed("Observation", "valueString", "valueQuantity"));
    CU_ASSERT_TRUE(listed("Observation", "valueMoney", "value")); /* no choice of R4: too much rather than too little */
    CU_ASSERT_FALSE(listed("Observation", "values", "value"));
    CU_ASSERT_FALSE(listed("Observation", "value_x", "value"));
    CU_ASSERT_TRUE(listed("Patient", "deceasedBoolean", "deceased"));
    /* An element of that very name is meant alone. */
    CU_ASSERT_FALSE(listed("Media", "deviceName", "device"));
    CU_ASSERT_TRUE(listed("Media", "device", "device"));
}

/* ---- hiding ---- */

static void test_hide(void)
{
    check_hidden("Patient", "'gender':'male','name':[{'family':'x'}],'birthDate':'1970'", "name",
                 "'gender':'male','birthDate':'1970'");
    check_hidden("Patient", "'gender':'male','name':[{'family':'x'}]", "gender", "'name':[{'family':'x'}]");
    check_hidden("Patient", "'gender':'male','name':[{'family':'x'}]", "name", "'gender':'male'");
    check_hidden("Patient", "'gender':'male'", "gender", "");
    check_hidden("Patient", "'birthDate':'1970','_birthDate':{'id':'a'},'active':true", "birthDate", "'active':true");
    check_hidden("Patient", "'active':true,'_birthDate':{'id':'a'}", "birthDate", "'active':true");
    check_hidden("Observation", "'valueQuantity':{'value':1.10},'status':'final'", "value", "'status':'final'");
    check_hidden("Observation", "'component':[{'valueString':'x'}],'valueString':'y'", "value",
                 "'component':[{'valueString':'x'}]");
    check_hidden("Patient", "'a\\u006dount':1,'\\u006eame':[{'text':'x'}]", "name", "'a\\u006dount':1");
    check_hidden("Patient", "", "name", "");
    check_hidden("Patient", "'photo':[{'url':'}],{'}],'name':['\\'x,']", "photo", "'name':['\\'x,']");
}

/* What stays keeps its bytes. */
static void test_fidelity(void)
{
    check_hidden("Observation",
                 "'status' : 'fin\\u0061l','code':{ 'text' :\n'x' },'valueQuantity':{'value':0.10},"
                 "'component':[ {'valueQuantity':{'value':1.2300e+02}}, null ],'x':-0",
                 "code",
                 "'status' : 'fin\\u0061l','valueQuantity':{'value':0.10},"
                 "'component':[ {'valueQuantity':{'value':1.2300e+02}}, null ],'x':-0");
}

static void test_nothing_to_hide(void)
{
    const fhir_resource_t *resource = stored_as("Patient", "", "'gender':'male'");
    const fhir_resource_t *visible = NULL;
    apr_array_header_t *edits = apr_array_make(pool, 1, sizeof(fhir_body_edit_t));
    apr_array_header_t *before = edits;
    CU_ASSERT_PTR_EQUAL(hidden(resource, "name"), resource);
    CU_ASSERT_PTR_EQUAL(hidden(resource, "meta"), resource);
    CU_ASSERT_PTR_EQUAL(hidden(resource, ""), resource);
    CU_ASSERT_PTR_EQUAL(hidden(resource, "id resourceType"), resource);
    FHIR_ASSERT_OK(fhir_resource_hide(&visible, &edits, resource, NULL, pool));
    CU_ASSERT_PTR_EQUAL(visible, resource);
    FHIR_ASSERT_OK(fhir_resource_hide(&visible, &edits, resource, names("name"), pool));
    CU_ASSERT_PTR_EQUAL(visible, resource);
    CU_ASSERT_PTR_EQUAL(edits, before);
}

static void test_tombstone(void)
{
    fhir_resource_t resource = {0};
    const fhir_resource_t *visible = NULL;
    resource.type = "Patient";
    resource.id = "1";
    resource.change = FHIR_CHANGE_DELETE;
    FHIR_ASSERT_OK(fhir_resource_hide(&visible, NULL, &resource, names("name meta"), pool));
    CU_ASSERT_PTR_EQUAL(visible, &resource);
}

static void test_hide_meta(void)
{
    const fhir_resource_t *resource = stored_as("Patient", "'tag':[{'code':'a'}]", "'gender':'male'");
    const fhir_resource_t *visible = hidden(resource, "meta");
    fhir_text_t json;
    CU_ASSERT_STRING_EQUAL(visible->meta, "");
    CU_ASSERT_STRING_EQUAL(visible->body, resource->body);
    CU_ASSERT_STRING_EQUAL(visible->version_id, UUID_A);
    fhir_text_init(&json, pool);
    fhir_resource_render(&json, visible, NULL, NULL);
    CU_ASSERT_PTR_NULL(strstr(json.text, "tag"));
    CU_ASSERT_PTR_NOT_NULL(strstr(json.text, "lastUpdated"));
    visible = hidden(resource, "gender meta");
    CU_ASSERT_STRING_EQUAL(visible->meta, "");
    CU_ASSERT_STRING_EQUAL(visible->body, "");
    CU_ASSERT_STRING_EQUAL(resource->meta, quoted("'tag':[{'code':'a'}]")); /* untouched */
}

static void test_corrupt(void)
{
    static const char *const bad[] = {"'a':", "'a':1},{'b':2", "'a'", "1", "'a':1,", "'a':[1"};
    const fhir_resource_t *visible;
    const fhir_sent_resource_t sent = {parsed("{\"resourceType\":\"Patient\"}"), 0, "Patient", NULL, NULL};
    fhir_sent_resource_t restored;
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT,
                          fhir_resource_hide(&visible, NULL, stored_as("Patient", "", bad[i]), names("name"), pool));
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_resource_restore(&restored, &sent, stored_as("Patient", "", bad[i]),
                                                                    names("name"), pool));
    }
}

/* ---- edits ---- */

static const char *rendered(const fhir_resource_t *resource, const apr_array_header_t *edits)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_resource_render(&json, resource, edits, NULL);
    return strstr(json.text, "Z\"},") ? strstr(json.text, "Z\"},") + 4 : json.text;
}

/* Every `@` becomes `<n>`, and every `^` gets `<n>` before it. */
static apr_array_header_t *marks(const fhir_resource_t *resource)
{
    apr_array_header_t *edits = apr_array_make(pool, 4, sizeof(fhir_body_edit_t));
    apr_size_t i;
    for (i = 0; i < resource->body_length; i++) {
        if (resource->body[i] == '@' || resource->body[i] == '^') {
            fhir_body_edit_t *edit = apr_array_push(edits);
            edit->offset = i;
            edit->removed = resource->body[i] == '@';
            edit->text = apr_psprintf(pool, "<%d>", edits->nelts);
        }
    }
    return edits;
}

static void check_edits(const char *body, const char *elements, const char *expected)
{
    const fhir_resource_t *resource = stored_as("Patient", "", body);
    const fhir_resource_t *visible = NULL;
    apr_array_header_t *edits = marks(resource);
    FHIR_ASSERT_OK(fhir_resource_hide(&visible, &edits, resource, names(elements), pool));
    CU_ASSERT_STRING_EQUAL(rendered(visible, edits), quoted(apr_pstrcat(pool, expected, "}", NULL)));
}

static void test_edits(void)
{
    check_edits("'a':'@','b':'@^','c':'x@'", "nothing", "'a':'<1>','b':'<2><3>^','c':'x<4>'");
    check_edits("'a':'@','b':'@^','c':'x@'", "a", "'b':'<2><3>^','c':'x<4>'");
    check_edits("'a':'@','b':'@^','c':'x@'", "b", "'a':'<1>','c':'x<4>'");
    check_edits("'a':'@','b':'@^','c':'x@'", "c", "'a':'<1>','b':'<2><3>^'");
    check_edits("'a':'@','b':'@^','c':'x@'", "a c", "'b':'<2><3>^'");
    check_edits("'a':'1','b':'@^'", "b", "'a':'1'");
    check_edits("'a':{'url':'@'},'b':[{'x':1,'url':'@'^}]", "a", "'b':[{'x':1,'url':'<2>'<3>^}]");
}

static void test_no_edits(void)
{
    const fhir_resource_t *resource = stored_as("Patient", "", "'a':1,'b':2");
    const fhir_resource_t *visible = NULL;
    apr_array_header_t *edits = NULL;
    FHIR_ASSERT_OK(fhir_resource_hide(&visible, &edits, resource, names("a"), pool));
    CU_ASSERT_PTR_NULL(edits);
    CU_ASSERT_STRING_EQUAL(visible->body, "\"b\":2");
}

/* ---- restoring ---- */

static fhir_sent_resource_t sent_as(const char *json)
{
    fhir_sent_resource_t sent;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, parsed(quoted(json)), 0, NULL, pool));
    return sent;
}

static void check_restored(const char *json, const fhir_resource_t *current, const char *elements, const char *expected)
{
    fhir_sent_resource_t sent = sent_as(json);
    fhir_sent_resource_t restored;
    FHIR_ASSERT_OK(fhir_resource_restore(&restored, &sent, current, names(elements), pool));
    CU_ASSERT_EQUAL(restored.root, 0);
    CU_ASSERT_PTR_EQUAL(restored.id, sent.id);
    CU_ASSERT_PTR_EQUAL(restored.version_id, sent.version_id);
    if (strcmp(restored.document->text, quoted(expected)) != 0) {
        printf("restored: %s\n", restored.document->text);
    }
    CU_ASSERT_STRING_EQUAL(restored.document->text, quoted(expected));
    CU_ASSERT_EQUAL(restored.document->length, strlen(expected));
}

static void test_restore(void)
{
    const fhir_resource_t *current =
        stored_as("Patient", "", "'active' : true,'birthDate':'1970','_birthDate':{'id':'a'},'multipleBirthInteger':2");
    check_restored("{ 'resourceType':'Patient', 'id':'1', 'gender' : 'male' }", current, "birthDate",
                   "{'resourceType':'Patient','id':'1','gender' : 'male','birthDate':'1970','_birthDate':{'id':'a'}}");
    /* What was sent gives way, in its place. */
    check_restored("{'resourceType':'Patient','birthDate':'1980','gender':'male'}", current, "birthDate",
                   "{'resourceType':'Patient','birthDate':'1970','gender':'male','_birthDate':{'id':'a'}}");
    check_restored("{'resourceType':'Patient','active':false}", current, "active",
                   "{'resourceType':'Patient','active' : true}");
    /* Another choice is the same element. */
    check_restored("{'resourceType':'Patient','multipleBirthBoolean':true,'gender':'male'}", current, "multipleBirth",
                   "{'resourceType':'Patient','gender':'male','multipleBirthInteger':2}");
    /* What there was not, there is not. */
    check_restored("{'resourceType':'Patient','name':[{'family':'x'}],'gender':'male'}", current, "name",
                   "{'resourceType':'Patient','gender':'male'}");
    check_restored("{'resourceType':'Patient','name':[{'family':'x'}],'gender':'male'}", NULL, "name active",
                   "{'resourceType':'Patient','gender':'male'}");
    check_restored("{'resourceType':'Patient','n\\u0061me':[{'family':'x'}]}", NULL, "name",
                   "{'resourceType':'Patient'}");
    check_restored("{'resourceType':'Patient','id':'1'}", current, "id resourceType",
                   "{'resourceType':'Patient','id':'1'}");
}

static void test_restore_meta(void)
{
    const fhir_resource_t *tagged = stored_as("Patient", "'tag':[{'code':'a'}]", "'active':true");
    const fhir_resource_t *plain = stored_as("Patient", "", "'active':true");
    static const char *const sent =
        "{'resourceType':'Patient','meta':{'versionId':'x','tag':[{'code':'b'}]},'active':true}";
    check_restored(sent, tagged, "meta", "{'resourceType':'Patient','active':true,'meta':{'tag':[{'code':'a'}]}}");
    check_restored(sent, plain, "meta", "{'resourceType':'Patient','active':true}");
    check_restored(sent, NULL, "meta", "{'resourceType':'Patient','active':true}");
    check_restored(sent, tagged, "gender", sent);
    CU_ASSERT_STRING_EQUAL(sent_as(sent).version_id, "x");
}

static void test_restore_nothing(void)
{
    fhir_sent_resource_t sent = sent_as("{'resourceType':'Patient','active':true}");
    fhir_sent_resource_t restored;
    fhir_resource_t tombstone = {0};
    FHIR_ASSERT_OK(fhir_resource_restore(&restored, &sent, NULL, NULL, pool));
    CU_ASSERT_PTR_EQUAL(restored.document, sent.document);
    tombstone.type = "Patient";
    tombstone.id = "1";
    tombstone.change = FHIR_CHANGE_DELETE;
    check_restored("{'resourceType':'Patient','active':true,'gender':'male'}", &tombstone, "active meta",
                   "{'resourceType':'Patient','gender':'male'}");
}

/* Of a Bundle's entry. */
static void test_restore_entry(void)
{
    const fhir_json_document_t *document = parsed(
        quoted("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient','active':true,'gender':'male'}"
               ",'fullUrl':'http://x'}]}"));
    int entry = fhir_json_first(document, fhir_json_member(document, 0, "entry"));
    fhir_sent_resource_t sent;
    fhir_sent_resource_t restored;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, document, fhir_json_member(document, entry, "resource"), NULL, pool));
    FHIR_ASSERT_OK(
        fhir_resource_restore(&restored, &sent, stored_as("Patient", "", "'active':false"), names("active"), pool));
    CU_ASSERT_EQUAL(restored.root, 0);
    CU_ASSERT_STRING_EQUAL(restored.document->text,
                           quoted("{'resourceType':'Patient','active':false,'gender':'male'}"));
}

/* ---- any resource ---- */

static unsigned random_state;

static int chance(int of)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (int)((random_state >> 16) % (unsigned)of);
}

static const char *const MEMBERS[] = {
    "status", "code",   "subject", "valueQuantity",   "valueString",       "_valueString",
    "note",   "issued", "_issued", "effectivePeriod", "effectiveDateTime", "unknown"};
static const char *const ELEMENTS[] = {"status", "code",      "subject", "value", "valueString", "note",
                                       "issued", "effective", "unknown", "meta",  "absent",      "valueQuantity"};
#define COUNT 12

static void add_blank(fhir_text_t *json)
{
    static const char *const blanks[] = {"", "", " ", "\n\t"};
    fhir_text_add(json, blanks[chance(4)]);
}

/* A value; every string in it has `marker`. */
static void add_random(fhir_text_t *json, const char *marker, int depth)
{
    int count = 1 + chance(3);
    int kind = chance(depth > 0 ? 5 : 3);
    int i;
    add_blank(json);
    if (kind == 0) {
        fhir_text_addf(json, "\"%s\\u00e4 \\\"}],{%d\"", marker, chance(100));
    } else if (kind == 1) {
        fhir_text_addf(json, "%d.%d0e%d", chance(100), chance(10), chance(9));
    } else if (kind == 2) {
        fhir_text_add(json, chance(2) ? "true" : "false");
    } else {
        fhir_text_add(json, kind == 3 ? "[" : "{");
        for (i = 0; i < count; i++) {
            fhir_text_add(json, i ? "," : "");
            fhir_text_add(json, kind == 3 ? "" : apr_psprintf(pool, "\"%s%d\" :", marker, i));
            add_random(json, marker, depth - 1);
        }
        fhir_text_add(json, kind == 3 ? "]" : "}");
    }
    add_blank(json);
}

/* An Observation with each member or without it, in any order. */
static const char *random_resource(void)
{
    fhir_text_t json;
    int first = chance(COUNT);
    int i;
    fhir_text_init(&json, pool);
    fhir_text_add(&json, "{\"resourceType\":\"Observation\"");
    if (chance(2)) {
        fhir_text_add(&json, ",\"meta\":{\"tag\":[{\"code\":\"mark-meta-\"}]}");
    }
    for (i = 0; i < COUNT; i++) {
        const char *name = MEMBERS[(first + i * 5) % COUNT];
        if (chance(2)) {
            fhir_text_addf(&json, ",\"%s\":", name);
            if (strcmp(name, "subject") == 0) {
                fhir_text_add(&json, "{\"reference\":\"Patient/mark-subject-\"}");
            } else {
                add_random(&json, apr_psprintf(pool, "mark-%s-", name), 4);
            }
        }
    }
    fhir_text_add(&json, "}");
    return json.text;
}

static fhir_resource_t *resource_of(const fhir_store_resource_t *stored)
{
    fhir_resource_t *resource = apr_pcalloc(pool, sizeof(*resource));
    resource->type = "Observation";
    resource->id = "1";
    resource->version_id = UUID_A;
    resource->change = FHIR_CHANGE_UPDATE;
    resource->meta = stored->meta;
    resource->body = stored->body;
    resource->body_length = stored->body_length;
    return resource;
}

static void check_nothing_remains(const fhir_resource_t *visible, const apr_array_header_t *elements)
{
    const char *json = apr_pstrcat(pool, visible->meta, visible->body, NULL);
    const fhir_json_document_t *document = parsed(apr_pstrcat(pool, "{", visible->body, "}", NULL));
    int i;
    for (i = 0; i < COUNT; i++) {
        int is_hidden = fhir_element_listed(elements, "Observation", MEMBERS[i], strlen(MEMBERS[i]));
        if (is_hidden) {
            CU_ASSERT_PTR_NULL(strstr(json, apr_psprintf(pool, "mark-%s-", MEMBERS[i])));
            CU_ASSERT_TRUE(fhir_json_member(document, 0, MEMBERS[i]) < 0);
        }
    }
    if (fhir_element_listed(elements, "Observation", "meta", 4)) {
        CU_ASSERT_PTR_NULL(strstr(json, "mark-meta-"));
    }
}

/* What is visible stands in the whole resource byte by byte. */
static void check_rest(const fhir_resource_t *whole, const fhir_resource_t *visible, const apr_array_header_t *elements)
{
    const fhir_json_document_t *document = parsed(apr_pstrcat(pool, "{", whole->body, "}", NULL));
    const char *expected = "";
    int member = fhir_json_first(document, 0);
    for (; member >= 0; member = document->nodes[member].next) {
        const fhir_json_node_t *node = &document->nodes[member];
        const char *name = fhir_json_name(document, member, pool);
        if (!fhir_element_listed(elements, "Observation", name, strlen(name))) {
            expected = apr_pstrcat(
                pool, expected, *expected ? "," : "",
                apr_pstrmemdup(pool, document->text + node->key_offset, node->offset + node->length - node->key_offset),
                NULL);
        }
    }
    CU_ASSERT_STRING_EQUAL(visible->body, expected);
}

static void check_round_trip(const fhir_resource_t *whole, const fhir_store_resource_t *stored,
                             const fhir_resource_t *visible, const apr_array_header_t *elements)
{
    fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t again = {0};
    fhir_sent_resource_t sent;
    fhir_sent_resource_t restored = {0};
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_resource_render(&json, visible, NULL, NULL);
    FHIR_ASSERT_OK(fhir_resource_check(&sent, parsed(json.text), 0, NULL, pool));
    FHIR_ASSERT_OK(fhir_resource_restore(&restored, &sent, whole, elements, pool));
    FHIR_ASSERT_OK(fhir_resource_prepare(&again, &restored, &how, pool));
    CU_ASSERT_STRING_EQUAL(again.meta, stored->meta);
    CU_ASSERT_EQUAL(again.body_length, stored->body_length);
    CU_ASSERT_TRUE(fhir_json_same(again.document, 0, stored->document, 0, pool));
}

static void test_any_resource(void)
{
    int hidden_count = 0;
    int i;
    int j;
    for (i = 0; i < 3000; i++) {
        apr_array_header_t *elements = apr_array_make(pool, 4, sizeof(const char *));
        const fhir_resource_t *visible = NULL;
        fhir_store_resource_t stored;
        const fhir_resource_t *whole;
        fhir_prepare_t how = {.addresses = &addresses};
        random_state = (unsigned)i * 7919u;
        for (j = chance(4); j >= 0; j--) {
            APR_ARRAY_PUSH(elements, const char *) = ELEMENTS[chance(COUNT)];
        }
        stored = prepared_by(random_resource(), &how);
        whole = resource_of(&stored);
        FHIR_ASSERT_OK(fhir_resource_hide(&visible, NULL, whole, elements, pool));
        hidden_count += visible != whole;
        check_nothing_remains(visible, elements);
        check_rest(whole, visible, elements);
        check_round_trip(whole, &stored, visible, elements);
    }
    CU_ASSERT(hidden_count > 1000 && hidden_count < 3000);
}

static const fhir_unit_test_t TESTS[] = {
    {"names", test_names},
    {"hiding", test_hide},
    {"text that stays", test_fidelity},
    {"nothing to hide", test_nothing_to_hide},
    {"a tombstone", test_tombstone},
    {"hiding meta", test_hide_meta},
    {"text that can't be read", test_corrupt},
    {"edits", test_edits},
    {"no edits", test_no_edits},
    {"restoring", test_restore},
    {"restoring meta", test_restore_meta},
    {"restoring nothing", test_restore_nothing},
    {"restoring an entry of a Bundle", test_restore_entry},
    {"any resource", test_any_resource},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("resource_members", TESTS)
