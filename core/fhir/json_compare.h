/* Strings, numbers and member names compared by their meaning. Private to the JSON document. */
#ifndef FHIR_FHIR_JSON_COMPARE_H
#define FHIR_FHIR_JSON_COMPARE_H

#include "json_document.h"

/* Strings as sent, with their quotes: the same when decoded? */
int fhir_json_same_string(const char *a, apr_size_t a_length, const char *b, apr_size_t b_length);
/* Numbers as sent: the same value, exactly, whatever their size? */
int fhir_json_same_number(const char *a, apr_size_t a_length, const char *b, apr_size_t b_length);
/* A member whose name stands in this object before, -1: none. Takes n log n also for names that were made to collide.
 */
int fhir_json_doubled_member(const fhir_json_document_t *document, int object, apr_pool_t *scratch);

#endif
