/* Fuzzes JWS parsing and verification. Input: a token; with a line break, what follows it is a JWK set. */
#include "core/auth/auth.h"

#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALL "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"

static const char known_set[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_token(const char *token, const char *json, apr_pool_t *pool)
{
    fhir_jws_header_t header;
    fhir_claims_t claims;
    fhir_jwk_set_t *set = NULL;
    const char *payload = NULL;
    int peeked = fhir_jws_peek(&header, token, pool) == NULL;
    if (fhir_jwk_set_parse(&set, json, pool)) {
        return;
    }
    if (!fhir_jws_verify(&payload, token, set, ALL, pool)) {
        if (!peeked || !payload) {
            abort(); /* what verifies can be peeked at, and has a payload */
        }
        (void)!fhir_claims_check(&claims, payload, "joe", "x", 0, 0, pool);
    }
    (void)!fhir_claims_check(&claims, token, "joe", "x", 0, 0, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    char *text;
    char *json;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    json = strchr(text, '\n');
    if (json) {
        *json++ = '\0';
    }
    try_token(text, json ? json : known_set, pool);
    apr_pool_destroy(pool);
    return 0;
}
