/* Conditions on one resource: read one by one, so that each text is exactly one condition, and compared. */
#include "criteria.h"

#include "../fhir/project_resources.h"

#include <string.h>

/* They need no definition of the type. */
static const char *const COMMON[] = {"_compartment", "_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"};

static int is_common(const char *name)
{
    apr_size_t i;
    for (i = 0; i < sizeof(COMMON) / sizeof(COMMON[0]); i++) {
        if (strcmp(COMMON[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

static fhir_error_t *check_name(const char *type, const char *name, apr_pool_t *pool)
{
    const char *bare = apr_pstrmemdup(pool, name, strcspn(name, ":"));
    int every = strcmp(type, FHIR_EVERY_TYPE) == 0;
    if (strchr(name, '.')) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "`%s` looks at other resources, which can't be evaluated here; use a search parameter "
                                 "of the resource itself, or _compartment.",
                                 name);
    }
    if (!is_common(bare) && (every || !fhir_search_parameter(type, bare))) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "`%s` is no search parameter %s that can be evaluated here; use one that the "
                                 "CapabilityStatement lists, or _compartment.",
                                 name, every ? "of every type" : apr_pstrcat(pool, "of ", type, NULL));
    }
    return NULL;
}

fhir_error_t *fhir_criterion_read(fhir_criterion_t *criterion, const char *type, const char *name, const char *value,
                                  const fhir_addresses_t *addresses, apr_pool_t *pool)
{
    apr_array_header_t *parameters = apr_array_make(pool, 1, sizeof(fhir_parameter_t));
    fhir_parameter_t *parameter = apr_array_push(parameters);
    fhir_search_t *search;
    FHIR_TRY(check_name(type, name, pool));
    parameter->name = name;
    parameter->value = value;
    /* The names of every type mean the same for each, so any type does. */
    FHIR_TRY(fhir_search_parse(&search, strcmp(type, FHIR_EVERY_TYPE) == 0 ? "Basic" : type, parameters, 1, addresses,
                               pool));
    if (search->criteria->nelts != 1) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "`%s` is no condition on a resource; remove it.", name);
    }
    *criterion = APR_ARRAY_IDX(search->criteria, 0, fhir_criterion_t);
    return NULL;
}

int fhir_criteria_fit_binaries(const apr_array_header_t *criteria)
{
    int i;
    for (i = 0; i < criteria->nelts; i++) {
        const char *name = APR_ARRAY_IDX(criteria, i, fhir_criterion_t).name;
        if (strcmp(name, "_id") != 0 && strcmp(name, "_lastUpdated") != 0) {
            return 0;
        }
    }
    return 1;
}

int fhir_is_administrators_type(const char *type)
{
    return fhir_is_project_resource(type) || strcmp(type, "AuditEvent") == 0;
}

const char *fhir_interaction_name(fhir_interaction_t interaction)
{
    static const char *const names[] = {"create", "read", "update", "delete", "search", "vread", "history"};
    return fhir_interaction_bit(interaction) ? names[interaction - 1] : "unknown";
}

unsigned fhir_interaction_bit(fhir_interaction_t interaction)
{
    return interaction >= FHIR_INTERACTION_CREATE && interaction <= FHIR_INTERACTION_HISTORY ? 1u << interaction : 0;
}
