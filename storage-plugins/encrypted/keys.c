/* The key file: lines "ID KEY", and the memory in which keys are kept. */
#include "encrypted.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE64_LENGTH 44
#define HEX_LENGTH 64

/* ---- memory for secrets ---- */

encrypted_secrets_t *encrypted_secrets_create(void)
{
    encrypted_secrets_t *secrets =
        mmap(NULL, sizeof(*secrets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secrets == MAP_FAILED) {
        return NULL;
    }
    /* Best effort: a kernel or a limit that refuses one of them is no reason not to serve. */
    (void)madvise(secrets, sizeof(*secrets), MADV_DONTDUMP);
    (void)mlock(secrets->keys, sizeof(secrets->keys));
    return secrets;
}

void encrypted_secrets_destroy(encrypted_secrets_t *secrets)
{
    if (secrets) {
        OPENSSL_cleanse(secrets, sizeof(*secrets));
        munmap(secrets, sizeof(*secrets));
    }
}

/* ---- one key ---- */

static int decode_hex(unsigned char key[ENCRYPTED_KEY_LENGTH], const char *text)
{
    int i;
    for (i = 0; i < HEX_LENGTH; i++) {
        int digit = OPENSSL_hexchar2int((unsigned char)text[i]);
        if (digit < 0) {
            return 0;
        }
        key[i / 2] = (unsigned char)(i % 2 ? key[i / 2] | digit : digit << 4);
    }
    return 1;
}

/* 32 bytes are 43 characters and one '='. */
static int decode_base64(unsigned char key[ENCRYPTED_KEY_LENGTH], const char *text)
{
    unsigned char decoded[BASE64_LENGTH / 4 * 3];
    int good = text[BASE64_LENGTH - 1] == '=' && text[BASE64_LENGTH - 2] != '=' &&
               EVP_DecodeBlock(decoded, (const unsigned char *)text, BASE64_LENGTH) == (int)sizeof(decoded);
    if (good) {
        memcpy(key, decoded, ENCRYPTED_KEY_LENGTH);
    }
    OPENSSL_cleanse(decoded, sizeof(decoded));
    return good;
}

int encrypted_decode_key(unsigned char key[ENCRYPTED_KEY_LENGTH], const char *text, apr_size_t length)
{
    return (length == HEX_LENGTH && decode_hex(key, text)) || (length == BASE64_LENGTH && decode_base64(key, text));
}

/* ---- the file ---- */

static fhir_error_t *unreadable(apr_pool_t *pool, const char *path, int failed)
{
    char said[128];
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "key_file=%s can't be read: %s.", path,
                             apr_strerror(APR_FROM_OS_ERROR(failed), said, sizeof(said)));
}

static fhir_error_t *check_rights(int descriptor, const char *path, apr_pool_t *pool)
{
    struct stat status;
    if (fstat(descriptor, &status)) {
        return unreadable(pool, path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "key_file=%s is not a file.", path);
    }
    if (status.st_mode & (S_IRWXO | S_IWGRP)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "key_file=%s has mode %04o: others than its owner could read or change it. Set it to "
                                 "0600 (or 0640).",
                                 path, (unsigned)status.st_mode & 07777);
    }
    return NULL;
}

static fhir_error_t *read_text(apr_size_t *length, encrypted_secrets_t *secrets, int descriptor, const char *path,
                               apr_pool_t *pool)
{
    *length = 0;
    while (*length < sizeof(secrets->text)) {
        ssize_t done = read(descriptor, secrets->text + *length, sizeof(secrets->text) - *length);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return unreadable(pool, path, errno);
        }
        if (done == 0) {
            return NULL;
        }
        *length += (apr_size_t)done;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "key_file=%s is too long for a key file.", path);
}

static fhir_error_t *load_text(apr_size_t *length, encrypted_secrets_t *secrets, const char *path, apr_pool_t *pool)
{
    fhir_error_t *error;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return unreadable(pool, path, errno);
    }
    error = check_rights(descriptor, path, pool);
    if (!error) {
        error = read_text(length, secrets, descriptor, path, pool);
    }
    close(descriptor);
    return error;
}

/* A line while it is taken apart. Texts say its number and never what stands in it: it may be a key. */
typedef struct line_t {
    const char *path;
    int number;
    const char *id;
    apr_size_t id_length;
    const char *value;
    apr_size_t value_length;
} line_t;

static int is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static apr_size_t skip_blanks(const char *text, apr_size_t at, apr_size_t end)
{
    while (at < end && is_blank(text[at])) {
        at++;
    }
    return at;
}

/* 0 if it is no "ID KEY". */
static int split_line(line_t *line, const char *text, apr_size_t end)
{
    apr_size_t at = 0;
    while (at < end && is_id_character(text[at])) {
        at++;
    }
    line->id = text;
    line->id_length = at;
    line->value = text + skip_blanks(text, at, end);
    line->value_length = (apr_size_t)(text + end - line->value);
    return at > 0 && at <= ENCRYPTED_KEY_ID_MAX && line->value > text + at && line->value_length > 0 &&
           line->value_length <= ENCRYPTED_KEY_TEXT_MAX && !memchr(line->value, '\0', line->value_length);
}

static fhir_error_t *check_room(const encrypted_key_file_t *file, const line_t *line, apr_pool_t *pool)
{
    int i;
    if (file->count == ENCRYPTED_KEYS_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "key_file=%s has more than %d keys.", line->path,
                                 ENCRYPTED_KEYS_MAX);
    }
    for (i = 0; i < file->count; i++) {
        if (strlen(file->names[i].id) == line->id_length && !memcmp(file->names[i].id, line->id, line->id_length)) {
            return fhir_error_public(
                pool, FHIR_ERROR_INVALID,
                "key_file=%s, line %d: the id %s is there already. Each key needs its own: objects "
                "name the key that opens them by it.",
                line->path, line->number, file->names[i].id);
        }
    }
    return NULL;
}

static fhir_error_t *add_key(encrypted_key_file_t *file, encrypted_secrets_t *secrets, const line_t *line, int wrapped,
                             apr_pool_t *pool)
{
    encrypted_key_name_t *name = &file->names[file->count];
    FHIR_TRY(check_room(file, line, pool));
    memset(name, 0, sizeof(*name));
    memcpy(name->id, line->id, line->id_length);
    if (wrapped) {
        name->text = apr_pstrmemdup(pool, line->value, line->value_length);
    } else if (!encrypted_decode_key(secrets->keys[file->count], line->value, line->value_length)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "key_file=%s, line %d: the key %s is not 32 bytes in base64 or hex. `openssl rand "
                                 "-base64 32` makes one.",
                                 line->path, line->number, name->id);
    }
    file->count++;
    return NULL;
}

static fhir_error_t *read_line(encrypted_key_file_t *file, encrypted_secrets_t *secrets, line_t *line, const char *text,
                               apr_size_t length, int wrapped, apr_pool_t *pool)
{
    apr_size_t start = skip_blanks(text, 0, length);
    while (length > start && is_blank(text[length - 1])) {
        length--;
    }
    if (length == start || text[start] == '#') {
        return NULL;
    }
    if (!split_line(line, text + start, length - start)) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "key_file=%s, line %d is not \"ID KEY\": an id of at most %d letters, digits, '_', '-' "
            "and '.', a blank, the key.",
            line->path, line->number, ENCRYPTED_KEY_ID_MAX);
    }
    return add_key(file, secrets, line, wrapped, pool);
}

static fhir_error_t *read_lines(encrypted_key_file_t *file, encrypted_secrets_t *secrets, const char *path,
                                apr_size_t length, int wrapped, apr_pool_t *pool)
{
    const char *text = secrets->text;
    const char *end = text + length;
    line_t line = {0};
    line.path = path;
    while (text < end) {
        const char *stop = memchr(text, '\n', (apr_size_t)(end - text));
        stop = stop ? stop : end;
        line.number++;
        FHIR_TRY(read_line(file, secrets, &line, text, (apr_size_t)(stop - text), wrapped, pool));
        text = stop + 1;
    }
    if (file->count == 0) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "key_file=%s holds no key. Write a line \"ID KEY\"; `openssl rand -base64 32` makes a "
                                 "key.",
                                 path);
    }
    return NULL;
}

fhir_error_t *encrypted_read_keys(encrypted_key_file_t *file, encrypted_secrets_t *secrets, const char *path,
                                  int wrapped, apr_pool_t *pool)
{
    apr_size_t length = 0;
    fhir_error_t *error = load_text(&length, secrets, path, pool);
    file->count = 0;
    if (!error) {
        error = read_lines(file, secrets, path, length, wrapped, pool);
    }
    OPENSSL_cleanse(secrets->text, sizeof(secrets->text));
    return error;
}
