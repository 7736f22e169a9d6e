/* The only caller of the plugin vtable. Loads and checks plugins, keeps the named stores, hashes and counts while
 * writing, gives every writer and reader a cleanup. */
#ifndef FHIR_STORE_STORE_H
#define FHIR_STORE_STORE_H

#include "../base/call.h"
#include "../base/digest.h"
#include "fhir_storage.h"

typedef struct fhir_store_catalog_t fhir_store_catalog_t; /* all plugins and stores of one configuration */
typedef struct fhir_open_store_t fhir_open_store_t;

/* ---- configuration phase: one thread, before fork ---- */
fhir_store_catalog_t *fhir_store_catalog_create(apr_pool_t *pool);
/* Loads `path` and checks magic, ABI, struct size, name, every required callback (named in the error) and paired ones.
 * The object stays mapped as long as the catalog's pool. Error texts are for the administrator. */
fhir_error_t *fhir_store_plugin_load(fhir_store_catalog_t *catalog, const char *name, const char *path) FHIR_MUST_CHECK;
/* The same checks for a descriptor that is linked in (tests). */
fhir_error_t *fhir_store_plugin_register(fhir_store_catalog_t *catalog,
                                         const fhir_storage_plugin_t *plugin) FHIR_MUST_CHECK;
/* Names a store: plugin and options (`key=value` strings). Unknown plugin: INVALID, naming the loaded ones. */
fhir_error_t *fhir_store_define(fhir_store_catalog_t *catalog, const char *name, const char *plugin,
                                const char *const *options, int option_count) FHIR_MUST_CHECK;
int fhir_store_defined(const fhir_store_catalog_t *catalog, const char *name);
/* Names of all stores in order of definition: array of const char *. */
apr_array_header_t *fhir_store_names(const fhir_store_catalog_t *catalog, apr_pool_t *pool);

/* ---- process phase ---- */
/* Does each store come after those that it wraps? Says what to write if not. */
fhir_error_t *fhir_store_check_wrapping(const fhir_store_catalog_t *catalog, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The name of the first store that is defined to wrap this one (encryption, mirror); NULL: none. */
const char *fhir_store_wrapper_of(const fhir_store_catalog_t *catalog, const char *name);
/* Opens every store, in order of definition; a store may resolve those before it. Closed with `pool`. */
fhir_error_t *fhir_store_open_all(fhir_store_catalog_t *catalog, apr_pool_t *pool) FHIR_MUST_CHECK;
/* UNAVAILABLE if no such store is configured: a row names a store that this node lacks. */
fhir_error_t *fhir_store_get(fhir_open_store_t **store, const fhir_store_catalog_t *catalog, const char *name,
                             apr_pool_t *pool) FHIR_MUST_CHECK;
const char *fhir_store_name(const fhir_open_store_t *store);
/* Other processes see what is in it, and it outlives them; so does what it wraps. Known once it is open. */
int fhir_store_is_persistent(const fhir_open_store_t *store);
/* The store that has opened this one to wrap it (encryption, mirror): the objects in here are that store's. NULL: none.
 * Known once all are open. */
const char *fhir_store_wrapped_by(const fhir_open_store_t *store);
/* Where the object with this key is or would be in the store. */
fhir_error_t *fhir_store_locate(const char **locator, fhir_open_store_t *store, const char *object_key,
                                const fhir_call_t *call) FHIR_MUST_CHECK;
/* A new random object key and where it will be. */
fhir_error_t *fhir_store_new_object(const char **object_key, const char **locator, fhir_open_store_t *store,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- writing ---- */
typedef struct fhir_object_writer_t fhir_object_writer_t;
typedef struct fhir_written_t {
    apr_off_t size;
    unsigned char sha256[FHIR_SHA256_LENGTH];
    unsigned char sha1[FHIR_SHA1_LENGTH];
} fhir_written_t;
/* `limit`: TOO_LARGE beyond so many bytes. The writer is aborted by a cleanup of call->pool unless committed. The
 * call's cancel check and pool serve the writer's whole life; its deadline only for `begin`: each write and each read
 * has a minute of its own. Bytes go to the store in blocks, the rest with the commit: a store's error may come with a
 * later call. A writer that failed is aborted at once. */
fhir_error_t *fhir_object_begin(fhir_object_writer_t **writer, fhir_open_store_t *store, const char *object_key,
                                const char *locator, apr_off_t expected_length, const char *content_type,
                                apr_off_t limit, const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_object_write(fhir_object_writer_t *writer, const void *data, apr_size_t length) FHIR_MUST_CHECK;
/* `time` is for a small object, a large one gets a second more for each 8 MiB; 0: as long as it takes. */
fhir_error_t *fhir_object_commit(fhir_written_t *written, fhir_object_writer_t *writer,
                                 apr_interval_time_t time) FHIR_MUST_CHECK;
void fhir_object_abort(fhir_object_writer_t *writer);

/* ---- reading ---- */
typedef struct fhir_object_reader_t fhir_object_reader_t;
/* `expected_size` is what the database says; another size in the store is CORRUPT. NOT_FOUND becomes CORRUPT too: a
 * row names an object that is not there. Closed by a cleanup of call->pool. */
fhir_error_t *fhir_object_open(fhir_object_reader_t **reader, fhir_open_store_t *store, const char *locator,
                               apr_off_t offset, apr_off_t length, apr_off_t expected_size,
                               const fhir_call_t *call) FHIR_MUST_CHECK;
/* NULL file if this store streams. */
fhir_error_t *fhir_object_file(apr_file_t **file, apr_off_t *offset, fhir_object_reader_t *reader) FHIR_MUST_CHECK;
/* Is a fhir_stream_fn of core/http/response.h (baton is the reader). */
fhir_error_t *fhir_object_read(void *reader, char *buffer, apr_size_t *length) FHIR_MUST_CHECK;
void fhir_object_close(fhir_object_reader_t *reader);

/* ---- housekeeping ---- */
fhir_error_t *fhir_object_stat(fhir_object_info_t *info, fhir_open_store_t *store, const char *locator,
                               const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_object_remove(int *existed, fhir_open_store_t *store, const char *locator,
                                 const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_object_list(const char **next, fhir_open_store_t *store, const char *cursor, int limit,
                               fhir_list_entry_fn entry, void *baton, const fhir_call_t *call) FHIR_MUST_CHECK;
/* Does it keep every object more than once, so that the next function says something? */
int fhir_store_keeps_copies(const fhir_open_store_t *store);
/* See check_copies in fhir_storage.h. */
fhir_error_t *fhir_object_check_copies(fhir_open_store_t *store, const char *locator, int repair,
                                       fhir_store_copy_fn copy, void *copy_baton,
                                       const fhir_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_store_health(fhir_open_store_t *store, const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- URLs of the store itself ---- */
/* Can clients of the store with this name fetch and send by its own URLs? Works before the stores are open too. */
int fhir_store_can_presign(const fhir_store_catalog_t *catalog, const char *name);
/* UNSUPPORTED if its options are against it, for reads (write 0) or uploads (write 1): the text names the option. */
fhir_error_t *fhir_store_check_presign(const fhir_store_catalog_t *catalog, const char *name, int write,
                                       apr_pool_t *pool) FHIR_MUST_CHECK;
/* A checked URL: http or https, printable, at most 8 KiB; the headers are fit to be sent. UNSUPPORTED if the store
 * can't give one, or can't promise what fhir_storage.h asks for. The caller sets request->struct_size. */
fhir_error_t *fhir_store_presign(fhir_store_presigned_t *presigned, fhir_open_store_t *store,
                                 const fhir_store_presign_request_t *request, const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
