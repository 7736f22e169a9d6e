/* A value that ends and is asked for anew in time: a token, a key. One thread renews it while the others go on with the
 * old one; an ended one is never given. */
#ifndef FHIR_AZURE_RENEWED_H
#define FHIR_AZURE_RENEWED_H

#include "../common/plugin.h"

typedef struct azure_renewed_t azure_renewed_t;

/* Fetches a new value; both results in call->result_pool. `once`: the old value is good still, so nothing is repeated.
 */
typedef fhir_error_t *(*azure_renew_fn)(const char **value, apr_time_t *expires, void *baton, int once,
                                        const fhir_store_call_t *call);

/* `early`: so long before the end it is renewed, or when half of its time is over if that is later. */
fhir_error_t *azure_renewed_create(azure_renewed_t **renewed, azure_renew_fn renew, void *baton,
                                   apr_interval_time_t early, apr_pool_t *pool) FHIR_MUST_CHECK;
void azure_renewed_close(azure_renewed_t *renewed);
/* Copied into call->result_pool; `expires` may be NULL. Never blocks past call->deadline. */
fhir_error_t *azure_renewed_get(const char **value, apr_time_t *expires, azure_renewed_t *renewed,
                                const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The server refused this value: the next get asks for another, unless somebody has one already. */
void azure_renewed_forget(azure_renewed_t *renewed, const char *value);

#endif
