/* What an answer of an S3 server means that is not 2xx, and what can be put right: expired keys, a wrong clock. */
#include "s3.h"

#include <apr_date.h>
#include <string.h>

/* S3 takes a clock that is wrong by up to 15 minutes; a correction of less would be no correction. */
#define SKEW_LEAST apr_time_from_sec(5 * 60)
#define SKEW_ALLOWED apr_time_from_sec(14 * 60)
/* More than this is not a wrong clock but a wrong server. */
#define SKEW_MOST apr_time_from_sec(24 * 3600)

typedef struct meaning_t {
    const char *code; /* S3's own */
    fhir_error_code_t error;
    fhir_retry_t retry;
    const char *advice; /* for the log */
} meaning_t;

static const meaning_t meanings[] = {
    {"NoSuchBucket", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "the bucket does not exist: make it, or correct bucket="},
    {"RequestTimeout", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "the server waited too long for the body"},
    {"BadDigest", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "the bytes were changed on their way"},
    {"XAmzContentSHA256Mismatch", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "the bytes were changed on their way"},
    {"IncompleteBody", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "the bytes did not arrive"},
    {"EntityTooLarge", FHIR_ERROR_TOO_LARGE, FHIR_RETRY_NO, "larger than this server takes"},
    {"QuotaExceeded", FHIR_ERROR_NO_SPACE, FHIR_RETRY_NO, "the quota of user or bucket is used up"},
    {"ConditionalRequestConflict", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "another request for this key was running"},
    {"OperationAborted", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "another request for this key was running"},
    {"SignatureDoesNotMatch", FHIR_ERROR_DENIED, FHIR_RETRY_NO,
     "wrong secret key in credentials_file=, or a proxy changes requests on their way"},
    {"AccessDenied", FHIR_ERROR_DENIED, FHIR_RETRY_NO,
     "the keys lack a right on the bucket: s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload, ListBucket, "
     "ListBucketMultipartUploads"},
    {"InvalidAccessKeyId", FHIR_ERROR_DENIED, FHIR_RETRY_NO,
     "the server does not know the access key: correct credentials_file= or endpoint="},
    {"ExpiredToken", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "the session token has expired"},
    {"InvalidToken", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "the session token is not valid"},
    {"TokenRefreshRequired", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "the session token has expired"},
    {"RequestTimeTooSkewed", FHIR_ERROR_DENIED, FHIR_RETRY_NO,
     "the clocks of this host and the object server differ: set them (NTP)"},
    {"AuthorizationHeaderMalformed", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "probably another region: correct region="},
    {"PermanentRedirect", FHIR_ERROR_DENIED, FHIR_RETRY_NO,
     "the bucket is at another endpoint: correct region= and endpoint="},
    {"TemporaryRedirect", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_NO,
     "the bucket is at another endpoint: correct region= and endpoint="},
    {"InvalidObjectState", FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_NO,
     "the object was archived: a lifecycle rule must not do that to this bucket"},
    {"InvalidStorageClass", FHIR_ERROR_UNSUPPORTED, FHIR_RETRY_NO, "correct storage_class="},
    {"KMS.NotFoundException", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "correct kms_key_id="},
    {"KMS.DisabledException", FHIR_ERROR_DENIED, FHIR_RETRY_NO, "the KMS key is disabled"},
    {"NotImplemented", FHIR_ERROR_UNSUPPORTED, FHIR_RETRY_NO,
     "the server lacks something that the options ask for (if_none_match, encryption, storage_class)"},
};

static const meaning_t *meaning_of(const char *code)
{
    size_t i;
    for (i = 0; code && i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (!strcmp(meanings[i].code, code)) {
            return &meanings[i];
        }
    }
    return NULL;
}

/* Mistakes of the configuration, which no repetition mends. */
static int is_misconfigured(const char *code)
{
    return !strcmp(code, "NoSuchBucket") || !strcmp(code, "PermanentRedirect");
}

static const char *public_text(fhir_error_code_t code)
{
    switch (code) {
    case FHIR_ERROR_NO_SPACE:
        return "The store is full. Tell the operator of this server.";
    case FHIR_ERROR_TOO_LARGE:
        return "The content is larger than the store can keep.";
    case FHIR_ERROR_DENIED:
        return "The store refused access. Tell the operator of this server.";
    case FHIR_ERROR_UNSUPPORTED:
        return "The store can't do this. Tell the operator of this server.";
    default:
        return "The store is overloaded or unreachable; try again.";
    }
}

static int names_expired_keys(const char *code)
{
    static const char *const codes[] = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"};
    size_t i;
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (!strcmp(code, codes[i])) {
            return 1;
        }
    }
    return 0;
}

/* The server's clock minus ours; 0 if its answer does not tell. */
static apr_interval_time_t skew_of(const fhir_http_response_t *response)
{
    const char *date = apr_table_get(response->headers, "Date");
    apr_time_t theirs = date ? apr_date_parse_http(date) : APR_DATE_BAD;
    return theirs == APR_DATE_BAD ? 0 : theirs - apr_time_now();
}

static apr_interval_time_t magnitude(apr_interval_time_t interval)
{
    return interval < 0 ? -interval : interval;
}

/* Signs from now on as if our clock were the server's. Whoever could forge the Date of an answer without TLS gains
 * requests that are signed for up to a day ahead; he could repeat those of the last 15 minutes anyway, and none of them
 * can replace an object. */
static int correct_clock(fhir_store_t *store, const fhir_http_response_t *response, const fhir_store_call_t *call)
{
    apr_interval_time_t skew = skew_of(response);
    apr_interval_time_t before = atomic_load(&store->clock_offset);
    if (magnitude(skew) > SKEW_MOST || magnitude(skew - before) < SKEW_LEAST) {
        return 0;
    }
    atomic_store(&store->clock_offset, skew);
    s3_log(call, FHIR_STORE_LOG_WARNING,
           "s3: the clocks of this host and of %s differ by %" APR_TIME_T_FMT
           " seconds. Requests are signed for its time from now on; set the clocks (NTP).",
           store->config->endpoint.host, apr_time_sec(skew));
    return 1;
}

/* The answer to HEAD has no body: what it would say is guessed. */
static const char *guess(const fhir_store_t *store, const fhir_http_response_t *response,
                         const s3_credentials_t *credentials)
{
    if (response->body_length > 0 || (response->status != 403 && response->status != 400)) {
        return NULL;
    }
    if (magnitude(skew_of(response) - atomic_load(&store->clock_offset)) > SKEW_ALLOWED) {
        return "RequestTimeTooSkewed";
    }
    return credentials && credentials->session_token && response->status == 400 ? "ExpiredToken" : NULL;
}

/* A guess is no reason to give keys up that may be good: then everybody would be without. */
static int replace_keys(fhir_store_t *store, int guessed, const s3_credentials_t *credentials)
{
    return guessed ? s3_credentials_doubted(store->credentials, credentials)
                   : s3_credentials_refused(store->credentials, credentials);
}

static int put_right(fhir_store_t *store, const char *code, int guessed, const fhir_http_response_t *response,
                     const s3_credentials_t *credentials, const fhir_store_call_t *call)
{
    if (!strcmp(code, "RequestTimeTooSkewed")) {
        return correct_clock(store, response, call);
    }
    return names_expired_keys(code) && credentials && replace_keys(store, guessed, credentials);
}

static fhir_error_t *explain(const meaning_t *meaning, const fhir_http_response_t *response, const char *operation,
                             apr_pool_t *pool)
{
    const char *region = apr_table_get(response->headers, "x-amz-bucket-region");
    fhir_error_t *error =
        fhir_error_create(pool, meaning->error, APR_SUCCESS, public_text(meaning->error),
                          "%s: status %d, %s: %s%s%.64s", operation, response->status, meaning->code, meaning->advice,
                          region ? "; the bucket's region is " : "", region ? region : "");
    error->retry = meaning->retry;
    if (is_misconfigured(meaning->code)) {
        error->public_text = "The store is not usable as configured. Tell the operator of this server.";
    }
    return error;
}

fhir_error_t *s3_refusal(int *again, fhir_store_t *store, const fhir_http_response_t *response, const char *operation,
                         const s3_credentials_t *credentials, const fhir_store_call_t *call)
{
    const char *code = s3_error_code(response->body, response->body_length, call->scratch_pool);
    const meaning_t *meaning;
    fhir_error_t *error;
    int guessed = !code;
    int corrected;
    code = code ? code : guess(store, response, credentials);
    corrected = code && put_right(store, code, guessed, response, credentials, call);
    meaning = meaning_of(code);
    error = meaning ? explain(meaning, response, operation, call->result_pool)
                    : fhir_http_status_error(response, operation, code, call->result_pool);
    if (corrected) {
        error->code = FHIR_ERROR_UNAVAILABLE;
        error->retry = FHIR_RETRY_YES;
        error->public_text = public_text(FHIR_ERROR_UNAVAILABLE);
    }
    if (again) {
        *again = corrected;
    }
    return error;
}

int s3_unclear(const fhir_error_t *error, const fhir_http_response_t *response)
{
    return error && (response->status == 0 || response->status >= 500 || response->status < 300 ||
                     error->code == FHIR_ERROR_UNAVAILABLE);
}
