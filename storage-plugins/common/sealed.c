/* The format of sealed objects: lengths, header, chunks. */
#include "sealed.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define CHUNK_POWER 16
#define NONCE_LENGTH 12
#define SHA256_LENGTH 32

/* The binding: magic, version, algorithm, chunk size as power of two, 5 zeros, announced length, object key. */
#define AT_VERSION 8
#define AT_ALGORITHM 9
#define AT_CHUNK_POWER 10
#define AT_ZEROS 11
#define AT_LENGTH 16
#define AT_KEY 24

/* With SHA_256 a checksum of the header is its end, in this and any later version. */
#define AT_CHECKSUM (FHIR_SEALED_HEADER - (int)FHIR_SEALED_TAG)

static const char magic[AT_VERSION] = {'F', 'H', 'I', 'R', 'S', 'E', 'A', 'L'};
static const unsigned char zeros[AT_LENGTH - AT_ZEROS];

struct fhir_seal_t {
    fhir_sealed_algorithm_t algorithm;
    unsigned char binding[FHIR_SEALED_BINDING];
    EVP_CIPHER_CTX *cipher;
    EVP_MD_CTX *digest;
    int sealing;
};

/* ---- lengths ---- */

static apr_off_t chunk_count(apr_off_t length)
{
    apr_off_t chunk = (apr_off_t)FHIR_SEALED_CHUNK;
    return length == 0 ? 1 : (length + chunk - 1) / chunk;
}

apr_off_t fhir_sealed_chunk_position(apr_off_t index)
{
    return FHIR_SEALED_HEADER + index * (apr_off_t)(FHIR_SEALED_CHUNK + FHIR_SEALED_TAG);
}

apr_off_t fhir_sealed_stored_length(apr_off_t length)
{
    return FHIR_SEALED_HEADER + length + chunk_count(length) * (apr_off_t)FHIR_SEALED_TAG;
}

apr_off_t fhir_sealed_content_length(apr_off_t stored_length)
{
    apr_off_t sealed_chunk = (apr_off_t)(FHIR_SEALED_CHUNK + FHIR_SEALED_TAG);
    apr_off_t chunks;
    apr_off_t length;
    if (stored_length < FHIR_SEALED_HEADER + (apr_off_t)FHIR_SEALED_TAG ||
        stored_length > fhir_sealed_stored_length(FHIR_SEALED_LENGTH_MAX)) {
        return -1;
    }
    chunks = (stored_length - FHIR_SEALED_HEADER + sealed_chunk - 1) / sealed_chunk;
    length = stored_length - FHIR_SEALED_HEADER - chunks * (apr_off_t)FHIR_SEALED_TAG;
    /* A last chunk with a part of a tag, or with nothing but a tag behind others. */
    return length >= 0 && fhir_sealed_stored_length(length) == stored_length ? length : -1;
}

/* ---- the header ---- */

static void put_number(unsigned char *bytes, apr_uint64_t number)
{
    int i;
    for (i = 7; i >= 0; i--) {
        bytes[i] = (unsigned char)(number & 0xff);
        number >>= 8;
    }
}

static apr_uint64_t get_number(const unsigned char *bytes)
{
    apr_uint64_t number = 0;
    int i;
    for (i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static int header_checksum(unsigned char tag[FHIR_SEALED_TAG], const unsigned char *bytes)
{
    unsigned char digest[SHA256_LENGTH];
    if (EVP_Digest(bytes, AT_CHECKSUM, digest, NULL, EVP_sha256(), NULL) != 1) {
        return 0;
    }
    memcpy(tag, digest, FHIR_SEALED_TAG);
    return 1;
}

static int has_checksum(const unsigned char *bytes)
{
    unsigned char tag[FHIR_SEALED_TAG];
    return header_checksum(tag, bytes) && !memcmp(tag, bytes + AT_CHECKSUM, sizeof(tag));
}

void fhir_sealed_header_make(fhir_sealed_header_t *header, fhir_sealed_algorithm_t algorithm, const char *object_key,
                             apr_off_t announced_length)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->bytes, magic, sizeof(magic));
    header->bytes[AT_VERSION] = VERSION;
    header->bytes[AT_ALGORITHM] = (unsigned char)algorithm;
    header->bytes[AT_CHUNK_POWER] = CHUNK_POWER;
    put_number(header->bytes + AT_LENGTH, announced_length < 0 ? UINT64_MAX : (apr_uint64_t)announced_length);
    memcpy(header->bytes + AT_KEY, object_key, FHIR_STORAGE_KEY_LENGTH);
    memcpy(header->object_key, object_key, FHIR_STORAGE_KEY_LENGTH);
    header->announced_length = announced_length < 0 ? -1 : announced_length;
    if (algorithm == FHIR_SEALED_SHA_256) {
        (void)header_checksum(header->bytes + AT_CHECKSUM, header->bytes);
    }
}

fhir_error_t *fhir_sealed_damaged(apr_pool_t *pool, const char *what)
{
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EGENERAL,
                             "The stored content is damaged. Tell the operator of this server.", "%s", what);
}

fhir_error_t *fhir_sealed_header_parse(fhir_sealed_header_t *header, const unsigned char *bytes,
                                       fhir_sealed_algorithm_t algorithm, apr_pool_t *pool)
{
    apr_uint64_t length = get_number(bytes + AT_LENGTH);
    memset(header, 0, sizeof(*header));
    memcpy(header->bytes, bytes, sizeof(header->bytes));
    if (memcmp(bytes, magic, sizeof(magic))) {
        return fhir_sealed_damaged(pool, "the object does not begin with the header of a sealed object");
    }
    if (algorithm == FHIR_SEALED_SHA_256 && !has_checksum(bytes)) {
        return fhir_sealed_damaged(pool, "the header does not have its checksum");
    }
    if (bytes[AT_VERSION] != VERSION) {
        return fhir_error_create(pool, FHIR_ERROR_UNSUPPORTED, APR_EGENERAL,
                                 "The stored content can't be read by this server. Tell its operator.",
                                 "the object has version %d of the sealed format, this plugin knows %d",
                                 bytes[AT_VERSION], VERSION);
    }
    if (bytes[AT_ALGORITHM] != (unsigned char)algorithm || bytes[AT_CHUNK_POWER] != CHUNK_POWER ||
        memcmp(bytes + AT_ZEROS, zeros, sizeof(zeros)) ||
        (length != UINT64_MAX && length > (apr_uint64_t)FHIR_SEALED_LENGTH_MAX)) {
        return fhir_sealed_damaged(pool, "the header is not one that this store writes");
    }
    header->announced_length = length == UINT64_MAX ? -1 : (apr_off_t)length;
    memcpy(header->object_key, bytes + AT_KEY, FHIR_STORAGE_KEY_LENGTH);
    if (!fhir_plugin_is_key(header->object_key)) {
        return fhir_sealed_damaged(pool, "the header holds no object key");
    }
    return NULL;
}

/* ---- chunks ---- */

static int create_cipher(fhir_seal_t *seal, const unsigned char *data_key)
{
    seal->cipher = EVP_CIPHER_CTX_new();
    return seal->cipher && EVP_CipherInit_ex(seal->cipher, EVP_aes_256_gcm(), NULL, data_key, NULL, seal->sealing) == 1;
}

fhir_seal_t *fhir_seal_create(const fhir_sealed_header_t *header, const unsigned char *data_key, int sealing)
{
    fhir_seal_t *seal = calloc(1, sizeof(*seal));
    int made;
    if (!seal) {
        return NULL;
    }
    seal->algorithm = (fhir_sealed_algorithm_t)header->bytes[AT_ALGORITHM];
    seal->sealing = sealing;
    memcpy(seal->binding, header->bytes, sizeof(seal->binding));
    if (seal->algorithm == FHIR_SEALED_AES_256_GCM) {
        made = create_cipher(seal, data_key);
    } else {
        seal->digest = EVP_MD_CTX_new();
        made = seal->digest != NULL;
    }
    if (!made) {
        fhir_seal_destroy(seal);
        return NULL;
    }
    return seal;
}

void fhir_seal_destroy(fhir_seal_t *seal)
{
    if (seal) {
        EVP_CIPHER_CTX_free(seal->cipher); /* cleanses the key */
        EVP_MD_CTX_free(seal->digest);
        free(seal);
    }
}

/* No two chunks of an object have the same: 1 for the last one, 3 zeros, the number. */
static void make_nonce(unsigned char nonce[NONCE_LENGTH], apr_off_t index, int last)
{
    memset(nonce, 0, NONCE_LENGTH);
    nonce[0] = last ? 1 : 0;
    put_number(nonce + 4, (apr_uint64_t)index);
}

/* Up to the tag, either direction. */
static int run_cipher(fhir_seal_t *seal, unsigned char *out, const unsigned char *in, apr_size_t length,
                      apr_off_t index, int last)
{
    unsigned char nonce[NONCE_LENGTH];
    int done;
    make_nonce(nonce, index, last);
    return EVP_CipherInit_ex(seal->cipher, NULL, NULL, NULL, nonce, seal->sealing) == 1 &&
           EVP_CipherUpdate(seal->cipher, NULL, &done, seal->binding, FHIR_SEALED_BINDING) == 1 &&
           (length == 0 || EVP_CipherUpdate(seal->cipher, out, &done, in, (int)length) == 1);
}

static int checksum(unsigned char tag[FHIR_SEALED_TAG], fhir_seal_t *seal, const void *content, apr_size_t length,
                    apr_off_t index, int last)
{
    unsigned char nonce[NONCE_LENGTH];
    unsigned char digest[SHA256_LENGTH];
    make_nonce(nonce, index, last);
    if (EVP_DigestInit_ex(seal->digest, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(seal->digest, seal->binding, FHIR_SEALED_BINDING) != 1 ||
        EVP_DigestUpdate(seal->digest, nonce, sizeof(nonce)) != 1 ||
        EVP_DigestUpdate(seal->digest, content, length) != 1 || EVP_DigestFinal_ex(seal->digest, digest, NULL) != 1) {
        return 0;
    }
    memcpy(tag, digest, FHIR_SEALED_TAG);
    return 1;
}

int fhir_seal_close_chunk(unsigned char *sealed, fhir_seal_t *seal, apr_off_t index, int last, const void *content,
                          apr_size_t length)
{
    int done;
    if (seal->algorithm == FHIR_SEALED_SHA_256) {
        memcpy(sealed, content, length);
        return checksum(sealed + length, seal, content, length, index, last);
    }
    return run_cipher(seal, sealed, content, length, index, last) &&
           EVP_CipherFinal_ex(seal->cipher, sealed + length, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_GET_TAG, FHIR_SEALED_TAG, sealed + length) == 1;
}

static int open_chunk(unsigned char *sealed, fhir_seal_t *seal, apr_off_t index, int last, apr_size_t length)
{
    unsigned char tag[FHIR_SEALED_TAG];
    int done;
    if (seal->algorithm == FHIR_SEALED_SHA_256) {
        return checksum(tag, seal, sealed, length, index, last) && !CRYPTO_memcmp(tag, sealed + length, sizeof(tag));
    }
    memcpy(tag, sealed + length, sizeof(tag));
    return run_cipher(seal, sealed, sealed, length, index, last) &&
           EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_SET_TAG, FHIR_SEALED_TAG, tag) == 1 &&
           EVP_CipherFinal_ex(seal->cipher, sealed + length, &done) == 1;
}

/* What OpenSSL notes of a wrong tag must not be there when the thread's next TLS connection looks for its own errors.
 */
int fhir_seal_open_chunk(unsigned char *sealed, fhir_seal_t *seal, apr_off_t index, int last, apr_size_t length)
{
    int result;
    ERR_set_mark();
    result = open_chunk(sealed, seal, index, last, length);
    ERR_pop_to_mark();
    return result;
}
