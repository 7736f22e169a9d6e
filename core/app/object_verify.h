/* Are the stored objects as their rows say, and every copy of them? Reads them again, all of them or some. */
#ifndef FHIR_APP_OBJECT_VERIFY_H
#define FHIR_APP_OBJECT_VERIFY_H

#include "object_check.h"

/* One of the copies that a store keeps of an object, and that is not as it should be. */
typedef struct fhir_verify_copy_t {
    const char *store; /* where the copy is */
    fhir_store_copy_t state;
    int repaired;       /* it was written anew */
    const char *detail; /* may be NULL */
} fhir_verify_copy_t;

typedef struct fhir_verify_t {
    fhir_object_job_t *job;
    fhir_object_filter_t filter; /* `store` NULL: all that are configured */
    int repair;                  /* copies that are missing or altered are written anew */
    void (*checked)(void *baton, const fhir_content_t *content);
    void (*wrong)(void *baton, const fhir_content_t *content, fhir_object_state_t state, const char *detail);
    /* Of an object whose content is right. */
    void (*copy)(void *baton, const fhir_content_t *content, const fhir_verify_copy_t *copy);
    /* The store can't be checked further; `copies`: only the copies that it keeps. */
    void (*gave_up)(void *baton, const char *store, int copies, const char *detail);
    void *baton;
    /* Out. */
    apr_off_t objects;
    apr_off_t bytes;
    apr_off_t states[FHIR_OBJECT_UNREADABLE + 1];     /* how many of each */
    apr_off_t copies[FHIR_STORE_COPY_UNREADABLE + 1]; /* how many were found to be so */
    apr_off_t repaired;                               /* of them */
} fhir_verify_t;

/* An error: the database fails, or it was stopped. A store that fails is given up, and the others are checked. */
fhir_error_t *fhir_objects_verify(fhir_verify_t *verify, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
