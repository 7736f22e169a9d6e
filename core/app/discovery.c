/* What anybody may read: CapabilityStatement, JWK set, SMART configuration. */
#include "../base/text.h"
#include "../fhir/answers.h"
#include "exchange.h"

#include <string.h>

static void add_document(fhir_response_t **response, const fhir_exchange_t *exchange, const char *content_type,
                         const char *text)
{
    *response = fhir_response_create(200, exchange->pool);
    fhir_response_header(*response, "Content-Type", content_type);
    fhir_response_header(*response, "Cache-Control", "public, max-age=60");
    fhir_response_bytes(*response, text, (apr_off_t)strlen(text));
}

fhir_error_t *fhir_metadata(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_capability_t capability = {0};
    fhir_format_t format;
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    capability.base_url = exchange->settings->base_url;
    capability.fhir_base = exchange->settings->fhir_base;
    capability.version = FHIR_VERSION;
    capability.date = FHIR_RELEASED;
    capability.update_create = exchange->settings->update_create;
    capability.cors = exchange->settings->cors_origins->nelts > 0;
    add_document(response, exchange, fhir_format_media_type(format),
                 fhir_capability_statement(format, &capability, exchange->pool));
    fhir_response_header(*response, "Vary", "Accept");
    return NULL;
}

fhir_error_t *fhir_jwks(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    const char *json;
    FHIR_TRY(fhir_key_ring_public_set(&json, exchange->app->keys, &call));
    add_document(response, exchange, "application/json", json);
    return NULL;
}

/* SMART App Launch 2.2, conformance.html. */
fhir_error_t *fhir_smart_configuration(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const char *base = exchange->settings->base_url;
    fhir_text_t json;
    fhir_text_init(&json, exchange->pool);
    fhir_text_add(&json, "{\"issuer\":");
    fhir_text_add_json_string(&json, base);
    fhir_text_addf(&json, ",\"jwks_uri\":\"%s.well-known/jwks.json\",\"token_endpoint\":\"%soauth2/token\"", base,
                   base);
    fhir_text_add(&json,
                  ",\"grant_types_supported\":[\"client_credentials\"]"
                  ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\",\"client_secret_basic\"]"
                  ",\"scopes_supported\":[\"openid\",\"system/*.cruds\",\"system/Binary.cruds\",\"system/Binary.read\","
                  "\"system/Binary.write\",\"user/*.cruds\",\"user/Binary.cruds\",\"patient/Binary.cruds\"]"
                  ",\"code_challenge_methods_supported\":[\"S256\"]"
                  ",\"capabilities\":[\"client-confidential-symmetric\",\"permission-v1\",\"permission-v2\"]}");
    add_document(response, exchange, "application/json", json.text);
    return NULL;
}
