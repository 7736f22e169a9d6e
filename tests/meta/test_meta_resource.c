/* Resources: what is read, the rules of making a version current, many writers of one resource. */
#include "resource_test.h"

static const char *project;
static const fhir_resource_t *resource;

static void set_up(void)
{
    open_meta(4);
    project = make_project();
}

static fhir_error_t *commit(fhir_resource_change_t change)
{
    return fhir_meta_resource_commit(&resource, meta, &change, &call);
}

static fhir_resource_change_t patient(fhir_change_kind_t kind)
{
    return resource_change(kind, project, "Patient", "x");
}

static void create_once(void)
{
    fhir_resource_change_t change;
    set_up();
    change = patient(FHIR_CHANGE_CREATE);
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(resource->sequence, 1);
    CU_ASSERT_EQUAL(resource->change, FHIR_CHANGE_CREATE);
    CU_ASSERT_STRING_EQUAL(resource->version_id, change.version_id);
    CU_ASSERT_STRING_EQUAL(resource->body, "\"active\":true");
    CU_ASSERT_EQUAL(resource->body_length, strlen(resource->body));
    CU_ASSERT_STRING_EQUAL(resource->meta, "");
    CU_ASSERT_EQUAL(resource->last_updated % 1000, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(patient(FHIR_CHANGE_CREATE)));
    CU_ASSERT_PTR_NULL(resource);
    /* ids are per type and project */
    FHIR_ASSERT_OK(commit(resource_change(FHIR_CHANGE_CREATE, project, "Observation", "x")));
    FHIR_ASSERT_OK(commit(resource_change(FHIR_CHANGE_CREATE, make_project(), "Patient", "x")));
    CU_ASSERT_EQUAL(resource->sequence, 1);
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_DELETE)));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(patient(FHIR_CHANGE_CREATE)));
}

static void update_of_unknown(void)
{
    fhir_resource_change_t change;
    set_up();
    change = patient(FHIR_CHANGE_UPDATE);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, commit(change));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, commit(patient(FHIR_CHANGE_DELETE)));
    change.may_create = 1;
    change.expected_version = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change.expected_version = NULL;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(resource->sequence, 1);
    CU_ASSERT_EQUAL(resource->change, FHIR_CHANGE_UPDATE);
}

static void expected_versions(void)
{
    fhir_resource_change_t change;
    const char *first;
    set_up();
    change = patient(FHIR_CHANGE_UPDATE);
    change.may_create = 1;
    change.expected_version = change.version_id;
    FHIR_ASSERT_OK(commit(change));
    first = change.version_id;
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(change));
    change.expected_version = change.version_id = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change.expected_version = "3";
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change.expected_version = first;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(resource->sequence, 2);
    change = patient(FHIR_CHANGE_DELETE);
    change.expected_version = first;
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    /* the version id of another resource, in another project */
    change = resource_change(FHIR_CHANGE_CREATE, make_project(), "Patient", "other");
    change.version_id = first;
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(change));
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.resource WHERE id = 'other'"), "0");
}

static const char *index_rows(void)
{
    return sql(apr_psprintf(pool,
                            "SELECT (SELECT count(*) FROM fhir_binary.resource_token x WHERE x.key = r.key) || ' ' || "
                            "(SELECT count(*) FROM fhir_binary.resource_string x WHERE x.key = r.key) || ' ' || "
                            "(SELECT count(*) FROM fhir_binary.resource_reference x WHERE x.key = r.key) || ' ' || "
                            "(SELECT count(*) FROM fhir_binary.resource_date x WHERE x.key = r.key) || ' ' || "
                            "(SELECT count(*) FROM fhir_binary.resource_uri x WHERE x.key = r.key) "
                            "FROM fhir_binary.resource r WHERE r.project_id = '%s' AND r.id = 'x'",
                            project));
}

static apr_array_header_t *one_of_each(void)
{
    apr_array_header_t *values = no_values();
    fhir_index_value_t *value;
    push_token(values, "gender", "", "male");
    value = push_value(values, "name", FHIR_SEARCH_STRING);
    value->text = "simpson";
    value->exact = "Simpson";
    push_reference(values, "organization", "Organization", "1");
    value = push_value(values, "birthdate", FHIR_SEARCH_DATE);
    value->low = FHIR_DATE_MIN;
    value->high = FHIR_DATE_MAX;
    value = push_value(values, "_profile", FHIR_SEARCH_URI);
    value->code = "http://example.org/p";
    return values;
}

static void tombstone_and_revival(void)
{
    fhir_resource_change_t change;
    const char *tombstone;
    set_up();
    change = patient(FHIR_CHANGE_CREATE);
    change.index_values = one_of_each();
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_STRING_EQUAL(index_rows(), "1 1 1 1 1");
    change = patient(FHIR_CHANGE_UPDATE);
    change.index_values = one_of_each();
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_STRING_EQUAL(index_rows(), "1 1 1 1 1");
    change = patient(FHIR_CHANGE_DELETE);
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(resource->change, FHIR_CHANGE_DELETE);
    CU_ASSERT_EQUAL(resource->sequence, 3);
    CU_ASSERT_PTR_NULL(resource->meta);
    CU_ASSERT_PTR_NULL(resource->body);
    CU_ASSERT_STRING_EQUAL(index_rows(), "0 0 0 0 0");
    tombstone = resource->version_id;
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_DELETE)));
    CU_ASSERT_STRING_EQUAL(resource->version_id, tombstone);
    CU_ASSERT_EQUAL(resource->sequence, 3);
    FHIR_ASSERT_OK(commit(change)); /* the same delete, sent again */
    CU_ASSERT_STRING_EQUAL(resource->version_id, tombstone);
    change = patient(FHIR_CHANGE_DELETE);
    change.expected_version = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change = patient(FHIR_CHANGE_UPDATE);
    change.index_values = one_of_each();
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(resource->sequence, 4);
    CU_ASSERT_STRING_EQUAL(index_rows(), "1 1 1 1 1");
    /* a change whose kind and text don't fit is ours to notice */
    change = patient(FHIR_CHANGE_DELETE);
    change.stored = stored_of("", "");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, commit(change));
    change = patient(FHIR_CHANGE_UPDATE);
    change.stored = NULL;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, commit(change));
}

static const char *repeated(const char *text, int times)
{
    apr_size_t length = strlen(text);
    char *all = apr_palloc(pool, length * (apr_size_t)times + 1);
    for (int i = 0; i < times; i++) {
        memcpy(all + length * (apr_size_t)i, text, length);
    }
    all[length * (apr_size_t)times] = '\0';
    return all;
}

/* Any legal JSON, and values of any length in every column of the index. */
static void any_text(void)
{
    static const char *const odd[] = {"{\"a\\\"b,NULL}",     "NULL", "", "\\", "'; DROP TABLE x; --",
                                      "\xf0\x9f\x98\x80\x01"};
    fhir_resource_change_t change;
    fhir_resource_facts_t facts;
    fhir_client_t client;
    fhir_principal_key_t key;
    fhir_index_value_t *value;
    apr_array_header_t *values = no_values();
    const char *body = repeated("\"a\\u0000\\n\":[0.10,1e400,\"\xc3\xa9\\ud800\"],", 100000);
    set_up();
    client = make_client(project);
    key = key_of(&client);
    change = patient(FHIR_CHANGE_CREATE);
    change.stored = stored_of("\"tag\":[]", body);
    for (int i = 0; i < 7; i++) {
        const char *text = i < 6 ? odd[i] : repeated("\xf0\x9f\x98\x80$", 20000);
        push_token(values, "t", text, text);
        push_reference(values, "r", text, text);
        value = push_value(values, "r", FHIR_SEARCH_REFERENCE);
        value->identifier_system = value->identifier_value = text;
        value = push_value(values, "s", FHIR_SEARCH_STRING);
        value->text = value->exact = text;
        value = push_value(values, "u", FHIR_SEARCH_URI);
        value->code = text;
        add_link(&change, text, "b", text);
    }
    change.index_values = values;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_STRING_EQUAL(index_rows(), "7 7 14 0 7");
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", NULL, 0, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(facts.version);
    CU_ASSERT_STRING_EQUAL(facts.version->body, body);
    CU_ASSERT_EQUAL(facts.version->body_length, strlen(body));
    CU_ASSERT_STRING_EQUAL(facts.version->meta, "\"tag\":[]");
    CU_ASSERT_EQUAL(facts.version->attachment_count, 7);
    for (int i = 0; i < 7; i++) {
        fhir_search_page_t page;
        const char *text = APR_ARRAY_IDX(values, i * 5, fhir_index_value_t).code;
        fhir_search_t search = search_for("Patient");
        add_code(&search, "t", FHIR_SEARCH_TOKEN, text)->system = text;
        add_code(&search, "r", FHIR_SEARCH_REFERENCE, text)->system = text;
        value = NULL;
        add_criterion(&search, "s", FHIR_SEARCH_STRING, FHIR_MODIFIER_EXACT)->text = text;
        add_criterion(&search, "s", FHIR_SEARCH_STRING, FHIR_MODIFIER_NONE)->text = text;
        add_code(&search, "u", FHIR_SEARCH_URI, text);
        FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
        CU_ASSERT_EQUAL(page.total, 1);
    }
}

static void facts_of_a_resource(void)
{
    fhir_resource_facts_t facts;
    fhir_client_t client;
    fhir_principal_key_t key;
    const fhir_membership_t *membership;
    const char *first;
    const char *second;
    set_up();
    client = make_client(project);
    key = key_of(&client);
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_CREATE)));
    first = resource->version_id;
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_UPDATE)));
    second = resource->version_id;
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", NULL, 0, &call));
    CU_ASSERT_STRING_EQUAL(facts.membership->project_id, project);
    CU_ASSERT_STRING_EQUAL(facts.current->version_id, second);
    CU_ASSERT_PTR_EQUAL(facts.version, facts.current);
    CU_ASSERT_STRING_EQUAL(facts.current->type, "Patient");
    CU_ASSERT_STRING_EQUAL(facts.current->id, "x");
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", second, 0, &call));
    CU_ASSERT_STRING_EQUAL(facts.current->body, "\"active\":true");
    CU_ASSERT_PTR_EQUAL(facts.version, facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", first, 0, &call));
    CU_ASSERT_STRING_EQUAL(facts.version->body, "\"active\":true");
    CU_ASSERT_EQUAL(facts.version->sequence, 1);
    CU_ASSERT_STRING_EQUAL(facts.current->version_id, second);
    CU_ASSERT_EQUAL(facts.current->sequence, 2);
    CU_ASSERT_PTR_NULL(facts.current->body);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", uuid(), 0, &call));
    CU_ASSERT_PTR_NULL(facts.version);
    CU_ASSERT_STRING_EQUAL(facts.current->version_id, second);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", "1", 0, &call));
    CU_ASSERT_PTR_NULL(facts.version);
    CU_ASSERT_PTR_NOT_NULL(facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "y", first, 0, &call));
    CU_ASSERT_PTR_NULL(facts.version);
    CU_ASSERT_PTR_NULL(facts.current);
    CU_ASSERT_PTR_NOT_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Observation", "x", NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "\xff", NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.current);
    CU_ASSERT_PTR_NOT_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, NULL, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NOT_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_membership(&membership, meta, &key, &call));
    CU_ASSERT_STRING_EQUAL(membership->id, client.membership.id);
    /* another project's client sees nothing */
    client = make_client(make_project());
    key = key_of(&client);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", first, 0, &call));
    CU_ASSERT_PTR_NOT_NULL(facts.membership);
    CU_ASSERT_PTR_NULL(facts.current);
    CU_ASSERT_PTR_NULL(facts.version);
    key.subject = "nobody";
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Patient", "x", NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_membership(&membership, meta, &key, &call));
    CU_ASSERT_PTR_NULL(membership);
}

static void history(void)
{
    apr_array_header_t *versions;
    apr_off_t total;
    fhir_resource_change_t change;
    set_up();
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_CREATE)));
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_UPDATE)));
    FHIR_ASSERT_OK(commit(patient(FHIR_CHANGE_DELETE)));
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "x", 2, 0, &call));
    CU_ASSERT_EQUAL(total, 3);
    CU_ASSERT_EQUAL_FATAL(versions->nelts, 2);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(versions, 0, const fhir_resource_t *)->change, FHIR_CHANGE_DELETE);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(versions, 1, const fhir_resource_t *)->sequence, 2);
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "x", 2, 2, &call));
    CU_ASSERT_EQUAL_FATAL(versions->nelts, 1);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(versions, 0, const fhir_resource_t *)->change, FHIR_CHANGE_CREATE);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(versions, 0, const fhir_resource_t *)->body, "\"active\":true");
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "x", 0, 0, &call));
    CU_ASSERT_EQUAL(total, 3);
    CU_ASSERT_EQUAL(versions->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "y", 10, 0, &call));
    CU_ASSERT_EQUAL(total, 0);
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "\xff", 10, 0, &call));
    CU_ASSERT_EQUAL(total, 0);
    /* ends early beyond 32 MiB */
    change = patient(FHIR_CHANGE_UPDATE);
    change.stored = stored_of("", repeated("0123456789abcdef", 1024 * 1024 + 1));
    for (int i = 0; i < 3; i++) {
        change.version_id = uuid();
        FHIR_ASSERT_OK(commit(change));
    }
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "x", 10, 0, &call));
    CU_ASSERT_EQUAL(total, 6);
    CU_ASSERT_EQUAL(versions->nelts, 2);
}

static void versions_never_change(void)
{
    fhir_resource_change_t change;
    set_up();
    change = patient(FHIR_CHANGE_CREATE);
    add_link(&change, "Patient.photo[0]", "b", NULL);
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_NOT_EQUAL(system(apr_psprintf(pool,
                                            "psql -X -q -d '%s' -c \"UPDATE fhir_binary.resource_version SET "
                                            "body = ''\" 2>/dev/null",
                                            getenv("FHIR_TEST_CONNINFO"))),
                        0);
    CU_ASSERT_NOT_EQUAL(system(apr_psprintf(pool,
                                            "psql -X -q -d '%s' -c \"UPDATE fhir_binary.attachment SET "
                                            "path = ''\" 2>/dev/null",
                                            getenv("FHIR_TEST_CONNINFO"))),
                        0);
}

/* ---- many writers ---- */

#define WRITERS 12
#define ROUNDS 8

typedef struct writer_t {
    fhir_change_kind_t kind;
    int done;
    int exists;
    int other;
} writer_t;

static void *APR_THREAD_FUNC write_versions(apr_thread_t *thread, void *data)
{
    writer_t *writer = data;
    for (int i = 0; i < ROUNDS; i++) {
        fhir_store_resource_t stored = {.meta = "", .body = "\"active\":true"};
        fhir_resource_change_t change = {.kind = writer->kind, .project_id = project, .type = "Patient", .id = "x"};
        fhir_index_value_t value = {.name = "gender", .type = FHIR_SEARCH_TOKEN, .system = "", .code = "male"};
        apr_array_header_t *values;
        const fhir_resource_t *made;
        fhir_error_t *error;
        apr_pool_t *own;
        fhir_call_t mine;
        apr_pool_create(&own, NULL);
        mine = call_for(own);
        values = apr_array_make(own, 1, sizeof(value));
        APR_ARRAY_PUSH(values, fhir_index_value_t) = value;
        change.stored = &stored;
        change.index_values = values;
        change.membership_id = project;
        change.may_create = 1;
        error = fhir_random_uuid(&change.version_id, own);
        if (!error) {
            error = fhir_meta_resource_commit(&made, meta, &change, &mine);
        }
        writer->done += !error;
        writer->exists += error && error->code == FHIR_ERROR_EXISTS;
        writer->other += error && error->code != FHIR_ERROR_EXISTS;
        apr_pool_destroy(own);
    }
    return thread;
}

static writer_t run_writers(fhir_change_kind_t kind)
{
    writer_t writers[WRITERS] = {{.kind = kind}};
    writer_t sum = {.kind = kind};
    apr_thread_t *threads[WRITERS];
    apr_status_t ended;
    for (int i = 0; i < WRITERS; i++) {
        writers[i].kind = kind;
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, write_versions, &writers[i], pool), APR_SUCCESS);
    }
    for (int i = 0; i < WRITERS; i++) {
        apr_thread_join(&ended, threads[i]);
        sum.done += writers[i].done;
        sum.exists += writers[i].exists;
        sum.other += writers[i].other;
    }
    return sum;
}

static void no_lost_versions(void)
{
    apr_array_header_t *versions;
    apr_off_t total;
    writer_t sum;
    int open;
    int busy;
    set_up();
    sum = run_writers(FHIR_CHANGE_UPDATE);
    CU_ASSERT_EQUAL(sum.done, WRITERS * ROUNDS);
    FHIR_ASSERT_OK(fhir_meta_resource_history(&versions, &total, meta, project, "Patient", "x", 1000, 0, &call));
    CU_ASSERT_EQUAL(total, WRITERS * ROUNDS);
    CU_ASSERT_EQUAL_FATAL(versions->nelts, WRITERS * ROUNDS);
    for (int i = 0; i < versions->nelts; i++) {
        const fhir_resource_t *version = APR_ARRAY_IDX(versions, i, const fhir_resource_t *);
        CU_ASSERT_EQUAL(version->sequence, WRITERS * ROUNDS - i);
        CU_ASSERT_TRUE(i == 0 ||
                       version->last_updated < APR_ARRAY_IDX(versions, i - 1, const fhir_resource_t *)->last_updated);
    }
    CU_ASSERT_STRING_EQUAL(index_rows(), "1 0 0 0 0");
    fhir_meta_usage(meta, &open, &busy);
    CU_ASSERT_EQUAL(busy, 0);
}

static void one_creates(void)
{
    writer_t sum;
    set_up();
    sum = run_writers(FHIR_CHANGE_CREATE);
    CU_ASSERT_EQUAL(sum.done, 1);
    CU_ASSERT_EQUAL(sum.exists, WRITERS * ROUNDS - 1);
    CU_ASSERT_STRING_EQUAL(index_rows(), "1 0 0 0 0");
}

static const fhir_unit_test_t tests[] = {{"create once", create_once},
                                         {"update of an unknown id", update_of_unknown},
                                         {"expected versions", expected_versions},
                                         {"tombstone and revival", tombstone_and_revival},
                                         {"any text", any_text},
                                         {"facts of a resource", facts_of_a_resource},
                                         {"history", history},
                                         {"versions never change", versions_never_change},
                                         {"no lost versions", no_lost_versions},
                                         {"one creates", one_creates},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("resource", tests)
