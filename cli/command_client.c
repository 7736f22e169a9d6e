/* client create, list, disable, enable, secret */
#include "ctl.h"

#include "../core/auth/auth.h"
#include "../core/base/digest.h"
#include "../core/base/text.h"

#include <apr_lib.h>
#include <stdio.h>

#define SECRET_BYTES 32

static fhir_error_t *new_secret(const char **secret, const char **hash, const char *given, apr_pool_t *pool)
{
    *secret = given;
    if (!given) {
        FHIR_TRY(fhir_random_hex(secret, SECRET_BYTES, pool));
    }
    return fhir_secret_hash(hash, *secret, pool);
}

static fhir_error_t *client_id(const char **id, fhir_ctl_t *ctl)
{
    const char *given = fhir_ctl_option(ctl, "id");
    char *lower;
    if (!given) {
        return fhir_random_uuid(id, ctl->pool);
    }
    if (!fhir_is_uuid(given)) {
        return fhir_ctl_misuse(ctl, "The value of --id must be a UUID.");
    }
    lower = apr_pstrdup(ctl->pool, given);
    for (char *next = lower; *next; next++) {
        *next = (char)apr_tolower(*next);
    }
    *id = lower;
    return NULL;
}

/* Without a membership the client may do nothing, and nobody knows its secret: it is disabled, so that lists say so. */
static fhir_error_t *take_back(fhir_ctl_t *ctl, const fhir_client_t *client, fhir_error_t *reason)
{
    fhir_error_t *error = fhir_meta_client_set_active(ctl->meta, client->id, 0, &ctl->call);
    reason->public_text = apr_psprintf(ctl->pool, "%s The client %s was %s.", reason->public_text, client->id,
                                       error ? "made, but can't be used" : "disabled");
    return reason;
}

static fhir_error_t *make_client(fhir_ctl_t *ctl, const fhir_client_t *client)
{
    const fhir_principal_key_t principal = {FHIR_PRINCIPAL_CLIENT, "", client->id};
    fhir_error_t *error;
    FHIR_TRY(fhir_meta_client_create(ctl->meta, client, &ctl->call));
    error = fhir_ctl_make_membership(ctl, client->project_id, client->membership.id, &principal);
    return error ? take_back(ctl, client, error) : NULL;
}

fhir_error_t *fhir_ctl_client_create(fhir_ctl_t *ctl)
{
    fhir_client_t client = {.name = fhir_ctl_option(ctl, "name")};
    const char *given = fhir_ctl_option(ctl, "secret");
    const char *secret;
    const char *access;
    if (!*client.name || (given && !*given)) {
        return fhir_ctl_misuse(ctl, "Name and secret must not be empty.");
    }
    FHIR_TRY(client_id(&client.id, ctl));
    FHIR_TRY(fhir_ctl_profile(&client.membership.profile, ctl));
    FHIR_TRY(fhir_ctl_access_options(&access, ctl));
    FHIR_TRY(fhir_ctl_app(ctl));
    FHIR_TRY(fhir_ctl_project(&client.project_id, ctl));
    FHIR_TRY(fhir_random_uuid(&client.membership.id, ctl->pool));
    FHIR_TRY(new_secret(&secret, &client.secret_hash, given, ctl->pool));
    client.membership.admin = fhir_ctl_option(ctl, "admin") != NULL;
    FHIR_TRY(make_client(ctl, &client));
    printf("client: %s\nsecret: %s\nmembership: %s\n", client.id, secret, client.membership.id);
    return NULL;
}

fhir_error_t *fhir_ctl_client_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id",      "name",   "project", "membership",
                                        "profile", "admin?", "active?", "created"};
    fhir_ctl_table_t table;
    apr_array_header_t *clients;
    const char *project;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&project, ctl));
    FHIR_TRY(fhir_meta_client_list(&clients, ctl->meta, project, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 8);
    for (int i = 0; i < clients->nelts; i++) {
        const fhir_client_t *client = &APR_ARRAY_IDX(clients, i, fhir_client_t);
        fhir_ctl_table_add(&table, client->id);
        fhir_ctl_table_add(&table, client->name);
        fhir_ctl_table_add(&table, client->project_id);
        fhir_ctl_table_add(&table, client->membership.id);
        fhir_ctl_table_add(&table, client->membership.profile);
        fhir_ctl_table_add_flag(&table, client->membership.admin);
        fhir_ctl_table_add_flag(&table, client->active);
        fhir_ctl_table_add_time(&table, client->created);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

static fhir_error_t *set_active(fhir_ctl_t *ctl, int active)
{
    FHIR_TRY(fhir_ctl_meta(ctl));
    return fhir_meta_client_set_active(ctl->meta, fhir_ctl_argument(ctl, 0), active, &ctl->call);
}

fhir_error_t *fhir_ctl_client_disable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 0);
}

fhir_error_t *fhir_ctl_client_enable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 1);
}

fhir_error_t *fhir_ctl_client_secret(fhir_ctl_t *ctl)
{
    const char *secret;
    const char *hash;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(new_secret(&secret, &hash, NULL, ctl->pool));
    FHIR_TRY(fhir_meta_client_set_secret(ctl->meta, fhir_ctl_argument(ctl, 0), hash, &ctl->call));
    printf("client: %s\nsecret: %s\n", fhir_ctl_argument(ctl, 0), secret);
    return NULL;
}
