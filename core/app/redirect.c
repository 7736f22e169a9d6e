/* Signed reads answered by the store itself. It can't send our Content-Security-Policy and nosniff, nor compare our
 * ETags, nor give several ranges: who needs them gets the content from here. */
#include "redirect.h"

#include "content_response.h"

#include <apr_strings.h>
#include <string.h>

#define PRESIGN_TIME apr_time_from_sec(5)
/* A browser comes back here after so long: the object may be in another store then. */
#define REDIRECT_CACHED_MOST apr_time_from_sec(300)

fhir_error_t *fhir_redirect_presign(fhir_store_presigned_t *presigned, const fhir_exchange_t *exchange,
                                    fhir_open_store_t *store, const fhir_store_presign_request_t *request)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    apr_time_t soon = apr_time_now() + PRESIGN_TIME;
    call.deadline = call.deadline && call.deadline < soon ? call.deadline : soon;
    return fhir_store_presign(presigned, store, request, &call);
}

void fhir_redirect_log(const fhir_exchange_t *exchange, const fhir_error_t *error)
{
    fhir_log_error(exchange->app->log, error->code == FHIR_ERROR_UNSUPPORTED ? FHIR_LOG_DEBUG : FHIR_LOG_WARNING, error,
                   "asking the store for a URL of its own; the content goes through this server");
}

static int has(const fhir_exchange_t *exchange, const char *header)
{
    return fhir_request_header(exchange->request, header) != NULL;
}

/* Clients send their headers again to where they are sent. The store would compare our ETag with its own, and a token
 * is none of its business (older browsers carry Authorization along). HEAD costs nothing here, and a store's URL is
 * signed for GET. */
static int store_can_answer(const fhir_exchange_t *exchange, const fhir_binary_t *version)
{
    const char *range = fhir_request_header(exchange->request, "Range");
    const char *if_range = fhir_request_header(exchange->request, "If-Range");
    return exchange->request->method == FHIR_METHOD_GET && !has(exchange, "Authorization") &&
           !has(exchange, "If-Match") && !has(exchange, "If-Unmodified-Since") && !(range && strchr(range, ',')) &&
           !(if_range && strstr(if_range, version->version_id));
}

static int begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Types that run nothing where they are shown, even without our sandbox. SVG and other XML can. */
static int runs_nothing(const fhir_exchange_t *exchange, const char *content_type)
{
    fhir_media_type_t media_type;
    if (fhir_media_type_parse(&media_type, content_type, exchange->pool) || strstr(media_type.type, "xml")) {
        return 0;
    }
    return begins_with(media_type.type, "image/") || begins_with(media_type.type, "video/") ||
           begins_with(media_type.type, "audio/") || strcmp(media_type.type, "application/pdf") == 0;
}

static const char *cached_for(apr_interval_time_t time, const char *more, apr_pool_t *pool)
{
    return apr_psprintf(pool, "private, max-age=%" APR_INT64_T_FMT "%s", time > 0 ? apr_time_sec(time) : 0, more);
}

static apr_time_t earliest(apr_time_t a, apr_time_t b)
{
    return a < b ? a : b;
}

/* What the store is to answer, as we would. */
static fhir_store_presign_request_t request_of(const fhir_exchange_t *exchange, const fhir_binary_t *version,
                                               apr_time_t expires)
{
    apr_time_t now = exchange->request->received;
    int shown = fhir_displayed_inline(exchange, version->content_type);
    fhir_store_presign_request_t request = {0};
    request.struct_size = sizeof(request);
    request.locator = version->content->locator;
    request.expires = earliest(expires, now + exchange->settings->signed_url_lifetime);
    request.expires = earliest(request.expires, now + FHIR_REDIRECT_LIFETIME_MAX);
    request.content_type = version->content_type;
    request.content_disposition = fhir_disposition_format(shown, version->filename, exchange->pool);
    request.cache_control = cached_for(request.expires - now, ", immutable", exchange->pool);
    return request;
}

/* No ETag and no Last-Modified: a cache that asks whether this answer is still good must get a new one, not a 304 for a
 * Location that has ended. */
static fhir_response_t *sent_to(fhir_exchange_t *exchange, const char *url, apr_interval_time_t lives)
{
    fhir_response_t *response = fhir_response_create(307, exchange->pool);
    fhir_response_header(response, "Location", url);
    fhir_response_header(response, "Cache-Control",
                         cached_for(earliest(lives, REDIRECT_CACHED_MOST), "", response->pool));
    fhir_response_header(response, "Referrer-Policy", "no-referrer");
    exchange->audit.detail = "sent to the store";
    return response;
}

fhir_response_t *fhir_redirect_read(fhir_exchange_t *exchange, const fhir_binary_t *version, apr_time_t expires)
{
    fhir_store_presign_request_t request;
    fhir_store_presigned_t presigned;
    fhir_open_store_t *store;
    fhir_error_t *error;
    if (!(fhir_settings_redirect(exchange->settings, version->content->store) & FHIR_REDIRECT_READ) ||
        !store_can_answer(exchange, version) ||
        (fhir_displayed_inline(exchange, version->content_type) && !runs_nothing(exchange, version->content_type))) {
        return NULL;
    }
    request = request_of(exchange, version, expires);
    error = fhir_store_get(&store, exchange->settings->catalog, version->content->store, exchange->pool);
    if (!error) {
        error = fhir_redirect_presign(&presigned, exchange, store, &request);
    }
    /* A browser that follows a redirect can't be told to send headers. */
    if (!error && presigned.header_count > 0) {
        error = fhir_error_create(exchange->pool, FHIR_ERROR_UNSUPPORTED, APR_SUCCESS,
                                  "This store's reads need headers.", NULL);
    }
    if (error) {
        fhir_redirect_log(exchange, error);
        return NULL;
    }
    return sent_to(exchange, presigned.url, request.expires - exchange->request->received);
}
