/* Listing in pages, sorted by key, in memory that depends on the page and not on the store. */
#include "filesystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_MAX 1000
#define FAN_OUT 256

/* A file's name; it begins with the key. */
typedef char fs_name_t[FS_UNFINISHED_LENGTH + 1];

/* The `limit` smallest keys of those that were added, each once. */
typedef struct key_set_t {
    fs_name_t *keys; /* room for 2 * limit */
    int directory;   /* of files that may share a key: the latest counts. -1: none do */
    int count;
    int limit;
    int more; /* a key was dropped: the page is not the last one */
} key_set_t;

/* A page while it is being made. */
typedef struct page_t {
    fhir_store_t *store;
    const fhir_store_call_t *call;
    const char *after; /* key, "" at the start */
    key_set_t committed;
    key_set_t unfinished;
} page_t;

static int compare_keys(const void *one, const void *other)
{
    return memcmp(one, other, FHIR_STORAGE_KEY_LENGTH);
}

static int is_later(int directory, const char *one, const char *other)
{
    struct stat status;
    struct stat others;
    if (fstatat(directory, one, &status, AT_SYMLINK_NOFOLLOW)) {
        return 0;
    }
    return fstatat(directory, other, &others, AT_SYMLINK_NOFOLLOW) || status.st_mtim.tv_sec > others.st_mtim.tv_sec ||
           (status.st_mtim.tv_sec == others.st_mtim.tv_sec && status.st_mtim.tv_nsec > others.st_mtim.tv_nsec);
}

/* Of several writers of one key the one that wrote last: what is at work must not look like old remains. */
static void key_set_merge(key_set_t *set)
{
    int kept = 0;
    int i;
    for (i = 1; i < set->count; i++) {
        if (compare_keys(set->keys[kept], set->keys[i])) {
            kept++;
        } else if (!is_later(set->directory, set->keys[i], set->keys[kept])) {
            continue;
        }
        memmove(set->keys[kept], set->keys[i], sizeof(fs_name_t));
    }
    set->count = set->count ? kept + 1 : 0;
}

static void key_set_trim(key_set_t *set)
{
    qsort(set->keys, (size_t)set->count, sizeof(fs_name_t), compare_keys);
    if (set->directory >= 0) {
        key_set_merge(set);
    }
    if (set->count > set->limit) {
        set->count = set->limit;
        set->more = 1;
    }
}

static void key_set_init(key_set_t *set, int directory, int limit, apr_pool_t *pool)
{
    set->keys = apr_palloc(pool, 2 * (apr_size_t)limit * sizeof(fs_name_t));
    set->directory = directory;
    set->count = 0;
    set->limit = limit;
    set->more = 0;
}

static void key_set_add(key_set_t *set, const char *name)
{
    if (set->count == 2 * set->limit) {
        key_set_trim(set);
    }
    memcpy(set->keys[set->count], name, strlen(name) + 1);
    set->count++;
}

static fhir_error_t *open_stream(DIR **stream, int parent, const char *name, apr_pool_t *pool)
{
    int failed = fs_open_stream(stream, parent, name);
    return failed ? fhir_plugin_system_error(pool, failed, "open a directory to list") : NULL;
}

static int is_listed(const key_set_t *set, const char *name, const char *after)
{
    int known = set->directory >= 0 ? fs_is_unfinished(name) : fhir_plugin_is_key(name);
    return known && strncmp(name, after, FHIR_STORAGE_KEY_LENGTH) > 0;
}

/* Adds the keys of one directory that come after the cursor. */
static fhir_error_t *add_keys(key_set_t *set, const page_t *page, int parent, const char *name)
{
    struct dirent *entry;
    DIR *stream;
    FHIR_TRY(fhir_plugin_check_call(page->call));
    FHIR_TRY(open_stream(&stream, parent, name, page->call->result_pool));
    if (!stream) {
        return NULL;
    }
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        if (is_listed(set, entry->d_name, page->after)) {
            key_set_add(set, entry->d_name);
        }
        errno = 0;
    }
    if (errno) {
        int failed = errno;
        closedir(stream);
        return fhir_plugin_system_error(page->call->result_pool, failed, "list a directory");
    }
    closedir(stream);
    return NULL;
}

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Which of the 256 two-digit directories are there. */
static fhir_error_t *find_fan_out(char present[FAN_OUT], int parent, const char *name, apr_pool_t *pool)
{
    struct dirent *entry;
    DIR *stream;
    memset(present, 0, FAN_OUT);
    FHIR_TRY(open_stream(&stream, parent, name, pool));
    if (!stream) {
        return NULL;
    }
    while ((entry = readdir(stream)) != NULL) {
        int high = hex_digit(entry->d_name[0]);
        int low = high < 0 ? -1 : hex_digit(entry->d_name[1]);
        if (low >= 0 && !entry->d_name[2]) {
            present[high * 16 + low] = 1;
        }
    }
    closedir(stream);
    return NULL;
}

static void two_digits(char *name, int number)
{
    name[0] = "0123456789abcdef"[number / 16];
    name[1] = "0123456789abcdef"[number % 16];
}

/* Two digits of the cursor say where to go on. */
static int start_of(const char *after, size_t at)
{
    return after[0] ? hex_digit(after[at]) * 16 + hex_digit(after[at + 1]) : 0;
}

/* One page needs no more than limit + 1 keys; they come directory by directory in order. */
static int page_full(const page_t *page)
{
    return page->committed.count > page->committed.limit || page->committed.more;
}

static fhir_error_t *collect_outer(page_t *page, int outer, int first_inner)
{
    char present[FAN_OUT];
    char name[] = "ab/cd";
    int inner;
    two_digits(name, outer);
    name[2] = '\0';
    FHIR_TRY(find_fan_out(present, page->store->objects, name, page->call->result_pool));
    name[2] = '/';
    for (inner = first_inner; inner < FAN_OUT && !page_full(page); inner++) {
        if (present[inner]) {
            two_digits(name + 3, inner);
            FHIR_TRY(add_keys(&page->committed, page, page->store->objects, name));
        }
    }
    return NULL;
}

static fhir_error_t *collect_committed(page_t *page)
{
    char present[FAN_OUT];
    int first = start_of(page->after, 0);
    int outer;
    FHIR_TRY(find_fan_out(present, page->store->objects, ".", page->call->result_pool));
    for (outer = first; outer < FAN_OUT && !page_full(page); outer++) {
        if (present[outer]) {
            FHIR_TRY(collect_outer(page, outer, outer == first ? start_of(page->after, 2) : 0));
        }
    }
    return NULL;
}

/* One entry for the caller; an object that has gone meanwhile is left out. */
static fhir_error_t *give_entry(const page_t *page, const char *name, int committed, fhir_list_entry_fn entry,
                                void *entry_baton, apr_pool_t *scratch)
{
    char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1];
    fhir_list_entry_t found = {0};
    struct stat status;
    int directory = committed ? page->store->objects : page->store->tmp;
    fhir_plugin_locator_of(locator, name);
    if (fstatat(directory, committed ? locator : name, &status, AT_SYMLINK_NOFOLLOW)) {
        return errno == ENOENT ? NULL : fhir_plugin_system_error(page->call->result_pool, errno, "stat while listing");
    }
    if (!S_ISREG(status.st_mode)) {
        return NULL;
    }
    found.struct_size = sizeof(found);
    found.locator = locator;
    found.length = status.st_size;
    found.modified = apr_time_make(status.st_mtim.tv_sec, status.st_mtim.tv_nsec / 1000);
    found.committed = committed;
    apr_pool_clear(scratch);
    return entry(entry_baton, &found, scratch);
}

/* Merges the two sorted sets. A key in both (a second writer, or what a crash left of one) is one committed object. */
static fhir_error_t *give_page(const char **last, page_t *page, int limit, fhir_list_entry_fn entry, void *entry_baton)
{
    key_set_t *committed = &page->committed;
    key_set_t *unfinished = &page->unfinished;
    apr_pool_t *scratch;
    int i = 0;
    int j = 0;
    int given;
    apr_pool_create(&scratch, page->call->scratch_pool);
    for (given = 0; given < limit && (i < committed->count || j < unfinished->count); given++) {
        int order = i == committed->count    ? 1
                    : j == unfinished->count ? -1
                                             : compare_keys(committed->keys[i], unfinished->keys[j]);
        const char *key = order <= 0 ? committed->keys[i] : unfinished->keys[j];
        i += order <= 0;
        j += order >= 0;
        FHIR_TRY(give_entry(page, key, order <= 0, entry, entry_baton, scratch));
        *last = key;
    }
    if (i == committed->count && j == unfinished->count && !committed->more && !unfinished->more) {
        *last = NULL;
    }
    return NULL;
}

fhir_error_t *fs_list(const char **next, fhir_store_t *store, const char *cursor, int limit, fhir_list_entry_fn entry,
                      void *entry_baton, const fhir_store_call_t *call)
{
    page_t page = {0};
    const char *last = NULL;
    char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1];
    *next = NULL;
    page.store = store;
    page.call = call;
    page.after = cursor ? fhir_plugin_key_of(cursor) : "";
    if (!page.after || limit < 1) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    limit = limit > PAGE_MAX ? PAGE_MAX : limit;
    key_set_init(&page.committed, -1, limit, call->scratch_pool);
    key_set_init(&page.unfinished, store->tmp, limit, call->scratch_pool);
    /* Unfinished ones first: one that is committed meanwhile is then seen twice rather than never. */
    FHIR_TRY(add_keys(&page.unfinished, &page, store->tmp, "."));
    FHIR_TRY(collect_committed(&page));
    key_set_trim(&page.unfinished);
    key_set_trim(&page.committed);
    FHIR_TRY(give_page(&last, &page, limit, entry, entry_baton));
    if (last) {
        fhir_plugin_locator_of(locator, last);
        *next = apr_pstrdup(call->result_pool, locator);
    }
    return NULL;
}
