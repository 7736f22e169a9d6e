/* A unit test program is one file: test functions, a table, FHIR_UNIT_MAIN. It prints one line
 * "unit NAME: N passed, N failed" and exits 1 if a test failed. `pool` is made anew for each test. */
#ifndef FHIR_TESTS_UNIT_H
#define FHIR_TESTS_UNIT_H

#include "fhir_error.h" /* before `pool` below, which its parameters would shadow */

#include <CUnit/Basic.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tests that are no unit tests say so before they include this file. */
#ifndef FHIR_UNIT_KIND
#define FHIR_UNIT_KIND "unit"
#endif

static apr_pool_t *pool;

typedef struct fhir_unit_test_t {
    const char *name;
    void (*run)(void);
} fhir_unit_test_t;

static int fhir_unit_set_up(void)
{
    return 0;
}

static void fhir_unit_fresh_pool(void)
{
    apr_pool_create(&pool, NULL);
}

static void fhir_unit_drop_pool(void)
{
    apr_pool_destroy(pool);
    pool = NULL;
}

static inline int fhir_unit_run(const char *name, const fhir_unit_test_t *tests)
{
    CU_pSuite suite;
    unsigned failed;
    unsigned run;
    apr_initialize();
    CU_initialize_registry();
    suite =
        CU_add_suite_with_setup_and_teardown(name, fhir_unit_set_up, NULL, fhir_unit_fresh_pool, fhir_unit_drop_pool);
    for (; tests->name; tests++) {
        CU_add_test(suite, tests->name, tests->run);
    }
    CU_basic_set_mode(CU_BRM_SILENT);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    run = CU_get_number_of_tests_run();
    if (failed) {
        CU_basic_show_failures(CU_get_failure_list());
        printf("\n");
    }
    printf(FHIR_UNIT_KIND " %s: %u passed, %u failed\n", name, run - failed, failed);
    CU_cleanup_registry();
    apr_terminate();
    return failed || run == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define FHIR_UNIT_MAIN(name, tests)                                                                                    \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        return fhir_unit_run(name, tests);                                                                             \
    }

/* NULL error expected; the text is shown if not. */
#define FHIR_ASSERT_OK(expression)                                                                                     \
    do {                                                                                                               \
        fhir_error_t *fhir_assert_error = (expression);                                                                \
        if (fhir_assert_error) {                                                                                       \
            printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, fhir_assert_error->public_text,                             \
                   fhir_assert_error->detail ? fhir_assert_error->detail : "");                                        \
        }                                                                                                              \
        CU_ASSERT_PTR_NULL(fhir_assert_error);                                                                         \
    } while (0)

/* This error code expected. */
#define FHIR_ASSERT_ERROR(expected_code, expression)                                                                   \
    do {                                                                                                               \
        fhir_error_t *fhir_assert_error = (expression);                                                                \
        CU_ASSERT_PTR_NOT_NULL(fhir_assert_error);                                                                     \
        if (fhir_assert_error) {                                                                                       \
            CU_ASSERT_EQUAL(fhir_assert_error->code, expected_code);                                                   \
        }                                                                                                              \
    } while (0)

#endif
