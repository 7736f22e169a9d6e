/* Directories of the filesystem store. */
#include "filesystem.h"

#include <errno.h>
#include <fcntl.h>
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

static int give_directory(const fhir_store_t *store, int directory)
{
    int failed = directory < 0 ? 0 : fs_give(store, directory);
    if (failed) {
        close(directory);
        errno = failed;
        return -1;
    }
    return directory;
}

int fs_open_directory(int *made, const fhir_store_t *store, int parent, const char *name)
{
    int directory = openat(parent, name, FS_DIRECTORY_FLAGS);
    if (directory >= 0 || errno != ENOENT) {
        return directory;
    }
    if (!mkdirat(parent, name, FS_DIRECTORY_MODE)) {
        *made = 1;
    } else if (errno != EEXIST) { /* another process was faster: fine */
        return -1;
    }
    /* The umask may have taken our own rights away; nothing is in it yet. */
    if (*made && fchmodat(parent, name, FS_DIRECTORY_MODE, 0)) {
        return -1;
    }
    directory = openat(parent, name, FS_DIRECTORY_FLAGS);
    return *made ? give_directory(store, directory) : directory;
}
