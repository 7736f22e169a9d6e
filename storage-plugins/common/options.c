/* Reading the options of a storage plugin. */
#include "plugin.h"

#include <string.h>

static const char *known_keys(const fhir_plugin_option_t *known, apr_pool_t *pool)
{
    const char *keys = NULL;
    for (; known->key; known++) {
        keys = keys ? apr_pstrcat(pool, keys, ", ", known->key, NULL) : known->key;
    }
    return keys ? keys : "none";
}

fhir_error_t *fhir_plugin_options(const fhir_plugin_option_t *known, const fhir_store_option_t *options,
                                  int option_count, const char *plugin, apr_pool_t *pool)
{
    int i;
    for (i = 0; i < option_count; i++) {
        const fhir_plugin_option_t *match = known;
        while (match->key && strcmp(match->key, options[i].key)) {
            match++;
        }
        if (!match->key) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "The storage plugin '%s' has no option '%s'. It knows: %s.", plugin,
                                     fhir_plugin_shown_name(options[i].key), known_keys(known, pool));
        }
        *match->value = apr_pstrdup(pool, options[i].value);
    }
    return NULL;
}

fhir_error_t *fhir_plugin_flag(int *flag, const char *key, const char *value, apr_pool_t *pool)
{
    if (!value) {
        return NULL;
    }
    if (!strcmp(value, "on")) {
        *flag = 1;
        return NULL;
    }
    if (!strcmp(value, "off")) {
        *flag = 0;
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "%s=%s is neither on nor off. Write %s=on or %s=off.", key,
                             value, key, key);
}

fhir_error_t *fhir_plugin_number(apr_int64_t *number, const char *key, const char *value, apr_int64_t least,
                                 apr_int64_t most, apr_pool_t *pool)
{
    size_t digits;
    apr_int64_t parsed;
    if (!value) {
        return NULL;
    }
    digits = strspn(value, "0123456789");
    parsed = digits > 0 && digits <= 18 && !value[digits] ? apr_atoi64(value) : -1;
    if (parsed < least || parsed > most) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s=%s is not a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT ".", key,
                                 value, least, most);
    }
    *number = parsed;
    return NULL;
}

typedef struct unit_t {
    const char *name;
    apr_int64_t factor;
} unit_t;

static const unit_t size_units[] = {{"T", (apr_int64_t)1 << 40},
                                    {"G", (apr_int64_t)1 << 30},
                                    {"M", (apr_int64_t)1 << 20},
                                    {"K", (apr_int64_t)1 << 10},
                                    {"", 1},
                                    {NULL, 0}};

static const unit_t duration_units[] = {
    {"h", 3600 * APR_USEC_PER_SEC}, {"min", 60 * APR_USEC_PER_SEC}, {"s", APR_USEC_PER_SEC}, {"ms", 1000}, {NULL, 0}};

/* -1 if it is no number with one of these units. At most nine digits, so that nothing overflows. */
static apr_int64_t with_unit(const char *value, const unit_t *units)
{
    size_t digits = strspn(value, "0123456789");
    const char *unit = value + digits;
    if (digits == 0 || (digits > 9 && *unit) || digits > 18) {
        return -1;
    }
    for (; units->name; units++) {
        if (!strcmp(unit, units->name)) {
            return apr_atoi64(value) <= INT64_MAX / units->factor ? apr_atoi64(value) * units->factor : -1;
        }
    }
    return -1;
}

/* The shortest way to write it: the largest unit that divides it. */
static const char *written(apr_int64_t value, const unit_t *units, apr_pool_t *pool)
{
    while (units[1].name && value % units->factor) {
        units++;
    }
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "%s", value / units->factor, units->name);
}

fhir_error_t *fhir_plugin_size(apr_off_t *size, const char *key, const char *value, apr_off_t least, apr_off_t most,
                               apr_pool_t *pool)
{
    apr_int64_t parsed;
    if (!value) {
        return NULL;
    }
    parsed = with_unit(value, size_units);
    if (parsed < least || parsed > most) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "%s=%s is not a size from %s to %s. Write a whole number of bytes, or one with K, M, G "
            "or T, for instance %s=16M.",
            key, value, written(least, size_units, pool), written(most, size_units, pool), key);
    }
    *size = parsed;
    return NULL;
}

fhir_error_t *fhir_plugin_duration(apr_interval_time_t *duration, const char *key, const char *value,
                                   apr_interval_time_t least, apr_interval_time_t most, apr_pool_t *pool)
{
    apr_int64_t parsed;
    if (!value) {
        return NULL;
    }
    parsed = with_unit(value, duration_units);
    if (parsed < least || parsed > most) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s=%s is not a time from %s to %s. Write a whole number with ms, s, min or h, for "
                                 "instance %s=30s.",
                                 key, value, written(least, duration_units, pool), written(most, duration_units, pool),
                                 key);
    }
    *duration = parsed;
    return NULL;
}
