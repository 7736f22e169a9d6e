/* Word of what other processes and nodes change: keys, clients, memberships, projects (NOTIFY, sql/006_notify.sql). */
#ifndef FHIR_META_LISTEN_H
#define FHIR_META_LISTEN_H

#include "meta.h"

#define FHIR_META_KEYS_CHANGED 1   /* signing keys */
#define FHIR_META_ACCESS_CHANGED 2 /* clients, memberships, projects */
#define FHIR_META_ALL_CHANGED 3

typedef struct fhir_meta_listener_t {
    /* Called by the listening thread. Each connection begins with FHIR_META_ALL_CHANGED: nobody knows what was missed
     * before. */
    void (*changed)(void *baton, int changes);
    void *baton;
    int stop_descriptor; /* becomes readable when call->cancelled will say yes; -1: it is asked twice a second */
} fhir_meta_listener_t;

/* Listens over a connection of its own, outside of the pool, until call->cancelled says yes (then NULL) or until the
 * connection can't be had, or is lost, or does not listen: UNAVAILABLE or TIMEOUT; from now on nothing is heard. */
fhir_error_t *fhir_meta_listen(fhir_meta_t *meta, const fhir_meta_listener_t *listener,
                               const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
