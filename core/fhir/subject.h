/* A resource as decisions about access see it: where it belongs, and its searchable values. Plain data, shared by meta
 * (which loads it), auth (which decides) and app. */
#ifndef FHIR_FHIR_SUBJECT_H
#define FHIR_FHIR_SUBJECT_H

#include "search.h"

typedef struct fhir_subject_t {
    const char *type;
    const char *id;
    int there;      /* 0: missing, deleted, or of another project: only the project's administrators get past it */
    int is_context; /* 1: it stands for a Binary that names it as its securityContext */
    apr_time_t last_updated;
    const apr_array_header_t *values; /* of fhir_index_value_t; never NULL */
    int complete;                     /* 0: `values` has only the rows named _compartment */
    const fhir_resource_t *resource;  /* its current version, with text if that was loaded; may be NULL */
} fhir_subject_t;

/* Fills in all values from the text of `resource`. Without text `there` becomes 0: what can't be looked at permits
 * nothing. Nothing to do if it is complete. */
void fhir_subject_complete(fhir_subject_t *subject, const fhir_addresses_t *addresses, apr_pool_t *pool);
/* Of a resource as it is to be stored. `values` are those of fhir_search_index. */
void fhir_subject_of_values(fhir_subject_t *subject, const char *type, const char *id,
                            const apr_array_header_t *values);
/* A Binary without a security context stands for itself. It has no values. */
void fhir_subject_of_binary(fhir_subject_t *subject, const char *id, apr_time_t last_updated, apr_pool_t *pool);
/* The resource that a security context names: `Type/id`, `Type/id/_history/vid`, or those after our FHIR base. 0: no
 * resource of ours, or a Binary, which can't be a context. */
int fhir_context_target(const char **type, const char **id, const char *reference, const fhir_addresses_t *addresses,
                        apr_pool_t *pool);

/* Does the subject fit all criteria (of fhir_criterion_t)? Criteria that need values which are not there don't. */
int fhir_subject_matches(const fhir_subject_t *subject, const apr_array_header_t *criteria);
/* Can it be said without the subject's text? _id, _lastUpdated and _compartment can. */
int fhir_criteria_need_content(const apr_array_header_t *criteria);

#endif
