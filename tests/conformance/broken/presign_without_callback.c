/* It says CAN_PRESIGN and can not. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("presign_without_callback");
    (void)host;
    plugin.capabilities = FHIR_STORAGE_CAN_PRESIGN;
    return &plugin;
}
