/* Rows of the search index from JSON values. Private to core/fhir/search_*.c. */
#ifndef FHIR_FHIR_SEARCH_ROWS_H
#define FHIR_FHIR_SEARCH_ROWS_H

#include "search_private.h"

#include <apr_hash.h>

typedef struct fhir_search_rows_t {
    apr_array_header_t *values; /* of fhir_index_value_t */
    apr_hash_t *seen;           /* rows by their bytes */
    const fhir_json_document_t *document;
    const fhir_search_parameter_t *parameter;
    const fhir_addresses_t *addresses;
    const char *type; /* of the resource */
    apr_pool_t *pool;
} fhir_search_rows_t;

/* The rows of a value that a path of rows->parameter led to; none if its shape does not fit. */
void fhir_search_row_node(fhir_search_rows_t *rows, int node);
/* A TOKEN without system. */
void fhir_search_row_code(fhir_search_rows_t *rows, const char *code, apr_size_t length);
/* A REFERENCE to one of our resources. */
void fhir_search_row_target(fhir_search_rows_t *rows, const char *type, const char *id);
/* Where a parameter covers family and given names: whole names too, so that `Ada Lovelace` and `Lovelace Ada` are
 * found.
 */
void fhir_search_row_names(fhir_search_rows_t *rows);

#endif
