/* Reading, stat and remove of file objects. */
#include "filesystem.h"

#include <apr_portable.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fhir_reader_t {
    int descriptor;   /* -1: closed, or `file` has it */
    apr_file_t *file; /* once it was given away */
    apr_pool_t *pool;
    apr_off_t offset;
    apr_off_t remaining;
};

static void fill_info(fhir_object_info_t *info, const struct stat *status)
{
    info->length = status->st_size;
    info->modified = apr_time_make(status->st_mtim.tv_sec, status->st_mtim.tv_nsec / 1000);
    info->checksum = NULL;
}

static fhir_error_t *check_descriptor(fhir_object_info_t *info, int descriptor, apr_pool_t *pool)
{
    struct stat status;
    if (fstat(descriptor, &status)) {
        return fhir_plugin_system_error(pool, errno, "fstat the object");
    }
    if (!S_ISREG(status.st_mode)) {
        return fhir_plugin_not_found(pool);
    }
    fill_info(info, &status);
    return NULL;
}

fhir_error_t *fs_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                             apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    fhir_reader_t *made;
    fhir_error_t *error;
    *reader = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->descriptor = openat(store->objects, locator, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (made->descriptor < 0) {
        return errno == ENOENT ? fhir_plugin_not_found(pool) : fhir_plugin_system_error(pool, errno, "open the object");
    }
    error = check_descriptor(info, made->descriptor, pool);
    if (!error) {
        error = fhir_plugin_range(&made->remaining, offset, length, info->length, pool);
    }
    if (error) {
        close(made->descriptor);
        return error;
    }
    made->pool = pool;
    made->offset = offset;
    *reader = made;
    return NULL;
}

fhir_error_t *fs_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    apr_size_t room = *length;
    int descriptor = reader->descriptor;
    ssize_t got;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->remaining == 0) {
        return NULL;
    }
    if (reader->file && apr_os_file_get(&descriptor, reader->file) != APR_SUCCESS) {
        return fhir_plugin_system_error(call->result_pool, EBADF, "read the object");
    }
    if ((apr_uint64_t)room > (apr_uint64_t)reader->remaining) {
        room = (apr_size_t)reader->remaining;
    }
    do {
        got = pread(descriptor, buffer, room, reader->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return fhir_plugin_system_error(call->result_pool, errno, "read the object");
    }
    if (got == 0) {
        return fhir_plugin_short_object(call->result_pool, reader->remaining);
    }
    reader->offset += got;
    reader->remaining -= got;
    *length = (apr_size_t)got;
    return NULL;
}

/* A file made by apr_os_file_put has no cleanup, and httpd would lose the descriptor when it sets the bucket aside.
 * Its apr_file_dup has one. */
fhir_error_t *fs_reader_file(apr_file_t **file, apr_off_t *offset, fhir_reader_t *reader)
{
    apr_file_t *borrowed = NULL;
    apr_os_file_t descriptor = -1;
    apr_status_t status;
    if (!reader->file) {
        status = apr_os_file_put(&borrowed, &reader->descriptor, APR_FOPEN_READ | APR_FOPEN_BINARY, reader->pool);
        if (status == APR_SUCCESS) {
            status = apr_file_dup(&reader->file, borrowed, reader->pool);
        }
        if (status != APR_SUCCESS) {
            reader->file = NULL;
            return fhir_plugin_system_error(reader->pool, APR_TO_OS_ERROR(status), "duplicate the descriptor");
        }
        apr_os_file_get(&descriptor, reader->file);
        (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        close(reader->descriptor);
        reader->descriptor = -1;
    }
    *file = reader->file;
    *offset = reader->offset;
    return NULL;
}

void fs_reader_close(fhir_reader_t *reader)
{
    if (reader->descriptor >= 0) {
        close(reader->descriptor);
        reader->descriptor = -1;
    }
}

fhir_error_t *fs_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    struct stat status;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_key_of(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    if (fstatat(store->objects, locator, &status, AT_SYMLINK_NOFOLLOW)) {
        return errno == ENOENT ? fhir_plugin_not_found(call->result_pool)
                               : fhir_plugin_system_error(call->result_pool, errno, "stat the object");
    }
    if (!S_ISREG(status.st_mode)) {
        return fhir_plugin_not_found(call->result_pool);
    }
    fill_info(info, &status);
    return NULL;
}

/* 0 or an errno. The directory is synced: a removed object must not come back after a power cut, because its row is
 * gone by then. */
static int unlink_durably(int *existed, const fhir_store_t *store, int directory, const char *name)
{
    if (unlinkat(directory, name, 0)) {
        return errno == ENOENT ? 0 : errno;
    }
    *existed = 1;
    return fs_sync(store, directory);
}

static int remove_object(int *existed, const fhir_store_t *store, const char *locator, const char *key)
{
    char name[] = "ab/cd";
    int directory;
    int failed;
    name[0] = locator[0];
    name[1] = locator[1];
    name[3] = locator[3];
    name[4] = locator[4];
    directory = openat(store->objects, name, FS_DIRECTORY_FLAGS);
    if (directory < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    failed = unlink_durably(existed, store, directory, key);
    close(directory);
    return failed;
}

/* The temporary files first: a writer that is about to rename one must not put the object back behind us. */
fhir_error_t *fs_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    const char *key = fhir_plugin_key_of(locator);
    int failed;
    *existed = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!key) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    failed = fs_remove_unfinished(existed, store, key);
    if (!failed) {
        failed = remove_object(existed, store, locator, key);
    }
    return failed ? fhir_plugin_system_error(call->result_pool, failed, "remove the object") : NULL;
}
