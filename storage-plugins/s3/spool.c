/* Bytes of a part whose length nobody knows yet: in a file without a name, so that it can be sent again. */
#include "s3.h"

#include <errno.h>
#include <unistd.h>

void s3_spool_init(s3_spool_t *spool)
{
    spool->file = -1;
    spool->length = 0;
    spool->hash = NULL;
}

static fhir_error_t *hash_failed(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The server could not compute the checksum of the content; try again.",
                             "OpenSSL failed while hashing");
}

/* 0 or an errno. */
static int write_all(int file, const char *bytes, apr_size_t length)
{
    while (length > 0) {
        ssize_t done = write(file, bytes, length);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? errno : EIO;
        }
        bytes += done;
        length -= (apr_size_t)done;
    }
    return 0;
}

static fhir_error_t *begin_hash(s3_spool_t *spool, apr_pool_t *pool)
{
    if (spool->length > 0) {
        return NULL;
    }
    spool->hash = spool->hash ? spool->hash : EVP_MD_CTX_new();
    return spool->hash && EVP_DigestInit_ex(spool->hash, EVP_sha256(), NULL) == 1 ? NULL : hash_failed(pool);
}

fhir_error_t *s3_spool_write(s3_spool_t *spool, const char *directory, const void *data, apr_size_t length,
                             apr_pool_t *pool)
{
    int failed;
    if (spool->file < 0) {
        FHIR_TRY(fhir_plugin_spool_open(&spool->file, directory, pool));
    }
    FHIR_TRY(begin_hash(spool, pool));
    if (EVP_DigestUpdate(spool->hash, data, length) != 1) {
        return hash_failed(pool);
    }
    failed = write_all(spool->file, data, length);
    if (failed) {
        return fhir_plugin_local_error(pool, failed, "write a temporary file (spool_directory=)");
    }
    spool->length += (apr_off_t)length;
    return NULL;
}

fhir_error_t *s3_spool_sha256(char hex[S3_SHA256_HEX_LENGTH + 1], s3_spool_t *spool, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    unsigned i;
    if (!spool->hash || EVP_DigestFinal_ex(spool->hash, digest, &length) != 1 || 2 * length != S3_SHA256_HEX_LENGTH) {
        return hash_failed(pool);
    }
    for (i = 0; i < length; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[S3_SHA256_HEX_LENGTH] = '\0';
    return NULL;
}

fhir_error_t *s3_spool_read(const s3_spool_t *spool, apr_off_t offset, void *buffer, apr_size_t length,
                            apr_pool_t *pool)
{
    char *to = buffer;
    while (length > 0) {
        ssize_t done = pread(spool->file, to, length, offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return fhir_plugin_local_error(pool, done < 0 ? errno : EIO, "read a temporary file");
        }
        to += done;
        offset += done;
        length -= (apr_size_t)done;
    }
    return NULL;
}

fhir_error_t *s3_spool_reset(s3_spool_t *spool, apr_pool_t *pool)
{
    if (ftruncate(spool->file, 0) || lseek(spool->file, 0, SEEK_SET) != 0) {
        return fhir_plugin_local_error(pool, errno, "empty a temporary file");
    }
    spool->length = 0;
    return NULL;
}

void s3_spool_close(s3_spool_t *spool)
{
    if (spool->file >= 0) {
        close(spool->file);
    }
    EVP_MD_CTX_free(spool->hash);
    s3_spool_init(spool);
}

fhir_error_t *s3_spool_send(s3_body_t *body, fhir_store_t *store, s3_operation_t *operation, const s3_spool_t *spool,
                            char *buffer, const fhir_store_call_t *call)
{
    apr_off_t offset;
    FHIR_TRY(s3_body_begin(body, store, operation, spool->length, call));
    for (offset = 0; offset < spool->length; offset += (apr_off_t)S3_BLOCK) {
        apr_off_t rest = spool->length - offset;
        apr_size_t length = rest < (apr_off_t)S3_BLOCK ? (apr_size_t)rest : S3_BLOCK;
        FHIR_TRY(s3_spool_read(spool, offset, buffer, length, call->result_pool));
        FHIR_TRY(s3_body_write(body, store, buffer, length, call));
    }
    return NULL;
}
