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

/* The database as migration 003 leaves it. */
static void make_third(void)
{
    drop_schema();
    CU_ASSERT_EQUAL(
        system(apr_psprintf(pool,
                            "for file in sql/001*.sql sql/002*.sql sql/003*.sql; do psql -X -q -v ON_ERROR_STOP=1 -d "
                            "'%s' -f $file -c \"INSERT INTO fhir_binary.schema_version (version, name) VALUES ($(echo "
                            "$file | cut -c5-7), '$file')\" || exit 1; done; for file in sql/001*.sql sql/002*.sql "
                            "sql/003*.sql; do psql -X -q -d '%s' -c \"UPDATE fhir_binary.schema_version SET checksum = "
                            "'\\\\x$(sha256sum <$file | cut -c1-64)' WHERE name = '$file'\" || exit 1; done",
                            getenv("FHIR_TEST_CONNINFO"), getenv("FHIR_TEST_CONNINFO"))),
        0);
}

#define PROJECT "11111111-1111-4111-8111-111111111111"
#define CLIENT "22222222-2222-4222-8222-222222222222"

static void fill_third(void)
{
    sql("INSERT INTO fhir_binary.project (id, name) VALUES ('" PROJECT "', 'one'), (gen_random_uuid(), 'two')");
    sql("INSERT INTO fhir_binary.client (id, project_id, name, secret_hash) VALUES ('" CLIENT "', '" PROJECT
        "', 'c', 'x')");
    sql("INSERT INTO fhir_binary.membership (id, project_id, kind, issuer, subject, client_id, profile, admin, "
        "disabled_at) VALUES ('" CLIENT "', '" PROJECT "', 1, '', '" CLIENT "', '" CLIENT
        "', 'Practitioner/1', true, NULL), "
        "(gen_random_uuid(), '" PROJECT "', 2, 'https://\\\"issuer', 'a\\\\b', NULL, NULL, false, NULL), "
        "(gen_random_uuid(), '" PROJECT "', 3, '', 'httpd', NULL, 'Patient/2', false, '2020-01-01')");
    sql("INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated) SELECT "
        "'" PROJECT
        "', t, i, gen_random_uuid(), 1, t = 'Group', now() FROM (VALUES ('Patient', '1'), ('Observation', 'o'), "
        "('Medication', 'm'), ('Group', 'deleted'), ('Encounter', 'e')) v (t, i)");
    sql("INSERT INTO fhir_binary.resource_reference (key, name, target_term, target_type, target_id) SELECT key, n, 0, "
        "t, i FROM fhir_binary.resource r JOIN (VALUES ('Observation', 'subject', 'Patient', '1'), ('Observation', "
        "'subject', 'Device', 'd'), ('Observation', 'performer', 'Patient', '1'), ('Observation', 'based-on', "
        "'Patient', '3'), ('Observation', 'performer', 'Practitioner', '4'), ('Observation', 'performer', 'Patient', "
        "'http://e.org/Patient/5'), ('Observation', 'encounter', '', 'http://e.org/Encounter/6'), ('Medication', "
        "'manufacturer', 'Patient', '7'), ('Group', 'member', 'Patient', '8'), ('Encounter', 'subject', 'Patient', "
        "'9'), ('Encounter', 'patient', 'Patient', '9')) v (type, n, t, i) ON v.type = r.type");
}

static const char *compartments_of(const char *type)
{
    return sql(
        apr_psprintf(pool,
                     "SELECT string_agg(x.target_type || '/' || x.target_id, ' ' ORDER BY x.target_type) FROM "
                     "fhir_binary.resource_reference x JOIN fhir_binary.resource r ON r.key = x.key WHERE r.type "
                     "= '%s' AND x.name = '_compartment' AND x.target_term = "
                     "fhir_binary.search_term(r.project_id, r.type, '_compartment', x.target_id)",
                     type));
}

static void third_memberships(void)
{
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.membership WHERE kind = 4 AND admin AND active"), "2");
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.membership m JOIN fhir_binary.resource r ON r.type = "
                               "'ProjectMembership' AND r.id = m.id::text AND r.project_id = m.project_id"),
                           "3");
    CU_ASSERT_STRING_EQUAL(sql("SELECT v.body FROM fhir_binary.resource_version v JOIN fhir_binary.resource r USING "
                               "(version_id) WHERE r.id = '" CLIENT "'"),
                           "\"user\":{\"reference\" : \"ClientApplication/" CLIENT
                           "\"},\"profile\":{\"reference\" : \"Practitioner/1\"},\"admin\":true");
    /* each row follows from its resource just as it is */
    sql("CREATE TABLE fhir_binary.before AS SELECT * FROM fhir_binary.membership");
    sql("UPDATE fhir_binary.resource SET deleted = deleted WHERE type = 'ProjectMembership'");
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM (SELECT * FROM fhir_binary.membership EXCEPT SELECT * FROM "
                               "fhir_binary.before) x"),
                           "0");
    sql("UPDATE fhir_binary.membership SET profile = 'x', admin = NOT admin, disabled_at = NULL WHERE kind <> 4");
    sql("UPDATE fhir_binary.resource SET deleted = deleted WHERE type = 'ProjectMembership'");
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM (SELECT id, profile, admin, active FROM fhir_binary.membership "
                               "EXCEPT SELECT id, profile, admin, active FROM fhir_binary.before) x"),
                           "0");
}

static void upgrade_from_the_third(void)
{
    fhir_meta_config_t config = config_for(1);
    int from;
    int to;
    make_third();
    fill_third();
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_meta_open(&meta, &config, pool));
    FHIR_ASSERT_OK(fhir_schema_upgrade(&from, &to, meta, &call));
    CU_ASSERT_EQUAL(from, 3);
    FHIR_ASSERT_OK(fhir_meta_health(meta, &call));
    third_memberships();
    CU_ASSERT_STRING_EQUAL(compartments_of("Patient"), "Patient/1");
    CU_ASSERT_STRING_EQUAL(compartments_of("Observation"), "Device/d Patient/1 Practitioner/4");
    CU_ASSERT_STRING_EQUAL(compartments_of("Encounter"), "Encounter/e Patient/9");
    CU_ASSERT_STRING_EQUAL(compartments_of("Medication"), "");
    CU_ASSERT_STRING_EQUAL(compartments_of("Group"), "");
    drop_schema();
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
                                         {"upgrade from the third", upgrade_from_the_third},
                                         {"another build's database", other_builds_database},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("schema", tests)
