/* The counted system calls. */
#include "system_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

system_calls_t system_calls;

void watch_system_calls(void)
{
    memset(&system_calls, 0, sizeof(system_calls));
    system_calls.watching = 1;
}

void ignore_system_calls(void)
{
    system_calls.watching = 0;
}

int first_call(system_call_t kind)
{
    int i;
    for (i = 0; i < system_calls.count && i < TRACE_MAX; i++) {
        if (system_calls.trace[i] == kind) {
            return i;
        }
    }
    return -1;
}

int last_call(system_call_t kind)
{
    int i;
    for (i = system_calls.count < TRACE_MAX ? system_calls.count - 1 : TRACE_MAX - 1; i >= 0; i--) {
        if (system_calls.trace[i] == kind) {
            return i;
        }
    }
    return -1;
}

/* 1: the call must fail, errno is set. */
static int fails(system_call_t kind)
{
    if (!system_calls.watching) {
        return 0;
    }
    if (system_calls.count < TRACE_MAX) {
        system_calls.trace[system_calls.count] = kind;
    }
    system_calls.count++;
    system_calls.of_kind[kind]++;
    if (system_calls.run_at == system_calls.count) {
        system_calls.watching = 0;
        system_calls.run();
        system_calls.watching = 1;
    }
    if (system_calls.always_fail[kind]) {
        errno = system_calls.always_fail[kind];
        return 1;
    }
    if (system_calls.fail_at == system_calls.count) {
        errno = system_calls.fail_errno;
        return 1;
    }
    return 0;
}

static int interrupted(void)
{
    if (system_calls.watching && system_calls.stutter && ++system_calls.stutter_turn % 2) {
        errno = EINTR;
        return 1;
    }
    return 0;
}

static size_t shortened(size_t length)
{
    return system_calls.watching && system_calls.stutter && length > 1 ? length / 2 : length;
}

/* A function pointer from dlsym without a cast that the compiler warns of. */
#define REAL(name, type, ...)                                                                                          \
    type (*real)(__VA_ARGS__);                                                                                         \
    void *found = dlsym(RTLD_NEXT, #name);                                                                             \
    memcpy(&real, &found, sizeof(real))

EXPORT int openat(int directory, const char *path, int flags, ...)
{
    REAL(openat, int, int, const char *, int, ...);
    mode_t mode = 0;
    va_list arguments;
    va_start(arguments, flags);
    if (flags & O_CREAT) {
        mode = va_arg(arguments, mode_t);
    }
    va_end(arguments);
    return fails(CALL_OPENAT) ? -1 : real(directory, path, flags, mode);
}

EXPORT ssize_t write(int file, const void *bytes, size_t length)
{
    REAL(write, ssize_t, int, const void *, size_t);
    return fails(CALL_WRITE) || interrupted() ? -1 : real(file, bytes, shortened(length));
}

EXPORT ssize_t pread(int file, void *bytes, size_t length, off_t offset)
{
    REAL(pread, ssize_t, int, void *, size_t, off_t);
    return fails(CALL_PREAD) || interrupted() ? -1 : real(file, bytes, shortened(length), offset);
}

EXPORT int fstat(int file, struct stat *status)
{
    REAL(fstat, int, int, struct stat *);
    return fails(CALL_FSTAT) ? -1 : real(file, status);
}

EXPORT int fstatat(int directory, const char *path, struct stat *status, int flags)
{
    REAL(fstatat, int, int, const char *, struct stat *, int);
    return fails(CALL_FSTATAT) ? -1 : real(directory, path, status, flags);
}

EXPORT int fstatvfs(int file, struct statvfs *room)
{
    REAL(fstatvfs, int, int, struct statvfs *);
    int result = fails(CALL_FSTATVFS) ? -1 : real(file, room);
    if (!result && system_calls.watching && system_calls.full_disk) {
        room->f_bavail = 3;
    }
    return result;
}

EXPORT int fsync(int file)
{
    REAL(fsync, int, int);
    return fails(CALL_FSYNC) || interrupted() ? -1 : real(file);
}

EXPORT int sync_file_range(int file, off_t offset, off_t length, unsigned flags)
{
    REAL(sync_file_range, int, int, off_t, off_t, unsigned);
    return fails(CALL_SYNC_FILE_RANGE) ? -1 : real(file, offset, length, flags);
}

EXPORT int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
    REAL(renameat2, int, int, const char *, int, const char *, unsigned);
    return fails(CALL_RENAMEAT2) ? -1 : real(from_directory, from, to_directory, to, flags);
}

EXPORT int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
    REAL(linkat, int, int, const char *, int, const char *, int);
    return fails(CALL_LINKAT) ? -1 : real(from_directory, from, to_directory, to, flags);
}

EXPORT int unlinkat(int directory, const char *path, int flags)
{
    REAL(unlinkat, int, int, const char *, int);
    return fails(CALL_UNLINKAT) ? -1 : real(directory, path, flags);
}

EXPORT int mkdirat(int directory, const char *path, mode_t mode)
{
    REAL(mkdirat, int, int, const char *, mode_t);
    return fails(CALL_MKDIRAT) ? -1 : real(directory, path, mode);
}

EXPORT int fchmod(int file, mode_t mode)
{
    REAL(fchmod, int, int, mode_t);
    return fails(CALL_FCHMOD) ? -1 : real(file, mode);
}

EXPORT int fchmodat(int directory, const char *path, mode_t mode, int flags)
{
    REAL(fchmodat, int, int, const char *, mode_t, int);
    return fails(CALL_FCHMODAT) ? -1 : real(directory, path, mode, flags);
}

EXPORT int fchown(int file, uid_t owner, gid_t group)
{
    REAL(fchown, int, int, uid_t, gid_t);
    return fails(CALL_FCHOWN) ? -1 : real(file, owner, group);
}

EXPORT int fchownat(int directory, const char *path, uid_t owner, gid_t group, int flags)
{
    REAL(fchownat, int, int, const char *, uid_t, gid_t, int);
    return fails(CALL_FCHOWNAT) ? -1 : real(directory, path, owner, group, flags);
}
