/* core/base/log.c */
#include "tests/unit/unit.h"

#include "core/base/log.h"

#define LINES_MAX 40

typedef struct lines_t {
    char *text[LINES_MAX];
    fhir_log_level_t level[LINES_MAX];
    apr_status_t status[LINES_MAX];
    int count;
} lines_t;

static void keep(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    lines_t *lines = baton;
    if (lines->count < LINES_MAX) {
        lines->text[lines->count] = apr_pstrdup(pool, text);
        lines->level[lines->count] = level;
        lines->status[lines->count] = status;
    }
    lines->count++;
}

static fhir_log_t listen_to(lines_t *lines, fhir_log_level_t level)
{
    fhir_log_t log = {keep, NULL, FHIR_LOG_ERROR};
    memset(lines, 0, sizeof(*lines));
    log.baton = lines;
    log.level = level;
    return log;
}

static void test_formats_and_filters(void)
{
    lines_t lines;
    fhir_log_t log = listen_to(&lines, FHIR_LOG_INFO);
    fhir_log(&log, FHIR_LOG_WARNING, APR_ENOENT, "%s is %d", "this", 5);
    fhir_log(&log, FHIR_LOG_DEBUG, APR_SUCCESS, "not this");
    fhir_log(&log, FHIR_LOG_INFO, APR_SUCCESS, "at the level");
    CU_ASSERT_EQUAL_FATAL(lines.count, 2);
    CU_ASSERT_STRING_EQUAL(lines.text[0], "this is 5");
    CU_ASSERT_EQUAL(lines.level[0], FHIR_LOG_WARNING);
    CU_ASSERT_EQUAL(lines.status[0], APR_ENOENT);
    CU_ASSERT_STRING_EQUAL(lines.text[1], "at the level");
}

static void test_without_a_listener(void)
{
    fhir_log_t log = {NULL, NULL, FHIR_LOG_DEBUG};
    fhir_error_t error = {0};
    fhir_log(NULL, FHIR_LOG_ERROR, APR_SUCCESS, "nobody %s", "hears");
    fhir_log(&log, FHIR_LOG_ERROR, APR_SUCCESS, "nobody %s", "hears");
    fhir_log_error(NULL, FHIR_LOG_ERROR, &error, "doing");
    fhir_log_error(&log, FHIR_LOG_ERROR, &error, "doing");
    CU_PASS("no crash");
}

static void test_one_line_stays_one_line(void)
{
    lines_t lines;
    fhir_log_t log = listen_to(&lines, FHIR_LOG_DEBUG);
    fhir_log(&log, FHIR_LOG_ERROR, APR_SUCCESS, "a\nb\rc\td\x1b[31m\x7f \xc3\xa9");
    CU_ASSERT_STRING_EQUAL(lines.text[0], "a?b?c?d?[31m? \xc3\xa9");
}

static void test_long_lines_are_cut(void)
{
    lines_t lines;
    fhir_log_t log = listen_to(&lines, FHIR_LOG_DEBUG);
    char *text = apr_palloc(pool, 5000);
    memset(text, 'x', 4999);
    text[4999] = '\0';
    fhir_log(&log, FHIR_LOG_ERROR, APR_SUCCESS, "%s", text);
    CU_ASSERT_EQUAL(strlen(lines.text[0]), 2047);
}

static void test_error_and_causes(void)
{
    lines_t lines;
    fhir_log_t log = listen_to(&lines, FHIR_LOG_DEBUG);
    fhir_error_t *below = fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_ECONNREFUSED, "away", "host %s", "db");
    fhir_error_t *error = fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_SUCCESS, "failed", NULL);
    error->cause = below;
    fhir_log_error(&log, FHIR_LOG_ERROR, error, "creating");
    CU_ASSERT_EQUAL_FATAL(lines.count, 2);
    CU_ASSERT_STRING_EQUAL(lines.text[0], "creating: failed");
    CU_ASSERT_STRING_EQUAL(lines.text[1], "creating: caused by: away [host db]");
    CU_ASSERT_EQUAL(lines.status[1], APR_ECONNREFUSED);
}

static void test_odd_errors(void)
{
    lines_t lines;
    fhir_log_t log = listen_to(&lines, FHIR_LOG_DEBUG);
    fhir_error_t error = {0};
    error.cause = &error; /* a ring must end */
    fhir_log_error(&log, FHIR_LOG_ERROR, &error, NULL);
    CU_ASSERT(lines.count > 1 && lines.count < LINES_MAX);
    CU_ASSERT_STRING_EQUAL(lines.text[0], "failed: (no text)");
    fhir_log_error(&log, FHIR_LOG_ERROR, NULL, "nothing");
}

static const fhir_unit_test_t tests[] = {
    {"formats and filters", test_formats_and_filters},
    {"without a listener", test_without_a_listener},
    {"one line stays one line", test_one_line_stays_one_line},
    {"long lines are cut", test_long_lines_are_cut},
    {"error and causes", test_error_and_causes},
    {"odd errors", test_odd_errors},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("log", tests)
