/* Values with units from the configuration, FHIR instants and UUIDs. */
#include "text.h"

#include <stdint.h>
#include <string.h>

const char *fhir_instant(apr_time_t time, apr_pool_t *pool)
{
    apr_time_exp_t parts;
    apr_time_t milliseconds = time / 1000;
    apr_time_exp_gmt(&parts, time < 0 ? 0 : time);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                        parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                        time < 0 ? 0 : (int)(milliseconds % 1000));
}

/* Digits at the start of `text`; *unit is what follows them. 0 if there are none or the number exceeds int64. */
static int leading_number(int64_t *number, const char **unit, const char *text)
{
    const char *at = text;
    int64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';
        if (value > (INT64_MAX - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    *number = value;
    *unit = at;
    return at != text;
}

/* Microseconds of a unit, 0 if unknown. */
static int64_t duration_unit(const char *unit)
{
    static const struct {
        const char *name;
        int64_t microseconds;
    } units[] = {{"ms", INT64_C(1000)},
                 {"s", INT64_C(1000000)},
                 {"m", INT64_C(60000000)},
                 {"h", INT64_C(3600000000)},
                 {"d", INT64_C(86400000000)}};
    apr_size_t i;
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, unit) == 0) {
            return units[i].microseconds;
        }
    }
    return 0;
}

fhir_error_t *fhir_parse_duration(apr_interval_time_t *duration, const char *text, apr_pool_t *pool)
{
    int64_t number = 0;
    int64_t factor = 0;
    const char *unit = "";
    if (text && leading_number(&number, &unit, text)) {
        factor = duration_unit(unit);
    }
    if (factor == 0 || number > INT64_MAX / factor) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "'%.64s' is not a duration. Write a whole number and a unit: ms, s, m, h or d, for example 60m.",
            text ? text : "");
    }
    *duration = number * factor;
    return NULL;
}

/* Bytes of a unit, 0 if unknown. */
static int64_t size_unit(const char *unit)
{
    static const char letters[] = "KMGT";
    const char *found;
    if (unit[0] == '\0') {
        return 1;
    }
    found = unit[1] == '\0' ? strchr(letters, unit[0] & ~0x20) : NULL;
    if (!found || *found == '\0') {
        return 0;
    }
    return INT64_C(1) << (10 * (found - letters + 1));
}

fhir_error_t *fhir_parse_size(apr_off_t *size, const char *text, apr_pool_t *pool)
{
    int64_t number = 0;
    int64_t factor = 0;
    const char *unit = "";
    if (text && leading_number(&number, &unit, text)) {
        factor = size_unit(unit);
    }
    if (factor == 0 || number > INT64_MAX / factor) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "'%.64s' is not a size. Write a whole number of bytes, or one with K, M, G or T, for example 16M.",
            text ? text : "");
    }
    *size = (apr_off_t)(number * factor);
    return NULL;
}

int fhir_is_uuid(const char *text)
{
    int i;
    for (i = 0; text && i < 36; i++) {
        int is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        char character = text[i];
        if (is_hyphen ? character != '-'
                      : !((character >= '0' && character <= '9') || (character >= 'a' && character <= 'f') ||
                          (character >= 'A' && character <= 'F'))) {
            return 0;
        }
    }
    return text && text[36] == '\0';
}
