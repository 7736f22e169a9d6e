/* Sealed objects: lengths, header, chunks, the cache of headers. The expected bytes were computed without this code. */
#include "storage-plugins/common/sealed.h"

#include "unit.h"

#define CHUNK ((apr_off_t)65536)

static const char object_key[] = "0123456789abcdef0123456789abcdef";

static fhir_store_call_t a_call(void)
{
    fhir_store_call_t call = {0};
    call.result_pool = pool;
    apr_pool_create(&call.scratch_pool, pool);
    return call;
}

/* ---- lengths ---- */

static void test_lengths(void)
{
    static const apr_off_t lengths[][2] = {{0, 256 + 16},
                                           {1, 256 + 1 + 16},
                                           {CHUNK - 1, 256 + CHUNK - 1 + 16},
                                           {CHUNK, 256 + CHUNK + 16},
                                           {CHUNK + 1, 256 + CHUNK + 1 + 32},
                                           {10 * CHUNK, 256 + 10 * CHUNK + 160},
                                           {FHIR_SEALED_LENGTH_MAX, 256 + ((apr_off_t)1 << 48) + ((apr_off_t)1 << 36)}};
    size_t i;
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        CU_ASSERT_EQUAL(fhir_sealed_stored_length(lengths[i][0]), lengths[i][1]);
        CU_ASSERT_EQUAL(fhir_sealed_content_length(lengths[i][1]), lengths[i][0]);
    }
    CU_ASSERT_EQUAL(fhir_sealed_chunk_position(0), 256);
    CU_ASSERT_EQUAL(fhir_sealed_chunk_position(3), 256 + 3 * (CHUNK + 16));
}

/* Exactly the lengths that some content gives are accepted. */
static void test_impossible_lengths(void)
{
    apr_off_t next = 0;
    apr_off_t stored;
    for (stored = -5; stored < 256 + 3 * (CHUNK + 16) + 100; stored++) {
        apr_off_t expected = -1;
        if (stored == fhir_sealed_stored_length(next)) {
            expected = next++;
        }
        if (fhir_sealed_content_length(stored) != expected) {
            CU_FAIL_FATAL("a length is wrong");
        }
    }
    CU_ASSERT(next > 3 * CHUNK);
    CU_ASSERT_EQUAL(fhir_sealed_content_length(INT64_MAX), -1);
    CU_ASSERT_EQUAL(fhir_sealed_content_length(INT64_MIN), -1);
    CU_ASSERT_EQUAL(fhir_sealed_content_length(fhir_sealed_stored_length(FHIR_SEALED_LENGTH_MAX) + 1), -1);
}

/* ---- header ---- */

static void test_header(void)
{
    static const unsigned char beginning[] = {'F', 'H', 'I', 'R', 'S', 'E', 'A', 'L', 1, 1, 16, 0,
                                              0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 1,  2};
    fhir_sealed_header_t header;
    fhir_sealed_header_t parsed;
    fhir_sealed_header_make(&header, FHIR_SEALED_AES_256_GCM, object_key, 258);
    CU_ASSERT(!memcmp(header.bytes, beginning, sizeof(beginning)));
    CU_ASSERT(!memcmp(header.bytes + sizeof(beginning), object_key, 32));
    FHIR_ASSERT_OK(fhir_sealed_header_parse(&parsed, header.bytes, FHIR_SEALED_AES_256_GCM, pool));
    CU_ASSERT_EQUAL(parsed.announced_length, 258);
    CU_ASSERT_STRING_EQUAL(parsed.object_key, object_key);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_sealed_header_parse(&parsed, header.bytes, FHIR_SEALED_SHA_256, pool));
    header.bytes[8] = 2;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED,
                      fhir_sealed_header_parse(&parsed, header.bytes, FHIR_SEALED_AES_256_GCM, pool));
}

static void test_header_with_checksum(void)
{
    static const unsigned char checksum[] = {0xc1, 0xf8, 0x0c, 0x6b, 0x13, 0xe4, 0x0a, 0xd6,
                                             0x44, 0x9a, 0x72, 0xc9, 0x8c, 0xbb, 0x6d, 0x7c};
    fhir_sealed_header_t header;
    fhir_sealed_header_t parsed;
    int i;
    fhir_sealed_header_make(&header, FHIR_SEALED_SHA_256, object_key, -1);
    CU_ASSERT(!memcmp(header.bytes + 240, checksum, sizeof(checksum)));
    FHIR_ASSERT_OK(fhir_sealed_header_parse(&parsed, header.bytes, FHIR_SEALED_SHA_256, pool));
    CU_ASSERT_EQUAL(parsed.announced_length, -1);
    for (i = 0; i < FHIR_SEALED_HEADER * 8; i++) {
        header.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT,
                          fhir_sealed_header_parse(&parsed, header.bytes, FHIR_SEALED_SHA_256, pool));
        header.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void test_wrong_headers(void)
{
    static const struct {
        int at;
        unsigned char value;
    } changes[] = {{0, 'X'}, {9, 3}, {10, 12}, {10, 17}, {11, 1}, {15, 1}, {16, 1}, {24, 'A'}, {55, 0}, {30, '/'}};
    fhir_sealed_header_t parsed;
    size_t i;
    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        fhir_sealed_header_t header;
        fhir_sealed_header_make(&header, FHIR_SEALED_AES_256_GCM, object_key, 5);
        header.bytes[changes[i].at] = changes[i].value;
        FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT,
                          fhir_sealed_header_parse(&parsed, header.bytes, FHIR_SEALED_AES_256_GCM, pool));
    }
}

/* ---- chunks ---- */

static void test_known_chunks(void)
{
    static const unsigned char encrypted[] = {0x07, 0x88, 0xef, 0x57, 0xd0, 0x2a, 0xb6, 0x07, 0x01, 0x52, 0x62,
                                              0xf8, 0xa7, 0x0b, 0xdc, 0x26, 0x79, 0xc5, 0x28, 0x3c, 0x7f};
    static const unsigned char checked[] = {0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x6f, 0x28, 0xed, 0x20, 0x23, 0xb4,
                                            0x5f, 0x52, 0x6c, 0x69, 0x37, 0xf7, 0xe8, 0x89, 0x98, 0xd3};
    unsigned char key[FHIR_SEALED_DATA_KEY];
    unsigned char sealed[sizeof(encrypted)];
    fhir_sealed_header_t header;
    fhir_seal_t *seal;
    unsigned char i;
    for (i = 0; i < sizeof(key); i++) {
        key[i] = i;
    }
    fhir_sealed_header_make(&header, FHIR_SEALED_AES_256_GCM, object_key, 5);
    seal = fhir_seal_create(&header, key, 1);
    CU_ASSERT_TRUE(fhir_seal_close_chunk(sealed, seal, 7, 1, "hello", 5));
    CU_ASSERT(!memcmp(sealed, encrypted, sizeof(encrypted)));
    fhir_seal_destroy(seal);
    fhir_sealed_header_make(&header, FHIR_SEALED_SHA_256, object_key, -1);
    seal = fhir_seal_create(&header, NULL, 1);
    CU_ASSERT_TRUE(fhir_seal_close_chunk(sealed, seal, 0x123456789a, 0, "hello", 5));
    CU_ASSERT(!memcmp(sealed, checked, sizeof(checked)));
    fhir_seal_destroy(seal);
}

/* 1 if the chunk of `length` bytes opens as this one of the object with this header. */
static int opens(const unsigned char *sealed, const fhir_sealed_header_t *header, const unsigned char *key,
                 apr_off_t index, int last, apr_size_t length)
{
    unsigned char copy[100];
    fhir_seal_t *seal = fhir_seal_create(header, key, 0);
    int result;
    memcpy(copy, sealed, length + FHIR_SEALED_TAG);
    result = fhir_seal_open_chunk(copy, seal, index, last, length);
    fhir_seal_destroy(seal);
    return result && !memcmp(copy, "0123456789", length < 10 ? length : 10);
}

static void test_what_a_tag_covers(void)
{
    static const fhir_sealed_algorithm_t algorithms[] = {FHIR_SEALED_AES_256_GCM, FHIR_SEALED_SHA_256};
    unsigned char key[FHIR_SEALED_DATA_KEY] = {9};
    unsigned char sealed[10 + 16];
    int a;
    int i;
    for (a = 0; a < 2; a++) {
        fhir_sealed_header_t header;
        fhir_sealed_header_t other;
        fhir_seal_t *seal;
        fhir_sealed_header_make(&header, algorithms[a], object_key, 10);
        seal = fhir_seal_create(&header, key, 1);
        CU_ASSERT_TRUE(fhir_seal_close_chunk(sealed, seal, 2, 0, "0123456789", 10));
        fhir_seal_destroy(seal);
        CU_ASSERT_TRUE(opens(sealed, &header, key, 2, 0, 10));
        CU_ASSERT_FALSE(opens(sealed, &header, key, 3, 0, 10));
        CU_ASSERT_FALSE(opens(sealed, &header, key, 2, 1, 10));
        CU_ASSERT_FALSE(opens(sealed, &header, key, 2, 0, 9));
        fhir_sealed_header_make(&other, algorithms[a], object_key, 11);
        CU_ASSERT_FALSE(opens(sealed, &other, key, 2, 0, 10));
        fhir_sealed_header_make(&other, algorithms[a], "0123456789abcdef0123456789abcdee", 10);
        CU_ASSERT_FALSE(opens(sealed, &other, key, 2, 0, 10));
        for (i = 0; i < (int)sizeof(sealed) * 8; i++) {
            sealed[i / 8] ^= (unsigned char)(1 << i % 8);
            CU_ASSERT_FALSE(opens(sealed, &header, key, 2, 0, 10));
            sealed[i / 8] ^= (unsigned char)(1 << i % 8);
        }
        key[5] ^= 1;
        CU_ASSERT_EQUAL(opens(sealed, &header, key, 2, 0, 10), algorithms[a] == FHIR_SEALED_SHA_256);
    }
}

/* An empty chunk has a tag, too, and one cipher context serves many chunks. */
static void test_empty_and_following_chunks(void)
{
    unsigned char key[FHIR_SEALED_DATA_KEY] = {1, 2, 3};
    unsigned char sealed[4][10 + 16];
    fhir_sealed_header_t header;
    fhir_seal_t *closing;
    fhir_seal_t *opening;
    int i;
    fhir_sealed_header_make(&header, FHIR_SEALED_AES_256_GCM, object_key, -1);
    closing = fhir_seal_create(&header, key, 1);
    opening = fhir_seal_create(&header, key, 0);
    for (i = 0; i < 4; i++) {
        CU_ASSERT_TRUE(fhir_seal_close_chunk(sealed[i], closing, i, i == 3, "0123456789", i == 3 ? 0 : 10));
    }
    CU_ASSERT_FALSE(fhir_seal_open_chunk(sealed[3], opening, 3, 0, 0));
    for (i = 3; i >= 0; i--) {
        CU_ASSERT_TRUE(fhir_seal_open_chunk(sealed[i], opening, i, i == 3, i == 3 ? 0 : 10));
    }
    CU_ASSERT(!memcmp(sealed[1], "0123456789", 10));
    fhir_seal_destroy(closing);
    fhir_seal_destroy(opening);
    fhir_seal_destroy(NULL);
}

/* ---- the sealer ---- */

typedef struct emitted_t {
    unsigned char bytes[400000];
    apr_size_t length;
    int calls;
    int fail_at; /* 0: never */
} emitted_t;

static fhir_error_t *take(void *baton, const void *bytes, apr_size_t length, const fhir_store_call_t *call)
{
    emitted_t *emitted = baton;
    if (++emitted->calls == emitted->fail_at) {
        return fhir_error_public(call->result_pool, FHIR_ERROR_NO_SPACE, "full");
    }
    CU_ASSERT_FATAL(emitted->length + length <= sizeof(emitted->bytes));
    memcpy(emitted->bytes + emitted->length, bytes, length);
    emitted->length += length;
    return NULL;
}

static fhir_error_t *seal_content(emitted_t *emitted, const char *content, apr_size_t length, apr_size_t piece,
                                  apr_off_t announced)
{
    fhir_store_call_t call = a_call();
    fhir_sealed_header_t header;
    fhir_sealer_t *sealer;
    apr_off_t sealed_length;
    apr_size_t done;
    fhir_error_t *error = NULL;
    fhir_sealed_header_make(&header, FHIR_SEALED_SHA_256, object_key, announced);
    FHIR_TRY(fhir_sealer_create(&sealer, &header, NULL, take, emitted, pool));
    for (done = 0; !error && done < length; done += piece) {
        error = fhir_sealer_write(sealer, content + done, piece < length - done ? piece : length - done, &call);
    }
    if (!error) {
        error = fhir_sealer_finish(&sealed_length, sealer, &call);
        CU_ASSERT(error || sealed_length == (apr_off_t)length);
    }
    fhir_sealer_destroy(sealer);
    fhir_sealer_destroy(sealer);
    return error;
}

/* However the content is cut, the same bytes come out: header and chunk in one piece, chunks that begin every 64 KiB.
 */
static void test_sealer_and_pieces(void)
{
    static const apr_size_t lengths[] = {0, 1, 65535, 65536, 65537, 131072, 200000};
    static const apr_size_t pieces[] = {1000, 65535, 65536, 65537, 131072, 300000};
    emitted_t *reference = apr_pcalloc(pool, sizeof(*reference));
    emitted_t *emitted = apr_pcalloc(pool, sizeof(*emitted));
    char *content = apr_palloc(pool, 200000);
    size_t l;
    size_t p;
    for (l = 0; l < 200000; l++) {
        content[l] = (char)(l * 7 + l / 251);
    }
    for (l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        reference->length = 0;
        FHIR_ASSERT_OK(seal_content(reference, content, lengths[l], 100, (apr_off_t)lengths[l]));
        CU_ASSERT_EQUAL((apr_off_t)reference->length, fhir_sealed_stored_length((apr_off_t)lengths[l]));
        for (p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            memset(emitted, 0, sizeof(*emitted));
            FHIR_ASSERT_OK(seal_content(emitted, content, lengths[l], pieces[p], (apr_off_t)lengths[l]));
            CU_ASSERT_EQUAL(emitted->length, reference->length);
            CU_ASSERT(!memcmp(emitted->bytes, reference->bytes, emitted->length));
            CU_ASSERT_EQUAL(emitted->calls, lengths[l] == 0 ? 1 : (int)((lengths[l] + 65535) / 65536));
            memset(emitted, 0, sizeof(*emitted));
            FHIR_ASSERT_OK(seal_content(emitted, content, lengths[l], pieces[p], -1)); /* not announced */
            CU_ASSERT_EQUAL(emitted->length, reference->length);
        }
    }
}

static void test_sealer_holds_the_announced_length(void)
{
    emitted_t *emitted = apr_pcalloc(pool, sizeof(*emitted));
    char *content = apr_pcalloc(pool, 100000);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, seal_content(emitted, content, 100, 30, 99));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, seal_content(emitted, content, 100, 30, 101));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, seal_content(emitted, content, 1, 1, 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, seal_content(emitted, content, 100000, 100000, 65536));
    memset(emitted, 0, sizeof(*emitted));
    emitted->fail_at = 2;
    FHIR_ASSERT_ERROR(FHIR_ERROR_NO_SPACE, seal_content(emitted, content, 100000, 1000, -1));
}

/* ---- the cache ---- */

static void test_cache(void)
{
    fhir_sealed_cache_t *cache = fhir_sealed_cache_create();
    fhir_sealed_known_t known = {{0}, 0, 0};
    char locator[20];
    int found = 0;
    int i;
    CU_ASSERT_FALSE(fhir_sealed_cache_get(&known, cache, "a"));
    known.stored_length = 5;
    known.header[255] = 7;
    fhir_sealed_cache_put(cache, "a", &known);
    known.stored_length = 6;
    fhir_sealed_cache_put(cache, "b", &known);
    CU_ASSERT_TRUE(fhir_sealed_cache_get(&known, cache, "a"));
    CU_ASSERT_EQUAL(known.stored_length, 5);
    CU_ASSERT_EQUAL(known.header[255], 7);
    fhir_sealed_cache_forget(cache, "a");
    fhir_sealed_cache_forget(cache, "never there");
    CU_ASSERT_FALSE(fhir_sealed_cache_get(&known, cache, "a"));
    CU_ASSERT_TRUE(fhir_sealed_cache_get(&known, cache, "b"));
    for (i = 0; i < 5000; i++) { /* what was used last stays, the rest has an end */
        snprintf(locator, sizeof(locator), "%d", i);
        known.stored_length = i;
        fhir_sealed_cache_put(cache, locator, &known);
        CU_ASSERT_TRUE(fhir_sealed_cache_get(&known, cache, locator));
        CU_ASSERT_EQUAL(known.stored_length, i);
    }
    for (i = 0; i < 5000; i++) {
        snprintf(locator, sizeof(locator), "%d", i);
        found += fhir_sealed_cache_get(&known, cache, locator);
    }
    CU_ASSERT(found > 900 && found <= 1024);
    fhir_sealed_cache_destroy(cache);
    CU_ASSERT_FALSE(fhir_sealed_cache_get(&known, NULL, "a"));
    fhir_sealed_cache_put(NULL, "a", &known);
    fhir_sealed_cache_forget(NULL, "a");
    fhir_sealed_cache_destroy(NULL);
}

static const fhir_unit_test_t tests[] = {
    {"lengths", test_lengths},
    {"impossible lengths", test_impossible_lengths},
    {"header", test_header},
    {"header with checksum", test_header_with_checksum},
    {"wrong headers", test_wrong_headers},
    {"known chunks", test_known_chunks},
    {"what a tag covers", test_what_a_tag_covers},
    {"empty and following chunks", test_empty_and_following_chunks},
    {"sealer and pieces", test_sealer_and_pieces},
    {"sealer holds the announced length", test_sealer_holds_the_announced_length},
    {"cache", test_cache},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("sealed", tests)
