/* Deadline and cancellation of one unit of work; passed to every call that may block. */
#ifndef FHIR_BASE_CALL_H
#define FHIR_BASE_CALL_H

#include "log.h"

typedef struct fhir_call_t {
    apr_pool_t *pool;    /* results */
    apr_time_t deadline; /* absolute microseconds; 0: none */
    const char *request_id;
    const fhir_log_t *log;
    int (*cancelled)(void *baton); /* may be NULL */
    void *cancelled_baton;
} fhir_call_t;

#endif
