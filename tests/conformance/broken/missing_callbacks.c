/* Two required callbacks are missing. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("missing_callbacks");
    (void)host;
    plugin.writer_commit = NULL;
    plugin.list = NULL;
    return &plugin;
}
