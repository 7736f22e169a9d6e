/* A JSON request body -> document. */
#include "resource_body.h"

#include "intake.h"

#include <apr_strings.h>
#include <string.h>

#define FIRST_ROOM ((apr_size_t)64 * 1024)

static fhir_error_t *wrong_type(const fhir_exchange_t *exchange, const char *wanted)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_UNSUPPORTED_MEDIA_TYPE, "Send the body as %s.", wanted);
}

fhir_error_t *fhir_body_check(const fhir_exchange_t *exchange, fhir_body_kind_t kind)
{
    const char *sent = fhir_request_header(exchange->request, "Content-Type");
    fhir_media_type_t type = {0};
    if (fhir_request_header_count(exchange->request, "Content-Type") > 1) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "Send one Content-Type.");
    }
    if (sent) {
        FHIR_TRY(fhir_media_type_parse(&type, sent, exchange->pool));
    }
    if (kind == FHIR_BODY_RESOURCE && (!sent || fhir_media_type_format(type.type, 1) != FHIR_FORMAT_JSON)) {
        return wrong_type(exchange,
                          "application/fhir+json; of resources other than Binary this server takes JSON only");
    }
    if (kind == FHIR_BODY_PATCH && (!sent || strcmp(type.type, "application/json-patch+json") != 0)) {
        return wrong_type(exchange, "application/json-patch+json (JSON Patch, RFC 6902)");
    }
    if (kind == FHIR_BODY_FORM && (!sent || strcmp(type.type, "application/x-www-form-urlencoded") != 0)) {
        return wrong_type(exchange, "application/x-www-form-urlencoded, or use GET");
    }
    return NULL;
}

static fhir_error_t *too_large(const fhir_exchange_t *exchange)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_TOO_LARGE,
                             "A resource or Bundle may have %" APR_OFF_T_FMT
                             " bytes here. Upload large content as a Binary and refer to it by Attachment.url.",
                             exchange->settings->max_bundle_size);
}

/* ---- large bodies ----
 * What is made of a body takes many times its length, and httpd has many threads: a few large ones at a time, and
 * whoever comes then waits. Small ones always find room. */

#define SMALL_BODY ((apr_size_t)1024 * 1024)
#define LARGE_AT_A_TIME 4
#define WAIT_STEP apr_time_from_msec(20)

typedef struct large_body_t {
    fhir_app_t *app;
    apr_size_t bytes;
} large_body_t;

static apr_status_t leave(void *baton)
{
    large_body_t *large = baton;
    atomic_fetch_sub_explicit(&large->app->large_bodies, large->bytes, memory_order_relaxed);
    large->bytes = 0;
    return APR_SUCCESS;
}

static int enter(large_body_t *large, apr_size_t bytes, apr_uint64_t most)
{
    uint_least64_t before = atomic_fetch_add_explicit(&large->app->large_bodies, bytes, memory_order_relaxed);
    if (before + bytes > most) {
        atomic_fetch_sub_explicit(&large->app->large_bodies, bytes, memory_order_relaxed);
        return 0;
    }
    large->bytes = bytes;
    return 1;
}

/* Once the body is there, so that who sends slowly keeps nobody away. Entries of a Bundle are parts of a body that was
 * let in. */
static fhir_error_t *wait_for_turn(apr_size_t bytes, const fhir_exchange_t *exchange)
{
    apr_uint64_t most = (apr_uint64_t)exchange->settings->max_bundle_size * LARGE_AT_A_TIME;
    apr_time_t end = apr_time_now() + exchange->settings->database_acquire_timeout;
    large_body_t *large;
    if (bytes <= SMALL_BODY || exchange->in_bundle) {
        return NULL;
    }
    large = apr_pcalloc(exchange->pool, sizeof(*large));
    large->app = exchange->app;
    while (!enter(large, bytes, most)) {
        if (apr_time_now() >= end) {
            fhir_error_t *error = fhir_error_public(
                exchange->pool, FHIR_ERROR_UNAVAILABLE,
                "The server is busy with other large requests. Send this one again in a few seconds.");
            error->retry = FHIR_RETRY_YES;
            return error;
        }
        apr_sleep(WAIT_STEP);
    }
    apr_pool_cleanup_register(exchange->pool, large, leave, apr_pool_cleanup_null);
    return NULL;
}

/* Room for `length` bytes more; the text doubles, so that a body of unknown length costs linear time. */
static fhir_error_t *make_room(char **text, apr_size_t *room, apr_size_t used, apr_size_t length,
                               const fhir_exchange_t *exchange)
{
    apr_size_t limit = (apr_size_t)exchange->settings->max_bundle_size;
    apr_size_t wanted = *room;
    char *grown;
    if (length > limit || used > limit - length) {
        return too_large(exchange);
    }
    if (used + length <= *room) {
        return NULL;
    }
    while (wanted < used + length) {
        wanted = wanted < limit / 2 ? wanted * 2 : limit;
    }
    grown = apr_palloc(exchange->pool, wanted);
    memcpy(grown, *text, used);
    *text = grown;
    *room = wanted;
    return NULL;
}

static fhir_error_t *read_all(const char **text, apr_size_t *length, fhir_body_t *body, const fhir_exchange_t *exchange)
{
    apr_off_t announced = body->length;
    apr_size_t room = announced > 0 ? (apr_size_t)announced : FIRST_ROOM;
    char *buffer = apr_palloc(exchange->pool, room);
    apr_size_t used = 0;
    apr_size_t got;
    const char *data;
    do {
        FHIR_TRY(body->read(body, &data, &got));
        FHIR_TRY(make_room(&buffer, &room, used, got, exchange));
        if (got > 0) {
            memcpy(buffer + used, data, got);
        }
        used += got;
    } while (got > 0);
    *text = buffer;
    *length = used;
    return NULL;
}

fhir_error_t *fhir_body_text(const char **text, apr_size_t *length, const fhir_exchange_t *exchange)
{
    fhir_body_t *body = exchange->request->body;
    fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX];
    fhir_digest_t *digest;
    const char *coding;
    int count;
    FHIR_TRY(fhir_content_coding(&coding, exchange));
    FHIR_TRY(fhir_expected_digests(expected, &count, exchange->request));
    if (body->length > exchange->settings->max_bundle_size) {
        return too_large(exchange);
    }
    FHIR_TRY(fhir_body_expecting(&body, &digest, expected, count, exchange->pool));
    if (coding) {
        FHIR_TRY(fhir_body_decode(&body, body, coding, exchange->settings->max_bundle_size, exchange->pool));
    }
    FHIR_TRY(read_all(text, length, body, exchange));
    FHIR_TRY(wait_for_turn(*length, exchange));
    if (digest) {
        fhir_digest_finish(digest);
        return fhir_check_digests(expected, count, digest, exchange->pool);
    }
    return NULL;
}

fhir_error_t *fhir_body_document(const fhir_json_document_t **document, const fhir_exchange_t *exchange)
{
    const char *text;
    apr_size_t length;
    FHIR_TRY(fhir_body_text(&text, &length, exchange));
    return fhir_json_parse(document, text, length, &fhir_json_resource_limits, exchange->pool);
}

fhir_error_t *fhir_form_parameters(apr_array_header_t *parameters, const fhir_exchange_t *exchange)
{
    apr_array_header_t *sent;
    const char *text;
    apr_size_t length;
    FHIR_TRY(fhir_body_check(exchange, FHIR_BODY_FORM));
    FHIR_TRY(fhir_body_text(&text, &length, exchange));
    if (memchr(text, '\0', length)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "The form holds a NUL character.");
    }
    FHIR_TRY(fhir_query_parse(&sent, apr_pstrmemdup(exchange->pool, text, length), exchange->pool));
    apr_array_cat(parameters, sent);
    return NULL;
}
