/* Access policies: what the members of a project may do (the AccessPolicy resource, in the form that Medplum gave it).
 *
 *   AccessPolicy.resource[]: resourceType or "*", criteria "Patient?_compartment=%patient", interaction[] (create,
 * read, vread, update, delete, history, search; none: all), readonly (only read, vread, history, search),
 * hiddenFields[], readonlyFields[] (names of top-level elements). AccessPolicy.ipAccessRule[]: value (address, network
 * or "*"), action "allow" or "block"; the first that fits decides, none: allowed. ProjectMembership.access[]: policy,
 * parameter[]: name, valueString or valueReference.
 *
 * Several entries for a type: any may permit. What can't be evaluated permits nothing, and is listed as a problem:
 * unknown members that narrow (writeConstraint, basedOn, compartment), criteria with unknown or unsupported parameters,
 * chains, _count and the like, another type than resourceType, a parameter without a value. */
#ifndef FHIR_AUTH_POLICY_H
#define FHIR_AUTH_POLICY_H

#include "../fhir/subject.h"
#include "auth.h"

typedef struct fhir_policy_t fhir_policy_t; /* immutable; any thread may ask it */

/* One AccessPolicy as stored. */
typedef struct fhir_policy_source_t {
    const char *id;
    const char *version_id;
    const char *body; /* see fhir_resource_t; NULL: there is no such policy, or it was deleted */
} fhir_policy_source_t;

/* What a membership may do. `access`: see fhir_membership_t; NULL: nothing is permitted. `sources`: array of
 * fhir_policy_source_t, what is missing there is a problem. `profile` is %profile, and %patient if it is a Patient and
 * no parameter of that name is given. A parameter's value is one literal value wherever it stands: nothing in it
 * (comma, bar, ampersand, percent, backslash, prefix of a date) is syntax. Lives in `pool`. */
const fhir_policy_t *fhir_policy_compile(const char *access, const char *profile, const apr_array_header_t *sources,
                                         const fhir_addresses_t *addresses, apr_pool_t *pool);

typedef struct fhir_policy_problem_t {
    const char *policy_id;
    const char *expression; /* "AccessPolicy.resource[2].criteria" */
    const char *text;       /* what is wrong and what to write instead */
} fhir_policy_problem_t;
/* Array of fhir_policy_problem_t; empty: everything is understood. */
const apr_array_header_t *fhir_policy_problems(const fhir_policy_t *policy);

/* Does any entry for the type (or "*") have criteria that need the subject's text? `type` NULL: for any type. */
int fhir_policy_needs_content(const fhir_policy_t *policy, const char *type);
int fhir_policy_permits_address(const fhir_policy_t *policy, const char *peer_address);
/* Is there any entry that could permit it, on some resource of the type? */
int fhir_policy_permits_type(const fhir_policy_t *policy, fhir_interaction_t interaction, const char *type);
int fhir_policy_permits(const fhir_policy_t *policy, fhir_interaction_t interaction, const fhir_subject_t *subject);
/* What of the type may be found: NULL: everything. Lives in `pool`. */
const fhir_restriction_t *fhir_policy_restriction(const fhir_policy_t *policy, fhir_interaction_t interaction,
                                                  const char *type, apr_pool_t *pool);

/* Top-level elements that the member must not see or must not change: those that every entry which permits the
 * interaction on the subject names. Arrays of const char *, NULL: none. */
typedef struct fhir_policy_fields_t {
    const apr_array_header_t *hidden;
    const apr_array_header_t *readonly;
} fhir_policy_fields_t;
void fhir_policy_fields(fhir_policy_fields_t *fields, const fhir_policy_t *policy, fhir_interaction_t interaction,
                        const fhir_subject_t *subject, apr_pool_t *pool);
/* Elements that some entry for the type hides: a search by them would tell what they hold. NULL: none. */
const apr_array_header_t *fhir_policy_hidden_in_search(const fhir_policy_t *policy, const char *type, apr_pool_t *pool);

#endif
