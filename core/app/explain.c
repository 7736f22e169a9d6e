/* A decision told step by step: the functions that requests go through, with a place to write down what they see. */
#include "explain.h"

#include "../base/text.h"
#include "access.h"
#include "outcome_map.h"
#include "preconditions.h"
#include "resource_access.h"
#include "rights.h"

#include <apr_strings.h>
#include <string.h>

typedef struct asked_t {
    const char *name;
    fhir_interaction_t interaction;
    fhir_method_t method;
    int names_id;
    int binary_only;
} asked_t;

static const asked_t interactions[] = {
    {"create", FHIR_INTERACTION_CREATE, FHIR_METHOD_POST, 0, 0},
    {"read", FHIR_INTERACTION_READ, FHIR_METHOD_GET, 1, 0},
    {"vread", FHIR_INTERACTION_VREAD, FHIR_METHOD_GET, 1, 0},
    {"update", FHIR_INTERACTION_UPDATE, FHIR_METHOD_PUT, 1, 0},
    {"delete", FHIR_INTERACTION_DELETE, FHIR_METHOD_DELETE, 1, 0},
    {"search", FHIR_INTERACTION_SEARCH, FHIR_METHOD_GET, 0, 0},
    {"history", FHIR_INTERACTION_HISTORY, FHIR_METHOD_GET, 1, 0},
    {"presigned-url", FHIR_INTERACTION_READ, FHIR_METHOD_GET, 1, 1},
    {"presigned-upload", FHIR_INTERACTION_UPDATE, FHIR_METHOD_GET, 1, 1},
};

typedef struct explanation_t {
    const fhir_question_t *question;
    const asked_t *asked;
    fhir_interaction_t interaction; /* asked->interaction */
    fhir_exchange_t exchange;
    fhir_request_t request;
    fhir_text_t steps; /* what the decision says */
    fhir_text_t text;  /* all of it */
    const fhir_membership_t *membership;
} explanation_t;

static fhir_error_t *impossible(apr_pool_t *pool, const char *why)
{
    return fhir_error_public(pool, FHIR_ERROR_REQUIRED, "%s", why);
}

/* ---- the question ---- */

static fhir_error_t *check(explanation_t *explanation, apr_pool_t *pool)
{
    const fhir_question_t *question = explanation->question;
    size_t i;
    if (strcmp(question->type, "AuditEvent") == 0) {
        return impossible(pool, "The audit trail is read by administrators of the project, and written by nobody.");
    }
    for (i = 0; i < sizeof(interactions) / sizeof(interactions[0]); i++) {
        if (strcmp(interactions[i].name, question->interaction) == 0) {
            explanation->asked = &interactions[i];
            explanation->interaction = interactions[i].interaction;
            if (interactions[i].names_id != (question->id != NULL)) {
                return impossible(pool, question->id ? "create and search name a type, without an id."
                                                     : "Name the resource, as in Binary/1.");
            }
            if ((interactions[i].interaction == FHIR_INTERACTION_VREAD) != (question->version_id != NULL)) {
                return impossible(pool, "vread names a version, as in Binary/1/_history/2; the others name none.");
            }
            if (interactions[i].binary_only && strcmp(question->type, "Binary") != 0) {
                return impossible(pool, "Only a Binary has signed URLs.");
            }
            return NULL;
        }
    }
    return impossible(pool, "The interaction must be create, read, vread, update, delete, search, history, "
                            "presigned-url or presigned-upload.");
}

static void make_exchange(explanation_t *explanation, fhir_app_t *app, apr_pool_t *pool)
{
    const fhir_question_t *question = explanation->question;
    fhir_exchange_t *exchange = &explanation->exchange;
    fhir_request_t *request = &explanation->request;
    request->pool = pool;
    request->method = explanation->asked->method;
    request->method_name = "";
    request->path = app->settings->base_path;
    request->headers = apr_table_make(pool, 1);
    request->body = fhir_body_memory("", 0, 0, pool);
    request->peer_address = question->peer_address;
    request->received = apr_time_now();
    request->deadline = request->received + app->settings->request_timeout;
    exchange->app = app;
    exchange->settings = app->settings;
    exchange->request = request;
    exchange->pool = pool;
    exchange->query = apr_array_make(pool, 0, sizeof(fhir_parameter_t));
    exchange->route.type = question->type;
    exchange->route.id = question->id;
    exchange->route.version_id = question->version_id;
    exchange->principal.key = question->principal; /* taken for proven */
    exchange->principal.patient = question->patient;
    exchange->principal.scopes = question->scope ? fhir_scopes_parse(question->scope, pool) : NULL;
    exchange->explanation = &explanation->steps;
}

/* ---- who ---- */

static void line(explanation_t *explanation, const char *name, const char *value)
{
    fhir_text_addf(&explanation->text, "  %-18s %s\n", name, value);
}

static const char *principal_text(const fhir_principal_key_t *key, apr_pool_t *pool)
{
    switch (key->kind) {
    case FHIR_PRINCIPAL_CLIENT:
        return apr_pstrcat(pool, "client ", key->subject, NULL);
    case FHIR_PRINCIPAL_ISSUER:
        return apr_pstrcat(pool, "user ", key->subject, " of ", key->issuer, NULL);
    case FHIR_PRINCIPAL_HTTPD:
        return apr_pstrcat(pool, "httpd's user ", key->subject, NULL);
    case FHIR_PRINCIPAL_OPERATOR:
    default:
        return apr_pstrcat(pool, "operator of project ", key->subject, NULL);
    }
}

static void tell_membership(explanation_t *explanation)
{
    const fhir_membership_t *membership = explanation->membership;
    if (!membership) {
        line(explanation, "membership", "none");
        return;
    }
    line(explanation, "membership", membership->id);
    line(explanation, "project", membership->project_id);
    line(explanation, "profile", membership->profile ? membership->profile : "none");
    line(explanation, "administrator", membership->admin ? "yes" : "no");
    line(explanation, "active",
         membership->active ? "yes" : "no: the membership, its client or its project is disabled");
}

static void tell_who(explanation_t *explanation)
{
    const fhir_question_t *question = explanation->question;
    fhir_text_add(&explanation->text, "who\n");
    line(explanation, "principal", principal_text(&question->principal, explanation->exchange.pool));
    tell_membership(explanation);
    line(explanation, "scopes", question->scope ? question->scope : "none: they narrow nothing");
    line(explanation, "launch patient", question->patient ? question->patient : "none");
    line(explanation, "address", question->peer_address ? question->peer_address : "not asked");
}

/* ---- policies ---- */

static void tell_versions(explanation_t *explanation, const char *policies)
{
    apr_pool_t *pool = explanation->exchange.pool;
    char *rest = NULL;
    char *id = apr_strtok(apr_pstrdup(pool, policies), " ", &rest);
    while (id) {
        const char *version = apr_strtok(NULL, " ", &rest);
        fhir_text_addf(&explanation->text, "  AccessPolicy/%s %s%s\n", id, version && *version != '-' ? "version " : "",
                       !version          ? ""
                       : *version == '-' ? "was deleted"
                                         : version);
        id = apr_strtok(NULL, " ", &rest);
    }
}

static void tell_problems(explanation_t *explanation, const fhir_policy_t *policy)
{
    const apr_array_header_t *problems = fhir_policy_problems(policy);
    int i;
    for (i = 0; i < problems->nelts; i++) {
        const fhir_policy_problem_t *problem = &APR_ARRAY_IDX(problems, i, fhir_policy_problem_t);
        fhir_text_addf(&explanation->text, "  problem in AccessPolicy/%s, %s: %s\n", problem->policy_id,
                       problem->expression, problem->text);
    }
}

static void tell_policies(explanation_t *explanation)
{
    const fhir_membership_t *membership = explanation->membership;
    if (!membership) {
        return;
    }
    fhir_text_add(&explanation->text, "policies\n");
    if (!membership->access) {
        fhir_text_addf(&explanation->text, "  none, and the project has no default policy%s\n",
                       membership->admin ? "; administrators need none" : ": nothing is permitted");
        return;
    }
    fhir_text_addf(&explanation->text, "  access %s\n", membership->access);
    tell_versions(explanation, membership->policies ? membership->policies : "");
    if (membership->policy) {
        tell_problems(explanation, membership->policy);
    }
}

/* ---- what ---- */

static void tell_compartments(explanation_t *explanation, const fhir_subject_t *subject)
{
    const char *separator = "";
    fhir_text_t names;
    int i;
    fhir_text_init(&names, explanation->exchange.pool);
    for (i = 0; i < subject->values->nelts; i++) {
        const fhir_index_value_t *value = &APR_ARRAY_IDX(subject->values, i, fhir_index_value_t);
        if (strcmp(value->name, "_compartment") == 0) {
            fhir_text_addf(&names, "%s%s/%s", separator, value->system, value->code);
            separator = ", ";
        }
    }
    line(explanation, "compartments", names.length ? names.text : "none");
}

static void tell_context(explanation_t *explanation, const char *name, const char *reference,
                         const fhir_subject_t *context)
{
    const char *there = context ? context->there ? "it is there" : "MISSING, deleted, or of another project"
                                : "not looked at: administrators need none";
    if (!reference) {
        line(explanation, name, "none: the entries for Binary decide");
        return;
    }
    line(explanation, name, apr_psprintf(explanation->exchange.pool, "%s (%s)", reference, there));
    if (context && context->there) {
        tell_compartments(explanation, context);
    }
}

static void tell_version(explanation_t *explanation, const char *version_id, apr_time_t last_updated, int deleted)
{
    apr_pool_t *pool = explanation->exchange.pool;
    line(explanation, "version",
         apr_psprintf(pool, "%s of %s%s", version_id, fhir_instant(last_updated, pool), deleted ? ": deleted" : ""));
}

static void tell_asked(explanation_t *explanation)
{
    const fhir_question_t *question = explanation->question;
    fhir_text_add(&explanation->text, "what\n");
    line(explanation, "interaction", question->interaction);
    line(explanation, "resource",
         apr_pstrcat(explanation->exchange.pool, question->type, question->id ? "/" : "", question->id, NULL));
}

static void tell_binary(explanation_t *explanation, const fhir_binary_facts_t *facts)
{
    const fhir_binary_t *version = facts->version && facts->version != facts->current ? facts->version : NULL;
    tell_asked(explanation);
    if (!explanation->question->id) {
        return;
    }
    if (!facts->current) {
        line(explanation, "version", "none: there is no such Binary in this project");
        return;
    }
    tell_version(explanation, facts->current->version_id, facts->current->last_updated,
                 facts->current->change == FHIR_CHANGE_DELETE);
    tell_context(explanation, "securityContext", facts->current->security_context, facts->context);
    if (version) {
        tell_version(explanation, version->version_id, version->last_updated, version->change == FHIR_CHANGE_DELETE);
        tell_context(explanation, "its context", version->security_context, facts->version_context);
    }
}

static void tell_resource(explanation_t *explanation, const fhir_resource_facts_t *facts)
{
    tell_asked(explanation);
    if (!explanation->question->id) {
        return;
    }
    if (!facts->current) {
        line(explanation, "version",
             apr_pstrcat(explanation->exchange.pool, "none: there is no such ", explanation->question->type,
                         " in this project", NULL));
        return;
    }
    tell_version(explanation, facts->current->version_id, facts->current->last_updated,
                 facts->current->change == FHIR_CHANGE_DELETE);
    if (facts->subject && facts->subject->there) {
        tell_compartments(explanation, facts->subject);
    }
}

/* ---- the decision ---- */

/* What requests look at when they are let in: is the address one that can be written? */
static fhir_error_t *check_target(const explanation_t *explanation, int known)
{
    return explanation->asked->method == FHIR_METHOD_PUT ? fhir_check_update_target(&explanation->exchange, known)
                                                         : NULL;
}

static fhir_error_t *gone(const fhir_question_t *question, int deleted, apr_pool_t *pool)
{
    static const char *const alive[] = {"read", "presigned-url", "presigned-upload"};
    size_t i;
    for (i = 0; deleted && i < sizeof(alive) / sizeof(alive[0]); i++) {
        if (strcmp(alive[i], question->interaction) == 0) {
            return fhir_resource_deleted(question->type, pool);
        }
    }
    return NULL;
}

static fhir_error_t *decide_search(explanation_t *explanation, const fhir_membership_t *membership)
{
    const fhir_exchange_t *exchange = &explanation->exchange;
    apr_array_header_t *restrictions;
    fhir_decision_t decision =
        fhir_decision_of(exchange, membership, FHIR_INTERACTION_SEARCH, explanation->question->type);
    FHIR_TRY(fhir_decide_search(&restrictions, &decision, exchange->pool));
    if (restrictions->nelts > 0) {
        fhir_text_add(&explanation->steps, "Only what policies and scopes reach is found.\n");
    }
    return NULL;
}

static fhir_error_t *decide_binary(explanation_t *explanation, fhir_binary_facts_t *facts)
{
    const fhir_question_t *question = explanation->question;
    fhir_exchange_t *exchange = &explanation->exchange;
    const char *context = question->context;
    if (explanation->interaction == FHIR_INTERACTION_SEARCH) {
        FHIR_TRY(fhir_administrator(&facts->membership, exchange));
        return decide_search(explanation, facts->membership);
    }
    FHIR_TRY(fhir_access(facts, exchange, explanation->interaction, question->version_id));
    FHIR_TRY(check_target(explanation, facts->current != NULL));
    if (explanation->interaction == FHIR_INTERACTION_CREATE || explanation->interaction == FHIR_INTERACTION_UPDATE) {
        context = context || !facts->current ? context : facts->current->security_context;
        fhir_text_addf(&explanation->steps, "as it is left, with the security context %s:\n",
                       context ? context : "none");
        FHIR_TRY(fhir_decide_write(exchange, explanation->interaction, facts, context));
    }
    return gone(question, facts->current && facts->current->change == FHIR_CHANGE_DELETE, exchange->pool);
}

static fhir_error_t *decide_resource(explanation_t *explanation, fhir_resource_facts_t *facts)
{
    const fhir_question_t *question = explanation->question;
    fhir_exchange_t *exchange = &explanation->exchange;
    FHIR_TRY(fhir_resource_access(facts, exchange, explanation->interaction, question->id, question->version_id));
    FHIR_TRY(check_target(explanation, facts->current != NULL));
    if (explanation->interaction == FHIR_INTERACTION_SEARCH) {
        return decide_search(explanation, facts->membership);
    }
    return gone(question, facts->current && facts->current->change == FHIR_CHANGE_DELETE, exchange->pool);
}

static fhir_error_t *decide(explanation_t *explanation)
{
    fhir_binary_facts_t binary;
    fhir_resource_facts_t resource;
    fhir_error_t *error;
    memset(&binary, 0, sizeof(binary));
    memset(&resource, 0, sizeof(resource));
    if (strcmp(explanation->question->type, "Binary") == 0) {
        error = decide_binary(explanation, &binary);
        tell_binary(explanation, &binary);
    } else {
        error = decide_resource(explanation, &resource);
        tell_resource(explanation, &resource);
    }
    return error;
}

static void tell_steps(explanation_t *explanation)
{
    char *rest = NULL;
    char *step = apr_strtok(explanation->steps.text, "\n", &rest);
    const char *before = "";
    fhir_text_add(&explanation->text, "decision\n");
    /* What is decided in several steps says some things twice. */
    for (; step; step = apr_strtok(NULL, "\n", &rest)) {
        if (strcmp(step, before) != 0) {
            fhir_text_addf(&explanation->text, "  %s\n", step);
        }
        before = step;
    }
}

/* ---- all of it ---- */

/* An unknown address is permitted only where there are no rules. */
static const char *allowed(const explanation_t *explanation)
{
    const fhir_membership_t *membership = explanation->membership;
    if (explanation->question->peer_address || !membership || fhir_policy_permits_address(membership->policy, "")) {
        return "allowed";
    }
    return "allowed from the addresses that the ipAccessRules of the policies permit: ask about one with --address";
}

static fhir_error_t *load_who(explanation_t *explanation)
{
    fhir_exchange_t *exchange = &explanation->exchange;
    const char *expected = explanation->question->project_id;
    fhir_call_t call = fhir_exchange_call(exchange);
    FHIR_TRY(fhir_meta_load_membership(&explanation->membership, exchange->app->meta, &exchange->principal.key, &call));
    if (expected && (!explanation->membership || strcmp(explanation->membership->project_id, expected) != 0)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_NOT_FOUND, "This principal is no member of the project.");
    }
    return fhir_rights(&explanation->membership, exchange);
}

fhir_error_t *fhir_explain(int *status, const char **text, fhir_app_t *app, const fhir_question_t *question,
                           apr_pool_t *pool)
{
    explanation_t explanation;
    fhir_error_t *refused;
    memset(&explanation, 0, sizeof(explanation));
    explanation.question = question;
    fhir_text_init(&explanation.steps, pool);
    fhir_text_init(&explanation.text, pool);
    FHIR_TRY(check(&explanation, pool));
    make_exchange(&explanation, app, pool);
    FHIR_TRY(load_who(&explanation));
    tell_who(&explanation);
    tell_policies(&explanation);
    refused = decide(&explanation);
    tell_steps(&explanation);
    *status = refused ? fhir_error_http_status(refused) : 200;
    if (*status >= 500) {
        return refused;
    }
    fhir_text_addf(&explanation.text, "answer\n  %s\n",
                   refused ? apr_psprintf(pool, "refused: %d %s", *status, refused->public_text)
                           : allowed(&explanation));
    *text = explanation.text.text;
    return NULL;
}
