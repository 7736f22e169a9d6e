/* AWS Signature Version 4: the signing key, signed headers and signed URLs. */
#include "sigv4_private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_SECONDS 604800 /* AWS takes no more than a week */

/* ---- hashes ---- */

void s3_hex(char *hex, const unsigned char *bytes, apr_size_t length)
{
    static const char digits[] = "0123456789abcdef";
    apr_size_t i;
    for (i = 0; i < length; i++) {
        *hex++ = digits[bytes[i] >> 4];
        *hex++ = digits[bytes[i] & 15];
    }
    *hex = '\0';
}

void s3_sha256_hex(char hex[S3_SHA256_HEX_LENGTH + 1], const void *data, apr_size_t length)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    /* Without a digest the hash is wrong, so the server refuses: never a wrong body. */
    if (!EVP_Digest(data, length, digest, NULL, EVP_sha256(), NULL)) {
        memset(digest, 0, sizeof(digest));
    }
    s3_hex(hex, digest, S3_SHA256_HEX_LENGTH / 2);
}

int s3_hmac(unsigned char mac[32], const void *key, apr_size_t key_length, const char *text, apr_size_t length)
{
    unsigned written = 0;
    return HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, length, mac, &written) != NULL &&
           written == 32;
}

fhir_error_t *s3_crypto_failed(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The store failed unexpectedly. Tell the operator of this server.",
                             "OpenSSL could not compute a signature");
}

/* ---- the signing key ---- */

void s3_date(char date[S3_DATE_LENGTH + 1], apr_time_t time)
{
    apr_time_exp_t parts;
    char text[64];
    apr_time_exp_gmt(&parts, time);
    snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
             parts.tm_hour, parts.tm_min, parts.tm_sec);
    memcpy(date, text, S3_DATE_LENGTH);
    date[S3_DATE_LENGTH] = '\0';
}

const char *s3_scope(const s3_signer_t *signer, const char *date, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%.8s/%s/%s/aws4_request", date, signer->region, signer->service);
}

int s3_signing_key(unsigned char key[32], const s3_signer_t *signer, const char *date, apr_pool_t *pool)
{
    char *secret = apr_pstrcat(pool, "AWS4", signer->credentials.secret_access_key, NULL);
    int good = s3_hmac(key, secret, strlen(secret), date, 8) &&
               s3_hmac(key, key, 32, signer->region, strlen(signer->region)) &&
               s3_hmac(key, key, 32, signer->service, strlen(signer->service)) &&
               s3_hmac(key, key, 32, "aws4_request", strlen("aws4_request"));
    OPENSSL_cleanse(secret, strlen(secret));
    return good;
}

/* ---- the signature ---- */

static const char *string_to_sign(const char *canonical, const s3_signer_t *signer, apr_pool_t *pool)
{
    char hash[S3_SHA256_HEX_LENGTH + 1];
    char date[S3_DATE_LENGTH + 1];
    s3_date(date, signer->now);
    s3_sha256_hex(hash, canonical, strlen(canonical));
    return apr_pstrcat(pool, S3_ALGORITHM "\n", date, "\n", s3_scope(signer, date, pool), "\n", hash, NULL);
}

const char *s3_string_to_sign(const s3_request_t *request, const s3_signer_t *signer, apr_pool_t *pool)
{
    return string_to_sign(s3_canonical_request(request, pool), signer, pool);
}

static fhir_error_t *signature_of(const char **signature, const s3_canonical_t *canonical, const s3_request_t *request,
                                  const s3_signer_t *signer, apr_pool_t *pool)
{
    const char *text = string_to_sign(s3_canonical_text(canonical, request, pool), signer, pool);
    char *hex = apr_palloc(pool, S3_SHA256_HEX_LENGTH + 1);
    unsigned char key[32];
    unsigned char mac[32];
    char date[S3_DATE_LENGTH + 1];
    int good;
    s3_date(date, signer->now);
    good = s3_signing_key(key, signer, date, pool) && s3_hmac(mac, key, sizeof(key), text, strlen(text));
    OPENSSL_cleanse(key, sizeof(key));
    if (!good) {
        return s3_crypto_failed(pool);
    }
    s3_hex(hex, mac, sizeof(mac));
    *signature = hex;
    return NULL;
}

static const char *credential_of(const s3_signer_t *signer, const char *date, apr_pool_t *pool)
{
    return apr_pstrcat(pool, signer->credentials.access_key_id, "/", s3_scope(signer, date, pool), NULL);
}

/* ---- in headers ---- */

static int is_of_signature(const char *name)
{
    return !strcasecmp(name, "authorization") || !strcasecmp(name, "x-amz-date") ||
           !strcasecmp(name, "x-amz-content-sha256") || !strcasecmp(name, "x-amz-security-token");
}

/* What an earlier attempt signed is out of date. */
static void drop_old_signature(apr_array_header_t *headers)
{
    int kept = 0;
    int i;
    for (i = 0; i < headers->nelts; i++) {
        fhir_http_header_t header = APR_ARRAY_IDX(headers, i, fhir_http_header_t);
        if (!is_of_signature(header.name)) {
            APR_ARRAY_IDX(headers, kept++, fhir_http_header_t) = header;
        }
    }
    headers->nelts = kept;
}

static void add_header(apr_array_header_t *headers, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(headers);
    header->name = name;
    header->value = value;
}

fhir_error_t *s3_sign_headers(const char **signature, s3_request_t *request, const s3_signer_t *signer,
                              apr_pool_t *pool)
{
    s3_canonical_t canonical;
    char date[S3_DATE_LENGTH + 1];
    const char *signed_as;
    FHIR_TRY(s3_check_request(request, pool));
    FHIR_TRY(s3_check_signer(signer, pool));
    if (!request->headers) {
        request->headers = apr_array_make(pool, 8, sizeof(fhir_http_header_t));
    }
    drop_old_signature(request->headers);
    s3_date(date, signer->now);
    add_header(request->headers, "x-amz-date", apr_pstrdup(pool, date));
    add_header(request->headers, "x-amz-content-sha256", request->payload_sha256);
    if (signer->credentials.session_token) {
        add_header(request->headers, "x-amz-security-token", signer->credentials.session_token);
    }
    s3_canonicalize(&canonical, request, pool);
    FHIR_TRY(signature_of(&signed_as, &canonical, request, signer, pool));
    add_header(request->headers, "Authorization",
               apr_pstrcat(pool, S3_ALGORITHM " Credential=", credential_of(signer, date, pool),
                           ", SignedHeaders=", canonical.signed_names, ", Signature=", signed_as, NULL));
    if (signature) {
        *signature = signed_as;
    }
    return NULL;
}

/* ---- in a URL ---- */

static fhir_error_t *check_presign(const s3_request_t *request, apr_int64_t seconds, apr_pool_t *pool)
{
    int i;
    for (i = 0; request->parameters && i < request->parameters->nelts; i++) {
        if (!strncasecmp(APR_ARRAY_IDX(request->parameters, i, s3_parameter_t).name, "x-amz-", 6)) {
            return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL, "This URL is signed already.", NULL);
        }
    }
    if (seconds < 1 || seconds > MAX_SECONDS) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "A URL of this store can be valid for 1 to %d seconds, not for %" APR_INT64_T_FMT ".",
                                 MAX_SECONDS, seconds);
    }
    return NULL;
}

static void add_parameter(apr_array_header_t *parameters, const char *name, const char *value)
{
    s3_parameter_t *parameter = apr_array_push(parameters);
    parameter->name = name;
    parameter->value = value;
}

static void add_signing_parameters(s3_request_t *request, const s3_signer_t *signer, apr_int64_t seconds,
                                   const char *signed_names, apr_pool_t *pool)
{
    char date[S3_DATE_LENGTH + 1];
    s3_date(date, signer->now);
    add_parameter(request->parameters, "X-Amz-Algorithm", S3_ALGORITHM);
    add_parameter(request->parameters, "X-Amz-Credential", credential_of(signer, date, pool));
    add_parameter(request->parameters, "X-Amz-Date", apr_pstrdup(pool, date));
    add_parameter(request->parameters, "X-Amz-Expires", apr_psprintf(pool, "%" APR_INT64_T_FMT, seconds));
    add_parameter(request->parameters, "X-Amz-SignedHeaders", signed_names);
    if (signer->credentials.session_token) {
        add_parameter(request->parameters, "X-Amz-Security-Token", signer->credentials.session_token);
    }
}

fhir_error_t *s3_presign_url(const char **url, const s3_request_t *request, const s3_signer_t *signer,
                             apr_int64_t seconds, apr_pool_t *pool)
{
    s3_request_t signed_request = *request;
    s3_canonical_t canonical;
    const char *signature;
    signed_request.payload_sha256 = S3_UNSIGNED_PAYLOAD;
    FHIR_TRY(s3_check_request(&signed_request, pool));
    FHIR_TRY(s3_check_signer(signer, pool));
    FHIR_TRY(check_presign(request, seconds, pool));
    signed_request.parameters = request->parameters ? apr_array_copy(pool, request->parameters)
                                                    : apr_array_make(pool, 8, sizeof(s3_parameter_t));
    s3_canonicalize(&canonical, request, pool);
    add_signing_parameters(&signed_request, signer, seconds, canonical.signed_names, pool);
    s3_canonicalize(&canonical, &signed_request, pool);
    FHIR_TRY(signature_of(&signature, &canonical, &signed_request, signer, pool));
    *url = apr_pstrcat(pool, request->scheme, "://", request->host, canonical.path, "?", canonical.query,
                       "&X-Amz-Signature=", signature, NULL);
    return NULL;
}
