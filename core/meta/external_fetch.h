/* The queue of attachments that are to be fetched from other servers. Rules of meta.h hold. Several workers of several
 * nodes share it: a claimed job is held by a lease, and the job of a worker that died comes back when the lease ends.
 */
#ifndef FHIR_META_EXTERNAL_FETCH_H
#define FHIR_META_EXTERNAL_FETCH_H

#include "meta.h"

#define FHIR_FETCH_ATTEMPTS_MAX 3

typedef enum fhir_fetch_state_t { FHIR_FETCH_WAITING = 1, FHIR_FETCH_DONE, FHIR_FETCH_FAILED } fhir_fetch_state_t;

typedef struct fhir_fetch_job_t {
    const char *id; /* UUID */
    const char *project_id;
    const char *type;
    const char *resource_id;
    const char *path; /* where the URL was first seen: `Patient.photo[0]` */
    const char *url;
    const char *membership_id; /* who wrote it */
    fhir_fetch_state_t state;
    int attempts;            /* the running one included */
    apr_time_t next_attempt; /* of a waiting one */
    const char *lease;       /* of a claimed one */
    const char *error;       /* of the last attempt, for people; NULL: none */
    const char *binary_id;   /* of one that is done; NULL: the resource did not have the URL any more */
    apr_time_t created;
    apr_time_t finished; /* 0: waiting */
} fhir_fetch_job_t;

typedef struct fhir_fetch_url_t {
    const char *path;
    const char *url; /* at most 2048 bytes */
} fhir_fetch_url_t;

/* Wants these URLs (array of fhir_fetch_url_t, each once) of one resource fetched. One round trip; none for an empty
 * array. A URL that is waiting stays so; one that is done is fetched again; one that failed less than an hour ago stays
 * failed, so that a resource that is written often does not ask a dead server each time. */
fhir_error_t *fhir_meta_fetch_enqueue(fhir_meta_t *meta, const char *project_id, const char *membership_id,
                                      const char *type, const char *resource_id, const apr_array_header_t *urls,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;

/* The job that is due for the longest time, for `lease` from now; NULL: nothing to do. Jobs whose workers died three
 * times are failed on the way. Those of a disabled membership, client or project wait. */
fhir_error_t *fhir_meta_fetch_claim(const fhir_fetch_job_t **job, fhir_meta_t *meta, apr_interval_time_t lease,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* `lease` from now again. *held 0: the lease had ended and somebody else has the job, or it is gone. */
fhir_error_t *fhir_meta_fetch_renew(int *held, fhir_meta_t *meta, const fhir_fetch_job_t *job,
                                    apr_interval_time_t lease, const fhir_call_t *call) FHIR_MUST_CHECK;
/* These three end a claim; they change nothing if the lease is not held any more. */
/* binary_id NULL: there was nothing to do any more. */
fhir_error_t *fhir_meta_fetch_finish(fhir_meta_t *meta, const fhir_fetch_job_t *job, const char *binary_id,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;
/* `reason` is one sentence for people. Tried again after 1 and 5 minutes, then failed; `final`: failed at once. */
fhir_error_t *fhir_meta_fetch_fail(fhir_meta_t *meta, const fhir_fetch_job_t *job, const char *reason, int final,
                                   const fhir_call_t *call) FHIR_MUST_CHECK;
/* Gives the job back as if it had not been claimed. */
fhir_error_t *fhir_meta_fetch_release(fhir_meta_t *meta, const fhir_fetch_job_t *job,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;

/* Newest first, at most 1000: array of fhir_fetch_job_t. project_id NULL: of all. */
fhir_error_t *fhir_meta_fetch_list(apr_array_header_t **jobs, fhir_meta_t *meta, const char *project_id,
                                   int failed_only, const fhir_call_t *call) FHIR_MUST_CHECK;
/* A job that is not done is due now and has all its attempts again. NOT_FOUND. */
fhir_error_t *fhir_meta_fetch_retry(fhir_meta_t *meta, const char *id, const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
