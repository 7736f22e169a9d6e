/* Every way in which a plugin can be unusable, and the advice that the administrator gets.
 *
 *     loader DIRECTORY_OF_BROKEN_PLUGINS */
#include "conformance.h"

#include <apr_general.h>

static const char *directory;

static void set_up(void)
{
    apr_pool_create(&suite.pool, NULL);
    suite.catalog = fhir_store_catalog_create(suite.pool);
}

static void tear_down(void)
{
    apr_pool_destroy(suite.pool);
}

static fhir_error_t *load(const char *name)
{
    return fhir_store_plugin_load(suite.catalog, name, apr_pstrcat(suite.pool, directory, "/", name, ".so", NULL));
}

/* The error names the file and says `advice`; and what was refused can't be used. */
static void refused(const char *name, const char *advice)
{
    fhir_error_t *error = load(name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, name));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, advice));
    if (!strstr(error->public_text, advice)) {
        printf("%s: %s\n", name, error->public_text);
    }
    CU_ASSERT_PTR_NOT_NULL(fhir_store_define(suite.catalog, "store", name, NULL, 0));
}

static void whole(void)
{
    ASSERT_OK(load("whole"));
    ASSERT_OK(fhir_store_define(suite.catalog, "store", "whole", NULL, 0));
    ASSERT_ERROR(FHIR_ERROR_INVALID, load("whole")); /* twice */
}

static void missing_file(void)
{
    refused("not_there", "can't be loaded");
}

static void no_symbol(void)
{
    refused("no_symbol", "does not export the function fhir_storage_plugin");
}

static void null_descriptor(void)
{
    refused("null_descriptor", "refuses to work with storage ABI 1.1");
}

static void wrong_magic(void)
{
    refused("wrong_magic", "0x12345678");
}

static void older_major(void)
{
    refused("older_major", "built for storage ABI 0.1, this module speaks 1.1. Install the plugin's newer version");
}

static void newer_minor(void)
{
    refused("newer_minor", "built for storage ABI 1.2, this module speaks 1.1. Install a newer mod_fhir_binary");
}

static void small_struct(void)
{
    refused("small_struct", "struct_size");
}

static void missing_callbacks(void)
{
    refused("missing_callbacks", "lacks required callbacks: writer_commit, list.");
}

static void wrong_name(void)
{
    refused("wrong_name", "is the storage plugin 'other', not 'wrong_name'. Write 'other'");
}

static void bad_name(void)
{
    refused("bad_name", "1 to 32 of a-z, 0-9 and _");
}

static void file_without_callback(void)
{
    refused("file_without_callback", "lacks the callback reader_file");
}

static void callback_without_file(void)
{
    refused("callback_without_file", "does not say CAN_FILE");
}

static void presign_without_callback(void)
{
    refused("presign_without_callback", "lacks the callback presign");
}

static void callback_without_presign(void)
{
    refused("callback_without_presign", "does not say CAN_PRESIGN");
}

/* What ABI 1.0 did not know is NULL, whatever comes behind its descriptor. */
static void older_minor(void)
{
    ASSERT_OK(load("older_minor"));
    ASSERT_OK(fhir_store_define(suite.catalog, "store", "older_minor", NULL, 0));
    ASSERT_OK(fhir_store_open_all(suite.catalog, suite.pool));
    ASSERT_OK(fhir_store_get(&suite.store, suite.catalog, "store", suite.pool));
    CU_ASSERT_PTR_NULL(suite.store->plugin->presign);
    CU_ASSERT_FALSE(fhir_store_can_presign(suite.catalog, "store"));
}

static void future_capability(void)
{
    refused("future_capability", "claims capabilities 0x4");
}

/* A locator that the plugin made wrongly must not reach the database. */
static void empty_locator(void)
{
    fhir_call_t call = core_call(suite.pool);
    const char *key;
    const char *locator;
    ASSERT_OK(load("whole"));
    ASSERT_OK(fhir_store_define(suite.catalog, "store", "whole", NULL, 0));
    ASSERT_OK(fhir_store_open_all(suite.catalog, suite.pool));
    ASSERT_OK(fhir_store_get(&suite.store, suite.catalog, "store", suite.pool));
    ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_store_new_object(&key, &locator, suite.store, &call));
}

static const case_t cases[] = {
    {"whole", whole},
    {"missing file", missing_file},
    {"no symbol", no_symbol},
    {"null descriptor", null_descriptor},
    {"wrong magic", wrong_magic},
    {"older major", older_major},
    {"newer minor", newer_minor},
    {"small struct", small_struct},
    {"missing callbacks", missing_callbacks},
    {"wrong name", wrong_name},
    {"bad name", bad_name},
    {"file without callback", file_without_callback},
    {"callback without file", callback_without_file},
    {"presign without callback", presign_without_callback},
    {"callback without presign", callback_without_presign},
    {"older minor", older_minor},
    {"future capability", future_capability},
    {"empty locator", empty_locator},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const case_t *test;
    CU_pSuite group;
    unsigned failed;
    if (argc != 2) {
        fprintf(stderr, "usage: loader DIRECTORY_OF_BROKEN_PLUGINS\n");
        return 2;
    }
    directory = argv[1];
    apr_initialize();
    CU_initialize_registry();
    group = CU_add_suite_with_setup_and_teardown("loader", NULL, NULL, set_up, tear_down);
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
    printf("conformance loader: %u passed, %u failed\n", CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
