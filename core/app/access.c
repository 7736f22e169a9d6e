/* The way from a principal to the facts about a Binary and the decision. No other file decides about Binaries. */
#include "access.h"

#include "preconditions.h"
#include "rights.h"
#include "security_context.h"

#include <apr_hash.h>
#include <string.h>

static const char BINARY[] = "Binary";

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

/* ---- subjects ---- */

static int same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A context that was not loaded (administrators need none), or that names nothing. */
static fhir_subject_t *absent_context(apr_pool_t *pool)
{
    fhir_subject_t *subject = apr_pcalloc(pool, sizeof(*subject));
    subject->type = "";
    subject->id = "";
    subject->is_context = 1;
    subject->values = apr_array_make(pool, 0, sizeof(fhir_index_value_t));
    return subject;
}

/* What stands for the Binary: the resource that its context names, else itself. */
static fhir_subject_t *subject_of(const char *context, fhir_subject_t *loaded, const char *id, apr_time_t last_updated,
                                  apr_pool_t *pool)
{
    fhir_subject_t *own;
    if (context) {
        return loaded ? loaded : absent_context(pool);
    }
    own = apr_palloc(pool, sizeof(*own));
    fhir_subject_of_binary(own, id, last_updated, pool);
    return own;
}

static const fhir_subject_t *subject_of_current(const fhir_binary_facts_t *facts, apr_pool_t *pool)
{
    const fhir_binary_t *current = facts->current;
    return current ? subject_of(current->security_context, facts->context, current->id, current->last_updated, pool)
                   : NULL;
}

/* NULL: the version stands under the same context as the current one. */
static const fhir_subject_t *subject_of_version(const fhir_binary_facts_t *facts, apr_pool_t *pool)
{
    const fhir_binary_t *version = facts->version;
    if (!version || version == facts->current ||
        (facts->current && same_text(version->security_context, facts->current->security_context))) {
        return NULL;
    }
    return subject_of(version->security_context, facts->version_context, version->id, version->last_updated, pool);
}

/* ---- loading more ---- */

static fhir_error_t *load_contexts(apr_array_header_t **contexts, const fhir_exchange_t *exchange,
                                   const fhir_membership_t *membership, const apr_array_header_t *references,
                                   int with_content)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    return fhir_meta_load_contexts(contexts, exchange->app->meta, membership->project_id, references, with_content,
                                   &call);
}

static fhir_error_t *load_facts_again(fhir_binary_facts_t *facts, const fhir_exchange_t *exchange)
{
    apr_array_header_t *references = apr_array_make(exchange->pool, 2, sizeof(const char *));
    apr_array_header_t *contexts;
    APR_ARRAY_PUSH(references, const char *) = facts->current ? facts->current->security_context : NULL;
    APR_ARRAY_PUSH(references, const char *) = facts->version ? facts->version->security_context : NULL;
    FHIR_TRY(load_contexts(&contexts, exchange, facts->membership, references, 1));
    facts->context = APR_ARRAY_IDX(contexts, 0, fhir_subject_t *);
    facts->version_context = APR_ARRAY_IDX(contexts, 1, fhir_subject_t *);
    return NULL;
}

/* Administrators' contexts are not loaded, but their scopes may speak of them. */
static int scopes_need_context(const fhir_exchange_t *exchange, const fhir_binary_facts_t *facts)
{
    return facts->membership->admin && facts->current && fhir_looks_at_subject(exchange, facts->membership, BINARY);
}

static void set_subjects(fhir_decision_t *decision, const fhir_binary_facts_t *facts, apr_pool_t *pool)
{
    decision->before = subject_of_current(facts, pool);
    decision->version = subject_of_version(facts, pool);
}

/* The load brought what is needed nearly always; if not, the rest is fetched once and expected the next time. */
static fhir_error_t *complete_facts(fhir_decision_t *decision, fhir_binary_facts_t *facts,
                                    const fhir_exchange_t *exchange)
{
    set_subjects(decision, facts, exchange->pool);
    if (!facts->membership) {
        return NULL;
    }
    if (decision->before) {
        fhir_remember_content(exchange, BINARY, fhir_decision_needs_content(decision));
    }
    if (fhir_lacks_content(decision, decision->before) || fhir_lacks_content(decision, decision->version) ||
        scopes_need_context(exchange, facts)) {
        FHIR_TRY(load_facts_again(facts, exchange));
        set_subjects(decision, facts, exchange->pool);
    }
    return NULL;
}

static void note(fhir_exchange_t *exchange, fhir_interaction_t interaction, const fhir_binary_facts_t *facts)
{
    const fhir_binary_t *binary = facts->version ? facts->version : facts->current;
    exchange->decided = apr_time_now();
    exchange->audit.membership = facts->membership;
    exchange->audit.interaction = (int)interaction;
    exchange->audit.context = binary ? binary->security_context : NULL;
    exchange->audit.version_id = binary ? binary->version_id : NULL;
}

/* ---- decisions ---- */

/* To look at a context's text takes many times its length: it is given back at once. A refusal is rare and may stay. */
static fhir_exchange_t aside(const fhir_exchange_t *exchange)
{
    fhir_exchange_t own = *exchange;
    apr_pool_create(&own.pool, exchange->pool);
    return own;
}

static fhir_error_t *decide_aside(const fhir_exchange_t *exchange, fhir_decision_t *decision)
{
    const fhir_exchange_t own = aside(exchange);
    FHIR_TRY(fhir_decide_now(&own, decision));
    apr_pool_destroy(own.pool);
    return NULL;
}

fhir_error_t *fhir_access(fhir_binary_facts_t *facts, fhir_exchange_t *exchange, fhir_interaction_t interaction,
                          const char *version_id)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    const char *id = interaction == FHIR_INTERACTION_CREATE ? NULL : exchange->route.id;
    fhir_decision_t decision;
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(fhir_meta_load_binary(facts, exchange->app->meta, &exchange->principal.key,
                                   id && fhir_id_valid(id) ? id : NULL, version_id,
                                   fhir_expect_content(exchange, BINARY), &call));
    note(exchange, interaction, facts);
    FHIR_TRY(fhir_rights(&facts->membership, exchange));
    decision = fhir_decision_of(exchange, facts->membership, interaction, BINARY);
    FHIR_TRY(complete_facts(&decision, facts, exchange));
    FHIR_TRY(
        fhir_as_unknown(exchange, fhir_as_unknown_version(exchange, &decision, decide_aside(exchange, &decision))));
    if (!facts->current && interaction != FHIR_INTERACTION_CREATE && interaction != FHIR_INTERACTION_UPDATE) {
        return fhir_binary_not_found(exchange->pool);
    }
    return NULL;
}

/* The stored resource that `context` names; the current version's is there already. */
static fhir_error_t *load_new_context(fhir_subject_t **subject, const fhir_exchange_t *exchange,
                                      const fhir_binary_facts_t *facts, const char *context)
{
    apr_array_header_t *references = apr_array_make(exchange->pool, 1, sizeof(const char *));
    apr_array_header_t *contexts;
    fhir_decision_t decision = fhir_decision_of(exchange, facts->membership, FHIR_INTERACTION_UPDATE, BINARY);
    *subject = facts->context;
    if (facts->current && facts->context && same_text(context, facts->current->security_context)) {
        return NULL;
    }
    *subject = NULL;
    if (!context || !fhir_looks_at_subject(exchange, facts->membership, BINARY)) {
        return NULL;
    }
    APR_ARRAY_PUSH(references, const char *) = context;
    FHIR_TRY(load_contexts(&contexts, exchange, facts->membership, references, fhir_expect_content(exchange, BINARY)));
    *subject = APR_ARRAY_IDX(contexts, 0, fhir_subject_t *);
    decision.after = *subject;
    if (fhir_lacks_content(&decision, *subject)) {
        FHIR_TRY(load_contexts(&contexts, exchange, facts->membership, references, 1));
        *subject = APR_ARRAY_IDX(contexts, 0, fhir_subject_t *);
    }
    return NULL;
}

/* A transaction may write the context itself: it must permit the Binary as it was and as it will be. */
static fhir_error_t *decide_pending(const fhir_exchange_t *exchange, fhir_decision_t *decision, const char *context)
{
    const fhir_subject_t *stored = decision->after;
    const fhir_subject_t *pending = NULL;
    if (context && exchange->pending) {
        FHIR_TRY(exchange->pending->find(&pending, exchange->pending->baton, context));
    }
    if (pending) {
        decision->after = pending;
        FHIR_TRY(fhir_decide_now(exchange, decision));
        if (!stored || !stored->there) {
            return NULL;
        }
        decision->after = stored;
    }
    return fhir_decide_now(exchange, decision);
}

static fhir_error_t *decide_write(const fhir_exchange_t *exchange, fhir_interaction_t interaction,
                                  const fhir_binary_facts_t *facts, const char *context)
{
    fhir_decision_t decision = fhir_decision_of(exchange, facts->membership, interaction, BINARY);
    fhir_subject_t *loaded;
    FHIR_TRY(load_new_context(&loaded, exchange, facts, context));
    decision.before = subject_of_current(facts, exchange->pool);
    decision.after = subject_of(context, loaded, facts->current ? facts->current->id : "", exchange->request->received,
                                exchange->pool);
    return decide_pending(exchange, &decision, context);
}

fhir_error_t *fhir_decide_write(const fhir_exchange_t *exchange, fhir_interaction_t interaction,
                                const fhir_binary_facts_t *facts, const char *new_security_context)
{
    const char *context = new_security_context && *new_security_context ? new_security_context : NULL;
    fhir_exchange_t own;
    FHIR_TRY(fhir_context_required(exchange, context));
    own = aside(exchange);
    FHIR_TRY(decide_write(&own, interaction, facts, context));
    apr_pool_destroy(own.pool);
    return NULL;
}

/* ---- many at once ---- */

static fhir_error_t *contexts_of(apr_array_header_t **contexts, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership, const fhir_binary_t *const *binaries, int count)
{
    apr_array_header_t *references = apr_array_make(exchange->pool, count, sizeof(const char *));
    int i;
    for (i = 0; i < count; i++) {
        APR_ARRAY_PUSH(references, const char *) = binaries[i] ? binaries[i]->security_context : NULL;
    }
    return load_contexts(
        contexts, exchange, membership, references,
        (membership->policy && fhir_policy_needs_content(membership->policy, NULL)) ||
            (exchange->principal.scopes && fhir_scopes_need_content(exchange->principal.scopes, BINARY)));
}

static int may_read(const fhir_exchange_t *exchange, const fhir_membership_t *membership, const fhir_binary_t *binary,
                    fhir_subject_t *context)
{
    const fhir_exchange_t own = aside(exchange);
    fhir_decision_t decision = fhir_decision_of(&own, membership, FHIR_INTERACTION_READ, BINARY);
    int readable;
    decision.before = subject_of(binary->security_context, context, binary->id, binary->last_updated, own.pool);
    readable = !fhir_decide_now(&own, &decision);
    apr_pool_destroy(own.pool);
    return readable;
}

/* A page has thousands of links, and a context may be large: what is the same for all Binaries under it is found out
 * once. `decided`: context -> "y" or "n". */
static int may_read_under(apr_hash_t *decided, const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                          const fhir_binary_t *binary, fhir_subject_t *const *context)
{
    const char *known;
    if (!*context) {
        return may_read(exchange, membership, binary, NULL);
    }
    known = apr_hash_get(decided, context, sizeof(*context));
    if (!known) {
        known = may_read(exchange, membership, binary, *context) ? "y" : "n";
        apr_hash_set(decided, context, sizeof(*context), known);
    }
    return *known == 'y';
}

static fhir_error_t *may_read_all(int *readable, const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                  const fhir_binary_t *const *binaries, int count)
{
    static fhir_subject_t *const none = NULL;
    apr_hash_t *decided = apr_hash_make(exchange->pool);
    apr_array_header_t *contexts = NULL;
    int i;
    if (fhir_looks_at_subject(exchange, membership, BINARY)) {
        FHIR_TRY(contexts_of(&contexts, exchange, membership, binaries, count));
    }
    for (i = 0; i < count; i++) {
        readable[i] = binaries[i] && may_read_under(decided, exchange, membership, binaries[i],
                                                    contexts ? &APR_ARRAY_IDX(contexts, i, fhir_subject_t *) : &none);
    }
    return NULL;
}

fhir_error_t *fhir_may_read_binaries(int *readable, const fhir_exchange_t *exchange,
                                     const fhir_membership_t *membership, const fhir_binary_t *const *binaries,
                                     int count)
{
    const fhir_exchange_t own = aside(exchange);
    FHIR_TRY(may_read_all(readable, &own, membership, binaries, count));
    apr_pool_destroy(own.pool);
    return NULL;
}

/* ---- signed uploads ---- */

fhir_error_t *fhir_may_still_update(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                    const fhir_binary_t *current)
{
    const fhir_membership_t *issuer = membership;
    fhir_binary_facts_t facts = {0};
    fhir_decision_t decision;
    FHIR_TRY(fhir_rights(&issuer, exchange));
    facts.membership = issuer;
    facts.current = current;
    if (fhir_looks_at_subject(exchange, issuer, BINARY)) {
        FHIR_TRY(load_facts_again(&facts, exchange));
    }
    decision = fhir_decision_of(exchange, issuer, FHIR_INTERACTION_UPDATE, BINARY);
    decision.peer_address = NULL;
    decision.before = subject_of_current(&facts, exchange->pool);
    return fhir_decide_now(exchange, &decision)
               ? fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                                   "Who issued this URL may not change the Binary any more. Ask for a new one.")
               : NULL;
}
