/* The way from a principal to the facts and the decision. No other file calls fhir_decide for REST requests. */
#include "access.h"

#include "resource_access.h"

fhir_error_t *fhir_binary_not_found(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no Binary with this id.");
}

fhir_error_t *fhir_binary_deleted(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_GONE, "This Binary was deleted. A PUT brings it back.");
}

fhir_error_t *fhir_no_content_yet(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND,
                             "No content has been uploaded yet for this Binary. Upload it with PUT or with a signed "
                             "URL of $presigned-url?upload=true.");
}

static fhir_error_t *decide(const fhir_exchange_t *exchange, fhir_interaction_t interaction,
                            const fhir_membership_t *membership, const fhir_binary_t *current, const char *context,
                            int require_context)
{
    fhir_decision_input_t input = {0};
    input.interaction = interaction;
    input.membership = membership;
    input.scopes = exchange->principal.scopes;
    input.patient = exchange->principal.patient;
    input.binary = current;
    input.new_security_context = context;
    input.require_security_context = require_context;
    return fhir_decide(&input, exchange->pool);
}

/* What is known before the body: the header of a raw write. A patient/ scope cannot be judged without the new context,
 * so it is taken as given here and judged by fhir_decide_write. */
static const char *known_context(const fhir_exchange_t *exchange, const fhir_binary_t *current)
{
    const char *header = fhir_request_header(exchange->request, "X-Security-Context");
    return header ? header : current ? current->security_context : NULL;
}

fhir_error_t *fhir_access(fhir_binary_facts_t *facts, fhir_exchange_t *exchange, fhir_interaction_t interaction,
                          const char *version_id)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    const char *id = interaction == FHIR_INTERACTION_CREATE ? NULL : exchange->route.id;
    int writes = interaction == FHIR_INTERACTION_CREATE || interaction == FHIR_INTERACTION_UPDATE;
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(fhir_meta_load_binary(facts, exchange->app->meta, &exchange->principal.key,
                                   id && fhir_id_valid(id) ? id : NULL, version_id, &call));
    if (!facts->membership || !facts->membership->active || !writes) {
        FHIR_TRY(decide(exchange, interaction, facts->membership, facts->current, NULL, 0));
    } else if (!exchange->principal.patient) {
        FHIR_TRY(decide(exchange, interaction, facts->membership, facts->current,
                        known_context(exchange, facts->current), 0));
    }
    if (!facts->current && !writes) {
        return fhir_binary_not_found(exchange->pool);
    }
    return NULL;
}

fhir_error_t *fhir_decide_write(const fhir_exchange_t *exchange, fhir_interaction_t interaction,
                                const fhir_membership_t *membership, const fhir_binary_t *current,
                                const char *new_security_context)
{
    return decide(exchange, interaction, membership, current, new_security_context,
                  exchange->settings->require_security_context);
}

int fhir_may_read_binary(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                         const fhir_binary_t *binary)
{
    return decide(exchange, FHIR_INTERACTION_READ, membership, binary, NULL, 0) == NULL;
}
