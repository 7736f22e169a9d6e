/* May this principal do that? Membership, address, policy, scopes, in this order; first for the type, then for what is
 * asked for. Who may not read a resource learns from no answer whether it exists. */
#include "decide.h"

#include "policy_private.h"
#include "scope_private.h"

#include <string.h>

/* ---- explanations ---- */

static void explain(const fhir_decision_t *decision, const char *format, ...) FHIR_PRINTF(2, 3);

static void explain(const fhir_decision_t *decision, const char *format, ...)
{
    va_list arguments;
    if (!decision->explanation) {
        return;
    }
    va_start(arguments, format);
    fhir_text_add(decision->explanation, apr_pvsprintf(decision->explanation->pool, format, arguments));
    fhir_text_add(decision->explanation, "\n");
    va_end(arguments);
}

static fhir_error_t *explained(const fhir_decision_t *decision, fhir_error_t *error)
{
    if (error) {
        explain(decision, "Refused: %s", error->public_text);
    } else {
        explain(decision, "Permitted: %s of %s.", fhir_interaction_name(decision->interaction), decision->type);
    }
    return error;
}

/* ---- refusals ---- */

static fhir_error_t *not_found(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no %s with this id.", decision->type);
}

static fhir_error_t *out_of_policy(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                             "Your access policies do not permit %s of %s; ask the administrator of the project.",
                             fhir_interaction_name(decision->interaction), decision->type);
}

static fhir_error_t *out_of_scope(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                             "The access token's scopes do not permit this; ask for a token with a wider scope.");
}

static fhir_error_t *only_to_read(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                             "You may read this %s but not change it; ask the administrator of the project.",
                             decision->type);
}

/* The same sentence for a context that is not there. */
static fhir_error_t *not_left_so(const fhir_decision_t *decision, apr_pool_t *pool)
{
    if (decision->after->is_context) {
        return fhir_error_public(
            pool, FHIR_ERROR_FORBIDDEN, "The security context must name a resource of this server that you may %s.",
            decision->create_needs_read && decision->interaction == FHIR_INTERACTION_CREATE ? "read" : "update");
    }
    return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                             "You may not leave a %s so: your access policies or scopes do not reach what it would be.",
                             decision->type);
}

/* ---- membership ---- */

static fhir_error_t *check_membership(const fhir_decision_t *decision, apr_pool_t *pool)
{
    const fhir_membership_t *membership = decision->membership;
    if (!membership) {
        explain(decision, "The principal has no membership.");
        return fhir_error_public(pool, FHIR_ERROR_UNAUTHENTICATED,
                                 "You are not a member of any project here; ask the administrator for a membership.");
    }
    explain(decision, "Membership %s of project %s is %s%s.", membership->id, membership->project_id,
            membership->active ? "active" : "disabled, or its client or project is",
            membership->admin ? ", as an administrator" : "");
    if (!membership->active) {
        return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                                 "Your membership, client or project is disabled; ask the administrator.");
    }
    if (!fhir_policy_permits_address(decision->policy, decision->peer_address)) {
        explain(decision, "Address rules of the access policies block %s.", decision->peer_address);
        return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                                 "Your access policies do not permit requests from your address; ask the administrator "
                                 "of the project.");
    }
    return NULL;
}

/* ---- the type ---- */

/* What must be permitted on a Binary's security context. */
static fhir_interaction_t on_context(const fhir_decision_t *decision, fhir_interaction_t interaction)
{
    switch (interaction) {
    case FHIR_INTERACTION_READ:
    case FHIR_INTERACTION_VREAD:
    case FHIR_INTERACTION_HISTORY:
    case FHIR_INTERACTION_SEARCH:
        return FHIR_INTERACTION_READ;
    case FHIR_INTERACTION_CREATE:
        return decision->create_needs_read ? FHIR_INTERACTION_READ : FHIR_INTERACTION_UPDATE;
    case FHIR_INTERACTION_UPDATE:
    case FHIR_INTERACTION_DELETE:
        break;
    }
    return FHIR_INTERACTION_UPDATE;
}

static int is_binary(const fhir_decision_t *decision)
{
    return strcmp(decision->type, "Binary") == 0;
}

static int policy_permits_type(const fhir_decision_t *decision, fhir_interaction_t interaction)
{
    return decision->membership->admin ||
           (!fhir_is_administrators_type(decision->type) &&
            (fhir_policy_permits_type(decision->policy, interaction, decision->type) ||
             (is_binary(decision) &&
              fhir_policy_permits_context_type(decision->policy, on_context(decision, interaction)))));
}

/* What administrators administer with is not a patient's: no scope reaches a part of it. */
static int scopes_permit_type(const fhir_decision_t *decision)
{
    if (!decision->scopes) {
        return 1;
    }
    return fhir_is_administrators_type(decision->type)
               ? fhir_scopes_permit_all(decision->scopes, decision->interaction, decision->type)
               : fhir_scopes_permit_type(decision->scopes, decision->interaction, decision->type, decision->patient);
}

static int creates(const fhir_decision_t *decision)
{
    return decision->interaction == FHIR_INTERACTION_UPDATE && !decision->before;
}

static fhir_error_t *check_type(const fhir_decision_t *decision, apr_pool_t *pool)
{
    /* An UPDATE may turn out to be a create. What is there is not looked at: the answer must not tell it. */
    int is_update = decision->interaction == FHIR_INTERACTION_UPDATE;
    if (!fhir_interaction_bit(decision->interaction) ||
        (!policy_permits_type(decision, decision->interaction) &&
         !(is_update && policy_permits_type(decision, FHIR_INTERACTION_CREATE)))) {
        explain(decision, "No entry of the access policies could permit %s of any %s.",
                fhir_interaction_name(decision->interaction), decision->type);
        return out_of_policy(decision, pool);
    }
    if (!scopes_permit_type(decision)) {
        if (decision->explanation) {
            fhir_scopes_explain(decision->explanation, decision->scopes, decision->interaction, decision->type,
                                decision->patient, NULL);
        }
        return out_of_scope(pool);
    }
    return NULL;
}

/* ---- subjects ---- */

static int policy_permits(const fhir_decision_t *decision, fhir_interaction_t interaction,
                          const fhir_subject_t *subject)
{
    if (decision->membership->admin) {
        return 1;
    }
    if (fhir_is_administrators_type(decision->type) ||
        (subject->is_context ? !is_binary(decision) : strcmp(subject->type, decision->type) != 0)) {
        return 0;
    }
    return fhir_policy_permits(decision->policy, subject->is_context ? on_context(decision, interaction) : interaction,
                               subject);
}

static void explain_subject(const fhir_decision_t *decision, fhir_interaction_t interaction,
                            const fhir_subject_t *subject, fhir_interaction_t scope_interaction)
{
    fhir_text_t *text = decision->explanation;
    fhir_interaction_t asked = subject->is_context ? on_context(decision, interaction) : interaction;
    if (subject->is_context) {
        explain(decision, "The Binary's security context is %s/%s%s; %s of the Binary needs %s there.", subject->type,
                subject->id, subject->there ? "" : ", which is not there", fhir_interaction_name(interaction),
                fhir_interaction_name(asked));
    } else if (is_binary(decision)) {
        explain(decision, "The Binary has no security context; entries for Binary decide.");
    }
    if (decision->membership->admin) {
        explain(decision, "Administrators need no access policy.");
    } else {
        fhir_policy_explain(text, decision->policy, asked, subject);
    }
    if (decision->scopes) {
        fhir_scopes_explain(text, decision->scopes, scope_interaction, decision->type, decision->patient, subject);
    }
}

/* The policy is asked for `interaction`, the scopes for `scope_interaction`. */
static int permits_as(const fhir_decision_t *decision, fhir_interaction_t interaction,
                      fhir_interaction_t scope_interaction, const fhir_subject_t *subject, apr_pool_t *pool)
{
    if (decision->explanation) {
        explain_subject(decision, interaction, subject, scope_interaction);
    }
    return policy_permits(decision, interaction, subject) &&
           (!decision->scopes ||
            fhir_scopes_permit(decision->scopes, scope_interaction, decision->type, decision->patient, subject, pool));
}

/* What is there, and the version asked for where it stands under another context. */
static int permits_before(const fhir_decision_t *decision, fhir_interaction_t interaction, apr_pool_t *pool)
{
    return permits_as(decision, interaction, interaction, decision->before, pool) &&
           (!decision->version || permits_as(decision, interaction, interaction, decision->version, pool));
}

/* ---- interactions ---- */

static fhir_error_t *check_read(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return decision->before && permits_before(decision, decision->interaction, pool) ? NULL : not_found(decision, pool);
}

static fhir_error_t *check_search(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return decision->before ? check_read(decision, pool) : NULL;
}

static fhir_error_t *check_create(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return !decision->after ||
                   permits_as(decision, FHIR_INTERACTION_CREATE, FHIR_INTERACTION_CREATE, decision->after, pool)
               ? NULL
               : not_left_so(decision, pool);
}

/* An update of what is not there. Any refusal looks like that of a resource which is not to be seen. */
static fhir_error_t *check_create_by_update(const fhir_decision_t *decision, apr_pool_t *pool)
{
    explain(decision, "There is no %s with this id yet: the update creates it.", decision->type);
    if (!policy_permits_type(decision, FHIR_INTERACTION_CREATE) ||
        (decision->after &&
         !permits_as(decision, FHIR_INTERACTION_CREATE, FHIR_INTERACTION_UPDATE, decision->after, pool))) {
        return not_found(decision, pool);
    }
    return NULL;
}

static fhir_error_t *check_change(const fhir_decision_t *decision, apr_pool_t *pool)
{
    if (!decision->before) {
        return not_found(decision, pool);
    }
    if (!permits_before(decision, decision->interaction, pool)) {
        return permits_before(decision, FHIR_INTERACTION_READ, pool) ? only_to_read(decision, pool)
                                                                     : not_found(decision, pool);
    }
    if (decision->interaction == FHIR_INTERACTION_UPDATE && decision->after &&
        !permits_as(decision, FHIR_INTERACTION_UPDATE, FHIR_INTERACTION_UPDATE, decision->after, pool)) {
        return not_left_so(decision, pool);
    }
    return NULL;
}

static fhir_error_t *decide(const fhir_decision_t *decision, apr_pool_t *pool)
{
    FHIR_TRY(check_membership(decision, pool));
    FHIR_TRY(check_type(decision, pool));
    if (creates(decision)) {
        return check_create_by_update(decision, pool);
    }
    switch (decision->interaction) {
    case FHIR_INTERACTION_CREATE:
        return check_create(decision, pool);
    case FHIR_INTERACTION_UPDATE:
    case FHIR_INTERACTION_DELETE:
        return check_change(decision, pool);
    case FHIR_INTERACTION_SEARCH:
        return check_search(decision, pool);
    case FHIR_INTERACTION_READ:
    case FHIR_INTERACTION_VREAD:
    case FHIR_INTERACTION_HISTORY:
        break;
    }
    return check_read(decision, pool);
}

fhir_error_t *fhir_decide(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return explained(decision, decide(decision, pool));
}

fhir_error_t *fhir_decide_membership(const fhir_decision_t *decision, apr_pool_t *pool)
{
    return check_membership(decision, pool);
}

int fhir_decision_needs_content(const fhir_decision_t *decision)
{
    int admin = decision->membership && decision->membership->admin;
    return (!admin && fhir_policy_needs_content(decision->policy, is_binary(decision) ? NULL : decision->type)) ||
           (decision->scopes && fhir_scopes_need_content(decision->scopes, decision->type));
}

static void explain_search(const fhir_decision_t *decision)
{
    if (decision->membership->admin) {
        explain(decision, "Administrators need no access policy.");
    } else {
        fhir_policy_explain_type(decision->explanation, decision->policy, decision->interaction, decision->type);
    }
    if (decision->scopes) {
        fhir_scopes_explain(decision->explanation, decision->scopes, decision->interaction, decision->type,
                            decision->patient, NULL);
    }
}

static fhir_error_t *check_search_of_type(const fhir_decision_t *decision, apr_pool_t *pool)
{
    FHIR_TRY(check_membership(decision, pool));
    FHIR_TRY(check_type(decision, pool));
    if (decision->explanation) {
        explain_search(decision);
    }
    return NULL;
}

fhir_error_t *fhir_decide_search(apr_array_header_t **restrictions, const fhir_decision_t *decision, apr_pool_t *pool)
{
    const fhir_restriction_t *restriction = NULL;
    *restrictions = apr_array_make(pool, 2, sizeof(fhir_restriction_t));
    FHIR_TRY(explained(decision, check_search_of_type(decision, pool)));
    if (!decision->membership->admin) {
        restriction = fhir_policy_restriction(decision->policy, decision->interaction, decision->type, pool);
        if (restriction) {
            APR_ARRAY_PUSH(*restrictions, fhir_restriction_t) = *restriction;
        }
    }
    restriction = decision->scopes ? fhir_scopes_restriction(decision->scopes, decision->interaction, decision->type,
                                                             decision->patient, pool)
                                   : NULL;
    if (restriction) {
        APR_ARRAY_PUSH(*restrictions, fhir_restriction_t) = *restriction;
    }
    return NULL;
}

int fhir_is_administrator(const fhir_decision_t *decision)
{
    const fhir_membership_t *membership = decision->membership;
    return membership && membership->active && membership->admin &&
           (!decision->scopes || fhir_scopes_permit_all(decision->scopes, decision->interaction, decision->type));
}
