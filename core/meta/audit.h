/* The audit trail in the database: rows of one hash chain, which all children and nodes add to. Rules of meta.h hold.
 */
#ifndef FHIR_META_AUDIT_H
#define FHIR_META_AUDIT_H

#include "../fhir/audit_event.h"
#include "meta.h"

/* hash = SHA-256(previous hash, fields): sequence, then audit_event.def's fields in their order, each as a length of
 * four bytes (0xffffffff: null) and its bytes; numbers and times (microseconds since 1970) as eight bytes; all of them
 * big-endian. */
fhir_error_t *fhir_audit_chain(unsigned char hash[FHIR_SHA256_LENGTH], const unsigned char previous[FHIR_SHA256_LENGTH],
                               const fhir_audit_event_t *event, apr_pool_t *pool) FHIR_MUST_CHECK;

/* Events that are written together or not at all. */
typedef struct fhir_audit_batch_t {
    fhir_audit_event_t **events; /* fhir_audit_event_clean was called for each; get sequence and hash */
    int count;
    int uncertain; /* 1: an attempt before may have been committed; set by fhir_meta_audit_write */
} fhir_audit_batch_t;
#define FHIR_AUDIT_BATCH_MAX 1000

/* One transaction. After an error the same batch may be given again, and must be if it is uncertain: then it is not
 * written twice. */
fhir_error_t *fhir_meta_audit_write(fhir_meta_t *meta, fhir_audit_batch_t *batch,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;

/* Newest first: array of fhir_audit_event_t *, at most search->count and one more, which tells that there is a next
 * page. project_id NULL: of all. *total -1: not asked for. */
fhir_error_t *fhir_meta_audit_search(apr_array_header_t **events, apr_off_t *total, fhir_meta_t *meta,
                                     const char *project_id, const fhir_audit_search_t *search,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- verification ---- */
typedef struct fhir_audit_head_t {
    apr_int64_t first_sequence;
    unsigned char first_previous_hash[FHIR_SHA256_LENGTH];
    apr_int64_t last_sequence; /* first_sequence - 1: no rows */
    unsigned char last_hash[FHIR_SHA256_LENGTH];
    int empty;         /* there are no rows at that moment; else: */
    apr_int64_t least; /* of their sequences */
    apr_int64_t greatest;
} fhir_audit_head_t;
/* NOT_FOUND: the head's row is gone. */
fhir_error_t *fhir_meta_audit_head(fhir_audit_head_t *head, fhir_meta_t *meta, const fhir_call_t *call) FHIR_MUST_CHECK;

typedef struct fhir_audit_check_t {
    apr_int64_t verified; /* rows that were found good */
    const char *why;      /* what is wrong, for people; NULL: the chain is whole */
    apr_int64_t bad;      /* sequence of the first row that is not good */
    fhir_audit_head_t head;
    /* May be NULL; called now and then. */
    void (*progress)(void *baton, const struct fhir_audit_check_t *check);
    void *baton;
} fhir_audit_check_t;
/* Reads all rows up to now in pages. Constant memory. `call` is for each page: its deadline is set here. */
fhir_error_t *fhir_meta_audit_verify(fhir_audit_check_t *check, fhir_meta_t *meta, apr_interval_time_t page_time,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- retention ---- */
/* Removes at most FHIR_AUDIT_PRUNE_MAX of the oldest rows, all recorded before `before`. *pruned 0: none is left, or
 * somebody else is at it. */
fhir_error_t *fhir_meta_audit_prune(apr_off_t *pruned, fhir_meta_t *meta, apr_time_t before,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
#define FHIR_AUDIT_PRUNE_MAX 5000

#endif
