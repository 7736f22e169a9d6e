/* Reads a JWK set from a file, if it has changed, or from an URL. */
#include "issuer_source.h"

#include "../fetch/fetch.h"

#include <apr_file_io.h>
#include <string.h>

#define JWKS_MAX ((apr_off_t)1024 * 1024)

static fhir_error_t *unreadable(apr_pool_t *pool, apr_status_t status, const char *path, const char *what)
{
    return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, status, "A file of keys can't be read.", "%s: %s", path,
                             what);
}

static fhir_error_t *read_all(const char **text, apr_file_t *file, apr_size_t size, const char *path, apr_pool_t *pool)
{
    char *bytes = apr_palloc(pool, size + 1);
    apr_size_t length = 0;
    apr_status_t status = apr_file_read_full(file, bytes, size, &length);
    if (status != APR_SUCCESS) { /* the end of file too: it became shorter while we read */
        return unreadable(pool, status, path, "reading failed");
    }
    bytes[length] = '\0';
    if (memchr(bytes, '\0', length)) {
        return unreadable(pool, APR_SUCCESS, path, "not a text");
    }
    *text = bytes;
    return NULL;
}

static fhir_error_t *read_open_file(const char **text, fhir_issuer_source_t *known, apr_file_t *file, const char *path,
                                    apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t status = apr_file_info_get(&info, APR_FINFO_MTIME | APR_FINFO_SIZE | APR_FINFO_INODE, file);
    fhir_issuer_source_t now = {0};
    if (status != APR_SUCCESS) {
        return unreadable(pool, status, path, "no information about it");
    }
    now.modified = info.mtime;
    now.size = info.size;
    now.inode = (apr_uint64_t)info.inode;
    if (now.modified == known->modified && now.size == known->size && now.inode == known->inode) {
        return NULL;
    }
    if (info.size <= 0 || info.size > JWKS_MAX) {
        return unreadable(pool, APR_SUCCESS, path, "empty or larger than 1 MiB");
    }
    FHIR_TRY(read_all(text, file, (apr_size_t)info.size, path, pool));
    *known = now;
    return NULL;
}

static fhir_error_t *read_file(const char **text, fhir_issuer_source_t *known, const char *path, apr_pool_t *pool)
{
    apr_file_t *file;
    fhir_error_t *error;
    apr_status_t status = apr_file_open(&file, path, APR_FOPEN_READ, APR_OS_DEFAULT, pool);
    if (status != APR_SUCCESS) {
        return unreadable(pool, status, path, "opening failed");
    }
    error = read_open_file(text, known, file, path, pool);
    apr_file_close(file);
    return error;
}

fhir_error_t *fhir_issuer_source_read(const char **text, fhir_issuer_source_t *known, const char *jwks,
                                      apr_pool_t *pool)
{
    apr_size_t length;
    *text = NULL;
    if (jwks[0] == '/') {
        return read_file(text, known, jwks, pool);
    }
    FHIR_TRY(fhir_fetch_get(text, &length, jwks, NULL, pool));
    return NULL;
}
