/* Keys of S3 servers: what they may look like, and the AWS credentials file with its profiles in brackets, a name and a
 * value on each line. */
#include "s3_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MAX_FILE 65536
#define MAX_TOKEN 16384

/* ---- what keys look like ---- */

static int is_visible(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~') {
            return 0;
        }
    }
    return 1;
}

int s3_is_word(const char *text, apr_size_t most, const char *without)
{
    return text && *text && strnlen(text, most + 1) <= most && is_visible(text) && !text[strcspn(text, without)];
}

static fhir_error_t *bad_key(const char *what, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL, "This request can't be sent to the store.",
                             "can't be signed: %s", what);
}

fhir_error_t *s3_check_keys(const s3_credentials_t *keys, apr_pool_t *pool)
{
    if (!s3_is_word(keys->access_key_id, 256, "/,;=&")) {
        return bad_key("the access key id", pool);
    }
    if (!s3_is_word(keys->secret_access_key, 512, "")) {
        return bad_key("the secret access key", pool);
    }
    if (keys->session_token && !s3_is_word(keys->session_token, MAX_TOKEN, "")) {
        return bad_key("the session token", pool);
    }
    return NULL;
}

/* ---- reading ---- */

static fhir_error_t *read_all(const char **text, int descriptor, apr_pool_t *pool)
{
    char *buffer = apr_palloc(pool, MAX_FILE + 2);
    apr_size_t length = 0;
    ssize_t got;
    do {
        got = read(descriptor, buffer + length, MAX_FILE + 1 - length);
        if (got > 0) {
            length += (apr_size_t)got;
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        return fhir_plugin_system_error(pool, errno, "reading a file of credentials");
    }
    buffer[length] = '\0';
    if (length > MAX_FILE || strlen(buffer) != length) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The file of credentials is no text, or larger than %d bytes.", MAX_FILE);
    }
    *text = buffer;
    return NULL;
}

fhir_error_t *s3_read_small_file(const char **text, struct stat *stamp, const char *path, apr_pool_t *pool)
{
    int descriptor;
    fhir_error_t *error;
    if (stat(path, stamp)) { /* of a file that can't be opened, too */
        return fhir_plugin_system_error(pool, errno, "stat of a file of credentials");
    }
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hang us */
    if (descriptor < 0) {
        return fhir_plugin_system_error(pool, errno, "opening a file of credentials");
    }
    if (fstat(descriptor, stamp)) {
        error = fhir_plugin_system_error(pool, errno, "stat of a file of credentials");
    } else if (!S_ISREG(stamp->st_mode)) {
        error = fhir_error_public(pool, FHIR_ERROR_INVALID, "The file of credentials is no ordinary file.");
    } else {
        error = read_all(text, descriptor, pool);
    }
    close(descriptor);
    return error;
}

int s3_file_changed(const struct stat *stamp, const char *path)
{
    struct stat now;
    if (stat(path, &now)) {
        return 0;
    }
    return now.st_dev != stamp->st_dev || now.st_ino != stamp->st_ino || now.st_size != stamp->st_size ||
           now.st_mode != stamp->st_mode || now.st_mtim.tv_sec != stamp->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != stamp->st_mtim.tv_nsec || now.st_ctim.tv_sec != stamp->st_ctim.tv_sec ||
           now.st_ctim.tv_nsec != stamp->st_ctim.tv_nsec;
}

/* ---- parsing ---- */

static char *trim(char *text)
{
    char *end;
    text += strspn(text, " \t\r");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1])) {
        *--end = '\0';
    }
    return text;
}

static void keep_value(s3_credentials_t *keys, const char *name, const char *value)
{
    if (!strcasecmp(name, "aws_access_key_id")) {
        keys->access_key_id = value;
    } else if (!strcasecmp(name, "aws_secret_access_key")) {
        keys->secret_access_key = value;
    } else if (!strcasecmp(name, "aws_session_token")) {
        keys->session_token = *value ? value : NULL;
    }
}

/* One line, which is not empty and no comment. 0 if it is malformed. */
static int parse_line(s3_credentials_t *keys, int *inside, int *found, char *line, const char *profile)
{
    char *equals;
    if (*line == '[') {
        char *close = strchr(line, ']');
        if (!close) {
            return 0;
        }
        *close = '\0';
        *inside = !strcmp(trim(line + 1), profile);
        *found |= *inside;
        return 1;
    }
    equals = strchr(line, '=');
    if (!*inside) {
        return 1;
    }
    if (!equals) {
        return 0;
    }
    *equals = '\0';
    keep_value(keys, trim(line), trim(equals + 1));
    return 1;
}

static fhir_error_t *parse_profile(s3_credentials_t *keys, const char *text, const char *path, const char *profile,
                                   apr_pool_t *pool)
{
    char *next = apr_pstrdup(pool, strncmp(text, "\xef\xbb\xbf", 3) ? text : text + 3); /* a byte order mark */
    int inside = 0;
    int found = 0;
    int number = 0;
    while (next) {
        char *line = next;
        number++;
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        line = trim(line);
        if (*line && *line != '#' && *line != ';' && !parse_line(keys, &inside, &found, line, profile)) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "%s, line %d is neither [profile] nor name = value. Correct it.", path, number);
        }
    }
    if (!found) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s has no profile [%s]. Add it, or name another one with profile=.", path, profile);
    }
    return NULL;
}

static fhir_error_t *check_profile(const s3_credentials_t *keys, const char *path, const char *profile,
                                   apr_pool_t *pool)
{
    fhir_error_t *error;
    if (!keys->access_key_id || !keys->secret_access_key) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "%s: the profile [%s] has no %s. Add it.", path, profile,
                                 keys->access_key_id ? "aws_secret_access_key" : "aws_access_key_id");
    }
    error = s3_check_keys(keys, pool);
    if (error) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s: the profile [%s] holds something that is no key (empty, or with spaces in it): "
                                 "%s. Correct it.",
                                 path, profile, error->detail);
    }
    return NULL;
}

fhir_error_t *s3_read_credentials_file(s3_credentials_t *keys, struct stat *stamp, const char *path,
                                       const char *profile, apr_pool_t *pool)
{
    s3_credentials_t parsed = {NULL, NULL, NULL, 0};
    const char *text;
    fhir_error_t *error;
    memset(stamp, 0, sizeof(*stamp));
    error = s3_read_small_file(&text, stamp, path, pool);
    if (error) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "%s can't be used: %s", path, fhir_error_reason(error));
    }
    if (stamp->st_mode & S_IRWXO) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s holds secrets and is open to every user of this computer. Run chmod o= on it.",
                                 path);
    }
    FHIR_TRY(parse_profile(&parsed, text, path, profile, pool));
    FHIR_TRY(check_profile(&parsed, path, profile, pool));
    *keys = parsed;
    return NULL;
}
