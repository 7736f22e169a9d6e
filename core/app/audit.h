/* The audit trail: every decision, allowed or refused, and every completed transfer (FHIR R4 auditevent.html, RESTful
 * pattern). An event is made when the answer is over, waits in a bounded queue of the process, and is written in
 * batches by one thread of the process; the queue is emptied on a clean stop. Where the queue is full the request
 * waits. */
#ifndef FHIR_APP_AUDIT_H
#define FHIR_APP_AUDIT_H

#include "app.h"

/* What the interactions note on the way; everything may stay empty. Part of fhir_exchange_t. */
typedef struct fhir_audit_note_t {
    const fhir_membership_t *membership;
    const char *id;         /* of the entity, if the route does not name it (create) */
    const char *version_id; /* read, written or issued */
    const char *context;    /* the Binary's security context */
    const char *detail;     /* "signed URL issued for upload", "12 signed URLs issued" */
    int interaction;        /* fhir_interaction_t; 0: by the route */
} fhir_audit_note_t;

#endif
