/* The Authorization header. */
#include "core/auth/auth.h"
#include "core/base/text.h"
#include "unit.h"

static fhir_credentials_t found;

static void test_none(void)
{
    FHIR_ASSERT_OK(fhir_credentials_parse(&found, NULL, pool));
    CU_ASSERT_EQUAL(found.kind, FHIR_CREDENTIALS_NONE);
}

static void bearer(const char *header, const char *token)
{
    FHIR_ASSERT_OK(fhir_credentials_parse(&found, header, pool));
    CU_ASSERT_EQUAL(found.kind, FHIR_CREDENTIALS_BEARER);
    CU_ASSERT_STRING_EQUAL(found.token ? found.token : "", token);
    CU_ASSERT_PTR_NULL(found.user);
}

static void test_bearer(void)
{
    bearer("Bearer abc.def.ghi", "abc.def.ghi");
    bearer("bearer abc", "abc");
    bearer("BEARER   a-b_c~d+e/f==", "a-b_c~d+e/f==");
}

static void basic(const char *text, const char *user, const char *password)
{
    const char *header = apr_pstrcat(pool, "Basic ", fhir_base64_encode(text, strlen(text), pool), NULL);
    FHIR_ASSERT_OK(fhir_credentials_parse(&found, header, pool));
    CU_ASSERT_EQUAL(found.kind, FHIR_CREDENTIALS_BASIC);
    CU_ASSERT_STRING_EQUAL(found.user ? found.user : "", user);
    CU_ASSERT_STRING_EQUAL(found.password ? found.password : "", password);
    CU_ASSERT_PTR_NULL(found.token);
}

static void test_basic(void)
{
    basic("client:secret", "client", "secret");
    basic("client:se:cr:et", "client", "se:cr:et");
    basic("cl\xC3\xAF"
          "ent:s\xC3\xA9",
          "cl\xC3\xAF"
          "ent",
          "s\xC3\xA9");
    FHIR_ASSERT_OK(fhir_credentials_parse(&found, "bAsIc  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", pool));
    CU_ASSERT_STRING_EQUAL(found.user, "Aladdin");
    CU_ASSERT_STRING_EQUAL(found.password, "open sesame");
}

static void unusable(const char *header)
{
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_credentials_parse(&found, header, pool));
    CU_ASSERT_EQUAL(found.kind, FHIR_CREDENTIALS_NONE);
}

static void unusable_basic(const char *bytes, apr_size_t length)
{
    unusable(apr_pstrcat(pool, "Basic ", fhir_base64_encode(bytes, length, pool), NULL));
}

static void test_unusable(void)
{
    static const char *const headers[] = {"",
                                          " ",
                                          "Bearer",
                                          "Bearer ",
                                          "Bearer =",
                                          "Bearer a b",
                                          "Bearer a, Bearer b",
                                          "Bearer a\tb",
                                          "Bearer a\n",
                                          "Bearer\ta",
                                          "Bearer a=b",
                                          "Bearer \xC3\xA9",
                                          "Bearera",
                                          " Bearer a",
                                          "Digest username=x",
                                          "Negotiate abc",
                                          "abc",
                                          "Basic",
                                          "Basic ",
                                          "Basic !!!!",
                                          "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
                                          "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== x",
                                          "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR=="};
    apr_size_t i;
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        unusable(headers[i]);
    }
    unusable_basic("no colon", 8);
    unusable_basic(":secret", 7);
    unusable_basic("user:", 5);
    unusable_basic("", 0);
    unusable_basic("us\0er:secret", 12);
    unusable_basic("user:sec\nret", 12);
    unusable_basic("user:sec\x7Fret", 12);
    unusable_basic("user:\xFF\xFE", 7);
}

static void test_long_basic(void)
{
    char *text = apr_palloc(pool, 5001);
    memset(text, 'x', 5000);
    text[1] = ':';
    text[5000] = '\0';
    unusable_basic(text, 5000);
}

static const fhir_unit_test_t tests[] = {
    {"none", test_none},         {"bearer", test_bearer},         {"basic", test_basic},
    {"unusable", test_unusable}, {"long basic", test_long_basic}, {NULL, NULL}};
FHIR_UNIT_MAIN("credentials", tests)
