/* Client secrets as bcrypt hashes, through APR-util. */
#include "../base/digest.h"
#include "auth.h"

#include <apr_md5.h>
#include <string.h>

#define BCRYPT_COST 10
#define BCRYPT_SALT_LENGTH 16
#define BCRYPT_HASH_LENGTH 60
#define BCRYPT_PREFIX_LENGTH 7 /* "$2y$10$" */
/* bcrypt looks at no more bytes; a longer secret would match every secret that begins like it. */
#define BCRYPT_SECRET_MAX 72

fhir_error_t *fhir_secret_hash(const char **hash, const char *secret, apr_pool_t *pool)
{
    unsigned char salt[BCRYPT_SALT_LENGTH];
    char encoded[BCRYPT_HASH_LENGTH + 4];
    apr_size_t length = strlen(secret);
    apr_status_t status;
    *hash = NULL;
    if (length == 0 || length > BCRYPT_SECRET_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "A client secret has 1 to %d bytes.", BCRYPT_SECRET_MAX);
    }
    FHIR_TRY(fhir_random_bytes(salt, sizeof(salt), pool));
    status = apr_bcrypt_encode(secret, BCRYPT_COST, salt, sizeof(salt), encoded, sizeof(encoded));
    if (status != APR_SUCCESS || strlen(encoded) != BCRYPT_HASH_LENGTH) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not protect the secret.",
                                 "apr_bcrypt_encode failed");
    }
    *hash = apr_pstrdup(pool, encoded);
    return NULL;
}

/* apr_password_validate also takes plain text, MD5 and SHA-1; a damaged hash must not be compared as one of these. */
static int is_bcrypt_hash(const char *hash)
{
    static const char letters[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    return strlen(hash) == BCRYPT_HASH_LENGTH && strncmp(hash, "$2y$", 4) == 0 && strspn(hash + 4, "0123456789") == 2 &&
           hash[6] == '$' && hash[BCRYPT_PREFIX_LENGTH + strspn(hash + BCRYPT_PREFIX_LENGTH, letters)] == '\0';
}

int fhir_secret_matches(const char *secret, const char *hash)
{
    if (!secret || !hash || secret[0] == '\0' || strlen(secret) > BCRYPT_SECRET_MAX || !is_bcrypt_hash(hash)) {
        return 0;
    }
    return apr_password_validate(secret, hash) == APR_SUCCESS;
}
