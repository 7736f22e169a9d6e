/* FhirBinaryTrustedIssuer. */
#include "directives.h"

#include <apr_uri.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_ALGORITHMS "RS256 ES256"

static const char *const known_algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                               "PS512", "ES256", "ES384", "ES512", NULL};

static int is_known_algorithm(const char *name)
{
    int i;
    for (i = 0; known_algorithms[i]; i++) {
        if (strcmp(known_algorithms[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

static fhir_error_t *parse_algorithms(const char **list, const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;
    apr_array_header_t *words;
    int i;
    for (at = copy; *at; at++) {
        *at = *at == ',' ? ' ' : *at;
    }
    words = fhir_words(copy, pool);
    for (i = 0; i < words->nelts; i++) {
        if (!is_known_algorithm(APR_ARRAY_IDX(words, i, const char *))) {
            break;
        }
    }
    if (i < words->nelts || words->nelts == 0) {
        /* HMAC is not offered: who can check such a token can also make one. */
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "'%.64s' is not a list of signature algorithms. Write some of RS256 RS384 RS512 PS256 "
                                 "PS384 PS512 ES256 ES384 ES512, for example algorithms=RS256,ES256",
                                 text);
    }
    *list = apr_array_pstrcat(pool, words, ' ');
    return NULL;
}

static fhir_error_t *check_jwks_url(const char *text, apr_pool_t *pool)
{
    apr_uri_t parts = {0};
    int good = apr_uri_parse(pool, text, &parts) == APR_SUCCESS && parts.scheme && parts.hostname && *parts.hostname &&
               !parts.user && !parts.password && !parts.fragment && !strpbrk(text, " \t\"<>\\");
    if (good && (strcmp(parts.scheme, "https") == 0 ||
                 (strcmp(parts.scheme, "http") == 0 && fhir_is_loopback(parts.hostname)))) {
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "jwks=%.256s is neither an absolute file path nor an https URL (http is taken for "
                             "loopback hosts only). Write for example "
                             "jwks=https://login.example.org/.well-known/jwks.json",
                             text);
}

static fhir_error_t *check_jwks(const char *text, apr_pool_t *pool)
{
    if (text[0] != '/') {
        return check_jwks_url(text, pool);
    }
    if (access(text, R_OK) != 0) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "the file jwks=%.256s can't be read. Name the file that holds the issuer's JWK set.",
                                 text);
    }
    return NULL;
}

/* The value if `word` is key=value with this key and a value, else NULL. */
static const char *value_of(const char *word, const char *key)
{
    size_t length = strlen(key);
    return strncmp(word, key, length) == 0 && word[length] == '=' && word[length + 1] ? word + length + 1 : NULL;
}

static fhir_error_t *parse_option(fhir_trusted_issuer_t *issuer, const char *word, apr_pool_t *pool)
{
    const char *value;
    if ((value = value_of(word, "audience")) != NULL && !issuer->audience) {
        issuer->audience = apr_pstrdup(pool, value);
        return NULL;
    }
    if ((value = value_of(word, "jwks")) != NULL && !issuer->jwks) {
        issuer->jwks = apr_pstrdup(pool, value);
        return check_jwks(value, pool);
    }
    if ((value = value_of(word, "algorithms")) != NULL && !issuer->algorithms) {
        return parse_algorithms(&issuer->algorithms, value, pool);
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "'%.128s' is not understood or given twice. Write: FhirBinaryTrustedIssuer "
                             "https://login.example.org audience=https://fhir.example.org/fhir/R4/ "
                             "jwks=https://login.example.org/.well-known/jwks.json algorithms=RS256,ES256",
                             word);
}

fhir_error_t *fhir_set_trusted_issuer(fhir_settings_t *settings, int count, const char *const *values)
{
    fhir_trusted_issuer_t issuer = {0};
    int i;
    issuer.issuer = apr_pstrdup(settings->pool, values[0]);
    for (i = 0; i < settings->trusted_issuers->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(settings->trusted_issuers, i, fhir_trusted_issuer_t).issuer, values[0]) == 0) {
            return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                     "'%.256s' is given twice. Keep one of the lines.", values[0]);
        }
    }
    for (i = 1; i < count; i++) {
        FHIR_TRY(parse_option(&issuer, values[i], settings->pool));
    }
    if (!issuer.issuer[0] || !issuer.audience || !issuer.jwks) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "the issuer needs audience= (what its tokens are made out to) and jwks= (where its "
                                 "keys are). Write for example: FhirBinaryTrustedIssuer https://login.example.org "
                                 "audience=https://fhir.example.org/fhir/R4/ "
                                 "jwks=https://login.example.org/.well-known/jwks.json");
    }
    if (!issuer.algorithms) {
        issuer.algorithms = DEFAULT_ALGORITHMS;
    }
    APR_ARRAY_PUSH(settings->trusted_issuers, fhir_trusted_issuer_t) = issuer;
    return NULL;
}
