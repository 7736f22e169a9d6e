/* What the files of core/meta share: connections, calls, parameters and values. Private to core/meta.
 *
 * Results are binary (no text parsing of times and numbers); parameters are text except where bytes are meant. A
 * PGresult is the caller's to PQclear. */
#ifndef FHIR_META_PG_H
#define FHIR_META_PG_H

#include "../base/text.h"
#include "meta.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <libpq-fe.h>

/* Every prepared statement has a place in this list; its name on the server is the number. */
typedef enum fhir_pg_statement_id_t {
    FHIR_PG_LOAD_MEMBERSHIP,
    FHIR_PG_LOAD_CURRENT,
    FHIR_PG_LOAD_VERSION,
    FHIR_PG_LOAD_CURRENT_CONTENT,
    FHIR_PG_LOAD_VERSION_CONTENT,
    FHIR_PG_LOAD_CONTEXTS,
    FHIR_PG_LOAD_CONTEXTS_CONTENT,
    FHIR_PG_LOAD_POLICIES,
    FHIR_PG_WITHOUT_CONTEXT,
    FHIR_PG_LOAD_SIGNED,
    FHIR_PG_LOAD_SIGNED_VERSION,
    FHIR_PG_HISTORY,
    FHIR_PG_COMMIT,
    FHIR_PG_OBJECT_REGISTER,
    FHIR_PG_OBJECT_FORGET,
    FHIR_PG_TIME_AGO,
    FHIR_PG_OBJECTS_PENDING,
    FHIR_PG_OBJECTS_COMMITTED,
    FHIR_PG_OBJECTS_OF_STORE,
    FHIR_PG_OBJECTS_COUNT,
    FHIR_PG_OBJECT_FIND,
    FHIR_PG_OBJECT_USE,
    FHIR_PG_OBJECT_DISCARD,
    FHIR_PG_COPIES_CLAIM,
    FHIR_PG_COPY_ADD,
    FHIR_PG_COPIES_RENEW,
    FHIR_PG_COPIES_RELEASE,
    FHIR_PG_COPY_SWITCH,
    FHIR_PG_COPIES_TAKE,
    FHIR_PG_COPIES_LEFT,
    FHIR_PG_COPIES_LIST,
    FHIR_PG_COPY_POSTPONE,
    FHIR_PG_COPY_LOCK,
    FHIR_PG_COPY_FACTS,
    FHIR_PG_COPY_FORGET,
    FHIR_PG_STORE_STAT,
    FHIR_PG_STORES_NEEDED,
    FHIR_PG_LOCATORS_KNOWN,
    FHIR_PG_KEYS,
    FHIR_PG_KEY_ADD,
    FHIR_PG_KEY_REVOKE,
    FHIR_PG_PROJECT_CREATE,
    FHIR_PG_PROJECT_LIST,
    FHIR_PG_PROJECT_FIND,
    FHIR_PG_PROJECT_SET_ACTIVE,
    FHIR_PG_PROJECT_SET_DEFAULT_POLICY,
    FHIR_PG_CLIENT_CREATE,
    FHIR_PG_CLIENT_FIND,
    FHIR_PG_CLIENT_LIST,
    FHIR_PG_CLIENT_SET_ACTIVE,
    FHIR_PG_CLIENT_SET_SECRET,
    FHIR_PG_MEMBERSHIP_LIST,
    FHIR_PG_MEMBERSHIP_FIND,
    FHIR_PG_LOAD_RESOURCE,
    FHIR_PG_LOAD_RESOURCE_VERSION,
    FHIR_PG_LOAD_RESOURCE_BOTH,
    FHIR_PG_RESOURCE_HISTORY,
    FHIR_PG_RESOURCE_COMMIT,
    FHIR_PG_ATTACHMENTS,
    FHIR_PG_BINARY_USES,
    FHIR_PG_BINARIES_UNLINKED,
    FHIR_PG_TRANSACTION_LOCK,
    FHIR_PG_TRANSACTION_LOAD,
    FHIR_PG_FETCH_ENQUEUE,
    FHIR_PG_FETCH_CLAIM,
    FHIR_PG_FETCH_RENEW,
    FHIR_PG_FETCH_FINISH,
    FHIR_PG_FETCH_FAIL,
    FHIR_PG_FETCH_RELEASE,
    FHIR_PG_FETCH_LIST,
    FHIR_PG_FETCH_RETRY,
    FHIR_PG_DIRECT_REGISTER,
    FHIR_PG_DIRECT_CLAIM,
    FHIR_PG_DIRECT_CLAIM_VERSION,
    FHIR_PG_DIRECT_AWAITED,
    FHIR_PG_DIRECT_RENEW,
    FHIR_PG_DIRECT_GIVE_UP,
    FHIR_PG_DIRECT_RELEASE,
    FHIR_PG_DIRECT_FAIL,
    FHIR_PG_DIRECT_FINISH,
    FHIR_PG_AUDIT_INSERT,
    FHIR_PG_AUDIT_WRITTEN,
    FHIR_PG_AUDIT_HEAD,
    FHIR_PG_AUDIT_PAGE,
    FHIR_PG_AUDIT_PRUNE,
    FHIR_PG_STATEMENT_COUNT
} fhir_pg_statement_id_t;

typedef struct fhir_pg_statement_t {
    fhir_pg_statement_id_t id;
    int read_only; /* may be sent again when the connection broke */
    const char *sql;
} fhir_pg_statement_t;

#define FHIR_PG_PARAMETERS_MAX 42

typedef struct fhir_pg_parameters_t {
    int count;
    const char *values[FHIR_PG_PARAMETERS_MAX];
    int lengths[FHIR_PG_PARAMETERS_MAX];
    int formats[FHIR_PG_PARAMETERS_MAX];
    char numbers[FHIR_PG_PARAMETERS_MAX][24];
} fhir_pg_parameters_t;

/* A slot of the pool. Used by one thread between acquire and release. */
typedef struct fhir_pg_connection_t {
    PGconn *handle;     /* NULL: not connected */
    int broken;         /* is closed on release */
    int schema_checked; /* the schema fits this build */
    unsigned char prepared[FHIR_PG_STATEMENT_COUNT];
} fhir_pg_connection_t;

struct fhir_meta_t {
    fhir_meta_config_t config;
    apr_thread_mutex_t *mutex; /* guards what follows */
    apr_thread_cond_t *released;
    fhir_pg_connection_t *connections; /* config.pool_size */
    fhir_pg_connection_t **free;       /* a stack: the one used last is on top, unconnected ones are at the bottom */
    int free_count;
    int open;
    int searches;             /* running now, see pg_query.c */
    apr_time_t refused_until; /* a connect has just failed: don't let everybody wait for the next failure */
    char refused_detail[512];
};

/* ---- pg_pool.c ---- */
/* A connected slot. check_schema 0: for the functions that look at or make the schema. */
fhir_error_t *fhir_pg_acquire(fhir_pg_connection_t **connection, fhir_meta_t *meta, int check_schema,
                              const fhir_call_t *call) FHIR_MUST_CHECK;
void fhir_pg_release(fhir_meta_t *meta, fhir_pg_connection_t *connection);

/* ---- pg_connect.c ---- */
/* Connects and prepares the session, within config.connect_timeout and the call's deadline. */
fhir_error_t *fhir_pg_connect(fhir_pg_connection_t *connection, const fhir_meta_t *meta,
                              const fhir_call_t *call) FHIR_MUST_CHECK;
void fhir_pg_disconnect(fhir_pg_connection_t *connection);
/* 1 if the server has closed this idle connection (or says something, which an idle one has no reason to). */
int fhir_pg_closed_meanwhile(const fhir_pg_connection_t *connection);

/* ---- pg_call.c ---- */
/* One prepared statement, one round trip (two when this connection meets the statement for the first time). */
fhir_error_t *fhir_pg_run(PGresult **result, fhir_meta_t *meta, const fhir_pg_statement_t *statement,
                          const fhir_pg_parameters_t *parameters, const fhir_call_t *call) FHIR_MUST_CHECK;
/* The same where only the number of changed rows is of interest; `changed` may be NULL. */
fhir_error_t *fhir_pg_change(apr_off_t *changed, fhir_meta_t *meta, const fhir_pg_statement_t *statement,
                             const fhir_pg_parameters_t *parameters, const fhir_call_t *call) FHIR_MUST_CHECK;
/* The same on a connection that the caller holds. *executed: the statement itself was sent, so that the server may have
 * done it. */
fhir_error_t *fhir_pg_execute(PGresult **result, int *executed, fhir_pg_connection_t *connection,
                              const fhir_pg_statement_t *statement, const fhir_pg_parameters_t *parameters,
                              apr_time_t deadline, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Now and the statement timeout, or the call's own deadline if that is earlier. */
apr_time_t fhir_pg_deadline(const fhir_meta_t *meta, const fhir_call_t *call);
/* Plain SQL text, several statements allowed, text results; the last result is given. deadline 0: none. */
fhir_error_t *fhir_pg_text_query(PGresult **result, fhir_pg_connection_t *connection, const char *sql,
                                 apr_time_t deadline, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Parts of a call, for pg_query.c: the answer to what was sent, the first error or the last result; the connection is
 * lost; 1 if the answer is an error, then *error is made and the result is gone. */
fhir_error_t *fhir_pg_collect(PGresult **result, fhir_pg_connection_t *connection, apr_time_t deadline,
                              const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_pg_lost(fhir_pg_connection_t *connection, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Asks the server to end what it does for this connection; waits for that only a moment. */
void fhir_pg_cancel(const fhir_pg_connection_t *connection);
int fhir_pg_refused(fhir_error_t **error, PGresult *result, fhir_pg_connection_t *connection, const fhir_call_t *call);
/* Waits until the socket is ready. TIMEOUT, CANCELLED or INTERNAL. */
fhir_error_t *fhir_pg_wait(int socket, short events, apr_time_t deadline, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- pg_query.c: statements whose text depends on what is asked ---- */
typedef struct fhir_pg_query_t {
    fhir_text_t sql;
    apr_array_header_t *values; /* of const char *: the parameters, as text */
    int too_many;               /* more parameters than FHIR_PG_QUERY_PARAMETERS_MAX: must not be run */
} fhir_pg_query_t;
#define FHIR_PG_QUERY_PARAMETERS_MAX 2000
void fhir_pg_query_init(fhir_pg_query_t *query, apr_pool_t *pool);
/* Adds `$n` to the text. Text that is not valid for the database becomes null, which equals nothing. */
void fhir_pg_query_text(fhir_pg_query_t *query, const char *value);
void fhir_pg_query_number(fhir_pg_query_t *query, apr_int64_t number);
/* Reads only. One round trip. */
fhir_error_t *fhir_pg_query_run(PGresult **result, fhir_meta_t *meta, const fhir_pg_query_t *query,
                                const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_pg_query_execute(PGresult **result, fhir_pg_connection_t *connection, const fhir_pg_query_t *query,
                                    apr_time_t deadline, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- pg_array.c ---- */
typedef struct fhir_pg_array_t {
    fhir_text_t text;
    int count;
} fhir_pg_array_t;
void fhir_pg_array_init(fhir_pg_array_t *array, apr_pool_t *pool);
void fhir_pg_array_add_text(fhir_pg_array_t *array, const char *text); /* NULL is null */
void fhir_pg_array_add_number(fhir_pg_array_t *array, apr_int64_t number);
/* The whole array as a parameter. Nothing may be added after. */
const char *fhir_pg_array_end(fhir_pg_array_t *array);

/* ---- meta_schema.c ---- */
fhir_error_t *fhir_pg_check_schema(fhir_pg_connection_t *connection, apr_time_t deadline,
                                   const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- pg_error.c ---- */
fhir_error_t *fhir_pg_unavailable(const char *detail, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_pg_timeout(const char *detail, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_pg_internal(const char *detail, apr_pool_t *pool) FHIR_MUST_CHECK;
/* What the server refused, by SQLSTATE. */
fhir_error_t *fhir_pg_result_error(const PGresult *result, apr_pool_t *pool) FHIR_MUST_CHECK;
/* 1 if nothing was executed and a new connection would do better. */
int fhir_pg_session_lost(const PGresult *result);
/* Says `public_text` if the error has this code. */
fhir_error_t *fhir_pg_explain(fhir_error_t *error, fhir_error_code_t code, const char *public_text) FHIR_MUST_CHECK;
/* The connection's last words in one line, without its host and user. */
const char *fhir_pg_last_words(const PGconn *handle, apr_pool_t *pool);

/* ---- pg_value.c ---- */
void fhir_pg_add_text(fhir_pg_parameters_t *parameters, const char *text); /* NULL is null */
void fhir_pg_add_bytes(fhir_pg_parameters_t *parameters, const void *bytes, int length);
void fhir_pg_add_number(fhir_pg_parameters_t *parameters, apr_int64_t number);
void fhir_pg_add_boolean(fhir_pg_parameters_t *parameters, int value);
void fhir_pg_add_time(fhir_pg_parameters_t *parameters, apr_time_t time); /* microseconds since 1970, as a bigint */

const char *fhir_pg_text(const PGresult *result, int row, int column, apr_pool_t *pool);
const char *fhir_pg_uuid(const PGresult *result, int row, int column, apr_pool_t *pool); /* 36 characters */
const char *fhir_pg_hex(const PGresult *result, int row, int column, apr_pool_t *pool);  /* bytes or uuid, no dashes */
void fhir_pg_bytes(void *bytes, int length, const PGresult *result, int row, int column);
apr_int64_t fhir_pg_number(const PGresult *result, int row, int column); /* int2, int4, int8, boolean; null is 0 */
/* null is 0. The value may go on after these bytes. */
#define FHIR_PG_TIME_LENGTH 8
apr_time_t fhir_pg_time(const PGresult *result, int row, int column);
/* 1 for a UUID in lower case: the form in which we make ids, so equal text is equal id. */
int fhir_pg_is_uuid(const char *text);

/* Of the object `o`: a direct upload whose worker looks after it, unless that failed too often or nobody works. */
#define FHIR_PG_AWAITED                                                                                                \
    "d.object_key = o.object_key AND d.state <> 3 AND d.expires_at > clock_timestamp() - interval '1 day'"
#define FHIR_PG_STILL_AWAITED "EXISTS (SELECT FROM fhir_binary.direct_upload d WHERE " FHIR_PG_AWAITED ")"

/* ---- meta_version.c ---- */
/* The parameters of `commit_version`, and what it said. */
extern const fhir_pg_statement_t fhir_pg_commit_version;
void fhir_pg_add_version_change(fhir_pg_parameters_t *parameters, const fhir_version_change_t *change);
fhir_error_t *fhir_pg_version_made(const fhir_binary_t **binary, const PGresult *result,
                                   const fhir_version_change_t *change, apr_pool_t *pool) FHIR_MUST_CHECK;
/* What can be compared with a version id: one that is no UUID equals none. */
const char *fhir_pg_expected_version(const char *expected_version);

/* ---- meta_binary.c: an object's columns, and a version's, everywhere in this order ---- */
#define FHIR_PG_CONTENT_COLUMNS(object)                                                                                \
    object ".object_key, " object ".store, " object ".locator, " object ".size, " object ".sha256, " object ".sha1"
#define FHIR_PG_CONTENT_WIDTH 6
/* NULL if they are null. */
const fhir_content_t *fhir_pg_content(const PGresult *result, int row, int first_column, apr_pool_t *pool);
#define FHIR_PG_VERSION_COLUMNS(version, object)                                                                       \
    version ".version_id, " version ".sequence, " version ".last_updated, " version ".change, " version                \
            ".content_type, " version ".security_context, " version ".filename, " version                              \
            ".elements, " FHIR_PG_CONTENT_COLUMNS(object)
#define FHIR_PG_VERSION_WIDTH 14
/* NULL if the version's columns are null. project_id and binary_id must live as long as the result. */
const fhir_binary_t *fhir_pg_version(const PGresult *result, int row, int first_column, const char *project_id,
                                     const char *binary_id, apr_pool_t *pool);

/* The policies as they are now, for fhir_membership_t.policies, in the order of policy_ids: one index lookup for each.
 */
#define FHIR_PG_MEMBERSHIP_COLUMNS                                                                                     \
    "m.id, m.project_id, m.profile, m.admin, m.active, m.access, CASE WHEN m.policy_ids IS NOT NULL THEN "             \
    "array_to_string(ARRAY(SELECT a.name FROM unnest(m.policy_ids) p (id) CROSS JOIN LATERAL (SELECT o.id || "         \
    "CASE WHEN o.deleted THEN ' -' ELSE ' ' || o.version_id END AS name FROM fhir_binary.resource o "                  \
    "WHERE o.project_id = m.project_id AND o.type = 'AccessPolicy' AND o.id = p.id OFFSET 0) a), ' ') END"
#define FHIR_PG_MEMBERSHIP_WIDTH 7
/* NULL if there is no row or no membership in it. */
const fhir_membership_t *fhir_pg_read_membership(const PGresult *result, apr_pool_t *pool);
/* 0: what is no valid text for the database can't be in it. */
int fhir_pg_is_valid(const char *text);
void fhir_pg_membership(fhir_membership_t *membership, const PGresult *result, int row, int first_column,
                        apr_pool_t *pool);

#endif
