/* Streaming base64 in both directions: whole groups by table lookup, the seams character by character. */
#include "base64_stream.h"

#include <stdint.h>
#include <string.h>

/* A multiple of 3, so that a full buffer ends with a whole group. */
#define OUT_ROOM 49152
/* The fast loop stores 8 bytes for every 6. */
#define OUT_SLACK 8
#define FOREIGN 0x80000000u

#define SEXTET(c)                                                                                                      \
    ((c) >= 'A' && (c) <= 'Z'   ? (c) - 'A'                                                                            \
     : (c) >= 'a' && (c) <= 'z' ? (c) - 'a' + 26                                                                       \
     : (c) >= '0' && (c) <= '9' ? (c) - '0' + 52                                                                       \
     : (c) == '+'               ? 62                                                                                   \
     : (c) == '/'               ? 63                                                                                   \
                                : 64)
#define SHIFTED(c, shift) (SEXTET(c) < 64 ? (uint32_t)SEXTET(c) << (shift) : FOREIGN)
#define SHIFTED_4(c, shift) SHIFTED(c, shift), SHIFTED((c) + 1, shift), SHIFTED((c) + 2, shift), SHIFTED((c) + 3, shift)
#define SHIFTED_16(c, shift)                                                                                           \
    SHIFTED_4(c, shift), SHIFTED_4((c) + 4, shift), SHIFTED_4((c) + 8, shift), SHIFTED_4((c) + 12, shift)
#define SHIFTED_64(c, shift)                                                                                           \
    SHIFTED_16(c, shift), SHIFTED_16((c) + 16, shift), SHIFTED_16((c) + 32, shift), SHIFTED_16((c) + 48, shift)
#define SHIFTED_256(shift)                                                                                             \
    {                                                                                                                  \
        SHIFTED_64(0, shift), SHIFTED_64(64, shift), SHIFTED_64(128, shift), SHIFTED_64(192, shift)                    \
    }

/* One table for each place in a group: four lookups and three ORs give 24 bits or the FOREIGN bit. */
static const uint32_t PLACES[4][256] = {SHIFTED_256(18), SHIFTED_256(12), SHIFTED_256(6), SHIFTED_256(0)};

#define LETTER(i)                                                                                                      \
    (char)((i) < 26 ? 'A' + (i) : (i) < 52 ? 'a' + (i)-26 : (i) < 62 ? '0' + (i)-52 : (i) == 62 ? '+' : '/')
#define PAIR(i)                                                                                                        \
    {                                                                                                                  \
        LETTER((i) >> 6), LETTER((i)&63)                                                                               \
    }
#define PAIR_4(i) PAIR(i), PAIR((i) + 1), PAIR((i) + 2), PAIR((i) + 3)
#define PAIR_16(i) PAIR_4(i), PAIR_4((i) + 4), PAIR_4((i) + 8), PAIR_4((i) + 12)
#define PAIR_64(i) PAIR_16(i), PAIR_16((i) + 16), PAIR_16((i) + 32), PAIR_16((i) + 48)
#define PAIR_256(i) PAIR_64(i), PAIR_64((i) + 64), PAIR_64((i) + 128), PAIR_64((i) + 192)
#define PAIR_1024(i) PAIR_256(i), PAIR_256((i) + 256), PAIR_256((i) + 512), PAIR_256((i) + 768)

/* The two characters of each 12-bit value. */
static const char PAIRS[4096][2] = {PAIR_1024(0), PAIR_1024(1024), PAIR_1024(2048), PAIR_1024(3072)};

static uint32_t group_value(const unsigned char *text)
{
    return PLACES[0][text[0]] | PLACES[1][text[1]] | PLACES[2][text[2]] | PLACES[3][text[3]];
}

/* ---- Reading ---- */

void fhir_base64_decoder_init(fhir_base64_decoder_t *decoder, fhir_data_fn data, void *baton, apr_pool_t *pool)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->pool = pool;
    decoder->data = data;
    decoder->baton = baton;
    decoder->out = apr_palloc(pool, OUT_ROOM + OUT_SLACK);
}

static fhir_error_t *refuse(const fhir_base64_decoder_t *decoder, apr_off_t position, const char *why)
{
    fhir_error_t *error =
        fhir_error_public(decoder->pool, FHIR_ERROR_INVALID,
                          "The base64 text is wrong at byte %" APR_OFF_T_FMT " of it: %s.", position, why);
    error->expression = "Binary.data";
    return error;
}

static fhir_error_t *flush(fhir_base64_decoder_t *decoder)
{
    apr_size_t used = decoder->used;
    decoder->used = 0;
    return used ? decoder->data(decoder->baton, (const char *)decoder->out, used) : NULL;
}

/* Decodes whole groups without white space or padding; returns the characters consumed. */
static apr_size_t decode_groups(fhir_base64_decoder_t *decoder, const char *text, apr_size_t length)
{
    const unsigned char *from = (const unsigned char *)text;
    unsigned char *out = decoder->out + decoder->used;
    apr_size_t groups = (OUT_ROOM - decoder->used) / 3;
    apr_size_t group = 0;
    if (groups > length / 4) {
        groups = length / 4;
    }
    for (; group + 2 <= groups; group += 2, from += 8, out += 6) {
        uint32_t first = group_value(from);
        uint32_t second = group_value(from + 4);
        uint64_t bits;
        if ((first | second) & FOREIGN) {
            break;
        }
        bits = ((uint64_t)first << 40) | ((uint64_t)second << 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        bits = __builtin_bswap64(bits);
#endif
        memcpy(out, &bits, sizeof(bits));
    }
    for (; group < groups; group++, from += 4, out += 3) {
        uint32_t bits = group_value(from);
        if (bits & FOREIGN) {
            break;
        }
        out[0] = (unsigned char)(bits >> 16);
        out[1] = (unsigned char)(bits >> 8);
        out[2] = (unsigned char)bits;
    }
    decoder->used += group * 3;
    decoder->position += (apr_off_t)(group * 4);
    return group * 4;
}

static fhir_error_t *end_group(fhir_base64_decoder_t *decoder)
{
    int bytes = 3 - decoder->padding;
    unsigned unused = decoder->padding == 2 ? 0xffffu : decoder->padding == 1 ? 0xffu : 0;
    int i;
    if (decoder->group & unused) {
        return refuse(decoder, decoder->position, "the bits before the padding are not zero");
    }
    for (i = 0; i < bytes; i++) {
        decoder->out[decoder->used++] = (unsigned char)(decoder->group >> (16 - 8 * i));
    }
    decoder->ended = decoder->padding > 0;
    decoder->group = 0;
    decoder->characters = 0;
    decoder->padding = 0;
    return decoder->used == OUT_ROOM ? flush(decoder) : NULL;
}

static fhir_error_t *take_padding(fhir_base64_decoder_t *decoder)
{
    if (decoder->ended) {
        return refuse(decoder, decoder->position, "more follows the padding");
    }
    if (decoder->characters < 2) {
        return refuse(decoder, decoder->position, "padding stands where a character must be");
    }
    decoder->padding++;
    decoder->characters++;
    return decoder->characters == 4 ? end_group(decoder) : NULL;
}

static fhir_error_t *take_character(fhir_base64_decoder_t *decoder, unsigned char character)
{
    uint32_t value = PLACES[3][character];
    if (character == ' ' || (character >= '\t' && character <= '\r' && character != '\v' && character != '\f')) {
        return NULL;
    }
    if (character == '=') {
        return take_padding(decoder);
    }
    if (value & FOREIGN) {
        return refuse(decoder, decoder->position, "only A-Z a-z 0-9 + / = and white space are allowed");
    }
    if (decoder->ended || decoder->padding) {
        return refuse(decoder, decoder->position, "more follows the padding");
    }
    decoder->group |= value << (18 - 6 * decoder->characters);
    decoder->characters++;
    return decoder->characters == 4 ? end_group(decoder) : NULL;
}

fhir_error_t *fhir_base64_decoder_feed(fhir_base64_decoder_t *decoder, const char *text, apr_size_t length)
{
    while (length) {
        if (decoder->characters == 0 && !decoder->ended) {
            apr_size_t consumed = decode_groups(decoder, text, length);
            text += consumed;
            length -= consumed;
            if (decoder->used == OUT_ROOM) {
                FHIR_TRY(flush(decoder));
                continue;
            }
        }
        if (length) {
            FHIR_TRY(take_character(decoder, (unsigned char)*text));
            decoder->position++;
            text++;
            length--;
        }
    }
    return NULL;
}

fhir_error_t *fhir_base64_decoder_finish(fhir_base64_decoder_t *decoder)
{
    if (decoder->characters) {
        return refuse(decoder, decoder->position, "it ends inside a group of four characters");
    }
    return flush(decoder);
}

/* ---- Writing ---- */

apr_off_t fhir_base64_length(apr_off_t size)
{
    return size / 3 * 4 + (size % 3 ? 4 : 0);
}

static void encode_group(char *out, const unsigned char *bytes)
{
    unsigned bits = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
    memcpy(out, PAIRS[bits >> 12], 2);
    memcpy(out + 2, PAIRS[bits & 0xfff], 2);
}

/* Encodes length / 3 groups. */
static char *encode_groups(char *out, const unsigned char *bytes, apr_size_t length)
{
    /* Loads 8 bytes to encode 6: never past the end. */
    for (; length >= 8; length -= 6, bytes += 6, out += 8) {
        uint64_t bits;
        memcpy(&bits, bytes, sizeof(bits));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        bits = __builtin_bswap64(bits);
#endif
        memcpy(out, PAIRS[bits >> 52], 2);
        memcpy(out + 2, PAIRS[(bits >> 40) & 0xfff], 2);
        memcpy(out + 4, PAIRS[(bits >> 28) & 0xfff], 2);
        memcpy(out + 6, PAIRS[(bits >> 16) & 0xfff], 2);
    }
    for (; length >= 3; length -= 3, bytes += 3, out += 4) {
        encode_group(out, bytes);
    }
    return out;
}

apr_size_t fhir_base64_encoder_feed(fhir_base64_encoder_t *encoder, char *out, const void *data, apr_size_t length)
{
    const unsigned char *bytes = data;
    char *start = out;
    while (encoder->rest_length && length) {
        encoder->rest[encoder->rest_length++] = *bytes++;
        length--;
        if (encoder->rest_length == 3) {
            encode_group(out, encoder->rest);
            out += 4;
            encoder->rest_length = 0;
        }
    }
    if (!encoder->rest_length && length) {
        out = encode_groups(out, bytes, length);
        encoder->rest_length = (int)(length % 3);
        memcpy(encoder->rest, bytes + (length - length % 3), length % 3);
    }
    return (apr_size_t)(out - start);
}

apr_size_t fhir_base64_encoder_finish(fhir_base64_encoder_t *encoder, char *out)
{
    int i;
    int rest = encoder->rest_length;
    if (!rest) {
        return 0;
    }
    for (i = rest; i < 3; i++) {
        encoder->rest[i] = 0;
    }
    encode_group(out, encoder->rest);
    for (i = rest + 1; i < 4; i++) {
        out[i] = '=';
    }
    encoder->rest_length = 0;
    return 4;
}
