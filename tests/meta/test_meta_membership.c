/* Memberships follow from ProjectMembership resources: every kind, what is refused, default policies, writers at once.
 */
#include "meta_test.h"

static const char *project;

static void set_up(void)
{
    open_meta(4);
    project = make_project();
}

static const fhir_membership_t *load(const fhir_principal_key_t *key)
{
    const fhir_membership_t *membership;
    FHIR_ASSERT_OK(fhir_meta_load_membership(&membership, meta, key, &call));
    return membership;
}

static const char *identifier(const char *system, const char *value, const char *more)
{
    return apr_psprintf(pool, "\"user\":{\"identifier\":{%s\"value\":\"%s\"}}%s",
                        system ? apr_psprintf(pool, "\"system\":\"%s\",", system) : "", value, more);
}

/* ---- kinds ---- */

static void of_clients(void)
{
    fhir_client_t client;
    fhir_principal_key_t key;
    const fhir_membership_t *membership;
    set_up();
    client = make_client(project);
    key = key_of(&client);
    membership = load(&key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(membership);
    CU_ASSERT_STRING_EQUAL(membership->id, client.membership.id);
    CU_ASSERT_STRING_EQUAL(membership->project_id, project);
    CU_ASSERT_STRING_EQUAL(membership->profile, "Practitioner/1");
    CU_ASSERT_EQUAL(membership->admin, 0);
    CU_ASSERT_EQUAL(membership->active, 1);
    CU_ASSERT_PTR_NULL(membership->access);
    CU_ASSERT_STRING_EQUAL(membership->policies, "");
    set_membership(&client, ",\"admin\":true,\"active\":false");
    membership = load(&key);
    CU_ASSERT_EQUAL(membership->admin, 1);
    CU_ASSERT_EQUAL(membership->active, 0);
    FHIR_ASSERT_OK(write_membership(project, client.membership.id, user_of(&client)));
    membership = load(&key);
    CU_ASSERT_EQUAL(membership->admin, 0);
    CU_ASSERT_EQUAL(membership->active, 1);
    CU_ASSERT_PTR_NULL(membership->profile);
    FHIR_ASSERT_OK(write_membership(project, client.membership.id, NULL));
    CU_ASSERT_PTR_NULL(load(&key));
    FHIR_ASSERT_OK(write_membership(project, client.membership.id, NULL));
    set_membership(&client, "");
    CU_ASSERT_PTR_NOT_NULL(load(&key));
}

static void of_users(void)
{
    fhir_principal_key_t user = {FHIR_PRINCIPAL_ISSUER, "https://issuer", uuid()};
    fhir_principal_key_t account = {FHIR_PRINCIPAL_HTTPD, "", user.subject};
    const char *id = uuid();
    set_up();
    FHIR_ASSERT_OK(write_membership(project, id, identifier("https://issuer", user.subject, ",\"admin\":true")));
    CU_ASSERT_PTR_NOT_NULL_FATAL(load(&user));
    CU_ASSERT_STRING_EQUAL(load(&user)->id, id);
    CU_ASSERT_EQUAL(load(&user)->admin, 1);
    CU_ASSERT_PTR_NULL(load(&account));
    id = uuid();
    FHIR_ASSERT_OK(write_membership(project, id, identifier(NULL, account.subject, "")));
    CU_ASSERT_PTR_NOT_NULL_FATAL(load(&account));
    CU_ASSERT_STRING_EQUAL(load(&account)->id, id);
    CU_ASSERT_EQUAL(load(&account)->admin, 0);
}

/* Of each project, and by nothing that can be written. */
static void of_operators(void)
{
    fhir_principal_key_t operator_key = {FHIR_PRINCIPAL_OPERATOR, "", NULL};
    const fhir_membership_t *membership;
    apr_array_header_t *list;
    fhir_member_t member;
    set_up();
    operator_key.subject = project;
    membership = load(&operator_key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(membership);
    CU_ASSERT_EQUAL(membership->admin, 1);
    CU_ASSERT_STRING_EQUAL(membership->project_id, project);
    FHIR_ASSERT_OK(fhir_meta_membership_list(&list, meta, project, &call));
    CU_ASSERT_EQUAL(list->nelts, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_membership_find(&member, meta, membership->id, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, write_membership(project, membership->id, identifier(NULL, uuid(), "")));
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.resource WHERE project_id = '%s'", project)), "0");
    CU_ASSERT_EQUAL(load(&operator_key)->active, 1);
    FHIR_ASSERT_OK(fhir_meta_project_set_active(meta, project, 0, &call));
    CU_ASSERT_EQUAL(load(&operator_key)->active, 0);
}

/* ---- what is refused, with nothing written ---- */

typedef struct refused_t {
    const char *body;
    const char *expression;
} refused_t;

static void expect_refused(const char *id, const char *body, const char *expression)
{
    fhir_error_t *error = write_membership(project, id, body);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNPROCESSABLE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error->expression);
    CU_ASSERT_STRING_EQUAL(error->expression, expression);
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "SQLSTATE"));
}

#define USER "\"user\":{\"identifier\":{\"value\":\"refused\"}}"
#define POLICY "\"policy\":{\"reference\":\"AccessPolicy/a\"}"

static void refused(void)
{
    static const refused_t cases[] = {
        {"\"admin\":true", "ProjectMembership.user"},
        {"\"user\":{\"identifier\":{\"system\":\"https://issuer\"}}", "ProjectMembership.user"},
        {"\"user\":{\"identifier\":{\"value\":\"\"}}", "ProjectMembership.user"},
        {"\"user\":{\"reference\":\"Patient/1\"}", "ProjectMembership.user.reference"},
        {"\"user\":{\"reference\":\"ClientApplication/none\"}", "ProjectMembership.user.reference"},
        {USER ",\"accessPolicy\":{\"reference\":\"Patient/1\"}", "ProjectMembership.accessPolicy"},
        {USER ",\"accessPolicy\":{\"reference\":\"AccessPolicy/a/_history/1\"}", "ProjectMembership.accessPolicy"},
        {USER ",\"accessPolicy\":\"AccessPolicy/a\"", "ProjectMembership.accessPolicy"},
        {USER ",\"access\":{}", "ProjectMembership.access"},
        {USER ",\"access\":[{}]", "ProjectMembership.access.policy"},
        {USER ",\"access\":[{" POLICY ",\"parameter\":[{\"name\":\"x\"}]}]", "ProjectMembership.access.parameter"},
        {USER ",\"access\":[{" POLICY ",\"parameter\":[{\"valueString\":\"x\"}]}]",
         "ProjectMembership.access.parameter"},
        {USER ",\"access\":[{" POLICY ",\"parameter\":7}]", "ProjectMembership.access.parameter"}};
    apr_array_header_t *list;
    fhir_client_t foreign;
    char *large = apr_palloc(pool, 17001);
    set_up();
    for (int i = 0; i < (int)(sizeof(cases) / sizeof(cases[0])); i++) {
        expect_refused(uuid(), cases[i].body, cases[i].expression);
    }
    foreign = make_client(make_project());
    expect_refused(uuid(), user_of(&foreign), "ProjectMembership.user.reference");
    expect_refused("not-a-uuid", USER, "ProjectMembership.id");
    expect_refused("0A0A0A0A-0B0B-4C0C-8D0D-0E0E0E0E0E0E", USER, "ProjectMembership.id");
    memset(large, 'x', 17000);
    large[17000] = '\0';
    expect_refused(uuid(),
                   apr_psprintf(pool,
                                "%s,\"access\":[{%s,\"parameter\":[{\"name\":\"x\","
                                "\"valueString\":\"%s\"}]}]",
                                USER, POLICY, large),
                   "ProjectMembership.access");
    large[1001] = '\0';
    expect_refused(uuid(), identifier(NULL, large, ""), "ProjectMembership.user.identifier");
    FHIR_ASSERT_OK(fhir_meta_membership_list(&list, meta, project, &call));
    CU_ASSERT_EQUAL(list->nelts, 0);
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.resource WHERE project_id = '%s'", project)), "0");
}

/* One user, one membership; the user of a membership is the same for ever; an id is of one project. */
static void taken(void)
{
    const char *id = uuid();
    const char *other;
    const char *user = identifier("https://issuer", uuid(), "");
    const char *another = identifier("https://issuer", uuid(), "");
    set_up();
    other = make_project();
    FHIR_ASSERT_OK(write_membership(project, id, user));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, write_membership(project, uuid(), user));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, write_membership(other, uuid(), user));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, write_membership(other, id, another));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, write_membership(other, id, user));
    expect_refused(id, another, "ProjectMembership.user");
    FHIR_ASSERT_OK(write_membership(project, id, NULL));
    expect_refused(id, another, "ProjectMembership.user");
    FHIR_ASSERT_OK(write_membership(other, uuid(), user));
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, write_membership(project, id, user));
}

/* ---- in a transaction ---- */

static fhir_error_t *write_in(fhir_transaction_t *transaction, const char *id, const char *body)
{
    fhir_store_resource_t stored = {.meta = "", .body = body, .body_length = body ? strlen(body) : 0};
    fhir_resource_change_t change = {.kind = body ? FHIR_CHANGE_UPDATE : FHIR_CHANGE_DELETE, .may_create = 1};
    const fhir_resource_t *made;
    change.project_id = project;
    change.type = "ProjectMembership";
    change.id = id;
    change.membership_id = uuid();
    change.version_id = uuid();
    change.stored = body ? &stored : NULL;
    change.index_values = apr_array_make(pool, 1, sizeof(fhir_index_value_t));
    return fhir_transaction_write(&made, transaction, &change);
}

static void in_transactions(void)
{
    fhir_transaction_t *transaction;
    fhir_principal_key_t key = {FHIR_PRINCIPAL_HTTPD, "", uuid()};
    const char *user = identifier(NULL, key.subject, "");
    const char *first = uuid();
    const char *second = uuid();
    fhir_error_t *error;
    set_up();
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(transaction, first, user));
    FHIR_ASSERT_OK(write_in(transaction, first, identifier(NULL, key.subject, ",\"admin\":true")));
    CU_ASSERT_PTR_NULL(load(&key));
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    CU_ASSERT_EQUAL(load(&key)->admin, 1);
    /* refused by the write itself, not by the commit */
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    error = write_in(transaction, second, user);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_CONFLICT);
    CU_ASSERT_STRING_EQUAL(error->expression, "ProjectMembership.user");
    fhir_transaction_rollback(transaction);
    /* one goes, another comes */
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(transaction, first, NULL));
    FHIR_ASSERT_OK(write_in(transaction, second, user));
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    CU_ASSERT_STRING_EQUAL(load(&key)->id, second);
    CU_ASSERT_EQUAL(load(&key)->admin, 0);
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(write_in(transaction, second, NULL));
    fhir_transaction_rollback(transaction);
    CU_ASSERT_PTR_NOT_NULL(load(&key));
}

/* ---- policies ---- */

static const char *write_policy(const char *id, const char *body)
{
    fhir_store_resource_t stored = {.meta = "", .body = body};
    fhir_resource_change_t change = {.kind = body ? FHIR_CHANGE_UPDATE : FHIR_CHANGE_DELETE, .may_create = 1};
    const fhir_resource_t *made;
    change.project_id = project;
    change.type = "AccessPolicy";
    change.id = id;
    change.membership_id = uuid();
    change.version_id = uuid();
    change.stored = body ? &stored : NULL;
    change.index_values = apr_array_make(pool, 1, sizeof(fhir_index_value_t));
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
    return made->version_id;
}

static void what_they_give(void)
{
    fhir_client_t client;
    fhir_principal_key_t key;
    const char *a;
    const char *b;
    set_up();
    client = make_client(project);
    key = key_of(&client);
    set_membership(&client, ",\"accessPolicy\":{\"reference\":\"AccessPolicy/a\"}");
    CU_ASSERT_STRING_EQUAL(load(&key)->access, "[{\"policy\": \"a\"}]");
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, "");
    a = write_policy("a", "\"name\":\"a\"");
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, apr_pstrcat(pool, "a ", a, NULL));
    a = write_policy("a", "\"name\":\"a\"");
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, apr_pstrcat(pool, "a ", a, NULL));
    b = write_policy("b", "\"name\":\"b\"");
    set_membership(&client,
                   ",\"accessPolicy\":{\"reference\":\"AccessPolicy/b\"},\"access\":[{\"policy\":{\"reference\":"
                   "\"AccessPolicy/a\"},\"parameter\":[{\"name\":\"patient\",\"valueReference\":{\"reference\":"
                   "\"Patient/1\"}},{\"name\":\"n\",\"valueString\":\"\\u00e9\\\"\"}]},{\"policy\":{\"reference\":"
                   "\"AccessPolicy/a\"}}]");
    CU_ASSERT_STRING_EQUAL(load(&key)->access,
                           "[{\"policy\": \"b\"}, {\"policy\": \"a\", \"parameter\": [{\"name\": \"patient\", "
                           "\"value\": \"Patient/1\"}, {\"name\": \"n\", \"value\": \"\xc3\xa9\\\"\"}]}, "
                           "{\"policy\": \"a\"}]");
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, apr_pstrcat(pool, "a ", a, " b ", b, NULL));
    write_policy("a", NULL);
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, apr_pstrcat(pool, "a - b ", b, NULL));
    set_membership(&client, "");
    CU_ASSERT_PTR_NULL(load(&key)->access);
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, "");
}

static void default_policy(void)
{
    fhir_client_t client;
    fhir_client_t own;
    fhir_principal_key_t key;
    fhir_principal_key_t own_key;
    fhir_project_t found;
    const char *a;
    set_up();
    client = make_client(project);
    own = make_client(project);
    set_membership(&own, ",\"accessPolicy\":{\"reference\":\"AccessPolicy/own\"}");
    key = key_of(&client);
    own_key = key_of(&own);
    a = write_policy("a", "\"name\":\"a\"");
    FHIR_ASSERT_OK(fhir_meta_project_set_default_policy(meta, project, "a", &call));
    CU_ASSERT_STRING_EQUAL(load(&key)->access, "[{\"policy\": \"a\"}]");
    CU_ASSERT_STRING_EQUAL(load(&key)->policies, apr_pstrcat(pool, "a ", a, NULL));
    CU_ASSERT_STRING_EQUAL(load(&own_key)->access, "[{\"policy\": \"own\"}]");
    FHIR_ASSERT_OK(fhir_meta_project_find(&found, meta, project, &call));
    CU_ASSERT_STRING_EQUAL(found.default_policy, "a");
    set_membership(&own, "");
    CU_ASSERT_STRING_EQUAL(load(&own_key)->access, "[{\"policy\": \"a\"}]");
    own = make_client(project);
    own_key = key_of(&own);
    CU_ASSERT_STRING_EQUAL(load(&own_key)->access, "[{\"policy\": \"a\"}]");
    FHIR_ASSERT_OK(fhir_meta_project_set_default_policy(meta, project, NULL, &call));
    CU_ASSERT_PTR_NULL(load(&key)->access);
    CU_ASSERT_PTR_NULL(load(&own_key)->access);
    FHIR_ASSERT_OK(fhir_meta_project_find(&found, meta, project, &call));
    CU_ASSERT_PTR_NULL(found.default_policy);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_meta_project_set_default_policy(meta, project, "a/b", &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_project_set_default_policy(meta, uuid(), "a", &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_project_set_default_policy(meta, "x", "a", &call));
}

static void policy_texts(void)
{
    apr_array_header_t *policies;
    const fhir_policy_text_t *policy;
    const char *first;
    const char *second;
    const char *foreign;
    set_up();
    foreign = write_policy("a", "\"name\":\"of another project\"");
    project = make_project();
    first = write_policy("a", "\"name\":\"first\"");
    second = write_policy("a", "\"name\":\"second\"");
    FHIR_ASSERT_OK(fhir_meta_load_policies(&policies, meta, project, "", &call));
    CU_ASSERT_EQUAL(policies->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_load_policies(
        &policies, meta, project,
        apr_pstrcat(pool, "z - a ", second, " a ", first, " b ", second, " c ", uuid(), " a ", foreign, NULL), &call));
    CU_ASSERT_EQUAL_FATAL(policies->nelts, 6);
    policy = &APR_ARRAY_IDX(policies, 0, fhir_policy_text_t);
    CU_ASSERT_STRING_EQUAL(policy[0].id, "z");
    CU_ASSERT_PTR_NULL(policy[0].body);
    CU_ASSERT_STRING_EQUAL(policy[1].id, "a");
    CU_ASSERT_STRING_EQUAL(policy[1].version_id, second);
    CU_ASSERT_STRING_EQUAL(policy[1].body, "\"name\":\"second\"");
    CU_ASSERT_STRING_EQUAL(policy[2].body, "\"name\":\"first\"");
    CU_ASSERT_PTR_NULL(policy[3].body);
    CU_ASSERT_PTR_NULL(policy[4].body);
    CU_ASSERT_PTR_NULL(policy[5].body);
}

/* ---- finding ---- */

static void expect_found(const char *principal, const char *id)
{
    fhir_member_t member;
    FHIR_ASSERT_OK(fhir_meta_membership_find(&member, meta, principal, &call));
    CU_ASSERT_STRING_EQUAL(member.membership.id, id);
}

static void found(void)
{
    fhir_client_t client;
    const char *user = uuid();
    const char *of_issuer = uuid();
    const char *of_httpd = uuid();
    apr_array_header_t *list;
    const fhir_member_t *member;
    fhir_member_t none;
    set_up();
    client = make_client(project);
    FHIR_ASSERT_OK(write_membership(project, of_issuer, identifier("https://issuer", user, "")));
    FHIR_ASSERT_OK(write_membership(project, of_httpd, identifier(NULL, apr_pstrcat(pool, "a b ", user, NULL), "")));
    expect_found(client.id, client.membership.id);
    expect_found(client.membership.id, client.membership.id);
    expect_found(apr_pstrcat(pool, "https://issuer ", user, NULL), of_issuer);
    expect_found(of_issuer, of_issuer);
    expect_found(apr_pstrcat(pool, "a b ", user, NULL), of_httpd);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_membership_find(&none, meta, user, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_membership_find(&none, meta, project, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_membership_find(&none, meta, "", &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_membership_find(&none, meta, "\xff", &call));
    FHIR_ASSERT_OK(fhir_meta_membership_list(&list, meta, project, &call));
    CU_ASSERT_EQUAL_FATAL(list->nelts, 3);
    member = &APR_ARRAY_IDX(list, 1, fhir_member_t);
    CU_ASSERT_STRING_EQUAL(member->membership.id, of_issuer);
    CU_ASSERT_EQUAL(member->principal.kind, FHIR_PRINCIPAL_ISSUER);
    CU_ASSERT_STRING_EQUAL(member->principal.issuer, "https://issuer");
    CU_ASSERT_STRING_EQUAL(member->principal.subject, user);
}

/* ---- at once ---- */

#define WRITERS 6

typedef struct writer_t {
    const char *body;
    fhir_error_code_t code; /* 0: it was made */
} writer_t;

/* Without `pool`, `call`, which belong to the main thread. */
static void *APR_THREAD_FUNC write_one(apr_thread_t *thread, void *data)
{
    writer_t *writer = data;
    apr_pool_t *own;
    fhir_call_t with;
    fhir_store_resource_t stored = {.meta = "", .body = writer->body};
    fhir_resource_change_t change = {.kind = FHIR_CHANGE_CREATE, .project_id = project, .stored = &stored};
    const fhir_resource_t *made;
    fhir_error_t *error;
    (void)thread;
    apr_pool_create(&own, NULL);
    with = call_for(own);
    change.type = "ProjectMembership";
    change.membership_id = project;
    change.index_values = apr_array_make(own, 1, sizeof(fhir_index_value_t));
    error = fhir_random_uuid(&change.id, own);
    error = error ? error : fhir_random_uuid(&change.version_id, own);
    error = error ? error : fhir_meta_resource_commit(&made, meta, &change, &with);
    writer->code = error ? error->code : (fhir_error_code_t)0;
    apr_pool_destroy(own);
    return NULL;
}

static void writers_of_one_user(void)
{
    fhir_principal_key_t key = {FHIR_PRINCIPAL_HTTPD, "", NULL};
    set_up();
    for (int round = 0; round < 10; round++) {
        writer_t writers[WRITERS];
        apr_thread_t *threads[WRITERS];
        apr_status_t ignored;
        int made = 0;
        int refused_ones = 0;
        key.subject = uuid();
        for (int i = 0; i < WRITERS; i++) {
            writers[i].body = identifier(NULL, key.subject, "");
            CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, write_one, &writers[i], pool), APR_SUCCESS);
        }
        for (int i = 0; i < WRITERS; i++) {
            apr_thread_join(&ignored, threads[i]);
            made += writers[i].code == 0;
            refused_ones += writers[i].code == FHIR_ERROR_CONFLICT;
        }
        CU_ASSERT_EQUAL(made, 1);
        CU_ASSERT_EQUAL(refused_ones, WRITERS - 1);
        CU_ASSERT_PTR_NOT_NULL(load(&key));
    }
}

/* A policy that changes while it is read: what is read is always one of its versions, and never an older one than the
 * reader has seen. */
static volatile int changing;

static void *APR_THREAD_FUNC change_policy(apr_thread_t *thread, void *data)
{
    apr_pool_t *own;
    (void)thread;
    (void)data;
    apr_pool_create(&own, NULL);
    for (int i = 0; i < 60; i++) {
        fhir_call_t with = call_for(own);
        fhir_store_resource_t stored = {.meta = "", .body = apr_psprintf(own, "\"name\":\"%03d\"", i)};
        fhir_resource_change_t change = {.kind = FHIR_CHANGE_UPDATE, .may_create = 1, .project_id = project};
        const fhir_resource_t *made;
        fhir_error_t *error;
        change.type = "AccessPolicy";
        change.id = "p";
        change.membership_id = project;
        change.stored = &stored;
        change.index_values = apr_array_make(own, 1, sizeof(fhir_index_value_t));
        error = fhir_random_uuid(&change.version_id, own);
        error = error ? error : fhir_meta_resource_commit(&made, meta, &change, &with);
        if (error) {
            printf("%s\n", error->public_text);
        }
        apr_pool_clear(own);
    }
    changing = 0;
    apr_pool_destroy(own);
    return NULL;
}

static void readers_of_one_policy(void)
{
    fhir_client_t client;
    fhir_principal_key_t key;
    apr_thread_t *thread;
    apr_status_t ignored;
    const char *last = "";
    int seen = 0;
    set_up();
    client = make_client(project);
    key = key_of(&client);
    set_membership(&client, ",\"accessPolicy\":{\"reference\":\"AccessPolicy/p\"}");
    changing = 1;
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, change_policy, NULL, pool), APR_SUCCESS);
    for (int running = 1; running;) {
        apr_array_header_t *policies;
        const fhir_policy_text_t *policy;
        running = changing;
        FHIR_ASSERT_OK(fhir_meta_load_policies(&policies, meta, project, load(&key)->policies, &call));
        if (policies->nelts) {
            policy = &APR_ARRAY_IDX(policies, 0, fhir_policy_text_t);
            CU_ASSERT_PTR_NOT_NULL_FATAL(policy->body);
            CU_ASSERT_TRUE(strcmp(policy->body, last) >= 0);
            seen += strcmp(policy->body, last) != 0;
            last = policy->body;
        }
    }
    apr_thread_join(&ignored, thread);
    CU_ASSERT_STRING_EQUAL(last, "\"name\":\"059\"");
    CU_ASSERT_TRUE(seen > 1);
}

static const fhir_unit_test_t tests[] = {{"of clients", of_clients},
                                         {"of users", of_users},
                                         {"of operators", of_operators},
                                         {"refused", refused},
                                         {"taken", taken},
                                         {"in transactions", in_transactions},
                                         {"what they give", what_they_give},
                                         {"default policy", default_policy},
                                         {"texts of policies", policy_texts},
                                         {"found", found},
                                         {"writers of one user", writers_of_one_user},
                                         {"readers of one policy", readers_of_one_policy},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("membership", tests)
