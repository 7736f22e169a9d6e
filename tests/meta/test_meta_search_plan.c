/* What a search costs: with 50,000 resources each kind of search looks at few rows, by an index, and the plan is the
 * same without statistics. */
#include "core/meta/pg_resource.h"
#include "resource_test.h"

static const char *project;

/* @ stands for the project. */
static const char *with_project(const char *text)
{
    fhir_text_t made;
    fhir_text_init(&made, pool);
    for (; *text; text++) {
        if (*text == '@') {
            fhir_text_add(&made, project);
        } else {
            fhir_text_add_bytes(&made, text, 1);
        }
    }
    return made.text;
}

/* As commit_resource would write them, many at once. Of 50,000 Observations: unique identifiers, 1000 subjects, two
 * statuses, 100 codes, 5000 names, 10 profiles, a date every hour. The Patients are 1000. */
static void make_rows(void)
{
    static const char *const statements[] = {
        "TRUNCATE fhir_binary.resource, fhir_binary.resource_version, fhir_binary.attachment, "
        "fhir_binary.resource_token, fhir_binary.resource_string, fhir_binary.resource_reference, "
        "fhir_binary.resource_date, fhir_binary.resource_uri",
        "INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated) "
        "SELECT '@', 'Observation', 'o' || n, gen_random_uuid(), 1, false, timestamptz 'epoch' + n * interval "
        "'1 minute' FROM generate_series(1, 50000) n",
        "INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated) "
        "SELECT '@', 'Patient', 'p' || n, gen_random_uuid(), 1, false, timestamptz 'epoch' + n * interval "
        "'1 minute' FROM generate_series(0, 999) n",
        "INSERT INTO fhir_binary.resource_version (version_id, key, sequence, change, last_updated, author_id, "
        "attachment_count, meta, body) SELECT version_id, key, 1, 1, last_updated, project_id, 0, '', "
        "repeat('x', 300) FROM fhir_binary.resource WHERE project_id = '@'",
        "CREATE TABLE IF NOT EXISTS fhir_binary.plan_numbers AS SELECT r.key, r.project_id AS p, "
        "substr(r.id, 2)::int AS n FROM fhir_binary.resource r WHERE false",
        "TRUNCATE fhir_binary.plan_numbers",
        "INSERT INTO fhir_binary.plan_numbers SELECT key, project_id, substr(id, 2)::int FROM fhir_binary.resource "
        "WHERE type = 'Observation' AND project_id = '@'",
        "INSERT INTO fhir_binary.resource_token SELECT key, v.name, fhir_binary.search_term(p, 'Observation', v.name, "
        "v.code), fhir_binary.search_term(p, 'Observation', v.name, v.system), v.system, v.code, v.code FROM "
        "fhir_binary.plan_numbers CROSS JOIN LATERAL (VALUES ('identifier', 'urn:i', 'i' || n), ('status', '', CASE "
        "WHEN n % 2 = 0 THEN 'final' ELSE 'preliminary' END), ('code', 'urn:' || n % 7, 'c' || n % 100)) v (name, "
        "system, code)",
        "INSERT INTO fhir_binary.resource_string SELECT key, 'name', fhir_binary.search_term(p, 'Observation', 'name', "
        "NULL), 'name' || n % 5000, 'Name' || n % 5000 FROM fhir_binary.plan_numbers",
        "INSERT INTO fhir_binary.resource_reference SELECT key, v.name, fhir_binary.search_term(p, 'Observation', "
        "v.name, 'p' || n % 1000), fhir_binary.search_term(p, 'Observation', v.name, 'v' || n), 'Patient', 'p' || n "
        "% 1000, 'urn:i', 'v' || n FROM fhir_binary.plan_numbers CROSS JOIN (VALUES ('subject'), ('patient'), "
        "('_compartment')) v (name)",
        "INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated) "
        "SELECT '@', 'AccessPolicy', 'p' || n, gen_random_uuid(), 1, false, timestamptz 'epoch' FROM "
        "generate_series(0, 999) n",
        "INSERT INTO fhir_binary.resource_date SELECT key, 'date', fhir_binary.search_term(p, 'Observation', 'date', "
        "NULL), n * 3600000000::bigint, n * 3600000000::bigint + 3599999999 FROM fhir_binary.plan_numbers",
        "INSERT INTO fhir_binary.resource_uri SELECT key, '_profile', fhir_binary.search_term(p, 'Observation', "
        "'_profile', NULL), 'http://e.org/' || n % 10 || '/' || n FROM fhir_binary.plan_numbers"};
    for (int i = 0; i < (int)(sizeof(statements) / sizeof(statements[0])); i++) {
        sql(with_project(statements[i]));
    }
}

/* ---- reading a plan ---- */

typedef struct cost_t {
    double rows; /* most that one node gave or threw away, over all its loops */
    const char *worst;
    int sequential;
    int any_unbounded;
} cost_t;

static double number_after(const char *line, const char *label)
{
    const char *at = strstr(line, label);
    return at ? strtod(at + strlen(label), NULL) : 0;
}

static void look_at(cost_t *cost, const char *line, double *loops)
{
    double rows = 0;
    if (strstr(line, "actual rows=")) {
        *loops = number_after(line, "loops=");
        rows = number_after(line, "actual rows=") * *loops;
    } else if (strstr(line, "Rows Removed by")) {
        rows = number_after(line, ": ") * *loops;
    }
    if (rows > cost->rows) {
        cost->rows = rows;
        cost->worst = line;
    }
    cost->sequential |= strstr(line, "Seq Scan on") != NULL;
    cost->any_unbounded |= strstr(line, "Bitmap") != NULL || strstr(line, "Gather") != NULL;
}

static cost_t explain(fhir_pg_query_t *query)
{
    cost_t cost = {.worst = ""};
    PGresult *result = NULL;
    fhir_pg_query_t explained = *query;
    double loops = 0;
    fhir_text_init(&explained.sql, pool);
    fhir_text_add(&explained.sql, "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, SUMMARY OFF) ");
    fhir_text_add(&explained.sql, query->sql.text);
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_pg_query_run(&result, meta, &explained, &call));
    for (int row = 0; result && row < PQntuples(result); row++) {
        look_at(&cost, fhir_pg_text(result, row, 0, pool), &loops);
        if (getenv("FHIR_TEST_PLANS")) {
            printf("%s\n", PQgetvalue(result, row, 0));
        }
    }
    PQclear(result);
    return cost;
}

static void expect_cost(const char *what, fhir_pg_query_t *query, double most)
{
    cost_t cost = explain(query);
    if (cost.sequential || cost.any_unbounded || cost.rows > most) {
        printf("%s: %.0f rows instead of %.0f at most, in:%s\n", what, cost.rows, most, cost.worst);
    }
    CU_ASSERT_FALSE(cost.sequential);
    CU_ASSERT_FALSE(cost.any_unbounded);
    CU_ASSERT_TRUE(cost.rows <= most);
}

static void expect(const char *what, const fhir_search_t *search, double most)
{
    fhir_pg_page_t page = {.limit = search->count, .counted = search->total != FHIR_TOTAL_NONE};
    fhir_pg_query_t query;
    FHIR_ASSERT_OK(fhir_pg_search_sql(&query, project, search, &page, pool));
    expect_cost(what, &query, most);
}

/* ---- kinds of search ---- */

static void tokens(void)
{
    fhir_search_t search = search_for("Observation");
    expect("no criterion", &search, 50);
    add_code(&search, "identifier", FHIR_SEARCH_TOKEN, "i77")->system = "urn:i";
    expect("identifier", &search, 50);
    search = search_for("Observation");
    add_code(&search, "status", FHIR_SEARCH_TOKEN, "final");
    expect("a common token: newest first", &search, 10001);
    add_code(&search, "identifier", FHIR_SEARCH_TOKEN, "i78");
    expect("a common and a rare token", &search, 50);
    search = search_for("Observation");
    add_code(&search, "code", FHIR_SEARCH_TOKEN, "c7");
    expect("code", &search, 1100);
    add_code(&search, "code", FHIR_SEARCH_TOKEN, NULL)->system = "urn:3";
    expect("any code of a system", &search, 7500);
    search = search_for("Observation");
    add_criterion(&search, "status", FHIR_SEARCH_TOKEN, FHIR_MODIFIER_NOT)->code = "final";
    expect(":not", &search, 100);
    search = search_for("Observation");
    add_criterion(&search, "code", FHIR_SEARCH_TOKEN, FHIR_MODIFIER_TEXT)->text = "c";
    expect(":text", &search, 100);
    search = search_for("Observation");
    add_criterion(&search, "value", FHIR_SEARCH_TOKEN, FHIR_MODIFIER_MISSING)->code = "true";
    expect(":missing=true", &search, 100);
    search = search_for("Observation");
    add_criterion(&search, "status", FHIR_SEARCH_TOKEN, FHIR_MODIFIER_MISSING)->code = "false";
    expect(":missing=false", &search, 100);
}

static void references(void)
{
    fhir_search_t search = search_for("Observation");
    add_code(&search, "subject", FHIR_SEARCH_REFERENCE, "p7")->system = "Patient";
    expect("subject", &search, 200);
    add_code(&search, "status", FHIR_SEARCH_TOKEN, "preliminary");
    expect("subject and status", &search, 200);
    search.total = FHIR_TOTAL_ACCURATE;
    expect("subject and status with total", &search, 200);
    search.cursor = fhir_pg_cursor(apr_time_from_sec(60 * 7007), 7007, pool);
    expect("the next page", &search, 200);
    search = search_for("Observation");
    add_criterion(&search, "subject", FHIR_SEARCH_REFERENCE, FHIR_MODIFIER_IDENTIFIER)->code = "v9";
    expect(":identifier", &search, 50);
}

static void texts(void)
{
    fhir_search_t search = search_for("Observation");
    add_criterion(&search, "name", FHIR_SEARCH_STRING, FHIR_MODIFIER_NONE)->text = "name77";
    expect("string", &search, 400);
    search = search_for("Observation");
    add_criterion(&search, "name", FHIR_SEARCH_STRING, FHIR_MODIFIER_EXACT)->text = "Name77";
    expect(":exact", &search, 100);
    search = search_for("Observation");
    add_criterion(&search, "name", FHIR_SEARCH_STRING, FHIR_MODIFIER_CONTAINS)->text = "me4";
    expect(":contains", &search, 1000);
    search = search_for("Observation");
    add_code(&search, "_profile", FHIR_SEARCH_URI, "http://e.org/7/77");
    expect("uri", &search, 50);
    search = search_for("Observation");
    add_criterion(&search, "_profile", FHIR_SEARCH_URI, FHIR_MODIFIER_BELOW)->code = "http://e.org/7";
    expect(":below", &search, 5001);
}

static void dates(void)
{
    static const fhir_search_prefix_t prefixes[] = {FHIR_PREFIX_EQ, FHIR_PREFIX_AP};
    fhir_search_t search;
    fhir_search_value_t *value;
    for (int i = 0; i < 2; i++) {
        search = search_for("Observation");
        value = add_criterion(&search, "date", FHIR_SEARCH_DATE, FHIR_MODIFIER_NONE);
        value->prefix = prefixes[i];
        value->low = apr_time_from_sec(86400 * 1000);
        value->high = apr_time_from_sec(86400 * 1001) - 1;
        expect(i ? "date=ap" : "date", &search, i ? 10001 : 200);
    }
    search = search_for("Observation");
    value = add_criterion(&search, "date", FHIR_SEARCH_DATE, FHIR_MODIFIER_NONE);
    value->prefix = FHIR_PREFIX_GE;
    value->low = value->high = apr_time_from_sec(86400 * 10);
    expect("date=ge, common", &search, 10001);
    add_code(&search, "subject", FHIR_SEARCH_REFERENCE, "p7");
    expect("subject and date", &search, 200);
    search = search_for("Observation");
    value = add_criterion(&search, "date", FHIR_SEARCH_DATE, FHIR_MODIFIER_NONE);
    value->prefix = FHIR_PREFIX_GT;
    value->low = value->high = apr_time_from_sec(3600 * 49950);
    expect("date=gt, rare", &search, 200);
}

static void own_columns(void)
{
    fhir_search_t search = search_for("Observation");
    fhir_search_value_t *value;
    add_code(&search, "_id", FHIR_SEARCH_TOKEN, "o77");
    expect("_id", &search, 50);
    search = search_for("Observation");
    value = add_criterion(&search, "_lastUpdated", FHIR_SEARCH_DATE, FHIR_MODIFIER_NONE);
    value->prefix = FHIR_PREFIX_LT;
    value->low = value->high = apr_time_from_sec(60 * 10);
    expect("_lastUpdated", &search, 50);
    search = search_for("Observation");
    search.ascending = 1;
    search.cursor = fhir_pg_cursor(apr_time_from_sec(60 * 25000), 25000, pool);
    expect("a page in the middle", &search, 50);
    search.cursor = NULL;
    search.offset = 1000;
    expect("_offset", &search, 1100);
}

static void includes(void)
{
    fhir_search_t search = search_for("Observation");
    fhir_search_page_t page;
    fhir_pg_found_t found = {.keys = apr_array_make(pool, 20, sizeof(apr_int64_t))};
    fhir_pg_query_t query;
    fhir_include_t include = {.type = "Observation", .name = "subject"};
    const char *key = sql("SELECT key FROM fhir_binary.resource WHERE id = 'o7' AND type = 'Observation'");
    APR_ARRAY_PUSH(search.includes, fhir_include_t) = include;
    add_code(&search, "_id", FHIR_SEARCH_TOKEN, "o7");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL_FATAL(page.matches->nelts, 1);
    CU_ASSERT_EQUAL(page.included->nelts, 1);
    APR_ARRAY_PUSH(found.keys, apr_int64_t) = apr_atoi64(key);
    fhir_pg_included_sql(&query, project, &search, &found, page.matches, pool);
    expect_cost("_include", &query, 20);
    search = search_for("Patient");
    include.reverse = include.iterate = 1;
    APR_ARRAY_PUSH(search.includes, fhir_include_t) = include;
    add_code(&search, "_id", FHIR_SEARCH_TOKEN, "p7");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL_FATAL(page.matches->nelts, 1);
    CU_ASSERT_EQUAL(page.included->nelts, 50);
    key = sql("SELECT key FROM fhir_binary.resource WHERE id = 'p7' AND type = 'Patient'");
    APR_ARRAY_IDX(found.keys, 0, apr_int64_t) = apr_atoi64(key);
    fhir_pg_included_sql(&query, project, &search, &found, page.matches, pool);
    expect_cost("_revinclude", &query, 120);
}

static fhir_restriction_t *restrict_to(fhir_search_t *search, const char *const *patients)
{
    apr_array_header_t *restrictions = apr_array_make(pool, 1, sizeof(fhir_restriction_t));
    fhir_restriction_t *restriction = apr_array_push(restrictions);
    restriction->alternatives = apr_array_make(pool, 2, sizeof(const apr_array_header_t *));
    for (; *patients; patients++) {
        fhir_search_t one = search_for(search->type);
        add_code(&one, "status", FHIR_SEARCH_TOKEN, "final");
        add_code(&one, "_compartment", FHIR_SEARCH_REFERENCE, *patients)->system = "Patient";
        APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) = one.criteria;
    }
    search->restrictions = restrictions;
    return restriction;
}

static void restrictions(void)
{
    static const char *const one[] = {"p7", NULL};
    static const char *const three[] = {"p7", "p8", "p9", NULL};
    fhir_search_t search = search_for("Observation");
    fhir_search_t never = search_for("Observation");
    fhir_restriction_t *restriction;
    (void)restrict_to(&search, one);
    expect("one compartment", &search, 200);
    add_code(&search, "code", FHIR_SEARCH_TOKEN, "c7");
    search.total = FHIR_TOTAL_ACCURATE;
    expect("one compartment and a code, with total", &search, 200);
    search = search_for("Observation");
    (void)restrict_to(&search, three);
    search.total = FHIR_TOTAL_ACCURATE;
    expect("three compartments", &search, 600);
    restriction = restrict_to(&search, one);
    add_criterion(&never, "status", FHIR_SEARCH_TOKEN, FHIR_MODIFIER_NOT)->code = "final";
    APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) = never.criteria;
    search.total = FHIR_TOTAL_NONE;
    expect("a compartment, or what no index finds: newest first", &search, 100);
    restriction->alternatives->nelts = 0;
    search.total = FHIR_TOTAL_ACCURATE;
    expect("nothing is permitted", &search, 50);
}

/* ---- loads: however large the tables are and however small they were when the plan was made ---- */

static void expect_load(fhir_pg_statement_id_t statement, const char *arguments, double most)
{
    fhir_pg_connection_t *connection;
    PGresult *result = NULL;
    cost_t cost = {.worst = ""};
    double loops = 0;
    call = call_for(pool);
    FHIR_ASSERT_OK(fhir_pg_acquire(&connection, meta, 1, &call));
    CU_ASSERT_EQUAL(connection->prepared[statement], 1);
    FHIR_ASSERT_OK(fhir_pg_text_query(&result, connection,
                                      apr_psprintf(pool,
                                                   "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, SUMMARY OFF) "
                                                   "EXECUTE fhir_%d (%s)",
                                                   (int)statement, arguments),
                                      call.deadline, &call));
    for (int row = 0; result && row < PQntuples(result); row++) {
        look_at(&cost, PQgetvalue(result, row, 0), &loops);
        if (getenv("FHIR_TEST_PLANS")) {
            printf("%s\n", PQgetvalue(result, row, 0));
        }
    }
    if (cost.sequential || cost.rows > most) {
        printf("load %d: %.0f rows instead of %.0f at most, in:%s\n", (int)statement, cost.rows, most, cost.worst);
    }
    CU_ASSERT_FALSE(cost.sequential);
    CU_ASSERT_TRUE(cost.rows <= most);
    PQclear(result);
    fhir_pg_release(meta, connection);
}

static fhir_client_t member;
static const char *member_version;

/* Plans are made here, while there is next to nothing. */
static void prepare_loads(void)
{
    fhir_binary_facts_t facts;
    fhir_resource_facts_t resource;
    fhir_version_change_t change;
    const fhir_binary_t *made;
    fhir_principal_key_t key;
    member = make_client(project);
    key = key_of(&member);
    set_membership(&member, ",\"accessPolicy\":{\"reference\":\"AccessPolicy/p7\"}");
    for (int i = 0; i < 2; i++) {
        change = change_of(FHIR_CHANGE_UPDATE, project, "x");
        change.may_create = 1;
        change.security_context = i ? "Observation/o7" : "Observation/o8";
        FHIR_ASSERT_OK(fhir_meta_commit(&made, meta, &change, &call));
        member_version = member_version && i ? member_version : made->version_id;
    }
    for (int with_content = 0; with_content < 2; with_content++) {
        FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", NULL, with_content, &call));
        FHIR_ASSERT_OK(fhir_meta_load_binary(&facts, meta, &key, "x", member_version, with_content, &call));
        FHIR_ASSERT_OK(fhir_meta_load_resource(&resource, meta, &key, "Observation", "o7", NULL, with_content, &call));
    }
}

static void loads(void)
{
    const char *key = apr_psprintf(pool, "'%s', '1', ''", member.id);
    const char *binary = apr_psprintf(pool, "%s, 'x'", key);
    const char *version = apr_psprintf(pool, "%s, '%s'", binary, member_version);
    expect_load(FHIR_PG_LOAD_CURRENT, binary, 3);
    expect_load(FHIR_PG_LOAD_CURRENT_CONTENT, binary, 3);
    expect_load(FHIR_PG_LOAD_VERSION, version, 3);
    expect_load(FHIR_PG_LOAD_VERSION_CONTENT, version, 3);
    expect_load(FHIR_PG_LOAD_RESOURCE, apr_psprintf(pool, "%s, 'Observation', 'o7'", key), 3);
}

static void every_kind(void)
{
    restrictions();
    tokens();
    references();
    texts();
    dates();
    own_columns();
    includes();
}

static void without_statistics(void)
{
    open_meta(1);
    sql("ALTER TABLE fhir_binary.resource SET (autovacuum_enabled = off)");
    project = make_project();
    sql("TRUNCATE fhir_binary.resource, fhir_binary.resource_version, fhir_binary.attachment");
    prepare_loads();
    make_rows();
    every_kind();
    loads();
}

static void with_statistics(void)
{
    open_meta(1);
    sql("ANALYZE fhir_binary.resource, fhir_binary.resource_version, fhir_binary.resource_token, "
        "fhir_binary.resource_string, fhir_binary.resource_reference, fhir_binary.resource_date, "
        "fhir_binary.resource_uri");
    every_kind();
    sql("DROP TABLE fhir_binary.plan_numbers");
    sql("ALTER TABLE fhir_binary.resource RESET (autovacuum_enabled)");
}

static const fhir_unit_test_t tests[] = {
    {"without statistics", without_statistics}, {"with statistics", with_statistics}, {NULL, NULL}};

FHIR_UNIT_MAIN("search plans", tests)
