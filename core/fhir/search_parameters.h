/* The search parameters of FHIR R4 (search.html, searchparameter-registry.html) that this server evaluates. One table,
 * search_parameters_*.def, made by dev/generate_definitions.py from the R4 definitions; what extracts values from
 * resources, what reads queries and what describes the server all use it. AccessPolicy and ProjectMembership, which are
 * not of R4, have theirs in search_parameters_project.def. */
#ifndef FHIR_FHIR_SEARCH_PARAMETERS_H
#define FHIR_FHIR_SEARCH_PARAMETERS_H

#include <apr.h>

typedef enum fhir_search_type_t {
    FHIR_SEARCH_TOKEN = 1,
    FHIR_SEARCH_STRING,
    FHIR_SEARCH_REFERENCE,
    FHIR_SEARCH_DATE,
    FHIR_SEARCH_URI
} fhir_search_type_t;

typedef struct fhir_search_parameter_t {
    const char *name; /* "based-on" */
    fhir_search_type_t type;
    /* Where the values are: JSON member paths joined with '|', lists are walked through: "basedOn", "name.family",
     * "valueCodeableConcept|component.valueCodeableConcept". An item filter is written `telecom[system=phone].value`.
     * `deceasedDateTime=true`: the value is `true` if the member is there; `=false` at the end: the value if there is
     * no other. A path ends at a primitive or: TOKEN at CodeableConcept, Coding, Identifier, ContactPoint; REFERENCE at
     * Reference (else it is a canonical or uri); DATE at Period, Timing. HumanName and Address are spelled out.
     */
    const char *paths;
    /* REFERENCE: the resource types that it may lead to, joined with '|'; NULL: any. For a parameter like `patient`
     * only values of these types count. */
    const char *targets;
} fhir_search_parameter_t;

/* A parameter of the type; NULL: unknown or not evaluated here. Parameters of all types (_id, _lastUpdated, _tag,
 * _security, _profile, _source) are not in this table. */
const fhir_search_parameter_t *fhir_search_parameter(const char *resource_type, const char *name);
/* All of a type in alphabetical order; *count of them. */
const fhir_search_parameter_t *fhir_search_parameters(int *count, const char *resource_type);

#endif
