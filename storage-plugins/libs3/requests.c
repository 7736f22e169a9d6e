/* Driving libs3: one request in its context, until it is done, the deadline passes or nothing moves; and what its
 * statuses mean. */
#include "libs3_store.h"

#include <string.h>
#include <sys/select.h>

#define SLICE_MS 250
/* Without a sign of life, the connecting included. libs3 itself gives up after 15 s below 1 KiB/s. */
#define STALL_TIMEOUT apr_time_from_sec(20)

/* ---- errors ---- */

typedef struct status_error_t {
    S3Status status;
    fhir_error_code_t code;
    fhir_retry_t retry;
    const char *advice; /* for the log, or NULL */
} status_error_t;

#define REACHABLE "does the server run, and is endpoint= right?"
#define SPEAKS_HTTP "does endpoint= speak http? libs3 can't use https: the s3 plugin can"
#define RIGHT_KEYS "correct the keys in credentials_file=, profile="

static const status_error_t status_errors[] = {
    {S3StatusErrorNoSuchKey, FHIR_ERROR_NOT_FOUND, FHIR_RETRY_NO, NULL},
    {S3StatusHttpErrorNotFound, FHIR_ERROR_NOT_FOUND, FHIR_RETRY_NO, NULL},
    {S3StatusErrorInvalidRange, FHIR_ERROR_RANGE, FHIR_RETRY_NO, NULL},
    /* Of a read that is tied to an ETag: somebody put another object in its place. */
    {S3StatusErrorPreconditionFailed, FHIR_ERROR_CORRUPT, FHIR_RETRY_NO, NULL},
    {S3StatusErrorBadDigest, FHIR_ERROR_CORRUPT, FHIR_RETRY_YES, NULL},
    {S3StatusErrorEntityTooLarge, FHIR_ERROR_TOO_LARGE, FHIR_RETRY_NO, NULL},
    {S3StatusErrorAccessDenied, FHIR_ERROR_DENIED, FHIR_RETRY_NO,
     "give the keys of credentials_file= the right to this on bucket="},
    {S3StatusErrorInvalidAccessKeyId, FHIR_ERROR_DENIED, FHIR_RETRY_NO, RIGHT_KEYS},
    {S3StatusErrorSignatureDoesNotMatch, FHIR_ERROR_DENIED, FHIR_RETRY_NO, RIGHT_KEYS},
    {S3StatusErrorRequestTimeTooSkewed, FHIR_ERROR_DENIED, FHIR_RETRY_NO, "set the clocks of both hosts (NTP)"},
    {S3StatusErrorAccountProblem, FHIR_ERROR_DENIED, FHIR_RETRY_NO, NULL},
    {S3StatusErrorInvalidSecurity, FHIR_ERROR_DENIED, FHIR_RETRY_NO, NULL},
    {S3StatusHttpErrorForbidden, FHIR_ERROR_DENIED, FHIR_RETRY_NO, RIGHT_KEYS " and their rights on bucket="},
    {S3StatusErrorNoSuchBucket, FHIR_ERROR_DENIED, FHIR_RETRY_NO, "make the bucket, or correct bucket="},
    {S3StatusErrorSlowDown, FHIR_ERROR_THROTTLED, FHIR_RETRY_AFTER, NULL},
    {S3StatusErrorRequestTimeout, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, NULL},
    {S3StatusErrorInternalError, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, NULL},
    {S3StatusErrorOperationAborted, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, NULL},
    /* A connection that broke without an answer, among others. */
    {S3StatusInternalError, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, SPEAKS_HTTP},
    /* libs3 keeps no number: a 500 or 503 without a text that it understands is one of these. */
    {S3StatusErrorUnknown, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, NULL},
    {S3StatusHttpErrorUnknown, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, SPEAKS_HTTP},
    {S3StatusXmlParseFailure, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, SPEAKS_HTTP},
    {S3StatusNameLookupError, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, "correct the host of endpoint="},
    {S3StatusFailedToConnect, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, REACHABLE},
    {S3StatusConnectionFailed, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, REACHABLE},
    {S3StatusAbortedByCallback, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_NO, NULL},
    {S3StatusOutOfMemory, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_NO, NULL},
};

static const char *public_text_of(fhir_error_code_t code)
{
    switch (code) {
    case FHIR_ERROR_RANGE:
        return "The range is outside the object.";
    case FHIR_ERROR_CORRUPT:
        return "The store's object has changed; try again.";
    case FHIR_ERROR_TOO_LARGE:
        return "The content is larger than the store can keep.";
    case FHIR_ERROR_DENIED:
        return "The store refused access. Tell the operator of this server.";
    case FHIR_ERROR_UNAVAILABLE:
    case FHIR_ERROR_THROTTLED:
        return "The store is overloaded or unreachable; try again.";
    default:
        return "The store failed unexpectedly. Tell the operator of this server.";
    }
}

static const char misconfigured[] = "The store is not usable as configured. Tell the operator of this server.";

static const char *origin_of(const libs3_request_t *request, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "http://", request->store->config->bucket.hostName, NULL);
}

static fhir_error_t *status_error(const libs3_request_t *request, apr_pool_t *pool)
{
    status_error_t meaning = {request->status, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO, NULL};
    fhir_error_t *error;
    size_t i;
    if (request->status == S3StatusOK) {
        return NULL;
    }
    for (i = 0; i < sizeof(status_errors) / sizeof(status_errors[0]); i++) {
        if (status_errors[i].status == request->status) {
            meaning = status_errors[i];
        }
    }
    if (meaning.code == FHIR_ERROR_NOT_FOUND) {
        return fhir_plugin_not_found(pool);
    }
    error =
        fhir_error_create(pool, meaning.code, APR_SUCCESS, public_text_of(meaning.code), "%s: libs3 says %s of %s%s%s",
                          request->name, S3_get_status_name(request->status), origin_of(request, pool),
                          meaning.advice ? ": " : "", meaning.advice ? meaning.advice : "");
    error->retry = meaning.retry;
    if (request->status == S3StatusErrorNoSuchBucket) {
        error->public_text = misconfigured;
    }
    return error;
}

fhir_error_t *libs3_no_bucket(const libs3_request_t *request, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_DENIED, APR_SUCCESS, misconfigured,
                             "%s: %s knows no such bucket: make it, or correct bucket= and endpoint=", request->name,
                             origin_of(request, pool));
}

static fhir_error_t *stalled(const libs3_request_t *request, apr_pool_t *pool)
{
    fhir_error_t *error =
        fhir_error_create(pool, FHIR_ERROR_TIMEOUT, APR_TIMEUP, "The store did not answer in time; try again.",
                          "%s: no answer from %s within 20 s", request->name, origin_of(request, pool));
    error->retry = FHIR_RETRY_YES;
    return error;
}

/* ---- callbacks of every request ---- */

static S3Status take_properties(const S3ResponseProperties *properties, void *baton)
{
    libs3_request_t *request = baton;
    request->moved = apr_time_now();
    request->content_length =
        properties->contentLength <= INT64_MAX ? (apr_int64_t)properties->contentLength : (apr_int64_t)-1;
    request->modified = properties->lastModified > 0 ? apr_time_from_sec(properties->lastModified) : 0;
    if (properties->eTag && strlen(properties->eTag) < sizeof(request->etag)) {
        apr_cpystrn(request->etag, properties->eTag, sizeof(request->etag));
    }
    return S3StatusOK;
}

static void complete(S3Status status, const S3ErrorDetails *details, void *baton)
{
    libs3_request_t *request = baton;
    (void)details; /* the server's words may name bucket and key */
    request->status = status;
    request->done = 1;
}

const S3ResponseHandler libs3_response_handler = {take_properties, complete};

/* ---- contexts ---- */

static S3RequestContext *take_context(fhir_store_t *store)
{
    S3RequestContext *context = NULL;
    pthread_mutex_lock(&store->mutex);
    if (store->idle_count > 0) {
        context = store->idle[--store->idle_count];
    }
    pthread_mutex_unlock(&store->mutex);
    if (!context && S3_create_request_context(&context) != S3StatusOK) {
        context = NULL;
    }
    return context;
}

static void give_context_back(fhir_store_t *store, S3RequestContext *context)
{
    pthread_mutex_lock(&store->mutex);
    if (store->idle_count < LIBS3_IDLE_MAX) {
        store->idle[store->idle_count++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&store->mutex);
    if (context) {
        S3_destroy_request_context(context);
    }
}

void libs3_close_idle(fhir_store_t *store)
{
    while (store->idle_count > 0) {
        S3_destroy_request_context(store->idle[--store->idle_count]);
    }
}

/* Until a socket is ready or a quarter of a second has passed. libcurl leaves descriptors that don't fit into the sets
 * out of them; then we look every few milliseconds. */
static void wait_for_sockets(S3RequestContext *context)
{
    fd_set readable;
    fd_set writable;
    fd_set failed;
    int highest = -1;
    int64_t wanted = S3_get_request_context_timeout(context);
    apr_interval_time_t wait = wanted >= 0 && wanted < SLICE_MS ? wanted : SLICE_MS;
    struct timeval room;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_ZERO(&failed);
    if (S3_get_request_context_fdsets(context, &readable, &writable, &failed, &highest) != S3StatusOK || highest < 0) {
        wait = wait < 5 ? wait : 5;
        highest = -1;
    }
    room.tv_sec = 0;
    room.tv_usec = (suseconds_t)(wait * 1000);
    (void)select(highest + 1, &readable, &writable, &failed, &room);
}

static fhir_error_t *drive(libs3_request_t *request, S3RequestContext *context, const fhir_store_call_t *call)
{
    const char *origin = origin_of(request, call->result_pool);
    apr_time_t began = apr_time_now();
    int remaining = 0;
    request->start(request, context);
    while (!request->done) {
        S3Status status = S3_runonce_request_context(context, &remaining);
        if (!request->done && status != S3StatusOK) {
            request->status = status;
            return status_error(request, call->result_pool);
        }
        if (!request->done) {
            FHIR_TRY(fhir_plugin_check_wait(call, request->name, origin, began));
            if (apr_time_now() - request->moved > STALL_TIMEOUT) {
                return stalled(request, call->result_pool);
            }
            wait_for_sockets(context);
        }
    }
    return NULL;
}

/* ---- running ---- */

void libs3_request_init(libs3_request_t *request, const fhir_store_t *store, const char *name, const char *locator)
{
    memset(request, 0, sizeof(*request));
    request->store = store;
    request->name = name;
    if (locator) {
        apr_cpystrn(request->key, store->config->prefix, sizeof(request->key));
        apr_cpystrn(request->key + strlen(request->key), locator, sizeof(request->key) - strlen(request->key));
    }
}

fhir_error_t *libs3_run(libs3_request_t *request, fhir_store_t *store, const fhir_store_call_t *call)
{
    S3RequestContext *context;
    fhir_error_t *error;
    FHIR_TRY(fhir_plugin_check_call(call));
    request->done = 0;
    request->content_length = -1;
    request->modified = 0;
    request->etag[0] = '\0';
    request->moved = apr_time_now();
    context = take_context(store);
    if (!context) {
        request->status = S3StatusOutOfMemory;
        return status_error(request, call->result_pool);
    }
    error = drive(request, context, call);
    if (request->done) {
        give_context_back(store, context);
    } else {
        S3_destroy_request_context(context); /* calls `complete` */
    }
    return error ? error : status_error(request, call->result_pool);
}

fhir_error_t *libs3_run_repeatedly(libs3_request_t *request, fhir_store_t *store, const fhir_store_call_t *call)
{
    int attempt = 0;
    fhir_error_t *error;
    do {
        error = libs3_run(request, store, call);
    } while (error && fhir_http_try_again(&attempt, error, call));
    return error;
}

/* ---- HEAD and DELETE ---- */

static void start_head(libs3_request_t *request, S3RequestContext *context)
{
    S3_head_object(&request->store->config->bucket, request->key, context, &libs3_response_handler, request);
}

fhir_error_t *libs3_head(libs3_request_t *request, fhir_store_t *store, const char *locator,
                         const fhir_store_call_t *call)
{
    libs3_request_init(request, store, "HeadObject", locator);
    request->start = start_head;
    FHIR_TRY(libs3_run_repeatedly(request, store, call));
    if (request->content_length < 0) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_CORRUPT, APR_SUCCESS,
                                 "The store failed unexpectedly. Tell the operator of this server.",
                                 "HeadObject: the answer has no Content-Length");
    }
    return NULL;
}

static void start_delete(libs3_request_t *request, S3RequestContext *context)
{
    S3_delete_object(&request->store->config->bucket, request->key, context, &libs3_response_handler, request);
}

fhir_error_t *libs3_delete(fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    libs3_request_t request;
    fhir_error_t *error;
    libs3_request_init(&request, store, "DeleteObject", locator);
    request.start = start_delete;
    error = libs3_run_repeatedly(&request, store, call);
    return error && error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
}

void libs3_fill_info(fhir_object_info_t *info, const libs3_request_t *request, apr_pool_t *pool)
{
    info->length = request->content_length;
    info->modified = request->modified;
    info->checksum = request->etag[0] ? apr_pstrdup(pool, request->etag) : NULL;
}
