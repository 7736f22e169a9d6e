/* read, vread and instance history of resources other than Binary. */
#include "../base/text.h"
#include "../fhir/answers.h"
#include "attachment_urls.h"
#include "bundle_text.h"
#include "history_page.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "rights.h"

fhir_error_t *fhir_resource_read(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_resource_facts_t facts;
    FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_READ, exchange->route.id, NULL));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    if (facts.current->change == FHIR_CHANGE_DELETE) {
        return fhir_resource_deleted(exchange->route.type, exchange->pool);
    }
    return fhir_resource_answer_read(response, exchange, facts.membership, facts.current, facts.subject);
}

fhir_error_t *fhir_resource_vread(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_resource_facts_t facts;
    /* Our version ids are UUIDs: another form names no version of ours. */
    const char *version_id = fhir_is_uuid(exchange->route.version_id) ? exchange->route.version_id : NULL;
    FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_VREAD, exchange->route.id, version_id));
    if (!version_id || !facts.version) {
        return fhir_version_not_found(exchange->route.type, exchange->pool);
    }
    FHIR_TRY(fhir_resource_negotiate(exchange));
    if (facts.version->change == FHIR_CHANGE_DELETE) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_GONE, "This version records the deletion of the %s.",
                                 exchange->route.type);
    }
    return fhir_resource_answer_read(response, exchange, facts.membership, facts.version, facts.subject);
}

/* Versions that belonged elsewhere are left out: 1 if any was. */
static int keep_permitted(apr_array_header_t *versions, const fhir_exchange_t *exchange,
                          const fhir_membership_t *membership)
{
    int kept = 0;
    int i;
    for (i = 0; i < versions->nelts; i++) {
        const fhir_resource_t *version = APR_ARRAY_IDX(versions, i, const fhir_resource_t *);
        const fhir_subject_t *subject = version->body ? fhir_subject_of_resource(version, exchange->pool) : NULL;
        if (!subject ||
            !fhir_resource_decide_write(exchange, membership, FHIR_INTERACTION_HISTORY, version->type, subject, NULL)) {
            APR_ARRAY_IDX(versions, kept++, const fhir_resource_t *) = version;
        }
    }
    i = versions->nelts;
    versions->nelts = kept;
    return kept < i;
}

static fhir_error_t *history_text(fhir_text_t *json, const fhir_exchange_t *exchange,
                                  const fhir_resource_facts_t *facts, apr_array_header_t *versions, apr_off_t total,
                                  const fhir_history_page_t *page)
{
    const fhir_membership_t *membership = facts->membership;
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    fhir_bundle_text_t bundle;
    apr_array_header_t *edits;
    const char *next = NULL;
    int i;
    if (versions->nelts > 0) {
        next = fhir_history_page_next(exchange, page, versions->nelts,
                                      APR_ARRAY_IDX(versions, versions->nelts - 1, const fhir_resource_t *)->sequence);
    }
    /* What other pages leave out must not be counted either. */
    if (versions->nelts < total && fhir_looks_at_subject(exchange, membership, exchange->route.type)) {
        total = -1;
    }
    if (keep_permitted(versions, exchange, membership)) {
        total = -1;
    }
    FHIR_TRY(fhir_attachment_edits(&edits, exchange, membership, versions));
    FHIR_TRY(fhir_hide_elements(versions, edits, exchange, membership, facts->subject));
    fhir_bundle_begin(&bundle, "history", total, exchange->pool);
    fhir_bundle_link(&bundle, "self", fhir_history_page_url(exchange, page->count, page->before));
    if (next) {
        fhir_bundle_link(&bundle, "next", next);
    }
    for (i = 0; i < versions->nelts; i++) {
        const fhir_resource_t *version = APR_ARRAY_IDX(versions, i, const fhir_resource_t *);
        fhir_bundle_resource(&bundle, version, exchange->settings->fhir_base,
                             APR_ARRAY_IDX(edits, i, const apr_array_header_t *), &whole);
        fhir_text_add(&bundle.json, ",");
        fhir_history_change(&bundle.json, version->type, version->id, version->version_id, version->sequence,
                            version->change, version->last_updated);
        fhir_bundle_entry_end(&bundle);
    }
    fhir_bundle_end(&bundle);
    *json = bundle.json;
    return NULL;
}

fhir_error_t *fhir_resource_history(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    fhir_resource_facts_t facts;
    fhir_history_page_t page;
    apr_array_header_t *versions;
    apr_off_t total;
    fhir_text_t json;
    FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_HISTORY, exchange->route.id, NULL));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(fhir_history_page_read(&page, exchange, facts.current->sequence));
    FHIR_TRY(fhir_meta_resource_history(&versions, &total, exchange->app->meta, facts.membership->project_id,
                                        exchange->route.type, exchange->route.id, page.count, page.before, &call));
    FHIR_TRY(history_text(&json, exchange, &facts, versions, total, &page));
    *response = fhir_json_answer(exchange, 200, &json);
    return NULL;
}
