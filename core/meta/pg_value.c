/* Parameters of statements and values of (binary) results. */
#include "pg.h"

#include "../base/text.h"

#include <assert.h>
#include <string.h>

/* Microseconds between 1970 and 2000, where PostgreSQL counts from. */
#define POSTGRES_EPOCH (APR_INT64_C(946684800) * APR_USEC_PER_SEC)

void fhir_pg_add_bytes(fhir_pg_parameters_t *parameters, const void *bytes, int length)
{
    int place = parameters->count++;
    assert(place < FHIR_PG_PARAMETERS_MAX);
    parameters->values[place] = bytes;
    parameters->lengths[place] = length;
    parameters->formats[place] = 1;
}

void fhir_pg_add_text(fhir_pg_parameters_t *parameters, const char *text)
{
    int place = parameters->count++;
    assert(place < FHIR_PG_PARAMETERS_MAX);
    parameters->values[place] = text;
    parameters->lengths[place] = 0;
    parameters->formats[place] = 0;
}

void fhir_pg_add_number(fhir_pg_parameters_t *parameters, apr_int64_t number)
{
    char *text = parameters->numbers[parameters->count];
    apr_snprintf(text, sizeof(parameters->numbers[0]), "%" APR_INT64_T_FMT, number);
    fhir_pg_add_text(parameters, text);
}

void fhir_pg_add_boolean(fhir_pg_parameters_t *parameters, int value)
{
    fhir_pg_add_text(parameters, value ? "t" : "f");
}

void fhir_pg_add_time(fhir_pg_parameters_t *parameters, apr_time_t time)
{
    fhir_pg_add_number(parameters, time);
}

const char *fhir_pg_text(const PGresult *result, int row, int column, apr_pool_t *pool)
{
    if (PQgetisnull(result, row, column)) {
        return NULL;
    }
    return apr_pstrmemdup(pool, PQgetvalue(result, row, column), (apr_size_t)PQgetlength(result, row, column));
}

const char *fhir_pg_hex(const PGresult *result, int row, int column, apr_pool_t *pool)
{
    if (PQgetisnull(result, row, column)) {
        return NULL;
    }
    return fhir_hex_encode(PQgetvalue(result, row, column), (apr_size_t)PQgetlength(result, row, column), pool);
}

const char *fhir_pg_uuid(const PGresult *result, int row, int column, apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes;
    char *text;
    char *next;
    if (PQgetisnull(result, row, column) || PQgetlength(result, row, column) != 16) {
        return NULL;
    }
    bytes = (const unsigned char *)PQgetvalue(result, row, column);
    next = text = apr_palloc(pool, 37);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *next++ = '-';
        }
        *next++ = digits[bytes[i] >> 4];
        *next++ = digits[bytes[i] & 15];
    }
    *next = '\0';
    return text;
}

void fhir_pg_bytes(void *bytes, int length, const PGresult *result, int row, int column)
{
    if (PQgetlength(result, row, column) == length) {
        memcpy(bytes, PQgetvalue(result, row, column), (size_t)length);
    } else {
        memset(bytes, 0, (size_t)length);
    }
}

apr_int64_t fhir_pg_number(const PGresult *result, int row, int column)
{
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result, row, column);
    int length = PQgetlength(result, row, column);
    apr_uint64_t number = 0;
    for (int i = 0; i < length && i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    if (length == 4) {
        return (apr_int32_t)(apr_uint32_t)number;
    }
    if (length == 2) {
        return (apr_int16_t)(apr_uint16_t)number;
    }
    return (apr_int64_t)number;
}

apr_time_t fhir_pg_time(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) {
        return 0;
    }
    return fhir_pg_number(result, row, column) + POSTGRES_EPOCH;
}

int fhir_pg_is_uuid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;
        int digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !digit) {
            return 0;
        }
    }
    return text[36] == '\0';
}
