/* One upload's bytes on their way to the store: gathered into blocks and hashed, those of small uploads in the caller's
 * thread, those of large ones beside it while the caller stores them. A pipe is used by one thread at a time. Private
 * to core/store. */
#ifndef FHIR_STORE_HASH_PIPE_H
#define FHIR_STORE_HASH_PIPE_H

#include "../base/digest.h"

typedef struct fhir_hashers_t fhir_hashers_t;     /* the hashing threads of a process */
typedef struct fhir_hash_pipe_t fhir_hash_pipe_t; /* one upload */

/* Starts no thread before a large upload comes; all are joined when `pool` goes. Call it after fork. */
fhir_error_t *fhir_hashers_create(fhir_hashers_t **hashers, apr_pool_t *pool) FHIR_MUST_CHECK;

/* A store gets large blocks, which cost it least; of a slow upload it gets steps, so that its server need not wait. */
#define FHIR_HASH_BLOCK ((apr_size_t)256 * 1024)
#define FHIR_HASH_STEP ((apr_size_t)64 * 1024)

/* `hashers` may be NULL: then everything is hashed in the caller's thread. `expected_length`: -1 if not known; no more
 * than that may be added. */
fhir_error_t *fhir_hash_pipe_create(fhir_hash_pipe_t **pipe, fhir_hashers_t *hashers, unsigned digest_kinds,
                                    apr_off_t expected_length, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Copies bytes until a block is full, and returns how many. Then *block is that block, of *block_length bytes, a
 * multiple of FHIR_HASH_STEP, which stay as they are until the next call; else NULL. Hashes if the threads are far
 * behind. */
apr_size_t fhir_hash_pipe_add(const char **block, apr_size_t *block_length, fhir_hash_pipe_t *pipe, const void *data,
                              apr_size_t length);
/* What was added after the last block; it lives until the pipe is stopped. */
const char *fhir_hash_pipe_rest(apr_size_t *length, const fhir_hash_pipe_t *pipe);
/* All bytes are hashed; the digest is finished and lives in the pipe's pool. */
const fhir_digest_t *fhir_hash_pipe_finish(fhir_hash_pipe_t *pipe);
/* No thread touches the pipe any more. Must come before its pool goes; may come twice and after finish. */
void fhir_hash_pipe_stop(fhir_hash_pipe_t *pipe);

#endif
