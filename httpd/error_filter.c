/* Errors that httpd itself raises under our paths (bad requests, refused by an authentication module, too large ...)
 * get an OperationOutcome in place of httpd's HTML. */
#include "glue.h"

static ap_filter_rec_t *error_filter;

static int holds_error_bucket(apr_bucket_brigade *brigade)
{
    apr_bucket *bucket;
    for (bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (AP_BUCKET_IS_ERROR(bucket)) {
            return 1;
        }
    }
    return 0;
}

/* httpd's own fields that matter stay: WWW-Authenticate, Allow, Retry-After. */
static void append_outcome(request_rec *r, apr_bucket_brigade *brigade)
{
    const fhir_settings_t *settings = fhir_httpd_server(r->server)->settings;
    int status = r->status;
    fhir_response_t *response = fhir_app_server_error(settings, fhir_httpd_request(r, settings), status);
    int i;
    fhir_httpd_set_head(r, response);
    r->status = status;
    for (i = 0; i < response->segments->nelts && !r->header_only; i++) {
        const fhir_segment_t *segment = &APR_ARRAY_IDX(response->segments, i, fhir_segment_t);
        if (segment->kind == FHIR_SEGMENT_BYTES) {
            APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_pool_create(segment->bytes, (apr_size_t)segment->length,
                                                                    r->pool, r->connection->bucket_alloc));
        }
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(r->connection->bucket_alloc));
}

static apr_status_t replace_body(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;
    if (filter->ctx) {
        /* The rest of httpd's text. */
        apr_brigade_cleanup(brigade);
        return APR_SUCCESS;
    }
    if (r->status < 400 || holds_error_bucket(brigade)) {
        ap_remove_output_filter(filter);
        return ap_pass_brigade(filter->next, brigade);
    }
    filter->ctx = filter;
    apr_brigade_cleanup(brigade);
    append_outcome(r, brigade);
    return ap_pass_brigade(filter->next, brigade);
}

void fhir_httpd_register_error_filter(void)
{
    error_filter = ap_register_output_filter("FHIR_BINARY_ERROR", replace_body, NULL, AP_FTYPE_CONTENT_SET);
}

void fhir_httpd_insert_error_filter(request_rec *r)
{
    if (fhir_httpd_is_ours(r)) {
        ap_add_output_filter_handle(error_filter, NULL, r, r->connection);
    }
}
