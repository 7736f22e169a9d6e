/* The CRC-64 of x-ms-content-crc64: polynomial 0xAD93D23594C93659, reflected, begun and ended with all ones. */
#ifndef FHIR_AZURE_CRC64_H
#define FHIR_AZURE_CRC64_H

#include <apr_pools.h>
#include <stdint.h>

#define AZURE_CRC64_FOLD_LEAST ((apr_size_t)64)

/* x to the power of a distance in bits, for the lower and the upper half of sixteen bytes. */
typedef struct azure_crc64_fold_t {
    uint64_t low;
    uint64_t high;
} azure_crc64_fold_t;

typedef struct azure_crc64_t {
    uint64_t table[8][256];
    int folds;               /* this processor can multiply without carry */
    azure_crc64_fold_t near; /* 16 bytes */
    azure_crc64_fold_t far;  /* 64 bytes */
} azure_crc64_t;

const azure_crc64_t *azure_crc64_create(apr_pool_t *pool);
/* Begin with `crc` 0; the result of one piece is where the next one begins. */
uint64_t azure_crc64(const azure_crc64_t *tables, uint64_t crc, const void *data, apr_size_t length);
/* crc64_fold.c: `rest` has the same CRC as what was read of `bytes`, at least AZURE_CRC64_FOLD_LEAST of them, behind
 * `crc` (as it is between the bytes). How many that were. */
int azure_crc64_can_fold(void);
apr_size_t azure_crc64_fold(unsigned char rest[16], const azure_crc64_t *tables, uint64_t crc,
                            const unsigned char *bytes, apr_size_t length);
/* As the header has it: base64 of the eight bytes, lowest first. */
const char *azure_crc64_text(uint64_t crc, apr_pool_t *pool);

#endif
