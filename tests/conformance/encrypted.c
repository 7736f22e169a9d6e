/* What the encrypted store promises: whatever is changed in the wrapped store is noticed, keys can be rotated, few
 * requests.
 *
 *     encrypted DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY */
#include "files.h"

#include <apr_general.h>

#define CHUNK 65536
#define HEADER 256
#define TAG 16
#define KEY_ID_AT 56

static const char *plugins;
static const char *scratch;
static const char *place; /* a new one for each test */
static int place_number;
static const fhir_storage_plugin_t *real_filesystem;
static int opened_readers;

static const char first_key[] = "first AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
static const char second_key[] = "second 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n";

static const char *at(const char *name)
{
    return apr_pstrcat(suite.pool, place, "/", name, NULL);
}

static const char *plugin_path(const char *name)
{
    return apr_pstrcat(suite.pool, plugins, "/fhir_storage_", name, ".so", NULL);
}

static const char *option(const char *name, const char *value)
{
    return apr_pstrcat(suite.pool, name, "=", value, NULL);
}

static fhir_error_t *counting_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                   const char *locator, apr_off_t offset, apr_off_t length,
                                   const fhir_store_call_t *call)
{
    opened_readers++;
    return real_filesystem->reader_open(reader, info, store, locator, offset, length, call);
}

/* The filesystem plugin, but reader_open is counted. */
static fhir_error_t *register_counted(fhir_store_catalog_t *catalog)
{
    static fhir_storage_plugin_t counted;
    FHIR_TRY(fhir_store_plugin_load(catalog, "filesystem", plugin_path("filesystem")));
    real_filesystem = APR_ARRAY_IDX(catalog->plugins, 0, const fhir_storage_plugin_t *);
    counted = *real_filesystem;
    counted.name = "counted";
    counted.reader_open = counting_open;
    return fhir_store_plugin_register(catalog, &counted);
}

static fhir_error_t *define(fhir_store_catalog_t *catalog, const char *fault, const char *extra)
{
    const char *inner[] = {option("path", at("store")), "sync=off"};
    const char *faulty[] = {"inner=files", fault};
    const char *options[] = {fault ? "inner=faulty" : "inner=files", option("key_file", at("keys")), extra,
                             "key_timeout=1"};
    FHIR_TRY(register_counted(catalog));
    FHIR_TRY(fhir_store_plugin_load(catalog, "faulty", plugin_path("faulty")));
    FHIR_TRY(fhir_store_plugin_load(catalog, "encrypted", plugin_path("encrypted")));
    FHIR_TRY(fhir_store_define(catalog, "files", "counted", inner, 2));
    if (fault) {
        FHIR_TRY(fhir_store_define(catalog, "faulty", "faulty", faulty, 2));
    }
    if (extra && !strncmp(extra, "key_file=", 9)) { /* instead of ours */
        options[1] = extra;
        extra = NULL;
    }
    if (extra) {
        return fhir_store_define(catalog, "sealed", "encrypted", options, 4);
    }
    return fhir_store_define(catalog, "sealed", "encrypted", options, 2);
}

/* The store with these keys, as a new process would see it. */
static fhir_error_t *open_with(const char *keys, const char *fault, const char *extra)
{
    write_text(at("keys"), keys, 0600);
    suite.catalog = fhir_store_catalog_create(suite.pool);
    FHIR_TRY(define(suite.catalog, fault, extra));
    FHIR_TRY(fhir_store_open_all(suite.catalog, suite.pool));
    FHIR_TRY(fhir_store_get(&suite.store, suite.catalog, "sealed", suite.pool));
    suite.plugin = suite.store->plugin;
    suite.raw = suite.store->store;
    return NULL;
}

static void reopen(const char *keys)
{
    ASSERT_OK(open_with(keys, NULL, NULL));
}

static void set_up(void)
{
    apr_pool_create(&suite.pool, NULL);
    place = apr_psprintf(suite.pool, "%s/encrypted-%d", scratch, place_number++);
    if (mkdir(place, 0700)) {
        die("mkdir", place);
    }
    reopen(first_key);
}

static void tear_down(void)
{
    apr_pool_destroy(suite.pool);
}

static object_t stored(apr_off_t size, int announce)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    ASSERT_OK(store_pattern(&written, &object, size, 30000, announce, suite.pool));
    return object;
}

static const char *file_of(const object_t *object)
{
    return at(apr_pstrcat(suite.pool, "store/objects/", object->locator, NULL));
}

static fhir_error_t *read_range(const object_t *object, apr_off_t size, apr_off_t offset, apr_off_t length)
{
    int correct = 0;
    FHIR_TRY(check_pattern(&correct, object, size, offset, length, 50000, suite.pool));
    CU_ASSERT_TRUE(correct);
    return NULL;
}

/* Reading through the vtable, where no row says how long the object is: what is given must be the content's beginning.
 * The error, or NULL if all of it came. */
static fhir_error_t *read_raw(const object_t *object, apr_off_t offset, apr_pool_t *pool)
{
    fhir_store_call_t call = raw_call(pool);
    fhir_object_info_t info = {0};
    fhir_reader_t *reader;
    fhir_error_t *error = NULL;
    char *buffer = apr_palloc(pool, 10000);
    apr_size_t length = 1;
    info.struct_size = sizeof(info);
    FHIR_TRY(suite.plugin->reader_open(&reader, &info, suite.raw, object->locator, offset, -1, &call));
    for (; !error && length > 0; offset += (apr_off_t)length) {
        length = 10000;
        error = suite.plugin->reader_read(reader, buffer, &length, &call);
        if (error) {
            break;
        }
        CU_ASSERT_TRUE(is_pattern(buffer, offset, length));
    }
    suite.plugin->reader_close(reader);
    return error;
}

static void expect_damage(const object_t *object, const char *what, size_t where)
{
    apr_pool_t *pool;
    fhir_error_t *error;
    apr_pool_create(&pool, suite.pool);
    error = read_raw(object, 0, pool);
    if (!error || (error->code != FHIR_ERROR_CORRUPT && error->code != FHIR_ERROR_DENIED &&
                   error->code != FHIR_ERROR_UNSUPPORTED)) {
        printf("%s at %lu: %s\n", what, (unsigned long)where, error ? error->public_text : "not noticed");
        CU_FAIL("damage was not noticed");
    }
    apr_pool_destroy(pool);
}

/* ---- damage ---- */

static void every_flipped_bit_is_noticed(void)
{
    static const apr_off_t sizes[] = {0, 1, 300};
    size_t s;
    for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        object_t object = stored(sizes[s], (int)(s % 2));
        const char *path = file_of(&object);
        bytes_t bytes = read_file(path, suite.pool);
        size_t i;
        CU_ASSERT_EQUAL(bytes.length, HEADER + (size_t)sizes[s] + TAG);
        for (i = 0; i < bytes.length * 8; i++) {
            bytes.data[i / 8] ^= (unsigned char)(1 << i % 8);
            write_file(path, bytes.data, bytes.length, 0600);
            expect_damage(&object, "flipped bit", i);
            bytes.data[i / 8] ^= (unsigned char)(1 << i % 8);
        }
        write_file(path, bytes.data, bytes.length, 0600);
        ASSERT_OK(read_range(&object, sizes[s], 0, -1));
    }
}

static void every_cut_is_noticed(void)
{
    object_t object = stored(3 * CHUNK + 100, 0);
    const char *path = file_of(&object);
    bytes_t bytes = read_file(path, suite.pool);
    size_t i;
    for (i = 0; i < bytes.length; i += i < HEADER + 40 ? 1 : (i % 4093) + 1) {
        write_file(path, bytes.data, i, 0600);
        expect_damage(&object, "cut", i);
    }
    for (i = 0; i <= 4; i++) { /* exactly between chunks, and beside that */
        size_t border = HEADER + i * (CHUNK + TAG);
        write_file(path, bytes.data, border < bytes.length ? border : bytes.length - 1, 0600);
        expect_damage(&object, "cut at a border", border);
        write_file(path, bytes.data, border + 1 < bytes.length ? border + 1 : bytes.length - TAG, 0600);
        expect_damage(&object, "cut behind a border", border);
    }
}

static void what_is_added_is_noticed(void)
{
    static const size_t added[] = {1, TAG, TAG + 1, CHUNK, CHUNK + TAG, 2 * (CHUNK + TAG)};
    object_t object = stored(2 * CHUNK, 0);
    const char *path = file_of(&object);
    bytes_t bytes = read_file(path, suite.pool);
    unsigned char *longer = apr_pcalloc(suite.pool, bytes.length + 3 * CHUNK);
    size_t i;
    memcpy(longer, bytes.data, bytes.length);
    for (i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        write_file(path, longer, bytes.length + added[i], 0600);
        expect_damage(&object, "added", added[i]);
    }
}

static void swapped_chunks_are_noticed(void)
{
    object_t object = stored(4 * CHUNK, 1);
    const char *path = file_of(&object);
    bytes_t bytes = read_file(path, suite.pool);
    unsigned char *swapped = apr_palloc(suite.pool, bytes.length);
    size_t i;
    size_t j;
    for (i = 0; i < 4; i++) {
        for (j = i + 1; j < 4; j++) {
            size_t one = HEADER + i * (CHUNK + TAG);
            size_t other = HEADER + j * (CHUNK + TAG);
            memcpy(swapped, bytes.data, bytes.length);
            memcpy(swapped + one, bytes.data + other, CHUNK + TAG);
            memcpy(swapped + other, bytes.data + one, CHUNK + TAG);
            write_file(path, swapped, bytes.length, 0600);
            expect_damage(&object, "swapped chunks", i * 10 + j);
        }
    }
}

static void swapped_objects_are_noticed(void)
{
    object_t one = stored(CHUNK + 5, 1);
    object_t other = stored(CHUNK + 5, 1);
    bytes_t bytes = read_file(file_of(&one), suite.pool);
    bytes_t mixed = read_file(file_of(&other), suite.pool);
    write_file(file_of(&other), bytes.data, bytes.length, 0600);
    expect_damage(&other, "another object's bytes", 0);
    /* Its own header and another's chunks. */
    memcpy(mixed.data + HEADER, bytes.data + HEADER, CHUNK + TAG);
    write_file(file_of(&other), mixed.data, mixed.length, 0600);
    expect_damage(&other, "another object's chunk", 0);
    ASSERT_OK(read_range(&one, CHUNK + 5, 0, -1));
}

/* A range tells nothing of damage elsewhere, and is right. */
static void damage_elsewhere_does_not_matter(void)
{
    object_t object = stored(4 * CHUNK, 1);
    const char *path = file_of(&object);
    bytes_t bytes = read_file(path, suite.pool);
    bytes.data[HEADER + CHUNK + TAG + 7] ^= 1; /* in the second chunk */
    write_file(path, bytes.data, bytes.length, 0600);
    ASSERT_OK(read_range(&object, 4 * CHUNK, 0, CHUNK));
    ASSERT_OK(read_range(&object, 4 * CHUNK, 2 * CHUNK, -1));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_range(&object, 4 * CHUNK, CHUNK + 10, 1));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_range(&object, 4 * CHUNK, 0, -1));
}

static void nothing_is_stored_in_plain(void)
{
    object_t object = stored(2 * CHUNK, 1);
    bytes_t bytes = read_file(file_of(&object), suite.pool);
    unsigned char *plain = apr_palloc(suite.pool, 2 * CHUNK);
    size_t i;
    fill_pattern(plain, 0, 2 * CHUNK);
    for (i = 0; i + 16 <= 2 * CHUNK; i += 64) {
        CU_ASSERT_PTR_NULL(memmem(bytes.data, bytes.length, plain + i, 16));
    }
}

/* ---- ranges and requests ---- */

static void ranges_across_borders(void)
{
    static const apr_off_t sizes[] = {1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 777};
    static const apr_off_t marks[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK};
    size_t marks_count = sizeof(marks) / sizeof(marks[0]);
    size_t s;
    size_t i;
    size_t j;
    for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        object_t object = stored(sizes[s], (int)(s % 2));
        for (i = 0; i < marks_count; i++) {
            for (j = 0; j < marks_count && marks[i] <= sizes[s]; j++) {
                apr_off_t length = marks[j] <= sizes[s] - marks[i] ? marks[j] : -1;
                if (j % 3 == 0) {
                    reopen(first_key); /* nothing remembered */
                }
                ASSERT_OK(read_range(&object, sizes[s], marks[i], length));
            }
        }
    }
}

static void expect_requests(int count, const object_t *object, apr_off_t size, apr_off_t offset, apr_off_t length)
{
    opened_readers = 0;
    ASSERT_OK(read_range(object, size, offset, length));
    if (opened_readers != count) {
        printf("%d requests for %ld+%ld, %d expected\n", opened_readers, (long)offset, (long)length, count);
    }
    CU_ASSERT_EQUAL(opened_readers, count);
}

static void few_requests(void)
{
    apr_off_t size = 5 * CHUNK + 100;
    object_t object = stored(size, 1);
    object_t small = stored(1000, 1);
    expect_requests(1, &object, size, 0, -1);
    expect_requests(1, &object, size, 0, size); /* as the core asks for all of it */
    reopen(first_key);
    expect_requests(2, &object, size, 3 * CHUNK + 5, 10); /* the header, then the chunk */
    expect_requests(1, &object, size, 3 * CHUNK + 5, 10);
    expect_requests(1, &object, size, 4 * CHUNK, -1);
    reopen(first_key);
    expect_requests(2, &object, size, 0, 10); /* what is 10 bytes long if it is, then the rest of the chunk */
    expect_requests(1, &object, size, 0, 10);
    reopen(first_key);
    expect_requests(1, &object, size, 0, 2 * CHUNK);
    reopen(first_key);
    expect_requests(2, &small, 1000, 10, 10);
    reopen(first_key);
    expect_requests(1, &small, 1000, 10, 990);
}

/* Another process removed the object and stored it anew: the same key, another data key. */
static void a_header_that_is_old(void)
{
    apr_off_t size = 3 * CHUNK;
    object_t object = stored(size, 1);
    fhir_open_store_t *ours = suite.store;
    fhir_written_t written;
    fhir_call_t call = core_call(suite.pool);
    int existed;
    ASSERT_OK(read_range(&object, size, CHUNK, 10)); /* now it is remembered */
    reopen(first_key);
    ASSERT_OK(fhir_object_remove(&existed, suite.store, object.locator, &call));
    ASSERT_OK(store_pattern(&written, &object, size, 1000, 0, suite.pool));
    suite.store = ours;
    ASSERT_OK(read_range(&object, size, CHUNK, 10));
    ASSERT_OK(read_range(&object, size, 0, -1));
}

static void memory_is_constant(void)
{
    const char *wanted = getenv("FHIR_CONFORMANCE_SIZE");
    apr_off_t size = wanted ? apr_atoi64(wanted) : 128 * MEBIBYTE;
    object_t small = stored(CHUNK, 1);
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    apr_off_t before;
    ASSERT_OK(read_range(&small, CHUNK, 0, -1));
    before = resident_bytes();
    ASSERT_OK(store_pattern(&written, &object, size, 50000, 1, suite.pool));
    ASSERT_OK(read_range(&object, size, 0, -1));
    CU_ASSERT(resident_bytes() - before < 5 * MEBIBYTE); /* three wait for the hashing threads, at most */
}

/* ---- keys ---- */

static void key_id_of(char id[64], const object_t *object)
{
    bytes_t bytes = read_file(file_of(object), suite.pool);
    memcpy(id, bytes.data + KEY_ID_AT, 64);
}

static void keys_can_be_rotated(void)
{
    object_t old = stored(1000, 1);
    object_t new;
    bytes_t before = read_file(file_of(&old), suite.pool);
    char id[64];
    reopen(apr_pstrcat(suite.pool, second_key, first_key, NULL));
    new = stored(1000, 1);
    ASSERT_OK(read_range(&old, 1000, 0, -1));
    ASSERT_OK(read_range(&new, 1000, 0, -1));
    key_id_of(id, &old);
    CU_ASSERT_STRING_EQUAL(id, "first");
    key_id_of(id, &new);
    CU_ASSERT_STRING_EQUAL(id, "second");
    CU_ASSERT_TRUE(same_file(file_of(&old), &before, suite.pool));
}

static void a_missing_key_is_named(void)
{
    object_t object = stored(1000, 1);
    int correct;
    fhir_error_t *error;
    reopen(second_key);
    error = check_pattern(&correct, &object, 1000, 0, -1, 100, suite.pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "'first'"));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "first"));
}

static void another_key_of_that_id_opens_nothing(void)
{
    object_t object = stored(1000, 1);
    reopen("first 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n");
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_range(&object, 1000, 0, -1));
    ASSERT_ERROR(FHIR_ERROR_CORRUPT, read_range(&object, 1000, 0, 5));
}

/* Ids of one key's prefix must not match. */
static void ids_are_compared_whole(void)
{
    object_t object = stored(10, 1);
    reopen("firs AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nfirst2 "
           "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    ASSERT_ERROR(FHIR_ERROR_DENIED, read_range(&object, 10, 0, -1));
}

static void refused(const char *keys, mode_t mode, const char *extra, const char *advice)
{
    fhir_store_catalog_t *catalog = fhir_store_catalog_create(suite.pool);
    fhir_error_t *error;
    if (keys) {
        write_text(at("keys"), keys, mode);
    } else {
        unlink(at("keys"));
    }
    error = define(catalog, NULL, extra);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "AAECAw")); /* no key, nor a part of one */
    if (!strstr(error->public_text, advice)) {
        printf("%s\n", error->public_text);
        CU_FAIL("other advice");
    }
}

static void wrong_key_files(void)
{
    static const char long_id[] = "1234567890123456789012345678901234567890123456789012345678901234 AAECAw\n";
    refused(NULL, 0600, NULL, "No such file");
    refused(first_key, 0604, NULL, "0600 (or 0640)");
    refused(first_key, 0620, NULL, "0600 (or 0640)");
    refused("", 0600, NULL, "openssl rand -base64 32");
    refused("# nothing\n\n", 0600, NULL, "holds no key");
    refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0600, NULL, "line 1 is not");
    refused("# one\nid AAECAw==\n", 0600, NULL, "line 2: the key id is not 32 bytes");
    refused("id AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A\n", 0600, NULL, "is not 32 bytes");
    refused("id AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n", 0600, NULL, "is not 32 bytes");
    refused("id AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd*h8=\n", 0600, NULL, "is not 32 bytes");
    refused("id AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= more\n", 0600, NULL, "is not 32 bytes");
    refused(long_id, 0600, NULL, "line 1 is not");
    refused("one/two AAECAw==\n", 0600, NULL, "line 1 is not");
    refused(apr_pstrcat(suite.pool, first_key, second_key, first_key, NULL), 0600, NULL, "line 3: the id first");
    refused(first_key, 0600, "key_command=unwrap", "absolute path");
    refused(first_key, 0600, "key_file=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "key_file= is not an absolute");
    refused(first_key, 0600, "key_file=/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "can't be read");
    refused(first_key, 0600, "key_command=/no/such/program", "not a program");
    refused(first_key, 0600, "colour=red", "It knows: inner, key_file, key_command, key_timeout.");
    refused(apr_pstrcat(suite.pool, first_key,
                        apr_pstrndup(suite.pool, memset(apr_palloc(suite.pool, 70000), '\n', 70000), 70000), NULL),
            0600, NULL, "too long");
}

static void rights_and_forms_of_keys(void)
{
    write_text(at("keys"), "\n# mine\r\n  first\tAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= \r\n", 0640);
    suite.catalog = fhir_store_catalog_create(suite.pool);
    ASSERT_OK(define(suite.catalog, NULL, NULL));
}

/* ---- key_command ---- */

/* The "key service" keeps keys in reverse. */
static const char wrapped_key[] = "first =8hHdxwbGayFYXVRUTEhQEREwD0ADDLoCJIYBFUQwECEAA\n";
static const char unwrap[] = "#!/bin/sh\n"
                             "echo \"$1\" >>\"${0%/*}/ran\"\n"
                             "read -r wrapped\n"
                             "[ \"$wrapped\" = '=8hHdxwbGayFYXVRUTEhQEREwD0ADDLoCJIYBFUQwECEAA' ] || exit 3\n"
                             "echo AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

static fhir_error_t *open_with_command(const char *script)
{
    write_text(at("unwrap"), script, 0700);
    unlink(at("ran"));
    return open_with(wrapped_key, NULL, option("key_command", at("unwrap")));
}

static void a_command_unwraps_keys(void)
{
    object_t old = stored(1000, 1);
    object_t object;
    bytes_t ran;
    fhir_call_t call = core_call(suite.pool);
    ASSERT_OK(open_with_command(unwrap));
    CU_ASSERT_NOT_EQUAL(access(at("ran"), F_OK), 0); /* not before it is needed */
    ASSERT_OK(fhir_store_health(suite.store, &call));
    ASSERT_OK(read_range(&old, 1000, 0, -1));
    object = stored(2000, 1);
    ASSERT_OK(read_range(&object, 2000, 0, -1));
    ran = read_file(at("ran"), suite.pool);
    CU_ASSERT_EQUAL(ran.length, 6); /* "first\n", once */
    CU_ASSERT(!memcmp(ran.data, "first\n", 6));
    reopen(first_key); /* the same key from the file */
    ASSERT_OK(read_range(&object, 2000, 0, -1));
}

static void raw_and_hex_answers(void)
{
    object_t old = stored(1000, 1);
    ASSERT_OK(open_with_command("#!/bin/sh\n"
                                "printf "
                                "'\\000\\001\\002\\003\\004\\005\\006\\007\\010\\011\\012\\013\\014\\015\\016\\017"
                                "\\020\\021\\022\\023\\024\\025\\026\\027\\030\\031\\032\\033\\034\\035\\036\\037'\n"));
    ASSERT_OK(read_range(&old, 1000, 0, -1));
    ASSERT_OK(open_with_command("#!/bin/sh\n"
                                "echo 000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n"));
    ASSERT_OK(read_range(&old, 1000, 0, -1));
}

static void fails(const char *script, const char *why)
{
    fhir_call_t call = core_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    apr_time_t start = apr_time_now();
    fhir_error_t *error;
    int descriptors;
    ASSERT_OK(open_with_command(script));
    descriptors = open_descriptors();
    error = fhir_store_health(suite.store, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
    if (!strstr(error->detail, why)) {
        printf("%s, not: %s\n", error->detail, why);
        CU_FAIL("another reason");
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "key first"));
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, store_pattern(&written, &object, 10, 10, 1, suite.pool));
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    CU_ASSERT(apr_time_now() - start < apr_time_from_sec(4));
    CU_ASSERT_EQUAL(open_descriptors(), descriptors);
}

static void commands_that_fail(void)
{
    fails("#!/bin/sh\nexit 7\n", "exit status 7");
    fails("#!/bin/sh\nkill -9 $$\n", "killed by signal 9");
    fails("#!/bin/sh\nsleep 30\n", "did not end in time");
    fails("#!/bin/sh\nsleep 30 & sleep 30\n", "did not end in time");
    fails("#!/bin/sh\nexec >&-\nsleep 30\n", "did not end in time");
    fails("#!/bin/sh\nwhile :; do echo AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=; done\n", "more than a key");
    fails("#!/bin/sh\necho AAECAw==\n", "not 32 bytes");
    fails("#!/bin/sh\n", "not 32 bytes");
    fails("#!/bin/sh\necho AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=; exit 1\n", "exit status 1");
    fails("#!/no/such/interpreter\n", "starting it");
}

/* A dead one may wait for a parent that takes its status. */
static int is_running(const char *pid)
{
    FILE *file = fopen(apr_pstrcat(suite.pool, "/proc/", pid, "/stat", NULL), "r");
    char line[100] = "";
    int running = file && fgets(line, sizeof(line), file) && !strstr(line, ") Z ");
    if (file) {
        fclose(file);
    }
    return running;
}

/* The children of a command that hangs are killed, too. */
static void a_hanging_command_leaves_no_process(void)
{
    fhir_call_t call = core_call(suite.pool);
    bytes_t pid;
    ASSERT_OK(open_with_command("#!/bin/sh\nsleep 30 & echo $! >\"${0%/*}/pid\"; wait\n"));
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_store_health(suite.store, &call));
    apr_sleep(apr_time_from_msec(100));
    pid = read_file(at("pid"), suite.pool);
    CU_ASSERT_FALSE(is_running(apr_pstrmemdup(suite.pool, (const char *)pid.data, pid.length - 1)));
}

static void a_command_that_failed_is_tried_again(void)
{
    object_t old = stored(1000, 1);
    ASSERT_OK(open_with_command("#!/bin/sh\nexit 1\n"));
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, read_range(&old, 1000, 0, -1));
    write_text(at("unwrap"), unwrap, 0700);
    ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, read_range(&old, 1000, 0, -1)); /* not at once */
    apr_sleep(apr_time_from_msec(2100));
    ASSERT_OK(read_range(&old, 1000, 0, -1));
}

/* ---- faults of the wrapped store ---- */

static fhir_error_t *scenario(object_t *object, int *committed)
{
    fhir_call_t call = core_call(suite.pool);
    fhir_written_t written;
    int existed;
    apr_off_t size = CHUNK + 3000;
    FHIR_TRY(fhir_store_new_object(&object->key, &object->locator, suite.store, &call));
    FHIR_TRY(store_pattern(&written, object, size, 20000, 1, suite.pool));
    *committed = 1;
    FHIR_TRY(read_range(object, size, 0, -1));
    FHIR_TRY(read_range(object, size, CHUNK + 1, 10));
    return fhir_object_remove(&existed, suite.store, object->locator, &call);
}

static void every_operation_fails_once(void)
{
    static const char *const kinds[] = {"fail=any:%d:unavailable", "lose=any:%d:unavailable", "short_read=%d"};
    size_t kind;
    for (kind = 0; kind < 3; kind++) {
        fhir_error_t *error = NULL;
        int k;
        for (k = 1; k < 60; k++) {
            object_t object = {NULL, NULL};
            int committed = 0;
            int descriptors = open_descriptors();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            ASSERT_OK(open_with(first_key, apr_psprintf(suite.pool, kinds[kind], k), NULL));
#pragma GCC diagnostic pop
            error = scenario(&object, &committed);
            reopen(first_key);
            if (!error) {
                break;
            }
            if (object.locator) {
                CU_ASSERT(kind == 1 || visible(&object, suite.pool) == committed);
                CU_ASSERT(times_listed(object.locator, NULL, suite.pool) <= 1);
            }
            CU_ASSERT(open_descriptors() >= descriptors); /* stores of this pool stay open until its end */
        }
        CU_ASSERT_PTR_NULL(error);
        CU_ASSERT(k > (kind == 2 ? 2 : 10));
    }
}

static const case_t cases[] = {
    {"every flipped bit is noticed", every_flipped_bit_is_noticed},
    {"every cut is noticed", every_cut_is_noticed},
    {"what is added is noticed", what_is_added_is_noticed},
    {"swapped chunks are noticed", swapped_chunks_are_noticed},
    {"swapped objects are noticed", swapped_objects_are_noticed},
    {"damage elsewhere does not matter", damage_elsewhere_does_not_matter},
    {"nothing is stored in plain", nothing_is_stored_in_plain},
    {"ranges across borders", ranges_across_borders},
    {"few requests", few_requests},
    {"a header that is old", a_header_that_is_old},
    {"memory is constant", memory_is_constant},
    {"keys can be rotated", keys_can_be_rotated},
    {"a missing key is named", a_missing_key_is_named},
    {"another key of that id opens nothing", another_key_of_that_id_opens_nothing},
    {"ids are compared whole", ids_are_compared_whole},
    {"wrong key files", wrong_key_files},
    {"rights and forms of keys", rights_and_forms_of_keys},
    {"a command unwraps keys", a_command_unwraps_keys},
    {"raw and hex answers", raw_and_hex_answers},
    {"commands that fail", commands_that_fail},
    {"a hanging command leaves no process", a_hanging_command_leaves_no_process},
    {"a command that failed is tried again", a_command_that_failed_is_tried_again},
    {"every operation fails once", every_operation_fails_once},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const case_t *test;
    CU_pSuite group;
    unsigned failed;
    if (argc != 3) {
        fprintf(stderr, "usage: encrypted DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY\n");
        return 2;
    }
    plugins = argv[1];
    scratch = argv[2];
    apr_initialize();
    CU_initialize_registry();
    group = CU_add_suite_with_setup_and_teardown("encrypted", NULL, NULL, set_up, tear_down);
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
    printf("conformance encrypted keys and damage: %u passed, %u failed\n", CU_get_number_of_tests_run() - failed,
           failed);
    CU_cleanup_registry();
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
