/* membership create, list, disable, enable */
#include "ctl.h"

#include "../core/base/digest.h"

#include <stdio.h>

static fhir_error_t *principal(fhir_principal_key_t *key, fhir_ctl_t *ctl)
{
    const char *issuer = fhir_ctl_option(ctl, "issuer");
    const char *subject = fhir_ctl_option(ctl, "subject");
    const char *user = fhir_ctl_option(ctl, "user");
    if (user ? issuer || subject : !issuer || !subject) {
        return fhir_ctl_misuse(ctl, "Give either --user, or --issuer and --subject.");
    }
    key->kind = user ? FHIR_PRINCIPAL_HTTPD : FHIR_PRINCIPAL_ISSUER;
    key->issuer = user ? "" : issuer;
    key->subject = user ? user : subject;
    if (!*key->subject || (issuer && !*issuer)) {
        return fhir_ctl_misuse(ctl, "User, issuer and subject must not be empty.");
    }
    return NULL;
}

fhir_error_t *fhir_ctl_membership_create(fhir_ctl_t *ctl)
{
    fhir_member_t member = {.created = 0};
    FHIR_TRY(principal(&member.principal, ctl));
    FHIR_TRY(fhir_ctl_profile(&member.membership.profile, ctl));
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&member.membership.project_id, ctl));
    FHIR_TRY(fhir_random_uuid(&member.membership.id, ctl->pool));
    member.membership.admin = fhir_ctl_option(ctl, "admin") != NULL;
    FHIR_TRY(fhir_meta_membership_create(ctl->meta, &member, &ctl->call));
    printf("membership: %s\n", member.membership.id);
    return NULL;
}

static const char *kind_name(fhir_principal_kind_t kind)
{
    return kind == FHIR_PRINCIPAL_CLIENT ? "client" : kind == FHIR_PRINCIPAL_ISSUER ? "issuer" : "httpd";
}

fhir_error_t *fhir_ctl_membership_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id",      "kind",   "issuer",  "subject", "project",
                                        "profile", "admin?", "active?", "created"};
    fhir_ctl_table_t table;
    apr_array_header_t *members;
    const char *project;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&project, ctl));
    FHIR_TRY(fhir_meta_membership_list(&members, ctl->meta, project, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 9);
    for (int i = 0; i < members->nelts; i++) {
        const fhir_member_t *member = &APR_ARRAY_IDX(members, i, fhir_member_t);
        fhir_ctl_table_add(&table, member->membership.id);
        fhir_ctl_table_add(&table, kind_name(member->principal.kind));
        fhir_ctl_table_add(&table, *member->principal.issuer ? member->principal.issuer : NULL);
        fhir_ctl_table_add(&table, member->principal.subject);
        fhir_ctl_table_add(&table, member->membership.project_id);
        fhir_ctl_table_add(&table, member->membership.profile);
        fhir_ctl_table_add_flag(&table, member->membership.admin);
        fhir_ctl_table_add_flag(&table, member->membership.active);
        fhir_ctl_table_add_time(&table, member->created);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

static fhir_error_t *set_active(fhir_ctl_t *ctl, int active)
{
    FHIR_TRY(fhir_ctl_meta(ctl));
    return fhir_meta_membership_set_active(ctl->meta, fhir_ctl_argument(ctl, 0), active, &ctl->call);
}

fhir_error_t *fhir_ctl_membership_disable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 0);
}

fhir_error_t *fhir_ctl_membership_enable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 1);
}
