/* May this principal do that? The order of the checks lets nobody learn whether a Binary of another project exists. */
#include "auth.h"

#include <string.h>

static fhir_error_t *out_of_scope(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                             "The access token's scopes do not permit this; ask for a token with a wider scope.");
}

static int writes_content(fhir_interaction_t interaction)
{
    return interaction == FHIR_INTERACTION_CREATE || interaction == FHIR_INTERACTION_UPDATE;
}

/* A write must be permitted both on what was there and on what will be there: nobody moves a Binary into or out of the
 * reach of his scopes. */
static int scopes_reach(const fhir_decision_input_t *input, const fhir_binary_t *binary)
{
    if (!input->scopes) {
        return 1;
    }
    if ((binary || !writes_content(input->interaction)) &&
        !fhir_scopes_permit(input->scopes, input->interaction, binary ? binary->security_context : NULL,
                            input->patient)) {
        return 0;
    }
    return !writes_content(input->interaction) ||
           fhir_scopes_permit(input->scopes, input->interaction, input->new_security_context, input->patient);
}

static fhir_error_t *check_membership(const fhir_membership_t *membership, apr_pool_t *pool)
{
    if (!membership) {
        return fhir_error_public(pool, FHIR_ERROR_UNAUTHENTICATED,
                                 "You are not a member of any project here; ask the administrator for a membership.");
    }
    if (!membership->active) {
        return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                                 "Your membership, client or project is disabled; ask the administrator.");
    }
    return NULL;
}

fhir_error_t *fhir_decide(const fhir_decision_input_t *input, apr_pool_t *pool)
{
    const fhir_binary_t *binary = input->binary;
    int foreign;
    FHIR_TRY(check_membership(input->membership, pool));
    /* Another project's Binary must look exactly like none, also to a scope that depends on its context. */
    foreign = binary && strcmp(binary->project_id, input->membership->project_id) != 0;
    if (!scopes_reach(input, foreign ? NULL : binary)) {
        return out_of_scope(pool);
    }
    if (foreign) {
        return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no Binary with this id.");
    }
    if (input->require_security_context && writes_content(input->interaction) &&
        (!input->new_security_context || input->new_security_context[0] == '\0')) {
        return fhir_error_public(pool, FHIR_ERROR_UNPROCESSABLE,
                                 "This server stores no Binary without a security context: send X-Security-Context, or "
                                 "securityContext in the resource.");
    }
    return NULL;
}

fhir_error_t *fhir_decide_resource(const fhir_resource_decision_t *input, apr_pool_t *pool)
{
    const char *context = NULL;
    FHIR_TRY(check_membership(input->membership, pool));
    if (input->id && strcmp(input->type, "Patient") == 0) {
        context = apr_pstrcat(pool, "Patient/", input->id, NULL);
    }
    if (input->scopes &&
        !fhir_scopes_permit_on(input->scopes, input->interaction, input->type, context, input->patient)) {
        return out_of_scope(pool);
    }
    return NULL;
}
