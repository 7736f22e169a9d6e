/* What points to Binaries, and whom those resources are about. */
#include "resource_test.h"

static const char *project;

static void set_up(void)
{
    open_meta(2);
    project = make_project();
}

static void write_binary(const char *id)
{
    fhir_version_change_t change = change_of(FHIR_CHANGE_CREATE, project, id);
    const fhir_binary_t *binary = NULL;
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
}

static fhir_resource_change_t change_for(const char *type, const char *id)
{
    fhir_resource_change_t change = resource_change(FHIR_CHANGE_UPDATE, project, type, id);
    change.may_create = 1;
    return change;
}

static void push_value_of(fhir_resource_change_t *change, const char *name, const char *type, const char *id)
{
    apr_array_header_t *values = apr_array_copy(pool, change->index_values);
    push_reference(values, name, type, id);
    change->index_values = values;
}

static const fhir_resource_t *store(const fhir_resource_change_t *change)
{
    const fhir_resource_t *resource = NULL;
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&resource, meta, change, &call));
    return resource;
}

static void simple(const char *type, const char *id)
{
    fhir_resource_change_t change = change_for(type, id);
    store(&change);
}

static void take_away(const char *type, const char *id)
{
    fhir_resource_change_t change = resource_change(FHIR_CHANGE_DELETE, project, type, id);
    store(&change);
}

static apr_array_header_t *ids_of(const char *first, const char *second)
{
    apr_array_header_t *ids = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(ids, const char *) = first;
    if (second) {
        APR_ARRAY_PUSH(ids, const char *) = second;
    }
    return ids;
}

static apr_array_header_t *referrers_of(const apr_array_header_t *ids, int with_text)
{
    apr_array_header_t *found = NULL;
    FHIR_ASSERT_OK(fhir_meta_referrers(&found, meta, project, ids, with_text, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found;
}

static const fhir_referrer_t *at(const apr_array_header_t *found, int place)
{
    CU_ASSERT_FATAL(place < found->nelts);
    return &APR_ARRAY_IDX(found, place, fhir_referrer_t);
}

static const char *subjects_of(const fhir_referrer_t *referrer)
{
    const char *text = "";
    for (int i = 0; i < referrer->subjects->nelts; i++) {
        const fhir_referrer_subject_t *subject = &APR_ARRAY_IDX(referrer->subjects, i, fhir_referrer_subject_t);
        text = apr_pstrcat(pool, text, i ? " " : "", subject->there ? "" : "!", subject->type, "/", subject->id, NULL);
    }
    return text;
}

static void subjects(void)
{
    fhir_resource_change_t change;
    apr_array_header_t *found;
    set_up();
    write_binary("b");
    simple("Patient", "p1");
    simple("Group", "g");
    simple("Patient", "gone");
    take_away("Patient", "gone");
    change = change_for("Media", "m");
    add_link(&change, "Media.content", "b", NULL);
    push_value_of(&change, "subject", "Group", "g");
    push_value_of(&change, "subject", "Patient", "p1");
    push_value_of(&change, "patient", "Patient", "p1");
    push_value_of(&change, "patient", "Patient", "gone");
    push_value_of(&change, "operator", "Practitioner", "7");
    push_value_of(&change, "subject", "Patient", "https://other.example.org/Patient/9");
    push_value_of(&change, "subject", "", "https://other.example.org/Patient/9");
    push_value_of(&change, "subject", "Patient", "");
    store(&change);
    found = referrers_of(ids_of("b", NULL), 0);
    CU_ASSERT_EQUAL_FATAL(found->nelts, 1);
    CU_ASSERT_EQUAL(at(found, 0)->binary, 0);
    CU_ASSERT_STRING_EQUAL(at(found, 0)->path, "Media.content");
    CU_ASSERT_STRING_EQUAL(at(found, 0)->resource->type, "Media");
    CU_ASSERT_STRING_EQUAL(at(found, 0)->resource->id, "m");
    CU_ASSERT_PTR_NULL(at(found, 0)->resource->body);
    CU_ASSERT_STRING_EQUAL(subjects_of(at(found, 0)), "!Patient/gone Patient/p1 Group/g");
    for (int i = 0; i < 5; i++) {
        push_value_of(&change, "patient", "Patient", apr_psprintf(pool, "z%d", i));
    }
    change.version_id = uuid();
    store(&change);
    found = referrers_of(ids_of("b", NULL), 0);
    CU_ASSERT_EQUAL(at(found, 0)->subjects->nelts, FHIR_REFERRER_SUBJECTS_MAX);
}

/* Current versions of resources that are there, in this project alone. */
static void current_only(void)
{
    fhir_resource_change_t change;
    apr_array_header_t *found;
    const char *own;
    set_up();
    change = change_for("Media", "old");
    add_link(&change, "Media.content", "b", NULL);
    store(&change);
    simple("Media", "old");
    change = change_for("Media", "deleted");
    add_link(&change, "Media.content", "b", NULL);
    store(&change);
    take_away("Media", "deleted");
    own = project;
    project = make_project();
    change = change_for("Media", "foreign");
    add_link(&change, "Media.content", "b", NULL);
    store(&change);
    project = own;
    CU_ASSERT_EQUAL(referrers_of(ids_of("b", NULL), 0)->nelts, 0);
    change = change_for("Patient", "x");
    add_link(&change, "Patient.photo[1]", "b", NULL);
    add_link(&change, "Patient.photo[0]", "b", uuid());
    store(&change);
    found = referrers_of(ids_of("b", NULL), 0);
    CU_ASSERT_EQUAL_FATAL(found->nelts, 1);
    CU_ASSERT_STRING_EQUAL(at(found, 0)->path, "Patient.photo[0]");
    CU_ASSERT_EQUAL(at(found, 0)->subjects->nelts, 0);
}

static void several_binaries(void)
{
    fhir_resource_change_t change;
    apr_array_header_t *found;
    set_up();
    change = change_for("Media", "both");
    add_link(&change, "Media.content", "b1", NULL);
    add_link(&change, "Media.content", "b2", NULL);
    store(&change);
    change = change_for("Media", "one");
    add_link(&change, "Media.content", "b1", NULL);
    store(&change);
    found = referrers_of(ids_of("b2", "b1"), 1);
    CU_ASSERT_EQUAL_FATAL(found->nelts, 3);
    CU_ASSERT_EQUAL(at(found, 0)->binary, 0);
    CU_ASSERT_EQUAL(at(found, 1)->binary, 1);
    CU_ASSERT_EQUAL(at(found, 2)->binary, 1);
    CU_ASSERT_STRING_EQUAL(at(found, 0)->resource->id, "both");
    CU_ASSERT_STRING_EQUAL(at(found, 0)->resource->body, "\"active\":true");
    CU_ASSERT_PTR_EQUAL(at(found, 0)->resource, at(found, 1)->resource);
    CU_ASSERT_STRING_EQUAL(at(found, 2)->resource->id, "one");
    CU_ASSERT_EQUAL(referrers_of(apr_array_make(pool, 1, sizeof(const char *)), 1)->nelts, 0);
    CU_ASSERT_EQUAL(referrers_of(ids_of("none", "{\"}"), 1)->nelts, 0);
}

static void limits(void)
{
    apr_array_header_t *found;
    char *large;
    set_up();
    for (int i = 0; i < FHIR_REFERRERS_MAX + 5; i++) {
        fhir_resource_change_t change = change_for("Media", apr_psprintf(pool, "m%d", i));
        add_link(&change, "Media.content", "logo", NULL);
        store(&change);
    }
    CU_ASSERT_EQUAL(referrers_of(ids_of("logo", NULL), 0)->nelts, FHIR_REFERRERS_MAX + 1);
    large = apr_pcalloc(pool, 9 * 1024 * 1024);
    memset(large, 'x', 9 * 1024 * 1024 - 1);
    for (int i = 0; i < 4; i++) {
        fhir_resource_change_t change = change_for("Media", apr_psprintf(pool, "large%d", i));
        change.stored = stored_of("", apr_pstrcat(pool, "\"x\":\"", large, "\"", NULL));
        add_link(&change, "Media.content", i < 3 ? "three" : "four", NULL);
        store(&change);
    }
    CU_ASSERT_EQUAL(referrers_of(ids_of("three", NULL), 1)->nelts, 3);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE,
                      fhir_meta_referrers(&found, meta, project, ids_of("three", "four"), 1, &call));
    CU_ASSERT_EQUAL(referrers_of(ids_of("three", "four"), 0)->nelts, 4);
}

/* A page of 1000 Binaries among 10,000 resources. */
static void quick(void)
{
    apr_array_header_t *ids = apr_array_make(pool, 1000, sizeof(const char *));
    apr_array_header_t *found;
    apr_time_t started;
    set_up();
    for (int i = 0; i < 10; i++) {
        sql(apr_psprintf(pool,
                         "WITH r AS (INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, "
                         "deleted, last_updated) SELECT '%s', 'Media', 'm%d-' || n, gen_random_uuid(), 1, false, now() "
                         "FROM generate_series(0, 999) n RETURNING *), v AS (INSERT INTO fhir_binary.resource_version "
                         "SELECT version_id, key, 1, 1, now(), project_id, 1, '', '' FROM r), x AS (INSERT INTO "
                         "fhir_binary.resource_reference (key, name, target_term, target_type, target_id) SELECT key, "
                         "'subject', 1, 'Patient', 'p' FROM r) INSERT INTO fhir_binary.attachment SELECT version_id, "
                         "0, project_id, key, 1, 'Media.content', replace(id, 'm', 'b'), NULL, NULL, 1, 2, 3, 0 FROM r",
                         project, i));
    }
    for (int i = 0; i < 1000; i++) {
        APR_ARRAY_PUSH(ids, const char *) = apr_psprintf(pool, "b3-%d", i);
    }
    started = apr_time_now();
    found = referrers_of(ids, 1);
    CU_ASSERT_EQUAL(found->nelts, 1000);
    CU_ASSERT_STRING_EQUAL(subjects_of(at(found, 999)), "!Patient/p");
    CU_ASSERT_STRING_EQUAL(at(found, 999)->resource->id, "m3-999");
    CU_ASSERT_TRUE(apr_time_now() - started < apr_time_from_sec(2));
    printf("referrers of 1000 Binaries: %" APR_TIME_T_FMT " ms\n", apr_time_as_msec(apr_time_now() - started));
}

static const fhir_unit_test_t tests[] = {{"subjects of referring resources", subjects},
                                         {"only current resources of the project", current_only},
                                         {"several Binaries", several_binaries},
                                         {"limits", limits},
                                         {"quick", quick},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("context_audit", tests)
