/* Conditions on one resource, as access policies and scopes have them. Private to core/auth. */
#ifndef FHIR_AUTH_CRITERIA_H
#define FHIR_AUTH_CRITERIA_H

#include "../fhir/subject.h"
#include "auth.h"

#define FHIR_EVERY_TYPE "*"

/* What `name=value` says of resources of the type ("*": parameters that all types have). Strictly: INVALID for what is
 * no condition on the resource itself (_count, chains) or can't be understood. */
fhir_error_t *fhir_criterion_read(fhir_criterion_t *criterion, const char *type, const char *name, const char *value,
                                  const fhir_addresses_t *addresses, apr_pool_t *pool) FHIR_MUST_CHECK;
/* 1 if all are about _id and _lastUpdated: nothing else is known of a Binary itself. */
int fhir_criteria_fit_binaries(const apr_array_header_t *criteria);
/* AccessPolicy, ProjectMembership, AuditEvent: for administrators of the project, whatever a policy says. */
int fhir_is_administrators_type(const char *type);
/* As messages name it: "read". */
const char *fhir_interaction_name(fhir_interaction_t interaction);
/* The bit of an interaction, 0 if it is none. */
unsigned fhir_interaction_bit(fhir_interaction_t interaction);

#endif
