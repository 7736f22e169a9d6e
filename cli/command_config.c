/* config check */
#include "ctl.h"

#include <stdio.h>

fhir_error_t *fhir_ctl_config_check(fhir_ctl_t *ctl)
{
    FHIR_TRY(fhir_ctl_settings(ctl));
    printf("base URL: %s\ndefault store: %s\nThe configuration is fine.\n",
           ctl->settings->base_url ? ctl->settings->base_url : "none (the module is off)",
           ctl->settings->default_store ? ctl->settings->default_store : "none");
    return NULL;
}
