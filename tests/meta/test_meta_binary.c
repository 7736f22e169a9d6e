/* What the loads give and, more important, what they don't. */
#include "meta_test.h"

static const char *project;
static fhir_client_t client;
static fhir_principal_key_t key;
static fhir_binary_facts_t facts;

static void set_up(void)
{
    open_meta(2);
    project = make_project();
    client = make_client(project);
    key = key_of(&client);
}

static const fhir_binary_t *commit(fhir_version_change_t change)
{
    const fhir_binary_t *binary = NULL;
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(binary);
    return binary;
}

static const fhir_binary_t *create_full(const char *id)
{
    fhir_version_change_t change = change_of(FHIR_CHANGE_CREATE, project, id);
    change.content = make_content(project, &call);
    change.security_context = "Patient/1";
    change.filename = "Röntgen.pdf";
    change.elements = "{\"language\":\"de\"}";
    return commit(change);
}

static void same(const fhir_binary_t *one, const fhir_binary_t *other)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(one);
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    CU_ASSERT_STRING_EQUAL(one->project_id, other->project_id);
    CU_ASSERT_STRING_EQUAL(one->id, other->id);
    CU_ASSERT_STRING_EQUAL(one->version_id, other->version_id);
    CU_ASSERT_EQUAL(one->sequence, other->sequence);
    CU_ASSERT_EQUAL(one->last_updated, other->last_updated);
    CU_ASSERT_EQUAL(one->change, other->change);
    CU_ASSERT_STRING_EQUAL(one->content_type, other->content_type);
    CU_ASSERT_STRING_EQUAL(one->security_context, other->security_context);
    CU_ASSERT_STRING_EQUAL(one->filename, other->filename);
    CU_ASSERT_STRING_EQUAL(one->elements, other->elements);
    CU_ASSERT_PTR_NOT_NULL_FATAL(one->content);
    CU_ASSERT_STRING_EQUAL(one->content->object_key, other->content->object_key);
    CU_ASSERT_STRING_EQUAL(one->content->store, other->content->store);
    CU_ASSERT_STRING_EQUAL(one->content->locator, other->content->locator);
    CU_ASSERT_EQUAL(one->content->size, other->content->size);
    CU_ASSERT_EQUAL(memcmp(one->content->sha256, other->content->sha256, FHIR_SHA256_LENGTH), 0);
    CU_ASSERT_EQUAL(memcmp(one->content->sha1, other->content->sha1, FHIR_SHA1_LENGTH), 0);
}

static void membership_only(void)
{
    fhir_principal_key_t stranger = {FHIR_PRINCIPAL_CLIENT, "", uuid()};
    fhir_principal_key_t other_kind = {FHIR_PRINCIPAL_HTTPD, "", client.id};
    fhir_principal_key_t other_issuer = {FHIR_PRINCIPAL_CLIENT, "https://issuer", client.id};
    fhir_principal_key_t latin1 = {FHIR_PRINCIPAL_HTTPD, "", "J\xf6rg"};
    set_up();
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(facts.membership);
    CU_ASSERT_STRING_EQUAL(facts.membership->id, client.membership.id);
    CU_ASSERT_STRING_EQUAL(facts.membership->project_id, project);
    CU_ASSERT_STRING_EQUAL(facts.membership->profile, "Practitioner/1");
    CU_ASSERT_EQUAL(facts.membership->admin, 0);
    CU_ASSERT_EQUAL(facts.membership->active, 1);
    CU_ASSERT_PTR_NULL(facts.current);
    other_kind.subject = other_issuer.subject = client.id;
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &stranger, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &other_kind, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &other_issuer, NULL, NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.membership);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &latin1, "a", NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.membership);
}

static void current_and_versions(void)
{
    const fhir_binary_t *first;
    const fhir_binary_t *second;
    fhir_version_change_t change;
    set_up();
    first = create_full("x");
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", NULL, 0, &call));
    same(facts.current, first);
    CU_ASSERT_PTR_EQUAL(facts.version, facts.current);
    change = change_of(FHIR_CHANGE_UPDATE, project, "x");
    change.content_type = "image/png";
    second = commit(change);
    CU_ASSERT_PTR_NULL(second->content);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", first->version_id, 0, &call));
    same(facts.version, first);
    CU_ASSERT_STRING_EQUAL(facts.current->version_id, second->version_id);
    CU_ASSERT_STRING_EQUAL(facts.current->content_type, "image/png");
    CU_ASSERT_PTR_NULL(facts.current->content);
    CU_ASSERT_PTR_NULL(facts.current->filename);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", second->version_id, 0, &call));
    CU_ASSERT_STRING_EQUAL(facts.version->version_id, second->version_id);
    CU_ASSERT_STRING_EQUAL(facts.current->version_id, second->version_id);
    CU_ASSERT_TRUE(second->last_updated > first->last_updated);
    CU_ASSERT_EQUAL(second->last_updated % 1000, 0);
    CU_ASSERT_TRUE(apr_time_now() - second->last_updated < apr_time_from_sec(60));
}

static void unknown_ids(void)
{
    const fhir_binary_t *other;
    set_up();
    create_full("x");
    other = create_full("y");
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "X", NULL, 0, &call));
    CU_ASSERT_PTR_NOT_NULL(facts.membership);
    CU_ASSERT_PTR_NULL(facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x\xff", NULL, 0, &call));
    CU_ASSERT_PTR_NULL(facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", uuid(), 0, &call));
    CU_ASSERT_PTR_NULL(facts.version);
    CU_ASSERT_PTR_NOT_NULL(facts.current);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", "not-a-uuid", 0, &call));
    CU_ASSERT_PTR_NULL(facts.version);
    CU_ASSERT_PTR_NOT_NULL(facts.current);
    /* the version of another Binary */
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", other->version_id, 0, &call));
    CU_ASSERT_PTR_NULL(facts.version);
    CU_ASSERT_STRING_EQUAL(facts.current->id, "x");
}

static void tenants_are_isolated(void)
{
    const char *foreign_project;
    fhir_client_t foreign;
    fhir_principal_key_t foreign_key;
    const fhir_binary_t *mine;
    const fhir_binary_t *theirs;
    fhir_version_change_t change;
    apr_array_header_t *versions;
    fhir_signed_facts_t signed_facts;
    apr_off_t total;
    set_up();
    foreign_project = make_project();
    foreign = make_client(foreign_project);
    foreign_key = key_of(&foreign);
    mine = create_full("x");
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &foreign_key, "x", mine->version_id, 0, &call));
    CU_ASSERT_PTR_NULL(facts.current);
    CU_ASSERT_PTR_NULL(facts.version);
    FHIR_ASSERT_OK(
        fhir_meta_load_signed(&signed_facts, meta, "k", foreign.membership.id, "x", mine->version_id, &call));
    CU_ASSERT_PTR_NOT_NULL(signed_facts.membership);
    CU_ASSERT_PTR_NULL(signed_facts.current);
    CU_ASSERT_PTR_NULL(signed_facts.version);
    FHIR_ASSERT_OK(fhir_meta_history(&versions, &total, meta, foreign_project, "x", 10, 0, &call));
    CU_ASSERT_EQUAL(versions->nelts, 0);
    CU_ASSERT_EQUAL(total, 0);
    /* the same id is free there, and the version id of here leads nowhere */
    change = change_of(FHIR_CHANGE_CREATE, foreign_project, "x");
    theirs = commit(change);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &foreign_key, "x", mine->version_id, 0, &call));
    CU_ASSERT_STRING_EQUAL(facts.current->version_id, theirs->version_id);
    CU_ASSERT_PTR_NULL(facts.version);
    FHIR_ASSERT_OK(
        fhir_meta_load_signed(&signed_facts, meta, "k", foreign.membership.id, "x", mine->version_id, &call));
    CU_ASSERT_PTR_NULL(signed_facts.version);
    FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", NULL, 0, &call));
    same(facts.current, mine);
    /* nobody commits a foreign pending object */
    change = change_of(FHIR_CHANGE_UPDATE, foreign_project, "x");
    change.content = make_content(project, &call);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, fhir_meta_commit(&theirs, meta, &change, &call));
}

static void signed_url(void)
{
    const fhir_binary_t *first;
    fhir_signed_facts_t signed_facts;
    fhir_key_t url_key = {.purpose = FHIR_KEY_URL, .algorithm = "HS256", .material = "00"};
    fhir_key_t token_key = {.purpose = FHIR_KEY_TOKEN, .algorithm = "ES256", .material = "{}"};
    set_up();
    url_key.id = uuid();
    token_key.id = uuid();
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &url_key, &call));
    FHIR_ASSERT_OK(fhir_meta_key_add(meta, &token_key, &call));
    first = create_full("x");
    FHIR_ASSERT_OK(
        fhir_meta_load_signed(&signed_facts, meta, url_key.id, client.membership.id, "x", first->version_id, &call));
    CU_ASSERT_EQUAL(signed_facts.key_active, 1);
    CU_ASSERT_STRING_EQUAL(signed_facts.membership->id, client.membership.id);
    CU_ASSERT_EQUAL(signed_facts.membership->active, 1);
    same(signed_facts.version, first);
    same(signed_facts.current, first);
    FHIR_ASSERT_OK(fhir_meta_load_signed(&signed_facts, meta, token_key.id, client.membership.id, "x", uuid(), &call));
    CU_ASSERT_EQUAL(signed_facts.key_active, 0);
    CU_ASSERT_PTR_NULL(signed_facts.version);
    same(signed_facts.current, first);
    FHIR_ASSERT_OK(fhir_meta_load_signed(&signed_facts, meta, "k", uuid(), "x", first->version_id, &call));
    CU_ASSERT_PTR_NULL(signed_facts.membership);
    CU_ASSERT_PTR_NULL(signed_facts.current);
    CU_ASSERT_PTR_NULL(signed_facts.version);
    FHIR_ASSERT_OK(fhir_meta_load_signed(&signed_facts, meta, "k\xff", "nonsense", "x", "nonsense", &call));
    CU_ASSERT_EQUAL(signed_facts.key_active, 0);
    FHIR_ASSERT_OK(fhir_meta_load_signed(&signed_facts, meta, "k", "nonsense", "x", "nonsense", &call));
    CU_ASSERT_PTR_NULL(signed_facts.membership);
    FHIR_ASSERT_OK(fhir_meta_key_revoke(meta, url_key.id, &call));
    FHIR_ASSERT_OK(fhir_meta_client_set_active(meta, client.id, 0, &call));
    FHIR_ASSERT_OK(
        fhir_meta_load_signed(&signed_facts, meta, url_key.id, client.membership.id, "x", first->version_id, &call));
    CU_ASSERT_EQUAL(signed_facts.key_active, 0);
    CU_ASSERT_EQUAL(signed_facts.membership->active, 0);
}

static void history_pages(void)
{
    apr_array_header_t *versions;
    apr_off_t total;
    apr_off_t before = 0;
    apr_off_t expected = 7;
    set_up();
    create_full("x");
    for (int i = 0; i < 5; i++) {
        commit(change_of(FHIR_CHANGE_UPDATE, project, "x"));
    }
    commit(change_of(FHIR_CHANGE_DELETE, project, "x"));
    do {
        FHIR_ASSERT_OK(fhir_meta_history(&versions, &total, meta, project, "x", 3, before, &call));
        CU_ASSERT_EQUAL(total, 7);
        for (int i = 0; i < versions->nelts; i++) {
            const fhir_binary_t *version = APR_ARRAY_IDX(versions, i, const fhir_binary_t *);
            CU_ASSERT_EQUAL(version->sequence, expected);
            CU_ASSERT_EQUAL(version->change, expected == 7   ? FHIR_CHANGE_DELETE
                                             : expected == 1 ? FHIR_CHANGE_CREATE
                                                             : FHIR_CHANGE_UPDATE);
            CU_ASSERT_EQUAL(version->content != NULL, expected == 1);
            before = version->sequence;
            expected--;
        }
    } while (versions->nelts);
    CU_ASSERT_EQUAL(expected, 0);
    FHIR_ASSERT_OK(fhir_meta_history(&versions, &total, meta, project, "x", 0, 0, &call));
    CU_ASSERT_EQUAL(versions->nelts, 0);
    CU_ASSERT_EQUAL(total, 7);
    FHIR_ASSERT_OK(fhir_meta_history(&versions, &total, meta, project, "unknown", 10, 0, &call));
    CU_ASSERT_EQUAL(total, 0);
}

static const fhir_unit_test_t tests[] = {{"membership only", membership_only},
                                         {"current and versions", current_and_versions},
                                         {"unknown ids", unknown_ids},
                                         {"tenants are isolated", tenants_are_isolated},
                                         {"signed URL", signed_url},
                                         {"history pages", history_pages},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("binary", tests)
