/* What the tests of core/meta share. They need FHIR_TEST_CONNINFO and FHIR_TEST_CLUSTER (the directory that
 * dev/postgres.sh was given); tests/meta/run.sh sets both. */
#ifndef FHIR_TESTS_META_TEST_H
#define FHIR_TESTS_META_TEST_H

#define FHIR_UNIT_KIND "meta"

#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/meta/resources.h"

/* After all others: its `pool` would be shadowed by theirs. */
#include "tests/unit/unit.h"

#include <apr_thread_proc.h>
#include <unistd.h>

static fhir_call_t call;
static fhir_meta_t *meta;

static inline fhir_call_t call_for(apr_pool_t *results)
{
    fhir_call_t made = {.pool = results, .deadline = apr_time_now() + apr_time_from_sec(30)};
    return made;
}

static inline fhir_meta_config_t config_for(int pool_size)
{
    fhir_meta_config_t config = {.conninfo = getenv("FHIR_TEST_CONNINFO"),
                                 .pool_size = pool_size,
                                 .connect_timeout = apr_time_from_sec(3),
                                 .acquire_timeout = apr_time_from_sec(3),
                                 .statement_timeout = apr_time_from_sec(5)};
    return config;
}

/* A repository with the newest schema for this test. */
static inline void open_meta(int pool_size)
{
    fhir_meta_config_t config = config_for(pool_size);
    int from;
    int to;
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
}

/* SQL from outside, as the database's owner. Gives the first line of the answer. */
static inline const char *sql(const char *text)
{
    char line[256] = "";
    FILE *psql = popen(
        apr_psprintf(pool, "psql -X -q -A -t -v ON_ERROR_STOP=1 -d '%s' -c \"%s\"", getenv("FHIR_TEST_CONNINFO"), text),
        "r");
    if (psql) {
        if (!fgets(line, sizeof(line), psql)) {
            line[0] = '\0';
        }
        CU_ASSERT_EQUAL(pclose(psql), 0);
        line[strcspn(line, "\n")] = '\0';
    }
    return apr_pstrdup(pool, line);
}

static inline const char *uuid(void)
{
    const char *made = NULL;
    FHIR_ASSERT_OK(fhir_random_uuid(&made, pool));
    return made;
}

static inline const char *make_project(void)
{
    const char *id = uuid();
    FHIR_ASSERT_OK(fhir_meta_project_create(meta, id, apr_pstrcat(pool, "project ", id, NULL), &call));
    return id;
}

/* A version of a ProjectMembership; body NULL: its deletion. */
static inline fhir_error_t *write_membership(const char *project_id, const char *id, const char *body)
{
    fhir_store_resource_t stored = {.meta = "", .body = body, .body_length = body ? strlen(body) : 0};
    fhir_resource_change_t change = {.kind = body ? FHIR_CHANGE_UPDATE : FHIR_CHANGE_DELETE, .may_create = 1};
    const fhir_resource_t *made;
    change.project_id = project_id;
    change.type = "ProjectMembership";
    change.id = id;
    change.membership_id = uuid();
    change.version_id = uuid();
    change.stored = body ? &stored : NULL;
    change.index_values = apr_array_make(pool, 1, sizeof(fhir_index_value_t));
    return fhir_meta_resource_commit(&made, meta, &change, &call);
}

static inline const char *user_of(const fhir_client_t *client)
{
    return apr_psprintf(pool, "\"user\":{\"reference\":\"ClientApplication/%s\"}", client->id);
}

/* `more` begins with a comma, or is "". */
static inline void set_membership(const fhir_client_t *client, const char *more)
{
    FHIR_ASSERT_OK(write_membership(
        client->project_id, client->membership.id,
        apr_pstrcat(pool, user_of(client), ",\"profile\":{\"reference\":\"Practitioner/1\"}", more, NULL)));
}

/* A client and its membership, which is no administrator's and names no policy. */
static inline fhir_client_t make_client(const char *project_id)
{
    fhir_client_t client = {.id = uuid(), .project_id = project_id, .name = "a client", .secret_hash = "$2b$hash"};
    client.membership.id = uuid();
    FHIR_ASSERT_OK(fhir_meta_client_create(meta, &client, &call));
    set_membership(&client, "");
    return client;
}

static inline fhir_principal_key_t key_of(const fhir_client_t *client)
{
    fhir_principal_key_t key = {FHIR_PRINCIPAL_CLIENT, "", client->id};
    return key;
}

/* A registered object with made-up bytes. */
static inline const fhir_content_t *make_content(const char *project_id, const fhir_call_t *with)
{
    fhir_content_t *content = apr_pcalloc(with->pool, sizeof(*content));
    const char *key = NULL;
    FHIR_ASSERT_OK(fhir_random_hex(&key, 16, with->pool));
    content->object_key = key;
    content->store = "main";
    content->locator = apr_pstrcat(with->pool, "objects/", key, NULL);
    content->size = 4711;
    memset(content->sha256, 0xa5, sizeof(content->sha256));
    memset(content->sha1, 0x5a, sizeof(content->sha1));
    FHIR_ASSERT_OK(
        fhir_meta_object_register(meta, project_id, content->object_key, content->store, content->locator, with));
    return content;
}

static inline fhir_version_change_t change_of(fhir_change_kind_t kind, const char *project_id, const char *binary_id)
{
    fhir_version_change_t change = {.kind = kind, .project_id = project_id, .binary_id = binary_id};
    change.membership_id = uuid();
    change.version_id = uuid();
    change.content_type = kind == FHIR_CHANGE_DELETE ? NULL : "application/pdf";
    return change;
}

#endif
