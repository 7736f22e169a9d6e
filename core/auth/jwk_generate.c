/* New private keys as JWK text, and the public set that others verify our tokens with. */
#include "../base/digest.h"
#include "../base/text.h"
#include "jose.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS 2048
#define NUMBER_MAX 1024 /* bytes */

typedef struct member_t {
    const char *name;      /* in the JWK */
    const char *parameter; /* OpenSSL's */
} member_t;

static const member_t rsa_public[] = {{"n", OSSL_PKEY_PARAM_RSA_N}, {"e", OSSL_PKEY_PARAM_RSA_E}, {NULL, NULL}};
static const member_t rsa_private[] = {{"d", OSSL_PKEY_PARAM_RSA_D},
                                       {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
                                       {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
                                       {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
                                       {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
                                       {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
                                       {NULL, NULL}};
static const member_t ec_public[] = {{"x", OSSL_PKEY_PARAM_EC_PUB_X}, {"y", OSSL_PKEY_PARAM_EC_PUB_Y}, {NULL, NULL}};
static const member_t ec_private[] = {{"d", OSSL_PKEY_PARAM_PRIV_KEY}, {NULL, NULL}};

static fhir_error_t *failed(apr_pool_t *pool, const char *doing)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not make a key.",
                             "%s: OpenSSL error %lx", doing, code);
}

static int set_string(json_t *object, const char *name, const char *value)
{
    return json_object_set_new(object, name, json_string(value)) == 0;
}

/* Numbers of a curve are padded to its field length (0: as short as they are). 0 if OpenSSL has no such number. */
static int set_numbers(json_t *object, const EVP_PKEY *key, const member_t *members, int field_length, apr_pool_t *pool)
{
    int good = 1;
    for (; good && members->name; members++) {
        unsigned char bytes[NUMBER_MAX];
        BIGNUM *number = NULL;
        int size = -1;
        if (EVP_PKEY_get_bn_param(key, members->parameter, &number) == 1) {
            size = field_length > 0 ? field_length : BN_num_bytes(number);
            size = size <= NUMBER_MAX ? BN_bn2binpad(number, bytes, size) : -1;
        }
        BN_clear_free(number);
        good = size > 0 && set_string(object, members->name, fhir_base64url_encode(bytes, (apr_size_t)size, pool));
        OPENSSL_cleanse(bytes, sizeof(bytes));
    }
    return good;
}

/* The JSON text of the object in `pool`; NULL if jansson failed. */
static const char *dumped(const json_t *object, apr_pool_t *pool)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    const char *copy = text ? apr_pstrdup(pool, text) : NULL;
    if (text) {
        OPENSSL_cleanse(text, strlen(text));
    }
    free(text);
    return copy;
}

/* RFC 7638: the key's id is the digest of its required members, sorted. */
static fhir_error_t *thumbprint(const char **key_id, const json_t *required, apr_pool_t *pool)
{
    const char *text = dumped(required, pool);
    fhir_digest_t *digest;
    const unsigned char *value;
    apr_size_t length = 0;
    FHIR_TRY(fhir_digest_create(&digest, FHIR_DIGEST_SHA256, pool));
    fhir_digest_update(digest, text ? text : "", text ? strlen(text) : 0);
    fhir_digest_finish(digest);
    value = fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length);
    if (!text || !value) {
        return failed(pool, "computing the key id");
    }
    *key_id = fhir_base64url_encode(value, length, pool);
    return NULL;
}

/* Fills `jwk` and names the key. */
static fhir_error_t *describe(json_t *jwk, const char **key_id, const EVP_PKEY *key,
                              const fhir_jws_algorithm_t *algorithm, apr_pool_t *pool)
{
    const fhir_curve_t *curve = fhir_curve_of(algorithm->key_type);
    int field_length = curve ? (int)curve->field_length : 0;
    if (!set_string(jwk, "kty", curve ? "EC" : "RSA") || (curve && !set_string(jwk, "crv", curve->name)) ||
        !set_numbers(jwk, key, curve ? ec_public : rsa_public, field_length, pool)) {
        return failed(pool, "reading the public key");
    }
    FHIR_TRY(thumbprint(key_id, jwk, pool));
    if (!set_string(jwk, "kid", *key_id) || !set_string(jwk, "alg", algorithm->name) ||
        !set_string(jwk, "use", "sig") ||
        !set_numbers(jwk, key, curve ? ec_private : rsa_private, field_length, pool)) {
        return failed(pool, "reading the private key");
    }
    return NULL;
}

static fhir_error_t *write_key(const char **private_jwk, const char **key_id, const EVP_PKEY *key,
                               const fhir_jws_algorithm_t *algorithm, apr_pool_t *pool)
{
    json_t *jwk = json_object();
    fhir_error_t *error = jwk ? describe(jwk, key_id, key, algorithm, pool) : failed(pool, "writing the key");
    if (!error) {
        *private_jwk = dumped(jwk, pool);
        error = *private_jwk ? NULL : failed(pool, "writing the key");
    }
    json_decref(jwk);
    return error;
}

fhir_error_t *fhir_jwk_generate(const char **private_jwk, const char **key_id, const char *algorithm, apr_pool_t *pool)
{
    const fhir_jws_algorithm_t *known = fhir_jws_algorithm(algorithm);
    EVP_PKEY *key;
    fhir_error_t *error;
    *private_jwk = NULL;
    *key_id = NULL;
    if (!known || (strcmp(algorithm, "ES256") != 0 && strcmp(algorithm, "RS256") != 0)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "A token key is made for ES256 or RS256.");
    }
    key = known->key_type == FHIR_KEY_TYPE_RSA ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("prime256v1");
    error = key ? write_key(private_jwk, key_id, key, known, pool) : failed(pool, "generating the key");
    EVP_PKEY_free(key);
    return error;
}

/* Only these leave the house. */
static const char *const public_members[] = {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", NULL};

static int append_public(json_t *keys, const char *private_jwk)
{
    json_t *jwk = json_loads(private_jwk, JSON_REJECT_DUPLICATES, NULL);
    json_t *shown = json_object();
    const char *const *name;
    int good = json_is_object(jwk) && json_is_string(json_object_get(jwk, "kid"));
    for (name = public_members; good && *name; name++) {
        json_t *value = json_object_get(jwk, *name);
        good = !value || json_object_set(shown, *name, value) == 0;
    }
    good = good && json_array_append(keys, shown) == 0;
    json_decref(shown);
    json_decref(jwk);
    return good;
}

fhir_error_t *fhir_jwk_public_set(const char **json, const apr_array_header_t *private_jwks, apr_pool_t *pool)
{
    json_t *set = json_object();
    json_t *keys = json_array();
    int good = set && keys;
    int i;
    for (i = 0; good && i < private_jwks->nelts; i++) {
        good = append_public(keys, APR_ARRAY_IDX(private_jwks, i, const char *));
    }
    good = good && json_object_set(set, "keys", keys) == 0;
    *json = good ? dumped(set, pool) : NULL;
    json_decref(keys);
    json_decref(set);
    if (!*json) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not read its own keys.",
                                 "a private JWK is damaged");
    }
    return NULL;
}
