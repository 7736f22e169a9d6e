/* JSON Pointer (RFC 6901). Private to JSON Patch. */
#ifndef FHIR_FHIR_JSON_POINTER_H
#define FHIR_FHIR_JSON_POINTER_H

#include "json_document.h"

/* "" or steps that begin with '/', with no escape but ~0 and ~1. */
int fhir_json_pointer_valid(const char *pointer);
/* The value there, -1: none. */
int fhir_json_pointer_find(const fhir_json_document_t *document, const char *pointer, apr_pool_t *pool);
/* Everything but the last step, and that step decoded; the pointer is not "". */
const char *fhir_json_pointer_parent(const char **last, const char *pointer, apr_pool_t *pool);
/* The index that a step means, also one past the last item: `-` or `count`. -1: none. */
int fhir_json_pointer_index(const char *step, int count);

#endif
