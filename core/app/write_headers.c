/* Everything about a write that can be refused before its body is read. */
#include "intake.h"

#include "../base/text.h"
#include "security_context.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#define DEFAULT_CONTENT_TYPE "application/octet-stream"

static fhir_error_t *read_content_type(fhir_write_headers_t *headers, const fhir_exchange_t *exchange)
{
    const char *sent = fhir_request_header(exchange->request, "Content-Type");
    fhir_media_type_t media_type;
    if (fhir_request_header_count(exchange->request, "Content-Type") > 1) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "Send one Content-Type.");
    }
    FHIR_TRY(fhir_media_type_parse(&media_type, sent && *sent ? sent : DEFAULT_CONTENT_TYPE, exchange->pool));
    headers->content_type = media_type.text;
    headers->resource_format = fhir_media_type_format(media_type.type, 1);
    headers->fhir_type = fhir_media_type_format(media_type.type, 0) != FHIR_FORMAT_RAW;
    return NULL;
}

static fhir_error_t *read_security_context(fhir_write_headers_t *headers, const fhir_exchange_t *exchange)
{
    const char *sent = fhir_request_header(exchange->request, "X-Security-Context");
    if (!sent) {
        return NULL;
    }
    if (fhir_request_header_count(exchange->request, "X-Security-Context") > 1) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "Send one X-Security-Context.");
    }
    return fhir_context_of_header(&headers->security_context, sent, exchange);
}

static void read_filename(fhir_write_headers_t *headers, const fhir_exchange_t *exchange)
{
    const char *parameter = fhir_query_get(exchange->query, "_filename");
    headers->filename =
        parameter
            ? fhir_filename_clean(parameter, exchange->pool)
            : fhir_disposition_filename(fhir_request_header(exchange->request, "Content-Disposition"), exchange->pool);
}

static fhir_error_t *check_length(const fhir_exchange_t *exchange)
{
    if (exchange->request->body->length > exchange->settings->max_object_size) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_TOO_LARGE,
                                 "The body is larger than the %" APR_OFF_T_FMT " bytes that this server takes.",
                                 exchange->settings->max_object_size);
    }
    return NULL;
}

/* Content codings are checked here by name, so that an unknown one is refused before the body. */
fhir_error_t *fhir_content_coding(const char **coding, const fhir_exchange_t *exchange)
{
    static const char *const known[] = {"gzip", "x-gzip", "deflate", NULL};
    const char *sent = fhir_request_header(exchange->request, "Content-Encoding");
    int i;
    *coding = NULL;
    if (!sent || !*sent || apr_cstr_casecmp(sent, "identity") == 0) {
        return NULL;
    }
    for (i = 0; known[i]; i++) {
        if (apr_cstr_casecmp(sent, known[i]) == 0) {
            *coding = known[i];
            return NULL;
        }
    }
    return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                             "Content-Encoding must be gzip or deflate, or absent.");
}

fhir_error_t *fhir_write_headers(fhir_write_headers_t *headers, const fhir_exchange_t *exchange)
{
    memset(headers, 0, sizeof(*headers));
    FHIR_TRY(read_content_type(headers, exchange));
    FHIR_TRY(read_security_context(headers, exchange));
    FHIR_TRY(fhir_content_coding(&headers->content_encoding, exchange));
    FHIR_TRY(fhir_expected_digests(headers->expected, &headers->expected_count, exchange->request));
    FHIR_TRY(check_length(exchange));
    read_filename(headers, exchange);
    return fhir_check_refused(exchange, headers->resource_format == FHIR_FORMAT_RAW ? headers->content_type : NULL,
                              headers->filename);
}

static int listed(const apr_array_header_t *list, const char *value)
{
    int i;
    for (i = 0; i < list->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(list, i, const char *), value) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;
    for (at = copy; *at; at++) {
        *at = (char)apr_tolower(*at);
    }
    return copy;
}

fhir_error_t *fhir_check_refused(const fhir_exchange_t *exchange, const char *content_type, const char *filename)
{
    const char *extension = filename ? strrchr(filename, '.') : NULL;
    fhir_media_type_t media_type;
    if (content_type) {
        FHIR_TRY(fhir_media_type_parse(&media_type, content_type, exchange->pool));
        if (listed(exchange->settings->refused_content_types, media_type.type)) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                                     "This server does not take content of type %s.", media_type.type);
        }
    }
    if (extension && listed(exchange->settings->refused_extensions, lower(extension, exchange->pool))) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "This server does not take files named *%s.",
                                 lower(extension, exchange->pool));
    }
    return NULL;
}
