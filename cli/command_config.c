/* config check */
#include "ctl.h"

#include "../core/meta/object_copy.h"

#include <stdio.h>

/* Objects in a store that is no longer configured can't be read: whoever takes one away must hear of it. */
static fhir_error_t *check_stores(int *lacking, fhir_ctl_t *ctl)
{
    apr_array_header_t *needed;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_meta_stores_needed(&needed, ctl->meta, &ctl->call));
    for (int i = 0; i < needed->nelts; i++) {
        const char *name = APR_ARRAY_IDX(needed, i, const char *);
        if (!fhir_store_defined(ctl->settings->catalog, name)) {
            printf("Objects are in the store '%s', which this configuration does not have: they can't be read. Define "
                   "it, or move them first; `fhirbinctl store stat` counts them.\n",
                   name);
            (*lacking)++;
        }
    }
    return NULL;
}

fhir_error_t *fhir_ctl_config_check(fhir_ctl_t *ctl)
{
    fhir_error_t *error = NULL;
    int lacking = 0;
    FHIR_TRY(fhir_ctl_settings(ctl));
    printf("base URL: %s\ndefault store: %s\n",
           ctl->settings->base_url ? ctl->settings->base_url : "none (the module is off)",
           ctl->settings->default_store ? ctl->settings->default_store : "none");
    if (ctl->settings->database) {
        error = check_stores(&lacking, ctl);
    }
    if (error) { /* the configuration may be right and the database not yet there */
        printf("The database could not be asked which stores are needed: %s\n", fhir_error_reason(error));
    }
    if (lacking) {
        ctl->status = FHIR_CTL_FOUND;
        return NULL;
    }
    printf("The configuration is fine.\n");
    return NULL;
}
