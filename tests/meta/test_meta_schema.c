/* Migrations: idempotent, safe for several nodes at once, refusing what they don't know. */
#include "meta_test.h"

#include <sys/wait.h>

static void drop_schema(void)
{
    sql("DROP SCHEMA IF EXISTS fhir_binary CASCADE");
}

static void upgrade_twice(void)
{
    fhir_meta_config_t config = config_for(2);
    int from;
    int to;
    int version = -1;
    drop_schema();
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    FHIR_ASSERT_OK(fhir_schema_current(&version, meta, &call));
    CU_ASSERT_EQUAL(version, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_meta_health(meta, &call));
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
    CU_ASSERT_EQUAL(from, 0);
    CU_ASSERT_EQUAL(to, fhir_schema_version());
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
    CU_ASSERT_EQUAL(from, to);
    FHIR_ASSERT_OK(fhir_schema_current(&version, meta, &call));
    CU_ASSERT_EQUAL(version, fhir_schema_version());
    FHIR_ASSERT_OK(fhir_meta_health(meta, &call));
}

static int upgrade_in_child(void)
{
    fhir_meta_config_t config = config_for(1);
    fhir_error_t *error;
    int from;
    int to;
    call = call_for(pool);
    error = fhir_meta_open(&meta, &config, pool);
    if (!error) {
        error = fhir_schema_upgrade(&from, &to, meta, &call);
    }
    if (error) {
        printf("child: %s (%s)\n", error->public_text, error->detail ? error->detail : "");
        fflush(stdout);
    }
    return error ? 1 : 0;
}

static void upgrade_by_eight_processes(void)
{
    drop_schema();
    fflush(stdout);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            _exit(upgrade_in_child());
        }
    }
    for (int i = 0; i < 8; i++) {
        int status = -1;
        wait(&status);
        CU_ASSERT_EQUAL(status, 0);
    }
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.schema_version"),
                           apr_itoa(pool, fhir_schema_version()));
}

static void newer_is_refused(void)
{
    fhir_error_t *error;
    apr_array_header_t *projects;
    int from;
    int to;
    open_meta(1);
    sql("INSERT INTO fhir_binary.schema_version (version, name) VALUES (999, 'from the future')");
    error = fhir_schema_upgrade(&from, &to, meta, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "999"));
    error = fhir_meta_project_list(&projects, meta, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_AFTER);
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "999"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "999"));
    sql("DELETE FROM fhir_binary.schema_version WHERE version = 999");
    FHIR_ASSERT_OK(fhir_meta_project_list(&projects, meta, &call));
}

static void older_says_what_to_do(void)
{
    fhir_error_t *error;
    fhir_meta_config_t config = config_for(1);
    int from;
    int to;
    drop_schema();
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    error = fhir_meta_health(meta, &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "fhirbinctl db upgrade"));
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
    FHIR_ASSERT_OK(fhir_meta_health(meta, &call));
}

static void versions_are_immutable(void)
{
    fhir_version_change_t change;
    const fhir_binary_t *binary;
    const char *project;
    open_meta(1);
    project = make_project();
    change = change_of(FHIR_CHANGE_CREATE, project, "a");
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    CU_ASSERT_NOT_EQUAL(system(apr_psprintf(pool,
                                            "psql -X -q -d '%s' -c \"UPDATE fhir_binary.binary_version SET "
                                            "filename = 'x'\" 2>/dev/null",
                                            getenv("FHIR_TEST_CONNINFO"))),
                        0);
}

static const fhir_unit_test_t tests[] = {
    {"upgrade is idempotent", upgrade_twice},           {"eight processes upgrade at once", upgrade_by_eight_processes},
    {"a newer schema is refused", newer_is_refused},    {"an older schema says what to do", older_says_what_to_do},
    {"versions are immutable", versions_are_immutable}, {NULL, NULL}};

FHIR_UNIT_MAIN("schema", tests)
