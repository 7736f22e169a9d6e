/* Arrays of rows for unnest, in PostgreSQL's binary form. Private to core/meta. */
#ifndef FHIR_META_PG_BINARY_ARRAY_H
#define FHIR_META_PG_BINARY_ARRAY_H

#include "pg.h"

typedef enum fhir_pg_element_t {
    FHIR_PG_ELEMENT_BYTES = 17,
    FHIR_PG_ELEMENT_NUMBER = 20,
    FHIR_PG_ELEMENT_TEXT = 25,
    FHIR_PG_ELEMENT_TIME = 1184,
    FHIR_PG_ELEMENT_UUID = 2950
} fhir_pg_element_t;
typedef struct fhir_pg_binary_array_t {
    fhir_text_t bytes;
    int count;
} fhir_pg_binary_array_t;
void fhir_pg_binary_array_init(fhir_pg_binary_array_t *array, fhir_pg_element_t element, apr_pool_t *pool);
/* NULL is null. */
void fhir_pg_binary_array_add_text(fhir_pg_binary_array_t *array, const char *text);
void fhir_pg_binary_array_add_uuid(fhir_pg_binary_array_t *array, const char *uuid);
void fhir_pg_binary_array_add_bytes(fhir_pg_binary_array_t *array, const void *bytes, apr_size_t length);
void fhir_pg_binary_array_add_number(fhir_pg_binary_array_t *array, apr_int64_t number);
void fhir_pg_binary_array_add_time(fhir_pg_binary_array_t *array, apr_time_t time);
/* The whole array as a parameter. Nothing may be added after. */
void fhir_pg_add_binary_array(fhir_pg_parameters_t *parameters, fhir_pg_binary_array_t *array);

#endif
