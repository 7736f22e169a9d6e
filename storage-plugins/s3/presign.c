/* URLs of the bucket itself, for whoever holds them: one read, or one write that never replaces. */
#include "s3.h"

#include <string.h>

/* What a signature of version 4 may last. */
#define SECONDS_MOST 604800

static fhir_error_t *can_not(apr_pool_t *pool, const char *why)
{
    return fhir_error_create(pool, FHIR_ERROR_UNSUPPORTED, APR_ENOTIMPL,
                             "The store can't give a URL of its own for this.", "presign: %s", why);
}

fhir_error_t *s3_can_presign(const fhir_store_config_t *config, int write, apr_pool_t *pool)
{
    if (config->encryption == S3_ENCRYPTION_SSE_C) {
        return fhir_error_public(pool, FHIR_ERROR_UNSUPPORTED,
                                 "With encryption=sse-c clients would need the key to the store.");
    }
    if (write && !config->if_none_match) {
        return fhir_error_public(pool, FHIR_ERROR_UNSUPPORTED,
                                 "With if_none_match=off an upload could replace what is there.");
    }
    return NULL;
}

static void describe_read(s3_operation_t *operation, const fhir_store_presign_request_t *request)
{
    if (request->content_type) {
        s3_add_parameter(operation, "response-content-type", request->content_type);
    }
    if (request->content_disposition) {
        s3_add_parameter(operation, "response-content-disposition", request->content_disposition);
    }
    if (request->cache_control) {
        s3_add_parameter(operation, "response-cache-control", request->cache_control);
    }
}

static void describe_write(s3_operation_t *operation, const fhir_store_t *store,
                           const fhir_store_presign_request_t *request)
{
    if (request->content_type) {
        s3_add_header(operation, "content-type", request->content_type);
    }
    s3_add_header(operation, "if-none-match", "*");
    s3_add_storage_headers(operation, store);
}

static void give_headers(fhir_store_presigned_t *presigned, const s3_operation_t *operation, apr_pool_t *pool)
{
    fhir_store_option_t *headers =
        apr_pcalloc(pool, ((apr_size_t)operation->headers->nelts + 1) * sizeof(fhir_store_option_t));
    int i;
    for (i = 0; i < operation->headers->nelts; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(operation->headers, i, fhir_http_header_t);
        headers[i].key = apr_pstrdup(pool, header->name);
        headers[i].value = apr_pstrdup(pool, header->value);
    }
    presigned->headers = headers;
    presigned->header_count = operation->headers->nelts;
}

/* Keys for a while end their URLs with them: such a URL would not last as long as it says. */
static fhir_error_t *check_time(apr_int64_t *seconds, const s3_credentials_t *credentials,
                                const fhir_store_presign_request_t *request, apr_pool_t *pool)
{
    *seconds = apr_time_sec(request->expires - apr_time_now() + apr_time_from_msec(999));
    if (request->expires <= apr_time_now() || *seconds < 1 || *seconds > SECONDS_MOST) {
        return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL,
                                 "A signed URL of the store lasts between one second and seven days.", NULL);
    }
    if (credentials->expires && credentials->expires < request->expires) {
        return can_not(pool, "the keys that we have end before the URL would");
    }
    return NULL;
}

fhir_error_t *s3_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                         const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    s3_operation_t operation;
    s3_request_t described = {0};
    s3_signer_t signer = {0};
    apr_int64_t seconds;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(request->locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    FHIR_TRY(s3_can_presign(store->config, request->write, pool));
    FHIR_TRY(s3_credentials_get(&signer.credentials, store->credentials, call));
    FHIR_TRY(check_time(&seconds, &signer.credentials, request, pool));
    s3_operation_init(&operation, store, "presign", request->write ? "PUT" : "GET", request->locator,
                      call->scratch_pool);
    if (request->write) {
        describe_write(&operation, store, request);
    } else {
        describe_read(&operation, request);
    }
    signer.region = store->config->region;
    signer.service = "s3";
    signer.now = s3_now(store);
    described.method = operation.method;
    described.scheme = store->config->public_endpoint.scheme;
    described.host = store->config->public_endpoint.host;
    described.path = operation.path;
    described.parameters = operation.parameters;
    described.headers = operation.headers;
    described.payload_sha256 = S3_UNSIGNED_PAYLOAD;
    FHIR_TRY(s3_presign_url(&presigned->url, &described, &signer, seconds, pool));
    give_headers(presigned, &operation, pool);
    return NULL;
}
