/* Making responses. */
#include "response.h"

#include <string.h>

fhir_response_t *fhir_response_create(int status, apr_pool_t *pool)
{
    fhir_response_t *response = apr_pcalloc(pool, sizeof(*response));
    response->pool = pool;
    response->status = status;
    response->headers = apr_table_make(pool, 16);
    response->segments = apr_array_make(pool, 2, sizeof(fhir_segment_t));
    return response;
}

/* Last line of defence against header injection: a value can't end its line. */
static const char *one_line(const char *value, apr_pool_t *pool)
{
    char *safe = apr_pstrdup(pool, value);
    char *at;
    for (at = safe; *at; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7F) {
            *at = ' ';
        }
    }
    return safe;
}

void fhir_response_header(fhir_response_t *response, const char *name, const char *value)
{
    if (value) {
        apr_table_setn(response->headers, apr_pstrdup(response->pool, name), one_line(value, response->pool));
    } else {
        apr_table_unset(response->headers, name);
    }
}

static fhir_segment_t *add_segment(fhir_response_t *response, fhir_segment_kind_t kind, apr_off_t length)
{
    fhir_segment_t *segment = apr_array_push(response->segments);
    memset(segment, 0, sizeof(*segment));
    segment->kind = kind;
    segment->length = length;
    if (response->content_length >= 0) {
        response->content_length += length;
    }
    return segment;
}

void fhir_response_bytes(fhir_response_t *response, const char *bytes, apr_off_t length)
{
    if (length > 0) {
        add_segment(response, FHIR_SEGMENT_BYTES, length)->bytes = bytes;
    }
}

void fhir_response_file(fhir_response_t *response, apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    if (length > 0) {
        fhir_segment_t *segment = add_segment(response, FHIR_SEGMENT_FILE, length);
        segment->file = file;
        segment->offset = offset;
    }
}

void fhir_response_stream(fhir_response_t *response, fhir_stream_fn read, void *baton, apr_off_t length)
{
    if (length > 0) {
        fhir_segment_t *segment = add_segment(response, FHIR_SEGMENT_STREAM, length);
        segment->read = read;
        segment->baton = baton;
    }
}
