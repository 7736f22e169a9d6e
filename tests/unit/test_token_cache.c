/* The cache of verified access tokens. */
#include "core/app/token_cache.h"
#include "unit.h"

#include <pthread.h>

#define NOW apr_time_from_sec(1800000000)
#define MINUTE apr_time_from_sec(60)

static fhir_claims_t found;

static fhir_token_cache_t *cache_of_test(void)
{
    fhir_token_cache_t *cache = NULL;
    FHIR_ASSERT_OK(fhir_token_cache_create(&cache, pool));
    return cache;
}

static fhir_claims_t claims_of(const char *subject)
{
    fhir_claims_t claims = {"https://issuer", subject, "client", "user/Binary.rs", "p1", NOW + 10 * MINUTE, 0};
    return claims;
}

static void put(fhir_token_cache_t *cache, const char *token, const fhir_claims_t *claims, apr_time_t now)
{
    fhir_token_cache_put(cache, token, claims, fhir_token_cache_generation(cache), now);
}

static int has(fhir_token_cache_t *cache, const char *token, apr_time_t now)
{
    return fhir_token_cache_get(&found, cache, token, now, pool);
}

static void test_round_trip(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("s");
    CU_ASSERT_FALSE(has(cache, "token", NOW));
    put(cache, "token", &claims, NOW);
    CU_ASSERT_TRUE(has(cache, "token", NOW));
    CU_ASSERT_STRING_EQUAL(found.issuer, "https://issuer");
    CU_ASSERT_STRING_EQUAL(found.subject, "s");
    CU_ASSERT_STRING_EQUAL(found.client_id, "client");
    CU_ASSERT_STRING_EQUAL(found.scope, "user/Binary.rs");
    CU_ASSERT_STRING_EQUAL(found.patient, "p1");
    CU_ASSERT_EQUAL(found.expires, claims.expires);
    CU_ASSERT_EQUAL(found.not_before, 0);
    CU_ASSERT_FALSE(has(cache, "tokem", NOW));
    CU_ASSERT_FALSE(has(cache, "token ", NOW));
    CU_ASSERT_FALSE(has(cache, "", NOW));
}

static void test_absent_strings(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = {"i", "s", NULL, "", NULL, NOW + MINUTE, 0};
    put(cache, "token", &claims, NOW);
    CU_ASSERT_TRUE(has(cache, "token", NOW));
    CU_ASSERT_PTR_NULL(found.client_id);
    CU_ASSERT_PTR_NULL(found.patient);
    CU_ASSERT_STRING_EQUAL(found.scope, "");
    claims.issuer = claims.subject = claims.scope = NULL;
    put(cache, "nothing", &claims, NOW);
    CU_ASSERT_FALSE(has(cache, "nothing", NOW));
}

static void test_times(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("s");
    put(cache, "aged", &claims, NOW);
    CU_ASSERT_TRUE(has(cache, "aged", NOW + MINUTE - 1));
    CU_ASSERT_FALSE(has(cache, "aged", NOW + MINUTE));
    CU_ASSERT_TRUE(has(cache, "aged", NOW - apr_time_from_sec(5)));
    CU_ASSERT_FALSE(has(cache, "aged", NOW - apr_time_from_sec(6)));
    claims.expires = NOW + 1000;
    put(cache, "expiring", &claims, NOW);
    CU_ASSERT_TRUE(has(cache, "expiring", NOW + 999));
    CU_ASSERT_FALSE(has(cache, "expiring", NOW + 1000));
    claims = claims_of("s");
    claims.not_before = NOW + 1000;
    put(cache, "early", &claims, NOW);
    CU_ASSERT_FALSE(has(cache, "early", NOW + 999));
    CU_ASSERT_TRUE(has(cache, "early", NOW + 1000));
}

static void test_replaced(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("old");
    put(cache, "token", &claims, NOW);
    claims = claims_of("new");
    put(cache, "token", &claims, NOW + MINUTE);
    CU_ASSERT_TRUE(has(cache, "token", NOW + MINUTE + 1));
    CU_ASSERT_STRING_EQUAL(found.subject, "new");
}

static void test_unusual_size(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("s");
    char *scope = apr_palloc(pool, 100001);
    memset(scope, 'x', 100000);
    scope[100000] = '\0';
    claims.scope = scope;
    put(cache, "big", &claims, NOW);
    CU_ASSERT_FALSE(has(cache, "big", NOW));
    scope[1900] = '\0';
    put(cache, "big", &claims, NOW);
    CU_ASSERT_TRUE(has(cache, "big", NOW));
    CU_ASSERT_STRING_EQUAL(found.scope, scope);
    CU_ASSERT_STRING_EQUAL(found.patient, "p1");
}

static void test_bounded(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    int kept = 0;
    int i;
    for (i = 0; i < 20000; i++) {
        fhir_claims_t claims = claims_of(apr_psprintf(pool, "s%d", i));
        put(cache, apr_psprintf(pool, "token %d", i), &claims, NOW + i);
    }
    for (i = 0; i < 20000; i++) {
        if (has(cache, apr_psprintf(pool, "token %d", i), NOW + 20000)) {
            CU_ASSERT_STRING_EQUAL(found.subject, apr_psprintf(pool, "s%d", i));
            kept++;
        }
    }
    CU_ASSERT(kept > 4000 && kept <= 4096);
    CU_ASSERT_TRUE(has(cache, "token 19999", NOW + 20000));
}

/* What is used stays, though thousands of others pass by. */
static void test_used_entries_stay(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("s");
    int i;
    put(cache, "used", &claims, NOW);
    for (i = 0; i < 20000; i++) {
        put(cache, apr_psprintf(pool, "token %d", i), &claims, NOW + i);
        CU_ASSERT_TRUE_FATAL(has(cache, "used", NOW + i));
    }
}

/* A copy outlives its entry. */
static void test_copies(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("first");
    fhir_claims_t copy;
    put(cache, "token", &claims, NOW);
    CU_ASSERT_TRUE(fhir_token_cache_get(&copy, cache, "token", NOW, pool));
    claims = claims_of("second");
    put(cache, "token", &claims, NOW);
    CU_ASSERT_STRING_EQUAL(copy.subject, "first");
}

static void *use_often(void *data)
{
    fhir_token_cache_t *cache = data;
    apr_pool_t *own = NULL;
    void *result = data;
    int i;
    apr_pool_create(&own, NULL);
    for (i = 0; i < 3000 && result; i++) {
        const char *name = apr_psprintf(own, "t%d", i % 97);
        fhir_claims_t claims = claims_of(name);
        fhir_claims_t copy;
        if (fhir_token_cache_get(&copy, cache, name, NOW, own) && strcmp(copy.subject, name) != 0) {
            result = NULL;
        }
        put(cache, name, &claims, NOW);
        if (i % 100 == 0) {
            apr_pool_clear(own);
        }
    }
    apr_pool_destroy(own);
    return result;
}

static void test_threads(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    pthread_t threads[4];
    void *result;
    int i;
    for (i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, use_often, cache), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        CU_ASSERT_PTR_EQUAL(result, cache);
    }
}

static void test_clear(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    fhir_claims_t claims = claims_of("s");
    unsigned before = fhir_token_cache_generation(cache);
    int i;
    for (i = 0; i < 2000; i++) {
        put(cache, apr_psprintf(pool, "token %d", i), &claims, NOW);
    }
    fhir_token_cache_clear(cache);
    for (i = 0; i < 2000; i++) {
        CU_ASSERT_FALSE(has(cache, apr_psprintf(pool, "token %d", i), NOW));
    }
    put(cache, "token", &claims, NOW);
    CU_ASSERT_TRUE(has(cache, "token", NOW));
    /* Its verification began before the keys changed. */
    fhir_token_cache_put(cache, "late", &claims, before, NOW);
    CU_ASSERT_FALSE(has(cache, "late", NOW));
    claims = claims_of("other");
    fhir_token_cache_put(cache, "token", &claims, before, NOW);
    CU_ASSERT_TRUE(has(cache, "token", NOW));
    CU_ASSERT_STRING_EQUAL(found.subject, "s");
}

static void *clear_often(void *data)
{
    int i;
    for (i = 0; i < 100; i++) {
        fhir_token_cache_clear(data);
    }
    return data;
}

static void test_clear_beside_threads(void)
{
    fhir_token_cache_t *cache = cache_of_test();
    pthread_t threads[4];
    void *result;
    int i;
    for (i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, i < 3 ? use_often : clear_often, cache), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        CU_ASSERT_PTR_EQUAL(result, cache);
    }
}

static const fhir_unit_test_t tests[] = {{"round trip", test_round_trip},
                                         {"absent strings", test_absent_strings},
                                         {"times", test_times},
                                         {"replaced", test_replaced},
                                         {"unusual size", test_unusual_size},
                                         {"bounded", test_bounded},
                                         {"used entries stay", test_used_entries_stay},
                                         {"copies", test_copies},
                                         {"threads", test_threads},
                                         {"clear", test_clear},
                                         {"clear beside threads", test_clear_beside_threads},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("token_cache", tests)
