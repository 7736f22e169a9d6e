/* The names by which access policies call top-level elements. */
#ifndef FHIR_FHIR_ELEMENT_NAMES_H
#define FHIR_FHIR_ELEMENT_NAMES_H

#include <apr_tables.h>

/* Is the member `name` (`length` bytes) one of the elements (array of const char *)? `_name` goes with `name`, and
 * `valueQuantity` with `value`, if the type has no element of that name. Members that the definitions don't know are
 * among the choices too: too much is hidden rather than too little. */
int fhir_element_listed(const apr_array_header_t *elements, const char *type, const char *name, apr_size_t length);

#endif
