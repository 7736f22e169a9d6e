/* read, vread and instance history. */
#include "../base/text.h"
#include "../fhir/answers.h"
#include "../http/conditional.h"
#include "access.h"
#include "content_response.h"
#include "form_response.h"
#include "history_page.h"
#include "rights.h"

#include <apr_strings.h>
#include <string.h>

static void finish_read(const fhir_exchange_t *exchange, fhir_response_t *response)
{
    /* Kept by the browser, asked again each time: rights may have changed. */
    if (response->status < 400) {
        fhir_response_header(response, "Cache-Control", "private, no-cache");
    }
    fhir_response_header(response, "Vary", "Accept");
    atomic_fetch_add_explicit(&exchange->app->reads, 1, memory_order_relaxed);
}

static fhir_error_t *answer(fhir_response_t **response, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                            fhir_format_t format)
{
    int raw = format == FHIR_FORMAT_RAW;
    if (raw && !binary->content) {
        return fhir_no_content_yet(exchange->pool);
    }
    FHIR_TRY(fhir_not_modified_response(response, exchange, binary, raw));
    if (!*response && raw) {
        FHIR_TRY(fhir_content_response(response, exchange, binary));
    } else if (!*response) {
        FHIR_TRY(fhir_form_read(response, exchange, binary, format));
    }
    finish_read(exchange, *response);
    return NULL;
}

static fhir_error_t *negotiate(fhir_format_t *format, const fhir_exchange_t *exchange)
{
    if (exchange->in_bundle) {
        *format = FHIR_FORMAT_JSON;
        return NULL;
    }
    return fhir_negotiate_binary(format, fhir_request_header(exchange->request, "Accept"),
                                 fhir_query_get(exchange->query, "_format"), exchange->settings->accept_json_as_fhir,
                                 exchange->pool);
}

fhir_error_t *fhir_binary_read(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_facts_t facts;
    fhir_format_t format;
    FHIR_TRY(fhir_access(&facts, exchange, FHIR_INTERACTION_READ, NULL));
    FHIR_TRY(negotiate(&format, exchange));
    if (facts.current->change == FHIR_CHANGE_DELETE) {
        return fhir_binary_deleted(exchange->pool);
    }
    return answer(response, exchange, facts.current, format);
}

fhir_error_t *fhir_binary_vread(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_facts_t facts;
    fhir_format_t format;
    /* Our version ids are UUIDs: another form names no version of ours. */
    const char *version_id = fhir_is_uuid(exchange->route.version_id) ? exchange->route.version_id : NULL;
    FHIR_TRY(fhir_access(&facts, exchange, FHIR_INTERACTION_VREAD, version_id));
    if (!version_id || !facts.version) {
        return fhir_version_not_found("Binary", exchange->pool);
    }
    FHIR_TRY(negotiate(&format, exchange));
    if (facts.version->change == FHIR_CHANGE_DELETE) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_GONE, "This version records the deletion of the Binary.");
    }
    return answer(response, exchange, facts.version, format);
}

/* ---- history ---- */

/* Versions under a context that the principal may not read are left out. */
static fhir_error_t *keep_readable(apr_array_header_t *versions, apr_off_t *total, const fhir_exchange_t *exchange,
                                   const fhir_membership_t *membership)
{
    const fhir_binary_t **all = (const fhir_binary_t **)(void *)versions->elts;
    int *readable = apr_pcalloc(exchange->pool, sizeof(*readable) * (apr_size_t)(versions->nelts + 1));
    int kept = 0;
    int i;
    FHIR_TRY(fhir_may_read_binaries(readable, exchange, membership, all, versions->nelts));
    for (i = 0; i < versions->nelts; i++) {
        if (readable[i]) {
            all[kept++] = all[i];
        }
    }
    /* What other pages leave out must not be counted either. */
    if (kept < versions->nelts || (versions->nelts < *total && fhir_looks_at_subject(exchange, membership, "Binary"))) {
        *total = -1;
    }
    versions->nelts = kept;
    return NULL;
}

static fhir_error_t *bundle(const char **text, const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                            const fhir_history_page_t *page, fhir_format_t format)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    apr_array_header_t *versions;
    const char *next;
    apr_off_t total;
    apr_off_t last = 0;
    FHIR_TRY(fhir_meta_history(&versions, &total, exchange->app->meta, membership->project_id, exchange->route.id,
                               page->count, page->before, &call));
    if (versions->nelts > 0) {
        last = APR_ARRAY_IDX(versions, versions->nelts - 1, const fhir_binary_t *)->sequence;
    }
    next = fhir_history_page_next(exchange, page, versions->nelts, last);
    FHIR_TRY(keep_readable(versions, &total, exchange, membership));
    return fhir_history_bundle(text, format, versions, total, exchange->settings->fhir_base,
                               fhir_history_page_url(exchange, page->count, page->before), next, exchange->pool);
}

fhir_error_t *fhir_binary_history(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_facts_t facts;
    fhir_format_t format;
    fhir_history_page_t page;
    const char *text;
    FHIR_TRY(fhir_access(&facts, exchange, FHIR_INTERACTION_HISTORY, NULL));
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    FHIR_TRY(fhir_history_page_read(&page, exchange, facts.current->sequence));
    FHIR_TRY(bundle(&text, exchange, facts.membership, &page, format));
    *response = fhir_response_create(200, exchange->pool);
    fhir_response_header(*response, "Content-Type", fhir_format_media_type(format));
    fhir_response_header(*response, "X-Content-Type-Options", "nosniff");
    fhir_response_header(*response, "Cache-Control", "private, no-cache");
    fhir_response_header(*response, "Vary", "Accept");
    fhir_response_bytes(*response, text, (apr_off_t)strlen(text));
    return NULL;
}
