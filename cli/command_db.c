/* db upgrade, db status */
#include "ctl.h"

#include <stdio.h>

#define FIRST_WITH_POLICIES 4

/* Before there were policies, everybody might do everything. */
static fhir_error_t *tell_who_lost_rights(fhir_ctl_t *ctl)
{
    apr_array_header_t *members;
    int count = 0;
    FHIR_TRY(fhir_meta_membership_list(&members, ctl->meta, NULL, &ctl->call));
    for (int i = 0; i < members->nelts; i++) {
        const fhir_membership_t *membership = &APR_ARRAY_IDX(members, i, fhir_member_t).membership;
        count += membership->active && !membership->admin && !membership->access;
    }
    if (count) {
        printf(
            "%d member%s no policy and may do nothing now: see `fhirbinctl membership list`. Give them policies with\n"
            "`membership set-policy`, or a project a policy for all its members with `project default-policy`. One "
            "that\n"
            "permits all: {\"resourceType\": \"AccessPolicy\", \"name\": \"All\", \"resource\": [{\"resourceType\": "
            "\"*\"}]}\n",
            count, count == 1 ? " has" : "s have");
    }
    return NULL;
}

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
    if (from < FIRST_WITH_POLICIES && to >= FIRST_WITH_POLICIES) {
        FHIR_TRY(tell_who_lost_rights(ctl));
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
