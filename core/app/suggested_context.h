/* Binaries without a security context: what points to them, and which context follows from that.
 *
 * It is whom the referring resources are about. Of each: a Patient, Person, Practitioner or RelatedPerson (its photo)
 * is itself; else the Patients that its search parameters `patient` and `subject` name; else what `subject` names; else
 * the resource itself. All referring resources must agree, and what follows must be there.
 *
 * Anybody may point to a Binary whose id he knows, and would be given it. So only resources count that an administrator
 * or the Binary's own writer wrote last, unless any author is asked for. */
#ifndef FHIR_APP_SUGGESTED_CONTEXT_H
#define FHIR_APP_SUGGESTED_CONTEXT_H

#include "../meta/resources.h"

typedef enum fhir_suggestion_kind_t {
    FHIR_SUGGESTION_FOLLOWS = 0,
    FHIR_SUGGESTION_UNREFERENCED, /* nothing points to the Binary */
    FHIR_SUGGESTION_AMBIGUOUS,    /* several candidates */
    FHIR_SUGGESTION_MISSING,      /* the one candidate was deleted, or never was there */
    FHIR_SUGGESTION_FOREIGN,      /* only resources of others than the Binary's writer and administrators point to it */
    FHIR_SUGGESTION_TOO_MANY      /* over FHIR_REFERRERS_MAX resources point to it: not all were looked at */
} fhir_suggestion_kind_t;

typedef struct fhir_missing_context_t {
    const fhir_binary_t *binary;
    apr_array_header_t *referrers; /* of const fhir_referrer_t *, at most FHIR_REFERRERS_MAX */
    fhir_suggestion_kind_t kind;
    const char *context;            /* FOLLOWS: `Patient/1`; else NULL */
    apr_array_header_t *candidates; /* of const char *, each once, at most FHIR_CANDIDATES_MAX */
} fhir_missing_context_t;
#define FHIR_CANDIDATES_MAX 10

/* Of each of these Binaries (array of const fhir_binary_t *): array of fhir_missing_context_t. `referrers` are those of
 * fhir_meta_referrers. Pure. */
apr_array_header_t *fhir_suggest_contexts(const apr_array_header_t *binaries, const apr_array_header_t *referrers,
                                          int any_author, apr_pool_t *pool);
/* One page of the Binaries without context with what follows: array of fhir_missing_context_t. Two round trips. See
 * fhir_meta_binaries_without_context and fhir_meta_referrers. */
fhir_error_t *fhir_missing_contexts(apr_array_header_t **missing, apr_off_t *total, fhir_meta_t *meta,
                                    const char *project_id, const char *after, int count, int with_text, int any_author,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* Why no context follows, for people. */
const char *fhir_suggestion_text(const fhir_missing_context_t *missing, apr_pool_t *pool);

#endif
