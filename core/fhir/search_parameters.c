/* The search parameters as constant tables. The rows are in search_parameters_*.def. */
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
#include "search_parameters_project.def"
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
static const searched_type_t PROJECT_TYPES[] = {
#include "search_parameters_project.def"
};

static int compare_type(const void *name, const void *row)
{
    return strcmp(name, ((const searched_type_t *)row)->type);
}

static int compare_parameter(const void *name, const void *row)
{
    return strcmp(name, ((const fhir_search_parameter_t *)row)->name);
}

#define FIND(type, types) bsearch(type, types, sizeof(types) / sizeof(types[0]), sizeof(types[0]), compare_type)

const fhir_search_parameter_t *fhir_search_parameters(int *count, const char *resource_type)
{
    const searched_type_t *found = resource_type ? FIND(resource_type, TYPES) : NULL;
    if (resource_type && !found) {
        found = FIND(resource_type, PROJECT_TYPES);
    }
    *count = found ? found->count : 0;
    return found ? found->parameters : NULL;
}

const fhir_search_parameter_t *fhir_search_parameter(const char *resource_type, const char *name)
{
    int count;
    const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, resource_type);
    return parameters && name ? bsearch(name, parameters, (size_t)count, sizeof(*parameters), compare_parameter) : NULL;
}
