/* Writing a file object: a temporary file, streamed, synced, and renamed into place when it is whole. */
#include "filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Small pieces are gathered: the kernel takes few large writes faster than many small ones. */
#define GATHER_SIZE ((apr_size_t)64 * 1024)
/* So much goes to the disk at a time while the upload still runs, which makes the fsync at the end short. */
#define WRITEBACK_STEP ((apr_off_t)8 * 1024 * 1024)
/* From this announced size on it is worth a system call to ask whether there is room at all. */
#define ASK_FOR_ROOM ((apr_off_t)1024 * 1024)

typedef enum writer_state_t { WRITER_OPEN = 1, WRITER_RENAMED, WRITER_DONE } writer_state_t;

struct fhir_writer_t {
    fhir_store_t *store;
    char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1];
    const char *key;                          /* the end of `locator` */
    char temporary[FS_UNFINISHED_LENGTH + 1]; /* the name in tmp, ours alone */
    int file;                                 /* -1: closed */
    int directory;                            /* of the finished object; -1: not open */
    writer_state_t state;
    struct stat identity; /* of the whole file, before it was renamed */
    apr_off_t expected_length;
    apr_off_t length;        /* all that was given to us */
    apr_off_t written;       /* what the kernel has of it */
    apr_off_t writeback_end; /* what was sent on to the disk of that */
    char *gathered;
    apr_size_t gathered_length;
};

static fhir_error_t *ask_for_room(const fhir_store_t *store, apr_off_t length, apr_pool_t *pool)
{
    struct statvfs room;
    if (length < ASK_FOR_ROOM || fstatvfs(store->tmp, &room) || room.f_frsize == 0) {
        return NULL;
    }
    if ((apr_uint64_t)length / room.f_frsize >= room.f_bavail) {
        return fhir_plugin_local_error(pool, ENOSPC, "the announced length does not fit");
    }
    return NULL;
}

fhir_error_t *fs_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                              const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    fhir_writer_t *made = apr_pcalloc(pool, sizeof(*made));
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(pool);
    }
    fhir_plugin_locator_of(made->locator, request->object_key);
    if (strcmp(made->locator, request->locator)) {
        return fhir_plugin_bad_locator(pool);
    }
    FHIR_TRY(ask_for_room(store, request->expected_length, pool));
    made->store = store;
    made->key = fhir_plugin_key_of(made->locator);
    made->expected_length = request->expected_length;
    made->directory = -1;
    fs_name_unfinished(made->temporary, store, made->key);
    made->file =
        openat(store->tmp, made->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FS_FILE_MODE);
    if (made->file < 0) {
        return fhir_plugin_local_error(pool, errno, "create a temporary file");
    }
    made->state = WRITER_OPEN;
    *writer = made;
    return NULL;
}

/* 0 or an errno. */
static int write_all(fhir_writer_t *writer, const char *bytes, apr_size_t length)
{
    while (length > 0) {
        ssize_t done = write(writer->file, bytes, length);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? errno : EIO;
        }
        writer->written += done;
        bytes += done;
        length -= (apr_size_t)done;
    }
    return 0;
}

static int flush_gathered(fhir_writer_t *writer)
{
    apr_size_t length = writer->gathered_length;
    writer->gathered_length = 0;
    return write_all(writer, writer->gathered, length);
}

/* A hint: where the file system can't do it, the fsync at the end does it all. */
static void start_writeback(fhir_writer_t *writer)
{
    apr_off_t dirty = writer->written - writer->writeback_end;
    if (writer->store->sync && dirty >= WRITEBACK_STEP) {
        (void)sync_file_range(writer->file, writer->writeback_end, dirty, SYNC_FILE_RANGE_WRITE);
        writer->writeback_end = writer->written;
    }
}

/* Every write but the last is a multiple of GATHER_SIZE: a file of unaligned writes lies in small pieces in the page
 * cache, and each later read of it is a tenth slower. */
static int gather(fhir_writer_t *writer, const char *bytes, apr_size_t length, apr_pool_t *pool)
{
    int failed = 0;
    while (length > 0 && !failed) {
        apr_size_t piece = GATHER_SIZE - writer->gathered_length;
        if (writer->gathered_length == 0 && length >= GATHER_SIZE) {
            piece = length - length % GATHER_SIZE;
            failed = write_all(writer, bytes, piece);
        } else {
            piece = length < piece ? length : piece;
            writer->gathered = writer->gathered ? writer->gathered : apr_palloc(pool, GATHER_SIZE);
            memcpy(writer->gathered + writer->gathered_length, bytes, piece);
            writer->gathered_length += piece;
            failed = writer->gathered_length == GATHER_SIZE ? flush_gathered(writer) : 0;
        }
        bytes += piece;
        length -= piece;
    }
    return failed;
}

fhir_error_t *fs_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length, const fhir_store_call_t *call)
{
    int failed;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    writer->length += (apr_off_t)length;
    if (writer->expected_length >= 0 && writer->length > writer->expected_length) {
        return fhir_plugin_wrong_length(call->result_pool, writer->length, writer->expected_length);
    }
    /* All of a small object in one piece: nothing to gather. */
    if (writer->length == (apr_off_t)length && writer->length == writer->expected_length) {
        failed = write_all(writer, data, length);
    } else {
        failed = gather(writer, data, length, call->result_pool);
    }
    if (failed) {
        return fhir_plugin_local_error(call->result_pool, failed, "write");
    }
    start_writeback(writer);
    return NULL;
}

/* Length as the file system sees it, and 0600 also under a umask that took our own rights away; and whose it is. */
static fhir_error_t *check_file(fhir_object_info_t *info, fhir_writer_t *writer, apr_pool_t *pool)
{
    struct stat *status = &writer->identity;
    int failed;
    if (fstat(writer->file, status)) {
        return fhir_plugin_local_error(pool, errno, "fstat the temporary file");
    }
    if (status->st_size != writer->length) {
        return fhir_plugin_short_object(pool, writer->length - status->st_size);
    }
    if ((status->st_mode & 0777) != FS_FILE_MODE && fchmod(writer->file, FS_FILE_MODE)) {
        return fhir_plugin_local_error(pool, errno, "fchmod the temporary file");
    }
    failed = fs_give(writer->store, writer->file);
    if (failed) {
        return fhir_plugin_local_error(pool, failed, "fchown the temporary file");
    }
    info->length = status->st_size;
    info->modified = apr_time_make(status->st_mtim.tv_sec, status->st_mtim.tv_nsec / 1000);
    info->checksum = NULL;
    return NULL;
}

/* 0 or an errno. Closed before the rename: a network file system may report a failed write only here. */
static int sync_and_close_file(fhir_writer_t *writer)
{
    int failed = fs_sync(writer->store, writer->file);
    if (failed) {
        return failed;
    }
    failed = close(writer->file) && errno != EINTR ? errno : 0;
    writer->file = -1;
    return failed;
}

/* The usual case is one openat. The rest makes directories, and notes whose entries must be synced. Root looks at each
 * directory on the way, for what a killed root left. */
static int open_fan_out(fhir_writer_t *writer, int *outer, int *made_outer, int *made_inner)
{
    char name[] = "ab/cd";
    memcpy(name, writer->locator, 5);
    if (!writer->store->give) {
        writer->directory = openat(writer->store->objects, name, FS_DIRECTORY_FLAGS);
        if (writer->directory >= 0 || errno != ENOENT) {
            return writer->directory < 0 ? errno : 0;
        }
    }
    name[2] = '\0';
    *outer = fs_open_directory(made_outer, writer->store, writer->store->objects, name);
    if (*outer < 0) {
        return errno;
    }
    writer->directory = fs_open_directory(made_inner, writer->store, *outer, name + 3);
    return writer->directory < 0 ? errno : 0;
}

/* New directories come before the file's fsync: a journalling file system then writes all of it in one go, and the
 * syncs of the parents find nothing left to do. */
static int sync_into_directory(fhir_writer_t *writer)
{
    int outer = -1;
    int made_outer = 0;
    int made_inner = 0;
    int failed = open_fan_out(writer, &outer, &made_outer, &made_inner);
    if (!failed) {
        failed = sync_and_close_file(writer);
    }
    if (!failed && made_inner) {
        failed = fs_sync(writer->store, outer);
    }
    if (!failed && made_outer) {
        failed = fs_sync(writer->store, writer->store->objects);
    }
    if (outer >= 0) {
        close(outer);
    }
    return failed;
}

/* Never over another object. File systems without RENAME_NOREPLACE get the pair of calls that means the same. */
static int rename_into_place(fhir_writer_t *writer)
{
    int tmp = writer->store->tmp;
    if (!renameat2(tmp, writer->temporary, writer->directory, writer->key, RENAME_NOREPLACE)) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
    if (linkat(tmp, writer->temporary, writer->directory, writer->key, 0)) {
        return errno;
    }
    unlinkat(tmp, writer->temporary, 0);
    return 0;
}

static fhir_error_t *put_in_place(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    int failed = sync_into_directory(writer);
    if (failed) {
        return fhir_plugin_local_error(call->result_pool, failed, "sync the object");
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    failed = rename_into_place(writer);
    if (failed == ENOENT) { /* somebody removed the locator while we were writing */
        return fhir_error_create(call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_ENOENT,
                                 "The upload was interrupted; send it again.", "the temporary file was removed");
    }
    if (failed) {
        return fhir_plugin_local_error(call->result_pool, failed, "rename the object into place");
    }
    writer->state = WRITER_RENAMED;
    failed = fs_sync(writer->store, writer->directory);
    return failed ? fhir_plugin_local_error(call->result_pool, failed, "sync the object's directory") : NULL;
}

static void close_all(fhir_writer_t *writer)
{
    if (writer->file >= 0) {
        close(writer->file);
        writer->file = -1;
    }
    if (writer->directory >= 0) {
        close(writer->directory);
        writer->directory = -1;
    }
}

/* Somebody removed our object and stored his own under the same name while we waited for the disk. The inode's number
 * alone does not tell: it is used again at once. */
static int is_anothers(const fhir_writer_t *writer)
{
    const struct stat *ours = &writer->identity;
    struct stat now;
    return !fstatat(writer->directory, writer->key, &now, AT_SYMLINK_NOFOLLOW) &&
           (now.st_dev != ours->st_dev || now.st_ino != ours->st_ino || now.st_mtim.tv_sec != ours->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != ours->st_mtim.tv_nsec);
}

/* Nothing may be visible after an error, so an object that is in place but perhaps not durable goes again. */
static void undo(fhir_writer_t *writer)
{
    if (writer->state != WRITER_RENAMED) {
        unlinkat(writer->store->tmp, writer->temporary, 0);
    } else if (!is_anothers(writer)) {
        unlinkat(writer->directory, writer->key, 0);
    }
    close_all(writer);
    writer->state = WRITER_DONE;
}

fhir_error_t *fs_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    fhir_error_t *error;
    int failed;
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(pool);
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->expected_length >= 0 && writer->length != writer->expected_length) {
        return fhir_plugin_wrong_length(pool, writer->length, writer->expected_length);
    }
    failed = flush_gathered(writer);
    if (failed) {
        return fhir_plugin_local_error(pool, failed, "write");
    }
    FHIR_TRY(check_file(info, writer, pool));
    error = put_in_place(writer, call);
    if (error) {
        undo(writer);
        return error;
    }
    close_all(writer);
    writer->state = WRITER_DONE;
    return NULL;
}

void fs_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    (void)call;
    if (writer->state != WRITER_DONE) {
        undo(writer);
    }
}
