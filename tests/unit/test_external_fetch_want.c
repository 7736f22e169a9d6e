/* Which attachments a write puts into the queue. */
#include "core/app/external_fetch.h"
#include "core/app/external_fetch_want.h"
#include "core/base/host_list.h"
#include "unit.h"

static fhir_settings_t *settings_for(const char *host)
{
    fhir_settings_t *settings = fhir_settings_create(pool);
    settings->base_url = "https://fhir.example.org/";
    settings->fhir_base = "https://fhir.example.org/fhir/R4/";
    settings->storage_base_url = "https://fhir.example.org/storage/";
    settings->fetch_external = 1;
    CU_ASSERT_TRUE_FATAL(fhir_host_pattern_parse(apr_array_push(settings->fetch_hosts), host, pool));
    return settings;
}

static const char *wanted(const fhir_settings_t *settings, const char *type, const char *text)
{
    fhir_store_resource_t stored = {0};
    apr_array_header_t *urls = NULL;
    const char *all = "";
    int i;
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, text, strlen(text), &fhir_json_resource_limits, pool));
    FHIR_ASSERT_OK(fhir_external_fetch_wanted(&urls, settings, type, &stored, pool));
    for (i = 0; i < urls->nelts; i++) {
        const fhir_fetch_url_t *url = &APR_ARRAY_IDX(urls, i, fhir_fetch_url_t);
        all = apr_pstrcat(pool, all, i ? " " : "", url->path, "=", url->url, NULL);
    }
    return all;
}

static void test_listed_hosts_only(void)
{
    CU_ASSERT_STRING_EQUAL(
        wanted(settings_for("*.example.org"), "Patient",
               "{\"photo\":[{\"url\":\"https://files.example.org/1\"},{\"url\":\"https://evil.test/2\"},"
               "{\"url\":\"http://files.example.org/3\"},{\"url\":\"https://u@files.example.org/4\"},"
               "{\"url\":\"https://files.example.org:444/5\"},{\"url\":\"Binary/6\"},"
               "{\"url\":\"https://files.example.org/7 8\"},{\"url\":\"https://files.example.org/1\"}]}"),
        "Patient.photo[0]=https://files.example.org/1");
}

static void test_not_ourselves(void)
{
    CU_ASSERT_STRING_EQUAL(wanted(settings_for("*.example.org"), "Patient",
                                  "{\"photo\":[{\"url\":\"https://fhir.example.org/fhir/R4/Patient/1\"},"
                                  "{\"url\":\"https://fhir.example.org/storage/x?y\"},"
                                  "{\"url\":\"https://fhir.example.org/files/1\"}]}"),
                           "Patient.photo[2]=https://fhir.example.org/files/1");
}

static void test_off(void)
{
    fhir_settings_t *settings = settings_for("files.example.org");
    static const char *const text = "{\"photo\":[{\"url\":\"https://files.example.org/1\"}]}";
    CU_ASSERT_TRUE(fhir_external_fetch_on(settings));
    CU_ASSERT_STRING_EQUAL(wanted(settings, "Patient", text), "Patient.photo[0]=https://files.example.org/1");
    settings->fetch_external = 0;
    CU_ASSERT_FALSE(fhir_external_fetch_on(settings));
    CU_ASSERT_STRING_EQUAL(wanted(settings, "Patient", text), "");
    settings->fetch_external = 1;
    settings->base_url = NULL;
    CU_ASSERT_FALSE(fhir_external_fetch_on(settings));
}

static void test_bounded(void)
{
    apr_array_header_t *urls;
    fhir_store_resource_t stored = {0};
    fhir_text_t text;
    int i;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "{\"photo\":[");
    for (i = 0; i <= FHIR_EXTERNAL_FETCH_MAX; i++) {
        fhir_text_addf(&text, "%s{\"url\":\"https://files.example.org/%d\"}", i ? "," : "", i);
    }
    fhir_text_add(&text, "]}");
    FHIR_ASSERT_OK(fhir_json_parse(&stored.document, text.text, text.length, &fhir_json_resource_limits, pool));
    FHIR_ASSERT_OK(fhir_external_fetch_wanted(&urls, settings_for("files.example.org"), "Patient", &stored, pool));
    CU_ASSERT_EQUAL(urls->nelts, FHIR_EXTERNAL_FETCH_MAX);
}

static const fhir_unit_test_t tests[] = {{"listed hosts only", test_listed_hosts_only},
                                         {"not ourselves", test_not_ourselves},
                                         {"off", test_off},
                                         {"bounded", test_bounded},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("external_fetch_want", tests)
