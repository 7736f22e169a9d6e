/* $presigned-url: Binary -> signed URL to read it or to upload one new version. */
#include "../fhir/answers.h"
#include "access.h"
#include "direct_upload.h"
#include "presign.h"

#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#define PARAMETERS_MAX 65536

fhir_error_t *fhir_presigner_init(fhir_presigner_t *presigner, const fhir_exchange_t *exchange,
                                  const char *membership_id)
{
    const fhir_settings_t *settings = exchange->settings;
    fhir_call_t call = fhir_exchange_call(exchange);
    presigner->exchange = exchange;
    presigner->membership_id = membership_id;
    presigner->expires =
        fhir_presign_expiry(exchange->request->received, settings->signed_url_lifetime, settings->signed_url_window);
    return fhir_key_ring_url_key(&presigner->key, exchange->app->keys, NULL, &call);
}

static const char *sign(const fhir_presigner_t *presigner, const char *method, const char *binary_id,
                        const char *version_id)
{
    const fhir_exchange_t *exchange = presigner->exchange;
    fhir_presign_t presign = {0};
    presign.method = method;
    presign.binary_id = binary_id;
    presign.version_id = version_id;
    presign.membership_id = presigner->membership_id;
    presign.key_id = presigner->key.id;
    presign.expires = presigner->expires;
    if (exchange->audit.signed_urls) {
        (*exchange->audit.signed_urls)++;
    }
    return fhir_presign_url(exchange->settings->storage_base_url, &presign, presigner->key.bytes,
                            sizeof(presigner->key.bytes), exchange->pool);
}

const char *fhir_presigner_read_url(const fhir_presigner_t *presigner, const fhir_binary_t *binary)
{
    return sign(presigner, "GET", binary->id, binary->version_id);
}

const char *fhir_presigner_complete_url(const fhir_presigner_t *presigner, const char *binary_id,
                                        const char *version_id)
{
    return sign(presigner, "POST", binary_id, version_id);
}

fhir_error_t *fhir_presign_read_url(const char **url, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                                    const char *membership_id)
{
    fhir_presigner_t presigner;
    FHIR_TRY(fhir_presigner_init(&presigner, exchange, membership_id));
    *url = fhir_presigner_read_url(&presigner, binary);
    return NULL;
}

fhir_error_t *fhir_presign_upload_url(const char **url, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                                      const char *membership_id)
{
    fhir_presigner_t presigner;
    const char *version_id;
    FHIR_TRY(fhir_presigner_init(&presigner, exchange, membership_id));
    /* The version to be is named now, so that a repeated upload finds what the first one made. */
    FHIR_TRY(fhir_random_uuid(&version_id, exchange->pool));
    *url = sign(&presigner, "PUT", binary->id, version_id);
    return NULL;
}

/* What is asked for. */
typedef struct wish_t {
    int upload;
    int direct; /* to the store itself, if that is possible here */
} wish_t;

static fhir_error_t *not_boolean(const char *name, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "The parameter %s must be true or false, once.", name);
}

static fhir_error_t *boolean_of_query(int *wanted, const fhir_exchange_t *exchange, const char *name)
{
    const char *value = fhir_query_get(exchange->query, name);
    if (!value) {
        return NULL;
    }
    if ((strcmp(value, "true") != 0 && strcmp(value, "false") != 0) || fhir_query_count(exchange->query, name) > 1) {
        return not_boolean(name, exchange->pool);
    }
    *wanted = strcmp(value, "true") == 0;
    return NULL;
}

static fhir_error_t *wish_of_query(wish_t *wish, const fhir_exchange_t *exchange)
{
    FHIR_TRY(boolean_of_query(&wish->upload, exchange, "upload"));
    return boolean_of_query(&wish->direct, exchange, "direct");
}

static fhir_error_t *read_small_body(const char **text, apr_size_t *length, const fhir_exchange_t *exchange)
{
    fhir_body_t *body = exchange->request->body;
    char *buffer = apr_palloc(exchange->pool, PARAMETERS_MAX);
    const char *data;
    apr_size_t got = 0;
    *length = 0;
    do {
        FHIR_TRY(body->read(body, &data, &got));
        if (got > PARAMETERS_MAX - *length) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_TOO_LARGE, "The Parameters resource is too large.");
        }
        memcpy(buffer + *length, data, got);
        *length += got;
    } while (got > 0);
    *text = buffer;
    return NULL;
}

static fhir_error_t *wish_of_json(wish_t *wish, json_t *parameters, apr_pool_t *pool)
{
    json_t *list = json_object_get(parameters, "parameter");
    size_t i;
    json_t *item;
    const char *type = json_string_value(json_object_get(parameters, "resourceType"));
    if (!type || strcmp(type, "Parameters") != 0) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "Send a Parameters resource, or the query ?upload=true.");
    }
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        json_t *value = json_object_get(item, "valueBoolean");
        int *wanted = !name                         ? NULL
                      : strcmp(name, "upload") == 0 ? &wish->upload
                      : strcmp(name, "direct") == 0 ? &wish->direct
                                                    : NULL;
        if (wanted) {
            if (!json_is_boolean(value)) {
                return not_boolean(name, pool);
            }
            *wanted = json_is_true(value);
        }
    }
    return NULL;
}

static fhir_error_t *not_json(const fhir_exchange_t *exchange)
{
    fhir_media_type_t type;
    const char *sent = fhir_request_header(exchange->request, "Content-Type");
    if (sent && !fhir_media_type_parse(&type, sent, exchange->pool) &&
        fhir_media_type_format(type.type, 1) != FHIR_FORMAT_JSON) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_UNSUPPORTED_MEDIA_TYPE,
                                 "Send the Parameters as application/fhir+json, or the query ?upload=true.");
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "The body is not valid JSON.");
}

/* FHIR R4 operations.html#request: a POST may carry Parameters; an empty body is fine too. */
static fhir_error_t *wish_of_body(wish_t *wish, const fhir_exchange_t *exchange)
{
    const char *text = NULL;
    apr_size_t length;
    json_t *parameters;
    fhir_error_t *error;
    if (exchange->request->method != FHIR_METHOD_POST || exchange->request->body->length == 0) {
        return NULL;
    }
    FHIR_TRY(read_small_body(&text, &length, exchange));
    if (length == 0) {
        return NULL;
    }
    parameters = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (!parameters) {
        return not_json(exchange);
    }
    error = wish_of_json(wish, parameters, exchange->pool);
    json_decref(parameters);
    return error;
}

static const char *direct_text(fhir_format_t format, const fhir_direct_url_t *direct, apr_pool_t *pool)
{
    apr_table_t *headers = apr_table_make(pool, 4);
    fhir_parameters_direct_t parameters = {direct->url, headers, direct->expires, direct->complete};
    int i;
    for (i = 0; i < direct->header_count; i++) {
        apr_table_addn(headers, direct->headers[i].key, direct->headers[i].value);
    }
    return fhir_parameters_direct(format, &parameters, pool);
}

/* An upload that can't go to the store directly goes through us: the answer is the ordinary one then. */
static fhir_error_t *upload_text(const char **text, fhir_exchange_t *exchange, const fhir_binary_facts_t *facts,
                                 fhir_format_t format, const wish_t *wish)
{
    const fhir_direct_url_t *direct = NULL;
    const char *url;
    if (wish->direct && exchange->request->method != FHIR_METHOD_HEAD) { /* HEAD changes nothing */
        FHIR_TRY(fhir_direct_upload_issue(&direct, exchange, facts));
    }
    if (direct) {
        exchange->audit.detail = "for upload to the store directly";
        *text = direct_text(format, direct, exchange->pool);
        return NULL;
    }
    FHIR_TRY(fhir_presign_upload_url(&url, exchange, facts->current, facts->membership->id));
    *text = fhir_parameters_url(format, url, exchange->pool);
    return NULL;
}

static fhir_error_t *text_for(const char **text, fhir_exchange_t *exchange, const fhir_binary_facts_t *facts,
                              fhir_format_t format, const wish_t *wish)
{
    const char *url;
    if (facts->current->change == FHIR_CHANGE_DELETE) {
        return fhir_binary_deleted(exchange->pool);
    }
    if (wish->upload) {
        return upload_text(text, exchange, facts, format, wish);
    }
    if (!facts->current->content) {
        return fhir_no_content_yet(exchange->pool);
    }
    FHIR_TRY(fhir_presign_read_url(&url, exchange, facts->current, facts->membership->id));
    *text = fhir_parameters_url(format, url, exchange->pool);
    return NULL;
}

fhir_error_t *fhir_presigned_url(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_facts_t facts;
    fhir_format_t format;
    const char *text = NULL;
    wish_t wish = {0, 0};
    /* Who asks is known before a body is read. SMART scopes: write access does not imply read, so an upload URL asks
     * for update alone. */
    FHIR_TRY(fhir_authenticate(exchange));
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    FHIR_TRY(wish_of_query(&wish, exchange));
    FHIR_TRY(wish_of_body(&wish, exchange));
    exchange->audit.detail = wish.upload ? "for upload" : NULL;
    FHIR_TRY(fhir_access(&facts, exchange, wish.upload ? FHIR_INTERACTION_UPDATE : FHIR_INTERACTION_READ, NULL));
    if (!facts.current) {
        return fhir_binary_not_found(exchange->pool);
    }
    if (wish.upload) {
        FHIR_TRY(fhir_decide_write(exchange, FHIR_INTERACTION_UPDATE, &facts, facts.current->security_context));
    }
    FHIR_TRY(text_for(&text, exchange, &facts, format, &wish));
    *response = fhir_response_create(200, exchange->pool);
    fhir_response_header(*response, "Content-Type", fhir_format_media_type(format));
    fhir_response_header(*response, "Cache-Control", "no-store");
    fhir_response_bytes(*response, text, (apr_off_t)strlen(text));
    return NULL;
}
