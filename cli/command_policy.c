/* policy list, show, put, delete, check: the AccessPolicies of a project */
#include "ctl.h"

#include "../core/fhir/json_edit.h"

#include <stdio.h>
#include <string.h>

#define TYPE "AccessPolicy"

static const char *policy_path(const char *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, TYPE "/", id, NULL);
}

/* The first argument names an AccessPolicy of --project. */
static fhir_error_t *open_policy(const char **project_id, const char **id, fhir_ctl_t *ctl)
{
    *id = fhir_ctl_resource_id(TYPE, fhir_ctl_argument(ctl, 0));
    if (!*id) {
        return fhir_ctl_misuse(ctl, "Name the policy by its id, as in AccessPolicy/readers.");
    }
    FHIR_TRY(fhir_ctl_app(ctl));
    return fhir_ctl_project(project_id, ctl);
}

/* ---- list, show, delete ---- */

fhir_error_t *fhir_ctl_policy_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id", "name", "entries#", "version", "last_updated"};
    apr_array_header_t *policies;
    const char *project_id;
    fhir_ctl_table_t table;
    FHIR_TRY(fhir_ctl_app(ctl));
    FHIR_TRY(fhir_ctl_project(&project_id, ctl));
    FHIR_TRY(fhir_ctl_search(&policies, ctl, project_id, TYPE));
    fhir_ctl_table_init(&table, ctl, names, 5);
    for (int i = 0; i < policies->nelts; i++) {
        const fhir_ctl_resource_t *policy = &APR_ARRAY_IDX(policies, i, fhir_ctl_resource_t);
        int entries = fhir_json_member(policy->document, policy->root, "resource");
        fhir_ctl_table_add(&table, fhir_ctl_string(policy->document, policy->root, "id", ctl->pool));
        fhir_ctl_table_add(&table, fhir_ctl_string(policy->document, policy->root, "name", ctl->pool));
        fhir_ctl_table_add_number(&table, entries < 0 ? 0 : policy->document->nodes[entries].count);
        fhir_ctl_table_add(&table, fhir_ctl_string(policy->document, policy->root, "meta.versionId", ctl->pool));
        fhir_ctl_table_add(&table, fhir_ctl_string(policy->document, policy->root, "meta.lastUpdated", ctl->pool));
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

fhir_error_t *fhir_ctl_policy_show(fhir_ctl_t *ctl)
{
    const char *project_id;
    const char *id;
    const char *text;
    FHIR_TRY(open_policy(&project_id, &id, ctl));
    FHIR_TRY(fhir_ctl_operate(&text, ctl, project_id, FHIR_METHOD_GET, policy_path(id, ctl->pool), NULL, NULL));
    fhir_ctl_print_json(text, ctl->pool);
    return NULL;
}

fhir_error_t *fhir_ctl_policy_delete(fhir_ctl_t *ctl)
{
    const char *project_id;
    const char *id;
    const char *text;
    FHIR_TRY(open_policy(&project_id, &id, ctl));
    FHIR_TRY(fhir_ctl_operate(&text, ctl, project_id, FHIR_METHOD_GET, policy_path(id, ctl->pool), NULL, NULL));
    return fhir_ctl_operate(&text, ctl, project_id, FHIR_METHOD_DELETE, policy_path(id, ctl->pool), NULL, NULL);
}

/* ---- check ---- */

static fhir_error_t *text_to_check(const char **text, fhir_ctl_t *ctl)
{
    const char *what = fhir_ctl_argument(ctl, 0);
    const char *project_id;
    const char *id;
    if (strncmp(what, TYPE "/", sizeof(TYPE)) != 0) {
        return fhir_ctl_read_file(text, ctl, what);
    }
    if (!fhir_ctl_option(ctl, "project")) {
        return fhir_ctl_misuse(ctl, "Whose policy is it? Give --project.");
    }
    FHIR_TRY(open_policy(&project_id, &id, ctl));
    return fhir_ctl_operate(text, ctl, project_id, FHIR_METHOD_GET, policy_path(id, ctl->pool), NULL, NULL);
}

fhir_error_t *fhir_ctl_policy_check(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"expression", "problem"};
    const char *membership = fhir_ctl_option(ctl, "membership");
    fhir_ctl_table_t problems;
    fhir_member_t member;
    const char *text;
    FHIR_TRY(fhir_ctl_settings(ctl));
    FHIR_TRY(text_to_check(&text, ctl));
    if (membership) {
        FHIR_TRY(fhir_ctl_meta(ctl));
        FHIR_TRY(fhir_meta_membership_find(&member, ctl->meta, membership, &ctl->call));
    }
    fhir_ctl_table_init(&problems, ctl, names, 2);
    FHIR_TRY(fhir_ctl_policy_problems(&problems, ctl, text, membership ? &member.membership : NULL));
    fhir_ctl_table_print(&problems);
    ctl->status = problems.cells->nelts ? FHIR_CTL_FOUND : FHIR_CTL_OK;
    return NULL;
}

/* ---- put ---- */

/* The text with its id, and where it goes: a POST if nobody has said which id. */
static fhir_error_t *with_id(const char **text, const char **id, fhir_ctl_t *ctl)
{
    const char *option = fhir_ctl_option(ctl, "id");
    const fhir_json_document_t *document;
    fhir_json_edits_t *edits;
    apr_size_t length;
    FHIR_TRY(fhir_json_parse(&document, *text, strlen(*text), &fhir_json_resource_limits, ctl->pool));
    *id = fhir_ctl_string(document, 0, "id", ctl->pool);
    if (!option) {
        return NULL;
    }
    option = fhir_ctl_resource_id(TYPE, option);
    if (!option || (*id && strcmp(*id, option) != 0)) {
        return fhir_ctl_misuse(ctl, option ? "The file has another id than --id." : "The value of --id is no FHIR id.");
    }
    if (!*id && document->nodes[0].kind == FHIR_JSON_OBJECT) {
        edits = fhir_json_edits_create(document, ctl->pool);
        fhir_json_edit_add_member(edits, 0, "id", apr_pstrcat(ctl->pool, "\"", option, "\"", NULL));
        FHIR_TRY(fhir_json_edits_apply(text, &length, edits));
    }
    *id = option;
    return NULL;
}

/* What was stored is in force; what can't be evaluated in it permits nothing, and is told. */
static fhir_error_t *tell_problems(fhir_ctl_t *ctl, const char *text)
{
    static const char *const names[] = {"expression", "problem"};
    fhir_ctl_table_t problems;
    fhir_ctl_table_init(&problems, ctl, names, 2);
    FHIR_TRY(fhir_ctl_policy_problems(&problems, ctl, text, NULL));
    for (int i = 0; i + 1 < problems.cells->nelts; i += 2) {
        fprintf(stderr, "fhirbinctl: %s: %s\n", APR_ARRAY_IDX(problems.cells, i, const char *),
                APR_ARRAY_IDX(problems.cells, i + 1, const char *));
    }
    return NULL;
}

fhir_error_t *fhir_ctl_policy_put(fhir_ctl_t *ctl)
{
    const char *project_id;
    const char *id;
    const char *text;
    const char *answer;
    const fhir_json_document_t *stored;
    FHIR_TRY(fhir_ctl_read_file(&text, ctl, fhir_ctl_argument(ctl, 0)));
    FHIR_TRY(with_id(&text, &id, ctl));
    FHIR_TRY(fhir_ctl_app(ctl));
    FHIR_TRY(fhir_ctl_project(&project_id, ctl));
    FHIR_TRY(fhir_ctl_operate(&answer, ctl, project_id, id ? FHIR_METHOD_PUT : FHIR_METHOD_POST,
                              id ? policy_path(id, ctl->pool) : TYPE, NULL, text));
    FHIR_TRY(fhir_json_parse(&stored, answer, strlen(answer), &fhir_json_resource_limits, ctl->pool));
    printf("policy: %s\nversion: %s\n", fhir_ctl_string(stored, 0, "id", ctl->pool),
           fhir_ctl_string(stored, 0, "meta.versionId", ctl->pool));
    return tell_problems(ctl, text);
}
