/* The encrypted store: wraps another store and encrypts what it keeps there. One random data key per object, itself
 * encrypted in the object's header. Locators are those of the wrapped store. */
#include "encrypted.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_TIMEOUT_DEFAULT 10
#define KEY_TIMEOUT_MAX 60

struct fhir_store_config_t {
    const char *inner;
    const char *key_command;
    apr_interval_time_t key_timeout;
    encrypted_key_file_t key_file;
    encrypted_secrets_t *secrets; /* NULL with key_command */
};

struct fhir_store_t {
    fhir_sealed_store_t sealed;
    encrypted_keyring_t *keyring;
};

typedef enum writer_state_t { WRITER_OPEN = 1, WRITER_FAILED, WRITER_DONE } writer_state_t;

struct fhir_writer_t {
    fhir_store_t *store;
    fhir_writer_t *inner;
    fhir_sealer_t *sealer;
    writer_state_t state;
};

struct fhir_reader_t {
    fhir_sealed_reader_t *sealed;
};

/* ---- the store ---- */

static fhir_error_t *check_command(const char *command, apr_pool_t *pool)
{
    struct stat status;
    if (command[0] != '/') {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "key_command= must be the absolute path of a program: no shell looks for it.");
    }
    if (stat(command, &status) || !S_ISREG(status.st_mode) || access(command, X_OK)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "key_command=%s is not a program that can be run.", command);
    }
    if (status.st_mode & S_IWOTH) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "key_command=%s can be changed by everybody. Take that right away (chmod o-w).",
                                 command);
    }
    return NULL;
}

static fhir_error_t *check_paths(const fhir_store_config_t *config, const char *key_file, apr_pool_t *pool)
{
    if (!config->inner) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The encrypted store needs inner= with the name of the store that it wraps.");
    }
    if (!key_file) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The encrypted store needs key_file= with the absolute path of its key file: lines "
                                 "\"ID KEY\"; `openssl rand -base64 32` makes a key.");
    }
    FHIR_TRY(fhir_plugin_secret_file("key_file", key_file, pool));
    return config->key_command ? check_command(config->key_command, pool) : NULL;
}

static apr_status_t forget_secrets(void *data)
{
    fhir_store_config_t *config = data;
    encrypted_secrets_destroy(config->secrets);
    config->secrets = NULL;
    return APR_SUCCESS;
}

/* Here httpd is still root, so that the key file need not be readable by the user that serves. */
static fhir_error_t *load_keys(fhir_store_config_t *config, const char *key_file, apr_pool_t *pool)
{
    config->secrets = encrypted_secrets_create();
    if (!config->secrets) {
        return fhir_plugin_system_error(pool, ENOMEM, "make room for keys");
    }
    apr_pool_cleanup_register(pool, config, forget_secrets, apr_pool_cleanup_null);
    return encrypted_read_keys(&config->key_file, config->secrets, key_file, config->key_command != NULL, pool);
}

static fhir_error_t *encrypted_configure(fhir_store_config_t **config, const fhir_store_option_t *options,
                                         int option_count, apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_int64_t timeout = KEY_TIMEOUT_DEFAULT;
    const char *key_file = NULL;
    const char *key_timeout = NULL;
    const fhir_plugin_option_t known[] = {{"inner", &made->inner},
                                          {"key_file", &key_file},
                                          {"key_command", &made->key_command},
                                          {"key_timeout", &key_timeout},
                                          {NULL, NULL}};
    *config = NULL;
    FHIR_TRY(fhir_plugin_options(known, options, option_count, "encrypted", pool));
    FHIR_TRY(check_paths(made, key_file, pool));
    FHIR_TRY(fhir_plugin_number(&timeout, "key_timeout", key_timeout, 1, KEY_TIMEOUT_MAX, pool));
    made->key_timeout = apr_time_from_sec(timeout);
    FHIR_TRY(load_keys(made, key_file, pool));
    *config = made;
    return NULL;
}

static fhir_error_t *encrypted_open(fhir_store_t **store, const fhir_store_config_t *config,
                                    const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    *store = NULL;
    FHIR_TRY(host->resolve(&made->sealed.plugin, &made->sealed.store, host->baton, config->inner, pool));
    FHIR_TRY(encrypted_keyring_create(&made->keyring, &config->key_file, config->secrets, config->key_command,
                                      config->key_timeout, pool));
    made->sealed.algorithm = FHIR_SEALED_AES_256_GCM;
    made->sealed.unlock = encrypted_unlock;
    made->sealed.unlock_baton = made->keyring;
    made->sealed.cache = fhir_sealed_cache_create();
    *store = made;
    return NULL;
}

static void encrypted_close(fhir_store_t *store)
{
    encrypted_keyring_destroy(store->keyring);
    fhir_sealed_cache_destroy(store->sealed.cache);
    store->sealed.cache = NULL;
}

/* Without its key the store can neither take nor give anything. */
static fhir_error_t *encrypted_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(encrypted_keyring_check(store->keyring, call));
    return store->sealed.plugin->health(store->sealed.store, call);
}

static fhir_error_t *encrypted_locate(const char **locator, fhir_store_t *store, const char *object_key,
                                      const fhir_store_call_t *call)
{
    return store->sealed.plugin->locate(locator, store->sealed.store, object_key, call);
}

/* ---- writing ---- */

static fhir_error_t *write_sealed(void *baton, const void *bytes, apr_size_t length, const fhir_store_call_t *call)
{
    const fhir_writer_t *writer = baton;
    return writer->store->sealed.plugin->writer_write(writer->inner, bytes, length, call);
}

static fhir_error_t *create_sealer(fhir_writer_t *writer, const fhir_write_request_t *request,
                                   const fhir_store_call_t *call)
{
    unsigned char data_key[FHIR_SEALED_DATA_KEY];
    fhir_sealed_header_t header;
    fhir_error_t *error;
    fhir_sealed_header_make(&header, FHIR_SEALED_AES_256_GCM, request->object_key, request->expected_length);
    error = encrypted_lock(&header, data_key, writer->store->keyring, call);
    if (!error) {
        error = fhir_sealer_create(&writer->sealer, &header, data_key, write_sealed, writer, call->result_pool);
    }
    OPENSSL_cleanse(data_key, sizeof(data_key));
    return error;
}

/* The type of the content would tell something of it. */
static fhir_error_t *begin_inner(fhir_writer_t *writer, const fhir_write_request_t *request,
                                 const fhir_store_call_t *call)
{
    fhir_write_request_t sealed = {0};
    sealed.struct_size = sizeof(sealed);
    sealed.object_key = request->object_key;
    sealed.locator = request->locator;
    sealed.expected_length = request->expected_length < 0 ? -1 : fhir_sealed_stored_length(request->expected_length);
    sealed.content_type = "application/octet-stream";
    return writer->store->sealed.plugin->writer_begin(&writer->inner, writer->store->sealed.store, &sealed, call);
}

static fhir_error_t *encrypted_writer_begin(fhir_writer_t **writer, fhir_store_t *store,
                                            const fhir_write_request_t *request, const fhir_store_call_t *call)
{
    fhir_writer_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_error_t *error;
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    if (request->expected_length > FHIR_SEALED_LENGTH_MAX) {
        return fhir_error_public(call->result_pool, FHIR_ERROR_TOO_LARGE,
                                 "The content is larger than the store can keep.");
    }
    made->store = store;
    FHIR_TRY(create_sealer(made, request, call));
    error = begin_inner(made, request, call);
    if (error) {
        fhir_sealer_destroy(made->sealer);
        return error;
    }
    made->state = WRITER_OPEN;
    *writer = made;
    return NULL;
}

static fhir_error_t *encrypted_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                            const fhir_store_call_t *call)
{
    fhir_error_t *error;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    error = fhir_sealer_write(writer->sealer, data, length, call);
    writer->state = error ? WRITER_FAILED : WRITER_OPEN;
    return error;
}

static fhir_error_t *commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_object_info_t sealed = {0};
    apr_off_t length;
    sealed.struct_size = sizeof(sealed);
    FHIR_TRY(fhir_sealer_finish(&length, writer->sealer, call));
    FHIR_TRY(writer->store->sealed.plugin->writer_commit(&sealed, writer->inner, call));
    info->length = fhir_sealed_content_length(sealed.length); /* another one than `length` if the store is broken */
    info->modified = sealed.modified;
    info->checksum = NULL;
    return NULL;
}

static fhir_error_t *encrypted_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer,
                                             const fhir_store_call_t *call)
{
    fhir_error_t *error;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(call->result_pool);
    }
    error = commit(info, writer, call);
    writer->state = error ? WRITER_FAILED : WRITER_DONE;
    fhir_sealer_destroy(writer->sealer);
    return error;
}

static void encrypted_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_sealer_destroy(writer->sealer);
    if (writer->state != WRITER_DONE) {
        writer->state = WRITER_FAILED;
        writer->store->sealed.plugin->writer_abort(writer->inner, call);
    }
}

/* ---- reading ---- */

static fhir_error_t *encrypted_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                           const char *locator, apr_off_t offset, apr_off_t length,
                                           const fhir_store_call_t *call)
{
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    *reader = NULL;
    made->sealed = fhir_sealed_reader_create(&store->sealed, call->result_pool);
    FHIR_TRY(fhir_sealed_reader_open(made->sealed, info, locator, offset, length, call));
    *reader = made;
    return NULL;
}

static fhir_error_t *encrypted_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length,
                                           const fhir_store_call_t *call)
{
    return fhir_sealed_reader_read(reader->sealed, buffer, length, call);
}

static void encrypted_reader_close(fhir_reader_t *reader)
{
    fhir_sealed_reader_close(reader->sealed);
}

/* ---- housekeeping ---- */

static fhir_error_t *encrypted_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                                    const fhir_store_call_t *call)
{
    return fhir_sealed_stat(info, &store->sealed, locator, call);
}

static fhir_error_t *encrypted_remove(int *existed, fhir_store_t *store, const char *locator,
                                      const fhir_store_call_t *call)
{
    return fhir_sealed_remove(existed, &store->sealed, locator, call);
}

typedef struct listing_t {
    fhir_list_entry_fn entry;
    void *entry_baton;
} listing_t;

static fhir_error_t *list_plain(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    const listing_t *listing = baton;
    fhir_list_entry_t plain = *entry;
    plain.struct_size = sizeof(plain);
    if (entry->committed) {
        plain.length = fhir_sealed_content_length(entry->length);
    }
    return listing->entry(listing->entry_baton, &plain, scratch_pool);
}

static fhir_error_t *encrypted_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                                    fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    listing_t listing = {entry, entry_baton};
    return store->sealed.plugin->list(next, store->sealed.store, cursor, limit, list_plain, &listing, call);
}

static const char *encrypted_wraps(const fhir_store_config_t *config, int index)
{
    return index == 0 ? config->inner : NULL;
}

static const fhir_storage_plugin_t encrypted_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 1,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "encrypted",
    .version = "1.0",
    .capabilities = FHIR_STORAGE_PERSISTENT, /* as far as the wrapped store is */
    .configure = encrypted_configure,
    .open = encrypted_open,
    .close = encrypted_close,
    .health = encrypted_health,
    .locate = encrypted_locate,
    .writer_begin = encrypted_writer_begin,
    .writer_write = encrypted_writer_write,
    .writer_commit = encrypted_writer_commit,
    .writer_abort = encrypted_writer_abort,
    .reader_open = encrypted_reader_open,
    .reader_read = encrypted_reader_read,
    .reader_close = encrypted_reader_close,
    .stat = encrypted_stat,
    .remove = encrypted_remove,
    .list = encrypted_list,
    .wraps = encrypted_wraps,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &encrypted_plugin;
}
