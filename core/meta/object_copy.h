/* Where stored objects are, where they go, and what is to be removed: the tables `object` and `object_copy`. All times
 * are the database's own.
 *
 * A copy is a place (store, locator) that no row of `object` names. Who works on it holds its lease, which ends by
 * itself. What is removed from a store is removed while its row is locked (fhir_transaction_copy_lock), so that nobody
 * can make that place an object's place meanwhile. */
#ifndef FHIR_META_OBJECT_COPY_H
#define FHIR_META_OBJECT_COPY_H

#include "resources.h"

/* ---- committed objects ---- */
typedef struct fhir_object_filter_t {
    const char *store;      /* NULL: all */
    const char *project_id; /* NULL: all */
    apr_time_t since;       /* committed at or after; 0: ever */
    double share;           /* of them, taken by chance: 0 < share <= 1 */
    int without_copy;       /* leaves those out that have one */
} fhir_object_filter_t;
typedef struct fhir_stored_object_t {
    fhir_content_t content;
    const char *content_type; /* of a version that has it; NULL: none has */
} fhir_stored_object_t;
/* In order of their keys, those after `after` (NULL: from the start): array of fhir_stored_object_t. */
fhir_error_t *fhir_meta_objects_committed(apr_array_header_t **objects, fhir_meta_t *meta,
                                          const fhir_object_filter_t *filter, const char *after, int count,
                                          const fhir_call_t *call) FHIR_MUST_CHECK;
/* `share` is not looked at. */
fhir_error_t *fhir_meta_objects_count(apr_off_t *count, apr_off_t *bytes, fhir_meta_t *meta,
                                      const fhir_object_filter_t *filter, const fhir_call_t *call) FHIR_MUST_CHECK;
/* As it is now; *content is NULL if no committed object has this key. */
fhir_error_t *fhir_meta_object_find(const fhir_content_t **content, fhir_meta_t *meta, const char *object_key,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
typedef struct fhir_object_use_t {
    const char *project_id;
    const char *version; /* `Binary/{id}/_history/{version}`, the newest that has the object; NULL: none has */
    apr_off_t more;      /* versions that have it, too */
} fhir_object_use_t;
/* Whose it is. Cheap: for one object. *use is NULL if there is no such object. */
fhir_error_t *fhir_meta_object_use(const fhir_object_use_t **use, fhir_meta_t *meta, const char *object_key,
                                   const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- copies ---- */
typedef enum fhir_copy_state_t { FHIR_COPY_WRITING = 1, FHIR_COPY_LEFT_OVER } fhir_copy_state_t;
typedef struct fhir_copy_t {
    const char *object_key;
    const char *store;
    const char *locator;
    fhir_copy_state_t state;
    apr_time_t created;
} fhir_copy_t;
/* Takes on those of `copies` (array of fhir_copy_t: keys and target places) whose object still is in the store `from`
 * and has no copy: they are WRITING then. *claimed: their keys, array of const char *. */
fhir_error_t *fhir_meta_copies_claim(apr_array_header_t **claimed, fhir_meta_t *meta, const char *from,
                                     const apr_array_header_t *copies, const char *lease, apr_interval_time_t time,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;
/* A copy of no object. *taken 0: a row knows this place or key already, or another store's object has its locator. */
fhir_error_t *fhir_meta_copy_add(int *taken, fhir_meta_t *meta, const fhir_copy_t *copy, const char *lease,
                                 apr_interval_time_t time, const fhir_call_t *call) FHIR_MUST_CHECK;
/* All of this lease. *held: the copy of this key is among them; key NULL: any is. */
fhir_error_t *fhir_meta_copies_renew(int *held, fhir_meta_t *meta, const char *lease, const char *object_key,
                                     apr_interval_time_t time, const fhir_call_t *call) FHIR_MUST_CHECK;
/* The lease ends now: whoever comes next need not wait for what is left of it. */
fhir_error_t *fhir_meta_copies_release(fhir_meta_t *meta, const char *lease, const fhir_call_t *call) FHIR_MUST_CHECK;
/* The object is where the copy was written, and the copy is what it has left behind, to be removed after `grace`. In
 * one transaction, or not at all: *switched 0 if the lease was lost or the object is no longer where `old` says. */
fhir_error_t *fhir_meta_copy_switch(int *switched, fhir_meta_t *meta, const fhir_content_t *old,
                                    const fhir_copy_t *copy, const char *lease, apr_interval_time_t grace,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* Takes copies that are due and in one of `stores` (array of const char *), at most `count`: array of fhir_copy_t. */
fhir_error_t *fhir_meta_copies_take(apr_array_header_t **copies, fhir_meta_t *meta, const apr_array_header_t *stores,
                                    int count, const char *lease, apr_interval_time_t time,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
typedef struct fhir_copies_left_t {
    apr_off_t count;
    apr_interval_time_t until;        /* the first is due */
    apr_off_t leased;                 /* those that somebody else works on, or did when he was killed */
    apr_interval_time_t leased_until; /* the last of these leases ends, unless it is renewed */
} fhir_copies_left_t;
/* Those in one of `stores`; times are at most `longest`. `lease` is one's own. */
fhir_error_t *fhir_meta_copies_left(fhir_copies_left_t *left, fhir_meta_t *meta, const apr_array_header_t *stores,
                                    const char *lease, apr_interval_time_t longest,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* Those in a store that are due and older than `before`, at most 1000: array of fhir_copy_t. */
fhir_error_t *fhir_meta_copies_list(apr_array_header_t **copies, fhir_meta_t *meta, const char *store,
                                    apr_time_t before, const fhir_call_t *call) FHIR_MUST_CHECK;
/* What is due only later from now on, and nobody's turn. */
fhir_error_t *fhir_meta_copy_postpone(fhir_meta_t *meta, const char *object_key, const char *lease,
                                      apr_interval_time_t time, const fhir_call_t *call) FHIR_MUST_CHECK;

/* Locks the copy's row until the transaction ends. *held 0: the lease was lost. *is_current: a row of `object` names
 * this very place, which must not be touched. *content: the committed object of this key as it is now, or NULL. */
fhir_error_t *fhir_transaction_copy_lock(int *held, int *is_current, const fhir_content_t **content,
                                         fhir_transaction_t *transaction, const fhir_copy_t *copy, const char *lease,
                                         apr_pool_t *pool) FHIR_MUST_CHECK;
/* Once there is nothing at its place. */
fhir_error_t *fhir_transaction_copy_forget(fhir_transaction_t *transaction, const fhir_copy_t *copy) FHIR_MUST_CHECK;
/* A pending row older than `before` becomes a LEFT_OVER copy with this lease, in one transaction; its upload can't be
 * committed then. Lease NULL: nothing is at its place, and the row just goes. *discarded 0: it is not pending any more,
 * or younger. */
fhir_error_t *fhir_meta_object_discard(int *discarded, fhir_meta_t *meta, const char *object_key, apr_time_t before,
                                       const char *lease, apr_interval_time_t time,
                                       const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- stores, as the rows see them ---- */
typedef struct fhir_store_stat_t {
    const char *store;
    apr_off_t objects; /* committed */
    apr_off_t bytes;
    apr_off_t projects;
    apr_off_t pending;
    apr_time_t oldest_pending; /* 0: none */
    apr_off_t awaited;         /* those among the pending that clients send to the store themselves */
    apr_time_t awaited_until;  /* the last of their URLs ends; 0: none */
    apr_off_t writing;         /* copies */
    apr_off_t left_over;
} fhir_store_stat_t;
/* Every store that rows name: array of fhir_store_stat_t, by name. Looks at every object. */
fhir_error_t *fhir_meta_store_stat(apr_array_header_t **stats, fhir_meta_t *meta,
                                   const fhir_call_t *call) FHIR_MUST_CHECK;
/* Names of the stores that committed objects need: array of const char *. Cheap. */
fhir_error_t *fhir_meta_stores_needed(apr_array_header_t **names, fhir_meta_t *meta,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;

typedef enum fhir_knowledge_t {
    FHIR_LOCATOR_UNKNOWN,  /* no row */
    FHIR_LOCATOR_KNOWN,    /* a row of this store: an object's, a copy's, or a direct upload's */
    FHIR_LOCATOR_ELSEWHERE /* a row of another store has it: a forgotten copy, or one place under two names */
} fhir_knowledge_t;
/* What rows say about these locators (array of const char *) of a store: array of fhir_knowledge_t, in their order. */
fhir_error_t *fhir_meta_locators_known(apr_array_header_t **known, fhir_meta_t *meta, const char *store,
                                       const apr_array_header_t *locators, const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
