/* POST [base]: batch and transaction. */
#include "bundle.h"

#include "bundle_entry.h"
#include "resource_access.h"
#include "resource_answer.h"
#include "resource_body.h"
#include "rights.h"

#include <string.h>

static fhir_error_t *refuse(const fhir_exchange_t *exchange, fhir_error_code_t code, const char *expression,
                            const char *why)
{
    fhir_error_t *error = fhir_error_public(exchange->pool, code, "%s", why);
    error->expression = expression;
    return error;
}

static fhir_error_t *take_entries(fhir_bundle_t *bundle)
{
    const fhir_json_document_t *document = bundle->document;
    bundle->entries = fhir_json_member(document, 0, "entry");
    if (bundle->entries < 0) {
        return NULL;
    }
    if (document->nodes[bundle->entries].kind != FHIR_JSON_ARRAY) {
        return refuse(bundle->exchange, FHIR_ERROR_INVALID, "Bundle.entry", "Bundle.entry must be a list.");
    }
    bundle->count = document->nodes[bundle->entries].count;
    if (bundle->count > FHIR_BUNDLE_ENTRIES_MAX) {
        return fhir_error_public(bundle->exchange->pool, FHIR_ERROR_TOO_LARGE,
                                 "A Bundle may have %d entries here. Send several Bundles.", FHIR_BUNDLE_ENTRIES_MAX);
    }
    return NULL;
}

fhir_error_t *fhir_bundle(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_bundle_t bundle = {0};
    int type;
    bundle.exchange = exchange;
    FHIR_TRY(fhir_member(&bundle.membership, exchange));
    FHIR_TRY(fhir_resource_negotiate(exchange));
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_RESOURCE));
    FHIR_TRY(fhir_body_document(&bundle.document, exchange));
    if (fhir_decision_is_stale(exchange, bundle.membership)) {
        FHIR_TRY(fhir_member(&bundle.membership, exchange));
    }
    if (!fhir_json_equals(bundle.document, fhir_json_member(bundle.document, 0, "resourceType"), "Bundle")) {
        return refuse(exchange, FHIR_ERROR_INVALID, "Bundle.resourceType",
                      "The FHIR base takes Bundles. Send a resource of another type to its type, such as Patient.");
    }
    type = fhir_json_member(bundle.document, 0, "type");
    FHIR_TRY(take_entries(&bundle));
    if (fhir_json_equals(bundle.document, type, "batch")) {
        return fhir_bundle_batch(response, &bundle);
    }
    if (fhir_json_equals(bundle.document, type, "transaction")) {
        exchange->audit.code = "transaction";
        return fhir_bundle_transaction(response, &bundle);
    }
    return refuse(exchange, FHIR_ERROR_INVALID, "Bundle.type",
                  "Bundle.type must be batch or transaction here. Store other Bundles at Bundle.");
}
