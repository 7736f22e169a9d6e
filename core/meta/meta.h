/* The repository: everything that lives in PostgreSQL. The only door to SQL; no caller sees a connection.
 *
 * Threading: a fhir_meta_t is used by all threads of a process. Connections are opened lazily in the process that uses
 * them (after fork), at most `pool_size`, reconnect by themselves, and are held only inside one call.
 * Errors: UNAVAILABLE with retry AFTER when no connection can be had or the server goes away; TIMEOUT when acquire or
 * statement time ran out (also retry AFTER); INTERNAL for anything that SQL refused unexpectedly. */
#ifndef FHIR_META_META_H
#define FHIR_META_META_H

#include "../base/call.h"
#include "../base/principal.h"
#include "../fhir/subject.h"

#include <apr_tables.h>

typedef struct fhir_meta_t fhir_meta_t;

typedef struct fhir_meta_config_t {
    const char *conninfo; /* libpq connection string */
    int pool_size;        /* most connections of this process */
    apr_interval_time_t connect_timeout;
    apr_interval_time_t acquire_timeout;
    apr_interval_time_t statement_timeout;
    const fhir_log_t *log;
} fhir_meta_config_t;

/* Makes no connection. Closed with `pool`. */
fhir_error_t *fhir_meta_open(fhir_meta_t **meta, const fhir_meta_config_t *config, apr_pool_t *pool) FHIR_MUST_CHECK;
/* One trivial round trip; also says UNAVAILABLE when the schema is older or newer than this build. */
fhir_error_t *fhir_meta_health(fhir_meta_t *meta, const fhir_call_t *call) FHIR_MUST_CHECK;
/* For mod_status: connections now open and in use. */
void fhir_meta_usage(fhir_meta_t *meta, int *open, int *busy);

/* ---- schema ---- */
int fhir_schema_version(void); /* that this build was made for */
/* Brings the schema to fhir_schema_version(): idempotent, safe when several nodes start it at once (advisory lock).
 * INVALID with a clear sentence if the database is newer. *from and *to tell what was done. */
fhir_error_t *fhir_schema_upgrade(int *from, int *to, fhir_meta_t *meta, const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_schema_current(int *version, fhir_meta_t *meta, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- reading: one round trip each ---- */
typedef struct fhir_binary_facts_t {
    const fhir_membership_t *membership; /* NULL: the principal has none */
    const fhir_binary_t *current;        /* newest version (may be a tombstone); NULL: no such Binary in the project */
    const fhir_binary_t *version;        /* the version asked for; NULL: no such version */
    /* The resource that each version's security_context names, with is_context; NULL: it names none. The same pointer
     * if both are equal. What is no resource of this project has `there` 0. Not loaded for administrators. */
    fhir_subject_t *context;
    fhir_subject_t *version_context;
} fhir_binary_facts_t;
/* binary_id NULL: membership only. version_id NULL: `version` is `current`. Looks only in the principal's project.
 * with_content: contexts come with their text. */
fhir_error_t *fhir_meta_load_binary(fhir_binary_facts_t *facts, fhir_meta_t *meta, const fhir_principal_key_t *key,
                                    const char *binary_id, const char *version_id, int with_content,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* The contexts that `references` (array of const char *, NULL ones allowed) name: array of fhir_subject_t * in the same
 * order, NULL for NULL, equal ones shared. One round trip however many; none if there is nothing to load. */
fhir_error_t *fhir_meta_load_contexts(apr_array_header_t **contexts, fhir_meta_t *meta, const char *project_id,
                                      const apr_array_header_t *references, int with_content,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;
typedef struct fhir_signed_facts_t {
    int key_active;                      /* the signing key exists and is not revoked */
    const fhir_membership_t *membership; /* that issued the URL; NULL: gone */
    const fhir_binary_t *current;        /* NULL: no such Binary */
    const fhir_binary_t *version;        /* NULL: no such version (on upload: not used yet) */
} fhir_signed_facts_t;
/* The same for a signed URL. If the version asked for is there and not the current one, `current` has only ids,
 * sequence, last_updated, and DELETE or UPDATE as its change. An upload's version is not there: two round trips. */
fhir_error_t *fhir_meta_load_signed(fhir_signed_facts_t *facts, fhir_meta_t *meta, const char *key_id,
                                    const char *membership_id, const char *binary_id, const char *version_id,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* Newest first: array of fhir_binary_t *, at most `count`, older than `before_sequence` (0: from the newest). *total
 * counts all versions of the Binary. */
fhir_error_t *fhir_meta_history(apr_array_header_t **versions, apr_off_t *total, fhir_meta_t *meta,
                                const char *project_id, const char *binary_id, int count, apr_off_t before_sequence,
                                const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- writing ---- */
/* Durable before it returns: from now on the object is known, as pending. */
fhir_error_t *fhir_meta_object_register(fhir_meta_t *meta, const char *project_id, const char *object_key,
                                        const char *store, const char *locator,
                                        const fhir_call_t *call) FHIR_MUST_CHECK;
/* Takes the pending row away after its bytes are gone; a row that is in use is left alone. */
fhir_error_t *fhir_meta_object_forget(fhir_meta_t *meta, const char *object_key,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;

typedef struct fhir_version_change_t {
    fhir_change_kind_t kind; /* CREATE: the id must be new. UPDATE: see may_create. DELETE: writes a tombstone. */
    const char *project_id;
    const char *membership_id; /* who did it */
    const char *binary_id;
    const char *version_id; /* the new version's, a UUID */
    /* If-Match: the current version must be this one; NULL: any. The same as version_id: the Binary must not exist. */
    const char *expected_version;
    int may_create; /* UPDATE of an unknown id creates it (update-as-create) */
    const char *content_type;
    const char *security_context;
    const char *filename;
    const char *elements;
    /* Take the value of the current version instead (evaluated under the row's lock). */
    int keep_security_context;
    int keep_filename;
    int keep_elements;
    int keep_content;              /* the new version shares the current version's object */
    const fhir_content_t *content; /* a pending object that becomes committed with this version; NULL: none */
} fhir_version_change_t;
/* One transaction: makes the version current, marks its object committed. *binary is the new version as stored.
 * PRECONDITION_FAILED: expected_version differs. NOT_FOUND: no such Binary. EXISTS: this version id is there already
 * (a retried signed upload), or CREATE of a taken id. CONFLICT: the pending object is gone. UPDATE of a deleted Binary
 * revives it. DELETE of a deleted one changes nothing and gives the tombstone. */
fhir_error_t *fhir_meta_commit(const fhir_binary_t **binary, fhir_meta_t *meta, const fhir_version_change_t *change,
                               const fhir_call_t *call) FHIR_MUST_CHECK;

/* Did the database surely refuse? If it went away the version may be there, and its bytes must stay. */
int fhir_meta_refused(const fhir_error_t *error);

/* ---- keys ---- */
typedef enum fhir_key_purpose_t { FHIR_KEY_TOKEN = 1, FHIR_KEY_URL } fhir_key_purpose_t;
typedef struct fhir_key_t {
    const char *id;
    fhir_key_purpose_t purpose;
    const char *algorithm; /* "ES256", "RS256", "HS256" */
    const char *material;  /* private JWK text (token) or hex (URL) */
    apr_time_t created;
    apr_time_t retired; /* 0: the one in use. A retired key still verifies. */
    apr_time_t revoked; /* 0: no. A revoked key verifies nothing. */
} fhir_key_t;
/* Array of fhir_key_t, newest first, revoked ones left out. */
fhir_error_t *fhir_meta_keys(apr_array_header_t **keys, fhir_meta_t *meta, fhir_key_purpose_t purpose,
                             const fhir_call_t *call) FHIR_MUST_CHECK;
/* Adds the key and retires the one in use before, in one transaction. */
fhir_error_t *fhir_meta_key_add(fhir_meta_t *meta, const fhir_key_t *key, const fhir_call_t *call) FHIR_MUST_CHECK;
/* NOT_FOUND if there is none. */
fhir_error_t *fhir_meta_key_revoke(fhir_meta_t *meta, const char *key_id, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- projects, clients, memberships ---- */
typedef struct fhir_project_t {
    const char *id;
    const char *name;
    apr_time_t created;
    int active;
    const char *default_policy; /* id of an AccessPolicy, for memberships that name none; NULL: they may do nothing */
} fhir_project_t;
typedef struct fhir_client_t {
    const char *id; /* UUID */
    const char *project_id;
    const char *name;
    const char *secret_hash;
    apr_time_t created;
    int active;                   /* client, membership and project all are */
    fhir_membership_t membership; /* id NULL: it has none yet */
} fhir_client_t;
typedef struct fhir_member_t {
    fhir_membership_t membership;
    fhir_principal_key_t principal;
    apr_time_t created;
} fhir_member_t;
/* EXISTS if the name is taken. Ids are given by the caller (random UUIDs). */
fhir_error_t *fhir_meta_project_create(fhir_meta_t *meta, const char *id, const char *name,
                                       const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_meta_project_list(apr_array_header_t **projects, fhir_meta_t *meta,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;
/* By id or name. NOT_FOUND. */
fhir_error_t *fhir_meta_project_find(fhir_project_t *project, fhir_meta_t *meta, const char *id_or_name,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_meta_project_set_active(fhir_meta_t *meta, const char *id, int active,
                                           const fhir_call_t *call) FHIR_MUST_CHECK;
/* NULL takes the default away. The policy itself need not be there: then it permits nothing. */
fhir_error_t *fhir_meta_project_set_default_policy(fhir_meta_t *meta, const char *id, const char *policy_id,
                                                   const fhir_call_t *call) FHIR_MUST_CHECK;
/* Without a membership: that follows from a ProjectMembership resource. */
fhir_error_t *fhir_meta_client_create(fhir_meta_t *meta, const fhir_client_t *client,
                                      const fhir_call_t *call) FHIR_MUST_CHECK;
/* NOT_FOUND. */
fhir_error_t *fhir_meta_client_find(fhir_client_t *client, fhir_meta_t *meta, const char *id,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
/* project_id NULL: all. Array of fhir_client_t. */
fhir_error_t *fhir_meta_client_list(apr_array_header_t **clients, fhir_meta_t *meta, const char *project_id,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_meta_client_set_active(fhir_meta_t *meta, const char *id, int active,
                                          const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_meta_client_set_secret(fhir_meta_t *meta, const char *id, const char *secret_hash,
                                          const fhir_call_t *call) FHIR_MUST_CHECK;
/* Those that ProjectMembership resources made: the operator's is not among them. */
fhir_error_t *fhir_meta_membership_list(apr_array_header_t **members, fhir_meta_t *meta, const char *project_id,
                                        const fhir_call_t *call) FHIR_MUST_CHECK;
/* By the membership's id, a client's id, `issuer subject`, or the name of a user of httpd. NOT_FOUND. */
fhir_error_t *fhir_meta_membership_find(fhir_member_t *member, fhir_meta_t *meta, const char *principal,
                                        const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- objects, for `fhirbinctl store orphans` ---- */
typedef struct fhir_object_row_t {
    const char *object_key;
    const char *store;
    const char *locator;
    apr_time_t created;
    int committed; /* 0: pending */
} fhir_object_row_t;
/* What the database's clock showed so long ago: rows have their times from it. */
fhir_error_t *fhir_meta_time_ago(apr_time_t *then, fhir_meta_t *meta, apr_interval_time_t age,
                                 const fhir_call_t *call) FHIR_MUST_CHECK;
/* Pending rows of a store older than `before`, apart from those that clients send to the store themselves: array of
 * fhir_object_row_t. */
fhir_error_t *fhir_meta_objects_pending(apr_array_header_t **rows, fhir_meta_t *meta, const char *store,
                                        apr_time_t before, const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
