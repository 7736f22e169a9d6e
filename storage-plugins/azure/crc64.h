/* The CRC-64 of x-ms-content-crc64: polynomial 0xAD93D23594C93659, reflected, begun and ended with all ones. */
#ifndef FHIR_AZURE_CRC64_H
#define FHIR_AZURE_CRC64_H

#include <apr_pools.h>
#include <stdint.h>

typedef struct azure_crc64_t {
    uint64_t table[8][256];
} azure_crc64_t;

const azure_crc64_t *azure_crc64_create(apr_pool_t *pool);
/* Begin with `crc` 0; the result of one piece is where the next one begins. */
uint64_t azure_crc64(const azure_crc64_t *tables, uint64_t crc, const void *data, apr_size_t length);
/* As the header has it: base64 of the eight bytes, lowest first. */
const char *azure_crc64_text(uint64_t crc, apr_pool_t *pool);

#endif
