/* What must hold of a request before it is signed. A header that another party would read otherwise than it was signed,
 * or a line break in one, is refused here and not by the server. */
#include "sigv4_private.h"

#include <string.h>
#include <strings.h>

#define MAX_PATH 4096
#define MAX_PAIRS 64
#define MAX_VALUE 16384
#define MAX_HOST 300
#define MAX_NAME 128

static fhir_error_t *invalid(const char *what, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL, "This request can't be sent to the store.",
                             "can't be signed: %s", what);
}

static int is_header_value(const char *value)
{
    if (!value || strnlen(value, MAX_VALUE + 1) > MAX_VALUE) {
        return 0;
    }
    for (; *value; value++) {
        if ((unsigned char)*value < ' ' || *value == 0x7f) {
            return 0;
        }
    }
    return 1;
}

static int is_payload(const char *payload)
{
    return payload && (!strcmp(payload, S3_UNSIGNED_PAYLOAD) || !strcmp(payload, S3_STREAMING_PAYLOAD) ||
                       (strspn(payload, "0123456789abcdef") == S3_SHA256_HEX_LENGTH && !payload[S3_SHA256_HEX_LENGTH]));
}

static fhir_error_t *check_headers(const apr_array_header_t *headers, apr_pool_t *pool)
{
    int i;
    for (i = 0; headers && i < headers->nelts; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(headers, i, fhir_http_header_t);
        if (i == MAX_PAIRS || !s3_is_word(header->name, MAX_NAME, ":;,\"") || !is_header_value(header->value)) {
            return invalid("a header", pool);
        }
        if (!strcasecmp(header->name, "host")) {
            return invalid("Host belongs into the request's host", pool);
        }
    }
    return NULL;
}

static fhir_error_t *check_parameters(const apr_array_header_t *parameters, apr_pool_t *pool)
{
    int i;
    for (i = 0; parameters && i < parameters->nelts; i++) {
        const s3_parameter_t *parameter = &APR_ARRAY_IDX(parameters, i, s3_parameter_t);
        if (i == MAX_PAIRS || !parameter->name || !*parameter->name ||
            strnlen(parameter->name, MAX_NAME + 1) > MAX_NAME ||
            (parameter->value && strnlen(parameter->value, MAX_VALUE + 1) > MAX_VALUE)) {
            return invalid("a parameter", pool);
        }
    }
    return NULL;
}

fhir_error_t *s3_check_request(const s3_request_t *request, apr_pool_t *pool)
{
    if (!s3_is_word(request->method, 16, ":/?#")) {
        return invalid("the method", pool);
    }
    if (!s3_is_word(request->scheme, 8, ":/?#") || !s3_is_word(request->host, MAX_HOST, "/?#@\\,")) {
        return invalid("the host", pool);
    }
    if (!request->path || *request->path != '/' || strnlen(request->path, MAX_PATH + 1) > MAX_PATH) {
        return invalid("the path", pool);
    }
    if (!is_payload(request->payload_sha256)) {
        return invalid("the hash of the payload", pool);
    }
    FHIR_TRY(check_parameters(request->parameters, pool));
    return check_headers(request->headers, pool);
}

fhir_error_t *s3_check_signer(const s3_signer_t *signer, apr_pool_t *pool)
{
    FHIR_TRY(s3_check_keys(&signer->credentials, pool));
    if (!s3_is_word(signer->region, 64, "/,;=&") || !s3_is_word(signer->service, 64, "/,;=&")) {
        return invalid("the region", pool);
    }
    if (signer->now < 0 || signer->now >= apr_time_from_sec(APR_INT64_C(253402300800))) {
        return invalid("the time", pool); /* four digits of the year */
    }
    return NULL;
}
