/* A fetched attachment becomes a Binary, and the resource names it, in one transaction. */
#include "external_fetch_attach.h"

#include "../base/text.h"
#include "../fhir/external_urls.h"
#include "../meta/resources.h"

#include <string.h>

#define TRIES 5

/* The resource as it is now; NULL: gone. */
static fhir_error_t *load(const fhir_resource_t **current, fhir_transaction_t *transaction, const fhir_fetch_job_t *job)
{
    FHIR_TRY(fhir_transaction_load(current, transaction, job->project_id, job->type, job->resource_id));
    if (*current && (*current)->change == FHIR_CHANGE_DELETE) {
        *current = NULL;
    }
    return NULL;
}

/* Places of the URL in the stored body, as edits to `replacement`. */
static fhir_error_t *edits_of(apr_array_header_t **edits, const fhir_resource_t *resource, const char *url,
                              const char *replacement, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, "{", resource->body, "}", NULL);
    const fhir_json_document_t *document;
    apr_array_header_t *places;
    int i;
    FHIR_TRY(fhir_json_parse(&document, text, resource->body_length + 2, &fhir_json_resource_limits, pool));
    FHIR_TRY(fhir_external_urls(&places, document, 0, resource->type, url, 0, pool));
    *edits = apr_array_make(pool, places->nelts, sizeof(fhir_body_edit_t));
    for (i = 0; i < places->nelts; i++) {
        const fhir_json_node_t *node = &document->nodes[APR_ARRAY_IDX(places, i, fhir_external_url_t).node];
        fhir_body_edit_t *edit = apr_array_push(*edits);
        edit->offset = node->offset - 1; /* the brace is not in the body */
        edit->removed = node->length;
        edit->text = replacement;
    }
    return NULL;
}

/* The way that a client's update would take: the whole text, checked, normalised, indexed. */
static fhir_error_t *prepare(fhir_resource_change_t *change, const fhir_attach_t *attach,
                             const fhir_resource_t *resource, const apr_array_header_t *edits, apr_pool_t *pool)
{
    const fhir_settings_t *settings = attach->app->settings;
    const fhir_addresses_t addresses = {settings->fhir_base, settings->storage_base_url};
    const fhir_view_t view = {0};
    fhir_prepare_t how = {0};
    fhir_store_resource_t *stored = apr_pcalloc(pool, sizeof(*stored));
    const fhir_json_document_t *document;
    fhir_sent_resource_t sent;
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_resource_render(&json, resource, edits, &view);
    FHIR_TRY(fhir_json_parse(&document, json.text, json.length, &fhir_json_resource_limits, pool));
    FHIR_TRY(fhir_resource_check(&sent, document, 0, resource->type, pool));
    how.addresses = &addresses;
    FHIR_TRY(fhir_resource_prepare(stored, &sent, &how, pool));
    memset(change, 0, sizeof(*change));
    change->kind = FHIR_CHANGE_UPDATE;
    change->project_id = attach->job->project_id;
    change->membership_id = attach->job->membership_id;
    change->type = resource->type;
    change->id = resource->id;
    change->expected_version = resource->version_id;
    change->stored = stored;
    change->index_values = fhir_search_index(resource->type, resource->id, stored, &addresses, pool);
    return fhir_random_uuid(&change->version_id, pool);
}

static fhir_error_t *binary_change(fhir_version_change_t *change, const fhir_attach_t *attach, apr_pool_t *pool)
{
    memset(change, 0, sizeof(*change));
    change->kind = FHIR_CHANGE_CREATE;
    change->project_id = attach->job->project_id;
    change->membership_id = attach->job->membership_id;
    change->binary_id = attach->binary_id;
    change->content_type = attach->content_type;
    change->security_context = apr_pstrcat(pool, attach->job->type, "/", attach->job->resource_id, NULL);
    change->filename = attach->filename;
    change->content = attach->content;
    return fhir_random_uuid(&change->version_id, pool);
}

/* *edits has no elements: nothing was written. */
static fhir_error_t *write_both(apr_array_header_t **edits, const fhir_attach_t *attach,
                                fhir_transaction_t *transaction, const fhir_call_t *call)
{
    const char *reference = apr_pstrcat(call->pool, "\"Binary/", attach->binary_id, "\"", NULL);
    const fhir_resource_t *resource;
    const fhir_binary_t *binary;
    fhir_version_change_t new_binary;
    fhir_resource_change_t change;
    *edits = apr_array_make(call->pool, 0, sizeof(fhir_body_edit_t));
    FHIR_TRY(load(&resource, transaction, attach->job));
    if (!resource) {
        return NULL;
    }
    FHIR_TRY(edits_of(edits, resource, attach->job->url, reference, call->pool));
    if ((*edits)->nelts == 0) {
        return NULL;
    }
    FHIR_TRY(prepare(&change, attach, resource, *edits, call->pool));
    FHIR_TRY(binary_change(&new_binary, attach, call->pool));
    FHIR_TRY(fhir_transaction_write_binary(&binary, transaction, &new_binary));
    return fhir_transaction_write(&resource, transaction, &change);
}

static fhir_error_t *attach_once(fhir_attach_t *attach, const fhir_call_t *call)
{
    fhir_transaction_t *transaction;
    apr_array_header_t *edits;
    fhir_error_t *error;
    FHIR_TRY(fhir_meta_begin(&transaction, attach->app->meta, call));
    error = write_both(&edits, attach, transaction, call);
    if (error || edits->nelts == 0) {
        fhir_transaction_rollback(transaction);
        return error;
    }
    error = fhir_transaction_commit(transaction);
    attach->outcome = !error ? FHIR_ATTACH_DONE : fhir_meta_refused(error) ? FHIR_ATTACH_NOTHING : FHIR_ATTACH_UNKNOWN;
    return error;
}

fhir_error_t *fhir_attach(fhir_attach_t *attach, const fhir_call_t *call)
{
    fhir_error_t *error = NULL;
    int i;
    FHIR_TRY(fhir_random_uuid(&attach->binary_id, call->pool));
    for (i = 0; i < TRIES; i++) {
        error = attach_once(attach, call);
        if (!error || attach->outcome != FHIR_ATTACH_NOTHING ||
            (error->code != FHIR_ERROR_PRECONDITION_FAILED && error->code != FHIR_ERROR_CONFLICT)) {
            return error;
        }
    }
    return error;
}

fhir_error_t *fhir_attach_wanted(int *wanted, const fhir_attach_t *attach, const fhir_call_t *call)
{
    fhir_transaction_t *transaction;
    const fhir_resource_t *resource = NULL;
    apr_array_header_t *edits;
    fhir_error_t *error;
    *wanted = 0;
    FHIR_TRY(fhir_meta_begin(&transaction, attach->app->meta, call));
    error = load(&resource, transaction, attach->job);
    fhir_transaction_rollback(transaction);
    if (error || !resource) {
        return error;
    }
    FHIR_TRY(edits_of(&edits, resource, attach->job->url, "", call->pool));
    *wanted = edits->nelts > 0;
    return NULL;
}
