/* The one search of Binaries that there is: `Binary?security-context:missing=true`, for administrators. Each comes with
 * what points to it and which security context would follow. */
#include "../fhir/binary_form.h"
#include "access.h"
#include "attachment_urls.h"
#include "bundle_text.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"
#include "rights.h"
#include "suggested_context.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define MISSING "security-context:missing"
#define SUGGESTION "StructureDefinition/suggested-security-context"

typedef struct page_t {
    int count;
    const char *cursor; /* the last id of the page before */
    apr_array_header_t *missing;
    apr_off_t total;
    const char *next; /* NULL: this is the last */
} page_t;

/* ---- the query ---- */

static fhir_error_t *no_such_search(const fhir_exchange_t *exchange)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                             "A Binary cannot be searched, but by " MISSING "=true (with _count): read it by its id, "
                             "which the resource that refers to it has.");
}

static fhir_error_t *read_count(int *count, const fhir_exchange_t *exchange, const char *value)
{
    if (!*value || strspn(value, "0123456789") != strlen(value) || strlen(value) > 9) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "_count must be a whole number.");
    }
    *count = (int)strtol(value, NULL, 10);
    *count = *count < FHIR_SEARCH_COUNT_MAX ? *count : FHIR_SEARCH_COUNT_MAX;
    return NULL;
}

static fhir_error_t *read_parameter(page_t *page, int *asked, const fhir_exchange_t *exchange,
                                    const fhir_parameter_t *parameter)
{
    if (strcmp(parameter->name, MISSING) == 0 && strcmp(parameter->value, "true") == 0) {
        *asked = 1;
    } else if (strcmp(parameter->name, "_count") == 0) {
        return read_count(&page->count, exchange, parameter->value);
    } else if (strcmp(parameter->name, "_cursor") == 0) {
        page->cursor = parameter->value;
        if (!fhir_id_valid(page->cursor)) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "_cursor comes from a next link.");
        }
    } else if (strcmp(parameter->name, "_format") != 0 && strcmp(parameter->name, "_pretty") != 0) {
        return no_such_search(exchange);
    }
    return NULL;
}

static fhir_error_t *read_query(page_t *page, const fhir_exchange_t *exchange)
{
    apr_array_header_t *parameters = apr_array_copy(exchange->pool, exchange->query);
    int asked = 0;
    int i;
    page->count = FHIR_SEARCH_COUNT_DEFAULT;
    if (exchange->request->method == FHIR_METHOD_POST) {
        FHIR_TRY(fhir_form_parameters(parameters, exchange));
    }
    for (i = 0; i < parameters->nelts; i++) {
        FHIR_TRY(read_parameter(page, &asked, exchange, &APR_ARRAY_IDX(parameters, i, fhir_parameter_t)));
    }
    return asked ? NULL : no_such_search(exchange);
}

static const char *page_url(const fhir_exchange_t *exchange, const page_t *page, const char *cursor)
{
    return apr_psprintf(exchange->pool, "%sBinary?" MISSING "=true&_count=%d%s%s", exchange->settings->fhir_base,
                        page->count, cursor ? "&_cursor=" : "", cursor ? cursor : "");
}

/* ---- what is found ---- */

/* Scopes that are narrowed to some subjects reach no Binary that has none. */
static fhir_error_t *check_scopes(const fhir_exchange_t *exchange, const fhir_membership_t *membership)
{
    fhir_decision_t decision = fhir_decision_of(exchange, membership, FHIR_INTERACTION_SEARCH, "Binary");
    apr_array_header_t *restrictions;
    FHIR_TRY(fhir_decide_search(&restrictions, &decision, exchange->pool));
    if (restrictions->nelts > 0) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                                 "The scopes of this token do not reach Binaries without a security context.");
    }
    return NULL;
}

static fhir_error_t *find(page_t *page, const fhir_exchange_t *exchange, const fhir_membership_t *membership)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    /* One more tells whether there is a next page. */
    FHIR_TRY(fhir_missing_contexts(&page->missing, &page->total, exchange->app->meta, membership->project_id,
                                   page->cursor, page->count ? page->count + 1 : 0, 1, 0, &call));
    if (page->missing->nelts > page->count) {
        apr_array_pop(page->missing);
        page->next =
            page->count ? APR_ARRAY_IDX(page->missing, page->count - 1, fhir_missing_context_t).binary->id : NULL;
    }
    return NULL;
}

/* ---- entries ---- */

static void end_match(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange,
                      const fhir_missing_context_t *missing)
{
    int i;
    fhir_bundle_member(bundle, "search");
    fhir_text_add(&bundle->json, "{");
    for (i = 0; i < missing->candidates->nelts; i++) {
        fhir_text_add(&bundle->json, i ? "," : "\"extension\":[");
        fhir_text_addf(&bundle->json, "{\"url\":\"%s" SUGGESTION "\",\"valueReference\":{\"reference\":",
                       exchange->settings->fhir_base);
        fhir_text_add_json_string(&bundle->json, APR_ARRAY_IDX(missing->candidates, i, const char *));
        fhir_text_add(&bundle->json, "}}");
    }
    fhir_text_add(&bundle->json, i ? "],\"mode\":\"match\"}" : "\"mode\":\"match\"}");
    fhir_bundle_entry_end(bundle);
}

static fhir_error_t *add_matches(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange, const page_t *page)
{
    fhir_binary_render_t how = {0};
    const char *text;
    const char *suffix;
    int i;
    how.format = FHIR_FORMAT_JSON;
    for (i = 0; i < page->missing->nelts; i++) {
        const fhir_missing_context_t *missing = &APR_ARRAY_IDX(page->missing, i, fhir_missing_context_t);
        const fhir_binary_t *binary = missing->binary;
        how.subsetted = binary->content && !exchange->medplum;
        FHIR_TRY(fhir_binary_render(&text, &suffix, binary, &how, exchange->pool));
        fhir_bundle_entry(bundle,
                          apr_pstrcat(exchange->pool, exchange->settings->fhir_base, "Binary/", binary->id, NULL));
        fhir_bundle_member(bundle, "resource");
        fhir_text_add(&bundle->json, text);
        end_match(bundle, exchange, missing);
    }
    return NULL;
}

/* Each once, and only what the scopes permit. */
static apr_array_header_t *included(const fhir_exchange_t *exchange, const page_t *page,
                                    const fhir_membership_t *membership)
{
    apr_array_header_t *resources = apr_array_make(exchange->pool, 16, sizeof(const fhir_resource_t *));
    apr_hash_t *known = apr_hash_make(exchange->pool);
    int i;
    int j;
    for (i = 0; i < page->missing->nelts; i++) {
        const fhir_missing_context_t *missing = &APR_ARRAY_IDX(page->missing, i, fhir_missing_context_t);
        for (j = 0; j < missing->referrers->nelts; j++) {
            const fhir_resource_t *resource = APR_ARRAY_IDX(missing->referrers, j, const fhir_referrer_t *)->resource;
            if (!apr_hash_get(known, resource->version_id, APR_HASH_KEY_STRING) &&
                fhir_may_read_resource(exchange, membership, resource)) {
                APR_ARRAY_PUSH(resources, const fhir_resource_t *) = resource;
            }
            apr_hash_set(known, resource->version_id, APR_HASH_KEY_STRING, "");
        }
    }
    return resources;
}

static fhir_error_t *add_included(fhir_bundle_text_t *bundle, fhir_exchange_t *exchange, const page_t *page,
                                  const fhir_membership_t *membership)
{
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    apr_array_header_t *resources = included(exchange, page, membership);
    apr_array_header_t *edits;
    int i;
    FHIR_TRY(fhir_attachment_edits(&edits, exchange, membership, resources));
    for (i = 0; i < resources->nelts; i++) {
        fhir_bundle_resource(bundle, APR_ARRAY_IDX(resources, i, const fhir_resource_t *),
                             exchange->settings->fhir_base, APR_ARRAY_IDX(edits, i, const apr_array_header_t *),
                             &whole);
        fhir_bundle_member(bundle, "search");
        fhir_text_add(&bundle->json, "{\"mode\":\"include\"}");
        fhir_bundle_entry_end(bundle);
    }
    return NULL;
}

fhir_error_t *fhir_binary_search(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_membership_t *membership;
    fhir_bundle_text_t bundle;
    page_t page = {0};
    FHIR_TRY(fhir_authenticate(exchange));
    exchange->audit.interaction = (int)FHIR_INTERACTION_SEARCH;
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(read_query(&page, exchange));
    FHIR_TRY(fhir_administrator(&membership, exchange));
    FHIR_TRY(check_scopes(exchange, membership));
    FHIR_TRY(find(&page, exchange, membership));
    fhir_bundle_begin(&bundle, "searchset", page.total, exchange->pool);
    fhir_bundle_link(&bundle, "self", page_url(exchange, &page, page.cursor));
    if (page.next) {
        fhir_bundle_link(&bundle, "next", page_url(exchange, &page, page.next));
    }
    FHIR_TRY(add_matches(&bundle, exchange, &page));
    FHIR_TRY(add_included(&bundle, exchange, &page, membership));
    fhir_bundle_end(&bundle);
    *response = fhir_json_answer(exchange, 200, &bundle.json);
    return NULL;
}
