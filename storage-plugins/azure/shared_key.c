/* Requests as they are signed by an account key, and the dates and signatures of SAS. Pure: no I/O, no clock.
 * Source: Azure Storage REST API, "Authorize with Shared Key". */
#include "azure.h"

#include <apr_base64.h>
#include <apr_lib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void azure_request_init(azure_request_t *request, const char *operation, const char *method, const char *path,
                        apr_pool_t *pool)
{
    memset(request, 0, sizeof(*request));
    request->operation = operation;
    request->method = method;
    request->path = path;
    request->parameters = apr_array_make(pool, 4, sizeof(azure_parameter_t));
    request->headers = apr_array_make(pool, 12, sizeof(fhir_http_header_t));
}

void azure_add_parameter(azure_request_t *request, const char *name, const char *value)
{
    azure_parameter_t *parameter = apr_array_push(request->parameters);
    parameter->name = name;
    parameter->value = value;
}

void azure_add_header(azure_request_t *request, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(request->headers);
    header->name = name;
    header->value = value;
}

const char *azure_escape(const char *text, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *escaped = apr_palloc(pool, 3 * strlen(text) + 1);
    char *out = escaped;
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x80 && (apr_isalnum(byte) || strchr("-._~", byte))) {
            *out++ = (char)byte;
        } else {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        }
    }
    *out = '\0';
    return escaped;
}

const char *azure_query(const azure_request_t *request, apr_pool_t *pool)
{
    const char *query = "";
    int i;
    for (i = 0; i < request->parameters->nelts; i++) {
        const azure_parameter_t *parameter = &APR_ARRAY_IDX(request->parameters, i, azure_parameter_t);
        query = apr_pstrcat(pool, query, i ? "&" : "?", azure_escape(parameter->name, pool), "=",
                            azure_escape(parameter->value, pool), NULL);
    }
    return query;
}

static int compare_headers(const void *one, const void *other)
{
    const fhir_http_header_t *left = one;
    const fhir_http_header_t *right = other;
    return strcasecmp(left->name, right->name);
}

static int compare_parameters(const void *one, const void *other)
{
    const azure_parameter_t *left = one;
    const azure_parameter_t *right = other;
    return strcasecmp(left->name, right->name);
}

static const char *lower_case(const char *text, apr_pool_t *pool)
{
    char *lowered = apr_pstrdup(pool, text);
    char *at;
    for (at = lowered; *at; at++) {
        *at = (char)apr_tolower(*at);
    }
    return lowered;
}

/* Our values have no line breaks and no space at their ends. */
static const char *canonical_headers(const azure_request_t *request, apr_pool_t *pool)
{
    apr_array_header_t *sorted = apr_array_copy(pool, request->headers);
    const char *lines = "";
    int i;
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(fhir_http_header_t), compare_headers);
    for (i = 0; i < sorted->nelts; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(sorted, i, fhir_http_header_t);
        if (!strncasecmp(header->name, "x-ms-", 5)) {
            lines = apr_pstrcat(pool, lines, lower_case(header->name, pool), ":", header->value, "\n", NULL);
        }
    }
    return lines;
}

/* With an emulator's endpoint the account's name comes twice: it is part of the path. */
static const char *canonical_resource(const azure_request_t *request, const char *account, const char *endpoint_path,
                                      apr_pool_t *pool)
{
    apr_array_header_t *sorted = apr_array_copy(pool, request->parameters);
    const char *resource = apr_pstrcat(pool, "/", account, endpoint_path, request->path, NULL);
    int i;
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(azure_parameter_t), compare_parameters);
    for (i = 0; i < sorted->nelts; i++) {
        const azure_parameter_t *parameter = &APR_ARRAY_IDX(sorted, i, azure_parameter_t);
        resource = apr_pstrcat(pool, resource, "\n", lower_case(parameter->name, pool), ":", parameter->value, NULL);
    }
    return resource;
}

static const char *value_of(const azure_request_t *request, const char *name)
{
    int i;
    for (i = 0; i < request->headers->nelts; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(request->headers, i, fhir_http_header_t);
        if (!strcasecmp(header->name, name)) {
            return header->value;
        }
    }
    return "";
}

const char *azure_string_to_sign(const azure_request_t *request, const char *account, const char *endpoint_path,
                                 apr_pool_t *pool)
{
    static const char *const before[] = {"Content-Encoding", "Content-Language"};
    static const char *const after[] = {"Content-MD5",   "Content-Type",        "Date", "If-Modified-Since", "If-Match",
                                        "If-None-Match", "If-Unmodified-Since", "Range"};
    const char *text = apr_pstrcat(pool, request->method, "\n", NULL);
    size_t i;
    for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        text = apr_pstrcat(pool, text, value_of(request, before[i]), "\n", NULL);
    }
    /* An empty body counts as no length. */
    text = request->length > 0 ? apr_psprintf(pool, "%s%" APR_OFF_T_FMT "\n", text, request->length)
                               : apr_pstrcat(pool, text, "\n", NULL);
    for (i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
        text = apr_pstrcat(pool, text, value_of(request, after[i]), "\n", NULL);
    }
    return apr_pstrcat(pool, text, canonical_headers(request, pool),
                       canonical_resource(request, account, endpoint_path, pool), NULL);
}

const char *azure_signature(const azure_key_t *key, const char *text, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    char *signature = apr_palloc(pool, (apr_size_t)apr_base64_encode_len(EVP_MAX_MD_SIZE));
    if (!HMAC(EVP_sha256(), key->bytes, (int)key->length, (const unsigned char *)text, strlen(text), digest, &length)) {
        return ""; /* no server takes it */
    }
    apr_base64_encode_binary(signature, digest, (int)length);
    return signature;
}

const char *azure_http_date(apr_time_t time, apr_pool_t *pool)
{
    char *date = apr_palloc(pool, APR_RFC822_DATE_LEN);
    apr_rfc822_date(date, time);
    return date;
}

const char *azure_iso_date(apr_time_t time, apr_pool_t *pool)
{
    apr_time_exp_t parts;
    apr_time_exp_gmt(&parts, time);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                        parts.tm_hour, parts.tm_min, parts.tm_sec);
}
