/* What only the filesystem plugin promises: the order of its system calls, durability, rights, and that a failing
 * system call, whichever it is, leaves nothing behind.
 *
 *     filesystem PLUGIN SCRATCH_DIRECTORY */
#include "conformance.h"
#include "system_calls.h"

#include <apr_general.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *plugin_path;
static const char *scratch;
static const char *store_path; /* a new one for each test */
static int store_number;

static fhir_error_t *open_store(const char *sync)
{
    const char *options[2];
    suite.catalog = fhir_store_catalog_create(suite.pool);
    options[0] = apr_pstrcat(suite.pool, "path=", store_path, NULL);
    options[1] = apr_pstrcat(suite.pool, "sync=", sync, NULL);
    FHIR_TRY(fhir_store_plugin_load(suite.catalog, "filesystem", plugin_path));
    FHIR_TRY(fhir_store_define(suite.catalog, "filesystem", "filesystem", options, 2));
    FHIR_TRY(fhir_store_open_all(suite.catalog, suite.pool));
    FHIR_TRY(fhir_store_get(&suite.store, suite.catalog, "filesystem", suite.pool));
    suite.plugin = suite.store->plugin;
    suite.raw = suite.store->store;
    return NULL;
}

static void set_up(void)
{
    apr_pool_create(&suite.pool, NULL);
    store_path = apr_psprintf(suite.pool, "%s/store-%d", scratch, store_number++);
    if (open_store("on")) {
        printf("the store can't be opened\n");
        exit(2);
    }
}

static void tear_down(void)
{
    ignore_system_calls();
    apr_pool_destroy(suite.pool);
}

static const char *in_store(const char *name)
{
    return apr_pstrcat(suite.pool, store_path, "/", name, NULL);
}

static int entries_of(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    if (!directory) {
        return -1;
    }
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count - 2;
}

/* An object whose directories are there already. */
static object_t in_existing_directories(void)
{
    object_t object = new_object(suite.pool);
    char name[] = "objects/ab";
    memcpy(name + 8, object.locator, 2);
    CU_ASSERT_EQUAL(mkdir(in_store(name), 0700), 0);
    CU_ASSERT_EQUAL(mkdir(in_store(apr_psprintf(suite.pool, "objects/%.5s", object.locator)), 0700), 0);
    return object;
}

static void a_small_upload_is_cheap(void)
{
    object_t object = in_existing_directories();
    fhir_written_t written;
    watch_system_calls();
    ASSERT_OK(store_pattern(&written, &object, 1024, 1024, 1, suite.pool));
    ignore_system_calls();
    /* tmp, write, directory, fstat, fsync, rename, fsync (and three closes) */
    CU_ASSERT_EQUAL(system_calls.count, 7);
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_OPENAT], 2);
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_WRITE], 1);
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_FSYNC], 2);
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_RENAMEAT2], 1);
}

static void synced_before_and_after_the_rename(void)
{
    object_t object = in_existing_directories();
    fhir_written_t written;
    watch_system_calls();
    ASSERT_OK(store_pattern(&written, &object, 1000, 100, 0, suite.pool));
    ignore_system_calls();
    CU_ASSERT(last_call(CALL_WRITE) < first_call(CALL_FSYNC));
    CU_ASSERT(first_call(CALL_FSYNC) < first_call(CALL_RENAMEAT2));
    CU_ASSERT(last_call(CALL_FSYNC) > first_call(CALL_RENAMEAT2));
}

/* Their entries must be durable before the object is visible in them. */
static void new_directories_are_synced(void)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    watch_system_calls();
    ASSERT_OK(store_pattern(&written, &object, 1000, 1000, 1, suite.pool));
    ignore_system_calls();
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_MKDIRAT], 2);
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_FSYNC], 4);
    CU_ASSERT(last_call(CALL_MKDIRAT) < first_call(CALL_FSYNC));
    CU_ASSERT_EQUAL(last_call(CALL_FSYNC), system_calls.count - 1);
    CU_ASSERT_EQUAL(first_call(CALL_RENAMEAT2), system_calls.count - 2);
}

static void removal_is_synced(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    int existed;
    ASSERT_OK(store_pattern(&written, &object, 10, 10, 1, suite.pool));
    watch_system_calls();
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    ignore_system_calls();
    CU_ASSERT(last_call(CALL_FSYNC) > last_call(CALL_UNLINKAT));
}

static void sync_off_does_not_sync(void)
{
    object_t object;
    fhir_written_t written;
    ASSERT_OK(open_store("off"));
    object = new_object(suite.pool);
    watch_system_calls();
    ASSERT_OK(store_pattern(&written, &object, 20 * MEBIBYTE, 65536, 1, suite.pool));
    ignore_system_calls();
    CU_ASSERT_EQUAL(system_calls.of_kind[CALL_FSYNC] + system_calls.of_kind[CALL_SYNC_FILE_RANGE], 0);
}

static void a_big_upload_goes_to_the_disk_early(void)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    watch_system_calls();
    ASSERT_OK(store_pattern(&written, &object, 33 * MEBIBYTE, 8000, 1, suite.pool));
    ignore_system_calls();
    CU_ASSERT(system_calls.of_kind[CALL_SYNC_FILE_RANGE] >= 3);
    CU_ASSERT(first_call(CALL_SYNC_FILE_RANGE) < last_call(CALL_WRITE));
    /* Pieces of 8000 bytes become writes of 256 KiB, or 64 KiB where we are slow: unaligned ones make later reads slow.
     */
    CU_ASSERT(system_calls.of_kind[CALL_WRITE] >= 33 * 4 && system_calls.of_kind[CALL_WRITE] <= 33 * 16);
}

static void rights_under_any_umask(void)
{
    static const mode_t masks[] = {0, 022, 0777};
    size_t i;
    for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        object_t object;
        fhir_written_t written;
        struct stat status;
        mode_t before = umask(masks[i]);
        store_path = apr_psprintf(suite.pool, "%s/store-%d", scratch, store_number++);
        if (masks[i] == 0777) { /* the path itself is the administrator's */
            mkdir(store_path, 0700);
            chmod(store_path, 0700);
        }
        ASSERT_OK(open_store("on"));
        object = new_object(suite.pool);
        ASSERT_OK(store_pattern(&written, &object, 10, 10, 1, suite.pool));
        umask(before);
        CU_ASSERT_EQUAL(stat(in_store(apr_psprintf(suite.pool, "objects/%s", object.locator)), &status), 0);
        CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
        CU_ASSERT_EQUAL(stat(in_store(apr_psprintf(suite.pool, "objects/%.5s", object.locator)), &status), 0);
        CU_ASSERT_EQUAL(status.st_mode & 07777, 0700);
        CU_ASSERT_EQUAL(stat(in_store(apr_psprintf(suite.pool, "objects/%.2s", object.locator)), &status), 0);
        CU_ASSERT_EQUAL(status.st_mode & 07777, 0700);
        CU_ASSERT_EQUAL(stat(in_store("tmp"), &status), 0);
        CU_ASSERT_EQUAL(status.st_mode & 07777, 0700);
    }
}

static void check_owner(const char *name, uid_t owner)
{
    struct stat status;
    CU_ASSERT_EQUAL(stat(in_store(name), &status), 0);
    CU_ASSERT_EQUAL(status.st_uid, owner);
    CU_ASSERT_EQUAL(status.st_gid, owner);
}

/* fhirbinctl run by root must not leave anything that httpd's children can't read. Others can't give files away. */
static void what_root_makes_is_the_owners(void)
{
    uid_t owner = geteuid() == 0 ? 12345 : geteuid();
    object_t object;
    fhir_written_t written;
    store_path = apr_psprintf(suite.pool, "%s/store-%d", scratch, store_number++);
    CU_ASSERT_EQUAL(mkdir(store_path, 0700), 0);
    CU_ASSERT_EQUAL(chown(store_path, owner, owner), 0);
    ASSERT_OK(open_store("on"));
    object = new_object(suite.pool);
    ASSERT_OK(store_pattern(&written, &object, 10, 10, 1, suite.pool));
    check_owner("objects", owner);
    check_owner("tmp", owner);
    check_owner(apr_psprintf(suite.pool, "objects/%.2s", object.locator), owner);
    check_owner(apr_psprintf(suite.pool, "objects/%.5s", object.locator), owner);
    check_owner(apr_psprintf(suite.pool, "objects/%s", object.locator), owner);
    store_path = in_store("below");
    ASSERT_OK(open_store("on"));
    check_owner(".", owner);
}

/* One upload, announced, in pieces, into new directories: many different system calls. */
static fhir_error_t *upload(const object_t *object, apr_pool_t *request)
{
    fhir_written_t written;
    return store_pattern(&written, object, 300000, 100000, 1, request);
}

static void remove_object(const object_t *object)
{
    fhir_call_t call = core_call(suite.pool);
    int existed = 0;
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object->locator, &call));
    CU_ASSERT_EQUAL(existed, 1);
}

/* ---- root, killed ---- */

static uid_t expected_owner;

static int is_not_the_owners(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)place;
    if (type == FTW_D && (status->st_uid != expected_owner || status->st_gid != expected_owner)) {
        printf("root's: %s\n", path);
        return 1;
    }
    return 0;
}

static void die_at_once(void)
{
    kill(getpid(), SIGKILL);
}

/* Opens a store that is not there and uploads to it, as root, who dies before call k. 1 when there were fewer. */
static int root_killed_at(int k, const char *above)
{
    object_t object = new_object(suite.pool);
    int status = 0;
    pid_t child;
    store_path = apr_psprintf(suite.pool, "%s/store-%d", above, k);
    child = fork();
    if (child == 0) {
        watch_system_calls();
        system_calls.run_at = k;
        system_calls.run = die_at_once;
        _exit(open_store("on") || upload(&object, suite.pool) ? 2 : 0);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    CU_ASSERT_EQUAL(nftw(above, is_not_the_owners, 10, FTW_PHYS), 0);
    return !WIFSIGNALED(status);
}

static void a_killed_root_leaves_no_directory_of_its_own(void)
{
    const char *above = apr_psprintf(suite.pool, "%s/owned-%d", scratch, store_number++);
    int k = 1;
    if (geteuid() != 0) {
        return;
    }
    expected_owner = 12345;
    CU_ASSERT_EQUAL(mkdir(above, 0700), 0);
    CU_ASSERT_EQUAL(chown(above, expected_owner, expected_owner), 0);
    while (k < 100 && !root_killed_at(k, above)) {
        k++;
    }
    CU_ASSERT(k > 15 && k < 100);
}

/* What a root that was killed in between has left all the same, or one without the right to be another. */
static void directories_of_root_are_given_away(void)
{
    static const int lengths[] = {0, 2, 5}; /* of the locator */
    uid_t owner = geteuid() == 0 ? 12345 : geteuid();
    size_t i;
    store_path = apr_psprintf(suite.pool, "%s/store-%d", scratch, store_number++);
    CU_ASSERT_EQUAL(mkdir(store_path, 0700), 0);
    CU_ASSERT_EQUAL(chown(store_path, owner, owner), 0);
    ASSERT_OK(open_store("on"));
    for (i = 0; i < 4; i++) {
        object_t object = in_existing_directories();
        const char *name = i < 3 ? apr_psprintf(suite.pool, "objects/%.*s", lengths[i], object.locator) : "tmp";
        fhir_written_t written;
        CU_ASSERT_EQUAL(chown(in_store(apr_psprintf(suite.pool, "objects/%.2s", object.locator)), owner, owner), 0);
        CU_ASSERT_EQUAL(chown(in_store(apr_psprintf(suite.pool, "objects/%.5s", object.locator)), owner, owner), 0);
        CU_ASSERT_EQUAL(chown(in_store(name), geteuid(), getegid()), 0);
        ASSERT_OK(open_store("on"));
        ASSERT_OK(store_pattern(&written, &object, 10, 10, 1, suite.pool));
        check_owner(name, owner);
    }
}

/* ---- several writers of one key ---- */

static fhir_error_t *begin_with(fhir_writer_t **writer, const object_t *object, const char *text)
{
    fhir_store_call_t call = raw_call(suite.pool);
    FHIR_TRY(raw_begin(writer, object, -1, &call));
    return suite.plugin->writer_write(*writer, text, strlen(text), &call);
}

static fhir_error_t *commit_and_abort(fhir_writer_t *writer)
{
    fhir_store_call_t call = raw_call(suite.pool);
    fhir_object_info_t info = {0};
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    error = suite.plugin->writer_commit(&info, writer, &call);
    suite.plugin->writer_abort(writer, &call);
    return error;
}

static void check_text(const object_t *object, const char *expected)
{
    char text[100] = "";
    FILE *file = fopen(in_store(apr_psprintf(suite.pool, "objects/%s", object->locator)), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fread(text, 1, sizeof(text) - 1, file), strlen(expected));
    CU_ASSERT_STRING_EQUAL(text, expected);
    fclose(file);
}

/* Its lease was lost: somebody cleared up behind it and begins anew. */
static void a_removed_writer_takes_nothing_of_another(void)
{
    object_t object = new_object(suite.pool);
    fhir_writer_t *first;
    fhir_writer_t *second;
    ASSERT_OK(begin_with(&first, &object, "first"));
    remove_object(&object);
    ASSERT_OK(begin_with(&second, &object, "the second"));
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, commit_and_abort(first));
    CU_ASSERT_FALSE(visible(&object, suite.pool));
    ASSERT_OK(commit_and_abort(second));
    check_text(&object, "the second");
    CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
}

static void the_first_commit_wins(void)
{
    int without_renameat2;
    for (without_renameat2 = 0; without_renameat2 < 2; without_renameat2++) {
        object_t object = new_object(suite.pool);
        fhir_writer_t *first;
        fhir_writer_t *second;
        ASSERT_OK(begin_with(&first, &object, "first"));
        ASSERT_OK(begin_with(&second, &object, "the second"));
        CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 1);
        watch_system_calls();
        system_calls.always_fail[CALL_RENAMEAT2] = without_renameat2 ? ENOSYS : 0;
        ASSERT_OK(commit_and_abort(second));
        ASSERT_ERROR(FHIR_ERROR_EXISTS, commit_and_abort(first));
        ignore_system_calls();
        check_text(&object, "the second");
        CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
    }
}

static object_t replaced;

static void replace(void)
{
    fhir_writer_t *other;
    remove_object(&replaced);
    ASSERT_OK(begin_with(&other, &replaced, "another's"));
    ASSERT_OK(commit_and_abort(other));
}

/* The disk fails after the rename; by then the name is somebody else's object. */
static void a_failed_commit_leaves_the_object_of_another(void)
{
    fhir_writer_t *writer;
    replaced = in_existing_directories();
    ASSERT_OK(begin_with(&writer, &replaced, "ours"));
    watch_system_calls();
    system_calls.run_at = system_calls.fail_at = 6; /* write, fstat, directory, fsync, rename, fsync */
    system_calls.fail_errno = EIO;
    system_calls.run = replace;
    CU_ASSERT_PTR_NOT_NULL(commit_and_abort(writer));
    CU_ASSERT_EQUAL(last_call(CALL_FSYNC), 5);
    ignore_system_calls();
    check_text(&replaced, "another's");
}

/* 1 when the upload had fewer calls than k. */
static int upload_with_failure(int k, int with_errno, int without_renameat2)
{
    object_t object = new_object(suite.pool);
    fhir_error_t *error;
    apr_pool_t *request;
    int before = open_descriptors();
    int reached;
    int correct = 0;
    apr_pool_create(&request, suite.pool);
    watch_system_calls();
    system_calls.fail_at = k;
    system_calls.fail_errno = with_errno;
    system_calls.always_fail[CALL_RENAMEAT2] = without_renameat2 ? EINVAL : 0;
    error = upload(&object, request);
    CU_ASSERT(!error || error->code != FHIR_ERROR_NO_SPACE || with_errno == ENOSPC);
    CU_ASSERT(!error || with_errno != ENOSPC || error->code == FHIR_ERROR_NO_SPACE);
    apr_pool_destroy(request);
    reached = system_calls.count >= k;
    ignore_system_calls();
    CU_ASSERT_EQUAL(open_descriptors(), before);
    CU_ASSERT_EQUAL(visible(&object, suite.pool), error == NULL);
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), error == NULL);
    if (!error) {
        ASSERT_OK(check_pattern(&correct, &object, 300000, 0, -1, 60000, suite.pool));
        CU_ASSERT_TRUE(correct);
        CU_ASSERT(entries_of(in_store("tmp")) <= without_renameat2);
        remove_object(&object);
    }
    CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
    return !reached;
}

static void every_system_call_fails_once(void)
{
    static const int errnos[] = {EIO, ENOSPC, EACCES, EMFILE};
    size_t i;
    for (i = 0; i < 2 * sizeof(errnos) / sizeof(errnos[0]); i++) {
        int k = 1;
        while (k < 100 && !upload_with_failure(k, errnos[i / 2], (int)(i % 2))) {
            k++;
        }
        CU_ASSERT(k > 12 && k < 100);
    }
}

static void interrupted_and_short_calls(void)
{
    object_t object = new_object(suite.pool);
    int correct = 0;
    watch_system_calls();
    system_calls.stutter = 1;
    ASSERT_OK(upload(&object, suite.pool));
    ASSERT_OK(check_pattern(&correct, &object, 300000, 5, 299000, 60000, suite.pool));
    ignore_system_calls();
    CU_ASSERT_TRUE(correct);
}

static void without_renameat2_nothing_is_overwritten(void)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    int correct;
    watch_system_calls();
    system_calls.always_fail[CALL_RENAMEAT2] = ENOSYS;
    ASSERT_OK(store_pattern(&written, &object, 1000, 500, 1, suite.pool));
    ASSERT_ERROR(FHIR_ERROR_EXISTS, store_pattern(&written, &object, 77, 500, 1, suite.pool));
    ignore_system_calls();
    ASSERT_OK(check_pattern(&correct, &object, 1000, 0, -1, 600, suite.pool));
    CU_ASSERT_TRUE(correct);
    CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
}

static void full_disk(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_writer_t *writer;
    watch_system_calls();
    system_calls.full_disk = 1;
    ASSERT_ERROR(FHIR_ERROR_NO_SPACE, fhir_store_health(suite.store, &call));
    ASSERT_ERROR(FHIR_ERROR_NO_SPACE, fhir_object_begin(&writer, suite.store, object.key, object.locator,
                                                        100 * MEBIBYTE, NULL, UNLIMITED, &call));
    watch_system_calls();
    system_calls.always_fail[CALL_WRITE] = EDQUOT;
    ASSERT_ERROR(FHIR_ERROR_NO_SPACE, fhir_store_health(suite.store, &call));
    ignore_system_calls();
    CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
}

static void leave(const object_t *object, const char *suffix, const char *text, time_t modified)
{
    const char *path = in_store(apr_pstrcat(suite.pool, "tmp/", object->key, suffix, NULL));
    struct timespec times[2] = {{0}};
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    times[0].tv_sec = times[1].tv_sec = modified;
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A process that dies between two writes leaves its file in tmp: listed as uncommitted under the object's own locator,
 * and nobody's way is blocked. The first name is the one of versions that gave each key one name. */
static void remains_of_a_crash(void)
{
    static const char *const suffixes[] = {"", ".0123456789abcdef"};
    size_t i;
    for (i = 0; i < 2; i++) {
        object_t object = new_object(suite.pool);
        fhir_writer_t *writer;
        int committed = -1;
        leave(&object, suffixes[i], "half", 1000);
        CU_ASSERT_FALSE(visible(&object, suite.pool));
        CU_ASSERT_EQUAL(times_listed(object.locator, &committed, suite.pool), 1);
        CU_ASSERT_EQUAL(committed, 0);
        ASSERT_OK(begin_with(&writer, &object, "whole"));
        ASSERT_OK(commit_and_abort(writer));
        check_text(&object, "whole");
        CU_ASSERT_EQUAL(times_listed(object.locator, &committed, suite.pool), 1);
        CU_ASSERT_EQUAL(committed, 1);
        remove_object(&object);
        CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
        leave(&object, suffixes[i], "half", 1000);
        remove_object(&object);
        CU_ASSERT_EQUAL(entries_of(in_store("tmp")), 0);
    }
}

typedef struct listing_t {
    int count;
    int wrong; /* not the latest of its key, or twice */
    char last[FHIR_STORAGE_LOCATOR_MAX];
} listing_t;

static fhir_error_t *check_latest(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    listing_t *listing = baton;
    (void)scratch_pool;
    listing->count++;
    listing->wrong += entry->committed || entry->length != 6 || entry->modified != apr_time_from_sec(3000) ||
                      strcmp(entry->locator, listing->last) <= 0;
    apr_cpystrn(listing->last, entry->locator, sizeof(listing->last));
    return NULL;
}

/* One entry for each key, as old as the latest of its files, whatever a page holds. */
static void remains_of_several_writers(void)
{
    static const char *const suffixes[] = {"", ".0000000000000001", ".9999999999999999", ".ffffffffffffffff"};
    static const int limits[] = {1, 2, 3, 5, 100};
    fhir_store_call_t call = raw_call(suite.pool);
    size_t i;
    size_t j;
    for (i = 0; i < 5; i++) {
        object_t object = new_object(suite.pool);
        for (j = 0; j < 4; j++) {
            leave(&object, suffixes[j], j == i % 4 ? "latest" : "old", j == i % 4 ? 3000 : 2000 - (time_t)j);
        }
    }
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        listing_t listing = {0, 0, ""};
        const char *cursor = NULL;
        do {
            ASSERT_OK(suite.plugin->list(&cursor, suite.raw, cursor, limits[i], check_latest, &listing, &call));
        } while (cursor);
        CU_ASSERT_EQUAL(listing.count, 5);
        CU_ASSERT_EQUAL(listing.wrong, 0);
    }
}

static void damaged_objects(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    const char *path = in_store(apr_psprintf(suite.pool, "objects/%s", object.locator));
    fhir_object_reader_t *reader;
    fhir_written_t written;
    apr_size_t length = 2000;
    char buffer[2000];
    ASSERT_OK(store_pattern(&written, &object, 1000, 1000, 1, suite.pool));
    ASSERT_OK(fhir_object_open(&reader, suite.store, object.locator, 0, -1, 1000, &call));
    CU_ASSERT_EQUAL(truncate(path, 600), 0);
    ASSERT_OK(fhir_object_read(reader, buffer, &length));
    CU_ASSERT_EQUAL(length, 600);
    length = sizeof(buffer);
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_read(reader, buffer, &length));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, suite.store, object.locator, 0, -1, 1000, &call));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, suite.store, object.locator, 900, 50, 1000, &call));
}

/* The plugin itself notices, without the core's second look. */
static void a_short_object_is_no_quiet_end(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    fhir_written_t written;
    apr_size_t length = 100;
    char buffer[100];
    info.struct_size = sizeof(info);
    ASSERT_OK(store_pattern(&written, &object, 1000, 1000, 1, suite.pool));
    ASSERT_OK(suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 500, -1, &call));
    CU_ASSERT_EQUAL(truncate(in_store(apr_psprintf(suite.pool, "objects/%s", object.locator)), 500), 0);
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, suite.plugin->reader_read(reader, buffer, &length, &call));
    suite.plugin->reader_close(reader);
}

/* A file is there, but the locator is not of our form: it must not even be looked for. */
static void locators_do_not_escape(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    const char *locator = apr_psprintf(suite.pool, "../../%s", object.key);
    fhir_object_info_t info = {0};
    int existed = 0;
    info.struct_size = sizeof(info);
    fclose(fopen(in_store(apr_psprintf(suite.pool, "objects/%s", locator)), "w"));
    CU_ASSERT_EQUAL(access(apr_psprintf(suite.pool, "%s/%s", scratch, object.key), F_OK), 0);
    ASSERT_ERROR(FHIR_ERROR_INVALID, suite.plugin->stat(&info, suite.raw, locator, &call));
    ASSERT_ERROR(FHIR_ERROR_INVALID, suite.plugin->remove(&existed, suite.raw, locator, &call));
    CU_ASSERT_EQUAL(access(apr_psprintf(suite.pool, "%s/%s", scratch, object.key), F_OK), 0);
}

static void symbolic_links_are_not_followed(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = in_existing_directories();
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    info.struct_size = sizeof(info);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", in_store(apr_psprintf(suite.pool, "objects/%s", object.locator))), 0);
    CU_ASSERT_PTR_NOT_NULL(suite.plugin->stat(&info, suite.raw, object.locator, &call));
    CU_ASSERT_PTR_NOT_NULL(suite.plugin->reader_open(&reader, &info, suite.raw, object.locator, 0, -1, &call));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void foreign_files_are_not_listed(void)
{
    static const char *const names[] = {"tmp/README", "objects/lost+found", "objects/zz", "tmp/.nfs0001"};
    static const char *const suffixes[] = {".new", ".0123456789abcde", ".0123456789abcdef0", "-0123456789abcdef"};
    object_t object = new_object(suite.pool);
    object_t other = new_object(suite.pool);
    fhir_written_t written;
    size_t i;
    ASSERT_OK(store_pattern(&written, &object, 10, 10, 1, suite.pool));
    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        leave(&other, suffixes[i], "foreign", 1000);
    }
    CU_ASSERT_EQUAL(times_listed(other.locator, NULL, suite.pool), 0);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        FILE *file = fopen(in_store(names[i]), "w");
        fclose(file);
    }
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 1);
}

/* ---- configuration ---- */

static void refused(const char *first, const char *second, const char *advice)
{
    fhir_store_catalog_t *catalog = fhir_store_catalog_create(suite.pool);
    const char *options[2];
    fhir_error_t *error;
    options[0] = first;
    options[1] = second;
    ASSERT_OK(fhir_store_plugin_load(catalog, "filesystem", plugin_path));
    error = fhir_store_define(catalog, "store", "filesystem", options, (first != NULL) + (second != NULL));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    if (!strstr(error->public_text, advice)) {
        printf("%s\n", error->public_text);
        CU_FAIL("other advice");
    }
    CU_ASSERT_FALSE(fhir_store_defined(catalog, "store"));
}

static void wrong_options(void)
{
    const char *file = in_store("file");
    fclose(fopen(file, "w"));
    refused(NULL, NULL, "path=/var/lib/fhir-binary");
    refused("path=relative", NULL, "absolute");
    refused("path=/", NULL, "absolute");
    refused("path=/no/such/parent", NULL, "install -d");
    refused(apr_pstrcat(suite.pool, "path=", file, NULL), NULL, "is not a directory");
    refused("path=/tmp", "sync=maybe", "neither on nor off");
    refused("path=/tmp", "colour=red", "It knows: path, sync.");
    refused("path", NULL, "is not key=value");
    refused("path=/tmp", "path=/tmp", "given twice");
}

static void a_store_that_can_not_be_opened(void)
{
    store_path = apr_psprintf(suite.pool, "%s/store-%d", scratch, store_number++);
    CU_ASSERT_EQUAL(mkdir(store_path, 0700), 0);
    CU_ASSERT_EQUAL(symlink("/tmp", in_store("objects")), 0);
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, open_store("on"));
}

static const case_t cases[] = {
    {"a small upload is cheap", a_small_upload_is_cheap},
    {"synced before and after the rename", synced_before_and_after_the_rename},
    {"new directories are synced", new_directories_are_synced},
    {"removal is synced", removal_is_synced},
    {"sync=off does not sync", sync_off_does_not_sync},
    {"a big upload goes to the disk early", a_big_upload_goes_to_the_disk_early},
    {"rights under any umask", rights_under_any_umask},
    {"what root makes is the owner's", what_root_makes_is_the_owners},
    {"a killed root leaves no directory of its own", a_killed_root_leaves_no_directory_of_its_own},
    {"directories of root are given away", directories_of_root_are_given_away},
    {"a removed writer takes nothing of another", a_removed_writer_takes_nothing_of_another},
    {"the first commit wins", the_first_commit_wins},
    {"a failed commit leaves the object of another", a_failed_commit_leaves_the_object_of_another},
    {"every system call fails once", every_system_call_fails_once},
    {"interrupted and short calls", interrupted_and_short_calls},
    {"without renameat2 nothing is overwritten", without_renameat2_nothing_is_overwritten},
    {"full disk", full_disk},
    {"remains of a crash", remains_of_a_crash},
    {"remains of several writers", remains_of_several_writers},
    {"damaged objects", damaged_objects},
    {"a short object is no quiet end", a_short_object_is_no_quiet_end},
    {"locators do not escape", locators_do_not_escape},
    {"symbolic links are not followed", symbolic_links_are_not_followed},
    {"foreign files are not listed", foreign_files_are_not_listed},
    {"wrong options", wrong_options},
    {"a store that can not be opened", a_store_that_can_not_be_opened},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const case_t *test;
    CU_pSuite group;
    unsigned failed;
    if (argc != 3) {
        fprintf(stderr, "usage: filesystem PLUGIN SCRATCH_DIRECTORY\n");
        return 2;
    }
    plugin_path = argv[1];
    scratch = argv[2];
    apr_initialize();
    CU_initialize_registry();
    group = CU_add_suite_with_setup_and_teardown("filesystem", NULL, NULL, set_up, tear_down);
    for (test = cases; test->name; test++) {
        CU_add_test(group, test->name, test->run);
    }
    CU_basic_set_mode(CU_BRM_SILENT);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    if (failed) {
        CU_basic_show_failures(CU_get_failure_list());
        printf("\n");
    }
    printf("conformance filesystem calls: %u passed, %u failed\n", CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
