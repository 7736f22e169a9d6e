/* What an HTTP status of a store means, and whether and when a step is tried again. */
#include "http.h"

#include <apr_date.h>
#include <stdlib.h>
#include <sys/random.h>

#define ATTEMPTS 4
#define FIRST_WAIT apr_time_from_msec(100)
#define LONGEST_WAIT apr_time_from_sec(5)
/* What a store may ask for at most, whatever the deadline. */
#define LONGEST_ASKED apr_time_from_sec(60)
#define RETRY_AFTER_MAX apr_time_from_sec(3600)
#define SLICE apr_time_from_msec(250)

typedef struct status_error_t {
    int first;
    int last;
    fhir_error_code_t code;
    fhir_retry_t retry;
    const char *public_text;
} status_error_t;

static const char unavailable[] = "The store is overloaded or unreachable; try again.";
static const char denied[] = "The store refused access. Tell the operator of this server.";
static const char exists[] = "An object with this key is in the store already.";

/* The first row that fits. */
static const status_error_t status_errors[] = {
    {401, 401, FHIR_ERROR_DENIED, FHIR_RETRY_NO, denied},
    {403, 403, FHIR_ERROR_DENIED, FHIR_RETRY_NO, denied},
    {404, 404, FHIR_ERROR_NOT_FOUND, FHIR_RETRY_NO, "The object is not in the store."},
    {408, 408, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, unavailable},
    {409, 409, FHIR_ERROR_EXISTS, FHIR_RETRY_NO, exists},
    {412, 412, FHIR_ERROR_EXISTS, FHIR_RETRY_NO, exists},
    {413, 413, FHIR_ERROR_TOO_LARGE, FHIR_RETRY_NO, "The content is larger than the store can keep."},
    {416, 416, FHIR_ERROR_RANGE, FHIR_RETRY_NO, "The range is outside the object."},
    {429, 429, FHIR_ERROR_THROTTLED, FHIR_RETRY_AFTER, unavailable},
    {503, 503, FHIR_ERROR_THROTTLED, FHIR_RETRY_AFTER, unavailable},
    {507, 507, FHIR_ERROR_NO_SPACE, FHIR_RETRY_NO, "The store is full. Tell the operator of this server."},
    {500, 599, FHIR_ERROR_UNAVAILABLE, FHIR_RETRY_YES, unavailable},
};

static const status_error_t anything_else = {0, 0, FHIR_ERROR_INTERNAL, FHIR_RETRY_NO,
                                             "The store failed unexpectedly. Tell the operator of this server."};

static const status_error_t *meaning_of(int status)
{
    size_t i;
    for (i = 0; i < sizeof(status_errors) / sizeof(status_errors[0]); i++) {
        if (status >= status_errors[i].first && status <= status_errors[i].last) {
            return &status_errors[i];
        }
    }
    return &anything_else;
}

/* Seconds or a date; 0 if there is none, or it makes no sense. */
static apr_interval_time_t retry_after(const fhir_http_response_t *response)
{
    const char *value = response->headers ? apr_table_get(response->headers, "Retry-After") : NULL;
    apr_interval_time_t wait = 0;
    if (value && *value >= '0' && *value <= '9') {
        char *end;
        apr_int64_t seconds = apr_strtoi64(value, &end, 10);
        wait = *end ? 0 : seconds < apr_time_sec(RETRY_AFTER_MAX) ? apr_time_from_sec(seconds) : RETRY_AFTER_MAX;
    } else if (value) {
        apr_time_t date = apr_date_parse_http(value);
        wait = date == APR_DATE_BAD ? 0 : date - apr_time_now();
    }
    return wait < 0 ? 0 : wait < RETRY_AFTER_MAX ? wait : RETRY_AFTER_MAX;
}

fhir_error_t *fhir_http_status_error(const fhir_http_response_t *response, const char *operation, const char *said,
                                     apr_pool_t *pool)
{
    const status_error_t *meaning = meaning_of(response->status);
    fhir_error_t *error;
    if (response->status / 100 == 2) {
        return NULL;
    }
    error = fhir_error_create(pool, meaning->code, APR_SUCCESS, meaning->public_text, "%s: HTTP %d%s%.128s", operation,
                              response->status, said ? " " : "", said ? said : "");
    error->retry = meaning->retry;
    if (meaning->retry == FHIR_RETRY_AFTER) {
        error->retry_after = retry_after(response);
    }
    return error;
}

/* Uniform within [0, longest]; without the system's chance, half of it. */
static apr_interval_time_t full_jitter(apr_interval_time_t longest)
{
    apr_uint64_t chance;
    if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance)) {
        return longest / 2;
    }
    return (apr_interval_time_t)(chance % ((apr_uint64_t)longest + 1));
}

static apr_interval_time_t time_to_wait(int attempt, const fhir_error_t *error)
{
    apr_interval_time_t longest = FIRST_WAIT << attempt;
    if (error->retry == FHIR_RETRY_AFTER && error->retry_after > 0) {
        return error->retry_after;
    }
    return full_jitter(longest < LONGEST_WAIT ? longest : LONGEST_WAIT);
}

/* 0: cancelled. */
static int sleep_until(apr_time_t end, const fhir_store_call_t *call)
{
    apr_interval_time_t left = end - apr_time_now();
    while (left > 0 && !fhir_store_cancelled(call)) {
        apr_sleep(left < SLICE ? left : SLICE);
        left = end - apr_time_now();
    }
    return !fhir_store_cancelled(call);
}

int fhir_http_try_again(int *attempt, const fhir_error_t *error, const fhir_store_call_t *call)
{
    apr_interval_time_t wait;
    apr_time_t end;
    if (!error || error->retry == FHIR_RETRY_NO || *attempt < 0 || *attempt >= ATTEMPTS - 1) {
        return 0;
    }
    wait = time_to_wait(*attempt, error);
    end = apr_time_now() + wait;
    if (wait > LONGEST_ASKED || (call->deadline && end >= call->deadline) || !sleep_until(end, call)) {
        return 0;
    }
    ++*attempt;
    return 1;
}
