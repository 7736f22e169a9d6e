/* Downloads through libcurl. Redirects are followed here, one handle per hop, so that each hop is checked; addresses
 * are checked where the socket is made, so that what was checked is what is connected to. */
#include "download.h"

#include "../base/host_list.h"
#include "../base/network.h"
#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_MAX_SIZE ((apr_off_t)100 << 20)
#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(10)
#define DEFAULT_STALL_TIMEOUT apr_time_from_sec(30)
#define DEFAULT_TOTAL_TIMEOUT apr_time_from_sec(300)
#define IGNORED_MAX ((apr_off_t)64 << 10)

/* ---- the URL ---- */

static const char *part_of(CURLU *url, CURLUPart part, apr_pool_t *pool)
{
    char *text = NULL;
    const char *copy = NULL;
    if (curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK && text) {
        copy = apr_pstrdup(pool, text);
    }
    curl_free(text);
    return copy;
}

/* Printable ASCII only: what lies beyond is read differently by different parsers. */
static int is_plain(const char *url)
{
    for (; *url; url++) {
        if (*url <= ' ' || *url > '~' || *url == '\\') {
            return 0;
        }
    }
    return 1;
}

static fhir_error_t *refused_url(const char *advice, const char *url, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS, advice, "%.512s", url);
}

static fhir_error_t *check_parts(CURLU *parsed, const char *url, const apr_array_header_t *hosts, apr_pool_t *pool)
{
    const char *scheme = part_of(parsed, CURLUPART_SCHEME, pool);
    const char *host = part_of(parsed, CURLUPART_HOST, pool);
    const char *port = part_of(parsed, CURLUPART_PORT, pool);
    if (!scheme || !host || !port || strcmp(scheme, "https") != 0) {
        return refused_url("Only https URLs are fetched.", url, pool);
    }
    if (part_of(parsed, CURLUPART_USER, pool) || part_of(parsed, CURLUPART_PASSWORD, pool) ||
        part_of(parsed, CURLUPART_OPTIONS, pool) || part_of(parsed, CURLUPART_ZONEID, pool)) {
        return refused_url("A URL with a user name is not fetched.", url, pool);
    }
    if (!fhir_host_listed(hosts, host, (int)strtol(port, NULL, 10))) {
        return refused_url("This server does not fetch from the host that the URL names.", url, pool);
    }
    return NULL;
}

/* libcurl connects to exactly the handle that was examined, so no second parser sees the URL. *parsed is the caller's
 * to clean up, also after an error. */
static fhir_error_t *parse_url(CURLU **parsed, const char *url, const apr_array_header_t *hosts, apr_pool_t *pool)
{
    *parsed = NULL;
    if (strlen(url) > FHIR_DOWNLOAD_URL_MAX || !is_plain(url)) {
        return refused_url("The URL is too long or has characters that must be percent-encoded.", url, pool);
    }
    *parsed = curl_url();
    if (!*parsed || curl_url_set(*parsed, CURLUPART_URL, url, 0) != CURLUE_OK) {
        return refused_url("The URL is malformed or is not an https URL.", url, pool);
    }
    return check_parts(*parsed, url, hosts, pool);
}

fhir_error_t *fhir_download_check_url(const char *url, const apr_array_header_t *hosts, apr_pool_t *pool)
{
    CURLU *parsed;
    fhir_error_t *error = parse_url(&parsed, url, hosts, pool);
    curl_url_cleanup(parsed);
    return error;
}

/* ---- one hop ---- */

typedef struct hop_t {
    CURL *handle;
    const char *url;
    const fhir_download_options_t *options;
    const fhir_download_sink_t *sink;
    const fhir_call_t *call;
    apr_off_t max_size;
    apr_off_t received;
    int begun; /* the sink has the head */
    int too_large;
    int address_refused; /* at least one of the host's */
    apr_off_t ignored;   /* bytes of an answer that is no 200; read, because libcurl tells a redirect at the end */
    fhir_error_t *error; /* of the sink, or about the answer's head */
} hop_t;

/* libcurl asks for a socket for this address and connects it to this address: nothing is resolved in between. */
static curl_socket_t open_socket(void *baton, curlsocktype purpose, struct curl_sockaddr *address)
{
    hop_t *hop = baton;
    unsigned char bytes[16];
    if (purpose != CURLSOCKTYPE_IPCXN || !fhir_address_bytes(bytes, &address->addr, (socklen_t)address->addrlen) ||
        !fhir_address_allowed(bytes, hop->options->networks)) {
        hop->address_refused = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int is_cancelled(const fhir_call_t *call)
{
    return call->cancelled && call->cancelled(call->cancelled_baton);
}

static int progress(void *baton, curl_off_t to_load, curl_off_t loaded, curl_off_t to_send, curl_off_t sent)
{
    const hop_t *hop = baton;
    (void)to_load;
    (void)loaded;
    (void)to_send;
    (void)sent;
    return is_cancelled(hop->call);
}

/* The answer is not what was asked for. */
static fhir_error_t *unusable(const hop_t *hop, const char *public_text, const char *what, long number)
{
    fhir_error_t *error = fhir_error_create(hop->call->pool, FHIR_ERROR_UNAVAILABLE, APR_SUCCESS, public_text,
                                            "GET %.512s: %s (%ld)", hop->url, what, number);
    error->retry = FHIR_RETRY_YES;
    return error;
}

static fhir_error_t *too_large(const hop_t *hop)
{
    return fhir_error_create(hop->call->pool, FHIR_ERROR_TOO_LARGE, APR_SUCCESS,
                             "The content is larger than this server fetches.", "GET %.512s", hop->url);
}

static long status_of(const hop_t *hop)
{
    long status = 0;
    return curl_easy_getinfo(hop->handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}

/* Accept-Encoding was not sent; who encodes nevertheless would have us store what the type does not say. */
static int is_encoded(const hop_t *hop)
{
    struct curl_header *header;
    return curl_easy_header(hop->handle, "Content-Encoding", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
           *header->value && strcasecmp(header->value, "identity") != 0;
}

/* Once, before the first byte of a 200 answer; sets hop->error. */
static void begin(hop_t *hop)
{
    fhir_download_head_t head = {NULL, -1};
    char *type = NULL;
    curl_off_t length = -1;
    hop->begun = 1;
    if (is_encoded(hop)) {
        hop->error = unusable(hop, "The other server sent its content compressed.", "Content-Encoding", 0);
        return;
    }
    if (curl_easy_getinfo(hop->handle, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type) {
        head.content_type = apr_pstrdup(hop->call->pool, type);
    }
    if (curl_easy_getinfo(hop->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK) {
        head.length = (apr_off_t)length;
    }
    if (head.length > hop->max_size) {
        hop->too_large = 1;
        return;
    }
    hop->error = hop->sink->head(hop->sink->baton, &head);
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *baton)
{
    hop_t *hop = baton;
    apr_size_t length = size * count; /* size is always 1 */
    if (status_of(hop) != 200) {
        hop->ignored += (apr_off_t)length;
        return hop->ignored > IGNORED_MAX ? 0 : length;
    }
    if (!hop->begun) {
        begin(hop);
    }
    if ((apr_off_t)length > hop->max_size - hop->received) {
        hop->too_large = 1;
    }
    if (hop->error || hop->too_large) {
        return 0;
    }
    hop->received += (apr_off_t)length;
    hop->error = hop->sink->data(hop->sink->baton, bytes, length);
    return hop->error ? 0 : length;
}

static apr_interval_time_t given_or(apr_interval_time_t given, apr_interval_time_t otherwise)
{
    return given > 0 ? given : otherwise;
}

static int set(CURLcode code)
{
    return code == CURLE_OK;
}

static int set_bounds(const hop_t *hop, apr_interval_time_t left)
{
    CURL *handle = hop->handle;
    apr_interval_time_t stall = given_or(hop->options->stall_timeout, DEFAULT_STALL_TIMEOUT);
    apr_interval_time_t connect = given_or(hop->options->connect_timeout, DEFAULT_CONNECT_TIMEOUT);
    int good = set(curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)((left + 999) / 1000)));
    good &= set(curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)((connect + 999) / 1000)));
    good &= set(curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L));
    good &= set(curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (long)apr_time_sec(stall + APR_USEC_PER_SEC - 1)));
    good &= set(curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L));
    good &= set(curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress));
    good &= set(curl_easy_setopt(handle, CURLOPT_XFERINFODATA, hop));
    return good;
}

static int set_security(const hop_t *hop)
{
    CURL *handle = hop->handle;
    int good = set(curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https"));
    good &= set(curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L));
    good &= set(curl_easy_setopt(handle, CURLOPT_PROXY, "")); /* a proxy would do the resolving */
    good &= set(curl_easy_setopt(handle, CURLOPT_NOPROXY, "*"));
    good &= set(curl_easy_setopt(handle, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED));
    good &= set(curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L));
    good &= set(curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L));
    good &= set(curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    good &= set(curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket));
    good &= set(curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, hop));
    if (hop->options->ca_file) { /* and not the directory that libcurl was built with */
        good &= set(curl_easy_setopt(handle, CURLOPT_CAINFO, hop->options->ca_file));
        good &= set(curl_easy_setopt(handle, CURLOPT_CAPATH, NULL));
    }
    return good;
}

static int set_options(const hop_t *hop, CURLU *parsed, apr_interval_time_t left)
{
    CURL *handle = hop->handle;
    int good = set_security(hop) && set_bounds(hop, left);
    good &= set(curl_easy_setopt(handle, CURLOPT_CURLU, parsed));
    good &= set(curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    good &= set(curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L));
    good &= set(curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_bytes));
    good &= set(curl_easy_setopt(handle, CURLOPT_WRITEDATA, hop));
    good &= set(curl_easy_setopt(handle, CURLOPT_USERAGENT, "mod_fhir_binary"));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that is silent must not hold up the end of the process. */
    good &= set(curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L));
#endif
    return good;
}

static fhir_error_t *transfer_failed(const hop_t *hop, CURLcode result)
{
    fhir_error_t *error;
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        error = unusable(hop, "The other server took too long.", curl_easy_strerror(result), (long)result);
        error->code = FHIR_ERROR_TIMEOUT;
        return error;
    case CURLE_PEER_FAILED_VERIFICATION:
        return unusable(hop, "The other server's certificate could not be verified.", curl_easy_strerror(result),
                        (long)result);
    case CURLE_COULDNT_RESOLVE_HOST:
        return unusable(hop, "The host that the URL names was not found.", curl_easy_strerror(result), (long)result);
    default:
        return unusable(hop, "The other server could not be reached, or its answer ended too early.",
                        curl_easy_strerror(result), (long)result);
    }
}

static fhir_error_t *after_transfer(const char **redirect, hop_t *hop, CURLcode result)
{
    long status = status_of(hop);
    char *location = NULL;
    if (is_cancelled(hop->call)) {
        return fhir_error_create(hop->call->pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "The download was stopped.",
                                 "GET %.512s", hop->url);
    }
    if (hop->error || hop->too_large) {
        return hop->error ? hop->error : too_large(hop);
    }
    if (hop->address_refused && result == CURLE_COULDNT_CONNECT) {
        return refused_url("The URL leads to an address that this server does not connect to.", hop->url,
                           hop->call->pool);
    }
    if (result != CURLE_OK && hop->ignored <= IGNORED_MAX) {
        return transfer_failed(hop, result);
    }
    if (status >= 300 && status < 400 && curl_easy_getinfo(hop->handle, CURLINFO_REDIRECT_URL, &location) == CURLE_OK &&
        location) {
        *redirect = apr_pstrdup(hop->call->pool, location);
        return NULL;
    }
    if (status != 200) {
        return unusable(hop, apr_psprintf(hop->call->pool, "The other server answered with status %ld.", status),
                        "status", status);
    }
    if (!hop->begun) { /* an empty body */
        begin(hop);
    }
    return hop->error;
}

/* *redirect: where the answer leads to; NULL: the body was delivered. */
static fhir_error_t *fetch_hop(const char **redirect, hop_t *hop, apr_interval_time_t left)
{
    CURLU *parsed = NULL;
    fhir_error_t *error = parse_url(&parsed, hop->url, hop->options->hosts, hop->call->pool);
    *redirect = NULL;
    if (!error) {
        hop->handle = curl_easy_init();
        error = hop->handle && set_options(hop, parsed, left)
                    ? after_transfer(redirect, hop, curl_easy_perform(hop->handle))
                    : unusable(hop, "The server could not start its HTTP client.", "no handle or option", 0);
    }
    curl_easy_cleanup(hop->handle);
    curl_url_cleanup(parsed);
    return error;
}

static apr_time_t deadline_of(const fhir_download_options_t *options, const fhir_call_t *call)
{
    apr_time_t deadline = apr_time_now() + given_or(options->total_timeout, DEFAULT_TOTAL_TIMEOUT);
    return call->deadline && call->deadline < deadline ? call->deadline : deadline;
}

fhir_error_t *fhir_download(const char *url, const fhir_download_options_t *options, const fhir_download_sink_t *sink,
                            const fhir_call_t *call)
{
    apr_time_t deadline = deadline_of(options, call);
    int redirects;
    FHIR_TRY(fhir_fetch_global_init(call->pool));
    for (redirects = 0; redirects <= FHIR_DOWNLOAD_REDIRECTS_MAX; redirects++) {
        apr_interval_time_t left = deadline - apr_time_now();
        hop_t hop = {.url = url, .options = options, .sink = sink, .call = call};
        hop.max_size = options->max_size > 0 ? options->max_size : DEFAULT_MAX_SIZE;
        if (left <= 0) {
            return transfer_failed(&hop, CURLE_OPERATION_TIMEDOUT);
        }
        FHIR_TRY(fetch_hop(&url, &hop, left));
        if (!url) {
            return NULL;
        }
    }
    return fhir_error_public(call->pool, FHIR_ERROR_INVALID, "The URL redirects more than %d times.",
                             FHIR_DOWNLOAD_REDIRECTS_MAX);
}
