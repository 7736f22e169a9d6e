/* The key-encryption keys of an open store, and the data key in each object's header.
 *
 * The header behind the binding: id of the key-encryption key, padded with zeros to 64 bytes; zeros; nonce, data key
 * and tag of AES-256-GCM under that key, with all of the header before them as associated data. */
#include "encrypted.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_LENGTH 12
#define AT_KEY_ID FHIR_SEALED_BINDING
#define AT_NONCE (FHIR_SEALED_HEADER - NONCE_LENGTH - FHIR_SEALED_DATA_KEY - 16)
#define AT_DATA_KEY (AT_NONCE + NONCE_LENGTH)
#define AT_TAG (AT_DATA_KEY + FHIR_SEALED_DATA_KEY)
#define LOCK_STEP apr_time_from_msec(100)
/* A command that failed is not run again at once: a key service that is down would get a call for each request. */
#define FAILED_PAUSE apr_time_from_sec(2)

struct encrypted_keyring_t {
    const encrypted_key_file_t *file;
    const char *command; /* NULL: the keys are here from the start */
    apr_interval_time_t timeout;
    encrypted_secrets_t *secrets;
    pthread_mutex_t mutex; /* for what follows; held while the command runs */
    int have[ENCRYPTED_KEYS_MAX];
    apr_time_t failed[ENCRYPTED_KEYS_MAX]; /* when the command failed last */
};

fhir_error_t *encrypted_keyring_create(encrypted_keyring_t **keyring, const encrypted_key_file_t *file,
                                       const encrypted_secrets_t *secrets, const char *command,
                                       apr_interval_time_t timeout, apr_pool_t *pool)
{
    encrypted_keyring_t *made = apr_pcalloc(pool, sizeof(*made));
    int i;
    *keyring = NULL;
    made->file = file;
    made->command = command;
    made->timeout = timeout;
    made->secrets = encrypted_secrets_create();
    if (!made->secrets || pthread_mutex_init(&made->mutex, NULL)) {
        encrypted_secrets_destroy(made->secrets);
        return fhir_plugin_system_error(pool, ENOMEM, "make the store's keyring");
    }
    for (i = 0; i < file->count && !command; i++) {
        memcpy(made->secrets->keys[i], secrets->keys[i], ENCRYPTED_KEY_LENGTH);
        made->have[i] = 1;
    }
    *keyring = made;
    return NULL;
}

void encrypted_keyring_destroy(encrypted_keyring_t *keyring)
{
    encrypted_secrets_destroy(keyring->secrets);
    keyring->secrets = NULL;
    pthread_mutex_destroy(&keyring->mutex);
}

/* Another thread may run the command for long; ours may be cancelled meanwhile. */
static fhir_error_t *lock(encrypted_keyring_t *keyring, const fhir_store_call_t *call)
{
    for (;;) {
        struct timespec until;
        apr_time_t at = apr_time_now() + LOCK_STEP;
        until.tv_sec = (time_t)apr_time_sec(at);
        until.tv_nsec = (long)apr_time_usec(at) * 1000;
        if (!pthread_mutex_timedlock(&keyring->mutex, &until)) {
            return NULL;
        }
        FHIR_TRY(fhir_plugin_check_call(call));
    }
}

/* With the mutex held. */
static fhir_error_t *unwrap_once(encrypted_keyring_t *keyring, int number, const fhir_store_call_t *call)
{
    const encrypted_key_name_t *name = &keyring->file->names[number];
    fhir_error_t *error;
    if (keyring->have[number]) {
        return NULL;
    }
    if (keyring->failed[number] && apr_time_now() - keyring->failed[number] < FAILED_PAUSE) {
        error = fhir_error_create(call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                                  "The store can't get its key now; try again.",
                                  "key_command for key %s failed a moment ago", name->id);
        error->retry = FHIR_RETRY_YES;
        return error;
    }
    error = encrypted_run_key_command(keyring->secrets->keys[number], keyring->command, name, keyring->timeout, call);
    keyring->have[number] = error == NULL;
    keyring->failed[number] = error && error->code != FHIR_ERROR_CANCELLED ? apr_time_now() : 0;
    return error;
}

/* The key stays where it is as long as the store is open. */
static fhir_error_t *key_of(const unsigned char **key, encrypted_keyring_t *keyring, int number,
                            const fhir_store_call_t *call)
{
    fhir_error_t *error = NULL;
    *key = keyring->secrets->keys[number];
    if (keyring->command) {
        FHIR_TRY(lock(keyring, call));
        error = unwrap_once(keyring, number, call);
        pthread_mutex_unlock(&keyring->mutex);
    }
    return error;
}

fhir_error_t *encrypted_keyring_check(encrypted_keyring_t *keyring, const fhir_store_call_t *call)
{
    const unsigned char *key;
    return key_of(&key, keyring, 0, call);
}

/* ---- the data key ---- */

static int wrap(unsigned char *header, const unsigned char *data_key, const unsigned char *key)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int done;
    int good = cipher && EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, header + AT_NONCE) == 1 &&
               EVP_EncryptUpdate(cipher, NULL, &done, header, AT_NONCE) == 1 &&
               EVP_EncryptUpdate(cipher, header + AT_DATA_KEY, &done, data_key, FHIR_SEALED_DATA_KEY) == 1 &&
               EVP_EncryptFinal_ex(cipher, header + AT_TAG, &done) == 1 &&
               EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, FHIR_SEALED_TAG, header + AT_TAG) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return good;
}

/* 1 if the tag is right, 0 if not, -1 if OpenSSL can't. */
static int unwrap(unsigned char *data_key, const unsigned char *header, const unsigned char *key)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    unsigned char tag[FHIR_SEALED_TAG];
    int done;
    int result = -1;
    memcpy(tag, header + AT_TAG, sizeof(tag));
    if (cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, header + AT_NONCE) == 1 &&
        EVP_DecryptUpdate(cipher, NULL, &done, header, AT_NONCE) == 1 &&
        EVP_DecryptUpdate(cipher, data_key, &done, header + AT_DATA_KEY, FHIR_SEALED_DATA_KEY) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1) {
        result = EVP_DecryptFinal_ex(cipher, data_key + FHIR_SEALED_DATA_KEY, &done) == 1;
    }
    EVP_CIPHER_CTX_free(cipher);
    if (result != 1) {
        OPENSSL_cleanse(data_key, FHIR_SEALED_DATA_KEY);
    }
    return result;
}

static fhir_error_t *openssl_failed(apr_pool_t *pool, const char *what)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The store could not handle its keys. Tell the operator of this server.",
                             "OpenSSL failed: %s", what);
}

fhir_error_t *encrypted_lock(fhir_sealed_header_t *header, unsigned char data_key[FHIR_SEALED_DATA_KEY],
                             encrypted_keyring_t *keyring, const fhir_store_call_t *call)
{
    const unsigned char *key;
    FHIR_TRY(key_of(&key, keyring, 0, call));
    memcpy(header->bytes + AT_KEY_ID, keyring->file->names[0].id, ENCRYPTED_KEY_ID_MAX + 1);
    if (RAND_priv_bytes(data_key, FHIR_SEALED_DATA_KEY) != 1 ||
        RAND_bytes(header->bytes + AT_NONCE, NONCE_LENGTH) != 1) {
        return openssl_failed(call->result_pool, "random bytes");
    }
    return wrap(header->bytes, data_key, key) ? NULL : openssl_failed(call->result_pool, "wrapping a data key");
}

/* An id in a header that was tampered with may hold anything. */
static const char *printable_id(const unsigned char *header, apr_pool_t *pool)
{
    char *id = apr_pstrmemdup(pool, (const char *)header + AT_KEY_ID, ENCRYPTED_KEY_ID_MAX);
    char *c;
    for (c = id; *c; c++) {
        *c = *c > 0x20 && *c < 0x7f ? *c : '?';
    }
    return id;
}

static int number_of(const encrypted_key_file_t *file, const unsigned char *header)
{
    int i;
    for (i = 0; i < file->count; i++) {
        if (!memcmp(file->names[i].id, header + AT_KEY_ID, sizeof(file->names[i].id))) {
            return i;
        }
    }
    return -1;
}

fhir_error_t *encrypted_unlock(unsigned char data_key[FHIR_SEALED_DATA_KEY], void *baton,
                               const fhir_sealed_header_t *header, const fhir_store_call_t *call)
{
    encrypted_keyring_t *keyring = baton;
    unsigned char opened[FHIR_SEALED_DATA_KEY + FHIR_SEALED_TAG]; /* OpenSSL wants room behind the last byte */
    int number = number_of(keyring->file, header->bytes);
    const unsigned char *key;
    int result;
    if (number < 0) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_DENIED, APR_EGENERAL,
                                 "The store lacks the key to this content. Tell the operator of this server.",
                                 "the object was encrypted under the key '%s', which is not in the key file",
                                 printable_id(header->bytes, call->scratch_pool));
    }
    FHIR_TRY(key_of(&key, keyring, number, call));
    ERR_set_mark(); /* a wrong tag must not be taken for an error of the thread's next TLS connection */
    result = unwrap(opened, header->bytes, key);
    ERR_pop_to_mark();
    if (result == 1) {
        memcpy(data_key, opened, FHIR_SEALED_DATA_KEY);
    }
    OPENSSL_cleanse(opened, sizeof(opened));
    if (result < 0) {
        return openssl_failed(call->result_pool, "unwrapping a data key");
    }
    if (result == 0) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                                 "The stored content is damaged. Tell the operator of this server.",
                                 "the object's header is damaged, or the key '%s' is not the one that it was encrypted "
                                 "under",
                                 keyring->file->names[number].id);
    }
    return NULL;
}
