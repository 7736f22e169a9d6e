/* It does not want to work with this host. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("null_descriptor");
    (void)host;
    (void)plugin;
    return NULL;
}
