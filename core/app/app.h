/* The application: what a request means. httpd and tests see only this. */
#ifndef FHIR_APP_APP_H
#define FHIR_APP_APP_H

#include "../config/settings.h"
#include "../http/request.h"
#include "../http/response.h"

#define FHIR_VERSION "0.1.0"
#define FHIR_RELEASED apr_time_from_sec(1795219200) /* 2026-11-21 */

typedef struct fhir_app_t fhir_app_t;

/* One per process and per settings; opened after fork. Opens the stores; the database connects lazily. Closed with
 * `pool`. The app is used by all threads. */
fhir_error_t *fhir_app_open(fhir_app_t **app, const fhir_settings_t *settings, const fhir_log_t *log,
                            apr_pool_t *pool) FHIR_MUST_CHECK;

/* Does this decoded, normalised path belong to us? Cheap; needs no app. */
int fhir_app_claims(const fhir_settings_t *settings, const char *path);

/* Answers the request. Never NULL; every failure is an OperationOutcome (OAuth errors at the token endpoint). Streams
 * in the response pull from the store while the server sends. */
fhir_response_t *fhir_app_handle(fhir_app_t *app, fhir_request_t *request);

/* The OperationOutcome answer for an error that the server itself raised under our paths (400, 404, 413 ...). Keeps
 * nothing of the server's text. */
fhir_response_t *fhir_app_server_error(const fhir_settings_t *settings, const fhir_request_t *request, int status);

/* Counters of this process since start, for mod_status. */
typedef struct fhir_app_status_t {
    apr_uint64_t requests;
    apr_uint64_t refused;  /* 4xx */
    apr_uint64_t failed;   /* 5xx */
    apr_uint64_t uploads;  /* versions with new bytes */
    apr_uint64_t uploaded; /* bytes of them */
    apr_uint64_t reads;    /* content reads, signed ones included */
    int connections_open;
    int connections_busy;
    int listening; /* 1: revoked keys and rights are heard of at once */
} fhir_app_status_t;
void fhir_app_status(fhir_app_t *app, fhir_app_status_t *status);
/* Writes that left a Binary without a security context, since the last call: each is told once, to be summed up over
 * all processes. */
apr_uint64_t fhir_app_take_without_context(fhir_app_t *app);

#endif
