/* How long the hot statements take: microseconds per call on one connection. Not a test; see mk/meta.mk. */
#include "core/base/digest.h"
#include "core/meta/resources.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCHES 20
#define ROUNDS 1000
#define WRITES 25

static void must(fhir_error_t *error)
{
    if (error) {
        fprintf(stderr, "%s (%s)\n", error->public_text, error->detail ? error->detail : "");
        exit(1);
    }
}

typedef struct setting_t {
    fhir_meta_t *meta;
    const char *project_id;
    const char *clients[2]; /* an administrator, and a member with one policy */
    const char *memberships[2];
    const char *version_id;
    const char *key_id;
} setting_t;

enum { ADMINISTRATOR, MEMBER };

static void load(const setting_t *setting, int who, const char *id, const char *version_id, int with_content,
                 const fhir_call_t *call)
{
    fhir_binary_facts_t facts;
    fhir_principal_key_t key = {FHIR_PRINCIPAL_CLIENT, "", setting->clients[who]};
    must(fhir_meta_load_binary(&facts, setting->meta, &key, id, version_id, with_content, call));
    if (!facts.membership || (id && (!facts.version || (facts.context != NULL) != (who == MEMBER)))) {
        fprintf(stderr, "the facts are not those expected\n");
        exit(1);
    }
}

static void load_membership(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, ADMINISTRATOR, NULL, NULL, 0, call);
}

static void load_membership_member(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, MEMBER, NULL, NULL, 0, call);
}

static void load_current(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, ADMINISTRATOR, "x", NULL, 0, call);
}

static void load_current_member(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, MEMBER, "x", NULL, 0, call);
}

static void load_current_content(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, MEMBER, "x", NULL, 1, call);
}

static void load_version(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, ADMINISTRATOR, "x", setting->version_id, 0, call);
}

static void load_version_member(const setting_t *setting, const fhir_call_t *call)
{
    load(setting, MEMBER, "x", setting->version_id, 0, call);
}

static void load_signed(const setting_t *setting, const fhir_call_t *call)
{
    fhir_signed_facts_t facts;
    must(fhir_meta_load_signed(&facts, setting->meta, setting->key_id, setting->memberships[ADMINISTRATOR], "x",
                               setting->version_id, call));
}

static const fhir_content_t *register_object(const setting_t *setting, const fhir_call_t *call)
{
    fhir_content_t *content = apr_pcalloc(call->pool, sizeof(*content));
    must(fhir_random_hex(&content->object_key, 16, call->pool));
    content->store = "main";
    content->locator = content->object_key;
    must(fhir_meta_object_register(setting->meta, setting->project_id, content->object_key, "main", content->locator,
                                   call));
    return content;
}

static void upload(const setting_t *setting, const fhir_call_t *call)
{
    const fhir_binary_t *binary;
    fhir_version_change_t change = {.kind = FHIR_CHANGE_CREATE, .content_type = "application/pdf"};
    change.content = register_object(setting, call);
    change.project_id = setting->project_id;
    change.membership_id = setting->memberships[ADMINISTRATOR];
    must(fhir_random_uuid(&change.version_id, call->pool));
    change.binary_id = change.version_id;
    must(fhir_meta_commit(&binary, setting->meta, &change, call));
}

/* The best of several batches: what the statement takes when nothing else runs on the machine. */
static void measure(const char *name, void (*one)(const setting_t *, const fhir_call_t *), int rounds,
                    const setting_t *setting, apr_pool_t *parent)
{
    apr_interval_time_t best = APR_INT64_MAX;
    apr_pool_t *pool;
    apr_pool_create(&pool, parent);
    for (int batch = 0; batch < BATCHES; batch++) {
        apr_time_t start = apr_time_now();
        for (int i = 0; i < rounds; i++) {
            fhir_call_t call = {.pool = pool, .deadline = apr_time_now() + apr_time_from_sec(10)};
            one(setting, &call);
            apr_pool_clear(pool);
        }
        best = apr_time_now() - start < best ? apr_time_now() - start : best;
    }
    printf("%-28s %7.1f us\n", name, (double)best / rounds);
    apr_pool_destroy(pool);
}

static void write_resource(const setting_t *setting, const char *type, const char *id, const char *body,
                           const fhir_call_t *call)
{
    fhir_store_resource_t stored = {.meta = "", .body = body};
    fhir_resource_change_t change = {.kind = FHIR_CHANGE_CREATE, .type = type, .id = id, .stored = &stored};
    fhir_index_value_t own = {.name = "_compartment", .type = FHIR_SEARCH_REFERENCE, .system = type, .code = id};
    apr_array_header_t *values = apr_array_make(call->pool, 1, sizeof(fhir_index_value_t));
    const fhir_resource_t *made;
    if (strcmp(type, "Patient") == 0) {
        APR_ARRAY_PUSH(values, fhir_index_value_t) = own;
    }
    change.index_values = values;
    change.project_id = setting->project_id;
    change.membership_id = setting->project_id;
    must(fhir_random_uuid(&change.version_id, call->pool));
    must(fhir_meta_resource_commit(&made, setting->meta, &change, call));
}

static void make_member(setting_t *setting, int who, const char *more, const fhir_call_t *call)
{
    fhir_client_t client = {.project_id = setting->project_id, .name = "c", .secret_hash = "x"};
    must(fhir_random_uuid(&client.id, call->pool));
    must(fhir_random_uuid(&setting->memberships[who], call->pool));
    must(fhir_meta_client_create(setting->meta, &client, call));
    setting->clients[who] = client.id;
    write_resource(setting, "ProjectMembership", setting->memberships[who],
                   apr_psprintf(call->pool, "\"user\":{\"reference\":\"ClientApplication/%s\"},%s", client.id, more),
                   call);
}

static void make_setting(setting_t *setting, const fhir_call_t *call)
{
    fhir_key_t key = {.purpose = FHIR_KEY_URL, .algorithm = "HS256", .material = "00"};
    fhir_version_change_t change = {.kind = FHIR_CHANGE_CREATE, .binary_id = "x", .content_type = "application/pdf"};
    const fhir_binary_t *binary;
    must(fhir_random_uuid(&setting->project_id, call->pool));
    must(fhir_random_uuid(&key.id, call->pool));
    must(fhir_meta_project_create(setting->meta, setting->project_id, setting->project_id, call));
    write_resource(setting, "AccessPolicy", "own-files", "\"name\":\"own files\"", call);
    write_resource(setting, "Patient", "1", "\"active\":true", call);
    make_member(setting, ADMINISTRATOR, "\"admin\":true", call);
    make_member(setting, MEMBER,
                "\"profile\":{\"reference\":\"Patient/1\"},\"access\":[{\"policy\":{\"reference\":"
                "\"AccessPolicy/own-files\"},\"parameter\":[{\"name\":\"patient\",\"valueReference\":{\"reference\":"
                "\"Patient/1\"}}]}]",
                call);
    must(fhir_meta_key_add(setting->meta, &key, call));
    must(fhir_random_uuid(&change.version_id, call->pool));
    change.project_id = setting->project_id;
    change.membership_id = setting->memberships[ADMINISTRATOR];
    change.security_context = "Patient/1";
    change.content = register_object(setting, call);
    must(fhir_meta_commit(&binary, setting->meta, &change, call));
    setting->version_id = change.version_id;
    setting->key_id = key.id;
}

int main(void)
{
    fhir_meta_config_t config = {.pool_size = 1};
    setting_t setting = {.meta = NULL};
    fhir_call_t call = {.pool = NULL};
    apr_pool_t *pool;
    int from;
    int to;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    call.pool = pool;
    config.conninfo = getenv("FHIR_TEST_CONNINFO");
    config.connect_timeout = config.acquire_timeout = config.statement_timeout = apr_time_from_sec(5);
    must(fhir_meta_open(&setting.meta, &config, pool));
    must(fhir_schema_upgrade(&from, &to, setting.meta, &call));
    make_setting(&setting, &call);
    measure("load membership", load_membership, ROUNDS, &setting, pool);
    measure("  of a member", load_membership_member, ROUNDS, &setting, pool);
    measure("load binary, current", load_current, ROUNDS, &setting, pool);
    measure("  of a member", load_current_member, ROUNDS, &setting, pool);
    measure("  with the context's text", load_current_content, ROUNDS, &setting, pool);
    measure("load binary, by version", load_version, ROUNDS, &setting, pool);
    measure("  of a member", load_version_member, ROUNDS, &setting, pool);
    measure("load signed", load_signed, ROUNDS, &setting, pool);
    measure("register and commit", upload, WRITES, &setting, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
