/* The background worker for direct uploads whose client never called back: completes what has arrived, forgets what
 * never came. */
#include "direct_upload_worker.h"

#include "audit.h"
#include "direct_upload.h"
#include "outcome_map.h"

#define LEASE apr_time_from_sec(120)

int fhir_direct_upload_on(const fhir_settings_t *settings)
{
    apr_array_header_t *names = fhir_store_names(settings->catalog, settings->pool);
    int i;
    for (i = 0; i < names->nelts; i++) {
        if (fhir_store_can_presign(settings->catalog, APR_ARRAY_IDX(names, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

/* The call that the client did not make. */
static void make_exchange(fhir_exchange_t *exchange, fhir_request_t *request, fhir_app_t *app,
                          int (*stopping)(void *baton), void *baton, apr_pool_t *pool)
{
    request->pool = pool;
    request->method = FHIR_METHOD_POST;
    request->method_name = "POST";
    request->path = app->settings->storage_base_path;
    request->headers = apr_table_make(pool, 1);
    request->body = fhir_body_memory("", 0, 0, pool);
    request->received = apr_time_now();
    request->deadline = request->received + app->settings->request_timeout;
    request->cancelled = stopping;
    request->cancelled_baton = baton;
    exchange->app = app;
    exchange->settings = app->settings;
    exchange->request = request;
    exchange->pool = pool;
    exchange->query = apr_array_make(pool, 0, sizeof(fhir_parameter_t));
    exchange->route.kind = FHIR_ROUTE_SIGNED;
}

static void make_url(fhir_signed_t *url, fhir_exchange_t *exchange, const fhir_direct_upload_t *upload)
{
    exchange->request->request_id = upload->version_id;
    exchange->route.id = upload->binary_id;
    exchange->route.version_id = upload->version_id;
    url->presign.method = "POST";
    url->presign.binary_id = upload->binary_id;
    url->presign.version_id = upload->version_id;
    url->presign.membership_id = upload->membership_id;
    url->presign.key_id = upload->key_id;
    url->presign.expires = upload->expires;
}

/* Rights are asked now, as they would be of the client's own call. */
static void complete(fhir_direct_result_t *result, fhir_exchange_t *exchange, fhir_signed_t *url,
                     const fhir_direct_upload_t *upload)
{
    fhir_error_t *error = fhir_signed_load_upload(url, exchange);
    if (!error || url->facts.version) {
        fhir_direct_complete(result, exchange, url, upload);
        return;
    }
    result->error = error;
    result->outcome =
        error->code == FHIR_ERROR_FORBIDDEN || error->code == FHIR_ERROR_GONE || error->code == FHIR_ERROR_NOT_FOUND
            ? FHIR_DIRECT_REFUSED
            : FHIR_DIRECT_FAILED;
}

/* An event for what became of it, as the client's call would have made. */
static void note(const fhir_direct_result_t *result, fhir_exchange_t *exchange)
{
    const fhir_delivery_t delivery = {0, 0, 1};
    fhir_response_t *response;
    if (!(result->outcome == FHIR_DIRECT_DONE && result->made) && result->outcome != FHIR_DIRECT_REFUSED) {
        return;
    }
    response = result->error ? fhir_error_response(result->error, FHIR_FORMAT_JSON, exchange->pool)
                             : fhir_response_create(200, exchange->pool);
    exchange->audit.detail = "sent to the store directly; its sender did not call";
    fhir_audit_answered(response, exchange);
    fhir_app_finished(exchange->app, response, &delivery);
}

static fhir_error_t *clear(fhir_exchange_t *exchange, const fhir_direct_upload_t *upload)
{
    fhir_direct_result_t failed = {FHIR_DIRECT_FAILED, NULL, 0, fhir_direct_clear(exchange, upload)};
    if (failed.error) {
        fhir_direct_settle(&failed, exchange, upload, 0);
    }
    return NULL;
}

fhir_error_t *fhir_direct_upload_run(int *worked, fhir_app_t *app, int (*stopping)(void *baton), void *baton,
                                     apr_pool_t *pool)
{
    const fhir_direct_upload_t *upload;
    fhir_direct_result_t result = {0};
    fhir_exchange_t exchange = {0};
    fhir_request_t request = {0};
    fhir_signed_t url = {0};
    fhir_call_t call;
    *worked = 0;
    make_exchange(&exchange, &request, app, stopping, baton, pool);
    call = fhir_exchange_call_after_body(&exchange);
    FHIR_TRY(fhir_meta_direct_claim(&upload, app->meta, fhir_store_names(app->settings->catalog, pool), LEASE, &call));
    if (!upload) {
        return NULL;
    }
    *worked = 1;
    make_url(&url, &exchange, upload);
    if (upload->given_up) {
        return clear(&exchange, upload);
    }
    complete(&result, &exchange, &url, upload);
    fhir_direct_settle(&result, &exchange, upload, 0);
    note(&result, &exchange);
    return NULL;
}
