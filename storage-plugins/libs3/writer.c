/* Writing: libs3 must know the length beforehand and asks for the bytes at its own pace, so an upload is gathered in a
 * file without a name and sent when it is whole, with its MD5 for the server to check. */
#include "libs3_store.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define MD5_LENGTH 16

typedef enum writer_state_t { WRITER_OPEN = 1, WRITER_SENT, WRITER_DONE } writer_state_t;

struct fhir_writer_t {
    fhir_store_t *store;
    const char *locator;
    int file; /* -1: closed */
    EVP_MD_CTX *md5;
    writer_state_t state; /* SENT: perhaps the server has it */
    apr_off_t expected_length;
    apr_off_t length;
    apr_off_t sent;
    int failed; /* errno of reading what was gathered */
    char content_md5[32];
    fhir_writer_t *next; /* in the store's list of those that are being sent */
};

static fhir_error_t *too_large(apr_pool_t *pool, apr_off_t limit)
{
    return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE,
                             "The content is larger than the %" APR_OFF_T_FMT " bytes that the store keeps.", limit);
}

static void close_all(fhir_writer_t *writer)
{
    if (writer->file >= 0) {
        close(writer->file);
        writer->file = -1;
    }
    EVP_MD_CTX_free(writer->md5);
    writer->md5 = NULL;
}

static fhir_error_t *no_md5(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The store failed unexpectedly. Tell the operator of this server.",
                             "OpenSSL computes no MD5 (is FIPS mode on?)");
}

fhir_error_t *libs3_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                 const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    const fhir_store_config_t *config = store->config;
    fhir_writer_t *made;
    const char *key;
    *writer = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(request->object_key)) {
        return fhir_plugin_bad_key(pool);
    }
    key = fhir_plugin_key_of(request->locator);
    if (!key || strcmp(key, request->object_key)) {
        return fhir_plugin_bad_locator(pool);
    }
    if (request->expected_length > config->max_size) {
        return too_large(pool, config->max_size);
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->store = store;
    made->locator = apr_pstrdup(pool, request->locator);
    made->expected_length = request->expected_length;
    FHIR_TRY(fhir_plugin_spool_open(&made->file, config->spool_directory, pool));
    made->md5 = EVP_MD_CTX_new();
    if (!made->md5 || EVP_DigestInit_ex(made->md5, EVP_md5(), NULL) != 1) {
        close_all(made);
        return no_md5(pool);
    }
    made->state = WRITER_OPEN;
    *writer = made;
    return NULL;
}

fhir_error_t *libs3_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                 const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    const char *bytes = data;
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(pool);
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    if ((apr_uint64_t)length > (apr_uint64_t)(writer->store->config->max_size - writer->length)) {
        return too_large(pool, writer->store->config->max_size);
    }
    if (EVP_DigestUpdate(writer->md5, data, length) != 1) {
        return no_md5(pool);
    }
    while (length > 0) {
        ssize_t done = write(writer->file, bytes, length);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return fhir_plugin_local_error(pool, done < 0 ? errno : EIO, "write to spool_directory");
        }
        writer->length += done;
        bytes += done;
        length -= (apr_size_t)done;
    }
    return NULL;
}

/* ---- sending ---- */

static int give_bytes(int room, char *buffer, void *baton)
{
    libs3_request_t *request = baton;
    fhir_writer_t *writer = request->baton;
    apr_off_t left = writer->length - writer->sent;
    size_t wanted = left < room ? (size_t)left : (size_t)room;
    ssize_t got;
    request->moved = apr_time_now();
    if (wanted == 0) {
        return 0;
    }
    do {
        got = pread(writer->file, buffer, wanted, writer->sent);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        writer->failed = got < 0 ? errno : EIO;
        return -1;
    }
    writer->sent += got;
    return (int)got;
}

static void start_put(libs3_request_t *request, S3RequestContext *context)
{
    fhir_writer_t *writer = request->baton;
    const S3PutObjectHandler handler = {libs3_response_handler, give_bytes};
    S3PutProperties properties;
    memset(&properties, 0, sizeof(properties));
    properties.md5 = writer->content_md5;
    properties.expires = -1;
    properties.cannedAcl = S3CannedAclPrivate;
    writer->sent = 0;
    S3_put_object(&request->store->config->bucket, request->key, (uint64_t)writer->length, &properties, context,
                  &handler, request);
}

static fhir_error_t *finish_md5(fhir_writer_t *writer, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(writer->md5, digest, &length) != 1 || length != MD5_LENGTH) {
        return no_md5(pool);
    }
    EVP_EncodeBlock((unsigned char *)writer->content_md5, digest, MD5_LENGTH);
    return NULL;
}

/* There is no conditional PUT in this protocol. Of writers of the same random key in one process the first one wins;
 * that another process writes it in between is not seen. */
static int claim_key(fhir_writer_t *writer)
{
    fhir_store_t *store = writer->store;
    fhir_writer_t *other;
    pthread_mutex_lock(&store->mutex);
    for (other = store->sending; other && strcmp(other->locator, writer->locator); other = other->next) {
    }
    if (!other) {
        writer->next = store->sending;
        store->sending = writer;
    }
    pthread_mutex_unlock(&store->mutex);
    return !other;
}

static void release_key(fhir_writer_t *writer)
{
    fhir_writer_t **place = &writer->store->sending;
    pthread_mutex_lock(&writer->store->mutex);
    while (*place != writer) {
        place = &(*place)->next;
    }
    *place = writer->next;
    pthread_mutex_unlock(&writer->store->mutex);
}

static fhir_error_t *check_absent(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    libs3_request_t request;
    fhir_error_t *error = libs3_head(&request, writer->store, writer->locator, call);
    if (!error) {
        return fhir_plugin_exists(call->result_pool);
    }
    return error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
}

static fhir_error_t *send_all(libs3_request_t *request, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_error_t *error;
    libs3_request_init(request, writer->store, "PutObject", writer->locator);
    request->start = start_put;
    request->baton = writer;
    writer->state = WRITER_SENT;
    error = libs3_run_repeatedly(request, writer->store, call);
    if (error && writer->failed) {
        return fhir_plugin_local_error(call->result_pool, writer->failed, "read from spool_directory");
    }
    if (error && error->code == FHIR_ERROR_NOT_FOUND) { /* a bucket, not an object */
        return libs3_no_bucket(request, call->result_pool);
    }
    return error;
}

fhir_error_t *libs3_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    libs3_request_t request;
    fhir_error_t *error;
    if (writer->state != WRITER_OPEN) {
        return fhir_plugin_writer_ended(pool);
    }
    FHIR_TRY(fhir_plugin_check_call(call));
    if (writer->expected_length >= 0 && writer->length != writer->expected_length) {
        return fhir_plugin_wrong_length(pool, writer->length, writer->expected_length);
    }
    FHIR_TRY(finish_md5(writer, pool));
    if (!claim_key(writer)) {
        return fhir_plugin_exists(pool);
    }
    error = check_absent(writer, call);
    if (!error) {
        error = send_all(&request, writer, call);
    }
    release_key(writer);
    FHIR_TRY(error);
    request.content_length = writer->length;
    request.modified = apr_time_now();
    libs3_fill_info(info, &request, pool);
    close_all(writer);
    writer->state = WRITER_DONE;
    return NULL;
}

void libs3_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    fhir_error_t *error = NULL;
    if (writer->state == WRITER_SENT) {
        error = libs3_delete(writer->store, writer->locator, call);
    }
    if (error && call->log) {
        call->log(call->log_baton, FHIR_STORE_LOG_WARNING,
                  "libs3: an upload that failed may have left its object; `fhirbinctl store orphans` shows it");
    }
    close_all(writer);
    writer->state = WRITER_DONE;
}
