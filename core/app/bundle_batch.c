/* A batch: each entry is answered by itself, in a pool that ends with it. */
#include "bundle.h"
#include "bundle_answer.h"
#include "resource_answer.h"

static fhir_error_t *too_much(const fhir_bundle_text_t *text, apr_time_t end, apr_pool_t *pool)
{
    if (text->json.length >= FHIR_BUNDLE_ANSWER_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE,
                                 "The answer to this Bundle is too large already, so this entry was not done. Send it "
                                 "in a Bundle of its own.");
    }
    if (apr_time_now() > end) {
        return fhir_error_public(pool, FHIR_ERROR_TIMEOUT,
                                 "The entries before took so long that this one was not done. Send it again.");
    }
    return NULL;
}

static void answer_entry(fhir_bundle_text_t *text, const fhir_bundle_t *bundle, int node, int index, apr_time_t end,
                         apr_pool_t *pool)
{
    fhir_entry_answer_t answer;
    fhir_bundle_entry_t entry;
    fhir_error_t *error = too_much(text, end, pool);
    if (!error) {
        error = fhir_bundle_entry_parse(&entry, bundle->document, node, index, bundle->exchange->settings, pool);
    }
    if (error) {
        fhir_entry_answer_error(&answer, error, pool);
        fhir_entry_answer_add(text, &answer, 0, pool);
        return;
    }
    fhir_entry_answer_request(text, &entry, bundle->document, bundle->exchange, pool);
}

static int is_cancelled(const fhir_request_t *request)
{
    return request->cancelled && request->cancelled(request->cancelled_baton);
}

fhir_error_t *fhir_bundle_batch(fhir_response_t **response, const fhir_bundle_t *bundle)
{
    const fhir_exchange_t *exchange = bundle->exchange;
    apr_time_t end = apr_time_now() + FHIR_BUNDLE_REQUESTS * exchange->settings->request_timeout;
    fhir_bundle_text_t text;
    apr_pool_t *pool;
    int index = 0;
    int node;
    fhir_bundle_begin(&text, "batch-response", -1, exchange->pool);
    text.tells_outcomes = exchange->medplum;
    apr_pool_create(&pool, exchange->pool);
    node = bundle->count > 0 ? fhir_json_first(bundle->document, bundle->entries) : -1;
    for (; node >= 0; node = bundle->document->nodes[node].next) {
        if (is_cancelled(exchange->request)) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_CLIENT_ABORTED, "The client went away.");
        }
        answer_entry(&text, bundle, node, index++, end, pool);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    fhir_bundle_end(&text);
    *response = fhir_json_answer(exchange, 200, &text.json);
    return NULL;
}
