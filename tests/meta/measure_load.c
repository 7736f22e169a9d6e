/* How long the hot statements take: microseconds per call on one connection. Not a test; see mk/meta.mk. */
#include "core/base/digest.h"
#include "core/meta/meta.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>

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
    fhir_client_t client;
    const char *version_id;
    const char *key_id;
} setting_t;

static void load_membership(const setting_t *setting, const fhir_call_t *call)
{
    fhir_binary_facts_t facts;
    fhir_principal_key_t key = {FHIR_PRINCIPAL_CLIENT, "", setting->client.id};
    must(fhir_meta_load_binary(&facts, setting->meta, &key, NULL, NULL, 0, call));
}

static void load_current(const setting_t *setting, const fhir_call_t *call)
{
    fhir_binary_facts_t facts;
    fhir_principal_key_t key = {FHIR_PRINCIPAL_CLIENT, "", setting->client.id};
    must(fhir_meta_load_binary(&facts, setting->meta, &key, "x", NULL, 0, call));
}

static void load_version(const setting_t *setting, const fhir_call_t *call)
{
    fhir_binary_facts_t facts;
    fhir_principal_key_t key = {FHIR_PRINCIPAL_CLIENT, "", setting->client.id};
    must(fhir_meta_load_binary(&facts, setting->meta, &key, "x", setting->version_id, 0, call));
}

static void load_signed(const setting_t *setting, const fhir_call_t *call)
{
    fhir_signed_facts_t facts;
    must(fhir_meta_load_signed(&facts, setting->meta, setting->key_id, setting->client.membership.id, "x",
                               setting->version_id, call));
}

static const fhir_content_t *register_object(const setting_t *setting, const fhir_call_t *call)
{
    fhir_content_t *content = apr_pcalloc(call->pool, sizeof(*content));
    must(fhir_random_hex(&content->object_key, 16, call->pool));
    content->store = "main";
    content->locator = content->object_key;
    must(fhir_meta_object_register(setting->meta, setting->client.project_id, content->object_key, "main",
                                   content->locator, call));
    return content;
}

static void upload(const setting_t *setting, const fhir_call_t *call)
{
    const fhir_binary_t *binary;
    fhir_version_change_t change = {.kind = FHIR_CHANGE_CREATE, .content_type = "application/pdf"};
    change.content = register_object(setting, call);
    change.project_id = setting->client.project_id;
    change.membership_id = setting->client.membership.id;
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

int main(void)
{
    fhir_meta_config_t config = {.pool_size = 1};
    setting_t setting = {.client = {.name = "c", .secret_hash = "x"}};
    fhir_key_t key = {.purpose = FHIR_KEY_URL, .algorithm = "HS256", .material = "00"};
    fhir_version_change_t change = {.kind = FHIR_CHANGE_CREATE, .binary_id = "x", .content_type = "application/pdf"};
    const fhir_binary_t *binary;
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
    must(fhir_random_uuid(&setting.client.id, pool));
    must(fhir_random_uuid(&setting.client.project_id, pool));
    must(fhir_random_uuid(&setting.client.membership.id, pool));
    must(fhir_random_uuid(&key.id, pool));
    must(fhir_meta_project_create(setting.meta, setting.client.project_id, setting.client.project_id, &call));
    must(fhir_meta_client_create(setting.meta, &setting.client, &call));
    must(fhir_meta_key_add(setting.meta, &key, &call));
    must(fhir_random_uuid(&change.version_id, pool));
    change.project_id = setting.client.project_id;
    change.membership_id = setting.client.membership.id;
    change.content = register_object(&setting, &call);
    must(fhir_meta_commit(&binary, setting.meta, &change, &call));
    setting.version_id = change.version_id;
    setting.key_id = key.id;
    measure("load membership", load_membership, ROUNDS, &setting, pool);
    measure("load binary, current", load_current, ROUNDS, &setting, pool);
    measure("load binary, by version", load_version, ROUNDS, &setting, pool);
    measure("load signed", load_signed, ROUNDS, &setting, pool);
    measure("register and commit", upload, WRITES, &setting, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
