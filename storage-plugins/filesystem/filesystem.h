/* What the files of the filesystem plugin share.
 *
 * LAYOUT below `path`, everything in one file system, directories 0700 and files 0600:
 *   objects/ab/cd/<key>   committed objects; ab and cd are the key's first four digits
 *   tmp/<key>.<16 digits> objects that are being written, or what a crash left of them; each writer has digits of its
 *                         own, so that nobody takes another's half for his. Before: tmp/<key>
 * The locator is "ab/cd/<key>". Every access starts at a directory descriptor that the store holds. */
#ifndef FHIR_FILESYSTEM_H
#define FHIR_FILESYSTEM_H

#include "../common/plugin.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/types.h>

#define FS_DIRECTORY_MODE 0700
#define FS_FILE_MODE 0600
#define FS_UNFINISHED_LENGTH (FHIR_STORAGE_KEY_LENGTH + 1 + 16)
#define FS_DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct fhir_store_config_t {
    const char *path;
    int sync;
};

struct fhir_store_t {
    int objects;
    int tmp;
    int sync; /* 0: nothing is durable; for tests and benchmarks */
    /* Counts the writers, from a number that no other process has: their names in tmp. */
    uint64_t next_writer;
    /* root, as fhirbinctl may be, must not leave what httpd's children can't read or remove: what root makes is given
     * to the owner of the store's directory. */
    int give;
    uid_t owner;
    gid_t group;
};

/* paths.c */
/* fsync that survives signals; 0 or an errno. Nothing to do if the store does not sync. */
int fs_sync(const fhir_store_t *store, int descriptor);
/* Gives what was just made to the store's owner, if we are root; 0 or an errno. */
int fs_give(const fhir_store_t *store, int descriptor);
/* mkdirat by root on behalf of another user. The directory never belongs to root, so a kill -9 right after it leaves
 * nothing that httpd's children can't enter. */
int fs_make_directory_as(uid_t owner, gid_t group, int parent, const char *name);
/* Opens `name` below `parent` and makes it if it is missing. *made is set to 1 then. For root it is the store's owner's
 * afterwards, whoever made it. -1 and errno on failure. */
int fs_open_directory(int *made, const fhir_store_t *store, int parent, const char *name);
/* A stream of its own, because the position of the store's descriptors is shared by all threads. NULL in *stream if the
 * directory is not there; 0 or an errno. */
int fs_open_stream(DIR **stream, int parent, const char *name);

/* unfinished.c */
/* Where the names of this process' writers begin. */
void fs_start_counting(fhir_store_t *store);
/* A name in tmp that no other writer has or had. */
void fs_name_unfinished(char name[FS_UNFINISHED_LENGTH + 1], fhir_store_t *store, const char *key);
/* Is this what a writer calls its file in tmp? Then it begins with the key. */
int fs_is_unfinished(const char *name);
/* Removes all that writers of this key have in tmp, durably; 0 or an errno. */
int fs_remove_unfinished(int *existed, const fhir_store_t *store, const char *key);

fhir_error_t *fs_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                              const fhir_store_call_t *call);
fhir_error_t *fs_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                              const fhir_store_call_t *call);
fhir_error_t *fs_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call);
void fs_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call);

fhir_error_t *fs_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                             apr_off_t offset, apr_off_t length, const fhir_store_call_t *call);
fhir_error_t *fs_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call);
fhir_error_t *fs_reader_file(apr_file_t **file, apr_off_t *offset, fhir_reader_t *reader);
void fs_reader_close(fhir_reader_t *reader);

fhir_error_t *fs_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                      const fhir_store_call_t *call);
fhir_error_t *fs_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call);
fhir_error_t *fs_list(const char **next, fhir_store_t *store, const char *cursor, int limit, fhir_list_entry_fn entry,
                      void *entry_baton, const fhir_store_call_t *call);

#endif
