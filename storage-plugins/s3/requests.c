/* One request of the S3 API: what it says, its signature, the call, and when it is repeated. */
#include "s3.h"

#include <string.h>

/* Keys and clock can each be put right once. */
#define CORRECTIONS_MAX 2

void s3_log(const fhir_store_call_t *call, fhir_store_log_level_t level, const char *format, ...)
{
    va_list arguments;
    if (!call->log) {
        return;
    }
    va_start(arguments, format);
    call->log(call->log_baton, level, apr_pvsprintf(call->scratch_pool, format, arguments));
    va_end(arguments);
}

void s3_operation_init(s3_operation_t *operation, const fhir_store_t *store, const char *name, const char *method,
                       const char *locator, apr_pool_t *pool)
{
    const fhir_store_config_t *config = store->config;
    memset(operation, 0, sizeof(*operation));
    operation->name = name;
    operation->method = method;
    operation->path = locator ? apr_pstrcat(pool, config->base_path, config->prefix, locator, NULL) : config->base_path;
    operation->parameters = apr_array_make(pool, 4, sizeof(s3_parameter_t));
    operation->headers = apr_array_make(pool, 8, sizeof(fhir_http_header_t));
}

void s3_add_parameter(s3_operation_t *operation, const char *name, const char *value)
{
    s3_parameter_t *parameter = apr_array_push(operation->parameters);
    parameter->name = name;
    parameter->value = value;
}

void s3_add_header(s3_operation_t *operation, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(operation->headers);
    header->name = name;
    header->value = value;
}

void s3_add_customer_key(s3_operation_t *operation, const fhir_store_t *store)
{
    if (store->config->encryption == S3_ENCRYPTION_SSE_C) {
        s3_add_header(operation, "x-amz-server-side-encryption-customer-algorithm", "AES256");
        s3_add_header(operation, "x-amz-server-side-encryption-customer-key", store->config->customer_key);
        s3_add_header(operation, "x-amz-server-side-encryption-customer-key-md5", store->config->customer_key_md5);
    }
}

void s3_add_storage_headers(s3_operation_t *operation, const fhir_store_t *store)
{
    const fhir_store_config_t *config = store->config;
    s3_add_customer_key(operation, store);
    if (config->encryption == S3_ENCRYPTION_SSE_S3) {
        s3_add_header(operation, "x-amz-server-side-encryption", "AES256");
    }
    if (config->encryption == S3_ENCRYPTION_SSE_KMS) {
        s3_add_header(operation, "x-amz-server-side-encryption", "aws:kms");
        if (config->kms_key_id) {
            s3_add_header(operation, "x-amz-server-side-encryption-aws-kms-key-id", config->kms_key_id);
        }
    }
    if (config->storage_class) {
        s3_add_header(operation, "x-amz-storage-class", config->storage_class);
    }
}

apr_time_t s3_now(const fhir_store_t *store)
{
    return apr_time_now() + atomic_load(&store->clock_offset);
}

fhir_store_call_t s3_bounded(const fhir_store_t *store, const fhir_store_call_t *call)
{
    fhir_store_call_t bounded = *call;
    apr_time_t latest = apr_time_now() + store->config->request_timeout;
    if (!bounded.deadline || bounded.deadline > latest) {
        bounded.deadline = latest;
    }
    return bounded;
}

static const char *payload_of(const s3_operation_t *operation, apr_pool_t *pool)
{
    char *hex;
    if (operation->payload_sha256) {
        return operation->payload_sha256;
    }
    hex = apr_palloc(pool, S3_SHA256_HEX_LENGTH + 1);
    s3_sha256_hex(hex, operation->body ? operation->body : "", operation->body_length);
    return hex;
}

/* Everything is made in the scratch pool, with headers of its own, so that a repetition signs anew. */
fhir_error_t *s3_sign(s3_signed_t *made, fhir_store_t *store, const s3_operation_t *operation,
                      const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->scratch_pool;
    s3_request_t request = {0};
    memset(made, 0, sizeof(*made));
    FHIR_TRY(s3_credentials_get(&made->signer.credentials, store->credentials, call));
    made->signer.region = store->config->region;
    made->signer.service = "s3";
    made->signer.now = s3_now(store);
    request.method = operation->method;
    request.scheme = store->config->endpoint.scheme;
    request.host = store->config->endpoint.host;
    request.path = operation->path;
    request.parameters = operation->parameters;
    request.headers = apr_array_copy(pool, operation->headers);
    request.payload_sha256 = payload_of(operation, pool);
    FHIR_TRY(s3_sign_headers(&made->signature, &request, &made->signer, pool));
    made->http.method = request.method;
    made->http.url = s3_request_url(&request, pool);
    made->http.headers = request.headers;
    made->http.body = operation->body;
    made->http.body_length = operation->body_length;
    return NULL;
}

static fhir_error_t *call_once(fhir_http_response_t *response, int *again, fhir_store_t *store,
                               const s3_operation_t *operation, apr_size_t limit, const fhir_store_call_t *call)
{
    fhir_store_call_t bounded = operation->slow ? *call : s3_bounded(store, call);
    s3_signed_t request;
    memset(response, 0, sizeof(*response));
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(s3_sign(&request, store, operation, &bounded));
    FHIR_TRY(fhir_http_call(response, store->http, &request.http, limit, &bounded));
    if (response->status >= 200 && response->status < 300) {
        return NULL;
    }
    return s3_refusal(again, store, response, operation->name, &request.signer.credentials, call);
}

fhir_error_t *s3_call(fhir_http_response_t *response, fhir_store_t *store, const s3_operation_t *operation,
                      apr_size_t limit, const fhir_store_call_t *call)
{
    int attempt = 0;
    int corrections = 0;
    for (;;) {
        int again = 0;
        fhir_error_t *error = call_once(response, &again, store, operation, limit, call);
        if (!error) {
            return NULL;
        }
        if (again && corrections++ < CORRECTIONS_MAX) {
            continue;
        }
        if (!operation->repeatable || !fhir_http_try_again(&attempt, error, call)) {
            return error;
        }
        s3_log(call, FHIR_STORE_LOG_DEBUG, "s3: %s again: %s", operation->name, fhir_error_reason(error));
    }
}
