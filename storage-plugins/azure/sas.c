/* Shared access signatures for one blob, by the account's key or by a user delegation key. Pure.
 * Source: Azure Storage REST API, "Create a service SAS" and "Create a user delegation SAS", versions 2020-12-06 to
 * 2025-05-05 (the field order is the same for all of them). */
#include "azure.h"

#include <string.h>

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *join_lines(const char *const *lines, size_t count, apr_pool_t *pool)
{
    const char *text = or_empty(lines[0]);
    size_t i;
    for (i = 1; i < count; i++) {
        text = apr_pstrcat(pool, text, "\n", or_empty(lines[i]), NULL);
    }
    return text;
}

static const char *service_string(const azure_sas_t *sas, apr_pool_t *pool)
{
    const char *lines[] = {sas->permissions,
                           sas->start,
                           sas->expiry,
                           sas->resource,
                           sas->identifier,
                           sas->ip,
                           sas->protocol,
                           AZURE_VERSION,
                           "b",
                           NULL, /* snapshot */
                           sas->encryption_scope,
                           sas->cache_control,
                           sas->content_disposition,
                           NULL, /* content encoding */
                           NULL, /* content language */
                           sas->content_type};
    return join_lines(lines, sizeof(lines) / sizeof(lines[0]), pool);
}

static const char *delegation_string(const azure_sas_t *sas, apr_pool_t *pool)
{
    const azure_delegation_key_t *key = sas->delegation;
    const char *lines[] = {sas->permissions,
                           sas->start,
                           sas->expiry,
                           sas->resource,
                           key->object_id,
                           key->tenant_id,
                           key->start,
                           key->expiry,
                           key->service,
                           key->version,
                           NULL, /* authorized user */
                           NULL, /* unauthorized user */
                           NULL, /* correlation id */
                           sas->ip,
                           sas->protocol,
                           AZURE_VERSION,
                           "b",
                           NULL, /* snapshot */
                           sas->encryption_scope,
                           sas->cache_control,
                           sas->content_disposition,
                           NULL, /* content encoding */
                           NULL, /* content language */
                           sas->content_type};
    return join_lines(lines, sizeof(lines) / sizeof(lines[0]), pool);
}

const char *azure_sas_string_to_sign(const azure_sas_t *sas, apr_pool_t *pool)
{
    return sas->delegation ? delegation_string(sas, pool) : service_string(sas, pool);
}

static const char *add(const char *query, const char *name, const char *value, apr_pool_t *pool)
{
    return value && *value ? apr_pstrcat(pool, query, *query ? "&" : "", name, "=", azure_escape(value, pool), NULL)
                           : query;
}

static const char *add_delegation(const char *query, const azure_delegation_key_t *key, apr_pool_t *pool)
{
    query = add(query, "skoid", key->object_id, pool);
    query = add(query, "sktid", key->tenant_id, pool);
    query = add(query, "skt", key->start, pool);
    query = add(query, "ske", key->expiry, pool);
    query = add(query, "sks", key->service, pool);
    return add(query, "skv", key->version, pool);
}

const char *azure_sas_query(const azure_sas_t *sas, const azure_key_t *key, apr_pool_t *pool)
{
    const char *query = add("", "sv", AZURE_VERSION, pool);
    query = add(query, "sr", "b", pool);
    query = add(query, "sp", sas->permissions, pool);
    query = add(query, "st", sas->start, pool);
    query = add(query, "se", sas->expiry, pool);
    query = add(query, "si", sas->delegation ? NULL : sas->identifier, pool);
    query = add(query, "sip", sas->ip, pool);
    query = add(query, "spr", sas->protocol, pool);
    query = add(query, "ses", sas->encryption_scope, pool);
    query = add(query, "rscc", sas->cache_control, pool);
    query = add(query, "rscd", sas->content_disposition, pool);
    query = add(query, "rsct", sas->content_type, pool);
    if (sas->delegation) {
        query = add_delegation(query, sas->delegation, pool);
    }
    return add(query, "sig", azure_signature(key, azure_sas_string_to_sign(sas, pool), pool), pool);
}
