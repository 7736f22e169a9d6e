/* Compact JSON Web Signatures (RFC 7515). The algorithm is checked against the allow-list, the key's type and the key's
 * own `alg` before any mathematics: a token never chooses how it is verified. */
#include "../base/text.h"
#include "jose.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define TOKEN_MAX 16384

static const fhir_jws_algorithm_t algorithms_known[] = {
    {"ES256", FHIR_KEY_TYPE_P256, "SHA256", 0}, {"RS256", FHIR_KEY_TYPE_RSA, "SHA256", 0},
    {"ES384", FHIR_KEY_TYPE_P384, "SHA384", 0}, {"ES512", FHIR_KEY_TYPE_P521, "SHA512", 0},
    {"RS384", FHIR_KEY_TYPE_RSA, "SHA384", 0},  {"RS512", FHIR_KEY_TYPE_RSA, "SHA512", 0},
    {"PS256", FHIR_KEY_TYPE_RSA, "SHA256", 1},  {"PS384", FHIR_KEY_TYPE_RSA, "SHA384", 1},
    {"PS512", FHIR_KEY_TYPE_RSA, "SHA512", 1},  {"EdDSA", FHIR_KEY_TYPE_ED25519, NULL, 0}};

const fhir_jws_algorithm_t *fhir_jws_algorithm(const char *name)
{
    apr_size_t i;
    for (i = 0; i < sizeof(algorithms_known) / sizeof(algorithms_known[0]); i++) {
        if (strcmp(algorithms_known[i].name, name) == 0) {
            return &algorithms_known[i];
        }
    }
    return NULL;
}

/* The client learns only that the token is no good; the reason goes to the log. */
static fhir_error_t *refused(apr_pool_t *pool, const char *reason)
{
    return fhir_error_create(pool, FHIR_ERROR_UNAUTHENTICATED, APR_SUCCESS,
                             "The access token is not valid; ask its issuer for a new one.", "%s", reason);
}

/* A token taken apart; `signed_length` bytes of it are what was signed. */
typedef struct parts_t {
    const char *header;
    const char *payload;
    const char *signature;
    apr_size_t signed_length;
} parts_t;

static fhir_error_t *split(parts_t *parts, const char *token, apr_pool_t *pool)
{
    apr_size_t length = strnlen(token, TOKEN_MAX + 1);
    char *copy;
    char *first;
    char *second;
    if (length > TOKEN_MAX) {
        return refused(pool, "token longer than 16 KiB");
    }
    copy = apr_pstrmemdup(pool, token, length);
    first = strchr(copy, '.');
    second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strchr(second + 1, '.')) {
        return refused(pool, "not a compact JWS");
    }
    *first = '\0';
    *second = '\0';
    parts->header = copy;
    parts->payload = first + 1;
    parts->signature = second + 1;
    parts->signed_length = (apr_size_t)(second - copy);
    return NULL;
}

/* Decoded text without NUL inside, or NULL. */
static const char *decode_text(const char *encoded, apr_pool_t *pool)
{
    apr_size_t length = 0;
    const unsigned char *bytes = fhir_base64url_decode(&length, encoded, pool);
    return bytes && !memchr(bytes, '\0', length) ? apr_pstrmemdup(pool, (const char *)bytes, length) : NULL;
}

static fhir_error_t *take_header(fhir_jws_header_t *header, const json_t *object, apr_pool_t *pool)
{
    const json_t *kid = json_object_get(object, "kid");
    const char *alg = json_string_value(json_object_get(object, "alg"));
    if (!alg || (kid && !json_is_string(kid))) {
        return refused(pool, "JWS header without usable alg or kid");
    }
    if (json_object_get(object, "crit")) {
        return refused(pool, "JWS header with crit");
    }
    if (!fhir_jws_algorithm(alg)) {
        return refused(pool, "JWS algorithm none, HMAC or unknown");
    }
    header->algorithm = apr_pstrdup(pool, alg);
    header->key_id = kid ? apr_pstrdup(pool, json_string_value(kid)) : NULL;
    return NULL;
}

static fhir_error_t *parse_header(fhir_jws_header_t *header, const char *encoded, apr_pool_t *pool)
{
    const char *text = decode_text(encoded, pool);
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    fhir_error_t *error = json_is_object(object) ? take_header(header, object, pool)
                                                 : refused(pool, "JWS header is not a JSON object in base64url");
    json_decref(object);
    return error;
}

static const char *unverified_issuer(const char *encoded, apr_pool_t *pool)
{
    const char *text = decode_text(encoded, pool);
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *issuer = json_string_value(json_object_get(object, "iss"));
    issuer = issuer ? apr_pstrdup(pool, issuer) : NULL;
    json_decref(object);
    return issuer;
}

fhir_error_t *fhir_jws_peek(fhir_jws_header_t *header, const char *token, apr_pool_t *pool)
{
    parts_t parts;
    memset(header, 0, sizeof(*header));
    FHIR_TRY(split(&parts, token, pool));
    FHIR_TRY(parse_header(header, parts.header, pool));
    header->issuer = unverified_issuer(parts.payload, pool);
    return NULL;
}

/* Is `name` one of the words of the blank-separated list? */
static int is_listed(const char *list, const char *name)
{
    apr_size_t length = strlen(name);
    while (*list) {
        apr_size_t word = strcspn(list, " ");
        if (word == length && memcmp(list, name, length) == 0) {
            return 1;
        }
        list += word + (list[word] == ' ');
    }
    return 0;
}

/* r and s in their fixed width (RFC 7518 section 3.4) -> the DER that OpenSSL wants. NULL on failure. */
static const unsigned char *ecdsa_to_der(int *der_length, const unsigned char *bytes, apr_size_t length,
                                         apr_pool_t *pool)
{
    int half = (int)(length / 2);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, half, NULL);
    BIGNUM *s = BN_bin2bn(bytes + half, half, NULL);
    unsigned char *der = NULL;
    if (signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1) {
        unsigned char *end = der = apr_palloc(pool, length + 16); /* DER adds at most 12 bytes */
        *der_length = i2d_ECDSA_SIG(signature, &end);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(signature);
    return der && *der_length > 0 ? der : NULL;
}

int fhir_jws_set_padding(EVP_PKEY_CTX *context, const fhir_jws_algorithm_t *algorithm)
{
    return !algorithm->pss || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* 1 if OpenSSL finds that `key` signed the text. */
static int signature_holds(EVP_PKEY *key, const fhir_jws_algorithm_t *algorithm, const unsigned char *signature,
                           apr_size_t length, const char *text, apr_size_t text_length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL; /* belongs to context */
    int holds = context &&
                EVP_DigestVerifyInit_ex(context, &key_context, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
                fhir_jws_set_padding(key_context, algorithm) &&
                EVP_DigestVerify(context, signature, length, (const unsigned char *)text, text_length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return holds;
}

static fhir_error_t *check_signature(const parts_t *parts, const char *token, const fhir_jwk_t *jwk,
                                     const fhir_jws_algorithm_t *algorithm, apr_pool_t *pool)
{
    apr_size_t length = 0;
    const unsigned char *signature = fhir_base64url_decode(&length, parts->signature, pool);
    if (!signature || length != jwk->signature_length) {
        return refused(pool, "signature is not base64url or has the wrong length for the key");
    }
    if (fhir_curve_of(jwk->type)) {
        int der_length = 0;
        signature = ecdsa_to_der(&der_length, signature, length, pool);
        length = (apr_size_t)der_length;
    }
    if (!signature || !signature_holds(jwk->key, algorithm, signature, length, token, parts->signed_length)) {
        return refused(pool, "signature does not fit");
    }
    return NULL;
}

fhir_error_t *fhir_jws_verify(const char **payload, const char *token, const fhir_jwk_set_t *set,
                              const char *algorithms, apr_pool_t *pool)
{
    fhir_jws_header_t header = {0};
    const fhir_jws_algorithm_t *algorithm;
    const fhir_jwk_t *jwk;
    parts_t parts;
    *payload = NULL;
    FHIR_TRY(split(&parts, token, pool));
    FHIR_TRY(parse_header(&header, parts.header, pool));
    algorithm = fhir_jws_algorithm(header.algorithm);
    if (!algorithm || !is_listed(algorithms, header.algorithm)) {
        return refused(pool, "JWS algorithm is not allowed for this issuer");
    }
    jwk = fhir_jwk_select(set, header.key_id, algorithm);
    if (!jwk) {
        return refused(pool, "no key of the set has this kid and fits the algorithm");
    }
    FHIR_TRY(check_signature(&parts, token, jwk, algorithm, pool));
    *payload = decode_text(parts.payload, pool);
    return *payload ? NULL : refused(pool, "payload is not text in base64url");
}
