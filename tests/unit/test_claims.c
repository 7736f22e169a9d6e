/* The claims of access tokens, outside ones and our own. */
#include "core/auth/auth.h"
#include "unit.h"

#define NOW apr_time_from_sec(1800000000)
#define ISSUER "https://issuer.example.org"
#define AUDIENCE "https://fhir.example.org/fhir/R4/"
#define HEAD "{\"iss\":\"" ISSUER "\",\"sub\":\"u1\",\"aud\":\"" AUDIENCE "\""
#define GOOD HEAD ",\"exp\":1800000100"

static fhir_claims_t claims;

static fhir_error_t *check_at(const char *payload, apr_time_t now, apr_interval_time_t leeway)
{
    return fhir_claims_check(&claims, payload, ISSUER, AUDIENCE, now, leeway, pool);
}

static fhir_error_t *check(const char *payload)
{
    return check_at(payload, NOW, apr_time_from_sec(60));
}

static void refused(const char *payload)
{
    fhir_error_t *error = check(payload);
    if (!error) {
        printf("accepted: %s\n", payload);
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, error);
}

static void test_minimal(void)
{
    FHIR_ASSERT_OK(check(GOOD "}"));
    CU_ASSERT_STRING_EQUAL(claims.issuer, ISSUER);
    CU_ASSERT_STRING_EQUAL(claims.subject, "u1");
    CU_ASSERT_PTR_NULL(claims.client_id);
    CU_ASSERT_STRING_EQUAL(claims.scope, "");
    CU_ASSERT_PTR_NULL(claims.patient);
    CU_ASSERT_EQUAL(claims.expires, apr_time_from_sec(1800000100));
    CU_ASSERT_EQUAL(claims.not_before, 0);
}

static void test_all(void)
{
    FHIR_ASSERT_OK(check(GOOD ",\"nbf\":1799999999.5,\"client_id\":\"c1\",\"azp\":\"c2\",\"scope\":\"user/Binary.rs "
                              "openid\",\"patient\":\"p1\",\"other\":{\"deep\":[1,2]}}"));
    CU_ASSERT_STRING_EQUAL(claims.client_id, "c1");
    CU_ASSERT_STRING_EQUAL(claims.scope, "user/Binary.rs openid");
    CU_ASSERT_STRING_EQUAL(claims.patient, "p1");
    CU_ASSERT_EQUAL(claims.not_before, apr_time_from_sec(1799999999) + 500000);
    FHIR_ASSERT_OK(check(GOOD ",\"azp\":\"c2\"}"));
    CU_ASSERT_STRING_EQUAL(claims.client_id, "c2");
}

static void scope_is(const char *member, const char *scope)
{
    FHIR_ASSERT_OK(check(apr_pstrcat(pool, GOOD ",", member, "}", NULL)));
    CU_ASSERT_STRING_EQUAL(claims.scope ? claims.scope : "?", scope);
}

static void test_scope_forms(void)
{
    scope_is("\"scope\":\"a b\",\"scp\":\"c\"", "a b");
    scope_is("\"scp\":\"a b\"", "a b");
    scope_is("\"scp\":[\"a\",\"b\",\"c\"]", "a b c");
    scope_is("\"scp\":[]", "");
    scope_is("\"scope\":\"\"", "");
    /* a scope that can't be read must not count as none: none narrows nothing */
    refused(GOOD ",\"scope\":7}");
    refused(GOOD ",\"scope\":null}");
    refused(GOOD ",\"scope\":[\"a\"]}");
    refused(GOOD ",\"scp\":[\"a\",7]}");
    refused(GOOD ",\"scp\":{}}");
    refused(GOOD ",\"scp\":null}");
}

static void test_audience(void)
{
    static const char *const good[] = {"[\"" AUDIENCE "\"]", "[\"x\",\"" AUDIENCE "\"]", "[1,\"" AUDIENCE "\"]"};
    static const char *const bad[] = {
        "\"x\"", "[]", "[\"x\"]", "null", "7", "{}", "\"https://fhir.example.org/fhir/R4\"", "[[\"" AUDIENCE "\"]]"};
    apr_size_t i;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        FHIR_ASSERT_OK(check(apr_pstrcat(
            pool, "{\"iss\":\"" ISSUER "\",\"sub\":\"u1\",\"exp\":1800000100,\"aud\":", good[i], "}", NULL)));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused(
            apr_pstrcat(pool, "{\"iss\":\"" ISSUER "\",\"sub\":\"u1\",\"exp\":1800000100,\"aud\":", bad[i], "}", NULL));
    }
    refused("{\"iss\":\"" ISSUER "\",\"sub\":\"u1\",\"exp\":1800000100}");
}

static void test_issuer_and_subject(void)
{
#define REST ",\"aud\":\"" AUDIENCE "\",\"exp\":1800000100}"
    refused("{\"sub\":\"u1\"" REST);
    refused("{\"iss\":\"https://issuer.example.org/\",\"sub\":\"u1\"" REST);
    refused("{\"iss\":7,\"sub\":\"u1\"" REST);
    refused("{\"iss\":[\"" ISSUER "\"],\"sub\":\"u1\"" REST);
    refused("{\"iss\":\"" ISSUER "\"" REST);
    refused("{\"iss\":\"" ISSUER "\",\"sub\":\"\"" REST);
    refused("{\"iss\":\"" ISSUER "\",\"sub\":7" REST);
    refused("{\"iss\":\"" ISSUER "\",\"sub\":null" REST);
    refused(GOOD ",\"patient\":7}");
    refused(GOOD ",\"patient\":\"\"}");
    refused(GOOD ",\"client_id\":{}}");
}

static void with_exp(const char *exp, int good)
{
    const char *payload = apr_pstrcat(pool, HEAD ",\"exp\":", exp, "}", NULL);
    if (good) {
        FHIR_ASSERT_OK(check(payload));
    } else {
        refused(payload);
    }
}

static void test_expiry(void)
{
    with_exp("1800000000", 1); /* within the leeway */
    with_exp("1799999941", 1);
    with_exp("1799999940.5", 1);
    with_exp("1799999940", 0);
    with_exp("1799999000", 0);
    with_exp("253402300799", 1);
    with_exp("253402300800", 0);
    with_exp("1e300", 0);
    with_exp("1e400", 0);
    with_exp("99999999999999999999999999", 0);
    with_exp("9223372036854775807", 0);
    with_exp("-1", 0);
    with_exp("-9223372036854775808", 0);
    with_exp("-1e300", 0);
    with_exp("0", 0);
    with_exp("\"1800000100\"", 0);
    with_exp("null", 0);
    with_exp("true", 0);
    with_exp("[1800000100]", 0);
    with_exp("NaN", 0);
    refused(HEAD "}");
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, check_at(HEAD ",\"exp\":1800000000}", NOW, 0));
    FHIR_ASSERT_OK(check_at(HEAD ",\"exp\":1800000000.000002}", NOW, 0));
}

static void test_not_before(void)
{
    FHIR_ASSERT_OK(check(GOOD ",\"nbf\":1800000060}"));
    refused(GOOD ",\"nbf\":1800000061}");
    refused(GOOD ",\"nbf\":1e300}");
    refused(GOOD ",\"nbf\":-1}");
    refused(GOOD ",\"nbf\":\"1\"}");
    refused(GOOD ",\"nbf\":null}");
}

static void test_not_json(void)
{
    refused("");
    refused("[]");
    refused("7");
    refused("null");
    refused(GOOD);
    refused(GOOD "}}");
    refused(GOOD "} x");
    refused(GOOD ",\"exp\":1900000000}"); /* doubled */
    refused(GOOD ",\"x\":\"\xFF\"}");
}

static void test_own_token(void)
{
    fhir_token_request_t request = {.issuer = ISSUER,
                                    .audience = AUDIENCE,
                                    .client_id = "11111111-2222-4333-8444-555555555555",
                                    .scope = "system/Binary.cruds \"quoted\"",
                                    .profile = "Practitioner/1",
                                    .token_id = "t1",
                                    .now = NOW + 999999,
                                    .lifetime = apr_time_from_sec(3600)};
    const char *payload = fhir_token_payload(&request, pool);
    FHIR_ASSERT_OK(check(payload));
    CU_ASSERT_STRING_EQUAL(claims.subject, request.client_id);
    CU_ASSERT_STRING_EQUAL(claims.client_id, request.client_id);
    CU_ASSERT_STRING_EQUAL(claims.scope, request.scope);
    CU_ASSERT_EQUAL(claims.expires, NOW + apr_time_from_sec(3600));
    CU_ASSERT_PTR_NOT_NULL(strstr(payload, "\"profile\":\"Practitioner/1\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(payload, "\"iat\":1800000000,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(payload, "\"jti\":\"t1\""));
    request.profile = NULL;
    request.scope = NULL;
    payload = fhir_token_payload(&request, pool);
    FHIR_ASSERT_OK(check(payload));
    CU_ASSERT_STRING_EQUAL(claims.scope, "");
    CU_ASSERT_PTR_NULL(strstr(payload, "profile"));
}

static const fhir_unit_test_t tests[] = {{"minimal", test_minimal},
                                         {"all", test_all},
                                         {"scope forms", test_scope_forms},
                                         {"audience", test_audience},
                                         {"issuer and subject", test_issuer_and_subject},
                                         {"expiry", test_expiry},
                                         {"not before", test_not_before},
                                         {"not JSON", test_not_json},
                                         {"own token", test_own_token},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("claims", tests)
