/* Names in tmp: one for each writer, found again by the key. */
#include "filesystem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* 64 random bits: several hosts may share the directory. */
void fs_start_counting(fhir_store_t *store)
{
    struct timespec now;
    if (getrandom(&store->next_writer, sizeof(store->next_writer), GRND_NONBLOCK) !=
        (ssize_t)sizeof(store->next_writer)) {
        clock_gettime(CLOCK_REALTIME, &now);
        store->next_writer = (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec << 12 ^ (uint64_t)getpid();
    }
}

void fs_name_unfinished(char name[FS_UNFINISHED_LENGTH + 1], fhir_store_t *store, const char *key)
{
    uint64_t number = __atomic_fetch_add(&store->next_writer, 1, __ATOMIC_RELAXED);
    snprintf(name, FS_UNFINISHED_LENGTH + 1, "%.*s.%016" PRIx64, FHIR_STORAGE_KEY_LENGTH, key, number);
}

int fs_is_unfinished(const char *name)
{
    const char *digits = "0123456789abcdef";
    if (strspn(name, digits) != FHIR_STORAGE_KEY_LENGTH) {
        return 0;
    }
    name += FHIR_STORAGE_KEY_LENGTH;
    return !*name || (*name == '.' && strspn(name + 1, digits) == 16 && !name[17]);
}

/* 0 or an errno. */
static int remove_all(int *removed, DIR *stream, const char *key)
{
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        if (fs_is_unfinished(entry->d_name) && !memcmp(entry->d_name, key, FHIR_STORAGE_KEY_LENGTH)) {
            if (!unlinkat(dirfd(stream), entry->d_name, 0)) {
                *removed = 1;
            } else if (errno != ENOENT) {
                return errno;
            }
        }
        errno = 0;
    }
    return errno;
}

int fs_remove_unfinished(int *existed, const fhir_store_t *store, const char *key)
{
    DIR *stream;
    int removed = 0;
    int failed = fs_open_stream(&stream, store->tmp, ".");
    if (failed || !stream) {
        return failed;
    }
    failed = remove_all(&removed, stream, key);
    if (removed && !failed) {
        *existed = 1;
        failed = fs_sync(store, dirfd(stream));
    }
    closedir(stream);
    return failed;
}
