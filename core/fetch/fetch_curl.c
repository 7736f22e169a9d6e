/* Outbound HTTP through libcurl: one new handle per fetch, since fetches are rare and must not share state. */
#include "../base/text.h"
#include "fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_MAX_LENGTH ((apr_size_t)1024 * 1024)
#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(3)
#define DEFAULT_TOTAL_TIMEOUT apr_time_from_sec(5)
#define URL_MAX 2048

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result; /* written once, under global_once */

static void global_init(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

fhir_error_t *fhir_fetch_global_init(apr_pool_t *pool)
{
    if (pthread_once(&global_once, global_init) != 0 || global_result != CURLE_OK) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not start its HTTP client.",
                                 "curl_global_init: %d", (int)global_result);
    }
    return NULL;
}

/* localhost, 127.0.0.0/8, [::1]: a name that merely begins with "127." is none of them. */
static int is_loopback(const char *host)
{
    unsigned octets[4];
    int used = 0;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) {
        return 1;
    }
    return sscanf(host, "%3u.%3u.%3u.%3u%n", &octets[0], &octets[1], &octets[2], &octets[3], &used) == 4 &&
           host[used] == '\0' && host[strspn(host, "0123456789.")] == '\0' && octets[0] == 127 && octets[1] < 256 &&
           octets[2] < 256 && octets[3] < 256;
}

typedef struct url_facts_t {
    int https;
    int loopback;
} url_facts_t;

/* One part of the URL in `pool`; NULL if it is not there. */
static const char *part_of(CURLU *handle, CURLUPart part, apr_pool_t *pool)
{
    char *text = NULL;
    const char *copy = NULL;
    if (curl_url_get(handle, part, &text, 0) == CURLUE_OK && text) {
        copy = apr_pstrdup(pool, text);
    }
    curl_free(text);
    return copy;
}

/* 0 if it is no URL that may be fetched. */
static int examine_url(url_facts_t *facts, const char *url, apr_pool_t *pool)
{
    CURLU *handle = strlen(url) <= URL_MAX ? curl_url() : NULL;
    const char *scheme = NULL;
    const char *host = NULL;
    const char *user = NULL;
    if (handle && curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK) {
        scheme = part_of(handle, CURLUPART_SCHEME, pool);
        host = part_of(handle, CURLUPART_HOST, pool);
        user = part_of(handle, CURLUPART_USER, pool);
    }
    curl_url_cleanup(handle);
    if (!scheme || !host || user) {
        return 0;
    }
    facts->https = strcmp(scheme, "https") == 0;
    facts->loopback = is_loopback(host);
    return facts->https || (strcmp(scheme, "http") == 0 && facts->loopback);
}

static fhir_error_t *check(url_facts_t *facts, const char *url, apr_pool_t *pool)
{
    if (!examine_url(facts, url, pool)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "Give an https URL without user name (http only for localhost).");
    }
    return NULL;
}

fhir_error_t *fhir_fetch_check_url(const char *url, apr_pool_t *pool)
{
    url_facts_t facts;
    return check(&facts, url, pool);
}

typedef struct fetch_t {
    fhir_text_t body;
    apr_size_t max_length;
    int too_large;
} fetch_t;

static size_t take_bytes(char *bytes, size_t size, size_t count, void *baton)
{
    fetch_t *fetch = baton;
    apr_size_t length = size * count; /* size is always 1 */
    if (length > fetch->max_length - fetch->body.length) {
        fetch->too_large = 1;
        return 0;
    }
    fhir_text_add_bytes(&fetch->body, bytes, length);
    return length;
}

static long milliseconds(apr_interval_time_t given, apr_interval_time_t otherwise)
{
    apr_interval_time_t chosen = given > 0 ? given : otherwise;
    return (long)((chosen + 999) / 1000);
}

static int set_options(CURL *handle, const char *url, const url_facts_t *facts, const fhir_fetch_options_t *options,
                       fetch_t *fetch)
{
    int good = curl_easy_setopt(handle, CURLOPT_URL, url) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, facts->https ? "https" : "http") == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                             milliseconds(options->connect_timeout, DEFAULT_CONNECT_TIMEOUT)) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds(options->total_timeout, DEFAULT_TOTAL_TIMEOUT)) ==
            CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_WRITEDATA, fetch) == CURLE_OK;
    good &= curl_easy_setopt(handle, CURLOPT_USERAGENT, "mod_fhir_binary") == CURLE_OK;
    if (options->ca_file) {
        good &= curl_easy_setopt(handle, CURLOPT_CAINFO, options->ca_file) == CURLE_OK;
    }
    if (facts->loopback) { /* a proxy from the environment would look at its own loopback */
        good &= curl_easy_setopt(handle, CURLOPT_NOPROXY, "*") == CURLE_OK;
    }
    return good;
}

static fhir_error_t *failed(apr_pool_t *pool, fhir_error_code_t code, const char *url, const char *what, long number)
{
    fhir_error_t *error = fhir_error_create(pool, code, APR_SUCCESS,
                                            "Another server that this one depends on did not answer as it should.",
                                            "GET %s: %s (%ld)", url, what, number);
    error->retry = FHIR_RETRY_YES;
    return error;
}

static fhir_error_t *perform(CURL *handle, const char *url, const url_facts_t *facts,
                             const fhir_fetch_options_t *options, fetch_t *fetch, apr_pool_t *pool)
{
    long status = 0;
    CURLcode result;
    if (!set_options(handle, url, facts, options, fetch)) {
        return failed(pool, FHIR_ERROR_INTERNAL, url, "this libcurl lacks an option", 0);
    }
    result = curl_easy_perform(handle);
    if (fetch->too_large) {
        return failed(pool, FHIR_ERROR_TOO_LARGE, url, "answer too large", 0);
    }
    if (result != CURLE_OK) {
        return failed(pool, result == CURLE_OPERATION_TIMEDOUT ? FHIR_ERROR_TIMEOUT : FHIR_ERROR_UNAVAILABLE, url,
                      curl_easy_strerror(result), (long)result);
    }
    if (curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200) {
        return failed(pool, FHIR_ERROR_UNAVAILABLE, url, "status is not 200", status);
    }
    return NULL;
}

fhir_error_t *fhir_fetch_get(const char **body, apr_size_t *length, const char *url,
                             const fhir_fetch_options_t *options, apr_pool_t *pool)
{
    static const fhir_fetch_options_t defaults = {0};
    url_facts_t facts = {0};
    fetch_t fetch = {0};
    fhir_error_t *error;
    CURL *handle;
    *body = NULL;
    *length = 0;
    options = options ? options : &defaults;
    FHIR_TRY(fhir_fetch_global_init(pool));
    FHIR_TRY(check(&facts, url, pool));
    fhir_text_init(&fetch.body, pool);
    fetch.max_length = options->max_length > 0 ? options->max_length : DEFAULT_MAX_LENGTH;
    handle = curl_easy_init();
    error = handle ? perform(handle, url, &facts, options, &fetch, pool)
                   : failed(pool, FHIR_ERROR_UNAVAILABLE, url, "no handle", 0);
    curl_easy_cleanup(handle);
    if (!error) {
        *body = fetch.body.text;
        *length = fetch.body.length;
    }
    return error;
}
