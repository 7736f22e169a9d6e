/* JWK sets: parsed once, then shared by all threads for verifying. */
#include "../base/text.h"
#include "jose.h"

#include <string.h>

/* A set of an outside issuer is outside input; more keys than this are a mistake. */
#define KEYS_MAX 256

struct fhir_jwk_set_t {
    apr_array_header_t *keys; /* of fhir_jwk_t */
};

static fhir_error_t *no_set(apr_pool_t *pool, const char *detail)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS, "This is no JWK set (RFC 7517).", "%s", detail);
}

static fhir_error_t *parse_keys(fhir_jwk_set_t *set, const json_t *keys, apr_pool_t *pool)
{
    apr_size_t i;
    if (!json_is_array(keys)) {
        return no_set(pool, "member keys is not an array");
    }
    if (json_array_size(keys) > KEYS_MAX) {
        return no_set(pool, "too many keys");
    }
    for (i = 0; i < json_array_size(keys); i++) {
        fhir_jwk_t jwk;
        if (fhir_jwk_import(&jwk, json_array_get(keys, i), 0, pool)) {
            APR_ARRAY_PUSH(set->keys, fhir_jwk_t) = jwk;
        }
    }
    return NULL;
}

fhir_error_t *fhir_jwk_set_parse(fhir_jwk_set_t **set, const char *json, apr_pool_t *pool)
{
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    fhir_jwk_set_t *made = apr_palloc(pool, sizeof(*made));
    fhir_error_t *error;
    *set = NULL;
    made->keys = apr_array_make(pool, 4, sizeof(fhir_jwk_t));
    error = json_is_object(object) ? parse_keys(made, json_object_get(object, "keys"), pool)
                                   : no_set(pool, "not a JSON object");
    json_decref(object);
    if (!error) {
        *set = made;
    }
    return error;
}

int fhir_jwk_set_has(const fhir_jwk_set_t *set, const char *key_id)
{
    int i;
    for (i = 0; key_id && i < set->keys->nelts; i++) {
        const fhir_jwk_t *jwk = &APR_ARRAY_IDX(set->keys, i, fhir_jwk_t);
        if (jwk->key_id && strcmp(jwk->key_id, key_id) == 0) {
            return 1;
        }
    }
    return 0;
}

static int fits(const fhir_jwk_t *jwk, const fhir_jws_algorithm_t *algorithm)
{
    return jwk->type == algorithm->key_type && (!jwk->algorithm || jwk->algorithm == algorithm);
}

const fhir_jwk_t *fhir_jwk_select(const fhir_jwk_set_t *set, const char *key_id, const fhir_jws_algorithm_t *algorithm)
{
    int i;
    if (!key_id && set->keys->nelts != 1) {
        return NULL;
    }
    for (i = 0; i < set->keys->nelts; i++) {
        const fhir_jwk_t *jwk = &APR_ARRAY_IDX(set->keys, i, fhir_jwk_t);
        if (fits(jwk, algorithm) && (!key_id || (jwk->key_id && strcmp(jwk->key_id, key_id) == 0))) {
            return jwk;
        }
    }
    return NULL;
}
