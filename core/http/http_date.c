/* HTTP dates in their three forms (RFC 9110 section 5.6.7). */
#include "conditional.h"

#include <string.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

/* `count` digits, with `blank` set a blank may stand for the first. -1 if there is anything else. */
static int digits(const char *at, int count, int blank)
{
    int value = 0;
    int i;
    for (i = 0; i < count; i++) {
        if (at[i] >= '0' && at[i] <= '9') {
            value = value * 10 + (at[i] - '0');
        } else if (!(blank && i == 0 && at[i] == ' ')) {
            return -1;
        }
    }
    return value;
}

static int month(const char *at)
{
    int i;
    for (i = 0; i < 12; i++) {
        if (strncmp(months + i * 3, at, 3) == 0) {
            return i;
        }
    }
    return -1;
}

/* "08:49:37" */
static int read_clock(apr_time_exp_t *parts, const char *at)
{
    parts->tm_hour = digits(at, 2, 0);
    parts->tm_min = digits(at + 3, 2, 0);
    parts->tm_sec = digits(at + 6, 2, 0);
    return at[2] == ':' && at[5] == ':';
}

static int days_in_month(int year, int month_of_year)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return lengths[month_of_year] + (month_of_year == 1 && leap);
}

/* A two-digit year that would lie more than 50 years ahead means the century before. */
static int full_year(int two_digits)
{
    apr_time_exp_t now;
    int year;
    apr_time_exp_gmt(&now, apr_time_now());
    year = (now.tm_year + 1900) / 100 * 100 + two_digits;
    return year > now.tm_year + 1900 + 50 ? year - 100 : year;
}

static apr_time_t to_time(const apr_time_exp_t *parts, int year)
{
    apr_time_exp_t whole = *parts;
    apr_time_t time = 0;
    if (year < 1970 || parts->tm_mon < 0 || parts->tm_mday < 1 || parts->tm_mday > days_in_month(year, parts->tm_mon) ||
        parts->tm_hour < 0 || parts->tm_hour > 23 || parts->tm_min < 0 || parts->tm_min > 59 || parts->tm_sec < 0 ||
        parts->tm_sec > 60) {
        return 0;
    }
    whole.tm_year = year - 1900;
    return apr_time_exp_gmt_get(&time, &whole) == APR_SUCCESS ? time : 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", `at` behind the name of the day. */
static apr_time_t imf_fixdate(const char *at)
{
    apr_time_exp_t parts;
    memset(&parts, 0, sizeof(parts));
    if (strlen(at) != 26 || memcmp(at, ", ", 2) != 0 || at[4] != ' ' || at[8] != ' ' || at[13] != ' ' ||
        strcmp(at + 22, " GMT") != 0 || !read_clock(&parts, at + 14)) {
        return 0;
    }
    parts.tm_mday = digits(at + 2, 2, 0);
    parts.tm_mon = month(at + 5);
    return to_time(&parts, digits(at + 9, 4, 0));
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static apr_time_t rfc850_date(const char *at)
{
    apr_time_exp_t parts;
    int year;
    memset(&parts, 0, sizeof(parts));
    if (strlen(at) != 24 || memcmp(at, ", ", 2) != 0 || at[4] != '-' || at[8] != '-' || at[11] != ' ' ||
        strcmp(at + 20, " GMT") != 0 || !read_clock(&parts, at + 12)) {
        return 0;
    }
    parts.tm_mday = digits(at + 2, 2, 0);
    parts.tm_mon = month(at + 5);
    year = digits(at + 9, 2, 0);
    return year < 0 ? 0 : to_time(&parts, full_year(year));
}

/* "Sun Nov  6 08:49:37 1994" */
static apr_time_t asctime_date(const char *at)
{
    apr_time_exp_t parts;
    memset(&parts, 0, sizeof(parts));
    if (strlen(at) != 21 || at[0] != ' ' || at[4] != ' ' || at[7] != ' ' || at[16] != ' ' ||
        !read_clock(&parts, at + 8)) {
        return 0;
    }
    parts.tm_mon = month(at + 1);
    parts.tm_mday = digits(at + 5, 2, 1);
    return to_time(&parts, digits(at + 17, 4, 0));
}

apr_time_t fhir_http_date_parse(const char *text)
{
    int i;
    if (!text) {
        return 0;
    }
    while (*text == ' ') {
        text++;
    }
    for (i = 0; i < 7; i++) {
        apr_size_t name = strlen(days[i]);
        if (strncmp(text, days[i], name) == 0) {
            return rfc850_date(text + name);
        }
        if (strncmp(text, days[i], 3) == 0) {
            return text[3] == ',' ? imf_fixdate(text + 3) : asctime_date(text + 3);
        }
    }
    return 0;
}

const char *fhir_http_date(apr_time_t time, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, APR_RFC822_DATE_LEN);
    apr_rfc822_date(text, time);
    return text;
}
