/* Projects, clients, keys and the lists of objects. */
#include "core/meta/object_copy.h"
#include "meta_test.h"

static void projects(void)
{
    fhir_project_t project;
    apr_array_header_t *list;
    const char *id;
    const char *name;
    int seen = 0;
    open_meta(1);
    id = make_project();
    name = apr_pstrcat(pool, "project ", id, NULL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, fhir_meta_project_create(meta, uuid(), name, &call));
    FHIR_ASSERT_OK(fhir_meta_project_find(&project, meta, name, &call));
    CU_ASSERT_STRING_EQUAL(project.id, id);
    FHIR_ASSERT_OK(fhir_meta_project_find(&project, meta, id, &call));
    CU_ASSERT_STRING_EQUAL(project.name, name);
    CU_ASSERT_EQUAL(project.active, 1);
    CU_ASSERT_TRUE(apr_time_now() - project.created < apr_time_from_sec(60));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_project_find(&project, meta, "nobody", &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_project_find(&project, meta, uuid(), &call));
    FHIR_ASSERT_OK(fhir_meta_project_set_active(meta, id, 0, &call));
    FHIR_ASSERT_OK(fhir_meta_project_find(&project, meta, id, &call));
    CU_ASSERT_EQUAL(project.active, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_project_set_active(meta, uuid(), 0, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_project_set_active(meta, "x", 0, &call));
    FHIR_ASSERT_OK(fhir_meta_project_list(&list, meta, &call));
    for (int i = 0; i < list->nelts; i++) {
        seen += strcmp(APR_ARRAY_IDX(list, i, fhir_project_t).id, id) == 0;
    }
    CU_ASSERT_EQUAL(seen, 1);
}

static int is_active(const fhir_client_t *client)
{
    fhir_binary_facts_t facts;
    fhir_client_t found;
    fhir_principal_key_t key = key_of(client);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_client_find(&found, meta, client->id, &call));
    CU_ASSERT_EQUAL(found.active, facts.membership->active);
    return found.active;
}

static void clients(void)
{
    fhir_client_t client;
    fhir_client_t found;
    apr_array_header_t *list;
    const char *project;
    open_meta(1);
    project = make_project();
    client = make_client(project);
    FHIR_ASSERT_OK(fhir_meta_client_find(&found, meta, client.id, &call));
    CU_ASSERT_STRING_EQUAL(found.project_id, project);
    CU_ASSERT_STRING_EQUAL(found.secret_hash, "$2b$hash");
    CU_ASSERT_STRING_EQUAL(found.membership.id, client.membership.id);
    CU_ASSERT_STRING_EQUAL(found.membership.project_id, project);
    CU_ASSERT_STRING_EQUAL(found.membership.profile, "Practitioner/1");
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_client_find(&found, meta, uuid(), &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_client_find(&found, meta, "'; --", &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, fhir_meta_client_create(meta, &client, &call));
    client.id = uuid();
    FHIR_ASSERT_OK(fhir_meta_client_create(meta, &client, &call));
    FHIR_ASSERT_OK(fhir_meta_client_find(&found, meta, client.id, &call));
    CU_ASSERT_PTR_NULL(found.membership.id);
    CU_ASSERT_EQUAL(found.active, 0);
    client.id = uuid();
    client.project_id = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_client_create(meta, &client, &call));
    client.id = found.id;
    FHIR_ASSERT_OK(fhir_meta_client_set_secret(meta, client.id, "$2b$other", &call));
    FHIR_ASSERT_OK(fhir_meta_client_find(&found, meta, client.id, &call));
    CU_ASSERT_STRING_EQUAL(found.secret_hash, "$2b$other");
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_client_set_secret(meta, uuid(), "x", &call));
    make_client(make_project());
    FHIR_ASSERT_OK(fhir_meta_client_list(&list, meta, project, &call));
    CU_ASSERT_EQUAL_FATAL(list->nelts, 2);
    CU_ASSERT_PTR_NOT_NULL(APR_ARRAY_IDX(list, 0, fhir_client_t).membership.id);
    CU_ASSERT_PTR_NULL(APR_ARRAY_IDX(list, 1, fhir_client_t).membership.id);
    FHIR_ASSERT_OK(fhir_meta_client_list(&list, meta, NULL, &call));
    CU_ASSERT_TRUE(list->nelts >= 2);
}

static void three_switches(void)
{
    fhir_client_t client;
    const char *project;
    open_meta(1);
    project = make_project();
    client = make_client(project);
    CU_ASSERT_EQUAL(is_active(&client), 1);
    FHIR_ASSERT_OK(fhir_meta_client_set_active(meta, client.id, 0, &call));
    CU_ASSERT_EQUAL(is_active(&client), 0);
    set_membership(&client, ",\"active\":false");
    FHIR_ASSERT_OK(fhir_meta_client_set_active(meta, client.id, 1, &call));
    CU_ASSERT_EQUAL(is_active(&client), 0);
    set_membership(&client, ",\"active\":true");
    CU_ASSERT_EQUAL(is_active(&client), 1);
    FHIR_ASSERT_OK(fhir_meta_project_set_active(meta, project, 0, &call));
    CU_ASSERT_EQUAL(is_active(&client), 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_client_set_active(meta, uuid(), 0, &call));
}

static const fhir_key_t *listed(fhir_key_purpose_t purpose, const char *id)
{
    apr_array_header_t *keys;
    FHIR_ASSERT_OK(fhir_meta_keys(&keys, meta, purpose, &call));
    for (int i = 0; i < keys->nelts; i++) {
        const fhir_key_t *key = &APR_ARRAY_IDX(keys, i, fhir_key_t);
        CU_ASSERT_EQUAL(key->retired == 0, i == 0);
        CU_ASSERT_TRUE(i == 0 || key->created <= APR_ARRAY_IDX(keys, i - 1, fhir_key_t).created);
        if (strcmp(key->id, id) == 0) {
            return key;
        }
    }
    return NULL;
}

static void keys(void)
{
    fhir_key_t one = {.purpose = FHIR_KEY_TOKEN, .algorithm = "ES256", .material = "{\"kty\":\"EC\"}"};
    fhir_key_t two = {.purpose = FHIR_KEY_TOKEN, .algorithm = "RS256", .material = "{}"};
    open_meta(1);
    one.id = uuid();
    two.id = uuid();
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &one, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, fhir_meta_key_add(meta, &one, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(listed(FHIR_KEY_TOKEN, one.id));
    CU_ASSERT_EQUAL(listed(FHIR_KEY_TOKEN, one.id)->retired, 0);
    CU_ASSERT_STRING_EQUAL(listed(FHIR_KEY_TOKEN, one.id)->material, one.material);
    CU_ASSERT_PTR_NULL(listed(FHIR_KEY_URL, one.id));
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &two, &call));
    CU_ASSERT_NOT_EQUAL(listed(FHIR_KEY_TOKEN, one.id)->retired, 0);
    CU_ASSERT_EQUAL(listed(FHIR_KEY_TOKEN, two.id)->retired, 0);
    FHIR_ASSERT_OK(fhir_meta_key_revoke(meta, one.id, &call));
    FHIR_ASSERT_OK(fhir_meta_key_revoke(meta, one.id, &call));
    CU_ASSERT_PTR_NULL(listed(FHIR_KEY_TOKEN, one.id));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_key_revoke(meta, "none", &call));
}

static void orphans(void)
{
    const fhir_content_t *content;
    apr_array_header_t *rows;
    apr_array_header_t *locators;
    apr_array_header_t *known;
    const char *project;
    const char *strange = "odd\\ \"locator\", {NULL}";
    int seen = 0;
    open_meta(1);
    project = make_project();
    content = make_content(project, &call);
    FHIR_ASSERT_OK(fhir_meta_object_register(
        meta, project, apr_pstrcat(pool, *content->object_key == '1' ? "2" : "1", content->object_key + 1, NULL),
        "second", apr_pstrcat(pool, strange, content->object_key, NULL), &call));
    FHIR_ASSERT_OK(fhir_meta_objects_pending(&rows, meta, "main", apr_time_now() - apr_time_from_sec(3600), &call));
    for (int i = 0; i < rows->nelts; i++) {
        seen += strcmp(APR_ARRAY_IDX(rows, i, fhir_object_row_t).object_key, content->object_key) == 0;
    }
    CU_ASSERT_EQUAL(seen, 0);
    FHIR_ASSERT_OK(fhir_meta_objects_pending(&rows, meta, "main", apr_time_now() + apr_time_from_sec(60), &call));
    for (int i = 0; i < rows->nelts; i++) {
        const fhir_object_row_t *row = &APR_ARRAY_IDX(rows, i, fhir_object_row_t);
        CU_ASSERT_STRING_EQUAL(row->store, "main");
        if (strcmp(row->object_key, content->object_key) == 0) {
            seen++;
            CU_ASSERT_STRING_EQUAL(row->locator, content->locator);
            CU_ASSERT_EQUAL(row->committed, 0);
            CU_ASSERT_TRUE(apr_time_now() - row->created < apr_time_from_sec(60));
        }
    }
    CU_ASSERT_EQUAL(seen, 1);
    locators = apr_array_make(pool, 4, sizeof(const char *));
    FHIR_ASSERT_OK(fhir_meta_locators_known(&known, meta, "main", locators, &call));
    CU_ASSERT_EQUAL(known->nelts, 0);
    APR_ARRAY_PUSH(locators, const char *) = "z-unknown";
    APR_ARRAY_PUSH(locators, const char *) = content->locator;
    APR_ARRAY_PUSH(locators, const char *) = apr_pstrcat(pool, strange, content->object_key, NULL);
    APR_ARRAY_PUSH(locators, const char *) = "a-unknown";
    FHIR_ASSERT_OK(fhir_meta_locators_known(&known, meta, "main", locators, &call));
    CU_ASSERT_EQUAL_FATAL(known->nelts, 4);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(known, 0, fhir_knowledge_t), FHIR_LOCATOR_UNKNOWN);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(known, 1, fhir_knowledge_t), FHIR_LOCATOR_KNOWN);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(known, 2, fhir_knowledge_t), FHIR_LOCATOR_ELSEWHERE);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(known, 3, fhir_knowledge_t), FHIR_LOCATOR_UNKNOWN);
    FHIR_ASSERT_OK(fhir_meta_locators_known(&known, meta, "second", locators, &call));
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(known, 1, fhir_knowledge_t), FHIR_LOCATOR_ELSEWHERE);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(known, 2, fhir_knowledge_t), FHIR_LOCATOR_KNOWN);
}

/* What is known of the locator `place` in the store `second`. */
static fhir_knowledge_t known_after(const char *statement)
{
    apr_array_header_t *locators = apr_array_make(pool, 1, sizeof(const char *));
    apr_array_header_t *known;
    sql("DELETE FROM fhir_binary.object_copy WHERE locator = 'place'");
    sql("DELETE FROM fhir_binary.direct_upload WHERE locator = 'place'");
    sql(statement);
    APR_ARRAY_PUSH(locators, const char *) = "place";
    FHIR_ASSERT_OK(fhir_meta_locators_known(&known, meta, "second", locators, &call));
    return APR_ARRAY_IDX(known, 0, fhir_knowledge_t);
}

#define COPY(store, state)                                                                                             \
    "INSERT INTO fhir_binary.object_copy (object_key, store, locator, state, lease, due_at) "                          \
    "VALUES (gen_random_uuid(), '" store "', 'place', " state ", gen_random_uuid(), now())"
#define DIRECT(store, state)                                                                                           \
    "INSERT INTO fhir_binary.direct_upload (version_id, project_id, membership_id, key_id, binary_id, content_type, "  \
    "object_key, store, locator, expires_at, state, due_at) VALUES (gen_random_uuid(), gen_random_uuid(), "            \
    "gen_random_uuid(), 'key', 'id', 'text/plain', gen_random_uuid(), '" store "', 'place', now(), " state ", now())"

static void known_places(void)
{
    open_meta(1);
    CU_ASSERT_EQUAL(known_after("SELECT 1"), FHIR_LOCATOR_UNKNOWN);
    CU_ASSERT_EQUAL(known_after(COPY("second", "1")), FHIR_LOCATOR_KNOWN);
    CU_ASSERT_EQUAL(known_after(COPY("second", "2")), FHIR_LOCATOR_KNOWN);
    CU_ASSERT_EQUAL(known_after(COPY("main", "1")), FHIR_LOCATOR_ELSEWHERE);
    CU_ASSERT_EQUAL(known_after(COPY("main", "2")), FHIR_LOCATOR_UNKNOWN);
    CU_ASSERT_EQUAL(known_after(DIRECT("second", "1")), FHIR_LOCATOR_KNOWN);
    CU_ASSERT_EQUAL(known_after(DIRECT("second", "2")), FHIR_LOCATOR_KNOWN);
    CU_ASSERT_EQUAL(known_after(DIRECT("second", "3")), FHIR_LOCATOR_UNKNOWN);
    CU_ASSERT_EQUAL(known_after(DIRECT("main", "1")), FHIR_LOCATOR_UNKNOWN);
    known_after("SELECT 1");
}

static void time_is_the_databases(void)
{
    apr_time_t then = 0;
    apr_time_t now = apr_time_now();
    open_meta(1);
    FHIR_ASSERT_OK(fhir_meta_time_ago(&then, meta, 0, &call));
    CU_ASSERT(then > now - apr_time_from_sec(60) && then < now + apr_time_from_sec(60));
    FHIR_ASSERT_OK(fhir_meta_time_ago(&then, meta, apr_time_from_sec(86400) * 36500, &call));
    CU_ASSERT(then < now - apr_time_from_sec(86400) * 36499 && then < 0);
}

static const fhir_unit_test_t tests[] = {{"projects", projects},
                                         {"clients", clients},
                                         {"client, membership and project switch off", three_switches},
                                         {"keys", keys},
                                         {"orphans", orphans},
                                         {"known places", known_places},
                                         {"time is the database's", time_is_the_databases},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("admin", tests)
