/* Links between resources and Binaries, and includes that follow references and links. */
#include "resource_test.h"

static const char *project;

static void set_up(void)
{
    open_meta(2);
    project = make_project();
}

static const fhir_binary_t *write_binary(fhir_change_kind_t kind, const char *id, int with_content)
{
    fhir_version_change_t change = change_of(kind, project, id);
    const fhir_binary_t *binary = NULL;
    change.content = with_content ? make_content(project, &call) : NULL;
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    return binary;
}

static const fhir_resource_t *write_resource(const fhir_resource_change_t *change)
{
    const fhir_resource_t *resource = NULL;
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&resource, meta, change, &call));
    return resource;
}

static const fhir_resource_t *simple(const char *type, const char *id)
{
    fhir_resource_change_t change = resource_change(FHIR_CHANGE_UPDATE, project, type, id);
    change.may_create = 1;
    return write_resource(&change);
}

static const fhir_attachment_facts_t *facts_at(const apr_array_header_t *loaded, int place)
{
    return &APR_ARRAY_IDX(loaded, place, fhir_attachment_facts_t);
}

/* ---- loading ---- */

static void facts_of_attachments(void)
{
    apr_array_header_t *resources = apr_array_make(pool, 4, sizeof(const fhir_resource_t *));
    apr_array_header_t *loaded;
    const fhir_binary_t *old;
    const fhir_binary_t *current;
    fhir_resource_change_t change;
    set_up();
    old = write_binary(FHIR_CHANGE_CREATE, "b", 1);
    current = write_binary(FHIR_CHANGE_UPDATE, "b", 0);
    write_binary(FHIR_CHANGE_CREATE, "gone", 1);
    write_binary(FHIR_CHANGE_DELETE, "gone", 0);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Patient", "x");
    add_link(&change, "Patient.photo[0]", "b", NULL);
    add_link(&change, "Patient.photo[1]", "b", old->version_id);
    add_link(&change, "Patient.photo[2]", "b", current->version_id);
    add_link(&change, "Patient.photo[3]", "b", "7");
    add_link(&change, "Patient.photo[4]", "b", uuid());
    add_link(&change, "Patient.photo[5]", "none", NULL);
    add_link(&change, "Patient.photo[6]", "gone", NULL);
    APR_ARRAY_PUSH(resources, const fhir_resource_t *) = simple("Patient", "without");
    APR_ARRAY_PUSH(resources, const fhir_resource_t *) = write_resource(&change);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Media", "m");
    add_link(&change, "Media.content", "b", old->version_id);
    APR_ARRAY_PUSH(resources, const fhir_resource_t *) = write_resource(&change);
    FHIR_ASSERT_OK(fhir_meta_load_attachments(&loaded, meta, project, resources, &call));
    CU_ASSERT_EQUAL_FATAL(loaded->nelts, 8);
    for (int i = 0; i < 7; i++) {
        CU_ASSERT_EQUAL(facts_at(loaded, i)->resource, 1);
        CU_ASSERT_EQUAL(facts_at(loaded, i)->link.url_offset, 10 * i);
        CU_ASSERT_EQUAL(facts_at(loaded, i)->link.url_length, 7);
        CU_ASSERT_EQUAL(facts_at(loaded, i)->link.end_offset, 10 * i + 9);
        CU_ASSERT_EQUAL(facts_at(loaded, i)->link.present, FHIR_ATTACHMENT_SIZE | FHIR_ATTACHMENT_TITLE);
    }
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 0)->link.path, "Patient.photo[0]");
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 0)->link.binary_id, "b");
    CU_ASSERT_PTR_NULL(facts_at(loaded, 0)->link.binary_version_id);
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 0)->current->version_id, current->version_id);
    CU_ASSERT_PTR_EQUAL(facts_at(loaded, 0)->version, facts_at(loaded, 0)->current);
    CU_ASSERT_PTR_EQUAL(facts_at(loaded, 1)->current, facts_at(loaded, 0)->current);
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 1)->link.binary_version_id, old->version_id);
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 1)->version->version_id, old->version_id);
    CU_ASSERT_EQUAL(facts_at(loaded, 1)->version->content->size, 4711);
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 1)->version->content_type, "application/pdf");
    CU_ASSERT_PTR_EQUAL(facts_at(loaded, 2)->version, facts_at(loaded, 0)->current);
    CU_ASSERT_STRING_EQUAL(facts_at(loaded, 3)->link.binary_version_id, "7");
    CU_ASSERT_PTR_NULL(facts_at(loaded, 3)->version);
    CU_ASSERT_PTR_NOT_NULL(facts_at(loaded, 3)->current);
    CU_ASSERT_PTR_NULL(facts_at(loaded, 4)->version);
    CU_ASSERT_PTR_NULL(facts_at(loaded, 5)->current);
    CU_ASSERT_PTR_NULL(facts_at(loaded, 5)->version);
    CU_ASSERT_EQUAL(facts_at(loaded, 6)->current->change, FHIR_CHANGE_DELETE);
    CU_ASSERT_EQUAL(facts_at(loaded, 7)->resource, 2);
    CU_ASSERT_PTR_EQUAL(facts_at(loaded, 7)->version, facts_at(loaded, 1)->version);
    /* other projects see neither links nor Binaries */
    FHIR_ASSERT_OK(fhir_meta_load_attachments(&loaded, meta, make_project(), resources, &call));
    CU_ASSERT_EQUAL(loaded->nelts, 0);
}

/* A Binary of another project is none, even if it has the id and the version is pinned. */
static void other_projects_binary(void)
{
    apr_array_header_t *resources = apr_array_make(pool, 1, sizeof(const fhir_resource_t *));
    apr_array_header_t *loaded;
    const fhir_binary_t *foreign;
    fhir_resource_change_t change;
    set_up();
    foreign = write_binary(FHIR_CHANGE_CREATE, "b", 1);
    project = make_project();
    write_binary(FHIR_CHANGE_CREATE, "b", 0);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Media", "m");
    add_link(&change, "Media.content", "b", foreign->version_id);
    APR_ARRAY_PUSH(resources, const fhir_resource_t *) = write_resource(&change);
    FHIR_ASSERT_OK(fhir_meta_load_attachments(&loaded, meta, project, resources, &call));
    CU_ASSERT_EQUAL_FATAL(loaded->nelts, 1);
    CU_ASSERT_PTR_NULL(facts_at(loaded, 0)->version);
    CU_ASSERT_STRING_NOT_EQUAL(facts_at(loaded, 0)->current->version_id, foreign->version_id);
}

static void nothing_to_load(void)
{
    apr_array_header_t *resources = apr_array_make(pool, 1, sizeof(const fhir_resource_t *));
    apr_array_header_t *loaded;
    fhir_meta_config_t config = config_for(1);
    set_up();
    APR_ARRAY_PUSH(resources, const fhir_resource_t *) = simple("Patient", "x");
    /* no round trip: there is no server */
    config.conninfo = "host=/nonexistent";
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    FHIR_ASSERT_OK(fhir_meta_load_attachments(&loaded, meta, project, resources, &call));
    CU_ASSERT_EQUAL(loaded->nelts, 0);
}

/* 100 resources with 100 attachments each, every one another Binary. */
static void ten_thousand(void)
{
    apr_array_header_t *resources = apr_array_make(pool, 100, sizeof(const fhir_resource_t *));
    apr_array_header_t *loaded;
    apr_time_t started;
    apr_interval_time_t took;
    set_up();
    sql(apr_psprintf(
        pool,
        "WITH o AS (INSERT INTO fhir_binary.object SELECT gen_random_uuid(), '%s', 'main', 'l' || "
        "gen_random_uuid(), 9, decode(repeat('aa', 32), 'hex'), decode(repeat('bb', 20), 'hex'), now(), now() "
        "FROM generate_series(0, 9999) RETURNING object_key), b AS (INSERT INTO fhir_binary.binary SELECT "
        "'%s', 'b' || n, gen_random_uuid(), 1, false, now() FROM generate_series(0, 9999) n RETURNING *), "
        "x AS (SELECT row_number() OVER () AS n, object_key FROM o), y AS (SELECT row_number() OVER () AS "
        "n, b.* FROM b) INSERT INTO fhir_binary.binary_version SELECT y.version_id, y.project_id, y.id, 1, "
        "1, now(), y.project_id, 'image/png', NULL, 'a.png', NULL, x.object_key FROM x JOIN y USING (n)",
        project, project));
    for (int i = 0; i < 100; i++) {
        fhir_resource_change_t change =
            resource_change(FHIR_CHANGE_CREATE, project, "Patient", apr_psprintf(pool, "x%d", i));
        for (int j = 0; j < 100; j++) {
            add_link(&change, apr_psprintf(pool, "Patient.photo[%d]", j), apr_psprintf(pool, "b%d", i * 100 + j), NULL);
        }
        APR_ARRAY_PUSH(resources, const fhir_resource_t *) = write_resource(&change);
    }
    started = apr_time_now();
    FHIR_ASSERT_OK(fhir_meta_load_attachments(&loaded, meta, project, resources, &call));
    took = apr_time_now() - started;
    CU_ASSERT_EQUAL_FATAL(loaded->nelts, 10000);
    for (int i = 0; i < 10000; i++) {
        const fhir_attachment_facts_t *facts = facts_at(loaded, i);
        CU_ASSERT_EQUAL_FATAL(facts->resource, i / 100);
        CU_ASSERT_STRING_EQUAL_FATAL(facts->link.binary_id, apr_psprintf(pool, "b%d", i));
        CU_ASSERT_PTR_NOT_NULL_FATAL(facts->version);
        CU_ASSERT_EQUAL_FATAL(facts->version->content->size, 9);
    }
    printf("10,000 attachments: %" APR_TIME_T_FMT " ms\n", apr_time_as_msec(took));
    CU_ASSERT_TRUE(took < apr_time_from_sec(2));
}

/* ---- who uses a Binary ---- */

static const fhir_binary_use_t *use_at(const apr_array_header_t *uses, int place)
{
    return &APR_ARRAY_IDX(uses, place, fhir_binary_use_t);
}

static void uses(void)
{
    apr_array_header_t *found;
    fhir_resource_change_t change;
    const fhir_resource_t *second;
    set_up();
    change = resource_change(FHIR_CHANGE_CREATE, project, "Patient", "x");
    add_link(&change, "Patient.photo[0]", "b", NULL);
    write_resource(&change);
    change = resource_change(FHIR_CHANGE_UPDATE, project, "Patient", "x");
    add_link(&change, "Patient.photo[1]", "b", uuid());
    add_link(&change, "Patient.photo[2]", "b", NULL);
    add_link(&change, "Patient.photo[3]", "other", NULL);
    second = write_resource(&change);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Media", "m");
    add_link(&change, "Media.content", "b", NULL);
    write_resource(&change);
    FHIR_ASSERT_OK(fhir_meta_binary_uses(&found, meta, project, "b", &call));
    CU_ASSERT_EQUAL_FATAL(found->nelts, 3);
    CU_ASSERT_STRING_EQUAL(use_at(found, 0)->type, "Media");
    CU_ASSERT_STRING_EQUAL(use_at(found, 0)->id, "m");
    CU_ASSERT_STRING_EQUAL(use_at(found, 1)->path, "Patient.photo[1]");
    CU_ASSERT_STRING_EQUAL(use_at(found, 1)->version_id, second->version_id);
    CU_ASSERT_STRING_EQUAL(use_at(found, 2)->path, "Patient.photo[2]");
    CU_ASSERT_TRUE(use_at(found, 0)->current && use_at(found, 2)->current);
    simple("Patient", "x");
    FHIR_ASSERT_OK(fhir_meta_binary_uses(&found, meta, project, "b", &call));
    CU_ASSERT_EQUAL_FATAL(found->nelts, 3);
    CU_ASSERT_TRUE(use_at(found, 0)->current);
    CU_ASSERT_FALSE(use_at(found, 1)->current);
    CU_ASSERT_STRING_EQUAL(use_at(found, 1)->version_id, second->version_id);
    FHIR_ASSERT_OK(fhir_meta_binary_uses(&found, meta, project, "none", &call));
    CU_ASSERT_EQUAL(found->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_binary_uses(&found, meta, project, "\xff", &call));
    CU_ASSERT_EQUAL(found->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_binary_uses(&found, meta, make_project(), "b", &call));
    CU_ASSERT_EQUAL(found->nelts, 0);
}

static const char *listed(const apr_array_header_t *binaries)
{
    const char *text = "";
    for (int i = 0; i < binaries->nelts; i++) {
        text = apr_pstrcat(pool, text, *text ? " " : "", APR_ARRAY_IDX(binaries, i, const fhir_binary_t *)->id, NULL);
    }
    return text;
}

static void unlinked(void)
{
    apr_array_header_t *found;
    fhir_resource_change_t change;
    apr_time_t soon = apr_time_now() + apr_time_from_sec(60);
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    set_up();
    for (int i = 0; i < 5; i++) {
        write_binary(FHIR_CHANGE_CREATE, ids[i], i == 0);
    }
    write_binary(FHIR_CHANGE_DELETE, "d", 0);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Patient", "x");
    add_link(&change, "Patient.photo[0]", "b", NULL);
    add_link(&change, "Patient.photo[1]", "c", NULL);
    write_resource(&change);
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon, NULL, 10, &call));
    CU_ASSERT_STRING_EQUAL(listed(found), "a e");
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(found, 0, const fhir_binary_t *)->content->size, 4711);
    change = resource_change(FHIR_CHANGE_UPDATE, project, "Patient", "x");
    add_link(&change, "Patient.photo[0]", "c", NULL);
    write_resource(&change);
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon, NULL, 10, &call));
    CU_ASSERT_STRING_EQUAL(listed(found), "a b e");
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon, NULL, 2, &call));
    CU_ASSERT_STRING_EQUAL(listed(found), "a b");
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon, "b", 2, &call));
    CU_ASSERT_STRING_EQUAL(listed(found), "e");
    change = resource_change(FHIR_CHANGE_DELETE, project, "Patient", "x");
    write_resource(&change);
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon, NULL, 10, &call));
    CU_ASSERT_STRING_EQUAL(listed(found), "a b c e");
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon - apr_time_from_sec(3600), NULL, 10, &call));
    CU_ASSERT_EQUAL(found->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_binaries_unlinked(&found, meta, project, soon, "\xff", 10, &call));
    CU_ASSERT_EQUAL(found->nelts, 0);
}

/* ---- includes ---- */

static void refer(const char *type, const char *id, const char *name, const char *target_type, const char *target_id)
{
    fhir_resource_change_t change = resource_change(FHIR_CHANGE_CREATE, project, type, id);
    apr_array_header_t *values = no_values();
    push_reference(values, name, target_type, target_id);
    change.index_values = values;
    write_resource(&change);
}

static fhir_include_t *include(fhir_search_t *search, const char *type, const char *name)
{
    fhir_include_t *added = apr_array_push(search->includes);
    memset(added, 0, sizeof(*added));
    added->type = type;
    added->name = name;
    return added;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* What is included, in the order of the alphabet. */
static const char *included(const fhir_search_t *search)
{
    fhir_search_page_t page;
    apr_array_header_t *texts = apr_array_make(pool, 4, sizeof(const char *));
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, search, &call));
    for (int i = 0; i < page.included->nelts; i++) {
        const fhir_resource_t *resource = APR_ARRAY_IDX(page.included, i, const fhir_resource_t *);
        CU_ASSERT_STRING_EQUAL(resource->body, "\"active\":true");
        APR_ARRAY_PUSH(texts, const char *) = apr_pstrcat(pool, resource->type, "/", resource->id, NULL);
    }
    qsort(texts->elts, (size_t)texts->nelts, sizeof(const char *), compare_texts);
    return apr_array_pstrcat(pool, texts, ' ');
}

static void make_references(void)
{
    set_up();
    refer("Patient", "p", "general-practitioner", "Practitioner", "d");
    simple("Practitioner", "d");
    simple("Group", "g");
    refer("Encounter", "e", "subject", "Patient", "p");
    refer("Observation", "o", "subject", "Patient", "p");
    refer("Observation", "og", "subject", "Group", "g");
    refer("Observation", "om", "subject", "Patient", "missing");
    refer("Observation", "oe", "encounter", "Encounter", "e");
    refer("Provenance", "v", "target", "Observation", "o");
    refer("Provenance", "w", "target", "Provenance", "v");
    refer("Provenance", "x", "target", "Provenance", "w");
    refer("Provenance", "y", "target", "Provenance", "x");
}

static void forward(void)
{
    fhir_search_t search;
    make_references();
    search = search_for("Observation");
    include(&search, "Observation", "subject");
    CU_ASSERT_STRING_EQUAL(included(&search), "Group/g Patient/p");
    include(&search, "Observation", "subject")->target = "Group";
    APR_ARRAY_IDX(search.includes, 0, fhir_include_t).name = "encounter";
    CU_ASSERT_STRING_EQUAL(included(&search), "Encounter/e Group/g");
    search = search_for("Observation");
    include(&search, "Observation", "*");
    CU_ASSERT_STRING_EQUAL(included(&search), "Encounter/e Group/g Patient/p");
    include(&search, "Patient", "general-practitioner")->iterate = 1;
    CU_ASSERT_STRING_EQUAL(included(&search), "Encounter/e Group/g Patient/p Practitioner/d");
    APR_ARRAY_IDX(search.includes, 1, fhir_include_t).iterate = 0;
    CU_ASSERT_STRING_EQUAL(included(&search), "Encounter/e Group/g Patient/p");
    /* other projects */
    project = make_project();
    CU_ASSERT_STRING_EQUAL(included(&search), "");
    refer("Observation", "o", "subject", "Patient", "p");
    CU_ASSERT_STRING_EQUAL(included(&search), "");
}

static void reverse(void)
{
    fhir_search_t search;
    const fhir_resource_t *made;
    fhir_resource_change_t change;
    make_references();
    search = search_for("Patient");
    include(&search, "Observation", "subject")->reverse = 1;
    CU_ASSERT_STRING_EQUAL(included(&search), "Observation/o");
    include(&search, "Provenance", "target")->reverse = 1;
    CU_ASSERT_STRING_EQUAL(included(&search), "Observation/o");
    /* levels from the matches: Observation, Provenance v, Provenance w */
    APR_ARRAY_IDX(search.includes, 1, fhir_include_t).iterate = 1;
    CU_ASSERT_STRING_EQUAL(included(&search), "Observation/o Provenance/v Provenance/w");
    APR_ARRAY_IDX(search.includes, 1, fhir_include_t).name = "*";
    CU_ASSERT_STRING_EQUAL(included(&search), "Observation/o Provenance/v Provenance/w");
    APR_ARRAY_IDX(search.includes, 0, fhir_include_t).target = "Group";
    CU_ASSERT_STRING_EQUAL(included(&search), "");
    change = resource_change(FHIR_CHANGE_DELETE, project, "Observation", "o");
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
    APR_ARRAY_IDX(search.includes, 0, fhir_include_t).target = "Patient";
    CU_ASSERT_STRING_EQUAL(included(&search), "");
}

/* A match is not included again, and circles end. */
static void each_once(void)
{
    fhir_search_t search;
    set_up();
    refer("Observation", "a", "has-member", "Observation", "b");
    refer("Observation", "b", "has-member", "Observation", "a");
    search = search_for("Observation");
    include(&search, "Observation", "has-member")->iterate = 1;
    CU_ASSERT_STRING_EQUAL(included(&search), "");
    add_code(&search, "_id", FHIR_SEARCH_TOKEN, "a");
    CU_ASSERT_STRING_EQUAL(included(&search), "Observation/b");
}

static const char *included_binaries(const fhir_search_t *search)
{
    fhir_search_page_t page;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, search, &call));
    return listed(page.binaries);
}

static void binaries(void)
{
    fhir_search_t search;
    fhir_resource_change_t change;
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    set_up();
    for (int i = 0; i < 5; i++) {
        write_binary(FHIR_CHANGE_CREATE, ids[i], 1);
    }
    write_binary(FHIR_CHANGE_DELETE, "d", 0);
    change = resource_change(FHIR_CHANGE_CREATE, project, "DocumentReference", "x");
    add_link(&change, "DocumentReference.content[0].attachment", "a", NULL);
    add_link(&change, "DocumentReference.content[1].attachment", "b", uuid());
    add_link(&change, "DocumentReference.content[2].attachment", "d", NULL);
    add_link(&change, "DocumentReference.content[3].attachment", "none", NULL);
    add_link(&change, "DocumentReference.contentOther", "e", NULL);
    add_link(&change, "DocumentReference.contained[0].content", "e", NULL);
    write_resource(&change);
    change = resource_change(FHIR_CHANGE_CREATE, project, "DocumentReference", "y");
    add_link(&change, "DocumentReference.content[0].attachment", "a", NULL);
    write_resource(&change);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Media", "m");
    add_link(&change, "Media.content", "c", NULL);
    write_resource(&change);
    search = search_for("DocumentReference");
    include(&search, "DocumentReference", "content")->attachments = 1;
    CU_ASSERT_STRING_EQUAL(included_binaries(&search), "a b");
    search = search_for("Media");
    include(&search, "Media", "content")->attachments = 1;
    CU_ASSERT_STRING_EQUAL(included_binaries(&search), "c");
    APR_ARRAY_IDX(search.includes, 0, fhir_include_t).name = "conten";
    CU_ASSERT_STRING_EQUAL(included_binaries(&search), "");
    project = make_project();
    CU_ASSERT_STRING_EQUAL(included_binaries(&search), "");
}

/* Binaries of what was included need :iterate. */
static void binaries_of_included(void)
{
    fhir_search_t search;
    fhir_resource_change_t change;
    set_up();
    write_binary(FHIR_CHANGE_CREATE, "a", 1);
    change = resource_change(FHIR_CHANGE_CREATE, project, "Patient", "p");
    add_link(&change, "Patient.photo[0]", "a", NULL);
    write_resource(&change);
    refer("Observation", "o", "subject", "Patient", "p");
    search = search_for("Observation");
    include(&search, "Observation", "subject");
    include(&search, "Patient", "photo")->attachments = 1;
    CU_ASSERT_STRING_EQUAL(included_binaries(&search), "");
    APR_ARRAY_IDX(search.includes, 1, fhir_include_t).iterate = 1;
    CU_ASSERT_STRING_EQUAL(included_binaries(&search), "a");
}

static void too_many_included(void)
{
    fhir_search_t search;
    fhir_search_page_t page;
    set_up();
    simple("Patient", "p");
    sql(apr_psprintf(
        pool,
        "WITH r AS (INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, "
        "last_updated) SELECT '%s', 'Observation', 'o' || n, gen_random_uuid(), 1, false, now() FROM "
        "generate_series(1, 10001) n RETURNING *), f AS (INSERT INTO fhir_binary.resource_reference SELECT "
        "key, 'subject', fhir_binary.search_term(project_id, 'Observation', 'subject', 'p'), NULL, "
        "'Patient', 'p' FROM r) INSERT INTO fhir_binary.resource_version SELECT version_id, key, 1, 1, "
        "last_updated, project_id, 0, '', '' FROM r",
        project));
    search = search_for("Patient");
    include(&search, "Observation", "subject")->reverse = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_meta_search(&page, meta, project, &search, &call));
    sql(apr_psprintf(pool, "UPDATE fhir_binary.resource SET deleted = true WHERE project_id = '%s' AND id = 'o1'",
                     project));
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.included->nelts, 10000);
}

static void too_much_text_included(void)
{
    fhir_search_t search;
    fhir_search_page_t page;
    char *large = apr_palloc(pool, 12 * 1024 * 1024 + 1);
    memset(large, ' ', 12 * 1024 * 1024);
    large[12 * 1024 * 1024] = '\0';
    set_up();
    simple("Patient", "p");
    for (int i = 0; i < 3; i++) {
        fhir_resource_change_t change = resource_change(FHIR_CHANGE_CREATE, project, "Observation", apr_itoa(pool, i));
        apr_array_header_t *values = no_values();
        push_reference(values, "subject", "Patient", "p");
        change.index_values = values;
        change.stored = stored_of("", large);
        write_resource(&change);
    }
    search = search_for("Patient");
    include(&search, "Observation", "subject")->reverse = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_meta_search(&page, meta, project, &search, &call));
}

static const fhir_unit_test_t tests[] = {{"facts of attachments", facts_of_attachments},
                                         {"another project's Binary", other_projects_binary},
                                         {"nothing to load", nothing_to_load},
                                         {"10,000 attachments", ten_thousand},
                                         {"uses", uses},
                                         {"unlinked", unlinked},
                                         {"_include", forward},
                                         {"_revinclude", reverse},
                                         {"each once", each_once},
                                         {"Binaries", binaries},
                                         {"Binaries of what is included", binaries_of_included},
                                         {"too many included", too_many_included},
                                         {"too much text included", too_much_text_included},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("attachment", tests)
