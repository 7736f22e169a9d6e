/* Keys and signature algorithms, private to core/auth. OpenSSL does the mathematics. */
#ifndef FHIR_AUTH_JOSE_H
#define FHIR_AUTH_JOSE_H

#include "auth.h"

#include <jansson.h>
#include <openssl/evp.h>

typedef enum fhir_key_type_t {
    FHIR_KEY_TYPE_RSA = 1,
    FHIR_KEY_TYPE_P256,
    FHIR_KEY_TYPE_P384,
    FHIR_KEY_TYPE_P521,
    FHIR_KEY_TYPE_ED25519
} fhir_key_type_t;

/* RFC 7518 section 3.1 and RFC 8037, without "none" and without HMAC. */
typedef struct fhir_jws_algorithm_t {
    const char *name;
    fhir_key_type_t key_type;
    const char *digest; /* OpenSSL's name; NULL: the algorithm has its own */
    int pss;
} fhir_jws_algorithm_t;
/* NULL if unknown. */
const fhir_jws_algorithm_t *fhir_jws_algorithm(const char *name);
/* 0 if OpenSSL refuses. */
int fhir_jws_set_padding(EVP_PKEY_CTX *context, const fhir_jws_algorithm_t *algorithm);

/* The names that JOSE and OpenSSL have for a curve. */
typedef struct fhir_curve_t {
    const char *name;  /* `crv` */
    const char *group; /* OpenSSL's */
    fhir_key_type_t type;
    apr_size_t field_length; /* bytes of one coordinate */
} fhir_curve_t;
/* NULL if unknown; NULL name finds nothing. */
const fhir_curve_t *fhir_curve_named(const char *name);
const fhir_curve_t *fhir_curve_of(fhir_key_type_t type);

typedef struct fhir_jwk_t {
    fhir_key_type_t type;
    const char *key_id;                    /* NULL if the JWK has none */
    const fhir_jws_algorithm_t *algorithm; /* that the JWK is bound to; NULL: any of its type */
    EVP_PKEY *key;                         /* freed with the pool that the JWK was made in */
    apr_size_t signature_length;           /* bytes */
} fhir_jwk_t;

/* 0 if the key can't be used here. with_private: the private part is taken too and must be there. */
int fhir_jwk_import(fhir_jwk_t *jwk, const json_t *object, int with_private, apr_pool_t *pool);

/* The key to check a signature with: by key_id; without one only if the set has one key. NULL: none. */
const fhir_jwk_t *fhir_jwk_select(const fhir_jwk_set_t *set, const char *key_id, const fhir_jws_algorithm_t *algorithm);

#endif
