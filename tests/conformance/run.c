/* Runs the conformance suite on one plugin.
 *
 *     run [--label TEXT] [--presign no] --plugin PATH --name NAME [--store NAME] [--option KEY=VALUE]...
 *
 * A plugin that wraps others comes last, after the same arguments for those. A store is called as its plugin, unless
 * --store says otherwise. The label is what the count is printed for, else the last plugin's name. --presign no: the
 * plugin can give URLs, but not as it is configured here.
 *
 *     run --plugin memory.so --name memory --plugin faulty.so --name faulty --option inner=memory */
#include "conformance.h"

#include <apr_general.h>

#define OPTIONS_MAX 16

typedef struct definition_t {
    const char *path;
    const char *name;
    const char *store;
    const char *options[OPTIONS_MAX];
    int option_count;
} definition_t;

static void stop(const char *why, const char *what)
{
    fprintf(stderr, "conformance: %s%s\n", why, what);
    exit(2);
}

static void must(fhir_error_t *error)
{
    if (error) {
        stop(error->public_text, error->detail ? error->detail : "");
    }
}

/* A plugin is loaded once, for any number of stores. */
static int seen_before(const char *name)
{
    static const char *names[8];
    size_t i;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!names[i]) {
            names[i] = name;
            return 0;
        }
        if (!strcmp(names[i], name)) {
            return 1;
        }
    }
    stop("too many plugins", "");
    return 0;
}

static void define(definition_t *definition)
{
    if (!definition->path || !definition->name) {
        stop("--plugin PATH and --name NAME belong together", "");
    }
    if (!definition->store) {
        definition->store = definition->name;
    }
    if (!seen_before(definition->name)) {
        must(fhir_store_plugin_load(suite.catalog, definition->name, definition->path));
    }
    must(fhir_store_define(suite.catalog, definition->store, definition->name, definition->options,
                           definition->option_count));
}

typedef struct arguments_t {
    const char *label;
    int no_presign;
} arguments_t;

/* The last store. */
static definition_t define_all(arguments_t *arguments, int argc, const char *const *argv)
{
    definition_t definition = {0};
    int i;
    for (i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--plugin")) {
            if (definition.path) {
                define(&definition);
            }
            memset(&definition, 0, sizeof(definition));
            definition.path = argv[i + 1];
        } else if (!strcmp(argv[i], "--name")) {
            definition.name = argv[i + 1];
        } else if (!strcmp(argv[i], "--store")) {
            definition.store = argv[i + 1];
        } else if (!strcmp(argv[i], "--label")) {
            arguments->label = argv[i + 1];
        } else if (!strcmp(argv[i], "--presign") && !strcmp(argv[i + 1], "no")) {
            arguments->no_presign = 1;
        } else if (!strcmp(argv[i], "--option") && definition.option_count < OPTIONS_MAX) {
            definition.options[definition.option_count++] = argv[i + 1];
        } else {
            stop("what is this: ", argv[i]);
        }
    }
    define(&definition);
    return definition;
}

static void set_up(void)
{
    apr_pool_create(&suite.pool, NULL);
}

static void tear_down(void)
{
    apr_pool_destroy(suite.pool);
}

static void add_cases(const char *name, const case_t *cases)
{
    CU_pSuite group = CU_add_suite_with_setup_and_teardown(name, NULL, NULL, set_up, tear_down);
    for (; cases->name; cases++) {
        CU_add_test(group, cases->name, cases->run);
    }
}

static int run_cases(const char *label, int presign)
{
    unsigned failed;
    CU_initialize_registry();
    add_cases("write", write_cases);
    add_cases("read", read_cases);
    add_cases("list", list_cases);
    add_cases("time", time_cases);
    add_cases("threads", thread_cases);
    add_cases("presign", presign ? presign_cases : no_presign_cases);
    add_cases("last", last_cases);
    CU_basic_set_mode(CU_BRM_SILENT);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    if (failed) {
        CU_basic_show_failures(CU_get_failure_list());
        printf("\n");
    }
    printf("conformance %s: %u passed, %u failed\n", label, CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *root;
    apr_pool_t *process;
    arguments_t arguments = {NULL, 0};
    definition_t last;
    int result;
    apr_initialize();
    apr_pool_create(&root, NULL);
    suite.catalog = fhir_store_catalog_create(root);
    last = define_all(&arguments, argc, argv);
    apr_pool_create(&process, root);
    must(fhir_store_open_all(suite.catalog, process));
    must(fhir_store_get(&suite.store, suite.catalog, last.store, process));
    suite.plugin = suite.store->plugin;
    suite.raw = suite.store->store;
    result = run_cases(arguments.label ? arguments.label : last.name,
                       (suite.plugin->capabilities & FHIR_STORAGE_CAN_PRESIGN) && !arguments.no_presign);
    apr_pool_destroy(root);
    apr_terminate();
    return result;
}
