/* One blob: stat, remove, and how uncommitted blocks are taken away. */
#include "azure.h"

#include <apr_date.h>
#include <string.h>

void azure_fill_info(fhir_object_info_t *info, const fhir_http_response_t *response, apr_off_t length, apr_pool_t *pool)
{
    const char *modified = apr_table_get(response->headers, "Last-Modified");
    const char *etag = apr_table_get(response->headers, "ETag");
    apr_time_t time = modified ? apr_date_parse_http(modified) : APR_DATE_BAD;
    info->length = length;
    info->modified = time == APR_DATE_BAD ? 0 : time;
    info->checksum = etag ? apr_pstrdup(pool, etag) : NULL;
}

static fhir_error_t *head(fhir_http_response_t *response, fhir_store_t *store, const char *locator,
                          const fhir_store_call_t *call)
{
    azure_request_t request;
    azure_request_init(&request, "Get Blob Properties", "HEAD",
                       azure_blob_path(store->config, locator, call->result_pool), call->result_pool);
    azure_add_read_headers(&request, store->config);
    return azure_call(response, store, &request, AZURE_ANSWER_MAX, 1, call);
}

fhir_error_t *azure_head(fhir_http_response_t *response, fhir_store_t *store, const char *locator,
                         const fhir_store_call_t *call)
{
    FHIR_TRY(head(response, store, locator, call));
    if (apr_table_get(response->headers, AZURE_REMOVED)) {
        return fhir_plugin_not_found(call->result_pool);
    }
    return NULL;
}

fhir_error_t *azure_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                         const fhir_store_call_t *call)
{
    fhir_http_response_t response = {0};
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    FHIR_TRY(azure_head(&response, store, locator, call));
    if (response.content_length < 0) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                                 "The store failed unexpectedly. Tell the operator of this server.",
                                 "Get Blob Properties: the answer has no length");
    }
    azure_fill_info(info, &response, response.content_length, call->result_pool);
    return NULL;
}

fhir_error_t *azure_delete(fhir_store_t *store, const char *locator, const char *etag, const fhir_store_call_t *call)
{
    azure_request_t request;
    fhir_http_response_t response;
    azure_request_init(&request, "Delete Blob", "DELETE", azure_blob_path(store->config, locator, call->result_pool),
                       call->result_pool);
    azure_add_header(&request, "x-ms-delete-snapshots", "include");
    if (etag) {
        azure_add_header(&request, "If-Match", etag);
    }
    return azure_call(&response, store, &request, AZURE_ANSWER_MAX, 1, call);
}

static int has_code(const fhir_error_t *error, fhir_error_code_t code)
{
    return error && error->code == code;
}

/* After a lost answer the empty blob that is in the way may be our own. EXISTS: it is somebody's object. */
static fhir_error_t *delete_if_removed(fhir_store_t *store, const char *locator, fhir_error_t *exists,
                                       const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    FHIR_TRY(head(&response, store, locator, call));
    if (!apr_table_get(response.headers, AZURE_REMOVED)) {
        return exists;
    }
    return azure_delete(store, locator, apr_table_get(response.headers, "ETag"), call);
}

static fhir_error_t *put_empty_list(fhir_http_response_t *response, fhir_store_t *store, const char *locator,
                                    const fhir_store_call_t *call)
{
    static const char empty_list[] = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList></BlockList>";
    azure_request_t request;
    azure_request_init(&request, "Put Block List (empty)", "PUT",
                       azure_blob_path(store->config, locator, call->result_pool), call->result_pool);
    azure_add_parameter(&request, "comp", "blocklist");
    azure_add_header(&request, "If-None-Match", "*");
    azure_add_header(&request, AZURE_REMOVED, "1");
    azure_add_write_headers(&request, store->config);
    request.body = empty_list;
    request.length = sizeof(empty_list) - 1;
    FHIR_TRY(azure_call(response, store, &request, AZURE_ANSWER_MAX, 1, call));
    return azure_check_created(response, &request, call->result_pool);
}

/* Azure deletes nothing that was never committed, and keeps such blocks for a week. But a block list takes all blocks
 * away that it does not name. So an empty list is committed, marked as removed (stat, reads and listings pass it over)
 * and deleted. A crash in between leaves an empty blob that `remove` takes away. */
fhir_error_t *azure_discard_blocks(fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    fhir_http_response_t response;
    fhir_error_t *error = put_empty_list(&response, store, locator, call);
    error = !error ? azure_delete(store, locator, apr_table_get(response.headers, "ETag"), call)
            : has_code(error, FHIR_ERROR_EXISTS) ? delete_if_removed(store, locator, error, call)
                                                 : error;
    return has_code(error, FHIR_ERROR_NOT_FOUND) ? NULL : error; /* somebody was faster */
}

/* Blocks of a writer that never committed. *existed: there were some. */
static fhir_error_t *remove_remains(int *existed, fhir_store_t *store, const char *locator,
                                    const fhir_store_call_t *call)
{
    fhir_error_t *error;
    FHIR_TRY(azure_is_listed(existed, store, locator, call));
    if (!*existed) {
        return NULL;
    }
    error = azure_discard_blocks(store, locator, call);
    if (has_code(error, FHIR_ERROR_EXISTS)) { /* committed meanwhile */
        error = azure_delete(store, locator, NULL, call);
    }
    return has_code(error, FHIR_ERROR_NOT_FOUND) ? NULL : error;
}

fhir_error_t *azure_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    fhir_error_t *error;
    *existed = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    error = azure_delete(store, locator, NULL, call);
    if (has_code(error, FHIR_ERROR_NOT_FOUND)) {
        return remove_remains(existed, store, locator, call);
    }
    *existed = error == NULL;
    return error;
}
