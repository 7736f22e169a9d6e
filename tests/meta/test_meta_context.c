/* What decisions need to know of resources: security contexts with the load of a Binary, many at once, and the
 * compartments of a resource. */
#include "resource_test.h"

static const char *project;
static fhir_client_t client;
static fhir_principal_key_t key;

static void set_up(void)
{
    open_meta(1);
    project = make_project();
    client = make_client(project);
    key = key_of(&client);
}

/* `compartments`: "Patient/1 Group/2", made of types and ids by turns. */
static void write_resource(const char *in, const char *type, const char *id, const char *body,
                           const char *const *compartments)
{
    fhir_resource_change_t change = resource_change(FHIR_CHANGE_UPDATE, in, type, id);
    apr_array_header_t *values = no_values();
    const fhir_resource_t *made;
    change.may_create = 1;
    change.stored = stored_of("\"tag\":[]", body);
    push_token(values, "status", "", "final");
    push_reference(values, "subject", "Group", "other");
    for (; compartments && *compartments; compartments += 2) {
        push_reference(values, "_compartment", compartments[0], compartments[1]);
    }
    change.index_values = values;
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
}

static void delete_resource(const char *type, const char *id)
{
    fhir_resource_change_t change = resource_change(FHIR_CHANGE_DELETE, project, type, id);
    const fhir_resource_t *made;
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
}

static const char *write_binary(const char *in, const char *id, const char *security_context)
{
    fhir_version_change_t change = change_of(FHIR_CHANGE_UPDATE, in, id);
    const fhir_binary_t *made;
    change.may_create = 1;
    change.security_context = security_context;
    FHIR_ASSERT_OK(fhir_meta_commit(&made, meta, &change, &call));
    return made->version_id;
}

static const fhir_binary_facts_t *load(const char *id, const char *version_id, int with_content)
{
    fhir_binary_facts_t *facts = apr_pcalloc(pool, sizeof(*facts));
    FHIR_ASSERT_OK(fhir_meta_load_binary(facts, meta, &key, id, version_id, with_content, &call));
    return facts;
}

static void expect_there(const fhir_subject_t *subject, const char *type, const char *id, int is_context)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(subject);
    CU_ASSERT_STRING_EQUAL(subject->type, type);
    CU_ASSERT_STRING_EQUAL(subject->id, id);
    CU_ASSERT_EQUAL(subject->there, 1);
    CU_ASSERT_EQUAL(subject->is_context, is_context);
    CU_ASSERT_EQUAL(subject->complete, 0);
    CU_ASSERT_NOT_EQUAL(subject->last_updated, 0);
}

static void expect_absent(const fhir_subject_t *subject)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(subject);
    CU_ASSERT_EQUAL(subject->there, 0);
    CU_ASSERT_EQUAL(subject->is_context, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(subject->values);
    CU_ASSERT_EQUAL(subject->values->nelts, 0);
    CU_ASSERT_PTR_NULL(subject->resource);
}

static int is_in(const fhir_subject_t *subject, const char *type, const char *id)
{
    for (int i = 0; i < subject->values->nelts; i++) {
        const fhir_index_value_t *value = &APR_ARRAY_IDX(subject->values, i, fhir_index_value_t);
        CU_ASSERT_STRING_EQUAL(value->name, "_compartment");
        CU_ASSERT_EQUAL(value->type, FHIR_SEARCH_REFERENCE);
        if (strcmp(value->system, type) == 0 && strcmp(value->code, id) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *const two[] = {"Patient", "1", "Encounter", "e-1.x", NULL};

/* ---- with the load of a Binary ---- */

static void of_the_current_version(void)
{
    const fhir_binary_facts_t *facts;
    set_up();
    write_resource(project, "Media", "m", "\"status\":\"completed\"", two);
    write_binary(project, "x", "Media/m");
    facts = load("x", NULL, 0);
    expect_there(facts->context, "Media", "m", 1);
    CU_ASSERT_PTR_EQUAL(facts->version_context, facts->context);
    CU_ASSERT_EQUAL(facts->context->values->nelts, 2);
    CU_ASSERT_TRUE(is_in(facts->context, "Patient", "1"));
    CU_ASSERT_TRUE(is_in(facts->context, "Encounter", "e-1.x"));
    CU_ASSERT_TRUE(!facts->context->resource || !facts->context->resource->body);
    facts = load("x", NULL, 1);
    expect_there(facts->context, "Media", "m", 1);
    CU_ASSERT_EQUAL(facts->context->values->nelts, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(facts->context->resource);
    CU_ASSERT_STRING_EQUAL(facts->context->resource->type, "Media");
    CU_ASSERT_STRING_EQUAL(facts->context->resource->id, "m");
    CU_ASSERT_STRING_EQUAL(facts->context->resource->project_id, project);
    CU_ASSERT_STRING_EQUAL(facts->context->resource->body, "\"status\":\"completed\"");
    CU_ASSERT_STRING_EQUAL(facts->context->resource->meta, "\"tag\":[]");
    CU_ASSERT_EQUAL(facts->context->resource->body_length, strlen("\"status\":\"completed\""));
    write_binary(project, "x", "Media/m/_history/1");
    expect_there(load("x", NULL, 0)->context, "Media", "m", 1);
    write_binary(project, "y", NULL);
    CU_ASSERT_PTR_NULL(load("y", NULL, 0)->context);
    CU_ASSERT_PTR_NULL(load("y", NULL, 1)->context);
    CU_ASSERT_PTR_NULL(load("none", NULL, 0)->context);
    CU_ASSERT_PTR_NULL(load(NULL, NULL, 0)->context);
}

static void not_there(void)
{
    static const char *const none[] = {"Patient/none",
                                       "Patient/deleted",
                                       "Patient/foreign",
                                       "Binary/x",
                                       "https://other/Patient/1",
                                       "urn:uuid:0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e",
                                       "Patient/1/x",
                                       "Patient/1/_history",
                                       "Patient/1/_history/1/2",
                                       "Patient",
                                       "patient/1",
                                       "/Patient/1",
                                       "",
                                       "Unknown/1"};
    set_up();
    write_resource(project, "Patient", "1", "\"active\":true", two);
    write_resource(project, "Patient", "deleted", "\"active\":true", two);
    delete_resource("Patient", "deleted");
    write_resource(make_project(), "Patient", "foreign", "\"active\":true", two);
    for (int i = 0; i < (int)(sizeof(none) / sizeof(none[0])); i++) {
        const char *first = write_binary(project, "x", "Patient/1");
        const char *version = write_binary(project, "x", none[i]);
        for (int with_content = 0; with_content < 2; with_content++) {
            expect_absent(load("x", NULL, with_content)->context);
            expect_absent(load("x", version, with_content)->context);
            expect_absent(load("x", version, with_content)->version_context);
            expect_absent(load("x", first, with_content)->context);
            expect_there(load("x", first, with_content)->version_context, "Patient", "1", 1);
        }
    }
}

static void of_two_versions(void)
{
    const fhir_binary_facts_t *facts;
    const char *first;
    const char *second;
    const char *third;
    const char *fourth;
    set_up();
    write_resource(project, "Patient", "1", "\"n\":1", two);
    write_resource(project, "Patient", "2", "\"n\":2", NULL);
    first = write_binary(project, "x", "Patient/1");
    second = write_binary(project, "x", "Patient/2");
    for (int with_content = 0; with_content < 2; with_content++) {
        facts = load("x", first, with_content);
        expect_there(facts->context, "Patient", "2", 1);
        expect_there(facts->version_context, "Patient", "1", 1);
        CU_ASSERT_EQUAL(facts->context->values->nelts, 0);
        CU_ASSERT_EQUAL(facts->version_context->values->nelts, 2);
        if (with_content) {
            CU_ASSERT_STRING_EQUAL(facts->context->resource->body, "\"n\":2");
            CU_ASSERT_STRING_EQUAL(facts->version_context->resource->body, "\"n\":1");
        }
        facts = load("x", second, with_content);
        expect_there(facts->context, "Patient", "2", 1);
        CU_ASSERT_PTR_EQUAL(facts->context, facts->version_context);
        facts = load("x", uuid(), with_content);
        CU_ASSERT_PTR_NULL(facts->version);
        CU_ASSERT_PTR_NULL(facts->version_context);
        expect_there(facts->context, "Patient", "2", 1);
    }
    third = write_binary(project, "x", "Patient/2/_history/7");
    facts = load("x", second, 1);
    expect_there(facts->context, "Patient", "2", 1);
    CU_ASSERT_PTR_EQUAL(facts->context, facts->version_context);
    fourth = write_binary(project, "x", NULL);
    facts = load("x", third, 0);
    CU_ASSERT_PTR_NULL(facts->context);
    expect_there(facts->version_context, "Patient", "2", 1);
    facts = load("x", fourth, 0);
    CU_ASSERT_PTR_NULL(facts->context);
    CU_ASSERT_PTR_NULL(facts->version_context);
    write_binary(project, "x", "Patient/1");
    facts = load("x", fourth, 1);
    expect_there(facts->context, "Patient", "1", 1);
    CU_ASSERT_PTR_NULL(facts->version_context);
}

static void not_for_administrators(void)
{
    const char *first;
    set_up();
    write_resource(project, "Patient", "1", "\"n\":1", two);
    first = write_binary(project, "x", "Patient/1");
    write_binary(project, "x", "Patient/2");
    set_membership(&client, ",\"admin\":true");
    for (int with_content = 0; with_content < 2; with_content++) {
        CU_ASSERT_PTR_NOT_NULL(load("x", NULL, with_content)->current);
        CU_ASSERT_PTR_NULL(load("x", NULL, with_content)->context);
        CU_ASSERT_PTR_NULL(load("x", first, with_content)->context);
        CU_ASSERT_PTR_NULL(load("x", first, with_content)->version_context);
    }
}

/* A tombstone keeps the context that it was given. */
static void of_a_tombstone(void)
{
    fhir_version_change_t change;
    const fhir_binary_t *made;
    set_up();
    write_resource(project, "Patient", "1", "\"n\":1", two);
    write_binary(project, "x", "Patient/1");
    change = change_of(FHIR_CHANGE_DELETE, project, "x");
    change.keep_security_context = 1;
    FHIR_ASSERT_OK(fhir_meta_commit(&made, meta, &change, &call));
    expect_there(load("x", NULL, 0)->context, "Patient", "1", 1);
}

/* ---- many at once ---- */

static void many(void)
{
    static const char *const wanted[] = {"Patient/1",    NULL,       "Patient/2", "Patient/1/_history/3",
                                         "Patient/none", "nonsense", "",          "https://x/Patient/1"};
    apr_array_header_t *references = apr_array_make(pool, 8, sizeof(const char *));
    apr_array_header_t *contexts;
    fhir_subject_t **context;
    set_up();
    write_resource(project, "Patient", "1", "\"n\":1", two);
    write_resource(project, "Patient", "2", "\"n\":2", NULL);
    write_resource(make_project(), "Patient", "none", "\"n\":2", NULL);
    for (int i = 0; i < (int)(sizeof(wanted) / sizeof(wanted[0])); i++) {
        APR_ARRAY_PUSH(references, const char *) = wanted[i];
    }
    for (int with_content = 0; with_content < 2; with_content++) {
        FHIR_ASSERT_OK(fhir_meta_load_contexts(&contexts, meta, project, references, with_content, &call));
        CU_ASSERT_EQUAL_FATAL(contexts->nelts, references->nelts);
        context = (fhir_subject_t **)(void *)contexts->elts;
        expect_there(context[0], "Patient", "1", 1);
        CU_ASSERT_TRUE(is_in(context[0], "Encounter", "e-1.x"));
        CU_ASSERT_PTR_NULL(context[1]);
        expect_there(context[2], "Patient", "2", 1);
        CU_ASSERT_EQUAL(context[2]->values->nelts, 0);
        CU_ASSERT_PTR_EQUAL(context[3], context[0]);
        for (int i = 4; i < 8; i++) {
            expect_absent(context[i]);
        }
        if (with_content) {
            CU_ASSERT_STRING_EQUAL(context[0]->resource->body, "\"n\":1");
            CU_ASSERT_STRING_EQUAL(context[2]->resource->body, "\"n\":2");
        }
    }
    references->nelts = 0;
    APR_ARRAY_PUSH(references, const char *) = NULL;
    fhir_meta_t *working = meta;
    meta = NULL; /* there is no round trip */
    FHIR_ASSERT_OK(fhir_meta_load_contexts(&contexts, meta, project, references, 1, &call));
    CU_ASSERT_PTR_NULL(APR_ARRAY_IDX(contexts, 0, fhir_subject_t *));
    meta = working;
}

/* ---- of a resource itself ---- */

static void of_resources(void)
{
    fhir_resource_facts_t facts;
    const char *first;
    set_up();
    write_resource(project, "Media", "m", "\"n\":1", two);
    for (int with_content = 0; with_content < 2; with_content++) {
        FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Media", "m", NULL, with_content, &call));
        expect_there(facts.subject, "Media", "m", 0);
        CU_ASSERT_EQUAL(facts.subject->values->nelts, 2);
        CU_ASSERT_TRUE(is_in(facts.subject, "Patient", "1"));
        CU_ASSERT_PTR_EQUAL(facts.subject->resource, facts.current);
        CU_ASSERT_STRING_EQUAL(facts.current->body, "\"n\":1");
    }
    first = facts.current->version_id;
    write_resource(project, "Media", "m", "\"n\":2", NULL);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Media", "m", first, 0, &call));
    expect_there(facts.subject, "Media", "m", 0);
    CU_ASSERT_EQUAL(facts.subject->values->nelts, 0);
    CU_ASSERT_STRING_EQUAL(facts.version->body, "\"n\":1");
    CU_ASSERT_PTR_NULL(facts.current->body);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Media", "m", first, 1, &call));
    CU_ASSERT_STRING_EQUAL(facts.version->body, "\"n\":1");
    CU_ASSERT_STRING_EQUAL(facts.current->body, "\"n\":2");
    CU_ASSERT_PTR_EQUAL(facts.subject->resource, facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Media", "none", NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.subject);
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, NULL, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.subject);
    write_resource(project, "Media", "m", "\"n\":3", two);
    delete_resource("Media", "m");
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Media", "m", NULL, 1, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(facts.subject);
    CU_ASSERT_EQUAL(facts.subject->there, 0);
    CU_ASSERT_EQUAL(facts.subject->values->nelts, 0);
    /* scopes may narrow an administrator by them */
    write_resource(project, "Media", "m", "\"n\":4", two);
    set_membership(&client, ",\"admin\":true");
    FHIR_ASSERT_OK(fhir_meta_load_resource(&facts, meta, &key, "Media", "m", NULL, 0, &call));
    expect_there(facts.subject, "Media", "m", 0);
    CU_ASSERT_EQUAL(facts.subject->values->nelts, 2);
}

/* ---- without a context ---- */

static void without_context(void)
{
    apr_array_header_t *binaries;
    apr_off_t total = -1;
    fhir_version_change_t change;
    const fhir_binary_t *made;
    set_up();
    FHIR_ASSERT_OK(fhir_meta_binaries_without_context(&binaries, &total, meta, project, NULL, 10, &call));
    CU_ASSERT_EQUAL(binaries->nelts, 0);
    CU_ASSERT_EQUAL(total, 0);
    for (int i = 0; i < 7; i++) {
        write_binary(project, apr_psprintf(pool, "b%d", i), NULL);
    }
    write_binary(project, "b1", "Patient/1");
    write_binary(project, "a", "Patient/1");
    write_binary(project, "b2", "Patient/1");
    write_binary(project, "b2", NULL);
    change = change_of(FHIR_CHANGE_DELETE, project, "b3");
    FHIR_ASSERT_OK(fhir_meta_commit(&made, meta, &change, &call));
    write_binary(make_project(), "b5", NULL);
    FHIR_ASSERT_OK(fhir_meta_binaries_without_context(&binaries, &total, meta, project, NULL, 3, &call));
    CU_ASSERT_EQUAL(total, 5);
    CU_ASSERT_EQUAL_FATAL(binaries->nelts, 3);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(binaries, 0, const fhir_binary_t *)->id, "b0");
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(binaries, 1, const fhir_binary_t *)->id, "b2");
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(binaries, 1, const fhir_binary_t *)->sequence, 3);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(binaries, 2, const fhir_binary_t *)->id, "b4");
    FHIR_ASSERT_OK(fhir_meta_binaries_without_context(&binaries, NULL, meta, project, "b4", 3, &call));
    CU_ASSERT_EQUAL_FATAL(binaries->nelts, 2);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(binaries, 0, const fhir_binary_t *)->id, "b5");
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(binaries, 1, const fhir_binary_t *)->id, "b6");
    FHIR_ASSERT_OK(fhir_meta_binaries_without_context(&binaries, &total, meta, project, "b6", 3, &call));
    CU_ASSERT_EQUAL(binaries->nelts, 0);
    CU_ASSERT_EQUAL(total, 5);
    FHIR_ASSERT_OK(fhir_meta_binaries_without_context(&binaries, &total, meta, project, NULL, 0, &call));
    CU_ASSERT_EQUAL(binaries->nelts, 0);
    CU_ASSERT_EQUAL(total, 5);
}

static const fhir_unit_test_t tests[] = {{"of the current version", of_the_current_version},
                                         {"not there", not_there},
                                         {"of two versions", of_two_versions},
                                         {"not for administrators", not_for_administrators},
                                         {"of a tombstone", of_a_tombstone},
                                         {"many", many},
                                         {"of resources", of_resources},
                                         {"without context", without_context},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("context", tests)
