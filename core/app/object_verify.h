/* Are the stored objects as their rows say? Reads them again, all of them or some. */
#ifndef FHIR_APP_OBJECT_VERIFY_H
#define FHIR_APP_OBJECT_VERIFY_H

#include "object_check.h"

typedef struct fhir_verify_t {
    fhir_object_job_t *job;
    fhir_object_filter_t filter; /* `store` NULL: all that are configured */
    void (*checked)(void *baton, const fhir_content_t *content);
    void (*wrong)(void *baton, const fhir_content_t *content, fhir_object_state_t state, const char *detail);
    void *baton;
    /* Out. */
    apr_off_t objects;
    apr_off_t bytes;
    apr_off_t states[FHIR_OBJECT_UNREADABLE + 1]; /* how many of each */
} fhir_verify_t;

/* An error: it could not be checked, because the database or a store fails. */
fhir_error_t *fhir_objects_verify(fhir_verify_t *verify, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
