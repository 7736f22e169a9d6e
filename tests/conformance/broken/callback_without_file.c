/* It can give files, but does not say so. */
#include "broken.h"

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static fhir_error_t *no_file(apr_file_t **file, apr_off_t *offset, fhir_reader_t *reader)
{
    (void)reader;
    *file = NULL;
    *offset = 0;
    return NULL;
}

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    static fhir_storage_plugin_t plugin = WHOLE_PLUGIN("callback_without_file");
    (void)host;
    plugin.reader_file = no_file;
    return &plugin;
}
