/* Keys that AWS gives for a while. */
#include "credentials_private.h"

fhir_error_t *s3_configure_container(int *found, s3_credential_config_t *config, apr_pool_t *pool)
{
    (void)config;
    (void)pool;
    *found = 0;
    return NULL;
}

fhir_error_t *s3_configure_instance(s3_credential_config_t *config, const char *endpoint_override, apr_pool_t *pool)
{
    (void)config;
    (void)endpoint_override;
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "not yet");
}

fhir_error_t *s3_endpoint_client(fhir_http_client_t **client, apr_pool_t *pool)
{
    *client = NULL;
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "not yet");
}

void s3_endpoint_close(fhir_http_client_t *client)
{
    (void)client;
}

fhir_error_t *s3_fetch_credentials(s3_credentials_t *keys, const s3_credential_config_t *config,
                                   fhir_http_client_t *client, const fhir_store_call_t *call)
{
    (void)keys;
    (void)config;
    (void)client;
    return fhir_error_public(call->result_pool, FHIR_ERROR_INVALID, "not yet");
}
