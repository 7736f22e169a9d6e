/* The azure store: block blobs in one container. Descriptor, open, close, health, locate. */
#include "azure.h"

#include <stdlib.h>
#include <string.h>

#define SKEW_MAX 600 /* seconds; Azure allows 15 minutes */

static fhir_error_t *open_clients(fhir_store_t *store, apr_pool_t *pool)
{
    const fhir_store_config_t *config = store->config;
    fhir_http_config_t http = {config->ca_file, config->connect_timeout, config->stall_timeout,
                               (int)config->connections};
    FHIR_TRY(fhir_http_client_create(&store->client, &http, pool));
    FHIR_TRY(fhir_http_client_create(&store->read_client, &http, pool));
    if (config->credentials == AZURE_SHARED_KEY) {
        return NULL;
    }
    http.ca_file = NULL;
    http.idle_connections = 1;
    FHIR_TRY(fhir_http_client_create(&store->token_client, &http, pool));
    FHIR_TRY(azure_token_open(store, pool));
    return azure_delegation_open(store, pool);
}

static void azure_close(fhir_store_t *store)
{
    fhir_http_client_t *const clients[] = {store->client, store->read_client, store->token_client};
    size_t i;
    for (i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        if (clients[i]) {
            fhir_http_client_close(clients[i]);
        }
    }
    azure_renewed_close(store->token);
    azure_renewed_close(store->delegation_key);
    azure_positions_close(store->positions);
}

static fhir_error_t *azure_open(fhir_store_t **store, const fhir_store_config_t *config,
                                const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    fhir_error_t *error;
    (void)host;
    *store = NULL;
    made->config = config;
    made->crc64 = azure_crc64_create(pool);
    made->positions = azure_positions_create(pool);
    error = made->positions ? open_clients(made, pool) : fhir_plugin_system_error(pool, ENOMEM, "create a lock");
    if (error) {
        azure_close(made);
        return error;
    }
    *store = made;
    return NULL;
}

const char *azure_blob_path(const fhir_store_config_t *config, const char *locator, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "/", config->container, "/", config->prefix, locator, NULL);
}

static fhir_error_t *azure_locate(const char **locator, fhir_store_t *store, const char *object_key,
                                  const fhir_store_call_t *call)
{
    char *made;
    (void)store;
    *locator = NULL;
    if (!fhir_plugin_is_key(object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    made = apr_palloc(call->result_pool, FHIR_PLUGIN_LOCATOR_LENGTH + 1);
    fhir_plugin_locator_of(made, object_key);
    *locator = made;
    return NULL;
}

/* What an administrator can do about it; NULL if the error says it already. */
static const char *advice(const fhir_http_response_t *response, const fhir_store_config_t *config)
{
    const char *code = azure_code(response);
    if (response->status == 404) {
        return "The store's container does not exist. Create it, or correct container= and account=.";
    }
    if (response->status == 400 && (!*code || !strcmp(code, "OutOfRangeInput"))) {
        return "The store does not understand its address. Correct endpoint=: Azurite's ends with the account's name.";
    }
    if (response->status != 401 && response->status != 403 && strcmp(code, "InvalidAuthenticationInfo")) {
        return NULL;
    }
    if (llabs(azure_clock_skew(response)) > SKEW_MAX) {
        return "This host's clock is wrong, so that the store refuses its requests. Set it, for instance by NTP.";
    }
    if (config->credentials == AZURE_SHARED_KEY) {
        return strcmp(code, "KeyBasedAuthenticationNotPermitted")
                   ? "The store refuses the account key. Check account= and the file of account_key_file=."
                   : "This storage account permits no account keys. Use credentials=managed_identity or client_secret.";
    }
    return strcmp(code, "AuthorizationPermissionMismatch")
               ? "The store refuses the token of credentials=. Check tenant, client and account."
               : "The store's identity has no right. Give it the role Storage Blob Data Contributor on the container.";
}

static fhir_error_t *azure_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    azure_request_t request;
    fhir_http_response_t response = {0};
    fhir_error_t *error;
    const char *text;
    FHIR_TRY(fhir_plugin_check_call(call));
    azure_request_init(&request, "Get Container Properties", "GET",
                       apr_pstrcat(pool, "/", store->config->container, NULL), pool);
    azure_add_parameter(&request, "restype", "container");
    error = azure_call(&response, store, &request, AZURE_ANSWER_MAX, 1, call);
    text = error && response.status ? advice(&response, store->config) : NULL;
    if (text) {
        error->public_text = text;
    }
    return error;
}

static const fhir_storage_plugin_t azure_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 1,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "azure",
    .version = "1.0",
    .capabilities = FHIR_STORAGE_PERSISTENT | FHIR_STORAGE_CAN_PRESIGN,
    .configure = azure_configure,
    .open = azure_open,
    .close = azure_close,
    .health = azure_health,
    .locate = azure_locate,
    .writer_begin = azure_writer_begin,
    .writer_write = azure_writer_write,
    .writer_commit = azure_writer_commit,
    .writer_abort = azure_writer_abort,
    .reader_open = azure_reader_open,
    .reader_read = azure_reader_read,
    .reader_close = azure_reader_close,
    .stat = azure_stat,
    .remove = azure_remove,
    .list = azure_list,
    .presign = azure_presign,
    .can_presign = azure_can_presign,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &azure_plugin;
}
