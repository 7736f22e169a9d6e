/* Directives whose value is a number, a size, a duration or a switch. */
#include "../base/text.h"
#include "directives.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MILLISECOND APR_TIME_C(1000)
#define SECOND (1000 * MILLISECOND)
#define MINUTE (60 * SECOND)
#define DAY (1440 * MINUTE)
#define KIB ((apr_off_t)1024)
#define TIB (KIB * KIB * KIB * KIB)

static const char *duration_text(apr_interval_time_t duration, apr_pool_t *pool)
{
    if (duration % DAY == 0) {
        return apr_psprintf(pool, "%" APR_INT64_T_FMT "d", (apr_int64_t)(duration / DAY));
    }
    if (duration % MINUTE == 0) {
        return apr_psprintf(pool, "%" APR_INT64_T_FMT "m", (apr_int64_t)(duration / MINUTE));
    }
    if (duration % SECOND == 0) {
        return apr_psprintf(pool, "%" APR_INT64_T_FMT "s", (apr_int64_t)(duration / SECOND));
    }
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "ms", (apr_int64_t)(duration / MILLISECOND));
}

static fhir_error_t *set_duration(const fhir_settings_t *settings, apr_interval_time_t *duration, const char *text,
                                  apr_interval_time_t least, apr_interval_time_t most)
{
    apr_interval_time_t value;
    FHIR_TRY(fhir_parse_duration(&value, text, settings->pool));
    if (value < least || value > most) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%.64s' is out of bounds. Write a duration between %s and %s.", text,
                                 duration_text(least, settings->pool), duration_text(most, settings->pool));
    }
    *duration = value;
    return NULL;
}

static fhir_error_t *set_size(const fhir_settings_t *settings, apr_off_t *size, const char *text, apr_off_t least)
{
    apr_off_t value;
    FHIR_TRY(fhir_parse_size(&value, text, settings->pool));
    if (value < least || value > 16 * TIB) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%.64s' is out of bounds. Write a size between %" APR_OFF_T_FMT
                                 " and 16T, for example "
                                 "64M.",
                                 text, least);
    }
    *size = value;
    return NULL;
}

static fhir_error_t *set_switch(const fhir_settings_t *settings, int *on, const char *text)
{
    if (strcasecmp(text, "on") != 0 && strcasecmp(text, "off") != 0) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID, "'%.64s' is neither on nor off. Write on or off.",
                                 text);
    }
    *on = strcasecmp(text, "on") == 0;
    return NULL;
}

fhir_error_t *fhir_set_database_pool_size(fhir_settings_t *settings, int count, const char *const *values)
{
    const char *text = values[0];
    int digits = strlen(text) <= 4 && *text && strspn(text, "0123456789") == strlen(text);
    int value = digits ? (int)strtol(text, NULL, 10) : 0;
    (void)count;
    if (value < 1 || value > 1000) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%.64s' is not a whole number from 1 to 1000. Write for example 16; the number of "
                                 "httpd children times this must stay below max_connections of PostgreSQL.",
                                 text);
    }
    settings->database_pool_size = value;
    return NULL;
}

#define DURATION(setter, member, least, most)                                                                          \
    fhir_error_t *setter(fhir_settings_t *settings, int count, const char *const *values)                              \
    {                                                                                                                  \
        (void)count;                                                                                                   \
        return set_duration(settings, &settings->member, values[0], least, most);                                      \
    }
#define SIZE(setter, member, least)                                                                                    \
    fhir_error_t *setter(fhir_settings_t *settings, int count, const char *const *values)                              \
    {                                                                                                                  \
        (void)count;                                                                                                   \
        return set_size(settings, &settings->member, values[0], least);                                                \
    }
#define SWITCH(setter, member)                                                                                         \
    fhir_error_t *setter(fhir_settings_t *settings, int count, const char *const *values)                              \
    {                                                                                                                  \
        (void)count;                                                                                                   \
        return set_switch(settings, &settings->member, values[0]);                                                     \
    }

DURATION(fhir_set_database_connect_timeout, database_connect_timeout, SECOND, 5 * MINUTE)
DURATION(fhir_set_database_acquire_timeout, database_acquire_timeout, 10 * MILLISECOND, 5 * MINUTE)
DURATION(fhir_set_database_statement_timeout, database_statement_timeout, 100 * MILLISECOND, 10 * MINUTE)
DURATION(fhir_set_signed_url_lifetime, signed_url_lifetime, MINUTE, 7 * DAY)
DURATION(fhir_set_signed_url_window, signed_url_window, SECOND, 7 * DAY)
DURATION(fhir_set_token_lifetime, token_lifetime, MINUTE, 7 * DAY)
DURATION(fhir_set_request_timeout, request_timeout, SECOND, 10 * MINUTE)
DURATION(fhir_set_body_timeout, body_timeout, SECOND, 10 * MINUTE)
DURATION(fhir_set_fetch_timeout, fetch_timeout, SECOND, 60 * MINUTE)
SIZE(fhir_set_fetch_max_size, fetch_max_size, 1)
SWITCH(fhir_set_fetch_external, fetch_external)
SIZE(fhir_set_max_object_size, max_object_size, 1)
SIZE(fhir_set_max_resource_size, max_resource_size, KIB)
SIZE(fhir_set_max_bundle_size, max_bundle_size, KIB)
SIZE(fhir_set_max_inline_data, max_inline_data, 0)
SWITCH(fhir_set_require_security_context, require_security_context)
SWITCH(fhir_set_update_create, update_create)
SWITCH(fhir_set_accept_json_as_fhir, accept_json_as_fhir)
SWITCH(fhir_set_fill_attachments, fill_attachments)

fhir_error_t *fhir_set_signed_urls_end_with_membership(fhir_settings_t *settings, int count, const char *const *values)
{
    int ends = 0;
    (void)count;
    FHIR_TRY(set_switch(settings, &ends, values[0]));
    settings->signed_urls_outlive_membership = !ends;
    return NULL;
}

fhir_error_t *fhir_set_create_under_context(fhir_settings_t *settings, int count, const char *const *values)
{
    (void)count;
    if (strcasecmp(values[0], "update") != 0 && strcasecmp(values[0], "read") != 0) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%.64s' is neither update nor read. Write update, or read to let whoever may read a "
                                 "resource add Binaries to it.",
                                 values[0]);
    }
    settings->create_needs_read = strcasecmp(values[0], "read") == 0;
    return NULL;
}
