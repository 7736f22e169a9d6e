/* db upgrade, db status */
#include "ctl.h"

#include <stdio.h>

fhir_error_t *fhir_ctl_db_upgrade(fhir_ctl_t *ctl)
{
    int from;
    int to;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_schema_upgrade(&from, &to, ctl->meta, &ctl->call));
    if (from == to) {
        printf("The database has schema version %d already.\n", to);
    } else {
        printf("The database was brought from schema version %d to %d.\n", from, to);
    }
    FHIR_TRY(fhir_ctl_first_key(ctl, FHIR_KEY_TOKEN));
    return fhir_ctl_first_key(ctl, FHIR_KEY_URL);
}

fhir_error_t *fhir_ctl_db_status(fhir_ctl_t *ctl)
{
    int version;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_schema_current(&version, ctl->meta, &ctl->call));
    printf("schema: %d\nneeded: %d\n", version, fhir_schema_version());
    return fhir_meta_health(ctl->meta, &ctl->call);
}
