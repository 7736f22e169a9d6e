/* Files of a store under test, for programs that damage them. */
#ifndef FHIR_TESTS_CONFORMANCE_FILES_H
#define FHIR_TESTS_CONFORMANCE_FILES_H

#include "conformance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct bytes_t {
    unsigned char *data;
    size_t length;
} bytes_t;

static inline void die(const char *what, const char *path)
{
    printf("%s: %s\n", what, path);
    exit(2);
}

static inline bytes_t read_file(const char *path, apr_pool_t *pool)
{
    bytes_t bytes = {NULL, 0};
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status)) {
        die("can't open", path);
    }
    bytes.length = (size_t)status.st_size;
    bytes.data = apr_palloc(pool, bytes.length + 1);
    if (read(file, bytes.data, bytes.length) != (ssize_t)bytes.length) {
        die("can't read", path);
    }
    close(file);
    return bytes;
}

static inline void write_file(const char *path, const void *data, size_t length, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (file < 0 || write(file, data, length) != (ssize_t)length || fchmod(file, mode)) {
        die("can't write", path);
    }
    close(file);
}

static inline void write_text(const char *path, const char *text, mode_t mode)
{
    write_file(path, text, strlen(text), mode);
}

/* 0 also while the file is not there, or is being written. */
static inline int same_file(const char *path, const bytes_t *bytes, apr_pool_t *pool)
{
    unsigned char *now = apr_palloc(pool, bytes->length + 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int same = file >= 0 && read(file, now, bytes->length + 1) == (ssize_t)bytes->length &&
               !memcmp(now, bytes->data, bytes->length);
    if (file >= 0) {
        close(file);
    }
    return same;
}

#endif
