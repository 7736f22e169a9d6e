/* Signed URLs. */
#include "core/auth/auth.h"
#include "core/base/digest.h"
#include "core/base/text.h"
#include "unit.h"

#define BINARY "b-1"
#define VERSION "11111111-1111-4111-8111-111111111111"
#define MEMBERSHIP "22222222-2222-4222-8222-222222222222"
#define KEY_ID "k1"
#define EXPIRES "1800000000"
#define BASE "https://fhir.example.org/storage/"

static const unsigned char key[32] = "0123456789abcdef0123456789abcde";

static fhir_presign_t made(void)
{
    fhir_presign_t presign = {"GET", BINARY, VERSION, MEMBERSHIP, apr_time_from_sec(1800000000), KEY_ID};
    return presign;
}

static const char *signature_of(const fhir_presign_t *presign)
{
    const char *url = fhir_presign_url(BASE, presign, key, sizeof(key), pool);
    return strstr(url, "Signature=") + strlen("Signature=");
}

static fhir_error_t *verify(const fhir_presign_t *presign, const char *signature)
{
    return fhir_presign_verify(presign, signature, key, sizeof(key), apr_time_from_sec(1799999999), pool);
}

/* The canonical text as the contract says it, signed by hand. */
static void test_canonical_text(void)
{
    fhir_presign_t presign = made();
    const char *lines =
        "fhir-binary-signed-url-v1\nGET\n" BINARY "\n" VERSION "\n" EXPIRES "\n" KEY_ID "\n" MEMBERSHIP "\n";
    unsigned char mac[FHIR_SHA256_LENGTH];
    fhir_hmac_sha256(mac, key, sizeof(key), lines, strlen(lines));
    CU_ASSERT_STRING_EQUAL(fhir_presign_url(BASE, &presign, key, sizeof(key), pool),
                           apr_pstrcat(pool,
                                       BASE BINARY "/" VERSION "?Expires=" EXPIRES "&Key-Pair-Id=" KEY_ID
                                                   "&Membership=" MEMBERSHIP "&Signature=",
                                       fhir_base64url_encode(mac, sizeof(mac), pool), NULL));
}

static void test_expiry(void)
{
    apr_time_t hour = apr_time_from_sec(3600);
    apr_time_t window = apr_time_from_sec(300);
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(1200), hour, window), apr_time_from_sec(4800));
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(1200) + 1, hour, window), apr_time_from_sec(5100));
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(1499), hour, window), apr_time_from_sec(5100));
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(1500), hour, window), apr_time_from_sec(5100));
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(10) + 5, hour, 0), apr_time_from_sec(3611));
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(10), hour, 250000), apr_time_from_sec(3610));
    CU_ASSERT_EQUAL(fhir_presign_expiry(apr_time_from_sec(10), hour, -5), apr_time_from_sec(3610));
}

static apr_table_t *query_of(const char *const *pairs)
{
    apr_table_t *query = apr_table_make(pool, 4);
    for (; *pairs; pairs += 2) {
        apr_table_addn(query, pairs[0], pairs[1]);
    }
    return query;
}

static fhir_presign_t parsed;
static const char *parsed_signature;

static fhir_error_t *parse_as(const char *method, const char *binary, const char *version, const char *const *pairs)
{
    return fhir_presign_parse(&parsed, &parsed_signature, method, binary, version, query_of(pairs), pool);
}

static fhir_error_t *parse(const char *const *pairs)
{
    return parse_as("GET", BINARY, VERSION, pairs);
}

static void test_parse(void)
{
    static const char *const ordered[] = {"Expires",  EXPIRES,     "Key-Pair-Id", KEY_ID, "Membership",
                                          MEMBERSHIP, "Signature", "sig",         NULL};
    static const char *const reordered[] = {"Signature", "sig",     "Membership", MEMBERSHIP, "Key-Pair-Id",
                                            KEY_ID,      "Expires", EXPIRES,      NULL};
    FHIR_ASSERT_OK(parse(ordered));
    CU_ASSERT_STRING_EQUAL(parsed.method, "GET");
    CU_ASSERT_STRING_EQUAL(parsed.binary_id, BINARY);
    CU_ASSERT_STRING_EQUAL(parsed.version_id, VERSION);
    CU_ASSERT_STRING_EQUAL(parsed.membership_id, MEMBERSHIP);
    CU_ASSERT_STRING_EQUAL(parsed.key_id, KEY_ID);
    CU_ASSERT_EQUAL(parsed.expires, apr_time_from_sec(1800000000));
    CU_ASSERT_STRING_EQUAL(parsed_signature, "sig");
    FHIR_ASSERT_OK(parse(reordered));
    FHIR_ASSERT_OK(parse_as("HEAD", BINARY, VERSION, ordered));
    CU_ASSERT_STRING_EQUAL(parsed.method, "GET");
    FHIR_ASSERT_OK(parse_as("PUT", BINARY, VERSION, ordered));
    CU_ASSERT_STRING_EQUAL(parsed.method, "PUT");
    FHIR_ASSERT_OK(parse_as("POST", BINARY, VERSION, ordered));
    CU_ASSERT_STRING_EQUAL(parsed.method, "POST");
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("PATCH", BINARY, VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("DELETE", BINARY, VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("get", BINARY, VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("GET", "b/1", VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("GET", "", VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("GET", "b\n1", VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("GET", NULL, VERSION, ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("GET", BINARY, "1", ordered));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse_as("GET", BINARY, NULL, ordered));
}

static void test_wrong_parameters(void)
{
    static const char *const unsigned_pairs[] = {"Expires",    EXPIRES,    "Key-Pair-Id", KEY_ID,
                                                 "Membership", MEMBERSHIP, NULL};
    static const char *const nothing[] = {NULL};
    static const char *const lower[] = {"expires",  EXPIRES,     "key-pair-id", KEY_ID, "membership",
                                        MEMBERSHIP, "signature", "sig",         NULL};
    static const char *const doubled_signature[] = {"Expires",    EXPIRES,    "Key-Pair-Id", KEY_ID,
                                                    "Membership", MEMBERSHIP, "Signature",   "sig",
                                                    "Signature",  "sig",      NULL};
    static const char *const doubled_expires[] = {"Expires",    EXPIRES,    "Expires",   EXPIRES, "Key-Pair-Id", KEY_ID,
                                                  "Membership", MEMBERSHIP, "Signature", "sig",   NULL};
    static const char *const foreign[] = {"Expires",   EXPIRES, "Key-Pair-Id", KEY_ID, "Membership", MEMBERSHIP,
                                          "Signature", "sig",   "x",           "y",    NULL};
    static const char *const other_case[] = {"Expires",   EXPIRES, "Key-Pair-Id", KEY_ID, "Membership", MEMBERSHIP,
                                             "Signature", "sig",   "signature",   "sig",  NULL};
    static const char *const no_key[] = {"Expires", EXPIRES, "Membership", MEMBERSHIP, "Signature", "sig", NULL};
    static const char *const no_expires[] = {"Key-Pair-Id", KEY_ID, "Membership", MEMBERSHIP, "Signature", "sig", NULL};
    static const char *const no_member[] = {"Expires", EXPIRES, "Key-Pair-Id", KEY_ID, "Signature", "sig", NULL};
    static const char *const *const refused[] = {doubled_signature, doubled_expires, foreign, other_case, no_key,
                                                 no_expires,        no_member};
    apr_size_t i;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, parse(unsigned_pairs));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, parse(nothing));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, parse(lower));
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, parse(refused[i]));
        CU_ASSERT_PTR_NULL(parsed_signature);
    }
}

static int parses_with(const char *expires, const char *key_id, const char *membership)
{
    const char *pairs[] = {"Expires", expires, "Key-Pair-Id", key_id, "Membership", membership, "Signature", "s", NULL};
    fhir_error_t *error = parse(pairs);
    CU_ASSERT(!error || error->code == FHIR_ERROR_FORBIDDEN);
    return error == NULL;
}

static void test_wrong_values(void)
{
    static const char *const bad_expires[] = {
        "",     "-1",  "+1", " 1", "1 ", "01", "1.0", "1e3", "0x10", "1000000000000", "99999999999999999999",
        "1\n2", "abc", "00"};
    static const char *const bad_keys[] = {
        "", "a b", "a/b", "a\nb", "a%20", "12345678901234567890123456789012345678901234567890123456789012345"};
    static const char *const bad_members[] = {"", "x", "22222222-2222-4222-8222-22222222222",
                                              "22222222-2222-4222-8222-222222222222\n"};
    apr_size_t i;
    for (i = 0; i < sizeof(bad_expires) / sizeof(bad_expires[0]); i++) {
        CU_ASSERT_FALSE(parses_with(bad_expires[i], KEY_ID, MEMBERSHIP));
    }
    for (i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
        CU_ASSERT_FALSE(parses_with(EXPIRES, bad_keys[i], MEMBERSHIP));
    }
    for (i = 0; i < sizeof(bad_members) / sizeof(bad_members[0]); i++) {
        CU_ASSERT_FALSE(parses_with(EXPIRES, KEY_ID, bad_members[i]));
    }
    CU_ASSERT_TRUE(parses_with("0", KEY_ID, MEMBERSHIP));
    CU_ASSERT_TRUE(parses_with("999999999999", "A-b_c.9", MEMBERSHIP));
    CU_ASSERT_EQUAL(parsed.expires, apr_time_from_sec(APR_INT64_C(999999999999)));
}

static void test_verify(void)
{
    fhir_presign_t presign = made();
    const char *signature = signature_of(&presign);
    FHIR_ASSERT_OK(verify(&presign, signature));
    FHIR_ASSERT_OK(fhir_presign_verify(&presign, signature, key, sizeof(key), presign.expires - 1, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_EXPIRED,
                      fhir_presign_verify(&presign, signature, key, sizeof(key), presign.expires, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, fhir_presign_verify(&presign, signature, key, 30, 0, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, fhir_presign_verify(&presign, signature, key, 0, 0, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, fhir_presign_verify(&presign, signature, "x", 1, 0, pool));
    /* wrong and expired: only that it is wrong is told */
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN,
                      fhir_presign_verify(&presign, "x", key, sizeof(key), presign.expires, pool));
}

static void changed(fhir_presign_t presign, const char *signature)
{
    FHIR_ASSERT_ERROR(FHIR_ERROR_FORBIDDEN, verify(&presign, signature));
}

static void test_every_value_counts(void)
{
    fhir_presign_t presign = made();
    const char *signature = signature_of(&presign);
    fhir_presign_t other = presign;
    other.method = "PUT";
    changed(other, signature);
    other = presign;
    other.binary_id = "b-2";
    changed(other, signature);
    other = presign;
    other.version_id = MEMBERSHIP;
    changed(other, signature);
    other = presign;
    other.membership_id = VERSION;
    changed(other, signature);
    other = presign;
    other.expires += APR_USEC_PER_SEC;
    changed(other, signature);
    other = presign;
    other.key_id = "k2";
    changed(other, signature);
}

static void test_tampered_signature(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    fhir_presign_t presign = made();
    const char *signature = signature_of(&presign);
    apr_size_t i;
    CU_ASSERT_EQUAL(strlen(signature), 43);
    for (i = 0; i < 43; i++) {
        char *tampered = apr_pstrdup(pool, signature);
        tampered[i] = tampered[i] == 'A' ? 'B' : 'A';
        changed(presign, tampered);
        changed(presign, apr_pstrmemdup(pool, signature, i));
    }
    /* every other last letter, among them those that differ in unused bits only */
    for (i = 0; i < 64; i++) {
        char *tampered = apr_pstrdup(pool, signature);
        tampered[42] = letters[i];
        if (letters[i] != signature[42]) {
            changed(presign, tampered);
        }
    }
    changed(presign, apr_pstrcat(pool, signature, "=", NULL));
    changed(presign, apr_pstrcat(pool, signature, "A", NULL));
    changed(presign, apr_pstrcat(pool, " ", signature, NULL));
    changed(presign, "");
}

static const fhir_unit_test_t tests[] = {{"canonical text", test_canonical_text},
                                         {"expiry", test_expiry},
                                         {"parse", test_parse},
                                         {"wrong parameters", test_wrong_parameters},
                                         {"wrong values", test_wrong_values},
                                         {"verify", test_verify},
                                         {"every value counts", test_every_value_counts},
                                         {"tampered signature", test_tampered_signature},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("presign", tests)
