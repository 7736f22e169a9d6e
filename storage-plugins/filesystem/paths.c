/* Directories of the filesystem store. */
#include "filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

int fs_sync(const fhir_store_t *store, int descriptor)
{
    if (!store->sync) {
        return 0;
    }
    while (fsync(descriptor)) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

int fs_give(const fhir_store_t *store, int descriptor)
{
    return store->give && fchown(descriptor, store->owner, store->group) ? errno : 0;
}

int fs_make_directory_as(uid_t owner, gid_t group, int parent, const char *name)
{
    gid_t our_group = (gid_t)setfsgid(group);
    uid_t our_user = (uid_t)setfsuid(owner); /* of this thread alone */
    int made = mkdirat(parent, name, FS_DIRECTORY_MODE);
    int failed = errno;
    (void)setfsuid(our_user);
    (void)setfsgid(our_group);
    errno = failed;
    /* Root may what the owner may not; then the chown that follows must do. */
    return made && failed == EACCES ? mkdirat(parent, name, FS_DIRECTORY_MODE) : made;
}

/* What root owns here was left by a root that died before it could give it away. 0 or an errno. */
static int give_found(const fhir_store_t *store, int directory)
{
    struct stat status;
    if (fstat(directory, &status)) {
        return errno;
    }
    return status.st_uid == 0 && (store->owner != 0 || status.st_gid != store->group) ? fs_give(store, directory) : 0;
}

static int give_directory(const fhir_store_t *store, int directory)
{
    int failed = directory < 0 || !store->give ? 0 : give_found(store, directory);
    if (failed) {
        close(directory);
        errno = failed;
        return -1;
    }
    return directory;
}

static int make_directory(const fhir_store_t *store, int parent, const char *name)
{
    return store->give ? fs_make_directory_as(store->owner, store->group, parent, name)
                       : mkdirat(parent, name, FS_DIRECTORY_MODE);
}

int fs_open_directory(int *made, const fhir_store_t *store, int parent, const char *name)
{
    int directory = openat(parent, name, FS_DIRECTORY_FLAGS);
    if (directory >= 0 || errno != ENOENT) {
        return give_directory(store, directory);
    }
    if (!make_directory(store, parent, name)) {
        *made = 1;
    } else if (errno != EEXIST) { /* another process was faster: fine */
        return -1;
    }
    /* The umask may have taken our own rights away; nothing is in it yet. */
    if (*made && fchmodat(parent, name, FS_DIRECTORY_MODE, 0)) {
        return -1;
    }
    return give_directory(store, openat(parent, name, FS_DIRECTORY_FLAGS));
}

int fs_open_stream(DIR **stream, int parent, const char *name)
{
    int directory = openat(parent, name, FS_DIRECTORY_FLAGS);
    int failed;
    *stream = NULL;
    if (directory < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    }
    *stream = fdopendir(directory);
    failed = *stream ? 0 : errno;
    if (failed) {
        close(directory);
    }
    return failed;
}
