/* Reading the bytes of a version while they may be moved to another store. */
#include "content_reader.h"

#include <string.h>

/* Somebody may move an object to and fro, but nobody that often within one request. */
#define PLACES_MAX 3

struct fhir_content_reader_t {
    const fhir_exchange_t *exchange; /* a copy: the body is sent when the interaction has ended */
    fhir_content_t content;          /* with the place where it was found last */
    fhir_object_reader_t *reader;
    apr_off_t offset; /* of the next byte */
    apr_off_t remaining;
    int places; /* that it was looked for at */
    int later;  /* it is opened while the body is sent */
};

static fhir_error_t *open_here(fhir_content_reader_t *reader)
{
    const fhir_exchange_t *exchange = reader->exchange;
    /* A stream may break long after the request's own deadline. */
    fhir_call_t call =
        reader->places || reader->later ? fhir_exchange_call_after_body(exchange) : fhir_exchange_call(exchange);
    fhir_open_store_t *store;
    fhir_error_t *error = fhir_store_get(&store, exchange->settings->catalog, reader->content.store, exchange->pool);
    reader->places++;
    reader->reader = NULL;
    if (error) {
        /* A row names a store that this node's configuration lacks: the administrator's matter, not the client's. */
        return fhir_error_create(exchange->pool, FHIR_ERROR_UNAVAILABLE, APR_SUCCESS,
                                 "The content is not available on this server now.", "store %s is not configured",
                                 reader->content.store);
    }
    return fhir_object_open(&reader->reader, store, reader->content.locator, reader->offset, reader->remaining,
                            reader->content.size, &call);
}

/* Is it somewhere else by now? Asked only when something went wrong; a database that is away answers no. */
static int has_moved(fhir_content_reader_t *reader)
{
    const fhir_exchange_t *exchange = reader->exchange;
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    const fhir_content_t *now = NULL;
    fhir_error_t *error;
    if (reader->places >= PLACES_MAX) {
        return 0;
    }
    error = fhir_meta_object_find(&now, exchange->app->meta, reader->content.object_key, &call);
    if (error) {
        fhir_log_error(call.log, FHIR_LOG_WARNING, error, "asking where an object is that was not found");
        return 0;
    }
    if (!now ||
        (strcmp(now->store, reader->content.store) == 0 && strcmp(now->locator, reader->content.locator) == 0)) {
        return 0;
    }
    reader->content.store = now->store;
    reader->content.locator = now->locator;
    return 1;
}

static fhir_error_t *open_wherever(fhir_content_reader_t *reader)
{
    fhir_error_t *error = open_here(reader);
    while (error && error->code != FHIR_ERROR_CANCELLED && has_moved(reader)) {
        error = open_here(reader);
    }
    return error;
}

fhir_content_reader_t *fhir_content_later(const fhir_exchange_t *exchange, const fhir_content_t *content,
                                          apr_off_t offset, apr_off_t length)
{
    fhir_content_reader_t *made = apr_pcalloc(exchange->pool, sizeof(*made));
    made->exchange = apr_pmemdup(exchange->pool, exchange, sizeof(*exchange));
    made->content = *content;
    made->offset = offset;
    made->remaining = length;
    made->later = 1;
    return made;
}

fhir_error_t *fhir_content_open(fhir_content_reader_t **reader, const fhir_exchange_t *exchange,
                                const fhir_content_t *content, apr_off_t offset, apr_off_t length)
{
    *reader = fhir_content_later(exchange, content, offset, length);
    (*reader)->later = 0;
    return open_wherever(*reader);
}

fhir_error_t *fhir_content_file(apr_file_t **file, apr_off_t *offset, fhir_content_reader_t *reader)
{
    return fhir_object_file(file, offset, reader->reader);
}

fhir_error_t *fhir_content_read(void *baton, char *buffer, apr_size_t *length)
{
    fhir_content_reader_t *reader = baton;
    apr_size_t room = *length;
    fhir_error_t *error;
    if (reader->later && reader->places == 0) {
        FHIR_TRY(open_wherever(reader));
    }
    error = fhir_object_read(reader->reader, buffer, length);
    while (error && error->code != FHIR_ERROR_CANCELLED && has_moved(reader)) {
        fhir_log_error(reader->exchange->app->log, FHIR_LOG_INFO, error,
                       "an object was moved while it was read; going on at its new place");
        if (reader->reader) {
            fhir_object_close(reader->reader);
        }
        *length = room;
        error = open_here(reader);
        error = error ? error : fhir_object_read(reader->reader, buffer, length);
    }
    if (!error) {
        reader->offset += (apr_off_t)*length;
        reader->remaining -= (apr_off_t)*length;
    }
    return error;
}
