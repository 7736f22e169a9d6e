/* Audit events as lines of a file, a pipe or syslog. */
#include "audit_stream.h"

#include "syslog_socket.h"

#include <apr_file_io.h>
#include <apr_portable.h>
#include <errno.h>
#include <poll.h>
#include <syslog.h>
#include <unistd.h>

#define READER_TIME 1000 /* milliseconds */

int fhir_audit_streams(const fhir_audit_stream_t *stream)
{
    return stream->descriptor >= 0;
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

/* What was written before may have been cut off: a line of its own. */
static int write_line(int descriptor, int failing, const char *line, apr_size_t length)
{
    int problem = failing ? write_all(descriptor, failing, "\n", 1) : 0;
    return problem ? problem : write_all(descriptor, failing, line, length);
}

static int send_line(const fhir_audit_stream_t *stream, int failing, const char *line, apr_size_t length)
{
    return fhir_syslog_send(stream->descriptor, _PATH_LOG, stream->facility | LOG_INFO, line, length - 1,
                            failing ? 0 : READER_TIME);
}

void fhir_audit_stream_line(const fhir_audit_stream_t *stream, atomic_int *failing, const char *line, apr_size_t length,
                            const fhir_log_t *log)
{
    int failed = atomic_load_explicit(failing, memory_order_relaxed);
    int problem = stream->to_syslog ? send_line(stream, failed, line, length)
                                    : write_line(stream->descriptor, failed, line, length);
    if (problem && !atomic_exchange(failing, 1)) {
        fhir_log(log, FHIR_LOG_ERROR, APR_FROM_OS_ERROR(problem),
                 "the stream of FhirBinaryAuditLog can't be written; events go on to the database");
    } else if (!problem && failed) {
        atomic_store(failing, 0);
        fhir_log(log, FHIR_LOG_NOTICE, APR_SUCCESS, "the stream of FhirBinaryAuditLog works again");
    }
}

static apr_status_t close_syslog(void *data)
{
    const fhir_audit_stream_t *stream = data;
    close(stream->descriptor);
    return APR_SUCCESS;
}

static fhir_error_t *open_syslog(fhir_audit_stream_t *stream, apr_pool_t *pool)
{
    stream->descriptor = fhir_syslog_open();
    if (stream->descriptor < 0) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_FROM_OS_ERROR(errno),
                                 "No socket can be made for FhirBinaryAuditLog syslog.", NULL);
    }
    apr_pool_cleanup_register(pool, stream, close_syslog, apr_pool_cleanup_null);
    return NULL;
}

fhir_error_t *fhir_audit_open_stream(fhir_audit_stream_t *stream, const fhir_settings_t *settings, apr_pool_t *pool)
{
    const char *log = settings->audit_log;
    apr_file_t *file;
    apr_status_t status;
    stream->descriptor = -1;
    stream->facility = settings->audit_facility;
    stream->to_syslog = settings->audit_to_syslog;
    if (stream->to_syslog) {
        return open_syslog(stream, pool);
    }
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
