/* Hashing of one upload's bytes: small ones in the caller's thread, large ones beside it, so that hashing and storing
 * overlap. A pipe is used by one thread at a time. Private to core/store. */
#ifndef FHIR_STORE_HASH_PIPE_H
#define FHIR_STORE_HASH_PIPE_H

#include "../base/digest.h"

typedef struct fhir_hashers_t fhir_hashers_t;     /* the hashing threads of a process */
typedef struct fhir_hash_pipe_t fhir_hash_pipe_t; /* one upload */

/* Starts no thread before a large upload comes; all are joined when `pool` goes. Call it after fork. */
fhir_error_t *fhir_hashers_create(fhir_hashers_t **hashers, apr_pool_t *pool) FHIR_MUST_CHECK;

/* `hashers` may be NULL: then everything is hashed in the caller's thread. */
fhir_error_t *fhir_hash_pipe_create(fhir_hash_pipe_t **pipe, fhir_hashers_t *hashers, unsigned digest_kinds,
                                    apr_pool_t *pool) FHIR_MUST_CHECK;
/* The bytes are borrowed for the call. Waits if the hashing threads are far behind. */
void fhir_hash_pipe_add(fhir_hash_pipe_t *pipe, const void *data, apr_size_t length);
/* All bytes are hashed; the digest is finished and lives in the pipe's pool. */
const fhir_digest_t *fhir_hash_pipe_finish(fhir_hash_pipe_t *pipe);
/* No thread touches the pipe any more. Must come before its pool goes; may come twice and after finish. */
void fhir_hash_pipe_stop(fhir_hash_pipe_t *pipe);

#endif
