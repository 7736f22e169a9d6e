/* Is a member of a resource one of the elements named? Companions and choices go with their elements. */
#include "element_names.h"
#include "structure.h"

#include <string.h>

static int is_choice_of(const char *element, apr_size_t element_length, const char *type, const char *name,
                        apr_size_t length)
{
    const fhir_structure_t *ignored;
    return element_length < length && memcmp(name, element, element_length) == 0 && name[element_length] >= 'A' &&
           name[element_length] <= 'Z' &&
           fhir_structure_element(&ignored, fhir_structure_of_resource(type), element, element_length) ==
               FHIR_ELEMENT_UNKNOWN;
}

int fhir_element_listed(const apr_array_header_t *elements, const char *type, const char *name, apr_size_t length)
{
    int i;
    if (length > 0 && name[0] == '_') {
        name++;
        length--;
    }
    for (i = 0; i < elements->nelts; i++) {
        const char *element = APR_ARRAY_IDX(elements, i, const char *);
        apr_size_t element_length = strlen(element);
        if (element_length > 0 && ((element_length == length && memcmp(name, element, length) == 0) ||
                                   is_choice_of(element, element_length, type, name, length))) {
            return 1;
        }
    }
    return 0;
}
