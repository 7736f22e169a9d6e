/* From the core's log lines to httpd's error log. */
#include "glue.h"

/* The core's levels have httpd's numbers. */
static int httpd_level(fhir_log_level_t level)
{
    return (int)level & APLOG_LEVELMASK;
}

/* For the system's general error APR has only the words that there is nothing to say. */
static apr_status_t telling(apr_status_t status)
{
    return status == APR_EGENERAL ? APR_SUCCESS : status;
}

static void write_server_line(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    const server_rec *s = baton;
    ap_log_error(APLOG_MARK, httpd_level(level), telling(status), s, "fhir_binary: %s", text);
}

static void write_request_line(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    const request_rec *r = baton;
    ap_log_rerror(APLOG_MARK, httpd_level(level), telling(status), r, "fhir_binary: %s", text);
}

static fhir_log_level_t core_level(int level)
{
    return level > (int)FHIR_LOG_DEBUG ? FHIR_LOG_DEBUG : (fhir_log_level_t)level;
}

const fhir_log_t *fhir_httpd_server_log(server_rec *s, apr_pool_t *pool)
{
    fhir_log_t *log = apr_palloc(pool, sizeof(*log));
    log->write = write_server_line;
    log->baton = s;
    log->level = core_level(ap_get_server_module_loglevel(s, APLOG_MODULE_INDEX));
    return log;
}

fhir_log_t fhir_httpd_request_log(request_rec *r)
{
    fhir_log_t log;
    log.write = write_request_line;
    log.baton = r;
    log.level = core_level(ap_get_request_module_loglevel(r, APLOG_MODULE_INDEX));
    return log;
}
