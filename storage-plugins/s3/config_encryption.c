/* encryption=, and the keys that belong to it. */
#include "s3.h"

#include <apr_base64.h>
#include <apr_md5.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUSTOMER_KEY_LENGTH 32
#define KEY_FILE_MAX 128

static fhir_error_t *bad_key_file(const char *path, const char *why, apr_pool_t *pool)
{
    return fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "sse_c_key_file=%s %s. It must hold a key of 32 bytes, raw, as 64 hex digits or in base64, "
        "and nobody but its owner and group may read it. To make one: umask 077; openssl rand "
        "-hex 32 > %s",
        path, why, path);
}

/* Length, or -1 with *why. */
static apr_ssize_t read_key_file(char text[KEY_FILE_MAX], const char **why, const char *path, apr_pool_t *pool)
{
    char said[128];
    struct stat status;
    ssize_t length = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0 || fstat(file, &status)) {
        *why = apr_pstrcat(pool, "can't be read: ", apr_strerror(APR_FROM_OS_ERROR(errno), said, sizeof(said)), NULL);
    } else if (!S_ISREG(status.st_mode)) {
        *why = "is no file";
    } else if (status.st_mode & S_IRWXO) {
        *why = "may be read by everybody: chmod o= it";
    } else {
        length = read(file, text, KEY_FILE_MAX);
        *why = length < 0 ? "can't be read" : NULL;
    }
    if (file >= 0) {
        close(file);
    }
    return length;
}

static int hex_value(char digit)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

static int decode_hex(unsigned char key[CUSTOMER_KEY_LENGTH], const char *text)
{
    int i;
    for (i = 0; i < CUSTOMER_KEY_LENGTH; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0) {
            return 0;
        }
        key[i] = (unsigned char)(high * 16 + low);
    }
    return 1;
}

/* 44 characters of base64 are 32 bytes and one '='. */
static int decode_base64(unsigned char key[CUSTOMER_KEY_LENGTH], const char *text)
{
    unsigned char decoded[CUSTOMER_KEY_LENGTH + 4];
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (strspn(text, alphabet) != 43 || strcmp(text + 43, "=") ||
        apr_base64_decode_binary(decoded, text) != CUSTOMER_KEY_LENGTH) {
        return 0;
    }
    memcpy(key, decoded, CUSTOMER_KEY_LENGTH);
    return 1;
}

static int decode_key(unsigned char key[CUSTOMER_KEY_LENGTH], char *text, apr_size_t length)
{
    if (length == CUSTOMER_KEY_LENGTH) {
        memcpy(key, text, CUSTOMER_KEY_LENGTH);
        return 1;
    }
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) {
        length--;
    }
    text[length] = '\0';
    return length == 64 ? decode_hex(key, text) : length == 44 && decode_base64(key, text);
}

static fhir_error_t *read_customer_key(fhir_store_config_t *config, const char *path, apr_pool_t *pool)
{
    char text[KEY_FILE_MAX + 1];
    unsigned char key[CUSTOMER_KEY_LENGTH];
    unsigned char md5[APR_MD5_DIGESTSIZE];
    char *encoded;
    const char *why = NULL;
    apr_ssize_t length;
    FHIR_TRY(fhir_plugin_secret_file("sse_c_key_file", path, pool));
    length = read_key_file(text, &why, path, pool);
    if (length < 0) {
        return bad_key_file(path, why, pool);
    }
    if (!decode_key(key, text, (apr_size_t)length)) {
        return bad_key_file(path, "holds something else than one key", pool);
    }
    apr_md5(md5, key, sizeof(key));
    encoded = apr_pcalloc(pool, (apr_size_t)apr_base64_encode_len(CUSTOMER_KEY_LENGTH));
    apr_base64_encode_binary(encoded, key, CUSTOMER_KEY_LENGTH);
    config->customer_key = encoded;
    encoded = apr_pcalloc(pool, (apr_size_t)apr_base64_encode_len(APR_MD5_DIGESTSIZE));
    apr_base64_encode_binary(encoded, md5, APR_MD5_DIGESTSIZE);
    config->customer_key_md5 = encoded;
    explicit_bzero(text, sizeof(text));
    explicit_bzero(key, sizeof(key));
    return NULL;
}

static fhir_error_t *configure_customer_key(fhir_store_config_t *config, const s3_encryption_options_t *options,
                                            apr_pool_t *pool)
{
    int insecure = 0;
    FHIR_TRY(fhir_plugin_flag(&insecure, "insecure_sse_c", options->insecure, pool));
    if (!options->customer_key_file) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "encryption=sse-c needs sse_c_key_file= with the file that holds the key.");
    }
    if (strcmp(config->endpoint.scheme, "https") && !insecure) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "encryption=sse-c sends the key with each request, so it needs an endpoint with "
                                 "https://. For tests alone: insecure_sse_c=on.");
    }
    return read_customer_key(config, options->customer_key_file, pool);
}

static fhir_error_t *belongs_to(const char *option, const char *value, const char *encryption, apr_pool_t *pool)
{
    return value ? fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "%s= has no meaning without encryption=%s. Add that, or leave %s= away.", option,
                                     encryption, option)
                 : NULL;
}

static fhir_error_t *choose(s3_encryption_t *encryption, const char *name, apr_pool_t *pool)
{
    static const char *const names[] = {"none", "sse-s3", "sse-kms", "sse-c"};
    int i;
    for (i = 0; i < 4; i++) {
        if (!name || !strcmp(name, names[i])) {
            *encryption = (s3_encryption_t)i;
            return NULL;
        }
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "encryption=%s is not one of none, sse-s3, sse-kms, sse-c.",
                             name);
}

fhir_error_t *s3_configure_encryption(fhir_store_config_t *config, const s3_encryption_options_t *options,
                                      apr_pool_t *pool)
{
    FHIR_TRY(choose(&config->encryption, options->encryption, pool));
    if (config->encryption != S3_ENCRYPTION_SSE_KMS) {
        FHIR_TRY(belongs_to("kms_key_id", options->kms_key_id, "sse-kms", pool));
    }
    config->kms_key_id = options->kms_key_id;
    if (config->encryption == S3_ENCRYPTION_SSE_C) {
        return configure_customer_key(config, options, pool);
    }
    FHIR_TRY(belongs_to("sse_c_key_file", options->customer_key_file, "sse-c", pool));
    return belongs_to("insecure_sse_c", options->insecure, "sse-c", pool);
}
