/* The descriptor ends before its last required callback. */
#include "broken.h"

#include <stddef.h>

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("small_struct");
    (void)host;
    plugin.struct_size = offsetof(fhir_storage_plugin_t, list);
    return &plugin;
}
