/* Security contexts of writes: brought into one form, demanded, missed. */
#include "security_context.h"

#include "../fhir/json_edit.h"
#include "../fhir/subject.h"

#include <apr_strings.h>
#include <string.h>

#define ELEMENT "Binary.securityContext.reference"

static fhir_error_t *not_ours(const char *where, const fhir_exchange_t *exchange)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_UNPROCESSABLE,
                             "%s must name a resource of this server other than a Binary, as Type/id or as %sType/id: "
                             "whoever may use that resource may use the content.",
                             where, exchange->settings->fhir_base);
}

static fhir_error_t *normalize(const char **context, const char *sent, const char *where,
                               const fhir_exchange_t *exchange)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(exchange);
    apr_size_t base = strlen(addresses.fhir_base);
    const char *type;
    const char *id;
    if (*sent == '#') {
        return not_ours(where, exchange);
    }
    FHIR_TRY(fhir_reference_check(sent, exchange->pool));
    if (!fhir_context_target(&type, &id, sent, &addresses, exchange->pool)) {
        return not_ours(where, exchange);
    }
    *context = strncmp(sent, addresses.fhir_base, base) == 0 ? sent + base : sent;
    return NULL;
}

fhir_error_t *fhir_context_of_header(const char **context, const char *sent, const fhir_exchange_t *exchange)
{
    return normalize(context, sent, "X-Security-Context", exchange);
}

static fhir_error_t *parse_elements(const fhir_json_document_t **document, int *element, const char *elements,
                                    apr_pool_t *pool)
{
    FHIR_TRY(fhir_json_parse(document, elements, strlen(elements), &fhir_json_resource_limits, pool));
    *element = fhir_json_member(*document, 0, "securityContext");
    return NULL;
}

/* The kept elements with another securityContext.reference: what stands beside it stays. */
static fhir_error_t *change_elements(const char **elements, const char *sent, const char *context, apr_pool_t *pool)
{
    const fhir_json_document_t *document;
    fhir_json_edits_t *edits;
    fhir_text_t value;
    apr_size_t length;
    int element;
    int reference;
    FHIR_TRY(parse_elements(&document, &element, sent, pool));
    reference = fhir_json_member(document, element, "reference");
    *elements = sent;
    if (reference < 0) {
        return NULL;
    }
    fhir_text_init(&value, pool);
    fhir_text_add_json_string(&value, context);
    edits = fhir_json_edits_create(document, pool);
    fhir_json_edit_replace(edits, reference, value.text);
    return fhir_json_edits_apply(elements, &length, edits);
}

/* Who sends a securityContext wants the content protected: one that names nothing would protect nothing. */
static fhir_error_t *check_names_something(const fhir_binary_resource_t *resource, const fhir_exchange_t *exchange)
{
    const fhir_json_document_t *document;
    fhir_error_t *error;
    int element;
    if (!resource->elements) {
        return NULL;
    }
    FHIR_TRY(parse_elements(&document, &element, resource->elements, exchange->pool));
    if (element < 0) {
        return NULL;
    }
    error = fhir_error_public(exchange->pool, FHIR_ERROR_UNPROCESSABLE,
                              "Binary.securityContext needs a reference: only a resource of this server can protect "
                              "the content.");
    error->expression = ELEMENT;
    return error;
}

fhir_error_t *fhir_context_of_element(const fhir_binary_resource_t **normal, const fhir_binary_resource_t *resource,
                                      const fhir_exchange_t *exchange)
{
    const char *sent = resource->security_context;
    fhir_binary_resource_t *changed;
    const char *context = NULL;
    fhir_error_t *error;
    *normal = resource;
    if (!sent) {
        return check_names_something(resource, exchange);
    }
    error = normalize(&context, sent, "Binary.securityContext", exchange);
    if (error) {
        error->expression = ELEMENT;
        return error;
    }
    if (strcmp(context, sent) == 0) {
        return NULL;
    }
    changed = apr_pmemdup(exchange->pool, resource, sizeof(*changed));
    changed->security_context = context;
    *normal = changed;
    return resource->elements ? change_elements(&changed->elements, resource->elements, context, exchange->pool) : NULL;
}

fhir_error_t *fhir_context_required(const fhir_exchange_t *exchange, const char *context)
{
    if (context || !exchange->settings->require_security_context) {
        return NULL;
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_UNPROCESSABLE,
                             "This server stores no Binary without a security context: send X-Security-Context, or "
                             "securityContext in the resource.");
}

static int lacks_context(const fhir_binary_t *binary)
{
    return !binary->security_context && binary->change != FHIR_CHANGE_DELETE;
}

void fhir_warn_without_context(fhir_response_t *response, const fhir_binary_t *binary)
{
    if (lacks_context(binary)) {
        fhir_response_header(response, FHIR_CONTEXT_WARNING_HEADER,
                             "This Binary has no security context: name the resource that protects it in "
                             "X-Security-Context or Binary.securityContext.");
    }
}

void fhir_count_without_context(const fhir_exchange_t *exchange, const fhir_binary_t *binary)
{
    if (lacks_context(binary)) {
        atomic_fetch_add_explicit(&exchange->app->without_context, 1, memory_order_relaxed);
        fhir_log(exchange->app->log, FHIR_LOG_INFO, APR_SUCCESS, "Binary/%s was stored without a security context [%s]",
                 binary->id, exchange->request->request_id ? exchange->request->request_id : "-");
    }
}
