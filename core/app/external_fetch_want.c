/* From a resource that was written to the queue of what is to be fetched. */
#include "external_fetch_want.h"

#include "../fetch/download.h"
#include "../fhir/external_urls.h"
#include "external_fetch.h"

#include <string.h>

int fhir_external_fetch_on(const fhir_settings_t *settings)
{
    return settings->base_url && settings->fetch_external;
}

/* What is ours and names no Binary leads nowhere: asking ourselves would not help. */
static int is_ours(const fhir_settings_t *settings, const char *url)
{
    return strncmp(url, settings->fhir_base, strlen(settings->fhir_base)) == 0 ||
           strncmp(url, settings->storage_base_url, strlen(settings->storage_base_url)) == 0;
}

fhir_error_t *fhir_external_fetch_wanted(apr_array_header_t **urls, const fhir_settings_t *settings, const char *type,
                                         const fhir_store_resource_t *stored, apr_pool_t *pool)
{
    apr_array_header_t *found;
    int i;
    *urls = apr_array_make(pool, 2, sizeof(fhir_fetch_url_t));
    if (!fhir_external_fetch_on(settings)) {
        return NULL;
    }
    FHIR_TRY(fhir_external_urls(&found, stored->document, 0, type, NULL, FHIR_EXTERNAL_FETCH_MAX, pool));
    for (i = 0; i < found->nelts; i++) {
        const fhir_external_url_t *url = &APR_ARRAY_IDX(found, i, fhir_external_url_t);
        if (!is_ours(settings, url->url) && !fhir_download_check_url(url->url, settings->fetch_hosts, pool)) {
            fhir_fetch_url_t *wanted = apr_array_push(*urls);
            wanted->path = url->path;
            wanted->url = url->url;
        }
    }
    return NULL;
}

void fhir_external_fetch_enqueue(const fhir_exchange_t *exchange, const fhir_resource_change_t *change)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    apr_array_header_t *urls;
    fhir_error_t *error;
    if (!change->stored || !fhir_external_fetch_on(exchange->settings)) {
        return;
    }
    call.cancelled = NULL; /* the version is made, whether the client waits or not */
    error = fhir_external_fetch_wanted(&urls, exchange->settings, change->type, change->stored, exchange->pool);
    if (!error) {
        error = fhir_meta_fetch_enqueue(exchange->app->meta, change->project_id, change->membership_id, change->type,
                                        change->id, urls, &call);
    }
    if (error) {
        fhir_log_error(
            call.log, FHIR_LOG_WARNING, error,
            "queueing attachments of other servers; they keep their URLs until the resource is written again");
    }
}
