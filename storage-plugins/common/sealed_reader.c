/* Reads ranges of sealed objects out of another store: few requests, one chunk in memory, nothing unverified.
 *
 * The length of the stored object is known only when something of it was opened. A read from the start therefore asks
 * for as much as the range would take if the object ended with it, which is never too much, and for the rest of the
 * last chunk with a second request if there is more. A read from the middle needs the header first, unless it is known.
 */
#include "sealed.h"

#include <openssl/crypto.h>
#include <string.h>

struct fhir_sealed_reader_t {
    const fhir_sealed_store_t *store;
    apr_pool_t *pool;
    const char *locator;
    fhir_sealed_header_t header;
    apr_off_t stored_length;
    apr_off_t length; /* of the content */
    apr_time_t modified;
    fhir_seal_t *seal;
    fhir_reader_t *inner; /* NULL: none is open */
    apr_off_t inner_at;   /* what it gives next, in the stored object */
    apr_off_t inner_end;  /* where it ends */
    apr_off_t wanted_end; /* where the last chunk of the range ends, in the stored object */
    apr_off_t index;      /* the next chunk */
    apr_off_t remaining;  /* of the range */
    unsigned char *chunk;
    apr_size_t chunk_at;
    apr_size_t chunk_end;
};

fhir_sealed_reader_t *fhir_sealed_reader_create(const fhir_sealed_store_t *store, apr_pool_t *pool)
{
    fhir_sealed_reader_t *reader = apr_pcalloc(pool, sizeof(*reader));
    reader->store = store;
    reader->pool = pool;
    return reader;
}

static void close_inner(fhir_sealed_reader_t *reader)
{
    if (reader->inner) {
        reader->store->plugin->reader_close(reader->inner);
        reader->inner = NULL;
    }
}

void fhir_sealed_reader_close(fhir_sealed_reader_t *reader)
{
    close_inner(reader);
    fhir_seal_destroy(reader->seal);
    reader->seal = NULL;
    reader->remaining = 0;
}

/* ---- bytes of the stored object ---- */

/* `end` is -1 for all that is left. The object must be as long as before. */
static fhir_error_t *open_inner(fhir_sealed_reader_t *reader, apr_off_t start, apr_off_t end,
                                const fhir_store_call_t *call)
{
    const fhir_sealed_store_t *store = reader->store;
    fhir_object_info_t info = {0};
    fhir_error_t *error;
    close_inner(reader);
    info.struct_size = sizeof(info);
    error = store->plugin->reader_open(&reader->inner, &info, store->store, reader->locator, start,
                                       end < 0 ? -1 : end - start, call);
    if (error) {
        reader->inner = NULL;
        return error;
    }
    if (reader->stored_length >= 0 && info.length != reader->stored_length) {
        return fhir_sealed_damaged(call->result_pool, "the object has another length than before");
    }
    reader->stored_length = info.length;
    reader->modified = info.modified;
    reader->inner_at = start;
    reader->inner_end = end < 0 ? info.length : end;
    return NULL;
}

static fhir_error_t *read_stored(fhir_sealed_reader_t *reader, unsigned char *buffer, apr_size_t length,
                                 const fhir_store_call_t *call)
{
    while (length > 0) {
        apr_size_t piece = length;
        if (!reader->inner || reader->inner_at == reader->inner_end) {
            FHIR_TRY(open_inner(reader, reader->inner_at, reader->wanted_end, call));
        }
        if ((apr_off_t)piece > reader->inner_end - reader->inner_at) {
            piece = (apr_size_t)(reader->inner_end - reader->inner_at);
        }
        FHIR_TRY(reader->store->plugin->reader_read(reader->inner, buffer, &piece, call));
        if (piece == 0 || piece > length) {
            return fhir_plugin_short_object(call->result_pool, reader->inner_end - reader->inner_at);
        }
        reader->inner_at += (apr_off_t)piece;
        buffer += piece;
        length -= piece;
    }
    return NULL;
}

/* ---- chunks ---- */

static apr_off_t last_index(const fhir_sealed_reader_t *reader)
{
    return reader->length == 0 ? 0 : (reader->length - 1) / (apr_off_t)FHIR_SEALED_CHUNK;
}

/* Of its content. */
static apr_size_t chunk_length(const fhir_sealed_reader_t *reader, apr_off_t index)
{
    apr_off_t start = index * (apr_off_t)FHIR_SEALED_CHUNK;
    apr_off_t left = reader->length - start;
    return left < (apr_off_t)FHIR_SEALED_CHUNK ? (apr_size_t)left : FHIR_SEALED_CHUNK;
}

static apr_off_t chunk_end(const fhir_sealed_reader_t *reader, apr_off_t index)
{
    return fhir_sealed_chunk_position(index) + (apr_off_t)(chunk_length(reader, index) + FHIR_SEALED_TAG);
}

static fhir_error_t *load_chunk(fhir_sealed_reader_t *reader, const fhir_store_call_t *call)
{
    apr_size_t length = chunk_length(reader, reader->index);
    reader->chunk_at = reader->chunk_end = 0;
    FHIR_TRY(read_stored(reader, reader->chunk, length + FHIR_SEALED_TAG, call));
    if (!fhir_seal_open_chunk(reader->chunk, reader->seal, reader->index, reader->index == last_index(reader),
                              length)) {
        return fhir_sealed_damaged(
            call->result_pool,
            apr_psprintf(call->result_pool, "chunk %" APR_OFF_T_FMT " does not have its tag", reader->index));
    }
    reader->index++;
    reader->chunk_end = length;
    return NULL;
}

/* Of an object that no other copy of ours can vouch for: is the last chunk the last one? */
static fhir_error_t *check_end(fhir_sealed_reader_t *reader, const fhir_store_call_t *call)
{
    reader->index = last_index(reader);
    reader->wanted_end = reader->stored_length;
    FHIR_TRY(open_inner(reader, fhir_sealed_chunk_position(reader->index), reader->wanted_end, call));
    FHIR_TRY(load_chunk(reader, call));
    reader->chunk_end = 0;
    close_inner(reader);
    return NULL;
}

/* ---- the header ---- */

static fhir_error_t *check_locator(const fhir_sealed_reader_t *reader, const fhir_store_call_t *call)
{
    const char *expected = NULL;
    FHIR_TRY(reader->store->plugin->locate(&expected, reader->store->store, reader->header.object_key, call));
    if (strcmp(expected, reader->locator)) {
        return fhir_sealed_damaged(call->result_pool,
                                   apr_psprintf(call->result_pool, "the object here has the key %s of another place",
                                                reader->header.object_key));
    }
    return NULL;
}

static fhir_error_t *check_lengths(fhir_sealed_reader_t *reader, apr_pool_t *pool)
{
    reader->length = fhir_sealed_content_length(reader->stored_length);
    if (reader->length < 0) {
        return fhir_sealed_damaged(pool, "no sealed object has this length: it was cut or something was added");
    }
    if (reader->header.announced_length >= 0 && reader->header.announced_length != reader->length) {
        return fhir_sealed_damaged(
            pool, apr_psprintf(pool, "the object has %" APR_OFF_T_FMT " bytes, its header says %" APR_OFF_T_FMT,
                               reader->length, reader->header.announced_length));
    }
    return NULL;
}

static fhir_error_t *create_seal(fhir_sealed_reader_t *reader, const fhir_store_call_t *call)
{
    unsigned char data_key[FHIR_SEALED_DATA_KEY] = {0};
    const fhir_sealed_store_t *store = reader->store;
    fhir_error_t *error = store->unlock ? store->unlock(data_key, store->unlock_baton, &reader->header, call) : NULL;
    if (!error) {
        reader->seal = fhir_seal_create(&reader->header, data_key, 0);
    }
    OPENSSL_cleanse(data_key, sizeof(data_key));
    if (!error && !reader->seal) {
        error = fhir_error_create(call->result_pool, FHIR_ERROR_UNAVAILABLE, APR_ENOMEM,
                                  "The server is short of memory; try again.", "OpenSSL made no context");
    }
    return error;
}

/* The stored length is known, and so is the header. */
static fhir_error_t *take_header(fhir_sealed_reader_t *reader, const unsigned char *bytes,
                                 const fhir_store_call_t *call)
{
    FHIR_TRY(fhir_sealed_header_parse(&reader->header, bytes, reader->store->algorithm, call->result_pool));
    FHIR_TRY(check_locator(reader, call));
    FHIR_TRY(check_lengths(reader, call->result_pool));
    if (!reader->chunk) {
        reader->chunk = apr_palloc(reader->pool, FHIR_SEALED_CHUNK + FHIR_SEALED_TAG);
    }
    return create_seal(reader, call);
}

static fhir_error_t *read_header(fhir_sealed_reader_t *reader, fhir_sealed_known_t *known,
                                 const fhir_store_call_t *call)
{
    reader->wanted_end = FHIR_SEALED_HEADER;
    FHIR_TRY(read_stored(reader, known->header, FHIR_SEALED_HEADER, call));
    known->stored_length = reader->stored_length;
    known->end_checked = 0;
    return take_header(reader, known->header, call);
}

/* Nothing but the header. An object that is too short for one is damaged. */
static fhir_error_t *open_header_alone(fhir_sealed_reader_t *reader, fhir_sealed_known_t *known,
                                       const fhir_store_call_t *call)
{
    fhir_error_t *error = open_inner(reader, 0, FHIR_SEALED_HEADER, call);
    if (error && error->code == FHIR_ERROR_RANGE) {
        return fhir_sealed_damaged(call->result_pool, "the object is shorter than the header of a sealed object");
    }
    FHIR_TRY(error);
    FHIR_TRY(read_header(reader, known, call));
    close_inner(reader);
    return NULL;
}

/* The header and the chunks behind it by one request. Leaves the reader at the first chunk; RANGE if the object seems
 * to be too short for that. */
static fhir_error_t *open_from_start(fhir_sealed_reader_t *reader, fhir_sealed_known_t *known, apr_off_t end,
                                     const fhir_store_call_t *call)
{
    FHIR_TRY(open_inner(reader, 0, end < 0 ? -1 : fhir_sealed_stored_length(end), call));
    if (reader->inner_end < FHIR_SEALED_HEADER) {
        return fhir_sealed_damaged(call->result_pool, "the object is shorter than the header of a sealed object");
    }
    return read_header(reader, known, call);
}

/* ---- opening ---- */

static fhir_error_t *find_header(fhir_sealed_reader_t *reader, fhir_sealed_known_t *known, apr_off_t offset,
                                 apr_off_t length, const fhir_store_call_t *call)
{
    if (offset < (apr_off_t)FHIR_SEALED_CHUNK) {
        fhir_error_t *error = open_from_start(reader, known, length < 0 ? -1 : offset + length, call);
        if (!error || error->code != FHIR_ERROR_RANGE) {
            return error;
        }
    }
    return open_header_alone(reader, known, call);
}

/* The header is known; verifies and positions. */
static fhir_error_t *position(fhir_sealed_reader_t *reader, apr_off_t offset, const fhir_store_call_t *call)
{
    apr_off_t first = reader->remaining > 0 ? offset / (apr_off_t)FHIR_SEALED_CHUNK : 0;
    apr_off_t last =
        reader->remaining > 0 ? (offset + reader->remaining - 1) / (apr_off_t)FHIR_SEALED_CHUNK : last_index(reader);
    reader->index = first;
    reader->wanted_end = chunk_end(reader, last);
    if (!reader->inner || reader->inner_at != fhir_sealed_chunk_position(first)) {
        close_inner(reader);
        reader->inner_at = reader->inner_end = fhir_sealed_chunk_position(first);
    }
    FHIR_TRY(load_chunk(reader, call));
    reader->chunk_at = (apr_size_t)(offset % (apr_off_t)FHIR_SEALED_CHUNK);
    return NULL;
}

static int must_check_end(const fhir_sealed_reader_t *reader, const fhir_sealed_known_t *known)
{
    return reader->store->check_end && reader->header.announced_length < 0 && !known->end_checked &&
           last_index(reader) > 0;
}

/* `known` is what the cache had, if `cached`. */
static fhir_error_t *try_open(fhir_sealed_reader_t *reader, fhir_sealed_known_t *known, int cached, apr_off_t offset,
                              apr_off_t length, const fhir_store_call_t *call)
{
    fhir_sealed_reader_close(reader);
    reader->stored_length = cached ? known->stored_length : -1;
    if (cached) {
        FHIR_TRY(take_header(reader, known->header, call));
    } else {
        FHIR_TRY(find_header(reader, known, offset, length, call));
    }
    FHIR_TRY(fhir_plugin_range(&reader->remaining, offset, length, reader->length, call->result_pool));
    if (must_check_end(reader, known)) {
        FHIR_TRY(check_end(reader, call));
        known->end_checked = 1;
    }
    fhir_sealed_cache_put(reader->store->cache, reader->locator, known);
    if (reader->remaining > 0 || reader->length == 0) {
        return position(reader, offset, call);
    }
    /* An empty range: is the object still there? */
    return cached ? open_inner(reader, 0, FHIR_SEALED_HEADER, call) : NULL;
}

/* A checksum of the inner store is one of sealed bytes: no use to anybody. */
static void fill_info(fhir_object_info_t *info, apr_off_t length, apr_time_t modified)
{
    info->length = length;
    info->modified = modified;
    info->checksum = NULL;
}

/* Where the header comes with the same request it is read anew: a whole read vouches for all of the object. */
static int is_worth_it(const fhir_sealed_known_t *known, apr_off_t offset, apr_off_t length)
{
    apr_off_t whole = fhir_sealed_content_length(known->stored_length);
    return offset >= (apr_off_t)FHIR_SEALED_CHUNK || (length >= 0 && offset + length < whole);
}

fhir_error_t *fhir_sealed_reader_open(fhir_sealed_reader_t *reader, fhir_object_info_t *info, const char *locator,
                                      apr_off_t offset, apr_off_t length, const fhir_store_call_t *call)
{
    fhir_sealed_known_t known;
    fhir_error_t *error;
    apr_off_t ignored;
    int cached;
    FHIR_TRY(fhir_plugin_check_call(call));
    FHIR_TRY(fhir_plugin_range(&ignored, offset, length, FHIR_SEALED_LENGTH_MAX, call->result_pool));
    reader->locator = apr_pstrdup(reader->pool, locator);
    cached = fhir_sealed_cache_get(&known, reader->store->cache, locator) && is_worth_it(&known, offset, length);
    error = try_open(reader, &known, cached, offset, length, call);
    if (error && error->code != FHIR_ERROR_RANGE) {
        fhir_sealed_cache_forget(reader->store->cache, locator);
    }
    /* The object may have been removed and stored anew by another process: with another data key. */
    if (error && cached && (error->code == FHIR_ERROR_CORRUPT || error->code == FHIR_ERROR_RANGE)) {
        error = try_open(reader, &known, 0, offset, length, call);
    }
    if (error) {
        fhir_sealed_reader_close(reader);
        return error;
    }
    fill_info(info, reader->length, reader->modified);
    return NULL;
}

fhir_error_t *fhir_sealed_reader_read(fhir_sealed_reader_t *reader, void *buffer, apr_size_t *length,
                                      const fhir_store_call_t *call)
{
    apr_size_t room = *length;
    apr_size_t piece;
    *length = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (reader->remaining == 0 || room == 0) {
        return NULL;
    }
    if (reader->chunk_at == reader->chunk_end) {
        FHIR_TRY(load_chunk(reader, call));
    }
    piece = reader->chunk_end - reader->chunk_at;
    piece = piece < room ? piece : room;
    if ((apr_off_t)piece > reader->remaining) {
        piece = (apr_size_t)reader->remaining;
    }
    memcpy(buffer, reader->chunk + reader->chunk_at, piece);
    reader->chunk_at += piece;
    reader->remaining -= (apr_off_t)piece;
    *length = piece;
    return NULL;
}

/* ---- housekeeping ---- */

fhir_error_t *fhir_sealed_object_key(char object_key[FHIR_STORAGE_KEY_LENGTH + 1], const fhir_sealed_store_t *store,
                                     const char *locator, const fhir_store_call_t *call)
{
    fhir_sealed_reader_t *reader = fhir_sealed_reader_create(store, call->result_pool);
    fhir_sealed_known_t known;
    fhir_error_t *error;
    reader->locator = locator;
    reader->stored_length = -1;
    error = open_header_alone(reader, &known, call);
    fhir_sealed_reader_close(reader);
    FHIR_TRY(error);
    memcpy(object_key, reader->header.object_key, FHIR_STORAGE_KEY_LENGTH + 1);
    return NULL;
}

fhir_error_t *fhir_sealed_stat(fhir_object_info_t *info, const fhir_sealed_store_t *store, const char *locator,
                               const fhir_store_call_t *call)
{
    fhir_object_info_t stored = {0};
    apr_off_t length;
    stored.struct_size = sizeof(stored);
    FHIR_TRY(store->plugin->stat(&stored, store->store, locator, call));
    length = fhir_sealed_content_length(stored.length);
    if (length < 0) {
        return fhir_sealed_damaged(call->result_pool, "no sealed object has this length");
    }
    fill_info(info, length, stored.modified);
    return NULL;
}

fhir_error_t *fhir_sealed_remove(int *existed, const fhir_sealed_store_t *store, const char *locator,
                                 const fhir_store_call_t *call)
{
    fhir_sealed_cache_forget(store->cache, locator);
    return store->plugin->remove(existed, store->store, locator, call);
}
