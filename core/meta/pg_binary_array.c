/* Arrays in PostgreSQL's binary form (array_recv): the server takes them without looking at a character. */
#include "pg_binary_array.h"

#include <string.h>

#define HEADER 20
#define NULL_LENGTH (-1)
#define POSTGRES_EPOCH (APR_INT64_C(946684800) * APR_USEC_PER_SEC)

static void put_32(char *to, apr_int32_t number)
{
    apr_uint32_t bits = (apr_uint32_t)number;
    for (int i = 3; i >= 0; i--) {
        to[i] = (char)(bits & 0xff);
        bits >>= 8;
    }
}

/* Dimensions, a flag for nulls, the element's type; the number of elements and their lowest index. */
void fhir_pg_binary_array_init(fhir_pg_binary_array_t *array, fhir_pg_element_t element, apr_pool_t *pool)
{
    char header[HEADER];
    array->count = 0;
    fhir_text_init(&array->bytes, pool);
    put_32(header, 1);
    put_32(header + 4, 1);
    put_32(header + 8, (apr_int32_t)element);
    put_32(header + 12, 0);
    put_32(header + 16, 1);
    fhir_text_add_bytes(&array->bytes, header, HEADER);
}

static void add(fhir_pg_binary_array_t *array, const void *bytes, apr_int32_t length)
{
    char prefix[4];
    put_32(prefix, length);
    fhir_text_add_bytes(&array->bytes, prefix, sizeof(prefix));
    if (length > 0) {
        fhir_text_add_bytes(&array->bytes, bytes, (apr_size_t)length);
    }
    array->count++;
}

void fhir_pg_binary_array_add_text(fhir_pg_binary_array_t *array, const char *text)
{
    add(array, text, text ? (apr_int32_t)strlen(text) : NULL_LENGTH);
}

void fhir_pg_binary_array_add_bytes(fhir_pg_binary_array_t *array, const void *bytes, apr_size_t length)
{
    add(array, bytes, (apr_int32_t)length);
}

void fhir_pg_binary_array_add_uuid(fhir_pg_binary_array_t *array, const char *uuid)
{
    char hex[33];
    unsigned char bytes[16];
    int length = 0;
    for (const char *at = uuid ? uuid : ""; *at && length < 32; at++) {
        if (*at != '-') {
            hex[length++] = *at;
        }
    }
    hex[length] = '\0';
    if (fhir_hex_decode(bytes, sizeof(bytes), hex)) {
        add(array, bytes, sizeof(bytes));
    } else {
        add(array, NULL, NULL_LENGTH);
    }
}

void fhir_pg_binary_array_add_number(fhir_pg_binary_array_t *array, apr_int64_t number)
{
    char bytes[8];
    put_32(bytes, (apr_int32_t)(number >> 32));
    put_32(bytes + 4, (apr_int32_t)(apr_uint32_t)((apr_uint64_t)number & 0xffffffffU));
    add(array, bytes, sizeof(bytes));
}

void fhir_pg_binary_array_add_time(fhir_pg_binary_array_t *array, apr_time_t time)
{
    fhir_pg_binary_array_add_number(array, time - POSTGRES_EPOCH);
}

void fhir_pg_add_binary_array(fhir_pg_parameters_t *parameters, fhir_pg_binary_array_t *array)
{
    put_32(array->bytes.text + 12, array->count);
    fhir_pg_add_bytes(parameters, array->bytes.text, (int)array->bytes.length);
}
