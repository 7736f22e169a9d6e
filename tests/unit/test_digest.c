/* core/base/digest.c: against published values. */
#include "tests/unit/unit.h"

#include "core/base/digest.h"

#define EVERY (FHIR_DIGEST_SHA256 | FHIR_DIGEST_SHA1 | FHIR_DIGEST_MD5 | FHIR_DIGEST_SHA512)

static const char *hex(const unsigned char *bytes, apr_size_t length)
{
    char *text = apr_palloc(pool, 2 * length + 1);
    apr_size_t i;
    for (i = 0; i < length; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    return text;
}

static const char *value_of(const fhir_digest_t *digest, fhir_digest_kind_t kind)
{
    apr_size_t length;
    const unsigned char *value = fhir_digest_value(digest, kind, &length);
    return value ? hex(value, length) : "none";
}

/* FIPS 180-2 appendix and RFC 1321. */
static void test_known_values(void)
{
    fhir_digest_t *digest;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, EVERY, pool));
    fhir_digest_update(digest, "a", 1);
    fhir_digest_update(digest, NULL, 0);
    fhir_digest_update(digest, "bc", 2);
    fhir_digest_finish(digest);
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA256),
                           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_MD5), "900150983cd24fb0d6963f7d28e17f72");
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA512),
                           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void test_empty(void)
{
    fhir_digest_t *digest;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, FHIR_DIGEST_SHA256, pool));
    fhir_digest_finish(digest);
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA256),
                           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_only_what_was_asked_for(void)
{
    fhir_digest_t *digest;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, FHIR_DIGEST_SHA1, pool));
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA1), "none"); /* not finished */
    fhir_digest_finish(digest);
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA256), "none");
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    FHIR_ASSERT_OK(fhir_digest_create(&digest, 0, pool));
    fhir_digest_update(digest, "x", 1);
    fhir_digest_finish(digest);
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_SHA256), "none");
}

static void test_finish_is_final(void)
{
    fhir_digest_t *digest;
    const char *before;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, EVERY, pool));
    fhir_digest_finish(digest);
    before = value_of(digest, FHIR_DIGEST_MD5);
    fhir_digest_update(digest, "more", 4);
    fhir_digest_finish(digest);
    CU_ASSERT_STRING_EQUAL(value_of(digest, FHIR_DIGEST_MD5), before);
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
static void test_hmac(void)
{
    unsigned char mac[FHIR_SHA256_LENGTH];
    unsigned char key[131];
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    memset(key, 0x0b, 20);
    fhir_hmac_sha256(mac, key, 20, "Hi There", 8);
    CU_ASSERT_STRING_EQUAL(hex(mac, sizeof(mac)), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    fhir_hmac_sha256(mac, "Jefe", 4, "what do ya want for nothing?", 28);
    CU_ASSERT_STRING_EQUAL(hex(mac, sizeof(mac)), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    fhir_hmac_sha256(mac, key, sizeof(key), text, strlen(text));
    CU_ASSERT_STRING_EQUAL(hex(mac, sizeof(mac)), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    fhir_hmac_sha256(mac, NULL, 0, NULL, 0);
    CU_ASSERT_STRING_EQUAL(hex(mac, sizeof(mac)), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* An impossible key length must not give a mac that somebody can guess. */
static void test_hmac_failure_is_not_guessable(void)
{
    unsigned char one[FHIR_SHA256_LENGTH] = {0};
    unsigned char other[FHIR_SHA256_LENGTH] = {0};
    fhir_hmac_sha256(one, "k", (apr_size_t)INT32_MAX + 1, "x", 1);
    fhir_hmac_sha256(other, "k", (apr_size_t)INT32_MAX + 1, "x", 1);
    CU_ASSERT(memcmp(one, other, sizeof(one)) != 0);
}

static void test_equal(void)
{
    CU_ASSERT_TRUE(fhir_equal_constant_time("same", "same", 4));
    CU_ASSERT_FALSE(fhir_equal_constant_time("same", "sama", 4));
    CU_ASSERT_FALSE(fhir_equal_constant_time("same", "tame", 4));
    CU_ASSERT_TRUE(fhir_equal_constant_time("a", "b", 0));
}

static void test_random(void)
{
    unsigned char bytes[3000];
    const char *one;
    const char *other;
    int zeros = 0;
    size_t i;
    memset(bytes, 0, sizeof(bytes));
    FHIR_ASSERT_OK(fhir_random_bytes(bytes, sizeof(bytes), pool));
    for (i = 0; i < sizeof(bytes); i++) {
        zeros += bytes[i] == 0;
    }
    CU_ASSERT(zeros < 100);
    FHIR_ASSERT_OK(fhir_random_hex(&one, 16, pool));
    FHIR_ASSERT_OK(fhir_random_hex(&other, 16, pool));
    CU_ASSERT_EQUAL(strlen(one), 32);
    CU_ASSERT_EQUAL(strspn(one, "0123456789abcdef"), 32);
    CU_ASSERT_STRING_NOT_EQUAL(one, other);
    FHIR_ASSERT_OK(fhir_random_hex(&one, 0, pool));
    CU_ASSERT_STRING_EQUAL(one, "");
}

static void test_uuid(void)
{
    const char *uuid;
    int i;
    for (i = 0; i < 200; i++) {
        FHIR_ASSERT_OK(fhir_random_uuid(&uuid, pool));
        CU_ASSERT_EQUAL_FATAL(strlen(uuid), 36);
        CU_ASSERT(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        CU_ASSERT_EQUAL(uuid[14], '4');
        CU_ASSERT_PTR_NOT_NULL(strchr("89ab", uuid[19]));
        CU_ASSERT_EQUAL(strspn(uuid, "0123456789abcdef-"), 36);
    }
}

static const fhir_unit_test_t tests[] = {
    {"known values", test_known_values},
    {"empty", test_empty},
    {"only what was asked for", test_only_what_was_asked_for},
    {"finish is final", test_finish_is_final},
    {"hmac", test_hmac},
    {"hmac failure is not guessable", test_hmac_failure_is_not_guessable},
    {"equal", test_equal},
    {"random", test_random},
    {"uuid", test_uuid},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("digest", tests)
