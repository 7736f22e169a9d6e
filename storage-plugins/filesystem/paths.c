/* Names and directories of the filesystem store. */
#include "filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *fs_key_of(const char *locator)
{
    const char *key;
    if (strnlen(locator, FS_LOCATOR_LENGTH + 1) != FS_LOCATOR_LENGTH) {
        return NULL;
    }
    key = locator + 6;
    if (locator[2] != '/' || locator[5] != '/' || !fhir_plugin_is_key(key)) {
        return NULL;
    }
    return !memcmp(locator, key, 2) && !memcmp(locator + 3, key + 2, 2) ? key : NULL;
}

void fs_locator_of(char locator[FS_LOCATOR_LENGTH + 1], const char *key)
{
    snprintf(locator, FS_LOCATOR_LENGTH + 1, "%.2s/%.2s/%.*s", key, key + 2, FHIR_STORAGE_KEY_LENGTH, key);
}

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

int fs_open_directory(int *made, int parent, const char *name)
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
    return openat(parent, name, FS_DIRECTORY_FLAGS);
}
