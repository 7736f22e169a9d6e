/* Built for an ABI that is gone. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("older_major");
    (void)host;
    plugin.abi_major = FHIR_STORAGE_ABI_MAJOR - 1;
    return &plugin;
}
