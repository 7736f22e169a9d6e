/* The rules of making a version current. */
#include "meta_test.h"

static const char *project;
static const fhir_binary_t *binary;

static void set_up(void)
{
    open_meta(2);
    project = make_project();
}

static fhir_error_t *commit(fhir_version_change_t change)
{
    return fhir_meta_commit(&binary, meta, &change, &call);
}

static void create_once(void)
{
    set_up();
    FHIR_ASSERT_OK(commit(change_of(FHIR_CHANGE_CREATE, project, "x")));
    CU_ASSERT_EQUAL(binary->sequence, 1);
    CU_ASSERT_EQUAL(binary->change, FHIR_CHANGE_CREATE);
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(change_of(FHIR_CHANGE_CREATE, project, "x")));
    CU_ASSERT_PTR_NULL(binary);
    FHIR_ASSERT_OK(commit(change_of(FHIR_CHANGE_DELETE, project, "x")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(change_of(FHIR_CHANGE_CREATE, project, "x")));
}

static void update_of_unknown(void)
{
    fhir_version_change_t change;
    set_up();
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, commit(change));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, commit(change_of(FHIR_CHANGE_DELETE, project, "x")));
    change.may_create = 1;
    change.expected_version = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change.expected_version = NULL;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(binary->sequence, 1);
    CU_ASSERT_EQUAL(binary->change, FHIR_CHANGE_UPDATE);
}

static void only_if_unknown(void)
{
    fhir_version_change_t change;
    set_up();
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.may_create = 1;
    change.expected_version = change.version_id;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(binary->sequence, 1);
    change.expected_version = change.version_id = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    FHIR_ASSERT_OK(commit(change_of(FHIR_CHANGE_DELETE, project, "x")));
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
}

static void if_match(void)
{
    fhir_version_change_t change;
    const char *first;
    set_up();
    FHIR_ASSERT_OK(commit(change_of(FHIR_CHANGE_CREATE, project, "x")));
    first = binary->version_id;
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.expected_version = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change.expected_version = "3";
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change.expected_version = first;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(binary->sequence, 2);
    change = change_of(FHIR_CHANGE_DELETE, project, "x");
    change.expected_version = first;
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
}

static void same_version_again(void)
{
    fhir_version_change_t change;
    const char *first;
    set_up();
    FHIR_ASSERT_OK(commit(change_of(FHIR_CHANGE_CREATE, project, "x")));
    first = binary->version_id;
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.expected_version = first;
    FHIR_ASSERT_OK(commit(change));
    /* a retry: that the version exists is said before that If-Match no longer fits */
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(change));
    /* the same version id for another Binary, in another project */
    change = change_of(FHIR_CHANGE_CREATE, make_project(), "other");
    change.version_id = first;
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, commit(change));
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.binary WHERE id = 'other'"), "0");
}

static void keeps(void)
{
    fhir_version_change_t change;
    const fhir_content_t *content;
    set_up();
    change = change_of(FHIR_CHANGE_CREATE, project, "x");
    change.content = content = make_content(project, &call);
    change.security_context = "Patient/1";
    change.filename = "a.pdf";
    change.elements = "{}";
    FHIR_ASSERT_OK(commit(change));
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.security_context = "Patient/2";
    change.keep_security_context = change.keep_filename = change.keep_elements = change.keep_content = 1;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_STRING_EQUAL(binary->security_context, "Patient/1");
    CU_ASSERT_STRING_EQUAL(binary->filename, "a.pdf");
    CU_ASSERT_STRING_EQUAL(binary->elements, "{}");
    CU_ASSERT_STRING_EQUAL(binary->content->object_key, content->object_key);
    CU_ASSERT_EQUAL(binary->content->size, 4711);
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.keep_content = 1;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_PTR_NULL(binary->security_context);
    CU_ASSERT_PTR_NULL(binary->filename);
    CU_ASSERT_PTR_NULL(binary->elements);
    CU_ASSERT_STRING_EQUAL(binary->content->locator, content->locator);
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.keep_content = 1;
    change.content = make_content(project, &call);
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_STRING_EQUAL(binary->content->locator, change.content->locator);
}

static void tombstone_and_revival(void)
{
    fhir_version_change_t change;
    const char *tombstone;
    set_up();
    change = change_of(FHIR_CHANGE_CREATE, project, "x");
    change.content = make_content(project, &call);
    change.security_context = "Patient/1";
    FHIR_ASSERT_OK(commit(change));
    change = change_of(FHIR_CHANGE_DELETE, project, "x");
    change.keep_security_context = change.keep_content = 1;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(binary->change, FHIR_CHANGE_DELETE);
    CU_ASSERT_EQUAL(binary->sequence, 2);
    CU_ASSERT_PTR_NULL(binary->content_type);
    CU_ASSERT_PTR_NULL(binary->content);
    CU_ASSERT_STRING_EQUAL(binary->security_context, "Patient/1");
    tombstone = binary->version_id;
    FHIR_ASSERT_OK(commit(change_of(FHIR_CHANGE_DELETE, project, "x")));
    CU_ASSERT_STRING_EQUAL(binary->version_id, tombstone);
    CU_ASSERT_EQUAL(binary->sequence, 2);
    FHIR_ASSERT_OK(commit(change)); /* the same delete, sent again */
    CU_ASSERT_STRING_EQUAL(binary->version_id, tombstone);
    change = change_of(FHIR_CHANGE_DELETE, project, "x");
    change.expected_version = uuid();
    FHIR_ASSERT_ERROR(FHIR_ERROR_PRECONDITION_FAILED, commit(change));
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.keep_security_context = change.keep_content = 1;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(binary->sequence, 3);
    CU_ASSERT_EQUAL(binary->change, FHIR_CHANGE_UPDATE);
    CU_ASSERT_PTR_NULL(binary->content);
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT deleted FROM fhir_binary.binary WHERE project_id = '%s'", project)), "f");
}

static void objects(void)
{
    fhir_version_change_t change;
    const fhir_content_t *content;
    apr_array_header_t *rows;
    apr_time_t soon;
    set_up();
    content = make_content(project, &call);
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXISTS, fhir_meta_object_register(meta, project, content->object_key, "main",
                                                                   "objects/elsewhere", &call));
    FHIR_ASSERT_OK(fhir_meta_object_forget(meta, content->object_key, &call));
    change = change_of(FHIR_CHANGE_CREATE, project, "x");
    change.content = content;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, commit(change));
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.binary WHERE project_id = '%s'", project)), "0");
    change.content = content = make_content(project, &call);
    FHIR_ASSERT_OK(commit(change));
    /* committed: not forgotten, not committed twice */
    FHIR_ASSERT_OK(fhir_meta_object_forget(meta, content->object_key, &call));
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.content = content;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, commit(change));
    soon = apr_time_now() + apr_time_from_sec(60);
    FHIR_ASSERT_OK(fhir_meta_objects_pending(&rows, meta, "main", soon, &call));
    for (int i = 0; i < rows->nelts; i++) {
        CU_ASSERT_STRING_NOT_EQUAL(APR_ARRAY_IDX(rows, i, fhir_object_row_t).object_key, content->object_key);
    }
}

static void large_elements(void)
{
    fhir_version_change_t change;
    char *large;
    set_up();
    large = apr_palloc(pool, 8 * 1024 * 1024 + 1);
    memset(large, 'x', 8 * 1024 * 1024);
    large[8 * 1024 * 1024] = '\0';
    change = change_of(FHIR_CHANGE_CREATE, project, "x");
    change.elements = large;
    FHIR_ASSERT_OK(commit(change));
    CU_ASSERT_EQUAL(strlen(binary->elements), 8 * 1024 * 1024);
}

static const fhir_unit_test_t tests[] = {{"create once", create_once},
                                         {"update of an unknown id", update_of_unknown},
                                         {"only if unknown", only_if_unknown},
                                         {"If-Match", if_match},
                                         {"the same version again", same_version_again},
                                         {"keep", keeps},
                                         {"tombstone and revival", tombstone_and_revival},
                                         {"objects", objects},
                                         {"large elements", large_elements},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("version", tests)
