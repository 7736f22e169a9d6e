/* Removing what is left over of moved objects, of runs that were killed, and of what no row knows. */
#ifndef FHIR_APP_COPY_SWEEP_H
#define FHIR_APP_COPY_SWEEP_H

#include "object_check.h"

/* How long a run may be silent before another one takes its work over. */
#define FHIR_COPY_LEASE apr_time_from_sec(60)

typedef struct fhir_copy_sweep_t {
    fhir_object_job_t *job;
    apr_pool_t *pool;           /* as long as the sweep */
    const char *lease;          /* whose turn: this run's */
    apr_array_header_t *stores; /* of const char *: those that are open and persistent */
    apr_array_header_t *apart;  /* pairs of store names that were found to be two places */
    apr_time_t renewed;         /* or taken: when the lease began */
    apr_time_t tried;           /* to renew it */
    apr_off_t removed;
    apr_off_t kept;     /* could not be removed now; the next run tries again */
    char why_kept[512]; /* the last one, for people */
} fhir_copy_sweep_t;

fhir_error_t *fhir_copy_sweep_init(fhir_copy_sweep_t *sweep, fhir_object_job_t *job, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The lease ends: nobody need wait for a run that failed in order, or was told to stop. */
void fhir_copy_sweep_end(fhir_copy_sweep_t *sweep);
/* INVALID if the two stores are one place (the same directory under two names, a store and what wraps it): a copy from
 * one to the other would be the object itself. Writes a probe into the first, once for each pair. */
fhir_error_t *fhir_copy_check_apart(fhir_copy_sweep_t *sweep, const char *written, const char *other) FHIR_MUST_CHECK;
/* Removes every copy that is due. What can't be removed now is postponed and counted. */
fhir_error_t *fhir_copies_sweep(fhir_copy_sweep_t *sweep) FHIR_MUST_CHECK;
/* Empties the place of a copy whose lease is ours; `forget`: the row goes too. *done 0: it was not ours any more, or
 * its place is an object's. */
fhir_error_t *fhir_copy_remove(int *done, fhir_copy_sweep_t *sweep, const fhir_copy_t *copy, int forget,
                               apr_pool_t *pool) FHIR_MUST_CHECK;
/* Removes what no row knows. *done 0: a row knows it after all. */
fhir_error_t *fhir_unknown_remove(int *done, fhir_copy_sweep_t *sweep, const char *store, const char *locator,
                                  apr_pool_t *pool) FHIR_MUST_CHECK;
/* Renews the lease when it is time. 0: the copy of this key (NULL: of any) is not ours any more. */
int fhir_copy_lease_held(fhir_copy_sweep_t *sweep, const char *object_key);

#endif
