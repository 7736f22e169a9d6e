/* A JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037) as an OpenSSL key. Every number is checked before OpenSSL
 * sees it, and the finished key once more by OpenSSL. */
#include "../base/text.h"
#include "jose.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192 /* verifying with a larger one would be work for an attacker to give */
#define RSA_EXPONENT_BITS_MAX 33
#define ED25519_LENGTH 32

static const fhir_curve_t curves[] = {{"P-256", "prime256v1", FHIR_KEY_TYPE_P256, 32},
                                      {"P-384", "secp384r1", FHIR_KEY_TYPE_P384, 48},
                                      {"P-521", "secp521r1", FHIR_KEY_TYPE_P521, 66}};
#define CURVE_COUNT (sizeof(curves) / sizeof(curves[0]))

const fhir_curve_t *fhir_curve_named(const char *name)
{
    apr_size_t i;
    for (i = 0; name && i < CURVE_COUNT; i++) {
        if (strcmp(curves[i].name, name) == 0) {
            return &curves[i];
        }
    }
    return NULL;
}

const fhir_curve_t *fhir_curve_of(fhir_key_type_t type)
{
    apr_size_t i;
    for (i = 0; i < CURVE_COUNT; i++) {
        if (curves[i].type == type) {
            return &curves[i];
        }
    }
    return NULL;
}

static const unsigned char *member_bytes(apr_size_t *length, const json_t *object, const char *name, apr_pool_t *pool)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? fhir_base64url_decode(length, text, pool) : NULL;
}

static apr_status_t free_big_number(void *data)
{
    BN_clear_free(data);
    return APR_SUCCESS;
}

/* One big number of the JWK into the parameters; the builder keeps a reference, so the number lives in the pool. NULL
 * if it is absent, malformed or longer than `max_bytes`. */
static const BIGNUM *push_number(OSSL_PARAM_BLD *builder, const char *parameter, const json_t *object, const char *name,
                                 apr_size_t max_bytes, apr_pool_t *pool)
{
    apr_size_t length = 0;
    const unsigned char *bytes = member_bytes(&length, object, name, pool);
    BIGNUM *number;
    if (!bytes || length == 0 || length > max_bytes) {
        return NULL;
    }
    number = BN_bin2bn(bytes, (int)length, NULL);
    if (!number) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, number, free_big_number, apr_pool_cleanup_null);
    return OSSL_PARAM_BLD_push_BN(builder, parameter, number) == 1 ? number : NULL;
}

static int push_rsa(OSSL_PARAM_BLD *builder, const json_t *object, int with_private, apr_pool_t *pool)
{
    static const struct {
        const char *parameter;
        const char *member;
    } private_parts[] = {{OSSL_PKEY_PARAM_RSA_D, "d"},          {OSSL_PKEY_PARAM_RSA_FACTOR1, "p"},
                         {OSSL_PKEY_PARAM_RSA_FACTOR2, "q"},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dp"},
                         {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dq"}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qi"}};
    const BIGNUM *n = push_number(builder, OSSL_PKEY_PARAM_RSA_N, object, "n", RSA_BITS_MAX / 8, pool);
    const BIGNUM *e = push_number(builder, OSSL_PKEY_PARAM_RSA_E, object, "e", RSA_BITS_MAX / 8, pool);
    apr_size_t i;
    if (!n || !e || BN_num_bits(n) < RSA_BITS_MIN || !BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) ||
        BN_num_bits(e) > RSA_EXPONENT_BITS_MAX) {
        return 0;
    }
    for (i = 0; with_private && i < sizeof(private_parts) / sizeof(private_parts[0]); i++) {
        if (!push_number(builder, private_parts[i].parameter, object, private_parts[i].member, RSA_BITS_MAX / 8,
                         pool)) {
            return 0;
        }
    }
    return 1;
}

/* RFC 7518 section 6.2.1.2 wants the full length of the field, but some issuers leave leading zeros out. */
static int put_coordinate(unsigned char *to, apr_size_t field_length, const json_t *object, const char *name,
                          apr_pool_t *pool)
{
    apr_size_t length = 0;
    const unsigned char *bytes = member_bytes(&length, object, name, pool);
    if (!bytes || length == 0 || length > field_length) {
        return 0;
    }
    memset(to, 0, field_length - length);
    memcpy(to + field_length - length, bytes, length);
    return 1;
}

static int push_ec(OSSL_PARAM_BLD *builder, const json_t *object, const fhir_curve_t *curve, int with_private,
                   apr_pool_t *pool)
{
    apr_size_t point_length = 1 + 2 * curve->field_length;
    unsigned char *point = apr_palloc(pool, point_length);
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    if (!put_coordinate(point + 1, curve->field_length, object, "x", pool) ||
        !put_coordinate(point + 1 + curve->field_length, curve->field_length, object, "y", pool)) {
        return 0;
    }
    return OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, point_length) == 1 &&
           (!with_private ||
            push_number(builder, OSSL_PKEY_PARAM_PRIV_KEY, object, "d", curve->field_length, pool) != NULL);
}

/* Does OpenSSL find the public key sound: the point on its curve, a plausible modulus? */
static int is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    int sound = context && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return sound;
}

static EVP_PKEY *key_from_parameters(const char *type, OSSL_PARAM_BLD *builder, int with_private)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, with_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

static EVP_PKEY *import_rsa_or_ec(const json_t *object, const fhir_curve_t *curve, int with_private, apr_pool_t *pool)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (builder &&
        (curve ? push_ec(builder, object, curve, with_private, pool) : push_rsa(builder, object, with_private, pool))) {
        key = key_from_parameters(curve ? "EC" : "RSA", builder, with_private);
    }
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *import_ed25519(const json_t *object, int with_private, apr_pool_t *pool)
{
    apr_size_t length = 0;
    const unsigned char *bytes = member_bytes(&length, object, with_private ? "d" : "x", pool);
    if (!bytes || length != ED25519_LENGTH) {
        return NULL;
    }
    return with_private ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, length)
                        : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, length);
}

/* 0 if `kty` and `crv` name no key type that we have. */
static int key_type_of(fhir_key_type_t *type, const json_t *object)
{
    const char *kty = json_string_value(json_object_get(object, "kty"));
    const char *crv = json_string_value(json_object_get(object, "crv"));
    const fhir_curve_t *curve = fhir_curve_named(crv);
    if (!kty) {
        return 0;
    }
    if (strcmp(kty, "RSA") == 0) {
        *type = FHIR_KEY_TYPE_RSA;
        return 1;
    }
    if (strcmp(kty, "EC") == 0 && curve) {
        *type = curve->type;
        return 1;
    }
    *type = FHIR_KEY_TYPE_ED25519;
    return strcmp(kty, "OKP") == 0 && crv && strcmp(crv, "Ed25519") == 0;
}

/* `use`, `key_ops`: is the key meant for signatures? */
static int is_for_signatures(const json_t *object)
{
    const json_t *use = json_object_get(object, "use");
    const json_t *operations = json_object_get(object, "key_ops");
    apr_size_t i;
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0)) {
        return 0;
    }
    if (!operations) {
        return 1;
    }
    for (i = 0; i < json_array_size(operations); i++) {
        const char *operation = json_string_value(json_array_get(operations, i));
        if (operation && (strcmp(operation, "verify") == 0 || strcmp(operation, "sign") == 0)) {
            return 1;
        }
    }
    return 0;
}

/* `kid` and `alg`; 0 if they are there but can't be used, or `alg` is for another type of key. */
static int import_names(fhir_jwk_t *jwk, const json_t *object, apr_pool_t *pool)
{
    const json_t *kid = json_object_get(object, "kid");
    const json_t *alg = json_object_get(object, "alg");
    if ((kid && !json_is_string(kid)) || (alg && !json_is_string(alg))) {
        return 0;
    }
    jwk->key_id = kid ? apr_pstrdup(pool, json_string_value(kid)) : NULL;
    jwk->algorithm = alg ? fhir_jws_algorithm(json_string_value(alg)) : NULL;
    return !alg || (jwk->algorithm && jwk->algorithm->key_type == jwk->type);
}

static apr_status_t free_key(void *data)
{
    EVP_PKEY_free(data);
    return APR_SUCCESS;
}

int fhir_jwk_import(fhir_jwk_t *jwk, const json_t *object, int with_private, apr_pool_t *pool)
{
    const fhir_curve_t *curve;
    memset(jwk, 0, sizeof(*jwk));
    if (!json_is_object(object) || !key_type_of(&jwk->type, object) || !is_for_signatures(object) ||
        !import_names(jwk, object, pool)) {
        return 0;
    }
    curve = fhir_curve_of(jwk->type);
    jwk->key = jwk->type == FHIR_KEY_TYPE_ED25519 ? import_ed25519(object, with_private, pool)
                                                  : import_rsa_or_ec(object, curve, with_private, pool);
    /* Private keys are our own, and checking one costs more than signing with it. */
    if (!jwk->key || (!with_private && !is_sound(jwk->key))) {
        EVP_PKEY_free(jwk->key);
        jwk->key = NULL;
        ERR_clear_error();
        return 0;
    }
    apr_pool_cleanup_register(pool, jwk->key, free_key, apr_pool_cleanup_null);
    jwk->signature_length = curve ? 2 * curve->field_length : (apr_size_t)EVP_PKEY_get_size(jwk->key);
    return 1;
}
