/* What the files of the azure plugin share. Source: Azure Blob Storage REST API, version 2023-11-03.
 *
 * A blob is named prefix + locator, the locator is "ab/cd/<key>" where ab and cd are the key's first four digits. Every
 * blob is created with If-None-Match: *, so nothing is ever overwritten. A zero-length blob with the metadata
 * AZURE_REMOVED is no object: it exists between the two requests that take uncommitted blocks away. */
#ifndef FHIR_AZURE_H
#define FHIR_AZURE_H

#include "../common/http.h"
#include "crc64.h"
#include "renewed.h"

#include <apr_thread_mutex.h>

#define AZURE_VERSION "2023-11-03"
#define AZURE_ANSWER_MAX ((apr_size_t)64 << 10)
#define AZURE_BLOCKS_MAX 50000
#define AZURE_BLOCK_SIZE_MAX ((apr_off_t)4000 << 20)
#define AZURE_PUT_BLOB_MAX ((apr_off_t)5000 << 20)
#define AZURE_PARALLEL_MAX 8
#define AZURE_KEY_MAX 128 /* bytes of an account key; today's have 64 */
/* Which upload made this blob: after a lost answer it tells ours from another's. */
#define AZURE_WRITER "x-ms-meta-writer"
#define AZURE_REMOVED "x-ms-meta-removed"

typedef enum azure_credential_kind_t {
    AZURE_SHARED_KEY,
    AZURE_CLIENT_SECRET,
    AZURE_MANAGED_IDENTITY
} azure_credential_kind_t;

/* A secret of some bytes. */
typedef struct azure_key_t {
    unsigned char bytes[AZURE_KEY_MAX];
    apr_size_t length;
} azure_key_t;

struct fhir_store_config_t {
    const char *account;
    const char *container;
    const char *prefix;          /* "" or ends with '/' */
    const char *endpoint;        /* https://account.blob.core.windows.net, no '/' at the end */
    const char *public_endpoint; /* the same for clients */
    const char *ca_file;
    azure_credential_kind_t credentials;
    azure_key_t account_key;
    const char *tenant_id;
    const char *client_id;
    const char *client_secret;
    const char *authority;
    const char *identity_client_id;
    const char *identity_endpoint;
    const char *identity_header; /* not NULL: the endpoint is App Service's, not the instance's */
    const char *customer_key;    /* base64, NULL: none */
    const char *customer_key_sha256;
    const char *encryption_scope;
    const char *access_tier;
    const char *stored_policy;
    const char *sas_ip;
    const char *sas_protocol;
    apr_off_t put_blob_size; /* a body of known length up to this is one streamed Put Blob */
    apr_off_t block_size;
    apr_int64_t parallel_blocks;
    apr_interval_time_t connect_timeout;
    apr_interval_time_t stall_timeout;
    apr_interval_time_t request_timeout;
    apr_int64_t connections;
};

typedef struct azure_positions_t azure_positions_t;

struct fhir_store_t {
    const fhir_store_config_t *config;
    fhir_http_client_t *client;       /* for what changes something */
    fhir_http_client_t *read_client;  /* for GET: see azure_client_of */
    fhir_http_client_t *token_client; /* another host, another CA */
    azure_renewed_t *token;           /* NULL with a shared key */
    azure_renewed_t *delegation_key;  /* NULL with a shared key */
    azure_positions_t *positions;
    const azure_crc64_t *crc64;
};

/* ---- options.c ---- */
fhir_error_t *azure_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                              apr_pool_t *pool) FHIR_MUST_CHECK;
/* The path in a URL without query: "" or "/devstoreaccount1". */
const char *azure_path_of(const char *url);

/* ---- names ---- */
/* "/container/prefix/ab/cd/key" */
const char *azure_blob_path(const fhir_store_config_t *config, const char *locator, apr_pool_t *pool);

/* ---- shared_key.c: pure ---- */
typedef struct azure_parameter_t {
    const char *name; /* neither is escaped */
    const char *value;
} azure_parameter_t;

typedef struct azure_request_t {
    const char *operation; /* for the log: `Put Block` */
    const char *method;
    const char *path;               /* below the endpoint; nothing in it must be escaped */
    apr_array_header_t *parameters; /* of azure_parameter_t */
    apr_array_header_t *headers;    /* of fhir_http_header_t */
    const void *body;               /* NULL: none, or it comes in pieces */
    apr_off_t length;               /* of the body */
} azure_request_t;

void azure_request_init(azure_request_t *request, const char *operation, const char *method, const char *path,
                        apr_pool_t *pool);
void azure_add_parameter(azure_request_t *request, const char *name, const char *value);
void azure_add_header(azure_request_t *request, const char *name, const char *value);
/* RFC 3986: all but A-Z a-z 0-9 - . _ ~ is escaped. */
const char *azure_escape(const char *text, apr_pool_t *pool);
const char *azure_query(const azure_request_t *request, apr_pool_t *pool);
const char *azure_string_to_sign(const azure_request_t *request, const char *account, const char *endpoint_path,
                                 apr_pool_t *pool);
/* Base64 of HMAC-SHA256. */
const char *azure_signature(const azure_key_t *key, const char *text, apr_pool_t *pool);
/* RFC 1123, as in x-ms-date. */
const char *azure_http_date(apr_time_t time, apr_pool_t *pool);
/* 2026-11-21T12:00:00Z */
const char *azure_iso_date(apr_time_t time, apr_pool_t *pool);

/* ---- token.c ---- */
fhir_error_t *azure_token_open(fhir_store_t *store, apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- request.c ---- */
/* Uploads and large answers never share a connection: a server on Node.js with TLS, as Azurite, breaks off a request
 * with a body that follows a large answer at once. */
fhir_http_client_t *azure_client_of(const fhir_store_t *store, const azure_request_t *request);
/* Date, version and authorization; for a body in pieces. `token` is what was used, may be NULL. */
fhir_error_t *azure_authorize(fhir_http_request_t *http, const char **token, fhir_store_t *store,
                              const azure_request_t *request, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* One request and its answer, at most config->request_timeout each time; a status other than 2xx is an error, and
 * *response tells it (status 0: there was no answer). An expired token is renewed once. `repeatable`: transient errors
 * are tried again. */
fhir_error_t *azure_call(fhir_http_response_t *response, fhir_store_t *store, const azure_request_t *request,
                         apr_size_t limit, int repeatable, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* What stores something is answered with 201. Whoever stands in for the store (a proxy, a page about maintenance) may
 * say 2xx, too. */
fhir_error_t *azure_check_created(const fhir_http_response_t *response, const azure_request_t *request,
                                  apr_pool_t *pool) FHIR_MUST_CHECK;
/* A copy whose deadline is at most the request timeout away. */
fhir_store_call_t azure_bounded(const fhir_store_t *store, const fhir_store_call_t *call);
/* For cleaning up: no cancellation, and always some seconds. */
fhir_store_call_t azure_cleanup_call(const fhir_store_t *store, const fhir_store_call_t *call);
fhir_error_t *azure_copy_error(const fhir_error_t *error, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The headers of requests that read, and of those that store, with a key or scope of the customer's. */
void azure_add_read_headers(azure_request_t *request, const fhir_store_config_t *config);
void azure_add_write_headers(azure_request_t *request, const fhir_store_config_t *config);

/* ---- status.c ---- */
/* NULL for 2xx. What Azure's own code says comes before what the status alone would mean. */
fhir_error_t *azure_status_error(const fhir_http_response_t *response, const azure_request_t *request,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* Azure's own code: `BlobNotFound`; "" if there is none. */
const char *azure_code(const fhir_http_response_t *response);
/* Seconds that our clock is before (negative) or after the server's; 0 if the answer has no date. */
apr_int64_t azure_clock_skew(const fhir_http_response_t *response);

/* ---- object.c ---- */
void azure_fill_info(fhir_object_info_t *info, const fhir_http_response_t *response, apr_off_t length,
                     apr_pool_t *pool);
/* HEAD; NOT_FOUND also for a blob that is marked as removed. *response may be looked at on success. */
fhir_error_t *azure_head(fhir_http_response_t *response, fhir_store_t *store, const char *locator,
                         const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Takes uncommitted blocks away, if nothing is committed at that name. */
fhir_error_t *azure_discard_blocks(fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Deletes what is there if its ETag is this one (NULL: any). */
fhir_error_t *azure_delete(fhir_store_t *store, const char *locator, const char *etag,
                           const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *azure_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                         const fhir_store_call_t *call);
fhir_error_t *azure_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call);

/* ---- list.c ---- */
azure_positions_t *azure_positions_create(apr_pool_t *pool);
void azure_positions_close(azure_positions_t *positions);
/* Is anything there, uncommitted blocks included? */
fhir_error_t *azure_is_listed(int *listed, fhir_store_t *store, const char *locator,
                              const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *azure_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                         fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call);

/* ---- writer.c, put.c, block.c, commit.c ---- */
fhir_error_t *azure_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                 const fhir_store_call_t *call);
fhir_error_t *azure_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                 const fhir_store_call_t *call);
fhir_error_t *azure_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call);
void azure_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call);

/* ---- reader.c ---- */
fhir_error_t *azure_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call);
fhir_error_t *azure_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call);
void azure_reader_close(fhir_reader_t *reader);

/* ---- sas.c: pure; presign.c ---- */
typedef struct azure_delegation_key_t {
    const char *object_id;
    const char *tenant_id;
    const char *start;
    const char *expiry;
    const char *service;
    const char *version;
    const char *value; /* base64 */
} azure_delegation_key_t;

/* A shared access signature for one blob (sr=b). NULL and "" both mean: without this field. */
typedef struct azure_sas_t {
    const char *permissions;
    const char *start;
    const char *expiry;
    const char *resource; /* /blob/account/container/name */
    const char *identifier;
    const char *ip;
    const char *protocol;
    const char *encryption_scope;
    const char *cache_control;
    const char *content_disposition;
    const char *content_type;
    const azure_delegation_key_t *delegation; /* NULL: signed with the account's key */
} azure_sas_t;

const char *azure_sas_string_to_sign(const azure_sas_t *sas, apr_pool_t *pool);
/* The query string of the URL, signature included. */
const char *azure_sas_query(const azure_sas_t *sas, const azure_key_t *key, apr_pool_t *pool);
fhir_error_t *azure_delegation_open(fhir_store_t *store, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *azure_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                            const fhir_store_presign_request_t *request, const fhir_store_call_t *call);
fhir_error_t *azure_can_presign(const fhir_store_config_t *config, int write, apr_pool_t *pool);

#endif
