/* What is wrong with an access policy: its shape, and what its entries can't be evaluated for. */
#include "ctl.h"

#include "../core/auth/policy.h"
#include "../core/base/text.h"
#include "../core/fhir/project_resources.h"
#include "../core/fhir/search_parameters.h"

#include <apr_lib.h>
#include <string.h>

#define TYPE "AccessPolicy"
/* Values that parameters are taken to have where no membership says. */
#define SOME_REFERENCE "Patient/2000"
#define SOME_ID_OR_DATE "2000"

static void add_problem(fhir_ctl_table_t *problems, const char *expression, const char *text)
{
    fhir_ctl_table_add(problems, expression);
    fhir_ctl_table_add(problems, text);
}

/* ---- parameters without a membership: each has a value that fits where it stands ---- */

static int is_date(const char *type, const char *name)
{
    const fhir_search_parameter_t *parameter = fhir_search_parameter(type, name);
    return parameter ? parameter->type == FHIR_SEARCH_DATE : strcmp(name, "_lastUpdated") == 0;
}

/* A parameter's name behind its percent sign; 0: none, or %C3 and the like: a byte. */
static size_t name_length(const char *at)
{
    size_t length = 0;
    while (apr_isalnum(at[length]) || at[length] == '_') {
        length++;
    }
    return !apr_isalpha(*at) || (apr_isxdigit(at[0]) && apr_isdigit(at[1])) ||
                   (strchr("ABCDEF", at[0]) && at[1] && strchr("ABCDEF", at[1]))
               ? 0
               : length;
}

static void add_harmless(fhir_text_t *parameters, const char *type, char *condition)
{
    char *value = strchr(condition, '=');
    int date;
    if (!value) {
        return;
    }
    *value = '\0';
    date = is_date(type, apr_pstrmemdup(parameters->pool, condition, strcspn(condition, ":")));
    for (char *at = strchr(value + 1, '%'); at; at = strchr(at + 1, '%')) {
        int length = (int)name_length(at + 1);
        const char *name = apr_psprintf(parameters->pool, "{\"name\":\"%.*s\",", length, at + 1);
        if (length && !strstr(parameters->text, name)) {
            fhir_text_addf(parameters, "%s%s\"value\":\"%s\"}", parameters->length ? "," : "", name,
                           date || at[-1] == '/' ? SOME_ID_OR_DATE : SOME_REFERENCE);
        }
    }
}

/* Of every entry's criteria. */
static void add_harmless_parameters(fhir_text_t *parameters, const fhir_json_document_t *policy)
{
    int entries = fhir_json_member(policy, 0, "resource");
    int entry = entries < 0 ? -1 : fhir_json_first(policy, entries);
    for (; entry >= 0; entry = policy->nodes[entry].next) {
        const char *type = fhir_ctl_string(policy, entry, "resourceType", parameters->pool);
        const char *criteria = fhir_ctl_string(policy, entry, "criteria", parameters->pool);
        char *rest = NULL;
        char *condition = criteria && strchr(criteria, '?')
                              ? apr_strtok(apr_pstrdup(parameters->pool, strchr(criteria, '?') + 1), "&", &rest)
                              : NULL;
        for (; type && condition; condition = apr_strtok(NULL, "&", &rest)) {
            add_harmless(parameters, type, condition);
        }
    }
}

/* ---- parameters of a membership ---- */

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

static fhir_error_t *make_access(fhir_text_t *access, const char *id, const fhir_json_document_t *policy,
                                 const fhir_membership_t *membership)
{
    fhir_text_t parameters;
    fhir_text_init(&parameters, access->pool);
    fhir_text_add(access, "[");
    if (membership) {
        FHIR_TRY(add_parameters_of(access, membership, id));
    }
    if (access->length == 1) {
        begin_entry(access, id);
        if (!membership) {
            add_harmless_parameters(&parameters, policy);
        }
        fhir_text_addf(access, "[%s]}", parameters.text);
    }
    fhir_text_add(access, "]");
    return NULL;
}

/* What its entries can't be evaluated for. */
static fhir_error_t *add_evaluation_problems(fhir_ctl_table_t *problems, fhir_ctl_t *ctl, const char *id,
                                             const fhir_store_resource_t *stored, const fhir_membership_t *membership)
{
    const fhir_addresses_t addresses = {ctl->settings->fhir_base, ctl->settings->storage_base_url};
    apr_array_header_t *sources = apr_array_make(ctl->pool, 1, sizeof(fhir_policy_source_t));
    fhir_policy_source_t *source = apr_array_push(sources);
    const apr_array_header_t *found;
    fhir_text_t access;
    fhir_text_init(&access, ctl->pool);
    FHIR_TRY(make_access(&access, id, stored->document, membership));
    source->id = id;
    source->version_id = "1";
    source->body = stored->body;
    found = fhir_policy_problems(fhir_policy_compile(access.text, membership ? membership->profile : SOME_REFERENCE,
                                                     sources, &addresses, ctl->pool));
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

fhir_error_t *fhir_ctl_policy_problems(fhir_ctl_table_t *problems, fhir_ctl_t *ctl, const char *text,
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
    return add_evaluation_problems(problems, ctl, sent.id ? sent.id : "new", &stored, membership);
}
