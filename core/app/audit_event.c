/* GET AuditEvent: the trail of a project, for its administrators. */
#include "../fhir/audit_event.h"
#include "../fhir/answers.h"
#include "../meta/audit.h"
#include "bundle_text.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"
#include "rights.h"

#include <apr_strings.h>

/* Scopes narrow administrators too; the launch context's patient is not in the trail. */
static fhir_error_t *admit(const fhir_membership_t **membership, fhir_exchange_t *exchange,
                           fhir_interaction_t interaction)
{
    exchange->audit.interaction = (int)interaction;
    FHIR_TRY(fhir_administrator(membership, exchange));
    if (exchange->principal.scopes &&
        !fhir_scopes_permit_type(exchange->principal.scopes, interaction, "AuditEvent", NULL)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                                 "The scopes of this token do not reach AuditEvents.");
    }
    return fhir_resource_negotiate(exchange);
}

/* ---- read ---- */

fhir_error_t *fhir_audit_event_read(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_membership_t *membership;
    apr_array_header_t *ids = apr_array_make(exchange->pool, 1, sizeof(fhir_parameter_t));
    const fhir_parameter_t id = {"_id", exchange->route.id};
    apr_array_header_t *events;
    fhir_audit_search_t *search;
    apr_off_t total;
    fhir_text_t json;
    fhir_call_t call;
    FHIR_TRY(admit(&membership, exchange, FHIR_INTERACTION_READ));
    APR_ARRAY_PUSH(ids, fhir_parameter_t) = id;
    FHIR_TRY(fhir_audit_search_parse(&search, ids, 1, exchange->settings->fhir_base, exchange->pool));
    call = fhir_exchange_call(exchange);
    FHIR_TRY(fhir_meta_audit_search(&events, &total, exchange->app->meta, membership->project_id, search, &call));
    if (events->nelts == 0) {
        return fhir_resource_not_found("AuditEvent", exchange->pool);
    }
    fhir_text_init(&json, exchange->pool);
    fhir_audit_event_render(&json, APR_ARRAY_IDX(events, 0, const fhir_audit_event_t *));
    *response = fhir_json_answer(exchange, 200, &json);
    return NULL;
}

/* ---- search ---- */

/* The Medplum SDK takes every entry for a match: there what is ignored is refused, as in other searches. */
static int is_strict(const fhir_exchange_t *exchange)
{
    const char *prefer = fhir_request_header(exchange->request, "Prefer");
    return fhir_prefer_strict(prefer) || (exchange->medplum && !fhir_prefer_lenient(prefer));
}

static fhir_error_t *parse(fhir_audit_search_t **search, fhir_exchange_t *exchange)
{
    apr_array_header_t *parameters = apr_array_copy(exchange->pool, exchange->query);
    if (exchange->request->method == FHIR_METHOD_POST) {
        FHIR_TRY(fhir_form_parameters(parameters, exchange));
    }
    FHIR_TRY(fhir_audit_search_parse(search, parameters, is_strict(exchange), exchange->settings->fhir_base,
                                     exchange->pool));
    exchange->audit.query = *(*search)->canonical ? (*search)->canonical + 1 : NULL;
    return NULL;
}

static const char *page_url(const fhir_exchange_t *exchange, const fhir_audit_search_t *search, const char *cursor)
{
    return apr_psprintf(exchange->pool, "%sAuditEvent?_count=%d%s%s%s", exchange->settings->fhir_base, search->count,
                        search->canonical, cursor ? "&_cursor=" : "", cursor ? cursor : "");
}

static void add_links(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange, const fhir_audit_search_t *search,
                      apr_array_header_t *events)
{
    const char *cursor = search->before_sequence
                             ? apr_psprintf(exchange->pool, "%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT,
                                            (apr_int64_t)search->before, search->before_sequence)
                             : NULL;
    fhir_bundle_link(bundle, "self", page_url(exchange, search, cursor));
    if (events->nelts > search->count) {
        apr_array_pop(events);
        fhir_bundle_link(
            bundle, "next",
            page_url(exchange, search,
                     fhir_audit_cursor(APR_ARRAY_IDX(events, search->count - 1, const fhir_audit_event_t *),
                                       exchange->pool)));
    }
}

static void add_match(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange, const fhir_audit_event_t *event)
{
    fhir_bundle_entry(bundle,
                      apr_pstrcat(exchange->pool, exchange->settings->fhir_base, "AuditEvent/", event->id, NULL));
    fhir_bundle_member(bundle, "resource");
    fhir_audit_event_render(&bundle->json, event);
    fhir_bundle_member(bundle, "search");
    fhir_text_add(&bundle->json, "{\"mode\":\"match\"}");
    fhir_bundle_entry_end(bundle);
}

/* FHIR R4 search.html#errors: what was left aside is said. */
static void add_ignored(fhir_bundle_text_t *bundle, const fhir_exchange_t *exchange, const fhir_audit_search_t *search)
{
    const char *names = apr_array_pstrcat(exchange->pool, search->ignored, ',');
    if (search->ignored->nelts == 0) {
        return;
    }
    fhir_bundle_warning(bundle, apr_psprintf(exchange->pool,
                                             "AuditEvents can't be searched by: %s. That was ignored; send Prefer: "
                                             "handling=strict to have such a search refused.",
                                             names));
}

fhir_error_t *fhir_audit_event_search(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_membership_t *membership;
    apr_array_header_t *events;
    fhir_audit_search_t *search;
    fhir_bundle_text_t bundle;
    apr_off_t total;
    fhir_call_t call;
    int i;
    FHIR_TRY(admit(&membership, exchange, FHIR_INTERACTION_SEARCH));
    FHIR_TRY(parse(&search, exchange));
    call = fhir_exchange_call_after_body(exchange);
    FHIR_TRY(fhir_meta_audit_search(&events, &total, exchange->app->meta, membership->project_id, search, &call));
    fhir_bundle_begin(&bundle, "searchset", total, exchange->pool);
    add_links(&bundle, exchange, search, events);
    for (i = 0; i < events->nelts; i++) {
        add_match(&bundle, exchange, APR_ARRAY_IDX(events, i, const fhir_audit_event_t *));
    }
    add_ignored(&bundle, exchange, search);
    fhir_bundle_end(&bundle);
    *response = fhir_json_answer(exchange, 200, &bundle.json);
    return NULL;
}
