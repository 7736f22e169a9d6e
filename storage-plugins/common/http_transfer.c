/* One request and its answer, driven step by step: nothing happens but inside a call of ours, and each call looks at
 * its deadline and its cancellation at least four times a second. */
#include "http_transfer.h"

#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SLICE apr_time_from_msec(250)
#define URL_MAX 16384
#define ORIGIN_MAX 300

/* ---- errors ---- */

static fhir_error_t *out_of_memory(apr_pool_t *pool)
{
    fhir_error_t *error =
        fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_ENOMEM,
                          "The store is overloaded or unreachable; try again.", "no memory for a request");
    error->retry = FHIR_RETRY_YES;
    return error;
}

static fhir_error_t *bad_request(const char *what, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL, "The store's address or a header is malformed.",
                             "%s", what);
}

static fhir_error_code_t code_of(const fhir_http_transfer_t *transfer)
{
    switch (transfer->result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return FHIR_ERROR_DENIED;
    case CURLE_PARTIAL_FILE: /* half an error message damages nothing */
        return transfer->status / 100 == 2 ? FHIR_ERROR_CORRUPT : FHIR_ERROR_UNAVAILABLE;
    case CURLE_WRITE_ERROR:
        return transfer->unusable ? FHIR_ERROR_CORRUPT : FHIR_ERROR_UNAVAILABLE;
    default: /* no connection, or it broke */
        return FHIR_ERROR_UNAVAILABLE;
    }
}

/* TLS to a port without it, or the reverse, shows in words that say nothing of it. */
static const char *advice_on_scheme(const fhir_http_transfer_t *transfer)
{
    int tls = !strncasecmp(transfer->origin, "https", 5);
    int never_answered = transfer->received == 0;
    switch (transfer->result) {
    case CURLE_SSL_CONNECT_ERROR:
        return tls ? "; does endpoint= speak http instead of https?" : "";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
        return !tls && never_answered ? "; does endpoint= speak https instead of http?" : "";
    case CURLE_UNSUPPORTED_PROTOCOL: /* what came is no HTTP */
    case CURLE_WEIRD_SERVER_REPLY:
        return tls ? "; is endpoint= right?" : "; does endpoint= speak https instead of http?";
    default:
        return "";
    }
}

/* What the operator may do about it. A certificate for another host, or of another year, is good for no authority. */
static const char *advice_on(const fhir_http_transfer_t *transfer)
{
    switch (transfer->verified) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "; name the authority that signed its certificate with ca_file=";
    default:
        return advice_on_scheme(transfer);
    }
}

static const char *public_text_of(fhir_error_code_t code)
{
    switch (code) {
    case FHIR_ERROR_DENIED:
        return "The store can't be trusted. Tell the operator of this server.";
    case FHIR_ERROR_CORRUPT:
        return "The store's answer is not whole; try again.";
    default:
        return "The store is overloaded or unreachable; try again.";
    }
}

static fhir_error_t *failure(const fhir_http_transfer_t *transfer, apr_pool_t *pool)
{
    fhir_error_code_t code = code_of(transfer);
    const char *said = transfer->said[0] ? transfer->said : curl_easy_strerror(transfer->result);
    fhir_error_t *error =
        fhir_error_create(pool, code, APR_EGENERAL, public_text_of(code), "%s %s: %s%s (curl %d)%s", transfer->method,
                          transfer->origin, transfer->unusable ? "the answer is no good: " : "",
                          transfer->unusable ? transfer->unusable : said, (int)transfer->result, advice_on(transfer));
    error->retry = code == FHIR_ERROR_DENIED || transfer->unusable ? FHIR_RETRY_NO : FHIR_RETRY_YES;
    return error;
}

static fhir_error_t *stalled(const fhir_http_transfer_t *transfer, apr_pool_t *pool)
{
    fhir_error_t *error =
        fhir_error_create(pool, FHIR_ERROR_TIMEOUT, APR_TIMEUP, "The store did not answer in time; try again.",
                          "%s %s: nothing moved for %d s", transfer->method, transfer->origin,
                          (int)apr_time_sec(fhir_http_stall_timeout(transfer->client)));
    error->retry = FHIR_RETRY_YES;
    return error;
}

static fhir_error_t *went_on_after_error(const fhir_http_transfer_t *transfer, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EINVAL, "The store failed unexpectedly; try again.",
                             "%s %s: used after it was interrupted", transfer->method, transfer->origin);
}

/* ---- the body, as libcurl asks for it ---- */

static size_t give_bytes(char *buffer, size_t size, size_t count, void *baton)
{
    fhir_http_transfer_t *transfer = baton;
    size_t left = transfer->window_length - transfer->window_taken;
    size_t length = size * count < left ? size * count : left;
    transfer->asked = 1;
    if (transfer->cut_short || transfer->taken == transfer->total) {
        return 0;
    }
    if (length == 0) {
        transfer->starved = 1;
        return CURL_READFUNC_PAUSE;
    }
    memcpy(buffer, transfer->window + transfer->window_taken, length);
    transfer->window_taken += length;
    transfer->taken += (apr_off_t)length;
    return length;
}

/* libcurl found that the idle connection was dead and sends again. It can as long as the bytes are still lent to us. */
static int seek(void *baton, curl_off_t offset, int origin)
{
    fhir_http_transfer_t *transfer = baton;
    apr_off_t first = transfer->window_offset;
    if (origin != SEEK_SET || offset < first || offset > first + (apr_off_t)transfer->window_length) {
        return CURL_SEEKFUNC_FAIL;
    }
    transfer->window_taken = (apr_size_t)(offset - first);
    transfer->taken = offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- the request ---- */

static int printable(const char *text, char least)
{
    for (; *text; text++) {
        if (*text < least || *text > '~') {
            return 0;
        }
    }
    return 1;
}

/* The URL is cut into what is connected to and what is sent. */
static fhir_error_t *cut_url(fhir_http_transfer_t *transfer, const char *url, apr_pool_t *pool)
{
    size_t scheme = !strncasecmp(url, "http://", 7) ? 7 : !strncasecmp(url, "https://", 8) ? 8 : 0;
    size_t authority = scheme ? strcspn(url + scheme, "/?#") : 0;
    const char *target = url + scheme + authority;
    if (strlen(url) > URL_MAX || authority == 0 || scheme + authority > ORIGIN_MAX ||
        memchr(url + scheme, '@', authority) || !printable(url, '!') || strchr(target, '#')) {
        return bad_request("an http or https URL, escaped, without user name and fragment, is needed", pool);
    }
    transfer->origin = strndup(url, scheme + authority);
    transfer->target = malloc(strlen(target) + 2);
    if (!transfer->origin || !transfer->target) {
        return out_of_memory(pool);
    }
    transfer->target[0] = '/';
    memcpy(transfer->target + (*target != '/'), target, strlen(target) + 1);
    return NULL;
}

static int add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*lines, line);
    *lines = longer ? longer : *lines;
    return longer != NULL;
}

static int is_token(const char *text)
{
    return *text && strspn(text, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
                        strlen(text);
}

static int is_value(const char *text)
{
    for (; *text; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f) {
            return 0;
        }
    }
    return 1;
}

static int has_header(const apr_array_header_t *headers, const char *name)
{
    int i;
    for (i = 0; headers && i < headers->nelts; i++) {
        if (!strcasecmp(APR_ARRAY_IDX(headers, i, fhir_http_header_t).name, name)) {
            return 1;
        }
    }
    return 0;
}

/* "Name:" tells libcurl to leave its own out, "Name;" to send an empty one. */
static int suppress_own_headers(struct curl_slist **lines, const apr_array_header_t *headers)
{
    static const char *const names[] = {"Expect", "Accept", "User-Agent", "Content-Type"};
    char line[32];
    size_t i;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        apr_snprintf(line, sizeof(line), "%s:", names[i]);
        if (!has_header(headers, names[i]) && !add_line(lines, line)) {
            return 0;
        }
    }
    return 1;
}

static fhir_error_t *add_headers(struct curl_slist **lines, const apr_array_header_t *headers, apr_pool_t *pool)
{
    int i;
    for (i = 0; headers && i < headers->nelts; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(headers, i, fhir_http_header_t);
        if (!is_token(header->name) || !is_value(header->value) || !strcasecmp(header->name, "Transfer-Encoding")) {
            return bad_request("a header with an impossible name or value", pool);
        }
        if (!add_line(lines, *header->value ? apr_pstrcat(pool, header->name, ": ", header->value, NULL)
                                            : apr_pstrcat(pool, header->name, ";", NULL))) {
            return out_of_memory(pool);
        }
    }
    return suppress_own_headers(lines, headers) ? NULL : out_of_memory(pool);
}

static int set(CURLcode code)
{
    return code == CURLE_OK;
}

/* `length` -1: no body, and no Content-Length. */
static int set_request(fhir_http_transfer_t *transfer, apr_off_t length)
{
    CURL *easy = transfer->easy;
    int good = set(curl_easy_setopt(easy, CURLOPT_URL, transfer->origin));
    good &= set(curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, transfer->target));
    good &= set(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers));
    if (!strcmp(transfer->method, "HEAD")) {
        good &= set(curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
    } else {
        good &= set(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method));
    }
    if (length >= 0) {
        good &= set(curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L));
        good &= set(curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)length));
    }
    return good;
}

static int set_callbacks(fhir_http_transfer_t *transfer)
{
    CURL *easy = transfer->easy;
    int good = set(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->said));
    good &= set(curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_bytes));
    good &= set(curl_easy_setopt(easy, CURLOPT_READDATA, transfer));
    good &= set(curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek));
    good &= set(curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer));
    good &= set(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fhir_http_take_header));
    good &= set(curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer));
    good &= set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fhir_http_take_body));
    good &= set(curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer));
    return good;
}

/* ---- begin and end ---- */

/* The connection stays if both sides know that the exchange is over. */
static void let_go(fhir_http_transfer_t *transfer, int keep)
{
    fhir_http_connection_t *connection = transfer->connection;
    if (connection && transfer->easy) {
        curl_multi_remove_handle(connection->multi, transfer->easy);
    }
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    transfer->easy = NULL;
    transfer->headers = NULL;
    transfer->connection = NULL;
    if (connection && keep) {
        fhir_http_connection_keep(transfer->client, connection);
    } else {
        fhir_http_connection_close(connection);
    }
}

void fhir_http_end(fhir_http_transfer_t *transfer)
{
    if (transfer) {
        let_go(transfer, 0);
        free(transfer->method);
        free(transfer->origin);
        free(transfer->target);
        free(transfer->head.bytes);
        free(transfer->answer.bytes);
        free(transfer->spare);
        free(transfer);
    }
}

static fhir_error_t *prepare(fhir_http_transfer_t *transfer, const fhir_http_request_t *request, apr_off_t length,
                             apr_pool_t *pool)
{
    if (!is_token(request->method)) {
        return bad_request("a method that is none", pool);
    }
    FHIR_TRY(cut_url(transfer, request->url, pool));
    FHIR_TRY(add_headers(&transfer->headers, request->headers, pool));
    transfer->method = strdup(request->method);
    transfer->connection = fhir_http_connection_take(transfer->client, transfer->origin, length <= 0 || request->body);
    transfer->easy = curl_easy_init();
    if (!transfer->method || !transfer->connection || !transfer->easy ||
        !fhir_http_client_options(transfer->client, transfer->easy, transfer->streamed) ||
        !set_request(transfer, length) || !set_callbacks(transfer) ||
        curl_multi_add_handle(transfer->connection->multi, transfer->easy) != CURLM_OK) {
        return out_of_memory(pool);
    }
    return NULL;
}

fhir_error_t *fhir_http_start(fhir_http_transfer_t **transfer, fhir_http_client_t *client,
                              const fhir_http_request_t *request, apr_off_t length, int streamed,
                              const fhir_store_call_t *call)
{
    fhir_http_transfer_t *made;
    fhir_error_t *error;
    *transfer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    made = calloc(1, sizeof(*made));
    if (!made) {
        return out_of_memory(call->result_pool);
    }
    made->client = client;
    made->streamed = streamed;
    made->total = length > 0 ? length : 0;
    made->content_length = -1;
    error = prepare(made, request, length, call->result_pool);
    if (error) {
        fhir_http_end(made);
        return error;
    }
    *transfer = made;
    return NULL;
}

/* ---- driving ---- */

static void note_end(fhir_http_transfer_t *transfer, CURLcode result)
{
    transfer->done = 1;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &transfer->verified);
    transfer->result = transfer->answer_was_cut && result == CURLE_WRITE_ERROR ? CURLE_OK : result;
    let_go(transfer, result == CURLE_OK && !transfer->cut_short);
}

void fhir_http_go_on(fhir_http_transfer_t *transfer)
{
    if (!transfer->done && !transfer->interrupted) {
        CURLcode result;
        transfer->held_back = 0;
        transfer->starved = 0;
        result = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        if (result != CURLE_OK) {
            note_end(transfer, result);
        }
    }
}

void fhir_http_step(fhir_http_transfer_t *transfer)
{
    CURLMsg *message;
    int running = 0;
    int left;
    if (transfer->done || transfer->interrupted) {
        return;
    }
    if (curl_multi_perform(transfer->connection->multi, &running) != CURLM_OK) {
        note_end(transfer, CURLE_OUT_OF_MEMORY);
        return;
    }
    message = running ? NULL : curl_multi_info_read(transfer->connection->multi, &left);
    if (message && message->msg == CURLMSG_DONE) {
        note_end(transfer, message->data.result);
    } else if (transfer->head_complete && transfer->taken < transfer->total && !transfer->cut_short) {
        transfer->cut_short = 1;
        fhir_http_go_on(transfer); /* libcurl asks for more bytes, and hears that there are none */
    }
}

/* What has come and gone so far. While libcurl connects, its own timeout counts. */
static apr_uint64_t moved(const fhir_http_transfer_t *transfer)
{
    curl_off_t sent = 0;
    if (transfer->easy) {
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    }
    return transfer->received + (apr_uint64_t)transfer->taken + (apr_uint64_t)sent;
}

static int is_connecting(const fhir_http_transfer_t *transfer)
{
    curl_off_t ready = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    return ready == 0;
}

static fhir_error_t *interrupt(fhir_http_transfer_t *transfer, fhir_error_t *error)
{
    transfer->interrupted = 1;
    let_go(transfer, 0);
    return error;
}

static fhir_error_t *wait_a_little(fhir_http_transfer_t *transfer, apr_time_t moved_at, const fhir_store_call_t *call)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t wait = SLICE;
    apr_interval_time_t until_stalled = moved_at + fhir_http_stall_timeout(transfer->client) - now;
    if (until_stalled <= 0 && !is_connecting(transfer)) {
        return stalled(transfer, call->result_pool);
    }
    wait = until_stalled > 0 && until_stalled < wait ? until_stalled : wait;
    wait = call->deadline && call->deadline - now < wait ? call->deadline - now : wait;
    (void)curl_multi_poll(transfer->connection->multi, NULL, 0, wait > 0 ? (int)((wait + 999) / 1000) : 0, NULL);
    return NULL;
}

fhir_error_t *fhir_http_drive(fhir_http_transfer_t *transfer, int (*ready)(const fhir_http_transfer_t *),
                              const fhir_store_call_t *call)
{
    apr_time_t began = apr_time_now();
    apr_time_t moved_at = began;
    apr_uint64_t before = moved(transfer);
    fhir_error_t *error;
    if (transfer->interrupted) {
        return went_on_after_error(transfer, call->result_pool);
    }
    for (;;) {
        fhir_http_step(transfer);
        if (transfer->done) {
            return transfer->result == CURLE_OK ? NULL : failure(transfer, call->result_pool);
        }
        if (ready(transfer)) {
            return NULL;
        }
        error = fhir_plugin_check_wait(call, transfer->method, transfer->origin, began);
        if (!error && moved(transfer) != before) { /* there may be more at once */
            before = moved(transfer);
            moved_at = apr_time_now();
            continue;
        }
        if (!error) {
            moved_at = is_connecting(transfer) ? apr_time_now() : moved_at;
            error = wait_a_little(transfer, moved_at, call);
        }
        if (error) {
            return interrupt(transfer, error);
        }
    }
}
