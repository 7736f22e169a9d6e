/* Requests about one object: its headers, HeadObject, DeleteObject, and the uploads that were never finished. */
#include "s3.h"

#include <apr_date.h>
#include <string.h>

/* Uploads of one key in one listing; each round removes that many. */
#define ABORT_ROUNDS_MAX 10

void s3_target_operation(s3_operation_t *operation, const fhir_store_t *store, const s3_target_t *target,
                         const char *name, apr_pool_t *pool)
{
    int put = !strcmp(name, "PutObject");
    s3_operation_init(operation, store, name, put ? "PUT" : "POST", target->locator, pool);
    if (put && store->config->if_none_match) {
        s3_add_header(operation, "if-none-match", "*");
    }
    s3_add_header(operation, "content-type", target->content_type);
    s3_add_header(operation, S3_MARK_HEADER, target->mark);
    s3_add_storage_headers(operation, store);
}

/* Some servers take the header and ignore it: then the bytes would lie there in clear text. */
fhir_error_t *s3_check_encrypted(const fhir_store_t *store, const fhir_http_response_t *response, apr_pool_t *pool)
{
    const char *header = store->config->encryption == S3_ENCRYPTION_SSE_C
                             ? "x-amz-server-side-encryption-customer-algorithm"
                             : "x-amz-server-side-encryption";
    const char *wanted = store->config->encryption == S3_ENCRYPTION_SSE_KMS ? "aws:kms" : "AES256";
    const char *said = apr_table_get(response->headers, header);
    if (store->config->encryption == S3_ENCRYPTION_NONE || (said && !strcmp(said, wanted))) {
        return NULL;
    }
    return fhir_error_create(pool, FHIR_ERROR_UNSUPPORTED, APR_ENOTIMPL,
                             "The store can't do this. Tell the operator of this server.",
                             "the server does not say that it encrypted the object (%s: %s): it does not know what "
                             "encryption= asks for, and would keep it in clear text",
                             header, wanted);
}

/* Printable and short: it comes from the server and goes back to it. */
const char *s3_etag(const fhir_http_response_t *response, apr_pool_t *pool)
{
    const char *etag = apr_table_get(response->headers, "ETag");
    size_t length = etag ? strlen(etag) : 0;
    size_t i;
    if (length < 3 || length > 128) {
        return NULL;
    }
    for (i = 0; i < length; i++) {
        if (etag[i] < 0x21 || etag[i] > 0x7e) {
            return NULL;
        }
    }
    return apr_pstrdup(pool, etag);
}

apr_time_t s3_modified(const fhir_http_response_t *response)
{
    const char *modified = apr_table_get(response->headers, "Last-Modified");
    apr_time_t time = modified ? apr_date_parse_http(modified) : APR_DATE_BAD;
    return time == APR_DATE_BAD ? 0 : time;
}

fhir_error_t *s3_head(fhir_object_info_t *info, fhir_http_response_t *given, fhir_store_t *store, const char *locator,
                      const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    s3_operation_t operation;
    s3_operation_init(&operation, store, "HeadObject", "HEAD", locator, call->scratch_pool);
    s3_add_customer_key(&operation, store);
    operation.repeatable = 1;
    FHIR_TRY(s3_call(&response, store, &operation, S3_ANSWER_MAX, call));
    if (response.content_length < 0) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                                 "The stored content is damaged. Tell the operator of this server.",
                                 "HeadObject: the answer has no Content-Length");
    }
    info->length = response.content_length;
    info->modified = s3_modified(&response);
    info->checksum = s3_etag(&response, call->result_pool);
    if (given) {
        *given = response;
    }
    return NULL;
}

fhir_error_t *s3_delete(fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    s3_operation_t operation;
    fhir_error_t *error;
    s3_operation_init(&operation, store, "DeleteObject", "DELETE", locator, call->scratch_pool);
    operation.repeatable = 1;
    error = s3_call(&response, store, &operation, S3_ANSWER_MAX, call);
    return error && error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
}

fhir_error_t *s3_abort_upload(fhir_store_t *store, const char *locator, const char *upload_id,
                              const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    s3_operation_t operation;
    fhir_error_t *error;
    s3_operation_init(&operation, store, "AbortMultipartUpload", "DELETE", locator, call->scratch_pool);
    s3_add_parameter(&operation, "uploadId", upload_id);
    operation.repeatable = 1;
    error = s3_call(&response, store, &operation, S3_ANSWER_MAX, call);
    return error && error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
}

static fhir_error_t *abort_page(int *aborted, const s3_upload_page_t *page, const char *key, fhir_store_t *store,
                                const char *locator, const fhir_store_call_t *call)
{
    int i;
    for (i = 0; i < page->uploads->nelts; i++) {
        const s3_upload_t *upload = &APR_ARRAY_IDX(page->uploads, i, s3_upload_t);
        if (!strcmp(upload->key, key)) {
            FHIR_TRY(s3_abort_upload(store, locator, upload->id, call));
            *aborted += 1;
        }
    }
    return NULL;
}

/* From the start in each round, for what was aborted is listed no more. */
fhir_error_t *s3_abort_uploads(int *count, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    const char *key = apr_pstrcat(call->scratch_pool, store->config->prefix, locator, NULL);
    apr_pool_t *pool;
    int round;
    *count = 0;
    apr_pool_create(&pool, call->result_pool);
    for (round = 0; round < ABORT_ROUNDS_MAX; round++) {
        s3_upload_page_t page;
        int aborted = 0;
        FHIR_TRY(s3_list_uploads(&page, store, locator, NULL, NULL, pool, call));
        FHIR_TRY(abort_page(&aborted, &page, key, store, locator, call));
        *count += aborted;
        if (aborted == 0 || !page.truncated) {
            break;
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

fhir_error_t *s3_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    return s3_head(info, NULL, store, locator, call);
}

/* The uploads first: a writer that is about to complete one must not put the object back behind us. DeleteObject does
 * not tell whether there was anything, HeadObject does. */
fhir_error_t *s3_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    fhir_object_info_t info = {0};
    fhir_error_t *error;
    int uploads = 0;
    *existed = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    FHIR_TRY(s3_abort_uploads(&uploads, store, locator, call));
    error = s3_head(&info, NULL, store, locator, call);
    if (error && error->code == FHIR_ERROR_NOT_FOUND) {
        *existed = uploads > 0;
        return NULL;
    }
    FHIR_TRY(error);
    *existed = 1;
    return s3_delete(store, locator, call);
}
