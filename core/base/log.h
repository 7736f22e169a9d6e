/* The log bridge: httpd maps it to ap_log_*, the CLI prints to standard error, tests collect lines.
 * A log line holds no token, secret, SQL text, locator or signed URL at levels above debug. */
#ifndef FHIR_BASE_LOG_H
#define FHIR_BASE_LOG_H

#include "fhir_error.h"

typedef enum fhir_log_level_t {
    FHIR_LOG_ERROR = 3,
    FHIR_LOG_WARNING = 4,
    FHIR_LOG_NOTICE = 5,
    FHIR_LOG_INFO = 6,
    FHIR_LOG_DEBUG = 7
} fhir_log_level_t;

/* Callable from any thread. */
typedef struct fhir_log_t {
    void (*write)(void *baton, fhir_log_level_t level, apr_status_t status, const char *text);
    void *baton;
    fhir_log_level_t level; /* lines above this level are not formatted */
} fhir_log_t;

/* `log` may be NULL: then nothing is written. Lines are cut at 2048 bytes, control characters become '?'. */
void fhir_log(const fhir_log_t *log, fhir_log_level_t level, apr_status_t status, const char *format, ...)
    FHIR_PRINTF(4, 5);

/* Writes the error and its causes, details included. */
void fhir_log_error(const fhir_log_t *log, fhir_log_level_t level, const fhir_error_t *error, const char *doing);

#endif
