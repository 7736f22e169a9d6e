/* The R4 search parameters as constant tables. The rows are in search_parameters_*.def. */
#include "search_parameters.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN(name, paths) {name, FHIR_SEARCH_TOKEN, paths, NULL},
#define STRING(name, paths) {name, FHIR_SEARCH_STRING, paths, NULL},
#define REFERENCE(name, paths, targets) {name, FHIR_SEARCH_REFERENCE, paths, targets},
#define DATE(name, paths) {name, FHIR_SEARCH_DATE, paths, NULL},
#define URI(name, paths) {name, FHIR_SEARCH_URI, paths, NULL},

#define SEARCH_PARAMETERS(type, rows) static const fhir_search_parameter_t type##_parameters[] = {rows};
#include "search_parameters_all.def"
#undef SEARCH_PARAMETERS

typedef struct searched_type_t {
    const char *type;
    const fhir_search_parameter_t *parameters; /* by name */
    int count;
} searched_type_t;

#define SEARCH_PARAMETERS(type, rows)                                                                                  \
    {#type, type##_parameters, (int)(sizeof(type##_parameters) / sizeof(fhir_search_parameter_t))},
static const searched_type_t TYPES[] = {
#include "search_parameters_all.def"
};

static int compare_type(const void *name, const void *row)
{
    return strcmp(name, ((const searched_type_t *)row)->type);
}

static int compare_parameter(const void *name, const void *row)
{
    return strcmp(name, ((const fhir_search_parameter_t *)row)->name);
}

const fhir_search_parameter_t *fhir_search_parameters(int *count, const char *resource_type)
{
    const searched_type_t *found =
        resource_type ? bsearch(resource_type, TYPES, sizeof(TYPES) / sizeof(TYPES[0]), sizeof(TYPES[0]), compare_type)
                      : NULL;
    *count = found ? found->count : 0;
    return found ? found->parameters : NULL;
}

const fhir_search_parameter_t *fhir_search_parameter(const char *resource_type, const char *name)
{
    int count;
    const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, resource_type);
    return parameters && name ? bsearch(name, parameters, (size_t)count, sizeof(*parameters), compare_parameter) : NULL;
}
