/* Errors -> answers. No other file decides which HTTP status an error has. */
#include "outcome_map.h"

#include "../fhir/answers.h"

#include <apr_strings.h>
#include <string.h>

#define DEFAULT_RETRY_AFTER 5 /* seconds */
#define HTTP_CLIENT_ABORTED 400

typedef struct mapping_t {
    fhir_error_code_t code;
    int status;
    const char *issue_type;
} mapping_t;

static const mapping_t mappings[] = {
    {FHIR_ERROR_INTERNAL, 500, "exception"},
    {FHIR_ERROR_NOT_FOUND, 404, "not-found"},
    {FHIR_ERROR_EXISTS, 409, "duplicate"},
    {FHIR_ERROR_DENIED, 500, "exception"},
    {FHIR_ERROR_THROTTLED, 503, "throttled"},
    {FHIR_ERROR_UNAVAILABLE, 503, "transient"},
    {FHIR_ERROR_TIMEOUT, 503, "timeout"},
    {FHIR_ERROR_NO_SPACE, 507, "no-store"},
    {FHIR_ERROR_TOO_LARGE, 413, "too-long"},
    {FHIR_ERROR_RANGE, 416, "value"},
    {FHIR_ERROR_CORRUPT, 500, "exception"},
    {FHIR_ERROR_UNSUPPORTED, 501, "not-supported"},
    {FHIR_ERROR_CANCELLED, HTTP_CLIENT_ABORTED, "transient"},
    {FHIR_ERROR_INVALID, 400, "invalid"},
    {FHIR_ERROR_UNAUTHENTICATED, 401, "login"},
    {FHIR_ERROR_FORBIDDEN, 403, "forbidden"},
    {FHIR_ERROR_GONE, 410, "deleted"},
    {FHIR_ERROR_EXPIRED, 410, "expired"},
    {FHIR_ERROR_PRECONDITION_FAILED, 412, "conflict"},
    {FHIR_ERROR_CONFLICT, 409, "conflict"},
    {FHIR_ERROR_METHOD_NOT_ALLOWED, 405, "not-supported"},
    {FHIR_ERROR_NOT_ACCEPTABLE, 406, "not-supported"},
    {FHIR_ERROR_UNSUPPORTED_MEDIA_TYPE, 415, "not-supported"},
    {FHIR_ERROR_LENGTH_REQUIRED, 411, "required"},
    {FHIR_ERROR_UNPROCESSABLE, 422, "business-rule"},
    {FHIR_ERROR_BODY_TIMEOUT, 408, "timeout"},
    {FHIR_ERROR_CLIENT_ABORTED, HTTP_CLIENT_ABORTED, "incomplete"},
    {FHIR_ERROR_BODY_REFUSED, 400, "invalid"},
    {FHIR_ERROR_REQUIRED, 400, "required"},
};

typedef struct status_text_t {
    int status;
    const char *issue_type;
    const char *text;
} status_text_t;

/* What httpd and its other modules may answer under our paths. */
static const status_text_t status_texts[] = {
    {400, "invalid", "The request is malformed."},
    {401, "login", "Authentication is required."},
    {403, "forbidden", "The server's configuration does not allow this request."},
    {404, "not-found", "There is nothing at this address. Encoded slashes are not allowed in ids."},
    {405, "not-supported", "This method is not allowed here."},
    {408, "timeout", "The request did not arrive in time. Send it again."},
    {411, "required", "Send a Content-Length."},
    {413, "too-long", "The request body is larger than this server allows."},
    {414, "too-long", "The address is too long."},
    {415, "not-supported", "The media type is not supported."},
    {417, "not-supported", "The Expect header asks for something this server cannot do."},
    {431, "too-long", "The request headers are too large."},
    {501, "not-supported", "The server does not support this method."},
    {502, "transient", "A server behind this one failed. Try again later."},
    {503, "transient", "The server is busy. Try again later."},
    {504, "timeout", "A server behind this one took too long. Try again later."},
};

static const mapping_t *find(const fhir_error_t *error)
{
    size_t i;
    for (i = 0; i < sizeof(mappings) / sizeof(mappings[0]); i++) {
        if (mappings[i].code == error->code) {
            return &mappings[i];
        }
    }
    return &mappings[0];
}

int fhir_error_http_status(const fhir_error_t *error)
{
    if (error->code == FHIR_ERROR_BODY_REFUSED && error->http_status >= 400) {
        return error->http_status;
    }
    return find(error)->status;
}

const char *fhir_error_issue_type(const fhir_error_t *error)
{
    if (error->code == FHIR_ERROR_BODY_REFUSED && error->http_status == 413) {
        return "too-long";
    }
    return find(error)->issue_type;
}

/* @medplum/core tells errors apart by OperationOutcome.id: isNotFound, isGone, isConflict, isOk ... */
static const char *outcome_id(int status)
{
    static const struct {
        int status;
        const char *id;
    } IDS[] = {{200, "ok"},
               {201, "created"},
               {401, "unauthorized"},
               {403, "forbidden"},
               {404, "not-found"},
               {409, "conflict"},
               {410, "gone"},
               {412, "precondition-failed"},
               {413, "content-too-large"},
               {415, "unsupported-media-type"},
               {429, "too-many-requests"}};
    size_t i;
    for (i = 0; i < sizeof(IDS) / sizeof(IDS[0]); i++) {
        if (IDS[i].status == status) {
            return IDS[i].id;
        }
    }
    return NULL;
}

static void add_outcome(fhir_response_t *response, fhir_format_t format, const char *severity, const char *issue_type,
                        const char *text, const char *expression)
{
    const char *body =
        fhir_outcome(format, outcome_id(response->status), severity, issue_type, text, expression, response->pool);
    fhir_response_header(response, "Content-Type", fhir_format_media_type(format));
    fhir_response_bytes(response, body, (apr_off_t)strlen(body));
}

static void add_retry_after(fhir_response_t *response, apr_interval_time_t after)
{
    apr_int64_t seconds = after > 0 ? (after + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC : DEFAULT_RETRY_AFTER;
    fhir_response_header(response, "Retry-After", apr_psprintf(response->pool, "%" APR_INT64_T_FMT, seconds));
}

fhir_response_t *fhir_error_response(const fhir_error_t *error, fhir_format_t format, apr_pool_t *pool)
{
    int status = fhir_error_http_status(error);
    fhir_response_t *response = fhir_response_create(status, pool);
    add_outcome(response, format, "error", fhir_error_issue_type(error), error->public_text, error->expression);
    fhir_response_header(response, "Cache-Control", "no-store");
    if (status == 401) {
        fhir_response_header(response, "WWW-Authenticate", "Bearer realm=\"FHIR\"");
    }
    if (status == 503) {
        add_retry_after(response, error->retry_after);
    }
    response->error = error;
    return response;
}

fhir_response_t *fhir_status_response(int status, fhir_format_t format, apr_pool_t *pool)
{
    fhir_response_t *response = fhir_response_create(status, pool);
    const char *issue_type = status >= 500 ? "exception" : "invalid";
    const char *text = status >= 500 ? "The server failed to answer. Try again later." : "The request was refused.";
    size_t i;
    for (i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++) {
        if (status_texts[i].status == status) {
            issue_type = status_texts[i].issue_type;
            text = status_texts[i].text;
        }
    }
    add_outcome(response, format, "error", issue_type, text, NULL);
    fhir_response_header(response, "Cache-Control", "no-store");
    return response;
}

void fhir_response_information(fhir_response_t *response, fhir_format_t format, const char *text)
{
    add_outcome(response, format, "information", "informational", text, NULL);
}
