/* core/store with a plugin that is linked in and does what each test orders. The plugins themselves are tested by
 * tests/conformance. */
#include "tests/unit/unit.h"

#include "core/store/hash_pipe.h"
#include "core/store/store.h"

#include <stddef.h>

/* What the plugin does next, and what it saw. */
typedef struct orders_t {
    fhir_error_code_t fail; /* 0: no */
    apr_off_t info_length;  /* of commit and open */
    apr_size_t read_length; /* what a read answers */
    const char *locator;
    const char *open_order;
    int writes, commits, aborts, closes, removes;
    apr_time_t deadline;
    int log_lines;
    const char *url; /* of presign */
    fhir_store_option_t header;
    int header_count;
    fhir_store_presign_request_t asked;
} orders_t;

static orders_t orders;
static const char key[] = "0123456789abcdef0123456789abcdef";

static fhir_error_t *ordered(const fhir_store_call_t *call)
{
    orders.deadline = call->deadline;
    return orders.fail ? fhir_error_create(call->result_pool, orders.fail, 0, "ordered", "why") : NULL;
}

static fhir_error_t *t_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                                 apr_pool_t *config_pool)
{
    *config =
        (fhir_store_config_t *)apr_psprintf(config_pool, "%s", option_count > 0 ? options[option_count - 1].value : "");
    return option_count > 0 && !strcmp(options[0].key, "bad")
               ? fhir_error_public(config_pool, FHIR_ERROR_INVALID, "bad is bad")
               : NULL;
}

static fhir_error_t *t_open(fhir_store_t **store, const fhir_store_config_t *config, const fhir_storage_host_t *host,
                            apr_pool_t *store_pool)
{
    const char *name = (const char *)config;
    const fhir_storage_plugin_t *plugin;
    fhir_store_t *inner;
    CU_ASSERT_EQUAL(host->struct_size, sizeof(*host));
    if (name[0] == '>') {
        FHIR_TRY(host->resolve(&plugin, &inner, host->baton, name + 1, store_pool));
        CU_ASSERT_PTR_NOT_NULL(plugin);
    }
    *store = (fhir_store_t *)apr_pstrdup(store_pool, name);
    orders.open_order = apr_pstrcat(pool, orders.open_order, name, ";", NULL);
    return NULL;
}

static const char *t_wraps(const fhir_store_config_t *config, int index)
{
    const char *name = (const char *)config;
    return index == 0 && name[0] == '>' ? name + 1 : NULL;
}

static void t_close(fhir_store_t *store)
{
    orders.open_order = apr_pstrcat(pool, orders.open_order, "-", (const char *)store, ";", NULL);
}

static fhir_error_t *t_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    (void)store;
    call->log(call->log_baton, FHIR_STORE_LOG_WARNING, "a line");
    return ordered(call);
}

static fhir_error_t *t_locate(const char **locator, fhir_store_t *store, const char *object_key,
                              const fhir_store_call_t *call)
{
    (void)store;
    *locator = orders.locator ? orders.locator : apr_pstrdup(call->result_pool, object_key);
    return ordered(call);
}

static fhir_error_t *t_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                             const fhir_store_call_t *call)
{
    CU_ASSERT_STRING_EQUAL(request->object_key, key);
    *writer = (fhir_writer_t *)store;
    return ordered(call);
}

static fhir_error_t *t_write(fhir_writer_t *writer, const void *data, apr_size_t length, const fhir_store_call_t *call)
{
    (void)writer;
    (void)data;
    (void)length;
    orders.writes++;
    return ordered(call);
}

static fhir_error_t *t_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    (void)writer;
    orders.commits++;
    info->length = orders.info_length;
    return ordered(call);
}

static void t_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    (void)writer;
    CU_ASSERT_FALSE(fhir_store_cancelled(call)); /* cleaning up is never cancelled */
    CU_ASSERT(call->deadline > apr_time_now());
    orders.aborts++;
}

static fhir_error_t *t_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                   const char *locator, apr_off_t offset, apr_off_t length,
                                   const fhir_store_call_t *call)
{
    (void)locator;
    (void)offset;
    (void)length;
    *reader = (fhir_reader_t *)store;
    info->length = orders.info_length;
    return ordered(call);
}

static fhir_error_t *t_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call)
{
    (void)reader;
    memset(buffer, 'r', *length);
    *length = orders.read_length;
    return ordered(call);
}

static void t_reader_close(fhir_reader_t *reader)
{
    (void)reader;
    orders.closes++;
}

static fhir_error_t *t_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                            const fhir_store_call_t *call)
{
    (void)store;
    (void)locator;
    info->length = 5;
    return ordered(call);
}

static fhir_error_t *t_remove(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    (void)store;
    (void)locator;
    orders.removes++;
    *existed = 1;
    return ordered(call);
}

static fhir_error_t *t_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                            fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    (void)store;
    (void)cursor;
    (void)limit;
    (void)entry;
    (void)entry_baton;
    *next = NULL;
    return ordered(call);
}

static const fhir_storage_plugin_t plugin = {FHIR_STORAGE_MAGIC,
                                             FHIR_STORAGE_ABI_MAJOR,
                                             FHIR_STORAGE_ABI_MINOR,
                                             sizeof(plugin),
                                             "test",
                                             NULL,
                                             0,
                                             t_configure,
                                             t_open,
                                             t_close,
                                             t_health,
                                             t_locate,
                                             t_begin,
                                             t_write,
                                             t_commit,
                                             t_abort,
                                             t_reader_open,
                                             t_read,
                                             NULL,
                                             t_reader_close,
                                             t_stat,
                                             t_remove,
                                             t_list,
                                             NULL,
                                             t_wraps,
                                             NULL,
                                             NULL};

static fhir_store_catalog_t *new_catalog(void)
{
    fhir_store_catalog_t *catalog = fhir_store_catalog_create(pool);
    memset(&orders, 0, sizeof(orders));
    orders.open_order = "";
    FHIR_ASSERT_OK(fhir_store_plugin_register(catalog, &plugin));
    return catalog;
}

static fhir_open_store_t *new_store(void)
{
    static const char *const options[] = {"name=a"};
    fhir_store_catalog_t *catalog = new_catalog();
    fhir_open_store_t *store = NULL;
    FHIR_ASSERT_OK(fhir_store_define(catalog, "main", "test", options, 1));
    FHIR_ASSERT_OK(fhir_store_open_all(catalog, pool));
    FHIR_ASSERT_OK(fhir_store_get(&store, catalog, "main", pool));
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    return store;
}

static fhir_call_t new_call(void)
{
    fhir_call_t call = {0};
    call.pool = pool;
    return call;
}

static int always(void *baton)
{
    (void)baton;
    return 1;
}

static void test_definitions(void)
{
    static const char *const bad[] = {"bad=1"};
    static const char *const no_equals[] = {"path"};
    static const char *const no_key[] = {"=x"};
    static const char *const twice[] = {"a=1", "a=2"};
    fhir_store_catalog_t *catalog = new_catalog();
    fhir_error_t *error;
    FHIR_ASSERT_OK(fhir_store_define(catalog, "one", "test", NULL, 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "one", "test", NULL, 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "", "test", NULL, 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "a/b", "test", NULL, 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "two", "test", bad, 1));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "two", "test", no_equals, 1));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "two", "test", no_key, 1));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "two", "test", twice, 2));
    error = fhir_store_define(catalog, "two", "s3", NULL, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "loaded: test"));
    CU_ASSERT_FALSE(fhir_store_defined(catalog, "two"));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "two", "test", NULL, 0));
    CU_ASSERT_EQUAL(fhir_store_names(catalog, pool)->nelts, 2);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(fhir_store_names(catalog, pool), 1, const char *), "two");
}

static void test_open_in_order_close_backwards(void)
{
    static const char *const inner[] = {"name=inner"};
    static const char *const outer[] = {"name=>one"};
    fhir_store_catalog_t *catalog = new_catalog();
    fhir_open_store_t *store;
    apr_pool_t *process;
    FHIR_ASSERT_OK(fhir_store_define(catalog, "one", "test", inner, 1));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "two", "test", outer, 1));
    FHIR_ASSERT_OK(fhir_store_check_wrapping(catalog, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_store_get(&store, catalog, "one", pool)); /* not open yet */
    apr_pool_create(&process, pool);
    FHIR_ASSERT_OK(fhir_store_open_all(catalog, process));
    FHIR_ASSERT_OK(fhir_store_get(&store, catalog, "two", pool));
    CU_ASSERT_STRING_EQUAL(fhir_store_name(store), "two");
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_store_get(&store, catalog, "three", pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_open_all(catalog, process));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_define(catalog, "late", "test", NULL, 0));
    apr_pool_destroy(process);
    CU_ASSERT_STRING_EQUAL(orders.open_order, "inner;>one;->one;-inner;");
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_store_get(&store, catalog, "one", pool));
}

static void test_wrapping_a_later_store(void)
{
    static const char *const inner[] = {"name=inner"};
    static const char *const outer[] = {"name=>two"};
    fhir_store_catalog_t *catalog = new_catalog();
    fhir_error_t *error;
    FHIR_ASSERT_OK(fhir_store_define(catalog, "one", "test", outer, 1));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "two", "test", inner, 1));
    error = fhir_store_check_wrapping(catalog, pool);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "FhirBinaryStore one wraps the store 'two'"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_open_all(catalog, pool));
}

static void test_wrapping_a_store_twice(void)
{
    static const char *const inner[] = {"name=inner"};
    static const char *const outer[] = {"name=>one"};
    fhir_store_catalog_t *catalog = new_catalog();
    fhir_error_t *error;
    FHIR_ASSERT_OK(fhir_store_define(catalog, "one", "test", inner, 1));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "two", "test", outer, 1));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "three", "test", outer, 1));
    error = fhir_store_check_wrapping(catalog, pool);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(error->public_text, "FhirBinaryStore three wraps the store 'one', which 'two' wraps already"));
}

static void test_locators(void)
{
    fhir_open_store_t *store = new_store();
    fhir_call_t call = new_call();
    const char *object_key;
    const char *locator;
    char *longest = apr_palloc(pool, 514);
    FHIR_ASSERT_OK(fhir_store_new_object(&object_key, &locator, store, &call));
    CU_ASSERT_EQUAL(strlen(object_key), 32);
    memset(longest, 'x', 513);
    longest[512] = '\0';
    orders.locator = longest;
    FHIR_ASSERT_OK(fhir_store_new_object(&object_key, &locator, store, &call));
    longest[512] = 'x';
    longest[513] = '\0';
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_new_object(&object_key, &locator, store, &call));
    orders.locator = "a\nb";
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_new_object(&object_key, &locator, store, &call));
    orders.locator = "\xc3\xa9";
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_new_object(&object_key, &locator, store, &call));
}

static fhir_object_writer_t *new_writer(fhir_open_store_t *store, apr_off_t expected, const fhir_call_t *call)
{
    fhir_object_writer_t *writer = NULL;
    FHIR_ASSERT_OK(fhir_object_begin(&writer, store, key, key, expected, NULL, 1 << 20, call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(writer);
    return writer;
}

static void test_write_and_commit(void)
{
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer = new_writer(new_store(), 3, &call);
    fhir_written_t written;
    FHIR_ASSERT_OK(fhir_object_write(writer, "ab", 2));
    FHIR_ASSERT_OK(fhir_object_write(writer, "c", 1));
    FHIR_ASSERT_OK(fhir_object_write(writer, "", 0));
    CU_ASSERT_EQUAL(orders.writes, 0);
    orders.info_length = 3;
    FHIR_ASSERT_OK(fhir_object_commit(&written, writer, apr_time_from_sec(5)));
    CU_ASSERT_EQUAL(orders.writes, 1);
    CU_ASSERT_EQUAL(written.size, 3);
    CU_ASSERT_EQUAL(written.sha256[0], 0xba);
    CU_ASSERT_EQUAL(written.sha1[0], 0xa9);
    fhir_object_abort(writer);
    CU_ASSERT_EQUAL(orders.aborts, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(orders.commits, 1);
}

static void test_blocks_on_the_way(void)
{
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer = new_writer(new_store(), -1, &call);
    fhir_written_t written;
    FHIR_ASSERT_OK(fhir_object_write(writer, apr_pcalloc(pool, 3 * FHIR_HASH_BLOCK), 3 * FHIR_HASH_BLOCK - 1));
    CU_ASSERT_EQUAL(orders.writes, 2);
    CU_ASSERT(orders.deadline > apr_time_now()); /* a step has a deadline of its own */
    orders.info_length = 3 * FHIR_HASH_BLOCK - 1;
    FHIR_ASSERT_OK(fhir_object_commit(&written, writer, apr_time_from_sec(5)));
    CU_ASSERT_EQUAL(orders.writes, 3);
    CU_ASSERT_EQUAL(written.size, 3 * FHIR_HASH_BLOCK - 1);
}

static void test_failed_write_aborts_once(void)
{
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer = new_writer(new_store(), -1, &call);
    fhir_written_t written;
    fhir_error_t *error;
    orders.fail = FHIR_ERROR_NO_SPACE;
    FHIR_ASSERT_OK(fhir_object_write(writer, "abc", 3)); /* the store has not seen it yet */
    error = fhir_object_write(writer, apr_pcalloc(pool, FHIR_HASH_BLOCK), FHIR_HASH_BLOCK);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NO_SPACE, error);
    CU_ASSERT_STRING_EQUAL(error->detail, "store main, writer_write: why");
    CU_ASSERT_STRING_EQUAL(error->public_text, "ordered");
    orders.fail = 0;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_object_commit(&written, writer, 0));
    fhir_object_abort(writer);
    CU_ASSERT_EQUAL(orders.aborts, 1);
    CU_ASSERT_EQUAL(orders.commits, 0);
}

static void test_failed_last_write_aborts(void)
{
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer = new_writer(new_store(), -1, &call);
    fhir_written_t written;
    FHIR_ASSERT_OK(fhir_object_write(writer, "abc", 3));
    orders.fail = FHIR_ERROR_NO_SPACE;
    FHIR_ASSERT_ERROR(FHIR_ERROR_NO_SPACE, fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(orders.aborts, 1);
    CU_ASSERT_EQUAL(orders.commits, 0);
}

static void test_failed_commit_aborts(void)
{
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer = new_writer(new_store(), -1, &call);
    fhir_written_t written;
    orders.fail = FHIR_ERROR_UNAVAILABLE;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(orders.aborts, 1);
}

/* The plugin says that it committed something else: that must not stay. */
static void test_other_length_is_removed(void)
{
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer = new_writer(new_store(), -1, &call);
    fhir_written_t written;
    FHIR_ASSERT_OK(fhir_object_write(writer, "abc", 3));
    orders.info_length = 2;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_commit(&written, writer, 0));
    CU_ASSERT_EQUAL(orders.removes, 1);
}

static void test_cancelled_writer_is_cleaned_up(void)
{
    fhir_open_store_t *store = new_store();
    apr_pool_t *request;
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer;
    apr_pool_create(&request, pool);
    call.pool = request;
    call.cancelled = NULL;
    writer = new_writer(store, -1, &call);
    FHIR_ASSERT_OK(fhir_object_write(writer, "abc", 3));
    apr_pool_destroy(request);
    CU_ASSERT_EQUAL(orders.aborts, 1);
    call = new_call();
    call.cancelled = always;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, fhir_object_begin(&writer, store, key, key, -1, NULL, 9, &call));
}

static void test_limits(void)
{
    fhir_open_store_t *store = new_store();
    fhir_call_t call = new_call();
    fhir_object_writer_t *writer;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_object_begin(&writer, store, key, key, 1001, NULL, 1000, &call));
    writer = new_writer(store, -1, &call);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_object_write(writer, "x", SIZE_MAX));
    CU_ASSERT_EQUAL(orders.writes, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_object_write(new_writer(store, 3, &call), "abcd", 4));
    CU_ASSERT_EQUAL(orders.aborts, 2);
}

/* A plugin can't choose a status of ours. */
static void test_foreign_codes(void)
{
    fhir_call_t call = new_call();
    fhir_object_info_t info;
    fhir_open_store_t *store = new_store();
    orders.fail = FHIR_ERROR_UNAUTHENTICATED;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_object_stat(&info, store, key, &call));
    orders.fail = FHIR_ERROR_NOT_FOUND;
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_object_stat(&info, store, key, &call));
}

static fhir_object_reader_t *new_reader(fhir_open_store_t *store, apr_off_t size, const fhir_call_t *call)
{
    fhir_object_reader_t *reader = NULL;
    orders.info_length = size;
    FHIR_ASSERT_OK(fhir_object_open(&reader, store, key, 0, -1, size, call));
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    return reader;
}

static void test_read(void)
{
    fhir_call_t call = new_call();
    fhir_object_reader_t *reader = new_reader(new_store(), 10, &call);
    apr_file_t *file;
    apr_off_t offset;
    apr_size_t length = 20;
    char buffer[20] = "";
    FHIR_ASSERT_OK(fhir_object_file(&file, &offset, reader));
    CU_ASSERT_PTR_NULL(file);
    orders.read_length = 7;
    FHIR_ASSERT_OK(fhir_object_read(reader, buffer, &length));
    CU_ASSERT_EQUAL(length, 7);
    CU_ASSERT_EQUAL(buffer[10], '\0'); /* the plugin got room for ten bytes only */
    orders.read_length = 3;
    FHIR_ASSERT_OK(fhir_object_read(reader, buffer, &length));
    FHIR_ASSERT_OK(fhir_object_read(reader, buffer, &length));
    CU_ASSERT_EQUAL(length, 0);
    fhir_object_close(reader);
    fhir_object_close(reader);
    CU_ASSERT_EQUAL(orders.closes, 1);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_object_read(reader, buffer, &length));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_object_file(&file, &offset, reader));
}

static void test_short_and_long_reads_are_damage(void)
{
    fhir_call_t call = new_call();
    fhir_object_reader_t *reader = new_reader(new_store(), 10, &call);
    apr_size_t length = 5;
    char buffer[20];
    orders.read_length = 0;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_read(reader, buffer, &length));
    orders.read_length = 6;
    length = 5;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_read(reader, buffer, &length));
}

static void test_open_against_the_row(void)
{
    fhir_open_store_t *store = new_store();
    fhir_call_t call = new_call();
    fhir_object_reader_t *reader;
    orders.info_length = 9;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, store, key, 0, -1, 10, &call));
    CU_ASSERT_EQUAL(orders.closes, 1);
    orders.fail = FHIR_ERROR_NOT_FOUND;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, store, key, 0, -1, 10, &call));
    orders.fail = FHIR_ERROR_RANGE;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CORRUPT, fhir_object_open(&reader, store, key, 9, 1, 10, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_RANGE, fhir_object_open(&reader, store, key, 9, 2, 10, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_RANGE, fhir_object_open(&reader, store, key, 11, -1, 10, &call));
    orders.fail = FHIR_ERROR_UNAVAILABLE;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_object_open(&reader, store, key, 0, -1, 10, &call));
    CU_ASSERT_EQUAL(orders.closes, 1);
}

static void count_line(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    (void)baton;
    (void)status;
    CU_ASSERT_EQUAL(level, FHIR_LOG_WARNING);
    CU_ASSERT_STRING_EQUAL(text, "store main: a line, request r1");
    orders.log_lines++;
}

static void test_log_and_deadline(void)
{
    fhir_log_t log = {count_line, NULL, FHIR_LOG_DEBUG};
    fhir_open_store_t *store = new_store();
    fhir_call_t call = new_call();
    call.log = &log;
    call.request_id = "r1";
    call.deadline = apr_time_now() + apr_time_from_sec(100);
    FHIR_ASSERT_OK(fhir_store_health(store, &call));
    CU_ASSERT_EQUAL(orders.log_lines, 1);
    CU_ASSERT_EQUAL(orders.deadline, call.deadline);
    call.deadline = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_store_health(store, &call));
    CU_ASSERT_EQUAL(orders.log_lines, 1);
    call.log = NULL;
    call.deadline = 0;
    FHIR_ASSERT_OK(fhir_store_health(store, &call));
}

/* ---- URLs of the store itself ---- */

static fhir_error_t *t_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                               const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    (void)store;
    CU_ASSERT_EQUAL(presigned->struct_size, sizeof(*presigned));
    orders.asked = *request;
    presigned->url = orders.url;
    presigned->headers = &orders.header;
    presigned->header_count = orders.header_count;
    return ordered(call);
}

static fhir_store_catalog_t *presigning_catalog(void)
{
    fhir_storage_plugin_t *presigning = apr_pmemdup(pool, &plugin, sizeof(plugin));
    fhir_store_catalog_t *catalog = new_catalog();
    presigning->name = "presigning";
    presigning->capabilities = FHIR_STORAGE_CAN_PRESIGN;
    presigning->presign = t_presign;
    FHIR_ASSERT_OK(fhir_store_plugin_register(catalog, presigning));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "direct", "presigning", NULL, 0));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "plain", "test", NULL, 0));
    return catalog;
}

static fhir_open_store_t *presigning_store(const char *name)
{
    fhir_store_catalog_t *catalog = presigning_catalog();
    fhir_open_store_t *store = NULL;
    FHIR_ASSERT_OK(fhir_store_open_all(catalog, pool));
    FHIR_ASSERT_OK(fhir_store_get(&store, catalog, name, pool));
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    return store;
}

static fhir_store_presign_request_t new_ask(void)
{
    fhir_store_presign_request_t request = {0};
    request.struct_size = sizeof(request);
    request.locator = "ab/cd/abcd";
    request.write = 1;
    request.expires = apr_time_from_sec(2000000000);
    request.content_type = "image/png";
    return request;
}

static void test_who_can_presign(void)
{
    fhir_store_catalog_t *catalog = presigning_catalog();
    CU_ASSERT_TRUE(fhir_store_can_presign(catalog, "direct"));
    CU_ASSERT_FALSE(fhir_store_can_presign(catalog, "plain"));
    CU_ASSERT_FALSE(fhir_store_can_presign(catalog, "unknown"));
    FHIR_ASSERT_OK(fhir_store_open_all(catalog, pool));
    CU_ASSERT_TRUE(fhir_store_can_presign(catalog, "direct"));
}

static void test_presign(void)
{
    fhir_open_store_t *store = presigning_store("direct");
    const fhir_store_presign_request_t request = new_ask();
    fhir_store_presigned_t presigned;
    fhir_call_t call = new_call();
    orders.url = "https://store.example.org/ab/cd/abcd?X-Amz-Signature=1";
    orders.header.key = "content-type";
    orders.header.value = "image/png";
    orders.header_count = 1;
    FHIR_ASSERT_OK(fhir_store_presign(&presigned, store, &request, &call));
    CU_ASSERT_STRING_EQUAL(presigned.url, orders.url);
    CU_ASSERT_EQUAL(presigned.header_count, 1);
    CU_ASSERT_STRING_EQUAL(presigned.headers[0].value, "image/png");
    CU_ASSERT_EQUAL(orders.asked.write, 1);
    CU_ASSERT_STRING_EQUAL(orders.asked.locator, "ab/cd/abcd");
    orders.header.value = ""; /* If-None-Match-like headers may be empty for a store that wants it so */
    FHIR_ASSERT_OK(fhir_store_presign(&presigned, store, &request, &call));
    orders.fail = FHIR_ERROR_UNAVAILABLE;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_store_presign(&presigned, store, &request, &call));
    orders.fail = 0;
    call.deadline = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, fhir_store_presign(&presigned, store, &request, &call));
}

static void test_presign_without_callback(void)
{
    fhir_open_store_t *store = presigning_store("plain");
    const fhir_store_presign_request_t request = new_ask();
    fhir_store_presigned_t presigned;
    fhir_call_t call = new_call();
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, fhir_store_presign(&presigned, store, &request, &call));
    CU_ASSERT_PTR_NULL(presigned.url);
}

/* What a plugin gives becomes a Location header: nothing that could split a header, and no other scheme. */
static void test_presign_checks_the_url(void)
{
    static const char *const bad[] = {NULL,
                                      "",
                                      "ftp://a/",
                                      "javascript:alert(1)",
                                      "https://a/b c",
                                      "https://a/\r\nX: y",
                                      "//a/b",
                                      "https://a/\xc3\xa4"};
    fhir_open_store_t *store = presigning_store("direct");
    const fhir_store_presign_request_t request = new_ask();
    fhir_store_presigned_t presigned;
    fhir_call_t call = new_call();
    char *longest = apr_palloc(pool, 8194);
    fhir_error_t *error;
    size_t i;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        orders.url = bad[i];
        error = fhir_store_presign(&presigned, store, &request, &call);
        FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, error);
        CU_ASSERT_PTR_NULL(strstr(error->detail, "javascript"));
    }
    memset(longest, 'a', 8193);
    memcpy(longest, "http://", 7);
    longest[8193] = '\0';
    orders.url = longest;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_presign(&presigned, store, &request, &call));
    longest[8192] = '\0';
    FHIR_ASSERT_OK(fhir_store_presign(&presigned, store, &request, &call));
}

static void test_presign_checks_the_headers(void)
{
    fhir_open_store_t *store = presigning_store("direct");
    const fhir_store_presign_request_t request = new_ask();
    fhir_store_presigned_t presigned;
    fhir_call_t call = new_call();
    orders.url = "https://a/";
    orders.header.key = "x y";
    orders.header.value = "1";
    orders.header_count = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_presign(&presigned, store, &request, &call));
    orders.header.key = "x";
    orders.header.value = "1\r\ny: 2";
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_presign(&presigned, store, &request, &call));
    orders.header.value = NULL;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_presign(&presigned, store, &request, &call));
    orders.header_count = 17;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_presign(&presigned, store, &request, &call));
    orders.header_count = -1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_presign(&presigned, store, &request, &call));
}

static void test_presign_capability_and_callback(void)
{
    fhir_storage_plugin_t half = plugin;
    fhir_store_catalog_t *catalog = new_catalog();
    fhir_error_t *error;
    half.name = "half";
    half.capabilities = FHIR_STORAGE_CAN_PRESIGN;
    error = fhir_store_plugin_register(catalog, &half);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "CAN_PRESIGN, but lacks the callback presign"));
    half.capabilities = 0;
    half.presign = t_presign;
    error = fhir_store_plugin_register(catalog, &half);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "does not say CAN_PRESIGN"));
}

/* A plugin of ABI 1.0 ends with `list`: what lies behind it is not its presign. */
static void test_plugin_of_abi_1_0(void)
{
    fhir_storage_plugin_t old = plugin;
    fhir_store_catalog_t *catalog = new_catalog();
    old.name = "old";
    old.abi_minor = 0;
    old.struct_size = offsetof(fhir_storage_plugin_t, presign);
    old.presign = t_presign; /* foreign memory, as far as the descriptor says */
    FHIR_ASSERT_OK(fhir_store_plugin_register(catalog, &old));
    FHIR_ASSERT_OK(fhir_store_define(catalog, "old", "old", NULL, 0));
    CU_ASSERT_FALSE(fhir_store_can_presign(catalog, "old"));
    old.name = "older";
    old.struct_size--;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_store_plugin_register(catalog, &old));
}

static const fhir_unit_test_t tests[] = {
    {"definitions", test_definitions},
    {"open in order, close backwards", test_open_in_order_close_backwards},
    {"wrapping a later store", test_wrapping_a_later_store},
    {"wrapping a store twice", test_wrapping_a_store_twice},
    {"locators", test_locators},
    {"write and commit", test_write_and_commit},
    {"failed write aborts once", test_failed_write_aborts_once},
    {"blocks on the way", test_blocks_on_the_way},
    {"failed last write aborts", test_failed_last_write_aborts},
    {"failed commit aborts", test_failed_commit_aborts},
    {"other length is removed", test_other_length_is_removed},
    {"cancelled writer is cleaned up", test_cancelled_writer_is_cleaned_up},
    {"limits", test_limits},
    {"foreign codes", test_foreign_codes},
    {"read", test_read},
    {"short and long reads are damage", test_short_and_long_reads_are_damage},
    {"open against the row", test_open_against_the_row},
    {"log and deadline", test_log_and_deadline},
    {"who can presign", test_who_can_presign},
    {"presign", test_presign},
    {"presign without callback", test_presign_without_callback},
    {"presign checks the URL", test_presign_checks_the_url},
    {"presign checks the headers", test_presign_checks_the_headers},
    {"presign: capability and callback", test_presign_capability_and_callback},
    {"a plugin of ABI 1.0", test_plugin_of_abi_1_0},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("store", tests)
