/* One request on its way through the application. Private to core/app. */
#ifndef FHIR_APP_EXCHANGE_H
#define FHIR_APP_EXCHANGE_H

#include "../auth/auth.h"
#include "../base/call.h"
#include "../fhir/resource.h"
#include "../http/fields.h"
#include "../http/media_type.h"
#include "../meta/meta.h"
#include "app.h"
#include "audit.h"
#include "issuer_keys.h"
#include "key_ring.h"
#include "policy_cache.h"
#include "route.h"
#include "secret_cache.h"
#include "token_cache.h"

#include <semaphore.h>
#include <stdatomic.h>

struct fhir_app_t {
    apr_pool_t *pool;
    const fhir_settings_t *settings;
    const fhir_log_t *log;
    fhir_meta_t *meta;
    fhir_key_ring_t *keys;
    fhir_issuer_keys_t *issuer_keys;
    fhir_secret_cache_t *secrets;
    fhir_token_cache_t *tokens;
    fhir_addresses_t addresses;
    fhir_policy_cache_t *policies;
    atomic_int listening;           /* 1: what other nodes change is heard of (invalidate.c) */
    atomic_int_least64_t forgotten; /* when everything was, last, while nothing was heard of */
    struct fhir_audit_writer_t *audit;
    sem_t secret_slots; /* how many bcrypt checks may start now */
    atomic_uint_least64_t requests;
    atomic_uint_least64_t refused;
    atomic_uint_least64_t failed;
    atomic_uint_least64_t uploads;
    atomic_uint_least64_t uploaded;
    atomic_uint_least64_t reads;
    atomic_uint_least64_t without_context; /* see fhir_app_take_without_context */
    atomic_uint_least64_t large_bodies;    /* bytes of the large JSON bodies that are in memory now */
};

/* Who asks, proven; the membership comes with the facts. */
typedef struct fhir_principal_t {
    fhir_principal_key_t key;
    const fhir_scopes_t *scopes; /* NULL: nothing is narrowed */
    const char *patient;         /* launch context, NULL if none */
} fhir_principal_t;

/* Resources that the same transaction writes, as security contexts of its Binaries. */
typedef struct fhir_pending_t {
    /* *subject: the resource as it will be, with all values; NULL: the transaction does not write it. */
    fhir_error_t *(*find)(const struct fhir_subject_t **subject, void *baton, const char *context);
    void *baton;
} fhir_pending_t;

typedef struct fhir_exchange_t {
    fhir_app_t *app;
    const fhir_settings_t *settings;
    fhir_request_t *request;
    apr_pool_t *pool;
    fhir_route_t route;
    apr_array_header_t *query; /* of fhir_parameter_t */
    fhir_principal_t principal;
    fhir_audit_note_t audit;
    const fhir_pending_t *pending; /* NULL: no part of a transaction */
    fhir_text_t *explanation;      /* NULL, or where decisions explain themselves (explain.c) */
    apr_time_t decided;            /* when the facts of the last decision were loaded */
    int medplum;                   /* the caller sent X-Medplum: extended */
    int in_bundle;                 /* an entry of a Bundle: a Binary reads as a resource without data */
} fhir_exchange_t;

/* A database or store call that must end by the request's deadline. */
fhir_call_t fhir_exchange_call(const fhir_exchange_t *exchange);
/* The same with a fresh request_timeout, once body bytes have moved. */
fhir_call_t fhir_exchange_call_after_body(const fhir_exchange_t *exchange);
/* The request's body is left unread; the connection must not wait for it. */
void fhir_exchange_leave_body(const fhir_exchange_t *exchange, fhir_response_t *response);
/* Our own addresses, to recognise Binaries in URLs. */
fhir_addresses_t fhir_exchange_addresses(const fhir_exchange_t *exchange);
/* For the audit trail: which version of what was made. */
void fhir_exchange_note_written(fhir_exchange_t *exchange, const char *id, const char *version_id, const char *context);
/* JSON or XML for an answer that is a resource; NOT_ACCEPTABLE, INVALID. */
fhir_error_t *fhir_exchange_resource_format(fhir_format_t *format, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;

/* An exchange for one entry of a Bundle, asked by the same principal. `request` has a pool of its own, an absolute path
 * under the FHIR base, and a body in memory. */
void fhir_exchange_for_entry(fhir_exchange_t *exchange, const fhir_exchange_t *outer, fhir_request_t *request);
/* dispatch.c: answers it. Never NULL. */
fhir_response_t *fhir_answer_entry(const fhir_exchange_t *outer, fhir_request_t *request);

/* authenticate.c: fills exchange->principal, once. UNAUTHENTICATED, UNAVAILABLE. */
fhir_error_t *fhir_authenticate(fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* A client by id and secret; UNAUTHENTICATED if unknown, disabled or wrong, in the same time. */
fhir_error_t *fhir_authenticate_client(fhir_client_t *client, fhir_exchange_t *exchange, const char *client_id,
                                       const char *secret) FHIR_MUST_CHECK;

/* Interactions: each makes the whole answer or returns what went wrong. */
typedef fhir_error_t *(*fhir_interaction_fn)(fhir_response_t **response, fhir_exchange_t *exchange);
fhir_error_t *fhir_binary_create(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_update(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_read(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_vread(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_history(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_delete(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_search(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_presigned_url(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_signed_read(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_signed_upload(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_signed_complete(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_metadata(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_smart_configuration(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_jwks(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_auth_me(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_create(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_read(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_vread(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_history(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_update(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_conditional_update(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_patch(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_delete(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_conditional_delete(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_conditional_patch(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_resource_search(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_audit_event_read(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_audit_event_search(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_bundle(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_oauth_token(fhir_response_t **response, fhir_exchange_t *exchange) FHIR_MUST_CHECK;

#endif
