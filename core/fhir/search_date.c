/* Dates of any precision as ranges of microseconds (FHIR R4 datatypes.html#dateTime, search.html#date). */
#include "search_private.h"

#include <string.h>

#define SECOND ((apr_time_t)1000000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)

/* Exactly `count` digits; -1 otherwise. */
static int digits(const char **at, int count)
{
    int value = 0;
    for (; count > 0; count--, (*at)++) {
        if (**at < '0' || **at > '9') {
            return -1;
        }
        value = value * 10 + (**at - '0');
    }
    return value;
}

/* `separator` and two digits from `lowest` to `highest`; -1 otherwise. */
static int part(const char **at, char separator, int lowest, int highest)
{
    int value;
    if (**at != separator) {
        return -1;
    }
    (*at)++;
    value = digits(at, 2);
    return value >= lowest && value <= highest ? value : -1;
}

static int days_in_month(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return lengths[month - 1] + (month == 2 && leap);
}

/* The first microsecond of a day in UTC. Month 13 is January of the next year. */
static apr_time_t day_start(int year, int month, int day)
{
    int before;
    apr_time_t days = day - 1;
    int i;
    if (month == 13) {
        year++;
        month = 1;
    }
    before = year - 1;
    for (i = 1; i < month; i++) {
        days += days_in_month(year, i);
    }
    days += (apr_time_t)before * 365 + before / 4 - before / 100 + before / 400;
    return FHIR_DATE_MIN + days * DAY;
}

/* `.123...`: microseconds into *low; *width is how long a unit of the last digit lasts. Digits beyond six are dropped.
 */
static int fraction(const char **at, apr_time_t *low, apr_time_t *width)
{
    const char *first = ++*at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (*width > 1) {
            *width /= 10;
            *low += (**at - '0') * *width;
        }
    }
    return *at > first;
}

/* `Z`, `+hh:mm`, `-hh:mm` or nothing; *offset is what the zone is ahead of UTC. */
static int zone(const char **at, apr_time_t *offset)
{
    char sign = **at;
    int hours;
    int minutes;
    *offset = 0;
    if (sign == 'Z') {
        (*at)++;
    }
    if (sign != '+' && sign != '-') {
        return 1;
    }
    hours = part(at, sign, 0, 14);
    minutes = hours < 0 ? -1 : part(at, ':', 0, hours == 14 ? 0 : 59);
    *offset = (hours * 60 + minutes) * (sign == '-' ? -MINUTE : MINUTE);
    return minutes >= 0;
}

/* `Thh:mm[:ss[.fff]][zone]`. Second 60 is the first of the next minute. */
static int time_of_day(const char **at, apr_time_t *low, apr_time_t *width)
{
    int hour = part(at, 'T', 0, 23);
    int minute = hour < 0 ? -1 : part(at, ':', 0, 59);
    apr_time_t offset;
    if (minute < 0) {
        return 0;
    }
    *low += (hour * 60 + minute) * MINUTE;
    *width = MINUTE;
    if (**at == ':') {
        int second = part(at, ':', 0, 60);
        if (second < 0) {
            return 0;
        }
        *low += second * SECOND;
        *width = SECOND;
        if (**at == '.' && !fraction(at, low, width)) {
            return 0;
        }
    }
    if (!zone(at, &offset)) {
        return 0;
    }
    *low -= offset;
    return 1;
}

static apr_time_t bounded(apr_time_t time)
{
    return time < FHIR_DATE_MIN ? FHIR_DATE_MIN : time > FHIR_DATE_MAX ? FHIR_DATE_MAX : time;
}

int fhir_date_range(apr_time_t *low, apr_time_t *high, const char *text)
{
    const char *at = text;
    int year = digits(&at, 4);
    int month = 0;
    int day = 0;
    apr_time_t first;
    apr_time_t width;
    if (year < 1) {
        return 0;
    }
    if (*at == '-') {
        month = part(&at, '-', 1, 12);
        if (month > 0 && *at == '-') {
            day = part(&at, '-', 1, days_in_month(year, month));
        }
    }
    if (month < 0 || day < 0) {
        return 0;
    }
    first = day_start(year, month ? month : 1, day ? day : 1);
    width = day ? DAY : day_start(month ? year : year + 1, month ? month + 1 : 1, 1) - first;
    if (day && *at == 'T' && !time_of_day(&at, &first, &width)) {
        return 0;
    }
    *low = bounded(first);
    *high = bounded(first + width - 1);
    return *at == '\0';
}

/* The day of `days` days after 0001-01-01. */
static void civil(int *year, int *month, int *day, apr_time_t days)
{
    *year = (int)(days / 366) + 1; /* too early by at most 7 years */
    while (days >= (day_start(*year + 1, 1, 1) - FHIR_DATE_MIN) / DAY) {
        (*year)++;
    }
    days -= (day_start(*year, 1, 1) - FHIR_DATE_MIN) / DAY;
    for (*month = 1; days >= days_in_month(*year, *month); (*month)++) {
        days -= days_in_month(*year, *month);
    }
    *day = (int)days + 1;
}

const char *fhir_search_date_canonical(const char *text, apr_time_t low, apr_time_t high, apr_pool_t *pool)
{
    apr_time_t width = high - low + 1;
    apr_time_t rest = (low - FHIR_DATE_MIN) % DAY;
    int year;
    int month;
    int day;
    fhir_text_t result;
    if (!strchr(text, 'T') || low == FHIR_DATE_MIN || high == FHIR_DATE_MAX) {
        return text;
    }
    civil(&year, &month, &day, (low - FHIR_DATE_MIN) / DAY);
    fhir_text_init(&result, pool);
    fhir_text_addf(&result, "%04d-%02d-%02dT%02d:%02d", year, month, day, (int)(rest / (60 * MINUTE)),
                   (int)(rest / MINUTE % 60));
    if (width < MINUTE) {
        fhir_text_addf(&result, ":%02d", (int)(rest / SECOND % 60));
    }
    if (width < SECOND) {
        int digits_count = 6;
        for (; width > 1; width /= 10) {
            digits_count--;
        }
        fhir_text_addf(&result, ".%.*s", digits_count, apr_psprintf(pool, "%06d", (int)(rest % SECOND)));
    }
    fhir_text_add(&result, "Z");
    return result.text;
}
