/* Outbound HTTP for small documents (JWK sets). TLS is always verified, redirects are never followed. */
#ifndef FHIR_FETCH_FETCH_H
#define FHIR_FETCH_FETCH_H

#include "fhir_error.h"

/* Zero members mean the default. */
typedef struct fhir_fetch_options_t {
    apr_size_t max_length;               /* bytes of body; 1 MiB */
    apr_interval_time_t connect_timeout; /* 3 s */
    apr_interval_time_t total_timeout;   /* 5 s */
    const char *ca_file;                 /* PEM file to trust instead of the system's; NULL: the system's */
} fhir_fetch_options_t;

/* Once, in the parent process, before there are threads. Later calls do nothing. */
fhir_error_t *fhir_fetch_global_init(apr_pool_t *pool) FHIR_MUST_CHECK;

/* May this URL be fetched? https, or http to a loopback host; no user name in it. INVALID otherwise; opens nothing. */
fhir_error_t *fhir_fetch_check_url(const char *url, apr_pool_t *pool) FHIR_MUST_CHECK;

/* The body of a 200 answer, NUL-terminated. INVALID: the URL may not be fetched. TOO_LARGE. TIMEOUT and UNAVAILABLE:
 * no usable answer. `options` may be NULL. */
fhir_error_t *fhir_fetch_get(const char **body, apr_size_t *length, const char *url,
                             const fhir_fetch_options_t *options, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
