/* The filesystem store: objects are files, durable by fsync and rename. Descriptor, options, open, close, health. */
#include "filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Less than this is a full disk for every practical purpose. */
#define LEAST_ROOM ((apr_uint64_t)1024 * 1024)

/* What a configuration test can see already. A path that we may not look at is left to `open`, which runs as another
 * user. */
static fhir_error_t *check_path(const char *path, apr_pool_t *pool)
{
    const char *slash;
    struct stat status;
    if (!path || path[0] != '/' || !path[1]) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The filesystem store needs path= with an absolute directory, for instance "
                                 "path=/var/lib/fhir-binary%s%s%s.",
                                 path ? " (not '" : "", path ? path : "", path ? "')" : "");
    }
    if (!stat(path, &status)) {
        return S_ISDIR(status.st_mode) ? NULL
                                       : fhir_error_public(pool, FHIR_ERROR_INVALID,
                                                           "path=%s is not a directory. Name a directory of its own "
                                                           "for the store.",
                                                           path);
    }
    slash = strrchr(path, '/');
    if (errno == ENOENT && slash > path && stat(apr_pstrmemdup(pool, path, (apr_size_t)(slash - path)), &status) &&
        errno == ENOENT) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "path=%s does not exist, nor does the directory above it. Make it: install -d -m 0700 "
                                 "-o USER %s (USER is the one that httpd's children run as).",
                                 path, path);
    }
    return NULL;
}

static fhir_error_t *fs_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                                  apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *sync = NULL;
    const fhir_plugin_option_t known[] = {{"path", &made->path}, {"sync", &sync}, {NULL, NULL}};
    size_t length;
    *config = NULL;
    made->sync = 1;
    FHIR_TRY(fhir_plugin_options(known, options, option_count, "filesystem", pool));
    FHIR_TRY(fhir_plugin_flag(&made->sync, "sync", sync, pool));
    length = made->path ? strlen(made->path) : 0;
    while (length > 1 && made->path[length - 1] == '/') {
        length--;
    }
    made->path = made->path ? apr_pstrmemdup(pool, made->path, length) : NULL;
    FHIR_TRY(check_path(made->path, pool));
    *config = made;
    return NULL;
}

static fhir_error_t *open_failed(const char *what, const char *path, int failed, apr_pool_t *pool)
{
    char said[128];
    return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_FROM_OS_ERROR(failed),
                             "The store can't be opened. Tell the operator of this server.",
                             "%s %s: %s; make it for the user that httpd's children run as: install -d -m 0700 -o USER "
                             "%s",
                             what, path, apr_strerror(APR_FROM_OS_ERROR(failed), said, sizeof(said)), path);
}

/* 0 or an errno. */
static int make_base_for_owner_of(int above, const char *name)
{
    struct stat status;
    if (fstat(above, &status) || fs_make_directory_as(status.st_uid, status.st_gid, above, name)) {
        return errno;
    }
    return fchownat(above, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) ? errno : 0;
}

/* A directory that root makes belongs to whom the one above belongs to. 0 or an errno. */
static int make_base(const char *path, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');
    int above;
    int failed;
    if (geteuid() != 0 || slash == path) {
        return mkdirat(AT_FDCWD, path, FS_DIRECTORY_MODE) && errno != EEXIST ? errno : 0;
    }
    above = open(apr_pstrmemdup(pool, path, (apr_size_t)(slash - path)), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above < 0) {
        return errno;
    }
    failed = make_base_for_owner_of(above, slash + 1);
    close(above);
    return failed == EEXIST ? 0 : failed;
}

/* The only place where a whole path is used; symbolic links in it are the administrator's choice. */
static int open_base(const char *path, apr_pool_t *pool)
{
    int base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0 && errno == ENOENT) {
        errno = make_base(path, pool);
        base = errno ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return base;
}

static void find_owner(fhir_store_t *store, int base)
{
    struct stat status;
    if (geteuid() == 0 && !fstat(base, &status)) {
        store->owner = status.st_uid;
        store->group = status.st_gid;
        store->give = status.st_uid != 0 || status.st_gid != 0;
    }
}

static void close_store(fhir_store_t *store)
{
    if (store->objects >= 0) {
        close(store->objects);
    }
    if (store->tmp >= 0) {
        close(store->tmp);
    }
    store->objects = -1;
    store->tmp = -1;
}

/* A rename can't leave a file system. */
static int same_file_system(const fhir_store_t *store)
{
    struct stat objects;
    struct stat tmp;
    return !fstat(store->objects, &objects) && !fstat(store->tmp, &tmp) && objects.st_dev == tmp.st_dev;
}

static fhir_error_t *open_directories(fhir_store_t *store, int base, const char *path, apr_pool_t *pool)
{
    int made_objects = 0;
    int made_tmp = 0;
    int failed = 0;
    store->objects = fs_open_directory(&made_objects, store, base, "objects");
    store->tmp = store->objects < 0 ? -1 : fs_open_directory(&made_tmp, store, base, "tmp");
    if (store->objects < 0 || store->tmp < 0) {
        return open_failed("open objects and tmp in", path, errno, pool);
    }
    if (!same_file_system(store)) {
        return open_failed("objects and tmp are not in one file system below", path, EXDEV, pool);
    }
    failed = made_objects || made_tmp ? fs_sync(store, base) : 0;
    return failed ? open_failed("sync", path, failed, pool) : NULL;
}

static fhir_error_t *fs_open(fhir_store_t **store, const fhir_store_config_t *config, const fhir_storage_host_t *host,
                             apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    fhir_error_t *error;
    int base;
    (void)host;
    *store = NULL;
    made->objects = -1;
    made->tmp = -1;
    made->sync = config->sync;
    fs_start_counting(made);
    base = open_base(config->path, pool);
    if (base < 0) {
        return open_failed("open", config->path, errno, pool);
    }
    find_owner(made, base);
    error = open_directories(made, base, config->path, pool);
    close(base);
    if (error) {
        close_store(made);
        return error;
    }
    *store = made;
    return NULL;
}

static fhir_error_t *fs_locate(const char **locator, fhir_store_t *store, const char *object_key,
                               const fhir_store_call_t *call)
{
    char *made;
    (void)store;
    *locator = NULL;
    if (!fhir_plugin_is_key(object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    made = apr_palloc(call->result_pool, FHIR_PLUGIN_LOCATOR_LENGTH + 1);
    fhir_plugin_locator_of(made, object_key);
    *locator = made;
    return NULL;
}

/* Writes one byte, because quotas and delayed allocation answer only to that. */
static fhir_error_t *try_to_write(const fhir_store_t *store, apr_pool_t *pool)
{
    char name[64];
    int failed = 0;
    int file;
    snprintf(name, sizeof(name), "health-%ld-%p", (long)getpid(), (const void *)&name);
    file = openat(store->tmp, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FS_FILE_MODE);
    if (file < 0) {
        return fhir_plugin_local_error(pool, errno, "create a file in tmp");
    }
    if (write(file, "x", 1) != 1) {
        failed = errno ? errno : ENOSPC;
    }
    unlinkat(store->tmp, name, 0);
    close(file);
    return failed ? fhir_plugin_local_error(pool, failed, "write a file in tmp") : NULL;
}

static fhir_error_t *fs_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    struct statvfs room;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (fstatvfs(store->objects, &room)) {
        return fhir_plugin_local_error(pool, errno, "ask for free space");
    }
    if (room.f_bavail < LEAST_ROOM / (room.f_frsize ? room.f_frsize : 1)) {
        return fhir_plugin_local_error(pool, ENOSPC, "less than 1 MiB is free");
    }
    if (room.f_files > 0 && room.f_favail == 0) {
        return fhir_plugin_local_error(pool, ENOSPC, "no free inode");
    }
    return try_to_write(store, pool);
}

static const fhir_storage_plugin_t filesystem_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 0,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "filesystem",
    .version = "1.0",
    .capabilities = FHIR_STORAGE_CAN_FILE | FHIR_STORAGE_PERSISTENT,
    .configure = fs_configure,
    .open = fs_open,
    .close = close_store,
    .health = fs_health,
    .locate = fs_locate,
    .writer_begin = fs_writer_begin,
    .writer_write = fs_writer_write,
    .writer_commit = fs_writer_commit,
    .writer_abort = fs_writer_abort,
    .reader_open = fs_reader_open,
    .reader_read = fs_reader_read,
    .reader_file = fs_reader_file,
    .reader_close = fs_reader_close,
    .stat = fs_stat,
    .remove = fs_remove,
    .list = fs_list,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &filesystem_plugin;
}
