/* A write of a resource, step by step: resolve the condition, prepare, commit. */
#include "resource_write.h"

#include "../fhir/project_resources.h"
#include "../fhir/resource_members.h"
#include "external_fetch_want.h"
#include "resource_access.h"
#include "rights.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

/* ---- conditions ---- */

fhir_error_t *fhir_condition_parse(const fhir_search_t **condition, const fhir_exchange_t *exchange,
                                   const fhir_membership_t *membership, const char *type, const char *query)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(exchange);
    apr_array_header_t *parameters;
    fhir_search_t *search;
    const char *mark = strchr(query, '?');
    FHIR_TRY(fhir_query_parse(&parameters, mark ? mark + 1 : query, exchange->pool));
    FHIR_TRY(fhir_search_parse(&search, type, parameters, 1, &addresses, exchange->pool));
    if (search->criteria->nelts == 0 || search->includes->nelts > 0) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                                 "The condition must be a search for one %s, such as identifier=system|value.", type);
    }
    FHIR_TRY(fhir_search_permit(search, exchange, membership));
    search->count = 2; /* one or several: more need not be known */
    *condition = search;
    return NULL;
}

static fhir_error_t *several_match(const fhir_resource_write_t *write, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_PRECONDITION_FAILED,
                             "Several %s resources match the condition; make it more specific.", write->type);
}

static fhir_error_t *take_match(fhir_resource_write_t *write, const apr_array_header_t *matches, apr_pool_t *pool)
{
    if (matches->nelts > 1) {
        return several_match(write, pool);
    }
    write->existing = matches->nelts == 1 ? APR_ARRAY_IDX(matches, 0, const fhir_resource_t *) : NULL;
    return NULL;
}

/* FHIR R4 http.html#cond-update: the id in the body must be the one that was found. */
static fhir_error_t *id_after_match(fhir_resource_write_t *write, const fhir_exchange_t *exchange)
{
    const char *sent = write->sent.id;
    if (write->existing) {
        write->id = write->existing->id;
        if (write->kind == FHIR_CHANGE_UPDATE && sent && strcmp(sent, write->id) != 0) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                                     "The resource has an id, and the condition found a %s with another one.",
                                     write->type);
        }
        return NULL;
    }
    if (write->kind == FHIR_CHANGE_UPDATE && sent && exchange->settings->update_create) {
        write->id = sent;
        return NULL;
    }
    write->kind = FHIR_CHANGE_CREATE;
    return fhir_random_uuid(&write->id, exchange->pool);
}

fhir_error_t *fhir_write_resolve(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_search_page_t page;
    if (!write->condition) {
        return NULL;
    }
    FHIR_TRY(fhir_meta_search(&page, exchange->app->meta, membership->project_id, write->condition, &call));
    FHIR_TRY(take_match(write, page.matches, exchange->pool));
    if (write->existing) {
        write->before = fhir_subject_of_resource(write->existing, exchange->pool);
        write->current = write->existing;
        write->decided_version = write->existing->version_id;
    }
    return id_after_match(write, exchange);
}

void fhir_write_stands_on(fhir_resource_write_t *write, const fhir_resource_facts_t *facts)
{
    write->before = facts->subject;
    write->current = facts->current && facts->current->body ? facts->current : NULL;
    write->decided_version = facts->current ? facts->current->version_id : NULL;
}

/* ---- preparing ---- */

/* The pins of the version that is replaced, read when a storage URL asks for them. */
typedef struct pins_t {
    const fhir_exchange_t *exchange;
    const fhir_membership_t *membership;
    const char *type;
    const char *id;
    apr_hash_t *pinned; /* `id/version`; NULL: not read yet */
    fhir_error_t *error;
} pins_t;

static const char *pin_of(const char *binary_id, const char *version_id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, binary_id, "/", version_id, NULL);
}

static fhir_error_t *read_pins(pins_t *pins)
{
    const fhir_exchange_t *exchange = pins->exchange;
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    apr_array_header_t *one = apr_array_make(exchange->pool, 1, sizeof(const fhir_resource_t *));
    apr_array_header_t *found = apr_array_make(exchange->pool, 0, sizeof(fhir_attachment_facts_t));
    fhir_resource_facts_t facts;
    int i;
    FHIR_TRY(fhir_meta_load_resource(&facts, exchange->app->meta, &exchange->principal.key, pins->type, pins->id, NULL,
                                     0, &call));
    if (facts.current && facts.current->attachment_count > 0) {
        APR_ARRAY_PUSH(one, const fhir_resource_t *) = facts.current;
        FHIR_TRY(fhir_meta_load_attachments(&found, exchange->app->meta, pins->membership->project_id, one, &call));
    }
    pins->pinned = apr_hash_make(exchange->pool);
    for (i = 0; i < found->nelts; i++) {
        const fhir_attachment_t *link = &APR_ARRAY_IDX(found, i, fhir_attachment_facts_t).link;
        if (link->binary_version_id) {
            apr_hash_set(pins->pinned, pin_of(link->binary_id, link->binary_version_id, exchange->pool),
                         APR_HASH_KEY_STRING, "");
        }
    }
    return NULL;
}

/* A signed URL names a version without pinning it. Only what was pinned before stays pinned when it is put back. */
static int was_pinned(void *baton, const char *binary_id, const char *version_id)
{
    pins_t *pins = baton;
    if (!pins->pinned && !pins->error) {
        pins->error = read_pins(pins);
    }
    return !pins->error &&
           apr_hash_get(pins->pinned, pin_of(binary_id, version_id, pins->exchange->pool), APR_HASH_KEY_STRING) != NULL;
}

static fhir_error_t *too_many_values(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE,
                             "A resource may have %d values that can be searched. Split it into several resources.",
                             FHIR_INDEX_VALUES_MAX);
}

static fhir_error_t *normalise(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                               const fhir_membership_t *membership, const fhir_prepare_t *links)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(exchange);
    fhir_store_resource_t *stored = apr_pcalloc(exchange->pool, sizeof(*stored));
    pins_t pins = {exchange, membership, write->type, write->id, NULL, NULL};
    fhir_prepare_t how = {0};
    if (links) {
        how = *links;
    }
    how.addresses = &addresses;
    how.attachments_max = FHIR_ATTACHMENTS_MAX;
    if (write->kind == FHIR_CHANGE_UPDATE) {
        how.pinned = was_pinned;
        how.pinned_baton = &pins;
    }
    FHIR_TRY(fhir_resource_prepare(stored, &write->sent, &how, exchange->pool));
    FHIR_TRY(pins.error);
    write->change.stored = stored;
    write->change.index_values = fhir_search_index(write->type, write->id, stored, &addresses, exchange->pool);
    return write->change.index_values->nelts <= FHIR_INDEX_VALUES_MAX ? NULL : too_many_values(exchange->pool);
}

static fhir_subject_t *subject_after(const fhir_resource_write_t *write, const fhir_exchange_t *exchange)
{
    fhir_subject_t *after = apr_pcalloc(exchange->pool, sizeof(*after));
    fhir_subject_of_values(after, write->type, write->id, write->change.index_values);
    after->last_updated = exchange->request->received;
    return after;
}

/* Elements that the writer must not change are as they were, whatever he sent. */
static fhir_error_t *keep_elements(int *changed, fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                   const apr_array_header_t *elements)
{
    fhir_sent_resource_t restored;
    *changed = elements != NULL;
    if (elements) {
        FHIR_TRY(fhir_resource_restore(&restored, &write->sent, write->current, elements, exchange->pool));
        write->sent = restored;
    }
    return NULL;
}

static fhir_error_t *store_form(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                const fhir_membership_t *membership, const fhir_prepare_t *links)
{
    fhir_interaction_t interaction =
        write->kind == FHIR_CHANGE_CREATE ? FHIR_INTERACTION_CREATE : FHIR_INTERACTION_UPDATE;
    int changed = 0;
    FHIR_TRY(fhir_project_resource_check(&write->sent, exchange->pool));
    FHIR_TRY(keep_elements(&changed, write, exchange,
                           fhir_kept_elements(exchange, membership, FHIR_INTERACTION_UPDATE, write->before)));
    FHIR_TRY(normalise(write, exchange, membership, links));
    if (!write->before) {
        FHIR_TRY(keep_elements(
            &changed, write, exchange,
            fhir_kept_elements(exchange, membership, FHIR_INTERACTION_CREATE, subject_after(write, exchange))));
        FHIR_TRY(changed ? normalise(write, exchange, membership, links) : NULL);
    }
    return fhir_resource_decide_write(exchange, membership, interaction, write->type, write->before,
                                      subject_after(write, exchange));
}

/* What was decided must still be what is replaced. Who may do everything need not care. */
static const char *expected_version(const fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                    const fhir_membership_t *membership)
{
    if (write->expected_version || write->kind == FHIR_CHANGE_CREATE) {
        return write->expected_version;
    }
    if (write->existing || fhir_looks_at_subject(exchange, membership, write->type)) {
        return write->decided_version ? write->decided_version : write->change.version_id;
    }
    return NULL;
}

fhir_error_t *fhir_write_prepare(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership, const fhir_prepare_t *links)
{
    fhir_resource_change_t *change = &write->change;
    memset(change, 0, sizeof(*change));
    write->has_change = !(write->kind == FHIR_CHANGE_CREATE && write->existing);
    if (!write->has_change) {
        write->result = write->existing;
        return NULL;
    }
    change->kind = write->kind;
    change->project_id = membership->project_id;
    change->membership_id = membership->id;
    change->type = write->type;
    change->id = write->id;
    change->may_create = exchange->settings->update_create;
    FHIR_TRY(fhir_random_uuid(&change->version_id, exchange->pool));
    change->expected_version = expected_version(write, exchange, membership);
    return write->kind == FHIR_CHANGE_DELETE ? NULL : store_form(write, exchange, membership, links);
}

/* ---- commit ---- */

fhir_error_t *fhir_write_commit(fhir_resource_write_t *write, const fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    call.cancelled = NULL; /* everything is there: finish even if the client hung up */
    FHIR_TRY(fhir_meta_resource_commit(&write->result, exchange->app->meta, &write->change, &call));
    write->created |= write->result->change == FHIR_CHANGE_CREATE || write->result->sequence == 1;
    fhir_external_fetch_enqueue(exchange, &write->change);
    return NULL;
}

static int by_condition(const void *a, const void *b)
{
    const fhir_resource_write_t *left = *(const fhir_resource_write_t *const *)a;
    const fhir_resource_write_t *right = *(const fhir_resource_write_t *const *)b;
    int order = strcmp(left->type, right->type);
    return order ? order : strcmp(left->condition->canonical, right->condition->canonical);
}

/* All in one order, so that no two transactions wait for each other. */
static fhir_error_t *lock_conditions(fhir_transaction_t *transaction, const apr_array_header_t *writes,
                                     const fhir_membership_t *membership, apr_pool_t *pool)
{
    apr_array_header_t *sorted = apr_array_make(pool, writes->nelts, sizeof(fhir_resource_write_t *));
    int i;
    for (i = 0; i < writes->nelts; i++) {
        fhir_resource_write_t *write = APR_ARRAY_IDX(writes, i, fhir_resource_write_t *);
        if (write->condition) {
            APR_ARRAY_PUSH(sorted, fhir_resource_write_t *) = write;
        }
    }
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(fhir_resource_write_t *), by_condition);
    for (i = 0; i < sorted->nelts; i++) {
        const fhir_resource_write_t *write = APR_ARRAY_IDX(sorted, i, fhir_resource_write_t *);
        FHIR_TRY(fhir_transaction_lock(transaction, membership->project_id, write->type, write->condition->canonical));
    }
    return NULL;
}

static int same_match(const fhir_resource_t *a, const fhir_resource_t *b)
{
    return a == b || (a && b && strcmp(a->version_id, b->version_id) == 0);
}

/* Under the locks: does the condition still find what the write was prepared for? */
static fhir_error_t *check_condition(const fhir_resource_write_t *write, fhir_transaction_t *transaction,
                                     const fhir_membership_t *membership, apr_pool_t *pool)
{
    fhir_resource_write_t again = *write;
    apr_array_header_t *matches;
    if (!write->condition) {
        return NULL;
    }
    FHIR_TRY(fhir_transaction_search(&matches, transaction, membership->project_id, write->condition, 2));
    FHIR_TRY(take_match(&again, matches, pool));
    return same_match(again.existing, write->existing)
               ? NULL
               : fhir_error_public(pool, FHIR_ERROR_CONFLICT,
                                   "Somebody else wrote a %s that the condition finds. Send the request again.",
                                   write->type);
}

static fhir_error_t *at(fhir_error_t *error, const char *place)
{
    if (error && place) {
        error->expression = place;
    }
    return error;
}

static fhir_error_t *write_all(fhir_transaction_t *transaction, const apr_array_header_t *writes,
                               const apr_array_header_t *binaries)
{
    int i;
    for (i = 0; binaries && i < binaries->nelts; i++) {
        fhir_binary_part_t *part = APR_ARRAY_IDX(binaries, i, fhir_binary_part_t *);
        FHIR_TRY(at(fhir_transaction_write_binary(&part->result, transaction, part->change), part->place));
    }
    for (i = 0; i < writes->nelts; i++) {
        fhir_resource_write_t *write = APR_ARRAY_IDX(writes, i, fhir_resource_write_t *);
        if (write->has_change) {
            FHIR_TRY(at(fhir_transaction_write(&write->result, transaction, &write->change), write->place));
            write->created = write->result->change == FHIR_CHANGE_CREATE || write->result->sequence == 1;
        }
    }
    return NULL;
}

static fhir_error_t *run_transaction(fhir_transaction_t *transaction, const apr_array_header_t *writes,
                                     const apr_array_header_t *binaries, const fhir_exchange_t *exchange,
                                     const fhir_membership_t *membership)
{
    int i;
    FHIR_TRY(lock_conditions(transaction, writes, membership, exchange->pool));
    for (i = 0; i < writes->nelts; i++) {
        const fhir_resource_write_t *write = APR_ARRAY_IDX(writes, i, fhir_resource_write_t *);
        FHIR_TRY(at(check_condition(write, transaction, membership, exchange->pool), write->place));
    }
    return write_all(transaction, writes, binaries);
}

static void enqueue_external(const apr_array_header_t *writes, const fhir_exchange_t *exchange)
{
    int i;
    for (i = 0; i < writes->nelts; i++) {
        const fhir_resource_write_t *write = APR_ARRAY_IDX(writes, i, fhir_resource_write_t *);
        if (write->has_change) {
            fhir_external_fetch_enqueue(exchange, &write->change);
        }
    }
}

fhir_error_t *fhir_writes_commit(int *unknown, const apr_array_header_t *writes, const apr_array_header_t *binaries,
                                 const fhir_exchange_t *exchange, const fhir_membership_t *membership)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_transaction_t *transaction;
    fhir_error_t *error;
    *unknown = 0;
    call.cancelled = NULL;
    FHIR_TRY(fhir_meta_begin(&transaction, exchange->app->meta, &call));
    error = run_transaction(transaction, writes, binaries, exchange, membership);
    if (error) {
        fhir_transaction_rollback(transaction);
        return error;
    }
    error = fhir_transaction_commit(transaction);
    *unknown = error != NULL;
    if (!error) {
        enqueue_external(writes, exchange);
    }
    return error;
}
