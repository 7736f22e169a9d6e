/* Helpers of the conformance suite. No assertions here: threads and programs without CUnit use them, too. */
#include "conformance.h"

#include <dirent.h>
#include <unistd.h>

suite_t suite;

static void ignore_log(void *baton, fhir_store_log_level_t level, const char *text)
{
    (void)baton;
    (void)level;
    (void)text;
}

fhir_call_t core_call(apr_pool_t *pool)
{
    fhir_call_t call = {0};
    call.pool = pool;
    call.request_id = "conformance";
    return call;
}

fhir_store_call_t raw_call(apr_pool_t *pool)
{
    fhir_store_call_t call = {0};
    call.result_pool = pool;
    apr_pool_create(&call.scratch_pool, pool);
    call.log = ignore_log;
    return call;
}

object_t new_object(apr_pool_t *pool)
{
    object_t object = {NULL, NULL};
    fhir_call_t call = core_call(pool);
    fhir_error_t *error = fhir_store_new_object(&object.key, &object.locator, suite.store, &call);
    if (error) {
        printf("no new object: %s\n", error->public_text);
        exit(2);
    }
    return object;
}

unsigned char pattern_byte(apr_off_t offset)
{
    return (unsigned char)(offset * 31 + (offset >> 8) * 7 + (offset >> 16) * 3);
}

void fill_pattern(void *buffer, apr_off_t offset, apr_size_t length)
{
    unsigned char *bytes = buffer;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        bytes[i] = pattern_byte(offset + (apr_off_t)i);
    }
}

int is_pattern(const void *buffer, apr_off_t offset, apr_size_t length)
{
    const unsigned char *bytes = buffer;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        if (bytes[i] != pattern_byte(offset + (apr_off_t)i)) {
            return 0;
        }
    }
    return 1;
}

static fhir_error_t *write_pattern(fhir_object_writer_t *writer, apr_off_t size, apr_size_t chunk, char *buffer)
{
    apr_off_t done;
    for (done = 0; done < size; done += (apr_off_t)chunk) {
        apr_size_t length = (apr_off_t)chunk < size - done ? chunk : (apr_size_t)(size - done);
        fill_pattern(buffer, done, length);
        FHIR_TRY(fhir_object_write(writer, buffer, length));
    }
    return NULL;
}

fhir_error_t *store_pattern(fhir_written_t *written, const object_t *object, apr_off_t size, apr_size_t chunk,
                            int announce, apr_pool_t *pool)
{
    fhir_call_t call = core_call(pool);
    fhir_object_writer_t *writer;
    FHIR_TRY(fhir_object_begin(&writer, suite.store, object->key, object->locator, announce ? size : -1,
                               "application/pdf", UNLIMITED, &call));
    FHIR_TRY(write_pattern(writer, size, chunk, apr_palloc(pool, chunk)));
    return fhir_object_commit(written, writer, 0);
}

static fhir_error_t *compare_rest(int *correct, fhir_object_reader_t *reader, apr_off_t offset, apr_off_t count,
                                  apr_size_t room, char *buffer)
{
    apr_off_t seen = 0;
    *correct = 1;
    for (;;) {
        apr_size_t length = room;
        FHIR_TRY(fhir_object_read(reader, buffer, &length));
        if (length == 0) {
            break;
        }
        *correct = *correct && is_pattern(buffer, offset + seen, length);
        seen += (apr_off_t)length;
    }
    *correct = *correct && seen == count;
    return NULL;
}

fhir_error_t *check_pattern(int *correct, const object_t *object, apr_off_t size, apr_off_t offset, apr_off_t length,
                            apr_size_t room, apr_pool_t *pool)
{
    fhir_call_t call = core_call(pool);
    fhir_object_reader_t *reader;
    fhir_error_t *error;
    *correct = 0;
    FHIR_TRY(fhir_object_open(&reader, suite.store, object->locator, offset, length, size, &call));
    error = compare_rest(correct, reader, offset, length < 0 ? size - offset : length, room, apr_palloc(pool, room));
    fhir_object_close(reader);
    return error;
}

fhir_error_t *raw_begin(fhir_writer_t **writer, const object_t *object, apr_off_t expected_length,
                        const fhir_store_call_t *call)
{
    fhir_write_request_t request = {0};
    request.struct_size = sizeof(request);
    request.object_key = object->key;
    request.locator = object->locator;
    request.expected_length = expected_length;
    return suite.plugin->writer_begin(writer, suite.raw, &request, call);
}

typedef struct search_t {
    const char *locator;
    int found;
    int committed;
} search_t;

static fhir_error_t *look_at(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    search_t *search = baton;
    (void)scratch_pool;
    if (!strcmp(entry->locator, search->locator)) {
        search->found++;
        search->committed = entry->committed;
    }
    return NULL;
}

int times_listed(const char *locator, int *committed, apr_pool_t *pool)
{
    search_t search = {locator, 0, -1};
    fhir_call_t call = core_call(pool);
    const char *cursor = NULL;
    do {
        if (fhir_object_list(&cursor, suite.store, cursor, 100, look_at, &search, &call)) {
            return -1;
        }
    } while (cursor);
    if (committed) {
        *committed = search.committed;
    }
    return search.found;
}

int visible(const object_t *object, apr_pool_t *pool)
{
    fhir_call_t call = core_call(pool);
    fhir_object_info_t info;
    fhir_error_t *error = fhir_object_stat(&info, suite.store, object->locator, &call);
    return !error || error->code != FHIR_ERROR_NOT_FOUND;
}

int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

int open_sockets(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    int count = 0;
    while ((entry = readdir(directory))) {
        char target[16] = "";
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1) > 0 &&
            !strncmp(target, "socket:", 7)) {
            count++;
        }
    }
    closedir(directory);
    return count;
}

apr_off_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0;
    long resident = 0;
    if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2) {
        resident = 0;
    }
    if (file) {
        fclose(file);
    }
    return (apr_off_t)resident * sysconf(_SC_PAGESIZE);
}
