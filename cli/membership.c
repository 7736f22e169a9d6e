/* ProjectMemberships, made of the options that `membership` and `client` commands share. */
#include "ctl.h"

#include "../core/base/text.h"
#include "../core/fhir/binary.h"

#include <apr_lib.h>
#include <string.h>

/* ---- what is written ---- */

static void add_reference(fhir_text_t *json, const char *member, const char *prefix, const char *reference)
{
    fhir_text_addf(json, "\"%s\":{\"reference\":", member);
    fhir_text_add_json_string(json, apr_pstrcat(json->pool, prefix, reference, NULL));
    fhir_text_add(json, "}");
}

/* `Patient/1`, not any text with a slash. */
static int is_reference(const char *value, apr_pool_t *pool)
{
    const char *slash = strchr(value, '/');
    return slash && fhir_id_valid(slash + 1) &&
           fhir_resource_type_known(apr_pstrmemdup(pool, value, (apr_size_t)(slash - value)));
}

static fhir_error_t *add_parameter(fhir_text_t *json, fhir_ctl_t *ctl, const char *given, int first)
{
    const char *equals = strchr(given, '=');
    if (!equals || equals == given) {
        return fhir_ctl_misuse(ctl, "Write --parameter NAME=VALUE, such as --parameter patient=Patient/1.");
    }
    fhir_text_add(json, first ? ",\"parameter\":[{\"name\":" : ",{\"name\":");
    fhir_text_add_json_string(json, apr_pstrmemdup(ctl->pool, given, (apr_size_t)(equals - given)));
    fhir_text_add(json, ",");
    if (is_reference(equals + 1, ctl->pool)) {
        add_reference(json, "valueReference", "", equals + 1);
    } else {
        fhir_text_add(json, "\"valueString\":");
        fhir_text_add_json_string(json, equals + 1);
    }
    fhir_text_add(json, "}");
    return NULL;
}

static fhir_error_t *add_policy(fhir_text_t *json, fhir_ctl_t *ctl, const char *given, int first)
{
    const char *id = fhir_ctl_resource_id("AccessPolicy", given);
    if (!id) {
        return fhir_ctl_misuse(ctl, "The value of --policy must be the id of an AccessPolicy.");
    }
    fhir_text_add(json, first ? "[{" : "},{");
    add_reference(json, "policy", "AccessPolicy/", id);
    return NULL;
}

fhir_error_t *fhir_ctl_access_options(const char **access, fhir_ctl_t *ctl)
{
    const apr_array_header_t *options = apr_table_elts(ctl->options);
    int policies = 0;
    int parameters = 0;
    fhir_text_t json;
    fhir_text_init(&json, ctl->pool);
    for (int i = 0; i < options->nelts; i++) {
        const apr_table_entry_t *option = &APR_ARRAY_IDX(options, i, apr_table_entry_t);
        if (strcmp(option->key, "policy") == 0) {
            fhir_text_add(&json, parameters ? "]" : "");
            FHIR_TRY(add_policy(&json, ctl, option->val, policies++ == 0));
            parameters = 0;
        } else if (strcmp(option->key, "parameter") == 0) {
            if (!policies) {
                return fhir_ctl_misuse(ctl, "A --parameter belongs to the --policy before it.");
            }
            FHIR_TRY(add_parameter(&json, ctl, option->val, parameters++ == 0));
        }
    }
    fhir_text_add(&json, parameters ? "]}]" : "}]");
    *access = policies ? json.text : NULL;
    return NULL;
}

static void add_user(fhir_text_t *json, const fhir_principal_key_t *principal)
{
    fhir_text_add(json, "\"user\":{");
    if (principal->kind == FHIR_PRINCIPAL_CLIENT) {
        fhir_text_add(json, "\"reference\":");
        fhir_text_add_json_string(json, apr_pstrcat(json->pool, "ClientApplication/", principal->subject, NULL));
    } else {
        fhir_text_add(json, "\"identifier\":{");
        if (*principal->issuer) {
            fhir_text_add(json, "\"system\":");
            fhir_text_add_json_string(json, principal->issuer);
            fhir_text_add(json, ",");
        }
        fhir_text_add(json, "\"value\":");
        fhir_text_add_json_string(json, principal->subject);
        fhir_text_add(json, "}");
    }
    fhir_text_add(json, "}");
}

fhir_error_t *fhir_ctl_make_membership(fhir_ctl_t *ctl, const char *project_id, const char *id,
                                       const fhir_principal_key_t *principal)
{
    const char *profile;
    const char *access;
    const char *answer;
    fhir_text_t json;
    FHIR_TRY(fhir_ctl_profile(&profile, ctl));
    FHIR_TRY(fhir_ctl_access_options(&access, ctl));
    fhir_text_init(&json, ctl->pool);
    fhir_text_addf(&json, "{\"resourceType\":\"ProjectMembership\",\"id\":\"%s\",", id);
    add_user(&json, principal);
    if (profile) {
        fhir_text_add(&json, ",");
        add_reference(&json, "profile", "", profile);
    }
    fhir_text_add(&json, fhir_ctl_option(ctl, "admin") ? ",\"admin\":true" : "");
    if (access) {
        fhir_text_addf(&json, ",\"access\":%s", access);
    }
    fhir_text_add(&json, "}");
    return fhir_ctl_operate(&answer, ctl, project_id, FHIR_METHOD_PUT,
                            apr_pstrcat(ctl->pool, "ProjectMembership/", id, NULL), NULL, json.text);
}

/* ---- what is shown ---- */

static void add_parameters(fhir_text_t *text, const fhir_json_document_t *access, int parameters)
{
    int parameter = parameters < 0 ? -1 : fhir_json_first(access, parameters);
    const char *separator = "(";
    for (; parameter >= 0; parameter = access->nodes[parameter].next) {
        const char *name = fhir_ctl_string(access, parameter, "name", text->pool);
        const char *value = fhir_ctl_string(access, parameter, "value", text->pool);
        fhir_text_addf(text, "%s%s=%s", separator, name ? name : "?", value ? value : "?");
        separator = ", ";
    }
    fhir_text_add(text, *separator == ',' ? ")" : "");
}

const char *fhir_ctl_access_text(const char *access, apr_pool_t *pool)
{
    const fhir_json_document_t *document;
    fhir_text_t text;
    if (!access || fhir_json_parse(&document, access, strlen(access), &fhir_json_resource_limits, pool)) {
        return NULL;
    }
    fhir_text_init(&text, pool);
    for (int entry = fhir_json_first(document, 0); entry >= 0; entry = document->nodes[entry].next) {
        const char *policy = fhir_ctl_string(document, entry, "policy", pool);
        fhir_text_addf(&text, "%s%s", text.length ? ", " : "", policy ? policy : "?");
        add_parameters(&text, document, fhir_json_member(document, entry, "parameter"));
    }
    return text.length ? text.text : NULL;
}
