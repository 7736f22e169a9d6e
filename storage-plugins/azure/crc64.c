/* CRC-64 as Azure computes it: long pieces by crc64_fold.c, the rest by tables, eight bytes at a time. */
#include "crc64.h"

#include <apr_base64.h>
#include <string.h>

#define POLYNOMIAL 0x9A6C9329AC4BC9B5u /* reflected */

static uint64_t power_of_x(int exponent)
{
    uint64_t power = (uint64_t)1 << 63; /* reflected: x to the 0 */
    while (exponent-- > 0) {
        power = (power >> 1) ^ (power & 1 ? POLYNOMIAL : 0);
    }
    return power;
}

/* A product of two reflected numbers is one bit short. */
static azure_crc64_fold_t fold_over(int bits)
{
    azure_crc64_fold_t fold = {power_of_x(bits + 63), power_of_x(bits - 1)};
    return fold;
}

const azure_crc64_t *azure_crc64_create(apr_pool_t *pool)
{
    azure_crc64_t *made = apr_palloc(pool, sizeof(*made));
    int byte;
    int step;
    for (byte = 0; byte < 256; byte++) {
        uint64_t crc = (uint64_t)byte;
        for (step = 0; step < 8; step++) {
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        made->table[0][byte] = crc;
    }
    for (step = 1; step < 8; step++) {
        for (byte = 0; byte < 256; byte++) {
            uint64_t before = made->table[step - 1][byte];
            made->table[step][byte] = (before >> 8) ^ made->table[0][before & 0xff];
        }
    }
    made->folds = azure_crc64_can_fold();
    made->near = fold_over(128);
    made->far = fold_over(512);
    return made;
}

static uint64_t eight_bytes(const unsigned char *bytes)
{
    uint64_t word = 0;
    int i;
    for (i = 7; i >= 0; i--) {
        word = word << 8 | bytes[i];
    }
    return word;
}

static uint64_t by_tables(const azure_crc64_t *tables, uint64_t crc, const unsigned char *bytes, apr_size_t length)
{
    for (; length >= 8; length -= 8, bytes += 8) {
        uint64_t word = crc ^ eight_bytes(bytes);
        crc = tables->table[7][word & 0xff] ^ tables->table[6][word >> 8 & 0xff] ^ tables->table[5][word >> 16 & 0xff] ^
              tables->table[4][word >> 24 & 0xff] ^ tables->table[3][word >> 32 & 0xff] ^
              tables->table[2][word >> 40 & 0xff] ^ tables->table[1][word >> 48 & 0xff] ^ tables->table[0][word >> 56];
    }
    for (; length > 0; length--, bytes++) {
        crc = (crc >> 8) ^ tables->table[0][(crc ^ *bytes) & 0xff];
    }
    return crc;
}

uint64_t azure_crc64(const azure_crc64_t *tables, uint64_t crc, const void *data, apr_size_t length)
{
    const unsigned char *bytes = data;
    apr_size_t done = 0;
    crc = ~crc;
    if (tables->folds && length >= AZURE_CRC64_FOLD_LEAST) {
        unsigned char rest[16];
        done = azure_crc64_fold(rest, tables, crc, bytes, length);
        crc = by_tables(tables, 0, rest, sizeof(rest));
    }
    return ~by_tables(tables, crc, bytes + done, length - done);
}

const char *azure_crc64_text(uint64_t crc, apr_pool_t *pool)
{
    unsigned char bytes[8];
    char *text = apr_palloc(pool, (apr_size_t)apr_base64_encode_len(sizeof(bytes)));
    int i;
    for (i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(crc >> (8 * i));
    }
    apr_base64_encode_binary(text, bytes, sizeof(bytes));
    return text;
}
