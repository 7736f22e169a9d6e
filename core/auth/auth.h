/* Authentication and authorisation: pure decisions, no I/O. Keys and facts come in as arguments. */
#ifndef FHIR_AUTH_AUTH_H
#define FHIR_AUTH_AUTH_H

#include "../base/principal.h"
#include "../fhir/binary.h"

#include <apr_tables.h>

struct fhir_subject_t;     /* core/fhir/subject.h */
struct fhir_restriction_t; /* core/fhir/search.h */

/* ---- Authorization header (RFC 7617, RFC 6750) ---- */
typedef enum fhir_credentials_kind_t {
    FHIR_CREDENTIALS_NONE = 0,
    FHIR_CREDENTIALS_BEARER,
    FHIR_CREDENTIALS_BASIC
} fhir_credentials_kind_t;
typedef struct fhir_credentials_t {
    fhir_credentials_kind_t kind;
    const char *token;    /* bearer */
    const char *user;     /* basic */
    const char *password; /* basic */
} fhir_credentials_t;
/* UNAUTHENTICATED if the header is there but unusable. */
fhir_error_t *fhir_credentials_parse(fhir_credentials_t *credentials, const char *authorization,
                                     apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- client secrets: bcrypt ---- */
fhir_error_t *fhir_secret_hash(const char **hash, const char *secret, apr_pool_t *pool) FHIR_MUST_CHECK;
/* 1 if the secret fits. Slow on purpose (tens of milliseconds); an unusable hash never fits. */
int fhir_secret_matches(const char *secret, const char *hash);

/* ---- JSON Web Keys and Signatures (RFC 7515, 7517, 7518) ---- */
typedef struct fhir_jwk_set_t fhir_jwk_set_t; /* immutable; any thread may verify with it */
/* From the text of a JWK set. Keys that we can't use (unknown kty, `use` other than sig, private parts of symmetric
 * keys) are left out. Lives in `pool`. INVALID if it is no JWK set. */
fhir_error_t *fhir_jwk_set_parse(fhir_jwk_set_t **set, const char *json, apr_pool_t *pool) FHIR_MUST_CHECK;
int fhir_jwk_set_has(const fhir_jwk_set_t *set, const char *key_id);
/* A new private key as JWK text, with kid and alg inside. algorithm: "ES256" or "RS256". */
fhir_error_t *fhir_jwk_generate(const char **private_jwk, const char **key_id, const char *algorithm,
                                apr_pool_t *pool) FHIR_MUST_CHECK;
/* A JWK set with the public parts of the private JWKs given (array of const char *). */
fhir_error_t *fhir_jwk_public_set(const char **json, const apr_array_header_t *private_jwks,
                                  apr_pool_t *pool) FHIR_MUST_CHECK;

typedef struct fhir_jws_header_t {
    const char *algorithm;
    const char *key_id; /* NULL if absent */
    const char *issuer; /* `iss` of the still unverified payload, NULL if absent: good only to choose the keys */
} fhir_jws_header_t;
/* UNAUTHENTICATED if not a compact JWS, over 16 KiB, alg none, or `crit` present. */
fhir_error_t *fhir_jws_peek(fhir_jws_header_t *header, const char *token, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Checks the algorithm against `algorithms` (space-separated allow-list) and the key's type before the signature.
 * HMAC algorithms are never accepted. *payload is the JSON text. UNAUTHENTICATED otherwise. */
fhir_error_t *fhir_jws_verify(const char **payload, const char *token, const fhir_jwk_set_t *set,
                              const char *algorithms, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_jws_sign(const char **token, const char *payload, const char *private_jwk,
                            apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- access tokens ---- */
typedef struct fhir_claims_t {
    const char *issuer;
    const char *subject;
    const char *client_id; /* claim client_id, else azp, else NULL */
    const char *scope;     /* claim scope (string), else scp (string or array) joined with blanks, else "" */
    const char *patient;   /* claim patient (launch context), NULL if absent */
    apr_time_t expires;
    apr_time_t not_before; /* 0 if absent */
} fhir_claims_t;
/* Parses a verified payload and checks iss, aud (string or array holds `audience`), exp (required), nbf, with `leeway`.
 * UNAUTHENTICATED with the reason otherwise. A missing sub is refused. */
fhir_error_t *fhir_claims_check(fhir_claims_t *claims, const char *payload, const char *issuer, const char *audience,
                                apr_time_t now, apr_interval_time_t leeway, apr_pool_t *pool) FHIR_MUST_CHECK;

typedef struct fhir_token_request_t {
    const char *issuer;
    const char *audience;
    const char *client_id;
    const char *scope;
    const char *profile;  /* may be NULL */
    const char *token_id; /* jti */
    apr_time_t now;
    apr_interval_time_t lifetime;
} fhir_token_request_t;
/* The claims of our own access token as JSON: iss, aud, sub = client_id, client_id, scope, profile, iat, exp, jti. */
const char *fhir_token_payload(const fhir_token_request_t *request, apr_pool_t *pool);

/* ---- SMART scopes (SMART App Launch 2: scopes-and-launch-context) ---- */
typedef enum fhir_interaction_t {
    FHIR_INTERACTION_CREATE = 1,
    FHIR_INTERACTION_READ,   /* read, HEAD, signed read URL */
    FHIR_INTERACTION_UPDATE, /* update, signed upload URL */
    FHIR_INTERACTION_DELETE,
    FHIR_INTERACTION_SEARCH,
    FHIR_INTERACTION_VREAD,
    FHIR_INTERACTION_HISTORY
} fhir_interaction_t;

typedef struct fhir_scopes_t fhir_scopes_t;
/* Never fails: what is no SMART resource scope (openid, launch ...) is set aside; a malformed SMART scope counts as one
 * that permits nothing. */
fhir_scopes_t *fhir_scopes_parse(const char *scope, apr_pool_t *pool);
/* Could a token with these scopes do that on some resource of the type? With no SMART resource scope at all: yes
 * (nothing is narrowed). patient/ scopes count only with a patient that is a valid id. v1 read = rs, write = cud, * =
 * cruds; read, vread and history are `r`. */
int fhir_scopes_permit_type(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type,
                            const char *patient);
/* May it be done on this subject? `type` is what is asked for: Binary, where the subject is its context. patient/
 * scopes: the subject is in the compartment of Patient/{patient}. Constraints (`?category=laboratory`) are criteria on
 * the subject, strictly understood for its type, or the scope permits nothing. */
int fhir_scopes_permit(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type,
                       const char *patient, const struct fhir_subject_t *subject, apr_pool_t *pool);
/* Do scopes for the type have constraints that need a subject's text? */
int fhir_scopes_need_content(const fhir_scopes_t *scopes, const char *type);
/* Does any scope for the type ask something of the subject (patient/, constraints)? 0: fhir_scopes_permit_type says
 * all.
 */
int fhir_scopes_look_at_subject(const fhir_scopes_t *scopes, const char *type);
/* What of the type may be found: NULL: everything. Lives in `pool`. */
const struct fhir_restriction_t *fhir_scopes_restriction(const fhir_scopes_t *scopes, fhir_interaction_t interaction,
                                                         const char *type, const char *patient, apr_pool_t *pool);

/* ---- signed URLs ---- */
typedef struct fhir_presign_t {
    const char *method; /* "GET", "PUT", or "POST": completes an upload that went to the store itself */
    const char *binary_id;
    const char *version_id;
    const char *membership_id; /* who issued it: its project, and a switch that turns it off */
    apr_time_t expires;        /* whole seconds */
    const char *key_id;
} fhir_presign_t;
/* now + lifetime, rounded up to a multiple of `window`, so that equal asks give equal URLs. Whole seconds. */
apr_time_t fhir_presign_expiry(apr_time_t now, apr_interval_time_t lifetime, apr_interval_time_t window);
/* `{base}{binary id}/{version id}?Expires=&Key-Pair-Id=&Membership=&Signature=`; base ends with '/'. Signature is
 * base64url of HMAC-SHA256 over lines: "fhir-binary-signed-url-v1", method, ids, expiry, key id, membership. */
const char *fhir_presign_url(const char *base, const fhir_presign_t *presign, const void *key, apr_size_t key_length,
                             apr_pool_t *pool);
/* From path segments and query (array of fhir_parameter_t of core/http/fields.h is not visible here: name/value pairs
 * in an apr_table_t with every occurrence). UNAUTHENTICATED: no Signature. FORBIDDEN: malformed, doubled or foreign
 * parameters. HEAD counts as GET. Does not check the signature. */
fhir_error_t *fhir_presign_parse(fhir_presign_t *presign, const char **signature, const char *method,
                                 const char *binary_id, const char *version_id, const apr_table_t *query,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* FORBIDDEN: wrong signature (constant time). EXPIRED: past its time. */
fhir_error_t *fhir_presign_verify(const fhir_presign_t *presign, const char *signature, const void *key,
                                  apr_size_t key_length, apr_time_t now, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
