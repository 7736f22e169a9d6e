/* Work on many stored objects outside of requests: the calls that it makes, its pace, and reading an object whole to
 * compare it with its row. Needs no application; for fhirbinctl. */
#ifndef FHIR_APP_OBJECT_CHECK_H
#define FHIR_APP_OBJECT_CHECK_H

#include "../meta/object_copy.h"
#include "../store/store.h"

#define FHIR_OBJECT_JOB_BUFFER ((apr_size_t)64 * 1024)

typedef struct fhir_object_job_t {
    fhir_meta_t *meta;
    const fhir_store_catalog_t *catalog; /* its stores are open */
    const fhir_log_t *log;
    apr_interval_time_t timeout; /* of one call to the database or a store */
    apr_off_t rate;              /* bytes a second that are read at most; 0: no limit */
    /* Asked about once a second while something takes time, and between pieces; 1: stop. May be NULL. */
    int (*stopping)(void *baton);
    void *baton;
    apr_time_t next_read; /* what the rate permits */
    char *buffer;         /* FHIR_OBJECT_JOB_BUFFER bytes */
} fhir_object_job_t;

void fhir_object_job_init(fhir_object_job_t *job, apr_pool_t *pool);
/* A call that ends by itself and asks `stopping`. */
fhir_call_t fhir_object_job_call(const fhir_object_job_t *job, apr_pool_t *pool);
/* The same, for what must be done even if we stop. */
fhir_call_t fhir_object_job_last_call(const fhir_object_job_t *job, apr_pool_t *pool);
/* Waits, in small steps; 0: it is to stop. */
int fhir_object_job_wait(const fhir_object_job_t *job, apr_interval_time_t time);
/* After so many bytes were read: waits as long as the rate demands. */
void fhir_object_job_pace(fhir_object_job_t *job, apr_size_t bytes);

typedef enum fhir_object_state_t {
    FHIR_OBJECT_GOOD,
    FHIR_OBJECT_MISSING,
    FHIR_OBJECT_ALTERED,   /* another size or other bytes than its row says */
    FHIR_OBJECT_UNREADABLE /* the store failed: *error says how */
} fhir_object_state_t;
/* Reads the object that should be at `locator` of the store; size and SHA-256 are the row's. */
fhir_object_state_t fhir_object_check(fhir_error_t **error, fhir_object_job_t *job, fhir_open_store_t *store,
                                      const char *locator, const fhir_content_t *content, apr_pool_t *pool);
/* What is wrong, for people: `missing`, `altered`, `unreadable`. */
const char *fhir_object_state_text(fhir_object_state_t state);
/* Missing or altered, if an attempt to open or read it was answered CORRUPT; else UNREADABLE. */
fhir_object_state_t fhir_object_state_of(const fhir_error_t *error, const fhir_object_job_t *job,
                                         fhir_open_store_t *store, const char *locator, apr_pool_t *pool);

#endif
