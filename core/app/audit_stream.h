/* Audit events as lines of a file, a pipe or syslog. Private to core/app. */
#ifndef FHIR_APP_AUDIT_STREAM_H
#define FHIR_APP_AUDIT_STREAM_H

#include "audit.h"

#include <stdatomic.h>

int fhir_audit_streams(const fhir_audit_stream_t *stream);
/* `line` ends with a line feed. Several processes share a file or pipe: a line is one write. A failure is logged, once
 * until it works again. */
void fhir_audit_stream_line(const fhir_audit_stream_t *stream, atomic_int *failing, const char *line, apr_size_t length,
                            const fhir_log_t *log);

#endif
