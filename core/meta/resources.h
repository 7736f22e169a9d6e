/* The repository's resources, their search index and their links to Binaries. Rules of meta.h hold. */
#ifndef FHIR_META_RESOURCES_H
#define FHIR_META_RESOURCES_H

#include "../fhir/search.h"
#include "meta.h"

/* ---- reading: one round trip each ---- */

typedef struct fhir_resource_facts_t {
    const fhir_membership_t *membership; /* NULL: the principal has none */
    const fhir_resource_t *current;      /* newest version (may be a tombstone); NULL: no such resource */
    const fhir_resource_t *version;      /* the version asked for; NULL: no such version */
    fhir_subject_t *subject;             /* of `current`, its resource; a tombstone is not `there`. NULL: no current */
} fhir_resource_facts_t;
/* Membership, head and version of one resource of the principal's project. type and id NULL: membership only.
 * version_id NULL: `version` is `current`. If the version asked for is not the current one, `current` comes without
 * meta and body, unless `with_content`. */
fhir_error_t *fhir_meta_load_resource(fhir_resource_facts_t *facts, fhir_meta_t *meta, const fhir_principal_key_t *key,
                                      const char *type, const char *id, const char *version_id, int with_content,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;

/* Newest first: array of fhir_resource_t *, as fhir_meta_history. */
fhir_error_t *fhir_meta_resource_history(apr_array_header_t **versions, apr_off_t *total, fhir_meta_t *meta,
                                         const char *project_id, const char *type, const char *id, int count,
                                         apr_off_t before_sequence, const fhir_call_t *call) FHIR_MUST_CHECK;

/* An attachment with all that is needed to decide about its Binary and to fill it in. */
typedef struct fhir_attachment_facts_t {
    int resource; /* index into the array that was given */
    fhir_attachment_t link;
    const fhir_binary_t *current; /* the Binary, NULL: there is none. Shared between equal links. */
    const fhir_binary_t *version; /* the pinned version, else `current`; NULL: no such version */
} fhir_attachment_facts_t;
/* The attachments of all these versions (array of fhir_resource_t *): array of fhir_attachment_facts_t ordered by
 * resource and offset. Versions with attachment_count 0 cost nothing; without any there is no round trip. */
fhir_error_t *fhir_meta_load_attachments(apr_array_header_t **attachments, fhir_meta_t *meta, const char *project_id,
                                         const apr_array_header_t *resources, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- search ---- */

typedef struct fhir_search_page_t {
    apr_array_header_t *matches;  /* of fhir_resource_t * */
    apr_array_header_t *included; /* of fhir_resource_t *, each once and none of the matches */
    apr_array_header_t *binaries; /* of fhir_binary_t *: included by attachments */
    apr_off_t total;              /* -1: not counted */
    const char *next;             /* cursor of the next page, NULL: this is the last */
} fhir_search_page_t;
/* One page. Deleted resources are never found. Ends a page early, with `next`, beyond 32 MiB of text; at most
 * FHIR_SEARCH_INCLUDED_MAX included resources, more are TOO_LARGE ("narrow the search or lower _count"). INVALID for a
 * cursor that is none. At most three round trips, however many matches. */
#define FHIR_SEARCH_INCLUDED_MAX 10000
fhir_error_t *fhir_meta_search(fhir_search_page_t *page, fhir_meta_t *meta, const char *project_id,
                               const fhir_search_t *search, const fhir_call_t *call) FHIR_MUST_CHECK;
/* page->binaries anew: those that the attachments of page->matches and page->included lead to. One round trip. */
fhir_error_t *fhir_meta_included_binaries(fhir_search_page_t *page, fhir_meta_t *meta, const char *project_id,
                                          const fhir_search_t *search, const fhir_call_t *call) FHIR_MUST_CHECK;
/* The membership of a principal, for interactions that name no resource. NULL in *membership: none. */
fhir_error_t *fhir_meta_load_membership(const fhir_membership_t **membership, fhir_meta_t *meta,
                                        const fhir_principal_key_t *key, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- writing ---- */

typedef struct fhir_resource_change_t {
    fhir_change_kind_t kind; /* as in fhir_version_change_t */
    const char *project_id;
    const char *membership_id;
    const char *type;
    const char *id;
    const char *version_id; /* the new version's, a UUID */
    /* The current version must be this one; NULL: any; the same as version_id: the resource must not exist. */
    const char *expected_version;
    int may_create;
    const fhir_store_resource_t *stored;    /* NULL: DELETE */
    const apr_array_header_t *index_values; /* of fhir_index_value_t; NULL: DELETE */
} fhir_resource_change_t;
/* One transaction and one round trip. *resource: the new version, with meta and body of `stored`. Codes as
 * fhir_meta_commit. */
fhir_error_t *fhir_meta_resource_commit(const fhir_resource_t **resource, fhir_meta_t *meta,
                                        const fhir_resource_change_t *change, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- access policies ---- */

/* A version of an AccessPolicy never changes, so what was read under its version id may be kept. */
typedef struct fhir_policy_text_t {
    const char *id;
    const char *version_id;
    const char *body; /* NULL: there is no such version */
} fhir_policy_text_t;
/* The policies that a membership's `policies` names: array of fhir_policy_text_t. One round trip; none for "". */
fhir_error_t *fhir_meta_load_policies(apr_array_header_t **policies, fhir_meta_t *meta, const char *project_id,
                                      const char *names, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Binaries of the project that are not deleted and have no security context, by id, after `after` (NULL: from the
 * beginning), at most `count`: array of fhir_binary_t *. *total may be NULL. */
fhir_error_t *fhir_meta_binaries_without_context(apr_array_header_t **binaries, apr_off_t *total, fhir_meta_t *meta,
                                                 const char *project_id, const char *after, int count,
                                                 const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- several writes at once ---- */

/* Holds one connection from begin to commit or rollback: no body bytes may move meanwhile. Used by one thread. Ends by
 * rollback with call->pool at the latest. */
typedef struct fhir_transaction_t fhir_transaction_t;
fhir_error_t *fhir_meta_begin(fhir_transaction_t **transaction, fhir_meta_t *meta,
                              const fhir_call_t *call) FHIR_MUST_CHECK;
/* Waits for other transactions that hold the same lock (project and canonical search): two conditional creates with the
 * same search never both find nothing. Take locks in the order of the text to avoid deadlocks. */
fhir_error_t *fhir_transaction_lock(fhir_transaction_t *transaction, const char *project_id, const char *type,
                                    const char *canonical) FHIR_MUST_CHECK;
/* At most `limit` matches (resources with text), as the transaction sees them. */
fhir_error_t *fhir_transaction_search(apr_array_header_t **matches, fhir_transaction_t *transaction,
                                      const char *project_id, const fhir_search_t *search, int limit) FHIR_MUST_CHECK;
/* The current version as the transaction sees it; NULL: none. */
fhir_error_t *fhir_transaction_load(const fhir_resource_t **current, fhir_transaction_t *transaction,
                                    const char *project_id, const char *type, const char *id) FHIR_MUST_CHECK;
fhir_error_t *fhir_transaction_write(const fhir_resource_t **resource, fhir_transaction_t *transaction,
                                     const fhir_resource_change_t *change) FHIR_MUST_CHECK;
fhir_error_t *fhir_transaction_write_binary(const fhir_binary_t **binary, fhir_transaction_t *transaction,
                                            const fhir_version_change_t *change) FHIR_MUST_CHECK;
/* The transaction can't be used after these. */
fhir_error_t *fhir_transaction_commit(fhir_transaction_t *transaction) FHIR_MUST_CHECK;
void fhir_transaction_rollback(fhir_transaction_t *transaction);

/* ---- who uses a Binary ---- */

typedef struct fhir_binary_use_t {
    const char *type;
    const char *id;
    const char *version_id;
    const char *path; /* `Patient.photo[0]` */
    int current;      /* 0: only an older version has it */
} fhir_binary_use_t;
/* Array of fhir_binary_use_t. One query. */
fhir_error_t *fhir_meta_binary_uses(apr_array_header_t **uses, fhir_meta_t *meta, const char *project_id,
                                    const char *binary_id, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Whom a resource is about, by its search parameters `patient` and `subject`. */
typedef struct fhir_referrer_subject_t {
    const char *type;
    const char *id;
    int there; /* 0: missing or deleted */
} fhir_referrer_subject_t;
/* A current resource with an attachment that names a Binary. */
typedef struct fhir_referrer_t {
    int binary; /* index into the array that was given */
    /* 1: what it says of the Binary is not to be relied on: it was last written neither by an administrator of the
     * project nor by whoever wrote the Binary. Anybody may point to a Binary whose id he knows. */
    int foreign;
    const char *path;                /* the first of these attachments: `Patient.photo[0]` */
    const fhir_resource_t *resource; /* shared where it names several of the Binaries */
    apr_array_header_t *subjects; /* of fhir_referrer_subject_t, Patients first, at most FHIR_REFERRER_SUBJECTS_MAX */
} fhir_referrer_t;
#define FHIR_REFERRER_SUBJECTS_MAX 4
#define FHIR_REFERRERS_MAX 100
/* What has these Binaries (array of const char *, their ids): array of fhir_referrer_t, ordered by binary. Of each
 * Binary at most FHIR_REFERRERS_MAX + 1: then there are more. Resources come without text unless `with_text`; TOO_LARGE
 * beyond 32 MiB of it, or for over 50,000 of them. One round trip. */
fhir_error_t *fhir_meta_referrers(apr_array_header_t **referrers, fhir_meta_t *meta, const char *project_id,
                                  const apr_array_header_t *binary_ids, int with_text,
                                  const fhir_call_t *call) FHIR_MUST_CHECK;
/* Binaries that no current resource names, older than `before`: array of fhir_binary_t *, at most `count`, after the id
 * `after` (NULL: from the first). One query. */
fhir_error_t *fhir_meta_binaries_unlinked(apr_array_header_t **binaries, fhir_meta_t *meta, const char *project_id,
                                          apr_time_t before, const char *after, int count,
                                          const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
