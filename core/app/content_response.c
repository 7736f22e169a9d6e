/* Stored bytes as an answer: ranges are cut here, for every kind of store alike. */
#include "content_response.h"

#include "../base/text.h"
#include "../http/conditional.h"
#include "../http/range.h"
#include "content_reader.h"
#include "outcome_map.h"

#include <apr_strings.h>
#include <string.h>

/* Content is never ours: no scripts, no plugins, no access to the origin, even when displayed inline. */
#define CONTENT_SECURITY_POLICY                                                                                        \
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"

void fhir_validators(fhir_response_t *response, const fhir_binary_t *binary, int strong)
{
    fhir_response_header(response, "ETag",
                         apr_psprintf(response->pool, "%s\"%s\"", strong ? "" : "W/", binary->version_id));
    fhir_response_header(response, "Last-Modified", fhir_http_date(binary->last_updated, response->pool));
}

fhir_error_t *fhir_not_modified_response(fhir_response_t **response, const fhir_exchange_t *exchange,
                                         const fhir_binary_t *binary, int strong)
{
    int not_modified = 0;
    *response = NULL;
    /* Parts of two versions must never be put together: RFC 9110 section 13.2.2 has these first, for reads too. */
    FHIR_TRY(fhir_precondition(fhir_request_header(exchange->request, "If-Match"),
                               fhir_request_header(exchange->request, "If-Unmodified-Since"), binary->version_id,
                               binary->last_updated, exchange->pool));
    FHIR_TRY(fhir_not_modified(&not_modified, fhir_request_header(exchange->request, "If-None-Match"),
                               fhir_request_header(exchange->request, "If-Modified-Since"), binary->version_id,
                               binary->last_updated, exchange->pool));
    if (not_modified) {
        *response = fhir_response_create(304, exchange->pool);
        (*response)->content_length = -1;
        fhir_validators(*response, binary, strong);
        fhir_response_header(*response, "Vary", "Accept");
    }
    return NULL;
}

/* "image" + "/" + "*" matches a whole family. */
static int type_matches(const char *pattern, const char *type)
{
    size_t length = strlen(pattern);
    if (length >= 2 && strcmp(pattern + length - 2, "/*") == 0) {
        return strncmp(pattern, type, length - 1) == 0;
    }
    return strcmp(pattern, type) == 0;
}

int fhir_displayed_inline(const fhir_exchange_t *exchange, const char *content_type)
{
    const apr_array_header_t *types = exchange->settings->inline_content_types;
    fhir_media_type_t media_type;
    int i;
    if (!content_type || fhir_media_type_parse(&media_type, content_type, exchange->pool)) {
        return 0;
    }
    for (i = 0; i < types->nelts; i++) {
        if (type_matches(APR_ARRAY_IDX(types, i, const char *), media_type.type)) {
            return 1;
        }
    }
    return 0;
}

static void add_headers(fhir_response_t *response, const fhir_exchange_t *exchange, const fhir_binary_t *binary)
{
    fhir_validators(response, binary, 1);
    fhir_response_header(response, "Accept-Ranges", "bytes");
    fhir_response_header(response, "X-Content-Type-Options", "nosniff");
    fhir_response_header(response, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
    fhir_response_header(response, "Content-Disposition",
                         fhir_disposition_format(fhir_displayed_inline(exchange, binary->content_type),
                                                 binary->filename, response->pool));
    fhir_response_header(response, "Repr-Digest", fhir_repr_digest(binary->content->sha256, response->pool));
    if (binary->security_context && exchange->route.kind != FHIR_ROUTE_SIGNED) {
        fhir_response_header(response, "X-Security-Context", binary->security_context);
    }
}

/* Opens the range and adds it as a segment. *streamed: the store gave no file. */
static fhir_error_t *add_content(int *streamed, fhir_response_t *response, const fhir_exchange_t *exchange,
                                 const fhir_content_t *content, apr_off_t offset, apr_off_t length)
{
    fhir_content_reader_t *reader;
    apr_file_t *file;
    apr_off_t file_offset;
    *streamed = 0;
    if (length == 0) {
        return NULL;
    }
    FHIR_TRY(fhir_content_open(&reader, exchange, content, offset, length));
    FHIR_TRY(fhir_content_file(&file, &file_offset, reader));
    *streamed = file == NULL;
    if (file) {
        fhir_response_file(response, file, file_offset, length);
    } else {
        fhir_response_stream(response, fhir_content_read, reader, length);
    }
    return NULL;
}

static void add_text(fhir_response_t *response, const char *text)
{
    fhir_response_bytes(response, text, (apr_off_t)strlen(text));
}

/* The first part tells whether the object can be read. Where parts are streamed, the others are opened when it is their
 * turn: one request shall not hold a connection to the store for each of its ranges. */
static fhir_error_t *add_part(int *streamed, fhir_response_t *response, const fhir_exchange_t *exchange,
                              const fhir_content_t *content, const fhir_range_t *range)
{
    if (!*streamed) {
        return add_content(streamed, response, exchange, content, range->offset, range->length);
    }
    fhir_response_stream(response, fhir_content_read,
                         fhir_content_later(exchange, content, range->offset, range->length), range->length);
    return NULL;
}

/* multipart/byteranges, RFC 9110 section 14.6. */
static fhir_error_t *add_parts(fhir_response_t *response, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                               const fhir_range_t *ranges, int count)
{
    apr_off_t size = binary->content->size;
    const char *boundary;
    int streamed = 0;
    int i;
    FHIR_TRY(fhir_random_hex(&boundary, 16, exchange->pool));
    for (i = 0; i < count; i++) {
        add_text(response,
                 apr_psprintf(exchange->pool, "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", boundary,
                              binary->content_type, fhir_content_range(&ranges[i], size, exchange->pool)));
        FHIR_TRY(add_part(&streamed, response, exchange, binary->content, &ranges[i]));
    }
    add_text(response, apr_psprintf(exchange->pool, "\r\n--%s--\r\n", boundary));
    fhir_response_header(response, "Content-Type",
                         apr_psprintf(exchange->pool, "multipart/byteranges; boundary=%s", boundary));
    return NULL;
}

static fhir_error_t *unsatisfiable(fhir_response_t **response, const fhir_exchange_t *exchange,
                                   const fhir_binary_t *binary)
{
    /* An error answer of its own, because RFC 9110 wants Content-Range to tell the size. */
    const fhir_error_t *error =
        fhir_error_public(exchange->pool, FHIR_ERROR_RANGE,
                          "The range lies outside the content of %" APR_OFF_T_FMT " bytes.", binary->content->size);
    *response = fhir_error_response(error, FHIR_FORMAT_JSON, exchange->pool);
    fhir_response_header(*response, "Content-Range",
                         apr_psprintf(exchange->pool, "bytes */%" APR_OFF_T_FMT, binary->content->size));
    return NULL;
}

static fhir_error_t *partial(fhir_response_t *response, const fhir_exchange_t *exchange, const fhir_binary_t *binary,
                             const fhir_range_t *ranges, int count)
{
    int streamed;
    response->status = 206;
    if (count > 1) {
        return add_parts(response, exchange, binary, ranges, count);
    }
    fhir_response_header(response, "Content-Type", binary->content_type);
    fhir_response_header(response, "Content-Range",
                         fhir_content_range(&ranges[0], binary->content->size, exchange->pool));
    return add_content(&streamed, response, exchange, binary->content, ranges[0].offset, ranges[0].length);
}

fhir_error_t *fhir_content_response(fhir_response_t **response, const fhir_exchange_t *exchange,
                                    const fhir_binary_t *binary)
{
    const fhir_request_t *request = exchange->request;
    fhir_range_t ranges[FHIR_RANGE_MAX];
    int streamed;
    int count = 0;
    fhir_range_result_t selected = FHIR_RANGE_WHOLE;
    /* RFC 9110 section 14.2: Range is defined for GET only. */
    if (request->method == FHIR_METHOD_GET) {
        selected = fhir_range_select(ranges, &count, fhir_request_header(request, "Range"),
                                     fhir_request_header(request, "If-Range"), binary->version_id, binary->last_updated,
                                     binary->content->size, exchange->pool);
    }
    if (selected == FHIR_RANGE_UNSATISFIABLE) {
        return unsatisfiable(response, exchange, binary);
    }
    *response = fhir_response_create(200, exchange->pool);
    add_headers(*response, exchange, binary);
    if (selected == FHIR_RANGE_PARTIAL) {
        return partial(*response, exchange, binary, ranges, count);
    }
    fhir_response_header(*response, "Content-Type", binary->content_type);
    if (request->method == FHIR_METHOD_HEAD) {
        (*response)->content_length = binary->content->size;
        return NULL;
    }
    return add_content(&streamed, *response, exchange, binary->content, 0, binary->content->size);
}
