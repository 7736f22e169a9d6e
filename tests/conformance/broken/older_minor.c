/* Not broken: built for ABI 1.0, whose descriptor ends with `list`. What lies behind it in the file is not ours. */
#include "broken.h"

#include <stddef.h>
#include <string.h>

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("older_minor");
    (void)host;
    plugin.abi_minor = 0;
    plugin.struct_size = offsetof(fhir_storage_plugin_t, presign);
    memset((char *)&plugin + plugin.struct_size, 0x5a, sizeof(plugin) - plugin.struct_size);
    return &plugin;
}
