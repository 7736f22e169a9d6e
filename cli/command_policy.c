/* policy list, show, put, delete, check: the AccessPolicies of a project */
#include "ctl.h"

#include "../core/auth/policy.h"
#include "../core/base/text.h"
#include "../core/fhir/json_edit.h"
#include "../core/fhir/project_resources.h"

#include <apr_lib.h>
#include <stdio.h>
#include <string.h>

#define TYPE "AccessPolicy"
/* A value that every type of search parameter can be given: a token, a string, an id, a year. */
#define HARMLESS "2000"

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

/* ---- what is wrong with a policy ---- */

static void add_problem(fhir_ctl_table_t *problems, const char *expression, const char *text)
{
    fhir_ctl_table_add(problems, expression);
    fhir_ctl_table_add(problems, text);
}

/* Every parameter that the text names, with a value that fits everywhere. */
static void add_harmless_parameters(fhir_text_t *access, const char *body)
{
    const char *separator = "";
    for (const char *at = strchr(body, '%'); at; at = strchr(at + 1, '%')) {
        size_t length = 1;
        while (apr_isalnum(at[length]) || at[length] == '_' || at[length] == '-') {
            length++;
        }
        /* Not the escapes of a URL: %20, %7C. */
        if (apr_isalpha(at[1])) {
            fhir_text_addf(access, "%s{\"name\":\"%.*s\",\"value\":\"" HARMLESS "\"}", separator, (int)length - 1,
                           at + 1);
            separator = ",";
        }
    }
}

static void begin_entry(fhir_text_t *access, const char *id)
{
    fhir_text_add(access, access->length > 1 ? ",{\"policy\":" : "{\"policy\":");
    fhir_text_add_json_string(access, id);
    fhir_text_add(access, ",\"parameter\":");
}

/* The parameters that the membership gives to this policy; if it has others only, each set of theirs. */
static fhir_error_t *add_parameters_of(fhir_text_t *access, const fhir_membership_t *membership, const char *id)
{
    const fhir_json_document_t *given;
    apr_pool_t *pool = access->pool;
    int named = 0;
    if (!membership->access) {
        return NULL;
    }
    FHIR_TRY(fhir_json_parse(&given, membership->access, strlen(membership->access), &fhir_json_resource_limits, pool));
    for (int entry = fhir_json_first(given, 0); entry >= 0; entry = given->nodes[entry].next) {
        named |= fhir_json_equals(given, fhir_json_member(given, entry, "policy"), id);
    }
    for (int entry = fhir_json_first(given, 0); entry >= 0; entry = given->nodes[entry].next) {
        int parameters = fhir_json_member(given, entry, "parameter");
        if (!named || fhir_json_equals(given, fhir_json_member(given, entry, "policy"), id)) {
            begin_entry(access, id);
            fhir_text_add(access, parameters < 0 ? "[]" : fhir_json_raw(given, parameters, pool));
            fhir_text_add(access, "}");
        }
    }
    return NULL;
}

static fhir_error_t *make_access(fhir_text_t *access, const char *id, const char *body,
                                 const fhir_membership_t *membership)
{
    fhir_text_add(access, "[");
    if (membership) {
        FHIR_TRY(add_parameters_of(access, membership, id));
    }
    if (access->length == 1) {
        begin_entry(access, id);
        fhir_text_add(access, "[");
        if (!membership) {
            add_harmless_parameters(access, body);
        }
        fhir_text_add(access, "]}");
    }
    fhir_text_add(access, "]");
    return NULL;
}

/* What its entries can't be evaluated for. */
static fhir_error_t *add_evaluation_problems(fhir_ctl_table_t *problems, fhir_ctl_t *ctl, const char *id,
                                             const char *body, const fhir_membership_t *membership)
{
    const fhir_addresses_t addresses = {ctl->settings->fhir_base, ctl->settings->storage_base_url};
    apr_array_header_t *sources = apr_array_make(ctl->pool, 1, sizeof(fhir_policy_source_t));
    fhir_policy_source_t *source = apr_array_push(sources);
    const apr_array_header_t *found;
    fhir_text_t access;
    fhir_text_init(&access, ctl->pool);
    FHIR_TRY(make_access(&access, id, body, membership));
    source->id = id;
    source->version_id = "1";
    source->body = body;
    found = fhir_policy_problems(fhir_policy_compile(
        access.text, membership ? membership->profile : "Patient/" HARMLESS, sources, &addresses, ctl->pool));
    for (int i = 0; i < found->nelts; i++) {
        const fhir_policy_problem_t *problem = &APR_ARRAY_IDX(found, i, fhir_policy_problem_t);
        add_problem(problems, problem->expression, problem->text);
    }
    return NULL;
}

static fhir_error_t *check_shape(fhir_sent_resource_t *sent, const char *text, apr_pool_t *pool)
{
    const fhir_json_document_t *document;
    FHIR_TRY(fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool));
    FHIR_TRY(fhir_resource_check(sent, document, 0, TYPE, pool));
    return fhir_project_resource_check(sent, pool);
}

/* All problems of the policy's text; the first of its shape hides the others. */
static fhir_error_t *find_problems(fhir_ctl_table_t *problems, fhir_ctl_t *ctl, const char *text,
                                   const fhir_membership_t *membership)
{
    const fhir_addresses_t addresses = {ctl->settings->fhir_base, ctl->settings->storage_base_url};
    const fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t stored;
    fhir_sent_resource_t sent;
    fhir_error_t *error = check_shape(&sent, text, ctl->pool);
    if (error) {
        add_problem(problems, error->expression ? error->expression : TYPE, error->public_text);
        return NULL;
    }
    FHIR_TRY(fhir_resource_prepare(&stored, &sent, &how, ctl->pool));
    return add_evaluation_problems(problems, ctl, sent.id ? sent.id : "new", stored.body, membership);
}

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
        FHIR_TRY(fhir_ctl_find_member(&member, ctl, membership));
    }
    fhir_ctl_table_init(&problems, ctl, names, 2);
    FHIR_TRY(find_problems(&problems, ctl, text, membership ? &member.membership : NULL));
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
    FHIR_TRY(find_problems(&problems, ctl, text, NULL));
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
