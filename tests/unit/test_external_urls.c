/* Attachments that lead to other servers. */
#include "core/fhir/external_urls.h"
#include "unit.h"

static const fhir_json_document_t *parsed(const char *text)
{
    const fhir_json_document_t *document = NULL;
    FHIR_ASSERT_OK(fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool));
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    return document;
}

/* "path=url path=url" */
static const char *found(const char *type, const char *text, const char *only, int limit)
{
    const fhir_json_document_t *document = parsed(text);
    apr_array_header_t *urls = NULL;
    const char *all = "";
    int i;
    FHIR_ASSERT_OK(fhir_external_urls(&urls, document, 0, type, only, limit, pool));
    for (i = 0; i < urls->nelts; i++) {
        const fhir_external_url_t *url = &APR_ARRAY_IDX(urls, i, fhir_external_url_t);
        all = apr_pstrcat(pool, all, i ? " " : "", url->path ? url->path : "-", "=", url->url, NULL);
        CU_ASSERT_TRUE(fhir_json_equals(document, url->node, url->url));
    }
    return all;
}

#define PATIENT "{\"photo\":[{\"url\":\"https://a/1\"},{\"url\":\"https://a/2\"},{\"url\":\"https:\\/\\/a\\u002f1\"}]}"

static void test_each_once(void)
{
    CU_ASSERT_STRING_EQUAL(found("Patient", PATIENT, NULL, 10),
                           "Patient.photo[0]=https://a/1 Patient.photo[1]=https://a/2");
    CU_ASSERT_STRING_EQUAL(found("Patient", PATIENT, NULL, 1), "Patient.photo[0]=https://a/1");
    CU_ASSERT_STRING_EQUAL(found("Patient", PATIENT, NULL, 0), "");
}

static void test_places_of_one(void)
{
    CU_ASSERT_STRING_EQUAL(found("Patient", PATIENT, "https://a/1", 0), "-=https://a/1 -=https://a/1");
    CU_ASSERT_STRING_EQUAL(found("Patient", PATIENT, "https://a/3", 0), "");
    CU_ASSERT_STRING_EQUAL(found("Patient", PATIENT, "https://a/", 0), "");
}

static void test_only_https(void)
{
    CU_ASSERT_STRING_EQUAL(
        found("Patient",
              "{\"photo\":[{\"url\":\"http://a/1\"},{\"url\":\"Binary/1\"},{\"url\":\"https:/a\"},"
              "{\"url\":\"HTTPS://a/2\"},{\"url\":7},{\"url\":[\"https://a/3\"]},{\"title\":\"x\"}]}",
              NULL, 10),
        "Patient.photo[3]=HTTPS://a/2");
}

static void test_only_attachments(void)
{
    static const char *const text =
        "{\"url\":\"https://a/1\",\"extension\":[{\"url\":\"https://a/2\",\"valueUrl\":\"https://a/3\"},"
        "{\"url\":\"https://a/4\",\"valueAttachment\":{\"url\":\"https://a/5\"}}],"
        "\"contained\":[{\"resourceType\":\"Media\",\"content\":{\"url\":\"https://a/6\"}}],"
        "\"link\":[{\"url\":\"https://a/7\"}]}";
    CU_ASSERT_STRING_EQUAL(found("Patient", text, NULL, 10),
                           "Patient.extension[1].valueAttachment=https://a/5 Patient.contained[0].content=https://a/6");
    CU_ASSERT_STRING_EQUAL(found("ValueSet", "{\"url\":\"https://a/1\"}", NULL, 10), "");
    CU_ASSERT_STRING_EQUAL(found("DocumentReference",
                                 "{\"content\":[{\"attachment\":{\"url\":\"https://a/1\",\"_url\":{\"id\":\"x\"}}}]}",
                                 NULL, 10),
                           "DocumentReference.content[0].attachment=https://a/1");
}

static const fhir_unit_test_t tests[] = {{"each once", test_each_once},
                                         {"places of one", test_places_of_one},
                                         {"only https", test_only_https},
                                         {"only attachments", test_only_attachments},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("external_urls", tests)
