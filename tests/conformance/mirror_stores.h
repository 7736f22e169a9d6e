/* Two directories, a mirror of them and perhaps faults in between, for the programs that test mirrors. */
#ifndef FHIR_TESTS_CONFORMANCE_MIRROR_STORES_H
#define FHIR_TESTS_CONFORMANCE_MIRROR_STORES_H

#include "files.h"

#include <apr_general.h>

#define CHUNK 65536
#define HEADER 256
#define TAG 16

static const char *plugins;
static const char *scratch;
static const char *place; /* a new one for each test */
static int place_number;
static apr_pool_t *process; /* closes the stores */

static const char *const halves[] = {"left", "right"};

static inline const char *at(const char *name)
{
    return apr_pstrcat(suite.pool, place, "/", name, NULL);
}

static inline const char *option(const char *name, const char *value)
{
    return apr_pstrcat(suite.pool, name, "=", value, NULL);
}

/* left and right on disks, faulty_left and faulty_right around them if faults are ordered (with spaces between), mirror
 * around those. */
static inline fhir_error_t *define_half(int half, const char *fault)
{
    const char *options[] = {option("path", at(halves[half])), "sync=off"};
    const char *faulty[4] = {option("inner", halves[half])};
    char *rest = fault ? apr_pstrdup(suite.pool, fault) : NULL;
    int count = 1;
    FHIR_TRY(fhir_store_define(suite.catalog, halves[half], "filesystem", options, 2));
    if (!fault) {
        return NULL;
    }
    while (rest && count < 4) {
        faulty[count++] = strsep(&rest, " ");
    }
    return fhir_store_define(suite.catalog, apr_pstrcat(suite.pool, "faulty_", halves[half], NULL), "faulty", faulty,
                             count);
}

static inline fhir_error_t *define(const char *write, const char *left_fault, const char *right_fault)
{
    static const char *const names[] = {"filesystem", "faulty", "mirror"};
    const char *options[] = {left_fault ? "first=faulty_left" : "first=left",
                             right_fault ? "second=faulty_right" : "second=right", option("write", write)};
    size_t i;
    for (i = 0; i < 3; i++) {
        FHIR_TRY(fhir_store_plugin_load(suite.catalog, names[i],
                                        apr_pstrcat(suite.pool, plugins, "/fhir_storage_", names[i], ".so", NULL)));
    }
    FHIR_TRY(define_half(0, left_fault));
    FHIR_TRY(define_half(1, right_fault));
    FHIR_TRY(fhir_store_define(suite.catalog, "mirror", "mirror", options, 3));
    return fhir_store_define(suite.catalog, "other_process", "mirror", options, 3);
}

static inline void use(const char *name)
{
    ASSERT_OK(fhir_store_get(&suite.store, suite.catalog, name, suite.pool));
    suite.plugin = suite.store->plugin;
    suite.raw = suite.store->store;
}

static inline void close_stores(void)
{
    if (process) {
        apr_pool_destroy(process);
        process = NULL;
    }
}

static inline void reopen(const char *write, const char *left_fault, const char *right_fault)
{
    close_stores();
    apr_pool_create(&process, NULL);
    suite.catalog = fhir_store_catalog_create(process);
    ASSERT_OK(define(write, left_fault, right_fault));
    ASSERT_OK(fhir_store_open_all(suite.catalog, process));
    use("mirror");
}

static inline void set_up(void)
{
    apr_pool_create(&suite.pool, NULL);
    place = apr_psprintf(suite.pool, "%s/mirror-%d", scratch, place_number++);
    if (mkdir(place, 0700)) {
        die("mkdir", place);
    }
    reopen("both", NULL, NULL);
}

/* Writers and readers first. */
static inline void tear_down(void)
{
    apr_pool_destroy(suite.pool);
    close_stores();
}

static inline object_t stored(apr_off_t size, int announce)
{
    object_t object = new_object(suite.pool);
    fhir_written_t written;
    ASSERT_OK(store_pattern(&written, &object, size, 30000, announce, suite.pool));
    return object;
}

static inline const char *copy_of(const object_t *object, int half)
{
    return at(
        apr_psprintf(suite.pool, "%s/objects/%.2s/%.2s/%s", halves[half], object->key, object->key + 2, object->key));
}

/* Of a program `mirror... DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY`. */
static inline int run_cases(int argc, char **argv, const case_t *cases, const char *label)
{
    const case_t *test;
    CU_pSuite group;
    unsigned failed;
    if (argc != 3) {
        fprintf(stderr, "usage: %s DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY\n", argv[0]);
        return 2;
    }
    plugins = argv[1];
    scratch = argv[2];
    apr_initialize();
    CU_initialize_registry();
    group = CU_add_suite_with_setup_and_teardown("mirror", NULL, NULL, set_up, tear_down);
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
    printf("conformance %s: %u passed, %u failed\n", label, CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
