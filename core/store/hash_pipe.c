/* Blocks of uploads: a few threads hash those of large ones, in order within each upload. They are in no hurry, so that
 * a store has the bytes early: blocks wait for them in a reserve that all uploads share, and hashing uses the time in
 * which the store works. Who waits for a block does what the threads have not begun. */
#include "hash_pipe.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define INLINE_UP_TO ((apr_size_t)512 * 1024) /* below that another thread costs more than it gives */
#define RESERVE_BLOCKS 12
#define SLOW apr_time_from_msec(50) /* for a block */
#define THREADS_MAX 8
#define NICENESS 10

typedef struct block_t {
    struct block_t *next;
    int borrowed; /* from the reserve */
    apr_size_t length;
    char bytes[];
} block_t;

struct fhir_hash_pipe_t {
    fhir_hashers_t *hashers;
    fhir_digest_t *digest;
    apr_pool_t *pool;
    apr_size_t room;    /* of the blocks: less than FHIR_HASH_BLOCK if the upload is known to be small */
    block_t *filling;   /* NULL: the next byte needs one */
    apr_time_t began;   /* when its first byte came */
    apr_size_t inlined; /* bytes hashed in the caller's thread, little more than INLINE_UP_TO */
    int has_own;        /* a block of its own pool: so it goes on without the reserve */
    int threaded;
    /* Guarded by the hashers' mutex. */
    block_t *first; /* full, to be hashed */
    block_t *last;
    block_t *hashed; /* to be filled again */
    int queued;
    int busy;    /* somebody hashes */
    int awaited; /* by the caller: a thread stops after this block */
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
    apr_pool_t *reserve_pool; /* only used under the mutex */
    block_t *reserve;
    int reserve_made;
};

static void lock(fhir_hashers_t *hashers)
{
    apr_thread_mutex_lock(hashers->mutex);
}

static void unlock(fhir_hashers_t *hashers)
{
    apr_thread_mutex_unlock(hashers->mutex);
}

/* ---- blocks ---- */

static block_t *new_block(apr_size_t room, apr_pool_t *pool)
{
    block_t *block = apr_palloc(pool, sizeof(*block) + room);
    block->next = NULL;
    block->borrowed = 0;
    return block;
}

static block_t *pop(block_t **list)
{
    block_t *block = *list;
    if (block) {
        *list = block->next;
        block->next = NULL;
    }
    return block;
}

static void push(block_t **list, block_t *block)
{
    block->next = *list;
    *list = block;
}

static block_t *borrow(fhir_hashers_t *hashers)
{
    block_t *block = pop(&hashers->reserve);
    if (!block && hashers->reserve_made < RESERVE_BLOCKS) {
        block = new_block(FHIR_HASH_BLOCK, hashers->reserve_pool);
        block->borrowed = 1;
        hashers->reserve_made++;
    }
    return block;
}

static void give_back(fhir_hashers_t *hashers, block_t **list)
{
    block_t *kept = NULL;
    block_t *block;
    while ((block = pop(list)) != NULL) {
        push(block->borrowed ? &hashers->reserve : &kept, block);
    }
    *list = kept;
}

static void append(fhir_hash_pipe_t *pipe, block_t *block)
{
    if (pipe->last) {
        pipe->last->next = block;
    } else {
        pipe->first = block;
    }
    pipe->last = block;
}

/* ---- hashing: all of it called and left with the mutex held ---- */

/* The mutex is free in between. */
static void hash_first(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    block_t *block = pop(&pipe->first);
    pipe->last = pipe->first ? pipe->last : NULL;
    pipe->busy = 1;
    unlock(hashers);
    fhir_digest_update(pipe->digest, block->bytes, block->length);
    lock(hashers);
    pipe->busy = 0;
    push(&pipe->hashed, block);
}

/* Afterwards no thread has the pipe, until it is queued again. */
static void await_thread(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    pipe->awaited = 1;
    while (pipe->busy) {
        apr_thread_cond_wait(hashers->done, hashers->mutex);
    }
    pipe->awaited = 0;
}

/* By the caller, who needs it: a thread has less of the processor. */
static void hash_one_more(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    if (pipe->busy) {
        await_thread(hashers, pipe);
    } else {
        hash_first(hashers, pipe);
    }
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

static fhir_hash_pipe_t *take_pipe(fhir_hashers_t *hashers)
{
    fhir_hash_pipe_t *pipe = hashers->first;
    if (pipe) {
        hashers->first = pipe->next;
        if (!hashers->first) {
            hashers->last = NULL;
        }
        pipe->queued = 0;
    }
    return pipe;
}

static void unqueue_pipe(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    fhir_hash_pipe_t *before = NULL;
    fhir_hash_pipe_t *at = hashers->first;
    if (!pipe->queued) {
        return;
    }
    while (at != pipe) {
        before = at;
        at = at->next;
    }
    if (before) {
        before->next = pipe->next;
    } else {
        hashers->first = pipe->next;
    }
    hashers->last = hashers->last == pipe ? before : hashers->last;
    pipe->queued = 0;
}

/* ---- the threads ---- */

/* After `awaited` the caller goes on, and queues the pipe again. */
static void hash_pipe(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    while (pipe->first && !pipe->busy && !pipe->awaited) {
        hash_first(hashers, pipe);
        apr_thread_cond_broadcast(hashers->done);
    }
}

static void *run_hasher(void *data)
{
    fhir_hashers_t *hashers = data;
#ifdef __linux__ /* where it is of this thread only */
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICENESS);
#endif
    lock(hashers);
    while (!hashers->ending) {
        fhir_hash_pipe_t *pipe = take_pipe(hashers);
        if (pipe) {
            hash_pipe(hashers, pipe);
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
    if (status == APR_SUCCESS) {
        status = apr_pool_create(&made->reserve_pool, pool);
    }
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.", "hashing threads");
    }
    made->threads_wanted = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (int)processors;
    /* Before the mutex and the reserve go. */
    apr_pool_pre_cleanup_register(pool, made, join_threads);
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
    made->threaded = hashers && expected_length > (apr_off_t)INLINE_UP_TO && threads_ready(hashers);
    *pipe = made;
    return NULL;
}

/* The caller has stored what it was given, so that all hashed blocks are free. */
static block_t *next_shared_block(fhir_hashers_t *hashers, fhir_hash_pipe_t *pipe)
{
    block_t *block;
    lock(hashers);
    block = pop(&pipe->hashed);
    block = block ? block : borrow(hashers);
    while (!block) {
        hash_one_more(hashers, pipe);
        block = pop(&pipe->hashed);
    }
    give_back(hashers, &pipe->hashed);
    unlock(hashers);
    return block;
}

static block_t *next_block(fhir_hash_pipe_t *pipe)
{
    if (!pipe->has_own) {
        pipe->has_own = 1;
        return new_block(pipe->room, pipe->pool);
    }
    return pipe->threaded ? next_shared_block(pipe->hashers, pipe) : pop(&pipe->hashed);
}

static void submit_block(fhir_hash_pipe_t *pipe, block_t *block)
{
    fhir_hashers_t *hashers = pipe->hashers;
    lock(hashers);
    append(pipe, block);
    if (!pipe->queued && !pipe->busy) {
        queue_pipe(hashers, pipe);
    }
    unlock(hashers);
}

static void hash_block(fhir_hash_pipe_t *pipe, block_t *block)
{
    if (!pipe->threaded && pipe->hashers && pipe->inlined >= INLINE_UP_TO) {
        pipe->threaded = threads_ready(pipe->hashers);
    }
    if (pipe->threaded) {
        submit_block(pipe, block);
        return;
    }
    fhir_digest_update(pipe->digest, block->bytes, block->length);
    push(&pipe->hashed, block);
    pipe->inlined += pipe->inlined < INLINE_UP_TO ? block->length : 0;
}

static void begin_block(fhir_hash_pipe_t *pipe)
{
    pipe->filling = next_block(pipe);
    pipe->filling->length = 0;
    pipe->began = apr_time_now();
}

static int is_full(const fhir_hash_pipe_t *pipe)
{
    apr_size_t length = pipe->filling->length;
    return length == FHIR_HASH_BLOCK || (length % FHIR_HASH_STEP == 0 && apr_time_now() - pipe->began > SLOW);
}

apr_size_t fhir_hash_pipe_add(const char **block, apr_size_t *block_length, fhir_hash_pipe_t *pipe, const void *data,
                              apr_size_t length)
{
    block_t *filling;
    apr_size_t taken;
    apr_size_t step;
    *block = NULL;
    *block_length = 0;
    if (!pipe->filling) {
        begin_block(pipe);
    }
    filling = pipe->filling;
    step = FHIR_HASH_STEP - filling->length % FHIR_HASH_STEP;
    taken = length < step ? length : step;
    memcpy(filling->bytes + filling->length, data, taken);
    filling->length += taken;
    if (is_full(pipe)) {
        pipe->filling = NULL;
        *block = filling->bytes;
        *block_length = filling->length;
        hash_block(pipe, filling);
    }
    return taken;
}

const char *fhir_hash_pipe_rest(apr_size_t *length, const fhir_hash_pipe_t *pipe)
{
    *length = pipe->filling ? pipe->filling->length : 0;
    return pipe->filling ? pipe->filling->bytes : "";
}

/* Blocks that nobody has hashed yet stay so. */
void fhir_hash_pipe_stop(fhir_hash_pipe_t *pipe)
{
    fhir_hashers_t *hashers = pipe->hashers;
    if (!pipe->threaded) {
        return;
    }
    lock(hashers);
    unqueue_pipe(hashers, pipe);
    await_thread(hashers, pipe);
    if (pipe->filling) {
        push(&pipe->hashed, pipe->filling);
    }
    give_back(hashers, &pipe->first);
    give_back(hashers, &pipe->hashed);
    unlock(hashers);
    pipe->filling = NULL;
    pipe->threaded = 0;
}

static void hash_all(fhir_hash_pipe_t *pipe)
{
    lock(pipe->hashers);
    while (pipe->first || pipe->busy) {
        hash_one_more(pipe->hashers, pipe);
    }
    unlock(pipe->hashers);
}

const fhir_digest_t *fhir_hash_pipe_finish(fhir_hash_pipe_t *pipe)
{
    apr_size_t length;
    const char *rest = fhir_hash_pipe_rest(&length, pipe);
    if (pipe->threaded) {
        hash_all(pipe);
    }
    fhir_digest_update(pipe->digest, rest, length);
    fhir_digest_finish(pipe->digest);
    fhir_hash_pipe_stop(pipe);
    return pipe->digest;
}
