/* JWK sets and JWS: the vectors of RFC 7515 and RFC 8037, tokens of another implementation, and attacks. */
#include "core/auth/auth.h"
#include "core/base/text.h"
#include "jws_vectors.h"
#include "unit.h"

#include <pthread.h>

#define ALL "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"
#define RFC_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC_TEXT "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"

#define A2_MEMBERS                                                                                                     \
    "\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"                    \
    "4qPCJrcS2mJPMEzP1Pt0"                                                                                             \
    "Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBd" \
    "QOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkML" \
    "s91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\""
#define A3_MEMBERS                                                                                                     \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"   \
    "tue"                                                                                                              \
    "659LNpXW6pCyStikYjKIWI5a0\""
#define A2_TOKEN                                                                                                       \
    "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD                                                                                \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7" \
    "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"     \
    "xi12j"                                                                                                            \
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"          \
    "IoypGlUPQGe7"                                                                                                     \
    "7Rw"
#define A3_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define A3_TOKEN "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD "." A3_SIGNATURE

static void assert_text(const char *text, const char *expected)
{
    CU_ASSERT_PTR_NOT_NULL(text);
    CU_ASSERT_STRING_EQUAL(text ? text : "", expected);
}

static fhir_jwk_set_t *set_of(const char *keys)
{
    fhir_jwk_set_t *set = NULL;
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, apr_psprintf(pool, "{\"keys\":[%s]}", keys), pool));
    return set;
}

static const char *encoded(const char *text)
{
    return fhir_base64url_encode(text, strlen(text), pool);
}

static void is_refused(const char *token, const fhir_jwk_set_t *set, const char *algorithms)
{
    const char *payload = "untouched";
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_jws_verify(&payload, token, set, algorithms, pool));
    CU_ASSERT_PTR_NULL(payload);
}

static void verifies(const char *token, const fhir_jwk_set_t *set, const char *algorithms)
{
    const char *payload = NULL;
    FHIR_ASSERT_OK(fhir_jws_verify(&payload, token, set, algorithms, pool));
    CU_ASSERT_PTR_NOT_NULL(payload);
}

static void test_rfc7515_vectors(void)
{
    const char *payload = NULL;
    FHIR_ASSERT_OK(fhir_jws_verify(&payload, A2_TOKEN, set_of("{" A2_MEMBERS "}"), "RS256", pool));
    assert_text(payload, RFC_TEXT);
    payload = NULL;
    FHIR_ASSERT_OK(fhir_jws_verify(&payload, A3_TOKEN, set_of("{" A3_MEMBERS "}"), "ES256", pool));
    assert_text(payload, RFC_TEXT);
}

static void test_rfc8037_vector(void)
{
    const char *payload = NULL;
    FHIR_ASSERT_OK(fhir_jws_verify(
        &payload,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR"
        "4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        set_of("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"), "EdDSA",
        pool));
    assert_text(payload, "Example of Ed25519 signing");
}

static void test_other_implementation(void)
{
    fhir_jwk_set_t *set = NULL;
    apr_size_t i;
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, vector_set, pool));
    for (i = 0; i < sizeof(vector_tokens) / sizeof(vector_tokens[0]); i++) {
        fhir_jws_header_t header;
        verifies(vector_tokens[i].token, set, ALL);
        verifies(vector_tokens[i].token, set, vector_tokens[i].algorithm);
        is_refused(vector_tokens[i].token, set, "HS256 none");
        is_refused(vector_tokens[i].token, set, "");
        FHIR_ASSERT_OK(fhir_jws_peek(&header, vector_tokens[i].token, pool));
        assert_text(header.algorithm, vector_tokens[i].algorithm);
        assert_text(header.issuer, "https://issuer.example.org");
        CU_ASSERT_PTR_NOT_NULL(header.key_id);
    }
}

/* Every letter of every part counts. */
static void test_tampered(void)
{
    const fhir_jwk_set_t *set = set_of("{" A3_MEMBERS "}");
    apr_size_t i;
    for (i = 0; i < strlen(A3_TOKEN); i++) {
        char *token = apr_pstrdup(pool, A3_TOKEN);
        token[i] = token[i] == 'A' ? 'B' : 'A';
        is_refused(token, set, ALL);
    }
    /* the unused bits of the last letter: the same bytes to a careless decoder */
    is_refused("eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
               ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1R",
               set, ALL);
}

static void test_malformed(void)
{
    static const char *const tokens[] = {"",
                                         ".",
                                         "..",
                                         "a.b",
                                         "a.b.c",
                                         "a.b.c.d.e",
                                         A3_TOKEN ".",
                                         A3_TOKEN "=",
                                         " " A3_TOKEN,
                                         A3_TOKEN " ",
                                         "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD ".",
                                         "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD,
                                         "." RFC_PAYLOAD "." A3_SIGNATURE,
                                         "eyJhbGciOiJFUzI1NiJ9=." RFC_PAYLOAD "." A3_SIGNATURE,
                                         "W10." RFC_PAYLOAD "." A3_SIGNATURE /* [] */};
    const fhir_jwk_set_t *set = set_of("{" A3_MEMBERS "}");
    fhir_jws_header_t header;
    apr_size_t i;
    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        is_refused(tokens[i], set, ALL);
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_jws_peek(&header, "a.b.c", pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_jws_peek(&header, "", pool));
}

static void test_size_limit(void)
{
    const char *private_jwk;
    const char *key_id;
    char *payload = apr_pcalloc(pool, 20001);
    const char *token;
    apr_array_header_t *keys = apr_array_make(pool, 1, sizeof(const char *));
    const char *json;
    fhir_jws_header_t header;
    fhir_jwk_set_t *set;
    FHIR_ASSERT_OK(fhir_jwk_generate(&private_jwk, &key_id, "ES256", pool));
    APR_ARRAY_PUSH(keys, const char *) = private_jwk;
    FHIR_ASSERT_OK(fhir_jwk_public_set(&json, keys, pool));
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, json, pool));
    memset(payload, 'x', 12000);
    FHIR_ASSERT_OK(fhir_jws_sign(&token, payload, private_jwk, pool));
    CU_ASSERT(strlen(token) < 16384);
    verifies(token, set, ALL);
    memset(payload, 'x', 12300);
    FHIR_ASSERT_OK(fhir_jws_sign(&token, payload, private_jwk, pool));
    CU_ASSERT(strlen(token) > 16384);
    is_refused(token, set, ALL);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_jws_peek(&header, token, pool));
}

static const char *with_header(const char *header)
{
    return apr_pstrcat(pool, encoded(header), "." RFC_PAYLOAD "." A3_SIGNATURE, NULL);
}

static void test_refused_headers(void)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"None\"}",
                                          "{\"alg\":\"HS256\"}",
                                          "{\"alg\":\"HS512\",\"kid\":\"rsa\"}",
                                          "{\"alg\":\"\"}",
                                          "{}",
                                          "{\"alg\":7}",
                                          "{\"alg\":[\"ES256\"]}",
                                          "{\"alg\":\"es256\"}",
                                          "{\"alg\":\"ES256 \"}",
                                          "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}",
                                          "{\"alg\":\"ES256\",\"crit\":[]}",
                                          "{\"alg\":\"ES256\",\"crit\":null}",
                                          "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
                                          "{\"alg\":\"none\",\"alg\":\"ES256\"}",
                                          "{\"alg\":\"ES256\",\"kid\":1}",
                                          "{\"alg\":\"ES256\",\"kid\":null}",
                                          "{\"alg\":\"ES256\"",
                                          "[\"ES256\"]",
                                          "\"ES256\"",
                                          "",
                                          "nonsense",
                                          "{\"alg\":\"ES256\\u0000\"}",
                                          "{\"alg\":\"ES256\"}x"};
    const fhir_jwk_set_t *set = set_of("{" A3_MEMBERS "}");
    apr_size_t i;
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        fhir_jws_header_t header;
        FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_jws_peek(&header, with_header(headers[i]), pool));
        is_refused(with_header(headers[i]), set, ALL " HS256 HS512 none");
    }
}

static void test_alg_none_unsigned(void)
{
    const char *token = apr_pstrcat(pool, encoded("{\"alg\":\"none\"}"), "." RFC_PAYLOAD ".", NULL);
    is_refused(token, set_of("{" A3_MEMBERS "}"), ALL " none");
}

/* The classic confusion: an HMAC whose key is the public key. */
static void test_hmac_with_rsa_key(void)
{
    const fhir_jwk_set_t *set = set_of("{" A2_MEMBERS ",\"kid\":\"rsa\"},"
                                       "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"oct\"}");
    const char *text = apr_pstrcat(pool, encoded("{\"alg\":\"HS256\",\"kid\":\"rsa\"}"), "." RFC_PAYLOAD, NULL);
    unsigned char mac[FHIR_SHA256_LENGTH];
    fhir_hmac_sha256(mac, "secret", 6, text, strlen(text));
    is_refused(apr_pstrcat(pool, text, ".", fhir_base64url_encode(mac, sizeof(mac), pool), NULL), set, ALL " HS256");
    text = apr_pstrcat(pool, encoded("{\"alg\":\"HS256\",\"kid\":\"oct\"}"), "." RFC_PAYLOAD, NULL);
    fhir_hmac_sha256(mac, "secret", 6, text, strlen(text));
    is_refused(apr_pstrcat(pool, text, ".", fhir_base64url_encode(mac, sizeof(mac), pool), NULL), set, ALL " HS256");
    CU_ASSERT_FALSE(fhir_jwk_set_has(set, "oct"));
}

static void test_key_choice(void)
{
    fhir_jwk_set_t *all;
    /* no kid in the token: only if the set has one usable key */
    verifies(A3_TOKEN, set_of("{" A3_MEMBERS ",\"kid\":\"one\"}"), ALL);
    verifies(A3_TOKEN, set_of("{" A3_MEMBERS ",\"kid\":\"one\"},{\"kty\":\"oct\",\"k\":\"AA\"}"), ALL);
    is_refused(A3_TOKEN, set_of("{" A3_MEMBERS ",\"kid\":\"one\"},{" A2_MEMBERS ",\"kid\":\"two\"}"), ALL);
    is_refused(A3_TOKEN, set_of(""), ALL);
    /* the wrong type of key, also under the right algorithm list */
    is_refused(A3_TOKEN, set_of("{" A2_MEMBERS "}"), ALL);
    is_refused(A2_TOKEN, set_of("{" A3_MEMBERS "}"), ALL);
    /* a kid that names no key, or another one */
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&all, vector_set, pool));
    CU_ASSERT_TRUE(fhir_jwk_set_has(all, "rsa"));
    CU_ASSERT_FALSE(fhir_jwk_set_has(all, "other"));
    CU_ASSERT_FALSE(fhir_jwk_set_has(all, NULL));
    is_refused(with_header("{\"alg\":\"ES256\",\"kid\":\"other\"}"), all, ALL);
    is_refused(with_header("{\"alg\":\"ES256\",\"kid\":\"rsa\"}"), all, ALL);
    is_refused(with_header("{\"alg\":\"ES256\",\"kid\":\"p384\"}"), all, ALL);
    is_refused(with_header("{\"alg\":\"ES384\",\"kid\":\"p256\"}"), all, ALL);
    is_refused(with_header("{\"alg\":\"RS256\",\"kid\":\"p256\"}"), all, ALL);
}

static void test_allow_list_and_own_alg(void)
{
    is_refused(A3_TOKEN, set_of("{" A3_MEMBERS "}"), "RS256");
    is_refused(A3_TOKEN, set_of("{" A3_MEMBERS "}"), "ES2567 ES25 XES256");
    verifies(A3_TOKEN, set_of("{" A3_MEMBERS "}"), " RS256  ES256 ");
    verifies(A2_TOKEN, set_of("{" A2_MEMBERS ",\"alg\":\"RS256\"}"), ALL);
    is_refused(A2_TOKEN, set_of("{" A2_MEMBERS ",\"alg\":\"PS256\"}"), ALL);
    is_refused(A2_TOKEN, set_of("{" A2_MEMBERS ",\"alg\":\"RS512\"}"), ALL);
}

static void left_out(const char *key)
{
    const char *keys = apr_psprintf(pool, "%s", key);
    CU_ASSERT_FALSE(fhir_jwk_set_has(set_of(keys), "k"));
}

static void test_keys_left_out(void)
{
    fhir_jwk_set_t *weak;
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"use\":\"enc\"}");
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"use\":7}");
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"key_ops\":[\"encrypt\"]}");
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"key_ops\":\"verify\"}");
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"alg\":\"RS256\"}");
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"alg\":\"HS256\"}");
    left_out("{" A3_MEMBERS ",\"kid\":\"k\",\"alg\":5}");
    left_out("{\"kty\":\"xyz\",\"kid\":\"k\"}");
    left_out("{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"k\"}");
    left_out("{\"kid\":\"k\"}");
    left_out("7");
    left_out("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
             "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"k\"}");
    /* a point that is not on the curve; a coordinate too short */
    left_out("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
             "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\",\"kid\":\"k\"}");
    left_out("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83O\",\"y\":"
             "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"k\"}");
    left_out("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
             "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"kid\":\"k\"}");
    left_out("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEUA\",\"y\":"
             "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"k\"}");
    left_out("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\",\"kid\":\"k\"}");
    left_out(
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"kid\":\"k\"}");
    left_out("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"k\"}");
    CU_ASSERT_TRUE(fhir_jwk_set_has(set_of("{" A2_MEMBERS ",\"kid\":\"k\",\"use\":\"sig\"}"), "k"));
    CU_ASSERT_TRUE(fhir_jwk_set_has(set_of("{" A2_MEMBERS ",\"kid\":\"k\",\"key_ops\":[\"verify\"]}"), "k"));
    /* RSA under 2048 bits */
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&weak, vector_weak_set, pool));
    CU_ASSERT_FALSE(fhir_jwk_set_has(weak, "weak"));
    is_refused(vector_weak_token, weak, ALL);
}

static void test_rsa_exponent(void)
{
    static const char *const exponents[] = {"AQ", "AA", "Ag", "", "________________", "A"};
    apr_size_t i;
    const char *n = strstr(A2_MEMBERS, "\"n\"");
    const char *e = strstr(n, ",\"e\"");
    for (i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        left_out(
            apr_psprintf(pool, "{\"kty\":\"RSA\",%.*s,\"e\":\"%s\",\"kid\":\"k\"}", (int)(e - n), n, exponents[i]));
    }
}

static void test_no_set(void)
{
    static const char *const texts[] = {
        "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "nonsense", "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}"};
    fhir_jwk_set_t *set;
    fhir_text_t many;
    apr_size_t i;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_jwk_set_parse(&set, texts[i], pool));
        CU_ASSERT_PTR_NULL(set);
    }
    fhir_text_init(&many, pool);
    fhir_text_add(&many, "{\"keys\":[1");
    for (i = 0; i < 300; i++) {
        fhir_text_add(&many, ",1");
    }
    fhir_text_add(&many, "]}");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_jwk_set_parse(&set, many.text, pool));
}

static void round_trip(const char *algorithm)
{
    apr_array_header_t *keys = apr_array_make(pool, 2, sizeof(const char *));
    const char *private_jwk;
    const char *key_id;
    const char *json;
    const char *token;
    const char *payload;
    fhir_jwk_set_t *set;
    fhir_jws_header_t header;
    FHIR_ASSERT_OK(fhir_jwk_generate(&private_jwk, &key_id, algorithm, pool));
    CU_ASSERT_EQUAL(strlen(key_id), 43);
    APR_ARRAY_PUSH(keys, const char *) = private_jwk;
    FHIR_ASSERT_OK(fhir_jwk_public_set(&json, keys, pool));
    CU_ASSERT_PTR_NULL(strstr(json, "\"d\""));
    CU_ASSERT_PTR_NULL(strstr(json, "\"p\""));
    CU_ASSERT_PTR_NULL(strstr(json, "\"qi\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(json, key_id));
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, json, pool));
    CU_ASSERT_TRUE(fhir_jwk_set_has(set, key_id));
    FHIR_ASSERT_OK(fhir_jws_sign(&token, "{\"iss\":\"me\"}", private_jwk, pool));
    FHIR_ASSERT_OK(fhir_jws_peek(&header, token, pool));
    assert_text(header.algorithm, algorithm);
    assert_text(header.key_id, key_id);
    assert_text(header.issuer, "me");
    FHIR_ASSERT_OK(fhir_jws_verify(&payload, token, set, algorithm, pool));
    assert_text(payload, "{\"iss\":\"me\"}");
}

static void test_generate_and_sign(void)
{
    const char *text;
    const char *key_id;
    round_trip("ES256");
    round_trip("RS256");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_jwk_generate(&text, &key_id, "HS256", pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_jwk_generate(&text, &key_id, "EdDSA", pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_jws_sign(&text, "{}", "{}", pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_jws_sign(&text, "{}", "{" A3_MEMBERS "}", pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_jws_sign(&text, "{}", "nonsense", pool));
}

/* ECDSA signatures have fixed width: run often enough to meet a short r or s. */
static void test_short_numbers(void)
{
    const char *private_jwk;
    const char *key_id;
    apr_array_header_t *keys = apr_array_make(pool, 1, sizeof(const char *));
    const char *json;
    fhir_jwk_set_t *set;
    int i;
    FHIR_ASSERT_OK(fhir_jwk_generate(&private_jwk, &key_id, "ES256", pool));
    APR_ARRAY_PUSH(keys, const char *) = private_jwk;
    FHIR_ASSERT_OK(fhir_jwk_public_set(&json, keys, pool));
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, json, pool));
    for (i = 0; i < 200; i++) {
        const char *token;
        FHIR_ASSERT_OK(fhir_jws_sign(&token, apr_psprintf(pool, "{\"n\":%d}", i), private_jwk, pool));
        verifies(token, set, "ES256");
    }
}

static void test_public_set_of_nothing(void)
{
    apr_array_header_t *keys = apr_array_make(pool, 1, sizeof(const char *));
    const char *json;
    FHIR_ASSERT_OK(fhir_jwk_public_set(&json, keys, pool));
    assert_text(json, "{\"keys\":[]}");
    APR_ARRAY_PUSH(keys, const char *) = "broken";
    FHIR_ASSERT_ERROR(FHIR_ERROR_INTERNAL, fhir_jwk_public_set(&json, keys, pool));
}

static void test_payload_with_nul(void)
{
    const char *private_jwk;
    const char *key_id;
    apr_array_header_t *keys = apr_array_make(pool, 1, sizeof(const char *));
    const char *json;
    const char *token;
    fhir_jwk_set_t *set;
    fhir_jws_header_t header;
    FHIR_ASSERT_OK(fhir_jwk_generate(&private_jwk, &key_id, "ES256", pool));
    APR_ARRAY_PUSH(keys, const char *) = private_jwk;
    FHIR_ASSERT_OK(fhir_jwk_public_set(&json, keys, pool));
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, json, pool));
    /* a payload that is no JSON is verified but has no issuer */
    FHIR_ASSERT_OK(fhir_jws_sign(&token, "plain", private_jwk, pool));
    FHIR_ASSERT_OK(fhir_jws_peek(&header, token, pool));
    CU_ASSERT_PTR_NULL(header.issuer);
    verifies(token, set, "ES256");
    FHIR_ASSERT_OK(fhir_jws_peek(&header, "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIgB9.AA", pool));
    CU_ASSERT_PTR_NULL(header.issuer);
}

static void *verify_often(void *data)
{
    const fhir_jwk_set_t *set = data;
    apr_pool_t *own = NULL;
    apr_size_t good = 0;
    apr_size_t i;
    apr_pool_create(&own, NULL);
    for (i = 0; i < 50; i++) {
        apr_size_t which = i % (sizeof(vector_tokens) / sizeof(vector_tokens[0]));
        const char *payload;
        good += fhir_jws_verify(&payload, vector_tokens[which].token, set, ALL, own) == NULL;
    }
    apr_pool_destroy(own);
    return good == 50 ? data : NULL;
}

static void test_threads_share_a_set(void)
{
    pthread_t threads[4];
    fhir_jwk_set_t *set;
    void *result;
    int i;
    FHIR_ASSERT_OK(fhir_jwk_set_parse(&set, vector_set, pool));
    for (i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, verify_often, set), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        CU_ASSERT_PTR_EQUAL(result, set);
    }
}

static const fhir_unit_test_t tests[] = {{"RFC 7515 vectors", test_rfc7515_vectors},
                                         {"RFC 8037 vector", test_rfc8037_vector},
                                         {"another implementation", test_other_implementation},
                                         {"tampered", test_tampered},
                                         {"malformed", test_malformed},
                                         {"size limit", test_size_limit},
                                         {"refused headers", test_refused_headers},
                                         {"alg none", test_alg_none_unsigned},
                                         {"HMAC with an RSA key", test_hmac_with_rsa_key},
                                         {"key choice", test_key_choice},
                                         {"allow-list and the key's alg", test_allow_list_and_own_alg},
                                         {"keys left out", test_keys_left_out},
                                         {"RSA exponents", test_rsa_exponent},
                                         {"no JWK set", test_no_set},
                                         {"generate and sign", test_generate_and_sign},
                                         {"short numbers", test_short_numbers},
                                         {"public set", test_public_set_of_nothing},
                                         {"payload", test_payload_with_nul},
                                         {"threads", test_threads_share_a_set},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("jws", tests)
