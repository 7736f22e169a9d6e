/* What the principal of a request may do: the parts of every decision that come from him. Private to core/app. */
#ifndef FHIR_APP_RIGHTS_H
#define FHIR_APP_RIGHTS_H

#include "../auth/decide.h"
#include "exchange.h"

/* Gives the membership that was loaded its compiled policy. NULL stays NULL. */
fhir_error_t *fhir_rights(const fhir_membership_t **membership, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* Who asks for what; the subjects are the caller's to add. `type` must live as long as the decision. */
fhir_decision_t fhir_decision_of(const fhir_exchange_t *exchange, const fhir_membership_t *membership,
                                 fhir_interaction_t interaction, const char *type);
/* An old version that is not to be seen answers as one that never was, if the current one is to be seen: `error` or
 * what to answer instead. */
fhir_error_t *fhir_as_unknown_version(const fhir_exchange_t *exchange, fhir_decision_t *decision,
                                      fhir_error_t *error) FHIR_MUST_CHECK;
fhir_error_t *fhir_version_not_found(const char *type, apr_pool_t *pool) FHIR_MUST_CHECK;
/* A copy with all values, so that a subject may be shared by several decisions. Without text it stays as it is: its
 * compartments may say enough, and criteria that need more don't fit. */
const fhir_subject_t *fhir_completed(const fhir_exchange_t *exchange, const fhir_subject_t *subject);
/* Completes the subjects if the decision needs it, and decides. Subjects whose text was not loaded permit nothing. */
fhir_error_t *fhir_decide_now(const fhir_exchange_t *exchange, fhir_decision_t *decision) FHIR_MUST_CHECK;

/* The body came since the facts were loaded: may rights have ended meanwhile? Then it is loaded and decided again
 * before anything is stored. Of an administrator only if that took its time. */
int fhir_decision_is_stale(const fhir_exchange_t *exchange, const fhir_membership_t *membership);

/* Should the next load bring the text of what the decision is about? A guess from last time, and its correction. */
int fhir_expect_content(const fhir_exchange_t *exchange, const char *type);
void fhir_remember_content(const fhir_exchange_t *exchange, const char *type, int needed);
/* 1 if the decision needs text of this subject that was not loaded. */
int fhir_lacks_content(const fhir_decision_t *decision, const fhir_subject_t *subject);

/* 0: the principal may do everything with every resource of the type, whatever it holds: an administrator whose scopes
 * do not look at it. */
int fhir_looks_at_subject(const fhir_exchange_t *exchange, const fhir_membership_t *membership, const char *type);

/* Nobody but an administrator of the project passes: FORBIDDEN. */
fhir_error_t *fhir_administrator(const fhir_membership_t **membership, fhir_exchange_t *exchange) FHIR_MUST_CHECK;

#endif
