/* Signed URLs: who has one may read, or upload, one version of one Binary until it expires. */
#include "../base/digest.h"
#include "../base/text.h"
#include "auth.h"

#include <string.h>

#define SIGNATURE_LETTERS 43 /* base64url of 32 bytes */
#define EXPIRES_DIGITS_MAX 12
#define KEY_ID_MAX 64

apr_time_t fhir_presign_expiry(apr_time_t now, apr_interval_time_t lifetime, apr_interval_time_t window)
{
    apr_time_t step = window > APR_USEC_PER_SEC ? (window + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC : 1;
    apr_time_t end = (now + lifetime + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC;
    return (end + step - 1) / step * step * APR_USEC_PER_SEC;
}

/* Base64url text of the signature. Every line is ended, so no value can run into the next one. */
static const char *signature_of(const fhir_presign_t *presign, const void *key, apr_size_t key_length, apr_pool_t *pool)
{
    unsigned char mac[FHIR_SHA256_LENGTH];
    const char *lines = apr_psprintf(pool, "fhir-binary-signed-url-v1\n%s\n%s\n%s\n%" APR_TIME_T_FMT "\n%s\n%s\n",
                                     presign->method, presign->binary_id, presign->version_id,
                                     apr_time_sec(presign->expires), presign->key_id, presign->membership_id);
    fhir_hmac_sha256(mac, key, key_length, lines, strlen(lines));
    return fhir_base64url_encode(mac, sizeof(mac), pool);
}

const char *fhir_presign_url(const char *base, const fhir_presign_t *presign, const void *key, apr_size_t key_length,
                             apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s%s/%s?Expires=%" APR_TIME_T_FMT "&Key-Pair-Id=%s&Membership=%s&Signature=%s", base,
                        presign->binary_id, presign->version_id, apr_time_sec(presign->expires), presign->key_id,
                        presign->membership_id, signature_of(presign, key, key_length, pool));
}

typedef enum parameter_t {
    PARAMETER_EXPIRES = 0,
    PARAMETER_KEY,
    PARAMETER_MEMBERSHIP,
    PARAMETER_SIGNATURE,
    PARAMETER_COUNT
} parameter_t;

static const char *const parameter_names[PARAMETER_COUNT] = {"Expires", "Key-Pair-Id", "Membership", "Signature"};

static fhir_error_t *refused(apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_FORBIDDEN,
                             "This signed URL is not valid; use it exactly as it was given, with the "
                             "method that it is for, or ask for a new one.");
}

/* By exact name; apr_table_get would ignore case. PARAMETER_COUNT if unknown. */
static parameter_t parameter_named(const char *name)
{
    parameter_t i;
    for (i = PARAMETER_EXPIRES; i < PARAMETER_COUNT; i++) {
        if (strcmp(name, parameter_names[i]) == 0) {
            break;
        }
    }
    return i;
}

/* Each parameter into its place in `values`; *strange if one is doubled or foreign. */
static void collect(const char *values[PARAMETER_COUNT], int *strange, const apr_table_t *query)
{
    const apr_array_header_t *entries = apr_table_elts(query);
    int i;
    for (i = 0; i < entries->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        parameter_t parameter = entry->key ? parameter_named(entry->key) : PARAMETER_COUNT;
        if (parameter == PARAMETER_COUNT || values[parameter]) {
            *strange = 1;
        } else {
            values[parameter] = entry->val ? entry->val : "";
        }
    }
}

/* Seconds in 1 to 12 digits, in their one shortest form. -1 if malformed. */
static apr_time_t expires_parse(const char *text)
{
    apr_time_t seconds = 0;
    apr_size_t length = strspn(text, "0123456789");
    if (length == 0 || length > EXPIRES_DIGITS_MAX || text[length] != '\0' || (text[0] == '0' && length > 1)) {
        return -1;
    }
    for (; *text; text++) {
        seconds = seconds * 10 + (*text - '0');
    }
    return apr_time_from_sec(seconds);
}

static int key_id_valid(const char *text)
{
    apr_size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._");
    return length > 0 && length <= KEY_ID_MAX && text[length] == '\0';
}

/* NULL: signed URLs know no such method. */
static const char *signed_method(const char *method)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        return "GET";
    }
    if (strcmp(method, "POST") == 0) {
        return "POST";
    }
    return strcmp(method, "PUT") == 0 ? "PUT" : NULL;
}

fhir_error_t *fhir_presign_parse(fhir_presign_t *presign, const char **signature, const char *method,
                                 const char *binary_id, const char *version_id, const apr_table_t *query,
                                 apr_pool_t *pool)
{
    const char *values[PARAMETER_COUNT] = {NULL};
    int strange = 0;
    memset(presign, 0, sizeof(*presign));
    *signature = NULL;
    collect(values, &strange, query);
    if (!values[PARAMETER_SIGNATURE]) {
        return fhir_error_public(pool, FHIR_ERROR_UNAUTHENTICATED,
                                 "This address needs a signed URL; ask for one with $presigned-url.");
    }
    if (strange || !values[PARAMETER_EXPIRES] || !values[PARAMETER_KEY] || !values[PARAMETER_MEMBERSHIP]) {
        return refused(pool);
    }
    presign->method = signed_method(method);
    presign->binary_id = binary_id;
    presign->version_id = version_id;
    presign->membership_id = values[PARAMETER_MEMBERSHIP];
    presign->expires = expires_parse(values[PARAMETER_EXPIRES]);
    presign->key_id = values[PARAMETER_KEY];
    if (!presign->method || !binary_id || !fhir_id_valid(binary_id) || !version_id || !fhir_is_uuid(version_id) ||
        !fhir_is_uuid(presign->membership_id) || presign->expires < 0 || !key_id_valid(presign->key_id)) {
        return refused(pool);
    }
    *signature = values[PARAMETER_SIGNATURE];
    return NULL;
}

/* The texts are compared, not the bytes: so a signature has one spelling only. */
fhir_error_t *fhir_presign_verify(const fhir_presign_t *presign, const char *signature, const void *key,
                                  apr_size_t key_length, apr_time_t now, apr_pool_t *pool)
{
    const char *expected = signature_of(presign, key, key_length, pool);
    if (key_length == 0 || strlen(signature) != SIGNATURE_LETTERS || strlen(expected) != SIGNATURE_LETTERS ||
        !fhir_equal_constant_time(signature, expected, SIGNATURE_LETTERS)) {
        return refused(pool);
    }
    if (now >= presign->expires) {
        return fhir_error_public(pool, FHIR_ERROR_EXPIRED, "This signed URL has expired; ask for a new one.");
    }
    return NULL;
}
