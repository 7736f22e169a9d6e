/* What a client sent to the store directly, on its way to a version. */
#include "direct_upload.h"

#include "intake.h"
#include "security_context.h"

#include <apr_strings.h>
#include <string.h>

#define LEASE apr_time_from_sec(120)
#define RENEW_AFTER apr_time_from_sec(30)
#define PIECE ((apr_size_t)65536)
/* How long a client waits for what somebody else is completing, and between two looks at it. */
#define WAIT_MOST apr_time_from_sec(10)
#define PAUSE apr_time_from_msec(250)
/* When to look for something that is not there, at the earliest and at the latest. */
#define LOOK_AFTER apr_time_from_sec(60)
#define LOOK_AT_LATEST apr_time_from_sec(600)

/* ---- reading what is there ---- */

typedef struct turn_t {
    fhir_exchange_t *exchange;
    const fhir_direct_upload_t *upload;
    fhir_open_store_t *store;
    apr_time_t renewed;
} turn_t;

static fhir_error_t *renew(turn_t *turn)
{
    fhir_call_t call = fhir_exchange_call_after_body(turn->exchange);
    fhir_error_t *error;
    int held = 0;
    if (apr_time_now() - turn->renewed < RENEW_AFTER) {
        return NULL;
    }
    apr_pool_create(&call.pool, turn->exchange->pool);
    error = fhir_meta_direct_renew(&held, turn->exchange->app->meta, turn->upload, LEASE, &call);
    turn->renewed = apr_time_now();
    if (error) { /* no loss yet: the lease holds a while, and the next try may succeed */
        fhir_log_error(call.log, FHIR_LOG_INFO, error, "renewing the lease of a direct upload");
        held = 1;
    }
    apr_pool_destroy(call.pool);
    return held ? NULL
                : fhir_error_public(turn->exchange->pool, FHIR_ERROR_CONFLICT,
                                    "This upload is being completed elsewhere. Call again.");
}

static fhir_error_t *digest_bytes(fhir_digest_t *digest, turn_t *turn, fhir_object_reader_t *reader, char *buffer)
{
    apr_size_t length = 1;
    while (length > 0) {
        length = PIECE;
        FHIR_TRY(renew(turn));
        FHIR_TRY(fhir_object_read(reader, buffer, &length));
        fhir_digest_update(digest, buffer, length);
    }
    return NULL;
}

static void take_digest(unsigned char *value, const fhir_digest_t *digest, fhir_digest_kind_t kind)
{
    apr_size_t length;
    const unsigned char *made = fhir_digest_value(digest, kind, &length);
    memcpy(value, made, length);
}

/* Its hashes, by reading all of it. */
static fhir_error_t *read_object(fhir_content_t *content, turn_t *turn)
{
    fhir_call_t call = fhir_exchange_call_after_body(turn->exchange);
    fhir_object_reader_t *reader;
    fhir_digest_t *digest;
    fhir_error_t *error;
    FHIR_TRY(fhir_digest_create(&digest, FHIR_DIGEST_SHA256 | FHIR_DIGEST_SHA1, call.pool));
    FHIR_TRY(fhir_object_open(&reader, turn->store, content->locator, 0, content->size, content->size, &call));
    error = digest_bytes(digest, turn, reader, apr_palloc(call.pool, PIECE));
    fhir_object_close(reader);
    FHIR_TRY(error);
    fhir_digest_finish(digest);
    take_digest(content->sha256, digest, FHIR_DIGEST_SHA256);
    take_digest(content->sha1, digest, FHIR_DIGEST_SHA1);
    return NULL;
}

/* ---- completing ---- */

static void set(fhir_direct_result_t *result, fhir_direct_outcome_t outcome, fhir_error_t *error)
{
    result->outcome = outcome;
    result->error = error;
}

/* Will the same error come again? Then there is nothing to wait for. */
static int is_final(const fhir_error_t *error)
{
    switch (error->code) {
    case FHIR_ERROR_TOO_LARGE:
    case FHIR_ERROR_INVALID:
    case FHIR_ERROR_FORBIDDEN:
    case FHIR_ERROR_GONE:
    case FHIR_ERROR_NOT_FOUND:
    case FHIR_ERROR_UNPROCESSABLE:
        return 1;
    default:
        return 0;
    }
}

/* What the store says is never final: bytes are only given up for a reason of our own. */
static void set_decided(fhir_direct_result_t *result, fhir_error_t *error)
{
    set(result, is_final(error) ? FHIR_DIRECT_REFUSED : FHIR_DIRECT_FAILED, error);
}

/* *there 0: nothing was sent yet. */
static fhir_error_t *look(int *there, fhir_content_t *content, const turn_t *turn)
{
    fhir_call_t call = fhir_exchange_call_after_body(turn->exchange);
    fhir_object_info_t info;
    fhir_error_t *error = fhir_object_stat(&info, turn->store, turn->upload->locator, &call);
    *there = !error;
    if (error) {
        return error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
    }
    content->object_key = turn->upload->object_key;
    content->store = turn->upload->store;
    content->locator = turn->upload->locator;
    content->size = info.length;
    return NULL;
}

/* Does the site take this at all? */
static fhir_error_t *check(const fhir_content_t *content, const turn_t *turn, const fhir_signed_t *url)
{
    const fhir_exchange_t *exchange = turn->exchange;
    const fhir_settings_t *settings = exchange->settings;
    if (content->size > settings->max_object_size) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_TOO_LARGE,
                                 "The content has more than the %" APR_OFF_T_FMT
                                 " bytes that this server takes, and was removed.",
                                 settings->max_object_size);
    }
    FHIR_TRY(fhir_check_refused(exchange, turn->upload->content_type, url->facts.current->filename));
    return fhir_context_required(exchange, url->facts.current->security_context);
}

/* Somebody else made the version, with these same bytes. */
static fhir_error_t *find_version(const fhir_binary_t **binary, const fhir_exchange_t *exchange, fhir_signed_t *url)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    FHIR_TRY(fhir_meta_load_signed(&url->facts, exchange->app->meta, url->presign.key_id, url->presign.membership_id,
                                   url->presign.binary_id, url->presign.version_id, &call));
    *binary = url->facts.version;
    return NULL;
}

static void commit(fhir_direct_result_t *result, fhir_exchange_t *exchange, fhir_signed_t *url,
                   const fhir_content_t *content)
{
    fhir_error_t *error = fhir_signed_commit(&result->binary, exchange, url, content);
    result->made = !error;
    if (error && error->code == FHIR_ERROR_EXISTS) {
        error = find_version(&result->binary, exchange, url);
    }
    if (!error && result->binary) {
        set(result, FHIR_DIRECT_DONE, NULL);
    } else if (error) {
        /* CONFLICT: somebody took the pending row away. */
        int refused = fhir_signed_surely_refused(error) && (is_final(error) || error->code == FHIR_ERROR_CONFLICT);
        set(result, refused ? FHIR_DIRECT_REFUSED : FHIR_DIRECT_FAILED, error);
    } else {
        set(result, FHIR_DIRECT_FAILED,
            fhir_error_public(exchange->pool, FHIR_ERROR_CONFLICT, "This upload has ended. Ask for a new URL."));
    }
}

static void complete(fhir_direct_result_t *result, turn_t *turn, fhir_signed_t *url)
{
    fhir_content_t *content = apr_pcalloc(turn->exchange->pool, sizeof(*content));
    int there;
    fhir_error_t *error = look(&there, content, turn);
    if (error || !there) {
        set(result, error ? FHIR_DIRECT_FAILED : FHIR_DIRECT_NOT_THERE, error);
        return;
    }
    error = check(content, turn, url);
    if (error) {
        set_decided(result, error);
        return;
    }
    error = read_object(content, turn);
    if (error) {
        set(result, FHIR_DIRECT_FAILED, error);
        return;
    }
    /* It took its time: may it still be? */
    error = fhir_signed_load_upload(url, turn->exchange);
    if (error) {
        set_decided(result, error);
    } else {
        commit(result, turn->exchange, url, content);
    }
}

void fhir_direct_complete(fhir_direct_result_t *result, fhir_exchange_t *exchange, fhir_signed_t *url,
                          const fhir_direct_upload_t *upload)
{
    turn_t turn = {exchange, upload, NULL, apr_time_now()};
    fhir_error_t *error;
    memset(result, 0, sizeof(*result));
    url->content_type = upload->content_type;
    if (url->facts.version) { /* who made it did not live to say so */
        result->binary = url->facts.version;
        set(result, FHIR_DIRECT_DONE, NULL);
        return;
    }
    error = fhir_store_get(&turn.store, exchange->settings->catalog, upload->store, exchange->pool);
    if (error) {
        set(result, FHIR_DIRECT_FAILED, error);
        return;
    }
    complete(result, &turn, url);
}

/* ---- the end of a turn ---- */

/* For what must be done even if the client is gone or the server ends. */
static fhir_call_t last_call(const fhir_exchange_t *exchange)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    call.cancelled = NULL;
    return call;
}

fhir_error_t *fhir_direct_clear(const fhir_exchange_t *exchange, const fhir_direct_upload_t *upload)
{
    fhir_call_t call = last_call(exchange);
    apr_time_t end = upload->expires + FHIR_DIRECT_GRACE;
    apr_time_t now = apr_time_now();
    fhir_open_store_t *store;
    int existed;
    FHIR_TRY(fhir_store_get(&store, exchange->settings->catalog, upload->store, call.pool));
    FHIR_TRY(fhir_object_remove(&existed, store, upload->locator, &call));
    call = last_call(exchange);
    return now >= end ? fhir_meta_direct_finish(exchange->app->meta, upload, &call)
                      : fhir_meta_direct_release(exchange->app->meta, upload, end - now, &call);
}

static fhir_error_t *give_up(const fhir_exchange_t *exchange, const fhir_direct_upload_t *upload)
{
    fhir_call_t call = last_call(exchange);
    int given_up;
    FHIR_TRY(fhir_meta_direct_give_up(&given_up, exchange->app->meta, upload, &call));
    if (!given_up) { /* it is a version after all, or somebody else's turn, whom this does not touch */
        return fhir_meta_direct_finish(exchange->app->meta, upload, &call);
    }
    return fhir_direct_clear(exchange, upload);
}

/* Seldom if it is long in coming, but soon after the URL has ended. */
static apr_interval_time_t next_look(const fhir_direct_upload_t *upload)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t wait = now - upload->created;
    wait = wait < LOOK_AFTER ? LOOK_AFTER : wait > LOOK_AT_LATEST ? LOOK_AT_LATEST : wait;
    return now < upload->expires && now + wait > upload->expires ? upload->expires + PAUSE - now : wait;
}

static fhir_error_t *fail(const fhir_exchange_t *exchange, const fhir_direct_upload_t *upload, const fhir_error_t *why,
                          int is_call)
{
    fhir_call_t call = last_call(exchange);
    int last;
    /* A client may call as often as it likes. If this server ends, somebody else goes on. */
    if (is_call || why->code == FHIR_ERROR_CANCELLED) {
        return fhir_meta_direct_release(exchange->app->meta, upload, is_call ? LOOK_AFTER : 0, &call);
    }
    FHIR_TRY(fhir_meta_direct_fail(&last, exchange->app->meta, upload, &call));
    fhir_log_error(call.log, last ? FHIR_LOG_WARNING : FHIR_LOG_INFO, why,
                   apr_psprintf(call.pool, "completing the direct upload of Binary/%s/_history/%s (attempt %d%s)",
                                upload->binary_id, upload->version_id, upload->attempts, last ? ", the last one" : ""));
    return NULL;
}

static fhir_error_t *settle(const fhir_direct_result_t *result, const fhir_exchange_t *exchange,
                            const fhir_direct_upload_t *upload, int is_call)
{
    fhir_call_t call = last_call(exchange);
    switch (result->outcome) {
    case FHIR_DIRECT_DONE:
        return fhir_meta_direct_finish(exchange->app->meta, upload, &call);
    case FHIR_DIRECT_REFUSED:
        return give_up(exchange, upload);
    case FHIR_DIRECT_FAILED:
        return fail(exchange, upload, result->error, is_call);
    default:
        return apr_time_now() >= upload->expires + FHIR_DIRECT_GRACE
                   ? give_up(exchange, upload)
                   : fhir_meta_direct_release(exchange->app->meta, upload, next_look(upload), &call);
    }
}

void fhir_direct_settle(const fhir_direct_result_t *result, const fhir_exchange_t *exchange,
                        const fhir_direct_upload_t *upload, int is_call)
{
    fhir_error_t *error = settle(result, exchange, upload, is_call);
    if (error) {
        fhir_log_error(exchange->app->log, FHIR_LOG_WARNING, error,
                       "noting what became of a direct upload; it is looked at again");
    }
}

/* ---- POST to the `complete` URL ---- */

/* *upload NULL: the version is there meanwhile, or will never be. */
static fhir_error_t *take_turn(const fhir_direct_upload_t **upload, const fhir_exchange_t *exchange,
                               const fhir_signed_t *url)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    apr_time_t end = apr_time_now() + WAIT_MOST;
    int awaited;
    for (;;) {
        FHIR_TRY(fhir_meta_direct_claim_version(upload, &awaited, exchange->app->meta, url->presign.binary_id,
                                                url->presign.version_id, LEASE, &call));
        if (*upload || !awaited) {
            return NULL;
        }
        if (apr_time_now() + PAUSE >= (end < call.deadline ? end : call.deadline)) {
            return fhir_error_public(exchange->pool, FHIR_ERROR_CONFLICT,
                                     "This upload is being completed now. Call again in a moment.");
        }
        apr_sleep(PAUSE);
    }
}

static fhir_error_t *answer(fhir_response_t **response, const fhir_exchange_t *exchange,
                            const fhir_direct_result_t *result)
{
    if (result->outcome == FHIR_DIRECT_DONE) {
        return fhir_signed_written(response, exchange, result->binary);
    }
    if (result->outcome == FHIR_DIRECT_NOT_THERE) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_CONFLICT,
                                 "The content has not arrived at the store yet. Send it with PUT to the URL that came "
                                 "with this one, then call again.");
    }
    return result->error;
}

static fhir_error_t *without_turn(fhir_response_t **response, const fhir_exchange_t *exchange, fhir_signed_t *url)
{
    const fhir_binary_t *binary;
    FHIR_TRY(find_version(&binary, exchange, url));
    return binary ? fhir_signed_written(response, exchange, binary)
                  : fhir_error_public(exchange->pool, FHIR_ERROR_GONE,
                                      "This upload was given up. Ask for a new URL and send the content again.");
}

fhir_error_t *fhir_signed_complete(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_direct_upload_t *upload;
    fhir_direct_result_t result;
    fhir_signed_t url = {0};
    fhir_format_t format;
    FHIR_TRY(fhir_signed_verify(&url, exchange, "POST"));
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    /* What is begun is finished, even if the client does not wait for the answer. */
    exchange->request->cancelled = NULL;
    FHIR_TRY(fhir_signed_load_upload(&url, exchange));
    if (url.facts.version) {
        return fhir_signed_written(response, exchange, url.facts.version);
    }
    FHIR_TRY(take_turn(&upload, exchange, &url));
    if (!upload) {
        return without_turn(response, exchange, &url);
    }
    fhir_direct_complete(&result, exchange, &url, upload);
    fhir_direct_settle(&result, exchange, upload, 1);
    return answer(response, exchange, &result);
}
