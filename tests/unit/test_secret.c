/* Client secrets. */
#include "core/auth/auth.h"
#include "unit.h"

static void test_round_trip(void)
{
    const char *hash = NULL;
    const char *other = NULL;
    FHIR_ASSERT_OK(fhir_secret_hash(&hash, "correct horse", pool));
    CU_ASSERT_EQUAL(strlen(hash), 60);
    CU_ASSERT_EQUAL(strncmp(hash, "$2y$10$", 7), 0);
    CU_ASSERT_TRUE(fhir_secret_matches("correct horse", hash));
    CU_ASSERT_FALSE(fhir_secret_matches("correct horsf", hash));
    CU_ASSERT_FALSE(fhir_secret_matches("correct hors", hash));
    CU_ASSERT_FALSE(fhir_secret_matches("", hash));
    FHIR_ASSERT_OK(fhir_secret_hash(&other, "correct horse", pool));
    CU_ASSERT_STRING_NOT_EQUAL(hash, other); /* salted */
}

/* A hash that another program made (Openwall's published vector). */
static void test_foreign_hash(void)
{
    const char *hash = "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e";
    CU_ASSERT_TRUE(fhir_secret_matches("\xff\xff\xa3", hash));
    CU_ASSERT_FALSE(fhir_secret_matches("\xff\xff\xa4", hash));
}

static void test_length_limit(void)
{
    char secret[74];
    const char *hash = NULL;
    memset(secret, 'a', sizeof(secret));
    secret[73] = '\0';
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_secret_hash(&hash, secret, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_secret_hash(&hash, "", pool));
    secret[72] = '\0';
    FHIR_ASSERT_OK(fhir_secret_hash(&hash, secret, pool));
    CU_ASSERT_TRUE(fhir_secret_matches(secret, hash));
    secret[72] = 'a'; /* 73 bytes that begin like the secret */
    CU_ASSERT_FALSE(fhir_secret_matches(secret, hash));
}

static void test_unusable_hashes(void)
{
    static const char *const hashes[] = {"",
                                         "secret",
                                         "*",
                                         "$2y$10$",
                                         "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
                                         "$apr1$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbb",
                                         "$1$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbb",
                                         "$2y$1x$abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1mS",
                                         "$2y$99$abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1mS",
                                         "$2y$10$abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1m",
                                         "$2y$10$abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1mSS",
                                         "$2y$10$abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1m!",
                                         "$2y$10!abcdefghijklmnopqrstuuW2Jq0v9f5uF1O5v1dPp7h3o9c8Yk1mS"};
    apr_size_t i;
    for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        CU_ASSERT_FALSE(fhir_secret_matches("secret", hashes[i]));
        CU_ASSERT_FALSE(fhir_secret_matches(hashes[i], hashes[i]));
    }
    CU_ASSERT_FALSE(fhir_secret_matches("secret", NULL));
    CU_ASSERT_FALSE(fhir_secret_matches(NULL, hashes[0]));
}

static const fhir_unit_test_t tests[] = {{"round trip", test_round_trip},
                                         {"foreign hash", test_foreign_hash},
                                         {"length limit", test_length_limit},
                                         {"unusable hashes", test_unusable_hashes},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("secret", tests)
