/* Uploads that go to an object store directly: registered before their URL is given out, and completed or given up
 * later, by the client's call or by the background worker of any node. Rules of meta.h hold. Who has one holds it by a
 * lease; one that was lost on the way comes back when the lease ends. */
#ifndef FHIR_META_DIRECT_UPLOAD_H
#define FHIR_META_DIRECT_UPLOAD_H

#include "meta.h"

#define FHIR_DIRECT_ATTEMPTS_MAX 20

typedef struct fhir_direct_upload_t {
    const char *version_id; /* that it will be */
    const char *project_id;
    const char *membership_id; /* who asked for the URL, and the key that signed it: both are asked again */
    const char *key_id;
    const char *binary_id;
    const char *content_type; /* that the client must send */
    const char *object_key;
    const char *store;
    const char *locator;
    apr_time_t created;
    apr_time_t expires; /* of the store's URL */
    int given_up;       /* only its bytes are still to be removed */
    int attempts;       /* this one included */
    const char *lease;
} fhir_direct_upload_t;

/* The pending object and the upload, in one statement, durable before it returns. created, given_up, attempts and lease
 * are not looked at. `look_after`: when the worker looks for the first time. */
fhir_error_t *fhir_meta_direct_register(fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                        apr_interval_time_t look_after, const fhir_call_t *call) FHIR_MUST_CHECK;
/* What is due for the longest time in one of `stores` (array of const char *); NULL: nothing. Those that failed too
 * often are left alone on the way. */
fhir_error_t *fhir_meta_direct_claim(const fhir_direct_upload_t **upload, fhir_meta_t *meta,
                                     const apr_array_header_t *stores, apr_interval_time_t lease,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;
/* The upload of this version, also one that was left alone. NULL: somebody has it (*awaited), or there is none, or it
 * was given up. */
fhir_error_t *fhir_meta_direct_claim_version(const fhir_direct_upload_t **upload, int *awaited, fhir_meta_t *meta,
                                             const char *binary_id, const char *version_id, apr_interval_time_t lease,
                                             const fhir_call_t *call) FHIR_MUST_CHECK;
/* `lease` from now again. *held 0: somebody else has it, or it is gone. */
fhir_error_t *fhir_meta_direct_renew(int *held, fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                     apr_interval_time_t lease, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Takes the pending object's row away: from now on the upload can't become a version, and its bytes may be removed. The
 * lease goes on. *given_up 0: the object is committed, or the lease was lost. */
fhir_error_t *fhir_meta_direct_give_up(int *given_up, fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                       const fhir_call_t *call) FHIR_MUST_CHECK;
/* These three end a claim; they change nothing if the lease is not held any more. */
/* Not yet: look again after so long. Counts as no attempt. */
fhir_error_t *fhir_meta_direct_release(fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                       apr_interval_time_t look_after, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Tried again after 1, 2, 4 ... 60 minutes. *last: never again. */
fhir_error_t *fhir_meta_direct_fail(int *last, fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* It is a version, or nothing of it is left. */
fhir_error_t *fhir_meta_direct_finish(fhir_meta_t *meta, const fhir_direct_upload_t *upload,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
