/* The log bridge: formats a line once, cleans it and hands it to whoever listens. */
#include "log.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 2048
#define CAUSES_MAX 16

/* A log line is one line: a client must not be able to forge another one. */
static void clean(char *line)
{
    for (; *line; line++) {
        unsigned char byte = (unsigned char)*line;
        if (byte < 0x20 || byte == 0x7f) {
            *line = '?';
        }
    }
}

static void write_line(const fhir_log_t *log, fhir_log_level_t level, apr_status_t status, char *line)
{
    clean(line);
    log->write(log->baton, level, status, line);
}

static int wanted(const fhir_log_t *log, fhir_log_level_t level)
{
    return log && log->write && level <= log->level;
}

void fhir_log(const fhir_log_t *log, fhir_log_level_t level, apr_status_t status, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    if (!wanted(log, level)) {
        return;
    }
    va_start(arguments, format);
    if (vsnprintf(line, sizeof(line), format, arguments) < 0) {
        apr_cpystrn(line, "(a log line that could not be formatted)", sizeof(line));
    }
    va_end(arguments);
    write_line(log, level, status, line);
}

/* What was being done, the sentence, and the detail in brackets. */
static void describe(char line[LINE_SIZE], const fhir_error_t *error, const char *doing, int depth)
{
    const char *text = error->public_text ? error->public_text : "(no text)";
    const char *detail = error->detail ? error->detail : "";
    const char *open = error->detail ? " [" : "";
    const char *close = error->detail ? "]" : "";
    if (depth == 0) {
        snprintf(line, LINE_SIZE, "%s: %s%s%s%s", doing ? doing : "failed", text, open, detail, close);
    } else {
        snprintf(line, LINE_SIZE, "%s: caused by: %s%s%s%s", doing ? doing : "failed", text, open, detail, close);
    }
}

void fhir_log_error(const fhir_log_t *log, fhir_log_level_t level, const fhir_error_t *error, const char *doing)
{
    char line[LINE_SIZE];
    int depth;
    if (!wanted(log, level)) {
        return;
    }
    for (depth = 0; error && depth < CAUSES_MAX; depth++, error = error->cause) {
        describe(line, error, doing, depth);
        write_line(log, level, error->status, line);
    }
}
