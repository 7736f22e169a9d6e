/* The decision: may this principal do that? One function for every interaction, pure, fed by what was loaded before.
 *
 * All must permit: the membership (active), the policy's address rules, the policy (administrators of the project need
 * none), the scopes of the token (administrators too).
 *
 * A Binary with a securityContext is as accessible as that resource: its subject is the context, a read of any kind
 * (read, vread, history, search) needs `read` there, an update or delete `update`, a create `update` (or `read` by the
 * site's switch). A context that is not there lets nobody but administrators pass. A Binary without a context is its
 * own subject: the entries for Binary decide, those with criteria other than _id and _lastUpdated permit nothing.
 *
 * Scopes always speak of the type that was asked for (Binary), their constraints and the patient of the subject: a
 * patient/ scope reaches what is in the Patient compartment of the launch context's patient.
 *
 * Errors. UNAUTHENTICATED: no membership. FORBIDDEN: the principal may know: nothing of the type is permitted, or he
 * may read it but not change it, or may not leave it so. NOT_FOUND: exactly the answer for an id that nobody used. */
#ifndef FHIR_AUTH_DECIDE_H
#define FHIR_AUTH_DECIDE_H

#include "../base/text.h"
#include "policy.h"

typedef struct fhir_decision_t {
    fhir_interaction_t interaction;
    const char *type; /* that is asked for: "Binary", "Patient" */

    /* who */
    const fhir_membership_t *membership; /* NULL: the principal has none */
    const fhir_policy_t *policy;         /* NULL: nothing is permitted but to administrators */
    const fhir_scopes_t *scopes;         /* NULL: nothing is narrowed */
    const char *patient;                 /* launch context, may be NULL */
    const char *peer_address;            /* NULL: not asked (fhirbinctl) */

    /* what */
    const fhir_subject_t *before;  /* what is there; NULL: nothing, or CREATE and SEARCH, which name no id */
    const fhir_subject_t *version; /* the version asked for stands under another context than `before`; NULL: no */
    const fhir_subject_t *after;   /* what a CREATE or UPDATE leaves; NULL: not known yet, will be asked again */

    int create_needs_read;    /* the site's switch: a context that may be read is enough to create under it */
    fhir_text_t *explanation; /* NULL, or gets a line for each step, for `fhirbinctl explain` */
} fhir_decision_t;

/* NULL: permitted. An UPDATE without `before` creates: the policy is asked for `create`, the scopes for `update`, and
 * what is refused then looks like an unknown id. */
fhir_error_t *fhir_decide(const fhir_decision_t *decision, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Must the subjects be complete for this decision? Those that are not permit nothing where it matters. */
int fhir_decision_needs_content(const fhir_decision_t *decision);
/* A search of `decision->type`, without subjects. *restrictions: of fhir_restriction_t, all must hold; empty: none. */
fhir_error_t *fhir_decide_search(apr_array_header_t **restrictions, const fhir_decision_t *decision,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* Anything that names no resource (auth/me, a Bundle as a whole): the membership and its address rules alone. */
fhir_error_t *fhir_decide_membership(const fhir_decision_t *decision, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Things that only administrators of the project may do (AccessPolicy, ProjectMembership, AuditEvent, `:missing`). */
int fhir_is_administrator(const fhir_decision_t *decision);

#endif
