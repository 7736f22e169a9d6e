/* explain: the whole decision about one request that somebody might make */
#include "ctl.h"

#include "../core/app/explain.h"
#include "../core/base/text.h"
#include "../core/fhir/binary.h"
#include "../core/fhir/project_resources.h"

#include <stdio.h>
#include <string.h>

/* A client or a membership by its id. */
static fhir_error_t *principal_by_id(fhir_principal_key_t *key, fhir_ctl_t *ctl, const char *id)
{
    fhir_member_t member;
    fhir_error_t *error = fhir_meta_membership_find(&member, ctl->meta, id, &ctl->call);
    if (!error) {
        *key = member.principal;
        return NULL;
    }
    if (error->code != FHIR_ERROR_NOT_FOUND) {
        return error;
    }
    if (!fhir_is_uuid(id)) {
        return fhir_ctl_misuse(ctl, "PRINCIPAL is the id of a client or membership, or user:NAME.");
    }
    key->kind = FHIR_PRINCIPAL_CLIENT;
    key->issuer = "";
    key->subject = id;
    return NULL;
}

static fhir_error_t *take_principal(fhir_principal_key_t *key, fhir_ctl_t *ctl, const char *given)
{
    const char *issuer = fhir_ctl_option(ctl, "issuer");
    const char *subject = fhir_ctl_option(ctl, "subject");
    if (given ? issuer || subject : !issuer || !subject) {
        return fhir_ctl_misuse(ctl, "Say who: PRINCIPAL, or --issuer and --subject.");
    }
    if (given && strncmp(given, "user:", 5) != 0) {
        return principal_by_id(key, ctl, given);
    }
    key->kind = given ? FHIR_PRINCIPAL_HTTPD : FHIR_PRINCIPAL_ISSUER;
    key->issuer = given ? "" : issuer;
    key->subject = given ? given + 5 : subject;
    return NULL;
}

/* `Type`, `Type/id`, `Type/id/_history/vid`. */
static fhir_error_t *take_resource(fhir_question_t *question, fhir_ctl_t *ctl, const char *given)
{
    static const char history[] = "/_history/";
    const char *slash = strchr(given, '/');
    const char *version = strstr(given, history);
    question->type = slash ? apr_pstrmemdup(ctl->pool, given, (apr_size_t)(slash - given)) : given;
    if (slash) {
        question->id = version ? apr_pstrmemdup(ctl->pool, slash + 1, (apr_size_t)(version - slash - 1)) : slash + 1;
    }
    question->version_id = version ? version + sizeof(history) - 1 : NULL;
    if (!fhir_resource_type_known(question->type) && !fhir_is_project_resource(question->type)) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, question->type, " is no resource type.", NULL));
    }
    return question->id && !fhir_id_valid(question->id)
               ? fhir_ctl_misuse(ctl, "The id of a resource has 1 to 64 letters, digits, '-' and '.'.")
               : NULL;
}

/* As the site's clients see it: an operator may do more. */
static fhir_error_t *open_app(fhir_ctl_t *ctl)
{
    int update_create;
    FHIR_TRY(fhir_ctl_settings(ctl));
    update_create = ctl->settings->update_create;
    FHIR_TRY(fhir_ctl_app(ctl));
    ctl->settings->update_create = update_create;
    return NULL;
}

static void print_json(const char *text, int status, apr_pool_t *pool)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_text_addf(&json, "{\"allowed\": %s, \"status\": %d, \"explanation\": ", status < 400 ? "true" : "false",
                   status);
    fhir_text_add_json_string(&json, text);
    puts(apr_pstrcat(pool, json.text, "}", NULL));
}

fhir_error_t *fhir_ctl_explain(fhir_ctl_t *ctl)
{
    fhir_question_t question = {.scope = fhir_ctl_option(ctl, "scope")};
    /* The principal may be left out. */
    int place = fhir_ctl_argument(ctl, 2) != NULL;
    const char *text;
    int status;
    question.patient = fhir_ctl_option(ctl, "patient");
    question.peer_address = fhir_ctl_option(ctl, "address");
    question.context = fhir_ctl_option(ctl, "context");
    question.interaction = fhir_ctl_argument(ctl, place);
    FHIR_TRY(take_resource(&question, ctl, fhir_ctl_argument(ctl, place + 1)));
    FHIR_TRY(open_app(ctl));
    FHIR_TRY(take_principal(&question.principal, ctl, place ? fhir_ctl_argument(ctl, 0) : NULL));
    FHIR_TRY(fhir_ctl_project(&question.project_id, ctl));
    FHIR_TRY(fhir_explain(&status, &text, ctl->app, &question, ctl->pool));
    if (fhir_ctl_option(ctl, "json")) {
        print_json(text, status, ctl->pool);
    } else {
        fputs(text, stdout);
    }
    ctl->status = status < 400 ? FHIR_CTL_OK : FHIR_CTL_FOUND;
    return NULL;
}
