/* A JSON request body -> document. */
#include "resource_body.h"

#include "intake.h"

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

/* RFC 9530: digests are over the representation as sent, content coding included. */
static fhir_error_t *digested(fhir_body_t **body, fhir_digest_t **digest, const fhir_expected_digest_t *expected,
                              int count, apr_pool_t *pool)
{
    unsigned kinds = 0;
    int i;
    for (i = 0; i < count; i++) {
        kinds |= (unsigned)expected[i].kind;
    }
    if (kinds) {
        FHIR_TRY(fhir_digest_create(digest, kinds, pool));
        *body = fhir_body_digested(*body, *digest, pool);
    }
    return NULL;
}

fhir_error_t *fhir_body_text(const char **text, apr_size_t *length, const fhir_exchange_t *exchange)
{
    fhir_body_t *body = exchange->request->body;
    fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX];
    fhir_digest_t *digest = NULL;
    const char *coding;
    int count;
    FHIR_TRY(fhir_content_coding(&coding, exchange));
    FHIR_TRY(fhir_expected_digests(expected, &count, exchange->request));
    if (body->length > exchange->settings->max_bundle_size) {
        return too_large(exchange);
    }
    FHIR_TRY(digested(&body, &digest, expected, count, exchange->pool));
    if (coding) {
        FHIR_TRY(fhir_body_decode(&body, body, coding, exchange->settings->max_bundle_size, exchange->pool));
    }
    FHIR_TRY(read_all(text, length, body, exchange));
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
