/* Blocks of uploads: a few threads hash those of large ones, in order within each upload. */
#include "hash_pipe.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define INLINE_UP_TO ((apr_size_t)512 * 1024) /* below that another thread costs more than it gives */
#define BLOCK_COUNT 4
#define THREADS_MAX 8

struct fhir_hash_pipe_t {
    fhir_hashers_t *hashers;
    fhir_digest_t *digest;
    apr_pool_t *pool;
    apr_size_t room;           /* of the first block: less than FHIR_HASH_BLOCK if the upload is known to be small */
    char *blocks[BLOCK_COUNT]; /* block n is n % BLOCK_COUNT; each is allocated when it is needed */
    apr_size_t filled;         /* bytes in the block that the caller fills: number `submitted` */
    apr_size_t inlined;        /* bytes hashed in the caller's thread, up to INLINE_UP_TO */
    int threaded;
    /* Guarded by the hashers' mutex. */
    unsigned submitted;
    unsigned hashed;
    int queued; /* in the queue or in the hands of a thread */
    fhir_hash_pipe_t *next;
};

struct fhir_hashers_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *work; /* for the threads: a pipe was queued, or the end */
    apr_thread_cond_t *done; /* for the callers: a block was hashed */
    pthread_t threads[THREADS_MAX];
    int thread_count; /* -1: threads can't be had, hash inline */
    int threads_wanted;
    int ending;
    fhir_hash_pipe_t *first;
    fhir_hash_pipe_t *last;
};

static void lock(fhir_hashers_t *hashers)
{
    apr_thread_mutex_lock(hashers->mutex);
}

static void unlock(fhir_hashers_t *hashers)
{
    apr_thread_mutex_unlock(hashers->mutex);
}

/* ---- the threads ---- */

static fhir_hash_pipe_t *take_pipe(fhir_hashers_t *hashers)
{
    fhir_hash_pipe_t *pipe = hashers->first;
    if (pipe) {
        hashers->first = pipe->next;
        if (!hashers->first) {
            hashers->last = NULL;
        }
    }
    return pipe;
}

/* Called and left with the mutex held; free while hashing. */
static void hash_blocks(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    while (pipe->hashed != pipe->submitted) {
        const char *block = pipe->blocks[pipe->hashed % BLOCK_COUNT];
        unlock(hashers);
        fhir_digest_update(pipe->digest, block, FHIR_HASH_BLOCK);
        lock(hashers);
        pipe->hashed++;
        apr_thread_cond_broadcast(hashers->done);
    }
    pipe->queued = 0;
    apr_thread_cond_broadcast(hashers->done);
}

static void *run_hasher(void *data)
{
    fhir_hashers_t *hashers = data;
    fhir_hash_pipe_t *pipe;
    lock(hashers);
    /* What is queued is hashed even at the end: somebody waits for it. */
    while ((pipe = take_pipe(hashers)) != NULL || !hashers->ending) {
        if (pipe) {
            hash_blocks(hashers, pipe);
        } else {
            apr_thread_cond_wait(hashers->work, hashers->mutex);
        }
    }
    unlock(hashers);
    return NULL;
}

/* Signals are for the server's own threads: ours inherit a mask that blocks them all. */
static void start_threads(fhir_hashers_t *hashers)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (hashers->thread_count < hashers->threads_wanted &&
           pthread_create(&hashers->threads[hashers->thread_count], NULL, run_hasher, hashers) == 0) {
        hashers->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (hashers->thread_count == 0) {
        hashers->thread_count = -1;
    }
}

static int threads_ready(fhir_hashers_t *hashers)
{
    int ready;
    lock(hashers);
    if (hashers->thread_count == 0) {
        start_threads(hashers);
    }
    ready = hashers->thread_count > 0;
    unlock(hashers);
    return ready;
}

static apr_status_t join_threads(void *data)
{
    fhir_hashers_t *hashers = data;
    int i;
    lock(hashers);
    hashers->ending = 1;
    apr_thread_cond_broadcast(hashers->work);
    unlock(hashers);
    for (i = 0; i < hashers->thread_count; i++) {
        pthread_join(hashers->threads[i], NULL);
    }
    hashers->thread_count = -1;
    return APR_SUCCESS;
}

fhir_error_t *fhir_hashers_create(fhir_hashers_t **hashers, apr_pool_t *pool)
{
    fhir_hashers_t *made = apr_pcalloc(pool, sizeof(*made));
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    apr_status_t status = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS) {
        status = apr_thread_cond_create(&made->work, pool);
    }
    if (status == APR_SUCCESS) {
        status = apr_thread_cond_create(&made->done, pool);
    }
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.", "hashing threads");
    }
    made->threads_wanted = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (int)processors;
    /* Before the mutex goes. */
    apr_pool_cleanup_register(pool, made, join_threads, apr_pool_cleanup_null);
    *hashers = made;
    return NULL;
}

/* ---- one upload ---- */

fhir_error_t *fhir_hash_pipe_create(fhir_hash_pipe_t **pipe, fhir_hashers_t *hashers, unsigned digest_kinds,
                                    apr_off_t expected_length, apr_pool_t *pool)
{
    fhir_hash_pipe_t *made = apr_pcalloc(pool, sizeof(*made));
    FHIR_TRY(fhir_digest_create(&made->digest, digest_kinds, pool));
    made->hashers = hashers;
    made->pool = pool;
    made->room = expected_length >= 0 && expected_length < (apr_off_t)FHIR_HASH_BLOCK ? (apr_size_t)expected_length
                                                                                      : FHIR_HASH_BLOCK;
    *pipe = made;
    return NULL;
}

static void queue_pipe(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    pipe->queued = 1;
    pipe->next = NULL;
    if (hashers->last) {
        hashers->last->next = pipe;
    } else {
        hashers->first = pipe;
    }
    hashers->last = pipe;
    apr_thread_cond_signal(hashers->work);
}

/* Hands the filled block over; afterwards there is a free one to fill. */
static void submit_block(fhir_hash_pipe_t *pipe)
{
    fhir_hashers_t *hashers = pipe->hashers;
    lock(hashers);
    pipe->submitted++;
    if (!pipe->queued) {
        queue_pipe(hashers, pipe);
    }
    while (pipe->submitted - pipe->hashed == BLOCK_COUNT) {
        apr_thread_cond_wait(hashers->done, hashers->mutex);
    }
    unlock(hashers);
}

static void hash_block(fhir_hash_pipe_t *pipe, const char *block)
{
    if (!pipe->threaded && pipe->hashers && pipe->inlined >= INLINE_UP_TO) {
        pipe->threaded = threads_ready(pipe->hashers);
    }
    if (pipe->threaded) {
        submit_block(pipe);
        return;
    }
    fhir_digest_update(pipe->digest, block, FHIR_HASH_BLOCK);
    pipe->inlined += pipe->inlined < INLINE_UP_TO ? FHIR_HASH_BLOCK : 0;
}

apr_size_t fhir_hash_pipe_add(const char **block, fhir_hash_pipe_t *pipe, const void *data, apr_size_t length)
{
    char **filling = &pipe->blocks[pipe->submitted % BLOCK_COUNT];
    apr_size_t room = pipe->room - pipe->filled;
    apr_size_t taken = length < room ? length : room;
    *block = NULL;
    *filling = *filling ? *filling : apr_palloc(pipe->pool, pipe->room);
    memcpy(*filling + pipe->filled, data, taken);
    pipe->filled += taken;
    if (pipe->filled == FHIR_HASH_BLOCK) {
        pipe->filled = 0;
        *block = *filling;
        hash_block(pipe, *block);
    }
    return taken;
}

const char *fhir_hash_pipe_rest(apr_size_t *length, const fhir_hash_pipe_t *pipe)
{
    *length = pipe->filled;
    return pipe->filled ? pipe->blocks[pipe->submitted % BLOCK_COUNT] : "";
}

void fhir_hash_pipe_stop(fhir_hash_pipe_t *pipe)
{
    if (!pipe->threaded) {
        return;
    }
    lock(pipe->hashers);
    while (pipe->queued) {
        apr_thread_cond_wait(pipe->hashers->done, pipe->hashers->mutex);
    }
    unlock(pipe->hashers);
}

const fhir_digest_t *fhir_hash_pipe_finish(fhir_hash_pipe_t *pipe)
{
    apr_size_t length;
    const char *rest = fhir_hash_pipe_rest(&length, pipe);
    fhir_hash_pipe_stop(pipe);
    fhir_digest_update(pipe->digest, rest, length);
    pipe->filled = 0;
    fhir_digest_finish(pipe->digest);
    return pipe->digest;
}
