/* Request body -> pending object, in constant memory. */
#include "intake.h"

#include <apr_strings.h>
#include <string.h>

struct fhir_intake_t {
    const fhir_exchange_t *exchange;
    const fhir_write_headers_t *headers;
    const char *project_id;
    fhir_body_t *body;          /* decoded, digested */
    fhir_digest_t *wire_digest; /* over the body as sent; NULL if nobody asked */
    int is_resource;
    char *window; /* what was read to recognise a resource */
    apr_size_t window_length;
    const char *left; /* of the same read, beyond the window; valid until the next read */
    apr_size_t left_length;
    int ended; /* window and left hold the whole body */
    fhir_binary_decoder_t *decoder;
    apr_off_t resource_size;
    fhir_open_store_t *store;
    fhir_object_writer_t *writer; /* NULL until the first byte of content */
    fhir_content_t *content;
    int unanswered; /* the commit: the store may still be at it */
};

/* Registered before the first byte is stored: whatever happens now, a row knows the object. */
static fhir_error_t *open_object(fhir_intake_t *intake, apr_off_t expected_length)
{
    const fhir_exchange_t *exchange = intake->exchange;
    const fhir_settings_t *settings = exchange->settings;
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    fhir_content_t *content = apr_pcalloc(exchange->pool, sizeof(*content));
    FHIR_TRY(fhir_store_get(&intake->store, settings->catalog, settings->default_store, exchange->pool));
    FHIR_TRY(fhir_store_new_object(&content->object_key, &content->locator, intake->store, &call));
    content->store = fhir_store_name(intake->store);
    FHIR_TRY(fhir_meta_object_register(exchange->app->meta, intake->project_id, content->object_key, content->store,
                                       content->locator, &call));
    intake->content = content;
    return fhir_object_begin(&intake->writer, intake->store, content->object_key, content->locator, expected_length,
                             intake->headers->content_type, settings->max_object_size, &call);
}

static fhir_error_t *store_data(void *baton, const char *data, apr_size_t length)
{
    fhir_intake_t *intake = baton;
    if (!intake->writer) {
        FHIR_TRY(open_object(intake, -1));
    }
    return fhir_object_write(intake->writer, data, length);
}

static fhir_error_t *prepare_body(fhir_intake_t *intake)
{
    const fhir_exchange_t *exchange = intake->exchange;
    const fhir_write_headers_t *headers = intake->headers;
    intake->body = exchange->request->body;
    FHIR_TRY(fhir_body_expecting(&intake->body, &intake->wire_digest, headers->expected, headers->expected_count,
                                 exchange->pool));
    if (headers->content_encoding) {
        FHIR_TRY(fhir_body_decode(&intake->body, intake->body, headers->content_encoding,
                                  exchange->settings->max_object_size, exchange->pool));
    }
    return NULL;
}

/* Fills the window and asks what it is, again and again until that is known. */
static fhir_error_t *sniff(fhir_intake_t *intake, fhir_sniff_t *found)
{
    const fhir_write_headers_t *headers = intake->headers;
    *found = FHIR_SNIFF_MORE;
    intake->window = apr_palloc(intake->exchange->pool, FHIR_SNIFF_WINDOW);
    while (*found == FHIR_SNIFF_MORE) {
        const char *data;
        apr_size_t length;
        apr_size_t room = FHIR_SNIFF_WINDOW - intake->window_length;
        FHIR_TRY(intake->body->read(intake->body, &data, &length));
        intake->ended = length == 0;
        if (length > room) {
            intake->left = data + room;
            intake->left_length = length - room;
            length = room;
        }
        memcpy(intake->window + intake->window_length, data, length);
        intake->window_length += length;
        *found = fhir_binary_sniff(headers->resource_format, headers->fhir_type, intake->window, intake->window_length,
                                   intake->ended);
    }
    return NULL;
}

static fhir_error_t *not_fhir(const fhir_exchange_t *exchange)
{
    return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                             "The body is not well-formed JSON or XML, as its Content-Type says it is.");
}

fhir_error_t *fhir_intake_begin(fhir_intake_t **intake, int *is_resource, const fhir_exchange_t *exchange,
                                const fhir_write_headers_t *headers, const char *project_id)
{
    fhir_intake_t *made = apr_pcalloc(exchange->pool, sizeof(*made));
    fhir_sniff_t found = FHIR_SNIFF_OTHER;
    made->exchange = exchange;
    made->headers = headers;
    made->project_id = project_id;
    FHIR_TRY(prepare_body(made));
    if (headers->resource_format != FHIR_FORMAT_RAW) {
        FHIR_TRY(sniff(made, &found));
    }
    if (found == FHIR_SNIFF_MALFORMED && headers->fhir_type) {
        return not_fhir(exchange);
    }
    made->is_resource = found == FHIR_SNIFF_BINARY;
    *is_resource = made->is_resource;
    *intake = made;
    return NULL;
}

/* ---- raw ---- */

static fhir_error_t *read_raw(fhir_intake_t *intake)
{
    const char *data;
    apr_size_t length = 1;
    FHIR_TRY(open_object(intake, intake->headers->content_encoding ? -1 : intake->exchange->request->body->length));
    FHIR_TRY(fhir_object_write(intake->writer, intake->window, intake->window_length));
    FHIR_TRY(fhir_object_write(intake->writer, intake->left, intake->left_length));
    while (!intake->ended && length > 0) {
        FHIR_TRY(intake->body->read(intake->body, &data, &length));
        FHIR_TRY(fhir_object_write(intake->writer, data, length));
    }
    return NULL;
}

/* ---- resource form ---- */

static fhir_error_t *feed(fhir_intake_t *intake, const char *data, apr_size_t length)
{
    const fhir_settings_t *settings = intake->exchange->settings;
    intake->resource_size += (apr_off_t)length;
    if (intake->resource_size > settings->max_resource_size) {
        return fhir_error_public(intake->exchange->pool, FHIR_ERROR_TOO_LARGE,
                                 "A Binary resource may have %" APR_OFF_T_FMT " bytes here. Upload larger content raw: "
                                 "the file as the body, its own Content-Type, X-Security-Context as a header.",
                                 settings->max_resource_size);
    }
    return fhir_binary_decoder_feed(intake->decoder, data, length);
}

static fhir_error_t *read_resource(const fhir_binary_resource_t **resource, fhir_intake_t *intake)
{
    const char *data;
    apr_size_t length = 1;
    if (!intake->headers->content_encoding &&
        intake->exchange->request->body->length > intake->exchange->settings->max_resource_size) {
        intake->resource_size = intake->exchange->request->body->length;
        FHIR_TRY(feed(intake, "", 0));
    }
    FHIR_TRY(fhir_binary_decoder_create(&intake->decoder, intake->headers->resource_format, store_data, intake,
                                        intake->exchange->pool));
    FHIR_TRY(feed(intake, intake->window, intake->window_length));
    FHIR_TRY(feed(intake, intake->left, intake->left_length));
    while (!intake->ended && length > 0) {
        FHIR_TRY(intake->body->read(intake->body, &data, &length));
        FHIR_TRY(feed(intake, data, length));
    }
    FHIR_TRY(fhir_binary_decoder_finish(resource, intake->decoder));
    if ((*resource)->has_data && !intake->writer) {
        return open_object(intake, 0);
    }
    return NULL;
}

fhir_error_t *fhir_intake_read(const fhir_binary_resource_t **resource, fhir_intake_t *intake)
{
    *resource = NULL;
    FHIR_TRY(intake->is_resource ? read_resource(resource, intake) : read_raw(intake));
    if (intake->wire_digest) {
        fhir_digest_finish(intake->wire_digest);
        return fhir_check_digests(intake->headers->expected, intake->headers->expected_count, intake->wire_digest,
                                  intake->exchange->pool);
    }
    return NULL;
}

fhir_error_t *fhir_intake_commit(const fhir_content_t **content, fhir_intake_t *intake)
{
    fhir_written_t written;
    fhir_error_t *error;
    *content = NULL;
    if (!intake->writer) {
        return NULL;
    }
    error = fhir_object_commit(&written, intake->writer, intake->exchange->settings->request_timeout);
    intake->unanswered = fhir_commit_unanswered(error);
    FHIR_TRY(error);
    intake->content->size = written.size;
    memcpy(intake->content->sha256, written.sha256, sizeof(written.sha256));
    memcpy(intake->content->sha1, written.sha1, sizeof(written.sha1));
    *content = intake->content;
    return NULL;
}

/* UNAVAILABLE too: a gateway may give up, or a connection break, while the store still has the request. */
int fhir_commit_unanswered(const fhir_error_t *error)
{
    return error && (error->code == FHIR_ERROR_TIMEOUT || error->code == FHIR_ERROR_CANCELLED ||
                     error->code == FHIR_ERROR_UNAVAILABLE);
}

/* Failures here lose nothing: the pending row stays and `fhirbinctl store orphans` shows it. So it does if the store
 * may still make an object of what was sent. */
void fhir_intake_discard(fhir_intake_t *intake)
{
    fhir_call_t call;
    fhir_error_t *error = NULL;
    int existed;
    if (!intake || !intake->content) {
        return;
    }
    call = fhir_exchange_call_after_body(intake->exchange);
    call.cancelled = NULL; /* a client that went away is no reason to leave its remains */
    if (intake->writer) {
        /* Abort cannot tell whether it succeeded; remove can. */
        fhir_object_abort(intake->writer);
        error = fhir_object_remove(&existed, intake->store, intake->content->locator, &call);
    }
    if (!error && !intake->unanswered) {
        error = fhir_meta_object_forget(intake->exchange->app->meta, intake->content->object_key, &call);
    }
    if (error) {
        fhir_log_error(call.log, FHIR_LOG_WARNING, error, "removing an unfinished upload");
    }
    intake->content = NULL;
}
