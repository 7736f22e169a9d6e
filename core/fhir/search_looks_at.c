/* Which elements a search parameter looks at: whoever may not see them must not search by them. */
#include "compartments.h"
#include "element_names.h"
#include "search_private.h"

#include <string.h>

/* Does one of the paths begin at one of the elements? */
static int begins_at(const char *type, const char *paths, const apr_array_header_t *elements)
{
    while (*paths) {
        apr_size_t length = strcspn(paths, ".[|=");
        if (length > 0 && fhir_element_listed(elements, type, paths, length)) {
            return 1;
        }
        paths += strcspn(paths, "|");
        paths += *paths == '|';
    }
    return 0;
}

/* `*`: the include that follows them all. */
static int any_reference(const char *type, const apr_array_header_t *elements)
{
    int count = 0;
    const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, type);
    int i;
    for (i = 0; i < count; i++) {
        if (parameters[i].type == FHIR_SEARCH_REFERENCE && begins_at(type, parameters[i].paths, elements)) {
            return 1;
        }
    }
    return 0;
}

static int any_compartment(const char *type, const apr_array_header_t *elements)
{
    const char *const *compartment;
    int count = 0;
    const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, type);
    int i;
    for (compartment = fhir_compartments(); *compartment; compartment++) {
        const char *names = fhir_compartment_parameters(*compartment, type);
        for (i = 0; names && i < count; i++) {
            if (fhir_search_listed(names, parameters[i].name) && begins_at(type, parameters[i].paths, elements)) {
                return 1;
            }
        }
    }
    return 0;
}

int fhir_search_looks_at(const char *type, const char *parameter, const apr_array_header_t *elements)
{
    const fhir_search_parameter_t *common = fhir_search_common_parameter(parameter);
    const fhir_search_parameter_t *found = fhir_search_parameter(type, parameter);
    if (strcmp(parameter, FHIR_COMPARTMENT_PARAMETER) == 0) {
        return any_compartment(type, elements);
    }
    if (common) { /* _id and _lastUpdated are never hidden */
        return *common->paths && fhir_element_listed(elements, type, "meta", 4);
    }
    if (strcmp(parameter, "*") == 0) {
        return any_reference(type, elements);
    }
    return found ? begins_at(type, found->paths, elements)
                 : fhir_element_listed(elements, type, parameter, strlen(parameter));
}
