/* What the files of the s3 plugin share.
 *
 * An object's key in the bucket is the configured prefix and the locator "ab/cd/<key>". Whatever makes an object
 * carries a random mark (x-amz-meta-upload), so that after a lost answer it can be told whether the object there is
 * ours. */
#ifndef FHIR_S3_H
#define FHIR_S3_H

#include "sigv4.h"

#include <apr_xml.h>
#include <openssl/evp.h>
#include <stdatomic.h>

/* What is sent at a time, and the size of signed chunks. */
#define S3_BLOCK ((apr_size_t)64 * 1024)
#define S3_ANSWER_MAX ((apr_size_t)64 * 1024)
#define S3_PARTS_MAX 10000
#define S3_PARALLEL_MAX 8
#define S3_MARK_LENGTH 32
#define S3_MARK_HEADER "x-amz-meta-upload"

typedef enum s3_encryption_t {
    S3_ENCRYPTION_NONE = 0,
    S3_ENCRYPTION_SSE_S3,
    S3_ENCRYPTION_SSE_KMS,
    S3_ENCRYPTION_SSE_C
} s3_encryption_t;

typedef struct s3_endpoint_t {
    const char *scheme;
    const char *host; /* as the Host header has it: with bucket (virtual) and port (unless it is the scheme's own) */
} s3_endpoint_t;

struct fhir_store_config_t {
    s3_endpoint_t endpoint;
    s3_endpoint_t public_endpoint;
    const char *region;
    const char *bucket;
    const char *prefix;    /* "" or ends with a slash */
    const char *base_path; /* "/" or "/bucket/" */
    const char *ca_file;
    s3_credential_config_t *credentials;
    const char *storage_class; /* NULL: the bucket's default */
    s3_encryption_t encryption;
    const char *kms_key_id;       /* NULL: the service's default */
    const char *customer_key;     /* base64, SSE-C; a secret */
    const char *customer_key_md5; /* base64 */
    int sign_payload;             /* of streamed bodies */
    int if_none_match;
    apr_off_t multipart_threshold;
    apr_off_t part_size;
    int parallel_parts;
    const char *spool_directory; /* NULL: the system's */
    apr_interval_time_t connect_timeout;
    apr_interval_time_t stall_timeout;
    apr_interval_time_t request_timeout;
    int connections;
};

struct fhir_store_t {
    const fhir_store_config_t *config;
    fhir_http_client_t *http;
    s3_credential_source_t *credentials;
    _Atomic apr_int64_t clock_offset;  /* microseconds: the server's clock minus ours */
    _Atomic apr_int64_t write_checked; /* when health last saw that writing is allowed */
    atomic_int health_left;            /* there may be an upload of health's whose id we never heard */
};

/* ---- config.c, config_endpoint.c, config_encryption.c ---- */
fhir_error_t *s3_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                           apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *s3_configure_endpoints(fhir_store_config_t *config, const char *endpoint, const char *public_endpoint,
                                     const char *addressing, apr_pool_t *pool) FHIR_MUST_CHECK;
/* `encryption`, and what belongs to it. */
typedef struct s3_encryption_options_t {
    const char *encryption;
    const char *kms_key_id;
    const char *customer_key_file;
    const char *insecure; /* SSE-C without TLS */
} s3_encryption_options_t;
fhir_error_t *s3_configure_encryption(fhir_store_config_t *config, const s3_encryption_options_t *options,
                                      apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- requests.c: one request of the S3 API ---- */
typedef struct s3_operation_t {
    const char *name; /* as the API calls it, for the log */
    const char *method;
    const char *path;
    apr_array_header_t *parameters; /* of s3_parameter_t */
    apr_array_header_t *headers;    /* of fhir_http_header_t, without the signer's */
    const char *payload_sha256;     /* NULL: of `body` */
    const void *body;
    apr_size_t body_length;
    int slow;       /* may take as long as the call has time */
    int repeatable; /* may be sent again when it is not known what became of it */
} s3_operation_t;

typedef struct s3_signed_t {
    fhir_http_request_t http;
    s3_signer_t signer;
    const char *signature;
} s3_signed_t;

/* `locator` NULL: the bucket itself. */
void s3_operation_init(s3_operation_t *operation, const fhir_store_t *store, const char *name, const char *method,
                       const char *locator, apr_pool_t *pool);
void s3_add_parameter(s3_operation_t *operation, const char *name, const char *value);
void s3_add_header(s3_operation_t *operation, const char *name, const char *value);
/* What a request must say that reads or adds to an object: the customer's key. */
void s3_add_customer_key(s3_operation_t *operation, const fhir_store_t *store);
/* What a request must say that makes an object: encryption and storage class. */
void s3_add_storage_headers(s3_operation_t *operation, const fhir_store_t *store);
apr_time_t s3_now(const fhir_store_t *store);
fhir_error_t *s3_sign(s3_signed_t *made, fhir_store_t *store, const s3_operation_t *operation,
                      const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Request and answer, repeated where that is right. An answer other than 2xx is an error; response->status is 0 if no
 * answer came. */
fhir_error_t *s3_call(fhir_http_response_t *response, fhir_store_t *store, const s3_operation_t *operation,
                      apr_size_t limit, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The same call, but no longer than one small request may take. */
fhir_store_call_t s3_bounded(const fhir_store_t *store, const fhir_store_call_t *call);
void s3_log(const fhir_store_call_t *call, fhir_store_log_level_t level, const char *format, ...) FHIR_PRINTF(3, 4);

/* ---- refusals.c: what an answer means that is not 2xx ---- */
/* *again: keys or clock were put right, so that the same request may succeed at once. May be NULL. */
fhir_error_t *s3_refusal(int *again, fhir_store_t *store, const fhir_http_response_t *response, const char *operation,
                         const s3_credentials_t *credentials, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Is it unknown after this error whether the server did it? */
int s3_unclear(const fhir_error_t *error, const fhir_http_response_t *response);

/* ---- answers.c: XML ---- */
/* NULL unless it is well-formed XML whose root is called `name` (NULL: any). */
const apr_xml_elem *s3_xml_root(const char *body, apr_size_t length, const char *name, apr_pool_t *pool);
const apr_xml_elem *s3_xml_child(const apr_xml_elem *parent, const char *name);
/* The next sibling called `name`. */
const apr_xml_elem *s3_xml_next(const apr_xml_elem *element, const char *name);
/* Text of the child, NULL if there is none. */
const char *s3_xml_text(const apr_xml_elem *parent, const char *name, apr_pool_t *pool);
/* <Code> of an <Error>, else NULL. Only letters, digits, dots, '-' and '_'. */
const char *s3_error_code(const char *body, apr_size_t length, apr_pool_t *pool);
/* "2026-11-21T13:02:45.824Z", 0 if it is none. */
apr_time_t s3_xml_time(const char *text);
/* -1 if it is no length. */
apr_off_t s3_length(const char *text);
/* What encoding-type=url made of a key; NULL if it is malformed. */
const char *s3_decode_key(const char *text, apr_pool_t *pool);

/* ---- body.c: one request whose body is streamed ---- */
typedef struct s3_body_t {
    fhir_http_transfer_t *transfer; /* NULL: not begun, or ended */
    const char *operation;
    s3_credentials_t credentials;
    apr_off_t remaining;
    int chunked;
    int chunk_open; /* a chunk's line end is still to be sent */
    s3_chunk_signer_t chunks;
} s3_body_t;

/* With operation->payload_sha256 set it is signed by that, else as the store is configured. */
fhir_error_t *s3_body_begin(s3_body_t *body, fhir_store_t *store, s3_operation_t *operation, apr_off_t length,
                            const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* At most S3_BLOCK; all blocks but the last are that long. */
fhir_error_t *s3_body_write(s3_body_t *body, fhir_store_t *store, const void *data, apr_size_t length,
                            const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *s3_body_finish(fhir_http_response_t *response, s3_body_t *body, fhir_store_t *store,
                             const fhir_store_call_t *call) FHIR_MUST_CHECK;
void s3_body_end(s3_body_t *body);

/* ---- spool.c: bytes of a part whose length is not known yet, in a file without a name ---- */
typedef struct s3_spool_t {
    int file; /* -1: none */
    apr_off_t length;
    EVP_MD_CTX *hash; /* NULL: none begun */
} s3_spool_t;

void s3_spool_init(s3_spool_t *spool);
fhir_error_t *s3_spool_write(s3_spool_t *spool, const char *directory, const void *data, apr_size_t length,
                             apr_pool_t *pool) FHIR_MUST_CHECK;
/* Ends the hash. */
fhir_error_t *s3_spool_sha256(char hex[S3_SHA256_HEX_LENGTH + 1], s3_spool_t *spool, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *s3_spool_read(const s3_spool_t *spool, apr_off_t offset, void *buffer, apr_size_t length,
                            apr_pool_t *pool) FHIR_MUST_CHECK;
/* Empty, for the next part. */
fhir_error_t *s3_spool_reset(s3_spool_t *spool, apr_pool_t *pool) FHIR_MUST_CHECK;
void s3_spool_close(s3_spool_t *spool);
/* Sends all of it as the body of `operation`, without waiting for the answer. `buffer` has room for S3_BLOCK. */
fhir_error_t *s3_spool_send(s3_body_t *body, fhir_store_t *store, s3_operation_t *operation, const s3_spool_t *spool,
                            char *buffer, const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* ---- multipart.c ---- */
/* The object that is being made. */
typedef struct s3_target_t {
    char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1];
    char mark[S3_MARK_LENGTH + 1];
    const char *content_type;
} s3_target_t;

typedef struct s3_part_t {
    int number; /* from 1; 0: free */
    apr_pool_t *pool;
    s3_body_t body;
    /* Unknown length only: */
    s3_spool_t spool;
    char sha256[S3_SHA256_HEX_LENGTH + 1];
    fhir_error_t *failed; /* it could not be sent */
    int attempt;
} s3_part_t;

typedef struct s3_multipart_t {
    fhir_store_t *store;
    const s3_target_t *target;
    apr_pool_t *pool;
    const char *upload_id; /* NULL: not begun */
    int lost_uploads;      /* there may be uploads whose id we never heard */
    apr_off_t total;       /* -1: unknown */
    apr_off_t part_size;
    apr_off_t streamed; /* bytes of known total */
    s3_part_t parts[S3_PARALLEL_MAX];
    s3_part_t *current;
    int count;                 /* parts begun */
    apr_array_header_t *etags; /* of const char *, by part number */
    char *buffer;              /* S3_BLOCK, for what goes from file to socket */
} s3_multipart_t;

fhir_error_t *s3_multipart_init(s3_multipart_t *multipart, fhir_store_t *store, const s3_target_t *target,
                                apr_off_t total, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Blocks as for s3_body_write. */
fhir_error_t *s3_multipart_write(s3_multipart_t *multipart, const void *data, apr_size_t length,
                                 const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Everything but the last step: all parts are there. */
fhir_error_t *s3_multipart_settle(s3_multipart_t *multipart, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* All bytes are in one spool file and nothing was sent yet: better one PutObject. NULL otherwise. */
s3_part_t *s3_multipart_only_part(s3_multipart_t *multipart);
fhir_error_t *s3_multipart_complete(fhir_http_response_t *response, s3_multipart_t *multipart,
                                    const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* After success. */
void s3_multipart_end(s3_multipart_t *multipart, const fhir_store_call_t *call);
void s3_multipart_abort(s3_multipart_t *multipart, const fhir_store_call_t *call);

/* ---- objects.c ---- */
/* PutObject and CreateMultipartUpload of the target; `name` as the API calls it. */
void s3_target_operation(s3_operation_t *operation, const fhir_store_t *store, const s3_target_t *target,
                         const char *name, apr_pool_t *pool);
/* UNSUPPORTED if the server did not do what encryption= asked for. */
fhir_error_t *s3_check_encrypted(const fhir_store_t *store, const fhir_http_response_t *response,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* HeadObject. *response (may be NULL) may be looked at on success. */
fhir_error_t *s3_head(fhir_object_info_t *info, fhir_http_response_t *response, fhir_store_t *store,
                      const char *locator, const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *s3_delete(fhir_store_t *store, const char *locator, const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *s3_abort_upload(fhir_store_t *store, const char *locator, const char *upload_id,
                              const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* All uploads of this object; *count is how many. */
fhir_error_t *s3_abort_uploads(int *count, fhir_store_t *store, const char *locator,
                               const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The store's own name for the bytes, as it came; NULL if it is missing or empty. */
const char *s3_etag(const fhir_http_response_t *response, apr_pool_t *pool);
apr_time_t s3_modified(const fhir_http_response_t *response);

fhir_error_t *s3_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                      const fhir_store_call_t *call);
fhir_error_t *s3_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call);

/* ---- uploads.c: ListMultipartUploads ---- */
typedef struct s3_upload_t {
    const char *key; /* in the bucket */
    const char *id;
    apr_time_t initiated;
} s3_upload_t;
typedef struct s3_upload_page_t {
    apr_array_header_t *uploads; /* of s3_upload_t */
    int truncated;               /* it is not the last page */
    const char *next_key;        /* NULL: the server did not say */
    const char *next_id;         /* NULL, with next_key: behind all uploads of that key */
} s3_upload_page_t;
/* Uploads whose key begins with prefix and `beginning`, in the order of keys. Some servers begin at key_marker, not
 * behind it. All of it is in `pool`, a child of the result pool, errors included: clear it only after success. */
fhir_error_t *s3_list_uploads(s3_upload_page_t *page, fhir_store_t *store, const char *beginning,
                              const char *key_marker, const char *id_marker, apr_pool_t *pool,
                              const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* ---- the rest of the vtable ---- */
fhir_error_t *s3_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                              const fhir_store_call_t *call);
fhir_error_t *s3_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                              const fhir_store_call_t *call);
fhir_error_t *s3_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call);
void s3_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call);
fhir_error_t *s3_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                             apr_off_t offset, apr_off_t length, const fhir_store_call_t *call);
fhir_error_t *s3_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call);
void s3_reader_close(fhir_reader_t *reader);
fhir_error_t *s3_list(const char **next, fhir_store_t *store, const char *cursor, int limit, fhir_list_entry_fn entry,
                      void *entry_baton, const fhir_store_call_t *call);
fhir_error_t *s3_health(fhir_store_t *store, const fhir_store_call_t *call);
fhir_error_t *s3_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                         const fhir_store_presign_request_t *request, const fhir_store_call_t *call);
fhir_error_t *s3_can_presign(const fhir_store_config_t *config, int write, apr_pool_t *pool);

#endif
