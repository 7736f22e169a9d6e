/* Request -> principal. Verified tokens and secrets are remembered for a minute, so that a read costs no signature
 * check; whether the membership is still active is asked of the database every time. */
#include "exchange.h"
#include "invalidate.h"

#include <apr_strings.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define CLOCK_LEEWAY apr_time_from_sec(60)
#define OWN_ALGORITHMS "ES256 RS256"

/* A bcrypt hash that nothing fits: an unknown client costs as much time as a wrong secret. */
#define NO_HASH "$2y$10$abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1mS"

static fhir_error_t *bad_credentials(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_UNAUTHENTICATED, "The client id or secret is wrong.");
}

/* bcrypt is slow on purpose: only so many run at once, or wrong secrets would take the processors from everybody. */
static fhir_error_t *slow_match(int *matches, fhir_exchange_t *exchange, const char *secret, const char *hash)
{
    apr_time_t deadline = exchange->request->deadline;
    struct timespec until = {(time_t)apr_time_sec(deadline), (long)apr_time_usec(deadline) * 1000};
    int waited;
    do {
        waited = sem_timedwait(&exchange->app->secret_slots, &until);
    } while (waited != 0 && errno == EINTR);
    if (waited != 0) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_THROTTLED,
                                 "Too many clients sign in at this moment. Try again soon.");
    }
    *matches = fhir_secret_matches(secret, hash);
    sem_post(&exchange->app->secret_slots);
    return NULL;
}

static fhir_error_t *check_secret(int *matches, fhir_exchange_t *exchange, const char *client_id, const char *hash,
                                  const char *secret)
{
    fhir_secret_cache_t *cache = exchange->app->secrets;
    apr_time_t now = exchange->request->received;
    *matches = fhir_secret_cache_has(cache, client_id, hash, secret, now);
    if (*matches) {
        return NULL;
    }
    FHIR_TRY(slow_match(matches, exchange, secret, hash));
    if (*matches) {
        fhir_secret_cache_add(cache, client_id, hash, secret, now);
    }
    return NULL;
}

fhir_error_t *fhir_authenticate_client(fhir_client_t *client, fhir_exchange_t *exchange, const char *client_id,
                                       const char *secret)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    int matches = 0;
    fhir_error_t *error;
    fhir_app_forget_unheard(exchange->app);
    error = fhir_meta_client_find(client, exchange->app->meta, client_id, &call);
    if (error && error->code != FHIR_ERROR_NOT_FOUND) {
        return error;
    }
    if (error) {
        FHIR_TRY(slow_match(&matches, exchange, secret, NO_HASH));
        return bad_credentials(exchange->pool);
    }
    FHIR_TRY(check_secret(&matches, exchange, client_id, client->secret_hash, secret));
    return matches && client->active ? NULL : bad_credentials(exchange->pool);
}

static fhir_error_t *by_basic(fhir_exchange_t *exchange, const fhir_credentials_t *credentials)
{
    fhir_client_t client;
    FHIR_TRY(fhir_authenticate_client(&client, exchange, credentials->user, credentials->password));
    exchange->principal.key.kind = FHIR_PRINCIPAL_CLIENT;
    exchange->principal.key.issuer = "";
    exchange->principal.key.subject = client.id;
    return NULL;
}

static fhir_error_t *verify_own(fhir_claims_t *claims, fhir_exchange_t *exchange, const char *token,
                                const fhir_jws_header_t *header)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    const fhir_jwk_set_t *set;
    const char *payload;
    FHIR_TRY(fhir_key_ring_token_set(&set, exchange->app->keys, header->key_id, &call));
    FHIR_TRY(fhir_jws_verify(&payload, token, set, OWN_ALGORITHMS, exchange->pool));
    return fhir_claims_check(claims, payload, exchange->settings->base_url, exchange->settings->fhir_base,
                             exchange->request->received, 0, exchange->pool);
}

static const fhir_trusted_issuer_t *find_issuer(const fhir_settings_t *settings, const char *issuer)
{
    int i;
    for (i = 0; i < settings->trusted_issuers->nelts; i++) {
        const fhir_trusted_issuer_t *trusted = &APR_ARRAY_IDX(settings->trusted_issuers, i, fhir_trusted_issuer_t);
        if (strcmp(trusted->issuer, issuer) == 0) {
            return trusted;
        }
    }
    return NULL;
}

static fhir_error_t *verify_foreign(fhir_claims_t *claims, fhir_exchange_t *exchange, const char *token,
                                    const fhir_jws_header_t *header)
{
    const fhir_trusted_issuer_t *trusted = header->issuer ? find_issuer(exchange->settings, header->issuer) : NULL;
    const fhir_jwk_set_t *set;
    const char *payload;
    if (!trusted) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_UNAUTHENTICATED,
                                 "The issuer of this token is not trusted here.");
    }
    FHIR_TRY(fhir_issuer_keys_get(&set, exchange->app->issuer_keys, trusted->issuer, header->key_id,
                                  exchange->request->received, exchange->pool));
    FHIR_TRY(fhir_jws_verify(&payload, token, set, trusted->algorithms, exchange->pool));
    return fhir_claims_check(claims, payload, trusted->issuer, trusted->audience, exchange->request->received,
                             CLOCK_LEEWAY, exchange->pool);
}

static fhir_error_t *verify(fhir_claims_t *claims, fhir_exchange_t *exchange, const char *token)
{
    fhir_jws_header_t header;
    FHIR_TRY(fhir_jws_peek(&header, token, exchange->pool));
    if (header.issuer && strcmp(header.issuer, exchange->settings->base_url) == 0) {
        return verify_own(claims, exchange, token, &header);
    }
    return verify_foreign(claims, exchange, token, &header);
}

static fhir_error_t *by_bearer(fhir_exchange_t *exchange, const char *token)
{
    fhir_principal_t *principal = &exchange->principal;
    apr_time_t now = exchange->request->received;
    fhir_claims_t claims;
    fhir_app_forget_unheard(exchange->app);
    if (!fhir_token_cache_get(&claims, exchange->app->tokens, token, now, exchange->pool)) {
        unsigned generation = fhir_token_cache_generation(exchange->app->tokens);
        FHIR_TRY(verify(&claims, exchange, token));
        fhir_token_cache_put(exchange->app->tokens, token, &claims, generation, now);
    }
    if (strcmp(claims.issuer, exchange->settings->base_url) == 0) {
        principal->key.kind = FHIR_PRINCIPAL_CLIENT;
        principal->key.issuer = "";
    } else {
        principal->key.kind = FHIR_PRINCIPAL_ISSUER;
        principal->key.issuer = claims.issuer;
    }
    principal->key.subject = claims.subject;
    principal->patient = claims.patient;
    principal->scopes = fhir_scopes_parse(claims.scope, exchange->pool);
    return NULL;
}

fhir_error_t *fhir_authenticate(fhir_exchange_t *exchange)
{
    fhir_principal_t *principal = &exchange->principal;
    fhir_credentials_t credentials;
    if (principal->key.kind != 0) {
        return NULL;
    }
    /* Never over HTTP: httpd/request_in.c leaves it NULL, and a guard sees to it that nobody else sets it. */
    if (exchange->request->operator_project) {
        principal->key.kind = FHIR_PRINCIPAL_OPERATOR;
        principal->key.issuer = "";
        principal->key.subject = exchange->request->operator_project;
        return NULL;
    }
    /* An authentication module that the administrator put in front has already spent the Authorization header. */
    if (exchange->request->httpd_user) {
        principal->key.kind = FHIR_PRINCIPAL_HTTPD;
        principal->key.issuer = "";
        principal->key.subject = exchange->request->httpd_user;
        return NULL;
    }
    if (fhir_request_header_count(exchange->request, "Authorization") > 1) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_UNAUTHENTICATED, "Send one Authorization header.");
    }
    FHIR_TRY(
        fhir_credentials_parse(&credentials, fhir_request_header(exchange->request, "Authorization"), exchange->pool));
    switch (credentials.kind) {
    case FHIR_CREDENTIALS_BEARER:
        return by_bearer(exchange, credentials.token);
    case FHIR_CREDENTIALS_BASIC:
        return by_basic(exchange, &credentials);
    case FHIR_CREDENTIALS_NONE:
    default:
        return fhir_error_public(exchange->pool, FHIR_ERROR_UNAUTHENTICATED,
                                 "Authentication is required: send a bearer token or client credentials.");
    }
}
