/* What the files of the encrypted plugin share. */
#ifndef FHIR_ENCRYPTED_H
#define FHIR_ENCRYPTED_H

#include "../common/sealed.h"

#define ENCRYPTED_KEY_LENGTH 32
#define ENCRYPTED_KEY_ID_MAX 63
#define ENCRYPTED_KEYS_MAX 64
#define ENCRYPTED_KEY_TEXT_MAX 4096

/* ---- keys.c: the key file ---- */

/* One key-encryption key. The ids and texts of a key file are no secrets; `text` of a file without key_command is one
 * and is NULL. */
typedef struct encrypted_key_name_t {
    char id[ENCRYPTED_KEY_ID_MAX + 1];
    const char *text; /* with key_command: the wrapped key as it stands in the file */
} encrypted_key_name_t;

/* Secret bytes, in pages that are left out of core dumps. */
typedef struct encrypted_secrets_t {
    unsigned char keys[ENCRYPTED_KEYS_MAX][ENCRYPTED_KEY_LENGTH];
    char text[64 * 1024]; /* of the key file, while it is read */
} encrypted_secrets_t;

/* NULL if there is no memory. */
encrypted_secrets_t *encrypted_secrets_create(void);
/* Cleanses. NULL is fine. */
void encrypted_secrets_destroy(encrypted_secrets_t *secrets);

typedef struct encrypted_key_file_t {
    encrypted_key_name_t names[ENCRYPTED_KEYS_MAX]; /* the first is the current one */
    int count;
} encrypted_key_file_t;

/* Reads the file. With `wrapped` the keys stay texts, else they come into `secrets`. */
fhir_error_t *encrypted_read_keys(encrypted_key_file_t *file, encrypted_secrets_t *secrets, const char *path,
                                  int wrapped, apr_pool_t *pool) FHIR_MUST_CHECK;
/* 32 bytes from their hex or base64 form, 1 on success. */
int encrypted_decode_key(unsigned char key[ENCRYPTED_KEY_LENGTH], const char *text, apr_size_t length);

/* ---- key_command.c ---- */

/* Runs `command ID`, gives it the wrapped key on stdin and takes the key from its stdout: 32 bytes, or their base64 or
 * hex form. */
fhir_error_t *encrypted_run_key_command(unsigned char key[ENCRYPTED_KEY_LENGTH], const char *command,
                                        const encrypted_key_name_t *name, apr_interval_time_t timeout,
                                        const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* ---- keyring.c: the keys of an open store ---- */

typedef struct encrypted_keyring_t encrypted_keyring_t;
/* `secrets` are copied; NULL with key_command: then a key is unwrapped when it is needed first. */
fhir_error_t *encrypted_keyring_create(encrypted_keyring_t **keyring, const encrypted_key_file_t *file,
                                       const encrypted_secrets_t *secrets, const char *command,
                                       apr_interval_time_t timeout, apr_pool_t *pool) FHIR_MUST_CHECK;
void encrypted_keyring_destroy(encrypted_keyring_t *keyring);
/* Is the current key at hand? */
fhir_error_t *encrypted_keyring_check(encrypted_keyring_t *keyring, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Makes a data key and writes it, wrapped by the current key, into the header. */
fhir_error_t *encrypted_lock(fhir_sealed_header_t *header, unsigned char data_key[FHIR_SEALED_DATA_KEY],
                             encrypted_keyring_t *keyring, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* As fhir_sealed_store_t.unlock; the baton is the keyring. */
fhir_error_t *encrypted_unlock(unsigned char data_key[FHIR_SEALED_DATA_KEY], void *baton,
                               const fhir_sealed_header_t *header, const fhir_store_call_t *call) FHIR_MUST_CHECK;

#endif
