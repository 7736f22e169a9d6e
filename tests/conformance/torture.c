/* Fails operation k of an upload, download and removal, for every k, on a store wrapped by `faulty`: afterwards nothing
 * may be visible, listed, open or left in tmp that the caller was not told of.
 *
 *     torture DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY */
#include "conformance.h"

#include <apr_general.h>
#include <dirent.h>
#include <unistd.h>

#define OPERATIONS_MAX 200

/* What the caller knows after the scenario. */
typedef struct outcome_t {
    object_t object;
    int committed; /* success was reported */
    int removed;
    int reached_end;
    int wrong_bytes;
    fhir_error_t *error;
} outcome_t;

static unsigned passed;
static unsigned failed;

static void check(int condition, const char *what, const char *inner, const char *rule)
{
    if (condition) {
        passed++;
    } else {
        failed++;
        printf("torture of %s with %s: %s\n", inner, rule, what);
    }
}

static fhir_error_t *upload(outcome_t *outcome, const fhir_call_t *call)
{
    fhir_object_writer_t *writer;
    fhir_written_t written;
    char buffer[1000];
    apr_off_t done;
    FHIR_TRY(fhir_store_health(suite.store, call));
    FHIR_TRY(fhir_store_new_object(&outcome->object.key, &outcome->object.locator, suite.store, call));
    FHIR_TRY(fhir_object_begin(&writer, suite.store, outcome->object.key, outcome->object.locator, 3000, NULL,
                               UNLIMITED, call));
    for (done = 0; done < 3000; done += 1000) {
        fill_pattern(buffer, done, sizeof(buffer));
        FHIR_TRY(fhir_object_write(writer, buffer, sizeof(buffer)));
    }
    FHIR_TRY(fhir_object_commit(&written, writer, 0));
    outcome->committed = 1;
    return NULL;
}

static fhir_error_t *scenario(outcome_t *outcome, apr_pool_t *request)
{
    fhir_call_t call = core_call(request);
    fhir_object_info_t info;
    int correct = 1;
    int existed;
    FHIR_TRY(upload(outcome, &call));
    FHIR_TRY(fhir_object_stat(&info, suite.store, outcome->object.locator, &call));
    outcome->error = check_pattern(&correct, &outcome->object, 3000, 0, -1, 700, request);
    outcome->wrong_bytes = !outcome->error && !correct;
    FHIR_TRY(outcome->error);
    FHIR_TRY(fhir_object_remove(&existed, suite.store, outcome->object.locator, &call));
    outcome->removed = 1;
    outcome->reached_end = 1;
    return NULL;
}

static int entries_of(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    if (!directory) {
        return 0;
    }
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count - 2;
}

/* Through the wrapped store itself, where no fault is ordered. */
static void inspect(const outcome_t *outcome, const char *inner, const char *rule, const char *scratch,
                    apr_pool_t *pool)
{
    fhir_call_t call = core_call(pool);
    int lost = strstr(rule, "lose=") != NULL;
    int existed = 0;
    int seen = 0;
    fhir_error_t *error = fhir_store_get(&suite.store, suite.catalog, inner, pool);
    check(!error, "the wrapped store is open", inner, rule);
    if (outcome->object.locator) {
        seen = visible(&outcome->object, pool);
        check(!seen || outcome->committed || lost, "an object is visible that was never committed", inner, rule);
        check(seen || !outcome->committed || outcome->removed || lost, "a committed object is gone", inner, rule);
        check(seen == times_listed(outcome->object.locator, NULL, pool), "remains are listed", inner, rule);
        error = fhir_object_remove(&existed, suite.store, outcome->object.locator, &call);
        check(!error && existed == seen, "the row's locator does not remove what was left", inner, rule);
        check(times_listed(outcome->object.locator, NULL, pool) == 0, "it is still listed", inner, rule);
    }
    check(!outcome->wrong_bytes, "wrong bytes were read without an error", inner, rule);
    check(entries_of(apr_pstrcat(pool, scratch, "/tmp", NULL)) == 0, "a temporary file is left", inner, rule);
}

static fhir_error_t *define(const char *plugins, const char *inner, const char *rule, const char *scratch,
                            apr_pool_t *pool)
{
    const char *inner_options[1];
    const char *options[2];
    inner_options[0] = apr_pstrcat(pool, "path=", scratch, NULL);
    options[0] = apr_pstrcat(pool, "inner=", inner, NULL);
    options[1] = rule;
    FHIR_TRY(
        fhir_store_plugin_load(suite.catalog, inner, apr_pstrcat(pool, plugins, "/fhir_storage_", inner, ".so", NULL)));
    FHIR_TRY(
        fhir_store_plugin_load(suite.catalog, "faulty", apr_pstrcat(pool, plugins, "/fhir_storage_faulty.so", NULL)));
    FHIR_TRY(fhir_store_define(suite.catalog, inner, inner, inner_options, strcmp(inner, "memory") ? 1 : 0));
    FHIR_TRY(fhir_store_define(suite.catalog, "faulty", "faulty", options, 2));
    FHIR_TRY(fhir_store_open_all(suite.catalog, pool));
    return fhir_store_get(&suite.store, suite.catalog, "faulty", pool);
}

/* 1 when the scenario came to its end: k was more than there are operations. */
static int one_round(const char *plugins, const char *inner, const char *rule, const char *scratch)
{
    outcome_t outcome = {{NULL, NULL}, 0, 0, 0, 0, NULL};
    apr_pool_t *process;
    apr_pool_t *request;
    fhir_error_t *error;
    int before = open_descriptors();
    apr_pool_create(&process, NULL);
    suite.catalog = fhir_store_catalog_create(process);
    error = define(plugins, inner, rule, scratch, process);
    check(!error, error ? error->public_text : "", inner, rule);
    if (error) {
        exit(1);
    }
    apr_pool_create(&request, process);
    outcome.error = scenario(&outcome, request);
    if (outcome.object.locator) {
        outcome.object.locator = apr_pstrdup(process, outcome.object.locator);
        outcome.object.key = apr_pstrdup(process, outcome.object.key);
    }
    check(outcome.reached_end || outcome.error != NULL, "it stopped without an error", inner, rule);
    apr_pool_destroy(request);
    inspect(&outcome, inner, rule, scratch, process);
    apr_pool_destroy(process);
    check(open_descriptors() == before, "a descriptor is left open", inner, rule);
    return outcome.reached_end;
}

static void every_k(const char *plugins, const char *inner, const char *kind, const char *scratch)
{
    char rule[64];
    int k;
    for (k = 1; k < OPERATIONS_MAX; k++) {
        snprintf(rule, sizeof(rule), "%s=any:%d:unavailable", kind, k);
        if (one_round(plugins, inner, rule, scratch)) {
            break;
        }
    }
    check(k > 10 && k < OPERATIONS_MAX, "every operation was reached", inner, kind);
}

/* A store that ends an object early and says nothing must not pass for a whole one. */
static void quiet_ends(const char *plugins, const char *inner, const char *scratch)
{
    char rule[64];
    int k;
    for (k = 1; k < OPERATIONS_MAX; k++) {
        snprintf(rule, sizeof(rule), "short_read=%d", k);
        if (one_round(plugins, inner, rule, scratch)) {
            break;
        }
    }
    check(k > 3 && k < OPERATIONS_MAX, "every read was reached", inner, "short_read");
}

int main(int argc, char **argv)
{
    static const char *const inner[] = {"memory", "filesystem"};
    size_t i;
    if (argc != 3) {
        fprintf(stderr, "usage: torture DIRECTORY_OF_PLUGINS SCRATCH_DIRECTORY\n");
        return 2;
    }
    apr_initialize();
    for (i = 0; i < 2; i++) {
        every_k(argv[1], inner[i], "fail", argv[2]);
        every_k(argv[1], inner[i], "lose", argv[2]);
        quiet_ends(argv[1], inner[i], argv[2]);
    }
    printf("conformance torture: %u passed, %u failed\n", passed, failed);
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
