/* Content-Encoding of uploads. */
#include "core/http/fields.h"
#include "unit.h"

#include <zlib.h>

enum { GZIP = 16 + MAX_WBITS, ZLIB = MAX_WBITS, RAW = -MAX_WBITS };

typedef struct bytes_t {
    char *data;
    apr_size_t length;
} bytes_t;

static bytes_t compressed(const char *data, apr_size_t length, int window_bits)
{
    bytes_t result;
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    result.data = apr_palloc(pool, length + length / 100 + 1000);
    deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = (Bytef *)(void *)apr_pmemdup(pool, length ? data : "x", length ? length : 1);
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)result.data;
    stream.avail_out = (uInt)(length + length / 100 + 1000);
    CU_ASSERT_EQUAL(deflate(&stream, Z_FINISH), Z_STREAM_END);
    result.length = stream.total_out;
    deflateEnd(&stream);
    return result;
}

static bytes_t joined(bytes_t one, bytes_t other)
{
    bytes_t result;
    result.length = one.length + other.length;
    result.data = apr_palloc(pool, result.length + 1);
    memcpy(result.data, one.data, one.length);
    memcpy(result.data + one.length, other.data, other.length);
    return result;
}

static bytes_t some_text(apr_size_t length)
{
    bytes_t text = {apr_palloc(pool, length + 1), length};
    unsigned state = 7;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        state = state * 1103515245u + 12345u;
        text.data[i] = (char)('a' + (state >> 16) % 16);
    }
    return text;
}

/* Reads all; 0 if everything went well, else the code of the error. *total counts what came out before. */
static int decode(bytes_t in, const char *coding, apr_off_t limit, apr_size_t chunk, const bytes_t *expected,
                  apr_off_t *total)
{
    fhir_body_t *body = NULL;
    apr_off_t seen = 0;
    int same = 1;
    fhir_error_t *error =
        fhir_body_decode(&body, fhir_body_memory(in.data, in.length, chunk, pool), coding, limit, pool);
    const char *data;
    apr_size_t length = 1;
    while (!error && length > 0) {
        error = body->read(body, &data, &length);
        if (!error) {
            same = same && (!expected || ((apr_size_t)seen + length <= expected->length &&
                                          memcmp(data, expected->data + seen, length) == 0));
            seen += (apr_off_t)length;
        }
    }
    CU_ASSERT(same);
    CU_ASSERT(error || !expected || (apr_size_t)seen == expected->length);
    if (body) { /* the last word stays the last word */
        fhir_error_t *again = body->read(body, &data, &length);
        CU_ASSERT_PTR_EQUAL(again, error);
        CU_ASSERT_EQUAL(length, 0);
    }
    if (total) {
        *total = seen;
    }
    return error ? (int)error->code : 0;
}

static void test_round_trips(void)
{
    static const apr_size_t sizes[] = {0, 1, 2, 100, 32767, 32768, 32769, 65536, 300000};
    static const apr_size_t chunks[] = {0, 1, 2, 3, 7, 1000, 32768};
    static const struct {
        const char *coding;
        int window_bits;
    } codings[] = {{"gzip", GZIP}, {"x-gzip", GZIP}, {" GZip ", GZIP}, {"deflate", ZLIB}, {"deflate", RAW}};
    apr_size_t s;
    apr_size_t c;
    apr_size_t k;
    for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        bytes_t text = some_text(sizes[s]);
        for (k = 0; k < sizeof(codings) / sizeof(codings[0]); k++) {
            bytes_t packed = compressed(text.data, text.length, codings[k].window_bits);
            for (c = 0; c < sizeof(chunks) / sizeof(chunks[0]); c++) {
                CU_ASSERT_EQUAL(decode(packed, codings[k].coding, 1000000, chunks[c], &text, NULL), 0);
            }
        }
    }
}

static void test_identity(void)
{
    bytes_t text = some_text(1000);
    fhir_body_t *body = NULL;
    CU_ASSERT_EQUAL(decode(text, NULL, 1000, 7, &text, NULL), 0);
    CU_ASSERT_EQUAL(decode(text, "identity", 1000, 0, &text, NULL), 0);
    CU_ASSERT_EQUAL(decode(text, " Identity ", -1, 0, &text, NULL), 0);
    CU_ASSERT_EQUAL(decode(text, "", 1000, 0, &text, NULL), 0);
    FHIR_ASSERT_OK(fhir_body_decode(&body, fhir_body_memory("abc", 3, 0, pool), NULL, 10, pool));
    CU_ASSERT_EQUAL(body->length, 3);
    FHIR_ASSERT_OK(fhir_body_decode(&body, fhir_body_memory("abc", 3, 0, pool), "gzip", 10, pool));
    CU_ASSERT_EQUAL(body->length, -1);
}

/* Raw deflate has no trailer: the last bytes may still be inside zlib when all input is taken and the buffer is full.
 */
static void test_output_pending_at_the_end(void)
{
    char *zeros = calloc(1, 70000);
    apr_size_t more;
    for (more = 0; more < 600; more += 7) {
        bytes_t text = {zeros, 32768 + more};
        CU_ASSERT_EQUAL(decode(compressed(text.data, text.length, RAW), "deflate", 100000, 0, &text, NULL), 0);
        text.length += 32768;
        CU_ASSERT_EQUAL(decode(compressed(text.data, text.length, RAW), "deflate", 100000, 0, &text, NULL), 0);
    }
    free(zeros);
}

/* Raw deflate whose first byte looks like zlib's: a stored block with a padding bit set. */
static void test_raw_that_looks_wrapped(void)
{
    bytes_t packed = {apr_pmemdup(pool, "\x08\x01\x00\xfe\xffx\x03\x00", 8), 8};
    bytes_t text = {apr_pstrdup(pool, "x"), 1};
    CU_ASSERT_EQUAL(decode(packed, "deflate", 100, 0, &text, NULL), 0);
    CU_ASSERT_EQUAL(decode(packed, "deflate", 100, 1, &text, NULL), 0);
}

static void test_unknown_codings(void)
{
    static const char *const bad[] = {"br",   "gzip, gzip", "gzip,identity", "compress", "gzipx", "gzi",
                                      "zstd", ",",          "gzip gzip",     "gzip;q=1", "\xFF",  "aes128gcm"};
    fhir_body_t *body = NULL;
    apr_size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID,
                          fhir_body_decode(&body, fhir_body_memory("", 0, 0, pool), bad[i], 10, pool));
    }
}

static void test_members(void)
{
    bytes_t one = some_text(40000);
    bytes_t two = {apr_pstrdup(pool, "the end"), 7};
    bytes_t packed_one = compressed(one.data, one.length, GZIP);
    bytes_t packed_two = compressed(two.data, two.length, GZIP);
    bytes_t empty = compressed("", 0, GZIP);
    bytes_t all = joined(one, two);
    bytes_t packed = joined(packed_one, packed_two);
    apr_size_t chunk;
    for (chunk = 0; chunk < 40; chunk++) {
        CU_ASSERT_EQUAL(decode(packed, "gzip", 100000, chunk, &all, NULL), 0);
        CU_ASSERT_EQUAL(decode(joined(empty, joined(packed, empty)), "gzip", 100000, chunk, &all, NULL), 0);
    }
    /* The member that follows is cut off, or garbage. */
    packed.length--;
    CU_ASSERT_EQUAL(decode(packed, "gzip", 100000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    packed.length = packed_one.length + 1;
    CU_ASSERT_EQUAL(decode(packed, "gzip", 100000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    CU_ASSERT_EQUAL(decode(packed, "gzip", 100000, packed_one.length, NULL, NULL), FHIR_ERROR_INVALID);
    two.data[0] = '\0';
    two.length = 1;
    CU_ASSERT_EQUAL(decode(joined(packed_one, two), "gzip", 100000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    /* deflate has no members */
    packed = compressed(one.data, one.length, ZLIB);
    CU_ASSERT_EQUAL(decode(joined(packed, packed), "deflate", 100000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    CU_ASSERT_EQUAL(decode(joined(packed, two), "deflate", 100000, packed.length, NULL, NULL), FHIR_ERROR_INVALID);
    packed = compressed(one.data, one.length, RAW);
    CU_ASSERT_EQUAL(decode(joined(packed, two), "deflate", 100000, 0, NULL, NULL), FHIR_ERROR_INVALID);
}

static void test_truncated(void)
{
    static const int windows[] = {GZIP, ZLIB, RAW};
    bytes_t text = some_text(300);
    int k;
    for (k = 0; k < 3; k++) {
        bytes_t packed = compressed(text.data, text.length, windows[k]);
        while (packed.length > 0) {
            packed.length--;
            CU_ASSERT_EQUAL(decode(packed, k ? "deflate" : "gzip", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
            CU_ASSERT_EQUAL(decode(packed, k ? "deflate" : "gzip", 10000, 1, NULL, NULL), FHIR_ERROR_INVALID);
        }
    }
}

/* One flipped bit is found by the checksum, wherever it is; in raw deflate, which has none, it must not crash. */
static void test_corrupt(void)
{
    static const int windows[] = {GZIP, ZLIB, RAW};
    bytes_t text = some_text(200);
    int k;
    for (k = 0; k < 3; k++) {
        bytes_t packed = compressed(text.data, text.length, windows[k]);
        apr_size_t bit;
        int undetected = 0;
        for (bit = 0; bit < packed.length * 8; bit++) {
            int code;
            packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ (1 << bit % 8));
            code = decode(packed, k ? "deflate" : "gzip", 100000, 0, NULL, NULL);
            /* gzip: bits of the time, the flags and the system are not covered */
            if (k < 2 && bit >= 80) {
                CU_ASSERT(code == FHIR_ERROR_INVALID || code == 0);
                undetected += code == 0;
            }
            packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ (1 << bit % 8));
        }
        /* The bits that fill up the last byte of the data mean nothing. */
        CU_ASSERT(undetected <= 7);
    }
}

static void test_garbage(void)
{
    bytes_t text = some_text(1000);
    bytes_t preset = {apr_pstrmemdup(pool, "\x78\xbb\x00\x00\x00\x00", 6), 6}; /* wants a dictionary */
    CU_ASSERT_EQUAL(decode(text, "gzip", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    CU_ASSERT_EQUAL(decode(text, "deflate", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    CU_ASSERT_EQUAL(decode(preset, "deflate", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    /* gzip data named deflate, and the other way round */
    CU_ASSERT_EQUAL(decode(compressed(text.data, 100, ZLIB), "gzip", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    text.length = 0;
    CU_ASSERT_EQUAL(decode(text, "gzip", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
    CU_ASSERT_EQUAL(decode(text, "deflate", 10000, 0, NULL, NULL), FHIR_ERROR_INVALID);
}

static void test_limit(void)
{
    bytes_t text = some_text(100000);
    bytes_t packed = compressed(text.data, text.length, GZIP);
    apr_off_t total = -1;
    CU_ASSERT_EQUAL(decode(packed, "gzip", 100000, 0, &text, NULL), 0);
    CU_ASSERT_EQUAL(decode(packed, "gzip", -1, 0, &text, NULL), 0);
    CU_ASSERT_EQUAL(decode(packed, "gzip", 99999, 0, NULL, &total), FHIR_ERROR_TOO_LARGE);
    CU_ASSERT(total <= 99999);
    CU_ASSERT_EQUAL(decode(packed, "gzip", 0, 0, NULL, &total), FHIR_ERROR_TOO_LARGE);
    CU_ASSERT_EQUAL(total, 0);
    CU_ASSERT_EQUAL(decode(compressed("", 0, GZIP), "gzip", 0, 0, NULL, NULL), 0);
    CU_ASSERT_EQUAL(decode(text, NULL, 99999, 1000, NULL, &total), FHIR_ERROR_TOO_LARGE);
    CU_ASSERT(total <= 99999);
}

static void test_bomb(void)
{
    apr_size_t size = 64 << 20;
    char *zeros = calloc(1, size);
    z_stream stream;
    bytes_t packed = {apr_palloc(pool, 1 << 20), 0};
    apr_off_t total = 0;
    memset(&stream, 0, sizeof(stream));
    deflateInit2(&stream, 9, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = (Bytef *)zeros;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)packed.data;
    stream.avail_out = 1 << 20;
    CU_ASSERT_EQUAL(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.length = stream.total_out;
    deflateEnd(&stream);
    free(zeros);
    CU_ASSERT_EQUAL(decode(packed, "gzip", INT64_C(1) << 40, 0, NULL, &total), FHIR_ERROR_TOO_LARGE);
    CU_ASSERT(total > (1 << 20) && total < (apr_off_t)size);
    /* A megabyte of anything is no bomb. */
    zeros = calloc(1, 1 << 20);
    packed = compressed(zeros, 1 << 20, GZIP);
    free(zeros);
    CU_ASSERT_EQUAL(decode(packed, "gzip", INT64_C(1) << 40, 0, NULL, &total), 0);
    CU_ASSERT_EQUAL(total, 1 << 20);
}

static fhir_error_t *failing_read(fhir_body_t *body, const char **data, apr_size_t *length)
{
    (void)data;
    (void)length;
    return fhir_error_public(body->baton, FHIR_ERROR_BODY_TIMEOUT, "slow");
}

static void test_source_errors(void)
{
    fhir_body_t source = {-1, failing_read, pool};
    fhir_body_t *body = NULL;
    const char *data;
    apr_size_t length;
    FHIR_ASSERT_OK(fhir_body_decode(&body, &source, "gzip", 10, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_BODY_TIMEOUT, body->read(body, &data, &length));
    FHIR_ASSERT_OK(fhir_body_decode(&body, &source, NULL, 10, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_BODY_TIMEOUT, body->read(body, &data, &length));
}

static const fhir_unit_test_t tests[] = {{"round trips", test_round_trips},
                                         {"identity", test_identity},
                                         {"unknown codings", test_unknown_codings},
                                         {"members", test_members},
                                         {"output pending at the end", test_output_pending_at_the_end},
                                         {"raw that looks wrapped", test_raw_that_looks_wrapped},
                                         {"truncated", test_truncated},
                                         {"corrupt", test_corrupt},
                                         {"garbage", test_garbage},
                                         {"limit", test_limit},
                                         {"bomb", test_bomb},
                                         {"source errors", test_source_errors},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("content_coding", tests)
