/* Routing: every path of ours, and everything that only looks like one. */
#include "unit.h"

#include "core/app/app.h"
#include "core/app/route.h"

typedef struct route_case_t {
    const char *path;
    fhir_route_kind_t kind;
    const char *id;
    const char *version_id;
} route_case_t;

static fhir_settings_t settings_at(const char *base_path, const char *storage_path)
{
    fhir_settings_t settings = {0};
    settings.base_url = "http://host/";
    settings.base_path = base_path;
    settings.storage_base_path = storage_path;
    return settings;
}

static void check(const fhir_settings_t *settings, const route_case_t *expected)
{
    fhir_route_t route;
    fhir_route(&route, settings, expected->path, pool);
    if (route.kind != expected->kind) {
        printf("%s: route %d, expected %d\n", expected->path, (int)route.kind, (int)expected->kind);
    }
    CU_ASSERT_EQUAL(route.kind, expected->kind);
    CU_ASSERT_EQUAL(route.id == NULL, expected->id == NULL);
    CU_ASSERT_EQUAL(route.version_id == NULL, expected->version_id == NULL);
    if (route.id && expected->id) {
        CU_ASSERT_STRING_EQUAL(route.id, expected->id);
    }
    if (route.version_id && expected->version_id) {
        CU_ASSERT_STRING_EQUAL(route.version_id, expected->version_id);
    }
}

static void test_routes_at_the_root(void)
{
    static const route_case_t cases[] = {
        {"/fhir/R4/metadata", FHIR_ROUTE_METADATA, NULL, NULL},
        {"/fhir/R4/Binary", FHIR_ROUTE_TYPE, NULL, NULL},
        {"/fhir/R4/Binary/", FHIR_ROUTE_TYPE, NULL, NULL},
        {"/fhir/R4/Binary/_search", FHIR_ROUTE_SEARCH, NULL, NULL},
        {"/fhir/R4/Binary/1", FHIR_ROUTE_INSTANCE, "1", NULL},
        {"/fhir/R4/Binary/1/", FHIR_ROUTE_INSTANCE, "1", NULL},
        {"/fhir/R4/Binary/1/_history", FHIR_ROUTE_HISTORY, "1", NULL},
        {"/fhir/R4/Binary/1/_history/2", FHIR_ROUTE_VERSION, "1", "2"},
        {"/fhir/R4/Binary/1/$presigned-url", FHIR_ROUTE_PRESIGNED_URL, "1", NULL},
        {"/fhir/R4/.well-known/smart-configuration", FHIR_ROUTE_SMART_CONFIGURATION, NULL, NULL},
        {"/.well-known/smart-configuration", FHIR_ROUTE_SMART_CONFIGURATION, NULL, NULL},
        {"/.well-known/jwks.json", FHIR_ROUTE_JWKS, NULL, NULL},
        {"/oauth2/token", FHIR_ROUTE_TOKEN, NULL, NULL},
        {"/fhir/R4", FHIR_ROUTE_BASE, NULL, NULL},
        {"/fhir/R4/", FHIR_ROUTE_BASE, NULL, NULL},
        {"/fhir/R4/Patient", FHIR_ROUTE_RESOURCE_TYPE, NULL, NULL},
        {"/fhir/R4/AccessPolicy", FHIR_ROUTE_RESOURCE_TYPE, NULL, NULL},
        {"/fhir/R4/ProjectMembership/1", FHIR_ROUTE_RESOURCE_INSTANCE, "1", NULL},
        {"/fhir/R4/Patient/_search", FHIR_ROUTE_RESOURCE_SEARCH, NULL, NULL},
        {"/fhir/R4/Patient/1", FHIR_ROUTE_RESOURCE_INSTANCE, "1", NULL},
        {"/fhir/R4/Patient/1/_history", FHIR_ROUTE_RESOURCE_HISTORY, "1", NULL},
        {"/fhir/R4/Patient/1/_history/2", FHIR_ROUTE_RESOURCE_VERSION, "1", "2"},
        {"/fhir/R4/AuditEvent", FHIR_ROUTE_AUDIT_TYPE, NULL, NULL},
        {"/fhir/R4/AuditEvent/_search", FHIR_ROUTE_AUDIT_SEARCH, NULL, NULL},
        {"/fhir/R4/AuditEvent/1", FHIR_ROUTE_AUDIT_INSTANCE, "1", NULL},
        {"/auth/me", FHIR_ROUTE_AUTH_ME, NULL, NULL},
        {"/storage/1/2", FHIR_ROUTE_SIGNED, "1", "2"},
    };
    fhir_settings_t settings = settings_at("/", "/storage/");
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&settings, &cases[i]);
        CU_ASSERT_TRUE(fhir_app_claims(&settings, cases[i].path));
    }
}

static void test_unknown_below_our_bases(void)
{
    static const char *const paths[] = {"/fhir/R4/Nothing",
                                        "/fhir/R4/AuditEvent/_history",
                                        "/fhir/R4/AuditEvent/1/_history",
                                        "/fhir/R4/AuditEvent/1/_history/1",
                                        "/fhir/R4/patient/1",
                                        "/fhir/R4/Patient//1",
                                        "/fhir/R4/Patient/_history",
                                        "/fhir/R4/Patient/1/2",
                                        "/fhir/R4/Patient/1/$everything",
                                        "/fhir/R4/Patient/1/_history/2/3",
                                        "/fhir/R4/_history",
                                        "/fhir/R4/binary/1",
                                        "/fhir/R4/Binary//1",
                                        "/fhir/R4/Binary/1/_history/2/3",
                                        "/fhir/R4/Binary/1/$presigned-url/2",
                                        "/fhir/R4/Binary/1/$other",
                                        "/fhir/R4/metadata/x",
                                        "/fhir/R4/Binary/1/2/3/4/5/6/7",
                                        "/storage",
                                        "/storage/1",
                                        "/storage/1/2/3"};
    fhir_settings_t settings = settings_at("/", "/storage/");
    size_t i;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fhir_route_t route;
        fhir_route(&route, &settings, paths[i], pool);
        CU_ASSERT_EQUAL(route.kind, FHIR_ROUTE_UNKNOWN);
        CU_ASSERT_TRUE(fhir_app_claims(&settings, paths[i]));
    }
}

static void test_other_paths_are_not_ours(void)
{
    static const char *const paths[] = {"/",
                                        "/fhir",
                                        "/fhir/R4x",
                                        "/fhir/R5/Binary",
                                        "/storagex/1/2",
                                        "/oauth2",
                                        "/oauth2/tokens",
                                        "/.well-known/acme-challenge/x",
                                        "/index.html",
                                        ""};
    fhir_settings_t settings = settings_at("/", "/storage/");
    size_t i;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        CU_ASSERT_FALSE(fhir_app_claims(&settings, paths[i]));
    }
}

static void test_below_a_prefix(void)
{
    static const route_case_t cases[] = {
        {"/app/fhir/R4/Binary/1", FHIR_ROUTE_INSTANCE, "1", NULL},
        {"/app/oauth2/token", FHIR_ROUTE_TOKEN, NULL, NULL},
        {"/files/1/2", FHIR_ROUTE_SIGNED, "1", "2"},
    };
    fhir_settings_t settings = settings_at("/app/", "/files/");
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&settings, &cases[i]);
    }
    CU_ASSERT_FALSE(fhir_app_claims(&settings, "/fhir/R4/Binary/1"));
    CU_ASSERT_FALSE(fhir_app_claims(&settings, "/application/fhir/R4"));
}

static void test_off_without_a_base_url(void)
{
    fhir_settings_t settings = settings_at("/", "/storage/");
    settings.base_url = NULL;
    CU_ASSERT_FALSE(fhir_app_claims(&settings, "/fhir/R4/Binary/1"));
    CU_ASSERT_FALSE(fhir_app_claims(&settings, NULL));
}

static const fhir_unit_test_t tests[] = {
    {"routes at the root", test_routes_at_the_root},
    {"unknown below our bases", test_unknown_below_our_bases},
    {"other paths are not ours", test_other_paths_are_not_ours},
    {"below a prefix", test_below_a_prefix},
    {"off without a base URL", test_off_without_a_base_url},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("route", tests)
