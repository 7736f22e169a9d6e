/* Signed URLs in use: whoever holds one may do what it says until it expires. */
#include "signed_url.h"

#include "../base/text.h"
#include "access.h"
#include "content_response.h"
#include "intake.h"
#include "outcome_map.h"
#include "redirect.h"
#include "rights.h"
#include "security_context.h"

#include <apr_strings.h>
#include <string.h>

/* How often an upload is decided again because another version came between. */
#define ATTEMPTS 10

static apr_table_t *query_table(const fhir_exchange_t *exchange)
{
    apr_table_t *table = apr_table_make(exchange->pool, exchange->query->nelts);
    int i;
    for (i = 0; i < exchange->query->nelts; i++) {
        const fhir_parameter_t *parameter = &APR_ARRAY_IDX(exchange->query, i, fhir_parameter_t);
        apr_table_addn(table, parameter->name, parameter->value);
    }
    return table;
}

fhir_error_t *fhir_signed_verify(fhir_signed_t *url, const fhir_exchange_t *exchange, const char *method)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    const char *signature;
    fhir_url_key_t key;
    FHIR_TRY(fhir_presign_parse(&url->presign, &signature, method, exchange->route.id, exchange->route.version_id,
                                query_table(exchange), exchange->pool));
    FHIR_TRY(fhir_key_ring_url_key(&key, exchange->app->keys, url->presign.key_id, &call));
    return fhir_presign_verify(&url->presign, signature, key.bytes, sizeof(key.bytes), exchange->request->received,
                               exchange->pool);
}

/* Everything that may have changed since the URL was issued: key, membership, the Binary itself. */
static fhir_error_t *load(fhir_signed_t *url, fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    const fhir_signed_facts_t *facts = &url->facts;
    const fhir_binary_t *noted;
    FHIR_TRY(fhir_meta_load_signed(&url->facts, exchange->app->meta, url->presign.key_id, url->presign.membership_id,
                                   url->presign.binary_id, url->presign.version_id, &call));
    noted = facts->version ? facts->version : facts->current;
    exchange->decided = apr_time_now();
    exchange->audit.membership = facts->membership;
    exchange->audit.version_id = noted ? noted->version_id : NULL;
    exchange->audit.context = noted ? noted->security_context : NULL;
    if (!facts->key_active || !facts->membership ||
        (!facts->membership->active && !exchange->settings->signed_urls_outlive_membership)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_FORBIDDEN,
                                 "This signed URL is no longer valid. Ask for a new one.");
    }
    if (!facts->current) {
        return fhir_binary_not_found(exchange->pool);
    }
    if (facts->current->change == FHIR_CHANGE_DELETE) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_GONE, "This Binary was deleted.");
    }
    return NULL;
}

/* A version's bytes never change, so a browser may keep them as long as the URL lives. */
static void cache_until_expiry(fhir_response_t *response, const fhir_exchange_t *exchange, const fhir_signed_t *url)
{
    apr_int64_t seconds = apr_time_sec(url->presign.expires - exchange->request->received);
    fhir_response_header(
        response, "Cache-Control",
        apr_psprintf(exchange->pool, "private, max-age=%" APR_INT64_T_FMT ", immutable", seconds > 0 ? seconds : 0));
    fhir_response_header(response, "Referrer-Policy", "no-referrer");
}

fhir_error_t *fhir_signed_read(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_response_t *redirected = NULL;
    fhir_signed_t url = {0};
    FHIR_TRY(fhir_signed_verify(&url, exchange, "GET"));
    FHIR_TRY(load(&url, exchange));
    if (!url.facts.version || !url.facts.version->content) {
        return fhir_no_content_yet(exchange->pool);
    }
    FHIR_TRY(fhir_not_modified_response(response, exchange, url.facts.version, 1));
    if (!*response && !(redirected = fhir_redirect_read(exchange, url.facts.version, url.presign.expires))) {
        FHIR_TRY(fhir_content_response(response, exchange, url.facts.version));
    }
    if (redirected) {
        *response = redirected;
    } else if ((*response)->status < 400) {
        cache_until_expiry(*response, exchange, &url);
    }
    atomic_fetch_add_explicit(&exchange->app->reads, 1, memory_order_relaxed);
    return NULL;
}

/* ---- upload ---- */

static fhir_error_t *check_content_type(const fhir_exchange_t *exchange, const char *wanted)
{
    const char *sent = fhir_request_header(exchange->request, "Content-Type");
    fhir_media_type_t given;
    fhir_media_type_t expected;
    FHIR_TRY(fhir_media_type_parse(&expected, wanted, exchange->pool));
    if (sent && fhir_request_header_count(exchange->request, "Content-Type") == 1) {
        FHIR_TRY(fhir_media_type_parse(&given, sent, exchange->pool));
        if (strcmp(given.type, expected.type) == 0) {
            return NULL;
        }
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_UNSUPPORTED_MEDIA_TYPE,
                             "This URL takes content of type %s: send it as the Content-Type.", expected.type);
}

fhir_error_t *fhir_signed_written(fhir_response_t **response, const fhir_exchange_t *exchange,
                                  const fhir_binary_t *binary)
{
    fhir_format_t format;
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    *response = fhir_response_create(200, exchange->pool);
    fhir_validators(*response, binary, 0);
    fhir_warn_without_context(*response, binary);
    fhir_response_header(*response, "Location",
                         apr_psprintf(exchange->pool, "%sBinary/%s/_history/%s", exchange->settings->fhir_base,
                                      binary->id, binary->version_id));
    fhir_response_header(*response, "Cache-Control", "no-store");
    if (fhir_prefer_return(fhir_request_header(exchange->request, "Prefer")) != FHIR_PREFER_MINIMAL) {
        fhir_response_information(*response, format, "The content was stored.");
    }
    return NULL;
}

static fhir_error_t *already_used(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_CONFLICT,
                             "This upload URL was used already, for other content. Ask for a new one.");
}

/* Hashes the body without storing it: is it what the URL was used for? */
static fhir_error_t *compare_body(fhir_body_t *body, const fhir_exchange_t *exchange, const fhir_content_t *content)
{
    fhir_digest_t *digest;
    const char *data;
    apr_size_t length;
    apr_off_t size = 0;
    FHIR_TRY(fhir_digest_create(&digest, FHIR_DIGEST_SHA256, exchange->pool));
    do {
        FHIR_TRY(body->read(body, &data, &length));
        fhir_digest_update(digest, data, length);
        size += (apr_off_t)length;
        if (size > content->size) {
            return already_used(exchange->pool);
        }
    } while (length > 0);
    fhir_digest_finish(digest);
    data = (const char *)fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length);
    if (size != content->size || memcmp(data, content->sha256, length) != 0) {
        return already_used(exchange->pool);
    }
    return NULL;
}

/* A client that lost our answer sends the same again, and gets the same version. */
static fhir_error_t *repeat(fhir_response_t **response, const fhir_exchange_t *exchange, const fhir_binary_t *version)
{
    fhir_body_t *body = exchange->request->body;
    fhir_write_headers_t headers;
    FHIR_TRY(fhir_write_headers(&headers, exchange));
    if (!version->content ||
        (!headers.content_encoding && body->length >= 0 && body->length != version->content->size)) {
        return already_used(exchange->pool);
    }
    FHIR_TRY(
        fhir_body_decode(&body, body, headers.content_encoding, exchange->settings->max_object_size, exchange->pool));
    FHIR_TRY(compare_body(body, exchange, version->content));
    return fhir_signed_written(response, exchange, version);
}

static fhir_error_t *store_object(const fhir_content_t **content, const fhir_exchange_t *exchange,
                                  fhir_intake_t **intake, const fhir_write_headers_t *headers, const char *project_id)
{
    const fhir_binary_resource_t *resource;
    int is_resource;
    fhir_error_t *error;
    FHIR_TRY(fhir_intake_begin(intake, &is_resource, exchange, headers, project_id));
    error = fhir_intake_read(&resource, *intake);
    if (!error) {
        error = fhir_intake_commit(content, *intake);
    }
    if (error) {
        fhir_intake_discard(*intake);
    }
    return error;
}

static void fill_change(fhir_version_change_t *change, const fhir_signed_t *url)
{
    change->kind = FHIR_CHANGE_UPDATE;
    change->project_id = url->facts.membership->project_id;
    change->membership_id = url->facts.membership->id;
    change->binary_id = url->presign.binary_id;
    change->expected_version = url->facts.current->version_id;
    change->version_id = url->presign.version_id;
    change->content_type = url->content_type ? url->content_type : url->facts.current->content_type;
    change->keep_security_context = 1;
    change->keep_elements = 1;
    change->keep_filename = 1;
}

/* Two uploads at once: the other one won the version; ours counts as a repetition if the bytes are the same. */
static fhir_error_t *lost_race(fhir_response_t **response, const fhir_exchange_t *exchange, const fhir_signed_t *url,
                               const fhir_content_t *content)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_signed_facts_t facts;
    FHIR_TRY(fhir_meta_load_signed(&facts, exchange->app->meta, url->presign.key_id, url->presign.membership_id,
                                   url->presign.binary_id, url->presign.version_id, &call));
    if (!facts.version || !facts.version->content || facts.version->content->size != content->size ||
        memcmp(facts.version->content->sha256, content->sha256, sizeof(content->sha256)) != 0) {
        return already_used(exchange->pool);
    }
    return fhir_signed_written(response, exchange, facts.version);
}

/* A URL that writes is asked for each time whether it still may: the Binary may have become another's. */
fhir_error_t *fhir_signed_load_upload(fhir_signed_t *url, fhir_exchange_t *exchange)
{
    FHIR_TRY(load(url, exchange));
    if (!url->facts.membership->active) { /* the site lets URLs outlive their membership */
        return NULL;
    }
    return fhir_may_still_update(exchange, url->facts.membership, url->facts.current);
}

/* What was decided is what is replaced: another version that came between is decided about again. */
static fhir_error_t *commit(const fhir_binary_t **binary, fhir_exchange_t *exchange, fhir_signed_t *url,
                            const fhir_content_t *content)
{
    fhir_error_t *error = NULL;
    int attempt;
    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        fhir_call_t call = fhir_exchange_call_after_body(exchange);
        fhir_version_change_t change = {0};
        call.cancelled = NULL;
        fill_change(&change, url);
        change.content = content;
        error = fhir_meta_commit(binary, exchange->app->meta, &change, &call);
        if (!error || error->code != FHIR_ERROR_PRECONDITION_FAILED) {
            return error;
        }
        FHIR_TRY(fhir_signed_load_upload(url, exchange));
    }
    return error;
}

fhir_error_t *fhir_signed_commit(const fhir_binary_t **binary, fhir_exchange_t *exchange, fhir_signed_t *url,
                                 const fhir_content_t *content)
{
    fhir_app_t *app = exchange->app;
    FHIR_TRY(commit(binary, exchange, url, content));
    fhir_exchange_note_written(exchange, (*binary)->id, (*binary)->version_id, (*binary)->security_context);
    atomic_fetch_add_explicit(&app->uploads, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&app->uploaded, (uint_least64_t)content->size, memory_order_relaxed);
    fhir_count_without_context(exchange, *binary);
    return NULL;
}

/* The version was not made: the database refused it, or what was decided again on the way. */
int fhir_signed_surely_refused(const fhir_error_t *error)
{
    return fhir_meta_refused(error) || error->code == FHIR_ERROR_FORBIDDEN || error->code == FHIR_ERROR_GONE;
}

static fhir_error_t *upload(fhir_response_t **response, fhir_exchange_t *exchange, fhir_signed_t *url)
{
    const fhir_content_t *content = NULL;
    fhir_write_headers_t headers;
    fhir_intake_t *intake = NULL;
    const fhir_binary_t *binary;
    fhir_error_t *error;
    FHIR_TRY(fhir_write_headers(&headers, exchange));
    /* Content only: a signed upload cannot change type, context or anything else of the resource. */
    headers.resource_format = FHIR_FORMAT_RAW;
    FHIR_TRY(store_object(&content, exchange, &intake, &headers, url->facts.membership->project_id));
    if (fhir_decision_is_stale(exchange, url->facts.membership) &&
        (error = fhir_signed_load_upload(url, exchange)) != NULL) {
        fhir_intake_discard(intake);
        return error;
    }
    error = fhir_signed_commit(&binary, exchange, url, content);
    if (!error) {
        return fhir_signed_written(response, exchange, binary);
    }
    if (fhir_signed_surely_refused(error)) {
        fhir_intake_discard(intake);
    }
    return error->code == FHIR_ERROR_EXISTS ? lost_race(response, exchange, url, content) : error;
}

fhir_error_t *fhir_signed_upload(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_signed_t url = {0};
    fhir_format_t format;
    FHIR_TRY(fhir_signed_verify(&url, exchange, "PUT"));
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    FHIR_TRY(fhir_signed_load_upload(&url, exchange));
    if (url.facts.version) {
        FHIR_TRY(check_content_type(exchange, url.facts.version->content_type));
        return repeat(response, exchange, url.facts.version);
    }
    FHIR_TRY(check_content_type(exchange, url.facts.current->content_type));
    FHIR_TRY(fhir_context_required(exchange, url.facts.current->security_context));
    return upload(response, exchange, &url);
}
