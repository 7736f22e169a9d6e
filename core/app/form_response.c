/* A Binary in its resource form as an answer. */
#include "form_response.h"

#include "../fhir/binary_form.h"
#include "access.h"
#include "content_reader.h"
#include "content_response.h"
#include "outcome_map.h"
#include "presign.h"
#include "security_context.h"

#include <apr_strings.h>
#include <string.h>

#define READ_SIZE 49152 /* a multiple of 3: the encoder keeps no rest between reads */

/* Bytes of the store turned into base64 text; `text` holds what did not fit into the caller's buffer. */
typedef struct base64_stream_t {
    fhir_content_reader_t *reader;
    fhir_base64_encoder_t encoder;
    int ended;
    char *raw;
    char *text;
    apr_size_t text_length;
    apr_size_t text_offset;
} base64_stream_t;

static fhir_error_t *refill(base64_stream_t *stream)
{
    apr_size_t length = READ_SIZE;
    FHIR_TRY(fhir_content_read(stream->reader, stream->raw, &length));
    stream->text_offset = 0;
    if (length == 0) {
        stream->ended = 1;
        stream->text_length = fhir_base64_encoder_finish(&stream->encoder, stream->text);
    } else {
        stream->text_length = fhir_base64_encoder_feed(&stream->encoder, stream->text, stream->raw, length);
    }
    return NULL;
}

static fhir_error_t *read_base64(void *baton, char *buffer, apr_size_t *length)
{
    base64_stream_t *stream = baton;
    apr_size_t available;
    while (stream->text_offset == stream->text_length && !stream->ended) {
        FHIR_TRY(refill(stream));
    }
    available = stream->text_length - stream->text_offset;
    if (*length > available) {
        *length = available;
    }
    memcpy(buffer, stream->text + stream->text_offset, *length);
    stream->text_offset += *length;
    return NULL;
}

static fhir_error_t *add_base64(fhir_response_t *response, const fhir_exchange_t *exchange,
                                const fhir_content_t *content)
{
    base64_stream_t *stream = apr_pcalloc(exchange->pool, sizeof(*stream));
    FHIR_TRY(fhir_content_open(&stream->reader, exchange, content, 0, content->size));
    stream->raw = apr_palloc(exchange->pool, READ_SIZE);
    stream->text = apr_palloc(exchange->pool, (apr_size_t)fhir_base64_length(READ_SIZE) + 8);
    fhir_response_stream(response, read_base64, stream, fhir_base64_length(content->size));
    return NULL;
}

static fhir_error_t *add_form(fhir_response_t *response, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                              const fhir_binary_render_t *how)
{
    const char *prefix;
    const char *suffix;
    FHIR_TRY(fhir_binary_render(&prefix, &suffix, binary, how, exchange->pool));
    fhir_response_header(response, "Content-Type", fhir_format_media_type(how->format));
    fhir_response_header(response, "X-Content-Type-Options", "nosniff");
    fhir_validators(response, binary, 0);
    if (exchange->request->method == FHIR_METHOD_HEAD) {
        response->content_length = (apr_off_t)(strlen(prefix) + strlen(suffix)) +
                                   (how->with_data ? fhir_base64_length(binary->content->size) : 0);
        return NULL;
    }
    fhir_response_bytes(response, prefix, (apr_off_t)strlen(prefix));
    if (how->with_data) {
        FHIR_TRY(add_base64(response, exchange, binary->content));
    }
    fhir_response_bytes(response, suffix, (apr_off_t)strlen(suffix));
    return NULL;
}

/* Zero bytes have no base64 text, and FHIR knows no empty strings: such content reads without `data`. */
static int has_data(const fhir_binary_t *binary)
{
    return binary->content && binary->content->size > 0;
}

static int names_data(const char *elements)
{
    const char *at = elements;
    while (*at) {
        size_t length = strcspn(at, ",");
        if (length == 4 && strncmp(at, "data", 4) == 0) {
            return 1;
        }
        at += length + (at[length] ? 1 : 0);
    }
    return 0;
}

/* `_summary` values of FHIR R4 search.html#summary; `false` and `data` keep the data. */
static fhir_error_t *summary_drops_data(int *drops, const fhir_exchange_t *exchange)
{
    const char *summary = fhir_query_get(exchange->query, "_summary");
    *drops = 0;
    if (!summary || strcmp(summary, "false") == 0 || strcmp(summary, "data") == 0) {
        return NULL;
    }
    if (strcmp(summary, "true") != 0 && strcmp(summary, "text") != 0 && strcmp(summary, "count") != 0) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                                 "_summary must be true, text, data, count or false.");
    }
    *drops = 1;
    return NULL;
}

fhir_error_t *fhir_form_read(fhir_response_t **response, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                             fhir_format_t format)
{
    const char *elements = fhir_query_get(exchange->query, "_elements");
    fhir_binary_render_t how = {0};
    int dropped;
    FHIR_TRY(summary_drops_data(&dropped, exchange));
    how.format = format;
    how.wanted = elements && *elements ? elements : NULL;
    if (how.wanted && !names_data(how.wanted)) {
        dropped = 1;
    }
    how.with_data = has_data(binary) && !dropped && !exchange->medplum && !exchange->in_bundle &&
                    binary->content->size <= exchange->settings->max_inline_data;
    how.subsetted = how.wanted != NULL || dropped || (has_data(binary) && !how.with_data && !exchange->medplum);
    *response = fhir_response_create(200, exchange->pool);
    return add_form(*response, exchange, binary, &how);
}

static fhir_error_t *representation(fhir_response_t *response, const fhir_exchange_t *exchange,
                                    const fhir_binary_t *binary, const char *membership_id, fhir_format_t format,
                                    int wants_data)
{
    fhir_binary_render_t how = {0};
    how.format = format;
    how.with_data = wants_data && has_data(binary) && !exchange->medplum && !exchange->in_bundle &&
                    binary->content->size <= exchange->settings->max_inline_data;
    how.subsetted = has_data(binary) && !how.with_data && !exchange->medplum;
    if (exchange->medplum && binary->content) {
        FHIR_TRY(fhir_presign_read_url(&how.url, exchange, binary, membership_id));
    }
    return add_form(response, exchange, binary, &how);
}

/* Location, validators and what every answer to a write has. */
static fhir_response_t *written(const fhir_exchange_t *exchange, const fhir_binary_t *binary, int status)
{
    fhir_response_t *response = fhir_response_create(status, exchange->pool);
    fhir_response_header(response, "Location",
                         apr_psprintf(exchange->pool, "%sBinary/%s/_history/%s", exchange->settings->fhir_base,
                                      binary->id, binary->version_id));
    fhir_response_header(response, "Cache-Control", "no-store");
    fhir_validators(response, binary, 0);
    fhir_warn_without_context(response, binary);
    return response;
}

/* The answer may hold what was there before, and a URL to read with: for those who may read. */
static int may_see(const fhir_exchange_t *exchange, const fhir_binary_t *binary, const fhir_membership_t *membership)
{
    int readable = 0;
    fhir_error_t *error = fhir_may_read_binaries(&readable, exchange, membership, &binary, 1);
    if (error) {
        fhir_log_error(exchange->app->log, FHIR_LOG_WARNING, error, "deciding about what was stored");
    }
    return !error && readable;
}

fhir_error_t *fhir_form_written(fhir_response_t **response, const fhir_exchange_t *exchange,
                                const fhir_binary_t *binary, const fhir_membership_t *membership, int status)
{
    fhir_prefer_return_t prefer = fhir_prefer_return(fhir_request_header(exchange->request, "Prefer"));
    fhir_format_t format;
    fhir_error_t *error;
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    fhir_count_without_context(exchange, binary);
    *response = written(exchange, binary, status);
    if (prefer == FHIR_PREFER_MINIMAL || !may_see(exchange, binary, membership)) {
        return NULL;
    }
    if (prefer == FHIR_PREFER_OUTCOME) {
        fhir_response_information(*response, format, "The Binary was stored.");
        return NULL;
    }
    error = representation(*response, exchange, binary, membership->id, format, prefer == FHIR_PREFER_REPRESENTATION);
    if (error) {
        /* The version is stored: to say it failed would be wrong. The answer goes out without a body. */
        fhir_log_error(exchange->app->log, FHIR_LOG_WARNING, error, "showing what was stored");
        *response = written(exchange, binary, status);
    }
    return NULL;
}

fhir_response_t *fhir_deleted(const fhir_exchange_t *exchange, const char *version_id)
{
    fhir_prefer_return_t prefer = fhir_prefer_return(fhir_request_header(exchange->request, "Prefer"));
    int told = prefer == FHIR_PREFER_OUTCOME || (exchange->medplum && prefer != FHIR_PREFER_MINIMAL);
    fhir_response_t *response = fhir_response_create(told && !exchange->in_bundle ? 200 : 204, exchange->pool);
    fhir_format_t format = FHIR_FORMAT_JSON;
    if (version_id) {
        fhir_response_header(response, "ETag", apr_psprintf(exchange->pool, "W/\"%s\"", version_id));
    }
    if (response->status == 204) {
        response->content_length = -1;
        return response;
    }
    if (fhir_exchange_resource_format(&format, exchange)) {
        format = FHIR_FORMAT_JSON; /* it is deleted, whatever the client takes */
    }
    fhir_response_information(response, format, version_id ? "It was deleted." : "There was nothing to delete.");
    return response;
}
