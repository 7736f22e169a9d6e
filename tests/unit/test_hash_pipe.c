/* Hashing beside the upload: any sizes and pieces give the digest of the whole and the bytes in blocks, also with many
 * uploads at once. */
#include "unit.h"

#include "core/store/hash_pipe.h"

#include <apr_thread_proc.h>
#include <stdlib.h>

#define BYTES_MAX ((apr_size_t)3 * 1024 * 1024)

static char *bytes;
static apr_size_t most = BYTES_MAX;

static void fill_bytes(void)
{
    apr_size_t i;
    unsigned state = 7;
    most = getenv("FHIR_TEST_VALGRIND") ? BYTES_MAX / 4 : BYTES_MAX;
    bytes = apr_palloc(pool, BYTES_MAX);
    for (i = 0; i < BYTES_MAX; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (char)(state >> 24);
    }
}

/* 1 if the pipe's digests are those of the bytes. */
static int right(const fhir_digest_t *digest, apr_size_t length, apr_pool_t *own)
{
    static const fhir_digest_kind_t kinds[] = {FHIR_DIGEST_SHA256, FHIR_DIGEST_SHA1};
    fhir_digest_t *expected;
    int i;
    if (fhir_digest_create(&expected, FHIR_DIGEST_SHA256 | FHIR_DIGEST_SHA1, own)) {
        return 0;
    }
    fhir_digest_update(expected, bytes, length);
    fhir_digest_finish(expected);
    for (i = 0; i < 2; i++) {
        apr_size_t one;
        apr_size_t other;
        const unsigned char *value = fhir_digest_value(digest, kinds[i], &one);
        const unsigned char *wanted = fhir_digest_value(expected, kinds[i], &other);
        if (!value || !wanted || one != other || memcmp(value, wanted, one) != 0) {
            return 0;
        }
    }
    return 1;
}

/* Adds them in pieces; *stored counts those that came back in the right order. */
static void add(apr_size_t *stored, fhir_hash_pipe_t *pipe, apr_size_t length, apr_size_t piece)
{
    apr_size_t at = 0;
    while (at < length) {
        apr_size_t end = length - at < piece ? length : at + piece;
        while (at < end) {
            const char *block;
            apr_size_t block_length;
            at += fhir_hash_pipe_add(&block, &block_length, pipe, bytes + at, end - at);
            if (block && block_length % FHIR_HASH_STEP == 0 && !memcmp(block, bytes + *stored, block_length)) {
                *stored += block_length;
            }
        }
    }
}

static int hash(fhir_hashers_t *hashers, apr_size_t length, apr_size_t piece, int announced)
{
    apr_pool_t *own;
    fhir_hash_pipe_t *pipe;
    apr_size_t stored = 0;
    int is_right = 0;
    apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    if (!fhir_hash_pipe_create(&pipe, hashers, FHIR_DIGEST_SHA256 | FHIR_DIGEST_SHA1,
                               announced ? (apr_off_t)length : -1, own)) {
        apr_size_t left;
        const char *rest;
        add(&stored, pipe, length, piece);
        rest = fhir_hash_pipe_rest(&left, pipe);
        is_right = stored + left == length && !memcmp(rest, bytes + stored, left);
        is_right = right(fhir_hash_pipe_finish(pipe), length, own) && is_right;
        fhir_hash_pipe_stop(pipe);
    }
    apr_pool_destroy(own);
    return is_right;
}

static void test_sizes_and_pieces(void)
{
    static const apr_size_t sizes[] = {0,      1,      65535,  65536,  262143,  262144,  262145,
                                       524287, 524288, 524289, 786433, 1048576, 2000003, BYTES_MAX};
    static const apr_size_t pieces[] = {997, 8000, 65536, 131072, 1000000};
    fhir_hashers_t *hashers;
    size_t i;
    size_t j;
    fill_bytes();
    FHIR_ASSERT_OK(fhir_hashers_create(&hashers, pool));
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (j = 0; j < sizeof(pieces) / sizeof(pieces[0]) && sizes[i] <= most; j++) {
            CU_ASSERT_TRUE(hash(hashers, sizes[i], pieces[j], (int)j % 2));
        }
        CU_ASSERT_TRUE(hash(NULL, sizes[i], 65536, 0));
        CU_ASSERT_TRUE(hash(NULL, sizes[i], 70000, 1));
    }
}

/* A slow client's bytes go on in steps, so that the store's server does not wait for them. */
static void test_slow_upload_comes_in_steps(void)
{
    fhir_hash_pipe_t *pipe;
    apr_size_t left;
    apr_size_t block_length;
    const char *block;
    fill_bytes();
    FHIR_ASSERT_OK(fhir_hash_pipe_create(&pipe, NULL, FHIR_DIGEST_SHA256 | FHIR_DIGEST_SHA1, -1, pool));
    CU_ASSERT_EQUAL(fhir_hash_pipe_add(&block, &block_length, pipe, bytes, FHIR_HASH_STEP - 1), FHIR_HASH_STEP - 1);
    CU_ASSERT_PTR_NULL(block);
    apr_sleep(apr_time_from_msec(60));
    CU_ASSERT_EQUAL(fhir_hash_pipe_add(&block, &block_length, pipe, bytes + FHIR_HASH_STEP - 1, 2), 1);
    CU_ASSERT_EQUAL(block_length, FHIR_HASH_STEP);
    CU_ASSERT_TRUE(block && !memcmp(block, bytes, FHIR_HASH_STEP));
    CU_ASSERT_EQUAL(fhir_hash_pipe_add(&block, &block_length, pipe, bytes + FHIR_HASH_STEP, 7), 7);
    CU_ASSERT_PTR_NULL(block);
    CU_ASSERT_TRUE(!memcmp(fhir_hash_pipe_rest(&left, pipe), bytes + FHIR_HASH_STEP, 7) && left == 7);
    CU_ASSERT_TRUE(right(fhir_hash_pipe_finish(pipe), FHIR_HASH_STEP + 7, pool));
}

typedef struct uploader_t {
    fhir_hashers_t *hashers;
    int right;
} uploader_t;

static void *APR_THREAD_FUNC hash_often(apr_thread_t *thread, void *data)
{
    uploader_t *uploader = data;
    int i;
    (void)thread;
    for (i = 0; i < 8; i++) {
        uploader->right += hash(uploader->hashers, most - (apr_size_t)i * 1000, (apr_size_t)(5000 + 7777 * i), i % 2);
    }
    return NULL;
}

static void test_many_uploads_at_once(void)
{
    apr_thread_t *threads[6];
    uploader_t uploaders[6] = {{NULL, 0}};
    fhir_hashers_t *hashers;
    int i;
    fill_bytes();
    FHIR_ASSERT_OK(fhir_hashers_create(&hashers, pool));
    for (i = 0; i < 6; i++) {
        uploaders[i].hashers = hashers;
        CU_ASSERT_EQUAL(apr_thread_create(&threads[i], NULL, hash_often, &uploaders[i], pool), APR_SUCCESS);
    }
    for (i = 0; i < 6; i++) {
        apr_status_t ignored;
        CU_ASSERT_EQUAL(apr_thread_join(&ignored, threads[i]), APR_SUCCESS);
        CU_ASSERT_EQUAL(uploaders[i].right, 8);
    }
}

static void test_stopped_in_the_middle(void)
{
    fhir_hashers_t *hashers;
    int i;
    fill_bytes();
    FHIR_ASSERT_OK(fhir_hashers_create(&hashers, pool));
    for (i = 0; i < (most == BYTES_MAX ? 50 : 5); i++) {
        apr_pool_t *own;
        fhir_hash_pipe_t *pipe;
        apr_size_t stored = 0;
        apr_pool_create_unmanaged_ex(&own, NULL, NULL);
        FHIR_ASSERT_OK(fhir_hash_pipe_create(&pipe, hashers, FHIR_DIGEST_SHA256, -1, own));
        add(&stored, pipe, 1200000, 600000);
        fhir_hash_pipe_stop(pipe);
        apr_pool_destroy(own);
    }
}

static const fhir_unit_test_t tests[] = {
    {"sizes and pieces", test_sizes_and_pieces},
    {"slow upload comes in steps", test_slow_upload_comes_in_steps},
    {"many uploads at once", test_many_uploads_at_once},
    {"stopped in the middle", test_stopped_in_the_middle},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("hash_pipe", tests)
