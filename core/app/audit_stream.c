/* Audit events as lines of a file, a pipe or syslog. */
#include "audit_stream.h"

#include <apr_file_io.h>
#include <apr_portable.h>
#include <errno.h>
#include <poll.h>
#include <syslog.h>
#include <unistd.h>

#define READER_TIME 1000 /* milliseconds */

int fhir_audit_streams(const fhir_audit_stream_t *stream)
{
    return stream->descriptor >= 0 || stream->to_syslog;
}

/* A pipe whose reader stands still is waited for once, not for each line. */
static int is_ready(int descriptor, int failing)
{
    struct pollfd ready = {descriptor, POLLOUT, 0};
    return poll(&ready, 1, failing ? 0 : READER_TIME) == 1;
}

/* 0, or what went wrong. A rest is written too, where a disk became full in the middle. */
static int write_all(int descriptor, int failing, const char *line, apr_size_t length)
{
    while (length > 0) {
        ssize_t written = write(descriptor, line, length);
        int problem = written < 0 ? errno : 0;
        if (problem && problem != EINTR && !(problem == EAGAIN && is_ready(descriptor, failing))) {
            return problem;
        }
        if (written > 0) {
            line += written;
            length -= (apr_size_t)written;
        }
    }
    return 0;
}

void fhir_audit_stream_line(const fhir_audit_stream_t *stream, atomic_int *failing, const char *line, apr_size_t length,
                            const fhir_log_t *log)
{
    int problem;
    if (stream->to_syslog) {
        syslog(stream->facility | LOG_INFO, "%.*s", (int)(length - 1), line);
        return;
    }
    problem = write_all(stream->descriptor, atomic_load_explicit(failing, memory_order_relaxed), line, length);
    if (problem && !atomic_exchange(failing, 1)) {
        fhir_log(log, FHIR_LOG_ERROR, APR_FROM_OS_ERROR(problem),
                 "the stream of FhirBinaryAuditLog can't be written; events go on to the database");
    } else if (!problem && atomic_load_explicit(failing, memory_order_relaxed)) {
        atomic_store(failing, 0);
        fhir_log(log, FHIR_LOG_NOTICE, APR_SUCCESS, "the stream of FhirBinaryAuditLog works again");
    }
}

fhir_error_t *fhir_audit_open_stream(fhir_audit_stream_t *stream, const fhir_settings_t *settings, apr_pool_t *pool)
{
    const char *log = settings->audit_log;
    apr_file_t *file;
    apr_status_t status;
    stream->descriptor = -1;
    stream->facility = settings->audit_facility;
    stream->to_syslog = settings->audit_to_syslog;
    if (!log || *log == '|') {
        return NULL;
    }
    status = apr_file_open(&file, log, APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE | APR_FOPEN_LARGEFILE,
                           APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD, pool);
    if (status == APR_SUCCESS) {
        status = apr_os_file_get(&stream->descriptor, file);
    }
    return status == APR_SUCCESS
               ? NULL
               : fhir_error_create(pool, FHIR_ERROR_INVALID, status,
                                   "FhirBinaryAuditLog names a file that can't be written. Make its folder, or name "
                                   "another one.",
                                   "%s", log);
}
