/* ListMultipartUploads: what writers left that never ended. */
#include "s3.h"

#include <string.h>

#define UPLOADS_PER_PAGE "200"
#define ANSWER_MAX ((apr_size_t)1024 * 1024)
#define UPLOAD_ID_MAX 1024

static fhir_error_t *not_understood(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                             "The store is overloaded or unreachable; try again.",
                             "ListMultipartUploads: the answer is no ListMultipartUploadsResult");
}

/* Encoded only if the server says so. */
static const char *key_of(const apr_xml_elem *parent, const char *name, int encoded, apr_pool_t *pool)
{
    const char *text = s3_xml_text(parent, name, pool);
    return text && *text && encoded ? s3_decode_key(text, pool) : text;
}

static const char *id_of(const apr_xml_elem *parent, const char *name, apr_pool_t *pool)
{
    const char *text = s3_xml_text(parent, name, pool);
    return text && *text && strlen(text) <= UPLOAD_ID_MAX ? text : NULL;
}

static fhir_error_t *read_page(s3_upload_page_t *page, const fhir_http_response_t *response, apr_pool_t *pool,
                               const fhir_store_call_t *call)
{
    const apr_xml_elem *root = s3_xml_root(response->body, response->body_length, "ListMultipartUploadsResult", pool);
    const apr_xml_elem *element = s3_xml_child(root, "Upload");
    const char *truncated = root ? s3_xml_text(root, "IsTruncated", pool) : NULL;
    int encoded = root && s3_xml_child(root, "EncodingType");
    if (!root) {
        return not_understood(call->result_pool);
    }
    for (; element; element = s3_xml_next(element, "Upload")) {
        const char *key = key_of(element, "Key", encoded, pool);
        const char *id = id_of(element, "UploadId", pool);
        if (key && id) {
            s3_upload_t *upload = apr_array_push(page->uploads);
            upload->key = key;
            upload->id = id;
            upload->initiated = s3_xml_time(s3_xml_text(element, "Initiated", pool));
        }
    }
    page->truncated = truncated && !strcmp(truncated, "true");
    if (page->truncated) {
        const char *key = key_of(root, "NextKeyMarker", encoded, pool);
        page->next_key = key && *key ? key : NULL;
        page->next_id = id_of(root, "NextUploadIdMarker", pool);
    }
    return NULL;
}

fhir_error_t *s3_list_uploads(s3_upload_page_t *page, fhir_store_t *store, const char *beginning,
                              const char *key_marker, const char *id_marker, apr_pool_t *pool,
                              const fhir_store_call_t *call)
{
    fhir_store_call_t within = *call;
    fhir_http_response_t response;
    s3_operation_t operation;
    page->uploads = apr_array_make(pool, 8, sizeof(s3_upload_t));
    page->truncated = 0;
    page->next_key = NULL;
    page->next_id = NULL;
    within.scratch_pool = pool;
    within.result_pool = pool;
    s3_operation_init(&operation, store, "ListMultipartUploads", "GET", NULL, pool);
    s3_add_parameter(&operation, "uploads", "");
    s3_add_parameter(&operation, "encoding-type", "url");
    s3_add_parameter(&operation, "max-uploads", UPLOADS_PER_PAGE);
    s3_add_parameter(&operation, "prefix", apr_pstrcat(pool, store->config->prefix, beginning, NULL));
    if (key_marker) {
        s3_add_parameter(&operation, "key-marker", key_marker);
    }
    if (key_marker && id_marker) {
        s3_add_parameter(&operation, "upload-id-marker", id_marker);
    }
    operation.repeatable = 1;
    FHIR_TRY(s3_call(&response, store, &operation, ANSWER_MAX, &within));
    return read_page(page, &response, pool, &within);
}
