/* Search by GET and POST _search -> a searchset Bundle (FHIR R4 search.html, http.html#search). */
#include "../fhir/answers.h"
#include "../fhir/binary_form.h"
#include "access.h"
#include "attachment_urls.h"
#include "bundle_text.h"
#include "included.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"

#include <apr_strings.h>
#include <string.h>

/* ---- the query ---- */

/* The Medplum SDK gives every entry to the application as a match, so it can't be told in an entry what was ignored: to
 * be given too much would be found out too late. */
static int takes_entries_for_matches(const fhir_exchange_t *exchange)
{
    return exchange->medplum && !fhir_prefer_lenient(fhir_request_header(exchange->request, "Prefer"));
}

/* Another order or a parameter without a value harms nobody: the self link is without it. */
static int harmless(const char *ignored)
{
    return strncmp(ignored, "_sort", 5) == 0 || ignored[strlen(ignored) - 1] == '=';
}

static fhir_error_t *refuse_ignored(const fhir_search_t *search, apr_pool_t *pool)
{
    int i;
    for (i = 0; i < search->ignored->nelts; i++) {
        const char *ignored = APR_ARRAY_IDX(search->ignored, i, const char *);
        if (!harmless(ignored)) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "Unknown search parameter of %s: %s. Send Prefer: handling=lenient to have it "
                                     "ignored.",
                                     search->type, ignored);
        }
    }
    return NULL;
}

static fhir_error_t *parse(fhir_search_t **search, const fhir_exchange_t *exchange)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(exchange);
    apr_array_header_t *parameters = apr_array_copy(exchange->pool, exchange->query);
    int strict = fhir_prefer_strict(fhir_request_header(exchange->request, "Prefer"));
    if (exchange->request->method == FHIR_METHOD_POST) {
        FHIR_TRY(fhir_form_parameters(parameters, exchange));
    }
    FHIR_TRY(fhir_search_parse(search, exchange->route.type, parameters, strict, &addresses, exchange->pool));
    return takes_entries_for_matches(exchange) ? refuse_ignored(*search, exchange->pool) : NULL;
}

/* ---- links: only what was understood, so that a client sees what was searched ---- */

static void add_result_parameter(fhir_text_t *url, const char *name, const char *value)
{
    char last = url->text[url->length - 1];
    fhir_text_addf(url, "%s%s=%s", last == '?' ? "" : "&", name, fhir_url_encode(value, url->pool));
}

static void add_includes(fhir_text_t *url, const fhir_search_t *search)
{
    int i;
    for (i = 0; i < search->includes->nelts; i++) {
        const fhir_include_t *include = &APR_ARRAY_IDX(search->includes, i, fhir_include_t);
        const char *value = apr_pstrcat(url->pool, include->type, ":", include->name, include->target ? ":" : NULL,
                                        include->target, NULL);
        const char *name = include->reverse ? "_revinclude" : "_include";
        add_result_parameter(url, include->iterate ? apr_pstrcat(url->pool, name, ":iterate", NULL) : name, value);
    }
}

static void add_view(fhir_text_t *url, const fhir_search_t *search)
{
    static const char *const summaries[] = {NULL, "true", "text", "data", "count"};
    static const char *const totals[] = {NULL, "estimate", "accurate"};
    if (summaries[search->view.summary]) {
        add_result_parameter(url, "_summary", summaries[search->view.summary]);
    }
    if (search->view.elements) {
        add_result_parameter(url, "_elements", search->view.elements);
    }
    if (totals[search->total]) {
        add_result_parameter(url, "_total", totals[search->total]);
    }
    if (search->sort_text || search->ascending) {
        add_result_parameter(url, "_sort", search->sort_text ? search->sort_text : "_lastUpdated");
    }
}

static const char *page_url(const fhir_exchange_t *exchange, const fhir_search_t *search, const char *cursor)
{
    fhir_text_t url;
    fhir_text_init(&url, exchange->pool);
    fhir_text_addf(&url, "%s%s?%s", exchange->settings->fhir_base, search->type, search->canonical);
    add_includes(&url, search);
    add_view(&url, search);
    add_result_parameter(&url, "_count", apr_itoa(exchange->pool, search->count));
    if (cursor) {
        add_result_parameter(&url, "_cursor", cursor);
    } else if (search->offset > 0) {
        add_result_parameter(&url, "_offset", apr_itoa(exchange->pool, search->offset));
    }
    return url.text;
}

/* ---- entries ---- */

static void end_entry(fhir_bundle_text_t *bundle, const char *mode)
{
    fhir_bundle_member(bundle, "search");
    fhir_text_addf(&bundle->json, "{\"mode\":\"%s\"}", mode);
    fhir_bundle_entry_end(bundle);
}

static fhir_error_t *add_resources(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange,
                                   const fhir_search_t *search, fhir_search_page_t *page,
                                   const fhir_membership_t *membership)
{
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    apr_array_header_t *all;
    apr_array_header_t *edits;
    int i;
    FHIR_TRY(fhir_matches_and_included(&all, exchange, search, page, membership));
    FHIR_TRY(fhir_attachment_edits(&edits, exchange, membership, all));
    FHIR_TRY(fhir_hide_elements(all, edits, exchange, membership, NULL));
    for (i = 0; i < all->nelts; i++) {
        int is_match = i < page->matches->nelts;
        fhir_bundle_resource(bundle, APR_ARRAY_IDX(all, i, const fhir_resource_t *), exchange->settings->fhir_base,
                             APR_ARRAY_IDX(edits, i, const apr_array_header_t *), is_match ? &search->view : &whole);
        end_entry(bundle, is_match ? "match" : "include");
    }
    return NULL;
}

static fhir_error_t *add_binaries(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange,
                                  const fhir_search_page_t *page, const fhir_membership_t *membership)
{
    fhir_binary_render_t how = {0};
    const fhir_binary_t *const *binaries = (const fhir_binary_t *const *)(void *)page->binaries->elts;
    int *readable = apr_pcalloc(exchange->pool, sizeof(*readable) * (apr_size_t)(page->binaries->nelts + 1));
    const char *text;
    const char *suffix;
    int i;
    FHIR_TRY(fhir_may_read_binaries(readable, exchange, membership, binaries, page->binaries->nelts));
    how.format = FHIR_FORMAT_JSON;
    for (i = 0; i < page->binaries->nelts; i++) {
        const fhir_binary_t *binary = binaries[i];
        if (!readable[i]) {
            continue;
        }
        how.subsetted = binary->content && !exchange->medplum;
        FHIR_TRY(fhir_binary_render(&text, &suffix, binary, &how, exchange->pool));
        fhir_bundle_entry(bundle,
                          apr_pstrcat(exchange->pool, exchange->settings->fhir_base, "Binary/", binary->id, NULL));
        fhir_bundle_member(bundle, "resource");
        fhir_text_add(&bundle->json, text);
        end_entry(bundle, "include");
    }
    return NULL;
}

/* FHIR R4 search.html#errors: what was left aside is said. */
static void add_ignored(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange, const fhir_search_t *search)
{
    const char *names = "";
    int i;
    if (search->ignored->nelts == 0 || takes_entries_for_matches(exchange)) {
        return;
    }
    for (i = 0; i < search->ignored->nelts; i++) {
        names =
            apr_pstrcat(exchange->pool, names, i ? ", " : "", APR_ARRAY_IDX(search->ignored, i, const char *), NULL);
    }
    fhir_bundle_warning(bundle,
                        apr_psprintf(exchange->pool,
                                     "Search parameters that this server does not know were ignored: %s. Send Prefer: "
                                     "handling=strict to have such a search refused.",
                                     names));
}

static fhir_error_t *bundle_text(fhir_text_t *json, const fhir_exchange_t *exchange, const fhir_search_t *search,
                                 fhir_search_page_t *page, const fhir_membership_t *membership)
{
    fhir_bundle_text_t bundle;
    fhir_bundle_begin(&bundle, "searchset", page->total, exchange->pool);
    fhir_bundle_link(&bundle, "self", page_url(exchange, search, search->cursor));
    if (page->next) {
        fhir_bundle_link(&bundle, "next", page_url(exchange, search, page->next));
    }
    FHIR_TRY(add_resources(&bundle, exchange, search, page, membership));
    FHIR_TRY(add_binaries(&bundle, exchange, page, membership));
    add_ignored(&bundle, exchange, search);
    fhir_bundle_end(&bundle);
    *json = bundle.json;
    return NULL;
}

fhir_error_t *fhir_resource_search(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_resource_facts_t facts;
    fhir_search_page_t page;
    fhir_search_t *search;
    fhir_text_t json;
    fhir_call_t call;
    FHIR_TRY(fhir_resource_access(&facts, exchange, FHIR_INTERACTION_SEARCH, NULL, NULL));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(parse(&search, exchange));
    if (exchange->request->method == FHIR_METHOD_POST) {
        exchange->audit.query = search->canonical;
    }
    FHIR_TRY(fhir_search_permit(search, exchange, facts.membership));
    call = fhir_exchange_call_after_body(exchange);
    FHIR_TRY(fhir_meta_search(&page, exchange->app->meta, facts.membership->project_id, search, &call));
    FHIR_TRY(bundle_text(&json, exchange, search, &page, facts.membership));
    *response = fhir_json_answer(exchange, 200, &json);
    return NULL;
}
