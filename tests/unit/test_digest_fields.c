/* Content-MD5, Digest, Content-Digest, Repr-Digest. */
#include "core/http/fields.h"
#include "unit.h"

/* Of "hello" */
#define MD5 "XUFAKrxLKna5cZ2REBfFkg=="
#define SHA1 "qvTGHdzF6KLavt4PO0gs2a6pQ00="
#define SHA256 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
#define SHA512 "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=="

static fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX];

static fhir_request_t *request_with(const char *name, const char *value)
{
    fhir_request_t *request = apr_pcalloc(pool, sizeof(*request));
    apr_table_t *headers = apr_table_make(pool, 2);
    request->pool = pool;
    if (name) {
        apr_table_add(headers, name, value);
    }
    request->headers = headers;
    return request;
}

/* The sum of the kinds found, or -1 if INVALID. */
static int kinds(const char *name, const char *value)
{
    int count = -1;
    int sum = 0;
    int i;
    fhir_error_t *error = fhir_expected_digests(expected, &count, request_with(name, value));
    if (error) {
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, name));
        return -1;
    }
    for (i = 0; i < count; i++) {
        sum += (int)expected[i].kind;
        CU_ASSERT_STRING_EQUAL(expected[i].field, name);
    }
    return sum;
}

typedef struct digest_case_t {
    const char *name;
    const char *value;
    int expected;
} digest_case_t;

static void check(const digest_case_t *cases, apr_size_t count)
{
    apr_size_t i;
    for (i = 0; i < count; i++) {
        int got = kinds(cases[i].name, cases[i].value);
        CU_ASSERT_EQUAL(got, cases[i].expected);
        if (got != cases[i].expected) {
            printf("%s: %s gives %d\n", cases[i].name, cases[i].value, got);
        }
    }
}

static void test_content_md5(void)
{
    static const digest_case_t cases[] = {{"Content-MD5", MD5, FHIR_DIGEST_MD5},
                                          {"Content-MD5", " " MD5 " ", FHIR_DIGEST_MD5},
                                          {"Content-MD5", "", -1},
                                          {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg", -1},
                                          {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=", -1},
                                          {"Content-MD5", SHA1, -1},
                                          {"Content-MD5", "5d41402abc4b2a76b9719d911017c592", -1},
                                          {"Content-MD5", MD5 ", " MD5, -1},
                                          {"Content-MD5", "!UFAKrxLKna5cZ2REBfFkg==", -1}};
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_digest(void)
{
    static const digest_case_t cases[] = {{"Digest", "SHA-256=" SHA256, FHIR_DIGEST_SHA256},
                                          {"Digest", "sha-256=" SHA256, FHIR_DIGEST_SHA256},
                                          {"Digest", "SHA-256=" SHA256 ",MD5=" MD5 ",sha=" SHA1 ",sha-512=" SHA512, 15},
                                          {"Digest", " SHA-256=" SHA256 " , MD5=" MD5, 5},
                                          {"Digest", "sha-1=" SHA1, FHIR_DIGEST_SHA1},
                                          {"Digest", "unixsum=30637", 0},
                                          {"Digest", "unixsum=30637, MD5=" MD5, FHIR_DIGEST_MD5},
                                          {"Digest", "id-sha-256=" SHA256, 0},
                                          {"Digest", "crc32c=AAAAAA==,SHA-512=" SHA512, FHIR_DIGEST_SHA512},
                                          {"Digest", "", 0},
                                          {"Digest", ",,", 0},
                                          {"Digest", "SHA-256=" SHA256 ", sha-256=" SHA256, FHIR_DIGEST_SHA256},
                                          {"Digest", "SHA-256=" MD5, -1},
                                          {"Digest", "MD5=" SHA256, -1},
                                          {"Digest", "SHA-256=", -1},
                                          {"Digest", "SHA-256", -1},
                                          {"Digest", "SHA-256:" SHA256, -1},
                                          {"Digest", "=" SHA256, -1},
                                          {"Digest", "SHA-256=:" SHA256 ":", -1},
                                          {"Digest", "MD5=" MD5 ", MD5=AAAAAAAAAAAAAAAAAAAAAA==", -1},
                                          {"Digest", "@", -1},
                                          {"Digest", "MD5=" MD5 " x", -1}};
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_structured(void)
{
    static const char *const names[] = {"Content-Digest", "Repr-Digest"};
    int i;
    for (i = 0; i < 2; i++) {
        const digest_case_t cases[] = {{names[i], "sha-256=:" SHA256 ":", FHIR_DIGEST_SHA256},
                                       {names[i], "sha-256=:" SHA256 ":, sha-512=:" SHA512 ":", 9},
                                       {names[i], "md5=:" MD5 ":,sha=:" SHA1 ":", 6},
                                       {names[i], "sha-256=:" SHA256 ":;p=1;q", FHIR_DIGEST_SHA256},
                                       {names[i], "sha-256=:" SHA256 ": ;p=\"a,b\"", FHIR_DIGEST_SHA256},
                                       {names[i], "other=:AAAA:, sha-256=:" SHA256 ":", FHIR_DIGEST_SHA256},
                                       {names[i], "other=\"a,b=c\", sha-256=:" SHA256 ":", FHIR_DIGEST_SHA256},
                                       {names[i], "other, sha-256=:" SHA256 ":", FHIR_DIGEST_SHA256},
                                       {names[i], "", 0},
                                       {names[i], "sha-256=" SHA256, -1},
                                       {names[i], "sha-256=:" SHA256, -1},
                                       {names[i], "sha-256=" SHA256 ":", -1},
                                       {names[i], "sha-256=::", -1},
                                       {names[i], "sha-256=:", -1},
                                       {names[i], "sha-256", -1},
                                       {names[i], "sha-256=:" SHA256 ":x", -1},
                                       {names[i], "sha-256=:" MD5 ":", -1},
                                       {names[i], "sha-256=: " SHA256 ":", -1},
                                       {names[i], "\xFF", -1}};
        check(cases, sizeof(cases) / sizeof(cases[0]));
    }
}

static void test_all_fields(void)
{
    fhir_request_t *request = request_with("content-md5", MD5);
    int count = -1;
    apr_table_t *headers = apr_table_copy(pool, request->headers);
    apr_table_add(headers, "DIGEST", "md5=" MD5 ",sha=" SHA1);
    apr_table_add(headers, "digest", "sha-256=" SHA256);
    apr_table_add(headers, "Content-Digest", "sha-512=:" SHA512 ":,sha-256=:" SHA256 ":");
    apr_table_add(headers, "Repr-Digest", "sha-256=:" SHA256 ":");
    request->headers = headers;
    FHIR_ASSERT_OK(fhir_expected_digests(expected, &count, request));
    CU_ASSERT_EQUAL(count, 4);
    CU_ASSERT_STRING_EQUAL(expected[0].field, "Content-MD5");
    CU_ASSERT_STRING_EQUAL(expected[3].field, "Content-Digest");
    CU_ASSERT_EQUAL(expected[3].length, 64);
    FHIR_ASSERT_OK(fhir_expected_digests(expected, &count, request_with(NULL, NULL)));
    CU_ASSERT_EQUAL(count, 0);
}

static void test_check(void)
{
    fhir_digest_t *digest = NULL;
    fhir_digest_t *less = NULL;
    fhir_error_t *error;
    int count;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, 15, pool));
    fhir_digest_update(digest, "hello", 5);
    fhir_digest_finish(digest);
    FHIR_ASSERT_OK(fhir_expected_digests(
        expected, &count, request_with("Digest", "SHA-256=" SHA256 ",MD5=" MD5 ",sha=" SHA1 ",sha-512=" SHA512)));
    CU_ASSERT_EQUAL(count, 4);
    FHIR_ASSERT_OK(fhir_check_digests(expected, count, digest, pool));
    FHIR_ASSERT_OK(fhir_check_digests(expected, 0, digest, pool));
    FHIR_ASSERT_OK(fhir_expected_digests(expected, &count, request_with("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")));
    error = fhir_check_digests(expected, count, digest, pool);
    CU_ASSERT(error && error->code == FHIR_ERROR_INVALID && strstr(error->public_text, "Content-MD5"));
    /* What was not computed is not taken as right. */
    FHIR_ASSERT_OK(fhir_digest_create(&less, FHIR_DIGEST_SHA256, pool));
    fhir_digest_finish(less);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_check_digests(expected, count, less, pool));
}

static void test_repr_digest(void)
{
    fhir_digest_t *digest = NULL;
    apr_size_t length;
    const char *field;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, FHIR_DIGEST_SHA256, pool));
    fhir_digest_update(digest, "hello", 5);
    fhir_digest_finish(digest);
    field = fhir_repr_digest(fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length), pool);
    CU_ASSERT_STRING_EQUAL(field, "sha-256=:" SHA256 ":");
    CU_ASSERT_EQUAL(kinds("Repr-Digest", field), FHIR_DIGEST_SHA256);
}

static const fhir_unit_test_t tests[] = {{"content-md5", test_content_md5},
                                         {"digest", test_digest},
                                         {"structured", test_structured},
                                         {"all fields", test_all_fields},
                                         {"check", test_check},
                                         {"repr-digest", test_repr_digest},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("digest_fields", tests)
