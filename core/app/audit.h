/* The audit trail: every decision, allowed or refused, and every completed transfer (FHIR R4 auditevent.html, RESTful
 * pattern). An event is made when the answer is over, waits in a bounded queue of the process, and is written in
 * batches by one thread of the process; the queue is emptied on a clean stop. Where the queue is full the request
 * waits. */
#ifndef FHIR_APP_AUDIT_H
#define FHIR_APP_AUDIT_H

#include "../base/principal.h"
#include "app.h"

struct fhir_exchange_t;

/* What the interactions note on the way; everything may stay empty. Part of fhir_exchange_t. */
typedef struct fhir_audit_note_t {
    const fhir_membership_t *membership;
    const char *id;         /* of the entity, if the route does not name it (create) */
    const char *version_id; /* read, written or issued */
    const char *context;    /* the Binary's security context */
    const char *query;      /* of a search whose parameters are in the body */
    const char *detail;     /* anything else that is worth knowing */
    const char *outcome;    /* what was answered, where the answer is no OperationOutcome */
    const char *code;       /* restful-interaction code, where method and route do not tell: "batch" */
    int *signed_urls;       /* how many were issued; NULL: nobody counts */
    int interaction;        /* fhir_interaction_t; 0: by the route */
} fhir_audit_note_t;

/* ---- for dispatch.c and the Bundles ---- */

/* What the answer is about goes with it; it becomes an event with fhir_app_finished. `error`: what was answered, NULL
 * on success. */
void fhir_audit_answered(fhir_response_t *response, const struct fhir_exchange_t *exchange);
/* The event of a Bundle's entry, which is no transfer by itself. */
void fhir_audit_entry(const struct fhir_exchange_t *exchange, int status, const fhir_error_t *error);

/* ---- for who runs the application ---- */

/* How the answer went out. */
typedef struct fhir_delivery_t {
    int status;           /* that was sent in the end; 0: the response's */
    apr_off_t bytes_sent; /* of the body */
    int complete;         /* all of it, as far as the server knows */
} fhir_delivery_t;
/* Once for each answer of fhir_app_handle, when it was sent or is given up. Any thread. The event waits for the thread
 * of fhir_audit_run; without one it is written here and now. */
void fhir_app_finished(fhir_app_t *app, const fhir_response_t *response, const fhir_delivery_t *delivery);

/* Where each event goes besides the database, as a line. */
typedef struct fhir_audit_stream_t {
    int descriptor; /* of a file that is appended to, a pipe, or a socket for syslog; -1: none */
    int facility;   /* of syslog(3), if `to_syslog` */
    int to_syslog;
} fhir_audit_stream_t;
void fhir_audit_set_stream(fhir_app_t *app, const fhir_audit_stream_t *stream);
/* Opens the file that FhirBinaryAuditLog names, or syslog, for programs other than httpd. Programs of pipes are httpd's
 * alone. */
fhir_error_t *fhir_audit_open_stream(fhir_audit_stream_t *stream, const fhir_settings_t *settings,
                                     apr_pool_t *pool) FHIR_MUST_CHECK;

/* The thread that writes. */
typedef struct fhir_audit_thread_t {
    void *baton;
    void (*wake)(void *baton); /* any thread: ends the pause, or the next one */
    void (*pause)(void *baton, apr_interval_time_t time);
    int (*stopping)(void *baton);
} fhir_audit_thread_t;
/* Before the thread runs: from now on events are left to it. */
void fhir_audit_expect_thread(fhir_app_t *app, const fhir_audit_thread_t *thread);
/* Writes until `stopping`, and then what is left, for at most a few seconds: the rest goes to the error log. `pool` is
 * the thread's own. Removes old events too, hourly. */
void fhir_audit_run(fhir_app_t *app, apr_pool_t *pool);

#endif
