/* Migrations: idempotent, safe for several nodes at once, refusing what they don't know. */
#include "meta_test.h"

#include <sys/wait.h>

static void drop_schema(void)
{
    sql("SET client_min_messages = error; DROP SCHEMA IF EXISTS fhir_binary CASCADE");
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

static const char *checksums(void)
{
    return sql("SELECT count(*) || ' ' || count(checksum) || ' ' || count(DISTINCT checksum) FROM "
               "fhir_binary.schema_version");
}

static void checksums_are_kept(void)
{
    int version = fhir_schema_version();
    int from;
    int to;
    drop_schema();
    open_meta(1);
    CU_ASSERT_STRING_EQUAL(checksums(), apr_psprintf(pool, "%d %d %d", version, version, version));
    /* kept as they are when there is nothing to do */
    sql("UPDATE fhir_binary.schema_version SET name = 'as before'");
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
    CU_ASSERT_EQUAL(from, version);
    CU_ASSERT_STRING_EQUAL(checksums(), apr_psprintf(pool, "%d %d %d", version, version, version));
}

/* A database of before there were checksums gets them all. */
static void upgrade_from_the_first(void)
{
    fhir_meta_config_t config = config_for(1);
    int version = fhir_schema_version();
    int from;
    int to;
    drop_schema();
    CU_ASSERT_EQUAL(system(apr_psprintf(pool, "psql -X -q -v ON_ERROR_STOP=1 -d '%s' -f sql/001_initial.sql",
                                        getenv("FHIR_TEST_CONNINFO"))),
                    0);
    sql("INSERT INTO fhir_binary.schema_version (version, name) VALUES (1, '001_initial')");
    sql("INSERT INTO fhir_binary.project (id, name) VALUES (gen_random_uuid(), 'kept')");
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, fhir_meta_health(meta, &call));
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
    CU_ASSERT_EQUAL(from, 1);
    CU_ASSERT_EQUAL(to, version);
    CU_ASSERT_STRING_EQUAL(checksums(), apr_psprintf(pool, "%d %d %d", version, version, version));
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.project WHERE name = 'kept'"), "1");
    FHIR_ASSERT_OK(fhir_meta_health(meta, &call));
}

/* The same number, another text: refused by both, with what to do. */
static void other_builds_database(void)
{
    fhir_meta_config_t config = config_for(1);
    fhir_error_t *error;
    int from;
    int to;
    drop_schema();
    open_meta(1);
    for (int version = 1; version <= 2; version++) {
        sql(apr_psprintf(pool,
                         "UPDATE fhir_binary.schema_version SET checksum = CASE WHEN version = %d THEN "
                         "decode(repeat('00', 32), 'hex') ELSE checksum END",
                         version));
        FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
        error = fhir_schema_upgrade(&from, &to, meta, &call);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "made by a different build"));
        CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "001_initial")); /* the first that differs */
        error = fhir_meta_health(meta, &call);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
        CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "made by a different build"));
        CU_ASSERT_PTR_NULL(strstr(error->public_text, "build"));
    }
    /* a checksum that was taken away is none */
    sql("UPDATE fhir_binary.schema_version SET checksum = NULL");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_schema_upgrade(&from, &to, meta, &call));
    drop_schema();
}

static const fhir_unit_test_t tests[] = {{"upgrade is idempotent", upgrade_twice},
                                         {"eight processes upgrade at once", upgrade_by_eight_processes},
                                         {"a newer schema is refused", newer_is_refused},
                                         {"an older schema says what to do", older_says_what_to_do},
                                         {"versions are immutable", versions_are_immutable},
                                         {"checksums are kept", checksums_are_kept},
                                         {"upgrade from the first", upgrade_from_the_first},
                                         {"another build's database", other_builds_database},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("schema", tests)
