/* Checks JSON text of a FHIR element against the table of datatypes. */
#ifndef FHIR_FHIR_DATATYPE_CHECK_H
#define FHIR_FHIR_DATATYPE_CHECK_H

#include "datatypes.h"
#include "json_text.h"

/* INVALID with an expression below `path` for unknown elements, wrong JSON types, empty strings, objects and lists. */
fhir_error_t *fhir_datatype_check(const fhir_element_t *element, fhir_json_slice_t value, const char *path,
                                  apr_pool_t *pool) FHIR_MUST_CHECK;
/* The same for a `_name` member: id and extension of a primitive. */
fhir_error_t *fhir_shadow_check(const fhir_element_t *element, fhir_json_slice_t value, const char *path,
                                apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
