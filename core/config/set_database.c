/* FhirBinaryDatabase and FhirBinaryDatabaseFile. */
#include "directives.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <string.h>

#define FILE_MAX 16384

static fhir_error_t *check_only_one(const fhir_settings_t *settings)
{
    if (settings->database) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "the database is given already. Keep either one FhirBinaryDatabase or one "
                                 "FhirBinaryDatabaseFile line.");
    }
    return NULL;
}

fhir_error_t *fhir_set_database(fhir_settings_t *settings, int count, const char *const *values)
{
    int has_password;
    (void)count;
    FHIR_TRY(check_only_one(settings));
    FHIR_TRY(fhir_conninfo_check(&has_password, values[0], settings->pool));
    if (has_password) {
        /* httpd shows its configuration to anyone who may run `apachectl -t -D DUMP_CONFIG` or reads mod_info. */
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "a password does not belong into the httpd configuration. Put the connection string "
                                 "into a file that only root may read and write: FhirBinaryDatabaseFile "
                                 "/etc/fhir-binary/database.conf");
    }
    settings->database = apr_pstrdup(settings->pool, values[0]);
    return NULL;
}

static fhir_error_t *check_file(const apr_finfo_t *info, const char *path, apr_pool_t *pool)
{
    if (info->filetype != APR_REG) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "'%s' is not a regular file. Name the file that holds the connection string.", path);
    }
    if (info->protection & (APR_FPROT_WREAD | APR_FPROT_WWRITE | APR_FPROT_WEXECUTE)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "every user of this machine may read or write '%s'. Run: chown root %s && chmod 0600 "
                                 "%s (httpd reads it before it gives up root's rights).",
                                 path, path, path);
    }
    if (info->size > FILE_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "'%s' is larger than 16 KiB. It should hold one connection string and nothing else.",
                                 path);
    }
    return NULL;
}

/* The file's lines joined with blanks; comments and empty lines left out. */
static char *join_lines(char *text)
{
    char *out = text;
    char *line = text;
    while (*line) {
        size_t length = strcspn(line, "\r\n");
        char *next = line + length + (line[length] ? 1 : 0);
        size_t blanks = strspn(line, " \t");
        if (blanks < length && line[blanks] != '#') {
            if (out != text) {
                *out++ = ' ';
            }
            memmove(out, line + blanks, length - blanks);
            out += length - blanks;
            while (out > text && apr_isspace(out[-1])) {
                out--;
            }
        }
        line = next;
    }
    *out = '\0';
    return text;
}

static fhir_error_t *unreadable(const char *path, apr_status_t status, apr_pool_t *pool)
{
    char reason[128];
    apr_strerror(status, reason, sizeof(reason));
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "'%s' can't be read: %s. Name a file that holds the connection string, for example "
                             "/etc/fhir-binary/database.conf",
                             path, reason);
}

static fhir_error_t *read_file(const char **text, const char *path, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *bytes = apr_pcalloc(pool, FILE_MAX + 1);
    apr_size_t length = 0;
    fhir_error_t *error;
    apr_status_t status = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool);
    if (status != APR_SUCCESS) {
        return unreadable(path, status, pool);
    }
    status = apr_file_info_get(&info, APR_FINFO_TYPE | APR_FINFO_PROT | APR_FINFO_SIZE, file);
    error = status == APR_SUCCESS || status == APR_INCOMPLETE ? check_file(&info, path, pool)
                                                              : unreadable(path, status, pool);
    if (!error) {
        status = apr_file_read_full(file, bytes, FILE_MAX, &length);
        error = status == APR_SUCCESS || status == APR_EOF ? NULL : unreadable(path, status, pool);
    }
    apr_file_close(file);
    if (!error && memchr(bytes, '\0', length)) {
        error = fhir_error_public(pool, FHIR_ERROR_INVALID, "'%s' holds a NUL byte; it should be a text file.", path);
    }
    *text = join_lines(bytes);
    return error;
}

fhir_error_t *fhir_set_database_file(fhir_settings_t *settings, int count, const char *const *values)
{
    const char *text = NULL;
    int has_password;
    (void)count;
    FHIR_TRY(check_only_one(settings));
    if (values[0][0] != '/') {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%s' is not an absolute path. Write for example /etc/fhir-binary/database.conf",
                                 values[0]);
    }
    FHIR_TRY(read_file(&text, values[0], settings->pool));
    FHIR_TRY(fhir_conninfo_check(&has_password, text, settings->pool));
    settings->database = text;
    return NULL;
}
