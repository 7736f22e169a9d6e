/* References of a transaction's resources: to each other by fullUrl, to what is stored by condition. */
#include "resource_access.h"
#include "resource_steps.h"
#include "transaction.h"

#include <apr_strings.h>
#include <string.h>

/* Each costs a search. */
#define CONDITIONAL_MAX 1000
/* A longer condition is not repeated in the error. */
#define SHOWN_MAX 300

fhir_error_t *fhir_part_link(fhir_part_t *part, fhir_transact_t *transact)
{
    const char *type = part->exchange.route.type;
    const char *id = NULL;
    int is_new = 0;
    if (part->kind == FHIR_PART_WRITE && part->write.kind != FHIR_CHANGE_DELETE) {
        id = part->write.id;
        is_new = part->write.kind == FHIR_CHANGE_CREATE && !part->write.existing;
    } else if (part->kind == FHIR_PART_BINARY && part->binary_change != FHIR_CHANGE_DELETE) {
        is_new = part->binary_change == FHIR_CHANGE_CREATE;
        id = !is_new        ? part->exchange.route.id
             : part->binary ? fhir_binary_write_change(part->binary)->binary_id
                            : NULL;
    }
    return id ? fhir_bundle_links_add(transact->links, part->entry.full_url,
                                      apr_pstrcat(transact->pool, type, "/", id, NULL), is_new)
              : NULL;
}

/* ---- conditional references ---- */

/* While one resource is prepared. */
typedef struct linking_t {
    fhir_transact_t *transact;
    const fhir_part_t *part;
    fhir_error_t *error;
} linking_t;

static const char *resolve_url(void *baton, const char *value)
{
    const linking_t *linking = baton;
    return fhir_bundle_links_find(linking->transact->links, linking->part->entry.full_url, value,
                                  linking->transact->pool);
}

static fhir_error_t *index_part(fhir_part_t *part, fhir_transact_t *transact)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(&transact->exchange);
    fhir_store_resource_t stored = {0};
    linking_t linking = {transact, part, NULL};
    fhir_prepare_t how = {0};
    how.addresses = &addresses;
    how.attachments_max = FHIR_ATTACHMENTS_MAX;
    how.resolve = resolve_url;
    how.resolve_baton = &linking;
    FHIR_TRY(fhir_resource_prepare(&stored, &part->write.sent, &how, transact->pool));
    part->index_values = fhir_search_index(part->write.type, part->write.id, &stored, &addresses, transact->pool);
    return NULL;
}

/* Would the search find what this part writes? */
static fhir_error_t *part_matches(int *matches, fhir_part_t *part, const fhir_search_t *search,
                                  fhir_transact_t *transact)
{
    fhir_resource_t resource = {0};
    *matches = 0;
    if (part->kind != FHIR_PART_WRITE || !part->write.sent.document || strcmp(part->write.type, search->type) != 0 ||
        (part->write.kind == FHIR_CHANGE_CREATE && part->write.existing)) {
        return NULL;
    }
    if (!part->index_values) {
        FHIR_TRY(index_part(part, transact));
    }
    resource.type = part->write.type;
    resource.id = part->write.id;
    resource.last_updated = apr_time_now();
    *matches = fhir_search_matches(search, &resource, part->index_values);
    return NULL;
}

static int is_listed(const apr_array_header_t *resources, const char *id)
{
    int i;
    for (i = 0; i < resources->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(resources, i, const fhir_resource_t *)->id, id) == 0) {
            return 1;
        }
    }
    return 0;
}

/* FHIR R4 http.html#trules: conditional references come last, so they see what the transaction itself writes. *id is
 * one of those found; NULL: none. */
static fhir_error_t *count_matches(int *count, const char **id, const fhir_search_t *search, fhir_transact_t *transact,
                                   apr_pool_t *scratch)
{
    fhir_call_t call = fhir_exchange_call_after_body(&transact->exchange);
    fhir_search_page_t page;
    int matches;
    int i;
    call.pool = scratch;
    FHIR_TRY(
        fhir_meta_search(&page, transact->exchange.app->meta, transact->bundle->membership->project_id, search, &call));
    *count = page.matches->nelts;
    *id = *count > 0 ? APR_ARRAY_IDX(page.matches, 0, const fhir_resource_t *)->id : NULL;
    for (i = 0; i < transact->count; i++) {
        FHIR_TRY(fhir_transact_check_time(transact));
        FHIR_TRY(part_matches(&matches, &transact->parts[i], search, transact));
        if (matches && !is_listed(page.matches, transact->parts[i].write.id)) {
            (*count)++;
            *id = transact->parts[i].write.id;
        }
    }
    return NULL;
}

static fhir_error_t *not_one(const linking_t *linking, const char *type, const char *value, int count)
{
    fhir_error_t *error = fhir_error_public(
        linking->transact->pool, FHIR_ERROR_PRECONDITION_FAILED,
        "%s refers to %s, and %s %s matches that condition: it must be exactly one.", linking->part->entry.place,
        strlen(value) <= SHOWN_MAX ? value : type, count ? "more than one" : "no", type);
    error->expression = linking->part->entry.place;
    return error;
}

/* What was found may be large, and only its id is needed. */
static fhir_error_t *find_one(const char **reference, const linking_t *linking, const fhir_search_t *search,
                              const char *type, const char *value)
{
    fhir_transact_t *transact = linking->transact;
    apr_pool_t *scratch;
    const char *id;
    int count;
    apr_pool_create(&scratch, transact->pool);
    FHIR_TRY(count_matches(&count, &id, search, transact, scratch));
    if (count != 1) {
        return not_one(linking, type, value, count);
    }
    *reference = apr_pstrcat(transact->pool, type, "/", id, NULL);
    apr_pool_destroy(scratch);
    return NULL;
}

static fhir_error_t *look_up(const char **reference, const linking_t *linking, const char *type, const char *value)
{
    fhir_transact_t *transact = linking->transact;
    const fhir_search_t *search;
    *reference = apr_hash_get(transact->conditional, value, APR_HASH_KEY_STRING);
    if (*reference) {
        return NULL;
    }
    if (strcmp(type, "Binary") == 0 || apr_hash_count(transact->conditional) == CONDITIONAL_MAX) {
        return fhir_error_public(transact->pool, FHIR_ERROR_INVALID, "%s",
                                 *type == 'B' && !strcmp(type, "Binary")
                                     ? "A Binary can't be searched, so a conditional reference can't lead to one."
                                     : "There are too many different conditional references in this transaction.");
    }
    FHIR_TRY(fhir_condition_parse(&search, &transact->exchange, transact->bundle->membership, type, value));
    FHIR_TRY(find_one(reference, linking, search, type, value));
    apr_hash_set(transact->conditional, apr_pstrdup(transact->pool, value), APR_HASH_KEY_STRING, *reference);
    return NULL;
}

/* ---- resources ---- */

static const char *resolve_reference(void *baton, const char *value)
{
    linking_t *linking = baton;
    const char *reference = resolve_url(linking, value);
    const char *type = reference ? NULL : fhir_conditional_reference(value, linking->transact->pool);
    if (type && !linking->error) {
        linking->error = look_up(&reference, linking, type, value);
    }
    return reference;
}

fhir_error_t *fhir_part_prepare(fhir_part_t *part, fhir_transact_t *transact)
{
    linking_t linking = {transact, part, NULL};
    fhir_prepare_t links = {0};
    if (part->kind != FHIR_PART_WRITE) {
        return NULL;
    }
    links.resolve = resolve_url;
    links.resolve_reference = resolve_reference;
    links.resolve_baton = &linking;
    FHIR_TRY(fhir_write_prepare(&part->write, &part->exchange, transact->bundle->membership, &links));
    FHIR_TRY(linking.error);
    if (part->write.kind == FHIR_CHANGE_UPDATE && part->exchange.route.id) {
        fhir_update_keep_promise(&part->write, &part->facts, &part->exchange);
    }
    return NULL;
}

/* ---- Binaries ---- */

static fhir_error_t *bad_context(const fhir_part_t *part, apr_pool_t *pool)
{
    fhir_error_t *error = fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "The securityContext names no entry of this transaction that can protect a Binary: its fullUrl is needed.");
    error->expression = apr_pstrcat(pool, part->entry.place, ".resource.securityContext.reference", NULL);
    return error;
}

/* The entry's text with another securityContext; every other byte stays. */
static void replace_context(fhir_part_t *part, const fhir_transact_t *transact, int resource, int reference,
                            const char *value)
{
    const fhir_json_document_t *document = transact->bundle->document;
    const fhir_json_node_t *whole = &document->nodes[resource];
    const fhir_json_node_t *old = &document->nodes[reference];
    const char *end = document->text + whole->offset + whole->length;
    const char *rest = document->text + old->offset + old->length;
    fhir_text_t text;
    fhir_text_init(&text, transact->pool);
    fhir_text_add_bytes(&text, document->text + whole->offset, old->offset - whole->offset);
    fhir_text_add_json_string(&text, value);
    fhir_text_add_bytes(&text, rest, (apr_size_t)(end - rest));
    part->exchange.request->body = fhir_body_memory(text.text, text.length, 0, transact->pool);
}

static fhir_error_t *link_context(fhir_part_t *part, fhir_transact_t *transact)
{
    const fhir_json_document_t *document = transact->bundle->document;
    linking_t linking = {transact, part, NULL};
    int context = fhir_json_member(document, part->entry.resource, "securityContext");
    int reference = fhir_json_member(document, context, "reference");
    const char *value = fhir_json_string(document, reference, transact->pool);
    const char *resolved = value ? resolve_reference(&linking, value) : NULL;
    FHIR_TRY(linking.error);
    if (resolved) {
        replace_context(part, transact, part->entry.resource, reference, resolved);
    } else if (value && strncmp(value, "urn:", 4) == 0) {
        return bad_context(part, transact->pool);
    }
    return NULL;
}

/* The part that writes `Type/id`; NULL: none does. */
static fhir_part_t *part_of_reference(fhir_transact_t *transact, const char *reference)
{
    int i;
    for (i = 0; i < transact->count; i++) {
        fhir_part_t *part = &transact->parts[i];
        const fhir_resource_write_t *write = &part->write;
        if (part->kind == FHIR_PART_WRITE && write->sent.document && write->id &&
            !(write->kind == FHIR_CHANGE_CREATE && write->existing) &&
            strcmp(apr_pstrcat(transact->pool, write->type, "/", write->id, NULL), reference) == 0) {
            return part;
        }
    }
    return NULL;
}

static fhir_error_t *pending_subject(const fhir_subject_t **subject, void *baton, const char *context)
{
    fhir_transact_t *transact = baton;
    fhir_part_t *part = part_of_reference(transact, context);
    fhir_subject_t *made;
    *subject = NULL;
    if (!part) {
        return NULL;
    }
    if (!part->index_values) {
        FHIR_TRY(index_part(part, transact));
    }
    made = apr_pcalloc(transact->pool, sizeof(*made));
    fhir_subject_of_values(made, part->write.type, part->write.id, part->index_values);
    made->is_context = 1;
    made->last_updated = transact->exchange.request->received;
    *subject = made;
    return NULL;
}

fhir_error_t *fhir_part_store(fhir_part_t *part, fhir_transact_t *transact)
{
    fhir_pending_t *pending;
    fhir_binary_write_t *write;
    fhir_error_t *error;
    if (part->kind != FHIR_PART_BINARY) {
        return NULL;
    }
    if (part->binary_change != FHIR_CHANGE_DELETE) {
        FHIR_TRY(link_context(part, transact));
    }
    pending = apr_palloc(transact->pool, sizeof(*pending));
    pending->find = pending_subject;
    pending->baton = transact;
    part->exchange.pending = pending;
    error = fhir_binary_write_prepare(&write, &part->exchange, part->binary_change);
    part->held = fhir_binary_write_held(write);
    if (error && error->code == FHIR_ERROR_NOT_FOUND && part->binary_change == FHIR_CHANGE_DELETE) {
        part->kind = FHIR_PART_NOTHING;
        part->refusal = error;
        return NULL;
    }
    FHIR_TRY(error);
    part->binary = write;
    part->binary_part.change = fhir_binary_write_change(write);
    part->binary_part.place = part->entry.place;
    return part->binary_change == FHIR_CHANGE_CREATE ? fhir_part_link(part, transact) : NULL;
}
