/* The s3 store: objects in a bucket of Amazon S3 or a server that speaks its API. Descriptor, open, close, health. */
#include "s3.h"

#include <string.h>

/* So long the right to write is taken for granted after it was seen. */
#define WRITE_CHECK_LASTS apr_time_from_sec(60)

static fhir_error_t *s3_open(fhir_store_t **store, const fhir_store_config_t *config, const fhir_storage_host_t *host,
                             apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    fhir_http_config_t http = {0};
    fhir_error_t *error;
    (void)host;
    *store = NULL;
    made->config = config;
    atomic_init(&made->clock_offset, 0);
    atomic_init(&made->write_checked, 0);
    atomic_init(&made->health_left, 0);
    http.ca_file = config->ca_file;
    http.connect_timeout = config->connect_timeout;
    http.stall_timeout = config->stall_timeout;
    http.idle_connections = config->connections;
    FHIR_TRY(fhir_http_client_create(&made->http, &http, pool));
    error = s3_credentials_open(&made->credentials, config->credentials, pool);
    if (error) {
        fhir_http_client_close(made->http);
        return error;
    }
    *store = made;
    return NULL;
}

static void s3_close(fhir_store_t *store)
{
    s3_credentials_close(store->credentials);
    fhir_http_client_close(store->http);
}

static fhir_error_t *s3_locate(const char **locator, fhir_store_t *store, const char *object_key,
                               const fhir_store_call_t *call)
{
    char *made;
    (void)store;
    *locator = NULL;
    if (!fhir_plugin_is_key(object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    made = apr_palloc(call->result_pool, FHIR_PLUGIN_LOCATOR_LENGTH + 1);
    fhir_plugin_locator_of(made, object_key);
    *locator = made;
    return NULL;
}

/* Reaches the bucket, with our keys, and may list. */
static fhir_error_t *check_bucket(fhir_store_t *store, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    s3_operation_t operation;
    s3_operation_init(&operation, store, "ListObjectsV2", "GET", NULL, call->scratch_pool);
    s3_add_parameter(&operation, "list-type", "2");
    s3_add_parameter(&operation, "max-keys", "1");
    s3_add_parameter(&operation, "prefix", store->config->prefix);
    FHIR_TRY(s3_call(&response, store, &operation, S3_ANSWER_MAX, call));
    return s3_xml_root(response.body, response.body_length, "ListBucketResult", call->scratch_pool)
               ? NULL
               : fhir_error_create(call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                                   "The store is overloaded or unreachable; try again.",
                                   "ListObjectsV2: the answer is no ListBucketResult: is endpoint= an S3 server?");
}

/* Such an upload would stay for ever: no listing shows it, no removal finds it. What fails now is tried again with the
 * next check. */
static void abort_left(fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    int count;
    fhir_error_t *error = s3_abort_uploads(&count, store, locator, call);
    if (!error) {
        atomic_store(&store->health_left, 0);
        return;
    }
    s3_log(call, FHIR_STORE_LOG_WARNING, "s3: the health check may have left a multipart upload: %s",
           fhir_error_reason(error));
}

static fhir_error_t *try_upload(fhir_store_t *store, const s3_target_t *target, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    const apr_xml_elem *root;
    s3_operation_t operation;
    fhir_error_t *error;
    const char *id;
    s3_target_operation(&operation, store, target, "CreateMultipartUpload", call->scratch_pool);
    s3_add_parameter(&operation, "uploads", "");
    error = s3_call(&response, store, &operation, S3_ANSWER_MAX, call);
    if (s3_unclear(error, &response)) {
        atomic_store(&store->health_left, 1);
    }
    FHIR_TRY(error);
    root = s3_xml_root(response.body, response.body_length, "InitiateMultipartUploadResult", call->scratch_pool);
    id = root ? s3_xml_text(root, "UploadId", call->scratch_pool) : NULL;
    if (id && *id) {
        FHIR_TRY(s3_abort_upload(store, target->locator, id, call));
    }
    return s3_check_encrypted(store, &response, call->result_pool);
}

/* An upload that is begun and aborted asks for the right to write, the KMS key and the storage class, and leaves
 * nothing. Its key is no locator, so it is never listed. */
static fhir_error_t *check_writing(fhir_store_t *store, const fhir_store_call_t *call)
{
    s3_target_t target = {"health", "", "application/octet-stream"};
    fhir_error_t *error;
    memset(target.mark, '0', S3_MARK_LENGTH);
    error = try_upload(store, &target, call);
    if (atomic_load(&store->health_left)) {
        abort_left(store, target.locator, call);
    }
    return error;
}

fhir_error_t *s3_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(fhir_plugin_spool_try(store->config->spool_directory, call->result_pool));
    FHIR_TRY(check_bucket(store, call));
    if (apr_time_now() - atomic_load(&store->write_checked) > WRITE_CHECK_LASTS) {
        FHIR_TRY(check_writing(store, call));
        atomic_store(&store->write_checked, apr_time_now());
    }
    return NULL;
}

static const fhir_storage_plugin_t s3_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 1,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "s3",
    .version = "1.0",
    .capabilities = FHIR_STORAGE_CAN_PRESIGN | FHIR_STORAGE_PERSISTENT,
    .configure = s3_configure,
    .open = s3_open,
    .close = s3_close,
    .health = s3_health,
    .locate = s3_locate,
    .writer_begin = s3_writer_begin,
    .writer_write = s3_writer_write,
    .writer_commit = s3_writer_commit,
    .writer_abort = s3_writer_abort,
    .reader_open = s3_reader_open,
    .reader_read = s3_reader_read,
    .reader_close = s3_reader_close,
    .stat = s3_stat,
    .remove = s3_remove,
    .list = s3_list,
    .presign = s3_presign,
    .can_presign = s3_can_presign,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &s3_plugin;
}
