/* A transaction: everything that can be refused is, then all writes are made current at once, or none is (FHIR R4
 * http.html#trules: the order of the entries makes no difference). */
#include "outcome_map.h"
#include "resource_answer.h"
#include "transaction.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

/* A condition that changed between looking and locking is looked up again. */
#define ATTEMPTS 5
/* Stored resources that a transaction may hold at once. An entry of a few bytes can ask for one of many megabytes. */
#define LOADED_MAX ((apr_size_t)64 * 1024 * 1024)
/* What a patch makes of a text: the resource as it is sent, the patched one, their values. */
#define PATCHED_TIMES 4

/* ---- entries ---- */

static fhir_error_t *read_entries(fhir_bundle_entry_t *entries, const fhir_bundle_t *bundle)
{
    const fhir_exchange_t *exchange = bundle->exchange;
    int node = bundle->count > 0 ? fhir_json_first(bundle->document, bundle->entries) : -1;
    int i;
    for (i = 0; i < bundle->count; i++) {
        FHIR_TRY(fhir_bundle_entry_parse(&entries[i], bundle->document, node, i, exchange->settings, exchange->pool));
        node = bundle->document->nodes[node].next;
    }
    return NULL;
}

typedef fhir_error_t *(*step_fn)(fhir_part_t *part, fhir_transact_t *transact);

static fhir_error_t *count_held(fhir_transact_t *transact, apr_size_t bytes)
{
    transact->loaded += bytes;
    return transact->loaded <= LOADED_MAX
               ? NULL
               : fhir_error_public(transact->pool, FHIR_ERROR_TOO_LARGE,
                                   "The resources that this transaction changes, or that protect its Binaries, are too "
                                   "large together, so nothing of it was done. Send smaller ones.");
}

/* The resource was just loaded; NULL: none. */
static fhir_error_t *count_loaded(fhir_transact_t *transact, const fhir_resource_t *resource, apr_size_t times)
{
    return count_held(transact, resource ? resource->body_length * times : 0);
}

static fhir_error_t *plan(fhir_part_t *part, fhir_transact_t *transact)
{
    FHIR_TRY(fhir_part_plan(part, transact));
    return count_loaded(transact, part->facts.current, part->entry.method == FHIR_METHOD_PATCH ? PATCHED_TIMES : 1);
}

static fhir_error_t *resolve(fhir_part_t *part, fhir_transact_t *transact)
{
    FHIR_TRY(fhir_part_resolve(part, transact));
    return count_loaded(transact, part->write.existing, 1);
}

static fhir_error_t *store(fhir_part_t *part, fhir_transact_t *transact)
{
    FHIR_TRY(fhir_part_store(part, transact));
    return count_held(transact, part->held);
}

fhir_error_t *fhir_transact_check_time(const fhir_transact_t *transact)
{
    return apr_time_now() <= transact->end
               ? NULL
               : fhir_error_public(transact->pool, FHIR_ERROR_TIMEOUT,
                                   "The transaction took too long, so nothing of it was done. Send smaller ones.");
}

/* Each step needs the one before of all entries. */
static fhir_error_t *each(fhir_transact_t *transact, step_fn step)
{
    int i;
    for (i = 0; i < transact->count; i++) {
        fhir_part_t *part = &transact->parts[i];
        FHIR_TRY(fhir_transact_check_time(transact));
        transact->failed = part;
        FHIR_TRY(fhir_bundle_entry_error(step(part, transact), &part->entry, transact->pool));
    }
    transact->failed = NULL;
    return NULL;
}

/* ---- one resource, one entry ---- */

/* The `Type/id` that a part changes; NULL: none, or one that nobody knows yet. */
static const char *changes(const fhir_part_t *part, apr_pool_t *pool)
{
    const fhir_route_t *route = &part->exchange.route;
    if (part->kind == FHIR_PART_BINARY) {
        return route->id ? apr_pstrcat(pool, "Binary/", route->id, NULL) : NULL;
    }
    if (part->kind != FHIR_PART_WRITE || (part->write.kind == FHIR_CHANGE_CREATE && part->write.existing)) {
        return NULL;
    }
    return apr_pstrcat(pool, part->write.type, "/", part->write.id, NULL);
}

/* Two conditional writes that both find nothing would make two resources of what must be one. */
static const char *makes(const fhir_part_t *part, apr_pool_t *pool)
{
    return part->kind == FHIR_PART_WRITE && part->write.condition && !part->write.existing
               ? apr_pstrcat(pool, part->write.type, "?", part->write.condition->canonical, NULL)
               : NULL;
}

static fhir_error_t *claim(apr_hash_t *claimed, const char *what, const fhir_part_t *part, apr_pool_t *pool)
{
    const fhir_part_t *other = what ? apr_hash_get(claimed, what, APR_HASH_KEY_STRING) : NULL;
    if (other) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s and %s write the same resource: a transaction may do that once.",
                                 other->entry.place, part->entry.place);
    }
    if (what) {
        apr_hash_set(claimed, what, APR_HASH_KEY_STRING, part);
    }
    return NULL;
}

/* A conditional create that found what another entry deletes would be neither done nor needless. */
static fhir_error_t *check_found(apr_hash_t *claimed, const fhir_part_t *part, apr_pool_t *pool)
{
    const fhir_resource_write_t *write = &part->write;
    const fhir_part_t *other;
    if (part->kind != FHIR_PART_WRITE || write->kind != FHIR_CHANGE_CREATE || !write->existing) {
        return NULL;
    }
    other = apr_hash_get(claimed, apr_pstrcat(pool, write->type, "/", write->existing->id, NULL), APR_HASH_KEY_STRING);
    return other && other->entry.method == FHIR_METHOD_DELETE
               ? fhir_error_public(pool, FHIR_ERROR_INVALID, "%s deletes what the condition of %s finds.",
                                   other->entry.place, part->entry.place)
               : NULL;
}

static fhir_error_t *check_once(fhir_transact_t *transact)
{
    apr_hash_t *claimed = apr_hash_make(transact->pool);
    int i;
    for (i = 0; i < transact->count; i++) {
        fhir_part_t *part = &transact->parts[i];
        fhir_error_t *error = claim(claimed, changes(part, transact->pool), part, transact->pool);
        if (!error) {
            error = claim(claimed, makes(part, transact->pool), part, transact->pool);
        }
        FHIR_TRY(fhir_bundle_entry_error(error, &part->entry, transact->pool));
    }
    for (i = 0; i < transact->count; i++) {
        fhir_part_t *part = &transact->parts[i];
        FHIR_TRY(fhir_bundle_entry_error(check_found(claimed, part, transact->pool), &part->entry, transact->pool));
    }
    return NULL;
}

/* ---- commit ---- */

static int by_write(const void *a, const void *b)
{
    const fhir_resource_write_t *left = *(fhir_resource_write_t *const *)a;
    const fhir_resource_write_t *right = *(fhir_resource_write_t *const *)b;
    int order = strcmp(left->type, right->type);
    return order ? order : strcmp(left->id, right->id);
}

static int by_binary(const void *a, const void *b)
{
    const fhir_binary_part_t *left = *(fhir_binary_part_t *const *)a;
    const fhir_binary_part_t *right = *(fhir_binary_part_t *const *)b;
    return strcmp(left->change->binary_id, right->change->binary_id);
}

/* In one order everywhere, so that transactions never wait for each other in a circle. */
static fhir_error_t *commit(int *unknown, fhir_transact_t *transact)
{
    apr_array_header_t *writes = apr_array_make(transact->pool, transact->count, sizeof(fhir_resource_write_t *));
    apr_array_header_t *binaries = apr_array_make(transact->pool, 4, sizeof(fhir_binary_part_t *));
    int i;
    *unknown = 0;
    for (i = 0; i < transact->count; i++) {
        fhir_part_t *part = &transact->parts[i];
        if (part->kind == FHIR_PART_WRITE) {
            APR_ARRAY_PUSH(writes, fhir_resource_write_t *) = &part->write;
        } else if (part->kind == FHIR_PART_BINARY) {
            APR_ARRAY_PUSH(binaries, fhir_binary_part_t *) = &part->binary_part;
        }
    }
    if (writes->nelts + binaries->nelts == 0) {
        return NULL;
    }
    qsort(writes->elts, (size_t)writes->nelts, sizeof(fhir_resource_write_t *), by_write);
    qsort(binaries->elts, (size_t)binaries->nelts, sizeof(fhir_binary_part_t *), by_binary);
    return fhir_writes_commit(unknown, writes, binaries, &transact->exchange, transact->bundle->membership);
}

/* ---- an attempt ---- */

static void discard(fhir_transact_t *transact)
{
    int i;
    for (i = 0; i < transact->count; i++) {
        if (transact->parts[i].binary) {
            fhir_binary_write_discard(transact->parts[i].binary);
            transact->parts[i].binary = NULL;
        }
    }
}

static fhir_error_t *prepare(fhir_transact_t *transact)
{
    FHIR_TRY(each(transact, plan));
    FHIR_TRY(each(transact, resolve));
    FHIR_TRY(check_once(transact));
    FHIR_TRY(each(transact, fhir_part_link));
    FHIR_TRY(each(transact, store));
    return each(transact, fhir_part_prepare);
}

/* *again: what the attempt stood on has changed meanwhile. */
static fhir_error_t *attempt(int *again, fhir_transact_t *transact)
{
    fhir_error_t *error = prepare(transact);
    int unknown;
    *again = 0;
    if (error) {
        discard(transact);
        return error;
    }
    error = commit(&unknown, transact);
    if (error && !unknown) {
        discard(transact);
        *again = error->code == FHIR_ERROR_CONFLICT || error->code == FHIR_ERROR_PRECONDITION_FAILED;
    }
    return error;
}

static void begin(fhir_transact_t *transact, const fhir_bundle_t *bundle, const fhir_bundle_entry_t *entries,
                  apr_time_t end)
{
    int i;
    memset(transact, 0, sizeof(*transact));
    transact->bundle = bundle;
    transact->end = end;
    apr_pool_create(&transact->pool, bundle->exchange->pool);
    transact->exchange = *bundle->exchange;
    transact->exchange.pool = transact->pool;
    transact->count = bundle->count;
    transact->parts = apr_pcalloc(transact->pool, sizeof(fhir_part_t) * (apr_size_t)(bundle->count + 1));
    transact->links = fhir_bundle_links_create(transact->pool);
    transact->conditional = apr_hash_make(transact->pool);
    for (i = 0; i < transact->count; i++) {
        transact->parts[i].entry = entries[i];
    }
}

/* The entry that nothing of the transaction was done for is an event of its own: it may have been somebody else's. */
static void note_refusal(const fhir_transact_t *transact, const fhir_error_t *error)
{
    const fhir_part_t *part = transact->failed;
    if (part && part->exchange.app) {
        fhir_exchange_t exchange = part->exchange;
        exchange.audit.membership = transact->bundle->membership;
        fhir_audit_entry(&exchange, fhir_error_http_status(error), error);
    }
}

fhir_error_t *fhir_bundle_transaction(fhir_response_t **response, const fhir_bundle_t *bundle)
{
    apr_pool_t *pool = bundle->exchange->pool;
    fhir_bundle_entry_t *entries = apr_pcalloc(pool, sizeof(*entries) * (apr_size_t)(bundle->count + 1));
    fhir_transact_t transact;
    fhir_error_t *error;
    apr_time_t end = apr_time_now() + FHIR_BUNDLE_REQUESTS * bundle->exchange->settings->request_timeout;
    int number = 0;
    int again;
    FHIR_TRY(read_entries(entries, bundle));
    begin(&transact, bundle, entries, end);
    while ((error = attempt(&again, &transact)) != NULL && again && ++number < ATTEMPTS) {
        apr_pool_destroy(transact.pool);
        begin(&transact, bundle, entries, end);
    }
    if (error) {
        note_refusal(&transact, error);
        return error;
    }
    fhir_transact_answer(response, &transact);
    return NULL;
}
