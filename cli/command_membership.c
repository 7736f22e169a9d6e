/* membership create, list, show, disable, enable, set-policy, delete */
#include "ctl.h"

#include "../core/base/digest.h"
#include "../core/base/text.h"
#include "../core/fhir/json_edit.h"

#include <stdio.h>
#include <string.h>

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
    fhir_principal_key_t key;
    const char *project_id;
    const char *id;
    FHIR_TRY(principal(&key, ctl));
    FHIR_TRY(fhir_ctl_app(ctl));
    FHIR_TRY(fhir_ctl_project(&project_id, ctl));
    FHIR_TRY(fhir_random_uuid(&id, ctl->pool));
    FHIR_TRY(fhir_ctl_make_membership(ctl, project_id, id, &key));
    printf("membership: %s\n", id);
    return NULL;
}

static const char *kind_name(fhir_principal_kind_t kind)
{
    return kind == FHIR_PRINCIPAL_CLIENT ? "client" : kind == FHIR_PRINCIPAL_ISSUER ? "issuer" : "httpd";
}

static void add_row(fhir_ctl_table_t *table, const fhir_member_t *member)
{
    const fhir_membership_t *membership = &member->membership;
    fhir_ctl_table_add(table, membership->id);
    fhir_ctl_table_add(table, kind_name(member->principal.kind));
    fhir_ctl_table_add(table, *member->principal.issuer ? member->principal.issuer : NULL);
    fhir_ctl_table_add(table, member->principal.subject);
    fhir_ctl_table_add(table, membership->project_id);
    fhir_ctl_table_add(table, membership->profile);
    fhir_ctl_table_add_flag(table, membership->admin);
    fhir_ctl_table_add_flag(table, membership->active);
    fhir_ctl_table_add(table, fhir_ctl_access_text(membership->access, table->ctl->pool));
    fhir_ctl_table_add_time(table, member->created);
}

fhir_error_t *fhir_ctl_membership_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id",      "kind",   "issuer",  "subject", "project",
                                        "profile", "admin?", "active?", "access",  "created"};
    fhir_ctl_table_t table;
    apr_array_header_t *members;
    const char *project;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&project, ctl));
    FHIR_TRY(fhir_meta_membership_list(&members, ctl->meta, project, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 10);
    for (int i = 0; i < members->nelts; i++) {
        add_row(&table, &APR_ARRAY_IDX(members, i, fhir_member_t));
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

/* ---- one membership ---- */

typedef struct stored_t {
    fhir_member_t member;
    const char *path; /* ProjectMembership/{id} */
    const char *version_id;
    const fhir_json_document_t *document;
} stored_t;

static fhir_error_t *find(stored_t *stored, fhir_ctl_t *ctl)
{
    FHIR_TRY(fhir_ctl_app(ctl));
    FHIR_TRY(fhir_meta_membership_find(&stored->member, ctl->meta, fhir_ctl_argument(ctl, 0), &ctl->call));
    stored->path = apr_pstrcat(ctl->pool, "ProjectMembership/", stored->member.membership.id, NULL);
    FHIR_TRY(fhir_ctl_read(&stored->document, ctl, stored->member.membership.project_id, stored->path));
    stored->version_id = fhir_ctl_string(stored->document, 0, "meta.versionId", ctl->pool);
    return NULL;
}

/* Nobody else may have changed it meanwhile. */
static fhir_error_t *change(fhir_ctl_t *ctl, const stored_t *stored, fhir_json_edits_t *edits)
{
    const char *body;
    const char *answer;
    apr_size_t length;
    FHIR_TRY(fhir_json_edits_apply(&body, &length, edits));
    return fhir_ctl_operate(&answer, ctl, stored->member.membership.project_id, FHIR_METHOD_PUT, stored->path,
                            stored->version_id, body);
}

/* `json` NULL: it goes. */
static void set_member(fhir_json_edits_t *edits, const fhir_json_document_t *document, const char *name,
                       const char *json)
{
    int member = fhir_json_member(document, 0, name);
    if (member >= 0 && json) {
        fhir_json_edit_replace(edits, member, json);
    } else if (member >= 0) {
        fhir_json_edit_remove(edits, member);
    } else if (json) {
        fhir_json_edit_add_member(edits, 0, name, json);
    }
}

fhir_error_t *fhir_ctl_membership_show(fhir_ctl_t *ctl)
{
    stored_t stored;
    FHIR_TRY(find(&stored, ctl));
    fhir_ctl_print_json(stored.document->text, ctl->pool);
    return NULL;
}

fhir_error_t *fhir_ctl_membership_delete(fhir_ctl_t *ctl)
{
    const char *answer;
    stored_t stored;
    FHIR_TRY(find(&stored, ctl));
    return fhir_ctl_operate(&answer, ctl, stored.member.membership.project_id, FHIR_METHOD_DELETE, stored.path, NULL,
                            NULL);
}

fhir_error_t *fhir_ctl_membership_set_policy(fhir_ctl_t *ctl)
{
    const char *access;
    fhir_json_edits_t *edits;
    stored_t stored;
    FHIR_TRY(fhir_ctl_access_options(&access, ctl));
    if (!access == !fhir_ctl_option(ctl, "none")) {
        return fhir_ctl_misuse(ctl, "Give either --policy or --none.");
    }
    FHIR_TRY(find(&stored, ctl));
    edits = fhir_json_edits_create(stored.document, ctl->pool);
    set_member(edits, stored.document, "accessPolicy", NULL);
    set_member(edits, stored.document, "access", access);
    return change(ctl, &stored, edits);
}

static fhir_error_t *set_active(fhir_ctl_t *ctl, int active)
{
    fhir_json_edits_t *edits;
    stored_t stored;
    FHIR_TRY(find(&stored, ctl));
    edits = fhir_json_edits_create(stored.document, ctl->pool);
    set_member(edits, stored.document, "active", active ? "true" : "false");
    return change(ctl, &stored, edits);
}

fhir_error_t *fhir_ctl_membership_disable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 0);
}

fhir_error_t *fhir_ctl_membership_enable(fhir_ctl_t *ctl)
{
    return set_active(ctl, 1);
}
