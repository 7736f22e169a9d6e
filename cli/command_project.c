/* project create, list, disable, enable, default-policy */
#include "ctl.h"

#include "../core/base/digest.h"
#include "../core/base/text.h"

#include <stdio.h>
#include <string.h>

fhir_error_t *fhir_ctl_project_create(fhir_ctl_t *ctl)
{
    const char *name = fhir_ctl_argument(ctl, 0);
    const char *id;
    /* A name is an address too: it must not pass for an id. */
    if (!*name || fhir_is_uuid(name)) {
        return fhir_ctl_misuse(ctl, "A project's name must not be empty nor look like an id.");
    }
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_random_uuid(&id, ctl->pool));
    FHIR_TRY(fhir_meta_project_create(ctl->meta, id, name, &ctl->call));
    printf("project: %s\n", id);
    return NULL;
}

fhir_error_t *fhir_ctl_project_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id", "name", "active?", "default_policy", "created"};
    fhir_ctl_table_t table;
    apr_array_header_t *projects;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_meta_project_list(&projects, ctl->meta, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 5);
    for (int i = 0; i < projects->nelts; i++) {
        const fhir_project_t *project = &APR_ARRAY_IDX(projects, i, fhir_project_t);
        fhir_ctl_table_add(&table, project->id);
        fhir_ctl_table_add(&table, project->name);
        fhir_ctl_table_add_flag(&table, project->active);
        fhir_ctl_table_add(&table, project->default_policy);
        fhir_ctl_table_add_time(&table, project->created);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

static fhir_error_t *set_active(fhir_ctl_t *ctl, int active)
{
    fhir_project_t project;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_find_project(&project, ctl, fhir_ctl_argument(ctl, 0)));
    return fhir_meta_project_set_active(ctl->meta, project.id, active, &ctl->call);
}

fhir_error_t *fhir_ctl_project_disable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 0);
}

fhir_error_t *fhir_ctl_project_enable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 1);
}

/* A policy that is not there would permit nothing: it is asked for before. */
static fhir_error_t *check_policy(fhir_ctl_t *ctl, const char *project_id, const char *policy_id)
{
    const fhir_json_document_t *policy;
    return policy_id ? fhir_ctl_read(&policy, ctl, project_id, apr_pstrcat(ctl->pool, "AccessPolicy/", policy_id, NULL))
                     : NULL;
}

fhir_error_t *fhir_ctl_project_default_policy(fhir_ctl_t *ctl)
{
    const char *given = fhir_ctl_argument(ctl, 1);
    const char *policy_id = strcmp(given, "none") == 0 ? NULL : fhir_ctl_resource_id("AccessPolicy", given);
    fhir_project_t project;
    if (!policy_id && strcmp(given, "none") != 0) {
        return fhir_ctl_misuse(ctl, "Name the policy by its id, as in AccessPolicy/readers, or write none.");
    }
    FHIR_TRY(fhir_ctl_app(ctl));
    FHIR_TRY(fhir_ctl_find_project(&project, ctl, fhir_ctl_argument(ctl, 0)));
    FHIR_TRY(check_policy(ctl, project.id, policy_id));
    return fhir_meta_project_set_default_policy(ctl->meta, project.id, policy_id, &ctl->call);
}
