/* Writes of resources other than Binary: prepared first, then made current, alone or several at once. Private to
 * core/app. */
#ifndef FHIR_APP_RESOURCE_WRITE_H
#define FHIR_APP_RESOURCE_WRITE_H

#include "../meta/resources.h"
#include "exchange.h"

/* One write on its way. Whoever makes it fills in the first part. */
typedef struct fhir_resource_write_t {
    fhir_change_kind_t kind;
    const char *type;
    const char *id;                 /* NULL: of a conditional write that has to find it */
    fhir_sent_resource_t sent;      /* document NULL: DELETE */
    const char *expected_version;   /* see fhir_resource_change_t */
    const fhir_search_t *condition; /* NULL: unconditional */
    const fhir_subject_t *before;   /* what the access to an existing resource was decided by; NULL: there is none */
    const fhir_resource_t *current; /* its text, NULL: there is none */
    const char *decided_version;    /* its version, NULL: nothing was there; it must still be so at the commit */

    const fhir_resource_t *existing; /* what the condition found; NULL: nothing */
    fhir_resource_change_t change;
    int has_change;                /* 0: a conditional create that found something */
    const fhir_resource_t *result; /* the new version, or `existing` */
    int created;                   /* 201 */
    const char *place;             /* in a Bundle: where errors are; may be NULL */
} fhir_resource_write_t;

/* A write of a Binary beside them. */
typedef struct fhir_binary_part_t {
    const fhir_version_change_t *change;
    const char *place;           /* as above */
    const fhir_binary_t *result; /* the new version */
} fhir_binary_part_t;

/* Strict search of If-None-Exist, or of the query of a conditional update, narrowed to what the principal may find.
 * INVALID: unknown parameters, none at all, or result parameters. FORBIDDEN: he may not search. */
fhir_error_t *fhir_condition_parse(const fhir_search_t **condition, const fhir_exchange_t *exchange,
                                   const fhir_membership_t *membership, const char *type,
                                   const char *query) FHIR_MUST_CHECK;

/* What was loaded and decided about is what the write replaces. */
void fhir_write_stands_on(fhir_resource_write_t *write, const fhir_resource_facts_t *facts);
/* Looks up the condition and fills in id, existing and kind. PRECONDITION_FAILED: several match. */
fhir_error_t *fhir_write_resolve(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership) FHIR_MUST_CHECK;
/* Normalises, indexes, decides about what the write leaves, and fills in `change`. Of `links` only the resolving
 * functions count; NULL: none. */
fhir_error_t *fhir_write_prepare(fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership, const fhir_prepare_t *links) FHIR_MUST_CHECK;
/* Fills in `result`, for a write without condition. */
fhir_error_t *fhir_write_commit(fhir_resource_write_t *write, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* The conditions hold still (under their locks), and every write (array of fhir_resource_write_t *) is made, Binaries
 * (array of fhir_binary_part_t *, may be NULL) included; or nothing is. Rows are locked in the order of the arrays.
 * CONFLICT: a condition changed meanwhile: resolve and prepare again. *unknown is 1 with an error that leaves open
 * whether all was made: the database went away at the commit itself. */
fhir_error_t *fhir_writes_commit(int *unknown, const apr_array_header_t *writes, const apr_array_header_t *binaries,
                                 const fhir_exchange_t *exchange, const fhir_membership_t *membership) FHIR_MUST_CHECK;

#endif
