/* Signing our own access tokens as compact JWS. */
#include "../base/text.h"
#include "jose.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <string.h>

static fhir_error_t *failed(apr_pool_t *pool, const char *doing)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not sign the token.",
                             "%s: OpenSSL error %lx", doing, code);
}

/* OpenSSL's DER -> r and s in their fixed width. 0 on failure. */
static int der_to_ecdsa(unsigned char *bytes, apr_size_t length, const unsigned char *der, apr_size_t der_length)
{
    int half = (int)(length / 2);
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_length);
    int good = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, half) == half &&
               BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + half, half) == half;
    ECDSA_SIG_free(signature);
    return good;
}

/* In: room in *length; out: bytes of OpenSSL's own form of the signature. */
static int sign_bytes(unsigned char *signature, apr_size_t *length, const fhir_jwk_t *jwk, const char *text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL; /* belongs to context */
    int good = context &&
               EVP_DigestSignInit_ex(context, &key_context, jwk->algorithm->digest, NULL, NULL, jwk->key, NULL) == 1 &&
               fhir_jws_set_padding(key_context, jwk->algorithm) &&
               EVP_DigestSign(context, signature, length, (const unsigned char *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static fhir_error_t *sign_text(const char **encoded, const fhir_jwk_t *jwk, const char *text, apr_pool_t *pool)
{
    apr_size_t length = (apr_size_t)EVP_PKEY_get_size(jwk->key);
    unsigned char *signature = apr_palloc(pool, length);
    if (!sign_bytes(signature, &length, jwk, text)) {
        return failed(pool, "signing");
    }
    if (fhir_curve_of(jwk->type)) {
        unsigned char *fixed = apr_palloc(pool, jwk->signature_length);
        if (!der_to_ecdsa(fixed, jwk->signature_length, signature, length)) {
            return failed(pool, "converting the signature");
        }
        signature = fixed;
        length = jwk->signature_length;
    }
    *encoded = fhir_base64url_encode(signature, length, pool);
    return NULL;
}

/* {"alg":"ES256","typ":"JWT","kid":"..."} */
static const char *header_text(const fhir_jwk_t *jwk, apr_pool_t *pool)
{
    fhir_text_t header;
    fhir_text_init(&header, pool);
    fhir_text_addf(&header, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":", jwk->algorithm->name);
    fhir_text_add_json_string(&header, jwk->key_id);
    fhir_text_add(&header, "}");
    return header.text;
}

fhir_error_t *fhir_jws_sign(const char **token, const char *payload, const char *private_jwk, apr_pool_t *pool)
{
    json_t *object = json_loads(private_jwk, JSON_REJECT_DUPLICATES, NULL);
    const char *signature = NULL;
    const char *header;
    const char *text;
    fhir_jwk_t jwk;
    int good = fhir_jwk_import(&jwk, object, 1, pool) && jwk.algorithm && jwk.key_id;
    json_decref(object);
    *token = NULL;
    if (!good) {
        return failed(pool, "reading the signing key (needs kid and alg)");
    }
    header = header_text(&jwk, pool);
    text = apr_pstrcat(pool, fhir_base64url_encode(header, strlen(header), pool), ".",
                       fhir_base64url_encode(payload, strlen(payload), pool), NULL);
    FHIR_TRY(sign_text(&signature, &jwk, text, pool));
    *token = apr_pstrcat(pool, text, ".", signature, NULL);
    return NULL;
}
