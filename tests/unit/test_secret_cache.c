/* The cache of proven client secrets. */
#include "core/app/secret_cache.h"
#include "unit.h"

#include <pthread.h>

#define NOW apr_time_from_sec(1800000000)

static fhir_secret_cache_t *cache_of_test(void)
{
    fhir_secret_cache_t *cache = NULL;
    FHIR_ASSERT_OK(fhir_secret_cache_create(&cache, pool));
    return cache;
}

static void test_remembers_exactly(void)
{
    fhir_secret_cache_t *cache = cache_of_test();
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "c", "h", "s", NOW));
    fhir_secret_cache_add(cache, "c", "h", "s", NOW);
    CU_ASSERT_TRUE(fhir_secret_cache_has(cache, "c", "h", "s", NOW));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "c", "h", "t", NOW));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "d", "h", "s", NOW));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "c", "i", "s", NOW)); /* a changed secret */
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "ch", "", "s", NOW));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "c", "hs", "", NOW));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "", "", "", NOW));
}

static void test_forgets(void)
{
    fhir_secret_cache_t *cache = cache_of_test();
    fhir_secret_cache_add(cache, "c", "h", "s", NOW);
    CU_ASSERT_TRUE(fhir_secret_cache_has(cache, "c", "h", "s", NOW + apr_time_from_sec(60) - 1));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "c", "h", "s", NOW + apr_time_from_sec(60)));
    CU_ASSERT_TRUE(fhir_secret_cache_has(cache, "c", "h", "s", NOW - apr_time_from_sec(5)));
    CU_ASSERT_FALSE(fhir_secret_cache_has(cache, "c", "h", "s", NOW - apr_time_from_sec(6)));
    fhir_secret_cache_add(cache, "c", "h", "s", NOW + apr_time_from_sec(50));
    CU_ASSERT_TRUE(fhir_secret_cache_has(cache, "c", "h", "s", NOW + apr_time_from_sec(100)));
}

static void test_bounded(void)
{
    fhir_secret_cache_t *cache = cache_of_test();
    int kept = 0;
    int i;
    for (i = 0; i < 5000; i++) {
        fhir_secret_cache_add(cache, apr_psprintf(pool, "c%d", i), "h", "s", NOW + i);
    }
    for (i = 0; i < 5000; i++) {
        kept += fhir_secret_cache_has(cache, apr_psprintf(pool, "c%d", i), "h", "s", NOW + 5000);
    }
    CU_ASSERT(kept > 900 && kept <= 1024);
    CU_ASSERT_TRUE(fhir_secret_cache_has(cache, "c4999", "h", "s", NOW + 5000));
}

static void test_two_caches_differ(void)
{
    fhir_secret_cache_t *one = cache_of_test();
    fhir_secret_cache_t *other = cache_of_test();
    fhir_secret_cache_add(one, "c", "h", "s", NOW);
    CU_ASSERT_FALSE(fhir_secret_cache_has(other, "c", "h", "s", NOW));
}

static void *use_often(void *data)
{
    fhir_secret_cache_t *cache = data;
    int i;
    for (i = 0; i < 500; i++) {
        const char *client = i % 2 ? "a" : "b";
        fhir_secret_cache_add(cache, client, "h", "s", NOW);
        if (!fhir_secret_cache_has(cache, client, "h", "s", NOW) ||
            fhir_secret_cache_has(cache, client, "h", "t", NOW)) {
            return NULL;
        }
    }
    return data;
}

static void test_threads(void)
{
    fhir_secret_cache_t *cache = cache_of_test();
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

static const fhir_unit_test_t tests[] = {
    {"remembers exactly", test_remembers_exactly}, {"forgets", test_forgets}, {"bounded", test_bounded},
    {"two caches", test_two_caches_differ},        {"threads", test_threads}, {NULL, NULL}};
FHIR_UNIT_MAIN("secret_cache", tests)
