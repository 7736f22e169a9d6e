/* Something else has this symbol. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("wrong_magic");
    (void)host;
    plugin.magic = 0x12345678u;
    return &plugin;
}
