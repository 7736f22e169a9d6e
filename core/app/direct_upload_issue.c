/* A URL of the store for one PUT of one new version, and ours to complete it. */
#include "direct_upload.h"

#include "../base/digest.h"
#include "intake.h"
#include "presign.h"
#include "redirect.h"

#define LOOK_AFTER apr_time_from_sec(60)

static fhir_error_t *place(fhir_direct_upload_t *upload, fhir_open_store_t **store, const fhir_exchange_t *exchange)
{
    const fhir_settings_t *settings = exchange->settings;
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    FHIR_TRY(fhir_store_get(store, settings->catalog, settings->default_store, exchange->pool));
    FHIR_TRY(fhir_store_new_object(&upload->object_key, &upload->locator, *store, &call));
    upload->store = fhir_store_name(*store);
    return NULL;
}

/* Asked for before anything is registered: a store that gives no URL leaves nothing behind. */
static fhir_error_t *presign(fhir_store_presigned_t *presigned, const fhir_exchange_t *exchange,
                             fhir_open_store_t *store, const fhir_direct_upload_t *upload)
{
    fhir_store_presign_request_t request = {0};
    request.struct_size = sizeof(request);
    request.locator = upload->locator;
    request.write = 1;
    request.expires = upload->expires;
    request.content_type = upload->content_type;
    return fhir_redirect_presign(presigned, exchange, store, &request);
}

static apr_time_t expiry(const fhir_exchange_t *exchange)
{
    apr_interval_time_t lifetime = exchange->settings->signed_url_lifetime;
    lifetime = lifetime < FHIR_REDIRECT_LIFETIME_MAX ? lifetime : FHIR_REDIRECT_LIFETIME_MAX;
    return apr_time_from_sec(apr_time_sec(exchange->request->received + lifetime));
}

static fhir_error_t *prepare(fhir_direct_upload_t *upload, fhir_presigner_t *presigner, const fhir_exchange_t *exchange,
                             const fhir_binary_facts_t *facts)
{
    FHIR_TRY(fhir_check_refused(exchange, facts->current->content_type, facts->current->filename));
    FHIR_TRY(fhir_presigner_init(presigner, exchange, facts->membership->id));
    /* The version to be is named now, so that it is made once, whoever completes it. */
    FHIR_TRY(fhir_random_uuid(&upload->version_id, exchange->pool));
    upload->project_id = facts->membership->project_id;
    upload->membership_id = facts->membership->id;
    upload->key_id = presigner->key.id;
    upload->binary_id = facts->current->id;
    upload->content_type = facts->current->content_type;
    upload->expires = expiry(exchange);
    return NULL;
}

fhir_error_t *fhir_direct_upload_issue(const fhir_direct_url_t **direct, const fhir_exchange_t *exchange,
                                       const fhir_binary_facts_t *facts)
{
    const fhir_settings_t *settings = exchange->settings;
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_direct_url_t *made = apr_pcalloc(exchange->pool, sizeof(*made));
    fhir_direct_upload_t upload = {0};
    fhir_store_presigned_t presigned;
    fhir_presigner_t presigner;
    fhir_open_store_t *store;
    fhir_error_t *error;
    *direct = NULL;
    if (!(fhir_settings_redirect(settings, settings->default_store) & FHIR_REDIRECT_UPLOAD)) {
        return NULL;
    }
    FHIR_TRY(prepare(&upload, &presigner, exchange, facts));
    FHIR_TRY(place(&upload, &store, exchange));
    error = presign(&presigned, exchange, store, &upload);
    if (error) {
        fhir_redirect_log(exchange, error);
        return NULL;
    }
    FHIR_TRY(fhir_meta_direct_register(exchange->app->meta, &upload, LOOK_AFTER, &call));
    made->url = presigned.url;
    made->headers = presigned.headers;
    made->header_count = presigned.header_count;
    made->expires = upload.expires;
    presigner.expires = upload.expires + FHIR_DIRECT_GRACE;
    made->complete = fhir_presigner_complete_url(&presigner, upload.binary_id, upload.version_id);
    *direct = made;
    return NULL;
}
