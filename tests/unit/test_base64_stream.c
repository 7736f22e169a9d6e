/* Streaming base64, both directions. */
#include "unit.h"

#include "core/base/text.h"
#include "core/fhir/base64_stream.h"

#include <stdlib.h>

static fhir_error_t *sink(void *baton, const char *data, apr_size_t length)
{
    fhir_text_add_bytes(baton, data, length);
    return NULL;
}

/* Feeds [0, split) and the rest, or single bytes if split is 0. */
static fhir_error_t *decode(fhir_text_t *out, const char *text, apr_size_t length, apr_size_t split)
{
    fhir_base64_decoder_t decoder;
    apr_size_t i;
    fhir_text_init(out, pool);
    fhir_base64_decoder_init(&decoder, sink, out, pool);
    for (i = 0; split == 0 && i < length; i++) {
        FHIR_TRY(fhir_base64_decoder_feed(&decoder, text + i, 1));
    }
    if (split) {
        FHIR_TRY(fhir_base64_decoder_feed(&decoder, text, split));
        FHIR_TRY(fhir_base64_decoder_feed(&decoder, text + split, length - split));
    }
    return fhir_base64_decoder_finish(&decoder);
}

static void test_known_texts(void)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"Zg==", "f"},
                                           {"Zm8=", "fo"},
                                           {"Zm9v", "foo"},
                                           {"Zm9vYg==", "foob"},
                                           {"Zm9vYmE=", "fooba"},
                                           {"Zm9vYmFy", "foobar"},
                                           {" Z\r\nm\t9 v Y m E = \n", "fooba"},
                                           {"Z g = =", "f"},
                                           {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        apr_size_t split;
        for (split = 0; split <= strlen(cases[i][0]); split++) {
            fhir_text_t out;
            FHIR_ASSERT_OK(decode(&out, cases[i][0], strlen(cases[i][0]), split));
            CU_ASSERT_STRING_EQUAL(out.text, cases[i][1]);
        }
    }
}

static void test_wrong_texts(void)
{
    static const char *const cases[][2] = {{"Z", "byte 1 of it: it ends inside"},
                                           {"Zg", "byte 2 of it: it ends inside"},
                                           {"Zg=", "byte 3 of it: it ends inside"},
                                           {"Zm9vZ", "byte 5 of it: it ends inside"},
                                           {"=", "byte 0 of it: padding"},
                                           {"Z===", "byte 1 of it: padding"},
                                           {"Zm9v=", "byte 4 of it: padding"},
                                           {"Zg===", "byte 4 of it: more follows"},
                                           {"Zg==Zg==", "byte 4 of it: more follows"},
                                           {"Zg=v", "byte 3 of it: more follows"},
                                           {"Zg== =", "byte 5 of it: more follows"},
                                           {"Zh==", "byte 3 of it: the bits"},
                                           {"Zm9=", "byte 3 of it: the bits"},
                                           {"Zm-v", "byte 2 of it: only A-Z"},
                                           {"Zm_v", "byte 2 of it: only A-Z"},
                                           {"Zm9vZm9v.m9v", "byte 8 of it: only A-Z"},
                                           {"Zm9\vv", "byte 3 of it: only A-Z"},
                                           {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        apr_size_t split;
        for (split = 0; split <= strlen(cases[i][0]); split++) {
            fhir_text_t out;
            fhir_error_t *error = decode(&out, cases[i][0], strlen(cases[i][0]), split);
            FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
            CU_ASSERT(error && strstr(error->public_text, cases[i][1]) != NULL);
            CU_ASSERT(error && !strcmp(error->expression, "Binary.data"));
        }
    }
}

/* Each byte value at each place of three groups is either in the alphabet, or white space, or refused. */
static void test_every_byte_at_every_place(void)
{
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int step = getenv("FHIR_TEST_VALGRIND") ? 5 : 1;
    int place;
    int byte;
    for (place = 0; place < 12; place++) {
        for (byte = 0; byte < 256; byte += step) {
            char text[13] = "AAAAAAAAAAAA";
            fhir_text_t out;
            fhir_error_t *error;
            int good = byte && strchr(ALPHABET, byte) != NULL;
            text[place] = (char)byte;
            error = decode(&out, text, 12, 12);
            /* Padding is right in the very last place only. */
            CU_ASSERT_EQUAL(error == NULL, good || (byte == '=' && place == 11));
            if (good && !error) {
                unsigned value = (unsigned)(strchr(ALPHABET, byte) - ALPHABET);
                unsigned bits = value << (18 - 6 * (place % 4));
                const unsigned char *group = (const unsigned char *)out.text + place / 4 * 3;
                CU_ASSERT_EQUAL(out.length, 9);
                CU_ASSERT_EQUAL((unsigned)group[0] << 16 | (unsigned)group[1] << 8 | group[2], bits);
            }
        }
    }
}

static void fill(unsigned char *bytes, apr_size_t length)
{
    unsigned state = 12345;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        state = state * 1103515245u + 12345u;
        bytes[i] = (unsigned char)(state >> 16);
    }
}

static void test_round_trips(void)
{
    enum { MOST = 200 };
    const apr_size_t step = getenv("FHIR_TEST_VALGRIND") ? 5 : 1;
    unsigned char bytes[MOST];
    apr_size_t length;
    fill(bytes, MOST);
    for (length = 0; length <= MOST; length += step) {
        apr_size_t split;
        for (split = 0; split <= length; split += length / 7 + 1) {
            fhir_base64_encoder_t encoder = {{0}, 0};
            char text[4 * (MOST / 3 + 4)];
            apr_size_t used = fhir_base64_encoder_feed(&encoder, text, bytes, split);
            fhir_text_t out;
            used += fhir_base64_encoder_feed(&encoder, text + used, bytes + split, length - split);
            used += fhir_base64_encoder_finish(&encoder, text + used);
            text[used] = '\0';
            CU_ASSERT_EQUAL((apr_off_t)used, fhir_base64_length((apr_off_t)length));
            CU_ASSERT_STRING_EQUAL(text, fhir_base64_encode(bytes, length, pool));
            FHIR_ASSERT_OK(decode(&out, text, used, used));
            CU_ASSERT_EQUAL(out.length, length);
            CU_ASSERT(!memcmp(out.text, bytes, length));
        }
    }
}

static void test_encoder_byte_by_byte(void)
{
    fhir_base64_encoder_t encoder = {{0}, 0};
    char text[32];
    apr_size_t used = 0;
    const char *at;
    for (at = "foobarb"; *at; at++) {
        used += fhir_base64_encoder_feed(&encoder, text + used, at, 1);
    }
    used += fhir_base64_encoder_finish(&encoder, text + used);
    CU_ASSERT(used == 12 && !memcmp(text, "Zm9vYmFyYg==", 12));
    CU_ASSERT_EQUAL(fhir_base64_encoder_finish(&encoder, text), 0);
}

static void test_lengths(void)
{
    CU_ASSERT_EQUAL(fhir_base64_length(0), 0);
    CU_ASSERT_EQUAL(fhir_base64_length(1), 4);
    CU_ASSERT_EQUAL(fhir_base64_length(3), 4);
    CU_ASSERT_EQUAL(fhir_base64_length(4), 8);
    CU_ASSERT_EQUAL(fhir_base64_length((apr_off_t)3 << 40), (apr_off_t)4 << 40);
}

/* Larger than the decoder's buffer, in lines of 76 as MIME writers make them. */
static void test_long_lines(void)
{
    apr_size_t length = 500000;
    unsigned char *bytes = apr_palloc(pool, length);
    const char *plain;
    fhir_text_t wrapped;
    fhir_text_t out;
    apr_size_t at;
    fill(bytes, length);
    plain = fhir_base64_encode(bytes, length, pool);
    fhir_text_init(&wrapped, pool);
    for (at = 0; at < strlen(plain); at += 76) {
        fhir_text_add_bytes(&wrapped, plain + at, strlen(plain + at) < 76 ? strlen(plain + at) : 76);
        fhir_text_add(&wrapped, "\r\n");
    }
    FHIR_ASSERT_OK(decode(&out, wrapped.text, wrapped.length, 100001));
    CU_ASSERT(out.length == length && !memcmp(out.text, bytes, length));
    FHIR_ASSERT_OK(decode(&out, plain, strlen(plain), strlen(plain)));
    CU_ASSERT(out.length == length && !memcmp(out.text, bytes, length));
}

static const fhir_unit_test_t tests[] = {{"known texts", test_known_texts},
                                         {"wrong texts", test_wrong_texts},
                                         {"every byte at every place", test_every_byte_at_every_place},
                                         {"round trips", test_round_trips},
                                         {"encoder byte by byte", test_encoder_byte_by_byte},
                                         {"lengths", test_lengths},
                                         {"long lines", test_long_lines},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("base64_stream", tests)
