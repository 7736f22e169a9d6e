/* A transaction Bundle on its way. Private to core/app: bundle_transaction.c runs it, transaction_*.c are its steps. */
#ifndef FHIR_APP_TRANSACTION_H
#define FHIR_APP_TRANSACTION_H

#include "binary_write.h"
#include "bundle.h"
#include "bundle_entry.h"
#include "bundle_links.h"
#include "resource_write.h"

#include <apr_hash.h>

typedef enum fhir_part_kind_t {
    FHIR_PART_READ = 1, /* answered after the commit */
    FHIR_PART_WRITE,
    FHIR_PART_BINARY,
    FHIR_PART_NOTHING /* deletes what is not there */
} fhir_part_kind_t;

/* One entry. */
typedef struct fhir_part_t {
    fhir_bundle_entry_t entry;
    fhir_exchange_t exchange;
    fhir_part_kind_t kind;
    /* WRITE */
    fhir_resource_write_t write;
    fhir_resource_facts_t facts;            /* what is there, where the address names it */
    const apr_array_header_t *index_values; /* to be found by conditional references; NULL: not asked for yet */
    /* NOTHING */
    const fhir_error_t *refusal; /* what a request of its own would have been told */
    /* BINARY */
    fhir_change_kind_t binary_change;
    fhir_binary_write_t *binary; /* NULL: nothing is stored yet */
    fhir_binary_part_t binary_part;
    apr_size_t held; /* bytes of texts that were loaded for it */
} fhir_part_t;

typedef struct fhir_transact_t {
    const fhir_bundle_t *bundle;
    fhir_exchange_t exchange; /* the outer one, in the pool of this attempt */
    apr_pool_t *pool;
    apr_time_t end;    /* nothing is begun after this */
    apr_size_t loaded; /* bytes of stored resources that are held until the end */
    fhir_part_t *parts;
    int count;
    fhir_bundle_links_t *links;
    const fhir_part_t *failed; /* whose step was refused; NULL: none's */
    apr_hash_t *conditional;   /* conditional references that were looked up -> reference */
} fhir_transact_t;

/* bundle_transaction.c */
fhir_error_t *fhir_transact_check_time(const fhir_transact_t *transact) FHIR_MUST_CHECK;

/* transaction_plan.c: what the entry will do, if it may: permissions, preconditions, shape. Fills in all but `entry`.
 */
fhir_error_t *fhir_part_plan(fhir_part_t *part, const fhir_transact_t *transact) FHIR_MUST_CHECK;
/* Looks up the condition, if there is one; then the id is known. */
fhir_error_t *fhir_part_resolve(fhir_part_t *part, const fhir_transact_t *transact) FHIR_MUST_CHECK;

/* transaction_links.c: fullUrls become references, in this part and the others. */
fhir_error_t *fhir_part_link(fhir_part_t *part, fhir_transact_t *transact) FHIR_MUST_CHECK;
/* The resource as it will be stored. */
fhir_error_t *fhir_part_prepare(fhir_part_t *part, fhir_transact_t *transact) FHIR_MUST_CHECK;
/* The same for a Binary: its content is in the store then. */
fhir_error_t *fhir_part_store(fhir_part_t *part, fhir_transact_t *transact) FHIR_MUST_CHECK;

/* transaction_answer.c: everything was done. */
void fhir_transact_answer(fhir_response_t **response, const fhir_transact_t *transact);

#endif
