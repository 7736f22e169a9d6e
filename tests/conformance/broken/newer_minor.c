/* Built for an ABI that this host does not know yet. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("newer_minor");
    (void)host;
    plugin.abi_minor = FHIR_STORAGE_ABI_MINOR + 1;
    return &plugin;
}
