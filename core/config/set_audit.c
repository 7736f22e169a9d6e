/* Directives about the audit trail. */
#include "../base/text.h"
#include "directives.h"

#include <string.h>
#include <strings.h>
#include <syslog.h>

#define SECOND APR_TIME_C(1000000)
#define LONGEST (SECOND * 3600 * 24 * 366 * 100)

static const struct {
    const char *name;
    int facility;
} facilities[] = {{"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"daemon", LOG_DAEMON}, {"user", LOG_USER},
                  {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
                  {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}};

static fhir_error_t *take_facility(fhir_settings_t *settings, const char *name)
{
    apr_size_t i;
    for (i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (strcmp(name, facilities[i].name) == 0) {
            settings->audit_facility = facilities[i].facility;
            settings->audit_to_syslog = 1;
            return NULL;
        }
    }
    return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                             "'%.64s' is no facility. Write for example syslog:authpriv or syslog:local5.", name);
}

fhir_error_t *fhir_set_audit_log(fhir_settings_t *settings, int count, const char *const *values)
{
    const char *value = values[0];
    (void)count;
    settings->audit_log = NULL;
    settings->audit_to_syslog = 0;
    if (strcasecmp(value, "none") == 0) {
        return NULL;
    }
    if (strcmp(value, "syslog") == 0 || strncmp(value, "syslog:", 7) == 0) {
        return take_facility(settings, value[6] ? value + 7 : "authpriv");
    }
    if ((value[0] == '/' && value[1]) || (value[0] == '|' && value[1])) {
        settings->audit_log = apr_pstrdup(settings->pool, value);
        return NULL;
    }
    return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                             "'%.128s' is not an absolute path. Write for example /var/log/fhir-binary/audit.log, "
                             "syslog, \"|/usr/bin/program\" or none.",
                             value);
}

fhir_error_t *fhir_set_audit_retention(fhir_settings_t *settings, int count, const char *const *values)
{
    apr_interval_time_t duration = 0;
    (void)count;
    if (strcasecmp(values[0], "none") != 0) {
        FHIR_TRY(fhir_parse_duration(&duration, values[0], settings->pool));
        if (duration < SECOND || duration > LONGEST) {
            return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                     "'%.64s' is out of bounds. Write a duration such as 3650d, or none.", values[0]);
        }
    }
    settings->audit_retention = duration;
    return NULL;
}
