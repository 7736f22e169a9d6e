/* The way from a principal to a resource's facts and the decision. No other file decides about resources. */
#include "resource_access.h"

#include "preconditions.h"
#include "rights.h"

fhir_error_t *fhir_resource_not_found(const char *type, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_NOT_FOUND, "There is no %s with this id.", type);
}

fhir_error_t *fhir_resource_deleted(const char *type, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_GONE, "This %s was deleted. A PUT brings it back.", type);
}

/* ---- subjects ---- */

fhir_subject_t *fhir_subject_of_resource(const fhir_resource_t *resource, apr_pool_t *pool)
{
    fhir_subject_t *subject = apr_pcalloc(pool, sizeof(*subject));
    subject->type = resource->type;
    subject->id = resource->id;
    subject->there = resource->change != FHIR_CHANGE_DELETE;
    subject->last_updated = resource->last_updated;
    subject->values = apr_array_make(pool, 0, sizeof(fhir_index_value_t));
    subject->resource = resource;
    return subject;
}

/* ---- one resource ---- */

static fhir_error_t *load(fhir_resource_facts_t *facts, const fhir_exchange_t *exchange, const char *id,
                          const char *version_id, int with_content)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    int known = id && fhir_id_valid(id);
    return fhir_meta_load_resource(facts, exchange->app->meta, &exchange->principal.key,
                                   known ? exchange->route.type : NULL, known ? id : NULL, version_id, with_content,
                                   &call);
}

static void note(fhir_exchange_t *exchange, fhir_interaction_t interaction, const fhir_resource_facts_t *facts)
{
    const fhir_resource_t *resource = facts->version ? facts->version : facts->current;
    exchange->decided = apr_time_now();
    exchange->audit.membership = facts->membership;
    exchange->audit.interaction = (int)interaction;
    exchange->audit.version_id = resource ? resource->version_id : NULL;
}

/* An old version comes without the text of the current one, by which policies may decide. */
static fhir_error_t *load_rest(fhir_resource_facts_t *facts, const fhir_exchange_t *exchange,
                               const fhir_decision_t *decision, const char *id, const char *version_id)
{
    const fhir_membership_t *membership = facts->membership;
    if (!membership || !facts->subject) {
        return NULL;
    }
    fhir_remember_content(exchange, decision->type, fhir_decision_needs_content(decision));
    if (fhir_lacks_content(decision, facts->subject)) {
        FHIR_TRY(load(facts, exchange, id, version_id, 1));
        facts->membership = membership;
    }
    return NULL;
}

/* An old version may have belonged elsewhere: it must be permitted too. NULL: it is the current one. */
static const fhir_subject_t *subject_of_version(const fhir_resource_facts_t *facts, const fhir_exchange_t *exchange)
{
    const fhir_resource_t *version = facts->version;
    if (!version || version == facts->current || !version->body || !facts->membership ||
        !fhir_looks_at_subject(exchange, facts->membership, version->type)) {
        return NULL;
    }
    return fhir_completed(exchange, fhir_subject_of_resource(version, exchange->pool));
}

/* Nothing can be asked of what was deleted: that it was there is for those who see every resource of the type. 1: it
 * was decided so. */
static int shows_tombstone(fhir_resource_facts_t *facts, const fhir_exchange_t *exchange,
                           const fhir_decision_t *decision)
{
    apr_array_header_t *restrictions;
    if (!facts->membership || !facts->subject || facts->subject->there) {
        return 0;
    }
    facts->subject = NULL;
    if (!fhir_decide_search(&restrictions, decision, exchange->pool) && restrictions->nelts == 0) {
        return 1;
    }
    facts->current = NULL;
    facts->version = NULL;
    return 0;
}

/* Whoever brings back what was deleted takes over all that names it as its security context. */
static fhir_error_t *refuse_revival(const fhir_exchange_t *exchange, fhir_interaction_t interaction, int was_there,
                                    const fhir_resource_facts_t *facts)
{
    return was_there && !facts->current && interaction == FHIR_INTERACTION_UPDATE
               ? fhir_as_unknown(exchange, fhir_resource_not_found(exchange->route.type, exchange->pool))
               : NULL;
}

fhir_error_t *fhir_resource_access(fhir_resource_facts_t *facts, fhir_exchange_t *exchange,
                                   fhir_interaction_t interaction, const char *id, const char *version_id)
{
    const char *type = exchange->route.type;
    fhir_decision_t decision;
    int was_there;
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(load(facts, exchange, id, version_id, fhir_expect_content(exchange, type)));
    note(exchange, interaction, facts);
    FHIR_TRY(fhir_rights(&facts->membership, exchange));
    decision = fhir_decision_of(exchange, facts->membership, interaction, type);
    was_there = facts->current != NULL;
    if (shows_tombstone(facts, exchange, &decision)) {
        return NULL;
    }
    decision.before = facts->subject;
    FHIR_TRY(load_rest(facts, exchange, &decision, id, version_id));
    decision.before = facts->subject;
    decision.version = subject_of_version(facts, exchange);
    FHIR_TRY(
        fhir_as_unknown(exchange, fhir_as_unknown_version(exchange, &decision, fhir_decide_now(exchange, &decision))));
    FHIR_TRY(refuse_revival(exchange, interaction, was_there, facts));
    if (id && !facts->current && interaction != FHIR_INTERACTION_UPDATE) {
        return fhir_resource_not_found(type, exchange->pool);
    }
    return NULL;
}

fhir_error_t *fhir_member(const fhir_membership_t **membership, fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_decision_t decision;
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(fhir_meta_load_membership(membership, exchange->app->meta, &exchange->principal.key, &call));
    exchange->decided = apr_time_now();
    exchange->audit.membership = *membership;
    FHIR_TRY(fhir_rights(membership, exchange));
    decision = fhir_decision_of(exchange, *membership, FHIR_INTERACTION_READ, exchange->route.type);
    return fhir_decide_membership(&decision, exchange->pool);
}

/* ---- decisions about what is at hand ---- */

fhir_error_t *fhir_resource_decide_type(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                        fhir_interaction_t interaction, const char *type)
{
    fhir_decision_t decision = fhir_decision_of(exchange, membership, interaction, type);
    apr_array_header_t *restrictions;
    return fhir_decide_search(&restrictions, &decision, exchange->pool);
}

fhir_error_t *fhir_resource_decide_write(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                         fhir_interaction_t interaction, const char *type, const fhir_subject_t *before,
                                         const fhir_subject_t *after)
{
    fhir_decision_t decision = fhir_decision_of(exchange, membership, interaction, type);
    decision.before = fhir_looks_at_subject(exchange, membership, type) ? fhir_completed(exchange, before) : before;
    decision.after = after;
    return fhir_decide(&decision, exchange->pool);
}

int fhir_may_read_resource(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                           const fhir_resource_t *resource)
{
    const fhir_subject_t *subject = fhir_subject_of_resource(resource, exchange->pool);
    return !fhir_resource_decide_write(exchange, membership, FHIR_INTERACTION_READ, resource->type, subject, NULL);
}

/* Elements of the version before are in what a PUT left. */
static int keeps_elements(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                          const fhir_resource_t *resource)
{
    return fhir_kept_elements(exchange, membership, FHIR_INTERACTION_UPDATE,
                              fhir_subject_of_resource(resource, exchange->pool)) != NULL;
}

int fhir_may_see_written(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                         const fhir_resource_t *resource, int status)
{
    fhir_method_t method = exchange->request->method;
    int was_there = method == FHIR_METHOD_PATCH || (method == FHIR_METHOD_POST && status == 200) ||
                    (method == FHIR_METHOD_PUT && keeps_elements(exchange, membership, resource));
    return !was_there || fhir_may_read_resource(exchange, membership, resource);
}

/* ---- searches ---- */

static fhir_error_t *hidden(const char *name, const fhir_exchange_t *exchange)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                             "Your access policy does not permit a search by %s: what it looks at is hidden from you.",
                             name);
}

static fhir_error_t *refuse_hidden(const fhir_search_t *search, const fhir_exchange_t *exchange,
                                   const apr_array_header_t *elements)
{
    int i;
    for (i = 0; i < search->criteria->nelts; i++) {
        const char *name = APR_ARRAY_IDX(search->criteria, i, fhir_criterion_t).name;
        if (fhir_search_looks_at(search->type, name, elements)) {
            return hidden(name, exchange);
        }
    }
    for (i = 0; search->sort && i < search->sort->nelts; i++) {
        const char *name = APR_ARRAY_IDX(search->sort, i, fhir_sort_key_t).name;
        if (fhir_search_looks_at(search->type, name, elements)) {
            return hidden(name, exchange);
        }
    }
    return NULL;
}

/* What an include brings tells what the reference or attachment says. */
static fhir_error_t *refuse_hidden_includes(const fhir_search_t *search, const fhir_exchange_t *exchange,
                                            const fhir_policy_t *policy)
{
    int i;
    for (i = 0; i < search->includes->nelts; i++) {
        const fhir_include_t *include = &APR_ARRAY_IDX(search->includes, i, fhir_include_t);
        const apr_array_header_t *elements = fhir_policy_hidden_in_search(policy, include->type, exchange->pool);
        if (elements && fhir_search_looks_at(include->type, include->name, elements)) {
            return hidden(include->name, exchange);
        }
    }
    return NULL;
}

fhir_error_t *fhir_search_permit(fhir_search_t *search, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership)
{
    fhir_decision_t decision = fhir_decision_of(exchange, membership, FHIR_INTERACTION_SEARCH, search->type);
    const apr_array_header_t *elements;
    apr_array_header_t *restrictions;
    FHIR_TRY(fhir_decide_search(&restrictions, &decision, exchange->pool));
    search->restrictions = restrictions;
    if (!membership->policy || membership->admin) {
        return NULL;
    }
    FHIR_TRY(refuse_hidden_includes(search, exchange, membership->policy));
    elements = fhir_policy_hidden_in_search(membership->policy, search->type, exchange->pool);
    return elements ? refuse_hidden(search, exchange, elements) : NULL;
}
