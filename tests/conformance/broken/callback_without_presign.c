/* It can presign, but does not say so. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static fhir_error_t *no_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                                const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    (void)presigned;
    (void)store;
    (void)request;
    return fhir_error_create(call->result_pool, FHIR_ERROR_UNSUPPORTED, 0, "no", NULL);
}

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("callback_without_presign");
    (void)host;
    plugin.presign = no_presign;
    return &plugin;
}
